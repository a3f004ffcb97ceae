# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the report relies on in an evidence document; one that is otherwise is damaged. Private to this collection.

The schema (docs/schema/evidence-1.json) says more, but a control node need not have a validator.
"""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._verdicts import VERDICTS

# A type or several; {key: shape} for an object that may have more keys; [shape] for a list. Absent is null.
_TEXT = (str,)
_MAYBE = (str, type(None))
_DETAIL = {"file": _MAYBE, "line": (int, type(None)), "reason": _MAYBE}
_SHAPE = {
    "verdict": _TEXT,
    "reasons": [_TEXT],
    "warnings": [_TEXT],
    "posture": _MAYBE,
    "policy": {
        "desired": _TEXT,
        "connectivity": _TEXT,
        "restart": _TEXT,
        "waiver": {"until": _TEXT, "reason": _TEXT, "approved_by": _TEXT, "ticket": _MAYBE},
    },
    "state": {
        "warnings": [_TEXT],
        "installations": [
            {
                "name": _TEXT,
                "product": _TEXT,
                "packaging": _TEXT,
                "service": _MAYBE,
                "on_disk": _TEXT,
                "next_start": _TEXT,
                "running": _TEXT,
                "on_disk_detail": _DETAIL,
                "next_start_detail": _DETAIL,
                "running_detail": _DETAIL,
                "launch": {"file": _TEXT, "variable": _MAYBE},
                "declarations": [
                    {
                        "file": _TEXT,
                        "line": (int,),
                        "variable": _MAYBE,
                        "value": _TEXT,
                        "live": (bool,),
                        "reason": _MAYBE,
                    }
                ],
                "processes": [{"pid": (int,), "proof": _MAYBE}],
            }
        ],
        "connectivity": [
            {
                "target": _TEXT,
                "via": _TEXT,
                "outcome": _TEXT,
                "message": _TEXT,
                "findings": [_TEXT],
                "java": [{"trusted": (bool, type(None))}],
                "samples": {"outcomes": {}},
            }
        ],
        "looked_at": [_TEXT],
    },
}
#: Half a character: JSON can say it, no file and no page can hold it.
_HALF = re.compile("[\ud800-\udfff]")


_PROCESS = [{"pid": (int,), "started": _MAYBE}]
_CHANGE = {
    "run": _TEXT,
    "at": _TEXT,
    "kind": _TEXT,
    "host": _MAYBE,
    "file": _MAYBE,
    "backup": _MAYBE,
    "what": _MAYBE,
    "reason": _MAYBE,
    "service": _MAYBE,
    "gates": [_TEXT],
    "old": _PROCESS,
    "new": _PROCESS,
    "failure": _MAYBE,
    "operator": _MAYBE,
    "control_node": _MAYBE,
    "commit": _MAYBE,
    "dirty": (bool, type(None)),
    "undoes": _MAYBE,
    "before": _MAYBE,
    "after": _MAYBE,
}
_SUM = re.compile("[0-9a-f]{64}")


def _fits(value: Any, shape: Any) -> bool:
    if isinstance(shape, tuple):
        return isinstance(value, shape) and not (isinstance(value, str) and _HALF.search(value))
    if value is None:  # an object or a list may be absent
        return True
    if isinstance(shape, list):
        return isinstance(value, list) and all(item is not None and _fits(item, shape[0]) for item in value)
    return isinstance(value, dict) and all(_fits(value.get(key), inner) for key, inner in shape.items())


def sound_change(entry: Any) -> bool:
    """Whether a line of a record of changes is one that a report can be made of."""
    return (
        isinstance(entry, dict)
        and _fits(entry, _CHANGE)
        and (entry["kind"] == "run" or bool(entry.get("host")))
        and all(entry.get(key) is None or _SUM.fullmatch(entry[key]) for key in ("before", "after"))
    )


def sound(document: Any, host: str) -> bool:
    """Whether a document is evidence of this host that a report can be made of."""
    return (
        isinstance(document, dict)
        and document.get("host") == host
        and all(isinstance(document.get(key), list) for key in ("reasons", "warnings"))
        and _fits(document, _SHAPE)
        and document["verdict"] in VERDICTS
    )

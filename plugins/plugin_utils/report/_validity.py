# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the report relies on in an evidence document; one that is otherwise is damaged. Private to this collection.

The schema (docs/schema/evidence-1.json) says more, but a control node need not have a validator.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from types import UnionType
from typing import Any, Literal, TypedDict, Union, get_args, get_origin, get_type_hints

from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy import _documents as documents
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._verdicts import VERDICTS

#: The members that are looked at, by the type of the object. What is left out is taken for null, and an object or a
#: list may be null: an older version filed less.
RELIED_ON: Mapping[Any, tuple[str, ...]] = {
    documents.Evidence: ("verdict", "reasons", "warnings", "posture", "policy", "state"),
    documents.PolicyDocument: ("desired", "connectivity", "restart", "waiver"),
    documents.WaiverDocument: ("until", "reason", "approved_by", "ticket"),
    documents.State: ("warnings", "installations", "connectivity", "looked_at"),
    documents.Installation: (
        *("name", "product", "packaging", "service", "launch", "declarations", "processes"),
        *("on_disk", "next_start", "running", "on_disk_detail", "next_start_detail", "running_detail"),
    ),
    documents.Detail: ("file", "line", "reason"),
    documents.Launch: ("file", "variable"),
    documents.Declaration: ("file", "line", "variable", "value", "live", "reason"),
    documents.Process: ("pid", "proof"),
    documents.Answer: ("target", "via", "outcome", "message", "findings", "java", "samples"),
    documents.JavaTrust: ("trusted",),
    documents.Samples: ("outcomes",),
}
#: Half a character: JSON can say it, no file and no page can hold it.
_HALF = re.compile("[\ud800-\udfff]")


class _ChangedProcess(TypedDict):
    pid: int
    started: str | None


class _ChangeMay(TypedDict, total=False):
    host: str
    file: str
    backup: str
    what: str
    reason: str
    service: str
    gates: list[str]
    old: list[_ChangedProcess]
    new: list[_ChangedProcess]
    failure: str
    operator: str
    control_node: str
    commit: str
    dirty: bool
    undoes: str
    before: str
    after: str


class _Change(_ChangeMay):
    """A line of a record of changes, all of whose members are looked at (docs/schema/change-1.json)."""

    run: str
    at: str
    kind: str


_SUM = re.compile("[0-9a-f]{64}")


Check = Callable[[Any], bool]


@functools.cache
def _check_of(kind: Any) -> Check:
    """What tells whether a value is of a type, as far as a report relies on it."""
    scalars = _scalars(kind)
    if scalars is not None:
        return lambda value: isinstance(value, scalars) and not (isinstance(value, str) and _HALF.search(value))
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        checks = [_check_of(one) for one in arguments]
        return lambda value: any(check(value) for check in checks)
    if origin is list:
        item = _check_of(arguments[0])
        return lambda value: (
            value is None or (isinstance(value, list) and all(one is not None and item(one) for one in value))
        )
    if origin is dict:
        return lambda value: value is None or isinstance(value, dict)
    hints = get_type_hints(kind)
    members = [(name, _member(kind, name, hints[name])) for name in RELIED_ON.get(kind, tuple(hints))]
    return lambda value: (
        value is None or (isinstance(value, dict) and all(check(value.get(name)) for name, check in members))
    )


def _member(kind: Any, name: str, hint: Any) -> Check:
    check = _check_of(hint)
    return check if name in kind.__required_keys__ else lambda value: value is None or check(value)


def _scalars(kind: Any) -> tuple[type, ...] | None:
    """The types of a value that is text, a number, true, false or null; None for an object or a list."""
    if get_origin(kind) is Literal:
        return tuple({type(one) for one in get_args(kind)})
    if get_origin(kind) in (Union, UnionType):
        found = [_scalars(one) for one in get_args(kind)]
        return None if None in found else tuple(one for each in found for one in each or ())
    return {float: (int, float)}.get(kind, (kind,)) if kind in (str, int, float, bool, type(None)) else None


def sound_change(entry: Any) -> bool:
    """Whether a line of a record of changes is one that a report can be made of."""
    return (
        isinstance(entry, dict)
        and _check_of(_Change)(entry)
        and (entry["kind"] == "run" or bool(entry.get("host")))
        and all(entry.get(key) is None or _SUM.fullmatch(entry[key]) for key in ("before", "after"))
    )


def sound(document: Any, host: str) -> bool:
    """Whether a document is evidence of this host that a report can be made of."""
    return (
        isinstance(document, dict)
        and document.get("host") == host
        and all(isinstance(document.get(key), list) for key in ("reasons", "warnings"))
        and _check_of(documents.Evidence)(document)
        and document["verdict"] in VERDICTS
    )

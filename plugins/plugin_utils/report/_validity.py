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
    documents.PolicyDocument: ("desired", "connectivity", "restart", "waiver", "expect", "toggle", "switches"),
    documents.WaiverDocument: ("until", "reason", "approved_by", "ticket"),
    documents.State: ("host", "warnings", "installations", "connectivity", "looked_at"),
    documents.Host: ("node",),
    documents.Installation: (
        *("name", "product", "packaging", "service", "launch", "declarations", "processes"),
        *("on_disk", "next_start", "running", "on_disk_detail", "next_start_detail", "running_detail"),
        *("unit_state", "home", "settings", "member_of", "controllers", "controllers_detail"),
        *("toggle", "switches", "senders", "segment_threads", "events"),
    ),
    documents.Detail: ("file", "line", "reason"),
    documents.Launch: ("file", "variable"),
    documents.Declaration: ("file", "line", "variable", "value", "live", "reason"),
    documents.Process: ("pid", "proof"),
    documents.Answer: ("target", "via", "outcome", "message", "findings", "java", "samples"),
    documents.JavaTrust: ("trusted",),
    documents.Samples: ("outcomes",),
    documents.UnitState: ("result",),
    documents.Settings: ("analytics_plugin", "details"),
    documents.SettingDetail: ("reason",),
    documents.Member: ("operations_center", "name", "endpoint", "index", "reason"),
    documents.Controller: ("name", "kind", "endpoint", "index", "encoded_name", "approved"),
    documents.ControllersDetail: ("url", "reason"),
    documents.SwitchProcess: ("pid", "proof"),
    documents.Plugin: ("plugin", "version", "events", "reason", "note"),
    documents.Event: ("kind", "name", "mark", "summary", "reason"),
    documents.Events: ("mark", "plugins", "unread", "reason", "served"),
    documents.EventsServed: ("mark", "events", "reason"),
}
#: What no version filed otherwise: each of its members that must be there is, and none is null but by its type.
EXACT = (
    *(documents.SwitchPolicy, documents.Switch, documents.Sender, documents.SegmentThreads, documents.TogglePlace),
    documents.Controller,
    *(documents.Events, documents.Plugin, documents.Event, documents.Unread, documents.EventsServed, documents.Listed),
)
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
        each = _check_of(arguments[1])
        return lambda value: (
            value is None or (isinstance(value, dict) and all(one is not None and each(one) for one in value.values()))
        )
    if kind is documents.Toggle:  # its places are gone through, whatever their names are
        return _check_of(dict[str, documents.TogglePlace])
    hints = get_type_hints(kind)
    members = [(name, _member(kind, name, hints[name])) for name in RELIED_ON.get(kind, tuple(hints))]
    may_lack, must_have = frozenset[str](), frozenset[str]()
    if kind in EXACT:
        may_lack, must_have = kind.__optional_keys__, kind.__required_keys__ & {name for name, _check in members}
    return lambda value: (
        value is None
        or (
            isinstance(value, dict)
            and must_have <= value.keys()
            and all(check(value.get(name)) for name, check in members if name in value or name not in may_lack)
        )
    )


def _member(kind: Any, name: str, hint: Any) -> Check:
    check = _check_of(hint)
    if kind in EXACT:
        return lambda value: check(value) and (value is not None or type(None) in get_args(hint))
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

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drift: what differs on a host from the evidence before, and whose doing it was.

What changed is read from the host's own facts, and only the record of our own edits is an alibi. Facts that depend on
how we looked are none: what is unknown, by which proof a value is known, what the network said, which scripts the
inventory names. Pure functions. Private to this collection. Runs on the control node.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

KNOWN = ("disabled", "enabled")
#: What of a policy says how telemetry is to be; not how it is brought about (restart), which nobody sees on a host.
_POLICY = ("desired", "connectivity", "waiver", "toggle")
#: What of an installation says how it is started, beside the clocks.
_BUILD = ("product", "packaging", "service", "home")
_SETTINGS = ("analytics_plugin", "license_tracker_plugin", "no_usage_statistics", "product_version")


class Act(NamedTuple):
    """Something that we did to a host since the evidence before."""

    #: Files that we edited, rendered or put back; None where that is not known, as when the connection broke.
    paths: frozenset[str] | None
    #: Where telemetry was to be afterwards; None where the act says nothing of it.
    desired: str | None = None
    #: Whether it may be that nothing was done.
    attempt: bool = False
    #: What CloudBees' own checkbox was to be set to, or that it was nobody's business; None where the act does not say.
    toggle: str | None = None


class Change(NamedTuple):
    """How an installation differs from what it was."""

    before: Mapping[str, Any]
    after: Mapping[str, Any]


def drift_of(before: Mapping[str, Any] | None, after: Mapping[str, Any], acts: Sequence[Act] = ()) -> str | None:
    """What changed a host's evidence: ``corrective`` (somebody, by hand), ``intended`` (its policy), or None.

    ``before`` and ``after`` are evidence documents. A host that was right by the same policy and that we had to edit
    was changed by somebody, although it is as before now.
    """
    if before is None or before["policy"] is None or after["policy"] is None:
        return None
    policy = any(before["policy"].get(key) != after["policy"].get(key) for key in _POLICY)
    if comparable(before["state"], after["state"]):
        was, desired = before["policy"]["desired"], after["policy"]["desired"]
        came, went, both = _paired(before["state"], after["state"])
        obeyed = desired if was != desired else None
        toggle = after["policy"].get("toggle")
        new = toggle if before["policy"].get("toggle") != toggle else None
        if came or went or any(_by_hand(change, acts, obeyed) or _toggled(change, acts, new) for change in both):
            return "corrective"
        if was == desired and any(_was_put_right(change, acts, was) for change in both):
            return "corrective"
        if new is None and any(_toggle_was_put_right(change, acts, toggle) for change in both):
            return "corrective"
    return "intended" if policy else None


def comparable(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> bool:
    """Whether two states are of one machine, seen with the same rights."""
    if before is None or after is None:
        return False
    return all(
        before.get("host", {}).get(key) == after.get("host", {}).get(key) for key in ("node", "effective_user", "root")
    )


def _paired(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[list[Any], list[Any], list[Change]]:
    """Installations that came, those that went, and those that are in both."""
    old, new = _by_name(before), _by_name(after)
    return (
        [new[key] for key in new if key not in old and _lasts(new[key])],
        [old[key] for key in old if key not in new and _lasts(old[key])],
        [Change(old[key], new[key]) for key in old if key in new],
    )


def _by_name(state: Mapping[str, Any]) -> dict[tuple[str, int], Mapping[str, Any]]:
    found: dict[tuple[str, int], Mapping[str, Any]] = {}
    for entry in state.get("installations", []):
        number = sum(key[0] == entry["name"] for key in found)
        found[entry["name"], number] = entry
    return found


def _lasts(entry: Mapping[str, Any]) -> bool:
    """Whether an installation is there by itself: not as a process alone, nor as a script that the inventory names."""
    return (
        entry["on_disk"] in KNOWN
        and entry["packaging"] != "container"
        and bool(entry["service"] or entry["packaging"] != "script")
    )


def _by_hand(change: Change, acts: Sequence[Act], obeyed: str | None) -> bool:
    """Whether somebody else changed an installation; where a new policy wants it (``obeyed``) anybody may bring it."""
    before, after = change
    if _differ(before, after, "on_disk"):
        disk = after["on_disk"] == obeyed or _explained(change, acts)
    else:
        texts = [_text_of(before), _text_of(after)]
        disk = None in texts or texts[0] == texts[1] or _explained(change, acts)
    if not disk:
        return True
    # A reload or a start does no more than take over what was there.
    if _differ(before, after, "next_start") and after["next_start"] not in (before["on_disk"], after["on_disk"]):
        return True
    if (
        before["running"] in KNOWN
        and after["running"] in (*KNOWN, "mixed")
        and after["running"] not in (before["running"], before["next_start"], before["on_disk"], after["next_start"])
    ):
        return True
    return (
        any(before.get(key) != after.get(key) for key in _BUILD)
        or any(_setting(before, key, after) for key in _SETTINGS)
        or bool(_events_between(before, after))
    )


def _toggled(change: Change, acts: Sequence[Act], obeyed: Any = None) -> bool:
    """Whether somebody else turned CloudBees' own checkbox, in any of its places; ``obeyed`` as in `_by_hand`."""
    was, now = ((entry.get("toggle") or {}) for entry in change)
    set_by_us = [
        place.get("collected")
        for place in (now.get("declared") or {}, now.get("on_disk") or {})
        for act in acts
        if act.paths is None or place.get("file") in act.paths
        if act.toggle is None or (act.toggle in KNOWN and place.get("collected") is (act.toggle == "enabled"))
    ]
    promised = (was.get("declared") or {}).get("collected")  # a start or a reload takes over what was there
    for name in ("declared", "on_disk", "served"):
        pair = [(places.get(name) or {}).get("collected") for places in (was, now)]
        if all(isinstance(value, bool) for value in pair) and pair[0] != pair[1]:
            if obeyed in KNOWN and pair[1] is (obeyed == "enabled"):
                continue
            if pair[1] not in set_by_us and (name == "declared" or pair[1] != promised):
                return True
    return False


def _differ(before: Mapping[str, Any], after: Mapping[str, Any], clock: str) -> bool:
    return before[clock] != after[clock] and before[clock] in KNOWN and after[clock] in KNOWN


def _text_of(entry: Mapping[str, Any]) -> Any:
    """Each mention of the flag, wherever in its file it stands; nothing where not all of it could be read."""
    if entry["on_disk"] not in KNOWN:
        return None
    return sorted(
        (item["file"], item.get("variable") or "", str(item["value"]), bool(item["live"]))
        for item in entry.get("declarations", [])
    )


def _setting(before: Mapping[str, Any], key: str, after: Mapping[str, Any]) -> bool:
    """Whether a setting inside the product is another, where both were seen."""
    pair = [(entry.get("settings") or {}).get(key) for entry in (before, after)]
    seen = [((entry.get("settings") or {}).get("details") or {}).get(key, {}).get("state") for entry in (before, after)]
    return "unknown" not in (*pair, *seen) and None not in pair and pair[0] != pair[1]


#: Sentences on events of one host, and characters of one: its plugins name them.
_MOST_EVENTS, _LONGEST_NAME = 100, 200


def events_changed(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> list[str]:
    """Which events the plugins of a host name that they did not name before, and which no more: a sentence each.

    ``before`` and ``after`` are evidence documents; empty where one of them does not know.
    """
    if before is None or not comparable(before["state"], after["state"]):
        return []
    said = [
        f"{change.after['name']}: {words}"
        for change in _paired(before["state"], after["state"])[2]
        for words in _events_between(change.before, change.after)
    ]
    more = len(said) - _MOST_EVENTS
    return said if more <= 0 else [*said[:_MOST_EVENTS], f"and {more} more events are new or gone"]


def _events_between(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What came and went among the events of an installation; what was not read before is not new for that."""
    old, new = before.get("events"), after.get("events")
    if old is None or new is None:
        return []
    return [*_of_plugins(old, new), *_of_lists(old.get("served") or {}, new.get("served") or {})]


def _of_lists(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The same of what the product itself lists."""
    if old.get("mark") != "seen" or new.get("mark") != "seen":
        return []
    was, now = ({one["name"] for one in listed["events"]} for listed in (old, new))
    return [
        *(f"an event is new: {_cut(name)} (in the product's own list)" for name in sorted(now - was)),
        *(f"an event is gone: {_cut(name)} (in the product's own list)" for name in sorted(was - now)),
    ]


def _of_plugins(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The same of what plugins name."""
    if not old["archives"] or not new["archives"]:
        return []
    was, now = _named(old), _named(new)
    came = [] if old["unread"] else sorted(now.keys() - was.keys())
    went = [] if new["unread"] else sorted(was.keys() - now.keys())
    return [
        *(
            f"{_KINDS[kind]} is new: {_cut(name)} (of {plugin} {now[plugin, kind, name]})"
            for plugin, kind, name in came
        ),
        *(
            f"{_KINDS[kind]} is gone: {_cut(name)} (of {plugin} {was[plugin, kind, name]})"
            for plugin, kind, name in went
        ),
    ]


_KINDS = {
    "event": "an event",
    "property": "a property of events",
    "candidate": "what may be an event or a property of one",
}


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]} …"


def _named(events: Mapping[str, Any]) -> dict[tuple[str, str, str], str]:
    """The version of the plugin that names each event, by plugin, kind and name, without what has no name."""
    return {
        (one["plugin"], event["kind"], event["name"]): one["version"]
        for one in events["plugins"]
        for event in one["events"]
        if event["name"] is not None
    }


def files_of(entry: Mapping[str, Any]) -> set[str]:
    """The files that an installation's flag stands or would stand in."""
    launch = entry.get("launch") or {}
    return {item["file"] for item in [*entry.get("declarations", []), launch] if item.get("file")}


def _touched(entries: Iterable[Mapping[str, Any]], act: Act) -> bool:
    return act.paths is None or any(act.paths & files_of(entry) for entry in entries)


def _explained(change: Change, acts: Sequence[Act]) -> bool:
    """Whether an act of ours accounts for what an installation's files say now."""
    return any(_touched(change, act) and act.desired in (None, change.after["on_disk"]) for act in acts)


def _toggle_was_put_right(change: Change, acts: Sequence[Act], wanted: Any) -> bool:
    """The same of CloudBees' own checkbox, where what decides it was as it is ``wanted``."""
    places = [entry.get("toggle") or {} for entry in change]
    decides = [(places[0].get(name) or {}).get("collected") for name in ("declared", "on_disk")]
    if wanted not in KNOWN or (decides[1] if decides[0] is None else decides[0]) is not (wanted == "enabled"):
        return False
    files = {one["file"] for names in places for one in names.values() if one.get("file")}
    return any(
        not act.attempt and act.toggle == wanted and (act.paths is None or not act.paths.isdisjoint(files))
        for act in acts
    )


def _was_put_right(change: Change, acts: Sequence[Act], desired: str) -> bool:
    """Whether we had to edit an installation that was right before."""
    return change.before["on_disk"] == desired and any(
        not act.attempt and act.desired == desired and _touched(change, act) for act in acts
    )

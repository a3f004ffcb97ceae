# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A restart that would start something else than the flag is another change: what it is, and whether it may be made.

The plan and the restart read the same rule. What is ``broken`` is never started; what only a launch file says
(``launch``), and what is not known, is shown and stops nothing. Private to this collection. Runs on the control node.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

#: What ``telemetry_restart_allow`` may name.
KINDS = ("war", "java", "unit", "plugins")
_NEVER = "broken"


def label_of(entry: Mapping[str, Any]) -> str:
    """What people call the service of an installation."""
    return str(entry["service"] or entry["name"])


def changes_of(
    entry: Mapping[str, Any],
    allowed: Collection[str],
    earlier: Mapping[str, Any] | None = None,
    label: Callable[[Mapping[str, Any]], str] = label_of,
) -> list[dict[str, Any]]:
    """What else a restart of an installation would start: service, kind, what, and whether it is refused for that.

    ``earlier`` is the state before the service manager was reloaded: what it told of the same processes then, such as a
    drop-in that was removed, cannot be seen any more and is started all the same.
    """
    found = list(entry.get("restart_brings", []))
    for other in (earlier or {}).get("installations", []):
        if other["name"] == entry["name"] and _processes(other) == _processes(entry):
            found += [item for item in other.get("restart_brings", []) if item["kind"] == "unit" and item not in found]
    return [
        {
            "service": label(entry),
            "kind": item["kind"],
            "what": item["what"],
            "refused": item["kind"] == _NEVER or (item["kind"] in KINDS and item["kind"] not in allowed),
        }
        for item in found
    ]


def _processes(entry: Mapping[str, Any]) -> set[tuple[Any, Any]]:
    return {(process["pid"], process["started"]) for process in entry.get("processes", [])}


def refusal(changes: Sequence[Mapping[str, Any]]) -> str | None:
    """Why a service is not restarted, in one sentence that says what to do; None where it may be."""
    refused = [change for change in changes if change["refused"]]
    if not refused:
        return None
    kinds = [kind for kind in KINDS if any(change["kind"] == kind for change in refused)]
    because = "; ".join(dict.fromkeys(change["what"] for change in refused))
    if any(change["kind"] == _NEVER for change in refused):
        return f"{refused[0]['service']} is not restarted, because it would not come up again: {because}"
    return (
        f"{refused[0]['service']} is not restarted, because that would start something else, too: {because} "
        f"(telemetry_restart_allow: [{', '.join(kinds)}] allows it)"
    )


def may_restart(
    due: Sequence[Mapping[str, Any]],
    allowed: Collection[str],
    earlier: Mapping[str, Any] | None = None,
    label: Callable[[Mapping[str, Any]], str] = label_of,
) -> tuple[list[Mapping[str, Any]], list[str]]:
    """Those of the installations that may be restarted, and why the others may not, a sentence for each service.

    A service is restarted as a whole: what stands against one installation of it stands against all.
    """
    of_service: dict[str, list[dict[str, Any]]] = {}
    for entry in due:
        of_service.setdefault(label(entry), []).extend(changes_of(entry, allowed, earlier, label))
    why = {service: sentence for service, changes in of_service.items() if (sentence := refusal(changes))}
    return [entry for entry in due if label(entry) not in why], list(why.values())


def words(change: Mapping[str, Any]) -> str:
    """A change in the words of the plan."""
    if change["kind"] == "unknown":
        return f"{change['service']}: {change['what']}"
    end = " (refused)" if change["refused"] else ""
    return f"a restart of {change['service']} also brings {_NAMES[change['kind']]}: {change['what']}{end}"


_NAMES = {
    "war": "another war",
    "java": "another Java",
    "unit": "a changed unit",
    "plugins": "plugins",
    "launch": "a changed launch file",
    "broken": "no whole war",
}

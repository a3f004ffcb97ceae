# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan: what enforce would edit and restart, as a document for review, and whether the facts still match it.

Private to this collection. Runs on the control node.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.utils.vars import load_extra_vars

from ansible_collections.cbops.telemetry.plugins.module_utils.rules import _findings as rules
from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import markdown_cell, visible
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import (
    Policy,
    assess_installation,
    with_waiver,
    worst,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._other_changes import KINDS, changes_of, refusal
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._other_changes import words as change_words
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart._supervision import service_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart.starters._starter import Service

PLAN_SCHEMA = "cbops.telemetry/plan/1"
#: The batches of restarts, as playbooks/enforce.yml has them.
DEFAULT_SERIAL = (1, 2, 5, "20%")
SERIAL = "telemetry_restart_serial"
#: The variable of localhost in which the first pass of enforce leaves how many hosts of each batch it could not finish.
SWEPT_SERIAL = "__telemetry_serial"


class PlanError(ValueError):
    """The file is no plan, or does not name the host."""


# -- one host ---------------------------------------------------------------------------------------


def summary(edit: Mapping[str, Any], diff: Mapping[str, str]) -> str:
    """An edit in a few words, from the diff that shows nothing but the flag's lines."""
    if edit["after"] is None:
        is_moved = str(diff.get("after_header")).endswith(" (moved)")
        return "a backup of an earlier version, moved away" if is_moved else "removed"
    if edit["after"] == edit["before"]:
        return "given to root"
    before, after = diff["before"].splitlines(), diff["after"].splitlines()
    comes, more = (after, before) if len(after) >= len(before) else (before, after)
    lines = [line.partition(":")[0] for line in comes if line not in more]
    if edit.get("toggle"):
        return f"toggle set ({', '.join(lines)})" if lines else "toggle set"
    is_option = not lines or any(" -D" in line for line in comes)
    what = "flag" if edit.get("flag", True) else "property" if is_option else "variable"
    words = "new file" if edit["before"] is None else f"{what} put in" if comes is after else f"{what} taken out"
    return f"{words} ({', '.join(lines)})" if lines else words


def is_unit(path: str) -> bool:
    """True for a unit or a drop-in: an edit of it counts only after a daemon-reload."""
    return "/systemd/" in path and (path.endswith(".service") or (".service.d/" in path and path.endswith(".conf")))


def idle(host: str, policy: Policy, today: datetime.date) -> dict[str, Any]:
    """The entry of a host that enforce leaves alone."""
    waiver = policy.waiver
    reason = (
        "telemetry_desired is unmanaged"
        if waiver is None or not policy.judged
        else f"waived until {waiver.until}: {waiver.words()}"
    )
    return {
        "host": host,
        "desired": policy.desired,
        "enforced": policy.enforced(today),
        "edits": [],
        "reload": False,
        "restarts": [],
        "restarts_owed": [],
        "other_changes": [],
        "reasons": [reason],
        "error": None,
    }


def broken(host: str, error: str) -> dict[str, Any]:
    """The entry of a host that cannot be planned."""
    return {
        "host": host,
        "desired": None,
        "enforced": None,
        "edits": [],
        "reload": False,
        "restarts": [],
        "restarts_owed": [],
        "other_changes": [],
        "reasons": [],
        "error": error,
    }


def entry_of(
    host: str,
    policy: Policy,
    today: datetime.date,
    answer: Mapping[str, Any],
    rendered: Sequence[Mapping[str, Any]],
    daemon_reload: bool,
    allow: Sequence[str] = (),
) -> dict[str, Any]:
    """The entry of a host that enforce acts on.

    ``answer`` is what telemetry_flag said in check mode, ``rendered`` the edits by the user's own templates, which
    come first. ``daemon_reload`` is whether enforce may reload the service manager, ``allow`` what a restart may
    start beside the flag.
    """
    diffs = {diff["before_header"]: diff for diff in answer["diff"]}
    paths = [edit["path"] for edit in rendered]
    edits = [
        *rendered,
        *(
            {
                "path": edit["path"],
                "before": edit["before"],
                "after": edit["after"],
                "summary": summary(edit, diffs[edit["path"]]),
            }
            for edit in answer["files"]
            if edit["path"] not in paths
        ),
    ]
    needed = answer["reload_required"] or any(
        is_unit(edit["path"]) and edit["before"] != edit["after"] for edit in edits
    )
    reload = needed and daemon_reload
    restarts: list[str] = []
    owed: list[str] = []
    others: list[dict[str, Any]] = []
    switches = [one._asdict() for one in policy.switches]
    for found in answer["state"]["installations"]:
        turned = _is_turned(found, answer["files"], policy.toggle)
        if found["on_disk"] not in rules.KNOWN and not edits and not turned:
            continue  # a restart would be no cure
        if not turned and rules.RESTART not in rules.owed_after_edit(found, policy.desired, switches):
            continue
        # As telemetry_restart does it: only where the service manager will really start it with the wanted value.
        service = service_of(found)
        is_known = all(
            clocks["next_start"] in rules.KNOWN for clocks, _to in rules.goals_of(found, policy.desired, switches)
        )
        can = isinstance(service, Service) and (reload or (is_known and not needed))
        (restarts if can and policy.restart != "never" else owed).append(service.label)
        others += changes_of(found, allow, label=lambda entry: service_of(entry).label)
    refused = [service for service in restarts if refusal([other for other in others if other["service"] == service])]
    restarts, owed = [service for service in restarts if service not in refused], owed + refused
    results = worst(
        [
            assess_installation(found, policy.desired)
            for found in answer["state"]["installations"]
            if policy.desired in rules.KNOWN
        ]
    )
    reasons = with_waiver(results, policy, today).reasons + list(answer.get("toggle_refused", []))
    return {
        "host": host,
        "desired": policy.desired,
        "enforced": True,
        "edits": sorted(edits, key=lambda edit: str(edit["path"])),
        "reload": reload,
        "restarts": list(dict.fromkeys(restarts)),
        "restarts_owed": list(dict.fromkeys(owed)),
        "other_changes": [other for number, other in enumerate(others) if other not in others[:number]],
        "reasons": reasons,
        "error": None,
    }


def _is_turned(found: Mapping[str, Any], files: Sequence[Mapping[str, Any]], wanted: str) -> bool:
    """Whether CloudBees' own checkbox takes a restart: a JVM runs, and has it as it was before an edit."""
    is_seen = found["running"] != "unknown" or found.get("processes")  # of one that is not, no start is known either
    if found["running"] == "not_running" or not is_seen or wanted not in rules.KNOWN:
        return False
    edited = [edit["path"] for edit in files if edit.get("toggle")]
    after = {
        name: {**place, "collected": wanted == "enabled", "pending": True, "ours": True}
        if place.get("file") in edited
        else place
        for name, place in (found.get("toggle") or {}).items()
    }
    return any(rules.RESTART in one.debts for one in rules.of_toggle({**found, "toggle": after}, wanted))


# -- holding a host to a plan -----------------------------------------------------------------------


def read_entry(path: Path, host: str) -> dict[str, Any]:
    """The entry of a host in a plan file. Raises :class:`PlanError`."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PlanError(f"the plan {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise PlanError(f"the plan {path} is no JSON: {error}") from error
    hosts = document.get("hosts") if isinstance(document, dict) and document.get("schema") == PLAN_SCHEMA else None
    if not isinstance(hosts, list):
        raise PlanError(f"{path} is no plan ({PLAN_SCHEMA})")
    for entry in hosts:
        if isinstance(entry, dict) and entry.get("host") == host:
            return entry
    raise PlanError(f"the host is not in the plan {path}")


def differences(planned: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What enforce would do to a host beyond its plan, or otherwise; what is done already is no difference.

    Raises :class:`PlanError` where the planned entry is no entry.
    """
    try:
        return _differences(planned, now)
    except (KeyError, TypeError) as error:
        raise PlanError(f"its entry in the plan is damaged ({error!r})") from error


def _differences(planned: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    if planned["error"]:
        return [f"it could not be planned: {planned['error']}"]
    if now["error"]:
        return [f"what would be done now is not known: {now['error']}"]
    if planned["desired"] != now["desired"]:
        return [f"telemetry_desired is {now['desired']}, planned was {planned['desired']}"]
    found = []
    edits = {edit["path"]: edit for edit in planned["edits"]}
    for edit in now["edits"]:
        path, was = edit["path"], edits.get(edit["path"])
        if was is None:
            found.append(f"{path}: an edit is needed that was not planned ({edit['summary']})")
        elif was["before"] != edit["before"]:
            found.append(
                f"{path}: it was changed since the plan was made (sha256 before: "
                f"{_short(was['before'])} in the plan, {_short(edit['before'])} now)"
            )
        elif was["after"] != edit["after"]:
            found.append(
                f"{path}: another content would be written (sha256 after: {_short(was['after'])} in the plan, "
                f"{_short(edit['after'])} now)"
            )
    found += [
        f"a restart of {service} is needed that was not planned"
        for service in now["restarts"]
        if service not in planned["restarts"]
    ]
    brought = [(other["service"], other["what"]) for other in planned.get("other_changes", [])]
    found += [
        f"a restart of {other['service']} would start something else that was not planned: {other['what']}"
        for other in now["other_changes"]
        if other["kind"] in KINDS
        and other["service"] in now["restarts"]
        and (other["service"], other["what"]) not in brought
    ]
    if now["reload"] and not planned["reload"]:
        found.append("a daemon-reload is needed that was not planned")
    return found


def _short(checksum: str | None) -> str:
    return "no file" if checksum is None else checksum[:12]


# -- the whole fleet --------------------------------------------------------------------------------


def serial_of(loader: Any, template: Callable[[Any], Any]) -> Any:
    """What makes the batches: a play's ``serial`` sees extra variables and none of the inventory."""
    extra = load_extra_vars(loader)
    return template(extra[SERIAL]) if SERIAL in extra else list(DEFAULT_SERIAL)


def batches(count: int, serial: Any) -> list[int]:
    """The number (from 1) of the batch of each of ``count`` hosts, by the rules of Ansible's keyword ``serial``.

    A number, a percentage of all hosts, or a list of those of which the last goes on; 0 or less is all that are left.
    Raises ValueError for anything else.
    """
    sizes = list(serial) if isinstance(serial, (list, tuple)) else [serial]
    numbers: list[int] = []
    while len(numbers) < count:
        number = numbers[-1] + 1 if numbers else 1
        size = _size(sizes[min(number, len(sizes)) - 1], count) if sizes else 0
        left = count - len(numbers)
        numbers += [number] * (min(size, left) if size > 0 else left)
    return numbers


def _size(value: Any, count: int) -> int:
    try:
        text = str(value)
        return int(int(text[:-1]) / 100.0 * count) or 1 if text.endswith("%") else int(text)
    except ValueError as error:
        raise ValueError(f"telemetry_restart_serial: {value!r} is no number and no percentage") from error


def document_of(entries: Sequence[Mapping[str, Any]], serial: Any) -> dict[str, Any]:
    """The plan of a fleet, its hosts in the order in which they are restarted. Nothing in it tells the time."""
    numbers = batches(len(entries), serial)
    return {
        "schema": PLAN_SCHEMA,
        "serial": list(serial) if isinstance(serial, (list, tuple)) else [serial],
        "hosts": [{**entry, "batch": number} for entry, number in zip(entries, numbers, strict=True)],
    }


def is_idle(entry: Mapping[str, Any]) -> bool:
    """True where enforce would do nothing."""
    return not (entry["edits"] or entry["reload"] or entry["restarts"] or entry["error"])


def totals(document: Mapping[str, Any]) -> str:
    """How much the plan would do, in one line."""
    hosts = document["hosts"]
    edits, restarts = (sum(len(entry[key]) for entry in hosts) for key in ("edits", "restarts"))
    idle_hosts, failed = sum(map(is_idle, hosts)), sum(bool(entry["error"]) for entry in hosts)
    return (
        f"{len(hosts)} hosts: {edits} edits, {restarts} restarts; nothing to do on {idle_hosts}, "
        f"cannot be planned: {failed}"
    )


def words(document: Mapping[str, Any]) -> str:
    """The plan for a terminal: a line for each host on which something is wrong, or to be done."""
    lines = [totals(document)]
    for entry in sorted(_shown(document), key=lambda entry: not entry["error"]):
        edits = "; ".join(f"{edit['path']}: {edit['summary']}" for edit in entry["edits"]) or "no edit"
        said = [
            edits,
            *(["daemon-reload"] if entry["reload"] else []),
            *([f"restart {', '.join(entry['restarts'])}"] if entry["restarts"] else []),
            *_note(entry),
        ]
        lines.append(
            visible(
                f"  batch {entry['batch']}, {entry['host']}, telemetry {entry['desired'] or 'unknown'}: "
                f"{'; '.join(said)}"
            )
        )
    return "\n".join(lines)


def markdown(document: Mapping[str, Any]) -> str:
    """The plan as a comment of a pull request: one line for each host on which something is to be done or is wrong."""
    lines = ["## Telemetry plan", "", totals(document)]
    rows = _shown(document)
    if rows:
        lines += [
            "",
            "| batch | host | telemetry | edits | daemon-reload | restarts | note |",
            "|---|---|---|---|---|---|---|",
        ]
    for entry in rows:
        edits = "<br>".join(
            f"{markdown_cell(edit['path'])}: {markdown_cell(edit['summary'])}" for edit in entry["edits"]
        )
        lines.append(
            f"| {entry['batch']} | {markdown_cell(entry['host'])} | {entry['desired'] or 'unknown'} | "
            f"{edits or '-'} | {'yes' if entry['reload'] else '-'} | "
            f"{markdown_cell(', '.join(entry['restarts']))} | {markdown_cell('; '.join(_note(entry)))} |"
        )
    return "\n".join(lines) + "\n"


def _shown(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [entry for entry in document["hosts"] if not is_idle(entry) or entry["restarts_owed"]]


def _note(entry: Mapping[str, Any]) -> list[str]:
    if entry["error"]:
        return [f"cannot be planned: {entry['error']}"]
    owed = [f"a restart is owed: {', '.join(entry['restarts_owed'])}"] if entry["restarts_owed"] else []
    return owed + [change_words(other) for other in entry.get("other_changes", [])]

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands between an audit and a host: how it is reached, what is missing, and the lines for its host_vars.

Pure functions. Private to this collection. Runs on the control node.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.cbops.telemetry.plugins.plugin_utils._failures import kind_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils._showing import first
from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible

DOCTOR_SCHEMA = "cbops.telemetry/doctor/1"
#: Characters of what starts the JVMs that are in the table; below it is whole.
_WIDEST = 60
COLUMNS = ("host", "reached", "root", "python", "starts", "missing")

#: What can be written into host_vars against a failure (see _failures); words in capitals are for a person to fill in.
LINES: dict[str, tuple[str, ...]] = {
    "name": ("ansible_host: ADDRESS",),
    "no_route": ("ansible_host: ADDRESS",),
    "timeout": ("ansible_host: ADDRESS",),
    "refused": ("ansible_port: PORT",),
    "banner": ("ansible_port: PORT",),
    "way": ("ansible_ssh_common_args: -o ProxyJump=USER@JUMP_HOST",),
    "login": ("ansible_user: USER", "ansible_ssh_private_key_file: PATH_OF_THE_KEY"),
    "account": ("ansible_user: USER",),
    "sudo_password": ('ansible_become_password: "{{ vault_become_password }}"',),
    "sudo_wrong_password": ('ansible_become_password: "{{ vault_become_password }}"',),
    "sudo_not_allowed": ("ansible_user: USER",),
    "sudo_user": ("ansible_become_user: root",),
    "no_sudo": ("ansible_user: root", "ansible_become: false"),
    "sudo_tty": ("telemetry_carrier: auto",),
    "no_python": ("ansible_python_interpreter: PATH_OF_PYTHON_3",),
    "python_old": ("ansible_python_interpreter: PATH_OF_PYTHON_3",),
    "python_broken": ("ansible_python_interpreter: PATH_OF_PYTHON_3",),
}
_NO_POLICY = "telemetry_desired is not set"
_SCRIPT = "telemetry_launch_scripts"


def entry_of(
    host: str, reached: Mapping[str, Any], answer: Mapping[str, Any], policy_problem: str | None, python: str | None
) -> dict[str, Any]:
    """What was found out about a host.

    ``reached`` has ``by``, ``address``, ``port``, ``user``, ``become`` and ``become_user``; ``answer`` is what
    telemetry_info returned, or a failure; ``python`` is the one that answered.
    """
    missing: list[str] = []
    lines: list[str] = []
    state = answer.get("state")
    root = None
    if isinstance(state, Mapping):
        root = state["host"]["effective_user"] == 0
        if not root:
            missing.append("it is not looked at as root: launch files and JVMs of others cannot be read")
            lines.append("ansible_become: true")
        for about, advice in map(_about, state["installations"]):
            missing += about
            lines += advice
        if not state["installations"]:
            missing.append("no operations center or controller was found")
    else:
        problem = str(answer.get("msg") or "it gave no answer")
        missing.append(problem)
        lines += LINES.get(kind_of(problem) or "", ())
    if policy_problem:
        missing.append(f"its policy is not valid: {policy_problem}")
        if policy_problem.startswith(_NO_POLICY):
            lines.append("telemetry_desired: disabled")
    return {
        "host": host,
        "reached": {**reached, "ok": isinstance(state, Mapping)},
        "root": root,
        "python": python,
        "installations": [_installation(entry) for entry in (state or {}).get("installations", [])],
        "missing": missing,
        "host_vars": list(dict.fromkeys(lines)),
    }


def broken(host: str, problem: str) -> dict[str, Any]:
    """The entry of a host that could not even be asked."""
    reached = dict.fromkeys(("by", "address", "port", "user", "become", "become_user"))
    return entry_of(host, reached, {"failed": True, "msg": problem}, None, None)


def _installation(entry: Mapping[str, Any]) -> dict[str, Any]:
    launch = entry.get("launch") or {}
    return {
        "name": entry["name"],
        "product": entry["product"],
        "packaging": entry["packaging"],
        "service": entry["service"],
        "started_by": entry.get("started_by"),
        "launch_file": launch.get("file"),
        "variable": launch.get("variable"),
        "running": entry["running"],
    }


def _about(entry: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """What of an installation cannot be known, and what the inventory can say to it."""
    reasons = []
    for clock, unknown in (("on_disk", "unresolvable"), ("next_start", "unresolvable"), ("running", "unknown")):
        reason = entry[f"{clock}_detail"].get("reason")
        if entry[clock] == unknown and reason:
            reasons.append(f"{entry['name']}: {reason}")
    reasons = list(dict.fromkeys(reasons))
    # One that the host names itself may be another's: it is for a person to find.
    lines = [f"{_SCRIPT}: [PATH_OF_THE_SCRIPT_THAT_STARTS_IT]"] if any(_SCRIPT in reason for reason in reasons) else []
    return reasons, lines


def document_of(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The document of all hosts."""
    return {"schema": DOCTOR_SCHEMA, "hosts": list(entries)}


def words(document: Mapping[str, Any], most: int | None = None) -> str:
    """The document for a terminal: a table, then what is missing of each host and what can be written against it.

    Of more hosts than ``most`` it has those first of which most is missing, and as many lines of what that is.
    """
    entries = document["hosts"]
    shown = entries
    if most is not None and len(entries) > most:
        lacking = [entry for entry in entries if entry["missing"]]
        shown = sorted(lacking, key=lambda entry: -len(entry["missing"]))[:most]
    rows = [COLUMNS, *(_row(entry) for entry in shown)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    if len(shown) < len(entries):
        lines += ["", f"not in this table: {len(entries) - len(shown)} hosts (-v shows all)"]
    lines += first(_details(shown), most, "lines")
    well = sum(not entry["missing"] for entry in entries)
    return "\n".join([*lines, "", f"{len(entries)} hosts: {well} can be audited whole, {len(entries) - well} cannot"])


def _details(entries: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What is missing of each host."""
    for entry in entries:
        more = (
            [f"    starts {visible(starter(one))}" for one in entry["installations"]]
            if len(", ".join(map(starter, entry["installations"]))) > _WIDEST
            else []
        )
        if entry["missing"] or more:
            yield from (
                "",
                f"{visible(entry['host'])}:",
                *more,
                *(f"    - {visible(reason)}" for reason in entry["missing"]),
            )
        if entry["host_vars"]:
            yield from (f"    host_vars/{_file(entry['host'])}:", *(f"        {line}" for line in entry["host_vars"]))


def starter(entry: Mapping[str, Any]) -> str:
    """An installation and what starts it."""
    by = entry["service"] or entry["started_by"] or entry["launch_file"] or entry["packaging"]
    return f"{entry['name']} by {by}" if by != f"{entry['name']}.service" else str(by)


def _file(host: str) -> str:
    return f"{host}.yml" if re.fullmatch(r"[\w.@:-]+", host) else "HOST.yml"


def _row(entry: Mapping[str, Any]) -> tuple[str, ...]:
    reached = entry["reached"]
    where = reached["address"] or "-"
    if reached["user"]:
        where = f"{reached['user']}@{where}"
    if reached["port"]:
        where += f":{reached['port']}"
    root = {True: "yes", False: "no", None: "-"}[entry["root"]]
    if reached["become"]:
        root += f" ({reached['become']})"
    starts = ", ".join(map(starter, entry["installations"]))
    if len(starts) > _WIDEST:
        starts = f"{starts[:_WIDEST]}..."
    return tuple(
        visible(text)
        for text in (
            entry["host"],
            f"{reached['by'] or '-'} {where}{'' if reached['ok'] else ' (no)'}",
            root,
            entry["python"] or "-",
            starts or "-",
            str(len(entry["missing"]) or "-"),
        )
    )

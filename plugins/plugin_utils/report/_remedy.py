# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command that mends what a verdict complains of. Private to this collection; runs on the control node."""

from __future__ import annotations

import shlex
from typing import NamedTuple

from ansible_collections.cbops.telemetry.plugins.module_utils.rules import _findings as rules
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._verdicts import SETTLED, STALE
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._model import Host


class Step(NamedTuple):
    """One thing to do: what for, where ("control node" or "host"), and the command; empty where none would do."""

    words: str
    where: str
    command: str


def _playbook(name: str, host: Host, inventory: str, extra: str = "") -> str:
    return f"ansible-playbook cbops.telemetry.{name} -i {inventory} --limit {shlex.quote(host.host)}{extra}"


def _of_switches(host: Host, inventory: str) -> list[Step]:
    """What other properties owe: an edit and a restart, as the flag's."""
    owed = {(one.subject, debt) for one in host.findings if one.about == rules.SWITCHES for debt in one.debts}
    found = []
    if any(debt == rules.EDIT for _name, debt in owed):
        found.append(
            Step(
                "Put the properties where the policy wants them", "control node", _playbook("enforce", host, inventory)
            )
        )
    for entry in host.installations if owed else ():
        name, service = entry["name"], entry.get("service")
        if (name, rules.RELOAD) in owed:
            found.append(Step(f"Load the unit of {name} as it is on disk", "host", "systemctl daemon-reload"))
        if (name, rules.RESTART) in owed and service:
            command = f"systemctl restart {shlex.quote(service)}"
            now = _playbook("enforce", host, inventory, " -e telemetry_restart=now")
            found.append(Step(f"Restart {name} now, for its other properties", "control node", now))
            found.append(Step("Or restart it by hand", "host", command))
    return found


def _of_toggle(host: Host, inventory: str) -> list[Step]:
    """What CloudBees' own checkbox owes: an edit on the host where that lasts, a restart, else what a person does."""
    found: list[Step] = []
    toggles = [one for one in host.findings if one.about == rules.TOGGLE and one.level != rules.OK]
    if toggles:
        wanted = "clear" if host.policy.get("toggle") == "disabled" else "check"
        owing = {one.subject for one in toggles if rules.RESTART in one.debts}
        if any(one.verdict == "violation" for one in toggles):
            found.append(
                Step(
                    "Set the toggle in the file of the host that decides it, where that lasts",
                    "control node",
                    _playbook("enforce", host, inventory),
                )
            )
        for entry in host.installations if owing else ():
            if entry["name"] in owing and entry.get("service"):
                now = _playbook("enforce", host, inventory, " -e telemetry_restart=now")
                command = f"systemctl restart {shlex.quote(str(entry['service']))}"
                found.append(Step(f"Restart {entry['name']} now, for its toggle", "control node", now))
                found.append(Step("Or restart it by hand", "host", command))
        found.append(
            Step(
                f"Set unclassified.usageStatisticsCloudBees.usageStatisticsCollected in the bundle of "
                f"{', '.join(dict.fromkeys(one.subject for one in toggles))}; or, where it has none, {wanted} "
                '"Help make CloudBees … better by sending telemetry and metrics" in Manage Jenkins, System, Usage '
                "Statistics, and save",
                "control node",
                "",
            )
        )
    return found


def steps(host: Host, inventory: str) -> list[Step]:
    """What to do for a host, in this order. ``inventory`` is a word of a shell, quoted where it needs to be."""
    audit = Step("Look again", "control node", _playbook("audit", host, inventory))
    if host.verdict in SETTLED:
        return []
    if host.verdict == "unreachable":
        return [
            Step(
                "See why it does not answer",
                "control node",
                f"ansible {shlex.quote(host.host)} -i {inventory} -m ansible.builtin.ping -vvv",
            ),
            audit,
        ]
    if host.verdict == STALE:
        return [audit]  # what was owed then need not be owed now
    found: list[Step] = []
    if host.verdict == "waiver_expired":
        found.append(
            Step(
                "Renew telemetry_waiver in the inventory if the exception is to stay; else bring the policy about",
                "control node",
                "",
            )
        )
    desired = str(host.policy.get("desired"))
    for entry in host.installations if desired in rules.KNOWN else ():
        debts, service = rules.owed_by(entry, desired), entry.get("service")
        if rules.EDIT in debts:
            found.append(
                Step("Put the flag where the policy wants it", "control node", _playbook("enforce", host, inventory))
            )
        if rules.RELOAD in debts:
            found.append(Step(f"Load the unit of {entry['name']} as it is on disk", "host", "systemctl daemon-reload"))
        if rules.RESTART in debts:
            if entry["next_start"] in rules.KNOWN:
                found.append(
                    Step(
                        f"Restart {entry['name']} now",
                        "control node",
                        _playbook("enforce", host, inventory, " -e telemetry_restart=now"),
                    )
                )
            if service:
                found.append(
                    Step(
                        "Or restart it by hand"
                        if entry["next_start"] in rules.KNOWN
                        else f"Restart {entry['name']} by hand",
                        "host",
                        f"systemctl restart {shlex.quote(service)}",
                    )
                )
    found += _of_toggle(host, inventory)
    found += _of_switches(host, inventory)
    if rules.PROBE in rules.debts_of(host.findings):
        found.append(
            Step(
                "Once the network is as the policy wants it, probe again",
                "control node",
                _playbook("probe", host, inventory),
            )
        )
    return [*dict.fromkeys(found), audit]

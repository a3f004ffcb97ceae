# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges the evidence that is there as of another day, without asking a host and without writing anything."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from ansible.errors import AnsibleActionFail

from ansible_collections.cbops.telemetry.plugins.plugin_utils._showing import most_rows, named, show
from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._action import REPORTS_DIR, LocalAction
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._filing import refuse_facts
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._fleet import Fleet, template_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._evidence import missing, read, table
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._reading import host_of, path_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._run import now, reports_folder
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._age import MAX_AGE, max_age_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import (
    WAIVER_WARN_DAYS,
    PolicyError,
    rejudge,
    totals_of,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._documents import Evidence
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._verdicts import FAIL_ON, GATES
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._model import Host, by_age, falls_short
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._sources import read_evidence
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._validity import sound


class ActionModule(LocalAction):
    """Action behind M(cbops.telemetry.replay_evidence)."""

    FOR_ALL_HOSTS = True
    ARGUMENTS = {
        "reports_dir": REPORTS_DIR,
        "as_of": {"type": "str", "required": True},
        "waiver_warn_days": {"type": "int", "default": WAIVER_WARN_DAYS},
        "max_age": {"type": "str", "default": MAX_AGE},
        "fail_on": {"type": "list", "elements": "str", "choices": list(GATES), "default": list(FAIL_ON)},
        "hosts": {"type": "list", "elements": "str", "default": []},
    }

    def checked(self) -> dict[str, Any]:
        """The options, of which those that were left out are taken of the hosts that are named. Raises AnsibleError."""
        arguments = super().checked()
        names = {f"telemetry_{one}": one for one in ("max_age", "fail_on") if self._task.args.get(one) is None}
        if not names or not arguments["hosts"]:
            return arguments
        fleet, hostvars = Fleet(names), self._variables["hostvars"]
        for number, host in enumerate(arguments["hosts"]):
            variables = hostvars.raw_get(host)
            if number == 0:
                refuse_facts(variables)  # as by the report, which is made in its name
            fleet.take(host, variables, template_of(self._loader, variables, hostvars))
        if problem := fleet.problem():
            raise AnsibleActionFail(problem)
        found = {option: fleet.value(name) for name, option in names.items()}
        self._task.args.update({option: value for option, value in found.items() if value is not None})
        return super().checked()

    def act(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Read, judge, show."""
        day = _day(arguments["as_of"])
        folder = reports_folder(arguments["reports_dir"]) / "evidence"
        try:
            limit = max_age_of(arguments["max_age"])
        except ValueError as error:
            raise AnsibleActionFail(f"max_age (telemetry_max_age): {error}") from error
        judged = [_replayed(path, day, arguments["waiver_warn_days"]) for path in sorted(folder.glob("*.json"))]
        if not judged:
            raise AnsibleActionFail(f"{folder} holds no evidence")
        found, later = _aged(folder, judged, day, limit)
        evidence = [host.document for host in found]
        # What hosts and files are called must not steer a terminal.
        show("\n".join(map(visible, f"\nas of {day}:\n\n{table(evidence, most=most_rows())}\n".split("\n"))))
        if later:
            said = f"note: of {len(later)} hosts the evidence is from after that day, so it has no age on it: "
            show(visible(said + named(later)))
        bad = [host.host for host in found if falls_short(host, arguments["fail_on"])]
        result: dict[str, Any] = {
            "changed": False,
            "totals": totals_of(item["verdict"] for item in evidence),
            "verdicts": {item["host"]: item["verdict"] for item in evidence},
        }
        if bad:
            result.update(
                failed=True,
                msg=f"on {day} policy is not met, or not proven, on {len(bad)} of "
                f"{len(evidence)} hosts: {visible(named(bad))}",
            )
        return result


def _replayed(path: Path, day: datetime.date, waiver_warn_days: int) -> Evidence:
    """The evidence of a host as of another day; unknown where the file is damaged, which says nothing of the others."""
    document = read(path)
    host = str(document.get("host")) if document else ""
    if path_of(path.parent, host) != path:
        host = host_of(path.name)  # it is another's, or damaged
    if document is None or not sound(document, host):
        return missing(host, f"its evidence file {path} is damaged or of another schema")
    try:
        judged = rejudge(document, day, waiver_warn_days)
    except (PolicyError, KeyError, TypeError, AttributeError, ValueError) as error:
        return missing(host, f"its evidence file {path} cannot be judged: {error}")
    found = {**document, "verdict": judged.verdict, "reasons": judged.reasons, "warnings": judged.warnings}
    return cast(Evidence, found)


def _aged(
    folder: Path, judged: Sequence[Evidence], day: datetime.date, limit: float | None
) -> tuple[list[Host], list[str]]:
    """The hosts with the verdicts that the age of their evidence leaves them at the end of a day, or now where that is
    the day; and those whose evidence is from after it.
    """
    present = now()
    at = min(present, f"{day}T23:59:59.999999Z") if str(day) == present[:10] else f"{day}T23:59:59.999999Z"
    hosts, later = [], []
    for judged_host, filed in zip(
        judged, read_evidence([folder], [one["host"] for one in judged], None).hosts, strict=True
    ):
        host = replace(filed, document=judged_host)
        if judged_host["policy"] is None and filed.collected_at is None:
            hosts.append(host)  # of a damaged file nothing is known anyway
        elif filed.collected_at and at < filed.collected_at <= present:
            later.append(host.host)
            # Of its age on that day there is nothing to say; its file must be the one that was filed all the same.
            hosts.append(by_age(host, filed.collected_at, limit))
        else:
            hosts.append(by_age(host, at, limit))
    return hosts, later


def _day(text: str) -> datetime.date:
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return datetime.date.fromisoformat(text)
    except ValueError:
        pass
    raise AnsibleActionFail(f"as_of is {text!r}; it must be a day such as 2027-01-01")

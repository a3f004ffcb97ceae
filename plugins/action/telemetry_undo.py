# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Undoes a run on a host: puts back what it edited there where nobody has changed it since, and looks what that gives.

What the run edited the host's own backups tell; the record on the control node tells where one of them is missing.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError

from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._action import ATTACH, LAUNCH_SCRIPTS
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._carrier import Carrier, display, one_line, ready
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._filing import reports_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._changes import (
    attempt,
    edited_in,
    refusal,
    undone_of,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._evidence import said
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._run import RUN_ID
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart._plan import is_unit
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart.starters._systemd import RELOAD

_RUN = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")


def states_of(state: Mapping[str, Any]) -> list[str]:
    """What the next start gives where a running JVM has something else: a restart mends that."""
    known = ("disabled", "enabled")
    return sorted(
        {
            entry["next_start"]
            for entry in state["installations"]
            if entry["service"]
            and entry["on_disk"] == entry["next_start"]
            and entry["next_start"] in known
            and entry["running"] in (*known, "mixed")
            and entry["running"] != entry["next_start"]
        }
    )


def untold(state: Mapping[str, Any], undone: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is said of a checkbox that was put back where a JVM may run: nothing is restarted for that."""
    paths = {one["path"] for one in undone if one["changed"]}
    return [
        f"{entry['name']}: CloudBees' toggle is as it was in {place['file']}, and an undo restarts nothing for it: a "
        "JVM that has read the other value has it until it is started anew"
        for entry in state["installations"]
        for place in (entry.get("toggle") or {}).values()
        if place.get("file") in paths and entry["running"] != "not_running"
    ]


def missing(edited: Sequence[str], undone: Sequence[Mapping[str, Any]], run: str) -> list[str]:
    """What is said of files that the run edited by its record, and of which the host has no backup by it."""
    known = {one["path"] for one in undone}
    return [
        f"{path}: run {run} edited it by its record, and this host keeps no backup by that run (telemetry_backup "
        "was false, or it is too old: telemetry_backup_days)"
        for path in edited
        if path not in known
    ]


ready("telemetry_flag")


class ActionModule(Carrier):
    """Action behind M(cbops.telemetry.telemetry_undo)."""

    ARGUMENTS = {
        "run": {"type": "str", "required": True},
        "launch_scripts": LAUNCH_SCRIPTS,
        "daemon_reload": {"type": "bool", "default": True},
        "attach": ATTACH,
    }

    def act(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Put back, reload, survey."""
        run = arguments["run"]
        if not _RUN.fullmatch(run):
            raise AnsibleActionFail(
                "run: the run that is to be undone is needed, such as 20261231T235959Z-0123abcd; "
                "the report, and the names of the files in changes/ beside the evidence, tell it"
            )
        if run == RUN_ID:
            raise AnsibleActionFail("run: this run cannot undo itself")
        recorded = self._recorded(run, variables)
        try:
            answer = self.in_time(
                lambda: self._as_module(
                    "cbops.telemetry.telemetry_backup", {"run": RUN_ID, "of_run": run, "undo": True}, variables
                ),
                variables,
            )
        except AnsibleError as error:
            self.record([attempt(one_line(str(error)), what="undo")], variables, run)
            raise
        if answer.get("failed") or "undone" not in answer:
            self.record([attempt(said(answer), what="undo")], variables, run)
            return {"failed": True, "msg": f"run {run} could not be undone: {said(answer)}"}
        undone = answer["undone"]
        refused = [one["reason"] for one in undone if one["reason"]] + missing(recorded or [], undone, run)
        self.record([*undone_of(undone), *(refusal("undo", reason) for reason in refused)], variables, run)
        result: dict[str, Any] = {
            "changed": answer["changed"],
            "files": undone,
            "refused": refused,
            "diff": answer.get("diff", []),
            "restart_states": [],
        }
        if not undone and recorded is None:
            return {
                **result,
                "failed": True,
                "msg": f"nothing is known of run {run}: there is no record of it beside "
                "the evidence (changes/), and this host keeps no backup by it",
            }
        problems = list(refused)
        after = self._survey(arguments, variables)
        # By what is owed, not by what was put back now: an undo before this one may have been killed before the reload.
        units = [one["path"] for one in undone if (one["changed"] or not one["reason"]) and is_unit(one["path"])]
        owed = any(entry["daemon_reload_owed"] for entry in (after.get("state") or {}).get("installations", []))
        if units and owed and arguments["daemon_reload"] and not self._task.check_mode:
            reloaded = self.by_module(*RELOAD, variables)
            problems += (
                [f"the service manager did not read the units again: {said(reloaded)}"]
                if reloaded.get("failed")
                else []
            )
            result["changed"] = True
            after = self._survey(arguments, variables)
        if after.get("failed") or "state" not in after:
            problems.append(f"its state afterwards could not be read: {said(after)}")
        else:
            result.update(state=after["state"], restart_states=states_of(after["state"]))
            is_told = bool(self._task.check_mode or result["restart_states"])
            for note in [] if is_told else untold(after["state"], undone):
                display.warning(f"{variables.get('inventory_hostname')}: {one_line(note)[:500]}")
        if problems:
            result.update(failed=True, msg=f"run {run} is not undone as a whole: {'; '.join(problems)}")
        return result

    def _survey(self, arguments: Mapping[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        return self.ask(
            "cbops.telemetry.telemetry_info",
            {"launch_scripts": arguments["launch_scripts"], "attach": arguments["attach"]},
            variables,
        )

    def _recorded(self, run: str, variables: Mapping[str, Any]) -> list[str] | None:
        """The files that the run edited on this host by its record on the control node; None where there is none."""
        reports = reports_of(variables, self._templar.template)
        with contextlib.suppress(OSError):
            return edited_in(reports, run, variables["inventory_hostname"]) if reports is not None else None
        return None

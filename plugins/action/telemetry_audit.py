# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit of a host in one task: asks it (one round trip), judges its answer, files the evidence."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure

from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._action import REPORTS_DIR
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._carrier import Carrier, ready
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._filing import (
    among_facts,
    circumstances_of,
    file_answer,
    question,
    settings_of,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._run import reports_folder
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import PolicyError

ready("telemetry_info")


class ActionModule(Carrier):
    """Action behind M(cbops.telemetry.telemetry_audit)."""

    ARGUMENTS = {"reports_dir": REPORTS_DIR}

    def act(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Ask, judge, file."""
        names = settings_of(variables, self._templar.template)
        if "telemetry_reports_dir" in among_facts(variables)[1]:
            raise AnsibleActionFail("telemetry_reports_dir is set by facts of the host itself; nothing is filed")
        answer = self._answer(names, variables)
        reports = reports_folder(arguments["reports_dir"] or names.get("telemetry_reports_dir"))
        try:
            result = file_answer(variables["inventory_hostname"], names, answer, reports, circumstances_of(variables))
        except OSError as error:
            raise AnsibleActionFail(f"the evidence cannot be written: {error}") from error
        if self._display.verbosity:
            result["answer"] = answer
        return result

    def _answer(self, names: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """What the host said; that it could not be asked is an answer too."""
        try:
            return self.ask("cbops.telemetry.telemetry_info", question(names), variables)
        except PolicyError as error:
            return {"failed": True, "msg": f"it was not asked: its policy is not valid: {error}"}
        except AnsibleConnectionFailure as error:
            return {"unreachable": True, "msg": str(error)}

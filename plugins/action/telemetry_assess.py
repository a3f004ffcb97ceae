# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Control node half of the audit: checks a host's policy, gives its verdict, files its evidence."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail

from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._action import REPORTS_DIR, LocalAction
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._carrier import registered
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._filing import (
    Circumstances,
    file_answer,
    settings_of,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._evidence import said
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._run import reports_folder, today
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import PolicyError, policy_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart._coordination import Budget


class ActionModule(LocalAction):
    """Action behind M(cbops.telemetry.telemetry_assess)."""

    ARGUMENTS = {
        "answer": {"type": "dict"},
        "reports_dir": REPORTS_DIR,
        "error": {"type": "str", "default": ""},
        "note": {"type": "str", "default": ""},
        "edited": {"type": "bool", "default": False},
    }

    def act(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Check the policy; with ``answer`` also judge and file the evidence."""
        host = variables["inventory_hostname"]
        names = settings_of(variables, self._templar.template)
        if arguments["answer"] is not None:
            circumstances = Circumstances(arguments["error"], arguments["note"], arguments["edited"])
            given = arguments["answer"]
            answer = (
                {"unreachable": True, "msg": said(given)}
                if given.get("unreachable")
                else registered("telemetry_info", given)
            )
            try:
                return file_answer(host, names, answer, reports_folder(arguments["reports_dir"]), circumstances)
            except OSError as error:
                raise AnsibleActionFail(f"the evidence cannot be written: {error}") from error
        try:
            policy = policy_of(names, today())
        except PolicyError as error:
            raise AnsibleActionFail(f"the policy of {host} is not valid: {error}") from error
        # A host that is not as its plan says is left alone in all of this run, by the restart too; and a run in
        # which too many restarts failed leaves the hosts that follow as they are.
        refused = bool(variables.get("__telemetry_refused"))
        limit = names.get("telemetry_max_failures", 0)
        stopped = Budget(int(limit)).exhausted() if policy.restart != "never" else None
        return {
            "changed": False,
            "policy": policy.document(),
            "switches": policy.edits().get("switches", []),
            "toggle": policy.toggle,
            "stopped": stopped,
            "enforced": policy.enforced(today()) and not refused and stopped is None,
        }

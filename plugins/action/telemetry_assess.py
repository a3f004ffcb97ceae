# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Control node half of the audit: checks a host's policy, gives its verdict, files its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.cbops.telemetry.plugins.plugin_utils._assessment import (
    Assessment,
    Policy,
    PolicyError,
    judge,
    policy_of,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils._budget import Budget
from ansible_collections.cbops.telemetry.plugins.plugin_utils._evidence import (
    document_of,
    file_evidence,
    said,
    settled,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils._run import today


def _state_of(answer: Mapping[str, Any]) -> dict[str, Any] | None:
    """The state document of an answer as evidence keeps it; None where the host gave none."""
    state = answer.get("state")
    return settled(state) if isinstance(state, Mapping) and not answer.get("unreachable") else None


def _error_of(arguments: Mapping[str, Any]) -> str | None:
    """Why there is no state; where there is one, what went wrong in this run."""
    if _state_of(arguments["answer"]) is None:
        return said(arguments["answer"])
    return arguments["error"] or None


class ActionModule(ActionBase):
    """Action behind M(cbops.telemetry.telemetry_assess)."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Check the policy; with ``answer`` also judge and file the evidence."""
        super().run(tmp, task_vars)
        variables = task_vars or {}
        _result, arguments = self.validate_argument_spec(argument_spec={
            "answer": {"type": "dict"},
            "reports_dir": {"type": "str", "default": "reports"},
            "error": {"type": "str", "default": ""},
            "note": {"type": "str", "default": ""},
            "edited": {"type": "bool", "default": False},
        })
        host = variables["inventory_hostname"]
        names = {name: self._templar.template(variables[name]) for name in variables
                 if str(name).startswith("telemetry_")}
        answer = arguments["answer"]
        try:
            policy = policy_of(names, today())
        except PolicyError as error:
            if answer is None:
                raise AnsibleActionFail(f"the policy of {host} is not valid: {error}") from error
            return self._file(host, None, Assessment("unknown", [f"its policy is not valid: {error}"]), arguments)
        if answer is None:
            # A host that is not as its plan says is left alone in all of this run, by the restart too; and a run in
            # which too many restarts failed leaves the hosts that follow as they are.
            refused = bool(variables.get("__telemetry_refused"))
            limit = names.get("telemetry_max_failures", 0)
            stopped = Budget(int(limit)).exhausted() if policy.restart != "never" else None
            return {"changed": False, "policy": policy.document(), "stopped": stopped,
                    "enforced": policy.enforced(today()) and not refused and stopped is None}
        state = _state_of(answer)
        verdict = judge(policy, state, _error_of(arguments), today(), not answer.get("unreachable"))
        if arguments["note"] and verdict.verdict in ("violation", "restart_pending"):
            verdict.reasons.append(arguments["note"])
        return self._file(host, policy, verdict, arguments)

    def _file(self, host: str, policy: Policy | None, verdict: Assessment, arguments: dict[str, Any]) -> dict[str, Any]:
        state = _state_of(arguments["answer"])
        document = document_of(host, policy, state, _error_of(arguments), verdict)
        measured = arguments["answer"]["state"].get("connectivity", []) if state is not None else []
        try:
            path, drift = file_evidence(Path(arguments["reports_dir"]), document, measured, arguments["edited"])
        except OSError as error:
            raise AnsibleActionFail(f"the evidence cannot be written: {error}") from error
        return {"changed": False, "verdict": verdict.verdict, "reasons": verdict.reasons,
                "drift": drift, "evidence": str(path)}

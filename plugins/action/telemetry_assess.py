# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Control node half of the audit: checks a host's policy, gives its verdict, files its evidence."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.cbops.telemetry.plugins.plugin_utils._assessment import (
    Assessment,
    Policy,
    PolicyError,
    assess,
    policy_of,
    with_waiver,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils._budget import Budget
from ansible_collections.cbops.telemetry.plugins.plugin_utils._evidence import (
    EVIDENCE_SCHEMA,
    now,
    path_of,
    said,
    write_json,
)


def verdict_of(answer: Mapping[str, Any], policy: Policy, today: datetime.date, error: str) -> Assessment:
    """The verdict from what the task that reads the state returned."""
    if policy.desired == "unmanaged" and not answer.get("unreachable"):
        return assess({}, policy, today)
    if answer.get("unreachable"):
        return Assessment("unreachable", [f"the host did not answer: {said(answer)}"])
    state = answer.get("state")
    if not isinstance(state, Mapping):
        return with_waiver(Assessment("unknown", [f"its state could not be read: {said(answer)}"]), policy, today)
    result = assess(state, policy, today)
    if error:
        # What this run broke (a service that did not come back) must not pass as compliant.
        verdict = "unknown" if result.verdict in ("compliant", "not_applicable") else result.verdict
        return Assessment(verdict, [f"it could not be enforced: {error}", *result.reasons])
    return result


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
        })
        host = variables["inventory_hostname"]
        names = {name: self._templar.template(variables[name]) for name in variables
                 if str(name).startswith("telemetry_")}
        try:
            policy = policy_of(names)
        except PolicyError as error:
            if arguments["answer"] is None:
                raise AnsibleActionFail(f"the policy of {host} is not valid: {error}") from error
            verdict = Assessment("unknown", [f"its policy is not valid: {error}"])
            return self._file(host, None, verdict, arguments)
        today = datetime.datetime.now(datetime.timezone.utc).date()
        if arguments["answer"] is None:
            # A host that is not as its plan says is left alone in all of this run, by the restart too; and a run in
            # which too many restarts failed leaves the hosts that follow as they are.
            refused = bool(variables.get("__telemetry_refused"))
            limit = names.get("telemetry_max_failures", 0)
            stopped = Budget(int(limit)).exhausted() if policy.restart != "never" else None
            return {"changed": False, "policy": policy.document(), "stopped": stopped,
                    "enforced": policy.enforced(today) and not refused and stopped is None}
        verdict = verdict_of(arguments["answer"], policy, today, arguments["error"])
        if arguments["note"] and verdict.verdict in ("violation", "restart_pending"):
            verdict.reasons.append(arguments["note"])
        return self._file(host, policy, verdict, arguments)

    def _file(self, host: str, policy: Policy | None, verdict: Assessment, arguments: dict[str, Any]) -> dict[str, Any]:
        answer = arguments["answer"]
        state = answer.get("state")
        document = {
            "schema": EVIDENCE_SCHEMA,
            "host": host,
            "collected_at": now(),
            "policy": policy.document() if policy is not None else None,
            "state": state if isinstance(state, Mapping) else None,
            "error": (arguments["error"] or None) if isinstance(state, Mapping) else said(answer),
            "verdict": verdict.verdict,
            "reasons": verdict.reasons,
        }
        path = path_of(Path(arguments["reports_dir"]) / "evidence", host)
        try:
            write_json(path, document)
        except OSError as error:
            raise AnsibleActionFail(f"the evidence cannot be written: {error}") from error
        return {"changed": False, "verdict": verdict.verdict, "reasons": verdict.reasons, "evidence": str(path)}

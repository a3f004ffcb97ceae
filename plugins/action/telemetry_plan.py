# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds out what enforce would do to a host, without doing it; with a plan, holds the host to it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.plugins.loader import lookup_loader

from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._action import ATTACH, LAUNCH_SCRIPTS
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._carrier import Carrier, ready
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._filing import settings_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._changes import refusal
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._evidence import said
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._run import today
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import PolicyError, policy_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._other_changes import KINDS
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart._plan import (
    PlanError,
    broken,
    differences,
    entry_of,
    idle,
    read_entry,
)

ready("telemetry_flag")


class ActionModule(Carrier):
    """Action behind M(cbops.telemetry.telemetry_plan)."""

    ARGUMENTS = {
        "launch_scripts": LAUNCH_SCRIPTS,
        "templates": {"type": "list", "elements": "dict", "default": []},
        "daemon_reload": {"type": "bool", "default": True},
        "attach": ATTACH,
        "restart_allow": {"type": "list", "elements": "str", "choices": list(KINDS), "default": []},
        "plan": {"type": "str"},
    }

    def act(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Make the entry of this host; with ``plan`` compare it with the one in that file."""
        if not arguments["plan"]:
            return {"changed": False, "entry": self._entry(arguments), "differences": []}
        host = self._variables["inventory_hostname"]
        entry: dict[str, Any] | None = None
        try:
            planned = read_entry(Path(arguments["plan"]), host)
            entry = self._entry(arguments)
            found = differences(planned, entry)
        except PlanError as error:
            found = [str(error)]
        except AnsibleError as error:
            # Nor may a host be "unreachable" here: the tasks after this one must not go on without the comparison.
            found = [f"what would be done now is not known: {error}"]
        result: dict[str, Any] = {"changed": False, "entry": entry, "differences": found}
        if found:
            result.update(
                failed=True,
                msg=f"it is not as planned, so it was left alone: {'; '.join(found)}; "
                "make a new plan and have it reviewed",
            )
            self.record([refusal("edit", result["msg"])], self._variables)
        return result

    def _entry(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        variables = self._variables
        host = variables["inventory_hostname"]
        names = settings_of(variables, self._templar.template)
        try:
            policy = policy_of(names, today())
        except PolicyError as error:
            return broken(host, f"its policy is not valid: {error}")
        if not policy.enforced(today()):
            return idle(host, policy, today())
        answer = self._foresee(
            "cbops.telemetry.telemetry_flag",
            **policy.edits(),
            launch_scripts=arguments["launch_scripts"],
            attach=arguments["attach"],
        )
        if answer.get("failed") or "files" not in answer:
            return broken(host, said(answer))
        return entry_of(
            host,
            policy,
            today(),
            answer,
            self._rendered(arguments["templates"]),
            arguments["daemon_reload"],
            arguments["restart_allow"],
        )

    def _foresee(self, name: str, /, **arguments: Any) -> dict[str, Any]:
        """Run a module in check mode, whatever mode the play is in."""
        answer: dict[str, Any]
        before = self._task.check_mode
        self._task.check_mode = True
        try:
            answer = (
                self.ask(name, arguments, self._variables)
                if name.startswith("cbops.")
                else self.in_time(
                    lambda: self._execute_module(module_name=name, module_args=arguments, task_vars=self._variables),
                    self._variables,
                )
            )
        finally:
            self._task.check_mode = before
        if answer.get("unreachable"):
            raise AnsibleConnectionFailure(said(answer))
        return answer

    def _rendered(self, templates: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The edits that rendering the user's own templates would make, in the order of the templates."""
        edits = []
        for item in templates:
            lookup = lookup_loader.get("ansible.builtin.template", loader=self._loader, templar=self._templar)
            try:
                text = lookup.run([self._find_needle("templates", item["src"])], variables=self._variables)[0]
            except AnsibleError as error:
                raise AnsibleActionFail(f"the template {item['src']} cannot be rendered: {error}") from error
            after = hashlib.sha256(text.encode()).hexdigest()
            answer = self._foresee(
                "ansible.builtin.stat",
                path=item["dest"],
                follow=True,
                checksum_algorithm="sha256",
                get_mime=False,
                get_attributes=False,
            )
            if answer.get("failed"):
                raise AnsibleActionFail(f"{item['dest']}: {said(answer)}")
            found = answer.get("stat")
            before = found.get("checksum") if isinstance(found, Mapping) else ""
            if before is not None and not re.fullmatch(r"[0-9a-f]{64}", str(before)):
                raise AnsibleActionFail(f"{item['dest']}: what the host said of it is no answer")
            if before != after:
                edits.append(
                    {"path": item["dest"], "before": before, "after": after, "summary": f"rendered from {item['src']}"}
                )
        return edits

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module of the same name as Ansible does; what the host answers passes the gate."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._carrier import Carrier
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._changes import roll_backs_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._run import RUN_ID


class ActionModule(Carrier):
    """Action behind M(cbops.telemetry.telemetry_backup)."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask the host."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        arguments = {"run": RUN_ID, **self._task.args}
        result.update(self.in_time(lambda: self._as_module(self._task.action, arguments, variables), variables))
        if result.get("changed") and boolean(self._task.args.get("restore", False), strict=False):
            self.record(roll_backs_of([(str(self._task.args["path"]), result.get("restored"))]), variables)
        return result

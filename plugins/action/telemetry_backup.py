# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module of the same name as Ansible does; what the host answers passes the gate."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.cbops.telemetry.plugins.modules.telemetry_backup import ARGUMENTS
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._carrier import CarriedModule
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._changes import roll_backs_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._run import RUN_ID


class ActionModule(CarriedModule):
    """Action behind M(cbops.telemetry.telemetry_backup)."""

    ARGUMENTS = ARGUMENTS

    def act(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Ask the host."""
        options = {"run": RUN_ID, **arguments}
        result = self.in_time(lambda: self._as_module(self._task.action, options, variables), variables)
        if result.get("changed") and boolean(arguments.get("restore", False), strict=False):
            self.record(roll_backs_of([(str(arguments["path"]), result.get("restored"))]), variables)
        return result

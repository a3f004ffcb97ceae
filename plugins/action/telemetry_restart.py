# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the services of a host that owe a restart; _restarting restarts them and makes sure that they come back."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail

from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart import _restarting as restarting


class ActionModule(restarting.Restarting):
    """Action behind M(cbops.telemetry.telemetry_restart)."""

    ARGUMENTS = {
        "state": {"type": "str", "choices": ["disabled", "enabled", "unmanaged"], "required": True},
        **restarting.ARGUMENTS,
    }

    def act(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Find who owes a restart; restart what may be restarted now; see it come back."""
        given, desired = arguments, arguments["state"]
        if given["when_idle"] and not given["url"] and not given["controllers"]:
            raise AnsibleActionFail(
                "a restart when idle asks the controller, so it needs its url (with several "
                "installations on a host: controllers)"
            )
        before = self._state()
        owed = [*self.owing(before, desired), *self.left_down(before, desired)]
        result = self.restart_services(owed, before, desired)
        if given["when_idle"] and not self._task.check_mode:
            self.start_builds_again(result)
        return result

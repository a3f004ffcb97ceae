# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets the service manager of a host read its units again, by Ansible's own module, of whose result little is kept."""

from __future__ import annotations

from typing import Any

from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._carrier import Carrier, plain


class ActionModule(Carrier):
    """Action behind M(cbops.telemetry.telemetry_reload)."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Reload."""
        super().run(tmp, task_vars)
        self.validate_argument_spec(argument_spec={})
        variables = task_vars or {}
        return plain(
            self.in_time(
                lambda: self._execute_module(
                    module_name="ansible.builtin.systemd_service",
                    module_args={"daemon_reload": True},
                    task_vars=variables,
                ),
                variables,
            )
        )

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks the waivers of all hosts at once, before the first host is touched."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.cbops.telemetry.plugins.plugin_utils._assessment import PolicyError, waiver_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils._run import today

NAMES = ("telemetry_waiver", "telemetry_waiver_max_days")


class ActionModule(ActionBase):
    """Action behind M(cbops.telemetry.fleet_waivers)."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Read two variables of each host, in one task for all of them."""
        super().run(tmp, task_vars)
        _result, arguments = self.validate_argument_spec(argument_spec={
            "hosts": {"type": "list", "elements": "str", "required": True},
        })
        hostvars = (task_vars or {})["hostvars"]
        waived, wrong = [], []
        for host in arguments["hosts"]:
            variables = hostvars[host]
            try:
                if waiver_of({name: variables[name] for name in NAMES if name in variables}, today()) is not None:
                    waived.append(host)
            except (PolicyError, AnsibleError) as error:
                wrong.append(f"{host}: {error}")
        result: dict[str, Any] = {"changed": False, "waived": waived}
        if wrong:
            result.update(failed=True, msg=f"no host was touched, because of {len(wrong)} waivers that are not valid: "
                                           f"{'; '.join(wrong[:20])}{' ...' if len(wrong) > 20 else ''}")
        return result

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks the waivers of all hosts at once, and that variables can be decrypted, before the first host is touched.

So that no host decides by its own how all of them are judged, it sees that what counts for the fleet is one value.
"""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleError

from ansible_collections.cbops.telemetry.plugins.plugin_utils._showing import cut, named
from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._action import HOSTS, LocalAction
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._fleet import Fleet, template_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._run import today
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import PolicyError, waiver_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._scope import encrypted_files, undecryptable

_PASSWORD = (
    "Give the vault's password by --vault-password-file PATH or --ask-vault-pass, or set vault_password_file "
    "in ansible.cfg"
)
NAMES = ("telemetry_waiver", "telemetry_waiver_max_days")


class ActionModule(LocalAction):
    """Action behind M(cbops.telemetry.fleet_waivers)."""

    ARGUMENTS = {"hosts": HOSTS, "fleet": {"type": "bool", "default": True}}

    def act(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Look at the variables of each host, in one task for all of them."""
        hostvars = variables["hostvars"]
        waived, wrong, locked = [], [], []
        fleet = Fleet()
        for host in arguments["hosts"]:
            try:
                variables = hostvars.raw_get(host)
            except AnsibleError as error:
                files = encrypted_files(self._task.get_variable_manager()._inventory._sources or [])
                if not files:
                    raise
                return {
                    "failed": True,
                    "msg": f"no host was touched: the variables of {host} cannot be read: {cut(str(error), 200)} "
                    f"Encrypted are {named(files)}. {_PASSWORD}",
                }
            locked += [f"{host}: {name}" for name in undecryptable(variables)]
            if arguments["fleet"]:
                fleet.take(host, variables, template_of(self._loader, variables, hostvars))
            if not any(name in variables for name in NAMES):
                continue
            variables = hostvars[host]  # templates, too
            try:
                if waiver_of({name: variables[name] for name in NAMES if name in variables}, today()) is not None:
                    waived.append(host)
            except (PolicyError, AnsibleError) as error:
                wrong.append(f"{host}: {error}")
        # What fails shows all of its result: no list of those on which nothing is wrong.
        if locked:
            return {
                "failed": True,
                "msg": f"no host was touched: encrypted variables cannot be read: {named(locked)}. {_PASSWORD}",
            }
        if wrong:
            return {
                "failed": True,
                "msg": f"no host was touched, because of {len(wrong)} waivers that are not valid: "
                f"{named(list(map(visible, wrong)), '; ')}",
            }
        problem = fleet.problem("no host was touched: ")
        if problem:
            return {"failed": True, "msg": problem}
        return {"changed": False, "waived": waived}

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks the waivers of all hosts at once, and that variables can be decrypted, before the first host is touched.

So that no host decides by its own how all of them are judged, it sees that what counts for the fleet is one value.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleError

from ansible_collections.cbops.telemetry.plugins.plugin_utils._showing import cut, named
from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._action import HOSTS, LocalAction
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._filing import among_facts
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._run import today
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._age import MAX_AGE, max_age_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import PolicyError, waiver_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._scope import encrypted_files, undecryptable
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._verdicts import FAIL_ON

_PASSWORD = (
    "Give the vault's password by --vault-password-file PATH or --ask-vault-pass, or set vault_password_file "
    "in ansible.cfg"
)
NAMES = ("telemetry_waiver", "telemetry_waiver_max_days")
#: What a report takes of its first host, and judges all of them by; with what counts where a host has none.
OF_THE_FLEET: Mapping[str, Any] = {
    "telemetry_max_age": MAX_AGE,
    "telemetry_fail_on": list(FAIL_ON),
    "telemetry_min_coverage": None,
    "telemetry_newer_than": None,
}


def _meant(name: str, value: Any) -> str:
    """A value as it is compared: what means the same is the same."""
    if name == "telemetry_max_age":
        with contextlib.suppress(ValueError):
            value = max_age_of(value)
    elif isinstance(value, str):
        value = value.split(",") if name == "telemetry_fail_on" else value.strip()
    if isinstance(value, list):
        value = sorted(str(one).strip() for one in value)
    return json.dumps(value, default=str, sort_keys=True)


class ActionModule(LocalAction):
    """Action behind M(cbops.telemetry.fleet_waivers)."""

    ARGUMENTS = {"hosts": HOSTS}

    def act(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Look at the variables of each host, in one task for all of them."""
        hostvars = variables["hostvars"]
        waived, wrong, locked = [], [], []
        fleets: dict[str, dict[str, tuple[str, Any]]] = {name: {} for name in OF_THE_FLEET}
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
            by_facts = among_facts(variables)[1]  # no policy; what is done for all by such a host refuses them
            for name, usual in OF_THE_FLEET.items():
                if name in by_facts:
                    continue
                value = variables.get(name, usual)
                if isinstance(value, str) and "{" in value:
                    value = hostvars[host].get(name)
                fleets[name].setdefault(_meant(name, value), (host, value if name in variables else None))
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
        several = [
            f"{name}: " + ", ".join(f"{'none' if value is None else value} ({host})" for host, value in found.values())
            for name, found in fleets.items()
            if len(found) > 1
        ]
        if several:
            return {
                "failed": True,
                "msg": "no host was touched: what counts for the whole fleet is not the same for all of its hosts: "
                f"{cut(visible('; '.join(several)), 400)}; set it once, in group_vars/all or with -e",
            }
        return {"changed": False, "waived": waived}

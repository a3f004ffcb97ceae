# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks the waivers of all hosts at once, and that variables can be decrypted, before the first host is touched.

So that no host decides by its own how all of them are judged, it sees that what counts for the fleet is one value; and
so that no host is edited of which nothing can be filed, that a report can be made and written.
"""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError

from ansible_collections.cbops.telemetry.plugins.plugin_utils._showing import cut, named
from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._action import HOSTS, REPORTS_DIR, LocalAction
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._beforehand import (
    OF_LEDGERS,
    REPORTING,
    not_as_it_must_be,
    not_writable,
    values_of,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._filing import among_facts
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._fleet import OF_THE_FLEET, Fleet, template_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._run import reports_folder, today
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import PolicyError, waiver_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._scope import encrypted_files, undecryptable

_PASSWORD = (
    "Give the vault's password by --vault-password-file PATH or --ask-vault-pass, or set vault_password_file "
    "in ansible.cfg"
)
NAMES = ("telemetry_waiver", "telemetry_waiver_max_days")
#: What must be one value for the fleet where no evidence is filed, by what is written.
TAKEN: dict[str, tuple[str, ...]] = {
    "report": tuple(name for name in OF_THE_FLEET if name != "telemetry_signing_key"),
    "ledger": ("telemetry_max_age", "telemetry_min_coverage", "telemetry_reports_dir"),
}


class ActionModule(LocalAction):
    """Action behind M(cbops.telemetry.fleet_waivers)."""

    ARGUMENTS = {
        "hosts": HOSTS,
        "fleet": {"type": "bool", "default": True},
        "files": {"type": "str", "choices": ["evidence", *TAKEN], "default": "evidence"},
        "reports_dir": REPORTS_DIR,
    }

    def act(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Look at the variables of each host, in one task for all of them."""
        mine, hostvars = variables, variables["hostvars"]
        waived, wrong, locked, elsewhere = [], [], [], []
        # As the playbooks say whom a play looks at: by its own variables (of whoever imports it), else localhost's.
        of_all = (self._task._parent._play.get_vars(), hostvars.raw_get("localhost"))
        is_said = any("telemetry_hosts" in values for values in of_all)
        fleet = Fleet(TAKEN.get(arguments["files"], tuple(OF_THE_FLEET)))
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
            other = not is_said and variables.get("telemetry_hosts", "all") != "all"
            if other and "telemetry_hosts" not in among_facts(variables)[1]:
                elsewhere.append(host)
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
        if elsewhere:
            return {
                "failed": True,
                "msg": "no host was touched: telemetry_hosts has no effect where it is set for "
                f"{visible(named(elsewhere))}: nothing says it for the whole fleet, so all hosts would be looked at; "
                "set it in group_vars/all, or with -e",
            }
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
        if problem is None and arguments["fleet"]:
            problem = self._unreportable(mine, arguments["reports_dir"], arguments["files"])
        if problem:
            return {"failed": True, "msg": problem}
        return {"changed": False, "waived": waived}

    def _unreportable(self, variables: dict[str, Any], reports_dir: str | None, files: str) -> str | None:
        """Why no report (ledger) could be made, or filed, in the end; None where it can be."""
        from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._formats import FORMATS

        is_ledger = files == "ledger"
        by_facts = among_facts(variables)[1]  # which are no policy: who reports refuses them
        try:
            names = [name for name in (OF_LEDGERS if is_ledger else REPORTING) if name not in by_facts]
            values = values_of(names, variables, self._templar.template)
            wrong = not_as_it_must_be(values, FORMATS)
            self.slice(values_of(["telemetry_slice"], variables, self._templar.template).get("telemetry_slice"))
        except AnsibleActionFail as error:
            wrong = str(error)
        except ValueError as error:
            wrong = cut(visible(str(error)), 400)
        if wrong:
            what = "no ledger could be made" if is_ledger else "no report could be made"
            return f"no host was touched, because {what}: {wrong}"
        folder = reports_folder(reports_dir)
        # Who files refuses a folder that facts name.
        where = None if "telemetry_reports_dir" in by_facts else not_writable(folder, files == "evidence")
        if where:
            return f"no host was touched, because the {files} cannot be written: {where}"
        is_signed = files == "evidence" or "intoto" in str(values.get("telemetry_report_formats"))  # a text, or a list
        if is_signed and (key := values.get("telemetry_signing_key")):
            from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._manifest import SignatureError, sign

            try:
                sign(b"", key)
            except SignatureError as error:
                what = "manifest" if files == "evidence" else "attestation"
                return f"no host was touched, because the {what} could not be signed: {visible(str(error))}"
        return None

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds out how a host is reached, as whom, with which Python, and what an audit would miss there. Never fails."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleError

from ansible_collections.cbops.telemetry.plugins.plugin_utils._failures import explained, words_of_ssh
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._carrier import FINDER, PYTHONS, Carrier
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._doctor import entry_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._filing import question, settings_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._run import today
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import PolicyError, policy_of

#: Without quotes, as what is carried.
_WHICH = "import sys;print(sys.executable,*sys.version_info[:3],sep=chr(32))"
_PYTHON = re.compile(r"^(/[\w./+-]{1,200}) (\d{1,3}) (\d{1,3}) (\d{1,3})$", re.MULTILINE)


class ActionModule(Carrier):
    """Action behind M(cbops.telemetry.telemetry_doctor)."""

    def act(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Ask as an audit would; what goes wrong is the result."""
        policy_problem: str | None = None
        settings: dict[str, Any] = {}
        try:
            settings = settings_of(variables, self._templar.template)
            policy_of(settings, today())
        except (PolicyError, AnsibleError) as error:
            policy_problem = str(error)
        try:
            options = question(settings)
        except PolicyError:
            options = {"attach": "never"}
        options.pop("connectivity", None)
        answer = self._answer(options, variables)
        entry = entry_of(
            variables["inventory_hostname"],
            self._reached(),
            answer,
            policy_problem,
            self._python(variables) if "state" in answer else None,
        )
        return {"changed": False, "entry": entry}

    def _answer(self, options: Mapping[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        try:
            return self.ask("cbops.telemetry.telemetry_info", options, variables)
        except AnsibleError as error:
            return {"failed": True, "msg": explained(words_of_ssh(str(error)))}

    def _python(self, variables: dict[str, Any]) -> str | None:
        """The Python that is taken there, with its version."""
        interpreter = self._interpreter(variables)
        line = (
            f"{interpreter} -I -S -c {shlex.quote(_WHICH)}"
            if interpreter
            else f"/bin/sh -c {shlex.quote(FINDER.format(pythons=' '.join(PYTHONS), flags='-I -S -c', boot=_WHICH))}"
        )
        said: dict[str, Any] = {}
        with contextlib.suppress(AnsibleError):
            said = self.in_time(lambda: self._low_level_execute_command(line), variables)
        found = _PYTHON.findall(str(said.get("stdout") or "").replace("\r", ""))
        return f"{found[-1][0]} {'.'.join(found[-1][1:])}" if found else None

    def _reached(self) -> dict[str, Any]:
        """How, as the connection and become have it."""

        def option(plugin: Any, *names: str) -> str | None:
            for name in names:
                with contextlib.suppress(Exception):  # another plugin has other options
                    value = plugin.get_option(name)
                    if value not in (None, ""):
                        return str(value)
            return None

        connection = self._connection
        become = connection.become
        return {
            "by": str(connection.transport),
            "address": option(connection, "host"),
            "port": option(connection, "port"),
            "user": option(connection, "remote_user"),
            "become": become.name.rpartition(".")[2] if become else None,
            "become_user": (option(become, "become_user") or "root") if become else None,
        }

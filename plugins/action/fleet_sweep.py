# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit of many hosts from one process; names the hosts that are left to the ordinary way, with the reasons."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.loader import become_loader, connection_loader
from ansible.template import Templar

from ansible_collections.cbops.telemetry.plugins.plugin_utils._showing import show
from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect import _sweep
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._action import HOSTS, REPORTS_DIR
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._carrier import CARRIERS, Carrier, Errand, command
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._deadline import not_orphaned
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._filing import (
    Circumstances,
    circumstances_of,
    file_answer,
    question,
    settings_of,
    templated,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._openssh import OpenSSH, Unserved
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._run import reports_folder
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import PolicyError
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._verdicts import BROKEN, in_camps

MODULE = "cbops.telemetry.telemetry_info"
SSH = ("ssh", "ansible.builtin.ssh", "smart")
SUDO = ("sudo", "ansible.builtin.sudo")
#: Variables that name the host itself; all other settings of a connection are mostly the same for many hosts.
NAMES = (
    "inventory_hostname",
    "ansible_host",
    "ansible_ssh_host",
    "delegated_vars['ansible_host']",
    "delegated_vars['ansible_ssh_host']",
)
#: Seconds between two words on how far it is.
PERIOD = 5.0


class ActionModule(Carrier):
    """Action behind M(cbops.telemetry.fleet_sweep)."""

    BYPASS_HOST_LOOP = True
    _requires_connection = False
    FOR_ALL_HOSTS = True
    ARGUMENTS = {
        "hosts": HOSTS,
        "reports_dir": REPORTS_DIR,
        "mode": {"type": "str", "choices": ["auto", "never"], "default": "auto"},
        "connections": {"type": "int", "default": 32},
        "limit": {"type": "float", "default": 60},
    }

    def act(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Ask all hosts that can be served here, and name the others."""
        if not 1 <= arguments["connections"] <= 1000:
            raise AnsibleActionFail("connections must be from 1 to 1000")
        if not 1 <= arguments["limit"] <= 3600:
            raise AnsibleActionFail("limit must be from 1 to 3600 seconds")
        hosts: list[str] = list(dict.fromkeys(arguments["hosts"]))
        reason = _sweep.MISSING if arguments["mode"] == "auto" else "telemetry_sweep is never"
        tally = Tally(len(hosts), reports_folder(arguments["reports_dir"]), self._display)
        if reason:
            tally.unserved = dict.fromkeys(hosts, reason)
        else:
            prepared = Preparation(self, hosts, tally)
            with not_orphaned():
                asyncio.run(
                    _sweep.sweep(
                        (prepared.of(host) for host in hosts),
                        arguments["connections"],
                        arguments["limit"],
                        prepared.file,
                    )
                )
        for text, count in Counter(tally.unserved.values()).items():
            self._display.v(f"fleet_sweep: {count} hosts are left to the ordinary way: {text}")
        return {
            "changed": False,
            "verdicts": dict(tally.verdicts),
            "served": tally.served,
            "unserved": tally.unserved,
            "hosts": tally.hosts,
        }


@dataclass(frozen=True)
class Known:
    """What is known of a host while its answer is waited for."""

    host: str
    settings: dict[str, Any]
    circumstances: Circumstances
    errand: Errand


class Tally:
    """What came of the hosts so far."""

    def __init__(self, total: int, reports: Path, display: Any) -> None:
        self.reports = reports
        self.unserved: dict[str, str] = {}
        self.verdicts: Counter[str] = Counter()
        self.hosts: dict[str, dict[str, Any]] = {}
        self._total, self._display = total, display
        self._began = self._told = time.monotonic()

    @property
    def served(self) -> int:
        """How many hosts have evidence."""
        return self.verdicts.total()

    def leave(self, host: str, reason: str) -> None:
        """A host is for the ordinary way."""
        self.unserved[host] = visible(reason)
        self._tell()

    def file(self, known: Known, answer: dict[str, Any]) -> None:
        """A host answered, or was found unreachable. Raises AnsibleActionFail."""

        def file(answer: dict[str, Any]) -> dict[str, Any]:
            return file_answer(known.host, known.settings, answer, self.reports, known.circumstances)

        try:
            try:
                filed = file(answer)
            except (TypeError, ValueError, LookupError, AttributeError) as error:
                # Whatever one host says, it must not end the audit of the others.
                filed = file({"failed": True, "msg": f"its answer could not be judged ({type(error).__name__})"})
        except OSError as error:
            raise AnsibleActionFail(f"the evidence cannot be written: {error}") from error
        self.verdicts[filed["verdict"]] += 1
        self.hosts[known.host] = {"verdict": filed["verdict"], "reasons": filed["reasons"]}
        self._tell()

    def _tell(self) -> None:
        moment, done = time.monotonic(), self.served + len(self.unserved)
        if moment - self._told < PERIOD or done >= self._total:
            return
        self._told = moment
        left = round((moment - self._began) / done * (self._total - done))
        violations = sum(self.verdicts[verdict] for verdict in in_camps(BROKEN))
        show(
            f"fleet_sweep: {done}/{self._total} hosts, {violations} violations so far, "
            f"about {left // 60}:{left % 60:02d} left"
        )


class Preparation:
    """From the variables of a host, as Ansible resolves them, to what is asked of it."""

    def __init__(self, action: ActionModule, hosts: list[str], tally: Tally) -> None:
        self._action, self._hosts, self._tally = action, hosts, tally
        self._task = action._task
        self._manager = self._task.get_variable_manager()
        self._ssh = OpenSSH()
        self._connection = connection_loader.get("ansible.builtin.ssh", action._play_context, os.devnull)
        self._logins: dict[str, tuple[tuple[str, ...], str | None]] = {}
        self._known: dict[str, Known] = {}
        self._names: dict[tuple[str, str], list[str]] = {}

    def of(self, host: str) -> Callable[[], Any]:
        """Makes the question of a host when its turn comes; None where there is nothing to ask."""

        def make() -> Any:
            try:
                return self._question(host)
            except Unserved as reason:
                self._tally.leave(host, str(reason))
            except AnsibleError as error:
                self._tally.leave(host, f"its variables cannot be resolved: {error}")
            return None

        return make

    def file(self, asked: Any, outcome: Any) -> None:
        """What came of a question."""
        known = self._known.pop(asked.host)
        if isinstance(outcome, Unserved):
            self._tally.leave(asked.host, str(outcome))
        elif isinstance(outcome, _sweep.Unreachable):
            self._tally.file(known, {"unreachable": True, "msg": str(outcome)})
        elif isinstance(outcome, _sweep.Late | _sweep.TooLarge):
            self._tally.file(known, {"failed": True, "msg": str(outcome)})
        elif outcome.status < 0 and not known.errand.answered(outcome.stdout):
            # The channel was closed under the program: whose doing that was, only ssh can tell.
            self._tally.leave(asked.host, "the connection ended in the middle")
        else:
            result = known.errand.result(outcome.status, outcome.stdout, outcome.stderr)
            if result is None:
                self._tally.leave(asked.host, "sudo there wants a terminal")
            else:
                self._tally.file(known, result)

    def _question(self, host: str) -> Any:
        variables = self._manager.get_vars(
            play=self._task.get_play(),
            host=self._manager._inventory.get_host(host),
            task=self._task,
            _hosts=self._hosts,
            _hosts_all=self._hosts,
        )
        templar = Templar(loader=self._action._loader, variables=variables)
        action = self._action
        action._templar = templar  # what the carrier templates is this host's
        plugin = templar.template(variables.get("ansible_connection")) or self._task.connection
        if plugin not in SSH:
            raise Unserved(f"its connection plugin is {plugin}")
        settings = settings_of(variables, templar.template)
        carrier = settings.get("telemetry_carrier", "auto")
        if carrier not in CARRIERS or carrier == "module":
            raise Unserved(f"telemetry_carrier is {carrier}")
        try:
            errand = Errand.of(MODULE, question(settings), False)
        except PolicyError:
            raise Unserved("its policy is not valid") from None
        if errand.problem:
            raise Unserved("its options are not valid")
        arguments, address, password = self._login(variables, templar)
        line = command(action._interpreter(variables), action._compute_environment_string())
        line, escalation = self._become(f"/bin/sh -c {shlex.quote(line)}", variables, templar)
        self._known[host] = Known(host, settings, circumstances_of(variables), errand)
        return _sweep.Question(
            host, lambda: self._ssh.login(arguments, address), password, line, errand.program, escalation
        )

    def _login(self, variables: dict[str, Any], templar: Any) -> tuple[tuple[str, ...], str, str | None]:
        """The arguments that Ansible gives ssh, the host's address, and a password."""
        options = self._options("connection", self._connection._load_name, variables, templar)
        address = str(
            next((options[name] for name in reversed(NAMES) if options.get(name)), variables["inventory_hostname"])
        )
        common = json.dumps(
            {name: value for name, value in options.items() if name not in NAMES}, default=str, sort_keys=True
        )
        if common not in self._logins:
            keys = self._task_keys()
            keys["timeout"] = self._action._play_context.timeout
            if self._action._play_context.password:
                keys["password"] = self._action._play_context.password
            self._connection.set_options(task_keys=keys, var_options=options)
            self._logins[common] = self._arguments()
        arguments, password = self._logins[common]
        return arguments, address, password

    def _arguments(self) -> tuple[tuple[str, ...], str | None]:
        """The arguments in the order of Ansible's plugin: of two that contradict each other ssh takes the first."""
        option = self._connection.get_option
        for name, what in (
            ("pkcs11_provider", "a PKCS#11 token"),
            ("private_key", "a key from a variable"),
            ("private_key_passphrase", "a key with a passphrase"),
        ):
            try:
                if option(name):
                    raise Unserved(f"it is logged in to with {what}")
            except KeyError:
                continue  # not in this version of Ansible
        password = option("password")
        words = [option("ssh_executable"), *shlex.split(option("ssh_args") or "")]
        if option("host_key_checking") is False:
            words += ["-o", "StrictHostKeyChecking=no"]
        if option("port") is not None:
            words += ["-o", f"Port={option('port')}"]
        if option("private_key_file"):
            words += ["-o", f'IdentityFile="{os.path.expanduser(option("private_key_file"))}"']
        if not password:
            words += [
                "-o",
                "KbdInteractiveAuthentication=no",
                "-o",
                "PasswordAuthentication=no",
                "-o",
                "PreferredAuthentications=gssapi-with-mic,gssapi-keyex,hostbased,publickey",
            ]
        if option("remote_user"):
            words += ["-o", f'User="{option("remote_user")}"']
        words += ["-o", f"ConnectTimeout={option('timeout')}"]
        for name in ("ssh_common_args", "ssh_extra_args"):
            words += shlex.split(option(name) or "")
        return tuple(str(word) for word in words), str(password) if password else None

    def _become(self, line: str, variables: dict[str, Any], templar: Any) -> tuple[str, Any]:
        """The command as become makes it, and what is to be waited for."""
        wanted = templar.template(variables.get("ansible_become"))
        if not (self._task.become if wanted is None else boolean(wanted)):
            return line, None
        method = templar.template(variables.get("ansible_become_method")) or self._task.become_method
        if method not in SUDO:
            raise Unserved(f"become is by {method}")
        plugin = become_loader.get("ansible.builtin.sudo")
        keys = self._task_keys()
        if self._action._play_context.become_pass:
            keys["become_pass"] = self._action._play_context.become_pass
        plugin.set_options(task_keys=keys, var_options=self._options("become", plugin._load_name, variables, templar))
        line = plugin.build_become_command(line, self._action._connection._shell)
        password = plugin.get_option("become_pass")
        return line, _sweep.Escalation(
            plugin.prompt.encode() if password else b"", str(password or ""), plugin.success.encode()
        )

    def _options(self, kind: str, name: str, variables: dict[str, Any], templar: Any) -> dict[str, Any]:
        """The variables that a plugin takes its options from, templated."""
        if (kind, name) not in self._names:
            self._names[kind, name] = C.config.get_plugin_vars(kind, name)
        return {key: templated(variables[key], templar.template) for key in self._names[kind, name] if key in variables}

    def _task_keys(self) -> dict[str, Any]:
        """The keywords of the task, from which plugins take options, too."""
        keys: dict[str, Any] = self._task.dump_attrs()
        for name in ("timeout", "retries"):  # the task's own, not the connection's
            keys.pop(name, None)
        return keys

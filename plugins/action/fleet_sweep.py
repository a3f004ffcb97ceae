# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many hosts from one process: audit, plan, enforce or probe them; names the hosts that are left."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shlex
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Protocol

from ansible import constants as C
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.loader import become_loader, connection_loader
from ansible.template import Templar

from ansible_collections.cbops.telemetry.plugins.plugin_utils._failures import explained, kind_of, of_kind
from ansible_collections.cbops.telemetry.plugins.plugin_utils._showing import Progress, most_rows, show
from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect import _sweep
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._action import HOSTS, REPORTS_DIR
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._carrier import (
    CARRIERS,
    Carrier,
    Errand,
    Known,
    command,
    wants_terminal,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._deadline import ENDED, not_orphaned
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._filing import (
    Circumstances,
    circumstances_of,
    file_answer,
    question,
    record_in,
    settings_of,
    templated,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._places import Place, reached
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._probing import Probing, shown
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._sweep import Unserved
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._ways import Ways
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._changes import attempt
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._run import reports_folder
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import PolicyError, host_limit
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._verdicts import BROKEN, in_camps
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._wished import wants_any

MODULE = "cbops.telemetry.telemetry_info"
SSH = ("ssh", "ansible.builtin.ssh", "smart")
LOCAL = ("local", "ansible.builtin.local")
SUDO = ("sudo", "ansible.builtin.sudo")
#: Variables that name the host itself; all other settings of a connection are mostly the same for many hosts.
NAMES = (
    "inventory_hostname",
    "ansible_host",
    "ansible_ssh_host",
    "delegated_vars['ansible_host']",
    "delegated_vars['ansible_ssh_host']",
)
#: Options of Ansible's plugin that say how ssh finds a host, and their variables, of which the first counts.
_OF_SSH = {
    "ssh_args": ("ansible_ssh_args",),
    "ssh_common_args": ("ansible_ssh_common_args",),
    "ssh_extra_args": ("ansible_ssh_extra_args",),
    "port": ("ansible_ssh_port", "ansible_port"),
    "remote_user": ("ansible_ssh_user", "ansible_user"),
}
_NO_PASSWORD = of_kind("sudo_password")
#: Failures of which Ansible's own plugin says more where there is a password.
_SAID_BETTER = frozenset({"login", "key_unknown"})
#: Edited files of a host that are named.
MOST_FILES = 20
#: Why there is no verdict yet of a host.
OTHER_NAME = "it has another name, under which it is acted on"
#: What an odd value in what a host says, or in its variables, may come to; not what is wrong here (OSError).
_ODD = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError)
#: Seconds between two looks whether it is time to say how far it is.
PERIOD = 0.5


class ActionModule(Carrier):
    """Action behind M(cbops.telemetry.fleet_sweep)."""

    BYPASS_HOST_LOOP = True
    _requires_connection = False
    FOR_ALL_HOSTS = True
    ARGUMENTS = {
        "hosts": HOSTS,
        "reports_dir": REPORTS_DIR,
        "ask": {"type": "str", "choices": ["audit", "plan", "enforce", "probe"], "default": "audit"},
        "mode": {"type": "str", "choices": ["auto", "never"], "default": "auto"},
        "connections": {"type": "int", "default": 32},
        "per_place": {"type": "int", "default": 8},
        "limit": {"type": "float", "default": 60},
    }

    def act(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Ask all hosts that can be served here, and name the others."""
        ask = arguments["ask"]
        if not 1 <= arguments["connections"] <= 1000:
            raise AnsibleActionFail("connections must be from 1 to 1000")
        if not 1 <= arguments["per_place"] <= 1000:
            raise AnsibleActionFail("per_place must be from 1 to 1000")
        if not 1 <= arguments["limit"] <= 3600:
            raise AnsibleActionFail("limit must be from 1 to 3600 seconds")
        hosts: list[str] = list(dict.fromkeys(arguments["hosts"]))
        tally = Tally(len(hosts), reports_folder(arguments["reports_dir"]))
        numbers = self._batches(len(hosts)) if ask == "enforce" else []
        if arguments["mode"] == "never":
            tally.unserved = dict.fromkeys(hosts, "telemetry_sweep is never")
        else:
            pool = _sweep.Pool(arguments["connections"], arguments["limit"], arguments["per_place"])
            with not_orphaned():
                _until_ended(self._swept(hosts, tally, pool, self._purpose(ask, tally, variables)))
        if tally.probes or tally.missed:
            show("\n".join(["", *shown(tally.probes, tally.missed, most_rows())]))
        for text, count in Counter(tally.unserved.values()).items():
            self._display.v(f"fleet_sweep: {count} hosts are left to the ordinary way: {text}")
        return {
            "changed": bool(tally.edited),
            "verdicts": dict(tally.verdicts),
            "served": tally.served,
            # In the order of the inventory, which is that of a canary and of batches.
            "unserved": {host: tally.unserved[host] for host in hosts if host in tally.unserved},
            "hosts": tally.hosts,
            **({"entries": tally.entries} if ask == "plan" else {}),
            **({"probes": tally.probes, "missed": tally.missed} if ask == "probe" else {}),
            **({"edited": tally.edited, "serial": _left(hosts, numbers, tally)} if ask == "enforce" else {}),
        }

    def _purpose(self, ask: str, tally: Tally, variables: dict[str, Any]) -> Purpose:
        """What hosts are asked for."""
        if ask == "audit":
            return Auditing(tally)
        if ask == "probe":
            return Probing(tally)
        from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart import _foresight as foresight

        if ask == "plan":
            return foresight.Planning(tally)
        return foresight.Enforcing(tally, bool(variables["ansible_check_mode"] or variables["ansible_diff_mode"]))

    def _batches(self, count: int) -> list[int]:
        """The batch of each host, as the restart play would have them. Before anything is edited: it may be wrong."""
        from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart import _plan as plan

        variables = self._task.get_variable_manager().get_vars(play=self._task.get_play())  # a play sees no host's
        try:
            serial = plan.serial_of(self._loader, Templar(loader=self._loader, variables=variables).template)
            return plan.batches(count, serial)
        except ValueError as error:
            raise AnsibleActionFail(str(error)) from error

    async def _swept(self, hosts: list[str], tally: Tally, pool: _sweep.Pool, purpose: Purpose) -> None:
        """Ask them, and tally what comes of it."""
        async with Ways() as ways:
            tally.may_be_early = purpose.acts
            prepared = Preparation(self, hosts, tally, ways, purpose)
            telling = asyncio.ensure_future(tally.tell())
            try:
                await pool.ask((prepared.of(host) for host in hosts), prepared.file)
            finally:
                telling.cancel()
                prepared.abandon()
        if purpose.acts:
            tally.look_again()


def _left(hosts: list[str], numbers: list[int], tally: Tally) -> list[int]:
    """How many of each batch are left."""
    left = Counter(number for host, number in zip(hosts, numbers, strict=True) if host in tally.unserved)
    return [left[number] for number in sorted(left)]


class Purpose(Protocol):
    """What hosts are asked, and what becomes of their answers."""

    #: Whether something is done to hosts because of it, here or by who comes after.
    acts: ClassVar[bool]
    #: Whether hosts are judged by their answers, for which their controllers may have to be asked too.
    judges: ClassVar[bool]

    def errand(self, host: str, settings: Mapping[str, Any], circumstances: Circumstances) -> Errand | None:
        """What a host is asked; None where nothing needs to be. Raises Unserved, PolicyError."""

    def answered(self, known: Known, answer: dict[str, Any]) -> Known | None:
        """A host answered, was found ``unreachable``, or was ``late``. The next question to it, if there is one."""


class Auditing:
    """For an audit."""

    acts: ClassVar[bool] = False
    judges: ClassVar[bool] = True

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def errand(self, host: str, settings: Mapping[str, Any], circumstances: Circumstances) -> Errand | None:
        """The question of an audit. Raises PolicyError."""
        return Errand.of(MODULE, question(settings), False)

    def answered(self, known: Known, answer: dict[str, Any]) -> Known | None:
        """File it."""
        self._tally.file(known, answer)
        return None


class Tally:
    """What came of the hosts so far."""

    def __init__(self, total: int, reports: Path) -> None:
        self.reports = reports
        self.unserved: dict[str, str] = {}
        self.verdicts: Counter[str] = Counter()
        self.hosts: dict[str, dict[str, Any]] = {}
        #: What a plan says of them.
        self.entries: dict[str, dict[str, Any]] = {}
        #: What each saw of the endpoint, and why others did not look.
        self.probes: dict[str, list[dict[str, str]]] = {}
        self.missed: dict[str, str] = {}
        #: The files that were edited.
        self.edited: dict[str, list[str]] = {}
        #: What each host has in common with its other names.
        self._machines: dict[str, Any] = {}
        #: By what hosts were judged, where that may have been too early; and whether it may.
        self._judged: dict[str, tuple[dict[str, Any], Circumstances]] = {}
        self.may_be_early = False
        #: Where each is connected to.
        self._places: dict[str, Place] = {}
        self._progress = Progress("fleet_sweep", total)

    @property
    def served(self) -> int:
        """How many hosts have evidence."""
        return self.verdicts.total()

    def leave(self, host: str, reason: str) -> None:
        """A host is for the ordinary way."""
        self.unserved[host] = visible(reason)

    def meet(self, host: str, answer: Mapping[str, Any]) -> None:
        """A host has said which machine it is."""
        if isinstance(state := answer.get("state"), Mapping) and isinstance(state.get("host"), Mapping):
            self._machines[host] = state["host"].get("machine")

    def place(self, host: str, place: str, words: tuple[str, ...] | None = None) -> None:
        """It is known where a host is connected to, by ssh with these arguments."""
        self._places[host] = Place(place, words)

    def look_again(self) -> None:
        """Leave who was judged under one name, and is or will be changed under another: that was too early.

        Raises AnsibleActionFail.
        """
        # Who was not asked, or did not answer, has not said which machine it is.
        mute = [host for host in (*self.unserved, *self.edited) if not self._machines.get(host)]
        if mute and any(host not in self.unserved for host in self.hosts):
            self._leave_names(reached(self._places), mute)
        self._leave_names(
            {host: {machine} for host, machine in self._machines.items() if machine}, (*self.unserved, *self.edited)
        )

    def _leave_names(self, marks: Mapping[str, Collection[str]], acted: Iterable[str]) -> None:
        """Leave who has a mark that one of the acted ones has, too, and that is not its own alone."""
        found = {mark for host in acted for mark in marks.get(host, ())}
        names = Counter(mark for own in marks.values() for mark in own)
        for host in [host for host in self.hosts if host not in self.unserved]:
            if not any(mark in found and names[mark] > 1 for mark in marks.get(host, ())):
                continue
            self.leave(host, OTHER_NAME)
            if host in self._judged:  # so that its verdict does not outlive a run that ends before it is judged again
                settings, circumstances = self._judged[host]
                self._file(host, settings, {"failed": True, "msg": OTHER_NAME}, circumstances)

    def plan(self, entry: dict[str, Any]) -> None:
        """It is known what enforce would do to a host."""
        self.entries[entry["host"]] = entry

    def probe(self, host: str, seen: list[dict[str, str]]) -> None:
        """A host has looked for the endpoint."""
        self.probes[host] = seen

    def miss(self, host: str, problem: str) -> None:
        """A host has not looked, and that is all that can be said."""
        self.missed[host] = visible(problem)

    def edit(self, known: Known, changes: list[dict[str, Any]], files: list[str]) -> None:
        """Something was done to a host, or may have been."""
        record_in(self.reports, known.host, changes)
        if files:
            self.edited[known.host] = [visible(file) for file in files[:MOST_FILES]]

    def file(self, known: Known, answer: dict[str, Any]) -> None:
        """A host answered, or was found unreachable. Raises AnsibleActionFail."""
        try:
            filed = self._file(known.host, known.settings, answer, known.circumstances)
        except _ODD as error:
            # Whatever one host says, it must not end the audit of the others.
            failed = {"failed": True, "msg": f"its answer could not be judged ({type(error).__name__})"}
            filed = self._file(known.host, known.settings, failed, known.circumstances)
        if self.may_be_early:
            self._judged[known.host] = known.settings, known.circumstances
        self.verdicts[filed["verdict"]] += 1
        self.hosts[known.host] = {"verdict": filed["verdict"], "reasons": filed["reasons"]}

    def _file(
        self, host: str, settings: dict[str, Any], answer: dict[str, Any], circumstances: Circumstances
    ) -> dict[str, Any]:
        try:
            return file_answer(host, settings, answer, self.reports, circumstances)
        except OSError as error:
            raise AnsibleActionFail(f"the evidence cannot be written: {error}") from error

    async def tell(self) -> None:
        """Say how far it is, until that is ended."""
        try:
            while True:
                await asyncio.sleep(PERIOD)
                violations = sum(self.verdicts[verdict] for verdict in in_camps(BROKEN))
                done = self.served + len(self.unserved) + len(self.entries) + len(self.probes) + len(self.missed)
                self._progress.tell(done, violations)
        finally:
            self._progress.end()


def _passed_over(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What Python has to say of a program that ended before it had read all: its status says it, and no traceback."""
    if not isinstance(context.get("exception"), BrokenPipeError | ConnectionResetError):
        loop.default_exception_handler(context)


def _until_ended(work: Coroutine[Any, Any, None]) -> None:
    """Run it to its end. Where Ansible ends this process, what it has started ends first: ssh would go on."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    told: list[int] = []

    async def run() -> None:
        task = asyncio.ensure_future(work)
        asyncio.get_running_loop().set_exception_handler(_passed_over)

        def end(number: int) -> None:
            told.append(number)
            task.cancel()

        with contextlib.suppress(ValueError, RuntimeError):  # not in the main thread, where no signal comes
            for number in before:
                asyncio.get_running_loop().add_signal_handler(number, end, number)
        await task

    try:
        asyncio.run(run())
    except asyncio.CancelledError:
        if not told:
            raise
    finally:
        with contextlib.suppress(ValueError):
            for number, handler in before.items():
                signal.signal(number, handler or signal.SIG_DFL)
    if told:
        os.kill(os.getpid(), told[0])
        raise AnsibleActionFail(ENDED)  # where that signal does not end it: half of a fleet is no result


def _asked_for() -> frozenset[str]:
    """Failures that ssh would not have, did it ask on a terminal: ours has none, but a person may sit at Ansible's."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return frozenset()
    return frozenset({"key_unknown"})


def _password_of(connection: Any) -> dict[str, Any]:
    """How ssh gets a password, as Ansible's plugin gives it: through sshpass, or by ssh's own way to ask a program."""
    if pipe := getattr(connection, "sshpass_pipe", None):  # older cores set it where they use it
        connection.sshpass_pipe = None
        word = connection.get_option("password") or connection._play_context.password
        return {"password": (*pipe, str(word).encode())}
    if not hasattr(connection, "_init_shm"):
        return {}
    started = connection._init_shm()
    memory, connection.shm = connection.shm, None

    def end() -> None:
        if memory is not None:
            with contextlib.suppress(FileNotFoundError):
                memory.unlink()

    return {"environment": started.get("env"), "end": end}


def _measure(known: Known) -> dict[str, Any]:
    """How often and how long a host is asked: an edit is begun once, and may take its time, as host by host."""
    return (
        {"once": True, "limit": float(host_limit(known.settings))}
        if known.errand.edits
        else {"once": False, "limit": None}
    )


def _place(plugin: str, host: str, variables: Mapping[str, Any], template: Callable[[Any], Any]) -> str:
    """Where a host is connected to, by its variables: two names of one place are one machine."""
    if plugin in LOCAL:
        return "here"
    address, port = (
        next((templated(variables[name], template) for name in names if variables.get(name)), other)
        for names, other in ((("ansible_ssh_host", "ansible_host"), host), (("ansible_ssh_port", "ansible_port"), 22))
    )
    return f"{address} {port}".lower()


def set_for_ssh(plugin: str, keys: Mapping[str, Any]) -> dict[str, str]:
    """The arguments of ssh where no variable of a host has them: by the play, the command line, or Ansible's settings.

    ``plugin`` is the name by which Ansible knows its plugin, which was loaded, and ``keys`` are keywords of the task.
    """
    found = {}
    for option in _OF_SSH:
        with contextlib.suppress(AnsibleError, ValueError):
            value = C.config.get_config_value(option, plugin_type="connection", plugin_name=plugin, keys=keys)
            found[option] = "" if value is None else str(value)
    return found


def _words_of_ssh(
    host: str, variables: Mapping[str, Any], template: Callable[[Any], Any], others: Mapping[str, str] | None = None
) -> tuple[str, ...] | None:
    """The arguments by which ssh finds a host, by its variables, else by ``others``; None where they are none."""

    def text(*names: str, other: str = "") -> str:
        return next((str(templated(variables[name], template)) for name in names if variables.get(name)), other)

    given = {option: text(*names, other=(others or {}).get(option, "")) for option, names in _OF_SSH.items()}
    try:
        words = [
            word for name in ("ssh_args", "ssh_common_args", "ssh_extra_args") for word in shlex.split(given[name])
        ]
    except ValueError:
        return None
    words += [
        word for flag, name in (("-p", "port"), ("-l", "remote_user")) if given[name] for word in (flag, given[name])
    ]
    address = text("ansible_ssh_host", "ansible_host") or host
    return None if address.startswith("-") else (*words, address)


def _attempt(known: Known, failure: str) -> dict[str, Any]:
    """For the record, of a host that was told to edit."""
    params = known.errand.params
    return attempt(failure, params.get("state"), toggle=params.get("toggle") or "unmanaged")


class Preparation:
    """From the variables of a host, as Ansible resolves them, to what is asked of it."""

    def __init__(self, action: ActionModule, hosts: list[str], tally: Tally, ways: Ways, purpose: Purpose) -> None:
        self._action, self._hosts, self._tally, self._ways, self._purpose = action, hosts, tally, ways, purpose
        self._task = action._task
        self._manager = self._task.get_variable_manager()
        #: Ansible's own plugin, set up once for all hosts that have the same settings.
        self._connections: dict[str, Any] = {}
        #: The names by which Ansible knows its plugins' options.
        self._plugins: dict[str, str] = {}
        self._for_ssh: dict[str, str] | None = None
        self._known: dict[str, Known] = {}
        #: Those of them for whom a command was started.
        self._begun: set[str] = set()
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
            except Exception as error:  # noqa: BLE001
                # Whatever one host's variables are, they must not end the run of the others.
                self._tally.leave(host, f"its variables cannot be used ({type(error).__name__})")
            return None

        return make

    def file(self, asked: Any, outcome: Any) -> Any:
        """What came of a question; the next one to the same host, or None."""
        known = self._known.pop(asked.host)
        self._begun.discard(asked.host)
        answer: dict[str, Any] | None
        if isinstance(outcome, Unserved):
            if known.errand.edits and isinstance(outcome, _sweep.Unsettled):
                self._tally.edit(known, [_attempt(known, str(outcome))], [])
            self._tally.leave(asked.host, str(outcome))
            return None
        if isinstance(outcome, _sweep.Unreachable):
            answer = {"unreachable": True, "msg": str(outcome)}
        elif isinstance(outcome, _sweep.Late | _sweep.TooLarge):
            answer = {"failed": True, "late": True, "msg": str(outcome)}
        else:
            answer = known.errand.result(outcome.status, outcome.stdout, outcome.stderr)
            if answer is None:
                self._tally.leave(asked.host, "sudo there wants a terminal")
                return None
            if answer.get("failed") and kind_of(str(answer["msg"])) == _NO_PASSWORD.kind:
                answer["msg"] = explained("Missing sudo password", _NO_PASSWORD)  # as Ansible's plugins say it
        self._tally.meet(known.host, answer)
        try:
            following = self._purpose.answered(known, answer)
        except _ODD as error:
            # Whatever one host says, it must not end the run of the others.
            if known.errand.edits:
                self._tally.edit(known, [_attempt(known, "its answer could not be judged")], [])
            self._tally.leave(known.host, f"its answer could not be judged ({type(error).__name__})")
            following = None
        if following is None:
            return None
        self._known[asked.host] = following
        return replace(asked, program=following.errand.program, **_measure(following))

    def abandon(self) -> None:
        """The sweep ends: who was told to edit and has not answered may have done it, or may do it yet."""
        for known in self._known.values():
            if known.errand.edits and known.host in self._begun:
                self._tally.edit(known, [_attempt(known, "the run ended before the host had answered")], [])

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
        self._tally.place(
            host,
            _place(plugin, host, variables, templar.template),
            _words_of_ssh(host, variables, templar.template, self._set_for_ssh()) if plugin in SSH else None,
        )
        if plugin not in (*SSH, *LOCAL):
            raise Unserved(f"its connection plugin is {plugin}")
        if C.DEFAULT_KEEP_REMOTE_FILES:
            raise Unserved("remote files are to be kept")
        settings = settings_of(variables, templar.template)
        carrier = settings.get("telemetry_carrier", "auto")
        if carrier not in CARRIERS or carrier == "module":
            raise Unserved(f"telemetry_carrier is {carrier}")
        if self._purpose.judges and wants_any(settings):
            raise Unserved("its controller is asked too")
        circumstances = circumstances_of(variables)
        try:
            errand = self._purpose.errand(host, settings, circumstances)
        except PolicyError:
            raise Unserved("its policy is not valid") from None
        if errand is None:
            return None
        if errand.problem:
            raise Unserved("its options are not valid")
        connection, address = self._connection("ssh" if plugin in SSH else "local", variables, templar)
        line = command(action._interpreter(variables), action._compute_environment_string())
        line, escalation = self._become(line, variables, templar, connection)
        line = f"/bin/sh -c {shlex.quote(f'{line} && sleep 0')}"  # as Ansible does it
        known = Known(host, settings, circumstances, errand)
        if plugin in LOCAL:
            asked = _sweep.Question(
                host, self._noted(host, self._local(line)), errand.program, escalation, remote=False, **_measure(known)
            )
        elif wants_terminal(connection):
            raise Unserved("ssh is set to ask for a terminal")
        else:
            asked = _sweep.Question(
                host,
                self._noted(host, self._ssh(connection, host, address, line)),
                errand.program,
                escalation,
                place=f"{address} {connection.get_option('port') or ''}",
                left=_SAID_BETTER if connection.get_option("password") else _asked_for(),
                retries=int(connection.get_option("reconnection_retries")),
                **_measure(known),
            )
        self._known[host] = known  # from here on it is asked
        return asked

    def _noted(self, host: str, make: Callable[[], Awaitable[_sweep.Line]]) -> Callable[[], Awaitable[_sweep.Line]]:
        """Makes a command line, and notes that a host is asked by it."""

        async def noted() -> _sweep.Line:
            line = await make()
            self._begun.add(host)
            return line

        return noted

    def _connection(self, name: str, variables: dict[str, Any], templar: Any) -> tuple[Any, str]:
        """Ansible's connection plugin with the settings of a host, and its address."""
        options = self._options("connection", self._known_as(name), variables, templar)
        address = str(
            next((options[name] for name in reversed(NAMES) if options.get(name)), variables["inventory_hostname"])
        )
        common = {name: value for name, value in options.items() if name not in NAMES}
        key = f"{name} {json.dumps(common, default=str, sort_keys=True)}"
        if key not in self._connections:
            made = self._made(name)
            keys = self._task_keys()
            keys["timeout"] = self._action._play_context.timeout
            if self._action._play_context.password:
                keys["password"] = self._action._play_context.password
            made.set_options(task_keys=keys, var_options=options)
            self._connections[key] = made
        return self._connections[key], address

    def _known_as(self, name: str) -> str:
        """The name by which Ansible knows a connection plugin's options."""
        if name not in self._plugins:
            self._plugins[name] = self._made(name)._load_name
        return self._plugins[name]

    def _set_for_ssh(self) -> dict[str, str]:
        """The same for all hosts: what their variables do not say of ssh."""
        if self._for_ssh is None:
            self._for_ssh = set_for_ssh(self._known_as("ssh"), self._task_keys())
        return self._for_ssh

    def _made(self, name: str) -> Any:
        return connection_loader.get(f"ansible.builtin.{name}", self._action._play_context, os.devnull)

    def _local(self, line: str) -> Callable[[], Awaitable[_sweep.Line]]:
        async def make() -> _sweep.Line:
            return _sweep.Line(["/bin/sh", "-c", line])

        return make

    def _ssh(self, connection: Any, host: str, address: str, line: str) -> Callable[[], Awaitable[_sweep.Line]]:
        """Makes the command line that Ansible's plugin would start, with the ways that hosts share.

        A connection to share (ControlMaster) is not made: nothing else is asked by it, and it would be left behind. One
        that is there is used.
        """

        async def make() -> _sweep.Line:
            connection.set_option("host", address)
            connection.host = address
            executable = connection.get_option("ssh_executable")
            made = connection._build_command(executable, "ssh")
            if hasattr(connection, "_sshpass_cmd") and not connection.sshpass_pipe:
                # Newer cores do so where they start it.
                made = [*(connection._sshpass_cmd() or ()), *made]
            words = [os.fsdecode(word) for word in made]
            # Of this attempt alone: while its way is found another host makes use of the same plugin.
            given = _sweep.Line(words, **_password_of(connection))
            at = words.index(executable) + 1
            try:
                way = await self._ways.to([executable, "-o", "ControlMaster=no", *words[at:]], address)
            except BaseException:
                given.close()
                raise
            words = [*words[:at], *way[1:], address, line]
            self._action._display.vvv(f"SSH: EXEC {shlex.join(words)}", host=host)
            return replace(given, words=words)

        return make

    def _become(self, line: str, variables: dict[str, Any], templar: Any, connection: Any) -> tuple[str, Any]:
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
        if not C.BECOME_ALLOW_SAME_USER and plugin.get_option("become_user") == self._login_of(connection):
            return line, None  # as Ansible does it
        line = plugin.build_become_command(line, self._action._connection._shell)
        password = plugin.get_option("become_pass")
        return line, _sweep.Escalation(
            plugin.prompt.encode() if password else b"", str(password or ""), plugin.success.encode()
        )

    @staticmethod
    def _login_of(connection: Any) -> str | None:
        """Whom it logs in as, where that is said."""
        try:
            return connection.get_option("remote_user") or None
        except KeyError:
            return getattr(connection, "default_user", None)

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

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restarts services of a host one after the other, each only once the one before it has come up and stays up.

For each: quiet down → restart through its supervisor → health gate → it stays up → else roll back what this run edited,
and see that it is up again. A failure stops those that follow. Private to this collection. Runs on the control node.
"""

from __future__ import annotations

import contextlib
import datetime
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.utils.display import Display

from ansible_collections.cbops.telemetry.plugins.module_utils.rules import _findings as rules
from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._action import ATTACH, LAUNCH_SCRIPTS
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._carrier import Carrier, one_line
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._changes import (
    refusal,
    restart_of,
    roll_backs_of,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._evidence import said
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._run import RUN_ID
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._access import Access, access_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._other_changes import KINDS, may_restart
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._window import Window, window_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart import _unfinished as unfinished
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart._controller import (
    Controller,
    ControllerError,
    drain,
    ending_in_order,
    start_again,
    start_again_after_others,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart._coordination import Budget, Held, one_at_a_time
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart._journal import last_lines
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart._plan import SWEPT_SERIAL, serial_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart._stages import NoPlace, Place, Stages, ends_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart._supervision import (
    ended,
    is_installed,
    names_of,
    number,
    service_of,
    words,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart.starters._starter import Debt, Service

POLL_SECONDS = 1.0
SETTLE_POLL_SECONDS = 2.0
#: Seconds in which a controller that is not restarted says whether it is quieted down.
QUIET_SECONDS = 5.0
#: Seconds of waiting for a turn after which the host is looked at again.
FRESH_SECONDS = 5.0
#: Files that are put back on one host; a host says itself how many this run has edited.
MOST_FILES = 100
#: Hosts with the same home that are waited for.
REPLICAS = 4
#: Installations that are named where nothing of ours restarts them.
MOST_DEBTS = 5
#: Services of one host that are restarted; a host says itself how many there are.
MOST_SERVICES = 20
#: The options of an action that restarts services.
ARGUMENTS: dict[str, Any] = {
    "launch_scripts": LAUNCH_SCRIPTS,
    "attach": ATTACH,
    "when_idle": {"type": "bool", "default": False},
    "idle_timeout": {"type": "int", "default": 900},
    "reason": {"type": "str", "default": "Restart to apply the telemetry policy (cbops.telemetry)"},
    "url": {"type": "str"},
    "user": {"type": "str"},
    "token": {"type": "str", "no_log": True},
    "ca_file": {"type": "path"},
    "allow_http": {"type": "bool", "default": False},
    "controllers": {"type": "dict", "no_log": True, "default": {}},
    "window": {"type": "dict"},
    "timeout": {"type": "int", "default": 300},
    "settle": {"type": "int", "default": 30},
    "group": {"type": "str", "default": ""},
    "max_failures": {"type": "int", "default": 0},
    "allow": {"type": "list", "elements": "str", "choices": list(KINDS), "default": []},
    "switches": {"type": "list", "elements": "dict", "default": []},
    "toggle": {"type": "str", "choices": ["unmanaged", "disabled", "enabled"], "default": "unmanaged"},
}


@dataclass(frozen=True)
class Due:
    """A service that is restarted, and the installations that it runs, as they were before."""

    service: Service
    entries: tuple[Mapping[str, Any], ...]

    @property
    def label(self) -> str:
        """What people call the service."""
        return self.service.label

    def named(self) -> list[dict[str, Any]]:
        """The installations, each with the name of the service (a supervisor's has none in the state)."""
        return [{**entry, "service": self.label} for entry in self.entries]


def dues(entries: Sequence[Mapping[str, Any]]) -> list[Due]:
    """The services that restart these installations, each once."""
    found: dict[Service, list[Mapping[str, Any]]] = {}
    for entry in entries:
        service = service_of(entry)
        if isinstance(service, Service):
            found.setdefault(service, []).append(entry)
    return [Due(service, tuple(mine)) for service, mine in found.items()]


def owing(
    state: Mapping[str, Any], desired: str, switches: Sequence[Mapping[str, str]] = (), toggle: str = "unmanaged"
) -> list[Mapping[str, Any]]:
    """Installations whose next start is as desired and whose running JVM is not: a restart mends them.

    Those that nothing of ours restarts, too: the debt is the same.
    """
    return [entry for entry in state["installations"] if rules.restart_helps(entry, desired, switches, toggle)]


def renewed(before: Mapping[str, Any], after: Mapping[str, Any] | None) -> bool:
    """True where processes run, and none of the old ones does: other ids, or later starts."""
    if after is None or not after["processes"]:
        return False
    old = {(process["pid"], process["started"]) for process in before["processes"]}
    return all((process["pid"], process["started"]) not in old for process in after["processes"])


def healed(
    before: Mapping[str, Any], after: Mapping[str, Any] | None, desired: str, switches: Sequence[Mapping[str, str]] = ()
) -> bool:
    """True where new processes, and no old one, run with the desired values, as far as the next start had them."""
    return renewed(before, after) and after is not None and rules.is_reached(before, after, desired, switches)


def processes(entry: Mapping[str, Any] | None) -> set[tuple[Any, Any]]:
    """The processes of an installation, by id and start."""
    return {(process["pid"], process["started"]) for process in (entry or {}).get("processes", [])}


def launch_files(entry: Mapping[str, Any]) -> list[str]:
    """Files of an installation that may have been edited since its JVM started."""
    paths = [entry["launch"]["file"]] if entry.get("launch") else []
    paths += [item["file"] for item in entry.get("declarations", [])]
    paths += [place["file"] for place in (entry.get("toggle") or {}).values() if place.get("file")]
    return list(dict.fromkeys(paths))


def access_for(due: Due, state: Mapping[str, Any], named: Mapping[str, Access], alone: Access | None) -> Access | str:
    """How a service's controller is reached, or why that is not known.

    ``named`` are those of telemetry_controllers. ``alone`` is telemetry_url's: it says of no service whose URL it is,
    so it counts only where the host has one installation.
    """

    def may_be_called(name: str) -> bool:
        others = (other for other in state["installations"] if other not in due.entries)
        return name == due.label or not any(name in names_of(service_of(other), [other]) for other in others)

    name = next((name for name in names_of(due.service, due.entries) if name in named and may_be_called(name)), None)
    if name is not None:
        return named[name]
    more = f"; telemetry_controllers names {', '.join(sorted(named)[:10])}" if named else ""
    wanted = f"give telemetry_controllers the url, user and token of {due.label}{more}"
    if alone is None:
        return f"its URL is not known; {wanted}"
    installed = [str(entry["name"]) for entry in state["installations"] if is_installed(entry)]
    if len(installed) > 1:
        shown = ", ".join(installed[:5]) + (f" and {len(installed) - 5} more" if len(installed) > 5 else "")
        return (
            f"its URL is not known: telemetry_url is for a host with one installation, and this one has "
            f"{len(installed)} ({shown}); {wanted}"
        )
    return alone


class Restarting(Carrier):
    """An action that restarts services; :data:`ARGUMENTS` are among its options."""

    _window: Window | None = None
    #: How controllers are reached: those that telemetry_controllers names, and telemetry_url's.
    _accesses: tuple[Mapping[str, Access], Access | None] = {}, None
    #: Units that a run before this one has restarted and that have not come up since, each with that run.
    _left: Mapping[str, unfinished.Left] = {}
    #: Services that failed in this task, by what their supervisor calls them.
    _failed: frozenset[str] = frozenset()

    def owing(self, state: Mapping[str, Any], desired: str) -> list[Mapping[str, Any]]:
        """Installations that owe a restart which mends them, by all that is policy of them."""
        return owing(state, desired, self._switches(), self._arguments.get("toggle") or "unmanaged")

    def _switches(self) -> list[dict[str, str]]:
        """The other properties that are policy, as the rules take them."""
        return [
            {
                "name": str(one["name"]),
                "off_value": str(one["off_value"]),
                "desired": str(one["state"]),
                **({"kind": "environment"} if one.get("kind") == "environment" else {}),
            }
            for one in self._arguments.get("switches") or ()
        ]

    def left_down(self, state: Mapping[str, Any], desired: str) -> list[Mapping[str, Any]]:
        """Installations that a run before this one has restarted and that have not come up since: a restart mends them.

        What somebody has stopped meanwhile stays so.
        """
        down = [
            (entry, service)
            for entry in state["installations"]
            for service in [service_of(entry)]
            if entry["running"] == "not_running"
            and (desired not in rules.KNOWN or entry["on_disk"] == entry["next_start"] == desired)
            and isinstance(service, Service)
            and service.is_remembered
        ]
        if not down:
            return []
        self._left = unfinished.units_of(str(self._command(unfinished.listing()).get("stdout") or ""))
        return [
            entry
            for entry, service in down
            if service.name in self._left
            and (self._left[service.name].forgiven or (self._seen(service) or {}).get("ActiveState") != "inactive")
        ]

    def restart_services(
        self, owed: Sequence[Mapping[str, Any]], before: dict[str, Any], desired: str | None
    ) -> dict[str, Any]:
        """Restart the services of installations of the state ``before``, where and when that is allowed.

        ``desired`` is what new JVMs must run with (None: with anything). The result has ``changed``, ``services``,
        ``restarted``, ``deferred``, ``rolled_back``, ``state``, and ``failed`` with ``msg`` where one has failed.
        Raises AnsibleError.
        """
        given = self._arguments
        try:
            self._window = window_of(given["window"]) if given["window"] else None
        except ValueError as error:
            raise AnsibleActionFail(f"window: {error}") from error
        try:
            named = access_of(given["controllers"] or {})
        except ValueError as error:
            raise AnsibleActionFail(f"controllers: {error}") from error
        alone = (
            Access(given["url"], given["user"] or "", given["token"] or "", given["ca_file"], given["allow_http"])
            if given["url"]
            else None
        )
        self._accesses = named, alone
        self._secrets = [secret for one in [*named.values(), *([alone] if alone else [])] for secret in one.secrets()]
        result: dict[str, Any] = {
            "changed": False,
            "services": list(dict.fromkeys(service_of(entry).label for entry in owed)),
            "restarted": [],
            "state": before,
            "deferred": None,
            "rolled_back": [],
        }
        allowed, reasons = self.may_be_restarted(owed, before)
        due = dues(allowed)
        if len(due) > MOST_SERVICES:
            raise AnsibleActionFail(
                f"{len(due)} services would be restarted, and {MOST_SERVICES} are the most: look at what this host says"
            )
        closed = self._closed()
        if due and closed:
            return self._told(result, [closed, *reasons])
        ready: list[tuple[Due, Access | None]] = []
        for one in due:
            access = access_for(one, before, named, alone)
            if isinstance(access, str) and given["when_idle"]:
                reasons.append(f"{one.label} is not restarted: {access}")
            else:
                ready.append((one, None if isinstance(access, str) else access))
                if isinstance(access, str) and (alone or named):
                    Display().warning(
                        self._cut(
                            f"{self._variables['inventory_hostname']}: {one.label} is not asked "
                            f"whether it serves requests: {access}"
                        )
                    )
        if not ready:
            return self._told(result, reasons)
        if self._task.check_mode:
            return self._told({**result, "changed": True}, reasons)
        budget = Budget(given["max_failures"])
        shares = [
            f"home {entry['home_share']}" for one, _access in ready for entry in one.entries if entry.get("home_share")
        ]
        try:
            asked = time.monotonic()
            # The stage first: who holds a group must not wait for a stage that waits for the group. The group is the
            # inventory's, the homes are what a host says, so for those nobody waits for ever.
            with (
                self._staged(len(ready)) as place,
                one_at_a_time([given["group"]]),
                one_at_a_time(shares, seconds=REPLICAS * self._longest(len(ready))),
            ):
                if time.monotonic() > asked + FRESH_SECONDS:
                    result["state"] = self._state()
                exhausted = budget.exhausted()
                if exhausted:
                    return self._told(result, [exhausted, *reasons])
                with ending_in_order():
                    self._one_by_one(result, ready, reasons, desired, budget, place)
        except NoPlace as error:
            reasons.insert(0, str(error))
        except Held:
            reasons.insert(
                0,
                "not restarted: another host with the same home on a file server is restarted, and that has not ended",
            )
        return self._told(result, reasons)

    def start_builds_again(self, result: Mapping[str, Any]) -> None:
        """Take back what a run that was killed has left quiet, where this one has restarted nothing.

        It owes no restart any more, or may not make it now: nobody else would take it back.
        """
        state, (named, alone) = result["state"], self._accesses
        for due in dues([entry for entry in state["installations"] if entry["running"] != "not_running"]):
            access = access_for(due, state, named, alone)
            if due.label not in result["restarted"] and not isinstance(access, str):
                start_again_after_others(Controller(*access), QUIET_SECONDS)

    def _closed(self) -> str | None:
        """Why nothing may be restarted now, or None."""
        return None if self._window is None else self._window.closed(datetime.datetime.now(datetime.timezone.utc))

    def may_be_restarted(
        self, owed: Sequence[Mapping[str, Any]], state: Mapping[str, Any]
    ) -> tuple[list[Mapping[str, Any]], list[str]]:
        """Those of the installations that may be restarted, and why each of the others may not.

        Asked before anything is done to any of them, in check mode too, and again before each: its turn, and the end of
        the builds, are waited for.
        """
        services = [(entry, service_of(entry)) for entry in owed]
        debts = list(dict.fromkeys(service.reason for _entry, service in services if isinstance(service, Debt)))
        if len(debts) > MOST_DEBTS:  # people's crontabs can have any number of lines
            debts[MOST_DEBTS:] = [f"and {len(debts) - MOST_DEBTS} more that nothing of ours restarts"]
        mine, refused = may_restart(
            [entry for entry, service in services if isinstance(service, Service)],
            self._arguments["allow"],
            self._before_reload(),
            lambda entry: service_of(entry).label,
        )
        return mine, debts + refused

    def _before_reload(self) -> Mapping[str, Any] | None:
        """The state as enforce has seen it before the service manager was reloaded; None where it did not edit."""
        edited = self._variables.get("__telemetry_flag")
        state = edited.get("state") if isinstance(edited, Mapping) else None
        return state if isinstance(state, Mapping) else None

    def _one_by_one(
        self,
        result: dict[str, Any],
        ready: Sequence[tuple[Due, Access | None]],
        reasons: list[str],
        desired: str | None,
        budget: Budget,
        place: Place,
    ) -> None:
        """Restart them in their order, until one fails; ``result`` and ``reasons`` get what came of it."""
        for number_of, (one, access) in enumerate(ready, 1):
            left = [later.label for later, _access in ready[number_of:]]
            stopped = f". Not restarted after that: {', '.join(left)}" if left else ""
            one = self._as_it_is_now(one, result["state"], desired)
            if not one.entries:
                continue  # somebody has restarted it meanwhile
            allowed, refused = self.may_be_restarted(one.entries, result["state"])
            if not allowed:
                reasons += refused
                continue
            closed = self._closed()  # the wait for a turn, and the services before, took their time
            if closed:
                reasons.append(f"{one.label}: {closed}")
                continue
            has_failed = True
            try:
                deferred = self._restart_one(result, one, Controller(*access) if access else None, desired, place)
                has_failed = bool(result.get("failed"))
            except AnsibleActionFail as error:
                raise AnsibleActionFail(self._cut(f"{error}{stopped}")) from error
            finally:
                if has_failed and one.label in result["restarted"]:
                    budget.spend(self._variables["inventory_hostname"])
            if has_failed:
                result["msg"] = f"{result['msg']}{stopped}"
                return
            if deferred:
                reasons.append(deferred)

    def _as_it_is_now(self, due: Due, state: Mapping[str, Any], desired: str | None) -> Due:
        """The same service with what is known of it now; without what owes no restart any more."""
        names = [entry["name"] for entry in due.entries]
        now = state["installations"] if desired is None else self.owing(state, desired)
        if desired is not None and due.service.name in self._left:
            now = [*now, *(entry for entry in state["installations"] if entry["running"] == "not_running")]
        return Due(
            due.service, tuple(entry for entry in now if entry["name"] in names and service_of(entry) == due.service)
        )

    def _restart_one(
        self, result: dict[str, Any], due: Due, controller: Controller | None, desired: str | None, place: Place
    ) -> str | None:
        """Restart a service and see it come back; why that is put off, or None."""
        unseen = self._unseen(due.service)
        if unseen:
            return unseen
        is_ours = is_over = False
        try:
            is_running = any(entry["running"] != "not_running" for entry in due.entries)
            if self._arguments["when_idle"] and controller is not None and is_running:
                began = time.monotonic()
                try:
                    running, is_ours = drain(
                        controller, self._arguments["reason"], self._arguments["idle_timeout"], RUN_ID
                    )
                except ControllerError as error:
                    result.update(failed=True, msg=f"{due.label} is not restarted: {error}")
                    self._record([refusal("restart", self._cut(result["msg"]))])
                    return None
                if running:
                    was_ours, is_ours = is_ours, False  # it is taken back already
                    return self._busy(due, running, was_ours)
                if time.monotonic() > began + FRESH_SECONDS:
                    result["state"] = self._state()
                    due = self._as_it_is_now(due, result["state"], desired)
                    if not due.entries:
                        return None  # somebody has restarted it meanwhile
                    allowed, refused = self.may_be_restarted(due.entries, result["state"])
                    closed = self._closed()
                    if not allowed or closed:
                        return "; ".join([*refused, *([f"{due.label}: {closed}"] if closed else [])])
            place.use()
            result["restarted"].append(due.label)
            failure, result["state"] = self._restart_and_wait(due, controller, desired)
            result["changed"] = True
            self._record(restart_of(due.named(), result["state"], failure, self._gates(controller, desired)))
            if failure:
                result.update(self._roll_back(due, controller, failure, result["state"]), failed=True)
            is_over = not failure
        finally:
            # Where the old JVM runs on after all, it must not stay quiet for ever; unless somebody else wants it so.
            if is_ours and not is_over and controller is not None:
                start_again(controller)
        return None

    def _busy(self, due: Due, running: Sequence[str], was_ours: bool) -> str:
        more = f" and {len(running) - 3} more" if len(running) > 3 else ""
        return (
            f"{due.label} is still busy after {self._arguments['idle_timeout']} seconds: {', '.join(running[:3])}"
            f"{more}; "
        ) + ("builds are started again" if was_ours else "somebody else had quieted it down, and it stays so")

    @contextlib.contextmanager
    def _staged(self, count: int) -> Iterator[Place]:
        """Wait for this host's turn: restarts are made in stages as large as the batches of the play."""
        play = getattr(self._task._parent, "_play", None)
        hosts = self._variables.get("ansible_play_hosts_all") or [self._variables["inventory_hostname"]]
        serial = getattr(play, "serial", None) or []
        if SWEPT_SERIAL in (self._variables.get("hostvars", {}).get("localhost") or {}):
            serial = serial_of(self._loader, self._templar.template)  # enforce's says who is left of each batch
        with Stages(ends_of(len(hosts), serial)).place(
            self._variables["inventory_hostname"], self._longest(count)
        ) as place:
            yield place

    def _longest(self, count: int) -> float:
        """Seconds for which others may restart before this host is left as it is: what so many services take."""
        given = self._arguments
        return float(
            count
            * (3 * (given["timeout"] + given["settle"] + 60) + (given["idle_timeout"] if given["when_idle"] else 0))
        )

    # -- what is told -----------------------------------------------------------------------------

    _secrets: Sequence[str] = ()

    def _cut(self, text: str) -> str:
        """A message without the tokens."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def _told(self, result: dict[str, Any], reasons: Sequence[str]) -> dict[str, Any]:
        """The result with why services were not restarted."""
        result["deferred"] = self._cut("; ".join(dict.fromkeys(reasons))) or None
        self._record([refusal("restart", self._cut(reason)) for reason in dict.fromkeys(reasons)])
        if "msg" in result:
            result["msg"] = self._cut(result["msg"])
        return result

    # -- asking the host --------------------------------------------------------------------------

    def _quote(self, text: str) -> str:
        return str(self._connection._shell.quote(text))

    def _module(self, module: str, **arguments: Any) -> dict[str, Any]:
        return self.in_time(
            lambda: self._execute_module(module_name=module, module_args=arguments, task_vars=self._variables),
            self._variables,
        )

    def _command(self, line: str, seconds: float = 0) -> dict[str, Any]:
        """A command's end; it may take so much longer than a host that is asked something."""
        return self.in_time(lambda: self._low_level_execute_command(line), self._variables, seconds)

    def _state(self) -> dict[str, Any]:
        asked = [{key: text for key, text in one.items() if key != "desired"} for one in self._switches()]
        answer = self.ask(
            "cbops.telemetry.telemetry_info",
            {
                "launch_scripts": self._arguments["launch_scripts"],
                "attach": self._arguments["attach"],
                **({"senders": {"switches": asked, "threads": False}} if asked else {}),
            },
            self._variables,
        )
        if answer.get("failed") or "state" not in answer:
            raise AnsibleActionFail(f"its state could not be read: {said(answer)}", result=answer)
        return answer["state"]  # type: ignore[no-any-return]

    def _seen(self, service: Service) -> dict[str, str] | None:
        """What its supervisor says of a service; None where nothing can be asked."""
        line = service.status(self._quote)
        return None if line is None else service.properties(str(self._command(line).get("stdout") or ""))

    def _unseen(self, service: Service) -> str | None:
        """Why a service is not restarted by a supervisor that does not know it; None where it is."""
        if not service.is_checked:
            return None
        seen = self._seen(service)
        if seen and seen.get("ActiveState") == "active":
            return None
        said_so = f"says that it is {words(seen)}" if seen else "does not answer, or does not know of it"
        return f"{service.label} is not restarted: its supervisor {said_so}; restart it yourself"

    def _restart(self, service: Service) -> str | None:
        """Restart it; what its supervisor says against it, or None."""
        module = service.module()
        if module is not None:
            answer = self._module(module[0], **module[1])
            problem = said(answer) if answer.get("failed") else None
        else:
            seconds = self._arguments["timeout"]
            line = service.restart(self._quote, seconds)
            if service.is_remembered:
                # Where it failed it is forgiven: else a start limit that was hit forbids the next start.
                forgiving = service.forgiven(self._quote) if service.name in {*self._failed, *self._left} else None
                line = unfinished.begun(line, service.name, RUN_ID, self._quote, forgiving)
            done = self._command(line, seconds)
            problem = (
                one_line(str(done.get("msg") or done.get("stderr") or done.get("stdout") or ""))[:500]
                if done.get("rc") or done.get("failed")
                else None
            )
        return None if problem is None else f"{service.label} could not be restarted: {problem or 'no answer'}"

    # -- the health gate --------------------------------------------------------------------------

    def _restart_and_wait(
        self, due: Due, controller: Controller | None, desired: str | None
    ) -> tuple[str | None, dict[str, Any]]:
        """Restart a service; what is wrong then, or None; and the state."""
        failure, state = self._come_up(due, controller, desired)
        if failure is None and due.service.is_remembered:
            self._command(unfinished.over(due.service.name, self._quote))
        return failure, state

    def _come_up(
        self, due: Due, controller: Controller | None, desired: str | None
    ) -> tuple[str | None, dict[str, Any]]:
        """The health gate: what is wrong after a restart, or None; and the state then.

        New JVMs run with the desired value (None: with any), the service is active, the controller serves requests, and
        all of that for as long as ``settle`` says, by the same processes.
        """
        service, timeout = due.service, self._arguments["timeout"]
        before = self._seen(service) or {}
        problem = self._restart(service)
        counted: int | None = None
        deadline = time.monotonic() + timeout
        while True:
            seen = self._seen(service)
            if counted is None and seen is not None:
                # It counts from 0 after a restart by hand, unless that found the service waiting for its next try.
                old, now = number(before, "NRestarts"), number(seen, "NRestarts")
                counted = now if old and now >= old else 0
            over = ended(seen, counted or 0) if seen is not None else None
            is_waiting = seen is not None and seen.get("ActiveState") != "active"
            state = self._state()
            found = {entry["name"]: entry for entry in state["installations"]}
            late = [
                entry["name"]
                for entry in due.entries
                if not (
                    healed(entry, found.get(entry["name"]), desired, self._switches())
                    if desired
                    else renewed(entry, found.get(entry["name"]))
                )
            ]
            ready = not late and (controller is None or controller.is_ready())
            if over is None and not is_waiting and ready:
                return self._settled(due, controller, seen, counted or 0, desired, state)
            timed_out = time.monotonic() > deadline
            if over or (problem and (late or is_waiting)) or timed_out:
                why = f"{due.label}: {over}" if over else problem or f"waited {timeout} seconds"
                if late:
                    value = self._value(desired)
                    return f"{', '.join(late)}: no new JVM runs{value} after the restart ({why})", state
                if over or is_waiting:
                    return f"{due.label} does not stay up after the restart ({why})", state
                return f"{controller.url if controller else ''} does not become ready after the restart ({why})", state
            time.sleep(POLL_SECONDS)

    def _settled(
        self,
        due: Due,
        controller: Controller | None,
        seen: Mapping[str, str] | None,
        counted: int,
        desired: str | None,
        state: dict[str, Any],
    ) -> tuple[str | None, dict[str, Any]]:
        """What is wrong with a service that came up in the time for which it must stay so, or None; the state then."""
        seconds = self._arguments["settle"]
        began = time.monotonic()
        until = began + seconds
        main = number(seen or {}, "MainPID")
        while time.monotonic() < until:
            time.sleep(min(SETTLE_POLL_SECONDS, max(0.1, until - time.monotonic())))
            now = self._seen(due.service)
            if now is None:
                continue
            reason = ended(now, counted)
            if reason is None and now.get("ActiveState") != "active":
                reason = f"it is {words(now)}"
            if reason is None and main and number(now, "MainPID") != main:
                reason = "its main process is another one"
            if reason:
                after = int(time.monotonic() - began) + 1
                return (
                    f"{due.label} came up and did not stay up for {seconds} seconds: within {after} seconds {reason}",
                    self._state(),
                )
        if not seconds:
            return None, state
        first = {entry["name"]: processes(entry) for entry in state["installations"]}
        state = self._state()
        found = {entry["name"]: entry for entry in state["installations"]}
        for name in (entry["name"] for entry in due.entries):
            if processes(found.get(name)) != first[name]:
                return (
                    f"{name} came up and did not stay up for {seconds} seconds: other processes run now, or none",
                    state,
                )
            was = next(entry for entry in due.entries if entry["name"] == name)
            if desired and not rules.is_reached(was, found[name], desired, self._switches()):
                more = ", or with another property otherwise" if self._switches() else ""
                return (
                    f"{name}: after {seconds} seconds its JVM runs with telemetry {found[name]['running']}{more}",
                    state,
                )
        if controller is not None and not controller.is_ready():
            return f"{controller.url} does not serve requests {seconds} seconds after it was ready", state
        return None, state

    # -- after a failure --------------------------------------------------------------------------

    def _gates(self, controller: Controller | None, desired: str | None) -> list[str]:
        """What had to be so before and after a restart, for the record."""
        given, value = self._arguments, self._value(desired)
        asked = {
            "no build runs": desired and controller is not None and given.get("when_idle"),
            "the window is open": given.get("window"),
            f"a new JVM runs{value}": True,
            "its service is active": True,
            "its controller serves requests": controller is not None,
            f"it has stayed so for {given['settle']} seconds": given["settle"],
        }
        return [gate for gate, is_asked in asked.items() if is_asked]

    def _value(self, desired: str | None) -> str:
        """What a new JVM must run with, in words."""
        more = " and its other properties as the policy has them" if self._switches() else ""
        return f" with telemetry {desired}{more}" if desired in rules.KNOWN else ""

    def _record(self, changes: Sequence[Mapping[str, Any]]) -> None:
        self.record(changes, self._variables)

    def _backup(self, **arguments: Any) -> dict[str, Any]:
        """What the backups of the host tell, or are made to do."""
        return self.in_time(
            lambda: self._as_module("cbops.telemetry.telemetry_backup", {"run": RUN_ID, **arguments}, self._variables),
            self._variables,
        )

    def _journal(self, service: Service) -> str:
        """What a service said last, as the end of a message."""
        line = service.journal(self._quote)
        lines = last_lines(str(self._command(line).get("stdout") or ""), self._secrets) if line is not None else []
        return (f"{service.label} said last: " + " | ".join(lines)).rstrip(".") if lines else "its journal says nothing"

    def _edited(self, due: Due, state: Mapping[str, Any], run: str = RUN_ID) -> tuple[list[str], str | None]:
        """The files that a run has edited on the host, but for those of other installations; or why not known."""
        answer = self._backup(of_run=run)
        if answer.get("failed"):
            return [], said(answer)
        own = {path for entry in due.entries for path in launch_files(entry)}
        names = [entry["name"] for entry in due.entries]
        others = {
            path for entry in state["installations"] if entry["name"] not in names for path in launch_files(entry)
        } - own
        return [path for path in answer.get("edited", []) if path not in others][:MOST_FILES], None

    def _roll_back(
        self, due: Due, controller: Controller | None, failure: str, state: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Put back what this run edited, restart once more, and say what came of it."""
        service = due.service
        failure = f"{failure}. {self._journal(service)}"
        restored: list[str] = []
        sources: list[tuple[str, str | None]] = []
        until = time.monotonic() + self._arguments["timeout"]
        edited, unknown = self._edited(due, state)
        problems = [f"what this run edited is not known: {unknown}"] if unknown else []
        tasks: list[tuple[str, dict[str, Any]]] = [(path, {"of_run": RUN_ID}) for path in edited]
        if not edited and not unknown and service.name in self._left:  # the run that was killed has edited
            run = self._left[service.name].run
            tasks = [(path, {"of_run": run}) for path in self._edited(due, state, run)[0]]
        for entry in due.entries if not tasks else ():
            # A run before this one may have edited, and have been killed before the restart.
            started = min((process["started"] for process in entry["processes"]), default=None)
            tasks += [(path, {"since": started}) for path in launch_files(entry) if started]
        for path, how in tasks:
            if time.monotonic() > until:
                problems.append("the roll-back was given up: the time for it is over")
                break
            answer = self._backup(path=path, restore=True, **how)
            if answer.get("failed"):
                problems.append(f"{path} could not be rolled back: {said(answer)}")
            elif answer.get("changed"):
                restored.append(path)
                sources.append((path, answer.get("restored")))
                problems += map(visible, answer.get("doubts") or [])
        self._record(roll_backs_of(sources))
        trouble = "".join(f"; {problem}" for problem in problems)
        if not restored:
            if not problems and self._variables.get("__telemetry_edited"):
                trouble = ", because this run kept no backup of what it edited (telemetry_backup is false)"
            elif not problems:
                trouble = ", because neither this run nor one since the old JVM started edited a launch file of it"
            return {"msg": f"{failure}. Nothing was rolled back{trouble}. {self._up_or_down(service)}"}
        reread = service.reread()
        if reread is not None:
            self._module(reread[0], **reread[1])
        gone = {entry["name"]: entry["processes"] for entry in state["installations"]}
        old = Due(
            service,
            tuple({**entry, "processes": [*entry["processes"], *gone.get(entry["name"], [])]} for entry in due.entries),
        )
        self._failed = self._failed | {service.name}
        again, state = self._restart_and_wait(old, controller, None)
        self._record(restart_of(old.named(), state, again, self._gates(controller, None)))
        if again:
            came_of_it = f"it does not run either: {again}. {self._journal(service)}. {self._up_or_down(service)}"
        else:
            names = [entry["name"] for entry in due.entries]
            values = sorted({entry["running"] for entry in state["installations"] if entry["name"] in names})
            came_of_it = (
                f"it runs again as before (telemetry {', '.join(values)}), and has stayed up for "
                f"{self._arguments['settle']} seconds"
            )
        return {
            "msg": f"{failure}. Rolled back {', '.join(restored)} and restarted: {came_of_it}{trouble}",
            "rolled_back": restored,
            "state": state,
        }

    def _up_or_down(self, service: Service) -> str:
        """What is known of a service that is not as it should be: one in a crash loop is up for moments."""
        seen = self._seen(service)
        if seen is None:
            return "NOT AS WANTED: nothing is known of the service"
        is_up = seen.get("ActiveState") == "active"
        return (
            f"{'NOT AS WANTED' if is_up else 'DOWN'}: {service.label} is {words(seen)}"
            f"{' at this moment' if is_up else ''}"
        )

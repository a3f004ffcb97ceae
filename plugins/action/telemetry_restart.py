# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restarts the services of a host that owe one, when that is allowed, and makes sure that they come back.

Window and failure budget → drain → restart through the service manager → health gate → it stays up → else roll back
what this run edited, and see that it is up again.
"""

from __future__ import annotations

import contextlib
import datetime
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError

from ansible_collections.cbops.telemetry.plugins.plugin_utils._budget import Budget, one_at_a_time
from ansible_collections.cbops.telemetry.plugins.plugin_utils._carrier import Carrier, one_line
from ansible_collections.cbops.telemetry.plugins.plugin_utils._changes import refusal, restart_of, roll_backs_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils._controller import (
    Controller,
    ControllerError,
    drain,
    ending_in_order,
    start_again,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils._evidence import said
from ansible_collections.cbops.telemetry.plugins.plugin_utils._journal import command, last_lines
from ansible_collections.cbops.telemetry.plugins.plugin_utils._run import RUN_ID
from ansible_collections.cbops.telemetry.plugins.plugin_utils._stages import NoPlace, Place, Stages, ends_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils._window import window_of

POLL_SECONDS = 1.0
SETTLE_POLL_SECONDS = 2.0
#: Files that are put back on one host; a host says itself how many this run has edited.
MOST_FILES = 100
#: What the service manager is asked about a service.
PROPERTIES = ("ActiveState", "SubState", "Result", "MainPID", "NRestarts", "ExecMainStatus")
#: Services of one host that are restarted; a host says itself how many there are.
MOST_SERVICES = 20
ARGUMENTS: dict[str, Any] = {
    "state": {"type": "str", "choices": ["disabled", "enabled"], "required": True},
    "launch_scripts": {"type": "list", "elements": "str", "default": []},
    "attach": {"type": "str", "choices": ["auto", "never"], "default": "auto"},
    "when_idle": {"type": "bool", "default": False},
    "idle_timeout": {"type": "int", "default": 900},
    "reason": {"type": "str", "default": "Restart to apply the telemetry policy (cbops.telemetry)"},
    "url": {"type": "str"},
    "user": {"type": "str"},
    "token": {"type": "str", "no_log": True},
    "ca_file": {"type": "path"},
    "window": {"type": "dict"},
    "timeout": {"type": "int", "default": 300},
    "settle": {"type": "int", "default": 30},
    "group": {"type": "str", "default": ""},
    "max_failures": {"type": "int", "default": 0},
}


def owing(state: Mapping[str, Any], desired: str) -> list[Mapping[str, Any]]:
    """Installations whose next start is as desired and whose running JVM is not: a restart mends them."""
    return [entry for entry in state["installations"]
            if entry["service"] and entry["on_disk"] == entry["next_start"] == desired
            and entry["running"] in ({"disabled", "enabled"} - {desired} | {"mixed"})]


def renewed(before: Mapping[str, Any], after: Mapping[str, Any] | None) -> bool:
    """True where processes run, and none of the old ones does: other ids, or later starts."""
    if after is None or not after["processes"]:
        return False
    old = {(process["pid"], process["started"]) for process in before["processes"]}
    return all((process["pid"], process["started"]) not in old for process in after["processes"])


def healed(before: Mapping[str, Any], after: Mapping[str, Any] | None, desired: str) -> bool:
    """True where new processes, and no old one, run with the desired value."""
    return renewed(before, after) and after is not None and after["running"] == desired


def processes(entry: Mapping[str, Any] | None) -> set[tuple[Any, Any]]:
    """The processes of an installation, by id and start."""
    return {(process["pid"], process["started"]) for process in (entry or {}).get("processes", [])}


def shown(text: str, services: Sequence[str]) -> dict[str, dict[str, str]]:
    """The properties that ``systemctl show`` printed of services, in their order; none of one that is missing."""
    blocks = [dict(line.partition("=")[::2] for line in block.splitlines() if "=" in line)
              for block in text.strip().split("\n\n")]
    return dict(zip(services, [*blocks, *({} for _service in services)], strict=False))


def number(properties: Mapping[str, str], name: str) -> int:
    """A count; 0 where a service manager does not know of it."""
    value = properties.get(name, "")
    return int(value) if value.isdecimal() and value.isascii() and len(value) < 10 else 0


def words(properties: Mapping[str, str]) -> str:
    """The state of a service in a few words."""
    said = [properties.get(name, "") for name in ("SubState", "Result")]
    status = number(properties, "ExecMainStatus")
    said += [f"exit status {status}"] if status else []
    more = ", ".join(item for item in dict.fromkeys(said) if item and item != "success")
    return one_line(f"{properties.get('ActiveState') or 'unknown'}{f' ({more})' if more else ''}")[:120]


def ended(properties: Mapping[str, str], restarts: int) -> str | None:
    """Why a service is not running as it was started; ``restarts`` were counted before. None: it may be."""
    if properties.get("ActiveState") in ("failed", "inactive"):
        return f"it is {words(properties)}"
    more = number(properties, "NRestarts") - restarts
    if more > 0:
        return f"the service manager has started it again {more} time{'s' * (more > 1)}, because it ended: it is " \
               f"{words(properties)}"
    return None


def launch_files(entry: Mapping[str, Any]) -> list[str]:
    """Files of an installation that may have been edited since its JVM started."""
    paths = [entry["launch"]["file"]] if entry.get("launch") else []
    return list(dict.fromkeys(paths + [item["file"] for item in entry.get("declarations", [])]))


class ActionModule(Carrier):
    """Action behind M(cbops.telemetry.telemetry_restart)."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Find who owes a restart; restart what may be restarted now; see it come back."""
        super().run(tmp, task_vars)
        self._variables = task_vars or {}
        self._is_ours = False  # a quiet-down of the controller
        _result, self._arguments = self.validate_argument_spec(argument_spec=ARGUMENTS)
        desired = self._arguments["state"]
        if self._arguments["when_idle"] and not self._arguments["url"]:
            raise AnsibleActionFail("a restart when idle asks the controller, so it needs its url")
        try:
            window = window_of(self._arguments["window"]) if self._arguments["window"] else None
        except ValueError as error:
            raise AnsibleActionFail(f"window: {error}") from error
        budget = Budget(self._arguments["max_failures"])
        before = self._state()
        due = owing(before, desired)
        services = list(dict.fromkeys(entry["service"] for entry in due))
        result: dict[str, Any] = {"changed": False, "services": services, "state": before, "deferred": None,
                                  "rolled_back": []}
        if not due:
            return result
        if len(services) > MOST_SERVICES:
            raise AnsibleActionFail(f"{len(services)} services would be restarted, and {MOST_SERVICES} are the most: "
                                    "look at what this host says")
        closed = window.closed(datetime.datetime.now(datetime.timezone.utc)) if window is not None else None
        if closed:
            return self._put_off(result, closed)
        if self._task.check_mode:
            return {**result, "changed": True}
        try:
            # The stage first: who holds a group must not wait for a stage that waits for the group.
            with self._staged() as place, one_at_a_time(self._arguments["group"]):
                return self._restarted(result, due, services, budget, place)
        except NoPlace as error:
            return self._put_off(result, str(error))

    def _restarted(self, result: dict[str, Any], due: Sequence[Mapping[str, Any]], services: Sequence[str],
                   budget: Budget, place: Place) -> dict[str, Any]:
        """The result with what came of the restart, which may begin now."""
        desired, when_idle = self._arguments["state"], self._arguments["when_idle"]
        exhausted = budget.exhausted()
        if exhausted:
            return self._put_off(result, exhausted)
        with ending_in_order():
            try:
                deferred = self._drain() if when_idle else None
                if deferred:
                    return self._put_off(result, deferred)
            except ControllerError as error:
                self._record([refusal("restart", f"not restarted: {error}")])
                raise AnsibleActionFail(f"not restarted: {error}") from error
            is_over = False
            place.use()
            try:
                failure, result["state"] = self._restart_and_wait(due, services, desired)
                result["changed"] = True
                self._record(restart_of(due, result["state"], failure, self._gates(desired)))
                if failure:
                    result.update(self._roll_back(due, services, failure, result["state"]), failed=True)
                is_over = not failure
            except AnsibleError:
                result["failed"] = True
                raise
            finally:
                if not is_over:
                    self._start_builds()
                if result.get("failed"):
                    budget.spend(self._variables["inventory_hostname"])
        return result

    @contextlib.contextmanager
    def _staged(self) -> Iterator[Place]:
        """Wait for this host's turn: restarts are made in stages as large as the batches of the play."""
        given = self._arguments
        play = getattr(self._task._parent, "_play", None)
        hosts = self._variables.get("ansible_play_hosts_all") or [self._variables["inventory_hostname"]]
        longest = 3 * (given["timeout"] + given["settle"] + 60) + (given["idle_timeout"] if given["when_idle"] else 0)
        with Stages(ends_of(len(hosts), getattr(play, "serial", None) or [])).place(
                self._variables["inventory_hostname"], longest) as place:
            yield place

    # -- before ---------------------------------------------------------------------------------

    def _controller(self) -> Controller | None:
        given = self._arguments
        return Controller(given["url"], given["user"] or "", given["token"] or "", given["ca_file"]) \
            if given["url"] else None

    def _drain(self) -> str | None:
        """Quiet down until idle; why the restart is put off, or None."""
        controller = self._controller()
        seconds = self._arguments["idle_timeout"]
        if controller is None:
            return None
        running, self._is_ours = drain(controller, self._arguments["reason"], seconds, RUN_ID)
        if not running:
            return None
        more = f" and {len(running) - 3} more" if len(running) > 3 else ""
        return f"still busy after {seconds} seconds: {', '.join(running[:3])}{more}; " + \
            ("builds are started again" if self._is_ours else "somebody else had quieted it down, and it stays so")

    def _start_builds(self) -> None:
        """Where the old JVM runs on after all, it must not stay quiet for ever; unless somebody else wants it so."""
        controller = self._controller()
        if self._arguments["when_idle"] and controller is not None and self._is_ours:
            start_again(controller)

    # -- restart --------------------------------------------------------------------------------

    def _module(self, module: str, **arguments: Any) -> dict[str, Any]:
        return self.in_time(lambda: self._execute_module(module_name=module, module_args=arguments,
                                                         task_vars=self._variables), self._variables)

    def _command(self, line: str, seconds: float = 0) -> dict[str, Any]:
        """A command's end; it may take so much longer than a host that is asked something."""
        return self.in_time(lambda: self._low_level_execute_command(line), self._variables, seconds)

    def _state(self) -> dict[str, Any]:
        answer = self.ask("cbops.telemetry.telemetry_info", {"launch_scripts": self._arguments["launch_scripts"],
                                                             "attach": self._arguments["attach"]}, self._variables)
        if answer.get("failed") or "state" not in answer:
            raise AnsibleActionFail(f"its state could not be read: {said(answer)}", result=answer)
        return answer["state"]

    def _restart(self, services: Sequence[str]) -> str | None:
        """Restart them; what the service manager says against it, or None."""
        for service in services:
            if service.endswith(".service"):
                # Not by the module systemd_service: it returns the unit's Environment=, which holds passwords, and at
                # -vvv Ansible prints what a module returns.
                ended = self._command(f"systemctl restart -- {self._connection._shell.quote(service)}",
                                      self._arguments["timeout"])
                problem = one_line(str(ended.get("msg") or ended.get("stderr") or ended.get("stdout") or ""))[:500] \
                    if ended.get("rc") or ended.get("failed") else None
            else:
                answer = self._module("ansible.builtin.sysvinit", name=service, state="restarted")
                problem = said(answer) if answer.get("failed") else None
            if problem is not None:
                return f"{service} could not be restarted: {problem or 'no answer'}"
        return None

    def _units(self, services: Sequence[str]) -> dict[str, dict[str, str]]:
        """What the service manager says of those services that it knows itself."""
        units = [service for service in services if service.endswith(".service")]
        if not units:
            return {}
        quote = self._connection._shell.quote
        answer = self._command(f"systemctl show --property={','.join(PROPERTIES)} -- {' '.join(map(quote, units))}")
        return shown(str(answer.get("stdout") or ""), units)

    def _restart_and_wait(self, due: Sequence[Mapping[str, Any]], services: Sequence[str],
                          desired: str | None) -> tuple[str | None, dict[str, Any]]:
        """The health gate: what is wrong after a restart, or None; and the state then.

        New JVMs run with the desired value (None: with any), their services are active, the controller serves requests,
        and all of that for as long as ``settle`` says, by the same processes.
        """
        before = self._units(services)
        problem = self._restart(services)
        counted: dict[str, int] = {}
        controller = self._controller()
        deadline = time.monotonic() + self._arguments["timeout"]
        while True:
            units = self._units(services)
            for service, properties in units.items():
                # It counts from 0 after a restart by hand, unless that found the service waiting for its next try.
                old, now = number(before.get(service, {}), "NRestarts"), number(properties, "NRestarts")
                counted.setdefault(service, now if old and now >= old else 0)
            over = {service: ended(properties, counted[service]) for service, properties in units.items()}
            state = self._state()
            found = {entry["name"]: entry for entry in state["installations"]}
            late = [entry["name"] for entry in due
                    if not (healed(entry, found.get(entry["name"]), desired) if desired
                            else renewed(entry, found.get(entry["name"])))]
            dead = next((f"{service}: {reason}" for service, reason in over.items() if reason), None)
            waiting = [service for service, properties in units.items() if properties.get("ActiveState") != "active"]
            ready = not late and (controller is None or controller.is_ready())
            if dead is None and not late and not waiting and ready:
                return self._settled(due, units, counted, desired, state)
            timed_out = time.monotonic() > deadline
            if dead or (problem and (late or waiting)) or timed_out:
                why = dead or problem or f"waited {self._arguments['timeout']} seconds"
                if late:
                    value = f" with telemetry {desired}" if desired else ""
                    return f"{', '.join(late)}: no new JVM runs{value} after the restart ({why})", state
                if dead or waiting:
                    names = ", ".join(waiting or [service for service, reason in over.items() if reason])
                    return f"{names} does not stay up after the restart ({why})", state
                return f"{controller.url if controller else ''} does not become ready after the restart ({why})", state
            time.sleep(POLL_SECONDS)

    def _settled(self, due: Sequence[Mapping[str, Any]], units: Mapping[str, Mapping[str, str]],
                 counted: Mapping[str, int], desired: str | None, state: dict[str, Any],
                 ) -> tuple[str | None, dict[str, Any]]:
        """What is wrong with services that came up in the time for which they must stay so, or None; the state then."""
        seconds = self._arguments["settle"]
        began = time.monotonic()
        until = began + seconds
        mains = {service: number(properties, "MainPID") for service, properties in units.items()}
        while time.monotonic() < until:
            time.sleep(min(SETTLE_POLL_SECONDS, max(0.1, until - time.monotonic())))
            for service, properties in self._units(list(units)).items():
                reason = ended(properties, counted[service])
                if reason is None and properties.get("ActiveState") != "active":
                    reason = f"it is {words(properties)}"
                if reason is None and mains[service] and number(properties, "MainPID") != mains[service]:
                    reason = "its main process is another one"
                if reason:
                    after = int(time.monotonic() - began) + 1
                    return f"{service} came up and did not stay up for {seconds} seconds: within {after} seconds " \
                           f"{reason}", self._state()
        if not seconds:
            return None, state
        first = {entry["name"]: processes(entry) for entry in state["installations"]}
        state = self._state()
        now = {entry["name"]: entry for entry in state["installations"]}
        for name in (entry["name"] for entry in due):
            if processes(now.get(name)) != first[name]:
                return f"{name} came up and did not stay up for {seconds} seconds: other processes run now, or none", \
                    state
            if desired and now[name]["running"] != desired:
                return f"{name}: after {seconds} seconds its JVM runs with telemetry {now[name]['running']}", state
        controller = self._controller()
        if controller is not None and not controller.is_ready():
            return f"{controller.url} does not serve requests {seconds} seconds after it was ready", state
        return None, state

    # -- after a failure ------------------------------------------------------------------------

    def _put_off(self, result: Mapping[str, Any], reason: str) -> dict[str, Any]:
        self._record([refusal("restart", reason)])
        return {**result, "deferred": reason}

    def _gates(self, desired: str | None) -> list[str]:
        """What had to be so before and after a restart, for the record."""
        given, value = self._arguments, f" with telemetry {desired}" if desired else ""
        asked = {"no build runs": desired and given.get("when_idle"), "the window is open": given.get("window"),
                 f"a new JVM runs{value}": True, "its service is active": True,
                 "its controller serves requests": given.get("url"),
                 f"it has stayed so for {given['settle']} seconds": given["settle"]}
        return [gate for gate, is_asked in asked.items() if is_asked]

    def _record(self, changes: Sequence[Mapping[str, Any]]) -> None:
        self.record(changes, self._variables)

    def _backup(self, **arguments: Any) -> dict[str, Any]:
        """What the backups of the host tell, or are made to do."""
        return self.in_time(lambda: self._as_module("cbops.telemetry.telemetry_backup", {"run": RUN_ID, **arguments},
                                                    self._variables), self._variables)

    def _journal(self, services: Sequence[str]) -> str:
        """What the services said last, as the end of a message."""
        quote = self._connection._shell.quote
        said_last = []
        for service in services:
            answer = self._command(command(service, quote))
            lines = last_lines(str(answer.get("stdout") or ""), [self._arguments["token"] or ""])
            if lines:
                said_last.append(f"{service} said last: " + " | ".join(lines))
        return "; ".join(said_last).rstrip(".") or "their journal says nothing"

    def _edited(self, due: Sequence[Mapping[str, Any]], state: Mapping[str, Any]) -> tuple[list[str], str | None]:
        """The files that this run has edited on the host, but for those of other installations; or why not known."""
        answer = self._backup(of_run=RUN_ID)
        if answer.get("failed"):
            return [], said(answer)
        own = {path for entry in due for path in launch_files(entry)}
        names = [entry["name"] for entry in due]
        others = {path for entry in state["installations"] if entry["name"] not in names
                  for path in launch_files(entry)} - own
        return [path for path in answer.get("edited", []) if path not in others][:MOST_FILES], None

    def _roll_back(self, due: Sequence[Mapping[str, Any]], services: Sequence[str], failure: str,
                   state: Mapping[str, Any]) -> dict[str, Any]:
        """Put back what this run edited, restart once more, and say what came of it."""
        failure = f"{failure}. {self._journal(services)}"
        restored: list[str] = []
        sources: list[tuple[str, str | None]] = []
        until = time.monotonic() + self._arguments["timeout"]
        edited, unknown = self._edited(due, state)
        problems = [f"what this run edited is not known: {unknown}"] if unknown else []
        tasks: list[tuple[str, dict[str, Any]]] = [(path, {"of_run": RUN_ID}) for path in edited]
        for entry in due if not edited else ():
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
        self._record(roll_backs_of(sources))
        trouble = "".join(f"; {problem}" for problem in problems)
        if not restored:
            if not problems and self._variables.get("__telemetry_edited"):
                trouble = ", because this run kept no backup of what it edited (telemetry_backup is false)"
            elif not problems:
                trouble = ", because neither this run nor one since the old JVM started edited a launch file of it"
            return {"msg": f"{failure}. Nothing was rolled back{trouble}. {self._up_or_down(services)}"}
        self._module("ansible.builtin.systemd_service", daemon_reload=True)
        quote = self._connection._shell.quote
        for service in services:
            if service.endswith(".service"):  # else a start limit that was hit forbids the next start
                self._command(f"systemctl reset-failed -- {quote(service)}")
        gone = {entry["name"]: entry["processes"] for entry in state["installations"]}
        old = [{**entry, "processes": [*entry["processes"], *gone.get(entry["name"], [])]} for entry in due]
        again, state = self._restart_and_wait(old, services, None)
        self._record(restart_of(old, state, again, self._gates(None)))
        if again:
            came_of_it = f"it does not run either: {again}. {self._journal(services)}. {self._up_or_down(services)}"
        else:
            values = sorted({entry["running"] for entry in state["installations"]
                             if entry["name"] in [item["name"] for item in due]})
            came_of_it = f"it runs again as before (telemetry {', '.join(values)}), and has stayed up for " \
                         f"{self._arguments['settle']} seconds"
        return {"msg": f"{failure}. Rolled back {', '.join(restored)} and restarted: {came_of_it}{trouble}",
                "rolled_back": restored, "state": state}

    def _up_or_down(self, services: Sequence[str]) -> str:
        """What is known of services that are not as they should be: one in a crash loop is up for moments."""
        units = self._units(services)
        states = [f"{service} is {words(properties)}" for service, properties in units.items()]
        down = [service for service, properties in units.items() if properties.get("ActiveState") != "active"]
        return f"{'DOWN: ' if down else 'NOT AS WANTED: '}{'; '.join(states) or 'nothing is known of the service'}" \
               f"{'' if down else ' at this moment'}"

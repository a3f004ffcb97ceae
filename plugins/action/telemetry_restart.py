# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restarts the services of a host that owe one, when that is allowed, and makes sure that they come back.

Window and failure budget → drain → restart through the service manager → health gate → else roll back.
"""

from __future__ import annotations

import contextlib
import datetime
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError

from ansible_collections.cbops.telemetry.plugins.plugin_utils._budget import Budget, one_at_a_time
from ansible_collections.cbops.telemetry.plugins.plugin_utils._carrier import Carrier, one_line
from ansible_collections.cbops.telemetry.plugins.plugin_utils._controller import Controller, ControllerError, drain
from ansible_collections.cbops.telemetry.plugins.plugin_utils._drift import Act
from ansible_collections.cbops.telemetry.plugins.plugin_utils._evidence import said
from ansible_collections.cbops.telemetry.plugins.plugin_utils._window import window_of

POLL_SECONDS = 1.0
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
        _result, self._arguments = self.validate_argument_spec(argument_spec=ARGUMENTS)
        desired, when_idle = self._arguments["state"], self._arguments["when_idle"]
        if when_idle and not self._arguments["url"]:
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
            return {**result, "deferred": closed}
        if self._task.check_mode:
            return {**result, "changed": True}
        with one_at_a_time(self._arguments["group"]):
            exhausted = budget.exhausted()
            if exhausted:
                return {**result, "deferred": exhausted}
            try:
                deferred = self._drain() if when_idle else None
                if deferred:
                    return {**result, "deferred": deferred}
            except ControllerError as error:
                raise AnsibleActionFail(f"not restarted: {error}") from error
            try:
                failure, result["state"] = self._restart_and_wait(due, services, desired)
                result["changed"] = True
                if failure:
                    result.update(self._roll_back(due, services, failure), failed=True)
            except AnsibleError:
                result["failed"] = True
                raise
            finally:
                if result.get("failed"):
                    budget.spend(self._variables["inventory_hostname"])
                    self._start_builds()
        return result

    # -- before ---------------------------------------------------------------------------------

    def _controller(self) -> Controller | None:
        given = self._arguments
        return Controller(given["url"], given["user"] or "", given["token"] or "", given["ca_file"]) \
            if given["url"] else None

    def _drain(self) -> str | None:
        """Quiet down until idle; why the restart is put off, or None."""
        controller = self._controller()
        seconds = self._arguments["idle_timeout"]
        running = drain(controller, self._arguments["reason"], seconds) if controller is not None else []
        if not running:
            return None
        more = f" and {len(running) - 3} more" if len(running) > 3 else ""
        return f"still busy after {seconds} seconds: {', '.join(running[:3])}{more}; builds are started again"

    def _start_builds(self) -> None:
        """Where the old JVM runs on after all, it must not stay quiet for ever."""
        controller = self._controller()
        if self._arguments["when_idle"] and controller is not None:
            with contextlib.suppress(ControllerError):
                controller.cancel_quiet_down()

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

    def _restart_and_wait(self, due: Sequence[Mapping[str, Any]], services: Sequence[str],
                          desired: str | None) -> tuple[str | None, dict[str, Any]]:
        """The health gate: what is wrong after a restart, or None; and the state then.

        ``desired`` None means: whatever it ran with before.
        """
        problem = self._restart(services)
        controller = self._controller()
        deadline = time.monotonic() + self._arguments["timeout"]
        while True:
            state = self._state()
            now = {entry["name"]: entry for entry in state["installations"]}
            late = [entry["name"] for entry in due
                    if not (healed(entry, now.get(entry["name"]), desired) if desired
                            else renewed(entry, now.get(entry["name"])))]
            ready = controller is None or controller.is_ready()
            if not late and ready:
                return None, state
            given_up = problem or self._dead(services)
            if given_up or time.monotonic() > deadline:
                said = given_up or f"waited {self._arguments['timeout']} seconds"
                if late:
                    value = f" with telemetry {desired}" if desired else ""
                    return f"{', '.join(late)}: no new JVM runs{value} after the restart ({said})", state
                return f"{controller.url if controller else ''} does not become ready after the restart ({said})", state
            time.sleep(POLL_SECONDS)

    def _dead(self, services: Sequence[str]) -> str | None:
        """A service that the service manager has given up, so that nobody need wait for it."""
        for service in services:
            if service.endswith(".service"):
                answer = self._command(
                    f"systemctl show --property=ActiveState -- {self._connection._shell.quote(service)}")
                if answer.get("stdout", "").strip() == "ActiveState=failed":
                    return f"{service} has failed; look at its journal"
        return None

    # -- after a failure ------------------------------------------------------------------------

    def _back(self, path: str, since: str | None) -> dict[str, Any]:
        """A launch file put back as it was at a moment."""
        arguments = {"path": path, "restore": True, "since": since}
        return self.in_time(lambda: self._as_module("cbops.telemetry.telemetry_backup", arguments, self._variables),
                            self._variables)

    def _roll_back(self, due: Sequence[Mapping[str, Any]], services: Sequence[str], failure: str) -> dict[str, Any]:
        """Put back what was edited since the JVMs started, restart once more, and say what came of it."""
        restored: list[str] = []
        until = time.monotonic() + self._arguments["timeout"]
        for entry in due:
            started = min((process["started"] for process in entry["processes"]), default=None)
            for path in launch_files(entry) if started else []:
                if time.monotonic() > until:
                    return {"msg": f"{failure}; the roll-back was given up: the time for it is over",
                            "rolled_back": restored}
                answer = self._back(path, started)
                if answer.get("failed"):
                    failure += f"; {path} could not be rolled back: {said(answer)}"
                elif answer.get("changed"):
                    restored.append(path)
                    self.remember(Act(frozenset([path])), self._variables)
        if not restored:
            return {"msg": f"{failure}. Nothing was rolled back: no launch file was edited since the old JVM started"}
        self._module("ansible.builtin.systemd_service", daemon_reload=True)
        again, state = self._restart_and_wait(due, services, None)
        came_of_it = f"it does not run either: {again}" if again else "it runs again as before"
        return {"msg": f"{failure}. Rolled back {', '.join(restored)} and restarted: {came_of_it}",
                "rolled_back": restored, "state": state}

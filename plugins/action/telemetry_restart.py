# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restarts the services of a host that owe one, through the service manager, and waits for the running value."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

POLL_SECONDS = 1.0


def owing(state: Mapping[str, Any], desired: str) -> list[Mapping[str, Any]]:
    """Installations whose next start is as desired and whose running JVM is not: a restart mends them."""
    return [entry for entry in state["installations"]
            if entry["service"] and entry["on_disk"] == entry["next_start"] == desired
            and entry["running"] in ({"disabled", "enabled"} - {desired} | {"mixed"})]


def healed(before: Mapping[str, Any], after: Mapping[str, Any] | None, desired: str) -> bool:
    """True where new processes, and no old one, run with the desired value."""
    if after is None or after["running"] != desired:
        return False
    old = {(process["pid"], process["started"]) for process in before["processes"]}
    return all((process["pid"], process["started"]) not in old for process in after["processes"])


@contextlib.contextmanager
def one_at_a_time(group: str) -> Iterator[None]:
    """Hold the restart of a group's hosts one by one, whatever the number of forks or the batch."""
    if not group:
        yield
        return
    name = f"cbops-telemetry-{os.getuid()}-{hashlib.sha256(group.encode()).hexdigest()[:16]}.lock"
    descriptor = os.open(os.path.join(tempfile.gettempdir(), name), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class ActionModule(ActionBase):
    """Action behind M(cbops.telemetry.telemetry_restart)."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Find who owes a restart, restart, wait."""
        super().run(tmp, task_vars)
        variables = task_vars or {}
        _result, arguments = self.validate_argument_spec(argument_spec={
            "state": {"type": "str", "choices": ["disabled", "enabled"], "required": True},
            "launch_scripts": {"type": "list", "elements": "str", "default": []},
            "attach": {"type": "str", "choices": ["auto", "never"], "default": "auto"},
            "timeout": {"type": "int", "default": 300},
            "group": {"type": "str", "default": ""},
        })
        desired = arguments["state"]
        before = self._state(arguments, variables)
        due = owing(before, desired)
        services = list(dict.fromkeys(entry["service"] for entry in due))
        if not services or self._task.check_mode:
            return {"changed": bool(services), "services": services, "state": before}
        with one_at_a_time(arguments["group"]):
            for service in services:
                self._restart(service, variables)
            return self._wait(due, services, desired, arguments, variables)

    def _state(self, arguments: Mapping[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        answer = self._execute_module(
            module_name="cbops.telemetry.telemetry_info", task_vars=variables,
            module_args={"launch_scripts": arguments["launch_scripts"], "attach": arguments["attach"]})
        if answer.get("failed") or "state" not in answer:
            raise AnsibleActionFail(f"its state could not be read: {answer.get('msg', 'no answer')}", result=answer)
        return answer["state"]

    def _restart(self, service: str, variables: dict[str, Any]) -> None:
        module = "ansible.builtin.systemd_service" if service.endswith(".service") else "ansible.builtin.sysvinit"
        answer = self._execute_module(module_name=module, task_vars=variables,
                                      module_args={"name": service, "state": "restarted"})
        if answer.get("failed"):
            raise AnsibleActionFail(f"{service} could not be restarted: {answer.get('msg', 'no answer')}")

    def _wait(self, due: list[Mapping[str, Any]], services: list[str], desired: str, arguments: Mapping[str, Any],
              variables: dict[str, Any]) -> dict[str, Any]:
        deadline = time.monotonic() + arguments["timeout"]
        while True:
            state = self._state(arguments, variables)
            now = {entry["name"]: entry for entry in state["installations"]}
            late = [entry["name"] for entry in due if not healed(entry, now.get(entry["name"]), desired)]
            if not late:
                return {"changed": True, "services": services, "state": state}
            if time.monotonic() > deadline:
                return {"changed": True, "failed": True, "services": services, "state": state,
                        "msg": f"{', '.join(late)}: restarted, but after {arguments['timeout']} seconds no new JVM "
                               f"runs with telemetry {desired}; look at its journal"}
            time.sleep(POLL_SECONDS)

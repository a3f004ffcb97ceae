# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a long run is, in one line at the bottom of a terminal."""

from __future__ import annotations

DOCUMENTATION = r"""
name: progress
type: notification
short_description: Show how far a long run is
version_added: 0.1.0
description:
  - Shows for each task of this collection how many hosts are done, how many violations were found so far, and about how
    much time is left, in one line that is written over again and again. M(cbops.telemetry.fleet_sweep) does so by
    itself.
  - Says nothing where standard error is no terminal, where the environment variable C(CI) is set, or where
    ansible-runner runs Ansible (AWX, Ansible Automation Platform, ansible-navigator), whose terminal nobody looks at.
author:
  - The cbops.telemetry maintainers (@cbops)
requirements:
  - C(callbacks_enabled = cbops.telemetry.progress) in the section C([defaults]) of C(ansible.cfg)
"""

import os
import sys
import time
from typing import Any

from ansible.plugins.callback import CallbackBase

from ansible_collections.cbops.telemetry.plugins.plugin_utils._showing import how_far, under_runner
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._verdicts import BROKEN, in_camps

#: Seconds between two updates: a terminal over a slow line must not hold the run up.
PERIOD = 0.2


def line(task: str, done: int, total: int, violations: int, elapsed: float, columns: int) -> str:
    """The line; ``elapsed`` is in seconds and counts from the task's start. Cut to the width of the terminal."""
    return how_far(task, done, total, violations, elapsed)[: max(columns - 1, 0)]


class CallbackModule(CallbackBase):
    """Counts results of this collection's tasks."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "cbops.telemetry.progress"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        # ansible-runner gives a terminal and makes events of what is written there.
        self.disabled = not sys.stderr.isatty() or bool(os.environ.get("CI")) or under_runner()
        self._task, self._total, self._violations = "", 0, 0
        self._hosts: set[str] = set()
        self._began = self._shown = 0.0
        self._visible = False

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """How many hosts there are, in this play or in this batch of it."""
        self._clear()
        variables = play.get_variable_manager().get_vars(play=play)
        self._total = len(variables.get("ansible_play_batch") or variables.get("ansible_play_hosts_all") or [])

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """Begin to count anew."""
        self._clear()
        # One that is done once, for all hosts, has one result: what it counts, as the sweep does, it says itself.
        counted = "cbops.telemetry." in str(task.action) and not task.run_once
        self._task = task.get_name().split(" : ")[-1] if counted else ""
        self._hosts, self._began = set(), time.monotonic()

    def v2_runner_on_ok(self, result: Any) -> None:
        """A host is done."""
        answer = getattr(result, "result", None) or result._result
        if answer.get("verdict") in in_camps(BROKEN):
            self._violations += 1
        self._count(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """A host is done."""
        self._count(result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """A host is done."""
        self._count(result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        """A host is done."""
        self._count(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Leave nothing behind."""
        self._clear()

    def _count(self, result: Any) -> None:
        host = getattr(result, "host", None) or result._host
        self._hosts.add(str(host))
        moment = time.monotonic()
        if not self._task or (moment - self._shown < PERIOD and len(self._hosts) < self._total):
            return
        self._shown = moment
        columns = os.get_terminal_size(sys.stderr.fileno()).columns or 80  # 0: it does not know
        text = line(self._task, len(self._hosts), self._total, self._violations, moment - self._began, columns)
        # The cursor goes back to the line's beginning, so that whatever Ansible says next takes its place.
        self._write(f"\r\x1b[K{text}\r")
        self._visible = True

    def _clear(self) -> None:
        if self._visible:
            self._write("\r\x1b[K")
            self._visible = False

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()

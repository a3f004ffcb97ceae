# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deadline and a size for what one host answers, whatever the connection plugin would wait for or keep in memory.

Private to this collection. Runs on the control node, in the process that Ansible forks for a host and a task. A thread
watches that process; where a limit is passed it ends what the process has started (ssh and what stands before it), so
that the plugin sees its connection end. No signal interrupts Ansible, whose locks other hosts share, and Ansible's own
timeout of the task goes on working.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

#: Bytes of an answer that are too many for one; a host itself sends at most half of that.
LARGEST = 8 << 20
#: How much the memory of the process may grow while it waits. An answer is there several times: as bytes, text, lines.
_GROWTH = 96 << 20
#: Seconds between two looks, before a limit is passed and after.
_PERIOD = 0.2
_PERIOD_AFTER = 0.02
#: Seconds after which the connection is closed too, where nothing that was ended made the plugin come back.
_PATIENCE = 1.0

ENDED = "the run was ended while it was asked"
TOO_LARGE = f"its answer is larger than {LARGEST} bytes"


def too_late(seconds: float) -> str:
    """That a host did not answer."""
    return f"it did not answer within {seconds:g} seconds (telemetry_host_limit)"


class Deadline:
    """While it is entered, what this process waits for ends after some seconds, and where it says too much.

    So it does where the process that started this one has ended, as when the run is killed.

    Afterwards ``problem`` says what was passed; then what came back or was raised meanwhile counts for nothing.
    """

    def __init__(self, seconds: float, connection: Any = None) -> None:
        self.problem: str | None = None
        self._seconds, self._connection = seconds, connection
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="deadline", daemon=True)

    def __enter__(self) -> Deadline:
        self._until = time.monotonic() + self._seconds
        self._memory, self._parent = _memory(), os.getppid()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._over.set()
        self._thread.join()
        return self.problem is not None and isinstance(error, Exception)

    def _watch(self) -> None:
        while not self._over.wait(max(min(_PERIOD, self._until - time.monotonic()), 0.001)):
            if time.monotonic() >= self._until:
                self.problem = too_late(self._seconds)
            elif _memory() - self._memory > _GROWTH:
                self.problem = TOO_LARGE
            elif os.getppid() != self._parent:
                self.problem = ENDED  # Ansible was killed, and leaves its workers and their connections behind
            if self.problem:
                self._end()
                return

    def _end(self) -> None:
        """End what was started, and what is started then (a retry, another step of a module), until we are left."""
        patience = time.monotonic() + _PATIENCE
        while True:
            for process in descendants(os.getpid()):
                with contextlib.suppress(OSError):  # it ended, or is root's by sudo: then it ends with its pipes
                    os.kill(process, signal.SIGKILL)
            if self._connection is not None and time.monotonic() > patience:
                with contextlib.suppress(Exception):  # a plugin that starts nothing: closing is all that can be done
                    self._connection.close()
                self._connection = None
            if self._over.wait(_PERIOD_AFTER):
                return


@contextlib.contextmanager
def not_orphaned() -> Iterator[None]:
    """While it is entered, this process ends where the one that started it does: nobody takes what it finds out."""
    over, parent = threading.Event(), os.getppid()

    def watch() -> None:
        while not over.wait(_PERIOD):
            if os.getppid() != parent:
                for process in descendants(os.getpid()):
                    with contextlib.suppress(OSError):
                        os.kill(process, signal.SIGKILL)
                os._exit(1)

    threading.Thread(target=watch, name="orphaned", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def descendants(process: int) -> list[int]:
    """The processes below one, its own children first."""
    children: dict[int, list[int]] = {}
    for pid, parent in _processes():
        children.setdefault(parent, []).append(pid)
    found: list[int] = []
    layer = children.get(process, [])
    while layer:
        found += layer
        layer = [child for one in layer for child in children.get(one, [])]
    return found


def _processes() -> list[tuple[int, int]]:
    """All processes, each with its parent; by ``ps`` where there is no /proc."""
    found = []
    if Path("/proc/self/stat").exists():
        for name in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError, IndexError):
                stat = Path("/proc", name, "stat").read_bytes()
                found.append((int(name), int(stat.rsplit(b")", 1)[1].split()[1])))
        return found
    listed = subprocess.Popen(["ps", "-A", "-o", "pid=,ppid="], stdout=subprocess.PIPE)
    for line in listed.communicate()[0].splitlines():
        pid, parent = map(int, line.split())
        if pid != listed.pid:
            found.append((pid, parent))
    return found


def _memory() -> int:
    """Bytes of memory that this process has in use; at its height, where there is no /proc."""
    try:
        with open("/proc/self/statm", encoding="ascii") as stream:
            return int(stream.read().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes where it is not Linux

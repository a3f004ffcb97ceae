# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the hosts of one run must know of each other: who restarts now, and how many restarts failed.

Each host's task runs in a process of its own, and batches are plays of their own, so this lives in small files of
the user's in the folder for temporary files. Private to this collection. Runs on the control node.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


def _open(name: str, create: bool = True) -> int:
    path = os.path.join(tempfile.gettempdir(), f"cbops-telemetry-{os.getuid()}-{name}")
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | (os.O_CREAT if create else 0), 0o600)
    if os.fstat(descriptor).st_uid != os.getuid():
        os.close(descriptor)
        raise OSError(f"{path} belongs to somebody else")
    return descriptor


@contextlib.contextmanager
def one_at_a_time(group: str) -> Iterator[None]:
    """Hold the restart of a group's hosts one by one, whatever the number of forks or the batch."""
    if not group:
        yield
        return
    descriptor = _open(f"{hashlib.sha256(group.encode()).hexdigest()[:16]}.lock")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def this_run() -> str:
    """A name for the running playbook: its process and when that began."""
    pid = os.getppid()
    try:
        started = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except (OSError, IndexError):
        started = "0"
    return f"{pid}-{started}"


class Budget:
    """Failed restarts of one run, and how many of them stop it."""

    def __init__(self, limit: int, run: str | None = None) -> None:
        self.limit = limit
        self._name = f"{run or this_run()}.failures"

    def failed(self) -> list[str]:
        """Hosts whose restart failed in this run."""
        try:
            descriptor = _open(self._name, create=False)
        except FileNotFoundError:
            return []
        try:
            return os.pread(descriptor, 1 << 20, 0).decode().splitlines()
        finally:
            os.close(descriptor)

    def spend(self, host: str) -> None:
        """Note a failed restart."""
        descriptor = _open(self._name)
        try:
            os.write(descriptor, f"{host}\n".encode())
        finally:
            os.close(descriptor)

    def exhausted(self) -> str | None:
        """Why nothing more is restarted in this run, or None."""
        hosts = self.failed()
        if len(hosts) <= self.limit:
            return None
        named = ", ".join(hosts[:5])
        return (f"not restarted: {len(hosts)} restart{'s' * (len(hosts) > 1)} failed in this run ({named}) and "
                f"telemetry_max_failures is {self.limit}")

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the hosts of one run must know of each other: who restarts now, and how many restarts failed.

Each host's task runs in a process of its own, and batches are plays of their own, so this lives in small files: the
failures in ansible-playbook's own temporary folder, which is new for every run, nobody else's, and removed at its end;
the locks, which runs at the same time share, in a private folder of the user's beside it. Names in a folder for
everybody's temporary files would belong to whoever makes them first.

Private to this collection. Runs on the control node.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import math
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ansible import constants

from ansible_collections.cbops.telemetry.plugins.plugin_utils._showing import named

POLL_SECONDS = 0.1
_FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class Held(Exception):
    """Another host of the same group is restarted, and does not come to its end."""


def _places() -> list[Path]:
    """Where the private folder can be: in Ansible's home, else beside its temporary folders."""
    home = getattr(constants, "ANSIBLE_HOME", None)
    beside = Path(constants.DEFAULT_LOCAL_TMP).parent
    return [*([Path(home)] if home else []), beside]


def private_folder(places: Sequence[Path]) -> int:
    """A descriptor of a folder that is this user's alone, in the first place where there can be one. Raises OSError."""
    problems = []
    for place in places:
        path = place / f"cbops.telemetry-{os.geteuid()}"
        try:
            place.mkdir(0o700, parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                path.mkdir(0o700)
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | _FLAGS)
        except OSError as error:
            problems.append(f"{path}: {error.strerror}")
            continue
        status = os.fstat(descriptor)
        if status.st_uid == os.geteuid() and not status.st_mode & 0o077:
            return descriptor
        os.close(descriptor)
        problems.append(f"{path}: it is not this user's alone")
    raise OSError(errno.EPERM, f"no private folder for locks ({'; '.join(problems)}); ANSIBLE_HOME can name another")


@contextlib.contextmanager
def one_at_a_time(
    groups: Iterable[str], places: Sequence[Path] | None = None, seconds: float = math.inf
) -> Iterator[None]:
    """Hold the restart of the hosts of each of these groups one by one, whatever the forks, the batch or the run.

    Everybody takes the locks of several groups in one order, so that no two wait for each other. Raises :class:`Held`
    where another one holds a lock for so long.
    """
    names = sorted({f"{hashlib.sha256(group.encode()).hexdigest()[:16]}.lock" for group in groups if group})
    if not names:
        yield
        return
    with contextlib.ExitStack() as held:
        folder = private_folder(_places() if places is None else places)
        held.callback(os.close, folder)
        _sweep(folder)
        until = time.monotonic() + seconds
        for name in names:
            held.callback(_release, _locked(folder, name, until), folder, name)
        yield


def _release(descriptor: int, folder: int, name: str) -> None:
    # While it is locked: whoever waits for it sees that it is gone, and makes another.
    os.unlink(name, dir_fd=folder)
    os.close(descriptor)


def _locked(folder: int, name: str, until: float) -> int:
    """A descriptor of the file of this name, locked. Raises :class:`Held`."""
    while True:
        descriptor = os.open(name, os.O_RDWR | os.O_CREAT | _FLAGS, 0o600, dir_fd=folder)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_there(descriptor, folder, name):
                return descriptor
        except BlockingIOError:
            if time.monotonic() > until:
                os.close(descriptor)
                raise Held from None
            time.sleep(POLL_SECONDS)
        os.close(descriptor)


def _is_there(descriptor: int, folder: int, name: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(name, dir_fd=folder, follow_symlinks=False))
    except FileNotFoundError:
        return False


def _sweep(folder: int) -> None:
    """Remove the locks of runs that were killed: those that nobody holds."""
    for name in os.listdir(folder):
        with contextlib.suppress(OSError):
            descriptor = os.open(name, os.O_RDWR | _FLAGS, dir_fd=folder)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_there(descriptor, folder, name):
                    os.unlink(name, dir_fd=folder)
            finally:
                os.close(descriptor)


class Budget:
    """Failed restarts of one run, and how many of them stop it."""

    def __init__(self, limit: int, folder: Path | None = None) -> None:
        self.limit = limit
        self._path = (folder or Path(constants.DEFAULT_LOCAL_TMP)) / "cbops.telemetry.failures"

    def failed(self) -> list[str]:
        """Hosts whose restart failed in this run."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | _FLAGS)
        except FileNotFoundError:
            return []
        with os.fdopen(descriptor, encoding="utf-8") as stream:
            return stream.read().splitlines()

    def spend(self, host: str) -> None:
        """Note a failed restart."""
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | _FLAGS, 0o600)
        try:
            os.write(descriptor, f"{host}\n".encode())
        finally:
            os.close(descriptor)

    def exhausted(self) -> str | None:
        """Why nothing more is restarted in this run, or None."""
        hosts = self.failed()
        if len(hosts) <= self.limit:
            return None
        return (
            f"not restarted: {len(hosts)} restart{'s' * (len(hosts) > 1)} failed in this run ({named(hosts)}) and "
            f"telemetry_max_failures is {self.limit}"
        )

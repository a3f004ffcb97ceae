# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a function in a child process, bounded in time: for what can hang (a dead NFS server), or changes its user.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import json
import os
import select
import signal
import time
from typing import Any, Callable, List

#: Seconds that the child gets to clean up when its time is over.
_GRACE = 1.5


class Late(Exception):
    """The function did not come back in time, or ended with an error of its own; says which."""


class _Ended(BaseException):
    """We are told to end: clean up first."""


def bounded(work: Callable[[], Any], seconds: float) -> Any:
    """What ``work`` returns (anything that JSON knows), as it ran in a child. Raises :class:`Late`."""
    reader, writer = os.pipe()
    try:
        child = os.fork()
    except OSError as error:  # too many processes
        os.close(reader)
        os.close(writer)
        raise Late(error.strerror)
    if child == 0:
        try:
            os.close(reader)
            _run(work, writer)
        finally:
            os._exit(0)
    os.close(writer)
    deadline = time.monotonic() + seconds + _GRACE
    parts: List[bytes] = []
    try:
        while select.select([reader], [], [], max(0.0, deadline - time.monotonic()))[0]:
            part = os.read(reader, 1 << 16)
            if not part:
                break
            parts.append(part)
    finally:
        os.close(reader)
        _end(child)
    try:
        returned, result = json.loads(b"".join(parts).decode("ascii"))
    except ValueError:
        raise Late("not in time")
    if not returned:
        raise Late(result)
    return result


def _run(work: Callable[[], Any], writer: int) -> None:
    def end(number: int, _frame: Any) -> None:
        signal.signal(number, signal.SIG_IGN)
        raise _Ended()

    try:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, end)
        said = [True, work()]
    except BaseException as error:
        said = [False, type(error).__name__]  # its text could hold what it read
    data = json.dumps(said).encode("ascii")
    while data:
        data = data[os.write(writer, data):]


def _end(child: int) -> None:
    """Wait for the child; end it where it does not end by itself."""
    for number in (None, signal.SIGTERM, signal.SIGKILL):
        try:
            if number is not None:
                os.kill(child, number)
            until = time.monotonic() + 1
            while time.monotonic() < until:
                if os.waitpid(child, os.WNOHANG)[0]:
                    return
                time.sleep(0.001)
        except (ChildProcessError, ProcessLookupError):
            return

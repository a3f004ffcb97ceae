# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs one function over many things in a child process: what hangs costs itself alone, and all of them a bounded time.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import json
import os
import select
import signal
import time
from typing import Any, Callable, List, NamedTuple, Sequence, Tuple

from . import _limits as limits
from ._child import end, forked

_NOTHING = b"\n"
_BROKEN = b"!\n"


class Each(NamedTuple):
    """What a function said of many things."""

    found: List[Tuple[Any, Any]]  # each thing of which it said something, and what that is
    late: List[Any]  # things of which nothing is known: they did not come back in time, or broke the function


def each(
    work: Callable[[Any], Any],
    things: Sequence[Any],
    seconds: float,
    total: float,
    first: Callable[[Any], Any],
    patience: float,
) -> Each:
    """What ``work`` says of each of the ``things`` (anything that JSON knows; None is nothing), in one child.

    One of them may take ``seconds``, all together ``total``. They are taken as they come; where that takes more than
    ``patience``, or one is late, those that are left are put in the order of ``first``, so that whoever makes the
    work dear is served last.
    """
    found: List[Tuple[Any, Any]] = []
    late: List[Any] = []
    left = list(things)
    now = time.monotonic()
    total = min(total, limits.left())
    deadline, change = now + total, now + min(patience, total)
    sorted_yet = False
    while left and time.monotonic() < deadline:
        lines, hangs = _lines(work, left, seconds, deadline if sorted_yet else change)
        for thing, line in zip(left, lines):
            if line == _BROKEN:
                late.append(thing)
            elif line != _NOTHING:
                found.append((thing, json.loads(line.decode("ascii"))))
        left = left[len(lines) :]
        if hangs and left:
            late.append(left.pop(0))
        if not sorted_yet:
            left.sort(key=first)
            sorted_yet = True
    return Each(found, late + left)


def _lines(
    work: Callable[[Any], Any], things: Sequence[Any], seconds: float, deadline: float
) -> Tuple[List[bytes], bool]:
    """A line for each thing until one hangs (then True) or the time is over."""
    try:
        child, reader = forked(lambda writer: _run(work, things, writer, deadline - time.monotonic()))
    except OSError:  # too many processes
        return [], True
    parts: List[bytes] = []
    hangs = True
    try:
        while True:
            wait = min(seconds, deadline - time.monotonic())
            if wait <= 0 or not select.select([reader], [], [], wait)[0]:
                hangs = wait == seconds
                break
            part = os.read(reader, 1 << 16)
            if not part:
                break  # the end, or it died of the thing that comes next
            parts.append(part)
    finally:
        os.close(reader)
        end(child, 0, False)
    whole = b"".join(parts)
    return whole[: whole.rfind(b"\n") + 1].splitlines(True), hangs


def _run(work: Callable[[Any], Any], things: Sequence[Any], writer: int, seconds: float) -> None:
    limits.Budget.tell, limits.Budget.bounded = None, True
    signal.alarm(int(max(seconds, 0)) + 3)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    for thing in things:
        try:
            said = work(thing)
            line = _NOTHING if said is None else json.dumps(said).encode("ascii") + b"\n"
        except Exception:  # noqa: BLE001  whatever it was broken by, the others go on
            line = _BROKEN
        while line:
            line = line[os.write(writer, line) :]

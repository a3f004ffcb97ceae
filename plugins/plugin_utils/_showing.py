# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person who watches a run is shown beside the results of its tasks.

Private to this collection. Runs on the control node.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterable, Sequence
from typing import Any

from ansible import constants as C
from ansible.utils.display import Display

#: Callbacks that write standard output for a program, which words in between would break.
_FOR_PROGRAMS = re.compile(r"json|null", re.IGNORECASE)

#: What of a fleet one message names, and how long it is at most: names, characters, and characters for the names.
MOST_NAMES, MOST_TEXT, _ROOM = 5, 600, 360
#: Lines of a table, of the reasons below it, of notes. ``-v`` shows all of them.
MOST_ROWS = 40
_CUT = " ..."
#: Seconds between two words on how far it is: on a terminal; in a log the first time, and at most.
_LIVE, _FIRST, _LONGEST = 1.0, 5.0, 60.0


def show(text: str) -> None:
    """Write it on standard output, unless that is written for a program."""
    if not for_programs():
        Display().display(text)


def for_programs() -> bool:
    """Whether standard output is written for a program."""
    return _FOR_PROGRAMS.search(C.DEFAULT_STDOUT_CALLBACK or "") is not None


def under_runner() -> bool:
    """Whether ansible-runner runs Ansible (AWX, navigator): it takes each result by itself, and nobody reads along."""
    return bool(os.environ.get("AWX_ISOLATED_DATA_DIR"))


def in_a_sentence(result: dict[str, Any], *kept: str) -> dict[str, Any]:
    """The result of a task that has failed as people read it: its sentence, and what is ``kept`` of the rest.

    Ansible writes all of such a result on the terminal. A program, and ``-v``, has the whole.
    """
    if not result.get("failed") or for_programs() or under_runner() or Display().verbosity:
        return result
    return {key: value for key, value in result.items() if key in ("changed", "failed", "msg", *kept)}


def how_far(task: str, done: int, total: int, violations: int, elapsed: float) -> str:
    """How far a task is that began ``elapsed`` seconds ago."""
    text = f"{task}: {done}/{total} hosts, {violations} violation{'s' * (violations != 1)} so far"
    if 0 < done < total:
        left = round(elapsed / done * (total - done))
        text += f", about {left // 60}:{left % 60:02d} left"
    return text


class Progress:
    """How far a task is that asks all hosts by itself: in one line of a terminal, or in a log now and then.

    Under ansible-runner it says nothing.
    """

    def __init__(self, task: str, total: int) -> None:
        self._task, self._total = task, total
        self._columns = 0 if os.environ.get("CI") else _columns()
        self._began = time.monotonic()
        self._period = _LIVE if self._columns else _FIRST
        self._due = self._began + self._period

    def tell(self, done: int, violations: int) -> None:
        """Say it, where it is time to."""
        moment = time.monotonic()
        if moment < self._due or done >= self._total or under_runner():
            return
        text = how_far(self._task, done, self._total, violations, moment - self._began)
        if self._columns:
            # The cursor goes back to the line's beginning, so that whatever Ansible says next takes its place.
            self._write(f"\r\x1b[K{text[: self._columns - 1]}\r")
        else:
            show(text)
            self._period = min(2 * self._period, _LONGEST)
        self._due = moment + self._period

    def end(self) -> None:
        """Leave nothing behind on a terminal."""
        if self._columns and not under_runner():
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        Display().display(text, stderr=True, screen_only=True, newline=False)


def _columns() -> int:
    """The width of the terminal at which somebody reads standard error; 0 where that is none.

    Of Ansible's main process: the one that does a task has no standard error. Without /proc it is not known.
    """
    with contextlib.suppress(OSError):
        descriptor = os.open(f"/proc/{os.getppid()}/fd/2", os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            return (os.get_terminal_size(descriptor).columns or 80) if os.isatty(descriptor) else 0
        finally:
            os.close(descriptor)
    return 0


def most_rows() -> int | None:
    """How many lines a table has; None where all are wanted (``-v``)."""
    return None if Display().verbosity else MOST_ROWS


def cut(text: str, most: int = MOST_TEXT) -> str:
    """A text that is no longer than a message may be, and says so where it ends early."""
    return text if len(text) <= most else text[: most - len(_CUT)].rstrip() + _CUT


def named(items: Sequence[str], between: str = ", ") -> str:
    """Some names, or sentences each on a host, and how many more: short enough for a message that says more."""
    chosen: list[str] = []
    room = _ROOM
    for item in items[:MOST_NAMES]:
        if chosen and len(item) > room:
            break
        chosen.append(cut(item, max(room, len(_CUT))))
        room -= len(chosen[-1]) + len(between)
    more = len(items) - len(chosen)
    return between.join(chosen) + (f"{between.rstrip() if between == '; ' else ''} and {more} more" if more else "")


def first(lines: Iterable[str], most: int | None, what: str) -> list[str]:
    """As many lines as are shown, each no longer than a message, then how many more there are of ``what``."""
    found = list(lines)
    if most is None:
        return found
    more = len(found) - most
    return [*map(cut, found[:most]), *([f"and {more} more {what} (-v shows all)"] if more > 0 else [])]

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restarts in growing stages: a play's ``serial`` counts hosts, and most of them may owe no restart.

Where the first three batches owe none, the fourth would restart a fifth of the fleet at once, and nothing would have
been tried before. So the restarts of a run are counted themselves: the first is alone, wherever its host stands in the
inventory, and each stage begins when the one before it has ended. The counts are in a small file of the run's own, as
those of its failures are (_coordination). Private to this collection. Runs on the control node.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ansible import constants

from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart._plan import batches

POLL_SECONDS = 0.5
_FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC


class NoPlace(Exception):
    """A restart that has to wait for others, which do not come to their end; says for whom."""


def ends_of(count: int, serial: Sequence[Any]) -> list[int]:
    """How many restarts may have begun in each stage, for so many hosts. Empty: as many as like."""
    numbers = batches(count, list(serial)) if serial else []
    return [sum(number <= stage for number in numbers) for stage in dict.fromkeys(numbers)]


class Stages:
    """The restarts of one run."""

    def __init__(self, ends: Sequence[int], folder: Path | None = None) -> None:
        self._ends = ends
        self._path = (folder or Path(constants.DEFAULT_LOCAL_TMP)) / "cbops.telemetry.restarts"

    @contextlib.contextmanager
    def place(self, host: str, seconds: float, sleep: Callable[[float], None] = time.sleep) -> Iterator[Place]:
        """Wait until a host's restart may begin, at most so long; it ends with the block. Raises :class:`NoPlace`."""
        place = Place()
        if not self._ends:
            yield place
            return
        until = time.monotonic() + seconds
        while True:
            before = self._take(host)
            if before is None:
                break
            if time.monotonic() > until:
                raise NoPlace(f"not restarted: the restarts that come first have not ended ({', '.join(before[:5])})")
            sleep(POLL_SECONDS)
        try:
            yield place
        finally:
            self._note("ended" if place.was_used else "left", host)

    def _take(self, host: str) -> list[str] | None:
        """Take a place, and return None, or the hosts that are restarted now."""
        with self._locked() as descriptor:
            began, ended = self._counted(descriptor)
            allowed = next((end for end in self._ends if end > len(ended)), None)
            if allowed is not None and len(began) >= allowed:
                return sorted(set(began) - set(ended))
            os.write(descriptor, f"began {host}\n".encode())
            return None

    def _note(self, word: str, host: str) -> None:
        with self._locked() as descriptor:
            os.write(descriptor, f"{word} {host}\n".encode())

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | _FLAGS, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)

    @staticmethod
    def _counted(descriptor: int) -> tuple[list[str], list[str]]:
        """The hosts whose restart has begun, and those whose has ended."""
        began: list[str] = []
        ended: list[str] = []
        os.lseek(descriptor, 0, os.SEEK_SET)
        with os.fdopen(os.dup(descriptor), encoding="utf-8") as stream:
            for line in stream.read().splitlines():
                word, _blank, host = line.partition(" ")
                if word == "began":
                    began.append(host)
                elif word == "left" and host in began:  # it was put off: what comes first is still to come
                    began.remove(host)
                elif word == "ended":
                    ended.append(host)
        return began, ended


class Place:
    """The place of a host in its stage."""

    def __init__(self) -> None:
        self.was_used = False

    def use(self) -> None:
        """The restart really takes place."""
        self.was_used = True

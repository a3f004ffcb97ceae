# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Program text to parse, the number of a line, and what is said where something cannot be known.

Text is Latin-1, so one character is one byte and a position is a byte offset. Private to this collection. Runs on
the managed host: Python 3.6+, standard library only.
"""

from bisect import bisect_right
from functools import lru_cache
from typing import Iterable, List, Optional, Tuple

from ._characters import Run as Run  # noqa: PLC0414 -- others take it from here

_LIMIT_REASON = 500  # characters


class Unresolvable(Exception):
    """What the next start will do cannot be known without running something; says why, and where."""

    def __init__(self, reason: str, path: Optional[str] = None, line: Optional[int] = None) -> None:
        self.reason = reason if len(reason) <= _LIMIT_REASON else reason[:_LIMIT_REASON] + "…"
        super().__init__(self.reason)
        self.path = path
        self.line = line

    def __str__(self) -> str:
        if self.path is None:
            return self.reason
        if self.line is None:
            return "%s: %s" % (self.path, self.reason)
        return "%s:%d: %s" % (self.path, self.line, self.reason)


_BLOCK = 1 << 16  # characters between two counts of line ends


#: What the shell makes its values of.
Value = List[Run]


def text_of(value: Iterable[Run]) -> str:
    """The characters of a value; what is unknown counts as nothing (see :func:`unknown_of`)."""
    return "".join(run.text for run in value)


def unknown_of(value: Iterable[Run], harmless: bool = False) -> Optional[str]:
    """Why a value is not wholly known, or None; harmless unknowns count only where asked for."""
    for run in value:
        if run.unknown and (harmless or not run.harmless):
            return run.unknown
    return None


class Text:
    """Program text to parse: a file, or a string put together from pieces of files (``eval``, ``-c``)."""

    def __init__(self, characters: str, path: Optional[str]) -> None:
        self.characters = characters
        self.path = path
        # Of a text that was put together: its runs, and where in it each begins.
        self._runs: Optional[List[Run]] = None
        self._starts: List[int] = []

    @classmethod
    def from_value(cls, value: Iterable[Run]) -> "Text":
        """Text whose characters remember the files they came from; an unknown run is one NUL."""
        text = cls("".join("\0" if run.unknown else run.text for run in value), None)
        text._runs = []
        start = 0
        for run in value:
            if run.unknown or run.text:
                text._runs.append(run)
                text._starts.append(start)
                start += 1 if run.unknown else len(run.text)
        return text

    def runs(self, start: int, end: int, quoted: bool) -> Value:
        """The characters from ``start`` to ``end`` with their origins."""
        if start >= end:
            return []
        if self._runs is None:
            return [Run(self.characters[start:end], self.path, start, quoted)]
        result: Value = []
        number = bisect_right(self._starts, start) - 1
        while number < len(self._runs) and self._starts[number] < end:
            run, first = self._runs[number], self._starts[number]
            if run.unknown:
                result.append(run.requoted(quoted))
            else:
                piece = run.part(max(start - first, 0), min(end - first, len(run.text)))
                piece.quoted = quoted
                result.append(piece)
            number += 1
        return result

    def origin(self, position: int) -> Tuple[Optional[str], int]:
        """File and byte offset of a character."""
        if self._runs is None:
            return self.path, min(position, len(self.characters))
        if not self._runs:
            return None, 0
        position = min(position, len(self.characters) - 1)
        number = bisect_right(self._starts, position) - 1
        run = self._runs[number]
        return run.path, run.position + position - self._starts[number]


@lru_cache(maxsize=4)
def _line_ends(characters: str) -> List[int]:
    """How many line ends stand in front of each block of a text."""
    counts = [0]
    for start in range(0, len(characters), _BLOCK):
        counts.append(counts[-1] + characters.count("\n", start, start + _BLOCK))
    return counts


def line_of(characters: str, position: int) -> int:
    """The number of the line (from 1) in which a byte offset stands."""
    if position < _BLOCK:
        return characters.count("\n", 0, position) + 1
    block = min(position, len(characters)) // _BLOCK
    return _line_ends(characters)[block] + characters.count("\n", block * _BLOCK, position) + 1


def without_first(value: Value, count: int) -> Value:
    """A value without its first ``count`` characters."""
    result: Value = []
    for run in value:
        if count >= len(run.text) and not run.unknown:
            count -= len(run.text)
            continue
        result.append(run.part(count, len(run.text)) if count and not run.unknown else run)
        count = 0 if not run.unknown else count
    return result


def first_of(value: Value, count: int) -> Value:
    """The first ``count`` characters of a known value."""
    result: Value = []
    for run in value:
        if count <= 0:
            break
        result.append(run.part(0, min(count, len(run.text))))
        count -= len(run.text)
    return result

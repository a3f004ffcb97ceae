# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Program text to parse, the number of a line, and what is said where something cannot be known.

Text is Latin-1, so one character is one byte and a position is a byte offset. Private to this collection. Runs on
the managed host: Python 3.6+, standard library only.
"""

from functools import lru_cache
from typing import Iterable, List, Optional, Tuple

from ._characters import EMPTY, Run, Value

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


class Text:
    """Program text to parse: a file, or a string put together from pieces of files (``eval``, ``-c``)."""

    def __init__(self, characters: str, path: Optional[str]) -> None:
        self.characters = characters
        self.path = path
        self._pieces: Optional[Value] = None  # those of a text that was put together

    @classmethod
    def from_value(cls, value: Iterable[Run]) -> "Text":
        """Text whose characters remember the files they came from; an unknown run is one NUL."""
        pieces = Value([run.named("\0") if run.unknown else run for run in value])
        text = cls(pieces.text, None)
        text._pieces = pieces
        return text

    def runs(self, start: int, end: int, quoted: bool) -> Value:
        """The characters from ``start`` to ``end`` with their origins."""
        if start >= end:
            return EMPTY
        if self._pieces is None:
            return Value((Run(self.characters[start:end], self.path, start, quoted),))
        return Value([run.named("") if run.unknown else run for run in self._pieces.known(start, end, quoted)])

    def origin(self, position: int) -> Tuple[Optional[str], int]:
        """File and byte offset of a character."""
        if self._pieces is None:
            return self.path, min(position, len(self.characters))
        if not self.characters:
            return None, 0
        char = self._pieces.origin(min(position, len(self.characters) - 1))
        return char.path, char.position


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

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Characters that know where they came from: a value is taken apart and put together, and each keeps its origin.

Text is Latin-1, so one character is one byte and a position is a byte offset. Private to this collection. Runs on
the managed host: Python 3.6+, standard library only.
"""

from bisect import bisect_right
from typing import Callable, Iterable, Iterator, List, Match, Optional, Pattern


class Run:
    """A stretch of characters with one origin: ``text`` came from ``path`` at byte ``position``.

    ``unknown`` is the reason why the characters are not known (``text`` is empty then); ``harmless``
    says that the unknown is one word which cannot be a JVM option (a host name, a number).
    """

    __slots__ = ("text", "path", "position", "quoted", "unknown", "harmless")

    def __init__(
        self,
        text: str,
        path: Optional[str] = None,
        position: int = 0,
        quoted: bool = False,
        unknown: Optional[str] = None,
        harmless: bool = False,
    ) -> None:
        self.text = text
        self.path = path
        self.position = position
        self.quoted = quoted
        self.unknown = unknown
        self.harmless = harmless

    def part(self, start: int, end: int) -> "Run":
        """The characters from ``start`` to ``end`` of this run, with their own origin."""
        return Run(self.text[start:end], self.path, self.position + start, self.quoted)

    def named(self, text: str) -> "Run":
        """The same with another text."""
        return Run(text, self.path, self.position, self.quoted, self.unknown, self.harmless)

    def requoted(self, quoted: bool) -> "Run":
        """The same, quoted or not in the place where it is used now."""
        if quoted == self.quoted:
            return self
        return Run(self.text, self.path, self.position, quoted, self.unknown, self.harmless)


class Value:
    """A row of runs, and their text. It never changes: what is made of it is another one.

    A character has the number that it has in ``text``. An unknown stands between two characters and has no number.
    """

    __slots__ = ("runs", "text", "_starts")

    def __init__(self, runs: Iterable[Run] = ()) -> None:
        self.runs = tuple(runs)
        self.text = self.runs[0].text if len(self.runs) == 1 else "".join([run.text for run in self.runs])
        self._starts: Optional[List[int]] = None

    @classmethod
    def of(cls, text: str, path: Optional[str] = None, position: int = 0) -> "Value":
        """A text that stands in a file at a byte, or in none."""
        return cls((Run(text, path, position),))

    @classmethod
    def unknown_for(cls, reason: str) -> "Value":
        """A value of which nothing is known."""
        return cls((Run("", unknown=reason),))

    def unknown(self, harmless: bool = False) -> Optional[str]:
        """Why it is not wholly known, or None; harmless unknowns count only where asked for."""
        for run in self.runs:
            if run.unknown and (harmless or not run.harmless):
                return run.unknown
        return None

    def requoted(self, quoted: bool) -> "Value":
        """The same, quoted or not in the place where it is used now."""
        return Value([run.requoted(quoted) for run in self.runs])

    def __iter__(self) -> Iterator[Run]:
        return iter(self.runs)

    def __bool__(self) -> bool:
        return bool(self.runs)  # an unknown and an empty word in quotes are something

    def __add__(self, other: Iterable[Run]) -> "Value":
        return Value(self.runs + tuple(other))

    def __getitem__(self, stretch: slice) -> "Value":
        """Some of the characters, as of a ``str``.

        It has the unknowns of all that comes before its end: how many characters they stand for is not known, so those
        that are left out may be theirs.
        """
        start, end, _step = stretch.indices(len(self.text))
        if len(self.runs) == 1 and start < end:
            return Value((self.runs[0].part(start, end),))
        found = []
        first = 0
        for run in self.runs:
            last = first + len(run.text)
            if run.unknown:
                if first < end or first == len(self.text):
                    found.append(run)
            elif first < end and start < last:
                found.append(run if start <= first and last <= end else run.part(max(start - first, 0), end - first))
            first = last
        return Value(found)

    @property
    def starts(self) -> List[int]:
        """The number of the first character of each run."""
        if self._starts is None:
            self._starts = [0]
            for run in self.runs:
                self._starts.append(self._starts[-1] + len(run.text))
        return self._starts

    def known(self, start: int, end: int, quoted: Optional[bool] = None) -> List[Run]:
        """The known characters from ``start`` to ``end``, quoted or not where that is said."""
        found: List[Run] = []
        runs, starts = self.runs, self.starts
        at = bisect_right(starts, start) - 1
        while starts[at] < end and at < len(runs):
            run, low = runs[at], max(start - starts[at], 0)
            text = run.text[low : end - starts[at]]
            if text:
                quotes = run.quoted if quoted is None else quoted
                found.append(Run(text, run.path, run.position + low, quotes, run.unknown, run.harmless))
            at += 1
        return found

    def origin(self, number: int) -> Run:
        """A character by itself: its text, where it came from, whether it is quoted. Raises IndexError for none."""
        return self.known(number, number + 1)[0]

    def number_at(self, path: Optional[str], position: int) -> Optional[int]:
        """The number of the character that stands there in a file; of an unknown that of the next one."""
        for run, first in zip(self.runs, self.starts):
            offset = position - run.position
            if run.path == path and 0 <= offset < max(1, len(run.text)):
                return first + offset
        return None

    def replaced(self, pattern: "Pattern[str]", instead: "Callable[[Match[str]], Iterable[Run]]") -> "Value":
        """With something else where a pattern matches; the rest keeps its origin, and each unknown stays."""
        found: List[Run] = []
        left = [(first, run) for run, first in zip(self.runs, self.starts) if run.unknown][::-1]

        def put(start: int, end: int) -> None:
            while left and left[-1][0] <= end:
                first, run = left.pop()
                found.extend(self.known(start, first))
                found.append(run)
                start = max(start, first)
            if start < end:
                found.extend(self.known(start, end))

        done = 0
        for match in pattern.finditer(self.text):
            put(done, match.start())
            found.extend(instead(match))
            done = match.end()
        put(done, len(self.text))
        return Value(found)


#: No character at all.
EMPTY = Value()


def joined(runs: List[Run], more: Iterable[Run]) -> None:
    """Put more at the end; what was one stretch of a file becomes one run."""
    for run in more:
        last = runs[-1] if runs else None
        if (
            last is not None
            and not (last.unknown or run.unknown)
            and run.path is not None
            and last.path == run.path
            and last.quoted == run.quoted
            and last.position + len(last.text) == run.position
        ):
            runs[-1] = Run(last.text + run.text, run.path, last.position, run.quoted)
        else:
            runs.append(run)

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Characters that know where they came from: a value is taken apart and put together, and each keeps its origin.

Text is Latin-1, so one character is one byte and a position is a byte offset. Private to this collection. Runs on
the managed host: Python 3.6+, standard library only.
"""

from bisect import bisect_right
from typing import Callable, Iterable, Iterator, List, Match, Optional, Pattern, Sequence


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

    def requoted(self, quoted: bool) -> "Run":
        """The same run, quoted or not in the place where it is used now."""
        if quoted == self.quoted:
            return self
        return Run(self.text, self.path, self.position, quoted, self.unknown, self.harmless)

    def __repr__(self) -> str:  # only for people at a debugger: shows no content
        return "<run %d@%s:%d%s>" % (len(self.text), self.path, self.position, " ?" if self.unknown else "")


class Value:
    """A row of runs. It never changes: what is made of it is another one.

    A character has the number that it has in ``text``. An unknown stands between two characters and has no number.
    """

    __slots__ = ("runs", "_text", "_starts")

    def __init__(self, runs: Iterable[Run] = ()) -> None:
        self.runs = tuple(runs)
        self._text: Optional[str] = None
        self._starts: Optional[List[int]] = None  # the number of each run's first character

    @classmethod
    def of(cls, text: str, path: Optional[str] = None, position: int = 0) -> "Value":
        """A text that stands in a file at a byte, or in none."""
        return cls((Run(text, path, position),))

    @classmethod
    def unknown_for(cls, reason: str) -> "Value":
        """A value of which nothing is known."""
        return cls((Run("", unknown=reason),))

    @property
    def text(self) -> str:
        """The characters; what is unknown counts as nothing (see :meth:`unknown`)."""
        if self._text is None:
            self._text = "".join([run.text for run in self.runs])
        return self._text

    def unknown(self, harmless: bool = False) -> Optional[str]:
        """Why it is not wholly known, or None; harmless unknowns count only where asked for."""
        for run in self.runs:
            if run.unknown and (harmless or not run.harmless):
                return run.unknown
        return None

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
        start, end, step = stretch.indices(len(self.text))
        if step != 1:
            raise ValueError("a value is cut in its own order")
        if not self.unknown(True):
            return Value(between(self.runs, self.starts, start, end))
        found = []
        for run, first in zip(self.runs, self.starts):
            low, high = max(start - first, 0), min(end - first, len(run.text))
            if run.unknown and (first < end or first == len(self.text)):
                found.append(run)
            elif low < high:
                found.append(run.part(low, high))
        return Value(found)

    def known(self, start: int, end: int, quoted: Optional[bool] = None) -> List[Run]:
        """The known characters from ``start`` to ``end``, quoted or not where that is said."""
        return between(self.runs, self.starts, start, end, quoted)

    def number_at(self, path: Optional[str], position: int) -> Optional[int]:
        """The number of the character that stands there in a file; of an unknown that of the next one."""
        for run, first in zip(self.runs, self.starts):
            offset = position - run.position
            if run.path == path and 0 <= offset < max(1, len(run.text)):
                return first + offset
        return None

    @property
    def starts(self) -> List[int]:
        """The number of the first character of each run."""
        if self._starts is None:
            self._starts = []
            start = 0
            for run in self.runs:
                self._starts.append(start)
                start += len(run.text)
        return self._starts

    def origin(self, number: int) -> Run:
        """A character by itself: its text, where it came from, whether it is quoted. Raises IndexError for none."""
        if not 0 <= number < len(self.text):
            raise IndexError(number)
        at = bisect_right(self.starts, number) - 1
        offset = number - self.starts[at]
        return self.runs[at].part(offset, offset + 1)

    def stripped(self, characters: str) -> "Value":
        """Without such characters around it."""
        text = self.text
        return self[len(text) - len(text.lstrip(characters)) : len(text.rstrip(characters))]

    def split(self, separator: str) -> "List[Value]":
        """The values between the separators, as of a ``str``. It has no unknown."""
        found = []
        start = 0
        for piece in self.text.split(separator):
            found.append(self[start : start + len(piece)])
            start += len(piece) + len(separator)
        return found

    def replaced(self, pattern: "Pattern[str]", instead: "Callable[[Match[str]], Iterable[Run]]") -> "Value":
        """With something else where a pattern matches; the rest keeps its origin, and each unknown stays."""
        found: List[Run] = []
        at = done = 0  # the run, and the character, that comes next

        def put(end: int, wanted: bool) -> None:
            nonlocal at, done
            while at < len(self.runs):
                run, first = self.runs[at], self.starts[at]
                last = first + len(run.text)
                if first >= end and run.text:
                    break
                if run.unknown:
                    found.append(run)
                elif wanted and done < min(end, last):
                    found.append(run.part(max(done - first, 0), min(end, last) - first))
                if last > end:
                    break
                at += 1
            done = end

        for match in pattern.finditer(self.text):
            put(match.start(), True)
            put(match.end(), False)
            found.extend(instead(match))
        put(len(self.text), True)
        return Value(found)

    def __repr__(self) -> str:  # as that of a run
        return "<value %s>" % (list(self.runs),)


#: No character at all.
EMPTY = Value()


def between(
    runs: Sequence[Run], starts: Sequence[int], start: int, end: int, quoted: Optional[bool] = None
) -> List[Run]:
    """The known characters from ``start`` to ``end`` of a row of runs, each of which begins at its number."""
    found: List[Run] = []
    number = max(bisect_right(starts, start) - 1, 0)
    while number < len(runs) and starts[number] < end:
        run, first = runs[number], starts[number]
        low, high = max(start - first, 0), min(end - first, len(run.text))
        if low < high:
            piece = run if high - low == len(run.text) else run.part(low, high)
            found.append(piece if quoted is None else piece.requoted(quoted))
        number += 1
    return found


def joined(runs: List[Run], more: Iterable[Run]) -> None:
    """Put more at the end; what was one stretch of a file becomes one run."""
    for run in more:
        last = runs[-1] if runs else None
        if (
            last is not None
            and run.path is not None
            and last.path == run.path
            and last.quoted == run.quoted
            and last.position + len(last.text) == run.position
        ):
            runs[-1] = Run(last.text + run.text, run.path, last.position, run.quoted)
        else:
            runs.append(run)

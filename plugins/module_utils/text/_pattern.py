# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Patterns as shells and systemd have them for names of files: ``*``, ``?``, ``[…]``.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import re
from typing import Callable, Dict, List

from ._characters import Run, Value
from ._value import Unresolvable

LIMIT_MATCH = 4096  # characters that are held against a pattern, and of a pattern
_BRACKET = re.compile(r"\[([!^]?)(\]?(?:\[:[a-z]+:\]|[^\]])*)\]")
_CLASSES = {
    "space": r"\s",
    "blank": r" \t",
    "digit": "0-9",
    "alpha": "A-Za-z",
    "alnum": "A-Za-z0-9",
    "upper": "A-Z",
    "lower": "a-z",
}


class Pattern:
    """A pattern of the shell (``*``, ``?``, ``[…]``), quoted characters literal.

    It is held against a text one character at a time, with all places in it where the match may stand at once, as the
    bits of a number: the time is that of the text's length, whatever the pattern.
    """

    def __init__(self, value: Value) -> None:
        if len(value.text) > LIMIT_MATCH:
            raise Unresolvable("a pattern of more than %d characters" % LIMIT_MATCH)
        self._accept: List[Callable[[str], bool]] = []  # one a character that is matched
        self._stars = 0  # bit n: any number of characters may stand in front of the one with number n
        for run in value:
            self._add(run)

    def __len__(self) -> int:
        return len(self._accept)

    def _add(self, run: Run) -> None:
        text = run.text
        last = text.rfind("]")
        index = 0
        while index < len(text):
            char = text[index]
            match = _BRACKET.match(text, index) if char == "[" and index < last and not run.quoted else None
            index = match.end() if match else index + 1
            if match:
                self._accept.append(_bracket(match.group(2), bool(match.group(1))))
            elif char == "*" and not run.quoted:
                self._stars |= 1 << len(self._accept)
            elif char == "?" and not run.quoted:
                self._accept.append(lambda _char: True)
            else:
                self._accept.append(char.__eq__)

    def match(self, text: str) -> bool:
        """True where the whole text matches."""
        if not self._stars and len(text) != len(self._accept):
            return False
        return len(text) in self.lengths(text)

    def lengths(self, text: str, backwards: bool = False) -> List[int]:
        """How many first characters of a text match (with ``backwards``: last ones), in rising order."""
        accept = self._accept[::-1] if backwards else self._accept
        stars, whole = self._stars, 1 << len(accept)
        if backwards:
            stars = sum(1 << (len(accept) - number) for number in range(len(accept) + 1) if stars >> number & 1)
        taking: Dict[str, int] = {}
        found = []
        places = 1
        for length in range(len(text) + 1):
            if places & whole:
                found.append(length)
            if not places or length == len(text):
                break
            char = text[-1 - length] if backwards else text[length]
            if char not in taking:
                taking[char] = sum(1 << number for number, accepts in enumerate(accept) if accepts(char))
            places = (places & taking[char]) << 1 | places & stars
        return found


def _bracket(body: str, negated: bool) -> Callable[[str], bool]:
    """What ``[a-z]`` takes; a range that runs backwards takes nothing, as in the shell."""
    names = re.findall(r"\[:([a-z]+):\]", body)
    if set(names) - set(_CLASSES):
        raise Unresolvable("a pattern with [:%s:]" % "".join(names))
    escaped = re.sub(r"([\\\[\]^&|~])", r"\\\1", re.sub(r"\[:[a-z]+:\]", "", body))
    escaped += "".join(_CLASSES[name] for name in names)
    try:
        matches = re.compile("[%s%s]" % ("^" if negated else "", escaped), re.DOTALL).match
    except re.error:
        return lambda _char: negated
    return lambda char: matches(char) is not None

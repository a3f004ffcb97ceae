# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the shell makes of known text: its patterns, ``${name%…}``, comparisons, arithmetic.

Private to this collection. Python 3.6+, standard library only.
"""

import re
from typing import Callable, Dict, List, Optional

from ._jvm import Unresolvable
from ._shell_syntax import BASH, Run, Value, text_of

LIMIT_MATCH = 4096  # characters that are held against a pattern, and of a pattern
_LIMIT_REGEX = 1000000  # steps that a regular expression may take at worst
_BRACKET = re.compile(r"\[([!^]?)(\]?(?:\[:[a-z]+:\]|[^\]])*)\]")
_CLASSES = {"space": r"\s", "blank": r" \t", "digit": "0-9", "alpha": "A-Za-z", "alnum": "A-Za-z0-9", "upper": "A-Z",
            "lower": "a-z"}


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


class Pattern:
    """A pattern of the shell (``*``, ``?``, ``[…]``), quoted characters literal.

    It is held against a text one character at a time, with all places in it where the match may stand at once, as the
    bits of a number: the time is that of the text's length, whatever the pattern.
    """

    def __init__(self, value: Value) -> None:
        if sum(len(run.text) for run in value) > LIMIT_MATCH:
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


def calculate(expression: str) -> Optional[int]:
    """The value of an arithmetic expression of numbers alone, else None."""
    from ._shell_arithmetic import value_of  # few scripts calculate, and its parser is dear to import

    return value_of(expression)


def matches_regex(text: str, pattern: Value) -> Optional[bool]:
    """``[[ text =~ pattern ]]`` where the pattern means the same to Python, else None."""
    plain = "".join(run.text for run in pattern if not run.quoted)
    if re.search(r"[\\{}]|\[[\[:]|\(\?|\)[*+?]", plain):
        return None
    parts = [re.escape(run.text) if run.quoted else run.text for run in pattern]
    if not regex_ends_soon("".join(parts), len(text)):
        return None
    try:
        return re.search("".join(parts).replace("$", r"\Z"), text, re.DOTALL) is not None
    except (re.error, OverflowError):
        return None


def regex_ends_soon(pattern: str, length: int) -> bool:
    """True where a regular expression without repeated groups comes to an end on so many characters, whatever they are.

    At worst it begins at each of them, each ``*`` and ``+`` goes as far as each, each ``?`` and ``|`` both ways.
    """
    repeats, choices = len(re.findall(r"[*+]", pattern)), len(re.findall(r"[?|]", pattern))
    if max(repeats, choices) > 20 or max(length, len(pattern)) > LIMIT_MATCH:
        return False
    return bool((length + 1) ** (repeats + 1) * 2 ** choices * len(pattern) <= _LIMIT_REGEX)


def strip_match(value: Value, operator: str, pattern: Pattern) -> Value:
    """``${name%pattern}`` and its relatives, the rest keeping its origins."""
    text = text_of(value)
    lengths = pattern.lengths(text, operator[0] == "%")
    if not lengths:
        return value
    length = lengths[0] if len(operator) == 1 else lengths[-1]
    return without_first(value, length) if operator[0] == "#" else first_of(value, len(text) - length)


_NUMBER = re.compile(r"[ \t\n]*([+-]?[0-9]{1,19})[ \t\n]*\Z")


def number_of(text: str) -> Optional[int]:
    """A number without a sign, as ``shift`` and ``break`` take it, None for anything else."""
    return int(text) if re.match(r"[0-9]{1,18}\Z", text) else None


def compare(left: str, operator: str, right: str, dialect: str = BASH) -> Optional[bool]:
    if operator == "=" or (operator == "==" and dialect == BASH):
        return left == right
    if operator == "!=":
        return left != right
    if operator in ("-eq", "-ne", "-lt", "-le", "-gt", "-ge"):
        numbers = [_NUMBER.match(left), _NUMBER.match(right)]
        if numbers[0] is None or numbers[1] is None:
            return False  # an error
        a, b = int(numbers[0].group(1)), int(numbers[1].group(1))
        if not all(-1 << 63 <= number < 1 << 63 for number in (a, b)):
            return False
        return {"-eq": a == b, "-ne": a != b, "-lt": a < b, "-le": a <= b, "-gt": a > b, "-ge": a >= b}[operator]
    return None if operator in ("<", ">", "-nt", "-ot", "-ef") else False

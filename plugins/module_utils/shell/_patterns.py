# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the shell makes of known text: its patterns, ``${name%…}``, comparisons, arithmetic.

Private to this collection. Python 3.6+, standard library only.
"""

import re
from typing import List, Optional

from ..text._characters import Value
from ..text._pattern import LIMIT_MATCH, Pattern
from ._parser import BASH

_LIMIT_REGEX = 1000000  # steps that a regular expression may take at worst


def calculate(expression: str) -> Optional[int]:
    """The value of an arithmetic expression of numbers alone, else None."""
    from ._arithmetic import value_of  # few scripts calculate, and its parser is dear to import

    return value_of(expression)


#: What sets a variable in a calculation, and in an expansion.
_CALCULATES = re.compile(
    r"(?<!\w)([A-Za-z_]\w*)(?!\w)(?:\[[^][]{0,80}\])?[ \t\n]*(?:\+\+|--|(?:[-+*/%&|^]|<<|>>)?=(?!=))"
    r"|(?:\+\+|--)[ \t\n]*([A-Za-z_]\w*)"
)
_EXPANDS = re.compile(r"\$\{([A-Za-z_]\w*)(?:\[[^][]{0,80}\])?:?=")


def set_by_calculating(expression: str) -> List[str]:
    """Names of the variables that an arithmetic expression sets."""
    return [first or second for first, second in _CALCULATES.findall(expression)]


def set_by_expanding(text: str) -> List[str]:
    """Names of the variables that a command may set by what is expanded in it: ``${NAME:=word}``, ``$((NAME++))``."""
    return _EXPANDS.findall(text) + (set_by_calculating(text) if "((" in text or "$[" in text else [])


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
    return bool((length + 1) ** (repeats + 1) * 2**choices * len(pattern) <= _LIMIT_REGEX)


def strip_match(value: Value, operator: str, pattern: Pattern) -> Value:
    """``${name%pattern}`` and its relatives, the rest keeping its origins."""
    text = value.text
    lengths = pattern.lengths(text, operator[0] == "%")
    if not lengths:
        return value
    length = lengths[0] if len(operator) == 1 else lengths[-1]
    return value[length:] if operator[0] == "#" else value[: len(text) - length]


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

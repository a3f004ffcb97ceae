# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the shell makes of known text: its patterns, ``${name%…}``, comparisons, arithmetic.

Private to this collection. Python 3.6+, standard library only.
"""

import re
from typing import Any, Optional

from ._jvm import Unresolvable
from ._shell_syntax import BASH, Value, text_of

LIMIT_MATCH = 4096  # characters that are held against a pattern
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


def pattern_of(value: Value) -> Any:
    """A compiled pattern of the shell (``*``, ``?``, ``[…]``), quoted characters literal; matches wholly."""
    pieces = _translate(value).split("*")
    # Between two stars the first place that fits is as good as any: without this choice the time is bounded.
    middle = "".join("(?=(?P<g%d>.*?%s))(?P=g%d)" % (number, piece, number)
                     for number, piece in enumerate(pieces[1:-1]) if piece)
    return re.compile(pieces[0] + (middle + ".*" + pieces[-1] if len(pieces) > 1 else "") + r"\Z", re.DOTALL)


def _translate(value: Value) -> str:
    """A regular expression in which only ``*`` still means what it means to the shell."""
    result = []
    for run in value:
        if run.quoted:
            result.append(_escape(run.text))
            continue
        index = 0
        while index < len(run.text):
            char = run.text[index]
            if char == "*":
                result.append("*")
            elif char == "?":
                result.append(".")
            elif char == "[" and _BRACKET.match(run.text, index):
                match = _BRACKET.match(run.text, index)
                result.append(_bracket(match.group(2), bool(match.group(1))) if match else "")
                index = match.end() - 1 if match else index
            else:
                result.append(_escape(char))
            index += 1
    return "".join(result)


def _escape(text: str) -> str:
    return re.escape(text).replace("\\*", r"\x2a")


def _bracket(body: str, negated: bool) -> str:
    """``[a-z]`` as a regular expression; a range that runs backwards matches nothing, as in the shell."""
    names = re.findall(r"\[:([a-z]+):\]", body)
    if set(names) - set(_CLASSES):
        raise Unresolvable("a pattern with [:%s:]" % "".join(names))
    escaped = re.sub(r"([\\\[\]^&|~])", r"\\\1", re.sub(r"\[:[a-z]+:\]", "", body)).replace("*", r"\x2a")
    escaped += "".join(_CLASSES[name] for name in names)
    try:
        re.compile("[%s]" % escaped)
    except re.error:
        return "." if negated else "(?!)"
    return "[%s%s]" % ("^" if negated else "", escaped)


def calculate(expression: str) -> Optional[int]:
    """The value of an arithmetic expression of numbers alone, else None."""
    from ._shell_arithmetic import value_of  # few scripts calculate, and its parser is dear to import

    return value_of(expression)


def matches_regex(text: str, pattern: Value) -> Optional[bool]:
    """``[[ text =~ pattern ]]`` where the pattern means the same to Python, else None."""
    parts = []
    for run in pattern:
        # Repetitions inside repetitions could take for ever.
        if not run.quoted and (re.search(r"[\\{}]|\[[\[:]|\(\?|\)[*+?]", run.text)
                               or len(re.findall(r"[*+]", run.text)) > 3):
            return None
        parts.append(re.escape(run.text) if run.quoted else run.text)
    try:
        if len(text) > LIMIT_MATCH:
            return None
        return re.search("".join(parts).replace("$", r"\Z"), text, re.DOTALL) is not None
    except re.error:
        return None


def strip_match(value: Value, operator: str, pattern: Any) -> Value:
    """``${name%pattern}`` and its relatives, the rest keeping its origins."""
    text = text_of(value)
    lengths = range(len(text) + 1) if len(operator) == 1 else range(len(text), -1, -1)
    for length in lengths:
        if operator[0] == "#" and pattern.match(text[:length]):
            return without_first(value, length)
        if operator[0] == "%" and pattern.match(text[len(text) - length:]):
            return first_of(value, len(text) - length)
    return value


def compare(left: str, operator: str, right: str, dialect: str = BASH) -> Optional[bool]:
    if operator == "=" or (operator == "==" and dialect == BASH):
        return left == right
    if operator == "!=":
        return left != right
    if operator in ("-eq", "-ne", "-lt", "-le", "-gt", "-ge"):
        try:
            a, b = int(left), int(right)
        except ValueError:
            return False  # an error
        return {"-eq": a == b, "-ne": a != b, "-lt": a < b, "-le": a <= b, "-gt": a > b, "-ge": a >= b}[operator]
    return None if operator in ("<", ">", "-nt", "-ot", "-ef") else False

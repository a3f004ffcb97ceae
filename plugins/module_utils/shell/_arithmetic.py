# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the shell calculates, as far as it does so with numbers alone.

Private to this collection. Python 3.6+, standard library only.
"""

import re
from typing import List, Optional

LIMIT_TOKENS = 10000
_LIMIT_DEPTH = 50
_TOKEN = re.compile(r"[ \t\n]*(?:(0[xX][0-9A-Fa-f]{1,8}|0|[1-9][0-9]{0,9})(?![0-9A-Za-z_#@.])|([<>=!]=|[-+*<>()]))")
_COMPARISONS = frozenset(["<", "<=", ">", ">=", "==", "!="])


def value_of(expression: str) -> Optional[int]:
    """The value of an arithmetic expression of numbers alone, else None."""
    tokens: List[str] = []
    at, end = 0, len(expression.rstrip(" \t\n"))
    while at < end:
        match = _TOKEN.match(expression, at)
        if match is None or len(tokens) >= LIMIT_TOKENS:
            return None
        tokens.append(match.group(1) or match.group(2))
        at = match.end()
    try:
        return _Calculation(tokens).whole()
    except ValueError:
        return None


class _Calculation:
    """Recursive descent; raises ValueError for whatever is not understood."""

    def __init__(self, tokens: List[str]) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = 0

    def _next(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def _take(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1] if self.at <= len(self.tokens) else ""

    def whole(self) -> int:
        number = self._comparison()
        if self._next():
            raise ValueError("more than one expression")
        return number

    def _comparison(self) -> int:
        left = self._sum()
        operator = self._next()
        if operator not in _COMPARISONS:
            return left
        self._take()
        right = self._sum()
        return int(
            {
                "<": left < right,
                "<=": left <= right,
                ">": left > right,
                ">=": left >= right,
                "==": left == right,
                "!=": left != right,
            }[operator]
        )

    def _sum(self) -> int:
        number = self._product()
        while self._next() in ("+", "-"):
            number = _wrapped(number + self._product() if self._take() == "+" else number - self._product())
        return number

    def _product(self) -> int:
        number = self._single()
        while self._next() == "*":
            self._take()
            number = _wrapped(number * self._single())
        return number

    def _single(self) -> int:
        token = self._take()
        if token in ("-", "("):
            self.depth += 1
            if self.depth > _LIMIT_DEPTH:
                raise ValueError("nested too deeply")
            number = self._comparison() if token == "(" else _wrapped(-self._single())
            if token == "(" and self._take() != ")":
                raise ValueError("unfinished")
            self.depth -= 1
            return number
        number = int(token, 16 if token[:2] in ("0x", "0X") else 10)
        if number >= 1 << 31:
            raise ValueError("a number that shells may read differently")
        return number


def _wrapped(number: int) -> int:
    """As the shells calculate: in 64 bits, and what is more runs over."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)

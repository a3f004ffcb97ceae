# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the shell calculates, as far as it does so with numbers alone.

Private to this collection. Python 3.6+, standard library only.
"""

import ast
from typing import Any, Optional


def value_of(expression: str) -> Optional[int]:
    """The value of an arithmetic expression of numbers alone, else None."""
    try:
        tree = ast.parse(expression.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None
    return _calculated(tree)


def _calculated(tree: Any) -> Optional[int]:
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
        number = _calculated(tree.operand)
        return None if number is None else -number
    if isinstance(tree, ast.BinOp):
        left, right = _calculated(tree.left), _calculated(tree.right)
        if left is None or right is None:
            return None
        return {"Add": left + right, "Sub": left - right, "Mult": left * right}.get(type(tree.op).__name__)
    if isinstance(tree, ast.Compare) and len(tree.ops) == 1:
        left, right = _calculated(tree.left), _calculated(tree.comparators[0])
        if left is None or right is None:
            return None
        known = {"Lt": left < right, "LtE": left <= right, "Gt": left > right, "GtE": left >= right,
                 "Eq": left == right, "NotEq": left != right}.get(type(tree.ops[0]).__name__)
        return None if known is None else int(known)
    value = getattr(tree, "n", None) if type(tree).__name__ == "Num" else getattr(tree, "value", None)
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 31 else None

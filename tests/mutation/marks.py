"""Which lines of the rooms a test runs: each statement of them marks, in memory that forked processes share, that it is run.

Statements are given a mark when their module is imported. That is cheap enough for all that a test runs: with a trace
it is not, and one that ends early misses what only the last row of a table test comes to.
"""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import importlib.util
import mmap
import sys
import types
from collections.abc import Mapping
from typing import Any

#: The name of the memory in a module; no name of a class of its own.
_NAME = "__marks__"
_BLOCKS = ("body", "orelse", "finalbody")


def _own_lines(node: ast.stmt) -> list[int]:
    """The lines of a statement, of one with blocks those that begin them."""
    first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))])
    body = getattr(node, "body", None)
    last = max(node.lineno, body[0].lineno - 1) if body else node.end_lineno or node.lineno
    handlers = [line for one in getattr(node, "handlers", []) for line in range(one.lineno, one.body[0].lineno)]
    return [*range(first, last + 1), *handlers]


def marked(source: str, first: int = 0) -> tuple[ast.Module, list[list[int]]]:
    """A source whose statements mark their places, from ``first`` on, as run; the lines of each place."""
    tree = ast.parse(source)
    places: list[list[int]] = []

    def mark(node: ast.stmt) -> ast.stmt:
        made = ast.parse(f"{_NAME}[{first + len(places)}] = 1").body[0]
        places.append(_own_lines(node))
        for one in ast.walk(made):
            if hasattr(one, "lineno"):
                ast.copy_location(one, node)
        return made

    def through(node: ast.AST) -> None:
        for field in _BLOCKS:
            block = getattr(node, field, None)
            if not isinstance(block, list):
                continue
            new: list[ast.stmt] = []
            for statement in block:
                through(statement)
                # What has to be the first of its block stays so.
                text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
                future = isinstance(statement, ast.ImportFrom) and statement.module == "__future__"
                new += [statement] if text or future else [mark(statement), statement]
            block[:] = new
        for handler in getattr(node, "handlers", []):
            through(handler)

    through(tree)
    return tree, places


class Marks(importlib.abc.MetaPathFinder):
    """Imports modules with marks in them; they are those of the process that began last."""

    def __init__(self, sources: Mapping[str, tuple[str, str, str]]) -> None:
        """``sources``: of each module's name its file as it is known, its path, and its text."""
        self._modules: dict[str, tuple[str, ast.Module]] = {}
        self._places: list[tuple[str, list[int]]] = []
        for name, (file, path, source) in sources.items():
            tree, places = marked(source, len(self._places))
            self._modules[name] = (path, tree)
            self._places += [(file, lines) for lines in places]
        self._memory = mmap.mmap(-1, max(1, len(self._places)))

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> Any:
        """Of a module that is to be marked; None of others."""
        if fullname not in self._modules:
            return None
        where, tree = self._modules[fullname]
        marks = self

        class Loader(importlib.machinery.SourceFileLoader):
            def get_code(self, _fullname: str) -> types.CodeType:
                return compile(tree, where, "exec", dont_inherit=True)

            def exec_module(self, module: types.ModuleType) -> None:
                vars(module)[_NAME] = marks._memory
                super().exec_module(module)

        return importlib.util.spec_from_file_location(fullname, where, loader=Loader(fullname, where))

    def begin(self) -> None:
        """This process and those it forks have memory of their own from now on."""
        self._memory = mmap.mmap(-1, max(1, len(self._places)))
        for name in self._modules:
            if name in sys.modules:
                vars(sys.modules[name])[_NAME] = self._memory

    def clear(self) -> None:
        """Nothing has run."""
        self._memory[:] = b"\0" * len(self._memory)

    def lines(self) -> dict[str, list[int]]:
        """The lines of each file that were run since."""
        found: dict[str, set[int]] = {}
        for run, (file, lines) in zip(self._memory[:], self._places, strict=False):
            if run:
                found.setdefault(file, set()).update(lines)
        return {file: sorted(lines) for file, lines in found.items()}

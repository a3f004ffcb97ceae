"""Mutants of a source file: each a tree that differs in one place, described so that it can be found again.

A mutant is known by its file, the function it is in, the text of its line and what was done there: never by a line's
number, which any edit above it changes.
"""

from __future__ import annotations

import ast
import copy
import functools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_RECKONED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
#: Modes of files that were made for one, and the mode that lets everybody in.
_MODES = {0o600: 0o666, 0o644: 0o666, 0o700: 0o777, 0o755: 0o777}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Mutant:
    """One mutant."""

    #: Path of the file, below the checkout.
    file: str
    #: The outermost function or method it is in, as ``Class.method``; empty outside of functions.
    function: str
    #: The text of its line, without blanks at its ends.
    line: str
    #: What was done, such as ``== -> !=``.
    what: str
    #: How many of the same come before it in the same function.
    number: int
    #: Lines whose run says that it was run.
    lines: tuple[int, ...]
    #: Where it is among all of its file.
    index: int

    @property
    def name(self) -> str:
        """By which it is known."""
        again = f" #{self.number}" if self.number else ""
        return f"{self.file} | {self.function or '(module)'} | {self.line} | {self.what}{again}"


@dataclass(frozen=True)
class _Change:
    """A change to a node: what it is called, and how it is done to a copy of the node."""

    node: ast.AST
    what: str
    #: The node that stands in its place; it may be the same one, changed.
    made: Callable[[ast.AST], ast.AST]


def _is_sentence(text: str) -> bool:
    """Whether a text is for a person: docs/messages.md and the tests beside it hold those."""
    return " " in text.strip()


def _constant(node: ast.Constant) -> Iterator[_Change]:
    def to(value: object) -> Callable[[ast.AST], ast.AST]:
        return lambda old: ast.copy_location(ast.Constant(value), old)

    value = node.value
    if isinstance(value, bool):
        yield _Change(node, f"{value} -> {not value}", to(not value))
    elif isinstance(value, int):
        new = _MODES.get(value, value + 1)
        shown = (oct(value), oct(new)) if value in _MODES else (value, new)
        yield _Change(node, f"{shown[0]} -> {shown[1]}", to(new))
    elif isinstance(value, str) and not _is_sentence(value):
        yield _Change(node, f"{value!r} -> {value + 'X'!r}", to(value + "X"))
    elif isinstance(value, bytes):
        yield _Change(node, f"{value!r} -> {value + b'X'!r}", to(value + b"X"))


def _set(node: ast.AST, field: str, value: object) -> ast.AST:
    setattr(node, field, value)
    return node


def _without(node: ast.AST, field: str, number: int) -> ast.AST:
    items = getattr(node, field)
    return _set(node, field, items[:number] + items[number + 1 :])


def _without_entry(node: ast.AST, number: int) -> ast.AST:
    assert isinstance(node, ast.Dict)
    node.keys = node.keys[:number] + node.keys[number + 1 :]
    node.values = node.values[:number] + node.values[number + 1 :]
    return node


def _pass(node: ast.AST) -> ast.AST:
    return ast.copy_location(ast.Pass(), node)


def _changes(node: ast.AST) -> Iterator[_Change]:  # noqa: C901 -- one branch a kind of node
    """All changes to a node itself, those inside it left out."""
    text = lambda part: ast.unparse(part)[:60]  # noqa: E731 -- a name for what each line does
    if isinstance(node, ast.Constant):
        yield from _constant(node)
    elif isinstance(node, ast.Compare) and len(node.ops) == 1:
        new = _COMPARED[type(node.ops[0])]
        yield _Change(node, f"{text(node)}: {new.__name__}", lambda old: _set(old, "ops", [new()]))
    elif isinstance(node, ast.BoolOp):
        other = ast.Or if isinstance(node.op, ast.And) else ast.And
        yield _Change(node, f"{text(node)}: {other.__name__}", lambda old: _set(old, "op", other()))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield _Change(node, f"{text(node)}: without not", lambda old: old.operand)  # type: ignore[attr-defined]
    elif isinstance(node, ast.BinOp) and type(node.op) in _RECKONED and not _is_text(node.left):
        reckoned = _RECKONED[type(node.op)]
        yield _Change(node, f"{text(node)}: {reckoned.__name__}", lambda old: _set(old, "op", reckoned()))
    elif isinstance(node, ast.Return) and node.value is not None and not _is_none(node.value):
        yield _Change(node, f"return {text(node.value)}: None", lambda old: _set(old, "value", ast.Constant(None)))
    elif isinstance(node, (ast.Raise, ast.AugAssign, ast.Delete)) or (
        isinstance(node, ast.Expr) and not isinstance(node.value, (ast.Constant, ast.Yield, ast.YieldFrom))
    ):
        yield _Change(node, f"{text(node)}: deleted", _pass)
    elif isinstance(node, (ast.Break, ast.Continue)):
        yield _Change(node, f"{text(node)}: deleted", _pass)
    elif isinstance(node, (ast.Tuple, ast.List, ast.Set)) and len(node.elts) > 1 and _is_table(node.elts):
        for number, item in enumerate(node.elts):
            yield _Change(
                node, f"without the item {text(item)}", lambda old, number=number: _without(old, "elts", number)
            )
    elif isinstance(node, ast.Dict) and len(node.keys) > 1:
        for number, key in enumerate(node.keys):
            shown = text(key) if key is not None else "**"
            yield _Change(node, f"without the key {shown}", lambda old, number=number: _without_entry(old, number))
    elif isinstance(node, ast.Call):
        for number, keyword in enumerate(node.keywords):
            if keyword.arg is not None:
                yield _Change(
                    node,
                    f"{text(node.func)}(): without {keyword.arg}=",
                    lambda old, number=number: _without(old, "keywords", number),
                )
    if isinstance(node, (ast.If, ast.IfExp, ast.comprehension, ast.While)):
        yield from _branches(node)
    if isinstance(node, ast.ExceptHandler) and not (len(node.body) == 1 and isinstance(node.body[0], ast.Raise)):
        again = ast.copy_location(ast.Raise(), node.body[0])
        yield _Change(node, "except: raised again", lambda old: _set(old, "body", [again]))


def _branches(node: ast.If | ast.IfExp | ast.comprehension | ast.While) -> Iterator[_Change]:
    if isinstance(node, ast.comprehension):
        for number, test in enumerate(node.ifs):
            yield _Change(
                node, f"without if {ast.unparse(test)[:60]}", lambda old, number=number: _without(old, "ifs", number)
            )
        return
    text = ast.unparse(node.test)[:60]
    if not isinstance(node.test, ast.Constant):
        for value in (False,) if isinstance(node, ast.While) else (True, False):
            new = ast.copy_location(ast.Constant(value), node.test)
            yield _Change(node, f"if {text}: {value}", lambda old, new=new: _set(old, "test", new))


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_table(items: list[ast.expr]) -> bool:
    return all(isinstance(item, ast.Constant) for item in items)


#: Fields that nothing runs.
_NOT_RUN = {"annotation", "returns", "type_comment"}


@dataclass
class _Found:
    change: _Change
    function: str
    statement: ast.AST | None


def _walk(node: ast.AST, names: tuple[str, ...], function: str, statement: ast.AST | None) -> Iterator[_Found]:
    """All changes below a node, in the order of the text."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return  # a docstring
    if isinstance(node, ast.stmt):
        statement = node
    for change in _changes(node):
        yield _Found(change, function, statement)
    inside = names
    if isinstance(node, (ast.ClassDef, *FUNCTIONS)):
        inside = (*names, node.name)
    for field, value in ast.iter_fields(node):
        if field in _NOT_RUN:
            continue
        within = function
        if isinstance(node, FUNCTIONS) and field == "body" and not function:
            within = ".".join(inside)
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.JoinedStr) or not isinstance(child, ast.AST):
                continue
            yield from _walk(child, inside, within, statement)


def _lines_of(found: _Found) -> tuple[int, ...]:
    node = found.change.node
    if isinstance(node, ast.comprehension):
        node = node.iter
    if isinstance(node, (ast.If, ast.While, ast.IfExp)):
        node = node.test if not isinstance(node, ast.IfExp) else node
    if isinstance(node, ast.ExceptHandler):
        return (node.body[0].lineno,)
    first = getattr(node, "lineno", 1)
    last = getattr(node, "end_lineno", first)
    start = getattr(found.statement, "lineno", first)
    return tuple(sorted({start, *range(first, last + 1)}))


@functools.cache
def _all(source: str) -> tuple[ast.Module, list[_Found]]:
    tree = ast.parse(source)
    return tree, list(_walk(tree, (), "", None))


def mutants_of(file: str, source: str) -> list[Mutant]:
    """Every mutant of a file."""
    text = source.split("\n")
    seen: dict[tuple[str, str, str], int] = {}
    result = []
    for index, found in enumerate(_all(source)[1]):
        node = found.change.node
        if isinstance(node, ast.comprehension):
            node = node.iter
        line = text[getattr(node, "lineno", 1) - 1].strip()
        key = (found.function, line, found.change.what)
        number = seen[key] = seen.get(key, -1) + 1
        result.append(Mutant(file, found.function, line, found.change.what, number, _lines_of(found), index))
    return result


def tree_of(source: str, index: int) -> ast.Module:
    """The tree of a file with one of its mutants in it, at the lines of the original.

    Once in a process: it is the process's own tree that is changed. A large file takes long to be looked through.
    """
    tree, every = _all(source)
    found = every[index].change
    made = found.made(copy.copy(found.node))

    class Exchange(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return made if node is found.node else super().visit(node)  # type: ignore[no-any-return]

    return ast.fix_missing_locations(Exchange().visit(tree))  # type: ignore[no-any-return]


def sample(mutants: list[Mutant], number: int, seed: int) -> list[Mutant]:
    """Some of them, the same for the same seed as long as the files are the same."""
    ordered = sorted(mutants, key=lambda one: (one.file, one.index))
    if number >= len(ordered):
        return ordered
    return sorted(random.Random(seed).sample(ordered, number), key=lambda one: (one.file, one.index))

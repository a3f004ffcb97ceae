# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources made small for the way to a host: the same program without what only readers and type checkers need.

Private to this collection. Runs on the control node. What is left is quicker to compile on the host and does without
``typing``, which is dear to import. Every line keeps its number, so that the line that a failure names is right.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import io
import keyword
import os
import re
import sys
import tempfile
import tokenize
from collections.abc import Callable, Iterator
from pathlib import Path

#: What makes the class below a NamedTuple, on the host; see the shim.
RECORD = "record"
#: What makes a regular expression that is compiled when it is used first, on the host; see the shim.
LATE = "late"

_COMMENT = re.compile(r"^ *#.*$|  #[^'\"\n]*$", re.MULTILINE)
_INDENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)
#: Tokens that are told apart without a blank where one of them is an operator, but for a number with a point behind it.
_APART = {tokenize.OP, tokenize.NAME, tokenize.STRING, tokenize.NUMBER}
#: So many results are kept; a checkout in which much is edited must not fill up.
_KEPT = 1000
#: The last line of a result that is whole.
_END = "\n# whole\n"
#: Bytes before a result that is no text: its SHA-256.
_DIGEST = 32


def stripped(source: str) -> str:
    """A source without docstrings, comments, annotations, aliases and variables of types.

    It takes as long as Ansible's own start, so the result is kept where Python keeps what it compiled, by the content
    of the source and of this file; where that cannot be written, it is made each time.
    """
    path = _folder() / f"stripped-{hashlib.sha256(f'{_version()}{source}'.encode()).hexdigest()}"
    try:
        content = path.read_text("utf-8")
        if content.endswith(_END):
            return content[: -len(_END)]
    except (OSError, ValueError):
        pass
    made = _made(source)
    if not sys.dont_write_bytecode:
        _keep(path, (made + _END).encode())
    return made


@functools.cache
def _folder() -> Path:
    return Path(importlib.util.cache_from_source(__file__)).parent


@functools.cache
def _version() -> str:
    """What else the result comes from."""
    return f"{sys.version_info[:3]}{Path(__file__).read_text('utf-8')}"


def kept(kind: str, source: str, make: Callable[[], bytes]) -> bytes:
    """What is made of a source, kept by its content as a stripped source is. ``kind`` begins the file's name."""
    path = _folder() / f"{kind}-{hashlib.sha256(f'{_version()}{source}'.encode()).hexdigest()}"
    try:
        data = path.read_bytes()
        if data[:_DIGEST] == hashlib.sha256(data[_DIGEST:]).digest():
            return data[_DIGEST:]
    except OSError:
        pass
    made = make()
    if not sys.dont_write_bytecode:
        _keep(path, hashlib.sha256(made).digest() + made)
    return made


def put_off(source: str) -> str:
    """A stripped source whose expressions are compiled when they are used first, not when it is imported."""
    text = source.encode()
    starts = _starts(text)
    tree = ast.parse(source)
    scopes: list[ast.Module | ast.ClassDef] = [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))]
    found = []
    for scope in scopes:
        for node in scope.body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
                called = node.value.func
                if ast.unparse(called) == "re.compile":
                    begin = starts[called.lineno - 1] + called.col_offset
                    end = starts[(called.end_lineno or 0) - 1] + (called.end_col_offset or 0)
                    found.append((begin, end))
    for begin, end in sorted(found, reverse=True):
        text = text[:begin] + LATE.encode() + text[end:]
    return text.decode()


def _starts(text: bytes) -> list[int]:
    """Where the lines begin, in bytes, as an ast counts."""
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    return starts


def _keep(path: Path, content: bytes) -> None:
    """Write it in one piece, or not at all."""
    try:
        path.parent.mkdir(exist_ok=True)
        others = list(path.parent.glob(f"{path.name.partition('-')[0]}-*"))
        for other in others if len(others) >= _KEPT else ():
            other.unlink(missing_ok=True)
        descriptor, part = tempfile.mkstemp(prefix="stripped.", dir=path.parent)
        try:
            with open(descriptor, "wb") as stream:
                os.fchmod(stream.fileno(), 0o644)  # no secret, as little as what Python keeps
                stream.write(content)
            os.replace(part, path)
        except BaseException:
            os.unlink(part)
            raise
    except OSError:
        pass  # a collection that somebody else has installed


def _made(source: str) -> str:
    text = source.encode()
    starts = _starts(text)
    kept, done = [], 0
    for begin, end, instead in sorted(_cuts(ast.parse(source), text, starts)):
        # What is cut out of a line that goes on leaves its line ends quoted.
        line_end = b"\n" if instead in ('""', "#") else b"\\\n"
        kept += [text[done:begin], instead.encode(), line_end * text.count(b"\n", begin, end)]
        done = end
    return _tight(_COMMENT.sub("", b"".join([*kept, text[done:]]).decode()))


def _tight(source: str) -> str:
    """With one space for a level, none where a line goes on within brackets, and few beside operators."""
    lines = source.splitlines(keepends=True)
    depth = level = 0
    before = None
    blanks = []  # row, where they begin and end, and what stands there instead
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        row, column = token.start
        if token.type in (tokenize.INDENT, tokenize.DEDENT):
            level += 1 if token.type == tokenize.INDENT else -1
            continue
        if token.type in (tokenize.NEWLINE, tokenize.NL, tokenize.ENDMARKER):
            continue
        if before is None or row > before.end[0]:
            # Where a backslash goes on to a line it stays as it is.
            if before is None or depth or not lines[row - 2].endswith("\\\n"):
                blanks.append((row, 0, column, " " * (0 if depth else level)))
        elif (
            tokenize.OP in (before.type, token.type)
            and {before.type, token.type} <= _APART
            and before.type != tokenize.NUMBER
            and not keyword.iskeyword(before.string)
        ):
            blanks.append((row, before.end[1], column, ""))
        if token.type == tokenize.OP:
            depth += (token.string in "([{") - (token.string in ")]}")
        before = token
    for row, begin, end, instead in reversed(blanks):
        lines[row - 1] = lines[row - 1][:begin] + instead + lines[row - 1][end:]
    return "".join(lines)


def _cuts(tree: ast.Module, text: bytes, starts: list[int]) -> Iterator[tuple[int, int, str]]:
    """First byte, byte behind the last, and what stands there instead."""

    def begin(node: ast.expr | ast.stmt | ast.arg) -> int:
        return starts[node.lineno - 1] + node.col_offset

    def end(node: ast.expr | ast.stmt | ast.arg) -> int:
        return starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)

    nodes = list(_nodes(tree))
    fields = {id(field) for node in nodes for field in _fields(node)}
    hints = {alias.name for node in tree.body if _is_typing(node) for alias in node.names}  # type: ignore[attr-defined]
    for node in nodes:
        if isinstance(node, _INDENTED) and ast.get_docstring(node, clean=False) is not None:
            # Where it is all there is something has to stand; a comment is taken out below.
            yield begin(node.body[0]), end(node.body[0]), "#" if node.body[1:] else '""'
        if isinstance(node, ast.FunctionDef) and node.returns is not None:
            yield text.rindex(b" ->", 0, begin(node.returns)), end(node.returns), ""
        elif isinstance(node, ast.arg) and node.annotation is not None:
            yield begin(node) + len(node.arg), end(node.annotation), ""
        elif isinstance(node, ast.AnnAssign):
            if id(node) in fields or node.value is None:
                yield begin(node), end(node), "pass"
            else:
                yield end(node.target), end(node.annotation), ""
        elif isinstance(node, ast.ClassDef) and _fields(node):
            names = " ".join(ast.unparse(field.target) for field in _fields(node))
            defaults = "".join(", " + ast.unparse(field.value) for field in _fields(node) if field.value is not None)
            yield begin(node.bases[0]), end(node.bases[0]), f'{RECORD}("{node.name}", "{names}"{defaults})'
        elif _is_typing(node):
            yield begin(node), end(node), "#"  # type: ignore[arg-type]
        elif (
            isinstance(node, ast.Assign)
            and isinstance(node.value, (ast.Subscript, ast.Call))
            and getattr(getattr(node.value, "func", getattr(node.value, "value", None)), "id", None) in hints
        ):
            yield begin(node.value), end(node.value), "None"


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Statements and arguments: in expressions, which are most of a program, there is nothing to cut."""
    yield tree
    if isinstance(tree, ast.FunctionDef):
        spec = tree.args
        yield from (arg for arg in (*spec.posonlyargs, *spec.args, spec.vararg, *spec.kwonlyargs, spec.kwarg) if arg)
    for name in ("body", "handlers", "orelse", "finalbody"):
        children = getattr(tree, name, ())
        for child in children if isinstance(children, list) else ():  # a lambda's body is an expression
            yield from _nodes(child)


def _fields(node: ast.AST) -> list[ast.AnnAssign]:
    """The fields of a class that is a NamedTuple."""
    if not isinstance(node, ast.ClassDef) or [ast.unparse(base) for base in node.bases] != ["NamedTuple"]:
        return []
    return [field for field in node.body if isinstance(field, ast.AnnAssign)]


def _is_typing(node: ast.AST) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "typing"

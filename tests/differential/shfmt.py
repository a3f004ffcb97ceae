"""A shell text's tree as ours and as ``shfmt -tojson`` see it, both as the same flat facts: what stands where.

A fact is a tuple: a kind of command and where it begins; an operator and where what is behind it begins; a word, an
assignment, a redirection, an expansion with its first and its last byte. What each of the two leaves in one piece
(arithmetic, an index) is left in one piece of the other, too.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

from ansible_collections.cbops.telemetry.plugins.module_utils.shell import _nodes as nodes
from ansible_collections.cbops.telemetry.plugins.module_utils.shell._cursor import ShellSyntaxError
from ansible_collections.cbops.telemetry.plugins.module_utils.shell._parser import BASH, parse
from ansible_collections.cbops.telemetry.plugins.module_utils.text._value import Text

Fact = tuple[Any, ...]
_LANGUAGES = {"bash": "bash", "dash": "posix"}
_KINDS = {
    "Subshell": "Subshell",
    "Block": "Group",
    "IfClause": "If",
    "CaseClause": "Case",
    "FuncDecl": "Function",
    "TestClause": "Condition",
    "ArithmCmd": "Arithmetic",
    "CallExpr": "Simple",
    "DeclClause": "Simple",
    "LetClause": "Simple",
}
_OPERATORS = {10: "&&", 11: "||", 12: "|", 13: "|"}


def theirs(text: str, dialect: str) -> list[Fact] | str:
    """The facts that shfmt sees, or why it takes the text for none of the shell's."""
    done = subprocess.run(
        ["shfmt", "-ln", _LANGUAGES[dialect], "-tojson"],
        input=text.encode("latin-1"),
        capture_output=True,
        check=False,
        timeout=60,
    )
    if done.returncode:
        return done.stderr.decode("latin-1").strip()
    return sorted(set(_Theirs(text).file(json.loads(done.stdout))), key=str)


def ours(text: str, dialect: str) -> list[Fact] | str:
    """The facts that our parser sees, or why it takes the text for none of the shell's."""
    try:
        tree = parse(Text(text, "/x"), dialect)[0]
    except ShellSyntaxError as error:
        return f"{error.position}: {error.message}"
    return sorted(set(_Ours(dialect).command(tree)), key=str)


class _Ours:
    """The facts of our tree; ``shift`` is where the text of backticks begins."""

    def __init__(self, dialect: str, shift: int = 0) -> None:
        self.dialect = dialect
        self.shift = shift

    def command(self, command: nodes.Command) -> Iterator[Fact]:
        start = command.start + self.shift
        kind = type(command).__name__
        if isinstance(command, nodes.AndOr):
            yield from ((operator, one.start + self.shift) for operator, one in command.items[1:])
        elif isinstance(command, nodes.Pipeline):
            yield from (("|", one.start + self.shift) for one in command.commands[1:])
            if command.negated:
                yield "!", start
        elif isinstance(command, nodes.Background):
            yield "&", start
        elif isinstance(command, nodes.While):
            yield ("Until" if command.until else "While"), start
        elif not isinstance(command, nodes.Block):
            yield kind, start
        if isinstance(command, nodes.Function):
            yield "name", command.name
        if isinstance(command, nodes.Simple):
            yield from self.simple(command)
        if isinstance(command, nodes.For):
            yield "name", command.name
            yield from self.words(command.words or [])
        if isinstance(command, nodes.Case):
            yield from self.words([command.subject])
            for branch in command.branches:
                yield from self.words(branch.patterns)
        if isinstance(command, nodes.Condition):
            yield from self.words([item for item in command.items if isinstance(item, nodes.Word)])
        for redirection in command.redirections:
            target = redirection.target
            yield "redirection", redirection.start + self.shift, target.start + self.shift, target.end + self.shift
            yield from self.words([] if redirection.document else [target])
        for inner in nodes.inside(command):
            yield from self.command(inner)

    def simple(self, command: nodes.Simple) -> Iterator[Fact]:
        if command.name == "let" and self.dialect == BASH:
            return
        for assignment in command.assignments:
            yield from self.assignment(assignment)
        for assignment in command.declared:
            if self.dialect == BASH and not command.assignments:
                yield from self.assignment(assignment)
            else:  # for shfmt no declaration in POSIX's shell, nor behind an assignment
                yield "word", assignment.start + self.shift, assignment.end + self.shift
                yield from self.parts(assignment.word)
        yield from self.words(command.words)

    def assignment(self, assignment: nodes.Assignment) -> Iterator[Fact]:
        yield (
            "assignment",
            assignment.start + self.shift,
            assignment.end + self.shift,
            assignment.name,
            assignment.append,
        )
        words = assignment.array or [assignment.word]
        yield from self.words([word for word in words if word is not None and word.end > word.start])

    def words(self, words: list[nodes.Word]) -> Iterator[Fact]:
        for word in words:
            yield "word", word.start + self.shift, word.end + self.shift
            yield from self.parts(word)

    def parts(self, word: nodes.Word | None) -> Iterator[Fact]:
        for part in word.parts if word is not None else ():
            place = part.start + self.shift, part.end + self.shift
            if isinstance(part, nodes.Parameter):
                yield "parameter", *place, part.name, part.length
                yield from self.parts(part.argument)
            elif isinstance(part, nodes.ArithmeticExpansion):
                yield "arithmetic", *place
            elif isinstance(part, nodes.ProcessSubstitution):
                yield "process", *place
                yield from self.command(part.body)
            elif isinstance(part, nodes.CommandSubstitution):
                yield "command", *place
                if part.body.text is word.text:
                    yield from self.command(part.body)
                elif "\\" not in word.text.characters[part.start : part.end]:  # else what is inside stands elsewhere
                    yield from _Ours(self.dialect, place[0] + 1).command(part.body)


class _Theirs:
    """The facts of shfmt's tree."""

    def __init__(self, text: str) -> None:
        self.text = text

    def file(self, tree: dict[str, Any]) -> Iterator[Fact]:
        yield from self.statements(tree.get("Stmts"))

    def statements(self, statements: Any) -> Iterator[Fact]:
        for statement in statements or []:
            yield from self.statement(statement)

    def statement(self, statement: dict[str, Any]) -> Iterator[Fact]:
        start, command = _start(statement), statement.get("Cmd")
        redirections = statement.get("Redirs") or []
        if statement.get("Negated"):
            yield "!", start
        if statement.get("Background"):
            yield "&", start
        first = min([_start(one) for one in redirections + ([command] if command else [])])
        if command is None:
            yield "Simple", first
        else:
            yield from self.command(command, first)
        for redirection in redirections:
            yield "redirection", _start(redirection), *_place(redirection["Word"])
            yield from self.words(
                [] if redirection.get("Hdoc") or self._is_document(redirection) else [redirection["Word"]]
            )

    def _is_document(self, redirection: dict[str, Any]) -> bool:
        operator = self.text[redirection["OpPos"]["Offset"] :]
        return operator.startswith("<<") and not operator.startswith("<<<")

    def command(self, command: dict[str, Any], start: int) -> Iterator[Fact]:
        kind = command["Type"]
        if kind == "BinaryCmd":
            yield _OPERATORS[command["Op"]], _start(command["Y"])
            yield from self.statements([command["X"], command["Y"]])
            return
        if kind == "TimeClause":
            yield from self.statements([command["Stmt"]] if command.get("Stmt") else [])
            return
        if kind == "WhileClause":
            yield ("Until" if command.get("Until") else "While"), start
        elif kind == "ForClause":
            loop = command["Loop"]
            if loop["Type"] == "CStyleLoop":
                yield "ArithmeticFor", start
            else:
                yield ("Select" if command.get("Select") else "For"), start
                yield "name", loop["Name"]["Value"]
                yield from self.words(loop.get("Items"))
        else:
            yield _KINDS.get(kind, kind), start
        if kind == "FuncDecl":
            yield "name", command["Name"]["Value"]
            yield from self.statements([command["Body"]])
        elif kind == "IfClause":
            while command:
                yield from self.statements(command.get("Cond"))
                yield from self.statements(command.get("Then"))
                command = command.get("Else") or {}
        elif kind == "CaseClause":
            yield from self.words([command["Word"]])
            for item in command.get("Items") or []:
                yield from self.words(item["Patterns"])
                yield from self.statements(item.get("Stmts"))
        elif kind == "TestClause":
            yield from self.test(command["X"])
        elif kind in ("CallExpr", "DeclClause"):
            variant = command.get("Variant")
            if variant:
                yield "word", *_place(variant)
            yield from self.assignments(command.get("Assigns"))
            if kind == "CallExpr":
                yield from self.words(command.get("Args"))
            else:
                yield from self.assignments(command.get("Args"))
        else:
            for name in ("Stmts", "Cond", "Do"):
                yield from self.statements(command.get(name))

    def assignments(self, assignments: Any) -> Iterator[Fact]:
        for one in assignments or []:
            value = one.get("Value")
            if one.get("Naked"):
                yield "word", *_place(one)
                yield from self.parts((value or {}).get("Parts"))
                continue
            yield "assignment", *_place(one), one["Name"]["Value"], bool(one.get("Append"))
            elements = [element.get("Value") for element in (one.get("Array") or {}).get("Elems") or []]
            yield from self.words([word for word in [value, *elements] if word])

    def test(self, test: dict[str, Any]) -> Iterator[Fact]:
        if test["Type"] == "Word":
            yield from self.words([test])
            return
        if test["Type"] == "UnaryTest" and self.text[_start(test)] == "-":
            yield "word", _start(test), _start(test) + 2
        for name in ("X", "Y"):
            if test.get(name):
                yield from self.test(test[name])

    def words(self, words: Any) -> Iterator[Fact]:
        for word in words or []:
            yield "word", *_place(word)
            yield from self.parts(word.get("Parts"))

    def parts(self, parts: Any) -> Iterator[Fact]:
        for part in parts or []:
            kind = part["Type"]
            if kind == "DblQuoted":
                yield from self.parts(part.get("Parts"))
            elif kind == "ParamExp":
                yield "parameter", *_place(part), part["Param"]["Value"], bool(part.get("Length"))
                yield from self.argument({name: part.get(name) for name in ("Exp", "Repl", "Slice")})
            elif kind == "ArithmExp":
                yield "arithmetic", *_place(part)
            elif kind == "ProcSubst":
                yield "process", *_place(part)
                yield from self.statements(part.get("Stmts"))
            elif kind == "CmdSubst":
                yield "command", *_place(part)
                start, end = _place(part)
                if not (part.get("Backquotes") and "\\" in self.text[start:end]):
                    yield from self.statements(part.get("Stmts"))

    def argument(self, found: Any) -> Iterator[Fact]:
        """The expansions in what stands behind the operator of an expansion, wherever."""
        for value in found.values() if isinstance(found, dict) else found if isinstance(found, list) else ():
            if isinstance(value, list):
                yield from self.parts([one for one in value if isinstance(one, dict) and "Type" in one])
            elif isinstance(value, dict):
                yield from self.argument(value)


def _start(node: dict[str, Any]) -> int:
    return int(node["Pos"]["Offset"])


def _place(node: dict[str, Any]) -> tuple[int, int]:
    return _start(node), int(node["End"]["Offset"])

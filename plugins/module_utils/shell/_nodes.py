# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tree of a shell program: a class for each kind of command, of redirection and of part of a word.

:mod:`_parser` makes it, :mod:`_walk` walks it and changes nothing in it. ``start`` and ``end`` are offsets in the text
that a node belongs to; ``end`` is behind its last character. Private to this collection. Python 3.6+, standard library
only.
"""

import re
from typing import Iterator, List, Optional, Sequence, Tuple, Union

from ..text._characters import Run, Value
from ..text._value import Text

_DESCRIPTOR = re.compile(r"(?:[0-9]+-?|-)\Z")


class Part:
    """Part of a word. ``quoted``: in quotes, or behind a backslash."""

    __slots__ = ("start", "end", "quoted")

    def __init__(self, start: int, end: int, quoted: bool) -> None:
        self.start = start
        self.end = end
        self.quoted = quoted


class Literal(Part):
    """Characters that stand for themselves; ``decoded`` is what an escape of ``$'…'`` stands for."""

    __slots__ = ("decoded",)

    def __init__(self, start: int, end: int, quoted: bool, decoded: str = "") -> None:
        Part.__init__(self, start, end, quoted)
        self.decoded = decoded


class Parameter(Part):
    """``$name``, ``${name[index]operator argument}``, ``${#name}``; of ``${!name…}`` the operator is ``!``."""

    __slots__ = ("name", "index", "length", "operator", "argument")

    def __init__(self, start: int, quoted: bool, name: str, index: Optional[str] = None, length: bool = False) -> None:
        Part.__init__(self, start, start, quoted)
        self.name = name
        self.index = index
        self.length = length
        self.operator = ""
        self.argument: Optional[Word] = None


class CommandSubstitution(Part):
    """``$(commands)`` or commands in backticks; what stands in backticks is a text of its own."""

    __slots__ = ("body",)

    def __init__(self, start: int, end: int, quoted: bool, body: "Block") -> None:
        Part.__init__(self, start, end, quoted)
        self.body = body


class ProcessSubstitution(Part):
    """``<(commands)``, or ``>(commands)`` where it is no ``source``."""

    __slots__ = ("source", "body")

    def __init__(self, start: int, end: int, source: bool, body: "Block") -> None:
        Part.__init__(self, start, end, False)
        self.source = source
        self.body = body


class ArithmeticExpansion(Part):
    """``$((expression))``."""

    __slots__ = ("expression",)

    def __init__(self, start: int, end: int, quoted: bool, expression: str) -> None:
        Part.__init__(self, start, end, quoted)
        self.expression = expression


class Word:
    """A word: its parts in order."""

    __slots__ = ("text", "start", "end", "parts", "_fixed")

    def __init__(self, text: Text, start: int) -> None:
        self.text = text
        self.start = start
        self.end = start
        self.parts: List[Part] = []
        self._fixed: Optional[Value] = None

    def literal(self) -> Optional[str]:
        """The word's characters where no expansion is in it, else None."""
        found = ""
        for part in self.parts:
            if not isinstance(part, Literal):
                return None
            found += self.characters(part)
        return found

    @property
    def fixed(self) -> Value:
        """What the whole word stands for wherever it is walked; empty where that takes a shell to say.

        A script's words are walked once a way through it, and most of them have nothing to expand.
        """
        if self._fixed is None:
            runs: List[Run] = []
            for part in self.parts:
                characters = self.characters(part) if isinstance(part, Literal) else ""
                if not characters or (not part.quoted and ("~" in characters or "{" in characters)):
                    runs = []
                    break
                if isinstance(part, Literal) and part.decoded:
                    runs.append(Run(characters, quoted=True))
                else:
                    runs.extend(self.text.runs(part.start, part.end, part.quoted))
            self._fixed = Value(runs)
        return self._fixed

    def characters(self, part: Literal) -> str:
        """The characters of a literal part."""
        return part.decoded or self.text.characters[part.start : part.end]

    @property
    def raw(self) -> str:
        """The word as it is written."""
        return self.text.characters[self.start : self.end]

    @property
    def quoted(self) -> bool:
        """True where a quote or backslash is in it (so that it is no reserved word, no assignment)."""
        return any(part.quoted for part in self.parts)


class Assignment:
    """``NAME=word``, ``NAME+=word``, ``NAME=(words)`` or ``NAME[element]=word``; the value is ``word`` or ``array``."""

    __slots__ = ("text", "name", "append", "element", "start", "value_start", "end", "word", "array")

    def __init__(
        self, text: Text, name: str, append: bool, element: Optional[str], start: int, value_start: int
    ) -> None:
        self.text = text
        self.name = name
        self.append = append
        self.element = element
        self.start = start
        self.value_start = value_start
        self.end = value_start
        self.word: Optional[Word] = None
        self.array: Optional[List[Word]] = None


class HereDocument:
    """The lines behind ``<<delimiter``: from ``start`` to ``end``, without the line that ends them."""

    __slots__ = ("delimiter", "joins", "start", "end")

    def __init__(self, delimiter: str, joins: bool) -> None:
        self.delimiter = delimiter
        self.joins = joins  # the delimiter is not quoted: lines are joined, expansions made
        self.start = 0
        self.end = 0


class Redirection:
    """``descriptor operator target``, as in ``2>>word``; ``descriptor`` is empty where none is written."""

    __slots__ = ("start", "descriptor", "operator", "target", "document")

    def __init__(self, start: int, descriptor: str, operator: str, target: Word) -> None:
        self.start = start
        self.descriptor = descriptor
        self.operator = operator
        self.target = target
        self.document: Optional[HereDocument] = None

    @property
    def is_input(self) -> bool:
        """True where the command's standard input comes from it."""
        return self.operator[0] == "<" and self.descriptor in ("", "0")

    @property
    def is_output(self) -> bool:
        """True where the command's standard output goes to it."""
        return self.operator[0] == "&" or (self.operator[0] == ">" and self.descriptor in ("", "1"))

    @property
    def opens(self) -> bool:
        """True where the target names a file."""
        return self.operator in ("<", ">", ">>", ">|", "<>", "&>", "&>>")

    @property
    def fails(self) -> bool:
        """True where it cannot be made: ``2>&1`` and a carriage return."""
        if self.operator not in (">&", "<&") or (self.operator == ">&" and not self.descriptor):
            return False
        return self.names_no_descriptor

    @property
    def names_no_descriptor(self) -> bool:
        """True where the target is known to be no number."""
        literal = self.target.literal()
        return literal is not None and _DESCRIPTOR.match(literal) is None


class Command:
    """What every command has: its place, and its redirections."""

    __slots__ = ("text", "start", "end", "redirections")

    def __init__(self, text: Text, start: int) -> None:
        self.text = text
        self.start = start
        self.end = start
        self.redirections: List[Redirection] = []

    @property
    def raw(self) -> str:
        """The command as it is written."""
        return self.text.characters[self.start : self.end]

    @property
    def input(self) -> Optional[Redirection]:
        """Where its standard input comes from, if that is said."""
        return next((one for one in reversed(self.redirections) if one.is_input), None)

    @property
    def quiet(self) -> bool:
        """True where its standard output goes elsewhere."""
        return any(one.is_output for one in self.redirections)

    @property
    def fails(self) -> bool:
        """True where a redirection cannot be made, so that it does not run."""
        return any(one.fails for one in self.redirections)


class Simple(Command):
    """``NAME=word command word >file``; ``declared`` are assignments among the words of ``export`` and its like."""

    __slots__ = ("assignments", "words", "declared")

    def __init__(self, text: Text, start: int) -> None:
        Command.__init__(self, text, start)
        self.assignments: List[Assignment] = []
        self.words: List[Word] = []
        self.declared: List[Assignment] = []

    @property
    def name(self) -> Optional[str]:
        """The name of the command where it is a literal word, else None."""
        return self.words[0].literal() if self.words else None


class Block(Command):
    """Commands one after the other; its place has the blanks and comments around them, too."""

    __slots__ = ("commands",)

    def __init__(self, text: Text, start: int, commands: List[Command]) -> None:
        Command.__init__(self, text, start)
        self.commands = commands


class Pipeline(Command):
    """``command | command``, or one command behind ``!``."""

    __slots__ = ("commands", "negated")

    def __init__(self, text: Text, start: int, commands: List[Command], negated: bool) -> None:
        Command.__init__(self, text, start)
        self.commands = commands
        self.negated = negated


class AndOr(Command):
    """``command && command || command``: each with the operator in front of it, the first with none."""

    __slots__ = ("items",)

    def __init__(self, text: Text, start: int, items: List[Tuple[str, Command]]) -> None:
        Command.__init__(self, text, start)
        self.items = items


class Background(Command):
    """``command &``."""

    __slots__ = ("body",)

    def __init__(self, text: Text, body: Command) -> None:
        Command.__init__(self, text, body.start)
        self.body = body


class Enclosed(Command):
    """Commands in brackets of one kind or the other."""

    __slots__ = ("body",)

    def __init__(self, text: Text, start: int, body: Block) -> None:
        Command.__init__(self, text, start)
        self.body = body


class Subshell(Enclosed):
    """``( commands )``."""

    __slots__ = ()


class Group(Enclosed):
    """``{ commands; }``."""

    __slots__ = ()


class If(Command):
    """``if condition; then body; elif …; else otherwise; fi``."""

    __slots__ = ("branches", "otherwise")

    def __init__(self, text: Text, start: int, branches: List[Tuple[Block, Block]], otherwise: Optional[Block]) -> None:
        Command.__init__(self, text, start)
        self.branches = branches
        self.otherwise = otherwise


class While(Command):
    """``while condition; do body; done``, or ``until``."""

    __slots__ = ("until", "condition", "body")

    def __init__(self, text: Text, start: int, until: bool, condition: Block, body: Block) -> None:
        Command.__init__(self, text, start)
        self.until = until
        self.condition = condition
        self.body = body


class For(Command):
    """``for name in words; do body; done``; without ``in``, where there are no ``words``, the arguments in turn."""

    __slots__ = ("name", "words", "body")

    def __init__(self, text: Text, start: int, name: str, words: Optional[List[Word]], body: Block) -> None:
        Command.__init__(self, text, start)
        self.name = name
        self.words = words
        self.body = body


class Select(For):
    """``select name in words; do body; done``."""

    __slots__ = ()


class ArithmeticFor(Command):
    """``for ((expression; expression; expression)); do body; done``."""

    __slots__ = ("expression", "body")

    def __init__(self, text: Text, start: int, expression: str, body: Block) -> None:
        Command.__init__(self, text, start)
        self.expression = expression
        self.body = body


class Branch:
    """``pattern | pattern) body ;;`` of a ``case``; the terminator may be ``;&`` or ``;;&``, too."""

    __slots__ = ("patterns", "body", "terminator")

    def __init__(self, patterns: List[Word], body: Block, terminator: str) -> None:
        self.patterns = patterns
        self.body = body
        self.terminator = terminator


class Case(Command):
    """``case subject in branches esac``."""

    __slots__ = ("subject", "branches")

    def __init__(self, text: Text, start: int, subject: Word, branches: List[Branch]) -> None:
        Command.__init__(self, text, start)
        self.subject = subject
        self.branches = branches


class Function(Command):
    """``name() body``, ``function name body``."""

    __slots__ = ("name", "body")

    def __init__(self, text: Text, start: int, name: str, body: Command) -> None:
        Command.__init__(self, text, start)
        self.name = name
        self.body = body


class Condition(Command):
    """``[[ … ]]``: words, and operators and parentheses as text."""

    __slots__ = ("items",)

    def __init__(self, text: Text, start: int, items: "List[Union[str, Word]]") -> None:
        Command.__init__(self, text, start)
        self.items = items


class Arithmetic(Command):
    """``((expression))``."""

    __slots__ = ("expression",)

    def __init__(self, text: Text, start: int, expression: str) -> None:
        Command.__init__(self, text, start)
        self.expression = expression


def inside(command: Command) -> Sequence[Command]:
    """The commands directly inside a command; not those in its words."""
    if isinstance(command, (Block, Pipeline)):
        return command.commands
    if isinstance(command, AndOr):
        return [item for _operator, item in command.items]
    if isinstance(command, If):
        return [*(block for branch in command.branches for block in branch), *filter(None, [command.otherwise])]
    if isinstance(command, While):
        return [command.condition, command.body]
    if isinstance(command, Case):
        return [branch.body for branch in command.branches]
    if isinstance(command, (Background, Enclosed, For, ArithmeticFor, Function)):
        return [command.body]
    return ()


def everything_inside(commands: Sequence[Command]) -> Iterator[Command]:
    """These commands, and all that are inside, outer ones first."""
    waiting = list(commands)
    while waiting:
        command = waiting.pop()
        yield command
        waiting.extend(inside(command))

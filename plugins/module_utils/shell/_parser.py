# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parser for shell text (bash, dash): from bytes to a tree in which every part knows where it stands.

Nothing is executed here; :mod:`_walk` walks the tree. Text is Latin-1, so one character is one byte
and a position is a byte offset. Private to this collection. Python 3.6+, standard library only.
"""

import re
from typing import Any, Dict, List, Optional, Sequence, Tuple

from ..text._value import Run, Text

BASH = "bash"
DASH = "dash"

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_JOINED_NAME = re.compile(r"(?:(?:\\\n)+[A-Za-z0-9_]+){1,1000}")  # no name is longer, see _LIMIT_NAME
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\+?)=")
_ELEMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\[(\$\{#[A-Za-z_0-9]+\[[@*]\]\}|[^\]\s]*)\](\+?)=")
_RESERVED = re.compile(
    r"(?:if|then|elif|else|fi|for|while|until|do|done|case|esac|function|select|time|in"
    r"|\{|\}|!|\[\[|\]\])(?=[ \t\n;&|<>()]|\\\n|\Z)"
)
_REDIRECTION = re.compile(r"(?:[0-9]*|\{[A-Za-z_][A-Za-z0-9_]*\})(<<<|<<-|<<|<>|<&|>&|>>|>\||&>>|&>|<|>)")
_EXPANSION = re.compile(r"\$\{(#?)(!?)([A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-])(\[[^\]]*\])?")
_OPERATOR = re.compile(r":[-=?+]|[-=?+]|%%|%|##|#|//|/[#%]?|\^\^?|,,?|:|@")
#: In the word of ${a-word}: what keeps a single quote from being one.
_NOT_SINGLE = re.compile(r'\\.|"(?:[^"\\]|\\.)*"', re.DOTALL)
_PARENTHESIS = re.compile(r"[()]")
_OCTAL = re.compile(r"[0-7]{1,3}")
_HEXADECIMAL = re.compile(r"x([0-9A-Fa-f]{1,2})")
_META = " \t\n;&|<>()"
_PLAIN = {stops: re.compile("[^\\\\'\"$`}%s]+" % re.escape(stops)) for stops in (_META, " \t\n", "")}
_PLAIN_IN_QUOTES = re.compile('[^\\\\"$`}]+')
_LIMIT_DEPTH = 60
LIMIT_TEXT = 1 << 20  # characters of one program; launchers have some 30,000
LIMIT_PIECES = 100000  # commands, words and parts of words of one program
_LIMIT_NAME = 1000  # characters of a variable's name

#: Builtins whose arguments may be assignments, arrays included.
DECLARATIONS = frozenset(["declare", "typeset", "export", "readonly", "local"])


class ShellSyntaxError(Exception):
    """The text is no shell program that this parser (and mostly: the shell) understands."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


class Part:
    """Part of a word. ``kind``: literal, parameter, command, arithmetic, process."""

    __slots__ = ("kind", "start", "end", "quoted", "name", "operator", "argument", "index", "body", "length")

    def __init__(self, kind: str, start: int, end: int, quoted: bool) -> None:
        self.kind = kind
        self.start = start
        self.end = end
        self.quoted = quoted
        self.name = ""
        self.operator = ""
        self.argument: Optional[Word] = None
        self.index: Optional[str] = None
        self.body: Optional[Node] = None  # of a command or process substitution
        self.length = False


class Word:
    """A word: its parts in order; ``start`` and ``end`` enclose it in its text."""

    __slots__ = ("parts", "start", "end", "text", "decoded")

    def __init__(self, text: Text, start: int) -> None:
        self.text = text
        self.start = start
        self.end = start
        self.parts: List[Part] = []
        self.decoded: Dict[int, str] = {}  # start of an ANSI-C quoted part -> its characters

    def literal(self) -> Optional[str]:
        """The word's characters where no expansion is in it, else None."""
        if any(part.kind != "literal" for part in self.parts):
            return None
        return "".join(self.characters(part) for part in self.parts)

    def characters(self, part: Part) -> str:
        """The characters of a literal part."""
        if part.start in self.decoded:
            return self.decoded[part.start]
        return self.text.characters[part.start : part.end]

    @property
    def quoted(self) -> bool:
        """True where a quote or backslash is in it (so that it is no reserved word, no assignment)."""
        return any(part.quoted for part in self.parts)


class Assignment:
    """``NAME=word``, ``NAME+=word``, ``NAME=(words)`` or ``NAME[i]=word``."""

    __slots__ = ("name", "append", "word", "array", "element", "start", "value_start", "end", "text")

    def __init__(self, text: Text, name: str, append: bool, start: int, value_start: int) -> None:
        self.text = text
        self.name = name
        self.append = append
        self.start = start
        self.value_start = value_start
        self.end = value_start
        self.word: Optional[Word] = None
        self.array: Optional[List[Word]] = None
        self.element: Optional[str] = None


class Input:
    """Where the standard input of a command comes from: ``<<``, ``<<-``, ``<<<`` or ``<``."""

    __slots__ = ("operator", "target", "delimiter", "joins", "start", "end")

    def __init__(self, operator: str, target: Word) -> None:
        self.operator = operator
        self.target = target
        self.delimiter = ""
        self.joins = False  # not quoted: lines are joined, expansions made
        self.start = 0  # of a here-document's body
        self.end = 0


class Node:
    """A command. ``kind`` names it; the other slots hold what that kind needs."""

    __slots__ = (
        "kind",
        "start",
        "end",
        "assignments",
        "words",
        "items",
        "body",
        "otherwise",
        "name",
        "negated",
        "text",
        "redirects",
        "expression",
        "input",
        "fails",
        "opened",
        "written",
        "quiet",
    )

    def __init__(self, kind: str, start: int, text: Text) -> None:
        self.kind = kind
        self.start = start
        self.end = start
        self.text = text
        self.assignments: List[Assignment] = []
        self.words: List[Any] = []  # Word, or Assignment as an argument of a declaration
        self.items: List[Any] = []
        self.body: Any = None
        self.otherwise: Any = None
        self.name = ""
        self.negated = False
        self.redirects = False
        self.input: Optional[Input] = None
        self.opened: List[Any] = []  # words that name the files which are opened for it
        self.written: List[Any] = []  # of them those that it may write
        self.quiet = False  # its standard output goes elsewhere
        self.fails = False  # a redirection cannot be made ("2>&1" and a carriage return), so it does not run
        self.expression: List[Any] = []


_ANSI_C = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "v": "\v",
    "e": "\x1b",
    "E": "\x1b",
    "\\": "\\",
    "'": "'",
    '"': '"',
    "?": "?",
}


class Parser:
    """Recursive descent over a :class:`Text`. Keeps comments, here-documents and assignments aside.

    ``dialect`` is ``bash`` or ``dash``: dash has no arrays, no ``+=``, no ``[[``, no ``$'…'``.
    """

    def __init__(self, text: Text, dialect: str = BASH) -> None:
        self.text = text
        self.characters = text.characters
        self.dialect = dialect
        self.position = 0
        self.depth = 0
        self.comments: List[Tuple[int, int]] = []
        self.heredocs: List[Tuple[int, int]] = []
        self.assignments: List[Assignment] = []
        self._pending: List[Input] = []
        self._closing: Optional[Dict[int, int]] = None  # of each parenthesis the one that closes it
        self._pieces = 0

    # -- characters ---------------------------------------------------------------------------

    def error(self, message: str) -> ShellSyntaxError:
        """A syntax error at the present position."""
        return ShellSyntaxError(message, min(self.position, len(self.characters)))

    def count_piece(self) -> None:
        """One command or word more; a program of too many is not read."""
        self._pieces += 1
        if self._pieces > LIMIT_PIECES:
            raise self.error("it has more than %d commands and words" % LIMIT_PIECES)

    def deeper(self) -> None:
        """One level of nesting more."""
        self.depth += 1
        if self.depth > _LIMIT_DEPTH:
            raise self.error("nested too deeply")

    def peek(self, length: int = 1) -> str:
        """The next characters, without taking them."""
        return self.characters[self.position : self.position + length]

    def skip_blanks(self) -> None:
        """Pass blanks, joined lines and a comment."""
        characters = self.characters
        while self.position < len(characters):
            char = characters[self.position]
            if char in " \t":
                self.position += 1
            elif char == "\\" and characters.startswith("\\\n", self.position):
                self.position += 2
            elif char == "#" and (
                self.position == 0
                or characters[self.position - 1] in " \t\n;&|()"
                or characters.startswith("\\\n", self.position - 2)
            ):
                end = characters.find("\n", self.position)
                end = len(characters) if end < 0 else end
                self.comments.append((self.position, end))
                self.position = end
            else:
                return

    def skip_newlines(self) -> None:
        """Pass blanks, comments and line ends (with the here-documents that begin there)."""
        while True:
            self.skip_blanks()
            if self.peek() != "\n":
                return
            self.newline()

    def newline(self) -> None:
        """Take one line end and the bodies of here-documents that were announced on the line."""
        self.position += 1
        for document in self._pending:
            document.start = self.position
            document.end = len(self.characters)
            while True:
                if self.position >= len(self.characters):
                    break
                pieces, line_start = [], self.position
                while True:
                    end = self.characters.find("\n", self.position)
                    end = len(self.characters) if end < 0 else end
                    pieces.append(self.characters[self.position : end])
                    self.position = min(end + 1, len(self.characters))
                    backslashes = len(pieces[-1]) - len(pieces[-1].rstrip("\\"))
                    if not document.joins or backslashes % 2 == 0 or self.position >= len(self.characters):
                        break
                    pieces[-1] = pieces[-1][:-1]
                line = "".join(pieces)
                if (line.lstrip("\t") if document.operator == "<<-" else line) == document.delimiter:
                    document.end = line_start
                    break
            self.heredocs.append((document.start, self.position))
        self._pending = []

    def reserved(self) -> str:
        """The reserved word that stands here, or an empty string."""
        match = _RESERVED.match(self.characters, self.position)
        if match is None:
            return ""
        word = match.group(0)
        if self.dialect == DASH and word in ("function", "select", "time", "[[", "]]"):
            return ""
        return word

    def take_reserved(self, word: str) -> None:
        """Take a reserved word that must stand here."""
        self.skip_newlines()
        if self.reserved() != word:
            raise self.error("expected '%s'" % word)
        self.position += len(word)

    # -- commands -----------------------------------------------------------------------------

    def parse(self) -> Node:
        """The whole text as one list of commands."""
        if len(self.characters) > LIMIT_TEXT:
            raise self.error("it is longer than %d bytes" % LIMIT_TEXT)
        if "\0" in self.characters and self.text.path is not None:
            self.position = self.characters.index("\0")
            raise self.error("a NUL byte")
        block = self.block(())
        if self.position < len(self.characters):
            raise self.error("unexpected '%s'" % self.peek())
        if self._pending:
            self.newline()
        return block

    def at_stop(self, stops: Sequence[str]) -> bool:
        """True where one of the words or characters stands here that end the list."""
        if not stops:
            return False
        if self.peek() == ")" and ")" in stops:
            return True
        if ";;" in stops and self.characters.startswith((";;", ";&"), self.position):
            return True
        return self.reserved() in [stop for stop in stops if stop.isalpha() or stop == "}"]

    def block(self, stops: Sequence[str], may_be_empty: bool = False) -> Node:
        """Commands up to one of ``stops``, or to the end of the text."""
        self.deeper()
        node = Node("block", self.position, self.text)
        while True:
            self.skip_newlines()
            if self.position >= len(self.characters):
                if stops:
                    raise self.error("expected '%s' before the end of the file" % stops[0])
                break
            if self.at_stop(stops):
                break
            node.items.append(self.and_or())
            self.skip_blanks()
            follower = self.peek()
            if self.at_stop(stops) or follower in ("", "\n"):
                continue
            if follower in ";&" and not self.characters.startswith(";;", self.position):
                self.position += 1
                if follower == "&":
                    background = Node("background", node.items[-1].start, self.text)
                    background.body, background.end = node.items[-1], self.position
                    node.items[-1] = background
                continue
            raise self.error("unexpected '%s'" % follower)
        if stops and not node.items and not may_be_empty:
            raise self.error("unexpected '%s'" % (self.reserved() or self.peek()))
        self.depth -= 1
        node.end = self.position
        return node

    def and_or(self) -> Node:
        """Pipelines joined by ``&&`` and ``||``."""
        node = Node("and_or", self.position, self.text)
        node.items.append(("", self.pipeline()))
        while True:
            self.skip_blanks()
            operator = self.peek(2)
            if operator not in ("&&", "||"):
                break
            self.position += 2
            self.skip_newlines()
            node.items.append((operator, self.pipeline()))
        node.end = self.position
        return node if len(node.items) > 1 else node.items[0][1]

    def pipeline(self) -> Node:
        """Commands joined by ``|``, with an optional ``!``."""
        node = Node("pipeline", self.position, self.text)
        while True:
            self.skip_blanks()
            word = self.reserved()
            if word == "!":
                node.negated = not node.negated
                self.position += 1
            elif word == "time":
                self.position += 4
            else:
                break
        node.items.append(self.command())
        while True:
            self.skip_blanks()
            if self.peek() == "|" and self.peek(2) != "||":
                self.position += 2 if self.peek(2) == "|&" and self.dialect == BASH else 1
                self.skip_newlines()
                node.items.append(self.command())
            else:
                break
        node.end = self.position
        return node if len(node.items) > 1 or node.negated else node.items[0]

    def command(self) -> Node:
        """One command, simple or compound."""
        self.skip_blanks()
        self.count_piece()
        start = self.position
        word = self.reserved()
        if self.peek(2) == "((" and self.dialect == BASH:
            end = self._arithmetic_end(start + 2)
            if end is not None:
                node = Node("arithmetic", start, self.text)
                node.name = self.characters[start + 2 : end - 2]
                self.position = end
                return self._compound_tail(node)
        if self.peek() == "(":
            self.position += 1
            node = Node("subshell", start, self.text)
            node.body = self.block((")",))
            self.position += 1
        elif word == "{":
            self.position += 1
            node = Node("group", start, self.text)
            node.body = self.block(("}",))
            self.position += 1
        elif word == "if":
            node = self._if(start)
        elif word in ("while", "until"):
            self.position += 5
            node = Node("while", start, self.text)
            node.name = word
            node.expression = [self.block(("do",))]
            self.take_reserved("do")
            node.body = self.block(("done",))
            self.take_reserved("done")
        elif word in ("for", "select"):
            node = self._for(start, word)
        elif word == "case":
            node = self._case(start)
        elif word == "function":
            self.position += len(word)
            self.skip_blanks()
            name = self.word()
            self.skip_blanks()
            if self.peek() == "(":
                self.position += 1
                self.skip_blanks()
                if self.peek() != ")":
                    raise self.error("expected ')'")
                self.position += 1
            node = self._function(start, name.literal() or "")
        elif word == "[[":
            node = self._condition(start)
        elif word in ("then", "elif", "else", "fi", "do", "done", "esac", "}", "in") and word != "in":
            raise self.error("unexpected '%s'" % word)
        else:
            return self._simple(start)
        return self._compound_tail(node)

    def _compound_tail(self, node: Node) -> Node:
        while True:
            self.skip_blanks()
            if not self._redirect(node):
                break
        node.end = self.position
        return node

    def _if(self, start: int) -> Node:
        node = Node("if", start, self.text)
        self.position += 2
        branches = node.items
        while True:
            condition = self.block(("then",))
            self.take_reserved("then")
            branches.append((condition, self.block(("elif", "else", "fi"))))
            word = self.reserved()
            self.position += len(word)
            if word == "elif":
                continue
            if word == "else":
                node.otherwise = self.block(("fi",))
                self.take_reserved("fi")
            break
        return node

    def _for(self, start: int, keyword: str) -> Node:
        node = Node("for", start, self.text)
        self.position += len(keyword)
        self.skip_blanks()
        if self.peek(2) == "((" and self.dialect == BASH:
            end = self._arithmetic_end(self.position + 2)
            if end is None:
                raise self.error("unfinished '(('")
            self.position = end
            node.kind = "loop"
        else:
            match = _NAME.match(self.characters, self.position)
            if match is None:
                raise self.error("expected a name after '%s'" % keyword)
            node.name = match.group(0)
            self.position = match.end()
            self.skip_newlines()
            if self.reserved() == "in":
                self.position += 2
                while True:
                    self.skip_blanks()
                    if self.peek() in ("", "\n", ";"):
                        break
                    node.words.append(self.word())
            else:
                node.kind = "for_arguments"
            if keyword == "select":
                node.kind = "loop"
        self.skip_blanks()
        if self.peek() == ";":
            self.position += 1
        self.skip_newlines()
        if self.reserved() == "{":
            self.position += 1
            node.body = self.block(("}",))
            self.position += 1
        else:
            self.take_reserved("do")
            node.body = self.block(("done",))
            self.take_reserved("done")
        return node

    def _case(self, start: int) -> Node:
        node = Node("case", start, self.text)
        self.position += 4
        self.skip_blanks()
        node.words.append(self.word())
        self.take_reserved("in")
        while True:
            self.skip_newlines()
            if self.reserved() == "esac":
                self.position += 4
                return node
            if self.position >= len(self.characters):
                raise self.error("expected 'esac' before the end of the file")
            if self.peek() == "(":
                self.position += 1
            patterns = []
            while True:
                self.skip_blanks()
                patterns.append(self.word())
                self.skip_blanks()
                if self.peek() == "|":
                    self.position += 1
                    continue
                if self.peek() != ")":
                    raise self.error("expected ')' in 'case'")
                self.position += 1
                break
            body = self.block((";;", "esac"), may_be_empty=True)
            terminator = ";;"
            if self.peek(3) == ";;&":
                terminator = ";;&"
            elif self.peek(2) == ";&":
                terminator = ";&"
            if terminator != ";;" and self.dialect == DASH:
                raise self.error("unexpected '&'")
            if self.peek() == ";":
                self.position += len(terminator)
            node.items.append((patterns, body, terminator))

    def _function(self, start: int, name: str) -> Node:
        node = Node("function", start, self.text)
        node.name = name
        self.skip_newlines()
        self.deeper()
        node.body = self.command()
        self.depth -= 1
        if self.dialect == BASH and node.body.kind == "simple":
            raise self.error("a function without a body")
        if self.dialect == DASH and _NAME.fullmatch(name) is None:
            raise self.error("no name for a function")
        return node

    def _condition(self, start: int) -> Node:
        """``[[ … ]]``: its words and operators as a flat list; :mod:`_walk` decides the simple ones."""
        node = Node("condition", start, self.text)
        self.position += 2
        while True:
            self.skip_newlines()
            if self.position >= len(self.characters):
                raise self.error("expected ']]'")
            if self.reserved() == "]]":
                self.position += 2
                return node
            two = self.peek(2)
            if two in ("&&", "||"):
                node.expression.append(two)
                self.position += 2
            elif self.peek() in "()<>" and two not in ("<(", ">("):
                node.expression.append(self.peek())
                self.position += 1
            else:
                regex = bool(node.expression) and node.expression[-1] == "=~"
                word = self.word(_META if not regex else " \t\n")
                literal = word.literal()
                is_operator = (
                    literal is not None
                    and not word.quoted
                    and literal
                    in ("!", "==", "=", "!=", "=~", "-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-nt", "-ot", "-ef")
                )
                node.expression.append(literal if is_operator else word)

    def _arithmetic_end(self, start: int) -> Optional[int]:
        """The position behind the ``))`` that closes an arithmetic expression, or None."""
        if self._closing is None:
            self._closing = {}
            still_open: List[int] = []
            for match in _PARENTHESIS.finditer(self.characters):
                if match.group(0) == "(":
                    still_open.append(match.start())
                elif still_open:
                    self._closing[still_open.pop()] = match.start()
        end = self._closing.get(start - 1)
        return end + 2 if end is not None and self.characters.startswith("))", end) else None

    def _redirect(self, node: Node) -> bool:
        """Take a redirection of a command where one stands here; say whether it did."""
        match = _REDIRECTION.match(self.characters, self.position)
        if match is None:
            return False
        operator = match.group(1)
        if operator[0] == "&" and (self.dialect == DASH or match.start(1) != self.position):
            return False
        if operator in ("<", ">") and self.characters.startswith("(", match.end()):
            return False
        if operator == "<<<" and self.dialect == DASH:
            raise self.error("'<<<' in dash")
        self.position = match.end()
        self.skip_blanks()
        target = self.word()
        node.redirects = True
        literal = target.literal()
        if (
            operator in (">&", "<&")
            and literal is not None
            and re.match(r"(?:[0-9]+-?|-)\Z", literal) is None
            and (self.dialect == DASH or match.group(0) != ">&")
        ):
            if self.dialect == DASH:
                raise self.error("a bad file descriptor")
            node.fails = True
        if operator in ("<", ">", ">>", ">|", "<>", "&>", "&>>"):
            node.opened.append(target)
            if operator != "<":
                node.written.append(target)
        if operator[0] == "&" or (operator[0] == ">" and match.group(0) in (operator, "1" + operator)):
            node.quiet = True
        source = Input(operator, target)
        if operator[0] == "<" and match.group(0) in (operator, "0" + operator):
            node.input = source
        if operator in ("<<", "<<-"):
            raw = self.characters[target.start : target.end].replace("\\\n", "")
            source.delimiter = re.sub(r"\\(.)", r"\1", raw.replace("'", "").replace('"', ""))
            source.joins = source.delimiter == raw
            self._pending.append(source)
        return True

    def _simple(self, start: int) -> Node:
        node = Node("simple", start, self.text)
        command: Optional[str] = None
        while True:
            self.skip_blanks()
            char = self.peek()
            if char == "" or char in "\n;|)":
                break
            if self._redirect(node):
                continue
            if char == "&":
                break
            if char == "(":
                name = node.words[0].literal() if len(node.words) == 1 and isinstance(node.words[0], Word) else None
                if name and not node.assignments:
                    self.position += 1
                    self.skip_blanks()
                    if self.peek() != ")":
                        raise self.error("unexpected '('")
                    self.position += 1
                    return self._compound_tail(self._function(start, name))
                raise self.error("unexpected '('")
            if not node.words or command in DECLARATIONS:
                assignment = self._assignment(declaring=bool(node.words))
                if assignment is not None:
                    (node.words if node.words else node.assignments).append(assignment)
                    continue
            word = self.word()
            if not node.words:
                command = word.literal()
            node.words.append(word)
        if not node.words and not node.assignments and not node.redirects:
            raise self.error("unexpected '%s'" % self.peek())
        node.end = self.position
        return node

    def _assignment(self, declaring: bool) -> Optional[Assignment]:
        start = self.position
        element: Optional[str] = None
        match = _ASSIGNMENT.match(self.characters, start)
        if match is not None:
            append = match.group(2) == "+"
        elif self.dialect == BASH:
            match = _ELEMENT.match(self.characters, start)
            if match is None:
                return None
            element, append = match.group(2), match.group(3) == "+"
        if match is None or (append and self.dialect == DASH):
            return None
        assignment = Assignment(self.text, match.group(1), append, start, match.end())
        assignment.element = element
        self.position = match.end()
        if self.peek() == "(":
            if self.dialect == DASH:
                raise self.error("an array in dash")
            assignment.array = self._array()
            if self.peek() not in ("", " ", "\t", "\n", ";", "&", "|", ")", "<", ">") and self.peek(2) != "\\\n":
                raise self.error("characters behind an array")
        else:
            assignment.word = self.word(allow_empty=True)
        assignment.end = self.position
        self.assignments.append(assignment)
        return assignment

    def _array(self) -> List[Word]:
        words: List[Word] = []
        self.position += 1
        while True:
            self.skip_newlines()
            char = self.peek()
            if char == ")":
                self.position += 1
                return words
            if char == "" or char in ";&|<>(":
                raise self.error("unexpected '%s' in an array" % char)
            words.append(self.word())

    # -- words --------------------------------------------------------------------------------

    def word(self, stops: str = _META, allow_empty: bool = False) -> Word:
        """One word, up to an unquoted character of ``stops``."""
        self.count_piece()
        word = Word(self.text, self.position)
        characters = self.characters
        while self.position < len(characters):
            char = characters[self.position]
            if char in "<>" and characters.startswith("(", self.position + 1) and self.dialect == BASH:
                start = self.position
                self.position += 2
                body = self._nested_block()
                part = Part("process", start, self.position, False)
                part.body = body
                self._part(word, part)
                continue
            if char in stops:
                break
            self._word_part(word, False, stops)
        word.end = self.position
        if not word.parts and not allow_empty and word.end == word.start:
            raise self.error("expected a word instead of '%s'" % self.peek())
        return word

    def _literal(self, word: Word, start: int, end: int, quoted: bool) -> None:
        # Neighbours are joined, so that a plain word is one part.
        if word.parts:
            last = word.parts[-1]
            if (
                last.kind == "literal"
                and last.end == start
                and last.quoted == quoted
                and last.start not in word.decoded
                and last.start != last.end
            ):
                last.end = end
                return
        self._part(word, Part("literal", start, end, quoted))

    def _part(self, word: Word, part: Part) -> None:
        self.count_piece()
        word.parts.append(part)

    def _word_part(self, word: Word, in_quotes: bool, stops: str) -> None:
        characters = self.characters
        start = self.position
        char = characters[start]
        if char == "\\":
            follower = characters[start + 1 : start + 2]
            if follower == "\n":
                self.position += 2
            elif in_quotes and follower not in ("$", "`", '"', "\\"):
                self.position += 1
                self._literal(word, start, start + 1, True)
            elif follower == "":
                self.position += 1
                self._literal(word, start, start + 1, in_quotes)
            else:
                self.position += 2
                self._literal(word, start + 1, start + 2, True)
        elif char == "'" and not in_quotes:
            end = characters.find("'", start + 1)
            if end < 0:
                raise self.error("unfinished single quote")
            self._literal(word, start + 1, end, True)
            self.position = end + 1
        elif char == '"' and not in_quotes:
            self._double_quotes(word)
        elif char == "$":
            self._dollar(word, in_quotes)
        elif char == "`":
            self._backticks(word, in_quotes)
        else:
            plain = (_PLAIN_IN_QUOTES if in_quotes else _PLAIN[stops]).match(characters, start + 1)
            end = plain.end() if plain is not None else start + 1
            self._literal(word, start, end, in_quotes)
            self.position = end

    def _double_quotes(self, word: Word) -> None:
        start = self.position
        self.position += 1
        count = len(word.parts)
        while True:
            if self.position >= len(self.characters):
                self.position = start
                raise self.error("unfinished double quote")
            if self.characters[self.position] == '"':
                break
            self._word_part(word, True, "")
        if len(word.parts) == count:
            word.parts.append(Part("literal", start + 1, start + 1, True))
        self.position += 1

    def _ansi_c(self, word: Word) -> None:
        """``$'…'``: plain stretches keep their places, escapes become parts of their own."""
        index = self.position + 2
        characters = self.characters
        if characters.startswith("'", index):
            word.parts.append(Part("literal", index, index, True))
        while True:
            char = characters[index : index + 1]
            if char == "":
                raise self.error("unfinished single quote")
            if char == "'":
                break
            if char != "\\" or index + 1 >= len(characters):
                end = index + 1
                while end < len(characters) and characters[end] not in "\\'":
                    end += 1
                self._literal(word, index, end, True)
                index = end
                continue
            follower = characters[index + 1]
            octal = _OCTAL.match(characters, index + 1)
            hexadecimal = _HEXADECIMAL.match(characters, index + 1)
            end = index + 2
            if octal:
                decoded, end = chr(int(octal.group(0), 8) & 255), octal.end()
            elif hexadecimal:
                decoded, end = chr(int(hexadecimal.group(1), 16)), hexadecimal.end()
            elif follower in _ANSI_C:
                decoded = _ANSI_C[follower]
            elif follower in "uUc":
                raise self.error("an escape in $'…' that is not supported")
            else:
                decoded = "\\" + follower
            if decoded == "\0":
                raise self.error("a NUL byte in $'…'")
            word.decoded[index] = decoded
            self._part(word, Part("literal", index, end, True))
            index = end
        self.position = index + 1

    def _dollar(self, word: Word, in_quotes: bool) -> None:
        characters = self.characters
        start = self.position
        follower = characters[start + 1 : start + 2]
        if follower == "'" and not in_quotes and self.dialect == BASH:
            self._ansi_c(word)
            return
        if follower == '"' and not in_quotes and self.dialect == BASH:
            self.position += 1
            self._double_quotes(word)
            return
        if characters.startswith("$((", start):
            end = self._arithmetic_end(start + 3)
            if end is not None:
                self.position = end
                self._part(word, Part("arithmetic", start, end, in_quotes))
                return
        if follower == "(":
            self.position += 2
            body = self._nested_block()
            part = Part("command", start, self.position, in_quotes)
            part.body = body
            self._part(word, part)
            return
        if follower == "{":
            self._braces(word, in_quotes)
            return
        match = _NAME.match(characters, start + 1)
        if match is not None:
            name, end = match.group(0), match.end()
            joined = _JOINED_NAME.match(characters, end)
            if joined is not None:
                name, end = name + joined.group(0).replace("\\\n", ""), joined.end()
            if len(name) > _LIMIT_NAME:
                raise self.error("a name of more than %d characters" % _LIMIT_NAME)
        elif follower and follower in "0123456789@*#?$!-":
            name, end = follower, start + 2
        else:
            self.position += 1
            self._literal(word, start, start + 1, in_quotes)
            return
        self.position = end
        part = Part("parameter", start, end, in_quotes)
        part.name = name
        self._part(word, part)

    def _nested_block(self) -> Node:
        """Commands up to the ``)`` that closes a substitution; takes that too."""
        pending, self._pending = self._pending, []
        body = self.block((")",), may_be_empty=True)
        if self.peek() != ")":
            raise self.error("expected ')'")
        self.position += 1
        self._pending = pending
        return body

    def _backticks(self, word: Word, in_quotes: bool) -> None:
        start = self.position
        index = start + 1
        while index < len(self.characters) and self.characters[index] != "`":
            index += 2 if self.characters[index] == "\\" else 1
        if index >= len(self.characters):
            raise self.error("unfinished backtick")
        inner = re.sub(r"\\([$`\\])", r"\1", self.characters[start + 1 : index])
        part = Part("command", start, index + 1, in_quotes)
        parser = Parser(Text.from_value([Run(inner)]), self.dialect)
        parser.depth, parser._pieces = self.depth, self._pieces
        part.body = parser.parse()
        self._pieces = parser._pieces
        self._part(word, part)
        self.position = index + 1

    def _braces(self, word: Word, in_quotes: bool) -> None:
        characters = self.characters
        start = self.position
        match = _EXPANSION.match(characters, start)
        if match is None:
            raise self.error("a parameter expansion that is not supported")
        part = Part("parameter", start, start, in_quotes)
        part.length = bool(match.group(1))
        part.name = match.group(3)
        if len(part.name) > _LIMIT_NAME:
            raise self.error("a name of more than %d characters" % _LIMIT_NAME)
        part.index = match.group(4)[1:-1] if match.group(4) else None
        self.position = match.end()
        if match.group(2):
            part.operator = "!"
        operator = _OPERATOR.match(characters, self.position)
        if operator is not None and self.peek() != "}":
            part.operator = part.operator or operator.group(0)
            self.position = operator.end()
            self.deeper()
            argument = Word(self.text, self.position)
            while self.peek() != "}":
                if self.position >= len(characters):
                    raise self.error("expected '}'")
                # In double quotes the word of ${a:-word} is itself double-quoted, but for double quotes in it
                # and for "\\}"; the pattern of ${a%pattern} is not.
                inner = in_quotes and self.peek() != '"' and part.operator[:1] not in "%#/"
                if inner and self.peek(2) == "\\}":
                    self._literal(argument, self.position + 1, self.position + 2, True)
                    self.position += 2
                else:
                    self._word_part(argument, inner, "")
            argument.end = self.position
            part.argument = argument
            self.depth -= 1
            raw = characters[argument.start : argument.end]
            if (
                in_quotes
                and self.dialect == BASH
                and part.operator[:1] not in "%#/"
                and "'" in raw
                and not re.search(r"\$\(|`", raw)
                and _NOT_SINGLE.sub("", raw).count("'") % 2
            ):
                raise self.error("unfinished single quote")  # they count in pairs there, though they stay
        if self.peek() != "}":
            raise self.error("expected '}'")
        self.position += 1
        part.end = self.position
        self._part(word, part)


def parse(text: Text, dialect: str = BASH) -> Tuple[Node, Parser]:
    """Parse a text; returns its tree and the parser, which keeps comments, here-documents, assignments.

    Raises :class:`ShellSyntaxError`, and nothing else.
    """
    parser = Parser(text, dialect)
    try:
        return parser.parse(), parser
    except RecursionError:
        raise ShellSyntaxError("nested too deeply", min(parser.position, len(parser.characters)))


def is_reserved(word: str) -> bool:
    """True for a word that can be part of the shell's grammar."""
    match = _RESERVED.match(word)
    return match is not None and match.end() == len(word)

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The grammar of shell text (bash, dash): from bytes to a tree in which every part knows where it stands.

The tree is in :mod:`_nodes`, the position in :mod:`_cursor`. Nothing is executed here; :mod:`_walk` walks the tree.
Text is Latin-1, so one character is one byte and a position is a byte offset. Private to this collection. Python 3.6+,
standard library only.
"""

import re
from typing import Dict, List, Optional, Sequence, Tuple, Union

from ..text._characters import Run
from ..text._value import Text
from ._cursor import LIMIT_TEXT, Cursor
from ._nodes import (
    AndOr,
    Arithmetic,
    ArithmeticExpansion,
    ArithmeticFor,
    Assignment,
    Background,
    Block,
    Branch,
    Case,
    Command,
    CommandSubstitution,
    Condition,
    For,
    Function,
    Group,
    HereDocument,
    If,
    Literal,
    Parameter,
    Part,
    Pipeline,
    ProcessSubstitution,
    Redirection,
    Select,
    Simple,
    Subshell,
    While,
    Word,
)

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
_REDIRECTION = re.compile(r"([0-9]*|\{[A-Za-z_][A-Za-z0-9_]*\})(<<<|<<-|<<|<>|<&|>&|>>|>\||&>>|&>|<|>)")
_EXPANSION = re.compile(r"\$\{(#?)(!?)([A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-])(\[[^\]]*\])?")
_OPERATOR = re.compile(r":[-=?+]|[-=?+]|%%|%|##|#|//|/[#%]?|\^\^?|,,?|:|@")
#: In the word of ${a-word}: what keeps a single quote from being one.
_NOT_SINGLE = re.compile(r'\\.|"(?:[^"\\]|\\.)*"', re.DOTALL)
_PARENTHESIS = re.compile(r"[()]")
_OCTAL = re.compile(r"[0-7]{1,3}")
_HEXADECIMAL = re.compile(r"x([0-9A-Fa-f]{1,2})")
_BLANKS = re.compile(r"(?:[ \t]|\\\n)+")
_META = " \t\n;&|<>()"
_PLAIN = {stops: re.compile("[^\\\\'\"$`}%s]+" % re.escape(stops)) for stops in (_META, " \t\n", "")}
_PLAIN_IN_QUOTES = re.compile('[^\\\\"$`}]+')
_PLAIN_IN_ANSI_C = re.compile(r"[^'][^\\']*")
_LIMIT_NAME = 1000  # characters of a variable's name

#: Builtins whose arguments may be assignments, arrays included.
DECLARATIONS = frozenset(["declare", "typeset", "export", "readonly", "local"])
#: Reserved words that dash takes for commands.
_BASH_WORDS = frozenset(["function", "select", "time", "[[", "]]"])
#: Reserved words with which no command begins.
_NO_BEGINNING = frozenset(["then", "elif", "else", "fi", "do", "done", "esac", "}"])
_OPERATORS_OF_TESTS = frozenset(
    ["!", "==", "=", "!=", "=~", "-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-nt", "-ot", "-ef"]
)
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

    def __init__(self, text: Text, dialect: str = BASH, source: Optional[Cursor] = None) -> None:
        self.text = text
        self.dialect = dialect
        self.source = source or Cursor(text.characters)
        self.comments: List[Tuple[int, int]] = []
        self.heredocs: List[Tuple[int, int]] = []
        self.assignments: List[Assignment] = []
        self._pending: List[Redirection] = []
        self._closing: Optional[Dict[int, int]] = None  # of each parenthesis the one that closes it

    # -- between words ------------------------------------------------------------------------

    def skip_blanks(self) -> None:
        """Pass blanks, joined lines and a comment."""
        source = self.source
        source.match(_BLANKS)
        start = source.position
        if source.at("#") and (
            not start or source.characters[start - 1] in " \t\n;&|()" or source.characters.startswith("\\\n", start - 2)
        ):
            source.position = source.find("\n", start)
            self.comments.append((start, source.position))

    def skip_newlines(self) -> None:
        """Pass blanks, comments and line ends (with the here-documents that begin there)."""
        while True:
            self.skip_blanks()
            if not self.source.take("\n"):
                return
            if self._pending:
                self._here_documents()

    def _here_documents(self) -> None:
        """Take the bodies of the here-documents that were announced on the line before."""
        source = self.source
        for redirection in self._pending:
            document = redirection.document
            if document is None:
                continue
            document.start = source.position
            document.end = len(source.characters)
            while not source.ended:
                pieces, line_start = [], source.position
                while True:
                    end = source.find("\n", source.position)
                    pieces.append(source.characters[source.position : end])
                    source.position = min(end + 1, len(source.characters))
                    backslashes = len(pieces[-1]) - len(pieces[-1].rstrip("\\"))
                    if not document.joins or backslashes % 2 == 0 or source.ended:
                        break
                    pieces[-1] = pieces[-1][:-1]
                line = "".join(pieces)
                if (line.lstrip("\t") if redirection.operator == "<<-" else line) == document.delimiter:
                    document.end = line_start
                    break
            self.heredocs.append((document.start, source.position))
        self._pending = []

    def reserved(self) -> str:
        """The reserved word that stands here, or an empty string."""
        match = _RESERVED.match(self.source.characters, self.source.position)
        if match is None:
            return ""
        word = match.group(0)
        return "" if self.dialect == DASH and word in _BASH_WORDS else word

    def take_reserved(self, word: str) -> None:
        """Take a reserved word that must stand here."""
        self.skip_newlines()
        if self.reserved() != word:
            raise self.source.error("expected '%s'" % word)
        self.source.position += len(word)

    def take_parenthesis(self) -> None:
        """Take the ``)`` that must stand here."""
        self.skip_blanks()
        if not self.source.take(")"):
            raise self.source.error("expected ')'")

    # -- commands -----------------------------------------------------------------------------

    def parse(self) -> Block:
        """The whole text as one list of commands."""
        source = self.source
        if len(source.characters) > LIMIT_TEXT:
            raise source.error("it is longer than %d bytes" % LIMIT_TEXT)
        if "\0" in source.characters and self.text.path is not None:
            source.position = source.characters.index("\0")
            raise source.error("a NUL byte")
        block = self.block(())
        if not source.ended:
            raise source.error("unexpected '%s'" % source.peek())
        if self._pending:
            source.position += 1
            self._here_documents()
        return block

    def at_stop(self, stops: Sequence[str]) -> bool:
        """True where one of the words or characters stands here that end the list."""
        if not stops:
            return False
        source = self.source
        if ")" in stops and source.at(")"):
            return True
        if ";;" in stops and (source.at(";;") or source.at(";&")):
            return True
        word = self.reserved()
        return word != "" and word in stops

    def block(self, stops: Sequence[str], may_be_empty: bool = False) -> Block:
        """Commands up to one of ``stops``, or to the end of the text."""
        source = self.source
        source.deeper()
        commands: List[Command] = []
        block = Block(self.text, source.position, commands)
        while True:
            self.skip_newlines()
            if source.ended:
                if stops:
                    raise source.error("expected '%s' before the end of the file" % stops[0])
                break
            if self.at_stop(stops):
                break
            commands.append(self.and_or())
            self.skip_blanks()
            follower = source.peek()
            if follower in ("", "\n") or self.at_stop(stops):
                continue
            if follower in ";&" and not source.at(";;"):
                source.position += 1
                if follower == "&":
                    commands[-1] = Background(self.text, commands[-1])
                    commands[-1].end = source.position
                continue
            raise source.error("unexpected '%s'" % follower)
        if stops and not commands and not may_be_empty:
            raise source.error("unexpected '%s'" % (self.reserved() or source.peek()))
        source.depth -= 1
        block.end = source.position
        return block

    def and_or(self) -> Command:
        """Pipelines joined by ``&&`` and ``||``; a single one stands for itself."""
        source = self.source
        start = source.position
        items: List[Tuple[str, Command]] = [("", self.pipeline())]
        while True:
            self.skip_blanks()
            operator = source.peek(2)
            if operator not in ("&&", "||"):
                break
            source.position += 2
            self.skip_newlines()
            items.append((operator, self.pipeline()))
        if len(items) == 1:
            return items[0][1]
        command = AndOr(self.text, start, items)
        command.end = items[-1][1].end
        return command

    def pipeline(self) -> Command:
        """Commands joined by ``|``, with an optional ``!``; a single one without it stands for itself."""
        source = self.source
        start = source.position
        negated = False
        while True:
            self.skip_blanks()
            word = self.reserved()
            if word not in ("!", "time"):
                break
            negated ^= word == "!"
            source.position += len(word)
        commands = [self.command()]
        while True:
            self.skip_blanks()
            if not source.at("|") or source.at("||"):
                break
            source.position += 2 if source.at("|&") and self.dialect == BASH else 1
            self.skip_newlines()
            commands.append(self.command())
        if len(commands) == 1 and not negated:
            return commands[0]
        command = Pipeline(self.text, start, commands, negated)
        command.end = commands[-1].end
        return command

    def command(self) -> Command:
        """One command, simple or compound."""
        source = self.source
        self.skip_blanks()
        source.count()
        start = source.position
        if source.at("((") and self.dialect == BASH:
            expression = self._arithmetic("((")
            if expression is not None:
                return self._compound_tail(Arithmetic(self.text, start, expression))
        command: Command
        word = self.reserved()
        if source.take("("):
            body = self.block((")",))
            source.position += 1
            command = Subshell(self.text, start, body)
        elif not word or word == "in":
            return self._simple(start)
        elif word in _NO_BEGINNING:
            raise source.error("unexpected '%s'" % word)
        else:
            source.position += len(word)
            if word == "{":
                command = Group(self.text, start, self._body("", "}"))
            elif word == "if":
                command = self._if(start)
            elif word in ("while", "until"):
                condition = self.block(("do",))
                command = While(self.text, start, word == "until", condition, self._body("do", "done"))
            elif word in ("for", "select"):
                command = self._for(start, word)
            elif word == "case":
                command = self._case(start)
            elif word == "function":
                self.skip_blanks()
                name = self.word().literal() or ""
                self.skip_blanks()
                if source.take("("):
                    self.take_parenthesis()
                command = self._function(start, name)
            elif word == "[[":
                command = self._condition(start)
            else:
                source.position = start
                return self._simple(start)
        return self._compound_tail(command)

    def _compound_tail(self, command: Command) -> Command:
        while True:
            command.end = self.source.position
            self.skip_blanks()
            if not self._redirect(command):
                return command

    def _body(self, begins: str, ends: str) -> Block:
        """Commands between two reserved words; takes those too."""
        if begins:
            self.take_reserved(begins)
        block = self.block((ends,))
        self.take_reserved(ends)
        return block

    def _if(self, start: int) -> If:
        branches: List[Tuple[Block, Block]] = []
        otherwise = None
        while True:
            condition = self.block(("then",))
            self.take_reserved("then")
            branches.append((condition, self.block(("elif", "else", "fi"))))
            word = self.reserved()
            self.source.position += len(word)
            if word == "elif":
                continue
            if word == "else":
                otherwise = self._body("", "fi")
            return If(self.text, start, branches, otherwise)

    def _for(self, start: int, keyword: str) -> Command:
        source = self.source
        self.skip_blanks()
        if source.at("((") and self.dialect == BASH:
            expression = self._arithmetic("((")
            if expression is None:
                raise source.error("unfinished '(('")
            return ArithmeticFor(self.text, start, expression, self._body_of_for())
        match = source.match(_NAME)
        if match is None:
            raise source.error("expected a name after '%s'" % keyword)
        words: Optional[List[Word]] = None
        self.skip_newlines()
        if self.reserved() == "in":
            source.position += 2
            words = []
            self.skip_blanks()
            while source.peek() not in ("", "\n", ";"):
                words.append(self.word())
                self.skip_blanks()
        kind = Select if keyword == "select" else For
        return kind(self.text, start, match.group(0), words, self._body_of_for())

    def _body_of_for(self) -> Block:
        self.skip_blanks()
        self.source.take(";")
        self.skip_newlines()
        return self._body("{", "}") if self.reserved() == "{" else self._body("do", "done")

    def _case(self, start: int) -> Case:
        source = self.source
        self.skip_blanks()
        subject = self.word()
        self.take_reserved("in")
        branches: List[Branch] = []
        while True:
            self.skip_newlines()
            if self.reserved() == "esac":
                source.position += 4
                return Case(self.text, start, subject, branches)
            if source.ended:
                raise source.error("expected 'esac' before the end of the file")
            source.take("(")
            patterns: List[Word] = []
            while not patterns or source.take("|"):
                self.skip_blanks()
                patterns.append(self.word())
                self.skip_blanks()
            if not source.take(")"):
                raise source.error("expected ')' in 'case'")
            body = self.block((";;", "esac"), may_be_empty=True)
            terminator = next((one for one in (";;&", ";&") if source.at(one)), ";;")
            if terminator != ";;" and self.dialect == DASH:
                raise source.error("unexpected '&'")
            source.take(terminator)
            branches.append(Branch(patterns, body, terminator))

    def _function(self, start: int, name: str) -> Function:
        source = self.source
        self.skip_newlines()
        source.deeper()
        body = self.command()
        source.depth -= 1
        if self.dialect == BASH and isinstance(body, Simple):
            raise source.error("a function without a body")
        if self.dialect == DASH and _NAME.fullmatch(name) is None:
            raise source.error("no name for a function")
        return Function(self.text, start, name, body)

    def _condition(self, start: int) -> Condition:
        """``[[ … ]]``: its words and operators as a flat list; :mod:`_flow` decides the simple ones."""
        source = self.source
        items: List[Union[str, Word]] = []
        while True:
            self.skip_newlines()
            if source.ended:
                raise source.error("expected ']]'")
            if self.reserved() == "]]":
                source.position += 2
                return Condition(self.text, start, items)
            two = source.peek(2)
            if two in ("&&", "||") or (two[:1] in "()<>" and two not in ("<(", ">(")):
                two = two if two in ("&&", "||") else two[:1]
                items.append(two)
                source.position += len(two)
            else:
                word = self.word(" \t\n" if items and items[-1] == "=~" else _META)
                literal = None if word.quoted else word.literal()
                items.append(literal if literal is not None and literal in _OPERATORS_OF_TESTS else word)

    def _arithmetic(self, opening: str) -> Optional[str]:
        """Takes an arithmetic expression with its parentheses; None where none stands here."""
        source = self.source
        if self._closing is None:
            self._closing = {}
            still_open: List[int] = []
            for match in _PARENTHESIS.finditer(source.characters):
                if match.group(0) == "(":
                    still_open.append(match.start())
                elif still_open:
                    self._closing[still_open.pop()] = match.start()
        start = source.position + len(opening)
        end = self._closing.get(start - 1)
        if end is None or not source.characters.startswith("))", end):
            return None
        source.position = end + 2
        return source.characters[start:end]

    def _redirect(self, command: Command) -> bool:
        """Take a redirection of a command where one stands here; say whether it did."""
        source = self.source
        start = source.position
        match = _REDIRECTION.match(source.characters, start)
        if match is None:
            return False
        descriptor, operator = match.groups()
        if operator[0] == "&" and (self.dialect == DASH or descriptor):
            return False
        if self.dialect == DASH and descriptor.startswith("{"):
            return False
        if operator in ("<", ">") and source.characters.startswith("(", match.end()):
            return False
        if operator == "<<<" and self.dialect == DASH:
            raise source.error("'<<<' in dash")
        source.position = match.end()
        self.skip_blanks()
        target = self.word()
        redirection = Redirection(start, descriptor, operator, target)
        if self.dialect == DASH and operator in (">&", "<&") and redirection.names_no_descriptor:
            raise source.error("a bad file descriptor")
        if operator in ("<<", "<<-"):
            raw = target.raw.replace("\\\n", "")
            delimiter = re.sub(r"\\(.)", r"\1", raw.replace("'", "").replace('"', ""))
            redirection.document = HereDocument(delimiter, delimiter == raw)
            self._pending.append(redirection)
        command.redirections.append(redirection)
        return True

    def _simple(self, start: int) -> Command:
        source = self.source
        simple = Simple(self.text, start)
        words = simple.words
        declares = False
        while True:
            simple.end = source.position
            self.skip_blanks()
            char = source.peek()
            if char == "" or char in "\n;|)":
                break
            if self._redirect(simple):
                continue
            if char == "&":
                break
            if char == "(":
                name = words[0].literal() if len(words) == 1 and not simple.declared else None
                if name and not simple.assignments:
                    source.position += 1
                    self.skip_blanks()
                    if source.take(")"):
                        return self._compound_tail(self._function(start, name))
                raise source.error("unexpected '('")
            if not words or declares:
                assignment = self._assignment()
                if assignment is not None:
                    (simple.declared if words else simple.assignments).append(assignment)
                    continue
            words.append(self.word())
            if len(words) == 1:
                declares = words[0].literal() in DECLARATIONS
        if not words and not simple.assignments and not simple.redirections:
            raise source.error("unexpected '%s'" % source.peek())
        return simple

    def _assignment(self) -> Optional[Assignment]:
        source = self.source
        start = source.position
        element: Optional[str] = None
        match = _ASSIGNMENT.match(source.characters, start)
        if match is not None:
            name, appends = match.groups()
        elif self.dialect == BASH:
            match = _ELEMENT.match(source.characters, start)
            if match is None:
                return None
            name, element, appends = match.groups()
        if match is None or (appends and self.dialect == DASH):
            return None
        assignment = Assignment(self.text, name, bool(appends), element, start, match.end())
        source.position = match.end()
        if source.at("("):
            if self.dialect == DASH:
                raise source.error("an array in dash")
            source.position += 1
            assignment.array = self._array()
            if source.peek() not in ("", *_META) and not source.at("\\\n") or source.at("("):
                raise source.error("characters behind an array")
        else:
            assignment.word = self.word(allow_empty=True)
        assignment.end = source.position
        self.assignments.append(assignment)
        return assignment

    def _array(self) -> List[Word]:
        source = self.source
        words: List[Word] = []
        while True:
            self.skip_newlines()
            if source.take(")"):
                return words
            char = source.peek()
            if char == "" or char in ";&|<>(":
                raise source.error("unexpected '%s' in an array" % char)
            words.append(self.word())

    # -- words --------------------------------------------------------------------------------

    def word(self, stops: str = _META, allow_empty: bool = False) -> Word:
        """One word, up to an unquoted character of ``stops``."""
        source = self.source
        source.count()
        word = Word(self.text, source.position)
        characters = source.characters
        while source.position < len(characters):
            start = source.position
            char = characters[start]
            if char in "<>" and characters.startswith("(", start + 1) and self.dialect == BASH:
                source.position += 2
                body = self._nested_block()
                self._part(word, ProcessSubstitution(start, source.position, char == "<", body))
                continue
            if char in stops:
                break
            self._word_part(word, False, stops)
        word.end = source.position
        if not word.parts and not allow_empty and word.end == word.start:
            raise source.error("expected a word instead of '%s'" % source.peek())
        return word

    def _literal(self, word: Word, start: int, end: int, quoted: bool) -> None:
        # Neighbours are joined, so that a plain word is one part.
        last = word.parts[-1] if word.parts else None
        if (
            isinstance(last, Literal)
            and last.end == start
            and last.quoted == quoted
            and not last.decoded
            and last.start != last.end
        ):
            last.end = end
            return
        self._part(word, Literal(start, end, quoted))

    def _part(self, word: Word, part: Part) -> None:
        self.source.count()
        word.parts.append(part)

    def _word_part(self, word: Word, in_quotes: bool, stops: str) -> None:
        source = self.source
        characters = source.characters
        start = source.position
        char = characters[start]
        if char == "\\":
            follower = characters[start + 1 : start + 2]
            if follower == "\n":
                source.position += 2
            elif in_quotes and follower not in ("$", "`", '"', "\\"):
                source.position += 1
                self._literal(word, start, start + 1, True)
            elif follower == "":
                source.position += 1
                self._literal(word, start, start + 1, in_quotes)
            else:
                source.position += 2
                self._literal(word, start + 1, start + 2, True)
        elif char == "'" and not in_quotes:
            end = characters.find("'", start + 1)
            if end < 0:
                raise source.error("unfinished single quote")
            self._literal(word, start + 1, end, True)
            source.position = end + 1
        elif char == '"' and not in_quotes:
            self._double_quotes(word)
        elif char == "$":
            self._dollar(word, in_quotes)
        elif char == "`":
            self._backticks(word, in_quotes)
        else:
            plain = (_PLAIN_IN_QUOTES if in_quotes else _PLAIN[stops]).match(characters, start + 1)
            source.position = plain.end() if plain is not None else start + 1
            self._literal(word, start, source.position, in_quotes)

    def _double_quotes(self, word: Word) -> None:
        source = self.source
        start = source.position
        source.position += 1
        count = len(word.parts)
        while not source.at('"'):
            if source.ended:
                source.position = start
                raise source.error("unfinished double quote")
            self._word_part(word, True, "")
        if len(word.parts) == count:
            word.parts.append(Literal(start + 1, start + 1, True))
        source.position += 1

    def _ansi_c(self, word: Word) -> None:
        """``$'…'``: plain stretches keep their places, escapes become parts of their own."""
        source = self.source
        characters = source.characters
        start = index = source.position + 2
        while not characters.startswith("'", index):
            if index >= len(characters):
                raise source.error("unfinished single quote")
            if characters[index] != "\\" or index + 1 >= len(characters):
                plain = _PLAIN_IN_ANSI_C.match(characters, index)
                end = plain.end() if plain is not None else index + 1
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
                raise source.error("an escape in $'…' that is not supported")
            else:
                decoded = "\\" + follower
            if decoded == "\0":
                raise source.error("a NUL byte in $'…'")
            self._part(word, Literal(index, end, True, decoded))
            index = end
        if index == start:
            word.parts.append(Literal(index, index, True))
        source.position = index + 1

    def _dollar(self, word: Word, in_quotes: bool) -> None:
        source = self.source
        characters = source.characters
        start = source.position
        follower = characters[start + 1 : start + 2]
        if follower == "'" and not in_quotes and self.dialect == BASH:
            self._ansi_c(word)
            return
        if follower == '"' and not in_quotes and self.dialect == BASH:
            source.position += 1
            self._double_quotes(word)
            return
        if source.at("$(("):
            expression = self._arithmetic("$((")
            if expression is not None:
                self._part(word, ArithmeticExpansion(start, source.position, in_quotes, expression))
                return
        if follower == "(":
            source.position += 2
            body = self._nested_block()
            self._part(word, CommandSubstitution(start, source.position, in_quotes, body))
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
                raise source.error("a name of more than %d characters" % _LIMIT_NAME)
        elif follower and follower in "0123456789@*#?$!-":
            name, end = follower, start + 2
        else:
            source.position += 1
            self._literal(word, start, start + 1, in_quotes)
            return
        source.position = end
        parameter = Parameter(start, in_quotes, name)
        parameter.end = end
        self._part(word, parameter)

    def _nested_block(self) -> Block:
        """Commands up to the ``)`` that closes a substitution; takes that too."""
        pending, self._pending = self._pending, []
        body = self.block((")",), may_be_empty=True)
        self.take_parenthesis()
        self._pending = pending
        return body

    def _backticks(self, word: Word, in_quotes: bool) -> None:
        source = self.source
        start = source.position
        index = start + 1
        while index < len(source.characters) and source.characters[index] != "`":
            index += 2 if source.characters[index] == "\\" else 1
        if index >= len(source.characters):
            raise source.error("unfinished backtick")
        text = Text.from_value([Run(re.sub(r"\\([$`\\])", r"\1", source.characters[start + 1 : index]))])
        inner = Cursor(text.characters, source.depth, source.pieces)
        body = Parser(text, self.dialect, inner).parse()
        source.pieces = inner.pieces
        self._part(word, CommandSubstitution(start, index + 1, in_quotes, body))
        source.position = index + 1

    def _braces(self, word: Word, in_quotes: bool) -> None:
        source = self.source
        start = source.position
        match = source.match(_EXPANSION)
        if match is None:
            raise source.error("a parameter expansion that is not supported")
        length, indirect, name, index = match.groups()
        parameter = Parameter(start, in_quotes, name, index[1:-1] if index else None, bool(length))
        if len(name) > _LIMIT_NAME:
            source.position = start
            raise source.error("a name of more than %d characters" % _LIMIT_NAME)
        operator = source.match(_OPERATOR)
        parameter.operator = indirect or (operator.group(0) if operator is not None else "")
        if operator is not None:
            parameter.argument = self._argument(parameter.operator, in_quotes)
        if not source.take("}"):
            raise source.error("expected '}'")
        parameter.end = source.position
        self._part(word, parameter)

    def _argument(self, operator: str, in_quotes: bool) -> Word:
        """The word behind the operator of ``${name:-word}``, up to the brace."""
        source = self.source
        source.deeper()
        argument = Word(self.text, source.position)
        # In double quotes the word of ${a:-word} is itself double-quoted, but for double quotes in it
        # and for "\\}"; the pattern of ${a%pattern} is not.
        keeps_quotes = in_quotes and operator[:1] not in "%#/"
        while not source.at("}"):
            if source.ended:
                raise source.error("expected '}'")
            if keeps_quotes and source.at("\\}"):
                self._literal(argument, source.position + 1, source.position + 2, True)
                source.position += 2
            else:
                self._word_part(argument, keeps_quotes and not source.at('"'), "")
        argument.end = source.position
        source.depth -= 1
        raw = argument.raw
        if (
            keeps_quotes
            and self.dialect == BASH
            and "'" in raw
            and not re.search(r"\$\(|`", raw)
            and _NOT_SINGLE.sub("", raw).count("'") % 2
        ):
            raise source.error("unfinished single quote")  # they count in pairs there, though they stay
        return argument


def parse(text: Text, dialect: str = BASH) -> Tuple[Block, Parser]:
    """Parse a text; returns its tree and the parser, which keeps comments, here-documents, assignments.

    Raises :class:`ShellSyntaxError`, and nothing else.
    """
    parser = Parser(text, dialect)
    try:
        return parser.parse(), parser
    except RecursionError:
        raise parser.source.error("nested too deeply")


def is_reserved(word: str) -> bool:
    """True for a word that can be part of the shell's grammar."""
    match = _RESERVED.match(word)
    return match is not None and match.end() == len(word)

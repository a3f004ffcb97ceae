# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As much YAML as a setting needs: what it is sure of it says, with the place; all else is Unsure, with the reason.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.

Block and flow mappings and sequences, plain and quoted scalars, block scalars, comments, one document. Aliases, tags
and anchors are known for what they are, and their nodes are of no known value (:class:`Node` of kind ``odd``). Nothing
is expanded, so a text makes no more nodes than it has characters.
"""

import re
from typing import Any, List, NamedTuple, Optional, Tuple

LIMIT_DEPTH = 60
MAP, LIST, SCALAR, ODD = "map", "list", "scalar", "odd"
#: What no YAML has, and line breaks of YAML 1.1 that are none to anybody else (NEL, LS, PS, a lone CR).
_NO_TEXT = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9]|\r(?!\n)")
_PLAIN = re.compile(r"[^\s\-?:,\[\]{}#&*!|>'\"%@`]|[-?:](?=[^\s])")
_BLOCK = re.compile(r"[|>](?:[+-]?[1-9]?|[1-9][+-])[ ]*(?: #[^\n]*)?\r?(?:\n|\Z)")
_PROPERTY = re.compile(r"([&*])[A-Za-z0-9_-]+|(!)[^\s,\[\]{}]*")
_ESCAPES = re.compile(
    r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|\r?\n[ ]*|[0abt\tnvfre \"/\\N_LP]|(.|\Z))"
)
_BLANK = re.compile(r"[ \r\n]*")
_REST = re.compile(r"(?:[ ]+#[^\n]*|[ ]*)\r?(?:\n|\Z)")
_EMPTY = re.compile(r"(?:#[^\n]*)?\r?(?:\n|\Z)")
_DASH = re.compile(r"-(?:[ \r\n]|\Z)")
_COLON = re.compile(r"[ ]*:(?=[ \r\n]|\Z)")
_LINE = re.compile(r"([ ]*)([^\n]*)(?:\n|\Z)")
_COLON_IN = re.compile(r":(?=[ \r]|\Z)")
_MARK = re.compile(r"(?:---|\.\.\.)(?:\s|\Z)")
_FLOW_WORDS = re.compile(
    r"(?:[^\s\-?:,\[\]{}#&*!|>'\"%@`]|-(?=[^\s,\[\]{}]))"
    r"(?:[^\s,\[\]{}:?#]|#(?<=[^ ]#)|:(?=[^\s,\[\]{}])|[ ]+(?=[^\s,\[\]{}:?#]))*"
)
_QUOTED = {'"': re.compile(r'"((?:[^"\\]|\\.)*)"', re.S), "'": re.compile(r"'((?:[^']|'')*)'")}


class Unsure(Exception):
    """It is no YAML, or more of it than is read here; says what, and the line."""


class Node(NamedTuple):
    """A value: pairs of nodes for a mapping, nodes for a sequence, text for a scalar, a reason for what is odd."""

    kind: str
    value: Any
    start: int  # of its first character in the text
    end: int  # after its last one, of a scalar in one line
    column: int  # of its entries, where it is a block; else -1


class Reader:
    """One text. Latin-1, one character a byte, as files are read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 3 if text.startswith("\xef\xbb\xbf") else 0
        self.depth = 0
        self.begun = self.counted = 0  # where the line of the position that was last counted begins, and that position

    def line(self, position: int) -> int:
        return self.text.count("\n", 0, position) + 1

    def unsure(self, why: str) -> Unsure:
        return Unsure("line %d: %s" % (self.line(self.at), why))

    def document(self) -> Optional[Node]:
        """The one document; None where it is empty. Raises Unsure."""
        bad = _NO_TEXT.search(self.text)
        try:
            self.text.encode("latin-1").decode("utf-8")
        except UnicodeError:
            raise Unsure("it is not UTF-8")
        if bad:
            self.at = bad.start()
            raise self.unsure("it has characters that YAML does not have, or line breaks of another kind")
        column = self.skip()
        if column == 0 and self.is_mark("---"):
            self.at += 3
            self.rest_is_empty()
            column = self.skip()
        elif self.text[self.at : self.at + 1] == "%":
            raise self.unsure("a directive, which is not read")
        node = None
        if column >= 0:
            node = self.node(-1, column)
            column = self.skip()
        if column == 0 and self.is_mark("..."):
            self.at += 3
            self.rest_is_empty()
            column = self.skip()
        if column >= 0:
            raise self.unsure("a second document, or what does not belong to the first")
        return node

    # -- lines ------------------------------------------------------------------------------------

    def is_mark(self, mark: str) -> bool:
        """Whether ``---`` or ``...`` stands here, at the beginning of a line."""
        text, at = self.text, self.at
        return text.startswith(mark, at) and text[at + 3 : at + 4] in ("", " ", "\t", "\r", "\n") and self.column() == 0

    def column(self) -> int:
        text, at = self.text, self.at
        if at < self.begun:
            self.begun = text.rfind("\n", 0, at) + 1
        elif at > self.counted:  # no line is gone through twice
            self.begun = text.rfind("\n", self.counted, at) + 1 or self.begun
        self.counted = at
        return at - (3 if self.begun == 0 and text.startswith("\xef\xbb\xbf") else self.begun)

    def skip(self) -> int:
        """Go on to what is neither blank nor a comment; its column, -1 for the end."""
        text = self.text
        while True:
            self.at = _BLANK.match(text, self.at).end()  # type: ignore[union-attr]  # it matches anything
            if self.at >= len(text):
                return -1
            if text[self.at] != "#" or (self.at and text[self.at - 1] not in " \n\xbf"):
                if text[self.at] == "\t":
                    raise self.unsure("a tab")
                return self.column()
            self.at = text.find("\n", self.at) + 1 or len(text)

    def end_of_line(self) -> int:
        end = self.text.find("\n", self.at)
        return len(self.text) if end < 0 else end

    def rest_is_empty(self) -> None:
        """After a value there is nothing but a comment in its line."""
        match = _REST.match(self.text, self.at)
        if match is None:
            raise self.unsure("something behind a value")
        self.at = match.end()

    # -- nodes ------------------------------------------------------------------------------------

    def node(self, parent: int, column: int) -> Node:
        """The node whose first character is here, at ``column``, below what stands at ``parent``."""
        self.depth += 1
        if self.depth > LIMIT_DEPTH:
            raise self.unsure("deeper than %d" % LIMIT_DEPTH)
        if self.column() == 0 and (self.is_mark("---") or self.is_mark("...")):
            raise self.unsure("a second document")
        if _DASH.match(self.text, self.at):
            node = self.sequence(column)
        elif self.key_here() is not None:
            node = self.mapping(column)
        else:
            node = self.scalar(parent)
        self.depth -= 1
        return node

    def key_here(self) -> Optional[Tuple[Node, int]]:
        """The key that begins here, and where its colon is; None where there is none in this line."""
        text, at = self.text, self.at
        quote = text[at]
        if quote in _QUOTED:
            match = _QUOTED[quote].match(text, at)
            if match is None or "\n" in match.group():
                return None
            colon = _COLON.match(text, match.end())
            node = self.quoted(match)
            self.at = at
            return (node, colon.end()) if colon else None
        end = self.end_of_line()
        colon = _COLON_IN.search(text, at, end) if _PLAIN.match(text, at) else None
        words = text[at : colon.start()].rstrip(" ") if colon else ""
        if colon is None or " #" in words:
            return None
        if "\t" in words or len(words) > 1000:
            raise self.unsure("a tab, or a key of more than 1,000 characters")
        return Node(SCALAR, words, at, at + len(words), -1), colon.end()

    def mapping(self, column: int) -> Node:
        start = self.at
        pairs: List[Tuple[Node, Node]] = []
        while True:
            found = self.key_here()
            if found is None:
                raise self.unsure("no key where one should be")
            key, self.at = found
            pairs.append((key, self.value(column, True)))
            here = self.skip()
            if here < column or (here == 0 and (self.is_mark("---") or self.is_mark("..."))):
                return Node(MAP, pairs, start, self.at, column)
            if here > column:
                raise self.unsure("an indentation that fits nothing")

    def sequence(self, column: int) -> Node:
        start = self.at
        items: List[Node] = []
        while True:
            self.at += 1
            items.append(self.value(column, False))
            here = self.skip()
            if here > column:
                raise self.unsure("an indentation that fits nothing")
            if here < column or not _DASH.match(self.text, self.at):
                return Node(LIST, items, start, self.at, column)

    def value(self, column: int, of_key: bool) -> Node:
        """What stands behind a colon, or a dash, at ``column``."""
        text, start = self.text, self.at
        while text[self.at : self.at + 1] == " ":
            self.at += 1
        begin = self.at
        if _EMPTY.match(text, begin):
            here = self.skip()
            if here > column or (of_key and here == column and _DASH.match(text, self.at)):
                return self.node(column, here)
            return Node(SCALAR, None, start, start, -1)
        if of_key:
            if self.key_here() is not None or _DASH.match(text, begin):
                raise self.unsure("a mapping or a sequence behind a key, in its line")
            return self.scalar(column)
        return self.node(column, self.column())

    def scalar(self, parent: int) -> Node:
        """A scalar, a flow collection or a block scalar; something odd, with what belongs to it."""
        text, start = self.text, self.at
        char = text[start]
        if char in "&!*":
            return self.odd(parent)
        if char in _QUOTED:
            match = _QUOTED[char].match(text, start)
            if match is None:
                raise self.unsure("a quote that is not closed")
            node = self.quoted(match)
            self.rest_is_empty()
            return node
        if char in "[{":
            node = self.flow()
            self.rest_is_empty()
            return node
        if char in "|>":
            return self.block(parent)
        return self.plain(parent)

    def odd(self, parent: int) -> Node:
        start = self.at
        match = _PROPERTY.match(self.text, start)
        if match is None:
            raise self.unsure("an anchor or an alias that is not read")
        sign = match.group(1)
        self.at = match.end()
        if sign == "*":
            self.rest_is_empty()
            return Node(ODD, "an alias", start, self.at, -1)
        at = self.at
        while self.text[self.at : self.at + 1] == " ":
            self.at += 1
        if self.at == at and self.text[at : at + 1] not in ("", "\r", "\n"):
            raise self.unsure("an anchor or a tag that is not read")
        if _EMPTY.match(self.text, self.at):
            here = self.skip()
            if here > parent:
                self.node(parent, here)
            elif here == parent and _DASH.match(self.text, self.at):
                raise self.unsure("an anchor or a tag of a sequence that is not deeper")
        elif self.key_here() is not None or _DASH.match(self.text, self.at):
            raise self.unsure("an anchor or a tag in front of a key")
        else:
            self.scalar(parent)
        return Node(ODD, "an anchor" if sign == "&" else "a tag", start, self.at, -1)

    def quoted(self, match: Any) -> Node:
        """A quoted scalar; behind it."""
        self.at = match.end()
        inner = match.group(1)
        lines = inner.split("\n")[1:]
        if any(_MARK.match(line) or re.match(r"[ ]*\t", line) for line in lines):
            raise self.unsure("a document's mark, or a tab, within quotes")
        if match.group()[0] == "'":
            inner = inner.replace("''", "'")
        elif "\\" in inner:
            inner = _ESCAPES.sub(self.unescaped, inner)
        return Node(SCALAR, inner, match.start(), match.end(), -1)

    def unescaped(self, match: Any) -> str:
        if match.group(4) is not None:
            raise self.unsure("an escape that YAML does not have")
        number = match.group(1) or match.group(2) or match.group(3)
        code = int(number, 16) if number else 0xFFFD
        if code in (0x130, 0x131, 0x17F):  # which are letters of a key to Java, see _toggle
            return chr(code).encode("utf-8").decode("latin-1")
        return chr(code) if 0x20 <= code < 0x7F else "\ufffd"

    def block(self, parent: int) -> Node:
        start = self.at
        match = _BLOCK.match(self.text, start)
        if match is None:
            raise self.unsure("a block scalar that is not read")
        self.at = match.end()
        digit = re.search(r"[1-9]", match.group().partition("#")[0])
        least, deepest = max(parent, 0), 0
        indent = least + int(digit.group()) if digit else 0
        while self.at < len(self.text):
            line = _LINE.match(self.text, self.at)
            if line is None:  # it matches anything
                break
            blank, rest = len(line.group(1)), line.group(2).rstrip("\r")
            if not rest:
                deepest = max(deepest, blank)
            elif not indent and blank > least:
                if rest[0] == "\t" or deepest > blank:
                    raise self.unsure("an indentation that is not read")
                indent = blank
            if rest and blank < (indent or least + 1):
                break
            self.at = line.end()
        if self.skip() > parent >= 0:
            raise self.unsure("an indentation that fits nothing")
        return Node(SCALAR, "\n", start, self.at, -1)

    def plain(self, parent: int) -> Node:
        """A scalar without quotes, which may go on in lines that are deeper."""
        text, start = self.text, self.at
        if not _PLAIN.match(text, start):
            raise self.unsure("a character that begins no value")
        words, end = [], start
        while True:
            last = self.end_of_line()
            line, hash_, _comment = text[self.at : last].partition(" #")
            words.append(line.rstrip("\r").rstrip(" "))
            if re.search(r":(?:\s|\Z)|\t", words[-1]):
                raise self.unsure("a mapping within a value, or a tab")
            end = end if len(words) > 1 else start + len(words[0])
            self.at = last
            here = self.skip()
            if here <= parent or here < 0 or (here == 0 and (self.is_mark("---") or self.is_mark("..."))):
                return Node(SCALAR, " ".join(words), start, end, -1)
            if hash_ or text.count("#", last, self.at):
                raise self.unsure("a value that goes on behind a comment")

    # -- flow -------------------------------------------------------------------------------------

    def blank(self) -> str:
        """Go on to the next character of a flow collection that counts."""
        self.skip()
        if self.at >= len(self.text):
            raise self.unsure("a bracket that is not closed")
        if self.column() == 0 and (self.is_mark("---") or self.is_mark("...")):
            raise self.unsure("a document's mark within brackets")
        return self.text[self.at]

    def flow(self) -> Node:
        self.depth += 1
        if self.depth > LIMIT_DEPTH:
            raise self.unsure("deeper than %d" % LIMIT_DEPTH)
        start, is_map = self.at, self.text[self.at] == "{"
        found: List[Any] = []
        self.at += 1
        close = "}" if is_map else "]"
        while self.blank() != close:
            key = self.flow_value()
            quoted = self.text[key.start] in _QUOTED
            if self.blank() == ":" and (quoted or re.match(r":[\s,}\]]", self.text[self.at : self.at + 2])):
                if not is_map or key.kind != SCALAR or "\n" in self.text[key.start : self.at]:
                    raise self.unsure("a key that is not read")
                self.at += 1
                if not re.match(r"[\s,}]", self.text[self.at : self.at + 1]):
                    raise self.unsure("a colon without a blank")
                at = self.at
                value = Node(SCALAR, None, at, at, -1) if self.blank() in ",}" else self.flow_value()
                found.append((key, value))
            else:
                found.append((key, Node(SCALAR, None, self.at, self.at, -1)) if is_map else key)
            if self.blank() == ",":
                self.at += 1
            elif self.text[self.at] != close:
                raise self.unsure("no comma where one should be")
        self.at += 1
        self.depth -= 1
        return Node(MAP if is_map else LIST, found, start, self.at, -1)

    def flow_value(self) -> Node:
        text, start = self.text, self.at
        char = text[start]
        if char in "[{":
            return self.flow()
        if char in _QUOTED:
            match = _QUOTED[char].match(text, start)
            if match is None:
                raise self.unsure("a quote that is not closed")
            return self.quoted(match)
        match = _FLOW_WORDS.match(text, start)
        if match is None:
            raise self.unsure("a value within brackets that is not read")
        self.at = match.end()
        return Node(SCALAR, match.group(), start, self.at, -1)

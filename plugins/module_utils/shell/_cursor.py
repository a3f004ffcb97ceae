# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a parser is in its text, and how much of a text it may be given; knows nothing of the shell's grammar.

Private to this collection. Python 3.6+, standard library only.
"""

from typing import Match, Optional, Pattern

_LIMIT_DEPTH = 60
LIMIT_TEXT = 1 << 20  # characters of one program; launchers have some 30,000
LIMIT_PIECES = 100000  # commands, words and parts of words of one program


class ShellSyntaxError(Exception):
    """The text is no shell program that the parser (and mostly: the shell) understands."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


class Cursor:
    """A position in a text. ``depth`` and ``pieces`` count what was found so far, and have limits."""

    __slots__ = ("characters", "position", "depth", "pieces")

    def __init__(self, characters: str, depth: int = 0, pieces: int = 0) -> None:
        self.characters = characters
        self.position = 0
        self.depth = depth
        self.pieces = pieces

    @property
    def ended(self) -> bool:
        """True behind the last character."""
        return self.position >= len(self.characters)

    def peek(self, length: int = 1) -> str:
        """The next characters; fewer at the end of the text."""
        return self.characters[self.position : self.position + length]

    def at(self, text: str) -> bool:
        """True where this stands here."""
        return self.characters.startswith(text, self.position)

    def take(self, text: str) -> bool:
        """Pass this where it stands here; says whether it does."""
        if self.characters.startswith(text, self.position):
            self.position += len(text)
            return True
        return False

    def match(self, pattern: "Pattern[str]") -> "Optional[Match[str]]":
        """Pass what the pattern fits here; None where it fits nothing."""
        match = pattern.match(self.characters, self.position)
        if match is not None:
            self.position = match.end()
        return match

    def find(self, text: str, start: int) -> int:
        """Where this stands next from a position on; the end of the text where it does not."""
        found = self.characters.find(text, start)
        return len(self.characters) if found < 0 else found

    def error(self, message: str) -> ShellSyntaxError:
        """A syntax error at the present position."""
        return ShellSyntaxError(message, min(self.position, len(self.characters)))

    def count(self) -> None:
        """One command, word or part of a word more; a program of too many is not read."""
        self.pieces += 1
        if self.pieces > LIMIT_PIECES:
            raise self.error("it has more than %d commands and words" % LIMIT_PIECES)

    def deeper(self) -> None:
        """One level of nesting more."""
        self.depth += 1
        if self.depth > _LIMIT_DEPTH:
            raise self.error("nested too deeply")

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of a shell as they were parsed: each text once in a run, whoever asks for its tree or for what stands in it.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

from typing import Callable, List, NamedTuple, Tuple

from ..host._files import HostFiles
from ..text._value import Text
from ._cursor import ShellSyntaxError
from ._nodes import Assignment, Block
from ._parser import BASH, parse


class Parsed(NamedTuple):
    """What a text of the shell is made of."""

    tree: Block
    assignments: List[Assignment]  # wherever they stand, inner ones before those that they stand in
    comments: List[Tuple[int, int]]
    heredocs: List[Tuple[int, int]]


def parsed(files: HostFiles, text: Text, dialect: str = BASH, begin: Callable[[], None] = lambda: None) -> Parsed:
    """A file's text, parsed. Where that is still to be done ``begin`` is called first. Raises ShellSyntaxError."""

    def make() -> Parsed:
        begin()
        tree, parser = parse(text, dialect)
        return Parsed(tree, parser.assignments, parser.comments, parser.heredocs)

    found: Parsed = files.made("shell: " + dialect, text.path, text.characters, make)
    return found


def assignments(files: HostFiles, content: str, path: str) -> List[Assignment]:
    """All assignments in a file, wherever they stand; none where it cannot be parsed."""
    try:
        return parsed(files, Text(content, path)).assignments
    except ShellSyntaxError:
        return []

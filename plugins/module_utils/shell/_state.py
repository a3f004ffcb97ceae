# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each shell process has for itself, so that a subshell changes its own.

Private to this collection. Python 3.6+, standard library only.
"""

from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Set

from ..text._characters import Value
from ._nodes import Command


class Variable(NamedTuple):
    """A shell variable: one value, or the elements of an array, which nobody changes in place."""

    value: Value
    array: Optional[List[Value]] = None
    exported: bool = False


def copied(value: Any) -> Any:
    """What does not change with a value."""
    return value.copy() if isinstance(value, (dict, list, set)) else value


class State:
    """What a subshell, a part of a pipeline and a command substitution get a copy of.

    Whatever is kept here is copied; what commands only borrow (the standard input, who listens) is not.
    """

    __slots__ = (
        "variables",
        "marked_exported",
        "read_only",
        "scopes",
        "functions",
        "aliases",
        "arguments",
        "traps",
        "all_exported",
        "stops_on_failure",
        "stops_on_unset",
        "globs",
        "null_globs",
        "folder",
        "folder_before",
        "called",
        "background",
    )

    def __init__(self, environment: Dict[str, Value], arguments: Sequence[Value], folder: Optional[str]) -> None:
        self.variables = {name: Variable(value, exported=True) for name, value in environment.items()}
        self.marked_exported: Set[str] = set()  # before they are set
        self.read_only: Set[str] = set()
        self.scopes: List[Dict[str, Optional[Variable]]] = []  # what a function's local variables hide
        self.functions: Dict[str, Command] = {}
        self.aliases: Set[str] = set()
        self.arguments = list(arguments)
        self.traps: Dict[str, Value] = {}  # what is done at the end (EXIT)
        self.all_exported = False  # set -a
        self.stops_on_failure = False  # set -e
        self.stops_on_unset = False  # set -u
        self.globs = True  # patterns stand for paths; not after set -f
        self.null_globs = False  # a pattern that no path matches stands for nothing
        self.folder = folder  # where it is, as "pwd" tells it; None: not known
        self.folder_before: Optional[str] = None
        self.called: Dict[str, str] = {}  # what the script calls a file that it sources
        self.background = False  # a command was started in the background

    def copy(self) -> "State":
        """The same, so that what becomes of one does not become of the other."""
        made = State.__new__(State)
        for name in State.__slots__:
            setattr(made, name, copied(getattr(self, name)))
        made.scopes = [scope.copy() for scope in self.scopes]
        return made

    @property
    def size(self) -> int:
        """What a copy takes, in names and words."""
        return (
            len(self.variables)
            + len(self.functions)
            + len(self.arguments)
            + len(self.called)
            + len(self.read_only)
            + len(self.marked_exported)
            + sum(map(len, self.scopes))
        )

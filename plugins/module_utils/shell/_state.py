# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each shell process has for itself, so that a subshell changes its own.

Private to this collection. Python 3.6+, standard library only.
"""

from typing import Dict, List, Optional, Sequence, Set

from ..text._characters import Value
from ._nodes import Command


class Variable:
    """A shell variable: one value, or the elements of an array."""

    __slots__ = ("value", "array", "exported")

    def __init__(self, value: Value, array: Optional[List[Value]] = None, exported: bool = False) -> None:
        self.value = value
        self.array = array
        self.exported = exported

    def copy(self) -> "Variable":
        """The same for another process."""
        return Variable(self.value, self.array, self.exported)


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
        """The same for a subshell; the shells set its traps back."""
        made = State.__new__(State)
        for name in State.__slots__:
            value = getattr(self, name)
            setattr(made, name, value.copy() if isinstance(value, (dict, list, set)) else value)
        made.variables = {name: variable.copy() for name, variable in self.variables.items()}
        made.scopes = [scope.copy() for scope in self.scopes]
        made.traps = {}
        return made

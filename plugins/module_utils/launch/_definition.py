# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What starts a service, as it is written down: a unit, an init script, a launch script, an entry of another starter.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import re
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from ..host._files import HostFiles
from ..java._jvm import TELEMETRY, Switch
from ..text._characters import Value
from ._environment import Variable
from ._service_files import seen
from ._unit import Unit

INIT_FOLDER = "/etc/init.d"


class Start(NamedTuple):
    """What somebody else than a service manager would start next."""

    kind: str  # of the starter, as people call it
    name: str  # what the starter calls it; empty where it has no name
    path: str  # the file that says so
    line: int
    command: Tuple[Value, ...]  # program and arguments; empty where they are not read
    environment: Dict[str, Variable]
    user: str
    directory: str  # empty where it is not known
    advice: str  # how the flag gets to it, for whoever must do so by hand
    reason: Optional[str] = None  # why it is not followed
    by_anybody: bool = False  # somebody who may only log in can have written it
    editable: bool = False  # its command line may be edited where it stands
    unit: Optional[Unit] = None  # a user's

    @property
    def words(self) -> str:
        """Who starts it, for people."""
        return "%s%s in %s" % (self.kind, " " + self.name if self.name else "", self.path)

    @property
    def key(self) -> Tuple[str, str]:
        """What stays the same when its file is edited."""
        return self.path, self.name


class Definition(NamedTuple):
    """How one installation is started: by a unit, an init script or a script of the user's own."""

    name: str
    service: Optional[str]  # unit, or None for a script that no service manager starts
    program: Tuple[Value, ...]  # program and arguments
    environment: Dict[str, Variable]
    closed: bool  # nothing else is in the environment
    unit: Optional[Unit] = None
    folder: Optional[str] = None  # where it is started; None: not known
    start: Optional[Start] = None  # who starts it, where that is neither a service manager nor a person
    switch: Switch = TELEMETRY  # what it is looked at for

    @property
    def user(self) -> str:
        """Whom it is started as, as far as that is said; empty for root, or for whoever starts it."""
        return self.unit.user if self.unit is not None else self.start.user if self.start is not None else ""


def seen_by(definition: Definition, files: HostFiles) -> HostFiles:
    """The files as what an installation starts sees them."""
    return seen(files, definition.unit.mounts) if definition.unit is not None else files


def program_path(definition: Definition) -> Optional[str]:
    return definition.program[0].text if definition.program else None


def definition_of(unit: Unit, manager: Optional[Dict[str, Variable]] = None) -> Definition:
    """An installation that a unit starts; ``manager`` is what the service manager gives every service."""
    environment = dict(manager or {})
    environment.update(unit.environment)
    program = unit.exec_start[-1] if unit.exec_start else ()
    return Definition(unit.name.rsplit(".", 1)[0], unit.name, program, environment, True, unit, unit.folder)


def init_definition(name: str) -> Definition:
    """An installation that ``/etc/init.d/<name> start`` starts (no systemd, or an image of it)."""
    return Definition(name, name, (Value.of("%s/%s" % (INIT_FOLDER, name)), Value.of("start")), {}, True)


def start_definition(start: Start) -> Definition:
    """An installation that one of :mod:`_starters` starts, in an environment of which not all is known."""
    return Definition(start.path, None, start.command, start.environment, False, None, start.directory or None, start)


def script_words(entry: str, files: HostFiles) -> List[str]:
    """A launch script and its arguments, as a shell takes them apart; a path with blanks that is there is a path."""
    if not re.search(r"[\s\\'\"]", entry) or files.exists(entry):
        return [entry]
    import shlex  # few are started with arguments

    try:
        return shlex.split(entry)
    except ValueError:  # a quote is open
        return [entry]


def script_definition(name: str, words: Sequence[str] = ()) -> Definition:
    """An installation that somebody starts with a launch script by hand, from an unknown environment."""
    return Definition(name, None, tuple(map(Value.of, words or [name])), {}, False)

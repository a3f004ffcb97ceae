# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One interface for whoever starts programs at boot, or when told to: a class for each, a file for each class.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

from itertools import islice
from typing import Callable, Collection, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

from ...host._file_systems import Silent
from ...host._files import HostFiles
from ...shell import _login
from ...text._characters import Value
from ...text._value import Unresolvable
from .._definition import Definition, Start, start_definition
from .._environment import Variable
from .._outcome import Outcome
from .._unit import Loaded

LIMIT_STARTS = 500  # of one kind


class Manager(NamedTuple):
    """What the service manager of this machine says of itself."""

    environment: Optional[Dict[str, Variable]] = None  # that every service gets; None: it was not asked
    instances: Sequence[str] = ()  # of templates, that are loaded
    problem: Optional[str] = None  # why it was asked in vain


class Scene(NamedTuple):
    """What a starter may need to know to find what it would start."""

    files: HostFiles
    manager: Manager
    launches: Callable[[Definition], bool]  # whether a definition may come to a war
    named: Callable[[str, str], bool]  # whether a name, or the text of a unit, has to do with the product
    warnings: List[str]
    services: Collection[str] = ()  # what those before it would start


class Found(NamedTuple):
    """One thing that a starter would start."""

    name: str  # what the starter calls it
    definition: Optional[Definition]  # None: it starts nothing
    problem: Union[Unresolvable, OSError, None] = None  # why nothing more is known
    refused: bool = False  # the starter would not start it as it is written


class Starter:
    """One kind of them. What is not overridden holds for a starter of which no more is known than its files."""

    #: What people call it; several where it has kinds of its own (``Start.kind``).
    kinds: Tuple[str, ...] = ()
    #: So many of its programs in words; the kind and the number where that is empty.
    counted = ""
    #: Its own units of systemd: of each process there it is to be found out which program of its it is.
    units: Tuple[str, ...] = ()
    #: Whether the files of what it starts are read by themselves, so that its unit's files say nothing of a controller.
    supervises = False
    #: Whether whoever may log in tells it what to start: what is written there need not ever have run.
    for_users = False
    #: Names of its processes, each with what people call it.
    processes: Dict[str, str] = {}
    #: Of these the ones whose last word names the service.
    naming: Tuple[str, ...] = ()
    #: The variable by which it tells a program its name, and that in words.
    told: Tuple[Tuple[str, str], ...] = ()

    def starts(self, files: HostFiles) -> Iterator[Start]:
        """All that it would start. Raises Silent, OSError for a folder that holds too much."""
        return iter(())

    def find(self, scene: Scene) -> Iterator[Found]:
        """All that it would start, with what is known of each. Raises Silent, OSError."""
        for start in self.starts(scene.files):
            yield Found(start.name, start_definition(start))

    def is_started_by_unit(self, start: Start, services: Collection[str]) -> bool:
        """Whether one of these units starts it, so that it is found already."""
        return False

    def again(self, definition: Definition, files: HostFiles) -> Optional[Definition]:
        """The same installation as its files say now; None where it is gone. Raises Unresolvable."""
        start = definition.start
        try:
            starts = islice(self.starts(files), LIMIT_STARTS)
            found = next((one for one in starts if start is not None and one.key == start.key), None)
        except OSError:
            found = None
        return definition if found is None else start_definition(found)._replace(name=definition.name)

    def loaded(
        self, definition: Definition, on_disk: Outcome, files: HostFiles, manager: Manager
    ) -> Tuple[Optional[Loaded], Outcome]:
        """What it has read, and what it says of its state (None: it cannot be asked); and what its next start gives."""
        return None, on_disk

    def unread(self, definition: Definition, began: Callable[[str], List[float]]) -> Optional[str]:
        """Why a program that is stopped may not start as its file says; None where it would.

        ``began`` says when root's processes of a name began, in seconds since the epoch.
        """
        return None


# -- what several of them need ----------------------------------------------------------------------


def read(files: HostFiles, path: str) -> str:
    """A file's text; nothing where it cannot be read. Raises Silent."""
    try:
        return files.read(path)
    except Silent:
        raise
    except OSError:
        return ""


def is_ordinary(files: HostFiles, user: str) -> bool:
    """Whether a user is one of those who log in, who may tell cron and their own systemd to start what they like."""
    return any(fields[0] == user and logs_in(fields) for fields in accounts(files))


def logs_in(fields: Sequence[str]) -> bool:
    """Whether a line of /etc/passwd is somebody's who logs in."""
    return fields[2].isdigit() and int(fields[2]) >= 1000


def accounts(files: HostFiles) -> List[List[str]]:
    """The lines of /etc/passwd, by their fields; what does not answer is said."""
    return _login.accounts(files) if read(files, "/etc/passwd") else []


def in_shell(value: Value, shell: str = "/bin/sh") -> Tuple[Value, ...]:
    """The words of a command that a shell is given."""
    return Value.of(shell), Value.of("-c"), value


def variables(pairs: Dict[str, str]) -> Dict[str, Variable]:
    """An environment that no file sets."""
    return {name: Variable(Value.of(text), "", 0, "") for name, text in pairs.items()}

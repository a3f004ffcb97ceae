# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all shell processes share on one way through a launch script: what it came to, and how it was decided.

Private to this collection. Python 3.6+, standard library only.
"""

import posixpath
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from ..host._files import HostFiles
from ..java._jvm import ENVIRONMENT, MAINS, command_line, expand_all, split_environment
from ..java._tomcat import BOOTSTRAP, base_of, starts
from ..text._characters import EMPTY, Value
from ..text._value import Unresolvable
from ._nodes import Command
from ._state import State, copied

LIMIT_MARKED = 20000  # names and words that all marks of one way hold together
LIMIT_MARKING = 250000  # work after which ways are marked no more

#: What tells an agent where its controller is.
_OF_AGENTS = frozenset(["-jnlpUrl", "-secret", "-direct", "-tunnel", "-webSocket"])


class Launch:
    """One ``java`` command as the script would run it.

    ``words`` are the arguments after ``java``; ``environment`` holds the exported variables that matter;
    ``closed`` says that nothing else can be in the environment. ``java`` is the launcher as it is named, ``folder``
    where it is started, as far as that is known.
    """

    __slots__ = ("words", "environment", "closed", "java", "main", "options", "folder", "stray")

    def __init__(
        self,
        words: List[Value],
        environment: Dict[str, Value],
        closed: bool,
        java: str = "",
        folder: Optional[str] = None,
    ) -> None:
        self.words = words
        self.folder = folder
        self.java = java
        self.environment = environment
        self.closed = closed
        line = command_line([_shape(word) for word in words])
        self.options = line.options
        tomcat = line.main is not None and starts([word.text for word in words[line.main :]])
        of_product = line.main is not None and words[line.main].text in MAINS
        self.main = line.main if line.jar or tomcat or of_product else None
        #: A word before "-jar" that is no option, so that java takes it for its program.
        self.stray = (
            words[line.main]
            if self.main is None and line.main is not None and any(word.text == "-jar" for word in words[line.main :])
            else None
        )

    @property
    def program(self) -> str:
        """The jar that is started (or Tomcat's class), an empty string where it is not known."""
        name = self.words[self.main].text if self.main is not None else ""
        known = self.words[self.main or 0].unknown(True) is None
        return self.absolute(name) if known and name not in ("", BOOTSTRAP) and name not in MAINS else name

    @property
    def open(self) -> Optional[str]:
        """Why it is not known what ``-jar`` starts; None where it is, or where an agent is started."""
        texts = [word.text for word in self.words]
        if "-jar" not in texts or not _OF_AGENTS.isdisjoint(texts):
            return None
        behind = self.words[texts.index("-jar") + 1 :]
        known = next((word.text for word in behind if not _shape(word).startswith("-")), "")
        if known.endswith((".war", ".jar")):
            return None
        return next((word.unknown(True) for word in behind if _shape(word).startswith("-?")), None)

    def absolute(self, path: str) -> str:
        """A path from the root, where it is known in which folder the JVM is started."""
        if path.startswith("/") or self.folder is None:
            return path
        return posixpath.normpath(self.folder + "/" + path)

    def option_files(self, files: HostFiles) -> List[str]:
        """The files of options that its words and its environment name, and those that such a file names."""
        words = [word.text for word in self.words]
        for name in ENVIRONMENT:
            words += split_environment(self.environment.get(name, EMPTY).text)
        found: List[str] = []

        def read(path: str) -> str:
            found.append(self.absolute(path))
            try:
                return files.read(found[-1])
            except (OSError, ValueError):
                return ""

        for word in words:
            if word.startswith(("@", "-XX:VMOptionsFile=")):
                try:
                    expand_all([word], read, True)
                except Unresolvable:
                    pass  # where they are read for what they hold, that is said
        return found

    @property
    def class_path(self) -> List[str]:
        """Where it looks for classes, for a class that is started."""
        texts = [word.text for word in self.words[: self.main]]
        given = [
            texts[index + 1] for index, text in enumerate(texts[:-1]) if text in ("-cp", "-classpath", "--class-path")
        ]
        path = given[-1] if given else self.environment.get("CLASSPATH", EMPTY).text
        return [entry for entry in path.split(":") if entry] if self.program in MAINS else []

    @property
    def tomcat(self) -> Optional[str]:
        """``catalina.base`` of a Tomcat that is started, an empty string where it is not known; else None."""
        if self.program != BOOTSTRAP:
            return None
        return base_of([word.text for word in self.words[: self.main] if not word.unknown(True)])


def _shape(word: Value) -> str:
    # A word that begins with an unknown may be an option: count it as one, so that it is not overlooked,
    # unless what follows shows that it is a path ("$DIR/x.war").
    text = word.text
    first = next(iter(word), None)
    if first is not None and first.unknown and not text.startswith("/") and not text.endswith((".war", ".jar")):
        if first.quoted and first.harmless:
            return text or "?"
        return "-?" + text
    return text


class Decision(NamedTuple):
    """Why a branch is taken or passed over."""

    test: Command
    outcome: Optional[bool]  # of the command; None where it is not known
    branch: Optional[str] = None  # of a ``case``: the pattern that fits, "" for none


class Oracle:
    """Decides what cannot be known; :func:`walk` asks for every combination in turn.

    ``marks`` are those of the way before, in the order in which it came by: where it took another choice they end.
    """

    def __init__(self, prefix: Sequence[int], work: int = 0, marks: Optional[List["Mark"]] = None) -> None:
        self.taken: List[Tuple[int, int]] = []  # (choice, number of choices)
        self._prefix = list(prefix)
        self.marks = [] if marks is None else marks
        while self.marks and self.marks[-1].choices >= len(prefix):
            self.marks.pop()
        self.reached = {mark.block: mark for mark in self.marks}
        self.steps = 0
        self.last: Optional[Command] = None  # the last command that was seen
        self.ended: Optional[Command] = None  # the command that ended the script
        self.decided: Optional[Decision] = None  # what led to the present command
        self.decisive: Optional[Decision] = None  # what led to the end, or past a JVM
        self.touched: Set[str] = set()  # files that a command may have written
        self.written: Set[str] = set()  # those of them that one has written
        self.made: Set[str] = set()  # empty files and folders that were not there
        self.work = work  # of the ways before this one and of this one so far, see LIMIT_WORK

    def choose(self, count: int) -> int:
        """A number below ``count``."""
        index = len(self.taken)
        choice = self._prefix[index] if index < len(self._prefix) else 0
        self.taken.append((choice, count))
        return choice

    @property
    def marks_now(self) -> bool:
        """Whether a mark is worth its price: most scripts can go one way only, so the first has none."""
        return (
            bool(self._prefix)
            and self.work < LIMIT_MARKING
            and (not self.marks or (self.steps > self.marks[-1].steps and self.marks[-1].size < LIMIT_MARKED))
        )

    def following(self) -> Optional[List[int]]:
        """The prefix of the next combination, or None after the last."""
        taken = list(self.taken)
        while taken:
            choice, count = taken.pop()
            if choice + 1 < count:
                return [item[0] for item in taken] + [choice + 1]
        return None


class Session:
    """One way through a launch script: each shell process adds what it comes to, whichever it is."""

    __slots__ = ("files", "oracle", "user", "found", "sourced", "followed", "texts", "names")

    def __init__(self, files: HostFiles, oracle: Oracle, user: str = "") -> None:
        self.files = files
        self.oracle = oracle  # decides, and counts the work
        self.user = user  # who starts it, where that is known and not root
        self.found: List[Launch] = []
        self.sourced: List[str] = []  # files
        self.followed: List[str] = []  # scripts that were started, not sourced
        self.texts: List[str] = []  # files of which the text is put into words
        self.names: Dict[str, None] = {}  # every variable that was looked at, in order


class Mark:
    """How far a way had come between two commands of a block: one that begins the same goes on from there.

    What led to the block is walked again, and then all is as it was: the same choices lead the same way. So it holds
    whatever a command may change, but for what only encloses it (that ends with the block) and the work, which was done
    once. ``block`` tells the block from all others of the way.
    """

    __slots__ = ("block", "index", "status", "choices", "steps", "size", "_state", "_oracle", "_session")

    def __init__(
        self, block: Tuple[Any, ...], index: int, status: Optional[bool], state: State, session: Session
    ) -> None:
        self.block = block
        self.index = index  # of the command that comes next
        self.status = status
        oracle = session.oracle
        self.choices = len(oracle.taken)
        self.steps = oracle.steps
        self._state = state.copy()
        self._oracle = {name: copied(getattr(oracle, name)) for name in _OF_ORACLE}
        self._session = {name: copied(getattr(session, name)) for name in _OF_SESSION}
        before: int = oracle.marks[-1].size if oracle.marks else 0
        held = (*self._oracle.values(), *self._session.values())
        self.size: int = before + state.size + sum(len(one) for one in held if isinstance(one, (dict, list, set)))

    def go_on(self, session: Session) -> State:
        """Make all as it was; returns what the shell process had for itself."""
        for name, value in self._oracle.items():
            setattr(session.oracle, name, copied(value))
        for name, value in self._session.items():
            setattr(session, name, copied(value))
        return self._state.copy()


_OF_ORACLE = ("taken", "steps", "last", "ended", "decided", "decisive", "touched", "written", "made")
_OF_SESSION = ("found", "sourced", "followed", "texts", "names")

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which JVMs run that were started on a war of ours; what each runs with, :mod:`_examination` finds out.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import errno
import os
import re
import time
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from ._files import HostFiles
from ._jvm import Unresolvable, command_line, shown
from ._tomcat import base_of, starts, wars

#: Whether JVMs are asked themselves.
ATTACH = ("auto", "never")
#: Seconds for asking all JVMs of a host.
_HOST_SECONDS = 30.0
#: Seconds for finding the JVMs.
_SCAN_SECONDS = 20.0
_LIMIT = 1 << 20
_WAR = re.compile(r"(?:cloudbees|jenkins)[^/]*\.war\Z", re.IGNORECASE)


class Process(NamedTuple):
    """A running JVM that was started on a war."""

    pid: int
    started: str  # UTC, ISO 8601
    war: str
    home: str
    cgroup: str
    value: Optional[str]  # of the property; None: not set, or not known (then ``reason`` says why)
    state: str  # disabled | enabled | unknown
    source: Optional[str]  # the layer that set the property
    proof: Optional[str]  # jcmd | attach | cmdline+environ
    reason: Optional[str]  # why the state is unknown, or why there is no stronger proof
    user: str = ""  # name, or number where it has none
    container: bool = False  # it has a root or process ids of its own
    stale: Optional[str] = None  # what it was started from is not there any more; says what
    controller: Optional[int] = None  # the JVM below which it runs: then it is a build, not a controller
    of_build: bool = False  # its environment is that of a build
    network: Tuple[Any, ...] = ()  # see _examination; empty where it is not known

    def document(self) -> Dict[str, object]:
        """The process as the state document shows it."""
        result = {"pid": self.pid, "started": self.started, "value": None if self.value is None else shown(self.value),
                  "state": self.state,
                  "source": self.source, "proof": self.proof}  # type: Dict[str, object]
        if self.reason:
            result["reason"] = self.reason
        if self.stale:
            result["stale"] = self.stale
        if self.container:
            result["container"] = True
        return result


class Seen(NamedTuple):
    """What identifies a JVM, before its value is read."""

    pid: int
    ticks: int  # its start, in clock ticks since boot
    parent: int
    argv: List[str]
    war: str


def read_file(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read(_LIMIT)


def _is_jvm(proc: str, pid: int, argv: List[str]) -> bool:
    if argv and re.search(r"(?:^|/)java[^/]*\Z", argv[0]):
        return True
    try:
        return os.readlink("%s/%d/exe" % (proc, pid)).rsplit("/", 1)[-1] == "java"
    except OSError:
        return False


def running(proc: str = "/proc", attach: str = "auto") -> List[Process]:
    """All JVMs that run a Jenkins or CloudBees war, in the order of their process ids.

    Agents, build JVMs and everything else that is not started on such a war is left out. What cannot be
    read is ``unknown`` with the reason. With ``attach`` "never", or in another ``proc``, no JVM is asked.
    Raises OSError where processes cannot be listed, or not those of other users.
    """
    from ._child import Late, bounded  # only on a host whose processes are looked at

    names = [name for name in os.listdir(proc) if name.isdigit()]
    if os.geteuid() != 0 and (proc == "/proc" and "1" not in names or any(_hidden(proc, name) for name in names)):
        raise PermissionError(errno.EACCES, "those of other users are hidden (hidepid); run with become")
    try:
        # Even the command line of a process can hang, where the kernel holds its memory.
        found = bounded(lambda: _scan(proc, names), _SCAN_SECONDS)
    except Late as error:
        raise OSError(errno.ETIMEDOUT, "they could not be read (%s)" % error)
    if not found:
        return []
    from ._examination import examine  # only on a host where a controller runs

    deadline = time.monotonic() + _HOST_SECONDS
    return [examine(Seen(*seen), proc, attach, deadline, controller) for seen, controller in found]


def _scan(proc: str, names: Sequence[str]) -> List[Tuple[Seen, Optional[int]]]:
    """The JVMs on a war, by process id, each with the nearest of the others that it runs below."""
    found = sorted(one for one in (look(int(name), proc) for name in names) if one is not None)
    controllers = {seen.pid for seen in found}
    return [(seen, _above(proc, seen.parent, controllers, len(names))) for seen in found]


def _hidden(proc: str, name: str) -> bool:
    try:
        read_file("%s/%s/stat" % (proc, name))
    except PermissionError:
        return True
    except OSError:
        pass  # it ended
    return False


def _above(proc: str, pid: int, controllers: Set[int], limit: int) -> Optional[int]:
    """The nearest of the ``controllers`` among a process and its ancestors, of which ``limit`` are asked."""
    for _generation in range(limit):
        if pid in controllers or not pid:
            return pid or None
        try:
            pid = _parent(proc, pid)
        except (OSError, IndexError, ValueError):
            return None  # it ended
    return None


def _parent(proc: str, pid: int) -> int:
    return int(read_file("%s/%d/stat" % (proc, pid)).rsplit(b")", 1)[1].split()[1])


def started(pid: int, proc: str = "/proc") -> int:
    """When a process started, in clock ticks since boot. Raises OSError, IndexError where it has ended."""
    with open("%s/%d/stat" % (proc, pid), "rb") as stream:
        # Counted behind the command name, which may hold blanks and parentheses.
        fields = stream.read().rsplit(b")", 1)[1].split()
    if fields[0] in (b"Z", b"X", b"x"):
        raise ProcessLookupError(errno.ESRCH, "it ended")
    return int(fields[19])


def status(pid: int, proc: str = "/proc") -> Dict[str, str]:
    """The lines of ``/proc/PID/status``. Raises OSError."""
    with open("%s/%d/status" % (proc, pid), "rb") as stream:
        lines = stream.read().decode("latin-1").split("\n")  # other line ends may stand in its name
    return {name: value.strip() for name, _colon, value in (line.partition(":") for line in lines)}


def look(pid: int, proc: str = "/proc") -> Optional[Seen]:
    """A process, where it is a JVM that runs a Jenkins or CloudBees war, else None."""
    try:
        argv = read_file("%s/%d/cmdline" % (proc, pid)).decode("latin-1").split("\0")[:-1]
        if len(argv) < 2 or not _is_jvm(proc, pid, argv):
            return None
        war = _war(argv, "%s/%d" % (proc, pid))
        if war is None:
            return None
        return Seen(pid, started(pid, proc), _parent(proc, pid), argv, war)
    except (OSError, IndexError, ValueError):
        return None  # it ended before it could be told what it is


def _war(argv: List[str], own: str) -> Optional[str]:
    words = argv[1:]
    line = command_line(words)
    if line.main is None:
        return None
    if line.jar and _WAR.search(words[line.main]):
        return words[line.main]
    if starts(words[line.main:]):
        base = base_of([words[index] for index in line.options])
        # Its own root is not for everybody to see; where it is no container, ours is the same.
        try:
            served = wars(HostFiles(own + "/root"), base) or wars(HostFiles("/"), base)
        except Unresolvable as error:  # it is not known what it serves: that it does is assumed
            return error.path
        return served[0] if served else None
    return None

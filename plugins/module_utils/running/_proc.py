# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What /proc says of a process: its words, its user, its cgroup, its files, and for whom it runs.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import errno
import os
import pwd
import re
import stat
from typing import Any, Collection, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ..host._files import HostFiles, Reader, bytewise
from ..java._jvm import shown

#: Bytes of a file of /proc.
LIMIT = 1 << 20
_LIMIT_WAR = 512
#: The first number of an ordinary user (UID_MIN of login.defs, as all distributions have it).
LOGIN_UID = 1000
#: How near a process is to a service that is known here: see :func:`place_of`.
OURS, SYSTEM, SERVICE, LOGIN = range(4)
_ENDED = (b"Z", b"X", b"x")
_AGENT = re.compile(r"(?:\A|/)(?:agent|slave|remoting|swarm-client)[^/]*\.jar\Z")


class Setting(NamedTuple):
    """What a JVM runs with of a switch; as of the flag in Process."""

    value: Optional[str]
    state: str
    source: Optional[str]
    proof: Optional[str]
    reason: Optional[str]


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
    network: Tuple[Any, ...] = ()  # see running/_facts; empty where it is not known
    uid: int = 0
    sure: bool = True  # False: it calls itself java, and whether it is a JVM is not for us to see
    own_users: bool = False  # it has user ids of its own, or may have: no root was needed to contain it
    started_by: str = ""  # who started it, as far as its ancestors, its cgroup and its environment tell; for people
    real_war: str = ""  # the war without links on the way; empty where that is not known
    others: Tuple[Tuple[str, str], ...] = ()  # kind and words of what is another one now than it was started from
    start: float = 0.0  # in seconds since the epoch
    switches: Tuple["Setting", ...] = ()  # of the others that were asked for, in their order
    threads: Sequence[int] = ()  # see running/_attach
    uncounted: Optional[str] = None

    @property
    def ordinary(self) -> bool:
        """True where somebody who may only log in can have started it."""
        return self.uid >= LOGIN_UID

    @property
    def agent(self) -> bool:
        """True for a JVM that is named as agents are."""
        return _AGENT.search(self.war) is not None

    def document(self) -> Dict[str, object]:
        """The process as the state document shows it."""
        result = {
            "pid": self.pid,
            "started": self.started,
            "value": None if self.value is None else shown(self.value),
            "state": self.state,
            "source": self.source,
            "proof": self.proof,
        }  # type: Dict[str, object]
        if self.reason:
            result["reason"] = self.reason
        if self.started_by:
            result["started_by"] = self.started_by
        if self.stale:
            result["stale"] = self.stale
        if self.container:
            result["container"] = True
        return result


class Place(NamedTuple):
    """Where a process runs, and for whom: what says how far it is to be trusted."""

    rank: int  # OURS | SYSTEM | SERVICE | LOGIN
    uid: int
    cgroup: str


class Seen(NamedTuple):
    """What identifies a JVM, before its value is read."""

    pid: int
    ticks: int  # its start, in clock ticks since boot
    parent: int
    launcher: bool  # started by the java launcher, so its arguments are java's
    sure: bool
    war: str
    place: Place


def read_file(path: str) -> bytes:
    """The begin of a file of /proc, up to :data:`LIMIT`."""
    with open(path, "rb") as stream:
        return stream.read(LIMIT)


def stat_of(data: bytes) -> Tuple[bytes, List[bytes]]:
    """The command name of ``/proc/PID/stat``, which may hold blanks and parentheses, and the fields behind it."""
    before, _end, after = data.rpartition(b")")
    return before.partition(b"(")[2], after.split()


def arguments(own: str) -> List[str]:
    """The arguments of a process, Latin-1. Raises OSError, also where they are too long to be known."""
    data = read_file(own + "/cmdline")
    if len(data) >= LIMIT:
        raise OSError(errno.E2BIG, "its command line is too long")
    return data.decode("latin-1").split("\0")[:-1]


def files_of(own: str, reader: Optional[Reader] = None) -> HostFiles:
    """The files that a process sees, links on the way as it sees them; with ``reader`` those that it may read."""
    return HostFiles(own + "/root", reader)


def reader_of(pid: int, proc: str = "/proc") -> Optional[Reader]:
    """The user and groups of a process. Raises OSError."""
    lines = status(pid, proc)
    users, groups = lines.get("Uid", "").split(), lines.get("Gid", "").split()
    if len(users) < 2 or len(groups) < 2:
        return None
    return Reader(int(users[1]), [int(group) for group in [groups[1]] + lines.get("Groups", "").split()])


def read_for(own: str, files: HostFiles, path: str) -> Optional[str]:
    """A file as a process finds it: from its working directory, with links that stay below its root (``files``)."""
    try:
        return files.read(path if path.startswith("/") else bytewise(os.readlink(own + "/cwd")) + "/" + path)
    except (OSError, ValueError):
        return None


def only_roots(path: str) -> bool:
    """True for a program that, like every folder on its way, belongs to root and that nobody else may write."""
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode) or not os.access(path, os.X_OK):
            return False
        while True:
            entry = os.lstat(path)
            if entry.st_uid != 0 or entry.st_mode & 0o022:
                return False
            if path == "/":
                return True
            path = os.path.dirname(path)
    except OSError:
        return False


def folder_of(pid: int, proc: str = "/proc", fields: Optional[Sequence[bytes]] = None) -> str:
    """Where /proc shows a process: a thread that lives, where the first one has ended and others go on.

    ``fields`` are those of its ``stat``. Raises OSError, IndexError where it has ended.
    """
    own = "%s/%d" % (proc, pid)
    if fields is None:
        fields = stat_of(read_file(own + "/stat"))[1]
    if fields[0] not in _ENDED:
        return own
    if int(fields[17]) > 1:
        for name in os.listdir(own + "/task"):
            thread = "%s/task/%s" % (own, name)
            try:
                if stat_of(read_file(thread + "/stat"))[1][0] not in _ENDED:
                    return thread
            except (OSError, IndexError):
                continue  # it ended
    raise ProcessLookupError(errno.ESRCH, "it ended")


def moment(ticks: int, proc: str = "/proc") -> float:
    """What :func:`started` says, in seconds since the epoch. Raises OSError."""
    for line in read_file(proc + "/stat").splitlines():
        if line.startswith(b"btime "):
            return float(line.split()[1]) + ticks / float(os.sysconf("SC_CLK_TCK"))
    raise OSError("no btime in %s/stat" % proc)


def began(name: str, proc: str = "/proc") -> List[float]:
    """When those of root's processes began that are called so, in seconds since the epoch. Raises OSError."""
    found = []
    for pid in os.listdir(proc):
        try:
            if (
                pid.isdigit()
                and stat_of(read_file("%s/%s/stat" % (proc, pid)))[0] == name.encode("latin-1")
                and os.stat("%s/%s" % (proc, pid)).st_uid == 0
            ):
                found.append(moment(started(int(pid), proc), proc))
        except (OSError, IndexError, ValueError):
            continue  # it ended
    return found


def started(pid: int, proc: str = "/proc") -> int:
    """When a process started, in clock ticks since boot. Raises OSError, IndexError where it has ended."""
    _name, fields = stat_of(read_file("%s/%d/stat" % (proc, pid)))
    folder_of(pid, proc, fields)
    return int(fields[19])


def status(pid: int, proc: str = "/proc") -> Dict[str, str]:
    """The lines of ``/proc/PID/status``. Raises OSError."""
    with open("%s/%d/status" % (proc, pid), "rb") as stream:
        lines = stream.read().decode("latin-1").split("\n")  # other line ends may stand in its name
    return {name: value.strip() for name, _colon, value in (line.partition(":") for line in lines)}


def cgroup_of(pid: int, proc: str = "/proc") -> str:
    """The process's cgroup: the unified one, else systemd's own hierarchy. Raises OSError."""
    unified = named = ""
    for line in read_file(folder_of(pid, proc) + "/cgroup").decode("latin-1").splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0":
            unified = path
        elif controllers == "name=systemd":
            named = path
    return unified if unified not in ("", "/") else (named or unified)


def below(cgroup: str, above: str) -> bool:
    """True where a cgroup is another one, or part of it."""
    return bool(above) and (cgroup == above or cgroup.startswith(above.rstrip("/") + "/"))


def members(cgroup: str, proc: str = "/proc") -> int:
    """How many processes are in a cgroup and those below it."""
    count = 0
    for name in os.listdir(proc):
        try:
            count += name.isdigit() and below(cgroup_of(int(name), proc), cgroup)
        except (OSError, ValueError):
            continue  # it ended
    return count


def place_of(pid: int, proc: str, cgroups: Collection[str], users: Collection[str]) -> Place:
    """Where a process runs; ``cgroups`` and ``users`` are those of the installations that are known here."""
    try:
        cgroup = cgroup_of(pid, proc)
        lines = status(pid, proc)
        uid = int(lines["Uid"].split()[1])
        if any(below(cgroup, one) for one in cgroups):
            return Place(OURS, uid, cgroup)
        if uid < LOGIN_UID or name_of(uid) in users or _of_roots_container(pid, proc, lines):
            return Place(SYSTEM, uid, cgroup)
        return Place(LOGIN if below(cgroup, "/user.slice") else SERVICE, uid, cgroup)
    except (OSError, ValueError, KeyError, IndexError):
        return Place(LOGIN, LOGIN_UID, "")  # it ended


def name_of(uid: int) -> str:
    """The name of a user, or the number where he has none."""
    try:
        return bytewise(pwd.getpwuid(uid).pw_name)
    except KeyError:
        return str(uid)


def _of_roots_container(pid: int, proc: str, lines: Dict[str, str]) -> bool:
    """True for process ids of its own without users of its own, which only root can give."""
    return len(lines.get("NSpid", "").split()) > 1 and own_users(pid, proc) is False


def own_users(pid: int, proc: str = "/proc") -> Optional[bool]:
    """Whether a process has user ids of its own, which anybody can give; None where that is not known."""
    try:
        ours = os.readlink("%s/self/ns/user" % proc)
    except OSError:
        return False  # a kernel without them
    try:
        return os.readlink(folder_of(pid, proc) + "/ns/user") != ours
    except (OSError, IndexError):
        return None


def short(war: str) -> str:
    """The name of a war as it is shown: nobody fills a report with one."""
    return war if len(war) <= _LIMIT_WAR else war[:_LIMIT_WAR] + "..."

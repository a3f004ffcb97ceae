# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running JVMs and the value of the telemetry property in each: asked of the JVM itself, else read from ``/proc``.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import errno
import os
import pwd
import re
import time
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from . import _attach
from . import _routes as routes
from ._child import Late, bounded
from ._files import HostFiles
from ._jvm import Unresolvable, command_line, decide, get_boolean, process_layers, shown
from ._tomcat import base_of, starts, wars

#: Whether JVMs are asked themselves.
ATTACH = ("auto", "never")
#: Seconds for asking all JVMs of a host.
_HOST_SECONDS = 30.0
#: Seconds for finding the JVMs, and for what can be read of one.
_SCAN_SECONDS = 20.0
_READ_SECONDS = 5.0
_LATE_READ_SECONDS = 1.0  # where the time for all was used up
_CLOCK_SECONDS = 2  # what the kernel's time of boot and a file's time may be apart
_LIMIT = 1 << 20
_WAR = re.compile(r"(?:cloudbees|jenkins)[^/]*\.war\Z", re.IGNORECASE)
_INSIDE = "set inside the JVM"
#: Environment by which Jenkins knows again what its builds have started.
_BUILD = frozenset(["JENKINS_SERVER_COOKIE", "HUDSON_SERVER_COOKIE", "JENKINS_NODE_COOKIE"])


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
    network: Tuple[Any, ...] = ()  # see _Facts; empty where it is not known

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


class _Seen(NamedTuple):
    """What identifies a JVM, before its value is read."""

    pid: int
    ticks: int  # its start, in clock ticks since boot
    parent: int
    argv: List[str]
    war: str


class _Weak(NamedTuple):
    """The value by command line and environment."""

    value: Optional[str]
    source: Optional[str]
    options: Optional[List[str]]  # of all layers; None: not known
    reason: Optional[str]  # why the value is not known
    layers: Dict[str, str]  # the strongest layer that mentions each value


class _Facts(NamedTuple):
    """What can be read of a process."""

    weak: Sequence[Any]  # the fields of _Weak
    home: str
    user: str
    cgroup: str
    container: bool
    stale: Optional[str]
    of_build: bool
    ended: bool
    network: Sequence[Any] = ()  # its properties and variables about proxies, the folder of its Java


def _read(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read(_LIMIT)


def _boot_time(proc: str) -> float:
    for line in _read(proc + "/stat").splitlines():
        if line.startswith(b"btime "):
            return float(line.split()[1])
    raise OSError("no btime in %s/stat" % proc)


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
    names = [name for name in os.listdir(proc) if name.isdigit()]
    if os.geteuid() != 0 and (proc == "/proc" and "1" not in names or any(_hidden(proc, name) for name in names)):
        raise PermissionError(errno.EACCES, "those of other users are hidden (hidepid); run with become")
    try:
        # Even the command line of a process can hang, where the kernel holds its memory.
        pairs, candidates = bounded(lambda: _scan(proc, names), _SCAN_SECONDS)
    except Late as error:
        raise OSError(errno.ETIMEDOUT, "they could not be read (%s)" % error)
    parents = dict(pairs)
    found = [_Seen(*seen) for seen in candidates]
    controllers = {seen.pid for seen in found}
    deadline = time.monotonic() + _HOST_SECONDS
    return [examine(seen, proc, attach, deadline, _above(seen.pid, parents, controllers))
            for seen in sorted(found)]


def _scan(proc: str, names: Sequence[str]) -> Tuple[List[Tuple[int, int]], List[_Seen]]:
    """Who is whose parent, and who is a JVM on a war."""
    parents: Dict[int, int] = {}
    seen = [_look(proc, int(name), parents) for name in names]
    return list(parents.items()), [one for one in seen if one is not None]


def _hidden(proc: str, name: str) -> bool:
    try:
        _read("%s/%s/stat" % (proc, name))
    except PermissionError:
        return True
    except OSError:
        pass  # it ended
    return False


def _above(pid: int, parents: Dict[int, int], controllers: Set[int]) -> Optional[int]:
    """The nearest of the ``controllers`` among the ancestors of a process."""
    for _generation in range(len(parents)):
        pid = parents.get(pid, 0)
        if pid in controllers:
            return pid
    return None


def look(pid: int, proc: str = "/proc") -> Optional[_Seen]:
    """A process, where it is a JVM that runs a Jenkins or CloudBees war, else None."""
    return _look(proc, pid, {})


def _look(proc: str, pid: int, parents: Dict[int, int]) -> Optional[_Seen]:
    try:
        parents[pid] = int(_read("%s/%d/stat" % (proc, pid)).rsplit(b")", 1)[1].split()[1])
        argv = _read("%s/%d/cmdline" % (proc, pid)).decode("latin-1").split("\0")[:-1]
        if len(argv) < 2 or not _is_jvm(proc, pid, argv):
            return None
        war = _war(argv, "%s/%d" % (proc, pid))
        if war is None:
            return None
        return _Seen(pid, _attach.started(pid, proc), parents[pid], argv, war)
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
        served = wars(HostFiles(own + "/root"), base) or wars(HostFiles("/"), base)
        return served[0] if served else None
    return None


def examine(seen: _Seen, proc: str = "/proc", attach: str = "auto", deadline: Optional[float] = None,
            controller: Optional[int] = None) -> Process:
    """Everything about one JVM; ``deadline`` on the monotonic clock ends the asking."""
    start = _boot_time(proc) + seen.ticks / float(os.sysconf("SC_CLK_TCK"))
    started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(start))
    in_time = deadline is None or time.monotonic() < deadline
    try:
        found = _Facts(*bounded(lambda: _facts(proc, seen, start), _READ_SECONDS if in_time else _LATE_READ_SECONDS))
    except Late as error:
        found = _Facts(_unknown("it could not be read (%s)" % error), "", "", "", False, None, False, False)
    weak = _Weak(*found.weak)
    if found.ended:
        weak, answer = _unknown("it ended while it was read"), _attach.NOT_ASKED
    else:
        answer = _asked(seen, weak, proc, attach, deadline)
    value, state, source, proof, reason = _settled(weak, answer)
    return Process(seen.pid, started, seen.war, found.home, found.cgroup, value, state, source, proof, reason,
                   found.user, found.container, found.stale, controller, found.of_build, tuple(found.network))


def _facts(proc: str, seen: _Seen, start: float) -> _Facts:
    """What can be read of a process. Runs in a child: a file that it names may be on a server that is gone."""
    environment: Dict[str, str] = {}
    try:
        entries = _read("%s/%d/environ" % (proc, seen.pid)).decode("latin-1").split("\0")
        environment = dict(entry.partition("=")[::2] for entry in entries if "=" in entry)
        weak = _weak(proc, seen, environment)
    except OSError as error:
        weak = _unknown("its environment cannot be read (%s); run with become" % error.strerror)
    facts = _Facts(list(weak), _home(seen.argv, environment), "", "", False, None, not _BUILD.isdisjoint(environment),
                   True)
    try:
        facts = facts._replace(user=_user(proc, seen.pid), cgroup=_cgroup(proc, seen.pid),
                               container=_in_container(proc, seen.pid), stale=_stale(proc, seen, start))
        if weak.options is not None:
            facts = facts._replace(network=[routes.properties(weak.options), routes.variables(environment),
                                            _java_home(proc, seen.pid)])
        return facts._replace(ended=_attach.started(seen.pid, proc) != seen.ticks)
    except (OSError, IndexError, ValueError):
        return facts


# -- the value --------------------------------------------------------------------------------------


def _weak(proc: str, seen: _Seen, environment: Dict[str, str]) -> _Weak:
    own = "%s/%d" % (proc, seen.pid)

    def read(path: str) -> Optional[str]:
        # Where the JVM itself would have found it: from its working directory, with links that stay below its root.
        try:
            return HostFiles(own + "/root").read(os.path.join(os.readlink(own + "/cwd"), path)
                                                 if not path.startswith("/") else path)
        except OSError:
            return None

    try:
        layers = process_layers(seen.argv, environment, read)
    except Unresolvable as error:
        return _unknown(str(error))
    options = [word for _layer, words in layers for word in words]
    mentions, winner = decide(layers)
    value, source = (None, None) if winner is None else (winner.value, winner.layer)
    return _Weak(value, source, options, None, {mention.value: mention.layer for mention in mentions})


def _unknown(reason: str) -> _Weak:
    return _Weak(None, None, None, reason, {})


def _asked(seen: _Seen, weak: _Weak, proc: str, attach: str, deadline: Optional[float]) -> _attach.Answer:
    if proc != "/proc":
        return _attach.NOT_ASKED
    if attach == "never":
        return _attach.Answer(None, None, "the JVM was not asked (attach is never)", False)
    seconds = _attach.SECONDS
    if deadline is not None:
        seconds = min(seconds, deadline - time.monotonic())
    if seconds <= 0:
        return _attach.Answer(None, None, "the JVM was not asked: the time for all JVMs of this host was used up",
                              False)
    answer = _attach.ask(seen.pid, seen.ticks, weak.options, seconds)
    if answer.proof is None:
        said = "the JVM was asked: %s" if answer.silent else "the JVM was not asked: %s"
        return answer._replace(reason=said % answer.reason)
    return answer


def _settled(weak: _Weak, answer: _attach.Answer,
             ) -> Tuple[Optional[str], str, Optional[str], Optional[str], Optional[str]]:
    """Value, state, source, proof and reason: the JVM's own answer, else the weaker proof."""
    if answer.proof is not None:
        source = None
        if answer.value is not None and weak.options is not None:
            # A JVM may not read all layers that we know of (JDK 8 has no JDK_JAVA_OPTIONS).
            source = weak.source if weak.value == answer.value else weak.layers.get(answer.value, _INSIDE)
        return answer.value, _state(answer.value), source, answer.proof, None
    if weak.options is None:
        return None, "unknown", None, None, weak.reason
    if answer.silent:
        # A JVM that does not answer may be one whose value has changed since its start.
        return None, "unknown", None, None, "%s (its command line and environment say %s)" % (
            answer.reason, _state(weak.value))
    return weak.value, _state(weak.value), weak.source, "cmdline+environ", answer.reason


def _state(value: Optional[str]) -> str:
    return "disabled" if get_boolean(value) else "enabled"


# -- whose it is ------------------------------------------------------------------------------------


def _home(argv: Sequence[str], environment: Dict[str, str]) -> str:
    home = environment.get("JENKINS_HOME", "")
    words = argv[1:]
    for index in command_line(words).options:
        if words[index].startswith("-DJENKINS_HOME="):
            home = words[index].partition("=")[2]
    return home


def _user(proc: str, pid: int) -> str:
    """The effective user of a process; empty where it is not known."""
    number = _attach.status(pid, proc).get("Uid", "").split()[1:2]
    if not number:
        return ""
    try:
        return pwd.getpwuid(int(number[0])).pw_name
    except KeyError:
        return number[0]


def _java_home(proc: str, pid: int) -> str:
    """The folder of the Java that a process runs; empty where it is not known."""
    program = os.readlink("%s/%d/exe" % (proc, pid))
    return program[:-len("/bin/java")] if program.endswith("/bin/java") else ""


def _in_container(proc: str, pid: int) -> bool:
    """True where a process has process ids of its own, or another root than we."""
    if len(_attach.status(pid, proc).get("NSpid", "").split()) > 1:
        return True
    try:
        theirs, ours = os.stat("%s/%d/root" % (proc, pid)), os.stat("%s/self/root" % proc)
    except OSError:
        return False  # not for us to see
    return (theirs.st_dev, theirs.st_ino) != (ours.st_dev, ours.st_ino)


def _cgroup(proc: str, pid: int) -> str:
    """The process's cgroup: the unified one, else systemd's own hierarchy."""
    unified = named = ""
    for line in _read("%s/%d/cgroup" % (proc, pid)).decode("latin-1").splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0":
            unified = path
        elif controllers == "name=systemd":
            named = path
    return unified if unified not in ("", "/") else (named or unified)


def _stale(proc: str, seen: _Seen, start: float) -> Optional[str]:
    """What a JVM was started from and is not there any more; None where nothing of the kind is seen.

    ``start`` in seconds since the epoch.
    """
    own = "%s/%d" % (proc, seen.pid)
    try:
        if os.readlink(own + "/exe").endswith(" (deleted)"):
            return "its java was replaced or removed after its start"
        opened = _opened_war(own)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM):
            return None
        raise
    try:
        now = os.stat("%s/%s" % (own + ("/root" if seen.war.startswith("/") else "/cwd"), seen.war.lstrip("/")))
    except FileNotFoundError:
        return None if opened is None else "its war was removed after its start"
    except OSError:
        return None
    if opened is not None and (now.st_dev, now.st_ino) != (opened.st_dev, opened.st_ino):
        return "its war was replaced after its start"
    if now.st_mtime > start + _CLOCK_SECONDS:
        return "its war was written after its start"
    return None


def _opened_war(own: str) -> Optional[os.stat_result]:
    """The war as the JVM holds it open (a JVM keeps the file it runs), or None where it is not seen."""
    for number in os.listdir(own + "/fd"):
        try:
            if re.search(r"\.war(?: \(deleted\))?\Z", os.readlink("%s/fd/%s" % (own, number))):
                return os.stat("%s/fd/%s" % (own, number))
        except OSError:
            continue  # closed meanwhile
    return None

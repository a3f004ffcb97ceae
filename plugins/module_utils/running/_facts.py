# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a running JVM runs with, and whose it is: asked of the JVM itself, else read from ``/proc``.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import errno
import os
import pwd
import re
import stat
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ..host._child import Late, bounded
from ..host._file_systems import Silent, anywhere, hangs
from ..host._files import bytewise, names_in, native
from ..java._jvm import TELEMETRY, Switch, decide, process_layers
from ..java._operations_center import properties as member_properties
from ..java._proxy_settings import properties, variables
from ..launch._starters import OTHERS
from ..text._value import Unresolvable
from . import _attach
from ._proc import (
    LIMIT,
    LOGIN,
    Process,
    Seen,
    Setting,
    arguments,
    files_of,
    folder_of,
    moment,
    name_of,
    own_users,
    read_file,
    read_for,
    reader_of,
    short,
    started,
    stat_of,
    status,
)

#: Seconds for what can be read of a JVM.
_READ_SECONDS = 5.0
_LATE_READ_SECONDS = 1.0  # where the time for all was used up, or where an ordinary user may let us wait
CLOCK_SECONDS = 2  # what the kernel's time of boot and a file's time may be apart
_INSIDE = "set inside the JVM"
#: Environment by which Jenkins knows again what its builds have started.
_BUILD = frozenset(["JENKINS_SERVER_COOKIE", "HUDSON_SERVER_COOKIE", "JENKINS_NODE_COOKIE"])


class _Weak(NamedTuple):
    """The value by command line and environment."""

    value: Optional[str]
    source: Optional[str]
    options: Optional[List[str]]  # of all layers; None: not known
    reason: Optional[str]  # why the value is not known
    layers: Dict[str, str]  # the strongest layer that mentions each value
    variable: str = ""  # of the environment, that turns it off whatever the property says


class _Facts(NamedTuple):
    """What can be read of a process."""

    weak: Sequence[Any]  # the fields of _Weak
    home: str
    container: bool
    stale: Optional[str]
    of_build: bool
    ended: bool
    network: Sequence[Any] = ()  # its properties and variables about proxies, the folder of its Java
    own_users: bool = False
    started_by: str = ""
    real_war: str = ""
    others: Sequence[Sequence[str]] = ()  # see Process
    more: Sequence[Sequence[Any]] = ()  # the fields of a _Weak for each other switch


def examine(
    seen: Seen,
    proc: str = "/proc",
    attach: str = "auto",
    deadline: Optional[float] = None,
    controller: Optional[int] = None,
    asks: Callable[[Process], bool] = lambda _jvm: True,
    switches: Sequence[Switch] = (),
    threads: bool = False,
) -> Process:
    """Everything about one JVM; ``deadline`` on the monotonic clock ends the asking, ``asks`` says who is asked.

    ``switches`` are looked at beside the flag; with ``threads`` those are counted that are in a client of Segment's.
    """
    start = moment(seen.ticks, proc)
    in_time = (deadline is None or time.monotonic() < deadline) and seen.place.rank < LOGIN
    try:
        found = _Facts(
            *bounded(lambda: _facts(proc, seen, start, switches), _READ_SECONDS if in_time else _LATE_READ_SECONDS)
        )
    except Late as error:
        found = _Facts(_unknown("it could not be read (%s)" % error), "", False, None, False, False)
    weak = _Weak(*found.weak)
    more = [_Weak(*one) for one in found.more] or [weak] * len(switches)
    if found.ended:
        weak = _unknown("it ended while it was read")
        more = [weak] * len(switches)
    user = name_of(seen.place.uid)
    jvm = Process(
        seen.pid,
        time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(start)),
        short(seen.war),
        found.home,
        seen.place.cgroup,
        None,
        "unknown",
        None,
        None,
        None,
        user,
        found.container,
        found.stale,
        controller,
        found.of_build,
        tuple(found.network),
        seen.place.uid,
        seen.sure,
        found.own_users,
        found.started_by,
        found.real_war,
        tuple((kind, words) for kind, words in found.others),
        start,
    )
    if found.ended:
        answer = _attach.NOT_ASKED
    elif asks(jvm):
        answer = _asked(
            seen, weak, proc, attach, deadline, [one.name for one in switches if not one.environment], threads
        )
    else:
        answer = _attach.Answer(None, None, "the JVM was not asked: it belongs to no installation", False)
    value, state, source, proof, reason = _settled(weak, answer)
    return jvm._replace(
        value=value,
        state=state,
        source=source,
        proof=proof,
        reason=reason,
        switches=tuple(
            Setting(*_settled(one, answer._replace(value=answer.more.get(switch.name)), switch))
            for switch, one in zip(switches, more)
        ),
        threads=tuple(answer.threads),
        uncounted=answer.uncounted or answer.reason or "the JVM was not asked"
        if threads and not answer.threads
        else None,
    )


def _facts(proc: str, seen: Seen, start: float, switches: Sequence[Switch]) -> _Facts:
    """What can be read of a process. Runs in a child: a file that it names may be on a server that is gone."""
    environment: Dict[str, str] = {}
    more: List[_Weak] = []
    try:
        data = read_file(folder_of(seen.pid, proc) + "/environ")
        entries = data.decode("latin-1").split("\0")
        entries.reverse()  # of two with the same name the first counts, as for getenv
        environment = dict(entry.partition("=")[::2] for entry in entries if "=" in entry)
        weak, more = (
            _weak(proc, seen, environment, switches)
            if len(data) < LIMIT
            else (_unknown("its environment is too long"), [])
        )
    except (OSError, IndexError) as error:
        weak = _unknown(
            "its environment cannot be read (%s); run with become" % (getattr(error, "strerror", None) or "it ended")
        )
    of_build = not _BUILD.isdisjoint(environment)
    facts = _Facts(
        list(weak),
        _home(weak.options, environment),
        False,
        None,
        of_build,
        True,
        (),
        False,
        starter_of(proc, seen.parent, seen.place.cgroup, environment),
        more=more,
    )
    try:
        others = _others_in_time(proc, seen, start)
        stale = next((words for kind, words in others if kind != "unknown"), None)
        facts = facts._replace(
            container=_in_container(proc, seen.pid),
            stale=stale,
            others=others,
            own_users=own_users(seen.pid, proc) is not False,
            real_war=_real_war(proc, seen),
        )
        if not facts.home and not facts.container:
            facts = facts._replace(home=_default_home(seen.place.uid, weak.options))
        if weak.options is not None:
            facts = facts._replace(
                network=[
                    dict(properties(weak.options), **member_properties(weak.options)),
                    variables(environment),
                    _java_home(proc, seen.pid),
                ]
            )
        return facts._replace(ended=started(seen.pid, proc) != seen.ticks)
    except (OSError, IndexError, ValueError):
        return facts


# -- the value --------------------------------------------------------------------------------------


def _weak(proc: str, seen: Seen, environment: Dict[str, str], switches: Sequence[Switch]) -> Tuple[_Weak, List[_Weak]]:
    """What command line and environment say of the flag, and of each other switch; none where nothing is known."""

    def unknown(reason: str) -> Tuple[_Weak, List[_Weak]]:
        weak = _unknown(reason)
        return weak, [_variable(one, environment) if one.environment and seen.launcher else weak for one in switches]

    try:
        own = folder_of(seen.pid, proc)
        argv = arguments(own)
    except OSError as error:
        return unknown(error.strerror or "its command line cannot be read")
    if not seen.launcher:
        return unknown("it was not started by java, so its arguments do not tell its options")
    try:
        files = files_of(own, reader_of(seen.pid, proc))  # what it may read itself: whoever started it chose the name
        layers = process_layers(argv, environment, lambda path: read_for(own, files, path))
    except Unresolvable as error:
        return unknown(str(error))
    except OSError as error:
        return unknown(error.strerror or "it cannot be looked at")
    options = [word for _layer, words in layers for word in words]

    def told(switch: Switch) -> _Weak:
        if switch.environment:
            return _variable(switch, environment)
        mentions, winner = decide(layers, switch.name)
        value, source = (None, None) if winner is None else (winner.value, winner.layer)
        found = {mention.value: mention.layer for mention in mentions}
        variable = switch.variable if environment.get(switch.variable) == "false" else ""
        return _Weak(value, source, [], None, found, variable)

    return told(TELEMETRY)._replace(options=options), [told(switch) for switch in switches]


def _variable(switch: Switch, environment: Dict[str, str]) -> _Weak:
    """What the environment of its start has. A JVM reads it once, so that nothing changes it later."""
    value = environment.get(switch.name)
    return _Weak(value, None if value is None else switch.name, [], None, {})


def _unknown(reason: str) -> _Weak:
    return _Weak(None, None, None, reason, {})


def _asked(
    seen: Seen, weak: _Weak, proc: str, attach: str, deadline: Optional[float], names: Sequence[str], threads: bool
) -> _attach.Answer:
    if proc != "/proc":
        return _attach.NOT_ASKED
    if attach == "never":
        return _attach.Answer(None, None, "the JVM was not asked (attach is never)", False)
    seconds = _attach.SECONDS
    if deadline is not None:
        seconds = min(seconds, deadline - time.monotonic())
    if seconds <= 0:
        return _attach.Answer(
            None, None, "the JVM was not asked: the time for all JVMs of this host was used up", False
        )
    answer = _attach.ask(seen.pid, seen.ticks, weak.options, seconds, names, threads)
    if answer.proof is None:
        said = "the JVM was asked: %s" if answer.silent else "the JVM was not asked: %s"
        return answer._replace(reason=said % answer.reason)
    return answer


def _settled(
    weak: _Weak, answer: _attach.Answer, switch: Switch = TELEMETRY
) -> Tuple[Optional[str], str, Optional[str], Optional[str], Optional[str]]:
    """Value, state, source, proof and reason: the JVM's own answer, else the weaker proof."""
    if switch.environment and weak.options is not None:
        return _judged(weak, weak.value, weak.source, "cmdline+environ", None, switch)
    if switch.environment:
        return None, "unknown", None, None, weak.reason
    if answer.proof is not None:
        source = None
        if answer.value is not None and weak.options is not None:
            # A JVM may not read all layers that we know of (JDK 8 has no JDK_JAVA_OPTIONS).
            source = weak.source if weak.value == answer.value else weak.layers.get(answer.value, _INSIDE)
        return _judged(weak, answer.value, source, answer.proof, None, switch)
    if weak.options is None:
        return None, "unknown", None, None, weak.reason
    if answer.silent:
        # A JVM that does not answer may be one whose value has changed since its start.
        return (
            None,
            "unknown",
            None,
            None,
            "%s (its command line and environment say %s)" % (answer.reason, switch.state(weak.value)),
        )
    return _judged(weak, weak.value, weak.source, "cmdline+environ", answer.reason, switch)


def _judged(
    weak: _Weak, value: Optional[str], source: Optional[str], proof: str, reason: Optional[str], switch: Switch
) -> Tuple[Optional[str], str, Optional[str], Optional[str], Optional[str]]:
    """The same with the state that a value makes. A variable of the environment is as it was at the start."""
    state = switch.state(value)
    if state != "disabled" and weak.variable:
        return value, "disabled", weak.variable, proof, reason
    if state == "unknown":
        return None, state, None, None, switch.neither
    return value, state, source, proof, reason


# -- whose it is ------------------------------------------------------------------------------------


def _home(options: Optional[Sequence[str]], environment: Dict[str, str]) -> str:
    home = environment.get("JENKINS_HOME", "")
    for word in options or ():
        if word.startswith("-DJENKINS_HOME="):
            home = word.partition("=")[2]
    return home


def _default_home(uid: int, options: Optional[Sequence[str]]) -> str:
    """Jenkins' own home in its user's (core's WebAppMain.getHomeDir), where there is one."""
    try:
        home = pwd.getpwuid(uid).pw_dir
    except KeyError:
        home = ""
    for word in options or ():
        home = word.partition("=")[2] if word.startswith("-Duser.home=") else home
    folder = home.rstrip("/") + "/.jenkins"
    return bytewise(folder) if home and anywhere(lambda: os.path.isdir(folder)) else ""


def _real_war(proc: str, seen: Seen) -> str:
    own = folder_of(seen.pid, proc)
    path = native(seen.war)
    if not path.startswith("/"):
        path = os.path.join(os.readlink(own + "/cwd"), path)
    try:
        return bytewise(anywhere(lambda: os.path.realpath(path)))
    except Silent:
        return ""


#: Variables by which a starter tells a program that it has started it.
_TOLD = tuple(pair for starter in OTHERS for pair in starter.told)
_SESSIONS = (("STY", "screen session %s"), ("TMUX", "tmux (%s)"))
#: Names of programs that start others.
_STARTERS = {"SCREEN": "screen", "screen": "screen", "sshd": "a login"}
_STARTERS.update((name, kind) for starter in OTHERS for name, kind in starter.processes.items())
#: Those whose last word names the service.
_NAMING = tuple(kind for starter in OTHERS for kind in starter.naming)
_UNITS = re.compile(r"/(%s)\.service(?:/|\Z)" % "|".join(re.escape(unit) for one in OTHERS for unit in one.units))
_LIMIT_ANCESTORS = 64
_USERS_UNIT = re.compile(r"/user\.slice/user-(\d+)\.slice/user@\d+\.service/(?:.*/)?([^/]+\.service)(?:/|\Z)")


def starter_of(proc: str, parent: int, cgroup: str, environment: Dict[str, str]) -> str:
    """Who started a process, for people; empty where nothing tells. What its environment says, it could have set."""
    container = re.search(r"(?:docker|libpod|crio|cri-containerd)[-/]([0-9a-f]{12})", cgroup)
    if container:
        return "%s container %s" % (
            "podman" if "libpod" in cgroup else "docker" if "docker" in cgroup else "a pod's",
            container.group(1),
        )
    users = _USERS_UNIT.match(cgroup)
    if users:
        return "user unit %s of %s" % (users.group(2), name_of(int(users.group(1))))
    for _generation in range(_LIMIT_ANCESTORS):
        if parent <= 1:
            break
        try:
            name, fields = stat_of(read_file("%s/%d/stat" % (proc, parent)))
            command = arguments("%s/%d" % (proc, parent))
            parent = int(fields[1])
        except (OSError, IndexError, ValueError):
            break
        kind = _STARTERS.get(name.decode("latin-1").split(":")[0])
        if kind is None and name.startswith(b"tmux"):
            kind = "tmux"
        if kind is not None:
            told = next(
                (
                    words % shown_name(environment[key])
                    for key, words in _TOLD
                    if key in environment and words.startswith(kind)
                ),
                "",
            )
            named = kind in _NAMING and len(command) > 1
            return told or (kind + " service " + shown_name(command[-1]) if named else kind)
    unit = _UNITS.search(cgroup)
    # tmux(1): TMUX is the server's socket, its process and the session, separated by commas.
    told = next(
        (
            words % shown_name(environment[key].partition(",")[0])
            for key, words in _TOLD + _SESSIONS
            if key in environment
        ),
        "",
    )
    return told or (unit.group(1) if unit else "")


def shown_name(text: str) -> str:
    """A name out of a process's environment, as far as it may be shown."""
    return text if re.match(r"[\w.@:/-]{1,64}\Z", text) else "(a name that is not shown)"


def _java_home(proc: str, pid: int) -> str:
    """The folder of the Java that a process runs; empty where it is not known."""
    program = os.readlink(folder_of(pid, proc) + "/exe")
    return program[: -len("/bin/java")] if program.endswith("/bin/java") else ""


def _in_container(proc: str, pid: int) -> bool:
    """True where a process has process ids of its own, or another root than we."""
    if len(status(pid, proc).get("NSpid", "").split()) > 1:
        return True
    try:
        theirs, ours = os.stat(folder_of(pid, proc) + "/root"), os.stat("%s/self/root" % proc)
    except (OSError, IndexError):
        return False  # not for us to see
    return (theirs.st_dev, theirs.st_ino) != (ours.st_dev, ours.st_ino)


def _others_in_time(proc: str, seen: Seen, start: float) -> List[List[str]]:
    """The same; nothing is seen of a war on a file system that does not answer, and that costs no other fact."""
    try:
        war = os.path.join(os.readlink(folder_of(seen.pid, proc) + "/cwd"), native(seen.war))
    except (OSError, IndexError):
        war = native(seen.war)
    if hangs(seen.pid, war, lambda: _others(proc, seen, start)):
        return [["unknown", "whether its war is another one now is not known: its file system does not answer"]]
    return _others(proc, seen, start)


def _others(proc: str, seen: Seen, start: float) -> List[List[str]]:
    """What a JVM was started from and is not there any more (java, war), each in words; of what is not seen, nothing.

    ``start`` in seconds since the epoch.
    """
    own = folder_of(seen.pid, proc)
    try:
        gone = os.readlink(own + "/exe").endswith(" (deleted)")
        java = [["java", "its java was replaced or removed after its start"]] if gone else []
        war = _other_war(own, seen, start, _opened_war(own, seen.war))
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM):
            return []
        raise
    return java + ([["war", war]] if war else [])


def _other_war(own: str, seen: Seen, start: float, opened: Optional[os.stat_result]) -> Optional[str]:
    """What was done to a war since its JVM has it open, in words."""
    try:
        now = os.stat("%s/%s" % (own + ("/root" if seen.war.startswith("/") else "/cwd"), native(seen.war.lstrip("/"))))
    except FileNotFoundError:
        return None if opened is None else "its war was removed after its start"
    except OSError:
        return None
    if opened is not None and (now.st_dev, now.st_ino) != (opened.st_dev, opened.st_ino):
        return "its war was replaced after its start"
    # A server of webapps unpacks it when it starts; when a folder got its last name tells nothing of the war.
    if now.st_mtime > start + CLOCK_SECONDS and not stat.S_ISDIR(now.st_mode):
        return "its war was written after its start"
    return None


def _opened_war(own: str, war: str) -> Optional[os.stat_result]:
    """The war as the JVM holds it open (a JVM keeps the file it runs), or None where it is not seen."""
    for number in names_in(own + "/fd"):  # in their order, and it was opened among the first
        try:
            target = re.sub(r" \(deleted\)\Z", "", os.readlink("%s/fd/%s" % (own, number)))
            if target == native(war) or target.endswith(".war"):
                return os.stat("%s/fd/%s" % (own, number))
        except OSError:
            continue  # closed meanwhile
    return None

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the next start really gives: each installation is started in a world of its own, with a java that only waits.

Nothing is concluded from launch files here: the host's own systemd reads the unit, its shells the scripts, and of the
``java`` at the end its words and environment are read as those of a running JVM are. Private to this collection. Runs
on the managed host: Python 3.6+, standard library only.
"""

import itertools
import os
import re
import signal
import subprocess
import time
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from ..host import _limits as limits
from ..host._files import HostFiles, bytewise, native
from ..java._jvm import command_line, decide, get_boolean, is_java, launcher_words, process_layers
from ..java._tomcat import BOOTSTRAP
from ..launch import _discovery, _outcome
from ..launch._unit_syntax import goes_on, parse_unit
from ..running import _proc
from ..shell._session import Launch
from ..survey._survey import Entry, survey
from ..text._value import Unresolvable
from ._namespaces import OWN, SHELL, TASKS, Refused, Task, World, refusal

UNKNOWN = "unknown"
#: Seconds for all installations of a host together: less than the control node waits.
SECONDS = 80.0
#: Beside the time for the start itself: making the world and ending it.
_AROUND = 8.0
_POLL = 0.03
#: Seconds in which what has been started in the background may still come to its ``java``.
_AFTER = 1.5
_LIMIT_STARTS = 50
_LIMIT_NAMES = 200
_NAME = re.compile(r"[A-Za-z0-9:_.@\\-]{1,240}\.service\Z")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}\Z")
#: Settings with which a service sees another root than the host's.
_OTHER_ROOT = frozenset(
    [
        "RootDirectory",
        "RootImage",
        "RootHash",
        "RootHashSignature",
        "RootVerity",
        "MountImages",
        "ExtensionImages",
        "ExtensionDirectories",
    ]
)
#: What asks a java for something, and starts nothing.
_ASKS = frozenset(["-version", "--version", "-fullversion", "-help", "--help", "-h", "-?"])
#: Where a Java may be, beside what the launch files, the running JVM and PATH say.
_JAVAS = (
    "/usr/lib/jvm/*/bin/java",
    "/usr/lib/jvm/*/jre/bin/java",
    "/usr/lib64/jvm/*/bin/java",
    "/usr/java/*/bin/java",
    "/usr/java/*/jre/bin/java",
    "/opt/*/bin/java",
    "/opt/*/*/bin/java",
    "/opt/*/jre/bin/java",
    "/usr/local/*/bin/java",
    "/usr/local/bin/java",
    "/usr/bin/java",
    "/bin/java",
    "/srv/*/bin/java",
    "/etc/alternatives/java",
    "/usr/lib/*/jre/bin/java",
)
_LIMIT_JAVAS = 64
#: Settings that a copy of a unit does not get. They say nothing of what is started, and either act on the host, need
#: powers that nobody has in there, or would start the service once more.
_LEFT_OUT = frozenset(
    """
    Restart RestartSec RestartMode RestartSteps RestartMaxDelaySec RestartForceExitStatus RestartPreventExitStatus
    RemainAfterExit TimeoutSec TimeoutStartSec TimeoutStopSec TimeoutAbortSec TimeoutStartFailureMode
    TimeoutStopFailureMode WatchdogSec WatchdogSignal RuntimeMaxSec RuntimeRandomizedExtraSec
    FailureAction SuccessAction StartLimitAction StartLimitBurst StartLimitInterval StartLimitIntervalSec RebootArgument
    ExecReload ExecStop ExecStopPost ExecStartPost
    Slice Delegate DelegateSubgroup DisableControllers OOMPolicy OOMScoreAdjust Nice CPUAffinity NUMAPolicy NUMAMask
    CPUSchedulingPolicy CPUSchedulingPriority CPUSchedulingResetOnFork IOSchedulingClass IOSchedulingPriority
    MemoryKSM CoredumpReceive CoredumpFilter TimerSlackNSec
    DevicePolicy DeviceAllow IPAddressAllow IPAddressDeny IPIngressFilterPath IPEgressFilterPath BPFProgram
    SocketBindAllow SocketBindDeny RestrictNetworkInterfaces NFTSet RestrictFileSystems
    AppArmorProfile SELinuxContext SELinuxContextFromNet SmackProcessLabel
    NetworkNamespacePath IPCNamespacePath LogNamespace ProtectProc ProcSubset ProtectHostname
    Sockets OpenFile USBFunctionDescriptors USBFunctionStrings TTYPath TTYReset TTYVHangup TTYVTDisallocate
    UtmpIdentifier UtmpMode LogRateLimitIntervalSec LogRateLimitBurst
    """.split()
)
#: What it gets instead, last: one try, and a note of how it ended.
_LAST = """[Unit]
DefaultDependencies=no
[Service]
Restart=no
TimeoutStartSec=%(seconds)d
TimeoutStopSec=2
OOMScoreAdjust=1000
ExecStopPost=+%(shell)s %(own)s/tell
"""
_TARGET = "[Unit]\nDefaultDependencies=no\nWants=%s cbops-prove-after.service\n"
#: Says what the service manager made of the unit.
_AFTERWARDS = """[Unit]
DefaultDependencies=no
After=%(service)s
[Service]
Type=oneshot
StandardOutput=null
ExecStart=%(shell)s -c 'systemctl --no-pager show -p LoadState -p Result -p ExecMainStatus %(quoted)s \
>%(own)s/state.new; /bin/mv %(own)s/state.new %(own)s/state'
"""


class Start(NamedTuple):
    """A ``java`` that was started."""

    java: str
    argv: Tuple[str, ...]  # with the name of the program
    environment: Dict[str, str]
    user: str
    value: Optional[str]  # of the property
    source: Optional[str]
    reason: Optional[str]  # why the value is not known


class Seen(NamedTuple):
    """What came of starting something."""

    starts: Tuple[Start, ...]  # of JVMs on a war, or of Tomcat
    others: int  # more times that java was started, on something else
    ended: Optional[str]  # how it ended, in words
    problem: Optional[str]  # why nothing more can be seen


# -- what is started: pure --------------------------------------------------------------------------


def service_sections(content: str) -> str:
    """Of a unit file or drop-in what says how to run the service, byte for byte, without what a copy does not get."""
    kept, section, joined, left_out = [], "", False, False
    for line in re.findall(r"[^\n]*\n|[^\n]+\Z", content[3:] if content.startswith("\xef\xbb\xbf") else content):
        body = line.strip()
        is_comment = body.startswith(("#", ";"))
        if not joined and not is_comment:
            if body.startswith("[") and body.endswith("]"):
                section = body[1:-1]
                if section == "Service":
                    kept.append("[Service]\n")
                continue
            left_out = body.partition("=")[0].rstrip() in _LEFT_OUT
        if section == "Service" and not left_out and not is_comment:
            kept.append(line)
        if not is_comment:
            joined = goes_on(line.rstrip("\r\n"))
    text = "".join(kept)
    return text if not text or text.endswith("\n") else text + "\n"


def units_of(service: str, texts: Sequence[str], seconds: float) -> Dict[str, str]:
    """The files of a copy of a unit by the texts of its own files, strongest last. Raises :class:`Refused`."""
    if not _NAME.match(service):
        raise Refused("a unit of that name is not copied")
    kind = ""
    for text in texts:
        for setting in parse_unit(text, service):
            value = setting.value.text
            if setting.section != "Service":
                continue
            if setting.key in _OTHER_ROOT and value.strip("/"):
                raise Refused("%s=: the service sees other files than the host has" % setting.key)
            if setting.key == "Type":
                kind = value
            if setting.key == "BusName" and not kind:
                kind = "dbus"
    names = {
        "shell": SHELL,
        "own": OWN,
        "service": service,
        "seconds": int(seconds),
        "quoted": service.replace("\\", "\\\\\\\\").replace("%", "%%"),
    }
    last = _LAST % names
    if kind == "dbus":  # there is no bus, and the JVM is started without one
        last += "Type=simple\nBusName=\n"
    units = {service: service_sections(texts[0])}
    for number, text in enumerate(texts[1:]):
        units["%s.d/%05d.conf" % (service, number)] = service_sections(text)
    units["%s.d/zzzzz.conf" % service] = last
    units["cbops-prove.target"] = _TARGET % service
    units["cbops-prove-after.service"] = _AFTERWARDS % names
    return units


def script_unit(words: Sequence[str], user: str) -> str:
    """The unit of a launch script that no service manager starts, for whom it belongs to."""
    return "[Service]\nType=forking\nGuessMainPID=no\nUser=%s\nExecStart=%s\n" % (
        user,
        " ".join(_quoted(word, index == 0) for index, word in enumerate(words)),
    )


def _quoted(word: str, first: bool) -> str:
    word = re.sub(r'([\\"])', r"\\\1", word).replace("%", "%%")
    return '"%s"' % (word if first else word.replace("$", "$$"))


def asks(words: Sequence[str]) -> bool:
    """True where the words after ``java`` ask it for its version or help: then it starts nothing."""
    line = command_line(words)
    before = words if line.main is None else words[: line.main]
    return bool(_ASKS.intersection(before)) and not line.jar


def is_controller(argv: Sequence[str], programs: Sequence[str]) -> bool:
    """Whether a ``java`` is started on a war (``programs`` are those that are known), or is Tomcat's."""
    words = list(argv[1:])
    line = command_line(words)
    if line.main is None:
        return False
    main = words[line.main]
    return main == BOOTSTRAP if not line.jar else main.endswith(".war") or main in programs


def verdict(seen: Seen) -> Tuple[str, Optional[str]]:
    """disabled, enabled or unknown by what was started, and the reason where it is unknown."""
    unread = next((start.reason for start in seen.starts if start.reason), None)
    if unread:
        return UNKNOWN, unread
    states = {get_boolean(start.value) for start in seen.starts}
    if len(states) > 1:
        return UNKNOWN, "%d JVMs are started, and they do not agree" % len(seen.starts)
    if states:
        return (_outcome.DISABLED if states.pop() else _outcome.ENABLED), None
    reason = seen.problem or "no JVM was started on a war: %s" % (seen.ended or "it did not end")
    if seen.others:
        reason += "; java was started %d times on something else" % seen.others
    return UNKNOWN, reason


def ending(told: str) -> str:
    """How a service ended, by what ExecStopPost= is told: result, code, status."""
    words = told.split()
    if not words:
        return "it ended, and systemd does not say how"
    result, code, status = (words + ["", "", ""])[:3]
    known = {
        "200/CHDIR": "its working directory",
        "203/EXEC": "its program",
        "217/USER": "its user",
        "216/GROUP": "its group",
        "224/PAM": "its PAM session",
        "226/NAMESPACE": "a file system of its own",
    }
    numbers = {name.partition("/")[0]: what for name, what in known.items()}
    if code == "exited" and status in numbers:
        return "systemd could not set up %s (exit status %s)" % (numbers[status], status)
    if result == "timeout":
        return "it did not start in time"
    if code in ("killed", "dumped") and re.match(r"[A-Z0-9+]{1,10}\Z", status):
        return "it was ended by the signal %s" % status
    if code == "exited" and status.isdigit():
        return "it ended with exit status %s" % status[:3]
    return "it ended (%s)" % (result if re.match(r"[a-z-]{1,20}\Z", result) else "no reason is given")


# -- on the host ------------------------------------------------------------------------------------


def prove(launch_scripts: Sequence[str], names: Sequence[str], seconds: float, check: bool) -> Dict[str, Any]:
    """One proof for each installation of this host, and what was noticed. Raises OSError."""
    found = survey(HostFiles(), launch_scripts, "never")
    names = found.named(names)
    entries = [entry for entry in found.entries if not entry.stray and (not names or entry.definition.name in names)]
    missing = [name for name in names if name not in {entry.definition.name for entry in entries}]
    if missing:
        raise ValueError("there is no installation %s here" % ", ".join(missing))
    impossible = "in check mode nothing is started" if check else refusal(_version())
    until = time.monotonic() + SECONDS
    proofs = []
    for entry in entries:
        limits.phase("starting a copy of %s" % entry.definition.name)
        limits.more(min(seconds + _AROUND, max(0.0, until - time.monotonic())))
        left = until - time.monotonic() - _AROUND
        reason = impossible or ("the time for this host was used up" if left < seconds / 2 else None)
        proofs.append(_proof(entry, min(seconds, left), reason))
    return {"changed": False, "proofs": proofs, "notes": found.warnings}


def _version() -> str:
    try:
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            ["systemctl", "--version"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            timeout=limits.MANAGER,
            check=False,
        )
        return done.stdout.decode("latin-1")
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _proof(entry: Entry, seconds: float, refused: Optional[str]) -> Dict[str, Any]:
    """The proof of one installation as it is answered."""
    seen = Seen((), 0, None, None)
    if not refused:
        try:
            seen = _started(entry, seconds)
        except Refused as error:
            refused = str(error)
        except (Unresolvable, OSError) as error:
            refused = "what it is started from cannot be read: %s" % (
                error if isinstance(error, Unresolvable) else error.strerror
            )
    state, reason = (UNKNOWN, refused) if refused else verdict(seen)
    known = entry.on_disk.verdict in (_outcome.DISABLED, _outcome.ENABLED)
    first = seen.starts[0] if seen.starts else None
    return {
        "name": entry.definition.name,
        "service": entry.definition.service,
        "next_start": state,
        "reason": reason,
        "refused": refused is not None,
        "on_disk": entry.on_disk.verdict,
        "agrees": (state == entry.on_disk.verdict) if known and state != UNKNOWN else None,
        "jvms": len(seen.starts),
        "java": first.java if first else None,
        "program": _program(first.argv) if first else None,
        "user": first.user if first else None,
        "source": first.source if first else None,
        "environment": sorted(name for name in first.environment if _VARIABLE.match(name))[:_LIMIT_NAMES]
        if first
        else [],
    }


def _program(argv: Sequence[str]) -> Optional[str]:
    main = command_line(list(argv[1:])).main
    return None if main is None else argv[1 + main]


def _started(entry: Entry, seconds: float) -> Seen:
    """Start an installation in a world of its own. Raises Refused, Unresolvable, OSError."""
    files = HostFiles("/")  # a reading of its own: what is started is what lies there now
    definition = entry.definition
    service, texts = _texts(entry, files)
    environment = _manager_environment()
    homes = [home for home in entry.on_disk.homes if home.startswith("/")]
    task = Task(
        service,
        units_of(service, texts, seconds),
        tuple(_javas(entry, files)),
        environment,
        ["/var/log"] + [home + "/logs" for home in homes],
    )
    world = World(task, seconds + _AROUND)
    try:
        seen = _watched(world, service, entry.on_disk.programs, seconds, files)
    finally:
        world.close()
    if seen.problem or not seen.starts:
        silent = [place for place in world.silent if place != "/"]
        if silent:
            return seen._replace(
                problem="%s; %s does not answer and was left out"
                % (
                    seen.problem or "no JVM was started on a war: %s" % (seen.ended or "it did not end"),
                    ", ".join(silent[:3]),
                )
            )
    if definition.unit is None and not seen.starts and seen.ended:
        return seen._replace(ended=seen.ended + " (it was started without any argument or variable but its own)")
    return seen


def _texts(entry: Entry, files: HostFiles) -> Tuple[str, List[str]]:
    """The name of the unit that is started, and the texts of its files, strongest last. Raises Refused, OSError."""
    definition = entry.definition
    if definition.unit is None:
        if not definition.name.startswith("/"):
            raise Refused("no unit and no launch script that could be started is known")
        words = [word.text for word in definition.program]
        if any(word.unknown() for word in definition.program):
            raise Refused("the words of its command are not known")
        user = _proc.name_of(os.stat(native(words[0])).st_uid)
        if not re.match(r"[A-Za-z_][A-Za-z0-9_.-]*\$?\Z", user):
            raise Refused("the launch script belongs to nobody who has a name")
        return "cbops-prove-script.service", [script_unit(words, user)]
    loaded = entry.loaded
    if definition.unit.masked or (loaded is not None and loaded.load_state == "masked"):
        raise Refused("the unit is masked, so it cannot start")
    if loaded is None or loaded.load_state != "loaded":
        raise Refused("the service manager has not loaded the unit")
    if loaded.need_reload:
        raise Refused("a daemon-reload is owed: what would be started now is not what the files say")
    if not loaded.unit.fragment:
        raise Refused("the unit has no file")
    command = " ".join(word.text for words in loaded.unit.exec_start for word in words)
    if _discovery.brings_up(command):
        raise Refused("it starts a container, whose image decides")
    base = loaded.unit.fragment.rpartition("/")[2]
    service = definition.unit.name
    if base.endswith(".service") and "@." not in base:
        service = base  # what %n says, where the unit is known by an alias
    return service, [files.read(path) for path in (loaded.unit.fragment,) + loaded.unit.drop_ins]


def _manager_environment() -> Dict[str, str]:
    from ..launch import _service_manager as service_manager

    try:
        found = service_manager.manager_environment()
    except service_manager.Unavailable as error:
        raise Refused(str(error))
    return {
        name: variable.value.text
        for name, variable in found.items()
        if _VARIABLE.match(name) and "\n" not in variable.value.text
    }


def _javas(entry: Entry, files: HostFiles) -> Iterator[str]:
    """The programs that are replaced: whatever java the launch may come to. A script of that name is followed."""
    named = [
        launch.java for way in (entry.on_disk.walk.paths if entry.on_disk.walk is not None else ()) for launch in way
    ]
    for jvm in entry.processes:
        try:
            named.append(bytewise(os.readlink("/proc/%d/exe" % jvm.pid)))
        except OSError:
            pass
    for variable in entry.definition.environment.values():
        value = variable.value.text
        if value.startswith("/") and ":" not in value and len(value) < 1000:
            named.append(value + "/bin/java")
        elif ":" in value and len(value) < 10000:
            named.extend(folder + "/java" for folder in value.split(":") if folder.startswith("/"))
    for pattern in _JAVAS:
        named.extend(files.glob(pattern))
    found = {}  # type: Dict[str, bool]
    for name in named:
        if not name.startswith("/") or not is_java(name):
            continue
        try:
            real = files.canonical(name)
            if files.head(real, 4) == b"\x7fELF":
                found[real] = True
        except OSError:
            continue
    return iter(list(found)[:_LIMIT_JAVAS])


# -- what is seen -----------------------------------------------------------------------------------


def _watched(world: World, service: str, programs: Sequence[str], seconds: float, files: HostFiles) -> Seen:  # noqa: C901 -- one loop over time, whose order is what it proves
    """Look at every ``java`` that is started, until the service has ended."""
    starts, others = [], 0  # type: List[Start], int
    known = {}  # type: Dict[Tuple[int, int], bool]
    began = time.monotonic()
    until, quiet = began + seconds, None  # type: float, Optional[float]
    while time.monotonic() < until and limits.left() > 0:
        busy = False
        for number, cgroup in list(itertools.islice(world.processes(), TASKS + 1)):
            if world.excess:
                return Seen(tuple(starts), others, None, world.excess)
            busy = busy or not re.search(r"/world(?:/init\.scope|/[^/]*cbops-prove-after[^/]*)?\Z", cgroup)
            try:
                one = number, _proc.started(number)
                if one in known:
                    continue
                argv = _java_of(number)
                if argv is None or _parent(number) in {pid for pid, _ticks in known}:
                    continue  # while it waits our java starts others, which have its words until they have their own
                known[one] = True
                if asks(argv[1:]):
                    continue
                if is_controller(argv, programs):
                    starts.append(_read(number, argv, files))
                else:
                    others += 1
                _release(world, one)
            except (OSError, IndexError, ValueError, KeyError):
                continue  # it ended
        if world.excess:
            return Seen(tuple(starts), others, None, world.excess)
        if len(starts) + others > _LIMIT_STARTS:
            return Seen(tuple(starts), others, None, "java is started again and again")
        ended, state = world.told("ended"), world.told("state")
        if state is not None and "LoadState=loaded" not in state.split():
            return Seen((), others, None, "systemd does not load the unit (%s)" % _word(state, "LoadState"))
        if ended is not None or (state is not None and not busy):
            quiet = quiet or time.monotonic()
            if not busy or time.monotonic() > quiet + _AFTER:
                if ended is None and time.monotonic() < quiet + _AFTER:
                    time.sleep(_POLL)
                    continue
                return Seen(tuple(starts), others, ending(ended or _main(state)), None)
        if not world.alive():
            return Seen(tuple(starts), others, None, None if starts else "the second service manager ended")
        time.sleep(_POLL)
    if world.told("state") is None and not starts and not known and not world.alive():
        return Seen((), others, None, "the second service manager did not come as far as the unit")
    return Seen(tuple(starts), others, None, None if starts else "no JVM was started on a war in %d seconds" % seconds)


def _word(text: str, name: str) -> str:
    match = re.search(r"^%s=([a-z-]{1,20})$" % name, text, re.MULTILINE)
    return match.group(1) if match else "no reason is given"


def _main(state: Optional[str]) -> str:
    """How the first process ended, as :func:`ending` takes it, by what the service manager says of the unit."""
    fields = dict(line.partition("=")[::2] for line in (state or "").splitlines())
    return "%s exited %s" % (fields.get("Result") or "-", fields.get("ExecMainStatus", ""))


def _java_of(number: int) -> Optional[List[str]]:
    """The words of a process if it is a ``java`` of ours, or a real one; None for any other. Raises OSError."""
    argv = _proc.arguments("/proc/%d" % number)
    if len(argv) > 1 and argv[0] == SHELL:
        return argv[1:] if is_java(argv[1]) else None
    if argv and is_java(argv[0]) and is_java(os.readlink("/proc/%d/exe" % number)):
        return argv
    return None


def _parent(number: int) -> int:
    """The process above. Raises OSError, IndexError where it has ended."""
    return int(_proc.stat_of(_proc.read_file("/proc/%d/stat" % number))[1][1])


def _release(world: World, one: Tuple[int, int]) -> None:
    """Let our ``java`` end well; a real one is no longer needed."""
    number, ticks = one
    if _proc.arguments("/proc/%d" % number)[0] == SHELL:
        world.release(int(_proc.status(number)["NSpid"].split()[-1]))
    elif _proc.started(number) == ticks:
        os.kill(number, signal.SIGKILL)


def _read(number: int, argv: List[str], files: HostFiles) -> Start:
    """What a ``java`` was started with. Raises OSError where it has ended."""
    own = "/proc/%d" % number
    data = _proc.read_file(own + "/environ")
    environment = dict(entry.partition("=")[::2] for entry in data.decode("latin-1").split("\0") if "=" in entry)
    seen = _proc.files_of(own, _proc.reader_of(number))
    java = argv[0] if argv[0].startswith("/") else ""
    value = source = reason = None  # type: Optional[str]
    try:
        words = launcher_words(argv, lambda path: _proc.read_for(own, seen, path))
        layers = process_layers(argv, environment, lambda path: _proc.read_for(own, seen, path))
        if _outcome._is_older_than_9(Launch([], {}, True, java or "java"), files):
            layers = [layer for layer in layers if layer[0] != "JDK_JAVA_OPTIONS"]
        _mentions, winner = decide(layers)
        if winner is not None:
            value, source = winner.value, winner.layer
        if command_line(words).main is None:
            reason = "the JVM gets no program"
        if len(data) >= _proc.LIMIT:
            reason = "its environment is too long"
    except Unresolvable as error:
        reason = str(error)
    user = _proc.name_of(int(_proc.status(number)["Uid"].split()[1]))
    return Start(java or argv[0], tuple(argv), environment, user, value, source, reason)

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a running HotSpot JVM itself for the telemetry property: by ``jcmd``, else in HotSpot's own attach protocol.

The work is done by a forked child that has become the JVM's user before it makes its first file, because the
/tmp in which JVM and asker meet belongs to everybody. A JVM is woken by SIGQUIT, which kills what does not
catch it: see :func:`_why_not`. Private to this collection. Runs on the managed host: Python 3.6+, standard
library only.
"""

import errno
import os
import re
import select
import signal
import socket
import stat
import struct
import subprocess
import time
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ..host._child import Late, bounded, unlimited_memory
from ..host._file_systems import hangs
from ..java._jvm import PROPERTY
from ._proc import only_roots, read_file, started, stat_of, status

#: Seconds for one JVM; ``jcmd`` gets the first part of them.
SECONDS = 10.0
_JCMD_PART = 0.6
_LIMIT_ANSWER = 8 << 20
_LIMIT_LINE = 64 << 10  # what is longer is the class path's, or a lie
_LIMIT_VALUE = 1024
#: What ``jcmd`` itself runs with: small, and without a file of its own in /tmp.
_JCMD_OPTIONS = ("-J-Xmx64m", "-J-XX:+UseSerialGC", "-J-XX:TieredStopAtLevel=1", "-J-XX:-UsePerfData")
_PF_EXITING = 4  # include/linux/sched.h; the flags are the ninth field of a thread's stat, see proc(5)
_REQUEST = b"1\0properties\0\0\0\0"  # protocol version, command, three arguments
#: Options with which a JVM does not catch SIGQUIT, or does not answer.
_DEAF = re.compile(r"-Xrs|-XX:\+(?:ReduceSignalUsage|DisableAttachMechanism)|-XX:Flags=.*")


class Answer(NamedTuple):
    """What a JVM said of the property."""

    proof: Optional[str]  # jcmd | attach; None where there is no answer
    value: Optional[str]  # of the property; None: not set
    reason: Optional[str]  # why there is no answer
    silent: bool  # it was asked and did not answer, or it ended: then nothing is known of it
    more: Dict[str, Optional[str]] = {}  # of other properties that were asked for
    threads: Sequence[int] = []  # with a client of Segment's: the analytics plugin's, and others'; empty: not counted
    uncounted: Optional[str] = None  # why they are not


NOT_ASKED = Answer(None, None, None, False)


class _NotAsked(Exception):
    """The JVM was left alone; says why."""


class _Silent(Exception):
    """The JVM was asked, and there is no answer; says why."""


class _Target(NamedTuple):
    """A process, and the open folders through which it is met (they end with the child)."""

    pid: int
    started: int  # clock ticks since boot
    inner_pid: int  # in its own namespace
    uid: int
    gid: int
    groups: Tuple[int, ...]
    options: Optional[Tuple[str, ...]]  # of the JVM, from all layers; None: not known
    exe: Optional[str]  # where it shares our root, process ids and /tmp, so that jcmd can meet it
    tmp: int
    cwd: Optional[int]
    handle: Optional[int]  # pidfd


def ask(
    pid: int,
    start: int,
    options: Optional[Sequence[str]],
    seconds: float = SECONDS,
    names: Sequence[str] = (),
    threads: bool = False,
) -> Answer:
    """Ask the JVM ``pid`` that started at ``start`` (see :func:`started`) for the property, and for ``names``.

    ``options`` are those that the JVM got, from all layers; None where they are not known, and then it gets no
    signal. Ends within about ``seconds``. Never raises for what the process or its surroundings do.
    """
    deadline = time.monotonic() + seconds
    if threads:  # the child becomes another user, who may not read where this is imported from
        from . import _threads  # noqa: F401
    try:
        return Answer(*bounded(lambda: _ask(pid, start, options, deadline, names, threads), seconds))
    except Late as error:
        return Answer(None, None, "no answer (%s)" % error, True)


def _ask(
    pid: int, start: int, options: Optional[Sequence[str]], deadline: float, names: Sequence[str], threads: bool
) -> Answer:
    """In the child: of what happens here, only a short answer gets out."""
    try:
        target = _target(pid, start, options)
        _become(target)
        answer, found = _asked(target, deadline)
        answer = answer._replace(more={name: _value(found, name) for name in names})
        return _with_threads(answer, target, deadline) if threads else answer
    except _NotAsked as error:
        return Answer(None, None, str(error), False)
    except _Silent as error:
        return Answer(None, None, str(error), True)
    except OSError as error:
        if not _lives(pid, start):
            return Answer(None, None, "it ended while it was asked", True)
        return Answer(None, None, "it cannot be asked (%s)" % error.strerror, False)


def _lives(pid: int, start: int, proc: str = "/proc") -> bool:
    """Whether it runs. What ends closes its sockets first and is there a moment longer: an answer may be half then."""
    try:
        return started(pid, proc) == start and any(
            not _is_ending("%s/%d/task/%s/stat" % (proc, pid, task)) for task in os.listdir("%s/%d/task" % (proc, pid))
        )
    except (OSError, IndexError, ValueError):
        return False


def _is_ending(path: str) -> bool:
    """Whether the kernel has begun to end a thread."""
    try:
        return bool(int(stat_of(read_file(path))[1][6]) & _PF_EXITING)
    except (FileNotFoundError, ProcessLookupError):
        return True  # it has ended; another thread may be alive


# -- whom to ask, and whether -----------------------------------------------------------------------


def _target(pid: int, start: int, options: Optional[Sequence[str]]) -> _Target:
    if os.readlink("/proc/self") != str(os.getpid()):
        raise _NotAsked("/proc here shows the process ids of another namespace")
    lines = status(pid)
    uid, gid = int(lines["Uid"].split()[1]), int(lines["Gid"].split()[1])
    if os.geteuid() not in (0, uid) or os.geteuid() != 0 and os.getegid() != gid:
        raise _NotAsked("only root and its own user and group may attach to it; run with become")
    root = os.open("/proc/%d/root" % pid, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        tmp = os.open("tmp", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=root)
    except OSError as error:
        raise _NotAsked("its /tmp cannot be opened, or is a link (%s)" % error.strerror)
    here = os.readlink("/proc/%d/cwd" % pid)
    if hangs(pid, here, lambda: os.stat("/proc/%d/cwd/.attach_pid%d" % (pid, pid))):
        # The JVM itself would look there, and hang with it.
        raise _NotAsked("its working directory %s is on a file system that does not answer" % here)
    try:
        cwd: Optional[int] = os.open("/proc/%d/cwd" % pid, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        cwd = None
    handle: Optional[int] = None
    if hasattr(os, "pidfd_open"):
        try:
            handle = os.pidfd_open(pid)
        except OSError:
            handle = None  # an old kernel
    _check_hotspot(pid)
    inner = int(lines.get("NSpid", str(pid)).split()[-1])
    groups = tuple(int(group) for group in lines.get("Groups", "").split())
    return _Target(
        pid,
        start,
        inner,
        uid,
        gid,
        groups,
        None if options is None else tuple(options),
        _shared_exe(pid, tmp),
        tmp,
        cwd,
        handle,
    )


def _shared_exe(pid: int, tmp: int) -> Optional[str]:
    """The program of a process that sees the same root, process ids and /tmp as we do, else None."""

    def same(one: os.stat_result, other: os.stat_result) -> bool:
        return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)

    own = "/proc/%d/" % pid
    if (
        same(os.stat(own + "root"), os.stat("/"))
        and same(os.fstat(tmp), os.stat("/tmp"))
        and os.readlink(own + "ns/pid") == os.readlink("/proc/self/ns/pid")
    ):
        return re.sub(r" \(deleted\)\Z", "", os.readlink(own + "exe"))
    return None


def _check_hotspot(pid: int) -> None:
    names = set()
    with open("/proc/%d/maps" % pid, encoding="utf-8", errors="surrogateescape") as stream:
        for line in stream:
            names.add(re.sub(r" \(deleted\)\Z", "", line.rstrip("\n")).rsplit("/", 1)[-1])
    if any(name.startswith("libj9") for name in names):
        raise _NotAsked("it is an OpenJ9 JVM, which has no HotSpot attach protocol")
    if "libjvm.so" not in names:
        raise _NotAsked("it is no HotSpot JVM: no libjvm.so is mapped")


def _why_not(target: _Target) -> Optional[str]:
    """Why SIGQUIT must not be sent to a process; None where it is known to be safe."""
    if target.options is None:
        return "not all of its options are known, so it gets no SIGQUIT"
    for word in target.options:
        if _DEAF.fullmatch(word):
            return "it runs with %s" % (word if not word.startswith("-XX:Flags=") else "options from an -XX:Flags file")
    if not int(status(target.pid)["SigCgt"], 16) >> (signal.SIGQUIT - 1) & 1:
        return "it does not catch SIGQUIT"
    return None


def _check_runs(target: _Target) -> None:
    if not _lives(target.pid, target.started):
        raise _Silent("it ended while it was asked")
    if status(target.pid)["State"][:1] in "Tt":
        # Nothing is sent: the signal would wait, and make it write a thread dump when it is woken.
        raise _Silent("it is stopped, so it cannot answer")


# -- the child -------------------------------------------------------------------------------------


def _become(target: _Target) -> None:
    if os.geteuid() == 0:
        try:
            os.setgroups(target.groups)
            os.setresgid(target.gid, target.gid, target.gid)
            os.setresuid(target.uid, target.uid, target.uid)
        except OSError as error:
            raise _NotAsked("we cannot become its user (%s)" % error.strerror)
    os.umask(0o077)


def _asked(target: _Target, deadline: float) -> Tuple[Answer, Dict[str, str]]:
    _check_runs(target)
    hindrance = _why_not(target)
    first: Optional[str] = None
    jcmd = _jcmd_of(target) if hindrance is None else None
    if jcmd is not None:
        now = time.monotonic()
        try:
            found = parse_properties(_run_jcmd(jcmd, target, now + (deadline - now) * _JCMD_PART))
            _check_runs(target)
            return Answer("jcmd", _value(found), None, False), found
        except _Silent as error:
            first = str(error)
    try:
        found = parse_properties(_converse(target, deadline, hindrance))
        _check_runs(target)
        return Answer("attach", _value(found), None, False), found
    except _Silent as error:
        raise _Silent("%s; %s" % (first, error) if first else str(error))


def _with_threads(answer: Answer, target: _Target, deadline: float) -> Answer:
    """With the threads counted that are in a client of Segment's."""
    from ._threads import REQUEST, count

    try:
        return answer._replace(threads=count(_converse(target, deadline, _why_not(target), REQUEST)))
    except (_NotAsked, _Silent) as error:
        return answer._replace(uncounted=str(error))
    except OSError as error:
        return answer._replace(uncounted="it cannot be asked (%s)" % error.strerror)


def _value(properties: Dict[str, str], name: str = PROPERTY) -> Optional[str]:
    if "java.vm.name" not in properties:
        raise _Silent("its answer holds no Java properties")
    value = properties.get(name)
    return None if value is None else value[:_LIMIT_VALUE]


# -- jcmd -------------------------------------------------------------------------------------------


def _jcmd_of(target: _Target) -> Optional[str]:
    """A jcmd beside the JVM's own program, else in PATH, that only root can have put there."""
    if target.exe is None:
        return None
    folder = os.path.dirname(target.exe)
    candidates = [folder, folder + "/../../bin"] + os.get_exec_path()
    for place in candidates:
        path = os.path.realpath(place + "/jcmd")
        if place.startswith("/") and os.path.basename(path) == "jcmd" and only_roots(path):
            return path
    return None


def _run_jcmd(jcmd: str, target: _Target, deadline: float) -> bytes:
    trace = _Trace(target)
    unlimited_memory()
    try:
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function
            [jcmd] + list(_JCMD_OPTIONS) + [str(target.pid), "VM.system_properties"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
            start_new_session=True,
            preexec_fn=lambda: signal.alarm(int(SECONDS) + 5),
        )
        try:
            pipe = process.stdout.fileno()  # type: ignore[union-attr]
            output = _read_to_end(pipe, deadline, lambda: os.read(pipe, 1 << 16))
            if process.wait(max(0.1, deadline - time.monotonic())) != 0:
                raise _Silent("jcmd had no answer from it")
            return output
        except subprocess.TimeoutExpired:
            raise _Silent("jcmd had no answer from it in time")
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    except OSError as error:
        raise _Silent("jcmd cannot be run (%s)" % error.strerror)
    finally:
        trace.remove()


class _Trace:
    """The trigger files of a jcmd that had to be ended: what was not there before it is taken away."""

    def __init__(self, target: _Target) -> None:
        self.name = ".attach_pid%d" % target.inner_pid
        self.folders = [
            folder for folder in (target.tmp, target.cwd) if folder is not None and _entry(folder, self.name) is None
        ]

    def remove(self) -> None:
        """Remove it where it is a file of ours."""
        for folder in self.folders:
            entry = _entry(folder, self.name)
            if entry is not None and stat.S_ISREG(entry.st_mode) and entry.st_uid == os.geteuid():
                _unlink(folder, self.name)


# -- the attach protocol ----------------------------------------------------------------------------


def _converse(target: _Target, deadline: float, hindrance: Optional[str], request: bytes = _REQUEST) -> bytes:
    """The JVM's answer to a request."""
    connection = _connect(target, deadline)
    if connection is None:
        if hindrance is not None:
            raise _NotAsked(hindrance)
        connection = _wake(target, deadline)
    try:
        connection.settimeout(max(0.01, deadline - time.monotonic()))
        connection.sendall(request)
        link = connection
        text = _read_to_end(link.fileno(), deadline, lambda: link.recv(1 << 16))
    except OSError as error:
        raise _Silent("it did not answer (%s)" % (error.strerror or "in time"))
    finally:
        connection.close()
    code, _newline, properties = text.partition(b"\n")
    if code.strip() != b"0":
        raise _Silent("it answered with an error")
    return properties


def _connect(target: _Target, deadline: float) -> Optional[socket.socket]:
    """A connection to the JVM itself, or None where it does not listen. Raises where somebody else stands there."""
    name = ".java_pid%d" % target.inner_pid
    entry = _entry(target.tmp, name)
    if entry is None:
        return None
    if not stat.S_ISSOCK(entry.st_mode) or entry.st_uid != target.uid:
        raise _NotAsked("/tmp/%s is not its socket" % name)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(max(0.01, deadline - time.monotonic()))
        while True:
            try:
                connection.connect("/proc/self/fd/%d/%s" % (target.tmp, name))
                break
            except BlockingIOError:  # a few others ask it just now, and there is no room to wait in
                if time.monotonic() >= deadline:
                    raise _Silent("it did not answer in time")
                time.sleep(0.01)
        # The kernel keeps who called listen(): that must be this very process.
        peer, uid, _gid = struct.unpack(
            "3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        )
        if peer != target.pid or uid != target.uid:
            raise _NotAsked("another process listens on /tmp/%s" % name)
        return connection
    except OSError as error:
        connection.close()
        if error.errno in (errno.ECONNREFUSED, errno.ENOENT):
            return None  # left behind by an earlier process of this number
        raise _Silent("it did not answer (%s)" % (error.strerror or "in time"))
    except BaseException:
        connection.close()
        raise


def _wake(target: _Target, deadline: float) -> socket.socket:
    """Make the JVM listen: a trigger file that is its user's, and SIGQUIT. Returns the connection."""
    folder, made = _trigger(target)
    try:
        # Once more, as near to the signal as can be.
        _check_runs(target)
        hindrance = _why_not(target)
        if hindrance is not None:
            raise _NotAsked(hindrance)
        if target.handle is not None:
            signal.pidfd_send_signal(target.handle, signal.SIGQUIT)
        else:
            os.kill(target.pid, signal.SIGQUIT)
        pause = 0.005
        while time.monotonic() < deadline:
            connection = _connect(target, deadline)
            if connection is not None:
                return connection
            if not _lives(target.pid, target.started):
                raise _Silent("it ended while it was asked")
            time.sleep(pause)
            pause = min(2 * pause, 0.1)
        raise _Silent("it did not answer in time")
    finally:
        if made:
            _unlink(folder, ".attach_pid%d" % target.inner_pid)


def _trigger(target: _Target) -> Tuple[int, bool]:
    """Make ``.attach_pid`` where the JVM looks for it: the folder, and whether we made it."""
    name = ".attach_pid%d" % target.inner_pid
    here = _entry(target.cwd, name) if target.cwd is not None else None
    if here is not None and (not stat.S_ISREG(here.st_mode) or here.st_uid != target.uid):
        # The JVM looks there first, and looks nowhere else where it finds a stranger's.
        raise _NotAsked("%s in its working directory is not its user's" % name)
    reasons = []
    for place, folder in (("/tmp", target.tmp), ("its working directory", target.cwd)):
        if folder is None:
            continue
        try:
            descriptor = os.open(
                name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder
            )
        except FileExistsError:
            entry = _entry(folder, name)
            if entry is not None and stat.S_ISREG(entry.st_mode) and entry.st_uid == target.uid:
                return folder, False  # somebody of its user attaches at this moment, or did not clean up
            reasons.append("%s in %s is not its user's" % (name, place))
            continue
        except OSError as error:
            reasons.append("no file can be made in %s (%s)" % (place, error.strerror))
            continue
        owner = os.fstat(descriptor).st_uid
        os.close(descriptor)
        if owner == target.uid:
            return folder, True
        _unlink(folder, name)
        reasons.append("a file made in %s does not belong to its user" % place)
    raise _NotAsked("; ".join(reasons))


def _entry(folder: int, name: str) -> Optional[os.stat_result]:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _unlink(folder: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except OSError:
        pass  # it is gone


def _read_to_end(descriptor: int, deadline: float, read: Callable[[], bytes]) -> bytes:
    parts: List[bytes] = []
    size = 0
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            raise _Silent("it did not answer in time")
        part = read()
        if not part:
            return b"".join(parts)
        parts.append(part)
        size += len(part)
        if size > _LIMIT_ANSWER:
            raise _Silent("its answer is too long")


# -- what it says -----------------------------------------------------------------------------------

_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.)|\Z)", re.DOTALL)
_CONTROL = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_ENTRY = re.compile(r"((?:[^\\=: \t\f]|\\.)*)[=:]?(.*)\Z", re.DOTALL)  # store() puts no blank around "="


def parse_properties(text: bytes) -> Dict[str, str]:
    """What ``java.util.Properties.store`` wrote: a line each, comments, escapes; Latin-1 with \\uXXXX for the rest."""
    result: Dict[str, str] = {}
    for line in re.split("[\r\n]+", text.decode("latin-1")):
        if not line or line[0] in "#!":
            continue
        entry = _ENTRY.match(line[:_LIMIT_LINE])
        if entry is not None:
            result[_unescape(entry.group(1))] = _unescape(entry.group(2))
    return result


def _unescape(text: str) -> str:
    def one(match: "re.Match[str]") -> str:
        if match.group(1):
            return chr(int(match.group(1), 16))
        return _CONTROL.get(match.group(2) or "", match.group(2) or "")

    return _ESCAPE.sub(one, text)

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A world of its own for one start of a service: this host's files and systemd, and nothing that it does is left.

The host's own systemd is started a second time, as process 1 of new namespaces (processes, mounts, network, IPC, host
name, control groups, users). Every file system of the host lies below an overlay whose upper layer is in memory; /run,
/dev, /proc and /sys are new. The kernel gives a lower layer no way to be written, and the user namespace takes from
root in there every power over the host. A scope of the host's systemd bounds memory, processes and CPU; each process
on the way dies with the one above it. Private to this collection. Runs on the managed host: Python 3.6+, standard
library only.
"""

import errno
import fcntl
import json
import os
import re
import resource
import select
import signal
import socket
import stat
import struct
import threading
import time
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from ..host import _limits as limits
from ..host._child import end
from ..host._file_systems import Silent, look
from ..launch._service_manager import Unavailable, _busctl

#: Where in the world our own files are, and what a ``java`` there is run by: by its name it is known.
OWN = "/.cbops-prove"
SHELL = OWN + "/sh"
#: The first systemd whose scopes have a limit of time.
OLDEST = 244
#: What the world may use: bytes of memory with its file systems, processes with their threads, part of one CPU.
MEMORY = 512 << 20
TASKS = 256
CPU_USEC = 1000000
#: Bytes and files that may be written; of these in OWN.
_SIZE, _FILES = 192 << 20, 20000
#: File systems of a host, files of /run and logs that are looked at.
_LIMIT_MOUNTS = 64
_LIMIT_ENTRIES = 3000
_LIMIT_RUN_FILE, _LIMIT_RUN = 64 << 10, 2 << 20
_LARGE_LOG = 1 << 20
_LIMIT_TOLD = 1024
#: Seconds between two counts of processes and memory, where the kernel does not bound them.
_COUNT = 0.02
_SYSTEMD = ("/usr/lib/systemd/systemd", "/lib/systemd/systemd")
_CGROUPS = "/sys/fs/cgroup"

_NS = {
    "mnt": 0x00020000,
    "cgroup": 0x02000000,
    "uts": 0x04000000,
    "ipc": 0x08000000,
    "user": 0x10000000,
    "pid": 0x20000000,
    "net": 0x40000000,
}
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
_DETACH = 2
_PDEATHSIG = 1
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "ppc64le": 203, "s390x": 217}
#: Kinds of file systems that are made anew, or are none of a service's files.
_KERNELS = frozenset(
    "autofs binfmt_misc bpf cgroup cgroup2 configfs debugfs devpts devtmpfs efivarfs fusectl hugetlbfs mqueue nsfs "
    "proc pstore ramfs rpc_pipefs securityfs selinuxfs sysfs tracefs".split()
)
_NOT_NEEDED = re.compile(
    r"/(?:proc|sys|dev|run|boot|efi|snap|sysroot|var/lib/(?:docker|containers|containerd|kubelet|"
    r"machines|lxc|lxd|lxcfs|snapd|nfs))(?:/|\Z)"
)
#: What of /run belongs to the service manager, to sessions, or says that something runs.
_FOLDERS_NOT_OF_RUN = re.compile(rb"/run/(?:systemd|udev|user|dbus|credentials|docker|containerd|netns)\Z")
_FILES_NOT_OF_RUN = re.compile(rb"/run/(?:lock/|initctl)|\.(?:pid|lock|sock)\Z")
_WRITABLE_OF_PROC = ("sys", "irq", "bus", "fs", "acpi", "scsi", "driver", "tty")
_HIDDEN_OF_PROC = ("sysrq-trigger", "kcore", "kmsg", "mtrr", "keys", "timer_list", "sched_debug", "latency_stats")


try:
    import ctypes
except ImportError:  # a Python of which only the smallest part is installed
    ctypes = None  # type: ignore[assignment]


class Refused(Exception):
    """Nothing was started, because it cannot be done safely or not at all; says why."""


class Place(NamedTuple):
    """A file system of the host, and with which flags it is mounted."""

    path: str
    flags: int
    folder: bool


class Task(NamedTuple):
    """What is started in the world."""

    service: str
    units: Dict[str, str]  # by their place below the folder of units, one character a byte
    javas: Sequence[str]  # real files
    environment: Dict[str, str]  # of the service manager, one character a byte
    logs: Sequence[str]  # folders whose large files are emptied: what is appended to has to be copied first


# -- may it be done here? ---------------------------------------------------------------------------


def version(text: str) -> int:
    """The number that ``systemctl --version`` begins with; 0 where there is none."""
    match = re.match(r"systemd (\d+)", text)
    return int(match.group(1)) if match else 0


def refusal(said: str) -> Optional[str]:
    """Why no world can be made on this host, as far as that is seen without trying; ``said`` is systemd's version."""
    if os.geteuid() != 0:
        return "only root can; run with become"
    if not os.path.isdir("/run/systemd/system"):
        return "no systemd runs here that could be started a second time"
    if version(said) < OLDEST:
        return "systemd is %d, and before %d nothing limits how long a start may take" % (version(said), OLDEST)
    if not os.path.exists(_CGROUPS + "/cgroup.controllers"):
        return "this host has control groups of version 1, in which a second service manager is not kept apart"
    if ctypes is None:
        return "this Python has no ctypes; install all of its standard library"
    if os.uname().machine not in _PIVOT_ROOT:
        return "it was never tried on %s" % os.uname().machine
    for kind in _NS:
        if not os.path.exists("/proc/self/ns/" + kind):
            return "the kernel has no namespaces of the kind %s" % kind
    try:
        with open("/proc/sys/user/max_user_namespaces") as stream:
            if int(stream.read()) < 1:
                return "user namespaces are switched off here (user.max_user_namespaces)"
    except (OSError, ValueError):
        return "whether user namespaces are switched on is not known"
    try:
        with open("/proc/filesystems") as stream:
            if "\toverlay\n" not in stream.read() and not os.path.exists("/lib/modules/%s" % os.uname().release):
                return "the kernel has no overlay file system"
    except OSError:
        pass
    return None


def places() -> Tuple[List[Place], List[str]]:
    """The file systems that the world gets, outer ones first, and which do not answer. Raises :class:`Refused`."""
    found, silent = {}, []  # type: Dict[str, Place], List[str]
    with open("/proc/self/mountinfo", encoding="latin-1") as stream:
        for line in stream:
            fields, _dash, rest = line.partition(" - ")
            words = fields.split(" ")
            path = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), words[4])
            kind = rest.split(" ")[0]
            if kind in _KERNELS or (path != "/" and _NOT_NEEDED.match(path)):
                found.pop(path, None)
                continue
            options = words[5].split(",")
            flags = sum(
                flag for name, flag in (("ro", _RDONLY), ("nosuid", _NOSUID), ("noexec", _NOEXEC)) if name in options
            )
            try:
                folder = _is_folder(path)
            except Silent:
                silent.append(path)
                continue
            except OSError:
                continue
            found[path] = Place(path, flags, folder)
    if len(found) > _LIMIT_MOUNTS:
        raise Refused("this host has more than %d file systems" % _LIMIT_MOUNTS)
    return [found[path] for path in sorted(found)], silent


def _is_folder(path: str) -> bool:
    return bool(look(path, lambda: stat.S_ISDIR(os.stat(path.encode("latin-1")).st_mode)))


# -- the world, from outside ------------------------------------------------------------------------


class World:
    """One that was made; :meth:`close` ends it. Raises :class:`Refused` where it cannot be made."""

    def __init__(self, task: Task, seconds: float) -> None:
        self.silent = []  # type: List[str]
        self._folder = self._scope = ""
        self._own = -1
        self._reaped = False  # then its number may be another's
        #: What there is too much of, where it is not the kernel that says no: then the world was ended in one stroke.
        self.excess = None  # type: Optional[str]
        self._closing = threading.Event()
        self._counter = None  # type: Optional[threading.Thread]
        self._before = os.sched_getscheduler(0), os.sched_getparam(0)
        here, self.silent = places()
        go, self._go = os.pipe()
        said, say = os.pipe()
        parent = os.getpid()
        self._child = os.fork()
        if self._child == 0:
            try:
                os.close(self._go)
                os.close(said)
                _Outer(task, here, seconds, parent, go, say).run()
            finally:
                os._exit(1)
        os.close(go)
        os.close(say)
        try:
            self.leader = self._made(seconds, said)
        except BaseException:
            self.close()
            raise
        finally:
            os.close(said)

    def _made(self, seconds: float, said: int) -> int:
        """Put the child into a scope and let it go on; the world's process 1."""
        self._scope = "cbops-telemetry-prove-%d-%d.scope" % (self._child, int(time.time()))
        properties = (
            ("Description", "s", "Proof of the next start, nothing of which is left"),
            ("PIDs", "au", "1", str(self._child)),
            ("Delegate", "b", "true"),
            ("CollectMode", "s", "inactive-or-failed"),
            ("TasksMax", "t", str(TASKS)),
            ("MemoryMax", "t", str(MEMORY)),
            ("MemorySwapMax", "t", "0"),
            ("CPUQuotaPerSecUSec", "t", str(CPU_USEC)),
            ("CPUWeight", "t", "10"),
            ("IOWeight", "t", "10"),
            ("RuntimeMaxUSec", "t", str(int((seconds + 10) * 1000000))),
            ("DevicePolicy", "s", "closed"),
            ("KillSignal", "i", str(int(signal.SIGKILL))),
            ("TimeoutStopUSec", "t", "2000000"),
        )
        try:
            _busctl(
                [
                    "call",
                    "org.freedesktop.systemd1",
                    "/org/freedesktop/systemd1",
                    "org.freedesktop.systemd1.Manager",
                    "StartTransientUnit",
                    "ssa(sv)a(sa(sv))",
                    self._scope,
                    "fail",
                    str(len(properties)),
                ]
                + [word for one in properties for word in one]
                + ["0"]
            )
        except Unavailable as error:
            raise Refused("no scope could be made that bounds it: %s" % error)
        until = time.monotonic() + 5
        while not self._folder:
            with open("/proc/%d/cgroup" % self._child) as stream:
                path = next((line.strip()[3:] for line in stream if line.startswith("0::")), "")
            if path.endswith("/" + self._scope):
                self._folder = _CGROUPS + path
            elif time.monotonic() > until:
                raise Refused("the scope that bounds it was not there in time")
            else:
                time.sleep(0.01)
        _bounded_by(self._folder)
        if not all(os.path.exists(self._folder + name) for name in ("/memory.max", "/pids.max")):
            self._first()
            self._counter = threading.Thread(target=self._count, daemon=True)
            self._counter.start()
        os.write(self._go, b"g")
        answer = _line(said, seconds)
        if "leader" not in answer:
            raise Refused(str(answer.get("refused", "it was not ready in time")))
        leader = int(answer["leader"])
        rest = _line(said, seconds)  # empty once systemd runs
        if rest:
            raise Refused(str(rest.get("refused")))
        self._own = os.open("/proc/%d/root%s" % (leader, OWN), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        return leader

    def processes(self) -> Iterator[Tuple[int, str]]:
        """Number and control group (below the world's own) of each process in the world."""
        for folder, _folders, _files in os.walk(self._folder):
            try:
                with open(folder + "/cgroup.procs") as stream:
                    numbers = stream.read().split()
            except OSError:
                continue
            for number in numbers:
                yield int(number), folder[len(self._folder) :]

    def _first(self) -> None:
        """Whoever counts comes before those who are counted, however many there are. Raises :class:`Refused`."""
        try:
            os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
        except OSError:
            raise Refused("nothing bounds its processes here, and they cannot be counted in time")

    def _count(self) -> None:
        """In a thread of its own: what is looked at besides (the words of a process) may have to wait for it."""
        self._first()
        while self.excess is None and not self._closing.wait(_COUNT):
            numbers = [number for number, _cgroup in self.processes()]
            pages = 0
            for number in numbers if len(numbers) <= TASKS else ():
                try:
                    with open("/proc/%d/statm" % number) as stream:
                        fields = stream.read().split()
                    pages += int(fields[1]) - int(fields[2])
                except (OSError, ValueError, IndexError):
                    continue  # it ended
            if len(numbers) > TASKS:
                self.excess = "more than %d processes were started" % TASKS
            elif pages * resource.getpagesize() > MEMORY:
                self.excess = "more than %d bytes of memory were taken" % MEMORY
        if self.excess:
            self._kill()

    def alive(self) -> bool:
        """Whether the process is there without which all of it ends."""
        try:
            self._reaped = self._reaped or os.waitpid(self._child, os.WNOHANG)[0] != 0
        except ChildProcessError:
            self._reaped = True
        return not self._reaped

    def told(self, name: str) -> Optional[str]:
        """What stands in a file that is written in the world; None where it is not there."""
        try:
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=self._own)
        except OSError:
            return None
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            return os.read(descriptor, _LIMIT_TOLD).decode("latin-1")
        except OSError:
            return None
        finally:
            os.close(descriptor)

    def release(self, number: int) -> None:
        """Let a ``java`` end that was looked at, by its number in the world."""
        try:
            os.close(
                os.open(
                    "seen.%d" % number, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o644, dir_fd=self._own
                )
            )
        except OSError:
            pass  # somebody in there was quicker: then the time limit ends it

    def close(self) -> None:
        """End it, and see that nothing is left."""
        if self._own >= 0:
            os.close(self._own)
        os.close(self._go)
        self._closing.set()
        self._kill()
        if self.alive():
            end(self._child, 0, False)
        until = time.monotonic() + 3
        while self._folder and os.path.isdir(self._folder) and time.monotonic() < until:
            self._kill()
            time.sleep(0.01)
        if self._counter is not None:
            self._counter.join(3)
            os.sched_setscheduler(0, *self._before)

    def _kill(self) -> None:
        """At once, so that none has the time to make another one."""
        if not self._folder:
            return
        try:
            with open(self._folder + "/cgroup.kill", "w") as stream:
                stream.write("1")
        except OSError:  # an older kernel, or nothing is left
            for number, _cgroup in list(self.processes()):
                try:
                    os.kill(number, signal.SIGKILL)
                except OSError:
                    pass


def _bounded_by(folder: str) -> None:
    """Look whether the limits are there; where control groups have none, :meth:`World._count` holds them."""
    for name, most in (("memory.max", MEMORY), ("pids.max", TASKS)):
        try:
            with open("%s/%s" % (folder, name)) as stream:
                value = stream.read().strip()
        except FileNotFoundError:
            continue
        if not value.isdigit() or int(value) > most:
            raise Refused("nothing bounds its processes here: %s is %s" % (name, value[:20]))


def _line(said: int, seconds: float) -> Dict[str, Any]:
    """One line of what the child says; empty at the end of it, or of the time."""
    text, until = b"", time.monotonic() + min(seconds, max(limits.left(), 1))
    while not text.endswith(b"\n"):
        if not select.select([said], [], [], max(0.0, until - time.monotonic()))[0]:
            return {"refused": "it was not ready in %d seconds" % seconds}
        part = os.read(said, 1)
        if not part:
            return {}
        text += part
    return json.loads(text.decode("ascii"))  # type: ignore[no-any-return]


# -- the world, from inside -------------------------------------------------------------------------


def _checked(result: int, what: str) -> None:
    if result != 0:
        raise Refused("%s: %s" % (what, os.strerror(ctypes.get_errno())))


class _Kernel:
    """System calls that Python has no names for."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)

    def unshare(self, *kinds: str) -> None:
        """New namespaces of these kinds."""
        flags = sum(_NS[kind] for kind in kinds)
        _checked(self._libc.unshare(ctypes.c_int(flags)), "namespaces (%s) cannot be made" % ", ".join(kinds))

    def mount(self, source: str, target: str, kind: str, flags: int, data: str = "") -> None:
        """mount(2)."""
        _checked(
            self._libc.mount(
                source.encode("latin-1"),
                target.encode("latin-1"),
                kind.encode(),
                ctypes.c_ulong(flags),
                data.encode("latin-1"),
            ),
            "%s cannot be mounted as %s" % (target, kind or "it should be"),
        )

    def bind(self, source: str, target: str, flags: int) -> None:
        """A place shown at another one, with flags."""
        self.mount(source, target, "", _BIND)
        self.mount("", target, "", _BIND | _REMOUNT | flags)

    def pivot_root(self, folder: str) -> None:
        """A folder becomes the root, and the old one is gone."""
        os.chdir(folder.encode("latin-1"))
        number = _PIVOT_ROOT[os.uname().machine]
        _checked(self._libc.syscall(ctypes.c_long(number), b".", b"."), "the root cannot be changed")
        _checked(self._libc.umount2(b".", ctypes.c_int(_DETACH)), "the old root cannot be left")
        os.chdir("/")

    def die_with_parent(self) -> None:
        """The kernel kills us where the process above ends."""
        _checked(self._libc.prctl(_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0), "it would outlive us")


class _Outer:
    """The child that waits, and the one that becomes the world's process 1."""

    def __init__(self, task: Task, here: Sequence[Place], seconds: float, parent: int, go: int, say: int) -> None:
        self._task, self._here, self._seconds, self._parent = task, here, seconds, parent
        self._go, self._say = go, say
        self._kernel = _Kernel()

    def run(self) -> None:
        """Never returns."""
        try:
            self._wait()
        except Refused as error:
            self._tell({"refused": str(error)})
        except BaseException as error:
            self._tell({"refused": "it failed with %s" % type(error).__name__})  # no text: it could quote a file
        finally:
            os._exit(0)

    def _tell(self, what: Dict[str, Any]) -> None:
        try:
            os.write(self._say, json.dumps(what).encode("ascii") + b"\n")
        except OSError:
            pass  # nobody listens any more

    def _wait(self) -> None:
        self._kernel.die_with_parent()
        if os.getppid() != self._parent or os.read(self._go, 1) != b"g":
            return
        limits.Budget.tell = None
        for number in range(1, signal.NSIG):
            if number not in (signal.SIGKILL, signal.SIGSTOP):
                try:
                    signal.signal(number, signal.SIG_DFL)
                except (OSError, ValueError):
                    pass  # the C library's own
        signal.alarm(int(self._seconds) + 5)
        with open("/proc/self/cgroup") as stream:
            folder = _CGROUPS + next(line.strip()[3:] for line in stream if line.startswith("0::")) + "/world"
        os.mkdir(folder)
        with open(folder + "/cgroup.procs", "w") as stream:
            stream.write(str(os.getpid()))
        _as_from_the_service_manager()
        self._kernel.unshare("pid")
        asked, ask = os.pipe()
        answer, answered = os.pipe()
        inner = os.fork()
        if inner == 0:
            signal.alarm(0)
            try:
                self._become(ask, answer)
            except Refused as error:
                self._tell({"refused": str(error)})
            except BaseException as error:
                self._tell({"refused": "it failed with %s" % type(error).__name__})
            finally:
                os._exit(0)
        os.close(ask)
        os.close(answer)
        self._tell({"leader": inner})
        if os.read(asked, 1) == b"u":
            # Everybody is who he is outside, so that files keep their owners; only the powers end here.
            for name in ("uid_map", "gid_map"):
                with open("/proc/%d/%s" % (inner, name), "w") as stream:
                    stream.write("0 0 4294967295\n")
            os.write(answered, b"m")
        os.close(self._say)
        os.waitpid(inner, 0)

    def _become(self, ask: int, answer: int) -> None:
        kernel = self._kernel
        kernel.die_with_parent()
        kernel.unshare("mnt", "net", "ipc", "uts", "cgroup")
        _loopback()
        _mount_all(kernel, self._here)
        kernel.pivot_root("/run/root")
        _furnish(self._task)
        kernel.unshare("user", "mnt")
        os.write(ask, b"u")
        if os.read(answer, 1) != b"m":
            raise Refused("its users could not be kept apart")
        kernel.die_with_parent()  # new powers took that back
        nothing = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(nothing, standard)
        os.setsid()
        program = next((path for path in _SYSTEMD if os.path.exists(path)), None)
        if program is None:
            raise Refused("systemd's own program was not found")
        none = OWN + "/none"
        os.execve(
            program,
            [program, "--system", "--unit=cbops-prove.target", "--log-target=null", "--show-status=0"],
            {
                "container": "cbops",
                "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "SYSTEMD_UNIT_PATH": OWN + "/units",
                "SYSTEMD_GENERATOR_PATH": none,
                "SYSTEMD_ENVIRONMENT_GENERATOR_PATH": none,
            },
        )


def _as_from_the_service_manager() -> None:
    """Nothing of the session that we run in is handed on: limits, groups, priority, umask."""
    os.setgroups([])
    os.umask(0o022)
    os.nice(10)
    for kind in range(12):  # those behind are about real time and priority
        try:
            soft, hard = resource.getrlimit(kind)
            most = 1 << 20 if kind == resource.RLIMIT_NOFILE else resource.RLIM_INFINITY
            soft = 1024 if kind == resource.RLIMIT_NOFILE else most
            if kind == resource.RLIMIT_STACK:
                soft = 8 << 20
            if kind == resource.RLIMIT_CORE:
                soft = 0
            resource.setrlimit(kind, (soft, most))
        except (OSError, ValueError):
            pass
    try:
        with open("/proc/self/oom_score_adj", "w") as stream:
            stream.write("1000")
    except OSError:
        pass


def _loopback() -> None:
    """127.0.0.1 is there, and nothing else."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        fcntl.ioctl(one, 0x8914, struct.pack("16sh14x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP


def _mount_all(kernel: _Kernel, here: Sequence[Place]) -> None:
    """Put the world together at /run/root. The scratch layer lies over /run, of which nothing is needed any more."""
    likeness = list(_likeness_of_run())
    kernel.mount("", "/", "", _REC | _PRIVATE)
    kernel.mount("tmpfs", "/run", "tmpfs", _NOSUID | _NODEV, "size=%d,nr_inodes=%d,mode=755" % (_SIZE, _FILES))
    root = "/run/root"
    os.mkdir(root)
    for number, place in enumerate(here):
        target = (root + place.path).rstrip("/")
        if not place.folder:
            try:
                kernel.bind(place.path, target, place.flags | _RDONLY | _NODEV)
            except Refused:
                pass  # it is gone, or what it lies on
            continue
        _overlay(kernel, place, target, number)
    kernel.mount("proc", root + "/proc", "proc", _NOSUID | _NODEV | _NOEXEC)
    kernel.mount("sysfs", root + "/sys", "sysfs", _NOSUID | _NODEV | _NOEXEC | _RDONLY)
    kernel.mount("cgroup2", root + _CGROUPS, "cgroup2", _NOSUID | _NODEV | _NOEXEC)
    kernel.mount("tmpfs", root + "/dev", "tmpfs", _NOSUID, "size=1m,mode=755")
    kernel.mount("tmpfs", root + "/run", "tmpfs", _NOSUID | _NODEV, "size=%d,nr_inodes=5000,mode=755" % (16 << 20))
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        os.close(os.open("%s/dev/%s" % (root, name), os.O_CREAT | os.O_WRONLY, 0o666))
        kernel.mount("/dev/" + name, "%s/dev/%s" % (root, name), "", _BIND)
    for name in ("pts", "shm"):
        os.mkdir("%s/dev/%s" % (root, name))
    kernel.mount("devpts", root + "/dev/pts", "devpts", _NOSUID | _NOEXEC, "newinstance,ptmxmode=0666,mode=620")
    kernel.mount("tmpfs", root + "/dev/shm", "tmpfs", _NOSUID | _NODEV, "size=16m,mode=1777")
    for link, target in (
        ("ptmx", "pts/ptmx"),
        ("fd", "/proc/self/fd"),
        ("stdin", "fd/0"),
        ("stdout", "fd/1"),
        ("stderr", "fd/2"),
    ):
        os.symlink(target, "%s/dev/%s" % (root, link))
    for name in _WRITABLE_OF_PROC:
        path = "%s/proc/%s" % (root, name)
        if os.path.exists(path):
            kernel.bind(path, path, _NOSUID | _NODEV | _NOEXEC | _RDONLY)
    for name in _HIDDEN_OF_PROC:
        path = "%s/proc/%s" % (root, name)
        if os.path.exists(path):
            kernel.mount("/dev/null", path, "", _BIND)
    for name_of_run, data, entry in likeness:
        place_of_run = root.encode() + name_of_run
        try:
            if data is None:
                os.mkdir(place_of_run, stat.S_IMODE(entry.st_mode))
            else:
                with open(place_of_run, "xb") as file:
                    file.write(data)
            os.chown(place_of_run, entry.st_uid, entry.st_gid)
            os.chmod(place_of_run, stat.S_IMODE(entry.st_mode))
        except OSError:
            continue
    os.mkdir(root + OWN)
    kernel.mount("tmpfs", root + OWN, "tmpfs", _NOSUID | _NODEV, "size=%d,nr_inodes=2000,mode=755" % (8 << 20))


def _overlay(kernel: _Kernel, place: Place, target: str, number: int) -> None:
    """A file system of the host, with what is written to it in memory."""
    upper, work = "/run/u%d" % number, "/run/w%d" % number
    entry = os.stat(place.path.encode("latin-1"))
    os.mkdir(upper)
    os.mkdir(work)
    os.chown(upper, entry.st_uid, entry.st_gid)
    os.chmod(upper, stat.S_IMODE(entry.st_mode))
    lower = re.sub(r"([\\:,])", r"\\\1", place.path)
    data = "lowerdir=%s,upperdir=%s,workdir=%s" % (lower, upper, work)
    problem = None
    for more in (",metacopy=on", ""):  # a chown of a large file is then no copy of it
        try:
            kernel.mount("overlay", target or "/", "overlay", place.flags | _NODEV, data + more)
            return
        except Refused as error:
            problem = error
    if place.path == "/":
        raise Refused("no overlay of the root's file system can be made (%s)" % problem)
    try:
        kernel.bind(place.path, target, place.flags | _NODEV | _RDONLY)
    except Refused:
        if os.path.lexists(target):
            raise


def _likeness_of_run() -> Iterator[Tuple[bytes, Optional[bytes], os.stat_result]]:
    """Folders and small files of /run, with their content; nothing that says that something runs."""
    count, size = 0, 0
    for folder, folders, files in os.walk(b"/run"):
        folders[:] = [name for name in folders if not _FOLDERS_NOT_OF_RUN.match(folder + b"/" + name)]
        for name in folders + files:
            path = folder + b"/" + name
            count += 1
            if count > _LIMIT_ENTRIES:
                return
            try:
                entry = os.lstat(path)
                if stat.S_ISDIR(entry.st_mode):
                    if not os.path.ismount(path):
                        yield path, None, entry
                elif (
                    stat.S_ISREG(entry.st_mode)
                    and entry.st_size <= _LIMIT_RUN_FILE
                    and size < _LIMIT_RUN
                    and not _FILES_NOT_OF_RUN.search(path)
                ):
                    size += entry.st_size
                    with open(path, "rb") as stream:
                        yield path, stream.read(_LIMIT_RUN_FILE), entry
            except OSError:
                continue


def _furnish(task: Task) -> None:
    """In the new root: what is started, and a ``java`` that only waits to be looked at."""
    for folder in ("units", "none"):
        os.mkdir("%s/%s" % (OWN, folder))
    os.symlink("/bin/sh", SHELL)
    _write(
        OWN + "/tell",
        'echo "$SERVICE_RESULT $EXIT_CODE $EXIT_STATUS" >%s/ended.new\n'
        "/bin/mv %s/ended.new %s/ended\n" % (OWN, OWN, OWN),
        0o644,
    )
    for name, text in task.units.items():
        path = "%s/units/%s" % (OWN, name)
        if not os.path.isdir(os.path.dirname(path)):
            os.mkdir(os.path.dirname(path))
        _write(path, text, 0o644)
    for number, java in enumerate(task.javas):
        _replace(java, number)
    words = "\n".join(
        'DefaultEnvironment="%s"' % re.sub(r'([\\"])', r"\\\1", "%s=%s" % pair).replace("%", "%%")
        for pair in sorted(task.environment.items())
    )
    folder = "/etc/systemd/system.conf.d"
    os.makedirs(folder, exist_ok=True)
    # Its own limits of time are none of the world's, and hardware is none of its business.
    _write(
        folder + "/zzzz-cbops-prove.conf",
        "[Manager]\nDefaultEnvironment=\n%s\nRuntimeWatchdogSec=0\n"
        "DefaultTimeoutStopSec=2s\nDefaultLimitCORE=0\n" % words,
        0o644,
    )
    for folder in task.logs:
        _empty_large(folder)


def _replace(java: str, number: int) -> None:
    """The launcher of a Java makes room; what asks it for its version still gets the answer."""
    folder, _slash, name = java.rpartition("/")
    real = "%s/.cbops-%d-%s" % (folder, number, name)
    try:
        with open(java.encode("latin-1"), "rb") as stream:
            content = stream.read(_LIMIT_LAUNCHER + 1)
        if len(content) > _LIMIT_LAUNCHER:
            return
        _write(real, content.decode("latin-1"), 0o755)
        _write(java + ".cbops", JAVA % ("'" + real.replace("'", "'\\''") + "'"), 0o755)
        os.rename((java + ".cbops").encode("latin-1"), java.encode("latin-1"))
    except OSError:
        pass  # a real one is seen too, and ended


_LIMIT_LAUNCHER = 4 << 20
#: Only this path decides who is looked at; the words are read from /proc, from outside.
JAVA = (
    "#!"
    + SHELL
    + """
for word do
    case $word in
    -version|--version|-fullversion|-help|--help|-h|-\\?) asks=1 ;;
    -jar|-cp|-classpath|--class-path|-m|--module|@*) starts=1 ;;
    esac
done
if [ "$asks" ] && [ ! "$starts" ]; then exec %s "$@"; fi
until [ -e """
    + OWN
    + """/seen.$$ ]; do /bin/sleep 0.05; done
exit 0
"""
)


def _empty_large(folder: str) -> None:
    count = 0
    for place, _folders, files in os.walk(folder.encode("latin-1")):
        for name in files:
            count += 1
            if count > _LIMIT_ENTRIES:
                return
            path = place + b"/" + name
            try:
                entry = os.lstat(path)
                if stat.S_ISREG(entry.st_mode) and entry.st_size > _LARGE_LOG:
                    os.close(os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW))
            except OSError:
                continue


def _write(path: str, text: str, mode: int) -> None:
    """A new file; whoever wrote the name into a folder of the host wrote it for nobody."""
    name = path.encode("latin-1")
    try:
        os.unlink(name)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
    with open(name, "xb") as stream:
        stream.write(text.encode("latin-1"))
    os.chmod(name, mode)

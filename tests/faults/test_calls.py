"""SIGKILL, and an error, at every system call of a write: the file is the old one or the new one, whole.

By default each call fails once, with one of the errors in turn, and a kill comes after each call that may have changed
something (after one that only looks the disk is as before it). CBOPS_FAULTS=all fails with each error, and kills at
each call.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import select
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from . import writer
from .writer import DEEDS, NEW, OLD, OWN_DROP_IN, files, store

OWN = ("drop-in", "somebody's drop-in")  # deeds with the file that PID 1 reads
NEW_FILES = ("create", "drop-in")
BACK = ("restore", "roll back")
OWNER, GROUP, MODE, NOTE = 1234, 4321, 0o640, b"by hand"
ERRORS = ("EIO", "ENOSPC", "EINTR", "EACCES")
# Calls that cannot fail, or whose failure is one of memory.
NEVER_FAIL = {
    "getppid",
    "geteuid",
    "mmap",
    "munmap",
    "mremap",
    "brk",
    "lseek",
    "getrandom",
    "rt_sigaction",
    "futex",
    "umask",
}
#: Calls that leave every file system as it is. (openat is none of them: it can make a file.)
LOOKS_ONLY = frozenset(
    (
        "access",
        "brk",
        "clock_gettime",
        "clock_nanosleep",
        "close",
        "dup",
        "faccessat",
        "faccessat2",
        "fcntl",
        "fgetxattr",
        "flistxattr",
        "flock",
        "fstat",
        "fstatfs",
        "futex",
        "getdents64",
        "getegid",
        "geteuid",
        "getgid",
        "getpid",
        "getppid",
        "getrandom",
        "getuid",
        "getxattr",
        "ioctl",
        "lgetxattr",
        "llistxattr",
        "lseek",
        "lstat",
        "mmap",
        "mprotect",
        "munmap",
        "newfstatat",
        "pread64",
        "prlimit64",
        "read",
        "readlink",
        "readlinkat",
        "rt_sigaction",
        "rt_sigprocmask",
        "stat",
        "statfs",
        "statx",
        "umask",
    )
)
STRACE = ["strace", "-f", "-s", "0", "-e", "signal=none"]
SECONDS = 60  # for one write, on a machine that has much else to do


class Call(NamedTuple):
    """The how many-th call of a name in the whole program."""

    name: str
    number: int


class Scene:
    """A folder with a launch file of somebody's, and what may be in it after a write that was disturbed."""

    def __init__(self, base: Path, deed: str) -> None:
        self.base = base
        self.deed = deed
        self.etc = base / "etc"

    def make(self) -> None:
        """The state before the write."""
        shutil.rmtree(self.base, ignore_errors=True)
        self.etc.mkdir(parents=True, mode=0o755)
        self.base.chmod(0o755)
        model = self.etc / "model"
        model.write_text("model")
        dress(model)
        (self.etc / "link.d").mkdir()
        (self.etc / "link.d/file").symlink_to("../file")
        if self.deed == "somebody's drop-in":
            self.file.parent.mkdir(mode=0o755)
        if self.before is not None:
            self.file.write_bytes(OLD.encode("latin-1"))
            dress(self.file)
        if self.deed in BACK:
            kept = Path(str(files.replace(str(self.file), OLD, NEW, store(str(self.file)))))
            # Of another second than the one that the deed makes: which name is free must not be chance.
            for path in (kept, Path(f"{kept}.json")):
                path.rename(path.with_name("20200229T120000Z" + path.suffix))

    @property
    def file(self) -> Path:
        """The file that is written."""
        moved = {"move a backup": "file.20200229T120000Z.cbops~"}
        return self.etc / (f"unit.d/{OWN_DROP_IN}" if self.deed in OWN else moved.get(self.deed, "file"))

    @property
    def before(self) -> str | None:
        """Its content before."""
        return {"create": None, "drop-in": None, **dict.fromkeys(BACK, NEW)}.get(self.deed, OLD)

    @property
    def after(self) -> str | None:
        """Its content afterwards."""
        gone = dict.fromkeys(("remove with backup", "move a backup"))
        return {**gone, **dict.fromkeys(BACK, OLD)}.get(self.deed, NEW)

    def check(self) -> str | None:
        """The file is the old or the new one, whole, its owner's and its mode's; every backup is whole, and root's."""
        content = content_of(self.file)
        assert content in (self.before, self.after), f"neither old nor new: {len(content or '')} characters"
        if content is not None:
            if self.deed in NEW_FILES or (self.deed in OWN and content == NEW):
                status = self.file.stat()
                assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (0, 0, 0o644)
            else:
                check_dress(self.file)
        for backup in self.backups():
            assert content_of(backup) in (OLD, NEW), f"{backup.name} is not whole"
        if self.before is not None and content != self.before and self.deed not in ("edit", *OWN):
            assert OLD in [content_of(backup) for backup in self.backups()], "no backup"
        if (self.etc / "unit.d").exists():
            assert stat.S_IMODE((self.etc / "unit.d").stat().st_mode) == 0o755
        assert os.readlink(self.etc / "link.d/file") == "../file"
        return content

    def names(self, suffix: str) -> list[Path]:
        """Files that end so."""
        return [path for path in self.base.rglob("*") if path.name.endswith(suffix)]

    def backups(self) -> list[Path]:
        """Copies that have a record; all is root's alone, and each record is whole and says whose the file was."""
        found = []
        for path in (self.base / "var/lib/cbops-telemetry").rglob("*"):
            status = path.stat()
            assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (0, 0o700 if path.is_dir() else 0o600), path
            if path.suffix == ".json":
                record = json.loads(path.read_text())
                if record["sha256"] is None:
                    continue
                copy = path.with_suffix("")
                assert hashlib.sha256(copy.read_bytes()).hexdigest() == record["sha256"]
                assert (record["uid"], record["gid"], record["mode"]) == (OWNER, GROUP, f"{MODE:04o}")
                model = content_of(self.etc / "model") and os.listxattr(self.etc / "model")
                assert sorted(record["attributes"]) == sorted(model or [])
                found.append(copy)
        return found

    def again(self) -> None:
        """The next run, which nothing disturbs, gets it done and tidies up."""
        DEEDS[self.deed](str(self.etc))
        assert self.check() == self.after
        if self.deed in OWN:
            assert self.file.stat().st_uid == 0
        assert len(self.backups()) <= (2 if self.deed in BACK else 1)


def dress(path: Path) -> None:
    """Somebody's own file."""
    os.chown(path, OWNER, GROUP)
    path.chmod(MODE)
    try:
        os.setxattr(path, "user.note", NOTE)
    except OSError:
        pass  # a file system without them


def check_dress(path: Path) -> None:
    """It still is."""
    status = path.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (OWNER, GROUP, MODE), path.name
    model = path.parent / "model"
    if model.exists():
        assert os.listxattr(path) == os.listxattr(model), path.name


def content_of(path: Path) -> str | None:
    """Latin-1 text, None where there is nothing."""
    try:
        return path.read_bytes().decode("latin-1")
    except FileNotFoundError:
        return None


class Writer:
    """The program that writes, loaded once (see writer.py); one thread's."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", writer.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )

    def ask(self, *words: str) -> int:
        """Have a write begin, in a process that has stopped itself; its number."""
        assert self._process.stdin is not None
        self._process.stdin.write("\t".join(words).encode() + b"\n")
        return self.answer()

    def answer(self) -> int:
        """The next line."""
        assert self._process.stdout is not None
        line = b""
        while not line.endswith(b"\n"):
            assert select.select([self._process.stdout], [], [], SECONDS)[0], "the writer does not come to an end"
            more = self._process.stdout.read(1)
            assert more, "the writer has ended"
            line += more
        return int(line)

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


LOCAL = threading.local()
WRITERS: list[Writer] = []


def own_writer() -> Writer:
    """This thread's."""
    if not hasattr(LOCAL, "writer") or LOCAL.writer not in WRITERS:
        LOCAL.writer = Writer()
        WRITERS.append(LOCAL.writer)
    found: Writer = LOCAL.writer
    return found


def until(what: Callable[[], bool]) -> None:
    """Wait for something that comes at once."""
    deadline = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.0005)


def state(pid: int) -> str:
    """Of a process: T where it has stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def run(scene: Scene, *options: str) -> subprocess.CompletedProcess[str]:
    """One write under strace, from its first call on."""
    made, streams = own_writer(), [scene.base.parent / name for name in ("stdout", "stderr")]
    pid = made.ask(str(scene.etc), scene.deed, *map(str, streams))
    command = [*STRACE, *options, "-p", str(pid)]
    try:
        until(lambda: state(pid) == "T")
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
            assert tracer.stderr is not None
            assert "attached" in tracer.stderr.readline()
            os.kill(pid, signal.SIGCONT)
            status = os.waitstatus_to_exitcode(made.answer())
            tracer.stderr.read()
    except BaseException:
        os.kill(pid, signal.SIGKILL)  # it would hold the machine's lock for ever
        raise
    return subprocess.CompletedProcess(command, status, *(stream.read_text() for stream in streams))


def calls(scene: Scene, *options: str) -> list[Call]:
    """Every system call of the write, by name and number: of two writes, one after the other, that make the same.

    One that waited for the machine, or for a lock that a program before it still held, makes more.
    """
    before: list[Call] = []
    for _ in range(5):
        found = traced(scene, *options)
        if found == before:
            return found
        before = found
    raise AssertionError("no two writes made the same calls")


def traced(scene: Scene, *options: str) -> list[Call]:
    """Every system call of one write."""
    scene.make()
    log = scene.base.parent / "trace"
    done = run(scene, "-o", str(log), *options)
    assert done.returncode == 0, done.stderr + done.stdout
    counts: Counter[str] = Counter()
    result: list[Call] = []
    inside = False
    for name in re.findall(r"^\d+\s+(\w+)\(", log.read_text(), re.M):
        counts[name] += 1
        if name == "getppid":
            inside = not inside
        if inside or name == "getppid":
            result.append(Call(name, counts[name]))
    assert len(result) > 20
    return result


def every(work: list[Call], base: Path, deed: str, one: object) -> None:
    """All of them, two at a time, each in a folder of its own."""

    def thread(number: int) -> None:
        scene = Scene(base / str(number) / "scene", deed)
        scene.base.parent.mkdir(exist_ok=True)
        for call in work[number::2]:
            one(scene, call)  # type: ignore[operator]

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(thread, number) for number in range(2)]:
            done.result()


@pytest.fixture
def base() -> object:
    """A folder of root's on a disk: a link in it may be followed."""
    base = Path("/var/lib/cbops-telemetry-faults")
    shutil.rmtree(base, ignore_errors=True)
    base.mkdir(mode=0o755)
    yield base
    while WRITERS:
        WRITERS.pop().close()
    shutil.rmtree(base, ignore_errors=True)
    for lock in Path("/run").glob("cbops-telemetry-faults*.lock"):
        lock.unlink()


def moments(work: list[Call]) -> list[Call]:
    """Calls at which a kill leaves something that a kill at the one before does not."""
    if os.environ.get("CBOPS_FAULTS") == "all":
        return work
    return [
        call
        for before, call in zip([None, *work], work, strict=False)
        if before is None or before.name not in LOOKS_ONLY
    ]


@pytest.mark.parametrize("deed", DEEDS)
def test_a_kill_at_any_system_call_loses_nothing(base: Path, deed: str, runs: Counter[str]) -> None:
    def kill(scene: Scene, call: Call) -> None:
        scene.make()
        done = run(
            scene,
            "-o",
            "/dev/null",
            "-e",
            f"trace={call.name}",
            "-e",
            f"inject={call.name}:signal=KILL:when={call.number}",
        )
        assert done.returncode == -9, (call, done)
        scene.check()
        scene.again()
        assert not scene.names(files.TEMPORARY_SUFFIX), call
        runs["killed"] += 1

    every(moments(calls(Scene(base / "first", deed))), base, deed, kill)


def test_a_kill_loses_nothing_where_renaming_to_a_free_name_is_not_known(base: Path, runs: Counter[str]) -> None:
    deed = "edit with backup"
    without = ("-e", "inject=renameat2:error=ENOSYS")

    def kill(scene: Scene, call: Call) -> None:
        if call.name == "renameat2":
            return
        scene.make()
        run(
            scene,
            "-o",
            "/dev/null",
            "-e",
            f"trace={call.name},renameat2",
            *without,
            "-e",
            f"inject={call.name}:signal=KILL:when={call.number}",
        )
        scene.check()
        scene.again()
        assert not scene.names(files.TEMPORARY_SUFFIX), call
        runs["killed"] += 1

    every(moments(calls(Scene(base / "first", deed), *without)), base, deed, kill)


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("deed", DEEDS)
def test_an_error_of_any_system_call_loses_nothing(base: Path, deed: str, lasting: bool, runs: Counter[str]) -> None:
    errors = ERRORS[:2] if lasting else ERRORS
    at_once = len(errors) if os.environ.get("CBOPS_FAULTS") == "all" else 1

    def fail(scene: Scene, call: Call) -> None:
        turn = work.index(call)
        for error in [errors[(turn + more) % len(errors)] for more in range(at_once)]:
            scene.make()
            done = run(
                scene,
                "-o",
                "/dev/null",
                "-e",
                f"trace={call.name}",
                "-e",
                f"inject={call.name}:error={error}:when={call.number}{'+' if lasting else ''}",
            )
            content = scene.check()
            said = done.stdout
            assert "Traceback" not in done.stderr, (call, error, done.stderr)
            if done.returncode == 0 and said == "done\n":
                assert content == scene.after, (call, error)
            elif said:
                assert done.returncode == 3, (call, error, done)
                assert ("nothing was changed" in said) == (content == scene.before), (call, error, said)
            if not call.name.startswith(("unlink", "openat", "getdents")):
                assert not scene.names(files.TEMPORARY_SUFFIX), (call, error)
            scene.again()
            assert not scene.names(files.TEMPORARY_SUFFIX), (call, error)
            runs["failed " + error + (" (lasting)" if lasting else "")] += 1

    work = [call for call in calls(Scene(base / "first", deed)) if call.name not in NEVER_FAIL]
    every(work, base, deed, fail)

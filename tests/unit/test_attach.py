"""JVMs are asked themselves: real ones, stopped ones, ones that must not be asked, and a /tmp full of traps."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostroot import FLAG
from jvms import Jvms, Running, jvms, needs_root
from test_old_python import interpreters

from ansible_collections.cbops.telemetry.plugins.module_utils.host._child import bounded
from ansible_collections.cbops.telemetry.plugins.module_utils.running import _attach as attach
from ansible_collections.cbops.telemetry.plugins.module_utils.running import _facts, _proc
from ansible_collections.cbops.telemetry.plugins.module_utils.running import _processes as processes

PROPERTY = attach.PROPERTY
NOBODY = 65534
TMP = Path("/tmp")
COLLECTIONS = Path(__file__).parent.parent.parent / ".build/collections"
OTHER = {"user": NOBODY, "group": NOBODY, "extra_groups": [], "cwd": "/"}


@pytest.fixture(scope="module")
def machine() -> Iterator[Jvms]:
    """Starts JVMs; they end with the module at the latest."""
    with jvms() as started:
        yield started


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Machines that run tests can be slow; who answers, answers at once."""
    monkeypatch.setattr(attach, "SECONDS", 60.0)


@pytest.fixture
def jre_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host without a JDK."""
    monkeypatch.setattr(attach, "_jcmd_of", lambda target: None)


def ask(running: Running, *options: str, seconds: float = 20) -> attach.Answer:
    """Ask, knowing these options of it; whatever happens, no trigger file stays."""
    answer = attach.ask(running.pid, attach.started(running.pid), list(options), seconds)
    assert not (TMP / f".attach_pid{running.pid}").is_file()
    return answer


def examined(running: Running, how: str = "auto") -> _proc.Process:
    """The process as the state document would have it."""
    seen = processes.look(running.pid)
    assert seen is not None
    return _facts.examine(seen, attach=how)


@contextlib.contextmanager
def in_tmp(name: str) -> Iterator[Path]:
    """A name in /tmp that is free again afterwards."""
    path = TMP / name
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


# -- the answer -------------------------------------------------------------------------------------


def test_jcmd(machine: Jvms) -> None:
    path = next((path for path in ("/usr/bin/jcmd", "/usr/local/bin/jcmd") if os.path.exists(path)), None)
    if path is None or not _proc.only_roots(os.path.realpath(path)):
        pytest.skip("no jcmd that belongs to root on this machine (scripts/tools installs one)")
    assert ask(machine.start(FLAG)) == attach.Answer("jcmd", "true", None, False)


@pytest.mark.parametrize(
    "script",
    [
        "exit 1",
        "echo 812:",
        "exec yes",
        "for word; do case $word in [0-9]*) : > /tmp/.attach_pid$word ;; esac; done; exec sleep 60",
    ],
    ids=["refuses", "says nothing", "never ends", "hangs and leaves its trigger behind"],
)
def test_a_jcmd_that_fails_is_no_end(machine: Jvms, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """The JVM is asked in its protocol then; the time that jcmd may take leaves enough for that."""
    program = machine.folder / "jcmd"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(attach, "_jcmd_of", lambda target: str(program))
    assert ask(machine.start(FLAG), seconds=10) == attach.Answer("attach", "true", None, False)


def test_attach_protocol(machine: Jvms, jre_only: None) -> None:
    jvm = machine.start(FLAG)
    for _time in range(2):  # it has to be woken, and it listens already
        assert ask(jvm) == attach.Answer("attach", "true", None, False)
    assert "thread dump" not in jvm.ended()
    assert ask(machine.start()) == attach.Answer("attach", None, None, False)


@pytest.mark.parametrize("python", interpreters() or [sys.executable])
def test_older_pythons_ask_as_well(machine: Jvms, python: str) -> None:
    """They have no handle for a process; its start time is looked at before and after."""
    jvm = machine.start(FLAG)
    program = (
        "import importlib, sys; sys.path.insert(0, sys.argv[1]); sys.dont_write_bytecode = True\n"
        "package = 'ansible_collections.cbops.telemetry.plugins.module_utils'\n"
        "attach = importlib.import_module(package + '.running._attach')\n"
        "attach._jcmd_of = lambda target: None\n"
        "print(attach.ask(int(sys.argv[2]), attach.started(int(sys.argv[2])), []))"
    )
    done = subprocess.run(
        [python, "-I", "-c", program, str(COLLECTIONS), str(jvm.pid)], capture_output=True, text=True, check=False
    )
    assert "Answer(proof='attach', value='true'" in done.stdout, done.stderr


def test_only_the_property_leaves_the_child(machine: Jvms, jre_only: None) -> None:
    jvm = machine.start("-Djavax.net.ssl.keyStorePassword=s3cr3t", FLAG, war=True)
    assert "s3cr3t" not in repr(examined(jvm)._replace(war=""))
    assert "s3cr3t" not in repr(ask(jvm))


@pytest.mark.parametrize("value", ["a\nb", "ü€😀\u2028x", " lead", "a\\u0041\\", "a=b:c#d!", "\t\r\f"])
def test_values_arrive_as_they_are(machine: Jvms, jre_only: None, value: str) -> None:
    said = ask(machine.start(f"-D{PROPERTY}={value}")).value
    assert said is not None
    assert said.encode("utf-16", "surrogatepass").decode("utf-16") == value


@pytest.mark.parametrize("trap", [f"x\n{PROPERTY}=true", f"x\r\n{PROPERTY}=true\r\n", f"x\\\n{PROPERTY}=true"])
def test_a_value_cannot_pretend_to_be_a_line(machine: Jvms, jre_only: None, trap: str) -> None:
    assert ask(machine.start(f"-Da.b={trap}", f"-D{trap}=1")).value is None


def test_dumps_that_store_writes() -> None:
    dump = b"#comment\n!c\nkey\\ with\\=\\:x=\\u00fc\\tb\\\\\nempty=\nback\\\\=1\n"
    assert attach.parse_properties(b"812:\n" + dump) == {"812": "", "key with=:x": "ü\tb\\", "empty": "", "back\\": "1"}


# -- against the weaker proof -----------------------------------------------------------------------


def both(jvm: Running) -> list[tuple[str, str | None, str | None]]:
    """State, source and proof: asked, and read."""
    return [(found.state, found.source, found.proof) for found in (examined(jvm), examined(jvm, "never"))]


def test_java_options_beat_the_command_line(machine: Jvms, jre_only: None) -> None:
    jvm = machine.start(FLAG, environment={"_JAVA_OPTIONS": FLAG.replace("true", "false")}, war=True)
    assert both(jvm) == [("enabled", "_JAVA_OPTIONS", "attach"), ("enabled", "_JAVA_OPTIONS", "cmdline+environ")]


def test_only_the_jvm_knows_what_was_set_inside_it(machine: Jvms, jre_only: None) -> None:
    jvm = machine.start(war=True)
    assert both(jvm) == [("enabled", None, "attach"), ("enabled", None, "cmdline+environ")]
    jvm.set(PROPERTY, "true")
    assert both(jvm) == [("disabled", "set inside the JVM", "attach"), ("enabled", None, "cmdline+environ")]
    assert examined(jvm, "never").reason == "the JVM was not asked (attach is never)"
    assert "thread dump" not in jvm.ended()


def test_the_time_of_a_host_is_bounded(machine: Jvms, jre_only: None) -> None:
    jvm = machine.start(FLAG, war=True)
    seen = processes.look(jvm.pid)
    assert seen is not None
    found = _facts.examine(seen, deadline=0)
    assert (found.state, found.proof) == ("disabled", "cmdline+environ")
    assert "time for all JVMs" in (found.reason or "")


# -- who must not be asked --------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["-Xrs", "-XX:+ReduceSignalUsage", "-XX:+DisableAttachMechanism"])
@pytest.mark.parametrize("layer", ["command line", "JAVA_TOOL_OPTIONS"])
def test_options_that_forbid_the_signal(machine: Jvms, option: str, layer: str) -> None:
    if layer == "command line":
        jvm = machine.start(FLAG, option, war=True)
    else:
        jvm = machine.start(FLAG, environment={layer: option}, war=True)
    listens = TMP / f".java_pid{jvm.pid}"
    if "Attach" not in option:
        # Such a JVM listens from its start, because it cannot be woken.
        assert examined(jvm).proof == "attach"
        listens.unlink()
    assert not listens.exists()
    found = examined(jvm)
    assert (found.state, found.proof) == ("disabled", "cmdline+environ")
    assert option in (found.reason or "")
    assert "thread dump" not in jvm.ended()


@pytest.mark.parametrize("option", ["-Xrs", "-XX:+ReduceSignalUsage"])
def test_the_signal_goes_only_to_who_catches_it(machine: Jvms, option: str) -> None:
    """Even where its options were not seen: the JVM would die of it."""
    jvm = machine.start(option)
    (TMP / f".java_pid{jvm.pid}").unlink()
    assert ask(jvm) == attach.Answer(None, None, "it does not catch SIGQUIT", False)
    jvm.ended()


def test_options_that_are_not_known(machine: Jvms, jre_only: None) -> None:
    jvm = machine.start()
    answer = attach.ask(jvm.pid, attach.started(jvm.pid), None, 5)
    assert (answer.silent, "options" in (answer.reason or "")) == (False, True)
    assert jvm.ended() == ""


@pytest.mark.parametrize("catches", [True, False])
def test_what_is_only_named_java_gets_no_signal(machine: Jvms, tmp_path: Path, catches: bool) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import signal, sys\n"
        + ("signal.signal(signal.SIGQUIT, lambda *_: print('SIGQUIT', flush=True))\n" if catches else "")
        + "print('ready', flush=True)\nsys.stdin.read()\nsys.stdout.flush()\nimport os\nos._exit(0)\n"
    )
    process = machine.run(
        ["java", "-c", "-jar", "/opt/jenkins.war"], {"PYTHONPATH": str(tmp_path)}, executable=sys.executable
    )
    assert processes.look(process.pid) is None
    assert "no HotSpot JVM" in (ask(process).reason or "")
    assert process.ended() == ""


def test_an_openj9_is_left_alone(machine: Jvms, tmp_path: Path) -> None:
    library = tmp_path / "libj9vm29.so"
    library.write_bytes(b"\0" * 8192)
    process = machine.pretend("be silent", str(library))
    assert "OpenJ9" in (ask(process).reason or "")
    assert process.ended() == ""


def test_foreign_jvms_without_root(machine: Jvms) -> None:
    other = machine.start() if os.geteuid() == 0 else None
    pid = other.pid if other else 1

    def without_root() -> attach.Answer:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
        return attach.ask(pid, attach.started(pid), [], 5)

    answer = attach.Answer(*bounded(without_root, 20))
    assert (answer.silent, "run with become" in (answer.reason or "")) == (False, True)
    assert other is None or other.ended() == ""


# -- who does not answer ----------------------------------------------------------------------------


def test_a_stopped_jvm(machine: Jvms, jre_only: None) -> None:
    jvm = machine.start(FLAG, war=True)
    os.kill(jvm.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, jvm.pid, os.WSTOPPED | os.WNOWAIT)
    found = examined(jvm)
    assert (found.state, found.value, found.proof) == ("unknown", None, None)
    assert "it is stopped" in (found.reason or "")
    assert "say disabled" in (found.reason or "")
    os.kill(jvm.pid, signal.SIGCONT)
    assert "thread dump" not in jvm.ended()


def test_one_that_never_answers(machine: Jvms, jre_only: None) -> None:
    process = machine.pretend("be silent")
    answer = ask(process, seconds=1)
    assert answer == attach.Answer(None, None, "it did not answer in time", True)
    assert process.ended() == f"SIGQUIT {os.geteuid()}\n"


def test_one_that_many_ask_at_once(machine: Jvms, jre_only: None) -> None:
    """It takes a few callers only; whoever comes then waits."""
    jvm = machine.start(FLAG)
    ask(jvm)
    # In a process of their own: the asker's child would hold their connections open.
    program = (
        "import socket, sys, time; others = []\n"
        "try:\n"
        "    while True:\n"
        "        others.append(socket.socket(socket.AF_UNIX)); others[-1].setblocking(False)\n"
        "        others[-1].connect(sys.argv[1])\n"
        "except BlockingIOError:\n"
        "    print('full', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-I", "-c", program, f"/tmp/.java_pid{jvm.pid}"], stdout=subprocess.PIPE, text=True
    ) as others:
        try:
            assert others.stdout is not None
            assert others.stdout.readline() == "full\n"
            assert ask(jvm, seconds=1) == attach.Answer(None, None, "it did not answer in time", True)
            threading.Timer(0.5, others.kill).start()
            assert ask(jvm).value == "true"
        finally:
            others.kill()


def test_one_that_ends_when_asked(machine: Jvms, jre_only: None) -> None:
    answer = ask(machine.pretend("exit"))
    assert answer == attach.Answer(None, None, "it ended while it was asked", True)


def test_one_that_ended_before_it_could_be_asked(machine: Jvms) -> None:
    jvm = machine.start(war=True)
    seen = processes.look(jvm.pid)
    assert seen is not None
    jvm.process.kill()
    jvm.process.wait()
    found = _facts.examine(seen)
    assert (found.state, found.reason) == ("unknown", "it ended while it was read")
    assert attach.ask(seen.pid, seen.ticks, [], 5).silent


def test_another_process_with_its_number(machine: Jvms) -> None:
    jvm = machine.start()
    answer = attach.ask(jvm.pid, attach.started(jvm.pid) - 1, [], 5)
    assert (answer.proof, answer.reason) == (None, "it ended while it was asked")
    assert jvm.ended() == ""


def test_an_asker_that_is_told_to_end_cleans_up(machine: Jvms, jre_only: None, tmp_path: Path) -> None:
    """A playbook that is broken off must not leave files in /tmp."""
    process = machine.pretend("be silent")
    asker = os.fork()
    if asker == 0:
        os.setpgid(0, 0)
        attach.ask(process.pid, attach.started(process.pid), [], 60)
        os._exit(0)
    assert process.process.stdout is not None
    assert process.process.stdout.readline().startswith("SIGQUIT")  # it is in the midst of it
    assert (TMP / f".attach_pid{process.pid}").exists()
    os.killpg(asker, signal.SIGTERM)
    os.waitpid(asker, 0)
    for _turn in range(1000):
        if not (TMP / f".attach_pid{process.pid}").exists():
            break
        signal.sigtimedwait([], 0.01)
    assert not (TMP / f".attach_pid{process.pid}").exists()


# -- a /tmp full of traps ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
def test_a_trigger_that_is_a_trap(machine: Jvms, jre_only: None, tmp_path: Path, kind: str) -> None:
    """Nothing is written through it; the JVM is woken from its working directory instead."""
    jvm = machine.start(FLAG)
    victim = tmp_path / "victim"
    victim.write_text("mine")
    trap = TMP / f".attach_pid{jvm.pid}"
    try:
        if kind == "link":
            trap.symlink_to(victim)
        elif kind == "fifo":
            os.mkfifo(trap)
        else:
            trap.mkdir()
        answer = attach.ask(jvm.pid, attach.started(jvm.pid), [], 20)
        assert os.path.lexists(trap), "it is not ours to remove"
    finally:
        trap.rmdir() if kind == "folder" else trap.unlink()
    assert (answer.proof, answer.value) == ("attach", "true")
    assert victim.read_text() == "mine"
    assert not (machine.folder / f".attach_pid{jvm.pid}").exists()


@pytest.mark.parametrize("kind", ["link", "fifo", "file"])
def test_a_socket_that_is_none(machine: Jvms, jre_only: None, tmp_path: Path, kind: str) -> None:
    jvm = machine.start(FLAG)
    victim = tmp_path / "victim"
    victim.write_text("mine")
    with in_tmp(f".java_pid{jvm.pid}") as trap:
        if kind == "link":
            trap.symlink_to(victim)
        elif kind == "fifo":
            os.mkfifo(trap)
        else:
            trap.write_text("")
        answer = ask(jvm)
    assert (answer.silent, "is not its socket" in (answer.reason or "")) == (False, True)
    assert victim.read_text() == "mine"


def test_another_listener(machine: Jvms, jre_only: None) -> None:
    """A socket of the right user, but the kernel says that another process listens."""
    jvm = machine.start(FLAG, war=True)
    with in_tmp(f".java_pid{jvm.pid}") as trap, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(trap))
        listener.listen()
        found = examined(jvm)
    assert (found.proof, found.state) == ("cmdline+environ", "disabled")
    assert "another process listens" in (found.reason or "")


def test_a_socket_left_behind(machine: Jvms, jre_only: None) -> None:
    """An earlier process of this number did not clean up: the JVM replaces it."""
    jvm = machine.start(FLAG)
    with in_tmp(f".java_pid{jvm.pid}") as old, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(old))
        listener.close()
        assert ask(jvm).proof == "attach"


# -- as root ----------------------------------------------------------------------------------------


@needs_root
@pytest.mark.parametrize("with_jcmd", [True, False])
def test_a_jvm_of_another_user(machine: Jvms, with_jcmd: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not with_jcmd:
        monkeypatch.setattr(attach, "_jcmd_of", lambda target: None)
    jvm = machine.start(FLAG, war=True, **OTHER)
    found = examined(jvm)
    assert (found.state, found.proof) == ("disabled", "jcmd" if with_jcmd else "attach")
    assert found.user == "nobody"
    assert (TMP / f".java_pid{jvm.pid}").lstat().st_uid == NOBODY
    assert os.geteuid() == 0


@needs_root
def test_no_file_is_ever_roots(machine: Jvms, jre_only: None) -> None:
    process = machine.pretend("be silent", user=str(NOBODY))
    assert ask(process, seconds=1).silent
    assert process.ended() == f"SIGQUIT {NOBODY}\n"


@needs_root
@pytest.mark.parametrize("kind", ["link", "socket", "working directory"])
def test_traps_of_a_third_user(machine: Jvms, jre_only: None, kind: str) -> None:
    jvm = machine.start(FLAG, **{**OTHER, "cwd": machine.folder})
    name = f".java_pid{jvm.pid}" if kind == "socket" else f".attach_pid{jvm.pid}"
    trap = (machine.folder if kind == "working directory" else TMP) / name
    with contextlib.ExitStack() as stack:
        if kind == "link":
            trap.symlink_to("/etc/shadow")
        elif kind == "socket":
            listener = stack.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(str(trap))
            listener.listen()
        else:
            trap.write_text("")
        stack.callback(trap.unlink)
        os.chown(trap, 65533, 65533, follow_symlinks=False)
        answer = attach.ask(jvm.pid, attach.started(jvm.pid), [], 20)
    assert (answer.proof, answer.silent) == (None, False), answer
    assert name in (answer.reason or "")
    assert jvm.ended() == ""


@needs_root
def test_a_jcmd_of_somebody_else_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "jcmd"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for path, mode, owner, trusted in (
        (folder, 0o755, 0, True),
        (folder, 0o775, 0, False),
        (folder, 0o755, 1, False),
        (program, 0o757, 0, False),
        (program, 0o644, 0, False),
        (program, 0o755, 1, False),
    ):
        before = path.stat()
        path.chmod(mode)
        os.chown(path, owner, 0)
        # /tmp, where this file is, is everybody's: leave it out of the question.
        monkeypatch.setattr(
            attach.os,
            "lstat",
            lambda name: os.stat("/") if not name.startswith(str(tmp_path)) else os.stat(name, follow_symlinks=False),
        )
        assert _proc.only_roots(str(program)) is trusted, (path, oct(mode), owner)
        monkeypatch.undo()
        path.chmod(stat.S_IMODE(before.st_mode))
        os.chown(path, 0, 0)
    assert not _proc.only_roots(str(program)), "below /tmp nothing is"


USER = ("setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups")
OWN_TMP = ("sh", "-c", 'mount -t tmpfs tmpfs /tmp; exec "$@"', "sh")
OWN_PIDS = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")


@needs_root
@pytest.mark.parametrize(
    ("before", "inner", "container"),
    [
        (("unshare", "--mount", *OWN_TMP, *USER), None, False),
        ((*OWN_PIDS, *OWN_TMP, *USER), 1, True),
        ((*USER, OWN_PIDS[0], "--user", "--map-root-user", *OWN_PIDS[1:], *OWN_TMP), 1, True),
    ],
    ids=["PrivateTmp", "container", "rootless container"],
)
def test_a_tmp_of_its_own(machine: Jvms, before: tuple[str, ...], inner: int | None, container: bool) -> None:
    """Its socket is there, under the number that it has inside; jcmd would not find it."""
    home = Path("/var/tmp") / machine.folder.name
    shutil.copytree(machine.folder, home)
    try:
        jvm = machine.run([*before, machine.java, FLAG, "-jar", str(home / "jenkins.war")], cwd="/")
    finally:
        shutil.rmtree(home)
    if inner is not None:
        children = Path(f"/proc/{jvm.pid}/task/{jvm.pid}/children").read_text().split()
        jvm = Running(jvm.process, int(children[0]))
    found = examined(jvm)
    assert (found.state, found.proof, found.container) == ("disabled", "attach", container), found
    assert not (TMP / f".java_pid{jvm.pid}").exists()
    names = [path.name for path in Path(f"/proc/{jvm.pid}/root/tmp").iterdir()]
    assert [name for name in names if name.startswith(".")] == [f".java_pid{inner or jvm.pid}"]
    assert "thread dump" not in jvm.ended()

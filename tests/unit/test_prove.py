"""What is started to prove the next start, what is refused, and what is made of what was seen; no world is made."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hostroot import FLAG
from schemas import PROOF

from ansible_collections.cbops.telemetry.plugins.module_utils.launch._unit_syntax import parse_unit
from ansible_collections.cbops.telemetry.plugins.module_utils.prove import _namespaces
from ansible_collections.cbops.telemetry.plugins.module_utils.prove import _prove as prove
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect import _gate as gate

WAR = "/usr/share/java/jenkins.war"
ARGV = ("/usr/bin/java", FLAG, "-jar", WAR)


# -- the copy of a unit -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        (
            "[Unit]\nConflicts=a.service\n[Service]\nExecStart=/a %n\n[Install]\nAlias=b.service\n",
            "[Service]\nExecStart=/a %n\n",
        ),
        (
            "[Service]\nExecStart=/a \\\n  [Unit] \\\n# a comment\n  c\nUser=u\n[Unit]\nRequires=x\n",
            "[Service]\nExecStart=/a \\\n  [Unit] \\\n  c\nUser=u\n",
        ),
        ("[Service]\nRestart=always\nExecStop=/bin/kill \\\n  $MAINPID \\\n  now\nUser=u", "[Service]\nUser=u\n"),
        (
            '[Service]\nExecStartPost=/a\nExecStartPre=+/b\nExecStopPost = /c\nEnvironment="A=[Unit]"\n',
            '[Service]\nExecStartPre=+/b\nEnvironment="A=[Unit]"\n',
        ),
        ("[Unit]\nDescription=a \\\n[Service]\nWants=x\n[Service]\r\nUser=u\r\n", "[Service]\nUser=u\r\n"),
        ("\xef\xbb\xbf[Service]\nUser=u\n", "[Service]\nUser=u\n"),
        ("[Service]\nA=1 \\\\\nExecStopPost=/b\nB=2 \\\\\\\n3\n", "[Service]\nA=1 \\\\\nB=2 \\\\\\\n3\n"),
        ("[Service]\nA=1\n[Unit]\nB=2\n[Service]\nC=3\n", "[Service]\nA=1\n[Service]\nC=3\n"),
        ("[Unit]\nWants=x\n", ""),
        ("", ""),
    ],
)
def test_of_a_unit_is_kept_how_it_is_run(content: str, kept: str) -> None:
    assert prove.service_sections(content) == kept


def test_the_copy_of_a_unit() -> None:
    texts = [
        "[Unit]\nPartOf=x.service\n[Service]\nType=notify\nExecStart=/usr/bin/jenkins\nRestart=on-failure\n",
        "[Service]\nEnvironment=JAVA_OPTS=-Xmx1g\n",
        "[Unit]\nAfter=y\n",
    ]
    units = prove.units_of("jenkins.service", texts, 20)
    assert units["jenkins.service"] == "[Service]\nType=notify\nExecStart=/usr/bin/jenkins\n"
    assert units["jenkins.service.d/00000.conf"] == texts[1]
    assert units["jenkins.service.d/00001.conf"] == ""
    last = units["jenkins.service.d/zzzzz.conf"]
    assert "TimeoutStartSec=20\n" in last
    assert "Type=" not in last
    assert sorted(units)[-1] == "jenkins.service.d/zzzzz.conf"  # what counts last
    assert "Wants=jenkins.service cbops-prove-after.service" in units["cbops-prove.target"]
    # Nothing of the copy names a unit of the host's but itself.
    named = {setting.key for text in units.values() for setting in parse_unit(text, "x") if setting.section == "Unit"}
    assert named == {"DefaultDependencies", "Wants", "After"}


@pytest.mark.parametrize("text", ["[Service]\nType=dbus\nBusName=a.b\n", "[Service]\nBusName=a.b\n"])
def test_there_is_no_bus(text: str) -> None:
    assert prove.units_of("a.service", [text], 20)["a.service.d/zzzzz.conf"].endswith("Type=simple\nBusName=\n")


@pytest.mark.parametrize(
    ("service", "text", "reason"),
    [
        ("a.service", "[Service]\nRootDirectory=/srv/jail\n", "RootDirectory=: the service sees other files"),
        ("a.service", "[Service]\nRootImage=/srv/jail.raw\n", "RootImage="),
        ("a.service", "[Service]\nMountImages=/a:/b\n", "MountImages="),
        ("../a.service", "[Service]\n", "a unit of that name"),
        ("a.socket", "[Service]\n", "a unit of that name"),
        ("a b.service", "[Service]\n", "a unit of that name"),
    ],
)
def test_what_is_not_copied(service: str, text: str, reason: str) -> None:
    with pytest.raises(_namespaces.Refused, match=reason.replace(".", r"\.")):
        prove.units_of(service, [text], 20)


def test_a_root_that_is_the_host_s_is_none() -> None:
    assert prove.units_of("a.service", ["[Service]\nRootDirectory=/\n"], 20)


def test_the_unit_of_a_script() -> None:
    unit = prove.script_unit(["/opt/my ci/$x.sh", 'a"b', "100%", "$HOME", "\\"], "ci")
    assert unit.splitlines()[-1] == r'ExecStart="/opt/my ci/$x.sh" "a\"b" "100%%" "$$HOME" "\\"'
    assert "User=ci\n" in unit


# -- where it is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "number"),
    [("systemd 252 (252.38-1~deb12u1)\n+PAM", 252), ("systemd 239 (239-82.el8)", 239), ("", 0), ("upstart", 0)],
)
def test_the_version_of_systemd(said: str, number: int) -> None:
    assert _namespaces.version(said) == number


@pytest.mark.parametrize(
    ("user", "said", "cgroups", "reason"),
    [
        (1000, "systemd 252", True, "only root can"),
        (0, "systemd 243 (243)", True, "systemd is 243, and before 244"),
        (0, "", True, "systemd is 0"),
        (0, "systemd 252", False, "control groups of version 1"),
    ],
)
def test_hosts_on_which_nothing_is_started(
    user: int, said: str, cgroups: bool, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(os.path, "isdir", lambda _path: True)
    monkeypatch.setattr(_namespaces, "_CGROUPS", str(tmp_path))
    if cgroups:
        (tmp_path / "cgroup.controllers").touch()
    assert (_namespaces.refusal(said) or "").startswith(reason) or reason in (_namespaces.refusal(said) or "")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"memory.max": "max", "pids.max": "256"}, "memory.max is max"),
        ({"memory.max": str(_namespaces.MEMORY), "pids.max": "100000"}, "pids.max is 100000"),
        ({"memory.max": str(_namespaces.MEMORY), "pids.max": str(_namespaces.TASKS)}, None),
        ({}, None),  # then they are counted
    ],
)
def test_limits_that_are_not_there_are_seen(values: dict[str, str], reason: str | None, tmp_path: Path) -> None:
    for name, value in values.items():
        (tmp_path / name).write_text(value + "\n")
    if reason is None:
        _namespaces._bounded_by(str(tmp_path))
    else:
        with pytest.raises(_namespaces.Refused, match=reason):
            _namespaces._bounded_by(str(tmp_path))


def counted(folder: Path, processes: list[int]) -> _namespaces.World:
    """A world of which nothing is there but its control group, with processes that nobody has."""
    (folder / "cgroup.procs").write_text("".join(f"{number}\n" for number in processes))
    made = object.__new__(_namespaces.World)
    made._folder, made.excess, made._closing = str(folder), None, threading.Event()
    return made


@pytest.mark.parametrize(
    ("number", "excess"),
    [(_namespaces.TASKS, None), (_namespaces.TASKS + 1, f"more than {_namespaces.TASKS} processes were started")],
)
def test_what_becomes_more_is_ended_in_one_stroke(
    number: int, excess: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_setscheduler", lambda *_words: None)
    made = counted(tmp_path, list(range(10**7, 10**7 + number)))  # above what a kernel gives
    counter = threading.Thread(target=made._count, daemon=True)
    counter.start()
    counter.join(0.3 if excess is None else 30)
    made._closing.set()
    counter.join()
    assert made.excess == excess
    assert (tmp_path / "cgroup.kill").exists() == (excess is not None)


def test_memory_that_is_taken_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_setscheduler", lambda *_words: None)
    monkeypatch.setattr(_namespaces, "MEMORY", 4096)
    made = counted(tmp_path, [os.getpid()])
    made._count()
    assert made.excess == "more than 4096 bytes of memory were taken"
    assert (tmp_path / "cgroup.kill").read_text() == "1"


def test_where_nothing_can_be_counted_in_time_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_words: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    with pytest.raises(_namespaces.Refused, match="they cannot be counted in time"):
        object.__new__(_namespaces.World)._first()


def test_the_kernel_s_own_file_systems_are_no_part_of_the_world() -> None:
    found, _silent = _namespaces.places()
    paths = [place.path for place in found]
    assert paths[0] == "/"
    assert paths == sorted(paths)
    assert not [path for path in paths if path.startswith(("/proc", "/sys", "/dev", "/run"))]


# -- the java that waits ----------------------------------------------------------------------------


@pytest.fixture
def java(tmp_path: Path) -> Path:
    """One, whose own files are in a folder of the test's."""
    real = tmp_path / "real java's"
    real.write_text('#!/bin/sh\necho real "$@"\n')
    real.chmod(0o755)
    path = tmp_path / "java"
    text = _namespaces.JAVA % ("'" + str(real).replace("'", "'\\''") + "'")
    path.write_text(text.replace(_namespaces.SHELL, "/bin/sh").replace(_namespaces.OWN, str(tmp_path)))
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    "words",
    [["-version"], ["--version"], ["-XshowSettings:all", "-version"], ["-fullversion"], ["-?"], ["-Xmx1g", "-help"]],
)
def test_a_question_goes_to_the_real_java(words: list[str], java: Path) -> None:
    done = subprocess.run([java, *words], capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == "real " + " ".join(words) + "\n"
    assert prove.asks(words)


@pytest.mark.parametrize(
    "words",
    [
        ["-jar", WAR],
        [FLAG, "-jar", WAR, "--version"],
        ["-jar", WAR, "-help"],
        ["@/etc/java.args"],
        ["-cp", "a.jar", "Main", "-version"],
        [],
    ],
)
def test_any_other_waits_until_it_was_seen(words: list[str], java: Path) -> None:
    assert not prove.asks(words)
    process = subprocess.Popen([java, *words], stdout=subprocess.PIPE)
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)
        (java.parent / f"seen.{process.pid}").touch()
        assert process.wait(30) == 0
        assert process.stdout is not None
        assert process.stdout.read() == b""
    finally:
        process.kill()
        process.wait()


def test_what_a_java_was_started_with_is_read_from_outside(java: Path) -> None:
    arguments = java.parent / "more.args"
    arguments.write_text(FLAG + "\n")
    process = subprocess.Popen(
        [java, "@more.args", "-jar", WAR],
        cwd=java.parent,
        env={"JAVA_TOOL_OPTIONS": FLAG.replace("true", "false"), "SECRET": "s3cr3t"},
    )
    try:
        until = time.monotonic() + 30
        while b"java" not in (data := Path(f"/proc/{process.pid}/cmdline").read_bytes()):
            assert time.monotonic() < until, data
        argv = data.decode().split("\0")[1:-1]
        start = prove._read(process.pid, argv, prove.HostFiles("/"))
    finally:
        process.kill()
        process.wait()
    assert (start.value, start.source, start.reason) == ("true", "command line", None)
    assert start.java == str(java)
    assert start.environment["SECRET"] == "s3cr3t"


@pytest.mark.parametrize(
    ("argv", "programs", "expected"),
    [
        (ARGV, (), True),
        (("java", "-jar", "-Dcb.distributable.name=Debian", WAR, "--httpPort=8080"), (), True),
        (("java", "-cp", "bootstrap.jar", "org.apache.catalina.startup.Bootstrap", "start"), (), True),
        (("java", "-jar", "/opt/ci.jar"), ("/opt/ci.jar",), True),
        (("java", "-jar", "/opt/cli.jar"), (), False),
        (("java", "-cp", "x.war", "Main"), (), False),
        (("java",), (), False),
    ],
)
def test_what_counts_as_the_controller(argv: tuple[str, ...], programs: tuple[str, ...], expected: bool) -> None:
    assert prove.is_controller(argv, programs) is expected


# -- what was seen ----------------------------------------------------------------------------------


def start(value: str | None, reason: str | None = None) -> prove.Start:
    """A JVM that was started with a value of the flag."""
    return prove.Start("/usr/bin/java", ARGV, {}, "jenkins", value, None, reason)


@pytest.mark.parametrize(
    ("starts", "state", "reason"),
    [
        ([start("true")], "disabled", None),
        ([start("TRUE"), start("true")], "disabled", None),
        ([start(None)], "enabled", None),
        ([start("yes")], "enabled", None),
        ([start("true"), start(None)], "unknown", "2 JVMs are started, and they do not agree"),
        ([start("true"), start(None, "it reads a file")], "unknown", "it reads a file"),
        ([], "unknown", "no JVM was started on a war: it ended with exit status 3; java was started 2 times"),
    ],
)
def test_verdicts(starts: list[prove.Start], state: str, reason: str | None) -> None:
    found = prove.verdict(prove.Seen(tuple(starts), 2, "it ended with exit status 3", None))
    assert found[0] == state
    assert (found[1] or "").startswith(reason or "")
    assert (found[1] is None) == (reason is None)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ("success exited 0\n", "it ended with exit status 0"),
        ("exit-code exited 5\n", "it ended with exit status 5"),
        ("exit-code exited 217\n", "systemd could not set up its user (exit status 217)"),
        ("signal killed TERM\n", "it was ended by the signal TERM"),
        ("timeout killed TERM\n", "it did not start in time"),
        ("protocol  \n", "it ended (protocol)"),
        ("", "it ended, and systemd does not say how"),
        ("$(reboot) exited ::error::\n", "it ended (no reason is given)"),
    ],
)
def test_how_it_ended_is_said_in_our_words(told: str, words: str) -> None:
    assert prove.ending(told) == words


@pytest.mark.parametrize(
    ("change", "taken"),
    [
        ({}, True),
        ({"next_start": "unknown", "reason": "no", "agrees": None, "jvms": 0}, True),
        ({"next_start": "unknown", "agrees": None}, False),  # without a reason
        ({"next_start": "unknown", "reason": "no"}, False),  # and agrees
        ({"refused": True}, False),  # nothing was started
        ({"jvms": 0}, False),
        ({"environment": ["A=s3cr3t"]}, False),
        ({"argv": list(ARGV)}, False),
        ({"next_start": "off"}, False),
    ],
)
def test_the_gate(change: dict[str, Any], taken: bool) -> None:
    answer = {"changed": False, "notes": [], "proofs": [{**PROOF, **change}]}
    if taken:
        assert gate.admitted("telemetry_prove", answer) == answer
    else:
        with pytest.raises(gate.NotAdmitted):
            gate.admitted("telemetry_prove", answer)

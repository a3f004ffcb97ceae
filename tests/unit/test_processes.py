"""Running JVMs: whose they are and what can be read of them, from a /proc that the test makes, and from real ones."""

from __future__ import annotations

import datetime
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostroot import FLAG, Host
from jvms import jvms
from schemas import validate

from ansible_collections.cbops.telemetry.plugins.module_utils.edit import _declare
from ansible_collections.cbops.telemetry.plugins.module_utils.host._files import HostFiles
from ansible_collections.cbops.telemetry.plugins.module_utils.launch import (
    _definition,
    _discovery,
    _outcome,
    _starters,
    _unit,
)
from ansible_collections.cbops.telemetry.plugins.module_utils.probe import _configured
from ansible_collections.cbops.telemetry.plugins.module_utils.running import _facts, _proc
from ansible_collections.cbops.telemetry.plugins.module_utils.running import _processes as processes
from ansible_collections.cbops.telemetry.plugins.module_utils.running import _scan as scan
from ansible_collections.cbops.telemetry.plugins.module_utils.survey import _document
from ansible_collections.cbops.telemetry.plugins.module_utils.survey import _survey as state
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import assess, policy_of

MAPS = """\
55d0c8a00000-55d0c8a01000 r-xp 00000000 08:01 11  /usr/lib/jvm/bin/java
7f0000000000-7f0000001000 r-xp 00000000 08:01 12  /usr/lib/jvm/lib/server/libjvm.so
7f0000002000-7f0000003000 r-xp 00000000 08:01 13  /usr/lib/jvm/lib/libjli.so
7f0000004000-7f0000005000 rw-p 00000000 00:00 0
"""
WAR = "/usr/share/cloudbees-core-cm/cloudbees-core-cm.war"


class Proc:
    """A /proc with processes of the test's own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "stat").write_text("cpu 1 2\nbtime 1700000000\n")

    def process(
        self, pid: int, argv: list[str], environment: dict[str, str] | None = None, name: str = "java", parent: int = 1
    ) -> Path:
        """A process with this command line and environment."""
        folder = self.root / str(pid)
        folder.mkdir()
        (folder / "cmdline").write_bytes(b"".join(word.encode() + b"\0" for word in argv))
        (folder / "environ").write_bytes(b"".join(f"{k}={v}\0".encode() for k, v in (environment or {}).items()))
        (folder / "stat").write_text(f"{pid} ({name}) S {parent} " + " ".join(["0"] * 15) + " 20 0 1000 0 0\n")
        (folder / "maps").write_text("" if name == "sh" else MAPS)
        (folder / "status").write_text(f"Name:\t{name}\nUid:\t0\t{2**31 - 9}\t0\t0\nNSpid:\t{pid}\n")
        (folder / "fd").mkdir()
        (folder / "cgroup").write_text("1:name=systemd:/x\n0::/system.slice/cloudbees-core-cm.service\n")
        (folder / "exe").symlink_to("/usr/lib/jvm/bin/java")
        return folder


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    """An empty /proc."""
    return Proc(tmp_path)


def test_values(proc: Proc) -> None:
    proc.process(10, ["java", FLAG, "-jar", WAR])
    proc.process(11, ["/usr/bin/java", "-DJENKINS_HOME=/home/x", "-jar", WAR, FLAG])
    proc.process(12, ["java", FLAG, "-jar", WAR], {"_JAVA_OPTIONS": FLAG.replace("true", "false")})
    found = {item.pid: item for item in processes.running(str(proc.root)).jvms}
    assert {pid: item.state for pid, item in found.items()} == {10: "disabled", 11: "enabled", 12: "enabled"}
    assert found[12].source == "_JAVA_OPTIONS"
    assert found[11].home == "/home/x"
    assert found[10].cgroup == "/system.slice/cloudbees-core-cm.service"
    assert found[10].started == "2023-11-14T22:13:30Z"
    assert found[10].proof == "cmdline+environ"


def test_what_is_no_controller_is_left_out(proc: Proc) -> None:
    proc.process(10, ["java", "-jar", "/opt/agent.jar", "-url", "http://x"])
    proc.process(11, ["java", "-cp", "x", "org.example.Build"])
    proc.process(15, ["java", "-cp", "/opt/remoting.jar", "hudson.remoting.jnlp.Main", "-headless", WAR])
    proc.process(16, ["java", "-jar", "/opt/slave.jar", "-jar", WAR])
    proc.process(17, ["java", "-classpath", "/usr/share/maven/boot/x.jar", "org.codehaus.Launcher", "-f", WAR])
    proc.process(18, ["java", "-jar", "/opt/gradle-wrapper.jar", WAR])
    proc.process(12, ["runuser", "-u", "x", "--", "java", "-jar", WAR]).joinpath("exe").unlink()
    proc.process(13, [])
    (proc.root / "14").mkdir()  # it ended while we looked
    assert processes.running(str(proc.root)).jvms == []


def test_processes_that_are_hidden_are_not_said_to_be_gone(proc: Proc, monkeypatch: pytest.MonkeyPatch) -> None:
    """A /proc that is mounted with hidepid, read without root."""
    proc.process(10, ["java", "-jar", WAR])

    def refuse(path: str) -> bytes:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(processes, "read_file", refuse)
    with pytest.raises(PermissionError, match="hidepid"):
        processes.running(str(proc.root))
    monkeypatch.setattr(processes, "running", lambda **_arguments: refuse("/proc"))
    jvms, _unseen, hidden = state._running(True, "never", [], [])
    assert state._summary(jvms, hidden) == ("unknown", "running processes cannot be listed: Permission denied")


def test_a_name_with_parentheses(proc: Proc) -> None:
    proc.process(10, ["java", "-jar", WAR], name="ja) va (x")
    assert processes.running(str(proc.root)).jvms[0].started == "2023-11-14T22:13:30Z"


def test_an_environment_that_cannot_be_read_is_unknown(proc: Proc, monkeypatch: pytest.MonkeyPatch) -> None:
    proc.process(10, ["java", FLAG, "-jar", WAR])
    real = _proc.read_file

    def refuse(path: str) -> bytes:
        if path.endswith("/environ"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(_facts, "read_file", refuse)
    (found,) = processes.running(str(proc.root)).jvms
    assert (found.state, found.value) == ("unknown", None)
    assert "Permission denied" in (found.reason or "")


def test_an_argument_file_is_read_where_the_process_is(proc: Proc) -> None:
    folder = proc.process(10, ["java", "@opts", "@/etc/opts", "-jar", WAR])
    (folder / "cwd").symlink_to("/work")
    (folder / "root/work").mkdir(parents=True)
    (folder / "root/work/opts").write_text(FLAG)
    (found,) = processes.running(str(proc.root)).jvms
    assert (found.state, "/etc/opts" in (found.reason or "")) == ("unknown", True)
    (folder / "root/etc").mkdir()
    (folder / "root/etc/opts").symlink_to("/etc/more")  # a link leads below its root, not below ours
    (folder / "root/etc/more").write_text("-Da=b")
    (found,) = processes.running(str(proc.root)).jvms
    assert found.state == "disabled"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has other users' processes")
@pytest.mark.parametrize(("bits", "state"), [(0o600, "unknown"), (0o640, "disabled")])
def test_an_argument_file_is_read_with_the_rights_of_the_process(proc: Proc, bits: int, state: str) -> None:
    folder = proc.process(10, ["java", "@/opts", "-jar", WAR])
    (folder / "status").write_text("Name:\tjava\nUid:\t0\t1234\t0\t0\nGid:\t0\t1234\t0\t0\nGroups:\t77 78\n")
    (folder / "root").mkdir()
    (folder / "root/opts").write_text(FLAG)
    os.chown(folder / "root/opts", 0, 78)
    (folder / "root/opts").chmod(bits)
    (found,) = processes.running(str(proc.root)).jvms
    assert found.state == state


def test_an_argument_file_that_is_a_pipe_does_not_hold_us(proc: Proc) -> None:
    folder = proc.process(10, ["java", "@/opts", "-jar", WAR])
    (folder / "root").mkdir()
    os.mkfifo(folder / "root/opts")
    (found,) = processes.running(str(proc.root)).jvms
    assert (found.state, "cannot be read" in (found.reason or "")) == ("unknown", True)


@pytest.mark.parametrize("hangs", ["maps", "cmdline"])
def test_a_process_that_hangs_costs_itself_alone(proc: Proc, monkeypatch: pytest.MonkeyPatch, hangs: str) -> None:
    """It may be a controller: so that is not known, and the others carry on."""
    line = proc.process(10, ["java", FLAG, "-jar", WAR]).joinpath(hangs)
    line.unlink()
    os.mkfifo(line)
    proc.process(11, ["java", FLAG, "-jar", WAR])
    monkeypatch.setattr(processes, "_ONE_SECONDS", 0.2)
    found = processes.running(str(proc.root))
    assert [jvm.pid for jvm in found.jvms] == [11]
    (unseen,) = found.unseen
    assert ("could not be read, or not in time" in unseen.reason, len(unseen.places)) == (True, 1)


@pytest.mark.parametrize(("first", "state"), [("true", "disabled"), ("false", "enabled")])
def test_of_two_equal_names_in_an_environment_the_first_counts(proc: Proc, first: str, state: str) -> None:
    environ = proc.process(10, ["java", "-jar", WAR]).joinpath("environ")
    other = {"true": "false", "false": "true"}[first]
    words = [f"_JAVA_OPTIONS={FLAG.replace('true', value)}" for value in (first, other)]
    environ.write_bytes("\0".join([*words, ""]).encode())
    assert [item.state for item in processes.running(str(proc.root)).jvms] == [state]


def test_what_hangs_is_unknown_and_the_others_carry_on(proc: Proc, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe that nobody writes to stands for a file server that is gone: nothing ends that read from inside."""
    environ = proc.process(10, ["java", FLAG, "-jar", WAR]).joinpath("environ")
    environ.unlink()
    os.mkfifo(environ)
    proc.process(11, ["java", FLAG, "-jar", WAR])
    monkeypatch.setattr(_facts, "_READ_SECONDS", 0.1)
    assert [(item.state, item.reason) for item in processes.running(str(proc.root)).jvms] == [
        ("unknown", "it could not be read (not in time)"),
        ("disabled", None),
    ]


def test_only_plain_values_are_shown(proc: Proc) -> None:
    proc.process(10, ["java", FLAG + ",-Dpassword=x", "-jar", WAR])
    (found,) = processes.running(str(proc.root)).jvms
    assert found.document()["value"] == "(other)"
    assert found.state == "enabled"


def test_what_runs_below_a_controller_is_a_build(proc: Proc) -> None:
    proc.process(10, ["java", "-jar", WAR])
    proc.process(11, ["sh", "-c", "mvn verify"], name="sh", parent=10)
    proc.process(12, ["java", "-jar", "/tmp/work/jenkins.war"], parent=11)
    proc.process(13, ["java", "-jar", "/tmp/work/jenkins.war"], {"JENKINS_SERVER_COOKIE": "1"})
    assert [(item.pid, item.controller, item.of_build) for item in processes.running(str(proc.root)).jvms] == [
        (10, None, False),
        (12, 10, False),
        (13, None, True),
    ]


@pytest.mark.parametrize(
    ("lines", "cgroup"),
    [
        ("0::/system.slice/x.service\n", "/system.slice/x.service"),
        (
            "4:memory:/a\n1:name=systemd:/system.slice/x.service\n0::/system.slice/x.service\n",
            "/system.slice/x.service",
        ),
        ("4:memory:/a\n1:name=systemd:/system.slice/x.service\n", "/system.slice/x.service"),
        ("1:name=systemd:/system.slice/x.service\n0::/\n", "/system.slice/x.service"),
        ("4:memory:/a\n", ""),
    ],
)
def test_cgroups(proc: Proc, lines: str, cgroup: str) -> None:
    """Version 2, hybrid, version 1, a container's view, no systemd."""
    proc.process(10, ["java", "-jar", WAR]).joinpath("cgroup").write_text(lines)
    assert processes.running(str(proc.root)).jvms[0].cgroup == cgroup


def test_homes_and_containers(proc: Proc) -> None:
    proc.process(10, ["java", "-jar", WAR], {"JENKINS_HOME": "/a"})
    proc.process(11, ["java", "-DJENKINS_HOME=/b", "-jar", WAR], {"JENKINS_HOME": "/a"})
    status = proc.process(12, ["java", "-jar", WAR]).joinpath("status")
    status.write_text(status.read_text().replace("NSpid:\t12", "NSpid:\t12\t1"))
    (proc.root / "self").mkdir()
    (proc.root / "self/root").symlink_to("/")
    (proc.root / "10/root").symlink_to("/")
    (proc.root / "11/root").mkdir()
    found = {item.pid: item for item in processes.running(str(proc.root)).jvms}
    assert [found[pid].home for pid in (10, 11, 12)] == ["/a", "/b", ""]
    assert [found[pid].container for pid in (10, 11, 12)] == [False, True, True]
    assert found[12].document()["container"] is True


def test_one_that_ends_while_it_is_read(proc: Proc, monkeypatch: pytest.MonkeyPatch) -> None:
    """A zombie has an empty environment: that proves nothing."""
    folder = proc.process(10, ["java", "-jar", WAR])
    proc.process(11, ["java", FLAG, "-jar", WAR])
    real = _facts._home

    def end(argv: list[str], environment: dict[str, str]) -> str:
        (folder / "stat").write_text("10 (java) Z 1 " + " ".join(["0"] * 17) + " 1000 0 0\n")
        return real(argv, environment)

    monkeypatch.setattr(_facts, "_home", end)
    assert [(item.state, item.reason) for item in processes.running(str(proc.root)).jvms] == [
        ("unknown", "it ended while it was read"),
        ("disabled", None),
    ]


@pytest.mark.parametrize(
    ("said", "source"),
    [("false", "JDK_JAVA_OPTIONS"), ("true", "JAVA_TOOL_OPTIONS"), ("other", "set inside the JVM"), (None, None)],
)
def test_the_source_of_what_a_jvm_said(said: str | None, source: str | None) -> None:
    """A JVM 8 has no JDK_JAVA_OPTIONS: what it says comes from the layer below."""
    weak = _facts._Weak(
        "false", "JDK_JAVA_OPTIONS", [], None, {"true": "JAVA_TOOL_OPTIONS", "false": "JDK_JAVA_OPTIONS"}
    )
    assert _facts._settled(weak, _facts._attach.Answer("attach", said, None, False)) == (
        said,
        "disabled" if said == "true" else "enabled",
        source,
        "attach",
        None,
    )


# -- who is a JVM -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("library", "is_jvm"),
    [
        ("/usr/lib/jvm/lib/server/libjvm.so", True),
        ("/usr/lib/jvm/lib/server/libjvm.so (deleted)", True),  # upgraded meanwhile
        ("/opt/ibm/lib/default/libj9vm29.so", True),
        ("/opt/a b/libjvm.so", True),
        ("/usr/lib/libjvmx.so", False),
        ("/usr/lib/xlibjvm.so", False),
        ("/usr/lib/libjvm.so/data", False),
        (
            "/usr/lib/jvm/lib/libjli.so",
            False,
        ),  # jlink, keytool and others have it; and so has a java that is only starting
    ],
)
def test_a_jvm_is_what_has_the_library_of_one_mapped(proc: Proc, library: str, is_jvm: bool) -> None:
    folder = proc.process(10, ["controllerd", "-jar", WAR], name="controllerd")
    lines = [f"7f000000{number:04x}-7f000001{number:04x} r--p 00000000 08:01 9 /x/{number}" for number in range(9000)]
    lines.insert(8000, f"7f0100000000-7f0100001000 r-xp 00000000 08:01 12                         {library}")
    (folder / "maps").write_text("\n".join(lines) + "\n")
    assert (scan.sighted(str(proc.root), 10) is not None) == is_jvm


def test_what_calls_itself_java_is_nothing_and_costs_three_files(proc: Proc) -> None:
    """However many of them there are, and whatever they are called."""
    opened: list[str] = []
    counting = [False]
    sys.addaudithook(lambda event, what: opened.append(str(what[0])) if counting[0] and event == "open" else None)
    for count, first in ((100, 1000), (400, 2000)):
        for pid in range(first, first + count):
            (proc.process(pid, ["java", "-jar", f"/x/{pid}/jenkins.war"]) / "maps").write_text("")
        del opened[:]
        counting[0] = True
        assert [scan.sighted(str(proc.root), pid) for pid in range(first, first + count)] == [None] * count
        counting[0] = False
        assert len(opened) <= 3 * count
    found = processes.running(str(proc.root))
    assert (found.jvms, found.unseen) == ([], [])


@pytest.mark.parametrize(("called", "threads", "is_jvm"), [("java", 1, True), ("x", 4, True), ("x", 3, False)])
def test_a_process_with_few_threads_is_looked_into_where_it_is_called_java(
    proc: Proc, called: str, threads: int, is_jvm: bool
) -> None:
    """Every JVM has more; and to read the map of every process of a host is dear."""
    folder = proc.process(10, [called, "-jar", WAR], name="pause")
    (folder / "stat").write_text("10 (pause) S 1 " + " ".join(["0"] * 15) + f" {threads} 0 1000 0 0\n")
    assert bool(processes.running(str(proc.root)).jvms) == is_jvm


def test_a_java_that_has_not_loaded_its_library_yet(proc: Proc, tmp_path: Path) -> None:
    """Only where root alone can have put it there: anybody can call a program of his own java."""
    folder = proc.process(10, ["java", "-jar", WAR])
    (folder / "maps").write_text("")
    (folder / "exe").unlink()
    (tmp_path / "java").write_text("")
    (folder / "exe").symlink_to(tmp_path / "java")
    assert processes.running(str(proc.root)).jvms == []
    (folder / "exe").unlink()
    java = shutil.which("java")
    if java is None or not _proc.only_roots(os.path.realpath(java)):
        pytest.skip("no java of root's on this machine")
    (folder / "exe").symlink_to(os.path.realpath(java))
    assert [jvm.pid for jvm in processes.running(str(proc.root)).jvms] == [10]


def test_a_map_without_end_is_not_read_to_its_end_and_not_said_to_be_none(
    proc: Proc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "_LIMIT_MAPS", 1 << 19)
    (proc.process(10, ["x", "-jar", WAR], name="x") / "maps").write_text("7f00-7f01 r--p 0 08:01 9 /x\n" * 40000)
    proc.process(11, ["java", "-jar", WAR])
    found = processes.running(str(proc.root))
    assert [jvm.pid for jvm in found.jvms] == [11]
    assert [len(one.places) for one in found.unseen] == [1]


def test_one_whose_map_is_not_for_us_to_see_is_not_sure(proc: Proc, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without root: what calls itself java may be one."""
    proc.process(10, ["java", "-jar", WAR])
    proc.process(11, ["pause", "-jar", WAR])

    def refuse(path: str) -> set[bytes]:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(scan, "_libraries", refuse)
    assert [(jvm.pid, jvm.sure) for jvm in processes.running(str(proc.root)).jvms] == [(10, False)]


# -- what it runs -----------------------------------------------------------------------------------


def archive(path: Path, manifest: str | None, *names: str, before: bytes = b"") -> Path:
    """An archive with this manifest behind these names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as jar:
        for name in names:
            jar.writestr(name, b"x" * 100)
        if manifest is not None:
            jar.writestr("META-INF/MANIFEST.MF", textwrap.dedent(manifest))
    path.write_bytes(before + path.read_bytes())
    return path


PRODUCT = "Manifest-Version: 1.0\nJenkins-Version: 2.426.3\nMain-Class: executable.Main\n"
PLUGIN = "Manifest-Version: 1.0\nShort-Name: git\nJenkins-Version: 2.426.3\nPlugin-Version: 1\n"


@pytest.mark.parametrize(
    ("argv", "manifest", "names", "before", "is_war"),
    [
        (["java", "-jar", "/opt/x/app.bin"], PRODUCT, ["META-INF/"], b"", True),
        (["java", "-jar", "/opt/x/app.bin"], PRODUCT, ["a", "b", "c", "d"], b"", True),  # the manifest is not in front
        (["java", "-jar", "/opt/x/app.bin"], PRODUCT, [], b"#!/bin/sh\nexec java -jar $0\n", True),  # a program is
        (["java", "-jar", "/opt/x/app.bin"], PRODUCT, [], b"anything", True),
        (["java", "-cp", "/opt/x/app.bin", "executable.Main"], PRODUCT, [], b"", True),
        (["java", "@/etc/args"], PRODUCT, [], b"", True),
        (["jsvc", "-user", "x", "app.Daemon"], PRODUCT, [], b"", True),
        (["java", "-jar", "/opt/x/app.bin"], PRODUCT.replace("Jenkins-Version", "JENKINS-VERSION"), [], b"", True),
        (["java", "-jar", "/opt/x/app.bin"], PLUGIN, [], b"", False),
        (["java", "-jar", "/opt/x/app.bin"], "Manifest-Version: 1.0\n", [], b"", False),
        (["java", "-jar", "/opt/x/app.bin"], None, ["a"], b"", False),
        (["java", "-cp", "/opt/agent.jar", "hudson.remoting.jnlp.Main"], "Version: 3131\n", [], b"", False),
        (["java", "-cp", "/opt/agent.jar:/opt/x/app.bin", "hudson.remoting.Mine"], PRODUCT, [], b"", True),
    ],
)
def test_a_war_is_known_by_what_is_in_it(
    proc: Proc, tmp_path: Path, argv: list[str], manifest: str | None, names: list[str], before: bytes, is_war: bool
) -> None:
    folder = proc.process(10, argv, name=argv[0])
    if argv[0] != "java":
        (folder / "maps").write_text(MAPS.replace("libjli", "libother").replace("bin/java", "bin/jsvc"))
        (folder / "exe").unlink()
    held = archive(tmp_path / "opt/app.bin", manifest, *names, before=before)
    (folder / "fd/0").symlink_to("/dev/null")
    (folder / "fd/3").symlink_to("socket:[1]")
    (folder / "fd/7").symlink_to(held)
    assert [jvm.war for jvm in processes.running(str(proc.root)).jvms] == ([str(held)] if is_war else [])


def test_devices_and_pipes_among_the_open_files_are_left_alone(proc: Proc, tmp_path: Path) -> None:
    folder = proc.process(10, ["java", "-cp", "x", "y"])
    os.mkfifo(tmp_path / "app.war")
    (folder / "fd/7").symlink_to(tmp_path / "app.war")
    (folder / "fd/8").symlink_to(tmp_path)
    assert [scan._manifest(str(folder / f"fd/{number}"), [9]) for number in (7, 8)] == [b"", b""], "not even opened"
    found = processes.running(str(proc.root))
    assert (found.jvms, found.unseen) == ([], [])


@pytest.mark.parametrize(
    ("argv", "opened"),
    [
        (["java", "-cp", "/opt/unpacked", "executable.Main"], None),
        (["java", "-cp", ".", "executable.Main"], None),
        (["java", "-jar", "/opt/jetty/start.jar"], "/opt/unpacked/WEB-INF/lib/jenkins-core-2.426.3.jar"),
    ],
)
def test_an_unpacked_war(proc: Proc, argv: list[str], opened: str | None) -> None:
    folder = proc.process(10, argv)
    (folder / "root/opt/unpacked/META-INF").mkdir(parents=True)
    (folder / "root/opt/unpacked/META-INF/MANIFEST.MF").write_text(PRODUCT)
    (folder / "cwd").symlink_to("/opt/unpacked")
    if opened is not None:
        (folder / "fd/7").symlink_to(opened)
    assert len(processes.running(str(proc.root)).jvms) == 1
    (folder / "root/opt/unpacked/META-INF/MANIFEST.MF").write_text(PLUGIN)
    assert processes.running(str(proc.root)).jvms == []


def test_what_is_open_is_looked_at_in_bounds(proc: Proc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than that is not known, and said so."""
    monkeypatch.setattr(scan, "_LIMIT_SEARCHED", 3)
    folder = proc.process(10, ["java", "-cp", "x", "y"])
    for number in range(5):
        (folder / f"fd/{number}").symlink_to(archive(tmp_path / f"{number}.jar", "Manifest-Version: 1.0\n", "a", "b"))
    found = processes.running(str(proc.root))
    assert (found.jvms, [len(one.places) for one in found.unseen]) == ([], [1])


def test_what_is_open_in_memory_is_looked_at_and_what_is_the_kernels_is_not(proc: Proc, tmp_path: Path) -> None:
    folder = proc.process(10, ["java", "-jar", "/dev/shm/app.bin"])
    with tempfile.TemporaryDirectory(dir="/dev/shm") as place:
        held = archive(Path(place) / "app.bin", PRODUCT)
        (folder / "fd/7").symlink_to(held)
        assert [jvm.war for jvm in processes.running(str(proc.root)).jvms] == [str(held)]
    opened: list[str] = []
    sys.addaudithook(lambda event, what: opened.append(str(what[0])) if event == "open" else None)
    for path in ("/proc/version", "/sys/kernel/uevent_seqnum", "/dev/null"):
        if os.path.exists(path):
            (tmp_path / "link").symlink_to(path)
            del opened[:]
            assert scan._manifest(str(tmp_path / "link"), [9]) == b""
            assert len(opened) == 1, "held, and not opened for reading"
            (tmp_path / "link").unlink()


def test_folders_beyond_the_bound_are_not_said_to_be_none(proc: Proc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "_LIMIT_FOLDERS", 3)
    folder = proc.process(10, ["java", "-cp", "a:b:c:/x", "y"])
    (folder / "root/x/META-INF").mkdir(parents=True)
    (folder / "root/x/META-INF/MANIFEST.MF").write_text(PRODUCT)
    found = processes.running(str(proc.root))
    assert (found.jvms, [len(one.rows) for one in found.unseen]) == ([], [1])


def test_a_process_whose_first_thread_has_ended(tmp_path: Path) -> None:
    """Of that thread nothing is mapped and nothing is open any more; the others run on."""
    if shutil.which("gcc") is None:
        pytest.skip("no compiler")
    (tmp_path / "libjvm.so").write_bytes(bytes(8192))
    source = Path(__file__).parent.parent / "hostile/programs/lookalike.c"
    subprocess.run(["gcc", "-pthread", "-o", str(tmp_path / "program"), str(source)], check=True)
    held = archive(tmp_path / "app.bin", PRODUCT)
    process = subprocess.Popen(
        ["java", "-cp", "x", "y"],
        executable=str(tmp_path / "program"),
        cwd=tmp_path,
        env={"LIBRARY": str(tmp_path / "libjvm.so"), "HELD": str(held), "LEADERLESS": "1", "JENKINS_HOME": "/x"},
    )
    try:
        for _moment in range(100):
            if Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2].startswith("Z"):
                break
            time.sleep(0.05)
        assert Path(f"/proc/{process.pid}/maps").read_bytes() == b""
        seen = processes.look(process.pid)
        assert seen is not None
        assert (seen.war, seen.place.cgroup) == (str(held), _proc.cgroup_of(os.getpid()))
        found = _facts.examine(seen, attach="never")
        assert (found.home, found.container) == ("/x", False)
        assert "ended" not in (found.reason or "")
    finally:
        process.kill()
        process.wait()
    assert processes.look(process.pid) is None


def test_a_program_that_embeds_the_jvm(tmp_path: Path) -> None:
    """By JNI, as jsvc does: a real JVM, a program of any name, and the war among what it holds open."""
    with jvms() as machine:
        program = tmp_path / "ourd"
        (tmp_path / "ourd.c").write_text(EMBEDDER)
        include = Path(os.path.realpath(machine.java)).parent.parent / "include"
        if shutil.which("gcc") is None or not include.is_dir():
            pytest.skip("no compiler, or no headers of the JDK")
        subprocess.run(
            ["gcc", f"-I{include}", f"-I{include}/linux", "-o", str(program), f"{program}.c", "-ldl"], check=True
        )
        war = machine.folder / "app.bin"
        archive(war, PRODUCT, "META-INF/")
        with zipfile.ZipFile(war, "a") as jar:
            jar.write(machine.folder / "Standin.class", "Standin.class")
        process = machine.run([str(program), machine.library, f"-Djava.class.path={war}"])
        seen = processes.look(process.pid)
        assert seen is not None
        assert (seen.war, seen.launcher) == (str(war), False)
        found = _facts.examine(seen, attach="never")
        assert (found.state, "not started by java" in (found.reason or "")) == ("unknown", True)


EMBEDDER = """
#include <dlfcn.h>
#include <jni.h>
int main(int count, char **words) {
    jint (*create)(JavaVM **, void **, void *) = dlsym(dlopen(words[1], RTLD_NOW), "JNI_CreateJavaVM");
    JavaVMOption option = {words[2], 0};
    JavaVMInitArgs arguments = {JNI_VERSION_1_8, 1, &option, 0};
    JavaVM *machine; JNIEnv *env;
    if (create(&machine, (void **) &env, &arguments)) return 1;
    jclass type = (*env)->FindClass(env, "Standin");
    jobjectArray none = (*env)->NewObjectArray(env, 0, (*env)->FindClass(env, "java/lang/String"), 0);
    jmethodID start = (*env)->GetStaticMethodID(env, type, "main", "([Ljava/lang/String;)V");
    (*env)->CallStaticVoidMethod(env, type, start, none);
    return 0;
}
"""


@pytest.mark.parametrize(
    "start",
    [lambda war: ["-cp", war, "Standin"], lambda war: ["-jar", war], lambda war: ["@args"]],
    ids=["cp", "jar", "@"],
)
def test_real_jvms_on_a_renamed_war(start: Callable[[str], list[str]]) -> None:
    with jvms() as machine:
        war = machine.folder / "application"
        archive(war, PRODUCT.replace("executable.Main", "Standin"), "META-INF/")
        with zipfile.ZipFile(war, "a") as jar:
            jar.write(machine.folder / "Standin.class", "Standin.class")
        (machine.folder / "args").write_text(f"{FLAG}\n-DJENKINS_HOME=/home/x -jar {war}\n")
        words = start(str(war))
        process = machine.run([machine.java, *words])
        seen = processes.look(process.pid)
        assert seen is not None
        found = _facts.examine(seen, attach="never")
        assert found.war == str(war)
        assert (found.state, found.home) == (("disabled", "/home/x") if words[0] == "@args" else ("enabled", ""))


# -- who comes first --------------------------------------------------------------------------------


def crowd(proc: Proc, count: int, controller: int) -> None:
    """Many JVMs of an ordinary user, and a controller behind them."""
    for pid in range(100, 100 + count):
        folder = proc.process(pid, ["java", FLAG, "-jar", f"/home/x/{pid}/jenkins.war"])
        (folder / "cgroup").write_text("0::/user.slice/user-1000.slice/session-1.scope\n")
    folder = proc.process(controller, ["java", FLAG, "-jar", WAR])
    (folder / "status").write_text("Name:\tjava\nUid:\t0\t0\t0\t0\n")


def test_ordinary_users_cannot_crowd_a_controller_out(proc: Proc) -> None:
    crowd(proc, 40, 9000)
    found = processes.running(str(proc.root))
    assert [jvm.pid for jvm in found.jvms][0] == 9000
    assert len(found.jvms) == 1 + processes._LIMIT_USERS
    assert [len(one.places) for one in found.unseen] == [40 - processes._LIMIT_USERS]


def test_more_processes_than_are_looked_at(proc: Proc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_LIMIT_PROCESSES", 5)
    crowd(proc, 10, 9000)
    found = processes.running(str(proc.root))
    assert [jvm.pid for jvm in found.jvms][0] == 9000
    assert [(len(one.places), one.reason) for one in found.unseen] == [(6, "more than 5 processes run here")]


def test_no_more_than_64_jvms_are_examined(proc: Proc) -> None:
    """Of services, which are not cut at eight; the rest may run a controller, and is counted as that."""
    for pid in range(100, 180):
        folder = proc.process(pid, ["java", FLAG, "-jar", f"/srv/{pid}/jenkins.war"])
        (folder / "status").write_text("Name:\tjava\nUid:\t0\t0\t0\t0\n")
    found = processes.running(str(proc.root))
    assert len(found.jvms) == 64
    assert [(len(one.places), one.reason) for one in found.unseen] == [
        (16, "more JVMs on a war run here than are examined")
    ]


def test_whoever_hangs_is_asked_last(proc: Proc, monkeypatch: pytest.MonkeyPatch) -> None:
    """An ordinary user's processes that cannot be read use up the time; the controller's is not among it."""
    monkeypatch.setattr(processes, "_ONE_SECONDS", 0.1)
    monkeypatch.setattr(processes, "_SCAN_SECONDS", 0.6)
    crowd(proc, 20, 9000)
    for pid in range(100, 120):
        (proc.root / str(pid) / "maps").unlink()
        os.mkfifo(proc.root / str(pid) / "maps")
    found = processes.running(str(proc.root))
    assert [jvm.pid for jvm in found.jvms] == [9000]
    assert [len(one.places) for one in found.unseen] == [20]


def test_names_are_cut(proc: Proc) -> None:
    proc.process(10, ["java", "-jar", "/x/" + "y" * 100_000 + "/jenkins.war"])
    (jvm,) = processes.running(str(proc.root)).jvms
    assert (len(jvm.war) < 600, jvm.war.endswith("...")) == (True, True)


@pytest.mark.parametrize("name", ["cmdline", "environ"])
def test_what_is_too_long_to_be_read_is_unknown(proc: Proc, name: str) -> None:
    """The end of it could say otherwise."""
    folder = proc.process(10, ["java", FLAG, "-cp", "x", "executable.Main"], {"JENKINS_HOME": "/x"})
    (folder / "fd/7").symlink_to(archive(proc.root / "app.war", PRODUCT))
    with (folder / name).open("ab") as stream:
        stream.write(b"x" * (1 << 20))
    found = processes.running(str(proc.root))
    if name == "environ":
        assert [(jvm.state, jvm.reason) for jvm in found.jvms] == [("unknown", "its environment is too long")]
    else:
        assert (found.jvms, len(found.unseen)) == ([], 1)


# -- stale: with a real JVM, because only that holds its war open -------------------------------------


def change_nothing(war: Path) -> None:
    """The war stays."""


def upgrade(war: Path) -> None:
    """As package managers do it: a new file takes the place of the old one."""
    new = war.with_suffix(".new")
    shutil.copy2(war, new)
    new.replace(war)


def overwrite(war: Path) -> None:
    """As ``cp`` does it."""
    content = war.read_bytes()
    war.write_bytes(content)
    later = war.stat().st_mtime + 60
    os.utime(war, (later, later))


@pytest.mark.parametrize(
    ("change", "stale"),
    [
        (change_nothing, None),
        (upgrade, "its war was replaced after its start"),
        (Path.unlink, "its war was removed after its start"),
        (overwrite, "its war was written after its start"),
    ],
)
def test_stale_jvms(change: Callable[[Path], None], stale: str | None) -> None:
    with jvms() as machine:
        jvm = machine.start(war=True)
        seen = processes.look(jvm.pid)
        assert seen is not None
        change(machine.war)
        assert _facts.examine(seen, attach="never").stale == stale


def test_a_war_that_its_server_unpacked_when_it_started_is_no_other_one(tmp_path: Path) -> None:
    (tmp_path / "root/webapps/ROOT").mkdir(parents=True)
    (tmp_path / "root/webapps/ci.war").touch()
    for war, said in (("/webapps/ROOT", None), ("/webapps/ci.war", "its war was written after its start")):
        seen = _proc.Seen(**{**dict.fromkeys(_proc.Seen._fields), "war": war})
        assert _facts._other_war(str(tmp_path), seen, 1000.0, None) == said


# -- whose it is ------------------------------------------------------------------------------------

JVM = _proc.Process(
    1,
    "2026-01-01T00:00:00Z",
    WAR,
    "/home/a",
    "/system.slice/a.service",
    None,
    "enabled",
    None,
    "cmdline+environ",
    None,
    "a",
)
OUTSIDE = JVM._replace(cgroup="/user.slice")


def owner(name: str, *, war: str = WAR, home: str = "/home/a", user: str = "a", active: str = "active") -> state.Owner:
    """An installation of this name, whose unit runs in a cgroup of the same name."""
    unit = _unit.Unit(f"{name}.service", "", None, (), {}, (), user)
    outcome = _outcome.Outcome(
        "enabled", None, None, None, (), (), None, (war,) if war else (), (home,) if home else ()
    )
    return state.Owner(
        _definition.Definition(name, unit.name, (), {}, False, unit),
        outcome,
        _unit.Loaded(unit, "loaded", active, f"/system.slice/{name}.service", False),
    )


@pytest.mark.parametrize(
    ("jvm", "owned"),
    [
        (JVM, [True, False]),
        (JVM._replace(cgroup="/system.slice/b.service/sub"), [False, True]),
        (JVM._replace(cgroup="/system.slice/b.service2"), [True, False]),
        (OUTSIDE, [True, False]),
        (OUTSIDE._replace(home=""), [True, False]),
        (OUTSIDE._replace(home="/home/c"), [False, False]),
        (OUTSIDE._replace(user="c"), [False, False]),
        (OUTSIDE._replace(war="/tmp/jenkins.war"), [False, False]),
        (OUTSIDE._replace(container=True), [False, False]),
        (JVM._replace(container=True), [True, False]),
        (JVM._replace(war="/tmp/jenkins.war", home="/tmp/x"), [False, False]),
        (JVM._replace(war="/tmp/jenkins.war"), [True, False]),
        (JVM._replace(war="/tmp/jenkins.war", of_build=True), [False, False]),
    ],
)
def test_owners(jvm: _proc.Process, owned: list[bool]) -> None:
    found = state._owned([owner("a"), owner("b", user="b", home="/home/b")], [jvm])
    assert [bool(mine) for mine in found] == owned


def test_what_another_unit_runs_is_nobody_elses_and_what_several_may_have_started_is_nobodys() -> None:
    inside, outside = JVM._replace(cgroup="/system.slice/c.service", home=""), OUTSIDE._replace(home="")
    both = [owner("a", home="", active="inactive"), owner("b", home="", active="inactive")]
    both = [one._replace(loaded=None) for one in both]
    assert state._owned(both[:1], [inside]) == [()]
    assert state._owned(both, [outside]) == [(), ()]
    assert state._owned(both[:1], [outside]) == [(outside,)]


def test_a_link_counts_for_what_it_leads_to() -> None:
    jvm = JVM._replace(war="/opt/2/cm.war", real_war="/opt/2/cm.war")
    mine = owner("a", war="/opt/current.war")._replace(real=("/opt/2/cm.war",))
    assert state._owned([mine], [jvm])[0][0].stale is None
    upgraded = mine._replace(real=("/opt/3/cm.war",))
    assert state._owned([upgraded], [jvm])[0][0].stale == "it runs /opt/2/cm.war, the next start /opt/current.war"


def test_a_starter_s_program_is_its_own() -> None:
    start = _starters.Start("supervisord", "program x", "/etc/x.conf", 1, (), {}, "root", "", "")
    mine = owner("a", home="", user="")
    mine = mine._replace(definition=_definition.start_definition(start), loaded=None)
    told = JVM._replace(cgroup="/system.slice/supervisor.service", home="", started_by="supervisord program x")
    others = told._replace(started_by="supervisord program y", uid=1000)
    assert [bool(one) for one in (state._owned([mine], [told])[0], state._owned([mine], [others])[0])] == [True, False]


@pytest.mark.parametrize("user", ["root", "ci"])
def test_whoever_calls_his_process_supervisord_starts_no_installation_s_jvm(user: str) -> None:
    start = _starters.Start("supervisord", "program x", "/etc/x.conf", 1, (), {}, user, "", "")
    mine = owner("a", home="", user="")
    mine = mine._replace(definition=_definition.start_definition(start), loaded=None)
    posing = JVM._replace(
        cgroup="/user.slice/user-1000.slice/session-1.scope",
        home="",
        war="/home/ann/x.war",
        user="ann",
        uid=1000,
        started_by="supervisord program x",
    )
    assert state._owned([mine], [posing]) == [()]


@pytest.mark.parametrize(
    ("service", "cgroup", "mine"),
    [
        ("ci.service", "/system.slice/ci.service", True),
        ("ci", "/system.slice/ci.service", True),
        ("ci.old", "/system.slice/ci.service", False),
        ("ci.service", "/user.slice/user-1000.slice/ci.service", False),
    ],
)
def test_without_the_service_manager_the_kernels_name_of_a_unit_counts(service: str, cgroup: str, mine: bool) -> None:
    one = owner("a")
    one = one._replace(definition=one.definition._replace(service=service), loaded=None)
    assert one.holds(JVM._replace(cgroup=cgroup)) is mine


@pytest.mark.parametrize(
    ("cgroup", "environment", "said"),
    [
        ("/system.slice/docker-0123456789abcdef.scope", {}, "docker container 0123456789ab"),
        ("/user.slice/user-0.slice/user@0.service/app.slice/ci.service", {}, "user unit ci.service of root"),
        ("/system.slice/monit.service", {"MONIT_SERVICE": "ci"}, "monit service ci"),
        ("/user.slice/user-0.slice/session-1.scope", {"STY": "12.ci"}, "screen session 12.ci"),
        (
            "/user.slice/user-0.slice/session-1.scope",
            {"TMUX": "/tmp/tmux-0/default,71,0"},
            "tmux (/tmp/tmux-0/default)",
        ),
        ("/machine.slice/libpod-0123456789abcdef.scope/container", {}, "podman container 0123456789ab"),
        (
            "/kubepods.slice/kubepods-pod1.slice/cri-containerd-0123456789abcdef.scope",
            {},
            "a pod's container 0123456789ab",
        ),
        ("/system.slice/cron.service", {}, "cron"),
        ("/system.slice/rc-local.service", {}, "rc-local"),
        ("/system.slice/ci.service", {}, ""),
        (
            "/system.slice/x.service",
            {"SUPERVISOR_PROCESS_NAME": "a b\n"},
            "supervisord program (a name that is not shown)",
        ),
    ],
)
def test_who_started_it(cgroup: str, environment: dict[str, str], said: str) -> None:
    assert _facts.starter_of("/proc", 1, cgroup, environment) == said


def test_several_jvms_of_one_installation() -> None:
    old = JVM._replace(pid=2, war="/opt/old/jenkins.war", state="disabled")
    (mine,) = state._owned([owner("a")], [JVM, old])
    assert [jvm.pid for jvm in mine] == [1, 2]
    assert mine[0].stale is None
    assert mine[1].stale == f"it runs /opt/old/jenkins.war, the next start {WAR}"
    assert state._summary(mine) == ("mixed", "processes 1, 2 disagree")


def test_installations_that_cannot_be_resolved_own_their_cgroup() -> None:
    assert state._owned([owner("a", war="", home="")], [JVM])[0] == (JVM,)
    assert state._owned([owner("a", war="", home="")], [OUTSIDE])[0] == ()


ALICE = JVM._replace(
    pid=5,
    cgroup="/user.slice/user-1000.slice/session-1.scope",
    user="alice",
    uid=1000,
    home="",
    war="/home/alice/jenkins.war",
    proof="cmdline+environ",
)


@pytest.mark.parametrize("user", ["", "root", "a"])
def test_an_ordinary_user_is_no_installation(user: str) -> None:
    """With the very war, as whom the unit does not name, or does not name at all."""
    assert state._owned([owner("a", user=user)], [ALICE._replace(war=WAR)]) == [()]


def test_a_launch_script_is_its_owners(tmp_path: Path) -> None:
    script = tmp_path / "start.sh"
    script.write_text("")
    mine = owner("a", user="")
    mine = mine._replace(definition=_definition.script_definition(str(script)), loaded=None)
    ours, others = ALICE._replace(war=WAR, uid=65533), ALICE._replace(war=WAR, uid=65532)
    os.chown(script, 65533, -1)
    assert [bool(one) for one in (state._owned([mine], [ours])[0], state._owned([mine], [others])[0])] == [True, False]


def test_a_stray_is_unknown_and_says_whose_it_is(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "config.xml").write_text("<hudson><noUsageStatistics>true</noUsageStatistics></hudson>")
    (entry,) = state._strays([ALICE._replace(home=str(home))], [], [])
    document = _document.installation_document(entry, HostFiles("/"))
    assert (document["on_disk"], document["running"], document["service"]) == ("unresolvable", "unknown", None)
    for reason in (document["on_disk_detail"]["reason"], document["running_detail"]["reason"]):
        assert "process 5 of alice runs /home/alice/jenkins.war with telemetry enabled" in reason
    details = document["settings"].pop("details")
    assert set(document["settings"].values()) == {"unknown"}, "its home is not read"
    assert {detail["reason"] for detail in details.values()} == {
        "the home and war of a process that no installation owns are not read"
    }


def test_the_way_out_of_a_stray_is_not_looked_at() -> None:
    """Whoever started it named its proxy and its trust store."""
    network = ({"https.proxyHost": "proxy.evil", "javax.net.ssl.trustStore": "/home/alice/store"}, {}, "/home/alice")
    entries = state._strays([ALICE._replace(network=network)], [], [])
    survey = state.Survey(entries, [], {}, HostFiles("/"))
    way = _configured.way_of(survey, _document.document_of(survey))
    assert (way.network.routes, way.java_stores) == ((), ())
    assert "belongs to no installation" in way.network.notes[0]


def test_a_stray_is_not_edited_and_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    survey = state.Survey(state._strays([ALICE], [], []), [], {}, HostFiles("/"))
    monkeypatch.setattr(_declare, "survey", lambda *_arguments: survey)
    done = _declare.declare("disabled")
    assert (done.changed, done.refused, done.restart_required, done.reload_required) == (False, [], [], False)
    assert _declare.declare("disabled", names=[ALICE.war]).refused, "who names it is told"


def test_a_tomcat_whose_war_has_a_name_that_is_no_text(proc: Proc) -> None:
    folder = proc.process(10, ["java", "-Dcatalina.base=/t", "org.apache.catalina.startup.Bootstrap", "start"])
    (folder / "root/t/webapps").mkdir(parents=True)
    (folder / "root/t/webapps" / os.fsdecode(b"jenkins\xff.war")).write_text("")
    assert [jvm.war for jvm in processes.running(str(proc.root)).jvms] == ["/t/webapps/jenkins\xff.war"]


def test_strays_are_named_by_their_unit_and_bounded() -> None:
    warnings: list[str] = []
    inside = ALICE._replace(cgroup="/system.slice/cloudbees-core-cm3.service", user="root", uid=0)
    crowd = [ALICE._replace(pid=pid, war=f"/home/alice/{pid}/jenkins.war") for pid in range(10, 110)]
    entries = state._strays([inside, *crowd], ["cloudbees-core-cm"], warnings)
    assert entries[0].definition.name == "cloudbees-core-cm3"
    assert (len(entries), len(warnings)) == (state._LIMIT_STRAYS, 1)
    assert "93 more wars" in warnings[0]
    (entry,) = state._strays([inside], ["cloudbees-core-cm3"], [])
    assert entry.definition.name == inside.war, "no second row of an installation's name"
    (entry,) = state._strays([ALICE], [ALICE.war], [])
    assert entry.definition.name == "process 5"
    (entry,) = state._strays([inside._replace(cgroup="/system.slice/cron.service")], [], [])
    assert entry.definition.name == inside.war, "cron runs what users tell it to run"


def test_notes_on_builds_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    found = processes.Running([ALICE._replace(controller=1, pid=pid) for pid in range(2, 200)], [])
    monkeypatch.setattr(processes, "running", lambda **_arguments: found)
    warnings: list[str] = []
    state._running(True, "never", [], warnings)
    assert len(warnings) == state._LIMIT_NOTES + 1


def test_only_what_may_be_an_installations_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for an ordinary user's JVM: whatever it says, it is unknown."""
    asked = {}

    def running(**arguments: Any) -> processes.Running:
        for jvm in (JVM, ALICE, ALICE._replace(container=True, own_users=True), OUTSIDE._replace(container=True)):
            asked[jvm] = arguments["asks"](jvm)
        return processes.Running([], [])

    monkeypatch.setattr(processes, "running", running)
    state._running(True, "auto", [owner("a")], [])
    assert list(asked.values()) == [True, False, False, True]


def surveyed(monkeypatch: pytest.MonkeyPatch, found: processes.Running) -> dict[str, Any]:
    """The state document of a host without installations, on which these run."""
    monkeypatch.setattr(_discovery, "discover", lambda *_arguments: ([], []))
    monkeypatch.setattr(processes, "running", lambda **_arguments: found)
    document = _document.document_of(state.survey(HostFiles("/")))
    validate(document)
    return document


def verdict(document: dict[str, Any]) -> str:
    return assess(document, policy_of({"telemetry_desired": "disabled"}), datetime.date(2026, 11, 23)).verdict


def test_the_environment_of_a_build_makes_no_build(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody can have it; to be where a controller runs needs that controller, or root."""
    document = surveyed(monkeypatch, processes.Running([ALICE._replace(of_build=True)], []))
    (entry,) = document["installations"]
    assert (entry["name"], verdict(document)) == (ALICE.war, "unknown")
    assert "no controller is seen to have started it" in entry["running_detail"]["reason"]
    inside = JVM._replace(of_build=True, war="/tmp/b/jenkins.war")
    assert state._is_build_of(inside, [owner("a")])
    assert not state._is_build_of(ALICE._replace(of_build=True), [owner("a"), owner("a")._replace(loaded=None)])


PLACE = _proc.Place(_proc.LOGIN, 4242, "/user.slice")


@pytest.mark.parametrize("rows", [1, 8])
def test_what_was_not_looked_at_makes_the_host_unknown(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    found = [(pid, PLACE) for pid in range(70, 70 + rows)]
    document = surveyed(monkeypatch, processes.Running([], [processes.Unseen([PLACE] * 99, "no time", found)]))
    entries = document["installations"]
    assert (len(entries), verdict(document)) == (rows, "unknown")
    assert (entries[0]["name"], entries[0]["running_detail"]["reason"]) == (
        "process 70",
        "process 70 of 4242 was not looked at, and may run a controller: no time",
    )
    assert document["warnings"] == ["99 processes were not looked at, and may run a controller: no time"]


def test_no_crowd_of_containers_hides_what_has_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root's containers have a verdict; what is beyond the bounds has one row, and the host none that is good."""
    crowd = [
        JVM._replace(pid=pid, container=True, war=f"/{pid}/jenkins.war", state="disabled") for pid in range(100, 108)
    ]
    for running, unseen in (([*crowd, ALICE], []), (crowd, [processes.Unseen([PLACE], "no time", [(70, PLACE)])])):
        entries = surveyed(monkeypatch, processes.Running(running, unseen))["installations"]
        assert [entry["running"] for entry in entries] == ["disabled"] * 8 + ["unknown"]


def test_a_stray_is_not_judged_with_a_container_on_a_war_of_that_name() -> None:
    inside = JVM._replace(container=True, state="disabled")
    rows = state._strays([inside, ALICE._replace(war=WAR)], [], [])
    assert [(row.definition.name, row.running) for row in rows] == [(WAR, "disabled"), ("process 5", "unknown")]


def test_rows_are_made_of_strays_alone(proc: Proc) -> None:
    """A build that cannot be looked at, or a process in a unit that is known, is that unit's matter."""
    proc.process(10, ["java", "-jar", WAR])
    for pid, parent, cgroup in ((11, 10, "/y"), (12, 1, "/system.slice/cloudbees-core-cm.service"), (13, 1, "/y")):
        folder = proc.process(pid, ["java", "x" * (1 << 20)], parent=parent)
        (folder / "cgroup").write_text(f"0::{cgroup}\n")
    ended = proc.process(14, ["java", "x" * (1 << 20)])
    (ended / "stat").write_text("14 (java) Z 1 " + " ".join(["0"] * 15) + " 1 0 1000 0 0\n")
    (unseen,) = processes.running(str(proc.root), cgroups=["/system.slice/cloudbees-core-cm.service"]).unseen
    assert [pid for pid, _place in unseen.rows] == [13]
    assert len(unseen.places) == 3


@pytest.mark.parametrize(
    ("uid", "homes", "loaded", "owned"),
    [
        (0, "other's", True, True),
        (33, "other's", True, False),
        (33, "his", True, True),
        (33, "", True, False),
        (33, "", False, True),
        (1000, "", False, False),
        (1000, "his", False, True),
        (33, "other's", False, False),
    ],
)
def test_a_unit_without_a_user_is_not_everybodys(
    tmp_path: Path, uid: int, homes: str, loaded: bool, owned: bool
) -> None:
    """With the very war and no home of his own: a web server's user, or who logs in with a number below 1000."""
    if homes == "his":
        os.chown(tmp_path, uid, -1)
    mine = owner("a", user="", home=str(tmp_path) if homes else "")
    jvm = JVM._replace(uid=uid, user="x", cgroup="/user.slice/session-1.scope", home="")
    (found,) = state._owned([mine if loaded else mine._replace(loaded=None)], [jvm])
    assert bool(found) == owned


def test_agents_beside_their_controller_are_none_of_it_and_alone_they_are_no_agents() -> None:
    agent = JVM._replace(pid=2, war="/home/a/agent.jar")
    assert state._owned([owner("a")], [JVM, agent]) == [(JVM,)]
    assert [jvm.pid for jvm in state._owned([owner("a")], [agent])[0]] == [2]


@pytest.mark.parametrize(
    ("active", "count", "known"),
    [("active", 1, False), ("activating", 1, False), ("active", 0, True), ("inactive", 1, True), ("failed", 0, True)],
)
def test_a_unit_that_runs_without_a_jvm(monkeypatch: pytest.MonkeyPatch, active: str, count: int, known: bool) -> None:
    """It is not known not to run."""
    monkeypatch.setattr(_proc, "members", lambda _cgroup: count)
    reason = state._unseen(owner("a", active=active), [], True)
    assert (reason is None) == known
    assert state._summary((), reason)[0] == ("not_running" if known else "unknown")


@pytest.mark.parametrize(
    ("rank", "unit", "known"),
    [(_proc.LOGIN, True, True), (_proc.SYSTEM, True, False), (_proc.OURS, True, False), (_proc.LOGIN, False, False)],
)
def test_what_was_not_looked_at_may_be_the_installation(rank: int, unit: bool, known: bool) -> None:
    mine = owner("a", active="inactive")
    if not unit:
        mine = mine._replace(definition=_definition.script_definition("/opt/start.sh"), loaded=None)
    unseen = [processes.Unseen([_proc.Place(rank, 0, "/x")], "no time")]
    assert (state._unseen(mine, unseen, True) is None) == known


def test_members_of_a_cgroup(proc: Proc) -> None:
    for pid, cgroup in ((10, "/a.service"), (11, "/a.service/b"), (12, "/a.services"), (13, "/")):
        (proc.process(pid, ["x"]) / "cgroup").write_text(f"0::{cgroup}\n")
    assert _proc.members("/a.service", str(proc.root)) == 2


def test_a_unit_whose_java_reads_an_argument_file_is_an_installation(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.write("/etc/cb/java.args", f"-Xmx32m\n{FLAG}\n-jar\n/opt/cb/cloudbees-core-cm.war\n--httpPort=9191\n")
    host.write(
        "/etc/systemd/system/cloudbees-core-cm3.service",
        "[Service]\nEnvironment=JENKINS_HOME=/var/lib/cb3\nExecStart=/usr/bin/java @/etc/cb/java.args\n",
    )
    definition, outcome = host.only()
    assert (definition.name, outcome.verdict, outcome.programs, outcome.homes) == (
        "cloudbees-core-cm3",
        "disabled",
        ("/opt/cb/cloudbees-core-cm.war",),
        ("/var/lib/cb3",),
    )
    host.write("/etc/cb/java.args", "-jar\n/opt/cb/cloudbees-core-cm.war\n")
    assert host.verdict() == "enabled"
    host.write("/etc/systemd/system/other.service", "[Service]\nExecStart=/usr/bin/java @/etc/none.args\n")
    assert host.verdict() == "enabled", "an argument file that is not there starts nothing of ours"


def test_a_container_is_an_installation_of_its_own() -> None:
    (entry,) = state._strays([JVM._replace(container=True)], [], [])
    document = _document.installation_document(entry, HostFiles("/"))
    assert (document["packaging"], document["running"], document["on_disk"]) == ("container", "enabled", "unresolvable")
    assert "container" in document["on_disk_detail"]["reason"]

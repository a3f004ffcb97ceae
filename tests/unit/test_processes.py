"""Running JVMs: whose they are and what can be read of them, from a /proc that the test makes, and from real ones."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hostroot import FLAG
from jvms import jvms

from ansible_collections.cbops.telemetry.plugins.module_utils import _examination as examination
from ansible_collections.cbops.telemetry.plugins.module_utils import _installations as installations
from ansible_collections.cbops.telemetry.plugins.module_utils import _processes as processes
from ansible_collections.cbops.telemetry.plugins.module_utils import _state as state
from ansible_collections.cbops.telemetry.plugins.module_utils import _systemd as systemd
from ansible_collections.cbops.telemetry.plugins.module_utils._files import HostFiles

WAR = "/usr/share/cloudbees-core-cm/cloudbees-core-cm.war"


class Proc:
    """A /proc with processes of the test's own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "stat").write_text("cpu 1 2\nbtime 1700000000\n")

    def process(self, pid: int, argv: list[str], environment: dict[str, str] | None = None, name: str = "java",
                parent: int = 1) -> Path:
        """A process with this command line and environment."""
        folder = self.root / str(pid)
        folder.mkdir()
        (folder / "cmdline").write_bytes(b"".join(word.encode() + b"\0" for word in argv))
        (folder / "environ").write_bytes(b"".join(f"{k}={v}\0".encode() for k, v in (environment or {}).items()))
        (folder / "stat").write_text(f"{pid} ({name}) S {parent} " + " ".join(["0"] * 17) + " 1000 0 0\n")
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
    found = {item.pid: item for item in processes.running(str(proc.root))}
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
    assert processes.running(str(proc.root)) == []


def test_processes_that_are_hidden_are_not_said_to_be_gone(proc: Proc, monkeypatch: pytest.MonkeyPatch) -> None:
    """A /proc that is mounted with hidepid, read without root."""
    proc.process(10, ["java", "-jar", WAR])

    def refuse(path: str) -> bytes:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(processes, "read_file", refuse)
    with pytest.raises(PermissionError, match="hidepid"):
        processes.running(str(proc.root))
    monkeypatch.setattr(processes, "running", lambda attach: refuse("/proc"))
    jvms, hidden = state._running(True, "never", [])
    assert state._summary(jvms, hidden) == ("unknown", "running processes cannot be listed: Permission denied")


def test_a_name_with_parentheses(proc: Proc) -> None:
    proc.process(10, ["java", "-jar", WAR], name="ja) va (x")
    assert processes.running(str(proc.root))[0].started == "2023-11-14T22:13:30Z"


def test_an_environment_that_cannot_be_read_is_unknown(proc: Proc, monkeypatch: pytest.MonkeyPatch) -> None:
    proc.process(10, ["java", FLAG, "-jar", WAR])
    real = processes.read_file

    def refuse(path: str) -> bytes:
        if path.endswith("/environ"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(examination, "read_file", refuse)
    found, = processes.running(str(proc.root))
    assert (found.state, found.value) == ("unknown", None)
    assert "Permission denied" in (found.reason or "")


def test_an_argument_file_is_read_where_the_process_is(proc: Proc) -> None:
    folder = proc.process(10, ["java", "@opts", "@/etc/opts", "-jar", WAR])
    (folder / "cwd").symlink_to("/work")
    (folder / "root/work").mkdir(parents=True)
    (folder / "root/work/opts").write_text(FLAG)
    found, = processes.running(str(proc.root))
    assert (found.state, "/etc/opts" in (found.reason or "")) == ("unknown", True)
    (folder / "root/etc").mkdir()
    (folder / "root/etc/opts").symlink_to("/etc/more")  # a link leads below its root, not below ours
    (folder / "root/etc/more").write_text("-Da=b")
    found, = processes.running(str(proc.root))
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
    found, = processes.running(str(proc.root))
    assert found.state == state


def test_an_argument_file_that_is_a_pipe_does_not_hold_us(proc: Proc) -> None:
    folder = proc.process(10, ["java", "@/opts", "-jar", WAR])
    (folder / "root").mkdir()
    os.mkfifo(folder / "root/opts")
    found, = processes.running(str(proc.root))
    assert (found.state, "cannot be read" in (found.reason or "")) == ("unknown", True)


def test_processes_that_cannot_be_told_in_time(proc: Proc, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be the controller: so nobody is said not to run."""
    proc.process(11, ["java", FLAG, "-jar", WAR])
    line = proc.process(10, ["java", FLAG, "-jar", WAR]).joinpath("cmdline")
    line.unlink()
    os.mkfifo(line)
    monkeypatch.setattr(processes, "_SCAN_SECONDS", 0.1)
    with pytest.raises(OSError, match="could not be read"):
        processes.running(str(proc.root))


def test_what_hangs_is_unknown_and_the_others_carry_on(proc: Proc, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe that nobody writes to stands for a file server that is gone: nothing ends that read from inside."""
    environ = proc.process(10, ["java", FLAG, "-jar", WAR]).joinpath("environ")
    environ.unlink()
    os.mkfifo(environ)
    proc.process(11, ["java", FLAG, "-jar", WAR])
    monkeypatch.setattr(examination, "_READ_SECONDS", 0.1)
    assert [(item.state, item.reason) for item in processes.running(str(proc.root))] == [
        ("unknown", "it could not be read (not in time)"), ("disabled", None)]


def test_only_plain_values_are_shown(proc: Proc) -> None:
    proc.process(10, ["java", FLAG + ",-Dpassword=x", "-jar", WAR])
    found, = processes.running(str(proc.root))
    assert found.document()["value"] == "(other)"
    assert found.state == "enabled"


def test_what_runs_below_a_controller_is_a_build(proc: Proc) -> None:
    proc.process(10, ["java", "-jar", WAR])
    proc.process(11, ["sh", "-c", "mvn verify"], name="sh", parent=10)
    proc.process(12, ["java", "-jar", "/tmp/work/jenkins.war"], parent=11)
    proc.process(13, ["java", "-jar", "/tmp/work/jenkins.war"], {"JENKINS_SERVER_COOKIE": "1"})
    assert [(item.pid, item.controller, item.of_build) for item in processes.running(str(proc.root))] == [
        (10, None, False), (12, 10, False), (13, None, True)]


@pytest.mark.parametrize(("lines", "cgroup"), [
    ("0::/system.slice/x.service\n", "/system.slice/x.service"),
    ("4:memory:/a\n1:name=systemd:/system.slice/x.service\n0::/system.slice/x.service\n", "/system.slice/x.service"),
    ("4:memory:/a\n1:name=systemd:/system.slice/x.service\n", "/system.slice/x.service"),
    ("1:name=systemd:/system.slice/x.service\n0::/\n", "/system.slice/x.service"),
    ("4:memory:/a\n", ""),
])
def test_cgroups(proc: Proc, lines: str, cgroup: str) -> None:
    """Version 2, hybrid, version 1, a container's view, no systemd."""
    proc.process(10, ["java", "-jar", WAR]).joinpath("cgroup").write_text(lines)
    assert processes.running(str(proc.root))[0].cgroup == cgroup


def test_homes_and_containers(proc: Proc) -> None:
    proc.process(10, ["java", "-jar", WAR], {"JENKINS_HOME": "/a"})
    proc.process(11, ["java", "-DJENKINS_HOME=/b", "-jar", WAR], {"JENKINS_HOME": "/a"})
    status = proc.process(12, ["java", "-jar", WAR]).joinpath("status")
    status.write_text(status.read_text().replace("NSpid:\t12", "NSpid:\t12\t1"))
    (proc.root / "self").mkdir()
    (proc.root / "self/root").symlink_to("/")
    (proc.root / "10/root").symlink_to("/")
    (proc.root / "11/root").mkdir()
    found = {item.pid: item for item in processes.running(str(proc.root))}
    assert [found[pid].home for pid in (10, 11, 12)] == ["/a", "/b", ""]
    assert [found[pid].container for pid in (10, 11, 12)] == [False, True, True]
    assert found[12].document()["container"] is True


def test_one_that_ends_while_it_is_read(proc: Proc, monkeypatch: pytest.MonkeyPatch) -> None:
    """A zombie has an empty environment: that proves nothing."""
    folder = proc.process(10, ["java", "-jar", WAR])
    proc.process(11, ["java", FLAG, "-jar", WAR])
    real = examination._home

    def end(argv: list[str], environment: dict[str, str]) -> str:
        (folder / "stat").write_text("10 (java) Z 1 " + " ".join(["0"] * 17) + " 1000 0 0\n")
        return real(argv, environment)

    monkeypatch.setattr(examination, "_home", end)
    assert [(item.state, item.reason) for item in processes.running(str(proc.root))] == [
        ("unknown", "it ended while it was read"), ("disabled", None)]


@pytest.mark.parametrize(("said", "source"), [
    ("false", "JDK_JAVA_OPTIONS"), ("true", "JAVA_TOOL_OPTIONS"), ("other", "set inside the JVM"), (None, None)])
def test_the_source_of_what_a_jvm_said(said: str | None, source: str | None) -> None:
    """A JVM 8 has no JDK_JAVA_OPTIONS: what it says comes from the layer below."""
    weak = examination._Weak("false", "JDK_JAVA_OPTIONS", [], None,
                           {"true": "JAVA_TOOL_OPTIONS", "false": "JDK_JAVA_OPTIONS"})
    assert examination._settled(weak, examination._attach.Answer("attach", said, None, False)) == (
        said, "disabled" if said == "true" else "enabled", source, "attach", None)


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


@pytest.mark.parametrize(("change", "stale"), [
    (change_nothing, None), (upgrade, "its war was replaced after its start"),
    (Path.unlink, "its war was removed after its start"), (overwrite, "its war was written after its start")])
def test_stale_jvms(change: Callable[[Path], None], stale: str | None) -> None:
    with jvms() as machine:
        jvm = machine.start(war=True)
        seen = processes.look(jvm.pid)
        assert seen is not None
        change(machine.war)
        assert examination.examine(seen, attach="never").stale == stale


# -- whose it is ------------------------------------------------------------------------------------

JVM = processes.Process(1, "2026-01-01T00:00:00Z", WAR, "/home/a", "/system.slice/a.service", None, "enabled", None,
                        "cmdline+environ", None, "a")
OUTSIDE = JVM._replace(cgroup="/user.slice")


def owner(name: str, *, war: str = WAR, home: str = "/home/a", user: str = "a") -> state.Owner:
    """An installation of this name, whose unit runs in a cgroup of the same name."""
    unit = systemd.Unit(f"{name}.service", "", None, (), {}, (), user)
    outcome = installations.Outcome("enabled", None, None, None, (), (), None, (war,) if war else (),
                                    (home,) if home else ())
    return state.Owner(installations.Definition(name, unit.name, (), {}, False, unit), outcome,
                       f"/system.slice/{name}.service")


@pytest.mark.parametrize(("jvm", "owned"), [
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
])
def test_owners(jvm: processes.Process, owned: list[bool]) -> None:
    found = state._owned([owner("a"), owner("b", user="b", home="/home/b")], [jvm])
    assert [bool(mine) for mine in found] == owned


def test_several_jvms_of_one_installation() -> None:
    old = JVM._replace(pid=2, war="/opt/old/jenkins.war", state="disabled")
    mine, = state._owned([owner("a")], [JVM, old])
    assert [jvm.pid for jvm in mine] == [1, 2]
    assert mine[0].stale is None
    assert mine[1].stale == f"it runs /opt/old/jenkins.war, the next start {WAR}"
    assert state._summary(mine) == ("mixed", "processes 1, 2 disagree")


def test_installations_that_cannot_be_resolved_own_their_cgroup() -> None:
    assert state._owned([owner("a", war="", home="")], [JVM])[0] == (JVM,)
    assert state._owned([owner("a", war="", home="")], [OUTSIDE])[0] == ()


def test_a_container_is_an_installation_of_its_own() -> None:
    entry = state._stray(JVM._replace(container=True))
    document = state.installation_document(entry, HostFiles("/"))
    assert (document["packaging"], document["running"], document["on_disk"]) == (
        "container", "enabled", "unresolvable")
    assert "container" in document["on_disk_detail"]["reason"]

"""Running JVMs, read from a /proc that the test makes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hostroot import FLAG

from ansible_collections.cbops.telemetry.plugins.module_utils import _processes as processes

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
    proc.process(12, ["runuser", "-u", "x", "--", "java", "-jar", WAR]).joinpath("exe").unlink()
    proc.process(13, [])
    (proc.root / "14").mkdir()  # it ended while we looked
    assert processes.running(str(proc.root)) == []


def test_a_name_with_parentheses(proc: Proc) -> None:
    proc.process(10, ["java", "-jar", WAR], name="ja) va (x")
    assert processes.running(str(proc.root))[0].started == "2023-11-14T22:13:30Z"


def test_an_environment_that_cannot_be_read_is_unknown(proc: Proc, monkeypatch: pytest.MonkeyPatch) -> None:
    proc.process(10, ["java", FLAG, "-jar", WAR])
    real = processes._read

    def refuse(path: str) -> bytes:
        if path.endswith("/environ"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(processes, "_read", refuse)
    found, = processes.running(str(proc.root))
    assert (found.state, found.value) == ("unknown", None)
    assert "Permission denied" in (found.reason or "")


def test_an_argument_file_is_read_where_the_process_is(proc: Proc) -> None:
    folder = proc.process(10, ["java", "@opts", "@/etc/opts", "-jar", WAR])
    (folder / "cwd").mkdir()
    (folder / "cwd/opts").write_text(FLAG)
    found, = processes.running(str(proc.root))
    assert (found.state, "/etc/opts" in (found.reason or "")) == ("unknown", True)
    (folder / "root/etc").mkdir(parents=True)
    (folder / "root/etc/opts").write_text("-Da=b")
    found, = processes.running(str(proc.root))
    assert found.state == "disabled"


def test_only_plain_values_are_shown(proc: Proc) -> None:
    proc.process(10, ["java", FLAG + ",-Dpassword=x", "-jar", WAR])
    found, = processes.running(str(proc.root))
    assert found.document()["value"] == "(other)"
    assert found.state == "enabled"

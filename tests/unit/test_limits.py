"""What a host's own program may use: it ends in time, says why, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostroot import Host

from ansible_collections.cbops.telemetry.plugins.module_utils.host import _child as child
from ansible_collections.cbops.telemetry.plugins.module_utils.host import _file_systems
from ansible_collections.cbops.telemetry.plugins.module_utils.host import _limits as limits
from ansible_collections.cbops.telemetry.plugins.module_utils.host._files import HostFiles
from ansible_collections.cbops.telemetry.plugins.module_utils.java import _jenkins_home
from ansible_collections.cbops.telemetry.plugins.module_utils.launch import _service_manager as service_manager


@pytest.fixture(autouse=True)
def _afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of another test is remembered."""
    monkeypatch.setattr(_file_systems._State, "mounts", None)
    monkeypatch.setattr(_file_systems._State, "silent", set())
    monkeypatch.setattr(_file_systems._State, "wasted", 0.0)
    monkeypatch.setattr(_jenkins_home._Time, "wasted", 0.0)
    monkeypatch.setattr(service_manager._Manager, "silent", False)


def gone(path: Path) -> bool:
    """Whether the process whose number was written down has ended, within a moment."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        stat = Path("/proc", path.read_text(), "stat")
        if not stat.exists() or stat.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return True
        time.sleep(0.01)
    return False


def hang() -> dict[str, Any]:
    """Never comes back."""
    while True:
        time.sleep(1)


# -- the whole --------------------------------------------------------------------------------------


def test_the_result_arrives() -> None:
    assert child.supervised(lambda: {"state": [1, None, "ü"]}) == {"state": [1, None, "ü"]}


def test_a_deadline_names_what_was_done() -> None:
    def work() -> dict[str, Any]:
        limits.phase("looking for installations")
        return hang()

    found = child.supervised(work, seconds=0.3)
    assert found["failed"]
    assert found["msg"] == "the host's own deadline passed after 0 seconds, while it was looking for installations"


def test_what_hangs_in_a_child_ends_before_the_deadline_and_the_rest_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RESERVE", 4.0)

    def late() -> str:
        try:
            child.bounded(hang, 60)
        except child.Late as error:
            return str(error)
        return "it came back"

    found = child.supervised(lambda: {"known": 1, "first": late(), "second": late()}, seconds=5.0)
    assert found == {"known": 1, "first": "not in time", "second": "the time for this host was used up"}


@pytest.mark.parametrize("size", [limits.ANSWER // 8, limits.ANSWER])
def test_an_answer_has_a_size(size: int) -> None:
    found = child.supervised(lambda: {"many": ["x" * 100] * (size // 100)})
    assert found.get("msg") == (
        None if size < limits.ANSWER else f"its answer is larger than {limits.ANSWER} bytes (while it was starting)"
    )


def test_a_string_has_a_length_and_says_what_is_missing() -> None:
    found = child.supervised(lambda: {"a": ["x" * 4096, {"b": ("y" * 5000, 1, None)}]})
    assert found == {"a": ["x" * 4096, {"b": ["y" * 4096 + " [904 characters more]", 1, None]}]}


def test_no_core_is_dumped_and_memory_has_an_end() -> None:
    import resource

    found = child.supervised(
        lambda: {
            name: resource.getrlimit(getattr(resource, name))[0] for name in ("RLIMIT_CORE", "RLIMIT_CPU", "RLIMIT_AS")
        }
    )
    used = found.pop("RLIMIT_AS") - limits.MEMORY  # what the process had before
    assert 0 < used < 64 << 30
    assert found == {"RLIMIT_CORE": 1, "RLIMIT_CPU": limits.CPU}


def test_another_program_gets_its_memory_back() -> None:
    def work() -> dict[str, Any]:
        child.unlimited_memory()
        return {"said": allowed()}

    def allowed() -> str:
        return subprocess.run(["sh", "-c", "ulimit -v"], capture_output=True, text=True, check=True).stdout

    assert child.supervised(lambda: {"said": allowed()})["said"] != allowed()
    assert child.supervised(work)["said"] == allowed()


def test_what_a_task_asks_for_has_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def work() -> dict[str, Any]:
        limits.more(10)
        time.sleep(0.6)
        return {"changed": False}

    assert child.supervised(work, seconds=0.3) == {"changed": False}


def test_a_write_is_not_interrupted_by_the_deadline_of_the_reading() -> None:
    def work() -> dict[str, Any]:
        limits.write()
        time.sleep(0.6)
        return {"changed": True}

    assert child.supervised(work, seconds=0.3) == {"changed": True}


PROGRAM = """
import os, sys, time
sys.path[:0] = {path!r}
from ansible_collections.cbops.telemetry.plugins.module_utils.host import _child as child
from ansible_collections.cbops.telemetry.plugins.module_utils.host import _limits as limits
def write(name):
    with open({folder!r} + "/" + name, "w") as stream: stream.write(str(os.getpid()))
def inner():
    write("inner"); time.sleep(1000)
def work():
    write("worker")
    {first}
    child.bounded(inner, 30)
    return {{}}
child.supervised(work)
"""


def started(folder: Path, first: str = "pass") -> subprocess.Popen[bytes]:
    """A program of ours in which something hangs, its standard output a pipe."""
    running = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(path=sys.path, folder=str(folder), first=first)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    until = time.monotonic() + 30
    while not (folder / "inner").exists() or not (folder / "inner").read_text():
        assert time.monotonic() < until, running.stderr
        time.sleep(0.01)
    return running


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT, None])
def test_nothing_goes_on_where_nobody_listens(tmp_path: Path, number: int | None) -> None:
    """By a signal, or because the connection ended."""
    running = started(tmp_path)
    assert running.stdout is not None
    if number is None:
        running.stdout.close()
    else:
        running.send_signal(number)
    running.wait(10)
    assert gone(tmp_path / "worker")
    assert gone(tmp_path / "inner")


def test_what_writes_is_left_to_finish(tmp_path: Path) -> None:
    running = started(tmp_path, "limits.write()")
    assert running.stdout is not None
    running.stdout.close()
    time.sleep(0.5)
    assert running.poll() is None
    running.terminate()
    assert running.wait(10)
    assert gone(tmp_path / "inner")


def test_a_child_ends_by_itself_where_its_parent_was_killed(tmp_path: Path) -> None:
    """Its alarm is set, whatever becomes of the others."""
    running = started(tmp_path)
    running.kill()
    running.wait()
    worker, inner = (int((tmp_path / name).read_text()) for name in ("worker", "inner"))
    alarms = [signal_of(pid) for pid in (worker, inner)]
    for pid in (worker, inner):
        os.kill(pid, signal.SIGALRM)  # what the kernel will do
    assert alarms == [True, True]
    assert gone(tmp_path / "worker")
    assert gone(tmp_path / "inner")


def signal_of(pid: int) -> bool:
    """Whether SIGALRM ends a process: it is neither blocked nor ignored nor caught."""
    lines = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    return not any(int(lines[name], 16) >> (signal.SIGALRM - 1) & 1 for name in ("SigBlk", "SigIgn", "SigCgt"))


def test_no_thread_is_waited_for() -> None:
    def work() -> dict[str, Any]:
        import threading

        threading.Thread(target=hang).start()
        return {"changed": False}

    assert child.supervised(work, limits.MEMORY_OF_PROBES) == {"changed": False}


# -- what can hang ----------------------------------------------------------------------------------


def test_a_process_that_is_left_behind_holds_no_output_and_no_answer(tmp_path: Path) -> None:
    """Whoever reads to the end of our output is not held up by a child that cannot be ended."""

    def fork_and_hang() -> str:
        if os.fork() == 0:
            (tmp_path / "inner").write_text(str(os.getpid()))
            os.setpgid(0, 0)
            hang()
        return "answer"

    assert child.bounded(fork_and_hang, 20) == "answer"
    while not (tmp_path / "inner").exists():
        time.sleep(0.01)
    pid = int((tmp_path / "inner").read_text())
    try:
        assert [os.readlink(f"/proc/{pid}/fd/{number}") for number in (0, 1, 2)] == ["/dev/null"] * 3
    finally:
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("table", "path", "place"),
    [
        ("1 0 0:1 / / rw - ext4 /dev/vda rw\n2 1 0:2 / /mnt rw shared:1 - nfs4 server:/x rw\n", "/mnt/a/b", "/mnt"),
        ("1 0 0:1 / / rw - nfs4 server:/root rw\n", "/etc/default/x", None),
        ("2 1 0:2 / /mnt rw - nfs4 server:/x rw\n3 2 0:3 / /mnt/own rw - xfs /dev/vdb rw\n", "/mnt/own/x", None),
        ("2 1 0:2 / /mnt rw - nfs4 server:/x rw\n", "/mnt2/x", None),
        ("2 1 0:2 / /a\\040b rw - fuse.sshfs x rw\n", "/a b", "/a b"),
        ("2 1 0:2 / /mnt rw - autofs systemd-1 rw\n3 1 0:3 / /mnt rw - ext4 /dev/vdb rw\n", "/mnt/x", None),
        ("2 1 0:2 / /mnt rw - a-kind-of-next-year x rw\n", "/mnt/x", "/mnt"),
    ],
)
def test_which_file_systems_may_hang(tmp_path: Path, table: str, path: str, place: str | None) -> None:
    (tmp_path / "mountinfo").write_text(table)
    assert _file_systems._place_of(path, _file_systems._mounts(str(tmp_path / "mountinfo"))) == place


def counted(calls: list[str], name: str, work: Callable[[], Any]) -> Callable[[], Any]:
    """Work that is counted where it is done in this process."""

    def run() -> Any:
        calls.append(name)
        return work()

    return run


def test_a_dead_file_system_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_file_systems._State, "mounts", {"/dead": "nfs4", "/alive": "nfs4", "/": None})
    monkeypatch.setattr(limits, "LOOK", 0.2)
    calls: list[str] = []
    monkeypatch.setattr(
        child,
        "bounded",
        lambda work, seconds, grace, real=child.bounded: (calls.append("child"), real(work, seconds, grace))[1],
    )
    for _time in range(3):
        with pytest.raises(_file_systems.Silent, match="the file system at /dead does not answer"):
            _file_systems.look("/dead/x", hang)
    assert calls == ["child"]
    assert _file_systems.look("/alive/x", lambda: ["ü\udcff", 1]) == ["ü\udcff", 1]
    with pytest.raises(FileNotFoundError):
        _file_systems.look("/alive/x", lambda: os.stat("/nothing/here"))
    assert _file_systems.look("/here", counted(calls, "direct", lambda: 5)) == 5
    assert calls[-1] == "direct"


def test_many_dead_file_systems_cost_no_more_than_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_file_systems._State, "mounts", {f"/{number}": "nfs4" for number in range(50)})
    monkeypatch.setattr(limits, "LOOK", 0.2)
    monkeypatch.setattr(limits, "LOOKS", 0.5)
    looked = []
    for number in range(50):
        with pytest.raises(_file_systems.Silent) as caught:
            _file_systems.look(f"/{number}/x", hang)
        looked.append("does not answer" in str(caught.value) and "not asked" not in str(caught.value))
    assert 1 <= sum(looked) <= 4


def test_nothing_that_is_not_known_passes_for_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_file_systems._State, "mounts", {"/dead": "nfs4"})
    monkeypatch.setattr(_file_systems._State, "silent", {"/dead"})
    files = HostFiles()
    for ask in (files.exists, files.head, files.list, files.is_masked, files.read, files.resolve):
        with pytest.raises(_file_systems.Silent):
            ask("/dead/x")
    assert files.test("f", "/dead/x") is None


def test_a_unit_whose_launcher_is_on_a_dead_file_system_is_not_passed_over(
    monkeypatch: pytest.MonkeyPatch, host: Host
) -> None:
    from ansible_collections.cbops.telemetry.plugins.module_utils.launch._discovery import discover

    host.write("/etc/systemd/system/nobody-knows.service", "[Service]\nExecStart=/dead/start.sh\n")
    files = HostFiles(str(host.root))
    real = files._look
    monkeypatch.setattr(
        HostFiles,
        "_look",
        lambda self, place, work: _file_systems.look(place, work) if "/dead/" in place else real(place, work),
    )
    monkeypatch.setattr(_file_systems._State, "mounts", {f"{host.root}/dead": "nfs4"})
    monkeypatch.setattr(_file_systems._State, "silent", {f"{host.root}/dead"})
    found, _warnings = discover(files)
    assert [(definition.name, result.verdict, result.reason) for definition, result in found] == [
        ("nobody-knows", "unresolvable", f"the file system at {host.root}/dead does not answer")
    ]


# -- folders with more names than are looked through ---------------------------------------------------


@pytest.fixture
def crowd(host: Host, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes a folder with more names than are looked through, or with just as many."""
    monkeypatch.setattr(limits, "NAMES", 50)

    def make(folder: str, more: int = 1) -> None:
        for number in range(limits.NAMES + more):
            host.write(f"{folder}/{number}", "")

    return make


MANY = "the folder has more than 50 names"


def test_a_folder_with_too_many_names_is_not_known_and_never_empty(host: Host, crowd: Callable[..., None]) -> None:
    crowd("/many")
    crowd("/enough", 0)
    (host.root / "link").symlink_to("many")
    files = HostFiles(str(host.root))
    for folder in ("/many", "/link"):
        for _time in range(2):
            with pytest.raises(_file_systems.Silent, match=MANY):
                files.list(folder)
        with pytest.raises(OSError, match=MANY):
            files.list_below("/", folder)
        with pytest.raises(OSError, match=MANY):
            files.glob(f"{folder}/*")
    assert len(files.list("/enough")) == len(files.list_below("/", "enough")) == len(files.glob("/enough/*")) == 50
    crowd("/other", 0)
    with pytest.raises(OSError, match="leads to more than 50 names"):
        files.glob("/[eo][nt]*/*")


def test_a_crowded_folder_of_backups_is_refused_and_not_read_in_part(crowd: Callable[..., None], host: Host) -> None:
    from ansible_collections.cbops.telemetry.plugins.module_utils.edit._writing import names_beside, walked_to

    crowd("/many")
    crowd("/enough", 0)
    with walked_to(f"{host.root}/enough/1") as place:
        assert len(names_beside(place)) == 50
    with walked_to(f"{host.root}/many/1") as place, pytest.raises(OSError, match=MANY):
        names_beside(place)


def test_a_war_is_seen_among_the_first_files_that_a_jvm_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.cbops.telemetry.plugins.module_utils.running._facts import _opened_war

    monkeypatch.setattr(limits, "NAMES", 50)
    (tmp_path / "fd").mkdir()
    (tmp_path / "x.war").touch()
    (tmp_path / "fd/3").symlink_to(tmp_path / "x.war")
    assert _opened_war(str(tmp_path), "/x.war") is not None
    read: list[str] = []
    monkeypatch.setattr("os.readlink", lambda path: read.append(path) or "/nothing")
    for number in range(4, 200):
        (tmp_path / f"fd/{number}").symlink_to("/nothing")
    assert _opened_war(str(tmp_path), "/x.war") is None and len(read) == 51


@pytest.mark.parametrize(
    ("folder", "unit"),
    [
        ("/etc/systemd/system/a.service.d", "ExecStart=/usr/bin/java -jar /opt/cloudbees-core-cm.war"),
        (
            "/opt/t/webapps",
            "ExecStart=/usr/bin/java -Dcatalina.base=/opt/t org.apache.catalina.startup.Bootstrap start",
        ),
        (
            "/opt/t/conf/Catalina",
            "ExecStart=/usr/bin/java -Dcatalina.base=/opt/t org.apache.catalina.startup.Bootstrap start",
        ),
        ("/opt/env", "EnvironmentFile=/opt/env/*\nExecStart=/usr/bin/java -jar /opt/cloudbees-core-cm.war"),
        ("/opt/sh", "ExecStart=/opt/start.sh"),
    ],
)
def test_a_crowded_folder_costs_its_own_unit_alone(
    host: Host, crowd: Callable[..., None], folder: str, unit: str
) -> None:
    from ansible_collections.cbops.telemetry.plugins.module_utils.launch._discovery import discover
    from ansible_collections.cbops.telemetry.plugins.module_utils.launch._ownership import warnings

    host.write("/etc/systemd/system/a.service", f"[Service]\n{unit}\n")
    host.write("/etc/systemd/system/b.service", "[Service]\nExecStart=/usr/bin/java -jar /opt/cloudbees-core-oc.war\n")
    host.write("/opt/start.sh", "#!/bin/bash\nfor f in /opt/sh/*; do . $f; done\nexec java -jar /opt/jenkins.war\n")
    (host.root / "opt/start.sh").chmod(0o755)
    crowd(folder)
    files = HostFiles(str(host.root))
    found, _warnings = discover(files)
    assert [(definition.name, result.verdict) for definition, result in found] == [
        ("a", "unresolvable"),
        ("b", "enabled"),
    ]
    assert "more than 50 names" in (found[0][1].reason or "")
    warnings(files, found)


@pytest.mark.parametrize(
    "folder", ["/etc/systemd/system", "/lib/systemd/system/multi-user.target.wants", "/etc/init.d"]
)
def test_where_it_is_not_known_which_units_there_are_the_host_is_unknown(
    host: Host, crowd: Callable[..., None], folder: str
) -> None:
    from ansible_collections.cbops.telemetry.plugins.module_utils._answer import telemetry_info

    crowd(folder)
    done = telemetry_info(
        {"root": str(host.root), "launch_scripts": [], "connectivity": None, "attach": "never"}, False
    )
    assert done["failed"] and MANY in done["msg"] and folder in done["msg"]


def test_a_home_with_too_many_names_is_not_without_a_plugin_and_a_proxy(host: Host, crowd: Callable[..., None]) -> None:
    host.write("/home/plugins/cloudbees-analytics.jpi", "")
    crowd("/home/plugins")
    crowd("/home")
    found = _jenkins_home.settings(HostFiles(str(host.root)), "/home", [])
    for key in ("analytics_plugin", "license_tracker_plugin", "proxy"):
        assert found[key] == "unknown"
        assert MANY in found["details"][key]["reason"]


# -- the product's settings, and the service manager ----------------------------------------------------


def test_a_dead_war_costs_its_version_alone(monkeypatch: pytest.MonkeyPatch, host: Host) -> None:
    host.write("/home/config.xml", "<a><noUsageStatistics>true</noUsageStatistics></a>")
    files = HostFiles(str(host.root))
    real = files._look
    monkeypatch.setattr(
        HostFiles,
        "_look",
        lambda self, place, work: _file_systems.look(place, work) if "/dead/" in place else real(place, work),
    )
    monkeypatch.setattr(_file_systems._State, "mounts", {f"{host.root}/dead": "nfs4"})
    monkeypatch.setattr(_file_systems._State, "silent", {f"{host.root}/dead"})
    found = _jenkins_home.settings_in_time(files, "/home", ["/dead/x.war"])
    assert (found["no_usage_statistics"], found["proxy"], found["product_version"]) == (True, None, "unknown")
    assert found["details"]["product_version"]["reason"] == (
        f"its war could not be read: the file system at {host.root}/dead does not answer"
    )


def test_a_dead_home_costs_the_settings_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HOME", 0.2)
    monkeypatch.setattr(limits, "HOMES", 0.5)
    monkeypatch.setattr(
        _jenkins_home,
        "settings",
        lambda files, home, wars: (
            hang() if home else {"product_version": "2.440", "details": {"product_version": {"state": "seen"}}}
        ),
    )
    found = [_jenkins_home.settings_in_time(HostFiles(), "/home", ["/x.war"]) for _installation in range(20)]
    assert found[0]["analytics_plugin"] == "unknown"
    assert found[0]["details"]["analytics_plugin"]["reason"] == "/home could not be read: not in time"
    assert found[0]["product_version"] == "2.440"
    assert "the time for all homes" in found[-1]["details"]["proxy"]["reason"]
    assert all(set(one) == set(found[0]) and set(one["details"]) == set(found[0]["details"]) for one in found)
    json.dumps(found)


def test_settings_are_the_same_in_time(host: Host) -> None:
    host.write("/home/config.xml", "<hudson><noUsageStatistics>true</noUsageStatistics></hudson>")
    files = HostFiles(str(host.root))
    asked = files, "/home", ["/x.war"]
    assert _jenkins_home.settings_in_time(*asked) == _jenkins_home.settings(*asked)


@pytest.mark.parametrize(
    "script", ["sleep 1000", "sleep 1000 & exec sleep 1000", "cat /dev/zero", "exec >&-; exec 2>&-; sleep 1000"]
)
def test_a_service_manager_that_does_not_answer_is_asked_once(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "busctl"
    program.write_text(f"#!/bin/sh\necho x >>{tmp_path}/asked\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(limits, "MANAGER", 0.5)

    def work() -> dict[str, Any]:
        said = []
        for _time in range(5):
            try:
                service_manager._busctl(["x"])
            except service_manager.Unavailable as error:
                said.append(str(error))
        return {"said": said}

    found = child.supervised(work)["said"]
    assert len(found) == 5
    assert "did not answer in 0 seconds" in found[0]
    assert (tmp_path / "asked").read_text() == "x\n"

"""The deadline of the control node: what it waits for ends, whatever it is, and memory stays small."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible.errors import AnsibleError

from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect import _deadline
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._deadline import TOO_LARGE, Deadline, descendants
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import PolicyError, host_limit


def lives(pid: int) -> bool:
    """Whether a process is there, and not only its exit status."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    "script",
    [
        "sleep 1000",
        "sleep 1000 & wait",  # another process holds the pipe
        "trap '' TERM INT HUP; while :; do sleep 1000; done",
        "while :; do echo drip; sleep 0.05; done",
    ],
)
def test_what_never_ends_is_ended(script: str, tmp_path: Path) -> None:
    with Deadline(0.5) as deadline:
        subprocess.run(["sh", "-c", f"echo $$ >{tmp_path}/pid; {script}"], capture_output=True, check=False)
    assert deadline.problem == "it did not answer within 0.5 seconds (telemetry_host_limit)"
    assert not lives(int((tmp_path / "pid").read_text()))
    assert descendants(os.getpid()) == []


def test_what_is_started_then_is_ended_too() -> None:
    started = 0
    with Deadline(0.3) as deadline:
        while started < 5:
            subprocess.run(["sleep", "1000"], check=False)
            started += 1
    assert deadline.problem
    assert started == 5


def test_what_the_plugin_makes_of_it_does_not_count() -> None:
    with Deadline(0.2) as deadline:
        subprocess.run(["sleep", "1000"], check=False)
        raise AnsibleError("the connection ended")
    assert deadline.problem
    with pytest.raises(AnsibleError, match="its own"), Deadline(60):
        raise AnsibleError("its own")


def test_a_connection_that_starts_nothing_is_closed() -> None:
    class Waiting:
        closed = False

        def close(self) -> None:
            self.closed = True

    connection = Waiting()
    with Deadline(0.2, connection) as deadline:
        while not connection.closed:
            time.sleep(0.01)
    assert deadline.problem


def test_a_flood_is_cut_while_it_comes() -> None:
    """In a process of its own, because the memory of this one has been larger before."""
    program = f"""
import resource, subprocess, sys
sys.path[:0] = {sys.path!r}
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._deadline import Deadline
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with Deadline(300) as deadline:
    found = subprocess.run(["head", "-c", str(1 << 30), "/dev/zero"], stdout=subprocess.PIPE).stdout
print(deadline.problem)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=300)
    problem, megabytes = done.stdout.splitlines()
    assert problem == TOO_LARGE == f"its answer is larger than {8 << 20} bytes"
    assert int(megabytes) < 900


def test_where_the_run_was_killed_nothing_goes_on(tmp_path: Path) -> None:
    """The process that Ansible forked for a host outlives it; what it asks the host does not."""
    program = f"""
import os, subprocess, sys, time
sys.path[:0] = {sys.path!r}
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._deadline import Deadline
if os.fork():
    while not os.path.exists({str(tmp_path / "pid")!r}): time.sleep(0.01)
    os._exit(0)
with Deadline(300) as deadline:
    subprocess.run(["sh", "-c", "echo $$ >{tmp_path}/new; mv {tmp_path}/new {tmp_path}/pid; exec sleep 300"])
with open({str(tmp_path / "said")!r}, "w") as stream:
    stream.write(deadline.problem)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    until = time.monotonic() + 30
    while not (tmp_path / "said").exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not lives(int((tmp_path / "pid").read_text()))
    assert (tmp_path / "said").read_text() == "the run was ended while it was asked"


def test_who_is_in_time_is_left_alone() -> None:
    with Deadline(60) as deadline:
        said = subprocess.run(["echo", "answer"], capture_output=True, text=True, check=True).stdout
    assert (deadline.problem, said) == (None, "answer\n")


def test_without_proc_ps_says_which_processes_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_deadline.Path, "exists", lambda self: False)
    child = subprocess.Popen(["sh", "-c", "sleep 300 & wait"])
    try:
        until = time.monotonic() + 60
        while len(descendants(os.getpid())) < 2 and time.monotonic() < until:
            time.sleep(0.01)
        found = descendants(os.getpid())
        assert len(found) == 2
        assert found[0] == child.pid
    finally:
        for pid in descendants(os.getpid()):
            os.kill(pid, 9)
        child.wait()


@pytest.mark.parametrize("value", ["", "soon", 0, -1, 3601, True, None, "1e3", 2.5, [150], "150 "])
def test_a_limit_that_is_none_is_refused(value: object) -> None:
    with pytest.raises(PolicyError, match="telemetry_host_limit is .*; it must be a number of seconds, from 1 to 3600"):
        host_limit({"telemetry_host_limit": value})


def test_limits() -> None:
    assert host_limit({}) == 150
    assert host_limit({"telemetry_host_limit": "20"}) == 20

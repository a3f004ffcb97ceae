"""A host that hangs, floods or drips costs its own verdict alone; what hangs on a host costs what lies there."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from attacker import FLEET, Site
from fleethand import BIN, CHECKOUT, Done, place

from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._deadline import descendants

#: Seconds that a host which hangs may take here; the others have the time that they have by default.
LIMIT = 4
LATE = f"it did not answer within {LIMIT} seconds (telemetry_host_limit)"
HOMES = {"deb": "/var/lib/cloudbees-core-cm", "rpm": "/var/lib/cloudbees-core-cm", "oss": "/var/lib/jenkins"}
#: What marks a process of ours on a host.
OURS = "^[^ ]+ +[0-9]+ [^ ]*python[0-9.]* -I -S -c import.sys,zlib"

FLOOD = """#!py
import sys
with open("/root/asked", "a") as stream: stream.write("x")
block = b"x" * (1 << 20)
for _number in range(1 << 10): sys.stdout.buffer.write(block)
answer = b""
"""
DRIP = """#!py
import sys, time
while True:
    sys.stdout.write("drip\\n"); sys.stdout.flush(); time.sleep(0.05)
"""


def left_on(site: Site, host: str, seconds: float = 30) -> str:
    """The processes of ours on a host; what waits inside the kernel cannot be ended by anybody."""
    until = time.monotonic() + seconds
    while True:
        found = site.shell(host, f"ps -eo stat=,pid=,args= | grep -E '{OURS}' | grep -v '^D' || true")
        if not found or time.monotonic() > until:
            return found
        time.sleep(0.2)


def left_here() -> list[str]:
    """The ssh processes of this checkout's fleet, without the masters that stay by design."""
    listed = subprocess.run(["ps", "-eo", "args="], capture_output=True, text=True, check=True).stdout
    return [
        line
        for line in listed.splitlines()
        if f"{place('hostile')}/ssh_config" in line
        and "ssh" in line
        and not re.search(r"\[mux\]|ansible-playbook", line)
    ]


def held(site: Site, host: str, script: str) -> None:
    """The host's Python is a script."""
    site.compromise(host, "{}", "nothing")
    site.put(host, "/root/script", f"#!/bin/sh\n{script}\n".encode(), 0o755)
    site.shell(host, "cat /root/script >$(readlink -f /usr/bin/python3)")


@pytest.fixture
def oss(site: Site) -> Iterator[str]:
    """A host that is as before afterwards."""
    yield "oss"
    site.shell("oss", "rm -f /etc/ssh/sshrc /root/asked; pkill -KILL -f '[s]leep 86400' || true")
    site.heal("oss")


def audit(site: Site, *names: str) -> Done:
    """An audit of ``deb``, and of hosts that have little time, each by both carriers: ``oss-pipe``, ``oss-module``."""
    late = {
        f"{name}-{carrier}": {"ansible_host": name, "telemetry_carrier": carrier, "telemetry_host_limit": LIMIT}
        for name in names
        for carrier in ("pipe", "module")
    }
    return site.play("audit", inventory=site.inventory({"deb": {}, **late}, telemetry_sweep="never"))


def test_a_host_that_never_answers_is_unknown_and_holds_nobody(site: Site, oss: str) -> None:
    """Its Python hangs, it drips, or it hangs after the login."""
    held(site, oss, "exec sleep 86400")
    held(site, "rpm", "while :; do echo drip; sleep 0.05; done")
    site.put("script", "/etc/ssh/sshrc", b"exec sleep 86400\n")
    try:
        done = audit(site, oss, "rpm", "script")
    finally:
        site.heal("rpm")
        site.shell("script", "rm /etc/ssh/sshrc; pkill -KILL -f '[s]leep 86400' || true")
    names = [f"{host}-{carrier}" for host in (oss, "rpm", "script") for carrier in ("pipe", "module")]
    assert done.verdicts() == {"deb": "violation", **dict.fromkeys(names, "unknown")}, done.output
    assert {done.reasons(name) for name in names} == {f"its state could not be read: {LATE}"}
    assert left_here() == []


def test_a_flood_is_cut_is_unknown_and_is_not_asked_for_again(site: Site, oss: str) -> None:
    site.compromise(oss, FLOOD)
    reports = site.folder / "flood"
    measured = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:]); "
        "print('height', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10)"
    )
    done = site.inside(
        sys.executable,
        "-c",
        measured,
        str(BIN / "ansible-playbook"),
        "cbops.telemetry.audit",
        "-i",
        str(site.inventory(telemetry_host_limit=120, telemetry_sweep="never")),
        "-e",
        f"telemetry_reports_dir={reports}",
    )
    found = {item["host"]: item for item in json.loads((reports / "audit.json").read_text())["hosts"]}
    assert {host: item["verdict"] for host, item in found.items()} == {
        "deb": "violation",
        "oss": "unknown",
        "rpm": "violation",
        "script": "violation",
    }, done.stdout
    assert found[oss]["reasons"] == [f"its state could not be read: its answer is larger than {8 << 20} bytes"]
    assert site.shell(oss, "cat /root/asked") == "x"
    assert int(re.findall(r"height (\d+)", done.stdout)[-1]) < 512  # megabytes, of the largest process
    assert left_here() == []


def test_the_sweep_cuts_a_flood_too(site: Site, oss: str) -> None:
    site.compromise(oss, FLOOD)
    done = site.play("audit", "-e", "telemetry_sweep=auto")
    assert (done.verdicts()[oss], done.verdicts()["deb"]) == ("unknown", "violation"), done.output
    assert done.reasons(oss) == f"its state could not be read: its answer is larger than {8 << 20} bytes"
    assert site.shell(oss, "cat /root/asked") == "x"


def test_a_drip_between_the_marks_holds_nobody(site: Site, oss: str) -> None:
    site.compromise(oss, DRIP)
    done = audit(site, oss)
    assert (done.verdicts()["oss-pipe"], done.verdicts()["deb"]) == ("unknown", "violation"), done.output
    assert LATE in done.reasons("oss-pipe")
    assert left_on(site, oss) == ""


def test_plan_and_enforce_go_on_without_a_host_that_hangs(site: Site, oss: str) -> None:
    held(site, oss, "exec sleep 86400")
    inventory = site.inventory({oss: {"telemetry_host_limit": LIMIT}, "deb": {}}, telemetry_sweep="never")
    plan = site.play("plan", "-e", f"telemetry_plan={site.folder}/plan.json", inventory=inventory)
    assert LATE in plan.output, plan.output
    done = site.play("enforce", inventory=inventory)
    assert LATE in done.reasons(oss), done.output
    assert (done.verdicts()[oss], done.verdicts()["deb"]) == ("unknown", "restart_pending")
    assert left_here() == []
    site.play("enforce", inventory=site.inventory({"deb": {}}, telemetry_desired="enabled"))


def test_a_limit_that_is_none_is_named(site: Site) -> None:
    values = {"deb": "soon", "oss": 0, "script": 4000}
    done = site.play(
        "audit",
        inventory=site.inventory(
            {"rpm": {}, **{host: {"telemetry_host_limit": value} for host, value in values.items()}}
        ),
    )
    for host in values:
        assert done.verdicts()[host] == "unknown", done.output
        assert "telemetry_host_limit" in done.reasons(host)
    assert done.verdicts()["rpm"] == "violation"
    assert done.code


# -- what hangs on a host -------------------------------------------------------------------------------


@pytest.fixture
def dead(site: Site) -> Iterator[Any]:
    """Makes file systems dead; they are gone afterwards."""
    made = []

    def make(host: str, folder: str, way: str) -> None:
        site.put(host, "/root/deadfs", (site.programs / "deadfs").read_bytes(), 0o755)
        site.shell(host, f"/root/deadfs {folder} {way}")
        made.append((host, folder))

    yield make
    for host, folder in reversed(made):
        site.shell(host, f"pkill -KILL deadfs; sleep 0.2; umount -l {folder} 2>/dev/null; true")


def entries(site: Site, hosts: dict[str, dict[str, Any]]) -> tuple[Done, dict[str, Any]]:
    """An audit, and the one installation of each host."""
    done = site.play("audit", inventory=site.inventory(hosts))
    states = {item["host"]: item["state"] for item in done.report["hosts"]}
    return done, {host: state["installations"][0] for host, state in states.items() if state}


CLOCKS = ("on_disk", "next_start", "running", "processes", "launch", "declarations")
OF_THE_HOME = ("analytics_plugin", "license_tracker_plugin", "no_usage_statistics", "proxy")


def test_a_dead_home_costs_the_settings_alone(site: Site, dead: Any) -> None:
    """One never takes requests, one never answers them, one answers for its root alone; asked by both carriers."""
    inventory = {
        f"{host}-{carrier}": {"ansible_host": host, "telemetry_carrier": carrier}
        for host in HOMES
        for carrier in ("pipe", "module")
    }
    before, as_before = entries(site, inventory)
    for (host, home), way in zip(HOMES.items(), ("deaf", "mute", "half"), strict=True):
        dead(host, home, way)
    done, found = entries(site, inventory)
    assert done.verdicts() == before.verdicts(), done.output
    for name, options in inventory.items():
        host, home = options["ansible_host"], HOMES[options["ansible_host"]]
        for clock in CLOCKS:
            assert found[name][clock] == as_before[name][clock], (name, clock)
        assert found[name]["settings"]["product_version"] == as_before[name]["settings"]["product_version"]
        for setting in OF_THE_HOME:
            assert found[name]["settings"][setting] == "unknown"
            assert found[name]["settings"]["details"][setting]["reason"].startswith(f"{home} could not be read: ")
        assert left_on(site, host) == ""


def test_a_dead_launcher_is_unknown_and_its_jvm_is_not(site: Site, dead: Any) -> None:
    for way in ("deaf", "mute"):
        dead("script", "/opt/cloudbees/cm", way)
        done, found = entries(site, {"script": {}})
        assert (found["script"]["on_disk"], found["script"]["running"]) == ("unresolvable", "enabled"), done.output
        assert found["script"]["on_disk_detail"]["reason"] == "the file system at /opt/cloudbees/cm does not answer"
        assert left_on(site, "script") == ""
        site.shell("script", "pkill -KILL deadfs; sleep 0.2; umount -l /opt/cloudbees/cm")


def test_a_dead_war_costs_its_version_alone(site: Site, dead: Any) -> None:
    folders = {host: os.path.dirname(site.facts[host]["war"]) for host in ("deb", "oss")}
    hosts: dict[str, dict[str, Any]] = {host: {} for host in folders}
    before, as_before = entries(site, hosts)
    for (host, folder), way in zip(folders.items(), ("deaf", "mute"), strict=True):
        dead(host, folder, way)
    done, found = entries(site, hosts)
    assert done.verdicts() == before.verdicts(), done.output
    for host, folder in folders.items():
        for clock in CLOCKS:
            assert found[host][clock] == as_before[host][clock], (host, clock)
        for setting in OF_THE_HOME:
            assert found[host]["settings"][setting] == as_before[host]["settings"][setting], (
                host,
                found[host]["settings"]["details"],
            )
        assert found[host]["settings"]["product_version"] == "unknown"
        assert found[host]["settings"]["details"]["product_version"]["reason"] == (
            f"its war could not be read: the file system at {folder} does not answer"
        )
        assert left_on(site, host) == ""


def test_a_unit_on_a_dead_file_system_is_not_passed_over(site: Site, dead: Any) -> None:
    site.shell("deb", "mkdir -p /mnt/other; mkdir -p /etc/systemd/system")
    site.put("deb", "/etc/systemd/system/other.service", b"[Service]\nExecStart=/mnt/other/start.sh\n")
    dead("deb", "/mnt/other", "deaf")
    try:
        done = site.play(
            "audit",
            "--limit",
            "deb",
            inventory=site.inventory(telemetry_desired="enabled", telemetry_connectivity="ignored"),
        )
    finally:
        site.shell("deb", "rm /etc/systemd/system/other.service")
    assert done.verdicts()["deb"] == "unknown", done.output
    assert "other: what the next start would do cannot be resolved" in done.reasons("deb")


def test_a_service_manager_that_hangs_costs_what_it_has_loaded(site: Site) -> None:
    site.put("oss", "/usr/local/bin/busctl", b"#!/bin/sh\nsleep 86400\n", 0o755)
    try:
        done, found = entries(site, {"oss": {}})
    finally:
        site.shell("oss", "rm /usr/local/bin/busctl")
    assert (found["oss"]["on_disk"], found["oss"]["running"]) == ("enabled", "enabled"), done.output
    assert found["oss"]["next_start_detail"]["reason"].startswith("the service manager did not answer in")
    assert site.shell("oss", "pgrep -f '[s]leep 86400' || true") == ""


#: Launch file by host, and what ends it: memory, depth, one long word.
BOMBS = {
    "deb": ("/etc/default/cloudbees-core-cm", b"X=xxxxxxxxxxxxxxxx\n" + b'X="$X$X"\n' * 40 + b'JAVA_ARGS="$X"\n'),
    "rpm": ("/etc/sysconfig/cloudbees-core-cm", b'JENKINS_JAVA_OPTIONS="' + b"$(" * 3000 + b'"\n'),
    "script": ("/opt/cloudbees/cm/start.sh", b'JAVA_OPTS="-Dx=' + b"y" * 200000 + b'"\n'),
}


def test_a_launch_file_that_is_a_bomb_costs_its_own_host(site: Site) -> None:
    for host, (path, bomb) in BOMBS.items():
        site.put(host, "/root/bomb", bomb)
        # The first line of a script names its shell; what a launch file says last counts.
        site.shell(
            host,
            f"cp -p {path} /root/kept; cd /root; "
            + (f"(head -n 1 kept; cat bomb; tail -n +2 kept) >{path}" if host == "script" else f"cat bomb >>{path}"),
        )
    try:
        for carrier in ("pipe", "module"):
            done = site.play("audit", inventory=site.inventory(telemetry_carrier=carrier))
            assert {done.verdicts()[host] for host in BOMBS} <= {"unknown", "violation"}, done.output
            assert done.verdicts()["oss"] == "violation"
            assert "Traceback" not in done.output
            assert "yyyyyyyy" not in done.output
            assert "xxxxxxxxxxxxxxxx" not in done.output
            assert [left_on(site, host) for host in BOMBS] == ["", "", ""]
    finally:
        for host, (path, _bomb) in BOMBS.items():
            site.shell(host, f"cat /root/kept >{path}")


@pytest.mark.parametrize("sweep", ["auto", "never"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_nothing_goes_on_where_the_run_is_ended(site: Site, number: int, sweep: str) -> None:
    """While the service manager is waited for; the host sees that its connection ended."""
    site.put("oss", "/usr/local/bin/busctl", b"#!/bin/sh\necho x >/root/waiting\nsleep 86400\n", 0o755)
    running = subprocess.Popen(
        [
            FLEET,
            "exec",
            site.profile,
            "--",
            str(BIN / "ansible-playbook"),
            "cbops.telemetry.audit",
            "--limit",
            "oss",
            "-i",
            str(site.inventory(telemetry_sweep=sweep)),
            "-e",
            f"telemetry_reports_dir={site.folder}/ended",
        ],
        cwd=CHECKOUT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + 60
        while not site.shell("oss", "cat /root/waiting 2>/dev/null || true"):
            assert time.monotonic() < until
            time.sleep(0.1)
        for process in [running.pid, *(descendants(running.pid) if number == signal.SIGKILL else [])]:
            os.kill(process, number)
        running.wait(60)
        assert left_on(site, "oss", 5) == ""
        assert site.shell("oss", "pgrep -f '[s]leep 86400' || true") == ""
    finally:
        running.kill()
        site.shell("oss", "rm -f /usr/local/bin/busctl /root/waiting")

"""Running JVMs on hosts that have only a JRE: they are asked themselves, and told apart from what is beside them."""

from __future__ import annotations

from typing import Any

import pytest
from fleethand import FLAG, Done, Fleet

HOST = "bookworm-oss"
CGROUP = "/sys/fs/cgroup/system.slice/jenkins.service/cgroup.procs"
WAR = "/usr/share/java/jenkins.war"


def state(done: Done, host: str) -> dict[str, Any]:
    """The state document of a host."""
    return next(item for item in done.report["hosts"] if item["host"] == host)["state"]


def processes(done: Done) -> dict[str, list[tuple[str, str | None]]]:
    """State and proof of every process, by host."""
    return {
        item["host"]: [
            (process["state"], process["proof"])
            for entry in item["state"]["installations"]
            for process in entry["processes"]
        ]
        for item in done.report["hosts"]
    }


def audit(fleet: Fleet, host: str = HOST) -> Done:
    """Audit one host."""
    return fleet.play("audit", inventory=fleet.inventory({host: {}}))


def test_every_jvm_answers_and_nothing_stays_behind(fleet: Fleet) -> None:
    """OpenJDK 17 and 21, three releases; each JVM runs as its own user."""
    pids = {host: fleet.shell(host, "pgrep -x java") for host in fleet.hosts}
    for _turn in range(2):
        assert processes(fleet.play("audit")) == {host: [("enabled", "attach")] for host in fleet.hosts}
    for host in fleet.hosts:
        assert fleet.shell(host, "pgrep -x java") == pids[host], f"{host}: its JVM is the same as before"
        assert fleet.shell(host, "find / -xdev -name '.attach_pid*'") == ""
        assert "thread dump" not in fleet.shell(
            host, "cat /var/log/cloudbees-core-*/*.log /var/log/jenkins/* 2>/dev/null; journalctl -q", check=False
        )


def test_never(fleet: Fleet) -> None:
    host = "trixie-script"
    pid = fleet.shell(host, "systemctl restart cloudbees-cm; sleep 3; pgrep -x java").strip()
    done = fleet.play("audit", "-e", "telemetry_attach=never", inventory=fleet.inventory({host: {}}))
    assert processes(done) == {host: [("enabled", "cmdline+environ")]}
    assert fleet.shell(host, f"ls /tmp/.java_pid{pid} 2>/dev/null", check=False) == ""


def test_a_stopped_jvm_is_unknown_and_the_others_carry_on(fleet: Fleet) -> None:
    fleet.shell(HOST, "pkill -STOP -x java")
    try:
        done = fleet.play("audit", inventory=fleet.inventory({HOST: {}, "trixie-oss": {}}))
    finally:
        fleet.shell(HOST, "pkill -CONT -x java")
    (entry,) = state(done, HOST)["installations"]
    assert entry["running"] == "unknown"
    assert "it is stopped" in entry["running_detail"]["reason"]
    assert processes(done)["trixie-oss"] == [("enabled", "attach")]


def test_a_replaced_war(fleet: Fleet) -> None:
    fleet.shell(HOST, f"cp -p {WAR} {WAR}.new; mv {WAR}.new {WAR}")
    (entry,) = state(audit(fleet), HOST)["installations"]
    assert [process["stale"] for process in entry["processes"]] == ["its war was replaced after its start"]
    fleet.shell(HOST, "systemctl restart jenkins; sleep 3")
    (entry,) = state(audit(fleet), HOST)["installations"]
    assert ["stale" in process for process in entry["processes"]] == [False]


@pytest.mark.parametrize(
    ("start", "said"),
    [
        # Agents run in the cgroup of what started them, with the same user.
        (f"cp {WAR} /tmp/agent.jar; exec java {FLAG} -jar /tmp/agent.jar --httpPort=9999", ""),
        (
            f"mkdir -p /tmp/b; cp {WAR} /tmp/b/jenkins.war; export JENKINS_HOME=/var/lib/jenkins JENKINS_SERVER_COOKIE=1; "
            f"exec java {FLAG} -jar /tmp/b/jenkins.war --httpPort=9998",
            "as part of a build",
        ),
    ],
    ids=["agent", "build"],
)
def test_what_else_runs_in_the_cgroup(fleet: Fleet, start: str, said: str) -> None:
    fleet.shell(HOST, f"nohup sh -c 'echo $$ > {CGROUP}; {start}' >/dev/null 2>&1 & echo $! > /tmp/beside; sleep 3")
    try:
        document = state(audit(fleet), HOST)
    finally:
        fleet.shell(HOST, "kill $(cat /tmp/beside)")
    (entry,) = document["installations"]
    assert (entry["running"], len(entry["processes"])) == ("enabled", 1)
    assert said in "\n".join(document["warnings"])


def test_a_container_on_the_host(fleet: Fleet) -> None:
    """The same war in namespaces of its own is another machine, not the host's installation."""
    fleet.shell(
        HOST,
        f"nohup unshare --mount --pid --fork --kill-child --mount-proc sh -c 'mount -t tmpfs tmpfs /tmp; "
        f"exec java {FLAG} -jar {WAR} --httpPort=9997' >/dev/null 2>&1 & echo $! > /tmp/beside; sleep 3",
    )
    try:
        ours, other = state(audit(fleet), HOST)["installations"]
    finally:
        fleet.shell(HOST, "kill $(cat /tmp/beside)")
    assert (ours["running"], len(ours["processes"])) == ("enabled", 1)
    assert (other["packaging"], other["running"]) == ("container", "disabled")
    assert [(process["proof"], process["container"]) for process in other["processes"]] == [("attach", True)]

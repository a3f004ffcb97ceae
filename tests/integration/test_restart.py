"""Restarts: only what owes one, replicas of one home never together, and a broken-off run healed by the next."""

from __future__ import annotations

import subprocess
import sys

from fleethand import FLAG, FLEET, Fleet

REPLICAS = ("bookworm-cm-deb", "trixie-cm-deb", "bullseye-cm-rpm")
HOSTS = (*REPLICAS, "trixie-oc-rpm", "bullseye-oc-deb", "trixie-script", "bookworm-oss")
SERVICE = "cloudbees-core-cm"


def down_times(fleet: Fleet, hosts: tuple[str, ...]) -> list[tuple[int, int]]:
    """When each host's service was last down, in microseconds of the clock that all hosts share."""
    spans = []
    for host in hosts:
        shown = fleet.shell(
            host, f"systemctl show {SERVICE} -p ActiveExitTimestampMonotonic -p ActiveEnterTimestampMonotonic"
        )
        values = dict(line.split("=") for line in shown.split())
        spans.append((int(values["ActiveExitTimestampMonotonic"]), int(values["ActiveEnterTimestampMonotonic"])))
    return sorted(spans)


# Asks all of them again and again, as a load balancer does; prints who does not answer, once a round.
WATCH = """
import sys, time, urllib.request
from concurrent.futures import ThreadPoolExecutor
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
def down(address):
    try:
        opener.open("http://%s:8080/whoAmI/api/json" % address, timeout=2).close()
    except OSError:
        return address
with ThreadPoolExecutor(4) as pool:
    while True:
        print(" ".join(filter(None, pool.map(down, sys.argv[1:]))), flush=True)
        time.sleep(0.1)
"""


def test_replicas_of_one_home_are_never_down_together(fleet: Fleet) -> None:
    addresses = [fleet.facts[host]["address"] for host in REPLICAS]
    inventory = fleet.inventory(
        {
            host: {
                "telemetry_restart_group": "payments",
                "telemetry_url": f"http://{fleet.facts[host]['address']}:8080/",
            }
            for host in REPLICAS
        }
    )
    with subprocess.Popen(
        [FLEET, "exec", "test", "--", sys.executable, "-c", WATCH, *addresses], stdout=subprocess.PIPE, text=True
    ) as watch:
        done = fleet.play(
            "enforce", "-e", "telemetry_restart=now", "-e", "telemetry_restart_serial=3", inventory=inventory
        )
        watch.terminate()
        rounds = [line.split() for line in watch.communicate()[0].splitlines()]
    assert set(done.verdicts().values()) == {"compliant"}, done.output
    assert {address for line in rounds for address in line} == set(addresses), "each was seen to be down once"
    assert max(map(len, rounds)) == 1, "never two at a time, as seen from outside"
    spans = down_times(fleet, REPLICAS)
    assert all(begin and begin < end for begin, end in spans), spans
    for (_begin, end), (begin, _end) in zip(spans, spans[1:], strict=False):
        assert end < begin, spans


def test_only_what_owes_a_restart_is_restarted(fleet: Fleet) -> None:
    """One of two hosts runs with the flag already: its JVM is left alone."""
    done_host, due_host = "trixie-oc-rpm", "bullseye-oc-deb"
    fleet.play("enforce", "-e", "telemetry_restart=now", inventory=fleet.inventory({done_host: {}}))
    pids = fleet.shell(done_host, "pgrep -x java")
    before = fleet.shell(due_host, "pgrep -x java")
    done = fleet.play(
        "enforce", "-e", "telemetry_restart=now", inventory=fleet.inventory({done_host: {}, due_host: {}})
    )
    assert set(done.verdicts().values()) == {"compliant"}
    assert fleet.shell(done_host, "pgrep -x java") == pids
    assert fleet.shell(due_host, "pgrep -x java") != before


def test_an_edit_without_its_restart_is_healed_by_the_next_run(fleet: Fleet) -> None:
    """Somebody edited, or a run broke off between edit and restart: the clocks still tell that a restart is owed."""
    host = "trixie-script"
    fleet.shell(host, f"sed -i 's/-Xmx32m/-Xmx32m {FLAG}/' /opt/cloudbees/cm/start.sh")
    assert fleet.play("audit", inventory=fleet.inventory({host: {}})).verdicts() == {host: "restart_pending"}
    done = fleet.play("enforce", "-e", "telemetry_restart=now", inventory=fleet.inventory({host: {}}))
    assert done.verdicts() == {host: "compliant"}


def test_a_drop_in_that_systemd_has_not_read(fleet: Fleet) -> None:
    """On disk it is right, loaded is the old unit: a daemon-reload is owed, and enforce does it."""
    host = "bookworm-oss"
    fleet.shell(
        host,
        "mkdir -p /etc/systemd/system/jenkins.service.d; printf '[Service]\\n"
        f'Environment="JAVA_OPTS=-Djava.awt.headless=true {FLAG}"\\n\' '
        "> /etc/systemd/system/jenkins.service.d/10-off.conf",
    )
    audit = fleet.play("audit", inventory=fleet.inventory({host: {}}))
    assert audit.verdicts() == {host: "restart_pending"}
    assert "daemon-reload" in audit.reasons(host)
    entry = audit.report["hosts"][0]["state"]["installations"][0]
    assert (entry["on_disk"], entry["next_start"], entry["running"]) == ("disabled", "enabled", "enabled")
    assert entry["daemon_reload_owed"] is True
    kept = fleet.play("enforce", "-e", "telemetry_daemon_reload=false", inventory=fleet.inventory({host: {}}))
    assert "daemon-reload" in kept.reasons(host)
    kept = fleet.play("enforce", "-e", "telemetry_restart=now", inventory=fleet.inventory({host: {}}))
    assert kept.verdicts() == {host: "restart_pending"}, "it is not ours"
    assert (
        "10-off.conf was changed by somebody else after the JVM's start (telemetry_restart_allow: [unit] allows "
        "it)" in kept.reasons(host)
    )
    done = fleet.play(
        "enforce",
        "-e",
        "telemetry_restart=now",
        "-e",
        "telemetry_restart_allow=unit",
        inventory=fleet.inventory({host: {}}),
    )
    assert done.verdicts() == {host: "compliant"}

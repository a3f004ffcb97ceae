"""Restarts after which a JVM does not stay up: rolled back, and what is said where that cannot be."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest
from fleethand import FLAG, FLEET, Fleet
from restarthand import HOME, HOST, SCRIPTS, SERVICE, on_again, pid

OSS = "bookworm-oss"
OSS_HOME = "/var/lib/jenkins"
DROP_IN = "/etc/systemd/system/jenkins.service.d/zzz-cbops-telemetry.conf"
HOSTS = (HOST, OSS, *SCRIPTS, "trixie-oc-rpm")
PASSWORD = "s3cr3t-of-a-keystore"  # noqa: S105


@pytest.fixture(autouse=True)
def enabled(fleet: Fleet) -> Iterator[None]:
    """Each test begins with telemetry on."""
    yield from on_again(fleet)


def knob(fleet: Fleet, host: str, home: str, words: str) -> None:
    """What the stand-in does from its next start on: MILLISECONDS enabled|disabled|any WORDS."""
    fleet.shell(host, f"printf '%s' {words!r} >{home}/standin-exit" if words else f"rm -f {home}/standin-exit")


def active(fleet: Fleet, host: str, service: str) -> str:
    """The state of a service."""
    return fleet.shell(host, f"systemctl is-active {service}", check=False).strip()


@pytest.mark.parametrize("milliseconds", [400, 6000])
@pytest.mark.parametrize(
    ("host", "service", "home", "edited"),
    [(HOST, SERVICE, HOME, f"/etc/default/{SERVICE}"), (OSS, "jenkins", OSS_HOME, DROP_IN)],
    ids=["an init script", "started again and again"],
)
def test_a_jvm_that_does_not_stay_up_is_a_failure_and_rolled_back(
    fleet: Fleet, host: str, service: str, home: str, edited: str, milliseconds: int
) -> None:
    """It ends soon after its start; with Restart=on-failure the service manager starts it again each time."""
    script = f"sha256sum {edited} 2>&1; stat -c '%a %u:%g' {edited} 2>&1"
    before = fleet.shell(host, script, check=False)
    old = pid(fleet, host)
    knob(fleet, host, home, f"{milliseconds} disabled -Djavax.net.ssl.keyStorePassword={PASSWORD} cannot be read")
    try:
        done = fleet.play(
            "enforce",
            "-vvv",
            "-e",
            "telemetry_restart=now",
            "-e",
            "telemetry_restart_timeout=60",
            "-e",
            "telemetry_settle=10",
            inventory=fleet.inventory({host: {}}),
        )
    finally:
        knob(fleet, host, home, "")
    assert done.code == 2, done.output
    reasons = done.reasons(host)
    assert f"Rolled back {edited} and restarted: it runs again as before (telemetry enabled)" in reasons, reasons
    assert "and has stayed up for 10 seconds" in reasons
    said = "SEVERE hudson.WebAppMain: -Djavax.net.ssl.keyStorePassword=***"
    assert ("said last: " if host == HOST else said) in reasons, "its last lines"
    assert PASSWORD not in done.output.replace("standin-exit", "") and PASSWORD not in reasons
    assert fleet.shell(host, script, check=False) == before, "every byte, mode and owner as before"
    assert active(fleet, host, service) == "active"
    assert pid(fleet, host) not in ("", old)


def test_the_first_real_restart_is_the_canary_wherever_it_stands(fleet: Fleet) -> None:
    """The batches before it owe none; of those in its own batch nothing is restarted before it has come up."""
    enabled = {"telemetry_desired": "enabled"}
    home = "/var/lib/cloudbees-cm"
    pids = {host: pid(fleet, host) for host in SCRIPTS}
    for host in SCRIPTS:
        knob(fleet, host, home, "400 disabled it ends")
    try:
        done = fleet.play(
            "enforce",
            "-e",
            "telemetry_restart=now",
            "-e",
            "telemetry_restart_timeout=30",
            inventory=fleet.inventory(
                {HOST: enabled, OSS: enabled, "trixie-oc-rpm": enabled, **{host: {} for host in SCRIPTS}}
            ),
        )
    finally:
        for host in SCRIPTS:
            knob(fleet, host, home, "")
    assert done.code == 2, done.output
    left = [host for host in SCRIPTS if pid(fleet, host) == pids[host]]
    assert len(left) == 1, done.output
    assert "1 restart failed in this run" in done.reasons(left[0])
    (canary,) = set(SCRIPTS) - set(left)
    assert "it runs again as before" in done.reasons(canary)
    fleet.play(
        "enforce",
        "-e",
        "telemetry_desired=enabled",
        "-e",
        "telemetry_restart=now",
        inventory=fleet.inventory({host: {} for host in SCRIPTS}),
    )


def test_a_service_that_stays_down_after_the_roll_back_is_said_to_be_down(fleet: Fleet) -> None:
    """With or without the flag the JVM ends; once the start limit is hit, the unit is failed."""
    knob(fleet, OSS, OSS_HOME, "400 any it ends")
    try:
        done = fleet.play(
            "enforce",
            "-e",
            "telemetry_restart=now",
            "-e",
            "telemetry_restart_timeout=60",
            inventory=fleet.inventory({OSS: {}}),
        )
        assert done.code == 2, done.output
        reasons = done.reasons(OSS)
        assert "it does not run either" in reasons, reasons
        assert re.search(r"(DOWN|NOT AS WANTED): jenkins\.service is", reasons), "it is up for moments"
        assert "runs again" not in reasons
        assert f"Rolled back {DROP_IN}" in reasons
        assert fleet.shell(OSS, f"ls {DROP_IN} 2>&1", check=False).count("No such file") == 1
    finally:
        knob(fleet, OSS, OSS_HOME, "")
        fleet.shell(OSS, "systemctl reset-failed jenkins; systemctl restart jenkins")


def test_what_an_admin_edits_meanwhile_is_not_rolled_back(fleet: Fleet) -> None:
    """The run says who stands in the way. Its own clock, or the host's, is no matter."""
    launch = f"/etc/default/{SERVICE}"
    fleet.shell(HOST, f"cp -p {launch} /root/kept")
    inventory = fleet.inventory({HOST: {}})
    knob(fleet, HOST, HOME, "3000 disabled it ends")
    try:
        with subprocess.Popen(
            [
                FLEET,
                "shell",
                "test",
                HOST,
                "--",
                "sh",
                "-c",
                f"for n in $(seq 600); do grep -q Sender.disabled=true {launch} && "
                f"{{ sleep 3; echo '# by hand' >>{launch}; exit; }}; sleep 0.1; done",
            ]
        ) as admin:
            done = fleet.play(
                "enforce",
                "-e",
                "telemetry_restart=now",
                "-e",
                "telemetry_settle=8",
                "-e",
                "telemetry_restart_timeout=60",
                inventory=inventory,
            )
            admin.wait()
        reasons = done.reasons(HOST)
        assert "somebody has changed it after run" in reasons, reasons
        assert "# by hand" in fleet.shell(HOST, f"cat {launch}")
        assert f"{SERVICE}.service is" in reasons, "what is known of the service"
    finally:
        knob(fleet, HOST, HOME, "")
        fleet.shell(HOST, f"cp -p /root/kept {launch}; systemctl restart {SERVICE}")


def test_without_backups_a_failure_says_that_nothing_can_be_rolled_back(fleet: Fleet) -> None:
    launch = f"/etc/default/{SERVICE}"
    fleet.shell(HOST, f"cp -p {launch} /root/kept")
    knob(fleet, HOST, HOME, "400 disabled it ends")
    try:
        done = fleet.play(
            "enforce",
            "-e",
            "telemetry_restart=now",
            "-e",
            "telemetry_backup=false",
            "-e",
            "telemetry_restart_timeout=15",
            inventory=fleet.inventory({HOST: {}}),
        )
        assert "this run kept no backup of what it edited" in done.reasons(HOST)
    finally:
        knob(fleet, HOST, HOME, "")
        fleet.shell(HOST, f"cp -p /root/kept {launch}; systemctl restart {SERVICE}")


def test_a_restart_that_would_start_something_else_is_refused(fleet: Fleet) -> None:
    """Another war is another change; half a war is started by nobody. The edit goes on, the debt stays."""
    host, war = OSS, "/usr/share/java/jenkins.war"
    inventory = fleet.inventory({host: {}})
    fleet.shell(host, f"cp -p {war} /root/war; systemctl restart jenkins; sleep 3")
    old = pid(fleet, host)
    fleet.shell(host, f"cp -p {war} {war}.new; mv {war}.new {war}; touch -d 2020-01-01 {war}")
    enforce = ("enforce", "-e", "telemetry_restart=now")
    try:
        plan = fleet.play("plan", "-e", "telemetry_restart=now", inventory=inventory)
        words = "a restart of jenkins.service also brings another war: its war was replaced after its start (refused)"
        assert words in plan.output, plan.output
        done = fleet.play(*enforce, inventory=inventory)
        assert (done.code, done.verdicts()) == (0, {host: "restart_pending"}), done.output
        assert "its war was replaced after its start (telemetry_restart_allow: [war] allows it)" in done.reasons(host)
        assert FLAG in fleet.shell(host, f"cat {DROP_IN}"), "edited all the same"
        assert pid(fleet, host) == old, "not restarted"
        (entry,) = done.report["hosts"][0]["state"]["installations"]
        assert entry["restart_brings"] == [{"kind": "war", "what": "its war was replaced after its start"}], (
            "our own drop-in is no change by others"
        )
        fleet.shell(host, f"head -c 20000 /root/war >{war}")
        done = fleet.play(*enforce, "-e", "telemetry_restart_allow=war,java,unit,plugins", inventory=inventory)
        assert (done.code, done.verdicts()) == (0, {host: "restart_pending"}), done.output
        assert f"would not come up again: {war} is no whole zip archive" in done.reasons(host)
        assert pid(fleet, host) == old, "not restarted, whatever is allowed"
        fleet.shell(host, f"cp -p /root/war {war}")
        done = fleet.play(*enforce, "-e", "telemetry_restart_allow=war", inventory=inventory)
        assert (done.code, done.verdicts()) == (0, {host: "compliant"}), done.output
        assert pid(fleet, host) not in ("", old)
    finally:
        fleet.shell(host, f"cp -p /root/war {war}; rm -f {DROP_IN}; systemctl daemon-reload; systemctl restart jenkins")

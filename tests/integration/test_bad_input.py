"""Bad input: each a clear error, or a verdict with its reason; nothing is written and the other hosts carry on."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fleethand import FLAG, Done, Fleet

BOTH_CARRIERS = True
GOOD = "bookworm-cm-deb"
BAD = "trixie-cm-deb"
HOSTS = (GOOD, BAD, "bullseye-cm-rpm")
FILE = "/etc/default/cloudbees-core-cm"


def both(fleet: Fleet, **bad: Any) -> Any:
    """An inventory of a good host and one with these variables."""
    return fleet.inventory({GOOD: {}, BAD: bad})


def test_unreachable_host(fleet: Fleet) -> None:
    fleet.power(BAD, "off")
    try:
        done = fleet.play("audit", inventory=both(fleet, ansible_ssh_extra_args="-o ConnectTimeout=3"))
    finally:
        fleet.power(BAD, "on")
    assert done.code == 2
    assert done.verdicts() == {GOOD: "violation", BAD: "unreachable"}
    assert "did not answer" in done.reasons(BAD)


def test_enforce_goes_on_without_an_unreachable_host(fleet: Fleet) -> None:
    fleet.power(BAD, "off")
    try:
        done = fleet.play("enforce", inventory=both(fleet, ansible_ssh_extra_args="-o ConnectTimeout=3"))
    finally:
        fleet.power(BAD, "on")
    assert done.verdicts() == {GOOD: "restart_pending", BAD: "unreachable"}
    assert done.code == 2
    fleet.play("enforce", "-e", "telemetry_desired=enabled", inventory=fleet.inventory({GOOD: {}}))


def test_no_python(fleet: Fleet) -> None:
    done = fleet.play("audit", inventory=both(fleet, ansible_python_interpreter="/opt/no/python"))
    assert done.verdicts() == {GOOD: "violation", BAD: "unknown"}
    assert "/opt/no/python" in done.reasons(BAD)


def test_no_permission(fleet: Fleet) -> None:
    """A user without sudo cannot read the JVM's environment nor every launch file: unknown, with the reason."""
    done = fleet.play(
        "audit",
        inventory=fleet.inventory({GOOD: {}, "bullseye-cm-rpm": {"ansible_user": "auditor", "ansible_become": False}}),
    )
    assert done.verdicts() == {GOOD: "violation", "bullseye-cm-rpm": "unknown"}
    assert "/etc/sysconfig/cloudbees-core-cm" in done.reasons("bullseye-cm-rpm")
    assert "Permission denied" in done.reasons("bullseye-cm-rpm")


def test_enforce_without_permission_writes_nothing(fleet: Fleet) -> None:
    before = fleet.shell(BAD, f"cat {FILE}")
    done = fleet.play("enforce", inventory=both(fleet, ansible_user="auditor", ansible_become=False))
    assert done.verdicts()[GOOD] == "restart_pending"
    assert done.verdicts()[BAD] in ("violation", "unknown")
    assert "permission denied; run with become" in done.reasons(BAD)
    assert fleet.shell(BAD, f"cat {FILE}") == before
    fleet.play("enforce", "-e", "telemetry_desired=enabled", inventory=fleet.inventory({GOOD: {}}))


@pytest.mark.parametrize(
    ("line", "reason"), [('. "$(ls /etc/x)"', "sources a file"), ('JAVA_ARGS="-Xmx32m', "no valid shell text")]
)
def test_a_live_variable_that_cannot_be_known(fleet: Fleet, line: str, reason: str) -> None:
    fleet.shell(BAD, f"cp -p {FILE} /root/kept; printf '%s\\n' '{line}' >> {FILE}")
    before = fleet.shell(BAD, f"sha256sum {FILE}")
    try:
        done = fleet.play("enforce", inventory=both(fleet))
        # Telemetry was seen running, so the host is a violation; why it could not be mended is said.
        assert done.verdicts() == {GOOD: "restart_pending", BAD: "violation"}
        assert reason in done.reasons(BAD)
        assert f"{FILE}:" in done.reasons(BAD)
        assert fleet.shell(BAD, f"sha256sum {FILE}") == before
        assert fleet.shell(BAD, f"ls {FILE}.*cbops* 2>/dev/null | wc -l") == "0\n"
    finally:
        fleet.shell(BAD, f"cp -p /root/kept {FILE}")
        fleet.play("enforce", "-e", "telemetry_desired=enabled", inventory=fleet.inventory({GOOD: {}}))


#: A policy that is not valid, and what is said of it.
INVALID: list[tuple[dict[str, Any], str]] = [
    ({"telemetry_desired": "off"}, "telemetry_desired"),
    ({"telemetry_desired": ""}, "telemetry_desired is not set"),
    ({"telemetry_desirred": "disabled"}, "did you mean telemetry_desired?"),
    ({"telemetry_connectivity": "yes please"}, "telemetry_connectivity"),
    ({"telemetry_waiver_warn_days": "few"}, "telemetry_waiver_warn_days"),
    ({"telemetry_launch_scripts": ["start.sh"]}, "no absolute path"),
    ({"telemetry_restart": "soon"}, "telemetry_restart"),
    ({"telemetry_attach": "sometimes"}, "telemetry_attach"),
]


@pytest.fixture(scope="module")
def held_to_none(fleet: Fleet) -> tuple[Done, str, str]:
    """One run for the good host and, under a name for each such policy, the bad one; its file before and after."""
    names = {f"bad{number}": {"ansible_host": BAD, **variables} for number, (variables, _) in enumerate(INVALID)}
    before = fleet.shell(BAD, f"sha256sum {FILE}")
    done = fleet.play("enforce", inventory=fleet.inventory({GOOD: {}, **names}))
    return done, before, fleet.shell(BAD, f"sha256sum {FILE}")


@pytest.mark.parametrize(("number", "said"), [(number, said) for number, (_, said) in enumerate(INVALID)])
def test_policy_that_is_not_valid(held_to_none: tuple[Done, str, str], number: int, said: str) -> None:
    done, before, after = held_to_none
    assert done.code == 2
    assert done.verdicts()[GOOD] == "restart_pending"
    assert done.verdicts()[f"bad{number}"] == "unknown"
    about = [line for line in done.output.splitlines() if re.search(rf"\bbad{number}\b", line)]
    assert said in "\n".join(about), done.output
    assert after == before


def test_empty_inventory(fleet: Fleet) -> None:
    for name in ("audit", "enforce", "probe"):
        done = fleet.play(name, inventory=fleet.inventory({}))
        assert done.code == 2, name
        assert "The inventory has no hosts that match" in done.output


def test_waivers(fleet: Fleet) -> None:
    valid = {
        "telemetry_waiver": {"until": "2199-12-31", "reason": "case 12345", "approved_by": "Jo Doe"},
        "telemetry_waiver_max_days": 99999,
    }
    ended = {"telemetry_waiver": {"until": "2020-01-01", "reason": "case 1", "approved_by": "Jo Doe"}}
    fleet.play("enforce", "-e", "telemetry_desired=enabled", inventory=both(fleet))
    done = fleet.play("enforce", inventory=fleet.inventory({GOOD: valid, BAD: ended}))
    assert done.verdicts() == {GOOD: "waived", BAD: "waiver_expired"}
    assert "case 12345 (approved by Jo Doe)" in done.reasons(GOOD)
    assert FLAG not in fleet.shell(GOOD, f"cat {FILE}"), "a valid waiver is left alone"
    assert FLAG in fleet.shell(BAD, f"cat {FILE}"), "an expired one is not"
    fleet.play("enforce", "-e", "telemetry_desired=enabled", inventory=both(fleet))


def test_a_service_that_does_not_come_back(fleet: Fleet) -> None:
    """A restart that brings no JVM with the wanted value is an error of that host, named in the report."""
    done = fleet.play("enforce", inventory=both(fleet))
    drop_in = "/run/systemd/system/cloudbees-core-cm.service.d"
    fleet.shell(
        BAD,
        f"mkdir -p {drop_in}; printf '[Unit]\\nAssertPathExists=/not/there\\n' >{drop_in}/x.conf; "
        "systemctl daemon-reload",
    )
    try:
        done = fleet.play(
            "enforce",
            "-e",
            "telemetry_restart=now",
            "-e",
            "telemetry_restart_timeout=5",
            "-e",
            "telemetry_restart_allow=unit",
            inventory=both(fleet),
        )
    finally:
        fleet.shell(BAD, f"rm -r {drop_in}; systemctl daemon-reload; systemctl restart cloudbees-core-cm")
    assert done.verdicts()[GOOD] == "compliant"
    assert "no new JVM runs" in done.reasons(BAD), done.reasons(BAD)
    assert done.code == 2

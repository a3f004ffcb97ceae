"""The project's proof: telemetry events arrive, stop after enforce and restart, and come back after `enabled`."""

from __future__ import annotations

import re
import time

import pytest
from fleethand import BIN, FLAG, PERIOD, SECRET, Fleet

SILENCE = 4 * PERIOD  # seconds in which a sender would have sent several times


def test_events_stop_everywhere_and_come_back(fleet: Fleet) -> None:
    """One story from start to end, because every step stands on the one before."""
    untouched = fleet.launch_files()
    began = time.time()
    assert all(fleet.wait_for_events(began).values()), "every host sends at first"

    audit = fleet.play("audit")
    assert audit.code == 2, audit.output
    assert set(audit.verdicts().values()) == {"violation"}
    assert audit.changed() == dict.fromkeys(fleet.hosts, 0)
    assert fleet.launch_files() == untouched, "an audit changes nothing"

    check = fleet.play("enforce", "--check", "--diff")
    assert all(check.changed().values()), "check mode says what would change"
    assert fleet.launch_files() == untouched, "check mode changes nothing"
    assert FLAG in check.output
    assert SECRET not in check.output

    enforced = fleet.play("enforce", "--diff")
    assert enforced.code == 0, enforced.output
    assert set(enforced.verdicts().values()) == {"restart_pending"}, "nothing is restarted unless policy says so"
    assert SECRET not in enforced.output
    assert all(fleet.wait_for_events(time.time()).values()), "the running JVMs do not know of the files"

    assert fleet.play("audit").code == 0

    restarted = fleet.play("enforce", "-e", "telemetry_restart=now")
    assert restarted.code == 0, restarted.output
    assert set(restarted.verdicts().values()) == {"compliant"}
    silence = time.time()
    time.sleep(SILENCE)
    assert fleet.events(silence) == dict.fromkeys(fleet.hosts, 0), "no event from any host"

    again = fleet.play("enforce", "-e", "telemetry_restart=now")
    assert again.code == 0
    assert again.changed() == dict.fromkeys(fleet.hosts, 0), "a second run changes nothing"

    verified = fleet.inside(str(BIN / "python"), "-m", "pytest", "tests/testinfra", "-q",
                            f"--ansible-inventory={fleet.inventory()}")
    assert verified.returncode == 0, verified.stdout

    enabled = fleet.play("enforce", "-e", "telemetry_restart=now", "-e", "telemetry_desired=enabled")
    assert enabled.code == 0, enabled.output
    assert set(enabled.verdicts().values()) == {"compliant"}
    for item in enabled.report["hosts"]:
        assert [answer["outcome"] for answer in item["state"]["connectivity"]] == ["connected"], item["host"]
    assert all(fleet.wait_for_events(time.time()).values()), "every host sends again"
    assert fleet.launch_files() == untouched, "`enabled` gives back every byte, mode and owner"


def test_backups_have_the_mode_and_owner_of_the_original(fleet: Fleet) -> None:
    """After the story above, every edited file has backups; they must not show more than the file itself."""
    seen = 0
    for host in fleet.hosts:
        for path in fleet.shell(host, "find /etc /opt -name '*.cbops~'").split():
            original = re.sub(r"\.\d{8}T\d{6}Z(-\d+)?\.cbops~$", "", path)
            if "zzz-cbops-telemetry.conf" in original:
                continue
            modes = fleet.shell(host, f"stat -c '%a %u:%g' {path} {original}").split("\n")
            assert modes[0] == modes[1], f"{host}: {path}"
            seen += 1
    assert seen >= len(fleet.hosts) - 2


@pytest.mark.parametrize("host", ["bookworm-cm-deb", "bullseye-cm-rpm"])
def test_the_second_opinion_fails_on_a_dead_variable(fleet: Fleet, host: str) -> None:
    """The flag in a variable that the launcher does not read: the suite says no, and so does the audit."""
    facts = fleet.facts[host]
    dead = "JENKINS_JAVA_OPTIONS" if "deb" in host else "JAVA_ARGS"
    path = facts["launch_file"]
    fleet.shell(host, f"cp -p {path} /root/kept; printf '%s\\n' '{dead}=\"{FLAG}\"' >> {path}; "
                      f"systemctl restart {facts['service']}")
    try:
        inventory = fleet.inventory({host: {}})
        verified = fleet.inside(str(BIN / "python"), "-m", "pytest", "tests/testinfra", "-q",
                                f"--ansible-inventory={inventory}")
        assert verified.returncode == 1, verified.stdout
        assert "next_start" in verified.stdout
        assert SECRET not in verified.stdout
        audit = fleet.play("audit", inventory=inventory)
        assert audit.verdicts() == {host: "violation"}
        assert f"the flag in {path}" in audit.reasons(host)
        assert "has no effect" in audit.reasons(host)
    finally:
        fleet.shell(host, f"cp -p /root/kept {path}; systemctl restart {facts['service']}")


def test_the_packages_stay_packages(fleet: Fleet) -> None:
    """The RPM's own check sees the edit as a changed configuration file, and an upgrade would keep it."""
    host = "bullseye-cm-rpm"
    fleet.play("enforce", inventory=fleet.inventory({host: {}}))
    listed = fleet.shell(host, "rpm -V cloudbees-core-cm", check=False)
    assert re.search(r"^S\.5\S*\s+c /etc/sysconfig/cloudbees-core-cm$", listed, re.MULTILINE), listed
    assert len(listed.strip().splitlines()) == 1, listed

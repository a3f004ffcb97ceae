"""The project's proof: telemetry events arrive, stop after enforce and restart, and come back after `enabled`."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path

import pytest
from fleethand import BIN, CHECKOUT, FLAG, PERIOD, SECRET, Fleet, place

SILENCE = 4 * PERIOD  # seconds in which a sender would have sent several times


@pytest.fixture(name="empty", scope="module")
def _empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder, and beside it the second opinion as `pip install` puts it there (from the package index: what
    builds it)."""
    place = tmp_path_factory.mktemp("user")
    (place / "empty").mkdir()
    done = subprocess.run(
        [
            BIN / "python",
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--target",
            place / "installed",
            CHECKOUT / "tests/testinfra",
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return place / "empty"


def opinion(fleet: Fleet, empty: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The installed second opinion, run where nothing of this checkout is; no process of a host is seen from there."""
    return fleet.inside(
        "unshare",
        "--pid",
        "--fork",
        "--mount-proc",
        str(BIN / "python"),
        "-m",
        "pytest",
        "-v",
        "-p",
        "no:cacheprovider",
        "--pyargs",
        "secondopinion",
        *arguments,
        cwd=empty,
        environment={"PYTHONPATH": str(empty.with_name("installed"))},
    )


def test_events_stop_everywhere_and_come_back(fleet: Fleet, empty: Path) -> None:
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

    verified = opinion(fleet, empty, f"--ansible-inventory={fleet.inventory()}", "--telemetry-forks=4")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert all(f"follows_the_policy[{host}] PASSED" in verified.stdout for host in fleet.hosts), verified.stdout

    enabled = fleet.play("enforce", "-e", "telemetry_restart=now", "-e", "telemetry_desired=enabled")
    assert enabled.code == 0, enabled.output
    assert set(enabled.verdicts().values()) == {"compliant"}
    for item in enabled.report["hosts"]:
        assert [answer["outcome"] for answer in item["state"]["connectivity"]] == ["connected"], item["host"]
    assert all(fleet.wait_for_events(time.time()).values()), "every host sends again"
    assert fleet.launch_files() == untouched, "`enabled` gives back every byte, mode and owner"


def test_the_second_opinion_needs_no_inventory(fleet: Fleet, empty: Path) -> None:
    """By testinfra's own URLs, each host by its own way, with what is needed to get there."""
    files = place("test")
    known = empty.with_name("known")
    known.write_text(f"UserKnownHostsFile {files}/known_hosts\nIdentitiesOnly yes\n")
    hosts = ["bookworm-cm-deb", "trixie-cm-deb"]
    first, second = (fleet.facts[host]["address"] for host in hosts)
    asked = (
        f"local://,ssh://ansible@{first}?ssh_config={known}&ssh_identity_file={files}/id_ed25519&sudo=true&timeout=20,"
        f"paramiko://{hosts[1]}?ssh_config={files}/ssh_config"
    )
    for desired, code in (("disabled", 1), ("enabled", 0)):
        told = opinion(
            fleet, empty, f"--hosts={asked}", f"--telemetry-desired={desired}", "-k", "answers or next_start"
        )
        assert told.returncode == code, told.stdout + told.stderr
        assert "lets_itself_be_read[localhost] PASSED" in told.stdout
        for name in (first, hosts[1]):
            assert f"next_start_follows_the_policy[{name}] {'FAILED' if code else 'PASSED'}" in told.stdout, told.stdout
    refused = opinion(fleet, empty, f"--hosts=ssh://ansible@{first}?ssh_config={known}", "--telemetry-desired=enabled")
    assert refused.returncode == 1 and "Permission denied" in refused.stdout, "without the key nobody gets in"


def test_backups_are_out_of_the_way_and_say_whose_the_file_was(fleet: Fleet) -> None:
    """After the story above, every edited file has backups; nobody but root can read them."""
    seen = 0
    for host in fleet.hosts:
        place = "/var/lib/cbops-telemetry/backups"
        assert (
            fleet.shell(
                host,
                f"find /etc /opt -name '*cbops~*'; find {place} -type d ! -perm 700; "
                f"find {place} -type f ! -perm 600; find {place} ! -user root",
            )
            == ""
        ), host
        for line in fleet.shell(host, f"cat {place}/*/*.json | tr -d '\\n' | sed 's/}}{{/}}\\n{{/g'").splitlines():
            record = json.loads(line)
            assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{8}", record["edits"][-1]["run"])
            if record["sha256"] is None or record["path"].endswith("zzz-cbops-telemetry.conf"):
                continue
            mode = fleet.shell(host, f"stat -c '%04a %u %g' {record['path']}").split()
            assert [record["mode"], str(record["uid"]), str(record["gid"])] == mode, f"{host}: {record['path']}"
            seen += 1
    assert seen >= len(fleet.hosts) - 2


def test_a_backup_of_an_earlier_version_is_moved_away(fleet: Fleet) -> None:
    """A folder of which every file is read: what an earlier version left there undid each edit."""
    host = "bookworm-oss"
    unit = "/etc/systemd/system/jenkins.service.d/10-env.conf"
    fleet.shell(
        host,
        f"""mkdir -p /etc/cb/t11.d {unit.rpartition("/")[0]}
        echo 'JAVA_OPTS=-Djava.awt.headless=true -Da=new' >/etc/cb/t11.d/10-java
        echo 'JAVA_OPTS=-Djava.awt.headless=true -Da=old' >/etc/cb/t11.d/10-java.20260101T000000Z.cbops~
        printf '[Service]\nEnvironmentFile=/etc/cb/t11.d/*\n' >{unit}; systemctl daemon-reload""",
    )
    try:
        inventory = fleet.inventory({host: {}})
        audit = fleet.play("audit", inventory=inventory)
        assert "a backup of an earlier version" in str(audit.report["hosts"][0]["state"]["warnings"])
        check = fleet.play("enforce", "--check", "--diff", inventory=inventory)
        assert "would be moved" in check.output and "(moved)" in check.output
        done = fleet.play(
            "enforce",
            "--diff",
            "-e",
            "telemetry_restart=now",
            "-e",
            "telemetry_restart_allow=unit",
            inventory=inventory,
        )
        assert done.verdicts() == {host: "compliant"}, done.output
        assert "1 backup of an earlier version was moved" in done.output
        assert fleet.shell(host, "ls /etc/cb/t11.d").split() == ["10-java"]
        assert fleet.shell(host, "cat /etc/cb/t11.d/10-java").count(FLAG) == 1
        running = fleet.shell(host, "tr '\\0' ' ' </proc/$(pgrep -x java)/cmdline")
        assert "-Da=new" in running, "what the admin changed counts"
        assert fleet.play("enforce", inventory=inventory).changed() == {host: 0}
    finally:
        fleet.shell(host, f"rm -r {unit} /etc/cb; systemctl daemon-reload; systemctl restart jenkins")


@pytest.mark.parametrize("host", ["bookworm-cm-deb", "bullseye-cm-rpm"])
def test_the_second_opinion_fails_on_a_dead_variable(fleet: Fleet, host: str) -> None:
    """The flag in a variable that the launcher does not read: the suite says no, and so does the audit."""
    facts = fleet.facts[host]
    dead = "JENKINS_JAVA_OPTIONS" if "deb" in host else "JAVA_ARGS"
    path = facts["launch_file"]
    fleet.shell(
        host,
        f"cp -p {path} /root/kept; printf '%s\\n' '{dead}=\"{FLAG}\"' >> {path}; systemctl restart {facts['service']}",
    )
    try:
        inventory = fleet.inventory({host: {}})
        verified = fleet.inside(
            str(BIN / "python"), "-m", "pytest", "tests/testinfra", "-q", f"--ansible-inventory={inventory}"
        )
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

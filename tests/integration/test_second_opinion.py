"""The second opinion on toggle, senders and events: it says the same as an audit, by code of its own, and what was planted is
found."""

from __future__ import annotations

import base64
import copy
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from fleethand import BIN, Fleet
from plugin_archives import JAVAC, NAMES, compiled, entries_of, plugin

HOST = "trixie-cm-deb"
HOSTS = (HOST,)
HOME = "/var/lib/cloudbees-core-cm"
FILE = "/etc/default/cloudbees-core-cm"
CLASS = "com.cloudbees.standin.UsageStatisticsCloudBees"
CORE, HAZELCAST = "hudson.model.UsageStatistics.disabled", "hazelcast.phone.home.enabled"
ASKED = {
    "telemetry_desired": "enabled",
    "telemetry_connectivity": "ignored",
    "telemetry_toggle": "disabled",
    "telemetry_events": "disk",
    "telemetry_switches": {"core_telemetry": "disabled", "hazelcast_phone_home": "disabled"},
}
BUNDLE = """jenkins:
  key: S3CR3T
unclassified:
  usageStatisticsCloudBees: &it
    # a comment
    usageStatisticsCollected: '{0}'
"""
COMPARED = "test_what_the_audit_says_is_what_is_seen_here"


def has(fleet: Fleet, declared: str, on_disk: str) -> None:
    """What the controller's home says from now on."""
    bundle = base64.b64encode(BUNDLE.format(declared).replace("&it", "").encode()).decode()
    fleet.shell(
        HOST,
        f"""set -e
mkdir -p {HOME}/core-casc-bundle
printf '%s' 'jcasc: [jenkins.yaml]' >{HOME}/core-casc-bundle/bundle.yaml
echo {bundle} | base64 -d >{HOME}/core-casc-bundle/jenkins.yaml
echo '<?xml version="1.1"?><x><usageStatisticsCollected>{on_disk}</usageStatisticsCollected></x>' >{HOME}/{CLASS}.xml
chown -R --reference={HOME} {HOME}
""",
    )


def opinion(fleet: Fleet, inventory: Path, report: Path, *names: str) -> subprocess.CompletedProcess[str]:
    """The suite, with what an audit says."""
    return fleet.inside(
        str(BIN / "python"),
        "-m",
        "pytest",
        "tests/testinfra",
        "-v",
        "-p",
        "no:cacheprovider",
        f"--ansible-inventory={inventory}",
        f"--telemetry-report={report}",
        *(("-k", " or ".join(names)) if names else ()),
    )


@pytest.fixture(name="audited", scope="module")
def _audited(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The inventory and the report of a host that has all of it."""
    classes = entries_of(compiled(tmp_path_factory.mktemp("classes"), JAVAC[0], "CLASS"))
    data = base64.b64encode(plugin("demo", "1.0", classes)).decode()
    has(fleet, "false", "false")
    before = fleet.shell(HOST, f"cat {FILE}")
    more = f"""JAVA_ARGS="$JAVA_ARGS -D{CORE}=true -D{HAZELCAST}=false\""""
    fleet.shell(
        HOST,
        f"mkdir -p {HOME}/plugins; echo {data} | base64 -d >{HOME}/plugins/demo.jpi; chown -R --reference={HOME} {HOME}\n"
        f"printf '%s\\n' '{more}' >>{FILE}; systemctl restart cloudbees-core-cm",
    )
    inventory = fleet.inventory({HOST: ASKED})
    done = fleet.play("audit", inventory=inventory)
    (entry,) = done.report["hosts"][0]["state"]["installations"]
    assert [entry["toggle"][name]["collected"] for name in ("declared", "on_disk")] == [False, False]
    assert {one["running"] for one in entry["switches"]} == {"disabled"}
    yield inventory, done.reports / "audit.json"
    fleet.shell(HOST, f"cat >{FILE} <<'END'\n{before}END\nsystemctl restart cloudbees-core-cm")


def test_both_say_the_same(fleet: Fleet, audited: tuple[Path, Path]) -> None:
    done = opinion(fleet, *audited, "toggle", "switches", COMPARED)
    assert done.returncode == 0 and "3 passed" in done.stdout, done.stdout
    assert "S3CR3T" not in done.stdout + done.stderr


def test_what_turned_after_the_audit_is_found(fleet: Fleet, audited: tuple[Path, Path]) -> None:
    inventory, report = audited
    try:
        has(fleet, "true", "false")
        done = opinion(fleet, inventory, report, "toggle", COMPARED)
        assert done.returncode == 1
        assert f"the next start or reload turns the toggle on: {HOME}/core-casc-bundle/jenkins.yaml:6" in done.stdout
        assert "the toggle, declared: the report says false, and here it is true" in done.stdout
        has(fleet, "false", "true")
        done = opinion(fleet, inventory, report, "toggle", COMPARED)
        assert f"{HOME}: the toggle is on: {HOME}/{CLASS}.xml" in done.stdout
        assert "the toggle, on disk: the report says false, and here it is true" in done.stdout
        fleet.shell(HOST, f"cp {HOME}/{CLASS}.xml {HOME}/other.UsageStatisticsCloudBees.xml")
        done = opinion(fleet, inventory, report, "toggle")
        assert done.returncode == 1 and "2 files match" in done.stdout
        assert "S3CR3T" not in done.stdout
    finally:
        fleet.shell(HOST, f"rm -f {HOME}/other.UsageStatisticsCloudBees.xml")
        has(fleet, "false", "false")


def test_what_a_report_says_wrongly_is_found(fleet: Fleet, audited: tuple[Path, Path], tmp_path: Path) -> None:
    """One planted claim for each kind."""
    inventory, report = audited
    whole = json.loads(report.read_text())
    wrong = copy.deepcopy(whole)
    entry: dict[str, Any] = wrong["hosts"][0]["state"]["installations"][0]
    senders = {one["name"]: one for one in entry["senders"]}
    senders["analytics_plugin"]["presence"] = "absent"
    senders["unify"]["presence"] = "present"
    entry["switches"][0]["processes"][0]["state"] = "enabled"
    [row] = [one for one in entry["events"]["plugins"] if one["plugin"] == "demo"]
    gone = next(one for one in row["events"] if one["name"] == "example_both")
    row["events"].remove(gone)
    row["events"].append({**gone, "name": "made up"})
    assert NAMES > {"example_both"}
    (tmp_path / "wrong.json").write_text(json.dumps(wrong))
    done = opinion(fleet, inventory, tmp_path / "wrong.json", COMPARED)
    assert done.returncode == 1
    for told in (
        "the plugin of analytics_plugin: the report says absent, and here it is present",
        "the plugin of unify: the report says present, and here it is absent",
        f"{entry['switches'][0]['name']}, process",
        "the report does not have this property: 'example_both'",
        "no plugin here names this property, and the report has it: 'made up'",
    ):
        assert told in done.stdout, (told, done.stdout)
    (tmp_path / "none.json").write_text("{}")
    assert "is no report of an audit" in opinion(fleet, inventory, tmp_path / "none.json", COMPARED).stdout

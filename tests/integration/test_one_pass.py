"""Plan and enforce by the pass of an audit: how often each host is asked, and that all is as host by host."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fleethand import Done, Fleet

#: Stands for Python on the hosts, and counts its starts: one for each time that a host is asked for something.
COUNTING = "/usr/local/bin/counting-python"
STARTS = "/root/starts"
#: Is edited in a drop-in, and so owes a daemon-reload.
RELOADS = "trixie-oss"
OTHER, THIRD = "bookworm-cm-deb", "trixie-cm-deb"


@pytest.fixture(scope="module")
def counting(fleet: Fleet) -> Iterator[None]:
    """Every host counts."""
    for host in fleet.hosts:
        fleet.shell(
            host,
            f"printf '#!/bin/sh\\necho >>{STARTS}\\nexec /usr/bin/python3 \"$@\"\\n' >{COUNTING}; chmod 755 {COUNTING}",
        )
    yield
    for host in fleet.hosts:
        fleet.shell(host, f"rm -f {COUNTING} {STARTS}")


def played(fleet: Fleet, name: str, *arguments: str, **variables: Any) -> tuple[Done, dict[str, int], Path]:
    """A run; how often each host was asked in it; its reports."""
    hosts, environment = variables.pop("hosts", None), variables.pop("environment", None)
    for host in fleet.hosts:
        fleet.shell(host, f": >{STARTS}")
    inventory = fleet.inventory(hosts, ansible_python_interpreter=COUNTING, **variables)
    reports = inventory.with_name(f"{inventory.name}-reports")
    done = fleet.play(
        name, "-e", f"telemetry_reports_dir={reports}", *arguments, inventory=inventory, environment=environment
    )
    if (reports / "audit.json").exists():
        done.report = json.loads((reports / "audit.json").read_text())
    asked = {host: len(fleet.shell(host, f"cat {STARTS}")) for host in fleet.hosts if host in (hosts or fleet.hosts)}
    return done, asked, reports


def evidence(reports: Path) -> dict[str, bytes]:
    """All that was filed."""
    return {path.stem: path.read_bytes() for path in (reports / "evidence").glob("*.json")}


def changes(reports: Path) -> list[dict[str, Any]]:
    """What is recorded of changes."""
    lines = [line for path in (reports / "changes").glob("*.jsonl") for line in path.read_text().splitlines()]
    return [entry for entry in map(json.loads, lines) if entry["kind"] not in ("run", "judged")]


@pytest.mark.usefixtures("counting")
def test_a_fleet_is_planned_edited_and_then_left_alone(fleet: Fleet) -> None:
    """One story from start to end, because every step stands on the one before."""
    untouched = fleet.launch_files()
    done, asked, reports = played(fleet, "plan")
    assert asked == dict.fromkeys(fleet.hosts, 1), done.output
    _done, ordinary, other = played(fleet, "plan", telemetry_sweep="never")
    assert ordinary == dict.fromkeys(fleet.hosts, 1)
    for name in ("plan.json", "plan.md"):
        assert (reports / name).read_bytes() == (other / name).read_bytes()

    for more in (["--check"], ["--diff", "--check"]):
        done, _asked, _reports = played(fleet, "enforce", *more)
        assert all(done.changed().values()), done.output
        assert fleet.launch_files() == untouched

    # All owe an edit, and get it from the sweep: it, then the audit. A daemon-reload is Ansible's.
    done, asked, reports = played(fleet, "enforce")
    assert done.code == 0, done.output
    for host, count in asked.items():
        # Of a reload: the edit; once more by the task, which finds it done; the reload; the audit.
        assert count == (4 if host.endswith("-oss") else 2), host
    assert set(done.verdicts().values()) == {"restart_pending"}
    assert all(done.changed().values()), done.output
    record = changes(reports)
    assert {entry["kind"] for entry in record} == {"edit"}
    assert sorted(entry["host"] for entry in record) == fleet.hosts
    planned = json.loads((other / "plan.json").read_text())["hosts"]
    wanted = {entry["host"]: entry["edits"][0]["after"] for entry in planned}
    assert {entry["host"]: entry["after"] for entry in record} == wanted
    for entry in record:
        assert fleet.shell(entry["host"], f"sha256sum {entry['file']}").split()[0] == entry["after"]
        assert entry["backup"] is None or fleet.shell(entry["host"], f"cat {entry['backup']}")

    # All are right: each is asked once, and what is filed is an audit's.
    for desired in ({}, {"telemetry_connectivity": "required"}):
        done, asked, reports = played(fleet, "enforce", **desired)
        assert asked == dict.fromkeys(fleet.hosts, 1), done.output
        assert done.changed() == dict.fromkeys(fleet.hosts, 0)
        _audit, _asked, audited = played(fleet, "audit", **desired)
        assert set(evidence(reports)) == set(fleet.hosts)
        assert evidence(reports) == evidence(audited)
        assert not changes(reports)

    # With restarts: who owes one is left, batch by batch; the second time nobody does.
    done, asked, reports = played(fleet, "enforce", "-e", "telemetry_restart=now", "-e", "telemetry_restart_serial=4")
    assert set(done.verdicts().values()) == {"compliant"}, done.output
    done, asked, reports = played(fleet, "enforce", "-e", "telemetry_restart=now")
    assert asked == dict.fromkeys(fleet.hosts, 1), done.output
    assert done.code == 0

    done, asked, reports = played(
        fleet,
        "enforce",
        "-e",
        "telemetry_desired=enabled",
        "-e",
        "telemetry_restart=now",
        "-e",
        "telemetry_restart_serial=0",
    )
    assert set(done.verdicts().values()) == {"compliant"}, done.output
    assert fleet.launch_files() == untouched


@pytest.mark.usefixtures("counting")
def test_each_kind_of_host_has_the_verdict_that_it_has_host_by_host(fleet: Fleet) -> None:
    """Waived, unmanaged, without a valid policy, unreachable, without a program, with a file that is refused, edited."""
    waiver = {"until": "2199-12-31", "reason": "case 12345", "approved_by": "Jo Doe"}
    fleet.shell("trixie-oc-rpm", "cp -p /etc/sysconfig/cloudbees-core-oc /root/kept")
    fleet.shell("trixie-oc-rpm", "echo 'JENKINS_JAVA_OPTIONS=\"' >> /etc/sysconfig/cloudbees-core-oc")
    hosts: dict[str, dict[str, Any]] = {
        OTHER: {"telemetry_waiver": waiver, "telemetry_waiver_max_days": 99999},
        THIRD: {},
        RELOADS: {"telemetry_desired": "off"},
        "trixie-script": {"telemetry_desired": "unmanaged"},
        "trixie-oc-rpm": {},
        "bullseye-cm-rpm": {"ansible_python_interpreter": "/no/such/python"},
        "dead": {"ansible_host": "192.0.2.1", "ansible_ssh_extra_args": "-o ConnectTimeout=2"},
    }
    try:
        found = {}
        for sweep in ("auto", "never"):
            done, asked, reports = played(
                fleet,
                "enforce",
                hosts={host: {**more} for host, more in hosts.items() if host != "dead"} | {"dead": hosts["dead"]},
                telemetry_sweep=sweep,
            )
            found[sweep] = (
                done.code,
                done.verdicts(),
                {name: json.loads(text) for name, text in evidence(reports).items()},
            )
            undo = fleet.play("enforce", "-e", "telemetry_desired=enabled", inventory=fleet.inventory({THIRD: {}}))
            assert undo.verdicts() == {THIRD: "compliant"}, undo.output
        assert found["auto"][:2] == found["never"][:2]
        for host in hosts:
            for key in ("verdict", "policy", "error"):
                assert found["auto"][2].get(host, {}).get(key) == found["never"][2].get(host, {}).get(key), (host, key)
    finally:
        fleet.shell("trixie-oc-rpm", "cp -p /root/kept /etc/sysconfig/cloudbees-core-oc")


@pytest.mark.usefixtures("counting")
def test_tags_choose_among_the_tasks_of_a_host(fleet: Fleet) -> None:
    """So with them each host has its tasks, and without the audit's tag there is no evidence."""
    hosts: dict[str, dict[str, Any]] = {THIRD: {}}
    before = fleet.launch_files(THIRD)
    done, _asked, reports = played(fleet, "enforce", "--tags", "telemetry_restart", hosts=hosts)
    assert fleet.launch_files(THIRD) == before and not evidence(reports)
    done, _asked, reports = played(fleet, "enforce", "--skip-tags", "telemetry_audit", hosts=hosts)
    assert fleet.launch_files(THIRD) != before and not evidence(reports), done.output
    done, asked, reports = played(
        fleet, "enforce", "--tags", "telemetry_audit", "-e", "telemetry_desired=enabled", hosts=hosts
    )
    assert asked == {THIRD: 1} and done.verdicts() == {THIRD: "violation"}
    done, asked, reports = played(fleet, "enforce", "-e", "telemetry_desired=enabled", hosts=hosts)
    assert fleet.launch_files(THIRD) == before, done.output


@pytest.mark.usefixtures("counting")
def test_a_fleet_is_probed_by_one_pass(fleet: Fleet) -> None:
    """Each host looks once, whatever its policy is, and sees what it sees host by host; who cannot look fails."""
    hosts: dict[str, dict[str, Any]] = {
        OTHER: {},
        THIRD: {"telemetry_desired": "off", "telemetry_probe_endpoints": ["127.0.0.1:1"]},
        RELOADS: {"telemetry_endpoint": {"host": "127.0.0.1", "port": 2}},
        "trixie-script": {"telemetry_endpoint": {"host": "127.0.0.1", "port": "x"}},
    }
    seen = {}
    shown = {"ANSIBLE_DISPLAY_OK_HOSTS": "true"}  # host by host it is the result of a task
    for sweep in ("auto", "never"):
        done, asked, reports = played(fleet, "probe", hosts={**hosts}, environment=shown, telemetry_sweep=sweep)
        # Whose options are wrong is left to its task, which says it.
        assert asked == dict.fromkeys(hosts, 1), done.output
        assert done.code == 2 and "'127.0.0.1:x' is no endpoint" in done.output and not evidence(reports)
        seen[sweep] = sorted(set(re.findall(r"[\w.]+:\d+, direct: \w+(?=: )", done.output)))
    assert seen["auto"] == seen["never"]
    assert [line for line in seen["auto"] if "127.0.0.1" in line] == [
        "127.0.0.1:1, direct: refused",
        "127.0.0.1:2, direct: refused",
    ]
    assert len(seen["auto"]) == 3

    dead = {"ansible_host": "192.0.2.1", "ansible_ssh_extra_args": "-o ConnectTimeout=2"}
    broken = {"ansible_python_interpreter": "/no/such/python"}
    done, _asked, _reports = played(fleet, "probe", hosts={OTHER: {}, THIRD: broken, "dead": dead})
    assert done.code == 2 and "1 hosts: " in done.output and "; 2 not probed" in done.output, done.output
    assert (done.recap["dead"]["failed"], done.recap[THIRD]["failed"], done.recap[OTHER]["failed"]) == (1, 1, 0)

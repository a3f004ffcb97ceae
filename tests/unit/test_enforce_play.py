"""The playbook enforce on hosts of which one is not as it should be: the others have their verdicts, and so has it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).parent.parent.parent
#: This machine, which is only looked at.
HERE = {
    "ansible_connection": "local",
    "ansible_python_interpreter": sys.executable,
    "telemetry_desired": "unmanaged",
    "telemetry_attach": "never",
}


def play(
    folder: Path, hosts: dict[str, dict[str, Any]], *arguments: str, playbook: str = "cbops.telemetry.enforce"
) -> tuple[subprocess.CompletedProcess[str], dict[str, str]]:
    """Run it; what it said, and the verdicts of its report, if it came to one."""
    inventory = folder / "hosts.json"
    inventory.write_text(json.dumps({"all": {"vars": HERE, "hosts": hosts}}))
    done = subprocess.run(
        [
            Path(sys.executable).with_name("ansible-playbook"),
            "-i",
            inventory,
            playbook,
            "-e",
            json.dumps({"telemetry_reports_dir": str(folder)}),
            *arguments,
        ],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"), "ANSIBLE_DISPLAY_OK_HOSTS": "1"},
    )
    report = folder / "audit.json"
    hosts_of = json.loads(report.read_text())["hosts"] if report.exists() else []
    return done, {entry["host"]: entry["verdict"] for entry in hosts_of}


@pytest.mark.parametrize("sweep", ["auto", "never"])
def test_who_has_no_valid_policy_and_is_the_only_one_left(tmp_path: Path, sweep: str) -> None:
    """All that is left is wrong, which is no reason to end the run without a report."""
    hosts = {"right": {}, "wrong": {"telemetry_desired": "disabeld"}}
    done, verdicts = play(tmp_path, hosts, "-e", f"telemetry_sweep={sweep}")
    assert done.returncode == 2 and set(verdicts) == {"right", "wrong"}, done.stdout + done.stderr
    assert verdicts["wrong"] == "unknown" != verdicts["right"]
    assert list((tmp_path / "manifests").glob("*.json"))
    assert not (tmp_path / "changes").exists()


WRONG: dict[str, dict[str, Any]] = {
    "a template without its place": {"telemetry_launch_templates": [{"src": "x.j2"}]},
    "templates that are none": {"telemetry_launch_templates": True},
    "an endpoint that is text": {"telemetry_endpoint": "api.example.org", "telemetry_connectivity": "required"},
    "a switch that is neither": {"telemetry_toggle_served": "maybe"},
    "a port without end": {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": "inf"},
    "retries without end": {
        "ansible_connection": "ssh",
        "ansible_host": "127.0.0.1",
        "ansible_port": 1,
        "ansible_ssh_retries": "inf",
    },
    "a port of the endpoint without end": {
        "telemetry_endpoint": {"host": "localhost", "port": float("inf")},
        "telemetry_connectivity": "required",
    },
}


@pytest.mark.parametrize(("playbook", "desired"), [("enforce", "unmanaged"), ("audit", "disabled")])
def test_a_wrong_variable_is_one_host_s(tmp_path: Path, playbook: str, desired: str) -> None:
    names = {f"wrong{number}": {"telemetry_desired": desired, **more} for number, more in enumerate(WRONG.values())}
    done, verdicts = play(tmp_path, {"right": {}, **names}, "-v", playbook=f"cbops.telemetry.{playbook}")
    assert set(verdicts) == {"right", *names}, done.stdout + done.stderr
    assert verdicts["right"] == "not_applicable"
    if desired == "disabled":
        assert {verdicts[name] for name in names} == {"unknown"}
    # Some cores' option types refuse what others only fail at.
    assert re.search(r"its variables cannot be (used \(|resolved: )", done.stdout)


@pytest.mark.parametrize("more", [{"telemetry_toggle_served": True}, {"telemetry_events": "served"}])
def test_whose_controller_is_asked_holds_up_nobody_else(tmp_path: Path, more: dict[str, Any]) -> None:
    """The questions to a controller may take long, one after the other; the sweep would stand still."""
    done, verdicts = play(tmp_path, {"right": {}, "asked": more}, "-v", playbook="cbops.telemetry.audit")
    assert set(verdicts) == {"right", "asked"}, done.stdout + done.stderr
    assert "1 hosts are left to the ordinary way: its controller is asked too" in done.stdout


@pytest.mark.parametrize("serial", ["{{ inventory_hostname }}", "many"])
def test_a_wrong_serial_is_found_before_anything_is_done(tmp_path: Path, serial: str) -> None:
    """Also where it speaks of a host: a play has none."""
    done, verdicts = play(tmp_path, {"5": {}, "6": {}}, "-e", json.dumps({"telemetry_restart_serial": serial}))
    assert done.returncode == 2 and not verdicts
    assert "TASK [cbops.telemetry.telemetry : Sweep]" in done.stdout
    assert not (tmp_path / "evidence").exists()


def test_who_was_never_asked_has_no_attempt_in_the_record(tmp_path: Path) -> None:
    """It would account for what somebody else did there."""
    hosts = {
        "right": {},
        "terminal": {
            "ansible_connection": "ssh",
            "ansible_host": "127.0.0.1",
            "ansible_port": 1,
            "ansible_ssh_extra_args": "-tt",
            "telemetry_desired": "disabled",
            "telemetry_restart": "never",
        },
    }
    done, verdicts = play(tmp_path, hosts, "-v")
    assert "ssh is set to ask for a terminal" in done.stdout
    assert verdicts == {"right": "not_applicable", "terminal": "unreachable"}, done.stdout + done.stderr
    records = [path.read_text() for path in (tmp_path / "changes").glob("*.jsonl")]
    assert "the run ended before the host had answered" not in "".join(records)


def test_hosts_are_left_in_the_order_of_the_inventory(tmp_path: Path) -> None:
    """Which is that of the canary, whoever answers first; one that is not asked is left at once."""
    wanted = {"telemetry_desired": "disabled", "telemetry_restart": "now"}
    hosts = {
        "b-answers": {**wanted, "ansible_python_interpreter": "/no/such/python"},
        "c-held": {**wanted, "telemetry_plan": "plan.json"},
        "a-held": {**wanted, "telemetry_plan": "plan.json"},
    }
    sweep = {"hosts": "{{ ansible_play_hosts_all }}", "ask": "enforce", "reports_dir": str(tmp_path)}
    tasks = [
        {"cbops.telemetry.fleet_sweep": sweep, "run_once": True, "register": "swept"},
        {
            "ansible.builtin.debug": {"msg": "left: {{ swept.unserved | join(' ') }}, {{ swept.serial }}"},
            "run_once": True,
        },
    ]
    own = tmp_path / "own.json"
    own.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    done, _verdicts = play(tmp_path, hosts, playbook=str(own))
    assert "left: b-answers c-held a-held, [1, 2]" in done.stdout, done.stdout + done.stderr


def test_another_name_by_what_ansible_is_told_of_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that only ssh's configuration has, to which not a variable but a setting leads."""
    config, ssh = tmp_path / "ssh_config", tmp_path / "ssh"
    config.write_text("Host by-alias\n  HostName 127.0.0.1\n  Port 1\n")
    ssh.write_text('#!/bin/sh\nfor last; do :; done\nexec /bin/sh -c "$last"\n')  # stands in for a host that answers
    ssh.chmod(0o755)
    monkeypatch.setenv("ANSIBLE_SSH_ARGS", f"-F '{config}'")
    by_ssh = {"ansible_connection": "ssh", "ansible_ssh_executable": str(ssh)}
    hosts = {
        "held": {**by_ssh, "ansible_host": "by-alias", "ansible_ssh_extra_args": "-tt"},
        "same": {**by_ssh, "ansible_host": "127.0.0.1", "ansible_port": 1},
    }
    done, verdicts = play(tmp_path, hosts, "-v")
    assert "1 hosts are left to the ordinary way: ssh is set to ask for a terminal" in done.stdout, done.stdout
    assert "1 hosts are left to the ordinary way: it has another name" in done.stdout, done.stdout
    assert verdicts == dict.fromkeys(hosts, "not_applicable")

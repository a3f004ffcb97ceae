"""The playbook doctor, by ansible-playbook: what stands between an audit and a host, and lines for its host_vars."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import schemas
import yaml

from ansible_collections.cbops.telemetry.plugins.plugin_utils import _failures as failures
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect import _doctor as doctor

CHECKOUT = Path(__file__).parent.parent.parent
REACHED = {"by": "ssh", "address": "192.0.2.1", "port": "22", "user": "jo", "become": "sudo", "become_user": "root"}
HOSTS: dict[str, dict[str, Any]] = {
    "here": {"ansible_connection": "local"},
    "closed": {"ansible_host": "127.0.0.1", "ansible_port": 1},
    "nameless": {"ansible_host": "no.such.host.invalid"},
    "no-python": {"ansible_connection": "local", "ansible_python_interpreter": "/no/such/python"},
    "no-plugin": {"ansible_connection": "no_such_plugin"},
    "no-policy": {"ansible_connection": "local", "telemetry_desired": "of"},
    "no-variable": {"ansible_connection": "local", "telemetry_url": "{{ nothing_of_that_name }}"},
}


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    """The playbook, with the folder's hosts.json as inventory."""
    return subprocess.run(
        [
            Path(sys.executable).with_name("ansible-playbook"),
            "-i",
            folder / "hosts.json",
            "cbops.telemetry.doctor",
            "-e",
            f"telemetry_reports_dir={folder}",
        ],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
    )


@pytest.fixture(scope="module")
def examined(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    """Hosts of all kinds: the document by host, and the output."""
    folder = tmp_path_factory.mktemp("doctor")
    (folder / "hosts.json").write_text(json.dumps({"all": {"hosts": HOSTS, "vars": {"telemetry_desired": "disabled"}}}))
    done = run(folder)
    document = json.loads((folder / "doctor.json").read_text())
    schemas.validate(document)
    assert done.returncode == 0, done.stdout + done.stderr
    return {entry["host"]: entry for entry in document["hosts"]}, done.stdout


def test_every_host_is_in_it(examined: tuple[dict[str, Any], str]) -> None:
    found, output = examined
    assert list(found) == list(HOSTS)
    assert [line.split() for line in output.splitlines() if line.startswith("host ")] == [list(doctor.COLUMNS)]
    assert f"{len(HOSTS)} hosts: " in output


def test_who_answers_is_told_with_its_python(examined: tuple[dict[str, Any], str]) -> None:
    found, _output = examined
    here = found["here"]
    assert here["reached"]["ok"] is True
    assert here["reached"]["by"] == "local"
    assert here["root"] == (os.geteuid() == 0)
    assert here["python"].startswith("/")
    assert here["python"].split()[1].startswith("3.")


@pytest.mark.parametrize(
    ("host", "reason", "line"),
    [
        ("closed", "nothing listens at its ssh port (", "ansible_port: PORT"),
        ("nameless", "its name has no address (", "ansible_host: ADDRESS"),
        ("no-python", "no Python was found there (", "ansible_python_interpreter: PATH_OF_PYTHON_3"),
        ("no-plugin", "no_such_plugin", None),
        ("no-policy", "its policy is not valid: telemetry_desired is 'of'", None),
        ("no-variable", "nothing_of_that_name", None),
    ],
)
def test_what_is_missing_and_what_to_write(
    examined: tuple[dict[str, Any], str], host: str, reason: str, line: str | None
) -> None:
    found, output = examined
    assert any(reason in text for text in found[host]["missing"]), found[host]
    assert line is None or line in found[host]["host_vars"]
    assert line is None or f"        {line}\n" in output


def test_ssh_that_ends_before_it_says_why_is_asked_once_more(tmp_path: Path) -> None:
    """Else whether ssh is slow to end decides what is said of a host."""
    ssh = tmp_path / "ssh"
    ssh.write_text(
        f"#!/bin/sh\nif mkdir {tmp_path}/asked 2>/dev/null; then exec <&-; sleep 3; fi\n"
        "echo 'ssh: connect to host 192.0.2.1 port 22: Connection refused' >&2; exit 255\n"
    )
    ssh.chmod(0o755)
    host = {"ansible_host": "192.0.2.1", "ansible_ssh_executable": str(ssh), "telemetry_desired": "disabled"}
    (tmp_path / "hosts.json").write_text(json.dumps({"all": {"hosts": {"slow": host}}}))
    done = run(tmp_path)
    assert (tmp_path / "asked").is_dir()
    (entry,) = json.loads((tmp_path / "doctor.json").read_text())["hosts"]
    assert entry["missing"] and entry["missing"][0].startswith("nothing listens at its ssh port ("), done.stdout


def state(*installations: dict[str, Any], user: int = 0) -> dict[str, Any]:
    """An answer of telemetry_info."""
    return {"state": {"host": {"effective_user": user}, "installations": list(installations), "warnings": []}}


def installation(**more: Any) -> dict[str, Any]:
    """An installation of which all is known."""
    return {
        "name": "cm",
        "product": "controller",
        "packaging": "deb",
        "service": "cm.service",
        "launch": {"file": "/etc/default/cm", "variable": "JAVA_ARGS", "reader": "shell"},
        "on_disk": "disabled",
        "on_disk_detail": {},
        "next_start": "disabled",
        "next_start_detail": {},
        "running": "disabled",
        "running_detail": {},
        **more,
    }


@pytest.mark.parametrize(
    ("answer", "missing", "lines"),
    [
        (state(installation()), [], []),
        (state(installation(), user=1000), ["it is not looked at as root"], ["ansible_become: true"]),
        (state(), ["no operations center or controller was found"], []),
        (
            state(installation(running="unknown", running_detail={"reason": "process 7 is another's"})),
            ["cm: process 7 is another's"],
            [],
        ),
        (
            state(
                installation(
                    on_disk="unresolvable",
                    next_start="unresolvable",
                    on_disk_detail={"reason": "it hangs"},
                    next_start_detail={"reason": "it hangs"},
                )
            ),
            ["cm: it hangs"],
            [],
        ),
        (
            state(
                installation(
                    on_disk="unresolvable",
                    on_disk_detail={"reason": "no unit starts it; name its script in telemetry_launch_scripts"},
                )
            ),
            ["cm: no unit starts it"],
            ["telemetry_launch_scripts: [PATH_OF_THE_SCRIPT_THAT_STARTS_IT]"],
        ),
    ],
)
def test_what_an_answer_lacks(answer: dict[str, Any], missing: list[str], lines: list[str]) -> None:
    entry = doctor.entry_of("h", REACHED, answer, None, "/usr/bin/python3 3.11.2")
    schemas.validate(doctor.document_of([entry]))
    assert len(entry["missing"]) == len(missing)
    assert all(text.startswith(wanted) for text, wanted in zip(entry["missing"], missing, strict=True))
    assert entry["host_vars"] == lines


def test_the_lines_are_yaml_and_each_failure_that_has_some_is_known() -> None:
    assert set(doctor.LINES) <= set(failures.kinds())
    for lines in doctor.LINES.values():
        assert len(yaml.safe_load("\n".join(lines))) == len(lines)
    entry = doctor.entry_of(
        "h",
        REACHED,
        {"failed": True, "msg": failures.explained("sudo: a password is required")},
        "telemetry_desired is not set; it may be disabled, enabled, unmanaged",
        None,
    )
    assert yaml.safe_load("\n".join(entry["host_vars"])) == {
        "ansible_become_password": "{{ vault_become_password }}",
        "telemetry_desired": "disabled",
    }


def test_what_a_host_says_stays_in_its_line() -> None:
    evil = "x\n##vso[task.complete]\x1b[2J\u202e"
    entry = doctor.entry_of(
        "h",
        REACHED,
        state(installation(name=evil, service=evil, running="unknown", running_detail={"reason": evil})),
        evil,
        evil,
    )
    text = doctor.words(doctor.document_of([entry]))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "##vso" not in text
    assert len(text.splitlines()) == len(
        doctor.words(
            doctor.document_of(
                [
                    doctor.entry_of(
                        "h",
                        REACHED,
                        state(
                            installation(
                                name="y" * len(evil),
                                running="unknown",
                                service="z" * len(evil),
                                running_detail={"reason": "x"},
                            )
                        ),
                        "p",
                        "q",
                    )
                ]
            )
        ).splitlines()
    )

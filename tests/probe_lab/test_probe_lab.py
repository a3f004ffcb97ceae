"""Every outcome of the probe, produced for real and asserted."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cbops.telemetry.plugins.module_utils.outcomes._outcomes import OUTCOMES
from tests.probe_lab.cases import CASES, DOMAIN, TIMEOUT, Case
from tests.probe_lab.lab import CHECKOUT, FLEET, HOME, SECRET, USER, Lab, worst_overshoot

#: Seconds behind the deadline by which a hang is told from a busy machine.
HANG = 3.0


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The laboratory, set up."""
    for arguments in (["check"], ["up", "lab"]):
        done = subprocess.run([FLEET, *arguments], capture_output=True, text=True, timeout=900, check=False)
        if done.returncode:
            pytest.fail(f"the probe laboratory needs the embedded fleet: {(done.stderr or done.stdout).strip()}")
    made = Lab()
    made.furnish()
    yield made
    subprocess.run([FLEET, "down", "lab"], capture_output=True, timeout=120, check=False)


@pytest.fixture(scope="session")
def measured(lab: Lab) -> dict[str, dict[str, Any]]:
    """All cases, each probed once as the controller's own unprivileged user."""
    found = lab.measure(CASES)
    name, over = worst_overshoot(found)
    print(f"\nworst overshoot over the timeout: {over * 1000:.0f} ms ({name})")
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_outcome(measured: dict[str, dict[str, Any]], case: Case) -> None:
    answers = measured[case.name]["answers"]
    assert tuple(answer["outcome"] for answer in answers) == case.outcomes, answers
    assert case.words in answers[0]["message"]
    for answer in answers:
        reached = [ms is not None for ms in answer["phases_ms"].values()]
        assert reached != [False] * 5 or answer["outcome"] == "unknown"
        assert ("succeeded" in answer["message"]) == (answer["outcome"] == "connected")
        assert ": check " in answer["message"] or answer["outcome"] == "connected"


def test_every_outcome_is_produced() -> None:
    assert {outcome for case in CASES for outcome in case.outcomes} == set(OUTCOMES)


def test_the_deadline_holds_everywhere(measured: dict[str, dict[str, Any]]) -> None:
    name, over = worst_overshoot(measured)
    assert over < HANG, name


def test_each_address_has_its_own_result(measured: dict[str, dict[str, Any]]) -> None:
    found = measured["mostly-dead"]["answers"][0]["addresses"]
    assert sorted(one["outcome"] for one in found) == ["connected"] + ["timeout"] * 9
    both = measured["good"]["answers"][0]["addresses"]
    assert {(one["family"], one["outcome"]) for one in both} == {("IPv4", "connected"), ("IPv6", "connected")}
    dead = {one["family"]: one["outcome"] for one in measured["dead-v6"]["answers"][0]["addresses"]}
    assert dead == {"IPv4": "connected", "IPv6": "timeout"}


def test_a_path_that_comes_and_goes_is_counted(measured: dict[str, dict[str, Any]]) -> None:
    samples = measured["flapping"]["answers"][0]["samples"]
    assert samples["count"] == 9 and samples["outcomes"] == {"connected": 6, "refused": 3}
    assert samples["loss_percent"] == 33.3


def test_every_proxy_of_the_controller_is_a_path(measured: dict[str, dict[str, Any]]) -> None:
    answers = measured["configured"]["answers"]
    assert [answer["via"] for answer in answers] == [
        "direct",
        *[f"proxy-{name}.{DOMAIN}:3128" for name in ("open", "asks", "denies")],
    ]
    places = [", ".join(answer["configured_by"]) for answer in answers]
    assert "the running JVM of" in places[1] and f"/etc/default/{USER}" in places[1]
    assert places[2] == f"https_proxy of the running JVM of {USER}"
    assert places[3] == f"{HOME}/proxy.xml"
    assert answers[0]["java"] == [{"store": "/etc/lab/jvm.jks", "trusted": True, "reason": None}]
    assert SECRET not in json.dumps(measured)


def test_an_exception_takes_the_proxy_out(lab: Lab) -> None:
    found = lab.measure([Case("segment", "", "api.segment.io", (), {"timeout": TIMEOUT})])["segment"]
    assert f"proxy-open.{DOMAIN}:3128" not in [answer["via"] for answer in found["answers"]]
    assert any("excludes api.segment.io" in note for note in found["notes"])


def test_java_is_heard(measured: dict[str, dict[str, Any]]) -> None:
    assert measured["second-root"]["answers"][0]["java"][0]["trusted"] is False
    assert measured["java-only"]["answers"][0]["java"][0]["trusted"] is True


def test_not_one_byte_is_said_unless_asked_for(lab: Lab) -> None:
    """The server writes down what it decrypts: nothing, or one HEAD request."""
    lab.shell("internet", "rm -f /var/lib/lab/received.jsonl")
    quiet = Case("good", "", f"good.{DOMAIN}", ("connected",), {"via": ["direct"], "timeout": 5.0})
    lab.measure([quiet])
    received = lab.received()
    assert received and [one["received"] for one in received if one["received"]] == []
    assert any(one["handshake"] for one in received)
    lab.measure([Case("good", "", quiet.host, ("connected",), {"via": ["direct"], "timeout": 5.0, "http": True})])
    said = [one["received"] for one in lab.received() if one["received"]]
    assert said == [
        f"HEAD / HTTP/1.1\r\nHost: {quiet.host}\r\nUser-Agent: cbops.telemetry\r\nAccept: */*\r\n"
        "Connection: close\r\n\r\n"
    ]


def play(tasks: list[dict[str, Any]], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run tasks on the host `node` over ssh."""
    inventory = {
        "all": {
            "hosts": {"node": {}},
            "vars": {
                "ansible_ssh_common_args": f"-F {CHECKOUT}/.fleet/lab/ssh_config",
                "ansible_python_interpreter": "auto_silent",
            },
        }
    }
    (folder / "inventory.json").write_text(json.dumps(inventory))
    (folder / "play.json").write_text(json.dumps([{"hosts": "node", "gather_facts": False, "tasks": tasks}]))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    return subprocess.run(
        [
            FLEET,
            "exec",
            "lab",
            "--",
            str(CHECKOUT / ".venv/bin/ansible-playbook"),
            "-i",
            str(folder / "inventory.json"),
            str(folder / "play.json"),
            "-v",
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=CHECKOUT,
        env={**environment, "ANSIBLE_NOCOLOR": "1"},
    )


@pytest.mark.parametrize(
    ("host", "via", "expect", "code"),
    [
        (f"good.{DOMAIN}", "direct", "reachable", 0),
        (f"good.{DOMAIN}", "direct", "blocked", 2),
        (f"firewall-drops.{DOMAIN}", "direct", "blocked", 0),
        (f"firewall-drops.{DOMAIN}", "direct", "reachable", 2),
        (f"stranger.{DOMAIN}", "direct", "blocked", 2),  # somebody answered
        (f"good.{DOMAIN}", f"http://proxy-asks.{DOMAIN}:3128", "blocked", 2),  # the controller may know the password
        ("203.0.113.5", "direct", "blocked", 2),  # this machine's own failure proves nothing
        (f"good.{DOMAIN}", "configured", "any", 0),
    ],
)
def test_the_module_as_the_services_own_user(
    lab: Lab, tmp_path: Path, host: str, via: str, expect: str, code: int
) -> None:
    task = {
        "cbops.telemetry.connectivity_probe": {"host": host, "via": [via], "expect": expect, "timeout": TIMEOUT},
        "become": True,
        "become_user": USER,
    }
    done = play([task], tmp_path)
    assert done.returncode == code, done.stdout + done.stderr
    assert SECRET not in done.stdout
    if code:
        assert f"to be {expect}" in done.stdout

"""What a sweep asks a host for the endpoint, who is left to a task of its own, and what a person is shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._carrier import Known
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._filing import Circumstances
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._probing import Probing, shown
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._sweep import Unserved
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import UNRESOLVED

SEEN = {"target": "api.segment.io:443", "via": "direct", "outcome": "connected", "message": "Connection succeeded"}


class Tally:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.probes: dict[str, list[dict[str, str]]] = {}
        self.missed: dict[str, str] = {}

    def probe(self, host: str, seen: list[dict[str, str]]) -> None:
        self.probes[host] = seen

    def miss(self, host: str, problem: str) -> None:
        self.missed[host] = problem


def errand(**settings: Any) -> Any:
    """What a host with these variables is asked."""
    return Probing(Tally()).errand("h", settings, Circumstances())


@pytest.mark.parametrize(
    ("settings", "asked"),
    [
        ({}, {"host": "api.segment.io", "port": 443, "endpoints": None, "timeout": 5}),
        ({"telemetry_endpoint": {"host": "proxy.test", "port": "8443"}}, {"host": "proxy.test", "port": 8443}),
        (
            {"telemetry_probe_endpoints": ["updates.test:443"]},
            {"endpoints": ["api.segment.io:443", "updates.test:443"]},
        ),
        (
            {"telemetry_endpoint": {"host": "sink.test"}, "telemetry_probe_endpoints": ["updates.test:1"]},
            {"endpoints": ["sink.test:443", "updates.test:1"]},
        ),
        (
            {"telemetry_probe_timeout": 2, "telemetry_probe_via": ["direct"], "telemetry_probe_count": 3},
            {"timeout": 2, "via": ["direct"], "count": 3},
        ),
        # Whatever its policy says, and be there none, or one that is not valid.
        ({"telemetry_desired": "perhaps", "telemetry_connectivity": "ignored"}, {"host": "api.segment.io"}),
    ],
)
def test_what_a_host_is_asked(settings: dict[str, Any], asked: dict[str, Any]) -> None:
    found = errand(**settings)
    assert (found.function, found.problem, found.edits) == ("connectivity_probe", None, False)
    assert {name: found.params[name] for name in asked} == asked


@pytest.mark.parametrize(
    "settings",
    [
        {UNRESOLVED: {"telemetry_probe_via": "'x' is undefined"}},
        {"telemetry_endpoint": "api.segment.io:443"},
        {"telemetry_probe_endpoints": "api.segment.io:443"},
    ],
)
def test_variables_that_cannot_be_used_are_left_to_a_task_that_says_so(settings: dict[str, Any]) -> None:
    with pytest.raises(Unserved):
        errand(**settings)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ({"unreachable": True, "msg": "ssh: connect to host h port 22: Connection refused"}, "nothing listens"),
        ({"failed": True, "msg": "'x' is no endpoint"}, "'x' is no endpoint"),
        ({"failed": True, "late": True, "msg": "it did not answer within 60 s"}, "did not answer within"),
        ({"changed": False}, "it gave no answer"),
        ({"changed": False, "probes": []}, "it gave no answer"),
    ],
)
def test_a_host_that_has_not_looked_is_no_answer_of_the_network(answer: dict[str, Any], problem: str) -> None:
    tally = Tally()
    probing = Probing(tally)
    known = Known("h", {}, Circumstances(), probing.errand("h", {}, Circumstances()))
    assert probing.answered(known, answer) is None
    assert not tally.probes and problem in tally.missed["h"]


def test_what_is_kept_cannot_steer_a_terminal() -> None:
    tally = Tally()
    probing = Probing(tally)
    known = Known("h", {}, Circumstances(), probing.errand("h", {}, Circumstances()))
    probing.answered(known, {"probes": [{**SEEN, "message": "a\x1b[2Jb\nc", "addresses": []}]})
    (seen,) = tally.probes["h"]
    assert set(seen) == set(SEEN) and "\x1b" not in seen["message"] and "\n" not in seen["message"]


def test_what_is_not_reached_stands_first_and_nothing_is_left_out_of_the_count() -> None:
    probes = {
        **{f"good-{number:02}": [SEEN] for number in range(50)},
        "bad": [SEEN, {**SEEN, "via": "proxy.test:3128", "outcome": "timeout", "message": "nobody answered"}],
    }
    lines = shown(probes, {"dead": "nothing listens at its ssh port"}, 40)
    assert lines[:2] == [
        "dead: not probed: nothing listens at its ssh port",
        "bad: api.segment.io:443, proxy.test:3128: timeout: nobody answered",
    ]
    assert lines[-1] == "51 hosts: 51 connected, 1 timeout; 1 not probed"
    assert "and 13 more lines (-v shows all)" in lines
    assert len([line for line in lines if line]) == 42
    assert len(shown(probes, {}, None)) == 52 + 2


def test_nobody_looked_is_said() -> None:
    assert shown({}, {"dead": "x"}, 40)[-1] == "0 hosts: nothing was probed; 1 not probed"


def test_what_a_host_says_of_itself_is_no_template(tmp_path: Path) -> None:
    """Its words come to the message of a task by a variable."""
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\ncat >/dev/null\necho 'boom {{ 7*191 }}' >&2\nexit 3\n")
    program.chmod(0o755)
    host = {"ansible_connection": "local", "ansible_python_interpreter": str(program)}
    inventory = {"all": {"hosts": {"h": host}, "vars": {"telemetry_desired": "disabled"}}}
    (tmp_path / "hosts.json").write_text(json.dumps(inventory))
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", tmp_path / "hosts.json", "cbops.telemetry.probe"],
        cwd=tmp_path,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(Path(__file__).parents[2] / ".build/collections")},
        capture_output=True,
        text=True,
        check=False,
    )
    said = "the program on the host ended without an answer (exit status 3): boom {{ 7*191 }}"
    assert done.returncode == 2, done.stdout + done.stderr
    assert f"h: not probed: {said}" in done.stdout and f'"msg": "{said}"' in done.stdout
    assert "1337" not in done.stdout + done.stderr

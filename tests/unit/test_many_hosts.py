"""What a person sees of a fleet of more than a hundred hosts: no wall of text, whoever speaks."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import fleetmaker
import pytest

from ansible_collections.cbops.telemetry.plugins.action.fleet_report import MANY, held_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils import _showing
from ansible_collections.cbops.telemetry.plugins.plugin_utils._showing import (
    MOST_NAMES,
    MOST_ROWS,
    MOST_TEXT,
    cut,
    first,
    named,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._evidence import missing, table
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart._coordination import Budget

CHECKOUT = Path(__file__).parent.parent.parent
COUNT = 130
#: What Ansible writes beside a message of ours: "fatal: [HOST]: FAILED! => {...}".
AROUND = 150
NAME = re.compile(r"\b(?:cm|oc)\d+\.example\.org\b")
LONG = "it does not answer as it should: " + "x" * 900


def run(folder: Path, playbook: object, *arguments: str, variables: dict[str, Any] | None = None) -> str:
    """What Ansible says to a person, of a playbook on a fleet; without its recap, which has a line for each host."""
    hosts = fleetmaker.make(folder, COUNT, runs=1)
    (folder / "hosts.json").write_text(
        json.dumps({"all": {"hosts": dict.fromkeys(hosts, {}), "vars": {"ansible_connection": "local"}}})
    )
    if not isinstance(playbook, str):
        (folder / "play.json").write_text(json.dumps(playbook))
        playbook = str(folder / "play.json")
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-playbook")),
            "-i",
            str(folder / "hosts.json"),
            playbook,
            "-e",
            json.dumps({"telemetry_reports_dir": str(folder), "telemetry_max_age": "never", **(variables or {})}),
            *arguments,
        ],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"), "AWX_ISOLATED_DATA_DIR": ""},
    )
    assert done.returncode in (0, 2), done.stdout + done.stderr
    return done.stdout.partition("PLAY RECAP")[0] + done.stderr


def held(text: str) -> None:
    """No line is long or names many hosts."""
    for line in text.splitlines():
        assert len(line) <= MOST_TEXT + AROUND, line
        assert len(set(NAME.findall(line))) <= MOST_NAMES, line


def task(action: str, **arguments: object) -> dict[str, object]:
    return {f"cbops.telemetry.{action}": arguments, "run_once": True, "ignore_errors": True}


def test_whoever_speaks_of_a_fleet_is_short(tmp_path: Path) -> None:
    """Each action that names hosts of its own accord, with something to say of every one of them."""
    everybody = "{{ ansible_play_hosts_all }}"
    folder = str(tmp_path)
    (tmp_path / "signers").write_text("")
    tasks = [
        task("fleet_waivers", hosts=everybody),
        task("fleet_plan", hosts=everybody, registered="planned", reports_dir=folder),
        task("fleet_doctor", hosts=everybody, registered="planned", reports_dir=folder),
        task("fleet_report", hosts=everybody, reports_dir=folder, fail=False, fail_on=["compliant"]),
        task("fleet_report", hosts=everybody, reports_dir=folder, fail=False, newer_than="2100-01-01T00:00:00Z"),
        task("fleet_report", hosts=["cm1.example.org"], reports_dir=folder, fail=False),
        task("fleet_sweep", hosts=everybody, reports_dir=folder, mode="never"),
    ]
    said = run(
        tmp_path,
        [{"hosts": "all", "gather_facts": False, "tasks": tasks}],
        variables={"planned": {"msg": LONG}, "telemetry_waiver": {"until": LONG}},
    )
    held(said)
    for words in (
        f"because of {COUNT} waivers that are not valid: ",
        f"{COUNT} hosts: 0 edits, 0 restarts; nothing to do on 0, cannot be planned: {COUNT}",
        f"{COUNT} hosts: 0 can be audited whole, {COUNT} cannot",
        f"of {COUNT} hosts: ",
        f"no evidence that counts, of {COUNT} hosts: ",
        f"evidence of hosts that were not asked for is left out ({COUNT - 1}): ",
    ):
        assert words in said, words
    plan = said.partition("cannot be planned: 130\n")[2].partition("\n\n")[0].splitlines()
    assert len(plan) == MOST_ROWS + 1
    assert plan[-1] == f"and {COUNT - MOST_ROWS} more hosts (-v shows all)"


def test_evidence_that_is_verified_or_replayed(tmp_path: Path) -> None:
    """What the task has found is no text for a person: it has a line for each host."""
    (tmp_path / "signers").write_text("")
    said = run(tmp_path, "cbops.telemetry.replay", variables={"as_of": "2029-01-01"})
    held(said)
    assert re.search(r"FAILED! => .*on 2029-01-01 policy is not met, or not proven, on \d+ of 130 hosts: ", said)
    said = run(tmp_path, "cbops.telemetry.verify_evidence", variables={"allowed_signers": str(tmp_path / "signers")})
    held(said)
    assert re.search(r"FAILED! => .*\b1\d\d problems: ", said)


def test_the_report_ends_with_one_sentence(tmp_path: Path) -> None:
    said = run(tmp_path, "cbops.telemetry.report", variables={"telemetry_fail_on": ["compliant", "violation"]})
    held(said)
    rows = said.partition("verdict\n")[2].partition("\n\n")[0].splitlines()[1:]
    assert len([row for row in rows if NAME.match(row)]) == len(rows) <= MOST_ROWS
    verdicts = [row.split()[-1] for row in rows]
    assert verdicts == sorted(verdicts, key=fleetmaker.VERDICTS.index)
    assert "compliant" not in verdicts
    assert "hosts that need nobody (-v shows all)" in said
    after = said.partition("\nreport: ")[2]
    assert "/report.json\n" in after
    assert after.count("FAILED!") == 1
    assert re.search(rf'"msg": "policy is not met, or not proven, on \d+ of {COUNT} hosts: [^"]* and \d+ more"', after)
    assert len(after) < 3000
    everything = run(tmp_path, "cbops.telemetry.report", "-v")
    assert set(re.findall(rf"^{NAME.pattern}(?=  )", everything, re.MULTILINE)) == {
        fleetmaker.name_of(number) for number in range(COUNT)
    }


@pytest.mark.parametrize("stdout", ["ansible.posix.json", "ansible.builtin.default"])
@pytest.mark.parametrize("runner", ["", "/runner"])
@pytest.mark.parametrize(("count", "wanted"), [(MANY, None), (MANY + 1, None), (MANY + 1, True), (1, False)])
def test_who_fails(monkeypatch: pytest.MonkeyPatch, stdout: str, runner: str, count: int, wanted: bool | None) -> None:
    monkeypatch.setattr(_showing.C, "DEFAULT_STDOUT_CALLBACK", stdout)
    monkeypatch.setenv("AWX_ISOLATED_DATA_DIR", runner)
    said = {"a,b": "one", **{f"cm{number}": "more" for number in range(count - 1)}}
    many = wanted is None and count > MANY and not runner and "json" not in stdout
    assert held_of(said, "all of it", wanted) == ({"cm0": "all of it"} if many else said if wanted is not False else {})


def test_a_name_too_long_and_names_enough() -> None:
    assert named(["a", "b"]) == "a, b"
    assert named(list("abcde")) == "a, b, c, d, e"
    assert named(list("abcdefg")) == "a, b, c, d, e and 2 more"
    assert named(list("abcdefg"), "; ") == "a; b; c; d; e; and 2 more"
    assert named(list("abcdefg"), " and ") == "a and b and c and d and e and 2 more"
    assert named([]) == ""
    for length in (200, 253, 5000):
        said = named(["x" * length, *"abcdef"] * 20)
        assert len(said) < MOST_TEXT * 2 / 3
        assert said.endswith(" more")
    assert named(["x" * 5000]).endswith("x ...")


@pytest.mark.parametrize("length", [0, MOST_TEXT, MOST_TEXT + 1, 10 * MOST_TEXT])
def test_cut(length: int) -> None:
    text = "x" * length
    assert cut(text) == (text if length <= MOST_TEXT else f"{text[: MOST_TEXT - 4]} ...")


def test_first_lines() -> None:
    lines = [str(number) for number in range(50)]
    assert first(lines, None, "notes") == lines
    assert first(lines, 50, "notes") == lines
    assert first(lines, 40, "notes") == [*lines[:40], "and 10 more notes (-v shows all)"]


def test_what_is_alike_is_said_once() -> None:
    """But for numbers and the host's own name, worst verdict first, then what concerns most."""
    unknown = [missing(f"cm{number}", f"cm{number} has {number} units: no word") for number in range(60)]
    broken = {**missing("cm77", "the line is wrong"), "verdict": "violation"}
    text = table([*unknown, broken], most=MOST_ROWS)
    assert text.split("\n\n")[2].splitlines() == [
        "violation on cm77: the line is wrong",
        "unknown on 60 hosts (cm0, cm1, cm2, cm3, cm4 and 55 more): cm0 has 0 units: no word",
    ]
    assert table([*unknown, broken]).count("no word") == 60
    assert len(table(unknown[:20], most=MOST_ROWS).split("\n\n")[1].splitlines()) == 40, "few: host by host"


def test_failed_restarts_are_not_all_named(tmp_path: Path) -> None:
    budget = Budget(3, tmp_path)
    for number in range(COUNT):
        budget.spend(f"cm{number}")
    assert f"{COUNT} restarts failed in this run (cm0, cm1, cm2, cm3, cm4 and {COUNT - 5} more)" in str(
        budget.exhausted()
    )


SWEEP = """
import os, sys, time
from ansible_collections.cbops.telemetry.plugins.plugin_utils import _showing
_showing._LIVE = _showing._FIRST = 0.0
child = os.fork()
if not child:
    if sys.argv[1:] != ["attached"]:
        for number in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)
    said = _showing.Display
    written = []
    _showing.Display = lambda: type("Kept", (), {"display": staticmethod(lambda text, **how: written.append((text, how)))})()
    progress = _showing.Progress("fleet_sweep", 100)
    for done in (0, 30, 100):
        progress.tell(done, 2)
        time.sleep(0.01)
    progress.end()
    open(os.environ["OUT"], "w").write(repr(written))
    os._exit(0)
os.waitpid(child, 0)
"""


@pytest.mark.parametrize(
    ("environment", "terminal"),
    [({}, True), ({"CI": "true"}, False), ({"AWX_ISOLATED_DATA_DIR": "/runner"}, None)],
    ids=["terminal", "CI", "ansible-runner"],
)
def test_progress_of_a_process_without_a_terminal_of_its_own(
    tmp_path: Path, environment: dict[str, str], terminal: bool | None
) -> None:
    """Ansible's workers have none; who reads along sits at that of the main process."""
    ours, theirs = pty.openpty()
    clean = {name: value for name, value in os.environ.items() if name not in ("CI", "AWX_ISOLATED_DATA_DIR")}
    with os.fdopen(ours, "rb"), os.fdopen(theirs, "wb") as stream:
        subprocess.run(
            [sys.executable, "-c", SWEEP],
            stderr=stream,
            env={**clean, **environment, "OUT": str(tmp_path / "out"), "PYTHONPATH": os.pathsep.join(sys.path)},
            check=True,
            timeout=60,
        )
    written = (tmp_path / "out").read_text()
    assert ("fleet_sweep: 30/100 hosts, 2 violations so far, about 0:0" in written) == (terminal is not None)
    assert ("\\r\\x1b[K" in written and "'stderr': True" in written) == (terminal is True)
    assert "100/100" not in written

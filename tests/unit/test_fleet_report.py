"""The playbook that reports, as a user runs it: by ansible-playbook, on hosts that no connection could reach."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import fleetmaker
import pytest
import schemas

from ansible_collections.cbops.telemetry.plugins.action.fleet_report import hold, name_again
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import totals_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._verdicts import FAIL_ON
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report import _manual
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._formats import FORMATS

CHECKOUT = Path(__file__).parent.parent.parent
#: A connection that would fail loudly, and at once, if anything tried it.
NO_WAY = "ansible_connection=ssh ansible_host=127.0.0.1 ansible_port=1 ansible_ssh_executable=/nonexistent/ssh"


def started(
    inventory: Path, playbook: str, extra: str, *arguments: str, **settings: str
) -> subprocess.CompletedProcess[str]:
    """A playbook with these variables, from the checkout; ``settings`` are Ansible's, of the environment."""
    return subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", inventory, playbook, "-e", extra, *arguments],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"), **settings},
    )


def play(
    folder: Path, hosts: list[str], *arguments: str, playbook: str = "cbops.telemetry.report", **variables: object
) -> subprocess.CompletedProcess[str]:
    """Run the playbook on an inventory of these hosts, with the reports in a folder."""
    inventory = folder / "hosts.ini"
    inventory.write_text("\n".join(f"{host} {NO_WAY}" for host in hosts) + "\n")
    # The fleets of fleetmaker are of one day: what their age makes of them, test_age.py says.
    extra = json.dumps({"telemetry_reports_dir": str(folder), "telemetry_max_age": "never", **variables})
    return started(inventory, playbook, extra, *arguments)


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], subprocess.CompletedProcess[str]]:
    """Twenty hosts, one of them without evidence, reported on in every format."""
    folder = tmp_path_factory.mktemp("reports")
    hosts = [*fleetmaker.make(folder, 20), "never.example.org"]
    return folder, hosts, play(folder, hosts, telemetry_report_formats=list(FORMATS), telemetry_report_name="fleet")


def test_every_format_is_written_and_the_exit_code_is_two(
    reported: tuple[Path, list[str], subprocess.CompletedProcess[str]],
) -> None:
    folder, hosts, done = reported
    assert done.returncode == 2, done.stdout + done.stderr
    assert "UNREACHABLE" not in done.stdout
    assert {path.name for path in folder.glob("fleet.*")} == {
        "fleet.retry",
        *(f"fleet{ending}" for ending, _render in FORMATS.values()),
    }
    document = json.loads((folder / "fleet.json").read_text())
    schemas.validate(document)
    assert [item["host"] for item in document["hosts"]] == hosts
    assert sum(document["totals"].values()) == 21
    assert document["hosts"][-1]["verdict"] == "unknown"
    assert len(document["trend"]) == 4
    mend = [step["command"] for item in document["hosts"] for step in item["mend"] if "enforce" in step["command"]]
    assert f"-i {folder}/hosts.ini " in mend[0]


def test_hosts_without_evidence_are_named_for_the_next_audit(
    reported: tuple[Path, list[str], subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    folder, _hosts, done = reported
    assert (
        f"note: no evidence that counts, of 1 hosts: never.example.org; an audit of those alone: --limit @{folder}"
        "/fleet.retry\n" in done.stdout
    )
    assert (folder / "fleet.retry").read_text() == "never.example.org\n"
    names = ["cm1", "cm,2"]
    assert name_again(tmp_path / "x.retry", names[:1]) == tmp_path / "x.retry"
    for there in ([], names):  # of the second, a host has a name that chooses others
        assert name_again(tmp_path / "x.retry", there) is None
        assert list(tmp_path.iterdir()) == []


def test_a_moment_that_is_none_is_refused(tmp_path: Path) -> None:
    done = play(tmp_path, fleetmaker.make(tmp_path, 1, runs=1), telemetry_newer_than="20 o'clock")
    assert done.returncode == 2
    assert '"20 o\'clock" is neither a time (ISO 8601, UTC) nor an age such as 20 h' in done.stdout.replace("\\", "")
    assert not (tmp_path / "report.json").exists()


def failed(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """What Ansible says of each host that has failed."""
    return {
        host: json.loads(said)["msg"]
        for host, said in re.findall(r"^(?:fatal|failed): \[(\S+?)\]: FAILED! => (\{.*\})$", done.stdout, re.MULTILINE)
    }


def test_each_host_that_does_not_meet_its_policy_fails_with_its_own_verdict(
    reported: tuple[Path, list[str], subprocess.CompletedProcess[str]],
) -> None:
    """And no other one, not even the first."""
    folder, hosts, done = reported
    judged = {item["host"]: item for item in json.loads((folder / "fleet.json").read_text())["hosts"]}
    unmet = {host: item for host, item in judged.items() if item["verdict"] in FAIL_ON}
    assert 4 < len(unmet) < len(hosts)
    said = failed(done)
    assert set(said) == set(unmet)
    for host, item in unmet.items():
        assert said[host] == f"{item['verdict']}: {'; '.join(item['reasons'])}"
    recap = done.stdout.partition("PLAY RECAP")[2]
    assert set(re.findall(r"^(\S+) .*failed=[1-9]", recap, re.MULTILINE)) == set(unmet)


def test_where_it_is_not_wanted_the_run_fails_once(tmp_path: Path) -> None:
    hosts = fleetmaker.make(tmp_path, 8, runs=1)
    done = play(tmp_path, hosts, telemetry_fail_hosts="no", telemetry_report_formats=["json"])
    assert done.returncode == 2
    (said,) = failed(done).values()
    assert re.match(r"policy is not met, or not proven, on \d of 8 hosts: ", said)


@pytest.mark.parametrize(
    ("name", "of_all", "of_one", "same"),
    [
        ("telemetry_max_age", 3, "never", False),
        ("telemetry_max_age", None, "never", False),
        ("telemetry_max_age", None, "72h", True),
        ("telemetry_max_age", "{{ 3 if inventory_hostname == 'b' else 9 }}", None, False),
        ("telemetry_fail_on", None, [], False),
        ("telemetry_fail_on", ["violation", "unknown"], "unknown,violation", True),
        ("telemetry_min_coverage", 90, 0, False),
        ("telemetry_newer_than", "1 h", "1 h", True),
        ("telemetry_newer_than", "1 h", "1h", True),
        ("telemetry_newer_than", None, "", True),
        ("telemetry_min_coverage", 90, "90.0", True),
        ("telemetry_fail_on", None, {1: "x", "b": "y"}, False),
        ("telemetry_fail_on", ["{{ 'down' if inventory_hostname == 'a' else 'stale' }}"], None, False),
        ("telemetry_fail_on", None, ["{{ 'stale' }}", "violation", "waiver_expired", "unknown", "unreachable"], True),
    ],
)
def test_no_host_decides_for_all_how_they_are_judged(
    tmp_path: Path, name: str, of_all: Any, of_one: Any, same: bool
) -> None:
    """A report takes it of its first host: old evidence of a fleet would count, because a test machine's may."""
    for folder, file, value in (("group_vars", "all", of_all), ("host_vars", "a", of_one)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{file}.json").write_text(json.dumps({} if value is None else {name: value}))
    done = run(tmp_path, "report", {"a": {}, "b": {}})
    said = f"no host was touched: what counts for the whole fleet is not the same for all of its hosts: {name}: "
    assert (said in done.stdout) is not same, done.stdout + done.stderr
    assert (tmp_path / "report.json").exists() is same
    assert _manual.entry_of(said) == "not-one-for-the-fleet"


def run(tmp_path: Path, playbook: str, hosts: dict[str, Any], **more: Any) -> subprocess.CompletedProcess[str]:
    """A playbook of ours, with evidence of these hosts of an inventory."""
    fleetmaker.make(tmp_path, 0, runs=1, hosts=tuple(hosts))
    inventory = tmp_path / "hosts.json"
    inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
    given = json.dumps({"telemetry_reports_dir": str(tmp_path), **more})
    return started(
        inventory,
        playbook if "/" in playbook else f"cbops.telemetry.{playbook}",
        given,
        ANSIBLE_INJECT_FACT_VARS="True",
        ANSIBLE_CACHE_PLUGIN="ansible.builtin.jsonfile",
        ANSIBLE_CACHE_PLUGIN_CONNECTION=str(tmp_path / "facts"),
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("telemetry_max_age", "{{ undefined_thing }}"),
        ("telemetry_max_age", "{{ lookup('file', '/nonexistent') }}"),
        ("telemetry_fail_on", ["stale", "{{ undefined_thing }}"]),
    ],
)
def test_who_has_no_value_is_named(tmp_path: Path, name: str, value: Any) -> None:
    done = run(tmp_path, "report", {"a": {}, "b": {name: value}})
    said = "no host was touched: what counts for the whole fleet cannot be resolved: "
    assert done.returncode == 2 and f"{said}b: {name}: " in done.stdout, done.stdout + done.stderr
    assert _manual.entry_of(said) == "not-one-for-the-fleet"


@pytest.mark.parametrize(("playbook", "is_report"), [("check_policy", False), ("ledger", True)])
def test_what_makes_no_report_needs_no_one_value(tmp_path: Path, playbook: str, is_report: bool) -> None:
    hosts = {name: {"telemetry_desired": "unmanaged", "telemetry_max_age": age} for name, age in (("a", 3), ("b", 9))}
    done = run(tmp_path, playbook, hosts)
    assert ("is not the same for all of its hosts" in done.stdout) is is_report, done.stdout + done.stderr
    assert is_report or done.returncode == 0


def test_who_makes_no_report() -> None:
    """Which of the playbooks say so: an undo or a doctor must not be refused for what a report would go by."""
    importing = {
        path.stem: "__telemetry_reports: false" in path.read_text()
        for path in (CHECKOUT / "playbooks").glob("*.yml")
        if "import_playbook: check_inventory.yml" in path.read_text()
    }
    assert {name for name, without in importing.items() if without} == {
        *("check_policy", "doctor", "plan", "probe", "prove", "undo")
    }
    assert {name for name, without in importing.items() if not without} == {"audit", "enforce", "ledger", "report"}


@pytest.mark.parametrize(
    ("of_a", "of_b", "code", "said"),
    [
        ({}, {}, 2, "policy is not met"),
        ({"telemetry_max_age": "never"}, {"telemetry_max_age": "never"}, 0, ""),
        ({"telemetry_max_age": "never"}, {}, 2, "is not the same for all of its hosts"),
        ({"telemetry_max_age": "{{ nothing }}"}, {}, 2, "cannot be resolved: a: telemetry_max_age: "),
        ({"telemetry_fail_on": "stal"}, {"telemetry_fail_on": "stal"}, 2, "value of fail_on must be one or more of"),
    ],
)
def test_a_replay_goes_by_one_value(tmp_path: Path, of_a: Any, of_b: Any, code: int, said: str) -> None:
    hosts = {name: {"telemetry_fail_on": ["stale"], **more} for name, more in (("a", of_a), ("b", of_b))}
    done = run(tmp_path, "replay", hosts, as_of="2026-11-30")
    assert done.returncode == code and said in done.stdout + done.stderr, done.stdout + done.stderr


def test_a_part_of_the_inventory_is_replayed_by_what_counts_for_it(tmp_path: Path) -> None:
    """The first host of all need not be one of the fleet."""
    hosts = {"a": {"telemetry_max_age": "never"}, "b": {"telemetry_max_age": "1h", "telemetry_fail_on": ["stale"]}}
    done = run(tmp_path, "replay", hosts, as_of="2026-11-30", telemetry_hosts="b")
    assert done.returncode == 2 and "policy is not met" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("who", ["a", "b", "localhost"])
def test_facts_of_no_host_decide_a_replay(tmp_path: Path, who: str) -> None:
    """A cache brings them, and injection, Ansible's default, makes variables of them."""
    planted = {"telemetry_fail_on": [], "telemetry_max_age": "never", "cacheable": True}
    plays = tmp_path / "plant.json"
    plays.write_text(json.dumps([{"hosts": who, "gather_facts": False, "tasks": [{"set_fact": planted}]}]))
    assert run(tmp_path, str(plays), {"a": {}, "b": {}}).returncode == 0 and list((tmp_path / "facts").iterdir())
    done = run(tmp_path, "replay", {"a": {}, "b": {}}, as_of="2026-11-30")
    said = "on 2026-11-30 policy is not met" if who == "b" else f"facts of the host {who} would set telemetry_fail_on, "
    assert done.returncode == 2 and said in done.stdout + done.stderr, done.stdout + done.stderr


@pytest.mark.parametrize(("limit", "code"), [("1h", 2), ("never", 0)])
@pytest.mark.parametrize("in_inventory", [True, False])
def test_a_replay_has_the_limit_of_the_fleet(tmp_path: Path, limit: str, code: int, in_inventory: bool) -> None:
    """Also where a group of the inventory has it, in which this machine is not; without an inventory what -e says."""
    fleetmaker.make(tmp_path, 0, runs=1, hosts=("a",))
    (tmp_path / "group_vars").mkdir()
    given = {"telemetry_max_age": limit, "telemetry_fail_on": ["stale"]}
    (tmp_path / "group_vars/cloudbees.json").write_text(json.dumps(given))
    inventory = tmp_path / "hosts.json"
    inventory.write_text(json.dumps({"all": {"children": {"cloudbees": {"hosts": {"a": {}}}}}}))
    more = {"as_of": "2026-11-25", "telemetry_reports_dir": str(tmp_path), **({} if in_inventory else given)}
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "cbops.telemetry.replay", "-e", json.dumps(more)]
        + (["-i", str(inventory)] if in_inventory else []),
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg")},
    )
    assert done.returncode == code, done.stdout + done.stderr


@pytest.mark.parametrize("more", [(), ("-v",)])
def test_a_task_of_ones_own_that_fails_ends_in_a_sentence(tmp_path: Path, more: tuple[str, ...]) -> None:
    """Of all that a task returns Ansible writes a wall, where it fails."""
    hosts = fleetmaker.make(tmp_path, 60, runs=1)
    task = {"hosts": hosts, "reports_dir": str(tmp_path), "max_age": "never", "formats": ["json"], "name": "fleet"}
    playbook = tmp_path / "own.json"
    tasks = [
        {"cbops.telemetry.fleet_report": task, "run_once": True, "ignore_errors": True, "register": "found"},
        {"assert": {"that": "found.totals.compliant and found.report is match('.*/fleet.json')"}, "run_once": True},
        {
            "cbops.telemetry.fleet_ledger": {"hosts": hosts, "reports_dir": str(tmp_path), "min_coverage": 100},
            "run_once": True,
        },
    ]
    playbook.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    done = play(tmp_path, hosts[:2], *more, playbook=str(playbook))
    assert done.returncode == 2, done.stdout + done.stderr
    results = re.findall(r"^fatal: \[.*?\]: FAILED! => (\{.*)$", done.stdout, re.MULTILINE)
    assert len(results) == 2, done.stdout
    for text in results:
        found = json.loads(text)
        assert found["msg"] and (more or len(text) < 1500)
        assert ({"table", "ghosts"} & set(found) == set()) is not bool(more)


def test_a_name_that_is_a_pattern_is_not_passed_over(tmp_path: Path) -> None:
    """Ansible would choose other hosts by it, or none, and end with 0."""
    fleetmaker.make(tmp_path, 0, runs=1, hosts=("cm1,cm2",))
    inventory = tmp_path / "hosts.json"
    inventory.write_text(json.dumps({"all": {"hosts": {"cm1,cm2": {}, "cm9": {}}}}))
    done = play(tmp_path, [], "-i", str(inventory), "--limit", "all", telemetry_fail_on=["violation"])
    assert done.returncode == 2, done.stdout + done.stderr
    assert "policy is not met, or not proven, on 1 of 2 hosts: cm1,cm2" in done.stdout


def test_what_a_host_says_stays_text(tmp_path: Path) -> None:
    """It is no template, moves no cursor, and begins no line; and what follows the report in a playbook is run."""
    hosts = fleetmaker.make(tmp_path, 2, runs=1)
    path = next(path for path in (tmp_path / "evidence").iterdir() if '"verdict": "violation"' in path.read_text())
    evil = "{{ lookup('pipe', 'touch " + str(tmp_path) + "/done') }} {% for x in y %}\n::error::\x1b[2J"
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_text(json.dumps({**json.loads(path.read_text()), "reasons": [evil, *("more",) * 10]}))
    filed = _manifest(tmp_path)
    filed.write_text(filed.read_text().replace(before, hashlib.sha256(path.read_bytes()).hexdigest()))
    own = tmp_path / "own.yml"
    own.write_text(
        json.dumps(
            [
                {"ansible.builtin.import_playbook": "cbops.telemetry.report"},
                {"hosts": "all", "gather_facts": False, "tasks": [{"ansible.builtin.fail": {"msg": "the next play"}}]},
            ]
        )
    )
    done = play(tmp_path, hosts, playbook=str(own), telemetry_fail_on=["violation"])
    assert done.returncode == 2, done.stdout + done.stderr
    said = failed(done)
    (host,) = (name for name in hosts if said[name] != "the next play")
    assert (
        said[host]
        == "violation: "
        + evil.replace("\n", "\\u000a").replace("\x1b", "\\u001b")
        + "; more" * 9
        + "; and 1 more reasons"
    )
    assert not (tmp_path / "done").exists()
    assert len(said) == len(hosts) == 2


def test_hosts_that_ansible_has_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are red already; the others that do not meet their policy fail all the same, whatever ansible.cfg says."""
    monkeypatch.setenv("ANSIBLE_ANY_ERRORS_FATAL", "true")
    monkeypatch.setenv("ANSIBLE_STRATEGY", "free")
    hosts = fleetmaker.make(tmp_path, 8, runs=1)
    (tmp_path / "ssh").write_text("#!/bin/sh\nexit 255\n")
    (tmp_path / "ssh").chmod(0o755)
    own = tmp_path / "own.yml"
    own.write_text(
        json.dumps(
            [
                {
                    "hosts": "all",
                    "gather_facts": False,
                    "any_errors_fatal": False,
                    "tasks": [
                        {"ansible.builtin.ping": {}, "when": f"inventory_hostname == '{hosts[0]}'"},
                        {"ansible.builtin.fail": {"msg": "before"}, "when": f"inventory_hostname == '{hosts[1]}'"},
                    ],
                },
                {"ansible.builtin.import_playbook": "cbops.telemetry.report"},
            ]
        )
    )
    done = play(
        tmp_path,
        hosts,
        playbook=str(own),
        telemetry_fail_on=["violation", "waiver_expired", "unknown"],
        ansible_ssh_executable=str(tmp_path / "ssh"),
    )
    judged = {item["host"]: item["verdict"] for item in json.loads((tmp_path / "report.json").read_text())["hosts"]}
    unmet = {host for host, verdict in judged.items() if verdict in ("violation", "waiver_expired", "unknown")}
    assert {hosts[0], hosts[1]} < unmet
    assert f"fatal: [{hosts[0]}]: UNREACHABLE!" in done.stdout
    assert failed(done)[hosts[1]] == "before"
    assert set(failed(done)) == unmet - {hosts[0]}
    assert done.returncode == 4, "Ansible's own, for a host that it did not reach"


@pytest.mark.parametrize(
    ("held", "playing", "expected"),
    [
        ([], ["a"], []),
        (["b"], ["a", "b", "c"], ["b", "a"]),
        (["a", "b"], ["a", "b"], ["a", "b", "localhost"]),
        (["localhost"], ["localhost"], ["localhost"]),
        (["fe80::1", "cm[1]", "all", "~x"], ["a,b", "c"], ["fe80::1", "cm[1]", "all", "~x", "c"]),
        *((["a", name], ["a"], []) for name in ("a,b", "!b", "&b", " b", "b:c", "")),
    ],
)
def test_the_hosts_of_the_play_that_fails(held: list[str], playing: list[str], expected: list[str]) -> None:
    assert hold(held, playing) == expected


def test_with_limit_it_is_on_those_hosts_alone(tmp_path: Path) -> None:
    hosts = fleetmaker.make(tmp_path, 20, runs=1)
    done = play(tmp_path, hosts, "--limit", "cm6.example.org,cm8.example.org", telemetry_fail_on=["unreachable"])
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads((tmp_path / "report.json").read_text())
    assert [item["host"] for item in document["hosts"]] == ["cm6.example.org", "cm8.example.org"]
    assert "note: evidence of hosts that were not asked for is left out (18): cm1.example.org, " in done.stdout
    assert "<!DOCTYPE html>" in (tmp_path / "report.html").read_text()


def test_folders_are_merged_and_the_history_is_the_trend(tmp_path: Path) -> None:
    hosts = []
    for part, seed in (("one", 1), ("two", 2)):
        hosts += [host for host in fleetmaker.make(tmp_path / part, 20, seed, runs=1) if host not in hosts]
    variables = {
        "telemetry_evidence_dirs": [str(tmp_path / part / "evidence") for part in ("one", "two", "three")],
        "telemetry_report_history": str(tmp_path / "history.jsonl"),
        "telemetry_fail_on": ["unreachable"],
        "telemetry_report_formats": ["json"],
    }
    for count in (1, 2):
        done = play(tmp_path, hosts, **variables)
        assert f"there is no folder {tmp_path}/three/evidence" in done.stdout
        document = json.loads((tmp_path / "report.json").read_text())
        assert len(document["trend"]) == count
    assert document["trend"][-1] == {"at": document["generated_at"], "totals": document["totals"]}
    (tmp_path / "history.jsonl").write_text("nonsense\n")
    broken = play(tmp_path, hosts, **variables)
    assert broken.returncode == 2
    assert re.search(r"history.jsonl, line 1 is no line of a history", broken.stdout + broken.stderr)


def test_copies_of_a_folder_have_one_head(tmp_path: Path) -> None:
    """Two series of the same labels are an error to whatever reads them; a signature that one copy has is there."""
    hosts = fleetmaker.make(tmp_path / "one", 3, 1, runs=1)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    signature = _manifest(tmp_path / "two")
    signature.with_name(f"{signature.name}.sig").write_text("a signature\n")
    folders = [str(tmp_path / part / "evidence") for part in ("one", "two")]
    play(tmp_path, hosts, telemetry_evidence_dirs=folders, telemetry_report_formats=["json", "openmetrics"])
    text = (tmp_path / "report.prom").read_text()
    assert text.count("cbops_telemetry_chain_head{") == 1
    (head,) = json.loads((tmp_path / "report.json").read_text())["heads"]
    assert head["signed"] is True


def test_an_empty_inventory_is_a_mistake(tmp_path: Path) -> None:
    done = play(tmp_path, [])
    assert done.returncode != 0
    assert "The inventory has no hosts" in done.stdout + done.stderr
    assert not (tmp_path / "report.json").exists()


EXAMPLES = [
    " ".join(command.replace("\\\n", " ").split())
    for command in re.findall(
        r"^(ansible-playbook cbops\.telemetry\.report(?:.*\\\n)*.*)$", (CHECKOUT / "docs/reports.md").read_text(), re.M
    )
]


@pytest.mark.parametrize("command", EXAMPLES)
def test_the_examples_of_the_documentation_run(tmp_path: Path, command: str) -> None:
    """Each as it stands, in a folder with an inventory and evidence; only the folder below /var is moved there too."""
    for part in ("reports", "slice1", "slice2"):
        hosts = fleetmaker.make(tmp_path / part, 10, runs=2)
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory/hosts").write_text("\n".join(f"{host} {NO_WAY}" for host in hosts) + "\n")
    words = command.replace("/var/lib/", f"{tmp_path}/var/lib/").split()
    words[0] = str(Path(sys.executable).with_name(words[0]))
    done = subprocess.run(
        words,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg")},
    )
    assert done.returncode == 2, done.stdout + done.stderr
    named = (re.findall(r"telemetry_report_formats=(\S+)", command) or ["json,html"])[0].split(",")
    folder = tmp_path / ("var/lib/prometheus/node-exporter" if "/var/" in command else "reports")
    assert {path.name for path in folder.glob("report.*")} == {f"report{FORMATS[name][0]}" for name in named}
    assert "no evidence was filed" not in done.stdout


def test_every_format_has_an_example() -> None:
    shown = {
        name
        for command in EXAMPLES
        for names in re.findall(r"telemetry_report_formats=(\S+)", command)
        for name in names.split(",")
    }
    assert shown == set(FORMATS)


def _manifest(folder: Path) -> Path:
    return max((folder / "manifests").glob("*.json"))


@pytest.mark.parametrize(
    ("arguments", "variables", "told"),
    [
        ((), {}, True),
        (("--limit", "!cm1.example.org"), {}, False),
        ((), {"telemetry_hosts": "all:!cm1.example.org"}, False),
        (("--limit", "all"), {}, True),
        ((), {"telemetry_hosts": "*"}, True),
    ],
    ids=["the whole inventory", "a limit", "some hosts by -e", "a limit that is none", "all by -e"],
)
def test_hosts_that_vanish_are_named(
    tmp_path: Path, arguments: tuple[str, ...], variables: dict[str, Any], told: bool
) -> None:
    """Those of the last run of the whole inventory; a run of a part of it tells nothing of the rest."""
    hosts = fleetmaker.make(tmp_path, 20, runs=2)
    part = json.loads(_manifest(tmp_path).read_text())
    part.update(run_id="29990101T000000Z-00000000", hosts=hosts[:1], limit="cm1*")
    _manifest(tmp_path).with_name(f"{part['run_id']}.json").write_text(json.dumps(part, indent=2, sort_keys=True))
    done = play(tmp_path, hosts[:-2], *arguments, telemetry_fail_on=["vanished"], **variables)
    document = json.loads((tmp_path / "report.json").read_text())
    schemas.validate(document)
    assert document["vanished"] == (hosts[-2:] if told else [])
    assert ("note: vanished since the last run of the whole inventory" in done.stdout) == told
    assert ("not in the inventory any more" in done.stdout) == told
    assert done.returncode == (2 if told else 0), done.stdout
    # What --limit leaves out, and that is this machine too, cannot fail by itself.
    speaks = "localhost" if "--limit" not in arguments else document["hosts"][0]["host"]
    assert failed(done) == ({speaks: f"2 hosts have vanished: {', '.join(hosts[-2:])}"} if told else {})


def test_hosts_that_the_inventory_leaves_out_vanish_too(tmp_path: Path) -> None:
    hosts = fleetmaker.make(tmp_path, 10, runs=1)
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars/all.yml").write_text(f"telemetry_hosts: 'all:!{hosts[0]}'\n")
    done = play(tmp_path, hosts, telemetry_fail_on=["unreachable"])
    assert json.loads((tmp_path / "report.json").read_text())["vanished"] == [hosts[0]]
    assert f"{hosts[0]}: outside of telemetry_hosts now" in done.stdout


def test_two_names_for_one_machine_count_once_and_by_the_worse(tmp_path: Path) -> None:
    hosts = fleetmaker.make(tmp_path, 20, runs=1)
    path = _manifest(tmp_path)
    manifest = json.loads(path.read_text())
    by_host = {entry["host"]: entry for entry in manifest["files"].values()}
    bad = next(host for host in hosts if by_host[host]["verdict"] == "violation")
    good = next(host for host in hosts if by_host[host]["verdict"] == "compliant")
    before = totals_of(entry["verdict"] for entry in by_host.values())
    for host in hosts:
        by_host[host]["machine"] = f"{hosts.index(bad if host == good else host):064x}"
    path.write_text(json.dumps(manifest, indent=2, sort_keys=True))
    done = play(tmp_path, hosts, telemetry_fail_on=["unreachable"], telemetry_report_formats=["json", "markdown"])
    document = json.loads((tmp_path / "report.json").read_text())
    schemas.validate(document)
    assert len(document["hosts"]) == 20
    assert document["machines"] == [sorted([bad, good], key=hosts.index)]
    assert document["totals"] == {**before, "compliant": before["compliant"] - 1}
    assert "19 hosts under 20 names: " in done.stdout
    assert f"{good} are one machine: " in done.stdout or f"{bad} are one machine: " in done.stdout
    assert "of 19 hosts" in document["headline"] or "of 19 controllers" in document["headline"]

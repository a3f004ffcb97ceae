"""Plan, review, enforce: a plan changes nothing, and enforce that is held to it does that and nothing else."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from fleethand import BIN, CHECKOUT, FLAG, SECRET, Done, Fleet
from schemas import validate

EDITED = "bookworm-cm-deb"
OTHER = "trixie-cm-deb"
FILE = "/etc/default/cloudbees-core-cm"
NOW = ("-e", "telemetry_restart=now")


def planned(fleet: Fleet, folder: Path, *arguments: str, **options: Any) -> tuple[Done, dict[str, Any]]:
    """Run the plan playbook; its document."""
    done = fleet.play("plan", "-e", f"telemetry_reports_dir={folder}", *arguments, **options)
    document = json.loads((folder / "plan.json").read_text())
    validate(document)
    return done, document


def by_host(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Entries by host."""
    return {entry["host"]: entry for entry in document["hosts"]}


def held(folder: Path) -> tuple[str, str]:
    """Arguments that hold enforce to the plan in a folder."""
    return "-e", f"telemetry_plan={folder / 'plan.json'}"


def pids(fleet: Fleet, *hosts: str) -> dict[str, str]:
    """The JVMs of each host."""
    return {host: fleet.shell(host, "pgrep -x java") for host in hosts or fleet.hosts}


def checksum(fleet: Fleet, host: str, path: str) -> str | None:
    """SHA-256 of a file of a host, None where there is no such file."""
    return (fleet.shell(host, f"sha256sum {path} 2>/dev/null", check=False).split() or [None])[0]


def undo(fleet: Fleet, *hosts: str) -> None:
    """Telemetry on again, on the hosts that a test edited or on all, with all JVMs as at first."""
    done = fleet.play(
        "enforce",
        *NOW,
        "-e",
        "telemetry_desired=enabled",
        "-e",
        "telemetry_restart_serial=0",
        inventory=fleet.inventory({host: {} for host in hosts or fleet.hosts}),
    )
    assert set(done.verdicts().values()) == {"compliant"}, done.output


def test_from_plan_to_enforce(fleet: Fleet, tmp_path: Path) -> None:
    """One story from start to end, because every step stands on the one before."""
    untouched, jvms = fleet.launch_files(), pids(fleet)
    done, document = planned(fleet, tmp_path, *NOW)
    assert done.code == 0, done.output
    assert done.changed() == dict.fromkeys(fleet.hosts, 0)
    assert (fleet.launch_files(), pids(fleet)) == (untouched, jvms), "a plan changes nothing"
    assert SECRET not in done.output + (tmp_path / "plan.json").read_text() + (tmp_path / "plan.md").read_text()
    entries = by_host(document)
    assert list(entries) == fleet.hosts
    for host, entry in entries.items():
        assert len(entry["edits"]) == len(entry["restarts"]) == 1, host
        assert checksum(fleet, host, entry["edits"][0]["path"]) == entry["edits"][0]["before"], host
        assert f"| <code>{host}</code> |" in (tmp_path / "plan.md").read_text()

    # Neither another look nor check mode gives another file.
    for number, arguments in enumerate(([], ["--check"])):
        again = tmp_path / str(number)
        planned(fleet, again, *NOW, *arguments)
        for name in ("plan.json", "plan.md"):
            assert (again / name).read_bytes() == (tmp_path / name).read_bytes(), (name, arguments)

    # Somebody edits a launch file between review and enforce.
    fleet.shell(EDITED, f"echo '# by hand' >> {FILE}")
    by_hand = fleet.launch_files(EDITED)[EDITED]
    enforced = fleet.play("enforce", *NOW, *held(tmp_path), "-e", "telemetry_restart_serial=0")
    assert enforced.code == 2, enforced.output
    others = [host for host in fleet.hosts if host != EDITED]
    assert enforced.verdicts() == {**dict.fromkeys(others, "compliant"), EDITED: "violation"}
    assert f"{FILE}: it was changed since the plan was made" in enforced.reasons(EDITED)
    assert entries[EDITED]["edits"][0]["before"][:12] in enforced.reasons(EDITED)
    assert fleet.launch_files(EDITED)[EDITED] == by_hand, "the host that does not match is untouched"
    assert enforced.changed()[EDITED] == 0
    after = pids(fleet)
    assert [host for host in fleet.hosts if after[host] == jvms[host]] == [EDITED], "and nothing is restarted there"
    for host in others:
        edit = entries[host]["edits"][0]
        assert checksum(fleet, host, edit["path"]) == edit["after"], f"{host}: exactly what was planned"

    # The same again: what is done is fine, what does not match is still refused.
    again_held = fleet.play("enforce", *NOW, *held(tmp_path))
    assert again_held.verdicts() == enforced.verdicts()
    assert again_held.changed() == dict.fromkeys(fleet.hosts, 0)

    # A new plan holds only what is left; enforced, the next one is empty.
    _done, rest = planned(fleet, tmp_path / "rest", *NOW)
    assert [host for host, entry in by_host(rest).items() if entry["edits"] or entry["restarts"]] == [EDITED]
    last = fleet.play("enforce", *NOW, *held(tmp_path / "rest"))
    assert last.code == 0, last.output
    assert set(last.verdicts().values()) == {"compliant"}
    assert [host for host, count in last.changed().items() if count] == [EDITED]
    done, empty = planned(fleet, tmp_path / "empty", *NOW)
    assert done.code == 0
    assert not any(entry["edits"] or entry["restarts"] or entry["reload"] for entry in empty["hosts"])
    assert f"nothing to do on {len(fleet.hosts)}" in (tmp_path / "empty/plan.md").read_text()
    undo(fleet)


def test_a_restart_that_was_not_planned_is_refused(fleet: Fleet, tmp_path: Path) -> None:
    """The plan was made for edits only; with restarts asked for, nothing is done on the host."""
    inventory = fleet.inventory({OTHER: {}})
    _done, document = planned(fleet, tmp_path, inventory=inventory)
    assert by_host(document)[OTHER]["restarts_owed"] == ["cloudbees-core-cm.service"]
    before, jvm = fleet.launch_files(OTHER)[OTHER], pids(fleet, OTHER)
    done = fleet.play("enforce", *NOW, *held(tmp_path), inventory=inventory)
    assert done.code == 2
    assert "a restart of cloudbees-core-cm.service is needed that was not planned" in done.reasons(OTHER)
    assert (fleet.launch_files(OTHER)[OTHER], pids(fleet, OTHER)) == (before, jvm)

    # A restart that is owed already: the part of enforce that restarts is held to the plan as well.
    fleet.shell(OTHER, f"cp -p {FILE} /root/kept; echo 'JAVA_ARGS=\"$JAVA_ARGS {FLAG}\"' >> {FILE}")
    try:
        done = fleet.play("enforce", *NOW, *held(tmp_path), "--tags", "telemetry_restart", inventory=inventory)
        assert "was not planned" in done.output
        assert pids(fleet, OTHER) == jvm
    finally:
        fleet.shell(OTHER, f"cp -p /root/kept {FILE}")


#: Plans that have no entry of the host, and what is said of them.
WITHOUT = {
    "another": ('{"schema": "cbops.telemetry/plan/1", "serial": [1], "hosts": []}', "the host is not in the plan"),
    "damaged": ('{"schema": "cbops.telemetry/plan/1", "serial": [1], "hosts": [{"host": "damaged"}]}', "is damaged"),
    "number": ('{"schema": "cbops.telemetry/plan/1", "serial": [1], "hosts": 5}', "is no plan"),
    "brace": ("{", "is no JSON"),
    "none": (None, "cannot be read"),
}


@pytest.fixture(scope="module")
def held_to_no_entry(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> tuple[Done, str, str]:
    """One run for the host, under a name for each such plan; its launch files before and after."""
    folder, names = tmp_path_factory.mktemp("plans"), {}
    for name, (content, _) in WITHOUT.items():
        if content is not None:
            (folder / name).write_text(content)
        names[name] = {"ansible_host": OTHER, "telemetry_plan": str(folder / name)}
    before = fleet.launch_files(OTHER)[OTHER]
    done = fleet.play("enforce", inventory=fleet.inventory(names))
    return done, before, fleet.launch_files(OTHER)[OTHER]


@pytest.mark.parametrize("name", WITHOUT)
def test_without_an_entry_nothing_is_done(held_to_no_entry: tuple[Done, str, str], name: str) -> None:
    done, before, after = held_to_no_entry
    assert done.code == 2
    assert WITHOUT[name][1] in done.reasons(name), done.output
    assert after == before


def test_what_cannot_be_planned_is_named_and_what_is_left_alone_is_idle(fleet: Fleet, tmp_path: Path) -> None:
    """An unreachable host, a wrong policy, a launch file that cannot be known: each with its error; others go on."""
    broken = "trixie-oc-rpm"
    fleet.shell(
        broken,
        "cp -p /etc/sysconfig/cloudbees-core-oc /root/kept; "
        "echo 'JENKINS_JAVA_OPTIONS=\"' >> /etc/sysconfig/cloudbees-core-oc",
    )
    fleet.power("bullseye-cm-rpm", "off")
    waiver = {"until": "2199-12-31", "reason": "case 12345", "approved_by": "Jo Doe"}
    inventory = fleet.inventory(
        {
            OTHER: {},
            broken: {},
            "bullseye-cm-rpm": {"ansible_ssh_extra_args": "-o ConnectTimeout=3"},
            "trixie-oss": {"telemetry_desired": "off"},
            EDITED: {"telemetry_waiver": waiver, "telemetry_waiver_max_days": 99999},
            "trixie-script": {"telemetry_desired": "unmanaged"},
        }
    )
    try:
        done, document = planned(fleet, tmp_path, inventory=inventory)
        held_run = fleet.play("enforce", *held(tmp_path), inventory=inventory)
    finally:
        fleet.power("bullseye-cm-rpm", "on")
        fleet.shell(broken, "cp -p /root/kept /etc/sysconfig/cloudbees-core-oc")
    assert done.code == 2
    entries = by_host(document)
    assert list(entries) == [OTHER, broken, "bullseye-cm-rpm", "trixie-oss", EDITED, "trixie-script"]
    assert "cannot be resolved, so nothing is edited" in entries[broken]["error"]
    assert "telemetry_desired" in entries["trixie-oss"]["error"]
    assert entries["bullseye-cm-rpm"]["error"]
    for host in (broken, "trixie-oss", "bullseye-cm-rpm"):
        assert f"{host}: {entries[host]['error'][:40]}" in done.output
    assert entries[EDITED]["reasons"] == ["waived until 2199-12-31: case 12345 (approved by Jo Doe)"]
    for host in (EDITED, "trixie-script"):
        assert (entries[host]["enforced"], entries[host]["edits"], entries[host]["error"]) == (False, [], None)
    assert len(entries[OTHER]["edits"]) == 1
    # Enforce does the one that was planned; the host that did not answer is unreachable in the audit as ever.
    assert held_run.verdicts() == {
        OTHER: "restart_pending",
        broken: "violation",
        "bullseye-cm-rpm": "unreachable",
        "trixie-oss": "unknown",
        EDITED: "waived",
        "trixie-script": "not_applicable",
    }
    assert "could not be planned" in held_run.reasons(broken)
    undo(fleet, OTHER)


def test_rendered_scripts_are_planned(fleet: Fleet, tmp_path: Path) -> None:
    """A template of the user's own: its edit is in the plan, and another template later is refused."""
    host, path = "trixie-script", "/opt/cloudbees/cm/start.sh"
    fleet.shell(host, f"cp -p {path} /root/kept")
    original = fleet.shell(host, f"cat {path}")
    template = tmp_path / "start.sh.j2"
    template.write_text(original.replace("-Xmx32m", "-Xmx33m {{ '' | cbops.telemetry.with_flag(telemetry_desired) }}"))
    inventory = fleet.inventory({host: {"telemetry_launch_templates": [{"src": str(template), "dest": path}]}})
    try:
        _done, document = planned(fleet, tmp_path, inventory=inventory)
        (edit,) = by_host(document)[host]["edits"]
        assert edit["summary"] == f"rendered from {template}"
        assert checksum(fleet, host, path) == edit["before"]
        reviewed = template.read_text()
        template.write_text(reviewed.replace("-Xmx33m", "-Xmx34m"))
        refused = fleet.play("enforce", *held(tmp_path), inventory=inventory)
        assert "another content would be written" in refused.reasons(host)
        assert fleet.shell(host, f"cat {path}") == original
        template.write_text(reviewed)
        done = fleet.play("enforce", *held(tmp_path), inventory=inventory)
        assert done.verdicts() == {host: "restart_pending"}, done.output
        assert checksum(fleet, host, path) == edit["after"]
        _done, document = planned(fleet, tmp_path, inventory=inventory)
        assert by_host(document)[host]["edits"] == []
    finally:
        fleet.shell(host, f"cp -p /root/kept {path}")


def test_batches_are_those_of_the_restart_play(fleet: Fleet, tmp_path: Path) -> None:
    """The plan's batches against the hosts that Ansible restarts together; the inventory's word counts in neither."""
    hosts = fleet.hosts[:5]
    inventory = fleet.inventory({host: {} for host in hosts}, telemetry_restart_serial=5)
    for arguments in ([], ["-e", "telemetry_restart_serial=2"], ["-e", '{"telemetry_restart_serial": ["20%", 3]}']):
        done, document = planned(fleet, tmp_path, *arguments, inventory=inventory)
        numbers = [entry["batch"] for entry in document["hosts"]]
        assert ("has no effect in the inventory" in done.output) is (not arguments)
        played = fleet.play(
            "enforce",
            "--check",
            "--tags",
            "telemetry_restart",
            *arguments,
            inventory=inventory,
            environment={"ANSIBLE_DISPLAY_SKIPPED_HOSTS": "true", "ANSIBLE_DISPLAY_OK_HOSTS": "true"},
        )
        # Each batch is a play of its own in the output.
        plays = played.output.split("PLAY [Declare telemetry and restart what owes a restart]")[1:]
        plays[-1] = plays[-1].split("PLAY [")[0]
        restarted = [sorted({host for host in hosts if f"[{host}]" in text}) for text in plays]
        assert restarted == [
            [host for host, number in zip(hosts, numbers, strict=True) if number == batch]
            for batch in range(1, max(numbers) + 1)
        ], played.output


PLAN = """ansible-playbook cbops.telemetry.plan -i inventory/ -e telemetry_restart=now
cat reports/plan.md >> "$GITHUB_STEP_SUMMARY"
diff plan.json reports/plan.json    # the plan that is reviewed is the one that holds now
"""
ENFORCE = "ansible-playbook cbops.telemetry.enforce -i inventory/ -e telemetry_restart=now -e telemetry_plan=plan.json"


def test_a_pipeline_that_enforces_what_was_reviewed(fleet: Fleet, tmp_path: Path) -> None:
    """As docs/howto.md says: another plan than the committed one fails."""
    plan, enforce = PLAN, ENFORCE
    shutil.copytree(fleet.inventory({OTHER: {}}), tmp_path / "inventory")
    (tmp_path / "plan.json").write_text("{}")

    def step(script: str) -> int:
        # -e: so does GitHub run it
        return fleet.inside(
            "env",
            f"PATH={BIN}:{os.environ['PATH']}",
            "bash",
            "-e",
            "-c",
            script,
            cwd=tmp_path,
            environment={
                "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
                "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".build/collections"),
            },
        ).returncode

    assert step(plan) == 1, "what was committed is another plan"
    assert f"| <code>{OTHER}</code> |" in (tmp_path / "summary.md").read_text()
    shutil.copy(tmp_path / "reports/plan.json", tmp_path / "plan.json")
    assert step(plan) == 0
    before = pids(fleet, OTHER)
    assert step(enforce) == 0
    edit = by_host(json.loads((tmp_path / "plan.json").read_text()))[OTHER]["edits"][0]
    assert checksum(fleet, OTHER, edit["path"]) == edit["after"]
    assert pids(fleet, OTHER) != before
    undo(fleet, OTHER)

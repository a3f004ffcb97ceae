"""Undo: what a run edited is put back byte for byte, unless somebody stands in the way; and both runs are on record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fleethand import FLAG, Done, Fleet
from schemas import validate

DEB, UNIT = "bookworm-cm-deb", "bookworm-oss"
HOSTS = (DEB, UNIT)
FILE = "/etc/default/cloudbees-core-cm"


def record(reports: Path) -> list[dict[str, Any]]:
    """The newest record of changes."""
    lines = [json.loads(line) for line in max((reports / "changes").glob("*.jsonl")).read_text().splitlines()]
    for line in lines:
        validate(line)
    return lines


def of(lines: list[dict[str, Any]], kind: str, host: str) -> list[dict[str, Any]]:
    """The lines of a kind on a host."""
    return [line for line in lines if line["kind"] == kind and line["host"] == host]


def test_a_run_is_undone_where_nobody_has_changed_it_since(fleet: Fleet, tmp_path: Path) -> None:
    """One story from start to end, because every step stands on the one before."""
    inventory = fleet.inventory({DEB: {}, UNIT: {}}, telemetry_restart="now")

    def play(name: str, *arguments: str) -> Done:
        done = fleet.play(name, "-e", f"telemetry_reports_dir={tmp_path}", *arguments, inventory=inventory)
        done.report = json.loads((tmp_path / "audit.json").read_text())
        validate(done.report)
        return done

    def files() -> list[str]:
        found = fleet.launch_files()
        return [found[DEB], found[UNIT]]

    untouched = files()
    done = play("enforce")
    assert done.code == 0, done.output
    edited, lines = files(), record(tmp_path)
    head, run = lines[0], lines[0]["run"]
    assert head["kind"] == "run" and head["operator"] and head["undoes"] is None
    [edit] = of(lines, "edit", DEB)
    assert edit["file"] == FILE and edit["before"] in untouched[0] and edit["after"] in edited[0]
    [restart] = of(lines, "restart", DEB)
    assert restart["failure"] is None and restart["old"] != restart["new"]
    assert of(lines, "edit", UNIT)

    done = play("undo", "-e", f"run={run}", "--check", "--diff")
    assert FLAG in done.output and files() == edited
    assert record(tmp_path)[0]["run"] == run, "nothing is on record that was not done"

    fleet.shell(UNIT, "for f in $(grep -rl Sender.disabled /etc/systemd/system); do echo '# by hand' >> $f; done")
    by_hand = files()
    done = play("undo", "-e", f"run={run}")
    assert files() == [untouched[0], by_hand[1]], "the one as before, the other as it was"
    assert done.verdicts() == {DEB: "violation", UNIT: "unknown"}, done.output
    assert "somebody else has changed it since" in done.output
    assert FLAG not in fleet.shell(DEB, "tr '\\0' ' ' < /proc/$(pgrep -x java)/cmdline"), "it was restarted"
    lines = record(tmp_path)
    assert lines[0]["undoes"] == run
    [put_back] = of(lines, "undo", DEB)
    assert (put_back["before"], put_back["after"]) == (edit["after"], edit["before"])
    assert of(lines, "restart", DEB)[0]["failure"] is None
    [refused] = of(lines, "refusal", UNIT)
    assert refused["what"] == "undo" and "by" not in refused.get("file", "")
    drift = {host["host"]: host["drift"] for host in done.report["hosts"]}
    assert drift[DEB] is None, "it was us"
    assert of(lines, "judged", DEB)[0]["verdict"] == "violation"
    assert {change["kind"] for run in done.report["changes"] for change in run["changes"]} == {
        "edit",
        "restart",
        "undo",
        "refusal",
    }

    fleet.shell(UNIT, "for f in $(grep -rl Sender.disabled /etc/systemd/system); do sed -i '/^# by hand$/d' $f; done")
    done = play("undo", "-e", f"run={run}")
    assert files() == untouched
    assert done.verdicts() == dict.fromkeys([DEB, UNIT], "violation"), done.output
    lines = record(tmp_path)
    assert not of(lines, "undo", DEB) and not of(lines, "restart", DEB), "a second time nothing is left to do"
    assert of(lines, "undo", UNIT) and of(lines, "restart", UNIT)


def test_what_is_no_run_is_refused(fleet: Fleet) -> None:
    before = fleet.launch_files(DEB)[DEB]
    for run in ("", "../x", "20261231T235959Z-0123abcd"):
        done = fleet.play("undo", "-e", f"run={run}", inventory=fleet.inventory({DEB: {}}))
        assert done.code and (
            "run: the run that is to be undone is needed" in done.output or "nothing is known of run" in done.output
        ), done.output
    assert fleet.launch_files(DEB)[DEB] == before

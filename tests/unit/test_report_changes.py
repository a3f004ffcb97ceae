"""What changed, when, by which run: in the report, on its page, of the hosts that it is about, and bounded."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import fleetmaker
import pytest
import schemas

from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._changes import (
    attempt,
    edits_of,
    file_changes,
    refusal,
    restart_of,
    roll_backs_of,
    undone_of,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report import _formats, _record
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report import _model as model
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._sources import read_evidence

FIRST, SECOND = "20260101T000000Z-00000000", "20260102T000000Z-00000000"
EVIL = "</script><b>\u202e"
EDIT = edits_of(
    {
        "files": [
            {"path": "/etc/default/cm", "before": "0" * 64, "after": "1" * 64, "backup": "/var/b"},
            {"path": "/etc/new", "before": None, "after": "1" * 64, "backup": None},
        ]
    },
    "disabled",
)
RESTART = restart_of(
    [{"name": "cm", "service": "cm.service", "processes": [{"pid": 7, "started": None}]}],
    {"installations": [{"name": "cm", "processes": [{"pid": 8, "started": None}]}]},
    None,
    ["it is up"],
)


def report_of(folder: Path, hosts: list[str]) -> model.Report:
    """The report on the hosts of a folder."""
    found = read_evidence([folder / "evidence"], hosts, None, fleetmaker.AT)
    return model.Report(fleetmaker.AT, found.hosts, notes=found.notes, changes=found.changes)


@pytest.fixture
def reports(tmp_path: Path) -> tuple[Path, list[str]]:
    """Two runs that changed something on two hosts, and on one that nobody asks for."""
    hosts = fleetmaker.make(tmp_path, 2)
    file_changes(tmp_path, hosts[0], [*EDIT, *RESTART, attempt(EVIL)], FIRST)
    file_changes(tmp_path, "another", EDIT, FIRST)
    file_changes(
        tmp_path,
        hosts[1],
        [
            refusal("restart", "the window is closed"),
            *roll_backs_of([("/etc/x", "/b")]),
            *undone_of([{"path": "/etc/new", "before": "1" * 64, "after": None, "restored": None, "changed": True}]),
        ],
        SECOND,
        undoes=FIRST,
    )
    return tmp_path, hosts


def embedded(html: str) -> dict[str, Any]:
    """The data that a page carries for its script."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert found
    document: dict[str, Any] = json.loads(found[1])
    return document


def test_the_report_tells_what_changed_when_and_by_which_run(reports: tuple[Path, list[str]]) -> None:
    report = report_of(*reports)
    document = json.loads(_formats.render("json", report))
    schemas.validate(document)
    assert [run["run"] for run in document["changes"]] == [SECOND, FIRST], "newest first"
    assert document["changes"][0]["undoes"] == FIRST and document["changes"][1]["operator"]
    assert [line["kind"] for line in document["changes"][1]["changes"]] == ["edit", "edit", "restart", "attempt"]
    assert {line["host"] for line in document["changes"][1]["changes"]} == {reports[1][0]}, "not of other hosts"
    assert document["changes"][1]["changes"][0]["after"] == "1" * 64


def test_the_page_shows_it_and_nothing_in_it_acts(reports: tuple[Path, list[str]]) -> None:
    html = _formats.render("html", report_of(*reports))
    assert "</script><b>" not in html and "What changed, when, by which run" in html
    changes = embedded(html)["changes"]
    assert [run["run"] for run in changes["runs"]] == [SECOND, FIRST]
    told = [line[3:] for line in changes["lines"]]
    assert ["restart refused", "", "the window is closed"] in told
    assert ["edited", "/etc/default/cm", "SHA-256 000000000000 → 111111111111; backup /var/b"] in told
    assert ["edited, new", "/etc/new", "SHA-256 none → 111111111111"] in told
    assert ["undone, removed", "/etc/new", "SHA-256 111111111111 → none"] in told
    assert ["restarted", "cm.service", "JVM 7 → 8. it is up"] in told
    assert ["rolled back", "/etc/x", "backup /b"] in told
    assert "No record of a change" in _formats.render("html", report_of(reports[0] / "empty", ["h"]))


def test_damaged_lines_are_left_out_and_named(reports: tuple[Path, list[str]]) -> None:
    folder, hosts = reports
    with (folder / f"changes/{FIRST}.jsonl").open("a") as record:
        for line in (
            {"kind": "edit"},
            {"kind": "edit", "host": hosts[0], "run": FIRST, "at": 7},
            [],
            {"kind": "edit", "host": hosts[0], "run": SECOND, "at": "x", "file": "/forged"},
            {"kind": "edit", "host": hosts[0], "run": FIRST, "at": "x", "before": "<b>"},
        ):
            record.write(json.dumps(line) + "\n")
        record.write("{half")
    (folder / "changes/20260103T000000Z-00000000.jsonl").symlink_to("/etc/passwd")
    report = report_of(folder, hosts)
    assert f"changes/{FIRST}.jsonl: 6 lines are damaged, and left out" in report.notes
    assert any("20260103T000000Z-00000000.jsonl cannot be read (it is a link)" in note for note in report.notes)
    schemas.validate(json.loads(_formats.render("json", report)))


def test_a_report_is_bounded_however_much_changed(
    reports: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_record, "LINES", 2)
    report = report_of(*reports)
    assert sum(len(run["changes"]) for run in report.changes.runs) == 2
    assert any("what changed is not shown as a whole" in note for note in report.notes)
    monkeypatch.setattr(_record, "RECORDS", 1)
    assert any("1 older records are left out" in note for note in report_of(*reports).notes)

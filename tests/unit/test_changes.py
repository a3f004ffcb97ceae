"""What a run changed, a line for each edit, restart and roll-back, beside the evidence."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible import constants as C
from schemas import validate

from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._filing import reports_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence import _changes, _provenance
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._changes import (
    attempt,
    edited_in,
    edits_of,
    file_changes,
    refusal,
    restart_of,
    roll_backs_of,
)

ANSWER = {
    "files": [
        {"path": "/etc/default/cm", "before": "0" * 64, "after": "1" * 64, "backup": "/var/lib/x"},
        {"path": "/etc/new", "before": None, "after": "1" * 64, "backup": None},
    ],
    "refused": ["/etc/other: it is a link\n(nothing was changed)"],
}
OLD = {
    "name": "cm",
    "service": "cm.service",
    "processes": [{"pid": 1, "started": "2026-01-01T00:00:00Z", "value": None}],
}
NEW = {"installations": [{"name": "cm", "processes": [{"pid": 7, "started": "2026-01-02T00:00:00Z"}]}]}
CHANGES: list[dict[str, Any]] = [
    *edits_of(ANSWER, "disabled"),
    *restart_of([OLD], NEW, "it ended", ["idle", "up for 30 seconds"]),
    *restart_of([OLD], {}, None),
    refusal("restart", "  the window\nis closed"),
    attempt("no answer", "disabled"),
    *roll_backs_of([("/etc/default/cm", "/var/lib/x"), ("/etc/new", None)]),
]


def lines(path: Path | None) -> list[dict[str, Any]]:
    """The record, each line as the schema says, its keys sorted."""
    found = []
    for text in Path(str(path)).read_text().splitlines():
        line = json.loads(text)
        validate(line)
        assert list(line) == sorted(line)
        found.append(line)
    return found


def test_each_change_is_a_line_and_lines_are_added(tmp_path: Path) -> None:
    path = file_changes(tmp_path, "cm1", CHANGES[:3], "R")
    assert path == tmp_path / "changes/R.jsonl"
    assert file_changes(tmp_path, "cm2", CHANGES[3:], "R") == path
    head, *found = lines(path)
    assert [line["kind"] for line in found] == [
        "edit",
        "edit",
        "refusal",
        "restart",
        "restart",
        "refusal",
        "attempt",
        "roll_back",
        "roll_back",
    ]
    assert [line["host"] for line in found] == ["cm1"] * 3 + ["cm2"] * 6
    assert found[0]["before"] == "0" * 64 and found[0]["backup"] == "/var/lib/x" and found[0]["state"] == "disabled"
    assert (found[2]["what"], found[2]["reason"]) == ("edit", "/etc/other: it is a link (nothing was changed)")
    assert (found[3]["old"][0]["pid"], found[3]["new"][0]["pid"], found[3]["failure"]) == (1, 7, "it ended")
    assert found[3]["gates"] == ["idle", "up for 30 seconds"]
    assert found[4]["new"] == [] and {line["run"] for line in [head, *found]} == {"R"}
    assert found[5]["reason"] == "the window is closed" and found[6]["file"] is None
    assert {line["since"] for line in found if line["kind"] in ("edit", "attempt", "roll_back")} == {None}


def test_the_first_line_says_who_where_and_by_which_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"operator": "jo as root", "control_node": "ops1", "commit": "a" * 40, "dirty": True}
    monkeypatch.setattr(_changes, "provenance", lambda: told)
    path = file_changes(tmp_path, "cm1", CHANGES[:1], "R", undoes="20260101T000000Z-00000000")
    file_changes(tmp_path, "cm2", CHANGES[:1], "R")
    head, *more = lines(path)
    assert {key: head[key] for key in told} == told and head["undoes"] == "20260101T000000Z-00000000"
    assert head["kind"] == "run" and "host" not in head and [line["kind"] for line in more] == ["edit", "edit"]


def test_who_became_somebody_by_sudo_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_USER", raising=False)
    me = _provenance.operator()
    monkeypatch.setenv("SUDO_USER", "jo\x1b")
    assert _provenance.operator() == f"jo\\u001b as {me}"


def test_a_file_that_has_another_name_now_is_moved_not_edited() -> None:
    moved = {
        "files": [
            {"path": "/old", "before": "a", "after": None, "backup": None},
            {"path": "/new", "before": None, "after": "a", "backup": None},
        ]
    }
    assert [line["kind"] for line in edits_of(moved, "disabled")] == ["move", "move"]
    given = {"files": [{"path": "/own", "before": "a", "after": "a", "backup": None}]}
    assert [line["kind"] for line in edits_of(given, "disabled")] == ["edit"]


def test_which_files_a_run_edited_on_a_host(tmp_path: Path) -> None:
    """Not those that it gave to root or moved away, nor those of other hosts: of these the host keeps no backup."""
    given = [
        {"path": "/given", "before": "0" * 64, "after": "0" * 64, "backup": None},
        {"path": "/etc/10-java.20260101T000000Z.cbops~", "before": "1" * 64, "after": None, "backup": "/kept"},
    ]
    file_changes(tmp_path, "cm1", [*CHANGES, *edits_of({"files": given})], "R")
    file_changes(tmp_path, "cm2", edits_of({"files": [{**given[0], "path": "/other", "after": None}]}), "R")
    assert edited_in(tmp_path, "R", "cm1") == ["/etc/default/cm", "/etc/new"]
    assert edited_in(tmp_path, "R", "cm2") == ["/other"] and edited_in(tmp_path, "R", "cm3") == []
    with pytest.raises(FileNotFoundError):
        edited_in(tmp_path, "S", "cm1")


def test_no_change_makes_no_file(tmp_path: Path) -> None:
    assert file_changes(tmp_path, "cm1", [], "R") is None
    assert not list(tmp_path.iterdir())


def test_a_line_that_a_killed_run_left_half_does_not_spoil_the_next(tmp_path: Path) -> None:
    (tmp_path / "changes").mkdir()
    (tmp_path / "changes/R.jsonl").write_text('{"half')
    path = file_changes(tmp_path, "cm1", CHANGES[:1], "R")
    assert Path(str(path)).read_text().count("\n") == 2
    validate(json.loads(Path(str(path)).read_text().splitlines()[1]))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_link_of_somebody_else_s_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "changes").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    os.chown(tmp_path / "changes", 1234, 1234, follow_symlinks=False)
    with pytest.raises(OSError, match="somebody else"):
        file_changes(tmp_path, "cm1", CHANGES, "R")


def test_no_host_says_where_what_was_done_to_it_is_filed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    host = {"inventory_hostname": "cm/1"}
    assert reports_of({**host, "telemetry_reports_dir": "mine"}, str) == Path("mine")
    assert reports_of(host, str) is None
    (tmp_path / "reports/evidence").mkdir(parents=True)
    (tmp_path / "reports/evidence/cm%2F1.json").touch()
    assert reports_of(host, str) == Path("reports")
    facts = {**host, "ansible_facts": {"telemetry_reports_dir": "/etc"}, "telemetry_reports_dir": "/etc"}
    monkeypatch.setattr(C, "INJECT_FACTS_AS_VARS", True)  # Ansible's default, with which facts look like variables
    assert reports_of(facts, str) is None
    monkeypatch.setattr(C, "INJECT_FACTS_AS_VARS", False)  # then the same value is the inventory's own
    assert reports_of(facts, str) == Path("/etc")

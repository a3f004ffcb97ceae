"""What a run changed, a line for each edit, restart and roll-back, beside the evidence."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible import constants as C
from schemas import validate

from ansible_collections.cbops.telemetry.plugins.plugin_utils._changes import (
    edits_of,
    file_changes,
    reports_of,
    restart_of,
    roll_backs_of,
)

ANSWER = {"files": [{"path": "/etc/default/cm", "before": "0" * 64, "after": "1" * 64, "backup": "/var/lib/x"},
                    {"path": "/etc/new", "before": None, "after": "1" * 64, "backup": None}]}
OLD = {"name": "cm", "service": "cm.service",
       "processes": [{"pid": 1, "started": "2026-01-01T00:00:00Z", "value": None}]}
NEW = {"installations": [{"name": "cm", "processes": [{"pid": 7, "started": "2026-01-02T00:00:00Z"}]}]}
CHANGES: list[dict[str, Any]] = [*edits_of(ANSWER), *restart_of([OLD], NEW, "it ended"), *restart_of([OLD], {}, None),
                                 *roll_backs_of([("/etc/default/cm", "/var/lib/x"), ("/etc/new", None)])]


def lines(path: Path | None) -> list[dict[str, Any]]:
    """The record, each line as the schema says."""
    found = [json.loads(line) for line in Path(str(path)).read_text().splitlines()]
    for line in found:
        validate(line)
    return found


def test_each_change_is_a_line_and_lines_are_added(tmp_path: Path) -> None:
    path = file_changes(tmp_path, "cm1", CHANGES[:2], "R")
    assert path == tmp_path / "changes/R.jsonl"
    assert file_changes(tmp_path, "cm2", CHANGES[2:], "R") == path
    found = lines(path)
    assert [line["kind"] for line in found] == ["edit", "edit", "restart", "restart", "roll_back", "roll_back"]
    assert [line["host"] for line in found] == ["cm1", "cm1", "cm2", "cm2", "cm2", "cm2"]
    assert found[0]["before"] == "0" * 64 and found[0]["backup"] == "/var/lib/x"
    assert (found[2]["old"][0]["pid"], found[2]["new"][0]["pid"], found[2]["failure"]) == (1, 7, "it ended")
    assert found[3]["new"] == [] and {line["run"] for line in found} == {"R"}


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


@pytest.mark.parametrize("default", ["", "reports"])
def test_no_host_says_where_what_was_done_to_it_is_filed(monkeypatch: pytest.MonkeyPatch, default: str) -> None:
    assert reports_of({"telemetry_reports_dir": "mine"}, str, default) == Path("mine")
    assert reports_of({}, str, default) == (Path(default) if default else None)
    facts = {"ansible_facts": {"telemetry_reports_dir": "/etc"}, "telemetry_reports_dir": "/etc"}
    monkeypatch.setattr(C, "INJECT_FACTS_AS_VARS", True)  # Ansible's default, with which facts look like variables
    assert reports_of(facts, str, default) is None
    monkeypatch.setattr(C, "INJECT_FACTS_AS_VARS", False)  # then the same value is the inventory's own
    assert reports_of(facts, str, default) == Path("/etc")

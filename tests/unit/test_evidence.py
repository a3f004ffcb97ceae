"""Evidence files and the report that is made from them: every host that went in comes out."""

from __future__ import annotations

import datetime
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cbops.telemetry.plugins.action.replay_evidence import _replayed
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._filing import file_answer
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence import _evidence as evidence
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence import _reading as reading
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import Assessment
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._sources import read_evidence


def filed(folder: Path, host: str, verdict: str = "compliant") -> dict[str, Any]:
    """An evidence file of a host."""
    document = evidence.document_of(host, None, None, None, Assessment(verdict))
    evidence.write_json(evidence.path_of(folder, host), document)
    return document


@pytest.mark.parametrize("host", ["cm1", "cm1.example.org", "../../etc/passwd", "a/b", "ü", "fe80::1"])
def test_a_host_name_never_leaves_the_folder(tmp_path: Path, host: str) -> None:
    assert evidence.path_of(tmp_path, host).parent == tmp_path
    filed(tmp_path, host)
    found = evidence.read(evidence.path_of(tmp_path, host))
    assert found is not None and found["verdict"] == "compliant"


@pytest.mark.parametrize("host", ["c" * 300, "ü" * 200, "/" * 84, "c" * 251, "c" * 250, "c" * 185 + "ü" * 30])
def test_a_host_name_that_is_longer_than_a_file_name_has_evidence_too(tmp_path: Path, host: str) -> None:
    folder = tmp_path / "evidence"
    document = evidence.document_of(host, None, None, None, Assessment("unknown"))
    path, _drift = evidence.file_evidence(tmp_path, document)
    assert path.parent == folder and len(os.fsencode(path.name)) <= 255
    assert path != evidence.path_of(folder, host + "c")
    # No host has the name that a longer one's file has, nor is it read as one.
    assert path.name == host + ".json" or path != evidence.path_of(folder, reading.host_of(path.name))
    assert [one.document["verdict"] for one in read_evidence([folder], [host], None).hosts] == ["unknown"]
    assert read_evidence([folder], [host], None).strangers == []
    assert _replayed(path, datetime.date(2026, 11, 1), 14)["host"] == host


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    evidence.write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        evidence.write_json(path, {"a": object()})
    assert path.read_text() == '{\n  "a": 1\n}\n'
    assert os.listdir(tmp_path) == ["x.json"]
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


def test_the_table_names_every_host_and_reason(tmp_path: Path) -> None:
    document = filed(tmp_path, "cm1", "violation")
    document["reasons"] = ["the flag is not there"]
    document["state"] = {
        "connectivity": [{"outcome": "refused"}],
        "installations": [
            {"product": "controller", "on_disk": "enabled", "next_start": "enabled", "running": "not_running"},
            {"product": "jenkins", "on_disk": "disabled", "next_start": "disabled", "running": "disabled"},
        ],
    }
    text = evidence.table([document, evidence.missing("cm2", "it is gone")])
    lines = text.splitlines()
    assert lines[0].split() == list(evidence.COLUMNS)
    assert lines[2].split() == ["cm1", "controller", "enabled", "enabled", "not_running", "refused", "violation"]
    assert lines[3].split() == ["cm1", "jenkins", "disabled", "disabled", "disabled", "refused", "violation"]
    assert lines[4].split() == ["cm2", "-", "-", "-", "-", "-", "unknown"]
    assert "the flag is not there" in text
    assert "it is gone" in text
    assert lines[-1] == "2 hosts: 1 violation, 1 unknown"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), "half a pair: \ud800"], ids=repr)
def test_what_json_cannot_hold_makes_its_host_unknown(tmp_path: Path, value: object) -> None:
    """Not the run end, and no file that other programs cannot read."""
    state = {"installations": [], "connectivity": [], "warnings": [], "host": {"node": value}}
    result = file_answer("cm1", {"telemetry_desired": "disabled"}, {"state": state}, tmp_path)
    assert result["verdict"] == "unknown"
    assert "cannot be written as JSON" in result["reasons"][0]
    found = reading.parsed(evidence.path_of(tmp_path / "evidence", "cm1").read_bytes())
    assert (found["verdict"], found["state"], found["reasons"]) == ("unknown", None, result["reasons"])
    (journal,) = (tmp_path / "runs").glob("*.jsonl")
    assert evidence.lines_of(journal)[1] == 0
    with pytest.raises(ValueError, match="."):
        evidence.as_text({"x": value})


def test_what_was_measured_must_be_json_too(tmp_path: Path) -> None:
    answer = {
        "target": "x:443",
        "via": "direct",
        "outcome": "connected",
        "message": "",
        "phases_ms": {"tcp": float("nan")},
    }
    state = {"installations": [], "connectivity": [answer], "warnings": []}
    assert file_answer("cm1", {"telemetry_desired": "enabled"}, {"state": state}, tmp_path)["verdict"] == "unknown"


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "[Infinity]",
        '{"a": -Infinity}',
        "1e999",
        '"\\ud800"',
        "[" * 100_000,
        "[" * 65 + "]" * 65,
        '{"a":' * 100_000,
        "{",
        "",
        "\0",
        "1 2",
    ],
)
def test_what_could_not_be_written_again_is_not_read(text: str) -> None:
    with pytest.raises(ValueError, match="."):
        reading.parsed(text)


@pytest.mark.parametrize(
    "document",
    [{"a": ["]" * 100 + "[" * 100, '\\"[[' * 90]}, [[[[1.5e300, -0.0, None, True]]]], "\u202e \U0001f600", {}, []],
)
def test_what_is_read_is_what_was_written(document: object) -> None:
    for text in (json.dumps(document), json.dumps(document, ensure_ascii=False, indent=2)):
        assert reading.parsed(text) == document
    assert reading.parsed(reading.written(document)) == document


@pytest.mark.parametrize("what", ["link", "fifo", "folder", "device"])
def test_only_a_regular_file_is_read_and_nothing_is_waited_for(tmp_path: Path, what: str) -> None:
    path = tmp_path / "x"
    if what == "fifo":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero" if what == "device" else __file__)
    with pytest.raises(OSError, match="."):
        reading.content(path)


def test_a_file_without_end_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with path.open("wb") as stream:
        stream.truncate(reading.LARGEST + 1)
    with pytest.raises(OSError, match="more than"):
        reading.content(path)
    assert reading.content(path, 10) == bytes(10)


def test_the_mode_is_given_to_the_file_and_not_to_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may write to the folder could put a link to another file in its place before it is renamed."""
    monkeypatch.setattr(evidence.os, "chmod", None)
    evidence.write_text(tmp_path / "x", "y")
    assert (tmp_path / "x").read_text() == "y"

"""Evidence files and the report that is made from them: every host that went in comes out."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cbops.telemetry.plugins.plugin_utils import _evidence as evidence
from ansible_collections.cbops.telemetry.plugins.plugin_utils._assessment import Assessment


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
    document["state"] = {"connectivity": [{"outcome": "refused"}], "installations": [
        {"product": "controller", "on_disk": "enabled", "next_start": "enabled", "running": "not_running"},
        {"product": "jenkins", "on_disk": "disabled", "next_start": "disabled", "running": "disabled"}]}
    text = evidence.table([document, evidence.missing("cm2", "it is gone")])
    lines = text.splitlines()
    assert lines[0].split() == list(evidence.COLUMNS)
    assert lines[2].split() == ["cm1", "controller", "enabled", "enabled", "not_running", "refused", "violation"]
    assert lines[3].split() == ["cm1", "jenkins", "disabled", "disabled", "disabled", "refused", "violation"]
    assert lines[4].split() == ["cm2", "-", "-", "-", "-", "-", "unknown"]
    assert "the flag is not there" in text
    assert "it is gone" in text
    assert lines[-1] == "2 hosts: 1 violation, 1 unknown"

"""Coverage is the same figure in every format of the report; where it is unknown no format has a percentage."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest
from schemas import validate

from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._evidence import missing
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report import _formats, _ledger
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._model import Host, Report

KNOWN: dict[str, Any] = {
    "audited": 193,
    "known": 200,
    "percent": 96.5,
    "operations_centers": {"audited": 3, "known": 3},
    "reasons": [],
    "ghosts": ["a (https://oc.example)"],
    "ghost_centers": [],
    "strangers": ["s/x"],
    "renamed": [["a", "b"]],
}
UNKNOWN = {**KNOWN, "percent": None, "reasons": ["<oc> was not read: ##[error] it answers 403"]}
REPORT = Report("2026-11-27T12:00:00Z", [Host(missing("h", "x"))])


def shown(name: str, coverage: dict[str, Any] | None) -> str:
    """A format with this coverage."""
    return "".join(_formats.pieces(name, replace(REPORT, coverage=coverage, totals={})))


@pytest.mark.parametrize("name", ["html", "markdown", "junit"])
def test_for_people(name: str) -> None:
    text = re.sub(r"&#(\d+);", lambda match: chr(int(match[1])), shown(name, KNOWN))
    assert "96.5 % (193 of 200 controllers audited, 3 of 3 operations centers)" in text
    unknown = re.sub(r"&#(\d+);", lambda match: chr(int(match[1])), shown(name, UNKNOWN))
    assert "unknown (193 audited of at least 200 known" in unknown
    assert "96.5" not in unknown
    assert "<oc>" not in shown(name, UNKNOWN)
    assert "##[error]" not in shown(name, UNKNOWN)
    assert "controllers audited" not in shown(name, None)


def test_json() -> None:
    for coverage in (KNOWN, UNKNOWN):
        document = json.loads(shown("json", coverage))
        validate(document)
        assert document["coverage"]["percent"] == coverage["percent"]
    assert "coverage" not in json.loads(shown("json", None))


def test_junit() -> None:
    suite = ElementTree.fromstring(shown("junit", KNOWN))
    found = {one.get("name"): one.get("value") for one in suite.iter("property")}
    assert (found["coverage_audited"], found["coverage_known"]) == ("193", "200")


def test_sarif() -> None:
    assert json.loads(shown("sarif", KNOWN))["runs"][0]["properties"]["coverage"]["audited"] == 193


def test_openmetrics() -> None:
    text = shown("openmetrics", KNOWN)
    assert re.search(r'controllers\{state="audited"\} 193\n', text)
    assert re.search(r"coverage_ratio 0.965\n", text)
    assert "coverage_ratio" not in shown("openmetrics", UNKNOWN)


def test_the_gate() -> None:
    assert not _ledger.shortfall(KNOWN, 96.5)
    assert "telemetry_min_coverage is 97 %" in _ledger.shortfall(KNOWN, 97)
    assert _ledger.shortfall(UNKNOWN, 0)
    assert "were not audited: oc" in _ledger.shortfall({**KNOWN, "ghost_centers": ["oc"]}, 50)

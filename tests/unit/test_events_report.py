"""Events in the report: what is new since the evidence before, and what each instance names, in every format."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import fleetmaker
import jsonschema
import pytest
from schemas import SCHEMAS, registry, validate

from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._evidence import (
    document_of,
    file_evidence,
    read_journal,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import Assessment, policy_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report import _formats
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report import _model as model
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._manifest import manifest_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._sources import read_evidence

HOSTS = [f"cm{number}" for number in range(1, 6)]
EVIL = "</script><img src=x onerror=alert(1)> ##[add] \\u202e *x*"


def events(*names: str, version: str) -> dict[str, Any]:
    rows = [
        {
            "kind": "event",
            "name": name,
            "mark": "seen",
            "summary": f"Sent for {name}.",
            "field": "d.X.Y",
            "file": "/p!x",
        }
        for name in sorted(names)
    ]
    return {
        "mark": "seen",
        "archives": 1,
        "classes": 2,
        "plugins": [{"plugin": "demo", "version": version, "file": "/p", "mark": "seen", "events": rows}],
        "unread": [{"file": f"/q{number}.jpi", "reason": "it is empty"} for number in range(60)]
        if len(names) > 2
        else [],
    }


def audited(folder: Path, host: str, run: str, found: dict[str, Any] | None) -> None:
    """File the evidence of a host as an audit does it."""
    entry = fleetmaker.installation("cloudbees-core-cm", "controller", "disabled", "disabled", "disabled")
    if found is not None:
        entry["events"] = found
    state: Any = {
        "schema": "cbops.telemetry/state/1",
        "host": {"root": "/", "effective_user": 0, "node": host},
        "installations": [entry],
        "connectivity": [],
        "warnings": [],
    }
    policy = policy_of({"telemetry_desired": "disabled"})
    document = document_of(host, policy, copy.deepcopy(state), None, Assessment("compliant"))
    validate(json.loads(json.dumps(document)))
    file_evidence(folder, document, run_id=run)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> model.Report:
    """Five hosts; an upgrade brought the first an event, and the last is one that is not asked for events."""
    folder = tmp_path_factory.mktemp("fleet")
    for run, names, version in (("r1", ("a", "b"), "1.0"), ("r2", ("a", "b", EVIL), "1.1")):
        for host in HOSTS[:-1]:
            audited(folder, host, run, events(*(names if host == "cm1" else ("a", "b")), version=version))
        audited(folder, HOSTS[-1], run, None)
    found = read_evidence([folder / "evidence"], HOSTS, None, "2099-01-01T00:00:00Z")
    return model.Report("2099-01-01T00:00:00Z", found.hosts)


def test_the_next_report_names_what_is_new(report: model.Report) -> None:
    assert {host.host: list(host.events_changed) for host in report.hosts} == {
        "cm1": [f"cloudbees-core-cm: an event is new: {EVIL} (of demo 1.1)"],
        **{host: [] for host in HOSTS[1:]},
    }
    assert [host.drift for host in report.hosts] == ["corrective", None, None, None, None]
    assert model.event_news(report) == "Events that plugins name are new or gone on 1 controller: cm1"


def test_it_is_a_line_of_a_manifest(tmp_path: Path) -> None:
    for names, run in ((("a",), "r1"), (("a", "b"), "r2")):
        audited(tmp_path, "cm1", run, events(*names, version="1"))
    document: dict[str, Any] = manifest_of([], read_journal(tmp_path, "r2"), (None, None), None)
    [entry] = document["files"].values()
    assert entry["events_changed"] == ["cloudbees-core-cm: an event is new: b (of demo 1)"]
    schema = SCHEMAS["manifest-1.json"]["properties"]["files"]["additionalProperties"]
    jsonschema.Draft202012Validator(
        {"$ref": "urn:cbops.telemetry:manifest:1#/properties/files/additionalProperties"}, registry=registry()
    ).validate(entry)
    assert schema["additionalProperties"] is False


def test_a_new_event_is_a_line_of_the_evidence(tmp_path: Path) -> None:
    """So git diff shows it, with its plugin's version."""
    texts = []
    for names, version in ((("a", "c"), "1.0"), (("a", "b", "c"), "1.1")):
        audited(tmp_path, "cm1", "r", {**events(*names, version=version), "unread": []})
        texts.append((tmp_path / "evidence/cm1.json").read_text().splitlines())
    new = [line.strip() for line in texts[1] if line not in texts[0]]
    gone = [line.strip() for line in texts[0] if line not in texts[1]]
    assert new == ['"name": "b",', '"summary": "Sent for b."', '"version": "1.1"'] and gone == ['"version": "1.0"']


def test_json(report: model.Report) -> None:
    document = json.loads(_formats.render("json", report))
    validate(document)
    [first] = [host for host in document["hosts"] if host.get("events_changed")]
    assert first["host"] == "cm1" and "events" in first["state"]["installations"][0]


def test_markdown(report: model.Report) -> None:
    text = _formats.render("markdown", report)
    assert "Events that plugins name are new or gone on 1 controller: cm1" in text
    [line] = [line for line in text.splitlines() if "an event is new" in line]
    assert "<img" not in line and "##[" not in line and "\u202e" not in line


def test_html(report: model.Report) -> None:
    """Plugins that hosts have in common are in the page once; nothing that a plugin says ends the script."""
    text = _formats.render("html", report)
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    page = json.loads(found[1])
    assert [(plugin, version, len(rows)) for plugin, version, _note, rows in page["plugins"]] == [
        ("demo", "1.1", 3),
        ("demo", "1.1", 2),
    ]
    by_host = {host["host"]: host for host in page["hosts"]}
    assert [host["installations"][0].get("events", {}).get("plugins") for host in map(by_host.get, HOSTS)] == [
        [0], [1], [1], [1], None,
    ]  # fmt: skip
    told = by_host["cm1"]["installations"][0]["events"]
    assert (len(told["unread"]), told["more"]) == (50, 10)
    assert page["plugins"][0][3][0] == [EVIL, "event", "seen", f"Sent for {EVIL}."]
    assert "<img src=x" not in text
    assert "Events that plugins name are new or gone on 1 controller" in text

"""Answers that real hosts gave, each with what it was asked and the evidence that must come of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import answerbook
import pytest
from schemas import validate

from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect import _filing, _gate
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy import _assessment
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._verdicts import VERDICTS

CASES = answerbook.cases()
SECRETS = ("s3cr3t", "Planted+4711")
#: What an answer tells that is another in every run, so that the evidence does not.
MEASURED = {"machine", "home_share", "address", "addresses", "phases_ms", "samples", "message"}


@pytest.fixture(autouse=True)
def _as_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_filing, "today", lambda: answerbook.DAY)


@pytest.mark.parametrize("case", CASES)
def test_an_answer_leads_to_its_evidence(case: str, tmp_path: Path) -> None:
    expected, answer = answerbook.load(case, "expected"), answerbook.load(case, "answer")
    assert answerbook.expected_of(case, tmp_path) == expected
    (path,) = (tmp_path / "evidence").iterdir()
    before, evidence = path.read_bytes(), json.loads(path.read_text())
    validate(evidence)
    state = answer.get("state") if not answer.get("unreachable") else None
    assert expected["has_state"] == (state is not None) == (evidence["state"] is not None)
    for name, was, now in differences(state, evidence["state"]):
        assert MEASURED & set(name.split(".")), (name, was, now)
    if evidence["state"] is not None:  # another after each boot, or each mount
        assert "machine" not in evidence["state"]["host"]
        assert not any("home_share" in entry for entry in evidence["state"]["installations"])
    # A host that is as it was has the evidence that it had: nothing in it tells the time, or what was measured.
    answerbook.filed(case, tmp_path)
    assert path.read_bytes() == before
    lines = [json.loads(line) for journal in (tmp_path / "runs").iterdir() for line in journal.read_text().splitlines()]
    # What was right, and was edited all the same, had been changed by somebody meanwhile.
    again = "corrective" if answerbook.load(case, "variables").get("__telemetry_edited") else None
    assert [(line["host"], line["verdict"], line["drift"]) for line in lines] == [
        (case, evidence["verdict"], None),
        (case, evidence["verdict"], again),
    ]
    assert all(line["measured"] == (state or {}).get("connectivity", []) for line in lines)
    assert ("machine" in lines[0]) == bool((state or {}).get("host", {}).get("machine"))
    if evidence["policy"] is not None:
        assert _assessment.rejudge(evidence, answerbook.DAY).verdict == evidence["verdict"]
        assert _assessment.rejudge(evidence, answerbook.DAY).reasons == [
            reason
            for reason in evidence["reasons"]
            if reason != _filing.circumstances_of(answerbook.load(case, "variables")).note
        ]


@pytest.mark.parametrize("case", CASES)
def test_nothing_that_was_planted_is_told(case: str) -> None:
    for path in sorted((answerbook.FOLDER / case).iterdir()):
        assert not any(secret in path.read_text() for secret in SECRETS), path
        assert "/tmp/" not in path.read_text(), "no path of the machine that recorded it"  # noqa: S108


@pytest.mark.parametrize("case", CASES)
def test_it_is_an_answer_that_the_gate_lets_pass(case: str) -> None:
    answer = answerbook.load(case, "answer")
    if "state" not in answer or answer.get("unreachable"):
        assert answer["msg"]  # what is said here of a host that gave none, or whose connection broke
        return
    assert _gate.admitted("telemetry_info", answer) == answer


def differences(before: Any, after: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where two documents differ, by the names of members."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in {**before, **after}:
            yield from differences(before.get(key), after.get(key), f"{name}.{key}".strip("."))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        by_path = ("target" in (before or [{}])[0]) if isinstance((before or [None])[0], dict) else False
        if by_path:
            before = sorted(before, key=lambda one: (one["target"], one["via"]))
        for one, other in zip(before, after):
            yield from differences(one, other, name)
    elif before != after:
        yield name, before, after


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 40
    seen = [answerbook.load(case, "expected") for case in CASES]
    assert {one["evidence"]["verdict"] for one in seen} == set(VERDICTS) - {"stale"}  # no answer is old
    outcomes = {
        answer["outcome"]
        for case in CASES
        for answer in answerbook.load(case, "answer").get("state", {}).get("connectivity", [])
    }
    assert {"connected", "refused", "dns_sinkholed", "proxy_unreachable", "unknown"} <= outcomes
    packagings = {
        entry["packaging"]
        for case in CASES
        for entry in answerbook.load(case, "answer").get("state", {}).get("installations", [])
    }
    assert {"deb", "rpm", "systemd", "script", "tomcat"} <= packagings
    assert {one["evidence"]["policy"] is None for one in seen} == {True, False}
    assert {"connectivity" in one["question"] for one in seen} == {True, False}


def test_a_case_that_a_user_adds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answerbook, "FOLDER", tmp_path / "answers")
    answerbook.FOLDER.mkdir()
    given = tmp_path / "answer.json"
    given.write_text(json.dumps({"changed": False, "invocation": {}, "failed": True, "msg": "no Python 3 was found"}))
    variables = tmp_path / "variables.json"
    variables.write_text('{"telemetry_desired": "disabled"}')
    answerbook.add("mine", given, variables)
    assert answerbook.cases() == ["mine"]
    assert answerbook.load("mine", "expected")["evidence"]["verdict"] == "unknown"
    assert answerbook.expected_of("mine", tmp_path / "reports") == answerbook.load("mine", "expected")
    assert "invocation" not in answerbook.load("mine", "answer")

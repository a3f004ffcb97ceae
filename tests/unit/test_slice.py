"""A slice says that it is one, in every format and in its manifest; a report on all of them names those that are missing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import fleetmaker
import pytest
from schemas import validate

from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence import _chain
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._evidence import missing
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy import _slice
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._slice import Round, Slice
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report import _formats, _manifest, _sources
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._model import Host, Report

AWX = {"awx_job_id": 12, "awx_workflow_job_id": 11, "awx_workflow_job_name": "audit", "awx_job_template_name": "audit"}
TOWER = {key.replace("awx_", "tower_"): value for key, value in AWX.items()}
JOB = "AWX workflow job 11"


@pytest.mark.parametrize(
    ("given", "variables", "expected"),
    [
        (None, {}, None),
        ("", {}, None),
        ("2/4", {}, Slice(2, 4)),
        (" 2 of 4 ", {}, Slice(2, 4)),
        ({"number": 2, "of": "4"}, {}, Slice(2, 4)),
        ({"of": 4}, {}, Slice(None, 4)),
        ({"number": 1, "of": 4, "job": 77}, {}, Slice(1, 4, "77")),
        ({"number": 1, "of": 4, "job": "a\x1b[2Jb"}, {}, Slice(1, 4, "a\\u001b[2Jb")),
        ("1/1", {}, None),
        ({"of": 1}, AWX, None),
        (False, AWX, None),
        ("false", AWX, None),
        (None, AWX, Slice(job=JOB)),
        (None, TOWER, Slice(job=JOB)),
        ({"of": 4}, AWX, Slice(None, 4, JOB)),
        ("2/4", AWX, Slice(2, 4, JOB)),
        # A workflow of jobs is no sliced job; nor is a job by itself.
        (None, {**AWX, "awx_workflow_job_name": "nightly"}, None),
        (None, {"awx_job_id": 12, "awx_job_template_name": "audit"}, None),
        ("2/4", {**AWX, "awx_workflow_job_name": "nightly"}, Slice(2, 4, JOB)),
    ],
)
def test_which_slice_a_run_is(given: Any, variables: dict[str, Any], expected: Slice | None) -> None:
    assert _slice.slice_of(given, variables) == expected


@pytest.mark.parametrize(
    "given",
    [
        *("5/4", "0/4", "x", "2/1001", "2/99999", "-1/4", True, 3, [2, 4]),
        *(
            {"number": 2},
            {"number": 5, "of": 4},
            {"of": True},
            {"of": None},
            {"of": 4, "x": 1},
            {"of": "4\n"},
            {"of": "٤"},
        ),
        *({"of": 4, "job": []}, {"of": 4, "job": "x" * 201}, {"of": 1.5}),
    ],
)
def test_what_is_no_slice_is_refused(given: Any) -> None:
    if given == {"of": "4\n"}:  # what a template leaves at its end is no harm
        assert _slice.slice_of(given, {}) == Slice(None, 4)
        return
    with pytest.raises(ValueError, match="number|slice|job|true"):
        _slice.slice_of(given, {})


REPORT = Report("2026-11-27T12:00:00Z", [Host(missing("h", "x"))], slice=Slice(2, 4, "n<1>"))


@pytest.mark.parametrize("name", [name for name in _formats.FORMATS if name != "csv"])
def test_every_format_says_of_which_slice_it_is(name: str) -> None:
    """CSV has a line a host, and no place for it."""
    text = "".join(_formats.pieces(name, REPORT))
    if name == "intoto":
        import base64

        text = base64.b64decode(json.loads(text.splitlines()[0])["payload"]).decode()
    assert ("lice 2 of 4" in text) or ('"number": 2' in text and '"of": 4' in text) or 'number="2",of="4"' in text
    plain = "".join(_formats.pieces(name, replace(REPORT, slice=None, totals={})))
    assert "lice 2 of 4" not in plain
    assert "n<1>" not in text or name not in ("html", "auditor", "junit")
    if name == "json":
        validate(json.loads(text))


def test_a_manifest_says_of_which_slice_it_is() -> None:
    document = _manifest.manifest_of([missing("h", "x")], {}, limit="slice 2 of 4", slice_=Slice(2, 4))
    document.update(sequence=1, previous=[], changes={})
    validate(document)
    assert _slice.slice_in(_chain.manifest_in(json.dumps(document).encode())) == Slice(2, 4)
    assert "slice" not in _manifest.manifest_of([missing("h", "x")], {})


@pytest.mark.parametrize(
    "given",
    [
        *([], "2/4", {"number": 2}, {"number": 5, "of": 4}, {"number": 0, "of": 4}, {"of": 10**9}, {"of": True}),
        *({"of": 4, "job": 3}, {"of": 4, "job": "x" * 999}, {"number": "2", "of": 4}),
    ],
)
def test_a_manifest_that_says_nonsense_of_slices_is_damaged(given: Any) -> None:
    document = _manifest.manifest_of([missing("h", "x")], {})
    with pytest.raises(ValueError, match="slice|job"):
        _chain.manifest_in(json.dumps({**document, "slice": given}).encode())


def one(number: int | None, at: int, job: str | None = None, of: int | None = 4, hosts: str = "") -> Round:
    """A run of a slice that ended at a minute."""
    when = f"2026-11-27T{at // 60:02}:{at % 60:02}:00.000000Z"
    return Round(f"{at}-{number}-{hosts}", Slice(number, of, job), when, when, frozenset(hosts))


@pytest.mark.parametrize(
    ("rounds", "since", "missing_", "note"),
    [
        ([one(1, 1), one(2, 2), one(3, 2), one(4, 3)], None, [], ""),
        ([one(1, 1), one(4, 3)], None, [2, 3], "slices 2, 3 of 4 have left no manifest: their hosts"),
        ([one(1, 1), one(2, 1), one(4, 3)], None, [3], "slice 3 of 4 has left no manifest: its hosts"),
        # The night before does not count where it has another job, or was before that time.
        (
            [one(number, 1, "mon") for number in (1, 2, 3, 4)] + [one(number, 9, "tue") for number in (1, 2, 4)],
            None,
            [3],
            "slice 3 of 4 of tue has",
        ),
        (
            [one(number, 1) for number in (1, 2, 3, 4)] + [one(number, 9) for number in (1, 2, 4)],
            "2026-11-27T00:05:00.000000Z",
            [3],
            "slice 3 of 4 since 2026-11-27T00:05:00.000000Z has",
        ),
        # One that was started again by itself, later, fills the gap of its round, but not of one before.
        ([one(1, 1, "tue"), one(2, 1, "tue"), one(4, 1, "tue"), one(3, 7)], None, [], ""),
        ([one(3, 1), one(1, 5, "tue"), one(2, 5, "tue"), one(4, 6, "tue")], None, [3], "slice 3 of 4 of tue"),
        # A template that has another count since.
        ([one(1, 1, of=2), one(2, 1, of=2), one(1, 5, of=3), one(3, 5, of=3)], None, [2], "slice 2 of 3"),
        ([one(1, 1), one(1, 2), one(1, 3), one(1, 4)], None, [2, 3, 4], "slices 2, 3, 4 of 4"),
    ],
)
def test_missing_slices_are_named_by_number(
    rounds: list[Round], since: str | None, missing_: list[int], note: str
) -> None:
    found = _slice.summary(rounds, since)
    assert found is not None
    assert found["missing"] == missing_
    assert note in _slice.told(found) if note else not _slice.told(found)
    assert found == _slice.summary([*reversed(rounds), *rounds], since), "nor in which order, nor how often"


def test_slices_of_awx_are_counted_by_their_hosts() -> None:
    """AWX tells no number: what has hosts in common with another is the same slice, started again."""
    some = [one(None, 1, JOB, hosts="ab"), one(None, 2, JOB, hosts="cd"), one(None, 3, JOB, hosts="ab")]
    found = _slice.summary(some, None)
    assert found is not None
    assert (found["ended"], found["missing"]) == (2, None)
    assert f"2 of 4 slices of {JOB} have left no manifest; which of them, nobody says" in _slice.told(found)
    found = _slice.summary([*some, one(None, 4, JOB, hosts="ef"), one(None, 5, None, hosts="gh")], None)
    assert found is not None
    assert not _slice.told(found)
    unsaid = _slice.summary([one(None, 1, JOB, None, "a")], None)
    assert unsaid is not None
    assert "how many there were nobody says" in _slice.told(unsaid)


@pytest.mark.parametrize(
    ("rounds", "missing_", "ended"),
    [
        # What was started again without its number is known by its hosts.
        ([one(1, 1, hosts="ab"), one(2, 1, hosts="cd"), one(3, 2, hosts="ef"), one(None, 9, hosts="cd")], [4], 3),
        ([one(1, 1, hosts="ab"), one(None, 9, hosts="a"), one(None, 10, hosts="b")], [2, 3, 4], 1),
        ([one(1, 1, hosts="ab"), one(None, 9, hosts="bc"), one(None, 10, hosts="c")], [2, 3, 4], 1),
        ([one(1, 1, hosts="ab"), one(2, 1, hosts="cd"), one(3, 2, hosts="ef"), one(None, 9, hosts="gh")], None, 4),
        ([one(1, 1, hosts="ab"), one(None, 8, hosts="gh"), one(None, 9, hosts="b")], None, 2),
        ([one(1, 1, hosts="ab"), one(None, 8)], None, 2),
    ],
)
def test_a_slice_that_lost_its_number_is_known_by_its_hosts(
    rounds: list[Round], missing_: list[int] | None, ended: int
) -> None:
    found = _slice.summary(rounds, None)
    assert found is not None
    assert (found["missing"], found["ended"]) == (missing_, ended)
    assert found == _slice.summary([*reversed(rounds), *rounds], None)


def test_no_slices_no_word() -> None:
    assert _slice.summary([], None) is None
    assert _slice.summary([one(1, 1)], "2026-11-28T00:00:00Z") is None


def test_more_slices_than_runs_are_read_otherwise(tmp_path: Path) -> None:
    """A round of a hundred slices in one folder is whole, though of runs only the last sixty count."""
    hosts = fleetmaker.make(tmp_path, 3, runs=1)
    (manifest,) = (tmp_path / "manifests").glob("*.json")
    like = json.loads(manifest.read_text())
    manifest.unlink()
    for number in range(1, 101):
        if number != 7:
            part = {**like, "run_id": f"20261127T{number:06}Z-0000", "slice": {"number": number, "of": 100, "job": "n"}}
            path = manifest.with_name(f"{part['run_id']}.json")
            path.write_text(json.dumps(part, indent=2, sort_keys=True))
    found = _slice.summary(_sources.read_evidence([tmp_path / "evidence"], hosts, None, fleetmaker.AT).slices, None)
    assert found is not None
    assert (found["missing"], found["ended"]) == ([7], 99)

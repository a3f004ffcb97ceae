"""How old evidence may be: the limit, what is made of a verdict past it, and that every reader goes by it."""

from __future__ import annotations

import base64
import datetime
import json
import shutil
from pathlib import Path
from typing import Any

import fleetmaker
import pytest
from test_fleet_report import failed, play

from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._evidence import (
    document_of,
    file_evidence,
    journal_of,
    path_of,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._age import aged, max_age_of, words_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import (
    Assessment,
    PolicyError,
    policy_of,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._verdicts import (
    BROKEN,
    FAIL_ON,
    UNSEEN,
    VERDICTS,
    in_camps,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report import _formats, _junit
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report import _model as model
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._sources import gather

DAY = 86400
DESIRED = {"telemetry_desired": "disabled"}
NOW = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.timezone.utc)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (3, 3 * DAY),
        ("3", 3 * DAY),
        ("1.5", 1.5 * DAY),
        ("72h", 3 * DAY),
        ("72 h", 3 * DAY),
        ("2 days", 2 * DAY),
        ("1d", DAY),
        ("90 min", 5400),
        ("90m", 5400),
        (" 36 Hours ", 36 * 3600),
        ("never", None),
        ("Never", None),
        (0, None),
        ("0", None),
    ],
)
def test_a_limit_is_read_as_it_is_meant(given: Any, seconds: float | None) -> None:
    assert max_age_of(given) == seconds
    policy_of({**DESIRED, "telemetry_max_age": given})


@pytest.mark.parametrize(
    "given", ["", "soon", "-1", "3 weeks", "1e9", "0h", "0.000", True, False, None, [], "3\n4", "٣"]
)
def test_what_is_no_limit_is_refused(given: Any) -> None:
    """It must not be taken for none: then nothing would ever be stale."""
    with pytest.raises(ValueError, match="is no age"):
        max_age_of(given)
    with pytest.raises(PolicyError, match="telemetry_max_age"):
        policy_of({**DESIRED, "telemetry_max_age": given})


@pytest.mark.parametrize(
    ("hours", "as_filed", "into"),
    [
        (0, True, None),
        (72, True, None),
        (72.001, True, "stale"),
        (1000, True, "stale"),
        (-23.9, True, None),  # a note says so
        (-24.1, True, "unknown"),
        (None, True, "unknown"),
        (1, False, "unknown"),
    ],
)
def test_what_an_age_makes_of_evidence(hours: float | None, as_filed: bool, into: str | None) -> None:
    collected = None if hours is None else NOW - datetime.timedelta(hours=hours)
    found = aged(collected, NOW, 3 * DAY, as_filed)
    assert (found and found.into) == into
    assert aged(collected, NOW, None, as_filed) is None


@pytest.mark.parametrize(
    ("seconds", "words"), [(59, "59 s"), (5400, "90 min"), (3 * DAY, "3 days"), (4.16 * DAY, "4.1 days"), (DAY, "24 h")]
)
def test_ages_in_words(seconds: float, words: str) -> None:
    assert words_of(seconds) == words


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize("into", ["stale", "unknown"])
def test_nothing_gets_milder_by_its_age(verdict: str, into: str) -> None:
    """By whatever telemetry_fail_on names: what failed when it was new fails when it is old."""
    host = model.Host(document_of("cm1", policy_of(DESIRED), None, None, Assessment(verdict, ["a reason"])))
    at = "2026-11-23T12:00:00Z"
    then = None if into == "unknown" else "2026-11-01T12:00:00Z"
    old = model.by_age(model.replace(host, collected_at=then), at, 3 * DAY)
    assert old.aged is not None and old.aged.into == into and old.was == verdict
    assert old.verdict == (verdict if verdict in in_camps(BROKEN, UNSEEN) else into)
    assert "a reason" in old.reasons and len(old.reasons) == 2
    for fail_on in (("stale", "unknown"), (verdict,), FAIL_ON):
        assert not set(old.counts_as).isdisjoint(fail_on)
        assert _junit.element_of(old, fail_on) in ("failure", "error")
    assert set(host.counts_as) == {verdict}


def _fleet(folder: Path, verdicts: dict[str, str], collected: datetime.datetime) -> list[str]:
    """Evidence of hosts with these verdicts, collected then by the journal of a run that has no manifest."""
    for host, verdict in verdicts.items():
        file_evidence(
            folder,
            document_of(host, policy_of(DESIRED), None, None, Assessment(verdict, [f"it is {verdict}"])),
            run_id="20261101T000000Z-00000001",
        )
    journal = journal_of(folder, "20261101T000000Z-00000001")
    stamp = collected.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    lines = [{**json.loads(line), "collected_at": stamp} for line in journal.read_text().splitlines()]
    journal.write_text("".join(json.dumps(line, sort_keys=True) + "\n" for line in lines))
    return list(verdicts)


def _verdicts(folder: Path, hosts: list[str], max_age: float | None = 3 * DAY) -> dict[str, str]:
    found = gather([folder / "evidence"], hosts, None, fleetmaker.AT, max_age)
    return {host.host: host.verdict for host in found.hosts}


def test_each_format_says_stale_and_none_is_green(tmp_path: Path) -> None:
    hosts = _fleet(tmp_path, {f"{verdict}.example": verdict for verdict in VERDICTS}, NOW - datetime.timedelta(days=4))
    found = gather([tmp_path / "evidence"], hosts, None, fleetmaker.AT, 3 * DAY)
    report = model.Report(fleetmaker.AT, found.hosts, max_age=3 * DAY)
    assert report.totals == {
        **dict.fromkeys(VERDICTS, 0),
        "stale": 5,
        **dict.fromkeys(("violation", "waiver_expired", "unknown", "unreachable"), 1),
    }
    assert "meet" not in model.headline(report)
    for name in _formats.FORMATS:
        text = _formats.render(name, report)
        if name == "intoto":  # an envelope a line
            text = "\n".join(base64.b64decode(json.loads(line)["payload"]).decode() for line in text.splitlines())
        assert "stale" in text, name
        assert "its evidence is 4 days old" in text or name in ("openmetrics", "intoto"), name  # they give no reasons
    assert "cbops_telemetry_max_age_seconds 259200\n" in _formats.render("openmetrics", report)
    assert all(model.clock(host, clock).mark != "ok" for host in report.hosts for clock in model.CLOCKS)
    assert _verdicts(tmp_path, hosts, None) == {f"{verdict}.example": verdict for verdict in VERDICTS}


def test_cells_of_an_old_host_are_not_green(tmp_path: Path) -> None:
    names = fleetmaker.make(tmp_path, 40)
    for limit, some in ((3 * DAY, True), (3600, False)):
        found = gather([tmp_path / "evidence"], names, None, fleetmaker.AT, limit)
        marks = {model.clock(host, clock).mark for host in found.hosts for clock in model.CLOCKS}
        assert ("ok" in marks) is some


def test_what_no_run_tells_the_time_of_is_not_fresh(tmp_path: Path) -> None:
    hosts = _fleet(tmp_path, {"cm1": "compliant", "cm2": "violation"}, NOW)
    assert _verdicts(tmp_path, hosts) == {"cm1": "compliant", "cm2": "violation"}
    shutil.rmtree(tmp_path / "runs")
    assert _verdicts(tmp_path, hosts) == {"cm1": "unknown", "cm2": "violation"}


def test_old_evidence_under_a_new_manifest_is_not_fresh(tmp_path: Path) -> None:
    """Put back from Git, say: the last run speaks of another content, so nobody knows from when this one is."""
    names = fleetmaker.make(tmp_path, 40)
    host = next(name for name, verdict in _verdicts(tmp_path, names).items() if verdict == "compliant")
    path = path_of(tmp_path / "evidence", host)
    path.write_text(path.read_text() + "\n")
    assert _verdicts(tmp_path, names)[host] == "unknown"
    assert _verdicts(tmp_path, names, None)[host] == "compliant"


def test_of_merged_reports_the_newest_counts_and_may_still_be_too_old(tmp_path: Path) -> None:
    for name, days in (("one", 9), ("other", 2)):
        _fleet(tmp_path / name, {"cm1": "compliant"}, NOW - datetime.timedelta(days=days))
    folders = [tmp_path / name / "evidence" for name in ("one", "other")]
    for limit, verdict in ((3 * DAY, "compliant"), (DAY, "stale")):
        found = gather(folders, ["cm1"], None, fleetmaker.AT, limit)
        assert [host.verdict for host in found.hosts] == [verdict]


@pytest.mark.parametrize(
    ("minutes", "noted", "verdict"),
    [(0, False, "compliant"), (4, False, "compliant"), (60, True, "compliant"), (-60, True, "compliant")]
    + [(25 * 60, True, "unknown"), (-25 * 60, True, "unknown")],
)
def test_a_host_with_another_clock(tmp_path: Path, minutes: int, noted: bool, verdict: str) -> None:
    """Both clocks are said. A day and more apart is unknown, also where there is no limit for the age."""
    theirs = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)
    document = document_of("cm1", policy_of(DESIRED), None, None, Assessment("compliant"))
    file_evidence(tmp_path, document, run_id="20261101T000000Z-00000001", host_time=int(theirs.timestamp()))
    for limit in (3 * DAY, None):
        found = gather([tmp_path / "evidence"], ["cm1"], None, None, limit)
        assert [host.verdict for host in found.hosts] == [verdict]
        said = [note for note in found.notes if "clocks of 1 hosts" in note]
        assert len(said) == noted
        if noted:
            assert theirs.strftime("%Y-%m-%dT%H:%M") in said[0] and str(found.hosts[0].collected_at) in said[0]


def test_the_host_s_time_is_in_its_answer_and_not_in_its_evidence() -> None:
    from ansible_collections.cbops.telemetry.plugins.module_utils._answer import state
    from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._evidence import settled

    answer = state("/nonexistent")
    assert abs(answer["host"]["time"] - datetime.datetime.now().timestamp()) < 600
    assert "time" not in settled(answer)["host"]


def test_a_clock_that_no_calendar_has_costs_no_evidence(tmp_path: Path) -> None:
    document = document_of("cm1", policy_of(DESIRED), None, None, Assessment("compliant"))
    file_evidence(tmp_path, document, host_time=10**30)
    assert _verdicts(tmp_path, ["cm1"], None) == {"cm1": "compliant"}


# -- as a user runs it ------------------------------------------------------------------------------


def test_a_report_of_old_evidence_fails_and_says_why(tmp_path: Path) -> None:
    old = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=3, minutes=1)
    hosts = _fleet(tmp_path, {"cm1": "compliant", "cm2": "violation", "cm3": "waived"}, old)
    done = play(tmp_path, hosts, telemetry_max_age=3)
    assert done.returncode == 2
    said = failed(done)
    assert said["cm1"].startswith("stale: its evidence is 3 days old, and may be 3 days (telemetry_max_age)")
    assert said["cm2"].startswith("violation: it is violation; its evidence is 3 days old")
    assert said["cm3"].startswith("stale: ")
    assert "1 violation, 2 stale" in done.stdout
    document = json.loads((tmp_path / "report.json").read_text())
    assert [(item["verdict"], item["was"], item["aged"]) for item in document["hosts"]] == [
        ("stale", "compliant", "stale"),
        ("violation", "violation", "stale"),
        ("stale", "waived", "stale"),
    ]
    assert document["max_age_seconds"] == 3 * DAY
    for limit in ("never", "4 days"):
        done = play(tmp_path, hosts, telemetry_max_age=limit)
        assert set(failed(done)) == {"cm2"}, limit
    done = play(tmp_path, hosts, telemetry_max_age="soon")
    assert done.returncode == 2 and "telemetry_max_age" in done.stdout and "is no age" in done.stdout


def test_replay_goes_by_the_age_of_that_day(tmp_path: Path) -> None:
    present = datetime.datetime.now(datetime.timezone.utc)
    hosts = ["cm1", "cm2"]
    # Evidence that can be judged anew: nothing is installed there.
    state = {
        "schema": "cbops.telemetry/state/1",
        "host": {"root": "/", "effective_user": 0, "node": "x"},
        "installations": [],
        "connectivity": [],
        "warnings": [],
    }
    for host in hosts:
        document = document_of(host, policy_of(DESIRED), state, None, Assessment("not_applicable"))  # type: ignore[arg-type]
        file_evidence(tmp_path, document, run_id="20261101T000000Z-00000001")
    (tmp_path / "evidence/cm3.json").write_text((tmp_path / "evidence/cm2.json").read_text().replace('"cm2"', '"cm3"'))

    def totals(days: int, **variables: object) -> str:
        as_of = str((present + datetime.timedelta(days=days)).date())
        done = play(
            tmp_path, hosts, playbook="cbops.telemetry.replay", as_of=as_of, **{"telemetry_max_age": 3, **variables}
        )
        (found,) = [line for line in done.stdout.splitlines() if line.startswith("3 hosts: ")]
        return found

    assert totals(0) == "3 hosts: 1 unknown, 2 not_applicable"  # of one no run tells the time
    assert totals(4) == "3 hosts: 2 stale, 1 unknown"
    assert totals(4, telemetry_max_age="never") == "3 hosts: 3 not_applicable"
    assert totals(-4) == "3 hosts: 1 unknown, 2 not_applicable"

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
from test_report import put

from ansible_collections.cbops.telemetry.plugins.action.replay_evidence import _aged
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._evidence import (
    document_of,
    file_evidence,
    journal_of,
    path_of,
    read,
    read_journal,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._run import RUN_ID
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
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report import (
    _auditor,
    _formats,
    _intoto,
    _junit,
    _manual,
    _sources,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report import _model as model
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._sources import read_evidence

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
    ever = aged(collected, NOW, None, as_filed)
    assert (ever and ever.into) == (None if as_filed else "unknown"), "what was changed no limit makes good"


@pytest.mark.parametrize(("minutes", "into"), [(-59, None), (-61, "unknown"), (-23 * 60, "unknown")])
def test_what_may_be_an_hour_old_may_be_an_hour_ahead(minutes: int, into: str | None) -> None:
    found = aged(NOW + datetime.timedelta(minutes=-minutes), NOW, 3600)
    assert (found and found.into) == into


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
    found = read_evidence([folder / "evidence"], hosts, None, fleetmaker.AT, max_age)
    return {host.host: host.verdict for host in found.hosts}


def test_each_format_says_stale_and_none_is_green(tmp_path: Path) -> None:
    hosts = _fleet(tmp_path, {f"{verdict}.example": verdict for verdict in VERDICTS}, NOW - datetime.timedelta(days=4))
    found = read_evidence([tmp_path / "evidence"], hosts, None, fleetmaker.AT, 3 * DAY)
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
        found = read_evidence([tmp_path / "evidence"], names, None, fleetmaker.AT, limit)
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
    assert _verdicts(tmp_path, names, None)[host] == "unknown", "whatever age it may have"


def test_of_merged_reports_the_newest_counts_and_may_still_be_too_old(tmp_path: Path) -> None:
    for name, days in (("one", 9), ("other", 2)):
        _fleet(tmp_path / name, {"cm1": "compliant"}, NOW - datetime.timedelta(days=days))
    folders = [tmp_path / name / "evidence" for name in ("one", "other")]
    for limit, verdict in ((3 * DAY, "compliant"), (DAY, "stale")):
        found = read_evidence(folders, ["cm1"], None, fleetmaker.AT, limit)
        assert [host.verdict for host in found.hosts] == [verdict]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    ("known", "ahead", "seconds", "verdict"),
    [
        ("compliant", "violation", 30, "violation"),
        ("violation", "compliant", 30, "violation"),
        ("compliant", "violation", DAY - 1, "violation"),
        ("compliant", "violation", 2 * DAY, "compliant"),  # else a wrong clock would count for years
        ("compliant", "compliant", 30, "compliant"),
    ],
)
def test_a_folder_from_the_future_may_be_the_newer_one(
    tmp_path: Path, known: str, ahead: str, seconds: int, verdict: str, reverse: bool
) -> None:
    """Nobody knows whether it is, so the worse verdict counts, and a note says so."""
    _fleet(tmp_path / "one", {"cm1": known}, NOW - datetime.timedelta(days=1))
    _fleet(tmp_path / "other", {"cm1": ahead}, NOW + datetime.timedelta(seconds=seconds))
    folders = [tmp_path / name / "evidence" for name in (("other", "one") if reverse else ("one", "other"))]
    for limit in (3 * DAY, None):
        found = read_evidence(folders, ["cm1"], None, fleetmaker.AT, limit)
        assert [host.verdict for host in found.hosts] == [verdict]
        (note,) = [note for note in found.notes if "several folders have evidence" in note]
        assert note.endswith("left out: cm1") and "the worse verdict counts" in note
    # What is as good and not too old is there.
    if known == ahead:
        assert read_evidence(folders, ["cm1"], None, fleetmaker.AT, 3600).hosts[0].verdict == "compliant"


def test_of_folders_all_from_the_future_the_worse_counts(tmp_path: Path) -> None:
    for name, verdict, seconds in (("one", "compliant", 40), ("other", "violation", 30)):
        _fleet(tmp_path / name, {"cm1": verdict}, NOW + datetime.timedelta(seconds=seconds))
    folders = [tmp_path / name / "evidence" for name in ("one", "other")]
    assert read_evidence(folders, ["cm1"], None, fleetmaker.AT, 3 * DAY).hosts[0].verdict == "violation"


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    ("known", "undated", "verdict"),
    [
        ("compliant", "violation", "violation"),
        ("violation", "compliant", "violation"),
        ("compliant", "restart_pending", "unknown"),
        ("compliant", "compliant", "compliant"),
    ],
)
def test_a_folder_of_which_nobody_tells_the_time_may_be_the_newer_one(
    tmp_path: Path, known: str, undated: str, verdict: str, reverse: bool
) -> None:
    _fleet(tmp_path / "one", {"cm1": known}, NOW - datetime.timedelta(days=1))
    _fleet(tmp_path / "other", {"cm1": undated}, NOW)
    shutil.rmtree(tmp_path / "other/runs")
    folders = [tmp_path / name / "evidence" for name in (("other", "one") if reverse else ("one", "other"))]
    found = read_evidence(folders, ["cm1"], None, fleetmaker.AT, 3 * DAY)
    assert [host.verdict for host in found.hosts] == [verdict]
    (note,) = [note for note in found.notes if "tells the time" in note]
    assert note.endswith("so the worse verdict counts: cm1")


@pytest.mark.parametrize("what", ["damaged", "gone", "of another schema", "the folder is gone"])
@pytest.mark.parametrize(("days", "verdict"), [(1, "unknown"), (3, "compliant")])
def test_what_was_lost_is_not_made_good_by_what_is_older(tmp_path: Path, what: str, days: int, verdict: str) -> None:
    """The last run has seen something that nobody can read any more; a green before that is no answer."""
    _fleet(tmp_path / "one", {"cm1": "compliant"}, NOW - datetime.timedelta(days=2))
    _fleet(tmp_path / "other", {"cm1": "violation"}, NOW - datetime.timedelta(days=days))
    path = path_of(tmp_path / "other/evidence", "cm1")
    if what == "gone":
        path.unlink()
    elif what == "the folder is gone":
        shutil.rmtree(path.parent)
    else:
        path.write_text("{" if what == "damaged" else "{}")
    for folders in (["one", "other"], ["other", "one"]):
        found = read_evidence([tmp_path / name / "evidence" for name in folders], ["cm1"], None, fleetmaker.AT, 3 * DAY)
        (host,) = found.hosts
        assert host.verdict == verdict
        assert list(found.missing) == (["cm1"] if verdict == "unknown" else [])
        if verdict == "unknown":
            assert "what else there is of it is older, from 2026-11-21" in host.reasons[0]
            assert _manual.entry_of(host.reasons[0])


LOST = [
    # What is left and how many hours old it is (None: nobody knows), how old what is lost is, what is made of both.
    ("compliant", 3, None, "unknown"),
    ("compliant", 3, -1 / 6, "unknown"),
    ("compliant", 3, -25, "compliant"),  # else a wrong clock would count for years
    ("compliant", None, 1, "unknown"),
    ("violation", 3, 1, "violation"),
    ("violation", 3, None, "violation"),
    ("violation", 3, -1 / 6, "violation"),
    ("violation", None, 1, "violation"),
    ("waiver_expired", 3, 1, "waiver_expired"),
    ("unreachable", 3, 1, "unknown"),
    ("restart_pending", 3, 1, "unknown"),
]


@pytest.mark.parametrize("limit", [3 * DAY, None])
@pytest.mark.parametrize("what", ["damaged", "gone"])
@pytest.mark.parametrize(("left", "hours", "lost", "verdict"), LOST)
def test_what_was_lost_and_may_be_the_newest_leaves_what_was_seen_to_be_broken(
    tmp_path: Path, left: str, hours: float | None, lost: float | None, verdict: str, what: str, limit: float | None
) -> None:
    """Nobody has seen it mended; and nothing else is known."""
    for name, verdict_there, age in (("one", left, hours), ("other", "compliant", lost)):
        _fleet(tmp_path / name, {"cm1": verdict_there}, NOW - datetime.timedelta(hours=age or 0))
        if age is None:
            shutil.rmtree(tmp_path / name / "runs")
    path = path_of(tmp_path / "other/evidence", "cm1")
    path.write_text("{")
    if what == "gone":
        path.unlink()
        verdict = left if lost is None else verdict  # that there was one, nothing says
    for names in (["one", "other"], ["other", "one"]):
        found = read_evidence([tmp_path / name / "evidence" for name in names], ["cm1"], None, fleetmaker.AT, limit)
        (host,) = found.hosts
        assert host.verdict == verdict
        said = [
            reason for reason in host.reasons if "its evidence file cm1.json is damaged" in reason or "gone" in reason
        ]
        assert bool(said) == (verdict == "unknown" or (left in in_camps(BROKEN) and (what, lost) != ("gone", None)))
        assert all(_manual.entry_of(reason) for reason in said)
        assert list(found.missing) == (["cm1"] if verdict == "unknown" else [])


@pytest.mark.parametrize("reverse", [False, True])
def test_a_waiver_that_has_run_out_is_not_lost(tmp_path: Path, reverse: bool) -> None:
    _waived(tmp_path / "one", "2026-11-22")
    _fleet(tmp_path / "other", {"cm1": "compliant"}, NOW)
    path_of(tmp_path / "other/evidence", "cm1").unlink()
    folders = [tmp_path / name / "evidence" for name in (("other", "one") if reverse else ("one", "other"))]
    (host,) = read_evidence(folders, ["cm1"], None, fleetmaker.AT, None).hosts
    assert host.verdict == "waiver_expired"


@pytest.mark.parametrize("reverse", [False, True])
def test_the_reason_is_of_what_was_lost_last(tmp_path: Path, reverse: bool) -> None:
    """With its own time, whichever folder comes later."""
    names = ["left", "older", "newer"]
    for name, hours in zip(names, (9, 5, 1), strict=True):
        _fleet(tmp_path / name, {"cm1": "compliant"}, NOW - datetime.timedelta(hours=hours))
    path_of(tmp_path / "older/evidence", "cm1").write_text("{")
    path = path_of(tmp_path / "newer/evidence", "cm1")
    path.unlink()
    folders = [tmp_path / name / "evidence" for name in (reversed(names) if reverse else names)]
    (host,) = read_evidence(folders, ["cm1"], None, fleetmaker.AT, 3 * DAY).hosts
    assert host.reasons == [
        f"its evidence file {path} is gone (of 2026-11-23T11:00:00.000000Z; what else there is of it is older, "
        "from 2026-11-23T03:00:00.000000Z)"
    ]


def _waived(folder: Path, until: str) -> None:
    policy = policy_of({**DESIRED, "telemetry_waiver": {"until": until, "reason": "case 1", "approved_by": "Jo"}})
    document = document_of("cm1", policy, None, None, Assessment("waived", ["it is on"]))
    file_evidence(folder, document, run_id="20261101T000000Z-00000001")


@pytest.mark.parametrize(
    ("until", "at", "verdict"),
    [
        ("2026-11-22", "2026-11-22T23:59:59.999999Z", "waived"),
        ("2026-11-22", "2026-11-23T00:00:00Z", "waiver_expired"),
        ("2026-11-30", "2026-11-23T12:00:00Z", "waived"),
    ],
)
@pytest.mark.parametrize("limit", [3 * DAY, None])
def test_no_waiver_outlives_its_last_day(
    tmp_path: Path, until: str, at: str, verdict: str, limit: float | None
) -> None:
    """Evidence that counts for days longer is of a host that does not meet its policy."""
    _waived(tmp_path, until)
    journal = journal_of(tmp_path, "20261101T000000Z-00000001")
    line = json.loads(journal.read_text())
    journal.write_text(json.dumps({**line, "collected_at": "2026-11-22T10:00:00Z"}) + "\n")
    found = read_evidence([tmp_path / "evidence"], ["cm1"], None, at, limit)
    (host,) = found.hosts
    assert host.verdict == verdict
    report = model.Report(at, found.hosts, max_age=limit)
    ended = verdict == "waiver_expired"
    assert model.falls_short(host, FAIL_ON) is ended
    assert ("the waiver ran out on 2026-11-22, after this was collected" in host.reasons) is ended
    assert ("violate" in model.headline(report)) is ended
    assert model.falls_short(host, ["waived"]), "what failed when it was new fails when it is old"
    (risk,) = json.loads(_formats.render("oscal", report))["assessment-results"]["results"][0]["risks"]
    assert risk["status"] == ("open" if ended else "deviation-approved")
    (statement,) = _intoto.statements(report)
    assert ("CBOPS_TELEMETRY_WAIVED" in statement["predicate"]["properties"]) is not ended
    # On paper nobody sees that its day has passed.
    if not ended:
        assert _auditor._until(host, report) == (
            "2026-11-22 23:59" if until == "2026-11-22" else "2026-11-25 10:00" if limit else "2026-11-30 23:59"
        )


def test_of_this_run_a_waiver_counts_as_it_was_judged(tmp_path: Path) -> None:
    """By the day on which the run began."""
    _waived(tmp_path, "2026-11-22")
    filed = read_journal(tmp_path, "20261101T000000Z-00000001")
    assert read_evidence([tmp_path / "evidence"], ["cm1"], None, None, 3 * DAY, filed).hosts[0].verdict == "waived"


@pytest.mark.parametrize(
    ("there", "filed", "verdict"),
    [
        ("compliant", "violation", "violation"),
        ("violation", "compliant", "violation"),
        ("compliant", "compliant", "compliant"),
        (None, "violation", "violation"),
        (None, "compliant", "unknown"),
    ],
)
def test_a_report_of_this_run_is_of_what_it_has_filed(
    tmp_path: Path, there: str | None, filed: str, verdict: str
) -> None:
    document = document_of("cm1", policy_of(DESIRED), None, None, Assessment(filed, ["as filed"]))
    file_evidence(tmp_path, document)
    journal = read_journal(tmp_path, RUN_ID)
    path = path_of(tmp_path / "evidence", "cm1")
    folders = [tmp_path / "evidence"]
    (host,) = read_evidence(folders, ["cm1"], None, None, 3 * DAY, journal).hosts
    assert (host.verdict, list(host.reasons), host.aged) == (filed, ["as filed"], None)
    path.write_text("{" if there is None else path.read_text().replace(filed, there).replace("as filed", "old"))
    found = read_evidence(folders, ["cm1"], None, None, 3 * DAY, journal)
    (host,) = found.hosts
    assert host.verdict == verdict
    assert host.reasons[0].startswith(
        f"its evidence file is not the one that this run has filed, by which it is {filed}: "
    )
    report = model.Report(found.at, found.hosts, max_age=3 * DAY)
    assert _intoto.FRESH not in next(_intoto.statements(report))["predicate"]["properties"]
    if verdict != there:
        assert all(model.clock(host, clock).mark != "ok" for clock in model.CLOCKS)


def test_attested_as_fresh_is_what_is_known_to_be(tmp_path: Path) -> None:
    _fleet(tmp_path, {"cm1": "compliant"}, NOW)
    (host,) = read_evidence([tmp_path / "evidence"], ["cm1"], None, fleetmaker.AT, 3 * DAY).hosts

    def attested(limit: float | None, *hosts: model.Host) -> bool:
        (found,) = _intoto.statements(model.Report(fleetmaker.AT, hosts, max_age=limit))
        return _intoto.FRESH in found["predicate"]["properties"]

    assert attested(3 * DAY, host)
    assert not attested(None, host)
    for other in ({"age": None}, {"age": 3 * DAY + 1.0}, {"is_as_filed": False}):
        assert not attested(3 * DAY, host, model.replace(host, **other))  # type: ignore[arg-type]


def test_hosts_that_no_late_run_audited_have_an_age(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seventy runs of a host each; the trend is of the last sixty."""
    for number in range(70):
        at = f"2026-11-23T10:{number // 2:02}:00Z"
        put(tmp_path / "r", f"cm{number}", "compliant", at, f"r{number:03}")
        put(tmp_path / "j", f"cm{number}", "compliant", at, f"r{number:03}", journal=True)
    for name in ("r", "j"):
        folder = tmp_path / name
        found = read_evidence([folder / "evidence"], ["cm0", "cm9", "cm69"], None, fleetmaker.AT)
        assert [host.collected_at for host in found.hosts] == [f"2026-11-23T10:{end}:00Z" for end in ("00", "04", "34")]
        assert found.notes == []
        assert len(found.trend) == (60 if name == "r" else 0)
    monkeypatch.setattr(_sources, "MOST_RUNS", 65)
    found = read_evidence([tmp_path / "r/evidence"], ["cm4", "cm5"], None, fleetmaker.AT)
    assert [host.collected_at is None for host in found.hosts] == [True, False]
    (note,) = found.notes
    assert note.startswith("of 5 evidence files none of the last 65 manifests beside ")
    assert note.endswith("and the 5 before them were not read: cm0, cm1, cm2, cm3, cm4")


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
        found = read_evidence([tmp_path / "evidence"], ["cm1"], None, None, limit)
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


def test_replay_of_a_past_day_is_of_what_was_filed(tmp_path: Path) -> None:
    """The file of a later run has no age on that day. It must be that file all the same, and not an older one."""
    _fleet(tmp_path, {"cm1": "compliant"}, NOW - datetime.timedelta(days=1))
    path = path_of(tmp_path / "evidence", "cm1")
    document = read(path)
    assert document is not None
    for limit in (3 * DAY, None):
        (host,), later = _aged(tmp_path / "evidence", [document], (NOW - datetime.timedelta(days=3)).date(), limit)  # type: ignore[list-item]
        assert (host.verdict, later) == ("compliant", ["cm1"])
    path.write_text(path.read_text() + "\n")
    (host,), later = _aged(tmp_path / "evidence", [document], (NOW - datetime.timedelta(days=3)).date(), 3 * DAY)  # type: ignore[list-item]
    assert (host.verdict, later) == ("unknown", ["cm1"])


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


@pytest.mark.parametrize("limit", ["3", "never"])
def test_a_file_that_is_not_the_one_that_was_filed_proves_nothing(tmp_path: Path, limit: str) -> None:
    """Whatever may be old: one that was put back has the verdict of then."""
    hosts = _fleet(
        tmp_path, {"cm1": "not_applicable", "cm2": "not_applicable"}, datetime.datetime.now(datetime.timezone.utc)
    )
    path = tmp_path / "evidence/cm2.json"
    path.write_text(path.read_text().replace("it is not_applicable", "it was not_applicable"))
    done = play(tmp_path, hosts, telemetry_max_age=limit)
    document = json.loads((tmp_path / "report.json").read_text())
    assert {one["host"]: one["verdict"] for one in document["hosts"]} == {"cm1": "not_applicable", "cm2": "unknown"}
    assert done.returncode == 2
    assert "the file is not the one that the last run on it has filed" in done.stdout
    replayed = play(tmp_path, hosts, playbook="cbops.telemetry.replay", telemetry_max_age=limit, as_of=str(NOW.date()))
    assert "cm2: unknown" in replayed.stdout or "1 unknown" in replayed.stdout

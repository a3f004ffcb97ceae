"""Drift: what changed on a host that neither a new policy wanted nor the record of our own edits accounts for."""

from __future__ import annotations

import copy
import datetime
import json
from pathlib import Path
from typing import Any

import pytest
from schemas import validate, validate_line

from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence import _evidence as evidence
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._chain import digest
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._changes import (
    ACTS,
    act_of,
    acts_since,
    attempt,
    edits_of,
    file_changes,
    roll_backs_of,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._drift import Act, drift_of, events_changed
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._evidence import file_evidence
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._reading import path_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import judge, policy_of

TODAY = datetime.date(2026, 11, 24)
FILE, DROPIN = "/etc/default/cm", "/etc/systemd/system/cm.service.d/zzz.conf"
WAIVER = {"until": "2026-12-31", "reason": "case", "approved_by": "Jo"}


def entry(on_disk: str = "disabled", **more: Any) -> dict[str, Any]:
    """An installation, all of whose clocks say the same."""
    declared = [{"file": FILE, "line": 3, "variable": "JAVA_ARGS", "value": "true", "live": True}]
    return {
        "name": "cm",
        "product": "controller",
        "packaging": "deb",
        "service": "cm.service",
        "home": "/srv/cm",
        "launch": {"file": FILE, "variable": "JAVA_ARGS", "reader": "shell"},
        "declarations": declared if on_disk == "disabled" else [],
        "on_disk": on_disk,
        "on_disk_detail": {},
        "next_start": on_disk,
        "next_start_detail": {},
        "running": on_disk,
        "running_detail": {},
        "daemon_reload_owed": False,
        "settings": None,
        "processes": [{"pid": 7, "started": "2026-01-01T00:00:00Z", "value": None, "proof": "jcmd"}],
        **more,
    }


def host(*entries: dict[str, Any], node: str = "a", user: int = 0) -> dict[str, Any]:
    """A state document."""
    return {
        "schema": "cbops.telemetry/state/1",
        "host": {"root": "/", "effective_user": user, "node": node},
        "installations": list(entries),
        "connectivity": [],
        "warnings": [],
    }


def judged(seen: dict[str, Any] | None, **variables: Any) -> dict[str, Any]:
    """Evidence as an audit files it."""
    policy = policy_of({"telemetry_desired": "disabled", **variables}, TODAY)
    kept = None if seen is None else evidence.settled(seen)
    error = None if seen is not None else "no Python"
    return evidence.document_of("h", policy, kept, error, judge(policy, kept, error, TODAY))


RIGHT, WRONG = judged(host(entry())), judged(host(entry("enabled")))
OURS, UNDONE = Act(frozenset([FILE]), "disabled"), Act(frozenset([FILE]), "enabled")
OWING = judged(host(entry(running="enabled")))
SCRIPT = entry(
    name="run.sh",
    packaging="script",
    service=None,
    launch={"file": "/srv/run.sh", "variable": None, "reader": "shell"},
    declarations=[],
)

CASES: dict[str, tuple[Any, Any, list[Act], str | None]] = {
    "new": (None, RIGHT, [], None),
    "as before": (RIGHT, RIGHT, [], None),
    # By hand.
    "taken out by hand": (RIGHT, WRONG, [], "corrective"),
    "taken out by hand, and another way to restart": (
        RIGHT,
        judged(host(entry("enabled")), telemetry_restart="now"),
        [],
        "corrective",
    ),
    "taken out by hand, and other probes": (
        RIGHT,
        judged(host(entry("enabled")), telemetry_connectivity="forbidden"),
        [],
        "corrective",
    ),
    "put in by hand": (WRONG, RIGHT, [], "corrective"),
    "put in by hand, once the policy wanted it": (
        judged(host(entry("enabled")), telemetry_desired="enabled"),
        RIGHT,
        [],
        "intended",
    ),
    "taken out by hand where a new policy wants the other": (
        judged(host(entry()), telemetry_desired="enabled"),
        WRONG,
        [],
        "corrective",
    ),
    "taken out by hand after our edit of another file": (
        RIGHT,
        WRONG,
        [Act(frozenset(["/etc/other"]), "disabled")],
        "corrective",
    ),
    "taken out by hand after our edit": (WRONG, judged(host(entry("enabled"), entry(name="b"))), [OURS], "corrective"),
    "a mention by hand": (
        RIGHT,
        judged(
            host(entry(declarations=[{"file": "/etc/x", "line": 1, "variable": "A", "value": "true", "live": False}]))
        ),
        [],
        "corrective",
    ),
    "an installation came": (RIGHT, judged(host(entry(), entry(name="b"))), [], "corrective"),
    "an installation went": (judged(host(entry(), entry(name="b"))), RIGHT, [], "corrective"),
    "set inside the JVM": (RIGHT, judged(host(entry(running="enabled"))), [], "corrective"),
    "another home": (RIGHT, judged(host(entry(home="/srv/other"))), [], "corrective"),
    # By us.
    "our edit": (WRONG, RIGHT, [OURS], None),
    "our edit without a restart": (WRONG, OWING, [OURS], None),
    "our edit by a new policy": (
        RIGHT,
        judged(host(entry("enabled")), telemetry_desired="enabled"),
        [UNDONE],
        "intended",
    ),
    "our edit, of which nobody knows how far it came": (WRONG, RIGHT, [Act(None, "disabled", attempt=True)], None),
    "an attempt to do the contrary": (RIGHT, WRONG, [Act(None, "disabled", attempt=True)], "corrective"),
    "our edit of one of two": (
        judged(host(entry("enabled"), entry("enabled", name="b"))),
        judged(host(entry(), entry("enabled", name="b"))),
        [OURS],
        None,
    ),
    "our edit, and by hand beside": (
        judged(host(entry("enabled"), entry("disabled", name="b", launch=None, declarations=[]))),
        judged(host(entry(), entry("enabled", name="b", launch=None, declarations=[]))),
        [OURS],
        "corrective",
    ),
    "put right by us, for it was right": (RIGHT, RIGHT, [OURS], "corrective"),
    "rolled back by us": (RIGHT, WRONG, [Act(frozenset([FILE]))], None),
    "our restart": (OWING, RIGHT, [], None),
    "their restart, which takes over what was there": (OWING, RIGHT, [], None),
    "a reload": (judged(host(entry(next_start="enabled", running="enabled"))), OWING, [], None),
    # By nobody.
    "a restart alone": (
        RIGHT,
        judged(
            host(entry(processes=[{"pid": 8, "started": "2026-02-02T00:00:00Z", "value": None, "proof": "attach"}]))
        ),
        [],
        None,
    ),
    "stopped": (RIGHT, judged(host(entry(running="not_running", processes=[]))), [], None),
    "another line": (RIGHT, judged(host(entry(declarations=[dict(entry()["declarations"][0], line=9)]))), [], None),
    "not to be read": (
        RIGHT,
        judged(host(entry(on_disk="unresolvable", on_disk_detail={"reason": "it hangs"}))),
        [],
        None,
    ),
    "no state": (RIGHT, judged(None), [], None),
    # By the inventory.
    "a new policy alone": (RIGHT, judged(host(entry()), telemetry_desired="enabled"), [], "intended"),
    "a waiver": (RIGHT, judged(host(entry()), telemetry_waiver=WAIVER), [], "intended"),
    "another way to restart": (RIGHT, judged(host(entry()), telemetry_restart="now"), [], None),
    "other probes": (RIGHT, judged(host(entry()), telemetry_connectivity="forbidden"), [], "intended"),
    "a script that is named now": (RIGHT, judged(host(entry(), SCRIPT)), [], None),
    "a script that is not named any more": (judged(host(entry(), SCRIPT)), RIGHT, [], None),
    "another machine of this name": (RIGHT, judged(host(entry("enabled"), node="b")), [], None),
    "without become": (RIGHT, judged(host(entry("enabled"), user=1000)), [], None),
}


@pytest.mark.parametrize(("before", "after", "acts", "drift"), CASES.values(), ids=CASES)
def test_whose_doing_it_was(before: Any, after: Any, acts: list[Act], drift: str | None) -> None:
    kept = copy.deepcopy((before, after))
    assert drift_of(before, after, acts) == drift
    assert (before, after) == kept


@pytest.mark.parametrize(
    ("lines", "acts"),
    [
        (edits_of({"files": []}, "disabled"), []),
        (
            edits_of(
                {"failed": True, "files": [{"path": FILE, "before": "a", "after": "b", "backup": None}]}, "disabled"
            ),
            [Act(frozenset([FILE]), "disabled")],
        ),
        (edits_of({"files": [{"path": FILE, "before": "a", "after": "a", "backup": None}]}, "disabled"), []),
        (
            edits_of(
                {
                    "files": [
                        {"path": "/old.conf", "before": "a", "after": None, "backup": None},
                        {"path": DROPIN, "before": None, "after": "a", "backup": None},
                    ]
                },
                "disabled",
            ),
            [],
        ),
        ([attempt("it did not answer within 150 seconds", "disabled")], [Act(None, "disabled", attempt=True)]),
        ([attempt("it failed", file="/srv/run.sh")], [Act(frozenset(["/srv/run.sh"]), None, attempt=True)]),
        (roll_backs_of([(FILE, "/copy")]), [Act(frozenset([FILE]))]),
    ],
)
def test_what_the_record_means_for_drift(lines: list[dict[str, Any]], acts: list[Act]) -> None:
    assert [act for act in map(act_of, (line for line in lines if line["kind"] in ACTS)) if act is not None] == acts


def drift(reports: Path) -> str | None:
    """The drift of the last line of the journal."""
    line = (reports / "runs/r.jsonl").read_text().splitlines()[-1]
    return json.loads(line)["drift"]  # type: ignore[no-any-return]


EDIT = {"kind": "edit", "file": FILE, "before": "0" * 64, "after": "1" * 64, "backup": None, "state": "disabled"}


def test_our_edits_are_remembered_until_the_next_evidence(tmp_path: Path) -> None:
    """Also from another run, and for that once."""
    file_changes(tmp_path, "h", [EDIT], "a")
    file_evidence(tmp_path, WRONG, run_id="r")
    file_changes(tmp_path, "h", [EDIT], "b")
    file_changes(tmp_path, "other", [EDIT], "b")
    file_evidence(tmp_path, RIGHT, run_id="r")
    assert drift(tmp_path) is None
    judged = json.loads((tmp_path / "changes/r.jsonl").read_text().splitlines()[-1])
    validate(judged)
    assert [one["run"] for one in judged["accounts"]] == ["b"] and judged["verdict"] == RIGHT["verdict"]
    file_evidence(tmp_path, WRONG, run_id="r")
    assert drift(tmp_path) == "corrective"
    file_evidence(tmp_path, RIGHT, run_id="r")
    assert drift(tmp_path) == "corrective", "the edit followed evidence of this content, and has been accounted for"


def test_lines_of_a_host_are_found_however_many_are_asked_for(tmp_path: Path) -> None:
    """One process judges one host, or all of them; names that contain each other, or look like a key, are no others."""
    hosts = ["h", "h2", 'x", "host": "h', "ü/x", "a\\"]
    (tmp_path / "evidence").mkdir()
    for name in [*hosts, "other"]:
        path_of(tmp_path / "evidence", name).write_text("{}")
    for number, name in enumerate(hosts):
        file_changes(tmp_path, name, [EDIT] * (number + 1), "r")
    sha256 = digest(b"{}")
    for _round in range(3):
        assert [len(acts_since(tmp_path, name, sha256)) for name in hosts] == [1, 2, 3, 4, 5]
    assert acts_since(tmp_path, "other", sha256) == []
    file_changes(tmp_path, "other", [EDIT], "r")
    assert len(acts_since(tmp_path, "other", sha256)) == 1, "a record that has grown is read again"


def test_what_we_did_before_the_last_evidence_is_no_alibi(tmp_path: Path) -> None:
    """The record of a run that was killed while it filed."""
    file_evidence(tmp_path, RIGHT, run_id="r")
    file_changes(tmp_path, "h", [EDIT], "a")
    file_evidence(tmp_path, WRONG, run_id="r")
    (tmp_path / "changes/r.jsonl").unlink()
    with (tmp_path / "changes/a.jsonl").open("a") as record:
        record.write('{\n[]\n{"host": "h", "since": 1}\n{"host": "h", "kind": "edit", "file": 7, "run": "a"}\n{"half')
    file_evidence(tmp_path, RIGHT, run_id="r")
    assert drift(tmp_path) == "corrective"
    assert acts_since(tmp_path, "h", "no such") == acts_since(tmp_path, "h", "") == []


def test_records_of_earlier_versions_are_ignored(tmp_path: Path) -> None:
    file_evidence(tmp_path, WRONG, run_id="r")
    (tmp_path / "acts").mkdir()
    (tmp_path / "acts/h.jsonl").write_text('{"since": "0", "paths": null, "state": "disabled", "attempt": false}\n')
    (tmp_path / "changes").mkdir()
    (tmp_path / "changes/old.jsonl").write_text(
        '{"after": "1", "backup": null, "before": "0", "file": "/etc/default/cm", "host": "h", "kind": "edit"}\n'
    )
    file_evidence(tmp_path, RIGHT, run_id="r")
    assert drift(tmp_path) == "corrective"


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [(WRONG, RIGHT, None), (RIGHT, RIGHT, "corrective"), (WRONG, WRONG, None)],
    ids=["wrong", "right", "still wrong"],
)
def test_an_edit_that_somebody_else_reports(tmp_path: Path, before: Any, after: Any, told: str | None) -> None:
    """telemetry_assess in a playbook of one's own (edited: true), which keeps no record."""
    file_evidence(tmp_path, before, run_id="r")
    file_evidence(tmp_path, after, edited=True, run_id="r")
    assert drift(tmp_path) == told


# -- a host that could not be read for a while --------------------------------------------------------


GONE = judged(None)
GONE_OTHERWISE = {**GONE, "error": "no route", "reasons": ["its state could not be read: no route"]}


def _file(reports: Path, number: int, document: dict[str, Any]) -> str | None:
    return file_evidence(reports, document, run_id=f"2026112{number}T000000Z-00000000")[1]  # type: ignore[arg-type]


def test_drift_is_seen_when_a_host_comes_back(tmp_path: Path) -> None:
    drifts = [_file(tmp_path, number, one) for number, one in enumerate([RIGHT, GONE, GONE_OTHERWISE, GONE, WRONG])]
    assert drifts == [None, None, None, None, "corrective"]
    assert list((tmp_path / "baselines").iterdir()) == []
    assert _file(tmp_path, 5, WRONG) is None, "it is said once"


def test_a_host_that_comes_back_as_it_was_has_not_drifted(tmp_path: Path) -> None:
    drifts = [_file(tmp_path, number, one) for number, one in enumerate([RIGHT, GONE, RIGHT, GONE, RIGHT])]
    assert drifts == [None] * 5


def test_what_we_did_before_and_while_a_host_was_gone_is_no_drift(tmp_path: Path) -> None:
    """The connection broke in the middle of an edit, and again when the host was asked how far that came."""
    assert _file(tmp_path, 0, WRONG) is None
    file_changes(tmp_path, "h", [attempt("the connection broke", "disabled")], "20261121T000000Z-00000000")
    assert _file(tmp_path, 1, GONE) is None
    file_changes(tmp_path, "h", [attempt("it broke again", "disabled")], "20261122T000000Z-00000000")
    assert _file(tmp_path, 2, GONE_OTHERWISE) is None
    assert _file(tmp_path, 3, RIGHT) is None
    assert _file(tmp_path, 4, WRONG) == "corrective", "an alibi counts once"


@pytest.mark.parametrize(
    ("failure", "came"),
    [
        ("sudo: a password is required", "corrective"),
        ("Missing sudo password", "corrective"),
        (
            "sudo there wants a password, or does not allow it to this user (Missing sudo password); set it",
            "corrective",
        ),
        ("jo is not in the sudoers file.", "corrective"),
        ("jo@h: Permission denied (publickey,password).", "corrective"),
        ("ssh: connect to host h port 22: Connection refused", "corrective"),
        ("client_loop: send disconnect: Broken pipe", None),
        ("sudo: unable to resolve host h; it ended without an answer", None),
        ("sudo: unable to resolve host ci1: Name or service not known; Killed", None),
        ("it did not answer within 150 seconds", None),
        ("words that nobody knows", None),
    ],
)
def test_who_was_not_let_in_has_no_part_in_what_changed(tmp_path: Path, failure: str, came: str | None) -> None:
    """An edit that sudo or ssh refused explains nothing: somebody else did it, and that is drift."""
    assert _file(tmp_path, 0, WRONG) is None
    file_changes(tmp_path, "h", [attempt(failure, "disabled")], "20261121T000000Z-00000000")
    assert _file(tmp_path, 1, RIGHT) == came


def test_a_new_policy_is_said_when_it_comes_and_not_again(tmp_path: Path) -> None:
    waived = judged(None, telemetry_waiver=WAIVER)
    back = judged(host(entry()), telemetry_waiver=WAIVER)
    assert [_file(tmp_path, number, one) for number, one in enumerate([RIGHT, GONE, waived, back])] == [
        None,
        None,
        "intended",
        None,
    ]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"evidence": 1, "since": []}', '{"evidence": {}, "since": 7}'])
def test_a_baseline_that_is_damaged_costs_only_itself(tmp_path: Path, text: str) -> None:
    for number, one in enumerate([RIGHT, GONE]):
        _file(tmp_path, number, one)
    (kept,) = (tmp_path / "baselines").iterdir()
    kept.write_text(text)
    assert _file(tmp_path, 2, WRONG) is None


def test_journal_and_manifest_name_the_baseline(tmp_path: Path) -> None:
    for number, one in enumerate([RIGHT, GONE]):
        _file(tmp_path, number, one)
    line = json.loads((tmp_path / "runs/20261121T000000Z-00000000.jsonl").read_text())
    assert line["baseline"] == digest((evidence.as_text(RIGHT, sort_keys=True)).encode())


# -- events -----------------------------------------------------------------------------------------


def events(
    *names: str | None, plugin: str = "demo", version: str = "1", unread: int = 0, **more: Any
) -> dict[str, Any]:
    """What the plugins of an installation name."""
    rows = [
        {"kind": "event", "name": name, "mark": "seen", "field": "demo.X.Y", "file": "/p!x"}
        if name is not None
        else {
            "kind": "event",
            "name": None,
            "mark": "unknown",
            "field": "demo.X.Z",
            "file": "/p!x",
            "reason": "computed",
        }
        for name in names
    ]
    return {
        "mark": "seen",
        "archives": 1,
        "classes": 3,
        "plugins": [{"plugin": plugin, "version": version, "file": "/p", "mark": "seen", "events": rows}],
        "unread": [{"file": "/q", "reason": "broken"}] * unread,
        **more,
    }


def listed(*names: str) -> dict[str, Any]:
    """What a product itself lists."""
    return {"mark": "seen", "page": "/details", "events": [{"name": name} for name in names]}


NONE_READ = {"mark": "unknown", "archives": 0, "classes": 0, "plugins": [], "unread": [], "reason": "no home"}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (events("a"), events("a"), []),
        (events("a"), events("a", "b", version="2"), ["cm: an event is new: b (of demo 2)"]),
        (events("a", "b"), events("a", version="2"), ["cm: an event is gone: b (of demo 1)"]),
        (events("a"), events("a", None), []),
        (events("a"), events("a", plugin="other"),
         ["cm: an event is new: a (of other 1)", "cm: an event is gone: a (of demo 1)"]),
        # what could not be read before, or cannot now, is neither new nor gone for that
        (events("a", unread=1), events("a", "b"), []),
        (events("a", "b"), events("a", unread=1), []),
        (NONE_READ, events("a"), []),
        (events("a"), NONE_READ, []),
        (None, events("a"), []),
        (events("a"), None, []),
        # the product's own list, where both were seen
        (events(served=listed("a")), events(served=listed("b")),
         ["cm: an event is new: b (in the product's own list)", "cm: an event is gone: a (in the product's own list)"]),
        (events(), events(served=listed("b")), []),
        (events(served={"mark": "unknown", "reason": "no", "events": []}), events(served=listed("b")), []),
        (events(), events("x" * 300), [f"cm: an event is new: {'x' * 200} … (of demo 1)"]),
    ],
)  # fmt: skip
def test_an_event_that_is_new_or_gone(before: Any, after: Any, said: list[str]) -> None:
    """Somebody upgraded a plugin: it is drift, and the event is named."""
    pair = [judged(host(entry(**({"events": one} if one else {})))) for one in (before, after)]
    assert events_changed(*pair) == said
    assert drift_of(*pair) == ("corrective" if said else None)


def test_events_of_another_host_or_other_rights_are_not_compared() -> None:
    before = judged(host(entry(events=events("a")), user=1000))
    assert events_changed(before, judged(host(entry(events=events("a", "b"))))) == []
    assert events_changed(None, before) == [] and events_changed(judged(None), before) == []


def test_very_many_events_are_counted() -> None:
    before, after = (judged(host(entry(events=events(*map(str, range(count)))))) for count in (1, 200))
    said = events_changed(before, after)
    assert len(said) == 101 and said[-1] == "and 99 more events are new or gone"


def test_new_events_stand_in_the_journal(tmp_path: Path) -> None:
    for names in (("a",), ("a", "b"), ("a", "b")):
        file_evidence(tmp_path, judged(host(entry(events=events(*names)))), run_id=f"r{len(names)}")
    lines = [
        json.loads(line) for path in sorted((tmp_path / "runs").iterdir()) for line in path.read_text().splitlines()
    ]
    for line in lines:
        validate_line(line)
    assert [line.get("events_changed") for line in lines] == [None, ["cm: an event is new: b (of demo 1)"], None]
    entries, damaged = evidence.lines_of(tmp_path / "runs/r2.jsonl")
    assert (len(entries), damaged) == (2, 0)
    (tmp_path / "runs/r2.jsonl").write_text(json.dumps({**lines[1], "events_changed": [1]}) + "\n")
    assert evidence.lines_of(tmp_path / "runs/r2.jsonl")[1] == 1

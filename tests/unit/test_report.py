"""The report in all its formats: every host is in it, the totals agree, and no name is taken for anything else."""

from __future__ import annotations

import base64
import csv
import hashlib
import html
import io
import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import fleetmaker
import pytest
import schemas
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._evidence import missing, path_of, table
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._age import Aged
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import VERDICTS, downs
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report import _formats, _markdown
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report import _model as model
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._csv import safe
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._ledger import reconcile
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._remedy import steps
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._sources import (
    folders_of,
    history,
    read_evidence,
    since,
)

FAIL_ON = ("violation", "waiver_expired", "unknown", "unreachable")


def report_of(folder: Path, hosts: list[str], **options: Any) -> model.Report:
    """The report on the hosts of a folder, made at the fleet's own time."""
    found = read_evidence([folder / "evidence"], hosts, None, fleetmaker.AT)
    run = model.Run(fleetmaker.AT, model.totals_by_machine((host.verdict, host.machine) for host in found.hosts))
    return model.Report(fleetmaker.AT, found.hosts, [*found.trend, run], found.last_run, notes=found.notes, **options)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> model.Report:
    """130 hosts with every verdict and hostile names; the first has no evidence."""
    folder = tmp_path_factory.mktemp("fleet")
    return report_of(folder, fleetmaker.make(folder, 120, without=1, hosts=fleetmaker.HOSTILE))


@pytest.fixture(scope="module")
def texts(fleet: model.Report) -> dict[str, str]:
    """The report by format."""
    return {name: _formats.render(name, fleet) for name in _formats.FORMATS}


def embedded(html: str) -> dict[str, Any]:
    """The data that a page carries for its script."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert found
    document: dict[str, Any] = json.loads(found[1])
    return document


# -- all formats -----------------------------------------------------------------------------------


def payload_of(line: str) -> dict[str, Any]:
    """The statement in an envelope."""
    found: dict[str, Any] = json.loads(base64.b64decode(json.loads(line)["payload"]))
    return found


def counted(name: str, text: str) -> dict[str, int]:
    """The verdicts of a report, counted host by host from its text; SARIF and Markdown leave some to their totals."""
    found: Counter[str] = Counter()
    if name == "json":
        found.update(item["verdict"] for item in json.loads(text)["hosts"])
    elif name == "html":
        found.update(item["verdict"] for item in embedded(text)["hosts"])
    elif name == "junit":
        for case in ElementTree.fromstring(text).iter("testcase"):  # noqa: S314
            found[case.findtext("system-out", "").splitlines()[0].removeprefix("verdict: ")] += 1
    elif name == "sarif":
        run = json.loads(text)["runs"][0]
        found.update(run["properties"]["totals"])
        listed = Counter(item["ruleId"] for item in run["results"])
        assert listed == Counter(
            {
                verdict: count
                for verdict, count in found.items()
                if verdict not in ("compliant", "not_applicable") and count
            }
        )
    elif name == "openmetrics":
        families = {family.name: family for family in text_string_to_metric_families(text)}
        found.update(
            {sample.labels["verdict"]: int(sample.value) for sample in families["cbops_telemetry_hosts"].samples}
        )
        infos = families["cbops_telemetry_host_info"].samples if "cbops_telemetry_host_info" in families else []
        assert Counter(sample.labels["verdict"] for sample in infos) == +found
    elif name == "csv":
        found.update({line["host"]: line["verdict"] for line in csv.DictReader(io.StringIO(text))}.values())
    elif name == "auditor":
        assert "<script" not in text
        found.update(re.findall(r"</bdi></th><td>(\w+)(?: \(was \w+\))?</td><td>(?:telemetry|not known)", text))
    elif name == "intoto":
        for statement in map(payload_of, text.splitlines()):
            found[statement["predicate"]["https://github.com/cbops/telemetry/verdict"]] += len(statement["subject"])
    elif name == "oscal":
        (result,) = json.loads(text)["assessment-results"]["results"]
        for one in result.get("observations", []):
            found.update(prop["value"] for prop in one["props"] if prop["name"] == "verdict")
        assert {
            prop["name"].removeprefix("hosts-"): int(prop["value"])
            for prop in result["props"]
            if prop["name"].startswith("hosts-")
        } == {verdict: found[verdict] for verdict in VERDICTS}
    else:
        rows = re.findall(r"^\| \S+ (\w+) \| (\d+) \|$", text, re.M)
        found.update({verdict: int(number) for verdict, number in rows})
    return {verdict: found[verdict] for verdict in VERDICTS}


def test_the_totals_agree_in_every_format(fleet: model.Report, texts: dict[str, str]) -> None:
    assert sum(fleet.totals.values()) == len(fleet.hosts) == 120 + len(fleetmaker.HOSTILE)
    assert all(fleet.totals.values()), "the fleet lacks a verdict"
    assert {name: counted(name, text) for name, text in texts.items()} == dict.fromkeys(_formats.FORMATS, fleet.totals)


def test_every_host_is_in_every_list(fleet: model.Report, texts: dict[str, str]) -> None:
    hosts = {host.host for host in fleet.hosts}
    assert {item["host"] for item in json.loads(texts["json"])["hosts"]} == hosts
    assert {item["host"] for item in embedded(texts["html"])["hosts"]} == hosts
    families = {family.name: family for family in text_string_to_metric_families(texts["openmetrics"])}
    assert {sample.labels["host"] for sample in families["cbops_telemetry_host_info"].samples} == hosts
    shown = {visible(host) for host in hosts}
    assert {case.get("name") for case in ElementTree.fromstring(texts["junit"]).iter("testcase")} == shown  # noqa: S314
    assert {line["host"] for line in csv.DictReader(io.StringIO(texts["csv"]))} == {safe(host) for host in hosts}
    settled = {host.host for host in fleet.hosts if host.verdict in ("compliant", "not_applicable")}
    assert {item["properties"]["host"] for item in json.loads(texts["sarif"])["runs"][0]["results"]} == hosts - settled


def test_the_same_evidence_gives_the_same_text(fleet: model.Report, texts: dict[str, str]) -> None:
    assert {name: _formats.render(name, fleet) for name in _formats.FORMATS} == texts


def test_an_empty_fleet_is_no_clean_fleet() -> None:
    empty = model.Report(fleetmaker.AT, [])
    assert model.headline(empty) == "There are no hosts to report on"
    for name in _formats.FORMATS:
        assert counted(name, _formats.render(name, empty)) == dict.fromkeys(VERDICTS, 0)


# -- the headline ----------------------------------------------------------------------------------


def some(**verdicts: int) -> model.Report:
    """A report on so many controllers of each verdict."""
    state = {"installations": [{"product": "controller"}]}
    return model.Report(
        fleetmaker.AT,
        [
            model.Host(
                {"host": f"{verdict}{number}", "verdict": verdict, "reasons": [], "warnings": [], "state": state}
            )
            for verdict, count in verdicts.items()
            for number in range(count)
        ],
    )


@pytest.mark.parametrize(
    ("report", "sentence"),
    [
        (some(violation=2, waiver_expired=1, compliant=117), "3 of 120 controllers violate the policy"),
        (some(violation=1, compliant=1), "1 of 2 controllers violates the policy"),
        (some(violation=1, unreachable=2), "1 of 3 controllers violates the policy; 2 unreachable"),
        (some(compliant=3), "All 3 controllers meet the policy"),
        (some(compliant=1), "The controller meets the policy"),
        (some(compliant=3, not_applicable=1), "The policy applies to 3 of 4 controllers, all of which meet it"),
        (some(not_applicable=2), "The policy applies to none of 2 controllers"),
        (some(compliant=3, unknown=1), "No violation was seen on 4 controllers; 1 unknown"),
        (some(compliant=3, restart_pending=1), "No violation was seen on 4 controllers; 1 waiting for a restart"),
        (some(unreachable=3, unknown=1), "None of 4 controllers could be judged; 1 unknown, 3 unreachable"),
        (some(compliant=3, waived=1), "4 controllers: the policy is met, or waived on 1"),
    ],
)
def test_headline(report: model.Report, sentence: str) -> None:
    assert model.headline(report) == sentence


def test_hosts_of_which_the_product_is_not_known_are_not_called_controllers() -> None:
    report = model.Report(
        fleetmaker.AT,
        [
            *some(compliant=2).hosts,
            model.Host({"host": "x", "verdict": "unreachable", "reasons": ["gone"], "warnings": [], "state": None}),
        ],
    )
    assert model.headline(report) == "No violation was seen on 3 hosts; 1 unreachable"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "never"),
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (7200, "2 h"),
        (86400, "24 h"),
        (172800, "2 days"),
        (86400 * 400.5, "400 days"),
    ],
)
def test_age(seconds: float | None, words: str) -> None:
    assert model.age_words(seconds) == words


def test_drift_is_told_apart(fleet: model.Report, texts: dict[str, str]) -> None:
    sentence = (
        f"Since the evidence before: {fleet.totals['restart_pending']} changed on the host (corrective), "
        f"{fleet.totals['waiver_expired']} changed with the policy (intended)"
    )
    assert model.drifts(fleet) == sentence
    assert sentence in texts["markdown"]
    assert sentence in texts["html"]
    assert model.drifts(some(violation=1)) == ""


# -- gathering -------------------------------------------------------------------------------------


def put(folder: Path, host: str, verdict: str, at: str, run: str, journal: bool = False, **entry: Any) -> None:
    """One host's evidence, and the manifest or journal that tells of it."""
    document = {
        "schema": "cbops.telemetry/evidence/1",
        "host": host,
        "policy": None,
        "state": None,
        "error": None,
        "verdict": verdict,
        "reasons": [],
        "warnings": [],
    }
    path = path_of(folder / "evidence", host)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    line = {"host": host, "sha256": sha256, "collected_at": at, "verdict": verdict, **entry}
    there = folder / ("runs" if journal else "manifests")
    there.mkdir(exist_ok=True)
    if journal:
        with (there / f"{run}.jsonl").open("a") as stream:
            stream.write(json.dumps(line) + "\n")
        return
    (there / f"{run}.json").write_text(
        json.dumps(
            {
                "schema": "cbops.telemetry/manifest/1",
                "run_id": run,
                "started": at,
                "finished": at,
                "hosts": [host],
                "totals": {verdict: 1},
                "files": {f"evidence/{path.name}": line},
            }
        )
    )


def test_of_several_folders_the_newest_evidence_counts(tmp_path: Path) -> None:
    for folder, first, second in (("one", "2026-11-20", "2026-11-22"), ("two", "2026-11-21", "2026-11-19")):
        put(
            tmp_path / folder,
            "a",
            f"{'violation' if folder == 'one' else 'compliant'}",
            f"{first}T00:00:00Z",
            f"{first}-{folder}",
            drift="corrective" if folder == "two" else None,
        )
        put(
            tmp_path / folder,
            "b",
            "waived" if folder == "one" else "unknown",
            f"{second}T00:00:00.5Z",
            f"{second}-{folder}",
            journal=True,
        )
    for order in (("one", "two"), ("two", "one")):
        found = read_evidence(
            [tmp_path / name / "evidence" for name in order], ["a", "b", "c"], None, "2026-11-23T00:00:00Z"
        )
        assert [host.verdict for host in found.hosts] == ["compliant", "waived", "unknown"]
        assert [host.drift for host in found.hosts] == ["corrective", None, None]
        assert [host.age for host in found.hosts] == [2 * 86400, 86400 - 0.5, None]
        assert found.last_run == "2026-11-22T00:00:00.5Z"
        assert found.notes == []
        assert [run.at[:10] for run in found.trend] == ["2026-11-20", "2026-11-21"]


def test_the_newest_run_tells_the_age(tmp_path: Path) -> None:
    put(tmp_path, "a", "compliant", "2026-11-20T00:00:00Z", "20261120T000000Z-1")
    put(tmp_path, "a", "compliant", "2026-11-22T00:00:00Z", "20261122T000000Z-1")
    put(tmp_path, "a", "compliant", "2026-11-21T00:00:00Z", "20261121T000000Z-1")
    assert read_evidence([tmp_path / "evidence"], ["a"], None, "2026-11-23T00:00:00Z").hosts[0].age == 86400


def test_old_evidence_counts_as_none_and_keeps_its_age(tmp_path: Path) -> None:
    put(tmp_path, "a", "compliant", "2026-11-20T00:00:00Z", "r1")
    host = read_evidence([tmp_path / "evidence"], ["a"], "2026-11-21T00:00:00.000001Z", "2026-11-23T00:00:00Z").hosts[0]
    assert (host.verdict, host.age, host.collected_at) == ("unknown", 3 * 86400, "2026-11-20T00:00:00Z")
    assert "2026-11-20" in host.reasons[0]
    assert (
        read_evidence([tmp_path / "evidence"], ["a"], "2026-11-19T00:00:00Z", "2026-11-23T00:00:00Z").hosts[0].verdict
        == "compliant"
    )


@pytest.mark.parametrize(
    ("given", "moment"),
    [
        ("20 h", "2026-11-22T04:00:00.000000Z"),
        ("90min", "2026-11-22T22:30:00.000000Z"),
        ("", None),
        (None, None),
        ("1 day", "2026-11-22T00:00:00.000000Z"),
        (" 2 days ", "2026-11-21T00:00:00.000000Z"),
        ("2026-11-21T01:00:00+01:00", "2026-11-21T00:00:00.000000Z"),
        ("2026-11-21", "2026-11-21T00:00:00.000000Z"),
        ("2026-11-21 00:00:00+00:00", "2026-11-21T00:00:00.000000Z"),
    ],
)
def test_a_moment_may_be_an_age(given: str | None, moment: str | None) -> None:
    assert since(given, "2026-11-23T00:00:00Z") == moment


@pytest.mark.parametrize("given", ["20", "yesterday", "20 s", "-1 h", "999999 days", "h", "20 hh"])
def test_what_is_no_moment_lets_nothing_pass(tmp_path: Path, given: str) -> None:
    put(tmp_path, "a", "compliant", "2026-11-20T00:00:00Z", "r1")
    with pytest.raises(ValueError, match=given):
        read_evidence([tmp_path], ["a"], given, "2026-11-23T00:00:00Z")


def test_hosts_without_evidence_that_counts_are_told_from_the_others(tmp_path: Path) -> None:
    for host, at in (
        ("old", "2026-11-22T01:00:00Z"),
        ("new", "2026-11-22T23:00:00Z"),
        ("early", "2026-11-24T00:00:00Z"),
    ):
        put(tmp_path, host, "unknown", at, f"r-{host}")
    hosts = ["old", "new", "gone", "early"]
    assert read_evidence([tmp_path], hosts, None, "2026-11-23T00:00:00Z").missing == ["gone"]
    found = read_evidence([tmp_path], hosts, "20 h", "2026-11-23T00:00:00Z")
    assert found.missing == ["old", "gone", "early"]
    assert "since 2026-11-22T04:00:00.000000Z: the last is from 2026-11-22T01:00:00Z" in found.hosts[0].reasons[0]


def test_artifacts_of_runs_stand_for_their_evidence(tmp_path: Path) -> None:
    """As ansible-runner keeps them: of a run whose worker was killed only events came back."""
    for number, verdict in (("1", "compliant"), ("2", "violation")):
        put(tmp_path / "artifacts" / number / "telemetry", f"cm{number}", verdict, "2026-11-22T00:00:00Z", f"r{number}")
        (tmp_path / "artifacts" / number / "rc").write_text("2")
    for number in "1234":
        (tmp_path / "artifacts" / number / "job_events").mkdir(parents=True)
    (tmp_path / "artifacts/3/rc").write_text("1")
    every = [tmp_path / "artifacts" / number / "telemetry/evidence" for number in "1234"]
    assert folders_of(tmp_path / "artifacts") == every
    assert [folders_of(tmp_path / "artifacts" / number) for number in "1234"] == [[path] for path in every]
    assert folders_of(every[0].parent) == folders_of(every[0]) == [every[0]]
    assert folders_of(tmp_path / "none") == [tmp_path / "none"]
    for named in ([tmp_path / "artifacts"], [tmp_path / "artifacts", every[0], every[0].parent]):
        found = read_evidence(named, ["cm1", "cm2", "cm3"], None, "2026-11-23T00:00:00Z")
        assert [host.verdict for host in found.hosts] == ["compliant", "violation", "unknown"]
        assert found.missing == ["cm3"]
        assert found.notes == [
            f"the run {tmp_path}/artifacts/3 has left no evidence",
            f"the run {tmp_path}/artifacts/4 has left no evidence, and has not ended: its worker was lost, or is at "
            "work still",
        ]
        assert len(found.trend) == 2, "each run once"


def test_damage_is_said_and_hides_no_host(tmp_path: Path) -> None:
    put(tmp_path, "good", "compliant", "2026-11-22T00:00:00Z", "r1")
    put(tmp_path, "stranger", "compliant", "2026-11-22T00:00:00Z", "r2")
    (tmp_path / "evidence/broken.json").write_text("{")
    (tmp_path / "evidence/other.json").write_text((tmp_path / "evidence/good.json").read_text())
    (tmp_path / "manifests/r3.json").write_text('{"schema": "something/else"}')
    (tmp_path / "manifests/r4.json").write_text("[]")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/r5.jsonl").write_text('{"host": "good", "collected_at": "yesterday"}\n')
    folders = [tmp_path / "evidence", tmp_path / "nowhere"]
    found = read_evidence(folders, ["good", "broken", "other", "gone"], None, fleetmaker.AT)
    assert [host.verdict for host in found.hosts] == ["compliant", "unknown", "unknown", "unknown"]
    assert ["damaged" in host.reasons[0] for host in found.hosts[1:]] == [True, True, False]
    told = "\n".join(found.notes)
    for word in ("r3.json", "r4.json", "r5.jsonl", "nowhere"):
        assert word in told
    assert found.strangers == ["stranger"]


def broken_copies(value: Any) -> Iterator[Any]:
    """Copies of a document in each of which one place holds something else, or is gone; the rest of it is shared."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        for other in (None, 7, "", "x", [], ["x"], {}, {"x": 1}, True, ...):
            copied = value.copy()
            if other is ...:
                del copied[key]
            else:
                copied[key] = other
            yield copied
        if isinstance(inner, (dict, list)):
            for broken in broken_copies(inner):
                copied = value.copy()
                copied[key] = broken
                yield copied


def filled(document: Any, product: str) -> None:
    """All that evidence may have besides, and that a report or a ledger looks at."""
    place = {"collected": True, "file": "/x", "line": 1, "mark": "export"}
    clocks = dict.fromkeys(model.CLOCKS, "disabled") | {f"{clock}_detail": {"reason": "r"} for clock in model.CLOCKS}
    entry = document["state"]["installations"][0]
    switch = {"name": "x.y", "off_value": "true"}
    entry.update(
        product=product,
        home="/srv/home",
        unit_state={"active": "failed", "sub": "failed", "result": "signal", "restarting": False},
        settings={"analytics_plugin": "1.0", "details": {"license_tracker_plugin": {"state": "seen"}}},
        member_of=dict.fromkeys(["operations_center", "endpoint"], "https://oc.example") | {"name": "a", "index": "1"},
        controllers=[{"name": "a", "kind": "client", "endpoint": "https://a.example", "index": "1"}],
        controllers_detail={"state": "seen", "url": "https://oc.example"},
        toggle={"declared": place, "served": {"collected": False}},
        switches=[{**switch, **clocks, "processes": [], "declarations": entry["declarations"]}],
        senders=[{"name": "a", "presence": "present", "version": "1", "state": "on", "proof": "p", "covered": None}],
        segment_threads=[{"pid": 1, "analytics_plugin": 1, "others": 0}],
        events={
            "mark": "seen",
            "plugins": [
                {
                    "plugin": "p",
                    "version": "1",
                    "events": [{"kind": "event", "name": None, "mark": "seen", "summary": "s"}],
                }
            ],
            "unread": [{"file": "/x", "reason": "r"}],
            "served": {"mark": "seen", "events": [{"name": "a"}]},
        },
    )
    document["policy"].update(toggle="disabled", expect="present", switches=[{**switch, "desired": "enabled"}])


@pytest.mark.parametrize("kind", ["violation", "waived", "unknown", "operations_center", "jenkins"])
def test_no_damage_to_evidence_stops_a_report(tmp_path: Path, kind: str) -> None:
    products = {"operations_center": "operations_center", "jenkins": "jenkins"}
    document = fleetmaker.evidence("h", random.Random(1), "violation" if kind in products else kind)
    document["state"]["connectivity"] = [fleetmaker.answer("direct", "timeout")]
    if kind in products:
        document["state"].update(connectivity=[], installations=document["state"]["installations"][:1])
        filled(document, products[kind])
    hosts = []
    for number, copied in enumerate(broken_copies(document)):
        hosts.append(f"h{number}")
        if "host" in copied:
            copied["host"] = hosts[-1] if copied["host"] == "h" else copied["host"]
        path = path_of(tmp_path / "evidence", hosts[-1])
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(copied))
    report = report_of(tmp_path, hosts)
    assert len(hosts) > 500
    assert {name: counted(name, _formats.render(name, report)) for name in _formats.FORMATS} == dict.fromkeys(
        _formats.FORMATS, report.totals
    )
    assert table([host.document for host in report.hosts]).count("\nh") >= len(hosts)
    reconcile(report.hosts)
    for host in report.hosts:
        assert reconcile([host])
        assert isinstance([*downs(host.document), model.falls_short(host, ["down"])], list)
    assert 0 < sum("damaged" in " ".join(host.reasons) for host in report.hosts) < len(hosts)


def test_history(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    first, second = (model.Run(f"2026-11-2{day}T00:00:00Z", dict.fromkeys(VERDICTS, day)) for day in (1, 2))
    assert history(path, first) == [first]
    assert history(path, second) == [first, second]
    assert len(path.read_text().splitlines()) == 2
    path.write_text("{}\n")
    with pytest.raises(ValueError, match="line 1"):
        history(path, first)
    assert path.read_text() == "{}\n"


# -- what mends it ---------------------------------------------------------------------------------


def one(
    host: str = "cm1",
    desired: str = "disabled",
    verdict: str = "violation",
    clocks: tuple[str, str, str] = ("disabled",) * 3,
) -> model.Host:
    """A host with one installation."""
    entry = fleetmaker.installation("cloudbees-core-cm", "controller", *clocks)
    return model.Host(
        {
            "host": host,
            "verdict": verdict,
            "reasons": ["because"],
            "warnings": [],
            "policy": {"desired": desired, "connectivity": "ignored"},
            "state": {"installations": [entry], "connectivity": []},
        }
    )


def commands(host: model.Host) -> list[str]:
    """The commands that mend a host."""
    return [step.command for step in steps(host, "hosts.yml") if step.command]


AUDIT = "ansible-playbook cbops.telemetry.audit -i hosts.yml --limit cm1"
ENFORCE = "ansible-playbook cbops.telemetry.enforce -i hosts.yml --limit cm1"


@pytest.mark.parametrize(
    ("host", "wanted"),
    [
        (one(clocks=("enabled",) * 3), [ENFORCE, AUDIT]),
        (
            one(clocks=("disabled", "disabled", "enabled"), verdict="restart_pending"),
            [ENFORCE + " -e telemetry_restart=now", "systemctl restart cloudbees-core-cm.service", AUDIT],
        ),
        (one(clocks=("disabled", "enabled", "disabled")), ["systemctl daemon-reload", AUDIT]),
        (one(clocks=("unresolvable", "unresolvable", "unknown"), verdict="unknown"), [AUDIT]),
        (one(verdict="unreachable"), ["ansible cm1 -i hosts.yml -m ansible.builtin.ping -vvv", AUDIT]),
        (one(verdict="compliant"), []),
        (one(verdict="waived", clocks=("enabled",) * 3), []),
        (one(desired="enabled", clocks=("disabled",) * 3), [ENFORCE, AUDIT]),
    ],
)
def test_the_command_that_mends_it(host: model.Host, wanted: list[str]) -> None:
    assert commands(host) == wanted


def test_a_host_name_stays_one_word_of_the_command() -> None:
    assert commands(one(host="a; rm -rf /", clocks=("enabled",) * 3))[0].endswith("--limit 'a; rm -rf /'")


# -- each format -----------------------------------------------------------------------------------


def test_json_is_as_its_schema_says(fleet: model.Report, texts: dict[str, str]) -> None:
    document = json.loads(texts["json"])
    schemas.validate(document)
    ages = {item["host"]: item["age_seconds"] for item in document["hosts"]}
    assert ages[fleet.hosts[0].host] is None
    assert {age for host, age in ages.items() if host != fleet.hosts[0].host} == {3 * 3600}


def test_the_evidence_of_the_fleet_is_as_its_schema_says(fleet: model.Report) -> None:
    for host in fleet.hosts:
        schemas.validate(dict(host.document))


def test_junit_keeps_the_rules_of_its_schema(fleet: model.Report, texts: dict[str, str]) -> None:
    """As in the XSD that Jenkins' xUnit plugin uses: these elements, in these places, with these attributes."""
    allowed = {
        "testsuites": {"name", "time", "tests", "failures", "errors"},
        "testsuite": {"name", "tests", "failures", "errors", "skipped", "timestamp", "time"},
        "properties": set(),
        "property": {"name", "value"},
        "testcase": {"classname", "name", "time"},
        "failure": {"type", "message"},
        "error": {"type", "message"},
        "skipped": {"type", "message"},
        "system-out": set(),
    }
    inside = {
        "testsuites": {"testsuite"},
        "testsuite": {"properties", "testcase"},
        "properties": {"property"},
        "testcase": {"failure", "error", "skipped", "system-out"},
    }
    root = ElementTree.fromstring(texts["junit"])  # noqa: S314
    assert root.tag == "testsuites"
    for element in root.iter():
        assert set(element.attrib) <= allowed[element.tag]
        assert {child.tag for child in element} <= inside.get(element.tag, set())
    suite = root[0]
    by_outcome = {
        tag: [case for case in suite.iter("testcase") if case.find(tag) is not None]
        for tag in ("failure", "error", "skipped")
    }
    assert int(suite.attrib["tests"]) == len(fleet.hosts)
    for tag, attribute in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        assert int(suite.attrib[attribute]) == len(by_outcome[tag])
    assert {case.find("error").attrib["type"] for case in by_outcome["error"]} == {"stale", "unknown", "unreachable"}  # type: ignore[union-attr]
    violated = next(case for case in by_outcome["failure"] if case.find("failure").attrib["type"] == "violation")  # type: ignore[union-attr]
    assert "/etc/default/" in (violated.findtext("failure") or "")


@pytest.mark.parametrize(
    ("fail_on", "verdict", "element"),
    [
        (FAIL_ON, "restart_pending", None),
        (("restart_pending",), "restart_pending", "failure"),
        ((), "unreachable", "error"),
        ((), "violation", None),
        (FAIL_ON, "unknown", "error"),
        (FAIL_ON, "waived", "skipped"),
    ],
)
def test_junit_fails_what_the_task_fails(fail_on: tuple[str, ...], verdict: str, element: str | None) -> None:
    report = some(**{verdict: 1})
    report = model.Report(report.generated_at, report.hosts, fail_on=fail_on)
    case = next(ElementTree.fromstring(_formats.render("junit", report)).iter("testcase"))  # noqa: S314
    assert [child.tag for child in case] == ([element] if element else []) + ["system-out"]


def test_sarif_keeps_the_rules_of_its_schema(fleet: model.Report, texts: dict[str, str]) -> None:
    """What SARIF 2.1.0 demands of the properties that are used here."""
    log = json.loads(texts["sarif"])
    assert log["version"] == "2.1.0"
    run = log["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    assert all(rule["help"]["text"] and rule["shortDescription"]["text"].startswith("Telemetry") for rule in rules)
    hosts = {host.host: host for host in fleet.hosts}
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("none", "note", "warning", "error")
        assert result["message"]["text"]
        for location in result["locations"]:
            uri = location["physicalLocation"]["artifactLocation"]["uri"]
            assert re.fullmatch(r"[A-Za-z0-9._~/-]*(%[0-9A-F]{2}[A-Za-z0-9._~/-]*)*", uri), uri
            assert not uri.startswith("/")
            assert location["physicalLocation"].get("region", {"startLine": 1})["startLine"] >= 1
        host = hosts[result["properties"]["host"]]
        assert ("suppressions" in result) == (host.verdict == "waived")
    waived = next(result for result in run["results"] if result["ruleId"] == "waived")
    assert waived["suppressions"][0]["kind"] == "external"
    assert waived["suppressions"][0]["status"] == "accepted"
    for words in ("CHG-4711", "security@example.org", "2026-12-31"):
        assert words in waived["suppressions"][0]["justification"]


def test_sarif_names_the_line_of_the_launch_file() -> None:
    report = model.Report(fleetmaker.AT, [one(host="cm 1", clocks=("enabled",) * 3)])
    result = json.loads(_formats.render("sarif", report))["runs"][0]["results"][0]
    assert result["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "cm%201/etc/default/cloudbees-core-cm", "uriBaseId": "FLEET"},
        "region": {"startLine": 8},
    }


def test_openmetrics_is_read_by_a_parser_of_its_own(fleet: model.Report, texts: dict[str, str]) -> None:
    families = {family.name: family for family in text_string_to_metric_families(texts["openmetrics"])}
    assert texts["openmetrics"].endswith("\n# EOF\n")
    assert {family.type for family in families.values()} == {"gauge"}  # what the textfile collector knows
    assert not any(sample.timestamp for family in families.values() for sample in family.samples)
    stamp = families["cbops_telemetry_last_run_timestamp_seconds"].samples[0].value
    assert stamp == model.moment("2026-11-23T09:00:00Z").timestamp()  # type: ignore[union-attr]
    paths = {
        (sample.labels["via"], sample.labels["outcome"]): sample.value
        for sample in families["cbops_telemetry_connectivity_hosts"].samples
    }
    assert paths == {key: len(members) for key, members in model.clusters(fleet.hosts).items()}


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@x", "'@x"),
        (" =1", "' =1"),
        ("\t=1", "\\u0009=1"),
        ("'=1", "''=1"),
        ("\uff1d1", "'\uff1d1"),
        ("cm-1", "cm-1"),
        (None, ""),
        ("a\nb", "a\\u000ab"),
    ],
)
def test_no_cell_is_a_formula(text: str | None, cell: str) -> None:
    assert safe(text) == cell


def test_no_cell_of_the_csv_is_a_formula(texts: dict[str, str]) -> None:
    cells = [cell for line in csv.reader(io.StringIO(texts["csv"])) for cell in line]
    assert not [cell for cell in cells if re.match(r"\s*[=+\-@]", cell)]
    assert len(cells) > 1000


def test_markdown_keeps_its_limit_and_says_what_is_left_out(tmp_path: Path) -> None:
    report = report_of(tmp_path, fleetmaker.make(tmp_path, 3000, runs=1))
    text = _formats.render("markdown", report)
    assert len(text) <= _markdown.LIMIT
    assert counted("markdown", text) == report.totals
    rows = len(re.findall(r"^\| \S+ \w+ \| <code>", text, re.M))
    left = int(re.findall(r"^(\d+) more hosts that are not compliant", text, re.M)[0])
    assert rows + left == sum(
        count for verdict, count in report.totals.items() if verdict not in ("compliant", "not_applicable")
    )
    assert rows > 100
    assert "The reasons of" in text
    assert text.count("<details>") == text.count("</details>") == text.count("</pre>") == 1


def test_one_enormous_host_does_not_break_the_limit() -> None:
    host = one(clocks=("enabled",) * 3)
    host.document["reasons"].append("x" * 100000)  # type: ignore[index]
    text = _formats.render("markdown", model.Report(fleetmaker.AT, [host]))
    assert len(text) <= _markdown.LIMIT
    assert "1 more" in text or "The reasons of 1" in text


@pytest.mark.parametrize("name", fleetmaker.HOSTILE)
def test_a_hostile_name_is_no_markup_in_markdown(name: str) -> None:
    report = model.Report(fleetmaker.AT, [one(host=name, clocks=("enabled",) * 3)])
    text = _formats.render("markdown", report)
    row = next(line for line in text.splitlines() if line.startswith("| ❌ violation | <code>"))
    inside = row.split("<code>")[1].split("</code>")[0]
    assert not re.search(r"[<>\"'`*_~|\\\[\]()@]|#(?!\d+;)|&(?!#)", inside)
    assert row.count(" | ") == 8
    assert re.findall(r"</?(\w+)", text.split("<details>")[1]) == ["summary", "summary", "pre", "pre", "details"]


# -- the page: what can be seen without a browser --------------------------------------------------


def test_the_page_is_one_file_that_fetches_nothing(texts: dict[str, str]) -> None:
    html = texts["html"]
    assert re.findall(r"<script[^>]*>", html) == ['<script type="application/json" id="data">', "<script>"]
    assert html.count("</script>") == 2
    outside = html.split('<script type="application/json"')[0]
    assert not re.search(r"(?:src|href)=\"(?!#|data:,)", outside)
    assert not re.search(r"url\(|@import|\son\w+=|\sstyle=", outside.split("</style>")[1])
    assert "default-src 'none'" in html


@pytest.mark.parametrize("name", fleetmaker.HOSTILE)
def test_hostile_texts_are_escaped_outside_the_data_too(name: str) -> None:
    host = one()
    host.document["state"]["connectivity"] = [fleetmaker.answer(name, "timeout")]  # type: ignore[index]
    html = _formats.render("html", model.Report(fleetmaker.AT, [host], notes=[name]))
    assert html.count("</script>") == 2
    assert "<img" not in html
    outside = html.split('<script type="application/json"')[0]
    assert "\u202e" not in outside
    assert embedded(html)["hosts"][0]["answers"][0]["via"] == name


def test_one_failing_proxy_is_one_cluster(tmp_path: Path) -> None:
    found = model.clusters(report_of(tmp_path, fleetmaker.make(tmp_path, 400, runs=1)).hosts)
    failing = {key for key in found if key[1] == "proxy_unreachable"}
    assert failing == {("proxy-b.example.org:3128", "proxy_unreachable")}
    assert len(found[failing.pop()]) > 1


# -- OSCAL -----------------------------------------------------------------------------------------


def rules_of(hosts: list[model.Host]) -> dict[str, tuple[str, str]]:
    """By rule its state, and on how many hosts it is known to be met of how many it concerns."""
    document = json.loads(_formats.render("oscal", model.Report(fleetmaker.AT, hosts)))
    found = document["assessment-results"]["results"][0]["findings"]
    return {
        one["target"]["target-id"].removeprefix("cbops-telemetry_"): (
            one["target"]["status"]["state"],
            one["description"].partition(" hosts")[0],
        )
        for one in found
    }


@pytest.mark.parametrize("policy", [None, {}, {"connectivity": "required"}, {"desired": "unmanaged"}])
def test_a_rule_is_not_satisfied_by_hosts_that_nobody_has_seen(policy: dict[str, str] | None) -> None:
    seen = one()
    seen.document["verdict"] = "compliant"
    assert rules_of([seen])["running"] == ("satisfied", "1 of 1")
    unseen = model.Host(missing("cm2", "no evidence was filed for it"))
    if policy is not None:
        wanted: Any = {"desired": "disabled", "connectivity": "ignored", "restart": "never", "waiver": None, **policy}
        unseen = model.Host({**unseen.document, "policy": wanted})
    concerned = policy != {"desired": "unmanaged"}
    expected = ("not-satisfied", "1 of 2") if concerned else ("satisfied", "1 of 1")
    found = rules_of([seen, unseen])
    assert [found[clock] for clock in model.CLOCKS] == [expected] * 3
    # Of what a policy ignores nobody needs to know anything.
    open_ = one("cm3")
    open_.document["policy"]["connectivity"] = "required"  # type: ignore[index]
    open_.document["state"]["connectivity"] = [fleetmaker.answer("direct", "connected")]  # type: ignore[index, list-item]
    there = policy is None or policy.get("connectivity") == "required"
    assert rules_of([open_, unseen])["connectivity"] == (
        ("not-satisfied", "1 of 2") if there else ("satisfied", "1 of 1")
    )


# -- until when, and by what signature -------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "more", "limit", "until"),
    [
        ("compliant", {}, 3 * 86400, "2026-11-26 12:00"),
        ("waived", {}, 3 * 86400, "2026-11-24 23:59"),
        ("waived", {}, 86400, "2026-11-24 12:00"),
        ("waived", {}, None, "2026-11-24 23:59"),
        ("compliant", {}, None, "no limit"),
        ("compliant", {}, 1e15, "no limit"),
        ("compliant", {"sha256": None}, 3 * 86400, "does not count"),
        ("unknown", {"aged": Aged("unknown", "r"), "was": "compliant"}, 3 * 86400, "does not count"),
        ("stale", {"aged": Aged("stale", "r"), "was": "waived"}, 3 * 86400, "does not count"),
        ("compliant", {"is_as_filed": False}, 3 * 86400, "not known"),
        ("compliant", {"collected_at": None, "age": None}, 3 * 86400, "not known"),
    ],
)
def test_until_when_evidence_counts(verdict: str, more: dict[str, Any], limit: float | None, until: str) -> None:
    """By its age, and no longer than the waiver that it goes by."""
    waiver = {"until": "2026-11-24", "reason": "r", "approved_by": "a", "ticket": None}
    known = {"collected_at": "2026-11-23T12:00:00Z", "age": 60.0, "sha256": "0" * 64, **more}
    host = model.replace(one(verdict=verdict), **known)
    host.document["policy"]["waiver"] = waiver  # type: ignore[index, typeddict-item]
    report = model.Report(fleetmaker.AT, [host], max_age=limit)
    assert f"</td><td>{until}</td></tr>" in _formats.render("auditor", report)
    (result,) = json.loads(_formats.render("oscal", report))["assessment-results"]["results"]
    expires = result["observations"][0].get("expires")
    assert (expires and expires[:16].replace("T", " ")) == (until if until.startswith("2") else None)


@pytest.mark.parametrize(
    ("signed", "said"),
    [
        ([], "nothing signed stands behind"),
        ([False], "It has no signature: nothing signed stands behind"),
        ([True], "It has a signature; whether that is good was not looked at"),
        ([True, False], "Not every end of it has a signature"),
    ],
)
def test_the_auditor_s_page_claims_no_signature_that_is_not_there(signed: list[bool], said: str) -> None:
    heads = [model.Head(f"r{number}", 1, "a" * 64, there) for number, there in enumerate(signed)]
    report = model.Report(fleetmaker.AT, [one()], heads=heads)
    page = _formats.render("auditor", report)
    assert said in page
    assert (page.count(", with a signature"), page.count(", without a signature")) == (
        signed.count(True),
        signed.count(False),
    )
    assert ("verify_evidence" in page) == any(signed)
    nobody = model.Report(fleetmaker.AT, [], heads=heads, last_run=fleetmaker.AT)
    schemas.validate(json.loads(_formats.render("json", nobody)))


# -- the toggle, and senders beside the flag ---------------------------------------------------------


def place_of(collected: Any, mark: str = "") -> dict[str, Any]:
    """What a place of the toggle says."""
    told = {"collected": collected, "file": "/h/x"} if isinstance(collected, bool) else {"collected": collected}
    return {**told, **({} if isinstance(collected, bool) else {"reason": "why"}), **({"mark": mark} if mark else {})}


SENDS = [
    {"name": name, "presence": "present", "version": None, "state": state, "proof": "p", "covered": covered}
    for name, state, covered in (
        ("analytics_plugin", "on", True),
        ("license_tracker", "unknown", None),
        ("core_telemetry", "on", False),
        ("unify", "absent", False),
    )
]


@pytest.mark.parametrize(
    ("wanted", "places", "text", "mark"),
    [
        ("disabled", {"declared": None, "on_disk": False}, "off", "ok"),
        ("disabled", {"declared": False, "on_disk": True}, "on", "bad"),
        ("disabled", {"declared": True, "on_disk": False}, "off", "bad"),
        ("disabled", {"declared": False, "on_disk": "unknown"}, "off (declared)", "open"),
        ("disabled", {"declared": "unknown", "on_disk": "unknown"}, "unknown", "open"),
        ("disabled", {"declared": None, "on_disk": False, "served": "unknown"}, "unknown", "open"),
        ("enabled", {"declared": None, "on_disk": False}, "off", "bad"),
        ("unmanaged", {"declared": None, "on_disk": True}, "on", ""),
        ("unmanaged", {"declared": None, "on_disk": "unknown"}, "", ""),
        ("disabled", {}, "", "open"),
    ],
)
def test_the_toggle_s_cell_is_the_same_in_every_format(
    wanted: str, places: dict[str, Any], text: str, mark: str
) -> None:
    """And its colour is the finding's: what is only declared is never green."""
    host = one(verdict="violation")
    entry: dict[str, Any] = host.document["state"]["installations"][0]  # type: ignore[index,assignment]
    if places:
        entry["toggle"] = {name: place_of(value) for name, value in places.items()}
    host.document["policy"]["toggle"] = wanted  # type: ignore[index]
    entry["senders"] = SENDS
    assert model.toggle(host) == (text, mark)
    report = model.Report(fleetmaker.AT, [host])
    (shown,) = embedded(_formats.render("html", report))["hosts"]
    assert shown["cells"][3] == [text, mark]
    (line,) = csv.DictReader(io.StringIO(_formats.render("csv", report)))
    assert line["toggle"] == (text or ("unknown" if places else ""))
    said = {True: "on", False: "off", None: "not set", "unknown": "unknown"}
    assert {name: line[f"toggle_{name}"] for name in places} == {name: said[value] for name, value in places.items()}
    assert (line["senders_on"], line["senders_unknown"]) == ("analytics_plugin core_telemetry", "license_tracker")
    rows = [row for row in _formats.render("markdown", report).splitlines() if row.startswith("|") and "cm1" in row]
    heads = [row for row in _formats.render("markdown", report).splitlines() if "| toggle |" in row]
    cells = [re.sub("</?code>", "", cell).strip() for cell in rows[0].strip("|").split("|")]
    at = [cell.strip() for cell in heads[0].strip("|").split("|")].index("toggle")
    assert html.unescape(cells[at]) == (text or "-")


def test_the_page_has_a_column_for_each_cell() -> None:
    page = _formats.render("html", model.Report(fleetmaker.AT, [one()]))
    (shown,) = embedded(page)["hosts"]
    columns = re.findall(r'data-key="(\d)"[^>]*><button type="button">([a-z ]+)', page)
    assert [int(number) for number, _words in columns] == list(range(len(shown["cells"])))
    assert [words for _number, words in columns][3:] == ["toggle", "connectivity", "waiver"]

"""Every combination of clocks and of answers, read by all who tell of it: none may say what another denies."""

from __future__ import annotations

import datetime
import itertools
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.cbops.telemetry.plugins.doc_fragments._attributes import ModuleDocFragment
from ansible_collections.cbops.telemetry.plugins.module_utils.edit import _declare
from ansible_collections.cbops.telemetry.plugins.module_utils.host._files import HostFiles
from ansible_collections.cbops.telemetry.plugins.module_utils.launch import _definition, _outcome
from ansible_collections.cbops.telemetry.plugins.module_utils.outcomes import _outcomes
from ansible_collections.cbops.telemetry.plugins.module_utils.rules import _findings as rules
from ansible_collections.cbops.telemetry.plugins.module_utils.survey import _survey
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy import _assessment, _posture, _verdicts
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report import _markdown, _model, _remedy
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart import _plan, _restarting

CHECKOUT = Path(__file__).parent.parent.parent
TODAY = datetime.date(2026, 11, 23)
DISK = ("disabled", "enabled", "unresolvable")
RUNNING = ("disabled", "enabled", "mixed", "not_running", "unknown")
WAIVERS = {None: None, "valid": "2026-12-31", "expired": "2026-10-31"}
WORST = (rules.BAD, rules.OPEN, rules.OK, "")


def entry(on_disk: str, next_start: str, running: str) -> dict[str, Any]:
    """An installation of the state document."""
    return {
        "name": "cm",
        "service": "cm.service",
        "product": "controller",
        "declarations": [],
        "launch": {"file": "/etc/default/cm", "variable": "JAVA_ARGS"},
        "on_disk": on_disk,
        "on_disk_detail": {"reason": "why"},
        "next_start": next_start,
        "next_start_detail": {"reason": "why"},
        "running": running,
        "running_detail": {"reason": "why"},
    }


class Readers:
    """What each reader says of one state under one policy."""

    def __init__(self, state: dict[str, Any], desired: str, connectivity: str, waiver: str | None = None) -> None:
        self.state, self.desired = state, desired
        names: dict[str, Any] = {
            "telemetry_desired": desired,
            "telemetry_connectivity": connectivity,
            "telemetry_restart": "now",
        }
        self.bare = _assessment.assess(state, _assessment.policy_of(names), TODAY)
        if waiver:
            names["telemetry_waiver"] = {"until": waiver, "reason": "x", "approved_by": "y"}
        self.policy = policy = _assessment.policy_of(names)
        self.judged = _assessment.assess(state, policy, TODAY)
        self.again = _assessment.rejudge(
            {"policy": policy.document(), "state": state, "error": None, "verdict": self.judged.verdict}, TODAY
        )
        self.host = _model.Host(
            {
                "host": "h",
                "verdict": self.judged.verdict,
                "reasons": self.judged.reasons,
                "warnings": [],
                "policy": policy.document(),
                "state": state,
            }
        )
        self.cells = [
            *(_model.clock(self.host, name).mark for name in _model.CLOCKS),
            _model.connectivity(self.host).mark,
        ]
        self.worst_cell = min(self.cells, key=WORST.index)
        self.steps = [step.words for step in _remedy.steps(self.host, "hosts.yml")]
        self.posture = _posture.posture(state)
        self.egress = rules.egress_of(state["connectivity"])

    def of_restarts(self) -> None:
        """Ask those too who say what is to be edited, reloaded and restarted."""
        state, desired = self.state, self.desired
        edits = [
            {"path": "/etc/default/cm", "before": "a", "after": "b", "backup": None}
            for found in state["installations"]
            if found["on_disk"] in {*rules.KNOWN} - {desired}
        ]
        reload = any(found["on_disk"] != found["next_start"] for found in state["installations"])
        plan = _plan.entry_of(
            "h",
            self.policy,
            TODAY,
            {
                "files": edits,
                "reload_required": reload,
                "state": state,
                "diff": [{"before_header": edit["path"], "before": "", "after": "line 8: x"} for edit in edits],
            },
            (),
            True,
        )
        self.planned, self.planned_reload = plan["restarts"] + plan["restarts_owed"], plan["reload"]
        self.restarted = [found["service"] for found in _restarting.owing(state, desired)]
        self.required = _declare._owing(
            _survey.Survey([surveyed(found) for found in state["installations"]], [], {}, HostFiles()), desired, []
        )

    def in_common(self) -> None:
        """What holds whatever was found."""
        level = rules.LEVELS[self.bare.verdict]
        assert self.worst_cell in (level, ""), (self.worst_cell, self.bare)
        assert self.again == self.judged, "an audit, a replay and a verification judge alike"
        covered = {True: _verdicts.EXCUSED, False: _verdicts.BROKEN}
        camp = _verdicts.BY_NAME[self.judged.verdict].camp
        if level != rules.OK and self.host.waiver:
            assert camp == covered[self.host.waiver["until"] > TODAY.isoformat()]
        else:
            assert self.judged.verdict == self.bare.verdict
        settled = self.judged.verdict in _verdicts.SETTLED
        assert settled == (not self.steps) == (_verdicts.BY_NAME[self.judged.verdict].exit_code == 0)
        assert settled or self.judged.reasons, "whoever must act is told why"
        assert _model.waiver(self.host).mark == (
            "" if not self.host.waiver else "bad" if self.judged.verdict == "waiver_expired" else "open"
        )

    def in_a_report(self) -> None:
        """Whether its details are shown, too."""
        settled = self.judged.verdict in _verdicts.SETTLED
        assert settled == (_markdown.render(_model.Report("2026-11-23T00:00:00Z", [self.host])).count("<details>") == 0)


def surveyed(found: dict[str, Any]) -> _survey.Entry:
    """An installation as the host itself has it before it makes a document of it."""

    def outcome(verdict: str) -> _outcome.Outcome:
        return _outcome.Outcome(verdict, None, None, None, (), (), None, (), ())

    definition = _definition.Definition(found["name"], found["service"], (), {}, False)
    return _survey.Entry(
        definition, outcome(found["on_disk"]), None, outcome(found["next_start"]), None, (), found["running"], None
    )


@pytest.mark.parametrize("desired", rules.KNOWN)
@pytest.mark.parametrize("waiver", WAIVERS)
@pytest.mark.parametrize("disk", DISK)
def test_all_readers_of_the_clocks_agree(desired: str, waiver: str | None, disk: str) -> None:
    for clocks in itertools.product([disk], DISK, RUNNING):
        on_disk, next_start, running = clocks
        said = Readers({"installations": [entry(*clocks)], "connectivity": []}, desired, "ignored", WAIVERS[waiver])
        said.of_restarts()
        said.in_common()
        said.in_a_report()
        assert said.worst_cell == rules.LEVELS[said.bare.verdict], (clocks, said.cells)
        runs_another = running == "mixed" or (running in rules.KNOWN and running != desired)
        right, loaded = on_disk == desired, next_start == desired
        # Who owes a restart: the host itself, the plan, the action that restarts, the report, the reasons.
        assert said.required == (["cm.service"] if right and runs_another else []), clocks
        assert said.planned == (["cm.service"] if on_disk != "unresolvable" and runs_another else []), clocks
        assert said.restarted == (said.required if loaded else []), clocks
        told = [reason for reason in said.bare.reasons if "restart of cm.service" in reason]
        assert bool(told) == (right and next_start in rules.KNOWN and runs_another), (clocks, said.bare)
        if said.steps:
            assert any("estart" in words for words in said.steps) == (said.required != []), (clocks, said.steps)
            assert ("Restart cm now" in said.steps) == bool(told), (clocks, said.steps)
            assert any(words.startswith("Put the flag") for words in said.steps) == (said.cells[0] == "bad"), clocks
            reloads = any(words.startswith("Load the unit") for words in said.steps)
            assert (
                reloads
                == (right and said.cells[1] == "bad")
                == any("daemon-reload" in reason for reason in said.bare.reasons)
            ), clocks
            assert not reloads or said.planned_reload
        if said.bare.verdict == "restart_pending":
            assert right and next_start in rules.KNOWN and (said.required or not loaded), clocks
        # What runs otherwise is marked, unless nobody knows what a restart would start.
        assert (said.cells[2] == "bad") == (runs_another and not (right and next_start == "unresolvable")), clocks
        assert said.posture is not None
        off = "off" if desired == "disabled" else "on"
        assert not said.posture.startswith(f"Telemetry is {off} in the files and in what runs") or (
            right and running == desired
        ), clocks


def answer(outcome: str, trusts: tuple[bool | None, ...], samples: tuple[str, ...], via: str) -> dict[str, Any]:
    """An answer of the probe, as evidence has it."""
    return {
        "target": "api.segment.io:443",
        "via": via,
        "outcome": outcome,
        "message": f"{outcome} was seen",
        "findings": [],
        "samples": {"outcomes": dict.fromkeys(samples, 1)} if samples else None,
        "java": [{"store": "/cacerts", "trusted": trusted, "reason": None} for trusted in trusts],
    }


TRUSTS: list[tuple[bool | None, ...]] = [(), (True,), (False,), (None,), (True, False)]


def answers(outcome: str, via: str = "direct", trusts: list[tuple[bool | None, ...]] = TRUSTS) -> list[dict[str, Any]]:
    """All answers with an outcome: alone, or of several attempts of which another one went well, or ended otherwise."""
    return [
        answer(outcome, trust, samples, via)
        for trust in trusts
        for samples in ((), (outcome, "connected"), (outcome, "timeout"), (outcome, "unknown"))
    ]


def check_answers(found: list[dict[str, Any]], wanted: str, waiver: str | None) -> None:
    """Whoever tells of these answers tells the same."""
    said = Readers(
        {"installations": [entry("disabled", "disabled", "disabled")], "connectivity": found},
        "disabled",
        wanted,
        WAIVERS[waiver],
    )
    said.in_common()
    case, cell = (found, said.bare, said.cells, said.steps), said.cells[3]
    assert cell == rules.LEVELS[said.bare.verdict], case
    assert not said.steps or cell != "bad" or any("probe again" in words for words in said.steps), case
    assert cell != "ok" or not any("probe again" in words for words in said.steps), case
    seen = [
        (
            set((one["samples"] or {"outcomes": [one["outcome"]]})["outcomes"]),
            [store["trusted"] for store in one["java"]],
        )
        for one in found
    ]
    if wanted == "forbidden":
        # Nothing that got through is called blocked, and nothing that is in doubt is.
        assert (said.egress == "blocked") == (said.bare.verdict == "compliant"), case
        assert said.egress not in ("open", "proxy_only") or said.bare.verdict == "violation", case
        through = any("connected" in outcomes or True in trusts for outcomes, trusts in seen)
        assert through == (said.bare.verdict == "violation"), case
        assert sum("is forbidden, but" in reason for reason in said.bare.reasons) == sum(
            "connected" in outcomes or True in trusts for outcomes, trusts in seen
        ), case
    else:
        well = [outcomes == {"connected"} and False not in trusts for outcomes, trusts in seen]
        assert all(well) == (said.bare.verdict == "compliant"), case
        assert said.bare.verdict != "compliant" or said.egress in ("open", "proxy_only"), case
        unknown = any("unknown" in outcomes for outcomes, _trusts in seen)
        assert (said.bare.verdict == "violation") == (not any(well) and not unknown), case
        assert said.egress != "blocked" or said.bare.verdict == "violation", case


@pytest.mark.parametrize("wanted", ["required", "forbidden"])
@pytest.mark.parametrize("outcome", _outcomes.OUTCOMES)
def test_all_readers_of_the_answers_agree(outcome: str, wanted: str) -> None:
    for waiver, found in itertools.product(WAIVERS, answers(outcome)):
        check_answers([found], wanted, waiver)
    one, other = answers(outcome, trusts=[(), (False,)]), ("connected", "timeout", "tls_untrusted", "unknown")
    for first, second in itertools.product(one, other):
        for trust in ((), (True,)):
            for pair in (
                [first, answer(second, trust, (), "proxy.example.org:3128")],
                [answer(second, trust, (), "direct"), {**first, "via": "proxy.example.org:3128"}],
            ):
                check_answers(pair, wanted, None)


def test_a_service_is_not_restarted_because_it_could_not_be_asked() -> None:
    """A handler goes by restart_required: a controller whose JVM does not answer is healthy for all that is known."""
    for running, required in (
        ("unknown", []),
        ("not_running", []),
        ("disabled", []),
        ("enabled", ["cm.service"]),
        ("mixed", ["cm.service"]),
    ):
        survey = _survey.Survey([surveyed(entry("disabled", "disabled", running))], [], {}, HostFiles())
        assert _declare._owing(survey, "disabled", []) == required, running
        assert _declare._owing(survey, "disabled", ["another"]) == []


def test_what_nobody_judges_has_no_mark() -> None:
    """Where the policy leaves a host alone, or nothing is installed, what the probe saw is shown and no more."""
    found = [answer("connected", (), (), "direct")]
    for state, desired in (
        ({"installations": [entry("enabled", "enabled", "enabled")], "connectivity": found}, "unmanaged"),
        ({"installations": [], "connectivity": found}, "disabled"),
    ):
        said = Readers(state, desired, "forbidden")
        assert said.bare.verdict == "not_applicable" and set(said.cells) == {""}
        assert _model.connectivity(said.host).text == "connected"


def test_the_worst_of_several_installations_is_shown() -> None:
    state = {
        "installations": [
            entry("disabled", "disabled", "disabled"),
            entry("disabled", "disabled", "unknown"),
            entry("disabled", "disabled", "enabled"),
        ],
        "connectivity": [],
    }
    said = Readers(state, "disabled", "required")
    assert said.cells == ["ok", "ok", "bad", "open"] and said.bare.verdict == "restart_pending"


# -- the tables -------------------------------------------------------------------------------------


def test_what_findings_make_of_a_host_is_a_verdict_of_that_level() -> None:
    assert {name: _verdicts.BY_NAME[name].level for name in rules.LEVELS} == rules.LEVELS
    ranks = [(_verdicts.VERDICTS.index(name), WORST.index(level)) for name, level in rules.LEVELS.items()]
    assert [level for _rank, level in sorted(ranks)] == sorted(level for _rank, level in ranks)


def test_each_verdict_has_a_look_of_its_own() -> None:
    for column in ("name", "meaning", "symbol", "drawing", "light", "dark"):
        assert len({getattr(one, column) for one in _verdicts.TABLE}) == len(_verdicts.TABLE), column
    for one in _verdicts.TABLE:
        assert bool(one.sarif) == bool(one.remedy) == (one.camp not in (_verdicts.MET, _verdicts.IDLE))
        assert not one.fails or one.exit_code


def test_the_exit_codes_of_the_table_are_those_of_the_script() -> None:
    broken = {one.name for one in _verdicts.TABLE if one.exit_code == 2}
    for name in ("scripts/audit", "docs/evidence.md"):
        found = re.search(r'\^    "\(([a-z_|]+)\)": \[1-9\]', (CHECKOUT / name).read_text())
        assert found and set(found[1].split("|")) == broken, name
    assert {one.exit_code for one in _verdicts.TABLE if one.fails} == {2, 3}


def test_what_fails_a_run_is_the_same_wherever_it_is_written() -> None:
    spec = yaml.safe_load((CHECKOUT / "roles/telemetry/meta/argument_specs.yml").read_text())
    role = spec["argument_specs"]["main"]["options"]["telemetry_fail_on"]
    modules = yaml.safe_load(ModuleDocFragment.GATES)["options"]["fail_on"]
    defaults = yaml.safe_load((CHECKOUT / "roles/telemetry/defaults/main.yml").read_text())
    for option in (role, modules):
        assert option["choices"] == list(_verdicts.GATES)
        assert option["default"] == defaults["telemetry_fail_on"] == list(_verdicts.FAIL_ON)


def test_a_new_verdict_is_put_into_few_files() -> None:
    """What names one: the table, the rules, the schemas, the options. What else there is goes by them."""
    folders = ("plugins", "roles", "playbooks", "scripts", "docs/schema")
    naming = sorted(
        str(path.relative_to(CHECKOUT))
        for folder in folders
        for path in (CHECKOUT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and re.search(r"\bnot_applicable\b", path.read_text())
    )
    assert len(naming) <= 9, naming


def test_the_page_of_the_probe_names_each_outcome_as_the_table_does() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| (.*?) \| (?:`(\w+)`|neither) \|$", (CHECKOUT / "docs/probe.md").read_text(), re.MULTILINE
    )
    assert [(name, meaning.replace("`", ""), camp or _outcomes.NEITHER) for name, meaning, camp in rows] == [
        tuple(one) for one in _outcomes.TABLE
    ]

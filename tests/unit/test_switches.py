"""Properties that are policy beside the flag: what the inventory may say, findings, verdicts, waivers, evidence."""

from __future__ import annotations

import datetime
import itertools
from pathlib import Path
from typing import Any

import pytest
from test_clocks import by_the_page, entry
from test_foresight import Tally
from test_services import Host as ServicesHost
from test_services import entry as service_entry

from ansible_collections.cbops.telemetry.plugins.module_utils.rules import _findings as rules
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._carrier import Known, program
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._filing import Circumstances, question
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy import _senders as senders
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import (
    Policy,
    PolicyError,
    assess,
    policy_of,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._switches import from_documents, switches_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report import _manual
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._model import Host
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._remedy import steps
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart import _foresight as foresight
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart import _restarting
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart._plan import entry_of

TODAY = datetime.date(2026, 11, 23)
CORE, HAZELCAST, OWN = (
    "hudson.model.UsageStatistics.disabled",
    "hazelcast.phone.home.enabled",
    "com.example.phone.home",
)
VARIABLE = "HZ_PHONE_HOME_ENABLED"
PAGE = Path(__file__).parent.parent.parent / "docs/senders.md"


def policy(switches: Any, **more: Any) -> Policy:
    return policy_of({"telemetry_desired": "disabled", "telemetry_switches": switches, **more})


def environment(off: Any, desired: str = "disabled") -> dict[str, Any]:
    """A variable of the environment, as the inventory has it."""
    return {"desired": desired, "kind": "environment", **({} if off is None else {"off_value": off})}


def with_switch(name: str, off: str, *clocks: str, flag: str = "disabled") -> dict[str, Any]:
    """An installation that is right by the flag, with a switch."""
    on_disk, next_start, running = clocks
    found = {key: value for key, value in entry(on_disk, next_start, running).items() if key.endswith("_detail")}
    return {
        **entry(flag, flag, flag),
        "switches": [
            {
                "name": name,
                "off_value": off,
                "on_disk": on_disk,
                "next_start": next_start,
                "running": running,
                "processes": [],
                "declarations": [],
                **({"kind": "environment"} if name == VARIABLE else {}),
                **found,
            }
        ],
    }


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (None, []),
        ({}, []),
        ({"core_telemetry": "disabled"}, [(CORE, "disabled", "true")]),
        ({"core_telemetry": "disabled", "core_usage_statistics": "disabled"}, [(CORE, "disabled", "true")]),
        ({"hazelcast_phone_home": {"desired": "enabled"}}, [(HAZELCAST, "enabled", "false")]),
        ({HAZELCAST: "disabled"}, [(HAZELCAST, "disabled", "false")]),
        ({OWN: {"desired": "disabled", "off_value": False}}, [(OWN, "disabled", "false")]),
        ({OWN: {"desired": "disabled", "off_value": "true"}}, [(OWN, "disabled", "true")]),
        ({OWN: {"desired": "unmanaged", "off_value": "true"}}, []),
        ({"hazelcast_phone_home": {"desired": "disabled", "kind": "property"}}, [(HAZELCAST, "disabled", "false")]),
        ({"hazelcast_phone_home": {"desired": "disabled", "kind": "environment"}}, [(VARIABLE, "disabled", "false")]),
        ({VARIABLE: "enabled"}, [(VARIABLE, "enabled", "false")]),
        ({VARIABLE: {"desired": "disabled", "off_value": False}}, [(VARIABLE, "disabled", "false")]),
        ({"ACME_SEND": environment("no")}, [("ACME_SEND", "disabled", "no")]),
        ({"ACME_SEND": environment(0)}, [("ACME_SEND", "disabled", "0")]),
        (
            {VARIABLE: "disabled", "hazelcast_phone_home": "disabled"},
            [(VARIABLE, "disabled", "false"), (HAZELCAST, "disabled", "false")],
        ),
    ],
)
def test_what_may_be_said(value: Any, found: list[tuple[str, str, str]]) -> None:
    assert [(one.name, one.desired, one.off_value) for one in switches_of(value)] == found


@pytest.mark.parametrize(
    "value",
    [
        {VARIABLE: {"desired": "disabled", "kind": "property", "off_value": "true"}},
        {VARIABLE: "disabled", "ACME_SEND": environment("no"), "ACME": {"desired": "enabled", "off_value": "true"}},
        {"hazelcast_phone_home": "disabled", "core_telemetry": "enabled"},
    ],
)
def test_evidence_gives_the_same_policy(value: Any) -> None:
    wanted = switches_of(value)
    assert from_documents(one.document() for one in wanted) == wanted


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (["core_telemetry"], "must be a mapping"),
        ("disabled", "must be a mapping"),
        ({"core_telemetry": "off"}, "may be disabled, enabled"),
        ({"core_telemetry": False}, "may be disabled, enabled"),
        ({"core_telemetry": "disabled", "core_usage_statistics": "enabled"}, "two of its keys"),
        ({"analytics_plugin": "disabled"}, "telemetry_desired"),
        ({"com.cloudbees.analytics.gatherer.Sender.disabled": "enabled"}, "telemetry_desired"),
        ({"license_tracker": "disabled"}, "no property that turns it off"),
        ({OWN: "disabled"}, "off_value"),
        ({OWN: {"desired": "disabled", "off_value": "no"}}, "off_value"),
        ({HAZELCAST: {"desired": "disabled", "off_value": "true"}}, "sends nothing where it is false"),
        ({"a b": {"desired": "disabled", "off_value": "true"}}, "nor the name of a property"),
        ({"-Da.b": {"desired": "disabled", "off_value": "true"}}, "nor the name of a property"),
        ({OWN: {"desired": "disabled", "off_value": "true", "more": 1}}, "and not more"),
        ({"ACME_SEND": environment(False)}, "must have its off_value in quotes"),
        ({"ACME_SEND": environment("never")}, "must say with which value nothing is sent"),
        ({"ACME_SEND": environment(None)}, "must say with which value nothing is sent"),
        ({"ACME_SEND": environment(["0"])}, "must say with which value nothing is sent"),
        ({"JAVA_TOOL_OPTIONS": environment("0")}, "nor the name of a variable of the environment"),
        ({"acme.send": environment("0")}, "nor the name of a variable of the environment"),
        ({"core_telemetry": environment("0")}, "has no variable of the environment"),
        ({VARIABLE: environment("true")}, "sends nothing where it is false"),
        ({OWN: {"desired": "disabled", "off_value": "true", "kind": "env"}}, "it may be property, environment"),
        ({VARIABLE: "disabled", "hazelcast_phone_home": "enabled"}, "cannot be enabled where HZ_PHONE_HOME_ENABLED"),
        ({VARIABLE: "disabled", "hazelcast_phone_home": environment(None, "enabled")}, "two of its keys"),
        ({f"a.b{number}": {"desired": "disabled", "off_value": "true"} for number in range(21)}, "may have 20"),
    ],
)
def test_what_may_not_be_said(value: Any, words: str) -> None:
    with pytest.raises(PolicyError, match="telemetry_switches: .*" + words):
        policy(value)


@pytest.mark.parametrize(("name", "off"), [(CORE, "true"), (HAZELCAST, "false"), (VARIABLE, "false")])
@pytest.mark.parametrize("desired", ["disabled", "enabled"])
def test_the_clocks_of_a_switch_have_the_verdicts_of_the_flags(name: str, off: str, desired: str) -> None:
    wanted = policy({name: desired})
    for clocks in itertools.product(
        ("disabled", "enabled", "unresolvable"),
        ("disabled", "enabled", "unresolvable"),
        ("disabled", "enabled", "mixed", "not_running", "unknown"),
    ):
        result = assess({"installations": [with_switch(name, off, *clocks)]}, wanted, TODAY)
        assert result.verdict == by_the_page(desired, *clocks)
        assert all(_manual.entry_of(reason) for reason in result.reasons)
        if result.verdict != "compliant":
            assert any(wanted.switches[0].words in reason for reason in result.reasons)


def test_a_finding_of_a_switch_is_none_of_the_flags_clocks() -> None:
    found = with_switch(HAZELCAST, "false", "enabled", "enabled", "enabled")
    groups = rules.of_host(
        {"installations": [found]},
        "disabled",
        "ignored",
        switches=[one._asdict() for one in policy({HAZELCAST: "disabled"}).switches],
    )
    assert [[one.about for one in group] for group in groups] == [list(rules.CLOCKS), [rules.SWITCHES] * 3]
    said = groups[1][0].sentence
    assert said.startswith("cm: -Dhazelcast.phone.home.enabled=false is not in JAVA_ARGS in /etc/default/cm")
    assert "Hazelcast" in said


def test_what_is_said_of_a_variable() -> None:
    wanted = policy({VARIABLE: "disabled", HAZELCAST: "disabled"})
    found = with_switch(VARIABLE, "false", "enabled", "enabled", "enabled")
    result = assess({"installations": [found]}, wanted, TODAY)
    (said,) = [reason for reason in result.reasons if VARIABLE in reason]
    assert said.startswith(f"cm: {VARIABLE}=false is not in the environment of its next start; run enforce")
    assert "Hazelcast" in said and _manual.entry_of(said) == "flag-not-as-wanted"
    assert result.verdict == "violation"
    assert any("was not looked at" in reason for reason in result.reasons), "the property is another switch"
    assert [row[0] for row in senders.switches(found)] == [f"{VARIABLE}=false"]
    again = Policy.from_document(wanted.document())
    assert again.switches == wanted.switches and {one.kind for one in again.switches} == {"", "environment"}
    assert question({"telemetry_desired": "disabled", "telemetry_switches": {VARIABLE: "disabled"}})["senders"] == {
        "switches": [{"name": VARIABLE, "off_value": "false", "kind": "environment"}],
        "threads": False,
    }
    assert wanted.edits()["switches"][0] == {
        "name": VARIABLE, "off_value": "false", "kind": "environment", "state": "disabled", "variable": "",
    }  # fmt: skip
    by_hand = with_switch(VARIABLE, "false", "disabled", "disabled", "disabled")
    by_hand["switches"][0]["on_disk_detail"] = {"file": "/etc/default/cm", "line": 3}
    result = assess({"installations": [by_hand]}, policy({VARIABLE: "enabled"}), TODAY)
    assert result.reasons[0].startswith("cm: /etc/default/cm:3 turns Hazelcast's phone home off; run enforce")


def test_a_state_without_it_is_unknown_and_the_default_is_the_one_flag() -> None:
    state = {"installations": [entry("disabled", "disabled", "disabled")]}
    assert assess(state, policy(None), TODAY).verdict == "compliant"
    result = assess(state, policy({HAZELCAST: "disabled"}), TODAY)
    assert result.verdict == "unknown" and "was not looked at" in result.reasons[0]
    other = {"installations": [with_switch(HAZELCAST, "true", "disabled", "disabled", "disabled")]}
    assert assess(other, policy({HAZELCAST: "disabled"}), TODAY).verdict == "unknown", "another polarity"
    assert (
        assess(state, policy({HAZELCAST: "disabled"}, telemetry_desired="unmanaged"), TODAY).verdict == "not_applicable"
    )


def test_a_waiver_covers_it_and_evidence_keeps_it() -> None:
    waiver = {"until": "2026-12-31", "reason": "x", "approved_by": "y"}
    wanted = policy({HAZELCAST: "disabled"}, telemetry_waiver=waiver)
    state = {"installations": [with_switch(HAZELCAST, "false", "enabled", "enabled", "enabled")]}
    assert assess(state, wanted, TODAY).verdict == "waived"
    again = Policy.from_document(wanted.document())
    assert again.switches == wanted.switches and assess(state, again, TODAY).verdict == "waived"
    assert "switches" not in policy(None).document(), "evidence of before looks the same"


def test_a_host_is_asked_only_for_what_somebody_wants_to_know() -> None:
    plain = {"telemetry_desired": "disabled"}
    assert "senders" not in question(plain)
    assert "senders" not in question({**plain, "telemetry_senders": "false", "telemetry_threads": False})
    asked = question({**plain, "telemetry_switches": {OWN: {"desired": "disabled", "off_value": "false"}}})
    assert asked["senders"] == {"switches": [{"name": OWN, "off_value": "false"}], "threads": False}
    assert question({**plain, "telemetry_threads": "yes"})["senders"] == {"switches": [], "threads": True}


def test_the_page_is_what_the_table_says() -> None:
    assert PAGE.read_text().endswith("\n\n" + senders.page()), "put the text of _senders.page() at its end"


def test_one_line_says_what_the_flag_does_not_cover() -> None:
    def one(name: str, state: str, covered: bool | None = False) -> dict[str, Any]:
        return {"name": name, "presence": "present", "version": None, "state": state, "proof": "x", "covered": covered}

    found: Any = {
        "name": "cm",
        "senders": [
            one("analytics_plugin", "on", True),
            one("license_tracker", "unknown", None),
            one("core_telemetry", "on"),
            one("unify", "absent"),
            one("core_usage_statistics", "off"),
        ],
        "segment_threads": [
            {"pid": 1, "analytics_plugin": 2, "others": 1},
            {"pid": 2, "analytics_plugin": 0, "others": 0},
            {"pid": 3, "reason": "the JVM was not asked"},
        ],
    }
    lines = senders.notes([found])
    assert lines[:2] == [
        "cm: note: the flag does not cover: core's telemetry (JEP-214) on",
        "cm: note: whether the flag covers it is not known: the license tracker unknown",
    ]
    assert [line.rpartition("process ")[2] for line in lines[2:]] == [
        "1: seen 2; of others: seen 1",
        "2: not seen",
        "3: not counted: the JVM was not asked",
    ]
    assert all(_manual.entry_of(line) == "other-senders" for line in lines)
    assert [row[2] for row in senders.rows(found)] == ["on", "unknown", "on", "absent", "off"]


def test_what_mends_it() -> None:
    def host(*clocks: str) -> Host:
        wanted = policy({HAZELCAST: "disabled"})
        state: Any = {"installations": [with_switch(HAZELCAST, "false", *clocks)], "connectivity": [], "warnings": []}
        document: Any = {
            "host": "a",
            "policy": wanted.document(),
            "state": state,
            "verdict": "violation",
            "reasons": [],
        }
        return Host(document)

    enforce = [step for step in steps(host("enabled", "enabled", "enabled"), "INV") if "properties" in step.words]
    assert len(enforce) == 1 and "cbops.telemetry.enforce" in enforce[0].command
    restart = [step.command for step in steps(host("disabled", "disabled", "enabled"), "INV")]
    assert "systemctl restart cm.service" in restart
    assert [
        command for command in restart if "cbops.telemetry.enforce" in command and "telemetry_restart=now" in command
    ]


# -- restarts that another property alone owes --------------------------------------------------------


def as_rules(switches: Any) -> list[dict[str, str]]:
    return [one._asdict() for one in policy(switches).switches]


@pytest.mark.parametrize(
    ("flag", "clocks", "helps"),
    [
        (("disabled", "disabled", "disabled"), ("disabled", "disabled", "enabled"), True),
        (("disabled", "disabled", "disabled"), ("disabled", "disabled", "mixed"), True),
        (("disabled", "disabled", "disabled"), ("disabled", "disabled", "disabled"), False),
        (("disabled", "disabled", "disabled"), ("disabled", "disabled", "unknown"), False),
        (("disabled", "disabled", "disabled"), ("disabled", "disabled", "not_running"), False),
        (("disabled", "disabled", "disabled"), ("enabled", "enabled", "enabled"), False),
        (("disabled", "disabled", "disabled"), ("disabled", "enabled", "enabled"), False),  # a reload is owed first
        (("disabled", "disabled", "enabled"), ("enabled", "enabled", "enabled"), True),  # as for the flag alone
        (("enabled", "enabled", "enabled"), ("disabled", "disabled", "enabled"), True),
        # What is right now, or not known, must not be lost by a restart.
        (("enabled", "enabled", "disabled"), ("disabled", "disabled", "enabled"), False),
        (("enabled", "enabled", "unknown"), ("disabled", "disabled", "enabled"), False),
        (("enabled", "enabled", "mixed"), ("disabled", "disabled", "enabled"), False),
        (("disabled", "disabled", "enabled"), ("enabled", "enabled", "disabled"), False),
        (("disabled", "disabled", "enabled"), ("unresolvable", "unresolvable", "unknown"), False),
    ],
)
def test_when_a_restart_helps(flag: tuple[str, ...], clocks: tuple[str, ...], helps: bool) -> None:
    found = with_switch(HAZELCAST, "false", *clocks)
    found.update(zip(("on_disk", "next_start", "running"), flag, strict=True))
    assert rules.restart_helps(found, "disabled", as_rules({HAZELCAST: "disabled"})) is helps


def test_what_nobody_looked_at_owes_nothing_and_stops_nothing() -> None:
    found = entry("disabled", "disabled", "enabled")
    assert rules.restart_helps(found, "disabled", as_rules({HAZELCAST: "disabled"}))
    found = with_switch(HAZELCAST, "false", "disabled", "disabled", "enabled")
    assert not rules.restart_helps(found, "disabled"), "it is no policy"
    assert rules.owed_after_edit(found, "disabled") == ()
    assert rules.owed_after_edit(found, "disabled", as_rules({HAZELCAST: "disabled"})) == (rules.RESTART,)


@pytest.mark.parametrize("after", ["disabled", "enabled", "unknown", "mixed"])
def test_a_new_jvm_has_what_its_next_start_promised(after: str) -> None:
    wanted = as_rules({HAZELCAST: "disabled"})
    before = with_switch(HAZELCAST, "false", "disabled", "disabled", "enabled")
    now = with_switch(HAZELCAST, "false", "disabled", "disabled", after)
    assert rules.is_reached(before, now, "disabled", wanted) is (after == "disabled")
    refused = with_switch(HAZELCAST, "false", "enabled", "enabled", "enabled")
    assert rules.is_reached(refused, now, "disabled", wanted), "nobody promised it"
    assert not rules.is_reached(before, entry("disabled", "disabled", "disabled"), "disabled", wanted), "not looked at"


def flag_answer(*clocks: str, edits: bool = False) -> dict[str, Any]:
    """What telemetry_flag says of a host on which the flag is right."""
    one = {"path": "/etc/default/cm", "before": "a", "after": "b", "backup": None, "flag": False}
    diff = {"before_header": one["path"], "before": "", "after": "line 8: ... -Da=false ...\n"}
    return {
        "changed": edits,
        "files": [one] if edits else [],
        "diff": [diff] if edits else [],
        "notes": [],
        "refused": [],
        "reload_required": False,
        "state": {"installations": [with_switch(HAZELCAST, "false", *clocks)]},
    }


def test_plan_and_enforce_see_the_debt() -> None:
    wanted = policy({HAZELCAST: "disabled"}, telemetry_restart="now")
    planned = entry_of("cm1", wanted, TODAY, flag_answer("disabled", "disabled", "enabled"), (), True)
    assert (planned["restarts"], planned["restarts_owed"]) == (["cm.service"], [])
    planned = entry_of("cm1", wanted, TODAY, flag_answer("enabled", "enabled", "enabled", edits=True), (), True)
    assert (len(planned["edits"]), planned["restarts"]) == (1, ["cm.service"])
    never = policy({HAZELCAST: "disabled"})
    planned = entry_of("cm1", never, TODAY, flag_answer("disabled", "disabled", "enabled"), (), True)
    assert (planned["restarts"], planned["restarts_owed"]) == ([], ["cm.service"])
    planned = entry_of("cm1", policy(None), TODAY, flag_answer("disabled", "disabled", "enabled"), (), True)
    assert (planned["restarts"], planned["restarts_owed"]) == ([], []), "it is no policy"

    settings = {
        "telemetry_desired": "disabled",
        "telemetry_connectivity": "ignored",
        "telemetry_restart": "now",
        "telemetry_switches": {HAZELCAST: "disabled"},
    }
    tally = Tally()
    enforcing = foresight.Enforcing(tally, False)
    errand = enforcing.errand("cm1", settings, Circumstances())
    assert errand is not None and errand.params["switches"][0]["name"] == HAZELCAST
    known = Known("cm1", settings, Circumstances(), errand)
    assert enforcing.answered(known, flag_answer("disabled", "disabled", "enabled")) is None
    assert tally.left == {"cm1": "it owes a restart"}
    assert len(program("telemetry_flag", {"params": errand.params})) > len(
        program("telemetry_flag", {"params": {**errand.params, "switches": []}})
    )


class Restarted(ServicesHost):
    """A host whose restarts give a JVM that has the property, or not."""

    gives = "disabled"

    def _restart(self, service: Any) -> str | None:
        problem = super()._restart(service)
        for one in self.entries:
            one["switches"][0]["running"] = self.gives
        return problem

    def restarted(self) -> dict[str, Any]:
        before = self._state()
        return self.restart_services(self.owing(before, "disabled"), before, "disabled")


@pytest.mark.parametrize(("gives", "fails"), [("disabled", False), ("enabled", True)])
def test_it_is_restarted_and_must_come_back_with_the_property(
    gives: str, fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {
        **with_switch(HAZELCAST, "false", "disabled", "disabled", "enabled"),
        **service_entry("cm", running="disabled"),
    }
    wanted = [{"name": HAZELCAST, "state": "disabled", "off_value": "false", "variable": ""}]
    clock = [0.0]
    monkeypatch.setattr(_restarting.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(_restarting.time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    monkeypatch.setattr(_restarting.Budget, "spend", lambda _self, host: None)
    monkeypatch.setattr(_restarting.Budget, "failed", lambda _self: [])
    host = Restarted([found], switches=wanted)
    host.gives = gives
    result = host.restarted()
    assert result["restarted"] == ["cm.service"] and bool(result.get("failed")) is fails
    if fails:
        assert "and its other properties as the policy has them" in result["msg"]
    assert Restarted([found], switches=[]).restarted()["services"] == []

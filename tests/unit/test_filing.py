"""From a host's variables to what is asked and filed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import ansible.template
import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.cbops.telemetry.plugins.action import fleet_sweep
from ansible_collections.cbops.telemetry.plugins.action.fleet_sweep import Known, Preparation, Tally, _place
from ansible_collections.cbops.telemetry.plugins.plugin_utils._failures import words_of_ssh
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect import _sweep
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._carrier import Errand
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._filing import (
    Circumstances,
    circumstances_of,
    file_answer,
    question,
    settings_of,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._evidence import read_journal
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._run import RUN_ID
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import PolicyError


def test_what_can_be_a_template_is_treated_as_one_and_nothing_else() -> None:
    seen: list[Any] = []

    def template(value: Any) -> Any:
        seen.append(value)
        return "templated"

    variables = {
        "telemetry_desired": "{{ state }}",
        "telemetry_attach": "never",
        "telemetry_endpoint": {"host": "{{ a }}"},
        "telemetry_backup": True,
        "telemetry_probe_timeout": 5,
        "telemetry_plan": None,
        "secret": "{{ b }}",
        "telemetry_probe_via": ["{% if c %}direct{% endif %}"],
        "telemetry_url": "{# nothing #}",
    }
    assert settings_of(variables, template) == {
        "telemetry_desired": "templated",
        "telemetry_attach": "never",
        "telemetry_endpoint": "templated",
        "telemetry_backup": True,
        "telemetry_probe_timeout": 5,
        "telemetry_plan": None,
        "telemetry_probe_via": "templated",
        "telemetry_url": "templated",
    }
    assert seen == ["{{ state }}", {"host": "{{ a }}"}, ["{% if c %}direct{% endif %}"], "{# nothing #}"]


def test_a_variable_without_a_value_is_named(tmp_path: Path) -> None:
    """The host has evidence that says so, instead of a task that fails."""
    templar = Templar(loader=DataLoader(), variables={"good": "auto"})
    trusted = getattr(ansible.template, "trust_as_template", str)  # before ansible-core 2.19 all are
    settings = settings_of(
        {
            "telemetry_desired": "disabled",
            "telemetry_url": trusted("https://{{ nothing_here }}/"),
            "telemetry_attach": trusted("{{ good }}"),
        },
        templar.template,
    )
    assert settings["telemetry_attach"] == "auto"
    filed = file_answer("h", settings, {"failed": True, "msg": "it was not asked"}, tmp_path)
    assert filed["verdict"] == "unknown"
    (reason,) = filed["reasons"]
    assert reason.startswith("its policy is not valid: telemetry_url cannot be resolved: ")
    assert "nothing_here" in reason


def test_a_sweep_returns_what_the_audit_of_each_host_would(tmp_path: Path) -> None:
    """Its verdict and why, of hosts that meet their policy as of those that do not."""
    tally = Tally(2, tmp_path)
    answers = {
        "dead": {"unreachable": True, "msg": "No route to host"},
        "idle": {
            "state": {
                "schema": "cbops.telemetry/state/1",
                "host": {},
                "installations": [],
                "warnings": [],
                "connectivity": [],
            }
        },
    }
    settings = {"telemetry_desired": "disabled"}
    for host, answer in answers.items():
        tally.file(
            Known(host, settings, Circumstances(), Errand.of("cbops.telemetry.telemetry_info", {}, False)), answer
        )
    alone = {host: file_answer(host, settings, answer, tmp_path / "alone") for host, answer in answers.items()}
    assert tally.hosts == {
        host: {"verdict": result["verdict"], "reasons": result["reasons"]} for host, result in alone.items()
    }
    assert [result["verdict"] for result in alone.values()] == ["unreachable", "not_applicable"]
    assert all(result["reasons"] for result in alone.values())


def test_a_number_without_end_is_one_host_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it is that cannot be judged: the others have their verdicts, and so has it."""
    done = fleet_sweep.file_answer

    def judge(host: str, settings: dict[str, Any], answer: dict[str, Any], *more: Any) -> dict[str, Any]:
        int(answer.get("state", 0.0))
        return done(host, settings, answer, *more)

    monkeypatch.setattr(fleet_sweep, "file_answer", judge)
    errand = Errand.of("cbops.telemetry.telemetry_info", {}, False)
    known = Known("a", {"telemetry_desired": "disabled"}, Circumstances(), errand)
    tally = Tally(2, tmp_path)
    tally.file(known, {"state": float("inf")})
    assert tally.hosts["a"]["verdict"] == "unknown" and "(OverflowError)" in tally.hosts["a"]["reasons"][0]

    class Purpose:
        def answered(self, _known: Known, answer: dict[str, Any]) -> None:
            int(answer["rc"] * float("inf"))

    prepared = Preparation.__new__(Preparation)
    prepared._tally, prepared._purpose = tally, cast(Any, Purpose())
    prepared._known, prepared._begun = {"b": replace(known, host="b")}, {"b"}
    prepared.file(SimpleNamespace(host="b"), _sweep.Answer(1, "", "oops"))
    assert tally.unserved["b"] == "its answer could not be judged (OverflowError)"


def test_who_is_acted_on_under_another_name_is_looked_at_again(tmp_path: Path) -> None:
    """What was said of it is of before. Of another machine it stays, and where nobody says which it is."""
    tally = Tally(5, tmp_path)
    machines = {"one": "m1", "also-one": "m1", "edited": "m2", "also-edited": "m2", "other": "m3", "nameless": None}
    for host, machine in machines.items():
        tally.meet(host, {"state": {"host": {"machine": machine}}})
        tally.hosts[host] = {"verdict": "compliant", "reasons": []}
    tally.meet("odd", {"state": {"host": 5}})
    tally.leave("one", "it owes a restart")
    tally.edited["edited"] = ["/etc/default/cloudbees-core-cm"]
    tally.leave("never-asked", "it is held to a plan")
    tally.look_again()
    # Whoever edited it last, the other name has not seen it.
    assert set(tally.unserved) == {"one", "never-asked", "also-one", "edited", "also-edited"}


def test_two_names_that_were_both_edited_and_one_that_has_no_other(tmp_path: Path) -> None:
    tally = Tally(3, tmp_path)
    for host, machine in {"a": "m1", "b": "m1", "c": "m2"}.items():
        tally.meet(host, {"state": {"host": {"machine": machine}}})
        tally.hosts[host] = {"verdict": "compliant", "reasons": []}
        tally.edited[host] = ["/etc/default/cloudbees-core-cm"]
    tally.look_again()
    assert set(tally.unserved) == {"a", "b"}


def test_two_names_that_were_edited_of_a_machine_that_has_no_mark(tmp_path: Path) -> None:
    tally = Tally(3, tmp_path)
    for host, place in {"a": "10.0.0.5 22", "b": "10.0.0.5 22", "c": "10.0.0.6 22"}.items():
        tally.place(host, place)
        tally.meet(host, {"state": {"host": {"machine": None}}})
        tally.hosts[host] = {"verdict": "compliant", "reasons": []}
        tally.edited[host] = ["/etc/default/cloudbees-core-cm"]
    tally.look_again()
    assert set(tally.unserved) == {"a", "b"}


def test_a_verdict_that_was_too_early_does_not_stay(tmp_path: Path) -> None:
    """The run may end before the host is judged again; where it does not, nothing has drifted."""
    tally = Tally(2, tmp_path)
    tally.may_be_early = True
    state = {
        "schema": "cbops.telemetry/state/1",
        "host": {"machine": "m1"},
        "installations": [],
        "warnings": [],
        "connectivity": [],
    }
    settings = {"telemetry_desired": "disabled"}
    errand = Errand.of("cbops.telemetry.telemetry_info", {}, False)
    for host in ("a", "b"):
        tally.meet(host, {"state": state})
    tally.file(Known("a", settings, Circumstances(), errand), {"state": state})
    tally.leave("b", "it owes an edit")
    assert read_journal(tmp_path, RUN_ID)["a"]["verdict"] == "not_applicable"
    tally.look_again()
    assert set(tally.unserved) == {"a", "b"}
    filed = json.loads((tmp_path / "evidence" / "a.json").read_text())
    assert (filed["verdict"], filed["error"]) == ("unknown", "it has another name, under which it is acted on")
    assert {host: line["verdict"] for host, line in read_journal(tmp_path, RUN_ID).items()} == {"a": "unknown"}
    again = file_answer("a", settings, {"state": state}, tmp_path)
    assert (again["verdict"], again["drift"]) == ("not_applicable", None)


def test_who_has_not_said_which_machine_it_is_has_a_place(tmp_path: Path) -> None:
    """And whose other name is by that the one of a third."""
    tally = Tally(4, tmp_path)
    places = {"held": "10.0.0.5 22", "same": "10.0.0.5 22", "third": "cm1.example.org 22", "next": "10.0.0.5 2222"}
    for host, place in places.items():
        tally.place(host, place)
    for host, machine in {"same": "m1", "third": "m1", "next": "m2"}.items():
        tally.meet(host, {"state": {"host": {"machine": machine}}})
        tally.hosts[host] = {"verdict": "compliant", "reasons": []}
    tally.leave("held", "it is held to a plan")
    tally.look_again()
    assert set(tally.unserved) == {"held", "same", "third"}


@pytest.mark.parametrize(
    ("plugin", "variables", "place"),
    [
        ("ssh", {}, "cm1 22"),
        ("ssh", {"ansible_host": "CM1.example.org", "ansible_port": 2222}, "cm1.example.org 2222"),
        ("paramiko", {"ansible_host": "{{ address }}"}, "10.0.0.5 22"),
        ("ssh", {"ansible_host": "10.0.0.6", "ansible_ssh_host": "10.0.0.5", "ansible_ssh_port": "22"}, "10.0.0.5 22"),
        ("local", {"ansible_host": "10.0.0.5"}, "here"),
    ],
)
def test_where_a_host_is_connected_to(plugin: str, variables: dict[str, Any], place: str) -> None:
    assert _place(plugin, "cm1", variables, lambda _text: "10.0.0.5") == place


def test_an_edit_that_nobody_waits_for_any_more_is_recorded(tmp_path: Path) -> None:
    """Ctrl-C: the host may have been edited, or goes on to its end; what was only looked at is no matter."""
    tally = Tally(2, tmp_path)
    prepared = Preparation.__new__(Preparation)
    prepared._tally = tally
    flag = {"state": "disabled"}
    prepared._known = {
        host: Known(host, {}, Circumstances(), Errand.of("cbops.telemetry.telemetry_flag", flag, looks))
        for host, looks in (("edits", False), ("looks", True), ("waits", False))
    }
    prepared._begun = {"edits", "looks"}
    prepared.abandon()
    (record,) = (tmp_path / "changes").glob("*.jsonl")
    told = [entry for entry in map(json.loads, record.read_text().splitlines()) if entry["kind"] != "run"]
    assert [(entry["host"], entry["kind"], entry["state"]) for entry in told] == [("edits", "attempt", "disabled")]


def test_an_edit_that_may_have_begun_and_went_wrong_here_is_recorded(tmp_path: Path) -> None:
    """Where it is known that it had not, there is no attempt: that would account for what somebody else did."""
    tally = Tally(3, tmp_path)
    prepared = Preparation.__new__(Preparation)
    prepared._tally, prepared._begun = tally, set()
    kinds = {"begun": _sweep.Unsettled, "left": _sweep.Unserved, "looks": _sweep.Unsettled}
    prepared._known = {
        host: Known(
            host,
            {},
            Circumstances(),
            Errand.of("cbops.telemetry.telemetry_flag", {"state": "enabled"}, host == "looks"),
        )
        for host in kinds
    }
    for host, kind in kinds.items():
        assert prepared.file(SimpleNamespace(host=host), kind("it could not be asked: no")) is None
    assert set(tally.unserved) == {*kinds}
    (record,) = (tmp_path / "changes").glob("*.jsonl")
    told = [entry for entry in map(json.loads, record.read_text().splitlines()) if entry["kind"] != "run"]
    assert [(entry["host"], entry["kind"], entry["state"]) for entry in told] == [("begun", "attempt", "enabled")]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, Circumstances()),
        (
            {"__telemetry_restarted": {"skipped": True, "changed": False}, "__telemetry_policy": {"stopped": None}},
            Circumstances(),
        ),
        ({"__telemetry_error": "no", "__telemetry_edited": True}, Circumstances("no", "", True)),
        ({"__telemetry_restarted": {"changed": True, "deferred": ""}}, Circumstances()),
        (
            {
                "__telemetry_restarted": {"changed": False, "deferred": "busy"},
                "__telemetry_policy": {"stopped": "late"},
            },
            Circumstances("", "busy", False),
        ),
        (
            {"__telemetry_restarted": {"skipped": True}, "__telemetry_policy": {"stopped": "too many failures"}},
            Circumstances("", "too many failures", False),
        ),
    ],
)
def test_what_the_role_remembers_of_a_host(variables: dict[str, Any], expected: Circumstances) -> None:
    assert circumstances_of(variables) == expected


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (
            "Failed to connect to the host via ssh: ssh: connect to host a port 22: Connection refused",
            "ssh: connect to host a port 22: Connection refused",
        ),
        (
            'Data could not be sent to remote host "a". Make sure this host can be reached over ssh: no route',
            "no route",
        ),
        ("Failed to connect to the host via ssh: ", "Failed to connect to the host via ssh: "),
        ("its name is not known", "its name is not known"),
    ],
)
def test_the_words_are_those_of_ssh(message: str, words: str) -> None:
    assert words_of_ssh(message) == words


@pytest.mark.parametrize(("value", "asked"), [(None, None), ("never", None), ("disk", "disk"), ("served", "disk")])
def test_events_are_asked_for_where_the_inventory_says_so(value: str | None, asked: str | None) -> None:
    variables = {"telemetry_desired": "disabled", **({"telemetry_events": value} if value else {})}
    assert question(variables).get("events") == asked
    with pytest.raises(PolicyError, match="telemetry_events is 'always'"):
        question({"telemetry_desired": "disabled", "telemetry_events": "always"})

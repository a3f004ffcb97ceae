"""What is asked of a host and what becomes of its answer, at the edges: facts, folders, templates, hosts that answer nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible import constants as C
from ansible.errors import AnsibleActionFail, AnsibleError

from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect import _filing as filing
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._filing import Circumstances
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._changes import edits_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._run import RUN_ID

STATE: dict[str, Any] = {
    "schema": "cbops.telemetry/state/1",
    "host": {},
    "installations": [],
    "warnings": [],
    "connectivity": [],
}
INSTALLATION = {
    "name": "cm",
    "product": "controller",
    "packaging": "deb",
    "service": "cm.service",
    "on_disk": "disabled",
    "next_start": "disabled",
    "running": "enabled",
    "declarations": [],
    "processes": [],
}


def untouched(value: Any) -> Any:
    """No template is one."""
    return value


# -- the question -------------------------------------------------------------------------------------


def test_without_a_policy_of_its_own_a_host_is_asked_the_least() -> None:
    assert filing.question({"telemetry_desired": "disabled"}) == {"launch_scripts": [], "attach": "auto"}


def test_scripts_of_the_policy_and_of_templates_are_asked_for_once() -> None:
    asked = filing.question(
        {
            "telemetry_desired": "disabled",
            "telemetry_launch_scripts": ["/opt/b.sh", "/opt/a.sh"],
            "telemetry_launch_templates": [{"dest": "/opt/c.sh", "src": "x"}, {"dest": "/opt/b.sh", "src": "y"}],
            "telemetry_attach": "never",
        }
    )
    assert asked == {"launch_scripts": ["/opt/b.sh", "/opt/a.sh", "/opt/c.sh"], "attach": "never"}


def test_the_probe_is_asked_for_what_the_inventory_says_and_nothing_else() -> None:
    variables: dict[str, Any] = {
        "telemetry_desired": "enabled",
        "telemetry_endpoint": {"host": "a.example", "port": 8443, "other": 1},
        "telemetry_probe_timeout": 3,
        "telemetry_probe_via": ["direct"],
        "telemetry_probe_http": False,
        "telemetry_probe_count": 2,
        "telemetry_public_authorities": "/etc/authorities",
    }
    assert filing.question(variables)["connectivity"] == {
        "host": "a.example",
        "port": 8443,
        "timeout": 3,
        "via": ["direct"],
        "http": False,
        "count": 2,
        "public_authorities": "/etc/authorities",
    }
    unset = {**variables, "telemetry_endpoint": {"host": ""}, "telemetry_probe_timeout": ""}
    unset |= {"telemetry_probe_via": None, "telemetry_public_authorities": ""}
    assert filing.question(unset)["connectivity"] == {"http": False, "count": 2}
    assert filing.question({"telemetry_desired": "enabled"})["connectivity"] == {}
    assert "connectivity" not in filing.question({**variables, "telemetry_connectivity": "ignored"})
    assert "connectivity" in filing.question(
        {**variables, "telemetry_desired": "disabled"} | {"telemetry_connectivity": "forbidden"}
    )


# -- variables ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "is_one"),
    [
        ("a", False),
        ("{{ a }}", True),
        (None, False),
        (True, False),
        (3, False),
        (1.5, False),
        (["a"], True),
        ({}, True),
    ],
)
def test_what_can_be_a_template(value: Any, is_one: bool) -> None:
    assert filing.templated(value, lambda _value: "made") == ("made" if is_one else value)


def test_a_variable_that_cannot_be_resolved_is_named_in_one_short_line() -> None:
    def fails(value: Any) -> Any:
        raise AnsibleError("no  such\n\x1b[1m thing " + "x" * 400)

    found = filing.settings_of({"telemetry_a": "{{ x }}", "telemetry_b": "b", "_telemetry_c": "c"}, fails)
    assert set(found) == {"telemetry_b", filing.UNRESOLVED}
    (reason,) = found[filing.UNRESOLVED].values()
    assert list(found[filing.UNRESOLVED]) == ["telemetry_a"]
    assert len(reason) == 300 and "\n" not in reason and "\x1b" not in reason and "no such" in reason


@pytest.mark.parametrize("injected", [True, False])
def test_facts_with_names_of_ours(injected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(C, "INJECT_FACTS_AS_VARS", injected, raising=False)
    facts = {
        "telemetry_desired": "enabled",
        "__telemetry_error": "x",
        "_telemetry_y": 1,
        "telemetry_own": 1,
        "other": 2,
    }
    variables = {
        "inventory_hostname": "cm1",
        "telemetry_desired": "enabled",
        "telemetry_own": 2,
        "telemetry_attach": "never",
        "ansible_facts": facts,
    }
    names = ["__telemetry_error", "_telemetry_y", "telemetry_desired", "telemetry_own"]
    assert filing.among_facts(variables) == (names, ["telemetry_desired"] if injected else [])
    found = filing.settings_of(variables, untouched)
    kept = {"telemetry_own": 2, "telemetry_attach": "never"} | ({} if injected else {"telemetry_desired": "enabled"})
    assert found == {**kept, filing.FROM_FACTS: names}
    if injected:
        with pytest.raises(AnsibleActionFail, match=r"facts of the host cm1 would set telemetry_desired for all"):
            filing.refuse_facts(variables)
    else:
        filing.refuse_facts(variables)


def test_no_facts_are_none() -> None:
    for facts in (None, [], "telemetry_desired", {}):
        assert filing.among_facts({"telemetry_desired": 1, "ansible_facts": facts}) == ([], [])
        assert filing.FROM_FACTS not in filing.settings_of({"telemetry_desired": 1, "ansible_facts": facts}, untouched)
    assert filing.among_facts({"ansible_facts": {"xtelemetry_a": 1, "___telemetry_b": 1}}) == ([], [])


def test_names_among_facts_are_shown_short() -> None:
    name = "telemetry_" + "x" * 200
    (shown,) = filing.settings_of({"ansible_facts": {name: 1}}, untouched)[filing.FROM_FACTS]
    assert shown == name[:100]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"__telemetry_error": "a\nb"}, "error"),
        ({"__telemetry_restarted": {"deferred": "a\nb"}}, "note"),
        ({"__telemetry_policy": {"stopped": "a\nb"}}, "note"),
    ],
)
def test_what_the_role_remembers_is_made_visible(variables: dict[str, Any], expected: str) -> None:
    found = filing.circumstances_of(variables)
    assert "\n" not in getattr(found, expected) and getattr(found, expected).startswith("a")


# -- folders and records ------------------------------------------------------------------------------


def test_where_changes_are_filed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWX_ISOLATED_DATA_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    host: dict[str, Any] = {"inventory_hostname": "cm1"}
    named = {**host, "telemetry_reports_dir": "{{ x }}"}
    assert filing.reports_of(named, lambda _value: str(tmp_path / "r")) == tmp_path / "r"
    assert filing.reports_of({**host, "telemetry_reports_dir": ""}, untouched) == Path("reports")
    assert filing.reports_of({**host, "telemetry_reports_dir": ["x"]}, untouched) == Path("reports")
    assert filing.reports_of(host, untouched) is None
    (tmp_path / "reports/evidence").mkdir(parents=True)
    (tmp_path / "reports/evidence/cm1.json").write_text("{}")
    assert filing.reports_of(host, untouched) == Path("reports")
    assert filing.reports_of({"inventory_hostname": "cm2"}, untouched) is None
    monkeypatch.setattr(C, "INJECT_FACTS_AS_VARS", True, raising=False)
    from_facts = {**host, "telemetry_reports_dir": "/x", "ansible_facts": {"telemetry_reports_dir": "/x"}}
    assert filing.reports_of(from_facts, untouched) is None
    artifacts = tmp_path / "kept"
    artifacts.mkdir()
    monkeypatch.setenv("AWX_ISOLATED_DATA_DIR", str(artifacts))
    assert filing.reports_of({"inventory_hostname": "cm2"}, untouched) == artifacts / "telemetry"


(CHANGE,) = edits_of(
    {"files": [{"path": "/etc/x", "before": "0" * 64, "after": "1" * 64, "backup": None}], "refused": []}, "disabled"
)


def test_changes_are_recorded_with_the_run_that_they_undo(tmp_path: Path) -> None:
    variables = {"inventory_hostname": "cm1", "telemetry_reports_dir": str(tmp_path)}
    filing.record(variables, untouched, [])
    assert not (tmp_path / "changes").exists()
    filing.record(variables, untouched, [CHANGE], undoes="20260101T000000Z-abcdef")
    text = (tmp_path / "changes" / f"{RUN_ID}.jsonl").read_text()
    assert "20260101T000000Z-abcdef" in text
    assert any(json.loads(line).get("host") == "cm1" for line in text.splitlines())


def test_where_nobody_files_anything_nothing_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWX_ISOLATED_DATA_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    filing.record({"inventory_hostname": "cm1"}, untouched, [CHANGE])
    assert list(tmp_path.iterdir()) == []


def test_a_record_that_cannot_be_written_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(filing.Display, "warning", lambda _self, text: said.append(text))
    (tmp_path / "file").write_text("")
    filing.record({"inventory_hostname": "cm1", "telemetry_reports_dir": f"{tmp_path}/file"}, untouched, [CHANGE])
    (warning,) = said
    assert warning.startswith("cm1: what was changed there is not in the record")


# -- the answer ---------------------------------------------------------------------------------------


def test_what_comes_of_an_answer_is_what_was_filed(tmp_path: Path) -> None:
    variables = {"telemetry_desired": "disabled"}
    filed = filing.file_answer("cm1", variables, {"state": {**STATE, "installations": [INSTALLATION]}}, tmp_path)
    evidence = json.loads(Path(filed["evidence"]).read_text())
    assert filed["evidence"] == str(tmp_path / "evidence/cm1.json")
    assert filed["changed"] is False
    assert (filed["verdict"], filed["reasons"]) == (evidence["verdict"], evidence["reasons"])
    assert filed["verdict"] == "restart_pending" and "restart of cm.service is owed" in filed["reasons"][0]
    again = filing.file_answer("cm1", variables, {"state": {**STATE, "installations": [INSTALLATION]}}, tmp_path)
    assert set(again) == {"changed", "verdict", "reasons", "drift", "evidence"} and not again["drift"]


def test_why_a_restart_was_put_off_stands_beside_what_it_owes_alone(tmp_path: Path) -> None:
    note = Circumstances(note="it was put off")
    owes = filing.file_answer(
        "a", {"telemetry_desired": "disabled"}, {"state": {**STATE, "installations": [INSTALLATION]}}, tmp_path, note
    )
    assert owes["reasons"][-1] == "it was put off"
    nothing = filing.file_answer("b", {"telemetry_desired": "disabled"}, {"state": STATE}, tmp_path, note)
    assert "it was put off" not in nothing["reasons"] and nothing["verdict"] == "not_applicable"


def test_an_error_of_the_run_is_filed_beside_a_state(tmp_path: Path) -> None:
    said = filing.file_answer(
        "a",
        {"telemetry_desired": "disabled"},
        {"state": {**STATE, "installations": [INSTALLATION]}},
        tmp_path,
        Circumstances(error="the restart failed"),
    )
    assert any("the restart failed" in reason for reason in said["reasons"])


@pytest.mark.parametrize(
    ("answer", "verdict", "words"),
    [
        ({"unreachable": True, "msg": "ssh: connect to host a port 22: Connection refused"}, "unreachable", "refused"),
        (
            {"unreachable": True, "state": {**STATE, "installations": [INSTALLATION]}, "msg": "gone"},
            "unreachable",
            "gone",
        ),
        ({"failed": True, "msg": "no python"}, "unknown", "no python"),
        ({"failed": True, "msg": "  "}, "unknown", ""),
        ({"state": ["no mapping"], "msg": "odd"}, "unknown", "odd"),
        ({}, "unknown", ""),
    ],
)
def test_a_host_without_a_state(tmp_path: Path, answer: dict[str, Any], verdict: str, words: str) -> None:
    filed = filing.file_answer("cm1", {"telemetry_desired": "disabled"}, answer, tmp_path)
    assert filed["verdict"] == verdict
    assert words in " ".join(filed["reasons"]) and filed["reasons"]
    assert not json.loads(Path(filed["evidence"]).read_text()).get("installations")


def test_a_host_that_was_not_reached_and_says_nothing_has_no_words_of_ours(tmp_path: Path) -> None:
    for message in ("", None, "  "):
        filed = filing.file_answer(
            "cm1", {"telemetry_desired": "disabled"}, {"unreachable": True, "msg": message}, tmp_path
        )
        assert filed["verdict"] == "unreachable"
        assert not any(reason.endswith("X") for reason in filed["reasons"]), filed["reasons"]


def test_a_policy_that_is_not_valid_is_the_reason(tmp_path: Path) -> None:
    filed = filing.file_answer("cm1", {"telemetry_desired": "off"}, {"state": STATE}, tmp_path)
    assert filed["verdict"] == "unknown" and filed["reasons"][0].startswith("its policy is not valid: ")

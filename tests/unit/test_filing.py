"""From a host's variables to what is asked and filed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ansible.template
import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.cbops.telemetry.plugins.action.fleet_sweep import Known, Tally
from ansible_collections.cbops.telemetry.plugins.plugin_utils._failures import words_of_ssh
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._carrier import Errand
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._filing import (
    Circumstances,
    circumstances_of,
    file_answer,
    question,
    settings_of,
)
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

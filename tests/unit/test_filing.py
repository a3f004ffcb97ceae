"""From a host's variables to what is asked and filed."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.cbops.telemetry.plugins.plugin_utils._failures import words_of_ssh
from ansible_collections.cbops.telemetry.plugins.plugin_utils._filing import (
    Circumstances,
    circumstances_of,
    settings_of,
)


def test_what_can_be_a_template_is_treated_as_one_and_nothing_else() -> None:
    seen: list[Any] = []

    def template(value: Any) -> Any:
        seen.append(value)
        return "templated"

    variables = {"telemetry_desired": "{{ state }}", "telemetry_attach": "never",
                 "telemetry_endpoint": {"host": "{{ a }}"}, "telemetry_backup": True,
                 "telemetry_probe_timeout": 5, "telemetry_plan": None, "secret": "{{ b }}",
                 "telemetry_probe_via": ["{% if c %}direct{% endif %}"], "telemetry_url": "{# nothing #}"}
    assert settings_of(variables, template) == {
        "telemetry_desired": "templated", "telemetry_attach": "never", "telemetry_endpoint": "templated",
        "telemetry_backup": True, "telemetry_probe_timeout": 5, "telemetry_plan": None,
        "telemetry_probe_via": "templated", "telemetry_url": "templated"}
    assert seen == ["{{ state }}", {"host": "{{ a }}"}, ["{% if c %}direct{% endif %}"], "{# nothing #}"]


@pytest.mark.parametrize(("variables", "expected"), [
    ({}, Circumstances()),
    ({"__telemetry_restarted": {"skipped": True, "changed": False}, "__telemetry_policy": {"stopped": None}},
     Circumstances()),
    ({"__telemetry_error": "no", "__telemetry_edited": True}, Circumstances("no", "", True)),
    ({"__telemetry_restarted": {"changed": True, "deferred": ""}}, Circumstances()),
    ({"__telemetry_restarted": {"changed": False, "deferred": "busy"}, "__telemetry_policy": {"stopped": "late"}},
     Circumstances("", "busy", False)),
    ({"__telemetry_restarted": {"skipped": True}, "__telemetry_policy": {"stopped": "too many failures"}},
     Circumstances("", "too many failures", False)),
])
def test_what_the_role_remembers_of_a_host(variables: dict[str, Any], expected: Circumstances) -> None:
    assert circumstances_of(variables) == expected


@pytest.mark.parametrize(("message", "words"), [
    ("Failed to connect to the host via ssh: ssh: connect to host a port 22: Connection refused",
     "ssh: connect to host a port 22: Connection refused"),
    ("Data could not be sent to remote host \"a\". Make sure this host can be reached over ssh: no route", "no route"),
    ("Failed to connect to the host via ssh: ", "Failed to connect to the host via ssh: "),
    ("its name is not known", "its name is not known")])
def test_the_words_are_those_of_ssh(message: str, words: str) -> None:
    assert words_of_ssh(message) == words

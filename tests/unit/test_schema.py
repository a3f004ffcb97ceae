"""Every document is as its JSON Schema says, and the schemas say no to damaged ones."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from hostroot import FLAG, Host
from schemas import SCHEMAS, validate

from ansible_collections.cbops.telemetry.plugins.module_utils._answer import state
from ansible_collections.cbops.telemetry.plugins.module_utils.outcomes._outcomes import OUTCOMES
from ansible_collections.cbops.telemetry.plugins.module_utils.running import _processes
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence import _evidence
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy import _assessment

LAYOUTS: dict[str, Callable[[Host], None]] = {
    "nothing installed": lambda host: None,
    "deb": lambda host: host.deb(f'#JAVA_ARGS="{FLAG}"\nJENKINS_JAVA_OPTIONS="{FLAG}"\nJAVA_ARGS="-Xmx1g {FLAG}"\n'),
    "deb, not resolvable": lambda host: host.deb('JAVA_ARGS="$(options /etc/x)"\n'),
    "deb, odd value": lambda host: host.deb(f'JAVA_ARGS="{FLAG},-Dpassword=x"\n'),
    "rpm": lambda host: host.rpm('JENKINS_JAVA_OPTIONS="-Da=b"\n'),
    "rpm, array": lambda host: host.rpm(f'JENKINS_JAVA_OPTIONS=("-Da=b c" {FLAG})\n'),
    "systemd": lambda host: host.oss(f'[Service]\nEnvironment="JAVA_OPTS={FLAG}"\n'),
    "script": lambda host: host.script(f"#!/bin/sh\nexec java {FLAG} -jar /opt/jenkins.war\n"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_state(host: Host, layout: str) -> None:
    LAYOUTS[layout](host)
    document = json.loads(json.dumps(state(str(host.root))))
    validate(document)
    assert len(document["installations"]) == (layout != "nothing installed")
    assert "password" not in json.dumps(document)


def test_state_of_this_machine() -> None:
    """With processes, whatever runs here: they are not ours to ask."""
    validate(json.loads(json.dumps(state("/", attach="never"))))


def evidence(host: Host) -> dict[str, Any]:
    """The evidence of a host with a waiver."""
    policy = _assessment.policy_of(
        {
            "telemetry_desired": "disabled",
            "telemetry_waiver": {"until": "2026-12-31", "reason": "x", "approved_by": "y"},
        }
    )
    return _evidence.document_of(
        "h", policy, json.loads(json.dumps(state(str(host.root)))), None, _assessment.Assessment("waived", ["x"], ["y"])
    )


def test_evidence(host: Host) -> None:
    host.deb("")
    documents = [evidence(host), _evidence.missing("gone", "its tasks were not run")]
    for document in documents:
        validate(document)


@pytest.mark.parametrize(
    "damage",
    [
        lambda document: document["installations"][0].update(on_disk="perhaps"),
        lambda document: document["installations"][0].update(extra=1),
        lambda document: document["installations"][0].pop("running"),
        lambda document: document["installations"][0].update(on_disk="unresolvable", on_disk_detail={}),
        lambda document: document["installations"][0].update(running_detail={}),
        lambda document: document["installations"][0]["declarations"][0].pop("reason"),
        lambda document: document["installations"][0]["declarations"][0].update(value="-Dpassword=x"),
        lambda document: document.update(installations={}),
        lambda document: document.update(connectivity=[{"outcome": "fine"}]),
    ],
)
def test_damaged_documents_are_refused(host: Host, damage: Callable[[dict[str, Any]], object]) -> None:
    LAYOUTS["deb"](host)
    document = json.loads(json.dumps(state(str(host.root))))
    damaged = copy.deepcopy(document)
    damage(damaged)
    validate(document)
    with pytest.raises(jsonschema.ValidationError):
        validate(damaged)


def test_the_schemas_name_what_the_code_names() -> None:
    found = SCHEMAS["state-1.json"]["$defs"]
    assert found["outcome"]["enum"] == list(OUTCOMES)
    policy = SCHEMAS["evidence-1.json"]["properties"]["policy"]["properties"]
    assert policy["desired"]["enum"] == list(_assessment.DESIRED)
    assert policy["connectivity"]["enum"] == list(_assessment.CONNECTIVITY)
    assert list(_assessment.ATTACH) == list(_processes.ATTACH)
    assert policy["restart"]["enum"] == list(_assessment.RESTART)
    for schema in (
        SCHEMAS["evidence-1.json"]["properties"]["verdict"],
        SCHEMAS["manifest-1.json"]["$defs"]["verdict"],
        SCHEMAS["report-1.json"]["$defs"]["verdict"],
    ):
        assert schema["enum"] == list(_assessment.VERDICTS)

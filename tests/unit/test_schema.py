"""Every document is as its JSON Schema says, and the schemas say no to damaged ones."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import jsonschema
import pytest
from hostroot import FLAG, Host
from schemas import SCHEMAS, validate

from ansible_collections.cbops.telemetry.plugins.module_utils._answer import state
from ansible_collections.cbops.telemetry.plugins.module_utils.outcomes._outcomes import OUTCOMES
from ansible_collections.cbops.telemetry.plugins.module_utils.running import _processes
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence import _evidence
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy import _assessment
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy import _documents as documents
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report import _validity

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


# -- the same documents as types --------------------------------------------------------------------

KINDS = {
    "urn:cbops.telemetry:state:1": documents.State,
    "urn:cbops.telemetry:state:1#/$defs/answer": documents.Answer,
    "urn:cbops.telemetry:evidence:1": documents.Evidence,
}
#: What stands in a table of the code is no type of its own; see test_the_schemas_name_what_the_code_names.
_TABLES = (list(OUTCOMES), list(_assessment.VERDICTS))
_NAMES = {str: "string", int: "integer", float: "number", type(None): "null"}


def resolved(identifier: str, base: str) -> tuple[Any, str]:
    """A schema by its reference, and the document in which it stands."""
    name, _hash, path = identifier.partition("#")
    base = name or base
    found: Any = next(schema for schema in SCHEMAS.values() if schema["$id"] == base)
    for part in filter(None, path.split("/")):
        found = found[part]
    return found, base


def alternatives(found: list[Any]) -> list[Any]:
    """What may stand somewhere, each once, in one order."""
    flat = [one for inner in found for one in (inner if isinstance(inner, list) else [inner])]
    return [json.loads(text) for text in sorted({json.dumps(one, sort_keys=True) for one in flat})]


def of_schema(schema: Any, base: str) -> list[Any]:
    """What may stand where a schema is; patterns, bounds and conditions are beyond a type."""
    if "$ref" in schema:
        return of_schema(*resolved(schema["$ref"], base))
    if "anyOf" in schema:
        return alternatives([of_schema(one, base) for one in schema["anyOf"]])
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        if values in _TABLES:
            return ["string"]
        return alternatives(["null" if value is None else {"is": value} for value in values])
    types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    return alternatives([_of_type(name, schema, base) for name in types])


def _of_type(name: str, schema: Any, base: str) -> Any:
    if name == "boolean":
        return [{"is": True}, {"is": False}]
    if name == "array":
        return {"list": of_schema(schema["items"], base)}
    if name != "object":
        return name
    required = schema.get("required", [])
    if "properties" not in schema and not required:
        return {"map": of_schema(schema["additionalProperties"], base)}
    members = schema.get("properties") or dict.fromkeys(schema["propertyNames"]["enum"], schema["additionalProperties"])
    return {"object": {key: [key in required, of_schema(inner, base)] for key, inner in members.items()}}


def of_kind(kind: Any) -> list[Any]:
    """What may stand where a type is."""
    if get_origin(kind) in (Union, UnionType):
        return alternatives([of_kind(one) for one in get_args(kind)])
    if get_origin(kind) is Literal:
        return alternatives([{"is": value} for value in get_args(kind)])
    if get_origin(kind) is list:
        return [{"list": of_kind(get_args(kind)[0])}]
    if get_origin(kind) is dict:
        return [{"map": of_kind(get_args(kind)[1])}]
    if kind is bool:
        return alternatives([{"is": True}, {"is": False}])
    if kind in _NAMES:
        return [_NAMES[kind]]
    hints = get_type_hints(kind)
    return [{"object": {name: [name in kind.__required_keys__, of_kind(hint)] for name, hint in hints.items()}}]


@pytest.mark.parametrize("identifier", KINDS)
def test_schema_and_type_say_the_same(identifier: str) -> None:
    """The names, which of them may be left out, what each may be: what one of the two alone has is a difference."""
    assert of_schema(*resolved(identifier, "")) == of_kind(KINDS[identifier])


@pytest.mark.parametrize(
    "damage",
    [
        lambda answer: answer["properties"].update(more={"type": "string"}),
        lambda answer: answer["properties"].pop("via"),
        lambda answer: answer["required"].remove("via"),
        lambda answer: answer["properties"].update(via={"type": ["string", "null"]}),
        lambda answer: answer["properties"]["tls"]["properties"]["authority"]["enum"].append("other"),
        lambda answer: answer["properties"]["phases_ms"]["required"].pop(),
        lambda answer: answer["properties"]["findings"].update(items={"type": "integer"}),
        lambda answer: answer["properties"]["samples"]["properties"]["outcomes"].update(
            additionalProperties={"type": "number"}
        ),
    ],
)
def test_a_difference_between_schema_and_type_is_seen(damage: Callable[[dict[str, Any]], object]) -> None:
    answer, base = resolved("urn:cbops.telemetry:state:1#/$defs/answer", "")
    answer = copy.deepcopy(answer)
    damage(answer)
    assert of_schema(answer, base) != of_kind(documents.Answer)


def test_what_a_report_relies_on_are_members_of_the_documents() -> None:
    for kind, names in _validity.RELIED_ON.items():
        assert set(names) <= set(get_type_hints(kind)), kind

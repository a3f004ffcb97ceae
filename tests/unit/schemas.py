"""The JSON Schemas of docs/schema/, ready to hold a document against."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
from referencing import Registry, Resource

FOLDER = Path(__file__).parent.parent.parent / "docs/schema"
SCHEMAS = {path.name: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
_REGISTRY: Registry = Registry().with_resources(
    (schema["$id"], Resource.from_contents(schema)) for schema in SCHEMAS.values()
)


def registry() -> Registry:
    """All of them, by their names."""
    return _REGISTRY


def validate(document: dict[str, Any]) -> None:
    """Raise jsonschema.ValidationError unless the document is as its own ``schema`` says."""
    schema = next(
        item for item in SCHEMAS.values() if item["properties"].get("schema", {}).get("const") == document["schema"]
    )
    jsonschema.Draft202012Validator(schema, registry=_REGISTRY).validate(document)


def validate_line(line: dict[str, Any]) -> None:
    """The same for a line of a journal, which names no schema."""
    jsonschema.Draft202012Validator(SCHEMAS["journal-1.json"], registry=_REGISTRY).validate(line)


#: A proof as the answer of telemetry_prove has it.
PROOF: dict[str, Any] = {
    "name": "jenkins",
    "service": "jenkins.service",
    "next_start": "disabled",
    "reason": None,
    "refused": False,
    "on_disk": "disabled",
    "agrees": True,
    "jvms": 1,
    "java": "/usr/bin/java",
    "program": "/usr/share/java/jenkins.war",
    "user": "jenkins",
    "source": "command line",
    "environment": ["JENKINS_HOME"],
}

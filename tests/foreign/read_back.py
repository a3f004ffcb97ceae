"""Reads what a report says by tools that are not ours, and prints it as JSON. Runs in .build/foreign/env.

``read_back.py intoto FILE`` or ``read_back.py oscal FILE SCHEMA``.
"""

from __future__ import annotations

import json
import sys
from base64 import b64decode
from pathlib import Path
from typing import Any


def intoto(path: Path) -> list[dict[str, Any]]:
    """Each envelope by securesystemslib, each statement by in-toto-attestation."""
    import in_toto_attestation.v1.statement_pb2 as messages
    from google.protobuf import json_format
    from in_toto_attestation.v1.statement import Statement
    from securesystemslib.dsse import Envelope

    found = []
    for line in path.read_text().splitlines():
        envelope = Envelope.from_dict(json.loads(line))
        statement = Statement.copy_from_pb(json_format.Parse(envelope.payload, messages.Statement()))
        statement.validate()
        predicate = json_format.MessageToDict(statement.pb.predicate)
        found.append(
            {
                "type": envelope.payload_type,
                "signed": envelope.pae().decode(),
                "signatures": [{"keyid": one["keyid"], "sig": one["sig"]} for one in envelope.to_dict()["signatures"]],
                "subjects": {one.name: one.digest["sha256"] for one in statement.pb.subject},
                "predicate_type": statement.pb.predicate_type,
                "predicate": predicate,
            }
        )
        assert all(b64decode(one["sig"]).startswith(b"SSHSIG") for one in found[-1]["signatures"])
    return found


def bare(value: Any) -> str:
    """A value without what trestle puts around it."""
    while hasattr(value, "root"):
        value = value.root
    return str(getattr(value, "value", value))


def oscal(path: Path, schema: Path) -> dict[str, Any]:
    """The results by compliance-trestle, once NIST's schema has nothing against them."""
    import jsonschema
    import regex
    from trestle.oscal.assessment_results import AssessmentResults

    def pattern(_validator: Any, wanted: str, value: Any, _schema: Any) -> Any:
        # By a module that knows classes of characters, which Python's own does not.
        if isinstance(value, str) and not regex.search(wanted, value):
            yield jsonschema.ValidationError(f"{value!r} does not match {wanted!r}")

    document = json.loads(path.read_text())
    kind = jsonschema.validators.extend(jsonschema.Draft7Validator, {"pattern": pattern})
    wrong = [
        f"{error.json_path}: {error.message[:200]}"
        for error in kind(json.loads(schema.read_text())).iter_errors(document)
    ]
    read = AssessmentResults.oscal_read(path)
    assert read is not None
    (result,) = read.results
    observed = {one.uuid: one for one in result.observations or []}
    risks = {one.uuid: one for one in result.risks or []}
    items = {
        one.uuid: one.description
        for one in (result.local_definitions.inventory_items if result.local_definitions else [])
    }
    return {
        "wrong": wrong[:10],
        "verdicts": {
            items[one.subjects[0].subject_uuid]: next(prop.value for prop in one.props if prop.name == "verdict")
            for one in observed.values()
        },
        "findings": {
            one.target.target_id: [
                one.target.status.state.value,
                [observed[each.observation_uuid].title for each in one.related_observations or []],
                [risks[each.risk_uuid].title for each in one.related_risks or []],
            ]
            for one in result.findings
        },
        "risks": {one.title: bare(one.status) for one in risks.values()},
    }


if __name__ == "__main__":
    kind, *paths = sys.argv[1:]
    json.dump({"intoto": intoto, "oscal": oscal}[kind](*map(Path, paths)), sys.stdout)  # type: ignore[operator]

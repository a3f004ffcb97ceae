"""What passes the gate: documents of the schemas and no more, in words in which nothing acts or hides."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from hostroot import FLAG, Host
from schemas import FOLDER, PROOF, SCHEMAS, registry

from ansible_collections.cbops.telemetry.plugins.module_utils._answer import (
    connectivity_probe,
    telemetry_flag,
    telemetry_info,
    telemetry_prove,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import markdown_cell, visible, visible_json
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect import _gate as gate

FUNCTIONS = (
    "telemetry_info",
    "telemetry_flag",
    "connectivity_probe",
    "telemetry_backup",
    "telemetry_prove",
    "analytics_events_info",
)
PROBE = {
    "endpoints": ["127.0.0.1:1"],
    "via": ["direct"],
    "timeout": 2.0,
    "tls": False,
    "http": False,
    "count": 2,
    "interval": 0.1,
    "ca_file": None,
    "public_authorities": None,
    "private_authority": False,
    "expect": "any",
}


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    """Every schema within a schema that describes an object."""
    if isinstance(schema, dict):
        if "properties" in schema and schema.get("type") is not None:
            yield schema
        for one in schema.values():
            yield from objects(one)
    elif isinstance(schema, list):
        for one in schema:
            yield from objects(one)


@pytest.mark.parametrize("name", ["state-1.json", "answer-1.json"])
def test_every_object_of_an_answer_is_closed(name: str) -> None:
    found = list(objects(SCHEMAS[name]))
    assert len(found) > 5
    for one in found:
        assert one.get("additionalProperties") is False or "propertyNames" in one, one


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_gate_knows_every_keyword_of_the_schemas(function: str) -> None:
    gate.check_for(function)


def answers(host: Host) -> dict[str, list[dict[str, Any]]]:
    """Answers as hosts give them."""
    host.deb(f'JAVA_ARGS="-Xmx1g {FLAG}"\nJENKINS_JAVA_OPTIONS="{FLAG}"\n')
    root: dict[str, Any] = {"root": str(host.root), "launch_scripts": [], "attach": "never", "connectivity": None}
    flag = {**root, "state": "enabled", "name": [], "backup": True, "run": "R", "backup_count": 10, "backup_days": 365}
    found = {
        "telemetry_info": [telemetry_info(root, False), telemetry_info({**root, "root": "x"}, False)],
        "telemetry_flag": [telemetry_flag(flag, True), telemetry_flag({**flag, "name": ["x"]}, True)],
        "connectivity_probe": [
            connectivity_probe(PROBE, False),
            connectivity_probe({**PROBE, "expect": "reachable"}, False),
        ],
        "telemetry_prove": [
            telemetry_prove({"name": [], "launch_scripts": ["x"], "timeout": 20}, True),
            {
                "changed": False,
                "notes": ["a"],
                "proofs": [
                    PROOF,
                    {
                        **PROOF,
                        "next_start": "unknown",
                        "reason": "no",
                        "agrees": None,
                        "refused": True,
                        "jvms": 0,
                        "java": None,
                        "program": None,
                        "user": None,
                        "source": None,
                    },
                ],
            },
        ],
    }
    return json.loads(json.dumps(found))  # type: ignore[no-any-return]


def test_what_our_program_answers_passes_as_it_is(host: Host) -> None:
    for function, given in answers(host).items():
        for answer in given:
            assert gate.admitted(function, gate.read(json.dumps(answer))) == answer


def places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value of a document."""
    yield above
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*above, key))


OTHERS = [None, True, False, 0, 1, -1, 5.5, "", "true", "disabled", "2026-02-30", "x\n", [], [1], {}, {"a": 1}]


def test_the_gate_says_what_a_validator_of_json_schema_says(host: Host) -> None:
    """Every value of real answers put in the place of others, taken away, and members added."""
    chance, refused = random.Random(15), 0
    for function, given in answers(host).items():
        schema = {
            "$schema": SCHEMAS["answer-1.json"]["$schema"],
            "$ref": f"urn:cbops.telemetry:answer:1#/$defs/{function}",
        }
        validator = jsonschema.Draft202012Validator(schema, registry=registry())
        for answer in given:
            for place in places(answer):
                for other in chance.sample(OTHERS, 4):
                    damaged = copy.deepcopy(answer)
                    target = damaged
                    for key in place[:-1]:
                        target = target[key]
                    if place and chance.random() < 0.2 and isinstance(target, dict):
                        del target[place[-1]]
                    elif place and chance.random() < 0.2 and isinstance(target, dict):
                        target["ansible_facts"] = other
                    elif place:
                        target[place[-1]] = other
                    else:
                        damaged = other  # type: ignore[assignment]
                    tidied = gate.tidied(damaged)
                    try:
                        gate.admitted(function, tidied)
                    except gate.NotAdmitted:
                        refused += 1
                        assert not validator.is_valid(tidied), (place, other)
                    else:
                        assert validator.is_valid(tidied), (place, other)
    assert refused > 500


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no JSON"),
        ("{", "no JSON"),
        ("[" * 200_000, "nested too deeply"),
        ("[" * 40 + "]" * 40, "nested too deeply"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "nested too deeply"),
        ("NaN", "no JSON"),
        ("[Infinity]", "no JSON"),
        ("1e999", "number that is too large"),
        ("9" * 4000, "number that is too large"),
        ("9" * 5000, "no JSON"),
        (json.dumps("x" * 20_000), "string of more than"),
        (json.dumps([0] * 2001), "list of more than"),
        (json.dumps([[0] * 1999] * 60), "more than 100000 values"),
        (json.dumps({str(number): 0 for number in range(2001)}), "object of more than"),
        (" " * (gate.LARGEST + 1), "larger than"),
    ],
)
def test_limits(text: str, reason: str) -> None:
    with pytest.raises(gate.NotAdmitted, match=reason):
        gate.read(text)


@pytest.mark.parametrize(
    "answer",
    [
        {"changed": False, "add_host": {"host_name": "pwn"}},
        {"changed": False, "ansible_facts": {"telemetry_desired": "enabled"}},
        {"failed": True},
        {"failed": False, "changed": False},
        {"failed": 1, "msg": "x"},
        {"changed": False, "state": {}},
        {"failed": True, "msg": "x", "_ansible_verbose_override": True},
        [],
        5,
        None,
        "x",
        True,
    ],
)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_nothing_else_is_an_answer(function: str, answer: Any) -> None:
    with pytest.raises(gate.NotAdmitted):
        gate.admitted(function, answer)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_refusal_repeats_nothing_of_the_host(function: str) -> None:
    with pytest.raises(gate.NotAdmitted) as refusal:
        gate.admitted(function, {"failed": True, "msg": "x", "::error::@octocat": "secret"})
    assert "octocat" not in str(refusal.value)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, äöü ☕ 中文", "plain text, äöü ☕ 中文"),
        ("/x/jenkins\udcff.war", "/x/jenkins\\udcff.war"),
        ("a\nb\r\tc\0", "a\\u000ab\\u000d\\u0009c\\u0000"),
        ("\x1b]0;owned\x07\x9b2J", "\\u001b]0;owned\\u0007\\u009b2J"),
        ("\u202egnp.war", "\\u202egnp.war"),
        ("a\u2028b\u2029c\u200b\ufeff\u00ad", "a\\u2028b\\u2029c\\u200b\\ufeff\\u00ad"),
        ("\U000e0041", "\\U000e0041"),
        ("##vso[task.prependpath]/tmp", "#\\u0023vso[task.prependpath]/tmp"),
        ("x ##[error]y ##teamcity[a]", "x #\\u0023[error]y #\\u0023teamcity[a]"),
        ("## heading", "## heading"),
    ],
)
def test_text_is_made_visible(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible(shown) == shown
    shown.encode()


@pytest.mark.parametrize("text", ['a\x1b\x9b\u202e\u2028\U000e0041 ##[x] \\ "', "plain"])
def test_json_is_made_visible_and_stays_the_same_document(text: str) -> None:
    shown = visible_json(json.dumps({text: [text]}, ensure_ascii=False))
    assert shown.isprintable()
    assert "##[" not in shown
    assert json.loads(shown) == {text: [text]}


def test_strings_and_names_of_an_answer_are_made_visible_and_a_diff_keeps_its_lines() -> None:
    diff = {"before": "a\nb\x1b[A\n", "after": "", "before_header": "x\ny", "after_header": "z"}
    read = gate.read(json.dumps({"diff": [diff], "be\nfore": ["\x1b"], "before": "a\nb"}))
    assert read == {
        "diff": [{"before": "a\nb\\u001b[A\n", "after": "", "before_header": "x\\u000ay", "after_header": "z"}],
        "be\\u000afore": ["\\u001b"],
        "before": "a\\u000ab",
    }


def test_a_cell_is_no_markup_no_link_and_no_mention() -> None:
    cell = markdown_cell("a|b @octocat #1 https://evil.example/ www.evil.example <img src=x> `x` [y](z) ![p](q)\n**b**")
    assert cell.startswith("<code>")
    inner = cell.removeprefix("<code>").removesuffix("</code>")
    for mark in ("|", "@", "://", "www.", "<", "`", "[", "](", "\n", "**"):
        assert mark not in inner
    assert markdown_cell("") == "-"


def test_the_schemas_are_part_of_the_collection() -> None:
    assert gate.SCHEMAS.resolve() == FOLDER.resolve()

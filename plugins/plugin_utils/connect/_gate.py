# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one gate for what a managed host answers: what passes is a document of docs/schema/answer-1.json, and no more.

A host may be in the hands of somebody else, and what an action plugin returns is acted on by Ansible (``add_host``,
``ansible_facts``). So an answer is read with limits, its strings are made visible, and it is held against a schema in
which every object is closed. Private to this collection. Runs on the control node.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._deadline import LARGEST

SCHEMAS = Path(__file__).resolve().parents[3] / "docs/schema"
LONGEST_STRING = 16384
LONGEST_LIST = 2000
MOST_VALUES = 100_000
DEEPEST = 16
LARGEST_NUMBER = 1 << 53  # what every reader of JSON takes as it is

_DIFF = frozenset(("before", "after", "before_header", "after_header"))

Check = Callable[[Any, str], None]


class NotAdmitted(ValueError):
    """An answer that is none; the message says where and why, and holds nothing of what the host said."""


def read(text: str) -> Any:
    """The JSON of an answer, within limits, with visible strings. Raises :class:`NotAdmitted`."""
    if len(text) > LARGEST:
        raise NotAdmitted(f"it is larger than {LARGEST} bytes")
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise NotAdmitted("it is nested too deeply") from None
    except ValueError:
        raise NotAdmitted("it is no JSON") from None
    return tidied(value)


def _no_constant(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity are none of JSON's


def tidied(value: Any) -> Any:
    """A value of JSON within limits, its strings made visible. Raises :class:`NotAdmitted`.

    The contents of a diff keep their lines; Ansible puts a mark before each of them.
    """
    count = 0

    def tidy(value: Any, depth: int, lines: bool = False) -> Any:
        nonlocal count
        count += 1
        if count > MOST_VALUES:
            raise NotAdmitted(f"it has more than {MOST_VALUES} values")
        if isinstance(value, str):
            if len(value) > LONGEST_STRING:
                raise NotAdmitted(f"it has a string of more than {LONGEST_STRING} characters")
            return "\n".join(map(visible, value.split("\n"))) if lines else visible(value)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            if not abs(value) <= LARGEST_NUMBER:  # infinity, too
                raise NotAdmitted("it has a number that is too large")
            return value
        if depth >= DEEPEST:
            raise NotAdmitted("it is nested too deeply")
        if isinstance(value, Mapping):
            if len(value) > LONGEST_LIST:
                raise NotAdmitted(f"it has an object of more than {LONGEST_LIST} members")
            in_diff = _DIFF <= value.keys()
            return {
                tidy(str(key), depth): tidy(item, depth + 1, in_diff and key in ("before", "after"))
                for key, item in value.items()
            }
        if isinstance(value, Sequence) and not isinstance(value, bytes):
            if len(value) > LONGEST_LIST:
                raise NotAdmitted(f"it has a list of more than {LONGEST_LIST} items")
            return [tidy(item, depth + 1) for item in value]
        raise NotAdmitted("it has a value that is none of JSON")

    return tidy(value, 0)


def admitted(function: str, answer: Any) -> dict[str, Any]:
    """A module's answer by its name, tidied already, as the schema allows it. Raises :class:`NotAdmitted`."""
    check_for(function)(answer, "")
    return answer  # type: ignore[no-any-return]


@functools.cache
def known_keys(function: str) -> frozenset[str]:
    """The members that an answer of a module may have."""
    return frozenset(_document("urn:cbops.telemetry:answer:1")["$defs"][function]["properties"])


@functools.cache
def check_for(function: str) -> Check:
    """What raises :class:`NotAdmitted` for anything that is no answer of a module."""
    document = _document("urn:cbops.telemetry:answer:1")
    return _compiled(document["$defs"][function], document)


# -- JSON Schema, as far as docs/schema uses it -----------------------------------------------------


@functools.cache
def _document(identifier: str) -> dict[str, Any]:
    """A schema of docs/schema by its $id."""
    _prefix, _collection, name, version = identifier.split(":")
    document: dict[str, Any] = json.loads((SCHEMAS / f"{name}-{version}.json").read_text(encoding="utf-8"))
    return document


_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON sees it: 1 is not true."""
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _at(place: str) -> str:
    return place.lstrip(".") or "it"


def _compiled(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Check:
    """What checks a value against a schema of a document. Raises NotImplementedError for a keyword that it lacks."""
    checks: list[Check] = []
    for keyword in schema:
        if keyword in ("then", "else", "$schema", "$id", "$defs", "title", "description"):
            continue  # read with "if", or for people
        maker = _KEYWORDS.get(keyword)
        if maker is None:
            raise NotImplementedError(f"the schemas' keyword {keyword}")
        checks.append(maker(schema, document))

    def check(value: Any, place: str) -> None:
        for one in checks:
            one(value, place)

    return check


def _passes(check: Check, value: Any, place: str) -> bool:
    try:
        check(value, place)
    except NotAdmitted:
        return False
    return True


def _reference(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Check:
    name, _hash, path = schema["$ref"].partition("#")
    compiled: Check | None = None

    def check(value: Any, place: str) -> None:
        nonlocal compiled
        if compiled is None:  # not before: a schema may name itself
            there = _document(name) if name else document
            target: Any = there
            for part in path.split("/")[1:]:
                target = target[part]
            compiled = _compiled(target, there)
        compiled(value, place)

    return check


def _type(schema: Mapping[str, Any], _document: Mapping[str, Any]) -> Check:
    names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    tests = [_TYPES[name] for name in names]

    def check(value: Any, place: str) -> None:
        if not any(test(value) for test in tests):
            raise NotAdmitted(f"{_at(place)} is no {' or '.join(names)}")

    return check


def _enum(schema: Mapping[str, Any], _document: Mapping[str, Any]) -> Check:
    allowed = schema["enum"] if "enum" in schema else [schema["const"]]

    def check(value: Any, place: str) -> None:
        if not any(_same(value, one) for one in allowed):
            raise NotAdmitted(f"{_at(place)} is none of {', '.join(map(str, allowed))}")

    return check


def _bound(keyword: str, words: str, holds: Callable[[Any, Any], bool]) -> Callable[..., Check]:
    def maker(schema: Mapping[str, Any], _document: Mapping[str, Any]) -> Check:
        limit = schema[keyword]
        kind: Any = str if "Length" in keyword else list if "Items" in keyword else (int, float)

        def check(value: Any, place: str) -> None:
            if isinstance(value, kind) and not isinstance(value, bool) and not holds(value, limit):
                raise NotAdmitted(f"{_at(place)} {words} {limit}")

        return check

    return maker


def _pattern(schema: Mapping[str, Any], _document: Mapping[str, Any]) -> Check:
    search = re.compile(schema["pattern"], re.ASCII).search

    def check(value: Any, place: str) -> None:
        if isinstance(value, str) and not search(value):
            raise NotAdmitted(f"{_at(place)} is not as it must be")

    return check


def _items(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Check:
    item = _compiled(schema["items"], document)

    def check(value: Any, place: str) -> None:
        if isinstance(value, list):
            for number, one in enumerate(value):
                item(one, f"{place}[{number}]")

    return check


def _properties(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Check:
    known = {name: _compiled(one, document) for name, one in schema["properties"].items()}

    def check(value: Any, place: str) -> None:
        if isinstance(value, dict):
            for name in known.keys() & value.keys():
                known[name](value[name], f"{place}.{name}")

    return check


def _additional(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Check:
    known = schema.get("properties", {})
    other = schema["additionalProperties"]
    item = _compiled(other, document) if isinstance(other, dict) else None

    def check(value: Any, place: str) -> None:
        if not isinstance(value, dict):
            return
        for name in value.keys() - known.keys():
            if item is None:
                raise NotAdmitted(f"{_at(place)} has a member that is not known")
            item(value[name], f"{place}.*")  # a name that the host chose is not repeated

    return check


def _names(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Check:
    name = _compiled(schema["propertyNames"], document)

    def check(value: Any, place: str) -> None:
        if isinstance(value, dict):
            for one in value:
                name(one, f"{place}.*")

    return check


def _required(schema: Mapping[str, Any], _document: Mapping[str, Any]) -> Check:
    names = schema["required"]

    def check(value: Any, place: str) -> None:
        if isinstance(value, dict):
            for name in names:
                if name not in value:
                    raise NotAdmitted(f"{_at(place)} has no {name}")

    return check


def _any_of(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Check:
    choices = [_compiled(one, document) for one in schema["anyOf"]]

    def check(value: Any, place: str) -> None:
        if not any(_passes(one, value, place) for one in choices):
            raise NotAdmitted(f"{_at(place)} is not as it must be")

    return check


def _all_of(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Check:
    parts = [_compiled(one, document) for one in schema["allOf"]]

    def check(value: Any, place: str) -> None:
        for one in parts:
            one(value, place)

    return check


def _not(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Check:
    forbidden = _compiled(schema["not"], document)

    def check(value: Any, place: str) -> None:
        if _passes(forbidden, value, place):
            raise NotAdmitted(f"{_at(place)} is not as it must be")

    return check


def _if(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Check:
    condition = _compiled(schema["if"], document)
    met, unmet = (_compiled(schema.get(name, {}), document) for name in ("then", "else"))

    def check(value: Any, place: str) -> None:
        (met if _passes(condition, value, place) else unmet)(value, place)

    return check


_KEYWORDS: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Check]] = {
    "$ref": _reference,
    "type": _type,
    "enum": _enum,
    "const": _enum,
    "pattern": _pattern,
    "minLength": _bound("minLength", "is shorter than", lambda value, limit: len(value) >= limit),
    "maxLength": _bound("maxLength", "is longer than", lambda value, limit: len(value) <= limit),
    "minItems": _bound("minItems", "has fewer items than", lambda value, limit: len(value) >= limit),
    "maxItems": _bound("maxItems", "has more items than", lambda value, limit: len(value) <= limit),
    "minimum": _bound("minimum", "is less than", lambda value, limit: value >= limit),
    "maximum": _bound("maximum", "is more than", lambda value, limit: value <= limit),
    "exclusiveMinimum": _bound("exclusiveMinimum", "is not more than", lambda value, limit: value > limit),
    "items": _items,
    "properties": _properties,
    "additionalProperties": _additional,
    "propertyNames": _names,
    "required": _required,
    "anyOf": _any_of,
    "allOf": _all_of,
    "not": _not,
    "if": _if,
}

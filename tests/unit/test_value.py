"""Values: what is done with them gives the text that ``str`` gives, and each character keeps its origin."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.cbops.telemetry.plugins.module_utils.text._characters import EMPTY, Run, Value, joined

#: Pieces of a value: text of a file at a byte, text of no file, an unknown.
TEXT = st.text("ab% =\n$", max_size=6)
KNOWN = st.builds(Run, TEXT, st.sampled_from(["/a", "/b", None]), st.integers(0, 20), st.booleans())
UNKNOWN = st.builds(lambda reason, harmless: Run("", "/a", 3, False, reason, harmless), TEXT, st.booleans())
VALUES = st.lists(KNOWN, max_size=6).map(Value)
ANY = st.lists(KNOWN | UNKNOWN, max_size=6).map(Value)
NUMBERS = st.none() | st.integers(-40, 40)

Place = tuple[str, "str | None", int, bool]


def characters(value: Value) -> list[Place]:
    """Each character with its origin."""
    return [
        (char, run.path, run.position + offset, run.quoted) for run in value for offset, char in enumerate(run.text)
    ]


def unknowns(value: Value) -> list[Run]:
    """The unknowns in a value."""
    return [run for run in value if run.unknown]


@given(ANY, NUMBERS, NUMBERS)
def test_a_slice_is_that_of_the_text_and_of_the_origins(value: Value, start: int | None, end: int | None) -> None:
    assert value[start:end].text == value.text[start:end]
    assert characters(value[start:end]) == characters(value)[start:end]


@given(ANY, st.integers(0, 40))
def test_a_slice_is_known_where_all_before_its_end_is(value: Value, number: int) -> None:
    assert unknowns(value[number:]) == unknowns(value)
    assert unknowns(value[:]) == unknowns(value)
    before = 0
    for run in value:
        if run.unknown and (before < number or before == len(value.text)):
            assert run in unknowns(value[:number])
        elif run.unknown:
            assert run not in unknowns(value[:number])
        before += len(run.text)


def test_an_unknown_in_the_name_of_a_variable_stays_with_its_value() -> None:
    value = Value([Run("A"), Run("", unknown="the specifier %b"), Run("=true")])
    assert (value[2:].text, value[2:].unknown()) == ("true", "the specifier %b")


@given(ANY, ANY)
def test_a_sum_is_both_one_after_the_other(left: Value, right: Value) -> None:
    before = left.runs
    both = left + right
    assert both.text == left.text + right.text
    assert characters(both) == characters(left) + characters(right)
    assert unknowns(both) == unknowns(left) + unknowns(right)
    assert characters(left + [Run("x", "/c", 9)])[-1] == ("x", "/c", 9, False)
    assert left.runs is before


@given(ANY, st.sampled_from(["a", "%(.)", r"\$\$|b+", " *", "$", r"\Aa*"]), st.sampled_from(["", "xy"]))
@settings(max_examples=200)
def test_replaced_as_the_text_is_and_the_rest_keeps_its_origin(value: Value, pattern: str, instead: str) -> None:
    compiled = re.compile(pattern)
    new = value.replaced(compiled, lambda _match: [Run(instead, "/new", 0)])
    assert new.text == compiled.sub(instead, value.text)
    taken = {number for match in compiled.finditer(value.text) for number in range(*match.span())}
    kept = [place for number, place in enumerate(characters(value)) if number not in taken]
    assert [place for place in characters(new) if place[1] != "/new"] == kept
    assert unknowns(new) == unknowns(value)


def test_an_unknown_stands_before_what_is_put_in_behind_it() -> None:
    value = Value([Run("", unknown="?"), Run("${A}b")])
    new = value.replaced(re.compile(r"\$\{A\}"), lambda _match: Value.of("c"))
    assert [run.unknown or run.text for run in new] == ["?", "c", "b"]


@given(ANY)
def test_a_character_by_itself(value: Value) -> None:
    assert [characters(Value([value.origin(number)])) for number in range(len(value.text))] == [
        [place] for place in characters(value)
    ]
    with pytest.raises(IndexError):
        value.origin(len(value.text))


@given(VALUES)
def test_joined_runs_are_the_same_characters_in_the_fewest_runs(value: Value) -> None:
    single = [run.part(number, number + 1) for run in value for number in range(len(run.text))]
    runs: list[Run] = []
    joined(runs, single)
    assert characters(Value(runs)) == characters(value)
    for one, two in zip(runs, runs[1:]):
        follows = one.path is not None and (one.path, one.quoted, one.position + len(one.text)) == (
            two.path,
            two.quoted,
            two.position,
        )
        assert not follows


def test_what_is_known_of_a_value() -> None:
    host = Run("", "/a", 3, False, "a host name", True)
    value = Value([Run("x"), host, Run("", unknown="a variable")])
    assert (value.unknown(), value.unknown(True)) == ("a variable", "a host name")
    assert (Value([host]).unknown(), Value([host]).unknown(True)) == (None, "a host name")
    assert (Value.of("x").unknown(True), Value.unknown_for("why").unknown()) == (None, "why")


def test_an_unknown_and_an_empty_word_are_something() -> None:
    assert not EMPTY and not Value([])
    assert Value.of("") and Value.unknown_for("why")


def test_where_a_text_stands() -> None:
    value = Value.of("abc", "/etc/x", 5)[1:]
    assert characters(value) == [("b", "/etc/x", 6, False), ("c", "/etc/x", 7, False)]


def test_nobody_at_a_debugger_sees_its_content() -> None:
    assert "secret" not in repr([Run("secret", "/a", 1), Run("", unknown="secret"), Value.of("secret")])


@given(ANY, st.integers(0, 40), st.integers(0, 40), st.none() | st.booleans())
def test_the_known_characters_of_a_stretch(value: Value, start: int, end: int, quoted: bool | None) -> None:
    found = characters(Value(value.known(start, end, quoted)))
    if quoted is None:
        assert found == characters(value)[start:end]
    else:
        assert found == [(*place[:3], quoted) for place in characters(value)[start:end]]


@given(ANY, st.sampled_from(["/a", "/b"]), st.integers(0, 26))
def test_the_number_of_a_character_that_stands_in_a_file(value: Value, path: str, position: int) -> None:
    number = value.number_at(path, position)
    there = [at for at, place in enumerate(characters(value)) if place[1:3] == (path, position)]
    if number is None:
        assert not there
    elif number not in there:  # an unknown, or an empty word, stands there
        assert any((run.path, run.position, run.text) == (path, position, "") for run in value)

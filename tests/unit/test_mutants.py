"""What `make mutants` makes of a source, and that its lists name what there is."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import yaml

from tests.mutation import mutants
from tests.mutation.rooms import fast_tests, files_of
from tests.mutation.runner import tables_of

CHECKOUT = Path(__file__).parent.parent.parent
SOURCE = '''"""Text."""

LIMIT = 3


def f(a: int = 1) -> int:
    """Text."""
    if a == LIMIT and not a:
        raise ValueError("a sentence for people")
    return g(a, mode=0o600)
'''


def test_each_room_has_files_and_there_are_tests_of_them() -> None:
    assert all(files_of(CHECKOUT).values())
    assert "tests/unit/test_rules.py" in fast_tests(CHECKOUT)


def test_every_survivor_that_was_judged_is_named_once_and_has_a_reason() -> None:
    text = (CHECKOUT / "tests/mutation/survivors.yml").read_text(encoding="utf-8")
    judged = yaml.safe_load(text)
    assert len({one["mutant"] for one in judged}) == len(judged)
    assert all(one["mutant"].count(" | ") >= 3 and one["why"].startswith(("equal: ", "left: ")) for one in judged)


def test_what_is_changed() -> None:
    found = mutants.mutants_of("x.py", SOURCE)
    assert [(one.function, one.what) for one in found] == [
        ("", "3 -> 4"),
        ("", "1 -> 2"),
        ("f", "if a == LIMIT and (not a): True"),
        ("f", "if a == LIMIT and (not a): False"),
        ("f", "a == LIMIT and (not a): Or"),
        ("f", "a == LIMIT: NotEq"),
        ("f", "not a: without not"),
        ("f", "raise ValueError('a sentence for people'): deleted"),
        ("f", "return g(a, mode=384): None"),
        ("f", "g(): without mode="),
        ("f", "0o600 -> 0o666"),
    ]
    assert found[-1].name == "x.py | f | return g(a, mode=0o600) | 0o600 -> 0o666"


def test_each_mutant_is_another_program_in_one_place() -> None:
    plain = ast.unparse(ast.parse(SOURCE))
    seen = set()
    for one in mutants.mutants_of("x.py", SOURCE):
        mutants._all.cache_clear()
        made = ast.unparse(mutants.tree_of(SOURCE, one.index))
        compile(mutants._all(SOURCE)[0], "x.py", "exec")
        seen.add(made)
    assert plain not in seen and len(seen) == len(mutants.mutants_of("x.py", SOURCE))


def test_a_sample_is_the_same_for_the_same_seed() -> None:
    every = mutants.mutants_of("x.py", SOURCE)
    assert mutants.sample(every, 4, 1) == mutants.sample(list(reversed(every)), 4, 1)
    assert mutants.sample(every, 100, 1) == every


TABLES = """_A = ("a", "b")
_B = frozenset(_A)


class C:
    def f(self):
        return 1 in _B

    def g(self):
        return 2
"""


def test_a_table_of_a_module_is_made_again_with_what_is_made_of_it() -> None:
    tables = [tables_of(one, TABLES) for one in mutants.mutants_of("x.py", TABLES) if not one.function]
    assert len(tables) == 4
    for found in tables:
        assert found is not None and (found.statements, found.names, found.lines) == ([0, 1], {"_A", "_B"}, {7})


@pytest.mark.parametrize(
    "source",
    [
        TABLES.replace("_A", "A"),  # others import it
        TABLES.replace("self):", "self, of=_B):"),
        TABLES.replace("C:", "C:\n    b = _B"),
        TABLES.replace("C:", "C(_B):"),
        TABLES.replace("_B\n\n    def g", "0\n\n    def g"),  # no function names it
    ],
)
def test_what_more_depends_on_is_imported_anew(source: str) -> None:
    assert tables_of(mutants.mutants_of("x.py", source)[0], source) is None

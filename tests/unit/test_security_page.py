"""Every promise of docs/security.md names tests that are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

CHECKOUT = Path(__file__).parent.parent.parent
PAGE = (CHECKOUT / "docs/security.md").read_text(encoding="utf-8")


def named() -> list[tuple[str, str]]:
    """File and name of each test that the page names; ``::test_x`` is in the file that was named before it."""
    found, path = [], ""
    for name, test in re.findall(r"`([\w/]+\.py)?::(test_\w+)`", PAGE):
        if name:
            path = name if "/" in name else f"tests/hostile/{name}"
        found.append((path, test))
    return found


def test_the_tests_that_it_names_are_there() -> None:
    tests = named()
    assert len(tests) > 80
    there = {
        path: {
            node.name
            for node in ast.walk(ast.parse((CHECKOUT / path).read_text(encoding="utf-8")))
            if isinstance(node, ast.FunctionDef)
        }
        for path in {path for path, _name in tests}
    }
    assert not [f"{path}::{name}" for path, name in tests if name not in there[path]]


def test_every_hostile_test_stands_for_a_promise() -> None:
    """What attacks, and is in no row, would be promised nowhere."""
    there = {
        f"tests/hostile/{path.name}::{name}"
        for path in (CHECKOUT / "tests/hostile").glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    without = there - {f"{path}::{name}" for path, name in named()} - set(ABOUT_OPTIONS)
    assert not without


#: What is tested beside the attacks.
ABOUT_OPTIONS = (
    "tests/hostile/test_budget.py::test_a_limit_that_is_none_is_named",
    "tests/hostile/test_jvm.py::test_an_agent_beside_its_controller_is_no_controller",
)

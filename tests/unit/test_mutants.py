"""What `make mutants` makes of a source, and that its lists name what there is."""

from __future__ import annotations

import ast
import importlib
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.mutation import mutants
from tests.mutation.marks import Marks, marked
from tests.mutation.rooms import fast_tests, files_of
from tests.mutation.runner import Children, by_the_clock, result_of, tables_of
from tests.mutation.score import Score, score_of

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


# -- which test runs which line -----------------------------------------------------------------------

RUN = '''"""Text."""

from __future__ import annotations


class C:
    """Text."""

    __own = 1

    def f(self, rows):
        """Text."""
        for row in rows:
            if (
                row == 20
            ):
                return self.__own
            elif row == 30:
                yes = lambda: (
                    1)
                return yes()
            try:
                int(row)
            except TypeError:
                row = 0
            else:
                continue
            finally:
                rows = ()
        while False:
            pass
        return None
'''


@pytest.fixture
def marks(tmp_path: Path) -> Iterator[Marks]:
    found = Marks({"marked_for_test": ("x.py", str(tmp_path / "x.py"), RUN)})
    sys.meta_path.insert(0, found)
    yield found
    sys.meta_path.remove(found)
    sys.modules.pop("marked_for_test", None)


def test_what_only_a_late_call_runs_is_known_to_be_run(marks: Marks) -> None:
    method = importlib.import_module("marked_for_test").C().f
    marks.begin()
    assert marks.lines() == {}
    for _ in range(1000):
        method([1])
    early = marks.lines()["x.py"]
    assert set(early) == {13, *(14, 15, 16), 18, 22, 23, 24, 27, 29, 30, 32}
    method([30])
    assert set(marks.lines()["x.py"]) - set(early) == {19, 20, 21}
    marks.clear()
    method([20])
    assert marks.lines() == {"x.py": [13, 14, 15, 16, 17]}
    marks.clear()
    method([None])
    assert 25 in marks.lines()["x.py"] and 27 not in marks.lines()["x.py"]


def test_what_a_test_forks_counts_as_the_test(marks: Marks) -> None:
    method = importlib.import_module("marked_for_test").C().f
    marks.begin()
    pid = os.fork()
    if not pid:
        method([20])
        os._exit(0)
    os.waitpid(pid, 0)
    assert marks.lines()["x.py"][-1] == 17


def test_with_marks_a_file_is_the_program_it_was_and_every_mutant_of_a_function_has_one() -> None:
    for file in (files[0] for files in files_of(CHECKOUT).values()):
        source = (CHECKOUT / file).read_text(encoding="utf-8")
        tree, places = marked(source)
        compile(tree, file, "exec", dont_inherit=True)
        in_places = {line for lines in places for line in lines}
        run = [one for one in mutants.mutants_of(file, source) if one.function]
        assert all(in_places.intersection(one.lines) for one in run), file

        class Unmarked(ast.NodeTransformer):
            def visit_Assign(self, node: ast.Assign) -> ast.AST | None:
                return None if ast.unparse(node).startswith("__marks__[") else node

        assert ast.dump(Unmarked().visit(tree)) == ast.dump(ast.parse(source)), file


# -- how a mutant ends ------------------------------------------------------------------------------


def _loop(_folder: Path) -> str:
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + 1, resource.RLIM_INFINITY))
    while True:
        pass


def _works(_folder: Path) -> str:
    until = time.process_time() + 1.5
    while time.process_time() < until:
        pass
    return "-"


def _waits(_folder: Path) -> str:
    time.sleep(600)
    return "-"


def _holds(_folder: Path) -> str:
    if not os.fork():
        time.sleep(600)
    os._exit(3)


def _is_ended(_folder: Path) -> str:
    os.kill(os.getpid(), signal.SIGKILL)
    return "-"


@pytest.mark.parametrize(
    ("work", "text"),
    [
        (_loop, "cpu"),
        (_works, "-"),
        (_waits, "open: it waits"),
        (_holds, "died"),
        (lambda _folder: os._exit(3), "died"),
        (_is_ended, "open: it was ended by another"),
        (lambda _folder: "tests/x.py::y", "tests/x.py::y"),
    ],
)
def test_cpu_kills_and_the_clock_does_not(work: Callable[[Path], str], text: str, tmp_path: Path) -> None:
    found: list[str] = []
    children = Children(1, tmp_path, idle=0.5)
    children.start(work, found.append)
    children.wait()
    assert found == [text]


@pytest.mark.parametrize(
    ("message", "clock"),
    [
        ("subprocess.TimeoutExpired: Command 'bash' timed out after 10 seconds", True),
        ("hypothesis.errors.DeadlineExceeded: Test took 300ms", True),
        ("TimeoutError: timed out", True),
        ("AssertionError: assert 'TimeoutExpired: x' == 'y'", False),
        ("assert 1 == 2", False),
        ("", False),
    ],
)
def test_a_test_that_fails_by_the_clock_kills_nothing(message: str, clock: bool) -> None:
    assert by_the_clock(message) is clock


def test_what_is_open_is_neither_killed_nor_survives() -> None:
    mutant = mutants.mutants_of("x.py", SOURCE)[0]
    ended = [result_of(mutant, text, 1) for text in ("-", "a::b", "cpu", "died", "open: it waits")]
    assert [(one.killed_by, one.open) for one in ended] == [
        ("", ""),
        ("a::b", ""),
        ("cpu", ""),
        ("died", ""),
        ("", "it waits"),
    ]
    assert score_of((one.killed_by, bool(one.open), "left: x") for one in ended) == Score(3, 1, 0, 1)
    assert score_of([("", False, "equal: x"), ("", True, "equal: x"), ("t", False, "equal: x")]) == Score(1, 0, 2, 0)


@pytest.mark.parametrize(
    ("score", "below"),
    [
        (Score(17, 3), False),
        (Score(16, 3), True),
        (Score(18, 0, 30, 2), False),
        (Score(17, 0, 30, 2), True),
        (Score(0, 0, 0, 9), True),
    ],
)
def test_a_room_of_which_much_is_open_shows_nothing(score: Score, below: bool) -> None:
    assert score.below is below

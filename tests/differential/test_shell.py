"""The engine against bash and dash on generated launch files; ``CBOPS_DIFFERENTIAL=20000`` makes it a long run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings

from .compare import check
from .grammar import Case, cases
from .real import Machine
from .run import describe, processes, run

CASES = int(os.environ.get("CBOPS_DIFFERENTIAL", "600"))
SHARE = 5  # of a hundred cases that a static reader can know, so many may be unresolvable at most

pytestmark = pytest.mark.skipif(not (shutil.which("bash") and shutil.which("dash")), reason="needs bash and dash")


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """A folder to start launch scripts in."""
    machine = Machine()
    yield machine
    machine.close()


def test_the_engine_agrees_with_the_shells_before_and_after_its_edits() -> None:
    report = run(CASES, processes=processes() if CASES > 1000 else 1)
    print(report.table())
    assert not report.disagreements, describe(report)
    assert report.known.share <= SHARE, report.table()


@settings(
    max_examples=100,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(cases())
def test_hypothesis_finds_no_disagreement(machine: Machine, case: Case) -> None:
    assert check(machine, case).disagreements == ()

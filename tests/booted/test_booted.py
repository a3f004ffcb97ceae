"""A sample of ``make test-booted``: the collected cases and some made ones, started by booted systemds.

``CBOPS_BOOTED=1000`` makes it a long run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from .cases import collected
from .grammar import sample
from .hosts import Failed, fleet, run
from .judge import Report, report

CASES = int(os.environ.get("CBOPS_BOOTED", "40"))
#: Of a hundred cases that a static reader can know, so many may be unknown, and so many edits refused: no way out.
UNKNOWN, REFUSED = 10, 15


@pytest.fixture(scope="module")
def found() -> Iterator[Report]:
    """What came of the cases, on all hosts at the same time."""
    try:
        with fleet():
            yield report(run([*collected(), *map(sample, range(CASES))]))
    except Failed as error:
        pytest.fail(str(error))


def test_what_the_product_says_is_what_starts_before_and_after_its_edits(found: Report) -> None:
    print(found.table())
    assert not found.disagreements, found.describe()


def test_unknown_is_no_way_out(found: Report) -> None:
    assert found.kinds["all"]["cases"] == CASES + len(collected())
    assert found.share() <= UNKNOWN, found.table()
    assert found.refused() <= REFUSED, found.table()
    assert found.kinds["a static reader can know"]["disabled"], "and the flag is seen"

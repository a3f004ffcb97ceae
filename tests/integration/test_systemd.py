"""The engine against the systemds of three Debian releases: a sample of what `make test-differential` runs."""

from __future__ import annotations

import os
from pathlib import Path

from fleethand import FLEET, Fleet

from tests.differential.units import describe, run

UNITS = int(os.environ.get("CBOPS_UNITS", "240"))
SHARE = 8  # of a hundred units that start a JVM, so many may be unresolvable at most; some have folders nobody can know


def test_the_engine_agrees_with_systemd_before_and_after_its_edits(fleet: Fleet, tmp_path: Path) -> None:
    assert fleet.hosts
    report = run(UNITS, 0, [FLEET], tmp_path)
    print(report.table())
    assert not report.disagreements, describe(report)
    assert report.share <= SHARE, report.table()
    assert report.planned > UNITS / 3
    assert report.verified > UNITS / 12, "systemd-analyze verify looked at our drop-ins"

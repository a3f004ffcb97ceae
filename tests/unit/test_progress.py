"""The line that shows how far a run is."""

from __future__ import annotations

import pytest

from ansible_collections.cbops.telemetry.plugins.callback.progress import line


@pytest.mark.parametrize(
    ("done", "violations", "elapsed", "text"),
    [
        (0, 0, 5.0, "Audit: 0/120 hosts, 0 violations so far"),
        (12, 1, 10.0, "Audit: 12/120 hosts, 1 violation so far, about 1:30 left"),
        (119, 3, 119.0, "Audit: 119/120 hosts, 3 violations so far, about 0:01 left"),
        (120, 3, 100.0, "Audit: 120/120 hosts, 3 violations so far"),
    ],
)
def test_line(done: int, violations: int, elapsed: float, text: str) -> None:
    assert line("Audit", done, 120, violations, elapsed, 200) == text
    assert line("Audit", done, 120, violations, elapsed, 30) == text[:29], "the last column would begin a new line"

"""Fixtures of the unit tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from hostroot import Host


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host with nothing installed, in a temporary folder."""
    return Host(tmp_path)

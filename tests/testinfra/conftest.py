"""`pytest tests/testinfra`, where the suite is not installed: what it adds to pytest is taken from this folder."""

from __future__ import annotations

import filecmp
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent / "secondopinion"

# The suite's own tests need no fleet and are no part of a fleet's verdict: run them by their path.
collect_ignore = ["selftest"]


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    if "secondopinion" not in sys.modules:
        sys.path.insert(0, str(HERE.parent))
    from secondopinion import plugin

    installed = Path(plugin.__file__).parent
    names = [path.name for path in HERE.iterdir() if path.is_file()]
    if installed != HERE and filecmp.cmpfiles(HERE, installed, names, shallow=False)[0] != names:
        raise pytest.UsageError(
            f"another version of this suite is installed, in {installed}: run that one (pytest --pyargs secondopinion),"
            " leave it out (-p no:telemetry), or install this one (pip install)"
        )
    if not pluginmanager.is_registered(plugin):
        pluginmanager.register(plugin, "telemetry")

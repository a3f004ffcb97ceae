"""Fixtures of the unit tests."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from hostroot import Host

from ansible_collections.cbops.telemetry.plugins import module_utils, modules, plugin_utils

# What imports late must not do so for the first time once a test has had Ansible load a plugin of its own: its importer
# does not know of a collection that was there before it.
for package in (module_utils, plugin_utils):
    for file in sorted(file for folder in package.__path__ for file in Path(folder).glob("*/_[!_]*.py")):
        importlib.import_module(f"{package.__name__}.{file.parent.name}.{file.stem}")
for file in sorted(Path(list(modules.__path__)[0]).glob("[!_]*.py")):
    importlib.import_module(f"{modules.__name__}.{file.stem}")


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host with nothing installed, in a temporary folder."""
    return Host(tmp_path)

"""Fixtures of the hostile tests: a small fleet on which a host, or somebody who may log in there, attacks."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from attacker import PROFILE, PROGRAMS, Site
from fleethand import up


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the attackers' programs, compiled; static, so that they run on every host."""
    folder = tmp_path_factory.mktemp("programs")
    for source in PROGRAMS.glob("*.c"):
        subprocess.run(["gcc", "-static", "-O1", "-o", str(folder / source.stem), str(source)], check=True)
    return folder


@pytest.fixture(scope="module")
def site(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A fleet as new, with an ordinary user on every host."""
    with up(PROFILE) as facts:
        found = Site(facts, tmp_path_factory.mktemp("hostile"), profile=PROFILE)
        found.programs = programs
        for host in found.hosts:
            found.add_user(host)
        yield found


@pytest.fixture(autouse=True)
def _only_what_the_test_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the user's own environment reaches the playbooks."""
    for name in [name for name in os.environ if name.startswith("ANSIBLE_")]:
        monkeypatch.delenv(name)

"""Fixtures of the integration tests: the embedded fleet with its ten hosts on three Debian releases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fleethand import Fleet, up


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """A fleet as new: hosts with untouched packages, their JVMs running, telemetry on.

    Where the tests' file says BOTH_CARRIERS, each audit is made by ordinary modules too and must come to the same. Where
    it says HOSTS, the fleet has these alone: a host costs 1.4 seconds of CPU to boot, and some all the time.
    """
    with up("test", *getattr(request.module, "HOSTS", ())) as facts:
        yield Fleet(facts, tmp_path_factory.mktemp("fleet"), getattr(request.module, "BOTH_CARRIERS", False))


@pytest.fixture(autouse=True)
def _reports_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the user's own environment reaches the playbooks."""
    for name in ("ANSIBLE_CONFIG", "ANSIBLE_INVENTORY", "ANSIBLE_VAULT_PASSWORD_FILE", "ANSIBLE_STDOUT_CALLBACK"):
        monkeypatch.delenv(name, raising=False)

"""Fixtures of the integration tests: the embedded fleet with its ten hosts on three Debian releases."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from fleethand import CHECKOUT, Fleet


def _fleet(*arguments: str, timeout: int = 900) -> None:
    done = subprocess.run([str(CHECKOUT / "tests/fleet/fleet"), *arguments], capture_output=True, text=True,
                          timeout=timeout, check=False)
    if done.returncode:
        pytest.fail(f"the embedded fleet is needed for these tests: {(done.stderr or done.stdout).strip()}")


@pytest.fixture(scope="session")
def running_fleet() -> Iterator[None]:
    """The fleet is up while the session lasts."""
    _fleet("check")
    _fleet("up", "test")
    yield
    _fleet("down", "test")


@pytest.fixture(scope="module")
def fleet(running_fleet: None, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Fleet:
    """A fleet as new: hosts with untouched packages, their JVMs running, telemetry on.

    Where the tests' file says BOTH_CARRIERS, each audit is made by ordinary modules too and must come to the same.
    """
    _fleet("up", "test", "--fresh")
    facts = json.loads((CHECKOUT / ".fleet/test/hosts.json").read_text())
    return Fleet(facts, tmp_path_factory.mktemp("fleet"), getattr(request.module, "BOTH_CARRIERS", False))


@pytest.fixture(autouse=True)
def _reports_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the user's own environment reaches the playbooks."""
    for name in ("ANSIBLE_CONFIG", "ANSIBLE_INVENTORY", "ANSIBLE_VAULT_PASSWORD_FILE", "ANSIBLE_STDOUT_CALLBACK"):
        monkeypatch.delenv(name, raising=False)

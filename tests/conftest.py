"""Some workers share the whole run: each file of tests is one worker's, and so is a room that uses the machine's disks.

The fleets of a worker are its own, whichever of its files use them (tests/fleet/hosts.py makes copies of a profile), so
any worker takes any file. What takes longest comes first.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["CBOPS_FLEET_COPY"] = os.environ["PYTEST_XDIST_WORKER"]

# Where Python must not keep what it compiled (containers are set up so), each of some thousand Pythons and playbooks of a
# run compiles the collection again, and makes the program for the hosts again: a third of a playbook's CPU.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

#: Rooms whose files do not stand alone: they have one fleet, or folders of the machine, for all of them.
ROOMS = ("tests/booted", "tests/faults", "tests/faults_enforce", "tests/probe_lab")
#: What begins first, the longest first. The next ones need no fleet: the first builds what fleets are made of.
FIRST = (
    "tests/integration/test_roll_back.py",
    "tests/faults",
    "tests/lint/test_lint.py",
    "tests/differential/test_parsers.py",
    "tests/differential/test_shell.py",
    "tests/browser/test_page.py",
    "tests/hostile/test_gitops.py",
    "tests/integration/test_plan.py",
    "tests/integration/test_as_a_collection.py",
    "tests/hostile/test_evidence.py",
    "tests/hostile/test_gate.py",
    "tests/hostile/test_doors.py",
    "tests/integration/test_proof.py",
    "tests/integration/test_careful_restart.py",
    "tests/integration/test_gitops_pull.py",
    "tests/integration/test_carrier.py",
    "tests/integration/test_audit_evidence.py",
    "tests/faults_enforce",
    "tests/hostile/test_jvm.py",
    "tests/hostile/test_held.py",
    "tests/integration/test_bad_input.py",
    "tests/integration/test_make.py",
    "tests/integration/test_prove.py",
    "tests/hostile/test_budget.py",
    "tests/integration/test_clock_table.py",
    "tests/integration/test_services.py",
    "tests/integration/test_found.py",
    "tests/integration/test_pipelines.py",
    "tests/booted",
    "tests/probe_lab",
    "tests/integration/test_login.py",
)
#: Last, where what is left is shared out best.
LAST = ("tests/unit/", "tests/testinfra/")


def scope_of(nodeid: str) -> str:
    """What a test is handed out with."""
    path = nodeid.split("::", 1)[0]
    room = "/".join(path.split("/")[:2])
    return room if room in ROOMS else path


class Rooms(LoadScopeScheduling):
    """Hands out files and rooms in the order in which they were collected."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Rooms:
    """What `-n 4` uses, whatever `--dist` says: any other order would boot a fleet under another test of its file."""
    return Rooms(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The longest first, where there are several workers."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        order = {scope: number for number, scope in enumerate(FIRST)}
        items.sort(key=lambda item: (item.nodeid.startswith(LAST), order.get(scope_of(item.nodeid), len(order))))

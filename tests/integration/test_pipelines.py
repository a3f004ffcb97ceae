"""The steps of the pipelines in examples/, one after the other, on the embedded fleet."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fleethand import BIN, CHECKOUT, Fleet, place

SCRIPT = CHECKOUT / "examples/telemetry.sh"
HOSTS = ("bookworm-cm-deb", "trixie-oc-rpm")


@pytest.fixture
def step(fleet: Fleet, tmp_path: Path) -> Callable[..., int]:
    """A step of a pipeline in a folder of its own; ``reach`` is more that stands beside the policy."""
    # What the repository of a policy holds is data; how the hosts are reached stands beside it.
    inventory = fleet.inventory({host: {} for host in HOSTS}, telemetry_restart="now", ansible_ssh_common_args=None)
    beside = tmp_path / "beside.json"

    def run(name: str, reach: dict[str, Any] | None = None, **more: str) -> int:
        beside.write_text(
            json.dumps({"ansible_ssh_common_args": f"-F {place(fleet.profile)}/ssh_config", **(reach or {})})
        )
        done = fleet.inside(
            "sh",
            str(SCRIPT),
            name,
            cwd=tmp_path,
            environment={
                "TELEMETRY_INVENTORY": str(inventory),
                "TELEMETRY_VARIABLES": str(beside),
                "PATH": f"{BIN}:/usr/bin:/bin:/usr/sbin:/sbin",
                "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".build/collections"),
                **more,
            },
        )
        print(done.stdout, done.stderr)
        return done.returncode

    return run


def test_plan_enforce_and_audit(fleet: Fleet, tmp_path: Path, step: Callable[..., int]) -> None:
    """What a pull request, a merge and a night do, in the repository of a policy."""
    before = fleet.launch_files()
    assert step("check") == 0
    assert step("audit") == 2, "the policy is not met yet"
    for ending in ("json", "html", "junit.xml", "sarif", "prom", "md"):
        assert (tmp_path / f"reports/audit.{ending}").stat().st_size
    assert step("plan") == 0
    plan = (tmp_path / "reports/plan.md").read_text()
    assert all(host in plan for host in HOSTS)
    assert fleet.launch_files() == before, "nothing is changed by a pull request"
    assert step("enforce", TELEMETRY_PLAN="reports/plan.json") == 0
    assert fleet.launch_files() != before
    assert step("audit") == 0
    totals = json.loads((tmp_path / "reports/audit.json").read_text())["totals"]
    assert totals["compliant"] == len(HOSTS)


def test_a_key_that_cannot_become_root_sees_less_and_says_so(
    fleet: Fleet, tmp_path: Path, step: Callable[..., int]
) -> None:
    """The hosts are as wanted by now; without root that is not known, and so it is not said."""
    before = fleet.launch_files()
    weak = {"ansible_become": False}
    assert step("audit", weak) == 2
    audit = json.loads((tmp_path / "reports/audit.json").read_text())
    assert audit["totals"]["unknown"] == len(HOSTS), audit["totals"]
    step("plan", weak)
    plan = json.loads((tmp_path / "reports/plan.json").read_text())
    print(json.dumps(plan, indent=1))
    assert step("enforce", weak) == 2
    assert fleet.launch_files() == before

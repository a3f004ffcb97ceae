"""The steps of the pipelines in examples/, one after the other, on the embedded fleet."""

from __future__ import annotations

import json
from pathlib import Path

from fleethand import BIN, CHECKOUT, Fleet

SCRIPT = CHECKOUT / "examples/telemetry.sh"
HOSTS = ("bookworm-cm-deb", "trixie-oc-rpm")


def test_plan_enforce_and_audit(fleet: Fleet, tmp_path: Path) -> None:
    """What a pull request, a merge and a night do, in the repository of a policy."""
    # What the repository of a policy holds is data; how the hosts are reached stands beside it.
    inventory = fleet.inventory({host: {} for host in HOSTS}, telemetry_restart="now", ansible_ssh_common_args=None)
    reach = tmp_path / "reach.json"
    reach.write_text(json.dumps({"ansible_ssh_common_args": f"-F {CHECKOUT}/.fleet/{fleet.profile}/ssh_config"}))
    environment = {"TELEMETRY_INVENTORY": str(inventory), "TELEMETRY_VARIABLES": str(reach),
                   "PATH": f"{BIN}:/usr/bin:/bin:/usr/sbin:/sbin",
                   "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1",
                   "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".build/collections")}

    def step(name: str, **more: str) -> int:
        done = fleet.inside("sh", str(SCRIPT), name, cwd=tmp_path, environment={**environment, **more})
        print(done.stdout, done.stderr)
        return done.returncode

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

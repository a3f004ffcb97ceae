"""The commands of the README, as a newcomer runs them."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from fleethand import CHECKOUT, FLEET
from schemas import validate

from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._manual import PAGE, entry_of

TABLE = ("host", "product", "on_disk", "next_start", "running", "connectivity", "verdict")


def make(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run make in the checkout."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
        env=environment,
        stdin=subprocess.DEVNULL,
        **options,
    )


def report() -> dict[str, str]:
    """Verdict by host of the last report."""
    document = json.loads((CHECKOUT / "reports/audit.json").read_text())
    return {item["host"]: item["verdict"] for item in document["hosts"]}


@pytest.fixture(scope="module")
def _demo() -> Iterator[None]:
    subprocess.run([FLEET, "down", "demo"], check=True, capture_output=True, timeout=120)
    yield
    subprocess.run([FLEET, "down", "demo"], check=True, capture_output=True, timeout=120)


def test_the_tutorial(_demo: None) -> None:
    """Each command of the tutorial, in its order, with what the page says of it."""
    shutil.rmtree(CHECKOUT / "reports", ignore_errors=True)
    page = (CHECKOUT / "docs/tutorial.md").read_text(encoding="utf-8")
    commands = [shlex.split(command) for command in re.findall(r"^make (.+)$", page, re.M)]
    assert commands == [
        ["audit"],
        ["plan"],
        ["enforce"],
        ["audit"],
        ["probe"],
        ["enforce", "ARGS=-e telemetry_restart=now"],
        ["verify"],
        ["report"],
        ["down"],
    ]
    first = make("audit")
    assert first.returncode == 2, first.stdout + first.stderr
    assert any(line.split() == list(TABLE) for line in first.stdout.splitlines())
    verdicts = report()
    assert set(verdicts) == {"oc1", "cm1", "cm2", "cm3", "oss1", "script1"}
    assert verdicts["cm2"] == "restart_pending"
    assert verdicts["cm1"] == "violation"
    recorded = [json.loads(path.read_text())["reasons"] for path in (CHECKOUT / "reports/evidence").glob("*.json")]
    assert {entry_of(reason) for reasons in recorded for reason in reasons} == {
        "flag-not-as-wanted",
        "flag-without-effect",
        "restart-owed",
    }
    assert "JENKINS_JAVA_OPTIONS" not in first.stdout or "has no effect" in first.stdout

    assert f"what each reason means, and what to do: {PAGE}\n" in first.stdout

    planned = make("plan")
    assert planned.returncode == 0, planned.stdout
    assert (CHECKOUT / "reports/plan.md").stat().st_size and (CHECKOUT / "reports/plan.json").stat().st_size
    enforced = make("enforce")
    assert enforced.returncode == 0, enforced.stdout
    second = make("audit")
    assert second.returncode == 0, second.stdout
    assert set(report().values()) <= {"compliant", "restart_pending"}

    probed = make("probe")
    assert probed.returncode == 0
    assert probed.stdout.count("succeeded!") >= len(verdicts)

    assert make("enforce", "ARGS=-e telemetry_restart=now").returncode == 0
    assert set(report().values()) == {"compliant"}
    verified = make("verify", "ARGS=-q")
    assert verified.returncode == 0, verified.stdout
    assert make("report").returncode == 0
    assert f'"page":"{PAGE}"' in (CHECKOUT / "reports/report.html").read_text(encoding="utf-8")


def test_an_inventory_of_ones_own_starts_nothing() -> None:
    """With INVENTORY the demo is not started; the hosts are the inventory's, here over a local connection."""
    subprocess.run([FLEET, "down", "demo"], check=True, capture_output=True, timeout=120)
    done = make("audit", "INVENTORY=localhost,", "ARGS=-c local -e telemetry_desired=unmanaged")
    assert done.returncode == 0, done.stdout + done.stderr
    assert report() == {"localhost": "not_applicable"}
    running = subprocess.run([FLEET, "list"], capture_output=True, text=True, check=True).stdout
    assert "demo" not in running


def test_make_plan_lists_and_writes() -> None:
    """`make plan` with an inventory of one's own, here this machine and nothing to do."""
    done = make("plan", "INVENTORY=localhost,", "ARGS=-c local -e telemetry_desired=unmanaged")
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads((CHECKOUT / "reports/plan.json").read_text())
    validate(document)
    assert [(entry["host"], entry["enforced"]) for entry in document["hosts"]] == [("localhost", False)]


def test_where_the_fleet_cannot_run_it_is_said_in_one_line(tmp_path: Path) -> None:
    """A user who is not root gets the reason and the way to audit this machine itself."""
    # A user namespace without a mapping: nobody by number, and still able to read a checkout of root's.
    done = subprocess.run(
        ["unshare", "--user", "/usr/bin/python3", FLEET, "check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert len((done.stdout + done.stderr).strip().splitlines()) == 1
    assert "root" in done.stdout + done.stderr
    # The target itself, with a checker that says no: the recipe must stop there and name the way out.
    stub = tmp_path / "fleet"
    stub.write_text("#!/bin/sh\necho 'fleet: not root' >&2\nexit 3\n")
    stub.chmod(0o755)
    refused = make("audit", f"fleet={stub}")
    assert refused.returncode == 2
    assert "fleet: not root -- to audit this machine itself: make audit INVENTORY=localhost," in refused.stderr


def test_help_lists_every_target() -> None:
    listed = make("help").stdout
    for target in (
        "audit",
        "plan",
        "enforce",
        "probe",
        "report",
        "verify",
        "test",
        "test-unit",
        "matrix",
        "lint",
        "clean-fleet",
    ):
        assert f"make {target} " in listed

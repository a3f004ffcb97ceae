"""The playbook ledger, on evidence of a planted fleet and stand-in operations centers: what it shows, writes, ends with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from operationscenter import TOKEN, USER, controller, serving
from plantedfleet import controller_state, evidence
from schemas import validate

CHECKOUT = Path(__file__).parent.parent.parent
BIN = Path(sys.executable).parent


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """Evidence of one controller, and an inventory of two hosts."""
    (tmp_path / "root").mkdir()
    found = evidence("a.example", controller_state(tmp_path / "root"))
    (tmp_path / "reports/evidence").mkdir(parents=True)
    (tmp_path / "reports/evidence/a.example.json").write_text(json.dumps(found.document))
    return tmp_path / "reports"


def run(reports: Path, playbook: str = "ledger", *more: str, **variables: Any) -> tuple[int, str, dict[str, Any]]:
    """The playbook's exit code, what it printed at -vvvv (no token in it), and the ledger."""
    inventory = reports.parent / "inventory.yml"
    hosts = {"a.example": {"telemetry_installations": ["other"]}, "b.example": {}}
    inventory.write_text(yaml.safe_dump({"all": {"hosts": hosts, "vars": {"telemetry_max_age": "never", **variables}}}))
    done = subprocess.run(
        [str(BIN / "ansible-playbook"), f"cbops.telemetry.{playbook}", "-i", str(inventory), "-vvvv", *more],
        capture_output=True,
        text=True,
        check=False,
        cwd=reports.parent,
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".build/collections"),
            "ANSIBLE_LOCAL_TEMP": str(reports.parent / "tmp"),
            "OC_TOKEN": TOKEN,
        },
    )
    printed = done.stdout + done.stderr
    assert TOKEN not in printed
    path = reports / f"{playbook}.json"
    document = json.loads(path.read_text()) if path.exists() else {}
    if document:
        assert TOKEN not in path.read_text()
        validate(document)
    return done.returncode, printed, document


def test_coverage_is_met_or_not(reports: Path) -> None:
    with serving(controller("a"), controller("b")) as center:
        centers = [
            {
                "url": center.url,
                "user": USER,
                "token": "{{ lookup('ansible.builtin.env', 'OC_TOKEN') }}",
                "allow_http": True,
            }
        ]
        code, printed, document = run(reports, telemetry_operations_centers=centers, telemetry_min_coverage=100)
        assert code == 2
        assert "coverage: 50 % (1 of 2 controllers audited" in printed
        assert f"b ({center.url}): b.example is in the inventory, and its verdict is unknown" in printed
        assert "a.example: runs cloudbees-core-cm; lacks other" in printed
        assert document["coverage"]["percent"] == 50
        code, printed, _document = run(reports, telemetry_operations_centers=centers)
        assert code == 0, printed
        code, _printed, document = run(reports, telemetry_operations_centers=centers, telemetry_max_age=3)
        assert document["coverage"]["audited"] == 0, "nobody knows how old that evidence is"


def test_what_was_not_asked_is_unknown_and_fails_the_gate(reports: Path) -> None:
    code, printed, document = run(reports, telemetry_min_coverage=50)
    assert code == 2
    assert "coverage: unknown" in printed
    assert document["coverage"]["percent"] is None
    with serving() as center:
        center.status = 403
        code, printed, _document = run(
            reports, telemetry_operations_centers=[{"url": center.url}], telemetry_min_coverage=0
        )
    assert code == 2
    assert "answers 403 to anonymous" in printed


def test_a_report_has_the_figure_and_the_gate(reports: Path) -> None:
    with serving(controller("a"), controller("b")) as center:
        centers = [
            {
                "url": center.url,
                "user": USER,
                "token": "{{ lookup('ansible.builtin.env', 'OC_TOKEN') }}",
                "allow_http": True,
            }
        ]
        given = {"telemetry_operations_centers": centers, "telemetry_fail_on": []}
        code, printed, document = run(reports, "report", **given, telemetry_min_coverage=51)
        assert code == 2, printed
        assert "coverage: 50 % (1 of 2 controllers audited" in printed
        assert document["coverage"]["ghosts"] == [f"b ({center.url})"]
        code, printed, document = run(reports, "report", **given)
        assert code == 0, printed
        assert document["coverage"]["percent"] == 50
        code, printed, document = run(reports, "report", "--limit", "a.example", **given, telemetry_min_coverage=100)
        assert code == 0, printed
        assert "coverage" not in document
        said = "telemetry_min_coverage is not looked at: this is a part of the inventory, which has no coverage"
        assert f"note: {said}" in printed and said in document["notes"]
        code, printed, document = run(reports, "report", "--limit", "a.example", **given)
        assert "min_coverage" not in printed, "nothing was wanted"


@pytest.mark.parametrize(
    ("more", "held"),
    [
        (("-e", "telemetry_slice=2/4"), False),
        (("-e", "telemetry_slice=2/4", "--limit", "a.example"), False),
        (("--limit", "a.example"), True),
        (("-e", "telemetry_hosts=a.example"), True),
    ],
)
def test_the_ledger_of_a_part_names_nobody_who_is_in_another(reports: Path, more: tuple[str, ...], held: bool) -> None:
    """Nor is it let through: whoever wants a coverage gets none here. Of a slice the ledger on all has the gate."""
    with serving(controller("a"), controller("b")) as center:
        token = "{{ lookup('ansible.builtin.env', 'OC_TOKEN') }}"
        centers = [{"url": center.url, "user": USER, "token": token, "allow_http": True}]
        variables = {"telemetry_operations_centers": centers, "telemetry_min_coverage": 100}
        code, printed, document = run(reports, "ledger", *more, **variables)
        assert code == (2 if held else 0), printed
        assert ("telemetry_min_coverage is 100 %" in printed) is held
        assert "known, and not audited" not in printed
        assert "coverage: unknown (1 audited of at least 2 known; the ledger is of a part of the inventory" in printed
        assert document["coverage"]["percent"] is None
        assert [one["name"] for one in document["controllers"]] == ["a"]


@pytest.mark.parametrize(
    "more", [("-e", "telemetry_hosts=all"), ("-e", "telemetry_hosts=a.*,b.*"), ("--limit", "all"), ("--limit", "*")]
)
@pytest.mark.parametrize("playbook", ["ledger", "report"])
def test_all_of_the_inventory_is_no_part_whatever_words_choose_it(
    reports: Path, playbook: str, more: tuple[str, ...]
) -> None:
    with serving(controller("a"), controller("b")) as center:
        token = "{{ lookup('ansible.builtin.env', 'OC_TOKEN') }}"
        centers = [{"url": center.url, "user": USER, "token": token, "allow_http": True}]
        given: dict[str, Any] = {"telemetry_operations_centers": centers, "telemetry_fail_on": []}
        code, printed, document = run(reports, playbook, *more, **given)
        assert code == 0, printed
        assert document["coverage"]["percent"] == 50
        code, printed, _document = run(reports, playbook, *more, **given, telemetry_min_coverage=51)
        assert code == 2 and "telemetry_min_coverage is 51 %" in printed


AWX_SLICE = {
    "awx_job_id": 12,
    "awx_workflow_job_id": 11,
    "awx_workflow_job_name": "audit",
    "awx_job_template_name": "audit",
}


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ({"telemetry_slice": {"number": 2, "of": 4, "job": "n"}}, "slice 2 of 4 (n)"),
        (AWX_SLICE, "a slice (AWX workflow job 11)"),
        ({**AWX_SLICE, "telemetry_slice": {"of": 4}}, "one of 4 slices (AWX workflow job 11)"),
    ],
)
def test_a_report_on_a_slice_has_no_coverage_and_fails_nothing_by_it(
    reports: Path, extra: dict[str, Any], says: str
) -> None:
    with serving(controller("a"), controller("b")) as center:
        token = "{{ lookup('ansible.builtin.env', 'OC_TOKEN') }}"
        centers = [{"url": center.url, "user": USER, "token": token, "allow_http": True}]
        variables = {
            "telemetry_operations_centers": centers,
            "telemetry_min_coverage": 100,
            "telemetry_fail_on": ["violation"],
        }
        code, printed, document = run(reports, "report", "-e", json.dumps(extra), **variables)
        assert code == 0, printed
        assert f"note: this is {says}: it is about the hosts of that slice alone" in printed
        assert "coverage" not in document
        assert document["headline"].startswith(f"{says[0].upper()}{says[1:]}: ")
        whole = json.dumps({**extra, "telemetry_slice": False})
        code, printed, document = run(reports, "report", "-e", whole, **variables)
        assert code == 2, "who says that it is none is held to it"
        assert document["coverage"]["percent"] == 50


def test_a_slice_that_is_none_is_refused(reports: Path) -> None:
    code, printed, _document = run(reports, "report", "-e", "telemetry_slice=5/4")
    assert code == 2
    assert "slice (telemetry_slice): number is not one of all slices (of)" in printed


@pytest.mark.parametrize("playbook", ["ledger", "report"])
def test_no_fact_of_a_host_makes_a_part_of_the_inventory(reports: Path, playbook: str) -> None:
    """`ansible_limit` is Ansible's with --limit alone; else it is a fact that a host made up, and would open the gate."""
    with serving(controller("a"), controller("b")) as center:
        token = "{{ lookup('ansible.builtin.env', 'OC_TOKEN') }}"
        variables = {
            "telemetry_operations_centers": [{"url": center.url, "user": USER, "token": token, "allow_http": True}],
            "telemetry_min_coverage": 100,
            "telemetry_fail_on": [],
            "ansible_limit": "a.example",
        }
        code, printed, document = run(reports, playbook, **variables)
        assert code == 2, printed
        assert document["coverage"]["percent"] == 50
        assert "part of the inventory" not in printed

"""Under ansible-runner (AWX, AAP, navigator): evidence goes to the artifacts, slices become one report, no progress.

ansible-runner gives Ansible a terminal and names the folder of the run's artifacts in the environment; `make galaxy`
has the real one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import schemas

from ansible_collections.cbops.telemetry.plugins.plugin_utils._filing import reports_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils._run import in_runner, reports_folder

CHECKOUT = Path(__file__).parent.parent.parent
RUNNER = "AWX_ISOLATED_DATA_DIR"
#: Nobody listens there.
REFUSED = {"ansible_host": "127.0.0.1", "ansible_port": 1, "telemetry_desired": "disabled"}


def test_one_function_says_where_reports_go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(RUNNER, raising=False)
    assert in_runner() is None
    assert [reports_folder(named) for named in (None, "", "mine")] == [Path("reports"), Path("reports"), Path("mine")]
    monkeypatch.setenv(RUNNER, str(tmp_path))
    assert in_runner() == tmp_path
    assert [reports_folder(named) for named in (None, "", "mine")] == [tmp_path / "telemetry"] * 2 + [Path("mine")]


@pytest.mark.parametrize("value", ["", "relative", "/no/such/folder", "/etc/passwd"])
def test_what_is_no_folder_of_artifacts_is_passed_over(value: str, monkeypatch: pytest.MonkeyPatch,
                                                       tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "relative").mkdir()
    monkeypatch.setenv(RUNNER, value)
    assert reports_folder(None) == Path("reports")


def test_what_was_done_to_a_host_is_filed_with_the_evidence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The role's variable is empty where the inventory says nothing; before an audit there is no evidence yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(RUNNER, raising=False)
    host = {"inventory_hostname": "cm1"}
    assert reports_of({**host, "telemetry_reports_dir": ""}, str) == Path("reports")
    assert reports_of(host, str) is None
    monkeypatch.setenv(RUNNER, str(tmp_path))
    assert reports_of({**host, "telemetry_reports_dir": ""}, str) == reports_of(host, str) == tmp_path / "telemetry"
    assert reports_of({**host, "telemetry_reports_dir": "mine"}, str) == Path("mine")


class Jobs:
    """Jobs of AWX: each has a folder of artifacts and an inventory that a script prints, and starts in the project."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.project = folder, folder / "project"
        shutil.copytree(CHECKOUT / "examples/aap/project", self.project)

    def run(self, job: int, playbook: str, hosts: list[str], *arguments: str) -> subprocess.CompletedProcess[str]:
        """A playbook on a part of the inventory, as the job with that number."""
        artifacts = self.artifacts(job)
        artifacts.mkdir(parents=True)
        inventory = self.folder / f"job{job}/inventory/hosts"
        inventory.parent.mkdir()
        listed = {"all": {"hosts": hosts}, "_meta": {"hostvars": dict.fromkeys(hosts, REFUSED)}}
        inventory.write_text(f"#! {sys.executable}\nprint('{json.dumps(listed)}')\n")
        inventory.chmod(0o700)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        return subprocess.run(
            [Path(sys.executable).with_name("ansible-playbook"), "-i", inventory.parent, f"{playbook}.yml",
             *arguments], cwd=self.project, capture_output=True, text=True, check=False, timeout=300,
            stdin=subprocess.DEVNULL, env={**environment, RUNNER: str(artifacts),
                                           "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".build/collections")})

    def artifacts(self, job: int) -> Path:
        """What is kept of a job."""
        return self.folder / f"job{job}/artifacts/{job}"


def test_slices_leave_their_evidence_with_their_artifacts_and_one_report_is_made_of_them(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path)
    synced = sorted(jobs.project.rglob("*"))
    for job, hosts in ((1, ["cm1", "cm2"]), (2, ["cm3"])):
        done = jobs.run(job, "audit", hosts)
        assert done.returncode == 2, done.stdout + done.stderr
        filed = jobs.artifacts(job) / "telemetry"
        assert sorted(path.stem for path in (filed / "evidence").glob("*.json")) == hosts
        assert json.loads((filed / "audit.json").read_text())["totals"]["unreachable"] == len(hosts)
        assert len(list((filed / "manifests").glob("*.json"))) == 1
    folders = ",".join(str(jobs.artifacts(job) / "telemetry/evidence") for job in (1, 2))
    done = jobs.run(3, "report", ["cm1", "cm2", "cm3", "cm4"], "-e", f"telemetry_evidence_dirs={folders}")
    assert done.returncode == 2, done.stdout + done.stderr
    document = json.loads((jobs.artifacts(3) / "telemetry/report.json").read_text())
    schemas.validate(document)
    assert {host["host"]: host["verdict"] for host in document["hosts"]} == {
        "cm1": "unreachable", "cm2": "unreachable", "cm3": "unreachable", "cm4": "unknown"}
    assert sorted(jobs.project.rglob("*")) == synced, "nothing is left in what is thrown away"


@pytest.mark.parametrize(("variables", "silent"), [({}, False), ({RUNNER: "/"}, True), ({"CI": "true"}, True)],
                         ids=["a person's terminal", "ansible-runner's", "a pipeline's"])
def test_progress_is_for_people(variables: dict[str, str], silent: bool) -> None:
    words = "from ansible_collections.cbops.telemetry.plugins.callback.progress import CallbackModule as progress\n" \
            "print(progress().disabled)"
    ours, theirs = os.openpty()
    try:
        done = subprocess.run([sys.executable, "-c", words], stderr=theirs, stdout=subprocess.PIPE, text=True,
                              check=True, timeout=60, env={
                                  "PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"),
                                  "PYTHONPATH": str(CHECKOUT / ".build/collections"), **variables})
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.stdout.split() == [str(silent)]

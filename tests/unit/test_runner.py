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

from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._filing import reports_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._run import artifacts, reports_folder

CHECKOUT = Path(__file__).parent.parent.parent
RUNNER = "AWX_ISOLATED_DATA_DIR"
#: Nobody listens there.
REFUSED = {"ansible_host": "127.0.0.1", "ansible_port": 1, "telemetry_desired": "disabled"}


@pytest.fixture
def private(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The private data folder of ansible-runner, with the artifacts of run 7, from within its project."""
    for folder in ("artifacts/7", "project"):
        (tmp_path / "private" / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "private/project")
    monkeypatch.setenv(RUNNER, str(tmp_path / "private/artifacts/7"))
    return tmp_path / "private"


def folders() -> list[Path]:
    return [reports_folder(named) for named in (None, "", "mine")]


def test_one_function_says_where_reports_go(private: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert folders() == [private / "artifacts/7/telemetry"] * 2 + [Path("mine")]
    monkeypatch.delenv(RUNNER)
    assert folders() == [Path("reports"), Path("reports"), Path("mine")]


def test_who_starts_it_in_a_folder_of_his_own_finds_the_reports_there(
    private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ansible-navigator does so, and deletes the artifacts."""
    monkeypatch.chdir(private.parent)
    assert artifacts() is None
    assert folders()[0] == Path("reports")


def test_artifacts_in_a_place_that_somebody_has_chosen_are_taken(
    private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (private.parent / "kept/7").mkdir(parents=True)
    monkeypatch.setenv(RUNNER, str(private.parent / "kept/7"))
    assert folders()[0] == private.parent / "kept/7/telemetry"


def test_links_on_the_way_to_the_project_are_no_matter(private: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (private.parent / "link").symlink_to(private)
    monkeypatch.setenv(RUNNER, str(private.parent / "link/artifacts/7"))
    assert folders()[0] == private.parent / "link/artifacts/7/telemetry"


@pytest.mark.parametrize("value", ["", "artifacts/7", "/no/such/folder", "/etc/passwd"])
def test_what_is_no_folder_of_artifacts_is_passed_over(
    value: str, private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(private)
    monkeypatch.setenv(RUNNER, value)
    assert folders()[0] == Path("reports")


def test_what_was_done_to_a_host_is_filed_with_the_evidence(private: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The role's variable is empty where the inventory says nothing; before an audit there is no evidence yet."""
    host = {"inventory_hostname": "cm1"}
    kept = private / "artifacts/7/telemetry"
    assert reports_of({**host, "telemetry_reports_dir": ""}, str) == reports_of(host, str) == kept
    assert reports_of({**host, "telemetry_reports_dir": "mine"}, str) == Path("mine")
    monkeypatch.delenv(RUNNER)
    assert reports_of({**host, "telemetry_reports_dir": ""}, str) == Path("reports")
    assert reports_of(host, str) is None


class Jobs:
    """Jobs of AWX: each has a private folder with artifacts, an inventory that a script prints, and the project."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, job: int, playbook: str, hosts: list[str], *arguments: str) -> subprocess.CompletedProcess[str]:
        """A playbook on a part of the inventory, as the job with that number."""
        self.artifacts(job).mkdir(parents=True)
        project = self.folder / f"job{job}/project"
        shutil.copytree(CHECKOUT / "examples/aap/project", project)
        inventory = self.folder / f"job{job}/inventory/hosts"
        inventory.parent.mkdir()
        listed = {"all": {"hosts": hosts}, "_meta": {"hostvars": dict.fromkeys(hosts, REFUSED)}}
        inventory.write_text(f"#! {sys.executable}\nprint('{json.dumps(listed)}')\n")
        inventory.chmod(0o700)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        return subprocess.run(
            [Path(sys.executable).with_name("ansible-playbook"), "-i", inventory.parent, f"{playbook}.yml", *arguments],
            cwd=project,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            stdin=subprocess.DEVNULL,
            env={
                **environment,
                RUNNER: str(self.artifacts(job)),
                "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".build/collections"),
            },
        )

    def artifacts(self, job: int) -> Path:
        """What is kept of a job."""
        return self.folder / f"job{job}/artifacts/{job}"


def test_slices_leave_their_evidence_with_their_artifacts_and_one_report_is_made_of_them(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path)
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
        "cm1": "unreachable",
        "cm2": "unreachable",
        "cm3": "unreachable",
        "cm4": "unknown",
    }
    for job in (1, 2, 3):
        synced = {path.name for path in (tmp_path / f"job{job}/project").iterdir()}
        assert synced == {path.name for path in (CHECKOUT / "examples/aap/project").iterdir()}, "that is thrown away"


def test_a_report_on_all_slices_names_the_one_that_is_missing(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path)
    for number, hosts in ((1, ["cm1", "cm2"]), (3, ["cm4"])):
        slice_ = json.dumps(
            {"telemetry_slice": {"number": number, "of": 3, "job": "night"}, "telemetry_min_coverage": 100}
        )
        done = jobs.run(number, "audit", hosts, "-e", slice_)
        assert f"note: this is slice {number} of 3 (night)" in done.stdout, done.stdout + done.stderr
        assert "coverage:" not in done.stdout
        (path,) = (jobs.artifacts(number) / "telemetry/manifests").glob("*.json")
        manifest = json.loads(path.read_text())
        schemas.validate(manifest)
        assert manifest["slice"] == {"number": number, "of": 3, "job": "night"}
        assert manifest["limit"] == f"slice {number} of 3 (night)", "so that nobody has vanished"
    folders = ",".join(str(jobs.artifacts(job) / "telemetry/evidence") for job in (1, 3))
    done = jobs.run(4, "report", ["cm1", "cm2", "cm3", "cm4"], "-e", f"telemetry_evidence_dirs={folders}")
    assert "note: slice 2 of 3 of night has left no manifest: its hosts are here" in done.stdout, done.stdout
    document = json.loads((jobs.artifacts(4) / "telemetry/report.json").read_text())
    schemas.validate(document)
    assert document["slices"]["missing"] == [2]
    assert document["slices"]["numbers"] == [1, 3]
    assert {host["host"]: host["verdict"] for host in document["hosts"]}["cm3"] == "unknown"


@pytest.mark.parametrize(
    ("variables", "silent"),
    [({}, False), ({RUNNER: "/"}, True), ({"CI": "true"}, True)],
    ids=["a person's terminal", "ansible-runner's", "a pipeline's"],
)
def test_progress_is_for_people(variables: dict[str, str], silent: bool) -> None:
    words = (
        "from ansible_collections.cbops.telemetry.plugins.callback.progress import CallbackModule as progress\n"
        "print(progress().disabled)"
    )
    ours, theirs = os.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-c", words],
            stderr=theirs,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=60,
            env={
                "PATH": os.environ["PATH"],
                "HOME": os.environ.get("HOME", "/"),
                "PYTHONPATH": str(CHECKOUT / ".build/collections"),
                **variables,
            },
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.stdout.split() == [str(silent)]

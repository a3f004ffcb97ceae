"""A fleet in slices, by the real ansible-runner: three workers, one of which is killed, and one report of them all.

Each worker is in namespaces of its own, as a container is: when it is killed, all that it has started is gone with it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from fleethand import BIN, CHECKOUT, FLEET, Fleet
from schemas import validate

PINS = CHECKOUT / "requirements/runner.txt"
SLICES = (
    ("bullseye-script", "bookworm-cm-deb"),
    ("bookworm-cm-rpm-array", "trixie-oc-rpm"),
    ("trixie-cm-deb", "trixie-script"),
)
LOST, HELD = 1, "trixie-oc-rpm"  # the slice whose worker is killed, while this host of it does not answer
HOSTS = [host for part in SLICES for host in part]


@pytest.fixture(scope="session")
def runner() -> Path:
    """A folder with ansible-runner in it, made again when the pins changed; Ansible is that of the tests."""
    folder = CHECKOUT / ".build/runner"
    note = folder / "installed.txt"
    if not (note.is_file() and note.read_bytes() == PINS.read_bytes()):
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run(
            [
                sys.executable,
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--no-deps",
                "--target",
                folder,
                "--requirement",
                PINS,
            ],
            check=True,
            timeout=300,
        )
        shutil.copy(PINS, note)
    return folder


class Controller:
    """What hands out jobs, and keeps what comes back, as AWX does it: each job is a private data folder."""

    def __init__(self, fleet: Fleet, folder: Path, runner: Path) -> None:
        self.fleet, self.folder = fleet, folder
        self.kept = folder / "kept"
        self.environment = {
            "PATH": f"{BIN}:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(runner),
            **{name: value for name, value in os.environ.items() if name == "CBOPS_FLEET_COPY"},
        }

    def inventory(self, hosts: list[str]) -> Path:
        """An inventory of these hosts."""
        return self.fleet.inventory({host: {} for host in hosts})

    def runner(self, *words: str) -> list[str]:
        """A command of ansible-runner."""
        return [str(BIN / "python"), "-m", "ansible_runner", *words]

    def start(self, job: int, hosts: list[str], variables: dict[str, Any], *limit: str) -> subprocess.Popen[bytes]:
        """Hand a job to a worker, which begins with nothing but what is sent to it: ``variables`` are the job's own."""
        private = self.folder / f"job{job}"
        (private / "project").mkdir(parents=True)
        shutil.copytree(self.inventory(hosts), private / "inventory")
        (private / "env").mkdir()
        (private / "env/envvars").write_text(
            json.dumps(
                {
                    "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".build/collections"),
                    "ANSIBLE_HOST_KEY_CHECKING": "False",
                    "ANSIBLE_SSH_ARGS": "-o ControlMaster=no",
                    "ANSIBLE_TIMEOUT": "200",
                }
            )
        )
        (private / "env/extravars").write_text(json.dumps(variables))
        with open(private / "sent", "wb") as sent:
            subprocess.run(
                self.runner(
                    "transmit", str(private), "--playbook", "cbops.telemetry.audit", "--ident", str(job), *limit
                ),
                stdout=sent,
                check=True,
                timeout=60,
                env=self.environment,
            )
        with open(private / "sent", "rb") as sent, open(private / "back", "wb") as back:
            return subprocess.Popen(
                [
                    FLEET,
                    "exec",
                    self.fleet.profile,
                    "--",
                    "unshare",
                    "--mount",
                    "--pid",
                    "--fork",
                    "--kill-child",
                    "--mount-proc",
                    *self.runner("worker", "--private-data-dir", str(self.node(job))),
                ],
                stdin=sent,
                stdout=back,
                stderr=subprocess.DEVNULL,
                env=self.environment,
            )

    def node(self, job: int) -> Path:
        """The folder of a job at its worker."""
        return self.folder / f"node{job}"

    def take(self, job: int) -> None:
        """Keep what came back of a job."""
        with open(self.folder / f"job{job}/back", "rb") as back:
            subprocess.run(
                self.runner("process", str(self.kept), "--ident", str(job)),
                stdin=back,
                check=False,
                stdout=subprocess.DEVNULL,
                timeout=60,
                env=self.environment,
            )

    def of_slice(self, job: int) -> dict[str, Any]:
        """The report of a job on itself, among what came back."""
        document: dict[str, Any] = json.loads((self.kept / f"artifacts/{job}/telemetry/audit.json").read_text())
        validate(document)
        return document

    def report(self) -> tuple[dict[str, Any], str, list[str]]:
        """One report of all that was kept, what the playbook said, and the hosts that it names for the next audit."""
        reports = self.folder / "reports"
        done = subprocess.run(
            [
                BIN / "ansible-playbook",
                "cbops.telemetry.report",
                "-i",
                self.inventory(HOSTS),
                "-e",
                f"telemetry_evidence_dirs={self.kept / 'artifacts'}",
                "-e",
                f"telemetry_reports_dir={reports}",
                "-e",
                json.dumps({"telemetry_newer_than": "1 h", "telemetry_fail_hosts": False}),
            ],
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            stdin=subprocess.DEVNULL,
            env={**self.environment, "ANSIBLE_NOCOLOR": "1"},
        )
        assert done.returncode in (0, 2), done.stdout + done.stderr
        document = json.loads((reports / "report.json").read_text())
        validate(document)
        retry = reports / "report.retry"
        return document, done.stdout, retry.read_text().split() if retry.exists() else []


def wait(condition: Any, seconds: float = 120) -> None:
    """Until it is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.1)


def of_number(number: int) -> dict[str, Any]:
    """The variables of a job whose slice has its number, also where it is started again."""
    return {"telemetry_slice": {"number": number + 1, "of": len(SLICES), "job": "round 1"}}


def of_workflow(number: int) -> dict[str, Any]:
    """Those of AWX: no slice has its number, all of them are in one workflow job, and what is started again is not."""
    job = {"awx_job_template_name": "telemetry", "awx_job_id": 100 + number}
    if number < len(SLICES):
        job.update(awx_workflow_job_id=41, awx_workflow_job_name="telemetry")
    return {**job, "telemetry_slice": {"of": len(SLICES)}}


@pytest.mark.parametrize(
    ("variables", "missing", "note"),
    [
        (of_number, [LOST + 1], "slice 2 of 3 of round 1 has left no manifest: its hosts are here by older evidence, "),
        (of_workflow, None, "1 of 3 slices of AWX workflow job 41 have left no manifest; which of them, nobody says: "),
    ],
    ids=["numbered", "awx"],
)
def test_a_slice_whose_worker_is_killed_is_named_and_made_good_by_another_run(
    fleet: Fleet, runner: Path, tmp_path: Path, variables: Any, missing: list[int] | None, note: str
) -> None:
    controller = Controller(fleet, tmp_path, runner)
    workers: dict[int, subprocess.Popen[bytes]] = {}
    fleet.shell(HELD, "systemctl kill --signal=STOP --kill-who=main ssh.service")
    try:
        for number, part in enumerate(SLICES):
            workers[number] = controller.start(number, list(part), variables(number))
        filed = controller.node(LOST) / f"artifacts/{LOST}/telemetry/evidence/{SLICES[LOST][0]}.json"
        wait(filed.exists)
        assert workers[LOST].poll() is None, "it is in the middle: the other host has not answered"
        workers[LOST].kill()
        statuses = {number: worker.wait(120) for number, worker in workers.items()}
        assert statuses[LOST] < 0
    finally:
        for worker in workers.values():
            worker.kill()
        fleet.shell(HELD, "systemctl kill --signal=CONT --kill-who=main ssh.service")
    for number in workers:
        controller.take(number)

    document, said, again = controller.report()
    assert [item["host"] for item in document["hosts"]] == HOSTS, "each once"
    assert sum(document["totals"].values()) == len(HOSTS)
    assert {item["host"] for item in document["hosts"] if item["collected_at"] is None} == set(SLICES[LOST])
    assert again == list(SLICES[LOST]), said
    assert {item["verdict"] for item in document["hosts"] if item["host"] in again} == {"unknown"}
    lost = f"the run {controller.kept}/artifacts/{LOST} has left no evidence, and has not ended"
    assert [said for said in document["notes"] if said.startswith(lost)], document["notes"]
    assert [said for said in document["notes"] if said.startswith(note)], document["notes"]
    told = document["slices"]
    assert (told["of"], told["ended"], told["missing"]) == (3, 2, missing)
    for number in set(workers) - {LOST}:
        own = controller.of_slice(number)
        assert [item["host"] for item in own["hosts"]] == list(SLICES[number]) and own["slice"]["of"] == 3
        assert own["vanished"] == [] and "coverage" not in own, "of a slice alone nobody knows that"
    assert "no evidence that counts, of 2 hosts: " in said
    before = {item["host"]: item for item in document["hosts"] if item["host"] not in again}

    number = LOST if missing else 7
    worker = controller.start(7, HOSTS, variables(number), "--limit", ",".join(again))
    try:
        worker.wait(120)
    finally:
        worker.kill()
    controller.take(7)
    document, said, again = controller.report()
    assert again == [], said
    assert document["slices"]["ended"] == 3 and not document["slices"]["missing"]
    assert not [said for said in document["notes"] if "left no manifest" in said]
    assert [item["host"] for item in document["hosts"]] == HOSTS
    assert sum(document["totals"].values()) == len(HOSTS)
    for item in document["hosts"]:
        assert item["state"]["installations"], f"{item['host']}: {item['reasons']}"
        if item["host"] in before:
            assert item["collected_at"] == before[item["host"]]["collected_at"], "it was not asked again"

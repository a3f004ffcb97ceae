"""Manifest, signature and verification: what was tampered with is named, whatever byte it is."""

from __future__ import annotations

import datetime
import hashlib
import json
import multiprocessing
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from schemas import validate, validate_line

from ansible_collections.cbops.telemetry.plugins.module_utils._connectivity import outcomes_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils import _evidence as evidence
from ansible_collections.cbops.telemetry.plugins.plugin_utils import _manifest as manifest
from ansible_collections.cbops.telemetry.plugins.plugin_utils import _run
from ansible_collections.cbops.telemetry.plugins.plugin_utils._assessment import judge, policy_of

HOSTS = ("cm1", "cm2", "ü/x")
TODAY = _run.today()
WAIVER = {"until": TODAY.isoformat(), "reason": "case 1", "approved_by": "Jo"}


def answer(**more: Any) -> dict[str, Any]:
    """An answer of the probe."""
    return {"target": "api.segment.io:443", "via": "direct", "outcome": "refused", "address": None,
            "addresses": [{"address": "192.0.2.1", "family": "inet", "outcome": "refused", "tcp_ms": 1.5},
                          {"address": "192.0.2.10", "family": "inet", "outcome": "refused", "tcp_ms": 2.5}],
            "phases_ms": {"dns": 1.0, "tcp": 2.0, "proxy_connect": None, "tls": None, "http": None}, "tls": None,
            "message": "192.0.2.10 and 192.0.2.1 refused", **more}


def state(on_disk: str = "disabled", **more: Any) -> dict[str, Any]:
    """A state document with one installation."""
    entry = {"name": "cm", "product": "controller", "service": "cm.service", "launch": None, "declarations": [],
             "on_disk": on_disk, "on_disk_detail": {}, "next_start": on_disk, "next_start_detail": {},
             "running": on_disk, "running_detail": {}, "processes": [{"pid": 7, "started": "2026-01-01T00:00:00Z"}]}
    return {"schema": "cbops.telemetry/state/1", "installations": [entry], "connectivity": [answer()], **more}


def judged(host: str, seen: dict[str, Any] | None, **variables: Any) -> dict[str, Any]:
    """Evidence as an audit files it."""
    policy = policy_of({"telemetry_desired": "disabled", **variables}, TODAY)
    kept = None if seen is None else evidence.settled(seen)
    error = None if seen is not None else "no Python"
    return evidence.document_of(host, policy, kept, error, judge(policy, kept, error, TODAY))


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key, another, and a file that allows the first."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("key", "other"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name], check=True)
    (folder / "allowed").write_text("jo@example.com " + (folder / "key.pub").read_text())
    return folder


def run(reports: Path, key: Path | None, documents: list[dict[str, Any]], run_id: str = _run.RUN_ID) -> Path:
    """File evidence and close the run with a manifest."""
    for document in documents:
        evidence.file_evidence(reports, document, [], run_id=run_id)
    made = manifest.manifest_of(documents, evidence.read_journal(reports, run_id))
    validate(made)
    return manifest.write_manifest(reports, {**made, "run_id": run_id}, str(key) if key else None)


@pytest.fixture
def reports(tmp_path: Path, keys: Path) -> Path:
    """Reports of one signed run: compliant, waived, and without a state."""
    run(tmp_path / "r", keys / "key", [judged("cm1", state()), judged("cm2", state("enabled"), telemetry_waiver=WAIVER),
                                       judged("ü/x", None)])
    return tmp_path / "r"


def problems(reports: Path, keys: Path) -> list[str]:
    """What verification finds."""
    return manifest.verify(reports, str(keys / "allowed"))[0]


def test_what_a_run_left_is_good(reports: Path, keys: Path) -> None:
    wrong, seen = manifest.verify(reports, str(keys / "allowed"))
    assert wrong == []
    (path,) = (reports / "manifests").glob("*.json")
    newest = {"run_id": path.stem, "sequence": 1, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    assert seen == {"manifests": 1, "files": 3, "signers": ["jo@example.com"], "notes": [], "newest": [newest]}
    validate(json.loads(path.read_text()))
    (journal,) = (reports / "runs").glob("*.jsonl")
    for line in journal.read_text().splitlines():
        validate_line(json.loads(line))
    assert sorted(path.name for path in reports.iterdir()) == ["evidence", "manifests", "runs"]


def flips(data: bytes) -> list[tuple[int, bytes]]:
    """Every kind of byte once: at the first and the last place of each value, in one bit each."""
    places = sorted({data.index(value) for value in set(data)} | {data.rindex(value) for value in set(data)})
    return [(at, data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1:]) for at in places]


@pytest.mark.parametrize("pattern", ["evidence/cm1.json", "evidence/%C3*", "manifests/*.json", "manifests/*.sig"])
def test_a_flipped_byte_is_found_and_its_file_named(reports: Path, keys: Path, pattern: str) -> None:
    (path,) = reports.glob(pattern)
    original = path.read_bytes()
    for at, data in flips(original):
        path.write_bytes(data)
        assert any(path.name in text for text in problems(reports, keys)), f"byte {at}: {data[at:at + 1]!r}"
    path.write_bytes(original)
    assert problems(reports, keys) == []


def test_every_byte_of_a_signature_counts(reports: Path, keys: Path) -> None:
    """Its armour could be written in other ways that ssh-keygen takes as well."""
    (path,) = reports.glob("manifests/*.sig")
    original = path.read_bytes()
    for at in range(len(original)):
        path.write_bytes(original[:at] + bytes([original[at] ^ 1 << at % 7]) + original[at + 1:])
        assert any(path.name in text for text in problems(reports, keys)), f"byte {at}"
    for other in (original + b"\n", original[:-1], b"\n" + original, original.replace(b"\n", b"\r\n"), b""):
        path.write_bytes(other)
        assert problems(reports, keys), other


def remade(reports: Path, change: Callable[[dict[str, Any]], object], name: str = "cm1.json") -> str:
    """Change an evidence file; its new checksum."""
    path = reports / "evidence" / name
    document = json.loads(path.read_text())
    change(document)
    evidence.write_json(path, document, sort_keys=True)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def resigned(reports: Path, key: Path, **more: Any) -> None:
    """Put other words into the manifest's entry of cm1 and sign it: what somebody with the key could do."""
    (path,) = reports.glob("manifests/*.json")
    document = json.loads(path.read_text())
    document["files"]["evidence/cm1.json"].update(more)
    manifest.write_manifest(reports, document, str(key))


def test_a_verdict_that_does_not_follow_is_found(reports: Path, keys: Path) -> None:
    checksum = remade(reports, lambda document: document["state"]["installations"][0].update(running="enabled"))
    resigned(reports, keys / "key", sha256=checksum)
    (problem,) = problems(reports, keys)
    assert "cm1.json: its verdict is compliant" in problem
    assert "gives restart_pending" in problem


def test_a_manifest_by_somebody_else_is_found(reports: Path, keys: Path) -> None:
    resigned(reports, keys / "other")
    assert any("no signer that is allowed" in text for text in problems(reports, keys))


def test_a_manifest_under_another_name_is_found(reports: Path, keys: Path) -> None:
    (path,) = reports.glob("manifests/*.json")
    later = path.with_name("20990101T000000Z-00000000.json")
    later.write_bytes(path.read_bytes())
    manifest.signature_of(later).write_bytes(manifest.signature_of(path).read_bytes())
    assert any(f"{later.name}: it is the manifest of another run" in text for text in problems(reports, keys))


@pytest.mark.parametrize(("damage", "said"), [
    (lambda reports: (reports / "evidence/cm1.json").unlink(), "cm1.json: it is missing"),
    (lambda reports: (reports / "evidence/new.json").write_text("{}"), "new.json: no manifest"),
    (lambda reports: next(reports.glob("manifests/*.sig")).unlink(), "it cannot be read"),
    (lambda reports: next(reports.glob("manifests/*.json")).unlink(), "no manifest is there"),
    (lambda reports: (reports / "manifests/x.json.sig").write_text(""), "x.json.sig: its manifest is missing"),
    (lambda reports: (reports / "manifests/x.json").write_text("{}"), "x.json: its signature"),
])
def test_what_is_missing_and_what_is_too_much(reports: Path, keys: Path, damage: Callable[[Path], object],
                                              said: str) -> None:
    damage(reports)
    assert any(said in text for text in problems(reports, keys))


def test_the_last_run_that_judged_a_host_counts(reports: Path, keys: Path) -> None:
    """Another run of one host: its new evidence is good, that of the others still by the first run."""
    second = "20991231T000000Z-00000001"
    run(reports, keys / "key", [judged("cm1", state("enabled"))], second)
    assert problems(reports, keys) == []
    manifest.signature_of(reports / "manifests" / f"{second}.json").unlink()
    (reports / "manifests" / f"{second}.json").unlink()
    assert len(problems(reports, keys)) == 1, "without its manifest nobody vouches for it"


def test_a_key_that_cannot_sign_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(manifest.SignatureError, match="nowhere cannot sign"):
        run(tmp_path, tmp_path / "nowhere", [judged("cm1", state())])
    assert not list(tmp_path.glob("manifests/*.json"))


def test_a_passphrase_is_not_asked_for(tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", tmp_path / "locked"], check=True)
    with pytest.raises(manifest.SignatureError, match="cannot sign"):
        manifest.sign(b"x", str(tmp_path / "locked"))


def test_the_commit_of_the_inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inventory = tmp_path / "repository/inventory"
    inventory.mkdir(parents=True)
    (inventory / "hosts").write_text("cm1\n")
    assert manifest.git_commit([str(inventory)]) == (None, None)

    def git(*arguments: str) -> str:
        return subprocess.run(["git", "-C", inventory, "-c", "user.name=x", "-c", "user.email=x@example.com",
                               *arguments], check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q", "..")
    assert manifest.git_commit([str(inventory)]) == (None, None), "no commit yet"
    git("add", ".")
    git("commit", "-q", "-m", "x")
    commit = git("rev-parse", "HEAD")
    assert manifest.git_commit(["localhost,", str(inventory / "hosts")]) == (commit, False)
    (inventory.parent / "elsewhere").write_text("")
    assert manifest.git_commit([str(inventory)]) == (commit, False), "not the inventory"
    (inventory / "hosts").write_text("cm2\n")
    assert manifest.git_commit([str(inventory)]) == (commit, True)
    assert manifest.git_commit(["cm1,"]) == (None, None)
    monkeypatch.setenv("PATH", "/nowhere")
    assert manifest.git_commit([str(inventory)]) == (None, None)


# -- evidence ---------------------------------------------------------------------------------------


def samples(connected: int, p50_ms: float) -> dict[str, Any]:
    return {"count": 9, "connected": connected, "loss_percent": 100.0 * (9 - connected) / 9, "p50_ms": p50_ms,
            "max_ms": 99.9, "outcomes": {"timeout": 9 - connected, "connected": connected}}


def test_settled_evidence_is_the_same_whatever_the_network_measured() -> None:
    first = state(connectivity=[answer(via="proxy:3128"), answer(samples=samples(7, 1.5))])
    second = state(connectivity=[
        answer(samples=samples(6, 2.5), phases_ms={"dns": 9.0, "tcp": 9.0, "proxy_connect": None, "tls": None,
                                                "http": None}),
        answer(via="proxy:3128", addresses=[{"address": "192.0.2.9"}, {"address": "192.0.2.99"}],
               message="192.0.2.99 and 192.0.2.9 refused")])
    assert evidence.settled(first) == evidence.settled(second)
    assert "192.0.2" not in json.dumps(evidence.settled(first))
    assert first["connectivity"][0]["addresses"], "the answer itself stays as it was"
    kept = evidence.settled(first)["connectivity"]
    assert set(outcomes_of(kept[0])) == {"timeout", "connected"}, "what decides the verdict stays"
    assert outcomes_of(kept[1]) == ["refused"]


def test_how_often_an_attempt_failed_is_no_news() -> None:
    said = [evidence.settled(state(connectivity=[answer(samples=samples(connected, 1.0), message=message)]))
            for connected, message in ((7, "2 of 9 attempts failed (2 timeout). No answer"),
                                       (8, "1 of 9 attempts failed (1 timeout). No answer"))]
    assert said[0] == said[1]
    assert said[0]["connectivity"][0]["message"] == "some of 9 attempts failed. No answer"


def test_an_endpoint_given_as_an_address_keeps_its_name() -> None:
    seen = state(connectivity=[answer(target="192.0.2.1:443", message="192.0.2.1 refused")])
    assert evidence.settled(seen)["connectivity"][0]["message"] == "192.0.2.1 refused"
    seen = state(connectivity=[answer(via="192.0.2.1:3128", message="The proxy 192.0.2.1:3128 was not reached")])
    assert "192.0.2.1:3128" in evidence.settled(seen)["connectivity"][0]["message"]


@pytest.mark.parametrize(("before", "after", "edited", "drift"), [
    (None, judged("h", state()), False, None),
    (judged("h", state()), judged("h", state()), False, None),
    (judged("h", state()), judged("h", state("enabled")), False, "corrective"),
    (judged("h", state()), judged("h", state(), telemetry_connectivity="forbidden"), False, "intended"),
    (judged("h", state()), judged("h", state("enabled"), telemetry_desired="enabled"), True, "intended"),
    (judged("h", state()), judged("h", None), False, None),
    # enforce edited it: by its own doing where it was wrong before, against somebody's where it was right
    (judged("h", state("enabled")), judged("h", state()), True, None),
    (judged("h", state()), judged("h", state()), True, "corrective"),
], ids=str)
def test_drift(before: Any, after: Any, edited: bool, drift: str | None) -> None:
    assert evidence.drift_of(before, after, edited) == drift


def test_a_restart_alone_is_no_drift() -> None:
    later = state()
    later["installations"][0]["processes"][0].update(pid=8, started="2026-02-02T00:00:00Z")
    assert evidence.drift_of(judged("h", state()), judged("h", later), False) is None


def _writer(reports: Path, run_id: str, number: int) -> None:
    for _round in range(20):
        for host in HOSTS:
            evidence.file_evidence(reports, judged(host, state(("disabled", "enabled")[number % 2])), [], run_id=run_id)


def test_runs_at_once_do_not_hurt_each_other(tmp_path: Path, keys: Path) -> None:
    """Two runs of two processes each, which disagree: afterwards every file is as its last journal line says."""
    ids = [f"20261123T12000{number // 2}Z-0000000{number // 2}" for number in range(4)]
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_writer, args=(tmp_path, ids[number], number // 2)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0] * 4
    for run_id in set(ids):
        lines = evidence.journal_of(tmp_path, run_id).read_text().splitlines()
        assert len(lines) == 2 * 20 * len(HOSTS)
        for line in lines:
            validate_line(json.loads(line))
        documents = [evidence.read(evidence.path_of(tmp_path / "evidence", host)) for host in HOSTS]
        made = manifest.manifest_of([document for document in documents if document],
                                    evidence.read_journal(tmp_path, run_id))
        manifest.write_manifest(tmp_path, {**made, "run_id": run_id}, str(keys / "key"))
    assert problems(tmp_path, keys) == []
    assert sorted(path.name for path in (tmp_path / "evidence").iterdir()) == ["%C3%BC%2Fx.json", "cm1.json",
                                                                              "cm2.json"]


def test_file_and_journal_never_part(tmp_path: Path, keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second run comes between a file and its line in the journal: it must wait, else the file is the other's."""
    written, done = threading.Event(), threading.Event()
    stamp = evidence.now

    def late() -> str:
        if threading.current_thread() is threading.main_thread():
            written.set()
            done.wait(0.5)  # with the lock it is not done before this one is
        return stamp()

    def second() -> None:
        written.wait(30)
        run_of("20261123T120001Z-00000001", state("enabled"))
        done.set()

    def run_of(run_id: str, seen: dict[str, Any]) -> None:
        evidence.file_evidence(tmp_path, judged("cm1", seen), [], run_id=run_id)

    monkeypatch.setattr(evidence, "now", late)
    other = threading.Thread(target=second)
    other.start()
    run_of("20261123T120000Z-00000000", state())
    other.join(30)
    for run_id in ("20261123T120000Z-00000000", "20261123T120001Z-00000001"):
        made = manifest.manifest_of([judged("cm1", state())], evidence.read_journal(tmp_path, run_id))
        manifest.write_manifest(tmp_path, {**made, "run_id": run_id}, str(keys / "key"))
    assert problems(tmp_path, keys) == []


def test_the_day_of_a_run_is_the_one_on_which_it_began(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hosts of one run, one before midnight and one after it, are judged by one day."""
    began = datetime.datetime(2026, 12, 31, 23, 59, 59, tzinfo=datetime.timezone.utc)
    monkeypatch.setattr(_run, "STARTED", began)
    assert _run.today() == datetime.date(2026, 12, 31)
    assert _run.RUN_ID[:8].isdigit()

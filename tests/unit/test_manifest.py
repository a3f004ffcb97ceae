"""Manifest, signature and verification: what was tampered with is named, whatever byte it is."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import multiprocessing
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from schemas import validate, validate_line

from ansible_collections.cbops.telemetry.plugins.module_utils.outcomes._outcomes import outcomes_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence import _chain as chain
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence import _evidence as evidence
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence import _run
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._changes import file_changes, refusal
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._provenance import git_commit
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import judge, policy_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report import _manifest as manifest
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._sources import read_evidence

HOSTS = ("cm1", "cm2", "ü/x")
TODAY = _run.today()
WAIVER = {"until": TODAY.isoformat(), "reason": "case 1", "approved_by": "Jo"}


def answer(**more: Any) -> dict[str, Any]:
    """An answer of the probe."""
    return {
        "target": "api.segment.io:443",
        "via": "direct",
        "outcome": "refused",
        "address": None,
        "addresses": [
            {"address": "192.0.2.1", "family": "inet", "outcome": "refused", "tcp_ms": 1.5},
            {"address": "192.0.2.10", "family": "inet", "outcome": "refused", "tcp_ms": 2.5},
        ],
        "phases_ms": {"dns": 1.0, "tcp": 2.0, "proxy_connect": None, "tls": None, "http": None},
        "tls": None,
        "message": "192.0.2.10 and 192.0.2.1 refused",
        **more,
    }


def state(on_disk: str = "disabled", **more: Any) -> dict[str, Any]:
    """A state document with one installation."""
    entry = {
        "name": "cm",
        "product": "controller",
        "packaging": "deb",
        "service": "cm.service",
        "launch": None,
        "declarations": [],
        "on_disk": on_disk,
        "on_disk_detail": {},
        "next_start": on_disk,
        "next_start_detail": {},
        "running": on_disk,
        "running_detail": {},
        "processes": [{"pid": 7, "started": "2026-01-01T00:00:00Z"}],
    }
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
    run(
        tmp_path / "r",
        keys / "key",
        [judged("cm1", state()), judged("cm2", state("enabled"), telemetry_waiver=WAIVER), judged("ü/x", None)],
    )
    return tmp_path / "r"


def problems(reports: Path, keys: Path) -> list[str]:
    """What verification finds."""
    return manifest.verify(reports, str(keys / "allowed"))[0]


def test_what_a_run_left_is_good(reports: Path, keys: Path) -> None:
    wrong, seen = manifest.verify(reports, str(keys / "allowed"))
    assert wrong == []
    (path,) = (reports / "manifests").glob("*.json")
    newest = {"run_id": path.stem, "sequence": 1, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    assert seen == {
        "manifests": 1,
        "files": 3,
        "records": 0,
        "signers": ["jo@example.com"],
        "notes": [],
        "newest": [newest],
    }
    validate(json.loads(path.read_text()))
    (journal,) = (reports / "runs").glob("*.jsonl")
    for line in journal.read_text().splitlines():
        validate_line(json.loads(line))
    assert sorted(path.name for path in reports.iterdir()) == ["evidence", "manifests", "runs"]


CHANGE = [refusal("edit", "it is a link")]
EARLIER, KILLED, LATER = (f"2026010{day}T000000Z-00000000" for day in (1, 2, 3))


def test_the_record_of_changes_is_signed_with_the_manifest(tmp_path: Path, keys: Path) -> None:
    path = file_changes(tmp_path, "cm1", CHANGE, EARLIER)
    assert path is not None
    made = json.loads(run(tmp_path, keys / "key", [judged("cm1", state())], EARLIER).read_text())
    validate(made)
    data = path.read_bytes()
    assert made["changes"] == {f"changes/{path.name}": {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}}
    wrong, seen = manifest.verify(tmp_path, str(keys / "allowed"))
    assert (wrong, seen["records"]) == ([], 1)
    for at, flipped in flips(data):
        path.write_bytes(flipped)
        assert any(path.name in text and "sha256" in text for text in problems(tmp_path, keys)), f"byte {at}"
    path.write_bytes(data + data.splitlines(keepends=True)[-1])
    assert "are of after" in problems(tmp_path, keys)[0]
    path.write_bytes(data[:-1])
    assert "sha256" in problems(tmp_path, keys)[0]
    path.unlink()
    assert "it is missing" in problems(tmp_path, keys)[0]
    path.write_bytes(data)
    assert problems(tmp_path, keys) == []


def test_a_record_that_nobody_signed_is_named_until_a_run_has_seen_it(tmp_path: Path, keys: Path) -> None:
    run(tmp_path, keys / "key", [judged("cm1", state())], EARLIER)
    file_changes(tmp_path, "cm1", CHANGE, KILLED)
    (problem,) = problems(tmp_path, keys)
    assert f"{KILLED}.jsonl: no manifest that can be trusted names it" in problem
    made = json.loads(run(tmp_path, keys / "key", [judged("cm1", state())], LATER).read_text())
    assert list(made["changes"]) == [f"changes/{KILLED}.jsonl"]
    assert problems(tmp_path, keys) == []
    file_changes(tmp_path, "cm1", CHANGE, EARLIER)
    (problem,) = problems(tmp_path, keys)
    assert f"{EARLIER}.jsonl: {EARLIER}.json says that its run changed nothing" in problem


def test_records_of_runs_that_nobody_signed_are_taken_over_by_the_first_signed_one(tmp_path: Path, keys: Path) -> None:
    file_changes(tmp_path, "cm1", CHANGE, EARLIER)
    run(tmp_path, None, [judged("cm1", state())], EARLIER)
    run(tmp_path, keys / "key", [judged("cm1", state())], LATER)
    assert problems(tmp_path, keys) == []


def test_a_record_of_an_earlier_version_is_a_note(tmp_path: Path, keys: Path) -> None:
    path = run(tmp_path, keys / "key", [judged("cm1", state())], EARLIER)
    document = json.loads(path.read_text())
    del document["changes"]
    path.write_text(json.dumps(document))
    manifest.signature_of(path).write_text(manifest.sign(path.read_bytes(), str(keys / "key")))
    file_changes(tmp_path, "cm1", CHANGE, EARLIER)
    run(tmp_path, keys / "key", [judged("cm1", state())], LATER)
    wrong, seen = manifest.verify(tmp_path, str(keys / "allowed"))
    assert wrong == [] and "1 records of changes are of runs of an earlier version" in seen["notes"][-1]


def flips(data: bytes) -> list[tuple[int, bytes]]:
    """Every kind of byte once: at the first and the last place of each value, in one bit each."""
    places = sorted({data.index(value) for value in set(data)} | {data.rindex(value) for value in set(data)})
    return [(at, data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]) for at in places]


@pytest.mark.parametrize("pattern", ["evidence/cm1.json", "evidence/%C3*", "manifests/*.json", "manifests/*.sig"])
def test_a_flipped_byte_is_found_and_its_file_named(reports: Path, keys: Path, pattern: str) -> None:
    (path,) = reports.glob(pattern)
    original = path.read_bytes()
    for at, data in flips(original):
        path.write_bytes(data)
        assert any(path.name in text for text in problems(reports, keys)), f"byte {at}: {data[at : at + 1]!r}"
    path.write_bytes(original)
    assert problems(reports, keys) == []


def test_every_byte_of_a_signature_counts(reports: Path, keys: Path) -> None:
    """Its armour could be written in other ways that ssh-keygen takes as well."""
    (path,) = reports.glob("manifests/*.sig")
    original = path.read_bytes()
    for at in range(len(original)):
        path.write_bytes(original[:at] + bytes([original[at] ^ 1 << at % 7]) + original[at + 1 :])
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


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda reports: (reports / "evidence/cm1.json").unlink(), "cm1.json: it is missing"),
        (lambda reports: (reports / "evidence/new.json").write_text("{}"), "new.json: no manifest"),
        (lambda reports: next(reports.glob("manifests/*.sig")).unlink(), "it cannot be read"),
        (lambda reports: next(reports.glob("manifests/*.json")).unlink(), "no manifest is there"),
        (lambda reports: (reports / "manifests/x.json.sig").write_text(""), "x.json.sig: its manifest is missing"),
        (lambda reports: (reports / "manifests/x.json").write_text("{}"), "x.json: its signature"),
    ],
)
def test_what_is_missing_and_what_is_too_much(
    reports: Path, keys: Path, damage: Callable[[Path], object], said: str
) -> None:
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
    assert git_commit([str(inventory)]) == (None, None)

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", inventory, "-c", "user.name=x", "-c", "user.email=x@example.com", *arguments],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    git("init", "-q", "..")
    assert git_commit([str(inventory)]) == (None, None), "no commit yet"
    git("add", ".")
    git("commit", "-q", "-m", "x")
    commit = git("rev-parse", "HEAD")
    assert git_commit(["localhost,", str(inventory / "hosts")]) == (commit, False)
    (inventory.parent / "elsewhere").write_text("")
    assert git_commit([str(inventory)]) == (commit, False), "not the inventory"
    (inventory / "hosts").write_text("cm2\n")
    assert git_commit([str(inventory)]) == (commit, True)
    assert git_commit(["cm1,"]) == (None, None)
    monkeypatch.setenv("PATH", "/nowhere")
    assert git_commit([str(inventory)]) == (None, None)


# -- the chain --------------------------------------------------------------------------------------


def run_id_of(number: int) -> str:
    """The name of the how many-th run of a test."""
    return f"20261101T{number // 60:02d}{number % 60:02d}00Z-{number:08x}"


@contextlib.contextmanager
def clock(days: float) -> Iterator[None]:
    """A clock of the control node that is this many days off."""

    def wrong() -> str:
        return _run.stamp(datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evidence, "now", wrong)
        patch.setattr(manifest, "now", wrong)
        yield


class Runs:
    """Runs into one folder, one after the other."""

    def __init__(self, reports: Path, keys: Path) -> None:
        self.reports = reports
        self.keys = keys
        self.count = 0

    def file(self, number: int, *documents: dict[str, Any]) -> None:
        """The first half of a run: its evidence."""
        for document in documents:
            evidence.file_evidence(self.reports, document, [], run_id=run_id_of(number))

    def end(self, number: int, key: str | None = "key", *documents: dict[str, Any]) -> Path:
        """The second half: its manifest."""
        made = manifest.manifest_of(documents, evidence.read_journal(self.reports, run_id_of(number)))
        path = manifest.write_manifest(
            self.reports, {**made, "run_id": run_id_of(number)}, str(self.keys / key) if key else None
        )
        validate(json.loads(path.read_text()))
        return path

    def __call__(self, *documents: dict[str, Any], key: str | None = "key") -> Path:
        self.count += 1
        self.file(self.count, *documents)
        return self.end(self.count, key, *documents)

    def check(self, *known: str, allowed: str = "allowed") -> tuple[list[str], str]:
        """What verification finds wrong, and its notes."""
        wrong, seen = manifest.verify(self.reports, str(self.keys / allowed), known)
        return wrong, "\n".join(seen["notes"])


@pytest.fixture
def runs(tmp_path: Path, keys: Path) -> Runs:
    return Runs(tmp_path / "r", keys)


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def place_of(path: Path) -> tuple[int, list[tuple[str, str, bool]]]:
    """Sequence of a manifest, and what it follows."""
    document = json.loads(path.read_text())
    return document["sequence"], [(entry["run_id"], entry["sha256"], entry["signed"]) for entry in document["previous"]]


def take_away(*paths: Path) -> None:
    """Remove manifests with their signatures."""
    for path in paths:
        path.unlink()
        manifest.signature_of(path).unlink(missing_ok=True)


def as_an_earlier_version_wrote(path: Path, key: Path | None) -> None:
    """A manifest without its place in the chain, signed again."""
    document = json.loads(path.read_text())
    del document["sequence"], document["previous"]
    path.write_text(evidence.as_text(document, sort_keys=True))
    signature = manifest.signature_of(path)
    signature.unlink(missing_ok=True)
    if key:
        signature.write_text(manifest.sign(path.read_bytes(), str(key)))


def test_each_manifest_names_the_one_before_it(runs: Runs) -> None:
    first, second, third = (runs(judged("cm1", state())) for _number in range(3))
    assert place_of(first) == (1, [])
    assert place_of(second) == (2, [(first.stem, sha256_of(first), True)])
    assert place_of(third) == (3, [(second.stem, sha256_of(second), True)])
    assert runs.check() == ([], "")


def test_a_run_by_a_wrong_clock_poisons_nothing(runs: Runs) -> None:
    """Ten days ahead, then right again: what was judged last counts, and how old it is is told by its own time."""
    with clock(10):
        wrong = runs(judged("cm1", state("enabled")), judged("cm2", state()))
    runs(judged("cm1", state()))
    problems_found, notes = runs.check()
    assert problems_found == []
    assert f"a clock was wrong: 1 manifests have times in the future, up to {finished(wrong)}" in notes
    found = read_evidence([runs.reports / "evidence"], ["cm1", "cm2"], None)
    assert [host.verdict for host in found.hosts] == ["compliant", "compliant"]
    assert found.hosts[0].age is not None and found.hosts[0].age < 3600
    assert found.hosts[1].age is None, "never 0: nobody knows how old it is"
    (about_hosts, about_runs) = found.notes
    assert about_hosts.endswith(": cm2")
    assert found.at in about_hosts and str(found.hosts[1].collected_at) in about_hosts
    assert "left out of the trend" in about_runs
    assert found.last_run == found.hosts[0].collected_at
    # When that time has come, the order has not changed.
    later = _run.stamp(datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=11))
    age = read_evidence([runs.reports / "evidence"], ["cm1"], None, later).hosts[0].age
    assert age is not None and age > 10.5 * 86400, "not the day that the wrong clock would make of it"
    with clock(11):
        assert runs.check()[0] == []
    # Old evidence put back is found, also where its time is the later one.
    evidence.write_json(runs.reports / "evidence/cm1.json", judged("cm1", state("enabled")), sort_keys=True)
    assert any("cm1.json: its content is not the one" in text for text in runs.check()[0])


def finished(path: Path) -> str:
    return str(json.loads(path.read_text())["finished"])


def test_a_clock_behind_is_noted(runs: Runs) -> None:
    first = runs(judged("cm1", state()))
    with clock(-10):
        second = runs(judged("cm1", state("enabled")))
    assert runs.check() == (
        [],
        f"a clock was wrong: {second.name} is from {finished(second)} and follows "
        f"{first.name}, which is from {finished(first)}",
    )


def test_with_newer_than_a_time_in_the_future_counts_as_none(runs: Runs) -> None:
    with clock(10):
        runs(judged("cm1", state()))
    (host,) = read_evidence([runs.reports / "evidence"], ["cm1"], _run.now()).hosts
    assert (host.verdict, host.age) == ("unknown", None)
    assert "how old it is nobody knows" in host.reasons[0]


@pytest.mark.parametrize("ahead", [0, 10])
def test_a_folder_of_an_earlier_version_goes_on(runs: Runs, ahead: int) -> None:
    """Its manifests have no sequence: named, no error; the next one follows them all. One may be from a wrong clock."""
    with clock(ahead):
        first = runs(judged("cm1", state("enabled")), judged("cm2", state()))
    as_an_earlier_version_wrote(first, runs.keys / "key")
    assert runs.check()[0] == []
    second = runs(judged("cm1", state()))
    as_an_earlier_version_wrote(second, runs.keys / "key")
    wrong, notes = runs.check()
    assert wrong == []
    assert f"2 manifests are from before there was a sequence: {first.name}, {second.name}" in notes
    third = runs(judged("cm1", state("enabled")))
    assert place_of(third) == (1, [(first.stem, sha256_of(first), True), (second.stem, sha256_of(second), True)])
    assert runs.check()[0] == []
    take_away(first)
    assert [text for text in runs.check()[0] if "cm2.json" not in text] == [], "old ones may be deleted"


def test_slices_that_follow_the_same_manifest_are_merged(runs: Runs, tmp_path: Path) -> None:
    root = runs(judged("cm1", state()), judged("cm2", state()))
    other = Runs(tmp_path / "other", runs.keys)
    shutil.copytree(runs.reports, other.reports)
    other.count = 1
    runs.count = 2
    mine = runs(judged("cm1", state("enabled")))
    theirs = other(judged("cm2", state("enabled")))
    assert place_of(mine) == place_of(theirs) == (2, [(root.stem, sha256_of(root), True)])
    for name in (f"manifests/{theirs.name}", f"manifests/{theirs.name}.sig", "evidence/cm2.json"):
        shutil.copy(other.reports / name, runs.reports / name)
    assert runs.check() == ([], "")
    merged = runs(judged("cm1", state()))
    assert place_of(merged)[0] == 3
    assert {run_id for run_id, *_rest in place_of(merged)[1]} == {mine.stem, theirs.stem}
    assert runs.check() == ([], "")


def test_slices_from_empty_folders_are_told_apart_by_time(runs: Runs, tmp_path: Path) -> None:
    """Containers that know of no run before: of two that judged a host the later counts, but not one of the future."""
    nights = []
    for night, (days, seen) in enumerate(((-2, "enabled"), (10, "enabled"), (-1, "disabled"))):
        one = Runs(tmp_path / f"night{night}", runs.keys)
        one.count = night
        with clock(days):
            one(judged("cm1", state(seen)))
        nights.append(one)
        shutil.copytree(one.reports, runs.reports, dirs_exist_ok=True)
    assert runs.check()[0] == []
    shutil.copy(nights[0].reports / "evidence/cm1.json", runs.reports / "evidence/cm1.json")
    assert len(runs.check()[0]) == 1, "put back"


def test_a_hole_is_named_and_the_oldest_may_go(runs: Runs) -> None:
    first, second, third = (runs(judged("cm1", state(seen))) for seen in ("disabled", "enabled", "disabled"))
    kept = {path: path.read_bytes() for path in (second, manifest.signature_of(second))}
    take_away(second)
    (wrong,) = runs.check()[0]
    assert f"{second.name}: it is missing, {third.name} names it, and older ones are there: {first.name}" in wrong
    for path, data in kept.items():
        path.write_bytes(data)
    take_away(first)
    assert runs.check() == ([], "")
    take_away(second)
    assert runs.check() == ([], "")


def test_what_was_known_must_be_there(runs: Runs) -> None:
    """Manifest and evidence, both put back: that, only somebody who remembers a checksum can see."""
    first = runs(judged("cm1", state("enabled")))
    old = (runs.reports / "evidence/cm1.json").read_bytes()
    second = runs(judged("cm1", state()))
    checksum = sha256_of(second)
    assert manifest.verify(runs.reports, str(runs.keys / "allowed"))[1]["newest"] == [
        {"run_id": second.stem, "sequence": 2, "sha256": checksum}
    ]
    assert runs.check(checksum, sha256_of(first)) == ([], "")
    take_away(second)
    (runs.reports / "evidence/cm1.json").write_bytes(old)
    assert runs.check() == ([], "")
    (wrong,) = runs.check(checksum)[0]
    assert f"none has the checksum {checksum}" in wrong


def test_a_run_that_was_overtaken_says_so(runs: Runs) -> None:
    """Two at once: the second judges the host after the first, and ends before it."""
    runs.file(1, judged("cm1", state("enabled")))
    runs.file(2, judged("cm1", state()))
    runs.end(2)
    first = runs.end(1)
    assert json.loads(first.read_text())["files"]["evidence/cm1.json"]["replaced_by"] == sha256_of(
        runs.reports / "evidence/cm1.json"
    )
    assert runs.check() == ([], "")
    (host,) = read_evidence([runs.reports / "evidence"], ["cm1"], None).hosts
    journal = evidence.read_journal(runs.reports, run_id_of(2))
    assert (host.verdict, host.collected_at) == ("compliant", journal["cm1"]["collected_at"])
    evidence.write_json(runs.reports / "evidence/cm1.json", judged("cm1", state("enabled")), sort_keys=True)
    assert len(runs.check()[0]) == 1, "the first one's evidence put back"


def test_a_file_put_back_while_a_run_goes_on_is_not_taken_for_one_that_overtook(runs: Runs) -> None:
    """A run that ended before this one began has not written over it, whatever content is there."""
    runs(judged("cm1", state()))
    old = (runs.reports / "evidence/cm1.json").read_bytes()
    runs.file(2, judged("cm1", state("enabled")))
    (runs.reports / "evidence/cm1.json").write_bytes(old)
    runs.end(2)
    (wrong,) = runs.check()[0]
    assert "says that a run has written it since of which no manifest is there" in wrong
    (host,) = read_evidence([runs.reports / "evidence"], ["cm1"], None, max_age=3 * 86400).hosts
    assert (host.verdict, host.is_as_filed) == ("unknown", False)
    assert "was changed, or put back to an older one" in host.reasons[0]


def test_what_a_killed_run_left_is_not_believed_again_when_it_is_put_back(runs: Runs) -> None:
    """Its journal speaks of that content, but the last run has filed another since."""
    runs.file(1, judged("cm1", state()))
    old = (runs.reports / "evidence/cm1.json").read_bytes()
    (host,) = read_evidence([runs.reports / "evidence"], ["cm1"], None, max_age=3 * 86400).hosts
    assert host.verdict == "compliant"
    for put_back_sooner in (True, False):
        runs.count += 2
        runs.file(runs.count, judged("cm1", state("enabled")))
        if put_back_sooner:
            (runs.reports / "evidence/cm1.json").write_bytes(old)
        runs.end(runs.count)
        (runs.reports / "evidence/cm1.json").write_bytes(old)
        (host,) = read_evidence([runs.reports / "evidence"], ["cm1"], None, max_age=3 * 86400).hosts
        assert (host.verdict, host.is_as_filed) == ("unknown", False)
    runs.file(9, judged("cm1", state()))
    (host,) = read_evidence([runs.reports / "evidence"], ["cm1"], None, max_age=3 * 86400).hosts
    assert (host.verdict, host.is_as_filed) == ("compliant", True), "one at work now"


def test_a_run_that_overtook_and_was_killed_is_named_until_the_next(runs: Runs) -> None:
    runs.file(1, judged("cm1", state("enabled")))
    runs.file(2, judged("cm1", state()))
    runs.end(1)
    (wrong,) = runs.check()[0]
    assert "says that a run has written it since of which no manifest is there" in wrong
    runs.count = 2
    runs(judged("cm1", state()))
    assert runs.check() == ([], "")


# -- from before signing, and afterwards -------------------------------------------------------------


@pytest.mark.parametrize("earlier", [False, True])
def test_what_is_from_before_signing_is_named(runs: Runs, earlier: bool) -> None:
    """Also where an earlier version wrote it, and where no signed run speaks of the host: its checksum is known."""
    unsigned = [runs(judged("cm1", state()), judged("gone", state()), key=None), runs(judged("cm1", state()), key=None)]
    if earlier:
        for path in unsigned:
            as_an_earlier_version_wrote(path, None)
    assert len(runs.check()[0]) == 4, "nothing is signed yet"
    runs(judged("cm1", state("enabled")))
    wrong, notes = runs.check()
    assert wrong == []
    assert "from before signing: 2 manifests" in notes
    assert "of 1 evidence files no signed manifest speaks" in notes
    evidence.write_json(runs.reports / "evidence/gone.json", judged("gone", state("enabled")), sort_keys=True)
    assert any("gone.json: its content" in text for text in runs.check()[0])


def test_a_manifest_from_before_signing_cannot_be_changed_or_added(runs: Runs) -> None:
    unsigned = runs(judged("cm1", state()), key=None)
    runs(judged("cm1", state()))
    original = unsigned.read_text()
    unsigned.write_text(original.replace('"hosts": [', '"hosts":  ['))
    assert any(unsigned.name in text for text in runs.check()[0])
    unsigned.write_text(original)
    added = unsigned.with_name(f"{run_id_of(0)}.json")
    added.write_text(original.replace(unsigned.stem, run_id_of(0)))
    (wrong,) = runs.check()[0]
    assert added.name in wrong and "telemetry_signing_key" in wrong


def test_one_without_a_signature_after_one_with_is_an_error_until_the_next_signed_run(runs: Runs) -> None:
    runs(judged("cm1", state()))
    unsigned = runs(judged("cm1", state("enabled")), judged("new", state()), key=None)
    wrong = runs.check()[0]
    assert any(unsigned.name in text and "telemetry_signing_key" in text for text in wrong)
    assert sum("evidence/" in text for text in wrong) == 2
    runs(judged("cm1", state()))
    wrong, notes = runs.check()
    assert len(wrong) == 1 and "new.json: no manifest that can be trusted names it" in wrong[0], "it counts for nothing"
    assert f"{unsigned.name}: it is not signed and counts for nothing" in notes
    runs(judged("cm1", state()), judged("new", state()))
    assert runs.check()[0] == []


def test_taking_a_signature_away_is_found(runs: Runs) -> None:
    first = runs(judged("cm1", state()))
    runs(judged("cm1", state()))
    manifest.signature_of(first).unlink()
    assert any(first.name in text for text in runs.check()[0])
    runs(judged("cm1", state()))
    assert any(first.name in text for text in runs.check()[0]), "and no later run makes it good"


def test_a_signature_in_another_namespace_is_found(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(manifest, "NAMESPACE", "file")
        path = runs(judged("cm1", state()))
    assert any(f"its signature {path.name}.sig is not good" in text for text in runs.check()[0])


# -- keys that have ended -----------------------------------------------------------------------------


def day(days: int) -> str:
    return (datetime.datetime.now() + datetime.timedelta(days=days)).strftime("%Y%m%d")


@pytest.fixture
def ended(runs: Runs) -> str:
    """Signers of whom the first has ended five days ago; the name of the file."""
    keys = [(runs.keys / f"{name}.pub").read_text() for name in ("key", "other")]
    (runs.keys / "ended").write_text(f'jo@example.com valid-before="{day(-5)}" {keys[0]}kim@example.com {keys[1]}')
    return "ended"


def test_a_key_that_has_ended_is_good_for_what_it_signed_before(runs: Runs, ended: str) -> None:
    with clock(-9):
        runs(judged("cm1", state("enabled")))
    with clock(-8):
        runs(judged("cm1", state()))
    wrong, notes = runs.check(allowed=ended)
    assert wrong == []
    assert "the key of jo@example.com has ended" in notes
    runs(judged("cm2", state()), key="other")
    assert runs.check(allowed=ended) == ([], "")
    runs(judged("cm1", state("enabled")))
    assert any("no signer that is allowed made it" in text for text in runs.check(allowed=ended)[0])


def test_a_key_that_has_ended_cannot_add_to_what_later_ones_confirm(runs: Runs, ended: str) -> None:
    """Whoever has it can make a manifest that says it is from before."""
    with clock(-9):
        runs(judged("cm1", state()))
    last = runs(judged("cm1", state()), key="other")
    hidden = [path.rename(path.with_name(f"kept-{path.name}")) for path in last.parent.glob(f"{last.name}*")]
    with clock(-8):
        forged = runs(judged("cm1", state("enabled")))
    for path in hidden:
        path.rename(path.with_name(path.name.removeprefix("kept-")))
    wrong = runs.check(allowed=ended)[0]
    assert any(f"{forged.name}: its signature is by a key of jo@example.com that has ended" in text for text in wrong)
    assert any("cm1.json: its content is not the one" in text for text in wrong)


# -- runs that were killed, and what others have laid there -------------------------------------------


def test_the_next_run_removes_what_a_killed_one_left(runs: Runs) -> None:
    first = runs(judged("cm1", state()))
    manifest.signature_of(first.with_name("x.json")).write_bytes(manifest.signature_of(first).read_bytes())
    for folder in ("evidence", "manifests"):
        (runs.reports / folder / f".abc{evidence.UNFINISHED}").write_text("{")
    (wrong,) = runs.check()[0]
    assert "x.json.sig: its manifest is missing" in wrong and "The next run removes" in wrong
    runs(judged("cm1", state()))
    assert runs.check() == ([], "")
    assert [path.name for path in runs.reports.rglob("*") if path.name.startswith(".")] == [".lock"]


def test_a_line_that_was_cut_short_costs_no_other(runs: Runs) -> None:
    runs.file(1, judged("cm1", state()))
    path = evidence.journal_of(runs.reports, run_id_of(1))
    with path.open("a") as stream:
        stream.write('{"host": "cm2", "coll')
    runs.file(1, judged("cm3", state()))
    assert set(evidence.read_journal(runs.reports, run_id_of(1))) == {"cm1", "cm3"}
    assert evidence.lines_of(path)[1] == 1


def lay(path: Path, what: str) -> None:
    """Something at a place where a file was."""
    path.unlink(missing_ok=True)
    if what == "fifo":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    elif what == "link":
        path.symlink_to("/etc/shadow")
    else:
        path.write_text(what)


DAMAGE = [
    "fifo",
    "folder",
    "link",
    "",
    "{",
    "[]",
    "null",
    "7",
    '"x"',
    "[" * 200_000,
    '{"a":' * 200_000,
    "\0",
    '{"files": NaN}',
    '{"schema": "cbops.telemetry/manifest/1"}',
    '{"schema": "cbops.telemetry/evidence/1", "host": "cm1"}',
    "[" * 70 + "]" * 70,
    '{"a": "\\ud800"}',
    '{"a": 1e999}',
    "9" * 5000,
]


@pytest.mark.parametrize(
    ("where", "what"),
    [
        *((where, what) for where in ("evidence/cm1.json", "manifests/{}.json", "runs/x.jsonl") for what in DAMAGE),
        *(
            (where, what)
            for where in ("runs/{}.jsonl", "manifests/x.json", "manifests/{}.json.sig", "evidence/x.json")
            for what in (*DAMAGE[:3], "[" * 200_000)
        ),
    ],
    ids=lambda text: text[:20],
)
def test_what_is_damaged_is_named_and_hides_nothing_else(runs: Runs, where: str, what: str) -> None:
    run_path = runs(judged("cm1", state()), judged("cm2", state()))
    path = runs.reports / where.format(run_path.stem)
    lay(path, what)
    found = read_evidence([runs.reports / "evidence"], ["cm1", "cm2"], None)
    assert found.hosts[1].verdict == "compliant"
    assert found.hosts[0].verdict == ("unknown" if where == "evidence/cm1.json" else "compliant")
    if where in ("manifests/{}.json", "manifests/x.json") or (where == "runs/x.jsonl" and what):
        assert any(path.name in note for note in found.notes), found.notes
    if not where.startswith("runs/"):
        assert any(path.name in text for text in runs.check()[0])
    # The next run replaces what it judges, whatever lies there.
    if what != "folder" or where != "evidence/cm1.json":
        runs.count = 7
        runs(judged("cm1", state()), judged("cm2", state()))
        assert read_evidence([runs.reports / "evidence"], ["cm1"], None).hosts[0].verdict == "compliant"


@pytest.mark.parametrize("name", [".lock", f"{run_id_of(1)}.jsonl"])
def test_what_is_written_in_place_follows_no_link_and_waits_for_nobody(runs: Runs, tmp_path: Path, name: str) -> None:
    victim = tmp_path / "victim"
    (runs.reports / "runs").mkdir(parents=True)
    (runs.reports / "runs" / name).symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        runs(judged("cm1", state()))
    assert not victim.exists()
    (runs.reports / "runs" / name).unlink()
    runs.count = 0
    os.mkfifo(runs.reports / "runs" / name)
    with pytest.raises(OSError, match="no regular file"):
        runs(judged("cm1", state()))


def test_a_folder_that_is_somebody_elses_link_is_not_written_to(runs: Runs, tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("it takes root to give a link away")
    runs.reports.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (runs.reports / "evidence").symlink_to("../elsewhere")
    runs(judged("cm1", state()))
    os.lchown(runs.reports / "evidence", 12345, 12345)
    with pytest.raises(OSError, match="somebody else"):
        runs(judged("cm1", state()))


def test_nobody_else_can_hold_the_lock(runs: Runs) -> None:
    runs(judged("cm1", state()))
    lock = runs.reports / "runs/.lock"
    assert lock.stat().st_mode & 0o007 == 0
    lock.chmod(0o666)
    runs(judged("cm1", state()))
    assert lock.stat().st_mode & 0o007 == 0


def test_how_many_places_are_read_does_not_grow_with_the_hosts(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a manifest the end tells its place: a run over one host must not read a year of ten thousand."""
    hosts = [judged(f"cm{number}", state()) for number in range(400)]
    path = runs(*hosts)
    assert path.stat().st_size > 1 << 16
    monkeypatch.setattr(chain, "manifest_in", None)  # would be the whole of it
    assert chain.quick_link(path) == chain.Link(path.stem, 1, ())


# -- evidence ---------------------------------------------------------------------------------------


def samples(connected: int, p50_ms: float) -> dict[str, Any]:
    return {
        "count": 9,
        "connected": connected,
        "loss_percent": 100.0 * (9 - connected) / 9,
        "p50_ms": p50_ms,
        "max_ms": 99.9,
        "outcomes": {"timeout": 9 - connected, "connected": connected},
    }


def test_settled_evidence_is_the_same_whatever_the_network_measured() -> None:
    first = state(connectivity=[answer(via="proxy:3128"), answer(samples=samples(7, 1.5))])
    second = state(
        connectivity=[
            answer(
                samples=samples(6, 2.5),
                phases_ms={"dns": 9.0, "tcp": 9.0, "proxy_connect": None, "tls": None, "http": None},
            ),
            answer(
                via="proxy:3128",
                addresses=[{"address": "192.0.2.9"}, {"address": "192.0.2.99"}],
                message="192.0.2.99 and 192.0.2.9 refused",
            ),
        ]
    )
    assert evidence.settled(first) == evidence.settled(second)
    assert "192.0.2" not in json.dumps(evidence.settled(first))
    assert first["connectivity"][0]["addresses"], "the answer itself stays as it was"
    kept = evidence.settled(first)["connectivity"]
    assert set(outcomes_of(kept[0])) == {"timeout", "connected"}, "what decides the verdict stays"
    assert outcomes_of(kept[1]) == ["refused"]


def test_how_often_an_attempt_failed_is_no_news() -> None:
    said = [
        evidence.settled(state(connectivity=[answer(samples=samples(connected, 1.0), message=message)]))
        for connected, message in (
            (7, "2 of 9 attempts failed (2 timeout). No answer"),
            (8, "1 of 9 attempts failed (1 timeout). No answer"),
        )
    ]
    assert said[0] == said[1]
    assert said[0]["connectivity"][0]["message"] == "some of 9 attempts failed. No answer"


def test_an_endpoint_given_as_an_address_keeps_its_name() -> None:
    seen = state(connectivity=[answer(target="192.0.2.1:443", message="192.0.2.1 refused")])
    assert evidence.settled(seen)["connectivity"][0]["message"] == "192.0.2.1 refused"
    seen = state(connectivity=[answer(via="192.0.2.1:3128", message="The proxy 192.0.2.1:3128 was not reached")])
    assert "192.0.2.1:3128" in evidence.settled(seen)["connectivity"][0]["message"]


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
        made = manifest.manifest_of(
            [document for document in documents if document], evidence.read_journal(tmp_path, run_id)
        )
        manifest.write_manifest(tmp_path, {**made, "run_id": run_id}, str(keys / "key"))
    assert problems(tmp_path, keys) == []
    assert sorted(path.name for path in (tmp_path / "evidence").iterdir()) == [
        "%C3%BC%2Fx.json",
        "cm1.json",
        "cm2.json",
    ]


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


# -- heads that are kept elsewhere ----------------------------------------------------------------------


def against(runs: Runs, *heads: str) -> tuple[list[str], str]:
    """What verification finds wrong with what somebody has kept elsewhere, and its notes."""
    found = [head for text in heads for head in manifest.heads_in(text)]
    wrong, seen = manifest.verify(runs.reports, str(runs.keys / "allowed"), (), found)
    return wrong, "\n".join(seen["notes"])


def put_back(runs: Runs, folder: Path) -> None:
    """The whole folder as it was copied."""
    shutil.rmtree(runs.reports)
    shutil.copytree(folder, runs.reports)


def test_what_was_put_back_together_is_seen_by_a_head_alone(runs: Runs, tmp_path: Path) -> None:
    """The attacker has copies of manifests, signatures, evidence and journals, and puts all of them back."""
    runs(judged("cm1", state()))
    shutil.copytree(runs.reports, tmp_path / "old")
    runs(judged("cm1", state("enabled")))
    (head,) = manifest.heads_of(runs.reports)
    assert head.signed and against(runs, head.words()) == ([], "")
    put_back(runs, tmp_path / "old")
    assert runs.check() == ([], ""), "the chain that is left is whole"
    (problem,) = against(runs, head.words())[0]
    (end,) = manifest.heads_of(runs.reports)
    assert f"the head that was kept, {head.sha256}, is not there" in problem
    assert f"{end.run_id}.json (sequence 1, SHA-256 {end.sha256})" in problem


def test_an_older_head_is_good_and_one_that_is_followed_by_more(runs: Runs) -> None:
    heads = []
    for _number in range(3):
        runs(judged("cm1", state()))
        heads += manifest.heads_of(runs.reports)
    assert len({head.sequence for head in heads}) == 3
    assert against(runs, *(head.words() for head in heads)) == ([], "")


def _forked(runs: Runs, tmp_path: Path, *hosts: str) -> None:
    """One run goes by a folder that was put back; then the attacker lays there again what he had taken away."""
    runs(judged("cm1", state()))
    shutil.copytree(runs.reports, tmp_path / "old")
    runs(judged("cm1", state()))
    shutil.copytree(runs.reports / "manifests", tmp_path / "away")
    put_back(runs, tmp_path / "old")
    runs(*(judged(host, state()) for host in hosts))
    shutil.copytree(tmp_path / "away", runs.reports / "manifests", dirs_exist_ok=True)


@pytest.fixture
def each_at_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of this process began all at once; here each begins when it is written."""
    made = manifest.manifest_of

    def begun(*given: Any, **more: Any) -> dict[str, Any]:
        return {
            "started": manifest.now(),
            **{key: value for key, value in made(*given, **more).items() if key != "started"},
        }

    monkeypatch.setattr(manifest, "manifest_of", begun)


@pytest.mark.usefixtures("each_at_its_time")
def test_a_fork_is_named_and_against_a_head_it_is_an_error(runs: Runs, tmp_path: Path) -> None:
    _forked(runs, tmp_path, "cm1")
    wrong, notes = against(runs)
    assert wrong == [] and f"{run_id_of(3)}.json began after {run_id_of(2)}.json had ended" in notes
    by_run = {head.run_id: head for head in manifest.heads_of(runs.reports)}
    (problem,) = against(runs, by_run[run_id_of(2)].sha256)[0]
    assert f"{run_id_of(3)}.json: it began after the head that was kept" in problem
    runs(judged("cm1", state()))  # follows both
    assert against(runs, manifest.heads_of(runs.reports)[0].words())[0] == []
    assert "the chain forks after" in runs.check()[1]


@pytest.mark.usefixtures("each_at_its_time")
def test_slices_one_after_the_other_are_no_fork(runs: Runs, tmp_path: Path) -> None:
    """They start from one copy of the folder, and have no host in common."""
    _forked(runs, tmp_path, "cm2")
    for head in manifest.heads_of(runs.reports):
        assert against(runs, head.words()) == ([], "")


def test_runs_at_once_are_no_fork(runs: Runs, tmp_path: Path) -> None:
    """By their times, which overlap."""
    _forked(runs, tmp_path, "cm1")
    for head in manifest.heads_of(runs.reports):
        assert against(runs, head.words()) == ([], "")


def test_one_that_is_gone_from_the_middle_is_found_with_a_head_and_without(runs: Runs) -> None:
    made = [runs(judged("cm1", state())) for _number in range(4)]
    (head,) = manifest.heads_of(runs.reports)
    take_away(made[2])
    for wrong in (runs.check()[0], against(runs, head.words())[0]):
        assert len(wrong) == 1 and f"{made[2].name}: it is missing" in wrong[0]


def test_a_clock_that_moved_hides_no_truncation(runs: Runs) -> None:
    runs(judged("cm1", state()))
    with clock(400):
        last = runs(judged("cm1", state()))
    (head,) = manifest.heads_of(runs.reports)
    assert head.run_id == last.stem and against(runs, head.words())[0] == []
    take_away(last)
    assert any("is not there: the chain was cut off" in one for one in against(runs, head.words())[0])


@pytest.mark.parametrize(
    "form",
    [
        "{0}",
        "  {0}\n",
        "head: 20261101T000000Z-00000001, sequence 3, SHA-256 {0}",
        "newest: x, sequence 3, SHA-256 {0}",
        'cbops_telemetry_chain_head{{run_id="x",sha256="{0}"}} 3',
        '"sha256": "{0}"',
        "Audit of the fleet\n\nhead: x, sequence 3, SHA-256 {0}\n",
    ],
)
def test_a_head_is_read_from_the_line_that_names_it(form: str) -> None:
    assert manifest.heads_in(form.format("a1" * 32)) == ["a1" * 32]


@pytest.mark.parametrize("text", ["", "none", "SHA-256 " + "a" * 63, "a" * 65, "SHA-256 " + "A" * 64])
def test_what_names_no_head_is_no_head(text: str) -> None:
    """A head that is not looked for would be a proof of nothing."""
    with pytest.raises(ValueError, match="names no head"):
        manifest.heads_in(text)


@pytest.mark.parametrize(
    "typo", ["b" * 63, "b" * 65, "B" * 64, "head: x, sequence 3, SHA-256 " + "b" * 62, "b" * 63 + "g"]
)
@pytest.mark.parametrize(
    "form", ["{0}\n{1}", "{1}\n{0}", "{0}\n\n  {1} \nthe end", '[{{"sha256": "{0}"}}, {{"sha256": "{1}"}}]']
)
def test_a_head_with_a_typo_beside_another_is_refused(form: str, typo: str) -> None:
    with pytest.raises(ValueError, match="names no head"):
        manifest.heads_in(form.format("a" * 64, typo))
    assert manifest.heads_in(
        "Audit\n" + "a" * 64 + "\nnewest: none\n" + '"sha256": null, "sha256": ""\n' + "a" * 40
    ) == ["a" * 64]


def test_a_head_from_before_signing_is_there(runs: Runs) -> None:
    first = runs(judged("cm1", state()), key=None)
    runs(judged("cm1", state()))
    wrong, notes = against(runs, sha256_of(first))
    assert wrong == [] and f"is {first.name}, from before signing" in notes
    text = first.read_text()
    first.write_text(text.replace("}", "} ", 1))
    assert any("was kept" in one for one in against(runs, hashlib.sha256(text.encode()).hexdigest())[0])


@pytest.mark.usefixtures("each_at_its_time")
def test_a_fork_is_seen_whatever_run_lies_between(runs: Runs, tmp_path: Path) -> None:
    """A long run of other hosts began before the first had ended, and ended after the second had begun."""
    runs(judged("cm1", state()), judged("cm2", state()))
    shutil.copytree(runs.reports, tmp_path / "old")
    runs(judged("cm1", state()))
    begun = manifest.now()
    shutil.copytree(runs.reports / "manifests", tmp_path / "away")
    (kept,) = manifest.heads_of(runs.reports)
    for number, host in ((3, "cm1"), (4, "cm2")):
        put_back(runs, tmp_path / "old")
        runs.file(number, judged(host, state()))
        made = manifest.manifest_of([judged(host, state())], evidence.read_journal(runs.reports, run_id_of(number)))
        started = {"started": begun} if number == 4 else {}
        manifest.write_manifest(runs.reports, {**made, "run_id": run_id_of(number), **started}, str(runs.keys / "key"))
        shutil.copytree(runs.reports / "manifests", tmp_path / "away", dirs_exist_ok=True)
    shutil.copytree(tmp_path / "away", runs.reports / "manifests", dirs_exist_ok=True)
    wrong, notes = against(runs, kept.sha256)
    assert f"{run_id_of(3)}.json began after {run_id_of(2)}.json had ended" in notes
    assert any(f"{run_id_of(3)}.json: it began after the head that was kept" in one for one in wrong)


def test_one_that_is_gone_from_the_middle_is_noted_where_a_clock_was_put_back(runs: Runs) -> None:
    made = []
    for number in (5, 1, 2):
        runs.file(number, judged("cm1", state()))
        made.append(runs.end(number, "key", judged("cm1", state())))
    assert runs.check() == ([], "")
    take_away(made[1])
    wrong, notes = runs.check()
    assert not any("is missing" in one for one in wrong)
    assert f"{made[1].name} is not there, and {made[2].name} names it" in notes and made[0].name in notes


def test_a_baseline_that_was_changed_is_named(runs: Runs) -> None:
    """Of a host that cannot be read: else nobody would see how it has drifted meanwhile."""
    runs(judged("cm1", state()))
    runs(judged("cm1", None))
    assert runs.check() == ([], "")
    (kept,) = (runs.reports / "baselines").iterdir()
    text = kept.read_text()
    for other in (text.replace("disabled", "enabled"), "{}"):
        kept.write_text(other)
        (problem,) = runs.check()[0]
        assert "evidence/cm1.json: the state from before the host could not be read" in problem
    kept.write_text(text)
    runs(judged("cm1", state()))
    assert runs.check() == ([], "") and not kept.exists()


def test_a_head_says_whether_a_signature_lies_beside_it(runs: Runs) -> None:
    runs(judged("cm1", state()), key=None)
    assert [head.signed for head in manifest.heads_of(runs.reports)] == [False]
    runs(judged("cm1", state()))
    assert [head.signed for head in manifest.heads_of(runs.reports)] == [True]


@pytest.mark.parametrize("number", [chain.MOST_RUNS, 2 * chain.MOST_RUNS - 1, 2 * chain.MOST_RUNS, int("9" * 4300)])
def test_a_sequence_that_nobody_can_have_reached_is_not_followed(runs: Runs, number: int) -> None:
    """Else the next one would be a number that JSON does not have, or that no manifest may say."""
    first = runs(judged("cm1", state()))
    planted = first.with_name(f"{run_id_of(7)}.json")
    document = {**json.loads(first.read_text()), "run_id": planted.stem}
    planted.write_text(json.dumps({**document, "sequence": number, "previous": []}))
    assert place_of(runs(judged("cm1", state())))[0] == 2

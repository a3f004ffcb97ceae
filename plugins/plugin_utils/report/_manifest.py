# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest of a run (who was judged, when, by what, and the checksum of every evidence file) and its signature.

Private to this collection. Runs on the control node.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import datetime
import itertools
import json
import os
import platform
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ansible.release import __version__ as ansible_version

from ansible_collections.cbops.telemetry.plugins.plugin_utils._showing import named
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._chain import (
    MANIFEST_SCHEMA,
    MOST_RUNS,
    Chain,
    LastWords,
    Link,
    Word,
    digest,
    link_of,
    manifest_in,
    quick_link,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._evidence import (
    EVIDENCE_SCHEMA,
    UNFINISHED,
    as_text,
    baseline_path,
    read_baseline,
    write_text,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._reading import (
    content,
    locked,
    parsed,
    path_of,
    why,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._run import RUN_ID, STARTED, now, stamp
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import (
    PolicyError,
    rejudge,
    totals_by_machine,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._slice import Slice
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._model import Head, moment

NAMESPACE = "cbops.telemetry"
#: Seconds for ssh-keygen.
PATIENCE = 30
#: Of so many hosts verification keeps by which run they were judged; more it reads again.
MOST_KEPT = 2_000_000
#: Records of changes that one manifest names.
MOST_RECORDS = 1000


class SignatureError(Exception):
    """A signature cannot be made, or is not good; the message says why."""


# -- making -----------------------------------------------------------------------------------------


def manifest_of(
    evidence: Sequence[Mapping[str, Any]],
    journal: Mapping[str, Mapping[str, Any]],
    commit: tuple[str | None, bool | None] = (None, None),
    limit: str | None = None,
    slice_: Slice | None = None,
) -> dict[str, Any]:
    """The manifest of this run, from its journal. ``evidence`` has a document for every host that went in.

    ``limit`` is which part of the inventory these are; None where they are all of it. ``slice_`` is which of several.
    Its place in the chain it gets when it is written.
    """
    return {
        "schema": MANIFEST_SCHEMA,
        "run_id": RUN_ID,
        "started": stamp(STARTED),
        "finished": now(),
        "versions": {
            "collection": collection_version(),
            "ansible_core": ansible_version,
            "python": platform.python_version(),
        },
        "git_commit": commit[0],
        "git_dirty": commit[1],
        "hosts": [document["host"] for document in evidence],
        "limit": limit,
        **({"slice": slice_._asdict()} if slice_ else {}),
        "totals": totals_by_machine(
            (document["verdict"], journal.get(document["host"], {}).get("machine")) for document in evidence
        ),
        "files": {
            f"evidence/{path_of(Path(), host).name}": {"host": host, **_told(line)}
            for host, line in sorted(journal.items())
        },
    }


_TOLD = ("sha256", "collected_at", "verdict", "drift", "machine", "host_clock", "baseline", "events_changed")


def _told(line: Mapping[str, Any]) -> dict[str, Any]:
    """What a manifest has of a line of the journal."""
    return {key: line[key] for key in _TOLD if key in line}


def collection_version() -> str | None:
    """The version of this collection, by the file that its way of installing leaves; None where there is none."""
    root = Path(__file__).parent.parent.parent.parent
    try:
        return str(json.loads((root / "MANIFEST.json").read_text(encoding="utf-8"))["collection_info"]["version"])
    except (OSError, ValueError, KeyError):
        pass
    try:
        found = re.search(r"^version: *(\S+)", (root / "galaxy.yml").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return None
    return found[1] if found else None


def write_manifest(reports: Path, document: Mapping[str, Any], key: str | None) -> Path:
    """Give a manifest its place in the chain and write it, with ``key`` its signature first.

    So a manifest that is there is signed, wherever the run is killed; a signature without a manifest the next run takes
    away. Raises OSError and :class:`SignatureError`.
    """
    path = reports / "manifests" / f"{document['run_id']}.json"
    with locked(reports):
        _tidy(reports)
        text = as_text(
            {
                **document,
                **_place(path),
                "files": _as_left(reports, document["files"]),
                "changes": _records(reports, document["run_id"], bool(key)),
            },
            sort_keys=True,
        )
        signature = sign(text.encode(), key) if key else None
        if signature is not None:
            write_text(signature_of(path), signature, lasting=True)
        write_text(path, text, lasting=True)
    return path


def _tidy(reports: Path) -> None:
    """Remove what runs that were killed have left; under the lock nobody is writing."""
    for folder in (reports / "evidence", reports / "manifests"):
        for path in folder.glob("*"):
            unfinished = path.name.startswith(".") and path.name.endswith(UNFINISHED)
            orphan = path.suffix == ".sig" and not os.path.lexists(path.with_suffix(""))
            if unfinished or orphan:
                with contextlib.suppress(OSError):
                    path.unlink()


def _place(path: Path) -> dict[str, Any]:
    """The place in the chain of a manifest that is to be written: after all that none follows."""
    links = []
    for other in path.parent.glob("*.json"):
        if other != path:
            # One that is damaged is no link; verification names it.
            with contextlib.suppress(OSError, ValueError):
                link = quick_link(other)
                if f"{link.run_id}.json" == other.name and link.sequence < MOST_RUNS:
                    links.append(link)
    signed = [link for link in links if os.path.lexists(signature_of(path.with_name(f"{link.run_id}.json")))]
    # Signed ones are followed also where one that nobody signed says it does so already.
    heads = {link.run_id: (link, False) for link in Chain(links).heads()}
    heads.update({link.run_id: (link, True) for link in Chain(signed).heads()})
    previous: list[dict[str, Any]] = []
    for run_id, (link, is_signed) in sorted(heads.items()):
        with contextlib.suppress(OSError):
            previous.append(
                {
                    "run_id": run_id,
                    "sequence": link.sequence or None,
                    "signed": is_signed,
                    "sha256": digest(content(path.with_name(f"{run_id}.json"))),
                }
            )
    followed = [heads[entry["run_id"]][0].sequence for entry in previous]
    return {"sequence": 1 + max(followed, default=0), "previous": previous}


def _as_left(reports: Path, files: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What a manifest says of each file, and of those that another run has written since, which content they have."""
    found = {}
    for name, given in files.items():
        entry = {key: value for key, value in given.items() if key != "replaced_by"}
        with contextlib.suppress(OSError):
            there = digest(content(reports / name))
            if there != entry["sha256"]:
                entry["replaced_by"] = there
        found[name] = entry
    return found


def _records(reports: Path, run_id: str, is_signed: bool) -> dict[str, dict[str, Any]]:
    """The checksum of the record of this run's changes, and of those whose runs left no manifest, as they are now.

    Records only grow, so each is named by so many of its first bytes.
    """
    found = {}
    for path in sorted((reports / "changes").glob("*.jsonl"), reverse=True)[:MOST_RECORDS]:
        ended = reports / "manifests" / f"{path.stem}.json"
        if path.stem == run_id or not os.path.lexists(signature_of(ended) if is_signed else ended):
            with contextlib.suppress(OSError):
                data = content(path)
                found[f"changes/{path.name}"] = {"sha256": digest(data), "size": len(data)}
    return found


def signature_of(manifest: Path) -> Path:
    """Where the signature of a manifest is."""
    return manifest.with_name(f"{manifest.name}.sig")


def _keygen(*arguments: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    try:
        # In a session of its own: without a terminal it cannot stop and ask for a passphrase.
        return subprocess.run(
            ["ssh-keygen", "-Y", *arguments],
            input=data,
            capture_output=True,
            check=False,
            timeout=PATIENCE,
            start_new_session=True,
            env={**os.environ, "SSH_ASKPASS_REQUIRE": "never", "LC_ALL": "C"},
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise SignatureError(f"ssh-keygen cannot be run: {error}") from error


def sign(data: bytes, key: str) -> str:
    """The signature of some data. ``key`` is a private key without a passphrase, or a public one held by an agent."""
    done = _keygen("sign", "-q", "-f", key, "-n", NAMESPACE, data=data)
    text = done.stdout.decode("ascii", "replace")
    if done.returncode or not text:
        raise SignatureError(f"{key} cannot sign: {done.stderr.decode(errors='replace').strip()}")
    return text


# -- verifying --------------------------------------------------------------------------------------


def verify_signature(data: bytes, signature: Path, allowed_signers: str, at: str | None = None) -> tuple[str, bool]:
    """Who signed the data, by the ``allowed_signers`` file; and whether that key is valid now.

    A key that is not may have been ``at`` the time at which the data says that it was made. Raises SignatureError.
    """
    try:
        armored = content(signature, 1 << 16)
    except OSError as error:
        raise SignatureError(f"it cannot be read: {why(error)}") from error
    _insist_on_canonical(armored)
    # ssh-keygen opens the file itself, so it gets one that nobody changes meanwhile.
    with tempfile.NamedTemporaryFile(suffix=".sig") as copy:
        copy.write(armored)
        copy.flush()
        try:
            return _signer(data, copy.name, allowed_signers), True
        except SignatureError:
            # Nothing was made in the future, whatever a clock said.
            then = moment(at) if at is not None and at < now() else None
            if then is None:
                raise
            # In local time, which every ssh-keygen understands.
            local = then.astimezone().strftime("%Y%m%d%H%M%S")
            with contextlib.suppress(SignatureError):
                return _signer(data, copy.name, allowed_signers, "-O", f"verify-time={local}"), False
            raise


def _signer(data: bytes, signature: str, allowed_signers: str, *options: str) -> str:
    found = _keygen("find-principals", "-s", signature, "-f", allowed_signers, *options)
    if found.returncode or not found.stdout.strip():
        raise SignatureError(
            f"no signer that is allowed made it: {found.stderr.decode(errors='replace').strip() or 'it is unknown'}"
        )
    who = found.stdout.decode(errors="replace").splitlines()[0].strip()
    done = _keygen("verify", "-f", allowed_signers, "-I", who, "-n", NAMESPACE, "-s", signature, *options, data=data)
    if done.returncode:
        raise SignatureError(
            f"it does not fit the manifest: {(done.stderr or done.stdout).decode(errors='replace').strip()}"
        )
    return who


def _insist_on_canonical(armored: bytes) -> None:
    """A signature can be written in many ways that mean the same; only ssh-keygen's own is taken."""
    begin, end = b"-----BEGIN SSH SIGNATURE-----\n", b"-----END SSH SIGNATURE-----\n"
    try:
        blob = base64.b64decode(b"".join(armored[len(begin) : -len(end)].split(b"\n")), validate=True)
    except binascii.Error as error:
        raise SignatureError(f"it is damaged: {error}") from error
    body = base64.b64encode(blob)
    lines = b"".join(body[at : at + 70] + b"\n" for at in range(0, len(body), 70))
    if armored != begin + lines + end:
        raise SignatureError("it is damaged: it is not written as ssh-keygen writes it")


class Manifest(NamedTuple):
    """A manifest that verification has read."""

    path: Path
    link: Link
    sha256: str
    started: str
    finished: str
    signer: str | None  # None for one without a signature
    valid: bool  # whether the signer's key is valid now


class _Verification:
    """What is wrong in a reports folder, what is worth a note, and which manifests can be trusted for what."""

    def __init__(self, reports: Path, allowed_signers: str) -> None:
        self.reports = reports
        self.wrong: list[str] = []
        self.notes: list[str] = []
        self.seen: dict[str, Manifest] = {}
        self.count = 0
        self.heads: list[Manifest] = []
        self.forks: list[tuple[Manifest, Manifest]] = []
        #: What trusted manifests say of each record of changes: size and checksum, each with who says so.
        self.claims: dict[str, dict[tuple[int, str], str]] = {}
        self.tells_changes: set[str] = set()
        for path in sorted((reports / "manifests").glob("*.json")):
            self.count += 1
            self._read(path, allowed_signers)
        self.signed = {run_id: one for run_id, one in self.seen.items() if one.signer is not None}
        self._ended()
        self.from_before = self._unsigned()
        self._links()
        self._forks()
        self._times()

    def say(self, one: Manifest, text: str) -> None:
        """Something is wrong with a manifest."""
        self.wrong.append(f"{one.path}: {text}")

    def _read(self, path: Path, allowed_signers: str) -> None:
        try:
            data = content(path)
        except OSError as error:
            self.wrong.append(f"{path}: it is no manifest: {why(error)}")
            return
        document, problem = None, ""
        try:
            document = manifest_in(data)
        except ValueError as error:
            problem = why(error)
        signer, valid = None, True
        signature = signature_of(path)
        try:
            signer, valid = verify_signature(
                data, signature, allowed_signers, document["finished"] if document is not None else None
            )
        except SignatureError as error:
            if document is None or os.path.lexists(signature):
                self.wrong.append(f"{path}: its signature {signature.name} is not good: {error}")
                return
        if document is None:
            self.wrong.append(f"{path}: it is no manifest: {problem}")
            return
        one = Manifest(path, link_of(document), digest(data), document["started"], document["finished"], signer, valid)
        if one.link.run_id != path.stem:
            self.say(one, f"it is the manifest of another run, {one.link.run_id}")
            return
        known = [entry["machine"] for entry in document["files"].values() if entry.get("machine")]
        if sum(document["totals"].values()) != len(document["hosts"]) - len(known) + len(set(known)):
            self.say(one, "its totals are not those of its hosts")
        self.seen[one.link.run_id] = one

    def _unsigned(self) -> dict[str, Manifest]:
        """Manifests from before the first signed one, which names them by their checksum; of others without a signature
        it is said that they count for nothing.
        """
        before: dict[str, Manifest] = {}
        after: dict[str, Manifest] = {}
        chain = Chain(one.link for one in self.signed.values())
        in_sequence = sum(chain.bit[link.run_id] for link in chain.links if link.sequence)
        for run_id, one in self.signed.items():
            _follow(one, self.seen, after if chain.before[run_id] & in_sequence else before)
        for run_id, one in sorted(self.seen.items()):
            if one.signer is None and run_id in after:
                self.notes.append(
                    f"{one.path}: it is not signed and counts for nothing; a later run that is signed has seen it so"
                )
                before.pop(run_id, None)
            elif one.signer is None and run_id not in before:
                self.say(
                    one,
                    f"its signature {signature_of(one.path).name} is not good: it cannot be read: it is not "
                    "there. It counts for nothing; the next run that is signed (telemetry_signing_key) puts "
                    "that right for the hosts that it judges",
                )
        if before:
            self.notes.append(
                f"from before signing: {len(before)} manifests are not signed and are as the first "
                f"signed one found them: {named(sorted(one.path.name for one in before.values()))}"
            )
        return before

    def _links(self) -> None:
        """What each names as the one before it must be there as it was, or be older than all that is there."""
        old = [one for one in self.seen.values() if not one.link.sequence]
        if old:
            self.notes.append(
                f"{len(old)} manifests are from before there was a sequence: "
                f"{named(sorted(one.path.name for one in old))}"
            )
        holes: dict[str, tuple[int, list[str]]] = {}
        for one in self.signed.values():
            highest = max((previous.sequence for previous in one.link.previous), default=0)
            if one.link.sequence and one.link.sequence != highest + 1:
                self.say(one, f"its sequence is {one.link.sequence} and the highest before it {highest}")
            for previous in one.link.previous:
                there = self.seen.get(previous.run_id)
                if there is not None and there.sha256 != previous.sha256:
                    self.say(there, f"its content is not the one that {one.path.name} names (sha256)")
                elif (
                    there is None
                    and previous.signed
                    and previous.sequence
                    and not os.path.lexists(self.reports / "manifests" / f"{previous.run_id}.json")
                ):
                    holes.setdefault(previous.run_id, (previous.sequence, []))[1].append(one.path.name)
        for run_id, (sequence, namers) in sorted(holes.items()):
            older = sorted(
                one.path.name
                for one in self.signed.values()
                if one.link.sequence < sequence and one.link.run_id < run_id
            )
            beside = sorted(one.path.name for one in self.signed.values() if 0 < one.link.sequence < sequence)
            if beside and not older:  # by its name it is older than they are, which a clock that was put back does too
                self.notes.append(
                    f"{run_id}.json is not there, and {named(namers)} names it: it was deleted as an old one, or taken "
                    f"out of the middle, for some of a lower sequence are there: {named(beside)}"
                )
            if older:
                self.wrong.append(
                    f"{self.reports / 'manifests' / run_id}.json: it is missing, {named(namers)} names "
                    f"it, and older ones are there: {named(older)}"
                )

    def _forks(self) -> None:
        """Where the chain parts: of runs at once and of slices that is right; of one run after another it is named.

        Whoever puts a folder back lets the next run follow an older manifest, beside those that were away then.
        """
        chain = Chain(one.link for one in self.signed.values())
        links = {link.run_id: link for link in chain.links}
        for head in chain.heads():
            self.heads.append(self.signed[head.run_id])
        by_previous: dict[str, list[str]] = {}
        for run_id, link in links.items():
            for previous in link.previous:
                by_previous.setdefault(previous.run_id, []).append(run_id)
        for base, following in sorted(by_previous.items()):
            ordered = sorted(following, key=lambda run_id: self.signed[run_id].started)
            hosts: dict[str, frozenset[int]] = {}
            for one, other in itertools.combinations(ordered, 2):
                first, second = self.signed[one], self.signed[other]
                apart = not chain.before[other] & chain.bit[one] and not chain.before[one] & chain.bit[other]
                if apart and first.finished < second.started and self._share_hosts(first, second, hosts):
                    self.forks.append((first, second))
                    self.notes.append(
                        f"the chain forks after {base}.json: {second.path.name} began after {first.path.name} had "
                        "ended, does not follow it and has hosts in common with it. They are of copies of the folder, "
                        "or it was put back to an older state when the second ran"
                    )

    def _share_hosts(self, first: Manifest, second: Manifest, known: dict[str, frozenset[int]]) -> bool:
        """Whether a host went into both runs; ``known`` are those of the last ones that were read, as hashes."""
        both = []
        for one in (first, second):
            found = known.get(one.link.run_id)
            if found is None:
                found = frozenset(hash(str(host)) for host in manifest_in(content(one.path))["hosts"])
                known[one.link.run_id] = found
            both.append(found)
        while sum(map(len, known.values())) > MOST_KEPT:
            del known[next(iter(known))]
        return not both[0].isdisjoint(both[1])

    def against(self, heads: Sequence[str]) -> None:
        """Hold the chain against heads that somebody has kept elsewhere, by their SHA-256."""
        chain = Chain(one.link for one in self.signed.values())
        by_sum = {one.sha256: one for one in self.signed.values()}
        before = {one.sha256: one for one in self.from_before.values()}
        ends = ", ".join(
            f"{one.path.name} (sequence {one.link.sequence or 'none'}, SHA-256 {one.sha256})" for one in self.heads[:5]
        )
        for sha256 in heads:
            head = by_sum.get(sha256)
            if head is None and sha256 in before:
                self.notes.append(
                    f"the head that was kept, {sha256}, is {before[sha256].path.name}, from before signing: it is "
                    "there, as the first signed manifest found it"
                )
                continue
            if head is None:
                self.wrong.append(
                    f"{self.reports / 'manifests'}: the head that was kept, {sha256}, is not there: the chain was cut "
                    f"off, or put back to an older state; it ends with {ends or 'nothing'}"
                )
                continue
            for first, second in self.forks:
                line = chain.bit[head.link.run_id] | chain.before[head.link.run_id]
                follows = chain.before[second.link.run_id] & chain.bit[head.link.run_id]
                if (
                    line & chain.bit[first.link.run_id]
                    and not line & chain.bit[second.link.run_id]
                    and not follows
                    and second.started > head.finished
                ):
                    self.say(
                        second,
                        f"it began after the head that was kept, {head.path.name}, had ended, and follows an older "
                        "one: the folder had been put back when it ran",
                    )

    def _ended(self) -> None:
        """A key that has ended can still make a signature: only one that a later manifest confirms is from before."""
        chain = Chain(one.link for one in self.signed.values())
        confirmed = 0
        for one in self.signed.values():
            if one.valid:
                confirmed |= chain.before[one.link.run_id]
        by_now = any(one.valid for one in self.signed.values())
        ended = [one for run_id, one in self.signed.items() if not one.valid and not confirmed & chain.bit[run_id]]
        for one in ended if by_now else []:
            self.say(
                one,
                f"its signature is by a key of {one.signer} that has ended, and no later manifest names it: "
                "it may have been made afterwards",
            )
            del self.signed[one.link.run_id]
        if ended and not by_now:
            self.notes.append(
                f"the key of {named(sorted({str(one.signer) for one in ended}))} has ended: it was valid "
                "when the last manifests say that they were made, which nothing later confirms"
            )

    def _times(self) -> None:
        """What clocks cannot have been right about."""
        present = now()
        late = sorted(one.path.name for one in self.seen.values() if one.finished > present)
        if late:
            last = max(one.finished for one in self.seen.values())
            self.notes.append(
                f"a clock was wrong: {len(late)} manifests have times in the future, up to {last} "
                f"(it is {present}): {named(late)}"
            )
        for one in self.signed.values():
            for previous in one.link.previous:
                there = self.seen.get(previous.run_id)
                if there is not None and there.finished > one.finished:
                    self.notes.append(
                        f"a clock was wrong: {one.path.name} is from {one.finished} and follows "
                        f"{there.path.name}, which is from {there.finished}"
                    )

    def last_words(self) -> LastWords:
        """What trusted manifests say of the evidence files."""
        trusted = {**self.from_before, **self.signed}
        chain = Chain(one.link for one in trusted.values())
        words = LastWords(chain, now())
        for run_id in chain.newest_first():
            one = trusted[run_id]
            # Read again, for those of a large fleet do not all fit into memory.
            data = content(one.path)
            if digest(data) != one.sha256:
                self.say(one, "it was changed meanwhile")
                continue
            document = manifest_in(data)
            for name, entry in document["files"].items():
                words.add(run_id, name, entry, one.signer is not None)
            if "changes" in document:
                self.tells_changes.add(run_id)
            for name, entry in document.get("changes", {}).items():
                self.claims.setdefault(name, {}).setdefault((entry["size"], entry["sha256"]), run_id)
        return words

    def records(self) -> int:
        """Hold the records of changes against what trusted manifests say of them; how many these name."""
        there = {f"changes/{path.name}" for path in (self.reports / "changes").glob("*.jsonl")}
        old = 0
        for name in sorted(there | set(self.claims)):
            run_id, claims = Path(name).stem, self.claims.get(name, {})
            if not claims and run_id in {**self.from_before, **self.signed} and run_id not in self.tells_changes:
                old += 1
                continue
            problem = self._record_problem(name, run_id, claims)
            if problem:
                self.wrong.append(f"{self.reports / name}: {problem}")
        if old:
            self.notes.append(f"{old} records of changes are of runs of an earlier version, which signed none")
        return len(self.claims)

    def _record_problem(self, name: str, run_id: str, claims: Mapping[tuple[int, str], str]) -> str | None:
        """Why a record is not to be trusted, or None."""
        if not claims:
            return (
                f"{run_id}.json says that its run changed nothing"
                if run_id in self.tells_changes
                else "no manifest that can be trusted names it"
            )
        try:
            data = content(self.reports / name)
        except FileNotFoundError:
            return f"it is missing, {claims[max(claims)]}.json names it"
        except OSError as error:
            return f"it cannot be read: {why(error)}"
        for (size, sha256), namer in sorted(claims.items()):
            if len(data) < size or digest(data[:size]) != sha256:
                return f"its content is not the one that {namer}.json names (sha256)"
        more = len(data) - max(size for size, _sha256 in claims)
        if not more:
            return None
        return f"its last {more} bytes are of after {claims[max(claims)]}.json, and no manifest names them"


def _follow(one: Manifest, seen: Mapping[str, Manifest], into: dict[str, Manifest]) -> None:
    """Collect the unsigned manifests that a manifest names by their checksum, and those that these name."""
    waiting = [one]
    while waiting:
        for previous in waiting.pop().link.previous:
            there = seen.get(previous.run_id)
            if (
                there is not None
                and there.signer is None
                and not previous.signed
                and previous.run_id not in into
                and there.sha256 == previous.sha256
            ):
                into[previous.run_id] = there
                waiting.append(there)


#: What a chain cannot say of itself.
UNPROVEN = (
    "not proven: that nothing was taken off the end. Manifest and evidence of the last runs, both taken away or both "
    "put back to an older state, leave a chain that is whole. Only a head that was kept elsewhere shows that (head)"
)
_HEAD = re.compile(r"""(?:^\s*|SHA-256 |sha256"?[=:]\s*"?)([0-9a-f]{64})(?![0-9a-f])""", re.MULTILINE)

#: What was meant for a head: a line that is one word of many digits, or that says that a SHA-256 follows.
_MEANT = re.compile(
    r"""^[ \t]*[0-9a-fA-F]{48}\S*[ \t]*$|(?:SHA-256 |sha256"?[=:]\s*"?)[0-9a-fA-F]{8}.{0,60}""", re.MULTILINE
)


def heads_in(text: str) -> list[str]:
    """The heads that a text names: a SHA-256 alone, or a line of a run, of verification or of OpenMetrics that has it.

    Raises ValueError where it names none, or one of them is no SHA-256: one that is not looked for would be a proof of
    nothing.
    """
    found = list(dict.fromkeys(_HEAD.findall(text)))
    if not found:
        raise ValueError(f"{text[:80]!r} names no head: no SHA-256 of a manifest is in it")
    wrong = _MEANT.search(_HEAD.sub(" ", text))
    if wrong:
        raise ValueError(f"{wrong[0].strip()[:80]!r} names no head: it is not 64 digits of 0-9 and a-f")
    return found


def heads_of(reports: Path) -> list[Head]:
    """The manifests of a folder that none follows."""
    links = []
    for path in (reports / "manifests").glob("*.json"):
        with contextlib.suppress(OSError, ValueError):
            link = quick_link(path)
            if link.run_id == path.stem:
                links.append(link)
    found = []
    for link in Chain(links).heads():
        with contextlib.suppress(OSError):
            path = reports / "manifests" / f"{link.run_id}.json"
            is_signed = os.path.lexists(signature_of(path))
            found.append(Head(link.run_id, link.sequence, digest(content(path)), is_signed))
    return found


def verify(
    reports: Path, allowed_signers: str, known: Sequence[str] = (), heads: Sequence[str] = ()
) -> tuple[list[str], dict[str, Any]]:
    """What is wrong with the evidence of a reports folder, each with its file; and what was looked at.

    Every manifest must have a good signature, but those from before the first that has. None may be missing between
    two, and the records of changes must be as they were signed. Every evidence file must be as the run with the last
    word on it left it, and its verdict must be the one that its own content has on the day of that run. ``known`` are
    checksums of manifests that must still be there, ``heads`` such of the last ones that somebody has kept elsewhere.
    """
    found = _Verification(reports, allowed_signers)
    wrong = found.wrong
    if not found.count:
        return [f"{reports / 'manifests'}: no manifest is there"], {
            "manifests": 0,
            "files": 0,
            "records": 0,
            "signers": [],
            "notes": [],
            "newest": [],
        }
    for signature in sorted((reports / "manifests").glob("*.sig")):
        if not os.path.lexists(signature.with_suffix("")):
            wrong.append(
                f"{signature}: its manifest is missing: the run was killed while it wrote it, or somebody has "
                "taken it away. The next run removes the signature"
            )
    there_now = {one.sha256 for one in found.signed.values()}
    wrong += [
        f"{reports / 'manifests'}: none has the checksum {sha256}, which was known: the folder was put back to "
        "an older state, or emptied"
        for sha256 in known
        if sha256 not in there_now
    ]
    found.against(heads)
    words = found.last_words()
    records = found.records()
    there = {
        f"evidence/{path.name}"
        for path in (reports / "evidence").glob("*")
        if not (path.name.startswith(".") and path.name.endswith(UNFINISHED))
    }
    wrong += [f"{reports / name}: no manifest that can be trusted names it" for name in sorted(there - words.names())]
    unsigned = 0
    for name in sorted(words.names()):
        last, word = words[name], words.left_by(name)
        unsigned += last.run_id in found.from_before
        problem = (
            f"{last.run_id}.json says that a run has written it since of which no manifest is there"
            if word is None
            else _evidence_problem(reports / name, name, word, found.seen[word.run_id])
        )
        if not problem and word is not None and word.entry.get("baseline"):
            kept = baseline_path(reports, str(word.entry["host"]))
            base = read_baseline(kept)
            if base is None or digest(as_text(base.document or {}, sort_keys=True).encode()) != word.entry["baseline"]:
                problem = f"the state from before the host could not be read, {kept}, is not the one that "
                problem += f"{word.run_id}.json names (sha256): drift would not be seen when it comes back"
        if problem:
            wrong.append(f"{reports / name}: {problem}")
    if unsigned:
        found.notes.append(f"from before signing: of {unsigned} evidence files no signed manifest speaks")
    newest = [
        {"run_id": link.run_id, "sequence": link.sequence or None, "sha256": found.signed[link.run_id].sha256}
        for link in Chain(one.link for one in found.signed.values()).heads()
    ]
    return wrong, {
        "manifests": found.count,
        "files": len(words.names()),
        "records": records,
        "notes": found.notes,
        "newest": newest,
        "signers": sorted({str(one.signer) for one in found.signed.values()}),
    }


def _evidence_problem(path: Path, name: str, word: Word, manifest: Manifest) -> str | None:
    """Why an evidence file is not to be trusted, or None. ``word`` is what the manifest says of it."""
    try:
        data = content(path)
    except FileNotFoundError:
        return f"it is missing, {manifest.path.name} names it"
    except OSError as error:
        return f"it cannot be read: {why(error)}"
    if digest(data) != word.entry["sha256"]:
        return f"its content is not the one that {manifest.path.name} names (sha256)"
    day = datetime.date.fromisoformat(manifest.started[:10])
    try:
        document = parsed(data)
        if document["schema"] != EVIDENCE_SCHEMA or f"evidence/{path_of(Path(), document['host']).name}" != name:
            return "it is not the evidence of its host"
        verdict = rejudge(document, day).verdict
    except (ValueError, KeyError, TypeError, AttributeError, PolicyError) as error:
        return f"it cannot be judged: {error!r}"
    if not verdict == document["verdict"] == word.entry["verdict"]:
        return (
            f"its verdict is {document['verdict']} (in the manifest: {word.entry['verdict']}), but on {day} its "
            f"content gives {verdict}"
        )
    return None

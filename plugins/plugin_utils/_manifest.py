# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest of a run (who was judged, when, by what, and the checksum of every evidence file) and its signature.

Private to this collection. Runs on the control node.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import hashlib
import json
import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.release import __version__ as ansible_version

from ansible_collections.cbops.telemetry.plugins.plugin_utils._assessment import PolicyError, rejudge, totals_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils._evidence import (
    EVIDENCE_SCHEMA,
    as_text,
    path_of,
    write_text,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils._run import RUN_ID, STARTED, now, stamp

MANIFEST_SCHEMA = "cbops.telemetry/manifest/1"
NAMESPACE = "cbops.telemetry"
#: Seconds for git or ssh-keygen.
PATIENCE = 30


class SignatureError(Exception):
    """A signature cannot be made, or is not good; the message says why."""


# -- making -----------------------------------------------------------------------------------------


def manifest_of(evidence: Sequence[Mapping[str, Any]], journal: Mapping[str, Mapping[str, Any]],
                commit: tuple[str | None, bool | None] = (None, None)) -> dict[str, Any]:
    """The manifest of this run, from its journal. ``evidence`` has a document for every host that went in."""
    return {
        "schema": MANIFEST_SCHEMA,
        "run_id": RUN_ID,
        "started": stamp(STARTED),
        "finished": now(),
        "versions": {"collection": collection_version(), "ansible_core": ansible_version,
                     "python": platform.python_version()},
        "git_commit": commit[0],
        "git_dirty": commit[1],
        "hosts": [document["host"] for document in evidence],
        "totals": totals_of(document["verdict"] for document in evidence),
        "files": {f"evidence/{path_of(Path(), host).name}": {
            "host": host, **{key: line[key] for key in ("sha256", "collected_at", "verdict", "drift")}}
            for host, line in sorted(journal.items())},
    }


def collection_version() -> str | None:
    """The version of this collection, by the file that its way of installing leaves; None where there is none."""
    root = Path(__file__).parent.parent.parent
    try:
        return str(json.loads((root / "MANIFEST.json").read_text(encoding="utf-8"))["collection_info"]["version"])
    except (OSError, ValueError, KeyError):
        pass
    try:
        found = re.search(r"^version: *(\S+)", (root / "galaxy.yml").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return None
    return found[1] if found else None


def git_commit(sources: Sequence[str]) -> tuple[str | None, bool | None]:
    """Commit of the repository that the inventory lies in, and whether the inventory differs from it.

    (None, None) where it lies in none, or git is not there: that is no error.
    """
    path = next((Path(source) for source in sources if os.path.exists(source)), None)
    if path is None:
        return None, None
    folder = path if path.is_dir() else path.parent
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    if commit is None:
        return None, None
    changes = _git(folder, "status", "--porcelain", "--", str(path.absolute()))
    return commit.strip(), None if changes is None else bool(changes.strip())


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False,
                              timeout=PATIENCE, stdin=subprocess.DEVNULL,
                              env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"})
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 else None


def write_manifest(reports: Path, document: Mapping[str, Any], key: str | None) -> Path:
    """Write the manifest, with ``key`` its signature first. Raises OSError and :class:`SignatureError`."""
    path = reports / "manifests" / f"{document['run_id']}.json"
    text = as_text(document, sort_keys=True)
    if key:
        write_text(signature_of(path), sign(text.encode(), key))
    write_text(path, text)
    return path


def signature_of(manifest: Path) -> Path:
    """Where the signature of a manifest is."""
    return manifest.with_name(f"{manifest.name}.sig")


def _keygen(*arguments: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    try:
        # In a session of its own: without a terminal it cannot stop and ask for a passphrase.
        return subprocess.run(["ssh-keygen", "-Y", *arguments], input=data, capture_output=True, check=False,
                              timeout=PATIENCE, start_new_session=True,
                              env={**os.environ, "SSH_ASKPASS_REQUIRE": "never", "LC_ALL": "C"})
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


def verify_signature(data: bytes, signature: Path, allowed_signers: str) -> str:
    """Who signed the data, by the ``allowed_signers`` file. Raises :class:`SignatureError`."""
    try:
        _insist_on_canonical(signature.read_bytes())
    except OSError as error:
        raise SignatureError(f"it cannot be read: {error.strerror}") from error
    found = _keygen("find-principals", "-s", str(signature), "-f", allowed_signers)
    if found.returncode or not found.stdout.strip():
        raise SignatureError("no signer that is allowed made it: "
                             f"{found.stderr.decode(errors='replace').strip() or 'it is unknown'}")
    who = found.stdout.decode(errors="replace").splitlines()[0].strip()
    done = _keygen("verify", "-f", allowed_signers, "-I", who, "-n", NAMESPACE, "-s", str(signature), data=data)
    if done.returncode:
        raise SignatureError("it does not fit the manifest: "
                             f"{(done.stderr or done.stdout).decode(errors='replace').strip()}")
    return who


def _insist_on_canonical(armored: bytes) -> None:
    """A signature can be written in many ways that mean the same; only ssh-keygen's own is taken."""
    begin, end = b"-----BEGIN SSH SIGNATURE-----\n", b"-----END SSH SIGNATURE-----\n"
    try:
        blob = base64.b64decode(b"".join(armored[len(begin):-len(end)].split(b"\n")), validate=True)
    except binascii.Error as error:
        raise SignatureError(f"it is damaged: {error}") from error
    body = base64.b64encode(blob)
    lines = b"".join(body[at:at + 70] + b"\n" for at in range(0, len(body), 70))
    if armored != begin + lines + end:
        raise SignatureError("it is damaged: it is not written as ssh-keygen writes it")


def verify(reports: Path, allowed_signers: str) -> tuple[list[str], dict[str, Any]]:
    """What is wrong with the evidence of a reports folder, each with its file; and what was looked at.

    Every manifest must have a good signature. Every evidence file must be as the last run that judged its host left
    it, and its verdict must be the one that its own content has on the day of that run.
    """
    wrong: list[str] = []
    signers: set[str] = set()
    last: dict[str, dict[str, Any]] = {}
    manifests = sorted((reports / "manifests").glob("*.json"))
    if not manifests:
        return [f"{reports / 'manifests'}: no manifest is there"], {"manifests": 0, "files": 0, "signers": []}
    for signature in sorted((reports / "manifests").glob("*.sig")):
        if not signature.with_suffix("").exists():
            wrong.append(f"{signature}: its manifest is missing")
    for path in manifests:
        try:
            data = path.read_bytes()
            signers.add(verify_signature(data, signature_of(path), allowed_signers))
            document = json.loads(data)
            wrong += [f"{path}: {text}" for text in _contradictions(path, document)]
            for name, entry in document["files"].items():
                if name not in last or entry["collected_at"] > last[name]["collected_at"]:
                    last[name] = {**entry, "started": document["started"], "manifest": path.name}
        except SignatureError as error:
            wrong.append(f"{path}: its signature {signature_of(path).name} is not good: {error}")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            wrong.append(f"{path}: it is no manifest: {error!r}")
    there = {f"evidence/{path.name}" for path in (reports / "evidence").glob("*")
             if not (path.name.startswith(".") and path.name.endswith(".new"))}
    wrong += [f"{reports / name}: no manifest that can be trusted names it" for name in sorted(there - set(last))]
    for name in sorted(last):
        problem = _evidence_problem(reports / name, name, last[name])
        if problem:
            wrong.append(f"{reports / name}: {problem}")
    return wrong, {"manifests": len(manifests), "files": len(last), "signers": sorted(signers)}


def _contradictions(path: Path, document: Mapping[str, Any]) -> list[str]:
    """What a signed manifest says that cannot be."""
    found = []
    if document["schema"] != MANIFEST_SCHEMA:
        found.append(f"its schema is {document['schema']!r}")
    if f"{document['run_id']}.json" != path.name:
        found.append(f"it is the manifest of another run, {document['run_id']}")
    if sum(document["totals"].values()) != len(document["hosts"]):
        found.append("its totals are not those of its hosts")
    return found


def _evidence_problem(path: Path, name: str, entry: Mapping[str, Any]) -> str | None:
    """Why an evidence file is not to be trusted, or None. ``entry`` is what the last manifest says of it."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return f"it is missing, {entry['manifest']} names it"
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    if hashlib.sha256(data).hexdigest() != entry["sha256"]:
        return f"its content is not the one that {entry['manifest']} names (sha256)"
    try:
        document = json.loads(data)
        if document["schema"] != EVIDENCE_SCHEMA or f"evidence/{path_of(Path(), document['host']).name}" != name:
            return "it is not the evidence of its host"
        day = datetime.date.fromisoformat(entry["started"][:10])
        verdict = rejudge(document, day).verdict
    except (ValueError, KeyError, TypeError, AttributeError, PolicyError) as error:
        return f"it cannot be judged: {error!r}"
    if not verdict == document["verdict"] == entry["verdict"]:
        return (f"its verdict is {document['verdict']} (in the manifest: {entry['verdict']}), but on {day} its content "
                f"gives {verdict}")
    return None

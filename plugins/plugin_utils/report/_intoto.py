# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as in-toto attestations: a DSSE envelope a line, a Simple Verification Result of hosts of one verdict.

Of many hosts there are several, for an envelope is read, and signed, as a whole. They are signed as manifests are.
Private to this collection; runs on the control node.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible, visible_json
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._reading import path_of, written
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._verdicts import BY_NAME, EXCUSED, IDLE, MET, TABLE
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._model import Host, Report

PAYLOAD = "application/vnd.in-toto+json"
HOME = "https://github.com/cbops/telemetry"
#: What is verified of a host, by what verdicts have in common. Of all others nothing is.
PROPERTIES = {
    MET: ("CBOPS_TELEMETRY_POLICY_MET",),
    EXCUSED: ("CBOPS_TELEMETRY_WAIVED",),
    IDLE: ("CBOPS_TELEMETRY_NOT_APPLICABLE",),
}
#: So many hosts are in one statement: its envelope has some 2 MB then.
MOST_SUBJECTS = 5000
FRESH = "CBOPS_TELEMETRY_EVIDENCE_WITHIN_MAX_AGE"


def _subject(host: Host) -> dict[str, Any]:
    """The evidence file of a host; what stands in for one that has none is named as the host alone."""
    if host.sha256 is None:
        digest = hashlib.sha256(written(host.document, sort_keys=True).encode()).hexdigest()
        return {
            "name": visible(host.host),
            "digest": {"sha256": digest},
            "annotations": {"host": visible(host.host), "filed": False},
        }
    return {
        "name": f"evidence/{path_of(Path(), host.host).name}",
        "digest": {"sha256": host.sha256},
        "annotations": {"host": visible(host.host), "collected_at": host.collected_at},
    }


def _is_fresh(host: Host, limit: float | None) -> bool:
    """Whether the evidence of a host is known to be no older than the limit; not where no clock tells."""
    return limit is not None and host.is_as_filed and host.age is not None and host.age <= limit


def statements(report: Report) -> Iterator[dict[str, Any]]:
    """Statements for each verdict that a host has, worst first; their properties are what was verified of all of it."""
    for verdict in TABLE:
        hosts = [host for host in report.hosts if host.verdict == verdict.name]
        if not hosts:
            continue
        properties = list(PROPERTIES.get(BY_NAME[verdict.name].camp, ()))
        if properties and all(_is_fresh(host, report.max_age) for host in hosts):
            properties.append(FRESH)
        for start in range(0, len(hosts), MOST_SUBJECTS):
            yield {
                "_type": "https://in-toto.io/Statement/v1",
                "subject": [_subject(host) for host in hosts[start : start + MOST_SUBJECTS]],
                "predicateType": "https://in-toto.io/attestation/svr/v0.1",
                "predicate": {
                    "verifier": {"id": f"{HOME}/verifier/v1"},
                    "timeCreated": report.generated_at,
                    "properties": properties,
                    # Extension fields, which are named by URIs.
                    f"{HOME}/verdict": verdict.name,
                    **({f"{HOME}/slice": report.slice._asdict()} if report.slice else {}),
                    f"{HOME}/manifests": [head._asdict() for head in report.heads],
                },
            }


def pae(body: bytes) -> bytes:
    """What is signed: DSSE's pre-authentication encoding of a payload."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD), PAYLOAD.encode(), len(body), body)


def _signature(armored: str) -> dict[str, str]:
    """A signature of ssh-keygen as an envelope has it, with the fingerprint of its key."""
    blob = base64.b64decode("".join(armored.split("\n")[1:-2]))
    at = len(b"SSHSIG") + 4
    size = int.from_bytes(blob[at : at + 4], "big")
    key = hashlib.sha256(blob[at + 4 : at + 4 + size]).digest()
    return {"keyid": "SHA256:" + base64.b64encode(key).decode().rstrip("="), "sig": base64.b64encode(blob).decode()}


def render(report: Report) -> str:
    """The report as one text."""
    return "".join(pieces(report))


def pieces(report: Report) -> Iterator[str]:
    """The envelopes, one a line; without a key they have no signature, and no verifier takes them."""
    for statement in statements(report):
        body = visible_json(written(statement, sort_keys=True)).encode()
        envelope = {
            "payloadType": PAYLOAD,
            "payload": base64.b64encode(body).decode(),
            "signatures": [] if report.sign is None else [_signature(report.sign(pae(body)))],
        }
        yield written(envelope, sort_keys=True) + "\n"

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence files, one a host, and the report that is made from them.

Private to this collection. Runs on the control node.
"""

from __future__ import annotations

import datetime
import json
import os
import tempfile
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.cbops.telemetry.plugins.plugin_utils._assessment import VERDICTS

EVIDENCE_SCHEMA = "cbops.telemetry/evidence/1"
REPORT_SCHEMA = "cbops.telemetry/report/1"


def now() -> str:
    """The present moment in UTC, ISO 8601 with microseconds (so that runs within a second differ)."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat().replace("+00:00", "Z")


def said(answer: Mapping[str, Any]) -> str:
    """What a failed task answered, in one line and without the program that it ran."""
    for key in ("msg", "module_stderr", "exception"):
        text = str(answer.get(key) or "").strip()
        if text:
            return " ".join(text.splitlines()[-1].split()) if key != "msg" else " ".join(text.split())[:500]
    return "it gave no answer"


def path_of(folder: Path, host: str) -> Path:
    """The evidence file of a host; what a file name must not hold is escaped as in a URL."""
    return folder / (urllib.parse.quote(host, safe="@:+,") + ".json")


def write_json(path: Path, document: Mapping[str, Any], sort_keys: bool = False) -> None:
    """Write a document in one step, so that a reader sees the old or the new one."""
    write_text(path, json.dumps(document, indent=2, ensure_ascii=False, sort_keys=sort_keys) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a file in one step, so that a reader sees the old or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=".", suffix=".new", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def read(path: Path) -> dict[str, Any] | None:
    """An evidence document, None where the file is none."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(document, dict) or document.get("schema") != EVIDENCE_SCHEMA:
        return None
    return document


def collect(folder: Path, hosts: Iterable[str], newer_than: str | None) -> list[dict[str, Any]]:
    """The evidence of the hosts that went in, in their order; a host without any is ``unknown``."""
    collected = []
    for host in hosts:
        document = read(path_of(folder, host))
        if document is None:
            collected.append(missing(host, "no evidence was filed for it: its tasks failed or were not run"))
        elif newer_than and document["collected_at"] < newer_than:
            collected.append(missing(host, f"no evidence was filed for it in this run, the last is from "
                                           f"{document['collected_at']}"))
        else:
            collected.append(document)
    return collected


def missing(host: str, reason: str) -> dict[str, Any]:
    """What stands in for a host of which nothing was filed."""
    return {"schema": EVIDENCE_SCHEMA, "host": host, "collected_at": None, "policy": None, "state": None,
            "error": reason, "verdict": "unknown", "reasons": [reason]}


def report(evidence: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The report on a fleet: totals, and the evidence of each host."""
    totals = dict.fromkeys(VERDICTS, 0)
    for document in evidence:
        totals[document["verdict"]] += 1
    return {"schema": REPORT_SCHEMA, "generated_at": now(), "totals": totals, "hosts": list(evidence)}


COLUMNS = ("host", "product", "on_disk", "next_start", "running", "connectivity", "verdict")


def rows(document: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The lines of the table for one host, one an installation."""
    state = document.get("state") or {}
    answers = state.get("connectivity") or []
    wanted = (document.get("policy") or {}).get("connectivity", "-")
    connectivity = ", ".join(answer["outcome"] for answer in answers) or (wanted if wanted == "ignored" else "-")
    installations = state.get("installations") or []
    if not installations:
        return [(document["host"], "-", "-", "-", "-", connectivity, document["verdict"])]
    return [(document["host"], entry["product"], entry["on_disk"], entry["next_start"], entry["running"],
             connectivity, document["verdict"]) for entry in installations]


def table(evidence: Sequence[Mapping[str, Any]]) -> str:
    """The report as text: a table, the reasons of every host that is not compliant, the totals."""
    lines: list[tuple[str, ...]] = [COLUMNS]
    for document in evidence:
        lines.extend(rows(document))
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    text.insert(1, "  ".join("-" * width for width in widths))
    reasons = [f"{document['host']}: {document['verdict']}\n" + "\n".join(f"    {r}" for r in document["reasons"])
               for document in evidence if document["reasons"]]
    if reasons:
        text += ["", *reasons]
    totals = report(evidence)["totals"]
    counted = ", ".join(f"{count} {verdict}" for verdict, count in totals.items() if count)
    text += ["", f"{len(evidence)} hosts: {counted or 'none'}"]
    return "\n".join(text)

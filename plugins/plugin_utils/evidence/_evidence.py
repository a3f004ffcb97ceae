# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence files, one a host, and the report that is made from them.

Private to this collection. Runs on the control node.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

from ansible_collections.cbops.telemetry.plugins.plugin_utils._showing import cut, first, named
from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._chain import digest, sound_entry
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._changes import act_of, acts_since, note_judged
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._drift import Act, drift_of, events_changed
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._reading import (
    append,
    content,
    locked,
    make_folder,
    parsed,
    path_of,
    written,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._run import RUN_ID, now, stamp
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._age import LITTLE_OFF
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import Assessment, Policy, totals_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._documents import Evidence, State
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._posture import posture
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._verdicts import SETTLED, VERDICTS

EVIDENCE_SCHEMA: Literal["cbops.telemetry/evidence/1"] = "cbops.telemetry/evidence/1"
#: How files end that are being written; what a run that was killed has left of them the next one removes.
UNFINISHED = ".new"
#: Checksums that are kept beside a baseline: of as many the acts since are no drift when the host comes back.
MOST_SINCE = 100


def said(answer: Mapping[str, Any]) -> str:
    """What a failed task answered, in one line and without the program that it ran."""
    for key in ("msg", "module_stderr", "exception"):
        text = str(answer.get(key) or "").strip()
        if text:
            return visible(" ".join((text if key == "msg" else text.splitlines()[-1]).split())[:500])
    return "it gave no answer"


def write_json(path: Path, document: Mapping[str, Any], sort_keys: bool = False) -> None:
    """Write a document in one step, so that a reader sees the old or the new one."""
    write_text(path, as_text(document, sort_keys))


def as_text(document: Mapping[str, Any], sort_keys: bool = False) -> str:
    """A document as it is written. Raises ValueError for what JSON cannot hold."""
    return written(document, indent=2, sort_keys=sort_keys) + "\n"


def write_text(path: Path, text: str | Iterable[str], lasting: bool = False) -> None:
    """Write a file in one step, so that a reader sees the old or the new one; ``lasting`` also after a power cut.

    ``text`` may come in pieces, which are not held together.
    """
    make_folder(path.parent)
    descriptor, temporary = tempfile.mkstemp(prefix=".", suffix=UNFINISHED, dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.writelines([text] if isinstance(text, str) else text)
            stream.flush()
            umask = os.umask(0)
            os.umask(umask)
            # Not by its name, which in a folder that others may write can be another file by now.
            os.fchmod(descriptor, 0o666 & ~umask)
            if lasting:
                os.fsync(descriptor)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def read(path: Path) -> Evidence | None:
    """An evidence document, None where the file is none."""
    return read_with_digest(path)[0]


def read_with_digest(path: Path) -> tuple[Evidence | None, str]:
    """An evidence document, None where the file is none; and the checksum of the file."""
    try:
        data = content(path)
    except OSError:
        return None, ""
    try:
        document = parsed(data)
    except ValueError:
        document = None
    good = isinstance(document, dict) and document.get("schema") == EVIDENCE_SCHEMA
    return document if good else None, digest(data)


# -- one host ---------------------------------------------------------------------------------------


def settled(state: Mapping[str, Any]) -> State:
    """A state document without what the network measured anew: times, samples, and which address answered.

    The keys stay, empty. What was measured is kept in the journal of the run.
    """
    document: dict[str, Any] = json.loads(json.dumps(state))
    if "host" in document:
        document["host"].pop("machine", None)  # it is another after each boot
        document["host"].pop("time", None)
    for entry in document.get("installations", []):
        entry.pop("home_share", None)  # a server's address can be another after each mount
    for answer in document.get("connectivity", []):
        found = [answer.get("address"), *(item.get("address") for item in answer.get("addresses") or [])]
        # Longest first: one address can be the beginning of another.
        for address in sorted({str(item) for item in found if item}, key=lambda item: (-len(item), item)):
            named = (answer["target"], answer.get("via", ""))
            if not any(name.startswith((address, f"[{address}]")) for name in named):
                answer["message"] = answer["message"].replace(address, "its address")
        answer["address"], answer["addresses"] = None, []
        answer["phases_ms"] = dict.fromkeys(answer.get("phases_ms") or {})
        if answer.get("samples"):
            # Which outcomes there were decides the verdict; how often each was is another number in every run.
            answer["samples"].update(
                dict.fromkeys(("connected", "loss_percent", "p50_ms", "max_ms")),
                outcomes=dict.fromkeys(sorted(answer["samples"]["outcomes"]), 1),
            )
            answer["message"] = re.sub(
                r"\A\d+ of (\d+) attempts failed \([^)]*\)", r"some of \1 attempts failed", answer["message"]
            )
    document["connectivity"] = sorted(
        document.get("connectivity", []), key=lambda answer: (answer["target"], answer.get("via", "direct"))
    )
    return cast(State, document)


def document_of(
    host: str, policy: Policy | None, state: State | None, error: str | None, result: Assessment
) -> Evidence:
    """The evidence of a host. Nothing in it tells the time of the run, so an unchanged host has unchanged evidence."""
    return {
        "schema": EVIDENCE_SCHEMA,
        "host": host,
        "policy": policy.document() if policy is not None else None,
        "state": state,
        "error": error,
        "verdict": result.verdict,
        "reasons": result.reasons,
        "warnings": result.warnings,
        "posture": posture(state) if state is not None else None,
    }


def missing(host: str, reason: str) -> Evidence:
    """What stands in for a host of which nothing was filed."""
    return document_of(host, None, None, reason, Assessment("unknown", [reason]))


def file_evidence(
    reports: Path,
    document: Evidence,
    measured: Sequence[Mapping[str, Any]] = (),
    edited: bool = False,
    run_id: str = RUN_ID,
    machine: str | None = None,
    host_time: float | None = None,
) -> tuple[Path, str | None]:
    """Write a host's evidence and its line in the journal of the run; its path and the drift that it shows.

    ``machine`` is what the host says that it has in common with no other, ``host_time`` what its clock said (seconds).
    ``measured`` are the answers of the probe as they were given; ``edited`` is whether somebody who keeps no record of
    it says that this run edited the host. Raises OSError, and ValueError for what JSON cannot hold (see writable).
    """
    path = path_of(reports / "evidence", document["host"])
    text = as_text(document, sort_keys=True)
    with locked(reports):
        before, sha256 = read_with_digest(path)
        base = baseline_of(reports, document["host"], before, sha256)
        ours = [act for since in base.since for act in acts_since(reports, document["host"], since, run_id)]
        acts = [act for act in map(act_of, ours) if act is not None] or (
            [Act(None, document["policy"]["desired"])] if edited and document["policy"] else []
        )
        try:
            drift = drift_of(base.document, document, acts)
            if base.document is not before and drift == "intended":
                drift = drift_of(before, document)  # of its policy the evidence before tells, also without a state
        except (KeyError, TypeError, AttributeError):
            drift = None  # what was there before is damaged
        kept = keep_baseline(reports, document, base)
        collected_at = now()
        clock = _clock_of(host_time, collected_at)
        events = _events_of(base.document, document)
        line = written(
            {
                "host": document["host"],
                "collected_at": collected_at,
                "sha256": digest(text.encode()),
                "verdict": document["verdict"],
                "drift": drift,
                "measured": list(measured),
                **({"events_changed": events} if events else {}),
                **({"machine": digest(machine.encode())} if machine else {}),
                **({"host_clock": clock} if clock else {}),
                **({"baseline": kept} if kept else {}),
            },
            sort_keys=True,
        )
        write_text(path, text)
        append(journal_of(reports, run_id), line + "\n")
        if ours and not kept:
            note_judged(
                reports,
                document["host"],
                ours,
                {"verdict": document["verdict"], "drift": drift, "evidence": digest(text.encode())},
                run_id,
            )
    return path, drift


def _events_of(before: Evidence | None, document: Evidence) -> list[str]:
    try:
        return events_changed(before, document)
    except (KeyError, TypeError, AttributeError):
        return []  # what was there before is damaged


class Baseline(NamedTuple):
    """What a host's new evidence is held against."""

    document: Evidence | None
    since: tuple[str, ...]  # checksums of it, and of evidence without a state that was filed since


def baseline_path(reports: Path, host: str) -> Path:
    """Where the last evidence with a state of a host is kept that could not be read since."""
    return path_of(reports / "baselines", host)


def read_baseline(path: Path) -> Baseline | None:
    """What is kept there; None where nothing is, or it is damaged."""
    try:
        kept = parsed(content(path))
        document, since = kept["evidence"], kept["since"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    good = (
        isinstance(document, dict)
        and document.get("schema") == EVIDENCE_SCHEMA
        and isinstance(since, list)
        and all(isinstance(one, str) for one in since)
    )
    return Baseline(cast(Evidence, document), tuple(since)) if good else None


def baseline_of(reports: Path, host: str, before: Evidence | None, sha256: str) -> Baseline:
    """The last evidence of a host that has a state: the one before, or what was kept while it could not be read."""
    own = Baseline(before, (sha256,) if sha256 else ())
    if before is None or before.get("state") is not None:
        return own
    kept = read_baseline(baseline_path(reports, host))
    if kept is None or kept.document is None or kept.document.get("host") != host:
        return own
    return Baseline(kept.document, tuple(dict.fromkeys([*kept.since, *own.since]))[-MOST_SINCE:])


def keep_baseline(reports: Path, document: Evidence, base: Baseline) -> str | None:
    """Keep it where the new evidence has no state, for when the host comes back; its checksum. Under the lock."""
    path = baseline_path(reports, document["host"])
    if document.get("state") is not None or base.document is None or base.document.get("state") is None:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        return None
    write_json(path, {"evidence": base.document, "since": list(base.since)}, sort_keys=True)
    return digest(as_text(base.document, sort_keys=True).encode())


def _clock_of(host_time: float | None, collected_at: str) -> str | None:
    """What a host's clock said, where that is not about the time at which it was asked."""
    if host_time is None:
        return None
    try:
        theirs = datetime.datetime.fromtimestamp(host_time, datetime.timezone.utc)
    except (OverflowError, OSError, ValueError):
        return None  # no answer that passed the gate has such a time
    ours = datetime.datetime.fromisoformat(collected_at.replace("Z", "+00:00"))
    return stamp(theirs) if abs((theirs - ours).total_seconds()) > LITTLE_OFF else None


def writable(document: Evidence, measured: Sequence[Mapping[str, Any]] = ()) -> Evidence:
    """The evidence of a host; what JSON cannot hold (NaN, half a character) makes the host unknown, not the run end."""
    try:
        as_text(document)
        written(list(measured))
        return document
    except ValueError as error:
        reason = f"its answer cannot be written as JSON: {error}".encode("ascii", "backslashreplace").decode()
        return missing(document["host"], reason)


def journal_of(reports: Path, run_id: str) -> Path:
    """The journal of a run."""
    return reports / "runs" / f"{run_id}.jsonl"


def lines_of(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The lines of a journal that are sound, and the number of those that are not. Raises OSError."""
    entries, damaged = [], 0
    for line in content(path).splitlines():
        try:
            entry = parsed(line)
        except ValueError:
            entry = None
        if sound_entry(entry):
            entries.append(entry)
        else:
            damaged += 1
    return entries, damaged


def read_journal(reports: Path, run_id: str) -> dict[str, dict[str, Any]]:
    """The last line of each host in the journal of a run; empty where there is none, without those that are damaged."""
    try:
        entries, _damaged = lines_of(journal_of(reports, run_id))
    except OSError:
        return {}
    return {entry["host"]: entry for entry in entries}


# -- all hosts --------------------------------------------------------------------------------------


COLUMNS = ("host", "product", "on_disk", "next_start", "running", "connectivity", "verdict")


def rows(document: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The lines of the table for one host, one an installation."""
    state = document.get("state") or {}
    answers = state.get("connectivity") or []
    policy = (document.get("policy") or {}).get("connectivity", "-")
    connectivity = ", ".join(answer["outcome"] for answer in answers) or (policy if policy == "ignored" else "-")
    installations = state.get("installations") or []
    if not installations:
        return [(document["host"], "-", "-", "-", "-", connectivity, document["verdict"])]
    return [
        (
            document["host"],
            entry["product"],
            entry["on_disk"],
            entry["next_start"],
            entry["running"],
            connectivity,
            document["verdict"],
        )
        for entry in installations
    ]


def table(
    evidence: Sequence[Mapping[str, Any]],
    drift: Mapping[str, str | None] | None = None,
    totals: Mapping[str, int] | None = None,
    most: int | None = None,
) -> str:
    """The report as text: a table, what there is to say of a host, the totals. ``drift`` is by host.

    Worst first, and each part no longer than ``most`` lines. No line begins with what a host said: a pipeline's runner
    may take such a line for a command.
    """
    ordered = sorted(evidence, key=lambda document: VERDICTS.index(document["verdict"]))
    text = [*_grid(ordered, most), *_reasons(ordered, drift or {}, most)]
    totals = totals or totals_of(document["verdict"] for document in evidence)
    machines = sum(totals.values())
    counted = ", ".join(f"{count} {verdict}" for verdict, count in totals.items() if count)
    text += [
        "",
        f"{machines} hosts{f' under {len(evidence)} names' if machines < len(evidence) else ''}: {counted or 'none'}",
    ]
    return "\n".join(text)


def _grid(ordered: Sequence[Mapping[str, Any]], most: int | None) -> list[str]:
    """The table itself. Where it would be too long it has the hosts that need somebody, and how many there are else."""
    lines: list[tuple[str, ...]] = [row for document in ordered for row in rows(document)]
    left: list[str] = []
    if most is not None and len(lines) > most:
        needing = [document for document in ordered if document["verdict"] not in SETTLED]
        lines = [row for document in needing for row in rows(document)]
        settled, more = len(ordered) - len(needing), max(len(lines) - most, 0)
        del lines[most:]
        said = [f"{more} more lines of hosts that need somebody"] * bool(more)
        said += [f"{settled} hosts that need nobody"] * bool(settled)
        left = ["", f"not in this table: {', '.join(said)} (-v shows all)"]
    lines = [COLUMNS, *(tuple(map(visible, row)) for row in lines)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    text.insert(1, "  ".join("-" * width for width in widths))
    return [*(text if len(lines) > 1 or not left else []), *left]


def _reasons(ordered: Sequence[Mapping[str, Any]], drift: Mapping[str, str | None], most: int | None) -> list[str]:
    """What there is to say, host by host; where that would be too long, each thing once and of which hosts."""
    text: list[str] = []
    alike: dict[tuple[str, str], tuple[str, list[str]]] = {}
    for document in ordered:
        host, verdict = visible(document["host"]), document["verdict"]
        said = [visible(note) for note in _notes(document, drift.get(document["host"]))]
        if said:
            text += [f"{host}: {verdict}", *(f"    - {note}" for note in said)]
        for note in said:
            # Hosts that differ in a number or in their own name have the same thing to be done.
            key = (verdict, re.sub(r"\d+", "0", note.replace(host, "HOST")))
            alike.setdefault(key, (note, []))[1].append(host)
    if most is None or len(text) <= most:
        return ["", *(text if most is None else map(cut, text))] if text else []
    found = sorted(alike.items(), key=lambda item: (VERDICTS.index(item[0][0]), -len(item[1][1])))
    lines = [
        f"{verdict} on {named(hosts) if len(hosts) == 1 else f'{len(hosts)} hosts ({named(hosts)})'}: {note}"
        for (verdict, _alike), (note, hosts) in found
    ]
    return ["", *first(lines, most, "reasons")]


def _notes(document: Mapping[str, Any], drift: str | None) -> list[str]:
    words = {
        "corrective": "drift: corrective: it was changed, by neither the policy nor this run",
        "intended": "drift: intended: its policy changed",
    }
    return [
        *document["reasons"],
        *(f"warning: {warning}" for warning in document["warnings"]),
        *([words.get(drift, f"drift: {drift}")] if drift else []),
    ]

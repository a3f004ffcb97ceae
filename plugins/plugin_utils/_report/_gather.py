# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads evidence directories, their manifests and journals, and the history file. Private to this collection.

An evidence directory has its ``manifests/`` and ``runs/`` beside it. Runs on the control node.
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.cbops.telemetry.plugins.plugin_utils._assessment import VERDICTS
from ansible_collections.cbops.telemetry.plugins.plugin_utils._evidence import missing, path_of, read, write_text
from ansible_collections.cbops.telemetry.plugins.plugin_utils._report._model import Host, Run, Seen, moment
from ansible_collections.cbops.telemetry.plugins.plugin_utils._report._shape import sound

MANIFEST_SCHEMA = "cbops.telemetry/manifest/1"
#: So many of the newest runs are read; a history file tells of more.
RUNS = 60


class Gathered(NamedTuple):
    """What the files say."""

    hosts: list[Host]
    trend: list[Run]
    last_run: str | None
    notes: list[str]
    strangers: list[str]  # hosts with evidence that were not asked for


class _Folder:
    """An evidence directory with what its manifests and journals say of each host."""

    def __init__(self, evidence: Path) -> None:
        self.evidence = evidence
        self.seen: dict[str, Seen] = {}
        self.trend: dict[str, Run] = {}
        self.notes: list[str] = []
        self.names = {path.name for path in evidence.glob("*.json")} if evidence.is_dir() else None
        runs = {path.name.removesuffix(suffix): path for folder, suffix in (("runs", ".jsonl"), ("manifests", ".json"))
                for path in sorted((evidence.parent / folder).glob(f"*{suffix}"))}  # a manifest replaces its journal
        for name in sorted(runs, reverse=True)[:RUNS]:
            self._read(name, runs[name])

    def _read(self, name: str, path: Path) -> None:
        """Add a run; what a newer one has said of a host stays."""
        try:
            entries = self._journal(path) if path.suffix == ".jsonl" else self._manifest(name, path)
            for entry in entries:
                self._add(entry)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            self.notes.append(f"{path.parent.name}/{path.name} cannot be read ({type(error).__name__}): "
                              "what it says of ages and drift is left out")

    def _add(self, entry: Mapping[str, Any]) -> None:
        host, seen = str(entry["host"]), Seen(str(entry["collected_at"]), entry.get("drift"))
        if moment(seen.collected_at) is None:
            raise ValueError(seen.collected_at)
        before = self.seen.get(host)
        if before is None or _later(seen.collected_at, before.collected_at):
            self.seen[host] = seen

    @staticmethod
    def _journal(path: Path) -> Iterator[Mapping[str, Any]]:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)

    def _manifest(self, name: str, path: Path) -> Iterator[Mapping[str, Any]]:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["schema"] != MANIFEST_SCHEMA:
            raise ValueError(document["schema"])
        self.trend[name] = Run(document["finished"], _totals(document["totals"]))
        yield from document["files"].values()


def _later(one: str | None, other: str | None) -> bool:
    first, second = moment(one), moment(other)
    return first is not None and (second is None or first > second)


def _totals(given: Mapping[str, Any]) -> dict[str, int]:
    return {verdict: int(given.get(verdict, 0)) for verdict in VERDICTS}


def gather(folders: Sequence[Path], hosts: Sequence[str], newer_than: str | None, at: str) -> Gathered:
    """Every host that is named, in its order, by its newest evidence; one without any is ``unknown``.

    ``newer_than`` and ``at`` (the report's own time, from which ages are told) are ISO 8601 in UTC.
    """
    read_folders = [_Folder(folder) for folder in folders]
    notes = [note for folder in read_folders for note in folder.notes]
    notes += [f"there is no folder {folder.evidence}" for folder in read_folders if folder.names is None]
    found = [_host(read_folders, host, newer_than, at) for host in hosts]
    strange = set().union(*(folder.names or () for folder in read_folders))
    strange -= {path_of(Path(), host).name for host in hosts}
    strangers = [urllib.parse.unquote(name.removesuffix(".json")) for name in sorted(strange)]
    runs = sorted((run for folder in read_folders for run in folder.trend.values()), key=lambda run: run.at)
    collected = [host.collected_at for host in found if host.collected_at]
    return Gathered(found, runs, max(collected, key=lambda text: moment(text) or 0, default=None), notes, strangers)


def _host(folders: Sequence[_Folder], host: str, newer_than: str | None, at: str) -> Host:
    best: Host | None = None
    reason = "no evidence was filed for it: its tasks failed or were not run"
    for folder in folders:
        path = path_of(folder.evidence, host)
        if path.name not in (folder.names or ()):
            continue
        document = read(path)
        if document is None or not sound(document, host):
            reason = f"its evidence file {path.name} is damaged or of another schema"
            continue
        seen = folder.seen.get(host)
        collected = seen.collected_at if seen else document.get("collected_at")
        if best is None or _later(collected, best.collected_at):
            best = Host(document, collected, _age(collected, at), seen.drift if seen else document.get("drift"))
    if best is None:
        return Host(missing(host, reason))
    if newer_than and not _later(best.collected_at, newer_than):
        when = f", the last is from {best.collected_at}" if best.collected_at else ""
        return Host(missing(host, f"no evidence was filed for it in this run{when}"), best.collected_at, best.age)
    return best


def _age(collected: str | None, at: str) -> float | None:
    then, now = moment(collected), moment(at)
    return None if then is None or now is None else max(0.0, round((now - then).total_seconds(), 3))


# -- the history file -------------------------------------------------------------------------------


def history(path: Path, run: Run) -> list[Run]:
    """The points of a history file (one JSON document a line) with this one at its end; the file gets it too.

    Raises OSError, and ValueError where a line is none of a history.
    """
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    points = []
    for number, line in enumerate(lines, 1):
        try:
            document = json.loads(line)
            points.append(Run(str(document["at"]), _totals(document["totals"])))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path}, line {number} is no line of a history") from error
    lines.append(json.dumps({"at": run.at, "totals": dict(run.totals)}))
    write_text(path, "\n".join(lines) + "\n")
    return [*points, run]

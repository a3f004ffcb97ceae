# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads evidence directories, their manifests and journals, and the history file. Private to this collection.

An evidence directory has its ``manifests/`` and ``runs/`` beside it. Runs on the control node.
"""

from __future__ import annotations

import datetime
import hashlib
import marshal
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, cast

from ansible_collections.cbops.telemetry.plugins.plugin_utils._showing import named
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._chain import (
    MOMENT,
    Chain,
    LastWords,
    manifest_in,
    quick_link,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._evidence import (
    lines_of,
    missing,
    read_with_digest,
    write_text,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._reading import (
    content,
    host_of,
    parsed,
    path_of,
    why,
    written,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._run import RUN_ID, now, stamp
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._age import MOST_OFF, Aged
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._documents import Evidence
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._slice import Round, slice_in
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._verdicts import BROKEN, VERDICTS, in_camps
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._model import (
    Changes,
    Host,
    Run,
    by_age,
    by_clock,
    by_waiver,
    moment,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._record import changes_in
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._validity import sound

#: So many of the last runs are read; a history file tells of more.
RUNS = 60
#: So many at most where no later one speaks of an evidence file.
MOST_RUNS = 3000
_NAMED = re.compile(rb'"evidence/([^"/]{1,1000}\.json)"')
_AGE = re.compile(r"(\d{1,6}) *(min|h|days?)")
_SECONDS = {"min": 60, "h": 3600, "day": 86400, "days": 86400}


class EvidenceRead(NamedTuple):
    """What the files say."""

    hosts: list[Host]
    trend: list[Run]
    last_run: str | None
    notes: list[str]
    strangers: list[str]  # hosts with evidence that were not asked for
    at: str  # the moment from which ages are told
    whole: dict[str, str]  # hosts of the last run of the whole inventory, each with the end of that run
    changes: Changes = Changes()
    missing: Sequence[str] = ()  # hosts without evidence that counts
    slices: Sequence[Round] = ()  # runs that were one slice of several


class _Folder:
    """An evidence directory with what its manifests and journals say of each host."""

    def __init__(self, evidence: Path, at: str) -> None:
        self.evidence = evidence
        self._at = at
        self.trend: list[Run] = []
        self.notes: list[str] = []
        self.names = {path.name for path in evidence.glob("*.json")} if evidence.is_dir() else None
        self.whole: dict[str, str] | None = None
        self.slices: list[Round] = []
        self._own: dict[str, Mapping[str, Any]] = {}
        self._unended: dict[str, list[Mapping[str, Any]]] = {}
        links = []
        if self.names is None:
            self.notes.append(_lacking(evidence))
        for path in sorted((evidence.parent / "manifests").glob("*.json")):
            try:
                link = quick_link(path)
            except (OSError, ValueError) as error:
                self._unread(path, why(error))
                continue
            if link.run_id == path.stem:
                links.append(link)
            else:
                self._unread(path, "it is the manifest of another run")
        chain = Chain(links)
        self._words = LastWords(chain, at)
        runs = chain.newest_first()
        for run_id in runs[:RUNS]:
            self._manifest(evidence.parent / "manifests" / f"{run_id}.json", run_id)
        older = [evidence.parent / "manifests" / f"{run_id}.json" for run_id in runs[RUNS:]]
        self._older(older)
        self._more_slices(older)
        journals = {path.stem: path for path in (evidence.parent / "runs").glob("*.jsonl")}
        unended = sorted(set(journals) - set(chain.bit), reverse=True)
        for run_id in dict.fromkeys([*({RUN_ID} & set(unended)), *unended[:RUNS]]):
            self._journal(journals[run_id], run_id == RUN_ID)
        untold = self._untold(self._own, self._unended)
        for run_id in unended[RUNS:MOST_RUNS]:
            if untold and run_id != RUN_ID:
                untold -= {path_of(Path(), host).name for host in self._journal(journals[run_id], False)}

    def _unread(self, path: Path, reason: str) -> None:
        self.notes.append(
            f"{path.parent.name}/{path.name} cannot be read ({reason}): what it says of ages and drift is left out"
        )

    def _untold(self, *journals: Mapping[str, Any]) -> set[str]:
        """The evidence files of which nothing that was read speaks."""
        told = {path_of(Path(), host).name for journal in journals for host in journal}
        return {name for name in self.names or () if name not in told and f"evidence/{name}" not in self._words}

    def _older(self, paths: Sequence[Path]) -> None:
        """What runs before the last ones say of files of which none of those speaks. Paths are newest first."""
        untold = self._untold()
        most = MOST_RUNS - RUNS
        for path in paths[:most]:
            if not untold:
                return
            try:
                data = content(path)
                # To look for the names takes a tenth of the time that reading it as a manifest does.
                if untold.isdisjoint(name.decode() for name in set(_NAMED.findall(data))):
                    continue
                files = manifest_in(data)["files"]
            except (OSError, ValueError) as error:
                self._unread(path, why(error))
                continue
            for name in [name for name in files if name.removeprefix("evidence/") in untold]:
                self._words.add(path.stem, name, files[name])
                untold.discard(name.removeprefix("evidence/"))
        if untold and len(paths) > most:
            self.notes.append(
                f"of {len(untold)} evidence files none of the last {MOST_RUNS} manifests beside {self.evidence} "
                f"speaks, and the {len(paths) - most} before them were not read: "
                f"{named([host_of(name) for name in sorted(untold)])}"
            )

    def _manifest(self, path: Path, run_id: str) -> None:
        try:
            document = manifest_in(content(path))
        except (OSError, ValueError) as error:
            self._unread(path, why(error))
            return
        self.trend.append(Run(document["finished"], _totals(document["totals"])))
        self._slice(document, run_id)
        if self.whole is None and document.get("limit") is None:
            self.whole = {str(host): document["finished"] for host in document["hosts"]}
        for name, entry in document["files"].items():
            self._words.add(run_id, name, entry)

    def _slice(self, document: Mapping[str, Any], run_id: str) -> None:
        found = slice_in(document)
        if found is not None:
            # Where it has a number nobody asks which hosts it had.
            hosts = frozenset(map(str, document["hosts"])) if found.number is None else frozenset[str]()
            self.slices.append(Round(run_id, found, document["started"], document["finished"], hosts))

    def _more_slices(self, paths: Sequence[Path]) -> None:
        """The slices among runs before the last ones, where there may be more of the same round. Newest first."""
        most = 2 * max((one.slice.of or 0 for one in self.slices), default=0) - RUNS
        for path in paths[: max(most, 0)]:
            try:
                self._slice(manifest_in(content(path)), path.stem)
            except (OSError, ValueError) as error:
                self._unread(path, why(error))

    def _journal(self, path: Path, own: bool) -> list[str]:
        """Read a journal; the hosts of which it speaks."""
        try:
            entries, damaged = lines_of(path)
        except OSError as error:
            self._unread(path, why(error))
            return []
        if damaged:
            self._unread(path, f"{damaged} lines are damaged")
        for entry in entries:
            if own:
                self._own[entry["host"]] = entry
            else:
                self._unended.setdefault(entry["host"], []).append(entry)
        return [entry["host"] for entry in entries]

    def seen(self, host: str, sha256: str) -> Mapping[str, Any] | None:
        """What the last run that filed a host's evidence says of it; ``sha256`` is the checksum of the file.

        A run that has not ended, or was killed, is believed where the file is what it left, no run that has ended says
        so, and it filed that later: only clocks can tell.
        """
        if host in self._own:
            return self._own[host]
        name = f"evidence/{path_of(Path(), host).name}"
        word = self._words.left_by(name) if name in self._words else None
        unended = self._unended.get(host, [])
        if name in self._words:
            # What is older than what the last run has filed was put back where it is there again.
            last = self._words[name].entry["collected_at"]
            unended = [entry for entry in unended if entry["collected_at"] >= last]
        matching = [entry for entry in unended if entry["sha256"] == sha256]
        if word is not None and (word.entry["sha256"] == sha256 or not matching):
            return word.entry
        return max(
            matching or unended,
            key=lambda entry: (entry["collected_at"] <= self._at, entry["collected_at"]),
            # That another run has written over what it filed is all that the last one knows.
            default=self._words[name].entry if name in self._words else None,
        )


def _totals(given: Mapping[str, Any]) -> dict[str, int]:
    return {verdict: int(given.get(verdict, 0)) for verdict in VERDICTS}


def folders_of(named: Path) -> list[Path]:
    """The folders of evidence that a name stands for, there or not.

    It is one itself, or a folder of reports, or what ansible-runner keeps: the artifacts of one run, or of many.
    """
    for inner in (named / "evidence", named / "telemetry/evidence"):
        if inner.is_dir():
            return [inner]
    if (named / "job_events").is_dir():
        return [named / "telemetry/evidence"]
    runs = sorted({path.parent for path in named.glob("*/job_events")})
    return [run / "telemetry/evidence" for run in runs] or [named]


def _lacking(evidence: Path) -> str:
    """What is said of a folder that is not there."""
    run = evidence.parent.parent
    if not (run / "job_events").is_dir():
        return f"there is no folder {evidence}"
    # It writes the exit code when a run has ended; of a worker that was killed nothing comes back but events.
    ended = "" if (run / "rc").exists() else ", and has not ended: its worker was lost, or is at work still"
    return f"the run {run} has left no evidence{ended}"


def since(given: str | None, at: str) -> str | None:
    """The moment that a text names: one of ISO 8601 in UTC, or an age such as ``20 h``, ``90 min``, ``2 days``.

    None where there is no text. Raises ValueError where it is neither.
    """
    if not (given or "").strip():
        return None
    text = str(given).strip()
    age, present = _AGE.fullmatch(text), moment(at)
    if age is not None and present is not None:
        try:
            return stamp(present - datetime.timedelta(seconds=int(age[1]) * _SECONDS[age[2]]))
        except OverflowError:
            raise ValueError(f"{text} ago there was no calendar") from None
    named = moment(text)
    if named is None:
        raise ValueError(f"{text!r} is neither a time (ISO 8601, UTC) nor an age such as 20 h")
    return stamp(named.astimezone(datetime.timezone.utc))


def oldest(at: str, max_age: float | None) -> str | None:
    """The moment before which evidence is too old by ``max_age`` (seconds) at another; None where none is."""
    present = moment(at)
    if present is None or max_age is None:
        return None
    try:
        return stamp(present - datetime.timedelta(seconds=max_age))
    except OverflowError:
        return None


def read_evidence(
    folders: Sequence[Path],
    hosts: Sequence[str],
    newer_than: str | None,
    at: str | None = None,
    max_age: float | None = None,
    filed: Mapping[str, Mapping[str, Any]] | None = None,
) -> EvidenceRead:
    """Every host that is named, in its order, by its newest evidence; one without any is ``unknown``.

    What is older than ``max_age`` (seconds) has the verdict that its age leaves it, and what is waived is so up to the
    waiver's last day. ``filed`` is the journal of this very run where it is all about that: what it has filed is as new
    as can be, however long the run takes; where something else is there now, the worse verdict counts. ``newer_than``
    is as `since` takes it, ``at`` (the report's own time, from which ages are told; without it the present) is ISO 8601
    in UTC. What has a time after that has no age, for a clock was wrong. Raises ValueError.
    """
    folders = list(dict.fromkeys(inner for folder in folders for inner in folders_of(folder)))
    read_folders = [_Folder(folder, at or now()) for folder in folders]
    at = at or now()  # not before, for runs may go on
    newer_than = since(newer_than, at)
    notes = [note for folder in read_folders for note in folder.notes]
    found: list[Host] = []
    lacking, unsure = [], []
    pool: dict[Any, Any] = {}
    for host in hosts:
        every, reason, lost = _all_of(read_folders, host, at, pool)
        best = _best(every, at, max_age if filed is None else None)
        if best is not None and lost is not None and _may_be_later(lost, best):
            reason = f"{reason} ({_of_lost(lost, best)})"
            best = _without_the_last(best, reason, at)
        one, counts = _counting(host, best, reason, newer_than, at)
        if not counts:
            lacking.append(host)
        elif filed is None:
            one = by_age(by_waiver(one, at), at, max_age)
        else:
            one = by_clock(one)
        if filed is not None and host in filed and (counts or best is None):
            one = _as_this_run_filed(one, filed[host])
        found.append(one)
        if best is not None and len(every) > 1:
            unsure += [other for other in every if other.age is None]
    notes += _about_the_future(read_folders, found, at)
    notes += _about_the_order(unsure, at)
    notes += _about_clocks(found)
    changes, about = changes_in(folders, hosts)
    notes += about
    strange = set().union(*(folder.names or () for folder in read_folders))
    strange -= {path_of(Path(), host).name for host in hosts}
    strangers = [host_of(name) for name in sorted(strange)]
    runs = sorted(
        (run for folder in read_folders for run in folder.trend if not _later(run.at, at)), key=lambda run: run.at
    )
    collected = [host.collected_at for host in found if host.collected_at and host.age is not None]
    return EvidenceRead(
        found,
        runs,
        max(collected, key=lambda text: moment(text) or 0, default=None),
        notes,
        strangers,
        at,
        {host: at for folder in read_folders for host, at in (folder.whole or {}).items()},
        changes,
        lacking,
        [one for folder in read_folders for one in folder.slices if not _later(one.finished, at)],
    )


def _about_the_future(folders: Sequence[_Folder], hosts: Sequence[Host], at: str) -> list[str]:
    """What must be said of times that cannot be."""
    notes = []
    ahead = [host for host in hosts if host.collected_at and host.age is None]
    if ahead:
        notes.append(
            f"how old the evidence is of {len(ahead)} hosts is not known, for by its own time, up to "
            f"{max(str(host.collected_at) for host in ahead)}, it is from the future (it is {at}; a clock is "
            f"or was wrong): {named([host.host for host in ahead])}"
        )
    runs = [run.at for folder in folders for run in folder.trend if _later(run.at, at)]
    if runs:
        notes.append(
            f"{len(runs)} runs are left out of the trend, for by their own time, up to {max(runs)}, they are "
            f"from the future (it is {at}; a clock is or was wrong)"
        )
    return notes


def _about_the_order(unsure: Sequence[Host], at: str) -> list[str]:
    """What must be said where several folders have evidence of a host, and some is from the future or of no time."""
    notes = []
    ahead = [one for one in unsure if one.collected_at]
    names = list(dict.fromkeys(one.host for one in ahead))
    if names:
        notes.append(
            f"of {len(names)} hosts several folders have evidence, some of it by its own time, up to "
            f"{max(str(one.collected_at) for one in ahead)}, from the future (it is {at}; a clock is or was wrong): "
            "whether that is the newest is not known, so the worse verdict counts, and what is more than a day ahead "
            f"is left out: {named(names)}"
        )
    names = list(dict.fromkeys(one.host for one in unsure if not one.collected_at))
    if names:
        notes.append(
            f"of {len(names)} hosts several folders have evidence, and of some of it no manifest and no journal tells "
            f"the time: whether that is the newest is not known, so the worse verdict counts: {named(names)}"
        )
    return notes


def _about_clocks(hosts: Sequence[Host]) -> list[str]:
    """What must be said of clocks of hosts that are not the control node's."""
    off = [host for host in hosts if host.host_clock]
    if not off:
        return []
    said = named([f"{host.host} ({host.host_clock} there, {host.collected_at} here)" for host in off])
    return [
        f"the clocks of {len(off)} hosts are not as the control node's; by which of them is right depends what is said "
        f"of times and certificates: {said}"
    ]


def _later(one: str | None, other: str | None) -> bool:
    first, second = moment(one), moment(other)
    return first is not None and (second is None or first > second)


class _Lost(NamedTuple):
    """Evidence that was filed, and cannot be read."""

    when: str | None  # None where nothing tells its time, so that it may be the newest
    reason: str


def _may_be_later(lost: _Lost, best: Host) -> bool:
    return lost.when is None or _later(lost.when, best.collected_at)


def _of_lost(lost: _Lost, best: Host) -> str:
    """Why what is left of a host's evidence may not be the last word."""
    if lost.when is not None and best.collected_at:
        return f"of {lost.when}; what else there is of it is older, from {best.collected_at}"
    when = f"of {lost.when}" if lost.when else "from when it was, nobody knows"
    other = f"is from {best.collected_at}, and" if best.collected_at else "is of no known time, and"
    return f"{when}; what else there is of it {other} may be older"


def _without_the_last(best: Host, reason: str, at: str) -> Host | None:
    """What counts where evidence that may be newer is lost: what was seen to be broken, and nothing else."""
    if by_waiver(best, at).verdict not in in_camps(BROKEN):
        return None
    return replace(best, document=cast(Evidence, {**best.document, "reasons": [*best.reasons, reason]}))


def _all_of(
    folders: Sequence[_Folder], host: str, at: str, pool: dict[Any, Any]
) -> tuple[list[Host], str, _Lost | None]:
    """All evidence of a host, why there is none, and the last that is lost, by what runs say of it.

    ``pool`` is what documents have in common.
    """
    every = []
    reason = "no evidence was filed for it: its tasks failed or were not run"
    lost: _Lost | None = None
    for folder in folders:
        path = path_of(folder.evidence, host)
        document, sha256 = read_with_digest(path) if path.name in (folder.names or ()) else (None, "")
        if document is None or not sound(document, host):
            when = _moment_of((folder.seen(host, sha256) or {}).get("collected_at"))
            is_there = path.name in (folder.names or ())
            what = f"{path.name} is damaged or of another schema" if is_there else f"{path} is gone"
            one = _Lost(when, f"its evidence file {what}")
            if is_there and lost is None:
                reason = one.reason
            counts = is_there if when is None else _ahead(when, at) <= MOST_OFF
            if counts and (lost is None or (lost.when is not None and (when is None or _later(when, lost.when)))):
                lost, reason = one, one.reason
            continue
        seen: Mapping[str, Any] = folder.seen(host, sha256) or document
        clock = _moment_of(seen.get("host_clock"))
        collected = _moment_of(seen.get("collected_at"))
        every.append(
            Host(
                cast(Evidence, {name: _shared(value, pool) for name, value in document.items()}),
                collected,
                _age(collected, at),
                seen.get("drift"),
                seen.get("machine"),
                sha256,
                seen.get("sha256") == sha256,
                clock,
                events_changed=tuple(seen.get("events_changed") or ()),
            )
        )
    return every, reason, lost


def _best(every: Sequence[Host], at: str, limit: float | None) -> Host | None:
    """What counts of all the evidence of a host: the newest.

    What is from the future, or of no time, may be newer than the rest or not, so of that and the newest of the rest the
    worse counts. Not what is more than a day ahead, where there is another: a wrong clock would be believed for years.
    """
    past = max((one for one in every if one.age is not None), key=lambda one: -(one.age or 0), default=None)
    ahead = [
        one for one in every if one.age is None and (not one.collected_at or _ahead(one.collected_at, at) <= MOST_OFF)
    ]
    if past is None:
        return min(ahead or every, key=_badness, default=None)
    is_old = limit is not None and past.age is not None and past.age > limit
    # Of two with the same verdict the one that is not too old.
    return min([*ahead, past] if is_old else [past, *ahead], key=_badness)


def _badness(host: Host) -> int:
    """The lower, the worse."""
    return VERDICTS.index(host.verdict)


def _ahead(collected: str, at: str) -> float:
    """So many seconds a time is after another one."""
    then, present = moment(collected), moment(at)
    return float("inf") if then is None or present is None else (then - present).total_seconds()


def _counting(host: str, best: Host | None, reason: str, newer_than: str | None, at: str) -> tuple[Host, bool]:
    """A host, and whether there is evidence of it that counts."""
    if best is None:
        return Host(missing(host, reason)), False
    if newer_than and best.collected_at and best.age is None:
        return Host(
            missing(
                host,
                f"its evidence is by its own time from {best.collected_at}, which is after the "
                f"present ({at}): how old it is nobody knows",
            ),
            best.collected_at,
        ), False
    if newer_than and not _later(best.collected_at, newer_than):
        last = f"the last is from {best.collected_at}" if best.collected_at else "from when the last is, nobody knows"
        return Host(
            missing(host, f"no evidence was filed for it since {newer_than}: {last}"), best.collected_at, best.age
        ), False
    return best, True


def _as_this_run_filed(host: Host, filed: Mapping[str, Any]) -> Host:
    """A host by the worse of what is there and what this very run has filed, where these are not the same."""
    if host.sha256 == filed["sha256"]:
        return host
    worst = min(host.verdict, str(filed["verdict"]), key=VERDICTS.index)
    reason = (
        f"its evidence file is not the one that this run has filed, by which it is {filed['verdict']}: another run has "
        "written it since, or it was changed or put back to an older one"
    )
    document = cast(Evidence, {**host.document, "verdict": worst, "reasons": [reason, *host.reasons]})
    if worst == host.verdict:
        return replace(host, document=document, is_as_filed=False)
    # What is right by this file is no proof of anything.
    return replace(
        host,
        document=document,
        is_as_filed=False,
        aged=host.aged or Aged("unknown", reason),
        was=host.was or host.verdict,
    )


def _shared(value: Any, pool: dict[Any, Any]) -> Any:
    """A value, each part of which is the very one of an earlier document where they are equal. Nobody changes evidence.

    Hosts of a fleet are alike. Without this a host takes 10 KB of memory, and 100,000 of them more than a gigabyte.
    """
    if isinstance(value, str):
        return pool.setdefault(value, value)
    if not isinstance(value, (dict, list)):
        return value
    # As `marshal` writes it, 1 is not True. Its version 0 does not say what is the same object.
    key = hashlib.blake2b(marshal.dumps(value, 0), digest_size=24).digest()
    known = pool.get(key)
    if known is None:
        known = (
            [_shared(item, pool) for item in value]
            if isinstance(value, list)
            else {_shared(name, pool): _shared(item, pool) for name, item in value.items()}
        )
        pool[key] = known
    return known


def _moment_of(value: Any) -> str | None:
    return value if isinstance(value, str) and MOMENT.fullmatch(value) and moment(value) else None


def _age(collected: str | None, at: str) -> float | None:
    """Seconds; None where there is no time, or one in the future."""
    then, present = moment(collected), moment(at)
    if then is None or present is None or then > present:
        return None
    return round((present - then).total_seconds(), 3)


# -- the history file -------------------------------------------------------------------------------


def history(path: Path, run: Run) -> list[Run]:
    """The points of a history file (one JSON document a line) with this one at its end; the file gets it too.

    Points that are later than this one are kept in the file and left out. Raises OSError, and ValueError where a line
    is none of a history.
    """
    lines = content(path).decode("utf-8").splitlines() if os.path.lexists(path) else []
    points = []
    for number, line in enumerate(lines, 1):
        try:
            document = parsed(line)
            points.append(Run(_time(document["at"]), _totals(document["totals"])))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path}, line {number} is no line of a history") from error
    lines.append(written({"at": run.at, "totals": dict(run.totals)}))
    write_text(path, "\n".join(lines) + "\n")
    return [*(point for point in points if not _later(point.at, run.at)), run]


def _time(text: Any) -> str:
    found = _moment_of(text)
    if found is None:
        raise ValueError("it is no time")
    return found

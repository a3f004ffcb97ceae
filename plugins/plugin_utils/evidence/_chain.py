# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of the manifests of a reports folder, which no clock decides: each names the last ones before it.

A manifest has a ``sequence``, one more than the highest that it follows, and in ``previous`` the SHA-256 of each that
it follows. There are several where folders were merged, none at a beginning. Manifests of earlier versions have
neither: they come before whatever names them. Where of two neither follows the other, the time counts, but not one in
the future.

Private to this collection. Runs on the control node.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._reading import content, parsed
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._slice import slice_in
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._verdicts import VERDICTS

MANIFEST_SCHEMA = "cbops.telemetry/manifest/1"
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FILE = re.compile(r"evidence/[^/]+\.json")
_RECORD = re.compile(r"changes/[^/]+\.jsonl")
_DRIFTS = ("corrective", "intended", None)
#: No folder has so many runs: a manifest that says so is none to follow. Twice that, JSON has no such number.
MOST_RUNS = 1 << 52
#: So much of a manifest's end holds its place in the chain, unless it follows hundreds.
_END = 1 << 16


class Previous(NamedTuple):
    """What a manifest says of one before it."""

    run_id: str
    sequence: int  # 0 for one without
    sha256: str
    signed: bool


class Link(NamedTuple):
    """The place of a manifest in the chain."""

    run_id: str
    sequence: int  # 0 for one of an earlier version
    previous: tuple[Previous, ...]


def link_of(document: Mapping[str, Any]) -> Link:
    """The place that a manifest says it has. Raises ValueError where it says nonsense."""
    given = document.get("previous", [])
    sequence = document.get("sequence", 0)
    if not (
        isinstance(document.get("run_id"), str)
        and _is_sequence(sequence)
        and isinstance(given, list)
        and (sequence or not given)
    ):
        raise ValueError("its place in the chain is not sound")
    previous = []
    for entry in given:
        if not (
            isinstance(entry, dict)
            and isinstance(entry.get("run_id"), str)
            and _is_sequence(entry.get("sequence") or 0)
            and _is_sha256(entry.get("sha256"))
            and isinstance(entry.get("signed"), bool)
        ):
            raise ValueError("what it says of the manifests before it is not sound")
        previous.append(Previous(entry["run_id"], entry["sequence"] or 0, entry["sha256"], entry["signed"]))
    return Link(document["run_id"], sequence, tuple(previous))


def _is_sequence(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2 * MOST_RUNS


def _is_sha256(value: Any) -> bool:
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def sound_entry(entry: Any) -> bool:
    """Whether a line of a journal, or what a manifest says of a file, is one."""
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("host"), str)
        and _is_sha256(entry.get("sha256"))
        and isinstance(entry.get("collected_at"), str)
        and MOMENT.fullmatch(entry["collected_at"]) is not None
        and entry.get("verdict") in VERDICTS
        and entry.get("drift") in _DRIFTS
        and (
            entry.get("host_clock") is None
            or (isinstance(entry["host_clock"], str) and MOMENT.fullmatch(entry["host_clock"]) is not None)
        )
        and _are_texts(entry.get("events_changed", []))
        and (entry.get("machine") is None or _is_sha256(entry["machine"]))
        and (entry.get("baseline") is None or _is_sha256(entry["baseline"]))
        and (entry.get("replaced_by") is None or _is_sha256(entry["replaced_by"]))
    )


def manifest_in(data: bytes) -> dict[str, Any]:
    """The manifest in the bytes of a file. Raises ValueError where it is none."""
    document = parsed(data)
    if not isinstance(document, dict) or document.get("schema") != MANIFEST_SCHEMA:
        raise ValueError("it is of another schema")
    for name in ("started", "finished"):
        if not (isinstance(document.get(name), str) and MOMENT.fullmatch(document[name])):
            raise ValueError(f"{name} is no time")
    totals, files = document.get("totals"), document.get("files")
    if not (
        isinstance(document.get("hosts"), list)
        and isinstance(totals, dict)
        and isinstance(files, dict)
        and all(key in VERDICTS and _is_sequence(count) for key, count in totals.items())
    ):
        raise ValueError("its hosts, totals or files are not sound")
    for name, entry in files.items():
        if not (sound_entry(entry) and _FILE.fullmatch(name)):
            raise ValueError(f"what it says of {name} is not sound")
    changes = document.get("changes", {})
    if not (
        isinstance(changes, dict)
        and all(
            _RECORD.fullmatch(name)
            and isinstance(entry, dict)
            and _is_sequence(entry.get("size"))
            and _is_sha256(entry.get("sha256"))
            for name, entry in changes.items()
        )
    ):
        raise ValueError("what it says of the records of changes is not sound")
    slice_in(document)
    link_of(document)
    return document


def quick_link(path: Path) -> Link:
    """The place of the manifest in a file, from its end where that is enough. Raises OSError and ValueError."""
    end = content(path, _END)
    for key in (b'\n  "previous": ', b'\n  "run_id": '):
        # No string of JSON has a line end, and only the document's own keys have two blanks before them.
        before, found, _rest = end.partition(key)
        if found:
            return link_of(parsed(b"{" + end[len(before) :]))
    return link_of(manifest_in(content(path)))


class Chain:
    """Which of some manifests follow which."""

    def __init__(self, links: Iterable[Link]) -> None:
        self.links = sorted(links, key=lambda link: (link.sequence, link.run_id))
        self.bit: dict[str, int] = {}
        #: By run, the bits of those that ended before it. A number is the quickest set for thousands of runs.
        self.before: dict[str, int] = {}
        for number, link in enumerate(self.links):
            found = 0
            for previous in link.previous:
                # One with no lower sequence is none before it, whatever a manifest says.
                if previous.run_id in self.bit:
                    found |= self.bit[previous.run_id] | self.before[previous.run_id]
            self.bit[link.run_id], self.before[link.run_id] = 1 << number, found

    def newest_first(self) -> list[str]:
        """The runs, each before all that it follows."""
        return [link.run_id for link in reversed(self.links)]

    def heads(self) -> list[Link]:
        """Those that none follows."""
        named = 0
        for link in self.links:
            named |= self.before[link.run_id]
        return [link for link in self.links if not named & self.bit[link.run_id]]


class Word(NamedTuple):
    """What a run says of an evidence file."""

    run_id: str
    entry: Mapping[str, Any]


class LastWords:
    """Which run has the last word on each evidence file. Runs are added newest first."""

    def __init__(self, chain: Chain, now: str) -> None:
        self._chain = chain
        self._now = now
        self._covered: dict[str, int] = {}
        self._rank: dict[str, tuple[bool, bool, str]] = {}
        self._last: dict[str, Word] = {}
        self._left_by: dict[str, Word] = {}

    def add(self, run_id: str, name: str, entry: Mapping[str, Any], signed: bool = True) -> None:
        """What a run says of a file."""
        last = self._last.get(name)
        # One that is older than what it would have written over was there before, and has been put back.
        if (
            last is not None
            and last.entry.get("replaced_by") == entry["sha256"]
            and entry["collected_at"] >= last.entry["collected_at"]
        ):
            self._left_by.setdefault(name, Word(run_id, entry))
        if self._covered.get(name, 0) & self._chain.bit[run_id]:
            return
        self._covered[name] = self._covered.get(name, 0) | self._chain.before[run_id]
        at = entry["collected_at"]
        rank = (signed, at <= self._now, at)
        if last is None or rank > self._rank[name]:
            self._last[name], self._rank[name] = Word(run_id, entry), rank
            self._left_by.pop(name, None)

    def names(self) -> set[str]:
        """All files of which a run spoke."""
        return set(self._last)

    def __contains__(self, name: object) -> bool:
        """Whether a run spoke of a file."""
        return name in self._last

    def __getitem__(self, name: str) -> Word:
        """The run that has the last word on a file."""
        return self._last[name]

    def left_by(self, name: str) -> Word | None:
        """The run that left the file: the one with the last word, or the one that wrote over it and ended sooner.

        None where that one has not ended.
        """
        last = self._last.get(name)
        return last if last is None or not last.entry.get("replaced_by") else self._left_by.get(name)


def digest(data: bytes) -> str:
    """The checksum by which files are named."""
    return hashlib.sha256(data).hexdigest()

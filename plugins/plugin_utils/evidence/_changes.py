# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a run: who changed what, on which host, how it came out, and what was refused; a line each.

``changes/<run id>.jsonl`` beside the evidence (docs/schema/change-1.json). Its first line says who ran this, where and
by which commit of the policy; the manifest of the run names its checksum. It is also how drift knows our own doing: an
edit accounts for what differs from the evidence that was there then (``since``), once (``judged``). The host's own
record of an edit, with the copy of what was there, lies with its backups. Private to this collection. Runs on the
control node.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.cbops.telemetry.plugins.plugin_utils._failures import never_began
from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._chain import digest
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._drift import Act
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._provenance import provenance
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._reading import (
    append,
    content,
    locked,
    make_folder,
    parsed,
    path_of,
    written,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._run import RUN_ID, now

SCHEMA = "cbops.telemetry/change/1"
#: What may account for a difference: these lines name the evidence that was there before.
ACTS = ("edit", "attempt", "roll_back", "undo")
#: So many of the last records are searched for what we did to a host since its evidence was filed.
RECORDS = 60
LONGEST = 500  # characters of a reason


# -- what is recorded ---------------------------------------------------------------------------------


def edits_of(answer: Mapping[str, Any], desired: str | None = None, toggle: str | None = None) -> list[dict[str, Any]]:
    """What telemetry_flag says it did and refused; ``desired`` and ``toggle`` are what it was told.

    A file that has another name now, and says the same, is a ``move``: it changes nothing of what is declared.
    """
    files = answer.get("files", [])
    other = [edit for edit in files if edit["before"] != edit["after"]]
    moved = sorted(str(edit["before"]) for edit in other) == sorted(str(edit["after"]) for edit in other)
    return [
        *(
            {
                "kind": "move" if moved and edit in other else "edit",
                "file": edit["path"],
                "before": edit["before"],
                "after": edit["after"],
                "backup": edit["backup"],
                "state": _wanted(desired) if edit.get("flag", True) else None,
                **({"toggle": toggle} if edit.get("toggle") else {}),
            }
            for edit in files
        ),
        *(refusal("edit", reason) for reason in [*answer.get("refused", []), *answer.get("toggle_refused", [])]),
    ]


def attempt(
    failure: str, desired: str | None = None, file: str | None = None, what: str = "edit", toggle: str | None = None
) -> dict[str, Any]:
    """Something of which nobody knows how far it came: no answer, a connection that broke.

    Where sudo let nobody in it came nowhere: that is a refusal, and no alibi for what somebody else did meanwhile.
    """
    if never_began(failure):
        return refusal(what, failure)
    told = {} if toggle is None else {"toggle": toggle}
    return {"kind": "attempt", "file": file, "state": _wanted(desired), **told, "failure": _short(failure)}


def _wanted(desired: str | None) -> str | None:
    """Where telemetry was to be by the flag; None where that is no policy."""
    return None if desired == "unmanaged" else desired


def refusal(what: str, reason: str) -> dict[str, Any]:
    """An ``edit``, a ``restart`` or an ``undo`` that was not done, or put off, and why."""
    return {"kind": "refusal", "what": what, "reason": _short(reason)}


def restart_of(
    due: Iterable[Mapping[str, Any]], state: Mapping[str, Any], failure: str | None, gates: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """The restarts of installations, with the JVMs before and after.

    ``gates`` are those that each had to pass, in their order; without a ``failure`` it has passed them all.
    """
    after = {entry["name"]: entry for entry in state.get("installations", [])}
    return [
        {
            "kind": "restart",
            "service": entry["service"],
            "old": _processes(entry),
            "gates": list(gates),
            "new": _processes(after.get(entry["name"], {})),
            "failure": failure,
        }
        for entry in due
    ]


def roll_backs_of(files: Iterable[tuple[str, str | None]]) -> list[dict[str, Any]]:
    """Files that were put back, each with the backup that it came from (None: the file was removed)."""
    return [{"kind": "roll_back", "file": path, "backup": backup} for path, backup in files]


def undone_of(files: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Files that were put back because a run is undone, by what telemetry_backup says of each."""
    return [
        {"kind": "undo", "file": one["path"], "before": one["before"], "after": one["after"], "backup": one["restored"]}
        for one in files
        if one["changed"]
    ]


def _short(text: str) -> str:
    return visible(" ".join(text.split()))[:LONGEST] or "no reason was given"


def _processes(entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"pid": process["pid"], "started": process["started"]} for process in entry.get("processes", [])]


# -- writing ------------------------------------------------------------------------------------------


def record_of(reports: Path, run_id: str = RUN_ID) -> Path:
    """Where the record of a run is."""
    return reports / "changes" / f"{run_id}.jsonl"


def file_changes(
    reports: Path, host: str, changes: Sequence[Mapping[str, Any]], run_id: str = RUN_ID, undoes: str | None = None
) -> Path | None:
    """Add them to the record of the run; its path, None for no changes. Raises OSError, ValueError.

    ``undoes`` is the run that this one undoes.
    """
    if not changes:
        return None
    with locked(reports):
        since = None
        with contextlib.suppress(OSError):
            since = digest(content(path_of(reports / "evidence", host)))
        return _add(
            reports,
            host,
            [{**change, "since": since} if change["kind"] in ACTS else change for change in changes],
            run_id,
            undoes,
        )


def _add(
    reports: Path, host: str, changes: Sequence[Mapping[str, Any]], run_id: str, undoes: str | None = None
) -> Path:
    """All of a host in one write, so that no reader comes between. Under the lock."""
    path = record_of(reports, run_id)
    make_folder(path.parent)
    at = now()
    lines = [{"host": host, **change} for change in changes]
    if not path.exists() or not path.stat().st_size:
        lines.insert(0, {"kind": "run", "undoes": undoes, **provenance()})
    append(
        path,
        "".join(written({"schema": SCHEMA, "run": run_id, "at": at, **line}, sort_keys=True) + "\n" for line in lines),
        lasting=True,
    )
    return path


# -- reading ------------------------------------------------------------------------------------------


def edited_in(reports: Path, run_id: str, host: str) -> list[str]:
    """The files whose content a run changed on a host, by its record. Raises OSError where there is none.

    Without copies of earlier versions, which a run moves to where backups are.
    """
    # Here, because what it imports is an editor, which an audit has no use for and Ansible would compile in every run.
    from ansible_collections.cbops.telemetry.plugins.module_utils.edit._backups import LEGACY

    found = {}
    for line in content(record_of(reports, run_id)).splitlines():
        with contextlib.suppress(ValueError, KeyError, TypeError):
            entry = parsed(line)
            if (
                entry["kind"] in ("edit", "undo")
                and entry["host"] == host
                and act_of(entry) is not None
                and not LEGACY.match(os.path.basename(entry["file"]))
            ):
                found[entry["file"]] = entry
    return list(found)


# -- what drift goes by -------------------------------------------------------------------------------


def acts_since(reports: Path, host: str, sha256: str, run_id: str = RUN_ID) -> list[dict[str, Any]]:
    """The lines on what we did to a host since the evidence of this checksum was filed, and that nothing has judged.

    What is damaged is left out: it is no alibi.
    """
    if not sha256:
        return []
    folder = reports / "changes"
    names = sorted((path.name for path in folder.glob("*.jsonl")), reverse=True)
    found: list[dict[str, Any]] = []
    judged: set[tuple[Any, Any]] = set()
    for name in dict.fromkeys([*({record_of(reports, run_id).name} & set(names)), *names[:RECORDS]]):
        for line in _lines(folder / name, written(host).encode()):
            with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
                entry = parsed(line)
                if entry["host"] != host:
                    continue
                if entry["kind"] == "judged":
                    judged |= {(one["run"], one["at"]) for one in entry["accounts"]}
                elif entry["kind"] in ACTS and entry["since"] == sha256 and isinstance(entry["run"], str):
                    act_of(entry)
                    found.append(entry)
    return [entry for entry in found if (entry["run"], entry["at"]) not in judged]


def act_of(entry: Mapping[str, Any]) -> Act | None:
    """What a line of the record means for drift; None for nothing. Raises KeyError, TypeError where it is none."""
    file = entry["file"]
    if file is not None and not isinstance(file, str):
        raise TypeError("file")
    if "before" in entry and entry["before"] == entry["after"]:
        return None  # given to root, and as it was
    paths = None if file is None else frozenset([file])
    return Act(paths, entry.get("state"), entry["kind"] == "attempt", entry.get("toggle"))


def note_judged(
    reports: Path, host: str, acts: Sequence[Mapping[str, Any]], judged: Mapping[str, Any], run_id: str = RUN_ID
) -> None:
    """Note that evidence, of which ``judged`` tells, accounts for these lines. Under the lock. Raises OSError."""
    _add(
        reports,
        host,
        [
            {
                "kind": "judged",
                **judged,
                "accounts": [dict(one) for one in sorted({(("run", act["run"]), ("at", act["at"])) for act in acts})],
            }
        ],
        run_id,
    )


def _lines(path: Path, host: bytes) -> list[bytes]:
    """The lines of a record on a host (as it is in JSON); none where it cannot be read."""
    try:
        status = path.lstat()
        return _read(path, status.st_size, status.st_mtime_ns).about(host)
    except OSError:
        return []


class _Lines:
    """The lines of a record: searched for one host, sorted once there are more. No text in JSON looks like a key."""

    def __init__(self, data: bytes) -> None:
        self._data: bytes | None = data
        self._by_host: dict[bytes, list[bytes]] | None = None
        self._is_asked = False

    def about(self, host: bytes) -> list[bytes]:
        """Those on a host."""
        if self._by_host is None and self._data is not None:
            if not self._is_asked:
                self._is_asked = True
                needle = b'"host": ' + host
                return [line for line in self._data.splitlines() if needle in line] if needle in self._data else []
            self._by_host = {}
            for line in self._data.splitlines():
                name = _HOST.search(line)
                if name:
                    self._by_host.setdefault(name[1], []).append(line)
            self._data = None
        return (self._by_host or {}).get(host, [])


_HOST = re.compile(rb'"host": ("(?:[^"\\]|\\.)*")')


@functools.lru_cache(maxsize=RECORDS)
def _read(path: Path, _size: int, _changed: int) -> _Lines:
    """Read once for all the hosts that one process judges."""
    return _Lines(content(path))

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What changed, when, and by which run: the records of the last runs as a report shows them.

Private to this collection. Runs on the control node.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._reading import content, parsed, why
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._model import Changes
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._validity import sound_change

#: So many of the last records are read, and so many lines of them shown: what a run did to 10,000 hosts is longer.
RECORDS, LINES = 60, 5000
#: What a report shows; the other lines say who ran it, and that what was done is accounted for.
KINDS = ("edit", "move", "attempt", "refusal", "restart", "roll_back", "undo")
_ABOUT = ("operator", "control_node", "commit", "dirty", "undoes")
_LINE = (
    "host",
    "at",
    "kind",
    "file",
    "before",
    "after",
    "backup",
    "what",
    "reason",
    "service",
    "gates",
    "old",
    "new",
    "failure",
)


def changes_in(folders: Iterable[Path], hosts: Collection[str]) -> tuple[Changes, list[str]]:
    """What the records beside folders of evidence tell of these hosts, newest run first; and what to say of it."""
    paths = {path.name: path for folder in folders for path in (folder.parent / "changes").glob("*.jsonl")}
    wanted = frozenset(hosts)
    runs: list[dict[str, Any]] = []
    notes: list[str] = []
    room, left_out = LINES, max(0, len(paths) - RECORDS)
    more = 0
    for name in sorted(paths, reverse=True)[:RECORDS]:
        try:
            data = content(paths[name]).splitlines()
        except OSError as error:
            notes.append(f"changes/{name} cannot be read ({why(error)}): what that run changed is left out")
            continue
        run: dict[str, Any] = {"run": name.removesuffix(".jsonl"), **dict.fromkeys(_ABOUT), "changes": []}
        damaged = 0
        for number, text in enumerate(data):
            if not room:
                more += len(data) - number
                break
            entry = _entry(text, run["run"])
            if entry is None:
                damaged += 1
            elif entry["kind"] == "run":
                run.update({key: entry.get(key) for key in _ABOUT})
            elif entry["kind"] in KINDS and entry["host"] in wanted:
                run["changes"].append({key: entry[key] for key in _LINE if key in entry})
                room -= 1
        if damaged:
            notes.append(f"changes/{name}: {damaged} lines are damaged, and left out")
        if run["changes"]:
            runs.append(run)
    if more or left_out:
        notes.append(
            f"what changed is not shown as a whole: {more} lines and {left_out} older records are left out; "
            "they are in changes/"
        )
    return Changes(runs), notes


def _entry(text: bytes, run_id: str) -> dict[str, Any] | None:
    try:
        entry = parsed(text)
    except ValueError:
        return None
    return entry if sound_change(entry) and entry["run"] == run_id else None


def words(change: Mapping[str, Any]) -> tuple[str, str, str]:
    """A change as one reads it: what was done, to what, and how it came out."""
    kind, failure = change["kind"], change.get("failure")
    if kind == "restart":
        pids = " → ".join(
            ", ".join(str(one["pid"]) for one in change.get(key) or ()) or "none" for key in ("old", "new")
        )
        gates = "; ".join(change.get("gates") or ())
        return "restarted", change.get("service") or "", f"JVM {pids}. " + (failure or gates or "it came up")
    if kind == "refusal":
        return f"{change.get('what') or 'edit'} refused", change.get("file") or "", change.get("reason") or ""
    if kind == "attempt":
        return "attempted", change.get("file") or "", failure or ""
    before, after = (str(change.get(key) or "")[:12] for key in ("before", "after"))
    done = {"move": "moved", "roll_back": "rolled back", "undo": "undone"}.get(kind, "edited")
    if "after" in change and change["after"] is None:
        done += ", removed"
    elif "before" in change and change["before"] is None:
        done += ", new"
    sums = f"SHA-256 {before or 'none'} → {after or 'none'}" if "before" in change or "after" in change else ""
    backup = f"backup {change['backup']}" if change.get("backup") else ""
    return done, change.get("file") or "", "; ".join(filter(None, (sums, backup)))

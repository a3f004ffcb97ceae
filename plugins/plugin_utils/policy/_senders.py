# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of all that may send, for people: a line for each installation, the table of docs/senders.md.

No verdict is about it, unless telemetry_switches makes one of its properties policy. Private to this collection. Runs
on the control node.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.cbops.telemetry.plugins.module_utils.senders._table import BY_NAME, MARKS, TABLE
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._documents import Installation, Sender

#: What the flag means for a sender, by ``covered``.
_COVERED = {
    True: "the flag is its switch",
    False: "the flag does not cover it",
    None: "whether the flag covers it is not known",
}
_COVERS = {False: "the flag does not cover", None: "whether the flag covers it is not known"}


def words_of(name: str) -> str:
    """A sender in words; one that this table does not have by its name."""
    return BY_NAME[name].words if name in BY_NAME else name


def covered_of(sender: Sender) -> str:
    """What the flag means for it, in words."""
    return _COVERED[sender["covered"]]


def threads_of(entry: Installation) -> list[str]:
    """What was seen of Segment's client in the threads of its JVMs: evidence, and no verdict."""
    found = []
    for one in entry.get("segment_threads") or ():
        if "reason" in one:
            said = f"not counted: {one['reason']}"
        else:
            said = f"seen {one['analytics_plugin']}" if one.get("analytics_plugin") else "not seen"
            said += f"; of others: seen {one['others']}" if one.get("others") else ""
        found.append(f"Segment client threads of the analytics plugin in process {one['pid']}: {said}")
    return found


def notes(installations: Sequence[Installation]) -> list[str]:
    """A line on the other senders of each installation that was asked for them; no verdict."""
    found = []
    for entry in installations:
        others = [one for one in entry.get("senders") or () if one["state"] in ("on", "unknown")]
        for covered in (False, None):
            told = [f"{words_of(one['name'])} {one['state']}" for one in others if one["covered"] is covered]
            if told:
                found.append(f"{entry['name']}: note: {_COVERS[covered]}: {', '.join(told)}")
        found += [f"{entry['name']}: note: {line}" for line in threads_of(entry)]
    return found


def beside(entry: Installation) -> str:
    """What an installation sends beside the flag, in a sentence; empty where it was not asked for, or nothing is."""
    others = [one for one in entry.get("senders") or () if one["covered"] is not True]
    on = [words_of(one["name"]) for one in others if one["state"] == "on" and one["covered"] is False]
    told = {words_of(one["name"]) for one in others if one["state"] == "off" or one["state"] == "absent"} | set(on)
    dark = [words_of(one["name"]) for one in others if words_of(one["name"]) not in told]
    parts = [f"on beside it, and the flag does not cover this: {', '.join(on)}"] if on else []
    parts += [f"whether these send is not known: {', '.join(dark)}"] if dark else []
    return f"{entry['name']}: {'; '.join(parts)}." if parts else ""


def rows(entry: Installation) -> list[list[str]]:
    """The senders of an installation as the report shows them: who, if it is there, its state, the flag, the proof."""
    return [
        [
            words_of(one["name"]),
            one["presence"] + (f" ({one['version']})" if one["version"] else ""),
            one["state"],
            covered_of(one),
            one["proof"],
        ]
        for one in entry.get("senders") or ()
    ]


def switches(entry: Installation) -> list[list[str]]:
    """The other switches of an installation on the three clocks, as the report shows them."""
    found = []
    for one in entry.get("switches") or ():
        details: list[Mapping[str, Any]] = [one["on_disk_detail"], one["next_start_detail"], one["running_detail"]]
        why = "; ".join(dict.fromkeys(str(detail["reason"]) for detail in details if detail.get("reason")))
        option = f"{'' if one.get('kind') else '-D'}{one['name']}={one['off_value']}"
        found.append([option, one["on_disk"], one["next_start"], one["running"], why])
    return found


def page() -> str:
    """The table of docs/senders.md."""
    lines = [
        "| sender | name | recognised by | turned off by | read from | endpoint | what proves it off | mark |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in TABLE:
        how = f"`{one.switch.option}`" if one.switch is not None else ""
        if one.switch is not None and one.switch.variable:
            how += f" or the environment `{one.switch.variable}=false`"
        cells = [
            one.words,
            f"`{one.name}`",
            one.known_by,
            "; ".join(filter(None, [how, one.setting if one.setting != "none is known" or not how else ""])),
            one.read or "nowhere",
            one.endpoint,
            one.proof,
            one.mark,
        ]
        lines.append("| " + " | ".join(cells) + " |")
    marks = "; ".join(f"{mark}: {words}" for mark, words in MARKS.items())
    return "\n".join(lines) + f"\n\nMarks: {marks}.\n"

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdicts: what each means, how it is shown, and what it makes of a run. Every reader goes by this table.

Which verdict a host has, rules/_findings.py and _assessment say. Private to this collection. Runs on the control node.
"""

from __future__ import annotations

from typing import NamedTuple

#: What verdicts have in common: the policy is broken, is nearly met, nobody knows, or there is nothing to do.
BROKEN, PENDING, UNSEEN, EXCUSED, MET, IDLE = "broken", "pending", "unseen", "excused", "met", "idle"
#: The camps in which nothing is left to be done.
SETTLED_CAMPS = (EXCUSED, MET, IDLE)


class Verdict(NamedTuple):
    """One verdict."""

    name: str
    #: In a few words, for legends and rules.
    meaning: str
    camp: str
    #: Of the findings that make it (LEVELS of rules/_findings.py), or that it covers.
    level: str
    #: The exit code of `scripts/audit`, where telemetry_fail_on names the verdict.
    exit_code: int
    #: Whether telemetry_fail_on names it by default.
    fails: bool
    #: The character that stands for it in Markdown, and the drawing on the page: a path of SVG in a square of 16, drawn
    #: with a pen of 2.
    symbol: str
    drawing: str
    #: Its colour on the page, on light ground (and on paper) and on dark.
    light: str
    dark: str
    #: The level of its rule in SARIF, empty where it has none, and what to do, in Markdown.
    sarif: str = ""
    remedy: str = ""


#: Worst first.
TABLE = (
    Verdict(
        "violation",
        "the policy is not met",
        BROKEN,
        "bad",
        2,
        True,
        "❌",
        "M4 4l8 8M12 4l-8 8",
        "#b3261e",
        "#ff8b81",
        "error",
        "Run `ansible-playbook cbops.telemetry.enforce --limit HOST`, or mend the line that is named. Where the "
        "network is against the policy, mend that.",
    ),
    Verdict(
        "waiver_expired",
        "the policy is not met, and the permission to differ has run out",
        BROKEN,
        "bad",
        2,
        True,
        "⌛",
        "M4 2h8M4 14h8M5 2v3l3 3-3 3v3M11 2v3l-3 3 3 3v3",
        "#9c1b62",
        "#ff8fc4",
        "error",
        "Bring the policy about (`cbops.telemetry.enforce`), or renew `telemetry_waiver` in the inventory with a "
        "new date and approval.",
    ),
    Verdict(
        "restart_pending",
        "the files are right, the running JVM is not yet",
        PENDING,
        "bad",
        3,
        False,
        "🔁",
        "M13 8a5 5 0 1 1-1.6-3.7M12.5 1.5v3.5H9",
        "#8a5300",
        "#f3bb53",
        "warning",
        "Restart the service that is named: `ansible-playbook cbops.telemetry.enforce --limit HOST -e "
        "telemetry_restart=now`.",
    ),
    Verdict(
        "stale",
        "the evidence is older than telemetry_max_age allows",
        UNSEEN,
        "open",
        3,
        True,
        "🕒",
        "M8 2a6 6 0 1 0 0 12a6 6 0 1 0 0-12M8 4.5V8l2.5 2",
        "#7a5c00",
        "#d9c25a",
        "warning",
        "Audit the host again: `ansible-playbook cbops.telemetry.audit --limit HOST`. What was seen then proves "
        "nothing of now.",
    ),
    Verdict(
        "unknown",
        "something could not be read or resolved",
        UNSEEN,
        "open",
        3,
        True,
        "❔",
        "M5.3 6.2a2.7 2.7 0 1 1 4 2.3C8.4 9 8 9.5 8 10.3M8 13v.01",
        "#6a3fb0",
        "#c6abff",
        "warning",
        "See the reason: what could not be read or resolved proves nothing, so it does not count as compliant. "
        "Mend it, then audit again.",
    ),
    Verdict(
        "unreachable",
        "the host did not answer",
        UNSEEN,
        "open",
        3,
        True,
        "🔌",
        "M8 2a6 6 0 1 0 0 12a6 6 0 1 0 0-12M4 12l8-8",
        "#3d4854",
        "#b9c4cf",
        "error",
        "Make the host answer (`ansible HOST -m ansible.builtin.ping`), or take it out of the inventory; then "
        "audit again.",
    ),
    Verdict(
        "waived",
        "the policy is not met, and a dated permission allows that",
        EXCUSED,
        "ok",
        0,
        False,
        "📝",
        "M4 14V2h8l-2.5 3L12 8H4",
        "#1b5fa8",
        "#8cbcff",
        "note",
        "Nothing until the waiver ends; then bring the policy about.",
    ),
    Verdict(
        "compliant",
        "files, next start and running JVM are as wanted",
        MET,
        "ok",
        0,
        False,
        "✅",
        "M3 8.5l3.5 3.5L13 4.5",
        "#1b7338",
        "#78d394",
    ),
    Verdict(
        "not_applicable",
        "nothing is installed there, or the policy leaves the host alone",
        IDLE,
        "ok",
        0,
        False,
        "➖",
        "M4 8h8",
        "#5b6570",
        "#a3adb8",
    ),
)

BY_NAME = {one.name: one for one in TABLE}
#: The closed set of verdicts, worst first.
VERDICTS = tuple(BY_NAME)

#: What the age of evidence makes of a verdict (see _age.py).
STALE = "stale"
#: A controller that is down: not a verdict, but what telemetry_fail_on may name.
DOWN = "down"
#: All that it may name: verdicts, a controller that is down, hosts that are not there any more.
GATES = (*VERDICTS, DOWN, "vanished")
#: What it names where nobody says otherwise.
FAIL_ON = tuple(one.name for one in TABLE if one.fails)


def in_camps(*camps: str) -> tuple[str, ...]:
    """The verdicts of some camps, worst first."""
    return tuple(one.name for one in TABLE if one.camp in camps)


#: The verdicts on which the policy is met, or has nothing to say.
SETTLED = in_camps(*SETTLED_CAMPS)

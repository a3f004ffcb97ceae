# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How old evidence may be (``telemetry_max_age``), and what its age makes of a verdict. No file and no clock is read.

Evidence tells no time itself: what journals and manifests say of it counts. Private to this collection. Runs on the
control node.
"""

from __future__ import annotations

import datetime
import re
from typing import Any, NamedTuple

from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._verdicts import BROKEN, UNSEEN, in_camps

DAY = 86400
#: Where nobody says otherwise, in days: FedRAMP's moderate baseline asks for machine validation once every 3 days.
MAX_AGE = "3"
#: A clock that is further off than this makes what it says worth nothing; one that is less far off is a note.
MOST_OFF = DAY
#: So far a host's clock may be off without a word: an answer may be read as late as that after it was given.
LITTLE_OFF = 300

_LIMIT = re.compile(r"([0-9]{1,5}(?:\.[0-9]{1,3})?) *(days?|d|hours?|h|minutes?|min|m|)")
_SECONDS = {"d": DAY, "h": 3600, "m": 60, "": DAY}
NEVER = ("never", "0")


class Aged(NamedTuple):
    """What its age makes of evidence."""

    into: str  # "stale", or "unknown" where no clock tells
    reason: str


def max_age_of(given: Any) -> float | None:
    """Seconds that evidence may be old, of days or a text such as ``72h``; None where it may be of any age.

    Raises ValueError.
    """
    text = str(given).strip().lower()
    if text in NEVER:
        return None
    found = None if isinstance(given, bool) else _LIMIT.fullmatch(text)
    seconds = float(found[1]) * _SECONDS[found[2][:1]] if found else 0
    if seconds < 1:
        raise ValueError(f"{given!r} is no age: it is a number of days, or such as 72h or 90 min; never is no limit")
    return seconds


def words_of(seconds: float) -> str:
    """An age or a limit as one reads it: ``3 days``, ``36 h``, ``90 min``."""
    for unit, size in (("days", DAY), ("h", 3600), ("min", 60)):
        if seconds >= (2 if unit != "min" else 1) * size:
            number = int(seconds / size * 10) / 10
            return f"{number:g} {unit}"
    return f"{int(seconds)} s"


def aged(
    collected: datetime.datetime | None, present: datetime.datetime, limit: float | None, is_as_filed: bool = True
) -> Aged | None:
    """What its age makes of evidence by ``present``; None where it is fresh, or ``limit`` is None.

    ``is_as_filed`` is whether the run that tells the time speaks of this very content. Where it does not, no limit
    makes it good: what was changed or put back proves nothing, however old it may be.
    """
    if collected is not None and not is_as_filed:
        return Aged(
            "unknown",
            "how old its evidence is, is not known: the file is not the one that the last run on it has filed, so it "
            "was changed, or put back to an older one",
        )
    if limit is None:
        return None
    if collected is None:
        return Aged("unknown", "how old its evidence is, is not known: no manifest and no journal speaks of it")
    age = (present - collected).total_seconds()
    if age < -min(MOST_OFF, limit):  # what may be no older than an hour may be no further ahead either
        return Aged(
            "unknown",
            f"how old its evidence is, is not known: its own time is {words_of(-age)} in the future: a clock is or "
            "was wrong",
        )
    if age > limit:
        return Aged(
            "stale",
            f"its evidence is {words_of(age)} old, and may be {words_of(limit)} (telemetry_max_age): what the host is "
            "like now, nobody knows; audit it",
        )
    return None


def clock_off(theirs: datetime.datetime, ours: datetime.datetime) -> Aged | None:
    """What a host's own clock makes of what it says; None where it is near the control node's."""
    off = abs((theirs - ours).total_seconds())
    if off <= MOST_OFF:
        return None
    return Aged(
        "unknown",
        f"its clock and the control node's are {words_of(off)} apart: it was {theirs:%Y-%m-%d %H:%M} there and "
        f"{ours:%Y-%m-%d %H:%M} here (UTC); which of them is wrong, and what was judged by it, is not known",
    )


def verdict_of(was: str, what: Aged) -> str:
    """The verdict of evidence with this age.

    What was seen to be broken stays so, for nobody has seen it mended; and what was not known says why, which its age
    would not. Nothing else is believed.
    """
    return was if was in in_camps(BROKEN, UNSEEN) else what.into

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Maintenance windows: when a restart is allowed, by the wall clock of a time zone. A deny beats an allow.

Private to this collection. Runs on the control node.
"""

from __future__ import annotations

import datetime
import re
import zoneinfo
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
EXAMPLE = "such as 'Mon-Fri 22:00-04:00', 'Sat,Sun 00:00-24:00', '2026-12-24 08:00-12:00' or '2026-12-20..2027-01-06'"
LOOK_AHEAD_DAYS = 14
_DAY_MINUTES = 24 * 60
_ENTRY = re.compile(r"(?P<days>\S+)(?:\s+(?P<begin>\d\d:\d\d)-(?P<end>\d\d:\d\d))?\Z")


@dataclass(frozen=True)
class Span:
    """A stretch of time on certain days, in minutes from the midnight at which the day begins; may end on the next."""

    weekdays: frozenset[int]
    first: datetime.date | None
    last: datetime.date | None
    begin: int
    end: int

    def begins_on(self, day: datetime.date) -> bool:
        """True where the span begins on that day."""
        if self.first is not None and self.last is not None:
            return self.first <= day <= self.last
        return day.weekday() in self.weekdays

    def covers(self, local: datetime.datetime) -> bool:
        """True where a moment of the wall clock lies within."""
        minute = local.hour * 60 + local.minute
        yesterday = local.date() - datetime.timedelta(days=1)
        return (self.begins_on(local.date()) and self.begin <= minute < self.end) or (
            self.begins_on(yesterday) and self.begin <= minute + _DAY_MINUTES < self.end
        )


@dataclass(frozen=True)
class Window:
    """When restarts are allowed.

    A moment is judged by what the clock on the wall shows then: an hour that the clock skips has no moments, one that
    it repeats counts both times.
    """

    zone: zoneinfo.ZoneInfo
    allow: tuple[Span, ...]
    deny: tuple[Span, ...]

    def is_open(self, now: datetime.datetime) -> bool:
        """True where a restart may begin at this moment (with its time zone)."""
        local = now.astimezone(self.zone)
        return any(span.covers(local) for span in self.allow) and not any(span.covers(local) for span in self.deny)

    def closed(self, now: datetime.datetime) -> str | None:
        """Why no restart may begin now, and when one may; None where it may."""
        if self.is_open(now):
            return None
        minute = now.astimezone(datetime.timezone.utc).replace(second=0, microsecond=0)
        for ahead in range(1, LOOK_AHEAD_DAYS * _DAY_MINUTES):
            then = minute + datetime.timedelta(minutes=ahead)
            if self.is_open(then):
                local = then.astimezone(self.zone)
                when = f"it opens {DAYS[local.weekday()]} {local:%Y-%m-%d %H:%M} {self.zone.key}"
                break
        else:
            when = f"it does not open within {LOOK_AHEAD_DAYS} days"
        return f"outside of the maintenance window: {when}"


def window_of(value: Any) -> Window:
    """A window from its keys ``zone``, ``allow`` and ``deny``. Raises ValueError with what is wrong."""
    if not isinstance(value, Mapping):
        raise ValueError("it must have the keys 'zone', 'allow' and 'deny'")
    unknown = sorted(str(key) for key in set(value) - {"zone", "allow", "deny"})
    if unknown:
        raise ValueError(f"it has no key {', '.join(unknown)}; it may have zone, allow and deny")
    name = value.get("zone")
    try:
        zone = zoneinfo.ZoneInfo(str(name or ""))
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError) as error:
        raise ValueError(
            f"zone is {name!r}; it must be an IANA name such as Europe/Berlin, and the control node needs "
            "the time zone database (package tzdata)"
        ) from error
    allow = _spans(value.get("allow"), "allow")
    return Window(
        zone,
        allow if value.get("allow") is not None else _spans(["Mon-Sun 00:00-24:00"], "allow"),
        _spans(value.get("deny"), "deny"),
    )


def _spans(entries: Any, key: str) -> tuple[Span, ...]:
    if entries is None:
        return ()
    if isinstance(entries, str) or not isinstance(entries, Sequence):
        raise ValueError(f"{key} must be a list, {EXAMPLE}")
    return tuple(_span(str(entry), key) for entry in entries)


def _span(entry: str, key: str) -> Span:
    wrong = ValueError(f"{key} has {entry!r}; it must be days and times, {EXAMPLE}")
    match = _ENTRY.match(entry.strip())
    if match is None:
        raise wrong
    begin, end = (_minutes(match["begin"]), _minutes(match["end"])) if match["begin"] else (0, _DAY_MINUTES)
    if begin is None or end is None or begin == _DAY_MINUTES:
        raise wrong
    if end <= begin:
        end += _DAY_MINUTES  # it ends on the next day
    try:
        if match["days"][0].isdigit():
            first, _dots, last = match["days"].partition("..")
            days = datetime.date.fromisoformat(first), datetime.date.fromisoformat(last or first)
            if days[1] < days[0]:
                raise wrong
            return Span(frozenset(), *days, begin, end)
        weekdays = frozenset(day for part in match["days"].split(",") for day in _weekdays(part))
        return Span(weekdays, None, None, begin, end)
    except ValueError as error:
        raise wrong from error


def _minutes(text: str) -> int | None:
    hours, minutes = int(text[:2]), int(text[3:])
    total = hours * 60 + minutes
    return total if minutes < 60 and total <= _DAY_MINUTES else None


def _weekdays(text: str) -> list[int]:
    """Numbers of ``Mon`` or ``Fri-Mon``, Monday is 0. Raises ValueError."""
    first, _dash, last = text.partition("-")
    begin, end = DAYS.index(first), DAYS.index(last or first)
    return [(begin + offset) % 7 for offset in range((end - begin) % 7 + 1)]

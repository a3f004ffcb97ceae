"""Maintenance windows, by the wall clock of their zone."""

from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._window import DAYS, window_of

BERLIN = ZoneInfo("Europe/Berlin")
NIGHTS = {"zone": "Europe/Berlin", "allow": ["Mon-Fri 22:00-04:00"]}


def at(text: str, zone: str = "Europe/Berlin", fold: int = 0) -> datetime.datetime:
    """A moment by the clock on the wall."""
    return datetime.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)


@pytest.mark.parametrize(
    ("value", "moment", "is_open"),
    [
        (NIGHTS, "2026-11-23T21:59", False),  # a Monday
        (NIGHTS, "2026-11-23T22:00", True),
        (NIGHTS, "2026-11-24T03:59", True),
        (NIGHTS, "2026-11-24T04:00", False),
        (NIGHTS, "2026-11-28T01:00", True),  # Saturday, in Friday's window
        (NIGHTS, "2026-11-28T23:00", False),
        (NIGHTS, "2026-11-23T01:00", False),  # Monday, but Sunday has no window
        ({**NIGHTS, "deny": ["2026-12-20..2027-01-06"]}, "2026-12-21T23:00", False),
        ({**NIGHTS, "deny": ["2026-12-20..2027-01-06"]}, "2027-01-07T23:00", True),
        ({**NIGHTS, "deny": ["Tue 00:00-02:00"]}, "2026-11-24T01:00", False),
        ({**NIGHTS, "deny": ["Tue 00:00-02:00"]}, "2026-11-24T02:00", True),
        ({"zone": "UTC", "allow": ["Sat,Sun 00:00-24:00"]}, "2026-11-29T23:59", True),
        ({"zone": "UTC", "allow": ["Sat,Sun 00:00-24:00"]}, "2026-11-30T01:30", False),
        ({"zone": "UTC", "allow": ["2028-02-29 08:00-12:00"]}, "2028-02-29T09:30", True),
        ({"zone": "UTC", "deny": ["Fri-Mon"]}, "2026-11-25T12:00", True),
        ({"zone": "UTC", "deny": ["Fri-Mon"]}, "2026-11-22T12:00", False),
        ({"zone": "UTC", "allow": []}, "2026-11-25T12:00", False),
    ],
)
def test_open_or_closed(value: dict[str, object], moment: str, is_open: bool) -> None:
    zone = str(value["zone"])
    assert (window_of(value).closed(at(moment, zone)) is None) == is_open


@pytest.mark.parametrize(
    ("moment", "fold", "is_open"),
    [
        ("2026-10-25T02:30", 0, True),
        ("2026-10-25T02:30", 1, True),  # the hour that comes twice
        ("2026-10-25T01:59", 0, False),
        ("2026-10-25T03:00", 0, False),
    ],
)
def test_an_hour_that_the_clock_repeats_counts_both_times(moment: str, fold: int, is_open: bool) -> None:
    window = window_of({"zone": "Europe/Berlin", "allow": ["Sun 02:00-03:00"]})
    assert window.is_open(at(moment, fold=fold).astimezone(datetime.timezone.utc)) == is_open


def test_an_hour_that_the_clock_skips_has_no_moments() -> None:
    window = window_of({"zone": "America/New_York", "allow": ["2026-03-08 02:00-03:00"]})
    minute = datetime.datetime(2026, 3, 8, tzinfo=datetime.timezone.utc)
    assert not any(window.is_open(minute + datetime.timedelta(minutes=n)) for n in range(24 * 60))


def test_it_says_when_it_opens() -> None:
    assert window_of(NIGHTS).closed(at("2026-11-28T12:00")) == (
        "outside of the maintenance window: it opens Mon 2026-11-30 22:00 Europe/Berlin"
    )
    never = {"zone": "UTC", "allow": ["2026-01-01 00:00-01:00"]}
    assert window_of(never).closed(at("2026-11-28T12:00")) == (
        "outside of the maintenance window: it does not open within 14 days"
    )


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("always", "keys"),
        ({"allow": ["Mon"]}, "zone is None"),
        ({"zone": "Berlin"}, "zone is 'Berlin'"),
        ({"zone": "../etc/passwd"}, "IANA name"),
        ({"zone": "UTC", "from": 1}, "no key from"),
        ({"zone": "UTC", "allow": "Mon"}, "allow must be a list"),
        ({"zone": "UTC", "allow": ["Mon 22-23"]}, "allow has 'Mon 22-23'"),
        ({"zone": "UTC", "allow": ["Mon 22:00-25:00"]}, "allow has"),
        ({"zone": "UTC", "allow": ["Mon 24:00-24:00"]}, "allow has"),
        ({"zone": "UTC", "deny": ["Monday 10:00-11:00"]}, "deny has"),
        ({"zone": "UTC", "deny": ["2026-02-30"]}, "deny has"),
        ({"zone": "UTC", "deny": ["2026-02-02..2026-02-01"]}, "deny has"),
        ({"zone": "UTC", "deny": [""]}, "deny has"),
    ],
)
def test_what_is_wrong_is_said(value: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        window_of(value)


@settings(max_examples=200, deadline=None)
@given(day=st.sampled_from(DAYS), begin=st.integers(0, 1439), end=st.integers(0, 1440), minute=st.integers(0, 10079))
def test_against_counting_minutes(day: str, begin: int, end: int, minute: int) -> None:
    """A week has 10,080 minutes; a window is a stretch of them."""
    window = window_of(
        {"zone": "UTC", "allow": [f"{day} {begin // 60:02}:{begin % 60:02}-{end // 60:02}:{end % 60:02}"]}
    )
    monday = datetime.datetime(2026, 11, 23, tzinfo=datetime.timezone.utc)
    first = DAYS.index(day) * 1440 + begin
    length = (end - begin) if end > begin else end - begin + 1440
    inside = {(first + offset) % 10080 for offset in range(length)}
    assert window.is_open(monday + datetime.timedelta(minutes=minute)) == (minute in inside)

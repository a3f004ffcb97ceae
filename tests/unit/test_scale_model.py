"""The model of docs/scale.md: by numbers that can be reckoned in one's head, and held to what was measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.bench import model
from tests.bench.model import Case, Engine, Line, estimate

CHECKOUT = Path(__file__).parent.parent.parent
MEASURED = json.loads((CHECKOUT / "tests/bench/scale.json").read_text(encoding="utf-8"))


def one(**changed: Any) -> Engine:
    """1 s before the first host; of each 10 ms here and 100 ms there, 10 round trips, 10 hosts at a time."""
    given = {
        "name": "x",
        "handshake": dict.fromkeys(model.FIGURES, 0.0),
        "trips": 10,
        "lanes": 1,
        "places": 10,
        "lines": {
            "control_cpu": Line(1.0, 0.01),
            "host_cpu": Line(0.5, 0.1),
            "sent": Line(0, 1000),
            "received": Line(0, 10),
            "memory": Line(1e8, 1e4),
        },
    }
    return Engine(**{**given, **changed})


def test_a_line_goes_through_both_runs() -> None:
    found = model.line({"hosts": 10, "sent": 70.0}, {"hosts": 30, "sent": 110.0}, "sent")
    assert (found.start, found.each) == (50, 2)
    with pytest.raises(ValueError, match="make no line"):
        model.line({"hosts": 10, "sent": 70.0}, {"hosts": 10, "sent": 110.0}, "sent")


@pytest.mark.parametrize(
    ("case", "wall", "bound"),
    [
        (Case(1000), 1 + 1000 * 0.01 + 0.1, "control"),  # 10 ms each: the hosts' 100 ms on ten places are as quick
        (Case(1000, latency=0.1), 1 + 1000 * 1.1 / 10, "places"),  # ten round trips of 100 ms, and 100 ms of work
        (Case(1000, latency=0.1, places=1000), 1 + 1000 * 0.01 + 1.1, "control"),
        (Case(4, latency=0.1, places=1000), 1 + 4 * 1.1 / 4, "places"),  # no more places than hosts
        (Case(1000, slices=4), 1 + 250 * 0.01 + 0.1, "control"),
        (Case(1000, slices=3), 1 + 334 * 0.01 + 0.1, "control"),  # the largest slice is the last to end
        (Case(1000, shared_cores=2), 1 + 1000 * 0.055 + 0.1, "cores"),
        (
            Case(1000, slices=4, shared_cores=2),
            1 + 1000 * 0.055 + 0.1,
            "cores",
        ),  # cores that are shared are no more by it
    ],
)
def test_time_is_what_takes_longest(case: Case, wall: float, bound: str) -> None:
    found = estimate(one(), case)
    assert (found.wall, found.bound) == (pytest.approx(wall), bound)


def test_each_slice_begins_anew_and_no_host_is_asked_twice() -> None:
    whole, parts = (estimate(one(), Case(1000, slices=count)) for count in (1, 4))
    assert parts.control_cpu == whole.control_cpu + 3 == pytest.approx(14)
    assert (parts.sent, parts.received) == (whole.sent, whole.received) == (1e6, 1e4)
    assert parts.memory == pytest.approx(1e8 + 250 * 1e4)


@pytest.mark.parametrize(
    "case", [Case(0), Case(10, slices=0), Case(10, slices=11), Case(1, latency=-1), Case(1, places=0)]
)
def test_what_cannot_be_is_refused(case: Case) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        estimate(one(), case)


@pytest.mark.parametrize("name", ["sweep", "pipe"])
def test_runs_that_were_no_input_are_told_within_a_tenth(name: str) -> None:
    """Those on a machine without other work."""
    measured = MEASURED["quiet"]
    engine = next(each for each in model.engines_of(measured) if each.name == name)
    runs = [run for run in measured["runs"] if run["engine"] == name]
    for run in runs:
        off = model.errors(engine, Case(run["hosts"], places=run["places"], shared_cores=measured["cores"]), run)
        assert set(off) == {"wall", *model.FIGURES}
        assert max(map(abs, off.values())) < 0.1, (run["hosts"], off)


def test_where_others_are_at_work_the_largest_input_tells_the_cores() -> None:
    runs = [
        {"engine": name, "hosts": hosts, "control_cpu": 1.0, "host_cpu": hosts / 10, "wall": wall}
        for name, hosts, wall in (("a", 10, 1.0), ("a", 90, 8.0), ("a", 500, 1.0), ("b", 90, 5.0))
    ]
    measured = {"cores": 2, "fit": {"a": [10, 90]}, "runs": runs}
    assert model.cores_of(measured, "a") == 2
    assert model.cores_of({**measured, "crowded": True}, "a") == 10 / 8


def test_the_page_has_the_tables_of_these_figures() -> None:
    """As `make bench-scale` writes them."""
    from tests.bench import scale

    page = scale.PAGE.read_text(encoding="utf-8")
    assert scale.written(page, scale.tables()) == page
    with pytest.raises(ValueError, match="no marks for other"):
        scale.written(page, {"other": ""})


@pytest.mark.parametrize(
    ("seconds", "words"), [(1.4, "1 s"), (119, "119 s"), (120, "2 min"), (7199, "120 min"), (7200, "2.0 h")]
)
def test_durations_are_short(seconds: float, words: str) -> None:
    assert model.duration(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"), [(5100, "5.1 KB"), (2.04e6, "2.0 MB"), (9.1e7, "91 MB"), (2.9e9, "2.9 GB")]
)
def test_sizes_are_short(count: float, words: str) -> None:
    assert model.size(count) == words

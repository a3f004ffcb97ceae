"""What an audit of N hosts in S slices costs, from what was measured on a few: pure, without a clock or a file.

The control node's CPU, the hosts' CPU, bytes and memory are straight lines, each through a run on few hosts and one
on many. Time is the longest of three: the control node's pace, the turns of the hosts that are asked at the same time,
and the cores where both sides share them. Seconds, bytes, hosts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: What a run costs that grows with its hosts.
FIGURES = ("control_cpu", "host_cpu", "sent", "received", "memory")


@dataclass(frozen=True)
class Line:
    """What there is without any host, and what each host adds."""

    start: float
    each: float

    def at(self, hosts: float) -> float:
        """The figure for so many hosts."""
        return self.start + self.each * hosts


@dataclass(frozen=True)
class Engine:
    """One way to audit, as it was measured."""

    name: str
    lines: Mapping[str, Line]  # of FIGURES
    handshake: Mapping[str, float]  # a login alone: control_cpu, host_cpu, sent, received of one host
    trips: float  # round trips from the first packet to the answer
    lanes: float  # cores of the control node that one run keeps busy
    places: int  # hosts that are asked at the same time, where nothing else is set


@dataclass(frozen=True)
class Case:
    """A fleet, and how it is audited."""

    hosts: int
    slices: int = 1
    latency: float = 0.0  # seconds of a round trip
    places: int | None = None  # hosts that are asked at the same time in each slice, if other than the engine's
    shared_cores: float | None = None  # both sides are one machine with so many, as in the benchmarks


@dataclass(frozen=True)
class Estimate:
    """What it comes to."""

    wall: float
    control_cpu: float  # of all slices
    host_cpu: float  # of all hosts
    sent: float
    received: float
    memory: float  # of one slice
    bound: str  # what the time is decided by: "control", "places" or "cores"


def line(fewest: Mapping[str, float], most: Mapping[str, float], name: str) -> Line:
    """Through two runs. Raises ValueError where they are of the same number of hosts."""
    apart = most["hosts"] - fewest["hosts"]
    if apart <= 0:
        raise ValueError(f"runs on {fewest['hosts']} and {most['hosts']} hosts make no line")
    each = (most[name] - fewest[name]) / apart
    return Line(fewest[name] - each * fewest["hosts"], each)


def engine(
    name: str, runs: Sequence[Mapping[str, float]], login: Mapping[str, float], trips: float, lanes: float, places: int
) -> Engine:
    """Of the runs that are given, those on the fewest and on the most hosts decide. ``login`` is a run of logins."""
    ordered = sorted(runs, key=lambda run: run["hosts"])
    lines = {figure: line(ordered[0], ordered[-1], figure) for figure in FIGURES}
    each = {figure: login[figure] / login["hosts"] for figure in ("control_cpu", "host_cpu", "sent", "received")}
    return Engine(name, lines, each, trips, lanes, places)


def cores_left(run: Mapping[str, float]) -> float:
    """How many cores both sides had in a run, where others took their part of the machine."""
    return (run["control_cpu"] + run["host_cpu"]) / run["wall"]


def cores_of(measured: Mapping[str, Any], name: str) -> float:
    """The cores that both sides of an engine's runs share: the machine's, or what others left in the largest input."""
    if not measured.get("crowded"):
        return float(measured["cores"])
    runs = [
        run
        for run in measured["runs"]
        if run["engine"] == name and not run.get("latency") and run["hosts"] in measured["fit"][name]
    ]
    return cores_left(max(runs, key=lambda run: run["hosts"]))


def estimate(of: Engine, case: Case) -> Estimate:
    """What a case costs. Raises ValueError for one that cannot be."""
    places = of.places if case.places is None else case.places
    if not (0 < case.slices <= case.hosts and places > 0 and case.latency >= 0):
        raise ValueError(f"{case} cannot be")
    part = math.ceil(case.hosts / case.slices)
    control, served = of.lines["control_cpu"], of.lines["host_cpu"].each
    turn = served + of.trips * case.latency  # of one host, on a core of its own
    paces = {"control": control.each / of.lanes, "places": turn / min(places, part)}
    if case.shared_cores is not None:
        # All slices and all hosts on the same cores: what all slices do is in each one's way.
        paces["cores"] = (control.each + served) * case.slices / case.shared_cores
    bound = max(paces, key=lambda name: paces[name])
    # Before the first host nothing else goes on, and after the last one has been asked its answer is waited for.
    wall = control.start + part * paces[bound] + (turn if bound != "places" else 0)
    total = {name: one.start * case.slices + one.each * case.hosts for name, one in of.lines.items()}
    return Estimate(
        wall,
        total["control_cpu"],
        total["host_cpu"],
        total["sent"],
        total["received"],
        of.lines["memory"].at(part),
        bound,
    )


def errors(of: Engine, case: Case, run: Mapping[str, float]) -> dict[str, float]:
    """How far the estimate is from a run, as a part of what was measured: 0.1 is a tenth too much."""
    found = estimate(of, case)
    return {name: getattr(found, name) / run[name] - 1 for name in ("wall", *FIGURES) if run.get(name)}


# ---- the page --------------------------------------------------------------------------------------------------------


def duration(seconds: float) -> str:
    """As one reads it."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def size(count: float) -> str:
    """Bytes as one reads them."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}" if count < 10 * factor else f"{count / factor:.0f} {unit}"
    return f"{count / 1000:.1f} KB"


def engines_of(measured: Mapping[str, Any]) -> list[Engine]:
    """The engines of a set of measured figures."""
    fit = {
        name: [
            run
            for run in measured["runs"]
            if run["engine"] == name and not run.get("latency") and run["hosts"] in measured["fit"][name]
        ]
        for name in measured["fit"]
    }
    logins = [run for run in measured["runs"] if run["engine"] == "login"]
    login = max(logins, key=lambda run: run["hosts"])
    return [
        engine(name, runs, login, measured["trips"][name], measured["lanes"][name], measured["places"][name])
        for name, runs in fit.items()
    ]


def inputs(engines: Sequence[Engine]) -> str:
    """What the model is made of, as a table."""
    lines = ["| | " + " | ".join(one.name for one in engines) + " |", "|---|" + "--:|" * len(engines)]

    def add(what: str, cells: Sequence[str]) -> None:
        lines.append(f"| {what} | {' | '.join(cells)} |")

    each = [{name: one.lines[name].each for name in FIGURES} for one in engines]
    add("control node: CPU before the first host", [f"{one.lines['control_cpu'].start:.2f} s" for one in engines])
    add("control node: CPU a host", [f"{one['control_cpu'] * 1000:.1f} ms" for one in each])
    add("host: CPU, all of it", [f"{one['host_cpu'] * 1000:.0f} ms" for one in each])
    add("of it the login (key exchange, sshd)", [f"{one.handshake['host_cpu'] * 1000:.0f} ms" for one in engines])
    add("sent to a host", [size(one["sent"]) for one in each])
    add("received from a host", [size(one["received"]) for one in each])
    add("of both the login", [size(one.handshake["sent"] + one.handshake["received"]) for one in engines])
    add("memory before the first host", [size(one.lines["memory"].start) for one in engines])
    add("memory a host", [size(one["memory"]) for one in each])
    add("round trips", [f"{one.trips:.0f}" for one in engines])
    add("hosts at the same time", [str(one.places) for one in engines])
    add("cores of the control node that a run keeps busy", [f"{one.lanes:.2f}" for one in engines])
    return "\n".join(lines)


def checks(measured: Mapping[str, Any], engines: Sequence[Engine]) -> str:
    """Each run beside what the engines' model says of it, as a table; those that it was made of are marked."""
    lines = [
        "| | hosts | round trip | wall s: model / run | control CPU s | host CPU s | sent MB | peak MB |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for one in engines:
        for run in sorted(measured["runs"], key=lambda run: (run.get("latency", 0), run["hosts"])):
            if run["engine"] != one.name or run["hosts"] == 1:  # a run on one host counts round trips
                continue
            case = Case(run["hosts"], 1, run.get("latency", 0.0), run["places"], cores_of(measured, one.name))
            found, off = estimate(one, case), errors(one, case, run)
            cells = [
                f"{getattr(found, name) / scale:.{digits}f} / {run[name] / scale:.{digits}f} ({off[name]:+.0%})"
                if name in off
                else "–"
                for name, scale, digits in (
                    ("wall", 1, 1),
                    ("control_cpu", 1, 1),
                    ("host_cpu", 1, 1),
                    ("sent", 1e6, 1),
                    ("memory", 1e6, 0),
                )
            ]
            own = " (input)" if not run.get("latency") and run["hosts"] in measured["fit"][one.name] else ""
            trip = f"{run['latency'] * 1000:.0f} ms" if run.get("latency") else "–"
            lines.append(f"| {one.name}{own} | {run['hosts']} | {trip} | {' | '.join(cells)} |")
    return "\n".join(lines)


def forecast(
    engines: Sequence[Engine],
    fleets: Sequence[int] = (1000, 10_000, 100_000),
    slices: Sequence[int] = (1, 4, 10, 40),
    latencies: Sequence[float] = (0.001, 0.05, 0.2),
) -> str:
    """The table for larger fleets, each slice on a control node of its own and each host on a core of its own."""
    lines = [
        "| hosts | slices | "
        + " | ".join(f"{one.name}, {latency * 1000:.0f} ms" for one in engines for latency in latencies)
        + " | control CPU, all: "
        + " / ".join(one.name for one in engines)
        + f" | memory of a slice, {engines[0].name} | sent, all |",
        "|--:|--:|" + "--:|" * (len(engines) * len(latencies) + 3),
    ]
    for hosts in fleets:
        for count in slices:
            times, last = [], []
            for one in engines:
                found = [estimate(one, Case(hosts, count, latency)) for latency in latencies]
                times += [duration(each.wall) for each in found]
                last.append(found[0])
            lines.append(
                f"| {hosts:,} | {count} | {' | '.join(times)} | "
                f"{' / '.join(duration(each.control_cpu) for each in last)} | {size(last[0].memory)} | "
                f"{size(last[0].sent)} |"
            )
    return "\n".join(lines)

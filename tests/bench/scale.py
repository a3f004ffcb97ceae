"""Runs for the model of docs/scale.md, and that page's tables: ``python -m tests.bench scale|scale-table``.

The figures are kept in ``scale.json`` beside this file: sets of runs, each of one day and machine. ``quiet`` is that of
docs/benchmarks.md; ``scale`` replaces runs of ``today``, each of which says how loaded the machine was.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tests.bench import loopback, model
from tests.bench.contenders import BY_NAME
from tests.bench.loopback import CHECKOUT, PLACE, PORT, Host
from tests.bench.measure import Bench, Failed, Group, about

DATA = Path(__file__).with_name("scale.json")
PAGE = CHECKOUT / "docs/scale.md"
FAR = 2223  # where hosts answer late
FIT = (32, 200)  # hosts of the runs of which the model is made
CHECKS = (100, 500, 1000)
TRIPS = 0.5  # seconds, of the runs that count round trips


def far(inventory: Path, fleet: list[Host], home: Path) -> None:
    """Let the hosts of an inventory be those that answer late."""
    path = inventory / "hosts.ini"
    path.write_text(path.read_text(encoding="utf-8") + f"ansible_port={FAR}\n", encoding="utf-8")
    known = home / ".ssh/known_hosts"
    key = known.read_text(encoding="utf-8").split("\n", 1)[0].split(" ", 1)[1]
    known.write_text("".join(f"[{one.address}]:{FAR} {key}\n" for one in fleet), encoding="utf-8")


def run_inside(engines: list[str], sizes: list[int], latencies: list[float]) -> int:
    """Measure; results are written as each is there. The number of runs that failed."""
    bench = Bench()
    bench.start()
    wanted = [("login", 200, 0.0)] if not sizes else []
    wanted += [(name, hosts, 0.0) for name in engines for hosts in sizes or sorted((*FIT, *CHECKS))]
    wanted += [(name, 1, late) for name in engines for late in ((0.0, TRIPS) if latencies else ())]
    wanted += [(name, 200, late) for name in engines for late in latencies]
    measured = json.loads(DATA.read_text(encoding="utf-8"))
    kept = [
        run
        for run in measured.get("today", {}).get("runs", ())
        if (run["engine"], run["hosts"], run.get("latency", 0.0)) not in wanted
    ]
    today: dict[str, Any] = {
        "machine": about(),
        "cores": os.cpu_count(),
        "runs": kept,
        "crowded": os.getloadavg()[0] > 1,
        "fit": {name: list(FIT) for name in ("sweep", "pipe")},
        **{name: measured["quiet"][name] for name in ("trips", "lanes", "places")},
    }
    failed = 0
    for name, hosts, late in wanted:
        group = Group(hosts)
        fleet = loopback.hosts(hosts)
        inventory = bench.fleet.furnish(fleet)
        load = os.getloadavg()[0]
        line = None
        if late:
            far(inventory, fleet, bench.fleet.home)
            line = subprocess.Popen(
                [sys.executable, "-m", "tests.bench.delay", str(FAR), str(PORT), str(late)],
                cwd=CHECKOUT,
                stderr=subprocess.DEVNULL,
            )
            (PLACE / "out").mkdir(exist_ok=True)
        try:
            found = asdict(bench.once(BY_NAME[name], group, fleet, inventory, bench.idle))
        except Failed as error:
            failed += 1
            print(f"{name}, {hosts} hosts, {late} s: FAILED: {error}", file=sys.stderr, flush=True)
            continue
        finally:
            if line is not None:
                line.kill()
                line.wait()
        today["runs"].append(
            {
                "engine": name,
                "hosts": hosts,
                "places": group.forks,
                "load": round(load, 1),
                **({"latency": late} if late else {}),
                **found,
            }
        )
        print(
            f"{name}, {hosts} hosts, {late} s: {found['wall']:.1f} s, control CPU {found['control_cpu']:.2f} s, "
            f"hosts' {found['host_cpu']:.1f} s, load {load:.1f}",
            file=sys.stderr,
            flush=True,
        )
        measured["today"] = today
        count_trips(measured)
        DATA.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    return failed


def count_trips(measured: dict[str, Any]) -> None:
    """Round trips of one host, from what it takes longer where it is far."""
    took = {
        (run["engine"], run.get("latency", 0.0)): run["wall"] for run in measured["today"]["runs"] if run["hosts"] == 1
    }
    for name in ("sweep", "pipe"):
        if (name, 0.0) in took and (name, TRIPS) in took:
            counted = round((took[name, TRIPS] - took[name, 0.0]) / TRIPS, 1)
            measured["quiet"]["trips"][name] = measured["today"]["trips"][name] = counted


def tables() -> dict[str, str]:
    """The tables of the page, by the names of their marks."""
    measured = json.loads(DATA.read_text(encoding="utf-8"))
    # Memory is no line on so few hosts: of 4,000 there is a run of the quiet day alone.
    quiet = model.engines_of(measured["quiet"])
    memory = {one.name: one.lines["memory"] for one in quiet}
    engines = [
        replace(one, lines={**one.lines, "memory": memory[one.name]}) for one in model.engines_of(measured["today"])
    ]
    return {
        "inputs": model.inputs(engines),
        "checks": model.checks(measured["quiet"], quiet),
        "today": model.checks(measured["today"], engines),
        "forecast": model.forecast(engines),
    }


def written(page: str, found: dict[str, str]) -> str:
    """The page with these tables between its marks. Raises ValueError where it has none for one."""
    for name, text in found.items():
        first, last = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
        before, one, rest = page.partition(first)
        _old, other, after = rest.partition(last)
        if not (one and other):
            raise ValueError(f"there are no marks for {name}")
        page = before + first + "\n" + text + "\n\n" + last + after
    return page

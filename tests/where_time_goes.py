"""Where a test run's time goes: ``python -m pytest -p tests.where_time_goes TESTS`` says it at the end.

Wall time says little where other things run on the machine, or four workers share two cores. So each test is counted
in seconds of CPU: its own process ("pytest"), the processes that it waited for (playbooks, ssh, shells: "children"),
the fleet's hosts ("hosts"); and in the playbooks and processes that it started.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

#: Tests and files that are named at the end.
SHOWN = 40
COLUMNS = ("cpu", "pytest", "children", "hosts", "wall", "playbooks", "processes")

_started: Counter[str] = Counter()
#: CPU seconds by host when the test itself had ended.
_at_its_end: dict[str, float] = {}


def _count(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "subprocess.Popen":
        words = arguments[1] if isinstance(arguments[1], (list, tuple)) else [arguments[1]]
        _started["processes"] += 1
        _started["playbooks"] += any(os.path.basename(str(word)) == "ansible-playbook" for word in words)


sys.addaudithook(_count)


def _hosts() -> dict[str, float]:
    """CPU seconds by host of every fleet that runs for this worker."""
    if (fleet := str(Path(__file__).parent / "fleet")) not in sys.path:  # tests hand it on to what they start
        sys.path.insert(0, fleet)
    import hosts as fleets
    import machine
    import profiles

    found: dict[str, float] = {}
    for profile in profiles.PROFILES:
        try:
            hosts = list(fleets.Fleet(profile).cgroup.glob("*/cpu.stat"))
        except machine.CannotRun:
            return found  # there are no fleets here; or a test has changed how files are read, until it is over
        for path in hosts:
            if path.parent.name != "exec":  # what runs there are our children
                try:
                    found[str(path)] = int(path.read_text().split()[1]) / 1e6
                except OSError:
                    pass  # it has just gone down
    return found


def _now() -> tuple[dict[str, float], dict[str, float]]:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "wall": time.monotonic(),
        "pytest": time.process_time(),
        "children": children.ru_utime + children.ru_stime,
        **_started,
    }, _hosts()


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """From before its fixtures are made until those that nobody needs any more are gone."""
    before, hosts = _now()
    yield
    after, hosts_after = _now()
    hosts_after = {**_at_its_end, **hosts_after}
    spent = {name: after[name] - before.get(name, 0) for name in after}
    # A host that is new began at nothing.
    spent["hosts"] = sum(
        used - (hosts.get(name, 0) if hosts.get(name, 0) <= used else 0) for name, used in hosts_after.items()
    )
    spent["cpu"] = spent["pytest"] + spent["children"] + spent["hosts"]
    _keep(item.config, item.nodeid, spent)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown() -> None:
    """The last test of a file takes its fleet down, and what the hosts have used goes with them."""
    _at_its_end.clear()
    _at_its_end.update(_hosts())


SPENT: dict[str, dict[str, float]] = {}


def _keep(config: pytest.Config, nodeid: str, spent: dict[str, float]) -> None:
    output = getattr(config, "workeroutput", None)
    (SPENT if output is None else output.setdefault("where time goes", {}))[nodeid] = spent


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """What a worker counted, once it has ended."""
    SPENT.update(getattr(node, "workeroutput", {}).get("where time goes", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table: rooms, files, tests, those that cost most CPU first."""
    if not SPENT:
        return
    terminalreporter.section("where time goes (seconds; counts)")
    terminalreporter.write_line(" ".join(f"{name:>9}" for name in COLUMNS))
    files, rooms = defaultdict[str, Counter[str]](Counter), defaultdict[str, Counter[str]](Counter)
    for nodeid, spent in SPENT.items():
        path = nodeid.partition("::")[0]
        files[path].update(spent)
        rooms["/".join(path.split("/")[:2])].update(spent)
        rooms["all"].update(spent)
    tables: tuple[Mapping[str, Mapping[str, float]], ...] = (rooms, files, SPENT)
    for table in tables:
        for name, spent in sorted(table.items(), key=lambda item: -item[1]["cpu"])[:SHOWN]:
            cells = (f"{spent.get(column, 0):9.{0 if column in COLUMNS[-2:] else 1}f}" for column in COLUMNS)
            terminalreporter.write_line(f"{' '.join(cells)}  {name[:140]}")
        terminalreporter.write_line("")

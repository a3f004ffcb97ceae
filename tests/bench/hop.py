"""The sweep behind a jump host: how often a host is lost, and what the way there costs. ``python -m tests.bench hop``.

The hop is an OpenSSH server with its own defaults for how many may log in at once (``MaxStartups 10:30:100``). Runs go in
pairs, without it and by it, so that the ratio holds where the machine's speed changes.
"""

from __future__ import annotations

import contextlib
import statistics
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import loopback
from tests.bench.contenders import BY_NAME
from tests.bench.loopback import HOP, PORT_HOP, Host
from tests.bench.measure import Bench, Failed, Figures, Group

ENGINE = "sweep"
PERIOD = 0.1  # seconds between two looks at the memory


@dataclass
class Outcome:
    """Of the runs by one way."""

    runs: list[Figures] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def by_hop(inventory: Path, home: Path) -> None:
    """Let the hosts of an inventory be behind the hop."""
    path = inventory / "hosts.ini"
    way = f"ansible_ssh_common_args='-o ProxyJump={HOP}:{PORT_HOP}'\n"
    path.write_text(path.read_text(encoding="utf-8") + way, encoding="utf-8")
    known = home / ".ssh/known_hosts"
    lines = known.read_text(encoding="utf-8")
    key = lines.split("\n", 1)[0].split(" ", 1)[1]
    known.write_text(f"{lines}[{HOP}]:{PORT_HOP} {key}\n", encoding="utf-8")


def pss(pid: str) -> int:
    """Bytes of a process's memory, its part of what is shared; nothing where it has gone."""
    with contextlib.suppress(OSError):
        for line in Path("/proc", pid, "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def asks_a_host(pid: str, hosts: Sequence[Host]) -> bool:
    """Whether it is the ssh of one host, and not a hop's master or what forwards by it."""
    try:
        words = Path("/proc", pid, "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    addresses = {one.address.encode() for one in hosts}
    return words[0].rpartition(b"/")[2] == b"ssh" and b"-W" not in words and bool(addresses & set(words))


@contextlib.contextmanager
def watched(group: Path, hosts: Sequence[Host]) -> Iterator[list[tuple[int, int]]]:
    """Hosts that are asked at a moment, and the memory of all processes then."""
    found: list[tuple[int, int]] = []
    end = threading.Event()

    def look() -> None:
        while not end.wait(PERIOD):
            with contextlib.suppress(OSError):
                processes = (group / "cgroup.procs").read_text().split()
                asked = sum(asks_a_host(pid, hosts) for pid in processes)
                found.append((asked, sum(map(pss, processes))))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        end.set()
        thread.join()


def summary(size: int, straight: Outcome, hop: Outcome) -> str:
    """The figures in a few lines."""
    lines = [
        f"{size} hosts, {len(found.runs) + len(found.failed)} runs {name}: "
        f"{len(found.failed)} with hosts that were lost"
        + (f", median {statistics.median(one.wall for one in found.runs):.2f} s" if found.runs else "")
        for name, found in (("without a hop", straight), ("by the hop", hop))
    ]
    pairs = [by.wall / without.wall for without, by in zip(straight.runs, hop.runs)]
    if pairs and not straight.failed and not hop.failed:
        lines.append(
            f"ratio of time, pair by pair: median {statistics.median(pairs):.2f}, "
            f"from {min(pairs):.2f} to {max(pairs):.2f}"
        )
    return "\n".join([*lines, *sorted(set(straight.failed + hop.failed))])


def memory_of(samples: Sequence[tuple[int, int]]) -> str:
    """What a host costs while it is asked, at the moment when most are."""
    most = max((asked for asked, _size in samples), default=0)
    if not most:
        return "memory: no host was seen being asked"
    size = statistics.median(size for asked, size in samples if asked == most)
    return f"memory (Pss): {size / 1e6:.0f} MB with {most} hosts in flight, {size / 1e6 / most:.1f} MB each"


def run_inside(size: int, runs: int) -> int:
    """Measure and print; how many runs lost a host."""
    bench = Bench()
    bench.start()
    fleet = loopback.hosts(size)
    group = Group(size, forks=32)
    ways = {"straight": Outcome(), "hop": Outcome()}

    def once(way: str) -> Figures:
        inventory = bench.fleet.furnish(fleet)
        if way == "hop":
            by_hop(inventory, bench.fleet.home)
        return bench.once(BY_NAME[ENGINE], group, fleet, inventory, bench.idle)

    for turn in range(runs):
        for way, outcome in ways.items():
            try:
                outcome.runs.append(once(way))
                said = f"{outcome.runs[-1].wall:.2f} s"
            except Failed as error:
                outcome.failed.append(str(error))
                said = f"FAILED: {error}"
            print(f"run {turn + 1} of {runs}, {way}: {said}", file=sys.stderr, flush=True)
    print(summary(size, ways["straight"], ways["hop"]), flush=True)
    for way in ways:
        with watched(bench.cgroups.run, fleet) as samples, contextlib.suppress(Failed):
            once(way)
        print(f"{way}: {memory_of(samples)}", flush=True)
    return sum(len(outcome.failed) for outcome in ways.values())

"""Measuring: alternating rounds, medians, what each run cost both sides, results as JSON and as a table in Markdown.

Which contender runs on how many hosts is in GROUPS here and in ``most`` of each contender.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.bench import contenders, loopback
from tests.bench.contenders import BY_NAME, CONTENDERS, SOCKETS, Contender, Task
from tests.bench.loopback import CHECKOUT, PLACE, Fleet, Host

# Of tests/fleet, which loopback puts on the path
import hosts as fleet_hosts  # isort: skip
import machine  # isort: skip

RESULTS = CHECKOUT / ".build/bench"
FLOOR = "ssh"
BARE = ("ssh", "login", "asyncssh", "parallel-ssh", "paramiko", "clush", "sweep", "pipe", "module", "pyinfra-script")


@dataclass(frozen=True)
class Group:
    """Runs that are compared with each other."""

    hosts: int
    forks: int = 16
    warm: bool = False
    holes: int = 0  # percent of the hosts
    only: tuple[str, ...] = ()  # all, if none

    @property
    def name(self) -> str:
        """A file's name."""
        return f"{self.hosts:05d}-{self.forks:02d}-{'warm' if self.warm else 'cold'}" + (
            f"-holes{self.holes}" if self.holes else ""
        )

    @property
    def title(self) -> str:
        """For the reader."""
        words = [
            f"{self.hosts} host{'s' if self.hosts > 1 else ''}",
            f"{self.forks} at a time",
            "open connections" if self.warm else "new connections",
        ]
        return ", ".join([*words, f"{self.holes} % black holes"] if self.holes else words)


#: An open connection costs two processes there and one here: so not more than 100 of them.
GROUPS = (
    Group(1),
    Group(32),
    Group(32, warm=True),
    Group(100, forks=5, only=BARE),
    Group(100),
    Group(100, forks=50, only=BARE),
    Group(100, warm=True),
    Group(100, holes=5, only=("ssh", "asyncssh", "sweep", "pipe")),
    Group(1000),
    Group(1000, holes=5, only=("ssh", "asyncssh", "sweep", "pipe")),
    Group(4000),
)


def chosen(groups: Iterable[Group], only: Sequence[str]) -> list[tuple[Group, list[Contender]]]:
    """Who runs in which group."""
    found = []
    for group in groups:
        those = [
            one
            for one in CONTENDERS
            if one.most >= group.hosts
            and (one.warm or not group.warm)
            and (not group.only or one.name in group.only)
            and (not only or one.name in only)
        ]
        if those:
            found.append((group, those))
    return found


# ---- figures ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Figures:
    """What one run cost. Bytes with the headers of IP and TCP; memory is None where no cgroup says it."""

    wall: float  # seconds
    control_cpu: float  # seconds
    host_cpu: float
    sent: int  # bytes to the hosts
    received: int
    memory: int | None  # bytes, peak of the control side


def medians(runs: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    """The median of each figure; None where a run lacks it."""
    found: dict[str, float | None] = {}
    for name in Figures.__dataclass_fields__:
        values = [run[name] for run in runs]
        found[name] = None if None in values or not values else float(statistics.median(values))
    return found


def ratios(of: Mapping[str, float | None], floor: Mapping[str, float | None]) -> dict[str, float | None]:
    """Each figure as a multiple of the floor's; None where one of them is missing or nothing."""
    return {
        name: value / below if value is not None and (below := floor.get(name)) else None for name, value in of.items()
    }


def cell(value: float | None, ratio: float | None, scale: float, digits: int) -> str:
    """A figure and its ratio."""
    if value is None:
        return "–"
    text = f"{value * scale:.{digits}f}"
    return text if ratio is None else f"{text} ({ratio:.2f} ×)"


def table(results: Sequence[Mapping[str, Any]]) -> str:
    """All groups in Markdown: medians, in brackets as a multiple of the floor's."""
    parts = []
    for result in results:
        group, entries = Group(**{**result["group"], "only": ()}), result["contenders"]
        floor = medians(entries[FLOOR]["runs"]) if entries.get(FLOOR, {}).get("runs") else {}
        lines = [
            f"### {group.title}",
            "",
            f"Rounds: {result['rounds']}; {described(result)}",
            "",
            "| | wall s | control CPU ms/host | host CPU ms/host | sent KB/host | received KB/host | peak MB |",
            "|---|--:|--:|--:|--:|--:|--:|",
        ]
        for name, entry in entries.items():
            if "error" in entry:
                lines.append(f"| {name} | no figure: {entry['error']} | | | | | |")
                continue
            found = medians(entry["runs"])
            ratio = ratios(found, floor) if floor and name != FLOOR else dict.fromkeys(found)
            cells = [
                cell(found["wall"], ratio["wall"], 1, 2),
                *(cell(found[one], ratio[one], 1000 / group.hosts, 1) for one in ("control_cpu", "host_cpu")),
                *(cell(found[one], ratio[one], 0.001 / group.hosts, 1) for one in ("sent", "received")),
                cell(found["memory"], ratio["memory"], 1e-6, 0),
            ]
            lines.append(f"| {name} | {' | '.join(cells)} |")
        lines += [
            f"| {name} | not run on more than {BY_NAME[name].most} hosts: {BY_NAME[name].why} | | | | | |"
            for name in result.get("left_out", [])
        ]
        parts.append("\n".join(lines))
    seen = {name for result in results for name in result["contenders"]}
    legend = ["| | what |", "|---|---|", *(f"| {name} | {one.what} |" for name, one in BY_NAME.items() if name in seen)]
    return "\n\n".join(["\n".join(legend), *parts, *slope(results), *cost_of_holes(results)]) + "\n"


def described(result: Mapping[str, Any]) -> str:
    """The machine and the versions, in a line."""
    return "; ".join(f"{key} {value}" if key != "machine" else str(value) for key, value in result["machine"].items())


def slope(results: Sequence[Mapping[str, Any]], first: int = 32) -> list[str]:
    """How wall time and the control node's CPU per host grow with the fleet, from ``first`` hosts on."""
    plain = {
        one["group"]["hosts"]: one["contenders"]
        for one in results
        if not one["group"]["warm"]
        and not one["group"]["holes"]
        and one["group"]["forks"] == Group(1).forks
        and one["group"]["hosts"] >= first
    }
    sizes = sorted(plain)
    if len(sizes) < 2:
        return []
    lines = [
        "### From " + " to ".join(str(one) for one in (sizes[0], sizes[-1])) + " hosts",
        "",
        "Milliseconds a host: wall / control CPU; in brackets as a multiple of those at the fewest hosts.",
        "",
        "| | " + " | ".join(f"{size} hosts" for size in sizes) + " |",
        "|---|" + "--:|" * len(sizes),
    ]
    for name in BY_NAME:
        cells: list[str] = []
        base: list[float] = []
        for size in sizes:
            runs = plain[size].get(name, {}).get("runs")
            if not runs:
                cells.append("–")
                continue
            found = medians(runs)
            each = [(found[key] or 0.0) * 1000 / size for key in ("wall", "control_cpu")]
            grown = [value / below for value, below in zip(each, base)] if all(base) else []
            base = base or each
            cells.append(
                " / ".join(f"{one:.1f}" for one in each)
                + (f" ({' / '.join(f'{one:.2f}' for one in grown)} ×)" if grown else "")
            )
        if set(cells) != {"–"}:
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return ["\n".join(lines)]


def cost_of_holes(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """What hosts that never answer cost a run: its wall time beside that of the same fleet without them."""
    groups = {tuple(sorted({**one["group"], "only": None}.items())): one["contenders"] for one in results}
    rows = []
    for result in results:
        group = result["group"]
        whole = groups.get(tuple(sorted({**group, "only": None, "holes": 0}.items())))
        if not group["holes"] or whole is None:
            continue
        for name, entry in result["contenders"].items():
            pair = [medians(one.get("runs", []))["wall"] for one in (whole.get(name, {}), entry)]
            if pair[0] is not None and pair[1] is not None:
                rows.append(
                    f"| {name}, {group['hosts']} hosts | {pair[0]:.2f} | {pair[1]:.2f} | {pair[1] - pair[0]:+.2f} |"
                )
    if not rows:
        return []
    return [
        "\n".join(
            [
                "### What black holes cost",
                "",
                f"Each may take {contenders.SECONDS} s to connect.",
                "",
                "| | wall s without | with | more |",
                "|---|--:|--:|--:|",
                *rows,
            ]
        )
    ]


def load(folder: Path = RESULTS) -> list[dict[str, Any]]:
    """All results, in the order of their groups."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*-*.json"))]


# ---- cgroups ---------------------------------------------------------------------------------------------------------


class Cgroups:
    """Both sides' processes, so that their CPU, memory and end are known. All sit below one folder."""

    def __init__(self) -> None:
        self.top = machine.cgroup_root() / PLACE.name
        self.hosts = self.top / "hosts"
        self.control = self.top / "control"
        self.run = self.control / "run"
        self.masters = self.control / "masters"
        controllers = (machine.cgroup_root() / "cgroup.controllers").read_text().split()
        legacy = Path("/sys/fs/cgroup/memory")
        #: Where memory is counted by the older hierarchy
        self.memory = legacy / PLACE.name if "memory" not in controllers and legacy.is_dir() else None
        self._unified = "memory" in controllers

    def make(self) -> None:
        """Anew."""
        self.remove()
        for folder in (self.hosts, self.run, self.masters):
            folder.mkdir(parents=True)
        if self._unified:
            for folder in (machine.cgroup_root(), self.top, self.control):
                (folder / "cgroup.subtree_control").write_text("+memory")

    def renew(self) -> None:
        """End what a run left behind, and begin with a peak of nothing."""
        fleet_hosts.kill(self.run)
        self.run.rmdir()
        self.run.mkdir()
        if self.memory is not None:
            for _ in range(100):
                try:
                    if self.memory.is_dir():
                        self.memory.rmdir()
                    break
                except OSError:  # a process is going away
                    time.sleep(0.05)
            self.memory.mkdir(exist_ok=True)

    def remove(self) -> None:
        """Of this run, or of one that crashed."""
        fleet_hosts.kill(self.top)
        fleet_hosts.remove_cgroup(self.top)
        if self.memory is not None:
            fleet_hosts.remove_cgroup(self.memory)

    def enter(self) -> list[Path]:
        """The folders that a run's first process joins."""
        return [self.run] + ([self.memory] if self.memory is not None else [])

    def peak(self) -> int | None:
        """Bytes, at most, since ``renew``; page cache that the run filled is in it."""
        for path in [self.run / "memory.peak"] if self.memory is None else [self.memory / "memory.max_usage_in_bytes"]:
            if path.exists():
                return int(path.read_text())
        return None

    def processes(self) -> int:
        """Of the hosts' side."""
        return len((self.hosts / "cgroup.procs").read_text().split())


def cpu(group: Path) -> float:
    """Seconds of CPU that a cgroup and all below it have used."""
    words = (group / "cpu.stat").read_text().split()
    return int(words[words.index("usage_usec") + 1]) / 1e6


# ---- runs ------------------------------------------------------------------------------------------------------------


class Failed(Exception):
    """A run that gives no figure; the text says why."""


class Bench:
    """The fleet, and runs against it. Only inside of the namespaces."""

    def __init__(self) -> None:
        self.cgroups = Cgroups()
        self.fleet = Fleet(self.cgroups.hosts)

    def start(self) -> None:
        """All that every group needs."""
        self.cgroups.make()
        self.fleet.start()
        contenders.write_program()
        self._settle()
        self.idle = self.cgroups.processes()

    def spawn(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        groups: Sequence[Path],
        stdin: Path = Path(os.devnull),
    ) -> subprocess.Popen[bytes]:
        """A process of the client's side, with nothing of this machine's environment."""
        clean = {
            "PATH": machine.PATH,
            "HOME": str(self.fleet.home),
            "USER": "root",
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "CGROUPS": " ".join(str(one) for one in groups),
            **environment,
        }
        with open(log, "wb") as output, open(stdin, "rb") as source:
            return subprocess.Popen(
                ["sh", "-euc", 'for one in $CGROUPS; do echo 0 >"$one/cgroup.procs"; done; exec "$@"', "sh", *command],
                cwd=CHECKOUT,
                env=clean,
                stdin=source,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def _settle(self, most: int | None = None, seconds: float = 15) -> None:
        """Until the hosts' side has no more processes than ``most``, or their number stands still."""
        end, last = time.monotonic() + seconds, -1
        while time.monotonic() < end:
            now = self.cgroups.processes()
            if now <= most if most is not None else now == last:
                return
            last = now
            time.sleep(0.05 if most is not None else 0.5)

    def once(self, contender: Contender, group: Group, fleet: Sequence[Host], inventory: Path, idle: int) -> Figures:
        """One run. Raises Failed."""
        out = PLACE / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        task = Task(inventory, out, self.fleet.home, group.forks, group.warm)
        self.cgroups.renew()
        self._settle(idle)
        if not group.warm:
            self._no_sockets()
        limit = 60 + contender.seconds * group.hosts + (30 if group.holes else 0)
        before = cpu(self.cgroups.control), cpu(self.cgroups.hosts), *loopback.wire()
        # Not below `out`, where the bare clients leave answers alone
        log = out / "stdout" if contender.done in (contenders.recap, contenders.gathered) else PLACE / "stdout"
        began = time.monotonic()
        process = self.spawn(
            contender.command(task),
            contender.environment(task),
            log,
            self.cgroups.enter(),
            PLACE / contender.redirect if contender.redirect else Path(os.devnull),
        )
        try:
            status = process.wait(limit)
            wall = time.monotonic() - began
            control = cpu(self.cgroups.control)
            peak = self.cgroups.peak()
        except subprocess.TimeoutExpired:
            raise Failed(f"not done within {limit:.0f} s") from None
        finally:
            fleet_hosts.kill(self.cgroups.run)
            process.wait()
            self._settle(idle)
        wire = loopback.wire()
        expected = [one for one in fleet if not one.hole]
        done = contender.done(task)
        lacking = [one for one in expected if not {one.name, one.address} & done]
        if lacking or (status and not group.holes):
            said = machine.last_line(log.read_text(encoding="utf-8", errors="replace"))
            if lacking and (out / lacking[0].address).is_file():
                said += "; " + str(contenders.lacking((out / lacking[0].address).read_text(errors="replace")))
            raise Failed(
                f"exit status {status}, {len(lacking)} of {len(expected)} hosts without an answer ({said[:300]})"
            )
        return Figures(
            wall,
            control - before[0],
            cpu(self.cgroups.hosts) - before[1],
            wire[0] - before[2],
            wire[1] - before[3],
            peak,
        )

    def open_connections(self, task: Task, count: int) -> int:
        """A master for every host; how many processes the hosts' side then has."""
        self._no_sockets()
        environment = {"OPTIONS": f"-o ControlMaster=yes -o ControlPersist=yes -o ControlPath={SOCKETS / '%C'}"}
        process = self.spawn(
            [
                "xargs",
                "-a",
                str(task.inventory / "addresses"),
                "-P",
                "8",
                "-n",
                "1",
                "sh",
                "-c",
                'exec ssh $OPTIONS -fN "$1" >/dev/null 2>&1',
                "sh",
            ],
            environment,
            PLACE / "stdout",
            [self.cgroups.masters],
        )
        status = process.wait(60 + count)
        opened = len(list(SOCKETS.iterdir()))
        if status or opened != count:
            raise machine.FleetError(f"{opened} of {count} connections were opened")
        self._settle()
        return self.cgroups.processes()

    def close_connections(self) -> None:
        """End the masters."""
        fleet_hosts.kill(self.cgroups.masters)
        self._no_sockets()

    def _no_sockets(self) -> None:
        """Those of masters that are gone: a new one finds its name taken, and is none."""
        shutil.rmtree(SOCKETS, ignore_errors=True)
        SOCKETS.mkdir()

    def measure(
        self, group: Group, those: Sequence[Contender], rounds: int, say: Callable[[str], None]
    ) -> dict[str, Any]:
        """Rounds in which everyone takes a turn, each round beginning with another one."""
        fleet = loopback.hosts(group.hosts, group.holes)
        inventory = self.fleet.furnish(fleet)
        entries: dict[str, dict[str, Any]] = {one.name: {"runs": []} for one in those}
        idle = self.idle
        if group.warm:
            idle = self.open_connections(Task(inventory, PLACE, self.fleet.home), group.hosts)
        for turn in range(rounds):
            begin = turn % len(those)
            for one in (*those[begin:], *those[:begin]):
                entry = entries[one.name]
                if "error" in entry:
                    continue
                try:
                    reason = one.lacks()
                    if reason:
                        raise Failed(reason)
                    entry["runs"].append(asdict(self.once(one, group, fleet, inventory, idle)))
                    last = entry["runs"][-1]
                    say(
                        f"{group.title}, round {turn + 1}: {one.name} {last['wall']:.2f} s, control CPU "
                        f"{last['control_cpu'] * 1000 / group.hosts:.1f} ms a host, hosts' "
                        f"{last['host_cpu'] * 1000 / group.hosts:.1f} ms"
                    )
                except Failed as error:
                    entry.update(error=str(error), runs=[])
                    say(f"{group.title}: {one.name} FAILED: {error}")
        if group.warm:
            self.close_connections()
        return {
            "group": asdict(group),
            "rounds": rounds,
            "machine": about(),
            "contenders": entries,
            "left_out": [one.name for one in CONTENDERS if one.most < group.hosts],
        }


def about() -> dict[str, str]:
    """The machine and what is compared."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    ssh = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=True).stderr.split(",")[0]
    return {
        "machine": f"{os.cpu_count()} cores {model}, both sides on it",
        "Linux": platform.release().split("-")[0],
        "ssh": ssh.partition("_")[2],
        "Python": platform.python_version(),
    }


def run_inside(sizes: Sequence[int], only: Sequence[str], rounds: int, kinds: Sequence[str]) -> int:
    """All groups that are asked for; results are written as each is done. The number of contenders that failed."""
    groups = [one for one in GROUPS if not sizes or one.hosts in sizes]
    groups += [Group(size) for size in sizes if size not in {one.hosts for one in GROUPS}]
    if kinds:
        groups = [one for one in groups if any(one.name.endswith(kind) for kind in kinds)]
    bench = Bench()
    bench.start()
    failed = 0
    for group, those in chosen(groups, only):
        result = bench.measure(group, those, rounds, lambda text: print(text, file=sys.stderr, flush=True))
        (RESULTS / f"{group.name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        failed += sum("error" in entry for entry in result["contenders"].values())
    return failed


def execute(size: int, command: Sequence[str]) -> int:
    """Run a command on the client's side of so many hosts; its exit status. For looking at things by hand."""
    bench = Bench()
    bench.start()
    inventory = bench.fleet.furnish(loopback.hosts(size))
    (PLACE / "out").mkdir()
    task = Task(inventory, PLACE / "out", bench.fleet.home)
    environment = {
        "HOME": str(bench.fleet.home),
        "INVENTORY": str(inventory),
        "PATH": machine.PATH,
        **contenders.piping(task),
    }
    return subprocess.run(command, cwd=CHECKOUT, env=environment, check=False).returncode

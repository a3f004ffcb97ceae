"""Where the control node's CPU goes: samples by CPU time where Python forks, py-spy for threads, a cgroup for ssh."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tests.bench import loopback, measure
from tests.bench.contenders import BY_NAME, CLIENTS, VENV, Task
from tests.bench.loopback import PLACE

import machine  # isort: skip  # of tests/fleet, which loopback puts on the path

RATE = 250  # samples a second
TOP = 30
THREADED = ("sweep", "paramiko")  # one process that lives long: py-spy sees its threads
SSH = '#!/bin/sh\necho 0 >"$SSH_CGROUP/cgroup.procs"\nexec /usr/bin/ssh "$@"\n'
WORKER = "executor/process/worker.py WorkerProcess._run"  # start() belongs to the parent


def short(frame: str) -> str:
    """A function and its file, from the package's name on, without the line."""
    found = re.fullmatch(r"(.+) \((.+?)(?::\d+)?\)", frame)
    if not found:
        return frame
    return f"{re.sub(r'^.*/(site-packages|lib/python[0-9.]+|cbops/telemetry)/', '', found[2])} {found[1]}"


def read(lines: Iterable[str]) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """Of collapsed stacks: samples by kind of process, by function with all it calls, by function alone.

    Functions are written ``main: file function`` or ``workers: file function``.
    """
    kinds: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    alone: Counter[str] = Counter()
    for line in lines:
        stack, _, text = line.rpartition(" ")
        if not text.strip().isdigit():
            continue
        count = int(text)
        frames = [short(frame) for frame in stack.split(";") if not frame.startswith(("process ", "thread ("))]
        if not frames:
            continue
        start = next((number for number, frame in enumerate(frames) if frame.endswith(WORKER)), None)
        child = start is not None or stack.count("process ") > 1  # a worker's other threads begin elsewhere
        kind, frames = "workers" if child else "main", frames[start + 1 :] if start is not None else frames
        if not frames:
            continue
        kinds[kind] += count
        for frame in set(frames):
            whole[f"{kind}: {frame}"] += count
        alone[f"{kind}: {frames[-1]}"] += count
    return kinds, whole, alone


def rows(counts: Counter[str], hosts: int, kinds: Counter[str]) -> list[str]:
    """The heaviest, in milliseconds a host and percent of all samples; not those that stand in every stack."""
    total = sum(kinds.values())
    return [
        f"| {name} | {count * 1000 / RATE / hosts:.1f} | {count * 100 / total:.0f} |"
        for name, count in counts.most_common()
        if count < 0.97 * kinds[name.partition(":")[0]]
    ][:TOP]


def run_inside(size: int, only: list[str]) -> int:
    """Profile some contenders on so many hosts; the stacks stay in .build/bench for a flame graph."""
    bench = measure.Bench()
    bench.start()
    inventory = bench.fleet.furnish(loopback.hosts(size))
    programs = PLACE / "bin"
    programs.mkdir()
    (programs / "ssh").write_text(SSH, encoding="utf-8")
    (programs / "ssh").chmod(0o755)
    apart = bench.cgroups.control / "ssh"
    apart.mkdir(exist_ok=True)
    failed = 0
    for name in only:
        contender = BY_NAME[name]
        reason = contender.lacks()
        if reason:
            print(f"{name}: {reason}", file=sys.stderr)
            failed += 1
            continue
        out = PLACE / f"out-{name}"
        out.mkdir()
        task = Task(inventory, out, bench.fleet.home)
        stacks = measure.RESULTS / f"profile-{name}.txt"
        bench.cgroups.renew()
        before = [measure.cpu(one) for one in (bench.cgroups.control, apart)]
        command = contender.command(task)
        environment = {
            **contender.environment(task),
            "PATH": f"{programs}:{machine.PATH}",
            "SSH_CGROUP": str(apart),
            "JOIN": " ".join(str(one) for one in bench.cgroups.enter()),
            "RATE": str(RATE),
            "SAMPLES": "" if name in THREADED else str(stacks),
        }
        # Without --gil whoever waits counts as well; without --nonblocking what is measured is slowed down.
        spy = (
            [
                str(VENV / "bin/py-spy"),
                "record",
                "--subprocesses",
                "--nonblocking",
                "--gil",
                "--format",
                "raw",
                "--rate",
                str(RATE),
                "--output",
                str(stacks),
                "--",
            ]
            if name in THREADED
            else []
        )
        stacks.unlink(missing_ok=True)
        python = [] if Path(command[0]).name.startswith("python") else [sys.executable]
        command = [*python, *command]
        process = bench.spawn(
            [*spy, command[0], str(CLIENTS / "joined.py"), *command[1:]], environment, PLACE / "stdout", []
        )
        process.wait(120 + size)
        after = [measure.cpu(one) for one in (bench.cgroups.control, apart)]
        if len(contender.done(task)) != size:
            raise machine.FleetError(
                f"{name}: not every host answered: {machine.last_line((PLACE / 'stdout').read_text(errors='replace'))}"
            )
        bench.close_connections()
        total, ssh = ((now - then) * 1000 / size for now, then in zip(after, before))
        kinds, whole, alone = read(stacks.read_text(encoding="utf-8").splitlines())
        print(
            f"\n### `{name}` on {size} hosts\n\nControl CPU {total:.1f} ms a host: ssh {ssh:.1f}, Python "
            f"{total - ssh:.1f} (by samples: "
            + ", ".join(f"{kind} {count * 1000 / RATE / size:.1f}" for kind, count in kinds.most_common())
            + ")"
        )
        for title, counts in (("with all that it calls", whole), ("alone", alone)):
            print(f"\n| function, {title} | ms/host | % |\n|---|--:|--:|\n" + "\n".join(rows(counts, size, kinds)))
    return 1 if failed else 0

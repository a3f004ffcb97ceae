"""A round: enforce is disturbed on all hosts, what it left is looked at, the next run is not, and all is well again."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from .cases import JUMPS, Case, Round
from .stage import BY_HAND, LEFT_SECONDS, STORE, Host, Run, Site

#: Seconds for a run, and for the others once the first host of a run is held.
RUN_SECONDS, BARRIER_SECONDS = 240, 80


@dataclass
class Outcome:
    """What came of a case."""

    round: int
    desired: str
    then: str
    host: str
    part: str
    step: str
    number: int
    fault: str
    was_reached: bool = False
    left: str = ""  # the launch file after the disturbed run: old or new
    was_up: bool = True  # the service then
    problems: list[str] = field(default_factory=list)


def warm_up(site: Site) -> None:
    """Learn what the files are with either value, and leave telemetry enabled."""
    for turn, desired in enumerate(("disabled", "enabled", "disabled", "enabled")):
        if turn == 2 and all(set(host.known) == {"disabled", "enabled"} for host in site.hosts.values()):
            break
        run = Run(site, desired, f"warm-{turn}", False)
        run.process.wait(RUN_SECONDS)
        run.close()
        wrong = {host: verdict for host, verdict in run.verdicts().items() if verdict[0] != "compliant"}
        assert run.process.returncode == 0 and not wrong, f"{wrong}\n{run.log.read_text()[-3000:]}"
        for host in site.hosts.values():
            host.known[desired] = host.file()


def disturb(site: Site, run: Run, round_: Round, outcomes: dict[str, Outcome]) -> Run | None:
    """Let a run come to its steps, and let the faults happen there; the second run, where there was one."""
    waiting = {case.host: case for case in round_.cases}
    until, off = time.monotonic() + RUN_SECONDS, []
    second, first_held = None, None
    while run.process.poll() is None:
        assert time.monotonic() < until, f"round {round_.number}: the run does not end"
        held = [name for name in waiting if site.hosts[name].is_held()]
        if held and not round_.fault:
            for name in held:
                outcomes[name].was_reached = True
                case = waiting.pop(name)
                if case.fault == "power":
                    off.append(name)
                strike(site.hosts[name], case)
        elif held:
            first_held = first_held or time.monotonic()
            if len(held) == len(waiting) or time.monotonic() > first_held + BARRIER_SECONDS:
                for name in held:
                    outcomes[name].was_reached = True
                second = strike_all(site, run, round_)
                waiting = {}
        time.sleep(0.02)
    for host in site.hosts.values():
        host.go()
    if second is not None:
        second.process.wait(RUN_SECONDS)
    if off:
        site.power_on(off)
    return second


def strike(host: Host, case: Case) -> None:
    """The fault of one host."""
    if case.fault == "ssh":
        host.kill("sshd: ansible", "sshd-session: ansible")
    elif case.fault == "python":
        host.kill("/hook.py", "/usr/local/bin/")
    elif case.fault in ("worker", "supervisor"):
        process = host.held_process(case.fault == "supervisor")
        if process:
            subprocess.run(["kill", "-KILL", str(process)], check=False, stderr=subprocess.DEVNULL)
    elif case.fault == "power":
        host.site.fleet.power(host.name, False)
    elif case.fault == "admin":
        host.edit_by_hand(bool(case.detail % 2))
    elif case.fault == "clock":
        (host.folder / "clock").write_text(str(JUMPS[case.detail]))
    else:
        host.fill()
    host.go()


def strike_all(site: Site, run: Run, round_: Round) -> Run | None:
    """The fault of a whole run, whose hosts are all held."""
    second = None
    if round_.fault in ("control node", "ansible-playbook"):
        run.kill(round_.fault == "control node")
    elif round_.fault == "second run":
        before = {name: starts(host) for name, host in site.hosts.items()}
        second = Run(site, round_.desired, f"{round_.number}-second", True)
        until = time.monotonic() + 60
        while (
            time.monotonic() < until
            and second.process.poll() is None
            and any(starts(host) == before[name] for name, host in site.hosts.items())
        ):
            time.sleep(0.05)
    else:
        subprocess.run(["sh", "-c", f"cat /dev/zero >{run.reports}/fill"], stderr=subprocess.DEVNULL, check=False)
    for host in site.hosts.values():
        host.go()
    return second


def starts(host: Host) -> int:
    """How many programs have been started there."""
    return (host.folder / "starts").stat().st_size


def play(site: Site, round_: Round) -> Iterator[Outcome]:
    """Play a round; what came of each case. The fleet is as it should be afterwards."""
    old = "enabled" if round_.desired == "disabled" else "disabled"
    outcomes = {case.host: Outcome(round_.number, round_.desired, round_.then, *case[:5]) for case in round_.cases}
    for case in round_.cases:
        host = site.hosts[case.host]
        host.forget_starts()
        host.arm(case.step, case.number)
        host.break_after_the_edit(round_.desired if case.part == "roll-back" else None)
        if case.fault == "disk: backups":
            host.mount_small(f"/{STORE}")
        elif case.fault == "disk: launch file":
            host.mount_small(host.launch.rpartition("/")[0])
    run = Run(site, round_.desired, f"{round_.number}-disturbed", True)
    if round_.fault == "disk: reports":
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "cbops-small", run.reports], check=True)
    try:
        second = disturb(site, run, round_, outcomes)
        ended = [one.close() is not None for one in (run, second) if one is not None]
    finally:
        if round_.fault == "disk: reports":
            subprocess.run(["umount", "--lazy", run.reports], check=True)
        if run.process.poll() is None:
            run.kill(True)
    until = time.monotonic() + LEFT_SECONDS
    while any(host.ours() for host in site.hosts.values()) and time.monotonic() < until:
        time.sleep(0.1)
    for case in round_.cases:
        host, outcome = site.hosts[case.host], outcomes[case.host]
        host.disarm()
        host.forget_starts()
        host.break_after_the_edit(None)
        host.unmount()
        if not all(ended):
            outcome.problems.append("a process is left on the control node")
        outcome.problems += [f"a process is left on the host: {line[:80]}" for line in host.ours().values()]
        now = host.file()
        outcome.left = "new" if now == host.known[round_.desired] else "old" if now == host.known[old] else "neither"
        if outcome.left == "neither":
            outcome.problems.append(f"the launch file is neither old nor new: {now}, not {host.known}"[:4000])
        outcome.was_up = bool(host.values())
        outcome.problems += host.backups()
    yield from healed(site, round_, outcomes)


def healed(site: Site, round_: Round, outcomes: dict[str, Outcome]) -> Iterator[Outcome]:
    """The next run, which nothing disturbs."""
    run = Run(site, round_.then, f"{round_.number}-next", False)
    run.process.wait(RUN_SECONDS)
    run.close()
    quiet, verdicts = site.quiet(), run.verdicts()
    for name, outcome in outcomes.items():
        host, problems = site.hosts[name], outcome.problems
        verdict, reasons = verdicts.get(name, ("no verdict", run.log.read_text()[-300:]))
        if verdict != "compliant":
            problems.append(f"after the next run: {verdict}: {reasons}"[:600])
        if host.file() != host.known[round_.then]:
            problems.append("after the next run the launch file is not as that was to make it")
        by_hand = host.path(host.launch).read_bytes().count(BY_HAND) if host.file() else 0
        if by_hand != (outcome.fault == "admin" and outcome.was_reached):
            problems.append(f"what an admin added is there {by_hand} times")
        if host.values() != [round_.then]:
            problems.append(f"after the next run its JVMs run with {host.values()}")
        state = host.shell(f"systemctl is-active {host.service}", check=False).strip()
        if state != "active":
            problems.append(f"after the next run the service is {state}, and it was active before")
        if quiet[name] is not False:
            problems.append(f"after the next run quietingDown is {quiet[name]}")
        problems += [f"left: {path}" for path in host.left()]
        problems += host.backups()
        if by_hand:
            host.path(host.launch).write_bytes(host.path(host.launch).read_bytes().replace(BY_HAND, b""))
        if problems:
            host.repair(round_.then)
        yield outcome


def as_line(outcome: Outcome) -> dict[str, Any]:
    """For the file of results."""
    return asdict(outcome)

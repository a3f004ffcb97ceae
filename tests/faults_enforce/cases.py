"""Which steps and which faults there are, and how a round of them is drawn."""

from __future__ import annotations

import random
from typing import NamedTuple

#: Steps by the part of enforce in which they are: a name and the how many-th time that it is reached in a run.
EDIT = (("ask", 1), ("lock", 1), ("backup", 1), ("backup", 2), ("write", 1), ("rename", 1), ("replaced", 1))
RELOAD = (("reload", 1), ("reload.done", 1))
QUIET = (("ask", 2), ("quiet", 1), ("quiet.done", 1), ("builds", 1), ("builds", 2))
RESTART = (("show", 1), ("restart", 1), ("restart.done", 1))
SETTLE = (("show", 2), ("ask", 3), ("ready", 1), ("show", 3), ("show.done", 3), ("ask", 4), ("ready", 2))
ROLL_BACK = (
    ("journal", 1),
    ("back.lock", 1),
    ("back.backup", 1),
    ("back.write", 1),
    ("back.rename", 1),
    ("back.replaced", 1),
    ("reset", 1),
    ("restart", 2),
    ("restart.done", 2),
    ("cancel", 1),
    ("cancel.done", 1),
)
PARTS = {
    "edit": EDIT,
    "reload": RELOAD,
    "quiet-down": QUIET,
    "restart": RESTART,
    "settle": SETTLE,
    "roll-back": ROLL_BACK,
}
IN_PYTHON = (
    "ask",
    "lock",
    "backup",
    "write",
    "rename",
    "replaced",
    "back.lock",
    "back.backup",
    "back.write",
    "back.rename",
    "back.replaced",
)
ON_THE_WIRE = ("quiet", "quiet.done", "builds", "ready", "cancel", "cancel.done")

#: Faults of one host, each on its own.
HOST_FAULTS = {
    "ssh": "the ssh session on the host is killed",
    "python": "the host's python, or the command that runs, is killed with all that belongs to it",
    "worker": "of the host's two python processes the one that works is killed",
    "supervisor": "of the host's two python processes the one that watches is killed",
    "power": "the host is killed as a whole, and started again when the run is over",
    "admin": "somebody edits the launch file",
    "clock": "the host's clock, as Python sees it, jumps by a year or by an hour, forward or back",
    "disk: backups": "the file system of the backups is full",
    "disk: launch file": "the file system of the launch file is full",
}
#: Faults of a whole run: all of its hosts are at a step of their own when they come.
RUN_FAULTS = {
    "control node": "all processes of ansible-playbook are killed",
    "ansible-playbook": "its first process alone is killed, as the kernel does where memory is short",
    "second run": "a second enforce begins, and both go on",
    "disk: reports": "the file system of the reports is full",
}
FAULTS = {**HOST_FAULTS, **RUN_FAULTS}
JUMPS = (365 * 86400, -365 * 86400, 3600, -3600)


class Case(NamedTuple):
    """One host of a round."""

    host: str
    part: str
    step: str
    number: int
    fault: str
    detail: int


class Round(NamedTuple):
    """One run of enforce that is disturbed."""

    number: int
    desired: str
    then: str  # what the next run is to bring about: the same, or what was before
    fault: str  # of the whole run, or ""
    cases: tuple[Case, ...]


def fits(kind: str, step: str, fault: str, part: str) -> bool:
    """Whether a fault can be had at a step."""
    if fault in ("python", "clock"):
        return step not in ON_THE_WIRE
    if fault in ("worker", "supervisor"):
        return step in IN_PYTHON and step != "ask"
    if fault == "admin":  # between the last look and the rename nobody can help: see docs/differential.md
        return kind != "oss" and step not in ("rename", "back.rename")
    if fault == "disk: backups":
        return part == "edit" or step.startswith("back.") or step == "journal"
    if fault == "disk: launch file":
        return kind != "oss" and (part == "edit" or step.startswith("back.") or step == "journal")
    return True


def is_there(kind: str, step: str, number: int, desired: str) -> bool:
    """Whether a run comes to a step: a drop-in that is made has no copy, and one that is removed is not written."""
    if kind != "oss":
        return True
    making = (desired == "disabled") != step.startswith("back.")
    return (step, number) != ("backup", 2) if making else step not in ("write", "back.write")


def parts_of(kind: str) -> list[str]:
    """What is done to a kind of host; what starts a JVM without watching it takes too long to be rolled back."""
    return [
        part
        for part in PARTS
        if (part != "reload" or kind == "oss") and (part != "roll-back" or kind in ("oss", "script"))
    ]


def drawn(seed: int, number: int, kinds: dict[str, str], now: str) -> Round:
    """The round of this number, by hosts' kinds and what telemetry is now. One in five is undone by the next run."""
    random_, desired = random.Random(f"{seed} {number}"), "enabled" if now == "disabled" else "disabled"
    then = random_.choice([desired] * 4 + [now])
    fault = random_.choice([*[""] * 6, *["control node"] * 3, *["ansible-playbook"] * 2, "second run", "disk: reports"])
    task = random_.choice(["edit", "restart", "restart"])  # all hosts of a run are in one task at a time
    cases = []
    for host, kind in sorted(kinds.items()):
        parts = parts_of(kind)
        if fault:
            parts = [part for part in parts if (part == "edit") == (task == "edit") and part != "reload"]
        part = random_.choice([*parts, *[one for one in parts if one in ("edit", "roll-back")]])  # most happens there
        step, count = random_.choice([one for one in PARTS[part] if is_there(kind, *one, desired)])
        own = fault or random_.choice([one for one in HOST_FAULTS if fits(kind, step, one, part)])
        cases.append(Case(host, part, step, count, own, random_.randrange(4)))
    return Round(number, desired, then, fault, tuple(cases))

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which JVMs run a war of ours, the trusted ones first; what each runs with, :mod:`_facts` finds out.

Whoever may log in can start any number of processes that look like anything. So what a host's services run is looked at
before what its users run, and what users run is bounded in number: it can neither hide the others nor hold them up.
Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import errno
import itertools
import os
import time
from typing import Callable, Collection, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from ..java._jvm import Switch
from ._proc import OURS, SERVICE, Place, Process, Seen, place_of, read_file, started, stat_of

#: Whether JVMs are asked themselves.
ATTACH = ("auto", "never")
#: Seconds for asking all JVMs of a host.
_HOST_SECONDS = 30.0
#: Seconds for finding the JVMs, and then their wars: for one process, until the trusted ones are put first, for all.
_ONE_SECONDS = 3.0
_PATIENCE = 2.0
_SCAN_SECONDS = 10.0
#: Processes of a host, JVMs whose files are looked at, JVMs that are examined, of them those of ordinary users.
_LIMIT_PROCESSES = 1 << 15
_LIMIT_JVMS = 512
_LIMIT_EXAMINED = 64
_LIMIT_USERS = 8
#: Rows that are made of processes that were not looked at.
LIMIT_ROWS = 8


class Unseen(NamedTuple):
    """Processes of which it is not known whether they are controllers."""

    places: List[Place]
    reason: str
    rows: Sequence[Tuple[int, Place]] = ()  # the first of those that are no part of what is known here


class Running(NamedTuple):
    """The JVMs that run a war, the most trusted first, and what was not looked at."""

    jvms: List[Process]
    unseen: List[Unseen]


def running(
    proc: str = "/proc",
    attach: str = "auto",
    cgroups: Collection[str] = (),
    users: Collection[str] = (),
    asks: Callable[[Process], bool] = lambda _jvm: True,
    switches: Sequence[Switch] = (),
    threads: bool = False,
) -> Running:
    """All JVMs that run a Jenkins or CloudBees war.

    Agents, build JVMs and everything else that runs no such war is left out. What cannot be read is ``unknown`` with
    the reason. With ``attach`` "never", or in another ``proc``, no JVM is asked; else those that ``asks`` names.
    Raises OSError where processes cannot be listed, or not those of other users.
    """
    from ..host._children import each
    from . import _scan as scan  # only on a host whose processes are looked at

    pids = sorted(int(name) for name in os.listdir(proc) if name.isdigit())
    if os.geteuid() != 0 and (proc == "/proc" and 1 not in pids or any(_hidden(proc, pid) for pid in pids)):
        raise PermissionError(errno.EACCES, "those of other users are hidden (hidepid); run with become")
    places: Dict[int, Place] = {}

    def place(pid: int) -> Place:
        if pid not in places:
            places[pid] = place_of(pid, proc, cgroups, users)
        return places[pid]

    def by_trust(pid: int) -> Tuple[int, int]:
        return place(pid).rank, pid

    unlooked: List[Tuple[List[int], str]] = []
    controllers: Set[int] = set()

    def leave(left: Sequence[int], reason: str) -> None:
        there = sorted((pid for pid in left if _is_there(pid, proc)), key=by_trust)
        if there:
            unlooked.append((there, reason))

    def unseen() -> List[Unseen]:
        """A row is made of what is in no unit that is known here, and is no build of a controller's."""
        result = []
        for left, reason in unlooked:
            apart = (
                pid
                for pid in left
                if place(pid).rank > OURS and _above(proc, _parent(proc, pid), controllers, len(pids)) is None
            )
            rows = [(pid, place(pid)) for pid in itertools.islice(apart, LIMIT_ROWS)]
            result.append(Unseen([place(pid) for pid in left], reason, rows))
        return result

    if len(pids) > _LIMIT_PROCESSES:
        pids.sort(key=by_trust)
        leave(pids[_LIMIT_PROCESSES:], "more than %d processes run here" % _LIMIT_PROCESSES)
    sighted = each(
        lambda pid: scan.sighted(proc, pid), pids[:_LIMIT_PROCESSES], _ONE_SECONDS, _SCAN_SECONDS, by_trust, _PATIENCE
    )
    leave(sighted.late, "what they have mapped could not be read, or not in time")
    jvms = {pid: scan.Sighted(*one) for pid, one in sighted.found}
    order = sorted(jvms, key=by_trust)
    leave(order[_LIMIT_JVMS:], "more than %d JVMs run here" % _LIMIT_JVMS)
    found = each(
        lambda pid: scan.war_of(proc, pid, jvms[pid].launcher),
        order[:_LIMIT_JVMS],
        _ONE_SECONDS,
        _SCAN_SECONDS,
        by_trust,
        _PATIENCE,
    )
    leave(found.late, "what they have open could not be read, or not in time")
    if not found.found:
        return Running([], unseen())
    from ._facts import examine  # only on a host where a controller runs

    of_users = [pid for pid, _war in found.found if place(pid).rank >= SERVICE]
    left = of_users[_LIMIT_USERS:]
    chosen = [(pid, war) for pid, war in found.found if pid not in set(left)]
    leave(left + [pid for pid, _war in chosen[_LIMIT_EXAMINED:]], "more JVMs on a war run here than are examined")
    controllers.update(pid for pid, _war in found.found)
    deadline = time.monotonic() + _HOST_SECONDS
    result = []
    for pid, war in chosen[:_LIMIT_EXAMINED]:
        jvm = jvms[pid]
        seen = Seen(pid, jvm.ticks, jvm.parent, jvm.launcher, jvm.sure, war, place(pid))
        above = _above(proc, jvm.parent, controllers, len(pids))
        result.append(examine(seen, proc, attach, deadline, above, asks, switches, threads))
    return Running(result, unseen())


def look(pid: int, proc: str = "/proc") -> Optional[Seen]:
    """A process, where it is a JVM that runs a Jenkins or CloudBees war, else None."""
    from . import _scan as scan

    jvm = scan.sighted(proc, pid)
    war = scan.war_of(proc, pid, jvm.launcher) if jvm is not None else None
    if jvm is None or war is None:
        return None
    return Seen(pid, jvm.ticks, jvm.parent, jvm.launcher, jvm.sure, war, place_of(pid, proc, (), ()))


def _hidden(proc: str, pid: int) -> bool:
    try:
        read_file("%s/%d/stat" % (proc, pid))
    except PermissionError:
        return True
    except OSError:
        pass  # it ended
    return False


def _above(proc: str, pid: int, controllers: Set[int], limit: int) -> Optional[int]:
    """The nearest of the ``controllers`` among a process and its ancestors, of which ``limit`` are asked."""
    for _generation in range(limit):
        if pid in controllers or not pid:
            return pid or None
        pid = _parent(proc, pid)
    return None


def _parent(proc: str, pid: int) -> int:
    try:
        return int(stat_of(read_file("%s/%d/stat" % (proc, pid)))[1][1])
    except (OSError, IndexError, ValueError):
        return 0  # it ended


def _is_there(pid: int, proc: str) -> bool:
    try:
        return started(pid, proc) >= 0
    except (OSError, IndexError, ValueError):
        return False

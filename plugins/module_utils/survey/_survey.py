# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the state document together: what the files say, what the next start would do, what runs now.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import os
import re
import time
from typing import Any, Collection, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ..host import _limits as limits
from ..host._file_systems import look
from ..host._files import HostFiles, native
from ..java._jvm import Switch
from ..launch import _definition, _discovery, _live, _outcome
from ..launch import _ownership as ownership
from ..launch._starters import OTHERS, SYSTEMD, starter_of
from ..launch._systemd import UnitFiles
from ..launch._unit import Loaded
from ..launch.starters._starter import Manager
from ..running import _proc
from ..running import _processes as processes
from ..text._value import Unresolvable

#: Rows of JVMs that belong to no installation, and notes on builds: whoever may log in can start any number of them.
_LIMIT_STRAYS = 8
_LIMIT_NOTES = 8
_STAT_SECONDS = 1.0
#: The unit of a cgroup, and those in which runs what users tell them to run.
_UNIT = re.compile(r"\A/(?!user\.slice/)(?:.*?/)?([^/]+)\.service(?:/|\Z)")
_FOR_USERS = frozenset(["dropbear", "ssh", "sshd"]).union(*(one.units for one in OTHERS if one.for_users))
#: Units of which each process is another program's: they are not what starts it, and say who does.
_OF_STARTERS = frozenset(unit for starter in OTHERS if not starter.for_users for unit in starter.units)
#: States of a unit in which its processes are there.
_AWAKE = frozenset(["active", "activating", "deactivating", "reloading", "refreshing"])


class Entry(NamedTuple):
    """One installation with everything that was found out about it."""

    definition: _definition.Definition
    on_disk: _outcome.Outcome
    live: Optional[_live.Live]
    next_start: _outcome.Outcome
    loaded: Optional[Loaded]
    processes: Tuple[_proc.Process, ...]
    running: str
    running_reason: Optional[str]
    stray: bool = False  # what whoever may log in can have made, such as a JVM of no installation: seen, never touched


class Survey(NamedTuple):
    """All installations of a host, and what was noticed on the way."""

    entries: List[Entry]
    warnings: List[str]
    host: Dict[str, Any]
    files: HostFiles  # the reading that all of it is of
    looked_at: List[str] = []

    def named(self, names: Sequence[str]) -> List[str]:
        """Names of installations, with the unit's own in the place of another one of it (``Alias=``)."""
        known = {entry.definition.name for entry in self.entries}
        others = UnitFiles(self.files).aliases if set(names) - known else {}
        own = {name: others[name + ".service"][: -len(".service")] for name in names if name + ".service" in others}
        return list(dict.fromkeys(name if name in known else own.get(name, name) for name in names))


def survey(
    files: HostFiles,
    launch_scripts: Sequence[str] = (),
    attach: str = "auto",
    switches: Sequence[Switch] = (),
    threads: bool = False,
) -> Survey:
    """All that one reading of the files tells, and what runs. Nothing is changed, nothing that is read is run.

    With ``attach`` "auto" JVMs are asked themselves, which starts a listener thread in each: for the flag, for other
    ``switches``, and with ``threads`` for those that are in a client of Segment's.
    """
    root = files.root
    live_host = root == "/"
    files.variables = frozenset(filter(None, (one.name if one.environment else one.variable for one in switches)))
    warnings: List[str] = []
    manager = Manager()
    if live_host:
        manager = SYSTEMD.manager(files)
    else:
        warnings.append("%s is inspected as an image: its processes and its service manager are not looked at" % root)
    limits.phase("looking for installations")
    looked: List[str] = []
    found, more = _discovery.discover(files, launch_scripts, manager.environment, manager.instances, looked)
    warnings.extend(more)
    warnings.extend(ownership.warnings(files, found))
    limits.phase("reading what the service manager has loaded")
    started = [
        starter_of(definition).loaded(definition, on_disk, files, manager) if live_host else (None, on_disk)
        for definition, on_disk in found
    ]
    owners = [
        Owner(definition, on_disk, loaded, _canonical(files, on_disk))
        for (definition, on_disk), (loaded, _next) in zip(found, started)
    ]
    limits.phase("looking at processes")
    jvms, unseen, hidden = _running(live_host, attach, owners, warnings, switches, threads)
    joined = _joined(_unowned(owners, jvms), owners, files, manager) if live_host else []
    owners.extend(owner for owner, _started in joined)
    started.extend(one for _owner, one in joined)
    owned = _owned(owners, jvms)
    entries = []
    for owner, (loaded, next_start), mine in zip(owners, started, owned):
        definition, on_disk = owner.definition, owner.on_disk
        live = _live.live_of(definition, files, on_disk)
        if files.unread and not mine:
            # A profile that cannot be read may set options: only a JVM that was started with it shows that it does not.
            on_disk = next_start = _unresolvable("%s may set options, and %s" % next(iter(files.unread.items())))
        unread = _unread_by_its_starter(definition, mine) if live_host and hidden is None else None
        if unread is not None:
            next_start = _unresolvable(unread, on_disk.path)
        running, reason = _summary(mine, hidden or _unseen(owner, unseen, live_host) if not mine else hidden)
        anybodys = definition.start is not None and definition.start.by_anybody
        entries.append(Entry(definition, on_disk, live, next_start, loaded, mine, running, reason, anybodys))
    warnings.extend("the profile %s was not read: %s" % one for one in files.unread.items())
    claimed = {jvm.pid for mine in owned for jvm in mine}
    strays = [
        jvm for jvm in jvms if jvm.pid not in claimed and jvm.sure and not _is_agent_of(jvm, owners, claimed, jvms)
    ]
    builds = [jvm for jvm in strays if _is_build_of(jvm, owners)]
    warnings.extend(_at_most(_LIMIT_NOTES, [_no_installation(jvm, "its environment says so") for jvm in builds]))
    entries = _without_dead(entries)
    rows = _strays([jvm for jvm in strays if jvm not in builds], [entry.definition.name for entry in entries], warnings)
    entries.extend(rows + _unlooked(unseen, rows))
    if live_host and hidden is None:
        looked.append("running processes, as %s" % ("root" if os.geteuid() == 0 else "an ordinary user"))
    return Survey(entries, warnings, _host(root), files, looked)


def _unread_by_its_starter(definition: _definition.Definition, mine: Sequence[_proc.Process]) -> Optional[str]:
    """Why a program that is stopped may not start as its file says; None where it would, or where a JVM of it tells."""
    return None if mine else starter_of(definition).unread(definition, _proc.began)


def _host(root: str) -> Dict[str, Any]:
    return {
        "root": root,
        "effective_user": os.geteuid(),
        "node": os.uname().nodename if root == "/" else None,
        "machine": _machine() if root == "/" else None,
        "time": int(time.time()),
    }


def _machine() -> Optional[str]:
    """What this machine has in common with no other that runs now: machine-id, boot and process namespace.

    A clone may have the same machine-id, but not the same boot; containers share the boot, but not the namespace.
    """
    try:
        with open("/etc/machine-id", encoding="ascii") as stream:
            machine = stream.read(33).strip()
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
            boot = stream.read(37).strip()
        told = "%s %s %s" % (machine, boot, os.readlink("/proc/self/ns/pid"))
    except (OSError, ValueError):
        return None
    # It may be "uninitialized", or whatever somebody wrote there.
    return told if re.match(r"[0-9a-f]{32} [0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12} pid:\[\d+\]\Z", told) else None


def _running(
    live_host: bool,
    attach: str,
    owners: Sequence["Owner"],
    warnings: List[str],
    switches: Sequence[Switch] = (),
    threads: bool = False,
) -> Tuple[List[_proc.Process], List[processes.Unseen], Optional[str]]:
    """The JVMs, the processes that may be more of them, and why nothing is known of any."""
    if not live_host:
        return [], [], "processes of an image are not looked at"

    def asks(jvm: _proc.Process) -> bool:
        # What belongs to nobody is unknown whatever it says, so nobody waits for it.
        return _contained(jvm) or _system_unit_of(jvm) is not None or any(_owned(owners, [jvm]))

    try:
        found = processes.running(
            attach=attach,
            cgroups=[owner.cgroup for owner in owners if owner.cgroup],
            users=list(filter(None, map(_starter, owners))),
            asks=asks,
            switches=switches,
            threads=threads,
        )
    except OSError as error:
        return [], [], "running processes cannot be listed: %s" % error.strerror
    builds = [
        _no_installation(jvm, "it runs below the JVM %d" % jvm.controller)
        for jvm in found.jvms
        if jvm.controller is not None
    ]
    warnings.extend(_at_most(_LIMIT_NOTES, builds))
    warnings.extend(
        "%d processes were not looked at, and may run a controller: %s" % (len(one.places), one.reason)
        for one in found.unseen
    )
    maybe = sum(not jvm.sure for jvm in found.jvms)
    if maybe:
        warnings.append(
            "%d processes call themselves java and name a war; whether they are JVMs only root can see; "
            "run with become" % maybe
        )
    return [jvm for jvm in found.jvms if jvm.controller is None], found.unseen, None


def _starter(owner: "Owner") -> str:
    """Who starts an installation: whom its unit names, or whose its launch script is."""
    script = owner.script
    if not script.startswith("/"):
        return owner.user
    try:
        path = native(script)
        return _proc.name_of(look(path, lambda: os.stat(path).st_uid))
    except OSError:
        return ""


def _at_most(count: int, lines: List[str]) -> List[str]:
    return lines[:count] + (["and %d more of this kind" % (len(lines) - count)] if len(lines) > count else [])


def _unseen(owner: "Owner", unseen: Sequence[processes.Unseen], live_host: bool) -> Optional[str]:
    """Why an installation of which no JVM is seen may run one all the same."""
    if live_host and owner.loaded is not None and owner.cgroup and owner.loaded.active_state in _AWAKE:
        try:
            count = _proc.members(owner.cgroup)
        except OSError as error:
            return "running processes cannot be listed: %s" % error.strerror
        if count:
            return "its unit is %s with %d processes, and none of them is seen to be a JVM that runs its war" % (
                owner.loaded.active_state,
                count,
            )
    for one in unseen:
        # A process of whoever may log in is not a service's; of a script nobody knows who starts it.
        if owner.definition.unit is None or any(place.rank <= _proc.SYSTEM for place in one.places):
            return "%d processes were not looked at: %s" % (len(one.places), one.reason)
    return None


def _no_installation(jvm: _proc.Process, reason: str) -> str:
    return "process %d runs %s, but as part of a build: %s" % (jvm.pid, jvm.war.rsplit("/", 1)[-1], reason)


def _unresolvable(reason: str, path: Optional[str] = None, line: Optional[int] = None) -> _outcome.Outcome:
    return _outcome.Outcome(_outcome.UNRESOLVABLE, reason, path, line, (), (), None, (), ())


def _canonical(files: HostFiles, on_disk: _outcome.Outcome) -> Tuple[str, ...]:
    """What the next start would run, without links: an upgrade of some is a link that leads to another war."""
    found = []
    for program in on_disk.programs:
        try:
            found.append(files.canonical(program) if program.startswith("/") else program)
        except OSError:
            continue
    return tuple(found)


def _unowned(owners: Sequence["Owner"], jvms: Sequence[_proc.Process]) -> List[_proc.Process]:
    """JVMs of which no installation is known, and which are no agents or builds of one."""
    owned = _owned(owners, jvms)
    claimed = {jvm.pid for mine in owned for jvm in mine}
    return [
        jvm
        for jvm in jvms
        if jvm.pid not in claimed
        and jvm.sure
        and not _is_build_of(jvm, owners)
        and not _is_agent_of(jvm, owners, claimed, jvms)
    ]


def _joined(
    jvms: Sequence[_proc.Process], owners: Sequence["Owner"], files: HostFiles, manager: Manager
) -> List[Tuple["Owner", Tuple[Optional[Loaded], _outcome.Outcome]]]:
    """An installation for each unit that runs a controller, by the kernel's word, and whose files do not say so."""
    found: List[Tuple[Owner, Tuple[Optional[Loaded], _outcome.Outcome]]] = []
    units = dict.fromkeys(filter(None, map(_system_unit_of, jvms)))
    for name in list(units)[:_LIMIT_STRAYS]:
        service = name + ".service"
        if any(owner.definition.service in (name, service) and owner.cgroup for owner in owners):
            continue
        try:
            unit = UnitFiles(files).load(service)
        except (Unresolvable, OSError):
            unit = None
        if unit is None:
            definition = _definition.Definition(name, service, (), {}, True)
            outcome = _unresolvable("its unit cannot be read")
        else:
            definition = _definition.definition_of(unit, manager.environment)
            outcome = _outcome.outcome(definition, files)
            if outcome.verdict != _outcome.UNRESOLVABLE:
                outcome = _unresolvable("the JVM that runs in the unit is not what its files start", unit.fragment)
        loaded, next_start = SYSTEMD.loaded(definition, outcome, files, manager)
        if loaded is None or not loaded.control_group:
            continue
        if next_start.verdict != _outcome.UNRESOLVABLE:
            next_start = outcome
        found.append((Owner(definition, outcome, loaded), (loaded, next_start)))
    return found


def _system_unit_of(jvm: _proc.Process) -> Optional[str]:
    """The unit in which a JVM runs, where it is one that starts it and nothing else."""
    name = _unit_of(jvm)
    return None if name is None or name.partition("@")[0] in _OF_STARTERS else name


class Owner(NamedTuple):
    """An installation, as far as it tells which JVMs are its own."""

    definition: _definition.Definition
    on_disk: _outcome.Outcome
    loaded: Optional[Loaded]
    real: Tuple[str, ...] = ()  # its programs without links

    @property
    def cgroup(self) -> str:
        """That of its unit; empty where it has none, or is not running."""
        return self.loaded.control_group if self.loaded is not None else ""

    def holds(self, jvm: _proc.Process) -> bool:
        """Whether a JVM is in its unit's cgroup; where the service manager does not answer, in the one called so."""
        if self.loaded is None and self.definition.service is not None:
            unit = _unit_of(jvm)
            return unit is not None and self.definition.service in (unit, unit + ".service")
        return _proc.below(jvm.cgroup, self.cgroup)

    @property
    def script(self) -> str:
        """The launch script that is started without a unit; empty where it has one."""
        name = self.definition.name
        if self.definition.unit is not None or not name.startswith("/") or not self.definition.program:
            return "" if self.definition.unit is not None else name
        return self.definition.program[0].text

    @property
    def user(self) -> str:
        """Whom its unit names, empty where it names nobody or root: then its launcher may change the user."""
        user = self.definition.user
        return "" if user == "root" else user


def _owned(owners: Sequence[Owner], jvms: Sequence[_proc.Process]) -> List[Tuple[_proc.Process, ...]]:
    """The JVMs of each installation: those in its unit's cgroup, and those outside of any with its war, home and user.

    A container is another machine: its war may have the path of one of ours and is not the same. What is in another
    unit's cgroup is that unit's, whatever war it runs; and what several may have started is nobody's.
    """
    found: List[List[_proc.Process]] = [[] for _owner in owners]
    outside = []
    for jvm in jvms:
        inside = [owner.holds(jvm) for owner in owners]
        for owner, is_inside, mine in zip(owners, inside, found):
            if is_inside and _may_be_its_own(owner, jvm):
                mine.append(_noting_other_war(owner, jvm))
        if not any(inside) and not jvm.container and _system_unit_of(jvm) is None:
            outside.append(jvm)
    busy = [bool(mine) for mine in found]
    for jvm in outside:
        said = [number for number, owner in enumerate(owners) if _says_so(owner, jvm)]
        may = said or [number for number, owner in enumerate(owners) if not busy[number] and _runs_the_same(owner, jvm)]
        homes = {owners[number].on_disk.homes for number in may}
        for number in may if len(may) == 1 or len(homes) == len(may) or said else []:
            found[number].append(jvm)
    return [_without_agents(mine) for mine in found]


def _says_so(owner: Owner, jvm: _proc.Process) -> bool:
    """Whether the one who has started a JVM is the one who starts this installation.

    Anybody's process can be called as a starter is, and be told a name: so it must run as whom that would start.
    """
    start = owner.definition.start
    return (
        start is not None
        and bool(start.name)
        and jvm.started_by == "%s %s" % (start.kind, start.name)
        and _same_home(owner, jvm)
        and _of_its_user(owner, jvm)
    )


def _without_agents(mine: Sequence[_proc.Process]) -> Tuple[_proc.Process, ...]:
    """Agents are started by a controller, and then it is there itself: alone, what is called one is none."""
    controllers = tuple(jvm for jvm in mine if not jvm.agent)
    return controllers or tuple(mine)


def _is_agent_of(
    jvm: _proc.Process, owners: Sequence[Owner], claimed: Collection[int], jvms: Sequence[_proc.Process]
) -> bool:
    return jvm.agent and any(
        owner.holds(jvm) and owner.holds(other) for owner in owners for other in jvms if other.pid in claimed
    )


def _is_build_of(jvm: _proc.Process, owners: Sequence[Owner]) -> bool:
    """Anybody can have the environment of a build; to be where a controller runs needs root, or that controller."""
    return jvm.of_build and any(owner.holds(jvm) for owner in owners)


def _same_home(owner: Owner, jvm: _proc.Process) -> bool:
    """False only where both homes are known and differ."""
    return not owner.on_disk.homes or not jvm.home or jvm.home in owner.on_disk.homes


def _may_be_its_own(owner: Owner, jvm: _proc.Process) -> bool:
    if jvm.container or not owner.on_disk.programs or _same_war(owner, jvm):
        return True
    return _same_home(owner, jvm) and not jvm.of_build  # builds inherit the home


def _noting_other_war(owner: Owner, jvm: _proc.Process) -> _proc.Process:
    if jvm.container or not owner.on_disk.programs or _same_war(owner, jvm):
        return jvm
    words = "it runs %s, the next start %s" % (jvm.war, owner.on_disk.programs[0])
    return jvm._replace(stale=jvm.stale or words, others=jvm.others + (("war", words),))


def _same_war(owner: Owner, jvm: _proc.Process) -> bool:
    """Whether it runs what the next start would run; a link counts for what it leads to now."""
    if jvm.real_war and owner.real:
        return jvm.real_war in owner.real
    return jvm.war in owner.on_disk.programs


def _runs_the_same(owner: Owner, jvm: _proc.Process) -> bool:
    return _same_war(owner, jvm) and _same_home(owner, jvm) and _of_its_user(owner, jvm)


def _of_its_user(owner: Owner, jvm: _proc.Process) -> bool:
    return jvm.user == owner.user if owner.user else jvm.uid == 0 or _belongs_to(owner, jvm)


def _belongs_to(owner: Owner, jvm: _proc.Process) -> bool:
    """True where a user has the home or the launch script, so that it is his to start.

    No number says who is a service's user: others run services too, and users log in from 500 on where a host is old.
    A service manager has what it starts in the unit's cgroup, unless that logs in on the way (su): into its user's.
    """
    if not owner.on_disk.homes and owner.loaded is None and not jvm.ordinary:
        return True  # there is nothing that would tell
    paths = list(owner.on_disk.homes) + [owner.script]

    def has() -> bool:
        for path in paths:
            try:
                if path.startswith("/") and os.stat(path).st_uid == jvm.uid:
                    return True
            except OSError:
                continue
        return False

    from ..host._child import Late, bounded

    try:
        return bool(bounded(has, _STAT_SECONDS))  # a home can be on a server that is gone
    except Late:
        return False


def _summary(mine: Sequence[_proc.Process], hidden: Optional[str] = None) -> Tuple[str, Optional[str]]:
    """What an installation's JVMs run with; ``hidden`` says why they could not be seen."""
    if hidden is not None:
        return "unknown", hidden
    if not mine:
        return "not_running", None
    unknown = next((jvm for jvm in mine if jvm.state == "unknown"), None)
    if unknown is not None:
        return "unknown", "process %d: %s" % (unknown.pid, unknown.reason)
    states = {jvm.state for jvm in mine}
    if len(states) > 1:
        return "mixed", "processes %s disagree" % ", ".join(str(jvm.pid) for jvm in mine)
    return states.pop(), None


def _strays(jvms: Sequence[_proc.Process], names: Sequence[str], warnings: List[str]) -> List[Entry]:
    """A row for each place from which JVMs run that belong to no installation."""
    found: Dict[str, List[_proc.Process]] = {}
    for jvm in jvms:
        # What is no container of root's shares no row with one: it would be judged with it.
        name = next(
            (
                one
                for one in (_unit_of(jvm), jvm.war)
                if one and one not in names and (one not in found or _contained(found[one][0]) == _contained(jvm))
            ),
            "process %d" % jvm.pid,
        )
        found.setdefault(name, []).append(jvm)
    rows = [_stray(name, mine) for name, mine in list(found.items())[:_LIMIT_STRAYS]]
    left = list(found)[_LIMIT_STRAYS:]
    if left:
        more = "JVMs on %d more wars run here that belong to no installation" % len(left)
        warnings.append(more)
        if all(row.running != "unknown" for row in rows):  # else what has no row would not count
            rows.append(_unknown_row("process %d" % found[left[0]][0].pid, more))
    return rows


def _unlooked(unseen: Sequence[processes.Unseen], rows: Sequence[Entry]) -> List[Entry]:
    """Rows of processes of which it is not known whether they are controllers; that they are none would be said else.

    One at least, where no other row makes the host unknown.
    """
    found = [
        _unknown_row(
            "process %d" % pid,
            "process %d of %s was not looked at, and may run a controller: %s"
            % (pid, _proc.name_of(place.uid), one.reason),
        )
        for one in unseen
        for pid, place in one.rows
    ]
    return found[: max(_LIMIT_STRAYS - len(rows), 0 if any(row.running == "unknown" for row in rows) else 1)]


def _unknown_row(name: str, reason: str) -> Entry:
    nothing = _unresolvable(reason)
    return Entry(
        _definition.Definition(name, None, (), {}, False), nothing, None, nothing, None, (), "unknown", reason, True
    )


def _contained(jvm: _proc.Process) -> bool:
    """True for a container that only root can have made."""
    return jvm.container and not jvm.own_users


def _unit_of(jvm: _proc.Process) -> Optional[str]:
    match = None if jvm.container else _UNIT.match(jvm.cgroup)
    return match.group(1) if match is not None and match.group(1) not in _FOR_USERS else None


def _stray(name: str, mine: Sequence[_proc.Process]) -> Entry:
    """JVMs that run, of which nobody knows how they are started."""
    definition = _definition.Definition(name, None, (), {}, False)
    contained = _contained(mine[0])
    who = "; ".join(
        "process %d of %s runs %s%s%s"
        % (
            jvm.pid,
            jvm.user,
            jvm.war,
            "" if jvm.state == "unknown" else " with telemetry " + jvm.state,
            ", in the environment of a build, and no controller is seen to have started it" if jvm.of_build else "",
        )
        for jvm in mine[:_LIMIT_NOTES]
    )
    by = next((jvm.started_by for jvm in mine if jvm.started_by), "")
    reason = who + (
        ": it runs in a container, whose image and environment decide"
        if mine[0].container
        else ": %s started it, and no file was found that says how; name the launch script, if there is one, in "
        "telemetry_launch_scripts" % by
        if by
        else ": no unit or launch script was found that starts it; name its script in telemetry_launch_scripts"
    )
    homes = tuple(dict.fromkeys(jvm.home for jvm in mine if jvm.home))
    unknown = _outcome.Outcome(
        _outcome.UNRESOLVABLE, reason, None, None, (), (), None, tuple(dict.fromkeys(jvm.war for jvm in mine)), homes
    )
    # What anybody can start is seen, and proves nothing against this host.
    running, why = _summary(mine) if contained else ("unknown", who + ", and belongs to no installation")
    return Entry(definition, unknown, None, unknown, None, tuple(mine), running, why, True)


def _without_dead(entries: List[Entry]) -> List[Entry]:
    """Leave out units that cannot start anything here: no war on disk is known, nothing runs, not loaded."""
    return [entry for entry in entries if entry.processes or entry.definition.program or entry.on_disk.reason]

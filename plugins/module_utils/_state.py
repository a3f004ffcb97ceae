# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the state document together: what the files say, what the next start would do, what runs now.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import os
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from . import _installations as installations
from . import _limits as limits
from . import _processes as processes
from ._files import HostFiles
from ._jvm import Unresolvable, shown
from ._settings import settings_in_time
from ._systemd import Loaded, Variable

SCHEMA = "cbops.telemetry/state/1"


class Entry(NamedTuple):
    """One installation with everything that was found out about it."""

    definition: installations.Definition
    on_disk: installations.Outcome
    live: Optional[installations.Live]
    next_start: installations.Outcome
    loaded: Optional[Loaded]
    processes: Tuple[processes.Process, ...]
    running: str
    running_reason: Optional[str]


class Survey(NamedTuple):
    """All installations of a host, and what was noticed on the way."""

    entries: List[Entry]
    warnings: List[str]
    host: Dict[str, Any]


def survey(root: str = "/", launch_scripts: Sequence[str] = (), attach: str = "auto") -> Survey:
    """Read everything once. Nothing is changed, nothing that is read is run.

    With ``attach`` "auto" JVMs are asked themselves, which starts a listener thread in each.
    """
    live_host = root == "/"
    files = HostFiles(root)
    warnings: List[str] = []
    manager: Optional[Dict[str, Variable]] = None
    manager_error: Optional[str] = None
    if live_host:
        if os.path.isdir("/run/systemd/system"):
            from . import _service_manager as service_manager

            try:
                manager = service_manager.manager_environment()
            except service_manager.Unavailable as error:
                manager_error = str(error)
    else:
        warnings.append("%s is inspected as an image: its processes and its service manager are not looked at" % root)
    limits.phase("looking for installations")
    found, more = installations.discover(files, launch_scripts, manager)
    warnings.extend(more)
    limits.phase("looking at processes")
    jvms, hidden = _running(live_host, attach, warnings)
    limits.phase("reading what the service manager has loaded")
    started = [_next_start(definition, on_disk, files, live_host, manager, manager_error)
               for definition, on_disk in found]
    owned = _owned([Owner(definition, on_disk, loaded.control_group if loaded is not None else "")
                    for (definition, on_disk), (loaded, _next) in zip(found, started)], jvms)
    entries = []
    for (definition, on_disk), (loaded, next_start), mine in zip(found, started, owned):
        live = installations.live_of(definition, files, on_disk)
        if files.unread and not mine:
            # A profile that cannot be read may set options: only a JVM that was started with it shows that it does not.
            on_disk = next_start = _unresolvable("%s may set options, and %s" % next(iter(files.unread.items())))
        running, reason = _summary(mine, hidden)
        entries.append(Entry(definition, on_disk, live, next_start, loaded, mine, running, reason))
    warnings.extend("the profile %s was not read: %s" % one for one in files.unread.items())
    claimed = {jvm.pid for mine in owned for jvm in mine}
    strays = [jvm for jvm in jvms if jvm.pid not in claimed]
    warnings.extend(_no_installation(jvm, "its environment says so") for jvm in strays if jvm.of_build)
    entries.extend(_stray(jvm) for jvm in strays if not jvm.of_build)
    entries = _without_dead(entries)
    return Survey(entries, warnings, _host(root))


def _host(root: str) -> Dict[str, Any]:
    return {"root": root, "effective_user": os.geteuid(), "node": os.uname().nodename if root == "/" else None}


def _running(live_host: bool, attach: str, warnings: List[str]) -> Tuple[List[processes.Process], Optional[str]]:
    """The JVMs, and why there may be others."""
    if not live_host:
        return [], "processes of an image are not looked at"
    try:
        found = processes.running(attach=attach)
    except OSError as error:
        return [], "running processes cannot be listed: %s" % error.strerror
    warnings.extend(_no_installation(jvm, "it runs below the JVM %d" % jvm.controller)
                    for jvm in found if jvm.controller is not None)
    return [jvm for jvm in found if jvm.controller is None], None


def _no_installation(jvm: processes.Process, reason: str) -> str:
    return "process %d runs %s, but as part of a build: %s" % (jvm.pid, jvm.war.rsplit("/", 1)[-1], reason)


def _next_start(definition: installations.Definition, on_disk: installations.Outcome, files: HostFiles,
                live_host: bool, manager: Optional[Dict[str, Variable]], manager_error: Optional[str],
                ) -> Tuple[Optional[Loaded], installations.Outcome]:
    """What the next start would do with what the service manager has loaded."""
    if definition.unit is None or not live_host:
        return None, on_disk
    if manager is None:
        return None, _unresolvable(manager_error or "no systemd runs here that could be asked")
    from . import _service_manager as service_manager

    try:
        loaded = service_manager.loaded(definition.unit.name, files)
    except service_manager.Unavailable as error:
        return None, _unresolvable(str(error))
    except Unresolvable as error:
        return None, _unresolvable(error.reason, error.path, error.line)
    if loaded.load_state not in ("loaded", "masked"):
        return loaded, _unresolvable("the service manager has the unit as '%s'; a daemon-reload is owed"
                                     % loaded.load_state)
    return loaded, installations.outcome(installations.definition_of(loaded.unit, manager), files)


def _unresolvable(reason: str, path: Optional[str] = None, line: Optional[int] = None) -> installations.Outcome:
    return installations.Outcome(installations.UNRESOLVABLE, reason, path, line, (), (), None, (), ())


class Owner(NamedTuple):
    """An installation, as far as it tells which JVMs are its own."""

    definition: installations.Definition
    on_disk: installations.Outcome
    cgroup: str  # of its unit; empty where it has none, or is not running


def _owned(owners: Sequence[Owner], jvms: Sequence[processes.Process]) -> List[Tuple[processes.Process, ...]]:
    """The JVMs of each installation: those in its unit's cgroup, and those outside of any with its war, home and user.

    A container is another machine: its war may have the path of one of ours and is not the same.
    """
    found: List[List[processes.Process]] = [[] for _owner in owners]
    for jvm in jvms:
        inside = [bool(owner.cgroup) and (jvm.cgroup == owner.cgroup or jvm.cgroup.startswith(owner.cgroup + "/"))
                  for owner in owners]
        for owner, is_inside, mine in zip(owners, inside, found):
            if is_inside and _may_be_its_own(owner, jvm):
                mine.append(_noting_other_war(owner, jvm))
            elif not any(inside) and not jvm.container and _runs_the_same(owner, jvm):
                mine.append(jvm)
    return [tuple(mine) for mine in found]


def _same_home(owner: Owner, jvm: processes.Process) -> bool:
    """False only where both homes are known and differ."""
    return not owner.on_disk.homes or not jvm.home or jvm.home in owner.on_disk.homes


def _may_be_its_own(owner: Owner, jvm: processes.Process) -> bool:
    if jvm.container or not owner.on_disk.programs or jvm.war in owner.on_disk.programs:
        return True
    return _same_home(owner, jvm) and not jvm.of_build  # builds inherit the home


def _noting_other_war(owner: Owner, jvm: processes.Process) -> processes.Process:
    if jvm.container or not owner.on_disk.programs or jvm.war in owner.on_disk.programs or jvm.stale:
        return jvm
    return jvm._replace(stale="it runs %s, the next start %s" % (jvm.war, owner.on_disk.programs[0]))


def _runs_the_same(owner: Owner, jvm: processes.Process) -> bool:
    user = owner.definition.unit.user if owner.definition.unit is not None else ""
    return (jvm.war in owner.on_disk.programs and _same_home(owner, jvm)
            and (user in ("", "root") or not jvm.user or jvm.user == user))  # a unit of root's may change the user


def _summary(mine: Sequence[processes.Process], hidden: Optional[str] = None) -> Tuple[str, Optional[str]]:
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


def _stray(jvm: processes.Process) -> Entry:
    """A JVM that runs, of which nobody knows how it is started."""
    definition = installations.Definition(jvm.war, None, (), {}, False)
    reason = ("it runs in a container, whose image and environment decide" if jvm.container else
              "no unit or launch script was found that starts it; name its script in telemetry_launch_scripts")
    unknown = installations.Outcome(
        installations.UNRESOLVABLE, reason,
        None, None, (), (), None, (jvm.war,), (jvm.home,) if jvm.home else ())
    running, why = _summary([jvm])
    return Entry(definition, unknown, None, unknown, None, (jvm,), running, why)


def _without_dead(entries: List[Entry]) -> List[Entry]:
    """Leave out units that cannot start anything here: no war on disk is known, nothing runs, not loaded."""
    return [entry for entry in entries
            if entry.processes or entry.definition.program or entry.on_disk.reason]


# -- documents --------------------------------------------------------------------------------------


def _clock(result: installations.Outcome) -> Dict[str, Any]:
    document: Dict[str, Any] = {}
    if result.reason:
        document["reason"] = result.reason
    if result.path:
        document["file"] = result.path
        if result.line:
            document["line"] = result.line
    return document


def installation_document(entry: Entry, files: HostFiles) -> Dict[str, Any]:
    """One installation of the state document."""
    definition, live = entry.definition, entry.live
    product = installations.product_of(definition.name, entry.on_disk.programs)
    homes = entry.on_disk.homes or tuple(dict.fromkeys(jvm.home for jvm in entry.processes if jvm.home))
    owed = (entry.on_disk.vectors != entry.next_start.vectors or entry.on_disk.verdict != entry.next_start.verdict
            ) and entry.loaded is not None
    return {
        "name": definition.name,
        "product": product or "unknown",
        "packaging": ("container" if definition.service is None and any(jvm.container for jvm in entry.processes)
                      else installations.packaging_of(definition, live, entry.on_disk)),
        "service": definition.service,
        "home": homes[0] if len(homes) == 1 else None,
        "launch": None if live is None else {"file": live.path, "variable": live.variable, "reader": live.reader},
        "declarations": [
            _declaration(item) for item in installations.declarations(definition, entry.on_disk, live, files)],
        "on_disk": entry.on_disk.verdict,
        "on_disk_detail": _clock(entry.on_disk),
        "next_start": entry.next_start.verdict,
        "next_start_detail": _clock(entry.next_start),
        "daemon_reload_owed": owed,
        "processes": [jvm.document() for jvm in entry.processes],
        "running": entry.running,
        "running_detail": {"reason": entry.running_reason} if entry.running_reason else {},
        "settings": settings_in_time(files, homes[0] if len(homes) == 1 else None, entry.on_disk.programs),
    }


def _declaration(item: installations.Declaration) -> Dict[str, Any]:
    document = {"file": item.path, "line": item.line, "variable": item.variable, "value": shown(item.value),
                "live": item.live}  # type: Dict[str, Any]
    if item.reason:
        document["reason"] = item.reason
    return document


def document_of(result: Survey, root: str = "/") -> Dict[str, Any]:
    """The state document of a survey."""
    files = HostFiles(root)
    return {
        "schema": SCHEMA,
        "host": result.host,
        "installations": [installation_document(entry, files) for entry in result.entries],
        "connectivity": [],
        "warnings": result.warnings,
    }


def state(root: str = "/", launch_scripts: Sequence[str] = (), probe: Optional[Dict[str, Any]] = None,
          attach: str = "auto") -> Dict[str, Any]:
    """The state document of this host (or of the image mounted at ``root``)."""
    found = survey(root, launch_scripts, attach)
    document = document_of(found, root)
    if probe is not None and root == "/":
        # What an audit does not need is imported where it is used: the carrier then does not send it.
        from . import _probing as probing
        from ._way_out import way_of

        document["connectivity"], notes = probing.answers(probe, way_of(found, document))
        document["warnings"] += notes
    return document

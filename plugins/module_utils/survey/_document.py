# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state document of a survey: each installation as evidence, plan and report read it.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

from typing import Any, Dict, FrozenSet, List, Optional

from ..host._files import HostFiles
from ..host._shares import share_of
from ..java._jenkins_home import settings_in_time, unknown_settings
from ..java._jvm import CONTRARY, shown
from ..java._operations_center import controllers_of, member_of, unknown_controllers
from ..java._toggle import toggle, unknown_toggle
from ..launch import _declarations, _definition, _live, _outcome
from ..launch._casc import casc_of
from ._survey import Entry, Survey

SCHEMA = "cbops.telemetry/state/1"


def _clock(result: _outcome.Outcome) -> Dict[str, Any]:
    document: Dict[str, Any] = {}
    if result.reason:
        document["reason"] = result.reason
    if result.path:
        document["file"] = result.path
        if result.line:
            document["line"] = result.line
    return document


#: Whoever started a process that no installation owns has named its home.
_UNREAD = "the home and war of a process that no installation owns are not read"


def installation_document(entry: Entry, files: HostFiles) -> Dict[str, Any]:
    """One installation of the state document."""
    definition, live = entry.definition, entry.live
    wars = entry.on_disk.programs or ([] if entry.stray else [jvm.war for jvm in entry.processes])
    product = _outcome.product_of(definition.name, wars, files)
    homes = entry.on_disk.homes or tuple(dict.fromkeys(jvm.home for jvm in entry.processes if jvm.home))
    home = _on_host(definition, files, homes[0]) if len(homes) == 1 else None
    owed = (
        entry.on_disk.vectors != entry.next_start.vectors
        or entry.on_disk.verdict != entry.next_start.verdict
        or _is_switched(entry, files.variables)
    ) and entry.loaded is not None
    share = _share(files, home) if files.root == "/" and home else None
    since = min((jvm.start for jvm in entry.processes), default=None)
    document = {
        "name": definition.name,
        "product": product or "unknown",
        "packaging": (
            "container"
            if definition.service is None and any(jvm.container for jvm in entry.processes)
            else _live.packaging_of(definition, live, entry.on_disk)
        ),
        "service": definition.service,
        "home": home,
        "home_share": share,
        "launch": None if live is None else {"file": live.path, "variable": live.variable, "reader": live.reader},
        "declarations": [
            _declaration(item) for item in _declarations.declarations(definition, entry.on_disk, live, files)
        ],
        "on_disk": entry.on_disk.verdict,
        "on_disk_detail": _clock(entry.on_disk),
        "next_start": entry.next_start.verdict,
        "next_start_detail": _clock(entry.next_start),
        "daemon_reload_owed": owed,
        "processes": [jvm.document() for jvm in entry.processes],
        "unit_state": None
        if entry.loaded is None
        else {
            "active": entry.loaded.active_state,
            "sub": entry.loaded.sub_state,
            "result": entry.loaded.result,
            "restarting": entry.loaded.restarting,
        },
        "started_by": definition.start.words
        if definition.start is not None
        else next((jvm.started_by for jvm in entry.processes if entry.stray and jvm.started_by), None),
        "running": entry.running,
        "running_detail": {"reason": entry.running_reason} if entry.running_reason else {},
        "settings": unknown_settings(_UNREAD)
        if entry.stray
        else settings_in_time(
            files,
            home,
            wars_of(entry, files),
            lambda place, until: dict(
                controllers_of(files, product, place, until),
                toggle=toggle(
                    files,
                    place,
                    casc_of(definition, entry.on_disk, files),
                    wars_of(entry, files),
                    since,
                    share is not None,
                ),
            ),
        ),
    }  # type: Dict[str, Any]
    settings = document["settings"]
    document.update(settings.pop("more") if "more" in settings else unknown_controllers(product, settings))
    document.setdefault("toggle", unknown_toggle(settings["details"]["proxy"].get("reason") or _UNREAD))
    member = member_of(entry.next_start.vectors, [jvm.network[0] for jvm in entry.processes if jvm.network])
    if member is not None:
        document["member_of"] = member
    if entry.stray:
        document["stray"] = True
    if entry.processes:  # what an audit does not need is imported where it is used
        from . import _brought as brought

        others = brought.brought(entry, files, home, wars_of(entry, files))
        if others:
            document["restart_brings"] = others
    return document


def _is_switched(entry: Entry, policy: FrozenSet[str]) -> bool:
    """Whether the service manager has another value loaded of a variable that may be a switch (docs/senders.md).

    Of one that is policy every difference counts, as of another word or none.
    """
    if entry.definition.unit is None or entry.loaded is None:
        return False
    one, other = entry.definition.unit.environment, entry.loaded.unit.environment

    def told(environment: Any, name: str) -> Optional[str]:
        return environment[name].value.text if name in environment else None

    pairs = [(name in policy, told(one, name), told(other, name)) for name in set(one) | set(other)]
    return any(first != second and (asked or {first, second} <= {None, *CONTRARY}) for asked, first, second in pairs)


def _share(files: HostFiles, home: str) -> Optional[str]:
    """Where on a server a home lies. No link is followed on one that does not answer."""
    try:
        home = files.canonical(home)
    except OSError:
        pass
    return share_of(home)


def _on_host(definition: _definition.Definition, files: HostFiles, path: str) -> Optional[str]:
    """The host's name of what an installation calls so; None where that cannot be told."""
    try:
        return _definition.seen_by(definition, files).origin(path)
    except OSError:
        return None


def wars_of(entry: Entry, files: HostFiles) -> List[str]:
    """The host's names of what its next start runs; none for a process that no installation owns."""
    programs = () if entry.stray else entry.on_disk.programs
    return [_on_host(entry.definition, files, path) or path for path in programs]


def _declaration(item: _declarations.Declaration) -> Dict[str, Any]:
    document = {
        "file": item.path,
        "line": item.line,
        "variable": item.variable,
        "value": shown(item.value),
        "live": item.live,
    }  # type: Dict[str, Any]
    if item.reason:
        document["reason"] = item.reason
    return document


def document_of(result: Survey) -> Dict[str, Any]:
    """The state document of a survey, of the same reading."""
    return {
        "schema": SCHEMA,
        "host": result.host,
        "installations": [installation_document(entry, result.files) for entry in result.entries],
        "connectivity": [],
        "warnings": result.warnings,
        "looked_at": result.looked_at,
    }

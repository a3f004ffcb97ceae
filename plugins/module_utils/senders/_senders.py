# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which senders an installation has, what the switches of each say on the three clocks, and what that proves.

Nothing is off without a proof of its own: what was not found, could not be read or has no switch that is known is
unknown, with the reason. Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import os
import re
import time
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ..host import _limits as limits
from ..host._files import HostFiles
from ..java._jenkins_home import (
    _BROKEN_ZIP,
    UNKNOWN,
    Unreadable,
    _children,
    _why,
    _zip_directory,
    casc_in,
    in_time,
    manifest_at,
    plugin,
)
from ..java._jvm import Switch, switch_of
from ..launch import _declarations, _outcome
from ..launch._casc import casc_of
from ..launch._outcome import judged_again
from ..survey._document import _declaration, _on_host, wars_of
from ..survey._survey import Entry, Survey, _summary
from ._table import HAZELCAST, TABLE, Sender

ON, OFF, ABSENT = "on", "off", "absent"
PRESENT = "present"
Read = Tuple[Optional[str], Dict[str, Any]]  # a version, and what is to be said of it, as of :func:`plugin`
_ADVISOR = "com.cloudbees.jenkins.plugins.advisor.AdvisorGlobalConfiguration.xml"
_LIMIT_PLUGINS = 2000
_PLUGINS = {name for sender in TABLE for name in sender.plugins}
_ARCHIVE = re.compile(r"\.[jh]p[il]\Z")
_BUNDLED = ("WEB-INF/plugins", "WEB-INF/detached-plugins", "WEB-INF/optional-plugins")
_IN_WAR = re.compile(r"WEB-INF/(?:detached-|optional-)?plugins/[0-9A-Za-z._-]+\.[jh]pi")
#: Names under which the settings of a home have a plugin already.
_KNOWN = {"cloudbees-analytics": "analytics_plugin", "cloudbees-license-tracker": "license_tracker_plugin"}


class Asked(NamedTuple):
    """What is to be looked at beside the flag."""

    switches: Tuple[Switch, ...]
    threads: bool


def asked(options: Dict[str, Any]) -> Asked:
    """What the option ``senders`` asks for: the switches of the table always."""
    try:
        own = [switch_of(one) for one in options.get("switches") or ()]
    except ValueError as error:
        raise ValueError("senders: %s" % error)
    mine = list(dict.fromkeys(one.switch for one in TABLE if one.switch is not None and one.name != "analytics_plugin"))
    names = {one.key for one in mine}
    return Asked(tuple(mine + [one for one in own if one.key not in names]), bool(options.get("threads")))


def add(found: Survey, document: Dict[str, Any], wanted: Asked) -> None:
    """Put the senders and switches of each installation into the state document of the same reading."""
    limits.phase("looking at what else sends")
    for entry, installation in zip(found.entries, document["installations"]):
        switches = [clocks_of(entry, switch, number, found.files) for number, switch in enumerate(wanted.switches)]
        installation["switches"] = switches
        installation["senders"] = _senders(entry, installation, found.files, switches)
        if wanted.threads:
            installation["segment_threads"] = [_threads(jvm) for jvm in entry.processes]


# -- switches ---------------------------------------------------------------------------------------


def clocks_of(entry: Entry, switch: Switch, number: int, files: HostFiles) -> Dict[str, Any]:
    """The three clocks of one switch, of the same survey."""
    on_disk = judged_again(entry.on_disk, switch, files)
    next_start = judged_again(entry.next_start, switch, files)
    jvms = []
    for jvm in entry.processes:
        one = jvm.switches[number]
        jvms.append(
            jvm._replace(value=one.value, state=one.state, source=one.source, proof=one.proof, reason=one.reason)
        )
    running, reason = entry.running, entry.running_reason
    if jvms and not (entry.stray and running == UNKNOWN):
        running, reason = _summary(jvms)
    definition = entry.definition._replace(switch=switch)
    document = {
        "name": switch.name,
        "off_value": switch.off,
        "on_disk": on_disk.verdict,
        "on_disk_detail": _live_detail(on_disk),
        "next_start": next_start.verdict,
        "next_start_detail": _live_detail(next_start),
        "running": running,
        "running_detail": {"reason": reason} if reason else {},
        "processes": [_process(jvm, switch) for jvm in jvms],
        "declarations": [
            _declaration(item) for item in _declarations.declarations(definition, on_disk, entry.live, files)
        ],
    }
    return dict(document, kind="environment") if switch.environment else document


def _live_detail(result: _outcome.Outcome) -> Dict[str, Any]:
    document = {"reason": result.reason, "file": result.path, "line": result.line}
    return {key: value for key, value in document.items() if value}


def _process(jvm: Any, switch: Switch) -> Dict[str, Any]:
    document = {
        "pid": jvm.pid,
        "value": None if jvm.value is None else switch.shown(jvm.value),
        "state": jvm.state,
        "source": jvm.source,
        "proof": jvm.proof,
    }
    return dict(document, reason=jvm.reason) if jvm.reason else document


def _threads(jvm: Any) -> Dict[str, Any]:
    if jvm.threads:
        return {"pid": jvm.pid, "analytics_plugin": jvm.threads[0], "others": jvm.threads[1]}
    return {"pid": jvm.pid, "reason": jvm.uncounted}


# -- senders ----------------------------------------------------------------------------------------


def _senders(
    entry: Entry, installation: Dict[str, Any], files: HostFiles, switches: Sequence[Dict[str, Any]]
) -> List[Dict[str, Any]]:
    home = installation["home"]
    read: Any = "its home and war are not read"
    if not entry.stray and home:
        read = in_time(files, [home], lambda until: _home(files, home.rstrip("/"), entry, until))
    elif not entry.stray:
        read = "its JENKINS_HOME is not known"
    clocks = {one["name"]: one for one in switches if "kind" not in one}
    details = installation["settings"]["details"]
    found = []
    for sender in TABLE:
        presence, version, reason = PRESENT, None, ""  # type: Tuple[str, Optional[str], str]
        if sender.plugins:
            each = [
                [installation["settings"][_KNOWN[name]], details[_KNOWN[name]]]
                if name in _KNOWN
                else [UNKNOWN, {"state": UNKNOWN, "reason": read}]
                if isinstance(read, str)
                else read["plugins"][name]
                for name in sender.plugins
            ]
            presence, version, reason = _presence(each)
            doubt = read if isinstance(read, str) else _doubt(sender, read)
            if presence == ABSENT and doubt:
                presence, reason = UNKNOWN, "%s; but %s" % (reason, doubt)
        elif sender.name == "hazelcast_phone_home":
            told = [UNKNOWN, None, read] if isinstance(read, str) else read["hazelcast"]  # type: Any
            presence, version, reason = told
        state, proof = (
            (ABSENT, reason)
            if presence == ABSENT
            else _state(sender, entry, installation, clocks, read, files)
            if presence == PRESENT or sender.switch is not None
            else (UNKNOWN, reason)
        )
        if presence == UNKNOWN and state != UNKNOWN and reason:
            proof = "%s; whether it is there is not known: %s" % (proof, reason)
        found.append(
            {
                "name": sender.name,
                "presence": presence,
                "version": version,
                "state": state,
                "proof": proof,
                "covered": {"analytics_plugin": True, "license_tracker": None}.get(sender.name, False),
            }
        )
    return found


def _doubt(sender: Sender, read: Dict[str, Any]) -> str:
    """Why plugins that are not there by their names may be loaded all the same; empty where they are not."""
    brought = next((read["brought"][name] for name in sender.plugins if name in read["brought"]), "")
    return read["elsewhere"] or read["changed"] or _otherwise(sender, read) or brought or read["unread"]


def _otherwise(sender: Sender, read: Dict[str, Any]) -> str:
    """Which archive is one of its plugins by another name; empty where none is."""
    return next((read["named"][name] for name in sender.plugins if name in read["named"]), "")


def _presence(each: Sequence[Any]) -> Tuple[str, Optional[str], str]:
    """Of several plugins: there, absent where all are, else not known; a version, and why."""
    for version, detail in each:
        if detail["state"] in ("seen", "enabled", "disabled"):
            return PRESENT, None if version == UNKNOWN else version, detail.get("reason", "")
    unknown = next((detail for _version, detail in each if detail["state"] == UNKNOWN), None)
    if unknown is not None:
        return UNKNOWN, None, unknown["reason"]
    return ABSENT, None, "; ".join(dict.fromkeys(detail["reason"] for _version, detail in each))


def _state(
    sender: Sender,
    entry: Entry,
    installation: Dict[str, Any],
    clocks: Dict[str, Dict[str, Any]],
    read: Any,
    files: HostFiles,
) -> Tuple[str, str]:
    """Whether one sends that is there, or may be, and the proof of it or why there is none."""
    off = _disabled(sender, entry, installation, read)
    if off is not None:
        return off
    if sender.name == "health_advisor":
        return (UNKNOWN, read) if isinstance(read, str) else _of_home(read["advisor"][0], read["advisor"][1], read)
    if sender.switch is None:
        return UNKNOWN, "%s is its switch, which is not read" % sender.setting if sender.read else (
            "no switch of it is known that could be read"
        )
    state, proof = _by_switch(installation if sender.name == "analytics_plugin" else clocks[sender.switch.name], sender)
    if sender.name == "hazelcast_phone_home" and state in (ON, OFF):
        return _of_hazelcast(state, proof, entry, clocks[sender.switch.name], files)
    if sender.name.startswith("core_") and state != OFF:
        return _by_core(installation, state, proof, read)
    return state, proof


def _of_home(state: str, proof: str, read: Dict[str, Any]) -> Tuple[str, str]:
    """What files of the home prove: no *off* where what runs has another, or configuration as code may say else."""
    doubt = read["elsewhere"] or read["casc"]
    return (UNKNOWN, "%s; but %s" % (proof, doubt)) if state == OFF and doubt else (state, proof)


def _of_hazelcast(state: str, proof: str, entry: Entry, clocks: Dict[str, Any], files: HostFiles) -> Tuple[str, str]:
    """The same of Hazelcast. What the product sets itself goes before the property, and not before the variable."""
    if state == ON:
        return UNKNOWN, proof + "; whether the product's own code turns it off is not known"
    alone = HAZELCAST._replace(name="\0")  # no option sets it
    if all(
        judged_again(clock, alone, files).verdict == "disabled" for clock in (entry.on_disk, entry.next_start)
    ) and all(jvm["source"] == HAZELCAST.variable for jvm in clocks["processes"]):
        return OFF, proof.replace(HAZELCAST.option, "%s=false of the environment" % HAZELCAST.variable, 1)
    return UNKNOWN, proof + "; whether the product's own code turns it on is not known"


def _by_switch(clocks: Dict[str, Any], sender: Sender) -> Tuple[str, str]:
    """What the three clocks of a switch prove."""
    option = sender.switch.option if sender.switch is not None else ""
    states = [
        ("the files", clocks["on_disk"]),
        ("what is loaded", clocks["next_start"]),
        ("what runs", clocks["running"]),
    ]
    on = [place for place, state in states if state in ("enabled", "mixed")]
    if on:
        return ON, "%s does not count in %s" % (option, " and ".join(on))
    dark = [place for place, state in states if state in (UNKNOWN, _outcome.UNRESOLVABLE)]
    if dark:
        return UNKNOWN, "whether %s counts is not known of %s" % (option, " and ".join(dark))
    runs = "; nothing runs" if clocks["running"] == "not_running" else " and in what runs"
    return OFF, "%s counts in the files, in what is loaded%s" % (option, runs)


def _by_core(installation: Dict[str, Any], state: str, proof: str, read: Any) -> Tuple[str, str]:
    """Core's own opt-out beside its property. A servlet's init parameter may turn it off too, and is not read."""
    value, detail = (
        installation["settings"]["no_usage_statistics"],
        installation["settings"]["details"]["no_usage_statistics"],
    )
    if value is True and "reason" not in detail:
        told = "noUsageStatistics is true in %s; %s" % (detail["file"], proof)
        return (UNKNOWN, "%s; but %s" % (told, read)) if isinstance(read, str) else _of_home(OFF, told, read)
    if value in (True, UNKNOWN):
        return UNKNOWN, "%s; noUsageStatistics is not known: %s" % (proof, detail["reason"])
    return state, "%s; noUsageStatistics is not true in %s" % (proof, detail["file"])


def _disabled(sender: Sender, entry: Entry, installation: Dict[str, Any], read: Any) -> Optional[Tuple[str, str]]:
    """What is disabled beside its archive is not loaded at a start; a JVM that runs may have loaded it before."""
    states = [
        installation["settings"]["details"][_KNOWN[name]]["state"]
        if name in _KNOWN
        else UNKNOWN
        if isinstance(read, str)
        else read["plugins"][name][1]["state"]
        for name in sender.plugins
    ]
    if "disabled" not in states or set(states) - {"disabled", "absent"}:
        return None
    other = "" if isinstance(read, str) else _otherwise(sender, read) or read["unnamed"]
    if other:
        return UNKNOWN, "the plugin is disabled beside its archive; but %s" % other
    if entry.running == "not_running":
        return OFF, "the plugin is disabled by a file beside its archive; nothing runs"
    if not entry.processes:
        return UNKNOWN, (
            "the plugin is disabled beside its archive, but whether something runs that has loaded it is not known"
        )
    doubt = read if isinstance(read, str) else read["elsewhere"]
    if doubt:
        return UNKNOWN, "the plugin is disabled beside its archive; but %s" % doubt
    since = [read["marks"].get(name) for name, state in zip(sender.plugins, states) if state == "disabled"]
    if None not in since and all(jvm.start > max(since) for jvm in entry.processes):
        return OFF, "the plugin is disabled by a file beside its archive"
    return UNKNOWN, "the plugin is disabled beside its archive, but what runs may have loaded it before"


# -- a home, in a child -----------------------------------------------------------------------------


def _home(files: HostFiles, home: str, entry: Entry, until: float) -> Dict[str, Any]:
    named, unread = _named(files, home, until)
    unnamed = unread
    brought: Dict[str, str] = {}
    wars = wars_of(entry, files)
    if not wars or not all(war.startswith("/") for war in wars):
        unread = unread or "which war is started, and which plugins it brings, is not known"
    for war in wars:
        try:
            brought.update(_brought(files, war))
        except (FileNotFoundError, NotADirectoryError) + _BROKEN_ZIP:
            pass  # it is not there, or no archive: nothing starts
        except (OSError, Unreadable) as error:
            why = _why(error) if isinstance(error, OSError) else error
            unread = unread or "%s: whether it brings plugins is not known: %s" % (war, why)
    plugins: Dict[str, Any] = {}
    marks: Dict[str, float] = {}
    for name in [name for sender in TABLE for name in sender.plugins]:
        try:
            plugins[name] = plugin(files, home, name)
        except Unreadable as error:
            plugins[name] = (UNKNOWN, {"state": UNKNOWN, "reason": str(error)})
        detail = plugins[name][1]
        if detail["state"] == "disabled":
            try:
                descriptor, status = files.open_below(home, detail["file"][len(home) :] + ".disabled")
                os.close(descriptor)
                marks[name] = max(status.st_mtime, status.st_ctime)  # its owner sets the first
            except OSError:
                pass
    return {
        "plugins": plugins,
        "marks": marks,
        "hazelcast": _hazelcast(files, home),
        "advisor": _advisor(files, home),
        "casc": _casc(files, home, entry),
        "elsewhere": _elsewhere(files, home, entry),
        "changed": _changed(files, home, entry),
        "named": named,
        "unnamed": unnamed,
        "brought": brought,
        "unread": unread,
    }


def _named(files: HostFiles, home: str, until: float) -> Tuple[Dict[str, str], str]:
    """Plugins of the table whose archives are called otherwise, and why there may be more of them.

    What a plugin is says its manifest, and the file's name only where that does not (core's PluginWrapper.java,
    computeShortName).
    """
    found: Dict[str, str] = {}
    unread = ""
    try:
        names = files.list_below(home, "plugins")
    except OSError:  # which :func:`plugin` tells
        return found, unread
    others = [name for name in sorted(names) if _ARCHIVE.search(name) and name[:-4] not in _PLUGINS]
    for number, name in enumerate(others):
        path = "%s/plugins/%s" % (home, name)
        if number >= _LIMIT_PLUGINS or time.monotonic() > until:
            return found, "%s/plugins has more plugins than were looked at" % home
        try:
            if name.endswith("pl"):
                raise Unreadable("%s: a plugin linked for development, which is not read" % path)
            told = manifest_at(lambda path: files.open_below(home, path[len(home) :]), path)
        except Unreadable as error:
            unread = unread or "which plugin this is is not known: %s" % error
            continue
        is_called = told.get("short-name", told.get("extension-name", ""))
        if is_called in _PLUGINS:
            found[is_called] = "%s is it by its manifest" % path
    return found, unread


def _brought(files: HostFiles, war: str) -> Dict[str, str]:
    """Plugins of the table that a war brings: a start puts them into the home. Raises OSError, Unreadable, and what a
    broken archive raises."""
    files.exists(war)  # raises Silent, where to open it would wait for ever
    try:
        descriptor, status = files.open(war)
    except IsADirectoryError:
        names = []
        for folder in _BUNDLED:
            try:
                names += ["%s/%s" % (folder, name) for name in files.asked_names("%s/%s" % (war, folder))]
            except FileNotFoundError:
                continue
    else:
        with os.fdopen(descriptor, "rb") as stream:
            text = _zip_directory(stream, status.st_size)[0].decode("latin-1")
        names = [match.group() for match in _IN_WAR.finditer(text)]
    brought = {name.rpartition("/")[2][:-4] for name in names if _IN_WAR.match(name)}
    return dict.fromkeys(brought & _PLUGINS, "%s brings it, and a start may put it into the home" % war)


def _casc(files: HostFiles, home: str, entry: Entry) -> str:
    """Configuration as code that may say something else at the next start; empty where there is none."""
    code = casc_in(files, home)
    if code:
        return "%s is there and may set it at the next start" % ", ".join(code)
    for clock in (entry.on_disk, entry.next_start):
        told = casc_of(entry.definition, clock, files)
        if told.reason:
            return "whether configuration as code sets it at the next start is not known: %s" % told.reason
        if told.bundle is not None or told.configs is not None:  # where: an address may hold a password
            return "its options or environment name configuration as code, which may set it at the next start"
    return ""


def _elsewhere(files: HostFiles, home: str, entry: Entry) -> str:
    """Why a home tells nothing of what runs: a JVM has another, or none that is known."""
    for jvm in entry.processes:
        place = _on_host(entry.definition, files, jvm.home) if jvm.home else None
        if place is None:
            return "which home process %d has is not known" % jvm.pid
        try:
            same = files.canonical(place) == files.canonical(home)
        except OSError:
            same = place.rstrip("/") == home
        if not same:
            return "process %d has another home" % jvm.pid
    return ""


def _changed(files: HostFiles, home: str, entry: Entry) -> str:
    """Why what is not among the plugins may be loaded all the same."""
    first = min([jvm.start for jvm in entry.processes] or [float("inf")])
    try:
        status = files.folder_below(home, "plugins")
    except OSError as error:
        return "" if not entry.processes else "%s/plugins: %s" % (home, error.strerror or "cannot be read")
    if status.st_ctime < first:
        return ""
    return "%s/plugins was changed after the start of what runs, which may have loaded it before" % home


_HAZELCAST_JAR = re.compile(r"hazelcast(?:-[a-z][a-z-]*)?-?([0-9][0-9A-Za-z._+-]{0,40})?\.jar\Z")


def _hazelcast(files: HostFiles, home: str) -> Tuple[str, Optional[str], str]:
    """Whether the jar is unpacked somewhere; that it is not proves nothing, because it may be inside another."""
    try:
        names = files.list_below(home, "plugins")
    except OSError as error:
        return UNKNOWN, None, "%s/plugins: %s" % (home, error.strerror or "cannot be read")
    folders = ["plugins/" + name for name in names if "." not in name[-4:]]
    if len(folders) > _LIMIT_PLUGINS:
        return UNKNOWN, None, "%s/plugins has more than %d plugins" % (home, _LIMIT_PLUGINS)
    for folder in folders + ["war"]:
        try:
            jars = files.list_below(home, folder + "/WEB-INF/lib")
        except OSError:
            continue
        for jar in jars:
            match = _HAZELCAST_JAR.match(jar)
            if match:
                return PRESENT, match.group(1), ""
    return UNKNOWN, None, "no hazelcast*.jar is unpacked there; one that is inside another archive would not be seen"


def _advisor(files: HostFiles, home: str) -> Tuple[str, str]:
    """What the health advisor's own file says (its class writes itself there)."""
    path = home + "/" + _ADVISOR
    try:
        if _ADVISOR not in files.list_below(home, ""):
            return OFF, "there is no %s: nobody has accepted its terms" % path
        told = _children(files, home, _ADVISOR).get("acceptToS", set())
    except OSError as error:
        return UNKNOWN, "%s: %s" % (path, error.strerror or "cannot be read")
    except Unreadable as error:
        return UNKNOWN, str(error)
    if told not in ({"true"}, {"false"}):
        return UNKNOWN, "%s: acceptToS is neither true nor false" % path
    return (ON, "acceptToS is true in %s" % path) if told == {"true"} else (OFF, "acceptToS is false in %s" % path)

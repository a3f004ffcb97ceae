# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a restart would start beside the flag: another war or java, plugins, a unit that somebody else has changed.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only. What is said is evidence, so
it tells no time: the same state is told in the same words.
"""

import os
import re
import stat
from functools import partial
from typing import Any, Callable, Dict, List, Optional, Sequence, Set, Tuple

from ..host import _limits as limits
from ..host._file_systems import Silent
from ..host._files import OWN_DROP_INS, HostFiles, native
from ..host._records import is_ours
from ..java import _archive as archive
from ..launch import _definition, _outcome
from ..running._facts import CLOCK_SECONDS

_LIMIT_FILES = 200  # launch and unit files that are looked at
_LIMIT_PLUGINS = 3000
_SHOWN = 3
_ARCHIVES = (".jpi", ".hpi")
#: Units that are made anew by each daemon-reload; what they are made of is their source.
_GENERATED = re.compile(r"/run/systemd/(generator|transient)")
_INIT = "/etc/init.d/"
_PLUGIN = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")

Item = Tuple[str, str]  # kind (see docs/schema/state-1.json), and what it is in words


def brought(entry: Any, files: HostFiles, home: Optional[str], wars: Sequence[str]) -> List[Dict[str, str]]:
    """What a restart of an installation that runs would start beside the flag; nothing of one that does not run.

    ``entry`` as in _survey; ``home`` and ``wars`` (of the next start) are the host's names.
    """
    jvms = [jvm for jvm in entry.processes if not jvm.container]
    if not jvms or entry.stray:
        return []
    start = min(jvm.start for jvm in jvms) + CLOCK_SECONDS
    found = [item for jvm in jvms for item in jvm.others]
    if not any(kind == "java" for kind, _words in found):
        found += _java(entry, files, jvms)
    found += _wars(entry, files, wars)
    found += _changed(entry, files, start)
    if home is not None and home.startswith("/"):
        found += _plugins_in_time(files, home.rstrip("/"), start)
    return [{"kind": kind, "what": what} for kind, what in dict.fromkeys(found)]


# -- the program ------------------------------------------------------------------------------------


def _java(entry: Any, files: HostFiles, jvms: Sequence[Any]) -> List[Item]:
    """Another Java, where the next start names its program and that is no script: then it is what the JVM runs."""
    walk, unit = entry.on_disk.walk, entry.definition.unit
    names = {launch.java for path in walk.paths for launch in path} if walk is not None else set()
    if len(names) != 1 or (unit is not None and unit.mounts):
        return []
    name = names.pop()
    try:
        if not name.startswith("/") or not files.exists(name) or files.head(name) == b"#!":
            return []
        there = files.canonical(name)
    except OSError:
        return []
    for jvm in jvms:
        home = jvm.network[2] if len(jvm.network) > 2 else ""
        if home and there.endswith("/bin/java") and there != home + "/bin/java":
            return [("java", "it runs the Java of %s, the next start that of %s" % (home, there[: -len("/bin/java")]))]
    return []


def _wars(entry: Any, files: HostFiles, wars: Sequence[str]) -> List[Item]:
    """What is no whole archive of what the next start would run."""
    found: List[Item] = []
    for war in dict.fromkeys(wars) if entry.on_disk.verdict != _outcome.UNRESOLVABLE else ():
        if not war.startswith("/"):
            continue
        try:
            said = files.asked(war, partial(_flaw, files, war))
        except FileNotFoundError:
            unit = entry.definition.unit
            if unit is not None and unit.before:  # it may be put there by then
                found.append(("unknown", "whether %s will be there is not known: it is not there now" % war))
            else:
                found.append(("broken", "%s is not there" % war))
            continue
        except IsADirectoryError:
            continue  # one that was unpacked
        except OSError as error:
            said = ["unknown", error.strerror or "it cannot be read"]
        if said:
            kind, why = said
            found.append(
                (
                    kind,
                    "%s is no whole zip archive: %s" % (war, why)
                    if kind == "broken"
                    else "whether %s is a whole zip archive is not known: %s" % (war, why),
                )
            )
    return found


def _flaw(files: HostFiles, war: str) -> List[str]:
    """Kind and words of what an archive lacks, empty for nothing. Raises OSError."""
    descriptor, status = files.open(war)
    with os.fdopen(descriptor, "rb") as stream:
        try:
            why = archive.flaw(stream, status.st_size)
        except archive.TooLarge as error:
            return ["unknown", str(error)]
    return ["broken", why] if why else []


# -- unit and launch files --------------------------------------------------------------------------


def _changed(entry: Any, files: HostFiles, start: float) -> List[Item]:
    """Unit files and launch files that somebody else has changed since the start, by their times and our records."""
    loaded = [] if entry.loaded is None else _of_unit(entry.loaded.unit)
    on_disk = [] if entry.definition.unit is None else _of_unit(entry.definition.unit)
    units = [path for path in dict.fromkeys(loaded + on_disk) if not path.startswith(_INIT)]
    found: List[Item] = []
    explained = False  # what the service manager wants a daemon-reload for
    seen: Set[str] = set()
    launches = [path for path in _launch_files(entry, files) + loaded + on_disk if path not in units]
    for kind, path in [("unit", path) for path in units] + [("launch", path) for path in launches[:_LIMIT_FILES]]:
        if not path.startswith("/") or _GENERATED.match(path):
            continue
        try:
            real = files.canonical(path)
            if real in seen:
                continue  # /lib is /usr/lib
            seen.add(real)
            if not files.asked(path, partial(_is_newer, path, start)):
                continue
        except FileNotFoundError:
            if kind == "unit" and path in loaded:
                explained = True
                if os.path.basename(path) not in OWN_DROP_INS:
                    found.append((kind, "%s was removed after the JVM's start, and a daemon-reload is owed" % path))
            continue
        except OSError as error:
            found.append(
                ("unknown", "whether %s was changed after the JVM's start is not known: %s" % (path, error.strerror))
            )
            continue
        explained = True
        if os.path.basename(path) in OWN_DROP_INS:
            continue
        try:
            if not is_ours(files, path):
                found.append((kind, "%s was changed by somebody else after the JVM's start" % path))
        except OSError as error:
            found.append(
                (
                    "unknown",
                    "%s was changed after the JVM's start, and by whom is not known: %s" % (path, error.strerror),
                )
            )
    if entry.loaded is not None and entry.loaded.need_reload and not explained and set(loaded) == set(on_disk):
        found.append(("unknown", "a daemon-reload is owed, and for what is not known"))
    return found


def _of_unit(unit: Any) -> List[str]:
    return [path for path in (unit.fragment, unit.source) + tuple(unit.drop_ins) if path]


def _launch_files(entry: Any, files: HostFiles) -> List[str]:
    """What the next start reads beside the unit, the host's names."""
    walk, unit, definition = entry.on_disk.walk, entry.definition.unit, entry.definition
    paths = [] if walk is None else list(walk.sourced) + list(walk.followed) + list(walk.texts)
    if unit is not None:
        paths += [variable.path for variable in unit.environment.values()]
    if entry.live is not None:
        paths.append(entry.live.path)
    if definition.program:
        program = definition.program[0].text
        try:
            if program.startswith("/") and files.head(program) == b"#!":
                paths.append(_definition.seen_by(definition, files).origin(program))
        except OSError:
            pass
    return paths


def _is_newer(path: str, start: float) -> bool:
    """Whether a file, or the link in its place, has changed since. Raises OSError.

    Packages bring the times of their files along, so what counts is also when the kernel has last changed it.
    """
    place = native(path)
    status, link = os.stat(place), os.lstat(place)
    if not stat.S_ISREG(status.st_mode):
        return stat.S_ISLNK(link.st_mode) and link.st_mtime > start  # masked
    return max(status.st_mtime, status.st_ctime, link.st_mtime) > start


# -- plugins ----------------------------------------------------------------------------------------


def _plugins_in_time(files: HostFiles, home: str, start: float) -> List[Item]:
    """The plugins that are pending; that it is not known where the home does not answer."""
    from ..host._child import Late, bounded

    def work() -> List[str]:
        return _plugins(files, home, start)

    try:
        names = _within(bounded, work, files, home)
    except (Late, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        return [("unknown", "whether plugins are pending is not known: %s" % (why or "they cannot be read"))]
    if not names:
        return []
    more = " and %d more" % (len(names) - _SHOWN) if len(names) > _SHOWN else ""
    return [("plugins", "plugins are pending: %s%s" % (", ".join(names[:_SHOWN]), more))]


def _within(bounded: Callable[..., Any], work: Callable[[], List[str]], files: HostFiles, home: str) -> List[str]:
    """What a child finds; its errors come as words. Raises Late, OSError."""
    files.exists(home)  # what is known to be dead costs no more time, and leaves no process behind

    def said() -> List[Any]:
        try:
            return [work(), ""]
        except FileNotFoundError:
            return [[], ""]  # a home without plugins
        except OSError as error:
            return [[], error.strerror or "they cannot be read"]

    names, why = bounded(said, limits.LOOK, 0)
    if why:
        raise Silent(why, home)
    return list(names)


def _plugins(files: HostFiles, home: str, start: float) -> List[str]:
    """Plugins that the next start loads otherwise than they are loaded now, in words. Raises OSError.

    The product unpacks an archive to a folder beside it, and gives ``.timestamp2`` in there the time of the archive; at
    its start it unpacks again what has another time (core's ClassicPluginStrategy.java, explode). Where nothing is
    unpacked there, it is unpacked elsewhere, and nothing is known.
    """
    names = set(files.list_below(home, "plugins"))
    folder = native(home) + "/plugins/"
    archives: Dict[str, str] = {}
    for suffix in _ARCHIVES:  # of two archives the first counts (core's InitStrategy.java)
        for name in names:
            if name.endswith(suffix):
                archives.setdefault(name[: -len(suffix)], name)
    if len(archives) > _LIMIT_PLUGINS:
        raise OSError(0, "there are more than %d plugins" % _LIMIT_PLUGINS)
    found: List[str] = []
    is_unpacked_here = False
    for name, packed in sorted(archives.items()):
        shown = name if _PLUGIN.match(name) else "(a name that is not shown)"
        try:
            status = os.stat(folder + packed)
            if packed + ".disabled" in names and os.stat(folder + packed + ".disabled").st_mtime > start:
                found.append(shown + " (switched off)")
            elif name not in names:
                if max(status.st_mtime, status.st_ctime) > start:
                    found.append(shown + " (new)")
            else:
                unpacked = os.stat(folder + name + "/.timestamp2")
                is_unpacked_here = True
                if int(unpacked.st_mtime) != int(status.st_mtime):  # Java may tell no part of a second
                    found.append(shown + " (another archive)")
        except OSError:
            continue  # linked to what is gone, or it was never unpacked
    return found if is_unpacked_here else []

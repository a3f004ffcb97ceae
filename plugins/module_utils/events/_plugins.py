# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The events that the plugins of a home say they send, and those of the plugins that its war brings.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only. The files belong to the
service's user: they are opened as those of a home are (java/_jenkins_home.py), nothing of them is run, and what is not
read is named with its reason. What leaves is names and descriptions of events, and where they stand.
"""

import os
import re
import time
from functools import partial
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from ..host import _limits as limits
from ..host._file_systems import Silent
from ..host._files import HostFiles
from ..java._jenkins_home import manifest_of
from ._gathering import CANDIDATE, SEEN, UNKNOWN, found_in
from ._unpacked import LIMIT_CLASS, Archive, Clock, Reading, Refused, classes, nested

#: Seconds for all homes of a host beside an audit, and where nothing else is asked.
SECONDS = 20.0
SECONDS_ALONE = 90.0
#: Rows, characters and lines of what was not read, in one answer: a user of the service can make any number of them.
LIMIT_ROWS = 1500
LIMIT_CHARACTERS = 600000
LIMIT_UNREAD = 200
LIMIT_PATH = 1000
#: Plugins of a home: products have some hundreds.
LIMIT_PLUGINS = 2000
#: Names that are looked at in a plugin that lies unpacked, and folders in folders.
LIMIT_NAMES = 20000
LIMIT_FOLDERS = 32
_BUNDLED = ("WEB-INF/plugins/", "WEB-INF/detached-plugins/", "WEB-INF/optional-plugins/")
_ARCHIVES = (".jpi", ".hpi")
_LINKED = (".jpl", ".hpl")
_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,99}\Z")
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z._+-]{0,63}\Z")
#: Whoever started a process that no installation owns has named its home.
UNREAD = "the home and war of a process that no installation owns are not read"
_NOTHING = (
    "no field is annotated, and no class gathers: of annotations that are kept in sources alone, class files have none"
)


class Plugin(NamedTuple):
    """A plugin that was read."""

    name: str
    version: str
    row: Dict[str, Any]
    mentions: bool  # whether it has to do with events at all
    whole: bool  # whether all of it was read


class Room:
    """What is left of an answer, over all homes of a host."""

    def __init__(self) -> None:
        self.rows = LIMIT_ROWS
        self.characters = LIMIT_CHARACTERS
        self.unread = LIMIT_UNREAD


def why(error: OSError) -> str:
    """What went wrong, without a path."""
    return error.strerror or "it cannot be read"


class Scan:
    """One reading of a home and its war."""

    def __init__(self, files: HostFiles, home: str, wars: Sequence[str], until: float, room: Room) -> None:
        self.files = files
        self.home = home
        self.wars = wars
        self.clock = Clock(until)
        self.room = room
        self.plugins: List[Plugin] = []
        self.unread: List[Dict[str, str]] = []
        self.refused = 0  # what was not read, whether it is named or, for want of room, counted
        self.omitted = 0
        self.archives = 0
        self.classes = 0

    # -- what is there ----------------------------------------------------------------------------

    def run(self) -> Dict[str, Any]:
        """The document of it."""
        self._home()
        for war in self.wars:
            self._war(war)
        return self._document()

    def _home(self) -> None:
        folder = self.home + "/plugins"
        try:
            names = self.files.list_below(self.home, "plugins")
        except OSError as error:
            self._refuse(folder, why(error))
            return
        there = set(names)
        stems: Dict[str, List[str]] = {}
        for name in sorted(names, key=lambda one: (one.endswith(".hpi"), one)):
            stem, suffix = os.path.splitext(name)
            if suffix in _LINKED:
                self._refuse(folder + "/" + name, "a plugin linked for development, which is not read")
            elif suffix in _ARCHIVES:
                stems.setdefault(stem, []).append(name)
            elif self._is_plugin(name):
                stems.setdefault(name, [])
        for number, stem in enumerate(sorted(stems)):
            if number >= LIMIT_PLUGINS:
                self._refuse(folder, "it has more than %d plugins" % LIMIT_PLUGINS)
                break
            self._plugin_of_home(stem, stems[stem], there)

    def _is_plugin(self, name: str) -> bool:
        """Whether what lies in the folder of plugins is one that was unpacked; what cannot be listed may be one."""
        try:
            return not {"META-INF", "WEB-INF"}.isdisjoint(self.files.list_below(self.home, "plugins/" + name))
        except NotADirectoryError:
            return False
        except OSError:
            return True

    def _plugin_of_home(self, stem: str, archives: List[str], there: Any) -> None:
        version = None
        for number, name in enumerate(archives):
            path = self.home + "/plugins/" + name
            plugin = self._archive(path, stem, partial(self.files.open_below, self.home, path[len(self.home) :]))
            if plugin is None:
                continue
            if number:
                plugin.row["note"] = "the product ignores it beside %s" % archives[0]
            elif name + ".disabled" in there:
                plugin.row["note"] = "the plugin is disabled"
            version = plugin.version if not number and plugin.whole else version
        if stem in there:
            self._unpacked(stem, version)

    def _archive(self, path: str, stem: str, opened: Callable[[], Tuple[int, Any]]) -> Optional[Plugin]:
        """A plugin's archive in a folder."""
        try:
            descriptor, status = opened()
        except OSError as error:
            self._refuse(path, why(error))
            return None
        with os.fdopen(descriptor, "rb") as stream:
            try:
                archive = Archive(stream, status.st_size)
            except Refused as error:
                self._refuse(path, str(error))
                return None
            except OSError as error:
                self._refuse(path, why(error))
                return None
            return self._read(path, stem, manifest_of(archive.manifest()), lambda reading: _in(archive, path, reading))

    def _unpacked(self, stem: str, version: Optional[str]) -> None:
        """A plugin that lies unpacked beside its archive: read where that says something else, or could not be read."""
        inside = "plugins/" + stem
        manifest = manifest_of(self._small(inside + "/META-INF/MANIFEST.MF"))
        if version is not None and version != UNKNOWN and _version(manifest) == version:
            return
        plugin = self._read(
            self.home + "/" + inside, stem, manifest, lambda reading: self._folder(inside, reading, [LIMIT_NAMES])
        )
        if version is not None:
            plugin.row["note"] = "unpacked at an earlier start; its archive has version %s" % version

    def _small(self, path: str) -> bytes:
        try:
            descriptor, _status = self.files.open_below(self.home, path)
        except OSError:
            return b""
        with os.fdopen(descriptor, "rb") as stream:
            return stream.read(256 << 10)

    def _folder(self, inside: str, reading: Reading, names: List[int], depth: int = 0) -> Iterator[Tuple[str, bytes]]:
        """Path and bytes of each class below a folder of the home."""
        place = self.home + "/" + inside
        try:
            found = sorted(self.files.list_below(self.home, inside))
        except OSError as error:
            reading.refused(place, why(error))
            return
        names[0] -= len(found)
        if names[0] < 0 or depth > LIMIT_FOLDERS:
            reading.refused(place, "more names or folders in folders than are looked at")
            return
        for name in found:
            path = inside + "/" + name
            if name.endswith((".class", ".jar")):
                yield from self._file(path, reading)
            # What else lies in a plugin (help, images) is not looked through.
            elif depth or name in ("WEB-INF", "META-INF"):
                if self._is_folder(path):
                    yield from self._folder(path, reading, names, depth + 1)

    def _is_folder(self, path: str) -> bool:
        try:
            self.files.list_below(self.home, path)
        except NotADirectoryError:
            return False
        except OSError:
            return True  # to list it says why not
        return True

    def _file(self, inside: str, reading: Reading) -> Iterator[Tuple[str, bytes]]:
        path = self.home + "/" + inside
        try:
            descriptor, status = self.files.open_below(self.home, inside)
        except OSError as error:
            reading.refused(path, why(error))
            return
        with os.fdopen(descriptor, "rb") as stream:
            try:
                if inside.endswith(".jar"):
                    self.archives += 1
                    yield from classes(Archive(stream, status.st_size), path, reading)
                    return
                if status.st_size > LIMIT_CLASS:
                    raise Refused("it is larger than %d bytes" % LIMIT_CLASS)
                data = stream.read(LIMIT_CLASS)
                reading.take(len(data))
                reading.classes += 1
            except Refused as error:
                reading.refused(path, str(error))
                return
            except OSError as error:
                reading.refused(path, why(error))
                return
            yield path, data

    # -- the war ----------------------------------------------------------------------------------

    def _war(self, path: str) -> None:
        """The plugins that a war brings: a start puts them into the home."""
        try:
            descriptor, status = self.files.open(path)
        except IsADirectoryError:
            self._unpacked_war(path)
            return
        except OSError as error:
            self._refuse(path, why(error))
            return
        with os.fdopen(descriptor, "rb") as stream:
            try:
                war = Archive(stream, status.st_size)
            except Refused as error:
                self._refuse(path, str(error))
                return
            except OSError as error:
                self._refuse(path, why(error))
                return
            self.archives += 1
            read = {(one.name, one.version) for one in self.plugins if one.version != UNKNOWN and one.whole}
            for entry in sorted(war.entries, key=lambda one: one.name):
                if not entry.name.startswith(_BUNDLED) or not entry.name.endswith(_ARCHIVES):
                    continue
                name = path + "!" + entry.name
                try:
                    inner = nested(war, entry, Reading(self.clock, self._refuse), 1)
                except Refused as error:
                    self._refuse(name, str(error))
                    continue
                except OSError as error:
                    self._refuse(name, why(error))
                    continue
                self._bundled(name, inner, read)

    def _bundled(self, path: str, archive: Archive, read: Any) -> None:
        stem = os.path.splitext(path.rsplit("/", 1)[-1])[0]
        manifest = manifest_of(archive.manifest())
        if (_name(manifest, stem), _version(manifest)) in read:
            return  # it is in the home, in the same version
        plugin = self._read(path, stem, manifest, lambda reading: _in(archive, path, reading, 2))
        plugin.row["note"] = "the war brings it, and it is not in the home in this version"

    def _unpacked_war(self, path: str) -> None:
        for folder in _BUNDLED:
            try:
                names = self.files.list(path + "/" + folder.rstrip("/"))
            except Silent as error:
                self._refuse(path + "/" + folder.rstrip("/"), error.reason)
                continue
            read = {(one.name, one.version) for one in self.plugins if one.version != UNKNOWN and one.whole}
            for name in sorted(one for one in names if one.endswith(_ARCHIVES)):
                place = path + "/" + folder + name
                plugin = self._archive(place, os.path.splitext(name)[0], partial(self.files.open, place))
                if plugin is not None and (plugin.name, plugin.version) in read:
                    self.plugins.remove(plugin)
                elif plugin is not None:
                    plugin.row["note"] = "the war brings it, and it is not in the home in this version"

    # -- what is said of it -----------------------------------------------------------------------

    def _refuse(self, path: str, reason: str) -> None:
        """What is not read is named, as far as an answer has room; the rest is counted."""
        self.refused += 1
        if self.room.unread <= 0:
            self.omitted += 1
            return
        self.room.unread -= 1
        self.unread.append({"file": path[:LIMIT_PATH], "reason": reason})

    def _read(
        self, path: str, stem: str, manifest: Dict[str, str], source: Callable[[Reading], Iterator[Tuple[str, bytes]]]
    ) -> Plugin:
        """A plugin, its rows kept as far as there is room."""
        self.archives += 1
        refused = self.refused
        readings: List[Reading] = []

        def late(place: str, reason: str) -> None:
            # Read anew, what was refused is refused again; what it has no time for is not.
            if self.clock.is_over():
                self._refuse(place, reason)

        def again() -> Iterator[Tuple[str, bytes]]:
            readings.append(Reading(self.clock, late if readings else self._refuse))
            return source(readings[-1])

        found = found_in(again)
        self.classes += readings[0].classes
        for place, reason in found.refused:
            self._refuse(place, reason)
        name, version = _name(manifest, stem), _version(manifest)
        rows: List[Dict[str, Any]] = []
        for row in found.rows:
            row["file"] = row["file"][:LIMIT_PATH]
            cost = sum(len(str(value)) for value in row.values())
            if self.room.rows <= 0 or self.room.characters < cost:
                self._refuse(path, "%d events of it are more than an answer holds" % (len(found.rows) - len(rows)))
                break
            self.room.rows -= 1
            self.room.characters -= cost
            rows.append(row)
        document: Dict[str, Any] = {"plugin": name, "version": version, "file": path[:LIMIT_PATH], "mark": _mark(rows)}
        if not rows:
            document["reason"] = "its classes name com.cloudbees.analytics, and " + _NOTHING
        document["events"] = rows
        plugin = Plugin(name, version, document, found.mentions, self.refused == refused)
        self.plugins.append(plugin)
        return plugin

    def _document(self) -> Dict[str, Any]:
        if self.omitted:
            self.unread.append({"file": self.home, "reason": "%d more files in it were not read" % self.omitted})
        rows = [one.row for one in self.plugins if one.mentions]
        rows.sort(key=lambda row: (row["plugin"], row["version"], row["file"]))
        mark = _mark([event for row in rows for event in row["events"]])
        document: Dict[str, Any] = {
            "mark": mark,
            "archives": self.archives,
            "classes": self.classes,
            "plugins": rows,
            "unread": sorted(self.unread, key=lambda one: (one["file"], one["reason"])),
        }
        if mark == UNKNOWN:
            document["reason"] = "of %d archives with %d classes that were read: %s" % (
                self.archives,
                self.classes,
                "no name of an event is a constant"
                if any(row["events"] for row in rows)
                else _NOTHING
                if rows
                else "no class names com.cloudbees.analytics",
            )
        return document


def _in(archive: Archive, path: str, reading: Reading, depth: int = 1) -> Iterator[Tuple[str, bytes]]:
    return classes(archive, path, reading, depth=depth)


def _name(manifest: Dict[str, str], stem: str) -> str:
    name = manifest.get("short-name") or manifest.get("extension-name") or ""
    return name if _NAME.match(name) else stem[:100]


def _version(manifest: Dict[str, str]) -> str:
    value = (manifest.get("plugin-version") or manifest.get("implementation-version") or "").split(" ")[0]
    return value if _VERSION.match(value) else UNKNOWN


def _mark(rows: Sequence[Dict[str, Any]]) -> str:
    """The best that is known of several."""
    marks = {row["mark"] for row in rows}
    return next((mark for mark in (SEEN, CANDIDATE) if mark in marks), UNKNOWN)


# -- for the document of a host ---------------------------------------------------------------------


def carried(product: str, version: str) -> List[str]:
    """What each event would carry beside its own properties (the analytics plugin's addUniversalEventProperties)."""
    return [
        "the instance's id (not read)",
        "the product: %s" % product.replace("_", " "),
        "its version: %s" % version,
        "the licensed organisation (not read)",
    ]


def unknown(reason: str) -> Dict[str, Any]:
    """The events of an installation of which nothing could be read."""
    return {"mark": UNKNOWN, "archives": 0, "classes": 0, "plugins": [], "unread": [], "reason": reason}


class Events:
    """The events of the installations of a host: each home and war is read once."""

    def __init__(self, files: HostFiles, seconds: float) -> None:
        self.files = files
        self.seconds = seconds
        self.room = Room()
        self.known: Dict[Tuple[str, ...], Dict[str, Any]] = {}

    def of(self, home: Optional[str], wars: Sequence[str]) -> Dict[str, Any]:
        """The events of one installation, its home and its wars by the host's names."""
        if home is None or not home.startswith("/"):
            return unknown("its JENKINS_HOME is not known")
        key = (home.rstrip("/"),) + tuple(wars)
        if key not in self.known:
            self.known[key] = self._bounded(key[0], wars)
        return self.known[key]

    def _bounded(self, home: str, wars: Sequence[str]) -> Dict[str, Any]:
        from ..host._child import Late, bounded

        limits.phase("looking for events in plugins")
        try:
            for path in [home] + list(wars):
                self.files.exists(path)  # what is known to be dead costs no more time
        except Silent as error:
            return unknown(error.reason)
        began = time.monotonic()
        seconds = min(self.seconds, limits.left() - 2)
        if seconds <= 0:
            return unknown("the time for reading archives was used up")
        room = self.room

        def work() -> List[Any]:
            # A child that reads a dead disk is left behind; one that is slow says what it has.
            scan = Scan(self.files, home, wars, began + seconds * 0.9, room)
            return [scan.run(), room.rows, room.characters, room.unread]

        try:
            found, room.rows, room.characters, room.unread = bounded(work, seconds)
        except Late as error:
            return unknown("its plugins could not be read: %s" % error)
        finally:
            self.seconds -= time.monotonic() - began
        return found  # type: ignore[no-any-return]

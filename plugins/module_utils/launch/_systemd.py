# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units and drop-ins of systemd where they lie, so that an image without a running systemd can be read too.

What is loaded, :mod:`_service_manager` asks. Private to this collection. Runs on the managed
host: Python 3.6+, standard library only.
"""

import re
from typing import Dict, Iterator, List, Optional, Set

from ..host._files import HostFiles
from ..text._value import Unresolvable
from ._unit import Unit, build
from ._unit_syntax import LIMIT_SETTINGS, Setting, settings_of

#: Where units and drop-ins live, strongest first (systemd.unit(5)).
UNIT_PATH = (
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    "/etc/systemd/system",
    "/etc/systemd/system.attached",
    "/run/systemd/system",
    "/run/systemd/system.attached",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/run/systemd/generator.late",
)

_LIMIT_LINKS = 16  # from one unit to another


def _drop_in_folders(name: str) -> Iterator[str]:
    """Folders of drop-ins for a unit in one folder of the unit path, the closest first (systemd: dropin.c)."""
    yield name + ".d"
    stem, _dot, kind = name.rpartition(".")
    prefix, at, instance = stem.partition("@")
    if instance:
        yield from _drop_in_folders("%s@.%s" % (prefix, kind))
    shorter = prefix.rstrip("-").rpartition("-")[0]
    if shorter:
        yield from _drop_in_folders("%s-%s.%s" % (shorter, at + instance if instance else "", kind))


class UnitFiles:
    """Finds units and their drop-ins under a root; ``files`` shows them."""

    def __init__(self, files: HostFiles) -> None:
        self.files = files
        # A name is looked for in thousands of places of which few exist.
        self._names = {folder: frozenset(files.list(folder)) for folder in UNIT_PATH}
        self._drop_ins = {name for names in self._names.values() for name in names if name.endswith(".service.d")}
        self.aliases = files.once("other names of units", "/etc/systemd/system", self._other_names)

    def _other_names(self) -> Dict[str, str]:
        """Names that are links to another unit (``Alias=``), and the unit; only what is in the unit path is one.

        Source: systemd, unit_file_build_name_map; a link to a file elsewhere is a unit of the name of the link.
        """
        found: Dict[str, str] = {}
        places: Set[str] = set()
        for folder in UNIT_PATH:
            try:
                places.add(self.files.canonical(folder))
            except OSError:
                continue
        seen = set()
        for folder in UNIT_PATH:
            for name in self._names[folder]:
                if name in seen or not name.endswith(".service") or "@" in name:
                    continue
                seen.add(name)  # in a stronger folder it hides the others
                path = "%s/%s" % (folder, name)
                try:
                    other = self._named_by(path, places)
                except OSError:
                    continue
                if other is not None and other.endswith(".service") and "@" not in other:
                    found[name] = other
        ends: Dict[str, str] = {}
        for name in found:
            other = name
            for _link in range(_LIMIT_LINKS):
                other = found.get(other, other)
            if other not in found:  # else they name each other
                ends[name] = other
        return ends

    def _named_by(self, path: str, places: Set[str]) -> Optional[str]:
        """The other unit that a link names: the first on its way that lies in the unit path, be it a link itself."""
        own = path.rpartition("/")[2]
        for _link in range(_LIMIT_LINKS):
            target = self.files.target(path)
            if target is None:
                break
            folder = path.rpartition("/")[0]
            folder, _slash, name = (target if target.startswith("/") else folder + "/" + target).rpartition("/")
            folder = self.files.canonical(folder)
            if folder in places and name != own:
                return name
            path = folder.rstrip("/") + "/" + name
        return None

    def names(self) -> List[str]:
        """All services that have a unit file, templates among them, and the instances that something enables."""
        names = set()
        for folder in UNIT_PATH:
            for name in self._names[folder]:
                if name.endswith(".service") and name not in self.aliases:
                    names.add(name)
                elif name.endswith((".wants", ".requires")):  # instances of templates exist where they are enabled
                    names.update(
                        entry
                        for entry in self.files.list("%s/%s" % (folder, name))
                        if re.match(r"[^@]+@.+\.service\Z", entry)
                    )
        return sorted(names)

    def wanted_instances(self, template: str) -> List[str]:
        """Instances of a template that other units name, as in ``Wants=`` of a target."""
        stem = template.partition("@")[0]
        pattern = re.compile(r"(?<![\w@.:\\-])%s@[^\s%%/]+\.service(?!\S)" % re.escape(stem))
        found = set()
        for folder in UNIT_PATH:
            for name in self._names[folder]:
                if not name.endswith((".target", ".service", ".timer", ".path", ".socket")):
                    continue
                try:
                    content = self.files.read("%s/%s" % (folder, name))
                except OSError:
                    continue
                for line in content.split("\n") if stem + "@" in content else ():
                    if not line.lstrip().startswith(("#", ";", "ExecStop", "After", "Before")):
                        found.update(pattern.findall(line.replace("=", " ")))
        return sorted(found)

    def fragment(self, name: str) -> Optional[str]:
        """Path of the unit file that counts, an instance's own or its template's."""
        name = self.aliases.get(name, name)
        template = re.sub(r"@[^/]+\.service\Z", "@.service", name)
        for candidate in dict.fromkeys([name, template]):
            for folder in UNIT_PATH:
                path = "%s/%s" % (folder, candidate)
                if candidate in self._names[folder] and self.files.exists(path):
                    return path
        return None

    def drop_ins(self, name: str) -> List[str]:
        """Drop-ins in the order in which they apply; for one file name the strongest folder counts.

        Those of its other names are its own too (systemd: unit_load_dropin).
        """
        name = self.aliases.get(name, name)
        every = [name] + sorted(alias for alias, unit in self.aliases.items() if unit == name)
        wanted = dict.fromkeys(folder for one in every for folder in _drop_in_folders(one))
        folders = [folder for folder in wanted if folder in self._drop_ins]
        chosen: Dict[str, str] = {}
        # The stronger folder counts more than the closer name; what is for all services comes last.
        places = [(folder, suffix) for folder in UNIT_PATH for suffix in folders]
        for folder, suffix in places + [(folder, "service.d") for folder in UNIT_PATH]:
            place = "%s/%s" % (folder, suffix)
            for entry in self.files.list(place) if suffix in self._names[folder] else ():
                if entry.endswith(".conf") and entry not in chosen:
                    chosen[entry] = "%s/%s" % (place, entry)
        return [chosen[entry] for entry in sorted(chosen)]

    def load(self, name: str) -> Optional[Unit]:
        """The unit as the files define it, None where there is none. Raises OSError, Unresolvable."""
        name = self.aliases.get(name, name)
        fragment = self.fragment(name)
        if fragment is None:
            return None
        if self.files.is_masked(fragment):
            return Unit(name, fragment, None, (), {}, (), "", True)
        paths = [fragment]
        for path in self.drop_ins(name):
            if not self.files.is_masked(path):
                paths.append(path)
        settings: List[Setting] = []
        for path in paths:
            settings.extend(settings_of(self.files, self.files.read(path), path))
            if len(settings) > LIMIT_SETTINGS:
                raise Unresolvable("the unit has more than %d settings" % LIMIT_SETTINGS, path)
        return build(name, fragment, tuple(paths[1:]), settings, self.files)

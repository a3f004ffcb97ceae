# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Systemd: services of unit files, and of templates the instances.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import os
from typing import Dict, Iterator, List, Optional, Tuple

from ...host._files import HostFiles
from ...text._value import Unresolvable
from .._definition import Definition, definition_of
from .._environment import Variable, default_environment, environment_generators, lasting
from .._outcome import Outcome, outcome_of_loaded, unresolved
from .._systemd import UnitFiles
from .._unit import Loaded
from ._starter import Found, Manager, Scene, Starter


def _text(units: UnitFiles, name: str) -> str:
    fragment = units.fragment(name)
    try:
        return units.files.read(fragment) if fragment is not None else ""
    except OSError:
        return ""


class Systemd(Starter):
    """A unit, which also an init script may have been made into."""

    kinds = ("systemd",)
    counted = "%d services of systemd"

    def manager(self, files: HostFiles) -> Manager:
        """The one that runs on this machine."""
        if not os.path.isdir("/run/systemd/system"):
            return Manager()
        from .. import _service_manager as service_manager

        environment: Optional[Dict[str, Variable]] = None
        try:
            environment = lasting(service_manager.manager_environment(), files)
            return Manager(environment, service_manager.instances())
        except (service_manager.Unavailable, Unresolvable) as error:
            return Manager(environment, (), str(error))

    def find(self, scene: Scene) -> Iterator[Found]:
        """Each service that may start something, with what every service gets."""
        units = UnitFiles(scene.files)
        names = self._services(units, scene)
        environment = scene.manager.environment
        unknown: Optional[Unresolvable] = None
        if environment is None:
            try:
                environment = default_environment(scene.files)
                generators = environment_generators(scene.files)
                if generators:
                    unknown = Unresolvable(
                        "a program sets variables for all services when systemd starts", generators[0]
                    )
            except Unresolvable as error:
                unknown = error
        for name in sorted(units.aliases):
            yield Found(name, None)  # an init script of this name is not what starts, either
        for name in names:
            try:
                unit = units.load(name)
            except (Unresolvable, OSError) as error:
                known = scene.named(name, _text(units, name))
                yield Found(name, Definition(name.rsplit(".", 1)[0], name, (), {}, True) if known else None, error)
                continue
            if unit is None or unit.masked:
                yield Found(name, None)
                continue
            if unknown is not None and unit.doubt is None:
                unit = unit._replace(doubt=(unknown.reason, unknown.path))
            refused = unit.refused and scene.named("", _text(units, name))
            yield Found(name, definition_of(unit, environment), None, refused)

    def _services(self, units: UnitFiles, scene: Scene) -> List[str]:
        """Names of all services that may start something: a template does not, its instances do."""
        names = set(units.names())
        names.update(name for name in scene.manager.instances if units.fragment(name) is not None)
        for template in sorted(name for name in names if "@." in name):
            try:
                unit = units.load(template)
                starts = unit is not None and not unit.masked and scene.launches(definition_of(unit))
            except (Unresolvable, OSError):
                starts = scene.named(template, _text(units, template))
            if not starts:
                continue
            names.update(units.wanted_instances(template))
            if not any(name.startswith(template.partition("@")[0] + "@") for name in names if "@." not in name):
                scene.warnings.append(
                    "%s is the template of a service that starts a war, and no instance of it is enabled" % template
                )
        return sorted(name for name in names if "@." not in name)

    def again(self, definition: Definition, files: HostFiles) -> Optional[Definition]:
        """Unit and drop-ins read again, with what the service manager gave it before. None where its unit is gone."""
        if definition.unit is None:
            return definition
        unit = UnitFiles(files).load(definition.unit.name)
        if unit is None:
            return None
        inherited = {
            name: variable
            for name, variable in definition.environment.items()
            if name not in definition.unit.environment
        }
        return definition_of(unit, inherited)

    def loaded(
        self, definition: Definition, on_disk: Outcome, files: HostFiles, manager: Manager
    ) -> Tuple[Optional[Loaded], Outcome]:
        """What the service manager has loaded; its cgroup tells which processes are its own."""
        if manager.environment is None:
            return None, unresolved(Unresolvable(manager.problem or "no systemd runs here that could be asked"))
        from .. import _service_manager as service_manager

        name = definition.service or ""
        try:
            loaded = service_manager.loaded(name, files)
        except service_manager.Unavailable as error:
            return None, unresolved(Unresolvable(str(error)))
        except Unresolvable as error:
            try:  # which processes are its own is known all the same
                return service_manager.bare(name), unresolved(error)
            except service_manager.Unavailable:
                return None, unresolved(error)
        if definition.unit is None:
            return loaded, on_disk
        if loaded.load_state not in ("loaded", "masked"):
            return loaded, unresolved(
                Unresolvable("the service manager has the unit as '%s'; a daemon-reload is owed" % loaded.load_state)
            )
        then = definition_of(loaded.unit, manager.environment)
        return loaded, outcome_of_loaded(then, definition, on_disk, files)

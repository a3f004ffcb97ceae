# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runit and its relatives: a folder for each service, in which it starts ``run``.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

from typing import Iterator, Set

from ...host._files import HostFiles
from ...text._characters import Value
from .._definition import Start
from ._starter import Starter


class Runit(Starter):
    """``run`` scripts of runit, daemontools and s6: started in the folder of the service."""

    kinds = ("runit",)
    units = ("runit", "runsvdir", "s6")
    supervises = True
    processes = {"runsv": "runit", "s6-supervise": "s6", "supervise": "daemontools"}
    naming = ("runit", "s6", "daemontools")
    _FOLDERS = (
        "/etc/service/*",
        "/service/*",
        "/var/service/*",
        "/etc/runit/runsvdir/*/*",
        "/run/service/*",
        "/etc/sv/*",
        "/etc/s6/*",
        "/etc/s6/sv/*",
        "/etc/s6-rc/source/*",
    )

    def starts(self, files: HostFiles) -> Iterator[Start]:
        """Each service, once, whatever links lead to it."""
        seen: Set[str] = set()
        for pattern in self._FOLDERS:
            for folder in files.glob(pattern):
                path = folder + "/run"
                if not files.exists(path):
                    continue
                place = files.canonical(folder)
                if place in seen:
                    continue
                seen.add(place)
                name = folder.rpartition("/")[2]
                yield Start(
                    self.kinds[0],
                    "service " + name,
                    path,
                    1,
                    (Value.of(path),),
                    {},
                    "root",
                    place,
                    "in %s put the flag before -jar, or into the file that sets its options, then sv restart %s"
                    % (path, name),
                )

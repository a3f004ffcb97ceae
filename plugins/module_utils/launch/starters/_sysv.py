# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SysV init: scripts in /etc/init.d that are no units.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

from typing import Iterator

from ...host._files import BACKUP_SUFFIX
from ...shell._walk import interpreted, read_script
from .._definition import INIT_FOLDER, init_definition
from ._starter import Found, Scene, Starter


class SysV(Starter):
    """An init script, where no systemd runs, or in an image of it; it has no state, and its JVM is known by its war."""

    kinds = ("init script",)
    counted = "%d init scripts"

    def find(self, scene: Scene) -> Iterator[Found]:
        """Each that is a shell script, and that systemd makes no unit of."""
        for name in scene.files.list(INIT_FOLDER):
            if name.endswith(BACKUP_SUFFIX):
                continue
            path = "%s/%s" % (INIT_FOLDER, name)
            is_mine = name + ".service" not in scene.services and (
                read_script(scene.files, path) or interpreted(scene.files, path)
            )
            yield Found(name, init_definition(name) if is_mine else None)

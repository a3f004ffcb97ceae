# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the boot itself starts: rc.local, inittab, jobs of Upstart.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import re
from typing import Collection, Iterator

from ...host._files import HostFiles
from ...text._characters import Value
from ...text._value import line_of
from .._definition import Start
from ._starter import Starter, in_shell, read


class Boot(Starter):
    """``/etc/rc.local`` where no unit runs it, and commands of ``/etc/inittab``."""

    kinds = ("rc.local", "inittab", "Upstart")
    units = ("rc-local", "rc.local")

    def is_started_by_unit(self, start: Start, services: Collection[str]) -> bool:
        """systemd has a unit for it."""
        return start.path.startswith("/etc/rc") and not {"rc-local.service", "rc.local.service"}.isdisjoint(services)

    def starts(self, files: HostFiles) -> Iterator[Start]:
        """Both."""
        for path in ("/etc/rc.local", "/etc/rc.d/rc.local", "/etc/local.d/*.start"):
            for found in files.glob(path):
                yield Start(
                    self.kinds[0],
                    "",
                    found,
                    1,
                    (Value.of(found),),
                    {},
                    "root",
                    "/",
                    "in %s put the flag before -jar" % found,
                )
        at = 0
        for number, line in enumerate(read(files, "/etc/inittab").split("\n"), 1):
            start, at = at, at + len(line) + 1
            match = re.match(r"([^#:\s][^:]*):[^:]*:(?:respawn|wait|once|boot|bootwait|ondemand):(.+)", line)
            if match:
                yield Start(
                    "inittab",
                    "entry " + match.group(1),
                    "/etc/inittab",
                    number,
                    in_shell(Value.of(match.group(2), "/etc/inittab", start + match.start(2))),
                    {},
                    "root",
                    "/",
                    "in line %d of /etc/inittab put the flag before -jar" % number,
                )
        for path in files.glob("/etc/init/*.conf"):  # Upstart
            text = read(files, path)
            match = re.search(
                r"^[ \t]*exec[ \t]+(.+)$|^[ \t]*script[ \t]*\n(.*?)^[ \t]*end script",
                text,
                re.MULTILINE | re.DOTALL if "end script" in text else re.MULTILINE,
            )
            if match:
                number = 1 if match.group(1) else 2
                yield Start(
                    "Upstart",
                    "job " + path.rpartition("/")[2][: -len(".conf")],
                    path,
                    line_of(text, match.start(number)),
                    in_shell(Value.of(match.group(number), path, match.start(number))),
                    {},
                    "root",
                    "/",
                    "in %s put the flag before -jar" % path,
                )

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users' own service managers: units that run at boot for those who linger.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

from typing import Iterator, Optional, Set

from ...host._file_systems import Silent
from ...host._files import HostFiles
from ...text._value import Unresolvable
from .._commands import substitute
from .._definition import Start
from .._unit import build
from .._unit_syntax import parse_unit
from ._starter import Starter, accounts, is_ordinary, logs_in


class UserUnits(Starter):
    """Units of users' own service managers, which run at boot for those who linger."""

    kinds = ("user unit",)
    _FOR_ALL = ("/etc/systemd/user", "/usr/local/lib/systemd/user", "/usr/lib/systemd/user")

    def starts(self, files: HostFiles) -> Iterator[Start]:
        """Each unit of users who linger: others' do not start with the machine, and their homes are not looked into."""
        lingering = files.list("/var/lib/systemd/linger")
        # Those of people come last: whatever they have there, it hides nobody else's.
        for fields in sorted(accounts(files), key=logs_in) if lingering else []:
            user, home = fields[0], fields[5].rstrip("/")
            if user not in lingering or not home.startswith("/"):
                continue
            seen: Set[str] = set()  # the first of a name counts
            folders = (home + "/.config/systemd/user",) + self._FOR_ALL
            for folder in folders[:2] + (home + "/.local/share/systemd/user",) + folders[2:]:
                for name in files.list(folder):
                    if name.endswith(".service") and name not in seen:
                        seen.add(name)
                        instances = "%s/*.wants/%s" % (folders[0], name.replace("@.", "@*."))
                        if name.endswith("@.service") and not files.glob(instances):
                            continue  # a template that nothing is made of
                        start = self._of(files, folder, name, user, home)
                        if start is not None:
                            yield start

    def _of(self, files: HostFiles, folder: str, name: str, user: str, home: str) -> Optional[Start]:
        path = "%s/%s" % (folder, name)
        drop_ins = [
            found
            for place in dict.fromkeys([folder, home + "/.config/systemd/user", "/etc/systemd/user"])
            for found in files.glob("%s/%s.d/*.conf" % (place, name))
        ]
        settings = []
        advice = (
            "as %s: systemctl --user edit %s, with the flag in the variable of the JVM's options, then systemctl "
            "--user restart %s" % (user, name, name)
        )
        known = Start(
            self.kinds[0],
            "%s of %s" % (name, user),
            path,
            1,
            (),
            {},
            user,
            home,
            advice,
            by_anybody=folder not in self._FOR_ALL and is_ordinary(files, user),
        )
        if files.is_masked(path):
            return None
        try:
            for place in [path] + sorted(drop_ins, key=lambda one: one.rpartition("/")[2]):
                text = files.read(place)
                # In a user's manager they stand for the user.
                text = text.replace("%h", home).replace("%u", user)
                settings.extend(parse_unit(text, place))
            unit = build(name, path, tuple(drop_ins), settings, files)
        except Silent:
            raise
        except (OSError, Unresolvable) as error:
            return known._replace(reason="the unit cannot be read: %s" % getattr(error, "strerror", error))
        directory = unit.folder if unit.folder not in (None, "/") else home
        command = unit.exec_start[-1] if unit.exec_start else ()
        return known._replace(
            command=tuple(substitute(command, unit.environment)),
            environment=unit.environment,
            directory=directory,
            unit=unit,
            reason=unit.doubt[0] if unit.doubt else None,
        )

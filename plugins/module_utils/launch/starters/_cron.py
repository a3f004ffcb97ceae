# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cron and its relatives: lines of tables.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import re
from typing import Dict, Iterator, List, Optional

from ...host._files import HostFiles
from ...shell._login import account, pam_environment
from ...text._characters import Run, Value
from .._definition import Start
from .._environment import Variable
from ._starter import Starter, accounts, in_shell, is_ordinary, logs_in, read, variables


class Cron(Starter):
    """Crontabs: of the machine (with a column for the user) and of users."""

    kinds = ("cron",)
    units = ("anacron", "atd", "cron", "crond", "fcron")
    for_users = True
    processes = {"cron": "cron", "crond": "cron", "atd": "at"}
    _OF_THE_MACHINE = ("/etc/crontab", "/etc/cron.d/*", "/etc/anacrontab")
    _OF_USERS = ("/var/spool/cron/crontabs/*", "/var/spool/cron/*", "/var/spool/cron/tabs/*", "/etc/crontabs/*")
    _LINE = re.compile(r"[ \t]*(?:(@\w+)|(?:[\d*/,A-Za-z?~-]+[ \t]+){5})[ \t]*")
    _ANACRON = re.compile(r"[ \t]*(@?\w+)[ \t]+\d+[ \t]+\S+[ \t]+")
    _ASSIGNMENT = re.compile(r"[ \t]*([A-Za-z_]\w*)[ \t]*=[ \t]*(.*?)[ \t]*\Z")

    def starts(self, files: HostFiles) -> Iterator[Start]:
        """Each line."""
        for pattern in self._OF_THE_MACHINE:
            for path in files.glob(pattern):
                yield from self._lines(files, path, None)
        theirs = [path for pattern in self._OF_USERS for path in files.glob(pattern)]
        # Those of people come last: however many lines they have, they hide nobody else's behind the limit.
        people = {fields[0] for fields in accounts(files) if logs_in(fields)} if theirs else set()
        for path in sorted(theirs, key=lambda path: path.rpartition("/")[2] in people):
            yield from self._lines(files, path, path.rpartition("/")[2])

    def _lines(self, files: HostFiles, path: str, user: Optional[str]) -> Iterator[Start]:
        environment: Dict[str, Variable] = {}
        at = 0
        count: Dict[str, int] = {}
        anacron = path == "/etc/anacrontab"
        for number, line in enumerate(read(files, path).split("\n"), 1):
            start, at = at, at + len(line) + 1
            body = line.rstrip("\r")
            if not body.strip() or body.lstrip().startswith("#"):
                continue
            when = (self._ANACRON if anacron else self._LINE).match(body)
            assigned = None if when else self._ASSIGNMENT.match(body)
            if assigned:
                text, begin = assigned.group(2), start + assigned.start(2)
                if len(text) > 1 and text[0] in "'\"" and text[-1] == text[0]:
                    text, begin = text[1:-1], begin + 1
                environment[assigned.group(1)] = Variable(Value.of(text, path, begin), path, start, "Environment")
            if not when:
                continue
            begin, who = when.end(), user
            if who is None and not anacron:
                column = re.compile(r"(\S+)[ \t]+").match(body, begin)
                if column is None:
                    continue
                begin, who = column.end(), column.group(1)
            who = who or "root"
            command: List[Run] = []
            for match in re.finditer(r"\\%|%|[^\\%]+|\\", body[begin:]):
                if match.group(0) == "%":
                    break  # what follows is its input
                command.append(Run(match.group(0).replace("\\%", "%"), path, start + begin + match.start()))
            name = (when.group(1) or "line") if not anacron else "anacron"
            count[name] = count.get(name, 0) + 1
            own = {key: variable for key, variable in variables(account(files, who)).items() if key != "SHELL"}
            own.update({key: Variable(value, "", 0, "") for key, value in pam_environment(files, "cron").items()})
            own.update(environment)
            shell = environment["SHELL"].value.text if "SHELL" in environment else "/bin/sh"
            yield Start(
                self.kinds[0],
                name if count[name] == 1 else "%s (%d)" % (name, count[name]),
                path,
                number,
                in_shell(Value(command), shell),
                own,
                who,
                own["HOME"].value.text if "HOME" in own else "",
                "in line %d of %s put the flag before -jar" % (number, path),
                by_anybody=user is not None and is_ordinary(files, user),
                editable=user is None,
            )

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Monit: programs that it starts where a check fails (mmonit.com/monit/documentation).

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import re
from typing import Iterator, List

from ...host._files import HostFiles
from ...text._characters import Value
from ...text._value import line_of
from .._definition import Start
from .._unit_syntax import split_words
from ._starter import Starter, read


class Monit(Starter):
    """``check process … start program = "…"`` (mmonit.com/monit/documentation)."""

    kinds = ("monit",)
    units = ("monit",)
    supervises = True
    processes = {"monit": "monit"}
    told = (("MONIT_SERVICE", "monit service %s"),)
    _MAIN = ("/etc/monitrc", "/etc/monit/monitrc", "/etc/monit.conf", "/usr/local/etc/monitrc")
    _PARTS = ("/etc/monit/conf.d/*", "/etc/monit/conf-enabled/*", "/etc/monit.d/*")
    _COMMENT = re.compile(r"^[ \t]*#.*$", re.MULTILINE)
    _CHECK = re.compile(r"^[ \t]*check[ \t]+\w+[ \t]+(\"[^\"]*\"|'[^']*'|\S+)", re.MULTILINE | re.IGNORECASE)
    _START = re.compile(
        r"\b(?:re)?start(?:[ \t]+program)?\s*=?\s*(\"[^\"]*\"|'[^']*')"
        r"(?:\s+as\s+uid\s+(\"[^\"]*\"|[^\s\"]+))?",
        re.IGNORECASE,
    )

    def starts(self, files: HostFiles) -> Iterator[Start]:
        """Each program that it starts."""
        paths: List[str] = []
        for main in self._MAIN:
            text = read(files, main)
            paths.extend([main] if text else [])
            for match in re.finditer(r"^[ \t]*include[ \t]+(\S+)", text, re.MULTILINE | re.IGNORECASE):
                paths.extend(files.glob(match.group(1)) if match.group(1).startswith("/") else [])
        for pattern in self._PARTS:
            paths.extend(files.glob(pattern))
        for path in dict.fromkeys(paths):
            text = self._COMMENT.sub(lambda match: " " * len(match.group(0)), read(files, path))
            checks = list(self._CHECK.finditer(text))
            for check, following in zip(checks, checks[1:] + [None]):
                end = following.start() if following is not None else len(text)
                for match in self._START.finditer(text, check.end(), end):
                    command = Value.of(match.group(1)[1:-1], path, match.start(1) + 1)
                    name = check.group(1).strip("\"'")
                    yield Start(
                        self.kinds[0],
                        "service " + name,
                        path,
                        line_of(text, match.start()),
                        tuple(split_words(command, True, False)),
                        {},
                        (match.group(2) or "root").strip('"'),
                        "/",
                        "in the start program of %s in %s put the flag before -jar, then monit reload" % (name, path),
                    )
                    break

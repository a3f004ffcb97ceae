# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Supervisord: programs of INI files (supervisord.org/configuration.html).

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import os
import posixpath
import re
from typing import Callable, Dict, Iterable, Iterator, List, Match, NamedTuple, Optional, Sequence

from ...host._file_systems import look
from ...host._files import HostFiles, native
from ...text._characters import EMPTY, Run, Value
from ...text._value import Text, line_of
from .._definition import Definition, Start
from .._environment import Variable
from .._unit_syntax import split_words
from ._starter import Starter, read

#: What supervisord puts a text in the place of.
_PLACE = re.compile(r"%(?:%|\(([A-Za-z_]\w*)\)[0-9]*[sd])")


class _Item(NamedTuple):
    """One ``key = value`` of an INI file, its continued lines joined."""

    section: str
    key: str
    value: Value
    position: int


def _ini(content: str, path: str) -> List[_Item]:
    """As Python's configparser reads it for supervisord: ``;`` behind a blank begins a comment."""
    found: List[_Item] = []
    section = ""
    at = 0
    for line in content.splitlines(True):
        start, at = at, at + len(line)
        body = re.sub(r"(?:^|\s);.*", "", line.rstrip("\r\n"))
        if not body.strip() or line.lstrip()[:1] in ("#", ";"):
            continue
        lead = len(body) - len(body.lstrip())
        header = re.match(r"\[([^\]]+)\]", body)
        if header:
            section = header.group(1)
        elif lead and found and found[-1].section == section:
            last = found[-1]
            found[-1] = last._replace(value=last.value + [Run("\n"), Run(body.strip(), path, start + lead)])
        else:
            match = re.match(r"([^=:]*?)\s*[=:]\s*", body)
            if match:
                found.append(
                    _Item(
                        section,
                        match.group(1).strip().lower(),
                        Value.of(body[match.end() :].rstrip(), path, start + match.end()),
                        start,
                    )
                )
    return found


class Supervisord(Starter):
    """``[program:x]`` (supervisord.org/configuration.html)."""

    kinds = ("supervisord",)
    units = ("supervisor", "supervisord")
    supervises = True
    processes = {"supervisord": "supervisord"}
    told = (("SUPERVISOR_PROCESS_NAME", "supervisord program %s"),)
    _MAIN = (
        "/etc/supervisord.conf",
        "/etc/supervisor/supervisord.conf",
        "/etc/supervisor.conf",
        "/usr/local/etc/supervisord.conf",
        "/opt/supervisor/supervisord.conf",
    )
    _PARTS = ("/etc/supervisor/conf.d/*", "/etc/supervisord.d/*", "/etc/supervisor.d/*")

    def starts(self, files: HostFiles) -> Iterator[Start]:
        """Each program of the main file and what it includes; of the usual folders also where nothing includes them."""
        paths: List[str] = []
        common: List[_Item] = []
        for main in self._MAIN:
            items = _ini(read(files, main), main)
            paths.extend([main] if items else [])
            common.extend(item for item in items if item.section == "supervisord")
            for item in items:
                if item.section == "include" and item.key == "files":
                    for pattern in item.value.text.replace("%(here)s", main.rpartition("/")[0]).split():
                        paths.extend(files.glob(posixpath.join(main.rpartition("/")[0], pattern)))
        for pattern in self._PARTS:
            paths.extend(files.glob(pattern))
        for path in dict.fromkeys(paths):
            yield from self._programs(files, path, common)

    def _programs(self, files: HostFiles, path: str, common: Sequence[_Item]) -> Iterator[Start]:
        content = read(files, path)
        items = _ini(content, path)
        for section in dict.fromkeys(item.section for item in items):
            if not section.startswith(("program:", "eventlistener:", "fcgi-program:")):
                continue
            mine = {item.key: item for item in items if item.section == section}
            if "command" not in mine:
                continue
            name = section.partition(":")[2]

            def value(key: str, name: str = name, mine: Dict[str, _Item] = mine) -> Value:
                found = mine.get(key) or next((item for item in common if item.key == key), None)
                return self._put_in(found.value, name, path) if found is not None else EMPTY

            environment: Dict[str, Variable] = {}
            own = [mine["environment"]] if "environment" in mine else []
            for item in [one for one in common if one.key == "environment"] + own:
                environment.update(self._environment(self._put_in(item.value, name, path), path))
            user = value("user").text or "root"
            yield Start(
                self.kinds[0],
                "program " + name,
                path,
                line_of(content, mine["command"].position),
                tuple(split_words(value("command"), True, False)),
                environment,
                user,
                value("directory").text,
                "in [%s] of %s write the flag before -jar, or into environment= as JAVA_TOOL_OPTIONS, then "
                "supervisorctl update" % (section, path),
                editable=True,
            )

    def unread(self, definition: Definition, began: Callable[[str], List[float]]) -> Optional[str]:
        """It reads its files when it begins, and when it is told to; it starts again what it has read."""
        path = definition.start.path if definition.start is not None else ""
        try:
            real = native(path)
            written = look(real, lambda: max(os.stat(real).st_mtime, os.stat(real).st_ctime))
            if all(written <= one for one in began("supervisord")):
                return None
        except OSError as error:
            return "whether supervisord has read %s is not known: %s" % (path, error.strerror)
        return (
            "supervisord began before %s was written, and whether it has read it since is not known; supervisorctl "
            "update makes it" % path
        )

    @staticmethod
    def _put_in(value: Value, name: str, path: str) -> Value:
        known = {"program_name": name, "group_name": name, "here": path.rpartition("/")[0]}

        def instead(match: Match[str]) -> Iterable[Run]:
            place, key = value.origin(match.start()), match.group(1)
            text = "%" if key is None else known.get(key)
            unknown = "%%(%s)s of supervisord" % key if text is None else None
            # What is not known may be many words, and options: it is put in before the line is split.
            return (Run(text or "", place.path, place.position, False, unknown),)

        return value.replaced(_PLACE, instead)

    @staticmethod
    def _environment(value: Value, path: str) -> Dict[str, Variable]:
        """``A="x",B='y'``: commas and blanks separate, quotes hold together."""
        found = {}
        text = Text.from_value(value)
        pattern = re.compile(r"([A-Za-z_]\w*)\s*=\s*(\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^,\s]*)")
        for match in pattern.finditer(text.characters):
            start, end = match.span(2)
            quoted = match.group(2)[:1] in ("'", '"')
            position = text.origin(start)[1]
            found[match.group(1)] = Variable(
                text.runs(start + quoted, end - quoted, quoted), path, position, "Environment"
            )
        return found

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every place in the files of an installation where the flag is written, and why those are dead that do not count.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import re
from bisect import bisect_left
from typing import Iterator, List, NamedTuple, Optional, Sequence, Tuple

from ..host._files import HostFiles
from ..java._jvm import Switch
from ..shell._cursor import ShellSyntaxError
from ..shell._read import parsed
from ..text._value import Text, Unresolvable, line_of
from ._definition import INIT_FOLDER, Definition, program_path, seen_by
from ._live import Live
from ._outcome import UNRESOLVABLE, Outcome, place_of
from ._unit_syntax import settings_of, split_words

LIMIT_LISTED = 200  # mentions of one file that are listed, beside those that count
_FIRST = re.compile(r"[ \t]*(.?)", re.DOTALL)


class Declaration(NamedTuple):
    """A mention of the property in a file, live or dead."""

    path: str
    line: int
    variable: Optional[str]
    value: str
    live: bool
    reason: Optional[str]


def related_files(definition: Definition, result: Outcome, files: HostFiles) -> List[str]:
    """Files in which somebody may have put the flag for this installation, read or not."""
    paths: List[str] = []
    stems = [definition.name] + [program.rsplit("/", 1)[-1].rsplit(".", 1)[0] for program in result.programs]
    for stem in dict.fromkeys(stems):
        if "/" not in stem:
            paths.extend(folder + "/" + stem for folder in ("/etc/default", "/etc/sysconfig", INIT_FOLDER))
    if definition.unit is not None:
        paths.extend(filter(None, [definition.unit.fragment]))
        paths.extend(definition.unit.drop_ins)
        paths.extend(variable.path for variable in definition.unit.environment.values())
    if result.walk is not None:
        paths.extend(result.walk.sourced + result.walk.followed + result.walk.texts)
    paths.extend(mention.path for mention in result.mentions if mention.path is not None)
    program = program_path(definition)
    if program:
        try:
            paths.append(seen_by(definition, files).origin(program))
        except OSError:
            pass
    return [path for path in dict.fromkeys(paths) if path.startswith("/")]


def declarations(definition: Definition, result: Outcome, live: Optional[Live], files: HostFiles) -> List[Declaration]:
    """All mentions of the flag around an installation, each live or dead and why."""
    effective = {(one.path, one.position): index for index, one in enumerate(result.mentions)}
    winner = "%s:%s" % place_of(files, result.mentions[-1]) if result.mentions else ""
    read = set(result.walk.sourced + result.walk.followed + result.walk.texts) if result.walk is not None else set()
    if definition.unit is not None:
        read.update(filter(None, [definition.unit.fragment]))
        read.update(definition.unit.drop_ins)
        read.update(variable.path for variable in definition.unit.environment.values())
    found: List[Tuple[int, Declaration]] = []
    switch, name = definition.switch, definition.switch.name
    if switch.environment:
        mention = re.compile(r"(?<![\w.$-])%s=[\"']?()([^\s\"'\\;)]*)" % re.escape(name))
    else:
        mention = re.compile(r"()-D" + re.escape(name) + r"(?:=([^\s\"'\\;)]*))?(?![\w.-])")
    for path in related_files(definition, result, files):
        try:
            content = files.read(path)
        except OSError:
            continue
        if name not in content:
            continue
        matches = list(mention.finditer(content))
        listed = [
            match for number, match in enumerate(matches) if number < LIMIT_LISTED or (path, match.end(1)) in effective
        ]
        variables, commented = _circumstances(files, content, path, [match.start() for match in listed])
        for match, variable, in_comment in zip(listed, variables, commented):
            line = line_of(content, match.start())
            order = effective.get((path, match.end(1)), -1)
            reason: Optional[str] = None
            if order < 0:
                reason = _why_dead(in_comment, variable, path in read, live, result, switch)
            elif order < len(result.mentions) - 1:
                reason = "overridden by %s" % winner
            value = switch.shown(match.group(2) or "") if switch.environment else match.group(2) or ""
            found.append((order, Declaration(path, line, variable, value, reason is None, reason)))
        if len(listed) < len(matches):
            found.append(
                (
                    -1,
                    Declaration(
                        path,
                        line_of(content, matches[LIMIT_LISTED].start()),
                        None,
                        "",
                        False,
                        "the file holds %d mentions more, which are not listed" % (len(matches) - len(listed)),
                    ),
                )
            )
    return [item for _order, item in sorted(found, key=lambda pair: pair[0])]


def _circumstances(
    files: HostFiles, content: str, path: str, positions: Sequence[int]
) -> Tuple[List[Optional[str]], List[bool]]:
    """For places in a file (in rising order): the variable that is assigned there, and whether it is a comment."""
    variables: List[Optional[str]] = [None] * len(positions)
    commented = [False] * len(positions)
    start = -1
    for number, position in enumerate(positions):
        previous = positions[number - 1] if number else 0
        end = content.rfind("\n", previous, position)
        if start < 0 or end >= 0:  # a line that was not looked at yet
            start = (end if end >= 0 else content.rfind("\n", 0, previous)) + 1
            first = _FIRST.match(content, start)
            comment = first is not None and first.group(1) in ("#;" if path.endswith((".service", ".conf")) else "#")
        commented[number] = comment

    def inside(begin: int, end: int) -> range:
        return range(bisect_left(positions, begin), bisect_left(positions, end))

    if path.endswith((".service", ".conf")) and "/systemd/" in path:
        for begin, end, name in _assigned_in_unit(files, content, path):
            for number in inside(begin, end):
                variables[number] = variables[number] or name
        return variables, commented
    try:
        read = parsed(files, Text(content, path))
    except ShellSyntaxError:
        return variables, commented
    for assignment in read.assignments:  # inner ones come before those that they stand in
        for number in inside(assignment.start, assignment.end):
            variables[number] = variables[number] or assignment.name
    if not path.endswith((".service", ".conf")):
        for begin, end in read.comments + read.heredocs:
            for number in inside(begin, end):
                commented[number] = True
    return variables, commented


def _assigned_in_unit(files: HostFiles, content: str, path: str) -> Iterator[Tuple[int, int, str]]:
    """Where the assignments of a unit file or drop-in stand, and to which variable."""
    try:
        settings = settings_of(files, content, path)
    except Unresolvable:
        return
    for setting in settings:
        for word in split_words(setting.value) if setting.key == "Environment" else []:
            runs = [run for run in word if run.path]
            if runs:
                yield runs[0].position, runs[-1].position + len(runs[-1].text), word.text.partition("=")[0]


def _why_dead(
    in_comment: bool, variable: Optional[str], is_read: bool, live: Optional[Live], result: Outcome, switch: Switch
) -> str:
    if in_comment:
        return "it is a comment"
    if result.verdict == UNRESOLVABLE and not result.mentions:
        return "whether it is read is not known: %s" % result.reason
    if not is_read:
        return "nothing that starts the service reads this file"
    if switch.environment:
        return "it is not handed on to the JVM, or a later assignment of %s replaces it" % switch.name
    if variable is not None and live is not None and live.variable and variable != live.variable:
        return "the launcher reads %s" % live.variable
    if variable is not None:
        return "a later assignment of %s replaces it, or it stands in a branch that is not taken" % variable
    return "it is not among the options of the JVM (after the war, or not part of a command)"

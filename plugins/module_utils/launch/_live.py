# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which variable is live: the one in which a word more arrives among the options of the JVM.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import re
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Set, Tuple

from ..host._files import HostFiles
from ..java._jvm import TELEMETRY
from ..java._tomcat import BOOTSTRAP
from ..shell._read import assignments
from ..text._characters import EMPTY, Run, Value
from ._definition import Definition, program_path, seen_by
from ._outcome import Outcome, in_tomcat, judged_again, outcome

#: Variables that packages and images use for JVM options, tried first when looking for the live one.
KNOWN_VARIABLES = ("JAVA_ARGS", "JENKINS_JAVA_OPTIONS", "CATALINA_OPTS", "JAVA_OPTS", "JENKINS_JAVA_OPTS")
#: A word that no launch file contains; where it arrives among the JVM's options, the way there is live.
PROBE = "-Dcbops.telemetry.probe=live"
#: What stands before the program among the words of a ``java``: there its options end.
MAIN = re.compile(r"(?<![^\s\"'])(?:-jar|%s|executable\.Main|winstone\.Launcher)(?![^\s\"'])" % re.escape(BOOTSTRAP))
#: Names of variables that hold options; another one that reaches the JVM too may name the program (JAVA=/usr/bin/java).
_HOLDS_OPTIONS = re.compile(r"OPT|ARG|FLAG|PARAM", re.IGNORECASE)
#: What finding the live launch file may cost, as LIMIT_WORK of shell/_words counts it; a try costs something by itself.
LIMIT_TRYING = 3000000
_TRY = 1000


class Live(NamedTuple):
    """The place where a JVM option has to be written so that the next start has it."""

    path: str
    variable: Optional[str]  # None: the command line itself
    reader: str  # shell | Environment | EnvironmentFile | command line
    array: bool = False
    fresh: bool = False  # the variable is not set there yet


def _bare(result: Outcome) -> Set[Any]:
    """The vectors without the probe, and without variables that hold nothing else: such a one is as good as none."""
    found = set()
    for vector in result.vectors:
        layers = [one._replace(words=tuple(word for word in one.words if word != PROBE)) for one in vector]
        found.add(tuple(one for one in layers if one.words or one.name in ("options", "program")))
    return found


def same_but_probe(before: Outcome, after: Outcome) -> bool:
    """True where the second differs from the first by the probe word alone, and that on every way."""
    if not _keeps_starts(before, after):
        return False
    for vector in after.vectors:
        if all(PROBE not in one.words for one in vector if one.name != "program"):
            return False
    return bool(after.vectors) and _bare(after) == _bare(before)


def same_vectors(before: Outcome, after: Outcome) -> bool:
    """True where two outcomes differ at most in mentions of the property."""
    return bool(after.vectors) and _bare(after) == _bare(before) and _keeps_starts(before, after)


def _keeps_starts(before: Outcome, after: Outcome) -> bool:
    """True where no more ways through the launch files end without a JVM than before."""
    return (
        before.walk is None
        or after.walk is None
        or (after.walk.ways - len(after.walk.paths) <= before.walk.ways - len(before.walk.paths))
    )


def append_assignment(content: str, line: str) -> str:
    """A file's text with one more line, in its own line ends, and no final newline where it had none."""
    end = "\r\n" if "\r\n" in content and "\n" not in content.replace("\r\n", "") else "\n"
    if not content or content.endswith("\n"):
        return content + line + end
    return content + end + line


def shell_append(variable: str, word: str, array: bool) -> str:
    """A shell assignment that keeps what was there."""
    return "%s+=(%s)" % (variable, word) if array else '%s="$%s %s"' % (variable, variable, word)


def live_of(definition: Definition, files: HostFiles, before: Outcome) -> Optional[Live]:
    """The live launch file and variable; None where there is none, or where finding it would take too long."""
    return next(lives_of(definition, files, before), None)


def lives_of(definition: Definition, files: HostFiles, before: Outcome) -> Iterator[Live]:  # noqa: C901 -- one list of readers, strongest first
    """Where one more option would arrive at the JVM, found by trying in memory; the best place first.

    That is one which assigns the variable already, then the file that is named after the service. A file that others
    than this installation read is none (:meth:`HostFiles.may_be_edited`).
    """
    if definition.switch.environment:  # it goes where an option would
        definition, before = definition._replace(switch=TELEMETRY), judged_again(before, TELEMETRY, files)
    if before.walk is None:
        return
    seen_by(definition, files)  # from here on it is known what in a service's own root is a package's
    result = before.walk
    until = files.work[0] + LIMIT_TRYING

    def tried(content: Dict[str, Optional[str]], extra: Optional[Dict[str, Value]] = None) -> bool:
        files.work[0] += _TRY
        return files.work[0] < until and same_but_probe(
            before, outcome(definition, files.with_candidates(content), extra)
        )

    sourced = _sourced_variables(definition, files, before)
    environment = _unit_variables(definition, before)
    for rank in range(_RANKS):
        for path, name, array, assigned in sourced.get(rank, ()):
            if files.work[0] >= until:
                return
            try:
                content = files.read(path)
            except OSError:
                continue  # it is gone
            files.work[0] += len(content) // 8
            if tried({path: append_assignment(content, shell_append(name, PROBE, array))}):
                yield Live(path, name, "shell", array, not assigned)
        for name in environment.get(rank, ()):
            variable = definition.unit.environment.get(name) if definition.unit is not None else None
            if variable is not None and variable.reader != "Environment" and not files.may_be_edited(variable.path):
                continue
            value = variable.value if variable is not None else EMPTY
            if tried({}, {name: value + [Run(" " + PROBE)]}):
                if variable is not None:
                    yield Live(variable.path, name, variable.reader)
                elif definition.unit is not None:
                    yield Live(definition.unit.fragment or "", name, "Environment", False, True)
    for path in reversed(result.followed):
        if files.may_be_edited(path):
            yield Live(path, None, "command line")
    for path in reversed(result.sourced):  # a library of functions
        try:
            if files.may_be_edited(path) and MAIN.search(files.read(path)):
                yield Live(path, None, "command line")
        except OSError:
            continue  # it is gone
    by_start = definition.start is not None and definition.start.editable
    if (definition.unit is not None or by_start) and before.programs:
        command = [run for word in definition.program for run in word if run.path]
        if any(MAIN.search(run.text) for run in command):  # also inside the string of a "sh -c"
            for place in dict.fromkeys(run.path for run in command):
                if place is not None and files.may_be_edited(place):
                    yield Live(place, None, "command line")


#: Of places for an option: where a variable that holds options is assigned, the file named after the service, any other
#: file that is read, and where something else is assigned that reaches the JVM.
_ASSIGNED, _NAMED, _OTHER, _ANYTHING, _RANKS = range(5)


def _sourced_variables(
    definition: Definition, files: HostFiles, before: Outcome
) -> Dict[int, List[Tuple[str, str, bool, bool]]]:
    """Where an assignment could be appended in sourced files, by rank: path, name, whether as array, if it is assigned.

    The file that is sourced last comes first.
    """
    result = before.walk
    found: Dict[int, List[Tuple[str, str, bool, bool]]] = {}
    if result is None:
        return found
    read = set(result.names)
    stems = {definition.name} | {program.rsplit("/", 1)[-1].rsplit(".", 1)[0] for program in before.programs}
    for path in reversed(result.sourced):
        if not files.may_be_edited(path):
            continue
        try:
            content = files.read(path)
        except OSError:
            continue
        files.work[0] += len(content) // 8
        assigned = assigned_in(files, content, path)
        names = [name for name in KNOWN_VARIABLES if name in read]
        names += [name for name in result.names if name in assigned and name not in KNOWN_VARIABLES]
        for name in names:
            if name in assigned:
                rank = _ASSIGNED if _HOLDS_OPTIONS.search(name) else _ANYTHING
            else:
                rank = _NAMED if path.rsplit("/", 1)[-1].rsplit(".", 1)[0] in stems else _OTHER
            for array in [True, False] if assigned.get(name) else [False]:
                found.setdefault(rank, []).append((path, name, array, name in assigned))
    return found


def assigned_in(files: HostFiles, content: str, path: str) -> Dict[str, bool]:
    """The variables that a file of a shell assigns, each with whether one of its assignments makes it an array."""
    assigned: Dict[str, bool] = {}
    for assignment in assignments(files, content, path):
        is_array = assignment.array is not None or assignment.element is not None
        assigned[assignment.name] = assigned.get(assignment.name, False) or is_array
    return assigned


def _unit_variables(definition: Definition, before: Outcome) -> Dict[int, List[str]]:
    """Variables that the unit sets, or could set, by rank."""
    if definition.unit is None or before.walk is None:
        return {}
    known, read = definition.unit.environment, set(before.walk.names)
    options = [name for name in KNOWN_VARIABLES if name in known]
    others = [name for name in known if name in read and name not in KNOWN_VARIABLES]
    return {
        _ASSIGNED: options + [name for name in others if _HOLDS_OPTIONS.search(name)],
        _OTHER: [name for name in KNOWN_VARIABLES if name in read and name not in known],
        _ANYTHING: [name for name in others if not _HOLDS_OPTIONS.search(name)],
    }


def packaging_of(definition: Definition, live: Optional[Live], result: Outcome) -> str:
    """tomcat, deb, rpm, systemd or script: by what is started and where the live launch file is."""
    if in_tomcat(result):
        return "tomcat"
    path = live.path if live is not None else (program_path(definition) or "")
    if path.startswith("/etc/default/"):
        return "deb"
    if path.startswith("/etc/sysconfig/"):
        return "rpm"
    if live is not None and live.reader in ("Environment", "EnvironmentFile"):
        return "systemd"
    return "script"

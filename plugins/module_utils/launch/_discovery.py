# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which operations centers and controllers are installed here, and what their launch configuration says.

An installation is found by what its service really starts, not by the distribution. Its launch files are
followed to the ``java`` command (:mod:`shell._walk`, :mod:`_systemd`); a variable is *live* where a change of
it changes that command. Private to this collection. Python 3.6+, standard library only.
"""

import re
from functools import partial
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from ..host._file_systems import Silent
from ..host._files import HostFiles
from ..java._jvm import PROPERTY
from ..java._tomcat import BOOTSTRAP
from ..java._war import OF_INTEREST, attributes_of, is_ours, is_product
from ..shell._parser import BASH
from ..shell._reach import TELLS, Reached, reached
from ..shell._walk import interpreted, read_script
from ..text._characters import Value
from ..text._value import Unresolvable
from ._definition import Definition, Start, program_path, script_definition, script_words, seen_by
from ._environment import Variable
from ._outcome import NO_WAR, UNRESOLVABLE, Outcome, followed, in_tomcat, outcome, unanswered, unresolved
from ._starters import OF_SERVICES, OTHERS, others
from .starters._containers import AGENT, COMPOSE, DECIDES, of_product
from .starters._starter import Manager, Scene

LIMIT_REMEMBERED = 4096  # characters of a command line or a value whose answer is kept: there may be many
_LAUNCHES_WAR = re.compile(r"\.war\b|_WAR\b")
_UNKNOWN_PROGRAM = re.compile(r"-jar\s+[\"']?\S*[$`]")
#: A command whose program is what a variable holds, and an assignment.
_RUNS_VARIABLE = re.compile(
    r"(?:^|[;&|({'\"]|\b(?:exec|eval|then|else|do|nohup|setsid|env)[ \t])"
    r"[ \t]*[\"']?\$\{?([A-Za-z_]\w*)",
    re.MULTILINE,
)
_ASSIGNS = re.compile(r"(?:^|[\s;])([A-Za-z_]\w*)\+?=", re.MULTILINE)
_LAUNCHES_TOMCAT = re.compile(r"\bcatalina\.sh\b|\bCATALINA_(?:HOME|BASE)\b|" + re.escape(BOOTSTRAP))
_CONTAINERS = re.compile(r"\b(?:docker|podman|nerdctl|ctr|runc|crun|systemd-nspawn|docker-compose)\b")
_BRINGS_UP = re.compile(r"\b(?:run|start|create|compose|up|play|systemd-nspawn)\b")
_STARTS = re.compile(r"-jar\b|(?:^|[\s/])java\s")


class Texts(NamedTuple):
    """What a definition's program may lead to, as text."""

    texts: Tuple[str, ...]
    open: bool  # not all of it: some names are not known before the start
    words: str  # by which people know it: its name, user, folder, environment
    silent: Optional[Silent] = None  # some of it lies on a file system that does not answer

    def any(self, pattern: "re.Pattern[str]") -> bool:
        """Whether one of them has it."""
        return any(pattern.search(text) for text in self.texts)

    @property
    def tells(self) -> bool:
        """Whether it may come to a JVM, or to a container."""
        return self.any(TELLS) or TELLS.search(self.words) is not None or any(map(brings_up, self.texts))

    @property
    def launches(self) -> bool:
        """Whether they tell of a war, or of a Tomcat."""
        return self.any(_LAUNCHES_WAR) or self.any(_LAUNCHES_TOMCAT)

    @property
    def of_interest(self) -> bool:
        """Whether it has to do with the product, by its names or by what it says of a war."""
        if OF_INTEREST.search(AGENT.sub("", self.words)):
            return True
        return any(
            OF_INTEREST.search(AGENT.sub("", line))
            for text in self.texts
            for line in text.split("\n")
            if _LAUNCHES_WAR.search(line) or "-jar" in line
        )

    @property
    def hints(self) -> bool:
        """Whether any line of theirs has to do with the product, whatever it says."""
        return self.of_interest or any(
            OF_INTEREST.search(AGENT.sub("", line))
            for text in self.texts
            for line in text.split("\n")
            if not line.lstrip().startswith("#")
        )

    @property
    def runs_unknown(self) -> bool:
        """Whether a program is started that only a variable names which none of them sets."""
        assigned = {name for text in self.texts for name in _ASSIGNS.findall(text)}
        return any(name not in assigned for text in self.texts for name in _RUNS_VARIABLE.findall(text))

    @property
    def only_handles(self) -> bool:
        """Whether wars are only copied, removed, looked at where they are named."""
        lines = [
            line
            for text in self.texts
            for line in text.split("\n")
            if _LAUNCHES_WAR.search(line) and not line.lstrip().startswith("#")
        ]
        return bool(lines) and all(_HANDLES.match(line) for line in lines)

    @property
    def foreign(self) -> bool:
        """Whether a program that is no shell script is on the way."""
        return self.any(_FOREIGN)


#: Units of the supervisors whose programs are installations of their own.
_SUPERVISORS = frozenset(unit for starter in OTHERS if starter.supervises for unit in starter.units)
#: Lines that do something to a file, and start nothing.
_HANDLES = re.compile(
    r"\s*(?:(?:if|then|sudo|do|!)\s+)*(?:\[\[?\s|(?:/usr)?(?:/bin/)?(?:test|cp|mv|rm|ln|ls|tar|rsync|scp|cat|zip|gzip"
    r"|unzip|chown|chmod|stat|sha\d+sum|md5sum|install|find|touch|echo|curl|wget)\s)[^;&|]*\Z"
)
#: What may start programs and is not followed.
_FOREIGN = re.compile(
    r"\A#!(?![^\n]*(?:\b(?:ba|da|a|k|mk|z)?sh\b|init-d-script|openrc-run|runscript))"
    r"|(?:^|[\s/'\"])(?:python|perl|ruby|node|php|expect|groovy)[\d.]*\s+[^\s-]"
    # a shell that is told what to do on its standard input, programs that are given names of others
    r"|\b(?:ba|da|k|z)?sh\b[^\n#]{0,80}<<-?\s*[\\\"']?\w|\bxargs\b[^\n|;&]{0,30}\b(?:java|(?:ba|da)?sh)\b"
    r"|-exec(?:dir)?\s[^\n]{0,30}\bjava\b|\brun-parts\b"
)


def _texts(definition: Definition, files: HostFiles) -> Texts:
    """What a definition starts: its command lines, and the scripts that they lead to."""
    unit = definition.unit
    files = seen_by(definition, files)
    commands = (unit.exec_start if unit is not None else ()) or ((definition.program,) if definition.program else ())
    lines = [" ".join(word.text for word in command) for command in commands]
    values = [variable.value.text for variable in definition.environment.values()]
    texts, is_open, silent = [], False, None
    for text in lines + values:  # a war, or a whole command, that the command line only names
        question = "reached from %s" % definition.folder
        found: Reached = files.known(question, text) or reached(files, text, None, definition.folder)
        if (
            len(found.texts) == 1 and len(text) <= LIMIT_REMEMBERED
        ):  # as what every service is given; files are remembered by themselves
            files.once(question, text, partial(Reached, *found))
        texts.extend(found.texts)
        is_open = is_open or (found.open and text in lines)
        silent = silent or (found.silent if text in lines else None)
    if definition.folder and any(map(brings_up, lines)):  # a compose file that lies where it is started
        try:
            texts += [
                files.read("%s/%s" % (definition.folder, name))
                for name in files.list(definition.folder)
                if COMPOSE.match(name)
            ]
        except Silent:
            raise
        except OSError:
            is_open = True
    # What every service is given tells nothing of this one.
    own = unit.environment if unit is not None else definition.environment
    names = [definition.name, definition.user, definition.folder or ""] + lines
    names += [variable.value.text for variable in own.values()] + list(own)
    names += [unit.unread[0]] if unit is not None and unit.unread is not None else []
    return Texts(tuple(dict.fromkeys(texts)), is_open, "\n".join(names), silent)


def _script_text(files: HostFiles, path: str) -> Optional[str]:
    script = read_script(files, path) or interpreted(files, path)
    return script[0] if script is not None else None


def brings_up(text: str) -> bool:
    """Whether a line of a text starts a container: one expression for both words would look at the rest for each."""
    for line in text.split("\n"):
        program = _CONTAINERS.search(line)
        if program is not None and _BRINGS_UP.search(line, program.end()):
            return True
    return False


def _starts_container(texts: Texts) -> bool:
    """Whether it starts a container with a product in it."""
    if any("-jar" in text for text in texts.texts):
        return False
    lines = [line for text in texts.texts for line in text.replace("\\\n", " ").split("\n") if brings_up(line)]
    return any(OF_INTEREST.search(AGENT.sub("", line)) for line in lines) or (
        any("compose" in line for line in lines) and any(map(of_product, texts.texts))
    )


def _not_followed(name: str, result: Outcome) -> str:
    return "%s starts a Tomcat, and whether that serves a CloudBees or Jenkins war is not known: %s" % (
        name,
        Unresolvable(result.reason or "", result.path, result.line),
    )


def _launches(text: str) -> bool:
    return _LAUNCHES_WAR.search(text) is not None or _LAUNCHES_TOMCAT.search(text) is not None


def _masked_name(name: str) -> bool:
    return OF_INTEREST.search(name) is not None


def _named(name: str, text: str) -> bool:
    """True where the name of a unit that cannot be understood, or its text, has to do with an installation."""
    return _masked_name(name) or ((_launches(text) or "java" in text) and _masked_name(text))


def _consider(
    definition: Definition,
    files: HostFiles,
    found: List[Tuple[Definition, Outcome]],
    warnings: List[str],
    refused: bool = False,
) -> None:
    """Put a definition among the installations where it starts one, or may. Raises Silent."""
    texts = _texts(definition, files)
    place = definition.unit.fragment if definition.unit is not None else None
    name = place or definition.service or definition.name
    # What its environment is may not be known before it starts: then a whole command may stand in it.
    unknown = definition.unit is not None and definition.unit.doubt is not None and texts.of_interest
    if not texts.tells and not texts.open and not refused and not (unknown and texts.runs_unknown):
        if _PACKAGED.match(definition.name) and _runs_program(definition, seen_by(definition, files), texts):
            found.append((definition, unresolved(Unresolvable(_NAMED_SO, place))))
        return
    if _starts_container(texts):
        found.append((definition, unresolved(Unresolvable(DECIDES, place))))
        warnings.append("%s starts a container, and what runs in it is not looked at" % name)
        return
    result = followed(definition, files)
    if not result.programs and texts.silent is not None:  # it may be anything, so also a controller
        found.append((definition, unanswered(texts.silent)))
    elif in_tomcat(result):
        if result.programs:
            found.append((definition, result))
    elif result.programs:
        inside = seen_by(definition, files)
        if any(is_ours(inside, program, result.homes) for program in result.programs):
            found.append((definition, result))
    elif _may_be_ours(definition, seen_by(definition, files), texts, result, refused):
        found.append((definition, result))
    elif (
        result.walk is None
        and not _starts_none(result)
        and (texts.any(_LAUNCHES_TOMCAT) or texts.any(_UNKNOWN_PROGRAM))
        and (texts.hints or _names_a_product(seen_by(definition, files), texts.texts))
    ):
        found.append((definition, result))
    elif result.walk is None and texts.any(_LAUNCHES_TOMCAT):
        warnings.append(_not_followed(definition.service or definition.name, result))
    elif _starts_none(result):
        return  # it is known now, and is none
    elif result.walk is None and texts.any(_UNKNOWN_PROGRAM):
        warnings.append(
            "%s starts a JVM, and whether on a CloudBees or Jenkins war is not known: %s"
            % (definition.service or definition.name, Unresolvable(result.reason or "", result.path, result.line))
        )


def _starts_none(result: Outcome) -> bool:
    """Whether it was followed to its end, and starts no war."""
    return result.reason is not None and result.reason.startswith(NO_WAR)


_NAMED_PATH = re.compile(r"(?<![\w.$}~*?\]/-])/[\w./*?@+:%,-]*\w")
_RELATIVE = re.compile(r"(?<![\w./$}-])\w[\w.-]*\.war\b")
_ENTERED = re.compile(r"\bcd[ \t]+[\"']?(/[\w./@+-]+)")
_LIMIT_NAMED = 50  # wars, or folders with wars, that one definition names


def _names_a_product(files: HostFiles, texts: Sequence[str]) -> bool:
    """Whether some text names a war by its path, a pattern, or the folder that it lies in, and its manifest says so."""
    lines = [
        line
        for text in texts
        for line in text.split("\n")
        if _LAUNCHES_WAR.search(line) and not line.lstrip().startswith("#")
    ]
    names = dict.fromkeys(name for line in lines for name in _NAMED_PATH.findall(line))
    entered = dict.fromkeys(folder for text in texts for folder in _ENTERED.findall(text))
    relative = dict.fromkeys(name for line in lines for name in _RELATIVE.findall(line))
    paths = list(names) + [
        "%s/%s" % (folder, name) for folder in list(entered)[:_LIMIT_NAMED] for name in list(relative)[:_LIMIT_NAMED]
    ]
    for name in paths[:_LIMIT_NAMED]:
        pattern = name if name.endswith(".war") else name.rstrip("/") + "/*.war"
        try:
            found = files.glob(pattern)[:_LIMIT_NAMED] if "*" in pattern or "?" in pattern else [pattern]
        except Silent:
            raise
        except OSError:
            continue
        if any(is_product(attributes_of(files, war) or {}) for war in found):
            return True
    return False


#: What packages call an operations center's or a controller's service, and what is said where nothing else tells.
_PACKAGED = re.compile(r"\A(?:jenkins(?:-oc)?|cloudbees-core-(?:oc|cm))(?:@|\Z)")
_NAMED_SO = "it has the name of the product's service, and what its program starts is not known"
_COMMENT = re.compile(r"^[ \t]*#.*$", re.MULTILINE)
#: The last line of a script, or a string for a shell, with a program that stays.
_ENDS_IN = re.compile(
    r"\bexec[ \t]+(?:[\w./-]*\b(?:env|nice|nohup|setsid|sudo|runuser|su)\b[^/\n]{0,99}[ \t])?"
    r"[\"']?(/[\w./+@-]+)[^\n]*\Z"
    r"|^[\"']?(/(?:opt|srv|usr/local|var|home|data|app)[\w./+@-]*)[^\n]*\Z",
    re.MULTILINE,
)
_STARTS_NOTHING = re.compile(r"/(?:true|false|echo|sleep|test|\[|(?:ba|da|k|z)?sh)\Z")


def _runs_program(definition: Definition, files: HostFiles, texts: Texts) -> bool:
    """Whether a unit starts a program that is no script, of which all may come, as make or a wrapper of somebody's.

    Or whether a script that it starts ends in one.
    """
    ends = filter(None, [_ENDS_IN.search(_COMMENT.sub("", text).rstrip()) for text in texts.texts])
    named = [match.group(1) or match.group(2) for match in ends]
    programs = [program_path(definition) or ""] + [
        path for path in named if files.test("f", path) and files.test("x", path) is not False
    ]
    return definition.unit is not None and any(
        not _STARTS_NOTHING.search(program) and files.exists(program) and _script_text(files, program) is None
        for program in programs
    )


def _runs_binary(definition: Definition, files: HostFiles) -> bool:
    """Whether it starts a program of somebody's that is no script, as a wrapper of Java's is."""
    program = program_path(definition) or ""
    return (
        program.startswith(("/opt/", "/srv/", "/usr/local/", "/var/", "/home/", "/data/", "/app"))
        and files.exists(program)
        and _script_text(files, program) is None
    )


def _may_be_ours(definition: Definition, files: HostFiles, texts: Texts, result: Outcome, refused: bool) -> bool:
    """Whether what could not be followed to a war is a product all the same, as far as names and manifests tell."""
    nothing = _starts_none(result)
    words = [word.text for word in definition.program]
    named = _masked_name(definition.name) or any(map(_masked_name, words)) or _names_a_product(files, words)
    if refused:
        return named
    foreign = texts.foreign or _runs_binary(definition, files)
    if nothing and not foreign and texts.only_handles:
        return False
    if definition.unit is not None and definition.name in _SUPERVISORS:
        # The files of what it starts are read by themselves. The flag in one of them, whose name is like the product's,
        # and the war that one names, say nothing of the unit.
        interest = texts._replace(texts=tuple(text.replace(PROPERTY, "") for text in texts.texts)).of_interest
    else:
        interest = texts.of_interest or _names_a_product(files, texts.texts)
    if definition.start is not None or (nothing and not texts.launches):
        starts = texts.any(_STARTS) or any(map(brings_up, texts.texts))
        return interest and starts and (foreign or not nothing)
    is_init_script = definition.unit is None and definition.start is None
    return named or (interest and (not nothing or foreign or is_init_script))


def _other_starts(
    scene: Scene, found: List[Tuple[Definition, Outcome]], launch_scripts: Sequence[str]
) -> Dict[str, int]:
    """Add what others than systemd and init scripts start; returns of how many starts of each kind was heard."""
    files, warnings = scene.files, scene.warnings
    counted: Dict[str, int] = {}
    kinds: Dict[str, int] = {}
    for starter, definition, start in others(scene):
        kinds[start.kind] = kinds.get(start.kind, 0) + 1
        if (
            starter.is_started_by_unit(start, scene.services)
            or any(word.text in launch_scripts for word in start.command)
            or (not start.command and _is_started_by_one(found, start.path))
        ):
            continue
        if start.command:
            some: List[Tuple[Definition, Outcome]] = []
            try:
                # What those who log in write there makes no noise.
                _consider(definition, files, some, [] if start.by_anybody else warnings)
            except Silent as error:
                some = [(definition, unanswered(error))]
            if not some or (some[0][1].walk is not None and set(launch_scripts) & set(some[0][1].walk.followed)):
                continue
            result = some[0][1]
            if start.reason is not None and result.verdict != UNRESOLVABLE:
                result = unresolved(Unresolvable(start.reason, start.path))._replace(
                    walk=result.walk, programs=result.programs, homes=result.homes
                )
        elif start.reason is None or start.unit is not None:
            continue  # it starts nothing
        else:
            result = unresolved(Unresolvable(start.reason or "it is not followed", start.path, start.line))
        if start.by_anybody and starter.for_users:  # it need not ever have run
            warnings.append(
                "%s:%d tells of a CloudBees or Jenkins war, and whoever may log in can have written it"
                % (start.path, start.line)
            )
            continue
        if result.verdict == UNRESOLVABLE:
            result = result._replace(
                reason="%s starts it: %s; %s" % (start.words, result.reason, _to_be_said(start, result)),
                path=result.path or start.path,
                line=result.line or (None if result.path else start.line),
            )
        counted[start.path] = counted.get(start.path, 0) + 1
        if counted[start.path] > 1:
            definition = definition._replace(name="%s [%s]" % (start.path, start.name))
        found.append((definition, result))
    return kinds


def _is_started_by_one(found: Sequence[Tuple[Definition, Outcome]], path: str) -> bool:
    """Whether a unit starts this compose file: it names it, or is started in its folder."""
    for definition, _result in found:
        words = [word.text for word in definition.program]
        if (
            definition.unit is not None
            and "compose" in " ".join(words)
            and (path in words or (definition.folder == path.rpartition("/")[0] and "-f" not in words))
        ):
            return True
    return False


def _to_be_said(start: Start, result: Outcome) -> str:
    """What to write, and where: of what is only recognised, no variable of the inventory makes more."""
    return (
        "by hand: %s; until the start can be followed, a telemetry_waiver with its reason is what the inventory "
        "can say of it" % start.advice
    )


def discover(  # noqa: C901 -- one list of ways in which an installation is found
    files: HostFiles,
    launch_scripts: Sequence[str] = (),
    manager: Optional[Dict[str, Variable]] = None,
    instances: Sequence[str] = (),
    looked: Optional[List[str]] = None,
) -> Tuple[List[Tuple[Definition, Outcome]], List[str]]:
    """All installations under the view's root with what their files say, and warnings.

    ``instances`` are those of templates that the service manager has loaded; ``looked`` gets what was looked at.
    """
    found: List[Tuple[Definition, Outcome]] = []
    warnings: List[str] = []
    scripts = {entry: script_words(entry, files) for entry in launch_scripts}
    services: List[str] = []
    counts: List[str] = []
    scene = Scene(
        files, Manager(manager, instances), lambda definition: _texts(definition, files).launches, _named, warnings
    )
    for starter in OF_SERVICES:
        scene = scene._replace(services=frozenset(services))
        before = len(services)
        for one in starter.find(scene):
            services.append(one.name)
            if one.definition is None:
                continue
            try:
                if one.problem is None:
                    _consider(one.definition, files, found, warnings, one.refused)
                elif isinstance(one.problem, Unresolvable):
                    found.append((one.definition, unresolved(one.problem)))
                else:
                    reason = "it cannot be read: %s" % one.problem.strerror
                    found.append((one.definition, unresolved(Unresolvable(reason, one.problem.filename))))
            except Silent as error:  # it may be anything, so also a controller
                found.append((one.definition, unanswered(error)))
        counts.append(starter.counted % (len(services) - before))
    scene = scene._replace(services=frozenset(services))
    kinds = _other_starts(scene, found, [words[0] for words in scripts.values()])
    if looked is not None:
        looked.extend(counts)
        looked.extend("%s (%d)" % (kind, count) for kind, count in sorted(kinds.items()))
        looked.extend("launch script %s" % path for path in launch_scripts)
    # What is named with arguments comes first: its script is not one without them then.
    for name, words in sorted(scripts.items(), key=lambda item: len(item[1]) == 1):
        if any(_starts_the_same(definition, result, words) for definition, result in found):
            continue
        definition, path = script_definition(name, words), words[0]
        if read_script(files, path, None, BASH) is None:
            try:
                reason = "the launch script is missing" if not files.exists(path) else "no readable shell script"
            except Silent as error:
                reason = error.reason
            found.append((definition, Outcome(UNRESOLVABLE, reason, path, None, (), (), None, (), ())))
            continue
        found.append((definition, _wanting(definition, outcome(definition, files), files)))
    return found, warnings


def _starts_the_same(definition: Definition, result: Outcome, words: Sequence[str]) -> bool:
    """Whether an installation starts a script with these arguments; without any, whatever it starts it with."""
    if definition.service is None and len(words) == 1 and definition.program and definition.program[0].text == words[0]:
        return True
    if result.walk is None or words[0] not in result.walk.followed:
        return False
    commands = definition.unit.exec_start if definition.unit is not None else (definition.program,)
    texts = [" ".join(word.text for word in command) for command in commands]
    return len(words) == 1 or any(" ".join(words) in text for text in texts)


#: What scripts call the argument that starts something, likeliest first.
_STARTING = ("start", "run", "console", "foreground", "up")


def _wanting(definition: Definition, result: Outcome, files: HostFiles) -> Outcome:
    """The outcome of a launch script; where one started without an argument wants one, its reason says which."""
    if (
        result.verdict != UNRESOLVABLE
        or len(definition.program) > 1
        or result.reason is None
        or not result.reason.startswith(NO_WAR)
    ):
        return result
    for word in _STARTING:
        entry = "%s %s" % (re.sub(r"([\s\\'\"])", r"\\\1", definition.name), word)
        if outcome(definition._replace(program=definition.program + (Value.of(word),)), files).programs:
            return result._replace(
                reason='it wants an argument: write "%s" in telemetry_launch_scripts; %s' % (entry, result.reason)
            )
    return result

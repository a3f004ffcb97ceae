# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a start comes to: the command line of the JVM, what it says of the flag, and which product it runs.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import re
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from ..host._file_systems import Silent
from ..host._files import PASSING, HostFiles
from ..java._jvm import (
    MAINS,
    NEITHER,
    STRONGER_ENVIRONMENT,
    WEAKER_ENVIRONMENT,
    Layer,
    Switch,
    expand_all,
    expand_files,
    is_java,
    is_mention,
    is_older_than_9,
    mention_value,
    split_environment,
)
from ..java._tomcat import BOOTSTRAP, wars
from ..java._war import attributes_of, is_ours, is_product
from ..shell._login import account
from ..shell._nodes import Simple
from ..shell._session import Launch, Oracle, Session
from ..shell._walk import Shell, Walk, walk
from ..text._characters import EMPTY, Run, Value
from ..text._value import Text, Unresolvable, line_of
from ._commands import substitute
from ._definition import Definition, program_path, seen_by
from ._environment import Variable
from ._service_files import seen
from ._unit import Unit, written_before

DISABLED = "disabled"
ENABLED = "enabled"
UNRESOLVABLE = "unresolvable"
_PRODUCTS = (
    (re.compile(r"cloudbees-core-oc|jenkins-oc|operations-center"), "operations_center"),
    (re.compile(r"cloudbees-core-cm|cloudbees"), "controller"),
    (re.compile(r"jenkins"), "jenkins"),
)
#: CloudBees' versions have four numbers (2.452.3.2), Jenkins' two or three; of which product, folders tell at last.
_CLOUDBEES_DOTS = 3
_FOLDERS = (
    (re.compile(r"[/_.-](?:oc|cjoc|operations-center)[/_.-]"), "operations_center"),
    (re.compile(r"[/_.-](?:cm|mm|controller|master)[/_.-]"), "controller"),
)
NO_WAR = "no 'java … -jar ….war' command"
BROKEN_OFF = "its ExecStart= breaks off: systemd passes over the lines behind it, and starts no war without them"
LIMIT_MENTIONS = 1000  # of the flag, among the options of one JVM
LIMIT_OPTION_FILES = 4 << 20  # bytes of all files with options of one JVM
_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


class Found(NamedTuple):
    """A mention of the property among the options a JVM would get."""

    path: Optional[str]
    position: int
    length: int  # 0 where the word is not one stretch of one file
    value: str
    layer: str


class Outcome(NamedTuple):
    """What the next start would run with, as far as the files (or the loaded unit) tell."""

    verdict: str
    reason: Optional[str]
    path: Optional[str]
    line: Optional[int]
    mentions: Tuple[Found, ...]  # of all ways, weakest first
    vectors: Tuple[Tuple[Layer, ...], ...]  # one a way: options without the property, and the program
    walk: Optional[Walk]
    programs: Tuple[str, ...]
    homes: Tuple[str, ...]
    inside: Optional[HostFiles] = None  # the files as what is started sees them


def _start(definition: Definition, host: HostFiles, extra: Dict[str, Value]) -> Walk:
    files = seen_by(definition, host)
    environment = {name: variable.value for name, variable in definition.environment.items()}
    environment.update(extra)
    if definition.user:
        for name, text in account(host, definition.user).items():
            environment.setdefault(name, Value.of(text))
    variables = {name: Variable(value, "", 0, "") for name, value in environment.items()}
    # A unit of Type=oneshot may have several commands.
    commands: List[List[Value]] = (
        [substitute(command, variables) for command in definition.unit.exec_start or (definition.program,)]
        if definition.unit
        else [list(definition.program)]
    )

    def shell(oracle: Oracle) -> Shell:
        user = definition.unit.user if definition.unit is not None else ""
        session = Session(files, oracle, user)
        start = Shell(session, environment=environment, closed=definition.closed, folder=definition.folder)
        start.kernel = definition.unit is not None or definition.start is not None
        return start

    def program(start: Shell) -> None:
        source = definition.unit.fragment if definition.unit else None
        node = Simple(Text("", source), 0)
        for fields in filter(None, commands):
            name = fields[0].text if fields[0].unknown(True) is None else ""
            fields = _with_argument_files(fields, files) if is_java(name) else fields
            if not is_java(name) or ({"-jar", BOOTSTRAP} | MAINS) & {field.text for field in fields}:
                start._external(node, name, fields)

    return walk(shell, program)


def _with_argument_files(fields: List[Value], files: HostFiles) -> List[Value]:
    """The words of a ``java`` command, with those of the ``@file`` that names its program; that is no place to edit."""
    texts = [field.text for field in fields]
    if {"-jar", BOOTSTRAP} & set(texts) or not any(map(_is_argument_file, texts)):
        return fields

    def read(path: str) -> Optional[str]:
        try:
            return files.read(path) if path.startswith("/") else None
        except OSError:
            return None

    words: List[Value] = []
    for word, index in expand_files(texts, read):
        words.append(Value.of(word) if _is_argument_file(texts[index]) else fields[index])
    return words


def _is_argument_file(word: str) -> bool:
    return word.startswith("@/")


def _word_origin(word: Iterable[Run]) -> Tuple[Optional[str], int, int]:
    """File, position and length of a word that is one stretch of one file; length 0 where it is not."""
    runs = [run for run in word if run.text]
    if not runs or runs[0].path is None:
        return None, 0, 0
    end = runs[0].position
    for run in runs:
        if run.path != runs[0].path or run.position != end:
            return runs[0].path, runs[0].position, 0
        end += len(run.text)
    return runs[0].path, runs[0].position, end - runs[0].position


def _beside(value: Value, name: str) -> Optional[str]:
    """The reason of an unknown in a word that mentions the property, whatever it may be elsewhere; None for none."""
    unknowns = [(first, run.unknown) for run, first in zip(value.runs, value.starts) if run.unknown][::-1]
    for match in re.finditer(r"\S+", value.text):
        while unknowns and unknowns[-1][0] < match.start():
            unknowns.pop()
        if not unknowns:
            break
        if unknowns[-1][0] <= match.end() and name in re.sub("[\"']", "", match.group()):
            return unknowns[-1][1]
    return None


def _inside(value: Iterable[Run], text: str) -> Tuple[Optional[str], int, int]:
    """Where ``text`` stands inside a value (of an environment variable that the JVM splits itself)."""
    for run in value:
        offset = run.text.find(text)
        if offset >= 0 and run.path is not None:
            return run.path, run.position + offset, len(text)
    first = next((run for run in value if run.path is not None), None)
    return (first.path, first.position, 0) if first else (None, 0, 0)


def _is_older_than_9(launch: Launch, files: HostFiles) -> bool:
    """True where the JVM's installation says so; every product that is supported today wants a newer one."""
    names = [launch.java] if "/" in launch.java else ["%s/java" % folder for folder in _PATH]
    java = next((name for name in names if name.startswith("/") and files.exists(name)), None)
    if java is None:
        return False
    try:
        folder = files.canonical(java).rsplit("/", 2)[0]
    except OSError:
        return False
    for place in (folder, folder.rsplit("/", 1)[0]):  # a JDK 8 has its JRE in a folder of its own
        try:
            return is_older_than_9(files.read(place + "/release"))
        except OSError:
            continue
    return False


class _Judged(NamedTuple):
    """What one ``java`` command comes to."""

    verdict: str
    reason: Optional[str]  # where it is unresolvable, or disabled by a variable and not by a mention
    mentions: List[Found]
    vector: Tuple[Layer, ...]


#: No option is about it.
_NONE = Switch("\0")


def _judge(launch: Launch, files: HostFiles, switch: Switch) -> _Judged:
    """What a ``java`` command comes to, held against a property or a variable of its environment."""
    return _of_variable(launch, files, switch) if switch.environment else _of_options(launch, files, switch)


def _of_variable(launch: Launch, files: HostFiles, switch: Switch) -> _Judged:
    """The same of a variable: nothing else of the environment may change, and no option."""
    others = _of_options(launch, files, _NONE)
    known = {name: (value.text, value.unknown(True)) for name, value in launch.environment.items()}
    known.pop(switch.name, None)
    rest = Layer(
        "environment", tuple("%s=%s%s" % (name, known[name][0], "?" * bool(known[name][1])) for name in sorted(known))
    )
    vector = others.vector + (rest,)
    value = launch.environment.get(switch.name)
    if value is None and not launch.closed:
        return _Judged(UNRESOLVABLE, "whoever starts it may have set %s" % switch.name, [], vector)
    if value is None:
        return _Judged(ENABLED, None, [], vector)
    why = value.unknown(True)
    if why:
        return _Judged(UNRESOLVABLE, "%s: %s" % (switch.name, why), [], vector)
    mentions = [Found(*_word_origin(value), value.text, "environment")]
    state = switch.state(value.text)
    verdict, reason = (UNRESOLVABLE, switch.neither) if state == "unknown" else (state, None)
    return _Judged(verdict, reason, mentions, vector)


def _of_options(launch: Launch, files: HostFiles, switch: Switch) -> _Judged:  # noqa: C901 -- one list of layers, weakest first
    """The same of a property."""

    size = 0
    name = switch.name

    def read(path: str) -> Optional[str]:
        nonlocal size
        try:
            path = launch.absolute(path)
            content = files.read(path) if path.startswith("/") else None
        except OSError:
            return None
        size += len(content or "")
        if size > LIMIT_OPTION_FILES:
            raise Unresolvable("the JVM reads more than %d bytes of options from files" % LIMIT_OPTION_FILES, path)
        return content

    def mentioned(mention: Found) -> None:
        if len(mentions) >= LIMIT_MENTIONS:
            raise Unresolvable("the options mention the flag more than %d times" % LIMIT_MENTIONS, mention.path)
        mentions.append(mention)

    def within(word: str, inner: str) -> Tuple[str, int, int]:
        """Where an option stands in the file of options that a word names; length 0 where that is not plain."""
        path = launch.absolute(word.partition("=")[2] if word.startswith("-") else word[1:]) or word
        content = read(path) or ""
        plain = content.count(inner) == 1 and is_mention(inner, name)
        return files.origin(path), content.find(inner) if plain else 0, len(inner) if plain else 0

    decisive: Optional[Tuple[str, Optional[str]]] = None  # ("value" or "unknown", value or reason)
    mentions: List[Found] = []
    vector: List[Layer] = []

    def environment_layer(layer: str) -> None:
        nonlocal decisive
        value = launch.environment.get(layer)
        if value is None:
            return
        words = split_environment(value.text)
        reason = value.unknown() or _beside(value, name)
        vector.append(Layer(layer, tuple(word for word in words if not is_mention(word, name))))
        for word in words:
            if word.startswith(("@", "-XX:VMOptionsFile=")):
                for inner in expand_all([word], read, layer == "JDK_JAVA_OPTIONS"):
                    if is_mention(inner, name):
                        mentioned(Found(*within(word, inner), mention_value(inner, name), "%s, %s" % (layer, word)))
                        decisive = ("value", mention_value(inner, name))
            elif is_mention(word, name):
                path, position, length = _inside(value, word)
                mentioned(Found(path, position, length, mention_value(word, name), layer))
                decisive = ("value", mention_value(word, name))
        if reason:
            decisive = ("unknown", "%s: %s" % (layer, reason))

    for layer in WEAKER_ENVIRONMENT:
        if layer != "JDK_JAVA_OPTIONS" or not _is_older_than_9(launch, files):
            environment_layer(layer)
    options: List[str] = []
    for index in launch.options:
        word = launch.words[index]
        text = word.text
        reason = word.unknown()
        if reason:
            options.append("?" + reason)
            decisive = ("unknown", reason)
            continue
        if text.startswith(("@", "-XX:VMOptionsFile=")):
            options.append(text)
            for inner in expand_all([text], read, True):
                if is_mention(inner, name):
                    mentioned(Found(*within(text, inner), mention_value(inner, name), text))
                    decisive = ("value", mention_value(inner, name))
            continue
        if is_mention(text, name):
            if word.unknown(True):
                decisive = ("unknown", word.unknown(True))
                continue
            path, position, length = _word_origin(word)
            mentioned(Found(path, position, length, mention_value(text, name), "command line"))
            decisive = ("value", mention_value(text, name))
            continue
        options.append(text)
    vector.append(Layer("options", tuple(options)))
    for layer in STRONGER_ENVIRONMENT:
        environment_layer(layer)
    rest = [word.text for word in launch.words[launch.main :]] if launch.main is not None else []
    vector.append(Layer("program", tuple(rest)))
    verdict, why = _verdict(decisive, launch, switch)
    return _Judged(verdict, why, mentions, tuple(vector))


def _verdict(
    decisive: Optional[Tuple[str, Optional[str]]], launch: Launch, switch: Switch
) -> Tuple[str, Optional[str]]:
    """What the mention that counts makes of a switch, and why nothing is known of it where that is so."""
    kind, told = decisive or ("value", None)
    state = switch.state(told) if kind == "value" else "unknown"
    variable = launch.environment.get(switch.variable) if switch.variable and state != DISABLED else None
    if variable is not None:
        if variable.unknown(True):
            return UNRESOLVABLE, "%s: %s" % (switch.variable, variable.unknown(True))
        if variable.text == "false":
            return DISABLED, "%s=false in the environment turns it off" % switch.variable
    if state == "unknown":
        return UNRESOLVABLE, told if kind == "unknown" else NEITHER
    return state, None


def outcome(definition: Definition, files: HostFiles, extra: Optional[Dict[str, Value]] = None) -> Outcome:
    """What the next start of an installation would run with."""
    try:
        return followed(definition, files, extra)
    except Silent as error:
        return unanswered(error)


def outcome_of_loaded(definition: Definition, on_disk: Definition, known: Outcome, files: HostFiles) -> Outcome:
    """The outcome of a unit as it is loaded; ``known`` is that of the unit as the files have it.

    Where the two start the same it is known already, but for the place: what is loaded does not say where it stood.
    """
    if known.verdict == UNRESOLVABLE or _told(definition) != _told(on_disk):
        return outcome(definition, files)
    unit = definition.unit
    if unit is not None and known.path in (unit.fragment,) + unit.drop_ins:
        return known._replace(path=None, line=None)
    return known


def _told(definition: Definition) -> Any:
    """All that an outcome comes from, without the places."""

    def told(value: Value) -> Any:
        return value.text, value.unknown(True)

    unit = definition.unit
    return (
        {name: told(variable.value) for name, variable in definition.environment.items()},
        [told(word) for word in definition.program],
        definition._replace(environment={}, program=(), unit=None),
        None
        if unit is None
        else (
            [[told(word) for word in command] for command in unit.exec_start],
            [[told(word) for word in command] for command in unit.before],
            unit._replace(environment={}, exec_start=(), before=(), source=None),
        ),
    )


def unanswered(error: Silent) -> Outcome:
    return Outcome(UNRESOLVABLE, error.reason, error.path, None, (), (), None, (), ())


def followed(definition: Definition, files: HostFiles, extra: Optional[Dict[str, Value]] = None) -> Outcome:  # noqa: C901 -- a table of what a start may be
    try:
        if definition.unit is not None and definition.unit.masked:
            raise Unresolvable("the unit is masked, so it cannot start", definition.unit.fragment)
        if definition.unit is not None and definition.unit.doubt is not None:
            raise Unresolvable(*definition.unit.doubt)
        if definition.unit is not None and _lacks_folder(definition.unit, files):
            raise Unresolvable("the unit cannot start: its WorkingDirectory= is missing", definition.unit.fragment)
        result = _start(definition, files, extra or {})
        if definition.unit is not None and definition.unit.before:
            written = written_before(
                definition.unit,
                [entry.lstrip("-") for entry in definition.unit.environment_files]
                + result.sourced
                + result.followed
                + result.texts
                + [path for found in result.paths for launch in found for path in launch.option_files(files)],
                files,
            )
            if written:
                raise Unresolvable(written, definition.unit.fragment)
        if definition.unit is not None and definition.unit.overlays:
            hidden = _hidden(definition.unit, result, files)
            if hidden:
                raise Unresolvable(
                    "%s shows the service other files than the host's" % hidden, definition.unit.fragment
                )
        inside = seen_by(definition, files)
        ways = _ways(result, inside)
        if not ways:
            if definition.unit is not None and definition.unit.unread is not None:
                _text, where, at = definition.unit.unread
                raise Unresolvable(BROKEN_OFF, where, line_of(files.read(where), at))
            why = next((launch.open for found in result.paths for launch in found if launch.open), None)
            if why:
                raise Unresolvable("what it starts is not known: %s" % why, program_path(definition))
            stray = next((launch.stray for found in result.paths for launch in found if launch.stray is not None), None)
            place, position, _length = _word_origin(stray) if stray is not None else (None, 0, 0)
            if place is not None:  # the word itself may be half a password
                raise Unresolvable(
                    NO_WAR + " was found; java takes a word before -jar, which is no option, for its program",
                    place,
                    line_of(files.read(place), position),
                )
            raise Unresolvable(
                NO_WAR + " was found" + ("; " + result.end if result.end else ""), program_path(definition)
            )
        judged = [_judge(launch, inside, definition.switch) for launch in ways]
        vectors = _vectors(judged, ways, result, inside, definition.switch)
    except Unresolvable as error:
        return unresolved(error)
    except MemoryError:
        return unresolved(Unresolvable("reading it takes more memory than there is"))
    mentions = list(dict.fromkeys(mention for one in judged for mention in one.mentions))
    try:
        programs = tuple(dict.fromkeys(program for launch in ways for program in _programs(launch, inside)))
    except Unresolvable as error:  # a Tomcat, and it is not known what it serves: that it does is assumed
        return unresolved(error)._replace(walk=result, vectors=vectors, programs=(error.path or "",))
    homes = tuple(dict.fromkeys(home for home in (_home(launch) for launch in ways) if home))
    if not homes and all(launch.tomcat is None for launch in ways):
        homes = _default_home(definition, files)
    verdict, reason, path, line = _together(judged, result, files)
    return Outcome(verdict, reason, path, line, tuple(mentions), vectors, result, programs, homes, inside)


def _together(
    judged: Sequence[_Judged], result: Walk, files: HostFiles
) -> Tuple[str, Optional[str], Optional[str], Optional[int]]:
    """What several ways come to: verdict, reason, and the place of the mention that decides."""
    verdicts = {one.verdict for one in judged}
    if verdicts == {DISABLED} or verdicts == {ENABLED}:
        if judged[0].reason:
            return verdicts.pop(), judged[0].reason, None, None
        told = judged[0].mentions
        path, line = place_of(files, told[-1] if told else None)
        return verdicts.pop(), None, path, line
    reason = next((one.reason for one in judged if one.verdict == UNRESOLVABLE), None)
    if reason is None and result.ways == 1:
        reason = "it starts several JVMs, with the flag and without"
    elif reason is None:
        reason = "it depends on a condition in the launch files that is not known before the start"
    return UNRESOLVABLE, reason, None, None


def _ways(result: Walk, inside: HostFiles) -> List[Launch]:
    """The ``java`` commands that start the product."""
    return [
        launch
        for found in result.paths
        for launch in found
        if launch.main is not None
        and (launch.tomcat is not None or launch.words[launch.main].unknown(True) or _programs(launch, inside))
    ]


def judged_again(known: Outcome, switch: Switch, files: HostFiles) -> Outcome:
    """The same start held against another switch: the launcher is not followed once more.

    Where the start itself could not be told, nothing is known of any switch.
    """
    walked, inside = known.walk, known.inside
    if walked is None or inside is None:
        return known
    try:
        ways = _ways(walked, inside)
        for launch in ways:
            _programs(launch, inside)
        judged = [_judge(launch, inside, switch) for launch in ways]
        vectors = _vectors(judged, ways, walked, inside, switch)
        verdict, reason, path, line = _together(judged, walked, files)
    except Unresolvable as error:
        return unresolved(error)
    except Silent as error:
        return unanswered(error)
    mentions = tuple(dict.fromkeys(mention for one in judged for mention in one.mentions))
    return known._replace(verdict=verdict, reason=reason, path=path, line=line, mentions=mentions, vectors=vectors)


def _vectors(
    judged: Sequence[_Judged], ways: Sequence[Launch], walked: Walk, inside: HostFiles, switch: Switch
) -> Tuple[Tuple[Layer, ...], ...]:
    """What may not change but for the switch; what starts something else than a war counts only there."""
    counting = set(map(id, ways))
    others = [
        _judge(launch, inside, switch).vector
        for found in walked.paths
        for launch in found
        if id(launch) not in counting
    ]
    return tuple(dict.fromkeys([one.vector for one in judged] + others))


#: Where systemd may make a folder for a service (StateDirectory= and its like).
_MADE_FOR_SERVICES = re.compile(r"/(?:var/(?:lib|cache|log)|etc|run)/")


def _lacks_folder(unit: Unit, files: HostFiles) -> bool:
    return bool(
        unit.folder
        and not unit.before
        and not PASSING.match(unit.folder + "/")
        and not _MADE_FOR_SERVICES.match(unit.folder)
        and not seen(files, unit.mounts).exists(unit.folder)
    )


def _hidden(unit: Unit, result: Walk, files: HostFiles) -> Optional[str]:
    """The setting by which the service sees something else where its launch files, or what they name, may lie."""
    texts = [" ".join(word.text for word in command) for command in unit.exec_start]
    for path in result.followed + result.sourced + result.texts:
        try:
            texts.append(path + "\n" + files.read(path))
        except OSError:
            continue
    for place, setting in unit.overlays:
        folder = place.rpartition("/")[0]
        near = folder + "/" if folder.count("/") > 1 else place
        if place == "/" or any(near in text or place in text for text in texts):
            return setting
    return None


def unresolved(error: Unresolvable) -> Outcome:
    """The outcome where it cannot be told."""
    return Outcome(UNRESOLVABLE, error.reason, error.path, error.line, (), (), None, (), ())


def place_of(files: HostFiles, mention: Optional[Found]) -> Tuple[Optional[str], Optional[int]]:
    if mention is None or mention.path is None:
        return None, None
    try:
        return mention.path, line_of(files.read(mention.path), mention.position)
    except OSError:
        return mention.path, None


def _programs(launch: Launch, files: HostFiles) -> Tuple[str, ...]:
    """The war that is started, or those that a Tomcat or another server gets; none where it is something else."""
    if launch.tomcat is not None:
        return wars(files, launch.tomcat)
    if launch.main is None or not launch.program:
        return ()
    if launch.program in MAINS:
        entries = [launch.absolute(entry) for entry in launch.class_path]
        ours = tuple(entry for entry in entries if is_ours(files, entry))
        return ours or ((launch.program,) if launch.program == "executable.Main" else ())
    program = launch.program
    if program.endswith(".war"):
        return (program,)
    attributes = attributes_of(files, program)
    if attributes is not None and is_product(attributes):
        return (program,)
    served = _served(launch, files) if _SERVERS.search(program) else ()
    if served:
        return served
    # A server in a jar of its own, which is given a war.
    given = [word.text.rpartition("=")[2] for word in launch.words[launch.main + 1 :] if not word.unknown(True)]
    return tuple(
        path
        for path in (launch.absolute(text) for text in given if "/" in text or text.endswith(".war"))
        if path.startswith("/") and (path.endswith(".war") or files.exists(path)) and is_ours(files, path)
    )


#: Servers that serve what lies in folders of theirs, where those lie, and how the folders are called.
_SERVERS = re.compile(r"(?:^|/)(?:start|jetty[\w.-]*|jboss-modules|payara[\w.-]*)\.jar\Z")
_PLACES = re.compile(r"(?:-D)?(?:jetty\.(?:base|home)|jboss\.(?:home\.dir|server\.base\.dir))=(/.+)\Z")
_SERVED = ("webapps", "deployments", "standalone/deployments")
_LIMIT_SERVED = 100


def _served(launch: Launch, files: HostFiles) -> Tuple[str, ...]:
    """The wars of ours that Jetty, WildFly or another server than Tomcat would serve."""
    places = [
        match.group(1)
        for match in (_PLACES.match(word.text) for word in launch.words if not word.unknown(True))
        if match
    ]
    places += [launch.folder or "", launch.program.rpartition("/")[0]]
    found = [
        "%s/%s/%s" % (place.rstrip("/"), folder, name)
        for place in dict.fromkeys(place for place in places if place.startswith("/"))
        for folder in _SERVED
        for name in files.list("%s/%s" % (place.rstrip("/"), folder))
        if name.endswith(".war")
    ]
    return tuple(path for path in found[:_LIMIT_SERVED] if is_ours(files, path))


def in_tomcat(result: Outcome) -> bool:
    """True where a Tomcat is started."""
    return result.walk is not None and any(launch.tomcat is not None for found in result.walk.paths for launch in found)


def _home(launch: Launch) -> str:
    home = launch.environment.get("JENKINS_HOME", EMPTY).text
    for index in launch.options:
        text = launch.words[index].text
        if text.startswith("-DJENKINS_HOME=") and not launch.words[index].unknown(True):
            home = text.partition("=")[2]
    return home


def _default_home(definition: Definition, files: HostFiles) -> Tuple[str, ...]:
    """Jenkins' own home in its user's (core's WebAppMain.getHomeDir), where there is one."""
    if definition.unit is None and definition.start is None:
        return ()
    home = account(files, definition.user or "root").get("HOME")
    for name in (".hudson", ".jenkins") if home else ():
        path = "%s/%s" % ("" if home == "/" else home, name)
        try:
            if files.exists(path + "/config.xml") or name == ".jenkins" and files.exists(path):
                return (path,)
        except Silent:
            return ()
    return ()


def product_of(name: str, programs: Sequence[str], files: Optional[HostFiles] = None) -> Optional[str]:
    """Product by the file name of the war, else by the name of the installation, else by the war's manifest."""
    names = [program.rsplit("/", 1)[-1] for program in programs]
    # A CloudBees war tells more than a name; "jenkins.war" does not tell whose Jenkins it is.
    for candidate in [item for item in names if not item.startswith("jenkins.")] + [name] + names:
        for pattern, product in _PRODUCTS:
            if pattern.search(candidate):
                return product
    for program in programs:
        try:
            if files is None:
                break
            version = (attributes_of(files, program) or {}).get("jenkins-version", "")
        except Silent:
            continue
        if version.count(".") < _CLOUDBEES_DOTS:
            return "jenkins" if version else None
        return next((product for pattern, product in _FOLDERS if pattern.search(program.lower())), None)
    return None

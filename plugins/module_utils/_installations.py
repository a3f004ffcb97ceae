# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which operations centers and controllers are installed here, and what their launch configuration says.

An installation is found by what its service really starts, not by the distribution. Its launch files are
followed to the ``java`` command (:mod:`_shell`, :mod:`_systemd`); a variable is *live* where a change of
it changes that command. Private to this collection. Python 3.6+, standard library only.
"""

import re
from bisect import bisect_left
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

from ._files import BACKUP_SUFFIX, PASSING, HostFiles
from ._jvm import (
    MAINS,
    PROPERTY,
    STRONGER_ENVIRONMENT,
    WEAKER_ENVIRONMENT,
    Unresolvable,
    expand_all,
    expand_files,
    get_boolean,
    is_java,
    is_mention,
    is_older_than_9,
    mention_value,
    split_environment,
)
from ._login import account
from ._patience import Silent
from ._reach import TELLS, reached
from ._seen import seen
from ._shell import Launch, Oracle, Shell, Walk, assignments, interpreted, read_script, walk
from ._shell_syntax import (
    BASH,
    Node,
    Run,
    ShellSyntaxError,
    Text,
    Value,
    line_of,
    parse,
    text_of,
    unknown_of,
)
from ._starters import AGENT, COMPOSE, Start, all_starts, of_product
from ._systemd import (
    Unit,
    UnitFiles,
    Variable,
    default_environment,
    environment_generators,
    parse_unit,
    split_words,
    substitute,
    written_before,
)
from ._tomcat import BOOTSTRAP, wars
from ._war import OF_INTEREST, attributes_of, is_ours, is_product

DISABLED = "disabled"
ENABLED = "enabled"
UNRESOLVABLE = "unresolvable"

#: Variables that packages and images use for JVM options, tried first when looking for the live one.
KNOWN_VARIABLES = ("JAVA_ARGS", "JENKINS_JAVA_OPTIONS", "CATALINA_OPTS", "JAVA_OPTS", "JENKINS_JAVA_OPTS")
#: A word that no launch file contains; where it arrives among the JVM's options, the way there is live.
PROBE = "-Dcbops.telemetry.probe=live"

_PRODUCTS = (
    (re.compile(r"cloudbees-core-oc|jenkins-oc|operations-center"), "operations_center"),
    (re.compile(r"cloudbees-core-cm|cloudbees"), "controller"),
    (re.compile(r"jenkins"), "jenkins"),
)
#: What stands before the program among the words of a ``java``: there its options end.
MAIN = re.compile(r"(?<![^\s\"'])(?:-jar|%s|executable\.Main|winstone\.Launcher)(?![^\s\"'])" % re.escape(BOOTSTRAP))
#: CloudBees' versions have four numbers (2.452.3.2), Jenkins' two or three; of which product, folders tell at last.
_CLOUDBEES_DOTS = 3
_FOLDERS = ((re.compile(r"[/_.-](?:oc|cjoc|operations-center)[/_.-]"), "operations_center"),
            (re.compile(r"[/_.-](?:cm|mm|controller|master)[/_.-]"), "controller"))
_LAUNCHES_WAR = re.compile(r"\.war\b|_WAR\b")
_NO_WAR = "no 'java … -jar ….war' command"
_UNKNOWN_PROGRAM = re.compile(r"-jar\s+[\"']?\S*[$`]")
#: A command whose program is what a variable holds, and an assignment.
_RUNS_VARIABLE = re.compile(r"(?:^|[;&|({'\"]|\b(?:exec|eval|then|else|do|nohup|setsid|env)[ \t])"
                            r"[ \t]*[\"']?\$\{?([A-Za-z_]\w*)", re.MULTILINE)
_ASSIGNS = re.compile(r"(?:^|[\s;])([A-Za-z_]\w*)\+?=", re.MULTILINE)
_LAUNCHES_TOMCAT = re.compile(r"\bcatalina\.sh\b|\bCATALINA_(?:HOME|BASE)\b|" + re.escape(BOOTSTRAP))
#: Names of variables that hold options; another one that reaches the JVM too may name the program (JAVA=/usr/bin/java).
_HOLDS_OPTIONS = re.compile(r"OPT|ARG|FLAG|PARAM", re.IGNORECASE)
_CONTAINERS = re.compile(r"\b(?:docker|podman|nerdctl|ctr|runc|crun|systemd-nspawn|docker-compose)\b")
_BRINGS_UP = re.compile(r"\b(?:run|start|create|compose|up|play|systemd-nspawn)\b")
_STARTS = re.compile(r"-jar\b|(?:^|[\s/])java\s")
_INIT_FOLDER = "/etc/init.d"
LIMIT_MENTIONS = 1000  # of the flag, among the options of one JVM
LIMIT_OPTION_FILES = 4 << 20  # bytes of all files with options of one JVM
#: What finding the live launch file may cost, as LIMIT_WORK of _shell_words counts it; a try costs something by itself.
LIMIT_TRYING = 3000000
_TRY = 1000
_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


class Definition(NamedTuple):
    """How one installation is started: by a unit, an init script or a script of the user's own."""

    name: str
    service: Optional[str]  # unit, or None for a script that no service manager starts
    program: Tuple[Value, ...]  # program and arguments
    environment: Dict[str, Variable]
    closed: bool  # nothing else is in the environment
    unit: Optional[Unit] = None
    folder: Optional[str] = None  # where it is started; None: not known
    start: Optional[Start] = None  # who starts it, where that is neither a service manager nor a person

    @property
    def user(self) -> str:
        """Whom it is started as, as far as that is said; empty for root, or for whoever starts it."""
        return self.unit.user if self.unit is not None else self.start.user if self.start is not None else ""


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
    vectors: Tuple[Any, ...]  # one a way: options without the property, and the program
    walk: Optional[Walk]
    programs: Tuple[str, ...]
    homes: Tuple[str, ...]


# -- from a definition to its verdict ---------------------------------------------------------------


def seen_by(definition: Definition, files: HostFiles) -> HostFiles:
    """The files as what an installation starts sees them."""
    return seen(files, definition.unit.mounts) if definition.unit is not None else files


def _start(definition: Definition, host: HostFiles, extra: Dict[str, Value]) -> Walk:
    files = seen_by(definition, host)
    environment = {name: variable.value for name, variable in definition.environment.items()}
    environment.update(extra)
    if definition.user:
        for name, text in account(host, definition.user).items():
            environment.setdefault(name, [Run(text)])
    variables = {name: Variable(value, "", 0, "") for name, value in environment.items()}
    # A unit of Type=oneshot may have several commands.
    commands = [substitute(command, variables) for command in definition.unit.exec_start or (definition.program,)] \
        if definition.unit else [list(definition.program)]

    def shell(oracle: Oracle) -> Shell:
        start = Shell(files, oracle, environment=environment, closed=definition.closed, folder=definition.folder)
        start.kernel = definition.unit is not None or definition.start is not None
        start.user = definition.unit.user if definition.unit is not None else ""
        return start

    def program(start: Shell) -> None:
        source = definition.unit.fragment if definition.unit else None
        node = Node("simple", 0, Text("", source))
        for fields in filter(None, commands):
            name = text_of(fields[0]) if unknown_of(fields[0], True) is None else ""
            fields = _with_argument_files(fields, files) if is_java(name) else fields
            if not is_java(name) or ({"-jar", BOOTSTRAP} | MAINS) & {text_of(field) for field in fields}:
                start._external(node, name, fields)

    return walk(shell, program)


def _with_argument_files(fields: List[Value], files: HostFiles) -> List[Value]:
    """The words of a ``java`` command, with those of the ``@file`` that names its program; that is no place to edit."""
    texts = [text_of(field) for field in fields]
    if {"-jar", BOOTSTRAP} & set(texts) or not any(map(_is_argument_file, texts)):
        return fields

    def read(path: str) -> Optional[str]:
        try:
            return files.read(path) if path.startswith("/") else None
        except OSError:
            return None

    words: List[Value] = []
    for word, index in expand_files(texts, read):
        words.append([Run(word)] if _is_argument_file(texts[index]) else fields[index])
    return words


def _is_argument_file(word: str) -> bool:
    return word.startswith("@/")


def _word_origin(word: Value) -> Tuple[Optional[str], int, int]:
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


def _inside(value: Value, text: str) -> Tuple[Optional[str], int, int]:
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


def _judge(launch: Launch, files: HostFiles) -> Tuple[str, Optional[str], List[Found], Any]:
    """Verdict of one ``java`` command, the reason where it is unresolvable, its mentions, its vector."""

    size = 0

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
        plain = content.count(inner) == 1 and is_mention(inner)
        return files.origin(path), content.find(inner) if plain else 0, len(inner) if plain else 0

    decisive: Optional[Tuple[str, Optional[str]]] = None  # ("value" or "unknown", value or reason)
    mentions: List[Found] = []
    vector: List[Any] = []

    def environment_layer(name: str) -> None:
        nonlocal decisive
        value = launch.environment.get(name)
        if value is None:
            return
        reason = unknown_of(value)
        words = split_environment(text_of(value))
        vector.append((name, tuple(word for word in words if not is_mention(word))))
        for word in words:
            if word.startswith(("@", "-XX:VMOptionsFile=")):
                for inner in expand_all([word], read, name == "JDK_JAVA_OPTIONS"):
                    if is_mention(inner):
                        mentioned(Found(*within(word, inner), mention_value(inner), "%s, %s" % (name, word)))
                        decisive = ("value", mention_value(inner))
            elif is_mention(word):
                path, position, length = _inside(value, word)
                mentioned(Found(path, position, length, mention_value(word), name))
                decisive = ("value", mention_value(word))
        if reason:
            decisive = ("unknown", "%s: %s" % (name, reason))

    for name in WEAKER_ENVIRONMENT:
        if name != "JDK_JAVA_OPTIONS" or not _is_older_than_9(launch, files):
            environment_layer(name)
    options: List[Any] = []
    for index in launch.options:
        word = launch.words[index]
        text = text_of(word)
        reason = unknown_of(word)
        if reason:
            options.append("?" + reason)
            decisive = ("unknown", reason)
            continue
        if text.startswith(("@", "-XX:VMOptionsFile=")):
            options.append(text)
            for inner in expand_all([text], read, True):
                if is_mention(inner):
                    mentioned(Found(*within(text, inner), mention_value(inner), text))
                    decisive = ("value", mention_value(inner))
            continue
        if is_mention(text):
            if unknown_of(word, True):
                decisive = ("unknown", unknown_of(word, True))
                continue
            path, position, length = _word_origin(word)
            mentioned(Found(path, position, length, mention_value(text), "command line"))
            decisive = ("value", mention_value(text))
            continue
        options.append(text)
    vector.append(("options", tuple(options)))
    for name in STRONGER_ENVIRONMENT:
        environment_layer(name)
    rest = [text_of(word) for word in launch.words[launch.main:]] if launch.main is not None else []
    vector.append(("program", tuple(rest)))
    if decisive is None:
        return ENABLED, None, mentions, tuple(vector)
    if decisive[0] == "unknown":
        return UNRESOLVABLE, decisive[1], mentions, tuple(vector)
    return (DISABLED if get_boolean(decisive[1]) else ENABLED), None, mentions, tuple(vector)


def outcome(definition: Definition, files: HostFiles, extra: Optional[Dict[str, Value]] = None) -> Outcome:
    """What the next start of an installation would run with."""
    try:
        return _outcome(definition, files, extra)
    except Silent as error:
        return _unanswered(error)


def _unanswered(error: Silent) -> Outcome:
    return Outcome(UNRESOLVABLE, error.reason, error.path, None, (), (), None, (), ())


def _outcome(definition: Definition, files: HostFiles, extra: Optional[Dict[str, Value]] = None) -> Outcome:
    try:
        if definition.unit is not None and definition.unit.masked:
            raise Unresolvable("the unit is masked, so it cannot start", definition.unit.fragment)
        if definition.unit is not None and definition.unit.doubt is not None:
            raise Unresolvable(*definition.unit.doubt)
        if definition.unit is not None and _lacks_folder(definition.unit, files):
            raise Unresolvable("the unit cannot start: its WorkingDirectory= is missing", definition.unit.fragment)
        result = _start(definition, files, extra or {})
        if definition.unit is not None and definition.unit.before:
            written = written_before(definition.unit, [entry.lstrip("-") for entry in definition.unit.environment_files]
                                     + result.sourced + result.followed + result.texts, files)
            if written:
                raise Unresolvable(written, definition.unit.fragment)
        if definition.unit is not None and definition.unit.overlays:
            hidden = _hidden(definition.unit, result, files)
            if hidden:
                raise Unresolvable("%s shows the service other files than the host's" % hidden,
                                   definition.unit.fragment)
        inside = seen_by(definition, files)
        ways = [launch for found in result.paths for launch in found if launch.main is not None
                and (launch.tomcat is not None or unknown_of(launch.words[launch.main], True)
                     or _programs(launch, inside))]
        if not ways:
            why = next((launch.open for found in result.paths for launch in found if launch.open), None)
            if why:
                raise Unresolvable("what it starts is not known: %s" % why, _program_path(definition))
            stray = next((launch.stray for found in result.paths for launch in found if launch.stray is not None), None)
            place, position, _length = _word_origin(stray) if stray is not None else (None, 0, 0)
            if place is not None:  # the word itself may be half a password
                raise Unresolvable(_NO_WAR + " was found; java takes a word before -jar, which is no option, for its "
                                   "program", place, line_of(files.read(place), position))
            raise Unresolvable(_NO_WAR + " was found" + ("; " + result.end if result.end else ""),
                               _program_path(definition))
        judged = [_judge(launch, inside) for launch in ways]
        # What starts something else than a war counts only where an edit must not change it.
        counting = set(map(id, ways))
        others = [_judge(launch, inside)[3] for found in result.paths for launch in found if id(launch) not in counting]
    except Unresolvable as error:
        return unresolved(error)
    except MemoryError:
        return unresolved(Unresolvable("reading it takes more memory than there is"))
    mentions = list(dict.fromkeys(mention for _verdict, _reason, found, _vector in judged for mention in found))
    vectors = tuple(dict.fromkeys([vector for _verdict, _reason, _mentions, vector in judged] + others))
    try:
        programs = tuple(dict.fromkeys(program for launch in ways for program in _programs(launch, inside)))
    except Unresolvable as error:  # a Tomcat, and it is not known what it serves: that it does is assumed
        return unresolved(error)._replace(walk=result, vectors=vectors, programs=(error.path or "",))
    homes = tuple(dict.fromkeys(home for home in (_home(launch) for launch in ways) if home))
    if not homes and all(launch.tomcat is None for launch in ways):
        homes = _default_home(definition, files)
    verdicts = {verdict for verdict, _reason, _mentions, _vector in judged}
    if verdicts == {DISABLED} or verdicts == {ENABLED}:
        last = judged[0][2][-1] if judged[0][2] else None
        path, line = _place(files, last)
        return Outcome(verdicts.pop(), None, path, line, tuple(mentions), vectors, result, programs, homes)
    reason = next((reason for verdict, reason, _m, _v in judged if verdict == UNRESOLVABLE), None)
    if reason is None and result.ways == 1:
        reason = "it starts several JVMs, with the flag and without"
    elif reason is None:
        reason = "it depends on a condition in the launch files that is not known before the start"
    return Outcome(UNRESOLVABLE, reason, None, None, tuple(mentions), vectors, result, programs, homes)


#: Where systemd may make a folder for a service (StateDirectory= and its like).
_MADE_FOR_SERVICES = re.compile(r"/(?:var/(?:lib|cache|log)|etc|run)/")


def _lacks_folder(unit: Unit, files: HostFiles) -> bool:
    return bool(unit.folder and not unit.before and not PASSING.match(unit.folder + "/")
                and not _MADE_FOR_SERVICES.match(unit.folder) and not seen(files, unit.mounts).exists(unit.folder))


def _hidden(unit: Unit, result: Walk, files: HostFiles) -> Optional[str]:
    """The setting by which the service sees something else where its launch files, or what they name, may lie."""
    texts = [" ".join(text_of(word) for word in command) for command in unit.exec_start]
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


def _place(files: HostFiles, mention: Optional[Found]) -> Tuple[Optional[str], Optional[int]]:
    if mention is None or mention.path is None:
        return None, None
    try:
        return mention.path, line_of(files.read(mention.path), mention.position)
    except OSError:
        return mention.path, None


def _program_path(definition: Definition) -> Optional[str]:
    return text_of(definition.program[0]) if definition.program else None


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
    given = [text_of(word).rpartition("=")[2] for word in launch.words[launch.main + 1:] if not unknown_of(word, True)]
    return tuple(path for path in (launch.absolute(text) for text in given if "/" in text or text.endswith(".war"))
                 if path.startswith("/") and (path.endswith(".war") or files.exists(path)) and is_ours(files, path))


#: Servers that serve what lies in folders of theirs, where those lie, and how the folders are called.
_SERVERS = re.compile(r"(?:^|/)(?:start|jetty[\w.-]*|jboss-modules|payara[\w.-]*)\.jar\Z")
_PLACES = re.compile(r"(?:-D)?(?:jetty\.(?:base|home)|jboss\.(?:home\.dir|server\.base\.dir))=(/.+)\Z")
_SERVED = ("webapps", "deployments", "standalone/deployments")
_LIMIT_SERVED = 100


def _served(launch: Launch, files: HostFiles) -> Tuple[str, ...]:
    """The wars of ours that Jetty, WildFly or another server than Tomcat would serve."""
    places = [match.group(1) for match in (_PLACES.match(text_of(word)) for word in launch.words
                                           if not unknown_of(word, True)) if match]
    places += [launch.folder or "", launch.program.rpartition("/")[0]]
    found = ["%s/%s/%s" % (place.rstrip("/"), folder, name)
             for place in dict.fromkeys(place for place in places if place.startswith("/")) for folder in _SERVED
             for name in files.list("%s/%s" % (place.rstrip("/"), folder)) if name.endswith(".war")]
    return tuple(path for path in found[:_LIMIT_SERVED] if is_ours(files, path))


def in_tomcat(result: Outcome) -> bool:
    """True where a Tomcat is started."""
    return result.walk is not None and any(launch.tomcat is not None
                                           for found in result.walk.paths for launch in found)


def _home(launch: Launch) -> str:
    home = text_of(launch.environment.get("JENKINS_HOME", []))
    for index in launch.options:
        text = text_of(launch.words[index])
        if text.startswith("-DJENKINS_HOME=") and not unknown_of(launch.words[index], True):
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


# -- finding installations --------------------------------------------------------------------------


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
        return any(OF_INTEREST.search(AGENT.sub("", line)) for text in self.texts for line in text.split("\n")
                   if _LAUNCHES_WAR.search(line) or "-jar" in line)

    @property
    def hints(self) -> bool:
        """Whether any line of theirs has to do with the product, whatever it says."""
        return self.of_interest or any(OF_INTEREST.search(AGENT.sub("", line)) for text in self.texts
                                       for line in text.split("\n") if not line.lstrip().startswith("#"))

    @property
    def runs_unknown(self) -> bool:
        """Whether a program is started that only a variable names which none of them sets."""
        assigned = {name for text in self.texts for name in _ASSIGNS.findall(text)}
        return any(name not in assigned for text in self.texts for name in _RUNS_VARIABLE.findall(text))

    @property
    def only_handles(self) -> bool:
        """Whether wars are only copied, removed, looked at where they are named."""
        lines = [line for text in self.texts for line in text.split("\n")
                 if _LAUNCHES_WAR.search(line) and not line.lstrip().startswith("#")]
        return bool(lines) and all(_HANDLES.match(line) for line in lines)

    @property
    def foreign(self) -> bool:
        """Whether a program that is no shell script is on the way."""
        return self.any(_FOREIGN)


#: Units of the supervisors whose programs are installations of their own (:mod:`_starters`).
_SUPERVISORS = frozenset(["monit", "runit", "runsvdir", "supervisor", "supervisord"])
#: Lines that do something to a file, and start nothing.
_HANDLES = re.compile(
    r"\s*(?:(?:if|then|sudo|do|!)\s+)*(?:\[\[?\s|(?:/usr)?(?:/bin/)?(?:test|cp|mv|rm|ln|ls|tar|rsync|scp|cat|zip|gzip"
    r"|unzip|chown|chmod|stat|sha\d+sum|md5sum|install|find|touch|echo|curl|wget)\s)[^;&|]*\Z")
#: What may start programs and is not followed.
_FOREIGN = re.compile(r"\A#!(?![^\n]*(?:\b(?:ba|da|a|k|mk|z)?sh\b|init-d-script|openrc-run|runscript))"
                      r"|(?:^|[\s/'\"])(?:python|perl|ruby|node|php|expect|groovy)[\d.]*\s+[^\s-]"
                      # a shell that is told what to do on its standard input, programs that are given names of others
                      r"|\b(?:ba|da|k|z)?sh\b[^\n#]{0,80}<<-?\s*[\\\"']?\w|\bxargs\b[^\n|;&]{0,30}\b(?:java|(?:ba|da)?sh)\b"
                      r"|-exec(?:dir)?\s[^\n]{0,30}\bjava\b|\brun-parts\b")


def _texts(definition: Definition, files: HostFiles) -> Texts:
    """What a definition starts: its command lines, and the scripts that they lead to."""
    unit = definition.unit
    files = seen_by(definition, files)
    commands = (unit.exec_start if unit is not None else ()) or ((definition.program,) if definition.program else ())
    lines = [" ".join(text_of(word) for word in command) for command in commands]
    values = [text_of(variable.value) for variable in definition.environment.values()]
    texts, is_open, silent = [], False, None
    for text in lines + values:  # a war, or a whole command, that the command line only names
        found = reached(files, text, None, definition.folder)
        texts.extend(found.texts)
        is_open = is_open or (found.open and text in lines)
        silent = silent or (found.silent if text in lines else None)
    if definition.folder and any(map(brings_up, lines)):  # a compose file that lies where it is started
        try:
            texts += [files.read("%s/%s" % (definition.folder, name)) for name in files.list(definition.folder)
                      if COMPOSE.match(name)]
        except Silent:
            raise
        except OSError:
            is_open = True
    # What every service is given tells nothing of this one.
    own = unit.environment if unit is not None else definition.environment
    names = [definition.name, definition.user, definition.folder or ""] + lines
    names += [text_of(variable.value) for variable in own.values()] + list(own)
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
        any("compose" in line for line in lines) and any(map(of_product, texts.texts)))


def _not_followed(name: str, result: Outcome) -> str:
    return "%s starts a Tomcat, and whether that serves a CloudBees or Jenkins war is not known: %s" % (
        name, Unresolvable(result.reason or "", result.path, result.line))


def _launches(text: str) -> bool:
    return _LAUNCHES_WAR.search(text) is not None or _LAUNCHES_TOMCAT.search(text) is not None


def _names_a_war(units: UnitFiles, name: str) -> bool:
    """True where the text of a unit that cannot be understood has to do with an installation."""
    fragment = units.fragment(name)
    try:
        content = units.files.read(fragment) if fragment is not None else ""
    except OSError:
        return False
    return (_launches(content) or "java" in content) and OF_INTEREST.search(content) is not None


def _masked_name(name: str) -> bool:
    return OF_INTEREST.search(name) is not None


def definition_of(unit: Unit, manager: Optional[Dict[str, Variable]] = None) -> Definition:
    """An installation that a unit starts; ``manager`` is what the service manager gives every service."""
    environment = dict(manager or {})
    environment.update(unit.environment)
    program = unit.exec_start[-1] if unit.exec_start else ()
    return Definition(unit.name.rsplit(".", 1)[0], unit.name, program, environment, True, unit, unit.folder)


def init_definition(name: str) -> Definition:
    """An installation that ``/etc/init.d/<name> start`` starts (no systemd, or an image of it)."""
    return Definition(name, name, ([Run("%s/%s" % (_INIT_FOLDER, name))], [Run("start")]), {}, True)


def start_definition(start: Start) -> Definition:
    """An installation that one of :mod:`_starters` starts, in an environment of which not all is known."""
    return Definition(start.path, None, start.command, start.environment, False, None, start.directory or None, start)


def restarted(definition: Definition, files: HostFiles) -> Definition:
    """The same installation of one of :mod:`_starters` as its files say now; as it is where they do not name it."""
    start = definition.start
    again = next((one for one in all_starts(files, []) if start is not None and one.key == start.key), None)
    return definition if again is None else start_definition(again)._replace(name=definition.name)


def script_words(entry: str, files: HostFiles) -> List[str]:
    """A launch script and its arguments, as a shell takes them apart; a path with blanks that is there is a path."""
    if not re.search(r"[\s\\'\"]", entry) or files.exists(entry):
        return [entry]
    import shlex  # few are started with arguments

    try:
        return shlex.split(entry)
    except ValueError:  # a quote is open
        return [entry]


def script_definition(name: str, words: Sequence[str] = ()) -> Definition:
    """An installation that somebody starts with a launch script by hand, from an unknown environment."""
    return Definition(name, None, tuple([Run(word)] for word in words or [name]), {}, False)


def _services(units: UnitFiles, loaded: Sequence[str], warnings: List[str]) -> List[str]:
    """Names of all services that may start something: a template does not, its instances do."""
    names = set(units.names())
    names.update(name for name in loaded if units.fragment(name) is not None)
    for template in sorted(name for name in names if "@." in name):
        try:
            unit = units.load(template)
            starts = unit is not None and not unit.masked and _texts(definition_of(unit), units.files).launches
        except (Unresolvable, OSError):
            starts = _masked_name(template) or _names_a_war(units, template)
        if not starts:
            continue
        names.update(units.wanted_instances(template))
        if not any(name.startswith(template.partition("@")[0] + "@") for name in names if "@." not in name):
            warnings.append("%s is the template of a service that starts a war, and no instance of it is enabled"
                            % template)
    return sorted(name for name in names if "@." not in name)


def _consider(definition: Definition, files: HostFiles, found: List[Tuple[Definition, Outcome]], warnings: List[str],
              refused: bool = False) -> None:
    """Put a definition among the installations where it starts one, or may. Raises Silent."""
    texts = _texts(definition, files)
    place = definition.unit.fragment if definition.unit is not None else None
    name = place or definition.service or definition.name
    # What its environment is may not be known before it starts: then a whole command may stand in it.
    unknown = definition.unit is not None and definition.unit.doubt is not None and texts.of_interest
    if not texts.tells and not texts.open and not refused and not (unknown and texts.runs_unknown):
        return
    if _starts_container(texts):
        found.append((definition, unresolved(Unresolvable(
            "it starts a container, whose image and environment decide", place))))
        warnings.append("%s starts a container, and what runs in it is not looked at" % name)
        return
    result = _outcome(definition, files)
    if not result.programs and texts.silent is not None:  # it may be anything, so also a controller
        found.append((definition, _unanswered(texts.silent)))
    elif in_tomcat(result):
        if result.programs:
            found.append((definition, result))
    elif result.programs:
        inside = seen_by(definition, files)
        if any(is_ours(inside, program, result.homes) for program in result.programs):
            found.append((definition, result))
    elif _may_be_ours(definition, seen_by(definition, files), texts, result, refused):
        found.append((definition, result))
    elif result.walk is None and not _starts_none(result) and (
            texts.any(_LAUNCHES_TOMCAT) or texts.any(_UNKNOWN_PROGRAM)) and (
            texts.hints or _names_a_product(seen_by(definition, files), texts.texts)):
        found.append((definition, result))
    elif result.walk is None and texts.any(_LAUNCHES_TOMCAT):
        warnings.append(_not_followed(definition.service or definition.name, result))
    elif _starts_none(result):
        return  # it is known now, and is none
    elif result.walk is None and texts.any(_UNKNOWN_PROGRAM):
        warnings.append("%s starts a JVM, and whether on a CloudBees or Jenkins war is not known: %s" % (
            definition.service or definition.name, Unresolvable(result.reason or "", result.path, result.line)))


def _starts_none(result: Outcome) -> bool:
    """Whether it was followed to its end, and starts no war."""
    return result.reason is not None and result.reason.startswith(_NO_WAR)


_NAMED_PATH = re.compile(r"(?<![\w.$}~*?\]/-])/[\w./*?@+:%,-]*\w")
_RELATIVE = re.compile(r"(?<![\w./$}-])\w[\w.-]*\.war\b")
_ENTERED = re.compile(r"\bcd[ \t]+[\"']?(/[\w./@+-]+)")
_LIMIT_NAMED = 50  # wars, or folders with wars, that one definition names


def _names_a_product(files: HostFiles, texts: Sequence[str]) -> bool:
    """Whether some text names a war by its path, a pattern, or the folder that it lies in, and its manifest says so."""
    lines = [line for text in texts for line in text.split("\n")
             if _LAUNCHES_WAR.search(line) and not line.lstrip().startswith("#")]
    names = dict.fromkeys(name for line in lines for name in _NAMED_PATH.findall(line))
    entered = dict.fromkeys(folder for text in texts for folder in _ENTERED.findall(text))
    relative = dict.fromkeys(name for line in lines for name in _RELATIVE.findall(line))
    paths = list(names) + ["%s/%s" % (folder, name) for folder in list(entered)[:_LIMIT_NAMED]
                           for name in list(relative)[:_LIMIT_NAMED]]
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


def _runs_binary(definition: Definition, files: HostFiles) -> bool:
    """Whether it starts a program of somebody's that is no script, as a wrapper of Java's is."""
    program = _program_path(definition) or ""
    return program.startswith(("/opt/", "/srv/", "/usr/local/", "/var/", "/home/", "/data/", "/app")) and \
        files.exists(program) and _script_text(files, program) is None


def _may_be_ours(definition: Definition, files: HostFiles, texts: Texts, result: Outcome, refused: bool) -> bool:
    """Whether what could not be followed to a war is a product all the same, as far as names and manifests tell."""
    nothing = _starts_none(result)
    words = [text_of(word) for word in definition.program]
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


def _other_starts(files: HostFiles, services: Set[str], found: List[Tuple[Definition, Outcome]], warnings: List[str],
                  launch_scripts: Sequence[str]) -> Dict[str, int]:
    """Add what others than systemd and init scripts start; returns of how many starts of each kind was heard."""
    counted: Dict[str, int] = {}
    kinds: Dict[str, int] = {}
    for start in all_starts(files, warnings):
        kinds[start.kind] = kinds.get(start.kind, 0) + 1
        if (start.path.startswith("/etc/rc") and {"rc-local.service", "rc.local.service"} & services) \
                or (start.kind == "quadlet" and start.name + ".service" in services) \
                or any(text_of(word) in launch_scripts for word in start.command) \
                or (not start.command and _is_started_by_one(found, start.path)):
            continue
        definition = start_definition(start)
        if start.command:
            some: List[Tuple[Definition, Outcome]] = []
            try:
                # What those who log in write there makes no noise.
                _consider(definition, files, some, [] if start.by_anybody else warnings)
            except Silent as error:
                some = [(definition, _unanswered(error))]
            if not some or (some[0][1].walk is not None and set(launch_scripts) & set(some[0][1].walk.followed)):
                continue
            result = some[0][1]
            if start.reason is not None and result.verdict != UNRESOLVABLE:
                result = unresolved(Unresolvable(start.reason, start.path))._replace(
                    walk=result.walk, programs=result.programs, homes=result.homes)
        elif start.reason is None or start.unit is not None:
            continue  # it starts nothing
        else:
            result = unresolved(Unresolvable(start.reason or "it is not followed", start.path, start.line))
        if start.by_anybody and start.kind == "cron":  # a line that need not ever have run
            warnings.append("%s:%d tells of a CloudBees or Jenkins war, and whoever may log in can have written it"
                            % (start.path, start.line))
            continue
        if result.verdict == UNRESOLVABLE:
            result = result._replace(
                reason="%s starts it: %s; %s" % (start.words, result.reason, _to_be_said(start, result)),
                path=result.path or start.path, line=result.line or (None if result.path else start.line))
        counted[start.path] = counted.get(start.path, 0) + 1
        if counted[start.path] > 1:
            definition = definition._replace(name="%s [%s]" % (start.path, start.name))
        found.append((definition, result))
    return kinds


def _is_started_by_one(found: Sequence[Tuple[Definition, Outcome]], path: str) -> bool:
    """Whether a unit starts this compose file: it names it, or is started in its folder."""
    for definition, _result in found:
        words = [text_of(word) for word in definition.program]
        if definition.unit is not None and "compose" in " ".join(words) and (
                path in words or (definition.folder == path.rpartition("/")[0] and "-f" not in words)):
            return True
    return False


def _to_be_said(start: Start, result: Outcome) -> str:
    """What to write, and where: of what is only recognised, no variable of the inventory makes more."""
    return ("by hand: %s; until the start can be followed, a telemetry_waiver with its reason is what the inventory "
            "can say of it" % start.advice)


def discover(files: HostFiles, launch_scripts: Sequence[str] = (), manager: Optional[Dict[str, Variable]] = None,
             instances: Sequence[str] = (), looked: Optional[List[str]] = None,
             ) -> Tuple[List[Tuple[Definition, Outcome]], List[str]]:
    """All installations under the view's root with what their files say, and warnings.

    ``instances`` are those of templates that the service manager has loaded; ``looked`` gets what was looked at.
    """
    found: List[Tuple[Definition, Outcome]] = []
    warnings: List[str] = []
    scripts = {entry: script_words(entry, files) for entry in launch_scripts}
    units = UnitFiles(files)
    names = _services(units, instances, warnings)
    unknown: Optional[Unresolvable] = None  # what every service gets
    if manager is None:
        try:
            manager = default_environment(files)
            generators = environment_generators(files)
            if generators:
                unknown = Unresolvable("a program sets variables for all services when systemd starts", generators[0])
        except Unresolvable as error:
            unknown = error
    for name in names:
        try:
            unit = units.load(name)
        except (Unresolvable, OSError) as error:
            if _masked_name(name) or _names_a_war(units, name):
                definition = Definition(name.rsplit(".", 1)[0], name, (), {}, True)
                found.append((definition, unresolved(
                    error if isinstance(error, Unresolvable) else
                    Unresolvable("it cannot be read: %s" % error.strerror, error.filename))))
            continue
        if unit is None or unit.masked:
            continue
        if unknown is not None and unit.doubt is None:
            unit = unit._replace(doubt=(unknown.reason, unknown.path))
        definition = definition_of(unit, manager)
        try:
            _consider(definition, files, found, warnings, unit.refused and _names_a_war(units, name))
        except Silent as error:  # it may be anything, so also a controller
            found.append((definition, _unanswered(error)))
    services = set(names)
    inits = [name for name in files.list(_INIT_FOLDER) if not name.endswith(BACKUP_SUFFIX)]
    for name in inits:
        if name + ".service" in services:
            continue
        script = _script_text(files, "%s/%s" % (_INIT_FOLDER, name))
        if script is not None:
            _consider(init_definition(name), files, found, warnings)
    kinds = _other_starts(files, services, found, warnings, [words[0] for words in scripts.values()])
    if looked is not None:
        looked.extend(["%d services of systemd" % len(names), "%d init scripts" % len(inits)])
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
    if definition.service is None and len(words) == 1 and definition.program and \
            text_of(definition.program[0]) == words[0]:
        return True
    if result.walk is None or words[0] not in result.walk.followed:
        return False
    commands = definition.unit.exec_start if definition.unit is not None else (definition.program,)
    texts = [" ".join(text_of(word) for word in command) for command in commands]
    return len(words) == 1 or any(" ".join(words) in text for text in texts)


#: What scripts call the argument that starts something, likeliest first.
_STARTING = ("start", "run", "console", "foreground", "up")


def _wanting(definition: Definition, result: Outcome, files: HostFiles) -> Outcome:
    """The outcome of a launch script; where one started without an argument wants one, its reason says which."""
    if result.verdict != UNRESOLVABLE or len(definition.program) > 1 or result.reason is None \
            or not result.reason.startswith(_NO_WAR):
        return result
    for word in _STARTING:
        entry = "%s %s" % (re.sub(r"([\s\\'\"])", r"\\\1", definition.name), word)
        if outcome(definition._replace(program=definition.program + ([Run(word)],)), files).programs:
            return result._replace(reason="it wants an argument: write \"%s\" in telemetry_launch_scripts; %s" % (
                entry, result.reason))
    return result


# -- the live launch file ---------------------------------------------------------------------------


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
        layers = [(layer, tuple(word for word in words if word != PROBE)) for layer, words in vector]
        found.add(tuple((layer, words) for layer, words in layers if words or layer in ("options", "program")))
    return found


def same_but_probe(before: Outcome, after: Outcome) -> bool:
    """True where the second differs from the first by the probe word alone, and that on every way."""
    if not _keeps_starts(before, after):
        return False
    for vector in after.vectors:
        if all(PROBE not in words for layer, words in vector if layer != "program"):
            return False
    return bool(after.vectors) and _bare(after) == _bare(before)


def same_vectors(before: Outcome, after: Outcome) -> bool:
    """True where two outcomes differ at most in mentions of the property."""
    return bool(after.vectors) and _bare(after) == _bare(before) and _keeps_starts(before, after)


def _keeps_starts(before: Outcome, after: Outcome) -> bool:
    """True where no more ways through the launch files end without a JVM than before."""
    return before.walk is None or after.walk is None or (
        after.walk.ways - len(after.walk.paths) <= before.walk.ways - len(before.walk.paths))


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


def lives_of(definition: Definition, files: HostFiles, before: Outcome) -> Iterator[Live]:
    """Where one more option would arrive at the JVM, found by trying in memory; the best place first.

    That is one which assigns the variable already, then the file that is named after the service. A file that others
    than this installation read is none (:meth:`HostFiles.may_be_edited`).
    """
    if before.walk is None:
        return
    seen_by(definition, files)  # from here on it is known what in a service's own root is a package's
    result = before.walk
    until = files.work[0] + LIMIT_TRYING

    def tried(content: Dict[str, Optional[str]], extra: Optional[Dict[str, Value]] = None) -> bool:
        files.work[0] += _TRY
        return files.work[0] < until and same_but_probe(
            before, outcome(definition, files.with_candidates(content), extra))

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
            value = list(variable.value) if variable is not None else []
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


def _sourced_variables(definition: Definition, files: HostFiles, before: Outcome,
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
        assigned = assigned_in(content, path)
        names = [name for name in KNOWN_VARIABLES if name in read]
        names += [name for name in result.names if name in assigned and name not in KNOWN_VARIABLES]
        for name in names:
            if name in assigned:
                rank = _ASSIGNED if _HOLDS_OPTIONS.search(name) else _ANYTHING
            else:
                rank = _NAMED if path.rsplit("/", 1)[-1].rsplit(".", 1)[0] in stems else _OTHER
            for array in ([True, False] if assigned.get(name) else [False]):
                found.setdefault(rank, []).append((path, name, array, name in assigned))
    return found


def assigned_in(content: str, path: str) -> Dict[str, bool]:
    """The variables that a file of a shell assigns, each with whether one of its assignments makes it an array."""
    assigned: Dict[str, bool] = {}
    for assignment in assignments(content, path):
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
    return {_ASSIGNED: options + [name for name in others if _HOLDS_OPTIONS.search(name)],
            _OTHER: [name for name in KNOWN_VARIABLES if name in read and name not in known],
            _ANYTHING: [name for name in others if not _HOLDS_OPTIONS.search(name)]}


def packaging_of(definition: Definition, live: Optional[Live], result: Outcome) -> str:
    """tomcat, deb, rpm, systemd or script: by what is started and where the live launch file is."""
    if in_tomcat(result):
        return "tomcat"
    path = live.path if live is not None else (_program_path(definition) or "")
    if path.startswith("/etc/default/"):
        return "deb"
    if path.startswith("/etc/sysconfig/"):
        return "rpm"
    if live is not None and live.reader in ("Environment", "EnvironmentFile"):
        return "systemd"
    return "script"


# -- every mention ----------------------------------------------------------------------------------

LIMIT_LISTED = 200  # mentions of one file that are listed, beside those that count
_FIRST = re.compile(r"[ \t]*(.?)", re.DOTALL)
_MENTION = re.compile(r"-D" + re.escape(PROPERTY) + r"(?:=([^\s\"'\\;)]*))?(?![\w.])")


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
            paths.extend(folder + "/" + stem for folder in ("/etc/default", "/etc/sysconfig", _INIT_FOLDER))
    if definition.unit is not None:
        paths.extend(filter(None, [definition.unit.fragment]))
        paths.extend(definition.unit.drop_ins)
        paths.extend(variable.path for variable in definition.unit.environment.values())
    if result.walk is not None:
        paths.extend(result.walk.sourced + result.walk.followed + result.walk.texts)
    paths.extend(mention.path for mention in result.mentions if mention.path is not None)
    program = _program_path(definition)
    if program:
        try:
            paths.append(seen_by(definition, files).origin(program))
        except OSError:
            pass
    return [path for path in dict.fromkeys(paths) if path.startswith("/")]


def declarations(definition: Definition, result: Outcome, live: Optional[Live], files: HostFiles,
                 ) -> List[Declaration]:
    """All mentions of the flag around an installation, each live or dead and why."""
    effective = {(mention.path, mention.position): index for index, mention in enumerate(result.mentions)}
    winner = "%s:%s" % _place(files, result.mentions[-1]) if result.mentions else ""
    read = set(result.walk.sourced + result.walk.followed + result.walk.texts) if result.walk is not None else set()
    if definition.unit is not None:
        read.update(filter(None, [definition.unit.fragment]))
        read.update(definition.unit.drop_ins)
        read.update(variable.path for variable in definition.unit.environment.values())
    found: List[Tuple[int, Declaration]] = []
    for path in related_files(definition, result, files):
        try:
            content = files.read(path)
        except OSError:
            continue
        if PROPERTY not in content:
            continue
        matches = list(_MENTION.finditer(content))
        listed = [match for number, match in enumerate(matches)
                  if number < LIMIT_LISTED or (path, match.start()) in effective]
        variables, commented = _circumstances(content, path, [match.start() for match in listed])
        for match, variable, in_comment in zip(listed, variables, commented):
            line = line_of(content, match.start())
            order = effective.get((path, match.start()), -1)
            reason: Optional[str] = None
            if order < 0:
                reason = _why_dead(in_comment, variable, path in read, live, result)
            elif order < len(result.mentions) - 1:
                reason = "overridden by %s" % winner
            found.append((order, Declaration(path, line, variable, match.group(1) or "", reason is None, reason)))
        if len(listed) < len(matches):
            found.append((-1, Declaration(path, line_of(content, matches[LIMIT_LISTED].start()), None, "", False,
                                          "the file holds %d mentions more, which are not listed"
                                          % (len(matches) - len(listed)))))
    return [item for _order, item in sorted(found, key=lambda pair: pair[0])]


def _circumstances(content: str, path: str, positions: Sequence[int]) -> Tuple[List[Optional[str]], List[bool]]:
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
            comment = first is not None and first.group(1) in (
                "#;" if path.endswith((".service", ".conf")) else "#")
        commented[number] = comment

    def inside(begin: int, end: int) -> range:
        return range(bisect_left(positions, begin), bisect_left(positions, end))

    if path.endswith((".service", ".conf")) and "/systemd/" in path:
        for begin, end, name in _assigned_in_unit(content, path):
            for number in inside(begin, end):
                variables[number] = variables[number] or name
        return variables, commented
    try:
        _tree, parser = parse(Text(content, path))
    except ShellSyntaxError:
        return variables, commented
    for assignment in parser.assignments:  # inner ones come before those that they stand in
        for number in inside(assignment.start, assignment.end):
            variables[number] = variables[number] or assignment.name
    if not path.endswith((".service", ".conf")):
        for begin, end in parser.comments + parser.heredocs:
            for number in inside(begin, end):
                commented[number] = True
    return variables, commented


def _assigned_in_unit(content: str, path: str) -> Iterator[Tuple[int, int, str]]:
    """Where the assignments of a unit file or drop-in stand, and to which variable."""
    try:
        settings = parse_unit(content, path)
    except Unresolvable:
        return
    for setting in settings:
        for word in split_words(setting.value) if setting.key == "Environment" else []:
            runs = [run for run in word if run.path]
            if runs:
                yield runs[0].position, runs[-1].position + len(runs[-1].text), text_of(word).partition("=")[0]


def _why_dead(in_comment: bool, variable: Optional[str], is_read: bool, live: Optional[Live], result: Outcome) -> str:
    if in_comment:
        return "it is a comment"
    if not is_read:
        return "nothing that starts the service reads this file"
    if result.verdict == UNRESOLVABLE and not result.mentions:
        return "whether it is read is not known: %s" % result.reason
    if variable is not None and live is not None and live.variable and variable != live.variable:
        return "the launcher reads %s" % live.variable
    if variable is not None:
        return "a later assignment of %s replaces it, or it stands in a branch that is not taken" % variable
    return "it is not among the options of the JVM (after the war, or not part of a command)"

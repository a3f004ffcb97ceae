# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JVM option vectors: which ``-D`` counts, in which order the environment's layers apply, what is "true".

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import re
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ..text._value import Unresolvable

PROPERTY = "com.cloudbees.analytics.gatherer.Sender.disabled"
FLAG = "-D" + PROPERTY + "=true"

#: Environment variables from which a JVM takes options, weakest first. The command line stands
#: between the second and the third (seen on OpenJDK 11 to 21: ``_JAVA_OPTIONS`` beats it).
WEAKER_ENVIRONMENT = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS")
STRONGER_ENVIRONMENT = ("_JAVA_OPTIONS",)
ENVIRONMENT = WEAKER_ENVIRONMENT + STRONGER_ENVIRONMENT

#: By which Hazelcast is told, beside its property.
PHONE_HOME = "HZ_PHONE_HOME_ENABLED"

#: What starts the product from a class path (Jenkins' executable/Main.java; old wars have it without a package).
MAINS = frozenset(["executable.Main", "winstone.Launcher", "Main"])

#: Options of the ``java`` launcher whose value is the next word, so that word is no option itself.
_TAKES_WORD = frozenset(
    [
        "-cp",
        "-classpath",
        "--class-path",
        "-p",
        "--module-path",
        "--upgrade-module-path",
        "--add-modules",
        "--enable-native-access",
        "--limit-modules",
        "--add-exports",
        "--add-opens",
        "--add-reads",
        "--patch-module",
        "-d",
        "--describe-module",
        "--source",
    ]
)
_VM_OPTIONS_FILE = "-XX:VMOptionsFile="

_LIMIT_ARGFILE = 1 << 20
_LIMIT_EXPANDED = 4 << 20  # characters of all option files of one command line


class Mention(NamedTuple):
    """One ``-D`` of the telemetry property in a layer: its value, and where in the layer it stands."""

    layer: str
    position: int  # number of the word in its layer
    value: str  # empty for "-Dkey" without "=", as Java reads it


#: The values of a variable that turns something off or on, each with the one that means the contrary.
CONTRARY: Dict[str, str] = {
    "true": "false",
    "false": "true",
    "1": "0",
    "0": "1",
    "yes": "no",
    "no": "yes",
    "on": "off",
    "off": "on",
}


class Switch(NamedTuple):
    """A property of a JVM, or a variable of its environment, by which something is told to send or not."""

    name: str
    off: str = "true"  # with which it does not send; "false" for one that says that something sends
    variable: str = ""  # of the environment: where that is "false", nothing is sent either
    environment: bool = False  # it is no property but a variable of the environment

    @property
    def key(self) -> str:
        """What stands before the value where it is set."""
        return self.name if self.environment else "-D" + self.name

    @property
    def option(self) -> str:
        """The option, or the assignment, that turns it off."""
        return "%s=%s" % (self.key, self.off)

    @property
    def neither(self) -> str:
        """Why a state is ``unknown`` for which a value was seen."""
        return "its value is neither %s nor %s" % (self.off, CONTRARY[self.off]) if self.environment else NEITHER

    def shown(self, value: str) -> str:
        """A value of it as results may show it. What a variable holds that is no word of a switch may be a secret."""
        return "(other)" if self.environment and self.is_other(value) else shown(value)

    def is_other(self, value: str) -> bool:
        """Whether a value is no word of a switch, in any case, so that it may be about something else."""
        return bool(value) and value.lower() not in CONTRARY

    def turns_off(self, value: Optional[str]) -> bool:
        """Whether a value turns it off: the one word alone does, in any case (as in ``Boolean.parseBoolean``).

        Of a variable nobody knows who takes it in another case, so that is the very word.
        """
        return value is not None and (value if self.environment else value.lower()) == self.off

    def state(self, value: Optional[str]) -> str:
        """``disabled``, ``enabled``; ``unknown`` for a value which nobody knows how its reader takes it."""
        if self.turns_off(value):
            return "disabled"
        if self.environment:
            return "enabled" if value in (None, CONTRARY[self.off]) else "unknown"
        return "enabled" if self.off == "true" or value is None or value.lower() == "true" else "unknown"


TELEMETRY = Switch(PROPERTY)
#: Why a state is ``unknown`` for which a value was seen.
NEITHER = "its value is neither true nor false"


def is_name(text: str) -> bool:
    """Whether a text can be the name of a property that is looked for: no word of a launch file can mean another."""
    return re.match(r"[A-Za-z_$][\w$]*(?:[.-][\w$]+)*\Z", text, re.ASCII) is not None and len(text) <= 200


#: What a shell, the loader of programs, a JVM or the product itself reads: no switch of anything.
_READ_BY_OTHERS = re.compile(
    r"(?:LD|DYLD|LC|BASH|SYSTEMD)_\w*|\w*(?:PATH|OPTS|OPTIONS|ARGS)|(?:JAVA|JENKINS|CATALINA|HUDSON)?_?HOME|JAVA"
    r"|JENKINS_(?:JAVA\w*|USER|GROUP|WAR|LOG|\w*PORT)|CASC_\w*|ENV|IFS|LANG|LANGUAGE|LOGNAME|NOTIFY_SOCKET|OPTIND|PS[1-4]"
    r"|OLDPWD|PWD|SHELL|SHELLOPTS|TERM|TMPDIR|TZ|E?UID|PPID|USER|_+"
)


def is_variable(text: str) -> bool:
    """Whether a text can be the name of a variable that is a switch: none that others read, and none of a secret."""
    return (
        re.match(r"[A-Za-z_][A-Za-z0-9_]{0,99}\Z", text, re.ASCII) is not None
        and re.match(r"(?:%s)\Z" % _READ_BY_OTHERS.pattern, text, re.ASCII) is None
        and re.search("PASSW|PASSPHRASE|SECRET|TOKEN|KEY|CREDENTIAL", text, re.IGNORECASE) is None
    )


def switch_of(asked: Dict[str, Any]) -> Switch:
    """A switch that an option names. Raises ValueError where it cannot be one."""
    environment = asked.get("kind") == "environment"
    if not (is_variable if environment else is_name)(asked["name"]):
        raise ValueError("%s is no name of a %s" % (shown(asked["name"]), "variable" if environment else "property"))
    if not environment and asked["off_value"] not in ("true", "false"):
        raise ValueError("%s: a property is off by true or by false" % asked["name"])
    return Switch(asked["name"], asked["off_value"], asked.get("variable") or "", environment)


class CommandLine(NamedTuple):
    """The words after ``java``, told apart: which are options, and what is started."""

    options: Tuple[int, ...]  # indexes of the words the JVM takes as options
    main: Optional[int]  # index of the jar or main class, None where there is none
    jar: bool  # started with -jar


def get_boolean(value: Optional[str]) -> bool:
    """What ``java.lang.Boolean.getBoolean`` makes of a property value: only "true", in any case."""
    return value is not None and value.lower() == "true"


def mention_value(word: str, name: str = PROPERTY) -> str:
    """The value that a word gives a property; raises ValueError where it is not about it."""
    head = "-D" + name
    if word == head:
        return ""
    if word.startswith(head + "="):
        return word[len(head) + 1 :]
    raise ValueError("not about the property")


def shown(value: str) -> str:
    """A property value as results may show it: what is no plain word could hold something else, so it is left out."""
    return value if re.match(r"[A-Za-z0-9]{0,8}\Z", value) else "(other)"


def is_mention(word: str, name: str = PROPERTY) -> bool:
    """True where a word sets a property, to whatever value."""
    return word == "-D" + name or word.startswith("-D" + name + "=")


def command_line(words: Sequence[str]) -> CommandLine:
    """Tell options from the program in the words after ``java``.

    ``-jar`` does not end the options: ``java -jar -Da=1 x.war`` sets ``a``; the first word that is
    no option is the jar, and what follows it goes to the program.
    """
    options: List[int] = []
    jar = False
    index = 0
    while index < len(words):
        word = words[index]
        if word == "-jar":
            jar = True
        elif word in ("-m", "--module"):
            return CommandLine(tuple(options), index + 1 if index + 1 < len(words) else None, False)
        elif word in _TAKES_WORD:
            index += 1
        elif word.startswith(("-", "@")):
            options.append(index)
        else:
            return CommandLine(tuple(options), index, jar)
        index += 1
    return CommandLine(tuple(options), None, jar)


def split_environment(value: str) -> List[str]:
    """Split the value of ``JAVA_TOOL_OPTIONS`` and its relatives as the JVM does.

    Blanks separate; single and double quotes hold blanks together and are removed; there is no
    escape character (HotSpot's ``parse_options_buffer``).
    """
    words: List[str] = []
    current: Optional[List[str]] = None
    quote = ""
    for char in value:
        if not quote and char in " \t\n\r\v\f":
            if current is not None:
                words.append("".join(current))
            current = None
            continue
        current = [] if current is None else current
        if char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote = char
        else:
            current.append(char)
    if current is not None:
        words.append("".join(current))
    return words


def split_argfile(text: str) -> List[str]:
    """Split the content of an ``@argfile`` (JDK 9+ launcher): blanks, ``#`` comments, quotes, backslash."""
    words: List[str] = []
    current: Optional[List[str]] = None
    quote = ""
    escapes = {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}
    index = 0
    while index < len(text):
        char = text[index]
        if quote and current is not None:  # what opened the quote began the word
            if char == "\\" and index + 1 < len(text):
                index += 1
                follower = text[index]
                if follower in "\r\n":
                    # A backslash at the end of a line joins it with the next, leading blanks dropped.
                    while index + 1 < len(text) and text[index + 1] in " \t\r\n\f":
                        index += 1
                else:
                    current.append(escapes.get(follower, follower))
            elif char == quote:
                quote = ""
            elif char in "\r\n":  # the end of a line ends the word, too (seen on OpenJDK 17)
                quote = ""
                words.append("".join(current))
                current = None
            else:
                current.append(char)
        elif char in "'\"":
            quote = char
            current = [] if current is None else current
        elif char == "#" and current is None:
            while index < len(text) and text[index] not in "\r\n":
                index += 1
        elif char in " \t\n\r\f":
            if current is not None:
                words.append("".join(current))
            current = None
        else:
            current = [] if current is None else current
            current.append(char)
        index += 1
    if current is not None:
        words.append("".join(current))
    return words


def is_older_than_9(release: str) -> bool:
    """What a Java installation's ``release`` file says of itself; JDK_JAVA_OPTIONS came with the launcher of Java 9."""
    return re.search(r'^JAVA_VERSION="?1\.', release, re.MULTILINE) is not None


def expand_files(
    words: Sequence[str], read: Callable[[str], Optional[str]], argfiles: bool = True
) -> List[Tuple[str, int]]:
    """Put the content of ``@argfile`` and ``-XX:VMOptionsFile=`` in the place of the word that names it.

    Returns (word, index of the word it came from). ``read`` gives a file's text, or None where it
    cannot be read: then what it holds is unknown, which is :class:`Unresolvable`. Without ``argfiles``
    a word that begins with "@" is an ordinary one.
    """
    result: List[Tuple[str, int]] = []
    size = 0
    expand = argfiles
    for index, word in enumerate(words):
        path = ""
        split: Callable[[str], List[str]] = split_argfile
        if word == "--disable-@files":
            expand = False
        elif word.startswith("@") and expand:
            if word.startswith("@@"):
                word = word[1:]
            else:
                path = word[1:]
        elif word.startswith(_VM_OPTIONS_FILE):
            path, split = word[len(_VM_OPTIONS_FILE) :], split_environment
        if not path:
            result.append((word, index))
            continue
        text = read(path)
        if text is None or len(text) > _LIMIT_ARGFILE:
            raise Unresolvable("the JVM reads more options from %s, which cannot be read here" % path)
        size += len(text)
        if size > _LIMIT_EXPANDED:
            raise Unresolvable("the JVM reads more than %d bytes of options from files" % _LIMIT_EXPANDED)
        result.extend((inner, index) for inner in split(text))
    return result


def expand_all(words: Sequence[str], read: Callable[[str], Optional[str]], argfiles: bool) -> List[str]:
    """All options that words stand for: an argument file may name a file of VM options; other nestings are errors."""
    inner = [word for word, _index in expand_files(words, read)] if argfiles else list(words)
    return [word for word, _index in expand_files(inner, read, False)]


def decide(
    layers: Sequence[Tuple[str, Sequence[str]]], name: str = PROPERTY
) -> Tuple[List[Mention], Optional[Mention]]:
    """All mentions of the property, weakest layer first, and the one that counts (the last), if any.

    ``layers`` are (name, option words), weakest first.
    """
    mentions: List[Mention] = []
    for layer, words in layers:
        for index, word in enumerate(words):
            if is_mention(word, name):
                mentions.append(Mention(layer, index, mention_value(word, name)))
    return mentions, (mentions[-1] if mentions else None)


def launcher_words(argv: Sequence[str], read: Callable[[str], Optional[str]]) -> List[str]:
    """The words after ``java``, with those of its option files in their place. Raises :class:`Unresolvable`."""
    raw = list(argv[1:])
    main = command_line(raw).main
    end = len(raw) if main is None else main  # what follows the program is its own, "@x" included
    return expand_all(raw[:end], read, True) + raw[end:]


class Layer(NamedTuple):
    """Options that a JVM gets together, and from where: a variable of its environment, or its command line."""

    name: str
    words: Tuple[str, ...]


def process_layers(
    argv: Sequence[str], environment: Dict[str, str], read: Callable[[str], Optional[str]]
) -> List[Layer]:
    """The options a running JVM got, by its argument vector and environment, weakest layer first.

    Raises :class:`Unresolvable` where one of its option files cannot be read.
    """

    def variable(name: str) -> Layer:
        words = expand_all(split_environment(environment.get(name, "")), read, name == "JDK_JAVA_OPTIONS")
        return Layer(name, tuple(words))

    words = launcher_words(argv, read)
    line = command_line(words)
    layers = [variable(name) for name in WEAKER_ENVIRONMENT]
    layers.append(Layer("command line", tuple([words[index] for index in line.options])))
    return layers + [variable(name) for name in STRONGER_ENVIRONMENT]


def is_java(program: str) -> bool:
    """True for the name of a ``java`` launcher, with or without its path."""
    return re.search(r"(?:^|/)java$", program) is not None

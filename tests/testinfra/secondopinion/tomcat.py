"""A war of ours inside a Tomcat: what the Tomcat serves, and which options its catalina.sh would start it with.

catalina.sh itself is not followed branch by branch. What it does with options is the same in every Tomcat: it reads
setenv.sh and starts java with $JAVA_OPTS and then $CATALINA_OPTS. That much is put before the shell reader."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable
from xml.etree import ElementTree

from . import jvmtext, shelltext
from .jvmtext import BOOTSTRAP, UNKNOWN
from .shelltext import Answer, Unreadable

Load = Callable[[str], "str | None"]  # the text of a file, None where there is none; may raise Unreadable
Glance = Callable[[str], str]  # the same, empty where it cannot be had

NAMED = re.compile(r"catalina\.sh|CATALINA_BASE|" + re.escape(BOOTSTRAP))
# A launcher of Tomcat's own, as a whole word of a command or of a text that another shell gets (su -c "...").
LAUNCHER = re.compile(r"(?:^|\s)(\S*/bin/(?:catalina|startup)\.sh)(?=\s|$)(.*)", re.S)
OURS = re.compile(r"cloudbees|jenkins", re.I)
OPTIONS = ("JAVA_OPTS", "CATALINA_OPTS")
LAYERS = ("_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "JAVA_TOOL_OPTIONS")
PLACES = ("CATALINA_BASE", "CATALINA_HOME")
NO_START = {*shelltext.QUIET, "chmod", "chown", "ls", ".", "source"}
# They may hand on another environment than their own.
CHANGING = {"su", "sudo", "runuser", "setpriv", "env", "start-stop-daemon", "daemon"}


def base_of(arguments: list[str]) -> str:
    """catalina.base of a JVM that serves; empty for any other JVM, and for one that stops a Tomcat."""
    if BOOTSTRAP not in arguments or arguments[-1] in ("stop", "configtest", "version"):
        return ""
    given = [one for one in arguments[: arguments.index(BOOTSTRAP)] if one.startswith("-Dcatalina.base=")]
    return given[-1].partition("=")[2].rstrip("/") if given else ""


def serves_ours(bases: Iterable[str], glance: Glance) -> bool:
    found = [_serves(base, glance) for base in bases]  # no short cut: all that is wanted is asked for at once
    return True in found


def _serves(base: str, glance: Glance) -> bool:
    if not base.startswith("/") or jvmtext.UNKNOWN_OPEN in base:
        return False
    # The gatherer's answer to a path that ends with "/": folders carry one, too.
    names = glance(base + "/").split("\n")
    served = [name for name in names if name.startswith(f"{base}/webapps/") and name.endswith((".war", "/"))]
    for name in names:
        if name.startswith(f"{base}/conf/"):
            served += [_absolute(one, base) for one in _document_bases(glance(name))]
    return True in [_ours(path, glance) for path in served]


def _document_bases(text: str) -> list[str]:
    try:
        root = ElementTree.fromstring(text.encode("latin-1"))  # noqa: S314 -- a file of root's; expat bounds entities
    except ElementTree.ParseError:
        return []  # nor does Tomcat start an application from it
    return [one.get("docBase", "") for one in root.iter("Context")]


def _absolute(path: str, base: str) -> str:
    path = path.replace("${catalina.base}", base)
    return path if path.startswith("/") else f"{base}/webapps/{path}"


def _ours(path: str, glance: Glance) -> bool:
    """By its name, or by the manifest of the folder, which for a war in webapps stands there beside it."""
    folder = path.rstrip("/")
    if OURS.search(folder.rsplit("/", 1)[-1]):
        return True
    if folder.endswith(".war"):
        return False
    return re.search(r"^Jenkins-Version:", glance(folder + "/META-INF/MANIFEST.MF"), re.M) is not None


class Start:
    """A start script, asked for what it hands to Tomcat's own script. Raises Unreadable."""

    def __init__(self, file: str, text: str, environment: dict[str, str], load: Load) -> None:
        self.script = shelltext.Script(file, text, environment, load)
        self.load = load
        self.calls = [found for index in range(len(self.script.events)) for found in self._calls(index)]

    def _calls(self, index: int) -> list[tuple[int, str, bool]]:
        """(which command, the script of Tomcat's that it starts, whether its environment may get lost)"""
        out = []
        words = [self.script.texts(word, index) for word in self.script.events[index].words]
        if not words or any(one in NO_START for one in words[0]):
            return []
        lost = any(text.rsplit("/", 1)[-1] in CHANGING for texts in words for text in texts)
        for at, texts in enumerate(words):
            for text in texts:
                found = LAUNCHER.search(text)
                behind = [*found.group(2).split(), *(one[0] for one in words[at + 1 :])] if found else []
                if found and behind[:1] not in (["stop"], ["configtest"], ["version"]):
                    out.append((index, found.group(1), lost))
        return list(dict.fromkeys(out))

    def bases(self) -> list[str]:
        """Every folder that may be catalina.base, as far as it is known."""
        given = [one for name in PLACES for one in self._values(name, len(self.script.events))]
        return [one.rstrip("/") for one in [*given, *(home_of(path) for _unused, path, _lost in self.calls)] if one]

    def _values(self, name: str, index: int) -> list[str]:
        return [one if isinstance(one, str) else " ".join(one) for one in self.script.values(name, index)]

    def _handed(self, name: str, index: int) -> list[str]:
        """Alternatives of a variable in the environment of a command: exported before, or put in front of it."""
        event = self.script.events[index]
        for key, _unused, word in reversed(event.assignments):
            if key == name:
                return self.script.texts(word, index)
        return self._values(name, index) if self.script.is_exported(name) else [""]

    def answer(self) -> Answer:
        """The flag in what java would get, through every start of a Tomcat in this script."""
        if not self.calls:
            return Answer(why=f"{self.script.files[0]} starts a Tomcat in a way that this suite does not follow: "
                              "it names no bin/catalina.sh", files=self.script.files)  # fmt: skip
        answers = []
        for index, launcher, lost in self.calls:
            names = [*PLACES, *OPTIONS, *LAYERS]
            choices = list(itertools.islice(itertools.product(*(self._handed(name, index) for name in names)), 49))
            if len(choices) > shelltext.MANY:
                return Answer(why=f"too many ways lead through {self.script.files[0]}", files=self.script.files)
            answers += [_catalina(launcher, dict(zip(names, one)), lost, self.load) for one in choices]
        files = list(dict.fromkeys([*self.script.files, *(path for one in answers for path in one.files)]))
        answer = next((one for one in answers if one.flag == UNKNOWN), answers[0])
        why = answer.why
        if not why and len({one.flag == jvmtext.TRUE for one in answers}) > 1:
            why = f"it depends on a condition in {self.script.files[0]} that only the shell can decide"
        return Answer(UNKNOWN if why else answer.flag, why, list(OPTIONS), files)


def home_of(launcher: str) -> str:
    """/opt/tomcat of /opt/tomcat/bin/startup.sh; empty where only the shell knows it."""
    known = launcher.startswith("/") and jvmtext.UNKNOWN_OPEN not in launcher
    return launcher.rsplit("/", 2)[0] if known else ""


def _catalina(launcher: str, environment: dict[str, str], lost: bool, load: Load) -> Answer:
    """What catalina.sh makes of this environment. lost: of the options in it nothing is known."""
    home = environment["CATALINA_HOME"] or home_of(launcher)
    base = environment["CATALINA_BASE"] or home
    if not home or jvmtext.UNKNOWN_OPEN in home + base + launcher:
        return Answer(why="the value of $CATALINA_HOME or $CATALINA_BASE is known only to the shell")
    catalina = launcher.rsplit("/", 1)[0] + "/catalina.sh"
    try:
        text = load(catalina)
        if text is None:
            return Answer(why=f"{catalina} does not exist", files=[catalina])
        if launcher != catalina and re.search("|".join([*OPTIONS, *LAYERS, "setenv"]), load(launcher) or ""):
            return Answer(why=f"{launcher} itself was edited: it decides about options", files=[launcher])
        return _asked(catalina, text, base, home, environment, lost, load)
    except Unreadable as problem:
        return Answer(why=str(problem), files=[catalina])


def _harmless(word: list) -> bool:
    """Whether what Tomcat's script adds to options is its own: "$JAVA_OPTS $JSSE_OPTS -DUMASK=`umask`"."""
    before = ""
    for part in word:
        if part.kind == "variable" and part.text not in {*OPTIONS, "JSSE_OPTS", "JPDA_OPTS"}:
            return False
        if part.kind in ("command", "array") and not before.endswith("="):
            return False
        before = part.text
    return True


def _asked(
    catalina: str, text: str, base: str, home: str, environment: dict[str, str], lost: bool, load: Load
) -> Answer:
    setenv = next((one for one in (f"{base}/bin/setenv.sh", f"{home}/bin/setenv.sh") if load(one) is not None), "")
    if not re.search(r"\$JAVA_OPTS\"?\s+\"?\$CATALINA_OPTS\"?\s", text) or "/bin/setenv.sh" not in text:
        raise Unreadable(f"{catalina} does not start java as Tomcat's own script does")
    # Tomcat's script adds to JAVA_OPTS what has nothing to do with us; an administrator's edit might not.
    edited = [line for line, _unused in shelltext.mentions(text, catalina)]
    added = [one for one in shelltext.events(text, catalina) if any(key in OPTIONS for key, *_rest in one.assignments)]
    for event in added:
        for key, append, word in event.assignments:
            if key in OPTIONS and not (_harmless(word) and (append or key in [part.text for part in word])):
                edited.append(event.line)
    if edited:
        raise Unreadable(f"{catalina} itself was edited: its line {edited[0]} decides about options")
    lines = [f"read {' '.join(OPTIONS)}" if lost else ":", f". '{setenv}'" if setenv else ":"]
    lines += ['JAVA_OPTS="$JAVA_OPTS $JSSE_OPTS"', 'eval exec java "$JAVA_OPTS" "$CATALINA_OPTS" -jar tomcat.war']
    given = {name: environment[name] for name in (*OPTIONS, *LAYERS) if environment[name]}
    places = {"CATALINA_BASE": base, "CATALINA_HOME": home}
    found = shelltext.ask(catalina, "\n".join(lines) + "\n", {**given, **places}, load)
    found.files.append(setenv or f"{base}/bin/setenv.sh")
    return found

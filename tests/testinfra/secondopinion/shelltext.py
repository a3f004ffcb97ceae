"""Reads launch scripts and the files they source as text: which java command line would come out, and is the
flag on it. Runs nothing. Where only a shell could tell, the answer is "unknown" with the reason."""

from __future__ import annotations

import fnmatch
import itertools
import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from . import jvmtext
from .jvmtext import ABSENT, UNKNOWN, UNKNOWN_CLOSE, UNKNOWN_OPEN

MANY = 48  # alternatives that are followed before giving up
DEEP = 30  # nesting of variables that is followed before giving up


class Unreadable(Exception):
    """The text is not shell that this reader understands; the message carries no text of the file."""


class Needed(Exception):
    """Another file has to be fetched before the question can be answered."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


@dataclass
class Part:
    kind: str  # literal | variable | command | array
    text: str = field(repr=False)
    quoted: bool = False
    rest: str = field(default="", repr=False)  # what stands behind the name in ${name...}
    elements: list = field(default_factory=list, repr=False)


Word = list  # of Part


@dataclass(eq=False)
class Case:
    """What a case statement asks, and the patterns of its branches as far as they are plain text."""

    subject: Word = field(repr=False)
    patterns: list = field(default_factory=lambda: [[]], repr=False)


class Block(NamedTuple):
    kind: str
    number: int
    branch: int = 0
    case: Case | None = None


@dataclass
class Event:
    """One simple command: its assignments and its words, and where it stands."""

    line: int
    file: str
    blocks: tuple = ()
    maybe: bool = False  # behind && or ||
    assignments: list = field(default_factory=list, repr=False)  # (name, append, Word)
    words: list = field(default_factory=list, repr=False)


# Numbers of blocks, unlike across files, so that a block of one is never taken for a block of another.
serial = itertools.count()

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\+?)=")


class Lexer:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.line = 1
        self.heredocs: list[tuple[str, bool]] = []

    def fail(self, what: str, line: int) -> Unreadable:
        return Unreadable(f"{what} in line {line}")

    def peek(self, count: int = 1) -> str:
        return self.text[self.at : self.at + count]

    def take(self, count: int = 1) -> str:
        out = self.text[self.at : self.at + count]
        self.at += count
        self.line += out.count("\n")
        return out

    def tokens(self):
        """Yields (kind, value, line): kind is word, op or newline."""
        while self.at < len(self.text):
            char = self.peek()
            line = self.line
            if char in " \t":
                self.take()
            elif self.peek(2) == "\\\n":
                self.take(2)
            elif char == "#":
                while self.at < len(self.text) and self.peek() != "\n":
                    self.take()
            elif char == "\n":
                self.take()
                self.skip_heredocs()
                yield "op", "\n", line
            elif self.peek(2) == "((":  # arithmetic
                self.take(2)
                self.balanced("(", ")")
                if self.peek() == ")":
                    self.take()
                yield "word", [Part("command", "?")], line
            elif char in ";&|()<>":
                for op in (
                    ";;&",
                    "<<<",
                    "&>>",
                    "<<-",
                    ";;",
                    ";&",
                    "&&",
                    "||",
                    "<<",
                    ">>",
                    "<&",
                    ">&",
                    "&>",
                    ">|",
                    "<>",
                    char,
                ):
                    if self.peek(len(op)) == op:
                        break
                if op in ("<", ">") and self.text[self.at + 1 : self.at + 2] == "(":
                    yield "word", self.word(), line
                    continue
                self.take(len(op))
                if op in ("<<", "<<-"):
                    while self.peek() in (" ", "\t"):
                        self.take()
                    label = "".join(part.text for part in self.word())
                    self.heredocs.append((label, op == "<<-"))
                    continue
                yield "op", op, line
            else:
                yield "word", self.word(), line

    def skip_heredocs(self) -> None:
        for label, tabs in self.heredocs:
            while self.at < len(self.text):
                end = self.text.find("\n", self.at)
                end = len(self.text) if end < 0 else end
                row = self.take(end - self.at)
                self.take()
                if (row.lstrip("\t") if tabs else row) == label:
                    break
        self.heredocs = []

    def word(self) -> Word:
        parts: Word = []
        plain = ""

        def flush() -> None:
            nonlocal plain
            if plain:
                parts.append(Part("literal", plain))
                plain = ""

        while self.at < len(self.text):
            char = self.peek()
            if char == "(" and not parts and ASSIGNMENT.fullmatch(plain):
                head = plain
                plain = ""
                parts.append(Part("literal", head))
                parts.append(Part("array", "", elements=self.array()))
                continue
            if char in "<>" and self.text[self.at + 1 : self.at + 2] == "(" and not plain:
                self.take(2)
                self.balanced("(", ")")
                flush()
                parts.append(Part("command", "?"))
                continue
            if char in " \t\n;&|()<>":
                break
            line = self.line
            if char == "\\":
                if self.peek(2) == "\\\n":
                    self.take(2)
                    continue
                self.take()
                flush()
                parts.append(Part("literal", self.take() or "\\", quoted=True))
            elif char == "'":
                self.take()
                end = self.text.find("'", self.at)
                if end < 0:
                    raise self.fail("a single quote that does not close,", line)
                flush()
                parts.append(Part("literal", self.take(end - self.at), quoted=True))
                self.take()
            elif char == '"':
                flush()
                parts.extend(self.double())
            elif char in "$`":
                flush()
                parts.append(self.expansion(False))
            else:
                plain += self.take()
        flush()
        return parts

    def array(self) -> list[Word]:
        line = self.line
        self.take()  # (
        words = []
        while True:
            while self.peek() and self.peek() in " \t\n":
                self.take()
            if self.peek(2) == "\\\n":
                self.take(2)
            elif self.peek() == "#":
                while self.at < len(self.text) and self.peek() != "\n":
                    self.take()
            elif self.peek() == ")":
                self.take()
                return words
            elif not self.peek() or self.peek() in ";&|<>(":
                raise self.fail("an array that does not close,", line)
            else:
                words.append(self.word())

    def double(self) -> Word:
        line = self.line
        self.take()
        parts: Word = [Part("literal", "", quoted=True)]
        while True:
            char = self.peek()
            if not char:
                raise self.fail("a double quote that does not close,", line)
            if char == '"':
                self.take()
                return parts
            if char == "\\":
                self.take()
                following = self.take()
                if following == "\n":
                    continue
                parts.append(Part("literal", following if following in '$`"\\' else "\\" + following, quoted=True))
            elif char in "$`":
                parts.append(self.expansion(True))
            else:
                end = self.at
                while end < len(self.text) and self.text[end] not in '"\\$`':
                    end += 1
                parts.append(Part("literal", self.take(end - self.at), quoted=True))

    def expansion(self, quoted: bool) -> Part:
        line = self.line
        if self.take() == "`":
            start = self.at
            while self.peek() and self.peek() != "`":
                self.take(2 if self.peek() == "\\" else 1)
            if not self.peek():
                raise self.fail("a backquote that does not close,", line)
            inner = self.text[start : self.at]
            self.take()
            return Part("command", "java" if "java" in inner else "?", quoted)
        if self.peek() == "(":
            self.take()
            inner = self.balanced("(", ")")
            return Part("command", "java" if "java" in inner else "?", quoted, rest=inner)
        if self.peek() == "{":
            self.take()
            inner = self.balanced("{", "}")
            found = NAME.match(inner)
            if found is None:
                return Part("command", "?", quoted, rest=inner)
            return Part("variable", found.group(), quoted, rest=inner[found.end() :])
        if self.peek() == "'" and not quoted:
            raise self.fail("$'…' quoting, which this reader does not follow,", line)
        found = NAME.match(self.text, self.at)
        if found:
            return Part("variable", self.take(len(found.group())), quoted)
        if self.peek() and self.peek() in "@*#?$!-0123456789":
            return Part("command", "?" + self.take(), quoted)
        return Part("literal", "$", quoted)

    def balanced(self, opening: str, closing: str) -> str:
        """Text up to the matching bracket; quotes inside are respected."""
        line, start, depth = self.line, self.at, 1
        while self.peek():
            char = self.peek()
            if char == "\\":
                self.take(2)
                continue
            if char == "'" and opening == "(":
                end = self.text.find("'", self.at + 1)
                if end < 0:
                    break
                self.take(end + 1 - self.at)
                continue
            if char == '"':
                self.double()
                continue
            if char == opening:
                depth += 1
            elif char == closing:
                depth -= 1
                if depth == 0:
                    inner = self.text[start : self.at]
                    self.take()
                    return inner
            self.take()
        raise self.fail("a bracket that does not close,", line)


def bare(word: Word) -> str | None:
    """The word as plain text where it is nothing but unquoted text (keywords, operators)."""
    if len(word) == 1 and word[0].kind == "literal" and not word[0].quoted:
        return word[0].text
    return None


def events(text: str, file: str) -> list[Event]:  # noqa: C901 -- one state machine
    """The simple commands of a script in textual order, each with the blocks it stands in."""
    out: list[Event] = []
    stack: list[Block] = []
    words: list[Word] = []
    line = 1
    maybe = False
    redirect = pattern = function = False

    def finish() -> None:
        nonlocal words
        if words:
            event = Event(line, file, tuple(stack), maybe)
            rest = list(words)
            while rest and rest[0] and rest[0][0].kind == "literal" and not rest[0][0].quoted:
                found = ASSIGNMENT.match(rest[0][0].text)
                if not found:
                    break
                event.assignments.append(assignment(rest.pop(0), found))
            event.words = rest
            out.append(event)
        words = []

    def close(*kinds: str) -> None:
        if not stack or stack[-1][0] not in kinds:
            raise Unreadable(f"a block that ends but never began, in line {line} of {file}")
        stack.pop()

    for kind, value, where in Lexer(text).tokens():
        if redirect:
            redirect = False
            if kind == "word":
                continue
        if pattern:  # the patterns of a case branch, up to their ")"
            if kind == "word" and bare(value) == "esac":
                pattern = False
                close("case")
            elif (kind, value) == ("op", ")"):
                pattern = False
            elif kind == "word" and stack and stack[-1].case:
                stack[-1].case.patterns[-1].append("".join(part.text for part in value))
            continue
        if kind == "op":
            if value in ("<", ">", ">>", "<&", ">&", "&>", "&>>", ">|", "<>", "<<<"):
                if words and (bare(words[-1]) or "").isdigit():
                    words.pop()
                redirect = True
                continue
            if value == "(" and len(words) == 1 and bare(words[0]):
                words = []
                function = True
                continue
            if value == ")" and function:
                function = False
                stack.append(Block("function-head", next(serial)))
                continue
            if words and bare(words[0]) == "case":
                words.append([Part("literal", value)])
                continue
            finish()
            if value == "(":
                stack.append(Block("subshell", next(serial)))
                maybe = False
            elif value == ")":
                close("subshell")
            elif value in (";;", ";&", ";;&"):
                if stack and stack[-1][0] == "case":
                    stack[-1] = stack[-1]._replace(branch=stack[-1].branch + 1)
                    stack[-1].case.patterns.append([])
                pattern = True
                maybe = False
            elif value in ("&&", "||"):
                maybe = True
            elif value != "|":
                maybe = False
            continue
        text_of = bare(value)
        if words and bare(words[0]) == "case" and text_of == "in":
            stack.append(Block("case", next(serial), 0, Case(words[1] if len(words) > 1 else [])))
            words = []
            pattern = True
            continue
        if words and bare(words[0]) == "function" and len(words) == 1:
            words = []
            stack.append(Block("function-head", next(serial)))
            continue
        if not words:
            line = where
            if stack and stack[-1][0] == "function-head":
                if text_of == "{":
                    stack[-1] = stack[-1]._replace(kind="function")
                    continue
                stack.pop()
            if text_of == "if":
                stack.append(Block("if", next(serial)))
                continue
            if text_of in ("then", "elif", "else"):
                if not stack or stack[-1][0] != "if":
                    raise Unreadable(f"'{text_of}' without 'if' in line {where} of {file}")
                stack[-1] = stack[-1]._replace(branch=stack[-1].branch + 1)
                continue
            if text_of == "fi":
                close("if")
                continue
            if text_of in ("for", "while", "until", "select"):
                stack.append(Block("loop", next(serial)))
                if text_of in ("for", "select"):
                    words = [value]
                continue
            if text_of == "do":
                continue
            if text_of == "done":
                close("loop")
                continue
            if text_of == "esac":
                close("case")
                continue
            if text_of == "{":
                stack.append(Block("group", next(serial)))
                continue
            if text_of == "}":
                close("group", "function")
                continue
            if text_of in ("!", "time"):
                continue
        words.append(value)
    finish()
    if stack:
        raise Unreadable(f"a block that never ends in {file}")
    return out


def assignment(word: Word, found: re.Match) -> tuple[str, bool, Word]:
    first = word[0]
    rest = first.text[found.end() :]
    tail = ([Part("literal", rest)] if rest else []) + word[1:]
    return found.group(1), bool(found.group(2)), tail


@dataclass
class Answer:
    """What the next start would do, and from where the launcher takes its options."""

    flag: str = UNKNOWN
    why: str = ""
    variables: list = field(default_factory=list)  # the variables on the java command line, in order
    files: list = field(default_factory=list)  # every file that takes part
    wars: list = field(default_factory=list)  # what is started
    nothing: bool = False  # it starts no JVM


JAVA_NAME = re.compile(r"(?i)^\??(jenkins_|cloudbees_)?java(_?(cmd|bin|exe|exec|home|path|command))?$")
SETTING = {
    "export", "declare", "typeset", "local", "readonly", "unset", "for", "select", "read", "mapfile", "readarray",
}  # fmt: skip
QUIET = {
    "echo",
    "printf",
    "logger",
    "test",
    "[",
    "[[",
    "grep",
    "pgrep",
    "pkill",
    "ps",
    "log_daemon_msg",
    "log_progress_msg",
}
AGAIN = {"eval", "daemon"}  # put their arguments together and have a shell read the result
# Start the program that they are given, as somebody else, in the background, ….
WRAPPERS = AGAIN | {
    "exec", "nohup", "setsid", "env", "command", "time", "nice", "ionice", "sudo", "su", "runuser", "setpriv", "chpst",
    "setuidgid", "s6-setuidgid", "daemonize", "start-stop-daemon", "chrt", "taskset", "numactl",
    "sh", "bash", "dash", "ksh",
}  # fmt: skip
CALLS = 6  # scripts that call each other
SHELL = re.compile(r"#!\s*\S*?(?:/env\s+(?:-\S+\s+)*)?(?:[a-z]*/)*(?:ba|da|k|z|a)?sh\b")
# What packages bring calls no launcher of somebody's.
PACKAGED = re.compile(r"/(?:usr/)?(?:s?bin|lib)/(?!.*(?:jenkins|cloudbees))")
OF_JVM = re.compile(r"java|-jar\b|\.war\b|jenkins|cloudbees", re.IGNORECASE)
# Where a script lies, as scripts ask for it.
OWN_NAME = (
    r"\"?(?:\$0|\$\{0\}|\$BASH_SOURCE|\$\{BASH_SOURCE(?:\[0\])?\}"
    r"|\$\((?:readlink|realpath)\s+(?:-\w+\s+)*\"?\$0\"?\))\"?"
)
DIRNAME = rf"dirname\s+(?:--\s+)?{OWN_NAME}"
OWN_FOLDER = re.compile(
    rf"\s*(?:{DIRNAME}|cd\s+(?:-P\s+)?(?:--\s+)?\"?\$\(\s*{DIRNAME}\s*\)"
    r"((?:/[\w.-]+)*)\"?\s*(?:>\s*/dev/null\s*)?(?:&&|;)\s*pwd(?:\s+-\w)?)\s*$"
)
# Sourced by init scripts, and no place for options of a JVM.
COMMON = {"functions", "init-functions", "locale"}


class Script:
    """A launch script with the files that it sources, ready to be asked for the flag."""

    def __init__(
        self, file: str, text: str, environment: dict[str, str], load: Callable[[str], str | None], depth: int = 0
    ) -> None:
        self.environment = environment
        self.depth = depth
        self.own = False  # it starts a JVM itself, and not only by another script
        self.load = load
        self.files = [file]
        self.wars: list[str] = []
        self.events: list[Event] = []
        self._append(events(text, file), 0)

    def _append(self, found: list[Event], depth: int) -> None:
        for event in found:
            names = [self._literal(word) for word in event.words]
            if names and names[0] in ("export", "declare", "typeset", "local", "readonly"):
                for word in event.words[1:]:
                    match = ASSIGNMENT.match(word[0].text) if word and word[0].kind == "literal" else None
                    if match:
                        event.assignments.append(assignment(word, match))
            if names and names[0] in ("for", "select") and len(names) > 1 and names[1]:
                for word in event.words[3:] or [[Part("command", "?")]]:
                    event.assignments.append((names[1], False, word))
            if names and names[0] in ("read", "mapfile", "readarray"):
                for name in names[1:]:
                    if name and NAME.fullmatch(name):
                        event.assignments.append((name, False, [Part("command", name)]))
            if names and names[0] == "unset":
                event.assignments += [(name, False, []) for name in names[1:] if name and NAME.fullmatch(name)]
            if names and names[0] in ("exit", "return") and not event.blocks and not event.maybe:
                return
            self.events.append(event)
            if names and names[0] in (".", "source") and len(event.words) > 1 and depth < 5:
                self._source(event, depth)

    def _source(self, event: Event, depth: int) -> None:
        at = len(self.events) - 1
        paths = [self._absolute(path, at) for path in self.texts(event.words[1], at)]
        for path in paths:
            if UNKNOWN_OPEN in path:
                if len(paths) == 1:
                    raise Unreadable(
                        f"a sourced file whose name only the shell knows, in line {event.line} of {event.file}"
                    )
                continue
            if not path.startswith("/") or path.rsplit("/", 1)[-1] in COMMON:
                continue
            text = self.load(path)
            if text is not None:
                self.files.append(path)
                self._append(events(text, path), depth + 1)

    @staticmethod
    def _literal(word: Word) -> str | None:
        return "".join(part.text for part in word) if all(part.kind == "literal" for part in word) else None

    # --- values -------------------------------------------------------------------------------------------

    def _relevant(self, index: int) -> list[int]:
        """Events that may have run before this one, in the order in which they count. A function's body runs
        when it is called, by custom at the end of the script: everything outside of it came before."""
        home = self._function(self.events[index]) if index < len(self.events) else None
        if home is None:
            return list(range(min(index, len(self.events))))
        outside = [i for i, event in enumerate(self.events) if self._function(event) != home]
        return outside + [i for i in range(index) if self._function(self.events[i]) == home]

    @staticmethod
    def _function(event: Event):
        return next((block for block in event.blocks if block[0] == "function"), None)

    def values(self, name: str, index: int, depth: int = 0) -> list:
        """Alternatives of a variable: text, or a list for an array."""
        if depth > DEEP:
            return [self._mark(name)]
        use = self.events[index].blocks if index < len(self.events) else ()
        found: list = []
        for i in reversed(self._relevant(index)):
            event = self.events[i]
            for key, append, word in reversed(event.assignments):
                if key != name:
                    continue
                if event.words and self._literal(event.words[0]) not in SETTING:
                    continue  # VAR=x command: only for that command
                taken = self._taken(event, i, depth)
                if taken is False:
                    continue
                new = self._assigned(word, i, depth + 1)
                if append:
                    new = [self._plus(old, more) for old in self.values(name, i, depth + 1) for more in new]
                found += new
                if not event.maybe and (taken or event.blocks == use[: len(event.blocks)]):
                    return self._few(found, name)
        found.append(self.environment.get(name, ""))
        return self._few(found, name)

    def _taken(self, event: Event, index: int, depth: int) -> bool | None:
        """Whether the innermost case branch around an event is the one that runs. Known only where the question
        is `declare -p NAME`, by which launchers tell a string from an array."""
        block = event.blocks[-1] if event.blocks else None
        if block is None or block.case is None or len(block.case.subject) > 2:
            return None
        part = block.case.subject[-1] if block.case.subject else None
        found = re.match(r"\s*declare\s+-p\s+(\w+)", part.rest) if part is not None and part.kind == "command" else None
        if not found:
            return None
        kinds = {isinstance(one, list) for one in self.values(found.group(1), index, depth + 1)}
        if len(kinds) != 1:
            return None
        text = f"declare -{'a' if kinds.pop() else '-'} {found.group(1)}="
        for branch, patterns in enumerate(block.case.patterns):
            if any(fnmatch.fnmatchcase(text, pattern) for pattern in patterns):
                return branch == block.branch
        return False

    def _few(self, found: list, name: str) -> list:
        out: list = []
        for one in found:
            if one not in out:
                out.append(one)
        return out if len(out) <= MANY else [self._mark(name)]

    @staticmethod
    def _mark(name: str) -> str:
        return UNKNOWN_OPEN + name + UNKNOWN_CLOSE

    @staticmethod
    def _plus(old, more):
        if isinstance(old, list) or isinstance(more, list):
            head = old if isinstance(old, list) else [old] if old else []
            return head + (more if isinstance(more, list) else [more])
        return old + more

    def _assigned(self, word: Word, index: int, depth: int) -> list:
        if len(word) == 1 and word[0].kind == "array":
            choices: list[list[str]] = [[]]
            for element in word[0].elements:
                choices = [one + fields for one in choices for fields in self.fields(element, index, depth)][: MANY + 1]
            return choices if len(choices) <= MANY else [[self._mark("array")]]
        return self.texts(word, index, depth)

    def _part(self, part: Part, index: int, depth: int) -> list:
        if part.kind == "literal":
            return [part.text]
        if part.kind == "command":
            place = self._own_place(part, index)
            return [self._mark(part.text) if place is None else place]
        if part.kind == "array":
            return [self._mark("array")]
        rest = part.rest
        if rest in ("", "[@]", "[*]"):
            values = self.values(part.text, index, depth + 1)
            if rest == "":
                return [(one[0] if one else "") if isinstance(one, list) else one for one in values]
            return values
        operator = re.match(r":?[-=+]", rest)
        if operator:
            default = self.texts(self._parse(rest[operator.end() :]), index, depth + 1)
            out: list = []
            for one in self.values(part.text, index, depth + 1):
                one = " ".join(one) if isinstance(one, list) else one
                if operator.group().endswith("+"):
                    out += default if one else [""]
                elif one.startswith(UNKNOWN_OPEN):
                    out += [one, *default]
                else:
                    out += [one] if one else default
            return out
        return [self._mark(part.text)]

    def _own_place(self, part: Part, index: int) -> str | None:
        """The name of the script itself, or the folder that it lies in, where a word asks for that."""
        if not self.files[0].startswith("/"):
            return None
        # In a sourced file $0 is the script's all the same; BASH_SOURCE is not.
        sourced = "BASH_SOURCE" in part.rest and index < len(self.events)
        file = self.events[index].file if sourced else self.files[0]
        if part.text == "?0":
            return file
        if part.rest == "0%/*":
            return file.rpartition("/")[0]
        found = OWN_FOLDER.match(part.rest)
        return None if found is None else posixpath.normpath(file.rpartition("/")[0] + (found.group(1) or ""))

    @staticmethod
    def _parse(text: str) -> Word:
        return Lexer('"' + text.replace('"', '\\"') + '"').word()

    def texts(self, word: Word, index: int, depth: int = 0) -> list[str]:
        """Alternatives of a word without splitting, as in an assignment."""
        if depth > DEEP:
            return [self._mark("?")]
        out = [""]
        for part in word:
            values = [" ".join(one) if isinstance(one, list) else one for one in self._part(part, index, depth)]
            out = [head + one for head in out for one in values]
            if len(out) > MANY:
                return [self._mark("?")]
        return out

    def fields(self, word: Word, index: int, depth: int = 0) -> list[list[str]]:
        """Alternatives of what a word becomes on a command line, after word splitting."""
        choices: list[list[tuple[str, str]]] = [[]]
        for part in word:
            grown = []
            for value in self._part(part, index, depth):
                if isinstance(value, list):
                    pieces = [(one, "whole" if part.quoted and part.rest == "[@]" else "split") for one in value]
                    new: list = []
                    for n, piece in enumerate(pieces):
                        new += ([("", "break")] if n else []) + [piece]
                else:
                    new = [(value, "whole" if part.quoted or part.kind == "literal" else "split")]
                grown += [head + new for head in choices]
            choices = grown
            if len(choices) > MANY:
                return [[self._mark("?")]]
        return [self._split(choice, word) for choice in choices]

    @staticmethod
    def _split(pieces: list[tuple[str, str]], word: Word) -> list[str]:
        out: list[str] = []
        current: str | None = None
        for text, how in pieces:
            if how == "break":
                if current is not None:
                    out.append(current)
                current = None
            elif how == "whole":
                current = (current or "") + text
            else:
                for n, bit in enumerate(re.split(r"([ \t\n]+)", text)):
                    if n % 2:
                        if current is not None:
                            out.append(current)
                        current = None
                    elif bit:
                        current = (current or "") + bit
        if current is not None and (current or any(part.quoted for part in word)):
            out.append(current)
        return out

    # --- the java command ---------------------------------------------------------------------------------

    def answer(self) -> Answer:
        result = Answer(files=list(dict.fromkeys(self.files)))
        answers: list[tuple[str, str]] = []
        for index, event in enumerate(self.events):
            if event.words and self._literal(event.words[0]) not in QUIET:
                own = self._launches(event, index, result.variables, 0)
                self.own = self.own or bool(own)
                answers += own or self._called(event, index, result)
        result.variables = list(dict.fromkeys(result.variables))
        result.wars = list(dict.fromkeys(self.wars))
        result.files = list(dict.fromkeys(result.files))
        if not answers:
            result.why = f"no command that starts java -jar with a war was found in {self.files[0]}"
            result.nothing = True
            return result
        kinds = {flag if flag in (jvmtext.TRUE, UNKNOWN) else "not true" for flag, _unused in answers}
        if len(kinds) > 1 or UNKNOWN in kinds:
            reasons = [why for flag, why in answers if flag == UNKNOWN]
            result.why = reasons[0] if reasons else "it depends on a condition that only the shell can decide"
            return result
        result.flag = answers[0][0]
        return result

    def _launches(self, event: Event, index: int, variables: list[str], depth: int) -> list[tuple[str, str]]:
        if not self._mentions_jar(event.words, index, 0):
            return []
        lines: list[list[str]] = [[]]
        jar = False
        names: list[str] = []
        for word in event.words:
            if not jar:
                names += self._names(word, index)
            found = self.fields(word, index)
            lines = [line + more for line in lines for more in found]
            if len(lines) > MANY:
                return [(UNKNOWN, f"too many ways through the script lead to line {event.line} of {event.file}")]
            jar = jar or any("-jar" in line for line in lines)
            if jar and all(self._complete(line) for line in lines):
                break  # what follows the war is the program's business
        out = []
        for line in lines:
            out += self._line(line, event, index, depth)
        if out:
            variables += [name for name in names if not JAVA_NAME.match(name) and not name.endswith("WAR")]
        return out

    def _called(self, event: Event, index: int, result: Answer) -> list[tuple[str, str]]:
        """What comes of the scripts that a command runs, each in the environment that it is given."""
        out: list[tuple[str, str]] = []
        for path in self._programs(event, index, 0) if self.depth < CALLS else []:
            if path in self.files or PACKAGED.match(path):
                continue
            try:
                text = self.load(path)
            except Unreadable:
                continue
            if text is None or not SHELL.match(text):
                continue
            answer = ask(path, text, self._given(event, index), self.load, self.depth + 1)
            if answer.nothing or answer.flag == UNKNOWN and not answer.wars and not OF_JVM.search(text):
                continue
            out.append((answer.flag, answer.why))
            result.variables += answer.variables
            result.files += answer.files
            self.wars += answer.wars
        return out

    def _programs(self, event: Event, index: int, depth: int, place: str = "") -> list[str]:
        """Full names of what a command may run: its own program, or the one that it is given to run."""
        if not event.words:
            return []
        found = [self.texts(word, index) for word in event.words[:16]]
        for at, texts in enumerate(found):
            if len(texts) != 1:
                continue
            text = texts[0]
            if (
                at
                and depth < 3
                and found[at - 1]
                and re.fullmatch(r"-\w*c|--command", found[at - 1][0])
                or (at and self._literal(event.words[0]) == "eval")
            ):
                try:
                    inner = events(text, event.file)
                except Unreadable:
                    return []
                return self._inside(inner, index, depth + 1, place)
            if at == 0 and text.rsplit("/", 1)[-1] in WRAPPERS:
                continue
            inside = place and "/" in text
            name = posixpath.normpath(f"{place}/{text}") if inside and text[0] != "/" else self._absolute(text, index)
            if name.startswith("/") and UNKNOWN_OPEN not in name and not re.search(r"\s", name):
                if name.rsplit("/", 1)[-1] not in WRAPPERS:
                    return [name]
            elif at == 0:
                return []
        return []

    def _inside(self, inner: list[Event], index: int, depth: int, place: str) -> list[str]:
        """The same of commands in a string, with the folder that they go to."""
        names: list[str] = []
        for one in inner:
            words = [self._literal(word) or "" for word in one.words]
            if words[:1] == ["cd"]:
                place = posixpath.join(place or "", words[-1])
            names += self._programs(one, index, depth, place if place.startswith("/") else "")
        return names

    def _absolute(self, path: str, index: int) -> str:
        """A relative name from the folder that the script went to; as it is where that is not known."""
        if path.startswith("/") or UNKNOWN_OPEN in path or "/" not in path and not path.endswith(".war"):
            return path
        for i in reversed(self._relevant(index)):
            words = self.events[i].words
            if len(words) > 1 and self._literal(words[0]) == "cd":
                folder = self.texts(words[-1], i)
                known = len(folder) == 1 and folder[0].startswith("/") and UNKNOWN_OPEN not in folder[0]
                return posixpath.normpath(f"{folder[0]}/{path}") if known else path
        return path

    def _given(self, event: Event, index: int) -> dict[str, str]:
        """The environment of what a command runs: what is exported, and what stands in front of it."""
        out = {}
        names = {name for one in self.events for name, _unused, _unused2 in one.assignments}
        for name in names | set(self.environment):
            if self.is_exported(name):
                values = self.values(name, index)
                one = values[0] if len(values) == 1 else self._mark(name)
                out[name] = (one[0] if one else "") if isinstance(one, list) else one
        for name, append, word in event.assignments:
            texts = self.texts(word, index)
            out[name] = texts[0] if len(texts) == 1 and not append else self._mark(name)
        return out

    def _mentions_jar(self, words: list[Word], index: int, depth: int) -> bool:
        for word in words:
            for part in word:
                if part.kind == "literal" and re.search(r"(^|\s)-jar(\s|$)", part.text):
                    return True
                if part.kind == "variable" and depth < 4:
                    for i, event in enumerate(self.events):
                        for name, _unused, value in event.assignments:
                            if name == part.text and self._mentions_jar([value], i, depth + 1):
                                return True
        return False

    def _names(self, word: Word, index: int, depth: int = 0) -> list[str]:
        """Variables on the command line, seen through those that hold the whole command."""
        out = []
        for part in word:
            if part.kind == "literal" and re.search(r"(^|\s)-jar(\s|$)", part.text):
                break
            if part.kind == "variable":
                inner = [
                    (i, value)
                    for i, event in enumerate(self.events)
                    for name, _unused, value in event.assignments
                    if name == part.text and self._mentions_jar([value], i, 1)
                ]
                if inner and depth < 4:
                    for i, value in inner:
                        out += self._names(value, i, depth + 1)
                else:
                    out += self._origins(part.text, 0)
        return out

    def _origins(self, name: str, depth: int) -> list[str]:
        """The variables from which the launcher itself makes this one, else its own name: there people set it."""
        made: list[str] = []
        for event in self.events:
            for key, _unused, value in event.assignments:
                if key == name and event.file == self.files[0]:
                    for word in value[0].elements if value and value[0].kind == "array" else [value]:
                        made += [part.text for part in word if part.kind == "variable" and part.text != name]
        if not made or depth > 3:
            return [name]
        return [one for other in made for one in self._origins(other, depth + 1)]

    @staticmethod
    def _complete(line: list[str]) -> bool:
        if "-jar" not in line:
            return False
        return any(not token.startswith("-") for token in line[line.index("-jar") + 1 :])

    def _line(self, line: list[str], event: Event, index: int, depth: int) -> list[tuple[str, str]]:
        if not line:
            return []
        out: list[tuple[str, str]] = []
        inner = [token for token in line if re.search(r"\s-jar(\s|$)", token)]
        if line[0] in AGAIN and "-jar" in line and not inner:
            inner = [" ".join(line[1:])]
        for text in inner if depth < 3 else []:
            # A shell reads this text once more: quotes in it count, variables in it are looked up again.
            try:
                again = events(text, event.file)
            except Unreadable as problem:
                return [(UNKNOWN, f"the command in line {event.line} of {event.file} is read twice and has {problem}")]
            for one in again:
                one.line, one.blocks = event.line, event.blocks
                self.events.insert(index, one)
                try:
                    out += self._launches(one, index, [], depth + 1)
                finally:
                    self.events.pop(index)
        if inner or "-jar" not in line:
            return out
        jar = line.index("-jar")
        war = next((token for token in line[jar + 1 :] if not token.startswith("-")), "")
        if not (war.endswith((".war", '.war"')) or UNKNOWN_OPEN in war or war == ""):
            return out
        start = next((n for n, token in enumerate(line[:jar]) if self._is_java(token)), None)
        if start is None:
            plain = [
                n for n, t in enumerate(line[:jar]) if t not in ("exec", "nohup", "env", "command") and "=" not in t
            ]
            if not plain or UNKNOWN_OPEN not in line[plain[0]]:
                return out
            start = plain[0]
        self.wars.append(self._absolute(war.strip('"'), index))
        return [*out, jvmtext.of_tokens(line[start + 1 :])]

    @staticmethod
    def _is_java(token: str) -> bool:
        if token.rsplit("/", 1)[-1] == "java":
            return True
        found = re.fullmatch(UNKNOWN_OPEN + "([^\x02]*)" + UNKNOWN_CLOSE, token)
        return bool(found and JAVA_NAME.match(found.group(1)))

    def is_exported(self, name: str) -> bool:
        """Whether the scripts hand a variable to what they start: by name, or all of them (set -a)."""
        if name in self.environment:
            return True
        for event in self.events:
            words = [self._literal(word) or word[0].text for word in event.words if word]
            if re.match(r"set -(o allexport|[a-z]*a)", " ".join(words)):
                return True
            if words and words[0] in ("export", "declare", "typeset"):
                if any(word.split("=")[0] == name for word in words[1:]):
                    return True
        return False

    def exported(self, name: str) -> list[str]:
        """Alternatives of a variable that java would find in its environment."""
        if not self.is_exported(name):
            return [""]
        return [one if isinstance(one, str) else " ".join(one) for one in self.values(name, len(self.events))]


def ask(file: str, text: str, environment: dict[str, str], load: Callable[[str], str | None], depth: int = 0) -> Answer:
    """The flag as the next start of this script would have it."""
    try:
        script = Script(file, text, environment, load, depth)
        answer = script.answer()
        if answer.flag == UNKNOWN or not script.own:
            return answer  # what another script starts was judged with what that one gives it
        options = {name: script.exported(name) for name in ("_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "JAVA_TOOL_OPTIONS")}
    except Unreadable as problem:
        return Answer(why=str(problem), files=[file])
    except RecursionError:
        return Answer(why=f"{file} is nested too deeply", files=[file])
    for name, layer in options.items():
        found = {jvmtext.of_tokens(jvmtext.split_environment(one))[0] for one in layer}
        if found == {ABSENT}:
            continue
        if name != "_JAVA_OPTIONS" and answer.flag != ABSENT:
            break
        if len(found) > 1 or UNKNOWN in found:
            why = f"{name} decides, and only the shell knows its value"
            return Answer(UNKNOWN, why, answer.variables, answer.files, answer.wars)
        return Answer(found.pop(), "", [name], answer.files, answer.wars)
    return answer


def mentions(text: str, file: str) -> list[tuple[int, str]]:
    """(line, variable) of every mention of the property outside comments; the variable may be empty."""
    out = []
    variable = ""
    for number, row in enumerate(text.splitlines(), 1):
        found = re.match(r"\s*(?:export\s+)?(?:Environment=[\"']?)?([A-Za-z_][A-Za-z0-9_]*)\+?=", row)
        if found and found.group(1) != "Environment":
            variable = found.group(1)
        if jvmtext.PROPERTY in row and not row.lstrip().startswith(("#", ";")):
            out.append((number, variable))
    return out

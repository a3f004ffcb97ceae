# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What command substitutions print, where that is only paths and text of files: ``$(dirname "$0")``, ``$(cat X)``.

Nothing is run. Text keeps the place that it has in its file. Private to this collection. Python 3.6+, standard library
only.
"""

import os
import posixpath
import re
from typing import Callable, Dict, List, Optional, Sequence, Tuple

from ..host._files import PASSING
from ..text._characters import EMPTY, Run, Value
from ..text._value import Text
from ._flow import Flow
from ._nodes import (
    AndOr,
    Block,
    Command,
    CommandSubstitution,
    Group,
    Pipeline,
    ProcessSubstitution,
    Simple,
    Subshell,
    Word,
)
from ._parser import BASH
from ._patterns import number_of, regex_ends_soon
from ._words import Leave

LIMIT_WORDS = 100000  # characters that xargs gives to one echo at most
#: Commands whose output is a name, a number, a path or a date, never a JVM option.
_HARMLESS_OUTPUT = frozenset(
    [
        "hostname",
        "uname",
        "date",
        "nproc",
        "id",
        "whoami",
        "pwd",
        "basename",
        "dirname",
        "readlink",
        "realpath",
        "which",
        "type",
        "getconf",
        "logname",
        "tty",
        "mktemp",
        "wc",
        "arch",
        "pidof",
        "pgrep",
        "pidofproc",
        "umask",
    ]
)
#: Of these, those that print several words unless they are told otherwise.
_MANY_WORDS = frozenset(["date", "id", "type", "wc", "pidof", "pgrep", "pidofproc"])
_XARGS = re.compile(r"""([^ \t\n'"\\]+)|'([^'\n]*)'|"([^"\n]*)"|\\([\s\S])|([ \t\n]+)""")
#: A format of printf without all but plain words.
_FORMAT = re.compile(r"(?!-)(?:[^%\\\x00]|%s|%%|\\[nrt])*\Z")
_ESCAPED = re.compile(r"\\([nrt])")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "a": "\a", "b": "\b"}
_CLASSES = {
    "space": r" \t\n\v\f\r",
    "blank": r" \t",
    "digit": "0-9",
    "alpha": "A-Za-z",
    "alnum": "A-Za-z0-9",
    "upper": "A-Z",
    "lower": "a-z",
}
_BRACKET = re.compile(r"\[(\^?)(\]?(?:\[:[a-z]+:\]|[^\]\[\\])*)\]")


#: Commands that change the shell, or tell, and print nothing in a script's function.
_SAY_NOTHING = frozenset(
    [
        "[",
        "test",
        "local",
        "declare",
        "typeset",
        "export",
        "readonly",
        "unset",
        "shift",
        "set",
        "return",
        "exit",
        "read",
        "eval",
        ".",
        "source",
        "break",
        "continue",
        "mapfile",
        "readarray",
    ]
)
#: Programs that print nothing.
SILENT = frozenset(["mkdir", "touch", "rm", "cp", "mv", "ln", "chmod", "chown", "sleep", "logger"])


class _NotKnown(Exception):
    """What is printed cannot be known; where there is more to say than that, says why."""


Printed = Tuple[Value, Optional[bool]]  # and the status


class Output(Flow):
    """A shell process that knows what some commands print."""

    def _substitution(self, word: Word, part: CommandSubstitution) -> Value:
        """Command substitution: the few commands that only rewrite their arguments or files, else unknown."""
        commands = part.body.commands
        reason = "a command substitution"
        try:
            value = self._separately(lambda: self._everything(part.body))
            return _without_end(value).requoted(part.quoted)
        except _NotKnown as error:
            reason = str(error) or reason
            self._may_write(commands)
        command = commands[0] if len(commands) == 1 else None
        if [_name_of(item) for item in _in_a_row(commands)] == ["cd", "pwd"]:
            return self.unknown("the folder of a script", word, part, harmless=True)
        if isinstance(command, Simple) and not command.assignments and command.words:
            name = command.name
            if (name in _HARMLESS_OUTPUT and (name not in _MANY_WORDS or _prints_one_word(command))) or (
                name == "command" and len(command.words) > 1 and command.words[1].literal() == "-v"
            ):
                return self.unknown("the output of a command", word, part, harmless=True)
        return self.unknown(reason, word, part)

    def _everything(self, body: Block) -> Value:
        """What the commands of a substitution print."""
        if len(body.commands) == 1:
            only = body.commands[0]
            if isinstance(only, Simple) and not only.words and not only.assignments and only.input is not None:
                return (self._given(only) or EMPTY) if self.dialect == BASH and only.input.operator == "<" else EMPTY
        return self._printed(body)[0]

    def _printed(self, node: Command) -> Printed:
        """What a command prints, and its status. Raises _NotKnown."""
        self.spend(1, 0, node.text, node.start)
        printed: List[Run] = []
        status: Optional[bool] = True
        if isinstance(node, Block):
            for item in node.commands:
                more, status = self._printed(item)
                printed.extend(more)
        elif isinstance(node, AndOr):
            for operator, item in node.items:
                if operator and status is None:
                    raise _NotKnown()
                if not operator or status == (operator == "&&"):
                    more, status = self._printed(item)
                    printed.extend(more)
        elif isinstance(node, Pipeline):
            given: Optional[Value] = None
            for item in node.commands:
                given, status = self._stage(item, given)
            printed.extend(given or ())
            if node.negated and status is not None:
                status = not status
        else:
            return self._stage(node, None)
        return Value(printed), status

    def _stage(self, node: Command, given: Optional[Value]) -> Printed:
        """What a command prints that gets this on its standard input. Raises _NotKnown."""
        if node.fails:
            raise _NotKnown()
        if isinstance(node, Subshell) and not node.redirections and given is None:
            body = node.body
            return self._separately(lambda: self._printed(body))
        if isinstance(node, Group) and not node.redirections and given is None:
            return self._printed(node.body)
        if not isinstance(node, Simple) or not node.words:
            return self._overheard(node, given)
        name = node.name
        if node.assignments:
            raise _NotKnown()
        if name in self.state.functions or name in _SAY_NOTHING:
            return self._overheard(node, given)
        if node.declared:
            raise _NotKnown()
        if node.input is not None:
            given = self._given(node)
            if given is None:
                return EMPTY, False
        fields = [field for item in node.words for field in self.fields(item)]
        if not fields or any(field.unknown(True) for field in fields):
            raise _NotKnown()
        name = re.sub(r"\A(?:/usr)?/bin/", "", fields[0].text)
        if name in ("command", "builtin") and len(fields) > 1 and not fields[1].text.startswith("-"):
            fields = fields[1:]
            name = fields[0].text
        if name in self.state.functions or name not in _COMMANDS:
            raise _NotKnown()
        value, status = _COMMANDS[name](self, fields[1:], given)
        self.spend(len(value.runs), len(value.text), node.text, node.start)
        return (EMPTY if node.quiet else value), status

    def _overheard(self, node: Command, given: Optional[Value]) -> Printed:
        """What a function, or a command that has commands inside, prints while it is walked. Raises _NotKnown."""
        printed: List[Run] = []
        before, self.printing = self.printing, printed
        kept, self.input = self.input, self.input if given is None else [given]
        try:
            status = self.run(node)
        except Leave:
            status = None
        finally:
            self.printing, self.input = before, kept
        value = Value(printed)
        if value.unknown(True):
            raise _NotKnown()
        return value, status

    def run(self, node: Command) -> Optional[bool]:
        """Walk a command; what it prints is kept where somebody listens."""
        if self.printing is None:
            return super().run(node)
        if node.quiet:
            kept, self.printing = self.printing, []
            try:
                return super().run(node)
            finally:
                self.printing = kept
        if isinstance(node, Pipeline) and len(node.commands) > 1:
            value, status = self._separately(lambda: self._printed(node))
            self.printing.extend(value)
            return status
        return super().run(node)

    def overhear(self, node: Command, name: str, fields: List[Value]) -> Optional[bool]:
        """A command that may print, where somebody listens. Raises _NotKnown."""
        if name not in _COMMANDS or any(field.unknown(True) for field in fields):
            raise _NotKnown()
        value, status = _COMMANDS[name](self, fields[1:], self.input[0] if self.input else None)
        self.spend(len(value.runs), len(value.text), node.text, node.start)
        if self.printing is not None:
            self.printing.extend(value)
        return status

    def inert(self, node: Command) -> bool:
        """Where somebody listens nothing is passed over."""
        return self.printing is None and super().inert(node)

    def _havoc(self, node: Command) -> None:
        if self.printing is not None:
            raise _NotKnown()
        super()._havoc(node)

    def _given(self, node: Command) -> Optional[Value]:
        """The standard input that a redirection gives, None where it cannot be made. Raises _NotKnown."""
        if node.input is None or node.input.operator != "<":
            value = self._open(node)
            if not value:
                raise _NotKnown()
            return value[0]
        target = self.single(node.input.target)
        if target.unknown(True):
            raise _NotKnown()
        return self.content(target.text)

    def _file_given(self, target: Word) -> Optional[List[Value]]:
        made = target.parts[0] if len(target.parts) == 1 else None
        process = made if isinstance(made, ProcessSubstitution) else None
        name = self.single(target) if process is None else EMPTY
        try:
            if process is not None:
                body = process.body
                content = self._separately(lambda: self._everything(body)) if process.source else None
            else:
                content = None if name.unknown(True) else self.content(name.text)
        except _NotKnown:
            return None
        return None if content is None or any("\0" in run.text for run in content) else [content]

    def change_folder(self, fields: List[Value]) -> Optional[bool]:
        """``cd`` with these words; where a folder is missing it is not known where the shell is then."""
        texts = [field.text for field in fields]
        physical = False
        while texts and re.match(r"-[LPe]+\Z|--\Z", texts[0]):
            physical = "P" in texts[0] or (physical and "L" not in texts[0])
            fields = fields[1:]
            if texts.pop(0) == "--":
                break
        if "\r" in "".join(texts):
            return False
        if len(texts) > 1 and self.dialect == BASH:
            return False
        before, self.state.folder_before = self.state.folder_before, self.state.folder
        home = self.state.variables.get("HOME")
        if not texts:
            path = None if home is None or home.value.unknown(True) else home.value.text
        elif texts[0] == "-":
            path = before
        else:
            path = None if fields[0].unknown(True) else texts[0]
        if path and not re.match(r"\.{0,2}(?:/|\Z)", path) and "CDPATH" in self.state.variables:
            path = None
        place = self.absolute(path) if path else None
        if place is None:
            self.state.folder = None
            return True
        logical = posixpath.normpath("/" + place.lstrip("/"))
        if not PASSING.match(logical + "/"):
            there = self.files.test("d", logical)
            if not there and self.files.test("d", place):
                logical, there = self.files.canonical(place), True
            if there is False and self.files.test("e", logical):
                self.state.folder = self.state.folder_before  # it is a file
                return False
            if not there:
                self.state.folder = None
                return None
        try:
            self.state.folder = self.files.canonical(logical) if physical else logical
        except OSError:
            self.state.folder = None
        return True

    # -- files and paths ----------------------------------------------------------------------

    def content(self, path: str) -> Optional[Value]:
        """The text of a file that is read, None where there is none. Raises _NotKnown."""
        place = self.absolute(path)
        if place is None:
            raise _NotKnown("the content of a file that is named relative to where it is started")
        if PASSING.match(place) or place.startswith(("/proc/", "/sys/", "/dev/")):
            raise _NotKnown("the content of %s, which is made anew before it starts" % place)
        if self.is_among(place, self.oracle.touched):
            raise _NotKnown("the content of %s, which may be written before" % place)
        try:
            text = self.files.read(place)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError):
            raise _NotKnown("the content of %s, which cannot be read" % place)
        origin = self.files.origin(place)
        if origin not in self.session.texts:
            self.session.texts.append(origin)
        self.spend(1, len(text))
        return Value.of(text, origin) if text else EMPTY

    def _cd_for(self, fields: List[Value], _given: Optional[Value]) -> Printed:
        if "-" in [one.text for one in fields] or "CDPATH" in self.state.variables:
            raise _NotKnown()
        return EMPTY, self.change_folder(fields)

    def _pwd(self, fields: List[Value], _given: Optional[Value]) -> Printed:
        options = {field.text for field in fields}
        if options - {"-P", "-L"} or self.state.folder is None:
            raise _NotKnown()
        try:
            folder = self.files.canonical(self.state.folder) if "-P" in options else self.state.folder
        except OSError:
            raise _NotKnown()
        return Value.of(folder + "\n"), True

    def _readlink(self, fields: List[Value], _given: Optional[Value]) -> Printed:
        return self._followed_links(fields, {"": "link", "f": "all but the last", "e": "all", "m": "none"})

    def _realpath(self, fields: List[Value], _given: Optional[Value]) -> Printed:
        return self._followed_links(
            fields, {"": "all but the last", "e": "all", "m": "none", "P": "all but the last", "s": "strip"}
        )

    def _followed_links(self, fields: List[Value], kinds: Dict[str, str]) -> Printed:
        """Paths without links, as readlink and realpath of coreutils print them."""
        longs = {
            "--canonicalize": "f",
            "--canonicalize-existing": "e",
            "--canonicalize-missing": "m",
            "--strip": "s",
            "--no-symlinks": "s",
            "--no-newline": "n",
            "--quiet": "q",
            "--silent": "q",
        }
        letters, paths = _options(fields, longs)
        if set(letters) - set("".join(kinds)) - set("nqv") or not paths or len(paths) > 1 and "n" in letters:
            raise _NotKnown()
        kind = [kinds[letter] for letter in [""] + list(letters) if letter in kinds][-1]
        lines: List[Run] = []
        status = True
        for path in paths:
            found = self._link_followed(path, kind)
            if found is None:
                status = False
            else:
                lines.append(Run(found + ("" if "n" in letters else "\n")))
        return Value(lines), status

    def _link_followed(self, path: str, kind: str) -> Optional[str]:
        place = self.absolute(path) if path else ""
        if place is None:
            raise _NotKnown()
        if not place:
            return None
        try:
            if kind == "link":
                return self.files.target(place)
            if kind == "strip":
                found = posixpath.normpath("/" + place.lstrip("/"))
                needed = found.rpartition("/")[0]
            else:
                found = self.files.canonical(place)
                needed = found if kind == "all" or path.endswith("/") else found.rpartition("/")[0]
        except OSError:
            return None
        return found if kind == "none" or self.files.exists(needed or "/") else None

    def _dirname(self, fields: List[Value], _given: Optional[Value]) -> Printed:
        letters, paths = _options(fields)
        if letters or not paths:
            raise _NotKnown()
        lines = []
        for path in paths:
            stem = path.rstrip("/")
            folder = stem.rpartition("/")[0].rstrip("/")
            lines.append(Run((folder or ("/" if path.startswith("/") else ".")) + "\n"))
        return Value(lines), True

    def _basename(self, fields: List[Value], _given: Optional[Value]) -> Printed:
        letters, names = _options(fields, takes="s")
        suffix = names.pop(0) if letters == "s" else names[1] if len(names) == 2 and not letters else ""
        if letters not in ("", "s") or not names or len(names) > 2 or (letters and len(names) != 1):
            raise _NotKnown()
        base = names[0].rstrip("/").rpartition("/")[2] or names[0][:1]
        if suffix and base != suffix and base.endswith(suffix):
            base = base[: -len(suffix)]
        return Value.of(base + "\n"), True

    # -- text ---------------------------------------------------------------------------------

    def _cat(self, fields: List[Value], given: Optional[Value]) -> Printed:
        letters, paths = _options(fields)
        if letters:
            raise _NotKnown()
        return self._of_files(paths, given)

    def _of_files(self, paths: Sequence[str], given: Optional[Value]) -> Printed:
        """The text of files one after the other, of the standard input where there are none."""
        value: List[Run] = []
        status = True
        for path in paths or ["-"]:
            part = given if path == "-" else self.content(path)
            if part is None and path == "-":
                raise _NotKnown()
            status = status and part is not None
            value.extend(part or ())
        if any(run.unknown or "\0" in run.text for run in value):
            raise _NotKnown()
        return Value(value), status

    def _xargs(self, fields: List[Value], given: Optional[Value]) -> Printed:
        texts = [field.text for field in fields]
        while texts and texts[0] in ("-r", "--no-run-if-empty"):
            texts = texts[1:]
        by_line = (
            re.match(
                r"(?:-d|--delimiter=)(?:\\n|\n)\Z", "".join(texts[:2]) if texts[:1] == ["-d"] else "".join(texts[:1])
            )
            is not None
        )
        texts = texts[(2 if texts[0] == "-d" else 1) if by_line else 0 :]
        if texts not in ([], ["echo"]) or given is None or given.unknown(True):
            raise _NotKnown()
        if by_line:
            return self._echoed(self._lines(given))
        text = Text.from_value(given)
        words: List[Value] = []
        current: Optional[List[Run]] = None
        end = 0
        for match in _XARGS.finditer(text.characters):
            if match.start() != end:
                break
            end = match.end()
            if match.group(5) is not None:
                words.extend([Value(current)] if current is not None else [])
                current = None
                continue
            group = next(number for number in (1, 2, 3, 4) if match.group(number) is not None)
            current = [] if current is None else current
            current.extend(text.runs(match.start(group), match.end(group), False))
        self.spend(len(words), 8 * end)
        if end != len(text.characters) or "\0" in text.characters or end > LIMIT_WORDS:
            raise _NotKnown("what xargs makes of a quote that is not closed, or of very much text")
        words.extend([Value(current)] if current is not None else [])
        return self._echoed(words)

    def _echoed(self, words: List[Value]) -> Printed:
        first = words[0].text if words else ""
        if re.match(r"-[neE]+\Z|--(?:help|version)\Z", first):
            raise _NotKnown()
        value: List[Run] = []
        for index, word in enumerate(words):
            if index:
                value.append(Run(" "))
            value.extend(word)
        return Value([*value, Run("\n")]), True

    def _tr(self, fields: List[Value], given: Optional[Value]) -> Printed:
        letters, sets = _options(fields, {"--delete": "d", "--squeeze-repeats": "s"})
        if given is None or letters not in ("", "d", "s") or len(sets) != (1 if letters else 2):
            raise _NotKnown()
        first = _set_of(sets[0])
        second = _set_of(sets[1]) if not letters else ""
        if not letters and not second:
            raise _NotKnown()
        table = {
            char: "" if letters == "d" else char if letters else second[min(index, len(second) - 1)]
            for index, char in reversed(list(enumerate(first)))
        }
        pattern = re.compile("[%s]%s" % (re.escape(first), "+" if letters == "s" else ""))
        value: List[Run] = []
        last = ""
        for run in given:
            start = 0
            for match in pattern.finditer(run.text):
                if match.start() > start:
                    value.append(run.part(start, match.start()))
                    last = ""
                text = match.group(0)
                made = re.sub(r"(.)\1+", r"\1", text, flags=re.DOTALL) if letters == "s" else table[text]
                if letters == "s" and made[:1] == last:
                    made = made[1:]
                if made:
                    value.append(Run(made))
                    last = made[-1]
                start = match.end()
            if start < len(run.text):
                value.append(run.part(start, len(run.text)))
                last = ""
        return Value(value), True

    def _lines(self, value: Value) -> List[Value]:
        """The lines of a text, without their ends."""
        text = Text.from_value(value)
        lines: List[Value] = []
        start = 0
        while start < len(text.characters):
            end = text.characters.find("\n", start)
            end = len(text.characters) if end < 0 else end
            lines.append(text.runs(start, end, False))
            start = end + 1
        self.spend(len(lines), len(text.characters))
        if max(text.characters, default="") > "\x7f":
            raise _NotKnown()  # what a letter is depends on the locale
        return lines

    def _held(self, pattern: str, extended: bool, sed: bool, lines: Sequence[Value]) -> "re.Pattern[str]":
        """A regular expression that is held against lines. Raises _NotKnown."""
        translated = _regex(pattern, extended, sed)
        longest = max([len(line.text) for line in lines], default=0)
        if translated is None or not regex_ends_soon(translated, longest):
            raise _NotKnown()
        self.spend(len(lines) * 4)
        return re.compile(translated, re.ASCII)

    def _grep(self, fields: List[Value], given: Optional[Value]) -> Printed:
        letters, rest = _options(fields, {"--invert-match": "v", "--extended-regexp": "E", "--no-filename": "h"})
        if set(letters) - set("vEhs") or not rest or (len(rest) > 2 and "h" not in letters):
            raise _NotKnown()
        value, status = self._of_files(rest[1:], given)
        lines = self._lines(value)
        patterns = [self._held(one, "E" in letters, False, lines) for one in rest[0].split("\n")]
        kept = [line for line in lines if any(one.search(line.text) for one in patterns) != ("v" in letters)]
        return _joined(kept), bool(kept) if status else None

    def _egrep(self, fields: List[Value], given: Optional[Value]) -> Printed:
        return self._grep([Value.of("-E")] + fields, given)

    def _sed(self, fields: List[Value], given: Optional[Value]) -> Printed:
        texts = [field.text for field in fields]
        extended = False
        commands: List[str] = []
        while texts and texts[0].startswith("-"):
            option = texts.pop(0)
            if option in ("-E", "-r"):
                extended = True
            elif option == "-e" and texts:
                commands.append(texts.pop(0))
            else:
                raise _NotKnown()
        commands = commands or [texts.pop(0)] if commands or texts else []
        if not commands:
            raise _NotKnown()
        value, status = self._of_files(texts, given)
        lines = self._lines(value)
        ended = value.text.endswith("\n") or not value
        for command in [one.strip() for text in commands for one in re.split(r";\s*(?=/|s/|s\||$)", text)]:
            lines = self._edited(command, extended, lines) if command else lines
        joined = _joined(lines)
        return (joined if ended else _without_last(joined)), status

    def _edited(self, command: str, extended: bool, lines: List[Value]) -> List[Value]:
        """What ``/regex/d`` and ``s/regex/text/`` of sed make of lines."""
        match = re.match(r"/((?:[^/\\\n]|\\.)*)/d\Z", command)
        if match is not None:
            held = self._held(match.group(1), extended, True, lines)
            return [line for line in lines if held.search(line.text) is None]
        match = re.match(r"s([/|,#])((?:(?!\1)[^\\\n]|\\.)*)\1((?:(?!\1)[^\\\n&])*)\1(g?)\Z", command)
        if match is None or re.search(r"\|", match.group(2)):
            raise _NotKnown()
        held = self._held(match.group(2), extended, True, lines)
        made = []
        for line in lines:
            result: List[Run] = []
            start, text = 0, line.text
            for place in held.finditer(text):
                if place.start() == place.end():
                    raise _NotKnown()  # the readers of empty matches differ
                self.spend(len(line.runs), len(text))
                result.extend(line.known(start, place.start()))
                result.append(Run(match.group(3)))
                start = place.end()
                if not match.group(4):
                    break
            made.append(Value([*result, *line[start:]]))
        return made

    def _head(self, fields: List[Value], given: Optional[Value]) -> Printed:
        return self._some_lines(fields, given, True)

    def _tail(self, fields: List[Value], given: Optional[Value]) -> Printed:
        return self._some_lines(fields, given, False)

    def _some_lines(self, fields: List[Value], given: Optional[Value], first: bool) -> Printed:
        texts = [field.text for field in fields]
        count = 10
        match = re.match(r"-n?([0-9]+)\Z", texts[0]) if texts else None
        if match is not None:
            count, texts = int(match.group(1)), texts[1:]
        elif texts[:1] == ["-n"] and len(texts) > 1 and number_of(texts[1]) is not None:
            count, texts = int(texts[1]), texts[2:]
        if len(texts) > 1 or any(text.startswith("-") for text in texts):
            raise _NotKnown()
        value, status = self._of_files(texts, given)
        lines = self._lines(value)
        kept = lines[:count] if first else lines[max(0, len(lines) - count) :]
        return _joined(kept), status

    def _cut(self, fields: List[Value], given: Optional[Value]) -> Printed:
        letters, rest = _options(fields, takes="df")
        given_to = dict(zip(letters, rest))
        wanted = re.match(r"([1-9][0-9]{0,3})(-?)\Z", given_to.get("f", ""))
        delimiter = given_to.get("d", "\t")
        if set(letters) - set("df") or wanted is None or len(delimiter) != 1:
            raise _NotKnown()
        value, status = self._of_files(rest[len(letters) :], given)
        kept = []
        for line in self._lines(value):
            text = line.text
            starts = [0] + [place + 1 for place, char in enumerate(text) if char == delimiter]
            number = int(wanted.group(1))
            if len(starts) == 1:
                kept.append(line)  # a line without the delimiter is printed whole
            elif number > len(starts):
                kept.append(EMPTY)
            else:
                end = len(text) if wanted.group(2) or number == len(starts) else starts[number] - 1
                kept.append(line[starts[number - 1] : end])
        return _joined(kept), status

    def _paste(self, fields: List[Value], given: Optional[Value]) -> Printed:
        letters, rest = _options(fields, takes="d")
        if sorted(letters) != ["d", "s"] or len(rest[0]) != 1 or len(rest) > 2:
            raise _NotKnown()
        value, status = self._of_files(rest[1:], given)
        joined: List[Run] = []
        for index, line in enumerate(self._lines(value)):
            joined.extend([Run(rest[0])] if index else [])
            joined.extend(line)
        return Value([*joined, Run("\n")]), status

    # -- what only rewrites its arguments -----------------------------------------------------

    def _rewritten(self, name: str) -> Callable[[List[Value], Optional[Value]], Printed]:
        def printed(fields: List[Value], _given: Optional[Value]) -> Printed:
            value = self._pure(name, fields)
            if value is None:
                raise _NotKnown()
            return value, True

        return printed

    def _run_parts(self, texts: List[str]) -> Optional[Value]:
        pattern = "^[a-zA-Z0-9_-]+$"
        if len(texts) == 3 and texts[0] == "--regex":
            pattern = texts[1]
        elif len(texts) == 2 and texts[0].startswith("--regex="):
            pattern = texts[0].partition("=")[2]
        elif len(texts) != 1:
            return None
        # Only what means the same in Python: names, sets, anchors.
        if not re.match(r"[\w^$.*+\[\]\\-]*\Z", pattern) or not regex_ends_soon(pattern, 64):
            return None
        names = self.files.list(texts[-1])
        self.spend(8 * len(names))
        try:
            names = [name for name in names if len(name) <= 64 and re.search(pattern, name)]
        except re.error:
            return None
        return Value.of("\n".join("%s/%s" % (texts[-1].rstrip("/"), name) for name in names))

    def _pure(self, name: str, fields: List[Value]) -> Optional[Value]:
        texts = [field.text for field in fields]
        if name == "run-parts" and "--list" in texts:  # Debian's /etc/profile asks it for the files to source
            return self._run_parts([text for text in texts if text != "--list"])
        if name == "uname":
            return Value.of(os.uname().sysname) if texts in ([], ["-s"]) else None
        if name == "echo" and (not texts or re.match(r"-[neE]+\Z", texts[0]) is None) and "\\" not in "".join(texts):
            return self._echoed(fields)[0]
        if name == "printf" and texts and _FORMAT.match(texts[0]):
            pieces = [
                _ESCAPED.sub(lambda match: _ESCAPES[match.group(1)], piece).replace("%%", "%")
                for piece in texts[0].split("%s")
            ]
            given = list(fields[1:])
            value: List[Run] = []
            while given or not value:  # the format is used again until all words are
                for index, piece in enumerate(pieces):
                    value.extend(given.pop(0) if given and index else ())
                    value.append(Run(piece))
                if len(pieces) == 1:
                    break
            return Value(value)
        if name in ("declare", "typeset") and len(texts) == 2 and texts[0] == "-p" and self.dialect == BASH:
            # A common way for launchers to ask whether a variable is an array.
            variable = self.lookup(texts[1])
            if variable is None:
                return EMPTY if self.closed else None
            kind = "-a" if variable.array is not None else ("-x" if variable.exported else "--")
            return Value.of("declare %s %s=" % (kind, texts[1]))
        return None


def _pure_command(name: str) -> Callable[[Output, List[Value], Optional[Value]], Printed]:
    return lambda shell, fields, given: shell._rewritten(name)(fields, given)


_COMMANDS: "Dict[str, Callable[[Output, List[Value], Optional[Value]], Printed]]" = {
    "cd": Output._cd_for,
    "pwd": Output._pwd,
    "readlink": Output._readlink,
    "realpath": Output._realpath,
    "dirname": Output._dirname,
    "basename": Output._basename,
    "cat": Output._cat,
    "xargs": Output._xargs,
    "tr": Output._tr,
    "grep": Output._grep,
    "egrep": Output._egrep,
    "sed": Output._sed,
    "head": Output._head,
    "tail": Output._tail,
    "cut": Output._cut,
    "paste": Output._paste,
    "true": lambda _shell, _fields, _given: (EMPTY, True),
    ":": lambda _shell, _fields, _given: (EMPTY, True),
    "false": lambda _shell, _fields, _given: (EMPTY, False),
}
_COMMANDS.update((name, _pure_command(name)) for name in ("echo", "printf", "declare", "typeset", "uname", "run-parts"))


def _options(
    fields: Sequence[Value], longs: "Optional[dict[str, str]]" = None, takes: str = ""
) -> Tuple[str, List[str]]:
    """Letters of options, and the other words; those that letters in ``takes`` take come first. Raises _NotKnown."""
    texts = [field.text for field in fields]
    letters = ""
    taken: List[str] = []
    rest: List[str] = []
    while texts:
        text = texts.pop(0)
        if text == "--":
            rest.extend(texts)
            break
        if text.startswith("--"):
            if text not in (longs or {}):
                raise _NotKnown()
            letters += (longs or {})[text]
        elif text.startswith("-") and len(text) > 1:
            for index, letter in enumerate(text[1:], 1):
                letters += letter
                if letter in takes:
                    if index + 1 < len(text):
                        taken.append(text[index + 1 :])
                    elif texts:
                        taken.append(texts.pop(0))
                    else:
                        raise _NotKnown()
                    break
        else:
            rest.append(text)
    return letters, taken + rest


def _set_of(text: str) -> str:
    """The characters of a set of tr. Raises _NotKnown."""
    found = ""
    index = 0
    if re.search(r"\[[:=.]|\[.\*", text):
        if text == "[:space:]":
            return " \t\n\v\f\r"
        if text == "[:blank:]":
            return " \t"
        raise _NotKnown()
    while index < len(text):
        char = text[index]
        index += 1
        if char == "\\":
            follower = text[index : index + 1]
            octal = re.match(r"[0-7]{1,3}", text[index:])
            if octal is not None:
                char = chr(int(octal.group(0), 8) & 255)
                index += octal.end()
            elif follower in _ESCAPES or follower == "\\":
                char = _ESCAPES.get(follower, follower)
                index += 1
            else:
                raise _NotKnown()
        elif char == "-" and found and index < len(text):
            if text[index] == "\\" or found[-1] > text[index]:
                raise _NotKnown()
            found += "".join(map(chr, range(ord(found[-1]) + 1, ord(text[index]) + 1)))
            index += 1
            continue
        found += char
    return found


def _regex(text: str, extended: bool, sed: bool) -> Optional[str]:  # noqa: C901 -- one branch a character of the pattern
    """A regular expression of grep or sed that means the same to Python, else None."""
    made = ""
    atom = False  # something that may be repeated stands before
    index = 0
    while index < len(text):
        char = text[index]
        bracket = _BRACKET.match(text, index) if char == "[" else None
        index += 1
        if bracket is not None:
            body = bracket.group(2)
            names = re.findall(r"\[:([a-z]+):\]", body)
            if set(names) - set(_CLASSES) or not body:
                return None
            plain = re.sub(r"\[:[a-z]+:\]", "", body)
            made += "[%s%s%s]" % (
                bracket.group(1),
                re.sub(r"([\\\[\]^&|~])", r"\\\1", plain),
                "".join(_CLASSES[name] for name in names),
            )
            index, atom = bracket.end(), True
            continue
        escaped = char == "\\"
        if escaped:
            char = text[index : index + 1]
            index += 1
            if char == "s":
                made, atom = made + r"\s", True
                continue
            if sed and char in "rt":
                made, atom = made + "\\" + char, True
                continue
            if not char or char.isalnum() or char in "<>'`{}" or (char in "(|)+?" and extended):
                made, atom = made + re.escape(char), True
                if not char or char.isalnum() or char in "<>'`{}":
                    return None
                continue
        special = char in "(|)+?" and escaped != extended
        if char in "*" and not escaped or special and char in "+?":
            if not atom:
                return None
            made, atom = made + char, False
        elif special:
            made, atom = made + char, False
        elif char == "^" and not escaped:
            if made and not made.endswith(("(", "|")):
                return None
            made, atom = made + "^", False
        elif char == "$" and not escaped:
            rest = text[index:]
            if rest and not rest.startswith((")", "|") if extended else ("\\)", "\\|")):
                return None
            made, atom = made + r"\Z", False
        elif char == "[" or char in "{}" and extended and not escaped:
            return None
        else:
            made, atom = made + ("." if char == "." and not escaped else re.escape(char)), True
    try:
        re.compile(made)
    except re.error:
        return None
    return made


def _joined(lines: Sequence[Value]) -> Value:
    return Value([run for line in lines for run in (*line, Run("\n"))])


def _without_last(value: Value) -> Value:
    return value[: max(0, len(value.text) - 1)]


def _without_end(value: Value) -> Value:
    """What a substitution gives: without the line ends behind it."""
    if any(run.unknown for run in value):
        return value
    text = value.text
    return value if not text.endswith("\n") else value[: len(text.rstrip("\n"))]


def _in_a_row(commands: Sequence[Command]) -> Sequence[Command]:
    """The commands of ``a && b``."""
    first = commands[0] if len(commands) == 1 else None
    if isinstance(first, AndOr) and {operator for operator, _item in first.items} == {"", "&&"}:
        return [item for _operator, item in first.items]
    return commands


def _prints_one_word(command: Simple) -> bool:
    """True for ``id -u`` and ``date +%s``."""
    words = [word.literal() or "" for word in command.words[1:]]
    return len(words) > 0 and all(re.match(r"-[a-z]+\Z|--[a-z]+\Z|\+\S+\Z", word) for word in words)


def _name_of(node: Command) -> Optional[str]:
    """The name of a plain command, where it is a literal word."""
    return node.name if isinstance(node, Simple) and not node.assignments else None

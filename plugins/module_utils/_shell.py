# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Follows a launch script, and what it sources, to the ``java`` commands it would run, without running it.

A symbolic walk over the tree of :mod:`_shell_syntax`: variables hold characters that remember the file
and byte they came from; a condition that cannot be known is walked both ways; what stays unknown is
carried as unknown with its reason. Private to this collection. Python 3.6+, standard library only.
"""

import ast
import os
import posixpath
import re
from copy import copy
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from ._files import HostFiles
from ._jvm import ENVIRONMENT, Unresolvable, command_line, is_java
from ._login import pam_environment, profiles
from ._shell_syntax import (
    BASH,
    DASH,
    DECLARATIONS,
    Assignment,
    Node,
    Part,
    Run,
    ShellSyntaxError,
    Text,
    Value,
    Word,
    is_reserved,
    line_of,
    parse,
    text_of,
    unknown_of,
)
from ._tomcat import BOOTSTRAP, base_of, starts

LIMIT_PATHS = 200
LIMIT_STEPS = 20000
LIMIT_DEPTH = 20
LIMIT_TOTAL = 100000  # steps of all ways together
LIMIT_RUNS = 20000  # pieces of one value: X="$X$X" doubles them
LIMIT_FILES = 1000  # that a pattern stands for
LIMIT_MATCH = 4096  # characters that are held against a pattern

#: Builtins that change the shell itself; a command that is none of them (and no function) cannot.
_CHANGES_SHELL = DECLARATIONS | frozenset([
    ".", "source", "eval", "exec", "set", "shift", "unset", "read", "return", "exit", "break", "continue",
    "getopts", "mapfile", "readarray", "let", "printf", "command", "builtin", "alias", "shopt", "trap",
])
#: Set by every shell for itself: unknown here, but never a JVM option.
_PROVIDED = frozenset([
    "RANDOM", "SECONDS", "LINENO", "UID", "EUID", "PPID", "HOSTNAME", "PWD", "OLDPWD", "BASHPID", "BASH",
    "BASH_VERSION", "HOSTTYPE", "OSTYPE", "MACHTYPE", "OPTIND", "HOME", "USER", "LOGNAME", "SHELL", "PATH",
    "LANG", "TERM", "IFS", "MAINPID", "INVOCATION_ID", "JOURNAL_STREAM", "SYSTEMD_EXEC_PID", "NOTIFY_SOCKET",
])
#: Set by profiles and init scripts in branches that need not be told apart: never a JVM option, nor a separator.
_NO_OPTION = frozenset(["PATH", "PS1", "PS2", "LANG", "LANGUAGE", "LC_ALL", "TERM", "USER", "LOGNAME", "MAIL", "UID",
                        "EUID", "HOSTNAME", "HISTSIZE", "HISTCONTROL"])
#: Commands whose output is a name, a number, a path or a date, never a JVM option.
_HARMLESS_OUTPUT = frozenset([
    "hostname", "uname", "date", "nproc", "id", "whoami", "pwd", "basename", "dirname", "readlink", "realpath",
    "which", "type", "getconf", "logname", "tty", "mktemp", "wc", "arch", "pidof", "pgrep", "pidofproc", "umask",
])
#: Of these, those that print several words unless they are told otherwise.
_MANY_WORDS = frozenset(["date", "id", "type", "wc", "pidof", "pgrep", "pidofproc"])
#: Expansions that may name a variable which is not set, also under ``set -u``.
_ASKS_WHETHER_SET = frozenset([":-", "-", ":=", "=", ":+", "+", ":?", "?"])
#: First characters of expansions that dash does not have; so is ``${a:1:2}``.
_BASH_OPERATORS = ("/", "^", ",", "@", "!")
#: Special builtins: in dash, assignments in front of them stay, and their errors end the script.
_SPECIAL = frozenset([".", ":", "break", "continue", "eval", "exec", "exit", "export", "readonly", "return", "set",
                      "shift", "times", "trap", "unset"])
#: Builtins of bash that dash does not have.
_BASH_ONLY = frozenset(["source", "declare", "typeset", "let", "shopt", "mapfile", "readarray", "builtin", "[[",
                        "((", "function"])
#: The letters that ``set`` takes.
_SET_LETTERS = {BASH: frozenset("abefhkmnoptuvxBCEHPT"), DASH: frozenset("abCefhiIEmnopquvVxs")}
_SET_NAMES = frozenset(["allexport", "emacs", "errexit", "ignoreeof", "monitor", "noclobber", "noexec", "noglob",
                        "nolog", "notify", "nounset", "privileged", "verbose", "vi", "xtrace"])
_SET_NAMES_OF_BASH = frozenset(["braceexpand", "errtrace", "functrace", "hashall", "histexpand", "history", "onecmd",
                                "interactive-comments", "keyword", "physical", "pipefail", "posix"])
#: What can be no command: an option, a misread assignment, the byte order mark, the end of a CRLF line.
_NO_COMMAND = re.compile(r"^$|^-|^\xef\xbb\xbf|=|\r")
#: Function libraries of the distribution, sourced by every init script. They set no JVM option, and walking
#: them would add their hooks and service-manager detours to every script; their functions count as programs.
_LIBRARY = re.compile(r"(?:/usr)?/lib/lsb/init-functions|(?:/usr)?/lib/init/[a-z-]+\.sh"
                      r"|/etc/(?:rc\.d/)?init\.d/functions|/etc/rc\.status")
_SHELLS = frozenset(["sh", "bash", "dash", "ksh", "ash"])
_CHANGES_USER = frozenset(["su", "runuser"])
_TAKES_NAME = frozenset(["-u", "--user", "-g", "--group", "--chuid", "--chown", "-U", "-p", "--pidfile"])


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_TILDE = re.compile(r"(?:\A|(?<=:))~[A-Za-z0-9_.-]*(?=[/:]|\Z)")
_DEFAULT_SEPARATORS = re.compile(r"([ \t\n]+)|[^ \t\n]+")


class Launch:
    """One ``java`` command as the script would run it.

    ``words`` are the arguments after ``java``; ``environment`` holds the exported variables that matter;
    ``closed`` says that nothing else can be in the environment. ``java`` is the launcher as it is named.
    """

    __slots__ = ("words", "environment", "closed", "java", "main", "options")

    def __init__(self, words: List[Value], environment: Dict[str, Value], closed: bool, java: str = "") -> None:
        self.words = words
        self.java = java
        self.environment = environment
        self.closed = closed
        line = command_line([_shape(word) for word in words])
        self.options = line.options
        tomcat = line.main is not None and starts([text_of(word) for word in words[line.main:]])
        self.main = line.main if line.jar or tomcat else None

    @property
    def program(self) -> str:
        """The jar that is started (or Tomcat's class), an empty string where it is not known."""
        return text_of(self.words[self.main]) if self.main is not None else ""

    @property
    def tomcat(self) -> Optional[str]:
        """``catalina.base`` of a Tomcat that is started, an empty string where it is not known; else None."""
        if self.program != BOOTSTRAP:
            return None
        return base_of([text_of(word) for word in self.words[:self.main] if not unknown_of(word, True)])


def _shape(word: Value) -> str:
    # A word that begins with an unknown may be an option: count it as one, so that it is not overlooked,
    # unless what follows shows that it is a path ("$DIR/x.war").
    text = text_of(word)
    if word and word[0].unknown and not text.startswith("/") and not text.endswith((".war", ".jar")):
        if word[0].quoted and word[0].harmless:
            return text or "?"
        return "-?" + text
    return text


class Variable:
    """A shell variable: one value, or the elements of an array."""

    __slots__ = ("value", "array", "exported")

    def __init__(self, value: Value, array: Optional[List[Value]] = None, exported: bool = False) -> None:
        self.value = value
        self.array = array
        self.exported = exported

    def copy(self) -> "Variable":
        """The same for another process."""
        return Variable(self.value, self.array, self.exported)


#: What each shell process has for itself.
_OWN = ("variables", "arguments", "functions", "marked_exported", "read_only", "aliases", "scopes", "all_exported",
        "stops_on_failure", "stops_on_unset")


class _Leave(Exception):
    """Part of the script ends here; ``status`` is its exit status as far as that is known."""

    def __init__(self, status: Optional[bool] = None) -> None:
        super().__init__()
        self.status = status


class _Exit(_Leave):
    """The script ends here."""


class _Return(_Leave):
    """The function or sourced file ends here."""


class _Break(Exception):
    """So many loops end here; with ``again`` the last of them goes on with its next round."""

    def __init__(self, levels: int, again: bool) -> None:
        super().__init__()
        self.levels = levels
        self.again = again


class Oracle:
    """Decides what cannot be known; :func:`launches` asks for every combination in turn."""

    def __init__(self, prefix: Sequence[int]) -> None:
        self.taken: List[Tuple[int, int]] = []  # (choice, number of choices)
        self._prefix = list(prefix)
        self.steps = 0

    def choose(self, count: int) -> int:
        """A number below ``count``."""
        index = len(self.taken)
        choice = self._prefix[index] if index < len(self._prefix) else 0
        self.taken.append((choice, count))
        return choice

    def following(self) -> Optional[List[int]]:
        """The prefix of the next combination, or None after the last."""
        taken = list(self.taken)
        while taken:
            choice, count = taken.pop()
            if choice + 1 < count:
                return [item[0] for item in taken] + [choice + 1]
        return None


#: Commands whose failure ends a script under ``set -e``; of the others, the commands inside do.
_FAILS = frozenset(["simple", "pipeline", "subshell", "condition", "arithmetic"])


class Shell:
    """One shell process, walked symbolically."""

    def __init__(self, files: HostFiles, oracle: Oracle, dialect: str = BASH, zero: str = "",
                 arguments: Sequence[Value] = (), environment: Optional[Dict[str, Value]] = None,
                 closed: bool = True, depth: int = 0) -> None:
        self.files = files
        self.oracle = oracle
        self.dialect = dialect
        self.zero = zero
        self.arguments = list(arguments)
        self.variables: Dict[str, Variable] = {}
        for name, value in (environment or {}).items():
            self.variables[name] = Variable(value, exported=True)
        self.closed = closed
        self.depth = depth
        self.functions: Dict[str, Node] = {}
        self.found: List[Launch] = []
        self.sourced: List[str] = []
        self.followed: List[str] = []  # scripts that were started, not sourced
        self.names: List[str] = []  # every variable that was looked at, in order
        self.all_exported = False
        self.stops_on_failure = False  # set -e
        self.stops_on_unset = False  # set -u
        self.forgiving = 0  # inside a condition, where set -e does not count
        self.input: Optional[List[Value]] = None  # what is left of the standard input, one item; None: not known
        self.returns = 0  # functions and sourced files around the present command
        self.background = False  # a command was started in the background
        self.loops = 0  # loops around the present command
        self.status: Optional[bool] = True  # of the last command
        self.marked_exported: List[str] = []  # exported before they are set
        self.read_only: List[str] = []
        self.temporary: List[str] = []  # assigned in front of the function that is running
        self.aliases: List[str] = []
        self.scopes: List[Dict[str, Optional[Variable]]] = []  # what a function's local variables hide

    # -- places -------------------------------------------------------------------------------

    def unresolvable(self, reason: str, text: Optional[Text] = None, position: int = 0) -> Unresolvable:
        """An error that names the line."""
        if text is None:
            return Unresolvable(reason)
        path, offset = text.origin(position)
        if path is None:
            return Unresolvable(reason)
        try:
            return Unresolvable(reason, path, line_of(self.files.read(path), offset))
        except (OSError, ValueError):
            return Unresolvable(reason, path)

    def unknown(self, reason: str, word: Word, part: Part, harmless: bool = False) -> Run:
        """An unknown stretch, its reason ending in file and line."""
        path, offset = word.text.origin(part.start)
        where = ""
        if path is not None:
            try:
                where = " (%s:%d)" % (path, line_of(self.files.read(path), offset))
            except (OSError, ValueError):
                where = " (%s)" % path
        return Run("", path, offset, part.quoted, reason + where, harmless)

    # -- variables ----------------------------------------------------------------------------

    def lookup(self, name: str) -> Optional[Variable]:
        """A variable, or None where it is not set (as far as is known)."""
        if name not in self.names:
            self.names.append(name)
        return self.variables.get(name)

    def assign(self, name: str, value: Value, append: bool = False, array: Optional[List[Value]] = None,
               element: Optional[str] = None) -> None:
        """``NAME=value`` and its variants."""
        if name in self.read_only:
            if self.dialect == DASH:
                raise _Exit(False)
            raise Unresolvable("$%s is assigned although it is read-only" % name)
        old = self.variables.get(name)
        exported = self.all_exported or name in self.marked_exported or (old is not None and old.exported)
        if old is None and append and not self.closed:
            old = Variable([Run("", None, 0, False, "$%s may be set before the script starts" % name)])
        if array is not None:
            elements = list(array)
            if append and old is not None and old.array is None and unknown_of(old.value):
                # Not even whether it is set is known, so neither is the number of elements.
                unknown = [Run("", None, 0, False, "$%s may be unset before it is appended to" % name)]
                self.variables[name] = Variable(unknown, [unknown, unknown], exported)
                return
            if append and old is not None:
                elements = (old.array if old.array is not None else [old.value]) + elements
            self.variables[name] = Variable(elements[0] if elements else [], elements, exported)
            return
        if element is not None:
            self._assign_element(name, value, append, element, exported)
            return
        if append and old is not None:
            if old.array is not None:
                elements = list(old.array) or [[]]
                elements[0] = elements[0] + value
                self.variables[name] = Variable(elements[0], elements, exported)
                return
            value = old.value + value
        elif old is not None and old.array is not None and self.dialect == BASH:
            elements = [value] + old.array[1:]
            self.variables[name] = Variable(value, elements, exported)
            return
        self.variables[name] = Variable(value, None, exported)

    def _assign_element(self, name: str, value: Value, append: bool, element: str, exported: bool) -> None:
        old = self.variables.get(name)
        elements = [] if old is None else list(old.array) if old.array is not None else [old.value]
        if re.match(r"\$\{#%s\[[@*]\]\}\Z" % name, element):
            if old is None and self.stops_on_unset:
                raise _Exit(False)
            if self.stops_on_unset and old is not None and old.array is None:
                raise Unresolvable("bash takes $%s for unset there, because it is no array" % name)
            element = str(len(elements))
        if not element.isdigit() or int(element) > len(elements) or (old is None and not self.closed):
            raise Unresolvable("the array %s is built element by element" % name)
        number = int(element)
        elements[number:number + 1] = [elements[number] + value if append and number < len(elements) else value]
        self.variables[name] = Variable(elements[0], elements, exported)

    def do_assignment(self, assignment: Assignment) -> str:
        """Carry out an assignment; returns the name."""
        if assignment.array is not None:
            elements: List[Value] = []
            for word in assignment.array:
                if re.match(r"\[[^\]]*\]=", word.literal() or ""):
                    raise self.unresolvable("an array with indexes", assignment.text, word.start)
                elements.extend(self.fields(word))
            self.assign(assignment.name, [], assignment.append, array=elements)
        elif assignment.word is not None:
            self.assign(assignment.name, self.single(assignment.word), assignment.append,
                        element=assignment.element)
        return assignment.name

    def exported(self) -> Dict[str, Value]:
        """The environment that a command started now would get."""
        return {name: variable.value for name, variable in self.variables.items()
                if variable.exported and variable.array is None}

    # -- expansion ----------------------------------------------------------------------------

    def single(self, word: Word) -> Value:
        """A word where no field splitting happens (an assignment, a here-string, ``case``)."""
        result: Value = []
        for part in word.parts:
            if part.kind == "literal":
                result.extend(self._literal(word, part, colons=True))
            else:
                for index, value in enumerate(self._values(word, part)):
                    if index:
                        result.append(Run(self._joint(word, part)))
                    result.extend(run.requoted(part.quoted or (run.quoted and part.argument is not None))
                                  for run in value)
            if len(result) > LIMIT_RUNS:
                raise self.unresolvable("a value grows too long to follow", word.text, word.start)
        return result

    def _separators(self, word: Word, part: Part) -> Any:
        """A pattern that takes a value apart at the characters of IFS: separators are its group."""
        variable = self.variables.get("IFS")
        if variable is None:
            return _DEFAULT_SEPARATORS
        if unknown_of(variable.value, True):
            raise self.unresolvable("IFS is changed", word.text, part.start)
        text = text_of(variable.value)
        blanks = "".join(re.escape(char) for char in text if char in " \t\n")
        others = "".join(re.escape(char) for char in text if char not in " \t\n")
        kinds = ["[%s]*[%s][%s]*" % (blanks, others, blanks) if blanks else "[%s]" % others] if others else []
        kinds += ["[%s]+" % blanks] if blanks else []
        return re.compile("(%s)|[^%s]+" % ("|".join(kinds), blanks + others) if kinds else r"(?!)(x)|[\s\S]+")

    def _joint(self, word: Word, part: Part) -> str:
        """What stands between the elements of ``$*`` and ``$@`` where they become one word."""
        variable = self.variables.get("IFS")
        if variable is None or (self.dialect == BASH and "@" in (part.name, part.index)):
            return " "
        if unknown_of(variable.value, True):
            raise self.unresolvable("IFS is changed", word.text, part.start)
        return text_of(variable.value)[:1]

    def fields(self, word: Word) -> List[Value]:
        """A word in a command line: expanded and split into fields."""
        if self.dialect == BASH and any(
                part.kind == "literal" and not part.quoted
                and re.search(r"\{[^{}\s]*(?:,|\.\.)[^{}\s]*\}", word.characters(part)) for part in word.parts):
            part = word.parts[0]
            return [[self.unknown("a brace expansion", word, part)]]
        fields: List[Value] = []
        current: Optional[Value] = None
        after_blank = False  # the field before was ended by a blank, so that a separator behind it ends none
        for part in word.parts:
            if part.kind == "literal":
                current = (current or []) + self._literal(word, part)
                continue
            values = self._values(word, part)
            if sum(map(len, values)) + len(fields) > LIMIT_RUNS:
                raise self.unresolvable("a value grows too long to follow", word.text, word.start)
            if part.quoted:
                many = part.kind == "parameter" and (part.name == "@" or part.index == "@")
                if many:
                    for index, value in enumerate(values):
                        if index:
                            fields.append(current or [])
                            current = None
                        current = (current or []) + [run.requoted(True) for run in value]
                    continue
                current = current or []
                for index, value in enumerate(values):
                    if index:
                        current.append(Run(self._joint(word, part), quoted=True))
                    current.extend(run.requoted(True) for run in value)
                continue
            separators = self._separators(word, part)
            for index, value in enumerate(values):
                if index and current is not None:
                    fields.append(current)
                    current = None
                for run in value:
                    if run.unknown or run.quoted:  # quoted: "b c" of ${a:-"b c"}
                        current, after_blank = (current or []) + [run], False
                        continue
                    for match in separators.finditer(run.text):
                        if match.group(1) is None:
                            piece = run.part(match.start(), match.end())
                            piece.quoted = False
                            current, after_blank = (current or []) + [piece], False
                            continue
                        blank = not match.group(1).strip(" \t\n")
                        if current is not None or not (blank or after_blank):
                            fields.append(current or [])
                            after_blank = blank
                        elif not blank:
                            after_blank = False
                        current = None
        if current is not None:
            fields.append(current)
        return fields

    def _literal(self, word: Word, part: Part, colons: bool = False) -> Value:
        if part.start in word.decoded:
            path, offset = word.text.origin(part.start)
            return [Run(word.decoded[part.start], None, 0, True)]
        if part.start == part.end:
            return [Run("", None, 0, True)] if part.quoted else []
        if part.quoted or "~" not in word.characters(part):
            return word.text.runs(part.start, part.end, part.quoted)
        # ~ and ~user are somebody's home; behind a colon only in assignments.
        result: Value = []
        done = part.start
        for match in _TILDE.finditer(word.characters(part)):
            if (colons and match.start()) or part.start + match.start() == word.start:
                result.extend(word.text.runs(done, part.start + match.start(), False))
                result.append(self.unknown("a home directory", word, part, harmless=True))
                done = part.start + match.end()
        return result + word.text.runs(done, part.end, False)

    def _values(self, word: Word, part: Part) -> List[Value]:
        """What a part expands to: one value, or several for ``$@`` and arrays."""
        if part.kind == "parameter":
            return self._parameter(word, part)
        if part.kind == "command":
            return [self._substitution(word, part)]
        if part.kind == "arithmetic":
            number = _calculate(word.text.characters[part.start + 3:part.end - 2])
            if number is not None:
                return [[Run(str(number), quoted=part.quoted)]]
            return [[self.unknown("an arithmetic expansion", word, part, harmless=True)]]
        return [[self.unknown("a process substitution", word, part, harmless=True)]]

    def _parameter(self, word: Word, part: Part) -> List[Value]:
        if self.dialect == DASH and (part.index is not None or part.operator[:1] in _BASH_OPERATORS
                                     or part.operator == ":"):
            raise _Exit(False)  # "Bad substitution"
        values, is_set = self._plain_parameter(word, part)
        values = [[run.requoted(part.quoted) for run in value] for value in values]
        if self.stops_on_unset and not is_set and (
                part.length or not {part.name, part.index} & {"@", "*"}) and (
                part.length or part.operator not in _ASKS_WHETHER_SET) and not any(map(unknown_of, values)):
            raise _Exit(False)
        if part.length:
            return [[self.unknown("a length", word, part, harmless=True)]]
        if not part.operator:
            return values
        null = not any(text_of(value) or unknown_of(value, True) for value in values)
        reason = next((unknown_of(value, True) for value in values if unknown_of(value, True)), None)
        operator = part.operator
        if operator in _ASKS_WHETHER_SET:
            if reason and (operator[0] == ":" or not is_set) and not any(text_of(value) for value in values):
                # Neither "set" nor "empty" is known of it.
                is_set = self.oracle.choose(2) == 0
                if not is_set:
                    null, reason = True, None
            use_word = (null if operator[0] == ":" else not is_set)
            if operator[-1] == "+":
                return [self.single(part.argument)] if part.argument and not use_word else [[]]
            if not use_word:
                return values
            if operator[-1] == "?":
                raise _Exit(False)
            value = self.single(part.argument) if part.argument else []
            if operator[-1] == "=":
                self.assign(part.name, value)
                value = [run.requoted(part.quoted) for run in value]
            return [value]
        if operator in ("%", "%%", "#", "##") and part.argument is not None:
            pattern = self.single(part.argument)
            if unknown_of(pattern, True) is None and reason is None and all(
                    len(text_of(value)) <= LIMIT_MATCH for value in values):
                return [[run.requoted(part.quoted) for run in _strip(value, operator, _pattern(pattern))]
                        for value in values]
        if reason is None and operator != "!":
            changed = [self._changed(value, operator, part.argument) for value in values]
            if None not in changed:
                return [[run.requoted(part.quoted) for run in value or []] for value in changed]
        return [[self.unknown("${%s%s…}" % (part.name, operator), word, part)]]

    def _changed(self, value: Value, operator: str, argument: Optional[Word]) -> Optional[Value]:
        """What bash's ``${a:1:2}``, ``${a/b/c}``, ``${a^^}`` and ``${a,,}`` make of a known value, or None."""
        text = text_of(value)
        given = self.single(argument) if argument is not None else []
        if unknown_of(given, True):
            return None
        if operator == ":":
            match = re.match(r"([0-9]+)(?::([0-9]+))?\Z", text_of(given))
            if match is None:
                return None
            first = int(match.group(1))
            rest = _cut(value, min(first, len(text)))
            return _head(rest, int(match.group(2))) if match.group(2) else rest
        if operator == "@":
            return [Run("'"), *value, Run("'")] if text_of(given) == "Q" and "'" not in text else None
        if operator[0] in "^,":
            if given or max(text, default="") > "\x7f":
                return None
            count = len(text) if len(operator) == 2 else 1
            head = text[:count].upper() if operator[0] == "^" else text[:count].lower()
            return value if head == text[:count] else [Run(head)] + _cut(value, count)
        parts = text_of(given).split("/")
        if operator not in ("/", "//") or len(parts) > 2 or not re.match(r"[\w.:=-]+\Z", parts[0]):
            return None
        if parts[0] not in text:
            return value
        return [Run(text.replace(parts[0], "".join(parts[1:]), -1 if operator == "//" else 1))]

    def _plain_parameter(self, word: Word, part: Part) -> Tuple[List[Value], bool]:
        name = part.name
        if name in ("@", "*"):
            return list(self.arguments), bool(self.arguments)
        if name == "#":
            return [[Run(str(len(self.arguments)))]], True
        if name == "?" and self.status:
            return [[Run("0")]], True
        if name == "!" and not self.background:
            return [[]], False
        if name == "-" and self.dialect == DASH and not (
                self.all_exported or self.stops_on_failure or self.stops_on_unset):
            return [[]], True
        if name in "?$!-":
            # "$-" can be nothing at all, and what follows it then is no option.
            return [[self.unknown("$" + name, word, part, harmless=name != "-")]], True
        if name == "0":
            return [[Run(self.zero)]], True
        if name.isdigit():
            index = int(name) - 1
            return ([self.arguments[index]], True) if index < len(self.arguments) else ([[]], False)
        variable = self.lookup(name)
        if variable is None:
            if part.index in ("@", "*") and self.closed:
                return [], False
            if name == "BASH_SOURCE":
                return [[Run(word.text.path or self.zero)]], True
            if name == "IFS":
                return [[Run(" \t\n")]], True
            if name in _PROVIDED:
                return [[self.unknown("$%s is set when the script starts" % name, word, part, harmless=True)]], True
            if not self.closed:
                return [[self.unknown("$%s comes from the environment of whoever starts the script" % name,
                                      word, part)]], False
            return [[]], False
        if part.index is not None:
            elements = variable.array if variable.array is not None else [variable.value]
            if part.index in ("@", "*"):
                return list(elements), bool(elements)
            if part.index.isdigit():
                number = int(part.index)
                return ([elements[number]], True) if number < len(elements) else ([[]], False)
            return [[self.unknown("an array element", word, part)]], True
        return [variable.value], variable.array is None or bool(variable.array)

    def _substitution(self, word: Word, part: Part) -> Value:
        """Command substitution: the few commands that only rewrite their arguments, else unknown."""
        items = part.body.items if part.body is not None else []
        if len(items) == 1 and items[0].kind == "and_or" and {pair[0] for pair in items[0].items} == {"", "&&"}:
            items = [item for _joint, item in items[0].items]
        if [_name_of(item) for item in items] == ["cd", "pwd"]:
            folder = self._folder(items[0], items[1])
            return [Run(folder, quoted=part.quoted) if folder else
                    self.unknown("the folder of a script", word, part, harmless=True)]
        command = items[0] if len(items) == 1 else None
        if command is not None and command.kind == "simple" and not command.assignments and command.words:
            name = command.words[0].literal() if isinstance(command.words[0], Word) else None
            if name in ("dirname", "basename", "echo", "printf", "declare", "typeset", "uname", "run-parts"):
                fields = [field for item in command.words[1:] if isinstance(item, Word)
                          for field in self.fields(item)]
                known = not any(unknown_of(field, True) for field in fields)
                value = self._pure(name, fields) if known else None
                if value is not None:
                    return [run.requoted(part.quoted) for run in value]
            if (name in _HARMLESS_OUTPUT and (name not in _MANY_WORDS or _prints_one_word(command))) or (
                    name == "command" and len(command.words) > 1 and command.words[1].literal() == "-v"):
                return [self.unknown("the output of a command", word, part, harmless=True)]
        return [self.unknown("a command substitution", word, part)]

    def _folder(self, change: Node, tell: Node) -> Optional[str]:
        """What ``cd FOLDER; pwd`` prints, None where that cannot be known."""
        fields = [field for word in change.words[1:] if isinstance(word, Word) for field in self.fields(word)]
        options = [text_of(field) for field in fields[:-1]] + [word.literal() for word in tell.words[1:]]
        path = text_of(fields[-1]) if fields else ""
        if not set(options) <= {"--", "-L", "-P"} or tell.redirects or unknown_of(fields[-1], True) \
                or not path.startswith("/") or not self.files.test("d", path):
            return None
        try:
            return self.files.canonical(path) if "-P" in options else posixpath.normpath("/" + path.lstrip("/"))
        except OSError:
            return None

    def _run_parts(self, texts: List[str]) -> Optional[Value]:
        pattern = "^[a-zA-Z0-9_-]+$"
        if len(texts) == 3 and texts[0] == "--regex":
            pattern = texts[1]
        elif len(texts) == 2 and texts[0].startswith("--regex="):
            pattern = texts[0].partition("=")[2]
        elif len(texts) != 1:
            return None
        # Only what means the same in Python: names, sets, anchors.
        if not re.match(r"[\w^$.*+\[\]\\-]*\Z", pattern):
            return None
        names = [name for name in self.files.list(texts[-1]) if re.search(pattern, name)]
        return [Run("\n".join("%s/%s" % (texts[-1].rstrip("/"), name) for name in names))]

    def _pure(self, name: str, fields: List[Value]) -> Optional[Value]:
        texts = [text_of(field) for field in fields]
        if name == "run-parts" and "--list" in texts:  # Debian's /etc/profile asks it for the files to source
            return self._run_parts([text for text in texts if text != "--list"])
        if name == "uname":
            return [Run(os.uname().sysname)] if texts in ([], ["-s"]) else None
        if name == "echo" and (not texts or re.match(r"-[neE]+\Z", texts[0]) is None) and "\\" not in "".join(texts):
            result: Value = []
            for index, field in enumerate(fields):
                if index:
                    result.append(Run(" "))
                result.extend(field)
            return result
        if name == "printf" and len(texts) == 2 and texts[0] in ("%s", "%s\\n"):
            return list(fields[1])
        if name == "dirname" and len(texts) == 1:
            path = texts[0].rstrip("/") or "/"
            return [Run((path.rsplit("/", 1)[0] or "/") if "/" in path else ".")]
        if name == "basename" and texts:
            base = texts[0].rstrip("/").rsplit("/", 1)[-1]
            if len(texts) == 2 and base != texts[1] and base.endswith(texts[1]):
                base = base[:-len(texts[1])]
            return [Run(base)] if len(texts) <= 2 else None
        if name in ("declare", "typeset") and len(texts) == 2 and texts[0] == "-p" and self.dialect == BASH:
            # A common way for launchers to ask whether a variable is an array.
            variable = self.lookup(texts[1])
            if variable is None:
                return [] if self.closed else None
            kind = "-a" if variable.array is not None else ("-x" if variable.exported else "--")
            return [Run("declare %s %s=" % (kind, texts[1]))]
        return None

    # -- commands -----------------------------------------------------------------------------

    def run(self, node: Node) -> Optional[bool]:
        """Walk a command; returns its exit status as True (0), False, or None (not known)."""
        self.oracle.steps += 1
        if self.oracle.steps > LIMIT_STEPS:
            raise self.unresolvable("the script is too long to follow", node.text, node.start)
        if node.fails:
            return False
        if node.input is None:
            status: Optional[bool] = getattr(self, "_run_" + node.kind)(node)
        else:
            kept, self.input = self.input, self._open(node)
            try:
                status = getattr(self, "_run_" + node.kind)(node)
            finally:
                self.input = kept
        self.status = status
        if status is False and self.stops_on_failure and not self.forgiving and node.kind in _FAILS \
                and not node.negated:
            raise _Exit(False)
        return status

    def try_out(self, node: Node) -> Optional[bool]:
        """Walk a command whose failure does not end the script under ``set -e``: a condition."""
        self.forgiving += 1
        try:
            return self.run(node)
        finally:
            self.forgiving -= 1

    def decide(self, status: Optional[bool]) -> bool:
        """A status that is not known is walked both ways."""
        return status if status is not None else self.oracle.choose(2) == 0

    def inert(self, node: Any) -> bool:
        """True where nothing in a command can change the shell or start a JVM, whichever way it goes."""
        if node is None:
            return True
        if node.kind == "simple":
            if not node.words:
                return all(assignment.name in _NO_OPTION for assignment in node.assignments)
            if node.assignments:
                return False
            name = node.words[0].literal() if isinstance(node.words[0], Word) else None
            if not name or name in _CHANGES_SHELL:
                return False
            if name in self.functions:
                return self.depth < LIMIT_DEPTH and _guarded(self, name)
            raw = node.text.characters[node.start:node.end]
            return re.search(r"java|jar|\.sh\b|-c\b", raw, re.IGNORECASE) is None
        if node.kind in ("block", "pipeline"):
            return all(self.inert(item) for item in node.items)
        if node.kind == "and_or":
            return all(self.inert(item) for _operator, item in node.items)
        if node.kind in ("subshell", "group", "background"):
            return self.inert(node.body)
        if node.kind == "if":
            return all(self.inert(condition) and self.inert(body) for condition, body in node.items) \
                and self.inert(node.otherwise)
        return node.kind in ("condition", "arithmetic")

    def _forget(self, passed_over: List[Any]) -> None:
        """What inert commands may have set that were passed over."""
        for name in _assigned(passed_over):
            old = self.variables.get(name)
            unknown = Run("", None, 0, False, "$%s depends on a condition" % name, harmless=True)
            self.variables[name] = Variable([unknown], None, old is not None and old.exported)

    def _run_block(self, node: Node) -> Optional[bool]:
        status: Optional[bool] = True
        for item in node.items:
            status = self.run(item)
        return status

    def _run_and_or(self, node: Node) -> Optional[bool]:
        status: Optional[bool] = None
        for index, (operator, item) in enumerate(node.items):
            last = index == len(node.items) - 1
            if not operator:
                status = self.try_out(item)
                continue
            if status is None and all(self.inert(rest) for _operator, rest in node.items[index:]):
                self._forget(node.items[index:])
                return None
            if self.decide(status) == (operator == "&&"):
                status = self.run(item) if last else self.try_out(item)
            elif status is None:
                status = operator == "||"
        return status

    def _run_pipeline(self, node: Node) -> Optional[bool]:
        if len(node.items) == 1:
            status = self.try_out(node.items[0])
        else:
            status = None
            kept, self.input = self.input, None
            for item in node.items:
                status = self._apart(item)
            self.input = kept
        return (not status) if node.negated and status is not None else status

    def _apart(self, node: Node) -> Optional[bool]:
        """A command in a process of its own: what it changes is lost."""
        variables = {name: variable.copy() for name, variable in self.variables.items()}
        kept = {name: getattr(self, name) for name in _OWN}
        for name in _OWN:
            setattr(self, name, copy(kept[name]))
        self.variables = variables
        self.scopes = [dict(scope) for scope in self.scopes]
        try:
            return self.run(node)
        except _Leave as leave:
            return leave.status
        except _Break:
            return None
        finally:
            for name in _OWN:
                setattr(self, name, kept[name])

    def _run_subshell(self, node: Node) -> Optional[bool]:
        return self._apart(node.body)

    def _run_background(self, node: Node) -> Optional[bool]:
        self.background = True
        self._apart(node.body)
        return True

    def _run_group(self, node: Node) -> Optional[bool]:
        return self.run(node.body)

    def _run_function(self, node: Node) -> Optional[bool]:
        self.functions[node.name] = node.body
        return True

    def _run_arithmetic(self, node: Node) -> Optional[bool]:
        number = _calculate(node.name)
        return None if number is None else number != 0

    def _let(self, _node: Node, fields: List[Value], _declared: List[Assignment]) -> Optional[bool]:
        numbers = [_calculate(text_of(field)) if unknown_of(field, True) is None else None for field in fields[1:]]
        return None if not numbers or None in numbers else numbers[-1] != 0

    def _run_if(self, node: Node) -> Optional[bool]:
        for index, (condition, body) in enumerate(node.items):
            status = self.try_out(condition)
            rest = [body, *(part for pair in node.items[index + 1:] for part in pair), node.otherwise]
            if status is None and all(self.inert(part) for part in rest):
                self._forget(rest)
                return None
            if self.decide(status):
                return self.run(body)
        return self.run(node.otherwise) if node.otherwise is not None else True

    def _run_case(self, node: Node) -> Optional[bool]:
        value = self.single(node.words[0])
        known = unknown_of(value, True) is None
        subject = text_of(value)
        possible = []
        sure = False
        for index, (patterns, _body, _terminator) in enumerate(node.items):
            for pattern in patterns:
                expanded = self.single(pattern)
                if unknown_of(expanded, True):
                    possible.append(index)
                elif _pattern(expanded).match(subject) if known else True:
                    possible.append(index)
                    sure = sure or known or (text_of(expanded) == "*" and not any(run.quoted for run in expanded))
                else:
                    continue
                break
            if sure:
                break
        choices = possible + ([] if sure else [-1])
        if len(choices) > 1 and all(index < 0 or self.inert(node.items[index][1]) for index in choices):
            return None
        choice: Optional[int] = choices[0] if len(choices) == 1 else choices[self.oracle.choose(len(choices))]
        if choice is None or choice < 0:
            return True
        status: Optional[bool] = True
        while choice is not None:
            _patterns, body, terminator = node.items[choice]
            status = self.run(body)
            if terminator == ";;&" and not known:
                raise self.unresolvable("';;&' in 'case'", node.text, node.start)
            following = [index for index in range(choice + 1, len(node.items)) if terminator == ";&" or (
                terminator == ";;&" and any(_pattern(self.single(pattern)).match(subject)
                                            for pattern in node.items[index][0]))]
            choice = following[0] if following else None
        return status

    def _rounds(self, body: Node) -> bool:
        """One round of a loop's body; False where it left the loop."""
        self.loops += 1
        try:
            self.run(body)
        except _Break as leave:
            if leave.levels > 1 and self.loops > 1:
                raise _Break(leave.levels - 1, leave.again)
            return leave.again
        finally:
            self.loops -= 1
        return True

    def _havoc(self, node: Node) -> None:
        """After a loop of which the number of rounds is not known, so are the variables it sets."""
        for name in _assigned(node):
            unknown = [Run("", None, 0, False, "$%s is set in a loop" % name)]
            old = self.variables.get(name)
            elements = [unknown, unknown] if old is not None and old.array is not None else None
            self.variables[name] = Variable(unknown, elements, old is not None and old.exported)

    def _run_for(self, node: Node) -> Optional[bool]:
        fields = [field for word in node.words for field in self.fields(word)]
        return self._for_each(node, fields)

    def _run_for_arguments(self, node: Node) -> Optional[bool]:
        return self._for_each(node, list(self.arguments))

    def _paths(self, field: Value) -> List[Value]:
        """The paths that a pattern stands for, as a shell would put them in its place."""
        text = text_of(field)
        # A pattern that begins like an option matches no file, so it stays as it is.
        if unknown_of(field, True) or text.startswith("-") or not _is_glob(field):
            return [field]
        unclear: List[Value] = [[Run("", None, 0, False, "which files '%s' stands for" % text)]]
        quoted = "".join(run.text for run in field if run.quoted)
        if not text.startswith("/") or "\\" in text or re.search(r"[*?\[]", quoted):
            return unclear
        found = [""]
        for part in text.split("/")[1:]:
            if re.search(r"[*?\[]", part):
                pattern = _pattern([Run(part)])
                found = ["%s/%s" % (folder, name) for folder in found for name in self.files.list(folder or "/")
                         if pattern.match(name) and (name[0] != "." or part[0] == ".")]
            else:
                found = ["%s/%s" % (folder, part) for folder in found]
            if len(found) > LIMIT_FILES:
                return unclear
        found = [path for path in found if self.files.exists(path)]
        return [[Run(path)] for path in found] or [field]

    def _for_each(self, node: Node, fields: List[Value]) -> Optional[bool]:
        for field in [path for item in fields for path in self._paths(item)]:
            if unknown_of(field, True):
                vanishes = not text_of(field) and not any(run.quoted for run in field)
                if vanishes and not self.inert(node.body) and self.oracle.choose(2) == 0:
                    continue  # it was nothing
                self.assign(node.name, [Run("", None, 0, False, "$%s is set in a loop" % node.name)])
                if not self.inert(node.body):
                    self._havoc(node.body)
                    self._rounds(node.body)
                    self._havoc(node.body)
                continue
            self.assign(node.name, field)
            self.status = True
            if not self._rounds(node.body):
                break
        return self.status if fields else True

    def _run_loop(self, node: Node) -> Optional[bool]:
        if not self.inert(node.body):
            self._havoc(node.body)
            if self.oracle.choose(2):
                self._rounds(node.body)
                self._havoc(node.body)
        return None

    def _run_while(self, node: Node) -> Optional[bool]:
        for count in range(500):
            status = self.try_out(node.expression[0])
            if node.name == "until" and status is not None:
                status = not status
            if status is False:
                return True
            if status is None:
                self._havoc(node.expression[0])
                self._havoc(node.body)
                if not self.inert(node.body) and self.oracle.choose(2):
                    self._rounds(node.body)
                    self._havoc(node.body)
                return None
            found = len(self.found)
            if not self._rounds(node.body):
                return True
            if len(self.found) > found and count:
                raise _Exit()  # a loop that starts the JVM again and again
        raise self.unresolvable("a loop without an end", node.text, node.start)

    def _run_condition(self, node: Node) -> Optional[bool]:
        """``[[ … ]]``: tests joined by ``&&``, ``||``, ``!`` and parentheses."""
        rest = list(node.expression)
        return self._condition_any(rest)

    def _condition_any(self, rest: List[Any]) -> Optional[bool]:
        """Takes tests joined by ``||`` from the front of a list, so long as there are."""
        status = self._condition_all(rest)
        while rest and rest[0] == "||":
            rest.pop(0)
            other = self._condition_all(rest)
            status = True if True in (status, other) else None if None in (status, other) else False
        return status

    def _condition_all(self, rest: List[Any]) -> Optional[bool]:
        status = self._condition_one(rest)
        while rest and rest[0] == "&&":
            rest.pop(0)
            other = self._condition_one(rest)
            status = False if False in (status, other) else None if None in (status, other) else True
        return status

    def _condition_one(self, rest: List[Any]) -> Optional[bool]:
        if rest and rest[0] == "!":
            rest.pop(0)
            status = self._condition_one(rest)
            return None if status is None else not status
        if rest and rest[0] == "(":
            rest.pop(0)
            status = self._condition_any(rest)
            del rest[:1]
            return status
        term: List[Any] = []
        while rest and rest[0] not in ("&&", "||", ")"):
            term.append(rest.pop(0))
        return self._condition_term(term)

    def _condition_term(self, term: List[Any]) -> Optional[bool]:
        if len(term) == 3 and isinstance(term[1], str) and isinstance(term[0], Word) and isinstance(term[2], Word):
            left, right = self.single(term[0]), self.single(term[2])
            if unknown_of(left, True) or unknown_of(right, True):
                return None
            if term[1] in ("=", "==", "!="):
                equal = _pattern(right).match(text_of(left)) is not None
                return equal == (term[1] != "!=")
            if term[1] in ("<", ">") and re.match(r"(?:[0-9]+ [0-9]+|[a-z]+ [a-z]+)\Z",
                                                  text_of(left) + " " + text_of(right)):
                return (text_of(left) < text_of(right)) == (term[1] == "<")
            if term[1] == "=~":
                return _regex(text_of(left), right)
            return _compare(text_of(left), term[1], text_of(right))
        if len(term) == 2 and all(isinstance(item, Word) for item in term) and term[0].literal() == "-v":
            name = text_of(self.single(term[1]))
            return name in self.variables if _NAME.match(name) and (self.closed or name in self.variables) else None
        if all(isinstance(item, Word) for item in term) and len(term) in (1, 2):
            return self._test([self.single(item) for item in term])
        return None

    def _test(self, fields: List[Value]) -> Optional[bool]:
        """``[ … ]`` with up to four arguments."""
        if fields and text_of(fields[0]) == "!" and not unknown_of(fields[0], True) and len(fields) > 1:
            status = self._test(fields[1:])
            return None if status is None else not status
        if not fields:
            return False
        last = fields[-1]
        known = not any(unknown_of(field, True) for field in fields)
        texts = [text_of(field) for field in fields]
        if len(fields) == 1:
            return bool(texts[0]) or (None if unknown_of(last, True) else False)
        if len(fields) == 2:
            operator = texts[0]
            if operator in ("-n", "-z"):
                if texts[1]:
                    return operator == "-n"
                return (operator == "-z") if known else None
            if not known or operator in ("-a", "-o", "-t", "-v", "-R"):
                return None
            if operator[:1] == "-" and len(operator) == 2:
                return self.files.test(operator[1], texts[1])
            return False  # an error
        if len(fields) == 3 and texts[1] not in ("-a", "-o"):
            return _compare(texts[0], texts[1], texts[2], self.dialect) if known else None
        if "(" in texts or ")" in texts:
            return None
        for joint, decide in (("-o", any), ("-a", all)):
            if joint in texts:
                middle = texts.index(joint)
                statuses = [self._test(fields[:middle]), self._test(fields[middle + 1:])]
                if statuses[0] == statuses[1] or (joint == "-o") in statuses:
                    return statuses[0] if statuses[0] == statuses[1] else joint == "-o"
                return None if None in statuses else decide(statuses)
        return False if known else None  # an error

    def _run_simple(self, node: Node) -> Optional[bool]:
        fields: List[Value] = []
        declared: List[Assignment] = []
        if self.aliases and node.words and isinstance(node.words[0], Word) and not node.words[0].quoted \
                and node.words[0].literal() in self.aliases:
            raise self.unresolvable("'%s' is an alias" % node.words[0].literal(), node.text, node.start)
        for item in node.words:
            if isinstance(item, Assignment):
                declared.append(item)
            else:
                fields.extend(self.fields(item))
        if not fields:
            for assignment in node.assignments:
                self.do_assignment(assignment)
            if any(part.kind == "command" for a in node.assignments if a.word for part in a.word.parts):
                return None
            return True
        name = text_of(fields[0]) if unknown_of(fields[0], True) is None else ""
        if not node.assignments:
            return self._command(node, name, fields, declared)
        if self.dialect == DASH and name in _SPECIAL:
            for assignment in node.assignments:
                self.do_assignment(assignment)
            return self._command(node, name, fields, declared)
        # VAR=value command: for that command only.
        saved = {a.name: self.variables.get(a.name) for a in node.assignments}
        read_only = list(self.read_only)
        for assignment in node.assignments:
            self.do_assignment(assignment)
            variable = self.variables[assignment.name] = self.variables[assignment.name].copy()
            variable.exported = True
        temporary = self.temporary
        if name in self.functions:
            self.temporary = temporary + list(saved)
        named = [item.name for item in declared] + [text_of(field) for field in fields[1:]]
        try:
            return self._command(node, name, fields, declared)
        finally:
            self.temporary = temporary
            if self.dialect == DASH:
                self.read_only = read_only
            for key, before in saved.items():
                if name not in ("export", "readonly", "declare", "typeset") or key not in named:
                    self._restore(key, before)

    def _command(self, node: Node, name: str, fields: List[Value], declared: List[Assignment]) -> Optional[bool]:
        builtin = _BUILTINS.get(name)
        if name in self.functions and name not in ("exit", "return", "set", "export", ".", "eval", "exec"):
            return self._call(name, fields[1:], node)
        if self.dialect == DASH and name in _BASH_ONLY:
            return False
        if builtin is not None:
            return builtin(self, node, fields, declared)
        return self._external(node, name, fields)

    def _call(self, name: str, arguments: List[Value], node: Node) -> Optional[bool]:
        if self.depth > LIMIT_DEPTH:
            raise self.unresolvable("functions call each other too deeply", node.text, node.start)
        saved, self.arguments = self.arguments, list(arguments)
        loops, self.loops = self.loops, 0
        self.scopes.append({})
        self.depth += 1
        self.returns += 1
        try:
            return self.run(self.functions[name])
        except _Return as leave:
            return leave.status
        finally:
            self.depth -= 1
            self.returns -= 1
            self.loops = loops
            self.arguments = saved
            for hidden, variable in self.scopes.pop().items():
                self._restore(hidden, variable)

    def _restore(self, name: str, variable: Optional[Variable]) -> None:
        if variable is None:
            self.variables.pop(name, None)
        else:
            self.variables[name] = variable

    # -- what starts other programs -----------------------------------------------------------

    def _external(self, node: Node, name: str, fields: List[Value]) -> Optional[bool]:
        base = name.rsplit("/", 1)[-1]
        known_name = unknown_of(fields[0], True) is None
        texts = [text_of(field) for field in fields]
        if self._record(fields):
            return None
        for index, text in enumerate(texts):
            word = text.rsplit("/", 1)[-1]
            if word in _SHELLS or word in _CHANGES_USER or word == "sudo":
                if self._inner_shell(node, word, fields[index:], texts[:index + (word == "sudo")]):
                    return None
        # A program nobody knows that gets a whole command in one argument runs it with a shell.
        for field in fields[1:]:
            if re.search(r"\s-jar\s", text_of(field)):
                self._nested(field, self.dialect, [], self.exported(), self.closed, node)
                return None
        self._follow(node, fields)
        if known_name and _NO_COMMAND.search(name):
            return False
        if base == "cd" and "\r" in "".join(texts):
            return False
        return {"true": True, ":": True, "false": False, "cd": True, "echo": True}.get(base)

    def _inner_shell(self, node: Node, base: str, fields: List[Value], before: Sequence[str]) -> bool:
        """``sh -c``, ``su -c``, ``runuser -c``: walk the command string as a program of its own."""
        texts = [text_of(field) for field in fields]
        environment, closed = self._passed_on(before), self.closed and "sudo" not in before
        login = any(text in ("-", "-l", "--login") for text in texts[1:])
        if base in _CHANGES_USER:
            if login:
                environment, closed = {}, False
            environment.update(pam_environment(self.files, base + "-l" if login else base))
        dialect = self.files.dialect(base) if base in _SHELLS else BASH
        for index in range(1, len(fields)):
            text = texts[index]
            if text == "--" and base in _SHELLS:
                return False
            if base in ("su", "runuser") and text.startswith(("--shell=", "-s")):
                path = text.split("=", 1)[1] if "=" in text else "".join(texts[index + 1:index + 2])
                dialect = self.files.dialect(path) if path else dialect
            command: Optional[Value] = None
            following = index + 1
            if text in ("-c", "--command") or (base in _SHELLS and re.match(r"-[a-z]*c\Z", text)):
                command = fields[index + 1] if index + 1 < len(fields) else None
                following = index + 2
            elif text.startswith("--command="):
                command = list(_cut(fields[index], len("--command=")))
            if command is not None:
                letters = text[1:] if base in _SHELLS else ""
                read_first = profiles(self.files, dialect, texts) if base in _CHANGES_USER and login else []
                self._nested(command, dialect, fields[following + 1:], environment, closed, node, letters, read_first)
                return True
        return False

    def _nested(self, command: Value, dialect: str, arguments: List[Value], environment: Dict[str, Value],
                closed: bool, node: Node, letters: str = "", read_first: Sequence[str] = ()) -> None:
        if self.depth > LIMIT_DEPTH:
            raise self.unresolvable("shells call each other too deeply", node.text, node.start)
        child = Shell(self.files, self.oracle, dialect, self.zero, arguments, environment, closed, self.depth + 1)
        child.found, child.names = self.found, self.names
        child.sourced, child.followed = self.sourced, self.followed
        child.options("-", letters)
        if read_first:
            child.closed = True  # a login starts from nothing, and what it reads is read
            if dialect == BASH:
                child.variables["PS1"] = Variable([])  # it is not interactive
        try:
            for path in read_first:
                child._source(node, [[Run(".")], [Run(path)]], [])
        except (_Leave, _Break):
            return
        child.execute(Text.from_value(command))

    def parsed(self, text: Text) -> Node:
        """The tree of a text; files are parsed once, however many ways there are through them."""
        key = (text.path or "", text.characters, self.dialect)
        tree = self.files.trees.get(key) if text.path is not None else None
        if tree is None:
            try:
                tree, _parser = parse(text, self.dialect)
            except ShellSyntaxError as error:
                raise self.unresolvable("no valid shell text: " + error.message, text, error.position)
            if text.path is not None:
                self.files.trees[key] = tree
        return tree

    def execute(self, text: Text) -> Optional[bool]:
        """Parse and walk a whole program text; ``exit`` ends it."""
        tree = self.parsed(text)
        try:
            return self.run(tree)
        except (_Leave, _Break):
            return None

    def _follow(self, node: Node, fields: List[Value]) -> None:
        """A command that is itself a shell script by absolute path: walk that too."""
        for index, field in enumerate(fields[:6]):
            path = text_of(field)
            if not path.startswith("/") or unknown_of(field, True):
                continue
            script = self.files_script(path)
            if script is None:
                continue
            content, dialect = script
            if not re.search(r"java|jar|war\b|catalina", content, re.IGNORECASE):
                return
            if self.depth > LIMIT_DEPTH:
                raise self.unresolvable("scripts call each other too deeply", node.text, node.start)
            child = Shell(self.files, self.oracle, dialect, path, fields[index + 1:], self.exported(),
                          self.closed, self.depth + 1)
            child.found, child.names = self.found, self.names
            child.sourced, child.followed = self.sourced, self.followed
            options = re.match(r"#![^\n]*?[ \t]-([a-z]+)[ \t]*\n", content)
            child.options("-", options.group(1) if options else "")
            self.followed.append(path)
            child.execute(Text(content, path))
            return

    def files_script(self, path: str) -> Optional[Tuple[str, str]]:
        """Text and dialect of a shell script, None where the path is none."""
        return read_script(self.files, path)

    def _passed_on(self, texts: Sequence[str]) -> Dict[str, Value]:
        """The environment that programs in front of ``java`` hand on: ``sudo`` and ``env -i`` give a fresh one."""
        environment = self.exported()
        names = [text.rsplit("/", 1)[-1] for text in texts]
        for index, name in enumerate(names):
            if name == "sudo" and not {"-E", "--preserve-env"} & set(texts[index:]):
                environment = {}
            if name == "sudo" or name in _CHANGES_USER:
                environment.update(pam_environment(self.files, name))
            elif name == "env":
                options = texts[index + 1:]
                if {"-i", "-", "--ignore-environment"} & set(options):
                    environment = {}
                for option, following in zip(options, list(options[1:]) + [""]):
                    environment.pop(following if option in ("-u", "--unset") else option.partition("--unset=")[2], None)
        return environment

    def _record(self, fields: List[Value]) -> bool:
        """Note the command where it starts ``java -jar`` or Tomcat; says whether it did."""
        texts = [text_of(field) for field in fields]
        mark = "-jar" if "-jar" in texts else BOOTSTRAP
        if mark not in texts or "\r" in texts[0]:
            return False
        jar = texts.index(mark)
        start: Optional[int] = None
        for index in range(jar):
            if is_java(texts[index]) and not texts[index].startswith("-") and (
                    not index or texts[index - 1] not in _TAKES_NAME):
                start = index + 1
                break
        if start is None:
            for index in range(1, jar):
                if texts[index] == "--":
                    start = index + 1
                    if start < jar and not texts[start].startswith("-"):
                        start += 1
                    break
        if start is None:
            # A program of which only the name is unknown ($JAVA from a command), or a java by another name.
            for index in range(jar):
                whole = fields[index] and not texts[index] and unknown_of(fields[index], True)
                if whole or (not index and "java" in texts[0].rsplit("/", 1)[-1] and texts[0][0] != "-"):
                    start = index + 1
                    break
        if start is None:
            return False
        environment = self._passed_on(texts[:start])
        for index in range(start):  # env NAME=value java …
            match = re.match(r"([A-Za-z_][A-Za-z0-9_]*)=", texts[index])
            if match:
                environment[match.group(1)] = _cut(fields[index], match.end())
        kept = {name: value for name, value in environment.items()
                if name in ENVIRONMENT or name in ("JENKINS_HOME", "CLASSPATH")}
        self.found.append(Launch(fields[start:], kept, self.closed, texts[start - 1] if start else ""))
        return True

    # -- builtins -----------------------------------------------------------------------------

    def _source(self, node: Node, fields: List[Value], _declared: List[Assignment]) -> Optional[bool]:
        if len(fields) < 2:
            return False
        reason = unknown_of(fields[1], True)
        path = text_of(fields[1])
        if reason:
            raise self.unresolvable("it sources a file whose name is not known: " + reason, node.text, node.start)
        if not path.startswith("/"):
            raise self.unresolvable("it sources '%s' relative to where it is started" % path, node.text, node.start)
        if _LIBRARY.fullmatch(path):
            return None
        if self.depth > LIMIT_DEPTH:
            raise self.unresolvable("files source each other too deeply", node.text, node.start)
        try:
            content = self.files.read(path)
        except FileNotFoundError:
            if self.dialect == DASH:
                raise _Exit()
            return False
        except OSError as error:
            raise self.unresolvable("it sources %s, which cannot be read: %s" % (path, error.strerror),
                                    node.text, node.start)
        self.sourced.append(path)
        text = Text(content, path)
        tree = self.parsed(text)
        self.depth += 1
        saved = self.arguments
        if len(fields) > 2 and self.dialect == BASH:
            self.arguments = fields[2:]
        self.returns += 1
        try:
            return self.run(tree)
        except _Return as leave:
            return leave.status
        finally:
            self.depth -= 1
            self.returns -= 1
            if len(fields) > 2 and self.dialect == BASH:
                self.arguments = saved

    def _eval(self, node: Node, fields: List[Value], _declared: List[Assignment]) -> Optional[bool]:
        value: Value = []
        for index, field in enumerate(fields[1:]):
            if index:
                value.append(Run(" "))
            value.extend(field)
        text = Text.from_value(value)
        try:
            tree, _parser = parse(text, self.dialect)
        except ShellSyntaxError as error:
            raise self.unresolvable("'eval' of no valid shell text: " + error.message, node.text, node.start)
        return self.run(tree)

    def _exec(self, node: Node, fields: List[Value], declared: List[Assignment]) -> Optional[bool]:
        rest = fields[1:]
        while rest and text_of(rest[0]).startswith("-") and not unknown_of(rest[0], True):
            rest = rest[2:] if text_of(rest[0]) == "-a" else rest[1:]
        if not rest:
            return True
        name = text_of(rest[0]) if unknown_of(rest[0], True) is None else ""
        self._external(node, name, rest)
        raise _Exit()

    def _command_builtin(self, node: Node, fields: List[Value], declared: List[Assignment]) -> Optional[bool]:
        rest = fields[1:]
        if rest and text_of(rest[0]) in ("-v", "-V"):
            return None
        if rest and text_of(rest[0]) == "-p":
            rest = rest[1:]
        if not rest:
            return True
        name = text_of(rest[0]) if unknown_of(rest[0], True) is None else ""
        builtin = _BUILTINS.get(name)
        if builtin is not None:
            return builtin(self, node, rest, declared)
        return self._external(node, name, rest)

    def _declare(self, node: Node, fields: List[Value], declared: List[Assignment]) -> Optional[bool]:
        name = text_of(fields[0])
        texts = [text_of(field) for field in fields[1:]]
        options = "".join(text[1:] for text in texts if text.startswith("-"))
        if name == "local" and not self.scopes:
            if self.dialect == DASH:
                raise _Exit(False)
            return False
        if self.dialect == DASH and set(options) - {"p"}:
            raise _Exit(False)
        if name in ("declare", "typeset", "local") and set(options) & set("Ailnu"):
            raise self.unresolvable("'%s -%s' changes what an assignment means" % (name, options),
                                    node.text, node.start)
        if set(options) & set("fFp"):
            return True
        if "g" in options and any(word in scope for scope in self.scopes for word in [
                re.split(r"\+?=|\[", text)[0] for text in texts] + [item.name for item in declared]):
            raise self.unresolvable("'%s -g' of a variable that is local" % name, node.text, node.start)
        local = name == "local" or (name in ("declare", "typeset") and "g" not in options and bool(self.scopes))
        exports = (name == "export" and "n" not in options) or (name != "export" and "x" in options)
        unexports = name == "export" and "n" in options
        unexports = unexports or any(text.startswith("+") and "x" in text for text in texts)
        status = True
        for assignment in declared:
            value = self._declared_value(assignment, local)
            self._attributes(value, exports, unexports, name == "readonly" or "r" in options)
        for field, text in zip(fields[1:], texts):
            if text.startswith(("-", "+")):
                continue
            if unknown_of(field, True):
                raise self.unresolvable("'%s' of a name that is not known" % name, node.text, node.start)
            match = re.match(r"([A-Za-z_][A-Za-z0-9_]*)(=|\Z)", text)
            if match is None:  # no valid name
                if self.dialect == DASH:
                    raise _Exit(False)
                status = False
                continue
            variable = match.group(1)
            if local:
                self._hide(variable, empty=self.dialect == BASH and not match.group(2))
            if match.group(2):
                self.assign(variable, _cut(field, match.end()))
            elif "a" in options:
                old = self.variables.get(variable)
                if old is None and not self.closed:
                    old = Variable([Run("", None, 0, False, "$%s may be set before the script starts" % variable)])
                if old is None or old.array is None:
                    self.variables[variable] = Variable([] if old is None else old.value,
                                                        [] if old is None else [old.value])
            self._attributes(variable, exports, unexports, name == "readonly" or "r" in options)
        return status

    def _declared_value(self, assignment: Assignment, local: bool) -> str:
        """An assignment as an argument of a declaration; its value is expanded before the name is hidden."""
        if not local:
            return self.do_assignment(assignment)
        hidden = self.variables.get(assignment.name)
        name = self.do_assignment(assignment)
        made = self.variables[name]
        if hidden is not None:
            self.variables[name] = hidden
        else:
            del self.variables[name]
        self._hide(name, empty=True)
        self.variables[name] = made
        return name

    def _hide(self, name: str, empty: bool) -> None:
        """Make a variable local to the present function; dash keeps the value that it had outside."""
        old = self.variables.get(name)
        if name not in self.scopes[-1]:
            self.scopes[-1][name] = old
            if old is not None and empty:
                del self.variables[name]
            elif old is not None:
                self.variables[name] = old.copy()
            if empty and not self.closed:
                self.variables[name] = Variable([])

    def _attributes(self, name: str, exports: bool, unexports: bool, read_only: bool) -> None:
        variable = self.variables.get(name)
        if exports and name in self.temporary and self.dialect == BASH:
            raise Unresolvable("$%s is set for one command and exported in it" % name)
        if exports and variable is not None:
            variable.exported = True
        elif exports and name not in self.marked_exported:
            self.marked_exported.append(name)
        if unexports:
            if variable is not None:
                variable.exported = False
            if name in self.marked_exported:
                self.marked_exported.remove(name)
        if read_only and name not in self.read_only:
            self.read_only.append(name)

    def _set(self, node: Node, fields: List[Value], _declared: List[Assignment]) -> Optional[bool]:
        index = 1
        while index < len(fields):
            text = text_of(fields[index])
            if text == "--":
                self.arguments = fields[index + 1:]
                return True
            if text[:1] not in ("-", "+") or unknown_of(fields[index], True):
                self.arguments = fields[index:]
                return True
            if set(text[1:]) - _SET_LETTERS[self.dialect]:
                if self.dialect == DASH:
                    raise _Exit(False)
                return False
            following = text_of(fields[index + 1]) if index + 1 < len(fields) else ""
            if text[1:].endswith("o") and following and following not in _SET_NAMES | (
                    _SET_NAMES_OF_BASH if self.dialect == BASH else frozenset()):
                if self.dialect == DASH:
                    raise _Exit(False)
                return False
            self.options(text[0], text[1:], following)
            index += 2 if text[1:].endswith("o") else 1
        return True

    def options(self, sign: str, letters: str, name: str = "") -> None:
        """Options as ``set`` or the ``#!`` line give them; ``name`` is the argument of ``-o``."""
        for letter in letters:
            letter = {"allexport": "a", "errexit": "e", "nounset": "u"}.get(name, "") if letter == "o" else letter
            if letter == "a":
                self.all_exported = sign == "-"
            elif letter == "e":
                self.stops_on_failure = sign == "-"
            elif letter == "u":
                self.stops_on_unset = sign == "-"

    def _shift(self, node: Node, fields: List[Value], _declared: List[Assignment]) -> Optional[bool]:
        text = text_of(fields[1]) if len(fields) > 1 else "1"
        if not text.isdigit():
            raise self.unresolvable("'shift' by a number that is not known", node.text, node.start)
        if int(text) > len(self.arguments):
            if self.dialect == DASH:
                raise _Exit(False)
            return False
        self.arguments = self.arguments[int(text):]
        return True

    def _unset(self, _node: Node, fields: List[Value], _declared: List[Assignment]) -> Optional[bool]:
        names = [text_of(field) for field in fields[1:]]
        functions = bool(names) and names[0] == "-f"
        for name in names[1:] if names and names[0].startswith("-") else names:
            if name in self.read_only:
                if self.dialect == DASH:
                    raise _Exit(False)
                return False
            if functions:
                self.functions.pop(name, None)
                continue
            if not _NAME.match(name) and "[" not in name:
                if self.dialect == DASH:
                    raise _Exit(False)
                return False
            if "[" in name:
                raise Unresolvable("an element of the array %s is unset" % name.partition("[")[0])
            if name in self.temporary and self.dialect == BASH:
                raise Unresolvable("$%s is set for one command and unset in it" % name)
            if name not in self.variables and self.closed and self.dialect == BASH:
                self.functions.pop(name, None)
            self.variables.pop(name, None)
            if name in self.marked_exported:
                self.marked_exported.remove(name)
            if not self.closed:
                self.variables[name] = Variable([])
        return True

    def _read(self, _node: Node, fields: List[Value], _declared: List[Assignment]) -> Optional[bool]:
        texts = [text_of(field) for field in fields[1:]]
        letters = ""
        while texts and texts[0].startswith("-"):
            letters += texts.pop(0)[1:]
            if letters[-1:] and letters[-1] in "ptndNu":
                texts = texts[1:]
        for name in texts:
            if not _NAME.match(name) or name in self.read_only:
                return False
        line = None
        if self.input and letters in ("", "r") and texts and "IFS" not in self.variables:
            line = self._line()
            if not letters and "\\" in text_of(line):
                line, self.input = None, None
        if line is None or unknown_of(line, True):
            for name in texts:
                value = [Run("", None, 0, False, "$%s is read from input" % name)]
                self.assign(name, value, array=[value, value] if "a" in letters else None)
            return None
        text = text_of(line).rstrip("\n")
        first = 0
        for index, name in enumerate(texts):
            match = re.compile(r"[ \t]*(.*?)[ \t]*\Z" if index == len(texts) - 1 else r"[ \t]*([^ \t]*)").match(
                text, first)
            start, first = (match.start(1), match.end()) if match else (len(text), len(text))
            self.assign(name, _head(_cut(line, start), match.end(1) - start) if match else [])
        return len(text) < len(text_of(line))

    def _mapfile(self, node: Node, fields: List[Value], declared: List[Assignment]) -> Optional[bool]:
        texts = [text_of(field) for field in fields[1:]]
        if len(texts) != 2 or texts[0] != "-t" or self.input is None or not _NAME.match(texts[1]):
            return self._opaque(node, fields, declared)
        lines: List[Value] = []
        while text_of(self.input[0]):
            line = self._line()
            lines.append(_head(line, len(text_of(line).rstrip("\n"))))
        self.assign(texts[1], [], array=lines)
        return True

    def _line(self) -> Value:
        """Takes one line, with its end, from the standard input."""
        if not self.input:
            return []
        text = text_of(self.input[0])
        end = text.find("\n") + 1 or len(text)
        line = _head(self.input[0], end)
        self.input[0] = _cut(self.input[0], end)
        return line

    def _open(self, node: Node) -> Optional[List[Value]]:
        """The standard input that a redirection gives a command, None where it is not known."""
        source = node.input
        if source is None:
            return None
        if source.operator == "<<<":
            value = self.single(source.target) + [Run("\n")]
            return None if unknown_of(value, True) else [value]
        if source.operator == "<" and source.target.literal() == "/dev/null":
            return [[]]
        if source.operator not in ("<<", "<<-"):
            return None
        characters = node.text.characters
        if source.joins and re.search(r"[$`\\]", characters[source.start:source.end]):
            return None
        value = []
        start = source.start
        while start < source.end:
            end = characters.find("\n", start, source.end) + 1 or source.end
            while source.operator == "<<-" and characters.startswith("\t", start):
                start += 1
            value.extend(node.text.runs(start, end, True))
            start = end
        return [value]

    def _status(self, fields: List[Value]) -> Optional[bool]:
        """The status that ``exit`` and ``return`` leave with."""
        if len(fields) < 2:
            return self.status
        text = text_of(fields[1])
        return int(text) % 256 == 0 if text.isdigit() and unknown_of(fields[1], True) is None else None

    def _exit(self, _node: Node, fields: List[Value], _declared: List[Assignment]) -> Optional[bool]:
        raise _Exit(self._status(fields))

    def _return(self, _node: Node, fields: List[Value], _declared: List[Assignment]) -> Optional[bool]:
        if not self.returns and self.dialect == BASH:
            return False  # an error, and the script goes on
        raise _Return(self._status(fields))

    def _break(self, node: Node, fields: List[Value], _declared: List[Assignment]) -> Optional[bool]:
        levels = text_of(fields[1]) if len(fields) > 1 else "1"
        if not levels.isdigit():
            raise self.unresolvable("'%s' out of a number of loops that is not known" % text_of(fields[0]),
                                    node.text, node.start)
        if not self.loops:
            return True  # outside a loop it does nothing
        raise _Break(int(levels), text_of(fields[0]) == "continue")

    def _bracket(self, _node: Node, fields: List[Value], _declared: List[Assignment]) -> Optional[bool]:
        rest = fields[1:]
        if text_of(fields[0]) == "[" and rest and text_of(rest[-1]) == "]":
            rest = rest[:-1]
        return self._test(rest)

    def _opaque(self, node: Node, fields: List[Value], _declared: List[Assignment]) -> Optional[bool]:
        raise self.unresolvable("'%s' changes variables in a way that is not followed" % text_of(fields[0]),
                                node.text, node.start)

    def _printf(self, node: Node, fields: List[Value], declared: List[Assignment]) -> Optional[bool]:
        if len(fields) > 2 and text_of(fields[1]) == "-v" and self.dialect == BASH:
            known = not any(unknown_of(field, True) for field in fields)
            value = self._pure("printf", fields[3:]) if known else None
            if value is None or not _NAME.match(text_of(fields[2])):
                return self._opaque(node, fields, declared)
            self.assign(text_of(fields[2]), value)
        return None

    def _alias(self, node: Node, fields: List[Value], _declared: List[Assignment]) -> Optional[bool]:
        # A script in bash does not look at aliases; dash does, from the next line on.
        for field in fields[1:]:
            name, equals, _value = text_of(field).partition("=")
            if self.dialect == DASH and equals:
                if unknown_of(field, True) or is_reserved(name):
                    raise self.unresolvable("an alias that is not followed", node.text, node.start)
                self.aliases.append(name)
        return True

    def _trap(self, node: Node, fields: List[Value], _declared: List[Assignment]) -> Optional[bool]:
        texts = [text_of(field) for field in fields[1:]]
        if texts and texts[0] not in ("", "-") and set(texts[1:]) & {"DEBUG", "ERR", "RETURN"}:
            raise self.unresolvable("'trap' runs commands between the others", node.text, node.start)
        if texts and "-jar" in texts[0]:
            raise self.unresolvable("'trap' starts a JVM", node.text, node.start)
        return True

    def _shopt(self, node: Node, fields: List[Value], _declared: List[Assignment]) -> Optional[bool]:
        if any(text_of(field) in ("expand_aliases", "nullglob", "failglob", "lastpipe") for field in fields[1:]):
            raise self.unresolvable("'shopt' changes how the rest is read", node.text, node.start)
        return None

    def _nothing(self, _node: Node, _fields: List[Value], _declared: List[Assignment]) -> Optional[bool]:
        return None


_BUILTINS = {
    ".": Shell._source, "source": Shell._source, "eval": Shell._eval, "exec": Shell._exec,
    "command": Shell._command_builtin, "builtin": Shell._command_builtin,
    "export": Shell._declare, "declare": Shell._declare, "typeset": Shell._declare, "readonly": Shell._declare,
    "local": Shell._declare, "set": Shell._set, "shift": Shell._shift, "unset": Shell._unset, "read": Shell._read,
    "exit": Shell._exit, "return": Shell._return, "break": Shell._break, "continue": Shell._break,
    "[": Shell._bracket, "test": Shell._bracket, "mapfile": Shell._mapfile, "readarray": Shell._mapfile,
    "let": Shell._let, "getopts": Shell._opaque, "printf": Shell._printf, "alias": Shell._alias,
    "unalias": Shell._nothing, "trap": Shell._trap, "shopt": Shell._shopt,
}  # type: Dict[str, Callable[[Shell, Node, List[Value], List[Assignment]], Optional[bool]]]


def _prints_one_word(command: Node) -> bool:
    """True for ``id -u`` and ``date +%s``."""
    words = [word.literal() or "" for word in command.words[1:] if isinstance(word, Word)]
    return len(words) > 0 and all(re.match(r"-[a-z]+\Z|--[a-z]+\Z|\+\S+\Z", word) for word in words)


def _is_glob(field: Value) -> bool:
    return any(not run.quoted and re.search(r"[*?\[]", run.text) for run in field)


def _name_of(node: Node) -> Optional[str]:
    """The name of a plain command, where it is a literal word."""
    if node.kind != "simple" or node.assignments or not node.words or not isinstance(node.words[0], Word):
        return None
    return node.words[0].literal()


def _guarded(shell: Shell, name: str) -> bool:
    # A function is inert where its body is; recursion ends at the depth limit.
    shell.depth += 1
    try:
        return shell.inert(shell.functions[name])
    finally:
        shell.depth -= 1


def _assigned(node: Any) -> List[str]:
    """Names that a command assigns anywhere inside."""
    names: List[str] = []
    stack = [node]
    while stack:
        item = stack.pop()
        if isinstance(item, Assignment):
            names.append(item.name)
        elif isinstance(item, Node):
            stack.extend(item.assignments + item.words + item.items + item.expression + [item.body, item.otherwise])
            if item.kind in ("for", "for_arguments"):
                names.append(item.name)
            if item.kind == "simple" and item.words and isinstance(item.words[0], Word) \
                    and item.words[0].literal() in ("read", "export", "declare", "local", "readonly", "typeset"):
                names.extend(word.literal() or "" for word in item.words[1:] if isinstance(word, Word)
                             and re.match(r"[A-Za-z_][A-Za-z0-9_]*\Z", word.literal() or ""))
        elif isinstance(item, (tuple, list)):
            stack.extend(item)
    return names


def _cut(value: Value, count: int) -> Value:
    """A value without its first ``count`` characters."""
    result: Value = []
    for run in value:
        if count >= len(run.text) and not run.unknown:
            count -= len(run.text)
            continue
        result.append(run.part(count, len(run.text)) if count and not run.unknown else run)
        count = 0 if not run.unknown else count
    return result


def _head(value: Value, count: int) -> Value:
    """The first ``count`` characters of a known value."""
    result: Value = []
    for run in value:
        if count <= 0:
            break
        result.append(run.part(0, min(count, len(run.text))))
        count -= len(run.text)
    return result


def _pattern(value: Value) -> Any:
    """A compiled pattern of the shell (``*``, ``?``, ``[…]``), quoted characters literal; matches wholly."""
    pieces = _translate(value).split("*")
    # Between two stars the first place that fits is as good as any: without this choice the time is bounded.
    middle = "".join("(?=(?P<g%d>.*?%s))(?P=g%d)" % (number, piece, number)
                     for number, piece in enumerate(pieces[1:-1]) if piece)
    return re.compile(pieces[0] + (middle + ".*" + pieces[-1] if len(pieces) > 1 else "") + r"\Z", re.DOTALL)


_BRACKET = re.compile(r"\[([!^]?)(\]?(?:\[:[a-z]+:\]|[^\]])*)\]")
_CLASSES = {"space": r"\s", "blank": r" \t", "digit": "0-9", "alpha": "A-Za-z", "alnum": "A-Za-z0-9", "upper": "A-Z",
            "lower": "a-z"}


def _translate(value: Value) -> str:
    """A regular expression in which only ``*`` still means what it means to the shell."""
    result = []
    for run in value:
        if run.quoted:
            result.append(_escape(run.text))
            continue
        index = 0
        while index < len(run.text):
            char = run.text[index]
            if char == "*":
                result.append("*")
            elif char == "?":
                result.append(".")
            elif char == "[" and _BRACKET.match(run.text, index):
                match = _BRACKET.match(run.text, index)
                result.append(_bracket(match.group(2), bool(match.group(1))) if match else "")
                index = match.end() - 1 if match else index
            else:
                result.append(_escape(char))
            index += 1
    return "".join(result)


def _escape(text: str) -> str:
    return re.escape(text).replace("\\*", r"\x2a")


def _bracket(body: str, negated: bool) -> str:
    """``[a-z]`` as a regular expression; a range that runs backwards matches nothing, as in the shell."""
    names = re.findall(r"\[:([a-z]+):\]", body)
    if set(names) - set(_CLASSES):
        raise Unresolvable("a pattern with [:%s:]" % "".join(names))
    escaped = re.sub(r"([\\\[\]^&|~])", r"\\\1", re.sub(r"\[:[a-z]+:\]", "", body)).replace("*", r"\x2a")
    escaped += "".join(_CLASSES[name] for name in names)
    try:
        re.compile("[%s]" % escaped)
    except re.error:
        return "." if negated else "(?!)"
    return "[%s%s]" % ("^" if negated else "", escaped)


def _calculate(expression: str) -> Optional[int]:
    """The value of an arithmetic expression of numbers alone, else None."""
    try:
        tree = ast.parse(expression.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None
    return _calculated(tree)


def _calculated(tree: Any) -> Optional[int]:
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
        number = _calculated(tree.operand)
        return None if number is None else -number
    if isinstance(tree, ast.BinOp):
        left, right = _calculated(tree.left), _calculated(tree.right)
        if left is None or right is None:
            return None
        return {"Add": left + right, "Sub": left - right, "Mult": left * right}.get(type(tree.op).__name__)
    if isinstance(tree, ast.Compare) and len(tree.ops) == 1:
        left, right = _calculated(tree.left), _calculated(tree.comparators[0])
        if left is None or right is None:
            return None
        known = {"Lt": left < right, "LtE": left <= right, "Gt": left > right, "GtE": left >= right,
                 "Eq": left == right, "NotEq": left != right}.get(type(tree.ops[0]).__name__)
        return None if known is None else int(known)
    value = getattr(tree, "n", None) if type(tree).__name__ == "Num" else getattr(tree, "value", None)
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 31 else None


def _regex(text: str, pattern: Value) -> Optional[bool]:
    """``[[ text =~ pattern ]]`` where the pattern means the same to Python, else None."""
    parts = []
    for run in pattern:
        # Repetitions inside repetitions could take for ever.
        if not run.quoted and (re.search(r"[\\{}]|\[[\[:]|\(\?|\)[*+?]", run.text)
                               or len(re.findall(r"[*+]", run.text)) > 3):
            return None
        parts.append(re.escape(run.text) if run.quoted else run.text)
    try:
        if len(text) > LIMIT_MATCH:
            return None
        return re.search("".join(parts).replace("$", r"\Z"), text, re.DOTALL) is not None
    except re.error:
        return None


def _strip(value: Value, operator: str, pattern: Any) -> Value:
    """``${name%pattern}`` and its relatives, the rest keeping its origins."""
    text = text_of(value)
    lengths = range(len(text) + 1) if len(operator) == 1 else range(len(text), -1, -1)
    for length in lengths:
        if operator[0] == "#" and pattern.match(text[:length]):
            return _cut(value, length)
        if operator[0] == "%" and pattern.match(text[len(text) - length:]):
            return _head(value, len(text) - length)
    return value


def _compare(left: str, operator: str, right: str, dialect: str = BASH) -> Optional[bool]:
    if operator == "=" or (operator == "==" and dialect == BASH):
        return left == right
    if operator == "!=":
        return left != right
    if operator in ("-eq", "-ne", "-lt", "-le", "-gt", "-ge"):
        try:
            a, b = int(left), int(right)
        except ValueError:
            return False  # an error
        return {"-eq": a == b, "-ne": a != b, "-lt": a < b, "-le": a <= b, "-gt": a > b, "-ge": a >= b}[operator]
    return None if operator in ("<", ">", "-nt", "-ot", "-ef") else False


def read_script(files: HostFiles, path: str) -> Optional[Tuple[str, str]]:
    """Text and dialect of a shell script at ``path``; None where it is no readable shell script."""
    try:
        content = files.read(path)
    except (OSError, ValueError):
        return None
    # The kernel takes a carriage return as part of the name, so such a script does not start.
    match = re.match(r"#![ \t]*([^ \t\n]+)(?:[ \t]+([^ \t\n]+))?", content)
    if match is None or "\r" in content.partition("\n")[0]:
        return None
    program = match.group(1)
    if program.endswith("/env") and match.group(2):
        program = match.group(2)
    if program.rsplit("/", 1)[-1] not in _SHELLS:
        return None
    return content, files.dialect(program)


class Walk:
    """Result of following a program every way it may go."""

    def __init__(self) -> None:
        self.paths: List[List[Launch]] = []
        self.ways = 0  # how many there are, also those that start no JVM
        self.sourced: List[str] = []
        self.followed: List[str] = []  # scripts that were started, not sourced
        self.names: List[str] = []


def walk(start: Callable[[Oracle], Shell], program: Callable[[Shell], Any]) -> Walk:
    """Run ``program`` on a fresh shell for every combination of what cannot be known.

    Raises :class:`Unresolvable` where one of the ways cannot be followed, or where there are too many.
    """
    result = Walk()
    prefix: Optional[List[int]] = []
    count = steps = 0
    while prefix is not None:
        count += 1
        if count > LIMIT_PATHS:
            raise Unresolvable("the launch script can go more than %d ways" % LIMIT_PATHS)
        oracle = Oracle(prefix)
        shell = start(oracle)
        try:
            program(shell)
        except (_Leave, _Break):
            pass
        except RecursionError:
            raise Unresolvable("the launch script is nested too deeply")
        steps += oracle.steps
        if steps > LIMIT_TOTAL:
            raise Unresolvable("the launch script is too long to follow every way")
        if shell.found:
            result.paths.append(shell.found)
        for kept, seen in ((result.names, shell.names), (result.sourced, shell.sourced),
                           (result.followed, shell.followed)):
            kept.extend(item for item in dict.fromkeys(seen) if item not in kept)
        prefix = oracle.following()
    result.ways = count
    return result


def assignments(content: str, path: str, dialect: str = BASH) -> Iterator[Assignment]:
    """All assignments in a file, wherever they stand; none where it cannot be parsed."""
    try:
        _tree, parser = parse(Text(content, path), dialect)
    except (ShellSyntaxError, RecursionError):
        return
    yield from parser.assignments

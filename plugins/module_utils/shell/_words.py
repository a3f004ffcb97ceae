# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One shell process as :mod:`_walk` walks it: its variables, and what its words stand for.

Private to this collection. Python 3.6+, standard library only.
"""

import posixpath
import re
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from ..host._files import HostFiles
from ..java._jvm import MAINS, command_line
from ..java._tomcat import BOOTSTRAP, base_of, starts
from ..text._pattern import LIMIT_MATCH, Pattern
from ..text._value import Run, Text, Unresolvable, Value, first_of, line_of, text_of, unknown_of, without_first
from ._parser import BASH, DASH, Assignment, Node, Part, ShellSyntaxError, Word, parse
from ._patterns import calculate, number_of, strip_match
from ._read import parsed

LIMIT_RUNS = 20000  # pieces of one value: X="$X$X" doubles them
LIMIT_VALUE = 1 << 20  # characters of one value; the kernel starts no program with so long a word
#: What all ways through a launch script may cost together, counted in the time that it takes to copy a piece of a value
#: (about a microsecond). A product's launcher takes some thousands.
LIMIT_WORK = 1000000
_CHARACTERS = 64  # that are copied or looked at in the time of one piece
#: Set by every shell for itself: unknown here, but never a JVM option.
_PROVIDED = frozenset(
    [
        "RANDOM",
        "SECONDS",
        "LINENO",
        "UID",
        "EUID",
        "PPID",
        "HOSTNAME",
        "PWD",
        "OLDPWD",
        "BASHPID",
        "BASH",
        "BASH_VERSION",
        "HOSTTYPE",
        "OSTYPE",
        "MACHTYPE",
        "OPTIND",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "PATH",
        "LANG",
        "TERM",
        "IFS",
        "MAINPID",
        "INVOCATION_ID",
        "JOURNAL_STREAM",
        "SYSTEMD_EXEC_PID",
        "NOTIFY_SOCKET",
    ]
)
#: Expansions that may name a variable which is not set, also under ``set -u``.
_ASKS_WHETHER_SET = frozenset([":-", "-", ":=", "=", ":+", "+", ":?", "?"])
#: First characters of expansions that dash does not have; so is ``${a:1:2}``.
_BASH_OPERATORS = ("/", "^", ",", "@", "!")
_TILDE = re.compile(r"(?:\A|(?<=:))~[A-Za-z0-9_.-]*(?=[/:]|\Z)")
_BRACES = re.compile(r"\{([^{}\s]*)\}")
#: What tells an agent where its controller is.
_OF_AGENTS = frozenset(["-jnlpUrl", "-secret", "-direct", "-tunnel", "-webSocket"])
_DEFAULT_SEPARATORS = re.compile(r"([ \t\n]+)|[^ \t\n]+")


class Launch:
    """One ``java`` command as the script would run it.

    ``words`` are the arguments after ``java``; ``environment`` holds the exported variables that matter;
    ``closed`` says that nothing else can be in the environment. ``java`` is the launcher as it is named, ``folder``
    where it is started, as far as that is known.
    """

    __slots__ = ("words", "environment", "closed", "java", "main", "options", "folder", "stray")

    def __init__(
        self,
        words: List[Value],
        environment: Dict[str, Value],
        closed: bool,
        java: str = "",
        folder: Optional[str] = None,
    ) -> None:
        self.words = words
        self.folder = folder
        self.java = java
        self.environment = environment
        self.closed = closed
        line = command_line([_shape(word) for word in words])
        self.options = line.options
        tomcat = line.main is not None and starts([text_of(word) for word in words[line.main :]])
        of_product = line.main is not None and text_of(words[line.main]) in MAINS
        self.main = line.main if line.jar or tomcat or of_product else None
        #: A word before "-jar" that is no option, so that java takes it for its program.
        self.stray = (
            words[line.main]
            if self.main is None
            and line.main is not None
            and any(text_of(word) == "-jar" for word in words[line.main :])
            else None
        )

    @property
    def program(self) -> str:
        """The jar that is started (or Tomcat's class), an empty string where it is not known."""
        name = text_of(self.words[self.main]) if self.main is not None else ""
        known = unknown_of(self.words[self.main or 0], True) is None
        return self.absolute(name) if known and name not in ("", BOOTSTRAP) and name not in MAINS else name

    @property
    def open(self) -> Optional[str]:
        """Why it is not known what ``-jar`` starts; None where it is, or where an agent is started."""
        texts = [text_of(word) for word in self.words]
        if "-jar" not in texts or not _OF_AGENTS.isdisjoint(texts):
            return None
        behind = self.words[texts.index("-jar") + 1 :]
        known = next((text_of(word) for word in behind if not _shape(word).startswith("-")), "")
        if known.endswith((".war", ".jar")):
            return None
        return next((unknown_of(word, True) for word in behind if _shape(word).startswith("-?")), None)

    def absolute(self, path: str) -> str:
        """A path from the root, where it is known in which folder the JVM is started."""
        if path.startswith("/") or self.folder is None:
            return path
        return posixpath.normpath(self.folder + "/" + path)

    @property
    def class_path(self) -> List[str]:
        """Where it looks for classes, for a class that is started."""
        texts = [text_of(word) for word in self.words[: self.main]]
        given = [
            texts[index + 1] for index, text in enumerate(texts[:-1]) if text in ("-cp", "-classpath", "--class-path")
        ]
        path = given[-1] if given else text_of(self.environment.get("CLASSPATH", []))
        return [entry for entry in path.split(":") if entry] if self.program in MAINS else []

    @property
    def tomcat(self) -> Optional[str]:
        """``catalina.base`` of a Tomcat that is started, an empty string where it is not known; else None."""
        if self.program != BOOTSTRAP:
            return None
        return base_of([text_of(word) for word in self.words[: self.main] if not unknown_of(word, True)])


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


class Leave(Exception):
    """Part of the script ends here; ``status`` is its exit status as far as that is known."""

    def __init__(self, status: Optional[bool] = None) -> None:
        super().__init__()
        self.status = status


class Exit(Leave):
    """The script ends here."""


class Return(Leave):
    """The function or sourced file ends here."""


class Break(Exception):
    """So many loops end here; with ``again`` the last of them goes on with its next round."""

    def __init__(self, levels: int, again: bool) -> None:
        super().__init__()
        self.levels = levels
        self.again = again


class Decision(NamedTuple):
    """Why a branch is taken or passed over."""

    test: Node  # a command, or a ``case``
    outcome: Optional[bool]  # of the command; None where it is not known
    branch: Optional[str] = None  # of a ``case``: the pattern that fits, "" for none


class Oracle:
    """Decides what cannot be known; :func:`launches` asks for every combination in turn."""

    def __init__(self, prefix: Sequence[int], work: int = 0) -> None:
        self.taken: List[Tuple[int, int]] = []  # (choice, number of choices)
        self._prefix = list(prefix)
        self.steps = 0
        self.last: Optional[Node] = None  # the last command that was seen
        self.ended: Optional[Node] = None  # the command that ended the script
        self.decided: Optional[Decision] = None  # what led to the present command
        self.decisive: Optional[Decision] = None  # what led to the end, or past a JVM
        self.touched: Set[str] = set()  # files that a command may have written
        self.work = work  # of the ways before this one and of this one so far, see LIMIT_WORK

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


class Words:
    """A shell process: its variables, and what its words stand for."""

    def __init__(
        self,
        files: HostFiles,
        oracle: Oracle,
        dialect: str = BASH,
        zero: str = "",
        arguments: Sequence[Value] = (),
        environment: Optional[Dict[str, Value]] = None,
        closed: bool = True,
        depth: int = 0,
        folder: Optional[str] = None,
    ) -> None:
        self.files = files
        self.folder = folder  # where it is, as "pwd" tells it; None: not known
        self.folder_before: Optional[str] = None
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
        self.texts: List[str] = []  # files of which the text is put into words
        self.called: Dict[str, str] = {}  # what the script calls a file that it sources
        self.globs = True  # patterns stand for paths; not after set -f
        self.null_globs = False  # a pattern that no path matches stands for nothing
        self.names: Dict[str, None] = {}  # every variable that was looked at, in order
        self.all_exported = False
        self.stops_on_failure = False  # set -e
        self.stops_on_unset = False  # set -u
        self.forgiving = 0  # inside a condition, where set -e does not count
        self.input: Optional[List[Value]] = None  # what is left of the standard input, one item; None: not known
        self.returns = 0  # functions and sourced files around the present command
        self.background = False  # a command was started in the background
        self.loops = 0  # loops around the present command
        self.status: Optional[bool] = True  # of the last command
        self.marked_exported: Set[str] = set()  # exported before they are set
        self.read_only: Set[str] = set()
        self.temporary: Set[str] = set()  # assigned in front of the function that is running
        self.aliases: Set[str] = set()
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
            return Unresolvable(reason, path, line_of(self.files.host.read(path), offset))
        except (OSError, ValueError):
            return Unresolvable(reason, path)

    def unknown(self, reason: str, word: Word, part: Part, harmless: bool = False) -> Run:
        """An unknown stretch, its reason ending in file and line."""
        path, offset = word.text.origin(part.start)
        where = ""
        if path is not None:
            try:
                where = " (%s:%d)" % (path, line_of(self.files.host.read(path), offset))
            except (OSError, ValueError):
                where = " (%s)" % path
        return Run("", path, offset, part.quoted, reason + where, harmless)

    def absolute(self, path: str) -> Optional[str]:
        """A path from the root, as the kernel takes it; None where it is relative to an unknown folder."""
        if path.startswith("/"):
            return path
        if self.folder is None or not path:
            return None
        place = self.folder.rstrip("/") + "/" + "/".join(part for part in path.split("/") if part not in ("", "."))
        try:
            return self.files.canonical(place) if ".." in path.split("/") else place
        except OSError:
            return place

    # -- work ---------------------------------------------------------------------------------

    def spend(self, pieces: int, characters: int = 0, text: Optional[Text] = None, position: int = 0) -> None:
        """Count work before it is done. Raises Unresolvable where it is too much."""
        work = pieces + characters // _CHARACTERS
        self.oracle.work += work
        self.files.work[0] += work
        if self.oracle.work > LIMIT_WORK:
            raise self.unresolvable("it would take too long to follow", text, position)

    def _weigh(self, value: Value, word: Word) -> None:
        """Count what it takes to make and to use a value, and refuse one that no program could be given."""
        size = sum([len(run.text) for run in value])
        if len(value) > LIMIT_RUNS or size > LIMIT_VALUE:
            raise self.unresolvable("a value grows too long to follow", word.text, word.start)
        self.spend(len(value), size, word.text, word.start)

    # -- variables ----------------------------------------------------------------------------

    def lookup(self, name: str) -> Optional[Variable]:
        """A variable, or None where it is not set (as far as is known)."""
        self.names.setdefault(name)
        return self.variables.get(name)

    def assign(
        self,
        name: str,
        value: Value,
        append: bool = False,
        array: Optional[List[Value]] = None,
        element: Optional[str] = None,
    ) -> None:
        """``NAME=value`` and its variants."""
        if name in self.read_only:
            if self.dialect == DASH:
                raise Exit(False)
            raise Unresolvable("$%s is assigned although it is read-only" % name)
        old = self.variables.get(name)
        if old is not None and (append or element is not None or old.array is not None):
            self.spend(len(old.value) + len(old.array or ()))
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
            if len(value) > LIMIT_RUNS or sum([len(run.text) for run in value]) > LIMIT_VALUE:
                raise Unresolvable("$%s grows too long to follow" % name)
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
                raise Exit(False)
            if self.stops_on_unset and old is not None and old.array is None:
                raise Unresolvable("bash takes $%s for unset there, because it is no array" % name)
            element = str(len(elements))
        number = number_of(element)
        if number is None or number > len(elements) or (old is None and not self.closed):
            raise Unresolvable("the array %s is built element by element" % name)
        elements[number : number + 1] = [elements[number] + value if append and number < len(elements) else value]
        self.variables[name] = Variable(elements[0], elements, exported)

    def do_assignment(self, assignment: Assignment) -> str:
        """Carry out an assignment; returns the name."""
        if assignment.array is not None:
            elements: List[Value] = []
            for word in assignment.array:
                if re.match(r"\[[^\]]*\]=", word.literal() or ""):
                    raise self.unresolvable("an array with indexes", assignment.text, word.start)
                elements.extend(self.globbed(self.fields(word), word.text, word.start))
            self.assign(assignment.name, [], assignment.append, array=elements)
        elif assignment.word is not None:
            self.assign(assignment.name, self.single(assignment.word), assignment.append, element=assignment.element)
        return assignment.name

    def exported(self) -> Dict[str, Value]:
        """The environment that a command started now would get."""
        self.spend(len(self.variables) // 8)
        return {
            name: variable.value
            for name, variable in self.variables.items()
            if variable.exported and variable.array is None
        }

    # -- expansion ----------------------------------------------------------------------------

    def single(self, word: Word) -> Value:
        """A word where no field splitting happens (an assignment, a here-string, ``case``)."""
        result: Value = []
        self.spend(len(word.parts), word.end - word.start, word.text, word.start)
        for part in word.parts:
            if part.kind == "literal":
                result.extend(self._literal(word, part, colons=True))
            else:
                for index, value in enumerate(self._values(word, part)):
                    if index:
                        result.append(Run(self._joint(word, part)))
                    result.extend(
                        run.requoted(part.quoted or (run.quoted and part.argument is not None)) for run in value
                    )
            if len(result) > LIMIT_RUNS:
                break
        self._weigh(result, word)
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
        self.spend(len(word.parts), word.end - word.start, word.text, word.start)
        if self.dialect == BASH and any(
            part.kind == "literal" and not part.quoted and _is_brace_expansion(word.characters(part))
            for part in word.parts
        ):
            return self._braces(word) or [[self.unknown("a brace expansion", word, word.parts[0])]]
        fields: List[Value] = []
        current: Optional[Value] = None
        after_blank = False  # the field before was ended by a blank, so that a separator behind it ends none

        def add(*runs: Run) -> None:
            nonlocal current
            if current is None:
                current = []
            current.extend(runs)

        for part in word.parts:
            if part.kind == "literal":
                add(*self._literal(word, part))
                continue
            values = self._values(word, part)
            if len(values) + len(fields) > LIMIT_RUNS:
                raise self.unresolvable("a value grows too long to follow", word.text, word.start)
            if part.quoted:
                many = part.kind == "parameter" and (part.name == "@" or part.index == "@")
                if many:
                    for index, value in enumerate(values):
                        if index:
                            fields.append(current or [])
                            current = None
                        add(*(run.requoted(True) for run in value))
                    continue
                add()
                for index, value in enumerate(values):
                    if index:
                        add(Run(self._joint(word, part), quoted=True))
                    add(*(run.requoted(True) for run in value))
                continue
            separators = self._separators(word, part)
            for index, value in enumerate(values):
                if index and current is not None:
                    fields.append(current)
                    current = None
                for run in value:
                    if run.unknown or run.quoted:  # quoted: "b c" of ${a:-"b c"}
                        add(run)
                        after_blank = False
                        continue
                    for match in separators.finditer(run.text):
                        if match.group(1) is None:
                            piece = run.part(match.start(), match.end())
                            piece.quoted = False
                            add(piece)
                            after_blank = False
                            continue
                        blank = not match.group(1).strip(" \t\n")
                        if current is not None or not (blank or after_blank):
                            fields.append(current or [])
                            after_blank = blank
                        elif not blank:
                            after_blank = False
                        current = None
                        if len(fields) > LIMIT_RUNS:
                            raise self.unresolvable("a value grows too long to follow", word.text, word.start)
        if current is not None:
            fields.append(current)
        for field in fields:
            self._weigh(field, word)
        return fields

    def _braces(self, word: Word) -> List[Value]:
        """The words that ``a{b,c}d`` or ``a{1..3}`` stands for; none where there is more to it than that."""
        places = [
            (part, match)
            for part in word.parts
            if part.kind == "literal" and not part.quoted
            for match in _BRACES.finditer(word.characters(part))
        ]
        if len(places) != 1 or any(part.kind != "literal" for part in word.parts):
            return []
        braced, match = places[0]
        start = braced.start + match.start(1)
        inner = match.group(1)
        numbers = re.match(r"([0-9]{1,3})\.\.([0-9]{1,3})\Z", inner)
        choices: List[Value] = []
        if numbers is not None and "0" not in (numbers.group(1)[:1], numbers.group(2)[:1]):
            low, high = int(numbers.group(1)), int(numbers.group(2))
            choices = [
                [Run(str(number))] for number in (range(low, high + 1) if low <= high else range(low, high - 1, -1))
            ]
        elif "," in inner:
            for choice in inner.split(","):
                choices.append(word.text.runs(start, start + len(choice), False))
                start += len(choice) + 1
        found: List[Value] = []
        for chosen in choices:
            value: Value = []
            for part in word.parts:
                if part is not braced:
                    value.extend(self._literal(word, part))
                    continue
                value.extend(word.text.runs(part.start, part.start + match.start(), False) + chosen)
                value.extend(word.text.runs(part.start + match.end(), part.end, False))
            if value:
                found.append(value)
        return found

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
                home = self.variables.get("HOME") if match.group(0) == "~" else None
                known = home is not None and home.array is None and not unknown_of(home.value, True)
                result.extend(
                    [run.requoted(True) for run in home.value]
                    if home is not None and known
                    else [self.unknown("a home directory", word, part, harmless=True)]
                )
                done = part.start + match.end()
        return result + word.text.runs(done, part.end, False)

    def _values(self, word: Word, part: Part) -> List[Value]:
        """What a part expands to: one value, or several for ``$@`` and arrays."""
        if part.kind == "parameter":
            return self._parameter(word, part)
        if part.kind == "command":
            return [self._substitution(word, part)]
        if part.kind == "arithmetic":
            number = calculate(word.text.characters[part.start + 3 : part.end - 2])
            if number is not None:
                return [[Run(str(number), quoted=part.quoted)]]
            return [[self.unknown("an arithmetic expansion", word, part, harmless=True)]]
        return [[self.unknown("a process substitution", word, part, harmless=True)]]

    def _parameter(self, word: Word, part: Part) -> List[Value]:
        if self.dialect == DASH and (
            part.index is not None or part.operator[:1] in _BASH_OPERATORS or part.operator == ":"
        ):
            raise Exit(False)  # "Bad substitution"
        values, is_set = self._plain_parameter(word, part)
        for value in values:
            self._weigh(value, word)
        values = [[run.requoted(part.quoted) for run in value] for value in values]
        if (
            self.stops_on_unset
            and not is_set
            and (part.length or not {part.name, part.index} & {"@", "*"})
            and (part.length or part.operator not in _ASKS_WHETHER_SET)
            and not any(map(unknown_of, values))
        ):
            raise Exit(False)
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
            use_word = null if operator[0] == ":" else not is_set
            if operator[-1] == "+":
                return [self.single(part.argument)] if part.argument and not use_word else [[]]
            if not use_word:
                return values
            if operator[-1] == "?":
                raise Exit(False)
            value = self.single(part.argument) if part.argument else []
            if operator[-1] == "=":
                self.assign(part.name, value)
                value = [run.requoted(part.quoted) for run in value]
            return [value]
        if operator in ("%", "%%", "#", "##") and part.argument is not None:
            pattern = self.single(part.argument)
            if (
                unknown_of(pattern, True) is None
                and reason is None
                and all(len(text_of(value)) <= LIMIT_MATCH for value in values)
            ):
                held = self.pattern(pattern, sum(len(text_of(value)) for value in values))
                return [[run.requoted(part.quoted) for run in strip_match(value, operator, held)] for value in values]
        if reason is None and operator != "!":
            changed = [self._changed(value, operator, part.argument) for value in values]
            if None not in changed:
                return [[run.requoted(part.quoted) for run in value or []] for value in changed]
        return [[self.unknown("${%s%s…}" % (part.name, operator), word, part)]]

    def pattern(self, value: Value, against: int) -> Pattern:
        """A pattern that is to be held against so many characters."""
        pattern = Pattern(value)
        size = len(pattern)
        # Each set of characters is compiled; each kind of character is held against each of the pattern's once.
        self.spend(
            5
            + 30 * sum(run.text.count("[") for run in value)
            + min(against, 256) * size // 16
            + against * (size // 512 + 1) // 4
        )
        return pattern

    def _changed(self, value: Value, operator: str, argument: Optional[Word]) -> Optional[Value]:
        """What bash's ``${a:1:2}``, ``${a/b/c}``, ``${a^^}`` and ``${a,,}`` make of a known value, or None."""
        text = text_of(value)
        given = self.single(argument) if argument is not None else []
        if unknown_of(given, True):
            return None
        if operator == ":":
            match = re.match(r"([0-9]{1,18})(?::([0-9]{1,18}))?\Z", text_of(given))
            if match is None:
                return None
            first = int(match.group(1))
            rest = without_first(value, min(first, len(text)))
            return first_of(rest, int(match.group(2))) if match.group(2) else rest
        if operator == "@":
            return [Run("'"), *value, Run("'")] if text_of(given) == "Q" and "'" not in text else None
        if operator[0] in "^,":
            if given or max(text, default="") > "\x7f":
                return None
            count = len(text) if len(operator) == 2 else 1
            head = text[:count].upper() if operator[0] == "^" else text[:count].lower()
            return value if head == text[:count] else [Run(head)] + without_first(value, count)
        parts = text_of(given).split("/")
        # bash 5.2 puts what was found in the place of "&".
        if (
            operator not in ("/", "//")
            or len(parts) > 2
            or not re.match(r"[\w.:=,;|+ \t\n-]+\Z", parts[0])
            or re.search(r"[&\\]", "".join(parts[1:]))
        ):
            return None
        if parts[0] not in text:
            return value
        count = text.count(parts[0]) if operator == "//" else 1
        if len(text) + count * len("".join(parts[1:])) > LIMIT_VALUE:
            return None
        result: Value = []
        done = 0
        self.spend(count + len(value), 8 * len(text))
        whole = Text.from_value(value)
        for _number in range(count):
            place = text.index(parts[0], done)
            result += whole.runs(done, place, False) + [Run("".join(parts[1:]))]
            done = place + len(parts[0])
        return result + whole.runs(done, len(text), False)

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
        if (
            name == "-"
            and self.dialect == DASH
            and not (self.all_exported or self.stops_on_failure or self.stops_on_unset)
        ):
            return [[]], True
        if name in "?$!-":
            # "$-" can be nothing at all, and what follows it then is no option.
            return [[self.unknown("$" + name, word, part, harmless=name != "-")]], True
        if name == "0":
            return [[Run(self.zero)]], True
        if name.isdigit():
            number = number_of(name) or 1 << 20
            return ([self.arguments[number - 1]], True) if number <= len(self.arguments) else ([[]], False)
        variable = self.lookup(name)
        if variable is None:
            if part.index in ("@", "*") and self.closed:
                return [], False
            if name == "BASH_SOURCE" and self.dialect == BASH:
                if part.index not in (None, "0"):
                    return [[self.unknown("who called the script", word, part, harmless=True)]], True
                path = word.text.path
                return [[Run(self.called.get(path, path) if path else self.zero)]], True
            if name == "PWD" and self.folder is not None and part.index is None:
                return [[Run(self.folder)]], True
            if name == "IFS":
                return [[Run(" \t\n")]], True
            if name in _PROVIDED:
                return [[self.unknown("$%s is set when the script starts" % name, word, part, harmless=True)]], True
            if not self.closed:
                return [
                    [self.unknown("$%s comes from the environment of whoever starts the script" % name, word, part)]
                ], False
            return [[]], False
        if part.index is not None:
            elements = variable.array if variable.array is not None else [variable.value]
            if part.index in ("@", "*"):
                return list(elements), bool(elements)
            place = number_of(part.index)
            if place is not None:
                return ([elements[place]], True) if place < len(elements) else ([[]], False)
            return [[self.unknown("an array element", word, part)]], True
        return [variable.value], variable.array is None or bool(variable.array)

    def globbed(self, fields: List[Value], text: Text, start: int) -> List[Value]:
        """Words with the paths that patterns stand for; what cannot be known stays as it is."""
        raise NotImplementedError

    def _substitution(self, word: Word, part: Part) -> Value:
        raise NotImplementedError

    def _restore(self, name: str, variable: Optional[Variable]) -> None:
        if variable is None:
            self.variables.pop(name, None)
        else:
            self.variables[name] = variable

    def parsed(self, text: Text) -> Node:
        """The tree of a text; files are parsed once, however many ways there are through them."""
        if text.path is None:
            return self.parsed_once(text, "no valid shell text: ", text)
        try:
            return parsed(self.files, text, self.dialect, lambda: self._parses(text, text, 0)).tree
        except ShellSyntaxError as error:
            raise self.unresolvable("no valid shell text: " + error.message, text, error.position)

    def parsed_once(self, text: Text, what: str, place: Text, position: Optional[int] = None) -> Node:
        """The tree of a text; ``place`` and ``position`` say which command wants it."""
        self._parses(text, place, position or 0)
        try:
            return parse(text, self.dialect)[0]
        except ShellSyntaxError as error:
            raise self.unresolvable(what + error.message, place, error.position if position is None else position)

    def _parses(self, text: Text, place: Text, position: int) -> None:
        self.spend(1, 8 * len(text.characters), place, position)


def _is_brace_expansion(characters: str) -> bool:
    return "{" in characters and any(
        "," in match.group(1) or ".." in match.group(1) for match in _BRACES.finditer(characters)
    )

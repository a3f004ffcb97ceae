# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One shell process as :mod:`_walk` walks it: its variables, and what its words stand for.

Private to this collection. Python 3.6+, standard library only.
"""

import re
from typing import Dict, List, Optional, Sequence, Set, Tuple

from ..text._characters import EMPTY, Run, Value
from ..text._pattern import LIMIT_MATCH, Pattern
from ..text._value import Text, Unresolvable, line_of
from ._cursor import ShellSyntaxError
from ._nodes import ArithmeticExpansion, Assignment, Block, CommandSubstitution, Literal, Parameter, Part, Word
from ._parser import BASH, DASH, parse
from ._patterns import calculate, number_of, set_by_calculating, strip_match
from ._read import parsed
from ._session import Session
from ._state import State, Variable

LIMIT_RUNS = 20000  # pieces of one value: X="$X$X" doubles them
LIMIT_VALUE = 1 << 20  # characters of one value; the kernel starts no program with so long a word
#: What all ways through a launch script may cost together, counted in the time that it takes to copy a piece of a value
#: (about a microsecond). A product's launcher takes some thousands.
LIMIT_PATH = 4096  # characters of a path that the kernel takes
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
#: From where, and how many: a number that begins with 0 is octal.
_FROM_TO = re.compile(r"(0|[1-9][0-9]{0,5})(?::(0|[1-9][0-9]{0,5}))?\Z")
_TILDE = re.compile(r"(?:\A|(?<=:))~[A-Za-z0-9_.-]*(?=[/:]|\Z)")
_BRACES = re.compile(r"\{([^{}\s]*)\}")
_DEFAULT_SEPARATORS = re.compile(r"([ \t\n]+)|[^ \t\n]+")


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


class Words:
    """A shell process: its variables, and what its words stand for."""

    def __init__(
        self,
        session: Session,
        dialect: str = BASH,
        zero: str = "",
        arguments: Sequence[Value] = (),
        environment: Optional[Dict[str, Value]] = None,
        closed: bool = True,
        depth: int = 0,
        folder: Optional[str] = None,
    ) -> None:
        self.session = session
        self.files = session.files
        self.oracle = session.oracle
        self.state = State(environment or {}, arguments, folder)
        self.dialect = dialect
        self.zero = zero
        self.closed = closed
        self.fresh = False  # a login began it: of the variables that somebody asks for, all are known
        self.depth = depth
        self.to_shell = False  # what is printed is given to a shell
        self.forgiving = 0  # inside a condition, where set -e does not count
        self.input: Optional[List[Value]] = None  # what is left of the standard input, one item; None: not known
        self.returns = 0  # functions and sourced files around the present command
        self.loops = 0  # loops around the present command
        self.status: Optional[bool] = True  # of the last command
        self.temporary: Set[str] = set()  # assigned in front of the function that is running
        self.not_to_unset: Set[str] = set()  # in front of that, or of what else runs: "eval", "."

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

    def unknown(self, reason: str, word: Word, part: Part, harmless: bool = False) -> Value:
        """An unknown stretch, its reason ending in file and line."""
        path, offset = word.text.origin(part.start)
        where = ""
        if path is not None:
            try:
                where = " (%s:%d)" % (path, line_of(self.files.host.read(path), offset))
            except (OSError, ValueError):
                where = " (%s)" % path
        return Value((Run("", path, offset, part.quoted, reason + where, harmless),))

    def absolute(self, path: str) -> Optional[str]:
        """A path from the root, as the kernel takes it; None where it is relative to an unknown folder."""
        if path.startswith("/"):
            return path
        if self.state.folder is None or not path:
            return None
        place = (
            self.state.folder.rstrip("/") + "/" + "/".join(part for part in path.split("/") if part not in ("", "."))
        )
        try:
            return self.files.canonical(place) if ".." in path.split("/") else place
        except OSError:
            return place

    def _names(self, place: str) -> List[str]:
        """A place by its own name, and by that of what it is a link to; none where no program could open it."""
        if len(place) > LIMIT_PATH:
            return []
        try:
            return [place, self.files.canonical(place)]
        except OSError:
            return [place]

    def writes(self, place: str, surely: bool, below: bool = False) -> None:
        """Remember what a command may write, or does, perhaps with all ``below``: it is not known from then on."""
        names = [name.rstrip("/") for name in self._names(place.rstrip("/") or "/")]
        names = [name for name in names if name] + [name + "/" for name in names if below]
        self.oracle.touched.update(names)
        if surely:
            self.oracle.written.update(names)

    def is_among(self, place: str, places: Set[str]) -> bool:
        """Whether a file is one of those that were remembered, by whichever name."""
        if not places:
            return False
        names = self._names(place)
        return not places.isdisjoint(
            names + [name[: at + 1] for name in names for at, character in enumerate(name) if character == "/"]
        )

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
        count, size = len(value.runs), len(value.text)
        if count > LIMIT_RUNS or size > LIMIT_VALUE:
            raise self.unresolvable("a value grows too long to follow", word.text, word.start)
        self.spend(count, size, word.text, word.start)

    # -- variables ----------------------------------------------------------------------------

    def lookup(self, name: str) -> Optional[Variable]:
        """A variable, or None where it is not set (as far as is known)."""
        self.session.names.setdefault(name)
        return self.state.variables.get(name)

    def assign(
        self,
        name: str,
        value: Value,
        append: bool = False,
        array: Optional[List[Value]] = None,
        element: Optional[str] = None,
    ) -> None:
        """``NAME=value`` and its variants."""
        if name in self.state.read_only:
            if self.dialect == DASH:
                raise Exit(False)
            raise Unresolvable("$%s is assigned although it is read-only" % name)
        old = self.state.variables.get(name)
        if old is not None and (append or element is not None or old.array is not None):
            self.spend(len(old.value.runs) + len(old.array or ()))
        exported = self.state.all_exported or name in self.state.marked_exported or (old is not None and old.exported)
        if old is None and append and not self.closed:
            old = Variable(Value.unknown_for("$%s may be set before the script starts" % name))
        if array is not None:
            elements = list(array)
            if append and old is not None and old.array is None and old.value.unknown():
                # Not even whether it is set is known, so neither is the number of elements.
                unknown = Value.unknown_for("$%s may be unset before it is appended to" % name)
                self.state.variables[name] = Variable(unknown, [unknown, unknown], exported)
                return
            if append and old is not None:
                elements = (old.array if old.array is not None else [old.value]) + elements
            self.state.variables[name] = Variable(elements[0] if elements else EMPTY, elements, exported)
            return
        if element is not None:
            self._assign_element(name, value, append, element, exported)
            return
        if append and old is not None:
            if old.array is not None:
                elements = list(old.array) or [EMPTY]
                elements[0] = elements[0] + value
                self.state.variables[name] = Variable(elements[0], elements, exported)
                return
            value = old.value + value
            if len(value.runs) > LIMIT_RUNS or len(value.text) > LIMIT_VALUE:
                raise Unresolvable("$%s grows too long to follow" % name)
        elif old is not None and old.array is not None and self.dialect == BASH:
            elements = [value] + old.array[1:]
            self.state.variables[name] = Variable(value, elements, exported)
            return
        self.state.variables[name] = Variable(value, None, exported)

    def _assign_element(self, name: str, value: Value, append: bool, element: str, exported: bool) -> None:
        old = self.state.variables.get(name)
        elements = [] if old is None else list(old.array) if old.array is not None else [old.value]
        if re.match(r"\$\{#%s\[[@*]\]\}\Z" % name, element):
            if old is None and self.state.stops_on_unset:
                raise Exit(False)
            if self.state.stops_on_unset and old is not None and old.array is None:
                raise Unresolvable("bash takes $%s for unset there, because it is no array" % name)
            element = str(len(elements))
        number = number_of(element)
        if number is None or number > len(elements) or (old is None and not self.closed):
            raise Unresolvable("the array %s is built element by element" % name)
        elements[number : number + 1] = [elements[number] + value if append and number < len(elements) else value]
        self.state.variables[name] = Variable(elements[0], elements, exported)

    def do_assignment(self, assignment: Assignment) -> str:
        """Carry out an assignment; returns the name."""
        if assignment.array is not None:
            elements: List[Value] = []
            for word in assignment.array:
                if re.match(r"\[[^\]]*\]=", word.literal() or ""):
                    raise self.unresolvable("an array with indexes", assignment.text, word.start)
                elements.extend(self.globbed(self.fields(word), word.text, word.start))
            self.assign(assignment.name, EMPTY, assignment.append, array=elements)
        elif assignment.word is not None:
            self.assign(assignment.name, self.single(assignment.word), assignment.append, element=assignment.element)
        return assignment.name

    def exported(self) -> Dict[str, Value]:
        """The environment that a command started now would get."""
        self.spend(len(self.state.variables) // 8)
        return {
            name: variable.value
            for name, variable in self.state.variables.items()
            if variable.exported and variable.array is None
        }

    # -- expansion ----------------------------------------------------------------------------

    def single(self, word: Word) -> Value:
        """A word where no field splitting happens (an assignment, a here-string, ``case``)."""
        runs: List[Run] = []
        self.spend(len(word.parts), word.end - word.start, word.text, word.start)
        fixed = word.fixed
        if fixed:
            self._weigh(fixed, word)
            return fixed
        for part in word.parts:
            if isinstance(part, Literal):
                runs.extend(self._literal(word, part, colons=True))
            else:
                argument = part.argument if isinstance(part, Parameter) else None
                for index, value in enumerate(self._values(word, part)):
                    if index:
                        runs.append(Run(self._joint(word, part)))
                    runs.extend(run.requoted(part.quoted or (run.quoted and argument is not None)) for run in value)
            if len(runs) > LIMIT_RUNS:
                break
        result = Value(runs)
        self._weigh(result, word)
        return result

    def _separators(self, word: Word, part: Part) -> "re.Pattern[str]":
        """A pattern that takes a value apart at the characters of IFS: separators are its group."""
        variable = self.state.variables.get("IFS")
        if variable is None:
            return _DEFAULT_SEPARATORS
        if variable.value.unknown(True):
            raise self.unresolvable("IFS is changed", word.text, part.start)
        text = variable.value.text
        blanks = "".join(re.escape(char) for char in text if char in " \t\n")
        others = "".join(re.escape(char) for char in text if char not in " \t\n")
        kinds = ["[%s]*[%s][%s]*" % (blanks, others, blanks) if blanks else "[%s]" % others] if others else []
        kinds += ["[%s]+" % blanks] if blanks else []
        return re.compile("(%s)|[^%s]+" % ("|".join(kinds), blanks + others) if kinds else r"(?!)(x)|[\s\S]+")

    def _joint(self, word: Word, part: Part) -> str:
        """What stands between the elements of ``$*`` and ``$@`` where they become one word."""
        variable = self.state.variables.get("IFS")
        if variable is None or (self.dialect == BASH and _is_all(part)):
            return " "
        if variable.value.unknown(True):
            raise self.unresolvable("IFS is changed", word.text, part.start)
        return variable.value.text[:1]

    def fields(self, word: Word) -> List[Value]:  # noqa: C901 -- one branch a part of a word
        """A word in a command line: expanded and split into fields."""
        self.spend(len(word.parts), word.end - word.start, word.text, word.start)
        fixed = word.fixed
        if fixed:
            self._weigh(fixed, word)
            return [fixed]
        if self.dialect == BASH and any(
            isinstance(part, Literal) and not part.quoted and _is_brace_expansion(word.characters(part))
            for part in word.parts
        ):
            return self._braces(word) or [self.unknown("a brace expansion", word, word.parts[0])]
        fields: List[Value] = []
        current: Optional[List[Run]] = None
        after_blank = False  # the field before was ended by a blank, so that a separator behind it ends none

        def add(*runs: Run) -> None:
            nonlocal current
            if current is None:
                current = []
            current.extend(runs)

        for part in word.parts:
            if isinstance(part, Literal):
                add(*self._literal(word, part))
                continue
            values = self._values(word, part)
            if len(values) + len(fields) > LIMIT_RUNS:
                raise self.unresolvable("a value grows too long to follow", word.text, word.start)
            if part.quoted:
                if _is_all(part):
                    for index, value in enumerate(values):
                        if index:
                            fields.append(Value(current or ()))
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
                    fields.append(Value(current))
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
                            fields.append(Value(current or ()))
                            after_blank = blank
                        elif not blank:
                            after_blank = False
                        current = None
                        if len(fields) > LIMIT_RUNS:
                            raise self.unresolvable("a value grows too long to follow", word.text, word.start)
        if current is not None:
            fields.append(Value(current))
        for field in fields:
            self._weigh(field, word)
        return fields

    def _braces(self, word: Word) -> List[Value]:
        """The words that ``a{b,c}d`` or ``a{1..3}`` stands for; none where there is more to it than that."""
        places = [
            (part, match)
            for part in word.parts
            if isinstance(part, Literal) and not part.quoted
            for match in _BRACES.finditer(word.characters(part))
        ]
        if len(places) != 1 or word.literal() is None:
            return []
        braced, match = places[0]
        start = braced.start + match.start(1)
        inner = match.group(1)
        numbers = re.match(r"([0-9]{1,3})\.\.([0-9]{1,3})\Z", inner)
        choices: List[Value] = []
        if numbers is not None and "0" not in (numbers.group(1)[:1], numbers.group(2)[:1]):
            low, high = int(numbers.group(1)), int(numbers.group(2))
            choices = [
                Value.of(str(number)) for number in (range(low, high + 1) if low <= high else range(low, high - 1, -1))
            ]
        elif "," in inner:
            for choice in inner.split(","):
                choices.append(word.text.runs(start, start + len(choice), False))
                start += len(choice) + 1
        found: List[Value] = []
        for chosen in choices:
            value: List[Run] = []
            for part in word.parts:
                if part is braced:
                    value.extend(word.text.runs(part.start, part.start + match.start(), False) + chosen)
                    value.extend(word.text.runs(part.start + match.end(), part.end, False))
                elif isinstance(part, Literal):
                    value.extend(self._literal(word, part))
            if value:
                found.append(Value(value))
        return found

    def _literal(self, word: Word, part: Literal, colons: bool = False) -> Value:
        if part.decoded:
            return Value((Run(part.decoded, quoted=True),))
        if part.start == part.end:
            return Value((Run("", quoted=True),)) if part.quoted else EMPTY
        if part.quoted or "~" not in word.characters(part):
            return word.text.runs(part.start, part.end, part.quoted)
        # ~ and ~user are somebody's home; behind a colon only in assignments.
        result: List[Run] = []
        done = part.start
        for match in _TILDE.finditer(word.characters(part)):
            if (colons and match.start()) or part.start + match.start() == word.start:
                result.extend(word.text.runs(done, part.start + match.start(), False))
                home = self.state.variables.get("HOME") if match.group(0) == "~" else None
                known = home is not None and home.array is None and not home.value.unknown(True)
                result.extend(
                    home.value.requoted(True)
                    if home is not None and known
                    else self.unknown("a home directory", word, part, harmless=True)
                )
                done = part.start + match.end()
        return Value([*result, *word.text.runs(done, part.end, False)])

    def _values(self, word: Word, part: Part) -> List[Value]:
        """What a part expands to: one value, or several for ``$@`` and arrays."""
        if isinstance(part, Parameter):
            return self._parameter(word, part)
        if isinstance(part, CommandSubstitution):
            return [self._substitution(word, part)]
        if isinstance(part, ArithmeticExpansion):
            number = self.calculated(part.expression)
            if number is not None:
                return [Value((Run(str(number), quoted=part.quoted),))]
            return [self.unknown("an arithmetic expansion", word, part, harmless=True)]
        return [self.unknown("a process substitution", word, part, harmless=True)]

    def calculated(self, expression: str) -> Optional[int]:
        """The value of an expression of numbers alone, else None; what it sets holds a number that is not known."""
        self.spend(1, len(expression))
        for name in set_by_calculating(expression):
            old = self.state.variables.get(name)
            number = Value((Run("", unknown="$%s is calculated" % name, harmless=True),))
            elements = [number, number] if old is not None and old.array is not None else None
            self.state.variables[name] = Variable(number, elements, old is not None and old.exported)
        return calculate(expression)

    def _parameter(self, word: Word, part: Parameter) -> List[Value]:  # noqa: C901 -- one branch an operator
        if self.dialect == DASH and (
            part.index is not None or part.operator[:1] in _BASH_OPERATORS or part.operator == ":"
        ):
            raise Exit(False)  # "Bad substitution"
        values, is_set = self._plain_parameter(word, part)
        for value in values:
            self._weigh(value, word)
        values = [value.requoted(part.quoted) for value in values]
        if (
            self.state.stops_on_unset
            and not is_set
            and (part.length or not {part.name, part.index} & {"@", "*"})
            and (part.length or part.operator not in _ASKS_WHETHER_SET)
            and not any(value.unknown() for value in values)
        ):
            raise Exit(False)
        if part.length:
            return [self.unknown("a length", word, part, harmless=True)]
        if not part.operator:
            return values
        null = not any(value.text or value.unknown(True) for value in values)
        reason = next((value.unknown(True) for value in values if value.unknown(True)), None)
        operator = part.operator
        if operator == ":" and {part.name, part.index} & {"@", "*"}:
            return self._slice(word, part, values)
        if operator in _ASKS_WHETHER_SET:
            if reason and (operator[0] == ":" or not is_set) and not any(value.text for value in values):
                # Neither "set" nor "empty" is known of it.
                is_set = self.oracle.choose(2) == 0
                if not is_set:
                    null, reason = True, None
            use_word = null if operator[0] == ":" else not is_set
            if operator[-1] == "+":
                return [self.single(part.argument)] if part.argument and not use_word else [EMPTY]
            if not use_word:
                return values
            if operator[-1] == "?":
                raise Exit(False)
            value = self.single(part.argument) if part.argument else EMPTY
            if operator[-1] == "=":
                self.assign(part.name, value)
                value = value.requoted(part.quoted)
            return [value]
        if operator in ("%", "%%", "#", "##") and part.argument is not None:
            pattern = self.single(part.argument)
            if (
                pattern.unknown(True) is None
                and reason is None
                and all(len(value.text) <= LIMIT_MATCH for value in values)
            ):
                held = self.pattern(pattern, sum(len(value.text) for value in values))
                return [strip_match(value, operator, held).requoted(part.quoted) for value in values]
        if reason is None and operator != "!":
            changed = [self._changed(value, operator, part.argument) for value in values]
            if None not in changed:
                return [(value or EMPTY).requoted(part.quoted) for value in changed]
        return [self.unknown("${%s%s…}" % (part.name, operator), word, part)]

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

    def _slice(self, word: Word, part: Parameter, values: List[Value]) -> List[Value]:
        """``${a[@]:1:2}``, ``${@:2}``: so many of the elements; the first argument of a script is its number 1."""
        given = self.single(part.argument) if part.argument is not None else EMPTY
        match = _FROM_TO.match(given.text) if given.unknown(True) is None else None
        variable = self.state.variables.get(part.name)
        counted = self.state.arguments
        if part.index is not None:
            counted = variable.array or [] if variable is not None else []
        if match is None or (part.index is not None and variable is not None and variable.array is None):
            return [self.unknown("${%s:…}" % part.name, word, part)]
        if part.index is None:
            values = [Value.of(self.zero).requoted(part.quoted), *values]
            counted = [EMPTY, *counted]
        first = int(match.group(1))
        last = first + int(match.group(2)) if match.group(2) else None
        if uncounted(counted[:last]):
            return [self.unknown("${%s:…}" % part.name, word, part)]
        return values[first:last]

    def _changed(self, value: Value, operator: str, argument: Optional[Word]) -> Optional[Value]:
        """What bash's ``${a:1:2}``, ``${a/b/c}``, ``${a^^}`` and ``${a,,}`` make of a known value, or None."""
        text = value.text
        given = self.single(argument) if argument is not None else EMPTY
        if given.unknown(True):
            return None
        if operator == ":":
            match = _FROM_TO.match(given.text)
            if match is None:
                return None
            first = int(match.group(1))
            rest = value[min(first, len(text)) :]
            return rest[: int(match.group(2))] if match.group(2) else rest
        if operator == "@":
            return Value([Run("'"), *value, Run("'")]) if given.text == "Q" and "'" not in text else None
        if operator[0] in "^,":
            if given or max(text, default="") > "\x7f":
                return None
            count = len(text) if len(operator) == 2 else 1
            head = text[:count].upper() if operator[0] == "^" else text[:count].lower()
            return value if head == text[:count] else Value.of(head) + value[count:]
        parts = given.text.split("/")
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
        result: List[Run] = []
        done = 0
        self.spend(count + len(value.runs), 8 * len(text))
        whole = Text.from_value(value)
        for _number in range(count):
            place = text.index(parts[0], done)
            result.extend(whole.runs(done, place, False) + Value.of("".join(parts[1:])))
            done = place + len(parts[0])
        return Value([*result, *whole.runs(done, len(text), False)])

    def _plain_parameter(self, word: Word, part: Parameter) -> Tuple[List[Value], bool]:  # noqa: C901 -- one branch a parameter that is none by name
        name = part.name
        if name in ("@", "*"):
            return list(self.state.arguments), bool(self.state.arguments)
        if name == "#":
            return [Value.of(str(len(self.state.arguments)))], True
        if name == "?" and self.status:
            return [Value.of("0")], True
        if name == "!" and not self.state.background:
            return [EMPTY], False
        if (
            name == "-"
            and self.dialect == DASH
            and not (self.state.all_exported or self.state.stops_on_failure or self.state.stops_on_unset)
        ):
            return [EMPTY], True
        if name in "?$!-":
            # "$-" can be nothing at all, and what follows it then is no option.
            return [self.unknown("$" + name, word, part, harmless=name != "-")], True
        if name == "0":
            return [Value.of(self.zero)], True
        if name.isdigit():
            number = number_of(name) or 1 << 20
            if uncounted(self.state.arguments[: number - 1]):
                return [self.unknown("$" + name, word, part)], True
            return (
                ([self.state.arguments[number - 1]], True) if number <= len(self.state.arguments) else ([EMPTY], False)
            )
        variable = self.lookup(name)
        if variable is None:
            if part.index in ("@", "*") and self.closed:
                return [], False
            if name == "BASH_SOURCE" and self.dialect == BASH:
                if part.index not in (None, "0"):
                    return [self.unknown("who called the script", word, part, harmless=True)], True
                path = word.text.path
                return [Value.of(self.state.called.get(path, path) if path else self.zero)], True
            if name == "PWD" and self.state.folder is not None and part.index is None:
                return [Value.of(self.state.folder)], True
            if name == "IFS":
                return [Value.of(" \t\n")], True
            if name in _PROVIDED:
                return [self.unknown("$%s is set when the script starts" % name, word, part, harmless=True)], True
            if not self.closed:
                return [
                    self.unknown("$%s comes from the environment of whoever starts the script" % name, word, part)
                ], False
            return [EMPTY], False
        if part.index is not None:
            elements = variable.array if variable.array is not None else [variable.value]
            if part.index in ("@", "*"):
                return list(elements), bool(elements)
            place = number_of(part.index)
            if place is not None and not uncounted(elements[:place]):
                return ([elements[place]], True) if place < len(elements) else ([EMPTY], False)
            return [self.unknown("an array element", word, part)], True
        return [variable.value], variable.array is None or bool(variable.array)

    def globbed(self, fields: List[Value], text: Text, start: int) -> List[Value]:
        """Words with the paths that patterns stand for; what cannot be known stays as it is."""
        raise NotImplementedError

    def _substitution(self, word: Word, part: CommandSubstitution) -> Value:
        raise NotImplementedError

    def _restore(self, name: str, variable: Optional[Variable]) -> None:
        if variable is None:
            self.state.variables.pop(name, None)
        else:
            self.state.variables[name] = variable

    def parsed(self, text: Text) -> Block:
        """The tree of a text; files are parsed once, however many ways there are through them."""
        if text.path is None:
            return self.parsed_once(text, "no valid shell text: ", text)
        try:
            return parsed(self.files, text, self.dialect, lambda: self._parses(text, text, 0)).tree
        except ShellSyntaxError as error:
            raise self.unresolvable("no valid shell text: " + error.message, text, error.position)

    def parsed_once(self, text: Text, what: str, place: Text, position: Optional[int] = None) -> Block:
        """The tree of a text; ``place`` and ``position`` say which command wants it."""
        self._parses(text, place, position or 0)
        try:
            return parse(text, self.dialect)[0]
        except ShellSyntaxError as error:
            raise self.unresolvable(what + error.message, place, error.position if position is None else position)

    def _parses(self, text: Text, place: Text, position: int) -> None:
        self.spend(1, 8 * len(text.characters), place, position)


def uncounted(values: Sequence[Value]) -> bool:
    """Whether one of these words, which are not known, may be none or several."""
    return any(run.unknown and not run.quoted for value in values for run in value)


def _is_all(part: Part) -> bool:
    """True for ``$@`` and ``${array[@]}``."""
    return isinstance(part, Parameter) and "@" in (part.name, part.index)


def _is_brace_expansion(characters: str) -> bool:
    return "{" in characters and any(
        "," in match.group(1) or ".." in match.group(1) for match in _BRACES.finditer(characters)
    )

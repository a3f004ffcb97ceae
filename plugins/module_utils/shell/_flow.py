# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The compound commands of a shell: lists, pipelines, conditions, loops; what cannot be known is walked both ways.

Private to this collection. Python 3.6+, standard library only.
"""

import re
from collections import deque
from typing import Any, Callable, Deque, Dict, List, Optional, Sequence, Type, TypeVar, Union

from ..host._files import PASSING
from ..text._characters import EMPTY, Run, Value
from ..text._pattern import Pattern
from ..text._value import Text, Unresolvable
from ._nodes import (
    AndOr,
    Arithmetic,
    ArithmeticFor,
    Background,
    Block,
    Case,
    Command,
    Condition,
    Enclosed,
    For,
    Function,
    Group,
    If,
    Literal,
    Parameter,
    Pipeline,
    ProcessSubstitution,
    Select,
    Simple,
    Subshell,
    While,
    Word,
    everything_inside,
    inside,
)
from ._parser import DECLARATIONS
from ._patterns import compare, matches_regex, set_by_calculating, set_by_expanding
from ._session import Decision, Mark
from ._state import Variable
from ._words import LIMIT_WORK, Break, Exit, Leave, Words

LIMIT_STEPS = 20000
LIMIT_DEPTH = 20
LIMIT_FILES = 1000  # that a pattern stands for
LIMIT_TEST = 50  # words of one test
#: Builtins that change the shell itself; a command that is none of them (and no function) cannot.
_CHANGES_SHELL = DECLARATIONS | frozenset(
    [
        ".",
        "source",
        "eval",
        "exec",
        "set",
        "shift",
        "unset",
        "read",
        "return",
        "exit",
        "break",
        "continue",
        "getopts",
        "mapfile",
        "readarray",
        "let",
        "printf",
        "command",
        "builtin",
        "alias",
        "shopt",
        "trap",
    ]
)
#: Set by profiles and init scripts in branches that need not be told apart: never a JVM option, nor a separator.
_NO_OPTION = frozenset(
    [
        "PATH",
        "PS1",
        "PS2",
        "LANG",
        "LANGUAGE",
        "LC_ALL",
        "TERM",
        "USER",
        "LOGNAME",
        "MAIL",
        "UID",
        "EUID",
        "HOSTNAME",
        "HISTSIZE",
        "HISTCONTROL",
    ]
)
#: Stands among names that are assigned for the folder in which the shell is.
_FOLDER = "cd"
#: What starts nothing of what it reads from its input; whatever is none of these may.
_ONLY_READS = frozenset(
    "base64 cat cronolog cut egrep fgrep fold grep gzip head logger md5sum nl rotatelogs sha256sum sort tac tail tee tr"
    " true ts uniq wc".split()
)
#: What is there wherever systemd starts something.
_OF_SYSTEMD = re.compile(r"/(?:var/)?run/systemd(?:/|\Z)")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
#: Commands whose failure ends a script under ``set -e``; of the others, the commands inside do.
_FAILS = frozenset([Simple, Pipeline, Subshell, Condition, Arithmetic])
#: Commands in which nothing is but commands.
_HOLDS = (Block, Pipeline, AndOr, If, Enclosed, Background)
Result = TypeVar("Result")


class Flow(Words):
    """A shell process that walks compound commands."""

    printing: Optional[List[Run]] = None  # what was printed so far, where somebody listens

    def run(self, node: Command) -> Optional[bool]:
        """Walk a command; returns its exit status as True (0), False, or None (not known)."""
        self.oracle.steps += 1
        if self.oracle.steps > LIMIT_STEPS:
            raise self.unresolvable("the script is too long to follow", node.text, node.start)
        if node.redirections and node.fails:
            return False
        kind = type(node)
        status = self._redirected(node) if node.redirections else _RUN[kind](self, node)
        self.status = status
        if (
            status is False
            and self.state.stops_on_failure
            and not self.forgiving
            and kind in _FAILS
            and not (isinstance(node, Pipeline) and node.negated)
        ):
            self.ends(node)
            raise Exit(False)
        return status

    def _redirected(self, node: Command) -> Optional[bool]:
        """Walk a command that has redirections."""
        for redirection in node.redirections:
            if redirection.opens and redirection.operator != "<":
                self._touch(redirection.target)
        kept, to_shell = self.input, self.to_shell
        if node.input is not None:
            self.input = self._open(node)
        self.to_shell = to_shell or any(self._gives_to_shell(one.target) for one in node.redirections if one.is_output)
        try:
            return _RUN[type(node)](self, node)
        finally:
            self.input = kept
            if not (isinstance(node, Simple) and node.name == "exec"):  # with that it stays as it is
                self.to_shell = to_shell

    def _gives_to_shell(self, target: Word) -> bool:
        """Whether what is printed to a target may be started: ``>(sh)``, the descriptor of a coprocess."""
        return any(
            not (part.source or self._only_reads(part.body))
            if isinstance(part, ProcessSubstitution)
            else isinstance(part, Parameter) and bool(part.index)
            for part in target.parts
        )

    def _only_reads(self, node: Command) -> bool:
        """Whether a command starts nothing of what is printed into it."""
        self.spend(1, 0, node.text, node.start)
        if isinstance(node, (Block, Pipeline, Enclosed)):
            return all(self._only_reads(one) for one in inside(node))
        if not isinstance(node, Simple):
            return False
        name = node.name or ""
        return (
            name.rsplit("/", 1)[-1] in _ONLY_READS
            and name not in self.state.functions
            and not any(isinstance(part, ProcessSubstitution) for word in node.words for part in word.parts)
            and not any(self._gives_to_shell(one.target) for one in node.redirections)
        )

    def _touch(self, target: Word) -> None:
        """Remember a file that a command may write: what is in it is not known from then on."""
        value = self.single(target)
        place = None if value.unknown(True) else self.absolute(value.text)
        if place is not None:
            self.writes(place, True)

    def ends(self, node: Command) -> None:
        """The script ends with this command: remember why."""
        self.oracle.last = self.oracle.ended = node
        self.oracle.decisive = self.oracle.decided

    def _because(self, decision: Decision, node: Command, condition: bool = False) -> Optional[bool]:
        """Walk a command to which a decision led."""
        before, self.oracle.decided = self.oracle.decided, decision
        status = self.try_out(node) if condition else self.run(node)
        self.oracle.decided = before
        return status

    def _passes(self, decision: Decision, node: Optional[Command]) -> None:
        """Remember a decision where it leads past what starts a JVM."""
        if node is not None and self._tells_of_java(node, 0):
            self.oracle.decisive = decision

    def _tells_of_java(self, node: Command, depth: int) -> bool:
        raw = node.raw
        if self.oracle.work > LIMIT_WORK // 4:
            return False  # it is for the reason alone
        self.spend(1, len(raw), node.text, node.start)
        if re.search(r"java|jar\b|\.war\b|catalina|daemon|exec\b", raw, re.IGNORECASE):
            return True
        called = [
            self.state.functions[name] for name in re.findall(r"[A-Za-z_][\w-]*", raw) if name in self.state.functions
        ]
        return depth < 3 and any(self._tells_of_java(body, depth + 1) for body in called[:20])

    def try_out(self, node: Command) -> Optional[bool]:
        """Walk a command whose failure does not end the script under ``set -e``: a condition."""
        self.forgiving += 1
        try:
            return self.run(node)
        finally:
            self.forgiving -= 1

    def decide(self, status: Optional[bool]) -> bool:
        """A status that is not known is walked both ways."""
        return status if status is not None else self.oracle.choose(2) == 0

    def inert(self, node: Command) -> bool:
        """True where nothing in a command can change the shell or start a JVM, whichever way it goes."""
        self.spend(1, 0, node.text, node.start)
        if node.redirections or isinstance(node, (Simple, Condition, Arithmetic)):
            raw = node.raw
            self.spend(0, len(raw), node.text, node.start)
            if set_by_expanding(raw):
                return False
        if isinstance(node, Simple):
            if not node.words:
                return all(assignment.name in _NO_OPTION for assignment in node.assignments)
            name = node.name
            if node.assignments or not name or name in _CHANGES_SHELL:
                return False
            if name in self.state.functions:
                return self.depth < LIMIT_DEPTH and _guarded(self, name)
            return re.search(r"java|jar|\.sh\b|-c\b", raw, re.IGNORECASE) is None
        if isinstance(node, _HOLDS):
            return all(self.inert(one) for one in inside(node))
        return isinstance(node, (Condition, Arithmetic))

    def _forget(self, passed_over: Sequence[Command]) -> None:
        """What inert commands may have set, or written, that were passed over."""
        self._may_write(passed_over)
        for name in self._assigned(passed_over):
            if name == _FOLDER:
                self.state.folder = None
                continue
            old = self.state.variables.get(name)
            unknown = Run("", None, 0, False, "$%s depends on a condition" % name, harmless=True)
            self.state.variables[name] = Variable(Value((unknown,)), None, old is not None and old.exported)

    def _may_write(self, passed_over: Sequence[Command]) -> None:
        kept = self.state.arguments
        waiting = [(command, kept) for command in passed_over]
        called = 0
        while waiting:
            command, self.state.arguments = waiting.pop()
            waiting.extend((one, self.state.arguments) for one in inside(command))
            self.spend(1)
            targets = [one.target for one in command.redirections if one.opens and one.operator != "<"]
            for place in [self.absolute(self._plain(target)) for target in targets]:
                if place is not None:
                    self.writes(place, True)
            if not isinstance(command, Simple) or not command.words:
                continue
            texts = [self._plain(word) for word in command.words]
            body = self.state.functions.get(command.name or "")
            if body is None and command.name not in (".", "source", "cd", "test", "["):
                self.touches(texts)
            elif body is not None and called < LIMIT_DEPTH:
                called += 1
                waiting.append((body, [Value.of(text) for text in texts[1:]]))
        self.state.arguments = kept

    def _plain(self, word: Word) -> str:
        """The text of a word, with what is known of plain variables in it."""
        parts = [part for part in word.parts if not isinstance(part, Literal)]
        if not all(isinstance(part, Parameter) and not part.operator for part in parts):
            return word.literal() or ""
        try:
            value = self.single(word)
        except (Leave, Unresolvable):
            return ""
        return "" if value.unknown(True) else value.text

    def touches(self, texts: Sequence[str]) -> None:
        raise NotImplementedError

    def _run_simple(self, node: Simple) -> Optional[bool]:
        raise NotImplementedError

    def _run_block(self, node: Block) -> Optional[bool]:
        status: Optional[bool] = True
        oracle = self.oracle
        block = oracle.steps, len(oracle.taken), node.text.path, node.start
        mark = oracle.reached.get(block)
        if mark is not None:  # a way before this one began the same, up to here
            self.state = mark.go_on(self.session)
            self.input, self.status = None, mark.status
            status = mark.status
        for index in range(0 if mark is None else mark.index, len(node.commands)):
            if index and oracle.marks_now and self.input is None and self.printing is None:
                oracle.marks.append(Mark(block, index, status, self.state, self.session))
            status = self.run(node.commands[index])
        return status

    def _run_and_or(self, node: AndOr) -> Optional[bool]:
        status: Optional[bool] = None
        for index, (operator, item) in enumerate(node.items):
            last = index == len(node.items) - 1
            if not operator:
                status = self.try_out(item)
                continue
            if status is None and all(self.inert(rest) for _operator, rest in node.items[index:]):
                self._forget([rest for _operator, rest in node.items[index:]])
                return None
            decision = Decision(node.items[index - 1][1], status)
            if self.decide(status) == (operator == "&&"):
                status = self._because(decision, item, not last)
                continue
            self._passes(decision, item)
            if status is None:
                status = operator == "||"
        return status

    def _run_pipeline(self, node: Pipeline) -> Optional[bool]:
        if len(node.commands) == 1:
            status = self.try_out(node.commands[0])
        else:
            status = None
            kept, self.input = self.input, None
            outer = self.to_shell
            starts = [index for index, item in enumerate(node.commands) if not self._only_reads(item)]
            for index, item in enumerate(node.commands):
                self.to_shell = outer or (bool(starts) and index < starts[-1])
                status = self._apart(item)
            self.input, self.to_shell = kept, outer
        return (not status) if node.negated and status is not None else status

    def _apart(self, node: Command) -> Optional[bool]:
        """A command in a process of its own: what it changes is lost."""
        self.spend(len(self.state.variables), 0, node.text, node.start)

        def work() -> Optional[bool]:
            status: Optional[bool] = None
            try:
                status = self.run(node)
            except Leave as leave:
                status = leave.status
            except Break:
                pass
            self._run_trap()
            return status

        return self._separately(work)

    def _separately(self, work: Callable[[], Result]) -> Result:
        """Something in a process of its own."""
        self.spend(len(self.state.variables))
        kept, self.state = self.state, self.state.copy()
        self.state.traps = {}  # shells set them back
        try:
            return work()
        finally:
            self.state = kept

    def _run_trap(self) -> None:
        """What a shell process does at its end, where that may start a JVM."""
        action = self.state.traps.pop("EXIT", None)
        if action is None:
            return
        text = Text.from_value(action)
        tree = self.parsed_once(text, "'trap' of no valid shell text: ", text, 0)
        if self.oracle.work > LIMIT_WORK // 4 or self._tells_of_java(tree, 0):
            try:
                self.run(tree)
            except (Leave, Break):
                pass

    def _run_subshell(self, node: Subshell) -> Optional[bool]:
        return self._apart(node.body)

    def _run_background(self, node: Background) -> Optional[bool]:
        self.state.background = True
        self._apart(node.body)
        return True

    def _run_group(self, node: Group) -> Optional[bool]:
        return self.run(node.body)

    def _run_function(self, node: Function) -> Optional[bool]:
        self.state.functions[node.name] = node.body
        return True

    def _run_arithmetic(self, node: Arithmetic) -> Optional[bool]:
        number = self.calculated(node.expression)
        return None if number is None else number != 0

    def _run_if(self, node: If) -> Optional[bool]:
        for index, (condition, body) in enumerate(node.branches):
            status = self.try_out(condition)
            if status is None:
                rest = [body, *(part for pair in node.branches[index + 1 :] for part in pair)]
                rest += [node.otherwise] if node.otherwise is not None else []
                self.spend(len(rest) // 8)
                if all(self.inert(part) for part in rest):
                    self._forget(rest)
                    return None
            decision = Decision(condition, status)
            if self.decide(status):
                self._passes(decision, node.otherwise)
                return self._because(decision, body)
            self._passes(decision, body)
        return self._because(decision, node.otherwise) if node.otherwise is not None else True

    def _run_case(self, node: Case) -> Optional[bool]:
        value = self.single(node.subject)
        known = value.unknown(True) is None
        subject = value.text
        possible = []
        sure = False
        for index, branch in enumerate(node.branches):
            for pattern in branch.patterns:
                expanded = self.single(pattern)
                if expanded.unknown(True):
                    possible.append(index)
                elif self.pattern(expanded, len(subject)).match(subject) if known else True:
                    possible.append(index)
                    sure = sure or known or (expanded.text == "*" and not any(run.quoted for run in expanded))
                else:
                    continue
                break
            if sure:
                break
        choices = possible + ([] if sure else [-1])
        if len(choices) > 1 and all(index < 0 or self.inert(node.branches[index].body) for index in choices):
            self._may_write([node.branches[index].body for index in choices if index >= 0])
            return None
        choice: Optional[int] = choices[0] if len(choices) == 1 else choices[self.oracle.choose(len(choices))]
        chosen = node.branches[choice].patterns if choice is not None and choice >= 0 else []
        decision = Decision(node, None, "|".join(pattern.raw for pattern in chosen))
        for index, branch in enumerate(node.branches):
            if index != choice:
                self._passes(decision, branch.body)
        if choice is None or choice < 0:
            return True
        status: Optional[bool] = True
        while choice is not None:
            branch = node.branches[choice]
            status = self._because(decision, branch.body)
            if branch.terminator == ";;&" and not known:
                raise self.unresolvable("';;&' in 'case'", node.text, node.start)
            following = [
                index
                for index in range(choice + 1, len(node.branches))
                if branch.terminator == ";&"
                or (
                    branch.terminator == ";;&"
                    and any(
                        self.pattern(self.single(pattern), len(subject)).match(subject)
                        for pattern in node.branches[index].patterns
                    )
                )
            ]
            choice = following[0] if following else None
        return status

    def _rounds(self, body: Command) -> bool:
        """One round of a loop's body; False where it left the loop."""
        self.loops += 1
        try:
            self.run(body)
        except Break as leave:
            if leave.levels > 1 and self.loops > 1:
                raise Break(leave.levels - 1, leave.again)
            return leave.again
        finally:
            self.loops -= 1
        return True

    def _havoc(self, node: Command) -> None:
        """After a loop of which the number of rounds is not known, so are the variables it sets and the files."""
        self._may_write([node])
        for name in self._assigned([node]):
            if name == _FOLDER:
                self.state.folder = None
                continue
            unknown = Value.unknown_for("$%s is set in a loop" % name)
            old = self.state.variables.get(name)
            elements = [unknown, unknown] if old is not None and old.array is not None else None
            self.state.variables[name] = Variable(unknown, elements, old is not None and old.exported)

    def _assigned(self, commands: Sequence[Command]) -> List[str]:
        """Names that commands assign anywhere inside."""
        names: List[str] = []
        for command in everything_inside(commands):
            self.spend(1)
            if isinstance(command, For):
                names.append(command.name)
            if isinstance(command, (Simple, Condition)):
                self.spend(0, len(command.raw))
                names.extend(set_by_expanding(command.raw))
            if isinstance(command, (Arithmetic, ArithmeticFor)):
                self.spend(0, len(command.expression))
                names.extend(set_by_calculating(command.expression))
            if not isinstance(command, Simple):
                continue
            name = command.name
            if name != "read":  # "IFS= read" is for that command only
                names.extend(assignment.name for assignment in command.assignments)
            names.extend(assignment.name for assignment in command.declared)
            if name == "let":
                names.extend(set_by_calculating(command.raw))
            if name in ("cd", "pushd", "popd"):
                names.append(_FOLDER)
            if name == "read" or name in DECLARATIONS:
                literals = [word.literal() or "" for word in command.words[1:]]
                names.extend(literal for literal in literals if NAME.match(literal))
        return names

    def _run_for(self, node: For) -> Optional[bool]:
        if node.words is None:
            return self._for_each(node, list(self.state.arguments))
        return self._for_each(node, [field for word in node.words for field in self.fields(word)])

    def _paths(self, field: Value) -> List[Value]:
        """The paths that a pattern stands for, as a shell would put them in its place."""
        text = field.text
        # A pattern that begins like an option matches no file, so it stays as it is.
        if not self.state.globs or field.unknown(True) or not _is_glob(field):
            return [field]
        nothing: List[Value] = [] if self.state.null_globs else [field]
        if text.startswith("-"):
            return nothing
        unclear: List[Value] = [Value.unknown_for("which files '%s' stands for" % text)]
        quoted = "".join(run.text for run in field if run.quoted)
        here = "" if text.startswith("/") else (self.state.folder or "").rstrip("/") + "/"
        if (
            here
            and self.state.folder is None
            or "\\" in text
            or re.search(r"[*?\[]", quoted + here)
            or PASSING.match(here + text)
        ):
            return unclear
        found = [here.rstrip("/")]
        for part in text.split("/")[text.startswith("/") :]:
            if re.search(r"[*?\[]", part):
                pattern, folders, found = Pattern(Value.of(part)), found, []
                for folder in folders:
                    names = self.files.list(folder or "/")
                    self.spend(8 + 8 * len(names))
                    found.extend(
                        "%s/%s" % (folder, name)
                        for name in names
                        if pattern.match(name) and (name[0] != "." or part[0] == ".")
                    )
            else:
                found = ["%s/%s" % (folder, part) for folder in found]
            if len(found) > LIMIT_FILES:
                return unclear
        found = [path for path in found if self.files.exists(path)]
        return [Value.of(path[len(here) :]) for path in found] or nothing

    def globbed(self, fields: List[Value], text: Text, start: int) -> List[Value]:
        if not any(map(_is_glob, fields)):
            return fields
        made: List[Value] = []
        for field in fields:
            paths = self._paths(field)
            if len(paths) == 1 and paths[0].unknown(True):
                if self.state.null_globs:
                    raise self.unresolvable("which files '%s' stands for is not known" % field.text, text, start)
                paths = [field]
            made.extend(paths)
        return made

    def _for_each(self, node: For, fields: List[Value]) -> Optional[bool]:
        for field in [path for item in fields for path in self._paths(item)]:
            if field.unknown(True):
                vanishes = not field.text and not any(run.quoted for run in field)
                if vanishes and not self.inert(node.body) and self.oracle.choose(2) == 0:
                    continue  # it was nothing
                self.assign(node.name, Value.unknown_for("$%s is set in a loop" % node.name))
                if not self.inert(node.body):
                    self._havoc(node.body)
                    self._rounds(node.body)
                    self._havoc(node.body)
                else:
                    self._forget([node.body])
                continue
            self.assign(node.name, field)
            self.status = True
            if not self._rounds(node.body):
                break
        return self.status if fields else True

    def _run_unclear(self, node: Union[Select, ArithmeticFor]) -> Optional[bool]:
        """A loop that goes round as often as a person or a calculation wants."""
        if isinstance(node, ArithmeticFor):
            self.calculated(node.expression)
        if isinstance(node, Select):
            self.assign(node.name, Value.unknown_for("$%s is chosen while it starts" % node.name))
        if not self.inert(node.body):
            self._havoc(node.body)
            if self.oracle.choose(2):
                self._rounds(node.body)
                self._havoc(node.body)
        else:
            self._forget([node.body])
        return None

    def _run_while(self, node: While) -> Optional[bool]:
        for count in range(500):
            status = self.try_out(node.condition)
            if node.until and status is not None:
                status = not status
            if status is False:
                return True
            if status is None:
                self._havoc(node.condition)
                self._havoc(node.body)
                if not self.inert(node.body) and self.oracle.choose(2):
                    self._rounds(node.body)
                    self._havoc(node.body)
                return None
            found = len(self.session.found)
            if not self._rounds(node.body):
                return True
            if len(self.session.found) > found and count:
                raise Exit()  # a loop that starts the JVM again and again
        raise self.unresolvable("a loop without an end", node.text, node.start)

    def _run_condition(self, node: Condition) -> Optional[bool]:
        """``[[ … ]]``: tests joined by ``&&``, ``||``, ``!`` and parentheses."""
        self.spend(len(node.items), 0, node.text, node.start)
        return self._condition_any(deque(node.items))

    def _condition_any(self, rest: "Deque[Union[str, Word]]") -> Optional[bool]:
        """Takes tests joined by ``||`` from the front of a list, so long as there are."""
        status = self._condition_all(rest)
        while rest and rest[0] == "||":
            rest.popleft()
            other = self._condition_all(rest)
            status = True if True in (status, other) else None if None in (status, other) else False
        return status

    def _condition_all(self, rest: "Deque[Union[str, Word]]") -> Optional[bool]:
        status = self._condition_one(rest)
        while rest and rest[0] == "&&":
            rest.popleft()
            other = self._condition_one(rest)
            status = False if False in (status, other) else None if None in (status, other) else True
        return status

    def _condition_one(self, rest: "Deque[Union[str, Word]]") -> Optional[bool]:
        if rest and rest[0] == "!":
            rest.popleft()
            status = self._condition_one(rest)
            return None if status is None else not status
        if rest and rest[0] == "(":
            rest.popleft()
            status = self._condition_any(rest)
            if rest:
                rest.popleft()
            return status
        term: List[Union[str, Word]] = []
        while rest and rest[0] not in ("&&", "||", ")"):
            term.append(rest.popleft())
        return self._condition_term(term)

    def _condition_term(self, term: Sequence[Union[str, Word]]) -> Optional[bool]:
        if len(term) == 3 and isinstance(term[1], str) and isinstance(term[0], Word) and isinstance(term[2], Word):
            left, right = self.single(term[0]), self.single(term[2])
            if left.unknown(True) or right.unknown(True):
                return None
            if term[1] in ("=", "==", "!="):
                equal = self.pattern(right, len(left.text)).match(left.text)
                return equal == (term[1] != "!=")
            if term[1] in ("<", ">") and re.match(r"(?:[0-9]+ [0-9]+|[a-z]+ [a-z]+)\Z", left.text + " " + right.text):
                return (left.text < right.text) == (term[1] == "<")
            if term[1] == "=~":
                return matches_regex(left.text, right)
            return compare(left.text, term[1], right.text)
        words = [item for item in term if isinstance(item, Word)]
        if len(words) != len(term) or len(words) not in (1, 2):
            return None
        if len(words) == 2 and words[0].literal() == "-v":
            name = self.single(words[1]).text
            return (
                name in self.state.variables
                if NAME.match(name) and (self.closed or name in self.state.variables)
                else None
            )
        return self._test([self.single(word) for word in words])

    def _test(self, fields: List[Value]) -> Optional[bool]:
        """``[ … ]`` with up to four arguments."""
        if len(fields) > LIMIT_TEST:
            return None
        if fields and fields[0].text == "!" and not fields[0].unknown(True) and len(fields) > 1:
            status = self._test(fields[1:])
            return None if status is None else not status
        if not fields:
            return False
        last = fields[-1]
        known = not any(field.unknown(True) for field in fields)
        texts = [field.text for field in fields]
        if len(fields) == 1:
            return bool(texts[0]) or (None if last.unknown(True) else False)
        if len(fields) == 2:
            return self._test_one(texts[0], texts[1], known)
        if len(fields) == 3 and texts[1] not in ("-a", "-o"):
            return compare(texts[0], texts[1], texts[2], self.dialect) if known else None
        if "(" in texts or ")" in texts:
            return None
        for joint, decide in (("-o", any), ("-a", all)):
            if joint in texts:
                middle = texts.index(joint)
                statuses = [self._test(fields[:middle]), self._test(fields[middle + 1 :])]
                if statuses[0] == statuses[1] or (joint == "-o") in statuses:
                    return statuses[0] if statuses[0] == statuses[1] else joint == "-o"
                return None if None in statuses else decide(statuses)
        return False if known else None  # an error

    def _test_one(self, operator: str, text: str, known: bool) -> Optional[bool]:
        """``[ … ]`` with an operator and what it is about."""
        if operator in ("-n", "-z"):
            if text:
                return operator == "-n"
            return (operator == "-z") if known else None
        if not known or operator in ("-a", "-o", "-t", "-v", "-R"):
            return None
        if operator[:1] == "-" and len(operator) == 2:
            place = self.absolute(text)
            if place is not None and PASSING.match(place) and not (operator == "-d" and _OF_SYSTEMD.match(place)):
                return None  # it may be there when the service starts
            if place is not None and any(self.is_among(place, one) for one in (self.oracle.touched, self.oracle.made)):
                return None  # the script may have made it, or removed it
            return self.files.test(operator[1], text if place is None else place)
        return False  # an error

    def _file_given(self, target: Word) -> Optional[List[Value]]:
        raise NotImplementedError

    def _open(self, node: Command) -> Optional[List[Value]]:
        """The standard input that a redirection gives a command, None where it is not known."""
        source = node.input
        if source is None:
            return None
        if source.operator == "<<<":
            value = self.single(source.target) + Value.of("\n")
            return None if value.unknown(True) else [value]
        if source.operator == "<" and source.target.literal() == "/dev/null":
            return [EMPTY]
        if source.operator == "<":
            return self._file_given(source.target)
        document = source.document
        if document is None:
            return None
        characters = node.text.characters
        self.spend(1, 16 * (document.end - document.start), node.text, node.start)
        if document.joins and re.search(r"[$`\\]", characters[document.start : document.end]):
            return None
        text: List[Run] = []
        start = document.start
        while start < document.end:
            end = characters.find("\n", start, document.end) + 1 or document.end
            while source.operator == "<<-" and characters.startswith("\t", start):
                start += 1
            text.extend(node.text.runs(start, end, True))
            start = end
        return [Value(text)]


def _is_glob(field: Value) -> bool:
    for run in field.runs:
        if not run.quoted and ("*" in run.text or "?" in run.text or "[" in run.text):
            plain = "".join(["." if run.quoted else run.text for run in field.runs])
            return re.search(r"[*?]|\[.*\]", plain, re.DOTALL) is not None
    return False


def _guarded(shell: Flow, name: str) -> bool:
    # A function is inert where its body is; recursion ends at the depth limit.
    shell.depth += 1
    try:
        return shell.inert(shell.state.functions[name])
    finally:
        shell.depth -= 1


def _run_simple(shell: Flow, node: Simple) -> Optional[bool]:
    return shell._run_simple(node)  # of the class that has builtins


_RUN: Dict[Type[Command], Callable[[Any, Any], Optional[bool]]] = {
    Simple: _run_simple,
    Block: Flow._run_block,
    AndOr: Flow._run_and_or,
    Pipeline: Flow._run_pipeline,
    Subshell: Flow._run_subshell,
    Group: Flow._run_group,
    Background: Flow._run_background,
    If: Flow._run_if,
    Case: Flow._run_case,
    For: Flow._run_for,
    Select: Flow._run_unclear,
    ArithmeticFor: Flow._run_unclear,
    While: Flow._run_while,
    Function: Flow._run_function,
    Condition: Flow._run_condition,
    Arithmetic: Flow._run_arithmetic,
}

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The builtins of a shell that change it: what they set, read, source and end.

Private to this collection. Python 3.6+, standard library only.
"""

import re
from typing import Callable, Dict, List, Optional, Tuple

from ..host._files import PASSING
from ..text._characters import EMPTY, Run, Value
from ..text._value import Text, Unresolvable
from ._flow import LIMIT_DEPTH, NAME
from ._nodes import Assignment, Command
from ._output import Output
from ._parser import BASH, DASH, is_reserved
from ._patterns import number_of
from ._state import Variable
from ._words import Break, Exit, Return, uncounted

#: Where a program is looked for.
PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
#: The letters that ``set`` takes.
_SET_LETTERS = {BASH: frozenset("abefhkmnoptuvxBCEHPT"), DASH: frozenset("abCefhiIEmnopquvVxs")}
_SET_NAMES = frozenset(
    [
        "allexport",
        "emacs",
        "errexit",
        "ignoreeof",
        "monitor",
        "noclobber",
        "noexec",
        "noglob",
        "nolog",
        "notify",
        "nounset",
        "privileged",
        "verbose",
        "vi",
        "xtrace",
    ]
)
#: Options of shopt with which words, patterns or pipelines are taken in another way.
CHANGES_READING = frozenset(
    [
        "expand_aliases",
        "failglob",
        "lastpipe",
        "dotglob",
        "extglob",
        "globstar",
        "nocaseglob",
        "nocasematch",
        "xpg_echo",
        "cdable_vars",
        "execfail",
        "inherit_errexit",
        "localvar_inherit",
    ]
)
_LETTERS = {"allexport": "a", "errexit": "e", "nounset": "u", "noglob": "f"}
_SET_NAMES_OF_BASH = frozenset(
    [
        "braceexpand",
        "errtrace",
        "functrace",
        "hashall",
        "histexpand",
        "history",
        "onecmd",
        "interactive-comments",
        "keyword",
        "physical",
        "pipefail",
        "posix",
    ]
)
#: Function libraries of the distribution, sourced by every init script. They set no JVM option, and walking
#: them would add their hooks and service-manager detours to every script; their functions count as programs, Red Hat's
#: ``daemon`` left out.
_LIBRARY = re.compile(
    r"(?:/usr)?/lib/lsb/init-functions|(?:/usr)?/lib/init/[a-z-]+\.sh"
    r"|/etc/(?:rc\.d/)?init\.d/functions|/etc/rc\.status"
)
_RED_HATS = re.compile(r"/etc/(?:rc\.d/)?init\.d/functions")
#: What counts of Red Hat's ``daemon``: its words are joined and are a shell's text once more, so quotes in them count
#: twice, and a semicolon ends the command.
_DAEMON = """
daemon() {
    local user=
    while :; do
        case "$1" in
            --user) user="$2"; shift 2 ;;
            --user=?*) user="${1#--user=}"; shift ;;
            --check|--pidfile) shift 2 ;;
            --check=?*|--pidfile=?*|--force|[-+][0-9]*) shift ;;
            [-+]*) return 1 ;;
            *) break ;;
        esac
    done
    if [ -z "$user" ]; then /bin/bash -c "$*"; else runuser -s /bin/bash "$user" -c "$*"; fi
}
"""


class Builtins(Output):
    """A shell process with its builtins."""

    def _external(self, node: Command, name: str, fields: List[Value]) -> Optional[bool]:
        raise NotImplementedError

    def _let(self, _node: Command, fields: List[Value], _declared: List[Assignment]) -> Optional[bool]:
        numbers = [self.calculated(field.text) for field in fields[1:] if field.unknown(True) is None]
        numbers += [None] * (len(fields) - 1 - len(numbers))
        return None if not numbers or None in numbers else numbers[-1] != 0

    def _source(self, node: Command, fields: List[Value], _declared: List[Assignment]) -> Optional[bool]:
        if len(fields) < 2:
            return False
        fields = fields[:1] + self.globbed(fields[1:], node.text, node.start)
        reason = fields[1].unknown(True)
        name = fields[1].text
        if reason:
            raise self.unresolvable("it sources a file whose name is not known: " + reason, node.text, node.start)
        path = self._sourced(name)
        if path is None:
            raise self.unresolvable("it sources '%s' relative to where it is started" % name, node.text, node.start)
        if _LIBRARY.fullmatch(path):
            if _RED_HATS.fullmatch(path) and self.files.exists(path):
                self.run(self.parsed(Text(_DAEMON, None)))
            return None
        if PASSING.match(path):
            raise self.unresolvable("it sources %s, which is made anew before it starts" % path, node.text, node.start)
        if self.is_among(path, self.oracle.touched):
            raise self.unresolvable("it sources %s, which may be written before" % path, node.text, node.start)
        if self.depth > LIMIT_DEPTH:
            raise self.unresolvable("files source each other too deeply", node.text, node.start)
        try:
            content = self.files.read(path)
        except FileNotFoundError:
            if self.dialect == DASH:
                raise Exit()
            return False
        except OSError as error:
            raise self.unresolvable(
                "it sources %s, which cannot be read: %s" % (path, error.strerror), node.text, node.start
            )
        origin = self.files.origin(path)
        self.session.sourced.append(origin)
        self.state.called[origin] = name
        text = Text(content, origin)
        tree = self.parsed(text)
        self.depth += 1
        saved = self.state.arguments
        if len(fields) > 2 and self.dialect == BASH:
            self.state.arguments = fields[2:]
        self.returns += 1
        try:
            return self.run(tree)
        except Return as leave:
            return leave.status
        finally:
            self.depth -= 1
            self.returns -= 1
            if len(fields) > 2 and self.dialect == BASH:
                self.state.arguments = saved

    def _sourced(self, name: str) -> Optional[str]:
        """The file that ``.`` reads: without a slash it is looked for in PATH, by bash then where it is started."""
        if "/" in name:
            return self.absolute(name)
        folders = self.state.variables.get("PATH")
        if folders is not None and folders.value.unknown(True):
            return None
        searched = PATH if folders is None else folders.value.text.split(":")
        for folder in searched:
            place = self.absolute(folder or ".")
            if place is None:
                return None
            if self.files.test("f", place + "/" + name):
                return place + "/" + name
        return self.absolute(name) if self.dialect == BASH else PATH[0] + "/" + name

    def _cd(self, node: Command, fields: List[Value], _declared: List[Assignment]) -> Optional[bool]:
        return self.change_folder(fields[1:])

    def _pushd(self, node: Command, fields: List[Value], _declared: List[Assignment]) -> Optional[bool]:
        if self.dialect == BASH and len(fields) == 2 and re.match(r"[+-]", fields[1].text) is None:
            return self.change_folder(fields[1:])
        if self.dialect == BASH:
            self.state.folder = None
        return None

    def _eval(self, node: Command, fields: List[Value], _declared: List[Assignment]) -> Optional[bool]:
        value: List[Run] = []
        for index, field in enumerate(fields[1:]):
            if index:
                value.append(Run(" "))
            value.extend(field)
        text = Text.from_value(value)
        return self.run(self.parsed_once(text, "'eval' of no valid shell text: ", node.text, node.start))

    def _exec(self, node: Command, fields: List[Value], declared: List[Assignment]) -> Optional[bool]:
        rest = fields[1:]
        letters = ""
        if self.dialect == DASH and rest and rest[0].text.startswith("-"):
            raise Exit(False)  # it has no options, and does not take "--" either
        while rest and rest[0].text.startswith("-") and not rest[0].unknown(True):
            letters += rest[0].text if rest[0].text != "--" else ""
            rest = rest[2:] if rest[0].text.endswith("a") else rest[1:]
        if not rest:
            return True
        if "c" in letters:
            rest = [Value.of("env"), Value.of("-i")] + rest
        name = rest[0].text if rest[0].unknown(True) is None else ""
        self.state.traps.clear()
        self._external(node, name, rest)
        raise Exit()

    def _command_builtin(self, node: Command, fields: List[Value], declared: List[Assignment]) -> Optional[bool]:
        rest = fields[1:]
        if rest and rest[0].text in ("-v", "-V"):
            return self._is_command(rest[1:])
        if rest and rest[0].text == "-p":
            rest = rest[1:]
        if not rest:
            return True
        name = rest[0].text if rest[0].unknown(True) is None else ""
        builtin = BUILTINS.get(name)
        if builtin is not None:
            return builtin(self, node, rest, declared)
        return self._external(node, name, rest)

    def _is_command(self, names: List[Value]) -> Optional[bool]:
        """Whether a name is a command; None where that hangs on the programs that are installed.

        Debian's init-d-script asks so, with an empty PATH, which of its functions a script has.
        """
        name = names[0].text if len(names) == 1 and names[0].unknown(True) is None else ""
        if name in self.state.functions:
            return True
        path = self.state.variables.get("PATH")
        searched = path is None or path.array is not None or path.value.text or path.value.unknown(True)
        # No builtin has such a name. An empty PATH is the folder where the shell is.
        if (
            not searched
            and re.match(r"[a-z]+_\w+\Z", name)
            and name not in self.state.aliases
            and not self.files.exists("/" + name)
        ):
            return False
        return None

    def _declare(self, node: Command, fields: List[Value], declared: List[Assignment]) -> Optional[bool]:  # noqa: C901 -- one branch an option
        name = fields[0].text
        texts = [field.text for field in fields[1:]]
        options = "".join(text[1:] for text in texts if text.startswith("-"))
        if name == "local" and not self.state.scopes:
            if self.dialect == DASH:
                raise Exit(False)
            return False
        if self.dialect == DASH and set(options) - {"p"}:
            raise Exit(False)
        if name in ("declare", "typeset", "local") and set(options) & set("Ailnu"):
            raise self.unresolvable(
                "'%s -%s' changes what an assignment means" % (name, options), node.text, node.start
            )
        if set(options) & set("fFp"):
            return True
        if "g" in options and any(
            word in scope
            for scope in self.state.scopes
            for word in [re.split(r"\+?=|\[", text)[0] for text in texts] + [item.name for item in declared]
        ):
            raise self.unresolvable("'%s -g' of a variable that is local" % name, node.text, node.start)
        local = name == "local" or (name in ("declare", "typeset") and "g" not in options and bool(self.state.scopes))
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
            if field.unknown(True):
                raise self.unresolvable("'%s' of a name that is not known" % name, node.text, node.start)
            match = re.match(r"([A-Za-z_][A-Za-z0-9_]*)(=|\Z)", text)
            if match is None:  # no valid name
                if self.dialect == DASH:
                    raise Exit(False)
                status = False
                continue
            variable = match.group(1)
            if local:
                self._hide(variable, empty=self.dialect == BASH and not match.group(2))
            if match.group(2):
                self.assign(variable, field[match.end() :])
            elif "a" in options:
                old = self.state.variables.get(variable)
                if old is None and not self.closed:
                    old = Variable(Value.unknown_for("$%s may be set before the script starts" % variable))
                if old is None or old.array is None:
                    self.state.variables[variable] = Variable(
                        EMPTY if old is None else old.value, [] if old is None else [old.value]
                    )
            self._attributes(variable, exports, unexports, name == "readonly" or "r" in options)
        return status

    def _declared_value(self, assignment: Assignment, local: bool) -> str:
        """An assignment as an argument of a declaration; its value is expanded before the name is hidden."""
        if not local:
            return self.do_assignment(assignment)
        hidden = self.state.variables.get(assignment.name)
        name = self.do_assignment(assignment)
        made = self.state.variables[name]
        if hidden is not None:
            self.state.variables[name] = hidden
        else:
            del self.state.variables[name]
        self._hide(name, empty=True)
        self.state.variables[name] = made
        return name

    def _hide(self, name: str, empty: bool) -> None:
        """Make a variable local to the present function; dash keeps the value that it had outside."""
        old = self.state.variables.get(name)
        if name not in self.state.scopes[-1]:
            self.state.scopes[-1][name] = old
            if old is not None and empty:
                del self.state.variables[name]
            if empty and not self.closed:
                self.state.variables[name] = Variable(EMPTY)

    def _attributes(self, name: str, exports: bool, unexports: bool, read_only: bool) -> None:
        variable = self.state.variables.get(name)
        if exports and name in self.temporary and self.dialect == BASH:
            raise Unresolvable("$%s is set for one command and exported in it" % name)
        if exports and variable is not None:
            self.state.variables[name] = variable = variable._replace(exported=True)
        elif exports:
            self.state.marked_exported.add(name)
        if unexports:
            if variable is not None:
                self.state.variables[name] = variable._replace(exported=False)
            self.state.marked_exported.discard(name)
        if read_only:
            self.state.read_only.add(name)

    def _set(self, node: Command, fields: List[Value], _declared: List[Assignment]) -> Optional[bool]:
        index = 1
        while index < len(fields):
            text = fields[index].text
            if text == "--":
                self.state.arguments = fields[index + 1 :]
                return True
            if text[:1] not in ("-", "+") or fields[index].unknown(True):
                self.state.arguments = fields[index:]
                return True
            if set(text[1:]) - _SET_LETTERS[self.dialect]:
                if self.dialect == DASH:
                    raise Exit(False)
                return False
            following = fields[index + 1].text if index + 1 < len(fields) else ""
            if (
                text[1:].endswith("o")
                and following
                and following not in _SET_NAMES | (_SET_NAMES_OF_BASH if self.dialect == BASH else frozenset())
            ):
                if self.dialect == DASH:
                    raise Exit(False)
                return False
            self.options(text[0], text[1:], following)
            index += 2 if text[1:].endswith("o") else 1
        return True

    def options(self, sign: str, letters: str, name: str = "") -> None:
        """Options as ``set`` or the ``#!`` line give them; ``name`` is the argument of ``-o``."""
        for letter in letters:
            letter = _LETTERS.get(name, "") if letter == "o" else letter
            if letter == "a":
                self.state.all_exported = sign == "-"
            elif letter == "e":
                self.state.stops_on_failure = sign == "-"
            elif letter == "u":
                self.state.stops_on_unset = sign == "-"
            elif letter == "f":
                self.state.globs = sign == "+"

    def _shift(self, node: Command, fields: List[Value], _declared: List[Assignment]) -> Optional[bool]:
        text = fields[1].text if len(fields) > 1 else "1"
        count = number_of(text)
        if count is None:
            raise self.unresolvable("'shift' by a number that is not known", node.text, node.start)
        self.spend(len(self.state.arguments) // 64)
        if count > len(self.state.arguments):
            if self.dialect == DASH:
                raise Exit(False)
            return False
        if uncounted(self.state.arguments[:count]):
            self.state.arguments = [
                Value.unknown_for("$@ is what 'shift' leaves of a number of words that is not known")
            ]
            return None
        self.state.arguments = self.state.arguments[count:]
        return True

    def _unset(self, node: Command, fields: List[Value], _declared: List[Assignment]) -> Optional[bool]:
        if any(field.unknown(True) for field in fields[1:]):
            raise self.unresolvable("'unset' of a name that is not known", node.text, node.start)
        names = [field.text for field in fields[1:]]
        functions = bool(names) and names[0] == "-f"
        for name in names[1:] if names and names[0].startswith("-") else names:
            if name in self.state.read_only:
                if self.dialect == DASH:
                    raise Exit(False)
                return False
            if functions:
                self.state.functions.pop(name, None)
                continue
            if not NAME.match(name) and "[" not in name:
                if self.dialect == DASH:
                    raise Exit(False)
                return False
            if "[" in name:
                raise Unresolvable("an element of the array %s is unset" % name.partition("[")[0])
            if name in self.not_to_unset and self.dialect == BASH:
                raise Unresolvable("$%s is set for one command and unset in it" % name)
            if name not in self.state.variables and self.closed and self.dialect == BASH:
                self.state.functions.pop(name, None)
            self.state.variables.pop(name, None)
            self.state.marked_exported.discard(name)
            if not self.closed:
                self.state.variables[name] = Variable(EMPTY)
        return True

    def _read(self, _node: Command, fields: List[Value], _declared: List[Assignment]) -> Optional[bool]:
        texts = [field.text for field in fields[1:]]
        letters = ""
        whole = False  # all there is, not a line
        while texts and texts[0].startswith("-"):
            letters += texts.pop(0)[1:]
            if letters[-1:] and letters[-1] in "ptndNu":
                whole = letters[-1] == "d" and texts[:1] == [""] and self.dialect == BASH
                letters = letters[:-1] if whole else letters
                texts = texts[1:]
        for name in texts:
            if not NAME.match(name) or name in self.state.read_only:
                return False
        line = None
        variable = self.state.variables.get("IFS")
        separators = " \t\n" if variable is None else variable.value.text
        others = re.sub("[ \t\n]", "", separators)
        is_array = "a" in letters and len(texts) == 1
        # What other characters of IFS do at the end of a line is not the same everywhere.
        plain = (
            texts
            and (is_array or len(texts) > 1 or not others)
            and (variable is None or not variable.value.unknown(True))
        )
        if self.input and plain and set(letters) <= set("ra" if is_array else "r"):
            line = self._all() if whole else self._line()
            text = line.text.rstrip("\n")
            if "r" not in letters and "\\" in text or text.endswith(tuple(others)):
                line, self.input = None, None
        if line is None or line.unknown(True):
            for name in texts:
                value = Value.unknown_for("$%s is read from input" % name)
                self.assign(name, value, array=[value, value] if "a" in letters else None)
            return None
        text = line.text if whole else line.text.rstrip("\n")
        places = _words_of(text, separators, 0 if is_array else len(texts))
        self.spend(len(line.runs) + len(places), 8 * len(text))
        given = Text.from_value(line)
        words = [given.runs(start, end, False) for start, end in places]
        if is_array:
            self.assign(texts[0], EMPTY, array=words)
        for name, word in zip(texts, words) if not is_array else ():
            self.assign(name, word)
        return False if whole else len(text) < len(line.text)

    def _all(self) -> Value:
        """Takes all that is left of the standard input."""
        value = self.input.pop(0) if self.input else EMPTY
        self.spend(len(value.runs))
        if self.input is not None:
            self.input.insert(0, EMPTY)
        return value

    def _mapfile(self, node: Command, fields: List[Value], declared: List[Assignment]) -> Optional[bool]:
        texts = [field.text for field in fields[1:]]
        if len(texts) != 2 or texts[0] != "-t" or not NAME.match(texts[1]):
            return self._opaque(node, fields, declared)
        if self.input is None or any(given.unknown(True) for given in self.input):
            value = Value.unknown_for("$%s is read from input" % texts[1])
            self.assign(texts[1], value, array=[value, value])
            return None
        lines: List[List[Run]] = [[]]
        for run in self.input.pop():
            start = 0
            while start < len(run.text):
                end = run.text.find("\n", start) + 1 or len(run.text)
                self.spend(1)
                ended = run.text.endswith("\n", start, end)
                if end - start > ended:
                    lines[-1].append(run.part(start, end - ended))
                if ended:
                    lines.append([])
                start = end
        self.input.append(EMPTY)
        self.assign(texts[1], EMPTY, array=[Value(line) for line in (lines if lines[-1] else lines[:-1])])
        return True

    def _line(self) -> Value:
        """Takes one line, with its end, from the standard input."""
        if not self.input:
            return EMPTY
        text = self.input[0].text
        self.spend(len(self.input[0].runs), len(text))
        end = text.find("\n") + 1 or len(text)
        line = self.input[0][:end]
        self.input[0] = self.input[0][end:]
        return line

    def _status(self, fields: List[Value]) -> Optional[bool]:
        """The status that ``exit`` and ``return`` leave with."""
        if len(fields) < 2:
            return self.status
        number = number_of(fields[1].text)
        return None if number is None or fields[1].unknown(True) else number % 256 == 0

    def _exit(self, node: Command, fields: List[Value], _declared: List[Assignment]) -> Optional[bool]:
        self.ends(node)
        raise Exit(self._status(fields))

    def _return(self, _node: Command, fields: List[Value], _declared: List[Assignment]) -> Optional[bool]:
        if not self.returns and self.dialect == BASH:
            return False  # an error, and the script goes on
        raise Return(self._status(fields))

    def _break(self, node: Command, fields: List[Value], _declared: List[Assignment]) -> Optional[bool]:
        levels = fields[1].text if len(fields) > 1 else "1"
        number = number_of(levels)
        if number is None:
            raise self.unresolvable(
                "'%s' out of a number of loops that is not known" % fields[0].text, node.text, node.start
            )
        if not self.loops:
            return True  # outside a loop it does nothing
        raise Break(number, fields[0].text == "continue")

    def _bracket(self, _node: Command, fields: List[Value], _declared: List[Assignment]) -> Optional[bool]:
        rest = fields[1:]
        if fields[0].text == "[" and rest and rest[-1].text == "]":
            rest = rest[:-1]
        return self._test(rest)

    def _opaque(self, node: Command, fields: List[Value], _declared: List[Assignment]) -> Optional[bool]:
        raise self.unresolvable(
            "'%s' changes variables in a way that is not followed" % fields[0].text, node.text, node.start
        )

    def _printf(self, node: Command, fields: List[Value], declared: List[Assignment]) -> Optional[bool]:
        if len(fields) > 2 and fields[1].text == "-v" and self.dialect == BASH:
            known = not any(field.unknown(True) for field in fields)
            value = self._pure("printf", fields[3:]) if known else None
            if value is None or not NAME.match(fields[2].text):
                return self._opaque(node, fields, declared)
            self.assign(fields[2].text, value)
        elif self.to_shell:
            return self._external(node, "printf", fields)
        return None

    def _getopts(self, node: Command, fields: List[Value], declared: List[Assignment]) -> Optional[bool]:
        for name in ["OPTARG", "OPTIND"] + [field.text for field in fields[2:3]]:
            if not NAME.match(name):
                return self._opaque(node, fields, declared)
            self.assign(name, Value.unknown_for("$%s is set by getopts" % name))
        return None

    def _alias(self, node: Command, fields: List[Value], _declared: List[Assignment]) -> Optional[bool]:
        # A script in bash does not look at aliases; dash does, from the next line on.
        for field in fields[1:]:
            name, equals, _value = field.text.partition("=")
            if self.dialect == DASH and equals:
                if field.unknown(True) or is_reserved(name):
                    raise self.unresolvable("an alias that is not followed", node.text, node.start)
                self.state.aliases.add(name)
        return True

    def _trap(self, node: Command, fields: List[Value], _declared: List[Assignment]) -> Optional[bool]:
        texts = [field.text for field in fields[1:]]
        if texts and texts[0] not in ("", "-") and set(texts[1:]) & {"DEBUG", "ERR", "RETURN"}:
            raise self.unresolvable("'trap' runs commands between the others", node.text, node.start)
        if {"EXIT", "0"} & set(texts):
            self.state.traps.pop("EXIT", None)
            if len(texts) > 1 and texts[0] not in ("-", "0"):
                self.state.traps["EXIT"] = fields[1]
        elif texts and "-jar" in texts[0]:
            raise self.unresolvable("'trap' starts a JVM", node.text, node.start)
        return True

    def _shopt(self, node: Command, fields: List[Value], _declared: List[Assignment]) -> Optional[bool]:
        texts = [field.text for field in fields[1:]]
        letters = "".join(text[1:] for text in texts if text[:1] == "-")
        names = [text for text in texts if text[:1] != "-"]
        if "o" not in letters and ("s" in letters or "u" in letters):
            if "s" in letters and CHANGES_READING & set(names):
                raise self.unresolvable("'shopt' changes how the rest is read", node.text, node.start)
            if "nullglob" in names:
                self.state.null_globs = "s" in letters
                return True if len(names) == 1 else None
        return None

    def _nothing(self, _node: Command, _fields: List[Value], _declared: List[Assignment]) -> Optional[bool]:
        return None


BUILTINS: Dict[str, Callable[[Builtins, Command, List[Value], List[Assignment]], Optional[bool]]] = {
    ".": Builtins._source,
    "source": Builtins._source,
    "eval": Builtins._eval,
    "exec": Builtins._exec,
    "command": Builtins._command_builtin,
    "builtin": Builtins._command_builtin,
    "export": Builtins._declare,
    "declare": Builtins._declare,
    "typeset": Builtins._declare,
    "readonly": Builtins._declare,
    "local": Builtins._declare,
    "set": Builtins._set,
    "shift": Builtins._shift,
    "unset": Builtins._unset,
    "read": Builtins._read,
    "exit": Builtins._exit,
    "return": Builtins._return,
    "break": Builtins._break,
    "continue": Builtins._break,
    "[": Builtins._bracket,
    "test": Builtins._bracket,
    "mapfile": Builtins._mapfile,
    "readarray": Builtins._mapfile,
    "let": Builtins._let,
    "getopts": Builtins._getopts,
    "printf": Builtins._printf,
    "alias": Builtins._alias,
    "unalias": Builtins._nothing,
    "trap": Builtins._trap,
    "shopt": Builtins._shopt,
    "cd": Builtins._cd,
    "pushd": Builtins._pushd,
    "popd": Builtins._pushd,
}


def _words_of(text: str, separators: str, most: int) -> List[Tuple[int, int]]:
    """Where the words of a line are, as ``read`` takes it apart; of so many the last is all the rest, 0 for all."""
    blanks = "".join(char for char in separators if char in " \t\n")
    found: List[Tuple[int, int]] = []
    first = 0
    held = re.compile("[%s]*" % re.escape(blanks) if blanks else "")
    apart = re.compile("[%s]" % re.escape(separators) if separators else r"(?!)")
    while True:
        start = _end_of(held, text, first)
        if most and len(found) == most - 1:
            return found + [(start, max(start, len(text.rstrip(blanks)) if blanks else len(text)))]
        if not most and start >= len(text):
            return found
        match = apart.search(text, start)
        end = match.start() if match is not None else len(text)
        found.append((start, end))
        first = _end_of(held, text, end)
        if first < len(text) and text[first] in separators:
            first += 1


def _end_of(pattern: "re.Pattern[str]", text: str, start: int) -> int:
    match = pattern.match(text, start)
    return match.end() if match is not None else start

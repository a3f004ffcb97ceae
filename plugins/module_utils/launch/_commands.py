# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of a unit: what ``ExecStart=`` says, and what it is with its variables put in.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import re
from typing import Dict, List, Match, Optional, Sequence, Tuple

from ..text._characters import EMPTY, Run, Value
from ..text._value import Unresolvable
from ._environment import Variable
from ._specifiers import Specifiers
from ._unit_syntax import is_open, split_words

LIMIT_ARGUMENTS = 4 << 20  # characters of a command line with its variables; the kernel takes less


def commands_of(value: Value, specifiers: Specifiers) -> Tuple[List[Tuple[Value, ...]], Optional[str]]:
    """The commands of a line, and why systemd refuses it."""
    if is_open(value.text):
        return [], "a quote that is not closed"
    words = split_words(value, lenient=True)
    commands: List[Tuple[Value, ...]] = []
    current: List[Value] = []
    prefix = ""
    skips = False  # an ignored command that cannot be read does not count
    for word in words + [Value.of(";")]:
        text = word.text
        if text == "\\;":
            word = word[1:]
        elif text == ";" and not any(run.quoted for run in word):
            if current and not skips:
                # "@": the word after the program is what the program is called, no argument.
                commands.append(tuple(current[:1] + current[2:] if "@" in prefix else current))
            current, skips = [], False
            continue
        is_program = not current
        if is_program:
            prefix = text[: len(text) - len(text.lstrip("@-:+!|"))]
            word = word[len(prefix) :]
        expanded = specifiers.put_in(word)
        refused = None if expanded is not None else "a specifier that it does not know"
        if refused is None and is_program and not _may_be_program((expanded or EMPTY).text):
            refused = "a program by a path that is not absolute"
        if refused is not None:
            if "-" not in prefix:
                return commands, refused
            skips = True
        word = expanded or Value.of("")
        current.append(literal(word) if ":" in prefix else word)
    return commands, None


def _may_be_program(path: str) -> bool:
    """An absolute path, or a name that is looked for."""
    return not path.endswith("/") and (path.startswith("/") or ("/" not in path and path not in ("", ".", "..")))


_DOLLAR = re.compile(r"\$")
_ALONE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)\Z")
_IN_WORD = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def literal(word: Value) -> Value:
    """A word into which no variables are put (the prefix ":"): a dollar is two there."""
    return word.replaced(_DOLLAR, lambda match: [*word.known(*match.span()), Run("$")])


def substitute(argv: Sequence[Value], environment: Dict[str, Variable]) -> List[Value]:
    """Put variables into an ``ExecStart=`` as systemd does: ``$A`` is put in where it is a whole word, and then split.

    ``${A}`` is put in anywhere and is not split; ``$$`` is a dollar sign.
    """
    result: List[Value] = []
    size = 0

    def counted(value: Value) -> Value:
        nonlocal size
        size += len(value.runs) + len(value.text)
        if size > LIMIT_ARGUMENTS:
            raise Unresolvable("the command of the unit grows too long to follow")
        return value

    def instead(match: Match[str]) -> Value:
        if match.group(0) == "$$":
            return Value.of("$")
        variable = environment.get(match.group(1))
        return EMPTY if variable is None else counted(variable.value)

    for index, word in enumerate(argv):
        text = word.text
        alone = _ALONE.match(text)
        if index and alone:
            variable = environment.get(alone.group(1))
            if variable is not None and variable.value.unknown():
                result.append(counted(variable.value))
            elif variable is not None:
                result.extend(split_words(counted(variable.value), lenient=True, c_escapes=False))
        else:
            result.append(counted(word.replaced(_IN_WORD, instead) if index and "$" in text else word))
    return result

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines of unit files and drop-ins, and the words of a value (systemd.syntax(7)).

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import re
from typing import List, NamedTuple, Optional

from ..host._files import HostFiles
from ..text._characters import EMPTY, Run, Value, joined
from ..text._value import Unresolvable, line_of

LIMIT_LINE = 1 << 20  # characters of a line with those that are joined to it: LONG_LINE_MAX of systemd
LIMIT_SETTINGS = 50000  # of a unit with its drop-ins

#: Key of a setting that stands for a line which is no UTF-8.
NOT_UTF8 = "(not UTF-8)"
_LINE = re.compile(r"[^\n]*\n|[^\n]+\Z")
_BYTE_ORDER_MARK = "\xef\xbb\xbf"


class Setting(NamedTuple):
    """One ``key=value`` of a unit file, the value with its origins."""

    section: str
    key: str
    value: Value
    path: str
    position: int


def parse_unit(content: str, path: str) -> List[Setting]:
    """The settings of a unit file or drop-in, in order; joined lines and comments as systemd.syntax(7) says.

    Raises Unresolvable for a file that systemd does not read to its end.
    """
    settings: List[Setting] = []
    section = ""
    logical: List[Run] = []
    logical_start = length = 0
    is_utf8 = _is_utf8(content)
    position = len(_BYTE_ORDER_MARK) if content.startswith(_BYTE_ORDER_MARK) else 0
    for found in _LINE.finditer(content, position):
        start, line = found.start(), found.group(0)
        body = line.rstrip("\r\n")
        lead = len(body) - len(body.lstrip(" \t"))
        if body[lead : lead + 1] in ("#", ";"):
            continue
        if not logical:
            logical_start, length = start, 0
        length += len(body)
        if length > LIMIT_LINE or len(settings) > LIMIT_SETTINGS:
            raise Unresolvable(
                "systemd does not read a line of more than %d bytes" % LIMIT_LINE
                if length > LIMIT_LINE
                else "it has more than %d settings" % LIMIT_SETTINGS,
                path,
                line_of(content, logical_start),
            )
        if goes_on(body):
            logical.append(Run(body[:-1], path, start))
            logical.append(Run(" "))
            continue
        logical.append(Run(body, path, start))
        if not is_utf8 and not _is_utf8(Value(logical).text):
            # What systemd makes of the rest of the file, and of the unit, depends on its version.
            settings.append(Setting(section, NOT_UTF8, EMPTY, path, logical_start))
            return settings
        section = _logical_line(Value(logical), logical_start, section, path, settings)
        logical = []
    if logical and (is_utf8 or _is_utf8(Value(logical).text)):
        _logical_line(Value(logical), logical_start, section, path, settings)
    return settings


def goes_on(line: str) -> bool:
    """Whether the next line is joined to this one: of two backslashes at its end neither joins."""
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def settings_of(files: HostFiles, content: str, path: str) -> List[Setting]:
    """The same, once for each text."""
    found: List[Setting] = files.made("unit", path, content, lambda: parse_unit(content, path))
    return found


def _is_utf8(text: str) -> bool:
    try:
        text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return False
    return True


def _logical_line(value: Value, position: int, section: str, path: str, settings: List[Setting]) -> str:
    text = value.text
    stripped = text.strip()
    if stripped.startswith("[") and stripped.endswith("]"):
        return stripped[1:-1]
    key, separator, _rest = text.partition("=")
    if separator:
        start = len(text) - len(text[len(key) + 1 :].lstrip(" \t"))
        settings.append(Setting(section, key.strip(), value[start : len(text.rstrip(" \t\r"))], path, position))
    elif stripped and section == "Service" and stripped[0] != "[":
        settings.append(Setting(section, "", value, path, position))  # systemd passes it over
    return section


#: What means nothing but itself, outside of quotes and in them.
_PLAIN = {"": re.compile("[^\\\\'\" \t\n\r]+"), "'": re.compile(r"[^\\']+"), '"': re.compile(r'[^\\"]+')}
_NUMERIC = re.compile(r"x([0-9a-fA-F]{2})|([0-3][0-7]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})")
ESCAPES = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    '"': '"',
    "'": "'",
    "s": " ",
}


def _character(code: int, is_unicode: bool) -> Optional[str]:
    """The character(s) of an escape, as Latin-1 text of its bytes; None for a code that systemd refuses."""
    if code == 0 or 0xD800 <= code < 0xE000 or code > 0x10FFFF:
        return None
    return chr(code).encode("utf-8").decode("latin-1") if is_unicode else chr(code)


def split_words(value: Value, lenient: bool = False, c_escapes: bool = True) -> List[Value]:  # noqa: C901 -- systemd's own state machine
    """Split as systemd does: blanks, quotes anywhere, C escapes. Ends before the first word that systemd rejects.

    Without ``c_escapes`` a backslash only takes the meaning from the next character, as in the value of a variable.
    An unknown is part of the word in which it stands; between blanks it is one.
    """
    words: List[Value] = []
    unknowns = [(first, run) for run, first in zip(value.runs, value.starts) if run.unknown][::-1]
    current: Optional[List[Run]] = None
    quote = ""
    characters = value.text
    index = 0
    while index < len(characters) or unknowns:
        while unknowns and unknowns[-1][0] <= index:
            current = current or []
            current.append(unknowns.pop()[1].requoted(bool(quote)))
        if index >= len(characters):
            break
        plain = _PLAIN[quote].match(characters, index, unknowns[-1][0] if unknowns else len(characters))
        if plain is not None:
            current = current or []
            joined(current, value.known(index, plain.end(), bool(quote)))
            index = plain.end()
            continue
        char = characters[index]
        index += 1
        if char == "\\":
            escape = value.origin(index - 1)
            path, position = escape.path, escape.position
            if index >= len(characters):
                if not lenient:
                    return words
                if c_escapes and not quote:
                    current = current or []
                    current.append(Run(char, path, position))
                break
            current = current or []
            follower = characters[index]
            numeric = _NUMERIC.match(characters, index)
            if not c_escapes:
                current.append(Run(follower, path, position, bool(quote)))
                index += 1
            elif numeric:
                code = (
                    int(numeric.group(2), 8)
                    if numeric.group(2)
                    else int(numeric.group(1) or numeric.group(3) or numeric.group(4), 16)
                )
                character = _character(code, numeric.group(1) is None and numeric.group(2) is None)
                if character is None:
                    if not lenient:
                        return words
                    character = "\\" + numeric.group(0)
                current.append(Run(character, path, position, bool(quote)))
                index = numeric.end()
            elif follower in ESCAPES:
                current.append(Run(ESCAPES[follower], path, position, bool(quote)))
                index += 1
            elif lenient:
                current.append(Run("\\", path, position, bool(quote)))
            else:
                return words
        elif quote:
            quote = ""
        elif char in "'\"":
            quote = char
            current = current or []
        else:
            if current is not None:
                words.append(Value(current))
            current = None
    if quote and not lenient:
        return words
    if current is not None:
        words.append(Value(current))
    return words


def is_open(text: str) -> bool:
    """Whether a quote is open at the end."""
    quote = ""
    for found in re.finditer(r"\\.|[\"']", text, re.DOTALL):
        if not quote:
            quote = found.group(0) if found.group(0) in "\"'" else ""
        elif found.group(0) == quote:
            quote = ""
    return bool(quote)

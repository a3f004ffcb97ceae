# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""systemd units as the files say: unit, drop-ins, ``Environment=``, ``EnvironmentFile=``, ``ExecStart=``.

They are parsed here so that an image without a running systemd can be read too; what is loaded,
:mod:`_service_manager` asks. Private to this collection. Python 3.6+, standard library only.
"""

import os
import re
import string
from bisect import bisect_left
from functools import partial
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from ..host._files import PASSING, HostFiles
from ..text._value import Run, Text, Unresolvable, Value, first_of, line_of, text_of, unknown_of
from ._service_files import Mounts, mounts_of, seen

#: Where units and drop-ins live, strongest first (systemd.unit(5)).
UNIT_PATH = (
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    "/etc/systemd/system",
    "/etc/systemd/system.attached",
    "/run/systemd/system",
    "/run/systemd/system.attached",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/run/systemd/generator.late",
)

LIMIT_LINE = 1 << 20  # characters of a line with those that are joined to it: LONG_LINE_MAX of systemd
LIMIT_SETTINGS = 50000  # of a unit with its drop-ins
LIMIT_PIECES = 100000  # of one value: a backslash begins a new one
LIMIT_ENVIRONMENT = 4 << 20  # bytes of all EnvironmentFiles of a unit; the kernel takes less
LIMIT_ARGUMENTS = 4 << 20  # characters of a command line with its variables; the kernel takes less

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


class Variable(NamedTuple):
    """An environment variable of a unit, and the file that set it last."""

    value: Value
    path: str
    position: int  # of the assignment's first character
    reader: str  # "Environment" or "EnvironmentFile"


class Unit(NamedTuple):
    """A service as the files, or the service manager, define it."""

    name: str
    fragment: Optional[str]
    source: Optional[str]  # the init script that a generated unit stands for
    drop_ins: Tuple[str, ...]
    environment: Dict[str, Variable]
    exec_start: Tuple[Tuple[Value, ...], ...]  # program and arguments, variables not yet put in
    user: str
    masked: bool = False
    environment_files: Tuple[str, ...] = ()
    before: Tuple[Tuple[Value, ...], ...] = ()  # commands that are run before
    doubt: Optional[Tuple[str, Optional[str]]] = None  # why it cannot be told what starts, and the file that says so
    overlays: Tuple[Tuple[str, str], ...] = ()  # where the service sees other files than the host has, and by what
    folder: Optional[str] = None  # where it is started; None: not known
    mounts: Mounts = ()  # what of the host it sees, and where
    refused: bool = False  # the doubt is that systemd does not start it at all


class Loaded(NamedTuple):
    """What the service manager has loaded for a unit, and its state."""

    unit: Unit
    load_state: str
    active_state: str
    control_group: str
    need_reload: bool
    sub_state: str = ""
    result: str = ""  # of its last run: success, exit-code, start-limit-hit, …
    restarting: bool = False  # it ends again and again, and the service manager starts it anew


# -- unit files -------------------------------------------------------------------------------------


def parse_unit(content: str, path: str) -> List[Setting]:
    """The settings of a unit file or drop-in, in order; joined lines and comments as systemd.syntax(7) says.

    Raises Unresolvable for a file that systemd does not read to its end.
    """
    settings: List[Setting] = []
    section = ""
    logical: Value = []
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
        if body.endswith("\\"):
            logical.append(Run(body[:-1], path, start))
            logical.append(Run(" "))
            continue
        logical.append(Run(body, path, start))
        if not is_utf8 and not _is_utf8(text_of(logical)):
            # What systemd makes of the rest of the file, and of the unit, depends on its version.
            settings.append(Setting(section, NOT_UTF8, [], path, logical_start))
            return settings
        section = _logical_line(logical, logical_start, section, path, settings)
        logical = []
    if logical and (is_utf8 or _is_utf8(text_of(logical))):
        _logical_line(logical, logical_start, section, path, settings)
    return settings


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
    text = text_of(value)
    stripped = text.strip()
    if stripped.startswith("[") and stripped.endswith("]"):
        return stripped[1:-1]
    key, separator, _rest = text.partition("=")
    if separator:
        settings.append(Setting(section, key.strip(), _trim(value, len(key) + 1), path, position))
    return section


def _trim(value: Value, start: int) -> Value:
    """The value from a character on, without blanks around it."""
    text = text_of(value)
    while start < len(text) and text[start] in " \t":
        start += 1
    end = len(text)
    while end > start and text[end - 1] in " \t\r":
        end -= 1
    result: Value = []
    offset = 0
    for run in value:
        low, high = max(start - offset, 0), min(end - offset, len(run.text))
        if low < high:
            result.append(run.part(low, high))
        offset += len(run.text)
    return result


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


def split_words(value: Value, lenient: bool = False, c_escapes: bool = True) -> List[Value]:
    """Split as systemd does: blanks, quotes anywhere, C escapes. Ends before the first word that systemd rejects.

    Without ``c_escapes`` a backslash only takes the meaning from the next character, as in the value of a variable.
    """
    words: List[Value] = []
    current: Optional[Value] = None
    quote = ""
    text = Text.from_value([run for run in value if run.text])
    characters = text.characters
    index = 0
    while index < len(characters):
        plain = _PLAIN[quote].match(characters, index)
        if plain is not None:
            current = _joined(current or [], text.runs(index, plain.end(), bool(quote)))
            index = plain.end()
            continue
        char = characters[index]
        path, position = text.origin(index)
        index += 1
        if char == "\\":
            if index >= len(characters):
                if not lenient:
                    return words
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
                words.append(current)
            current = None
    if quote and not lenient:
        return words
    if current is not None:
        words.append(current)
    return words


def _joined(value: Value, more: Value) -> Value:
    """The value with more at its end; what was one stretch of a file becomes one run."""
    for run in more:
        last = value[-1] if value else None
        if (
            last is not None
            and last.path == run.path
            and run.path is not None
            and last.quoted == run.quoted
            and last.position + len(last.text) == run.position
        ):
            value[-1] = Run(last.text + run.text, run.path, last.position, run.quoted)
        else:
            value.append(run)
    return value


_ALPHANUMERICAL = frozenset(string.ascii_letters + string.digits)
#: Specifiers that some version of systemd knows and whose text is known only where the unit runs.
_NOT_KNOWN_HERE = frozenset("abBcdDfgGlmMoqrRsvwWAyY")


class Specifiers:
    """What ``%n`` and its like stand for in the settings of one unit (systemd.unit(5), unit-printf.c)."""

    def __init__(self, unit: str, files: HostFiles) -> None:
        self._files = files
        stem = unit.rpartition(".")[0]
        prefix, _at, instance = stem.partition("@")
        last = prefix.rpartition("-")[2]
        self._known = {
            "%": "%",
            "n": unit,
            "N": stem,
            "p": prefix,
            "i": instance,
            "j": last,
            "t": "/run",
            "S": "/var/lib",
            "C": "/var/cache",
            "L": "/var/log",
            "E": "/etc",
            "T": "/tmp",
            "V": "/var/tmp",
        }  # type: Dict[str, Optional[str]]
        for letter, text in (("I", instance), ("P", prefix), ("J", last)):
            self._known[letter] = _unescaped(text)

    def of(self, letter: str) -> Tuple[Optional[str], str]:
        """The text; None where systemd refuses the specifier, or where it is not known, with the reason."""
        if letter in self._known:
            return self._known[letter], ""
        if letter == "H":
            return self._host_name()
        if letter in "uUh":
            # Before 229 they were those of User=; since then systemd has a library of its own.
            folders = ("/usr/lib/systemd", "/lib/systemd", "/usr/lib/*/systemd")
            old = any(self._files.exists(folder + "/systemd") for folder in folders[:2]) and not any(
                self._files.glob(folder + "/libsystemd-shared-*.so") for folder in folders
            )
            return (
                (None, "the specifier %%%s of an old systemd" % letter)
                if old
                else ({"u": "root", "U": "0", "h": "/root"}[letter], "")
            )
        return None, "the specifier %%%s" % letter if letter in _NOT_KNOWN_HERE else ""

    def _host_name(self) -> Tuple[Optional[str], str]:
        try:
            lines = [line.strip() for line in self._files.read("/etc/hostname").split("\n")]
        except OSError:
            lines = []
        written = next((line for line in lines if line and not line.startswith("#")), None)
        if self._files.root == "/" and written != os.uname().nodename:
            return None, "%H: the host's name is another than the one in /etc/hostname"
        return written, "" if written else "%H: /etc/hostname gives no name"

    def put_in(self, value: Value) -> Optional[Value]:
        """The value with its specifiers put in; None where systemd refuses one of them."""
        if "%" not in text_of(value):
            return value
        result: Value = []
        pending: Optional[Run] = None
        for run in value:
            start = 0
            for offset, char in enumerate(run.text):
                if pending is not None:
                    text, reason = self.of(char)
                    if text is not None:
                        result.append(Run(text, run.path, run.position + offset, run.quoted))
                    elif reason:
                        result.append(Run("", run.path, run.position + offset, run.quoted, reason, True))
                    elif char in _ALPHANUMERICAL:
                        return None
                    else:
                        result.append(pending)
                        result.append(run.part(offset, offset + 1))
                    pending = None
                    start = offset + 1
                elif char == "%":
                    if offset > start:
                        result.append(run.part(start, offset))
                    pending = run.part(offset, offset + 1)
                    start = offset + 1
            if start < len(run.text):
                result.append(run.part(start, len(run.text)))
        if pending is not None:
            result.append(pending)
        return result

    def text(self, value: Value) -> Optional[str]:
        """As :meth:`put_in`, for a setting that must be known. Raises Unresolvable."""
        expanded = self.put_in(value)
        reason = unknown_of(expanded, True) if expanded is not None else None
        if reason:
            raise Unresolvable("%s: %s is not known before the start" % (text_of(value), reason))
        return text_of(expanded) if expanded is not None else None


def _unescaped(text: str) -> Optional[str]:
    """A part of a unit's name as it was before systemd-escape(1); None for what systemd refuses."""
    if re.search(r"\\(?!x[0-9a-fA-F]{2})", text):
        return None
    return re.sub(r"\\x(..)", lambda match: chr(int(match.group(1), 16)), text.replace("-", "/"))


_VALID_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def _split_assignment(word: Value) -> Optional[Tuple[str, Value]]:
    text = text_of(word)
    name, separator, _rest = text.partition("=")
    if not separator or not _VALID_NAME.match(name):
        return None
    return name, _slice(word, len(name) + 1)


def _slice(value: Value, count: int) -> Value:
    result: Value = []
    for run in value:
        if count >= len(run.text) and not run.unknown:
            count -= len(run.text)
            continue
        result.append(run if not count or run.unknown else run.part(count, len(run.text)))
        if not run.unknown:
            count = 0
    return result


def parse_environment_file(content: str, path: str, strict: bool = False) -> List[Tuple[str, Variable]]:
    """Assignments of an ``EnvironmentFile=``, by systemd's own rules (no expansion, quotes, joined lines).

    Raises Unresolvable where there are too many, and where it is ``strict`` UnicodeDecodeError where systemd reads
    nothing of the file: a name or a value is no UTF-8 (``check_utf8ness_and_warn``). Comments may be what they like.
    """
    result: List[Tuple[str, Variable]] = []
    state = "pre_key"
    key: List[str] = []
    value: List[List[int]] = []  # where the stretches begin and end that it is made of
    start = 0
    blanks = 0  # unquoted blanks at the end of the value, dropped at the line's end

    def push(index: int) -> None:
        if value and value[-1][1] == index:
            value[-1][1] += 1
        else:
            value.append([index, index + 1])
        if len(value) > LIMIT_PIECES:
            raise Unresolvable(
                "the value of a variable has more than %d quoted characters" % LIMIT_PIECES,
                path,
                line_of(content, start),
            )

    def finish() -> None:
        if len(result) >= LIMIT_SETTINGS:
            raise Unresolvable("it has more than %d variables" % LIMIT_SETTINGS, path)
        whole = [Run(content[first:last], path, first) for first, last in value]
        kept = first_of(whole, len(text_of(whole)) - blanks)
        name = "".join(key).rstrip(" \t")
        if strict:
            for text in (name, text_of(kept)):
                text.encode("latin-1").decode("utf-8")
        if _VALID_NAME.match(name):
            result.append((name, Variable(kept, path, start, "EnvironmentFile")))

    for index, char in enumerate(content):
        end = char in "\n\r"
        if state == "pre_key":
            if char in "#;":
                state = "comment"
            elif char not in " \t\n\r":
                state, key, value, start, blanks = "key", [char], [], index, 0
        elif state == "key":
            if end:
                state = "pre_key"
            elif char == "=":
                state = "pre_value"
            else:
                key.append(char)
        elif state == "pre_value":
            if end:
                finish()
                state = "pre_key"
            elif char == "'":
                state = "single"
            elif char == '"':
                state = "double"
            elif char == "\\":
                state = "escape"
            elif char not in " \t":
                push(index)
                state, blanks = "value", 0
        elif state == "value":
            if end:
                finish()
                state = "pre_key"
            elif char == "\\":
                state, blanks = "escape", 0
            else:
                blanks = blanks + 1 if char in " \t" else 0
                push(index)
        elif state == "escape":
            state = "value"
            if not end:
                push(index)
        elif state == "single":
            if char == "'":
                state, blanks = "pre_value", 0
            else:
                push(index)
        elif state == "double":
            if char == '"':
                state, blanks = "pre_value", 0
            elif char == "\\":
                state = "double_escape"
            else:
                push(index)
        elif state == "double_escape":
            state = "double"
            if char in '"\\`$':
                push(index)
            elif char != "\n":
                push(index - 1)
                push(index)
        elif state == "comment":
            if char == "\\":
                state = "comment_escape"
            elif end:
                state = "pre_key"
        elif state == "comment_escape":
            state = "comment"
    if state not in ("pre_key", "key", "comment", "comment_escape"):
        finish()  # at the end of the file, a quote may still be open
    return result


def _drop_in_folders(name: str) -> Iterator[str]:
    """Folders of drop-ins for a unit in one folder of the unit path, the closest first (systemd: dropin.c)."""
    yield name + ".d"
    stem, _dot, kind = name.rpartition(".")
    prefix, at, instance = stem.partition("@")
    if instance:
        yield from _drop_in_folders("%s@.%s" % (prefix, kind))
    shorter = prefix.rstrip("-").rpartition("-")[0]
    if shorter:
        yield from _drop_in_folders("%s-%s.%s" % (shorter, at + instance if instance else "", kind))


class UnitFiles:
    """Finds units and their drop-ins under a root; ``files`` shows them."""

    def __init__(self, files: HostFiles) -> None:
        self.files = files
        # A name is looked for in thousands of places of which few exist.
        self._names = {folder: frozenset(files.list(folder)) for folder in UNIT_PATH}
        self._drop_ins = {name for names in self._names.values() for name in names if name.endswith(".service.d")}

    def names(self) -> List[str]:
        """All services that have a unit file, templates among them, and the instances that something enables."""
        names = set()
        for folder in UNIT_PATH:
            for name in self._names[folder]:
                if name.endswith(".service"):
                    names.add(name)
                elif name.endswith((".wants", ".requires")):  # instances of templates exist where they are enabled
                    names.update(
                        entry
                        for entry in self.files.list("%s/%s" % (folder, name))
                        if re.match(r"[^@]+@.+\.service\Z", entry)
                    )
        return sorted(names)

    def wanted_instances(self, template: str) -> List[str]:
        """Instances of a template that other units name, as in ``Wants=`` of a target."""
        stem = template.partition("@")[0]
        pattern = re.compile(r"(?<![\w@.:\\-])%s@[^\s%%/]+\.service(?!\S)" % re.escape(stem))
        found = set()
        for folder in UNIT_PATH:
            for name in self._names[folder]:
                if not name.endswith((".target", ".service", ".timer", ".path", ".socket")):
                    continue
                try:
                    content = self.files.read("%s/%s" % (folder, name))
                except OSError:
                    continue
                for line in content.split("\n") if stem + "@" in content else ():
                    if not line.lstrip().startswith(("#", ";", "ExecStop", "After", "Before")):
                        found.update(pattern.findall(line.replace("=", " ")))
        return sorted(found)

    def fragment(self, name: str) -> Optional[str]:
        """Path of the unit file that counts, an instance's own or its template's."""
        template = re.sub(r"@[^/]+\.service\Z", "@.service", name)
        for candidate in dict.fromkeys([name, template]):
            for folder in UNIT_PATH:
                path = "%s/%s" % (folder, candidate)
                if candidate in self._names[folder] and self.files.exists(path):
                    return path
        return None

    def drop_ins(self, name: str) -> List[str]:
        """Drop-ins in the order in which they apply; for one file name the strongest folder counts."""
        folders = [folder for folder in dict.fromkeys(_drop_in_folders(name)) if folder in self._drop_ins]
        chosen: Dict[str, str] = {}
        # The stronger folder counts more than the closer name; what is for all services comes last.
        places = [(folder, suffix) for folder in UNIT_PATH for suffix in folders]
        for folder, suffix in places + [(folder, "service.d") for folder in UNIT_PATH]:
            place = "%s/%s" % (folder, suffix)
            for entry in self.files.list(place) if suffix in self._names[folder] else ():
                if entry.endswith(".conf") and entry not in chosen:
                    chosen[entry] = "%s/%s" % (place, entry)
        return [chosen[entry] for entry in sorted(chosen)]

    def load(self, name: str) -> Optional[Unit]:
        """The unit as the files define it, None where there is none. Raises OSError, Unresolvable."""
        fragment = self.fragment(name)
        if fragment is None:
            return None
        if self.files.is_masked(fragment):
            return Unit(name, fragment, None, (), {}, (), "", True)
        paths = [fragment]
        for path in self.drop_ins(name):
            if not self.files.is_masked(path):
                paths.append(path)
        settings: List[Setting] = []
        for path in paths:
            settings.extend(settings_of(self.files, self.files.read(path), path))
            if len(settings) > LIMIT_SETTINGS:
                raise Unresolvable("the unit has more than %d settings" % LIMIT_SETTINGS, path)
        return build(name, fragment, tuple(paths[1:]), settings, self.files)


def build(name: str, fragment: str, drop_ins: Tuple[str, ...], settings: Sequence[Setting], files: HostFiles) -> Unit:
    """Put the settings of a service together."""
    environment: Dict[str, Variable] = {}
    environment_files: List[str] = []
    taken: List[str] = []
    exec_start: List[Tuple[Value, ...]] = []
    before: List[Tuple[Value, ...]] = []
    passed: Dict[str, Variable] = {}
    doubt: Optional[Tuple[str, Optional[str]]] = None
    refused: Optional[Tuple[str, Optional[str]]] = None
    stopped: Optional[str] = None
    last: Dict[str, str] = {}
    pam: Optional[Setting] = None
    roots: Dict[str, str] = {}
    overlays: List[Tuple[str, str]] = []
    user = ""
    folder: Value = []
    binds: List[str] = []
    above = False  # a command that need not be in the root
    mounts: Mounts = ()
    source: Optional[str] = None
    specifiers = Specifiers(name, files)
    for setting in settings:
        text = text_of(setting.value)
        if setting.key == NOT_UTF8:
            raise Unresolvable(
                "systemd does not read on at a line that is no UTF-8",
                setting.path,
                line_of(files.read(setting.path), setting.position),
            )
        if setting.section == "Unit" and setting.key == "SourcePath":
            source = text
        # Of a drop-in with such an error systemd reads no more.
        if setting.section == "Unit" and setting.key == "SuccessAction":
            last[setting.key] = "" if text == "none" else text
        if setting.section != "Service" or setting.path == stopped:
            continue
        if setting.key == "Environment":
            if not text:
                environment = {}
            for word in split_words(setting.value):
                expanded = specifiers.put_in(word)
                pair = _split_assignment(expanded) if expanded is not None else None
                if pair is not None and expanded is not None:
                    first = next((run for run in expanded if run.path), None)
                    environment[pair[0]] = Variable(
                        pair[1], setting.path, first.position if first else setting.position, "Environment"
                    )
        elif setting.key == "EnvironmentFile":
            if not text:
                environment_files = []
            entry = specifiers.text(setting.value) or ""
            if entry.startswith(("/", "-/")):  # else systemd passes the line over
                environment_files.append(entry)
        elif setting.key == "UnsetEnvironment":
            words = [specifiers.put_in(word) for word in split_words(setting.value)]
            taken.extend(text_of(word) for word in words if word is not None)
            if not text:
                taken = []
        elif setting.key in _EXEC:
            commands, reason = _commands(setting.value, specifiers)
            above = above or setting.key == "ExecStart" and re.match(r"[@\-:!|]*\+", text) is not None
            if setting.key == "ExecStart":
                exec_start = exec_start + commands if text else []
            elif setting.key in ("ExecStartPre", "ExecCondition"):
                before = before + commands if text else []
            elif setting.key == "ExecStop":
                last[setting.key] = text
            if reason and setting.path == fragment:
                refused = refused or ("systemd refuses the unit: %s= has %s" % (setting.key, reason), fragment)
            elif reason:
                stopped = setting.path
        elif setting.key in ("BusName", "Restart") or setting.key == "Type" and (text in _TYPES or not text):
            last[setting.key] = text
        elif setting.key == "WorkingDirectory":
            expanded = specifiers.put_in(setting.value)
            path = text_of(expanded or [])
            optional = text.startswith("-")
            whole = path.lstrip("-").startswith("/") and path[:2] != "--" and not _leads_up(path)
            if not text or text in ("~", "-~") or whole:
                folder = expanded or []
            elif expanded is not None and unknown_of(expanded, True):
                folder = expanded
            elif not optional and setting.path == fragment:
                refused = refused or (
                    "systemd refuses the unit: WorkingDirectory= is no absolute path without ..",
                    fragment,
                )
            elif not optional:
                stopped = setting.path
        elif setting.key in ROOTS:
            path = specifiers.text(setting.value) or ""
            roots[setting.key] = path
            if text and (not path.startswith("/") or _leads_up(path)):
                roots[setting.key] = ""
                if setting.path == fragment:
                    refused = refused or (
                        "systemd refuses the unit: %s= is no absolute path without .." % setting.key,
                        fragment,
                    )
                else:
                    stopped = setting.path
        elif setting.key in BINDS:
            words = [specifiers.put_in(word) for word in split_words(setting.value)]
            binds = (
                binds + ["?" if word is None or unknown_of(word, True) else text_of(word) for word in words]
                if text
                else []
            )
        elif setting.key in _OVERLAYS:
            overlays = [one for one in overlays if text or one[1] != setting.key + "="]
            overlays.extend(
                overlaid(setting.key, text_of(specifiers.put_in(word) or [])) for word in split_words(setting.value)
            )
        elif setting.key == "PAMName":
            pam = setting if text else None
        elif setting.key == "PassEnvironment":
            for word in split_words(setting.value):
                passed[text_of(word)] = passed_on(text_of(word), setting.path, setting.position)
            passed = passed if text else {}
        elif setting.key == "User":
            user = specifiers.text(setting.value) or ""
    together = _refused(len(exec_start), last)
    if together:
        refused = refused or ("systemd refuses the unit: " + together, drop_ins[-1] if drop_ins else fragment)
    try:
        mounts, places = mounts_in(roots, binds, bool(before) or above, files)
        overlays.extend(places)
    except Unresolvable as error:
        doubt = (error.reason, fragment)
    overlays = [one for one in overlays if one[0]]
    environment = dict(passed, **environment)
    try:
        environment.update(read_environment_files(environment_files, files))
        if pam is not None:
            environment.update(session(specifiers.text(pam.value) or "", user, files))
    except Unresolvable as error:
        doubt = doubt or (error.reason, error.path)
    unset(environment, taken)
    return Unit(
        name,
        fragment,
        source,
        drop_ins,
        environment,
        tuple(exec_start),
        user,
        False,
        tuple(environment_files),
        tuple(before),
        refused or doubt,
        tuple(overlays),
        working_folder(text_of(folder), user, files, mounts) if unknown_of(folder, True) is None else None,
        mounts,
        refused is not None,
    )


def unset(environment: Dict[str, Variable], entries: Sequence[str]) -> None:
    """``UnsetEnvironment=``: takes out variables, by their names or where they have one value."""
    for entry in entries:
        variable, separator, value = entry.partition("=")
        if not separator or (variable in environment and text_of(environment[variable].value) == value):
            environment.pop(variable, None)


def _leads_up(path: str) -> bool:
    """Whether systemd takes a path for not normalized (path_simplify_and_warn)."""
    return ".." in path.split("/")


def working_folder(path: str, user: str, files: HostFiles, mounts: Mounts = ()) -> Optional[str]:
    """Where a service is started, links resolved as ``pwd`` of a new shell does; None where that is not known.

    ``path`` is WorkingDirectory=, "-" first: the folder may be missing (what then comes of it is not known here,
    because systemd may make it itself).
    """
    optional = path.startswith("-")
    path = path[1:] if optional else path
    if path == "~":
        from ..shell._login import account

        path = account(files, user).get("HOME", "") if user else ""
        if not path:
            return None
    files = seen(files, mounts)
    try:
        if optional and not files.exists(path):
            return None
        return files.canonical(path or "/")
    except OSError:
        return None


#: Settings that give the service a root of its own, and those that show it folders of the host elsewhere.
ROOTS = ("RootDirectory", "RootImage")
BINDS = ("BindPaths", "BindReadOnlyPaths")
_OVERLAYS = frozenset(["TemporaryFileSystem", "MountImages", "ExtensionImages", "ExtensionDirectories"])


def mounts_in(
    roots: Dict[str, str], binds: Sequence[str], elsewhere: bool, files: HostFiles
) -> Tuple[Mounts, List[Tuple[str, str]]]:
    """What a service sees by such settings, and overlays of which the content is not known.

    Raises Unresolvable where none of it is known.
    ``elsewhere``: it has commands that may run with the host's root all the same (ExecStartPre=, "+").
    """
    image = roots.get("RootImage", "")
    if image.strip("/"):
        raise Unresolvable("RootImage=%s: the service sees other files than the host's, and they are not read" % image)
    root = roots.get("RootDirectory", "")
    mounts, places = mounts_of(root, binds, files)
    if root.strip("/") and elsewhere:
        raise Unresolvable(
            "RootDirectory=%s: which files its commands see that run before, or with '+', is not known" % root
        )
    return mounts, [("/" + place.strip("/"), "BindPaths=") for place in places]


def overlaid(setting: str, word: str) -> Tuple[str, str]:
    """Where a word of such a setting puts other files; an empty place where they are the same."""
    parts = re.split(r"(?<!\\):", word.lstrip("-+"))
    if setting.startswith("Extension"):
        place = "/"
    else:
        place = parts[0] if setting == "TemporaryFileSystem" else parts[1] if len(parts) > 1 else ""
    return ("/" + place.strip("/") if place else ""), setting + "="


def passed_on(name: str, path: str, position: int = 0) -> Variable:
    """A variable of ``PassEnvironment=``: the service manager's own, as it was started."""
    reason = "PassEnvironment=%s: what the service manager was started with is not known" % name
    return Variable([Run("", None, 0, False, reason)], path, position, "PassEnvironment")


def session(service: str, user: str, files: HostFiles) -> Dict[str, Variable]:
    """Variables that the PAM session of ``PAMName=`` sets; they count more than all others. Raises Unresolvable."""
    from ..shell._login import pam_environment  # few units have one

    if not files.exists("/etc/pam.d/" + service):
        raise Unresolvable("PAMName=%s: what that sets is not known, there is no /etc/pam.d/%s" % (service, service))
    found = pam_environment(files, service, True)
    if found and not user:
        raise Unresolvable("PAMName=%s without User=: whether that sets variables is not known" % service)
    return {
        name: Variable(value, value[0].path or "", value[0].position, "PAM") if value else Variable([], "", 0, "PAM")
        for name, value in found.items()
    }


def default_environment(files: HostFiles) -> Dict[str, Variable]:
    """``DefaultEnvironment=`` of the service manager's own files: what every service gets in an image that is started.

    Raises Unresolvable for a file that systemd does not read to its end.
    """
    folders = ["/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd", "/lib/systemd"]
    main = next((path for path in [folder + "/system.conf" for folder in folders] if files.exists(path)), None)
    chosen: Dict[str, str] = {}
    for folder in folders:
        for name in files.list(folder + "/system.conf.d"):
            if name.endswith(".conf"):
                chosen.setdefault(name, "%s/system.conf.d/%s" % (folder, name))
    found: Dict[str, Variable] = {}
    specifiers = Specifiers("", files)
    for path in ([main] if main else []) + [chosen[name] for name in sorted(chosen)]:
        if files.is_masked(path):
            continue
        try:
            settings = settings_of(files, files.read(path), path)
        except OSError:
            continue
        for setting in settings:
            if setting.section != "Manager" or setting.key != "DefaultEnvironment":
                continue
            if not text_of(setting.value):
                found = {}
            for word in split_words(setting.value):
                pair = _split_assignment(specifiers.put_in(word) or [])
                if pair is not None:
                    found[pair[0]] = Variable(pair[1], path, setting.position, "DefaultEnvironment")
    return found


#: What is of no interest in the environment of the service manager.
_OF_THE_MANAGER = re.compile(r"(?:PATH|LANG|LANGUAGE|LC_[A-Z]+|HOME|TERM|SHELL|USER|LOGNAME)\Z")


def lasting(manager: Dict[str, Variable], files: HostFiles) -> Dict[str, Variable]:
    """The service manager's environment without what a reboot takes from it: such a variable is not known.

    It was set by ``systemctl set-environment``, a generator or the kernel's command line. Raises Unresolvable.
    """
    written = default_environment(files)
    found: Dict[str, Variable] = {}
    for name, variable in manager.items():
        same = name in written and text_of(written[name].value) == text_of(variable.value)
        if not same and not _OF_THE_MANAGER.match(name):
            reason = (
                "systemctl set-environment, or another who is not followed, gives the service manager $%s, "
                "and no file does" % name
            )
            variable = variable._replace(value=[Run("", None, 0, False, reason)])
        found[name] = variable
    return found


def environment_generators(files: HostFiles) -> List[str]:
    """Programs that give the service manager variables when it starts, those left out that set PATH alone."""
    chosen: Dict[str, str] = {}
    for folder in ("/run", "/etc", "/usr/local/lib", "/usr/lib"):
        place = folder + "/systemd/system-environment-generators"
        for name in files.list(place):
            chosen.setdefault(name, place + "/" + name)
    return [
        path
        for name, path in sorted(chosen.items())
        if name != "snapd-env-generator" and not files.is_masked(path) and files.test("x", path) is not False
    ]


#: Commands that only look at a file that they name, or change whose it is.
_LOOKS = frozenset(
    ["[", "cat", "chmod", "chown", "echo", "grep", "logger", "ls", "mkdir", "setfacl", "stat", "test", "true"]
)


def written_before(unit: Unit, paths: Sequence[str], files: HostFiles) -> Optional[str]:
    """Why one of these files may be another one when the unit has started: a command before may write it."""
    targets = [path for path in dict.fromkeys(paths) if path.startswith("/")]
    for command in unit.before:
        words = [text_of(word) for word in command]
        text = " ".join(words)
        names_it = any(target in text for target in targets)
        for word in words:
            if word.startswith("/") and files.head(word) == b"#!":
                try:
                    text += "\n" + files.read(word)
                except OSError:
                    return "ExecStartPre= starts %s, which cannot be read" % word
        if "set-environment" in text:
            return "ExecStartPre= changes the environment of the service manager"
        for target in targets:
            folder, _slash, name = target.rpartition("/")
            place = folder if re.search(r"[*?\[]", name) else target
            only_looks = words[0].rsplit("/", 1)[-1] in _LOOKS
            into = re.search(
                r">\|?\s*[\"']?(?:%s/|\./|[^\s\"'>]*\$[^\s\"'>]*/)?%s(?![\w.-])" % (re.escape(folder), re.escape(name)),
                text,
            )
            if into or (place in text and not only_looks):
                return "ExecStartPre= may write %s before it is read" % target
        if unit.environment_files and not names_it and _is_foreign(words[0], files):
            return "ExecStartPre= starts %s, which may write its EnvironmentFile" % words[0]
    return None


def _is_foreign(program: str, files: HostFiles) -> bool:
    """Whether a program is none of the distribution's, and no script of a shell that can be read."""
    if re.match(r"(?:/usr)?/s?bin/", program) or "/" not in program:
        return False
    head = files.head(program, 64).decode("latin-1").split("\n")[0]
    return re.match(r"#!.*\b(?:sh|bash|dash|ksh)\b", head) is None


def read_environment_files(entries: Sequence[str], files: HostFiles) -> Dict[str, Variable]:
    """Variables from ``EnvironmentFile=`` entries ("-" first: may be missing), later files winning."""
    environment: Dict[str, Variable] = {}
    size = 0
    for entry in entries:
        optional = entry.startswith("-")
        path = entry[1:] if optional else entry
        if PASSING.match(path):
            raise Unresolvable("the unit's EnvironmentFile is made anew before it starts", path)
        try:
            paths = files.glob(path)
        except OSError as error:
            raise Unresolvable("the unit's EnvironmentFile %s" % error.strerror, path)
        if not paths and not optional:
            raise Unresolvable("the unit cannot start: its EnvironmentFile is missing", path)
        for found in paths:
            if PASSING.match(files.canonical(found) + "/"):
                raise Unresolvable("the unit's EnvironmentFile is a link to what is made anew before it starts", found)
            try:
                content = files.read(found)
            except OSError as error:
                raise Unresolvable("the unit's EnvironmentFile cannot be read: %s" % error.strerror, found)
            size += len(content)
            if size > LIMIT_ENVIRONMENT:
                raise Unresolvable("the unit's EnvironmentFiles have more than %d bytes" % LIMIT_ENVIRONMENT, found)
            try:
                variables = files.made(
                    "environment", found, content, partial(parse_environment_file, content, found, True)
                )
            except UnicodeDecodeError:
                if optional:
                    continue
                raise Unresolvable("the unit cannot start: its EnvironmentFile is no UTF-8", found)
            environment.update(variables)
    return environment


def _commands(value: Value, specifiers: Specifiers) -> Tuple[List[Tuple[Value, ...]], Optional[str]]:
    """The commands of a line, and why systemd refuses it."""
    if _is_open(text_of(value)):
        return [], "a quote that is not closed"
    words = split_words(value, lenient=True)
    commands: List[Tuple[Value, ...]] = []
    current: List[Value] = []
    prefix = ""
    skips = False  # an ignored command that cannot be read does not count
    for word in words + [[Run(";")]]:
        text = text_of(word)
        if text == "\\;":
            word = [Run(";", run.path, run.position + 1) for run in word[:1]]
        elif text == ";" and not any(run.quoted for run in word):
            if current and not skips:
                # "@": the word after the program is what the program is called, no argument.
                commands.append(tuple(current[:1] + current[2:] if "@" in prefix else current))
            current, skips = [], False
            continue
        is_program = not current
        if is_program:
            prefix = text[: len(text) - len(text.lstrip("@-:+!|"))]
            word = _slice(word, len(prefix))
        expanded = specifiers.put_in(word)
        refused = None if expanded is not None else "a specifier that it does not know"
        if refused is None and is_program and not _may_be_program(text_of(expanded or [])):
            refused = "a program by a path that is not absolute"
        if refused is not None:
            if "-" not in prefix:
                return commands, refused
            skips = True
        word = expanded or [Run("")]
        if ":" in prefix:  # no variables are put in
            word = [
                Run(run.text.replace("$", "$$"), run.path, run.position, run.quoted, run.unknown, run.harmless)
                if "$" in run.text
                else run
                for run in word
            ]
        current.append(word)
    return commands, None


def _is_open(text: str) -> bool:
    """Whether a quote is open at the end."""
    quote = ""
    for found in re.finditer(r"\\.|[\"']", text, re.DOTALL):
        if not quote:
            quote = found.group(0) if found.group(0) in "\"'" else ""
        elif found.group(0) == quote:
            quote = ""
    return bool(quote)


def _may_be_program(path: str) -> bool:
    """An absolute path, or a name that is looked for."""
    return not path.endswith("/") and (path.startswith("/") or ("/" not in path and path not in ("", ".", "..")))


_TYPES = frozenset(["simple", "exec", "forking", "oneshot", "dbus", "notify", "notify-reload", "idle"])
_EXEC = frozenset(
    ["ExecStart", "ExecStartPre", "ExecCondition", "ExecStartPost", "ExecReload", "ExecStop", "ExecStopPost"]
)


def _refused(commands: int, last: Dict[str, str]) -> Optional[str]:
    """Why systemd refuses a service by its settings together (``service_verify``)."""
    kind = last.get("Type") or ("dbus" if last.get("BusName") else "simple" if commands else "oneshot")
    if not commands and (kind != "oneshot" or not (last.get("ExecStop") or last.get("SuccessAction"))):
        return "it has no ExecStart="
    if kind != "oneshot" and commands > 1:
        return "it has %d commands in ExecStart=, and is not of Type=oneshot" % commands
    if kind == "oneshot" and last.get("Restart") in ("always", "on-success"):
        return "Restart=%s is not allowed for Type=oneshot" % last["Restart"]
    return "it is of Type=dbus and has no BusName=" if kind == "dbus" and not last.get("BusName") else None


def substitute(argv: Sequence[Value], environment: Dict[str, Variable]) -> List[Value]:
    """Put variables into an ``ExecStart=`` as systemd does: ``$A`` is put in where it is a whole word, and then split.

    ``${A}`` is put in anywhere and is not split; ``$$`` is a dollar sign.
    """
    result: List[Value] = []
    size = 0

    def put_in(value: Value) -> Value:
        nonlocal size
        size += len(value) + sum([len(run.text) for run in value])
        if size > LIMIT_ARGUMENTS:
            raise Unresolvable("the command of the unit grows too long to follow")
        return value

    for index, word in enumerate(argv):
        text = text_of(word)
        alone = re.match(r"\$([A-Za-z_][A-Za-z0-9_]*)\Z", text)
        if index and alone:
            variable = environment.get(alone.group(1))
            if variable is not None and unknown_of(variable.value):
                result.append(put_in(variable.value))
            elif variable is not None:
                result.extend(split_words(put_in(variable.value), lenient=True, c_escapes=False))
            continue
        if not index or "$" not in text:
            result.append(put_in(word))
            continue
        pieces: Value = []
        starts = _starts(word)
        offset = 0
        for match in re.finditer(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)\}", text):
            pieces.extend(_between(word, starts, offset, match.start()))
            if match.group(0) == "$$":
                pieces.append(Run("$"))
            else:
                variable = environment.get(match.group(1))
                pieces.extend(put_in(variable.value) if variable is not None else [])
            offset = match.end()
        pieces.extend(_between(word, starts, offset, len(text) + 1))
        result.append(put_in(pieces))
    return result


def _starts(value: Value) -> List[int]:
    """Where in a value's text each of its runs begins."""
    starts = []
    start = 0
    for run in value:
        starts.append(start)
        start += len(run.text)
    return starts


def _between(value: Value, starts: List[int], begin: int, end: int) -> Value:
    """A stretch of a value, with the unknowns that stand in it."""
    number = bisect_left(starts, begin)
    if number > 0 and (number == len(starts) or starts[number] > begin):
        number -= 1
    result: Value = []
    while number < len(value) and starts[number] < end:
        run, first = value[number], starts[number]
        low, high = max(begin - first, 0), min(end - first, len(run.text))
        if run.unknown:
            result.append(run)
        elif low < high:
            result.append(run.part(low, high))
        number += 1
    return result

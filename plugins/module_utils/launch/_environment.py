# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment of a service: ``Environment=``, ``EnvironmentFile=``, and what else gives it variables.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import re
from functools import partial
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from ..host._files import PASSING, HostFiles
from ..text._characters import EMPTY, Run, Value
from ..text._value import Unresolvable, line_of
from ._specifiers import Specifiers
from ._unit_syntax import LIMIT_SETTINGS, settings_of, split_words

LIMIT_PIECES = 100000  # of one value: a backslash begins a new one
LIMIT_ENVIRONMENT = 4 << 20  # bytes of all EnvironmentFiles of a unit; the kernel takes less


class Variable(NamedTuple):
    """An environment variable of a unit, and the file that set it last."""

    value: Value
    path: str
    position: int  # of the assignment's first character
    reader: str  # "Environment" or "EnvironmentFile"


_VALID_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def assignment_of(word: Value) -> Optional[Tuple[str, Value]]:
    """Name and value of an assignment; None for a word that is none."""
    name, separator, _rest = word.text.partition("=")
    if not separator or not _VALID_NAME.match(name):
        return None
    return name, word[len(name) + 1 :]


def parse_environment_file(content: str, path: str, strict: bool = False) -> List[Tuple[str, Variable]]:  # noqa: C901 -- systemd's own state machine, state by state
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
        whole = Value([Run(content[first:last], path, first) for first, last in value])
        kept = whole[: len(whole.text) - blanks] if blanks else whole
        name = "".join(key).rstrip(" \t")
        if strict:
            for text in (name, kept.text):
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


def unset(environment: Dict[str, Variable], entries: Sequence[str]) -> None:
    """``UnsetEnvironment=``: takes out variables, by their names or where they have one value."""
    for entry in entries:
        variable, separator, value = entry.partition("=")
        if not separator or (variable in environment and environment[variable].value.text == value):
            environment.pop(variable, None)


def passed_on(name: str, path: str, position: int = 0) -> Variable:
    """A variable of ``PassEnvironment=``: the service manager's own, as it was started."""
    reason = "PassEnvironment=%s: what the service manager was started with is not known" % name
    return Variable(Value.unknown_for(reason), path, position, "PassEnvironment")


def session(service: str, user: str, files: HostFiles) -> Dict[str, Variable]:
    """Variables that the PAM session of ``PAMName=`` sets; they count more than all others. Raises Unresolvable."""
    from ..shell._login import pam_environment  # few units have one

    if not files.exists("/etc/pam.d/" + service):
        raise Unresolvable("PAMName=%s: what that sets is not known, there is no /etc/pam.d/%s" % (service, service))
    found = pam_environment(files, service, True)
    if found and not user:
        raise Unresolvable("PAMName=%s without User=: whether that sets variables is not known" % service)
    variables = {}
    for name, value in found.items():
        first = value.runs[0] if value else Run("")
        variables[name] = Variable(value, first.path or "", first.position, "PAM")
    return variables


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
            if not setting.value.text:
                found = {}
            for word in split_words(setting.value):
                pair = assignment_of(specifiers.put_in(word) or EMPTY)
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
        same = name in written and written[name].value.text == variable.value.text
        if not same and not _OF_THE_MANAGER.match(name):
            reason = (
                "systemctl set-environment, or another who is not followed, gives the service manager $%s, "
                "and no file does" % name
            )
            variable = variable._replace(value=Value.unknown_for(reason))
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

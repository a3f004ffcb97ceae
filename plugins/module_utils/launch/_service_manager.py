# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the running service manager has loaded, asked over D-Bus with ``busctl``.

``systemctl show`` would join arguments with blanks. Private to this collection. Python 3.6+, standard library only.
"""

import os
import re
import select
import subprocess
import time
from typing import Any, Dict, List, Sequence, Tuple

from ..host import _limits as limits
from ..host._files import HostFiles
from ..text._characters import Value
from ..text._value import Unresolvable
from ._commands import literal
from ._environment import Variable, passed_on, read_environment_files, session, unset
from ._service_files import Mounts
from ._unit import BINDS, Loaded, Unit, mounts_in, overlaid, working_folder
from ._unit_syntax import ESCAPES

_DESTINATION = "org.freedesktop.systemd1"
#: What is started anew so often, and came up so few seconds ago, ends again and again.
_RESTARTS = 3
_SECONDS = 60


class Unavailable(Exception):
    """The service manager cannot be asked; says why."""


def object_path(unit: str) -> str:
    """D-Bus object of a unit (``sd_bus_path_encode``)."""
    return "/org/freedesktop/systemd1/unit/" + "".join(
        char if re.match(r"[A-Za-z]", char) or (index and char.isdigit()) else "_%02x" % ord(char)
        for index, char in enumerate(unit)
    )


class _Manager:
    silent = False  # it did not answer once, so it is not asked again


def _busctl(arguments: Sequence[str]) -> str:
    if _Manager.silent or limits.left() <= 0:
        raise Unavailable("the service manager did not answer in time")
    try:
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function
            ["busctl", "--system"] + list(arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
        )
    except OSError as error:
        raise Unavailable("busctl cannot be run: %s" % error.strerror)
    try:
        said = _said(process, time.monotonic() + min(limits.MANAGER, limits.left()))
    except (subprocess.TimeoutExpired, ValueError):
        _Manager.silent = True
        process.kill()  # and not waited for: it may hang in the kernel
        raise Unavailable("the service manager did not answer in %d seconds" % limits.MANAGER)
    output, errors = (text.decode("latin-1") for text in said)
    if process.returncode != 0:
        message = errors.strip().splitlines()
        raise Unavailable("the service manager did not answer: %s" % (message[-1] if message else "no message"))
    return output


def _said(process: "subprocess.Popen[bytes]", deadline: float) -> List[bytes]:
    """What a process writes until its end. Raises TimeoutExpired, ValueError where that is too much."""
    said: Dict[Any, bytes] = {}
    for stream in (process.stdout, process.stderr):
        said[stream] = b""
    streams = list(said)
    while streams:
        ready = select.select(streams, [], [], max(0.0, deadline - time.monotonic()))[0]
        if not ready:
            raise subprocess.TimeoutExpired("busctl", limits.MANAGER)
        for stream in ready:
            part = os.read(stream.fileno(), 1 << 16)
            said[stream] += part
            if not part:
                streams.remove(stream)
            if len(said[stream]) > limits.ANSWER:
                raise ValueError("no end")
    process.wait(max(0.1, deadline - time.monotonic()))
    for stream in said:
        stream.close()
    return list(said.values())


def _tokens(line: str) -> List[str]:
    """Words of one line of ``busctl get-property``, C escapes undone."""
    tokens = []
    for match in re.finditer(r'"([^"\\]*(?:\\.[^"\\]*)*)"|(\S+)', line):
        if match.group(2) is not None:
            tokens.append(match.group(2))
            continue
        tokens.append(re.sub(r"\\(x[0-9a-fA-F]{2}|[0-7]{3}|.)", _unescape, match.group(1)))
    return tokens


def _unescape(match: "re.Match[str]") -> str:
    code = match.group(1)
    if code[0] == "x" and len(code) == 3:
        return chr(int(code[1:], 16))
    if len(code) == 3 and code.isdigit():
        return chr(int(code, 8) & 255)
    return ESCAPES.get(code, code)


_UNIT_PROPERTIES = (
    "LoadState",
    "ActiveState",
    "SubState",
    "FragmentPath",
    "SourcePath",
    "NeedDaemonReload",
    "DropInPaths",
)
_SERVICE_PROPERTIES = (
    "ControlGroup",
    "User",
    "Environment",
    "EnvironmentFiles",
    "UnsetEnvironment",
    "ExecStart",
    "ExecStartPre",
    "PAMName",
    "RootDirectory",
    "WorkingDirectory",
    "Result",
    "ExecMainStartTimestampMonotonic",
)
#: A systemd before 233 has not all of them, and answers with an error.
_NEWER_PROPERTIES = (
    "NRestarts",
    "PassEnvironment",
    "RootImage",
    "BindPaths",
    "BindReadOnlyPaths",
    "TemporaryFileSystem",
)


def _properties(unit: str, interface: str, names: Sequence[str]) -> Dict[str, List[str]]:
    output = _busctl(["get-property", _DESTINATION, object_path(unit), _DESTINATION + "." + interface] + list(names))
    lines = output.splitlines()
    if len(lines) != len(names):
        raise Unavailable("the service manager gave an answer that is not understood")
    return {name: _tokens(line) for name, line in zip(names, lines)}


def _array(tokens: List[str]) -> List[str]:
    return tokens[2:]  # signature, count, elements


def manager_environment() -> Dict[str, Variable]:
    """What the service manager itself gives every service. Raises :class:`Unavailable`."""
    output = _busctl(
        ["get-property", _DESTINATION, "/org/freedesktop/systemd1", _DESTINATION + ".Manager", "Environment"]
    )
    result = {}
    for entry in _array(_tokens(output)):
        name, _separator, value = entry.partition("=")
        result[name] = Variable(Value.of(value), "systemctl show-environment", 0, "Environment")
    return result


def instances() -> List[str]:
    """Instances of templates that are loaded: somebody may have started one that nothing enables. Unavailable."""
    tokens = _tokens(
        _busctl(
            [
                "call",
                _DESTINATION,
                "/org/freedesktop/systemd1",
                _DESTINATION + ".Manager",
                "ListUnitsByPatterns",
                "asas",
                "0",
                "1",
                "*@?*.service",
            ]
        )
    )
    # Each unit: name, description, three states, followed unit, path, job, its type and path.
    return [name for name in tokens[2::10] if re.match(r"[^@]+@.+\.service\Z", name)]


def _commands(tokens: List[str]) -> Tuple[Tuple[Value, ...], ...]:
    """The commands of ``ExecStart`` and its like."""
    commands = []
    at = 2
    while at < len(tokens):
        count = int(tokens[at + 1])
        argv = tokens[at + 2 : at + 2 + count]
        if argv:
            argv = [tokens[at]] + argv[1:]
        commands.append(tuple(map(Value.of, argv)))
        at += 2 + count + 8  # ignore_failure, four times, pid, code, status
    return tuple(commands)


def _started(name: str, tokens: List[str]) -> Tuple[Tuple[Value, ...], ...]:
    """The commands of ``ExecStart``. Where no variables are put in (the prefix ":"), a dollar is two, as in a unit."""
    commands = _commands(tokens)
    if not any("$" in word.text for command in commands for word in command):
        return commands
    try:
        flags = _flags(_properties(name, "Service", ("ExecStartEx",))["ExecStartEx"])
    except Unavailable:
        return commands  # systemd knows the prefix since 244, which has this property
    return tuple(
        tuple(map(literal, command)) if "no-env-expand" in given else command for command, given in zip(commands, flags)
    )


def _flags(tokens: List[str]) -> List[List[str]]:
    """Those of the commands of ``ExecStartEx``."""
    found = []
    at = 2
    while at < len(tokens):
        at += 2 + int(tokens[at + 1])  # the program, and its words
        count = int(tokens[at])
        found.append(tokens[at + 1 : at + 1 + count])
        at += 1 + count + 7  # four times, pid, code, status
    return found


def loaded(name: str, files: HostFiles) -> Loaded:
    """The unit as the service manager has it. Raises :class:`Unavailable`, :class:`Unresolvable`."""
    unit = _properties(name, "Unit", _UNIT_PROPERTIES)
    environment: Dict[str, Variable] = {}
    try:
        service = newer = _properties(name, "Service", _SERVICE_PROPERTIES + _NEWER_PROPERTIES)
    except Unavailable:
        service, newer = _properties(name, "Service", _SERVICE_PROPERTIES), {}
    for key in _array(newer.get("PassEnvironment", [])):
        environment[key] = passed_on(key, "loaded unit")
    fields = _array(newer.get("TemporaryFileSystem", []))
    overlays = [overlaid("TemporaryFileSystem", path) for path in fields[::2]]
    binds: List[str] = []
    for setting in BINDS:  # source, place, whether it may be missing, flags
        fields = _array(newer.get(setting, []))
        binds.extend(
            ("-" if fields[at + 2] == "true" else "") + "%s:%s" % (fields[at], fields[at + 1])
            for at in range(0, len(fields) - 3, 4)
        )
    doubt = None
    mounts: Mounts = ()
    try:
        roots = {"RootDirectory": service["RootDirectory"][1], "RootImage": newer.get("RootImage", ["s", ""])[1]}
        mounts, places = mounts_in(roots, binds, len(service["ExecStartPre"]) > 2, files)
        overlays.extend(places)
    except Unresolvable as error:
        doubt = (error.reason, unit["FragmentPath"][1])
    for entry in _array(service["Environment"]):
        key, _separator, value = entry.partition("=")
        environment[key] = Variable(Value.of(value), "loaded unit", 0, "Environment")
    entries = []
    pairs = _array(service["EnvironmentFiles"])
    for index in range(0, len(pairs) - 1, 2):
        entries.append(("-" if pairs[index + 1] == "true" else "") + pairs[index])
    environment.update(read_environment_files(entries, files))
    if service["PAMName"][1]:
        environment.update(session(service["PAMName"][1], service["User"][1], files))
    unset(environment, _array(service["UnsetEnvironment"]))
    definition = Unit(
        name,
        unit["FragmentPath"][1] or None,
        unit["SourcePath"][1] or None,
        tuple(_array(unit["DropInPaths"])),
        environment,
        _started(name, service["ExecStart"]),
        service["User"][1],
        unit["LoadState"][1] == "masked",
        tuple(entries),
        _commands(service["ExecStartPre"]),
        doubt,
        tuple(one for one in overlays if one[0]),
        working_folder(service["WorkingDirectory"][1].replace("!", "-", 1), service["User"][1], files, mounts),
        mounts,
    )
    return _loaded(definition, unit, service, newer)


def _loaded(
    definition: Unit, unit: Dict[str, List[str]], service: Dict[str, List[str]], newer: Dict[str, List[str]]
) -> Loaded:
    restarts, began = int(newer.get("NRestarts", ["u", "0"])[1]), int(service["ExecMainStartTimestampMonotonic"][1])
    with open("/proc/uptime") as stream:
        young = float(stream.read().split()[0]) - began / 1e6 < _SECONDS
    return Loaded(
        definition,
        unit["LoadState"][1],
        unit["ActiveState"][1],
        service["ControlGroup"][1],
        unit["NeedDaemonReload"][1] == "true",
        unit["SubState"][1],
        service["Result"][1],
        unit["SubState"][1].startswith("auto-restart") or (restarts >= _RESTARTS and young),
    )


def bare(name: str) -> Loaded:
    """The state of a unit whose definition is not understood. Raises :class:`Unavailable`."""
    unit = _properties(name, "Unit", _UNIT_PROPERTIES)
    service = _properties(name, "Service", _SERVICE_PROPERTIES)
    definition = Unit(
        name, unit["FragmentPath"][1] or None, None, tuple(_array(unit["DropInPaths"])), {}, (), service["User"][1]
    )
    return _loaded(definition, unit, service, {})

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running JVMs and the value of the telemetry property in each, read from ``/proc``.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import os
import re
import time
from typing import Dict, List, NamedTuple, Optional

from ._files import HostFiles
from ._jvm import Unresolvable, command_line, get_boolean, process_value, shown
from ._tomcat import base_of, starts, wars

_LIMIT = 1 << 20
_WAR = re.compile(r"(?:cloudbees|jenkins)[^/]*\.war\Z", re.IGNORECASE)


class Process(NamedTuple):
    """A running JVM that was started on a war."""

    pid: int
    started: str  # UTC, ISO 8601
    war: str
    home: str
    cgroup: str
    value: Optional[str]  # of the property; None: not set, or not known (then ``reason`` says why)
    state: str  # disabled | enabled | unknown
    source: Optional[str]  # the layer that set the property
    proof: Optional[str]
    reason: Optional[str]

    def document(self) -> Dict[str, object]:
        """The process as the state document shows it."""
        result = {"pid": self.pid, "started": self.started, "value": None if self.value is None else shown(self.value),
                  "state": self.state,
                  "source": self.source, "proof": self.proof}  # type: Dict[str, object]
        if self.reason:
            result["reason"] = self.reason
        return result


def _read(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read(_LIMIT)


def _boot_time(proc: str) -> float:
    for line in _read(proc + "/stat").splitlines():
        if line.startswith(b"btime "):
            return float(line.split()[1])
    raise OSError("no btime in %s/stat" % proc)


def _started(proc: str, pid: str) -> str:
    # Field 22 of stat, counted behind the command name, which may hold blanks and parentheses.
    fields = _read("%s/%s/stat" % (proc, pid)).rsplit(b")", 1)[1].split()
    seconds = _boot_time(proc) + int(fields[19]) / float(os.sysconf("SC_CLK_TCK"))
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _is_jvm(proc: str, pid: str, argv: List[str]) -> bool:
    if argv and re.search(r"(?:^|/)java[^/]*\Z", argv[0]):
        return True
    try:
        return os.readlink("%s/%s/exe" % (proc, pid)).rsplit("/", 1)[-1] == "java"
    except OSError:
        return False


def running(proc: str = "/proc") -> List[Process]:
    """All JVMs that run a Jenkins or CloudBees war, in the order of their process ids.

    Agents, build JVMs and everything else that is not started on such a war is left out. What cannot be
    read is ``unknown`` with the reason.
    """
    found: List[Process] = []
    for pid in sorted((name for name in os.listdir(proc) if name.isdigit()), key=int):
        try:
            raw = _read("%s/%s/cmdline" % (proc, pid))
            argv = raw.decode("latin-1").split("\0")[:-1]
            if len(argv) < 2 or not _is_jvm(proc, pid, argv):
                continue
            war, home = _war_and_home(argv)
            if war is None:
                continue
            started = _started(proc, pid)
            cgroup = _cgroup(proc, pid)
        except (OSError, IndexError, ValueError):
            continue  # it ended while we looked
        found.append(_judge(proc, pid, argv, war, home, started, cgroup))
    return found


def _war_and_home(argv: List[str]) -> "tuple[Optional[str], str]":
    words = argv[1:]
    line = command_line(words)
    home = ""
    for index in line.options:
        if words[index].startswith("-DJENKINS_HOME="):
            home = words[index].partition("=")[2]
    if line.main is None:
        return None, home
    if line.jar and _WAR.search(words[line.main]):
        return words[line.main], home
    if starts(words[line.main:]):
        served = wars(HostFiles("/"), base_of([words[index] for index in line.options]))
        return (served[0] if served else None), home
    return None, home


def _cgroup(proc: str, pid: str) -> str:
    """The process's cgroup: the unified one, else systemd's own hierarchy."""
    unified = named = ""
    for line in _read("%s/%s/cgroup" % (proc, pid)).decode("latin-1").splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0":
            unified = path
        elif controllers == "name=systemd":
            named = path
    return unified if unified not in ("", "/") else (named or unified)


def _judge(proc: str, pid: str, argv: List[str], war: str, home: str, started: str, cgroup: str) -> Process:
    def process(value: Optional[str], state: str, source: Optional[str], proof: Optional[str],
                reason: Optional[str]) -> Process:
        return Process(int(pid), started, war, home, cgroup, value, state, source, proof, reason)

    try:
        entries = _read("%s/%s/environ" % (proc, pid)).decode("latin-1").split("\0")
    except OSError as error:
        return process(None, "unknown", None, None,
                       "its environment cannot be read (%s); run with become" % error.strerror)
    environment = dict(entry.partition("=")[::2] for entry in entries if "=" in entry)

    def read(path: str) -> Optional[str]:
        # Where the JVM itself would have found it: from its working directory, below its root.
        base = "%s/%s/%s" % (proc, pid, "root" if path.startswith("/") else "cwd")
        try:
            return _read("%s/%s" % (base, path.lstrip("/"))).decode("latin-1")
        except OSError:
            return None

    try:
        value, source = process_value(argv, environment, read)
    except Unresolvable as error:
        return process(None, "unknown", None, None, str(error))
    state = "disabled" if get_boolean(value) else "enabled"
    return process(value, state, source, "cmdline+environ", None)

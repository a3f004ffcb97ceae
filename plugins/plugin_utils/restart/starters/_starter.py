# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One interface for whoever restarts an installation: a class for each, a file for each class. Pure.

Private to this collection. Runs on the control node.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

Quote = Callable[[str], str]
#: A module of Ansible's own, and its options.
Call = tuple[str, dict[str, Any]]

#: What systemd is asked about a unit; the others' words are put into the same ones.
PROPERTIES = ("ActiveState", "SubState", "Result", "MainPID", "NRestarts", "ExecMainStatus")
#: Names that become words of a command line. The state is the host's.
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,127}\Z", re.ASCII)
#: sudo's own path may lack these, where supervisors that were not packaged lie.
PATH = "PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/sbin; "


@dataclass(frozen=True)
class Debt:
    """Why an installation is not restarted by this collection."""

    label: str
    reason: str


@dataclass(frozen=True)
class Service:
    """Something that one command, or a module of Ansible's, restarts. A starter is a class below this one."""

    #: What people call it.
    label: str
    #: What its starter calls it.
    name: str
    #: How the state names what it has started, in ``started_by``: these words, the name, "in" and a file.
    kind: ClassVar[str] = ""
    #: What names may become words of its commands.
    names: ClassVar[re.Pattern[str]] = NAME
    #: Whether it must be seen to run under its starter before it is restarted.
    is_checked: ClassVar[bool] = False
    #: Whether what it has started is seen to be its own: then the running JVM must be.
    is_parent: ClassVar[bool] = True
    #: Whether the host remembers a restart of it until it stays up.
    is_remembered: ClassVar[bool] = False

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Service | Debt | None:
        """What restarts an installation of the state, or why this one does not; None where another one starts it.

        The starter's word is not enough: where it leaves a trace in its children, the running JVM must have it.
        """
        found = re.match(rf"{cls.kind} (\S+) in (/.*)\Z", entry.get("started_by") or "", re.DOTALL)
        if not cls.kind or found is None:
            return None
        label, real = f"{cls.kind} {found[1]}", cls.called(*found.groups())
        if not cls.names.match(real):
            return Debt(entry["name"], f"{label} has a name that is not put into a command; restart it yourself")
        if cls.is_parent:
            ours = {label, f"{cls.kind} {real}"}
            others = sorted(
                {str(process.get("started_by") or "nobody who is known") for process in entry.get("processes", [])}
                - ours
            )
            if others:
                return Debt(
                    entry["name"],
                    f"{label} is to start {entry['name']}, and what runs was started by "
                    f"{', '.join(others)[:200]}; restart it yourself",
                )
        return cls(label, real)

    @classmethod
    def called(cls, name: str, path: str) -> str:
        """What its commands call a service, by its name in the state and the file that says so."""
        return name

    def module(self) -> Call | None:
        """The module of Ansible's own that restarts it; None where a command does."""
        return None

    def restart(self, quote: Quote, seconds: int) -> str:
        """The command, for a POSIX shell; it may wait so long for the old process to end."""
        raise NotImplementedError

    def status(self, quote: Quote) -> str | None:
        """What prints its state; None where nothing does."""
        return None

    def properties(self, said: str) -> dict[str, str]:
        """The state that was printed, in systemd's words (:data:`PROPERTIES`)."""
        return {}

    def forgiven(self, quote: Quote) -> str | None:
        """What lets it start again where it failed too often; None where nothing forbids it."""
        return None

    def reread(self) -> Call | None:
        """What lets its starter read files again that were put back; None where it does so by itself."""
        return None

    def journal(self, quote: Quote) -> str | None:
        """What prints its last lines without what may be secret; None where nothing does."""
        return None


def as_unit(active: str, sub: str, main: re.Match[str] | None) -> dict[str, str]:
    """A state in systemd's words; ``main`` has found the number of its process."""
    return {"ActiveState": active, "SubState": sub, "MainPID": main.group(1) if main is not None else "0"}

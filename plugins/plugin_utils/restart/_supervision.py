# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who restarts an installation, by which command, and what its supervisor says of it afterwards.

One class for each supervisor, all with one interface; what none of them restarts is a debt, with the reason. Pure.
Private to this collection. Runs on the control node.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart._journal import command as journal_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart._journal import filtered

Quote = Callable[[str], str]

#: What systemd is asked about a unit; the other supervisors' words are put into the same ones.
PROPERTIES = ("ActiveState", "SubState", "Result", "MainPID", "NRestarts", "ExecMainStatus")
#: How the state names a starter that has a name: its kind, what it calls the service, the file that says so.
_STARTED_BY = re.compile(
    r"(?P<kind>supervisord program|[A-Za-z.0-9]+ service) (?P<name>\S+) in (?P<path>/.*)\Z", re.DOTALL
)
#: Names that become words of a command line. The state is the host's.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,127}\Z", re.ASCII)
#: sudo's own path may lack these, where supervisors that were not packaged lie.
_PATH = "PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/sbin; "
#: How often OpenRC is asked to start what it has stopped, every two seconds.
_TRIES = 15
_FOLDER = re.compile(r"(?:/[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,127}){1,16}\Z", re.ASCII)


@dataclass(frozen=True)
class Service:
    """Something that one command restarts."""

    #: What people call it.
    label: str
    #: What its supervisor calls it.
    name: str
    #: Whether it must be seen to run under its supervisor before it is restarted.
    is_checked: ClassVar[bool] = False

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

    def journal(self, quote: Quote) -> str | None:
        """What prints its last lines without what may be secret; None where nothing does."""
        return None


class Unit(Service):
    """A unit of systemd, or an init script that systemd has made one of."""

    # Not by the module systemd_service: it returns the unit's Environment=, which holds passwords, and at -vvv Ansible
    # prints what a module returns.
    def restart(self, quote: Quote, seconds: int) -> str:
        return f"systemctl restart -- {quote(self.name)}"

    def status(self, quote: Quote) -> str | None:
        return f"systemctl show --property={','.join(PROPERTIES)} -- {quote(self.name)}"

    def properties(self, said: str) -> dict[str, str]:
        return dict(line.partition("=")[::2] for line in said.strip().splitlines() if "=" in line)

    def forgiven(self, quote: Quote) -> str | None:
        return f"systemctl reset-failed -- {quote(self.name)}"

    def journal(self, quote: Quote) -> str | None:
        return journal_of(self.name, quote)


class InitScript(Service):
    """An init script where no systemd runs; restarted by Ansible's own module."""


class Program(Service):
    """A program of supervisord. Its file may have been edited: then it is read anew, which alone restarts it."""

    is_checked = True
    _STATES: ClassVar = {
        "RUNNING": "active",
        "STARTING": "activating",
        "BACKOFF": "activating",
        "STOPPING": "deactivating",
        "STOPPED": "inactive",
        "EXITED": "inactive",
        "FATAL": "failed",
    }
    #: Without -c it looks for its settings in the current folder, too.
    _FIRST: ClassVar = _PATH + "cd / && "

    def restart(self, quote: Quote, seconds: int) -> str:
        name, changed = quote(self.name), quote(f"{self.name}: changed")
        # What it has read anew it starts by itself, or not (autostart).
        anew = f"supervisorctl update {name} && {{ supervisorctl start {name} || :; }}"
        return (
            f"{self._FIRST}if supervisorctl reread | grep -qxF -- {changed}; then {anew}; "
            f"else supervisorctl restart {name}; fi"
        )

    def status(self, quote: Quote) -> str | None:
        return f"{self._FIRST}supervisorctl status {quote(self.name)}"

    def properties(self, said: str) -> dict[str, str]:
        for line in said.splitlines():
            words = line.split()
            if len(words) > 1 and words[0] == self.name and words[1] in self._STATES:
                main = re.search(r"\bpid ([0-9]{1,9})\b", line)
                return _as_unit(self._STATES[words[1]], words[1].lower(), main)
        return {}

    def journal(self, quote: Quote) -> str | None:
        return f"{self._FIRST}supervisorctl tail -4000 {quote(self.name)} 2>/dev/null | {filtered(quote)}"


class Runit(Service):
    """A service of runit, by its folder."""

    is_checked = True

    def restart(self, quote: Quote, seconds: int) -> str:
        return f"{_PATH}sv -w {seconds} restart {quote(self.name)}"

    def status(self, quote: Quote) -> str | None:
        return f"{_PATH}sv status {quote(self.name)}"

    def properties(self, said: str) -> dict[str, str]:
        for line in said.splitlines():
            match = re.match(r"(run|down|finish): (\S+?): (?:\(pid ([0-9]{1,9})\) )?(.*)", line)
            if match is not None and match.group(2) == self.name:
                # It is down for a moment where runsv starts it again at once.
                again = (
                    match.group(1) == "finish"
                    or "want up" in match.group(4)
                    or ("normally up" in match.group(4) and "want down" not in match.group(4))
                )
                state = "active" if match.group(1) == "run" else "activating" if again else "inactive"
                return _as_unit(
                    state, match.group(1), re.search(r"\(pid ([0-9]{1,9})\)", line) if state == "active" else None
                )
        return {}


class OpenRC(Service):
    """A service of OpenRC."""

    is_checked = True
    _STATES: ClassVar = {
        "started": "active",
        "starting": "activating",
        "stopping": "deactivating",
        "stopped": "inactive",
        "inactive": "inactive",
        "crashed": "failed",
    }

    def restart(self, quote: Quote, seconds: int) -> str:
        # Debian's does not wait until the old one has ended, and then has stopped it and refuses to start another.
        name = quote(self.name)
        return (
            f"{_PATH}rc-service {name} restart || {{ n=0; until sleep 2; rc-service {name} start; do n=$((n+1)); "
            f"[ $n -lt {_TRIES} ] || exit 1; done; }}"
        )

    def status(self, quote: Quote) -> str | None:
        return f"{_PATH}rc-service {quote(self.name)} status"

    def properties(self, said: str) -> dict[str, str]:
        match = re.search(r"\bstatus: ([a-z]+)", re.sub(r"\x1b\[[0-9;]*m", "", said))
        return (
            _as_unit(self._STATES[match.group(1)], match.group(1), None)
            if match is not None and match.group(1) in self._STATES
            else {}
        )


def _as_unit(active: str, sub: str, main: re.Match[str] | None) -> dict[str, str]:
    return {"ActiveState": active, "SubState": sub, "MainPID": main.group(1) if main is not None else "0"}


@dataclass(frozen=True)
class Debt:
    """Why an installation is not restarted by this collection."""

    label: str
    reason: str


def service_of(entry: Mapping[str, Any]) -> Service | Debt:
    """What restarts an installation of the state, or why nothing of ours does.

    A supervisor's word is not enough: where it leaves a trace in its children, the running JVM must have it.
    """
    if entry["service"]:
        name = entry["service"]
        return Unit(name, name) if name.endswith(".service") else InitScript(name, name)
    said = entry.get("started_by") or ""
    if not said:
        return Debt(entry["name"], f"no service manager is known to start {entry['name']}; restart it yourself")
    found = _STARTED_BY.match(said)
    supervisor = _SUPERVISORS.get(found.group("kind")) if found is not None else None
    if found is None or supervisor is None:
        return Debt(
            entry["name"],
            f"{entry['name']} is started by {said}; this collection does not restart that; restart it yourself",
        )
    kind, name, path = found.group("kind", "name", "path")
    label, real = f"{kind} {name}", path.rpartition("/")[0] if supervisor is Runit else name
    if not (_FOLDER if supervisor is Runit else _NAME).match(real):
        return Debt(entry["name"], f"{label} has a name that is not put into a command; restart it yourself")
    if supervisor is not OpenRC:  # whose children are init's
        ours = {label, f"{kind} {real}"}
        others = sorted(
            {str(process.get("started_by") or "nobody who is known") for process in entry.get("processes", [])} - ours
        )
        if others:
            return Debt(
                entry["name"],
                f"{label} is to start {entry['name']}, and what runs was started by "
                f"{', '.join(others)[:200]}; restart it yourself",
            )
    return supervisor(label, real)


_SUPERVISORS: dict[str, type[Service]] = {
    "supervisord program": Program,
    "runit service": Runit,
    "OpenRC service": OpenRC,
}


def is_installed(entry: Mapping[str, Any]) -> bool:
    """Whether an installation is one that nobody who may only log in can have made; a container of root's is."""
    return not entry.get("stray") or (entry.get("packaging") == "container" and entry["running"] != "unknown")


def names_of(service: Service | Debt, entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """What a service may be called in the inventory, the clearest first."""
    names = [
        service.label,
        *([service.label.removesuffix(".service"), service.name] if isinstance(service, Service) else []),
        *(str(entry["name"]) for entry in entries),
    ]
    return list(dict.fromkeys(names))


# -- what a supervisor says ---------------------------------------------------------------------------


def number(properties: Mapping[str, str], name: str) -> int:
    """A count; 0 where a service manager does not know of it."""
    value = properties.get(name, "")
    return int(value) if value.isdecimal() and value.isascii() and len(value) < 10 else 0


def words(properties: Mapping[str, str]) -> str:
    """The state of a service in a few words."""
    said = [properties.get(name, "") for name in ("SubState", "Result")]
    status = number(properties, "ExecMainStatus")
    said += [f"exit status {status}"] if status else []
    more = ", ".join(item for item in dict.fromkeys(said) if item and item != "success")
    text = f"{properties.get('ActiveState') or 'unknown'}{f' ({more})' if more else ''}"
    return visible(" ".join(text.split()))[:120]


def ended(properties: Mapping[str, str], restarts: int) -> str | None:
    """Why a service is not running as it was started; ``restarts`` were counted before. None: it may be."""
    if properties.get("ActiveState") in ("failed", "inactive"):
        return f"it is {words(properties)}"
    more = number(properties, "NRestarts") - restarts
    if more > 0:
        return (
            f"the service manager has started it again {more} time{'s' * (more > 1)}, because it ended: it is "
            f"{words(properties)}"
        )
    return None

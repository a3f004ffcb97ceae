# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of whoever restarts installations, and what one of them says of a service afterwards.

A class each, in a file of its own in ``starters``, with one interface; what none of them restarts is a debt, with the
reason. Pure. Private to this collection. Runs on the control node.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart.starters._openrc import OpenRC
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart.starters._runit import Runit
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart.starters._starter import Debt, Service
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart.starters._supervisord import Program
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart.starters._systemd import Unit
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart.starters._sysv import InitScript

#: Those that are asked in turn whether they start an installation.
STARTERS: tuple[type[Service], ...] = (Unit, InitScript, Program, Runit, OpenRC)


def service_of(entry: Mapping[str, Any]) -> Service | Debt:
    """What restarts an installation of the state, or why nothing of ours does."""
    for starter in STARTERS:
        found = starter.of(entry)
        if found is not None:
            return found
    name, by = entry["name"], entry.get("started_by")
    if by:
        return Debt(name, f"{name} is started by {by}; this collection does not restart that; restart it yourself")
    return Debt(name, f"no service manager is known to start {name}; restart it yourself")


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

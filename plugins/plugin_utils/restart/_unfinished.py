# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restarts that were begun on a host and did not come to a good end: the host remembers them, for the next run.

A run that is killed in the middle of a roll-back leaves a service down that was up, and a service that is down owes no
restart by its value. So before a restart a small file with the run's name is made on the host, and removed once the
service stays up. It lies in /run: the next boot starts services by itself. Pure; private to this collection. Runs on
the control node.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

FOLDER = "/run/cbops-telemetry.restarts"
_LINE = re.compile(r"(?P<unit>[^/\0]{1,255}?)!(?P<run>[0-9A-Za-z-]{1,64})(?P<forgiven>!)?\Z")


class Left(NamedTuple):
    """A restart that did not come to a good end."""

    run: str  # that began it first
    #: It ended between forgiving the unit its failures, which makes it inactive, and its start.
    forgiven: bool = False


def begun(
    command: str, unit: str, run: str, quote: Callable[[str], str], forgiving: str | None = None, folder: str = FOLDER
) -> str:
    """The command that restarts a unit, for a POSIX shell; the first run that has begun it is noted before.

    ``forgiving`` is the command that forgives the unit its failures first. A unit that was forgiven and not started
    looks as if somebody had stopped it, so that is noted, too, for the time between the two.
    """
    if "/" in unit:  # what a host calls so is no unit, and leads out of the folder
        return f"{forgiving}; {command}" if forgiving else command
    path, mark = f"{folder}/{quote(unit)}", f"{folder}.forgiven/{quote(unit)}"
    noted = f"( umask 077; mkdir -p {folder} && {{ [ -e {path} ] || echo {quote(run)} >{path}; }} ) 2>/dev/null; "
    if forgiving is None:
        return noted + command
    return (
        f"{noted}( umask 077; mkdir -p {folder}.forgiven && : >{mark} ) 2>/dev/null; {forgiving}; {command}; "
        f"code=$?; rm -f -- {mark}; ( exit $code )"
    )


def over(unit: str, quote: Callable[[str], str], folder: str = FOLDER) -> str:
    """What notes that a unit is up and stays so."""
    if "/" in unit:
        return ":"
    return f"rm -f -- {folder}/{quote(unit)} {folder}.forgiven/{quote(unit)}"


def listing(folder: str = FOLDER) -> str:
    """What prints the units whose restart did not come to a good end."""
    return (
        f'cd {folder} 2>/dev/null && for unit in *; do mark=; [ ! -e "{folder}.forgiven/$unit" ] || mark=!; '
        'echo "$unit!$(head -c 100 "$unit")$mark"; done || :'
    )


def units_of(printed: str) -> dict[str, Left]:
    """The units that :func:`listing` printed. A host prints what it likes."""
    found = {}
    for line in printed.splitlines()[:1000]:
        match = _LINE.match(line.strip())
        if match is not None:
            found[match["unit"]] = Left(match["run"], match["forgiven"] is not None)
    return found

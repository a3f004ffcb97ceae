# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The run: its name and its one clock, the same for every host and play of an ansible-playbook process.

Ansible loads an action plugin in its own process before it forks one for each host. So what is made here once, when
this file is first imported, is the same in all of them. Private to this collection. Runs on the control node.
"""

from __future__ import annotations

import datetime
import secrets

STARTED = datetime.datetime.now(datetime.timezone.utc)
RUN_ID = f"{STARTED:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def today() -> datetime.date:
    """The day (UTC) by which all of this run is judged: the one on which it began, also after midnight."""
    return STARTED.date()


def stamp(moment: datetime.datetime) -> str:
    """A moment in UTC as documents show it: ISO 8601 with microseconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def now() -> str:
    """The present moment as documents show it."""
    return stamp(datetime.datetime.now(datetime.timezone.utc))

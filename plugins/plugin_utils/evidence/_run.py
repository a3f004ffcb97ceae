# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The run: its name, its one clock and where it files, the same for every host and play of an ansible-playbook process.

Ansible loads an action plugin in its own process before it forks one for each host. So what is made here once, when
this file is first imported, is the same in all of them. Private to this collection. Runs on the control node.
"""

from __future__ import annotations

import datetime
import os
import secrets
from pathlib import Path

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


def artifacts() -> Path | None:
    """The folder of this run's artifacts where ansible-runner runs Ansible in its own project, as in AWX, else None.

    ansible-runner names it in the environment (`config/_base.py` of 2.4.3) and brings it back from wherever it ran
    (`streaming.py`), unlike the project, which may be a copy. ansible-navigator is the other way round: it starts in
    its user's folder, and deletes the artifacts unless told where to keep them (its `runner/base.py`).
    """
    folder = Path(os.environ.get("AWX_ISOLATED_DATA_DIR") or "")
    if not (folder.is_absolute() and folder.is_dir()):
        return None
    if folder.parent.name != "artifacts":
        return folder  # somebody has chosen a place for them
    try:
        own = Path.cwd().resolve().is_relative_to(folder.parent.parent.resolve())
    except OSError:
        own = True  # where we are is gone already
    return folder if own else None


def reports_folder(named: str | None) -> Path:
    """Where evidence and reports go: where a task or the inventory says, else to the artifacts, else to `reports`."""
    if named:
        return Path(named)
    kept = artifacts()
    return kept / "telemetry" if kept else Path("reports")

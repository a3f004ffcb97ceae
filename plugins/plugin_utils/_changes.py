# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run changed: a line for each file that it edited or put back and each restart, as it happens.

``changes/<run id>.jsonl`` beside the evidence (docs/schema/change-1.json). The host's own record of an edit, with the
copy of what was there, lies with its backups. Private to this collection. Runs on the control node.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.utils.display import Display

from ansible_collections.cbops.telemetry.plugins.plugin_utils._evidence import make_folder
from ansible_collections.cbops.telemetry.plugins.plugin_utils._filing import among_facts, templated
from ansible_collections.cbops.telemetry.plugins.plugin_utils._reading import opened, written
from ansible_collections.cbops.telemetry.plugins.plugin_utils._run import RUN_ID, now
from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible

SCHEMA = "cbops.telemetry/change/1"


def edits_of(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The edits that telemetry_flag says it made."""
    return [{"kind": "edit", "file": edit["path"], "before": edit["before"], "after": edit["after"],
             "backup": edit["backup"]} for edit in answer.get("files", [])]


def restart_of(due: Iterable[Mapping[str, Any]], state: Mapping[str, Any], failure: str | None) -> list[dict[str, Any]]:
    """The restarts of installations, with the JVMs before and after."""
    after = {entry["name"]: entry for entry in state.get("installations", [])}
    return [{"kind": "restart", "service": entry["service"], "old": _processes(entry),
             "new": _processes(after.get(entry["name"], {})), "failure": failure} for entry in due]


def roll_backs_of(files: Iterable[tuple[str, str | None]]) -> list[dict[str, Any]]:
    """Files that were put back, each with the backup that it came from (None: the file was removed)."""
    return [{"kind": "roll_back", "file": path, "backup": backup} for path, backup in files]


def _processes(entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"pid": process["pid"], "started": process["started"]} for process in entry.get("processes", [])]


def file_changes(reports: Path, host: str, changes: Sequence[Mapping[str, Any]], run_id: str = RUN_ID) -> Path | None:
    """Add them to the record of the run; its path, None for no changes. Raises OSError, ValueError.

    All of a host in one write, so that no reader and no other writer comes between.
    """
    if not changes:
        return None
    folder = reports / "changes"
    make_folder(folder)
    path = folder / f"{run_id}.jsonl"
    lines = "".join(written({"schema": SCHEMA, "run": run_id, "host": host, "at": now(), **change},
                            sort_keys=True) + "\n" for change in changes).encode()
    descriptor = opened(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            lines = b"\n" + lines  # whoever wrote there was killed in the middle of a line
        if os.write(descriptor, lines) != len(lines):
            os.ftruncate(descriptor, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return path


def reports_of(variables: Mapping[str, Any], template: Callable[[Any], Any], default: str = "") -> Path | None:
    """Where what was done to a host is filed; None where nobody says, or where the host's own facts would."""
    if "telemetry_reports_dir" in among_facts(variables)[1]:
        return None
    folder = templated(variables.get("telemetry_reports_dir") or default, template)
    return Path(folder) if isinstance(folder, str) and folder else None


def record(variables: Mapping[str, Any], template: Callable[[Any], Any], changes: Sequence[Mapping[str, Any]]) -> None:
    """File a host's changes where its evidence goes. They were made, so a disk that is full is a warning."""
    reports = reports_of(variables, template)
    try:
        if reports is not None:
            file_changes(reports, variables["inventory_hostname"], changes)
    except (OSError, ValueError) as error:
        Display().warning(f"{variables['inventory_hostname']}: what was changed there is not in the record of this "
                          f"run: {visible(str(error))}")

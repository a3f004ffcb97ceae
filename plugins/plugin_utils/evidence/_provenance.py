# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who runs this, where, and by which commit of the policy. Private to this collection. Runs on the control node."""

from __future__ import annotations

import os
import platform
import pwd
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible import context

from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible

#: Seconds for git.
PATIENCE = 30


def provenance() -> dict[str, Any]:
    """The operator, the control node, and the commit of the repository that the inventory of this run lies in."""
    sources = context.CLIARGS.get("inventory") or C.DEFAULT_HOST_LIST or []
    commit, dirty = git_commit([sources] if isinstance(sources, str) else sources)
    return {
        "operator": operator(),
        "control_node": visible(platform.node())[:255] or None,
        "commit": commit,
        "dirty": dirty,
    }


def operator() -> str:
    """Who runs this, by the kernel; who became that by sudo, sudo says. Nothing here keeps root from lying."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    before = visible(os.environ.get("SUDO_USER", ""))[:64]
    return f"{before} as {name}" if before and before != name else name


def git_commit(sources: Sequence[str]) -> tuple[str | None, bool | None]:
    """Commit of the repository that the inventory lies in, and whether the inventory differs from it.

    (None, None) where it lies in none, or git is not there: that is no error.
    """
    path = next((Path(source) for source in sources if os.path.exists(source)), None)
    if path is None:
        return None, None
    folder = path if path.is_dir() else path.parent
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    if commit is None:
        return None, None
    changes = _git(folder, "status", "--porcelain", "--", str(path.absolute()))
    return commit.strip(), None if changes is None else bool(changes.strip())


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 else None

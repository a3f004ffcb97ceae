# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of supervisord, by `supervisorctl`. Pure.

Private to this collection. Runs on the control node.
"""

from __future__ import annotations

import re
from typing import ClassVar

from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart._journal import filtered
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart.starters._starter import (
    PATH,
    Quote,
    Service,
    as_unit,
)


class Program(Service):
    """A program of supervisord. Its file may have been edited: then it is read anew, which alone restarts it."""

    kind = "supervisord program"
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
    _FIRST: ClassVar = PATH + "cd / && "

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
                return as_unit(self._STATES[words[1]], words[1].lower(), main)
        return {}

    def journal(self, quote: Quote) -> str | None:
        return f"{self._FIRST}supervisorctl tail -4000 {quote(self.name)} 2>/dev/null | {filtered(quote)}"

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services of runit, by `sv`. Pure.

Private to this collection. Runs on the control node.
"""

from __future__ import annotations

import re

from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart.starters._starter import (
    PATH,
    Quote,
    Service,
    as_unit,
)


class Runit(Service):
    """A service of runit, by its folder."""

    kind = "runit service"
    is_checked = True
    names = re.compile(r"(?:/[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,127}){1,16}\Z", re.ASCII)

    @classmethod
    def called(cls, name: str, path: str) -> str:
        return path.rpartition("/")[0]

    def restart(self, quote: Quote, seconds: int) -> str:
        return f"{PATH}sv -w {seconds} restart {quote(self.name)}"

    def status(self, quote: Quote) -> str | None:
        return f"{PATH}sv status {quote(self.name)}"

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
                return as_unit(
                    state, match.group(1), re.search(r"\(pid ([0-9]{1,9})\)", line) if state == "active" else None
                )
        return {}

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services of OpenRC, by `rc-service`. Pure.

Private to this collection. Runs on the control node.
"""

from __future__ import annotations

import re
from typing import ClassVar

from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart.starters._starter import (
    PATH,
    Quote,
    Service,
    as_unit,
)

#: How often it is asked to start what it has stopped, every two seconds.
_TRIES = 15


class OpenRC(Service):
    """A service of OpenRC."""

    kind = "OpenRC service"
    is_checked = True
    is_parent = False  # its children are init's
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
            f"{PATH}rc-service {name} restart || {{ n=0; until sleep 2; rc-service {name} start; do n=$((n+1)); "
            f"[ $n -lt {_TRIES} ] || exit 1; done; }}"
        )

    def status(self, quote: Quote) -> str | None:
        return f"{PATH}rc-service {quote(self.name)} status"

    def properties(self, said: str) -> dict[str, str]:
        match = re.search(r"\bstatus: ([a-z]+)", re.sub(r"\x1b\[[0-9;]*m", "", said))
        return (
            as_unit(self._STATES[match.group(1)], match.group(1), None)
            if match is not None and match.group(1) in self._STATES
            else {}
        )

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Init scripts where no systemd runs. Pure.

Private to this collection. Runs on the control node.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart.starters._starter import Call, Debt, Service


class InitScript(Service):
    """An init script; it says nothing of its state that could be relied on."""

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Service | Debt | None:
        name = entry["service"]
        return cls(name, name) if name and not name.endswith(".service") else None

    def module(self) -> Call | None:
        return "ansible.builtin.sysvinit", {"name": self.name, "state": "restarted"}

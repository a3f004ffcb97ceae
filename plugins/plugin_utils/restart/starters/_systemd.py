# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units of systemd. Pure.

Private to this collection. Runs on the control node.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart._journal import command as journal_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart.starters._starter import (
    PROPERTIES,
    Call,
    Debt,
    Quote,
    Service,
)

#: What lets systemd read its units again.
RELOAD: Call = ("ansible.builtin.systemd_service", {"daemon_reload": True})


class Unit(Service):
    """A unit of systemd, or an init script that systemd has made one of."""

    is_remembered = True

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Service | Debt | None:
        name = entry["service"] or ""
        return cls(name, name) if name.endswith(".service") else None

    # Not by the module systemd_service: it returns the unit's Environment=, which holds passwords, and at -vvv Ansible
    # prints what a module returns.
    def restart(self, quote: Quote, seconds: int) -> str:
        return f"systemctl restart -- {quote(self.name)}"

    def status(self, quote: Quote) -> str | None:
        return f"systemctl show --property={','.join(PROPERTIES)} -- {quote(self.name)}"

    def properties(self, said: str) -> dict[str, str]:
        return dict(line.partition("=")[::2] for line in said.strip().splitlines() if "=" in line)

    def forgiven(self, quote: Quote) -> str | None:
        return f"systemctl reset-failed -- {quote(self.name)}"

    def reread(self) -> Call | None:
        return RELOAD

    def journal(self, quote: Quote) -> str | None:
        return journal_of(self.name, quote)

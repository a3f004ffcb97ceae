# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets the service manager of a host read its units again, by Ansible's own module, of whose result little is kept."""

from __future__ import annotations

from typing import Any

from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._carrier import Carrier
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart.starters._systemd import RELOAD


class ActionModule(Carrier):
    """Action behind M(cbops.telemetry.telemetry_reload)."""

    def act(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Reload."""
        return self.by_module(*RELOAD, variables)

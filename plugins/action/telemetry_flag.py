# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries the module of the same name to the host in one round trip; files what it changed, and shows its notes."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleError

from ansible_collections.cbops.telemetry.plugins.modules.telemetry_flag import ARGUMENTS
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._carrier import (
    CarriedModule,
    display,
    one_line,
    ready,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._changes import attempt, edits_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._evidence import said
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._run import RUN_ID

ready("telemetry_flag")


class ActionModule(CarriedModule):
    """Action behind M(cbops.telemetry.telemetry_flag)."""

    ARGUMENTS = ARGUMENTS

    def act(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Ask the host, and keep a record of what was edited there, for an audit to know."""
        desired, toggle = arguments.get("state"), arguments.get("toggle") or "unmanaged"
        try:
            result = self.ask(self._task.action, {"run": RUN_ID, **arguments}, variables)
        except AnsibleError as error:
            self.record([attempt(one_line(str(error)), desired, toggle=toggle)], variables)
            raise
        has_said = "files" in result
        self.record(
            edits_of(result, desired, toggle) if has_said else [attempt(said(result), desired, toggle=toggle)],
            variables,
        )
        for note in [*result.get("notes", []), *result.get("toggle_refused", [])]:
            display.warning(f"{variables.get('inventory_hostname')}: {one_line(note)[:500]}")
        return result

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries the module of the same name to the host in one round trip; files what it changed, and shows its notes."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleError

from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._carrier import Carrier, display, one_line
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._changes import attempt, edits_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._evidence import said
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._run import RUN_ID


class ActionModule(Carrier):
    """Action behind M(cbops.telemetry.telemetry_flag)."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask the host, and keep a record of what was edited there, for an audit to know."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables, state = task_vars or {}, self._task.args.get("state")
        try:
            result.update(self.ask(self._task.action, {"run": RUN_ID, **self._task.args}, variables))
        except AnsibleError as error:
            self.record([attempt(one_line(str(error)), state)], variables)
            raise
        self.record(edits_of(result, state) if "files" in result else [attempt(said(result), state)], variables)
        for note in result.get("notes", []):
            display.warning(f"{variables.get('inventory_hostname')}: {one_line(note)[:500]}")
        return result

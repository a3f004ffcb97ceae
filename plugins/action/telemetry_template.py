# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders a launch script by Ansible's own template action; of what the host answers to it nothing is handed on."""

from __future__ import annotations

from typing import Any

from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._carrier import Carrier, plain
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._changes import attempt


class ActionModule(Carrier):
    """Action behind M(cbops.telemetry.telemetry_template)."""

    TRANSFERS_FILES = True
    ARGUMENTS = {
        "src": {"type": "str", "required": True},
        "dest": {"type": "str", "required": True},
        "owner": {"type": "str"},
        "group": {"type": "str"},
        "mode": {"type": "str"},
    }

    def act(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Render."""
        template = self._shared_loader_obj.action_loader.get(
            "ansible.builtin.template",
            task=self._task,
            connection=self._connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar,
            shared_loader_obj=self._shared_loader_obj,
        )
        # It may contain secrets, and the host says what was there before: no diff.
        self._task.diff = False
        done = plain(self.in_time(lambda: self.with_terminal(lambda: template.run(task_vars=variables)), variables))
        destination = arguments["dest"]
        if destination and (done["changed"] or done.get("failed")):
            self.record(
                [
                    {"kind": "edit", "file": str(destination), "state": None}
                    if done["changed"]
                    else attempt(str(done["msg"]), file=str(destination))
                ],
                variables,
            )
        return {**done, "dest": destination}

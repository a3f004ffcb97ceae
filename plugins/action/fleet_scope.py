# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks that the inventory was read whole and that there are hosts, before anything else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible import context

from ansible_collections.cbops.telemetry.plugins.plugin_utils._showing import named, show
from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._action import HOSTS, LocalAction
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._scope import unparsed, unread_variables


class ActionModule(LocalAction):
    """Action behind M(cbops.telemetry.fleet_scope)."""

    ARGUMENTS = {"hosts": HOSTS, "pattern": {"type": "str", "default": "all"}}

    def act(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Compare what Ansible was given with what it has read."""
        manager = self._task.get_variable_manager()._inventory
        sources = manager._sources or []
        lost = unparsed(sources, manager._inventory.processed_sources)
        if lost:
            return {
                "failed": True,
                "unparsed": lost,
                "msg": (
                    f"no host was touched: the inventory cannot be read: {visible(named(lost))}; mend it, or take it "
                    "out (in a folder Ansible passes over names that end in .txt, .cfg, .md or ~). What Ansible has "
                    "against it is in its warnings above"
                ),
            }
        if not arguments["hosts"]:
            return {
                "failed": True,
                "msg": f"The inventory has no hosts that match '{visible(arguments['pattern'])}'; name one with -i.",
            }
        # Beside a playbook of one's own they are read, too; ours lie in the collection.
        beside = [
            f"{os.path.dirname(playbook) or '.'}/"
            for playbook in context.CLIARGS.get("args") or []
            if os.path.exists(playbook)
        ]
        unread = unread_variables(Path.cwd(), [*sources, *beside])
        if unread:
            show(
                f"\nnot read: {visible(named(unread))} in {visible(str(Path.cwd()))}: Ansible reads variables beside "
                "the inventory; move them there"
            )
        return {"changed": False, "unread": unread}

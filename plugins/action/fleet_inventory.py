# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the copy of an inventory that holds data alone, or says why there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail

from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._action import LocalAction
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._inventory import InventoryError, take, write


class ActionModule(LocalAction):
    """Action behind M(cbops.telemetry.fleet_inventory)."""

    ARGUMENTS = {
        "src": {"type": "str", "required": True},
        "dest": {"type": "str", "required": True},
        "top": {"type": "str", "default": "."},
    }

    def act(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Read, refuse or write."""
        try:
            files = take(arguments["src"], arguments["top"])
            write(files, Path(arguments["dest"]))
        except InventoryError as error:
            raise AnsibleActionFail(f"the inventory is refused: {error}") from error
        except OSError as error:
            raise AnsibleActionFail(f"the copy of the inventory cannot be written: {error}") from error
        return {"changed": False, "files": len(files)}

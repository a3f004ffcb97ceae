# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows what telemetry_doctor found out about all hosts of the play, and writes it as one document."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail

from ansible_collections.cbops.telemetry.plugins.plugin_utils._failures import explained
from ansible_collections.cbops.telemetry.plugins.plugin_utils._showing import most_rows, show
from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible, visible_json
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._action import HOSTS, REPORTS_DIR, LocalAction
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._doctor import broken, document_of, words
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._evidence import write_text
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._reading import written
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._run import reports_folder


class ActionModule(LocalAction):
    """Action behind M(cbops.telemetry.fleet_doctor)."""

    FOR_ALL_HOSTS = True
    ARGUMENTS = {
        "hosts": HOSTS,
        "registered": {"type": "str", "required": True},
        "reports_dir": REPORTS_DIR,
        "name": {"type": "str", "default": "doctor"},
    }

    def act(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Collect, write, show. Never fails for what is missing on a host: that is what it is for."""
        entries = []
        for host in arguments["hosts"]:
            answer = variables["hostvars"][host].get(arguments["registered"]) or {}
            entries.append(answer.get("entry") or broken(host, explained(str(answer.get("msg") or "it was not asked"))))
        document = document_of(entries)
        path = reports_folder(arguments["reports_dir"]) / f"{arguments['name']}.json"
        try:
            write_text(path, visible_json(written(document, indent=2, sort_keys=True)) + "\n")
        except OSError as error:
            raise AnsibleActionFail(f"what was found out cannot be written: {error}") from error
        show(f"\n{words(document, most_rows())}\n\ndoctor: {visible(str(path))}\n")
        return {"changed": False, "path": str(path), "missing": {entry["host"]: entry["missing"] for entry in entries}}

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the plans of all hosts of the play as one document for review, and fails where a host has none."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.utils.vars import load_extra_vars

from ansible_collections.cbops.telemetry.plugins.plugin_utils._showing import first, most_rows, named, show
from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._action import HOSTS, REPORTS_DIR, LocalAction
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._evidence import said, write_json, write_text
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._run import reports_folder
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart._plan import (
    SERIAL,
    broken,
    document_of,
    markdown,
    serial_of,
    totals,
    words,
)

#: Characters of an error in the task's message, so that there is room for several; the plan has all of it.
LONGEST = 90


def _short(error: str) -> str:
    return error if len(error) <= LONGEST else f"{error[:LONGEST]} ..."


class ActionModule(LocalAction):
    """Action behind M(cbops.telemetry.fleet_plan)."""

    FOR_ALL_HOSTS = True
    ARGUMENTS = {
        "hosts": HOSTS,
        "registered": {"type": "str", "required": True},
        "swept": {"type": "str", "default": ""},
        "serial": {"type": "raw"},
        "reports_dir": REPORTS_DIR,
        "name": {"type": "str", "default": "plan"},
    }

    def act(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Collect, write, show, judge."""
        entries = []
        swept = variables.get(arguments["swept"]) or {}
        for host in arguments["hosts"]:
            if host in swept.get("entries", {}):
                entries.append(swept["entries"][host])
                continue
            answer = variables["hostvars"][host].get(arguments["registered"]) or {}
            entries.append(answer.get("entry") or broken(host, said(answer)))
        try:
            document = document_of(entries, self._serial(arguments["serial"], variables))
        except ValueError as error:
            raise AnsibleActionFail(str(error)) from error
        path = reports_folder(arguments["reports_dir"]) / f"{arguments['name']}.json"
        try:
            write_json(path, document, sort_keys=True)
            write_text(path.with_suffix(".md"), markdown(document))
        except OSError as error:
            raise AnsibleActionFail(f"the plan cannot be written: {error}") from error
        summary, *lines = words(document).split("\n")
        shown = [summary, *first(lines, most_rows(), "hosts")]
        show("\n{}\n\nplan: {}\n".format("\n".join(shown), visible(str(path))))
        result: dict[str, Any] = {"changed": False, "plan": str(path)}
        failed = [f"{entry['host']}: {_short(entry['error'])}" for entry in entries if entry["error"]]
        if failed:
            result.update(failed=True, msg=f"{totals(document)}. {named(list(map(visible, failed)), '; ')}")
        return result

    def _serial(self, given: Any, variables: dict[str, Any]) -> Any:
        """What makes the batches: a play's ``serial`` sees extra variables and none of the inventory."""
        if given is not None:
            return given
        if SERIAL in variables and SERIAL not in load_extra_vars(self._loader):
            # No warning: it would not be shown where results that are well are not (display_ok_hosts).
            show("\ntelemetry_restart_serial has no effect in the inventory; give it with -e")
        return serial_of(self._loader, self._templar.template)

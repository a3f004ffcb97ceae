# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Merges the evidence of a fleet into one report, shows it as a table, and fails where policy is not met."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.cbops.telemetry.plugins.plugin_utils._assessment import VERDICTS
from ansible_collections.cbops.telemetry.plugins.plugin_utils._evidence import (
    collect,
    read_journal,
    report,
    table,
    write_json,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils._manifest import (
    SignatureError,
    git_commit,
    manifest_of,
    write_manifest,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils._run import RUN_ID

FAIL_ON = ["violation", "waiver_expired", "unknown", "unreachable"]


class ActionModule(ActionBase):
    """Action behind M(cbops.telemetry.fleet_report)."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Collect, write, show, judge."""
        super().run(tmp, task_vars)
        _result, arguments = self.validate_argument_spec(argument_spec={
            "hosts": {"type": "list", "elements": "str", "required": True},
            "reports_dir": {"type": "str", "default": "reports"},
            "this_run": {"type": "bool", "default": False},
            "signing_key": {"type": "str"},
            "fail_on": {"type": "list", "elements": "str", "choices": list(VERDICTS), "default": FAIL_ON},
            "name": {"type": "str", "default": "audit"},
        })
        folder = Path(arguments["reports_dir"])
        journal = read_journal(folder, RUN_ID)
        evidence = collect(folder / "evidence", arguments["hosts"], journal if arguments["this_run"] else None)
        document = report(evidence)
        path = folder / f"{arguments['name']}.json"
        try:
            write_json(path, document)
            if arguments["this_run"]:
                commit = git_commit((task_vars or {}).get("ansible_inventory_sources") or [])
                write_manifest(folder, manifest_of(evidence, journal, commit), arguments["signing_key"])
        except OSError as error:
            raise AnsibleActionFail(f"the report cannot be written: {error}") from error
        except SignatureError as error:
            raise AnsibleActionFail(f"the manifest is not signed: {error}") from error
        shown = table(evidence, {host: line["drift"] for host, line in journal.items()})
        Display().display(f"\n{shown}\n\nreport: {path}\n")
        bad = [item["host"] for item in evidence
               if item["verdict"] in arguments["fail_on"] or (item["error"] and item["state"])]
        result: dict[str, Any] = {"changed": False, "report": str(path), "totals": document["totals"]}
        if bad:
            result.update(failed=True, msg=f"policy is not met, or not proven, on {len(bad)} of {len(evidence)} hosts: "
                                           f"{', '.join(bad[:20])}{' ...' if len(bad) > 20 else ''}")
        return result

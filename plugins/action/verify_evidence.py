# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks evidence offline: signatures, checksums, and every verdict anew."""

from __future__ import annotations

import os
from typing import Any

from ansible.errors import AnsibleActionFail

from ansible_collections.cbops.telemetry.plugins.plugin_utils._showing import first, most_rows, named, show
from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._action import REPORTS_DIR, LocalAction
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._run import reports_folder
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._manifest import UNPROVEN, heads_in, verify


class ActionModule(LocalAction):
    """Action behind M(cbops.telemetry.verify_evidence)."""

    ARGUMENTS = {
        "reports_dir": REPORTS_DIR,
        "allowed_signers": {"type": "path", "required": True},
        "known": {"type": "list", "elements": "str", "default": []},
        "head": {"type": "list", "elements": "str", "default": []},
    }

    def act(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Verify; every problem is named with its file."""
        reports, signers = reports_folder(arguments["reports_dir"]), arguments["allowed_signers"]
        if not os.access(signers, os.R_OK):
            raise AnsibleActionFail(f"{signers}: no file of allowed signers can be read there")
        try:
            # A line that names one has commas, by which Ansible parts it.
            heads = heads_in("\n".join(arguments["head"])) if arguments["head"] else []
        except ValueError as error:
            raise AnsibleActionFail(f"head: {visible(str(error))}") from error
        wrong, seen = verify(reports, signers, arguments["known"], heads)
        result: dict[str, Any] = {"changed": False, "problems": wrong, **seen}
        for note in first((f"note: {note}" for note in seen["notes"]), most_rows(), "notes"):
            show(visible(note))
        if wrong:
            for problem in first((f"problem: {problem}" for problem in wrong), most_rows(), "problems"):
                show(visible(problem))
            return {**result, "failed": True, "msg": visible(f"{len(wrong)} problems: {named(wrong, '; ')}")}
        changes = f"; so are {seen['records']} records of changes" if seen["records"] else ""
        show(
            f"{reports}: {seen['files']} evidence files of {seen['manifests']} runs are as they were "
            f"signed by {named(list(seen['signers']))}, and their verdicts follow from them{changes}"
        )
        for one in seen["newest"]:
            show(f"newest: {one['run_id']}, sequence {one['sequence']}, SHA-256 {one['sha256']}")
        if not heads and not arguments["known"]:
            show(UNPROVEN)
        return result

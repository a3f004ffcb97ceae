#!/usr/bin/python
# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: this action runs on the control node (plugins/action/verify_evidence.py)."""

DOCUMENTATION = r"""
module: verify_evidence
short_description: Check evidence offline, its signatures, its checksums and every verdict
version_added: 0.1.0
description:
  - Every manifest in O(reports_dir) must have a signature of somebody in O(allowed_signers).
  - Every evidence file must be, byte for byte, as the last run that judged its host left it. A file that no manifest
    names and one that is missing are problems too.
  - Every verdict is found again from the state and the policy in the file and the day of the run.
  - Makes no connection and writes nothing.
author:
  - The cbops.telemetry maintainers (@cbops)
extends_documentation_fragment:
  - cbops.telemetry._attributes
  - cbops.telemetry._attributes.action
options:
  reports_dir:
    description: Folder on the control node that holds C(evidence/) and C(manifests/).
    type: str
    default: reports
  allowed_signers:
    description: Who may sign, in the format of C(ssh-keygen), see its section ALLOWED SIGNERS.
    type: path
    required: true
seealso:
  - module: cbops.telemetry.fleet_report
"""

EXAMPLES = r"""
- name: Is the evidence what the runs have left, and does it say what they said?
  cbops.telemetry.verify_evidence:
    reports_dir: reports
    allowed_signers: allowed_signers
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
problems:
  description: What is wrong, each with its file.
  returned: always
  type: list
  elements: str
manifests:
  description: Number of manifests that were checked.
  returned: always
  type: int
files:
  description: Number of evidence files that trusted manifests name.
  returned: always
  type: int
signers:
  description: Who signed.
  returned: always
  type: list
  elements: str
"""

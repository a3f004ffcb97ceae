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
  - Every manifest in O(reports_dir) must have a signature of somebody in O(allowed_signers). Those that the first
    signed one found without a signature are from before signing; they are named in RV(notes) and are no problem.
  - A key that has ended is good for what a later manifest confirms, and where no key is valid any more, for what it
    signed by the manifest's own time.
  - None of the manifests that others name may be missing, unless all before it are gone too.
  - Every evidence file must be, byte for byte, as the last run that judged its host left it. Which run was the last,
    the manifests tell by naming the ones before them, not by their times. A file that no manifest names and one that is
    missing are problems too.
  - Every record of changes (C(changes/)) must be as the manifest of its run names it. That of a run that left no
    manifest is named by the next run's.
  - Every verdict is found again from the state and the policy in the file and the day of the run.
  - Makes no connection and writes nothing.
author:
  - The cbops.telemetry maintainers (@cbops)
extends_documentation_fragment:
  - cbops.telemetry._attributes
  - cbops.telemetry._attributes.action
  - cbops.telemetry._report
options:
  allowed_signers:
    description: Who may sign, in the format of C(ssh-keygen), see its section ALLOWED SIGNERS.
    type: path
    required: true
  known:
    description:
      - Checksums (SHA-256) of manifests that were seen before, such as the ones that RV(newest) had. It is a problem
        where none has one of these any more.
      - Without it, nobody sees that manifests and evidence were both put back to an older state.
    type: list
    elements: str
    default: []
  head:
    description:
      - The last manifest as somebody has kept it elsewhere, a SHA-256 or the line that names it, as a run prints it
        (C(head:)), this module does (C(newest:)), or C(cbops_telemetry_chain_head) of OpenMetrics does.
      - It must still be there, else the chain was cut off, or put back. A run that began after it and follows an older
        one, with hosts in common, fails, too.
    type: list
    elements: str
    default: []
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
records:
  description: Number of records of changes that trusted manifests name.
  returned: always
  type: int
notes:
  description: What is no problem and worth knowing, such as times in the future.
  returned: always
  type: list
  elements: str
newest:
  description: The manifests that no other follows, each with its run, its sequence and its checksum.
  returned: always
  type: list
  elements: dict
signers:
  description: Who signed.
  returned: always
  type: list
  elements: str
"""

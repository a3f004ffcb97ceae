#!/usr/bin/python
# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: this action runs on the control node (plugins/action/fleet_report.py)."""

DOCUMENTATION = r"""
module: fleet_report
short_description: Merge the evidence of a fleet into one report
version_added: 0.1.0
description:
  - Reads one evidence file a host, prints a table and writes the report as JSON.
  - Every host that is named comes out with a verdict. One without evidence is V(unknown), with the reason.
  - Fails where a verdict is in O(fail_on), so that C(ansible-playbook) ends with the exit code 2.
  - Runs on the control node. Use it with C(run_once).
author:
  - The cbops.telemetry maintainers (@cbops)
extends_documentation_fragment:
  - cbops.telemetry._attributes
  - cbops.telemetry._attributes.action
options:
  hosts:
    description: The hosts that went in.
    type: list
    elements: str
    required: true
  reports_dir:
    description: Folder on the control node that holds C(evidence/), and gets the report.
    type: str
    default: reports
  name:
    description: Name of the report, without C(.json).
    type: str
    default: audit
  this_run:
    description:
      - Evidence counts only where it was filed by the same C(ansible-playbook) run. At the end the run's manifest is
        written to C(manifests/) in O(reports_dir).
    type: bool
    default: false
  signing_key:
    description:
      - A private key without a passphrase on the control node, or a public key that an agent holds. The manifest is
        signed with it by C(ssh-keygen -Y sign). Empty means no signature.
    type: str
  fail_on:
    description: Verdicts that make the task fail.
    type: list
    elements: str
    choices: [violation, waiver_expired, restart_pending, unknown, unreachable, waived, compliant, not_applicable]
    default: [violation, waiver_expired, unknown, unreachable]
seealso:
  - module: cbops.telemetry.telemetry_assess
"""

EXAMPLES = r"""
- name: Report on all hosts of the play, waiting for restarts counted as a failure too
  cbops.telemetry.fleet_report:
    hosts: "{{ ansible_play_hosts_all }}"
    fail_on: [violation, waiver_expired, restart_pending, unknown, unreachable]
  run_once: true
"""

RETURN = r"""
report:
  description: Path of the report.
  returned: always
  type: str
  sample: reports/audit.json
totals:
  description: Number of hosts for each verdict.
  returned: always
  type: dict
"""

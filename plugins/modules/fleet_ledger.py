#!/usr/bin/python
# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: this action runs on the control node (plugins/action/fleet_ledger.py)."""

DOCUMENTATION = r"""
module: fleet_ledger
short_description: Which controllers there are, and which of them were audited
version_added: 0.2.0
description:
  - Reconciles four ledgers. What operations centers say by their API, what lies on the disks of those that were
    audited, what the launch files of controllers name, and the inventory with its evidence.
  - Names controllers that are known and were not audited, those that were audited and that no operations center has,
    two names for one, and hosts that do not run what the inventory expects. Every match says by what it was made.
  - Coverage is the part of the known controllers that was audited. Where an operations center that anything names
    could not be read whole, it is unknown, never a percentage.
  - Connects to no host; asks the operations centers that are named.
author:
  - The cbops.telemetry maintainers (@cbops)
extends_documentation_fragment:
  - cbops.telemetry._attributes
  - cbops.telemetry._attributes.action
  - cbops.telemetry._report
  - cbops.telemetry._report.centers
  - cbops.telemetry._report.slice
options:
  hosts:
    description:
      - The hosts whose evidence is read.
      - Without it, every host of the inventory.
    type: list
    elements: str
  evidence_dirs:
    description:
      - Folders of evidence, as M(cbops.telemetry.fleet_report) takes them.
      - Without it, C(evidence) in O(reports_dir).
    type: list
    elements: path
  expected:
    description:
      - The names of the installations that a host is to have, for each host of which that is said.
      - Without it, C(telemetry_installations) of each host that has such a variable.
    type: dict
  min_coverage:
    description:
      - Percentage of the known controllers that must have been audited, from 0 to 100. Less, or a coverage that is not
        known, or an operations center that was not audited, makes the task fail.
      - Of a part of the inventory (C(--limit), C(-e telemetry_hosts)) it is not known. A slice is not held to it.
      - Without it coverage is shown and decides nothing.
    type: float
  max_age:
    description:
      - How old evidence may be, as M(cbops.telemetry.fleet_report) takes it. What is older, or of unknown age, has not
        been audited.
    type: str
    default: "3"
  name:
    description: Name of the file in O(reports_dir), without C(.json).
    type: str
    default: ledger
  fail:
    description:
      - Whether to fail where O(min_coverage) is not met.
      - As Ansible writes all that a task which fails returns on the terminal, such a one returns its sentence and
        RV(path) alone; the rest is there with C(-v), under ansible-runner, and with a callback for programs.
    type: bool
    default: true
seealso:
  - module: cbops.telemetry.fleet_report
  - plugin: cbops.telemetry.operations_center
    plugin_type: inventory
"""

EXAMPLES = r"""
- name: Every controller is audited, or the task fails
  cbops.telemetry.fleet_ledger:
    operations_centers:
      - url: https://oc.example.com/
        user: auditor
        token: "{{ oc_token }}"
    min_coverage: 100
  run_once: true
"""

RETURN = r"""
path:
  description: The ledger as JSON (docs/schema/ledger-1.json).
  returned: always
  type: str
coverage:
  description:
    - C(audited) and C(known) controllers, C(percent) (null where it is not known), the same of
      C(operations_centers), and C(reasons) for what is not known.
  returned: where the task does not fail, see O(fail)
  type: dict
ghosts:
  description: Controllers that are known and were not audited.
  returned: where the task does not fail, see O(fail)
  type: list
  elements: str
strangers:
  description: Installations that were audited and that no operations center has, as host and installation.
  returned: where the task does not fail, see O(fail)
  type: list
  elements: str
renamed:
  description: Names that are of one controller.
  returned: where the task does not fail, see O(fail)
  type: list
  elements: list
unexpected:
  description: Hosts that do not run what O(expected) says.
  returned: where the task does not fail, see O(fail)
  type: list
  elements: str
unmet:
  description: Why O(min_coverage) makes the task fail; empty where it does not.
  returned: where the task does not fail, see O(fail)
  type: str
"""

#!/usr/bin/python
# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: this action runs on the control node (plugins/action/fleet_plan.py)."""

DOCUMENTATION = r"""
module: fleet_plan
short_description: Write the plans of all hosts as one document for review
version_added: 0.1.0
description:
  - Writes what M(cbops.telemetry.telemetry_plan) found out of each host as JSON, and as Markdown for a pull request.
  - The hosts stand in the order in which enforce restarts them, each with the number of its batch. All hosts count,
    also those without a restart, because so does the play.
  - An unchanged fleet gives an unchanged file, byte for byte.
  - Fails where a host cannot be planned, so that C(ansible-playbook) ends with the exit code 2. The plan is written
    nevertheless, and names the host with its error.
  - Runs on the control node. Use it with C(run_once).
author:
  - The cbops.telemetry maintainers (@cbops)
extends_documentation_fragment:
  - cbops.telemetry._attributes
  - cbops.telemetry._attributes.action
  - cbops.telemetry._report
options:
  hosts:
    description: The hosts that went in, in the order of the play.
    type: list
    elements: str
    required: true
  registered:
    description: The name of the variable in which each host has the result of M(cbops.telemetry.telemetry_plan).
    type: str
    required: true
  swept:
    description:
      - The name of the variable in which the result of M(cbops.telemetry.fleet_sweep) is that was asked for a plan. Of
        hosts of which it has no entry O(registered) tells.
    type: str
    default: ""
  serial:
    description:
      - How batches are made, as in the play keyword C(serial), a number, a percentage, or a list of them.
      - Left out, it is the extra variable C(telemetry_restart_serial), or else what the playbook C(enforce) does
        without it. In the inventory that variable has no effect.
    type: raw
  name:
    description: Name of the plan, without C(.json) and C(.md).
    type: str
    default: plan
seealso:
  - module: cbops.telemetry.telemetry_plan
"""

EXAMPLES = r"""
- name: Find out what enforce would do
  cbops.telemetry.telemetry_plan:
  become: true
  register: planned
  failed_when: false
  ignore_unreachable: true

- name: Write the plan
  cbops.telemetry.fleet_plan:
    hosts: "{{ ansible_play_hosts_all }}"
    registered: planned
  run_once: true
"""

RETURN = r"""
plan:
  description: Path of the plan.
  returned: always
  type: str
  sample: reports/plan.json
"""

#!/usr/bin/python
# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: this action runs on the control node (plugins/action/telemetry_plan.py)."""

DOCUMENTATION = r"""
module: telemetry_plan
short_description: Find out what enforce would do to a host, or hold the host to a reviewed plan
version_added: 0.1.0
description:
  - Says which files enforce would edit (path and SHA-256 before and after, no content), whether it would reload the
    service manager, and which services it would restart. The policy is read from the C(telemetry_*) variables.
  - Changes nothing on the host. M(cbops.telemetry.telemetry_flag) runs there in check mode.
  - With O(plan) the host is held to its entry of that file. The task fails where enforce would now do anything else
    or anything more. What is done already is fine, so a second run with the same plan passes.
author:
  - The cbops.telemetry maintainers (@cbops)
extends_documentation_fragment:
  - cbops.telemetry._attributes
  - cbops.telemetry._attributes.action
  - cbops.telemetry._attributes.actiongroup_telemetry
  - cbops.telemetry._host
options:
  launch_scripts:
    description: As in M(cbops.telemetry.telemetry_info).
    type: list
    elements: str
    default: []
  plan:
    description: A plan that M(cbops.telemetry.fleet_plan) wrote, on the control node. Empty means none.
    type: str
  templates:
    description:
      - Launch scripts that enforce renders, with C(src) and C(dest). Only their content is compared, not their owner
        and mode. A script that does not exist yet cannot be planned.
    type: list
    elements: dict
    default: []
  restart_allow:
    description: As O(cbops.telemetry.telemetry_restart#module:allow).
    type: list
    elements: str
    choices: [war, java, unit, plugins]
    default: []
  daemon_reload:
    description: Whether enforce reloads the service manager where that is needed.
    type: bool
    default: true
seealso:
  - module: cbops.telemetry.fleet_plan
  - module: cbops.telemetry.telemetry_flag
"""

EXAMPLES = r"""
- name: Find out what enforce would do
  cbops.telemetry.telemetry_plan:
  become: true
  register: planned

- name: Show it
  ansible.builtin.debug:
    var: planned.entry

- name: Go on only where that is still what was reviewed
  cbops.telemetry.telemetry_plan:
    plan: reports/plan.json
  become: true
"""

RETURN = r"""
entry:
  description: What enforce would do now; null where that could not be found out.
  returned: always
  type: dict
  contains:
    host:
      description: The host.
      type: str
    desired:
      description: What policy wants; null where the host cannot be planned.
      type: str
    enforced:
      description: Whether enforce acts on the host. False where it is unmanaged or has a valid waiver.
      type: bool
    edits:
      description: Each with C(path), C(before) and C(after) (SHA-256, null for no file) and C(summary).
      type: list
      elements: dict
    reload:
      description: Whether the service manager would be reloaded.
      type: bool
    restarts:
      description: Services that would be restarted.
      type: list
      elements: str
    restarts_owed:
      description: Services whose restart would be owed afterwards, because enforce may not or cannot restart them.
      type: list
      elements: str
    other_changes:
      description:
        - What the restarts would start beside the flag, each with C(service), C(kind), C(what), and C(refused),
          which says whether the restart is not made for that.
      type: list
      elements: dict
    reasons:
      description: Why, in the words of the audit.
      type: list
      elements: str
    error:
      description: Why the host cannot be planned, null where it can.
      type: str
differences:
  description: What enforce would do otherwise than O(plan) says. Empty unless the task fails.
  returned: always
  type: list
  elements: str
"""

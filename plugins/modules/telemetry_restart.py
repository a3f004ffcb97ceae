#!/usr/bin/python
# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: this action runs on the control node (plugins/action/telemetry_restart.py)."""

DOCUMENTATION = r"""
module: telemetry_restart
short_description: Restart what owes a restart, and wait until it runs with the wanted value
version_added: 0.1.0
description:
  - Reads the state of the host. A restart is owed where the next start would have the wanted value and the
    running JVM has another. That comparison needs no earlier task, so a run that broke off is healed by the next.
  - Restarts through the service manager, because a restart from the user interface does not read the launch
    file again, and waits until a new process runs with the wanted value.
author:
  - The cbops.telemetry maintainers (@cbops)
extends_documentation_fragment:
  - cbops.telemetry._attributes
  - cbops.telemetry._attributes.action
  - cbops.telemetry._attributes.actiongroup_telemetry
options:
  state:
    description: The wanted value.
    type: str
    choices: [disabled, enabled]
    required: true
  launch_scripts:
    description: As in M(cbops.telemetry.telemetry_info).
    type: list
    elements: str
    default: []
  attach:
    description: Whether running JVMs are asked themselves, as in M(cbops.telemetry.telemetry_info).
    type: str
    choices: [auto, never]
    default: auto
  timeout:
    description: Seconds to wait for the new process.
    type: int
    default: 300
  group:
    description:
      - Hosts of one group are restarted one by one within a run, whatever the number of forks. Name here what
        shares a C(JENKINS_HOME).
    type: str
    default: ""
seealso:
  - module: cbops.telemetry.telemetry_flag
"""

EXAMPLES = r"""
- name: Restart what still sends, replicas of one controller one by one
  cbops.telemetry.telemetry_restart:
    state: disabled
    group: payments-controller
  become: true
"""

RETURN = r"""
services:
  description: Services that were restarted (in check mode, that would be).
  returned: always
  type: list
  elements: str
state:
  description: The state document after the restart.
  returned: always
  type: dict
"""

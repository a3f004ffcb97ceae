#!/usr/bin/python
# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: this action runs on the control node (plugins/action/fleet_doctor.py)."""

DOCUMENTATION = r"""
module: fleet_doctor
short_description: Show what telemetry_doctor found out about all hosts
version_added: 0.1.0
description:
  - Shows a table of the hosts, then what is missing on each and the lines for its C(host_vars), and writes the same as
    JSON.
  - Runs on the control node and connects to no host. Use it with C(run_once).
author:
  - The cbops.telemetry maintainers (@cbops)
extends_documentation_fragment:
  - cbops.telemetry._attributes
  - cbops.telemetry._attributes.action
  - cbops.telemetry._report
  - cbops.telemetry._report.hosts
options:
  registered:
    description: The variable that each host's M(cbops.telemetry.telemetry_doctor) was registered as.
    type: str
    required: true
  name:
    description: File name without its ending.
    type: str
    default: doctor
seealso:
  - module: cbops.telemetry.telemetry_doctor
"""

EXAMPLES = r"""
- name: Show what an audit would miss
  cbops.telemetry.fleet_doctor:
    hosts: "{{ ansible_play_hosts_all }}"
    registered: examined
  run_once: true
"""

RETURN = r"""
path:
  description: Where the document is, as C(docs/schema/doctor-1.json) says.
  returned: always
  type: str
missing:
  description: What is missing, by host.
  returned: always
  type: dict
"""

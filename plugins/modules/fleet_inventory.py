#!/usr/bin/python
# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: this action runs on the control node (plugins/action/fleet_inventory.py)."""

DOCUMENTATION = r"""
module: fleet_inventory
short_description: Take an inventory as data
version_added: 0.1.0
description:
  - Reads an inventory that nobody has answered for yet, such as that of a merge request, without running anything of
    it, and writes a copy that Ansible can be given. The copy is made of what was read and looked at, never of the
    files.
  - Fails where the inventory is more than data, such as a template (also in a value or a key far down), a YAML tag or
    alias, a key that stands there twice, a link, a script or a plugin, a variable that is neither policy
    (C(telemetry_*)) nor on a short list of harmless ones for connections, a host name that a command would take for an
    option.
  - Of the policy, C(telemetry_launch_templates), C(telemetry_token), C(telemetry_controllers), C(telemetry_ca_file),
    C(telemetry_plan), C(telemetry_reports_dir), C(telemetry_report_name), C(telemetry_evidence_dirs),
    C(telemetry_signing_key) and C(telemetry_public_authorities) are refused too. They are for whoever runs the playbook
    to set, as extra variables.
  - YAML, JSON and INI files are taken, with C(group_vars) and C(host_vars) beside them.
  - Runs on the control node and never connects to a host.
author:
  - The cbops.telemetry maintainers (@cbops)
extends_documentation_fragment:
  - cbops.telemetry._attributes
  - cbops.telemetry._attributes.action
options:
  src:
    description: The inventory, a file or a folder.
    type: str
    required: true
  dest:
    description: Folder for the copy, which must not be there yet.
    type: str
    required: true
  top:
    description: The folder that O(src) is relative to. Below it no link is followed.
    type: str
    default: "."
seealso:
  - module: cbops.telemetry.telemetry_assess
"""

EXAMPLES = r"""
- name: Take the inventory of a merge request as data
  cbops.telemetry.fleet_inventory:
    src: proposed/inventory
    dest: /run/user/1000/taken
"""

RETURN = r"""
files:
  description: How many files the copy has.
  returned: always
  type: int
"""

#!/usr/bin/python
# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: this action runs on the control node (plugins/action/fleet_scope.py)."""

DOCUMENTATION = r"""
module: fleet_scope
short_description: Check that the inventory was read whole, before the first host is touched
version_added: 0.1.0
description:
  - Fails where a source of the inventory, or a file in a folder of sources, was read by none of Ansible's plugins.
    Ansible itself warns then and goes on with the hosts that are left, unless C(any_unparsed_is_failed) is set.
  - Fails where there are no hosts.
  - Names files with C(telemetry_*) variables below C(group_vars) and C(host_vars) of the working directory where they
    are not beside the inventory, so that nobody reads them.
  - Runs on the control node and never connects to a host.
author:
  - The cbops.telemetry maintainers (@cbops)
extends_documentation_fragment:
  - cbops.telemetry._attributes
  - cbops.telemetry._attributes.action
  - cbops.telemetry._report.hosts
options:
  pattern:
    description: What they were chosen by, for the message.
    type: str
    default: all
seealso:
  - module: cbops.telemetry.fleet_waivers
"""

EXAMPLES = r"""
- name: Insist on an inventory that is whole
  cbops.telemetry.fleet_scope:
    hosts: "{{ query('ansible.builtin.inventory_hostnames', 'all') }}"
"""

RETURN = r"""
unparsed:
  description: What of the inventory could not be read.
  returned: where there is such
  type: list
  elements: str
unread:
  description: Files with variables that nobody reads.
  returned: success
  type: list
  elements: str
"""

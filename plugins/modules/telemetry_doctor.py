#!/usr/bin/python
# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: this action runs on the control node (plugins/action/telemetry_doctor.py)."""

DOCUMENTATION = r"""
module: telemetry_doctor
short_description: Find out how a host is reached and what an audit would miss there
version_added: 0.1.0
description:
  - Asks the host as an audit does, and says by which connection and as whom it was reached, whether as root, which
    Python answered, what starts each JVM, what is missing, and which lines in C(host_vars) would mend it.
  - Never fails. That a host cannot be reached, or has a policy that is not valid, is what it is for.
  - Changes nothing on the host, and does not probe the endpoint.
author:
  - The cbops.telemetry maintainers (@cbops)
extends_documentation_fragment:
  - cbops.telemetry._attributes
  - cbops.telemetry._attributes.action
options: {}
seealso:
  - module: cbops.telemetry.fleet_doctor
"""

EXAMPLES = r"""
- name: Find out what an audit of this host would miss
  cbops.telemetry.telemetry_doctor:
  become: true
  register: examined

- name: Show it
  ansible.builtin.debug:
    var: examined.entry.missing
"""

RETURN = r"""
entry:
  description: What was found out, as in C(docs/schema/doctor-1.json).
  returned: always
  type: dict
"""

#!/usr/bin/python
# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: this action runs on the control node (plugins/action/telemetry_reload.py)."""

DOCUMENTATION = r"""
module: telemetry_reload
short_description: Let the service manager of a host read its units again
version_added: 0.1.0
description:
  - Runs M(ansible.builtin.systemd_service) with C(daemon_reload), within C(telemetry_host_limit).
  - Of what the host answers only whether it failed is handed on, because Ansible acts on much of a result (facts,
    warnings).
author:
  - The cbops.telemetry maintainers (@cbops)
extends_documentation_fragment:
  - cbops.telemetry._attributes
  - cbops.telemetry._attributes.action
options: {}
notes:
  - Needs C(become).
seealso:
  - module: cbops.telemetry.telemetry_flag
"""

EXAMPLES = r"""
- name: Turn telemetry off at the next start
  cbops.telemetry.telemetry_flag:
    state: disabled
  become: true
  register: telemetry

- name: Let the service manager read the new drop-in
  cbops.telemetry.telemetry_reload:
  become: true
  when: telemetry.reload_required
"""

RETURN = r""""""

#!/usr/bin/python
# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: this action runs on the control node (plugins/action/telemetry_template.py)."""

DOCUMENTATION = r"""
module: telemetry_template
short_description: Render a launch script of your own from a template
version_added: 0.1.0
description:
  - Runs M(ansible.builtin.template), within C(telemetry_host_limit). There is no diff, because launch scripts hold
    secrets.
  - Of what the host answers only whether it failed and whether the file changed is handed on, because Ansible acts on
    much of a result (facts, warnings).
author:
  - The cbops.telemetry maintainers (@cbops)
extends_documentation_fragment:
  - cbops.telemetry._attributes
  - cbops.telemetry._attributes.action
options:
  src:
    description: The template on the control node.
    type: str
    required: true
  dest:
    description: The launch script on the host.
    type: str
    required: true
  owner:
    description: Its owner.
    type: str
  group:
    description: Its group.
    type: str
  mode:
    description: Its mode.
    type: str
notes:
  - Needs C(become).
seealso:
  - module: ansible.builtin.template
"""

EXAMPLES = r"""
- name: Render the launch script
  cbops.telemetry.telemetry_template:
    src: start.sh.j2
    dest: /opt/cloudbees/cm/start.sh
    owner: root
    group: root
    mode: "0755"
  become: true
"""

RETURN = r"""
dest:
  description: The launch script.
  returned: always
  type: str
"""

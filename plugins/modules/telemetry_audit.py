#!/usr/bin/python
# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: this action runs on the control node (plugins/action/telemetry_audit.py)."""

DOCUMENTATION = r"""
module: telemetry_audit
short_description: Audit a host in one task and one round trip
version_added: 0.1.0
description:
  - Asks a host as M(cbops.telemetry.telemetry_info) does (probing the endpoint where the policy wants to know), holds
    the answer against the policy in its C(telemetry_*) variables, and files the evidence, in one task.
  - Never fails for what a host says. One that cannot be reached, or read, has a verdict that says so.
  - Changes nothing on the host.
author:
  - The cbops.telemetry maintainers (@cbops)
extends_documentation_fragment:
  - cbops.telemetry._attributes
  - cbops.telemetry._attributes.action
  - cbops.telemetry._report
notes:
  - Run it with C(become), as M(cbops.telemetry.telemetry_info).
  - Where the role P(cbops.telemetry.telemetry#role) acted on the host earlier in the run, what it remembers of that
    (what went wrong, why a restart was put off, that it edited something) is filed with the verdict.
seealso:
  - module: cbops.telemetry.telemetry_info
  - module: cbops.telemetry.fleet_report
"""

EXAMPLES = r"""
- name: Audit this host
  cbops.telemetry.telemetry_audit:
  become: true
  register: audit

- name: Show its verdict
  ansible.builtin.debug:
    msg: "{{ audit.verdict }}: {{ audit.reasons | join('; ') }}"
"""

RETURN = r"""
verdict:
  description:
    - One of the verdicts among the choices of O(cbops.telemetry.fleet_report#module:fail_on), which has them worst
      first.
  returned: always
  type: str
reasons:
  description: Why, worded for the person who must act.
  returned: always
  type: list
  elements: str
drift:
  description:
    - Why the evidence differs from the one that was there before. V(intended) where the policy changed,
      V(corrective) where the host changed by neither the policy nor this run, nothing where it does not differ.
  returned: always
  type: str
evidence:
  description: Path of the evidence file.
  returned: always
  type: str
answer:
  description: What M(cbops.telemetry.telemetry_info) returned.
  returned: with C(-v)
  type: dict
"""

#!/usr/bin/python
# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: this action runs on the control node (plugins/action/telemetry_assess.py)."""

DOCUMENTATION = r"""
module: telemetry_assess
short_description: Check a host's policy, give its verdict and file its evidence
version_added: 0.1.0
description:
  - Reads the policy of a host from its C(telemetry_*) variables. A value that is not allowed and a variable name
    that nobody knows are errors.
  - With O(answer) it holds the state document against the policy, and writes one evidence file for the host.
  - Runs on the control node and never connects to the host.
author:
  - The cbops.telemetry maintainers (@cbops)
extends_documentation_fragment:
  - cbops.telemetry._attributes
  - cbops.telemetry._attributes.action
  - cbops.telemetry._report
options:
  answer:
    description:
      - What M(cbops.telemetry.telemetry_info) returned, also where it failed or the host was unreachable.
      - Left out, only the policy is checked.
    type: dict
  error:
    description:
      - What went wrong for this host earlier in the run, for the report.
    type: str
    default: ""
  note:
    description:
      - Why an owed restart was put off, for the report.
    type: str
    default: ""
  edited:
    description:
      - Whether this run edited or restarted something on the host. Then the change that follows is no drift.
    type: bool
    default: false
seealso:
  - module: cbops.telemetry.fleet_report
"""

EXAMPLES = r"""
- name: Read the state of this host
  cbops.telemetry.telemetry_info:
  register: telemetry
  failed_when: false
  ignore_unreachable: true

- name: Judge it by the policy in the inventory
  cbops.telemetry.telemetry_assess:
    answer: "{{ telemetry }}"
  register: verdict
"""

RETURN = r"""
verdict:
  description:
    - One of the verdicts among the choices of O(cbops.telemetry.fleet_report#module:fail_on), which has them worst
      first.
  returned: with O(answer)
  type: str
reasons:
  description: Why, worded for the person who must act.
  returned: with O(answer)
  type: list
  elements: str
drift:
  description:
    - Why the evidence differs from the one that was there before. V(intended) where the policy changed,
      V(corrective) where the host changed by neither the policy nor this run, nothing where it does not differ.
  returned: with O(answer)
  type: str
evidence:
  description: Path of the evidence file.
  returned: with O(answer)
  type: str
switches:
  description: The properties beside the flag that are policy, as M(cbops.telemetry.telemetry_flag) takes them.
  returned: without O(answer)
  type: list
  elements: dict
policy:
  description: The policy as it was read.
  returned: without O(answer)
  type: dict
enforced:
  description: Whether the policy wants something brought about, and no valid waiver stands against it.
  returned: without O(answer)
  type: bool
"""

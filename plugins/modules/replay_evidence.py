#!/usr/bin/python
# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: this action runs on the control node (plugins/action/replay_evidence.py)."""

DOCUMENTATION = r"""
module: replay_evidence
short_description: Judge the evidence that is there as of another day
version_added: 0.1.0
description:
  - Holds the state and the policy in each evidence file against another day, such as the one after a waiver ends, and
    prints the table that an audit on that day would have printed, had nothing changed.
  - A host whose evidence file is damaged is V(unknown), with the reason.
  - Makes no connection and writes nothing.
  - Fails where a verdict is in O(fail_on).
author:
  - The cbops.telemetry maintainers (@cbops)
extends_documentation_fragment:
  - cbops.telemetry._attributes
  - cbops.telemetry._attributes.action
  - cbops.telemetry._attributes.gates
  - cbops.telemetry._report
options:
  as_of:
    description: The day, such as V(2027-01-01).
    type: str
    required: true
  waiver_warn_days:
    description: How many days before its end a waiver is warned of.
    type: int
    default: 14
  max_age:
    description:
      - How old evidence may be on that day, as O(cbops.telemetry.fleet_report#module:max_age). The day counts to its
        end, today until now. What no run tells the time of is of unknown age.
      - With V(never) the question is what waivers and policy make of it alone.
    type: str
    default: "3"
  hosts:
    description:
      - Whose C(telemetry_max_age) and C(telemetry_fail_on) count before the defaults, where O(max_age) or O(fail_on) is
        left out. They must mean the same for all of these hosts.
      - What facts of a host would set does not count, and those of the first of them are refused.
      - These are not the hosts that are judged, which are those that have evidence.
    type: list
    elements: str
    default: []
seealso:
  - module: cbops.telemetry.fleet_report
"""

EXAMPLES = r"""
- name: Which waivers will have run out by New Year?
  cbops.telemetry.replay_evidence:
    as_of: "2027-01-01"
    max_age: never
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
verdicts:
  description: Verdict by host.
  returned: always
  type: dict
totals:
  description: Number of hosts for each verdict.
  returned: always
  type: dict
"""

#!/usr/bin/python
# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: this action runs on the control node (plugins/action/fleet_waivers.py)."""

DOCUMENTATION = r"""
module: fleet_waivers
short_description: Check the waivers of all hosts before the first is touched
version_added: 0.1.0
description:
  - Reads C(telemetry_waiver) and C(telemetry_waiver_max_days) of every host that is named, and fails where a waiver is
    malformed or reaches too far.
  - Fails, too, with O(fleet), where C(telemetry_max_age), C(telemetry_fail_on), C(telemetry_min_coverage) or
    C(telemetry_newer_than) does not mean the same for all of them, or cannot be resolved, because a report takes it of
    the first host and judges all of them by it.
  - Fails, too, with O(fleet), where no report could be made in the end, because a variable is not as it must be, such
    as C(telemetry_report_formats), nothing can be written to the reports folder, or C(telemetry_signing_key) cannot
    sign.
  - Fails, too, where a host has a C(telemetry_hosts) of its own, which has no effect.
  - Runs on the control node and never connects to a host. Use it with C(run_once) in a play with
    C(any_errors_fatal), so that it ends the run.
author:
  - The cbops.telemetry maintainers (@cbops)
extends_documentation_fragment:
  - cbops.telemetry._attributes
  - cbops.telemetry._attributes.action
  - cbops.telemetry._report.hosts
  - cbops.telemetry._report
options:
  fleet:
    description:
      - Whether what counts for the whole fleet must be the same for all hosts, and a report possible. Only reports go
        by it.
    type: bool
    default: true
seealso:
  - module: cbops.telemetry.telemetry_assess
"""

EXAMPLES = r"""
- name: Check the waivers of every host
  cbops.telemetry.fleet_waivers:
    hosts: "{{ ansible_play_hosts_all }}"
  run_once: true
"""

RETURN = r"""
waived:
  description: The hosts that have a waiver, also one that has run out.
  returned: success
  type: list
  elements: str
"""

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
  - Fails, too, with O(fleet), where C(telemetry_max_age), C(telemetry_fail_on), C(telemetry_min_coverage),
    C(telemetry_newer_than), C(telemetry_reports_dir) or C(telemetry_signing_key) does not mean the same for all of
    them, or cannot be resolved, because a report takes it of the first host and judges all of them by it.
  - Fails, too, with O(fleet), where no report could be made in the end, because a variable is not as it must be, such
    as C(telemetry_report_formats), nothing can be written to the reports folder, or C(telemetry_signing_key) cannot
    sign. For that it writes a nameless file in the folder, in those of its folders that are there, or in the nearest
    one above that is, and signs nothing with the key. It leaves nothing, also in check mode.
  - Fails, too, where hosts have a C(telemetry_hosts) and nothing says it for the whole fleet, because it has no effect.
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
  files:
    description:
      - What is written in the end. Where that is not V(evidence), with its manifest, less is looked at, with O(fleet).
      - V(report) needs a key for the format C(intoto) alone, and V(ledger) goes by no more than C(telemetry_max_age),
        C(telemetry_min_coverage), C(telemetry_operations_centers) and C(telemetry_slice).
    type: str
    choices: [evidence, report, ledger]
    default: evidence
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

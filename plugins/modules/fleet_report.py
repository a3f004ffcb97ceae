#!/usr/bin/python
# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: this action runs on the control node (plugins/action/fleet_report.py)."""

DOCUMENTATION = r"""
module: fleet_report
short_description: Merge the evidence of a fleet into one report
version_added: 0.1.0
description:
  - Reads one evidence file a host, prints a table (unless the standard output is written for a program, as by
    C(ansible.posix.json)) and writes the report in every format that is asked for.
  - Every host that is named comes out with a verdict and the age of its newest evidence. One without evidence is
    V(unknown), with the reason.
  - When evidence was collected, and how it drifted, is told by C(manifests/) and C(runs/) beside each evidence folder.
    Of these the last 60 runs are read, and their totals are the trend. The last is the one that follows the others, not
    the one with the latest time.
  - Evidence that is older than O(max_age) is V(stale).
  - Evidence with a time in the future has no age, and a note says so. With O(newer_than) it counts as none.
  - Fails where a verdict is in O(fail_on), so that C(ansible-playbook) ends with the exit code 2. The reports are
    written all the same.
  - Runs on the control node and connects to no host. Use it with C(run_once).
author:
  - The cbops.telemetry maintainers (@cbops)
extends_documentation_fragment:
  - cbops.telemetry._attributes
  - cbops.telemetry._attributes.action
  - cbops.telemetry._attributes.gates
  - cbops.telemetry._report
  - cbops.telemetry._report.centers
  - cbops.telemetry._report.slice
options:
  hosts:
    description:
      - The hosts that the report is on.
      - Without it, every host of the inventory.
    type: list
    elements: str
  evidence_dirs:
    description:
      - Folders of evidence, each with C(manifests/) and C(runs/) beside it. Or what has them in it, which is a folder
        of reports, or the artifacts that ansible-runner keeps of one run (C(artifacts/7)) or of many (C(artifacts)).
      - For a host that is in several the newest counts. A run that has left no evidence, such as a slice whose worker
        was lost, is named in RV(notes).
      - Without it, C(evidence) in O(reports_dir).
    type: list
    elements: path
  formats:
    description:
      - What to write. The file names are O(name) and C(.json), C(.html), C(.junit.xml), C(.sarif), C(.prom) (for
        V(openmetrics)), C(.csv), C(.md), C(.intoto.jsonl),
        C(.oscal.json) and C(.auditor.html).
    type: list
    elements: str
    choices: [json, html, junit, sarif, openmetrics, csv, markdown, intoto, oscal, auditor]
    default: [json]
  name:
    description: Name of the report's files, without what comes after the first dot.
    type: str
    default: audit
  history:
    description:
      - A file that gets one line a report, with its totals. Then it is the trend, in place of the manifests.
      - For fleets that are audited in slices, whose manifests each count only their slice, or over longer times.
    type: path
  newer_than:
    description:
      - Evidence that was collected before this moment (UTC, ISO 8601) counts as none, and so does evidence with a time
        in the future. It may also be an age, as V(20 h), V(90 min) or V(2 days), from when the report is made.
      - Where slices share a folder it tells those whose run was lost from those that were audited.
    type: str
  max_age:
    description:
      - How old evidence may be, in days or as V(72h) or V(90 min). What is older is V(stale), but for a
        violation, a waiver that has run out, and what was unknown or unreachable, which stay. O(fail_on) counts it by
        both verdicts.
      - Evidence of which no manifest and no journal tells the time, and evidence that is not as its last run filed it,
        are of unknown age, and so V(unknown). So is what is more than a day in the future.
      - With V(never), or V(0), evidence may be of any age. What is not as its last run filed it is V(unknown) all the
        same.
      - What O(this_run) has filed is never too old. The page tells ages by the clock of whoever opens it, and greys
        what has become too old by then.
    type: str
    default: "3"
  this_run:
    description:
      - Evidence counts only where it was filed by the same C(ansible-playbook) run. At the end the run's manifest is
        written to C(manifests/) in O(reports_dir).
    type: bool
    default: false
  signing_key:
    description:
      - A private key without a passphrase on the control node, or a public key that an agent holds. The manifest of
        O(this_run) and attestations (V(intoto)) are signed with it by C(ssh-keygen -Y sign). Empty means no signature.
    type: str
  min_coverage:
    description:
      - Percentage of the known controllers that must have been audited. Less, a coverage that is not known, or an
        operations center that was not audited, makes the task fail, in the name of this machine.
      - A run of a part of the inventory is not held to it, which a note says.
    type: float
  fail:
    description:
      - Whether to fail where O(fail_on) says so. Ansible passes over the statistics of a task that fails; without it
        what follows may fail, each host of RV(hold) with what RV(held) says of it, or a task with RV(unmet).
      - As Ansible writes all that a task which fails returns on the terminal, such a one returns its sentence,
        RV(report) and RV(totals) alone; the rest is there with C(-v), under ansible-runner, and with a callback for
        programs.
    type: bool
    default: true
  fail_hosts:
    description:
      - Whether the hosts themselves are to fail that do not meet the policy, so that RV(hold) names them.
      - Where it is not set, more than 10 of them are spoken for by one, unless ansible-runner or a callback for
        programs takes the results.
    type: bool
  set_stats:
    description:
      - Whether totals and paths become statistics of the run, as M(ansible.builtin.set_stats)
        makes them, under the name C(telemetry). Workflows of AWX hand them to the next job.
    type: bool
    default: true
seealso:
  - module: cbops.telemetry.telemetry_assess
"""

EXAMPLES = r"""
- name: Report on all hosts of the play, waiting for restarts counted as a failure too
  cbops.telemetry.fleet_report:
    hosts: "{{ ansible_play_hosts_all }}"
    fail_on: [violation, waiver_expired, restart_pending, stale, unknown, unreachable]
  run_once: true

- name: One page for people and a test report for the build server, from the evidence of two job slices
  cbops.telemetry.fleet_report:
    evidence_dirs: [slice1/evidence, slice2/evidence]
    formats: [html, junit]
    history: reports/history.jsonl
    name: fleet
  run_once: true
"""

RETURN = r"""
report:
  description: Path of the first report.
  returned: always
  type: str
  sample: reports/audit.json
reports:
  description: Path of each report by its format.
  returned: where the task does not fail, see O(fail)
  type: dict
  sample: {json: reports/audit.json, html: reports/audit.html}
totals:
  description: Number of hosts for each verdict.
  returned: always
  type: dict
coverage:
  description:
    - How much of what operations centers have was audited, with C(audited), C(known), C(percent) and who is missing.
      Null in a report on a part of the inventory.
  returned: where the task does not fail, see O(fail)
  type: dict
table:
  description: The table that is printed, by its lines; at most 40 of each of its parts, but with C(-v).
  returned: where the task does not fail, see O(fail)
  type: list
  elements: str
unmet:
  description: Why O(fail_on) makes the task fail; empty where it does not.
  returned: where the task does not fail, see O(fail)
  type: str
unmet_hosts:
  description:
    - The hosts for which O(fail_on) makes the task fail, each with its verdict and the reasons in one line.
    - What is said of hosts that have V(vanished) stands under C(localhost).
  returned: where the task does not fail, see O(fail)
  type: dict
  sample: {cm1: "violation: cloudbees-core-cm: the flag is not in its launch configuration; run enforce"}
hold:
  description:
    - The hosts of a play that fails on each of RV(held). It has one host more, which is not one of them, because
      Ansible ends a run where every host of a play has failed.
    - Empty where the policy is met, where O(fail_hosts) is not wanted, and where a name cannot be chosen by itself,
      such as C(a,b). Then RV(unmet) is left to fail with.
  returned: where the task does not fail, see O(fail)
  type: list
  elements: str
held:
  description:
    - The hosts of RV(unmet_hosts) that are to fail, each with what it fails with. By O(fail_hosts) all of them, none,
      or one for all.
  returned: where the task does not fail, see O(fail)
  type: dict
missing:
  description: The hosts of which there is no evidence that counts; their verdict is V(unknown).
  returned: where the task does not fail, see O(fail)
  type: list
  elements: str
retry:
  description:
    - The file that names RV(missing), for C(--limit @FILE); O(name) and C(.retry). None where nothing is missing,
      where a name chooses other hosts too, and with O(this_run).
  returned: where the task does not fail, see O(fail)
  type: str
  sample: reports/report.retry
notes:
  description: What could not be read, times in the future, and evidence of hosts that were not asked for.
  returned: where the task does not fail, see O(fail)
  type: list
  elements: str
"""

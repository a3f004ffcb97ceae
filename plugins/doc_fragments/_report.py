# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules' documentation says alike about hosts, evidence and reports. Private."""


class ModuleDocFragment:
    # For whatever reads or writes what runs leave.
    DOCUMENTATION = r"""
options:
  reports_dir:
    description:
      - Folder on the control node for what runs leave, with evidence in C(evidence/), manifests in C(manifests/), and
        reports and plans beside them.
      - Without it, C(telemetry) among the artifacts of ansible-runner where that runs Ansible in its own project (AWX,
        Ansible Automation Platform), else C(reports).
    type: str
"""

    # For what is done once for all hosts.
    HOSTS = r"""
options:
  hosts:
    description:
      - The hosts that go in, by their names in the inventory.
    type: list
    elements: str
    required: true
"""

    # For what is about a slice, or about all of them.
    SLICE = r"""
options:
  slice:
    description:
      - Which slice of several this run is, each of which has a part of the inventory. As V(2/4), or with C(number),
        C(of), and C(job), which all slices of one round have in common. Without C(number) it is one of so many.
      - Where it is not given, a job of AWX whose workflow job has the name of its own template is a slice, of which
        AWX says no more. V(false) says that it is none.
    type: raw
"""

    # For what asks operations centers.
    CENTERS = r"""
options:
  operations_centers:
    description:
      - Operations centers to ask which controllers they have, for the coverage. Without any, those that were audited
        and launch files tell alone.
      - One that does not answer is no error; what it has is then not known.
    type: list
    elements: dict
    default: []
    suboptions:
      url:
        description: Its address.
        type: str
        required: true
      user:
        description: A user with C(Overall/Read) and C(Job/Read).
        type: str
      token:
        description: The user's API token. It is in no result and no report.
        type: str
      ca_file:
        description: Certificates of the authorities that sign its own, in PEM, instead of the machine's.
        type: path
      allow_http:
        description:
          - Send the token to an address of C(http://), where whoever listens can read it. Without, it is not sent
            there, also not on this machine.
        type: bool
        default: false
"""

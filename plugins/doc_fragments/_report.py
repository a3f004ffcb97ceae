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

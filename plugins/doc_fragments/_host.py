# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules' documentation says alike about how a host is read. Private."""


class ModuleDocFragment:
    # For whatever reads the state of a host on its way.
    DOCUMENTATION = r"""
options:
  attach:
    description:
      - Whether running JVMs are asked themselves, as in M(cbops.telemetry.telemetry_info).
    type: str
    choices: [auto, never]
    default: auto
"""

    # For modules that keep backups.
    RUN = r"""
options:
  run:
    description:
      - A name for this run, recorded with each copy. The run of C(ansible-playbook) where it is left out.
    type: str
    default: ""
"""

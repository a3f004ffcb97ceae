# Copyright (c) The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules' documentation says alike about check mode, diff mode and platform. Private."""


class ModuleDocFragment:
    # The attributes themselves. A module that changes something states its own support for the two modes.
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
  diff_mode:
    description:
      - Will return details on what has changed (or possibly needs changing in C(check_mode)),
        when in diff mode.
  platform:
    description: Target OS/families that can be operated against.
    support: full
    platforms: posix
"""

    # For a module that only reads; used together with the standard fragment.
    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - This action does not modify state.
  diff_mode:
    support: N/A
    details:
      - This action does not modify state.
"""

    # For every module in the action group of meta/runtime.yml: those that take launch_scripts.
    ACTIONGROUP_TELEMETRY = r"""
options: {}
attributes:
  action_group:
    description:
      - Use C(group/cbops.telemetry.telemetry) in C(module_defaults) to set defaults for this module. C(launch_scripts)
        is what all modules of the group take.
    support: full
    membership:
      - cbops.telemetry.telemetry
"""

    # For what runs on the control node and has no module on the managed host.
    ACTION = r"""
options: {}
attributes:
  action:
    description: Indicates this has a corresponding action plugin so some parts of the options can be
      executed on the controller.
    support: full
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    support: full
"""

    # For a task that fails by verdicts; the same list is the role's telemetry_fail_on.
    GATES = r"""
options:
  fail_on:
    description:
      - Verdicts that make the task fail.
      - V(down) stands for a controller whose unit has failed, or that ends and is started anew again and again.
      - V(vanished) stands for hosts that the last run of the whole inventory had and that are not among these.
    type: list
    elements: str
    choices: [violation, waiver_expired, restart_pending, stale, unknown, unreachable, waived, compliant,
      not_applicable, down, vanished]
    default: [violation, waiver_expired, stale, unknown, unreachable]
"""

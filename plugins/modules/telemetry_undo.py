#!/usr/bin/python
# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: this action runs on the control node (plugins/action/telemetry_undo.py)."""

DOCUMENTATION = r"""
module: telemetry_undo
short_description: Put back what a run edited on a host
version_added: 0.1.0
description:
  - Asks the backups of the host what a run has edited there, and brings each file back to what it was before, with
    owner, mode and security context, where it still is as that run left it. A file that the run made is removed.
  - Where somebody has changed a file since, it stays as it is, and the task fails and says who stands in the way, a
    later run by its name, or somebody else. The other files are put back all the same.
  - What is there now is kept as a backup first, so that this run can be undone, too. A second time nothing is left to
    do.
  - Lets the service manager read its units again where one of them was put back, then reads the state of the host.
    Restarts nothing.
author:
  - The cbops.telemetry maintainers (@cbops)
extends_documentation_fragment:
  - cbops.telemetry._attributes
  - cbops.telemetry._attributes.actiongroup_telemetry
  - cbops.telemetry._attributes.action
  - cbops.telemetry._host
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - The diff shows where the flag comes or goes and nothing else, because launch files can hold secrets.
options:
  launch_scripts:
    description: Launch scripts that no service manager starts, as in M(cbops.telemetry.telemetry_info).
    type: list
    elements: str
    default: []
  run:
    description:
      - The run that is undone, such as V(20261231T235959Z-0123abcd). The report names it, and the files in C(changes/)
        beside the evidence have its name.
    type: str
    required: true
  daemon_reload:
    description: Let the service manager read units that were put back.
    type: bool
    default: true
notes:
  - Needs C(become).
  - A file that the run rendered from a template of yours is not put back, because nobody recorded what it was then; the
    message names the backup of what it was before.
  - For CloudBees' own checkbox alone, where a run has set it, nothing is restarted after an undo; a warning says so.
  - Copies of earlier versions that a run has moved to where backups are stay there.
seealso:
  - module: cbops.telemetry.telemetry_flag
  - module: cbops.telemetry.telemetry_backup
  - module: cbops.telemetry.telemetry_restart
"""

EXAMPLES = r"""
- name: Put back what last night's run edited
  cbops.telemetry.telemetry_undo:
    run: 20261231T235959Z-0123abcd
  become: true
"""

RETURN = r"""
files:
  description:
    - The files that the run has edited, and what came of each, as
      RV(cbops.telemetry.telemetry_backup#module:undone) tells.
  returned: success
  type: list
  elements: dict
refused:
  description: What was left as it is, and who stands in the way. Not empty only where the task fails.
  returned: success
  type: list
  elements: str
restart_states:
  description: What the next start now gives, where a running JVM has something else.
  returned: success
  type: list
  elements: str
state:
  description: The state document afterwards (in check mode, as it is), see M(cbops.telemetry.telemetry_info).
  returned: success
  type: dict
"""

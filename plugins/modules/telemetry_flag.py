#!/usr/bin/python
# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Declare telemetry off or on: documentation and options; the work is in _answer."""

DOCUMENTATION = r"""
module: telemetry_flag
short_description: Put the telemetry flag into the live launch files of a host, or take it out
version_added: 0.1.0
description:
  - Makes sure that the next start of every operations center and controller on the host runs with telemetry
    disabled (C(-Dcom.cloudbees.analytics.gatherer.Sender.disabled=true)), or without that flag.
  - Finds the launch file and the variable that really reach the JVM, and edits them in place. Every byte that
    is not the flag stays, as do owner, mode and security context. Where a unit of a package sets the variable,
    a drop-in of our own repeats its value and adds the flag.
  - PID 1 does as root what a drop-in says. So ours belongs to root, whoever owns the launch file, and is put only into
    folders that are root's alone. One from earlier that others can write is given to root, with the same content, where
    that is what this collection writes; else the task fails and says what else is in it.
  - Before anything is written the new content is read again in memory. It is written only where the options
    of the JVM differ by the flag alone; else the file is refused and stays untouched.
  - Nothing is ever restarted. RV(restart_required) names the services whose running JVM is known to have another
    value.
author:
  - The cbops.telemetry maintainers (@cbops)
extends_documentation_fragment:
  - cbops.telemetry._attributes
  - cbops.telemetry._attributes.actiongroup_telemetry
  - cbops.telemetry._host
  - cbops.telemetry._host.run
  - cbops.telemetry._probe.connectivity
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - The diff shows where the flag comes or goes and no other option, because options can be secret. Where a file is
        given to root it shows owner and mode.
options:
  state:
    description:
      - V(disabled) puts the flag in, V(enabled) takes it out. What the collection put in is taken out byte for
        byte. V(unmanaged) leaves it as it is, where only O(toggle) is wanted.
    type: str
    choices: [disabled, enabled, unmanaged]
    required: true
  root:
    description:
      - Where the file system is mounted. Another root than V(/) edits an image or a chroot.
    type: path
    default: /
  launch_scripts:
    description:
      - Launch scripts that no service manager starts, by absolute path as seen from O(root).
      - Arguments that a script wants stand behind its path, as in C(/opt/ci/ctl.sh start). Both are taken apart as by a
        shell, so a blank in a path has a backslash before it, unless the whole is the path of a file.
    type: list
    elements: path
    default: []
  switches:
    description:
      - Other properties of the JVM, and variables of its environment, that are to be so, too (docs/senders.md). Each is
        edited as the flag is.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The name of the property, as it stands behind C(-D), or of the variable.
        type: str
        required: true
      state:
        description:
          - V(disabled) puts it in with O(switches[].off_value), V(enabled) takes it out. A variable that cannot be
            taken out gets the contrary value.
        type: str
        choices: [disabled, enabled]
        required: true
      kind:
        description:
          - V(property) is a property of the JVM, V(environment) a variable of its environment.
        type: str
        choices: [property, environment]
        default: property
      off_value:
        description: The value with which nothing is sent; of a property only V(true) or V(false).
        type: str
        choices: ["true", "false", "1", "0", "yes", "no", "on", "off"]
        default: "true"
      variable:
        description:
          - A variable of the environment that does the same as this property where it is V(false). It is read, and
            written only where it is a switch itself.
        type: str
        default: ""
  toggle:
    description:
      - How CloudBees' own checkbox is to be (docs/toggle.md). V(unmanaged) leaves it alone.
      - It is set in the file that decides it, the configuration as code on this host that declares it, else the
        product's file in its home. One value is replaced, and every other byte stays. What cannot be set so that it
        lasts is left as it is, and RV(toggle_refused) says why, and what to do.
      - The product reads those files at its start, and writes its own when somebody saves, so a restart is owed then.
      - A backup is kept whatever O(backup) says, because its record is how an audit knows of that debt.
    type: str
    choices: [unmanaged, disabled, enabled]
    default: unmanaged
  name:
    description:
      - Limit the task to these installations, by the C(name) that M(cbops.telemetry.telemetry_info) gives
        them. Empty means all.
    type: list
    elements: str
    default: []
  backup:
    description:
      - Keep a copy of each file before it is replaced, below V(/var/lib/cbops-telemetry/backups) (of O(root)), where no
        launcher looks and only root can read. Beside it lies a record of the file's path, owner, mode, SELinux context
        and SHA-256 and of the runs that edited it.
      - Where that place cannot be had (read-only, full, not root's alone, a link) the edit is refused, before anything
        is written.
      - Copies that earlier versions put beside the files (V(*.cbops~)) are moved there in any case, and RV(notes) says
        so. A launcher that reads every file of a folder reads them too, and each change is undone by them.
    type: bool
    default: true
  backup_count:
    description:
      - How many copies of a file are kept. V(0) is no limit. The newest, and those of the same O(run), always stay.
    type: int
    default: 10
  backup_days:
    description:
      - For how many days copies are kept. V(0) is no limit. The newest of each file, and those of the same O(run),
        always stay.
    type: int
    default: 365
notes:
  - Needs C(become), since launch files belong to root.
seealso:
  - module: cbops.telemetry.telemetry_info
"""

EXAMPLES = r"""
- name: Turn telemetry off at the next start of everything on this host
  cbops.telemetry.telemetry_flag:
    state: disabled
  become: true
  register: telemetry

- name: Let systemd see the new drop-in
  ansible.builtin.systemd_service:
    daemon_reload: true
  become: true
  when: telemetry.reload_required

- name: Say who owes a restart
  ansible.builtin.debug:
    msg: "{{ telemetry.restart_required }}"

- name: Turn telemetry on again for one installation, without a backup
  cbops.telemetry.telemetry_flag:
    state: enabled
    name:
      - cloudbees-core-cm
    backup: false
  become: true
"""

RETURN = r"""
restart_required:
  description:
    - Services whose running JVM is known to have another value than the files now say. One that could not be asked, or
      that is not running, is not among them.
  returned: always
  type: list
  elements: str
  sample: [cloudbees-core-cm.service]
reload_required:
  description:
    - Whether the service manager has something else loaded than the files say (a C(daemon-reload) is owed).
  returned: always
  type: bool
backup_files:
  description:
    - Copies of the files as they were.
  returned: always
  type: list
  elements: str
  sample: [/var/lib/cbops-telemetry/backups/etc%2Fdefault%2Fcloudbees-core-cm/20261123T040000Z]
notes:
  description:
    - What was done beside the edits, such as backups of earlier versions that were moved away.
  returned: always
  type: list
  elements: str
files:
  description:
    - The files that were edited (in check mode, that would be), without their content.
  returned: always
  type: list
  elements: dict
  contains:
    path:
      description: The file.
      type: str
    before:
      description: SHA-256 of its content before, null where it did not exist.
      type: str
    after:
      description: SHA-256 of its content after, null where it was removed. As before where it was given to root alone.
      type: str
    backup:
      description: The copy of it as it was, null where none was made (and in check mode).
      type: str
toggle_refused:
  description:
    - For each installation whose checkbox is not set here, why, and what to do. The task does not fail for that.
  returned: where there is one
  type: list
  elements: str
refused:
  description:
    - What was not edited, and why. Not empty only where the task fails.
  returned: always
  type: list
  elements: str
state:
  description:
    - The state document after the change (in check mode, as it is), see
      M(cbops.telemetry.telemetry_info).
  returned: always
  type: dict
"""

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cbops.telemetry.plugins.module_utils._answer import answer
from ansible_collections.cbops.telemetry.plugins.module_utils.probe._spec import SPEC

ARGUMENTS: Dict[str, Dict[str, Any]] = {
    "state": {"type": "str", "choices": ["disabled", "enabled", "unmanaged"], "required": True},
    "root": {"type": "path", "default": "/"},
    "launch_scripts": {"type": "list", "elements": "path", "default": []},
    "name": {"type": "list", "elements": "str", "default": []},
    "backup": {"type": "bool", "default": True},
    "backup_count": {"type": "int", "default": 10},
    "backup_days": {"type": "int", "default": 365},
    "run": {"type": "str", "default": ""},
    "attach": {"type": "str", "choices": ["auto", "never"], "default": "auto"},
    "connectivity": {"type": "dict", "options": SPEC},
    "toggle": {"type": "str", "choices": ["unmanaged", "disabled", "enabled"], "default": "unmanaged"},
    "switches": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["disabled", "enabled"], "required": True},
            "kind": {"type": "str", "choices": ["property", "environment"], "default": "property"},
            "off_value": {
                "type": "str",
                "choices": ["true", "false", "1", "0", "yes", "no", "on", "off"],
                "default": "true",
            },
            "variable": {"type": "str", "default": ""},
        },
    },
}


def main() -> None:
    """Translate the options, declare, return."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    result = answer("telemetry_flag", module.params, module.check_mode)
    if result.get("failed"):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()

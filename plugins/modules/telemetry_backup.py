#!/usr/bin/python
# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of a launch file: documentation and options; the work is in _writing."""

DOCUMENTATION = r"""
module: telemetry_backup
short_description: List the backups of a launch file, make one, or put one back
version_added: 0.1.0
description:
  - Lists the copies that M(cbops.telemetry.telemetry_flag) kept of a launch file before it edited it.
  - With O(restore) one of them is put back in one step, with its owner, mode and security context. What is there
    now is kept as a backup first.
  - Nothing is restarted. A unit file or drop-in needs a C(daemon-reload) afterwards.
author:
  - The cbops.telemetry maintainers (@cbops)
extends_documentation_fragment:
  - cbops.telemetry._attributes
  - cbops.telemetry._attributes.actiongroup_telemetry
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details:
      - Launch files can hold secrets, so their content is not shown.
options:
  path:
    description:
      - The launch file.
    type: path
    required: true
  save:
    description:
      - Keep a copy of the file as it is now, unless the newest one is the same. Nothing is done where there is no file.
        That is no change of the host's configuration, so it does not count as changed.
    type: bool
    default: false
  restore:
    description:
      - Whether to put a backup back.
    type: bool
    default: false
  backup:
    description:
      - The backup to put back, by path or name, as listed in RV(backups). The newest where it is left out.
    type: str
  since:
    description:
      - Put back how the file was at this moment, UTC, such as V(2026-12-31T23:59:59Z), that is the oldest backup that
        was made later. Nothing is done where there is none. A drop-in of this collection's own that did not exist
        at that moment is removed.
    type: str
notes:
  - Needs C(become), since launch files belong to root.
seealso:
  - module: cbops.telemetry.telemetry_flag
"""

EXAMPLES = r"""
- name: Which copies are there?
  cbops.telemetry.telemetry_backup:
    path: /etc/default/cloudbees-core-cm
  become: true
  register: copies

- name: Put the newest back
  cbops.telemetry.telemetry_backup:
    path: /etc/default/cloudbees-core-cm
    restore: true
  become: true

- name: Put the oldest back
  cbops.telemetry.telemetry_backup:
    path: /etc/default/cloudbees-core-cm
    restore: true
    backup: "{{ copies.backups[-1].path }}"
  become: true
"""

RETURN = r"""
backups:
  description: The backups of the file before anything was done, newest first.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: Where it is.
      type: str
    made:
      description: When it was made, UTC.
      type: str
    size:
      description: Its size in bytes.
      type: int
    mode:
      description: Its mode, octal.
      type: str
    uid:
      description: Its owner.
      type: int
    gid:
      description: Its group.
      type: int
restored:
  description: The backup that was put back; null where O(since) found none.
  returned: when O(restore=true)
  type: str
kept:
  description: The backup of what was there before, if it differed; with O(save) the one that was made.
  returned: when O(restore=true) or O(save=true)
  type: str
"""

import os
from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cbops.telemetry.plugins.module_utils import _limits as limits
from ansible_collections.cbops.telemetry.plugins.module_utils._child import supervised
from ansible_collections.cbops.telemetry.plugins.module_utils._files import OWN_DROP_INS
from ansible_collections.cbops.telemetry.plugins.module_utils._writing import (
    Refused,
    list_backups,
    restore,
    roll_back,
    save,
)


def main() -> None:
    """Translate the options, list or restore, return."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "save": {"type": "bool", "default": False},
            "restore": {"type": "bool", "default": False},
            "backup": {"type": "str"},
            "since": {"type": "str"},
        },
        mutually_exclusive=[("backup", "since"), ("save", "restore")],
        supports_check_mode=True,
    )
    path = module.params["path"]
    if not path.startswith("/"):
        module.fail_json(msg="%s: an absolute path is needed" % path)
    for name in ("backup", "since"):
        if module.params[name] and not module.params["restore"]:
            module.fail_json(msg="%s says what to put back, so it needs restore: true" % name)
    result = supervised(lambda: _done(path, module.params, module.check_mode))
    if result.get("failed"):
        module.fail_json(**result)
    module.exit_json(**result)


def _done(path: str, params: Dict[str, Any], check: bool) -> Dict[str, Any]:
    """The result."""
    limits.write()
    try:
        result = {"changed": False, "backups": [item._asdict() for item in list_backups(path)]}  # type: Dict[str, Any]
        if params["save"]:
            result["kept"] = save(path, check)
        if params["restore"]:
            if params["since"]:
                created = os.path.basename(path) in OWN_DROP_INS
                done = roll_back(path, params["since"], created, check)
            else:
                done = restore(path, params["backup"], check=check)
            result.update(changed=done.changed, restored=done.source, kept=done.backup)
    except Refused as error:
        return {"failed": True, "msg": str(error)}
    return result


if __name__ == "__main__":
    main()

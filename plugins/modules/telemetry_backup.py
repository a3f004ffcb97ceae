#!/usr/bin/python
# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of a launch file: documentation and options; the work is in edit/_writing."""

DOCUMENTATION = r"""
module: telemetry_backup
short_description: List the backups of a launch file, make one, or put one back
version_added: 0.1.0
description:
  - Lists the copies that M(cbops.telemetry.telemetry_flag) kept of a launch file before it edited it. They are below
    V(/var/lib/cbops-telemetry/backups), root's alone, each with a record of the file's owner, mode and context.
  - With O(restore) one of them is put back in one step, with its owner, mode and security context. What is there
    now is kept as a backup first.
  - Nothing is restarted. A unit file or drop-in needs a C(daemon-reload) afterwards.
author:
  - The cbops.telemetry maintainers (@cbops)
extends_documentation_fragment:
  - cbops.telemetry._attributes
  - cbops.telemetry._host.run
attributes:
  check_mode:
    support: full
  diff_mode:
    support: partial
    details:
      - With O(undo) the diff shows where the flag comes or goes, and nothing else, because there may be secrets.
options:
  path:
    description:
      - The launch file. Needed unless O(of_run) alone asks for what a run has edited.
    type: path
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
      - Put back how the file was at this moment, UTC, such as V(2026-12-31T23:59:59Z), by the first edit that was
        recorded later. Nothing is done where there is none. A file that was made since is removed. What
        somebody else has changed meanwhile is not undone.
    type: str
  of_run:
    description:
      - Put back what this run replaced when it edited the file first, as O(since) does. Without O(restore) and O(path),
        the files that this run has edited are listed.
    type: str
  undo:
    description:
      - Put back everything that the run O(of_run) has edited, where each file still is as that run left it. A file that
        it made is removed. What somebody else has changed since stays, and RV(undone) says who stands in the way.
    type: bool
    default: false
  root:
    description:
      - Where the file system is mounted whose backups are meant, as in M(cbops.telemetry.telemetry_flag). O(path) is
        as seen from the machine.
    type: path
    default: /
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
      description: The file's mode, octal.
      type: str
    uid:
      description: The file's owner.
      type: int
    gid:
      description: The file's group.
      type: int
    sha256:
      description: SHA-256 of its content.
      type: str
    run:
      description: The last run that edited the file when it was like this; empty where that is not known.
      type: str
edited:
  description: The files that the run O(of_run) has edited, and of which it recorded what they were.
  returned: where O(of_run) is given without O(path)
  type: list
  elements: str
undone:
  description: What came of each file that the run O(of_run) has edited.
  returned: when O(undo=true)
  type: list
  elements: dict
  contains:
    path:
      description: The file.
      type: str
    changed:
      description: Whether it was put back.
      type: bool
    before:
      description: SHA-256 of what was there; null where there was no file.
      type: str
    after:
      description: SHA-256 of what is there now; null where there is no file.
      type: str
    restored:
      description: The backup that was put back; null where the file was removed, or left as it is.
      type: str
    kept:
      description: The backup of what was there.
      type: str
    reason:
      description:
        - Why it was left as it is; null where it was put back, or is as before that run.
        - Where it was put back all the same, what is not certain, such as whether that outlasts a power cut.
      type: str
doubts:
  description: What is not certain of a file that was put back, such as whether that outlasts a power cut.
  returned: where there is any doubt, and O(restore=true)
  type: list
  elements: str
restored:
  description: The backup that was put back; null where O(since) or O(of_run) found none.
  returned: when O(restore=true)
  type: str
kept:
  description: The backup of what was there before, if it differed; with O(save) the one that was made.
  returned: when O(restore=true) or O(save=true)
  type: str
"""

from typing import Any, Dict, List, Optional

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cbops.telemetry.plugins.module_utils.edit._backups import Store, Undone
from ansible_collections.cbops.telemetry.plugins.module_utils.edit._writing import Refused
from ansible_collections.cbops.telemetry.plugins.module_utils.host import _limits as limits
from ansible_collections.cbops.telemetry.plugins.module_utils.host._child import supervised
from ansible_collections.cbops.telemetry.plugins.module_utils.host._files import readable
from ansible_collections.cbops.telemetry.plugins.module_utils.host._records import digest

ARGUMENTS: Dict[str, Dict[str, Any]] = {
    "path": {"type": "path"},
    "save": {"type": "bool", "default": False},
    "restore": {"type": "bool", "default": False},
    "backup": {"type": "str"},
    "since": {"type": "str"},
    "of_run": {"type": "str"},
    "undo": {"type": "bool", "default": False},
    "run": {"type": "str", "default": ""},
    "root": {"type": "path", "default": "/"},
}


def main() -> None:
    """Translate the options, list or restore, return."""
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        mutually_exclusive=[("backup", "since", "of_run"), ("save", "restore")],
        required_one_of=[("path", "of_run")],
        required_if=[("restore", True, ("path",)), ("save", True, ("path",))],
        supports_check_mode=True,
    )
    path = module.params["path"]
    if path and not path.startswith("/"):
        module.fail_json(msg="%s: an absolute path is needed" % path)
    for name in ("backup", "since"):
        if module.params[name] and not module.params["restore"]:
            module.fail_json(msg="%s says what to put back, so it needs restore: true" % name)
    if module.params["undo"] and (path or not module.params["of_run"]):
        module.fail_json(msg="undo is of a whole run: it needs of_run, and no path")
    result = supervised(lambda: _done(path, module.params, module.check_mode))
    if result.get("failed"):
        module.fail_json(**result)
    module.exit_json(**result)


def _done(path: str, params: Dict[str, Any], check: bool) -> Dict[str, Any]:
    """The result."""
    limits.write()
    store = Store(params["root"], params["run"])
    result = {"changed": False, "backups": []}  # type: Dict[str, Any]
    try:
        if params["undo"]:
            return _undone(store.undo(params["of_run"], check))
        if not path:
            return readable(dict(result, edited=store.edited_by(params["of_run"])))  # type: ignore[no-any-return]
        result["backups"] = [item._asdict() for item in store.list(path)]
        if params["save"]:
            result["kept"] = store.save(path, check)
        if params["restore"]:
            if params["since"] or params["of_run"]:
                done = store.roll_back(path, params["of_run"], params["since"], check)
            else:
                done = store.restore(path, params["backup"], check=check)
            result.update(changed=done.changed, restored=done.source, kept=done.backup)
            if store.doubts:
                result["doubts"] = store.doubts
    except Refused as error:
        return {"failed": True, "msg": str(error)}
    return result


def _undone(files: List[Undone]) -> Dict[str, Any]:
    """The result where a run is undone."""
    # Not with the others: a roll-back, for which a service may be down, need not load all that reads launch files.
    from ansible_collections.cbops.telemetry.plugins.module_utils.edit._candidates import describe

    return readable(  # type: ignore[no-any-return]
        {
            "changed": any(one.changed for one in files),
            "backups": [],
            "undone": [
                {
                    "path": one.path,
                    "changed": one.changed,
                    "restored": one.source,
                    "kept": one.backup,
                    "before": None if one.before is None else digest(one.before),
                    "after": None if one.after is None else digest(one.after),
                    "reason": one.reason,
                }
                for one in files
            ],
            "diff": [describe(one.path, _text(one.before), _text(one.after)) for one in files if one.changed],
        }
    )


def _text(content: Optional[bytes]) -> Optional[str]:
    return None if content is None else content.decode("latin-1")


if __name__ == "__main__":
    main()

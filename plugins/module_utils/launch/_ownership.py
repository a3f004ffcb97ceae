# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who else than root may change what PID 1, or a launcher that runs as root, obeys: each such place is root for them.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

from typing import Dict, FrozenSet, Iterator, List, Sequence, Tuple

from ..host._file_systems import Silent
from ..host._files import ADMIN_PATH, BACKUP_SUFFIX, OWN_DROP_INS, HostFiles, owner_and_mode
from ._definition import Definition
from ._outcome import Outcome

_BY_HAND = "give it to root (chown root:root, chmod go-w)"
_PID_1 = "PID 1 does as root what it says"
_ROOT = ("", "root", "0")


def own_drop_ins(files: HostFiles) -> List[str]:
    """Drop-ins of this collection, also those of units that start nothing of interest any more."""
    found = []
    for folder in files.list(ADMIN_PATH.rstrip("/")):
        try:
            there = files.list(ADMIN_PATH + folder) if folder.endswith(".d") else []
        except Silent:  # then its unit is unknown, which is said there
            there = [name for name in OWN_DROP_INS if files.exists("%s%s/%s" % (ADMIN_PATH, folder, name))]
        found += ["%s%s/%s" % (ADMIN_PATH, folder, name) for name in OWN_DROP_INS if name in there]
    return found


def warnings(files: HostFiles, found: Sequence[Tuple[Definition, Outcome]]) -> List[str]:
    """A sentence for each place where somebody who is not root can become it at the next start."""
    readers: Dict[str, str] = dict.fromkeys(own_drop_ins(files), _PID_1)
    for definition, result in found:
        for path, reader in _obeyed(definition, result):
            readers.setdefault(path, reader)
    sentences: Dict[str, None] = {}
    nobodys = _groups_of_nobody(files) if readers else frozenset()
    for path, reader in readers.items():
        weak = files.weak_spot(path, frozenset() if path.rpartition("/")[2] in OWN_DROP_INS else nobodys)
        if weak is not None:
            spot, status = weak
            mend = (
                "telemetry_flag (the playbook enforce) gives it to root"
                if spot == path and path.rpartition("/")[2] in OWN_DROP_INS
                else _BY_HAND
            )
            sentences[
                "%s: %s, but %s is not root's alone (%s): who can change it is root at the next start; %s"
                % (path, reader, "it" if spot == path else spot, owner_and_mode(status), mend)
            ] = None
    return list(sentences) + _backups_read(found)


def _backups_read(found: Sequence[Tuple[Definition, Outcome]]) -> List[str]:
    """A sentence for each backup of an earlier version that a start reads, because it reads all of a folder."""
    read: Dict[str, str] = {}
    for definition, result in found:
        paths = [variable.path for variable in definition.environment.values()]
        for path in paths + (result.walk.sourced if result.walk is not None else []):
            if path.endswith(BACKUP_SUFFIX):
                read.setdefault(path, definition.name)
    return [
        "%s: a backup of an earlier version, which each start of %s reads after the file that it was copied from; "
        "telemetry_flag (the playbook enforce) moves it away" % one
        for one in read.items()
    ]


def _groups_of_nobody(files: HostFiles) -> FrozenSet[int]:
    """Groups without members who are not root: as Debian's "staff", to which /usr/local belongs, mostly is."""
    try:
        groups = [line.split(":") for line in files.read("/etc/group").split("\n")]
        users = [line.split(":") for line in files.read("/etc/passwd").split("\n")]
    except OSError:
        return frozenset()
    own = {user[3] for user in users if len(user) > 3 and user[2] != "0"}
    return frozenset(
        int(group[2])
        for group in groups
        if len(group) > 3 and group[2].isdigit() and group[3].strip() in ("", "root") and group[2] not in own
    )


def _obeyed(definition: Definition, result: Outcome) -> Iterator[Tuple[str, str]]:
    """The files that PID 1 or root obeys at the start of an installation, and how."""
    unit = definition.unit
    if unit is not None:
        for path in (unit.fragment,) + unit.drop_ins:
            if path:
                yield path, _PID_1
    if definition.service is None or (unit is not None and unit.user not in _ROOT):
        return
    program = definition.program[0].text if definition.program else ""
    if unit is not None and unit.mounts:  # the host calls it otherwise
        program = next(iter(result.walk.followed), "") if result.walk is not None else ""
    scripts = [program] + (result.walk.sourced if result.walk is not None else [])
    for path in scripts:
        # What a launcher sources after it became another user is that user's; what lies in /etc is for the launcher.
        if path.startswith("/") and (path == program or path.startswith("/etc/")):
            yield path, "root runs it"
    for variable in definition.environment.values():
        if variable.reader == "EnvironmentFile":
            yield variable.path, "root runs with the variables that it sets"

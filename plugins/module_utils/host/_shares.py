# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where on a file server a home lies, so that replicas on other hosts that have the same home are known.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only. Read from the kernel's table
of mounts alone: nothing is asked of the server.
"""

import posixpath
import re
from typing import Optional

#: Kinds of file systems that several hosts mount.
_SHARED = frozenset(
    [
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "fuse.ceph",
        "fuse.glusterfs",
        "glusterfs",
        "gpfs",
        "lustre",
        "nfs",
        "nfs4",
        "smb3",
        "smbfs",
    ]
)
_LIMIT_TABLE = 4 << 20  # characters of the table; a machine with containers has thousands of mounts


def share_of(home: str, table: str = "/proc/self/mountinfo") -> Optional[str]:
    """Export and path in it (``server:/export/ci/cm-a``) of a folder, given by its path without links.

    None where it lies on this machine, or where that is not known.
    """
    try:
        with open(table, encoding="latin-1") as stream:
            lines = stream.read(_LIMIT_TABLE).splitlines()
    except OSError:
        return None
    home = posixpath.normpath(home)
    place, found = "", None
    for line in lines:
        fields, _dash, rest = line.partition(" - ")
        parts, kind_and_source = fields.split(" "), rest.split(" ")
        if len(parts) < 5 or len(kind_and_source) < 2:
            continue
        mounted = _plain(parts[4])
        # Of several that are mounted at one place the last one is seen.
        if len(mounted) >= len(place) and (home == mounted or home.startswith(mounted.rstrip("/") + "/")):
            place, found = mounted, (kind_and_source[0], _plain(kind_and_source[1]), _plain(parts[3]))
    if found is None or found[0] not in _SHARED:
        return None
    inside = posixpath.normpath("/%s/%s" % (found[2], home[len(place.rstrip("/")) :])).lstrip("/")
    return "%s/%s" % (found[1].rstrip("/"), inside) if inside else found[1].rstrip("/") or "/"


def _plain(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), text)

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where backups are, how they are named, and whether a file is as this collection has left it: for who only reads.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only. See _backups, which writes.
"""

import json
import os
import re
from typing import Optional, Tuple

from ._files import HostFiles, native

#: Where backups are, from the root that is edited; each of the last two folders is root's alone, 0700.
ABOVE = "/var/lib"
FOLDERS = ("cbops-telemetry", "backups")
RECORD = "cbops.telemetry/backup/1"
NAME = re.compile(r"(\d{8}T\d{6}Z)(?:-(\d{1,4}))?\Z")
JSON = ".json"
_LIMIT_RECORDS = 20  # that are read, the newest first


def digest(content: bytes) -> str:
    """SHA-256 of a file."""
    import hashlib  # dear, and most hosts have no record

    return hashlib.sha256(content).hexdigest()


def folder_name(path: str) -> str:
    """The folder of a file's backups: its path, readable, in one name."""
    raw = os.fsencode(path.lstrip("/"))
    name = re.sub(r"[^A-Za-z0-9._@:+-]", lambda match: "%%%02X" % ord(match.group()), raw.decode("latin-1"))
    if len(name) <= 200:
        return name
    return "%s-%s" % (name[:150], digest(raw)[:32])


def order(name: str) -> Tuple[str, int]:
    """The order in which backups were made, by their names."""
    match = NAME.match(name)
    return (match.group(1), int(match.group(2) or 0)) if match else ("", 0)


def is_ours(files: HostFiles, path: str) -> bool:
    """Whether a file is as the newest record says that an edit has left it.

    An edit by a template does not know what it leaves; it counts as ours. Raises OSError where the records cannot be
    read; a file of which there is none is not ours.
    """
    return edited_at(files, path) is not None


def edited_at(files: HostFiles, path: str) -> Optional[float]:
    """When our edit left a file as it is (seconds since 1970); None where none did. Raises OSError as above."""
    real = files.canonical(path)
    folder = "/".join((files.canonical(ABOVE),) + FOLDERS + (folder_name(native(real)),))
    names = (
        [name for name in files.list(folder) if name.endswith(JSON) and NAME.match(name[: -len(JSON)])]
        if _is_there(files, folder)
        else []
    )
    for name in sorted(names, key=lambda name: order(name[: -len(JSON)]), reverse=True)[:_LIMIT_RECORDS]:
        try:
            record = json.loads(files.read(folder + "/" + name))
            if record["schema"] != RECORD or not record["edits"]:
                continue  # what lay beside the file once says nothing of an edit
            after, at = record["edits"][-1]["after"], record["edits"][-1].get("at")
        except (ValueError, KeyError, TypeError, IndexError, AttributeError):
            continue  # a record that is damaged is none
        if not isinstance(after, str) or (after and digest(files.read(real).encode("latin-1")) != after):
            return None
        import calendar  # few files of few hosts come so far
        import time

        try:
            return float(calendar.timegm(time.strptime(at, "%Y-%m-%dT%H:%M:%SZ")))
        except (TypeError, ValueError):
            return 0.0  # nobody knows when
    return None


def _is_there(files: HostFiles, folder: str) -> bool:
    """Whether a folder is there. Raises OSError where that is not for us to see."""
    place = files.resolve(folder)
    try:
        files.asked(folder, lambda: bool(os.stat(place)))
        return True
    except FileNotFoundError:
        return False

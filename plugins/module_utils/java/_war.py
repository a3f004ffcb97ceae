# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a war, or a folder that it was unpacked to, is Jenkins' or CloudBees': by its manifest, by its name at last.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import re
from typing import Dict, List, Mapping, Optional, Sequence

from ..host._file_systems import Silent
from ..host._files import HostFiles
from ._jenkins_home import MANIFEST, Unreadable, manifest_at

#: How the product and its makers are called, in names of wars, units, users, folders and variables.
OF_INTEREST = re.compile(r"cloudbees|jenkins", re.IGNORECASE)


def is_product(attributes: Mapping[str, str]) -> bool:
    """Whether a manifest (names in lower case) is the war's; plugins name the version that they need the same way."""
    return "jenkins-version" in attributes and not {"plugin-version", "short-name"} & set(attributes)


def attributes_of(files: HostFiles, path: str) -> Optional[Dict[str, str]]:
    """The manifest of an archive or unpacked folder; None where there is none, or none that can be read."""
    found: Optional[Dict[str, str]] = files.once(MANIFEST, path, lambda: _attributes(files, path))
    return found


def _attributes(files: HostFiles, path: str) -> Optional[Dict[str, str]]:
    def read() -> List[List[str]]:
        try:
            return [list(pair) for pair in manifest_at(files.open, path).items()]
        except Unreadable:
            return []

    if not path.startswith("/"):
        return None
    try:
        return dict(files.asked(path, read)) or None
    except Silent:
        raise
    except OSError:
        return None


def is_ours(files: HostFiles, path: str, homes: Sequence[str] = ()) -> bool:
    """Whether what a JVM is started on is the product; ``homes`` are what it would get as JENKINS_HOME.

    Raises Silent where it lies on a file system that does not answer, and nothing else tells.
    """
    # Of one that is not there (yet), or cannot be read, whoever gives it a JENKINS_HOME knows what it is.
    given_home = path.endswith(".war") and bool(homes)
    try:
        attributes = attributes_of(files, path)
    except Silent:
        if given_home or _is_called_so(path):
            return True
        raise
    if attributes is not None and is_product(attributes):
        return True
    names = [path]
    try:
        names.append(files.canonical(path))
    except Silent:
        raise
    except OSError:
        pass
    return any(map(_is_called_so, names)) or (attributes is None and given_home)


def _is_called_so(path: str) -> bool:
    return OF_INTEREST.search(path.rsplit("/", 1)[-1]) is not None and not path.endswith(".jar")

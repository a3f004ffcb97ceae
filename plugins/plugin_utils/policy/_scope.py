# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts a run is about: whether its inventory was read whole, and which variables lie where nobody reads them.

Private to this collection. Runs on the control node.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.inventory.manager import IGNORED, split_host_pattern
from ansible.utils.path import unfrackpath

#: Where variables of hosts and groups lie beside an inventory or a playbook.
FOLDERS = ("group_vars", "host_vars")
#: Files of variables that are looked at for a hint, and bytes of each.
_FILES, _BYTES = 200, 1 << 16
#: Types of Ansible's for a value that is decrypted when it is used, of newer cores and of older ones.
_ENCRYPTED = ("EncryptedString", "AnsibleVaultEncryptedUnicode")


def parts_of(sources: Iterable[str]) -> Iterator[str]:
    """The files, scripts and lists of hosts that Ansible reads of inventory sources, in folders by its own rules."""
    for source in filter(None, map(str, sources)):
        yield from _files_of(source if "," in source else unfrackpath(source, follow=False))


def _files_of(source: str) -> Iterator[str]:
    if not os.path.isdir(source):
        yield source
        return
    for name in sorted(os.listdir(source)):
        if not IGNORED.search(os.fsencode(name) if isinstance(IGNORED.pattern, bytes) else name):
            yield from _files_of(os.path.join(source, name))


def unparsed(sources: Iterable[str], parsed: Iterable[Any]) -> list[str]:
    """What of the inventory nobody could read, of which Ansible goes on with a warning.

    ``parsed`` is what Ansible remembers as read. Its own default, where it is not there, is no inventory of anybody's.
    """
    read = {str(one) for one in parsed if one}
    return [
        part
        for part in parts_of(sources)
        if part not in read and (part != "/etc/ansible/hosts" or os.path.exists(part))
    ]


def unread_variables(folder: Path, sources: Iterable[str]) -> list[str]:
    """Files of variables of ours in a folder that is not beside the inventory, so that nobody reads them."""
    beside = {
        os.path.realpath(one if os.path.isdir(one) else os.path.dirname(one) or ".")
        for one in map(str, sources)
        if "," not in one
    }
    if os.path.realpath(folder) in beside:
        return []
    files = [path for name in FOLDERS for path in sorted((folder / name).rglob("*")) if path.is_file()][:_FILES]
    return [str(path.relative_to(folder)) for path in files if _has_ours(path)]


def _has_ours(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            text = stream.read(_BYTES)
    except OSError:
        return False
    return re.search(rb"^\s*[\"']?telemetry_\w+[\"']?\s*:", text, re.MULTILINE) is not None


def undecryptable(variables: Mapping[str, Any]) -> list[str]:
    """Variables of ours and of the connection that no password at hand decrypts, each with the place where it is."""
    found = []
    for name, value in variables.items():
        if str(name).startswith(("telemetry_", "ansible_")) and type(value).__name__ in _ENCRYPTED:
            try:
                str(value)
            except AnsibleError:
                found.append(f"{name}{_place(value)}")
    return found


def _place(value: Any) -> str:
    """Where a value of the inventory stands; nothing where Ansible does not say."""
    where = getattr(value, "ansible_pos", None)  # before ansible-core 2.19
    if where:
        return f" ({where[0]}:{where[1]})"
    try:
        from ansible.module_utils._internal._datatag import AnsibleTagHelper
    except ImportError:
        return ""
    found = [f" ({tag.path}:{tag.line_num})" for tag in AnsibleTagHelper.tags(value) if getattr(tag, "path", None)]
    return found[0] if found else ""


def encrypted_files(sources: Iterable[str]) -> list[str]:
    """Files of variables beside the inventory that are encrypted as a whole."""
    beside = {one if os.path.isdir(one) else os.path.dirname(one) or "." for one in map(str, sources) if "," not in one}
    files = [path for folder in sorted(beside) for name in FOLDERS for path in sorted(Path(folder, name).rglob("*"))]
    return [str(path) for path in files if path.is_file() and _begins_encrypted(path)]


def _begins_encrypted(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(14) == b"$ANSIBLE_VAULT"
    except OSError:
        return False


def selects_itself(name: str) -> bool:
    """Whether a host can be chosen for a play by its name; a name such as ``a,b`` is a pattern for others."""
    return name[:1] not in ("", "!", "&") and split_host_pattern(name) == [name]

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is this the key of that host? Answered by known_hosts files, read as ssh reads them (sshd(8)).

Private to this collection. Runs on the control node. paramiko's own reader knows no patterns, and passes over revoked
keys.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import functools
import hmac
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

KNOWN, UNKNOWN, CHANGED, REVOKED = "known", "unknown", "changed", "revoked"


def name_of(hostname: str, port: int) -> str:
    """The name under which ssh looks a host up."""
    return hostname.lower() if port == 22 else f"[{hostname.lower()}]:{port}"


@functools.cache
def _salted(field: str) -> tuple[bytes, bytes] | None:
    """Salt and hash of ``|1|salt|hash``."""
    try:
        _empty, kind, salt, digest = field.split("|")
        return (base64.b64decode(salt), base64.b64decode(digest)) if kind == "1" else None
    except (ValueError, binascii.Error):
        return None


def is_hash_of(field: str, name: str) -> bool:
    """Whether ``|1|salt|hash`` stands for the name."""
    # Nothing but to compute it tells that, for each name from each line: so it is what a large file costs.
    salted = _salted(field)
    return salted is not None and hmac.digest(salted[0], name.encode(), "sha1") == salted[1]


def matches(field: str, name: str) -> bool:
    """Whether the first field of a line is for the name: a hash, or names with ``*``, ``?`` and ``!``."""
    if field.startswith("|"):
        return is_hash_of(field, name)
    found = False
    for pattern in field.lower().split(","):
        # A bracket belongs to a port there; for fnmatch it would begin a set.
        if fnmatch.fnmatchcase(name, pattern.lstrip("!").replace("[", "[[]")):
            if pattern.startswith("!"):
                return False
            found = True
    return found


@dataclass(frozen=True)
class Line:
    """A key, and for whom it is."""

    names: str
    kind: str
    key: bytes


class KnownHosts:
    """The keys of some files. Files that do not exist hold none."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._by_key: dict[bytes, list[Line]] = defaultdict(list)
        self._by_name: dict[str, list[Line]] = defaultdict(list)
        self._others: list[Line] = []  # hashes and patterns
        self._revoked: list[Line] = []
        self._marked: set[str] = set()
        #: The kinds of keys that stand there at all.
        self.kinds: set[str] = set()
        for path in paths:
            try:
                text = Path(path).read_text("utf-8", "replace")
            except OSError:
                continue
            for line in text.split("\n"):
                self._add(line.split())

    def _add(self, words: list[str]) -> None:
        marker = words.pop(0) if words and words[0].startswith("@") else ""
        if marker and words:
            self._marked.add(words[0])
        if len(words) < 3 or words[0].startswith("#") or marker not in ("", "@revoked"):
            return
        try:
            line = Line(words[0], words[1], base64.b64decode(words[2], validate=True))
        except (ValueError, binascii.Error):
            return
        if marker:
            self._revoked.append(line)
            return
        self.kinds.add(line.kind)
        self._by_key[line.key].append(line)
        if line.names.startswith("|") or set(line.names) & set("*?!"):
            self._others.append(line)
        else:
            for name in line.names.lower().split(","):
                self._by_name[name].append(line)

    def of(self, name: str) -> list[Line]:
        """The lines for a name."""
        return self._by_name.get(name, []) + [line for line in self._others if matches(line.names, name)]

    def has_marks(self, name: str) -> bool:
        """Whether a line with a marker is for the name: an authority, or a revoked key, perhaps an authority's.

        ssh then judges the certificate that the host may have beside its key, which paramiko does not ask for.
        """
        return any(matches(names, name) for names in self._marked)

    def judge(self, name: str, key: bytes) -> str:
        """What a key that a host showed is. ``changed``: the files have another one for the name."""
        if any(line.key == key and matches(line.names, name) for line in self._revoked):
            return REVOKED
        # Of the lines with this key, too, before all others: of thousands of hashed names each would be computed.
        if any(line.key == key for line in self._by_name.get(name, [])):
            return KNOWN
        if any(matches(line.names, name) for line in self._by_key.get(key, [])):
            return KNOWN
        return CHANGED if self.of(name) else UNKNOWN

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``%n`` and its like stand for in the settings of a unit (systemd.unit(5), unit-printf.c).

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import os
import re
import string
from typing import Dict, Iterable, Match, Optional, Tuple

from ..host._files import HostFiles
from ..text._characters import Run, Value
from ..text._value import Unresolvable

_SPECIFIER = re.compile("%(.)", re.DOTALL)
_ALPHANUMERICAL = frozenset(string.ascii_letters + string.digits)
#: Specifiers that some version of systemd knows and whose text is known only where the unit runs.
_NOT_KNOWN_HERE = frozenset("abBcdDfgGlmMoqrRsvwWAyY")


class Specifiers:
    """What ``%n`` and its like stand for in the settings of one unit (systemd.unit(5), unit-printf.c)."""

    def __init__(self, unit: str, files: HostFiles) -> None:
        self._files = files
        stem = unit.rpartition(".")[0]
        prefix, _at, instance = stem.partition("@")
        last = prefix.rpartition("-")[2]
        self._known: Dict[str, Optional[str]] = {
            "%": "%",
            "n": unit,
            "N": stem,
            "p": prefix,
            "i": instance,
            "j": last,
            "t": "/run",
            "S": "/var/lib",
            "C": "/var/cache",
            "L": "/var/log",
            "E": "/etc",
            "T": "/tmp",
            "V": "/var/tmp",
        }
        for letter, text in (("I", instance), ("P", prefix), ("J", last)):
            self._known[letter] = _unescaped(text)

    def of(self, letter: str) -> Tuple[Optional[str], str]:
        """The text; None where systemd refuses the specifier, or where it is not known, with the reason."""
        if letter in self._known:
            return self._known[letter], ""
        if letter == "H":
            return self._host_name()
        if letter in "uUh":
            # Before 229 they were those of User=; since then systemd has a library of its own.
            folders = ("/usr/lib/systemd", "/lib/systemd", "/usr/lib/*/systemd")
            old = any(self._files.exists(folder + "/systemd") for folder in folders[:2]) and not any(
                self._files.glob(folder + "/libsystemd-shared-*.so") for folder in folders
            )
            return (
                (None, "the specifier %%%s of an old systemd" % letter)
                if old
                else ({"u": "root", "U": "0", "h": "/root"}[letter], "")
            )
        return None, "the specifier %%%s" % letter if letter in _NOT_KNOWN_HERE else ""

    def _host_name(self) -> Tuple[Optional[str], str]:
        try:
            lines = [line.strip() for line in self._files.read("/etc/hostname").split("\n")]
        except OSError:
            lines = []
        written = next((line for line in lines if line and not line.startswith("#")), None)
        if self._files.root == "/" and written != os.uname().nodename:
            return None, "%H: the host's name is another than the one in /etc/hostname"
        return written, "" if written else "%H: /etc/hostname gives no name"

    def put_in(self, value: Value) -> Optional[Value]:
        """The value with its specifiers put in; None where systemd refuses one of them."""
        if "%" not in value.text:
            return value
        refused = False

        def instead(match: Match[str]) -> Iterable[Run]:
            nonlocal refused
            char = value.origin(match.start(1))
            text, reason = self.of(char.text)
            if text is not None:
                return (Run(text, char.path, char.position, char.quoted),)
            if reason:
                return (Run("", char.path, char.position, char.quoted, reason, True),)
            refused = refused or char.text in _ALPHANUMERICAL
            return value.known(*match.span())

        expanded = value.replaced(_SPECIFIER, instead)
        return None if refused else expanded

    def text(self, value: Value) -> Optional[str]:
        """As :meth:`put_in`, for a setting that must be known. Raises Unresolvable."""
        expanded = self.put_in(value)
        reason = expanded.unknown(True) if expanded is not None else None
        if reason:
            raise Unresolvable("%s: %s is not known before the start" % (value.text, reason))
        return expanded.text if expanded is not None else None


def _unescaped(text: str) -> Optional[str]:
    """A part of a unit's name as it was before systemd-escape(1); None for what systemd refuses."""
    if re.search(r"\\(?!x[0-9a-fA-F]{2})", text):
        return None
    return re.sub(r"\\x(..)", lambda match: chr(int(match.group(1), 16)), text.replace("-", "/"))

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where controllers are reached, and as whom: telemetry_controllers, of a host with several services.

Private to this collection. Runs on the control node. No message of this file holds a value: some are tokens.
"""

from __future__ import annotations

import os
import re
import urllib.parse
from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible


class Access(NamedTuple):
    """Where a controller is reached, and as whom."""

    url: str
    user: str = ""
    token: str = ""
    ca_file: str | None = None
    #: Whether a token may go to an address without TLS.
    allow_http: bool = False

    def secrets(self) -> list[str]:
        """What must be in no message."""
        try:
            password = urllib.parse.urlsplit(self.url).password
        except ValueError:
            password = None
        return [secret for secret in (self.token, password) if secret]


_FIELDS = frozenset(Access._fields)


def access_of(controllers: Any) -> dict[str, Access]:
    """How the controllers of ``telemetry_controllers`` are reached, by the names of their services.

    Raises ValueError.
    """
    if not isinstance(controllers, Mapping):
        raise ValueError("it must be a mapping: {cm-b.service: {url: …, user: …, token: …}}")
    found = {}
    for service, fields in controllers.items():
        name = visible(str(service))[:100]
        if not isinstance(fields, Mapping):
            raise ValueError(f"{name} must be a mapping with {', '.join(Access._fields)}")
        unknown = sorted(visible(str(key))[:40] for key in fields if key not in _FIELDS)
        if unknown:
            raise ValueError(f"{name} may have {', '.join(Access._fields)}, and not {', '.join(unknown)}")
        texts = [value for key, value in fields.items() if key != "allow_http" and value is not None]
        if any(not isinstance(value, str) for value in texts):
            raise ValueError(f"{name}: {', '.join(Access._fields[:-1])} must be texts")
        if not re.match(r"https?://[^/\s]", str(fields.get("url") or "")):
            raise ValueError(f"{name} must have a url, which begins with https:// or http://")
        ca_file = fields.get("ca_file")
        found[str(service)] = Access(
            str(fields["url"]),
            str(fields.get("user") or ""),
            str(fields.get("token") or ""),
            os.path.expanduser(ca_file) if ca_file else None,
            _yes_or_no(name, fields.get("allow_http")),
        )
    return found


def _yes_or_no(name: str, value: Any) -> bool:
    try:
        return bool(boolean(value or False))
    except TypeError:
        raise ValueError(f"{name}: allow_http must be true or false") from None

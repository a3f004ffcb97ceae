# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses that servers and hosts give for controllers: in one form, to compare them; and which machine each names.

Private to this collection. Runs on the control node.
"""

from __future__ import annotations

import ipaddress
import re
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any

LONGEST = 1000
_LABEL = re.compile(r"[0-9a-z_]([0-9a-z_-]{0,61}[0-9a-z_])?\Z")
_PATH = re.compile(r"(/[0-9A-Za-z._~%-]{1,200}){0,20}/?\Z")
_THIS_MACHINE = re.compile(
    r"(?:(?:.*\.)?localhost[46]?(?:\.localdomain[46]?)?|ip6-(?:localhost|loopback))\.?\Z", re.IGNORECASE
)
#: A host whose last label is so is an address to resolvers (WHATWG's URL standard, "ends in a number").
_NUMBER = re.compile(r"[0-9]+\Z|0x[0-9a-f]*\Z")


class AddressError(ValueError):
    """It is no address of another machine; the message says why."""


def address(text: Any) -> str:
    """A URL in the one form in which addresses are compared and shown. Raises :class:`AddressError`.

    Without user, password, query and fragment, its port only where it is not the scheme's own, no slash at its end.
    Letters of other scripts look like others: only as the DNS has them (``xn--``).
    """
    if not isinstance(text, str) or len(text) > LONGEST or not text.isascii() or not text.isprintable():
        raise AddressError("it is no address")
    try:
        parts = urllib.parse.urlsplit(text.strip())
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise AddressError("it is no address") from None
    if parts.scheme not in ("http", "https") or not host or "@" in parts.path or "\\" in text:
        raise AddressError("it is no address of http or https")
    path = parts.path.partition(";")[0].rstrip("/")
    if not _PATH.match(path):
        raise AddressError("its path is odd")
    try:
        host = f"[{ipaddress.IPv6Address(host)}]" if ":" in host else host
    except ValueError:
        raise AddressError("it is no address") from None
    usual = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}{f':{port}' if port and port != usual else ''}{path}"


def of_centers(centers: Sequence[Mapping[str, Any]]) -> list[str]:
    """The addresses of operations centers. Raises ValueError for one that is none, or that is named twice."""
    found: list[str] = []
    for entry in centers:
        given = str(entry["url"])
        if "@" in given.partition("://")[2].partition("/")[0]:
            raise ValueError("an address has a user in it; name user and token")
        url = address(given)
        if url in found:
            raise ValueError(f"{url} is named twice")
        found.append(url)
    return found


def same_place(text: str) -> str:
    """What is the same for addresses that differ in their scheme or its usual port alone: by which way one comes."""
    parts = urllib.parse.urlsplit(text)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    return f"{parts.hostname}:{'web' if port in (80, 443) else port}{parts.path.rstrip('/')}"


def machine(url: str) -> str:
    """The machine that an address names, as Ansible's inventory may have it. Raises :class:`AddressError`.

    This machine is none: an inventory must not be led to it by a server.
    """
    host = (urllib.parse.urlsplit(url).hostname or "").lower()
    try:
        number = ipaddress.ip_address(host)
    except ValueError:
        if _NUMBER.match(host.rstrip(".").rpartition(".")[2]):
            raise AddressError("its host is no name and no address") from None
        if not all(_LABEL.match(label) for label in host.split(".")) or len(host) > 253:
            raise AddressError("its host is no name of a machine") from None
        if _THIS_MACHINE.match(host):
            raise AddressError("its host is this machine itself") from None
        return host
    number = getattr(number, "ipv4_mapped", None) or number
    if number.is_loopback or number.is_unspecified or number.is_multicast or number.is_link_local:
        raise AddressError("its host is this machine itself, or no machine")
    return str(number)

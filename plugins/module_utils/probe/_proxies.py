# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proxies that a controller is configured with, where that stands, and for which hosts each does not count.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.

Nobody outside of CloudBees knows which of them the Analytics Plugin uses, if any. So each is a path of its own.
"""

import re
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ..java._proxy_settings import NO_PROXY, VARIABLES

#: What a JVM excludes where nothing is set (sun.net.spi.DefaultProxySelector).
_JAVA_DEFAULT = "localhost|127.*|[::1]|0.0.0.0|[::0]"
_HOST = re.compile(r"\[?[0-9A-Za-z._:-]{1,253}\]?\Z")
_EXCEPTION = re.compile(r"[0-9A-Za-z.*_:/\[\]-]{1,253}\Z")
_PATH = re.compile(r"/[^\0\n]{0,1023}\Z")


class Route(NamedTuple):
    """A proxy, as one place configures it."""

    host: str
    port: int
    where: str  # names the place
    rule: str  # who reads the exceptions: java | jenkins | environment
    exceptions: Tuple[str, ...] = ()


class Network(NamedTuple):
    """What the options and the environment of a JVM say of its way out."""

    routes: Tuple[Route, ...]
    notes: Tuple[str, ...]
    trust_store: Optional[str]


def of_properties(found: Mapping[str, str], where: str) -> Network:
    """What system properties configure; ``where`` names the JVM or launch file."""
    routes: List[Route] = []
    notes: List[str] = []
    host, port = found.get("https.proxyHost", ""), found.get("https.proxyPort", "") or "443"
    if host:
        exceptions = found.get("http.nonProxyHosts", _JAVA_DEFAULT).split("|")
        place = "-Dhttps.proxyHost of %s" % where
        if _valid(host, port, exceptions):
            routes.append(Route(host, int(port), place, "java", tuple(one.lower() for one in exceptions if one)))
        else:
            notes.append("%s was not probed: its host, port or http.nonProxyHosts is not valid" % place)
    if found.get("socksProxyHost"):
        notes.append("-DsocksProxyHost of %s was not probed: SOCKS is not spoken here" % where)
    store = found.get("javax.net.ssl.trustStore") or None
    if store == "NONE" or (store and not _PATH.match(store)):
        notes.append("the trust store of %s was not looked at: it is no absolute path" % where)
        store = None
    return Network(tuple(routes), tuple(notes), store)


def of_environment(found: Mapping[str, str], where: str) -> Network:
    """What proxy variables configure, of which the first counts (as in curl)."""
    name = next((one for one in VARIABLES if found.get(one)), None)
    if name is None:
        return Network((), (), None)
    place = "%s of %s" % (name, where)
    scheme, mark, rest = found[name].rpartition("://")
    if mark and scheme.lower() != "http":
        return Network((), ("%s was not probed: its proxy is no plain HTTP proxy" % place,), None)
    match = re.match(r"(\[[0-9A-Fa-f:.]+\]|[^/:]+):([0-9]+)/?\Z", rest)
    exceptions = re.split(r"[\s,]+", next((found[one] for one in NO_PROXY if found.get(one)), "").strip())
    if match is None or not _valid(match.group(1), match.group(2), exceptions):
        return Network(
            (), ("%s was not probed: it names no host and port, or its exceptions are not valid" % place,), None
        )
    return Network(
        (Route(match.group(1), int(match.group(2)), place, "environment", tuple(one for one in exceptions if one)),),
        (),
        None,
    )


def of_settings(proxy: Any, detail: Mapping[str, Any]) -> Network:
    """What proxy.xml configures, by the ``proxy`` of the state document's settings and its details."""
    if proxy is None:
        return Network((), (), None)
    if not isinstance(proxy, dict):
        reason = detail.get("reason", "it cannot be read")
        return Network((), ("the proxy in proxy.xml is not known: %s" % reason,), None)
    place = str(detail.get("file", "proxy.xml"))
    if not _valid(proxy["host"], str(proxy["port"]), proxy["no_proxy"]):
        return Network((), ("%s was not probed: its host or port is not valid" % place,), None)
    return Network((Route(proxy["host"], proxy["port"], place, "jenkins", tuple(proxy["no_proxy"])),), (), None)


def _valid(host: str, port: str, exceptions: Sequence[str]) -> bool:
    return bool(
        _HOST.match(host)
        and re.match(r"[0-9]{1,5}\Z", port)
        and 0 < int(port) < 65536
        and all(not one or _EXCEPTION.match(one) for one in exceptions)
    )


def exception_for(route: Route, host: str) -> Optional[str]:
    """The exception by which a route does not count for a host, None where it counts."""
    name = host.strip("[]").lower()
    return next((one for one in route.exceptions if _MATCHES[route.rule](one, name)), None)


def _java(exception: str, name: str) -> bool:
    """A star stands at the beginning or at the end (DefaultProxySelector.java, toPattern)."""
    bare = exception.strip("[]")
    if bare.startswith("*") and bare.endswith("*") and len(bare) > 1:
        return bare[1:-1] in name
    if bare.startswith("*"):
        return name.endswith(bare[1:])
    if bare.endswith("*"):
        return name.startswith(bare[:-1])
    return name == bare


def _jenkins(exception: str, name: str) -> bool:
    """A star stands for anything (core's ProxyConfiguration.java, getNoProxyHostPatterns)."""
    first, *pieces = exception.split("*")
    if not pieces:
        return name == first
    last = pieces.pop()
    at, end = len(first), len(name) - len(last)
    if at > end or not name.startswith(first) or not name.endswith(last):
        return False
    for piece in pieces:  # the first place that fits is as good as any
        at = name.find(piece, at, end) + len(piece)
        if at < len(piece):
            return False
    return True


def _environment(exception: str, name: str) -> bool:
    """A name stands for its subdomains too (curl's manual, NO_PROXY)."""
    bare = exception.strip("[]").lower().lstrip(".")
    return exception == "*" or name == bare or name.endswith("." + bare)


_MATCHES = {"java": _java, "jenkins": _jenkins, "environment": _environment}


def joined(networks: Sequence[Network]) -> Network:
    """Several as one, each thing once, in their order."""
    stores = [network.trust_store for network in networks if network.trust_store]
    return Network(
        tuple(dict.fromkeys(route for network in networks for route in network.routes)),
        tuple(dict.fromkeys(note for network in networks for note in network.notes)),
        stores[0] if stores else None,
    )


def paths(routes: Sequence[Route], host: str) -> Tuple[Dict[Tuple[str, int], List[str]], List[str]]:
    """The proxies that count for a host, each with the places that configure it; and a note on each that does not."""
    found: Dict[Tuple[str, int], Dict[str, None]] = {}
    notes = []
    for route in routes:
        exception = exception_for(route, host)
        if exception is None:
            found.setdefault((route.host.strip("[]"), route.port), {})[route.where] = None
        else:
            notes.append(
                "%s excludes %s from its proxy (%s): there the direct path counts" % (route.where, host, exception)
            )
    return {proxy: list(places) for proxy, places in found.items()}, notes

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the options of a task to the probe's answers: which endpoints, on which paths, judged by which trust stores.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import threading
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from ..host import _limits as limits
from ._connectivity import Endpoint, Options, Route, endpoint, probe_all
from ._proxies import Network, paths
from ._spec import CONFIGURED, DIRECT, SPEC

LIMIT_TIMEOUT = 60.0  # seconds
LIMIT_COUNT = 100
LIMIT_INTERVAL = 60.0  # seconds


class Way(NamedTuple):
    """What the controllers of a host are configured with."""

    network: Network
    java_stores: Tuple[str, ...]


NOTHING = Way(Network((), (), None), ())


def check(params: Mapping[str, Any]) -> List[Endpoint]:
    """The endpoints that options ask for. Raises ValueError where an option is not valid; its text names the option."""
    targets = _targets(params)
    for name, low, high, unit in (
        ("timeout", 0, LIMIT_TIMEOUT, "seconds"),
        ("count", 0, LIMIT_COUNT, "attempts"),
        ("interval", -1, LIMIT_INTERVAL, "seconds"),
    ):
        value = _value(params, name)
        if not low < value <= high:  # also for a NaN
            raise ValueError(
                "%s must be %s and at most %g %s, not %g"
                % (name, "greater than 0" if low == 0 else "0 or more", high, unit, value)
            )
    for way in _value(params, "via"):
        if way not in (DIRECT, CONFIGURED):
            _named(way)
    if not _value(params, "via"):
        raise ValueError("via must not be empty")
    return targets


def _targets(params: Mapping[str, Any]) -> List[Endpoint]:
    if params.get("endpoints"):
        return [endpoint(text) for text in params["endpoints"]]
    host, port = _value(params, "host"), _value(params, "port")
    if not host:
        raise ValueError("host must not be empty")
    if not 0 < port < 65536:
        raise ValueError("port must be between 1 and 65535, not %d" % port)
    return [Endpoint(host, port)]


def _value(params: Mapping[str, Any], name: str) -> Any:
    value = params.get(name)
    return SPEC[name].get("default") if value is None else value


def _named(way: str) -> Endpoint:
    """Host and port of a proxy that the task names."""
    scheme, mark, rest = way.rpartition("://")
    if mark and scheme != "http":
        raise ValueError("via: only plain HTTP proxies can be probed, such as http://proxy.example.com:3128")
    if "@" in rest:
        raise ValueError("via: the probe sends no user and password to a proxy")
    rest = rest.rstrip("/")
    _host, _colon, port = rest.rpartition(":")
    if not port.isdigit():
        raise ValueError(
            "via: %r is neither direct nor configured, nor a proxy such as http://proxy.example.com:3128" % way
        )
    return endpoint(rest)


def wants_configured(params: Mapping[str, Any]) -> bool:
    """Whether the configuration of the controllers has to be read for the probe."""
    return CONFIGURED in _value(params, "via")


def answers(params: Mapping[str, Any], way: Way = NOTHING) -> Tuple[List[Dict[str, Any]], List[str]]:
    """Probe every endpoint on every path; the answers, and notes on paths that were not probed.

    Raises ValueError where an option is not valid.
    """
    targets = check(params)
    options = Options(
        timeout=float(_value(params, "timeout")),
        tls=_value(params, "tls"),
        http=_value(params, "http"),
        cafile=params.get("ca_file"),
        public_authorities=params.get("public_authorities"),
        private_authority=_value(params, "private_authority"),
        java_stores=way.java_stores,
    )
    notes: List[str] = list(way.network.notes) if wants_configured(params) else []
    routes: List[Route] = []
    places: List[List[str]] = []
    for target in targets:
        chosen: Dict[Optional[Endpoint], List[str]] = {}
        for one in _value(params, "via"):
            if one == DIRECT:
                chosen.setdefault(None, [])
            elif one == CONFIGURED:
                found, excluded = paths(way.network.routes, target.host)
                notes += excluded
                for proxy, where in found.items():
                    chosen.setdefault(Endpoint(*proxy), []).extend(where)
            else:
                chosen.setdefault(_named(one), []).append("the task")
        routes += [Route(target, proxy) for proxy in chosen]
        places += list(chosen.values())
    threading.stack_size(1 << 20)  # as much as they use, not the 8 MiB that they would reserve of the limit
    limits.phase("probing")
    limits.more(_value(params, "count") * (options.timeout + float(_value(params, "interval"))))
    found_answers = probe_all(routes, options, _value(params, "count"), float(_value(params, "interval")))
    for answer, where in zip(found_answers, places):
        answer["configured_by"] = where
    return found_answers, list(dict.fromkeys(notes))

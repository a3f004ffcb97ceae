# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way out of this host's controllers: what they are configured with, from their launch files, JVMs and settings.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import os
from typing import Any, Dict, List, NamedTuple, Tuple

from ..host._files import HostFiles
from ..java._proxy_settings import properties, variables
from ..survey._document import document_of
from ..survey._survey import Entry, Survey, survey
from . import _options, _proxies
from ._truststore import java_store

#: The Java of a host whose controller does not run.
_JAVA = "/usr/bin/java"


class _Told(NamedTuple):
    """What a running JVM says of its way out (see running/_facts)."""

    properties: Dict[str, str]
    variables: Dict[str, str]
    java_home: str


def connectivity(params: Dict[str, Any]) -> Tuple[List[Dict[str, Any]], List[str]]:
    """The probe's answers, and notes. Raises ValueError where an option is not valid."""
    _options.check(params)
    if not _options.wants_configured(params):
        return _options.answers(params)
    found = survey(HostFiles(), attach="never")
    return _options.answers(params, way_of(found, document_of(found)))


def way_of(found: Survey, document: Dict[str, Any]) -> _options.Way:
    """What the controllers of this host are configured with: their proxies, and the trust stores of their JVMs."""
    networks: List[_proxies.Network] = []
    stores: List[str] = []
    for entry, shown_entry in zip(found.entries, document["installations"]):
        name, own = entry.definition.name, []  # type: str, List[_proxies.Network]
        homes = []
        if entry.stray and not (entry.processes and all(jvm.container for jvm in entry.processes)):
            # Whoever started it named its proxy, its settings and its trust store.
            note = "the way out of %s was not probed: it belongs to no installation" % name
            networks.append(_proxies.Network((), (note,), None))
            continue
        for jvm in entry.processes:
            if jvm.container:
                own.append(
                    _proxies.Network(
                        (),
                        ("the way out of %s was not probed: it runs in a container, with a network of its own" % name,),
                        None,
                    )
                )
            elif not jvm.network:
                own.append(
                    _proxies.Network(
                        (),
                        (
                            "what the running JVM of %s says of proxies is not known: %s"
                            % (name, jvm.reason or "it could not be read"),
                        ),
                        None,
                    )
                )
            else:
                told = _Told(*jvm.network)
                own.append(_proxies.of_properties(told.properties, "the running JVM of %s" % name))
                own.append(_proxies.of_environment(told.variables, "the running JVM of %s" % name))
                homes.append(told.java_home)
        own += _configured(entry)
        proxy = shown_entry["settings"]
        own.append(_proxies.of_settings(proxy["proxy"], proxy["details"]["proxy"]))
        network = _proxies.joined(own)
        networks.append(network)
        if not homes and os.path.exists(_JAVA):
            homes.append(os.path.realpath(_JAVA)[: -len("/bin/java")])
        stores += [network.trust_store] if network.trust_store else [java_store(home) for home in homes if home]
    return _options.Way(_proxies.joined(networks), tuple(dict.fromkeys(stores)))


def _configured(entry: Entry) -> List[_proxies.Network]:
    """What the launch files say for the next start."""
    where = entry.live.path if entry.live is not None else "the launch files of %s" % entry.definition.name
    networks = [
        _proxies.of_properties(
            properties([word for layer in vector if layer.name != "program" for word in layer.words]), where
        )
        for vector in entry.on_disk.vectors
    ]
    if entry.processes:  # a launcher may pass on another environment than its unit's: the JVM's own counts
        return networks
    environment = {
        name: variable.value.text
        for name, variable in entry.definition.environment.items()
        if not variable.value.unknown()
    }
    unit = entry.definition.service or entry.definition.name
    return networks + [_proxies.of_environment(variables(environment), "the environment of %s" % unit)]

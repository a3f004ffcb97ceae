# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a JVM is told of its way out: the properties and variables that name proxies and a trust store.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only. User names and passwords never
leave this file.
"""

from typing import Dict, Mapping, Sequence

#: System properties that decide on the way out, and on the authorities that a JVM trusts.
PROPERTIES = ("https.proxyHost", "https.proxyPort", "http.nonProxyHosts", "socksProxyHost", "javax.net.ssl.trustStore")
#: In the order in which curl takes them. Java reads none of them; a launch script or a plugin may.
VARIABLES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
NO_PROXY = ("no_proxy", "NO_PROXY")


def properties(options: Sequence[str]) -> Dict[str, str]:
    """The properties of :data:`PROPERTIES` among option words; the last one wins."""
    found: Dict[str, str] = {}
    for word in options:
        name, _equals, value = word[2:].partition("=")
        if word.startswith("-D") and name in PROPERTIES:
            found[name] = value
    return found


def variables(environment: Mapping[str, str]) -> Dict[str, str]:
    """The proxy variables of an environment, without user names and passwords."""
    found = {}
    for name in VARIABLES + NO_PROXY:
        value = environment.get(name, "")
        if value:
            scheme, mark, rest = value.rpartition("://")
            found[name] = value if name in NO_PROXY else scheme + mark + rest.rpartition("@")[2]
    return found

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a probe, for connectivity_probe, and for telemetry_info below one of its own. Private."""

import re
import textwrap


class ModuleDocFragment:
    # For connectivity_probe.
    DOCUMENTATION = r"""
options:
  host:
    description:
      - The name or the IP address to connect to.
      - For an IP address nothing is looked up, and its certificate must name that address.
    type: str
    default: api.segment.io
  port:
    description:
      - The TCP port to connect to.
    type: int
    default: 443
  endpoints:
    description:
      - Several endpoints, each as V(host), V(host:port) or V([address]:port), instead of O(host) and O(port).
    type: list
    elements: str
  via:
    description:
      - The paths to probe.
      - V(direct) is the way without a proxy.
      - V(configured) is each proxy that an operations center or controller of this host is configured with, by
        C($JENKINS_HOME/proxy.xml), by C(-Dhttps.proxyHost) of the running JVM or of the launch files, or by
        C(https_proxy) in its environment. Where an exception (C(http.nonProxyHosts), C(noProxyHost),
        C(no_proxy)) takes the endpoint out, the proxy is left out and RV(notes) says so.
      - Anything else is a proxy, such as V(http://proxy.example.com:3128).
    type: list
    elements: str
    default: [direct, configured]
  timeout:
    description:
      - How many seconds the whole probe of an endpoint on a path may take, lookup, connection, handshake and
        answer together. Greater than V(0), at most V(60). Endpoints and paths are probed at the same time.
    type: float
    default: 5
  tls:
    description:
      - Whether to make a TLS handshake once connected. With V(false) the probe ends with the TCP
        connection (or with the answer to O(http)).
    type: bool
    default: true
  http:
    description:
      - Whether to send a C(HEAD /) request too. Any answer below 500 is a success, for it comes from there.
    type: bool
    default: false
  count:
    description:
      - How often to probe, for a path that comes and goes. Each attempt has the whole O(timeout).
      - At most V(100).
    type: int
    default: 1
  interval:
    description:
      - Seconds between two attempts, at most V(60).
    type: float
    default: 1
  ca_file:
    description:
      - Certificates (PEM) on the host to trust instead of the host's own trust store. Then it is not asked
        whether the authority is a public one, unless O(public_authorities) says what these are.
    type: path
  public_authorities:
    description:
      - A file or a folder of certificates (PEM) on the host that counts as the list of public authorities,
        instead of the list that the distribution ships.
      - A certificate that the host trusts and whose authority is not on the list means that somebody inspects
        the connection (V(tls_intercepted)).
    type: path
  private_authority:
    description:
      - Whether the authority may be a private one, as for an endpoint of your own.
    type: bool
    default: false
"""

    # The same below an option of telemetry_info: there they have longer names, and what comes of them is the probe's.
    # With a hint, since what reads it as text wants documentation to be one string.
    CONNECTIVITY: str = r"""
options:
  connectivity:
    description:
      - Probe an endpoint from this host in the same round trip. Left out, nothing is probed.
      - The options are those of M(cbops.telemetry.connectivity_probe), where more is said of what comes of them.
    type: dict
    suboptions:
""" + textwrap.indent(
        re.sub(
            r"\bRV\(",
            "RV(cbops.telemetry.connectivity_probe#module:",
            re.sub(r"\bO\(", "O(connectivity.", DOCUMENTATION.partition("options:\n")[2]),
        ),
        "    ",
    )

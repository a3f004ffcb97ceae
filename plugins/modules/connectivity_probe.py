#!/usr/bin/python
# Copyright (c) The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Probe one endpoint from the managed host: documentation and options; the work is in probe/_connectivity."""

DOCUMENTATION = r"""
module: connectivity_probe
short_description: Find out whether a host can reach the telemetry endpoint, and if not, why
version_added: 0.1.0
description:
  - Tells what C(nc -zv api.segment.io 443) and C(curl -v https://api.segment.io/) tell an administrator,
    from every host, as data. The name is looked up as the host itself does it, every address of the name is
    tried over TCP, and a TLS handshake is made and verified with the trust store of the host.
  - Each way out is probed and answered apart, the direct one and each proxy that an operations center or
    controller of the host is configured with, since nobody outside of CloudBees knows which of them is used.
  - Not one byte of application data is sent, unless O(http=true). After the handshake the connection is closed.
  - The answer is one of a closed set of outcomes, each with a sentence that says what was seen and what to
    check. A name that does not exist, a refused port and a black hole are three different answers.
  - The O(timeout) bounds the whole probe, whatever the resolver, the network or the peer do.
author:
  - The cbops.telemetry maintainers (@cbops)
extends_documentation_fragment:
  - cbops.telemetry._attributes
  - cbops.telemetry._attributes.info_module
  - cbops.telemetry._probe
options:
  expect:
    description:
      - What the task insists on, for every endpoint, on every path, in every attempt.
      - With V(any) no answer of the network fails the task.
      - With V(reachable) the task fails unless the outcome is V(connected).
      - With V(blocked) the task fails unless nothing got through. An endpoint that answered is not blocked,
        even when its certificate was refused (V(tls_*)), since a JVM with another trust store may get on
        with it; nor is one whose proxy wants a password, which a controller may have.
      - The outcome V(unknown) satisfies neither V(reachable) nor V(blocked), for it says nothing of the
        network.
    type: str
    choices: [reachable, blocked, any]
    default: any
notes:
  - Runs as any user; privileges are not needed. To see what a service sees, run it as the user of that
    service.
    What the user may not read (the environment of the JVM, a launch file) is then named in RV(notes).
  - The probe sends no user and no password to a proxy. A tunnel is asked for with CONNECT, as a JVM does it for
    HTTPS.
  - Where a JDK or JRE has its own trust store (C(cacerts), or C(javax.net.ssl.trustStore) of the JVM), the
    certificate is judged by it too, as far as authorities go. If that takes another handshake, it is made, and
    a difference is a finding. Stores of type JKS and unencrypted PKCS12 are read.
  - With Python 3.6 on the host an expired certificate is reported as V(tls_untrusted). With Python before
    3.8 the issuer of a refused certificate is not known.
seealso:
  - module: ansible.builtin.wait_for
    description: Waits for a port; gives the same answer for a missing name, a refused port and a black hole.
"""

EXAMPLES = r"""
- name: Ask every controller whether it reaches the telemetry endpoint
  cbops.telemetry.connectivity_probe:
  register: segment

- name: Show the answer in words
  ansible.builtin.debug:
    msg: "{{ segment.message }}"

- name: Fail where telemetry is enabled and the endpoint is out of reach
  cbops.telemetry.connectivity_probe:
    expect: reachable

- name: Prove that the firewall keeps telemetry in, as the user of the controller
  cbops.telemetry.connectivity_probe:
    expect: blocked
    timeout: 3
  become: true
  become_user: cloudbees-core-cm

- name: Probe another endpoint, TCP only
  cbops.telemetry.connectivity_probe:
    host: ldap.example.com
    port: 636
    tls: false

- name: Probe what else the product needs, each with an answer to a HEAD request
  cbops.telemetry.connectivity_probe:
    endpoints:
      - api.segment.io:443
      - jenkins-updates.cloudbees.com:443
    http: true

- name: Only through the company's proxy
  cbops.telemetry.connectivity_probe:
    via: ["http://proxy.example.com:3128"]
    expect: reachable

- name: Watch a path that comes and goes
  cbops.telemetry.connectivity_probe:
    via: [direct]
    count: 20
    interval: 0.5
  register: flapping

- name: Say how often it failed
  ansible.builtin.debug:
    msg: "{{ flapping.probe.samples.loss_percent }} % lost, p50 {{ flapping.probe.samples.p50_ms }} ms"
"""

RETURN = r"""
outcome:
  description:
    - What became of the first probe (RV(probe)).
    - V(unknown) is a failure of the host itself (no name server to ask, no route, no permission, no
      certificate authorities) that says nothing of the network.
    - V(tls_alert) also stands for a peer that answers with something other than TLS.
    - V(tls_intercepted) is a certificate that the host trusts and whose authority is no public one.
    - V(reset) also stands for a peer that closes the connection during the handshake.
    - V(dns_timeout) also stands for name servers that answer with a failure.
    - V(timeout) is an end of the time in the TCP connection or midway in the handshake, or a proxy that does not
      answer; V(peer_silent) is a peer that accepts the connection, or the request, and never says a byte.
    - V(unreachable) also stands for a proxy that says that it cannot reach the endpoint.
    - V(proxy_unreachable) is a proxy that was not reached; the message says by which of the other outcomes.
    - V(http_error) is an answer of 500 or more, or one that is no HTTP.
  returned: success or unmet O(expect)
  type: str
  sample: connected
  choices:
    - connected
    - dns_nxdomain
    - dns_timeout
    - dns_sinkholed
    - refused
    - reset
    - timeout
    - unreachable
    - proxy_unreachable
    - proxy_denied
    - proxy_auth_required
    - tls_alert
    - tls_untrusted
    - tls_name_mismatch
    - tls_expired
    - tls_intercepted
    - http_error
    - peer_silent
    - unknown
address:
  description:
    - The address that decided the outcome, or V(none) where the lookup gave none.
  returned: success or unmet O(expect)
  type: str
  sample: 192.0.2.10
message:
  description:
    - What was seen, and on anything but success what to check, in one sentence.
  returned: success or unmet O(expect)
  type: str
  sample: >-
    Connection to api.segment.io port 443 [tcp/https] succeeded!
    Connected to api.segment.io (192.0.2.10) port 443, TLSv1.3, certificate issued by CN=Example CA, O=Example
notes:
  description:
    - Why a configured proxy was not probed, or is not known.
  returned: success or unmet O(expect)
  type: list
  elements: str
probes:
  description:
    - The results of all endpoints, on all paths, each as in RV(probe).
  returned: success or unmet O(expect)
  type: list
  elements: dict
probe:
  description:
    - The whole result of the first endpoint on the first path, as it stands in the state document under
      C(connectivity).
  returned: success or unmet O(expect)
  type: dict
  contains:
    target:
      description: Host and port.
      type: str
      returned: always
      sample: api.segment.io:443
    via:
      description: The path that was probed, V(direct) or host and port of the proxy.
      type: str
      returned: always
      sample: direct
    configured_by:
      description: Where the proxy is configured.
      type: list
      elements: str
      returned: always
      sample: [/var/lib/cloudbees-core-cm/proxy.xml]
    outcome:
      description: See RV(outcome).
      type: str
      returned: always
      sample: connected
    address:
      description: See RV(address).
      type: str
      returned: always
      sample: 192.0.2.10
    addresses:
      description:
        - Every address of the name with its own result. They are tried a moment apart (RFC 8305), the first
          that connects is used, and the others are then given a second for their own result.
      type: list
      elements: dict
      returned: always
      contains:
        address:
          description: The IP address.
          type: str
          returned: always
          sample: 192.0.2.10
        family:
          description: V(IPv4) or V(IPv6).
          type: str
          returned: always
          sample: IPv4
        outcome:
          description: What became of the TCP connection to this address, in the words of RV(outcome).
          type: str
          returned: always
          sample: connected
        tcp_ms:
          description: Milliseconds until the address answered, or V(none) where it did not.
          type: float
          returned: always
          sample: 12.3
    phases_ms:
      description: Milliseconds spent in each phase, successful or not; V(none) where it was not reached.
      type: dict
      returned: always
      sample: {dns: 1.2, tcp: 12.3, proxy_connect: null, tls: 25.1, http: null}
    tls:
      description: What the peer presented, or V(none) where it presented no certificate.
      type: dict
      returned: always
      contains:
        version:
          description: Version of TLS, or V(none) where the handshake was not completed.
          type: str
          returned: always
          sample: TLSv1.3
        issuer:
          description: Who issued the certificate, or V(none) where that cannot be told.
          type: str
          returned: always
          sample: CN=Example CA, O=Example
        not_after:
          description: When the certificate ends, or V(none) where that cannot be told.
          type: str
          returned: always
          sample: "2027-03-01T12:00:00Z"
        trusted:
          description:
            - Whether the host accepts the certificate for this name; V(none) where it has no certificate
              authorities to judge by.
          type: bool
          returned: always
          sample: true
        authority:
          description:
            - Whether the authority at the end of the chain is a V(public) one or a V(private) one; V(unknown)
              where there is no list of public authorities to tell by, or where nobody asked.
          type: str
          returned: always
          sample: public
        anchor:
          description: The authority at the end of the chain, or V(none) where that cannot be told.
          type: str
          returned: always
          sample: CN=Example Root CA, O=Example
    java:
      description: How the trust stores of JVMs judge the same peer.
      type: list
      elements: dict
      returned: always
      contains:
        store:
          description: The trust store.
          type: str
          returned: always
          sample: /usr/lib/jvm/java-17-openjdk-amd64/lib/security/cacerts
        trusted:
          description: Whether a JVM with it accepts the certificate; V(none) where that is not known.
          type: bool
          returned: always
          sample: true
        reason:
          description: Why it is not known.
          type: str
          returned: always
    http:
      description: The answer to the HEAD request, or V(none) where none was sent or none came.
      type: dict
      returned: always
      sample: {status: 200}
    samples:
      description: What became of the attempts, where O(count) is more than V(1).
      type: dict
      returned: always
      contains:
        count:
          description: How many attempts were made.
          type: int
          returned: always
        connected:
          description: How many of them connected.
          type: int
          returned: always
        loss_percent:
          description: How many of a hundred did not.
          type: float
          returned: always
        p50_ms:
          description: The median of the milliseconds that those which connected took.
          type: float
          returned: always
        max_ms:
          description: The longest of them.
          type: float
          returned: always
        outcomes:
          description: How often there was which outcome.
          type: dict
          returned: always
    findings:
      description: What else was noticed, such as a difference between the trust of the host and that of its JVM.
      type: list
      elements: str
      returned: always
    message:
      description: See RV(message).
      type: str
      returned: always
      sample: See above
"""

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cbops.telemetry.plugins.module_utils._answer import answer
from ansible_collections.cbops.telemetry.plugins.module_utils.outcomes._outcomes import EXPECTATIONS
from ansible_collections.cbops.telemetry.plugins.module_utils.probe._spec import SPEC

ARGUMENTS: Dict[str, Dict[str, Any]] = dict(
    SPEC, expect={"type": "str", "choices": list(EXPECTATIONS), "default": "any"}
)


def main() -> None:
    """Translate the options, probe, judge by what is expected."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    result = answer("connectivity_probe", module.params, module.check_mode)
    if result.get("failed"):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()

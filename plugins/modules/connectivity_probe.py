#!/usr/bin/python
# Copyright (c) The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Probe one endpoint from the managed host: documentation and options; the work is in _connectivity."""

DOCUMENTATION = r"""
module: connectivity_probe
short_description: Find out whether a host can reach the telemetry endpoint, and if not, why
version_added: 0.1.0
description:
  - Tells what C(nc -zv api.segment.io 443) and C(curl -v https://api.segment.io/) tell an administrator,
    from every host, as data. The name is looked up as the host itself does it, every address of the name is
    tried over TCP, and a TLS handshake is made and verified with the trust store of the host.
  - Not one byte of application data is sent. After the handshake the connection is closed.
  - The answer is one of a closed set of outcomes, each with a sentence that says what was seen and what to
    check. A name that does not exist, a refused port and a black hole are three different answers.
  - The O(timeout) bounds the whole probe, whatever the resolver, the network or the peer do.
author:
  - The cbops.telemetry maintainers (@cbops)
extends_documentation_fragment:
  - cbops.telemetry._attributes
  - cbops.telemetry._attributes.info_module
  - cbops.telemetry._attributes.actiongroup_telemetry
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
  timeout:
    description:
      - How many seconds the whole probe may take, lookup, connection and handshake together. Greater than
        V(0), at most V(60).
    type: float
    default: 5
  tls:
    description:
      - Whether to make a TLS handshake once connected. With V(false) the probe ends with the TCP
        connection.
    type: bool
    default: true
  expect:
    description:
      - What the task insists on.
      - With V(any) no answer of the network fails the task.
      - With V(reachable) the task fails unless the outcome is V(connected).
      - With V(blocked) the task fails unless nothing got through. An endpoint that answered is not blocked,
        even when its certificate was refused (V(tls_*)), since a JVM with another trust store may get on
        with it.
      - The outcome V(unknown) satisfies neither V(reachable) nor V(blocked), for it says nothing of the
        network.
    type: str
    choices: [reachable, blocked, any]
    default: any
notes:
  - Runs as any user; privileges are not needed. To see what a service sees, run it as the user of that
    service.
  - Only the direct path is probed, not a proxy that a product may be configured to use.
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
"""

RETURN = r"""
outcome:
  description:
    - What became of the probe.
    - V(unknown) is a failure of the host itself (no name server to ask, no route, no permission, no
      certificate authorities) that says nothing of the network.
    - V(tls_alert) also stands for a peer that answers with something other than TLS.
    - V(reset) also stands for a peer that closes the connection during the handshake.
    - V(dns_timeout) also stands for name servers that answer with a failure.
    - V(timeout) is an end of the time in the TCP connection or midway in the handshake; V(peer_silent) is a
      peer that accepts the connection and never says a byte.
    - Not given yet are V(tls_intercepted), V(http_error) and V(proxy_*).
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
probe:
  description:
    - The whole result, as it stands in the state document under C(connectivity).
  returned: success or unmet O(expect)
  type: dict
  contains:
    target:
      description: Host and port.
      type: str
      returned: always
      sample: api.segment.io:443
    via:
      description: The path that was probed.
      type: str
      returned: always
      sample: direct
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
    message:
      description: See RV(message).
      type: str
      returned: always
      sample: See above
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cbops.telemetry.plugins.module_utils._connectivity import EXPECTATIONS, meets, probe


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "host": {"type": "str", "default": "api.segment.io"},
            "port": {"type": "int", "default": 443},
            "timeout": {"type": "float", "default": 5},
            "tls": {"type": "bool", "default": True},
            "expect": {"type": "str", "choices": list(EXPECTATIONS), "default": "any"},
        },
        supports_check_mode=True,
    )
    host, port, timeout = module.params["host"], module.params["port"], module.params["timeout"]
    expect = module.params["expect"]
    if not host:
        module.fail_json(msg="host must not be empty")
    if not 0 < port < 65536:
        module.fail_json(msg=f"port must be between 1 and 65535, not {port}")
    if not 0 < timeout <= 60:
        module.fail_json(msg=f"timeout must be greater than 0 and at most 60 seconds, not {timeout:g}")

    entry = probe(host, port, timeout, module.params["tls"])
    result = {key: entry[key] for key in ("outcome", "address", "message")}
    result.update(changed=False, probe=entry)
    if not meets(entry["outcome"], expect):
        module.fail_json(
            msg=f"expected {entry['target']} to be {expect}: {entry['outcome']}. {entry['message']}", **result
        )
    module.exit_json(**result)


if __name__ == "__main__":
    main()

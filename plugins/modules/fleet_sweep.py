#!/usr/bin/python
# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: this action runs on the control node (plugins/action/fleet_sweep.py)."""

DOCUMENTATION = r"""
module: fleet_sweep
short_description: Audit many hosts from one process
version_added: 0.1.0
description:
  - Does what M(cbops.telemetry.telemetry_audit) does, for any number of hosts in one task that runs once on the control
    node. Each host is asked in one connection and one command, judged, and its evidence filed as its answer arrives.
    The evidence is the same, byte for byte.
  - Each host is asked by the ssh that Ansible would start, with what the inventory and ssh's own configuration say.
    What ssh trusts is trusted, and what it refuses is refused. A host with C(ansible_connection=local) is asked by a
    child process. Become is by sudo, with or without a password.
  - Hosts on the way (C(ProxyJump), and C(ProxyCommand) where it is C(ssh -W %h:%p)) are logged in to once for all hosts
    behind them.
  - Hosts with another connection plugin, another become plugin than sudo, or a terminal that is asked for are returned
    by name, and left to M(cbops.telemetry.telemetry_audit).
  - Changes nothing on the hosts.
author:
  - The cbops.telemetry maintainers (@cbops)
extends_documentation_fragment:
  - cbops.telemetry._attributes
  - cbops.telemetry._attributes.action
  - cbops.telemetry._report
  - cbops.telemetry._report.hosts
options:
  mode:
    description:
      - V(auto) asks every host that it can serve, V(never) leaves all of them to the ordinary way.
    type: str
    choices: [auto, never]
    default: auto
  connections:
    description:
      - How many hosts are asked at the same time, from 1 to 1000. A host that is slow gives its place to the next one
        and is waited for beside it.
    type: int
    default: 32
  per_place:
    description:
      - How many hosts with the same address and port are asked at the same time, from 1 to 1000. sshd hangs up on some
        of many that log in at once (C(MaxStartups)); a host that is hung up on before it was let in is asked again.
    type: int
    default: 8
  limit:
    description:
      - Seconds after which a host has not answered, whatever it is doing, from 1 to 3600. The C(timeout) of Ansible's
        connections holds for connecting.
    type: float
    default: 60
notes:
  - With C(-v) the reasons for which hosts were left to the ordinary way are shown.
seealso:
  - module: cbops.telemetry.telemetry_audit
  - module: cbops.telemetry.fleet_report
"""

EXAMPLES = r"""
- name: Audit all hosts of the play that ssh reaches
  cbops.telemetry.fleet_sweep:
    hosts: "{{ ansible_play_hosts }}"
  become: true
  register: swept

- name: Show which are left
  ansible.builtin.debug:
    var: swept.unserved
  run_once: true
"""

RETURN = r"""
served:
  description: How many hosts have evidence now.
  returned: always
  type: int
verdicts:
  description: How many of them have which verdict.
  returned: always
  type: dict
hosts:
  description: Each of them with its C(verdict) and C(reasons), as M(cbops.telemetry.telemetry_audit) returns them.
  returned: always
  type: dict
  sample: {cm1: {verdict: compliant, reasons: []}}
unserved:
  description: The hosts that are left to the ordinary way, each with the reason.
  returned: always
  type: dict
"""

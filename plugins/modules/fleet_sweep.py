#!/usr/bin/python
# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: this action runs on the control node (plugins/action/fleet_sweep.py)."""

DOCUMENTATION = r"""
module: fleet_sweep
short_description: Audit, plan, enforce or probe many hosts from one process
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
  - With any O(ask) but V(enforce) it changes nothing on the hosts.
author:
  - The cbops.telemetry maintainers (@cbops)
extends_documentation_fragment:
  - cbops.telemetry._attributes
  - cbops.telemetry._attributes.action
  - cbops.telemetry._report
  - cbops.telemetry._report.hosts
options:
  ask:
    description:
      - V(audit) judges the hosts and files their evidence.
      - V(plan) finds out what M(cbops.telemetry.telemetry_plan) finds out of each host, with the same words.
      - V(enforce) does what the playbook C(enforce) does to hosts that need neither a restart nor Ansible's own
        modules. A host that owes nothing is judged and its evidence filed, by the same answer that says so.
      - Where C(telemetry_restart) is V(never), V(enforce) edits a host that owes an edit as
        M(cbops.telemetry.telemetry_flag) does, and then audits it. In check mode, and where differences are shown, it
        is left instead.
      - Left are also hosts with templates of the user's, those that are held to a plan, that owe a C(daemon-reload) or
        a restart, whose restarts wait until they are idle, and whose edit was refused.
      - V(probe) asks each host what M(cbops.telemetry.connectivity_probe) asks it in the playbook C(probe), whatever
        its policy is, and shows what they saw. No evidence is filed, and no answer of the network fails the task.
    type: str
    choices: [audit, plan, enforce, probe]
    default: audit
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
entries:
  description: What a plan says of each host that is not left.
  returned: with O(ask=plan)
  type: dict
probes:
  description: What each host that is not left saw, by endpoint and path; see M(cbops.telemetry.connectivity_probe).
  returned: with O(ask=probe)
  type: dict
  sample: {cm1: [{target: "api.segment.io:443", via: direct, outcome: connected, message: "Connection succeeded"}]}
missed:
  description:
    - The hosts that did not look, because they could not be asked or their program failed, each with the reason.
  returned: with O(ask=probe)
  type: dict
edited:
  description: The hosts that were edited, also those that are left for something else, each with its files.
  returned: with O(ask=enforce)
  type: dict
  sample: {cm1: [/etc/default/cloudbees-core-cm]}
serial:
  description: How many of the hosts that are left stand in each batch of all hosts, without batches of none.
  returned: with O(ask=enforce)
  type: list
  elements: int
"""

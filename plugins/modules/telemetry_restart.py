#!/usr/bin/python
# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: this action runs on the control node (plugins/action/telemetry_restart.py)."""

DOCUMENTATION = r"""
module: telemetry_restart
short_description: Restart what owes a restart, and wait until it runs with the desired value
version_added: 0.1.0
description:
  - Reads the state of the host. A restart is owed where the next start would have the desired value and the
    running JVM has another. That comparison needs no earlier task, so a run that broke off is healed by the next.
  - Restarts through what starts the service, because a restart from the user interface does not read the launch
    file again. That is systemd, an init script, supervisord (C(supervisorctl)), runit (C(sv)) or OpenRC
    (C(rc-service)); supervisord and runit only where the running JVM is seen to be theirs. What is started otherwise
    (cron, a container, monit, a user's unit, by hand) is not restarted, and RV(deferred) says so.
  - Then the service must be active and new processes must run, with the desired value, and where its URL is known the
    controller must serve requests again (not its "please wait" page). All of that must stay so for O(settle) seconds,
    with the same processes and without a restart by the service manager.
  - Services of one host are restarted one after the other, each once the one before it stays up. A failure stops those
    that follow, and the message names them.
  - Otherwise what this run has edited is put back, unless somebody has changed it since, and the service is restarted
    once more. The message says whether it is up then, and what it said last (the journal's last lines, without values
    that may be secret).
  - With O(when_idle) the controller starts no new builds and is restarted once none runs any more.
author:
  - The cbops.telemetry maintainers (@cbops)
extends_documentation_fragment:
  - cbops.telemetry._attributes
  - cbops.telemetry._attributes.action
  - cbops.telemetry._attributes.actiongroup_telemetry
  - cbops.telemetry._host
options:
  launch_scripts:
    description: Launch scripts that no service manager starts, as in M(cbops.telemetry.telemetry_info).
    type: list
    elements: str
    default: []
  state:
    description: The desired value. With V(unmanaged) only O(toggle) is policy, and a new JVM may run with either.
    type: str
    choices: [disabled, enabled, unmanaged]
    required: true
  switches:
    description:
      - Other properties of the JVM that are policy, as O(cbops.telemetry.telemetry_flag#module:switches). A restart is
        owed for one of them alone, too, and the new JVM must run with each that its next start had.
      - Nothing is restarted for one thing where another would be worse by it than it is now.
    type: list
    elements: dict
    default: []
  toggle:
    description:
      - How CloudBees' own checkbox is to be. A restart is owed where it was set after the start of the JVM.
    type: str
    choices: [unmanaged, disabled, enabled]
    default: unmanaged
  when_idle:
    description:
      - Quiet the controller down through its HTTP interface and restart it when no build runs, Pipelines included.
        Where builds still run after O(idle_timeout), they go on, new ones are started again, and the restart is
        reported as deferred. Needs O(url), O(user) and O(token), or O(controllers). A service whose URL is not known is
        not restarted, which is reported too.
    type: bool
    default: false
  idle_timeout:
    description: Seconds to wait for running builds.
    type: int
    default: 900
  reason:
    description: What the controller tells its users while it is quieted down.
    type: str
    default: Restart to apply the telemetry policy (cbops.telemetry)
  url:
    description:
      - URL of the controller or operations center, as reached from the control node.
      - Counts on a host with one installation alone, as it says of no service whose URL it is; see O(controllers).
    type: str
  user:
    description: A user with the permission Overall/Manage or Overall/Administer.
    type: str
  token:
    description: An API token of that user (not the password, which would need a crumb).
    type: str
  ca_file:
    description: Certificates of the authority that signed the controller's, a PEM file on the control node.
    type: path
  allow_http:
    description:
      - Send O(token) to an address of C(http://), where whoever listens can read it. Without, it is not sent there,
        also not on this machine.
    type: bool
    default: false
  controllers:
    description:
      - Of a host with several installations, how the controller of each service is reached, by the name of the service
        (as in RV(services), also without C(.service)). Each is a dictionary with C(url), and C(user), C(token),
        C(ca_file) and C(allow_http) as above. It counts before O(url).
    type: dict
    default: {}
  window:
    description:
      - When restarts are allowed. Outside of it the restart is reported as deferred.
    type: dict
    suboptions:
      zone:
        description: Time zone by its IANA name, such as V(Europe/Berlin).
        type: str
        required: true
      allow:
        description: Times such as V(Mon-Fri 22:00-04:00), always where it is left out.
        type: list
        elements: str
      deny:
        description: Times and days such as V(2026-12-20..2027-01-06). They beat O(window.allow).
        type: list
        elements: str
  allow:
    description:
      - What a restart may start beside the flag. V(war) is another war than the JVM was started with, V(java) another
        Java, V(unit) a unit file or drop-in that somebody else has changed since the JVM's start, V(plugins) plugins
        that the product unpacks at its next start. A service whose restart would start what is not named here is not
        restarted, and RV(deferred) says why.
      - A war that is not there, or is no whole zip archive (an upgrade that is copied by half), is never started.
      - What cannot be found out, and a launch file that somebody else has changed, stops no restart.
    type: list
    elements: str
    choices: [war, java, unit, plugins]
    default: []
  max_failures:
    description:
      - Failed restarts of a whole run, over all batches, after which nothing more is restarted in it.
    type: int
    default: 0
  timeout:
    description: Seconds to wait for the new process, and for the controller to be ready.
    type: int
    default: 300
  settle:
    description:
      - Seconds for which a service must stay up before its restart has succeeded. A JVM that ends after some seconds,
        or that the service manager starts again and again, has not come up.
    type: int
    default: 30
  group:
    description:
      - Hosts of one group are restarted one by one, whatever the number of forks. So are hosts with the same
        C(JENKINS_HOME) where that is the same folder of the same export of a file server. Name here what shares a home
        in another way.
    type: str
    default: ""
seealso:
  - module: cbops.telemetry.telemetry_flag
"""

EXAMPLES = r"""
- name: Restart what still sends, replicas of one controller one by one
  cbops.telemetry.telemetry_restart:
    state: disabled
    group: payments-controller
  become: true

- name: Restart when no build runs, at night
  cbops.telemetry.telemetry_restart:
    state: disabled
    when_idle: true
    url: https://cm1.example.com/
    user: telemetry
    token: "{{ vault_cm1_token }}"
    window:
      zone: Europe/Berlin
      allow: [Mon-Fri 22:00-04:00]
      deny: [2026-12-20..2027-01-06]
  become: true

- name: Several controllers on a host, each drained through its own URL
  cbops.telemetry.telemetry_restart:
    state: disabled
    when_idle: true
    controllers:
      cm-a.service:
        url: https://cm-a.example.com/
        user: telemetry
        token: "{{ vault_cm_a_token }}"
      supervisord program cm-b:
        url: https://cm-b.example.com/
        user: telemetry
        token: "{{ vault_cm_b_token }}"
  become: true
"""

RETURN = r"""
services:
  description:
    - Services that owe a restart, such as V(cm-b.service) or V(supervisord program ci); of an installation that nothing
      of ours restarts its name. Where RV(deferred) is null and nothing failed all were restarted (in check mode, would
      be).
  returned: always
  type: list
  elements: str
restarted:
  description: Those that were restarted, in that order, also where the last one failed.
  returned: always
  type: list
  elements: str
deferred:
  description: Which services were put off although they owe a restart, and why; null where none was.
  returned: always
  type: str
rolled_back:
  description: Launch files that were put back because a service did not come back.
  returned: always
  type: list
  elements: str
state:
  description: The state document after the restart.
  returned: always
  type: dict
"""

#!/usr/bin/python
# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inspect one host: documentation and options; the work is in _answer."""

DOCUMENTATION = r"""
module: telemetry_info
short_description: Read the telemetry state of every operations center and controller on a host
version_added: 0.1.0
description:
  - Finds the CloudBees CI operations centers and controllers (and OSS Jenkins packages) of a host by what
    their services really start, follows the launch files to the C(java) command, and reads the running JVMs.
  - Three clocks are reported apart, because they disagree. C(on_disk) is what the files say, C(next_start)
    what the next start would do with what the service manager has loaded, C(running) what the JVM runs with.
  - Nothing is changed and nothing that is read is executed (O(attach) says what asking a JVM does). What
    cannot be known without running something is C(unresolvable) or C(unknown), with its reason, file and line.
  - No option of a launch file other than the telemetry flag is ever returned.
author:
  - The cbops.telemetry maintainers (@cbops)
extends_documentation_fragment:
  - cbops.telemetry._attributes
  - cbops.telemetry._attributes.info_module
  - cbops.telemetry._attributes.actiongroup_telemetry
  - cbops.telemetry._probe.connectivity
options:
  root:
    description:
      - Where the file system to inspect is mounted. Another root than V(/) inspects an image or a chroot;
        then processes and the service manager are not looked at, and the result says so.
    type: path
    default: /
  launch_scripts:
    description:
      - Launch scripts that no service manager starts, by absolute path as seen from O(root).
      - Arguments that a script wants stand behind its path, as in C(/opt/ci/ctl.sh start). Both are taken apart as by a
        shell, so a blank in a path has a backslash before it, unless the whole is the path of a file.
      - A script that a unit starts is found without being named.
    type: list
    elements: path
    default: []
  attach:
    description:
      - With V(auto) each running JVM is asked for the flag itself, by C(jcmd) where a JDK is on the host, else
        in the attach protocol of HotSpot. This is the only proof that also sees what was set inside the JVM.
        It starts a listener thread in the JVM, as every use of C(jcmd) does, and sends SIGQUIT to a JVM that
        does not listen yet. A JVM which does not catch that signal, or which forbids attaching, gets none.
      - A JVM that takes the signal and has no time to answer may write a thread dump into its log later.
      - With V(never), and where a JVM cannot be asked, its command line, environment and option files are read
        instead, and the result says that its C(proof) is the weaker one.
    type: str
    choices: [auto, never]
    default: auto
  events:
    description:
      - With V(disk) the plugins of each JENKINS_HOME, and those that its war brings, are read for the events that
        they say they send, as M(cbops.telemetry.analytics_events_info) does it. They are then a member C(events) of
        each installation.
    type: str
    choices: [never, disk]
    default: never
    version_added: 0.1.0
  senders:
    description:
      - Looks at all that may send beside the analytics plugin, too (docs/senders.md); the installations of the result
        have C(senders) and C(switches) then.
    type: dict
    suboptions:
      switches:
        description:
          - Properties and variables of the environment that are looked at beside those of the table, each on the three
            clocks.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: The name of the property, as it stands behind C(-D), or of the variable.
            type: str
            required: true
          kind:
            description:
              - V(property) is a property of the JVM, V(environment) a variable of its environment.
            type: str
            choices: [property, environment]
            default: property
          off_value:
            description: The value with which nothing is sent; of a property only V(true) or V(false).
            type: str
            choices: ["true", "false", "1", "0", "yes", "no", "on", "off"]
            default: "true"
      threads:
        description:
          - Counts the threads of each running JVM that are in a client of Segment's, by the packages of their frames.
            It asks the JVM for a thread dump, as C(jcmd PID Thread.print) does. Evidence, and no verdict.
        type: bool
        default: false
notes:
  - Run it with C(become). Without, launch files and the environment of foreign processes cannot be read, and
    what depends on them is C(unknown).
seealso:
  - module: cbops.telemetry.telemetry_flag
  - module: cbops.telemetry.connectivity_probe
  - module: cbops.telemetry.analytics_events_info
"""

EXAMPLES = r"""
- name: Read the state of this host
  cbops.telemetry.telemetry_info:
  become: true
  register: telemetry

- name: Say which installations still send
  ansible.builtin.debug:
    msg: "{{ item.name }} runs with telemetry {{ item.running }}"
  loop: "{{ telemetry.state.installations }}"
  when: item.running != 'disabled'

- name: Inspect a mounted image before it is rolled out
  cbops.telemetry.telemetry_info:
    root: /mnt/image
  become: true

- name: Look at a launch script that no service starts, and probe the endpoint
  cbops.telemetry.telemetry_info:
    launch_scripts:
      - /opt/cloudbees/cm/start.sh
    connectivity:
      timeout: 3
  become: true
"""

RETURN = r"""
state:
  description:
    - The state document (C(cbops.telemetry/state/1)).
  returned: success
  type: dict
  contains:
    schema:
      description: Name and version of the document's schema.
      type: str
      sample: cbops.telemetry/state/1
    host:
      description: Where it was read, and as which user.
      type: dict
    installations:
      description:
        - One entry an installation, with C(name), C(product), C(packaging), C(service), C(home), C(launch)
          (the live file, variable and reader), C(declarations) (every mention of the flag, live or dead, and
          why), C(on_disk), C(next_start), C(running), each with a C(_detail), and C(processes), each with C(pid),
          C(started), C(value), C(source) and C(proof) (V(jcmd), V(attach) or, weaker, V(cmdline+environ)).
        - C(settings) has the versions of the plugins that send (C(analytics_plugin), C(license_tracker_plugin)),
          C(no_usage_statistics), C(product_version) and C(proxy) from JENKINS_HOME and the war. Null was looked for
          and is not there, V(unknown) could not be read; C(details) has the reason of each.
        - C(toggle) has CloudBees' own checkbox as configuration as code declares it (C(declared)) and as it lies in the
          home (C(on_disk)), each with C(collected), C(file), C(line) and C(reason).
        - With O(senders) each has C(senders) (what may send, whether it is there, on or off, and the proof of it),
          C(switches) (properties on the three clocks) and, if asked for, C(segment_threads).
      type: list
      elements: dict
    connectivity:
      description: Answers of the probe, empty where nothing was probed.
      type: list
      elements: dict
    warnings:
      description: What was noticed and belongs to no installation.
      type: list
      elements: str
"""

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cbops.telemetry.plugins.module_utils._answer import answer
from ansible_collections.cbops.telemetry.plugins.module_utils.probe._spec import SPEC

ARGUMENTS: Dict[str, Dict[str, Any]] = {
    "root": {"type": "path", "default": "/"},
    "launch_scripts": {"type": "list", "elements": "path", "default": []},
    "attach": {"type": "str", "choices": ["auto", "never"], "default": "auto"},
    "events": {"type": "str", "choices": ["never", "disk"], "default": "never"},
    "connectivity": {"type": "dict", "options": SPEC},
    "senders": {
        "type": "dict",
        "options": {
            "switches": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "kind": {"type": "str", "choices": ["property", "environment"], "default": "property"},
                    "off_value": {
                        "type": "str",
                        "choices": ["true", "false", "1", "0", "yes", "no", "on", "off"],
                        "default": "true",
                    },
                },
            },
            "threads": {"type": "bool", "default": False},
        },
    },
}


def main() -> None:
    """Translate the options, read, return."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    result = answer("telemetry_info", module.params, module.check_mode)
    if result.get("failed"):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()

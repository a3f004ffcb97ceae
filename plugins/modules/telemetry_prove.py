#!/usr/bin/python
# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prove the next start on the host itself: documentation and options; the work is in the package prove."""

DOCUMENTATION = r"""
module: telemetry_prove
short_description: Start a copy of every operations center and controller that never runs, and see what its JVM gets
version_added: 0.1.0
description:
  - Every other module reads launch files and concludes what the next start would do. This one starts it. The host's
    own systemd reads the service's unit a second time, its shells run the launch scripts, and instead of Java there is
    a program that waits until its arguments and environment were looked at.
  - That happens in namespaces of its own. Processes, network, mounts, users, IPC and control groups are apart from
    those of the host, every file system is an overlay whose upper layer is in memory, and memory, processes, CPU and
    time are bounded. The running service is not touched, no file of the host is written, and nothing is left.
  - Where that cannot be done safely it is refused with the reason. What was not seen is V(unknown), with its reason.
  - This executes the launch scripts of the host, in contrast to M(cbops.telemetry.telemetry_info). No audit uses it.
author:
  - The cbops.telemetry maintainers (@cbops)
extends_documentation_fragment:
  - cbops.telemetry._attributes
  - cbops.telemetry._attributes.actiongroup_telemetry
attributes:
  check_mode:
    support: full
    details:
      - In check mode nothing is started, so everything is V(unknown).
  diff_mode:
    support: none
options:
  name:
    description:
      - The installations to prove, by their names as M(cbops.telemetry.telemetry_info) gives them. All where it is
        left out.
    type: list
    elements: str
    default: []
  launch_scripts:
    description:
      - Launch scripts that no service manager starts, by absolute path. They are started as the user to whom the
        script belongs.
    type: list
    elements: path
    default: []
  timeout:
    description:
      - Seconds that one start may take, from V(5) to V(60). A host as a whole gets 80 seconds.
    type: int
    default: 20
notes:
  - Needs C(become), systemd 244 or newer, control groups of version 2 and user namespaces.
  - The host's journal notes the scope in which it ran.
seealso:
  - module: cbops.telemetry.telemetry_info
  - module: cbops.telemetry.telemetry_flag
"""

EXAMPLES = r"""
- name: What does the next start give?
  cbops.telemetry.telemetry_prove:
  become: true
  register: proved

- name: Say so
  ansible.builtin.debug:
    msg: "{{ item.name }} starts with telemetry {{ item.next_start }}{{ item.reason | default('', true) }}"
  loop: "{{ proved.proofs }}"
"""

RETURN = r"""
proofs:
  description: One entry an installation.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The installation.
      type: str
    service:
      description: Its unit; null for a launch script.
      type: str
    next_start:
      description: What its JVM was started with, V(disabled), V(enabled), or V(unknown).
      type: str
      sample: disabled
    reason:
      description: Why it is unknown.
      type: str
    refused:
      description: Whether nothing was started.
      type: bool
    on_disk:
      description: What the launch files say, as M(cbops.telemetry.telemetry_info) reads them.
      type: str
      sample: disabled
    agrees:
      description: Whether both say the same; null where one of them says nothing.
      type: bool
    jvms:
      description: How many JVMs were started on a war (or as Tomcat).
      type: int
    java:
      description: The first one's program.
      type: str
    program:
      description: What it was started on.
      type: str
    user:
      description: As whom it was started.
      type: str
    source:
      description: What set the flag, such as V(command line) or V(JAVA_TOOL_OPTIONS); null where nothing did.
      type: str
    environment:
      description: The names of its environment variables. No value and no other option is ever returned.
      type: list
      elements: str
notes:
  description: What was noticed while the launch files were read.
  returned: success
  type: list
  elements: str
"""

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cbops.telemetry.plugins.module_utils._answer import answer

ARGUMENTS: Dict[str, Dict[str, Any]] = {
    "name": {"type": "list", "elements": "str", "default": []},
    "launch_scripts": {"type": "list", "elements": "path", "default": []},
    "timeout": {"type": "int", "default": 20},
}


def main() -> None:
    """Translate the options, prove, return."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    result = answer("telemetry_prove", module.params, module.check_mode)
    if result.get("failed"):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which events an instance sends: documentation and options; the work is in the package events."""

DOCUMENTATION = r"""
module: analytics_events_info
short_description: List the events that the plugins of an instance say they send
version_added: 0.2.0
description:
  - CloudBees CI names its events in annotations of its plugins. This reads the plugin archives of every operations
    center and controller of a host (C(*.jpi), C(*.hpi), what lies unpacked beside them, the libraries in them, and
    the plugins that the war brings), and lists each event and property with its description, plugin and version.
    Nobody signs on anywhere, nothing that is read is run, and nothing is sent.
  - An event is C(seen) where a field has the annotation and its name is a constant. Whether the annotations are kept
    in class files is not documented. Where a class has none and gathers (it implements C(Gathering), itself or by
    what it extends within its plugin), its constants are each a C(candidate). What cannot be read is C(unknown), with
    the reason.
  - Each file that was not read is named with its reason in C(unread), so that what is missing is known to be missing.
  - What is listed is what the plugins say they can send. It proves neither that an event was sent nor that none was.
author:
  - The cbops.telemetry maintainers (@cbops)
extends_documentation_fragment:
  - cbops.telemetry._attributes
  - cbops.telemetry._attributes.info_module
  - cbops.telemetry._attributes.actiongroup_telemetry
options:
  root:
    description:
      - Where the file system to inspect is mounted. Another root than V(/) inspects an image or a chroot.
    type: path
    default: /
  launch_scripts:
    description:
      - Launch scripts that no service manager starts, by absolute path as seen from O(root).
    type: list
    elements: path
    default: []
  served:
    description:
      - A controller or operations center that is asked too, from the control node; the page behind I(see details) of
        CloudBees' checkbox lists what the instance sends. The checkbox' help is read, the first link in it, and the
        page there, on the address of O(served.url) alone. A link that leads elsewhere is not followed.
      - Its markup is not documented. A table, definitions, a list or headings with text are read; what is none of
        them is V(unknown), with the reason. No form is ever posted.
    type: dict
    suboptions:
      url:
        description: Where it is reached.
        type: str
        required: true
      user:
        description: Who asks; needs the permission Overall/SystemRead.
        type: str
      token:
        description:
          - The API token of that user, from a vault. It is not sent to the host, nor without TLS, also not on this
            machine; see O(served.allow_http).
        type: str
      ca_file:
        description: Certificates that count for it, on the control node.
        type: str
      allow_http:
        description: Send the token to an address of C(http://), where whoever listens can read it.
        type: bool
        default: false
notes:
  - Run it with C(become). Without, a JENKINS_HOME can often not be read, and its events are C(unknown).
  - A host with several hundred plugins is read in some ten seconds; after 90 what is not read yet is named as that.
seealso:
  - module: cbops.telemetry.telemetry_info
"""

EXAMPLES = r"""
- name: Which events can the instances of this host send?
  cbops.telemetry.analytics_events_info:
  become: true
  register: analytics

- name: Show them, a line an event
  ansible.builtin.debug:
    msg: "{{ item.1.plugin }} {{ item.1.version }}: {{ item.1.events | map(attribute='name') | join(', ') }}"
  loop: "{{ analytics.installations | subelements('events.plugins') }}"
  loop_control:
    label: "{{ item.0.name }}"

- name: Ask the controller itself, too
  cbops.telemetry.analytics_events_info:
    served:
      url: https://cm1.example.com
      user: auditor
      token: "{{ vault_auditor_token }}"
  become: true

- name: Compare with an image before it is rolled out
  cbops.telemetry.analytics_events_info:
    root: /mnt/image
  become: true
"""

RETURN = r"""
installations:
  description: One entry an installation.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The installation, as M(cbops.telemetry.telemetry_info) names it.
      type: str
    product:
      description: Whether it is an operations center or a controller.
      type: str
    product_version:
      description: The version of its war.
      type: str
    home:
      description: Its JENKINS_HOME.
      type: str
    carried:
      description:
        - What every event would carry beside its own properties, as far as that is known. The instance's id and the
          licensed organisation are never read; that they would be sent is what is said here.
      type: list
      elements: str
      sample:
        - "the instance's id (not read)"
        - "the product: controller"
        - "its version: 2.504.3.1"
        - "the licensed organisation (not read)"
    events:
      description:
        - C(mark) is V(seen), V(candidate) or V(unknown), the best that is known of any event. C(archives) and
          C(classes) say how much was read. C(plugins) has one entry a plugin that has to do with events, sorted, with
          C(plugin), C(version), C(file), C(mark), a C(note) where it is not what runs, and C(events). C(unread) names
          each file that was not read, with its C(reason).
        - An event has C(kind) (V(event), V(property) or V(candidate)), C(name) (null where it is no constant), C(mark),
          C(summary), C(field), C(file) (archive, V(!) and entry) and C(retention) of its annotation; a property the
          names of its C(events).
      type: dict
served:
  description:
    - What the product itself lists; C(mark) is V(seen), with C(events) (C(name), C(summary)) and the C(page), or
      V(unknown) with the C(reason).
  returned: where O(served) is given
  type: dict
notes:
  description: What was noticed and belongs to no installation.
  returned: success
  type: list
  elements: str
"""

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cbops.telemetry.plugins.module_utils._answer import answer

ARGUMENTS: Dict[str, Dict[str, Any]] = {
    "root": {"type": "path", "default": "/"},
    "launch_scripts": {"type": "list", "elements": "path", "default": []},
    # For the control node: the action takes it away before a host is asked.
    "served": {
        "type": "dict",
        "options": {
            "url": {"type": "str", "required": True},
            "user": {"type": "str"},
            "token": {"type": "str", "no_log": True},
            "ca_file": {"type": "str"},
            "allow_http": {"type": "bool", "default": False},
        },
    },
}


def main() -> None:
    """Translate the options, read, return."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    result = answer("analytics_events_info", module.params, module.check_mode)
    if result.get("failed"):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()

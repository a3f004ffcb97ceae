# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CloudBees' checkbox in a user's own configuration as code: ``{{ text | cbops.telemetry.with_toggle }}``."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._bundle import WORDS, NotSet
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._bundle import with_toggle as made

DOCUMENTATION = r"""
name: with_toggle
short_description: A file of configuration as code with CloudBees' checkbox off, or on
version_added: 0.2.0
description:
  - Gives back the text of a C(jenkins.yaml) in which
    C(unclassified.usageStatisticsCloudBees.usageStatisticsCollected) is as it is wanted. The one value is replaced, or
    the key is added; everything else, with comments, order, quotes and line ends, stays as it is.
  - A text in which that would be a guess (aliases, tags, merged keys, variables, several documents) fails with the
    lines to write by hand.
author:
  - The cbops.telemetry maintainers (@cbops)
positional: state
options:
  _input:
    description: The text of the file.
    type: str
    required: true
  state:
    description: What the checkbox shall be.
    type: str
    choices: [disabled, enabled]
    default: disabled
"""

EXAMPLES = r"""
- name: The bundle in a checkout of its repository, by the policy
  ansible.builtin.copy:
    content: "{{ lookup('ansible.builtin.file', path, rstrip=false) | cbops.telemetry.with_toggle(telemetry_toggle) }}"
    dest: "{{ path }}"
    mode: preserve
  vars:
    path: "{{ playbook_dir }}/bundles/cm1/jenkins.yaml"
  delegate_to: localhost
"""

RETURN = r"""
_value:
  description: The text.
  type: str
"""


def with_toggle(text: Any, state: str = "disabled") -> str:
    """The text with CloudBees' checkbox off (``disabled``) or on (``enabled``)."""
    if state not in WORDS:
        raise AnsibleFilterError(f"with_toggle: state is {state!r}; it may be disabled or enabled")
    if not isinstance(text, str):
        raise AnsibleFilterError(f"with_toggle: the text must be a string, not {type(text).__name__}")
    try:
        return made(text, state)
    except NotSet as error:
        raise AnsibleFilterError(f"with_toggle: {error}") from error


class FilterModule:
    """Filters of this collection."""

    def filters(self) -> dict[str, Any]:
        """Name to function."""
        return {"with_toggle": with_toggle}

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The telemetry flag in a user's own templates: ``{{ opts | cbops.telemetry.with_flag }}``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.cbops.telemetry.plugins.module_utils.java._jvm import (
    FLAG,
    PROPERTY,
    get_boolean,
    is_mention,
    mention_value,
)

DOCUMENTATION = r"""
name: with_flag
short_description: JVM options with the telemetry flag, or without it
version_added: 0.1.0
description:
  - Gives back JVM options such that a JVM started with them has telemetry disabled, or enabled. Everything else in
    them stays as it is.
  - For users who template their own launch scripts. Files that are there already are edited by
    P(cbops.telemetry.telemetry_flag#module).
author:
  - The cbops.telemetry maintainers (@cbops)
positional: state
options:
  _input:
    description:
      - Options as one string, separated by blanks as a shell would split them, or as a list with one option an item.
    type: raw
    required: true
  state:
    description: What telemetry shall be.
    type: str
    choices: [disabled, enabled]
    default: disabled
"""

EXAMPLES = r"""
- name: Options as a string, in a template of a launch script
  ansible.builtin.debug:
    msg: "exec java {{ '-Xmx4g -Da=b' | cbops.telemetry.with_flag }} -jar /opt/cm/cloudbees-core-cm.war"

- name: Options as a list, by the policy of the host
  ansible.builtin.debug:
    msg: "{{ ['-Xmx4g', '-Dnote=two words'] | cbops.telemetry.with_flag(telemetry_desired) }}"
"""

RETURN = r"""
_value:
  description: The options, of the same type as the input.
  type: raw
"""

_IN_STRING = re.compile(r"(?<!\S)-D" + re.escape(PROPERTY) + r"(?:=\S*)?(?!\S)")


def _from_list(options: Sequence[Any], disable: bool) -> list[Any]:
    mentions = [str(option) for option in options if isinstance(option, str) and is_mention(option)]
    if disable == (bool(mentions) and get_boolean(mention_value(mentions[-1]))):
        return list(options)
    kept = [option for option in options if not (isinstance(option, str) and is_mention(option))]
    return [*kept, FLAG] if disable else kept


def _from_string(options: str, disable: bool) -> str:
    mentions = _IN_STRING.findall(options)
    if disable == (bool(mentions) and get_boolean(mention_value(mentions[-1]))):
        return options
    kept = re.sub(r"[ \t]?" + _IN_STRING.pattern, "", options)
    if not disable:
        return kept if options[:1].isspace() else kept.lstrip(" \t")
    return f"{kept} {FLAG}" if kept.strip() else FLAG


def with_flag(options: Any, state: str = "disabled") -> Any:
    """The options with the telemetry flag (``disabled``) or without it (``enabled``)."""
    if state not in ("disabled", "enabled"):
        raise AnsibleFilterError(f"with_flag: state is {state!r}; it may be disabled or enabled")
    if isinstance(options, str):
        return _from_string(options, state == "disabled")
    if isinstance(options, Sequence):
        return _from_list(options, state == "disabled")
    raise AnsibleFilterError(f"with_flag: options must be a string or a list, not {type(options).__name__}")


class FilterModule:
    """Filters of this collection."""

    def filters(self) -> dict[str, Any]:
        """Name to function."""
        return {"with_flag": with_flag}

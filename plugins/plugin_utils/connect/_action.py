# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all actions have in common: options that are checked by one table, and what is done with them.

Private to this collection. Runs on the control node.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ansible import context
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars

from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._filing import refuse_facts
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._slice import Slice, slice_of

#: Options that several actions take, as all of them do.
LAUNCH_SCRIPTS: dict[str, Any] = {"type": "list", "elements": "str", "default": []}
ATTACH: dict[str, Any] = {"type": "str", "choices": ["auto", "never"], "default": "auto"}
REPORTS_DIR: dict[str, Any] = {"type": "str"}
#: Which slice of several a run is.
SLICE: dict[str, Any] = {"type": "raw"}
#: Whom the actions ask that reconcile ledgers.
OPERATIONS_CENTERS: dict[str, Any] = {
    "type": "list",
    "elements": "dict",
    "default": [],
    "options": {
        "url": {"type": "str", "required": True},
        "user": {"type": "str"},
        "token": {"type": "str", "no_log": True},
        "ca_file": {"type": "path"},
        "allow_http": {"type": "bool", "default": False},
    },
}
HOSTS: dict[str, Any] = {"type": "list", "elements": "str", "required": True}


class Action(ActionBase):
    """An action: :attr:`ARGUMENTS` says which options it takes, :meth:`act` what it does.

    The documentation in ``plugins/modules`` says the same of the options; a test holds the two together.
    """

    TRANSFERS_FILES = False
    #: The options, as Ansible's argument specs have them.
    ARGUMENTS: ClassVar[Mapping[str, Any]] = {}
    #: Whether it is done once for all hosts, in the name of one, whose facts then must not decide.
    FOR_ALL_HOSTS: ClassVar[bool] = False

    _variables: dict[str, Any]
    _arguments: dict[str, Any]

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ansible's way in. Raises AnsibleError for options that are wrong."""
        super().run(tmp, task_vars)
        self._variables = task_vars or {}
        if self.FOR_ALL_HOSTS:
            refuse_facts(self._variables)
        self._arguments = self.checked()
        return self.act(self._arguments, self._variables)

    def checked(self) -> dict[str, Any]:
        """The task's options, with the defaults of those that were left out. Raises AnsibleError."""
        _result, arguments = self.validate_argument_spec(argument_spec=dict(self.ARGUMENTS))
        return dict(arguments)

    def act(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Do it; the result of the task. ``variables`` are the host's. Raises AnsibleError."""
        raise NotImplementedError


class LocalAction(Action):
    """One that stays on the control node, so that no connection is made for it."""

    _requires_connection = False

    def slice(self, given: Any) -> Slice | None:
        """The slice of several that this run is, by its option and AWX's variables. Raises AnsibleError."""
        try:
            return slice_of(given, load_extra_vars(self._loader))
        except ValueError as error:
            raise AnsibleActionFail(f"slice (telemetry_slice): {error}") from error

    def limit(self, variables: dict[str, Any], slice_: Slice | None, hosts: Sequence[str]) -> str | None:
        """Which part of the inventory this run is about, where whoever started it said so.

        None where these ``hosts``, and those of the play, are all of it, whatever words chose them.
        """
        chosen = load_extra_vars(self._loader).get("telemetry_hosts")
        # Not the variable `ansible_limit`: without --limit a fact of that name, which a host made up, would be it.
        limit = context.CLIARGS.get("subset") or (None if chosen is None else self._templar.template(chosen))
        everywhere = set(variables["groups"]["all"])
        is_all = everywhere <= set(hosts) and everywhere <= set(variables.get("ansible_play_hosts_all") or ())
        parts = [visible(str(limit))] if limit and not is_all else []
        return "; ".join([*parts, *([slice_.words()] if slice_ else [])]) or None

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries the module of the same name to the host in one round trip; the product itself is asked from here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.cbops.telemetry.plugins.modules.analytics_events_info import ARGUMENTS
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._carrier import CarriedModule
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._access import Access
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._events import served


class ActionModule(CarriedModule):
    """Action behind M(cbops.telemetry.analytics_events_info)."""

    ARGUMENTS = ARGUMENTS

    def act(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Ask the host, which gets no token; then the product, where that is wanted."""
        wanted = arguments.pop("served", None)
        checked = ArgumentSpecValidator({"served": ARGUMENTS["served"]}).validate({"served": wanted} if wanted else {})
        if checked.error_messages:
            token = str(wanted.get("token") or "") if isinstance(wanted, Mapping) else ""
            message = "; ".join(checked.error_messages)
            raise AnsibleActionFail(f"served: {message.replace(token, '…') if token else message}")
        result = self.ask(self._task.action, arguments, variables)
        if wanted and not result.get("failed"):
            options = checked.validated_parameters["served"]
            user, token = options["user"] or "", options["token"] or ""
            result["served"] = served(Access(options["url"], user, token, options["ca_file"], options["allow_http"]))
        return result

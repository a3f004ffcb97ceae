# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries the module of the same name to the host in one round trip."""

from __future__ import annotations

from ansible_collections.cbops.telemetry.plugins.modules.telemetry_prove import ARGUMENTS
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._carrier import CarriedModule, ready

ready("telemetry_prove")


class ActionModule(CarriedModule):
    """Action behind M(cbops.telemetry.telemetry_prove)."""

    ARGUMENTS = ARGUMENTS

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether products are asked for what their hosts do not know, and a state without what a host says in their name.

Private to this collection. Runs on the control node. Small: most runs ask no product, and need not load what asks one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

TOGGLE, EVENTS = "telemetry_toggle_served", "telemetry_events"
#: What a host may say of where its toggle is known from: as java/_toggle.INFERRED.
INFERRED = "inferred name"


def wants_toggle(variables: Mapping[str, Any]) -> bool:
    """Whether the product is asked for its toggle, by a host's variables. Raises TypeError: it is no yes or no."""
    return bool(boolean(variables.get(TOGGLE) or False))


def wants_events(variables: Mapping[str, Any]) -> bool:
    """Whether the product is asked for its events, by a host's variables."""
    return bool(variables.get(EVENTS) == "served")


def wants_any(variables: Mapping[str, Any]) -> bool:
    """Whether the product is asked at all; who judges says where the policy is not valid."""
    try:
        return wants_events(variables) or wants_toggle(variables)
    except (TypeError, ValueError):
        return False


def alone(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """A state as its host alone may describe it."""
    entries = [without_events(without_toggle(entry)) for entry in state.get("installations") or []]
    return {**state, "installations": entries}


def without_toggle(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """An installation as its host alone may describe it: no page was read there."""
    toggle = entry.get("toggle")
    if not isinstance(toggle, Mapping):
        return entry
    toggle = {name: value for name, value in toggle.items() if name != "served"}
    disk = toggle.get("on_disk")
    if isinstance(disk, Mapping) and disk.get("mark") not in (None, INFERRED):
        toggle["on_disk"] = {**disk, "mark": INFERRED}
    return {**entry, "toggle": toggle}


def without_events(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """An installation without events that its host says it serves."""
    events = entry.get("events")
    if not isinstance(events, Mapping) or "served" not in events:
        return entry
    return {**entry, "events": {name: value for name, value in events.items() if name != "served"}}

"""Products are asked where the inventory wants it; what asks them is not even loaded elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from ansible_collections.cbops.telemetry.plugins.module_utils.java import _toggle
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._filing import with_products
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product import _wished as wished
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._events import with_events
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._served import with_served

PLANTED = {
    "toggle": {"collected": False, "served": {"collected": False}, "on_disk": {"collected": False, "mark": "page"}},
    "events": {"found": [], "served": {"events": []}},
}


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"telemetry_toggle_served": False, "telemetry_events": "disk"},
        {"telemetry_toggle_served": "maybe"},
        {"telemetry_toggle_served": ["yes"]},
        {"telemetry_toggle_served": "maybe", "telemetry_events": "served"},
        {"telemetry_toggle_served": True},
        {"telemetry_events": "served"},
    ],
    ids=str,
)
def test_it_is_the_state_that_asking_both_would_give(variables: dict[str, Any]) -> None:
    state = {"installations": [{"name": "x", **PLANTED}, {"name": "y", "toggle": 1}], "other": 1}
    found = with_products(state, variables)
    assert found == with_events(with_served(state, variables), variables)
    assert with_products({"installations": None}, variables) == {"installations": []}


def test_what_a_host_says_for_its_product_is_left_out() -> None:
    (found,) = with_products({"installations": [PLANTED]}, {})["installations"]
    assert found == {
        "toggle": {"collected": False, "on_disk": {"collected": False, "mark": _toggle.INFERRED}},
        "events": {"found": []},
    }


def test_a_name_that_is_inferred_is_told_alike_here_and_on_a_host() -> None:
    assert wished.INFERRED == _toggle.INFERRED


@pytest.mark.parametrize("action", ["fleet_sweep", "telemetry_audit", "fleet_report"])
def test_an_audit_loads_nothing_that_asks_products_or_probes(action: str) -> None:
    plugins = "ansible_collections.cbops.telemetry.plugins"
    script = f"import {plugins}.action.{action}; import sys; print(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert f"{plugins}.plugin_utils.connect._action" in loaded
    dear = ("product._client", "product._page", "product._events_page", "product._served", "product._events")
    assert loaded.isdisjoint(
        {*(f"{plugins}.plugin_utils.{name}" for name in dear), f"{plugins}.module_utils.host._files"}
        | {f"{plugins}.module_utils.probe._connectivity", "urllib.request", "http.client"}
    )

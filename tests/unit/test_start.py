"""What a run loads before it asks the first host: Ansible compiles all of it anew each time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect import _carrier as carrier
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._formats import FORMATS

#: By Ansible's own loader, as in a run.
LOAD = """
import importlib, json, sys
from ansible.plugins.loader import init_plugin_loader
init_plugin_loader([])
prefix = "ansible_collections.cbops.telemetry.plugins."
for name in sys.argv[1:]:
    importlib.import_module(prefix + name)
print(json.dumps([name[len(prefix):] for name in sys.modules if name.startswith(prefix)]))
"""


def in_a_run(program: str, *words: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", program, *words],
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(Path(__file__).parents[2] / ".build/collections")},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout


def loaded(*names: str) -> set[str]:
    return set(json.loads(in_a_run(LOAD, *names)))


def test_an_audit_loads_what_an_audit_needs() -> None:
    found = loaded("action.fleet_scope", "action.fleet_waivers", "action.fleet_sweep", "action.fleet_report")
    assert "plugin_utils.connect._carrier" in found and "modules.telemetry_info" in found
    assert not [
        name for name in found if name.startswith(("module_utils.edit", "module_utils.prove", "plugin_utils.restart"))
    ]
    assert not found & {f"plugin_utils.report._{name}" for name in FORMATS}
    assert not found & {"modules.telemetry_flag", "modules.telemetry_prove", "modules.analytics_events_info"}


@pytest.mark.parametrize(
    ("action", "function"),
    [
        ("telemetry_audit", "telemetry_info"),
        ("telemetry_info", "telemetry_info"),
        ("telemetry_flag", "telemetry_flag"),
        ("telemetry_plan", "telemetry_flag"),
        ("telemetry_undo", "telemetry_flag"),
        ("telemetry_prove", "telemetry_prove"),
        ("connectivity_probe", "connectivity_probe"),
        ("analytics_events_info", "analytics_events_info"),
    ],
)
def test_who_asks_host_by_host_has_it_ready_before_ansible_forks(action: str, function: str) -> None:
    """Else each host's process would load it by itself."""
    assert f"modules.{function}" in loaded(f"action.{action}")


#: The same, in a process of its own: one in which Ansible's loader has taken over has loaded nothing without it before.
CARRIED = """
import importlib
from ansible.plugins.loader import init_plugin_loader
init_plugin_loader([])
carrier = importlib.import_module("ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._carrier")
assert set(carrier.ARGUMENTS) == set(carrier._BESIDE) and len(carrier.ARGUMENTS) == len(carrier._BESIDE)
print(all(carrier.ARGUMENTS[name] for name in carrier.ARGUMENTS))
"""


def test_every_module_that_is_carried_has_its_options() -> None:
    assert in_a_run(CARRIED).strip() == "True"
    with pytest.raises(KeyError):
        carrier.ARGUMENTS["os"]

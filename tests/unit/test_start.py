"""What a run loads before it asks the first host (Ansible compiles all of it anew each time), and its tasks."""

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


#: Says who starts a process for which task.
COUNTING = """
from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_NAME = "counting"

    def v2_playbook_on_stats(self, stats):
        total = sum(sum(one.values()) for one in (stats.ok, stats.failures, stats.dark, stats.skipped))
        self._display.display(f"tasks: {total}")
"""


def played(folder: Path, playbook: str, **variables: object) -> subprocess.CompletedProcess[str]:
    """A run on one host whose ssh ends at once."""
    (folder / "callbacks").mkdir()
    (folder / "callbacks/counting.py").write_text(COUNTING)
    (folder / "hosts.yml").write_text(
        "all:\n  hosts:\n    cm1.example.org:\n  vars:\n    telemetry_desired: disabled\n"
        "    ansible_ssh_executable: /bin/false\n"
    )
    root = Path(__file__).parents[2]
    return subprocess.run(
        [
            Path(sys.executable).with_name("ansible-playbook"),
            *("-i", folder / "hosts.yml", "-e", f"telemetry_reports_dir={folder / 'reports'}"),
            *("-e", json.dumps(variables), playbook),
        ],
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(root / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(root / ".build/collections"),
            "ANSIBLE_CALLBACK_PLUGINS": str(folder / "callbacks"),
            "ANSIBLE_CALLBACKS_ENABLED": "counting",
            "ANSIBLE_HOME": str(folder / "home"),
        },
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("playbook", ["audit", "plan"])
def test_where_all_is_well_there_are_six_tasks(tmp_path: Path, playbook: str) -> None:
    """Each takes a process of Ansible's: the inventory (twice), the waivers, the sweep, who is left, the report or the plan."""
    done = played(tmp_path, f"cbops.telemetry.{playbook}", telemetry_fail_on=[])
    assert "tasks: 6" in done.stdout, done.stdout + done.stderr


#: The second report of a run finds nothing to hold a host to; the first did.
LIFTED = """
- ansible.builtin.import_playbook: cbops.telemetry.audit
  vars: {telemetry_fail_on: FIRST, __telemetry_hold_later: true}
- ansible.builtin.import_playbook: cbops.telemetry.report
  vars: {telemetry_fail_on: SECOND, __telemetry_hold_later: true}
- ansible.builtin.import_playbook: cbops.telemetry.hold
"""


@pytest.mark.parametrize(("first", "second", "status"), [("[unknown]", "[]", 0), ("[]", "[unknown]", 2)])
def test_the_last_report_of_a_run_says_who_is_held(tmp_path: Path, first: str, second: str, status: int) -> None:
    playbook = tmp_path / "lifted.yml"
    playbook.write_text(LIFTED.replace("FIRST", first).replace("SECOND", second))
    done = played(tmp_path, str(playbook))
    assert done.returncode == status, done.stdout + done.stderr
    assert ("Hold this host to its policy" in done.stdout) == bool(status)


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

"""What users of a good collection expect: an artifact that runs by itself, limits, tags, vaulted policy, check mode."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from fleethand import BIN, CHECKOUT, FLAG, Fleet

from tests.matrix import worst
from tests.matrix.session import Failed, Session

SOME = ("bullseye-oc-deb", "trixie-oss")
UNTOUCHED = ("bullseye-cm-rpm", "bookworm-oss")  # by the other tests of this file


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collection, built and installed from its artifact into a folder of its own."""
    folder = tmp_path_factory.mktemp("artifact")
    subprocess.run(["sh", CHECKOUT / "scripts/build", folder], check=True, capture_output=True)
    (artifact,) = folder.glob("cbops-telemetry-*.tar.gz")
    subprocess.run(
        [BIN / "ansible-galaxy", "collection", "install", "--offline", "-p", folder / "collections", artifact],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return folder / "collections"


def test_the_artifact_runs_without_the_repository(fleet: Fleet, installed: Path, tmp_path: Path) -> None:
    inventory = fleet.inventory({host: {} for host in SOME})
    environment = {"ANSIBLE_COLLECTIONS_PATH": str(installed), "ANSIBLE_PIPELINING": "true"}
    for name, verdict in (("audit", "violation"), ("enforce", "restart_pending")):
        done = fleet.play(name, "-vv", inventory=inventory, cwd=tmp_path, environment=environment)
        assert set(done.verdicts().values()) == {verdict}, done.output
        assert str(installed) in done.output
        assert str(CHECKOUT / "playbooks") not in done.output
    probe = fleet.play("probe", inventory=inventory, cwd=tmp_path, environment=environment)
    assert probe.code == 0
    assert probe.output.count("Connection to api.segment.io port 443 [tcp/https] succeeded!") >= len(SOME)
    done = fleet.play(
        "enforce", "-e", "telemetry_desired=enabled", inventory=inventory, cwd=tmp_path, environment=environment
    )
    assert done.code == 0


def test_the_artifact_holds_what_users_need_and_no_more(installed: Path) -> None:
    (artifact,) = installed.parent.glob("cbops-telemetry-*.tar.gz")  # what is installed gets .pyc files when it runs
    with tarfile.open(artifact) as archive:
        names = {member.name for member in archive if member.isfile()}
    for needed in (
        "README.md",
        "LICENSE",
        "playbooks/audit.yml",
        "roles/telemetry/meta/argument_specs.yml",
        "plugins/modules/telemetry_info.py",
        "plugins/module_utils/survey/_survey.py",
        "inventory.example/hosts.yml",
    ):
        assert needed in names
    for name in names:
        assert not name.startswith((".ci", ".venv", ".build", "tests/fleet", "tests/unit", "reports")), name
        assert not name.endswith(".pyc"), name


def test_documentation_of_every_plugin_can_be_shown(installed: Path) -> None:
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(installed)}
    for module in sorted((CHECKOUT / "plugins/modules").glob("*.py")):
        done = subprocess.run(
            [BIN / "ansible-doc", f"cbops.telemetry.{module.stem}"],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "EXAMPLES" in done.stdout
    done = subprocess.run(
        [BIN / "ansible-doc", "-t", "role", "--json", "cbops.telemetry.telemetry"],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    entries = json.loads(done.stdout)["cbops.telemetry.telemetry"]["entry_points"]
    assert set(entries) == {"main", "audit", "sweep", "plan", "enforce", "probe", "prove", "restart", "undo"}


def test_limit_looks_at_the_limited_hosts_alone(fleet: Fleet) -> None:
    done = fleet.play("audit", "--limit", "trixie-oss")
    assert done.verdicts() == {"trixie-oss": "violation"}
    assert done.code == 2
    assert done.recap["trixie-oss"]["failed"] == 1


def test_tags_run_only_what_they_name(fleet: Fleet) -> None:
    before = fleet.launch_files()
    done = fleet.play("enforce", "--tags", "telemetry_audit")
    assert set(done.verdicts()) == set(fleet.hosts)
    assert fleet.launch_files() == before
    listed = fleet.inside(
        str(BIN / "ansible-playbook"), "cbops.telemetry.site", "--list-tags", "-i", str(fleet.inventory())
    )
    for tag in ("telemetry_audit", "telemetry_enforce", "telemetry_restart", "telemetry_probe"):
        assert tag in listed.stdout


def test_policy_from_a_vault(fleet: Fleet, tmp_path: Path) -> None:
    """A policy (or a password) may be encrypted: it is decrypted like any variable and checked like any policy."""
    (tmp_path / "password").write_text("the vault's own\n")
    (tmp_path / "policy.yml").write_text("telemetry_desired: enabled\n")
    subprocess.run(
        [BIN / "ansible-vault", "encrypt", "--vault-password-file", tmp_path / "password", tmp_path / "policy.yml"],
        check=True,
        capture_output=True,
    )
    assert "enabled" not in (tmp_path / "policy.yml").read_text()
    done = fleet.play(
        "audit",
        "-e",
        f"@{tmp_path / 'policy.yml'}",
        "--vault-password-file",
        str(tmp_path / "password"),
        inventory=fleet.inventory({host: {} for host in SOME}),
    )
    assert done.code == 0, done.output
    assert {item["policy"]["desired"] for item in done.report["hosts"]} == {"enabled"}


def test_become_password_from_the_inventory(fleet: Fleet) -> None:
    """sudo with a password: it reaches sudo, and never the output."""
    host = "bookworm-cm-deb"
    fleet.shell(
        host,
        "useradd -m -s /bin/sh keyholder; echo 'keyholder:pass-of-sudo' | chpasswd; "
        "install -d -o keyholder -m 700 /home/keyholder/.ssh; "
        "install -o keyholder -m 600 /home/ansible/.ssh/authorized_keys /home/keyholder/.ssh/; "
        "echo 'keyholder ALL=(ALL) ALL' > /etc/sudoers.d/keyholder",
    )
    try:
        done = fleet.play(
            "audit",
            "-vvv",
            inventory=fleet.inventory({host: {"ansible_user": "keyholder", "ansible_become_password": "pass-of-sudo"}}),
        )
        assert done.verdicts() == {host: "violation"}, done.output
        assert "pass-of-sudo" not in done.output
    finally:
        fleet.shell(host, "userdel -r keyholder 2>/dev/null; rm -f /etc/sudoers.d/keyholder")


def test_modules_by_themselves(fleet: Fleet, tmp_path: Path) -> None:
    """The three modules in a user's own playbook, without the role."""
    host = "trixie-oc-rpm"
    (tmp_path / "own.yml").write_text("""
- hosts: all
  gather_facts: false
  tasks:
    - cbops.telemetry.telemetry_flag: {state: disabled, name: [cloudbees-core-oc]}
      register: flag
    - cbops.telemetry.telemetry_info: {connectivity: {timeout: 3}}
      register: info
    - cbops.telemetry.connectivity_probe: {host: nowhere.segment.io}
      register: probe
    - ansible.builtin.assert:
        that:
          - flag is changed
          - flag.restart_required == ['cloudbees-core-oc.service']
          - flag.backup_files | length == 1
          - flag.state.installations[0].on_disk == 'disabled'
          - info is not changed
          - info.state.installations[0].product == 'operations_center'
          - info.state.installations[0].launch.variable == 'JENKINS_JAVA_OPTIONS'
          - info.state.connectivity[0].outcome == 'connected'
          - probe.outcome == 'dns_nxdomain'
          - probe is not changed
    - cbops.telemetry.telemetry_audit:
      register: audit
    - ansible.builtin.assert:
        that:
          - audit is not failed
          - audit.verdict == 'restart_pending'
          - "'a restart of cloudbees-core-oc.service is owed' in audit.reasons[0]"
    - cbops.telemetry.telemetry_flag: {state: enabled, backup: false}
      register: flag
    - cbops.telemetry.connectivity_probe: {expect: blocked}
      register: probe
      failed_when: probe is not failed
    - cbops.telemetry.telemetry_flag: {state: disabled, name: [no-such-thing]}
      register: flag
      failed_when: "'not installed here: no-such-thing' not in flag.msg"
""")
    done = fleet.inside(
        str(BIN / "ansible-playbook"),
        str(tmp_path / "own.yml"),
        "-i",
        str(fleet.inventory({host: {}})),
        "-e",
        f"telemetry_reports_dir={tmp_path}",
    )
    assert done.returncode == 0, done.stdout + done.stderr


ENTRIES = """
- hosts: all
  gather_facts: false
  vars_files: [variables.yml]
  tasks:
    - {ansible.builtin.import_role: {name: cbops.telemetry.telemetry}}
    - {ansible.builtin.import_role: {name: cbops.telemetry.telemetry, tasks_from: sweep}}
    - ansible.builtin.include_role: {name: cbops.telemetry.telemetry, tasks_from: "{{ item }}"}
      loop: [plan, probe, prove]
    - cbops.telemetry.fleet_plan:
        hosts: "{{ ansible_play_hosts_all }}"
        registered: __telemetry_planned
        reports_dir: "{{ telemetry_reports_dir }}"
      run_once: true
    - ansible.builtin.assert:
        that:
          - __telemetry_planned.entry.edits | length == 1
          - __telemetry_probed.probes[0].outcome == 'connected'
          - __telemetry_proved.proofs[0].next_start == 'enabled'
          - __telemetry_proved.proofs[0].agrees
    # The policy of each host from somewhere else: a vault, text that is no template, a loop.
    - ansible.builtin.include_role: {name: cbops.telemetry.telemetry, tasks_from: audit}
      vars: {telemetry_desired: "{{ each }}"}
      loop: [enabled, "{{ secret }}"]
      loop_control: {loop_var: each}
"""


def test_every_entry_point_of_the_role_in_plays_of_ones_own(fleet: Fleet, tmp_path: Path) -> None:
    """Each by its documented name; the last three by the examples of the role's README."""
    host, reports = "trixie-oss", tmp_path / "reports"
    before = fleet.launch_files(host)[host]
    (tmp_path / "password").write_text("the vault's own\n")
    vaulted = subprocess.run(
        [
            BIN / "ansible-vault",
            "encrypt_string",
            "--vault-password-file",
            tmp_path / "password",
            "enabled",
            "--name",
            "secret",
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    (tmp_path / "variables.yml").write_text(
        f"{vaulted}\ntelemetry_desired: !unsafe disabled\ntelemetry_sweep: auto\ntelemetry_waiver: ''\n"
        f"telemetry_backup: 'yes'\ntelemetry_settle: '1'\n"
    )
    examples = re.findall(r"```yaml\n(.*?)```", (CHECKOUT / "roles/telemetry/README.md").read_text(), re.DOTALL)
    inventory = str(fleet.inventory({host: {}}, telemetry_desired=None, telemetry_settle=None))

    def run(play: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "own.yml").write_text(play.replace("hosts: cloudbees", "hosts: all"))
        return fleet.inside(
            str(BIN / "ansible-playbook"),
            str(tmp_path / "own.yml"),
            "-i",
            inventory,
            "-e",
            f"telemetry_reports_dir={reports}",
            *arguments,
            cwd=tmp_path,
            environment={"ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".build/collections")},
        )

    def verdict() -> str:
        return str(json.loads((reports / f"evidence/{host}.json").read_text())["verdict"])

    audit, enforce, undo = examples
    done = run(ENTRIES, "--vault-password-file", str(tmp_path / "password"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert verdict() == "compliant"  # with telemetry on, as the last audit wanted
    assert fleet.launch_files(host)[host] == before

    done = run(enforce, "-e", "telemetry_backup=perhaps")
    assert done.returncode == 2
    assert "'telemetry_backup' is of type" in done.stdout, done.stdout
    assert "Valid booleans include" in done.stdout
    assert "changed=0" in done.stdout
    assert fleet.launch_files(host)[host] == before

    done = run(enforce + audit.replace("this_run: true", f"this_run: true\n        reports_dir: {reports}"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert verdict() == "restart_pending"
    assert json.loads((reports / "audit.json").read_text())["totals"]["restart_pending"] == 1
    (edit,) = (path for path in (reports / "changes").glob("*.jsonl") if '"edit"' in path.read_text())
    done = run(undo, "-e", f"run={edit.stem}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert fleet.launch_files(host)[host] == before


def test_a_launch_script_from_a_template(fleet: Fleet, tmp_path: Path) -> None:
    """The role renders a whole launch script of the user's; the filter puts the flag there by the policy."""
    host = "trixie-script"
    original = fleet.shell(host, "cat /opt/cloudbees/cm/start.sh")
    (tmp_path / "start.sh.j2").write_text(
        original.replace("exec java ", "exec java {{ java_options | cbops.telemetry.with_flag(telemetry_desired) }} ")
    )
    templates = [{"src": str(tmp_path / "start.sh.j2"), "dest": "/opt/cloudbees/cm/start.sh"}]
    inventory = fleet.inventory({host: {"telemetry_launch_templates": templates, "java_options": "-Da=b"}})
    done = fleet.play("enforce", inventory=inventory)
    assert done.verdicts() == {host: "restart_pending"}, done.output
    assert f"exec java -Da=b {FLAG} \\" in fleet.shell(host, "cat /opt/cloudbees/cm/start.sh")
    assert fleet.play("enforce", inventory=inventory).changed() == {host: 0}
    done = fleet.play("enforce", "-e", "telemetry_desired=enabled", inventory=inventory)
    assert done.verdicts() == {host: "compliant"}
    assert "exec java -Da=b \\" in fleet.shell(host, "cat /opt/cloudbees/cm/start.sh")


def _alone(output: str) -> dict[str, Any]:
    """The document, with which standard output begins; what is said on standard error comes after it."""
    assert output.startswith("{"), output
    return json.loads(output.splitlines()[0])


def test_the_worst_settings_that_a_user_may_have(fleet: Fleet, tmp_path: Path) -> None:
    """One host is dead, nothing is as here, and switches are text: the others are edited, audited and reported on."""
    worst.write(tmp_path)
    inventory = fleet.inventory(
        {**{host: {} for host in SOME}, "dead.example.org": {"ansible_host": "127.0.0.9", "ansible_port": 9}}
    )
    environment = {
        "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".build/collections"),
    }
    texts = ("-e", "telemetry_daemon_reload=no telemetry_backup=yes telemetry_settle=1")
    plan = fleet.play("plan", *texts, inventory=inventory, cwd=tmp_path, environment=environment)
    assert set(_alone(plan.output)["recap"]) <= {"dead.example.org", "localhost", *SOME}
    planned = json.loads((plan.reports / "plan.json").read_text())["hosts"]
    assert {entry["host"]: bool(entry["error"]) for entry in planned} == {
        **dict.fromkeys(SOME, False),
        "dead.example.org": True,
    }
    done = fleet.play("enforce", *texts, inventory=inventory, cwd=tmp_path, environment=environment)
    assert done.code in (2, 4), done.output
    assert done.verdicts() == {**dict.fromkeys(SOME, "restart_pending"), "dead.example.org": "unreachable"}
    document = _alone(done.output)
    assert {host for host, counts in document["recap"].items() if counts["failures"] or counts["unreachable"]} == {
        "dead.example.org"
    }, "each host for itself"
    assert document["custom"]["_run"]["telemetry"]["totals"]["restart_pending"] == len(SOME)
    assert Path(document["custom"]["_run"]["telemetry"]["manifest"]).is_file()


def test_a_switch_that_is_none_touches_nothing(fleet: Fleet) -> None:
    before = fleet.launch_files()
    done = fleet.play(
        "enforce", "-e", "telemetry_daemon_reload=perhaps", inventory=fleet.inventory({host: {} for host in SOME})
    )
    assert done.code == 2
    assert "telemetry_daemon_reload is 'perhaps'; it must be true or false" in done.output
    assert fleet.launch_files() == before


def test_the_oldest_core_that_is_promised(fleet: Fleet, installed: Path, tmp_path: Path) -> None:
    """A sample of `make matrix`: as meta/runtime.yml names it, from the package index, without this checkout."""
    runtime = yaml.safe_load((CHECKOUT / "meta/runtime.yml").read_text())
    oldest = re.fullmatch(r">=(\d+\.\d+)\.0", runtime["requires_ansible"])
    assert oldest
    (artifact,) = installed.parent.glob("cbops-telemetry-*.tar.gz")
    session = Session(oldest[1], artifact, hosts=UNTOUCHED, folder=tmp_path / "session")
    try:
        for step in (session.install, session.audit, session.plan, session.enforce, session.probe):
            step()
        assert session.versions()[0].startswith(f"{oldest[1]}.")
    except Failed as problem:
        pytest.fail(f"{problem}\n{(session.folder / 'log').read_text()}")

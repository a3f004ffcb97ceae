"""Which hosts a run is about, by Ansible itself: inventories that cannot be read, telemetry_hosts, unread variables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import VARIABLES
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._scope import parts_of, unparsed, unread_variables

CHECKOUT = Path(__file__).parent.parent.parent
PLAYBOOK = str(Path(sys.executable).with_name("ansible-playbook"))


def check(folder: Path, *arguments: str, cfg: str = "[defaults]\n") -> tuple[int, str, dict[str, str]]:
    """The playbook check_policy, which asks no host: exit code, output, and what became of each host."""
    (folder / "ansible.cfg").write_text(cfg)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    done = subprocess.run(
        [PLAYBOOK, "cbops.telemetry.check_policy", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
        env={
            **kept,
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".build/collections"),
        },
    )
    recap = done.stdout.partition("PLAY RECAP")[2].splitlines()
    return (
        done.returncode,
        done.stdout + done.stderr,
        {line.split()[0]: "failed" if "failed=0" not in line else "ok" for line in recap if " : " in line},
    )


def inventory(folder: Path, **variables: Any) -> Path:
    """Three hosts, two of them in a group; variables of all of them."""
    place = folder / "inventory"
    (place / "group_vars").mkdir(parents=True)
    (place / "hosts.json").write_text(
        json.dumps({"all": {"hosts": {"a": {}, "b": {}, "c": {}}, "children": {"cms": {"hosts": {"a": {}, "b": {}}}}}})
    )
    (place / "group_vars" / "all.json").write_text(json.dumps({"telemetry_desired": "disabled", **variables}))
    return place


BROKEN = {
    "a file of the folder": ("inventory/more.yml", "all: {hosts: {d: }\n", ("-i", "inventory")),
    "a source of its own": ("more.yml", "[[[\n", ("-i", "inventory", "-i", "more.yml")),
    "one that is not there": (None, "", ("-i", "inventory", "-i", "missing.yml")),
    "a script that fails": ("inventory/script.sh", "#!/bin/sh\nexit 3\n", ("-i", "inventory")),
    "with a limit": ("inventory/more.yml", "all: {hosts: {d: }\n", ("-i", "inventory", "--limit", "a")),
}


@pytest.mark.parametrize(("name", "text", "arguments"), BROKEN.values(), ids=BROKEN)
def test_an_inventory_that_cannot_be_read_whole_ends_the_run(
    tmp_path: Path, name: str | None, text: str, arguments: tuple[str, ...]
) -> None:
    inventory(tmp_path)
    if name:
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755 if text.startswith("#!") else 0o644)
    code, output, hosts = check(tmp_path, *arguments)
    assert code == 2, output
    assert f"the inventory cannot be read: {tmp_path / (name or 'missing.yml')}" in output
    assert "failed" in hosts.values()
    assert "Check the policy of every host" not in output


def test_none_of_it_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "broken.yml").write_text("[[[\n")
    code, output, _hosts = check(tmp_path, "-i", "broken.yml")
    assert code == 2
    assert f"the inventory cannot be read: {tmp_path}/broken.yml" in output


def test_what_ansible_passes_over_is_no_inventory(tmp_path: Path) -> None:
    place = inventory(tmp_path)
    for name in ("README.md", "notes.txt", "ansible.cfg", ".hidden", "hosts.json~"):
        (place / name).write_text("[[[\n")
    assert list(parts_of([str(place)])) == [str(place / "hosts.json")]
    code, output, hosts = check(tmp_path, "-i", "inventory", "-i", "d,")
    assert code == 0, output
    assert set(hosts) == {"localhost", "a", "b", "c", "d"}


def test_what_was_given_against_what_was_read() -> None:
    assert unparsed(["a,b", "/no/such"], ["a,b", None]) == ["/no/such"]
    default = "/etc/ansible/hosts"
    assert unparsed([default], []) == ([default] if Path(default).exists() else [])


@pytest.mark.parametrize(
    ("scope", "arguments", "seen"),
    [
        (None, (), {"a", "b", "c"}),
        ("cms", (), {"a", "b"}),
        ("cms:!b", (), {"a"}),
        ("cms", ("-e", "telemetry_hosts=c"), {"c"}),
        (None, ("-e", "telemetry_hosts=cms"), {"a", "b"}),
        ("cms", ("--limit", "b:c"), {"b"}),
    ],
)
def test_who_is_looked_at(tmp_path: Path, scope: str | None, arguments: tuple[str, ...], seen: set[str]) -> None:
    """telemetry_hosts, from group_vars/all or by -e."""
    inventory(tmp_path, **({"telemetry_hosts": scope} if scope else {}))
    code, output, hosts = check(tmp_path, "-i", "inventory", *arguments)
    assert code == 0, output
    assert set(hosts) - {"localhost"} == seen


def test_every_playbook_looks_at_the_same_hosts() -> None:
    said = {
        line.strip()
        for path in (CHECKOUT / "playbooks").glob("*.yml")
        for line in path.read_text().splitlines()
        if line.startswith("  hosts:") and "telemetry_hosts" in line
    }
    assert len(said) == 1 and "hostvars['localhost'].telemetry_hosts" in said.pop()


def test_no_play_depends_on_how_a_user_runs_plays() -> None:
    """strategy and any_errors_fatal of an ansible.cfg would end a run between the edit and its audit."""
    plays = [
        play
        for path in (CHECKOUT / "playbooks").glob("*.yml")
        for play in yaml.safe_load(path.read_text())
        if "hosts" in play
    ]
    assert len(plays) > 15
    for play in plays:
        assert play["strategy"] == "ansible.builtin.linear", play["name"]
        assert isinstance(play["any_errors_fatal"], bool), play["name"]


def test_nobody_matches(tmp_path: Path) -> None:
    inventory(tmp_path, telemetry_hosts="nobody")
    code, output, _hosts = check(tmp_path, "-i", "inventory")
    assert code == 2
    assert "The inventory has no hosts that match 'nobody'" in output


def test_variables_that_nobody_reads_are_named(tmp_path: Path) -> None:
    """group_vars of the working directory, where the inventory lies elsewhere."""
    (tmp_path / "work/group_vars/cms").mkdir(parents=True)
    (tmp_path / "work/host_vars").mkdir()
    (tmp_path / "work/group_vars/cms/policy.yml").write_text("---\n'telemetry_desired': enabled\n")
    (tmp_path / "work/host_vars/a.yml").write_text("ansible_user: jo\n")
    inventory(tmp_path)
    code, output, _hosts = check(tmp_path / "work", "-i", "../inventory")
    assert code == 0
    assert f"not read: group_vars/cms/policy.yml in {tmp_path}/work" in output
    assert unread_variables(tmp_path / "work", [str(tmp_path / "work/hosts")]) == []
    assert unread_variables(tmp_path / "inventory", [str(tmp_path / "inventory")]) == []


def test_a_variable_that_no_password_decrypts_ends_the_run(tmp_path: Path) -> None:
    """Named with host, variable and file; a file that is encrypted as a whole with its name."""
    place = inventory(tmp_path)
    (tmp_path / "password").write_text("the vault's own\n")
    vault = [str(Path(PLAYBOOK).with_name("ansible-vault"))]
    done = subprocess.run(
        [
            *vault,
            "encrypt_string",
            "--vault-password-file",
            str(tmp_path / "password"),
            "--name",
            "telemetry_desired",
            "disabled",
        ],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    (place / "host_vars").mkdir()
    (place / "host_vars/b.yml").write_text(done.stdout)
    code, output, _hosts = check(tmp_path, "-i", "inventory")
    assert code == 2 and "Check the policy of every host" not in output
    assert "b: telemetry_desired" in output and "host_vars/b.yml" in output, output
    code, output, hosts = check(tmp_path, "-i", "inventory", "--vault-password-file", str(tmp_path / "password"))
    assert code == 0 and "b" in hosts, output
    subprocess.run(
        [*vault, "encrypt", "--vault-password-file", str(tmp_path / "password"), str(place / "host_vars/b.yml")],
        check=True,
        capture_output=True,
        timeout=60,
    )
    code, output, _hosts = check(tmp_path, "-i", "inventory")
    assert code != 0 and "host_vars/b.yml" in output, output


def test_every_default_of_the_role_is_a_variable_that_users_may_set() -> None:
    """Else every audit by the role would find its policy not valid."""
    defaults = yaml.safe_load((CHECKOUT / "roles/telemetry/defaults/main.yml").read_text())
    assert set(defaults) <= set(VARIABLES)

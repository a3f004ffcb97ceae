"""An inventory as data: what is taken, and that nothing of what is refused is run, followed or handed on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy import _assessment
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._inventory import KEPT, InventoryError, take, write

CHECKOUT = Path(__file__).parent.parent.parent


def inventory(folder: Path, **files: str) -> str:
    """A folder with these files; `__` in a name is a slash."""
    for name, text in {"hosts.yml": "all: {hosts: {cm1: }}", **files}.items():
        path = folder / "inventory" / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(folder / "inventory")


def seen_by_ansible(folder: Path) -> dict[str, dict[str, object]]:
    """The variables of every host, as Ansible reads an inventory."""
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-inventory"), "-i", str(folder), "--list"],
        capture_output=True,
        text=True,
        check=True,
        cwd=CHECKOUT,
        timeout=60,
    )
    found = json.loads(done.stdout)["_meta"]["hostvars"]
    for variables in found.values():
        variables.pop("ansible_local", None)  # Ansible's own, where facts are no variables
    return found


def test_the_copy_says_what_the_inventory_says(tmp_path: Path) -> None:
    """Ansible reads both alike: YAML, INI, ranges, group_vars and host_vars, precedence, a file beside it."""
    source = inventory(
        tmp_path,
        **{
            "hosts.yml": """
all:
  vars: {telemetry_desired: enabled, telemetry_max_failures: 1}
  children:
    controllers:
      hosts: {"cm[01:03]": , cm9.example.org: {ansible_host: 2001:db8::9, ansible_port: 2222}}
      vars: {telemetry_restart: never, telemetry_max_failures: 2}
    payments: {children: {controllers: }}
""",
            "legacy": "[ocs]\noc1 ansible_user=jo telemetry_probe_via=\"['direct']\"\n[ocs:vars]\ntelemetry_sweep=auto\n",
            "README.md": "{{ not an inventory }}",
            "group_vars__all.yml": "telemetry_desired: disabled\ntelemetry_max_failures: 3\nansible_become: true",
            "group_vars__controllers__a.yaml": "telemetry_restart: now\ntelemetry_url: https://cm.example.org:8443/x",
            "group_vars__controllers__b.json": '{"telemetry_restart_window": {"zone": "UTC", "deny": ["2026-12-24"]}}',
            "host_vars__cm9.example.org": "telemetry_waiver: {until: 2026-12-31, reason: 'a: # b', approved_by: Jo}",
        },
    )
    write(take(source), tmp_path / "copy")
    original, copied = seen_by_ansible(Path(source)), seen_by_ansible(tmp_path / "copy")
    assert len(original) == 5
    assert copied == original
    assert copied["cm9.example.org"]["telemetry_restart"] == "now"


def test_a_file_alone_has_its_variables_beside_it(tmp_path: Path) -> None:
    inventory(tmp_path, **{"group_vars__all.yml": "telemetry_desired: enabled", "other.yml": "all: {hosts: {cm2: }}"})
    write(take("inventory/hosts.yml", str(tmp_path)), tmp_path / "copy")
    assert seen_by_ansible(tmp_path / "copy") == {"cm1": {"telemetry_desired": "enabled"}}


PIPE = "{{ lookup('pipe', 'touch /tmp/was-run') }}"
VARIABLES = [
    # templates, however they are written and wherever they stand
    f'telemetry_desired: "{PIPE}"',
    f'telemetry_waiver: {{until: x, reason: [a, {{deep: "{PIPE}"}}]}}',
    'telemetry_desired: "{% set x = 1 %}"',
    'telemetry_desired: "{# x #}"',
    'telemetry_desired: "{\\x7b 7*7 }}"',
    "telemetry_desired: |\n  x\n  {{ query('pipe', 'x') }}",
    "telemetry_desired: \"#jinja2: variable_start_string:'[['\"",
    f'telemetry_waiver: {{"{PIPE}": 1}}',
    f'"{PIPE}": 1',
    # what is Ansible's own in YAML and JSON
    "telemetry_desired: !unsafe x",
    "telemetry_desired: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  30",
    'telemetry_waiver: {"__ansible_vault": "x"}',
    'telemetry_waiver: {"__ansible_type": "x"}',
    "telemetry_token: !!python/object/apply:os.system [touch /tmp/was-run]",
    "telemetry_desired: !!binary aGk=",
    # variables of the connection and of Ansible
    "ansible_connection: local",
    "ansible_connection: community.docker.docker",
    "ansible_python_interpreter: /tmp/x",
    "ansible_python_interpreter: /usr/bin/python3 /tmp/x",
    "ansible_become_exe: /x",
    "ansible_shell_executable: /x",
    "ansible_ssh_common_args: -o ProxyCommand=x",
    "ansible_ssh_extra_args: x",
    "ansible_ssh_executable: /tmp/x",
    "ansible_host: -oProxyCommand=x",
    "ansible_user: -oProxyCommand=x",
    "ansible_host: a b",
    "ansible_port: 22 -o x",
    "ansible_host: [-oProxyCommand=x]",
    "ansible_become: [x]",
    "ansible_facts: {}",
    "ansible_remote_tmp: /x",
    "ansible_become_method: x",
    "ansible_python_interpreter: {x: 1}",
    # variables of the role, of Ansible's and of the user's
    "__telemetry_policy: {enforced: false}",
    "hostvars: {}",
    "omit: x",
    "groups: {}",
    "environment: {}",
    "x: 1",
    "gitops_pull_variables: {}",
    "TELEMETRY_DESIRED: x",
    "1: 2",
    "? [a]\n: b",
    "? telemetry_x y\n: z",
    "telemetry_url: file:///etc/shadow",
    "telemetry_url: -x",
    *(f"{name}: x" for name in KEPT),
    "telemetry_desired: disabled\ntelemetry_restart: now\ntelemetry_desired: unmanaged",
    "telemetry_waiver: {until: x, 'until': y}",
    "telemetry_probe_via: [{a: 1, a: 2}]",
    # no data, or too much of it
    "[a, b]",
    "x",
    "telemetry_desired: .nan",
    "telemetry_desired: .inf",
    "telemetry_waiver: {1: 2}",
    "a: &a [x]\ntelemetry_desired: *a",
    "telemetry_waiver: &a {x: *a}",
    "telemetry_waiver: {<<: {until: x}, a: *b}",
    "telemetry_desired: " + "[" * 500 + "]" * 500,
    "telemetry_desired: " + "9" * 5000,
    "a: [",
    "\x00",
    "--- 1\n--- 2",
]


@pytest.mark.parametrize("text", VARIABLES)
@pytest.mark.parametrize(
    "place", ["group_vars__all.yml", "host_vars__cm1", "group_vars__all__x.json", "hosts.yml", "host"]
)
def test_what_is_more_than_data_is_refused(tmp_path: Path, text: str, place: str) -> None:
    """In every place where a variable can stand."""
    inner = "\n".join("        " + line for line in text.splitlines())
    files = {"hosts.yml": f"all:\n  vars:\n{inner}\n", "host": f"all:\n  hosts:\n    cm1:\n{inner}\n"}
    source = inventory(tmp_path, **({"hosts.yml": files[place]} if place in files else {place: text}))
    with pytest.raises(InventoryError) as caught:
        take(source)
    assert "\n" not in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "line",
    [
        f'cm1 telemetry_desired="{PIPE}"',
        "cm1 ansible_connection=local",
        "localhost telemetry_desired=disabled",
        "cm1 telemetry_waiver=\"{'a': {'b': '{{ x }}'}}\"",
        "cm1 x=1",
        "cm1:22 ansible_ssh_executable=/x",
        "cm[0:99999999]",
        "cm[0:9999][0:9999]",
        "[all:vars]\nansible_ssh_common_args=-oProxyCommand=x",
        "[a]\n[b:children]\nmissing",
        "-oProxyCommand=x",
        "[x:vars]\ntelemetry_desired={{ x }}\n[x]",
        "cm1 telemetry_url=https://" + 40000 * "a",
    ],
)
def test_an_ini_file_is_held_to_the_same(tmp_path: Path, line: str) -> None:
    for name in ("old", "old.ini"):
        with pytest.raises(InventoryError):
            take(inventory(tmp_path / name, **{name: line + "\n"}))


@pytest.mark.parametrize(
    "name",
    [
        "localhost",
        "127.0.0.1",
        "-oProxyCommand=x",
        "a b",
        "../x",
        "cm[0:99999]",
        "cm[0:99][0:99]",
        "cm1;x",
        "",
        "cm1\n",
        "{{ x }}",
        "!all",
        "cm\u202e1",
    ],
)
def test_names_of_hosts_and_groups(tmp_path: Path, name: str) -> None:
    for number, shape in enumerate(
        ({"all": {"hosts": {name: None}}}, {name: {"hosts": {"cm1": None}}}, {"all": {"children": {name: None}}})
    ):
        if number and name.startswith(("localhost", "127")):
            continue
        with pytest.raises(InventoryError):
            take(inventory(tmp_path / str(number), **{"hosts.yml": json.dumps(shape)}))


@pytest.mark.parametrize(
    "shape",
    [
        "plugin: constructed",
        "all: {hosts: [cm1]}",
        "all: {hosts: {}, tasks: []}",
        "[]",
        "- hosts: all\n  tasks: []",
        "all: {children: {a: {children: {b: x}}}}",
    ],
)
def test_only_groups_hosts_and_variables_are_an_inventory(tmp_path: Path, shape: str) -> None:
    with pytest.raises(InventoryError):
        take(inventory(tmp_path, **{"hosts.yml": shape}))


@pytest.mark.parametrize(
    "name",
    [
        "evil.sh",
        "evil.py",
        "ansible.cfg",
        "vars_plugins__x.py",
        "inventory_plugins__x.py",
        "hosts.toml",
        "deeper__hosts.yml",
        "hosts.yml~",
    ],
)
def test_files_of_other_kinds_are_refused(tmp_path: Path, name: str) -> None:
    """A script also where it can be executed, because nobody asks whether it can be."""
    source = inventory(tmp_path, **{name: f"#!/bin/sh\ntouch {tmp_path}/was-run\necho '{{}}'\n"})
    (Path(source) / name.replace("__", "/")).chmod(0o755)
    with pytest.raises(InventoryError):
        take(source)
    assert not (tmp_path / "was-run").exists()


@pytest.mark.parametrize(
    "place",
    [
        "inventory",
        "inventory/hosts.yml",
        "inventory/group_vars",
        "inventory/group_vars/all.yml",
        "inventory/host_vars/cm1",
    ],
)
def test_no_link_is_followed_and_no_device_is_opened(tmp_path: Path, place: str) -> None:
    elsewhere = inventory(
        tmp_path / "elsewhere",
        **{"group_vars__all.yml": "telemetry_desired: disabled", "host_vars__cm1": "telemetry_desired: disabled"},
    )
    top = tmp_path / "top"
    top.mkdir()
    os.symlink(elsewhere, top / "inventory")
    if place != "inventory":
        (top / "inventory").unlink()
        inventory(top, **{"group_vars__all.yml": "", "host_vars__cm1": ""})
        take("inventory", str(top))
        moved = (top / place).rename(tmp_path / "moved")
        os.symlink(moved, top / place)
    with pytest.raises(InventoryError, match="link"):
        take("inventory", str(top))
    (top / place).unlink()
    os.mkfifo(top / place)
    with pytest.raises(InventoryError):
        take("inventory", str(top))


@pytest.mark.parametrize("source", ["../elsewhere", "a/inventory", "missing", "inventory/../../elsewhere"])
def test_a_path_does_not_lead_out(tmp_path: Path, source: str) -> None:
    inventory(tmp_path / "top")
    inventory(tmp_path)
    (tmp_path / "inventory").rename(tmp_path / "elsewhere")
    os.symlink(tmp_path, tmp_path / "top/a")
    with pytest.raises(InventoryError):
        take(source, str(tmp_path / "top"))


def test_what_is_kept_back_are_variables_of_ours() -> None:
    assert set(KEPT) <= set(_assessment.VARIABLES)


def test_aliases_cannot_make_more_of_a_file_than_it_is(tmp_path: Path) -> None:
    """A few hundred bytes that stand for 9**12 values, by aliases and by merging."""
    lines = ["a: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 13)]
    merged = ["a: &m0 {x: 1}"] + [f"a{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 9)}]}}" for n in range(1, 13)]
    for number, text in enumerate((lines, merged)):
        with pytest.raises(InventoryError, match="alias"):
            take(inventory(tmp_path / str(number), **{"group_vars__all.yml": "\n".join(text)}))

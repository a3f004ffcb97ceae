"""Who is to be asked and how, from the inventory: variables rendered by Ansible itself, connection options
resolved by Ansible's own ssh, paramiko and sudo plugins. No connection is made here."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path

LOCAL = {"local", "ansible.builtin.local"}
SSH = {"ssh", "smart", "ansible.builtin.ssh", "paramiko", "paramiko_ssh", "ansible.builtin.paramiko_ssh"}


class InventoryError(Exception):
    """The inventory cannot be used; the message says why."""


@dataclass
class Target:
    name: str
    kind: str = "ssh"  # ssh | local | "" (see problem)
    problem: str = ""
    address: str = ""
    port: int | None = None
    user: str = ""
    key_file: str = ""
    password: str = field(default="", repr=False)
    become: bool | None = None  # None: whatever is needed to be root
    become_user: str = "root"
    become_password: str = field(default="", repr=False)
    ssh_args: list = field(default_factory=list)  # as ssh takes them: -F file, -o Key=value, -J host
    check_host_keys: bool = True
    timeout: int = 10
    variables: dict = field(default_factory=dict, repr=False)  # telemetry_* only


def flag(value) -> bool:
    """Truth as Ansible means it: an INI inventory's `no` is a string."""
    return value is True or str(value).strip().lower() in ("yes", "true", "on", "1", "y", "t")


def targets(sources: list[str], pattern: str, vault_files: list[str]) -> list[Target]:
    # Imported late: the suite's own tests need no Ansible.
    from ansible import constants
    from ansible.errors import AnsibleError
    from ansible.inventory.manager import InventoryManager
    from ansible.parsing.dataloader import DataLoader
    from ansible.parsing.vault import get_file_vault_secret
    from ansible.plugins.loader import init_plugin_loader
    from ansible.template import Templar
    from ansible.utils.collection_loader import AnsibleCollectionConfig
    from ansible.vars.manager import VariableManager

    if AnsibleCollectionConfig.collection_finder is None:
        init_plugin_loader()
    for source in sources:
        if not source.endswith(",") and not Path(source).exists():
            raise InventoryError(f"the inventory {source} does not exist")
    loader = DataLoader()
    try:
        secrets = []
        for identity in [*constants.DEFAULT_VAULT_IDENTITY_LIST, *vault_files]:
            label, _unused, path = identity.rpartition("@")
            secret = get_file_vault_secret(filename=path, vault_id=label or "default", loader=loader)
            secret.load()
            secrets.append((label or "default", secret))
        if constants.DEFAULT_VAULT_PASSWORD_FILE and not vault_files:
            secret = get_file_vault_secret(filename=constants.DEFAULT_VAULT_PASSWORD_FILE, loader=loader)
            secret.load()
            secrets.append(("default", secret))
        loader.set_vault_secrets(secrets)
        inventory = InventoryManager(loader=loader, sources=sources)
        variables = VariableManager(loader=loader, inventory=inventory)
        # Who is audited is said for all of an inventory; a pattern narrows it, as --limit does.
        whole = variables.get_vars(host=inventory.get_host("localhost"), include_hostvars=False).get("telemetry_hosts")
        asked = str(Templar(loader=loader, variables={}).template(whole)) if whole else "all"
        narrow = {host.name for host in inventory.get_hosts(pattern or "all")}
        hosts = [host for host in inventory.get_hosts(asked) if host.name in narrow]
    except AnsibleError as problem:
        raise InventoryError(f"the inventory cannot be read: {problem}") from None
    if not hosts:
        of = f" among telemetry_hosts ({asked})" if asked != "all" else ""
        raise InventoryError(f"no host in {', '.join(sources)} matches {pattern or 'all'}{of} (or it cannot be parsed)")
    out = []
    for host in hosts:
        try:
            raw = variables.get_vars(host=host, include_hostvars=False)
            out.append(target(host.name, raw, loader))
        except AnsibleError as problem:
            first = str(problem).splitlines()[0]
            out.append(Target(host.name, "", f"the variables of this host cannot be read: {first}"))
    return out


def target(name: str, raw: dict, loader) -> Target:
    from ansible import constants
    from ansible.errors import AnsibleError
    from ansible.playbook.play_context import PlayContext
    from ansible.plugins.loader import become_loader, connection_loader
    from ansible.template import Templar

    templar = Templar(loader=loader, variables=raw)
    wanted = {
        key: value
        for key, value in raw.items()
        if key.startswith(("telemetry_", "ansible_ssh_", "ansible_become")) or key in CONNECTION
    }
    values, problem = {}, ""
    for key, value in wanted.items():
        try:
            values[key] = templar.template(value)
        except AnsibleError:
            if not key.startswith("telemetry_") or key in POLICY:
                problem = (
                    problem or f"{key} cannot be rendered: a variable in it is undefined, or a vault password missing"
                )
    policy = {key: value for key, value in values.items() if key.startswith("telemetry_")}
    if problem:
        return Target(name, "", problem, variables=policy)

    connection = str(values.get("ansible_connection") or constants.DEFAULT_TRANSPORT)
    if connection in LOCAL:
        out = Target(name, "local", variables=policy)
    elif connection in SSH:
        plugin = connection_loader.get("ansible.builtin.ssh", PlayContext())
        plugin.set_options(var_options=values)

        def option(key: str):
            value = plugin.get_option(key)
            return "" if value is None else value

        out = Target(name, "ssh", variables=policy)
        out.address = str(values.get("ansible_host") or values.get("ansible_ssh_host") or name)
        out.port = int(option("port")) if option("port") else None
        out.user = str(option("remote_user"))
        out.key_file = str(Path(option("private_key_file")).expanduser()) if option("private_key_file") else ""
        out.password = str(option("password"))
        out.check_host_keys = flag(option("host_key_checking"))
        out.timeout = int(option("timeout") or 10)
        # ssh_args hold Ansible's ControlPersist: one command per host has no use for it, but a -F, -J or -o
        # that somebody put there counts.
        out.ssh_args = [
            *without_master(shlex.split(str(option("ssh_args")))),
            *shlex.split(str(option("ssh_common_args"))),
            *shlex.split(str(option("ssh_extra_args"))),
        ]
    else:
        return Target(name, "", f"ansible_connection {connection} is not one that this suite can use", variables=policy)

    if "ansible_become" in values:
        out.become = flag(values["ansible_become"])
    method = str(values.get("ansible_become_method") or constants.DEFAULT_BECOME_METHOD)
    if out.become is not False and method not in ("sudo", "ansible.builtin.sudo"):
        out.kind, out.problem = "", f"ansible_become_method {method}: this suite can use sudo only"
        return out
    sudo = become_loader.get("ansible.builtin.sudo")
    sudo.set_options(var_options=values)
    out.become_user = str(sudo.get_option("become_user") or "root")
    out.become_password = str(sudo.get_option("become_pass") or "")
    return out


POLICY = (
    "telemetry_desired", "telemetry_connectivity", "telemetry_waiver", "telemetry_launch_scripts", "telemetry_toggle",
    "telemetry_switches", "telemetry_events",
)  # fmt: skip
CONNECTION = {
    "ansible_host", "ansible_port", "ansible_user", "ansible_password", "ansible_connection",
    "ansible_private_key_file",
    "ansible_host_key_checking", "ansible_timeout", "ansible_sudo_pass", "ansible_pipelining", "inventory_hostname",
}  # fmt: skip


def without_master(arguments: list[str]) -> list[str]:
    out: list[str] = []
    at = 0
    while at < len(arguments):
        if arguments[at] == "-o" and at + 1 < len(arguments):
            if not arguments[at + 1].lower().startswith("control"):
                out += arguments[at : at + 2]
            at += 2
            continue
        if arguments[at] != "-C" and not arguments[at].lower().startswith("-ocontrol"):
            out.append(arguments[at])
        at += 1
    return out

"""Who is to be asked, from testinfra's own options and URLs: each is honoured, or refused in words."""

from __future__ import annotations

import re
import shlex
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path

from testinfra.backend.base import BaseBackend

from . import inventory
from .inventory import InventoryError, Target

SCHEMES = ("paramiko", "ssh", "local")
#: What may stand behind a URL's "?": of how to connect, and of how to become root.
CONNECTING = ("ssh_config", "ssh_identity_file", "timeout")
BECOMING = ("sudo", "sudo_user")
#: Others that testinfra knows, and why they say nothing here.
ELSEWHERE = {
    "ansible_inventory": "it is for ansible://",
    "controlpersist": "a host is asked once, so no connection is kept for later",
    "force_ansible": "this suite never asks by running ansible",
}
#: Options of ssh that are understood without ssh, too.
BOTH = ("-F", "-o", "-J", "-i", "-p", "-l")
ACCOUNT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\$?")


@dataclass
class Asked:
    """What the command line says, by testinfra's names of its options."""

    hosts: str = ""
    connection: str = ""
    inventory: str = ""
    vault_files: list = field(default_factory=list)
    ssh_config: str = ""
    ssh_extra_args: str = ""
    ssh_identity_file: str = ""
    sudo: bool = False
    sudo_user: str = ""
    force_ansible: bool = False


def targets(asked: Asked) -> list[tuple[Target, str]]:
    """Each host and the backend that asks it. Raises InventoryError."""
    if asked.force_ansible:
        raise InventoryError("--force-ansible: this suite never asks by running ansible")
    pattern, query = _pattern(asked.hosts)
    named = query.pop("ansible_inventory", "")
    source = str(Path(named).expanduser()) if named else asked.inventory
    if source:
        found = _of_inventory(asked, source, pattern, query)
    elif "ansible://" in asked.hosts:
        raise InventoryError("ansible:// needs --ansible-inventory=PATH, or ?ansible_inventory=PATH behind it")
    elif asked.hosts or asked.connection == "local":
        found = [_of_url(spec, asked.connection) for spec in (asked.hosts or "local://").split(",") if spec]
    else:
        raise InventoryError("no hosts: give --ansible-inventory=PATH, or --hosts=HOST,… with --telemetry-desired")
    for target, backend, said in found:
        _say(target, said)
        if target.kind != "local":
            _defaults(target, backend, asked, said)
        _become(target, asked, said)
    return [(target, backend) for target, backend, _said in found]


def _of_inventory(asked: Asked, source: str, pattern: str, query: dict[str, str]) -> list[tuple[Target, str, dict]]:
    backend = {"": "paramiko", "ansible": "paramiko"}.get(asked.connection, asked.connection)
    if backend not in ("paramiko", "ssh"):
        raise InventoryError(
            f"--connection={backend}: hosts of an inventory are asked by paramiko or ssh, and where it says"
            " ansible_connection: local, on this machine"
        )
    if "://" in pattern:
        raise InventoryError(
            f"--hosts={pattern}: with an inventory it is an Ansible pattern; paramiko or ssh is chosen by --connection"
        )
    return [(one, backend, query) for one in inventory.targets([source], pattern, asked.vault_files)]


def _pattern(hosts: str) -> tuple[str, dict[str, str]]:
    """The Ansible pattern in --hosts, and what stands behind its "?" (which alone is a wildcard of patterns)."""
    text = ",".join(part.removeprefix("ansible://") for part in hosts.split(","))
    found = re.fullmatch(r"([^?]*(?:\?(?!\w+=)[^?]*)*)\?(\w+=.*)", text)
    if not found or "ansible://" not in hosts:
        return text, {}
    if "," in found[2]:
        raise InventoryError(f"--hosts={hosts}: one query for all of an inventory, at the end (a comma in it is %2C)")
    return found[1], _query(hosts, found[2], ("ansible_inventory", *CONNECTING, *BECOMING))


def _of_url(spec: str, connection: str) -> tuple[Target, str, dict]:
    scheme, sep, rest = spec.partition("://")
    rest, _mark, query = (rest if sep else spec).partition("?")
    scheme = scheme if sep else "local" if rest == "localhost" and connection in ("", "local") else connection
    scheme = scheme or "paramiko"
    if scheme not in SCHEMES:
        what = f"--hosts={spec}" if sep else f"--connection={connection}"
        raise InventoryError(f"{what}: this suite connects by {', '.join(SCHEMES)}")
    if scheme == "local":
        if rest not in ("", "localhost"):
            raise InventoryError(f"--hosts={spec}: another host is not asked on this machine; that is local://")
        return Target("localhost", "local"), scheme, _query(spec, query, BECOMING)
    try:
        found = BaseBackend.parse_hostspec(rest)
        port = int(found.port) if found.port else None
    except ValueError:
        raise InventoryError(f"--hosts={spec}: a port is a number, and an IPv6 address stands in [ ]") from None
    if found.password:
        raise InventoryError("a password has no place on a command line: put it into the inventory, vaulted")
    if not found.name or "/" in rest:
        raise InventoryError(f"--hosts={spec}: it should read {scheme}://[user@]host[:port][?key=value&…]")
    target = Target(found.name, address=found.name, port=port, user=found.user or "")
    return target, scheme, _query(spec, query, (*CONNECTING, *BECOMING))


def _query(spec: str, text: str, known: tuple[str, ...]) -> dict[str, str]:
    """What stands behind the "?" of a URL. Raises InventoryError for what cannot be honoured."""
    out: dict[str, str] = {}
    try:
        pairs = urllib.parse.parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text))
    except ValueError:
        raise InventoryError(f"--hosts={spec}: behind the ? stands key=value&key=value") from None
    for key, value in pairs:
        if key not in known:
            why = ELSEWHERE.get(key) or f"this suite knows {', '.join(known)}"
            raise InventoryError(f"--hosts={spec}: {key} is not for it: {why}")
        if key in out or not value:
            raise InventoryError(f"--hosts={spec}: {key} {'stands there twice' if key in out else 'has no value'}")
        out[key] = value
    if out.get("sudo", "true").lower() not in ("true", "false"):
        raise InventoryError(f"--hosts={spec}: sudo is true or false")
    if out.get("sudo", "").lower() == "false" and "sudo_user" in out:
        raise InventoryError(f"--hosts={spec}: sudo_user means nothing where sudo is false")
    if not re.fullmatch("[1-9][0-9]{0,4}", out.get("timeout", "1")):
        raise InventoryError(f"--hosts={spec}: timeout is a number of seconds")
    return out


def _say(target: Target, said: dict[str, str]) -> None:
    """Put into effect what a URL says of how to connect."""
    if "ssh_config" in said:
        target.ssh_args = [*target.ssh_args, "-F", str(Path(said["ssh_config"]).expanduser())]  # the last -F counts
    if "ssh_identity_file" in said:
        target.key_file = str(Path(said["ssh_identity_file"]).expanduser())
    if "timeout" in said:
        target.timeout = int(said["timeout"])


def _defaults(target: Target, backend: str, asked: Asked, said: dict[str, str]) -> None:
    """What the command line says of how to connect, where the URL or the inventory does not."""
    if asked.ssh_config and "ssh_config" not in said:
        target.ssh_args = ["-F", asked.ssh_config, *target.ssh_args]
    if asked.ssh_identity_file and not target.key_file:
        target.key_file = asked.ssh_identity_file
    try:
        words = shlex.split(asked.ssh_extra_args)
    except ValueError:
        raise InventoryError("--ssh-extra-args: a quote in it has no end") from None
    at = 0
    while backend == "paramiko" and at < len(words):
        if words[at][:2] not in BOTH:
            raise InventoryError(f"--ssh-extra-args: {words[at]} needs --connection=ssh; without ssh it means nothing")
        at += 1 if words[at][2:] else 2
    target.ssh_args = [*target.ssh_args, *words]


def _become(target: Target, asked: Asked, said: dict[str, str]) -> None:
    sudo = said.get("sudo", "").lower()
    if sudo or asked.sudo:
        target.become = sudo != "false"
    account = said.get("sudo_user", asked.sudo_user)
    if account and not ACCOUNT.fullmatch(account):
        raise InventoryError("the name of an account for sudo has letters, digits, dots, hyphens and underscores only")
    target.become_user = account or target.become_user

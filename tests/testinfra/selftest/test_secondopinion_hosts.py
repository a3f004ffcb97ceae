"""Who is asked and how, by testinfra's options and URLs: each is honoured, or refused in words. No host is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from secondopinion import backends
from secondopinion.facts import Unreachable
from secondopinion.hosts import Asked, targets
from secondopinion.inventory import InventoryError, Target

HOSTS = "[all]\ncm1 ansible_host=192.0.2.1\ncm2 ansible_connection=local\n"


def one(hosts: str, **options: Any) -> tuple[Target, str]:
    (found,) = targets(Asked(hosts=hosts, **options))
    return found


@pytest.mark.parametrize(("hosts", "backend", "wanted"), [
    ("cm1", "paramiko", {"address": "cm1", "user": "", "port": None, "become": None, "timeout": 10}),
    ("jo@cm1:2222", "paramiko", {"address": "cm1", "user": "jo", "port": 2222}),
    ("ssh://jo%40x@[2001:db8::1]:22", "ssh", {"address": "2001:db8::1", "user": "jo@x", "port": 22}),
    ("ssh://cm1?ssh_identity_file=/k&ssh_config=/c&timeout=3&sudo=true&sudo_user=ci", "ssh",
     {"key_file": "/k", "ssh_args": ["-F", "/c"], "timeout": 3, "become": True, "become_user": "ci"}),
    ("paramiko://cm1?ssh_identity_file=~/k%2C1", "paramiko", {"key_file": str(Path.home() / "k,1")}),
    ("cm1?sudo=False", "paramiko", {"become": False, "become_user": "root"}),
    ("localhost", "local", {"kind": "local", "name": "localhost"}),
    ("local://?sudo=TRUE", "local", {"kind": "local", "become": True}),
    ("ssh://localhost", "ssh", {"kind": "ssh", "address": "localhost"}),
])  # fmt: skip
def test_a_url_is_honoured(hosts: str, backend: str, wanted: dict[str, Any]) -> None:
    target, by = one(hosts)
    assert by == backend
    assert {key: getattr(target, key) for key in wanted} == wanted


def test_a_url_goes_before_an_option_and_each_host_has_its_own_way() -> None:
    asked = Asked(hosts="local://,ssh://a?ssh_config=/mine&sudo=false,b?timeout=2", connection="paramiko",
                  ssh_config="/all", ssh_identity_file="/key", ssh_extra_args="-o Port=7 -J hop", sudo=True,
                  sudo_user="ci")  # fmt: skip
    here, first, second = targets(asked)
    assert (here[1], here[0].kind, here[0].ssh_args) == ("local", "local", [])
    assert (first[1], first[0].become, first[0].key_file) == ("ssh", False, "/key")
    assert first[0].ssh_args == ["-F", "/mine", "-o", "Port=7", "-J", "hop"]
    assert (second[1], second[0].become, second[0].become_user, second[0].timeout) == ("paramiko", True, "ci", 2)
    assert second[0].ssh_args == ["-F", "/all", "-o", "Port=7", "-J", "hop"]
    assert one("", connection="local")[1] == "local"


@pytest.mark.parametrize(("hosts", "options", "said"), [
    ("ssh://cm1?controlpersist=60", {}, "controlpersist is not for it: a host is asked once"),
    ("ssh://cm1?identity=/k", {}, "identity is not for it: this suite knows ssh_config, ssh_identity_file, timeout"),
    ("ssh://cm1?ansible_inventory=/i", {}, "it is for ansible://"),
    ("ssh://cm1?sudo=yes", {}, "sudo is true or false"),
    ("ssh://cm1?sudo=false&sudo_user=ci", {}, "means nothing where sudo is false"),
    ("ssh://cm1?sudo_user=a;b", {}, "key=value&key=value|letters"),
    ("ssh://cm1?sudo_user=$(id)", {}, "letters, digits"),
    ("ssh://cm1?timeout=soon", {}, "timeout is a number of seconds"),
    ("ssh://cm1?timeout=0", {}, "timeout is a number of seconds"),
    ("ssh://cm1?timeout=1&timeout=2", {}, "timeout stands there twice"),
    ("ssh://cm1?ssh_config=", {}, "ssh_config has no value"),
    ("ssh://cm1?sudo", {}, "stands key=value"),
    ("ssh://cm1/path", {}, r"it should read ssh://\[user@\]host"),
    ("ssh://cm1:ssh", {}, "a port is a number"),
    ("2001:db8::1", {}, r"stands in \[ \]"),
    ("ssh://jo:word@cm1", {}, "a password has no place on a command line"),
    ("local://?ssh_config=/c", {}, "ssh_config is not for it: this suite knows sudo, sudo_user"),
    ("local://cm1", {}, "another host is not asked on this machine"),
    ("cm1", {"connection": "local"}, "another host is not asked on this machine"),
    ("docker://cm1", {}, "connects by paramiko, ssh, local"),
    ("cm1", {"connection": "safe-ssh"}, "--connection=safe-ssh: this suite connects by"),
    ("cm1", {"ssh_extra_args": "-4"}, "-4 needs --connection=ssh"),
    ("cm1", {"ssh_extra_args": "'"}, "a quote in it has no end"),
    ("cm1", {"force_ansible": True}, "never asks by running ansible"),
    ("ansible://cm1", {}, "needs --ansible-inventory=PATH"),
    ("", {}, "no hosts: give"),
])  # fmt: skip
def test_what_cannot_be_honoured_is_refused_in_words(hosts: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(InventoryError, match=said):
        targets(Asked(hosts=hosts, **options))


def test_with_an_inventory_hosts_are_a_pattern(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text(HOSTS)
    source = str(tmp_path / "hosts")
    for hosts in ("cm?", "ansible://cm?", "cm1,cm2", "ansible://cm1,ansible://cm2", ""):
        found = targets(Asked(hosts=hosts, inventory=source))
        assert [(target.name, target.kind, by) for target, by in found] == [
            ("cm1", "ssh", "paramiko"), ("cm2", "local", "paramiko")]  # fmt: skip
    target, by = one(f"ansible://cm?:!cm2?ansible_inventory={source}&ssh_identity_file=/k&sudo=true", connection="ssh")
    assert (target.address, target.key_file, target.become, by) == ("192.0.2.1", "/k", True, "ssh")


@pytest.mark.parametrize(("hosts", "options", "said"), [
    ("ssh://cm1", {}, "it is an Ansible pattern; paramiko or ssh is chosen by --connection"),
    ("cm1", {"connection": "local"}, "asked by paramiko or ssh"),
    ("cm1", {"connection": "docker"}, "asked by paramiko or ssh"),
    ("ansible://cm1?force_ansible=true", {}, "never asks by running ansible"),
    ("ansible://cm1?sudo=true,cm2", {}, "one query for all of an inventory"),
])  # fmt: skip
def test_with_an_inventory_the_rest_is_refused(tmp_path: Path, hosts: str, options: dict, said: str) -> None:
    (tmp_path / "hosts").write_text(HOSTS)
    with pytest.raises(InventoryError, match=said):
        targets(Asked(hosts=hosts, inventory=str(tmp_path / "hosts"), **options))


@pytest.mark.parametrize("backend", ["ssh", "paramiko"])
def test_a_key_that_is_not_there_is_no_reason_to_try_others(tmp_path: Path, backend: str) -> None:
    target = Target("cm1", address="192.0.2.1", key_file=str(tmp_path / "id"))
    with pytest.raises(Unreachable, match="id does not exist"):
        backends.connect(target, backend)
    (tmp_path / "id.pub").write_text("")
    backends.connect(target, backend)

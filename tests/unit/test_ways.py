"""Which connections hosts behind others share: what is made of ssh's own words; the connections are in test_sweep.py."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect import _ways as ways


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("ssh -W %h:%p bastion", ["ssh", "bastion"]),
        ("/usr/bin/ssh -F '/a b/config' -q -W [%h]:%p -p 2222 jo@bastion", None),
        ("exec ssh -W %h:%p bastion", []),
        ("ssh -W %h:22 bastion", []),
        ("ssh -W %h:%p %r@bastion", []),
        ("ssh -W %h:%p bastion 2>/dev/null", []),
        ("ssh bastion nc %h %p", []),
        ("nc %h %p", []),
        ("'", []),
        ("", []),
    ],
)
def test_a_proxy_command_that_is_a_hop(command: str, words: list[str] | None) -> None:
    wanted = ["/usr/bin/ssh", "-F", "/a b/config", "-p", "2222", "jo@bastion"] if words is None else words
    assert ways._forwarding(command) == wanted


def test_jumps_and_configurations_among_the_arguments() -> None:
    assert ways._without_jump(["-J", "a,b", "-o", "User=jo", "-Jc", "-C"]) == ["-o", "User=jo", "-C"]
    assert ways._config_file(["ssh", "-o", "X=y", "-F", "/c"]) == ("-F", "/c")
    assert ways._config_file(["ssh", "-F/c"]) == ("-F/c",)
    assert ways._config_file(["ssh"]) == ()


def asked(words: list[str], host: str) -> list[str]:
    """What becomes of a command line."""

    async def ask() -> list[str]:
        async with ways.Ways() as found:
            return await found.to(words, host)

    return asyncio.run(ask())


def test_where_nothing_leads_elsewhere_the_words_stay(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host *\n  User jo\n")
    words = ["ssh", "-F", str(config), "-o", "ControlMaster=no"]
    assert asked(words, "cm1") == words
    assert asked(["ssh", "-F", str(tmp_path / "none")], "cm1") == ["ssh", "-F", str(tmp_path / "none")]
    assert asked(["/no/such/ssh"], "cm1") == ["/no/such/ssh"]


def test_a_hop_that_cannot_be_reached_leaves_ssh_its_own_way(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host cm*\n  ProxyJump bastion\nHost bastion\n  HostName 127.0.0.1\n  Port 9\n")
    words = ["ssh", "-F", str(config)]
    assert asked(words, "cm1") == words


def test_a_configuration_that_cannot_be_read_may_speak_of_hops(tmp_path: Path) -> None:
    (tmp_path / "some").write_text("proxyjump = x\n")
    (tmp_path / "other").write_text("Host *\n")
    assert ways._speaks(str(tmp_path / "some"))
    assert not ways._speaks(str(tmp_path / "other"))
    assert ways._speaks(os.devnull + "/none")

"""Two names of one machine are told however their addresses are written: by what ssh makes of them."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import connection_loader

from ansible_collections.cbops.telemetry.plugins.action.fleet_sweep import Tally, _place, _words_of_ssh, set_for_ssh
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect import _places
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._places import Place, reached

CONFIG = """
Host by-alias
    HostName 127.0.0.1
    Port 2222
Host behind
    HostName 127.0.0.1
    Port 2222
    ProxyCommand ssh -W %h:%p jump
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration of ssh with names of its own."""
    path = tmp_path / "ssh config"
    path.write_text(CONFIG)
    return path


def variables(config: Path, **own: Any) -> dict[str, Any]:
    """Those of a host that ssh finds by this configuration."""
    return {"ansible_ssh_common_args": f"-F '{config}'", **own}


def marks(config: Path, **own: Any) -> set[str]:
    """What a host may be known by."""
    given = variables(config, **own)
    text = _place("ssh", "cm1", given, str)
    return reached({"cm1": Place(text, _words_of_ssh("cm1", given, str))})["cm1"]


SAME = [
    {"ansible_host": "127.0.0.1", "ansible_port": 2222},
    {"ansible_host": "localhost", "ansible_port": "2222"},
    {"ansible_host": "LocalHost", "ansible_ssh_port": 2222, "ansible_user": "jo"},
    {"ansible_host": "127.1", "ansible_port": 2222},
    {"ansible_host": "2130706433", "ansible_port": 2222},
    {"ansible_host": "by-alias"},
    {"ansible_ssh_host": "by-alias"},
]
OTHER = [
    {"ansible_host": "127.0.0.1"},
    {"ansible_host": "127.0.0.2", "ansible_port": 2222},
    {"ansible_host": "::1", "ansible_port": 2222},
    {"ansible_host": "behind"},
    {"ansible_host": "-oProxyCommand=touch x", "ansible_port": 2222},
    {"ansible_host": "no-such-name.invalid", "ansible_port": 2222},
]


@pytest.mark.parametrize("own", SAME)
def test_one_place_however_it_is_written(config: Path, own: dict[str, Any]) -> None:
    assert "127.0.0.1 2222" in marks(config, **own)


@pytest.mark.parametrize("own", OTHER)
def test_another_place_is_another(config: Path, own: dict[str, Any]) -> None:
    assert not marks(config, **own) & {"127.0.0.1 2222", "by-alias 22"}


def test_the_long_form_of_an_address_is_the_short_one(config: Path) -> None:
    assert marks(config, ansible_host="::1") & marks(config, ansible_host="0:0:0:0:0:0:0:1")


def test_who_was_judged_by_another_name_of_a_mute_host_is_left(config: Path, tmp_path: Path) -> None:
    tally = Tally(3, tmp_path)
    for host, own in {"held": SAME[5], "same": SAME[0], "next": OTHER[1]}.items():
        given = variables(config, **own)
        tally.place(host, _place("ssh", host, given, str), _words_of_ssh(host, given, str))
    for host in ("same", "next"):
        tally.hosts[host] = {"verdict": "compliant", "reasons": []}
        tally.meet(host, {"state": {"host": {"machine": host}}})
    tally.leave("held", "it is held to a plan")
    tally.look_again()
    assert set(tally.unserved) == {"held", "same"}


@pytest.mark.parametrize(
    ("name", "value", "own"),
    [
        ("ANSIBLE_SSH_ARGS", "-F '{config}'", {"ansible_host": "by-alias"}),
        ("ANSIBLE_SSH_COMMON_ARGS", "-F '{config}'", {"ansible_host": "by-alias"}),
        ("ANSIBLE_SSH_EXTRA_ARGS", "-F '{config}'", {"ansible_host": "by-alias"}),
        ("ANSIBLE_REMOTE_PORT", "2222", {"ansible_host": "127.0.0.1"}),
    ],
)
def test_what_ansible_itself_is_told_of_ssh_counts(
    config: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, own: dict[str, Any]
) -> None:
    """Also where no variable says it: by a setting, which a variable goes before."""
    plugin = connection_loader.get("ssh", PlayContext())._load_name

    def found(**own: Any) -> set[str]:
        words = _words_of_ssh("cm1", own, str, set_for_ssh(plugin, {}))
        return reached({"cm1": Place(_place("ssh", "cm1", own, str), words)})["cm1"]

    assert "127.0.0.1 2222" not in found(**own)
    monkeypatch.setenv(name, value.format(config=config))
    assert "127.0.0.1 2222" in found(**own)
    assert "127.0.0.1 2222" not in found(ansible_host="127.0.0.1", ansible_port=2223)


def test_nobody_waits_for_a_resolver_that_hangs(monkeypatch: pytest.MonkeyPatch, config: Path) -> None:
    at_last = threading.Event()
    monkeypatch.setattr(_places.socket, "getaddrinfo", lambda *_given, **_named: at_last.wait(60) and [])
    words = ("-F", str(config), "localhost")
    found = reached({f"h{number}": Place(f"localhost {number}", words) for number in range(40)}, seconds=0.5)
    at_last.set()
    assert found == {f"h{number}": {f"localhost {number}"} for number in range(40)}


def test_arguments_that_are_none_leave_the_text(tmp_path: Path) -> None:
    assert _words_of_ssh("cm1", {"ansible_ssh_common_args": "-o 'x"}, str) is None
    assert reached({"a": Place("here"), "b": Place("x 22", ("-F", str(tmp_path / "none"), "x"))}) == {
        "a": {"here"},
        "b": {"x 22"},
    }

"""The carrier against the ordinary module: the same answers by every connection, in one round trip, nothing left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fleethand import BIN, FLAG, Fleet, place

HOST = "bookworm-cm-deb"
KINDS = ("bullseye-cm-rpm", "bookworm-cm-rpm-array", "bookworm-tomcat", "trixie-oss", "trixie-script")
#: What differs from call to call, or says how the module came to the host.
VOLATILE = {"ansible_facts", "invocation", "phases_ms", "tcp_ms", "exception", "_ansible_parsed", "time"}
CARRIERS = ("pipe", "module")


Task = tuple[str, dict[str, Any], dict[str, Any]]  # module, options, keywords


class Asked:
    """What a play came to; ``results`` has the last task's by host, ``all`` has every task's."""

    def __init__(self, code: int, output: str, found: dict[str, list[dict[str, Any]]]) -> None:
        self.code, self.output, self.all = code, output, found
        self.results = {host: results[-1] for host, results in found.items()}


def play(
    fleet: Fleet,
    tasks: list[Task],
    *arguments: str,
    hosts: Any = (HOST,),
    environment: dict[str, str] | None = None,
    **variables: Any,
) -> Asked:
    """Run modules on hosts, all of them whatever becomes of the others."""
    inventory = fleet.inventory({host: {} for host in hosts}, **variables)
    record = inventory.with_name(f"{inventory.name}-results")
    record.mkdir()
    written = [
        {f"cbops.telemetry.{module}": options, "ignore_errors": True, **keywords} for module, options, keywords in tasks
    ]
    playbook = record.with_suffix(".json")
    playbook.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": written}]))
    done = fleet.inside(
        str(BIN / "ansible-playbook"),
        "-i",
        str(inventory),
        str(playbook),
        *arguments,
        environment={
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_CALLBACKS_ENABLED": "record",
            "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callback"),
            "ANSIBLE_DISPLAY_OK_HOSTS": "1",
            "CBOPS_RECORD": str(record),
            **(environment or {}),
        },
    )
    found = {path.name: [json.loads(line) for line in path.read_text().splitlines()] for path in record.glob("*")}
    return Asked(done.returncode, done.stdout + done.stderr, found)


def ask(fleet: Fleet, module: str, options: dict[str, Any], *arguments: str, **more: Any) -> Asked:
    """Run a module on hosts."""
    return play(fleet, [(module, options, {})], *arguments, **more)


def steady(value: Any) -> Any:
    """An answer without what changes from call to call."""
    if isinstance(value, dict):
        return {key: steady(item) for key, item in value.items() if key not in VOLATILE}
    return [steady(item) for item in value] if isinstance(value, list) else value


def both(fleet: Fleet, tasks: list[Task], *arguments: str, **more: Any) -> dict[str, list[dict[str, Any]]]:
    """The answers by the carrier, after they were found the same as the ordinary module's."""
    piped, ordinary = (play(fleet, tasks, *arguments, telemetry_carrier=carrier, **more) for carrier in CARRIERS)
    assert piped.all, piped.output
    assert steady(piped.all) == steady(ordinary.all)
    for host, answers in piped.all.items():
        assert len(answers) == len(tasks)
        assert [invoked(answer) for answer in answers] == [invoked(answer) for answer in ordinary.all[host]]
    return piped.all


def invoked(answer: dict[str, Any]) -> dict[str, Any]:
    """The options that a module got; of the run's name, which each playbook makes, whether it is there."""
    found = dict(answer.get("invocation", {}).get("module_args", {}))
    return {**found, "run": bool(found["run"])} if "run" in found else found


def test_every_host_has_the_same_state_by_both(fleet: Fleet) -> None:
    answers = both(fleet, [("telemetry_info", {"connectivity": {"timeout": 4}}, {})], "-f", "4", hosts=fleet.hosts)
    assert set(answers) == set(fleet.hosts)
    for (answer,) in answers.values():
        assert answer["state"]["installations"]
        assert answer["state"]["connectivity"]


def test_edits_are_the_same_by_both(fleet: Fleet) -> None:
    """Predicted in check mode, made, made again, and undone: the same results and the same bytes."""

    def flag(state: str, **keywords: Any) -> Task:
        return "telemetry_flag", {"state": state, "backup": False}, keywords

    # Edited once before, for both: that a file is not as the JVM found it is part of the state.
    for state in ("disabled", "enabled"):
        ask(fleet, "telemetry_flag", {"state": state, "backup": False}, hosts=KINDS)
    answers = both(
        fleet,
        [flag("disabled", check_mode=True), flag("disabled"), flag("disabled"), flag("enabled")],
        "--diff",
        hosts=KINDS,
    )
    assert set(answers) == set(KINDS)
    for predicted, made, again, undone in answers.values():
        assert [answer["changed"] for answer in (predicted, made, again, undone)] == [True, True, False, True]
        assert steady(predicted["files"]) == steady(made["files"])
        assert predicted["diff"] == made["diff"] != undone["diff"]
        assert [item["before"] for item in made["files"]] == [item["after"] for item in undone["files"]]


BAD: dict[str, tuple[str, dict[str, Any]]] = {
    "image: an absolute path is needed": ("telemetry_info", {"root": "image"}),
    "Unsupported parameters for (cbops.telemetry.telemetry_info) module: rooot": ("telemetry_info", {"rooot": "/"}),
    "missing required arguments: state": ("telemetry_flag", {}),
    "not installed here: none": ("telemetry_flag", {"state": "disabled", "name": ["none"]}),
    "'port' is of type": ("telemetry_info", {"connectivity": {"port": "https"}}),
    "timeout must be": ("connectivity_probe", {"timeout": 100}),
    "to be blocked: connected": ("connectivity_probe", {"expect": "blocked", "via": ["direct"]}),
}


def test_bad_input_is_the_same_failure_by_both(fleet: Fleet) -> None:
    answers = both(fleet, [(module, options, {}) for module, options in BAD.values()])[HOST]
    for message, answer in zip(BAD, answers, strict=True):
        assert answer["failed"]
        assert message in answer["msg"]


def test_the_task_s_environment_and_user_arrive(fleet: Fleet, tmp_path: Path) -> None:
    (tmp_path / "own.yml").write_text("""
- hosts: all
  gather_facts: false
  environment: {CBOPS_IMAGE: "/srv/an image"}
  tasks:
    - cbops.telemetry.telemetry_info: {root: $CBOPS_IMAGE}
      register: root
      become_user: cloudbees-core-cm
    - cbops.telemetry.telemetry_info: {root: ~/image}
      register: user
      vars: {ansible_become: false}
    - cbops.telemetry.telemetry_info:
      register: secret
      no_log: true
    - cbops.telemetry.telemetry_info: {attach: never}
      register: delegated
      delegate_to: trixie-oss
    - ansible.builtin.assert:
        that:
          - root.state.host.root == '/srv/an image'
          - root.state.host.effective_user != 0
          - user.state.host.root == '/home/ansible/image'
          - user.state.host.effective_user == 1000
          - secret.state.host.effective_user == 0
          - delegated.state.host.node == 'trixie-oss'
          - root is not changed
""")
    for carrier in CARRIERS:
        inventory = fleet.inventory({HOST: {}, "trixie-oss": {}}, telemetry_carrier=carrier)
        fleet.shell(HOST, "mkdir -p '/srv/an image' /home/ansible/image")
        done = fleet.inside(
            str(BIN / "ansible-playbook"),
            str(tmp_path / "own.yml"),
            "-i",
            str(inventory),
            "--limit",
            HOST,
            "-v",
            environment={"ANSIBLE_DISPLAY_OK_HOSTS": "1"},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "censored" in done.stdout
    fleet.shell(HOST, "rmdir '/srv/an image' /home/ansible/image")


def test_one_command_and_nothing_left(fleet: Fleet) -> None:
    listing = "ls -laR --time-style=full-iso /home/ansible /root /tmp /var/tmp | grep -v '^total'"
    before = fleet.shell(HOST, listing)
    done = ask(fleet, "telemetry_info", {}, "-vvv", telemetry_carrier="pipe")
    assert done.code == 0, done.output
    assert done.output.count("SSH: EXEC") == 1
    assert "PUT" not in done.output
    assert "bytes sent" in done.output
    assert fleet.shell(HOST, listing) == before


@pytest.fixture
def noisy(fleet: Fleet) -> Iterator[None]:
    """A host whose shell, profile and sudo talk."""
    fleet.shell(
        HOST,
        "usermod -s /bin/bash ansible; cp -p /home/ansible/.bashrc /root/bashrc 2>/dev/null || true\n"
        'printf \'echo Welcome; echo {}; echo "{\\\\"failed\\\\": true}"; echo trouble >&2\\n\' '
        ">/home/ansible/.bashrc; echo 'Defaults lecture=always' >/etc/sudoers.d/lecture\n"
        "echo 'Be careful' >/etc/motd",
    )
    yield
    fleet.shell(
        HOST,
        "usermod -s /bin/sh ansible; rm -f /home/ansible/.bashrc /etc/sudoers.d/lecture /etc/motd\n"
        "[ ! -e /root/bashrc ] || mv /root/bashrc /home/ansible/.bashrc",
    )


def test_a_host_that_talks(fleet: Fleet, noisy: None) -> None:
    # A connection that was there before has the shell that was there before.
    fresh = {"ansible_ssh_common_args": f"-F {place('test')}/ssh_config -o ControlPath=none"}
    assert (
        "Welcome"
        in fleet.inside(
            str(BIN / "ansible"),
            "-i",
            str(fleet.inventory({HOST: {}}, **fresh)),
            "all",
            "-m",
            "ansible.builtin.raw",
            "-a",
            "true",
        ).stdout
    )
    done = ask(fleet, "telemetry_info", {}, telemetry_carrier="pipe", **fresh)
    assert done.results[HOST]["state"]["installations"], done.output


@pytest.fixture
def keyholder(fleet: Fleet) -> Iterator[dict[str, Any]]:
    """A user whose sudo wants a password, and says so at length; the variables for it."""
    fleet.shell(
        HOST,
        "useradd -m -s /bin/sh keyholder; echo 'keyholder:pass-of-sudo' | chpasswd; "
        "install -d -o keyholder -m 700 /home/keyholder/.ssh; "
        "install -o keyholder -m 600 /home/ansible/.ssh/authorized_keys /home/keyholder/.ssh/; "
        "printf 'Defaults:keyholder lecture=always\\nkeyholder ALL=(ALL) ALL\\n' "
        ">/etc/sudoers.d/keyholder",
    )
    yield {"ansible_user": "keyholder", "ansible_become_password": "pass-of-sudo"}
    fleet.shell(HOST, "userdel -r keyholder 2>/dev/null; rm -f /etc/sudoers.d/keyholder")


def test_sudo_with_a_password(fleet: Fleet, keyholder: dict[str, Any]) -> None:
    done = ask(fleet, "telemetry_info", {}, "-vvv", telemetry_carrier="pipe", **keyholder)
    assert done.results[HOST]["state"]["host"]["effective_user"] == 0, done.output
    assert "pass-of-sudo" not in done.output
    for wrong, said in (("other", "Incorrect sudo password"), (None, "Missing sudo password")):
        refused = ask(
            fleet, "telemetry_info", {}, telemetry_carrier="pipe", **{**keyholder, "ansible_become_password": wrong}
        )
        assert said in refused.results[HOST]["msg"], refused.output


def test_sudo_that_wants_a_terminal_gets_the_ordinary_module(fleet: Fleet) -> None:
    fleet.shell(HOST, "echo 'Defaults requiretty' >/etc/sudoers.d/tty")
    try:
        done = ask(
            fleet, "telemetry_info", {}, "-v", environment={"ANSIBLE_PIPELINING": "false"}, ansible_ssh_use_tty=True
        )
        refused = ask(fleet, "telemetry_info", {}, telemetry_carrier="pipe")
    finally:
        fleet.shell(HOST, "rm -f /etc/sudoers.d/tty")
    assert done.results[HOST].get("state"), done.output
    assert "sent as an ordinary module, because sudo there wants a terminal" in done.output
    assert "telemetry_carrier is pipe, and sudo there wants a terminal" in refused.output


def test_through_a_jump_host(fleet: Fleet) -> None:
    arguments = f"-F {place('test')}/ssh_config -o ProxyJump=trixie-oss -o ControlPath=none"
    done = ask(fleet, "telemetry_info", {}, telemetry_carrier="pipe", ansible_ssh_common_args=arguments)
    assert done.results[HOST]["state"]["host"]["node"] == HOST, done.output


def test_the_local_connection(fleet: Fleet, tmp_path: Path) -> None:
    """With and without a password; root's own sudo asks for none, so something that does stands in for it."""
    sudo = tmp_path / "sudo"
    sudo.write_text(
        '#!/bin/sh\nwhile [ "${1#-}" != "$1" ]; do\n'
        "case $1 in -p) prompt=$2; shift;; -u) shift;; esac; shift; done\n"
        'printf "%s" "$prompt" >&2; read -r password; [ "$password" = pass-of-sudo ] || exit 1\n'
        'exec "$@"\n'
    )
    sudo.chmod(0o755)
    local = {"ansible_connection": "local", "ansible_become_exe": str(sudo), "telemetry_carrier": "pipe"}
    for variables in ({"ansible_become": False}, {"ansible_become_password": "pass-of-sudo"}):
        for pipelining in ("true", "false"):
            done = ask(
                fleet,
                "telemetry_info",
                {"root": str(tmp_path)},
                hosts=["here"],
                **{**local, **variables},
                environment={"ANSIBLE_PIPELINING": pipelining},
            )
            assert done.results["here"]["state"]["host"]["root"] == str(tmp_path), done.output


def test_a_connection_that_cannot_pipe(fleet: Fleet) -> None:
    paramiko = {
        "ansible_connection": "paramiko_ssh",
        "ansible_user": "ansible",
        "ansible_paramiko_host_key_checking": False,
        "ansible_host": fleet.facts[HOST]["address"],
        "ansible_ssh_private_key_file": f"{place('test')}/id_ed25519",
    }
    done = ask(fleet, "telemetry_info", {}, "-v", **paramiko)
    assert done.results[HOST]["state"]["host"]["node"] == HOST, done.output
    assert "sent as an ordinary module, because the connection plugin paramiko cannot pipe" in done.output
    refused = ask(fleet, "telemetry_info", {}, telemetry_carrier="pipe", **paramiko)
    assert "cannot pipe" in refused.results[HOST]["msg"]


def test_interpreters(fleet: Fleet) -> None:
    missing = ask(fleet, "telemetry_info", {}, ansible_python_interpreter="/opt/no/python")
    assert "/opt/no/python" in missing.results[HOST]["msg"]
    fleet.shell(
        HOST, "printf '#!/bin/sh\\nexec /usr/bin/python3 \"$@\"\\n' >/opt/own-python; chmod 755 /opt/own-python"
    )
    given = ask(fleet, "telemetry_info", {}, "-vvv", ansible_python_interpreter="/opt/own-python")
    fleet.shell(HOST, "rm /opt/own-python")
    assert given.results[HOST]["state"]["installations"]
    assert "/opt/own-python -I -S -c" in given.output


def test_an_unreachable_host_is_unreachable(fleet: Fleet) -> None:
    done = ask(
        fleet,
        "telemetry_info",
        {},
        telemetry_carrier="pipe",
        ansible_host="10.77.1.250",
        ansible_ssh_extra_args="-o ConnectTimeout=2 -o HostName=10.77.1.250",
    )
    assert done.code == 4
    assert done.results[HOST]["unreachable"]


def test_a_value_that_is_no_carrier(fleet: Fleet) -> None:
    done = ask(fleet, "telemetry_info", {}, telemetry_carrier="pigeon")
    assert "telemetry_carrier must be one of auto, pipe, module" in done.results[HOST]["msg"]


def test_no_secret_and_no_program_in_what_is_said(fleet: Fleet) -> None:
    """At the highest verbosity that shows what was sent, too: JVM options of a launch file are not repeated."""
    done = ask(fleet, "telemetry_flag", {"state": "disabled"}, "-vvv", "--check", "--diff", hosts=("bullseye-cm-rpm",))
    assert done.code == 0
    assert FLAG in done.output
    assert "fleet-Keystore" not in done.output
    assert "def telemetry_flag" not in done.output

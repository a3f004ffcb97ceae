"""The sweep against the audit host by host: the same evidence, from one process."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fleethand import BIN, CHECKOUT, FLEET, Fleet, place
from schemas import validate

HOST, OTHER, JUMP = "bookworm-cm-deb", "trixie-cm-deb", "trixie-oss"
CONFIG = place("test") / "ssh_config"
KEY = place("test") / "id_ed25519"
KNOWN = place("test") / "known_hosts"


class Swept:
    """An audit with the sweep: its output, its evidence, and the hosts left to the ordinary way with the reasons."""

    def __init__(self, done: subprocess.CompletedProcess[str], reports: Path) -> None:
        self.output = done.stdout + done.stderr
        self.evidence = {path.stem: path.read_bytes() for path in (reports / "evidence").glob("*.json")}
        self.left = re.findall(r"fleet_sweep: (\d+ hosts are left to the ordinary way: .*)", self.output)
        self.report = json.loads((reports / "audit.json").read_text())

    def error(self, host: str) -> str | None:
        """What the evidence of a host says went wrong."""
        return json.loads(self.evidence[host])["error"]


def audit(
    fleet: Fleet,
    sweep: str,
    hosts: dict[str, dict[str, Any]],
    *arguments: str,
    environment: dict[str, str] | None = None,
    **variables: Any,
) -> Swept:
    """One audit; no connection of another test is used."""
    inventory = fleet.inventory(
        hosts, **{"telemetry_sweep": sweep, "ansible_ssh_args": "-o ControlPath=none", **variables}
    )
    reports = inventory.with_name(f"{inventory.name}-reports")
    done = fleet.inside(
        str(BIN / "ansible-playbook"),
        "cbops.telemetry.audit",
        "-i",
        str(inventory),
        "-v",
        "-e",
        f"telemetry_reports_dir={reports}",
        *arguments,
        environment={"ANSIBLE_NOCOLOR": "1", **(environment or {})},
    )
    assert (reports / "audit.json").exists(), done.stdout + done.stderr
    return Swept(done, reports)


def both(fleet: Fleet, hosts: dict[str, dict[str, Any]], *arguments: str, **more: Any) -> Swept:
    """The sweep, after its evidence was found to be that of the ordinary way, byte for byte."""
    swept = audit(fleet, "auto", hosts, *arguments, **more)
    ordinary = audit(fleet, "never", hosts, *arguments, **more)
    assert set(swept.evidence) == set(hosts)
    assert swept.evidence == ordinary.evidence
    return swept


def left(swept: Swept) -> str:
    """The reasons why hosts were left to the ordinary way."""
    return "\n".join(swept.left)


def test_every_host_has_the_same_evidence(fleet: Fleet) -> None:
    """With the probe too, as root by sudo, in an audit whose play for single hosts has no host."""
    hosts: dict[str, dict[str, Any]] = {host: {} for host in fleet.hosts}
    swept = both(fleet, hosts, telemetry_connectivity="required")
    assert not swept.left
    assert all(json.loads(text)["state"]["installations"] for text in swept.evidence.values())
    assert all(json.loads(text)["state"]["connectivity"] for text in swept.evidence.values())
    assert swept.report["totals"]["unreachable"] == 0
    assert "skipping: no hosts matched" in swept.output


def test_facts_of_the_connection_come_from_the_inventory(fleet: Fleet, tmp_path: Path) -> None:
    """Templated and vaulted values, a key file, a port that names nothing else, and no ssh_config at all."""
    word = tmp_path / "word"
    word.write_text("open sesame\n")
    vaulted = subprocess.run(
        [BIN / "ansible-vault", "encrypt_string", "--vault-password-file", word, "ansible"],
        capture_output=True,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
    ).stdout
    secret = {"__ansible_vault": "\n".join(line.strip() for line in vaulted.splitlines()[1:]) + "\n"}
    host = {
        "ansible_host": "{{ addresses[inventory_hostname] }}",
        "ansible_user": secret,
        "ansible_port": "{{ 22 }}",
        "ansible_ssh_private_key_file": "{{ key }}",
        "key": str(KEY),
        "addresses": {"here": fleet.facts[HOST]["address"]},
    }
    swept = both(
        fleet,
        {"here": host},
        "--vault-password-file",
        str(word),
        ansible_ssh_common_args=f"-F none -o UserKnownHostsFile={KNOWN}",
    )
    assert not swept.left
    assert json.loads(swept.evidence["here"])["state"]["host"]["node"] == HOST


@pytest.fixture
def keyholder(fleet: Fleet) -> Iterator[dict[str, Any]]:
    """A user with a password, whose sudo wants it; the variables for it."""
    fleet.shell(
        HOST,
        "useradd -m -s /bin/sh keyholder; echo 'keyholder:pass-of-sudo' | chpasswd; "
        "printf 'Defaults:keyholder lecture=always\\nkeyholder ALL=(ALL) ALL\\n' "
        ">/etc/sudoers.d/keyholder; install -d -m 755 /etc/ssh/sshd_config.d; "
        "printf 'Match User keyholder\\n PasswordAuthentication yes\\n' "
        ">/etc/ssh/sshd_config.d/00-word.conf; "
        "grep -q '^Include' /etc/ssh/sshd_config || echo 'Include /etc/ssh/sshd_config.d/*.conf' "
        ">>/etc/ssh/sshd_config; systemctl restart ssh",
    )
    yield {
        "ansible_user": "keyholder",
        "ansible_password": "pass-of-sudo",
        "ansible_become_password": "pass-of-sudo",
        "ansible_ssh_common_args": f"-F {CONFIG} -o IdentityFile=none -o User=keyholder",
    }
    fleet.shell(
        HOST,
        "rm -f /etc/ssh/sshd_config.d/00-word.conf /etc/sudoers.d/keyholder; systemctl restart ssh; "
        "userdel -r keyholder 2>/dev/null || true",
    )


def test_passwords(fleet: Fleet, keyholder: dict[str, Any]) -> None:
    """For ssh and for sudo; a wrong one is left to Ansible, whose words it then has."""
    swept = audit(fleet, "auto", {HOST: {}}, "-vvv", **keyholder)
    assert not swept.left, swept.output
    assert json.loads(swept.evidence[HOST])["state"]["host"]["effective_user"] == 0
    wrong = audit(fleet, "auto", {HOST: {}}, "-vvv", **{**keyholder, "ansible_become_password": "an-other-word"})
    assert "become did not succeed" in left(wrong)
    assert "Incorrect sudo password" in (wrong.error(HOST) or ""), wrong.output
    for done in (swept, wrong):
        assert "pass-of-sudo" not in done.output
        assert "an-other-word" not in done.output


def test_an_agent_and_a_key_with_a_passphrase(fleet: Fleet, tmp_path: Path) -> None:
    """The agent's key is found by its public half."""
    locked = tmp_path / "locked"
    locked.write_bytes(KEY.read_bytes())
    locked.chmod(0o600)
    subprocess.run(["ssh-keygen", "-q", "-p", "-f", locked, "-P", "", "-N", "a phrase"], check=True)
    (tmp_path / "locked.pub").write_text(KEY.with_name("id_ed25519.pub").read_text())
    sock = tmp_path / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", sock], stdout=subprocess.DEVNULL)
    try:
        for _attempt in range(100):
            if sock.exists():
                break
            agent.poll()
            threading.Event().wait(0.05)
        subprocess.run(["ssh-add", "-q", KEY], env={"SSH_AUTH_SOCK": str(sock), "PATH": "/usr/bin"}, check=True)
        arguments = {"ansible_ssh_common_args": f"-F {CONFIG}", "ansible_ssh_private_key_file": str(locked)}
        held = both(
            fleet,
            {HOST: {}},
            environment={"SSH_AUTH_SOCK": str(sock)},
            **{
                **arguments,
                "ansible_ssh_common_args": f"-F none -o UserKnownHostsFile={KNOWN} -o HostKeyAlias="
                f"{fleet.facts[HOST]['address']} -o IdentitiesOnly=yes",
                "ansible_host": fleet.facts[HOST]["address"],
                "ansible_user": "ansible",
            },
        )
        assert not held.left
    finally:
        agent.terminate()
        agent.wait(10)


def hop(command: str) -> str:
    """The arguments of ssh for a way through the jump host."""
    return f"-F {CONFIG} -o {command}"


@pytest.mark.parametrize(
    "way",
    [f"ProxyJump={JUMP}", f"ProxyJump={OTHER},{JUMP}", f"ProxyCommand='ssh -F {CONFIG} -q -W %h:%p {JUMP}'"],
    ids=["one hop", "two hops", "ProxyCommand"],
)
def test_through_other_hosts(fleet: Fleet, way: str) -> None:
    """What the hosts behind see is the last host on the way; ssh's own connection would come from the fleet's hub."""
    fleet.shell(HOST, "journalctl --rotate --vacuum-time=1s -q 2>/dev/null || true")
    swept = both(fleet, {HOST: {}, "bullseye-oc-deb": {}}, ansible_ssh_common_args=hop(way))
    assert not swept.left
    log = fleet.shell(HOST, "journalctl -u ssh -o cat --no-pager | grep 'Accepted publickey'")
    assert {re.search(r"from (\S+)", line)[1] for line in log.splitlines()} == {fleet.facts[JUMP]["address"]}  # type: ignore[index]


def test_a_host_on_the_way_is_logged_in_to_once(fleet: Fleet) -> None:
    """However many are behind it; nothing of it is left behind."""
    behind = [host for host in fleet.hosts if host not in (JUMP, OTHER)]
    since = fleet.shell(JUMP, "date +%s").strip()
    swept = audit(fleet, "auto", {host: {} for host in behind}, ansible_ssh_common_args=hop(f"ProxyJump={JUMP}"))
    assert not swept.left
    assert len(behind) > 8 and not any(swept.error(host) for host in behind)
    log = fleet.shell(JUMP, f"journalctl -u ssh --since @{since} -o cat --no-pager | grep -c 'Accepted publickey'")
    assert log == "1\n"
    processes = subprocess.run(["ps", "-eo", "args="], capture_output=True, text=True, check=True).stdout
    assert "ControlMaster=yes" not in processes


def test_a_host_key_that_is_not_known(fleet: Fleet, tmp_path: Path) -> None:
    """Unknown, changed, revoked: asked only where ssh would."""
    address = fleet.facts[HOST]["address"]
    lines = [line.split() for line in KNOWN.read_text().splitlines()]
    keys = [words for words in lines if address in words[0].split(",")]
    other = next(words for words in lines if fleet.facts[OTHER]["address"] in words[0].split(","))
    assert keys
    cases = {
        "unknown": ("", "Host key verification failed"),
        "changed": (f"{address} {other[1]} {other[2]}\n", "REMOTE HOST IDENTIFICATION HAS CHANGED"),
        "revoked": (
            "".join(f"{address} {kind} {key}\n@revoked * {kind} {key}\n" for _name, kind, key in keys),
            "REVOKED HOST KEY DETECTED",
        ),
    }
    for reason, (text, words) in cases.items():
        known = tmp_path / reason
        known.write_text(text)
        arguments = (
            f"-F none -o UserKnownHostsFile={known} -o GlobalKnownHostsFile=none -o IdentityFile={KEY} "
            "-o User=ansible -o UpdateHostKeys=no"
        )
        swept = audit(fleet, "auto", {HOST: {"ansible_host": address}}, ansible_ssh_common_args=arguments)
        assert not swept.left, (reason, swept.output)
        assert words in (swept.error(HOST) or "")
        assert known.read_text() == text
    (tmp_path / "off").write_text("")
    off = audit(
        fleet,
        "auto",
        {HOST: {"ansible_host": address}},
        ansible_host_key_checking=False,
        ansible_ssh_common_args=f"-F none -o UserKnownHostsFile={tmp_path / 'off'} -o IdentityFile={KEY} "
        "-o GlobalKnownHostsFile=none -o User=ansible",
    )
    assert not off.left
    assert off.error(HOST) is None


def test_hosts_that_are_left_to_the_ordinary_way(fleet: Fleet, tmp_path: Path) -> None:
    """Each kind with its reason, in one audit with hosts that are served; all have evidence in the end."""
    hosts: dict[str, dict[str, Any]] = {
        HOST: {},
        "bullseye-oc-deb": {"telemetry_carrier": "module"},
        "bullseye-cm-rpm": {"ansible_become_method": "su"},
        "bullseye-script": {"ansible_connection": "paramiko_ssh"},
        "bookworm-oss": {"ansible_ssh_extra_args": "-tt"},
        "trixie-oc-rpm": {"telemetry_desired": "of"},
        "trixie-script": {"ansible_user": "{{ nothing_of_that_name }}"},
        "here": {"ansible_connection": "local", "ansible_become": False},
    }
    swept = audit(fleet, "auto", hosts)
    assert set(swept.evidence) == set(hosts) - {"trixie-script"}  # no task of Ansible's can be for that one
    for reason in (
        "telemetry_carrier is module",
        "become is by su",
        "its connection plugin is paramiko_ssh",
        "ssh is set to ask for a terminal",
        "its policy is not valid",
        "its variables cannot be resolved",
    ):
        assert reason in left(swept), swept.output
    verdicts = {item["host"]: item["verdict"] for item in swept.report["hosts"]}
    assert verdicts[HOST] == "violation"
    assert "local" not in left(swept) and json.loads(swept.evidence["here"])["state"]
    assert verdicts["trixie-oc-rpm"] == verdicts["trixie-script"] == "unknown"


@pytest.fixture
def hole(fleet: Fleet) -> Iterator[str]:
    """An address that swallows every packet: on the bridge nobody has its hardware address."""
    address = "10.77.1.251"
    route = fleet.inside("ip", "route", "get", address).stdout
    entry = (address, "lladdr", "02:00:00:00:00:99", "dev", route.split()[route.split().index("dev") + 1])
    assert fleet.inside("ip", "neigh", "add", *entry, "nud", "permanent").returncode == 0
    yield address
    fleet.inside("ip", "neigh", "del", *entry)


def test_hosts_that_do_not_answer(fleet: Fleet, hole: str) -> None:
    """A black hole, a closed port, a name that is none, an address that is nobody's: the words are ssh's."""
    address = fleet.facts[OTHER]["address"]
    base = {"ansible_ssh_common_args": f"-F none -o UserKnownHostsFile={KNOWN} -o ConnectTimeout=2"}
    hosts: dict[str, dict[str, Any]] = {
        "hole": {"ansible_host": hole, **base},
        "closed": {"ansible_host": address, "ansible_port": 2202, **base},
        "nameless": {"ansible_host": "no.such.host.invalid", **base},
        "gone": {"ansible_host": "10.77.1.250", **base},
        HOST: {},
    }
    swept = both(fleet, hosts)
    assert not swept.left
    for host, words in {
        "hole": "Connection timed out",
        "closed": "Connection refused",
        "gone": "No route to host",
        "nameless": "Could not resolve hostname",
    }.items():
        assert words in (swept.error(host) or ""), (host, swept.error(host))
    assert swept.report["totals"]["unreachable"] == 4
    assert swept.error(HOST) is None


def test_one_limit_for_each_host(fleet: Fleet) -> None:
    """A server that takes connections and says nothing: ConnectTimeout, as ssh gives it; nobody waits for them."""
    fleet.shell(
        OTHER,
        'systemd-run -q --unit=mute python3 -c "import socket, time; s = socket.socket(); '
        "s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('', 2203)); s.listen(100); "
        'time.sleep(3600)"; for _ in $(seq 300); do '
        "[ -z \"$(ss -Hltn 'sport = :2203')\" ] || exit 0; sleep 0.1; done; exit 1",
    )
    mute = {"ansible_host": fleet.facts[OTHER]["address"], "ansible_port": 2203}
    hosts: dict[str, dict[str, Any]] = {
        # Half of them are given up between the first and the second word on how far it is, which has an estimate then.
        **{f"mute-{number}": {**mute, "ansible_ssh_timeout": 7 if number < 6 else 25} for number in range(12)},
        HOST: {"ansible_ssh_timeout": 300},
    }  # a busy machine is no mute one
    try:
        # One at a time: HOST comes last, and all of the others are still waited for then.
        swept = audit(
            fleet,
            "auto",
            hosts,
            "-e",
            "telemetry_sweep_connections=1",
            telemetry_sweep_limit=300,
            ansible_ssh_common_args=f"-F {CONFIG}",
        )
    finally:
        fleet.shell(OTHER, "systemctl stop mute")
    assert not swept.left
    assert all(
        "(Connection timed out during banner exchange)" in (swept.error(host) or "") for host in hosts if host != HOST
    )
    assert swept.error(HOST) is None
    assert "fleet_sweep: " in swept.output
    assert re.search(r"fleet_sweep: \d+/13 hosts, \d violations so far, about \d+:\d\d left", swept.output)


#: Users whose login or sudo fails, by what is done to them; what their evidence says.
FAILING = {
    "noword": ("echo 'noword ALL=(ALL) ALL'", "sudo there wants a password, or does not allow it to this user"),
    "nobody-at-all": ("true", "sudo there wants a password, or does not allow it to this user"),
    "closed": (
        "usermod -s /usr/sbin/nologin closed; echo 'closed ALL=(ALL) NOPASSWD: ALL'",
        "its account there is closed",
    ),
    "expired": ("chage -E 1 expired", "its account there is closed"),
    "stranger": ("rm -r /home/stranger/.ssh", "it does not let us log in"),
}


# Not on a newer sshd, which shuts out for a while whoever failed to log in (PerSourcePenalties).
@pytest.fixture
def failing(fleet: Fleet) -> Iterator[None]:
    """Those users, and one whose sudo wants a terminal."""
    fleet.shell(
        HOST,
        "\n".join(
            f"useradd -m -s /bin/sh {user} && cp -r /home/ansible/.ssh /home/{user} && chown -R {user}: /home/{user}; "
            f"{{ {how}; }} >/etc/sudoers.d/failing-{user}"
            for user, how in [
                *((user, how) for user, (how, _words) in FAILING.items()),
                ("terminal", "printf 'Defaults:terminal requiretty\\nterminal ALL=(ALL) NOPASSWD: ALL\\n'"),
            ]
        ),
    )
    yield
    fleet.shell(
        HOST,
        "rm -f /etc/sudoers.d/failing-*; "
        + "; ".join(f"userdel -rf {user} 2>/dev/null" for user in (*FAILING, "terminal"))
        + "; true",
    )


def test_who_cannot_log_in_or_become_root_is_told_so_in_every_way(fleet: Fleet, failing: None) -> None:
    """The same verdict and the same sentence, with what mends it; and where a terminal is wanted there is one."""
    base = {
        "ansible_host": fleet.facts[HOST]["address"],
        "ansible_ssh_common_args": f"-F none -o UserKnownHostsFile={KNOWN} -o IdentityFile={KEY} -o IdentitiesOnly=yes",
    }
    hosts: dict[str, dict[str, Any]] = {user: {"ansible_user": user, **base} for user in (*FAILING, "terminal")}
    hosts["nosudo"] = {"ansible_user": "ansible", "ansible_become_exe": "/opt/no/sudo", **base}
    hosts["nopython"] = {"ansible_user": "ansible", "ansible_python_interpreter": "/opt/no/python3", **base}
    hosts["wrong"] = {"ansible_user": "noword", "ansible_become_password": "an-other-word", **base}
    hosts["nouser"] = {"ansible_user": "ansible", "ansible_become_user": "no-such-user", **base}
    # Who is already whom he should become is not asked to (BECOME_ALLOW_SAME_USER), and this one may not.
    hosts["itself"] = {"ansible_user": "nobody-at-all", "ansible_become_user": "nobody-at-all", **base}
    swept = both(fleet, hosts)
    told = {
        **{user: words for user, (_how, words) in FAILING.items()},
        "nosudo": "there is no sudo there",
        "nopython": "no Python was found there",
        "wrong": "sudo there does not take the password",
        "nouser": "there is no such user there to become",
    }
    assert {host: (swept.error(host) or "").partition(" (")[0] for host in told} == told
    assert all(re.search(r"\); \w+", swept.error(host) or "") for host in told), "and what mends it"
    verdicts = {item["host"]: item["verdict"] for item in swept.report["hosts"]}
    assert {host for host, verdict in verdicts.items() if verdict == "unreachable"} == {"expired", "stranger"}
    assert {host for host, verdict in verdicts.items() if verdict != "unknown"} - {"itself"} == {
        "expired",
        "stranger",
        "terminal",
    }
    assert swept.error("terminal") is None and swept.error("itself") is None
    assert json.loads(swept.evidence["itself"])["state"]["host"]["effective_user"] > 0
    assert "an-other-word" not in swept.output
    # The doctor says the same, with the lines to write.
    done = fleet.play("doctor", inventory=fleet.inventory(hosts, ansible_ssh_args="-o ControlPath=none"))
    assert done.code == 0, done.output
    (path,) = re.findall(r"^doctor: (\S+)$", done.output, re.MULTILINE)
    document = json.loads(Path(path).read_text())
    validate(document)
    found = {entry["host"]: entry for entry in document["hosts"]}
    assert {host: found[host]["missing"][0].partition(" (")[0] for host in told} == told
    assert found["noword"]["host_vars"] == ['ansible_become_password: "{{ vault_become_password }}"']
    assert found["stranger"]["host_vars"] == ["ansible_user: USER", "ansible_ssh_private_key_file: PATH_OF_THE_KEY"]
    well = found["terminal"]
    assert (well["root"], well["missing"], well["reached"]["user"], well["reached"]["become"]) == (
        True,
        [],
        "terminal",
        "sudo",
    )
    assert well["python"].startswith("/usr/bin/python3")
    assert [one["service"] for one in well["installations"]] == [fleet.facts[HOST]["service"]]


#: A Python under which the connection breaks: once, where there is a file that says so, or each time.
CUT = r"""#!/bin/sh
if [ -e /opt/cut-once ] || [ -e /opt/cut-always ]; then
    rm -f /opt/cut-once
    pid=$$
    while :; do
        pid=$(sed 's/.*) //' /proc/$pid/stat | cut -d' ' -f2)
        case $(cat /proc/$pid/comm) in sshd*) kill -KILL $pid; sleep 60; exit 1;; esac
    done
fi
exec /usr/bin/python3 "$@"
"""


def test_a_connection_that_breaks_in_the_middle(fleet: Fleet) -> None:
    """Once: it is asked again. Each time: unreachable. Whichever way it was asked."""
    fleet.shell(HOST, f"cat >/opt/cut-python <<'END'\n{CUT}END\nchmod 755 /opt/cut-python")
    hosts = {HOST: {"ansible_python_interpreter": "/opt/cut-python"}}
    try:
        for sweep in ("auto", "never"):
            fleet.shell(HOST, "touch /opt/cut-once")
            once = audit(fleet, sweep, hosts)
            assert once.error(HOST) is None, (sweep, once.error(HOST))
        assert fleet.shell(HOST, "ls /opt") == "cut-python\n"
        fleet.shell(HOST, "touch /opt/cut-always")
        always = both(fleet, hosts)
    finally:
        fleet.shell(HOST, "rm -f /opt/cut-*")
    assert [item["verdict"] for item in always.report["hosts"]] == ["unreachable"], always.error(HOST)
    assert (always.error(HOST) or "").startswith("the connection to it broke in the middle (")


def test_a_run_that_is_killed_leaves_nothing_behind(fleet: Fleet) -> None:
    """In both ways: no question is waited for any more; what of ours runs on a host sees that (test_budget.py)."""
    waits = "#!/bin/sh\ntouch /run/cut-asked; exec sleep 4711\n"
    fleet.shell(HOST, f"cat >/opt/cut-python <<'END'\n{waits}END\nchmod 755 /opt/cut-python")
    try:
        for sweep in ("auto", "never"):
            fleet.shell(HOST, "rm -f /run/cut-asked")
            inventory = str(
                fleet.inventory(
                    {HOST: {"ansible_python_interpreter": "/opt/cut-python"}},
                    telemetry_sweep=sweep,
                    ansible_ssh_args="-o ControlPath=none",
                )
            )
            run = subprocess.Popen(
                [
                    FLEET,
                    "exec",
                    fleet.profile,
                    "--",
                    str(BIN / "ansible-playbook"),
                    "cbops.telemetry.audit",
                    "-i",
                    inventory,
                    "-e",
                    f"telemetry_reports_dir={inventory}-reports",
                ],
                cwd=CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                assert eventually(lambda: "yes" in fleet.shell(HOST, "test -e /run/cut-asked && echo yes || true"))
            finally:
                run.kill()
                run.wait(30)
            assert eventually(
                lambda here=inventory: (
                    here
                    not in subprocess.run(  # type: ignore[misc]
                        ["ps", "-eo", "args="], capture_output=True, text=True, check=True
                    ).stdout
                )
            ), sweep
    finally:
        fleet.shell(HOST, "rm -f /opt/cut-* /run/cut-*; pkill -KILL -f '[s]leep 4711' || true")


def eventually(what: Callable[[], bool], seconds: float = 60) -> bool:
    """Whether something becomes true, long before a limit of the collection would make it so."""
    until = time.monotonic() + seconds
    while not what():
        if time.monotonic() > until:
            return False
        time.sleep(0.2)
    return True


def test_two_names_for_one_machine(fleet: Fleet) -> None:
    """Not for hosts that share the kernel of this machine, as all of the fleet do."""
    other = {
        "ansible_host": fleet.facts[HOST]["address"],
        "ansible_user": "ansible",
        "ansible_ssh_common_args": f"-F none -o UserKnownHostsFile={KNOWN} -o IdentityFile={KEY}",
    }
    swept = audit(fleet, "auto", {HOST: {}, "another-name": other, OTHER: {}})
    assert swept.report["machines"] == [[HOST, "another-name"]]
    assert sum(swept.report["totals"].values()) == 2
    assert f"{HOST} and another-name are one machine" in swept.output
    assert b"machine" not in swept.evidence[HOST]


def test_what_this_run_did_is_in_the_evidence(fleet: Fleet, tmp_path: Path) -> None:
    """What an audit found wrong and enforce put right is no drift; to an audit that knew of no edit it would be."""
    drifts = []
    for play, desired in (
        ("enforce", "enabled"),
        ("audit", "disabled"),
        ("enforce", "disabled"),
        ("enforce", "enabled"),
    ):
        inventory = fleet.inventory({HOST: {}, OTHER: {}}, telemetry_sweep="auto", telemetry_desired=desired)
        done = fleet.play(play, "-v", "-e", f"telemetry_reports_dir={tmp_path}", inventory=inventory)
        assert "are left to the ordinary way" not in done.output
        journal = max((tmp_path / "runs").glob("*.jsonl"), key=lambda path: path.stat().st_mtime)
        lines = [json.loads(line) for line in journal.read_text().splitlines()]
        drifts.append({line["host"]: line["drift"] for line in lines})
    assert drifts[2] == {HOST: None, OTHER: None}


def test_settings_that_are_none(fleet: Fleet) -> None:
    for setting, words in {
        "telemetry_sweep_connections=0": "connections must be",
        "telemetry_sweep_limit=0": "limit must be",
        "telemetry_sweep=always": "must be one of",
        "telemetry_sweep=true": "telemetry_sweep",
        "telemetry_sweep_per_place=0": "per_place must be",
    }.items():
        done = fleet.play("audit", "-e", setting, inventory=fleet.inventory({HOST: {}}, telemetry_sweep="auto"))
        assert done.code
        assert words in done.output

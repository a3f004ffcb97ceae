"""What we make of ssh's own settings, asked of the real ssh."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect import _openssh
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._openssh import OpenSSH, Unserved


def write(folder: Path, text: str) -> tuple[str, ...]:
    """The arguments of ssh for a configuration."""
    path = folder / "config"
    path.write_text(text)
    return ("ssh", "-F", str(path))


def test_settings_are_those_of_the_configuration(tmp_path: Path) -> None:
    login = OpenSSH().login(
        (
            *write(
                tmp_path,
                """
Host cm1
    HostName 10.1.2.3
    Port 2222
    User ops
    HostKeyAlias controllers
    IdentitiesOnly yes
Host *
    IdentityFile ~/.ssh/%h
    UserKnownHostsFile /a/known "/b c/known"
    GlobalKnownHostsFile none
    StrictHostKeyChecking accept-new
    AddressFamily inet6
""",
            ),
            "-o",
            "ConnectTimeout=7",
            "-o",
            "PasswordAuthentication=no",
            "-o",
            "KexAlgorithms=curve25519-sha256",
        ),
        "cm1",
    )
    assert (login.hostname, login.port, login.user, login.alias) == ("10.1.2.3", 2222, "ops", "controllers")
    assert login.identities == (str(Path.home() / ".ssh/10.1.2.3"),)
    assert login.identities_only
    assert login.known_hosts[0] == "/a/known"
    assert login.strict  # what accept-new would add is for ssh to add
    assert login.connect_timeout == 7
    assert login.address_family == "inet6"
    assert login.kex == ("curve25519-sha256",)
    assert login.methods == ("publickey", "keyboard-interactive")
    assert login.via is None


def test_ssh_is_asked_once_where_its_answer_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "more").write_text("Port 2200\n")
    asked = []
    real = _openssh.ask
    monkeypatch.setattr(_openssh, "ask", lambda arguments, host: asked.append(host) or real(arguments, host))
    plain = OpenSSH()
    arguments = write(tmp_path, f"Host *\n  User ops\nInclude {tmp_path}/more\n")
    for number in range(3):
        login = plain.login(arguments, f"cm{number}")
        assert (login.hostname, login.user, login.port) == (f"cm{number}", "ops", 2200)
    assert asked == ["cm0", "host"]  # and once for what ssh does by itself


def agree(arguments: tuple[str, ...], hosts: list[str]) -> None:
    """Every host has the settings that ssh says for it."""
    for first in (hosts, hosts[::-1]):
        shared = OpenSSH()
        for host in first:
            mine, its_own = shared.settings(arguments, host), _openssh.ask(arguments, host)[0]
            for name in {*mine, *its_own} - {"host"}:
                assert mine.get(name) == its_own.get(name), (host, name)


@pytest.mark.parametrize(
    "text",
    [
        "Match host cm*\n  User ops\n",
        "Host cm1 cm2\n  User ops\n",
        "host=cm?\n  User ops\n",
        "User ops\nInclude {more}\n",
        "User ops\nIdentityFile ~/.ssh/id_%h\n",
        '"Host" "cm1" \'cm2\'\n  User ops\n',
        "User ops\nProxyJump %h.gate\n",
        "Host cm*\n  HostName %h.example.com\n",
        "Host cm9 # cm2\n  User ops\n",
        "Host db,cm1\n  User ops\n",
        "Host CM1\n  User ops\n",
        "Host c\\m1 \\db\n  User ops\n",
        "HostKeyAlias %n\n",
        "Host !cm1 *\n  User ops\n",
        "CanonicalizeHostname yes\nCanonicalDomains localdomain\n",
    ],
)
def test_no_host_has_the_settings_of_another(tmp_path: Path, text: str) -> None:
    (tmp_path / "more").write_text("Host cm9\n  Port 9\n")
    agree(write(tmp_path, text.format(more=tmp_path / "more")), ["cm1", "cm2", "CM1", "db", "cm9", "localhost"])


def test_no_host_has_the_settings_of_another_in_a_thicket(tmp_path: Path) -> None:
    chance = random.Random(4711)
    words = ["a", "b", "ab", "a*", "*b", "?", "??", "*", "!a", "!*b", "!ab", '"b a"', "a,b", "a?", "b*a"]
    for number in range(25):
        lines = [
            f"Host{chance.choice([' ', '=', ' = '])}{' '.join(chance.choices(words, k=chance.randint(1, 3)))}\n"
            f"  {chance.choice([f'Port {place + 1}', f'User u{place}', 'HostName %h.c', 'HostName d'])}\n"
            for place in range(chance.randint(1, 4))
        ]
        folder = tmp_path / str(number)
        folder.mkdir()
        agree(write(folder, "".join(lines)), chance.sample(["a", "b", "ab", "ba", "aa", "bb", "abb", "c"], 4))


def test_ssh_is_asked_once_for_the_hosts_of_a_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    real = _openssh.ask
    monkeypatch.setattr(_openssh, "ask", lambda arguments, host: asked.append(host) or real(arguments, host))
    arguments, one = write(tmp_path, "Host cm*\n  User ops\nHost cm7\n  User other\n"), OpenSSH()
    users = {host: one.login(arguments, host).user for host in ("cm1", "cm2", "cm7", "cm3", "db1", "db2")}
    assert [users[host] for host in ("cm1", "cm2", "cm3", "cm7")] == ["ops"] * 4
    assert asked == ["cm1", "host", "cm7", "db1"]


def test_ways_through_other_hosts(tmp_path: Path) -> None:
    arguments = write(
        tmp_path,
        """
Host gate
    HostName 10.0.0.1
    User guard
Host inner
    ProxyJump gate
Host deep
    ProxyJump ann@[fe80::1]:2201,inner
""",
    )
    one = OpenSSH().login(arguments, "inner")
    assert one.via is not None
    assert (one.via.hostname, one.via.user, one.via.via) == ("10.0.0.1", "guard", None)
    two = OpenSSH().login(arguments, "deep")
    assert two.via is not None
    assert two.via.hostname == "inner"
    assert two.via.via is not None
    assert (two.via.via.hostname, two.via.via.port, two.via.via.user) == ("fe80::1", 2201, "ann")
    command = f"ProxyCommand=ssh -F {tmp_path}/config -q -l root -W [%h]:%p gate"
    three = OpenSSH().login(("ssh", "-F", "none", "-o", command), "cm1")
    assert three.via is not None
    assert (three.via.hostname, three.via.user) == ("10.0.0.1", "root")


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("ProxyCommand=nc %h %p", "ProxyCommand"),
        ("ProxyCommand=ssh -W %h:%p gate | tee log", "ProxyCommand"),
        ("ProxyCommand=ssh gate nc %h %p", "ProxyCommand"),
        ("CertificateFile=/a/cert", "certificatefile"),
        ("PKCS11Provider=/a/lib.so", "pkcs11provider"),
        ("BindAddress=10.0.0.9", "bindaddress"),
        ("BindInterface=eth9", "bindinterface"),
        ("RequestTTY=force", "a terminal"),
        ("RemoteCommand=true", "remotecommand"),
        ("NoSuchSetting=1", "cannot say"),
        ("KnownHostsCommand=/bin/true", "knownhostscommand"),
        ("RevokedHostKeys=/a/krl", "revokedhostkeys"),
        ("VerifyHostKeyDNS=yes", "verifyhostkeydns"),
        ("CheckHostIP=yes", "checkhostip"),
        ("NoHostAuthenticationForLocalhost=yes", "nohostauthentication"),
        ("PermitLocalCommand=yes", "permitlocalcommand"),
        ("ProxyUseFdpass=yes", "proxyusefdpass"),
        ("SecurityKeyProvider=/a/lib.so", "securitykeyprovider"),
        ("Tunnel=yes", "tunnel"),
        ("SetEnv=A=token", "setenv"),
        ("SendEnv=TOKEN", "environment"),
        ("SendEnv=LANG L* LC_ALL", "environment"),
        ("CanonicalizeHostname=yes", "canonical"),
        ("LocalForward=8022 h:22", "localforward"),
        ("RemoteForward=8022 h:22", "remoteforward"),
        ("DynamicForward=8022", "dynamicforward"),
        ("ForwardX11=yes", "forwardx11"),
        ("SessionType=none", "sessiontype"),
        ("StdinNull=yes", "stdinnull"),
        ("ConnectionAttempts=3", "connectionattempts"),
        ("HostbasedAuthentication=yes", "hostbasedauthentication"),
        ("GlobalKnownHostsFile=/a/known /a/%k", "/a/%k"),
        ("GlobalKnownHostsFile=${HOME}/known", "known"),
    ],
)
def test_what_is_left_to_ssh(setting: str, reason: str) -> None:
    with pytest.raises(Unserved, match=reason) as why:
        OpenSSH().login(("ssh", "-F", "none", "-o", setting), "cm1")
    assert "token" not in str(why.value)


@pytest.mark.parametrize("word", ["-N", "-n", "-X", "-tt", "-s", "-g"])
def test_words_that_are_left_to_ssh(word: str) -> None:
    with pytest.raises(Unserved):
        OpenSSH().login(("ssh", "-F", "none", word), "cm1")


def test_the_way_there_is_held_to_the_same(tmp_path: Path) -> None:
    """A jump host that ssh would refuse is one that the sweep does not go through."""
    for setting in ("RevokedHostKeys /a/krl", "VerifyHostKeyDNS yes"):
        arguments = write(tmp_path, f"Host gate\n  {setting}\nHost cm1\n  ProxyJump gate\n")
        with pytest.raises(Unserved, match="a setting of its own"):
            OpenSSH().login(arguments, "cm1")


def test_ordinary_settings_are_served(tmp_path: Path) -> None:
    """What a user's, a distribution's or Ansible's configuration usually says is no reason to leave a host to ssh."""
    arguments = write(
        tmp_path,
        """
Host gate
    User guard
    ProxyJump none
Host *
    User ops
    Port 2222
    IdentityFile ~/.ssh/ops
    IdentitiesOnly yes
    ProxyJump gate
    ServerAliveInterval 15
    ServerAliveCountMax 4
    TCPKeepAlive no
    ForwardAgent yes
    ForwardX11Trusted yes
    AddKeysToAgent yes
    HashKnownHosts yes
    UpdateHostKeys yes
    UserKnownHostsFile /a/known
    GlobalKnownHostsFile none
    StrictHostKeyChecking accept-new
    SendEnv LANG LC_* LC_CTYPE LANGUAGE XMODIFIERS COLORTERM NO_COLOR
    GSSAPIAuthentication yes
    GSSAPIDelegateCredentials yes
    RequiredRSASize 2048
    CASignatureAlgorithms ssh-ed25519,rsa-sha2-512
    PubkeyAcceptedAlgorithms ssh-ed25519,rsa-sha2-512
    HostKeyAlgorithms ssh-ed25519,rsa-sha2-512
    KexAlgorithms curve25519-sha256
    Ciphers aes256-ctr
    MACs hmac-sha2-256
    LogLevel ERROR
    BatchMode yes
    VisualHostKey yes
""",
    )
    login = OpenSSH().login(
        (
            *arguments,
            "-C",
            "-o",
            "ControlMaster=auto",
            "-o",
            "ControlPersist=60s",
            "-o",
            f"ControlPath={tmp_path}/%C",
            "-o",
            "KbdInteractiveAuthentication=no",
            "-o",
            "PreferredAuthentications=gssapi-with-mic,gssapi-keyex,hostbased,publickey",
            "-o",
            "ConnectTimeout=10",
        ),
        "cm1",
    )
    assert login.via is not None
    assert (login.rsa_bits, login.signatures) == (2048, ("ssh-ed25519", "rsa-sha2-512"))
    assert login.methods == ("publickey",)
    assert login.known_hosts == ("/a/known",)


def test_a_version_to_come_is_safe(tmp_path: Path) -> None:
    """A setting that nobody here has heard of counts, as soon as it is not what that ssh does by itself."""
    program = tmp_path / "ssh"
    program.write_text("""#!/bin/sh
ssh "$@" || exit
case "$*" in *none*) echo "refusehosts never" ;; *) echo "refusehosts $REFUSE" ;; esac
""")
    program.chmod(0o755)
    write(tmp_path, "User ops\n")
    arguments = (str(program), "-F", str(tmp_path / "config"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REFUSE", "never")
        assert OpenSSH().login(arguments, "cm1").user == "ops"
        patch.setenv("REFUSE", "always")
        with pytest.raises(Unserved, match="refusehosts"):
            OpenSSH().login(arguments, "cm1")


def test_an_older_ssh_that_looks_at_addresses_too(tmp_path: Path) -> None:
    """Before OpenSSH 8.5 CheckHostIP was on by default, which the sweep does not do."""
    program = tmp_path / "ssh"
    program.write_text('#!/bin/sh\nssh -o CheckHostIP=yes "$@"\n')
    program.chmod(0o755)
    with pytest.raises(Unserved, match="checkhostip"):
        OpenSSH().login((str(program), "-F", "none"), "cm1")
    assert OpenSSH().login(("ssh", "-F", "none"), "cm1")


def test_an_ssh_that_is_not_there() -> None:
    with pytest.raises(Unserved, match="cannot say how it would log in"):
        OpenSSH().login(("/no/such/ssh",), "cm1")

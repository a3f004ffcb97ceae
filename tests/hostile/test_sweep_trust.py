"""The sweep trusts what ssh trusts and refuses what ssh refuses, whatever it is set to; against real servers."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from attacker import PROFILE, Site
from fleethand import BIN, place

HOST = "script"
PLACE = place(PROFILE)
#: Ports of servers that differ in the keys they show.
RSA, CERTIFIED = 2201, 2202
REFUSED = "Host key verification failed"


@dataclass(frozen=True)
class Keys:
    """What the servers show, as words of a known_hosts file, and files made of it."""

    rsa: str
    ed25519: str
    authority: str
    folder: Path

    def file(self, name: str, text: str) -> Path:
        """A file with some text."""
        path = self.folder / name
        path.write_text(text)
        return path


@pytest.fixture(scope="module")
def keys(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keys]:
    """Two more servers on the host: one has a short RSA key alone, one a key with an authority's certificate."""
    site.shell(
        HOST,
        f"""
        mkdir -p /root/trust /run/sshd; cd /root/trust
        ssh-keygen -q -t rsa -b 2048 -N '' -f rsa; ssh-keygen -q -t ed25519 -N '' -f key
        ssh-keygen -q -t ed25519 -N '' -f authority
        ssh-keygen -q -s authority -I host -h -n {site.facts[HOST]["address"]} key.pub
        printf 'UsePAM yes\\nMaxStartups 100\\n' | tee key.conf >rsa.conf
        printf 'Port {RSA}\\nHostKey /root/trust/rsa\\n' >>rsa.conf
        printf 'Port {CERTIFIED}\\nHostKey /root/trust/key\\nHostCertificate /root/trust/key-cert.pub\\n' >>key.conf
        for one in rsa key; do systemd-run -q --unit=trust-$one /usr/sbin/sshd -D -f /root/trust/$one.conf; done
        for one in {RSA} {CERTIFIED}; do
            until bash -c "echo >/dev/tcp/localhost/$one" 2>/dev/null; do sleep 0.1; done
        done""",
    )
    words = [
        " ".join(site.shell(HOST, f"cat /root/trust/{name}.pub").split()[:2]) for name in ("rsa", "key", "authority")
    ]
    yield Keys(*words, tmp_path_factory.mktemp("trust"))
    site.shell(HOST, "systemctl stop trust-rsa trust-key")


@dataclass
class Case:
    """One way to log in: its settings, and what ssh says where it refuses."""

    port: int = CERTIFIED
    known: str = ""
    options: dict[str, str] = field(default_factory=dict)
    error: str | None = None


def name(site: Site, port: int) -> str:
    """The host's name in a known_hosts file."""
    return f"[{site.facts[HOST]['address']}]:{port}"


def audited(site: Site, keys: Keys, cases: dict[str, Case]) -> None:
    """Each case is a host of one audit; checks that the sweep asked it, and what the evidence says."""
    hosts = {}
    for label, case in cases.items():
        known = keys.file(f"known-{label}", case.known)
        options = {
            "UserKnownHostsFile": str(known),
            "GlobalKnownHostsFile": "none",
            "User": "ansible",
            "IdentityFile": str(PLACE / "id_ed25519"),
            "UpdateHostKeys": "no",
            "ControlPath": "none",
            **case.options,
        }
        hosts[label] = {
            "ansible_host": site.facts[HOST]["address"],
            "ansible_port": case.port,
            "ansible_ssh_common_args": " ".join(
                ["-F none", *(f"-o '{name}={value}'" for name, value in options.items())]
            ),
        }
    inventory = site.inventory(hosts, telemetry_sweep="auto", ansible_ssh_common_args=None)
    reports = inventory.with_name(f"{inventory.name}-reports")
    done = site.inside(
        str(BIN / "ansible-playbook"),
        "cbops.telemetry.audit",
        "-i",
        str(inventory),
        "-v",
        "-e",
        f"telemetry_reports_dir={reports}",
        environment={"ANSIBLE_NOCOLOR": "1", "ANSIBLE_DISPLAY_OK_HOSTS": "1"},
    )
    output = done.stdout + done.stderr
    found = re.search(r'"unserved": (\{.*?\})', output, re.DOTALL)
    assert found, output
    left = json.loads(found[1])
    for label, case in cases.items():
        evidence = json.loads((reports / f"evidence/{label}.json").read_text())
        assert label not in left, (label, left[label])
        if case.error is None:
            assert evidence["state"] and evidence["error"] is None, (label, evidence["error"])
        else:
            assert evidence["state"] is None, label
            assert case.error in evidence["error"], label


def test_host_keys_that_ssh_refuses(site: Site, keys: Keys) -> None:
    rsa, key = name(site, RSA), name(site, CERTIFIED)
    plain = f"{key} {keys.ed25519}\n"
    hashed = keys.file("hashed", plain)
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", hashed], check=True, capture_output=True)
    listed = keys.file("revoked-text", f"{keys.ed25519} a comment\n")
    authority = keys.file("revoked-authority", f"{keys.authority}\n")
    krl = keys.folder / "revoked.krl"
    subprocess.run(["ssh-keygen", "-q", "-k", "-f", krl, listed], check=True)
    no_krl = keys.folder / "no-such-file"
    audited(
        site,
        keys,
        {
            "known": Case(known=plain),
            "hashed": Case(known=hashed.read_text()),
            "unknown": Case(error=REFUSED),
            "changed": Case(known=f"{key} {keys.authority}\n", error="HAS CHANGED"),
            "changed-hashed": Case(known=hashed.read_text().replace(keys.ed25519, keys.authority), error="HAS CHANGED"),
            "revoked": Case(known=f"{plain}@revoked * {keys.ed25519}\n", error="REVOKED"),
            "authority": Case(known=f"@cert-authority {key} {keys.authority}\n"),
            "authority-and-key": Case(known=f"{plain}@cert-authority * {keys.authority}\n"),
            # ssh looks at the certificate beside the key that is known.
            "authority-revoked": Case(known=f"{plain}@revoked * {keys.authority}\n", error="REVOKED"),
            "authority-of-others": Case(known=f"{plain}@cert-authority *.example.com {keys.authority}\n"),
            "list": Case(known=plain, options={"RevokedHostKeys": str(listed)}, error=REFUSED),
            "krl": Case(known=plain, options={"RevokedHostKeys": str(krl)}, error=REFUSED),
            "krl-of-authority": Case(known=plain, options={"RevokedHostKeys": str(authority)}, error=REFUSED),
            "krl-missing": Case(known=plain, options={"RevokedHostKeys": str(no_krl)}, error=REFUSED),
            "rsa": Case(RSA, f"{rsa} {keys.rsa}\n"),
            "rsa-long-enough": Case(RSA, f"{rsa} {keys.rsa}\n", {"RequiredRSASize": "2048"}),
            "rsa-short": Case(RSA, f"{rsa} {keys.rsa}\n", {"RequiredRSASize": "4096"}, "Invalid key length"),
            "rsa-no-algorithm": Case(
                RSA, f"{rsa} {keys.rsa}\n", {"HostKeyAlgorithms": "ssh-ed25519"}, "no matching host key type"
            ),
            "off": Case(options={"StrictHostKeyChecking": "off"}),
            "off-changed": Case(known=f"{key} {keys.authority}\n", options={"StrictHostKeyChecking": "off"}),
            "off-revoked": Case(known=f"@revoked * {keys.ed25519}\n", options={"StrictHostKeyChecking": "off"}),
            "accept-new": Case(options={"StrictHostKeyChecking": "accept-new"}),
        },
    )
    # What was new is written down by ssh.
    assert keys.ed25519 in (keys.folder / "known-accept-new").read_text()


def test_settings_that_only_ssh_has(site: Site, keys: Keys) -> None:
    """Each is as ssh has it."""
    plain = f"{name(site, CERTIFIED)} {keys.ed25519}\n"
    touched = keys.folder / "local-command"
    other = keys.file("command", f"#!/bin/sh\necho '{plain.strip()}'\n")
    other.chmod(0o755)
    settings = {
        "VerifyHostKeyDNS": "yes",
        "CheckHostIP": "yes",
        "NoHostAuthenticationForLocalhost": "yes",
        "ProxyUseFdpass": "yes",
        "SecurityKeyProvider": "/no/such.so",
        "SetEnv": "CBOPS=secret",
        "SendEnv": "CBOPS",
        "CanonicalizeHostname": "yes",
        "ConnectionAttempts": "2",
        "IPQoS": "throughput",
    }
    cases = {setting.lower(): Case(known=plain, options={setting: value}) for setting, value in settings.items()}
    # ssh takes an unusable way of passing the connection, and fails.
    cases["proxyusefdpass"].options["ProxyCommand"] = "true"
    cases["proxyusefdpass"].error = "did not pass back"
    cases["proxycommand"] = Case(
        known=plain, options={"ProxyCommand": "false"}, error="UNKNOWN port 65535"
    )  # then "closed" or "Broken pipe", as it happens
    cases["localcommand"] = Case(known=plain, options={"PermitLocalCommand": "yes", "LocalCommand": f"touch {touched}"})
    cases["remotecommand"] = Case(
        known=plain, options={"RemoteCommand": "true"}, error="Cannot execute command-line and remote command"
    )
    cases["knownhostscommand"] = Case(options={"KnownHostsCommand": str(other)})
    audited(site, keys, cases)
    assert touched.exists()


def test_ordinary_settings_are_served(site: Site, keys: Keys) -> None:
    plain = f"{name(site, CERTIFIED)} {keys.ed25519}\n"
    settings = {
        "ServerAliveInterval": "15",
        "ServerAliveCountMax": "2",
        "ConnectTimeout": "9",
        "Compression": "yes",
        "LogLevel": "ERROR",
        "KexAlgorithms": "curve25519-sha256@libssh.org",
        "Ciphers": "aes256-ctr",
        "MACs": "hmac-sha2-256",
        "HashKnownHosts": "yes",
        "GSSAPIAuthentication": "yes",
        "SendEnv": "LANG LC_*",
        "ForwardAgent": "yes",
        "TCPKeepAlive": "no",
        "BatchMode": "yes",
        "CASignatureAlgorithms": "ssh-ed25519",
        "RequiredRSASize": "3072",
        "PubkeyAcceptedAlgorithms": "ssh-ed25519",
        "ControlMaster": "auto",
        "ControlPersist": "60s",
        "StrictHostKeyChecking": "yes",
        "IdentitiesOnly": "yes",
        "AddKeysToAgent": "yes",
    }
    cases = {setting.lower(): Case(known=plain, options={setting: value}) for setting, value in settings.items()}
    cases["together"] = Case(known=plain, options=settings)
    cases["alias"] = Case(known=f"the-alias {keys.ed25519}\n", options={"HostKeyAlias": "the-alias"})
    cases["alias-of-another"] = Case(known=plain, options={"HostKeyAlias": "the-alias"}, error=REFUSED)
    cases["signatures"] = Case(
        known=plain, options={"PubkeyAcceptedAlgorithms": "rsa-sha2-512"}, error="Permission denied"
    )
    audited(site, keys, cases)

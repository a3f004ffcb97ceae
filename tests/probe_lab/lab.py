"""Sets the laboratory up on the fleet's profile `lab`, and runs probes from its host `node`."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.probe_lab import certificates
from tests.probe_lab.cases import CASES, DOMAIN, NXDOMAIN, PEERS, PROXY_PORT, REFUSING_DNS, SILENT_DNS, SINKHOLES, Case

CHECKOUT = Path(__file__).parent.parent.parent
FLEET = str(CHECKOUT / "tests/fleet/fleet")
USER = "cloudbees-core-cm"
HOME = f"/var/lib/{USER}"
SECRET = "lab-Proxy+4711"  # noqa: S105 -- the password in the controller's proxy settings; it must never come out
RECEIVED = "/var/lib/lab/received.jsonl"
RESOLVER, SILENT, REFUSING = 100, 120, 121

#: What the packet filter of the host `internet` does; {n} is the network of the laboratory.
FILTER = """
table inet lab {{
    chain input {{
        type filter hook input priority 0;
        ip daddr {n}.103 tcp dport 443 reject with tcp reset
        ip daddr {n}.104 tcp dport 443 reject with icmp type host-unreachable
        ip daddr {{ {n}.107, {n}.150-{n}.159 }} tcp dport 443 drop
        ip6 daddr {{ fd77::107, fd77::150 }} tcp dport 443 drop
        ip daddr {n}.120 udp dport 53 drop
        ip daddr {n}.140 tcp dport 443 tcp flags & (syn | ack) == syn numgen inc mod 3 == 2 reject with tcp reset
    }}
}}
"""
PROXY = "Port {port}\nListen {address}\nTimeout 30\nConnectPort 443\nMaxClients 20\n{more}\n"
PROXIES = {"proxy-open": "", "proxy-denies": "Allow 192.0.2.1", "proxy-asks": "BasicAuth lab somebody-elses"}
PROXY_XML = """<?xml version='1.1' encoding='UTF-8'?>
<proxy>
  <name>proxy-denies.{domain}</name>
  <port>{port}</port>
  <userName>lab</userName>
  <noProxyHost>*.example.com</noProxyHost>
  <secretPassword>{{{secret}}}</secretPassword>
</proxy>
"""
#: Breaks the host for one program. The mounts end with it.
PLACES = {
    "": "",
    "no-resolver": "mount --bind /dev/null /etc/resolv.conf; ",
    "no-authorities": "export SSL_CERT_FILE=/dev/null SSL_CERT_DIR=/nonexistent; ",
}


class Lab:
    """The running laboratory."""

    def __init__(self) -> None:
        facts = json.loads((CHECKOUT / ".fleet/lab/hosts.json").read_text())
        self.network = facts["node"]["address"].rpartition(".")[0]

    def shell(self, host: str, script: str, data: bytes = b"", timeout: int = 120) -> str:
        """A shell script as root inside a host; its standard output."""
        done = subprocess.run(
            [FLEET, "shell", "lab", host, "--", "sh", "-euc", script],
            input=data,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(
                f"{host}: {script[:60]!r}... ended with {done.returncode}: "
                f"{done.stdout.decode()[-1000:]}{done.stderr.decode()[-2000:]}"
            )
        return done.stdout.decode()

    def put(self, host: str, files: Mapping[str, bytes | Path]) -> None:
        """Write files inside a host, as root's."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for path, content in files.items():
                data = content.read_bytes() if isinstance(content, Path) else content
                entry = tarfile.TarInfo(path.lstrip("/"))
                entry.size, entry.mode = len(data), 0o644
                archive.addfile(entry, io.BytesIO(data))
        self.shell(host, "tar -xf - -C /", packed.getvalue())

    # -- setting up ---------------------------------------------------------------------------------

    def furnish(self) -> None:
        """Everything that the cases need, on both hosts; again and again if need be."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            certificates.make(folder)
            self._internet(folder)
            self._node(folder)

    def _v4(self, last: int) -> str:
        return f"{self.network}.{last}"

    def _addresses(self) -> tuple[list[str], list[str]]:
        v4 = {last for peer in PEERS for last in peer.v4} | {RESOLVER, SILENT, REFUSING}
        v6 = {last for peer in PEERS for last in peer.v6}
        return [self._v4(last) for last in sorted(v4)], [f"fd77::{last:x}" for last in sorted(v6)]

    def _internet(self, folder: Path) -> None:
        peers = [
            {
                "address": address,
                "port": PROXY_PORT if peer.name.startswith("proxy") else 443,
                "behaviour": peer.behaviour,
                "certificate": peer.certificate,
                "answer": peer.answer,
            }
            for peer in {one.v4 + one.v6: one for one in PEERS if one.behaviour}.values()
            for address in [self._v4(last) for last in peer.v4] + [f"fd77::{last:x}" for last in peer.v6]
        ]
        peers.append({"address": self._v4(REFUSING), "port": 53, "behaviour": "dns-servfail"})
        unique = {(one["address"], one["port"]): one for one in peers}
        hosts = [
            f"{address} {peer.name}.{DOMAIN}"
            for peer in PEERS
            for address in [self._v4(last) for last in peer.v4] + [f"fd77::{last:x}" for last in peer.v6]
        ]
        hosts += [f"{address} {name}.{DOMAIN}" for name, sinks in SINKHOLES.items() for address in sinks]
        resolver = [
            "no-resolv",
            "no-hosts",
            "addn-hosts=/etc/lab/hosts",
            "user=root",
            "bind-interfaces",
            f"listen-address={self._v4(RESOLVER)}",
            f"address=/api.segment.io/{self.network}.2",
            "address=/#/",
            f"server=/{SILENT_DNS}.{DOMAIN}/{self._v4(SILENT)}",
            f"server=/{REFUSING_DNS}.{DOMAIN}/{self._v4(REFUSING)}",
            f"address=/{NXDOMAIN}.{DOMAIN}/",
        ]
        files: dict[str, bytes | Path] = {f"/etc/lab/{path.name}": path for path in folder.glob("*.pem")}
        files.update(
            {
                "/opt/lab/peers.py": Path(__file__).with_name("peers.py"),
                "/etc/lab/peers.json": json.dumps(list(unique.values())).encode(),
                "/etc/lab/hosts": "\n".join([*hosts, ""]).encode(),
                "/etc/lab/dnsmasq.conf": "\n".join([*resolver, ""]).encode(),
                "/etc/lab/filter.nft": FILTER.format(n=self.network).encode(),
            }
        )
        for name, more in PROXIES.items():
            address = self._v4(next(peer.v4[0] for peer in PEERS if peer.name == name))
            files[f"/etc/lab/{name}.conf"] = PROXY.format(port=PROXY_PORT, address=address, more=more).encode()
        self.put("internet", files)
        v4, v6 = self._addresses()
        script = "\n".join(
            [
                *[f"ip address replace {address}/24 dev eth0" for address in v4],
                *[f"ip address replace {address}/64 dev eth0 nodad" for address in v6],
                f"printf 'nameserver {self._v4(RESOLVER)}\\n' >/etc/resolv.conf",
                "nft delete table inet lab 2>/dev/null || :",
                "nft -f /etc/lab/filter.nft",
                f"mkdir -p /var/lib/lab; : >{RECEIVED}",
                *[
                    f"systemctl stop {unit} 2>/dev/null || :; systemctl reset-failed {unit} 2>/dev/null || :; "
                    f"systemd-run --quiet --unit {unit} {command}"
                    for unit, command in [
                        ("lab-dns", "dnsmasq --keep-in-foreground --conf-file=/etc/lab/dnsmasq.conf"),
                        ("lab-peers", f"python3 -I /opt/lab/peers.py /etc/lab/peers.json {RECEIVED}"),
                        *[(f"lab-{name}", f"tinyproxy -d -c /etc/lab/{name}.conf") for name in PROXIES],
                    ]
                ],
                # The fleet's own servers do as they did; the new ones are waited for.
                *[
                    f"for i in $(seq 100); do ss -Hltn src {address} | grep -q . && break; sleep 0.1; done; "
                    f"ss -Hltn src {address} | grep -q ."
                    for address in [
                        self._v4(RESOLVER),
                        self._v4(101),
                        *[self._v4(next(p.v4[0] for p in PEERS if p.name == name)) for name in PROXIES],
                    ]
                ],
            ]
        )
        self.shell("internet", script)

    def _node(self, folder: Path) -> None:
        options = (
            f"-Dhttps.proxyHost=proxy-open.{DOMAIN} -Dhttps.proxyPort={PROXY_PORT} "
            "-Dhttp.nonProxyHosts=api.segment.io -Djavax.net.ssl.trustStore=/etc/lab/jvm.jks"
        )
        files: dict[str, bytes | Path] = {
            f"/opt/lab/{path.relative_to(CHECKOUT / 'plugins')}": path
            for path in (CHECKOUT / "plugins/module_utils").rglob("*.py")
        }
        files.update(
            {
                "/opt/lab/measure.py": Path(__file__).with_name("measure.py"),
                "/opt/lab/compare.py": Path(__file__).with_name("compare.py"),
                "/opt/lab/module_utils/__init__.py": b"",
                "/usr/share/ca-certificates/mozilla/lab-public.crt": folder / "ca-public.crt",
                "/usr/share/ca-certificates/mozilla/lab-second.crt": folder / "ca-second.crt",
                "/usr/local/share/ca-certificates/lab-company.crt": folder / "ca-company.crt",
                "/etc/lab/public.pem": folder / "ca-public.crt",
                "/etc/lab/java-only.pem": folder / "ca-java-only.crt",
                f"{HOME}/proxy.xml": PROXY_XML.format(domain=DOMAIN, port=PROXY_PORT, secret=SECRET).encode(),
                # The launcher of the package logs its user in, so a unit's environment does not reach the JVM; this does.
                "/etc/profile.d/proxy.sh": f"export https_proxy=http://lab:{SECRET}@proxy-asks.{DOMAIN}:{PROXY_PORT}\n".encode(),
            }
        )
        self.put("node", files)
        fleet_ca = "/usr/share/ca-certificates/mozilla/fleet-test-ca.crt"
        self.shell(
            "node",
            "\n".join(
                [
                    "ip address replace fd77::12/64 dev eth0 nodad",
                    f"printf 'nameserver {self._v4(RESOLVER)}\\noptions timeout:1 attempts:2\\n' >/etc/resolv.conf",
                    "for name in public second; do grep -q lab-$name.crt /etc/ca-certificates.conf || "
                    "echo mozilla/lab-$name.crt >>/etc/ca-certificates.conf; done",
                    "update-ca-certificates >/dev/null 2>&1",
                    "rm -f /etc/lab/jvm.jks",
                    *[
                        f"keytool -importcert -noprompt -alias {alias} -file {path} -keystore /etc/lab/jvm.jks -storetype JKS "
                        "-storepass changeit >/dev/null 2>&1"
                        for alias, path in [
                            ("fleet", fleet_ca),
                            ("public", "/etc/lab/public.pem"),
                            ("java-only", "/etc/lab/java-only.pem"),
                        ]
                    ],
                    f"chown {USER}: {HOME}/proxy.xml",
                    f"grep -q proxy-open /etc/default/{USER} || "
                    f"printf '%s\\n' 'JAVA_ARGS=\"$JAVA_ARGS {options}\"' >>/etc/default/{USER}",
                    f"systemctl restart {USER}.service",
                ]
            ),
        )

    # -- using it -----------------------------------------------------------------------------------

    def measure(self, cases: Sequence[Case], user: str = USER) -> dict[str, dict[str, Any]]:
        """Probe each case from the host `node` as an unprivileged user: answers, notes and seconds by case."""
        found: dict[str, dict[str, Any]] = {}
        for place, prefix in PLACES.items():
            some = [case for case in cases if case.place == place]
            if not some:
                continue
            asked = json.dumps([{"host": case.host, **case.options} for case in some]).encode()
            script = (
                f"{prefix}exec setpriv --reuid {user} --regid {user} --init-groups "
                "python3 -I /opt/lab/measure.py /opt/lab"
            )
            answer = self.shell("node", f"exec unshare -m sh -euc '{script}'", asked, timeout=600)
            found.update({case.name: result for case, result in zip(some, json.loads(answer), strict=True)})
        return found

    def received(self) -> list[dict[str, Any]]:
        """What each connection to a TLS server of the laboratory brought, decrypted."""
        return [json.loads(line) for line in self.shell("internet", f"cat {RECEIVED}").splitlines()]


def overshoot(case: Case, seconds: float) -> float | None:
    """Seconds by which a probe took longer than its timeout; None where it had no one timeout."""
    if (
        case.options.get("count", 1) != 1
        or case.options.get("via") != ["direct"]
        and "configured" in case.options.get("via", ["configured"])
    ):
        return None
    return seconds - case.options["timeout"]


def worst_overshoot(measured: Mapping[str, Mapping[str, Any]]) -> tuple[str, float]:
    """The case that kept its deadline worst, and by how many seconds it did."""
    found = [
        (over, case.name)
        for case in CASES
        if case.name in measured
        for over in [overshoot(case, measured[case.name]["seconds"])]
        if over is not None
    ]
    over, name = max(found)
    return name, over

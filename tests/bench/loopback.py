"""The loopback fleet: every address 127.x.y.z is a host, served by a few sshd that are real, and ends with its parent.

``enclose`` runs a Python module in network, mount and process namespaces of its own; the kernel takes all of it down
with its parent, also after a crash. In there ``Fleet`` starts the hosts' side in a root of its own (an overlay over the
embedded fleet's base) and gives the client's side a clean home on this machine's own file system.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(CHECKOUT / "tests/fleet"))

import base  # noqa: E402
import machine  # noqa: E402
import profiles  # noqa: E402

#: A controller of the DEB package on hosts that have nc, which the administrator's playbook uses.
KIND, RELEASE = "cm-deb-tools", "bookworm"
USER = "ops"
PORT, PORT_DEFAULT = 22, 2222  # curve25519 alone; OpenSSH's own key exchange
HOP, PORT_HOP = "127.0.0.2", 2224  # a jump host
LAYERS = "CBOPS_BENCH_LAYERS"
PLACE = machine.RUN / f"bench-{machine.digest(str(CHECKOUT))[:4]}"

SSHD = """UseDNS no
MaxStartups 5000
MaxSessions 1000
PasswordAuthentication no
LogLevel ERROR
PidFile none
"""

NFT = """
table ip bench {
  counter sent { }
  counter received { }
  set holes { type ipv4_addr; }
  chain out {
    type filter hook output priority 0;
    tcp dport { %(ports)s } counter name sent
    tcp sport { %(ports)s } counter name received
  }
  chain in {
    type filter hook input priority 0;
    ip daddr @holes drop
  }
}
"""


# ---- who is there ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Host:
    """One address of the fleet; a black hole never answers."""

    name: str
    address: str
    hole: bool = False


def hosts(count: int, holes: int = 0) -> list[Host]:
    """``count`` hosts from 127.1.0.1 on, of which ``holes`` percent, evenly spread, are black holes."""
    if not 0 < count <= 250 * 250:
        raise ValueError(f"{count} hosts are not between 1 and {250 * 250}")
    every = 100 // holes if holes else 0
    return [
        Host(
            f"h{number:05d}",
            f"127.{1 + number // 62500}.{number // 250 % 250}.{1 + number % 250}",
            bool(every) and number % every == every - 1,
        )
        for number in range(count)
    ]


def inventory(fleet: Sequence[Host], variables: Mapping[str, object]) -> str:
    """An INI inventory with the policy of a fleet whose telemetry is to be off."""
    lines = ["[nodes]", *(f"{one.name} ansible_host={one.address}" for one in fleet), "", "[nodes:vars]"]
    policy = {"telemetry_desired": "disabled", "telemetry_connectivity": "ignored"}
    return "\n".join([*lines, *(f"{name}={value}" for name, value in {**variables, **policy}.items())]) + "\n"


def known_hosts(fleet: Sequence[Host], key: str) -> str:
    """A line for each address, as a fleet's own has; ``key`` is "type base64"."""
    return "".join(f"{one.address} {key}\n" for one in fleet)


# ---- outside: namespaces ---------------------------------------------------------------------------------------------


def layers() -> list[str]:
    """The read-only folders under the hosts' root, built now where the cache lacks them."""
    machine.check()
    machine.install_tools()
    with base.lock():
        found, _authority = base.build([profiles.host("bench", RELEASE, KIND)])
    return [str(path) for path in found[RELEASE, KIND]]


def enclose(module: str, arguments: Sequence[str]) -> int:
    """Run ``python -m module arguments`` in namespaces of its own; its exit status."""
    environment = {**os.environ, LAYERS: json.dumps(layers())}
    PLACE.mkdir(parents=True, exist_ok=True)
    # As in machine.run_enclosed: unshare dies with us, and takes the namespace's first process along, which takes the
    # rest. That first process is a shell, because it must reap what outlives its parent (ssh's masters).
    command = [
        "setpriv",
        "--pdeathsig",
        "KILL",
        "unshare",
        "--net",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "sh",
        "-c",
        '"$@"; exit $?',
        "sh",
        sys.executable,
        "-m",
        module,
        *arguments,
    ]
    return subprocess.run(command, cwd=CHECKOUT, env=environment, check=False).returncode


# ---- inside ----------------------------------------------------------------------------------------------------------


class Fleet:
    """The hosts' side, and the client's home. Only inside of ``enclose``."""

    def __init__(self, cgroup: Path) -> None:
        """``cgroup``: the folder of the cgroup in which the hosts' side is to run."""
        self.cgroup = cgroup
        self.root = PLACE / "root"
        self.home = PLACE / "home"
        self.key = self.home / ".ssh/id_ed25519"

    def start(self) -> None:
        """Make all of it and wait until it answers. Raises machine.FleetError."""
        run = machine.run
        run(["mount", "-t", "tmpfs", "-o", "mode=755", "cbops-bench", PLACE])
        self._network()
        for folder in ("upper", "work", "root", "cp"):
            (PLACE / folder).mkdir()
        (self.home / ".ssh").mkdir(parents=True, mode=0o700)
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bench", "-f", self.key])
        self._client()
        run(
            [
                "mount",
                "-t",
                "overlay",
                "-o",
                f"lowerdir={':'.join(json.loads(os.environ[LAYERS]))},"
                f"upperdir={PLACE / 'upper'},workdir={PLACE / 'work'}",
                "cbops-bench",
                self.root,
            ]
        )
        self._furnish()
        name = str(profiles.KINDS[KIND]["package"])
        with open(PLACE / "console", "wb") as console:
            subprocess.Popen(
                [
                    "setpriv",
                    "--pdeathsig",
                    "KILL",
                    "sh",
                    "-euc",
                    'echo 0 >"$1"/cgroup.procs; shift; exec "$@"',
                    "sh",
                    str(self.cgroup),
                    "unshare",
                    "--mount",
                    "--pid",
                    "--fork",
                    "--kill-child",
                    "--uts",
                    "--ipc",
                    "--cgroup",
                    "sh",
                    str(Path(__file__).with_name("loopback.sh")),
                    str(self.root),
                    name,
                ],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                cwd="/",
                env={"PATH": machine.PATH},
            )
        self._wait()

    def _network(self) -> None:
        """All of 127/8, and limits that are not what is measured."""
        machine.run(["ip", "link", "set", "lo", "mtu", "1500", "up"])
        for name, value in {
            "core/somaxconn": "8192",
            "ipv4/tcp_max_syn_backlog": "8192",
            "ipv4/ip_local_port_range": "10000 65000",
        }.items():
            Path("/proc/sys/net", name).write_text(value)
        machine.run(["nft", "-f", "-"], input=NFT % {"ports": f"{PORT}, {PORT_DEFAULT}"})

    def _client(self) -> None:
        """A clean home. OpenSSH takes it from the password file, whatever HOME says: so root has another one here."""
        lines = [
            f"root:x:0:0:root:{self.home}:/bin/sh" if line.startswith("root:") else line
            for line in Path("/etc/passwd").read_text(encoding="utf-8").splitlines()
        ]
        (PLACE / "passwd").write_text("\n".join(lines) + "\n", encoding="utf-8")
        machine.run(["mount", "--bind", PLACE / "passwd", "/etc/passwd"])
        (self.home / ".ssh/config").write_text(
            f"Host 127.*\n  User {USER}\n  IdentityFile {self.key}\n  IdentitiesOnly yes\n  StrictHostKeyChecking yes\n"
            "  UpdateHostKeys no\n  HashKnownHosts no\n  LogLevel ERROR\n",
            encoding="utf-8",
        )

    def _furnish(self) -> None:
        """A user with a clean home, and a controller that runs as that user, so that it can be asked."""
        root, name = self.root, str(profiles.KINDS[KIND]["package"])
        machine.run(["chroot", root, "useradd", "-m", "-s", "/bin/sh", USER])
        home = root / "home" / USER
        owner = home.stat()
        for path in home.iterdir():
            path.unlink()
        (home / ".ssh").mkdir(mode=0o700)
        shutil.copy(f"{self.key}.pub", home / ".ssh/authorized_keys")
        machine.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", root / "etc/ssh/ssh_host_ed25519_key"])
        (root / "etc/ssh/sshd_config.d/fleet.conf").write_text(SSHD, encoding="utf-8")
        (root / "etc/machine-id").write_text("0" * 31 + "1\n", encoding="utf-8")
        launch = root / "etc/default" / name
        text = launch.read_text(encoding="utf-8")
        changed = text.replace("JENKINS_USER=$NAME", f"JENKINS_USER={USER}")
        if changed == text:
            raise machine.FleetError(f"{launch} names no user")
        launch.write_text(changed, encoding="utf-8")
        for place in (
            home / ".ssh",
            home / ".ssh/authorized_keys",
            root / "var/lib" / name,
            root / "var/log" / name,
            root / "var/cache" / name,
        ):
            os.chown(place, owner.st_uid, owner.st_gid)

    def _wait(self, seconds: float = 60) -> None:
        """Until both sshd and the controller answer."""
        end = time.monotonic() + seconds
        port = profiles.KINDS[KIND]["port"]
        for what in (f"http://127.0.0.1:{port}/login", PORT, PORT_DEFAULT):
            while True:
                try:
                    if isinstance(what, str):
                        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(what, timeout=3).close()
                    else:
                        machine.run(
                            [
                                "ssh",
                                "-p",
                                what,
                                "-o",
                                "StrictHostKeyChecking=no",
                                "-o",
                                "ConnectTimeout=3",
                                "-o",
                                "UserKnownHostsFile=/dev/null",
                                "127.0.0.1",
                                "true",
                            ]
                        )
                    break
                except (OSError, machine.FleetError) as error:
                    if time.monotonic() > end:
                        console = (PLACE / "console").read_text(errors="replace")
                        raise machine.FleetError(f"{what} does not answer: {error}; {console[-500:]}") from None
                    time.sleep(0.1)

    def furnish(self, fleet: Sequence[Host]) -> Path:
        """A folder with the inventory of these hosts; their keys are pinned and their black holes made."""
        folder = PLACE / "inventory"
        folder.mkdir(exist_ok=True)
        key = " ".join((self.root / "etc/ssh/ssh_host_ed25519_key.pub").read_text(encoding="utf-8").split()[:2])
        (self.home / ".ssh/known_hosts").write_text(known_hosts(fleet, key), encoding="utf-8")
        variables = {"ansible_user": USER, "ansible_ssh_private_key_file": self.key}
        (folder / "hosts.ini").write_text(inventory(fleet, variables), encoding="utf-8")
        (folder / "addresses").write_text("".join(f"{one.address}\n" for one in fleet), encoding="utf-8")
        holes = [one.address for one in fleet if one.hole]
        commands = "flush set ip bench holes\n"
        if holes:
            commands += f"add element ip bench holes {{ {', '.join(holes)} }}\n"
        machine.run(["nft", "-f", "-"], input=commands)
        return folder


def wire() -> tuple[int, int]:
    """Bytes to and from the hosts' sshd so far, with the headers of IP and TCP."""
    found = json.loads(machine.run(["nft", "-j", "list", "counters", "table", "ip", "bench"]).stdout)["nftables"]
    counted = {one["counter"]["name"]: int(one["counter"]["bytes"]) for one in found if "counter" in one}
    return counted["sent"], counted["received"]

"""Debian releases as they come, in roots of their own: newer Pythons than this machine's, and a newcomer's machine.

A root is built once (it lies in the fleet's cache, where nothing of this machine is in it) and copied for a run; the
copy gets what this machine reaches its package mirror and package index by.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(CHECKOUT / "tests/fleet"))

import base  # noqa: E402
import hosts as fleet_hosts  # noqa: E402
import machine  # noqa: E402

#: What the root of a control node has: Ansible's newer cores want a newer Python, and ssh.
CONTROL = ("ca-certificates", "openssh-client", "python3", "python3-venv", "sudo")
#: The Python of a Debian release.
PYTHONS = {"bookworm": (3, 11), "trixie": (3, 13), "forky": (3, 14)}
#: What README asks for before its first command.
BARE = ("ca-certificates", "git", "make")
#: Settings of pip that say how a package index is reached; what else a user has set is his own.
REACH = ("cert", "extra-index-url", "index-url", "proxy", "timeout", "trusted-host")
AUTHORITIES = Path("/usr/local/share/ca-certificates")

#: How ssh gets at the fleet of the matrix, or of this worker.
SSH_CONFIG = fleet_hosts.Fleet("test").files / "ssh_config"

# $1 root, $2 places to have in it too, then the command. The machine's network and devices are shared.
ENTER = r"""
root=$1 places=$2
shift 2
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 run "$root/run"
mount -t tmpfs -o mode=1777 tmp "$root/tmp"
for place in /sys /dev $places; do
    mkdir -p "$root$place"
    mount --rbind "$place" "$root$place"
done
cd "$root"
pivot_root . mnt
cd /
exec chroot . sh -euc 'umount -l /mnt; exec "$@"' sh "$@"
"""


def built(release: str, packages: Sequence[str]) -> Path:
    """The folder of a release with these packages and the least beside them; built now where it is not there."""
    name = f"{'control' if tuple(packages) == CONTROL else 'bare'}-{release}"

    def build(part: Path, log: Path) -> None:
        machine.say(f"building a root of {release} (about a minute, once)")
        command = [
            "mmdebstrap",
            *base.MMDEBSTRAP,
            *("--aptopt=" + option for option in machine.apt_options()),
            f"--keyring={machine.DEBIAN_KEYRING}",
            "--keyring=/etc/apt/trusted.gpg.d",
            f"--include={','.join(packages)}",
            release,
            str(part / "root"),
            machine.mirror(),
        ]
        machine.run_enclosed('"$@"', log, 900, command)
        for place in (part / "root/etc/apt/sources.list", part / "root/etc/apt/apt.conf.d/99mmdebstrap"):
            place.unlink(missing_ok=True)

    base.cache().mkdir(parents=True, exist_ok=True)
    with base.lock():
        folder = base.make(name, machine.digest(base.MMDEBSTRAP, packages), build)
        base.remove_older(folder)
    return folder / "root"


def copied(release: str, packages: Sequence[str], to: Path) -> Path:
    """A root of one's own, in which apt and pip reach what they reach here."""
    source = built(release, packages)
    shutil.rmtree(to, ignore_errors=True)
    to.parent.mkdir(parents=True, exist_ok=True)
    machine.run(["cp", "-a", "--reflink=auto", source, to], timeout=300)
    (to / "etc/apt/sources.list").write_text(f"deb {machine.mirror()} {release} main\n")
    (to / "etc/apt/apt.conf.d/90machine").write_text("\n".join(machine.apt_options()) + "\n")
    for name in ("resolv.conf", "hosts"):
        shutil.copy(f"/etc/{name}", to / "etc" / name)
    if any(AUTHORITIES.glob("*.crt")):
        shutil.copytree(AUTHORITIES, to / AUTHORITIES.relative_to("/"), dirs_exist_ok=True)
        entered(to, ["update-ca-certificates"])
    (to / "etc/pip.conf").write_text(pip_settings())
    return to


def place(where: str, to: Path) -> tuple[Path | None, str]:
    """Where a core runs: a root file system (None: this machine's own) and the path of its Python.

    ``where`` is a Debian release, whose root is copied ``to`` there unless this machine has its Python, or the version of a
    Python, of the PATH or of pyenv; where this machine has none of it, its own Python does.
    """
    if where in PYTHONS:
        if sys.version_info[:2] == PYTHONS[where]:
            return None, sys.executable
        return copied(where, CONTROL, to), "/usr/bin/python3"
    name = f"python{where}"
    here = [Path(path) for path in [shutil.which(name, path=machine.PATH)] if path]
    for path in (*here, *sorted(Path.home().glob(f".pyenv/versions/{where}.*/bin/{name}"))):
        if (
            subprocess.run([path, "-c", "import ensurepip, ssl, venv"], capture_output=True, check=False).returncode
            == 0
        ):
            return None, str(path)
    machine.say(f"there is no Python {where} here")
    return None, sys.executable


def pip_settings() -> str:
    """What pip is set to here, as far as it says how an index is reached."""
    told = machine.run([sys.executable, "-m", "pip", "config", "list"]).stdout
    found = {}
    for line in sorted(told.splitlines(), reverse=True):  # of the environment (":env:.key") last: it wins
        name, _, value = line.partition("=")
        key, text = name.rpartition(".")[2], value.strip("'\"")
        if key == "cert" and not text.startswith("/etc/ssl/certs/"):
            machine.say(f"pip's own list of authorities ({text}) is not taken along")
        elif key in REACH and "file:" not in text:
            found[key] = text
    return "\n".join(["[global]", *(f"{key} = {text}" for key, text in sorted(found.items()))]) + "\n"


def command(
    root: Path,
    inside: Sequence[str | Path],
    places: Sequence[Path] = (),
    environment: Mapping[str, str] | None = None,
    folder: str = "/",
) -> list[str]:
    """The command line that runs another in a root, in mount and process namespaces of its own."""
    given = {"HOME": "/root", "PATH": machine.PATH, "LANG": "C.UTF-8", **(environment or {})}
    return [
        "setpriv",
        "--pdeathsig",
        "KILL",
        "unshare",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "sh",
        "-euc",
        ENTER,
        "sh",
        str(root),
        " ".join(map(str, places)),
        "env",
        "-i",
        "-C",
        folder,
        *(f"{name}={value}" for name, value in given.items()),
        *map(str, inside),
    ]


def entered(
    root: Path, inside: Sequence[str | Path], timeout: int = 300, **options: object
) -> subprocess.CompletedProcess[str]:
    """Run a command in a root; raises FleetError where it fails."""
    return machine.run(command(root, inside, **options), timeout=timeout, env=dict(os.environ))  # type: ignore[arg-type]

"""What the fleet needs from the machine it runs on: the checks, the tools, the package mirror, running commands.

Nothing in here knows about hosts or products.
"""

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent.parent
# Where running fleets keep their state. Everything in it can be thrown away by `down`.
RUN = Path("/run/cbops-telemetry-fleet")
INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
# A login shell of root is not guaranteed to have the sbin folders (`su` without `-`).
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# command -> Debian package that has it
TOOLS = {
    "mmdebstrap": "mmdebstrap",
    "ip": "iproute2",
    "nft": "nftables",  # not used to boot: tests cut the network of a host with it
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "rpmbuild": "rpm",
    "javac": "default-jdk-headless",
    "openssl": "openssl",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "mount": "mount",
    "dpkg-deb": "dpkg",
}
DEBIAN_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
UBUNTU_KEYRING = Path("/usr/share/keyrings/ubuntu-archive-keyring.gpg")


class FleetError(Exception):
    """Something went wrong; the text is the one line a user gets."""


class CannotRun(FleetError):
    """The fleet cannot run on this machine at all."""


def say(text):
    print("fleet: " + text, file=sys.stderr, flush=True)


def run(command, timeout=60, check=True, **kwargs):
    """Run a command to its end, bounded in time; its output comes back as text."""
    kwargs.setdefault("stdin", subprocess.DEVNULL if "input" not in kwargs else None)
    if kwargs["stdin"] is None:
        del kwargs["stdin"]
    try:
        done = subprocess.run(
            [str(word) for word in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            timeout=timeout,
            **kwargs,
        )
    except subprocess.TimeoutExpired:
        raise FleetError("%s did not end within %s s" % (command[0], timeout)) from None
    except FileNotFoundError:
        raise FleetError("command not found: %s" % command[0]) from None
    if check and done.returncode:
        raise FleetError(
            "%s failed (%d): %s"
            % (" ".join(str(word) for word in command[:4]), done.returncode, last_line(done.stderr or done.stdout))
        )
    return done


def last_line(text):
    """The line of a long output that most likely says why it failed."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(E:|error:|dpkg: error)", line, re.I)]
    return (errors or lines or ["no message"])[-1]


def run_enclosed(script, log, timeout, arguments=(), env=None):
    """Run a shell script in mount and process namespaces of its own.

    Everything it mounts and starts goes away with it, and it goes away with us, even when we are killed with -9:
    setpriv has the kernel kill `unshare` when its parent dies, and --kill-child has it kill the namespace's first
    process, which takes the rest along. So a killed build leaves a folder behind and nothing else.
    """
    command = [
        "setpriv",
        "--pdeathsig",
        "KILL",
        "unshare",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "sh",
        "-euc",
        script,
        "sh",
    ]
    with open(log, "w", encoding="utf-8") as output:
        try:
            done = subprocess.run(
                command + [str(word) for word in arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=timeout,
                env=dict(os.environ, LC_ALL="C.UTF-8", **(env or {})),
            )
        except subprocess.TimeoutExpired:
            raise FleetError("not ready within %d s, see %s" % (timeout, log)) from None
    if done.returncode:
        raise FleetError("%s (see %s)" % (last_line(Path(log).read_text(encoding="utf-8", errors="replace")), log))


def digest(*parts):
    """A short name for a recipe: the same parts give the same name."""
    total = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        total.update(b"%d:" % len(data) + data)
    return total.hexdigest()[:12]


@contextmanager
def lock(path, timeout=900, what="another fleet command"):
    """Hold a lock file. The kernel drops the lock when we die, so none can be left behind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as handle:
        end = time.monotonic() + timeout
        told = False
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > end:
                    raise FleetError("%s still holds %s after %d s" % (what, path, timeout)) from None
                if not told:
                    say("waiting for %s (%s)" % (what, path))
                    told = True
                time.sleep(0.2)
        yield


# ---- the checks -----------------------------------------------------------------------------------------------------


def os_release():
    found = {}
    for name in ("/etc/os-release", "/usr/lib/os-release"):
        if os.path.exists(name):
            for line in Path(name).read_text(encoding="utf-8").splitlines():
                key, _, value = line.partition("=")
                found[key] = value.strip().strip("\"'")
            break
    return found


def is_ubuntu():
    release = os_release()
    return release.get("ID") == "ubuntu" or "ubuntu" in release.get("ID_LIKE", "").split()


def cgroup_root():
    """The cgroup v2 tree: the only one, or the `unified` one beside the v1 controllers."""
    for place in (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified")):
        if (place / "cgroup.controllers").exists():
            return place
    raise CannotRun("no cgroup v2 tree is mounted at /sys/fs/cgroup or /sys/fs/cgroup/unified")


def missing_tools():
    """{package: command or file} of what is not there yet."""
    missing = {package: command for command, package in TOOLS.items() if not shutil.which(command)}
    if not DEBIAN_KEYRING.exists():
        missing["debian-archive-keyring"] = DEBIAN_KEYRING
    return missing


def check():
    """Raise CannotRun with the reason if no fleet can run here. Changes nothing."""
    if platform.system() != "Linux":
        raise CannotRun("the embedded fleet needs Linux, this is %s" % platform.system())
    if os.geteuid() != 0:
        raise CannotRun("the embedded fleet needs root (namespaces, mounts, cgroups): run it with sudo")
    os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", ""), PATH]).lstrip(os.pathsep)
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        raise CannotRun("the embedded fleet is built from Debian packages and this machine has no apt-get")
    cgroup_root()
    # Containers often forget one of these; trying is the only honest test.
    trial = run(
        [
            "unshare",
            "--mount",
            "--pid",
            "--fork",
            "--net",
            "--uts",
            "--ipc",
            "--cgroup",
            "sh",
            "-euc",
            "d=/proc; mount -t tmpfs none $d; mkdir $d/l $d/u $d/w $d/m;"
            "mount -t overlay -o lowerdir=$d/l,upperdir=$d/u,workdir=$d/w none $d/m; mknod $d/m/n c 1 3",
        ],
        check=False,
    )
    if trial.returncode:
        raise CannotRun("namespaces or overlay mounts are not allowed here: " + last_line(trial.stderr))


def install_tools():
    """Install what is missing with apt-get; without a word when nothing is."""
    missing = missing_tools()
    if not missing:
        return
    say("installing " + " ".join(sorted(missing)))
    quiet = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends"] + sorted(missing)
    if run(install, timeout=900, check=False, env=quiet).returncode:
        # Fresh machines have no package lists, or old ones.
        run(["apt-get", "update", "-q"], timeout=300, check=False, env=quiet)
        done = run(install, timeout=900, check=False, env=quiet)
        if done.returncode:
            raise CannotRun("cannot install %s: %s" % (" ".join(sorted(missing)), last_line(done.stderr)))
    still = missing_tools()
    if still:
        raise CannotRun("still missing after apt-get install: " + " ".join(str(name) for name in still.values()))


# ---- packages for the bases -----------------------------------------------------------------------------------------


def mirror(distribution="debian"):
    """The package mirror this machine itself uses, read from its apt at run time and written down nowhere.

    CBOPS_FLEET_MIRROR names another one (an Ubuntu machine that wants the Debian releases of the test fleet).
    """
    if os.environ.get("CBOPS_FLEET_MIRROR") and distribution == "debian":
        return os.environ["CBOPS_FLEET_MIRROR"]
    lines = run(
        ["apt-get", "indextargets", "--format", "$(COMPONENT)|$(ORIGIN)|$(LABEL)|$(REPO_URI)", "Created-By: Packages"]
    ).stdout.splitlines()
    targets = [line.split("|", 3) for line in lines if line.startswith("main|") and "cdrom:" not in line]
    for _, origin, label, uri in targets:  # what the repository says of itself, known after an `apt-get update`
        if origin.lower() == distribution and label.lower() == distribution:
            return uri
    for _, _, _, uri in targets:
        if re.search("/%s/?$" % distribution, uri):
            return uri
    raise CannotRun("apt on this machine knows no %s mirror (CBOPS_FLEET_MIRROR can name one)" % distribution.title())


def apt_options():
    """The machine's own apt settings for getting files: proxies, certificates, retries, logins."""
    options = [
        line
        for line in run(["apt-config", "dump"]).stdout.splitlines()
        if re.match(r"Acquire::((https?|ftp|tor)::|Check-(Valid-Until|Date)|Retries|Proxy)", line)
        and not line.endswith('"";')
    ]
    for key, place in (("Dir::Etc::netrc", "/etc/apt/auth.conf"), ("Dir::Etc::netrcparts", "/etc/apt/auth.conf.d")):
        if os.path.exists(place):
            options.append('%s "%s";' % (key, place))
    return options


# ---- one kernel limit -----------------------------------------------------------------------------------------------
# Every systemd holds about five inotify instances and all hosts share root's: the default of 128 stops a fleet at 27
# hosts. The value found is kept beside the one we set, and goes back when the last fleet of the machine goes down.


def raise_inotify(hosts):
    note = RUN / "inotify"
    with lock(RUN / "inotify.lock"):
        now = int(INOTIFY.read_text())
        want = 512 + 8 * hosts
        if now >= want:
            return
        was, ours = note.read_text().split() if note.exists() else (now, None)
        if ours is None or int(ours) != now:  # no note, or one from before a reboot
            was = now
        note.write_text("%s %s\n" % (was, want))
        INOTIFY.write_text(str(want))


def restore_inotify():
    """Put the value back, unless a fleet still runs or somebody else has changed it since."""
    note = RUN / "inotify"
    with lock(RUN / "inotify.lock"):
        if note.exists() and not any(RUN.glob("*/state.json")):
            was, ours = note.read_text().split()
            if INOTIFY.read_text().strip() == ours:
                INOTIFY.write_text(was)
            note.unlink()

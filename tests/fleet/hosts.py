"""A running fleet: namespaces, overlays, cgroups, booting, being ready, power, and taking all of it away again.

A fleet lives in RUN/TAG/ and is named by its tag, which is different for every checkout and profile:

    state.json      its hosts; `complete` once all of them were ready
    hosts/          a tmpfs: per host upper/ work/ (overlay), root/ (the merged tree), console
    keys/           the ssh key of its users and the hosts' public keys

Nothing is found by a recorded process id: processes by cgroup, mounts, namespaces and folders by the tag. So a fleet
whose `up` was killed half-way can be taken down like any other.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import base
import machine
import profiles
from machine import FleetError, say

BOOT_SECONDS = int(os.environ.get("CBOPS_FLEET_TIMEOUT", "300"))  # for all hosts together
RECHECK_SECONDS = 15  # for a fleet that ran already
NETMASK = 24
# Tests that run at the same time have each a fleet of a profile of their own, with this in its name. The copies have
# the same hosts and addresses, each in a network of its own.
COPY = os.environ.get("CBOPS_FLEET_COPY", "")
COPIED = ("test", "hostile", "odd", "gitops")  # of the others there is one: of the demo because its inventory names it


class Fleet:
    def __init__(self, profile, copy=COPY):
        if profile not in profiles.PROFILES:
            raise FleetError("no profile %r, there are: %s" % (profile, ", ".join(sorted(profiles.PROFILES))))
        if not re.match(r"[a-z0-9]{0,8}$", copy):
            raise FleetError("CBOPS_FLEET_COPY is some letters and digits, not %r" % copy)
        self.profile = profile
        name = profile + ("." + copy if copy and profile in COPIED else "")
        self.tag = "cbf-%s-%s" % (machine.digest(machine.CHECKOUT)[:4], name)
        self.place = machine.RUN / self.tag
        self.files = machine.CHECKOUT / ".fleet" / name  # for ssh, Ansible and tests
        self.hub = self.tag + "-hub"

    def all(self):
        """This fleet, and where it is not itself a copy, all copies of it on this machine."""
        found = [self]
        if not COPY:
            places = [path for path in sorted(machine.RUN.glob(self.tag + ".*")) if path.is_dir()]
            found += [Fleet(self.profile, path.name.rpartition(".")[2]) for path in places]
        return found

    # ---- what is known of it ----

    @property
    def cgroup(self):
        return machine.cgroup_root() / self.tag

    def state(self):
        try:
            return json.loads((self.place / "state.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {"complete": False, "hosts": [], "off": []}

    def save(self, state):
        replace(self.place / "state.json", json.dumps(state))

    @contextmanager
    def lock(self):
        with machine.lock(machine.RUN / (self.tag + ".lock"), what="another `fleet` command on " + self.profile):
            yield

    def host(self, name):
        for one in self.state()["hosts"]:
            if one["name"] == name:
                return one
        raise FleetError("no host %r in the running fleet %r" % (name, self.profile))

    def root(self, name):
        return self.place / "hosts" / name / "root"

    def leader(self, name):
        """The host's process 1 as seen from outside, or None."""
        for scope in ("init.scope", "."):
            try:
                pids = (self.cgroup / name / scope / "cgroup.procs").read_text().split()
            except OSError:
                continue
            for pid in pids:
                try:
                    status = Path("/proc/%s/status" % pid).read_text()
                    program = os.readlink("/proc/%s/exe" % pid)
                except OSError:
                    continue
                inner = re.search(r"^NSpid:.*\s(\d+)$", status, re.M)
                if inner and inner.group(1) == "1" and program.endswith("/systemd"):
                    return int(pid)
        return None

    def inside(self, name, command):
        """The command line that runs `command` in a host, as root, without ssh."""
        leader = self.leader(name)
        if leader is None:
            raise FleetError("host %s is not running" % name)
        return [
            "nsenter",
            "--target",
            str(leader),
            "--mount",
            "--uts",
            "--ipc",
            "--net",
            "--pid",
            "--cgroup",
            "env",
            "-i",
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME=/root",
            "USER=root",
            "LANG=C.UTF-8",
            "TERM=" + os.environ.get("TERM", "dumb"),
        ] + list(command)

    def in_network(self, command):
        """The command line that runs `command` where the fleet's network is; folder and environment stay."""
        return ["nsenter", "--net=/run/netns/" + self.hub] + list(command)

    def join(self, name):
        """Move this process into a cgroup of the fleet, so that `down` ends what it may leave behind."""
        group = self.cgroup / name
        group.mkdir(exist_ok=True)
        (group / "cgroup.procs").write_text(str(os.getpid()))

    # ---- up ----

    def up(self, fresh=False, only=()):
        """``only``: no other products' hosts than these; what is no product's (Segment) is always there."""
        start = time.monotonic()
        with self.lock():
            hosts = profiles.load(self.profile)
            unknown = sorted(set(only) - {one["name"] for one in hosts})
            if unknown:
                raise FleetError("no host %s in the profile %r" % (", ".join(unknown), self.profile))
            hosts = [one for one in hosts if not only or one["name"] in only or not one["product"]]
            recipe = machine.digest(
                repr(hosts),
                *[
                    path.read_bytes()
                    for path in sorted(machine.HERE.rglob("*"))
                    if path.is_file() and "__pycache__" not in path.parts
                ],
            )
            state = self.state()
            if not fresh and state["complete"] and state["recipe"] == recipe and self.is_whole(state):
                self.write_files(state["hosts"])
                say("%s is up already: %d hosts" % (self.profile, len(hosts)))
                return
            self.take_down()
            machine.install_tools()
            with base.lock():
                layers, authority = base.build(hosts)
                say("booting %d hosts" % len(hosts))
                self.prepare(hosts, recipe, authority)
                with ThreadPoolExecutor(len(hosts)) as pool:
                    list(pool.map(lambda one: self.create(one, layers[one["release"], one["kind"]], authority), hosts))
            try:
                self.wait(hosts, BOOT_SECONDS)
                if any(one["product"] for one in hosts):
                    self.wait_events()
                for one in hosts:
                    if one["history"]:
                        machine.run(self.inside(one["name"], ["sh", "-euc", one["history"]]))
            except FleetError:
                # Leave a failed fleet only to somebody who wants to look at it.
                if not os.environ.get("CBOPS_FLEET_KEEP"):
                    self.take_down()
                raise
            self.write_files(hosts)
            self.save({"complete": True, "recipe": recipe, "hosts": hosts, "off": []})
            say("%s is up: %d hosts in %.0f s" % (self.profile, len(hosts), time.monotonic() - start))

    def is_whole(self, state):
        if state["off"] or not all(self.leader(one["name"]) for one in state["hosts"]):
            return False
        try:
            self.wait(state["hosts"], RECHECK_SECONDS)
        except FleetError as error:
            say("%s, so the fleet is made anew" % error)
            return False
        return True

    @staticmethod
    def running():
        """The number of all hosts on this machine."""
        count = 0
        for path in machine.RUN.glob("*/state.json"):
            try:
                count += len(json.loads(path.read_text())["hosts"])
            except FileNotFoundError:
                pass  # a fleet that has just gone down
        return count

    def prepare(self, hosts, recipe, authority):
        """The common parts: state, upper folders' tmpfs, keys, cgroup, the network's hub."""
        machine.raise_inotify(self.running() + len(hosts))
        (self.place / "hosts").mkdir(parents=True)
        self.save({"complete": False, "recipe": recipe, "hosts": hosts, "off": []})
        machine.run(["mount", "-t", "tmpfs", "-o", "size=50%,mode=755", self.tag, self.place / "hosts"])
        keys = self.place / "keys"
        keys.mkdir(mode=0o700)
        machine.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", self.tag, "-f", keys / "id_ed25519"])
        shutil.copy(authority / "ca.pem", keys / "ca.pem")
        self.cgroup.mkdir()
        machine.run(["ip", "netns", "add", self.hub])
        network = hosts[0]["address"].rpartition(".")[0]
        # No uplink: nothing in here can reach anything but the fleet.
        machine.run(
            ["ip", "-n", self.hub, "-batch", "-"],
            input="\n".join(
                [
                    "link set lo up",
                    "link add br0 type bridge",
                    "addr add %s.1/%d dev br0" % (network, NETMASK),
                    "link set br0 up",
                ]
            ),
        )

    def create(self, one, layers, authority):
        """One host: its file system, what makes it this host and no other, its first boot."""
        name, place = one["name"], self.place / "hosts" / one["name"]
        for folder in ("upper", "work", "root"):
            (place / folder).mkdir(parents=True)
        machine.run(
            [
                "mount",
                "-t",
                "overlay",
                "-o",
                "lowerdir=%s,upperdir=%s,workdir=%s"
                % (":".join(str(layer) for layer in layers), place / "upper", place / "work"),
                self.tag,
                place / "root",
            ]
        )
        root = place / "root"
        segment = self.segment_address(one)
        write(root / "etc/hostname", name + "\n")
        write(root / "etc/machine-id", uuid.uuid4().hex + "\n")
        write(root / "etc/hosts", "127.0.0.1 localhost\n%s %s\n" % (one["address"], name))
        write(root / "etc/resolv.conf", "nameserver %s\noptions timeout:1 attempts:2\n" % segment)
        key = root / "etc/ssh/ssh_host_ed25519_key"
        machine.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", key])
        shutil.copy(str(key) + ".pub", self.place / "keys" / (name + ".pub"))
        for user in ("ansible", "auditor"):
            home = root / "home" / user
            owner = home.stat()
            (home / ".ssh").mkdir(mode=0o700)
            write(home / ".ssh/authorized_keys", (self.place / "keys/id_ed25519.pub").read_text(), 0o600)
            for path in (home / ".ssh", home / ".ssh/authorized_keys"):
                os.chown(path, owner.st_uid, owner.st_gid)
        for path, text in one["files"]:
            write(root / path.lstrip("/"), text)
        if one["kind"] == "segment":
            self.furnish_segment(root, authority, segment)
        self.boot(one)

    def segment_address(self, one):
        return one["address"].rpartition(".")[0] + ".2"

    def furnish_segment(self, root, authority, address):
        hosts = self.state()["hosts"]
        for name in ("segment.pem", "segment.key"):
            shutil.copy(authority / name, root / "etc/segment" / name)
        write(root / "etc/segment/hosts.json", json.dumps({one["address"]: one["name"] for one in hosts}))
        write(root / "etc/segment/hosts", "".join("%s %s\n" % (one["address"], one["name"]) for one in hosts))
        write(
            root / "etc/segment/dnsmasq.conf",
            "\n".join(
                [
                    "no-resolv",
                    "no-hosts",
                    "addn-hosts=/etc/segment/hosts",
                    "user=root",
                    "local-ttl=5",
                    "address=/%s/%s" % (profiles.SEGMENT, address),
                    "address=/#/",  # anything else does not exist, and is said so at once
                ]
            )
            + "\n",
        )

    def boot(self, one):
        """Plug the host into the hub and start its systemd. The file system stands already."""
        name = one["name"]
        netns = self.tag + "-" + name
        machine.run(["ip", "netns", "add", netns])
        port = port_of(one)
        # The hardware address stays the same when the host is switched off and on: its neighbours remember it.
        hardware = "02:77:" + ":".join("%02x" % int(number) for number in one["address"].split("."))
        machine.run(
            [
                "ip",
                "-n",
                self.hub,
                "link",
                "add",
                port,
                "type",
                "veth",
                "peer",
                "name",
                "eth0",
                "address",
                hardware,
                "netns",
                netns,
            ]
        )
        machine.run(["ip", "-n", self.hub, "link", "set", port, "master", "br0", "up"])
        machine.run(
            ["ip", "-n", netns, "-batch", "-"],
            input="\n".join(
                ["link set lo up", "addr add %s/%d dev eth0" % (one["address"], NETMASK), "link set eth0 up"]
            ),
        )
        group = self.cgroup / name
        group.mkdir(exist_ok=True)
        with open(self.place / "hosts" / name / "console", "ab") as console:
            subprocess.Popen(
                ["sh", str(machine.HERE / "boot.sh"), "start", str(group), netns, str(self.root(name)), name],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
                cwd="/",
            )

    def wait(self, hosts, seconds):
        """Until every host is really there: systemd without a failed unit, ssh, and the service's JVM."""
        end = time.monotonic() + seconds
        with ThreadPoolExecutor(len(hosts) + 1) as pool:
            # setpriv: it must not outlive a killed `up`
            answers = pool.submit(
                machine.run,
                ["setpriv", "--pdeathsig", "KILL"]
                + self.in_network(
                    [
                        sys.executable,
                        "-I",
                        str(machine.HERE / "ready.py"),
                        str(seconds),
                        str(self.place / "keys/ca.pem"),
                    ]
                ),
                seconds + 15,
                input=json.dumps(hosts),
            )
            systems = list(pool.map(lambda one: self.wait_system(one, end), hosts))
            lacking = json.loads(answers.result().stdout)
        for one, problem in zip(hosts, systems):
            if problem:
                lacking.setdefault(one["name"], problem)
        if lacking:
            name = sorted(lacking)[0]
            raise FleetError(
                "%d of %d hosts not ready after %d s, %s: %s" % (len(lacking), len(hosts), seconds, name, lacking[name])
            )

    def wait_system(self, one, end):
        state = "not started"
        while True:
            try:
                left = max(1, end - time.monotonic())
                state = (
                    machine.run(
                        self.inside(one["name"], ["systemctl", "is-system-running", "--wait"]), left, check=False
                    ).stdout.strip()
                    or "not started"
                )
                if state == "running":
                    return None
                if state == "degraded":
                    failed = machine.run(
                        self.inside(one["name"], ["systemctl", "list-units", "--failed", "--plain", "--no-legend"]),
                        10,
                        check=False,
                    ).stdout
                    return "failed units: " + " ".join(line.split()[0] for line in failed.splitlines())
            except FleetError:
                pass  # not that far yet
            if time.monotonic() > end:
                console = self.place / "hosts" / one["name"] / "console"
                text = console.read_text(errors="replace").strip() if console.exists() else ""
                return "systemd is %s %s" % (state, machine.last_line(text) if text else "")
            time.sleep(0.1)

    def wait_events(self, seconds=120):
        """Until Segment heard of every host: who counts events right after `up` finds them all sending."""
        end = time.monotonic() + seconds
        while True:
            silent = [name for name, count in self.events(0).items() if not count]
            if not silent:
                return
            if time.monotonic() > end:
                raise FleetError("no event reached Segment within %d s from: %s" % (seconds, " ".join(silent)))
            time.sleep(0.1)

    def write_files(self, hosts):
        """.fleet/PROFILE/ in the checkout: all that ssh, Ansible and tests need to get at the hosts."""
        self.files.mkdir(parents=True, exist_ok=True)
        keys = self.place / "keys"
        replace(self.files / "id_ed25519", (keys / "id_ed25519").read_text(), 0o600)
        replace(self.files / "id_ed25519.pub", (keys / "id_ed25519.pub").read_text())
        replace(self.files / "ca.pem", (keys / "ca.pem").read_text())
        managed = [one for one in hosts if one["product"]]
        known, config = [], ["# Written by tests/fleet/fleet up %s." % self.profile]
        for one in managed:
            kind, key = (keys / (one["name"] + ".pub")).read_text().split()[:2]
            known.append("%s,%s %s %s\n" % (one["name"], one["address"], kind, key))
            config += [
                "",
                "Host " + one["name"],
                "  HostName " + one["address"],
                "  User ansible",
                "  IdentityFile " + quoted(self.files / "id_ed25519"),
                "  IdentitiesOnly yes",
                "  UserKnownHostsFile " + quoted(self.files / "known_hosts"),
                "  StrictHostKeyChecking yes",
            ]
        replace(self.files / "known_hosts", "".join(known))
        replace(self.files / "ssh_config", "\n".join(config) + "\n")
        replace(
            self.files / "hosts.json",
            json.dumps(
                {
                    one["name"]: {
                        key: value for key, value in one.items() if key not in ("files", "history", "name", "form")
                    }
                    for one in managed
                },
                indent=2,
                sort_keys=True,
            )
            + "\n",
        )

    # ---- down ----

    def down(self):
        with self.lock():
            self.take_down()
            shutil.rmtree(self.files, ignore_errors=True)
            try:
                self.files.parent.rmdir()
            except OSError:
                pass  # the other profile's files

    def take_down(self):
        """Remove whatever there is of the fleet: whole, half or nothing."""
        leave(self.cgroup)
        kill(self.cgroup)
        for namespace in Path("/run/netns").glob(self.tag + "-*"):
            machine.run(["ip", "netns", "del", namespace.name], check=False)
            if namespace.exists():  # made by an `ip netns add` that was killed before its mount
                namespace.unlink()
        unmount(self.place)
        remove_cgroup(self.cgroup)
        shutil.rmtree(self.place, ignore_errors=True)
        machine.restore_inotify()

    # ---- one host off and on ----

    def power(self, name, on):
        with self.lock():
            state = self.state()
            one = self.host(name)
            off = [other for other in state["off"] if other != name]
            if on and self.leader(name):
                return
            # Off, and before on as well: an earlier boot may have been cut short.
            self.save(dict(state, off=off + [name]))
            kill(self.cgroup / name)
            machine.run(["ip", "netns", "del", self.tag + "-" + name], check=False)
            # The kernel takes a namespace apart when it finds the time: the port must be free for the next boot.
            machine.run(["ip", "-n", self.hub, "link", "del", port_of(one)], check=False)
            if on:
                remove_cgroup(self.cgroup / name)
                self.boot(one)
                self.wait([one], BOOT_SECONDS)
                self.save(dict(state, off=off))

    # ---- what Segment saw ----

    def events(self, since):
        counts = {one["name"]: 0 for one in self.state()["hosts"] if one["product"]}
        if not counts:
            raise FleetError("the fleet %r is not running" % self.profile)
        for name in ("events.jsonl.1", "events.jsonl"):
            try:
                log = open(self.root("segment") / "var/lib/segment" / name, encoding="utf-8")
            except FileNotFoundError:
                continue
            with log:
                for line in log:
                    try:
                        event = json.loads(line)
                    except ValueError:
                        continue  # being written right now
                    if event["time"] >= since and event["host"] in counts:
                        counts[event["host"]] += 1
        return counts


# ---- small helpers --------------------------------------------------------------------------------------------------


def write(path, text, mode=0o644):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def replace(path, text, mode=0o644):
    """Write a file so that a reader sees the old text or the new one."""
    part = path.with_name(path.name + ".part")
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as out:
        out.write(text)
    part.rename(path)


def port_of(one):
    """A host's end in the hub. Interface names have 15 characters at most: the last part of the address will do."""
    return "h" + one["address"].rpartition(".")[2]


def quoted(path):
    return '"%s"' % path if " " in str(path) else str(path)


def leave(group):
    """Move this process and its ancestors out of a cgroup that is about to be killed (`down` within `exec`)."""
    pid = os.getpid()
    while pid > 1:
        try:
            if ("/" + group.name + "/") in Path("/proc/%d/cgroup" % pid).read_text():
                (machine.cgroup_root() / "cgroup.procs").write_text(str(pid))
            pid = int(re.search(r"^PPid:\s+(\d+)", Path("/proc/%d/status" % pid).read_text(), re.M).group(1))
        except OSError:
            return


def kill(group, seconds=20):
    """End every process in a cgroup and below, and wait until they are gone."""
    end = time.monotonic() + seconds
    while group.is_dir():
        if (group / "cgroup.kill").exists():
            (group / "cgroup.kill").write_text("1")
        else:  # before Linux 5.14
            for procs in group.rglob("cgroup.procs"):
                for pid in procs.read_text().split():
                    try:
                        os.kill(int(pid), signal.SIGKILL)
                    except ProcessLookupError:
                        pass
        if "populated 0" in (group / "cgroup.events").read_text():
            return
        if time.monotonic() > end:
            raise FleetError("processes in %s do not end" % group)
        time.sleep(0.05)


def remove_cgroup(group):
    for folder, _, _ in os.walk(group, topdown=False):
        try:
            os.rmdir(folder)
        except OSError:
            pass


def unmount(place):
    """Unmount everything below a folder, the last mount first."""
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        points = [line.split()[4] for line in mounts]
    for point in reversed([one for one in points if one.startswith(str(place) + "/")]):
        for _ in range(20):  # a namespace that is just going away can hold it for a moment
            if machine.run(["umount", point], check=False).returncode == 0:
                break
            time.sleep(0.05)
        else:
            machine.run(["umount", "--lazy", point], check=False)

"""The fleet of the harness: hosts are prepared, held at a step, disturbed, looked at; runs are started and ended."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT / "tests/fleet"))

import hosts as fleet_hosts  # noqa: E402

HERE = Path(__file__).parent
PROFILE = "faults"
FLEET = str(CHECKOUT / "tests/fleet/fleet")
BIN = CHECKOUT / ".venv/bin"
FLAG = "-Dcom.cloudbees.analytics.gatherer.Sender.disabled=true"
FOLDER = "var/lib/cbops-faults"
STORE = "var/lib/cbops-telemetry"
TOKEN = "11fault-Token-4713"  # noqa: S105 -- of the stand-in
MARK = "CBOPS_FAULTS_RUN"
PORT = 18080
BY_HAND = b"# by hand\n"
#: Seconds that what a killed run has left may take to end.
LEFT_SECONDS = 75


class Host:
    """One host, seen from outside."""

    def __init__(self, site: Site, name: str, facts: Mapping[str, Any], port: int) -> None:
        self.site, self.name, self.facts, self.port = site, name, facts, port
        self.root = site.fleet.root(name)
        self.kind = "oss" if facts["kind"] == "oss" else "script" if facts["kind"] == "script" else "package"
        self.service = facts["service"]
        self.launch = (
            f"/etc/systemd/system/{self.service}.d/zzz-cbops-telemetry.conf"
            if self.kind == "oss"
            else facts["launch_file"]
        )
        self.known: dict[str, Any] = {}  # what the file is, by the value that is wanted
        self.mounted: str | None = None

    # -- what is there -----------------------------------------------------------------------------

    def path(self, inside: str) -> Path:
        """A path of the host's disk."""
        return self.root / inside.lstrip("/")

    @property
    def folder(self) -> Path:
        """Where the harness and what is held on the host meet."""
        return self.root / FOLDER

    def shell(self, script: str, check: bool = True) -> str:
        """A script as root, without ssh; its standard output."""
        done = subprocess.run(
            self.site.fleet.inside(self.name, ["sh", "-c", script]),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if check and done.returncode:
            raise AssertionError(f"{self.name}: {script!r} ended with {done.returncode}: {done.stderr}")
        return done.stdout

    def file(self) -> tuple[bytes, str] | None:
        """The launch file: its bytes without what an admin added, and owner and mode; None where there is none."""
        try:
            content, status = self.path(self.launch).read_bytes(), self.path(self.launch).stat()
        except FileNotFoundError:
            return None
        return content.replace(BY_HAND, b""), f"{status.st_uid}:{status.st_gid} {status.st_mode:o}"

    def processes(self) -> dict[int, str]:
        """All of the host, each with its command line."""
        found = {}
        for procs in (self.site.fleet.cgroup / self.name).rglob("cgroup.procs"):
            with contextlib.suppress(OSError):
                for pid in procs.read_text().split():
                    with contextlib.suppress(OSError):
                        line = Path("/proc", pid, "cmdline").read_bytes()
                        found[int(pid)] = line.replace(b"\0", b" ").decode("utf-8", "replace")
        return found

    def ours(self) -> dict[int, str]:
        """Processes that a run has started there."""
        return {
            pid: line
            for pid, line in self.processes().items()
            if f"/{FOLDER}/" in line or "/usr/local/bin/" in line or "AnsiballZ" in line or ".ansible/tmp" in line
        }

    def values(self) -> list[str]:
        """What each JVM's command line says, in one word."""
        return [
            "disabled" if FLAG in line else "enabled"
            for line in self.processes().values()
            if ".war" in line and line.split(" ")[0].endswith("java")
        ]

    def left(self) -> list[str]:
        """Temporary files of ours."""
        folders = {str(Path(self.launch).parent), STORE, "etc/systemd/system", "home/ansible/.ansible/tmp"}
        return [
            str(path.relative_to(self.root))
            for folder in folders
            if self.path(folder).is_dir()
            for path in self.path(folder).rglob("*")
            if path.name.endswith(".cbops-new~") or path.name.startswith("ansible-tmp")
        ]

    def backups(self) -> list[str]:
        """What is wrong with them."""
        problems = []
        if not self.path(STORE).is_dir():
            return []
        for path in self.path(STORE).rglob("*"):
            status = path.lstat()
            if status.st_uid or status.st_mode & 0o077:
                problems.append(f"{path.name} is not root's alone")
            if path.suffix == ".json":
                try:
                    wanted = json.loads(path.read_text())["sha256"]  # None: there was no file
                    if wanted and wanted != hashlib.sha256(path.with_suffix("").read_bytes()).hexdigest():
                        problems.append(f"the copy {path.stem} is not what its record says")
                except (OSError, ValueError, KeyError) as error:
                    problems.append(f"the record {path.name} is not whole: {error!r}")
        return problems

    # -- what is done to it ------------------------------------------------------------------------

    def prepare(self) -> None:
        """What the harness needs there."""
        self.folder.mkdir(exist_ok=True)
        shutil.copy(HERE / "hook.py", self.folder / "hook.py")
        python = self.folder / "python"
        python.write_text(
            f'#!/bin/sh\n[ -e /{FOLDER}/on ] || exec /usr/bin/python3 "$@"\n'
            f'exec /usr/bin/python3 -I -S -B /{FOLDER}/hook.py "$@"\n'
        )
        python.chmod(0o755)
        for name in ("systemctl", "journalctl"):
            shutil.copy(HERE / "command.sh", self.path(f"/usr/local/bin/{name}"))
            self.path(f"/usr/local/bin/{name}").chmod(0o755)
        home = self.facts["home"]
        self.shell(f"printf 'jo:{TOKEN}' >{home}/standin-token; printf 200 >{home}/standin-startup-ms")

    def arm(self, step: str, number: int) -> None:
        """Hold the next run at this step."""
        self.disarm()
        for name in ("count", "starts", "clock"):
            (self.folder / name).write_text("")
        (self.folder / "on").touch()
        (self.folder / "armed.new").write_text(f"{step} {number}\n")
        (self.folder / "armed.new").rename(self.folder / "armed")

    def disarm(self) -> None:
        """Hold nothing any more."""
        for name in ("armed", "hit", "go", "count", "pid", "starts", "clock", "on"):
            (self.folder / name).unlink(missing_ok=True)

    def is_held(self) -> bool:
        """Whether it is at the step."""
        return (self.folder / "hit").exists()

    def go(self) -> None:
        """Let it go on."""
        (self.folder / "go").touch()

    def break_after_the_edit(self, desired: str | None) -> None:
        """From now on a JVM with this value ends soon after its start; None: none does."""
        path = self.path(self.facts["home"]) / "standin-exit"
        if desired is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text(f"300 {desired} it ends")

    def forget_starts(self) -> None:
        """Rounds follow each other in a minute, and units have a limit for that; one that has failed stays so."""
        self.shell(f"systemctl --quiet is-active {self.service} && systemctl reset-failed {self.service}", check=False)

    def kill(self, *words: str) -> None:
        """SIGKILL to its processes whose command lines have one of these words in them."""
        for pid, line in self.processes().items():
            if any(word in line for word in words):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)

    def held_process(self, parent: bool) -> int | None:
        """The process that is held, or the one that started it."""
        inner = (self.folder / "pid").read_text().strip()
        for pid in self.processes():
            with contextlib.suppress(OSError):
                status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
                if status["NSpid"].split()[-1] == inner:
                    return int(status["PPid"]) if parent else pid
        return None

    def edit_by_hand(self, in_place: bool) -> None:
        """As an editor does, one that writes into the file or one that replaces it."""
        path = self.path(self.launch)
        content, status = path.read_bytes() + BY_HAND, path.stat()
        if in_place:
            path.write_bytes(content)
        else:
            new = path.with_name("by-hand")
            new.write_bytes(content)
            os.chown(new, status.st_uid, status.st_gid)
            new.chmod(status.st_mode & 0o7777)
            new.rename(path)

    def mount_small(self, where: str) -> None:
        """Put a folder on a small file system of its own."""
        self.shell(
            f"mkdir -p -m 700 /{STORE}; mkdir /run/kept && cp -a {where}/. /run/kept/ && "
            f"mount -t tmpfs -o size=1m,mode=$(stat -c %a {where}) cbops-small {where} && "
            f"cp -a /run/kept/. {where}/"
        )
        self.mounted = where

    def fill(self) -> None:
        """Not a byte is free on it any more."""
        self.shell(f"cat /dev/zero >{self.mounted}/fill", check=False)

    def unmount(self) -> None:
        """What was written there is on the disk afterwards."""
        if self.mounted:
            self.shell(
                f"rm -f {self.mounted}/fill; rm -rf /run/kept; cp -a {self.mounted} /run/kept && "
                f"umount {self.mounted} && find {self.mounted} -mindepth 1 -delete && "
                f"cp -a /run/kept/. {self.mounted}/ && rm -rf /run/kept"
            )
            self.mounted = None

    def repair(self, desired: str) -> None:
        """After a case that went wrong: as it should be, so that the next one stands for itself."""
        known, path = self.known[desired], self.path(self.launch)
        if known is None:
            path.unlink(missing_ok=True)
        else:
            owner, group = map(int, known[1].split()[0].split(":"))
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(known[0])
            os.chown(path, owner, group)
            path.chmod(int(known[1].split()[1], 8) & 0o7777)
        self.shell(
            f"find {Path(self.launch).parent} /{STORE} -name '*.cbops-new~' -delete; systemctl daemon-reload;"
            f"systemctl reset-failed; systemctl restart {self.service}",
            check=False,
        )


class Run:
    """One ansible-playbook, with all that it starts."""

    def __init__(self, site: Site, desired: str, name: str, disturbed: bool) -> None:
        self.name = f"{os.getpid()}-{name}"
        self.folder = site.folder / name
        self.reports = self.folder / "reports"
        self.reports.mkdir(parents=True)
        inventory = self.folder / "hosts.json"
        inventory.write_text(json.dumps(site.inventory(desired, disturbed)))
        self.control = tempfile.mkdtemp(prefix="cbf.", dir="/tmp")
        self.log = self.folder / "output"
        environment = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
        environment.update({MARK: self.name, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_SSH_CONTROL_PATH_DIR": self.control})
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    FLEET,
                    "exec",
                    PROFILE,
                    "--",
                    str(BIN / "ansible-playbook"),
                    "cbops.telemetry.enforce",
                    "-i",
                    str(inventory),
                    "-e",
                    f"telemetry_reports_dir={self.reports}",
                    "-e",
                    f"telemetry_restart_serial={len(site.hosts)}",
                ],
                cwd=CHECKOUT,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env=environment,
            )

    def family(self, masters: bool = False) -> dict[int, str]:
        """Its processes, whoever their parent is now; shared ssh connections, which outlive a run, if asked for."""
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    if f"{MARK}={self.name}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                        line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                        if line and (masters or "[mux]" not in line):
                            found[int(entry.name)] = line
        return found

    def kill(self, all_of_it: bool) -> None:
        """SIGKILL."""
        family = [self.process.pid, *(self.family(True) if all_of_it else ())]
        for number in (signal.SIGSTOP, signal.SIGKILL):  # none of them sees another one end
            for pid in family:
                with contextlib.suppress(OSError):
                    os.kill(pid, number)
        self.process.wait()

    def close(self) -> float | None:
        """End shared connections; seconds until the rest had ended by itself, None where some of it did not."""
        began, until = time.monotonic(), time.monotonic() + LEFT_SECONDS
        while self.family() and time.monotonic() < until:
            time.sleep(0.1)
        took = None if self.family() else time.monotonic() - began
        for pid in self.family(True):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.control, ignore_errors=True)
        return took

    def verdicts(self) -> dict[str, tuple[str, str]]:
        """Of each host the verdict and the reasons."""
        try:
            report = json.loads((self.reports / "audit.json").read_text())
        except (OSError, ValueError):
            return {}
        return {item["host"]: (item["verdict"], "; ".join(item["reasons"])) for item in report["hosts"]}


class Site:
    """The running fleet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fleet = fleet_hosts.Fleet(PROFILE)
        facts = json.loads((CHECKOUT / f".fleet/{PROFILE}/hosts.json").read_text())
        self.hosts = {name: Host(self, name, facts[name], PORT + number) for number, name in enumerate(sorted(facts))}
        self.gateway = next(iter(facts.values()))["address"].rpartition(".")[0] + ".1"

    @contextlib.contextmanager
    def entered(self) -> Iterator[Site]:
        """Prepared, with a URL for each controller at which requests can be held."""
        for host in self.hosts.values():
            host.prepare()
            host.disarm()
        command = [FLEET, "exec", PROFILE, "--", sys.executable, "-B", str(HERE / "proxy.py"), self.gateway]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as proxy:
            assert proxy.stdin is not None and proxy.stdout is not None
            try:
                for host in self.hosts.values():
                    proxy.stdin.write(f"{host.port} {host.facts['address']}:{host.facts['port']} {host.folder}\n")
                    proxy.stdin.flush()
                    assert proxy.stdout.readline() == "ready\n"
                yield self
            finally:
                proxy.kill()
                for host in self.hosts.values():
                    host.go()

    def inventory(self, desired: str, disturbed: bool) -> dict[str, Any]:
        """All hosts, to be restarted when they are idle."""
        alive = " -o ServerAliveInterval=2 -o ServerAliveCountMax=3" if disturbed else ""
        return {
            "all": {
                "vars": {
                    "ansible_ssh_common_args": f"-F {CHECKOUT}/.fleet/{PROFILE}/ssh_config{alive}",
                    "ansible_become": True,
                    "ansible_python_interpreter": f"/{FOLDER}/python",
                    "telemetry_desired": desired,
                    "telemetry_restart": "when_idle",
                    "telemetry_user": "jo",
                    "telemetry_token": TOKEN,
                    "telemetry_allow_http": True,
                    "telemetry_settle": 1,
                    "telemetry_idle_timeout": 20,
                    "telemetry_restart_timeout": 45,
                    "telemetry_max_failures": 99,
                    # Where the launch file's file system is full, what lies beside the script lay on another one: the war, too.
                    "telemetry_host_limit": 100,
                    "telemetry_restart_allow": ["war"],
                },
                "hosts": {
                    name: {"telemetry_url": f"http://{self.gateway}:{host.port}/"} for name, host in self.hosts.items()
                },
            }
        }

    def quiet(self) -> dict[str, Any]:
        """Of each controller whether it is quieted down; what it says instead where it says no such thing."""
        script = "; ".join(
            f"curl -s -m 10 -u jo:{TOKEN} http://{host.facts['address']}:{host.facts['port']}/api/json; echo"
            for host in self.hosts.values()
        )
        until = time.monotonic() + 120
        while True:
            done = subprocess.run(
                [FLEET, "exec", PROFILE, "--", "sh", "-c", script],
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            answers = {}
            for name, line in zip(self.hosts, done.stdout.splitlines(), strict=False):
                try:
                    answers[name] = json.loads(line)["quietingDown"]
                except (ValueError, KeyError):
                    answers[name] = line or "no answer"
            if all(isinstance(answer, bool) for answer in answers.values()) or time.monotonic() > until:
                return answers
            time.sleep(0.5)

    def power_on(self, names: list[str]) -> None:
        """All that are off, at the same time."""
        with self.fleet.lock():
            state = self.fleet.state()
            chosen = [one for one in state["hosts"] if one["name"] in names]
            for one in chosen:
                fleet_hosts.remove_cgroup(self.fleet.cgroup / one["name"])
            with ThreadPoolExecutor(len(chosen)) as pool:
                list(pool.map(self.fleet.boot, chosen))
            self.fleet.wait(chosen, fleet_hosts.BOOT_SECONDS)
            self.fleet.save({**state, "off": [name for name in state["off"] if name not in names]})

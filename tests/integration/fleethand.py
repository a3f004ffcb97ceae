"""What the integration tests do with the fleet: run playbooks, look into hosts, count events."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from schemas import validate

CHECKOUT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(CHECKOUT / "tests/fleet"))

import hosts as fleet_hosts  # noqa: E402

FLEET = str(CHECKOUT / "tests/fleet/fleet")
BIN = CHECKOUT / ".venv/bin"
FLAG = "-Dcom.cloudbees.analytics.gatherer.Sender.disabled=true"
SECRET = "fleet-Keystore+4711"  # noqa: S105 -- the password that the fleet's RPM hosts keep in their launch file
#: Seconds between two events of one sender (tests/fleet/packages/standin/Sender.java).
PERIOD = 2


def place(profile: str) -> Path:
    """The folder with what is needed to get at the hosts of a profile."""
    return Path(fleet_hosts.Fleet(profile).files)


def shell_in(profile: str, host: str, *command: str) -> list[str]:
    """The command line that runs something as root inside a host.

    It is what `fleet shell` becomes: there are thousands of them, and a Python for each would cost minutes.
    """
    running = fleet_hosts.Fleet(profile)
    try:
        return _joined(running.cgroup / host / "init.scope", running.inside(host, command))
    except fleet_hosts.FleetError:
        return [FLEET, "shell", profile, host, "--", *command]  # it says what is wrong


def _joined(group: Path, command: list[str]) -> list[str]:
    """A command in a cgroup of a fleet, so that `down` ends what it may leave behind."""
    return ["/bin/sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', str(group), *command]


@contextmanager
def up(profile: str, *only: str) -> Iterator[dict[str, Any]]:
    """A profile's fleet (of it only these hosts), new, while this lasts: what is known of its hosts."""
    for command in (("check",), ("up", profile, "--fresh", *(("--only", ",".join(only)) if only else ()))):
        done = subprocess.run([FLEET, *command], capture_output=True, text=True, timeout=1800, check=False)
        if done.returncode:
            pytest.fail(f"the embedded fleet is needed for these tests: {(done.stderr or done.stdout).strip()}")
    try:
        yield json.loads((place(profile) / "hosts.json").read_text())
    finally:
        subprocess.run([FLEET, "down", profile], capture_output=True, timeout=300, check=False)


@dataclass
class Done:
    """A finished playbook run."""

    code: int
    output: str
    report: dict[str, Any]
    recap: dict[str, dict[str, int]]
    hosts: tuple[str, ...] = ()
    reports: Path = Path()

    def verdicts(self) -> dict[str, str]:
        """Verdict by host."""
        return {item["host"]: item["verdict"] for item in self.report["hosts"]}

    def reasons(self, host: str) -> str:
        """All reasons given for a host."""
        return "\n".join(next(item for item in self.report["hosts"] if item["host"] == host)["reasons"])

    def changed(self) -> dict[str, int]:
        """Number of changed tasks by host; of one without a task of its own, which the recap does not name, none."""
        counted = {host: counts["changed"] for host, counts in self.recap.items() if host != "localhost"}
        return {**dict.fromkeys(self.hosts, 0), **counted}


class Fleet:
    """The running fleet."""

    def __init__(self, facts: dict[str, Any], folder: Path, both_carriers: bool = False, profile: str = "test") -> None:
        self.profile = profile
        self.facts = facts
        self.hosts = sorted(facts)
        self.folder = folder
        self.both_carriers = both_carriers
        self._runs = 0

    def inside(
        self, *command: str, cwd: Path = CHECKOUT, timeout: int = 600, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """A command where the fleet's network is."""
        return subprocess.run(
            [FLEET, "exec", self.profile, "--", *command],
            capture_output=True,
            text=True,
            cwd=cwd,
            timeout=timeout,
            check=False,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
        )

    def shell(self, host: str, script: str, check: bool = True) -> str:
        """A shell script as root inside a host; its standard output."""
        done = subprocess.run(
            shell_in(self.profile, host, "sh", "-c", script), capture_output=True, text=True, timeout=120, check=False
        )
        if check and done.returncode:
            raise AssertionError(f"{host}: {script!r} ended with {done.returncode}: {done.stderr}")
        return done.stdout

    def power(self, host: str, state: str) -> None:
        """Switch a host off or on."""
        subprocess.run([FLEET, "power", self.profile, host, state], check=True, capture_output=True, timeout=600)

    def inventory(self, hosts: dict[str, dict[str, Any]] | None = None, **variables: Any) -> Path:
        """An inventory with these variables; ``hosts`` limits it and adds variables of single hosts."""
        self._runs += 1
        folder = self.folder / f"inventory-{self._runs}"
        folder.mkdir()
        everything = {
            "ansible_ssh_common_args": f"-F {place(self.profile)}/ssh_config",
            "ansible_become": True,
            "ansible_python_interpreter": "auto_silent",
            "telemetry_desired": "disabled",
            "telemetry_settle": 1,  # seconds: what the tests of it change, and the others need not wait for
            **variables,
        }
        content = {
            "all": {
                "vars": {name: value for name, value in everything.items() if value is not None},
                "hosts": hosts if hosts is not None else {name: {} for name in self.hosts},
            }
        }
        (folder / "hosts.json").write_text(json.dumps(content))
        return folder

    def play(
        self,
        name: str,
        *arguments: str,
        inventory: Path | None = None,
        cwd: Path = CHECKOUT,
        environment: dict[str, str] | None = None,
    ) -> Done:
        """Run a playbook of the collection by its full name."""
        self._runs += 1
        reports = self.folder / f"reports-{self._runs}"
        done = self.inside(
            str(BIN / "ansible-playbook"),
            f"cbops.telemetry.{name}",
            "-i",
            str(inventory or self.inventory()),
            "-e",
            f"telemetry_reports_dir={reports}",
            *arguments,
            cwd=cwd,
            environment={"ANSIBLE_NOCOLOR": "1", **(environment or {})},
        )
        if name == "audit" and self.both_carriers:
            self._same_by_the_module(reports, arguments, inventory, cwd, environment)
        path = reports / "audit.json"
        report = json.loads(path.read_text()) if path.exists() else {}
        if report:
            validate(report)
        recap = {}
        for line in re.findall(r"^(\S+)\s+: (ok=.*)$", done.stdout, re.MULTILINE):
            recap[line[0]] = {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", line[1])}
        known = json.loads(Path(inventory or self.inventory(), "hosts.json").read_text())["all"]["hosts"]
        hosts = tuple(item["host"] for item in report["hosts"]) if report else tuple(known)
        return Done(done.returncode, done.stdout + done.stderr, report, recap, hosts, reports)

    def _same_by_the_module(
        self,
        reports: Path,
        arguments: tuple[str, ...],
        inventory: Path | None,
        cwd: Path,
        environment: dict[str, str] | None,
    ) -> None:
        """The same audit by ordinary modules files the same evidence, byte for byte (an error may have other words)."""
        self.inside(
            str(BIN / "ansible-playbook"),
            "cbops.telemetry.audit",
            "-i",
            str(inventory or self.inventory()),
            *arguments,
            "-e",
            f"telemetry_reports_dir={reports}-module",
            "-e",
            "telemetry_carrier=module",
            cwd=cwd,
            environment=environment,
        )
        for path in (reports / "evidence").glob("*.json"):
            other = Path(f"{reports}-module") / "evidence" / path.name
            if json.loads(path.read_text())["error"] is None:
                assert other.read_text() == path.read_text(), f"{path.name}: carrier and module disagree"
            else:
                assert json.loads(other.read_text())["verdict"] == json.loads(path.read_text())["verdict"]

    def events(self, since: float) -> dict[str, int]:
        """Events that Segment received from each host since a moment (seconds since the epoch)."""
        counted: dict[str, int] = fleet_hosts.Fleet(self.profile).events(since)
        return counted

    def wait_for_events(self, since: float, seconds: int = 60) -> dict[str, int]:
        """Wait until an event came from every host, or the time is over; what was counted."""
        deadline = time.monotonic() + seconds
        while True:
            counted = self.events(since)
            if all(counted.values()) or time.monotonic() > deadline:
                return counted
            time.sleep(0.5)

    def launch_files(self, *hosts: str) -> dict[str, str]:
        """Checksum, mode and owner of everything that can hold launch configuration, by host (of all hosts)."""
        script = (
            "for f in $(find /etc/default /etc/sysconfig /etc/init.d /etc/systemd/system /opt /usr/bin/jenkins "
            "/var/lib/tomcat10/bin "
            "-type f 2>/dev/null | sort); do "
            "printf '%s %s %s\\n' \"$(sha256sum < $f)\" \"$(stat -c '%a %u:%g' $f)\" $f; done"
        )
        return {host: self.shell(host, script) for host in hosts or self.hosts}


@contextmanager
def new_fleet(profile: str, folder: Path, host: str, files: Mapping[str, str], script: str) -> Iterator[Fleet]:
    """A profile's fleet, new, while this lasts: files lie on a host (with "#!" they are programs), a script has run."""
    with up(profile) as facts:
        fleet = Fleet(facts, folder, profile=profile)
        for path, text in files.items():
            mode = "755" if text.startswith("#!") else "644"
            fleet.shell(host, f"install -D -m {mode} /dev/stdin {path} <<'END_OF_FILE'\n{text}END_OF_FILE\n")
        fleet.shell(host, script)
        yield fleet

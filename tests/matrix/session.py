"""One ansible-core, in an environment of its own, with the collection from its artifact, on hosts of the fleet.

What is asked is what a user sees: exit codes, verdicts, the files that a run leaves. No output is read.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.matrix import worst
from tests.matrix.roots import CHECKOUT, SSH_CONFIG, command, machine
from tests.unit import operationscenter

FLEET = str(CHECKOUT / "tests/fleet/fleet")
BUILD = CHECKOUT / ".build/matrix"
#: One of each packaging, three releases of Debian.
HOSTS = ("bullseye-cm-rpm", "bookworm-oss", "trixie-cm-deb", "trixie-script")
DEAD = "dead.example.org"

#: Restarts of all hosts at once: batches are tested elsewhere.
RESTART = ("-e", "telemetry_restart=now", "-e", "telemetry_restart_serial=100%")
#: The role as a role: without an entry point, and each of them by its name. Nothing is owed any more when it runs.
ROLE = [
    {
        "hosts": "all",
        "gather_facts": False,
        "tasks": [
            {
                "ansible.builtin.import_role": {
                    "name": "cbops.telemetry.telemetry",
                    **({"tasks_from": entry} if entry else {}),
                }
            }
            for entry in (None, "audit", "plan", "enforce", "restart", "probe")
        ],
    }
]

PROBE = [
    {"ansible.builtin.import_playbook": "cbops.telemetry.probe"},
    {
        "hosts": "all",
        "gather_facts": False,
        "tasks": [{"cbops.telemetry.connectivity_probe": {"host": "api.segment.io", "expect": "reachable"}}],
    },
]


class Failed(Exception):
    """A step did not end as it should; the text says how."""


def expect(what: str, found: object, *wanted: object) -> None:
    """Fail with what was found where it is none of what is wanted."""
    if found not in wanted:
        raise Failed(f"{what}: {found}, wanted {' or '.join(map(str, wanted))}")


def pin(core: str) -> str:
    """What pip is asked for: of "2.19" the newest release, of a whole version that one."""
    return f"ansible-core=={core}.*" if core.count(".") == 1 else f"ansible-core=={core}"


class Session:
    """The steps on one core; ``root`` and ``python`` as in roots.place."""

    def __init__(
        self,
        core: str,
        artifact: Path,
        root: Path | None = None,
        python: str = sys.executable,
        hosts: Sequence[str] = HOSTS,
        folder: Path | None = None,
    ) -> None:
        self.core, self.artifact, self.root, self.python, self.hosts = core, artifact, root, python, hosts
        self.folder = folder or BUILD / "sessions" / core
        self.venv = BUILD / "cores" / f"{core}-{root.name if root else Path(python).name}"
        self.reports = self.folder / "reports"
        self.config = self.folder / "ansible.cfg"
        self.inventory = self.folder / "hosts.json"
        self.run_id = ""

    # ---- running ----

    def _outside(self, inside: Sequence[str | Path], network: bool) -> list[str]:
        """The command line: where the core's Python is; where the fleet's network is, or the machine's own."""
        variables = {
            "HOME": str(self.folder / "home"),
            "PATH": f"{self.venv / 'bin'}:{machine.PATH}",
            "LANG": "C.UTF-8",
            "ANSIBLE_CONFIG": str(self.config),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_COLLECTIONS_PATH": str(self.folder / "collections"),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": f"/tmp/cbops-matrix-{os.getpid()}",
        }  # noqa: S108 -- short enough
        if self.root:
            places = [BUILD, self.artifact.parent, self.folder, *([CHECKOUT / ".fleet"] if network else [])]
            line = command(self.root, inside, places, variables, str(self.folder))
        else:
            line = [
                "env",
                "-i",
                "-C",
                str(self.folder),
                *(f"{name}={value}" for name, value in variables.items()),
                *map(str, inside),
            ]
        return [FLEET, "exec", "test", "--", *line] if network else line

    def _log(self, text: str) -> None:
        with open(self.folder / "log", "a", encoding="utf-8") as log:
            log.write(text)

    def command(self, *inside: str | Path, network: bool = False, timeout: int = 300) -> int:
        """Run a command; its exit code. What it says goes into the session's log."""
        self._log(f"\n$ {' '.join(map(str, inside))}\n")
        with open(self.folder / "log", "a", encoding="utf-8") as log:
            done = subprocess.run(
                self._outside(inside, network),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=timeout,
                check=False,
            )
        return done.returncode

    def install(self) -> None:
        """The core and nothing else from the package index, and the collection from its artifact."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for place in (self.folder / "home", BUILD):
            place.mkdir(parents=True, exist_ok=True)
        self.config.write_text("")
        with machine.lock(self.venv.with_name(f"{self.venv.name}.lock"), what="another installation"):
            self._install_core()
        expect(
            "install",
            self.command(
                self.venv / "bin/ansible-galaxy",
                "collection",
                "install",
                "--offline",
                "-p",
                self.folder / "collections",
                self.artifact,
            ),
            0,
        )
        variables = {
            "ansible_ssh_common_args": f"-F {SSH_CONFIG}",
            "ansible_become": True,
            "telemetry_desired": "disabled",
            "telemetry_settle": 1,
        }
        self.inventory.write_text(json.dumps({"all": {"vars": variables, "hosts": {host: {} for host in self.hosts}}}))

    def _install_core(self) -> None:
        """The core's environment, where it is not there yet."""
        done = self.venv / "installed"  # written last: one that was cut short is made anew
        if done.exists():
            return
        wanted = pin(self.core)
        if self.command(self.python, "-m", "venv", "--clear", self.venv) or self._pip(wanted):
            raise Failed(f"{wanted} could not be installed from the package index, see {self.folder / 'log'}")
        done.touch()

    def _pip(self, *wanted: str) -> int:
        """Install into the core's environment, with the settings that pip has on this machine."""
        line = [
            str(self.venv / "bin/python"),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--pre" if "rc" in wanted[0] else "--no-input",
            *wanted,
        ]
        if self.root:
            return self.command(*line, timeout=600)
        with open(self.folder / "log", "a", encoding="utf-8") as log:
            return subprocess.run(
                line, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, timeout=600, check=False
            ).returncode

    def versions(self) -> tuple[str, str]:
        """Of the core and of the Python that runs it."""
        script = "import ansible.release as r, platform as p; print(r.__version__, p.python_version())"
        done = subprocess.run(
            self._outside([self.venv / "bin/python", "-c", script], False),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        core, python = done.stdout.split()
        return core, python

    def play(self, name: str, *arguments: str, inventory: Path | None = None) -> int:
        """Run a playbook on the hosts; its exit code. Its report is a new one."""
        (self.reports / "audit.json").unlink(missing_ok=True)
        return self.command(
            self.venv / "bin/ansible-playbook",
            name,
            "-i",
            inventory or self.inventory,
            "-e",
            f"telemetry_reports_dir={self.reports}",
            *arguments,
            network=True,
        )

    def report(self) -> dict[str, Any]:
        """The report of the last run."""
        try:
            document: dict[str, Any] = json.loads((self.reports / "audit.json").read_text())
        except FileNotFoundError:
            raise Failed("there is no report") from None
        return document

    def verdicts(self) -> dict[str, str]:
        """Verdict by host in the report of the last run."""
        return {item["host"]: item["verdict"] for item in self.report()["hosts"]}

    def all_are(self, verdict: str) -> dict[str, str]:
        """That verdict for each host."""
        return dict.fromkeys(self.hosts, verdict)

    # ---- the steps, each on what the one before it left ----

    def inventory_plugin(self) -> None:
        """Operations centers as an inventory: a vaulted token, TLS by an authority of its own, then from the cache."""
        place = self.folder / "centers"
        place.mkdir()
        source, password, made = place / "x.operations_center.yml", place / "password", place / "made.json"
        certificate = operationscenter.certificate_in(place)
        password.write_text("the vault's own\n")
        jobs = [
            operationscenter.controller("alpha", "Managed", endpoint="https://alpha.example/"),
            operationscenter.folder("team", operationscenter.controller("team/beta", online=False, state="OFFLINE")),
        ]
        vault = ("--vault-password-file", password)
        with operationscenter.serving(*jobs, certificate=certificate) as center:
            options = {
                "plugin": "cbops.telemetry.operations_center",
                "user": operationscenter.USER,
                "token": operationscenter.TOKEN,
                "ca_file": str(certificate),
                "operations_centers": [{"url": center.url}],
                "cache": True,
                "cache_plugin": "ansible.builtin.jsonfile",
                "cache_connection": str(place / "cache"),
                "strict": True,
                "keyed_groups": [{"key": "controller_folder", "prefix": "folder", "default_value": "none"}],
                "compose": {"called": "controller_name ~ '!'"},
            }
            source.write_text(json.dumps(options))
            expect("encryption", self.command(self.venv / "bin/ansible-vault", "encrypt", *vault, source), 0)
            for _again in range(2):
                made.unlink(missing_ok=True)
                # What an inventory that cannot be read comes to is no failure of ansible-inventory by itself.
                line = [self.venv / "bin/ansible-inventory", "-i", source, *vault, "--list", "-vvvv", "--output", made]
                expect("exit code", self.command(*line), 0)
                document = json.loads(made.read_text())
                known = document["_meta"]["hostvars"]
                expect("hosts", set(known), {"alpha.example", "beta.example"})
                found = {name: document[f"folder_{name}"]["hosts"] for name in ("team", "none")}
                expect("hosts of groups", found, {"team": ["beta.example"], "none": ["alpha.example"]})
                called = known["beta.example"]["called"]
                expect("what is composed", called, "beta!", {"__ansible_unsafe": "beta!"})
                expect("how often it was asked", len(center.asked), 1)
        said = (self.folder / "log").read_text() + "".join(path.read_text() for path in (place / "cache").iterdir())
        expect("the token in what was said and kept", operationscenter.TOKEN in said, False)

    def audit(self) -> None:
        """Telemetry is on everywhere, and that is said."""
        expect("exit code", self.play("cbops.telemetry.audit"), 2)
        expect("verdicts", self.verdicts(), self.all_are("violation"))

    def plan(self) -> None:
        """An edit is planned for each host."""
        expect("exit code", self.play("cbops.telemetry.plan"), 0)
        planned = {item["host"] for item in json.loads((self.reports / "plan.json").read_text())["hosts"]}
        expect("hosts of the plan", planned, set(self.hosts))

    def enforce(self) -> None:
        """It is put everywhere, nothing is restarted; a second time nothing is left to do."""
        for _ in range(2):
            expect("exit code", self.play("cbops.telemetry.enforce"), 0)
            expect("verdicts", self.verdicts(), self.all_are("restart_pending"))
            self.run_id = self.run_id or max((self.reports / "changes").glob("*.jsonl")).stem

    def probe(self) -> None:
        """The endpoint is reached from each host; the playbook alone passes where it is not, too."""
        book = self.folder / "probe.yml"
        book.write_text(json.dumps(PROBE))
        expect("exit code", self.play(str(book)), 0)

    def restart(self) -> None:
        """What owes a restart gets it."""
        expect("exit code", self.play("cbops.telemetry.enforce", *RESTART), 0)
        expect("verdicts", self.verdicts(), self.all_are("compliant"))

    def role(self) -> None:
        """The role by each of its entry points."""
        book = self.folder / "role.yml"
        book.write_text(json.dumps(ROLE))
        evidence = self.reports / "evidence"
        shutil.rmtree(evidence)
        expect("exit code", self.play(str(book)), 0)
        filed = [json.loads(path.read_text()) for path in evidence.glob("*.json")]
        expect("evidence", {item["host"]: item["verdict"] for item in filed}, self.all_are("compliant"))

    def undo(self) -> None:
        """What the first run edited is put back, and runs."""
        expect("exit code", self.play("cbops.telemetry.undo", "-e", f"run={self.run_id}", *RESTART), 2)
        expect("verdicts", self.verdicts(), self.all_are("violation"))

    def worst(self) -> None:
        """Under the worst settings that a user may have, with a dead host, and with switches that are text."""
        before, self.config = self.config, worst.write(self.folder / "worst")
        inventory = self.folder / "worst/hosts.json"
        document = json.loads(self.inventory.read_text())
        document["all"]["hosts"][DEAD] = {"ansible_host": "127.0.0.9", "ansible_port": 9}
        inventory.write_text(json.dumps(document))
        texts = ("-e", "telemetry_daemon_reload=no telemetry_backup=yes telemetry_settle=1")
        try:
            self.play("cbops.telemetry.plan", *texts, inventory=inventory)
            planned = {item["host"] for item in json.loads((self.reports / "plan.json").read_text())["hosts"]}
            expect("hosts of the plan", planned, {*self.hosts, DEAD})
            expect("exit code", self.play("cbops.telemetry.enforce", *texts, inventory=inventory), 2, 4)
            expect("verdicts", self.verdicts(), {**self.all_are("restart_pending"), DEAD: "unreachable"})
        finally:
            self.config = before

    def sanity(self) -> None:
        """ansible-test sanity of this core, on what the artifact put there. No step: it asks no host."""
        test = next(self.venv.glob("lib/python*/site-packages/ansible_test"))
        wanted = re.search(r"\bpip=.([0-9.]+)", (test / "_internal/python_requirements.py").read_text())
        cache = self.folder / "home/.ansible/test/cache"
        cache.mkdir(parents=True)
        # The name by which it looks for its bootstrap of pip.
        name = f"get_pip_{wanted[1].replace('.', '_')}.py" if wanted else "get_pip.py"
        shutil.copy(CHECKOUT / "scripts/get-pip.py", cache / name)
        place = self.folder / "collections/ansible_collections/cbops/telemetry"
        python = test.parent.parent.name.removeprefix("python")
        expect(
            "exit code",
            self.command(
                "env",
                "-C",
                place,
                self.venv / "bin/ansible-test",
                "sanity",
                "--color",
                "no",
                "--python",
                python,
                timeout=3600,
            ),
            0,
        )

    def back(self) -> None:
        """As the next session wants to find it: telemetry on."""
        expect("exit code", self.play("cbops.telemetry.enforce", "-e", "telemetry_desired=enabled", *RESTART), 0)
        expect("verdicts", self.verdicts(), self.all_are("compliant"))


STEPS: tuple[Callable[[Session], None], ...] = (
    Session.install,
    Session.inventory_plugin,
    Session.audit,
    Session.plan,
    Session.enforce,
    Session.probe,
    Session.restart,
    Session.role,
    Session.undo,
    Session.worst,
    Session.back,
)


def run(session: Session, wanted: Sequence[Callable[[Session], None]] = STEPS) -> dict[str, Any]:
    """All steps on one core: which passed, and why one did not. Where all passed, the hosts are as they were."""
    start, steps, versions = time.monotonic(), {}, (session.core, "?")
    for step in wanted:
        name = step.__name__
        try:
            step(session)
            steps[name] = "passed"
            if name == "install":
                versions = session.versions()
        except (Failed, OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
            steps[name] = f"failed: {error}"
            machine.say(f"matrix: ansible-core {session.core}: {name}: {error} (see {session.folder / 'log'})")
            if name == "install":
                break
    return {"core": versions[0], "python": versions[1], "steps": steps, "seconds": round(time.monotonic() - start)}

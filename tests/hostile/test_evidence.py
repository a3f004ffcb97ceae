"""A reports folder on the control node: wrong clocks, killed runs, keys, and others who may write there.

What needs no answer of a host is played on hosts that no connection reaches.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from attacker import PROGRAMS, Site
from fleethand import BIN, CHECKOUT

#: Another user of the control node, who needs no account.
OTHER = 12345
HOSTS = ("cm1", "cm2")
# A clock that is some seconds ahead, for all programs of a run.
CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
static long off(void) { const char *text = getenv("SECONDS_AHEAD"); return text ? atol(text) : 0; }
int clock_gettime(clockid_t which, struct timespec *spec) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *)) dlsym(RTLD_NEXT, "clock_gettime");
    int answer = real(which, spec);
    if (!answer && which == CLOCK_REALTIME) spec->tv_sec += off();
    return answer;
}
time_t time(time_t *where) {
    struct timespec spec;
    clock_gettime(CLOCK_REALTIME, &spec);
    if (where) *where = spec.tv_sec;
    return spec.tv_sec;
}
int gettimeofday(struct timeval *now, void *zone) {
    struct timespec spec;
    clock_gettime(CLOCK_REALTIME, &spec);
    now->tv_sec = spec.tv_sec;
    now->tv_usec = spec.tv_nsec / 1000;
    return 0;
}
"""


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that makes the clock of a program wrong."""
    folder = tmp_path_factory.mktemp("clock")
    (folder / "clock.c").write_text(CLOCK)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", folder / "clock.so", folder / "clock.c", "-ldl"], check=True)
    return folder / "clock.so"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two keys, and a file that allows the first."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("key", "other"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    (folder / "allowed").write_text("jo@example.com " + (folder / "key.pub").read_text())
    return folder


class Node:
    """A control node with a reports folder."""

    def __init__(self, folder: Path, keys: Path) -> None:
        self.folder = folder
        self.reports = folder / "reports"
        self.keys = keys

    def play(
        self,
        name: str,
        *arguments: str,
        hosts: tuple[str, ...] = HOSTS,
        before: tuple[str, ...] = (),
        environment: dict[str, str] | None = None,
        **variables: Any,
    ) -> subprocess.CompletedProcess[str]:
        """A playbook of the collection on hosts that no connection reaches."""
        return subprocess.run(
            [*before, *self.command(name, hosts, **variables), *arguments],
            cwd=CHECKOUT,
            text=True,
            capture_output=True,
            check=False,
            timeout=300,
            stdin=subprocess.DEVNULL,
            env=self.environment(environment or {}),
        )

    def command(self, name: str, hosts: tuple[str, ...] = HOSTS, **variables: Any) -> list[str]:
        """Its command line."""
        inventory = self.folder / f"hosts-{len(list(self.folder.iterdir()))}.json"
        inventory.write_text(
            json.dumps(
                {
                    "all": {
                        "hosts": {host: {} for host in hosts},
                        "vars": {
                            "ansible_connection": "ssh",
                            "ansible_host": "127.0.0.1",
                            "ansible_port": 1,
                            "ansible_ssh_executable": "/nonexistent/ssh",
                        },
                    }
                }
            )
        )
        extra = {
            "telemetry_reports_dir": str(self.reports),
            "telemetry_desired": "disabled",
            "telemetry_fail_on": ["violation"],
            "allowed_signers": str(self.keys / "allowed"),
            **variables,
        }
        return [str(BIN / "ansible-playbook"), f"cbops.telemetry.{name}", "-i", str(inventory), "-e", json.dumps(extra)]

    @staticmethod
    def environment(more: dict[str, str]) -> dict[str, str]:
        """The environment of a playbook."""
        return {**os.environ, "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", **more}

    def audit(self, *arguments: str, key: str = "key", **more: Any) -> subprocess.CompletedProcess[str]:
        """A signed audit."""
        return self.play("audit", *arguments, telemetry_signing_key=str(self.keys / key) if key else "", **more)

    def verified(self, **variables: Any) -> str:
        """What verification says; it must be content."""
        done = self.play("verify_evidence", **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def refused(self, **variables: Any) -> str:
        """What verification says; it must not be content."""
        done = self.play("verify_evidence", **variables)
        assert done.returncode == 2, done.stdout + done.stderr
        return done.stdout + done.stderr

    def report(self, hosts: tuple[str, ...] = HOSTS) -> tuple[dict[str, dict[str, Any]], str]:
        """The hosts of a report of its own, and what it said."""
        done = self.play(
            "report", hosts=hosts, telemetry_report_formats=["json", "html", "openmetrics", "markdown", "csv"]
        )
        assert done.returncode == 0, done.stdout + done.stderr
        document = json.loads((self.reports / "report.json").read_text(), parse_constant=pytest.fail)
        return {item["host"]: item for item in document["hosts"]}, done.stdout

    def manifests(self) -> list[Path]:
        """By their sequence."""
        return sorted(
            (self.reports / "manifests").glob("*.json"),
            key=lambda path: json.loads(path.read_text()).get("sequence", 0),
        )


@pytest.fixture
def node(tmp_path: Path, keys: Path) -> Node:
    return Node(tmp_path, keys)


def ahead(clock: Path, days: int) -> dict[str, str]:
    """An environment in which the clock is some days ahead."""
    return {"LD_PRELOAD": str(clock), "SECONDS_AHEAD": str(days * 86400)}


# -- clocks -----------------------------------------------------------------------------------------


def test_a_run_by_a_wrong_clock_poisons_nothing(node: Node, clock: Path) -> None:
    node.audit(telemetry_desired="enabled", environment=ahead(clock, 10))
    (poisoned,) = node.manifests()
    future = json.loads(poisoned.read_text())["finished"]
    assert future > (datetime.datetime.now() + datetime.timedelta(days=9)).isoformat()

    # Alone, its evidence has no age, in no format.
    hosts, said = node.report()
    assert {host: item["age_seconds"] for host, item in hosts.items()} == dict.fromkeys(HOSTS)
    assert "how old the evidence is of 2 hosts is not known" in said
    assert max(item["collected_at"] for item in hosts.values()) in said
    metrics = (node.reports / "report.prom").read_text()
    assert 'cbops_telemetry_host_evidence_timestamp_seconds{host="cm1"} 0\n' in metrics
    assert "cbops_telemetry_last_run_timestamp_seconds 0\n" in metrics
    assert "| unknown |" in (node.reports / "report.md").read_text()

    # Runs by a right clock count, and are verified, though their times are the earlier ones.
    assert node.audit().returncode == 0
    assert "a clock was wrong: 1 manifests have times in the future" in node.verified()
    hosts, said = node.report()
    assert all(item["age_seconds"] < 3600 for item in hosts.values())
    assert "left out of the trend" in said
    # When the wrong time has come, what is old looks old.
    done = node.play("report", telemetry_report_name="later", environment=ahead(clock, 11))
    later = json.loads((node.reports / "later.json").read_text())["hosts"]
    assert all(item["age_seconds"] > 10.5 * 86400 for item in later), done.stdout

    # Evidence of the poisoned run put back.
    for host in HOSTS:
        path = node.reports / f"evidence/{host}.json"
        path.write_text(path.read_text().replace('"desired": "disabled"', '"desired": "enabled"'))
    assert "its content is not the one that" in node.refused()


def test_the_gate_asks_the_run_that_it_started(node: Node, clock: Path) -> None:
    """scripts/audit must not take the manifest of a wrong clock, which sorts last, for its own."""
    node.audit(environment=ahead(clock, 10))
    text = node.manifests()[0].read_text()
    node.manifests()[0].write_text(re.sub(r'"violation": 0', '"violation": 1', text))
    command = node.command("audit", telemetry_fail_on=["unknown"])
    done = subprocess.run(
        ["sh", "scripts/audit", *command[2:]],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=node.environment({"TELEMETRY_REPORTS_DIR": str(node.reports), "PATH": f"{BIN}:{os.environ['PATH']}"}),
    )
    assert done.returncode == 3, done.stdout


# -- killed runs --------------------------------------------------------------------------------------


def one_run(node: Node, desired: str, *options: str) -> subprocess.CompletedProcess[str]:
    """A run of the collection's own code, under strace."""
    return subprocess.run(
        [
            "strace",
            "-qq",
            "-s",
            "0",
            "-e",
            "signal=none",
            "-o",
            str(node.folder / "trace"),
            *options,
            sys.executable,
            str(PROGRAMS / "one-run.py"),
            str(node.reports),
            str(node.keys / "key"),
            desired,
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=node.folder,
        env={
            **os.environ,
            "PYTHONPATH": str(CHECKOUT / ".build/collections"),
            "PYTHONPYCACHEPREFIX": str(node.folder / "pycache"),
        },
    )  # nobody else's run changes what this one opens


def test_sigkill_at_every_write_of_a_run_is_healed_by_the_next(node: Node) -> None:
    """Whatever it leaves: a report can be made, and after the next run verification is content."""
    changing = ("openat", "write", "fchmod", "fsync", "rename", "ftruncate", "unlink", "mkdir")
    assert one_run(node, "enabled", "-e", "trace=none").returncode == 0
    assert one_run(node, "disabled", "-e", f"trace={','.join(changing)}").returncode == 0
    lines = (node.folder / "trace").read_text().splitlines()
    begin = max(number for number, line in enumerate(lines) if line.startswith("write(2, "))
    before = Counter(line.partition("(")[0] for line in lines[: begin + 1])
    counted: Counter[str] = Counter()
    calls = []
    for line in lines:
        name = line.partition("(")[0]
        counted[name] += 1
        if counted[name] > before[name] and (name != "openat" or "O_CREAT" in line) and str(node.keys) not in line:
            calls.append((name, counted[name]))
    names = Counter(name for name, _number in calls)
    assert names["rename"] == 4, "two evidence files, a signature, a manifest"
    assert names["fsync"] == 2
    killed = 0
    for number, call in enumerate(calls):
        desired = ("enabled", "disabled")[number % 2]
        done = one_run(node, desired, "-e", f"trace={call[0]}", "-e", f"inject={call[0]}:signal=KILL:when={call[1]}")
        killed += done.returncode != 0
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        if call[0] == "rename":
            assert set(node.report()[0]) == set(HOSTS)
        assert one_run(node, desired, "-e", "trace=none").returncode == 0
        unfinished = [path for path in node.reports.rglob(".*") if path.name != ".lock"]
        assert unfinished == [], call
    assert killed >= len(calls) - 2, (killed, calls)
    node.verified()


def test_sigkill_at_five_moments_of_an_audit(node: Node) -> None:
    hosts = tuple(f"cm{number}" for number in range(12))
    begin = time.monotonic()
    assert node.audit(hosts=hosts).returncode == 0
    whole = time.monotonic() - begin
    for moment in (0.5, 0.65, 0.75, 0.85, 0.95):
        command = node.command(
            "audit",
            hosts,
            telemetry_desired="enabled" if moment < 0.7 else "disabled",
            telemetry_signing_key=str(node.keys / "key"),
        )
        with subprocess.Popen(
            command,
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=node.environment({}),
            start_new_session=True,
        ) as process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(whole * moment)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert node.audit(hosts=hosts).returncode == 0
    node.verified()


@pytest.mark.skipif(os.geteuid() != 0, reason="it mounts a small disk")
def test_a_full_disk_while_reporting(node: Node) -> None:
    node.reports.mkdir()
    hosts = tuple(f"cm{number}" for number in range(12))
    audit = node.command("audit", hosts, telemetry_signing_key=str(node.keys / "key"))
    again = node.command("audit", hosts, telemetry_desired="enabled", telemetry_signing_key=str(node.keys / "key"))
    verify = node.command("verify_evidence", hosts)
    words = {
        name: " ".join(f"'{word}'" for word in command)
        for name, command in (("audit", audit), ("again", again), ("verify", verify))
    }
    script = f"""
        mount -t tmpfs -o size=400k none {node.reports}
        {words["audit"]} >&2 || exit 10
        # Twelve files are replaced one by one; for the report there is no room.
        head -c 400k /dev/zero > {node.reports}/filler 2>/dev/null
        truncate -s -12k {node.reports}/filler
        {words["again"]} && exit 11
        rm {node.reports}/filler
        {words["again"]} >&2 || exit 12
        {words["verify"]} >&2 || exit 13
        echo what is there: >&2
        ls -A {node.reports} {node.reports}/evidence {node.reports}/manifests >&2"""
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=CHECKOUT,
        env=node.environment({}),
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No space left on device" in done.stdout
    left = done.stderr.rpartition("what is there:")[2].split()
    assert "cm11.json" in left
    assert not [name for name in left if name.startswith(".")]


# -- runs at once, merges, retention --------------------------------------------------------------------


def test_three_audits_at_once_into_one_folder(node: Node) -> None:
    hosts = tuple(f"cm{number}" for number in range(9))
    wanted = ("disabled", "enabled", "disabled")
    with ThreadPoolExecutor(3) as pool:
        runs = list(
            pool.map(
                lambda number: node.audit(
                    "--limit", ",".join(hosts[:6] if number else hosts), hosts=hosts, telemetry_desired=wanted[number]
                ),
                range(3),
            )
        )
    assert [done.returncode for done in runs] == [0, 0, 0], runs
    assert [json.loads(path.read_text())["sequence"] for path in node.manifests()] == [1, 2, 3]
    node.verified()


def test_what_is_missing_between_two_is_named(node: Node) -> None:
    for desired in ("disabled", "enabled", "disabled"):
        node.audit(telemetry_desired=desired)
    first, second, third = node.manifests()
    for path in (second, third):
        shutil.copy(path, node.folder / path.name)
    newest = json.loads(json.dumps(re.findall(r"SHA-256 ([0-9a-f]{64})", node.verified())))
    second.unlink()
    second.with_name(f"{second.name}.sig").unlink()
    assert f"{second.name}: it is missing, {third.name} names it" in node.refused()
    first.unlink()
    first.with_name(f"{first.name}.sig").unlink()
    assert newest[0] in node.verified(known=newest)
    assert "which was known" in node.refused(known=["0" * 64])


# -- keys -------------------------------------------------------------------------------------------


def test_before_signing_and_after(node: Node) -> None:
    node.audit(hosts=("gone", *HOSTS), key="")
    (unsigned,) = node.manifests()
    assert "telemetry_signing_key" in node.refused()
    node.audit(telemetry_desired="enabled")
    assert (
        f"from before signing: 1 manifests are not signed and are as the first signed one found them: {unsigned.name}"
    ) in node.verified()
    node.audit(key="")
    assert node.manifests()[-1].name in node.refused()
    node.audit()
    assert "it is not signed and counts for nothing" in node.verified()
    node.audit(key="other")
    assert "no signer that is allowed made it" in node.refused()


def test_a_key_that_has_ended(node: Node, clock: Path) -> None:
    """It is good until the second of its end, for what it signed until then."""
    node.audit()
    (node.keys / "ending").write_text(
        f'jo@example.com valid-before="{datetime.datetime.now() + datetime.timedelta(seconds=2):%Y%m%d%H%M%S}" '
        f"{(node.keys / 'key.pub').read_text()}kim@example.com {(node.keys / 'other.pub').read_text()}"
    )
    time.sleep(3)
    ending = str(node.keys / "ending")
    assert "the key of jo@example.com has ended" in node.verified(allowed_signers=ending)
    node.audit(key="other")
    node.verified(allowed_signers=ending)
    # By whoever has the old key now, from a time when it was good.
    node.audit(environment=ahead(clock, -1))
    assert "has ended, and no later manifest names it" in node.refused(allowed_signers=ending)
    node.audit()
    assert "no signer that is allowed made it" in node.refused(allowed_signers=ending)


# -- others who may write there, or know where we write -------------------------------------------------


def as_other(*command: str) -> subprocess.CompletedProcess[str]:
    """A command of another user of the control node."""
    return subprocess.run(
        ["setpriv", f"--reuid={OTHER}", f"--regid={OTHER}", "--clear-groups", *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def open_node(keys: Path) -> Iterator[Node]:
    """A control node whose folder others can enter: not among pytest's, which every session that starts closes."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Node(Path(folder), keys)


@pytest.mark.skipif(os.geteuid() != 0, reason="it takes root to be another user")
def test_what_others_lay_into_the_folder_costs_its_host_alone(open_node: Node) -> None:
    node = open_node
    kinds = ["ln -sfn /etc/shadow", "mkfifo", "nested", "NaN", "its own elsewhere"]
    hosts = tuple(f"cm{number}" for number in range(len(kinds) + 1))
    node.audit(hosts=hosts)
    subprocess.run(["chmod", "-R", "a+rwX", node.reports], check=True)
    (manifest,) = node.manifests()
    laid = []
    for number, what in enumerate(kinds):
        manifests = manifest if not number else manifest.with_name(f"{number + 3}{manifest.name[1:]}")
        for path in (node.reports / f"evidence/cm{number}.json", manifests, node.reports / f"runs/x{number}.jsonl"):
            there = path.exists()
            put = {
                "nested": f"printf '[%.0s' $(seq 200000) > {path}",
                "NaN": f"sed -i '0,/{{/s//{{\"x\": NaN, /' {path}" if there else f"echo '{{\"x\": NaN}}' > {path}",
                "its own elsewhere": f"mv {path} {path}.good; ln -s {path}.good {path}"
                if there
                else f"ln -s {node.reports}/evidence/cm4.json {path}",
            }.get(what, f"rm -f {path}; {what} {path}")
            done = as_other("bash", "-c", f"cd /; {put}")
            assert done.returncode == 0, done.stderr
            laid.append(path.name)
    found, said = node.report(hosts=hosts)
    for number in range(len(kinds)):
        assert found[f"cm{number}"]["verdict"] == "unknown"
        assert f"cm{number}.json is damaged" in found[f"cm{number}"]["reasons"][0]
    last = hosts[-1]
    assert "could not be read" in found[last]["reasons"][0]
    assert [name for name in laid if not name.startswith("cm") and name not in said] == []
    refused = node.refused()
    assert [name for name in laid if name.startswith("cm") and name not in refused] == []
    done = node.play("replay", hosts=hosts, as_of="2027-01-01")
    for number in range(len(kinds)):
        assert re.search(rf"cm{number}: unknown\n +- its evidence file \S+cm{number}.json is damaged", done.stdout), (
            done.stdout
        )
    assert re.search(rf"{last}: unknown\n +- its state could not be read", done.stdout)
    secret = Path("/etc/shadow").read_text().split(":")[1]
    for path in node.reports.glob("report.*"):
        assert len(secret) < 4 or secret not in path.read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="it takes root to be another user")
def test_nobody_else_can_hold_up_an_audit(open_node: Node) -> None:
    open_node.audit()
    assert as_other("ls", str(open_node.reports / "runs")).returncode == 0
    done = as_other("flock", "--nonblock", str(open_node.reports / "runs/.lock"), "true")
    assert "Permission denied" in done.stderr


def test_a_host_name_never_leaves_the_folder(node: Node) -> None:
    absolute = str(node.folder / "absolute/outside")
    (node.folder / "absolute").mkdir()
    node.audit(hosts=("../../outside", "a/../../../outside", absolute, "..", "ü\u202e", "-e", "cm1"))
    assert len(list((node.reports / "evidence").iterdir())) == 7
    assert not [path for path in node.folder.rglob("*outside*") if path.parent != node.reports / "evidence"]
    assert all(path.parent == node.reports / "evidence" for path in node.reports.rglob("*cm1*.json"))
    node.verified()


def lasting(found: Callable[[], set[Any]]) -> set[Any]:
    """What is there and does not go away, as that of a run beside this one does at its end."""
    there = found()
    deadline = time.monotonic() + 300
    while there and time.monotonic() < deadline:
        time.sleep(1)
        there &= found()
    return there


def test_names_that_others_made_in_tmp_stop_no_restart(site: Site, tmp_path: Path) -> None:
    """The files in which hosts of one run know of each other are nobody else's, and gone afterwards."""
    lock = hashlib.sha256(b"payments").hexdigest()[:16]
    names = [f"/tmp/cbops-telemetry-{os.geteuid()}-{lock}.lock", f"/tmp/cbops.telemetry-{os.geteuid()}"]
    homes, own = [Path.home() / ".ansible", CHECKOUT / ".ansible"], tmp_path / "local"

    def found() -> set[Path]:
        """But for what a run beside this one has in a folder of its own, and leaves there where it is killed."""
        return {
            path
            for home in homes
            for ending in ("lock", "failures")
            for path in home.glob(f"**/*.{ending}")
            if "/ansible-local-" not in str(path)
        }

    for name in names:
        assert as_other("touch", name).returncode == 0
    try:
        before, there = set(os.listdir("/tmp")), found()
        done = site.play(
            "enforce",
            "--limit",
            "deb,oss",
            "-e",
            "telemetry_restart=now",
            "-e",
            "telemetry_restart_group=payments",
            environment={"ANSIBLE_LOCAL_TEMP": str(own)},
        )
        assert done.code == 0, done.output
        assert done.verdicts()["deb"] == done.verdicts()["oss"] == "compliant"
        assert lasting(lambda: {name for name in set(os.listdir("/tmp")) - before if "telemetry" in name}) == set()
        assert lasting(lambda: found() - there) == set()
        assert own.is_dir(), "the run's own files were in there"
        assert not [*own.glob("**/*.lock"), *own.glob("**/*.failures")]
    finally:
        for name in names:
            Path(name).unlink(missing_ok=True)

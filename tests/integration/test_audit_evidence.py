"""Evidence as a record: the same for the same fleet, signed, safe with runs at once, and without a secret."""

from __future__ import annotations

import datetime
import json
import os
import pty
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fleethand import BIN, CHECKOUT, FLAG, SECRET, Fleet
from schemas import validate, validate_line

EDITED, OTHER = "bookworm-cm-deb", "trixie-oss"
FILE = "/etc/default/cloudbees-core-cm"
ON = ("-e", "telemetry_desired=enabled")


def play(
    fleet: Fleet,
    name: str,
    reports: Path,
    *arguments: str,
    inventory: Path | None = None,
    environment: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a playbook of the collection; several runs can have the same reports folder."""
    return fleet.inside(
        str(BIN / "ansible-playbook"),
        f"cbops.telemetry.{name}",
        "-i",
        str(inventory or fleet.inventory()),
        "-e",
        f"telemetry_reports_dir={reports}",
        *arguments,
        environment={"ANSIBLE_NOCOLOR": "1", **(environment or {})},
    )


def git(folder: Path, *arguments: str) -> str:
    """What git says in a folder."""
    return subprocess.run(
        ["git", "-C", folder, "-c", "user.name=x", "-c", "user.email=x@example.com", *arguments],
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def manifest(reports: Path) -> dict[str, Any]:
    """The manifest of the last run."""
    path = max((reports / "manifests").glob("*.json"))
    document = json.loads(path.read_text())
    validate(document)
    for line in (reports / "runs" / f"{path.stem}.jsonl").read_text().splitlines():
        validate_line(json.loads(line))
    return document


def drift(reports: Path) -> dict[str, str]:
    """The drift that the last run has seen, by host."""
    return {entry["host"]: entry["drift"] for entry in manifest(reports)["files"].values() if entry["drift"]}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key for signing, and whom to trust."""
    folder = tmp_path_factory.mktemp("keys")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key"], check=True)
    (folder / "allowed_signers").write_text("jo@example.com " + (folder / "key.pub").read_text())
    return folder


def verify(fleet: Fleet, reports: Path, keys: Path) -> subprocess.CompletedProcess[str]:
    """`make verify-evidence`."""
    return subprocess.run(
        [
            "make",
            "--no-print-directory",
            "verify-evidence",
            f"SIGNERS={keys / 'allowed_signers'}",
            f"ARGS=-e telemetry_reports_dir={reports}",
        ],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_an_unchanged_fleet_has_unchanged_evidence_and_git_shows_what_changed(fleet: Fleet, tmp_path: Path) -> None:
    """One story: two audits alike, an edit by hand, enforce against it, and a change of the policy."""
    reports = tmp_path / "reports"
    assert play(fleet, "audit", reports, *ON).returncode == 0
    first = manifest(reports)
    assert first["hosts"] == list(fleet.hosts)
    assert first["totals"]["compliant"] == len(fleet.hosts)
    git(tmp_path, "init", "-q", ".")
    git(tmp_path, "add", "reports/evidence")
    git(tmp_path, "commit", "-q", "-m", "first")
    (journal,) = (reports / "runs").glob("*.jsonl")
    measured = [json.loads(line)["measured"] for line in journal.read_text().splitlines()]
    assert all(answers and answers[0]["phases_ms"]["tcp"] is not None for answers in measured), "kept in the journal"

    # In check mode, so that is shown too: the same verdicts, and the same evidence.
    assert play(fleet, "audit", reports, "--check", *ON).returncode == 0
    assert git(tmp_path, "status", "--porcelain", "--", "reports/evidence") == ""
    assert drift(reports) == {}

    try:
        fleet.shell(EDITED, f"cp -p {FILE} /root/kept; echo 'JAVA_ARGS=\"$JAVA_ARGS {FLAG}\"' >> {FILE}")
        done = play(fleet, "audit", reports, *ON)
        assert done.returncode == 2
        assert "drift: corrective" in done.stdout
        changed = git(tmp_path, "status", "--porcelain", "--", "reports/evidence")
        assert changed == f" M reports/evidence/{EDITED}.json\n"
        changes = git(tmp_path, "diff", "-U0", "--", "reports/evidence").splitlines()
        assert any(line.startswith("+") and f'"file": "{FILE}"' in line for line in changes), changes
        assert any(line.startswith("+") and '"value": "true"' in line for line in changes), changes
        assert drift(reports) == {EDITED: "corrective"}

        # Found wrong by the audit before, put right by this run: neither.
        assert play(fleet, "enforce", reports, *ON).returncode == 0
        assert git(tmp_path, "status", "--porcelain", "--", "reports/evidence") == ""
        assert drift(reports) == {}
        # Right at the audit before, and there was something to put right: somebody changed it.
        fleet.shell(EDITED, f"echo 'JAVA_ARGS=\"$JAVA_ARGS {FLAG}\"' >> {FILE}")
        done = play(fleet, "enforce", reports, *ON)
        assert done.returncode == 0, done.stdout
        assert drift(reports) == {EDITED: "corrective"}
        assert git(tmp_path, "status", "--porcelain", "--", "reports/evidence") == ""

        hosts: dict[str, dict[str, Any]] = {host: {} for host in fleet.hosts}
        hosts[OTHER] = {"telemetry_connectivity": "ignored"}
        assert play(fleet, "audit", reports, *ON, inventory=fleet.inventory(hosts)).returncode == 0
        assert drift(reports) == {OTHER: "intended"}
    finally:
        fleet.shell(EDITED, f"test ! -e /root/kept || cp -p /root/kept {FILE}")


def test_what_we_did_is_no_drift_and_what_others_did_is(fleet: Fleet, tmp_path: Path) -> None:
    """An enforce that never came to its audit, our own restart; a removal while only the way to restart differed."""
    reports, off = tmp_path / "reports", ("-e", "telemetry_desired=disabled")
    try:
        inventory = fleet.inventory({EDITED: {}})
        play(fleet, "audit", reports, *off, inventory=inventory)
        play(fleet, "enforce", reports, *off, "--tags", "telemetry_enforce", inventory=inventory)
        play(fleet, "audit", reports, *off, inventory=inventory)
        assert drift(reports) == {}
        assert list(manifest(reports)["totals"].items()).count(("restart_pending", 1)) == 1
        assert play(fleet, "enforce", reports, *off, "-e", "telemetry_restart=now", inventory=inventory).returncode == 0
        assert drift(reports) == {}
        fleet.shell(EDITED, f"sed -i 's/{FLAG}//' {FILE}")
        done = play(fleet, "audit", reports, *off, "-e", "telemetry_restart=never", inventory=inventory)
        assert done.returncode == 2
        assert drift(reports) == {EDITED: "corrective"}
        # Found wrong, and put right by the next.
        play(fleet, "enforce", reports, *off, inventory=inventory)
        assert drift(reports) == {}
        # A host that is not in the inventory any more is named, once.
        other = fleet.inventory({OTHER: {}})
        for told in (True, False):
            done = play(fleet, "audit", reports, *off, inventory=other)
            assert (f"{EDITED}: not in the inventory any more" in done.stdout) == told
            assert json.loads((reports / "audit.json").read_text())["vanished"] == [EDITED] * told
    finally:
        play(fleet, "enforce", reports, *ON, "-e", "telemetry_restart=now", inventory=fleet.inventory({EDITED: {}}))


def test_signed_evidence_of_runs_at_once_is_verified(fleet: Fleet, tmp_path: Path, keys: Path) -> None:
    """Two slices and a run over all hosts, at the same time, in one reports folder."""
    reports, signed = tmp_path / "reports", ("-e", f"telemetry_signing_key={keys / 'key'}")
    half = len(fleet.hosts) // 2
    inventory = fleet.inventory()
    with ThreadPoolExecutor(3) as pool:
        runs = list(
            pool.map(
                lambda limit: play(fleet, "audit", reports, *ON, *signed, *limit, inventory=inventory),
                [("--limit", ",".join(fleet.hosts[:half])), ("--limit", ",".join(fleet.hosts[half:])), ()],
            )
        )
    assert [done.returncode for done in runs] == [0, 0, 0], runs[0].stdout
    listed = [json.loads(path.read_text())["hosts"] for path in (reports / "manifests").glob("*.json")]
    assert sorted(map(len, listed)) == sorted([half, len(fleet.hosts) - half, len(fleet.hosts)])
    assert sorted(path.stem for path in (reports / "evidence").iterdir()) == fleet.hosts
    good = verify(fleet, reports, keys)
    assert good.returncode == 0, good.stdout + good.stderr
    assert "signed by jo@example.com" in good.stdout

    path = reports / "evidence" / f"{OTHER}.json"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    bad = verify(fleet, reports, keys)
    assert bad.returncode == 2
    assert path.name in bad.stdout + bad.stderr


def test_another_day_is_replayed_without_a_host(fleet: Fleet, tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    until = datetime.datetime.now(datetime.timezone.utc).date() + datetime.timedelta(days=30)
    waiver = {"until": until.isoformat(), "reason": "case 12345", "approved_by": "Jo Doe", "ticket": "OPS-7"}
    done = play(fleet, "audit", reports, inventory=fleet.inventory({EDITED: {"telemetry_waiver": waiver}}))
    assert done.returncode == 0, done.stdout
    before = {path: path.read_bytes() for path in reports.rglob("*") if path.is_file()}
    forever = " -e telemetry_max_age=never"
    for day, more, word, code in (
        (until, forever, "waived", 0),
        (until + datetime.timedelta(days=1), forever, "waiver_expired", 2),
        (until, "", "stale", 2),
    ):
        arguments = f"ARGS=-e telemetry_reports_dir={reports}{more}"
        made = subprocess.run(
            ["make", "--no-print-directory", "audit-as-of", f"AS_OF={day}", arguments],
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert made.returncode == code, made.stdout + made.stderr
        assert f"{EDITED}: {word}\n" in made.stdout
        assert "case 12345 (approved by Jo Doe, OPS-7)" in made.stdout
    assert f"warning: the waiver runs out on {until}" not in done.stdout
    assert {path: path.read_bytes() for path in reports.rglob("*") if path.is_file()} == before


def test_what_is_too_old_is_stale_wherever_it_is_read(fleet: Fleet, tmp_path: Path) -> None:
    """Evidence of real hosts in two folders: report, gate, metrics and replay, by a limit that has passed."""
    folders = {host: tmp_path / host for host in (EDITED, OTHER)}
    for host, folder in folders.items():
        done = play(fleet, "audit", folder, *ON, inventory=fleet.inventory({host: {}}))
        assert done.returncode == 0, done.stdout
    inventory = fleet.inventory(dict.fromkeys(folders, {}))
    merged = tmp_path / "merged"

    def report(limit: str) -> tuple[subprocess.CompletedProcess[str], dict[str, str], str]:
        variables = {
            "telemetry_evidence_dirs": [str(folder) for folder in folders.values()],
            "telemetry_report_formats": ["json", "openmetrics"],
            "telemetry_max_age": limit,
        }
        done = play(fleet, "report", merged, "-e", json.dumps(variables), inventory=inventory)
        document = json.loads((merged / "report.json").read_text())
        validate(document)
        verdicts = {one["host"]: one["verdict"] for one in document["hosts"]}
        return done, verdicts, (merged / "report.prom").read_text()

    done, fresh, metrics = report("3")
    assert done.returncode == 0, done.stdout
    assert "stale" not in fresh.values()
    assert 'cbops_telemetry_hosts{verdict="stale"} 0' in metrics
    time.sleep(1.5)
    done, old, metrics = report("0.02 min")
    assert set(old.values()) == {"stale"}
    assert done.returncode == 2, "and it is no green for the gate"
    assert "telemetry_max_age" in done.stdout
    assert 'cbops_telemetry_hosts{verdict="stale"} 2' in metrics
    # One of them is audited again.
    done = play(fleet, "audit", folders[OTHER], *ON, inventory=fleet.inventory({OTHER: {}}))
    assert done.returncode == 0, done.stdout
    _done, one_each, _metrics = report("5 min")
    assert one_each == fresh
    day = datetime.datetime.now(datetime.timezone.utc).date() + datetime.timedelta(days=4)
    replayed = play(fleet, "replay", folders[OTHER], "-e", f"as_of={day}", inventory=inventory)
    assert replayed.returncode == 2
    assert "1 hosts: 1 stale" in replayed.stdout
    # What is not as it was filed is nothing, whatever may be old.
    path = folders[EDITED] / "evidence" / f"{EDITED}.json"
    path.write_text(path.read_text().replace('"warnings": []', '"warnings": ["x"]', 1))
    done, changed, _metrics = report("never")
    assert changed == {**fresh, EDITED: "unknown"}
    assert done.returncode == 2
    replayed = play(
        fleet, "replay", folders[EDITED], "-e", f"as_of={day}", "-e", "telemetry_max_age=never", inventory=inventory
    )
    assert replayed.returncode == 2
    assert "1 hosts: 1 unknown" in replayed.stdout


def test_a_waived_host_is_left_alone(fleet: Fleet, tmp_path: Path) -> None:
    """Enforce with restarts: nothing is written there and its JVM goes on."""
    until = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    inventory = fleet.inventory({EDITED: {"telemetry_waiver": {"until": until, "reason": "x", "approved_by": "y"}}})
    script = f"sha256sum {FILE}; ls -la --time-style=full-iso /etc/default; pgrep -x java"
    before = fleet.shell(EDITED, script)
    done = play(fleet, "enforce", tmp_path, "-e", "telemetry_restart=now", inventory=inventory)
    assert done.returncode == 0, done.stdout
    assert manifest(tmp_path)["totals"]["waived"] == 1
    assert f"warning: the waiver runs out on {until}" in done.stdout
    assert fleet.shell(EDITED, script) == before


@pytest.mark.parametrize(
    "waiver",
    [
        {"until": "2199-12-31", "reason": "x", "approved_by": "y"},
        {"until": "2026-02-30", "reason": "x", "approved_by": "y"},
        {"until": "2026-12-31", "reason": "x"},
    ],
    ids=str,
)
def test_a_waiver_that_is_not_valid_stops_the_run_before_the_first_host(
    fleet: Fleet, tmp_path: Path, waiver: dict[str, str]
) -> None:
    inventory = fleet.inventory({EDITED: {}, OTHER: {"telemetry_waiver": waiver}})
    before = fleet.shell(EDITED, f"sha256sum {FILE}")
    for name in ("audit", "plan", "enforce", "site"):
        for limit in ((), ("--limit", "all")):
            done = play(fleet, name, tmp_path, "-v", *limit, inventory=inventory)
            assert done.returncode == 2, name
            assert f"{OTHER}: telemetry_waiver" in done.stdout + done.stderr
            assert "Read the state" not in done.stdout
    assert not list(tmp_path.iterdir()), "no evidence, no plan"
    assert fleet.shell(EDITED, f"sha256sum {FILE}") == before


def gate(fleet: Fleet, reports: Path, inventory: Path, *arguments: str) -> int:
    """The exit code of scripts/audit."""
    return fleet.inside(
        "sh",
        "scripts/audit",
        "-i",
        str(inventory),
        *arguments,
        environment={"TELEMETRY_REPORTS_DIR": str(reports), "PATH": f"{BIN}:{os.environ['PATH']}"},
    ).returncode


def test_exit_codes_tell_what_is_wrong(fleet: Fleet, tmp_path: Path) -> None:
    good, bad = fleet.inventory({EDITED: {}}), fleet.inventory({EDITED: {"telemetry_waiver": {"until": "never"}}})
    unknown = {"telemetry_desired": "enabled", "ansible_python_interpreter": "/opt/no/python"}
    assert gate(fleet, tmp_path, good, *ON) == 0
    assert gate(fleet, tmp_path, good) == 2
    assert gate(fleet, tmp_path, good, "--check") == 2
    assert gate(fleet, tmp_path, good, "-e", '{"telemetry_fail_on": ["unknown"]}') == 0
    assert gate(fleet, tmp_path, fleet.inventory({EDITED: unknown})) == 3
    assert gate(fleet, tmp_path, fleet.inventory({EDITED: {}, OTHER: unknown})) == 2, "the worst counts"
    assert gate(fleet, tmp_path, bad) == 4
    assert gate(fleet, tmp_path, fleet.inventory({})) == 4


def test_progress_on_a_terminal_and_none_in_a_log(fleet: Fleet, tmp_path: Path) -> None:
    inventory = fleet.inventory({EDITED: {}, OTHER: {}}, telemetry_sweep="never")
    logged = play(fleet, "audit", tmp_path, inventory=inventory)
    assert "hosts, " not in logged.stdout + logged.stderr
    command = [
        str(BIN / "ansible-playbook"),
        "cbops.telemetry.audit",
        "-i",
        str(inventory),
        "-e",
        f"telemetry_reports_dir={tmp_path}",
    ]
    shown = {}
    for name, environment in (("terminal", {"CI": ""}), ("CI", {"CI": "true"})):
        ours, theirs = pty.openpty()
        with os.fdopen(ours, "rb") as stream:
            with subprocess.Popen(
                [str(CHECKOUT / "tests/fleet/fleet"), "exec", "test", "--", *command],
                cwd=CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=theirs,
                env={**os.environ, **environment},
            ) as process:
                os.close(theirs)
                data = b""
                try:
                    while chunk := stream.read1(65536):
                        data += chunk
                except OSError:
                    pass  # the end: nobody has the terminal open any more
                process.wait(300)
        shown[name] = data.decode()
    assert "Audit this host: 2/2 hosts, 2 violations so far" in shown["terminal"]
    assert "hosts, " not in shown["CI"]


SECRETS = {
    name: f"planted-{name}-4711" for name in ("option", "argument", "comment", "glued", "unit", "proxy", "broken")
}
PASSWORD = f"-Djavax.net.ssl.keyStorePassword={SECRETS['option']}"
DEAD = f'''# {SECRETS["comment"]}
UNUSED_OPTIONS="{FLAG},-Dpassword={SECRETS["glued"]}"'''
PROXY = (
    f"<proxy><name>127.0.0.1</name><port>9</port><userName>u</userName><password>{SECRETS['proxy']}</password>"
    "<noProxyHost>api.segment.io</noProxyHost></proxy>"
)


def plant(fleet: Fleet, host: str) -> None:
    """Secrets in the launch file of a host, in the form that it has there, and in a JVM that was started with it."""
    facts = fleet.facts[host]
    path, variable = facts["launch_file"], facts["variable"]
    more = {
        "deb": f"cat >> {path} <<'E'\n{variable}=\"${variable} {PASSWORD}\"\n{DEAD}\nE\n",
        "rpm": f"cat >> {path} <<'E'\n{variable}=\"${variable} {PASSWORD}\"\n{DEAD}\nE\n",
        "tomcat": f"cat >> {path} <<'E'\n{variable}=\"${variable} {PASSWORD}\"\n{DEAD}\nE\n",
        "script": f"sed -i 's|^exec java .*|{DEAD.splitlines()[1]}\\n&\\n    {PASSWORD} \\\\|; "
        f"s|--httpPort=8080|& --httpsKeyStorePassword={SECRETS['argument']}|' {path}; cat {path} >&2\n",
        "systemd": f"mkdir -p /etc/systemd/system/{facts['service']}.d; cat > /etc/systemd/system/{facts['service']}"
        f".d/zz-x.conf <<'E'\n[Service]\n# {SECRETS['comment']}\nEnvironment=\"JAVA_OPTS=-Xmx32m "
        f'{PASSWORD}" "TOKEN={SECRETS["unit"]}"\nEnvironment="DEAD={FLAG},-Dp={SECRETS["glued"]}"\nE\n',
    }[facts["packaging"]]
    if facts["kind"] == "cm-rpm-array":
        more = f"cat >> {path} <<'E'\n{variable}+=({PASSWORD} \"-Dtwo=b {SECRETS['argument']}\")\n{DEAD}\nE\n"
    fleet.shell(
        host,
        f"{more}printf '%s' '{PROXY}' > {facts['home']}/proxy.xml\n"
        f"systemctl daemon-reload; systemctl restart {facts['service']}",
    )
    # Not by the searching command itself, which has the pattern in its own command line.
    pattern = SECRETS["option"][:-1] + f"[{SECRETS['option'][-1]}]"
    fleet.shell(
        host,
        f"for i in $(seq 150); do grep -aqs '{pattern}' /proc/[0-9]*/cmdline && exit; sleep 0.2; done; "
        "echo the JVM does not have it >&2; exit 1",
    )


def test_no_secret_of_a_launch_file_is_in_any_output(fleet: Fleet, tmp_path: Path, keys: Path) -> None:
    """The last test here: the fleet is not as new afterwards."""
    for host in fleet.hosts:
        plant(fleet, host)
    fleet.shell("trixie-cm-deb", f"echo 'JAVA_ARGS=\"-Dp={SECRETS['broken']} $(options /etc/x)\"' >> {FILE}")
    fleet.shell("trixie-script", f"echo 'exec \"{SECRETS['broken']}' >> /opt/cloudbees/cm/start.sh")
    loud = {"ANSIBLE_DISPLAY_OK_HOSTS": "true", "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "true"}
    outputs = {}
    for name, *arguments in (
        ("plan",),
        ("audit",),
        ("audit", "-e", "telemetry_attach=never"),
        ("enforce", "--check"),
        ("enforce", "-e", "telemetry_restart=now"),
        ("audit",),
    ):
        done = play(
            fleet,
            name,
            tmp_path,
            "-vvv",
            "--diff",
            "-e",
            "telemetry_connectivity=required",
            "-e",
            f"telemetry_signing_key={keys / 'key'}",
            *arguments,
            environment=loud,
        )
        assert "cloudbees" in done.stdout
        outputs[" ".join((name, *arguments))] = done.stdout + done.stderr
    totals = manifest(tmp_path)["totals"]
    assert totals["compliant"] >= len(fleet.hosts) - 3, totals
    outputs.update(
        {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    )
    assert {path.split("/")[0] for path in outputs} >= {"evidence", "runs", "manifests", "audit.json", "plan.md"}
    for where, text in outputs.items():
        for name, secret in {**SECRETS, "keystore": SECRET, "part": "planted-"}.items():
            assert secret not in text, f"the secret {name} is in {where}"

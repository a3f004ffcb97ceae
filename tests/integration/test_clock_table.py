"""Every row of docs/clocks.md on a real host: real files, a real service manager, real JVMs, and the verdict."""

from __future__ import annotations

import re

import pytest
from fleethand import CHECKOUT, FLAG, Fleet

HOST = "bookworm-oss"
HOSTS = (HOST,)
SERVICE = "jenkins.service"
DROP_IN = f"/etc/systemd/system/{SERVICE}.d/50-admin.conf"
WAR = "/usr/share/java/jenkins.war"
OPTIONS = "-Djava.awt.headless=true -Xmx32m"
RELOAD = "systemctl daemon-reload"
RESTART = f"{RELOAD}; systemctl reset-failed {SERVICE}; systemctl restart {SERVICE}"
# Another JVM of the same service, as one that an upgrade left behind.
BESIDE = (
    "runuser -u jenkins -- setsid java %s -Xmx32m -jar " + WAR + " --httpPort=8099 >/dev/null 2>&1 & "
    "for n in $(seq 50); do sleep 0.1; p=$(pgrep -x -f 'java .*[h]ttpPort=8099'); [ -n \"$p\" ] && break; done; "
    "sleep 1; echo $p >/sys/fs/cgroup/system.slice/" + SERVICE + "/cgroup.procs"
)


def off(options: str = f"{OPTIONS} {FLAG}") -> str:
    """Shell text that writes the administrator's drop-in with these options."""
    folder = DROP_IN.rpartition("/")[0]
    return f"mkdir -p {folder}; printf '[Service]\\nEnvironment=\"JAVA_OPTS={options}\"\\n' >{DROP_IN}"


ON = off(OPTIONS)
UNRESOLVABLE = off(f"{OPTIONS} $(options /etc/options)")
STOPPED = "pkill -STOP -x java"

#: (on_disk, next_start, running) of the row -> what is done to a host that runs with telemetry on.
ROWS = {
    ("other", "any", "any"): (ON, "violation"),
    ("unresolvable", "any", "other"): (f"{UNRESOLVABLE}; {RELOAD}", "violation"),
    ("unresolvable", "any", "mixed"): (f"{UNRESOLVABLE}; {RELOAD}; {BESIDE % FLAG}", "violation"),
    ("unresolvable", "any", "any"): (f"{UNRESOLVABLE}; {RELOAD}; systemctl stop {SERVICE}", "unknown"),
    ("wanted", "unresolvable", "any"): (f"{UNRESOLVABLE}; {RELOAD}; {off()}", "unknown"),
    ("wanted", "other", "wanted"): (f"{off()}; {RESTART}; {ON}; {RELOAD}; {off()}", "violation"),
    ("wanted", "other", "any"): (off(), "restart_pending"),
    ("wanted", "wanted", "unknown"): (f"{off()}; {RESTART}; sleep 2; {STOPPED}", "unknown"),
    ("wanted", "wanted", "not_running"): (f"{off()}; {RELOAD}; systemctl stop {SERVICE}", "compliant"),
    ("wanted", "wanted", "other"): (f"{off()}; {RELOAD}", "restart_pending"),
    ("wanted", "wanted", "mixed"): (f"{off()}; {RESTART}; sleep 1; {BESIDE % '-Dx=y'}", "restart_pending"),
    ("wanted", "wanted", "wanted"): (f"{off()}; {RESTART}; sleep 1", "compliant"),
}
VALUES = {"wanted": "disabled", "other": "enabled"}


@pytest.fixture
def host(fleet: Fleet) -> object:
    """It runs with telemetry on, and does again afterwards."""
    undo = (
        f"pkill -CONT -x java; pkill -f '[h]ttpPort=8099'; rm -f {DROP_IN}; {RESTART}; "
        "for n in $(seq 60); do pgrep -x java >/dev/null && break; sleep 0.1; done; sleep 0.5"
    )
    yield fleet
    fleet.shell(HOST, undo)


@pytest.mark.parametrize(
    ("row", "done", "verdict"), [(row, *what) for row, what in ROWS.items()], ids=["-".join(row) for row in ROWS]
)
def test_a_row(host: Fleet, row: tuple[str, str, str], done: str, verdict: str) -> None:
    host.shell(HOST, done)
    audit = host.play("audit", inventory=host.inventory({HOST: {}}))
    (entry,) = audit.report["hosts"][0]["state"]["installations"]
    for clock, wanted in zip(("on_disk", "next_start", "running"), row, strict=True):
        if wanted != "any":
            assert entry[clock] == VALUES.get(wanted, wanted), (clock, entry)
    assert audit.verdicts() == {HOST: verdict}, audit.output


def test_no_row_of_the_table_is_left_out() -> None:
    text = (CHECKOUT / "docs/clocks.md").read_text()
    rows = re.findall(r"^\| (\w+) \| (\w+) \| (\w+) \| (\w+) \|", text, re.MULTILINE)
    assert [(tuple(row[:3]), row[3]) for row in rows if row[0] != "on_disk"] == [
        (row, verdict) for row, (_done, verdict) in ROWS.items()
    ]


@pytest.mark.parametrize("attach", ["auto", "never"])
def test_java_options_that_beat_the_command_line(host: Fleet, attach: str) -> None:
    """The flag on the command line, and _JAVA_OPTIONS that says otherwise: both proofs see who wins."""
    host.shell(
        HOST,
        f"{off()}; printf 'Environment=_JAVA_OPTIONS={FLAG.replace('true', 'false')}\\n' >>{DROP_IN}; "
        f"{RESTART}; sleep 1.5",
    )
    audit = host.play("audit", "-e", f"telemetry_attach={attach}", inventory=host.inventory({HOST: {}}))
    (entry,) = audit.report["hosts"][0]["state"]["installations"]
    (process,) = entry["processes"]
    assert (entry["on_disk"], entry["running"]) == ("enabled", "enabled")
    assert (process["value"], process["source"]) == ("false", "_JAVA_OPTIONS")
    assert process["proof"] == {"auto": "attach", "never": "cmdline+environ"}[attach]
    assert audit.verdicts() == {HOST: "violation"}

"""What people have built, on a real systemd with real JVMs: one host with many controllers, and one audit of it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from fleethand import CHECKOUT, FLAG, Fleet
from schemas import validate

HOST = "odd"
WAR = "/usr/share/java/jenkins.war"
JAVA = "java -Xmx48m -XX:TieredStopAtLevel=1 -Xshare:auto"

#: Where things lie: file -> text. A text that begins with "#!" is a program.
FILES = {
    # a war of any name, behind a link
    "/etc/systemd/system/ci-master.service":
        "[Service]\nUser=jenkins\nEnvironment=JENKINS_HOME=/srv/a\n"
        f"ExecStart=/usr/bin/{JAVA} -jar /opt/cm/current.war --httpPort=8101\n",
    # a war that a variable of an EnvironmentFile names
    "/etc/systemd/system/two.service":
        f"[Service]\nEnvironmentFile=/etc/ci/two\nExecStart=/usr/bin/{JAVA} $CI_OPTS -jar $CI_APP --httpPort=8102\n",
    "/etc/ci/two": f"CI_OPTS={FLAG}\nCI_APP=/opt/t04/cm.war\n",
    # scripts that source scripts, functions, "$@"
    "/etc/systemd/system/three.service": "[Service]\nExecStart=/srv/ci/bin/start.sh --httpPort=8103\n",
    "/srv/ci/bin/start.sh": '#!/bin/sh\n. /srv/ci/lib/common.sh; run_controller "$@"\n',
    "/srv/ci/lib/common.sh": 'run_controller() { exec /srv/ci/bin/launch.sh "$@"; }\n',
    "/srv/ci/bin/launch.sh": f'#!/bin/sh\nexec {JAVA} {FLAG} -jar "$(dirname "$0")/../app.war" "$@"\n',
    # the same, and nobody has started it
    "/etc/systemd/system/stopped.service":
        "[Service]\nExecStart=/bin/bash -lc 'exec /srv/ci/bin/start.sh --httpPort=8104'\n",
    # a program that is no shell script
    "/etc/systemd/system/five.service": "[Service]\nExecStart=/opt/five/run\n",
    "/opt/five/run": "#!/usr/bin/python3\nimport os, sys\nos.execvp('java', ['java', '-Xmx48m', '-jar', "
                     "'/opt/' + 't04/cm' + '.war', '--httpPort=8105'])\n",
    # an EnvironmentFile that is made anew
    "/etc/systemd/system/six.service":
        "[Service]\nRuntimeDirectory=six\nExecStartPre=/bin/sh -c 'echo CI_APP=/opt/t04/cm.war >/run/six/env'\n"
        f"EnvironmentFile=-/run/six/env\nExecStart=/bin/sh -c 'exec {JAVA} -jar $CI_APP --httpPort=8106'\n",
    # a relative war, and Jenkins' own default home
    "/etc/systemd/system/seven.service":
        "[Service]\nUser=jenkins\nWorkingDirectory=/opt/seven\n"
        f"ExecStart=/usr/bin/{JAVA} -jar app.war --httpPort=8107\n",
    # what it was unpacked to
    "/etc/systemd/system/eight.service":
        f"[Service]\nExecStart=/usr/bin/{JAVA} {FLAG} -cp /opt/eight executable.Main --httpPort=8108\n",
    # supervisord, runit
    "/etc/supervisor/conf.d/ci.conf":
        f"[program:nine]\ncommand=/usr/bin/{JAVA} -jar /opt/t04/cm.war --httpPort=8109 ; the old one\n",
    "/etc/systemd/system/supervisor.service": "[Service]\nExecStart=/usr/local/bin/supervisord\n",
    "/usr/local/bin/supervisord":
        "#!/usr/bin/python3\nimport os, shlex, subprocess\n"
        "line = open('/etc/supervisor/conf.d/ci.conf').readlines()[1]\n"
        "words = shlex.split(line.split('=', 1)[1].split(' ;')[0])\n"
        "subprocess.call(words, env=dict(os.environ, SUPERVISOR_PROCESS_NAME='nine'))\n",
    "/etc/sv/ten/run": f"#!/bin/sh\nexec {JAVA} -jar /opt/ten/app.war --httpPort=8110\n",
    "/etc/systemd/system/runit.service": "[Service]\nExecStart=/usr/local/bin/runsv ten\n",
    "/usr/local/bin/runsv": '#!/bin/sh\ncd "/etc/sv/$1" && ./run\n:\n',
    # one that fails until systemd gives it up, one that is started again and again
    "/etc/systemd/system/failed.service":
        "[Unit]\nStartLimitIntervalSec=60\nStartLimitBurst=2\n[Service]\nRestart=always\nRestartSec=100ms\n"
        f"ExecStart=/usr/bin/java {FLAG} -Xmx1k -jar /opt/t04/cm.war\n",
    "/etc/systemd/system/looping.service":
        "[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestart=always\nRestartSec=300ms\n"
        f"ExecStart=/usr/bin/java {FLAG} -Xmx1k -jar /opt/t04/cm.war\n",
    # what has the name and is none
    "/etc/systemd/system/jenkins-backup.service": "[Service]\nType=oneshot\nUser=jenkins\nExecStart=/opt/backup.sh\n",
    "/opt/backup.sh": "#!/bin/sh\ncp -a /usr/share/java/jenkins.war /tmp/\n",
    # only recognised
    "/srv/compose/docker-compose.yml": "services:\n  ci:\n    image: cloudbees/cloudbees-core-mm:2.452\n",
}
LAY = f"""
mkdir -p /opt/cm/2.452.3.2 /opt/t04 /srv/ci /opt/seven /opt/eight /opt/ten /srv/a /var/lib/jenkins/.jenkins
echo '<hudson/>' >/var/lib/jenkins/.jenkins/config.xml
chown -R jenkins: /srv/a /var/lib/jenkins/.jenkins
for place in cm/2.452.3.2/app.war t04/cm.war seven/app.war ten/app.war; do cp {WAR} /opt/$place; done
cp {WAR} /srv/ci/app.war
ln -sfn 2.452.3.2/app.war /opt/cm/current.war
cd /opt/eight && python3 -c 'import zipfile; zipfile.ZipFile("{WAR}").extractall()'
systemctl daemon-reload
systemctl start --no-block ci-master two three five six seven eight supervisor runit failed looping
setsid nohup {JAVA} -jar /opt/t04/cm.war --httpPort=8120 >/dev/null 2>&1 &
"""
STARTED = 11  # JVMs, with the package's own


@pytest.fixture(scope="module", name="odd")
def _odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """The host with all of it, running."""
    for command in (("check",), ("up", "odd", "--fresh")):
        done = subprocess.run([str(CHECKOUT / "tests/fleet/fleet"), *command], capture_output=True, text=True,
                              timeout=900, check=False)
        assert done.returncode == 0, f"the embedded fleet is needed for these tests: {done.stderr}"
    fleet = Fleet(json.loads((CHECKOUT / ".fleet/odd/hosts.json").read_text()), tmp_path_factory.mktemp("odd"),
                  profile="odd")
    lay_out(fleet)
    yield fleet
    subprocess.run([str(CHECKOUT / "tests/fleet/fleet"), "down", "odd"], capture_output=True, timeout=300, check=False)


def lay_out(fleet: Fleet) -> None:
    """Put everything there and wait until it runs."""
    for path, text in FILES.items():
        mode = "755" if text.startswith("#!") else "644"
        fleet.shell(HOST, f"install -D -m {mode} /dev/stdin {path} <<'END_OF_FILE'\n{text}END_OF_FILE\n")
    fleet.shell(HOST, LAY)
    fleet.shell(HOST, f"for i in $(seq 300); do [ $(pgrep -xc java) -ge {STARTED} ] && systemctl is-failed -q failed "
                      "&& break; sleep 0.2; done; sleep 3")


@pytest.fixture(scope="module", name="state")
def _state(odd: Fleet) -> dict[str, Any]:
    """The state document of one audit."""
    done = odd.play("audit", inventory=odd.inventory({HOST: {}}))
    state: dict[str, Any] = next(item for item in done.report["hosts"] if item["host"] == HOST)["state"]
    validate(state)
    return state


def entry(state: dict[str, Any], name: str) -> dict[str, Any]:
    """The one installation of this name."""
    found = [item for item in state["installations"] if item["name"] == name]
    assert len(found) == 1, [item["name"] for item in state["installations"]]
    return found[0]


@pytest.mark.parametrize(("name", "on_disk", "running"), [
    ("jenkins", "enabled", "enabled"),
    ("ci-master", "enabled", "enabled"),
    ("two", "disabled", "disabled"),
    ("three", "disabled", "disabled"),
    ("stopped", "disabled", "not_running"),
    ("five", "unresolvable", "enabled"),
    ("six", "unresolvable", "enabled"),
    ("seven", "enabled", "enabled"),
    ("eight", "disabled", "disabled"),
    ("/etc/supervisor/conf.d/ci.conf", "enabled", "enabled"),
    ("/etc/sv/ten/run", "enabled", "enabled"),
    ("failed", "disabled", "not_running"),
    ("/srv/compose/docker-compose.yml", "unresolvable", "not_running"),
])
def test_it_is_one_installation_with_both_clocks(name: str, on_disk: str, running: str, state: dict[str, Any]) -> None:
    found = entry(state, name)
    assert (found["on_disk"], found["running"]) == (on_disk, running), found
    assert len(found["processes"]) == (running in ("enabled", "disabled"))


def test_nothing_else_is_one(state: dict[str, Any]) -> None:
    left = [item for item in state["installations"] if item["name"] not in (
        "jenkins", "ci-master", "two", "three", "stopped", "five", "six", "seven", "eight", "failed", "looping",
        "/etc/supervisor/conf.d/ci.conf", "/etc/sv/ten/run", "/srv/compose/docker-compose.yml")]
    assert [(item["service"], item["running"]) for item in left] == [(None, "unknown")]  # started by hand
    assert "and belongs to no installation" in left[0]["running_detail"]["reason"]


def test_who_starts_it_is_named(state: dict[str, Any]) -> None:
    supervised, runit = entry(state, "/etc/supervisor/conf.d/ci.conf"), entry(state, "/etc/sv/ten/run")
    assert supervised["started_by"] == "supervisord program nine in /etc/supervisor/conf.d/ci.conf"
    assert supervised["processes"][0]["started_by"] == "supervisord program nine"
    assert runit["started_by"] == "runit service ten in /etc/sv/ten/run"
    assert runit["processes"][0]["started_by"] == "runit service ten"


def test_the_default_home_and_a_home_without_plugins(state: dict[str, Any]) -> None:
    seven = entry(state, "seven")
    assert seven["home"] == "/var/lib/jenkins/.jenkins"
    assert seven["settings"]["details"]["analytics_plugin"]["state"] == "absent"
    assert entry(state, "ci-master")["settings"]["details"]["analytics_plugin"]["state"] == "enabled"


def test_what_is_down_is_said_and_may_fail_a_run(odd: Fleet, state: dict[str, Any]) -> None:
    assert entry(state, "failed")["unit_state"]["active"] == "failed"
    looping = entry(state, "looping")
    assert looping["unit_state"]["restarting"] is True and looping["running"] in ("not_running", "unknown")
    assert entry(state, "stopped")["unit_state"]["active"] == "inactive"
    waived = {HOST: {"telemetry_waiver": {"until": "2027-01-31", "reason": "old", "approved_by": "jo"}}}
    done = odd.play("audit", inventory=odd.inventory(waived))
    assert done.code == 0 and "failed: it is down: its unit has failed" in done.output
    assert "failed: note: it is down" in done.reasons(HOST) and "looping: note: it is down" in done.reasons(HOST)
    done = odd.play("audit", "-e", '{"telemetry_fail_on": ["down"]}', inventory=odd.inventory(waived))
    assert done.code == 2

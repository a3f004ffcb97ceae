"""Several services on a host, of systemd and of other supervisors: each with its own URL and command, one by one."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fleethand import CHECKOUT, FLAG, FLEET, Done, Fleet

HOST = "odd"
TOKENS = {"a": "11a-fleet-Token-4711", "b": "11b-fleet-Token-4712"}
PORTS = {"a": 8101, "b": 8102, "nine": 8109, "ten": 8110, "hand": 8120}
JAVA = "java -Xmx48m -XX:TieredStopAtLevel=1 -Xshare:auto"

#: Where things lie: file -> text. A text that begins with "#!" is a program.
FILES = {
    "/etc/systemd/system/cm-a.service":
        "[Service]\nUser=jenkins\nEnvironment=JENKINS_HOME=/srv/a\n"
        f"ExecStart=/usr/bin/{JAVA} -jar /opt/a/app.war --httpPort=8101\n",
    "/etc/systemd/system/cm-b.service":
        "[Service]\nUser=jenkins\nEnvironment=JENKINS_HOME=/srv/b\n"
        f"ExecStart=/usr/bin/{JAVA} {FLAG} -jar /opt/b/app.war --httpPort=8102\n",
    # Stand-ins that say what supervisord's and runit's own programs say.
    "/etc/supervisor/conf.d/ci.conf":
        f"[program:nine]\ncommand=/usr/bin/{JAVA} -jar /opt/nine/app.war --httpPort=8109\n",
    "/etc/systemd/system/supervisor.service": "[Service]\nRuntimeDirectory=sup\nExecStart=/usr/local/bin/supervisord\n",
    "/usr/local/bin/supervisord": """#!/usr/bin/python3
import os, pathlib, shlex, subprocess, time
run = pathlib.Path("/run/sup")
def settings():
    return open("/etc/supervisor/conf.d/ci.conf").read().partition("command=")[2].strip()
def start():
    child = subprocess.Popen(shlex.split(loaded), env=dict(os.environ, SUPERVISOR_PROCESS_NAME="nine"))
    (run / "child").write_text(str(child.pid))
    (run / "loaded").write_text(loaded)
    return child
loaded = settings()
child = start()
while True:
    time.sleep(0.1)
    for word in ("update", "restart"):
        if (run / word).exists():
            child.terminate()
            child.wait()
            loaded = settings() if word == "update" else loaded
            child = start()
            (run / word).unlink()
""",
    "/usr/local/bin/supervisorctl": """#!/usr/bin/python3
import pathlib, sys, time
run = pathlib.Path("/run/sup")
with open("/run/sup/asked", "a") as log:
    print(*sys.argv[1:], file=log)
word = sys.argv[1]
if word == "reread":
    same = (run / "loaded").read_text() in open("/etc/supervisor/conf.d/ci.conf").read()
    print("No config updates to processes" if same else "nine: changed")
elif word == "status":
    print("nine                             RUNNING   pid %s, uptime 0:00:05" % (run / "child").read_text())
elif word in ("update", "restart"):
    (run / word).touch()
    while (run / word).exists():
        time.sleep(0.1)
    print("nine: started")
elif word == "start":
    sys.exit("nine: ERROR (already started)")
""",
    "/etc/sv/ten/run": f"#!/bin/sh\nexec {JAVA} -jar /opt/ten/app.war --httpPort=8110\n",
    "/etc/systemd/system/runit.service": "[Service]\nExecStart=/usr/local/bin/runsv ten\n",
    "/usr/local/bin/runsv": '#!/bin/sh\ncd "/etc/sv/$1" && while :; do ./run; sleep 0.2; done\n',
    "/usr/local/bin/sv": """#!/bin/sh
echo "$*" >>/run/sv-asked
ten() { pgrep -f '^java.*httpPort=8110$'; }
case "$*" in
"-w "*" restart /etc/sv/ten") old=$(ten); kill "$old"
    while [ "$(ten)" = "$old" ] || [ -z "$(ten)" ]; do sleep 0.1; done
    echo "ok: run: /etc/sv/ten: (pid $(ten)) 1s";;
"status /etc/sv/ten") echo "run: /etc/sv/ten: (pid $(ten)) 5s";;
*) echo "fail: $*"; exit 1;;
esac
""",
    # nobody starts it but a person
    "/srv/hand/start.sh": f"#!/bin/sh\nexec {JAVA} -jar /opt/hand/app.war --httpPort=8120\n",
}
LAY = """
systemctl disable --now jenkins
for name in a b nine ten hand; do
    mkdir -p /opt/$name /srv/$name
    cp /usr/share/java/jenkins.war /opt/$name/app.war
done
chown jenkins: /srv/a /srv/b
systemctl daemon-reload
systemctl start --no-block cm-a cm-b supervisor runit
setsid nohup /srv/hand/start.sh >/dev/null 2>&1 &
for i in $(seq 300); do [ "$(pgrep -xc java)" -ge 5 ] && break; sleep 0.2; done
for port in 8101 8102 8109 8110 8120; do
    for i in $(seq 100); do curl -sf -o /dev/null http://127.0.0.1:$port/whoAmI/api/json && break; sleep 0.2; done
done
"""


@pytest.fixture(scope="module", name="odd")
def _odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """The host with all of it, running."""
    for command in (("check",), ("up", "odd", "--fresh")):
        done = subprocess.run([str(CHECKOUT / "tests/fleet/fleet"), *command], capture_output=True, text=True,
                              timeout=900, check=False)
        assert done.returncode == 0, f"the embedded fleet is needed for these tests: {done.stderr}"
    fleet = Fleet(json.loads((CHECKOUT / ".fleet/odd/hosts.json").read_text()), tmp_path_factory.mktemp("odd"),
                  profile="odd")
    for path, text in FILES.items():
        mode = "755" if text.startswith("#!") else "644"
        fleet.shell(HOST, f"install -D -m {mode} /dev/stdin {path} <<'END_OF_FILE'\n{text}END_OF_FILE\n")
    fleet.shell(HOST, LAY)
    for name, token in TOKENS.items():
        fleet.shell(HOST, f"printf 'jo:{token}' >/srv/{name}/standin-token")
    yield fleet
    subprocess.run([str(CHECKOUT / "tests/fleet/fleet"), "down", "odd"], capture_output=True, timeout=300, check=False)


def pids(fleet: Fleet) -> dict[str, str]:
    """The JVM of each."""
    return {name: fleet.shell(HOST, f"pgrep -f '^[^ ]*java .*httpPort={port}$'", check=False).strip()
            for name, port in PORTS.items()}


def url(fleet: Fleet, name: str) -> str:
    """Where one listens."""
    return f"http://{fleet.facts[HOST]['address']}:{PORTS[name]}/"


def enforce(fleet: Fleet, *arguments: str, **variables: Any) -> Done:
    """An enforce of the host, at the verbosity that shows most."""
    done = fleet.play("enforce", "-vvv", *arguments, inventory=fleet.inventory({HOST: {
        "telemetry_launch_scripts": ["/srv/hand/start.sh"], **variables}}))
    files = [path.read_text(errors="replace") for path in Path(fleet.folder).glob("reports-*/**/*") if path.is_file()]
    for token in TOKENS.values():
        assert token not in done.output and not any(token in text for text in files)
    return done


def test_one_url_is_none_of_several_services(odd: Fleet) -> None:
    before = pids(odd)
    assert all(before.values()), before
    done = enforce(odd, telemetry_restart="when_idle", telemetry_url=url(odd, "a"), telemetry_user="jo",
                   telemetry_token=TOKENS["a"])
    assert done.code == 0, done.output
    assert pids(odd) == before, "nothing was restarted"
    assert done.verdicts() == {HOST: "restart_pending"}
    reasons = done.reasons(HOST)
    assert "cm-a.service is not restarted: its URL is not known: telemetry_url is for a host with one" in reasons
    assert "cm-b.service is not restarted" not in reasons
    assert "no service manager is known to start /srv/hand/start.sh; restart it yourself" in reasons


def test_only_what_owes_a_restart_is_quieted_down(odd: Fleet) -> None:
    before = pids(odd)
    watched = ";".join(f"curl -s -u jo:{token} {url(odd, name)}api/json | sed 's/^/{name} /'; echo"
                       for name, token in TOKENS.items())
    controllers = {f"cm-{name}.service": {"url": url(odd, name), "user": "jo", "token": token}
                   for name, token in TOKENS.items()}
    odd.shell(HOST, "echo 'freestyle docs#3 8' >/srv/a/standin-builds")
    with subprocess.Popen([FLEET, "exec", "odd", "--", "sh", "-c", f"while sleep 0.2; do {watched}; done"],
                          stdout=subprocess.PIPE, text=True) as watch:
        done = enforce(odd, telemetry_restart="when_idle", telemetry_controllers=controllers)
        watch.terminate()
        seen = watch.communicate()[0].splitlines()
    assert done.code == 0, done.output
    quieted = {line[0] for line in seen if '"quietingDown":true' in line}
    assert quieted == {"a"} and {line[0] for line in seen if line} >= {"a", "b"}
    after = pids(odd)
    assert {name for name in after if after[name] != before[name]} == {"a"}, done.output
    reasons = done.reasons(HOST)
    assert "supervisord program nine is not restarted: its URL is not known" in reasons
    assert "runit service ten is not restarted: its URL is not known" in reasons


def test_other_supervisors_restart_by_their_own_command(odd: Fleet) -> None:
    before = pids(odd)
    done = enforce(odd, telemetry_restart="now")
    assert done.code == 0, done.output
    after = pids(odd)
    assert {name for name in after if after[name] != before[name]} == {"nine", "ten"}, done.output
    assert done.verdicts() == {HOST: "restart_pending"}
    reasons = done.reasons(HOST)
    assert "no service manager is known to start /srv/hand/start.sh; restart it yourself" in reasons
    assert "program nine" not in reasons and "service ten" not in reasons, reasons
    asked = odd.shell(HOST, "cat /run/sup/asked").splitlines()
    assert [line for line in asked if "status" not in line] == ["reread", "update nine", "start nine"]
    assert "-w 300 restart /etc/sv/ten" in odd.shell(HOST, "cat /run/sv-asked").splitlines()
    changes = [json.loads(line) for path in Path(odd.folder).glob("reports-*/changes/*") for line
               in path.read_text().splitlines()]
    assert sorted(line["service"] for line in changes if line["kind"] == "restart") == [
        "cm-a.service", "runit service ten", "supervisord program nine"]

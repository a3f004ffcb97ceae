"""Several services on a host, of systemd and of other supervisors: each with its own URL and command, one by one."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fleethand import FLAG, FLEET, Done, Fleet, new_fleet

HOST = "odd"
TOKENS = {"a": "11a-fleet-Token-4711", "b": "11b-fleet-Token-4712"}
PORTS = {"a": 8101, "b": 8102, "nine": 8109, "ten": 8110, "thirteen": 8113, "hand": 8120}
JAVA = "java -Xmx48m -XX:TieredStopAtLevel=1 -Xshare:auto"

#: Where things lie: file -> text. A text that begins with "#!" is a program.
FILES = {
    "/etc/systemd/system/cm-a.service": "[Service]\nUser=jenkins\nEnvironment=JENKINS_HOME=/srv/a\n"
    f"ExecStart=/usr/bin/{JAVA} -jar /opt/a/app.war --httpPort=8101\n",
    "/etc/systemd/system/cm-b.service": "[Service]\nUser=jenkins\nEnvironment=JENKINS_HOME=/srv/b\n"
    f"ExecStart=/usr/bin/{JAVA} {FLAG} -jar /opt/b/app.war --httpPort=8102\n",
    # Debian's supervisord, runit and OpenRC (whose own programs run its scripts on any host)
    "/etc/supervisor/conf.d/ci.conf": f"[program:nine]\ncommand=/usr/bin/{JAVA} -jar /opt/nine/app.war --httpPort=8109\n",
    "/etc/sv/ten/run": f"#!/bin/sh\nexec {JAVA} -jar /opt/ten/app.war --httpPort=8110\n",
    "/etc/init.d/thirteen": "#!/sbin/openrc-run\ncommand=/usr/bin/java\ncommand_background=true\npidfile=/run/thirteen.pid\n"
    'command_args="$CI_OPTS -jar /opt/thirteen/app.war --httpPort=8113"\n',
    "/etc/conf.d/thirteen": 'CI_OPTS="-Xmx48m -XX:TieredStopAtLevel=1"\n',
    # nobody starts it but a person
    "/srv/hand/start.sh": f"#!/bin/sh\nexec {JAVA} -jar /opt/hand/app.war --httpPort=8120\n",
}
LAY = """
systemctl disable --now jenkins
for name in a b nine ten thirteen hand; do
    mkdir -p /opt/$name /srv/$name
    cp /usr/share/java/jenkins.war /opt/$name/app.war
done
chown jenkins: /srv/a /srv/b
ln -sfn /etc/sv/ten /etc/runit/runsvdir/svmanaged/ten
systemctl daemon-reload
systemctl start --no-block cm-a cm-b supervisor runit
mkdir /run/openrc && cd /run/openrc && touch softlevel
mkdir starting started stopping inactive wasinactive failed hotplugged scheduled daemons exclusive options tmp
rc-service thirteen start
setsid nohup /srv/hand/start.sh >/dev/null 2>&1 &
for i in $(seq 300); do [ "$(pgrep -xc java)" -ge 6 ] && break; sleep 0.2; done
"""


@pytest.fixture(scope="module", name="odd")
def _odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """The host with all of it, running."""
    with new_fleet("odd", tmp_path_factory.mktemp("odd"), HOST, FILES, LAY) as fleet:
        for name, token in TOKENS.items():
            fleet.shell(HOST, f"printf 'jo:{token}' >/srv/{name}/standin-token")
        for name in PORTS:
            fleet.inside(
                "curl",
                "-sf",
                "--retry",
                "60",
                "--retry-delay",
                "1",
                "--retry-all-errors",
                f"{url(fleet, name)}whoAmI/api/json",
            )
        yield fleet


def pids(fleet: Fleet) -> dict[str, str]:
    """The JVM of each."""
    return {
        name: fleet.shell(HOST, f"pgrep -f '^[^ ]*java .*httpPort={port}$'", check=False).strip()
        for name, port in PORTS.items()
    }


def url(fleet: Fleet, name: str) -> str:
    """Where one listens."""
    return f"http://{fleet.facts[HOST]['address']}:{PORTS[name]}/"


def enforce(fleet: Fleet, *arguments: str, **variables: Any) -> Done:
    """An enforce of the host, at the verbosity that shows most."""
    done = fleet.play(
        "enforce",
        "-vvv",
        *arguments,
        inventory=fleet.inventory({HOST: {"telemetry_launch_scripts": ["/srv/hand/start.sh"], **variables}}),
    )
    files = [path.read_text(errors="replace") for path in Path(fleet.folder).glob("reports-*/**/*") if path.is_file()]
    for token in TOKENS.values():
        assert token not in done.output and not any(token in text for text in files)
    return done


def test_one_url_is_none_of_several_services(odd: Fleet) -> None:
    before = pids(odd)
    assert all(before.values()), before
    done = enforce(
        odd,
        telemetry_restart="when_idle",
        telemetry_url=url(odd, "a"),
        telemetry_user="jo",
        telemetry_token=TOKENS["a"],
        telemetry_allow_http=True,
    )
    assert done.code == 0, done.output
    assert pids(odd) == before, "nothing was restarted"
    assert done.verdicts() == {HOST: "restart_pending"}
    reasons = done.reasons(HOST)
    assert "cm-a.service is not restarted: its URL is not known: telemetry_url is for a host with one" in reasons
    assert "cm-b.service is not restarted" not in reasons
    assert "no service manager is known to start /srv/hand/start.sh; restart it yourself" in reasons


def test_only_what_owes_a_restart_is_quieted_down(odd: Fleet) -> None:
    before = pids(odd)
    watched = ";".join(
        f"curl -s -u jo:{token} {url(odd, name)}api/json | sed 's/^/{name} /'; echo" for name, token in TOKENS.items()
    )
    controllers = {
        f"cm-{name}.service": {"url": url(odd, name), "user": "jo", "token": token, "allow_http": True}
        for name, token in TOKENS.items()
    }
    odd.shell(HOST, "echo 'freestyle docs#3 8' >/srv/a/standin-builds")
    with subprocess.Popen(
        [FLEET, "exec", "odd", "--", "sh", "-c", f"while sleep 0.2; do {watched}; done"],
        stdout=subprocess.PIPE,
        text=True,
    ) as watch:
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
    assert "OpenRC service thirteen is not restarted: its URL is not known" in reasons


def test_other_supervisors_restart_by_their_own_command(odd: Fleet) -> None:
    before = pids(odd)
    done = enforce(odd, telemetry_restart="now")
    assert done.code == 0, done.output
    after = pids(odd)
    assert {name for name in after if after[name] != before[name]} == {"nine", "ten", "thirteen"}, done.output
    assert done.verdicts() == {HOST: "restart_pending"}
    reasons = done.reasons(HOST)
    assert "no service manager is known to start /srv/hand/start.sh; restart it yourself" in reasons
    for name in ("program nine", "service ten", "service thirteen"):
        assert name not in reasons, reasons
    assert "RUNNING" in odd.shell(HOST, "supervisorctl status nine")
    assert FLAG in odd.shell(HOST, f"tr '\\0' ' ' </proc/{after['nine']}/cmdline"), "its file was read anew"
    assert odd.shell(HOST, "sv status /etc/sv/ten").startswith(f"run: /etc/sv/ten: (pid {after['ten']})")
    assert "started" in odd.shell(HOST, "rc-service thirteen status")
    changes = [
        json.loads(line)
        for path in Path(odd.folder).glob("reports-*/changes/*")
        for line in path.read_text().splitlines()
    ]
    assert sorted(line["service"] for line in changes if line["kind"] == "restart") == [
        "OpenRC service thirteen",
        "cm-a.service",
        "runit service ten",
        "supervisord program nine",
    ]

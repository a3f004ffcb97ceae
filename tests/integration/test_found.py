"""What people have built, on a real systemd with real JVMs: one host with many controllers, and one audit of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fleethand import BIN, FLAG, Fleet, new_fleet
from schemas import validate

HOST = "odd"
WAR = "/usr/share/java/jenkins.war"
JAVA = "java -Xmx48m -XX:TieredStopAtLevel=1 -Xshare:auto"

#: Where things lie: file -> text. A text that begins with "#!" is a program.
FILES = {
    # a war of any name, behind a link
    "/etc/systemd/system/ci-master.service": "[Service]\nUser=jenkins\nEnvironment=JENKINS_HOME=/srv/a\n"
    f"ExecStart=/usr/bin/{JAVA} -jar /opt/cm/current.war --httpPort=8101\n",
    # a war that a variable of an EnvironmentFile names
    "/etc/systemd/system/two.service": f"[Service]\nEnvironmentFile=/etc/ci/two\nExecStart=/usr/bin/{JAVA} $CI_OPTS -jar $CI_APP --httpPort=8102\n",
    "/etc/ci/two": f"CI_OPTS={FLAG}\nCI_APP=/opt/t04/cm.war\n",
    # scripts that source scripts, functions, "$@"
    "/etc/systemd/system/three.service": "[Service]\nExecStart=/srv/ci/bin/start.sh --httpPort=8103\n",
    "/srv/ci/bin/start.sh": '#!/bin/sh\n. /srv/ci/lib/common.sh; run_controller "$@"\n',
    "/srv/ci/lib/common.sh": 'run_controller() { exec /srv/ci/bin/launch.sh "$@"; }\n',
    "/srv/ci/bin/launch.sh": f'#!/bin/sh\nexec {JAVA} {FLAG} -jar "$(dirname "$0")/../app.war" "$@"\n',
    # the same, and nobody has started it
    "/etc/systemd/system/stopped.service": "[Service]\nExecStart=/bin/bash -lc 'exec /srv/ci/bin/start.sh --httpPort=8104'\n",
    # a program that is no shell script
    "/etc/systemd/system/five.service": "[Service]\nExecStart=/opt/five/run\n",
    "/opt/five/run": "#!/usr/bin/python3\nimport os, sys\nos.execvp('java', ['java', '-Xmx48m', '-jar', "
    "'/opt/' + 't04/cm' + '.war', '--httpPort=8105'])\n",
    # an EnvironmentFile that is made anew
    "/etc/systemd/system/six.service": "[Service]\nRuntimeDirectory=six\nExecStartPre=/bin/sh -c 'echo CI_APP=/opt/t04/cm.war >/run/six/env'\n"
    f"EnvironmentFile=-/run/six/env\nExecStart=/bin/sh -c 'exec {JAVA} -jar $CI_APP --httpPort=8106'\n",
    # a relative war, and Jenkins' own default home
    "/etc/systemd/system/seven.service": "[Service]\nUser=jenkins\nWorkingDirectory=/opt/seven\n"
    f"ExecStart=/usr/bin/{JAVA} -jar app.war --httpPort=8107\n",
    # what it was unpacked to
    "/etc/systemd/system/eight.service": f"[Service]\nExecStart=/usr/bin/{JAVA} {FLAG} -cp /opt/eight executable.Main --httpPort=8108\n",
    # Debian's supervisord, runit, monit and cron
    "/etc/supervisor/conf.d/ci.conf": f"[program:nine]\ncommand=/usr/bin/{JAVA} -jar /opt/nine/app.war --httpPort=8109 ; the old one\n",
    "/etc/sv/ten/run": f"#!/bin/sh\nexec {JAVA} -jar /opt/ten/app.war --httpPort=8110\n",
    "/etc/monit/conf.d/ci": "set daemon 1\ncheck process eleven with pidfile /run/eleven.pid\n"
    '  start program = "/opt/eleven/start.sh" with timeout 60 seconds\n',
    "/opt/eleven/start.sh": f"#!/bin/sh\n{JAVA} {FLAG} -jar /opt/eleven/app.war --httpPort=8111 >/dev/null 2>&1 &\n"
    "echo $! >/run/eleven.pid\n",
    "/etc/cron.d/ci": f"@reboot jenkins exec {JAVA} {FLAG} -jar /opt/twelve/app.war --httpPort=8112\n",
    # OpenRC's own programs run its scripts on any host
    "/etc/init.d/thirteen": "#!/sbin/openrc-run\ncommand=/usr/bin/java\ncommand_background=true\npidfile=/run/thirteen.pid\n"
    'command_args="$CI_OPTS -jar /opt/thirteen/app.war --httpPort=8113"\n',
    "/etc/conf.d/thirteen": f'CI_OPTS="-Xmx48m -XX:TieredStopAtLevel=1 {FLAG}"\n',
    # a unit of the service manager of a user who is a service's
    "/var/lib/systemd/linger/jenkins": "",
    "/var/lib/jenkins/.config/systemd/user/fourteen.service": f"[Service]\nExecStart=/usr/bin/{JAVA} -jar /opt/fourteen/app.war --httpPort=8114\n",
    "/etc/systemd/system/user@.service.d/runtime.conf": "[Service]\nEnvironment=XDG_RUNTIME_DIR=/run/user/%i\n",
    # an EnvironmentFile that is no file: what runs is joined to its unit by the kernel's word
    "/etc/systemd/system/fifteen.service": f"[Service]\nEnvironmentFile=/etc/ci/fifo\nExecStart=/bin/sh -c 'exec {JAVA} -jar $CI_APP --httpPort=8115'\n",
    # what it starts is not known before, and it is stopped
    "/etc/systemd/system/sixteen.service": "[Service]\nEnvironment=JENKINS_HOME=/srv/b\nExecStart=/opt/sixteen/run.sh\n",
    "/opt/sixteen/run.sh": f'#!/bin/sh\nexec {JAVA} -jar "$(wget -q -O - http://127.0.0.1:9/war)"\n',
    # one that fails until systemd gives it up, one that is started again and again
    "/etc/systemd/system/failed.service": "[Unit]\nStartLimitIntervalSec=60\nStartLimitBurst=2\n[Service]\nRestart=always\nRestartSec=100ms\n"
    f"ExecStart=/usr/bin/java {FLAG} -Xmx1k -jar /opt/t04/cm.war\n",
    "/etc/systemd/system/looping.service": "[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestart=always\nRestartSec=300ms\n"
    f"ExecStart=/usr/bin/java {FLAG} -Xmx1k -jar /opt/t04/cm.war\n",
    # what has the name and is none
    "/etc/systemd/system/jenkins-backup.service": "[Service]\nType=oneshot\nUser=jenkins\nExecStart=/opt/backup.sh\n",
    "/opt/backup.sh": "#!/bin/sh\ncp -a /usr/share/java/jenkins.war /tmp/\n",
    # at the machine's start
    "/etc/rc.local": f"#!/bin/sh\n{JAVA} -jar /opt/seventeen/app.war --httpPort=8117 >/dev/null 2>&1 &\n",
    # only recognised
    "/srv/compose/docker-compose.yml": "services:\n  ci:\n    image: cloudbees/cloudbees-core-mm:2.452\n",
}
LAY = f"""
mkdir -p /opt/cm/2.452.3.2 /opt/t04 /srv/ci /opt/eight /srv/a /var/lib/jenkins/.jenkins /opt/apart
echo '<hudson/>' >/var/lib/jenkins/.jenkins/config.xml
chown -R jenkins: /srv/a /var/lib/jenkins/.jenkins
for place in seven nine ten eleven twelve thirteen fourteen seventeen apart cm/2.452.3.2; do
    mkdir -p /opt/$place && cp {WAR} /opt/$place/app.war
done
cp {WAR} /opt/t04/cm.war
cp {WAR} /srv/ci/app.war
ln -sfn 2.452.3.2/app.war /opt/cm/current.war
cd /opt/eight && python3 -c 'import zipfile; zipfile.ZipFile("{WAR}").extractall()'
# what runit's unit makes of /etc/service beside systemd
ln -sfn /etc/sv/ten /etc/runit/runsvdir/svmanaged/ten
chown -R jenkins: /var/lib/jenkins/.config
mkfifo /etc/ci/fifo
# The service manager itself waits for what is written: somebody does, whenever it reads.
setsid sh -c 'for n in 1 2 3 4; do echo CI_APP=/opt/t04/cm.war >/etc/ci/fifo; done' >/dev/null 2>&1 &
systemctl daemon-reload
systemctl start --no-block ci-master two three five six seven eight fifteen supervisor runit monit cron rc-local \
    failed looping user@$(id -u jenkins)
mkdir /run/openrc && cd /run/openrc && touch softlevel
mkdir starting started stopping inactive wasinactive failed hotplugged scheduled daemons exclusive options tmp
rc-service thirteen start
setsid nohup {JAVA} -jar /opt/t04/cm.war --httpPort=8120 >/dev/null 2>&1 &
setsid unshare --fork --pid --mount-proc --net {JAVA} -jar /opt/apart/app.war --httpPort=8121 >/dev/null 2>&1 &
n=0
until su jenkins -s /bin/sh -c 'XDG_RUNTIME_DIR=/run/user/$(id -u) systemctl --user start fourteen'; do
    n=$((n + 1)) && [ $n -lt 30 ] || break
    sleep 1
done
"""
STARTED = 18  # JVMs, with the package's own


@pytest.fixture(scope="module", name="odd")
def _odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """The host with all of it, running."""
    with new_fleet("odd", tmp_path_factory.mktemp("odd"), HOST, FILES, LAY) as fleet:
        fleet.shell(
            HOST,
            f"for i in $(seq 300); do [ $(pgrep -xc java) -ge {STARTED} ] && "
            "systemctl is-failed -q failed && break; sleep 0.2; done; sleep 3",
        )
        # written after supervisord began, and not told to it
        fleet.shell(
            HOST,
            "install -m 644 /dev/stdin /etc/supervisor/conf.d/late.conf <<'END_OF_FILE'\n[program:late]\n"
            f"autostart=false\ncommand=/usr/bin/{JAVA} {FLAG} -jar /opt/nine/app.war\nEND_OF_FILE\n",
        )
        yield fleet


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


#: Name, what its files say, what its JVM runs with.
KNOWN = [
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
    ("/etc/supervisor/conf.d/late.conf", "disabled", "not_running"),
    ("/etc/service/ten/run", "enabled", "enabled"),
    ("/etc/monit/conf.d/ci", "disabled", "disabled"),
    ("/etc/cron.d/ci", "disabled", "disabled"),
    ("/etc/init.d/thirteen", "disabled", "disabled"),
    ("/var/lib/jenkins/.config/systemd/user/fourteen.service", "enabled", "enabled"),
    ("fifteen", "unresolvable", "enabled"),
    ("sixteen", "unresolvable", "not_running"),
    ("rc-local", "enabled", "enabled"),
    ("failed", "disabled", "not_running"),
    ("/srv/compose/docker-compose.yml", "unresolvable", "not_running"),
]


@pytest.mark.parametrize(("name", "on_disk", "running"), KNOWN)
def test_it_is_one_installation_with_both_clocks(name: str, on_disk: str, running: str, state: dict[str, Any]) -> None:
    found = entry(state, name)
    assert (found["on_disk"], found["running"]) == (on_disk, running), found
    assert len(found["processes"]) == (running in ("enabled", "disabled"))


def test_nothing_else_is_one(state: dict[str, Any]) -> None:
    known = {name for name, _on_disk, _running in KNOWN} | {"looping"}
    left = {item["name"]: item for item in state["installations"] if item["name"] not in known}
    # started by hand, and in namespaces of its own, which only root can have made
    assert {war: (item["service"], item["running"]) for war, item in left.items()} == {
        "/opt/t04/cm.war": (None, "unknown"),
        "/opt/apart/app.war": (None, "enabled"),
    }
    assert "and belongs to no installation" in left["/opt/t04/cm.war"]["running_detail"]["reason"]
    assert left["/opt/apart/app.war"]["packaging"] == "container"


def test_who_starts_it_is_named(state: dict[str, Any]) -> None:
    supervised, runit = entry(state, "/etc/supervisor/conf.d/ci.conf"), entry(state, "/etc/service/ten/run")
    assert supervised["started_by"] == "supervisord program nine in /etc/supervisor/conf.d/ci.conf"
    assert supervised["processes"][0]["started_by"] == "supervisord program nine"
    assert runit["started_by"] == "runit service ten in /etc/service/ten/run"
    assert runit["processes"][0]["started_by"] == "runit service ten"


@pytest.mark.parametrize(
    ("name", "starts", "started"),
    [
        ("/etc/monit/conf.d/ci", "monit service eleven in /etc/monit/conf.d/ci", "monit service eleven"),
        ("/etc/cron.d/ci", "cron @reboot in /etc/cron.d/ci", "cron"),
        (
            "/var/lib/jenkins/.config/systemd/user/fourteen.service",
            "user unit fourteen.service of jenkins in /var/lib/jenkins/.config/systemd/user/fourteen.service",
            "user unit fourteen.service of jenkins",
        ),
        ("rc-local", None, "rc-local"),
    ],
)
def test_who_else_starts_it_is_named(name: str, starts: str | None, started: str, state: dict[str, Any]) -> None:
    found = entry(state, name)
    assert (found["started_by"], found["processes"][0]["started_by"]) == (starts, started)


def test_a_program_that_supervisord_was_not_told_of_is_not_known(state: dict[str, Any]) -> None:
    late = entry(state, "/etc/supervisor/conf.d/late.conf")
    assert late["next_start"] == "unresolvable" and "supervisorctl update" in late["next_start_detail"]["reason"]
    assert entry(state, "/etc/supervisor/conf.d/ci.conf")["next_start"] == "enabled"


#: Prints what the second opinion sees: of each installation name and flag, of each JVM its unit and namespaces.
SECOND = """
import json, sys
sys.path.insert(0, "tests/testinfra")
from secondopinion import inventory, policy
from secondopinion.node import Node
[target] = inventory.targets([sys.argv[1]], "", [])
facts = Node(target, policy.read(target.variables), "ssh").look()
print(json.dumps([[[one.name, one.flag, one.why] for one in facts.installations],
                  [[one.service, one.flag, one.apart, one.homeless] for one in facts.processes]]))
"""


def test_the_second_opinion_finds_the_same_by_its_own_code(odd: Fleet, state: dict[str, Any]) -> None:
    inventory = odd.inventory({HOST: {}, "elsewhere": {"ansible_host": "192.0.2.1"}}, telemetry_hosts=HOST)
    done = odd.inside(str(BIN / "python"), "-c", SECOND, str(inventory))
    assert done.returncode == 0, done.stderr
    installations, jvms = json.loads(done.stdout)
    told = {"true": "disabled", "absent": "enabled", "unknown": "unresolvable"}
    theirs = {
        (
            name.partition(" (")[0].replace("/etc/sv/", "/etc/service/")
            if name.startswith("/")
            else name.removesuffix(".service")
        ): told[flag]
        for name, flag, _why in installations
    }
    ours = {
        item["name"]: item["on_disk"]
        for item in state["installations"]
        if item["service"] or item["packaging"] != "container" and item["running"] != "unknown"
    }
    # It takes a file as it is, also one that is made anew before the start.
    assert theirs == {**ours, "six": "enabled"}, installations
    # One was started by hand, and one has namespaces of its own: nobody knows what starts them.
    alone = [(flag, apart) for _service, flag, apart, homeless in jvms if homeless]
    assert sorted(alone) == [("absent", []), ("absent", ["pid", "mnt", "net"])], jvms
    assert len(jvms) == STARTED
    done = odd.inside(
        str(BIN / "python"),
        "-m",
        "pytest",
        "tests/testinfra",
        "-q",
        "-p",
        "no:cacheprovider",
        f"--ansible-inventory={inventory}",
        "-k",
        "every_running_jvm",
    )
    assert "in a namespace of its own (pid, mnt, net) sends telemetry" in done.stdout and "elsewhere" not in done.stdout


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

"""Finding installations: by what a war is, by what a start leads to, and by whoever else starts programs."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostroot import FLAG, Host

from ansible_collections.cbops.telemetry.plugins.module_utils.edit._declare import declare
from ansible_collections.cbops.telemetry.plugins.module_utils.host._files import HostFiles
from ansible_collections.cbops.telemetry.plugins.module_utils.java._jenkins_home import plugin
from ansible_collections.cbops.telemetry.plugins.module_utils.launch import _definition as of_definition
from ansible_collections.cbops.telemetry.plugins.module_utils.launch import _discovery
from ansible_collections.cbops.telemetry.plugins.module_utils.launch._starters import LIMIT_STARTS, Start, starter_of
from ansible_collections.cbops.telemetry.plugins.module_utils.running import _proc
from ansible_collections.cbops.telemetry.plugins.module_utils.survey import _survey

MANIFEST = "Manifest-Version: 1.0\nJenkins-Version: 2.452.3.2\nMain-Class: executable.Main\n"


def archive(manifest: str = MANIFEST) -> str:
    """A war with this manifest, one character a byte."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as war:
        war.writestr("META-INF/MANIFEST.MF", manifest)
        war.writestr("executable/Main.class", "x" * 100)
    return stream.getvalue().decode("latin-1")


@pytest.fixture(name="host")
def _host(tmp_path: Path) -> Host:
    host = Host(tmp_path / "host")
    host.write("/etc/passwd", "root:x:0:0::/root:/bin/sh\nci:x:900:900::/srv/ci:/bin/sh\nann:x:1001:1001::/home/ann:\n")
    return host


def unit(host: Host, text: str, name: str = "ci-master") -> None:
    """A unit of the administrator's."""
    host.write(f"/etc/systemd/system/{name}.service", f"[Service]\n{text}\n")


def found(host: Host) -> list[tuple[str, str]]:
    """Name and verdict of each installation."""
    return [(definition.name, outcome.verdict) for definition, outcome in _discovery.discover(host.files)[0]]


# -- by what it is ----------------------------------------------------------------------------------


def test_a_link_of_any_name_to_a_war_of_any_name(host: Host) -> None:
    host.write("/opt/cb/cm/2.452.3.2/app.war", archive())
    (host.root / "opt/cb/cm/current").symlink_to("2.452.3.2/app.war")
    unit(host, f"ExecStart=/usr/bin/java {FLAG} -jar /opt/cb/cm/current")
    assert found(host) == [("ci-master", "disabled")]


@pytest.mark.parametrize(
    ("name", "manifest", "is_one"),
    [
        ("/opt/t04/cm.war", MANIFEST, True),
        ("/opt/t04/cm.war", "Manifest-Version: 1.0\nMain-Class: org.example.Main\n", False),
        (
            "/opt/t04/git.jar",
            "Manifest-Version: 1.0\nShort-Name: git\nPlugin-Version: 1\nJenkins-Version: 2.4\n",
            False,
        ),
        ("/opt/t04/jenkins.war", "Manifest-Version: 1.0\n", True),  # names count where nothing else tells
    ],
)
def test_the_manifest_tells(name: str, manifest: str, is_one: bool, host: Host) -> None:
    host.write(name, archive(manifest))
    unit(host, f"ExecStart=/usr/bin/java -jar {name}")
    assert found(host) == ([("ci-master", "enabled")] if is_one else [])


def test_a_war_that_is_not_there_is_told_by_the_home(host: Host) -> None:
    unit(host, "Environment=JENKINS_HOME=/srv/ci\nExecStart=/usr/bin/java -jar /opt/gone.war")
    unit(host, "ExecStart=/usr/bin/java -jar /opt/gone.war", "other")
    assert found(host) == [("ci-master", "enabled")]


def test_a_war_in_a_variable_of_an_environment_file(host: Host) -> None:
    host.write("/opt/ci/app.war", archive())
    host.write("/etc/ci.env", "CI_APP=/opt/ci/app.war\n")
    unit(host, "EnvironmentFile=/etc/ci.env\nExecStart=/usr/bin/java -jar $CI_APP")
    assert found(host) == [("ci-master", "enabled")]


@pytest.mark.parametrize(
    "words",
    [
        "-cp /opt/ci/unpacked executable.Main",
        "-classpath /opt/lib/x.jar:/opt/ci/app.war Main",
        "-jar /opt/jetty-runner.jar --port 8080 /opt/ci/app.war",
        "-jar /opt/winstone.jar --warfile=/opt/ci/app.war",
    ],
)
def test_other_ways_to_start_a_war(words: str, host: Host) -> None:
    host.write("/opt/ci/app.war", archive())
    host.write("/opt/ci/unpacked/META-INF/MANIFEST.MF", MANIFEST)
    for jar in ("/opt/jetty-runner.jar", "/opt/winstone.jar"):
        host.write(jar, archive("Manifest-Version: 1.0\n"))
    unit(host, f"ExecStart=/usr/bin/java {FLAG} {words}")
    assert found(host) == [("ci-master", "disabled")]


def test_a_tomcat_serves_a_war_of_any_name(host: Host) -> None:
    host.write("/srv/t/webapps/ROOT.war", archive())
    unit(host, f"ExecStart=/usr/bin/java {FLAG} -Dcatalina.base=/srv/t org.apache.catalina.startup.Bootstrap start")
    assert found(host) == [("ci-master", "disabled")]


@pytest.mark.parametrize(
    ("text", "scripts"),
    [
        ("WorkingDirectory=/opt/ci\nExecStart=/usr/bin/java -jar app.war", {}),
        ("ExecStart=/opt/ci/run.sh", {"/opt/ci/run.sh": "cd /opt/ci && exec java -jar ./app.war"}),
        ("ExecStart=/opt/ci/run.sh", {"/opt/ci/run.sh": 'cd "$(dirname "$0")" || exit 1\nexec java -jar app.war'}),
        ("WorkingDirectory=~\nUser=ci\nExecStart=/usr/bin/java -jar app.war", {}),
    ],
    ids=["unit", "cd", "own folder", "home"],
)
def test_a_relative_war(text: str, scripts: dict[str, str], host: Host) -> None:
    host.write("/opt/ci/app.war", archive())
    host.write("/srv/ci/app.war", archive())
    for path, content in scripts.items():
        host.write(path, "#!/bin/sh\n" + content + "\n", 0o755)
    unit(host, text)
    [(_definition, outcome)] = _discovery.discover(host.files)[0]
    assert outcome.programs == (("/srv/ci" if "~" in text else "/opt/ci") + "/app.war",)


def test_jenkins_own_default_home(host: Host) -> None:
    host.write("/opt/ci/app.war", archive())
    host.write("/srv/ci/.jenkins/config.xml", "<hudson/>")
    unit(host, "User=ci\nExecStart=/usr/bin/java -jar /opt/ci/app.war")
    assert _discovery.discover(host.files)[0][0][1].homes == ("/srv/ci/.jenkins",)


def test_a_home_without_plugins_has_none(host: Host) -> None:
    host.write("/srv/ci/config.xml", "<hudson/>")
    assert plugin(host.files, "/srv/ci", "cloudbees-analytics")[1]["state"] == "absent"


# -- by following -----------------------------------------------------------------------------------

LIBRARY = """run_controller() { launch "$@"; }
launch() { . /srv/ci/lib/options.sh; exec "$JAVA" $OPTIONS -jar "$APP" "$@"; }
"""
OPTIONS = f"JAVA=/usr/bin/java\nOPTIONS='-Xmx1g {FLAG}'\nAPP=/opt/ci/app.war\n"


@pytest.mark.parametrize(
    "start",
    [
        '. /srv/ci/lib/common.sh; run_controller "$@"',
        'LIB=/srv/ci/lib\n. "$LIB/common.sh"\nrun_controller "$@"',
        '. "$(dirname "$0")/../lib/common.sh"\nrun_controller "$@"',
        'cd /srv/ci\n. ./lib/common.sh\nrun_controller "$@"',
        'exec /srv/ci/bin/second.sh "$@"',
        'here=/srv/ci/bin\nexec "$here/second.sh" "$@"',
    ],
)
@pytest.mark.parametrize(
    "command",
    [
        "/srv/ci/bin/start.sh",
        "/bin/bash -lc 'exec /srv/ci/bin/start.sh'",
        "/bin/sh /srv/ci/bin/start.sh --httpPort=8080",
        "/usr/bin/env X=1 /srv/ci/bin/start.sh",
    ],
)
def test_scripts_that_lead_to_scripts(command: str, start: str, host: Host) -> None:
    host.write("/opt/ci/app.war", archive())
    host.write("/srv/ci/lib/common.sh", LIBRARY)
    host.write("/srv/ci/lib/options.sh", OPTIONS)
    host.write("/srv/ci/bin/second.sh", '#!/bin/bash\n. /srv/ci/lib/common.sh\nrun_controller "$@"\n', 0o755)
    host.write("/srv/ci/bin/start.sh", f"#!/bin/bash\n{start}\n", 0o755)
    unit(host, f"ExecStart={command}", "master")
    assert found(host) == [("master", "disabled")]


def test_a_program_that_is_no_shell_script_is_unknown(host: Host) -> None:
    program = "#!/usr/bin/python3\nimport os\nos.execvp('java', ['java', '-jar', '/o/jenkins.war'])\n"
    host.write("/opt/ci/run", program, 0o755)
    unit(host, "ExecStart=/opt/ci/run", "master")
    assert found(host) == [("master", "unresolvable")]


UNKNOWN_WAR = '#!/bin/sh\n%s\nexec java %s -jar "$(curl -s x)"\n'


@pytest.mark.parametrize(
    ("text", "script", "expected"),
    [
        # what is started is not known before the start, and something tells of the product: unknown, never nothing
        ("ExecStart=/opt/s.sh", UNKNOWN_WAR % ("export JENKINS_HOME=/srv/a", FLAG), "installation"),
        ("ExecStart=/opt/s.sh", UNKNOWN_WAR % ("cd /opt/cloudbees/cm", ""), "installation"),
        ("User=jenkins\nExecStart=/opt/s.sh", UNKNOWN_WAR % (":", ""), "installation"),
        (
            "ExecStart=/opt/s.sh",
            '#!/bin/sh\n. /run/ci/env\nexport JENKINS_HOME\nexec java -jar "$WAR"\n',
            "installation",
        ),
        (
            "Environment=JENKINS_HOME=/srv/a\nEnvironmentFile=/etc/fifo\nExecStart=/usr/bin/java -jar $X",
            "",
            "installation",
        ),
        ("User=jenkins\nEnvironmentFile=-/run/x\nExecStart=/bin/sh -c 'exec $CMD'", "", "installation"),
        ("EnvironmentFile=/run/x\nExecStart=/bin/sh -c 'eval $JENKINS_COMMAND_LINE'", "", "installation"),
        # nothing tells of it: that is said
        ("ExecStart=/opt/s.sh", UNKNOWN_WAR % ("# no jenkins", ""), "warning"),
        ("ExecStart=/opt/s.sh", UNKNOWN_WAR.replace("$(curl -s x)", "`curl -s x`") % (":", ""), "warning"),
        ("EnvironmentFile=/etc/fifo\nExecStart=/usr/bin/java -jar $X", "", "warning"),
        # an agent, a backup, an exporter
        (
            "User=jenkins\nExecStart=/opt/s.sh",
            UNKNOWN_WAR[:-1] % (":", "") + " -jnlpUrl https://jenkins.example/x\n",
            "",
        ),
        (
            "User=jenkins\nEnvironmentFile=/run/x\nExecStart=/opt/s.sh",
            "#!/bin/sh\nT=tar\n$T cf /b.tar /srv/jenkins\n",
            "",
        ),
        ("User=jenkins\nEnvironmentFile=/run/x\nExecStart=/usr/bin/exporter $ARGS", "", ""),
        ("User=jenkins\nExecStart=/opt/s.sh", "#!/bin/sh\nexec java -jar $(curl x) /opt/sonar.jar\n", ""),
    ],
)
def test_a_start_of_which_the_war_is_not_known(text: str, script: str, expected: str, host: Host) -> None:
    os.mkfifo(host.write("/etc/fifo", "").with_name("fifo.new"))
    (host.root / "etc/fifo.new").rename(host.root / "etc/fifo")
    host.write("/opt/s.sh", script, 0o755)
    unit(host, text)
    found, warnings = _discovery.discover(host.files)
    assert [outcome.verdict for _definition, outcome in found] == ["unresolvable"] * (expected == "installation")
    assert ["whether on a CloudBees or Jenkins war is not known" in line for line in warnings] == [True] * (
        expected == "warning"
    )


NAMES = {
    "/opt/ci/bin/wrapper": "\x7fELF",
    "/etc/ci/wrapper.conf": "wrapper.app.parameter.1=/opt/ci/app.war\n",
    "/opt/ci/run": "#!/usr/bin/env python3\nimport launcher\nlauncher.go()\n",
    "/opt/ci/launcher.py": "import os\ndef go(): os.execvp('java', ['java', '-jar', '/opt/ci/app.war'])\n",
    "/opt/ci/csh": "#!/bin/csh -f\nsetenv A b\nexec java -jar /opt/ci/app.war\n",
    "/opt/ci/other": "#!/usr/bin/env python3\nimport os\nos.execvp('java', ['java', '-jar', '/opt/ci/x.war'])\n",
    "/opt/ci/copy": "#!/bin/sh\ncp /opt/ci/app.war /backup\n",
}


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("ExecStart=/opt/ci/bin/wrapper /opt/ci/app.war", True),
        ("ExecStart=/opt/ci/bin/wrapper /etc/ci/wrapper.conf", True),
        ("ExecStart=/usr/bin/jsvc -cp /opt/ci/app.war executable.Main", True),
        ("ExecStart=/opt/ci/run", True),
        ("ExecStart=/opt/ci/csh", True),
        ("ExecStart=/opt/ci/other", False),
        ("ExecStart=/opt/ci/copy", False),
        ("ExecStart=/usr/bin/cp /opt/ci/app.war /backup", False),
    ],
)
def test_what_is_not_followed_and_names_a_war_is_judged_by_its_manifest(text: str, is_one: bool, host: Host) -> None:
    host.write("/opt/ci/app.war", archive())
    host.write("/opt/ci/x.war", archive("Manifest-Version: 1.0\nMain-Class: org.example.Main\n"))
    for path, content in NAMES.items():
        host.write(path, content, 0o755)
    unit(host, text)
    assert found(host) == [("ci-master", "unresolvable")] * is_one


def test_a_service_of_s6_that_no_shell_reads(host: Host) -> None:
    host.write("/opt/ci/app.war", archive())
    host.write("/etc/s6/sv/ci/run", "#!/bin/execlineb -P\ns6-setuidgid ci\njava -jar /opt/ci/app.war\n", 0o755)
    assert found(host) == [("/etc/s6/sv/ci/run", "unresolvable")]


@pytest.mark.parametrize(
    ("script", "is_one"),
    [
        ("W=$(find /opt/ci -name 'app*.war' | sort | tail -1)\njava -jar $W\n", True),
        ("W=$(ls -t /opt/ci/a*.war | head -1)\njava -jar $W\n", True),
        ("W=$(ls -t /opt/other/*.war | head -1)\njava -jar $W\n", False),
        ("find /opt/ci -name 'a*.war' | xargs java -jar\n", True),
        ("bash <<EOF\njava -jar /opt/ci/app.war\nEOF\n", True),
        ("sudo -u ci bash -s <<'EOF'\ncd /opt/ci\njava -jar app.war\nEOF\n", True),
        ("bash <<EOF\njava -jar /opt/other/x.war\nEOF\n", False),
        ("exec run-parts /opt/ci/start.d\n", True),
        ("find /opt/ci -name 'a*.war' -mtime +30 -exec rm {} +\n", False),
    ],
)
def test_wars_that_a_pattern_or_a_folder_names(script: str, is_one: bool, host: Host) -> None:
    host.write("/opt/ci/app.war", archive())
    host.write("/opt/other/x.war", archive("Manifest-Version: 1.0\nMain-Class: org.example.Main\n"))
    host.write("/opt/ci/start.d/10-ci", "#!/bin/sh\njava -jar /opt/ci/app.war\n", 0o755)
    host.write("/opt/start.sh", "#!/bin/bash\n" + script, 0o755)
    unit(host, "ExecStart=/opt/start.sh")
    assert found(host) == [("ci-master", "unresolvable")] * is_one


def test_scripts_that_a_pattern_names_are_followed(host: Host) -> None:
    host.write("/opt/ci/app.war", archive())
    host.write("/opt/ci/conf.d/1.sh", f"java {FLAG} -jar /opt/ci/app.war\n")
    host.write("/opt/start.sh", '#!/bin/sh\nfor f in /opt/ci/conf.d/*.sh; do . "$f"; done\n', 0o755)
    unit(host, "ExecStart=/opt/start.sh")
    assert found(host) == [("ci-master", "disabled")]


@pytest.mark.parametrize(
    "text",
    [
        "WorkingDirectory=/srv/base\nExecStart=/usr/bin/java %s -jar /opt/jetty/start.jar",
        "ExecStart=/usr/bin/java %s -jar /opt/jetty/start.jar jetty.base=/srv/base",
        "ExecStart=/usr/bin/java -Djetty.base=/srv/base %s -jar /opt/jetty/start.jar",
        "ExecStart=/usr/bin/java -Djboss.home.dir=/srv/wildfly %s -jar /opt/wildfly/jboss-modules.jar org.jboss.as.server",
    ],
)
def test_other_servers_serve_a_war_of_any_name(text: str, host: Host) -> None:
    for path in ("/opt/jetty/start.jar", "/opt/wildfly/jboss-modules.jar", "/srv/base/start.ini"):
        host.write(path, "PK")
    unit(host, text % FLAG)
    assert found(host) == []
    host.write("/srv/base/webapps/ci.war", archive())
    host.write("/srv/wildfly/standalone/deployments/ci.war", archive())
    assert found(host) == [("ci-master", "disabled")]


@pytest.mark.parametrize(
    ("command", "files", "name"),
    [
        ("docker compose up", {"docker-compose.yml": "services:\n  a:\n    image: jenkins/jenkins:lts\n"}, "ci-master"),
        (
            "docker compose -f /stack/ci/x.yml up",
            {"x.yml": "services:\n  a:\n    image: x/cloudbees-core-cm\n"},
            "ci-master",
        ),
        ("docker compose up", {"docker-compose.yml": "services:\n  a:\n    image: jenkins/agent\n"}, None),
        ("docker compose up", {"docker-compose.yml": "services:\n  a:\n    image: nginx\n"}, None),
        (
            None,
            {"compose.yml": "services:\n  ci:\n    build: .\n", "Dockerfile": "FROM cloudbees/cloudbees-core-mm\n"},
            "/stack/ci/compose.yml",
        ),
        (
            None,
            {"compose.yml": "services:\n  ci:\n    image: ${IMAGE}\n", ".env": "IMAGE=jenkins/jenkins:lts\n"},
            "/stack/ci/compose.yml",
        ),
        (None, {"compose.yml": "services:\n  ci:\n    build: .\n", "Dockerfile": "FROM debian\n"}, None),
    ],
)
def test_containers_of_a_compose_file(command: str | None, files: dict[str, str], name: str | None, host: Host) -> None:
    place = "/stack/ci" if command else "/srv/ci"  # one that no list of places has
    for path, text in files.items():
        host.write(f"{place}/{path}", text)
    if command:
        unit(host, f"WorkingDirectory={place}\nExecStart=/usr/bin/{command}")
    assert found(host) == ([(name.replace("/stack", "/srv"), "unresolvable")] if name else [])


def test_a_compose_file_that_a_unit_starts_counts_once(host: Host) -> None:
    host.write("/srv/ci/docker-compose.yml", "services:\n  a:\n    image: jenkins/jenkins:lts\n")
    unit(host, "WorkingDirectory=/srv/ci\nExecStart=/usr/bin/docker compose up")
    assert found(host) == [("ci-master", "unresolvable")]


def test_a_starter_whose_war_is_not_known_is_said(host: Host) -> None:
    host.write("/etc/sv/ci/run", UNKNOWN_WAR % (":", ""), 0o755)
    assert _discovery.discover(host.files)[0] == []
    assert "/etc/sv/ci/run starts a JVM" in _discovery.discover(host.files)[1][0]
    host.write("/etc/sv/ci/run", UNKNOWN_WAR % ("export JENKINS_HOME=/srv/a", ""), 0o755)
    assert found(host) == [("/etc/sv/ci/run", "unresolvable")]


def test_what_has_the_name_and_starts_none_is_none(host: Host) -> None:
    for name, text in {
        "backup": "tar cf /b.tar /srv/jenkins",
        "agent": "exec java -jar /opt/agent.jar -url https://j/",
        "clean": "rm -f /tmp/jenkins.war.old",
    }.items():
        host.write(f"/opt/{name}.sh", f"#!/bin/sh\n{text}\n", 0o755)
        unit(host, f"User=ci\nExecStart=/opt/{name}.sh", name)
    assert found(host) == []


# -- by whoever else starts programs ----------------------------------------------------------------


@pytest.mark.parametrize("flag", ["", f"{FLAG} "])
def test_the_flag_in_a_program_s_file_makes_its_supervisor_no_controller(flag: str, host: Host) -> None:
    """Else the JVM would be the supervisor's unit's as soon as the file has been edited."""
    host.write("/opt/ci/app.war", archive())
    host.write("/etc/supervisor/conf.d/ci.conf", f"[program:ci]\ncommand=/usr/bin/java {flag}-jar /opt/ci/app.war\n")
    host.write("/usr/local/bin/supervisord", "#!/usr/bin/python3\nopen('/etc/supervisor/conf.d/ci.conf')\n", 0o755)
    unit(host, "ExecStart=/usr/local/bin/supervisord", "supervisor")
    assert found(host) == [("/etc/supervisor/conf.d/ci.conf", "disabled" if flag else "enabled")]


JAVA = f"/usr/bin/java {FLAG} -jar /opt/ci/app.war"
STARTERS = {
    "supervisord": {
        "/etc/supervisor/supervisord.conf": "[supervisord]\nuser=root\n[include]\nfiles = /srv/sup/*.ini\n",
        "/srv/sup/ci.ini": f"[program:master]\ncommand={JAVA} ; the CI\nuser=ci\n",
    },
    "supervisord's environment": {
        "/etc/supervisord.d/ci.ini": "[program:master]\ncommand=java -jar app.war\ndirectory=/opt/ci\n"
        f"environment=A=\"1\",JAVA_TOOL_OPTIONS='{FLAG}'\n"
    },
    "supervisord's script": {
        "/etc/supervisord.d/ci.ini": "[program:master]\ncommand=/opt/run %(program_name)s\n",
        "/opt/run": f"#!/bin/sh\n[ $1 = master ] || exit 1\nexec {JAVA}\n",
    },
    "runit": {
        "/etc/service/master/run": "#!/bin/sh\nexec chpst -u ci -e ./env /usr/bin/java -jar /opt/ci/app.war\n",
        "/etc/service/master/env/JAVA_TOOL_OPTIONS": FLAG + "\n",
    },
    "openrc": {
        "/etc/init.d/master": "#!/sbin/openrc-run\ncommand=/usr/bin/java\n"
        'command_args="$CI_OPTS -jar /opt/ci/app.war"\ncommand_user=ci\n'
        "depend() { need net; }\n",
        "/etc/conf.d/master": f'CI_OPTS="-Xmx1g {FLAG}"\n',
    },
    "openrc's function": {
        "/etc/init.d/master": "#!/sbin/openrc-run\nstart() {\n  ebegin x\n  start-stop-daemon --start "
        f"--exec /usr/bin/java -- {FLAG} -jar /opt/ci/app.war\n  eend $?\n}}\n"
    },
    "cron": {"/etc/cron.d/ci": f"MAILTO=root\n@reboot ci cd /opt/ci && java {FLAG} -jar app.war\n"},
    "crontab of a service's user": {
        "/var/spool/cron/crontabs/ci": f"JAVA_TOOL_OPTIONS={FLAG}\n@reboot java -jar /opt/ci/app.war\n"
    },
    "rc.local": {"/etc/rc.local": f"#!/bin/sh\nsu ci -c '{JAVA}' &\nexit 0\n"},
    "monit": {
        "/etc/monit/conf.d/ci": "check process master with pidfile /run/ci.pid\n"
        f'  start program = "{JAVA}" as uid "ci"\n  stop program = "/bin/true"\n'
    },
    "user unit": {
        "/var/lib/systemd/linger/ann": "",
        "/home/ann/.config/systemd/user/ci.service": f"[Service]\nExecStart=/usr/bin/java {FLAG} -jar %h/app.war\n",
        "/home/ann/app.war": archive(),
    },
    "inittab": {"/etc/inittab": f"ci:2345:respawn:{JAVA}\n"},
}


@pytest.mark.parametrize(
    "text",
    [
        f"command=/usr/bin/java {FLAG} %(ENV_OPTS)s -jar /opt/ci/app.war\n",
        f"command=/usr/bin/java {FLAG}%(ENV_OPTS)s -jar /opt/ci/app.war\n",
        f"command=/bin/sh -c 'exec /usr/bin/java {FLAG} %(ENV_OPTS)s -jar /opt/ci/app.war'\n",
        f"command=/bin/sh -c 'exec java $JAVA_OPTS -jar /opt/ci/app.war'\nenvironment=JAVA_OPTS=\"{FLAG} %(ENV_X)s\"\n",
        f'command=/usr/bin/java -jar /opt/ci/app.war\nenvironment=JAVA_TOOL_OPTIONS="{FLAG}%(ENV_X)s"\n',
    ],
)
def test_what_supervisord_puts_in_may_be_more_options(text: str, host: Host) -> None:
    host.write("/opt/ci/app.war", archive())
    host.write("/etc/supervisor/conf.d/ci.conf", f"[program:master]\n{text}")
    [(_definition, outcome)] = _discovery.discover(host.files)[0]
    assert outcome.verdict == "unresolvable", outcome.reason
    assert "of supervisord" in (outcome.reason or "")


def test_folders_of_very_many_parts_cost_nobody_the_run(host: Host) -> None:
    """Anybody may write one into a crontab of his own; nothing of it has to be there."""
    host.write("/opt/ci/app.war", archive())
    host.write("/etc/cron.d/ci", f"@reboot root /usr/bin/java {FLAG} -jar /opt/ci/app.war\n")
    for top in ("/home/ann", "/opt"):
        host.write("/var/spool/cron/crontabs/ann", f"@reboot {top}{'/a' * 1500}/x\n")
        assert [outcome.verdict for _definition, outcome in _discovery.discover(host.files)[0]] == ["disabled"]
    with pytest.raises(OSError):
        host.files.open(f"/opt{'/a' * 1500}/x")


def test_a_crowd_of_lines_does_not_hold_up_who_looks_again(host: Host) -> None:
    host.write("/opt/ci/app.war", archive())
    host.write("/etc/cron.d/ci", f"@reboot root /usr/bin/java {FLAG} -jar /opt/ci/app.war\n")
    [(definition, _outcome)] = _discovery.discover(host.files)[0]
    (host.root / "etc/cron.d/ci").unlink()
    host.write("/var/spool/cron/crontabs/ann", "@reboot x\n" * 5000)
    made = []
    cron = starter_of(definition)

    class Counted(type(cron)):  # type: ignore[misc]
        def starts(self, files: HostFiles) -> Iterator[Start]:
            for start in super().starts(files):
                made.append(start)
                yield start

    assert Counted().again(definition, host.files) is definition
    assert len(made) == LIMIT_STARTS


@pytest.mark.parametrize("name", STARTERS)
def test_who_else_starts_it(name: str, host: Host) -> None:
    host.write("/opt/ci/app.war", archive())
    for path, text in STARTERS[name].items():
        host.write(path, text, 0o755 if text.startswith("#!") else 0o644)
    [(definition, outcome)] = _discovery.discover(host.files)[0]
    assert outcome.verdict == "disabled", outcome.reason
    assert definition.name in STARTERS[name] or definition.name == "master"
    for path, text in STARTERS[name].items():  # and without the flag it is on
        host.write(path, text.replace(FLAG, "-Da=b"))
    [(definition, outcome)] = _discovery.discover(host.files)[0]
    assert outcome.verdict == "enabled", outcome.reason


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/etc/containers/systemd/ci.container", "[Container]\nImage=docker.io/cloudbees/cloudbees-core-mm:2\n"),
        ("/opt/ci/docker-compose.yml", "services:\n  ci:\n    image: jenkins/jenkins:lts\n"),
        ("/srv/ci/compose.yaml", "services:\n  ci:\n    image: 'registry.local/cloudbees-core-oc:1'\n"),
        ("/etc/supervisor/conf.d/ci.conf", "[program:ci]\ncommand=docker run --rm jenkins/jenkins:lts\n"),
        ("/etc/cron.d/ci", "@reboot root podman start jenkins\n"),
        ("/etc/cron.d/ci", "@reboot root $(which java) $(curl x) -jar /opt/jenkins.war\n"),
    ],
)
def test_what_is_only_recognised_is_unknown_and_says_what_to_do(path: str, text: str, host: Host) -> None:
    host.write(path, text)
    [(definition, outcome)] = _discovery.discover(host.files)[0]
    assert (definition.name, outcome.verdict) == (path, "unresolvable")
    assert "by hand: " in (outcome.reason or "") and "telemetry_launch_scripts" not in (outcome.reason or "")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/opt/ci/docker-compose.yml", "services:\n  ci:\n    image: jenkins/inbound-agent:latest\n"),
        ("/etc/supervisor/conf.d/x.conf", "[program:x]\ncommand=/usr/bin/java -jar /opt/x.jar\n"),
        ("/etc/cron.d/x", "0 3 * * * ci /opt/jenkins-backup.sh\n"),
        ("/home/ann/.config/systemd/user/ci.service", "[Service]\nExecStart=/usr/bin/java -jar /opt/ci/app.war\n"),
    ],
)
def test_what_is_none(path: str, text: str, host: Host) -> None:
    host.write("/opt/ci/app.war", archive())
    host.write(path, text)
    assert found(host) == []


def test_a_launcher_of_a_supervisor_is_edited_where_it_stands(host: Host) -> None:
    host.write("/opt/ci/app.war", archive())
    text = "[program:master]\ncommand=/usr/bin/java -Xmx1g -jar /opt/ci/app.war ; CI\nuser=ci\n"
    host.write("/etc/supervisor/conf.d/ci.conf", text)
    assert host.declare("disabled") == ["/etc/supervisor/conf.d/ci.conf"]
    assert host.read("/etc/supervisor/conf.d/ci.conf") == text.replace("-Xmx1g", f"-Xmx1g {FLAG}")
    assert host.verdict() == "disabled"
    host.declare("enabled")
    assert host.read("/etc/supervisor/conf.d/ci.conf") == text


def test_of_a_users_units_the_first_of_a_name_counts(host: Host) -> None:
    host.write("/var/lib/systemd/linger/ci", "")
    host.write("/srv/ci/app.war", archive())
    own, other = "/srv/ci/.config/systemd/user/ci.service", "/srv/ci/.local/share/systemd/user/ci.service"
    host.write(other, "[Service]\nExecStart=/usr/bin/java -jar %h/app.war\n")
    assert found(host) == [(other, "enabled")]
    host.write(own, f"[Service]\nExecStart=/usr/bin/java {FLAG} -jar %h/app.war\n")
    host.write("/srv/ci/.config/systemd/user/x@.service", "[Service]\nExecStart=/usr/bin/java -jar %h/app.war\n")
    assert found(host) == [(own, "disabled")]
    host.write("/srv/ci/.config/systemd/user/default.target.wants/x@one.service", "")
    assert len(found(host)) == 2


def test_users_units_that_start_nothing_and_whose_environment_is_not_known(host: Host) -> None:
    host.write("/var/lib/systemd/linger/ci", "")
    host.write("/srv/ci/app.war", archive())
    host.write("/usr/lib/systemd/user/systemd-exit.service", "[Unit]\nDescription=Exit the Session\n")
    path = "/srv/ci/.config/systemd/user/ci.service"
    host.write(path, f"[Service]\nEnvironmentFile=/etc/env\nExecStart=/usr/bin/java {FLAG} -jar %h/app.war\n")
    host.write("/etc/env", "A=b\n")
    assert found(host) == [(path, "disabled")]
    (host.root / "etc/env").unlink()
    os.mkfifo(host.root / "etc/env")
    assert found(host) == [(path, "unresolvable")]
    assert "not a regular file" in (_discovery.discover(host.files)[0][0][1].reason or "")


def test_what_supervisord_may_not_have_read_is_not_known(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """It starts what it has read; a JVM that runs tells what that is, a program that is stopped does not."""
    path = host.write("/etc/supervisor/conf.d/ci.conf", "[program:ci]\n")
    start = Start("supervisord", "program ci", str(path), 1, (), {}, "root", "", "")
    definition = of_definition.start_definition(start)
    written = path.stat().st_ctime
    for began, is_read in (([], True), ([written + 1], True), ([written - 1], False), ([written + 1, 5.0], False)):
        monkeypatch.setattr(_proc, "began", lambda name, began=began: began if name == "supervisord" else [])
        assert (_survey._unread_by_its_starter(definition, []) is None) is is_read
    assert "supervisorctl update" in (_survey._unread_by_its_starter(definition, []) or "")
    assert _survey._unread_by_its_starter(definition, [None]) is None  # type: ignore[list-item]
    assert _survey._unread_by_its_starter(of_definition.start_definition(start._replace(kind="runit")), []) is None
    path.unlink()
    assert "is not known" in (_survey._unread_by_its_starter(definition, []) or "")


def test_when_a_program_of_roots_began(tmp_path: Path) -> None:
    ticks = os.sysconf("SC_CLK_TCK")
    (tmp_path / "stat").write_text("cpu 1\nbtime 1000\n")
    for pid, name in (("7", "supervisord"), ("8", "java"), ("9", "supervisord")):
        (tmp_path / pid).mkdir()
        fields = ["S", *["1"] * 18, str(50 * ticks), *["0"] * 30]
        (tmp_path / pid / "stat").write_text(f"{pid} ({name}) {' '.join(fields)}\n")
    os.chown(tmp_path / "9", 1001, 1001)  # anybody can be called so
    assert _proc.began("supervisord", str(tmp_path)) == [1050.0]


def test_a_script_that_runit_runs_is_edited(host: Host) -> None:
    host.write("/opt/ci/app.war", archive())
    host.write("/etc/sv/ci/run", "#!/bin/sh\nexec chpst -u ci java -jar /opt/ci/app.war\n", 0o755)
    assert host.declare("disabled") == ["/etc/sv/ci/run"] and host.verdict() == "disabled"


def test_a_unit_of_somebody_who_logs_in_is_seen_and_holds_nothing_up(host: Host) -> None:
    """Whoever may log in can linger, and have any number of them; a service's user with a number below is not one."""
    host.write("/var/lib/systemd/linger/ann", "")
    host.write("/var/lib/systemd/linger/ci", "")
    for home in ("/home/ann", "/srv/ci"):
        host.write(f"{home}/app.war", archive())
        host.write(
            f"{home}/.config/systemd/user/ci.service", "[Service]\nExecStart=/usr/bin/java -Da=b -jar %h/app.war\n"
        )
    for number in range(600):
        host.write(f"/home/ann/.config/systemd/user/more{number}.service", "[Service]\nExecStart=/bin/true\n")
    entries = {entry.definition.name: entry.stray for entry in _survey.survey(host.files).entries}
    assert entries == {
        "/srv/ci/.config/systemd/user/ci.service": False,
        "/home/ann/.config/systemd/user/ci.service": True,
    }


@pytest.mark.parametrize(
    ("name", "command", "is_one"),
    [
        ("jenkins", "/usr/bin/make -C /opt/ci run", True),
        ("cloudbees-core-cm", "/opt/ci/launcher --foreground", True),
        ("jenkins@cm1", "/opt/ci/launcher", True),
        ("jenkins-backup", "/opt/ci/launcher", False),  # others' names tell nothing
        ("jenkins", "/usr/bin/true", False),
        ("jenkins", "/opt/ci/nothing.sh", False),  # read to its end
        ("jenkins", "/opt/ci/gone", False),  # cannot be started
        ("jenkins", "/opt/ci/run.sh", True),  # ends in one
        ("jenkins", "/opt/ci/last.sh", True),
        ("jenkins", "/bin/sh -c 'cd /opt/ci; exec nice -n 5 /opt/ci/program -f'", True),
        ("jenkins", "/bin/sh -c 'exec /opt/ci/gone'", False),
        ("jenkins", "/bin/sh -c 'exec /opt/ci/nothing.sh'", False),
        ("jenkins", "/opt/ci/nothing.sh\nEnvironment=A=/opt/ci/program.conf B=/opt/ci", False),
        ("jenkins-backup", "/opt/ci/run.sh", False),
    ],
)
def test_what_is_called_like_the_product_and_not_followed_is_unknown(
    name: str, command: str, is_one: bool, host: Host
) -> None:
    for program in ("/usr/bin/make", "/usr/bin/true", "/opt/ci/launcher"):
        host.write(program, "\x7fELF")
    host.write("/opt/ci/program", "\x7fELF", 0o755)
    host.write("/opt/ci/program.conf", "a=b")
    host.write("/opt/ci/nothing.sh", "#!/bin/sh\nexit 0\n")
    host.write("/opt/ci/run.sh", "#!/bin/sh\numask 022\nexec /opt/ci/program\n# the end\n", 0o755)
    host.write("/opt/ci/last.sh", "#!/bin/sh\n/opt/ci/program --foreground\n", 0o755)
    unit(host, f"ExecStart={command}", name)
    assert found(host) == ([(name, "unresolvable")] if is_one else [])


def test_what_to_write_for_a_container_is_its_environment(host: Host) -> None:
    host.write("/usr/bin/docker", "\x7fELF")
    unit(host, "ExecStart=/usr/bin/docker run --rm --name cm cloudbees/cloudbees-core-cm:latest")
    assert found(host) == [("ci-master", "unresolvable")]
    assert declare("disabled", str(host.root), attach="never").refused == [
        "ci-master: it starts a container, whose image and environment decide, so nothing is edited; by hand: set JAVA_OPTS "
        "(for CloudBees' images also JENKINS_JAVA_OPTIONS) with the flag in its environment"
    ]

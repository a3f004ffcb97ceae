"""Launch files in ``cases``, each with what must come out: that was seen with a booted systemd, bash and dash."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from ansible_collections.cbops.telemetry.plugins.module_utils.edit._candidates import Refused, plan
from ansible_collections.cbops.telemetry.plugins.module_utils.host._files import HostFiles
from ansible_collections.cbops.telemetry.plugins.module_utils.launch import _definition as of_definition
from ansible_collections.cbops.telemetry.plugins.module_utils.launch import _discovery, _live, _outcome
from ansible_collections.cbops.telemetry.plugins.module_utils.launch._environment import Variable, lasting
from ansible_collections.cbops.telemetry.plugins.module_utils.launch._systemd import UnitFiles
from ansible_collections.cbops.telemetry.plugins.module_utils.text._characters import Value

CASES = Path(__file__).parent / "cases"


def lay(name: str, root: Path) -> HostFiles:
    """A case over what every host has."""
    for link, target in {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib"}.items():
        (root / link).symlink_to(target)
    for folder in ("common", name):
        shutil.copytree(CASES / folder, root, dirs_exist_ok=True)
    (root / "usr/bin/sh").symlink_to("dash")
    return HostFiles(str(root))


def refuses(definition: of_definition.Definition, outcome: _outcome.Outcome, files: HostFiles) -> bool:
    """Whether every edit is refused."""
    live = _live.live_of(definition, files, outcome)
    for wanted in ("disabled", "enabled"):
        try:
            plan(definition, files, outcome, live, wanted)
        except Refused:
            continue
        return False
    return True


@pytest.mark.parametrize(
    "name",
    [
        "deb2022_as_plain_sh",
        "own_environment_file_specifier",
        "own_env_dir_glob",
        "rpm_stock",
        "rpm_kb_csp_daemonize",
        "deb2022_stock",
        "own_arch",
        "own_arch_override",
        "own_war_in_variable",
        "unit_percent_specifiers",
        "rpm_kb_csp_plain",
        "rpm_kb_csp_split",
        "rpm_glob_csp",
    ],
)
def test_enabled(name: str, tmp_path: Path) -> None:
    found, _warnings = _discovery.discover(lay(name, tmp_path))
    assert [(outcome.verdict, outcome.reason) for _definition, outcome in found] == [("enabled", None)]


@pytest.mark.parametrize(
    ("name", "verdicts", "reason"),
    [
        ("own_bash_login_resets", ("enabled", "unresolvable"), "login shell"),
        ("own_pre_resets_env", ("unresolvable",), "EnvironmentFile is made anew"),
        ("own_pam_name", ("unresolvable",), "PAMName=login"),
    ],
)
def test_what_somebody_else_writes(name: str, verdicts: tuple[str, ...], reason: str, tmp_path: Path) -> None:
    files = lay(name, tmp_path)
    [(definition, outcome)] = _discovery.discover(files)[0]
    assert outcome.verdict in verdicts
    assert reason in str(outcome.reason) or outcome.verdict != "unresolvable"
    assert refuses(definition, outcome, files)


JAVA = "/usr/bin/java $JAVA_OPTS -jar /usr/share/java/jenkins.war"
FLAG = "-Dcom.cloudbees.analytics.gatherer.Sender.disabled=true"
FLAGGED = f'[Service]\nUser=jenkins\nEnvironment="JAVA_OPTS=-Xmx1g {FLAG}"\n'
PROFILE = "for i in /etc/profile.d/*.sh; do . $i; done\n"


def judged(root: Path, unit: str, files: dict[str, str]) -> tuple[str, str]:
    """The verdict, and its reason, of a unit that starts a JVM on a war."""
    for path, text in {
        "/etc/systemd/system/jenkins.service": unit,
        "/etc/passwd": "jenkins:x:9:9::/home/j:/bin/bash\n",
        **files,
    }.items():
        real = root / path.lstrip("/")
        real.parent.mkdir(parents=True, exist_ok=True)
        real.write_text(text)
        real.chmod(0o755)
    found, _warnings = _discovery.discover(HostFiles(str(root)))
    assert len(found) == 1
    return found[0][1].verdict, str(found[0][1].reason)


SETS = {"/etc/profile": PROFILE, "/etc/profile.d/ci.sh": "export JAVA_OPTS=-Xmx2g\n"}


@pytest.mark.parametrize(
    ("command", "files", "verdict"),
    [
        (f"/bin/bash -c 'exec {JAVA}'", SETS, "disabled"),
        (f"/bin/bash -lc 'exec {JAVA}'", SETS, "enabled"),
        (f"/bin/bash --login -c 'exec {JAVA}'", SETS, "enabled"),
        (f"/bin/bash -c -l 'exec {JAVA}'", SETS, "enabled"),
        (f"/bin/sh -l -c 'exec {JAVA}'", SETS, "enabled"),
        (f"/usr/bin/env bash -e -lc '{JAVA}'", SETS, "enabled"),
        (
            f"/bin/bash -lc 'exec {JAVA}'",
            {"/etc/profile": "umask 022\n", "/home/j/.bash_profile": "JAVA_OPTS=\n"},
            "enabled",
        ),
        (
            f"/bin/bash -lc 'exec {JAVA}'",
            {"/etc/profile": "umask 022\n", "/root/.bash_profile": "JAVA_OPTS=\n"},
            "disabled",
        ),
        (
            f"/bin/bash -lc 'exec {JAVA}'",
            {"/etc/profile": PROFILE, "/etc/profile.d/x.sh": "shopt -s nullglob\n"},
            "disabled",
        ),
        (f"/bin/bash -lc 'exec {JAVA}'", {"/etc/profile.d/x.sh": "JAVA_OPTS=\n"}, "unresolvable"),
        (f"/bin/bash -ic 'exec {JAVA}'", {"/home/j/.bashrc": "JAVA_OPTS=\n"}, "unresolvable"),
        ("/bin/bash -l /opt/start.sh", {**SETS, "/opt/start.sh": f"#!/bin/bash\n{JAVA}\n"}, "enabled"),
        ("/opt/start.sh", {**SETS, "/opt/start.sh": f"#!/bin/bash -l\n{JAVA}\n"}, "enabled"),
        ("/opt/start.sh", {**SETS, "/opt/start.sh": f"#!/bin/bash\n{JAVA}\n"}, "disabled"),
    ],
)
def test_login_shells(command: str, files: dict[str, str], verdict: str, tmp_path: Path) -> None:
    assert judged(tmp_path, f"{FLAGGED}ExecStart={command}\n", files)[0] == verdict


def test_what_bash_reads_before_a_script(tmp_path: Path) -> None:
    unit = f"{FLAGGED}Environment=BASH_ENV=/etc/ci.sh\nExecStart=/bin/bash -c 'exec {JAVA}'\n"
    assert judged(tmp_path, unit, {})[0] == "disabled"
    assert judged(tmp_path, unit, {"/etc/ci.sh": "JAVA_OPTS=-Xmx1g\n"})[0] == "enabled"
    assert judged(tmp_path, unit.replace("/bin/bash", "/bin/sh"), {})[0] == "disabled", "not as sh"


@pytest.mark.parametrize(
    ("lines", "files", "verdict"),
    [
        ("ExecStartPre=/bin/sh -c 'echo JAVA_OPTS= >/etc/ci/env'", {}, "unresolvable"),
        ("ExecStartPre=/bin/sh -c 'cd /etc/ci && echo JAVA_OPTS= >env'", {}, "unresolvable"),
        (
            "ExecStartPre=/opt/make-env",
            {"/opt/make-env": "#!/bin/sh\nset -e\necho JAVA_OPTS= >/etc/ci/env\n"},
            "unresolvable",
        ),
        ("ExecStartPre=/opt/make-env", {"/opt/make-env": "\x7fELF"}, "unresolvable"),
        ("ExecStartPre=/usr/bin/cp /etc/ci/next /etc/ci/env", {}, "unresolvable"),
        ("ExecStartPre=/usr/bin/systemctl set-environment JAVA_TOOL_OPTIONS=-Dx", {}, "unresolvable"),
        ("ExecStartPre=/usr/bin/test -r /etc/ci/env", {}, "disabled"),
        ("ExecStartPre=/bin/sh -c 'D=/etc/ci; echo JAVA_OPTS= >$D/env'", {}, "unresolvable"),
        ("ExecStartPre=/bin/sh -c 'date >/var/log/env'", {}, "disabled"),
        ("ExecStartPre=/usr/bin/install -d -o jenkins /run/jenkins", {}, "disabled"),
        ("ExecStartPre=/bin/cp x /etc/ci/env\nExecStartPre=", {}, "disabled"),
        ("EnvironmentFile=-/run/ci/env", {}, "unresolvable"),
        ("EnvironmentFile=-/var/run/ci/env", {}, "unresolvable"),
        ("EnvironmentFile=-%t/ci/*.env", {}, "unresolvable"),
        ("EnvironmentFile=-/run/ci/env\nEnvironmentFile=", {}, "disabled"),
        ("PassEnvironment=_JAVA_OPTIONS", {}, "unresolvable"),
        ("PassEnvironment=JAVA_OPTS TZ", {}, "disabled"),  # the unit's own counts more
        (
            "PAMName=ci",
            {"/etc/pam.d/ci": "session optional pam_unix.so\n", "/etc/environment": "JAVA_OPTS=\n"},
            "disabled",
        ),
        (
            "PAMName=ci",
            {"/etc/pam.d/ci": "session optional pam_env.so\n", "/etc/environment": "JAVA_OPTS=\n"},
            "enabled",
        ),
        (
            "PAMName=ci",
            {
                "/etc/pam.d/ci": "auth include both\n",
                "/etc/pam.d/both": "auth required pam_env.so\n",
                "/etc/environment": "JAVA_OPTS=\n",
            },
            "enabled",
        ),
        (
            "PAMName=ci\nUnsetEnvironment=_JAVA_OPTIONS",
            {
                "/etc/pam.d/ci": "session optional pam_env.so\n",
                "/etc/environment": f"_JAVA_OPTIONS={FLAG.replace('true', 'false')}\n",
            },
            "disabled",
        ),
        (
            "PAMName=ci",
            {
                "/etc/pam.d/ci": "session optional pam_env.so\n",
                "/etc/security/pam_env.conf": "# X DEFAULT=y\nJAVA_OPTS DEFAULT=-Xmx1g\n",
            },
            "unresolvable",
        ),
        (
            "PAMName=ci\nUser=",
            {"/etc/pam.d/ci": "session optional pam_env.so\n", "/etc/environment": "JAVA_OPTS=\n"},
            "unresolvable",
        ),
    ],
)
def test_who_else_writes_the_environment(lines: str, files: dict[str, str], verdict: str, tmp_path: Path) -> None:
    unit = f"{FLAGGED}EnvironmentFile=-/etc/ci/env\n{lines}\nExecStart={JAVA}\n"
    assert judged(tmp_path, unit, files)[0] == verdict


def test_a_launch_file_that_is_written_before_the_start(tmp_path: Path) -> None:
    unit = f"{FLAGGED}ExecStartPre=/bin/sh -c 'echo JAVA_OPTS= >/etc/default/ci'\nExecStart=/opt/start.sh\n"
    files = {"/opt/start.sh": f"#!/bin/sh\n. /etc/default/ci\n{JAVA}\n", "/etc/default/ci": "\n"}
    verdict, reason = judged(tmp_path, unit, files)
    assert verdict == "unresolvable" and "/etc/default/ci" in reason


@pytest.mark.parametrize(
    ("files", "verdict"),
    [
        ({"/etc/systemd/system.conf": f'[Manager]\nDefaultEnvironment="JAVA_TOOL_OPTIONS={FLAG}"\n'}, "disabled"),
        (
            {"/usr/lib/systemd/system.conf.d/a.conf": f'[Manager]\nDefaultEnvironment="_JAVA_OPTIONS={FLAG}"\n'},
            "disabled",
        ),
        (
            {
                "/etc/systemd/system.conf": f'[Manager]\nDefaultEnvironment="_JAVA_OPTIONS={FLAG}"\n',
                "/etc/systemd/system.conf.d/a.conf": "[Manager]\nDefaultEnvironment=\n",
            },
            "enabled",
        ),
        ({"/etc/systemd/system.conf": f'[Manager]\nManagerEnvironment="_JAVA_OPTIONS={FLAG}"\n'}, "enabled"),
        ({"/etc/systemd/system-environment-generators/50-ci": "#!/bin/sh\necho X=y\n"}, "unresolvable"),
        ({"/usr/lib/systemd/system-environment-generators/snapd-env-generator": "ELF"}, "enabled"),
        (
            {
                "/usr/lib/systemd/system-environment-generators/50-ci": "#!/bin/sh\n",
                "/etc/systemd/system-environment-generators/50-ci": "",
            },
            "enabled",
        ),
        ({"/etc/environment.d/50.conf": f"_JAVA_OPTIONS={FLAG}\n"}, "enabled"),  # for users' managers
    ],
)
def test_what_an_image_gives_every_service(files: dict[str, str], verdict: str, tmp_path: Path) -> None:
    assert judged(tmp_path, f"[Service]\nExecStart={JAVA}\n", files)[0] == verdict


def test_what_an_image_gives_every_service_makes_none_of_them_a_controller(tmp_path: Path) -> None:
    for path, text in {
        "etc/systemd/system.conf": f"[Manager]\nDefaultEnvironment=_JAVA_OPTIONS={FLAG}\n",
        "usr/lib/systemd/system/systemd-exit.service": "[Unit]\nSuccessAction=exit-force\n",
        "usr/lib/systemd/system/other.service": "[Service]\nExecStart=/opt/nowhere --all\n",
        "usr/lib/systemd/system/refused.service": "[Service]\nType=simple\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    files = HostFiles(str(tmp_path))
    assert _discovery.discover(files)[0] == []
    unit = UnitFiles(files).load("systemd-exit.service")
    assert unit is not None and unit.doubt is None


def test_what_was_told_to_the_service_manager_does_not_last(tmp_path: Path) -> None:
    judged(
        tmp_path,
        f"[Service]\nExecStart={JAVA}\n",
        {"/etc/systemd/system.conf": f"[Manager]\nDefaultEnvironment=_JAVA_OPTIONS={FLAG}\n"},
    )
    files = HostFiles(str(tmp_path))
    for names, verdict in (
        (["_JAVA_OPTIONS"], "disabled"),
        (["JAVA_TOOL_OPTIONS", "LANG"], "unresolvable"),
        (["LANG"], "enabled"),
    ):
        manager = lasting({name: Variable(Value.of(FLAG), "", 0, "") for name in names}, files)
        [(_definition, outcome)] = _discovery.discover(files, manager=manager)[0]
        assert outcome.verdict == verdict


def test_what_systemd_refuses_cannot_be_told_and_is_not_edited(tmp_path: Path) -> None:
    files = lay("unit_exec_start_twice", tmp_path)
    [(definition, outcome)] = _discovery.discover(files)[0]
    assert outcome.verdict == "unresolvable" and "2 commands in ExecStart=" in str(outcome.reason)
    assert refuses(definition, outcome, files)


@pytest.mark.parametrize(
    ("fragment", "drop_in", "verdict"),
    [
        ("ExecStart={java}\nExecStart={java}", "", "unresolvable"),
        ("ExecStart={java} ; {java}", "", "unresolvable"),
        ("Type=oneshot\nExecStart=/usr/bin/true\nExecStart={java}", "", "disabled"),
        ("Type=oneshot\nRestart=always\nExecStart={java}", "", "unresolvable"),
        ("ExecStart={java}\nExecStart=", "ExecStart={java}", "disabled"),
        ("ExecStart={java}", "ExecStart=\nExecStart={java}", "disabled"),
        ("ExecStart=usr/bin/java -jar /usr/share/java/jenkins.war", "", "unresolvable"),
        ("ExecStart=./start /usr/share/java/jenkins.war", "ExecStart=\nExecStart={java}", "unresolvable"),
        ("ExecStart=java $JAVA_OPTS -jar /usr/share/java/jenkins.war", "", "disabled"),  # is looked for
        ("ExecStart=-usr/bin/true\nExecStart={java}", "", "disabled"),  # a line that systemd passes over
        ("ExecStartPre=usr/bin/true\nExecStart={java}", "", "unresolvable"),
        ("ExecStart={java} %z", "", "unresolvable"),
        ("ExecStart={java} 'open", "", "unresolvable"),
        # An error in a drop-in ends that drop-in alone.
        ("ExecStart={java}", "ExecStartPre=usr/bin/true\nEnvironment=JAVA_OPTS=", "disabled"),
        ("ExecStart={java}", "ExecStart=\nExecStart=usr/bin/java", "unresolvable"),
        ("Type=unknown\nExecStart={java}", "", "disabled"),  # systemd passes that over
        ("Type=unknown\nExecStart={java}\nExecStart={java}", "", "unresolvable"),
        ("Type=dbus\nExecStart={java}", "", "unresolvable"),
        ("Type=dbus\nBusName=org.example\nExecStart={java}", "", "disabled"),
    ],
)
def test_what_systemd_refuses(fragment: str, drop_in: str, verdict: str, tmp_path: Path) -> None:
    files = {"/etc/systemd/system/jenkins.service.d/a.conf": "[Service]\n" + drop_in.format(java=JAVA) + "\n"}
    assert judged(tmp_path, FLAGGED + fragment.format(java=JAVA) + "\n", files if drop_in else {})[0] == verdict


def test_the_command_of_red_hats_daemon_ends_at_a_semicolon(tmp_path: Path) -> None:
    files = lay("rpm_semicolon_unquoted", tmp_path)
    [(definition, outcome)] = _discovery.discover(files)[0]
    assert outcome.verdict == "unresolvable" and "no 'java" in str(outcome.reason)
    assert refuses(definition, outcome, files)


@pytest.mark.parametrize(
    ("options", "verdict"),
    [
        ("-Xmx1g", "enabled"),
        (FLAG, "disabled"),
        (f"-Da=b|c {FLAG}", "unresolvable"),
        (f"-Da=b&c {FLAG}", "unresolvable"),
        (f"-Da=b<c {FLAG}", "unresolvable"),  # there is no such file, so nothing starts
        (f"-Da=b>c {FLAG}", "unresolvable"),  # nor may one be made by its user
        (f"-Da=b>/etc/c {FLAG}", "disabled"),
        (f"-Da=b>/none/c {FLAG}", "unresolvable"),
        (f"-Da='b<c>' {FLAG}", "disabled"),
        (f"-Da='b;c' {FLAG}", "disabled"),
        (f"-Da='b {FLAG}'", "enabled"),
        (f"-Da='b' '{FLAG}'", "disabled"),
        (f"-Da=* {FLAG}", "disabled"),
    ],
)
def test_red_hats_daemon_gives_its_words_to_a_shell_once_more(options: str, verdict: str, tmp_path: Path) -> None:
    files = lay("rpm_stock", tmp_path)
    settings = tmp_path / "etc/sysconfig/cloudbees-core-cm"
    text = re.sub("(?m)^JENKINS_JAVA_OPTIONS=.*", f'JENKINS_JAVA_OPTIONS="{options}"', settings.read_text())
    settings.write_text(text)
    [(_definition, outcome)] = _discovery.discover(files)[0]
    assert outcome.verdict == verdict


@pytest.mark.parametrize(("name", "path"), [("own_docker_run", "/etc/systemd/system/jenkins.service")])
def test_what_others_start_is_unknown_and_never_nothing(name: str, path: str, tmp_path: Path) -> None:
    files = lay(name, tmp_path)
    found, warnings = _discovery.discover(files)
    [(definition, outcome)] = found
    assert (outcome.verdict, outcome.path) == ("unresolvable", path)
    assert [path in warning for warning in warnings] == [True]
    assert refuses(definition, outcome, files)


@pytest.mark.parametrize(
    ("files", "count", "warned"),
    [
        (
            {
                "/etc/systemd/system/agent.service": "[Service]\nExecStart=/usr/bin/docker run jenkins/inbound-agent:latest\n"
            },
            0,
            0,
        ),
        (
            {"/etc/systemd/system/jenkins-agent.service": "[Service]\nExecStart=/usr/bin/java -jar /opt/agent.jar\n"},
            0,
            0,
        ),
        (
            {"/etc/systemd/system/ci.service": "[Service]\nExecStart=/usr/bin/podman run --rm x/cloudbees-core-cm\n"},
            1,
            1,
        ),
        (
            {
                "/etc/systemd/system/ci.service": "[Service]\nExecStart=/opt/run\n",
                "/opt/run": "#!/bin/sh\nexec docker run \\\n  --rm jenkins/jenkins:lts\n",
            },
            1,
            1,
        ),
        (
            {
                "/etc/containers/systemd/ci.container": "[Container]\nImage=docker.io/jenkins/jenkins:lts\nSecret=jenkins.war\n"
            },
            1,
            0,
        ),
        (
            {
                "/etc/systemd/system/agent.service": "[Service]\nExecStart=/usr/bin/docker run -e JENKINS_URL=https://jenkins.x/ jenkins/agent\n"
            },
            0,
            0,
        ),
        (
            {
                "/etc/systemd/system/jenkins-agent.service": "[Service]\nEnvironment=JAR=/opt/agent.jar\nExecStart=/usr/bin/java -jar $JAR\n"
            },
            0,
            0,
        ),
        (
            {
                "/etc/systemd/system/ci.service": "[Service]\nEnvironment=X=/opt/x.jar\nExecStart=/usr/bin/java -jar $X\n"
            },
            0,
            0,
        ),
        ({"/etc/cron.d/backup": "0 3 * * * root tar cf /b.tar /usr/share/java/jenkins.war\n"}, 0, 0),
        ({"/etc/cron.d/ci": "# @reboot root java -jar /opt/jenkins.war\n"}, 0, 0),
        (
            {
                "/etc/cron.d/ci": "@reboot root /opt/start\n",
                "/opt/start": "#!/bin/sh\n$(x) java $(y) -jar /opt/jenkins.war\n",
            },
            1,
            0,
        ),
        ({"/etc/cron.d/other": "@reboot root java -jar /opt/other.war\n"}, 0, 0),
        ({"/etc/inittab": "ci:3:respawn:/usr/bin/java $(x) -jar /opt/jenkins.war\n"}, 1, 0),
        (
            {
                "/etc/systemd/system/ci.service": "[Service]\nEnvironment=X=/opt/other.war\nExecStart=/usr/bin/env java -jar $X\n"
            },
            0,
            0,
        ),
        (
            {
                "/etc/systemd/system/ci.service": "[Service]\nEnvironmentFile=/etc/none\nExecStart=/usr/bin/java -jar $X\n"
            },
            0,
            1,
        ),
    ],
)
def test_what_is_found_and_what_is_not(files: dict[str, str], count: int, warned: int, tmp_path: Path) -> None:
    for path, text in files.items():
        real = tmp_path / path.lstrip("/")
        real.parent.mkdir(parents=True, exist_ok=True)
        real.write_text(text)
    found, warnings = _discovery.discover(HostFiles(str(tmp_path)))
    assert (len(found), len(warnings)) == (count, warned), warnings
    assert all(outcome.verdict == "unresolvable" for _definition, outcome in found)


def test_a_script_that_cron_starts_is_named_by_people(tmp_path: Path) -> None:
    for path, text in {
        "etc/cron.d/ci": "@reboot root /opt/start\n",
        "opt/start": f"#!/bin/sh\njava {FLAG} -jar /j.war\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
        (tmp_path / path).chmod(0o755)
    found, warnings = _discovery.discover(HostFiles(str(tmp_path)), ["/opt/start"])
    assert [outcome.verdict for _definition, outcome in found] == ["disabled"] and not warnings


@pytest.mark.parametrize(
    ("lines", "verdict"),
    [
        ("RootDirectory=/srv/root", "unresolvable"),  # which is not there
        ("RootDirectory=/", "disabled"),
        ("RootDirectory=/srv/root\nRootDirectory=", "disabled"),
        ("RootImage=/srv/root.raw", "unresolvable"),
        ("BindPaths=/data/ci:/var/lib/ci", "disabled"),
        ("BindReadOnlyPaths=/srv/start:/opt/start", "unresolvable"),
        ("BindReadOnlyPaths=/srv/ci:/etc/ci/%p.conf", "unresolvable"),  # what is not there is not shown
        ("BindReadOnlyPaths=/opt/start", "disabled"),
        ("BindReadOnlyPaths=/srv/start:/opt/start\nBindReadOnlyPaths=", "disabled"),
        ("TemporaryFileSystem=/etc/ci:ro", "unresolvable"),
        ("ExtensionImages=/srv/x.raw", "unresolvable"),
    ],
)
def test_a_service_that_sees_other_files(lines: str, verdict: str, tmp_path: Path) -> None:
    script = f"#!/bin/sh\n[ -r /etc/ci/$NAME.conf ] && . /etc/ci/$NAME.conf\n{JAVA}\n"
    unit = f"{FLAGGED}Environment=NAME=jenkins\n{lines}\nExecStart=/opt/start\n"
    assert judged(tmp_path, unit, {"/opt/start": script})[0] == verdict


def test_whoever_may_log_in_makes_no_installation_of_his_crontab(tmp_path: Path) -> None:
    files = lay("other_cron_reboot", tmp_path)
    assert len(_discovery.discover(files)[0]) == 1
    passwd = tmp_path / "etc/passwd"
    passwd.write_text(passwd.read_text().replace("jenkins:x:900", "jenkins:x:1000"))
    found, warnings = _discovery.discover(HostFiles(str(tmp_path)))
    assert not found and len(warnings) == 1


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        (". /run/ci/env", "unresolvable"),
        ("[ -r /run/ci/env ] && . /run/ci/env", "unresolvable"),
        ("if [ -e /var/run/ci.pid ]; then exit 1; fi", "disabled"),
        ("[ -d /run/systemd/system ] || exit 1", "unresolvable"),  # the image has none, and so nothing starts
    ],
)
def test_a_script_that_reads_what_is_made_anew(line: str, verdict: str, tmp_path: Path) -> None:
    unit = f"{FLAGGED}ExecStart=/opt/start\n"
    assert judged(tmp_path, unit, {"/opt/start": f"#!/bin/sh\n{line}\n{JAVA}\n"})[0] == verdict


RUN = "exec java $O -jar /usr/share/java/jenkins.war\n"


def started(root: Path, command: str, files: dict[str, str]) -> list[tuple[str, str | None]]:
    """The verdicts of what a unit starts by this command, where /bin/sh is dash."""
    shells = {f"/usr/bin/{name}": "\x7fELF" for name in ("dash", "bash", "env", "nohup", "java")}
    for path, text in {
        **shells,
        "/usr/share/java/jenkins.war": "PK",
        "/etc/systemd/system/jenkins.service": f"[Service]\nExecStart={command}\n",
        **files,
    }.items():
        real = root / path.lstrip("/")
        real.parent.mkdir(parents=True, exist_ok=True)
        real.write_bytes(text.encode("latin-1"))
        real.chmod(0o755)
    for link, target in {"bin": "usr/bin", "usr/bin/sh": "dash"}.items():
        (root / link).symlink_to(target)
    found, _warnings = _discovery.discover(HostFiles(str(root)))
    return [(outcome.verdict, outcome.reason) for _definition, outcome in found]


@pytest.mark.parametrize(
    ("command", "first", "verdict"),
    [
        ("/bin/bash /opt/a.sh", "", "disabled"),
        ("/bin/sh /opt/a.sh", "", "enabled"),  # += is no assignment in dash
        ("/bin/sh /opt/a.sh", "#!/bin/bash\n", "enabled"),
        ("/bin/bash /opt/a.sh", "#!/bin/sh\n", "disabled"),
        ("/bin/bash -euo pipefail /opt/a.sh", "# starts it\n", "disabled"),
        ("/bin/bash /opt/a.sh", "\xef\xbb\xbf#!/bin/sh\n", "disabled"),
        ("/bin/bash /opt/a.sh", "#!/bin/bash\r\n", "disabled"),
        ("/bin/sh -c /opt/a.sh", "", "enabled"),
        ("/bin/bash -c /opt/a.sh", "", "disabled"),
        ("/usr/bin/nohup /opt/a.sh", "", "enabled"),  # execvp has sh read it
        ("/opt/a.sh", "", "unresolvable"),  # the kernel does not start it, nor does systemd
        ("/opt/a.sh", "\xef\xbb\xbf#!/bin/bash\n", "unresolvable"),
        ("/bin/bash /opt/a.sh", 'N="${Y-it\'s}"\n', "unresolvable"),  # bash wants single quotes in pairs there
        ("/bin/bash /opt/a.sh", "N=\"${Y-it's 'x}\"\n", "disabled"),
        ("/opt/a.sh", "#!/usr/bin/env -S bash -e\n", "disabled"),
        ("/opt/a.sh", "#!/usr/bin/env bash -e\n", "unresolvable"),  # the kernel makes one word of "bash -e"
    ],
)
def test_which_shell_reads_a_script(command: str, first: str, verdict: str, tmp_path: Path) -> None:
    [(found, _reason)] = started(tmp_path, command, {"/opt/a.sh": f"{first}O=-Xmx1g\nO+=' {FLAG}'\n{RUN}"})
    assert found == verdict


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        (f'f() {{ echo "{FLAG}"; }}\nO=$(f)\n', "disabled"),
        (f'f() {{ local a="$1"; a="$a {FLAG}"; echo "$a"; }}\nO=$(f -Xmx1g)\n', "disabled"),
        (f'f() {{ if [ -e /nowhere ]; then echo "{FLAG}"; fi; }}\nO=$(f)\n', "enabled"),
        (f'f() {{ [ -d /opt ] && echo "{FLAG}"; }}\nO=$(f)\n', "disabled"),
        (f'f() {{ if [ "$(date +%u)" = 9 ]; then echo "{FLAG}"; fi; }}\nO=$(f)\n', "unresolvable"),
        (f'f() {{ {{ echo "{FLAG}"; }} >&2; echo -Xmx1g; }}\nO=$(f)\n', "enabled"),
        (f'f() {{ echo "{FLAG}" >/dev/null; }}\nO=$(f)\n', "enabled"),
        (f'f() {{ uptime; echo "{FLAG}"; }}\nO=$(f)\n', "unresolvable"),
        (f'f() {{ mkdir -p /x; echo "{FLAG}"; }}\nO=$(f)\n', "disabled"),
        (f'f() {{ echo -Xmx1g; exit 1; echo "{FLAG}"; }}\nO=$(f)\n', "enabled"),
        (f"A={FLAG}\nf() {{ A=; }}\nX=$(f)\nO=$A\n", "disabled"),  # what it sets is gone
        ('f() { for x in a b; do echo "-D$x"; done; }\nO=$(f)\n', "enabled"),
        (f"O=$(case a in a) echo {FLAG} ;; esac)\n", "disabled"),
        (f'O=$(A={FLAG}; echo "$A")\n', "disabled"),
        (f"O=$(printf '%s ' -Xmx1g {FLAG})\n", "disabled"),
        (f"O=$(printf '%s\\n' -Xmx1g {FLAG})\n", "disabled"),
        (f"O=$(printf '%s' -Da= {FLAG})\n", "enabled"),  # one word
        (f"O=$(printf '%b' {FLAG})\n", "unresolvable"),
    ],
)
def test_what_a_function_prints(body: str, verdict: str, tmp_path: Path) -> None:
    [(found, _reason)] = started(tmp_path, "/opt/a.sh", {"/opt/a.sh": "#!/bin/bash\n" + body + RUN})
    assert found == verdict


@pytest.mark.parametrize(
    ("body", "text", "verdict"),
    [
        ('while IFS= read -r l; do O="$O $l"; done </etc/o\n', f"-Xmx1g\n{FLAG}\n", "disabled"),
        ('while IFS= read -r l || [ -n "$l" ]; do O="$O $l"; done </etc/o\n', f"-Xmx1g\n{FLAG}", "disabled"),
        ('while IFS= read -r l; do O="$O $l"; done </etc/o\n', f"-Xmx1g\n{FLAG}", "enabled"),  # no end, no line
        ('while IFS== read -r k v; do [ "$k" = O ] && O=$v; done </etc/o\n', f"A=1\nO={FLAG}\n", "disabled"),
        ("IFS=: read -r a O b </etc/o\n", f"x:{FLAG}:y\n", "disabled"),
        ("IFS=: read -r a O </etc/o\n", f"x:{FLAG}:y\n", "enabled"),
        ("IFS=: read -r a O </etc/o\n", f"x:{FLAG}:\n", "unresolvable"),  # whether the last one stays, shells tell
        ("IFS=: read -r a b O </etc/o\n", f"x::{FLAG}\n", "disabled"),
        ("IFS=$X read -r O </etc/o\n", f"{FLAG}\n", "disabled"),
        ('IFS=";" read -ra A </etc/o\nO=${A[*]}\n', f"-Xmx1g;{FLAG}\n", "disabled"),
        ('IFS="; " read -ra A </etc/o\nO=${A[1]}\n', f"-Xmx1g ; {FLAG}\n", "disabled"),
        ('read -ra A <<< "$(cat /etc/o)"\nO=${A[1]}\n', f"-Xmx1g  {FLAG} -Da\n", "disabled"),
        ("read -ra A </etc/o\nO=${A[0]}\n", f"-Xmx1g  {FLAG} -Da\n", "enabled"),
        ("A=$(cat /etc/o)\nO=${A//;/ }\n", f"-Xmx1g;{FLAG};-Da\n", "disabled"),
        ("A=$(cat /etc/o)\nO=${A//$'\\n'/ }\n", f"-Xmx1g\n{FLAG}\n-Da\n", "disabled"),
        ("A=$(cat /etc/o)\nO=${A/,/ }\n", f"-Xmx1g,{FLAG},-Da\n", "enabled"),  # the first alone
        ("A=$(cat /etc/o)\nO=${A//;/&}\n", f"-Xmx1g;{FLAG}\n", "unresolvable"),  # bash 5.2 and older ones differ
        ('while getopts "x:" o; do M=$OPTARG; done\nO=$(cat /etc/o)\n', f"{FLAG}\n", "disabled"),
        ("read -r -d '' O </etc/o\n", f"-Xmx1g\n{FLAG}\n", "disabled"),
        ("read -r -d x O </etc/o\n", f"-Xmx1g\n{FLAG}\n", "unresolvable"),
        ("mapfile -t A < <(grep -v '#' /etc/o)\nO=${A[*]}\n", f"# {FLAG}\n-Xmx1g\n", "enabled"),
        ("mapfile -t A < <(cat /etc/o)\nO=${A[*]}\n", f"-Xmx1g\n{FLAG}\n", "disabled"),
        ("mapfile -t A < <(uptime)\nO=${A[*]}\n", "", "unresolvable"),
        ("export $(grep -v '^#' /etc/o | xargs -d '\\n')\n", f"# x\nO={FLAG}\n", "disabled"),
        ("export $(grep -v '^#' /etc/o | xargs -d '\\n')\n", f"# x\nO=-Xmx1g {FLAG}\n", "enabled"),  # no name
    ],
)
def test_what_a_script_reads_of_a_file(body: str, text: str, verdict: str, tmp_path: Path) -> None:
    [(found, _reason)] = started(tmp_path, "/opt/a.sh", {"/opt/a.sh": "#!/bin/bash\n" + body + RUN, "/etc/o": text})
    assert found == verdict


@pytest.mark.parametrize(
    ("options", "files", "path", "now"),
    [
        (f'O="-Xmx1g {FLAG[:-4]}\'true\'"\neval "set -- $O"; O=$*', {}, "/opt/a.sh", 'O="-Xmx1g"\n'),
        (f'V=true\nO="-Xmx1g {FLAG[:-4]}$V"', {}, "/opt/a.sh", 'V=true\nO="-Xmx1g"\n'),
        ("O=@/etc/o", {"/etc/o": f"-Xmx1g\n{FLAG}\n"}, "/etc/o", "-Xmx1g\n"),
        ("O=-XX:VMOptionsFile=/etc/o", {"/etc/o": f"-Xmx1g {FLAG}\n"}, "/etc/o", "-Xmx1g\n"),
        ("mapfile -t A </etc/o\nO=${A[*]}", {"/etc/o": f"-Xmx1g\n{FLAG}\n"}, "/etc/o", "-Xmx1g\n"),
    ],
)
def test_enabling_finds_the_flag_where_it_stands(
    options: str, files: dict[str, str], path: str, now: str, tmp_path: Path
) -> None:
    assert started(tmp_path, "/opt/a.sh", {"/opt/a.sh": f"#!/bin/bash\n{options}\n{RUN}", **files}) == [
        ("disabled", None)
    ]
    files_now = HostFiles(str(tmp_path))
    [(definition, outcome)] = _discovery.discover(files_now)[0]
    made = plan(definition, files_now, outcome, None, "enabled").files
    assert list(made) == [path]
    assert now in str(made[path][1])


def test_enabling_says_that_the_flag_is_in_pieces(tmp_path: Path) -> None:
    text = f"#!/bin/bash\nP={FLAG[2:-14]}\nO=-D$P{FLAG[-14:]}\n{RUN}"
    assert started(tmp_path, "/opt/a.sh", {"/opt/a.sh": text}) == [("disabled", None)]
    files = HostFiles(str(tmp_path))
    [(definition, outcome)] = _discovery.discover(files)[0]
    with pytest.raises(Refused, match="put together of several pieces in /opt/a.sh"):
        plan(definition, files, outcome, None, "enabled")


def test_a_drop_in_of_all_services_is_not_edited(tmp_path: Path) -> None:
    files = HostFiles(str(tmp_path))
    assert not files.may_be_edited("/etc/systemd/system/service.d/10-all.conf")
    assert files.may_be_edited("/etc/systemd/system/jenkins.service.d/10-all.conf")


@pytest.mark.parametrize("options", ["-Xmx1g -Da= true", "-Xmx1g -D a=true", '-Da="b c"'])
def test_a_word_among_the_options_that_is_none(options: str, tmp_path: Path) -> None:
    text = f"#!/bin/sh\nO='{options}'\n{RUN}"
    found = started(tmp_path, "/opt/a.sh", {"/opt/a.sh": text})
    assert [verdict for verdict, _reason in found] == ["unresolvable"]
    [(_definition, outcome)] = _discovery.discover(HostFiles(str(tmp_path)))[0]
    assert "takes a word before -jar" in str(outcome.reason) and (outcome.path, outcome.line) == ("/opt/a.sh", 2)
    assert "true" not in str(outcome.reason)

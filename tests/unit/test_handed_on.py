"""What a program gives the script, or the java, that it starts: env, sudo, su and their like add variables or begin anew.

The rows of programs that a launch script may find anywhere are run by bash and dash as well, with a stand-in for
``java`` that notes what it is given; programs that change the user are held to what their manuals say.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostroot import FLAG, Host

from ansible_collections.cbops.telemetry.plugins.module_utils.edit._declare import declare
from ansible_collections.cbops.telemetry.plugins.module_utils.survey._survey import survey
from tests.differential import compare
from tests.differential.real import Machine

WAR = "/opt/app/x.war"
SET = "export JAVA_TOOL_OPTIONS=-Da V=-Db\n"
#: Script: what starts another one, or a java that is one.
ROWS = {
    "as it is": SET + "@HERE@/run.sh",
    "env adds": SET + "env V=-Dc @HERE@/run.sh",
    "env adds for a shell": SET + "env V=-Dc sh @HERE@/run.sh",
    "env adds for a string": SET + "env V=-Dc sh -c 'exec java $V -jar /opt/app/x.war'",
    "env takes out": SET + "env -u JAVA_TOOL_OPTIONS @HERE@/run.sh",
    "env takes out by its long option": SET + "exec env --unset=V @HERE@/run.sh",
    "env begins anew": SET + 'exec env -i PATH="$PATH" V=-Dc @HERE@/run.sh',
    "env begins anew for a string": SET + "env -i PATH=\"$PATH\" sh -c 'java $V -jar /opt/app/x.war'",
    "env takes out by an option in one word": SET + "env -uJAVA_TOOL_OPTIONS -vuV W=-Dd @HERE@/run.sh",
    "env takes out by letters and a word": SET + "env -vu JAVA_TOOL_OPTIONS @HERE@/run.sh",
    "env takes out by an option cut short": SET + "env --uns=JAVA_TOOL_OPTIONS @HERE@/run.sh",
    "env takes out for a string": SET + "env -uJAVA_TOOL_OPTIONS sh -c 'exec java $V -jar /opt/app/x.war'",
    "env begins anew by an option cut short": SET + 'env --ignore-e PATH="$PATH" @HERE@/run.sh',
    "what is set for exec": "V=-Db JAVA_TOOL_OPTIONS=-Da exec java $V -jar /opt/app/x.war",
    "what is set for exec of env": "JAVA_TOOL_OPTIONS=-Da exec env W=-Dd @HERE@/run.sh",
    "what is set for eval": "JAVA_TOOL_OPTIONS=-Da eval 'java -jar /opt/app/x.war'",
    "env behind nohup": SET + "nohup env V=-Dc @HERE@/run.sh",
    "twice": SET + 'env -i PATH="$PATH" V=-Dc env -u V W=-Dd @HERE@/run.sh',
    "before, not behind": SET + "env V=-Dc @HERE@/run.sh JAVA_TOOL_OPTIONS=-Dd",
    "env begins anew by one of its letters": SET + 'env -vi PATH="$PATH" V=-Dc @HERE@/run.sh',
    "an option of the program is none of env's": SET + "env V=-Dc sh @HERE@/run.sh -i",
    "a java that is a script": SET + "@HERE@/wrap/java $V -jar /opt/app/x.war",
    "a java that is a script, behind env": SET
    + "env JAVA_TOOL_OPTIONS=-Dc W=-Dd @HERE@/wrap/java $V -jar /opt/app/x.war",
    "a java that is a script in PATH": SET + "PATH=@HERE@/wrap:$PATH\njava $V -jar /opt/app/x.war",
    "a java that is a script of JAVA_HOME": SET + 'JAVA_HOME=@HERE@/home\n"$JAVA_HOME/bin/java" $V -jar /opt/app/x.war',
}
FILES = {
    "run.sh": 'exec java $V "-Dw=$W" -jar /opt/app/x.war\n',
    "wrap/java": 'PATH=${PATH#@HERE@/wrap:}\nunset JAVA_TOOL_OPTIONS\nexec java -Dx $W "$@"\n',
    "home/bin/java": 'export JAVA_TOOL_OPTIONS="$JAVA_TOOL_OPTIONS -Dx"\nexec java "$@"\n',
}


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """A folder to start scripts in, with those that they start."""
    if not (shutil.which("bash") and shutil.which("dash")):
        pytest.skip("needs bash and dash")
    machine = Machine()
    for name, text in FILES.items():
        path = Path(machine.folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/dash\n" + machine.fill(text))
        path.chmod(0o755)
    yield machine
    machine.close()


@pytest.mark.parametrize("shell", ("bash", "dash"))
@pytest.mark.parametrize("text", ROWS.values(), ids=ROWS)
def test_what_is_started_has_what_it_is_given(machine: Machine, shell: str, text: str) -> None:
    compare.agree(machine, shell, text + "\n")


#: Command of a unit, whose environment has the flag in JAVA_TOOL_OPTIONS: what the files say then.
STARTED = {
    "/usr/bin/nice -n 5 /opt/ci/run.sh": "disabled",
    "/bin/sh -l -c /opt/ci/run.sh": "disabled",  # a login that takes nothing out
    "/usr/bin/sudo -E -u ci /opt/ci/run.sh": "enabled",
    "/usr/bin/sudo -nEu ci /opt/ci/run.sh": "enabled",
    "/usr/bin/sudo -E --preserve-env=JAVA_TOOL_OPTIONS -u ci /opt/ci/run.sh": "disabled",
    "/usr/bin/sudo --preserve-env=HOME,JAVA_TOOL_OPTIONS -u ci /opt/ci/run.sh": "disabled",
    "/usr/bin/sudo -u ci JAVA_TOOL_OPTIONS=-Dx /opt/ci/run.sh": "enabled",
    "/usr/sbin/runuser -u ci -- /opt/ci/run.sh": "disabled",
    "/usr/bin/chpst -u ci /opt/ci/run.sh": "disabled",
    "/usr/bin/chpst -e /etc/variables /opt/ci/run.sh": "enabled",  # its file of this name is empty
    "/usr/bin/chpst -e/etc/variables /opt/ci/run.sh": "enabled",
    "/usr/bin/chpst -0e /etc/variables /opt/ci/run.sh": "enabled",
    "/usr/bin/s6-envdir -I /etc/variables /opt/ci/run.sh": "enabled",
    "/usr/bin/s6-env JAVA_TOOL_OPTIONS=-Dx /opt/ci/run.sh": "enabled",
    "/usr/bin/s6-env -u JAVA_TOOL_OPTIONS /opt/ci/run.sh": "enabled",
    "/usr/bin/s6-env -i /opt/ci/run.sh": "enabled",
    "/usr/bin/systemd-run --scope -EJAVA_TOOL_OPTIONS=-Dx /opt/ci/run.sh": "enabled",
    "/sbin/start-stop-daemon --start -e JAVA_TOOL_OPTIONS=-Dx --exec /opt/ci/run.sh": "enabled",
    "/sbin/start-stop-daemon --start --env JAVA_TOOL_OPTIONS=-Dx --exec /opt/ci/run.sh": "enabled",
    "/usr/bin/daemonize -EJAVA_TOOL_OPTIONS=-Dx -u ci /opt/ci/run.sh": "enabled",
    "/usr/bin/envdir /etc/variables /opt/ci/run.sh": "enabled",
    "/usr/bin/systemd-run --scope /opt/ci/run.sh": "disabled",
    "/usr/bin/setpriv --reuid=ci --clear-groups /opt/ci/run.sh": "disabled",
    "/usr/bin/daemonize -u ci /opt/ci/run.sh": "disabled",
    "/usr/bin/daemonize -E JAVA_TOOL_OPTIONS=-Dx -u ci /opt/ci/run.sh": "enabled",
    "/usr/bin/daemon --name=ci -- java -jar /opt/app/jenkins.war": "disabled",
    "/usr/bin/daemon --name=ci --env=A=b --inherit -- java -jar /opt/app/jenkins.war": "disabled",
    "/usr/bin/daemon --name=ci --env=A=b -I -- java -jar /opt/app/jenkins.war": "disabled",
    "/usr/bin/daemon --name=ci --env=JAVA_TOOL_OPTIONS=-Dx --inherit -- java -jar /opt/app/jenkins.war": "enabled",
    "/usr/bin/daemon --name=ci --env=A=b -- java -jar /opt/app/jenkins.war": "enabled",
}


@pytest.fixture(name="host")
def _host(tmp_path: Path) -> Host:
    host = Host(tmp_path / "host")
    host.write("/etc/passwd", "root:x:0:0::/root:/bin/sh\nci:x:900:900::/srv/ci:/bin/sh\n")
    host.write("/opt/ci/run.sh", "#!/bin/sh\nexec java -jar /opt/app/jenkins.war\n", 0o755)
    host.write("/etc/variables/JAVA_TOOL_OPTIONS", "")
    return host


def started(host: Host, command: str, environment: str = f"JAVA_TOOL_OPTIONS={FLAG}") -> str:
    """The verdict of a unit that starts this."""
    host.write("/etc/systemd/system/ci.service", f"[Service]\nEnvironment={environment}\nExecStart={command}\n")
    return survey(host.files, (), "never").entries[0].on_disk.verdict


@pytest.mark.parametrize(("command", "verdict"), STARTED.items(), ids=STARTED)
def test_what_a_unit_starts_has_what_it_is_given(host: Host, command: str, verdict: str) -> None:
    assert started(host, command) == verdict


#: The same for _JAVA_OPTIONS, which sudo does not take out.
KEPT = {
    "/usr/bin/sudo -E -u ci /opt/ci/run.sh": "disabled",
    "/usr/bin/sudo -nEu ci /opt/ci/run.sh": "disabled",
    "/usr/bin/sudo --preserve-env -uci /opt/ci/run.sh": "disabled",
    "/usr/bin/sudo -E -uci _JAVA_OPTIONS=-Dx /opt/ci/run.sh": "enabled",
}


@pytest.mark.parametrize(("command", "verdict"), KEPT.items(), ids=KEPT)
def test_sudo_keeps_what_it_is_told_to(host: Host, command: str, verdict: str) -> None:
    assert started(host, command, f"_JAVA_OPTIONS={FLAG}") == verdict


#: Logins by options that are written together, or cut short: the environment of the unit is gone.
LOGINS = (
    'su -lc "{}" ci',
    'su ci -lc "{}"',
    'su -Pl ci -c "{}"',
    'su --log ci --comm="{}"',
    'runuser ci -lc "{}"',
    'su -s/bin/sh -lc "{}" ci',
)


@pytest.mark.parametrize("command", LOGINS)
def test_a_login_by_options_in_one_word_is_one(host: Host, command: str) -> None:
    started_so = "/usr/bin/" + command.format("java -jar /opt/app/jenkins.war")
    assert started(host, started_so) != "disabled"
    host.write("/etc/profile", f"export JAVA_TOOL_OPTIONS={FLAG}\n")
    assert started(host, started_so, "A=b") == "disabled"
    host.write("/etc/profile", "")
    assert started(host, started_so.replace("java ", f"java {FLAG} "), "A=b") == "disabled"


@pytest.mark.parametrize("option", ["-i -u ci", "-iu ci", "--login -u ci", "-uci -i", "--logi -uci"])
def test_a_login_by_sudo_is_not_followed_where_its_profiles_matter(host: Host, option: str) -> None:
    command = f"/usr/bin/sudo {option} /usr/bin/java {FLAG} -jar /opt/app/jenkins.war"
    assert started(host, command, "A=b") == "disabled"
    host.write("/srv/ci/.profile", f"export _JAVA_OPTIONS={FLAG.replace('true', 'false')}\n")
    assert started(host, command, "A=b") == "unresolvable"


@pytest.mark.parametrize(
    "option", ["-p Environment={}", "-pEnvironment={}", "--property=Environment={}", "--prop EnvironmentFile=/x"]
)
def test_properties_of_the_environment_are_not_followed(host: Host, option: str) -> None:
    given = option.format(f"_JAVA_OPTIONS={FLAG}")
    command = f"/usr/bin/systemd-run --scope {given} /usr/bin/java {FLAG} -jar /opt/app/jenkins.war"
    assert started(host, command) == "unresolvable"


@pytest.mark.parametrize("name", ["-uJENKINS", "--user=E", "-u E"])
def test_the_name_of_a_user_is_no_option_of_sudo(host: Host, name: str) -> None:
    assert started(host, f"/usr/bin/sudo {name} /opt/ci/run.sh", f"_JAVA_OPTIONS={FLAG}") != "disabled"


@pytest.mark.parametrize(
    "command",
    ["unset $(compgen -e | grep JAVA)", 'unset "${!JAVA@}"', 'while IFS== read -r v _; do unset "$v"; done < <(env)'],
)
def test_unset_of_what_is_not_known_may_take_anything_out(host: Host, command: str) -> None:
    host.write("/opt/ci/run.sh", f"#!/bin/bash\n{command}\nexec java -jar /opt/app/jenkins.war\n", 0o755)
    assert started(host, "/opt/ci/run.sh") == "unresolvable"


def test_unset_of_what_is_known_is_followed(host: Host) -> None:
    host.write("/opt/ci/run.sh", "#!/bin/sh\nN=OTHER\nunset $N\nexec java -jar /opt/app/jenkins.war\n", 0o755)
    assert started(host, "/opt/ci/run.sh") == "disabled"


@pytest.mark.parametrize(
    ("profile", "name"),
    [
        ("if [ -f ~/.bashrc ]; then\n . ~/.bashrc\nfi\n", "/srv/ci/.bashrc"),
        ('[ -f "$HOME/.rc" ] && source "$HOME/.rc"\n', "/srv/ci/.rc"),
        ('. "${HOME}"/.rc\n', "/srv/ci/.rc"),
        (". /etc/profile.local\n", "/etc/profile.local"),
    ],
)
@pytest.mark.parametrize("first", ["/etc/profile", "/srv/ci/.profile"])
def test_what_a_profile_sources_is_read_by_a_login(host: Host, profile: str, name: str, first: str) -> None:
    command = f'/usr/bin/su - ci -c "java {FLAG} -jar /opt/app/jenkins.war"'
    host.write("/etc/profile", "PATH=/usr/bin\n")
    host.write(first, profile)
    host.write(name, "umask 022\n")
    assert started(host, command, "A=b") == "disabled"
    host.write(name, f"export _JAVA_OPTIONS={FLAG.replace('true', 'false')}\n")
    assert started(host, command, "A=b") != "disabled"


#: A java that is a script, and what a start by it with the flag says.
JAVAS = {
    '#!/bin/sh\nexport _JAVA_OPTIONS=-Dx\nexec /opt/j/launcher "$@"\n': "unresolvable",
    "#!/usr/bin/python3\nimport os\nos.environ['JDK_JAVA_OPTIONS'] = '-Dx'\n": "unresolvable",
    '#!/bin/sh\nset -- -Dcom.cloudbees.analytics.gatherer.Sender.disabled=false "$@"\n/opt/j/l $*\n': "unresolvable",
    '#!/bin/sh\n# unsets no JAVA_TOOL_OPTIONS\nexec /opt/j/launcher "$@"\n': "disabled",
    '#!/bin/sh\nprintf "%s\\n" "$@"\n': "disabled",
    '#!/bin/sh\nexec jenv exec java "$@"\n': "disabled",
    '#!/bin/sh\nprintf "%s\\n" "$@" "${JAVA_TOOL_OPTIONS-}" $_JAVA_OPTIONS\n': "disabled",
    '#!/bin/sh\n: "${JAVA_TOOL_OPTIONS:=-Dx}"\nexec /opt/j/launcher "$@"\n': "unresolvable",
    '#!/bin/sh\nexport _JAVA_OPTIONS=-Dx\nexec /usr/bin/java "$@"\n': "disabled",
}


@pytest.mark.parametrize(("text", "verdict"), JAVAS.items())
@pytest.mark.parametrize(
    "command", ["/opt/j/java", "/usr/bin/env PATH=/opt/j:/usr/bin java", "/usr/bin/nice /opt/j/java"]
)
def test_a_java_that_is_a_script_and_speaks_of_options(host: Host, command: str, text: str, verdict: str) -> None:
    host.write("/opt/j/java", text, 0o755)
    host.write("/opt/j/launcher", "\x7fELF", 0o755)
    assert started(host, f"{command} {FLAG} -jar /opt/app/jenkins.war", "A=b") == verdict


def test_exec_of_bash_can_begin_anew(machine: Machine) -> None:
    text = SET + "exec -c /bin/dash @HERE@/bare.sh"
    Path(machine.folder, "bare.sh").write_text(machine.fill("PATH=@BIN@ exec java $V -jar /opt/app/x.war\n"))
    test_what_is_started_has_what_it_is_given(machine, "bash", text)


@pytest.mark.parametrize(
    "command",
    [
        "sudo -u ci",
        "sudo --preserve-env=HOME -u ci",
        "doas -u ci",
        "pkexec --user ci",
        "su - ci",
        "runuser -l ci",
        "systemd-run --unit=x",
    ],
)
@pytest.mark.parametrize("program", ["/opt/ci/run.sh", "sh /opt/ci/run.sh"])
def test_what_begins_anew_hands_nothing_on(host: Host, command: str, program: str) -> None:
    assert started(host, f"/usr/bin/{command} {program}") != "disabled"


def test_an_edit_goes_where_env_does_not_undo_it(host: Host) -> None:
    host.write("/opt/ci/run.sh", "#!/bin/sh\nexec java $JAVA_OPTS -jar /opt/app/jenkins.war\n", 0o755)
    assert started(host, "/usr/bin/env JAVA_OPTS=-Xmx1g /opt/ci/run.sh", f"JAVA_OPTS={FLAG}") == "enabled"
    assert not declare("disabled", str(host.root), attach="never").refused
    assert survey(host.files, (), "never").entries[0].on_disk.verdict == "disabled"
    assert host.read("/opt/ci/run.sh").count(FLAG) == 1

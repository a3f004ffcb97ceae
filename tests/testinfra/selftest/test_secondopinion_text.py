"""The suite's own readers: shell, systemd and JVM text to the value of one flag. No host is asked."""

from __future__ import annotations

import posixpath

import pytest
from secondopinion import jvmtext, shelltext, unittext
from secondopinion.jvmtext import ABSENT, FALSE, TRUE, UNKNOWN

FLAG = jvmtext.OPTION
ON = FLAG + "=true"

DEB = """\
#!/bin/bash
NAME=cloudbees-core-cm
[ -r /etc/default/$NAME ] && . /etc/default/$NAME
. /lib/lsb/init-functions
SU=/bin/su
do_start() {
    is_running && return 1
    $SU -l $JENKINS_USER --shell=/bin/bash -c "umask 27; setsid $JAVA $JAVA_ARGS -jar -Dcb.name=Debian $WAR $ARGS \\
        </dev/null >>$LOG 2>&1 & echo \\$! >$PIDFILE" || return 2
}
case "$1" in
  start) do_start; case "$?" in 0|1) echo ok ;; *) exit 1 ;; esac ;;
  (stop) echo no ;;
esac
"""
RPM = """\
CONFIG=/etc/sysconfig/cm
[ -f "$CONFIG" ] && . "$CONFIG"
for candidate in /etc/alternatives/java /usr/bin/java; do
    [ -x "$JENKINS_JAVA_CMD" ] && break
    JENKINS_JAVA_CMD="$candidate"
done
start() {
    case "$(declare -p JENKINS_JAVA_OPTIONS 2>/dev/null)" in
        "declare -a"*) opts=("${JENKINS_JAVA_OPTIONS[@]}") ;;
        *) opts=($JENKINS_JAVA_OPTIONS) ;;
    esac
    for ((n = 0; n < 3; n++)); do :; done
    runuser -u "$U" -- /bin/sh -c 'echo $$ >"$0"; exec "$@"' "$PID" "$JENKINS_JAVA_CMD" "${opts[@]}" -jar "$W.war" $P &
}
start
"""
OLD_RPM = """\
. /etc/init.d/functions
. /etc/sysconfig/cm
[ -n "$JENKINS_JAVA_CMD" ] || JENKINS_JAVA_CMD=/usr/bin/java
JAVA_CMD="$JENKINS_JAVA_CMD $JENKINS_JAVA_OPTIONS -DJENKINS_HOME=$JENKINS_HOME -jar /usr/lib/cm/cm.war"
start() { daemon --user "$U" $JAVA_CMD $PARAMS > /dev/null; }
"""
OSS = """\
#!/bin/sh
fail() { echo "$(basename "$0"): $*" >&2; exit 1; }
java="${JENKINS_JAVA_CMD:-${JAVA_HOME:+${JAVA_HOME}/bin/java}}"
[ -x "${java}" ] || java="$(command -v java)" || fail 'no java'
java_opts="${JAVA_OPTS}"
unset JAVA_OPTS
eval exec "${java}" -Xmx32m ${java_opts} -jar "${JENKINS_WAR:-/usr/share/java/jenkins.war}" ${params}
"""


def ask(script: str, files: dict[str, str] | None = None, **environment: str) -> shelltext.Answer:
    return shelltext.ask("/launcher", script, environment, (files or {}).get)


def deb(default: str, **environment: str) -> shelltext.Answer:
    text = "JAVA=/usr/bin/java\nWAR=/usr/share/cm.war\n" + default
    return ask(DEB, {"/etc/default/cloudbees-core-cm": text}, **environment)


@pytest.mark.parametrize(
    ("default", "expected"),
    [
        (f'JAVA_ARGS="-Xmx1g {ON}"\n', TRUE),
        ('JAVA_ARGS="-Xmx1g"\n', ABSENT),
        (f'JAVA_ARGS="-Xmx1g"\nJENKINS_JAVA_OPTIONS="{ON}"\n', ABSENT),
        (f'JAVA_ARGS="-Xmx1g"\n#JAVA_ARGS="{ON}"\n', ABSENT),
        (f'JAVA_ARGS="{ON}"\nJAVA_ARGS="-Xmx1g"\n', ABSENT),
        (f'JAVA_ARGS="-Xmx1g"\nexport JAVA_ARGS="$JAVA_ARGS {ON}"', TRUE),
        (f'JAVA_ARGS="-Xmx1g"\nJAVA_ARGS+=" {ON}"', TRUE),
        (f'JAVA_ARGS="{ON} {FLAG}=false"\n', FALSE),
        (f'JAVA_ARGS="{FLAG}=false {ON}"\n', TRUE),
        (f'JAVA_ARGS="{FLAG}=TRUE"\n', TRUE),
        (f'JAVA_ARGS="{FLAG}=1"\n', FALSE),
        (f'JAVA_ARGS="{FLAG}"\n', FALSE),
        (f'JAVA_ARGS="-Xmx1g \\\n  {ON}"\n', TRUE),
        (f'JAVA_ARGS="-Xmx1g\n  {ON}\n"\n', UNKNOWN),  # to the shell of su -c a newline ends the command
        (f"JAVA_ARGS='-Dnote=\"two words\" {ON}'\n", TRUE),
        (f"JAVA_ARGS='-Dnote=\"x {ON}\"'\n", ABSENT),  # inside another option's quotes, read by the second shell
        (f'JAVA_ARGS="{ON}"\r\n', FALSE),  # "true\r"
        (f'JAVA_ARGS="{ON} -Dhost=$(hostname)"\n', TRUE),
        (f'JAVA_ARGS="{ON} $(more)"\n', UNKNOWN),
        (f'JAVA_ARGS="$(more) {ON}"\n', TRUE),
        (f'JAVA_ARGS="{FLAG}=$(cat /x)"\n', UNKNOWN),
        (f'JAVA_ARGS="-D$(cat /x) {ON} @/etc/args"\n', UNKNOWN),
        (f'if [ -f /x ]; then JAVA_ARGS="{ON}"; fi\n', UNKNOWN),
        (f'if [ -f /x ]; then JAVA_ARGS="{ON}"; else JAVA_ARGS="{ON} -X"; fi\nJAVA_ARGS="{ON}"\n', TRUE),
        (f'JAVA_ARGS="{ON}"\n[ -f /x ] && JAVA_ARGS="$JAVA_ARGS -Dy=z"\n', TRUE),
        (f'JAVA_ARGS="{ON}\n', UNKNOWN),  # a quote that does not close
        (f'JAVA_ARGS="-X"\nexport _JAVA_OPTIONS={ON}\n', TRUE),
        (f'JAVA_ARGS="{ON}"\nexport _JAVA_OPTIONS={FLAG}=no\n', FALSE),
        (f'JAVA_ARGS="{ON}"\nexport JAVA_TOOL_OPTIONS={FLAG}=no\n', TRUE),
        (f"cat <<EOF\nJAVA_ARGS='{ON}\nEOF\nJAVA_ARGS=-X\n", ABSENT),
    ],
)
def test_the_default_file_of_the_deb(default, expected):
    assert deb(default).flag == expected


def test_the_launcher_names_the_variable_that_it_reads():
    found = deb('JAVA_ARGS="-X"\n')
    assert "JAVA_ARGS" in found.variables
    assert found.files == ["/launcher", "/etc/default/cloudbees-core-cm"]


@pytest.mark.parametrize("script", [RPM, OLD_RPM])
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f'JENKINS_JAVA_OPTIONS="-Dx=y {ON}"', TRUE),
        ('JENKINS_JAVA_OPTIONS="-Dx=y"', ABSENT),
        (f'JAVA_ARGS="{ON}"', ABSENT),
    ],
)
def test_the_sysconfig_string(script, line, expected):
    assert ask(script, {"/etc/sysconfig/cm": 'JENKINS_JAVA_CMD=""\n' + line + "\n"}).flag == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (f'JENKINS_JAVA_OPTIONS=( "-Dx=two words" "{ON}" )', TRUE),
        (f'JENKINS_JAVA_OPTIONS=(\n  "-Dx=two words" # why\n  {ON}\n)', TRUE),
        (f'JENKINS_JAVA_OPTIONS=( "-Dx=y {ON}" )', ABSENT),  # one argument
        (f'JENKINS_JAVA_OPTIONS=( -Dx=y )\nJENKINS_JAVA_OPTIONS+=( "{ON}" )', TRUE),
        (f"JENKINS_JAVA_OPTIONS=( {ON} {FLAG}=false )", FALSE),
        (f"JENKINS_JAVA_OPTIONS=( {ON}", UNKNOWN),
    ],
)
def test_the_sysconfig_array(lines, expected):
    assert ask(RPM, {"/etc/sysconfig/cm": 'JENKINS_JAVA_CMD=""\n' + lines + "\n"}).flag == expected


def test_the_oss_launcher_takes_its_options_from_the_unit():
    assert ask(OSS, JAVA_OPTS="-X " + ON).flag == TRUE
    assert ask(OSS, JAVA_OPTS="-X").flag == ABSENT
    assert ask(OSS, JENKINS_JAVA_OPTIONS=ON).flag == ABSENT
    assert "JAVA_OPTS" in ask(OSS, JAVA_OPTS="-X").variables


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"exec java \\\n  {ON} \\\n  -jar /opt/x.war --port=1", TRUE),
        (f"exec java -jar {ON} /opt/x.war", TRUE),
        (f"exec java -jar /opt/x.war {ON}", ABSENT),
        (f"exec java -Xmx1g \\ \n  {ON} \\\n -jar /opt/x.war", UNKNOWN),  # "\ " cuts the command
        (f'OPTS="{ON}"\nnohup "$JAVA_HOME/bin/java" $OPTS -jar "$WAR" &', TRUE),
        (f'OPTS="-Dx=y {ON}"\njava "$OPTS" -jar x.war', ABSENT),  # quoted: one argument
        (f"# java {ON} -jar x.war\njava -jar x.war", ABSENT),
        (f"echo java {ON} -jar x.war\njava -jar x.war", ABSENT),
        (f"java {ON} -jar cli.jar", UNKNOWN),
        ("catalina.sh run", UNKNOWN),
    ],
)
def test_a_launch_script(line, expected):
    assert ask("#!/bin/sh\n" + line + "\n").flag == expected


SCRIPTS = {
    "/srv/ci/lib/common.sh": 'run() { exec /srv/ci/bin/launch.sh "$@"; }\n',
    "/srv/ci/bin/launch.sh": f'#!/bin/sh\nexec java {ON} -jar "$(dirname "$0")/../app.war" "$@"\n',
    "/srv/ci/bin/plain": "#!/usr/bin/env bash\nexec java $JAVA_OPTS -jar /srv/ci/app.war\n",
    "/srv/ci/bin/other": '#!/bin/sh\nexec /srv/ci/bin/plain "$@"\n',
    "/srv/ci/run.py": "#!/usr/bin/python3\nimport os\nos.execvp('java', ['java', '-jar', '/srv/ci/app.war'])\n",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # functions of a file that is sourced, and the scripts that they run
        ('. /srv/ci/lib/common.sh; run "$@"', TRUE),
        ('. "$(dirname "$0")/../lib/common.sh"; run "$@"', TRUE),
        ('HERE=$(cd "$(dirname "$0")" && pwd)\n. $HERE/../lib/common.sh\nrun', TRUE),
        ("cd /srv/ci\n. ./lib/common.sh\nrun", TRUE),
        ("exec /srv/ci/bin/launch.sh", TRUE),
        ('su - ci -c "cd /srv/ci && exec ./bin/launch.sh" >/dev/null 2>&1 &', TRUE),
        ("nohup setsid /bin/sh /srv/ci/bin/launch.sh &", TRUE),
        # a script gets what is exported, and nothing else
        (f"JAVA_OPTS={ON}\n/srv/ci/bin/other", ABSENT),
        (f"export JAVA_OPTS={ON}\n/srv/ci/bin/other", TRUE),
        (f"JAVA_OPTS={ON} exec /srv/ci/bin/other", TRUE),
        (f"export _JAVA_OPTIONS={ON}\n/srv/ci/bin/plain", TRUE),
        (f"if [ -e /x ]; then export JAVA_OPTS={ON}; fi\n/srv/ci/bin/plain", UNKNOWN),
        ("/srv/ci/bin/plain || /srv/ci/bin/launch.sh", UNKNOWN),
        # what only has the name of one
        ("cp /srv/ci/bin/launch.sh /tmp", UNKNOWN),
        ("/srv/ci/run.py", UNKNOWN),
        ("exec /srv/ci/bin/start.sh", UNKNOWN),  # itself
    ],
)
def test_what_a_script_calls_is_followed(text, expected):
    answer = shelltext.ask("/srv/ci/bin/start.sh", f"#!/bin/sh\n{text}\n", {}, normal)
    assert answer.flag == expected, answer
    assert bool(answer.wars) is (expected != UNKNOWN or "plain" in text), answer


def normal(path):
    """A file, by a name that may lead up and down again."""
    return SCRIPTS.get(posixpath.normpath(path))


def test_a_reason_carries_no_text_of_the_file():
    found = deb('JAVA_ARGS="-Djavax.net.ssl.keyStorePassword=geheim\n')
    assert found.flag == UNKNOWN
    assert "geheim" not in found.why + repr(found)


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        ([ON, "-jar", "x.war"], {}, (TRUE, "the command line")),
        ([ON, "-jar", "x.war"], {"_JAVA_OPTIONS": FLAG + "=false"}, (FALSE, "_JAVA_OPTIONS")),
        (["-jar", "x.war"], {"JAVA_TOOL_OPTIONS": ON}, (TRUE, "JAVA_TOOL_OPTIONS")),
        (["-jar", "x.war"], {"JAVA_TOOL_OPTIONS": ON, "JDK_JAVA_OPTIONS": FLAG}, (FALSE, "JDK_JAVA_OPTIONS")),
        (["-jar", "x.war", ON], {}, (ABSENT, "")),
        (["-jar", ON, "x.war"], {}, (TRUE, "the command line")),
        ([FLAG + "=true ", "-jar", "x.war"], {}, (FALSE, "the command line")),
        (["@args", "-jar", "x.war"], {}, (UNKNOWN, "the command line")),
        (["-jar", "x.war"], {"_JAVA_OPTIONS": f"-Dx='a b' \"{ON}\""}, (TRUE, "_JAVA_OPTIONS")),
    ],
)
def test_what_a_jvm_makes_of_its_options(arguments, environment, expected):
    assert jvmtext.in_effect(arguments, environment)[:2] == expected


def test_the_environment_of_a_unit():
    assert unittext.environment('"JAVA_OPTS=-Da=b c" X=1 "Q=\\"y\\" \\$z"') == {
        "JAVA_OPTS": "-Da=b c",
        "X": "1",
        "Q": '"y" $z',
    }
    assert unittext.environment("$'A=x\\ny' B=2") == {"A": "x\ny", "B": "2"}


def test_an_environment_file_is_not_shell():
    text = "# c\nA=x y  \nB=\"one\ntwo\" \n; d\nC='$A' \nD=a\\\nb\nexport E=1\nno line\nF=\n"
    found = unittext.environment_file(text)
    assert found["A"] == "x y"
    assert found["B"] == "one\ntwo"
    assert found["C"] == "$A"
    assert found["D"] == "ab"
    assert "E" not in found
    assert found["F"] == ""


def test_systemctl_show_with_values_over_several_lines():
    found = unittext.properties(
        ["Id=x.service", "ExecStart={ path=/bin/sh ; argv[]=/bin/sh -c a", "b ; ignore_errors=no ; }"]
    )
    assert unittext.commands(found["ExecStart"]) == [("/bin/sh", "/bin/sh -c a\nb")]
    assert unittext.arguments("/usr/bin/java $O -jar ${W}", {"O": "-a -b", "W": "x y"}) == [
        "/usr/bin/java", "-a", "-b", "-jar", "x y",
    ]  # fmt: skip

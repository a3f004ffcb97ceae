"""What launch scripts print to themselves: folders of scripts, and options that stand in files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hostroot import FLAG, Host

UNIT = "/etc/systemd/system/cloudbees-cm.service"
PLACE = "/opt/ci"
OPTIONS = f"# options\n-Xmx1g\n{FLAG}\n"
VARIABLES = f"# variables\nJAVA_OPTS={FLAG}\n\nHOME_OF='/x y'\n"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A launch script beside a setenv.sh that sets the flag, and other files with it."""
    host = Host(tmp_path / "host")
    host.write(f"{PLACE}/jenkins.war", "PK")
    host.write(f"{PLACE}/setenv.sh", f'JAVA_OPTS="{FLAG}"\n')
    host.write(f"{PLACE}/options", OPTIONS)
    host.write(f"{PLACE}/variables", VARIABLES)
    host.write(f"{PLACE}/conf.d/10-a.sh", "JAVA_OPTS=-Xmx1g\n")
    host.write(f"{PLACE}/conf.d/20-b.sh", f'JAVA_OPTS="$JAVA_OPTS {FLAG}"\n')
    (host.root / "opt/ci/empty").mkdir()
    (host.root / "opt/link").symlink_to("ci")
    host.write("/opt/bin/placeholder", "")
    (host.root / "opt/bin/ci").symlink_to("../ci/start.sh")
    return host


def _unit(
    host: Host, text: str, start: str = f"{PLACE}/start.sh", more: str = "", shell: str = "bash"
) -> tuple[str, str]:
    host.write(f"{PLACE}/start.sh", f"#!/bin/{shell}\n{text}", 0o755)
    host.write(UNIT, f"[Service]\nExecStart={start}\n{more}")
    _definition, outcome = host.only()
    return outcome.verdict, outcome.reason or ""


_JAVA = f"exec java $JAVA_OPTS -jar {PLACE}/jenkins.war\n"


@pytest.mark.parametrize(
    "folder",
    [
        'cd "$(dirname "$0")"\n. ./setenv.sh\n',
        'cd "$(dirname "$0")" || exit 1\n[ -f ./setenv.sh ] && . ./setenv.sh\n',
        'cd "$(dirname "$(readlink -f "$0")")"\n[ -r setenv.sh ] || exit 1\n. ./setenv.sh\n',
        'here=$(cd "$(dirname "$0")" && pwd)\n. "$here/setenv.sh"\n',
        'here=$(cd "$(dirname "$0")" >/dev/null 2>&1 && pwd -P)\n. "$here/setenv.sh"\n',
        "here=$(cd `dirname $0`; pwd)\n. $here/setenv.sh\n",
        'here="$(cd "$(dirname "$0")/.."; pwd)"\n. "$here/ci/setenv.sh"\n',
        '. "${0%/*}/setenv.sh"\n',
        '. "$(dirname "$(realpath "$0")")/setenv.sh"\n',
        'here=$(dirname -- "$(readlink -f -- "$0")")\nname=$(basename "$here")\n. "/opt/$name/setenv.sh"\n',
        'name=$(basename "$0" .sh)\n[ "$name" = start ] && . /opt/ci/setenv.sh\n',
        'pushd "$(dirname "$0")" >/dev/null\n. ./setenv.sh\n',
        'here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"\nsource "$here/setenv.sh"\n',
        f'export $(grep -v "^#" {PLACE}/variables | xargs)\n',
        f"export $(grep -v '^#' {PLACE}/variables)\n",
        f"export $(grep -Ev '^\\s*(#|$)' {PLACE}/variables | xargs)\n",
        f"export $(sed '/^#/d' {PLACE}/variables | xargs)\n",
        f"JAVA_OPTS=$(grep -v '^#' {PLACE}/options | xargs)\n",
        f"JAVA_OPTS=$(grep -v '^#' {PLACE}/options | tr '\\n' ' ')\n",
        f"JAVA_OPTS=`grep -v '#' < {PLACE}/options`\n",
        f"JAVA_OPTS=$(sed -e 's/#.*$//' {PLACE}/options | xargs)\n",
        f"JAVA_OPTS=$(tail -1 {PLACE}/options)\n",
        f"JAVA_OPTS=$(grep ^JAVA_OPTS {PLACE}/variables | cut -d= -f2-)\n",
        f"JAVA_OPTS=$(cat {PLACE}/options | grep -v '#' | paste -sd' ')\n",
        f"cd {PLACE}\nJAVA_OPTS=$(cat options | tail -n 2 | xargs)\n",
        "cd /opt\ncd ci\nJAVA_OPTS=$(tail -n 2 <./options)\n",
        f"while read -r line; do JAVA_OPTS=$line; done < {PLACE}/options\n",
        f'shopt -s nullglob\nfor f in {PLACE}/empty/*.sh {PLACE}/conf.d/*.sh; do . "$f"; done\n',
        f'shopt -s nullglob\nfiles=({PLACE}/conf.d/*.sh)\nfor f in "${{files[@]}}"; do . "$f"; done\n',
        f"cd {PLACE}/conf.d\nfor f in *.sh; do . ./$f; done\n",
    ],
)
def test_it_is_resolved_where_a_static_reader_can_know(host: Host, folder: str) -> None:
    assert _unit(host, folder + _JAVA) == ("disabled", "")


@pytest.mark.parametrize(
    "text",
    [
        "JAVA_OPTS=$(cat /run/ci/options)\n",
        "JAVA_OPTS=$(cat /proc/cmdline)\n",
        f"./generate {PLACE}/options\nJAVA_OPTS=$(cat {PLACE}/options)\n",
        f"env | grep JAVA > {PLACE}/options\nJAVA_OPTS=$(cat {PLACE}/options)\n",
        f"env > {PLACE}/setenv.sh\n. {PLACE}/setenv.sh\n",
        "JAVA_OPTS=$(awk 1 /opt/ci/options)\n",
        'JAVA_OPTS=$(echo "it\'s" | xargs)\n',
        "cd /opt/missing\n. ./setenv.sh\n",
        "shopt -s nullglob failglob\n",
    ],
)
def test_what_cannot_be_known_has_a_reason(host: Host, text: str) -> None:
    verdict, reason = _unit(host, text + _JAVA)
    assert verdict == "unresolvable"
    assert reason


@pytest.mark.parametrize(
    ("command", "word"),
    [
        ("/bin/bash -c 'exec java -Da=$$0 -jar /opt/ci/jenkins.war'", "-Da=/bin/bash"),
        ("/bin/sh -c 'exec java -Da=$$0 -jar /opt/ci/jenkins.war' /opt/ci/name", "-Da=/opt/ci/name"),
        ("/usr/bin/env sh -c 'exec java -Da=$$0$$1 -jar /opt/ci/jenkins.war' x y", "-Da=xy"),
    ],
)
def test_a_string_for_a_shell_is_called_like_the_shell_or_by_the_word_behind_it(
    host: Host, command: str, word: str
) -> None:
    host.write(UNIT, f"[Service]\nExecStart={command}\n")
    assert ("options", (word,)) in host.only()[1].vectors[0]


def test_a_link_to_the_script_is_followed_as_readlink_does(host: Host) -> None:
    text = 'cd "$(dirname "$(readlink -f "$0")")"\n. ./setenv.sh\n'
    assert _unit(host, text + _JAVA, "/opt/bin/ci") == ("disabled", "")
    verdict, reason = _unit(host, text.replace("readlink -f", "echo") + _JAVA, "/opt/bin/ci")
    assert verdict != "disabled", reason


def test_pwd_keeps_the_link_by_which_it_came_and_pwd_p_does_not(host: Host) -> None:
    text = 'cd /opt/link\nJAVA_OPTS="-Da=$(pwd) -Db=$(pwd -P) -Dc=$PWD"\n'
    host.write(f"{PLACE}/start.sh", "#!/bin/dash\n" + text + _JAVA, 0o755)
    host.write(UNIT, f"[Service]\nExecStart={PLACE}/start.sh\n")
    _definition, outcome = host.only()
    assert ("options", ("-Da=/opt/link", "-Db=/opt/ci", "-Dc=/opt/link")) in outcome.vectors[0]


@pytest.mark.parametrize(
    ("more", "verdict"),
    [
        (f"WorkingDirectory={PLACE}\n", "disabled"),
        ("WorkingDirectory=/opt/link\n", "disabled"),
        ("User=ci\nWorkingDirectory=~\n", "disabled"),
        (f"WorkingDirectory=-{PLACE}\n", "disabled"),
        ("WorkingDirectory=/opt/%N\n", "enabled"),
        ("WorkingDirectory=/opt/%j\n", "enabled"),
        ("", "enabled"),
        ("WorkingDirectory=/opt/%m\n", "unresolvable"),
        ("WorkingDirectory=-/opt/missing\n", "unresolvable"),
        ("WorkingDirectory=opt\n", "unresolvable"),
        ("WorkingDirectory=~\n", "unresolvable"),
        (f"WorkingDirectory={PLACE}\nWorkingDirectory=\n", "enabled"),
    ],
)
def test_a_service_starts_in_its_working_directory(host: Host, more: str, verdict: str) -> None:
    host.write("/etc/passwd", f"root:x:0:0::/root:/bin/sh\nci:x:997:997::{PLACE}:/bin/sh\n")
    host.write("/opt/cloudbees-cm/setenv.sh", "JAVA_OPTS=-Da=b\n")
    host.write("/opt/cm/setenv.sh", "JAVA_OPTS=-Da=b\n")
    assert _unit(host, "if [ -f setenv.sh ]; then . ./setenv.sh; fi\n" + _JAVA, more=more)[0] == verdict


def test_a_relative_war_is_that_of_the_working_directory(host: Host) -> None:
    host.write(UNIT, f"[Service]\nWorkingDirectory={PLACE}\nExecStart=/usr/bin/java -jar jenkins.war\n")
    _definition, outcome = host.only()
    assert outcome.programs == (f"{PLACE}/jenkins.war",)


def test_an_option_that_is_read_from_a_file_is_edited_there(host: Host) -> None:
    text = f"JAVA_OPTS=$(grep -v '^#' {PLACE}/options | xargs)\n" + _JAVA
    assert _unit(host, text)[0] == "disabled"
    assert host.declare("enabled") == [f"{PLACE}/options"]
    assert FLAG not in host.read(f"{PLACE}/options")
    assert host.verdict() == "enabled"


@pytest.mark.parametrize("line", ["cat", "cat | xargs", "grep -v '^#'", "xargs"])
def test_what_is_printed_of_no_known_input_is_unknown(host: Host, line: str) -> None:
    assert _unit(host, f"JAVA_OPTS=$({line})\n" + _JAVA)[0] == "unresolvable"


def test_dash_knows_no_short_form_of_cat(host: Host) -> None:
    host.write(f"{PLACE}/plain", FLAG)
    text = f"JAVA_OPTS=$(< {PLACE}/plain)\n" + _JAVA
    assert _unit(host, text)[0] == "disabled"
    assert _unit(host, text, shell="dash")[0] == "enabled"


@pytest.mark.parametrize(
    "name", ["chroot", "nsenter", "proot", "bwrap", "schroot", "systemd-nspawn", "/usr/sbin/chroot"]
)
@pytest.mark.parametrize("line", ["exec %s /srv java -jar @/jenkins.war\n", "%s /srv @/other.sh\n", "%s /x @/x.war\n"])
def test_a_chroot_shows_other_files(host: Host, line: str, name: str) -> None:
    verdict, reason = _unit(host, "# java -jar jenkins.war\n" + (line % name).replace("@", PLACE))
    assert verdict == "unresolvable"
    assert f"'{name}' shows what it starts other files than the host's" in reason


@pytest.mark.parametrize(
    ("text", "end"),
    [
        (
            "[ -x /opt/ci/nothing ] || exit 5\njava -jar /opt/ci/jenkins.war\n",
            "the last command is 'exit 5' (@:2), because '[ -x /opt/ci/nothing ]' (@:2) is false",
        ),
        (
            'if [ "$1" = start ]; then\n  java -jar /opt/ci/jenkins.war\nfi\necho done\n',
            "the last command is 'echo' (@:5), because '[ \"$1\" = start ]' (@:2) is false",
        ),
        (
            'up() { java -jar /opt/ci/jenkins.war; }\ncase "$1" in\n  start) up ;;\n  *) echo usage; exit 1 ;;\nesac\n',
            "the last command is 'exit 1' (@:5), because 'case \"$1\"' (@:3) takes the branch '*'",
        ),
        (
            'case "$1" in\n  start) java -jar /opt/ci/jenkins.war ;;\nesac\ntrue\n',
            "the last command is 'true' (@:5), because 'case \"$1\"' (@:2) takes no branch",
        ),
        (
            "[[ -d /opt/ci && ! -e /opt/nothing ]] && exit\njava -jar /opt/ci/jenkins.war\n",
            "because '[[ -d /opt/ci && ! -e /opt/nothing ]]' (@:2) is true",
        ),
        ('[ "$API_TOKEN" = hunter2 ] && java -jar /opt/ci/jenkins.war\ntrue\n', "because '$API_TOKEN' (@:2) is"),
        ('[ "$WHO" = 8f3a99c0aa ] && java -jar /opt/ci/jenkins.war\ntrue\n', "'[ \"$WHO\" = ... ]'"),
        ("set -e\nfalse\njava -jar /opt/ci/jenkins.war\n", "the last command is 'false' (@:3)"),
        (
            "set -e\nif [ -d /opt/ci ]; then\n  false\nfi\njava -jar /opt/ci/jenkins.war\n",
            "the last command is 'false' (@:4), because '[ -d /opt/ci ]' (@:3) is true",
        ),
        (
            "# java -jar jenkins.war\nopt/ci/other -Dpassword=hunter2 --start\n",
            "the last command is 'opt/ci/other' (@:3)",
        ),
    ],
)
def test_where_a_walk_ends_without_a_jvm_is_said_without_values(host: Host, text: str, end: str) -> None:
    verdict, reason = _unit(host, text)
    assert verdict == "unresolvable"
    assert end.replace("@", f"{PLACE}/start.sh") in reason
    assert "hunter2" not in reason and "8f3a" not in reason


@pytest.mark.parametrize(
    ("passed_over", "tells"),
    [
        ("java -version", True),
        ('"$J" -jar x', True),
        ('"$J" /opt/x.war', True),
        ("/opt/catalina.sh run", True),
        ("daemon x", True),
        ('exec "$J"', True),
        ("up", True),
        ("sleep 1", False),
        ("executed", False),
    ],
)
def test_what_leads_past_a_jvm_is_said_of_what_may_start_one(host: Host, passed_over: str, tells: bool) -> None:
    text = f'# java -jar jenkins.war\nup() {{ "$J" -jar x; }}\nif [ "$1" = start ]; then {passed_over}; fi\necho done\n'
    verdict, reason = _unit(host, text)
    assert verdict == "unresolvable" and "the last command is 'echo'" in reason
    assert ("because '[ \"$1\" = start ]'" in reason) is tells


@pytest.mark.parametrize(
    "text",
    [
        "cp /opt/ci/setenv.sh /opt/saved\n. /opt/ci/setenv.sh\n",
        "grep -q x /opt/ci/setenv.sh; sed -n p /opt/ci/setenv.sh >/dev/null\n. /opt/ci/setenv.sh\n",
        'exec >>"$(date +%F)" 2>&1\n. /opt/ci/setenv.sh\n',
    ],
)
def test_who_only_reads_a_file_does_not_make_it_unknown(host: Host, text: str) -> None:
    assert _unit(host, text + _JAVA) == ("disabled", "")


@pytest.mark.parametrize(
    "name",
    (
        "awk basename cat chgrp chmod chown cmp cut date df diff dirname du echo egrep false file find grep head id kill "
        "logger ls md5sum mkdir pgrep pidof printf ps readlink realpath sed sha256sum sleep sort stat tail test touch tr "
        "true ulimit umask wait wc which"
    ).split(),
)
def test_who_only_looks_at_a_file_does_not_make_it_unknown(host: Host, name: str) -> None:
    assert _unit(host, f"{name} x {PLACE}/setenv.sh >/dev/null\n. {PLACE}/setenv.sh\n" + _JAVA) == ("disabled", "")


@pytest.mark.parametrize("name", ["cp", "install", "ln"])
def test_who_copies_writes_the_last(host: Host, name: str) -> None:
    text = f"{name} {PLACE}/%s {PLACE}/%s\n. {PLACE}/setenv.sh\n" + _JAVA
    assert _unit(host, text % ("setenv.sh", "other"))[0] == "disabled"
    assert _unit(host, text % ("other", "setenv.sh"))[0] == "unresolvable"


@pytest.mark.parametrize(
    "text",
    [
        "sed -i s/true/false/ /opt/ci/setenv.sh\n",
        "sed --in-place s/true/false/ /opt/ci/setenv.sh\n",
        "other /opt/ci/setenv.sh\n",
        "{ env; } > /opt/ci/setenv.sh\n",
        "env | tee /opt/ci/setenv.sh\n",
        "cd /opt/ci\ncp other setenv.sh\ncat other > ./setenv.sh\n",
        "cp /opt/other /opt/ci/setenv.sh\n",
    ],
)
def test_who_writes_a_file_before_it_is_sourced_makes_it_unknown(host: Host, text: str) -> None:
    verdict, reason = _unit(host, text + ". /opt/ci/setenv.sh\n" + _JAVA)
    assert verdict == "unresolvable"
    assert "it sources /opt/ci/setenv.sh, which may be written before" in reason

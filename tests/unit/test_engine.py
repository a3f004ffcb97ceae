"""Reading and editing launch configuration: the live variable, the verdict, and edits that lose nothing."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostroot import FLAG, Host

from ansible_collections.cbops.telemetry.plugins.module_utils._answer import state
from ansible_collections.cbops.telemetry.plugins.module_utils.edit import _declare
from ansible_collections.cbops.telemetry.plugins.module_utils.edit._declare import declare
from ansible_collections.cbops.telemetry.plugins.module_utils.edit._writing import Refused
from ansible_collections.cbops.telemetry.plugins.module_utils.launch import _declarations, _discovery, _live
from ansible_collections.cbops.telemetry.plugins.module_utils.survey._survey import survey

PROPERTY = FLAG[2 : -len("=true")]

# (text of /etc/default, verdict): what the sourcing shell and then `su -c` make of it.
DEB_CASES = {
    "nothing set": ("", "enabled"),
    "other options": ('JAVA_ARGS="-Djava.awt.headless=true -Xmx1g"\n', "enabled"),
    "the flag": (f'JAVA_ARGS="-Xmx1g {FLAG}"\n', "disabled"),
    "single quotes": (f"JAVA_ARGS='-Xmx1g {FLAG}'\n", "disabled"),
    "unquoted": (f"JAVA_ARGS={FLAG}\n", "disabled"),
    "export": (f'export JAVA_ARGS="{FLAG}"\n', "disabled"),
    "many lines": (f'JAVA_ARGS="-Xmx1g \\\n  {FLAG} \\\n  -Da=b"\n', "disabled"),
    "line ends that cut the command": (f'JAVA_ARGS="-Xmx1g\n{FLAG}\n"\n', "unresolvable"),
    "append": (f'JAVA_ARGS="-Xmx1g"\nJAVA_ARGS="$JAVA_ARGS {FLAG}"\n', "disabled"),
    "plus equals": (f'JAVA_ARGS="-Xmx1g"\nJAVA_ARGS+=" {FLAG}"\n', "disabled"),
    "through another variable": (f'OFF={FLAG}\nJAVA_ARGS="-Xmx1g ${{OFF}}"\n', "disabled"),
    "default expansion": (f'JAVA_ARGS="${{EXTRA:-{FLAG}}}"\n', "disabled"),
    "last assignment counts": (f'JAVA_ARGS="{FLAG}"\nJAVA_ARGS="-Xmx1g"\n', "enabled"),
    "last -D wins": (f'JAVA_ARGS="{FLAG} -D{PROPERTY}=false"\n', "enabled"),
    "any case": (f'JAVA_ARGS="-D{PROPERTY}=TRUE"\n', "disabled"),
    "yes is not true": (f'JAVA_ARGS="-D{PROPERTY}=yes"\n', "enabled"),
    "no value": (f'JAVA_ARGS="-D{PROPERTY}"\n', "enabled"),
    "comment": (f'#JAVA_ARGS="{FLAG}"\n', "enabled"),
    "dead variable": (f'JENKINS_JAVA_OPTIONS="{FLAG}"\n', "enabled"),
    "program argument": (f'JENKINS_ARGS="$JENKINS_ARGS {FLAG}"\n', "enabled"),
    "before the war": (f'JENKINS_WAR="{FLAG} $JENKINS_WAR"\n', "disabled"),
    "branch taken": (f'if [ -n "$NAME" ]; then JAVA_ARGS="{FLAG}"; fi\n', "disabled"),
    "branch not taken": (f'if [ -z "$NAME" ]; then JAVA_ARGS="{FLAG}"; fi\n', "enabled"),
    "branch unknown": (f'if grep -q x /proc/cmdline; then JAVA_ARGS="{FLAG}"; fi\n', "unresolvable"),
    "both branches": (f'if grep -q x /etc/x; then JAVA_ARGS="{FLAG}"; else JAVA_ARGS="-Da=b {FLAG}"; fi\n', "disabled"),
    "here-document": (f'cat <<EOF >/dev/null\nJAVA_ARGS="{FLAG}"\nEOF\n', "enabled"),
    "command substitution": ('JAVA_ARGS="$(get-java-options)"\n', "unresolvable"),
    "carriage return in the value": (f"JAVA_ARGS={FLAG}\r\n", "enabled"),
    "sourced file of unknown name": ('. "$(cat /etc/name)"\n', "unresolvable"),
    "JAVA_TOOL_OPTIONS not exported": (f'JAVA_TOOL_OPTIONS="{FLAG}"\n', "enabled"),
    "syntax error": ('JAVA_ARGS="-Xmx1g\n', "unresolvable"),
}


@pytest.mark.parametrize(("text", "verdict"), DEB_CASES.values(), ids=DEB_CASES)
def test_deb_layout_is_read_as_the_shell_reads_it(host: Host, text: str, verdict: str) -> None:
    host.deb(text)
    assert host.verdict() == verdict


EDITABLE = [name for name, (_text, verdict) in DEB_CASES.items() if verdict != "unresolvable"]


@pytest.mark.parametrize("name", EDITABLE)
def test_disabling_makes_the_next_start_disabled_and_is_idempotent(host: Host, name: str) -> None:
    host.deb(DEB_CASES[name][0])
    changed = host.declare("disabled")
    assert changed == ([] if DEB_CASES[name][1] == "disabled" else ["/etc/default/cloudbees-core-cm"])
    assert host.verdict() == "disabled"
    assert host.declare("disabled") == []


@pytest.mark.parametrize("name", EDITABLE)
def test_enabling_makes_the_next_start_enabled_and_is_idempotent(host: Host, name: str) -> None:
    host.deb(DEB_CASES[name][0])
    host.declare("enabled")
    assert host.verdict() == "enabled"
    assert host.declare("enabled") == []


UNDONE = {
    "double quotes": 'JAVA_ARGS="-Xmx1g"\n',
    "empty double quotes": 'JAVA_ARGS=""\n',
    "empty": "JAVA_ARGS=\n",
    "unquoted": "JAVA_ARGS=-Xmx1g\n",
    "single quotes": "JAVA_ARGS='-Xmx1g'\n",
    "blank at the end": 'JAVA_ARGS="-Xmx1g "\n',
    "many lines": 'JAVA_ARGS="-Xmx1g \\\n   -Da=b \\\n"\n',
    "append": 'JAVA_ARGS="-Xmx1g"\nJAVA_ARGS="$JAVA_ARGS -Da=b"\n',
    "not set": "",
    "no final newline": 'JAVA_ARGS="-Xmx1g"',
    "not set, no final newline": "A=b",
    "a comment behind": 'JAVA_ARGS="-Xmx1g" # memory\n',
    "latin-1": 'JAVA_ARGS="-Duser=M\xfcller"\n',
    "in both branches": 'if grep -q x /etc/x; then JAVA_ARGS="-Xmx1g"; else JAVA_ARGS="-Xmx2g"; fi\n',
}


@pytest.mark.parametrize("text", UNDONE.values(), ids=UNDONE)
def test_enabled_gives_back_every_byte(host: Host, text: str) -> None:
    host.deb(text)
    before = host.read("/etc/default/cloudbees-core-cm")
    assert host.declare("disabled")
    assert host.verdict() == "disabled"
    after = host.read("/etc/default/cloudbees-core-cm")
    assert after != before
    assert host.declare("enabled")
    assert host.read("/etc/default/cloudbees-core-cm") == before


@pytest.mark.parametrize("locale", [None, "LANG=C.UTF-8\n", 'LANG=C\nJAVA_TOOL_OPTIONS="-Da=b"\n'])
@pytest.mark.parametrize("name", EDITABLE)
def test_files_of_the_machine_are_sourced_last_and_never_edited(host: Host, name: str, locale: str | None) -> None:
    host.deb(DEB_CASES[name][0], locale)
    kept = {path: host.read(path) for path in ("/etc/environment", "/etc/default/locale") if locale or "env" in path}
    assert host.live().path == "/etc/default/cloudbees-core-cm"
    host.declare("disabled")
    assert host.verdict() == "disabled"
    assert {path: host.read(path) for path in kept} == kept


WHOLE_MACHINE = (
    "/etc/environment",
    "/etc/environment.d/java.conf",
    "/etc/default/locale",
    "/etc/locale.conf",
    "/etc/sysconfig/i18n",
    "/etc/sysconfig/network",
    "/etc/profile",
    "/etc/profile.d/java.sh",
    "/etc/bashrc",
    "/etc/bash.bashrc",
    "/etc/security/pam_env.conf",
    "/etc/pam.d/su",
    "/etc/login.defs",
    "/etc/default/useradd",
    "/etc/default/java",
    "/etc/rc.conf",
    "/etc/java/java.conf",
    "/etc/rc.d/init.d/functions",
    "/run/jenkins/env",
    "/var/run/env",
    "/usr/lib/ci/settings",
    "/etc/skel/x",
    "/var/lib/jenkins/.bash_profile",
    "/etc/./environment",
    "/etc/default/../environment",
)


@pytest.mark.parametrize("path", WHOLE_MACHINE)
def test_a_file_that_others_read_is_edited_in_no_way(host: Host, path: str) -> None:
    """Not where a script sources it, nor as EnvironmentFile, nor through a link, nor where the flag is in it."""
    real = os.path.normpath(path)
    for options in ("-Xmx1g", f"-D{PROPERTY}=false"):
        for link in (False, True):
            named = "/etc/ci/options" if link else path
            if link:
                (host.root / "etc/ci").mkdir(exist_ok=True)
                (host.root / "etc/ci/options").unlink(missing_ok=True)
                (host.root / "etc/ci/options").symlink_to(real)
            host.write(real, f'JAVA_OPTS="{options}"\n')
            host.script(f'#!/bin/sh\n. {named}\nJAVA_OPTS="$JAVA_OPTS" exec java $JAVA_OPTS -jar jenkins.war\n')
            try:
                assert real not in host.declare("disabled")
            except Refused:
                pass
            host.script("#!/bin/sh\nexec java $JAVA_OPTS -jar jenkins.war\n", "/opt/start.sh")
            host.write(
                "/etc/systemd/system/cloudbees-cm.service",
                f"[Service]\nEnvironmentFile={named}\nExecStart=/opt/start.sh\n",
            )
            try:
                assert not {real, named} & set(host.declare("disabled"))
            except Refused:
                pass
            assert host.read(real) == f'JAVA_OPTS="{options}"\n'


@pytest.mark.parametrize(
    "path",
    [
        "/etc/default/cloudbees-core-cm",
        "/etc/sysconfig/jenkins",
        "/etc/conf.d/jenkins",
        "/etc/rc.local",
        "/etc/rc.d/rc.local",
        "/opt/ci/setenv.sh",
        "/srv/ci/env",
        "/etc/default/locale-tools",
        "/etc/jenkins/jenkins.conf",
        "/root/start.sh",
        "/etc/systemd/system/x.service",
        "/var/lib/jenkins/environment",
    ],
)
def test_an_installations_own_files_may_be_edited(host: Host, path: str) -> None:
    assert host.files.may_be_edited(path)


def test_the_file_that_sets_the_options_comes_before_the_one_that_is_read_last(host: Host) -> None:
    host.write("/etc/default/ci", 'JAVA=/usr/bin/java\nJAVA_OPTS="-Xmx1g"\n')
    host.write("/opt/ci/later.sh", "TZ=UTC\n")
    host.script("#!/bin/sh\n. /etc/default/ci\n. /opt/ci/later.sh\nexec $JAVA $JAVA_OPTS -jar jenkins.war\n")
    assert host.declare("disabled") == ["/etc/default/ci"]
    assert host.read("/etc/default/ci") == f'JAVA=/usr/bin/java\nJAVA_OPTS="-Xmx1g {FLAG}"\n'
    host.write("/etc/default/ci", "JAVA=/usr/bin/java\n")
    host.write("/opt/ci/cloudbees-cm.conf", "TZ=UTC\n")
    host.script(
        "#!/bin/sh\n. /opt/ci/cloudbees-cm.conf\n. /etc/default/ci\n. /opt/ci/later.sh\n"
        "exec $JAVA $JAVA_OPTS -jar jenkins.war\n"
    )
    assert host.live() == _live.Live("/opt/ci/cloudbees-cm.conf", "JAVA_OPTS", "shell", False, True)


def test_what_cannot_be_resolved_is_not_edited(host: Host) -> None:
    host.deb('JAVA_ARGS="-Xmx1g\n')
    before = host.read("/etc/default/cloudbees-core-cm")
    with pytest.raises(Refused, match="cannot be resolved"):
        host.declare("disabled")
    assert host.read("/etc/default/cloudbees-core-cm") == before


@pytest.mark.parametrize(
    "text",
    [
        'JAVA_ARGS="$(options /etc/java-options)"\n',
        'JAVA_ARGS="-Xmx1g $(options /etc/options)"\n',
        f'if grep -q x /proc/cmdline; then JAVA_ARGS="-Xmx1g {FLAG}"; fi\n',
    ],
)
def test_what_is_not_known_before_the_flag_does_not_prevent_it(host: Host, text: str) -> None:
    host.deb(text)
    assert host.verdict() == "unresolvable"
    assert host.declare("disabled") == ["/etc/default/cloudbees-core-cm"]
    assert host.verdict() == "disabled" and host.declare("disabled") == []


@pytest.mark.parametrize(
    "text",
    [
        'if grep -q x /proc/cmdline; then JENKINS_WAR="$(options /etc/x) $JENKINS_WAR"; fi\n',
        'JENKINS_WAR="$(options /etc/java-options) $JENKINS_WAR"\n',
    ],
)
def test_what_is_not_known_behind_the_flag_prevents_it(host: Host, text: str) -> None:
    host.deb(text)
    with pytest.raises(Refused):
        host.declare("disabled")


def test_a_refusal_says_the_line_to_write_and_where(host: Host) -> None:
    """Without a word of what stands there: values can be secret."""
    host.deb('JAVA_ARGS="-Xmx1g -Dpassword=s3cr3t\n')
    with pytest.raises(Refused, match="/etc/default/cloudbees-core-cm") as error:
        host.declare("disabled")
    assert FLAG in str(error.value) and "s3cr3t" not in str(error.value) and "\n" not in str(error.value)
    host.deb('JENKINS_WAR="$(options /etc/java-options) $JENKINS_WAR"\n')
    with pytest.raises(Refused, match="by hand, as the last line of /etc/default/cloudbees-core-cm: JAVA_AR") as error:
        host.declare("disabled")
    assert f'JAVA_ARGS="$JAVA_ARGS {FLAG}"' in str(error.value)
    host.deb("")
    host.write("/etc/environment", f"JAVA_ARGS=-D{PROPERTY}=false\n")
    with pytest.raises(Refused, match="by hand: write .* in /etc/environment:1"):
        host.declare("disabled")
    host.write("/etc/environment", f"JAVA_ARGS={FLAG}\n")
    with pytest.raises(Refused, match="by hand: take out .* in /etc/environment:1"):
        host.declare("enabled")


def test_the_flag_is_not_taken_out_where_the_rest_is_unknown(host: Host) -> None:
    host.deb(f'JAVA_ARGS="$(options /etc/java-options) {FLAG}"\n')
    assert host.verdict() == "disabled"
    with pytest.raises(Refused, match="no edit was found"):
        host.declare("enabled")


RPM_CASES = {
    "string": ('JENKINS_JAVA_OPTIONS="-Djava.awt.headless=true"\n', "enabled"),
    "string with the flag": (f'JENKINS_JAVA_OPTIONS="-Da=b {FLAG}"\n', "disabled"),
    "array": ('JENKINS_JAVA_OPTIONS=( "-Da=b" "-Dnote=two words" )\n', "enabled"),
    "array with the flag": (f'JENKINS_JAVA_OPTIONS=( "-Da=b" {FLAG} )\n', "disabled"),
    "array of many lines": (f'JENKINS_JAVA_OPTIONS=(\n  -Da=b # x\n  "{FLAG}"\n)\n', "disabled"),
    "array and append": (f"JENKINS_JAVA_OPTIONS=(-Da=b)\nJENKINS_JAVA_OPTIONS+=({FLAG})\n", "disabled"),
    "flag as part of an element": (f'JENKINS_JAVA_OPTIONS=("-Da=b {FLAG}")\n', "enabled"),
    "dead variable": (f'JAVA_ARGS="{FLAG}"\n', "enabled"),
    "empty array": ("JENKINS_JAVA_OPTIONS=()\n", "enabled"),
}


@pytest.mark.parametrize(("text", "verdict"), RPM_CASES.values(), ids=RPM_CASES)
def test_rpm_layout_string_and_array(host: Host, text: str, verdict: str) -> None:
    host.rpm(text)
    assert host.verdict() == verdict
    before = host.read("/etc/sysconfig/cloudbees-core-cm")
    host.declare("disabled")
    assert host.verdict() == "disabled"
    assert host.declare("disabled") == []
    if verdict == "enabled":
        host.declare("enabled")
        assert host.read("/etc/sysconfig/cloudbees-core-cm") == before


def test_the_live_variable_is_the_one_the_launcher_reads(host: Host) -> None:
    host.deb(f'JENKINS_JAVA_OPTIONS="{FLAG}"\nJAVA_ARGS="-Xmx1g"\n')
    live = host.live()
    assert (live.path, live.variable, live.reader) == ("/etc/default/cloudbees-core-cm", "JAVA_ARGS", "shell")


def test_declarations_say_what_is_dead_and_why(host: Host) -> None:
    host.deb(f'#JAVA_ARGS="{FLAG}"\nJENKINS_JAVA_OPTIONS="{FLAG}"\nJAVA_ARGS="-D{PROPERTY}=false {FLAG}"\n')
    definition, outcome = host.only()
    found = _declarations.declarations(definition, outcome, host.live(), host.files)
    assert [(item.variable, item.value, item.live) for item in found] == [
        (None, "true", False),
        ("JENKINS_JAVA_OPTIONS", "true", False),
        ("JAVA_ARGS", "false", False),
        ("JAVA_ARGS", "true", True),
    ]
    assert found[0].reason == "it is a comment"
    assert found[1].reason == "the launcher reads JAVA_ARGS"
    assert "overridden by /etc/default/cloudbees-core-cm:" in (found[2].reason or "")


VENDOR = '[Service]\nEnvironment="JAVA_OPTS=-Djava.awt.headless=true"\n'
OSS_CASES = {
    "vendor only": ((), "enabled"),
    "flag in a drop-in": ((f'[Service]\nEnvironment="JAVA_OPTS=-Da=b {FLAG}"\n',), "disabled"),
    "later drop-in drops it": (
        (f'[Service]\nEnvironment="JAVA_OPTS={FLAG}"\n', '[Service]\nEnvironment="JAVA_OPTS=-Xmx1g"\n'),
        "enabled",
    ),
    "without quotes only the first word counts": ((f"[Service]\nEnvironment=JAVA_OPTS=-Da=b {FLAG}\n",), "enabled"),
    "reset": ((f'[Service]\nEnvironment="JAVA_OPTS={FLAG}"\nEnvironment=\n',), "enabled"),
    "comment": ((f'[Service]\n#Environment="JAVA_OPTS={FLAG}"\n',), "enabled"),
    "wrong section": ((f'[Unit]\nEnvironment="JAVA_OPTS={FLAG}"\n',), "enabled"),
    "percent": ((f'[Service]\nEnvironment="JAVA_OPTS=-Da=%%h {FLAG}"\n',), "disabled"),
    "joined lines": ((f'[Service]\nEnvironment="JAVA_OPTS=-Da=b \\\n  {FLAG}"\n',), "disabled"),
    "another variable": ((f'[Service]\nEnvironment="JENKINS_JAVA_OPTIONS={FLAG}"\n',), "enabled"),
    "_JAVA_OPTIONS beats it": (
        (f'[Service]\nEnvironment="JAVA_OPTS={FLAG}" "_JAVA_OPTIONS=-D{PROPERTY}=false"\n',),
        "enabled",
    ),
    "JAVA_TOOL_OPTIONS": ((f'[Service]\nEnvironment="JAVA_TOOL_OPTIONS={FLAG}"\n',), "disabled"),
}


@pytest.mark.parametrize(("drop_ins", "verdict"), OSS_CASES.values(), ids=OSS_CASES)
def test_systemd_package(host: Host, drop_ins: tuple[str, ...], verdict: str) -> None:
    host.oss(*drop_ins)
    assert host.verdict() == verdict


def test_environment_file_overrides(host: Host) -> None:
    host.oss(f'[Service]\nEnvironment="JAVA_OPTS={FLAG}"\nEnvironmentFile=-/etc/default/jenkins\n')
    host.write("/etc/default/jenkins", "JAVA_OPTS=-Xmx1g\n")
    assert host.verdict() == "enabled"
    assert host.live().reader == "EnvironmentFile"
    assert host.declare("disabled") == ["/etc/default/jenkins"]
    assert host.verdict() == "disabled"
    host.declare("enabled")
    assert host.read("/etc/default/jenkins") == "JAVA_OPTS=-Xmx1g\n"


def test_a_missing_environment_file_is_unresolvable(host: Host) -> None:
    host.oss("[Service]\nEnvironmentFile=/etc/default/jenkins\n")
    assert host.verdict() == "unresolvable"


@pytest.mark.parametrize(
    ("asks", "ways"),
    [("PATH= command -V {} >/dev/null", 1), ("PATH='' command -v {} >/dev/null", 1), ("command -v {} >/dev/null", 2)],
)
def test_which_functions_a_script_has_is_known(host: Host, asks: str, ways: int) -> None:
    host.script(f"""#!/bin/sh
do_start_override() {{ exec java {FLAG} -jar /opt/cloudbees/cm/cloudbees-core-cm.war; }}
if {asks.format("do_start_override")}; then :; else exit 1; fi
if {asks.format("do_reload")}; then OPTIONS=; fi
do_start_override
""")
    _definition, outcome = host.only()
    assert outcome.verdict == "disabled"
    assert outcome.walk is not None and outcome.walk.ways == ways


@pytest.mark.parametrize("quotes", ['""', "''"])
def test_in_an_environment_file_the_flag_stands_inside_empty_quotes(host: Host, quotes: str) -> None:
    host.write("/etc/default/jenkins", f"JAVA_OPTS={quotes}\n")
    host.oss("[Service]\nEnvironmentFile=/etc/default/jenkins\n")
    host.declare("disabled")
    assert host.read("/etc/default/jenkins") == f"JAVA_OPTS={quotes[0]}{FLAG}{quotes[1]}\n"
    host.declare("enabled")
    assert host.read("/etc/default/jenkins") == f"JAVA_OPTS={quotes}\n"


def test_what_a_killed_run_left_goes_though_nothing_is_to_be_written(host: Host) -> None:
    host.script("#!/bin/sh\nexec java -jar /opt/jenkins.war\n")
    folder = host.root / "opt/cloudbees/cm"
    left, others = ".start.sh.0965ec16798ad206.cbops-new~", [".start.sh.cbops-new~", "start.sh.0965ec16798ad206~"]
    for name in (left, *others):
        (folder / name).write_text("half")
    before = snapshot(host.root)
    told = declare("enabled", str(host.root), check=True)
    assert told.notes == ["what a run that was killed had left would be removed beside /opt/cloudbees/cm/start.sh"]
    assert snapshot(host.root) == before
    done = declare("enabled", str(host.root))
    assert done.notes == ["what a run that was killed had left was removed beside /opt/cloudbees/cm/start.sh"]
    assert sorted(path.name for path in folder.iterdir()) == sorted([*others, "start.sh"])
    assert declare("enabled", str(host.root)).notes == []


def test_what_others_call_so_leads_the_tidying_nowhere(host: Host) -> None:
    """Whoever may write in the folder of a launch file plants the name, and a link to somewhere else."""
    host.script("#!/bin/sh\nexec java -jar /opt/jenkins.war\n")
    folder = host.root / "opt/cloudbees/cm"
    host.write("/etc/else/.file.0965ec16798ad206.cbops-new~", "of somebody else")
    (folder / "evil").symlink_to("/etc/else/file")
    (folder / ".evil.0965ec16798ad206.cbops-new~").write_text("")
    before = snapshot(host.root)
    assert declare("enabled", str(host.root)).notes == []
    assert snapshot(host.root) == before


def test_what_a_killed_run_left_of_a_drop_in_that_is_not_there_goes_too(host: Host) -> None:
    host.oss()
    left = host.write(f"{OWN.rpartition('/')[0]}/.zzz-cbops-telemetry.conf.0965ec16798ad206.cbops-new~", "half")
    done = declare("enabled", str(host.root))
    assert done.notes == [f"what a run that was killed had left was removed beside {OWN}"]
    assert not os.path.exists(left)


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        ("sudo -n /usr/local/bin/mount-home.sh", "enabled"),
        ("sudo -n chown -R jenkins /usr/lib/jvm/java", "enabled"),
        ("sudo -n -u jenkins java -jar /opt/jenkins.war", "unresolvable"),
        ("su -s /bin/sh jenkins -c 'java -jar /opt/jenkins.war'", "unresolvable"),
    ],
)
def test_what_a_service_starts_as_somebody_else_counts_where_a_jvm_comes_of_it(
    host: Host, line: str, verdict: str
) -> None:
    host.script(f"#!/bin/sh\n{line}\nexec java -jar /opt/jenkins.war\n")
    host.write("/usr/local/bin/mount-home.sh", "#!/bin/sh\nmount /home\n", 0o755)
    unit = "/etc/systemd/system/cloudbees-cm.service"
    host.write(unit, host.read(unit).replace("[Service]\n", "[Service]\nUser=jenkins\n"))
    assert host.verdict() == verdict
    host.write(unit, host.read(unit).replace("User=jenkins", "User=root"))
    assert host.verdict() == "enabled"


@pytest.mark.parametrize("wanted", ["disabled", "enabled"])
@pytest.mark.parametrize("layout", ["drop-in", "script"])
@pytest.mark.parametrize("moment", ["survey", "plan"])
def test_another_run_edits_meanwhile(
    host: Host, monkeypatch: pytest.MonkeyPatch, layout: str, wanted: str, moment: str
) -> None:
    """After the survey of this one, or when its plan is about to be made: nothing is edited twice."""
    if layout == "drop-in":
        host.oss()
    else:
        host.script("#!/bin/sh\nexec java -jar /opt/jenkins.war\n")
    path = OWN if layout == "drop-in" else "/opt/cloudbees/cm/start.sh"
    if wanted == "enabled":
        declare("disabled", str(host.root))
    name = {"survey": "own_drop_ins", "plan": "plan"}[moment]
    real, turns = getattr(_declare, name), []

    def slow(*arguments: Any) -> Any:
        turns.append(1)
        if len(turns) == 1:
            assert declare(wanted, str(host.root)).changed
        return real(*arguments)

    monkeypatch.setattr(_declare, name, slow)
    done = declare(wanted, str(host.root))
    assert not done.changed
    assert done.refused == [] and done.document["installations"][0]["on_disk"] == wanted
    exists = os.path.exists(host.root / path.lstrip("/"))
    assert exists == (layout == "script" or wanted == "disabled")
    assert not exists or host.read(path).count(FLAG) == (wanted == "disabled")


def test_a_drop_in_of_our_own_keeps_what_the_vendor_set(host: Host) -> None:
    host.oss()
    own = "/etc/systemd/system/jenkins.service.d/zzz-cbops-telemetry.conf"
    assert host.declare("disabled") == [own]
    assert f'Environment="JAVA_OPTS=-Djava.awt.headless=true {FLAG}"' in host.read(own)
    assert host.verdict() == "disabled"
    assert host.declare("disabled") == []
    assert host.declare("enabled") == [own]
    assert not (host.root / own.lstrip("/")).exists()


def test_the_drop_in_that_sets_the_variable_is_edited_in_place(host: Host) -> None:
    text = '[Service]\n# memory\nEnvironment="JAVA_OPTS=-Djava.awt.headless=true -Xmx1g" A=b\n'
    host.oss(text)
    path = "/etc/systemd/system/jenkins.service.d/10-admin.conf"
    assert host.declare("disabled") == [path]
    assert host.read(path) == text.replace("-Xmx1g", f"-Xmx1g {FLAG}")
    host.declare("enabled")
    assert host.read(path) == text


FORMER = "/etc/systemd/system/jenkins.service.d/90-cbops-telemetry.conf"
FORMER_TEXT = (
    "# Written by the Ansible collection cbops.telemetry: it repeats it, and adds the telemetry flag.\n"
    f'[Service]\nEnvironment="JAVA_OPTS=-Djava.awt.headless=true {FLAG}"\n'
)


def test_our_drop_in_is_moved_to_the_name_that_sorts_last(host: Host) -> None:
    """One change, of which "enabled" leaves nothing."""
    host.oss()
    host.write(FORMER, FORMER_TEXT)
    foreseen = declare("disabled", str(host.root), check=True, attach="never")
    assert host.read(FORMER) == FORMER_TEXT
    done = declare("disabled", str(host.root), attach="never")
    assert done.changed and foreseen.changed and not done.refused
    assert sorted(item["path"] or "" for item in done.files) == [FORMER, OWN]
    assert [item["path"] for item in foreseen.files] == [item["path"] for item in done.files]
    assert host.read(OWN) == FORMER_TEXT and not (host.root / FORMER[1:]).exists()
    assert host.verdict() == "disabled"
    assert not declare("disabled", str(host.root), attach="never").changed
    done = declare("enabled", str(host.root), attach="never")
    assert done.changed and not (host.root / OWN[1:]).exists() and host.verdict() == "enabled"


def test_enabling_takes_our_former_drop_in_out(host: Host) -> None:
    host.oss()
    host.write(FORMER, FORMER_TEXT)
    done = declare("enabled", str(host.root), attach="never")
    assert [item["path"] for item in done.files] == [FORMER] and host.verdict() == "enabled"
    assert not (host.root / FORMER[1:]).exists() and not (host.root / OWN[1:]).exists()


@pytest.mark.parametrize("wanted", ["disabled", "enabled"])
def test_our_former_drop_in_never_comes_to_win_over_what_was_set_since(host: Host, wanted: str) -> None:
    """It lost against what "systemctl edit" wrote: moved as it is, it would take the administrator's memory back."""
    override = "/etc/systemd/system/jenkins.service.d/override.conf"
    host.oss()
    host.write(FORMER, FORMER_TEXT)
    text = '[Service]\nEnvironment="JAVA_OPTS=-Xmx8g -Dx.CSP=\\"default-src \'self\'\\""\n'
    host.write(override, text)
    assert host.verdict() == "enabled"
    done = declare(wanted, str(host.root), attach="never")
    assert done.changed and not done.refused
    assert not (host.root / FORMER[1:]).exists() and not (host.root / OWN[1:]).exists()
    assert host.verdict() == wanted
    assert host.read(override) == (text.replace('""\n', f'" {FLAG}"\n') if wanted == "disabled" else text)
    declare("enabled", str(host.root), attach="never")
    assert host.read(override) == text


def test_a_drop_in_of_that_name_that_holds_more_stays(host: Host) -> None:
    host.oss()
    host.write(FORMER, FORMER_TEXT + "LimitNOFILE=4096\n")
    assert not declare("disabled", str(host.root), attach="never").changed
    declare("enabled", str(host.root), attach="never")
    assert host.read(FORMER) == (FORMER_TEXT + "LimitNOFILE=4096\n").replace(" " + FLAG, "")


# (assignment, the same with the flag): where a value ends in its file.
UNIT_VALUES = {
    "escaped quote": ('"JAVA_OPTS=-Da=\\"b\\""', '"JAVA_OPTS=-Da=\\"b\\" %F"'),
    "two escaped quotes": ('"JAVA_OPTS=-Da=\\"\\""', '"JAVA_OPTS=-Da=\\"\\" %F"'),
    "escaped backslash": ('"JAVA_OPTS=-Da=b\\\\"', '"JAVA_OPTS=-Da=b\\\\ %F"'),
    "hexadecimal": ('"JAVA_OPTS=-Da=\\x62"', '"JAVA_OPTS=-Da=\\x62 %F"'),
    "octal": ('"JAVA_OPTS=-Da=\\142"', '"JAVA_OPTS=-Da=\\142 %F"'),
    "single quotes": ("'JAVA_OPTS=-Da=\\'b\\''", "'JAVA_OPTS=-Da=\\'b\\' %F'"),
    "percent": ('"JAVA_OPTS=-Da=100%%"', '"JAVA_OPTS=-Da=100%% %F"'),
    "specifier": ('"JAVA_OPTS=-Da=%t"', '"JAVA_OPTS=-Da=%t %F"'),
    "unquoted": ("JAVA_OPTS=-Da=b", 'JAVA_OPTS=-Da=b" %F"'),
    "unquoted, escape": ('JAVA_OPTS=-Da=b\\"', 'JAVA_OPTS=-Da=b\\"" %F"'),
    "quotes inside": ('JAVA_OPTS="-Da=b"', 'JAVA_OPTS="-Da=b %F"'),
    "empty quotes behind": ('JAVA_OPTS=-Da=b""', 'JAVA_OPTS=-Da=b" %F"""'),
    "more assignments": ('"JAVA_OPTS=-Da=\\"b\\"" A=c', '"JAVA_OPTS=-Da=\\"b\\" %F" A=c'),
    "joined lines": ('"JAVA_OPTS=-Xmx1g \\\n  -Da=\\"b\\""', '"JAVA_OPTS=-Xmx1g \\\n  -Da=\\"b\\" %F"'),
}


@pytest.mark.parametrize("name", UNIT_VALUES)
def test_the_flag_goes_to_the_end_of_a_units_value(host: Host, name: str) -> None:
    text, edited = UNIT_VALUES[name]
    host.oss()
    path = "/etc/systemd/system/jenkins.service.d/override.conf"
    host.write("/usr/bin/jenkins", "#!/bin/sh\nexec java $JAVA_OPTS -jar /usr/share/java/jenkins.war\n", 0o755)
    host.write(path, f"[Service]\nEnvironment={text}\n")
    assert host.declare("disabled") == [path]
    assert host.read(path) == f"[Service]\nEnvironment={edited}\n".replace("%F", FLAG)
    assert host.verdict() == "disabled" and host.declare("disabled") == []
    host.declare("enabled")
    assert host.read(path) == f"[Service]\nEnvironment={text}\n"


COMMANDS = {
    "string of sh": "/bin/sh -c 'exec java -Xmx1g -jar /srv/jenkins.war >/var/log/x 2>&1'",
    "string of sh without options": '/bin/sh -c "exec java -jar /srv/jenkins.war"',
    "escaped quotes in it": '/bin/sh -c "exec java -Da=\\"b c\\" -jar /srv/jenkins.war"',
    "a string in a string": "/bin/sh -c 'su ci -c \"java -Xmx1g -jar /srv/jenkins.war\"'",
    "joined lines": "/usr/bin/java -Xmx1g \\\n  -jar /srv/jenkins.war",
    "quoted words": '"/usr/bin/java" "-Xmx1g" "-jar" "/srv/jenkins.war"',
    "braces": "/usr/bin/java ${JAVA_ARGS} -jar /srv/jenkins.war",
    "Tomcat": "/usr/bin/java -Xmx1g -Dcatalina.base=/srv/tomcat -cp /srv/bootstrap.jar "
    "org.apache.catalina.startup.Bootstrap start",
    "Tomcat in a string": "/bin/sh -c 'exec java -Dcatalina.base=/srv/tomcat -cp /srv/bootstrap.jar "
    "org.apache.catalina.startup.Bootstrap start'",
}


@pytest.mark.parametrize("folder", ["/etc/systemd/system", "/usr/lib/systemd/system"])
@pytest.mark.parametrize("name", COMMANDS)
def test_the_command_line_of_a_unit_is_edited(host: Host, folder: str, name: str) -> None:
    """The administrator's own at the place, a package's by a drop-in for the JVM itself."""
    host.write("/srv/tomcat/webapps/jenkins.war", "PK")
    host.write("/etc/passwd", "ci:x:1:1::/srv:/bin/sh\n")
    (host.root / "etc/systemd/system").mkdir(parents=True, exist_ok=True)
    path = f"{folder}/jenkins.service"
    text = f"[Service]\nEnvironment=JAVA_ARGS=-Xmx1g\nExecStart={COMMANDS[name]}\n"
    host.write(path, text)
    assert host.verdict() == "enabled"
    own = "/etc/systemd/system/jenkins.service.d/zzz-cbops-telemetry.conf"
    assert host.declare("disabled") == [path if folder.startswith("/etc") else own]
    assert host.verdict() == "disabled" and host.declare("disabled") == []
    if not folder.startswith("/etc"):
        assert f'Environment="JAVA_TOOL_OPTIONS={FLAG}"' in host.read(own)
    host.declare("enabled")
    assert host.read(path) == text and not (host.root / own[1:]).exists() and host.verdict() == "enabled"


@pytest.mark.parametrize(
    "more",
    [
        'Environment="JAVA_TOOL_OPTIONS=-Da=b"\n',
        "UnsetEnvironment=JAVA_TOOL_OPTIONS\n",
        "EnvironmentFile=/usr/lib/ci/env\n",
    ],
)
def test_no_drop_in_for_the_jvm_where_it_does_not_decide(host: Host, more: str) -> None:
    host.write("/usr/lib/ci/env", "JAVA_TOOL_OPTIONS=-Da=b\n")
    host.write(
        "/usr/lib/systemd/system/jenkins.service",
        f"[Service]\n{more}ExecStart=/bin/sh -c 'exec java -jar /srv/jenkins.war'\n",
    )
    with pytest.raises(Refused):
        host.declare("disabled")
    host.write(
        "/usr/lib/systemd/system/jenkins.service",
        f"[Service]\nExecStart=/bin/sh -c 'exec java -D{PROPERTY}=false -jar /srv/jenkins.war'\n",
    )
    with pytest.raises(Refused):
        host.declare("disabled")


SCRIPT = """#!/bin/sh
cd /opt/cloudbees/cm || exit 1
exec java \\
    -Djava.awt.headless=true \\
    -Xmx1g \\
    -jar /opt/cloudbees/cm/cloudbees-core-cm.war \\
    --httpPort=8080
"""


def test_launch_script_of_many_lines(host: Host) -> None:
    host.script(SCRIPT)
    assert host.verdict() == "enabled"
    assert host.live().reader == "command line"
    assert host.declare("disabled") == ["/opt/cloudbees/cm/start.sh"]
    assert host.read("/opt/cloudbees/cm/start.sh") == SCRIPT.replace("-Xmx1g ", f"-Xmx1g {FLAG} ")
    assert host.verdict() == "disabled"
    host.declare("enabled")
    assert host.read("/opt/cloudbees/cm/start.sh") == SCRIPT


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        (f"java {FLAG} -jar jenkins.war", "disabled"),
        (f"exec nohup /usr/bin/java -Xmx1g {FLAG} -jar /opt/jenkins.war >/dev/null 2>&1 &", "disabled"),
        (f"java -jar {FLAG} /opt/jenkins.war", "disabled"),
        (f"java -jar /opt/jenkins.war {FLAG}", "enabled"),
        (f"java -cp {FLAG} -jar /opt/jenkins.war", "enabled"),
        (f"su -s /bin/sh jenkins -c 'exec java {FLAG} -jar /opt/jenkins.war'", "disabled"),
        (f'OPTS={FLAG}\nsu jenkins -c "java $OPTS -jar /opt/jenkins.war"', "disabled"),
        (f"OPTS={FLAG}\nsu - jenkins -c 'java $OPTS -jar /opt/jenkins.war'", "unresolvable"),
        (f'run() {{ java "$@" -jar /opt/jenkins.war; }}\nrun {FLAG}', "disabled"),
        (f'set -- -Xmx1g {FLAG}\njava "$@" -jar /opt/jenkins.war', "disabled"),
        (f"# java {FLAG} -jar /opt/jenkins.war\njava -jar /opt/jenkins.war", "enabled"),
        (f"java -Xmx1g \\ \n {FLAG} -jar /opt/jenkins.war", "unresolvable"),
        (f"_JAVA_OPTIONS=-D{PROPERTY}=false java {FLAG} -jar /opt/jenkins.war", "enabled"),
        (
            f'if [ "$1" = debug ]; then java -jar /opt/jenkins.war; else java {FLAG} -jar /opt/jenkins.war; fi',
            "disabled",
        ),
        ("java @/opt/jvm.options -jar /opt/jenkins.war", "disabled"),
        ("java $(options /opt/x) -jar /opt/jenkins.war", "unresolvable"),
        (f"java -Dhost=$(hostname) {FLAG} -jar /opt/jenkins.war", "disabled"),
        ("java -Dhost=$(hostname) -jar /opt/jenkins.war", "enabled"),
        (f"while true; do java {FLAG} -jar /opt/jenkins.war; sleep 1; done", "disabled"),
        (f'for o in -Da=b {FLAG}; do all="$all $o"; done\njava $all -jar /opt/jenkins.war', "disabled"),
    ],
)
def test_command_lines_of_scripts(host: Host, line: str, verdict: str) -> None:
    host.write("/opt/jvm.options", f"-Xmx1g\n{FLAG}\n")
    host.script("#!/bin/bash\n" + line + "\n")
    assert host.verdict() == verdict


# What the differential tests against bash and dash found, each in its smallest form; %F stands for the flag. The text
# is followed by `java $O -jar jenkins.war`.
SAME = ("bash", "dash")
DIFFERENTIAL = [
    (SAME, "set -u; O=%F; O=$UNSET", "unresolvable"),  # the script ends before java
    (SAME, "set -e; O=%F; false; O=", "unresolvable"),
    (SAME, "set -e; O=%F; ! true; if false; then O=; fi; false || true", "disabled"),
    (SAME, "f() { local O; O=%F; }; f", "enabled"),
    (["bash"], 'O=%F; f() { local O; O="$O -Da=b"; P=$O; }; f; O=$P', "enabled"),
    (["dash"], 'O=%F; f() { local O; O="$O -Da=b"; P=$O; }; f; O=$P', "disabled"),
    (["bash"], "O=%F eval :", "enabled"),
    (["dash"], "O=%F eval :", "disabled"),
    (SAME, "f() { :; }; O=%F f", "enabled"),
    (SAME, "O=%F true", "enabled"),
    (SAME, "O=-Da=b; (exit 1) || O=%F", "disabled"),
    (SAME, "f() { return 1; O=; }; f || O=%F", "disabled"),
    (SAME, "O=%F & wait", "enabled"),
    (SAME, "IFS=,; O=-Da=b,%F", "disabled"),
    (SAME, "IFS=; O='-Da=b %F'", "enabled"),
    (SAME, "IFS=,; set -- -Da=b %F; O=\"$*\"; IFS=' '", "enabled"),
    (SAME, "set -- -Da b c d e f g h i %F; O=$10", "enabled"),
    (SAME, "set -- a b c d e f g h i %F; O=${10}", "disabled"),
    (SAME, ": <<E\nx\\\nE\nO=%F\nE\nO=-Da=b", "enabled"),  # the joined line is no end of the document
    (SAME, "if true; then\nfi\nO=%F", "unresolvable"),  # an empty block
    (SAME, 'O=%F; O="${O%% -*}"', "disabled"),
    (SAME, 'O="-Da=b %F"; O="${O%% *}"', "enabled"),
    (SAME, 'O=-Dx; O="${U:-a\\}%F}"; case $O in a}*) O=%F ;; esac', "disabled"),
    (SAME, "A=x; AB=%F; O=$A\\\nB", "disabled"),
    (SAME, "case '' in '*') O=%F ;; esac", "enabled"),
    (SAME, "for i in 1 2; do for j in 1 2; do break 2; done; O=%F; done", "enabled"),
    (SAME, 'while read -r l; do O="$O $l"; done <<E\n-Da=b\n%F\nE', "disabled"),
    (["bash"], "echo x 2>&1\r\nO=%F", "disabled"),
    (["dash"], "echo x 2>&1\r\nO=%F", "unresolvable"),
    (["dash"], "export 'a b=c'; O=%F", "unresolvable"),
    (["bash"], "export O; export 'x\ry' || O=%F", "disabled"),
    (SAME, "[ a b ] || O=%F", "disabled"),
    (["bash"], "[ a == a ] && O=%F", "disabled"),
    (["dash"], "[ a == a ] && O=%F", "enabled"),
    (SAME, "[ -n a -a -z '' ] && O=%F", "disabled"),
    (["bash"], "((0)) || O=%F", "disabled"),
    (["bash"], "[[ -n a && ( a == b || a == a* ) ]] && O=%F", "disabled"),
    (["bash"], "P='*'; [[ abc == $P ]] && O=%F", "disabled"),
    (["bash"], "P='*'; [[ abc == \"$P\" ]] && O=%F", "enabled"),
    (["bash"], "[[ -Da=b =~ ^-D.=b$ ]] && O=%F", "disabled"),
    (["bash"], "case x in x) O=-Da=b ;;& *) O=%F ;; esac", "disabled"),
    (["bash"], 'O[0]=-Da=b; O[${#O[@]}]=%F; O="${O[*]}"', "disabled"),
    (["bash"], "O=(-Da=b)\r\nO=%F", "unresolvable"),  # characters behind an array
    (["bash"], "alias java=true; O=%F", "disabled"),
    (["dash"], "O=%F\nalias java=true", "unresolvable"),
    (["bash"], "return; O=%F", "disabled"),
    (["dash"], "O=-Da=b; return; O=%F", "unresolvable"),
    (["bash"], "printf -v O %s %F", "disabled"),
    (["bash"], "O=-da=b; O=${O^^}; O=${O/-DA=B/%F}", "disabled"),
    (["dash"], "O=%F; O=${O/a/b}", "unresolvable"),  # "Bad substitution" ends the script
    (["dash"], "O=%F; shift 3; O=", "unresolvable"),
    (SAME, "O=$(echo %F)", "disabled"),
    (SAME, "f() { O=%F; }; f\nO='-Da=b'; java\r -jar jenkins.war", "enabled"),
    (SAME, "export J; O=-Da=b; J=x; _JAVA_OPTIONS=%F; export _JAVA_OPTIONS", "disabled"),
    (SAME, "export _JAVA_OPTIONS; _JAVA_OPTIONS=%F", "disabled"),
    (SAME, "P=~/x:~; java -Dq=$P $O %F -jar jenkins.war; exit", "disabled"),
    (["bash"], "f() { unset O; O=%F; }; O=-Da=b f", "unresolvable"),  # bash assigns the outer variable then
    (["bash"], "f() { export O=%F; }; O=-Da=b f", "unresolvable"),
    (["bash"], 'mapfile -t O <<E\n-Da=b\n%F\nE\nO="${O[*]}"', "disabled"),
    (["dash"], "O=%F; readonly O; read O <<E\n-Da=b\nE\n", "disabled"),
    (["dash"], "O=$'%F'; eval java $O -jar jenkins.war; exit", "unresolvable"),
    (SAME, "readonly O; O=%F", "unresolvable"),
    (["dash"], "O='$-Da=b %F'; eval java $O -jar jenkins.war; exit", "unresolvable"),  # "$-" is nothing there
    (["bash"], "f() { declare -x O; declare -g O=%F; }; f", "unresolvable"),
    (["bash"], "f() { true | { declare O=x; }; O=%F; }; f", "disabled"),
    (
        ["bash"],
        'while coin; do O=-Da=b; done; O+=(%F); O=$O" -Dc=d"; java "${O[@]}" -jar jenkins.war; exit',
        "unresolvable",
    ),
    (SAME, "set -- a; O=%F; for i in $(list); do set --; done; [ $# = 1 ] || O=-Da=b", "unresolvable"),
    (["dash"], "set -o nonsense\nO=%F", "unresolvable"),  # which ends dash
    (["bash"], "set -o nonsense\nO=%F", "disabled"),
    (["bash"], "O=-Da=b; set -u; O[${#O[@]}]=%F", "unresolvable"),
    (["bash"], "O=%F; java ${O@Q} -jar jenkins.war; exit", "unresolvable"),
    (SAME, "trap 'O=' EXIT; O=%F", "disabled"),
]


@pytest.mark.parametrize(
    ("shell", "text", "verdict"), [(shell, text, verdict) for shells, text, verdict in DIFFERENTIAL for shell in shells]
)
def test_what_the_shells_do(host: Host, shell: str, text: str, verdict: str) -> None:
    host.script(f"#!/bin/{shell}\n{text.replace('%F', FLAG)}\njava $O -jar jenkins.war\n")
    assert host.verdict() == verdict


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        ('#!/bin/bash\njava "${O[@]}" %F -jar jenkins.war', "disabled"),  # no element, no word
        ('#!/bin/bash\njava ${O:-"-Da=b %F"} -jar jenkins.war', "enabled"),  # quoted inside: one word
        ('#!/bin/bash\nset -u\njava "${O[@]}" %F -jar jenkins.war', "disabled"),
        ("#!/bin/bash\nexport _JAVA_OPTIONS=%F\nsudo -u app sh -c 'java -jar jenkins.war'", "enabled"),
        ("#!/bin/bash\nexport _JAVA_OPTIONS=%F\nenv -i java -jar jenkins.war", "enabled"),
        ("#!/bin/bash\nexport _JAVA_OPTIONS=%F\nenv -u _JAVA_OPTIONS java -jar jenkins.war", "enabled"),
        ("#!/bin/bash\nexport _JAVA_OPTIONS=%F\nsudo -u app java -jar jenkins.war", "enabled"),
        ("#!/bin/sh -e\nfalse\njava %F -jar jenkins.war", "unresolvable"),
        ("#!/bin/bash\njava %F -jar jenkins.war; java -jar jenkins.war", "unresolvable"),
        ("#!/bin/bash\neval 'java -Da=b\n-- -jar jenkins.war'\njava %F -jar jenkins.war", "disabled"),
    ],
)
def test_what_the_shells_do_with_whole_scripts(host: Host, line: str, verdict: str) -> None:
    host.script(line.replace("%F", FLAG) + "\n")
    assert host.verdict() == verdict


@pytest.mark.parametrize(
    ("version", "verdict"), [("1.8.0_402", "enabled"), ("17.0.12", "disabled"), (None, "disabled")]
)
def test_java_8_does_not_read_jdk_java_options(host: Host, version: str | None, verdict: str) -> None:
    host.script(f"#!/bin/sh\nexport JDK_JAVA_OPTIONS={FLAG}\njava -jar jenkins.war\n")
    host.write("/usr/lib/jvm/jdk/jre/bin/java", "ELF", 0o755)
    (host.root / "usr/bin/java").unlink()
    (host.root / "usr/bin/java").symlink_to("/usr/lib/jvm/jdk/jre/bin/java")
    if version:
        host.write("/usr/lib/jvm/jdk/release", f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    assert host.verdict() == verdict


def test_a_backslash_that_is_quoted_itself_does_not_quote_what_follows(host: Host) -> None:
    host.oss()
    host.write("/usr/bin/jenkins", "#!/bin/bash\n. /etc/jenkins\nexec java $O -jar jenkins.war\n", 0o755)
    host.write("/etc/jenkins", 'O="-Da=b\\\\"\n')
    host.declare("disabled")
    assert host.read("/etc/jenkins") == f'O="-Da=b\\\\ {FLAG}"\n'


def test_a_value_that_ends_in_an_escaped_quote_comes_back_as_it_was(host: Host) -> None:
    host.script('#!/bin/sh\nO=\\"-Dq=a\\ b\\"\neval java $O -jar jenkins.war\n')
    before = host.read("/opt/cloudbees/cm/start.sh")
    host.declare("disabled")
    assert host.verdict() == "disabled"
    host.declare("enabled")
    assert host.read("/opt/cloudbees/cm/start.sh") == before


PAM_SU = "auth sufficient pam_rootok.so\n# session required pam_env.so\n@include common-env\n"


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (f"JAVA_TOOL_OPTIONS={FLAG}\n", "disabled"),
        (f"export _JAVA_OPTIONS='-Da=b {FLAG}'\n", "disabled"),
        (f'_JAVA_OPTIONS="{FLAG}" # comment\n_JAVA_OPTIONS=-Da=b\n', "enabled"),
        (f"# _JAVA_OPTIONS={FLAG}\n", "enabled"),
        (f"JAVA_ARGS={FLAG}\n", "enabled"),  # the launcher has expanded it before
        (f"x y=1 _JAVA_OPTIONS={FLAG}\n", "enabled"),
    ],
)
def test_su_gets_what_pam_puts_into_the_environment(host: Host, text: str, verdict: str) -> None:
    host.deb('JAVA_ARGS="-Xmx1g"\n', "LANG=C\n")  # with a locale, the script itself does not read it
    host.write("/etc/environment", text)
    assert host.verdict() == "enabled", "no PAM session, no such environment"
    host.write("/etc/pam.d/su-l", "@include su\n")
    host.write("/etc/pam.d/su", PAM_SU)
    host.write(
        "/etc/pam.d/common-env",
        "session required pam_env.so readenv=1\nsession required pam_env.so envfile=/etc/default/locale readenv=1\n",
    )
    assert host.verdict() == verdict
    host.write("/etc/pam.d/common-env", "session required pam_env.so readenv=0\n")
    assert host.verdict() == "enabled"


DEBIAN_PROFILE = """if [ "$(id -u)" -eq 0 ]; then PATH=/usr/sbin:/usr/bin; else PATH=/usr/bin; fi
export PATH
if [ "${PS1-}" ]; then PS1='$ '; fi
if [ -d /etc/profile.d ]; then
  for i in $(run-parts --list --regex '^[a-zA-Z0-9_][a-zA-Z0-9._-]*[.]sh$' /etc/profile.d); do
    if [ -r $i ]; then . $i; fi
  done
fi
"""


@pytest.mark.parametrize(
    ("files", "verdict"),
    [
        ({"/etc/profile": f"export JAVA_TOOL_OPTIONS={FLAG}\n"}, "disabled"),
        ({"/etc/profile": f"JAVA_TOOL_OPTIONS={FLAG}\n"}, "enabled"),
        (
            {
                "/etc/profile": "for i in /etc/profile.d/*.sh; do . $i; done\n",
                "/etc/profile.d/java.sh": f"export _JAVA_OPTIONS={FLAG}\n",
            },
            "disabled",
        ),
        ({"/etc/profile": DEBIAN_PROFILE, "/etc/profile.d/other.sh": "export X=1\n"}, "enabled"),
        (
            {
                "/etc/profile": DEBIAN_PROFILE,
                "/etc/profile.d/java.sh": f"export _JAVA_OPTIONS={FLAG}\n",
                "/etc/profile.d/off~": "exit\n",
            },
            "disabled",
        ),
        (
            {
                "/etc/profile": DEBIAN_PROFILE.replace("$(run", "$(ignore"),
                "/etc/profile.d/java.sh": f"export _JAVA_OPTIONS={FLAG}\n",
            },
            "unresolvable",
        ),
        ({"/var/lib/cm/.profile": f"export _JAVA_OPTIONS={FLAG}\n"}, "disabled"),
        ({"/var/lib/cm/.profile": f"export _JAVA_OPTIONS={FLAG}\n", "/var/lib/cm/.bash_profile": ""}, "enabled"),
    ],
)
def test_a_login_shell_reads_profiles(host: Host, files: dict[str, str], verdict: str) -> None:
    host.deb('JAVA_ARGS="-Xmx1g"\n')
    host.write("/etc/passwd", "cloudbees-core-cm:x:1:1::/var/lib/cm:/bin/sh\n")
    for path, text in files.items():
        host.write(path, text)
    assert host.verdict() == verdict


def test_the_whole_machines_environment_is_not_edited(host: Host) -> None:
    host.deb(f'JAVA_ARGS="{FLAG}"\n')
    host.write("/etc/environment", f"_JAVA_OPTIONS={FLAG.replace('true', 'false')}\n")
    host.write("/etc/pam.d/su-l", "session [default=ignore] /lib/security/pam_env.so\n")
    definition, result = host.only()
    assert (result.verdict, result.path, result.line) == ("enabled", "/etc/environment", 1)
    with pytest.raises(Refused, match="_JAVA_OPTIONS in /etc/environment decides"):
        host.declare("disabled")


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("set -u\n", None),  # "$JAVA_ARGS" would end the script
        ("JAVA_ARGS=-Da=\n", 'JAVA_ARGS=-Da=" %F"\n'),
        ("JAVA_ARGS=$''\n", "JAVA_ARGS=$'%F'\n"),
        ("JAVA_ARGS=$'-Da=b'\n", "JAVA_ARGS=$'-Da=b %F'\n"),
        ("JAVA_ARGS=$'-Da\\x3db'\n", "JAVA_ARGS=$'-Da\\x3db %F'\n"),
    ],
)
def test_edits_that_the_shells_found_wanting(host: Host, text: str, after: str | None) -> None:
    host.deb(text)
    before = host.read("/etc/default/cloudbees-core-cm")
    if after is None:
        with pytest.raises(Refused):
            host.declare("disabled")
        return
    host.declare("disabled")
    assert host.read("/etc/default/cloudbees-core-cm").endswith(after.replace("%F", FLAG))
    host.declare("enabled")
    assert host.read("/etc/default/cloudbees-core-cm") == before


def test_quotes_that_hold_nothing_but_the_flag_go_with_it(host: Host) -> None:
    host.rpm(f'JENKINS_JAVA_OPTIONS=( "-Da=b" "{FLAG}" \'-Dc=d\' )\n')
    host.declare("enabled")
    assert host.read("/etc/sysconfig/cloudbees-core-cm").endswith("JENKINS_JAVA_OPTIONS=( \"-Da=b\" '-Dc=d' )\n")
    assert host.verdict() == "enabled"


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        ("/opt/ci/run", "unresolvable"),
        ("exec nohup /opt/ci/run", "unresolvable"),
        ("sh /opt/ci/run", "disabled"),
        (". /opt/ci/run", "disabled"),
        ("[ -x /opt/ci/run ] && /opt/ci/run || java -jar /opt/jenkins.war", "enabled"),
    ],
)
def test_a_script_that_nobody_may_execute(host: Host, line: str, verdict: str) -> None:
    host.write("/opt/ci/run", f"#!/bin/sh\nexec java {FLAG} -jar /opt/jenkins.war\n", 0o644)
    host.script(f"#!/bin/sh\n{line}\n")
    assert host.verdict() == verdict
    if verdict == "unresolvable":
        assert "nobody may execute" in (host.only()[1].reason or "")
        (host.root / "opt/ci/run").chmod(0o755)
        assert host.verdict() == "disabled"


def test_a_unit_starts_no_script_that_nobody_may_execute(host: Host) -> None:
    host.script(f"#!/bin/sh\nexec java {FLAG} -jar /opt/jenkins.war\n")
    (host.root / "opt/cloudbees/cm/start.sh").chmod(0o644)
    assert host.verdict() == "unresolvable"
    host.write("/etc/systemd/system/cloudbees-cm.service", "[Service]\nExecStart=/bin/sh /opt/cloudbees/cm/start.sh\n")
    assert host.verdict() == "disabled"


def test_a_script_that_starts_the_jvm_in_two_places(host: Host) -> None:
    text = '#!/bin/sh\nif [ -n "$DEBUG" ] || coin; then java -Xdebug -jar jenkins.war; else java -jar jenkins.war; fi\n'
    host.script(text)
    host.declare("disabled")
    assert host.read("/opt/cloudbees/cm/start.sh").count(FLAG) == 2
    assert host.verdict() == "disabled"
    host.declare("enabled")
    assert host.read("/opt/cloudbees/cm/start.sh") == text


def test_a_blank_that_a_backslash_quotes_goes_with_the_flag(host: Host) -> None:
    host.deb(f"JAVA_ARGS=-Da=b\\ {FLAG}\nOTHER=x\n")
    host.declare("enabled")
    assert host.read("/etc/default/cloudbees-core-cm").endswith("JAVA_ARGS=-Da=b\nOTHER=x\n")


def test_a_value_that_holds_several_options_is_not_thrown_away(host: Host) -> None:
    host.rpm(f'JENKINS_JAVA_OPTIONS=("{FLAG} -Xmx1g")\n')
    host.declare("disabled")
    assert host.read("/etc/sysconfig/cloudbees-core-cm").endswith(f'JENKINS_JAVA_OPTIONS=("{FLAG} -Xmx1g" {FLAG})\n')


def test_an_edit_never_costs_a_start(host: Host) -> None:
    host.script(f'#!/bin/bash\nO={FLAG}\njava "$O" -jar jenkins.war\njava $O -jar jenkins.war\n')
    with pytest.raises(Refused):
        host.declare("enabled")


def test_a_script_started_by_hand_may_get_options_from_its_environment(host: Host) -> None:
    host.write("/srv/start.sh", "#!/bin/sh\njava $JAVA_OPTS -jar /opt/jenkins.war\n", 0o755)
    found, _warnings = _discovery.discover(host.files, ["/srv/start.sh"])
    assert [outcome.verdict for _definition, outcome in found] == ["unresolvable"]
    assert "JAVA_OPTS" in (found[0][1].reason or "")
    for text in ("java ${JAVA_OPTS=-Da=b}", "declare -a JAVA_OPTS\njava $JAVA_OPTS"):
        host.write("/srv/start.sh", f"#!/bin/bash\n{text} -jar /opt/jenkins.war\n", 0o755)
        assert _discovery.discover(host.files, ["/srv/start.sh"])[0][0][1].verdict == "unresolvable"


def test_a_missing_launch_script_is_said(host: Host) -> None:
    found, _warnings = _discovery.discover(host.files, ["/srv/start.sh"])
    assert found[0][1].reason == "the launch script is missing"


def test_other_services_are_left_alone(host: Host) -> None:
    host.write("/etc/systemd/system/nexus.service", "[Service]\nExecStart=/usr/bin/java -jar /opt/nexus.war\n")
    host.write(
        "/etc/systemd/system/agent.service",
        "[Service]\nExecStart=/usr/bin/java -jar /opt/jenkins-agent.jar -url http://x\n",
    )
    assert _discovery.discover(host.files)[0] == []


def test_several_installations_on_one_host(host: Host) -> None:
    host.deb(f'JAVA_ARGS="{FLAG}"\n')
    host.oss()
    found, _warnings = _discovery.discover(host.files)
    assert {definition.name: outcome.verdict for definition, outcome in found} == {
        "cloudbees-core-cm": "disabled",
        "jenkins": "enabled",
    }


# -- what PID 1 obeys is root's ---------------------------------------------------------------------

OWN = "/etc/systemd/system/jenkins.service.d/zzz-cbops-telemetry.conf"
SOMEBODY = 1234
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")


def whose(path: Path) -> tuple[int, int, int]:
    """Owner, group, mode."""
    status = path.lstat()
    return status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)


@pytest.fixture
def given_away(host: Host) -> Path:
    """A drop-in of ours from earlier, which belongs to somebody else."""
    if os.geteuid():
        pytest.skip("only root may give files away")
    host.oss()
    declare("disabled", str(host.root))
    path = host.root / OWN[1:]
    os.chown(path, SOMEBODY, SOMEBODY)
    path.chmod(0o640)
    return path


def holes(host: Host) -> list[str]:
    """What an audit says of places where others are root."""
    return [text for text in state(str(host.root))["warnings"] if "is root at the next start" in text]


@as_root
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_a_new_drop_in_is_roots_whoever_owns_the_launch_file(host: Host, umask: int) -> None:
    host.oss()
    script = host.write(
        "/opt/start.sh", "#!/bin/sh\n. /home/env.sh\nexec java $JAVA_OPTS $EXTRA -jar jenkins.war\n", 0o755
    )
    host.write(
        "/usr/lib/systemd/system/jenkins.service",
        f'[Service]\nEnvironment="JAVA_OPTS=-D{PROPERTY}=false"\nExecStart=/opt/start.sh\n',
    )
    live = host.write("/home/env.sh", "EXTRA=-Xmx32m\n", 0o666)
    for path in (script, live):
        os.chown(path, SOMEBODY, SOMEBODY)
    before = os.umask(umask)
    try:
        done = declare("disabled", str(host.root))
    finally:
        os.umask(before)
    assert (done.refused, [edit["path"] for edit in done.files]) == ([], [OWN])
    assert whose(host.root / OWN[1:]) == (0, 0, 0o644)
    assert whose((host.root / OWN[1:]).parent) == (0, 0, 0o755)


def test_a_drop_in_of_ours_that_is_not_roots_is_said_and_mended(host: Host, given_away: Path) -> None:
    content = host.read(OWN)
    os.utime(given_away, (1_000_000_000, 1_000_000_000))
    assert ["uid 1234, gid 1234, mode 0640" in text and text.startswith(OWN + ": ") for text in holes(host)] == [True]
    foreseen = declare("disabled", str(host.root), check=True)
    assert whose(given_away) == (SOMEBODY, SOMEBODY, 0o640)
    done = declare("disabled", str(host.root))
    for result in (foreseen, done):
        assert (result.changed, result.refused, result.backups) == (True, [], [])
        assert [(edit["path"], edit["before"] == edit["after"]) for edit in result.files] == [(OWN, True)]
        assert [(diff["before"], diff["after"]) for diff in result.diffs] == [
            ("uid 1234, gid 1234, mode 0640\n", "uid 0, gid 0, mode 0644\n")
        ]
    assert whose(given_away) == (0, 0, 0o644)
    assert host.read(OWN) == content
    assert given_away.stat().st_mtime == 1_000_000_000, "a roll-back takes a young drop-in away"
    assert holes(host) == []
    assert not declare("disabled", str(host.root)).changed


def test_it_is_mended_where_nothing_else_is_known_of_its_unit(host: Host, given_away: Path) -> None:
    (host.root / "usr/bin/jenkins").write_text("#!/bin/sh\n")  # it starts no war any more
    assert state(str(host.root))["installations"] == []
    assert len(holes(host)) == 1
    assert declare("disabled", str(host.root)).changed
    assert whose(given_away) == (0, 0, 0o644)


def test_whoever_has_it_open_does_not_write_into_the_mended_one(host: Host, given_away: Path) -> None:
    content = host.read(OWN)
    held = os.open(given_away, os.O_WRONLY | os.O_APPEND)
    declare("disabled", str(host.root))
    os.write(held, b"ExecStartPre=+/bin/true\n")
    os.close(held)
    assert host.read(OWN) == content


FOREIGN: dict[str, Callable[[str], str]] = {
    "another setting": lambda text: text + "ExecStartPre=+/home/x\n",
    "hidden behind a carriage return": lambda text: "# x\rExecStartPre=+/home/x\n" + text,
    "hidden behind a null": lambda text: "# x\0ExecStartPre=+/home/x\n" + text,
    "a comment that goes on": lambda text: "# x \\\n" + text,
    "an include": lambda text: ".include /home/x.conf\n" + text,
    "another section": lambda text: "[Unit]\nOnFailure=x.service\n" + text,
    "a file of variables": lambda text: text + "EnvironmentFile=/home/x\n",
    "another variable": lambda text: text + 'Environment="LD_PRELOAD=/home/x.so"\n',
    "another variable beside the flag": lambda text: text + f'Environment="LD_PRELOAD=/home/x.so {FLAG}"\n',
    "another value": lambda text: text.replace(FLAG, FLAG + " -javaagent:/home/x.jar"),
    "a value beside the flag": lambda text: text.replace(FLAG, FLAG + "$(id)"),
    "a command in the flag": lambda text: text.replace(FLAG, f"-D{PROPERTY}=$(id)"),
    "no blank around": lambda text: text.replace("JAVA_OPTS=", "JAVA_OPTS=x", 1),
    "unquoted": lambda text: text + "Environment=A=b\n",
}


@pytest.mark.parametrize("change", FOREIGN.values(), ids=FOREIGN)
def test_what_somebody_put_into_it_does_not_become_roots(
    host: Host, given_away: Path, change: Callable[[str], str]
) -> None:
    text = change(host.read(OWN))
    given_away.write_bytes(text.encode("latin-1"))
    for check in (True, False):
        for wanted in ("disabled", "enabled"):
            done = declare(wanted, str(host.root), check=check)
            assert not done.changed
            assert len(done.refused) == 1
            assert "look at it, and remove it" in done.refused[0]
    assert host.read(OWN) == text
    assert whose(given_away) == (SOMEBODY, SOMEBODY, 0o640)
    assert len(holes(host)) == 1


def test_it_is_mended_and_edited_at_once(host: Host, given_away: Path) -> None:
    content = host.read(OWN).replace(FLAG, f"-D{PROPERTY}=false")
    given_away.write_text(content)
    done = declare("disabled", str(host.root))
    assert (done.changed, done.refused) == (True, [])
    assert whose(given_away) == (0, 0, 0o644)
    assert host.verdict() == "disabled"
    assert [
        (path, *whose(given_away.parent / path))
        for path in os.listdir(given_away.parent)
        if whose(given_away.parent / path)[0]
    ] == []
    os.chown(given_away, SOMEBODY, SOMEBODY)
    declare("enabled", str(host.root))
    assert not given_away.exists()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda path: os.chown(path.parent, SOMEBODY, SOMEBODY), "its folder .* is not root's alone"),
        (lambda path: path.parent.chmod(0o777), "its folder .* is not root's alone"),
        (lambda path: os.link(path, path.parent / "other"), "hard links"),
        (
            lambda path: (
                path.rename(path.parent / "other"),
                path.symlink_to("other"),
                os.lchown(path, SOMEBODY, SOMEBODY),
            ),
            "symbolic link",
        ),
    ],
    ids=["the folder is somebody's", "the folder is everybody's", "it has two names", "it is a link"],
)
def test_what_cannot_be_mended_is_refused(
    host: Host, given_away: Path, spoil: Callable[[Path], object], reason: str
) -> None:
    spoil(given_away)
    for check in (True, False):
        done = declare("disabled", str(host.root), check=check)
        assert not done.changed
        assert len(done.refused) == 1
        assert re.search(reason, done.refused[0])
    assert len(holes(host)) == 1


def test_of_a_folder_that_is_not_roots_it_is_only_said(host: Host, given_away: Path) -> None:
    declare("disabled", str(host.root))
    os.chown(given_away.parent, SOMEBODY, SOMEBODY)
    done = declare("disabled", str(host.root))
    assert (done.changed, done.refused) == (False, [])
    assert len(holes(host)) == 1


@as_root
@pytest.mark.parametrize(
    "loosen",
    [
        lambda folder: os.chown(folder, SOMEBODY, SOMEBODY),
        lambda folder: folder.chmod(0o775),
        lambda folder: os.chown(folder.parent, SOMEBODY, SOMEBODY),
    ],
    ids=["somebody's", "for the group", "above"],
)
def test_no_drop_in_in_a_folder_that_is_not_roots_alone(host: Host, loosen: Callable[[Path], None]) -> None:
    host.oss()
    folder = host.root / "etc/systemd/system/jenkins.service.d"
    folder.mkdir(mode=0o755)
    loosen(folder)
    for check in (True, False):
        done = declare("disabled", str(host.root), check=check)
        assert not done.changed
        assert "is not root's alone" in done.refused[0]
    assert os.listdir(folder) == []


@as_root
@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("/etc/systemd/system/jenkins.service.d/10-admin.conf", "", "PID 1 does as root what it says, but it is not"),
        ("/usr/lib/systemd/system/jenkins.service", "", "PID 1 does as root what it says, but it is not"),
        ("/etc/systemd/system/jenkins.service.d", "", "/jenkins.service.d is not root's alone"),
    ],
    ids=["drop-in", "unit", "folder"],
)
def test_units_of_others_are_said_and_stay_theirs(host: Host, path: str, text: str, said: str) -> None:
    host.oss('[Service]\nEnvironment="JAVA_OPTS=-Xmx1g"\n')
    real = host.root / path[1:]
    os.chown(real, SOMEBODY, SOMEBODY)
    assert [said in text for text in holes(host)] == [True]
    content = (
        (host.root / "etc/systemd/system/jenkins.service.d/10-admin.conf").read_bytes() if "/etc/" in path else b""
    )
    for check in (True, False):
        done = declare("disabled", str(host.root), check=check)
        # What is the package's is not edited itself; what somebody else may change is not edited for PID 1.
        assert done.changed == path.startswith("/usr/"), done.refused
        assert done.changed or "root's alone" in done.refused[0] or "others than root can" in done.refused[0]
    if content:
        assert (host.root / "etc/systemd/system/jenkins.service.d/10-admin.conf").read_bytes() == content
    assert whose(real)[0] == SOMEBODY
    assert len(holes(host)) == 1


@as_root
def test_a_group_without_members_is_nobody(host: Host) -> None:
    """Debian's /usr/local belongs to the group staff, which may write it."""
    host.write("/usr/local/bin/start.sh", "#!/bin/sh\njava -jar jenkins.war\n", 0o755)
    host.write("/etc/systemd/system/cm.service", "[Service]\nExecStart=/usr/local/bin/start.sh\n")
    place = host.root / "usr/local/bin"
    os.chown(place, 0, 50)
    place.chmod(0o2775)
    root = "root:x:0:0::/root:/bin/sh\n"
    for passwd, group, count in (
        (root, "staff:x:50:\n", 0),
        (root, "staff:x:50:root\n", 0),
        (root, "", 1),
        (root, "staff:x:50:bob\n", 1),
        (root + "bob:x:1:50::/:/bin/sh\n", "staff:x:50:\n", 1),
    ):
        host.write("/etc/passwd", passwd)
        host.write("/etc/group", group)
        assert len(holes(host)) == count, (passwd, group)
    host.write("/etc/group", "staff:x:50:\n")
    host.write("/etc/passwd", root)
    place.chmod(0o2777)
    assert len(holes(host)) == 1


@as_root
def test_what_root_runs_at_a_start_is_said_too(host: Host) -> None:
    host.deb('JAVA_ARGS="-Xmx1g"\n')
    os.chown(host.root / "etc/default/cloudbees-core-cm", SOMEBODY, 0)
    assert ["root runs it" in text for text in holes(host)] == [True]
    os.chown(host.root / "etc/default/cloudbees-core-cm", 0, 0)
    host.write("/etc/env", "A=b\n", 0o666)
    host.write(
        "/etc/systemd/system/cm.service",
        "[Service]\nEnvironmentFile=/etc/env\nExecStart=/usr/bin/java -jar /opt/jenkins.war\n",
    )
    assert ["/etc/env: root runs with the variables" in text for text in holes(host)] == [True]
    host.write(
        "/etc/systemd/system/cm.service",
        "[Service]\nUser=cm\nEnvironmentFile=/etc/env\nExecStart=/usr/bin/java -jar /opt/jenkins.war\n",
    )
    assert holes(host) == []


GLOBBED = "[Service]\nEnvironmentFile=/etc/env.d/*\nExecStart=/usr/bin/java $JAVA_OPTS -jar /srv/jenkins.war\n"


def snapshot(root: Path) -> dict[str, tuple[bytes, int, int, int, int]]:
    """Each file with bytes, mode, owner and time."""
    return {
        str(path): (
            path.read_bytes(),
            path.stat().st_mode,
            path.stat().st_uid,
            path.stat().st_gid,
            path.stat().st_mtime_ns,
        )
        for path in root.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def globbed(host: Host) -> Host:
    """A host on which each file of a folder is read, so also what an edit leaves there."""
    host.write("/etc/systemd/system/jenkins.service", GLOBBED)
    os.utime(host.write("/etc/env.d/jenkins.env", "JAVA_OPTS=-Xmx1g\n", 0o640), (1, 2))
    return host


@pytest.mark.parametrize("backup", [True, False])
@pytest.mark.parametrize("wanted", ["disabled", "enabled"])
def test_what_was_changed_is_what_the_next_start_gets(globbed: Host, backup: bool, wanted: str) -> None:
    """The copy of the old file is read last: it must not undo the edit unseen."""
    if wanted == "enabled":
        globbed.write("/etc/env.d/jenkins.env", f"JAVA_OPTS=-Xmx1g {FLAG}\n", 0o640)
    before = snapshot(globbed.root)
    foreseen = declare(wanted, str(globbed.root), backup=backup, check=True, attach="never")
    assert snapshot(globbed.root) == before
    done = declare(wanted, str(globbed.root), backup=backup, attach="never")
    assert (done.changed, bool(done.refused)) == (foreseen.changed, bool(foreseen.refused))
    assert done.changed != bool(done.refused)
    if done.changed:
        assert globbed.verdict() == wanted
    else:
        assert snapshot(globbed.root) == before
    assert done.changed or backup


SOURCED = 'for f in /etc/env.d/*; do . "$f"; done\nexec java $JAVA_OPTS -jar /srv/jenkins.war\n'


@pytest.mark.parametrize("reader", ["systemd", "shell"])
@pytest.mark.parametrize(
    "text", ["JAVA_OPTS=-Xmx1g\n", f"JAVA_OPTS=-D{PROPERTY}=false\n", f"JAVA_OPTS='-Xmx3g {FLAG}'\n"]
)
def test_a_backup_beside_is_read_as_it_lies_there_and_moved_away_and_never_edited(
    globbed: Host, text: str, reader: str
) -> None:
    """It is read after its file, and undoes the edit of it. Where it lies, that is the truth."""
    if reader == "shell":
        globbed.write("/opt/start.sh", "#!/bin/sh\n" + SOURCED, 0o755)
        globbed.write("/etc/systemd/system/jenkins.service", "[Service]\nExecStart=/opt/start.sh\n")
    left = "/etc/env.d/jenkins.env.20260101T000000Z.cbops~"
    globbed.write(left, text)
    assert globbed.verdict() == ("disabled" if FLAG in text else "enabled")
    assert any(
        left in warning and "moves it away" in warning for warning in survey(globbed.files, (), "never").warnings
    )
    before = snapshot(globbed.root)
    foreseen = declare("disabled", str(globbed.root), check=True, attach="never")
    assert snapshot(globbed.root) == before
    done = declare("disabled", str(globbed.root), attach="never", run="R")
    assert not done.refused and not foreseen.refused
    assert [{**edit, "backup": None} for edit in done.files] == [{**edit, "backup": None} for edit in foreseen.files]
    assert [edit["path"] for edit in done.files] == [left, "/etc/env.d/jenkins.env"]
    assert foreseen.diffs[0]["before_header"] == left and "/backups/" in foreseen.diffs[0]["after_header"]
    assert "would be moved" in foreseen.notes[0] and "was moved" in done.notes[0]
    assert "undid what was changed" in done.notes[1]
    assert not (globbed.root / left[1:]).exists()
    assert Path(str(done.files[0]["backup"])).read_text() == text, "as it was"
    assert globbed.verdict() == "disabled"
    assert globbed.read("/etc/env.d/jenkins.env").count(FLAG) == 1
    assert not declare("disabled", str(globbed.root), attach="never").changed
    assert [path.name for path in (globbed.root / "etc/env.d").iterdir()] == ["jenkins.env"]


def test_a_backup_of_an_init_script_is_no_installation(host: Host) -> None:
    host.deb("")
    host.write(
        "/etc/init.d/cloudbees-core-cm.20260101T000000Z.cbops~", host.read("/etc/init.d/cloudbees-core-cm"), 0o755
    )
    assert [entry.definition.name for entry in survey(host.files, (), "never").entries] == ["cloudbees-core-cm"]


@pytest.mark.parametrize("other", ["JAVA_OPTS=-Xmx2g\n", f"JAVA_OPTS=-Xmx2g {FLAG}\n", "JAVA_TOOL_OPTIONS=-Da=b\n"])
@pytest.mark.parametrize("backup", [True, False])
def test_the_old_bytes_come_back_where_the_disk_says_something_else(
    host: Host, monkeypatch: pytest.MonkeyPatch, backup: bool, other: str
) -> None:
    """Something that wakes up when the file changes writes another one."""
    host.write(
        "/etc/systemd/system/jenkins.service",
        GLOBBED.replace("/etc/env.d/*", "/etc/ci/env\nEnvironmentFile=-/etc/ci/more"),
    )
    os.utime(host.write("/etc/ci/env", "JAVA_OPTS=-Xmx1g\n", 0o640), (1, 2))
    before = snapshot(host.root)
    real = _declare.replace

    def woken(*arguments: Any) -> Any:
        kept = real(*arguments)
        host.write("/etc/ci/more", other)
        return kept

    monkeypatch.setattr(_declare, "replace", woken)
    done = declare("disabled", str(host.root), backup=backup, attach="never")
    assert not done.changed and not done.diffs and not done.backups and not done.files
    assert "the old bytes are back" in done.refused[0]
    (host.root / "etc/ci/more").unlink()
    assert snapshot(host.root) == before


def test_a_new_drop_in_goes_with_its_folder_where_it_does_not_count(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.oss()
    before = snapshot(host.root)
    real = _declare.replace

    def woken(*arguments: Any) -> Any:
        kept = real(*arguments)
        host.write("/usr/lib/systemd/system/jenkins.service", "[Service]\nExecStart=/usr/bin/false\n")
        return kept

    monkeypatch.setattr(_declare, "replace", woken)
    done = declare("disabled", str(host.root), attach="never")
    assert not done.changed and "the old bytes are back" in done.refused[0]
    assert not (host.root / "etc/systemd/system/jenkins.service.d").exists()
    assert len(snapshot(host.root)) == len(before)


def test_an_edit_that_gives_another_installation_more_than_the_flag_is_undone(host: Host) -> None:
    host.write("/etc/ci/env", 'JAVA_OPTS="-Xmx1g"\n')
    for name, line in {"one": "", "two": '[ "$JAVA_OPTS" = "-Xmx1g" ] || JAVA_OPTS="$JAVA_OPTS -Dother=1"\n'}.items():
        host.write(f"/opt/{name}.sh", f"#!/bin/sh\n. /etc/ci/env\n{line}exec java $JAVA_OPTS -jar jenkins.war\n", 0o755)
        host.write(f"/etc/systemd/system/{name}.service", f"[Service]\nExecStart=/opt/{name}.sh\n")
    before = snapshot(host.root)
    done = declare("disabled", str(host.root), names=["one"], attach="never")
    assert not done.changed and done.refused
    assert snapshot(host.root) == before


_CONTROL = """#!/bin/bash
usage() { echo "Usage: $0 start|stop" >&2; exit 2; }
case "$1" in
  start) java $JAVA_OPTS -Xmx1g -jar /opt/ci/jenkins.war ;;
  stop) kill "$(cat /opt/ci/pid)" ;;
  *) usage ;;
esac
"""


def _of_scripts(host: Host, *entries: str) -> list[tuple[str, str, str]]:
    found, _warnings = _discovery.discover(host.files, entries)
    return [(definition.name, outcome.verdict, outcome.reason or "") for definition, outcome in found]


def test_a_launch_script_is_given_its_arguments(host: Host) -> None:
    host.write("/opt/ci/ctl.sh", _CONTROL.replace("$JAVA_OPTS ", ""), 0o755)
    assert _of_scripts(host, "/opt/ci/ctl.sh start") == [("/opt/ci/ctl.sh start", "enabled", "")]
    assert _of_scripts(host, "/opt/ci/ctl.sh", "/opt/ci/ctl.sh start") == [("/opt/ci/ctl.sh start", "enabled", "")]


def test_a_launch_script_without_the_argument_that_it_wants_is_unknown_and_says_what_to_write(host: Host) -> None:
    host.write("/opt/ci/ctl.sh", _CONTROL.replace("$JAVA_OPTS ", ""), 0o755)
    [(name, verdict, reason)] = _of_scripts(host, "/opt/ci/ctl.sh")
    assert (name, verdict) == ("/opt/ci/ctl.sh", "unresolvable")
    assert 'it wants an argument: write "/opt/ci/ctl.sh start" in telemetry_launch_scripts' in reason


def test_one_script_with_different_arguments_is_several_installations(host: Host) -> None:
    host.write("/opt/ci/ctl.sh", '#!/bin/sh\njava -Da="$1" -jar /opt/ci/jenkins.war\n', 0o755)
    host.write("/etc/systemd/system/one.service", "[Service]\nExecStart=/opt/ci/ctl.sh one\n")
    names = [name for name, _verdict, _reason in _of_scripts(host, "/opt/ci/ctl.sh one", "/opt/ci/ctl.sh two")]
    assert names == ["one", "/opt/ci/ctl.sh two"]


def test_a_path_with_a_blank_is_a_path_where_it_is_there_or_written_as_for_a_shell(host: Host) -> None:
    host.write("/opt/my ci/ctl.sh", _CONTROL.replace("$JAVA_OPTS ", ""), 0o755)
    [(_name, _verdict, reason)] = _of_scripts(host, "/opt/my ci/ctl.sh")
    assert '"/opt/my\\ ci/ctl.sh start"' in reason
    assert [row[1] for row in _of_scripts(host, "/opt/my\\ ci/ctl.sh start")] == ["enabled"]


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        ("su -l $U --shell=/bin/bash -c 'java -jar /opt/jenkins.war'", "unresolvable"),
        ('setsid runuser -u "$U" -- java -jar /opt/jenkins.war', "unresolvable"),
        ("start-stop-daemon --start --chuid $U --exec /usr/bin/java -- -jar /opt/jenkins.war", "unresolvable"),
        ("start-stop-daemon -S -c $U -x /usr/bin/java -- -jar /opt/jenkins.war", "unresolvable"),
        ("start-stop-daemon -S -p /run/$U -x /usr/bin/java -- -jar /opt/jenkins.war", "enabled"),
        ("java -Da=$U -jar /opt/jenkins.war", "enabled"),
    ],
)
def test_a_user_whose_name_has_the_carriage_return_of_its_line(host: Host, line: str, verdict: str) -> None:
    host.script(f"#!/bin/bash\nU=jenkins\r\n{line}\n")
    assert host.verdict() == verdict

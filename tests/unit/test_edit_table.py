"""Edits byte for byte: what a launch file holds afterwards, and that `enabled` brings back what was there."""

from __future__ import annotations

import pytest
from hostroot import DEB_HEAD, FLAG, Host
from wherever import wherever

from ansible_collections.cbops.telemetry.plugins.module_utils import edit
from ansible_collections.cbops.telemetry.plugins.module_utils.edit import _backups
from ansible_collections.cbops.telemetry.plugins.module_utils.edit._candidates import plan
from ansible_collections.cbops.telemetry.plugins.module_utils.edit._writing import Refused

ON = FLAG.replace("=true", "=false")
DEFAULT = "/etc/default/cloudbees-core-cm"
UNIT = "/etc/systemd/system/jenkins.service"
OWN = "/etc/systemd/system/jenkins.service.d/zzz-cbops-telemetry.conf"
JAVA = "/usr/bin/java $JAVA_OPTS -jar /usr/share/java/jenkins.war"
MARK = "  # cbops.telemetry: keeps the value above and adds the flag"


def put(text: str) -> str:
    return text.replace("FLAG", FLAG).replace("ON-", ON)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('JAVA_ARGS="-Xmx1g"\n', 'JAVA_ARGS="-Xmx1g FLAG"\n'),
        ("JAVA_ARGS=-Xmx1g\n", 'JAVA_ARGS=-Xmx1g" FLAG"\n'),
        ("JAVA_ARGS='-Xmx1g'\n", "JAVA_ARGS='-Xmx1g FLAG'\n"),
        ('JAVA_ARGS=""\n', 'JAVA_ARGS="FLAG"\n'),
        ("JAVA_ARGS=''\n", "JAVA_ARGS='FLAG'\n"),
        ("JAVA_ARGS=\n", "JAVA_ARGS=FLAG\n"),
        ('JAVA_ARGS="-Xmx1g \\\n  -Da=b"\n# end\n', 'JAVA_ARGS="-Xmx1g \\\n  -Da=b FLAG"\n# end\n'),
        (
            'JAVA_ARGS="-Xmx1g"\nJAVA_ARGS="$JAVA_ARGS -Da=b"\n',
            'JAVA_ARGS="-Xmx1g"\nJAVA_ARGS="$JAVA_ARGS -Da=b FLAG"\n',
        ),
        ("", f'JAVA_ARGS="$JAVA_ARGS FLAG"{MARK}\n'),
        ("# no end of line", f'# no end of line\nJAVA_ARGS="$JAVA_ARGS FLAG"{MARK}'),
        ('JAVA_ARGS="-Xmx1g"\r\n', 'JAVA_ARGS="-Xmx1g"\r" FLAG"\n'),
        ('JAVA_ARGS=-Da=\\"b\\"\n', 'JAVA_ARGS=-Da=\\"b\\"" FLAG"\n'),
        ('JAVA_ARGS="-Xmx1g" # keep\n', 'JAVA_ARGS="-Xmx1g FLAG" # keep\n'),
        ('JAVA_ARGS="-Xmx1g"; OTHER=1\n', 'JAVA_ARGS="-Xmx1g FLAG"; OTHER=1\n'),
        ("JAVA_ARGS=$(cat /etc/opts)\n", 'JAVA_ARGS=$(cat /etc/opts)" FLAG"\n'),
    ],
)
def test_a_file_of_the_shell(host: Host, before: str, after: str) -> None:
    host.deb(before)
    host.write("/etc/opts", "-Dz=1\n")
    for _turn in range(2):  # the second changes nothing
        host.declare("disabled")
        assert host.read(DEFAULT) == DEB_HEAD + put(after)
    assert host.verdict() == "disabled"
    for _turn in range(2):
        host.declare("enabled")
        assert host.read(DEFAULT) == DEB_HEAD + before
    assert host.verdict() == "enabled"


@pytest.mark.parametrize(
    ("before", "after", "back"),
    [
        ('JAVA_ARGS="ON- -Xmx1g"', 'JAVA_ARGS="FLAG -Xmx1g"', 'JAVA_ARGS=" -Xmx1g"'),
        ('JAVA_ARGS="-Xmx1g ON-"', 'JAVA_ARGS="-Xmx1g FLAG"', 'JAVA_ARGS="-Xmx1g"'),
        ('JAVA_ARGS="FLAG ON-"', 'JAVA_ARGS="FLAG FLAG"', 'JAVA_ARGS=""'),
    ],
)
def test_a_flag_with_another_value_gets_the_right_one(host: Host, before: str, after: str, back: str) -> None:
    host.deb(put(before) + "\n")
    host.declare("disabled")
    assert host.read(DEFAULT) == DEB_HEAD + put(after) + "\n"
    host.declare("enabled")
    assert host.read(DEFAULT) == DEB_HEAD + put(back) + "\n"


SCRIPT = "#!/bin/sh\nexec java %s-jar /usr/share/java/jenkins.war\n"


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        (UNIT, 'Environment="JAVA_OPTS=-Xmx1g"', 'Environment="JAVA_OPTS=-Xmx1g FLAG"'),
        (UNIT, "Environment=JAVA_OPTS=-Xmx1g", 'Environment=JAVA_OPTS=-Xmx1g" FLAG"'),
        (UNIT, "Environment=JAVA_OPTS=", "Environment=JAVA_OPTS=FLAG"),
        (UNIT, "Environment='JAVA_OPTS=-Xmx1g' A=b", "Environment='JAVA_OPTS=-Xmx1g FLAG' A=b"),
        (UNIT, r'Environment="JAVA_OPTS=-Da=b\x63"', r'Environment="JAVA_OPTS=-Da=b\x63 FLAG"'),
        (UNIT, 'Environment="JAVA_OPTS=-Da=%p"', 'Environment="JAVA_OPTS=-Da=%p FLAG"'),
        ("/etc/default/jenkins", "JAVA_OPTS=-Xmx1g\n", "JAVA_OPTS=-Xmx1g FLAG\n"),
        ("/etc/default/jenkins", 'A=1\nJAVA_OPTS="-Xmx1g"\nB=2\n', 'A=1\nJAVA_OPTS="-Xmx1g FLAG"\nB=2\n'),
        ("/etc/default/jenkins", "JAVA_OPTS=\n", "JAVA_OPTS=FLAG\n"),
        ("/etc/default/jenkins", 'JAVA_OPTS=""\n', 'JAVA_OPTS="FLAG"\n'),
        ("/etc/default/jenkins", "JAVA_OPTS=''\n", "JAVA_OPTS='FLAG'\n"),
        ("/etc/default/jenkins", "JAVA_OPTS=-Xmx1g\nJAVA_OPTS=-Xmx2g", "JAVA_OPTS=-Xmx1g\nJAVA_OPTS=-Xmx2g FLAG"),
    ],
)
def test_a_variable_of_a_unit(host: Host, path: str, before: str, after: str) -> None:
    unit = f"[Service]\nExecStart={JAVA}\n"
    if path == UNIT:
        before, after = f"{unit}{before}\n", f"{unit}{after}\n"
    else:
        host.write(UNIT, f"{unit}EnvironmentFile={path}\n")
    host.write(path, before)
    assert host.declare("disabled") == [path]
    assert host.read(path) == put(after)
    assert host.declare("disabled") == []
    assert host.declare("enabled") == [path]
    assert host.read(path) == before


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("-Xmx1g \\\n  # why\n  -jar", "-Xmx1g \\\n  # why\n FLAG  -jar"),
        ("-Xmx1g \\\n# why \\\n  -jar", "-Xmx1g FLAG \\\n# why \\\n  -jar"),
        ("-Xmx1g \\\n \t; why \\\n  -jar", "-Xmx1g FLAG \\\n \t; why \\\n  -jar"),
        ("-Xmx1g -jar", "-Xmx1g FLAG -jar"),
        ("-jar", "FLAG -jar"),
    ],
)
def test_the_command_of_a_unit(host: Host, before: str, after: str) -> None:
    command = "[Service]\nExecStart=/usr/bin/java %s /usr/share/java/jenkins.war\n"
    host.write(UNIT, command % before)
    host.declare("disabled")
    assert host.read(UNIT) == command % put(after)
    host.declare("enabled")
    assert host.read(UNIT) == command % before


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("exec java -Xmx1g -jar", "exec java -Xmx1g FLAG -jar"),
        ("exec java \\\n -Xmx1g \\\n  -jar", "exec java \\\n -Xmx1g FLAG \\\n  -jar"),
        ('exec java -Xmx1g "-jar"', 'exec java -Xmx1g FLAG "-jar"'),
        ("exec java\t-jar", "exec java FLAG\t-jar"),
        (
            'JAVA_OPTS=(-Xmx1g)\nexec java "${JAVA_OPTS[@]}" -jar',
            'JAVA_OPTS=(-Xmx1g)\nexec java "${JAVA_OPTS[@]}" FLAG -jar',
        ),
    ],
)
def test_a_script(host: Host, before: str, after: str) -> None:
    text = "#!/bin/bash\n%s /usr/share/java/jenkins.war\n"
    host.write(UNIT, "[Service]\nExecStart=/opt/run.sh\n")
    host.write("/opt/run.sh", text % before, 0o755)
    host.declare("disabled")
    assert host.read("/opt/run.sh") == text % put(after)
    host.declare("enabled")
    assert host.read("/opt/run.sh") == text % before


def test_a_script_that_starts_it_in_two_places_is_edited_where_it_counts(host: Host) -> None:
    text = (
        "#!/bin/sh\nif [ -e /x ]; then exec java -jar /j.war; fi\nexec java -Dc=d%s -jar /usr/share/java/jenkins.war\n"
    )
    host.write(UNIT, "[Service]\nExecStart=/opt/run.sh\n")
    host.write("/opt/run.sh", text % "", 0o755)
    host.declare("disabled")
    assert host.read("/opt/run.sh") == text % f" {FLAG}"


def test_a_package_s_unit_gets_a_drop_in_of_ours(host: Host) -> None:
    path = "/usr/lib/systemd/system/jenkins.service"
    text = f'[Service]\nExecStart={JAVA}\nEnvironment="JAVA_OPTS=-Xmx1g -Da=%%n -Db=\\\\x"\n'
    host.write(path, text)
    assert host.declare("disabled") == [OWN]
    assert host.read(path) == text
    assert host.read(OWN) == (
        "# Written by the Ansible collection cbops.telemetry: it repeats the value of "
        "/usr/lib/systemd/system/jenkins.service, because a later assignment replaces it whole, and adds the telemetry "
        'flag.\n# "state: enabled" removes it again.\n[Service]\n'
        f'Environment="JAVA_OPTS=-Xmx1g -Da=%%n -Db=\\\\x {FLAG}"\n'
    )
    assert host.verdict() == "disabled" and host.declare("disabled") == []
    assert host.declare("enabled") == [OWN]
    assert not (host.root / OWN[1:]).exists() and host.verdict() == "enabled"


@pytest.mark.parametrize("wanted", ["disabled", "enabled"])
def test_a_package_s_value_is_put_right_by_a_drop_in(host: Host, wanted: str) -> None:
    value = FLAG if wanted == "enabled" else ON
    text = f'[Service]\nExecStart={JAVA}\nEnvironment="JAVA_OPTS=-Xmx1g {value} -Da=b"\n'
    host.write("/usr/lib/systemd/system/jenkins.service", text)
    assert host.declare(wanted) == [OWN]
    there = f"-Xmx1g {FLAG} -Da=b" if wanted == "disabled" else "-Xmx1g -Da=b"
    assert host.read(OWN).split("\n")[-2] == f'Environment="JAVA_OPTS={there}"'
    assert ("adds the telemetry flag." in host.read(OWN)) is (wanted == "disabled")
    assert host.verdict() == wanted


def test_a_package_s_script_is_never_edited(host: Host) -> None:
    """Where nothing else leads to the JVM, it gets a variable that it reads itself."""
    script = "#!/bin/sh\nexec java -Xmx1g -jar /usr/share/java/jenkins.war\n"
    host.write("/usr/share/jenkins/run.sh", script, 0o755)
    host.write("/usr/lib/systemd/system/jenkins.service", "[Service]\nExecStart=/usr/share/jenkins/run.sh\n")
    assert host.declare("disabled") == [OWN]
    assert host.read("/usr/share/jenkins/run.sh") == script
    assert host.read(OWN).endswith(f'[Service]\nEnvironment="JAVA_TOOL_OPTIONS={FLAG}"\n')
    assert host.verdict() == "disabled"


def test_without_any_value_of_its_own_the_drop_in_says_so(host: Host) -> None:
    text = wherever(edit, "drop_in_text")
    assert text("A", "-Da=b", None).startswith(
        "# Written by the Ansible collection cbops.telemetry: it only leaves the telemetry flag out.\n[Service]\n"
    )
    assert text("A", FLAG, "/x").count("\n") == 4


@pytest.mark.parametrize(
    ("text", "quoted"),
    [('a"b', '"a\\"b"'), ("a\\b", '"a\\\\b"'), ("a%b", '"a%%b"'), ("a\nb\rc\td", '"a\\nb\\rc\\td"'), ("a b", '"a b"')],
)
def test_what_is_special_to_systemd_is_escaped(text: str, quoted: str) -> None:
    assert wherever(edit, "quoted_assignment")(text) == quoted


@pytest.mark.parametrize(
    ("line", "ours"),
    [
        ("# a comment", True),
        ("#", True),
        ("", True),
        ("[Service]", True),
        ('Environment="A=b c"', True),
        ('Environment="A=\\"\\\\\\n\\r\\t"', True),
        ("# goes on \\", False),
        ("ExecStartPre=+/bin/sh", False),
        ('Environment="A=b" "C=d"', False),
        ('Environment="A=\\x41"', False),
        ("Environment=A=b", False),
        ("[Unit]", False),
        (".include /x", False),
        ("# a\x0bb", False),
    ],
)
def test_what_may_be_in_a_drop_in_of_ours(host: Host, line: str, ours: bool) -> None:
    host.write(UNIT, f'[Service]\nExecStart={JAVA}\nEnvironment="A=b c"\n')
    host.write(OWN, f"[Service]\n{line}\n")
    said = wherever(edit, "why_not_ours")(host.files, "jenkins.service", OWN)
    assert (said is None or "another value" in said) is ours
    assert ours or said == "line 2 is not one that this collection writes"


def test_a_drop_in_of_ours_repeats_what_is_there(host: Host) -> None:
    why = wherever(edit, "why_not_ours")
    host.write(UNIT, f'[Service]\nExecStart={JAVA}\nEnvironment="A=b c" "JAVA_OPTS=-Xmx1g"\n')
    host.write(OWN, f'[Service]\nEnvironment="JAVA_OPTS=-Xmx1g {FLAG}"\n')
    assert why(host.files, "jenkins.service", OWN) is None
    host.write(OWN, f'[Service]\nEnvironment="JAVA_OPTS=-Xmx2g {FLAG}"\n')
    assert why(host.files, "jenkins.service", OWN) == f"it gives JAVA_OPTS another value than {UNIT}"
    host.write(OWN, '[Service]\nEnvironment="NEW=x"\n')
    assert why(host.files, "jenkins.service", OWN) == "it gives NEW another value than none"
    host.write("/etc/systemd/system/x.service.d/zzz-cbops-telemetry.conf", "[Service]\n")
    none = why(host.files, "x.service", "/etc/systemd/system/x.service.d/zzz-cbops-telemetry.conf")
    assert none == "there is no x.service"


def test_the_former_name_of_our_drop_in_goes(host: Host) -> None:
    names = wherever(edit, "own_drop_ins_of")("jenkins.service")
    assert names[0] == OWN == wherever(edit, "own_drop_in")("jenkins.service") and len(names) == 2
    host.write(UNIT, f'[Service]\nExecStart={JAVA}\nEnvironment="JAVA_OPTS=-Xmx1g"\n')
    text = f'[Service]\nEnvironment="JAVA_OPTS=-Xmx1g {FLAG}"\n'
    host.write(names[1], text)
    assert sorted(host.declare("disabled")) == sorted(names)
    assert host.read(OWN) == text and not (host.root / names[1][1:]).exists()
    assert host.verdict() == "disabled"
    host.write(names[1], text + "User=x\n")  # more than we write: it stays
    assert names[1] not in host.declare("disabled")


@pytest.mark.parametrize(
    ("files", "wanted", "words"),
    [
        (
            {UNIT: "[Service]\nExecStart=/bin/sh -c 'exec java $(unknown) -jar /usr/share/java/jenkins.war'\n"},
            "disabled",
            "by hand",
        ),
        (
            {UNIT: f"[Service]\nExecStart={JAVA}\nPassEnvironment=JAVA_OPTS\n"},
            "enabled",
            "jenkins: its launch configuration cannot be resolved, so nothing is edited: ",
        ),
    ],
)
def test_what_is_not_known_is_not_edited(host: Host, files: dict[str, str], wanted: str, words: str) -> None:
    for path, text in files.items():
        host.write(path, text)
    try:
        host.declare(wanted)
    except Refused as error:
        assert words in str(error)
    else:
        assert host.verdict() == wanted


def test_a_diff_shows_the_flag_and_nothing_else() -> None:
    describe = wherever(edit, "describe")
    old, new = "SECRET=x\n", f"SECRET=x\nA={FLAG}\n{ON} {FLAG.partition('=')[0]}\n"
    assert describe("/x", old, new) == {
        "before_header": "/x",
        "after_header": "/x",
        "before": "",
        "after": f"line 2: ... {FLAG} ...\nline 3: ... {ON} ...\nline 3: ... {FLAG.partition('=')[0]} ...\n",
    }
    assert describe("/x", new, None)["after_header"] == "/x (removed)"
    assert describe("/x", None, None) == {
        "before_header": "/x",
        "after_header": "/x (removed)",
        "before": "",
        "after": "",
    }
    assert wherever(edit, "describe_moved")("/x", "/y") == {
        "before_header": "/x",
        "after_header": "/y (moved)",
        "before": "a backup of an earlier version\n",
        "after": "",
    }
    assert wherever(edit, "describe_mended")("/x", "a", "b") == {
        "before_header": "/x",
        "after_header": "/x",
        "before": "a\n",
        "after": "b\n",
    }


def test_a_file_of_several_values_keeps_the_others(host: Host) -> None:
    """An array of the shell, with one element and with none."""
    script = '#!/bin/bash\n. /etc/default/jenkins\nexec java "${JAVA_OPTS[@]}" -jar /usr/share/java/jenkins.war\n'
    host.write(UNIT, "[Service]\nExecStart=/usr/share/x/run.sh\n")
    host.write("/usr/share/x/run.sh", script, 0o755)
    for before, after in (
        ("JAVA_OPTS=(-Xmx1g -Da=b)\n", f"JAVA_OPTS=(-Xmx1g -Da=b {FLAG})\n"),
        ("JAVA_OPTS=()\n", f"JAVA_OPTS=({FLAG})\n"),
        ("JAVA_OPTS=(\n  -Xmx1g\n)\n", f"JAVA_OPTS=(\n  -Xmx1g {FLAG}\n)\n"),
    ):
        host.write("/etc/default/jenkins", before)
        assert host.declare("disabled") == ["/etc/default/jenkins"]
        assert host.read("/etc/default/jenkins") == after
        assert host.declare("enabled") == ["/etc/default/jenkins"]
        assert host.read("/etc/default/jenkins") == before


def test_our_drop_in_takes_one_more_line_and_keeps_the_others(host: Host) -> None:
    host.write(
        "/usr/lib/systemd/system/jenkins.service", f'[Service]\nExecStart={JAVA}\nEnvironment="JAVA_OPTS=-Da=b"\n'
    )
    host.write(OWN, '[Service]\nEnvironment="OTHER=1"\n')
    assert host.declare("disabled") == [OWN]
    assert host.read(OWN) == f'[Service]\nEnvironment="OTHER=1"\nEnvironment="JAVA_OPTS=-Da=b {FLAG}"\n'


def test_backups_count_among_what_a_launcher_reads_where_they_are_kept(host: Host) -> None:
    """It reads whatever lies in our folder: a copy of the old file there would win over the edit."""
    path = "/etc/default/jenkins"
    host.write(path, "JAVA_OPTS=-Xmx1g\n")
    folder = _backups.kept_at(host.files, path)[0].rpartition("/")[0].replace("%", "%%")
    host.write(UNIT, f"[Service]\nExecStart={JAVA}\nEnvironmentFile={path}\nEnvironmentFile=-{folder}/*\n")
    definition, outcome = host.only()
    assert list(plan(definition, host.files, outcome, host.live(), "disabled").files) == [path]
    kept = plan(definition, host.files, outcome, host.live(), "disabled", backup=True)
    assert path not in kept.files


@pytest.mark.parametrize(
    ("script", "settings", "words"),
    [
        ("/opt/run.sh", True, "in /opt/run.sh, among the words of java before -jar: "),
        ("/usr/share/x/run.sh", True, "in /etc/default/jenkins, among the options of the JVM: "),
        (
            "/usr/share/x/run.sh",
            False,
            "in the command of the unit (systemctl edit --full jenkins.service), before -jar: ",
        ),
    ],
)
def test_what_to_write_by_hand_where_no_variable_is_read(host: Host, script: str, settings: bool, words: str) -> None:
    reads = ". /etc/default/jenkins\n" if settings else ""
    host.write(UNIT, f"[Service]\nExecStart={script}\n")
    host.write(script, f"#!/bin/sh\n{reads}exec java -jar /usr/share/java/jenkins.war\n", 0o755)
    if settings:
        host.write("/etc/default/jenkins", "A=b\n")
    definition, outcome = host.only()
    assert wherever(edit, "_by_hand")(definition, host.files, outcome, None, "disabled") == f"by hand, {words}{FLAG}"


def test_a_unit_that_is_gone_is_not_edited(host: Host) -> None:
    host.write(UNIT, f"[Service]\nExecStart={JAVA}\n")
    definition, _outcome = host.only()
    with pytest.raises(Refused, match="jenkins: its unit is gone"):
        wherever(edit, "reload_definition")(definition, host.files.with_candidates({UNIT: None}))

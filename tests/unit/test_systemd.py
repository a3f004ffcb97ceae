"""What systemd makes of units, drop-ins and environment files: where the engine and a real systemd differed."""

from __future__ import annotations

import pytest
from hostroot import FLAG, Host

from ansible_collections.cbops.telemetry.plugins.module_utils.launch import _discovery
from ansible_collections.cbops.telemetry.plugins.module_utils.launch import _service_manager as service_manager
from ansible_collections.cbops.telemetry.plugins.module_utils.launch._environment import parse_environment_file
from ansible_collections.cbops.telemetry.plugins.module_utils.launch._systemd import UnitFiles
from ansible_collections.cbops.telemetry.plugins.module_utils.text._value import Unresolvable

ETC, RUN, USR = "/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system"


def environment(host: Host, name: str = "x.service") -> dict[str, str]:
    """Variables of a unit."""
    unit = UnitFiles(host.files).load(name)
    assert unit is not None
    return {key: "".join(run.text for run in variable.value) for key, variable in unit.environment.items()}


def command(host: Host) -> list[str]:
    """The last command of a unit, variables put in."""
    from ansible_collections.cbops.telemetry.plugins.module_utils.launch._commands import substitute

    unit = UnitFiles(host.files).load("x.service")
    assert unit is not None
    return ["".join(run.text for run in word) for word in substitute(unit.exec_start[-1], unit.environment)]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ('Environment="A=b c" D=e', {"A": "b c", "D": "e"}),
        ("Environment=A=\"b c\" 'D=e f'", {"A": "b c", "D": "e f"}),
        ('Environment=A=b "D=open', {"A": "b"}),  # what stands before the error counts
        (r'Environment="A=\x41\101\tb\u00e9"', {"A": "AA\tb\xc3\xa9"}),
        (r'Environment=A=b "D=\q"', {"A": "b"}),
        ("Environment=A=%%p B=%p C=%z D=%n", {"A": "%p", "B": "x", "D": "x.service"}),
        ("Environment=A=b\nEnvironment=\nEnvironment=C=d", {"C": "d"}),
        ("Environment=A=b \\\n# between\n  C=d", {"A": "b", "C": "d"}),
        ("Environment=1A=b B-C=d", {}),
        ("Environment=A=b C=d E=f\nUnsetEnvironment=A C=x E=f", {"C": "d"}),
        ("Environment=A=b\nUnsetEnvironment=A\nUnsetEnvironment=", {"A": "b"}),
        ("[X-Own]\nEnvironment=A=b\n[Service]\nEnvironment=C=d", {"C": "d"}),
        ("Environment = A=b \r", {"A": "b"}),
    ],
)
def test_environment(host: Host, lines: str, expected: dict[str, str]) -> None:
    host.write(f"{ETC}/x.service", f"[Service]\n{lines}\n")
    assert environment(host) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('A="b\n c"\n', {"A": "b\n c"}),
        ('A="open\n', {"A": "open\n"}),  # the end of the file closes the quote
        ("A=b \\\nc\n", {"A": "b c"}),
        ("A=\"b\"' c'\n", {"A": "b c"}),
        ("  A  =  b c  \n", {"A": "b c"}),
        ("export A=b\n", {}),
        ('A="a\\"b\\$c\\d"\n', {"A": 'a"b$c\\d'}),
        ("# A=b \\\nC=d\nE=f", {"E": "f"}),  # a joined comment
    ],
)
def test_environment_files(host: Host, text: str, expected: dict[str, str]) -> None:
    host.write(f"{ETC}/x.service", "[Service]\nEnvironmentFile=/etc/x\n")
    host.write("/etc/x", text)
    assert environment(host) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "/bin/j $A ${A} -Dx=$A -Dy=${A}z $$A $NONE ${NONE}",
            ["/bin/j", "b", "c", "b c", "-Dx=$A", "-Dy=b cz", "$A", ""],
        ),
        ("@/bin/j called -Da=b", ["/bin/j", "-Da=b"]),
        (":/bin/j $A ${A}", ["/bin/j", "$A", "${A}"]),
        ("-+/bin/j a ; /bin/true", ["/bin/true"]),
        (r"/bin/j a \; b", ["/bin/j", "a", ";", "b"]),
        ("/bin/j a \\\n b", ["/bin/j", "a", "b"]),
        ("/bin/j a \\ \n b", ["/bin/j", "a", "\\"]),  # a blank behind the backslash: the line ends, and it is a word
        ("/bin/j a \\\n\n b", ["/bin/j", "a"]),
        ("/bin/j a \\\\\n b", ["/bin/j", "a", "\\"]),  # two of them are one that joins nothing
        ("/bin/j a \\\\\\\n b", ["/bin/j", "a", "\\", "b"]),
        ("/bin/j a\nExecStart=/bin/k %z", ["/bin/j", "a"]),  # a specifier that nobody knows: the line does not count
    ],
)
def test_commands(host: Host, line: str, expected: list[str]) -> None:
    host.write(f"{ETC}/x.service", f'[Service]\nEnvironment="A=b c"\nExecStart={line}\n')
    assert command(host) == expected


def test_a_variable_is_split_without_the_escapes_of_a_unit(host: Host) -> None:
    host.write(f"{ETC}/x.service", "[Service]\nEnvironment=\"A=a\\\\tb 'c d'\"\nExecStart=/bin/j $A\n")
    assert command(host) == ["/bin/j", "atb", "c d"]


def test_byte_order_marks_and_bytes_that_are_no_utf8(host: Host) -> None:
    host.write(f"{ETC}/x.service", "\xef\xbb\xbf[Service]\nEnvironment=A=b\n")
    assert environment(host) == {"A": "b"}
    host.write(f"{ETC}/x.service", "[Service]\n# \xe9\nEnvironment=A=b\n")
    assert environment(host) == {"A": "b"}
    host.write(f"{ETC}/x.service", "[Service]\nEnvironment=A=\xe9\n")
    with pytest.raises(Unresolvable, match="no UTF-8") as error:
        environment(host)
    assert error.value.line == 2
    host.write(f"{ETC}/x.service", "[Service]\nEnvironmentFile=-/etc/x\n")
    host.write("/etc/x", "A=b\nC=\xe9\n")
    assert environment(host) == {}, "the whole file is passed over"
    host.write("/etc/x", "1=\xe9\nA=b\n")
    assert environment(host) == {}, "also where the name is none"
    host.write("/etc/x", "# \xe9\nA=b\n; \xe9\n")
    assert environment(host) == {"A": "b"}, "a comment is not looked at"


def test_dollars_of_a_loaded_unit_in_which_no_variables_are_put_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `busctl get-property` of systemd 252 prints them."""
    tail = "0 0 0 0 0 0 0"
    plain = f'a(sasbttttuii) 2 "/bin/j" 2 "/bin/j" "$A" false {tail} "/bin/k" 2 "/bin/k" "$A" true {tail}'
    flagged = (
        f'a(sasasttttuii) 2 "/bin/j" 2 "/bin/j" "$A" 1 "no-env-expand" {tail} '
        f'"/bin/k" 2 "/bin/k" "$A" 1 "ignore-failure" {tail}'
    )
    asked: list[tuple[str, ...]] = []

    def properties(unit: str, interface: str, names: tuple[str, ...]) -> dict[str, list[str]]:
        asked.append(names)
        return {"ExecStartEx": service_manager._tokens(flagged)}

    monkeypatch.setattr(service_manager, "_properties", properties)

    def words(line: str) -> list[list[str]]:
        return [
            ["".join(run.text for run in word) for word in command]
            for command in service_manager._started("x.service", service_manager._tokens(line))
        ]

    assert words(plain) == [["/bin/j", "$$A"], ["/bin/k", "$A"]]
    assert words(plain.replace("$A", "A")) == [["/bin/j", "A"], ["/bin/k", "A"]]
    assert len(asked) == 1, "asked only where there is a dollar"

    def silent(*_arguments: object) -> dict[str, list[str]]:
        raise service_manager.Unavailable("no such property")

    monkeypatch.setattr(service_manager, "_properties", silent)
    assert words(plain) == [["/bin/j", "$A"], ["/bin/k", "$A"]], "older ones know no such prefix"


def test_instances_and_their_drop_ins(host: Host) -> None:
    host.write(f"{USR}/x@.service", "[Service]\nEnvironment=A=1 I=%i\n")
    host.write(f"{RUN}/x@.service.d/50.conf", "[Service]\nEnvironment=A=2\n")
    host.write(f"{USR}/x@a.service.d/50.conf", "[Service]\nEnvironment=A=3\n")
    assert environment(host, "x@a.service") == {"A": "2", "I": "a"}, "the stronger folder, not the closer name"
    host.write(f"{ETC}/multi-user.target.wants/x@a.service", "")
    assert UnitFiles(host.files).names() == ["x@.service", "x@a.service"]


def test_what_a_package_sets_is_overridden_in_a_drop_in_of_our_own(host: Host) -> None:
    host.oss()
    unit = "/usr/lib/systemd/system/jenkins.service"
    host.write(unit, host.read(unit).replace('"JAVA_OPTS=', f'"JAVA_OPTS={FLAG} '))
    before = host.read(unit)
    own = "/etc/systemd/system/jenkins.service.d/zzz-cbops-telemetry.conf"
    assert host.declare("enabled") == [own]
    assert host.verdict() == "enabled"
    assert host.read(unit) == before
    assert FLAG not in host.read(own)
    assert host.declare("disabled") == [own]
    assert host.verdict() == "disabled"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.service", {"n": "a.service", "N": "a", "p": "a", "P": "a", "i": "", "I": "", "j": "a", "J": "a"}),
        (
            "a-b\\x2dc@d-e\\x2df.service",
            {
                "n": "a-b\\x2dc@d-e\\x2df.service",
                "N": "a-b\\x2dc@d-e\\x2df",
                "p": "a-b\\x2dc",
                "P": "a/b-c",
                "i": "d-e\\x2df",
                "I": "d/e-f",
                "j": "b\\x2dc",
                "J": "b-c",
                "t": "/run",
                "S": "/var/lib",
                "C": "/var/cache",
                "L": "/var/log",
                "E": "/etc",
                "H": "host.example",
                "u": "root",
                "U": "0",
                "h": "/root",
                "%": "%",
            },
        ),
        ("a@b\\z.service", {"i": "b\\z", "I": None}),  # no valid escape: systemd drops the assignment
    ],
)
def test_specifiers(host: Host, name: str, expected: dict[str, str | None]) -> None:
    host.write("/etc/hostname", "# a name\nhost.example\n")
    template = name.partition("@")[0] + "@.service" if "@" in name else name
    lines = "".join(f"Environment=S{ord(letter)}=%{letter}\n" for letter in expected)
    host.write(f"{USR}/{template}", f"[Service]\nUser=jenkins\n{lines}")
    assert environment(host, name) == {f"S{ord(letter)}": text for letter, text in expected.items() if text is not None}


def test_what_no_specifier_is_stays(host: Host) -> None:
    host.write(f"{ETC}/x.service", "[Service]\nEnvironment=A=5%-%. B=5%\n")
    assert environment(host) == {"A": "5%-%.", "B": "5%"}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/etc/default/%p-%i", "right"),
        ("-%E/default/%N", "named"),
        ("%E/d?fault/cm-[ab]", "right"),
        ("-/etc/default/cm-%z", None),  # an unknown one: the line does not count
        ("-etc/default/cm-a", None),
        ("--/etc/default/cm-a", None),
        ("-/etc/default/cm-%%i", "literal"),
    ],
)
def test_specifiers_and_patterns_in_environment_files(host: Host, path: str, expected: str | None) -> None:
    host.write(f"{USR}/cm@.service", f"[Service]\nEnvironmentFile={path}\n")
    host.write("/etc/default/cm-a", "A=right\n")
    host.write("/etc/default/cm@a", "A=named\n")
    host.write("/etc/default/cm-%i", "A=literal\n")
    assert environment(host, "cm@a.service") == ({"A": expected} if expected else {})


def test_a_specifier_that_only_the_running_system_knows(host: Host) -> None:
    host.write(
        f"{ETC}/jenkins.service",
        "[Service]\nEnvironmentFile=-/etc/default/%b\n"
        "ExecStart=/usr/bin/java $JAVA_OPTS -jar /usr/share/java/jenkins.war\n",
    )
    _definition, outcome = host.only()
    assert outcome.verdict == "unresolvable" and "%b" in str(outcome.reason)


def test_those_of_an_old_systemd_are_of_its_user(host: Host) -> None:
    host.write("/usr/lib/systemd/systemd", "ELF")
    host.write(
        f"{ETC}/jenkins.service",
        "[Service]\nUser=jenkins\nEnvironmentFile=-%h/env\n"
        "ExecStart=/usr/bin/java $JAVA_OPTS -jar /usr/share/java/jenkins.war\n",
    )
    assert host.verdict() == "unresolvable"
    host.write("/usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-252.so", "ELF")
    assert host.verdict() == "enabled"


@pytest.mark.parametrize("name", ["cloudbees-core-cm", "tools"])
@pytest.mark.parametrize(
    "rest",
    [
        "\\ \n  -Da=b \\ \n  -jar /opt/cloudbees-core-cm.war",
        "\\\n\n  -jar /opt/cloudbees-core-cm.war",
        "\\\n  \n  -Da=b -jar /opt/cloudbees-core-cm.war",
        "\\\\\n  -jar /opt/cloudbees-core-cm.war --httpPort=80",
        "\n# or so:\n  -jar /opt/cloudbees-core-cm.war \\\n  --httpPort=80",
    ],
)
def test_a_command_that_breaks_off(host: Host, name: str, rest: str) -> None:
    host.write(
        f"{ETC}/{name}.service", f"[Service]\nExecStart=/usr/bin/java -Xmx1g {rest}\nUser=jenkins\n[Install]\n-jar b\n"
    )
    definition, outcome = host.only()
    assert (definition.name, outcome.verdict) == (name, "unresolvable")
    assert str(outcome.reason).startswith("its ExecStart= breaks off: systemd passes over the lines behind it")
    assert outcome.path == f"{ETC}/{name}.service" and outcome.line in (3, 4)
    # Of what is started instead it says nothing.
    host.write(
        f"{ETC}/{name}.service.d/a.conf", "[Service]\nExecStart=\nExecStart=/usr/bin/java -jar /opt/jenkins.war\n"
    )
    assert host.verdict() == "enabled"


@pytest.mark.parametrize(
    "text",
    [
        "ExecStart=/usr/bin/java -jar /opt/tool.jar \\ \n  --cloudbees",
        "ExecStart=/bin/tar czf /b.tgz \\ \n  /opt/cloudbees-core-cm.war",
        "ExecStart=/bin/tar czf /b.tgz\nUser=root\n -jar /opt/cloudbees-core-cm.war",
    ],
)
def test_a_command_of_something_else_that_breaks_off(host: Host, text: str) -> None:
    host.write(f"{ETC}/tools.service", f"[Service]\n{text}\n")
    assert _discovery.discover(host.files) == ([], [])


def test_instances_are_the_installations(host: Host) -> None:
    host.write(
        f"{USR}/cm@.service",
        "[Service]\nEnvironmentFile=-/etc/default/cm-%i\n"
        "ExecStart=/usr/bin/java $JAVA_OPTS -jar /srv/%i/cloudbees-core-cm.war\n",
    )
    host.write("/etc/default/cm-a", f"JAVA_OPTS={FLAG}\n")
    found, warnings = _discovery.discover(host.files)
    assert not found and ["cm@.service" in warning for warning in warnings] == [True]
    host.write(f"{ETC}/multi-user.target.wants/cm@a.service", "")
    host.write(f"{ETC}/ha.target", "[Unit]\nWants=cm@b.service cm@c.service\nAfter=cm@d.service\n# cm@e.service\n")
    found, warnings = _discovery.discover(host.files, instances=["cm@f.service", "getty@tty1.service"])
    assert {definition.name: outcome.verdict for definition, outcome in found} == {
        "cm@a": "disabled",
        "cm@b": "enabled",
        "cm@c": "enabled",
        "cm@f": "enabled",
    }
    assert not warnings


def test_drop_ins_of_the_parts_of_a_name(host: Host) -> None:
    host.write(f"{USR}/a-b@.service", "[Service]\n")
    for number, folder in enumerate(
        [
            "a-b@c-d.service",
            "a-b@.service",
            "a-@c-d.service",
            "a-@.service",
            "a-.service",
            "service",
            "a-b@c-.service",
            "a-b.service",
        ]
    ):
        host.write(f"{ETC}/{folder}.d/{number}.conf", f"[Service]\nEnvironment=A{number}=\n")
    assert list(environment(host, "a-b@c-d.service")) == [f"A{number}" for number in range(6)]


#: What each specifier stands for in a unit my-ci@one-two.service (systemd.unit(5)).
SPECIFIERS = {
    "i": "one-two",
    "I": "one/two",
    "n": "my-ci@one-two.service",
    "N": "my-ci@one-two",
    "p": "my-ci",
    "P": "my/ci",
    "j": "ci",
    "J": "ci",
    "H": "node",
    "h": "/root",
    "u": "root",
    "U": "0",
    "t": "/run",
    "S": "/var/lib",
    "C": "/var/cache",
    "L": "/var/log",
    "E": "/etc",
    "T": "/tmp",
    "V": "/var/tmp",
    "%": "%",
}
READS_HERE = "#!/bin/sh\n[ -f ./setenv.sh ] && . ./setenv.sh\nexec java $JAVA_OPTS -jar /srv/jenkins.war\n"


@pytest.mark.parametrize("letter", SPECIFIERS)
@pytest.mark.parametrize(
    "setting", ["EnvironmentFile", "ExecStart", "Environment", "WorkingDirectory", "RootDirectory", "BindPaths"]
)
def test_a_specifier_is_expanded_in_each_setting(host: Host, setting: str, letter: str) -> None:
    place = f"/srv/{SPECIFIERS[letter]}"
    host.write("/etc/hostname", "node\n")
    host.write("/opt/start", READS_HERE, 0o755)
    start = "ExecStart=/usr/bin/java $JAVA_OPTS -jar /srv/jenkins.war"
    text = {
        "EnvironmentFile": f"EnvironmentFile=/srv/%{letter}/env\n{start}",
        "ExecStart": f"ExecStart=/usr/bin/java -Da=/srv/%{letter} {FLAG} -jar /srv/jenkins.war",
        "Environment": f'Environment="JAVA_OPTS=-Da=/srv/%{letter} {FLAG}"\n{start}',
        "WorkingDirectory": f"WorkingDirectory=/srv/%{letter}\nExecStart=/opt/start",
        "RootDirectory": f"RootDirectory=/srv/%{letter}\nExecStart=/opt/start",
        "BindPaths": f"BindPaths=/srv/%{letter}:/opt\nExecStart=/opt/start",
    }[setting]
    host.write(f"{place}/env", f"JAVA_OPTS=-Da={place} {FLAG}\n")
    host.write(f"{place}/setenv.sh", f'JAVA_OPTS="-Da={place} {FLAG}"\n')
    for start_of in (f"{place}/opt/start", f"{place}/start"):
        host.write(start_of, f"#!/bin/sh\nexec java -Da={place} {FLAG} -jar /srv/jenkins.war\n", 0o755)
    host.write(f"{ETC}/my-ci@.service", f"[Service]\n{text}\n")
    (host.root / "etc/systemd/system/multi-user.target.wants").mkdir()
    (host.root / "etc/systemd/system/multi-user.target.wants/my-ci@one-two.service").symlink_to("../my-ci@.service")
    definition, outcome = host.only()
    assert definition.name == "my-ci@one-two"
    assert (outcome.verdict, outcome.reason) == ("disabled", None)
    assert ("options", (f"-Da={place}",)) in outcome.vectors[0]


@pytest.mark.parametrize(
    ("pattern", "verdict"),
    [
        ("/etc/ci/*.env", "disabled"),
        ("/etc/ci/?0-*.env", "disabled"),
        ("/etc/ci/[12]0-*.env", "disabled"),
        ("/etc/c?/20-b.env", "disabled"),
        ("/etc/ci/1*.env", "enabled"),
        ("-/etc/ci/3*.env", "enabled"),
        ("/etc/ci/3*.env", "unresolvable"),
        ("/etc/ci/*", "disabled"),
        ("/etc/%j/*.env", "disabled"),
    ],
)
def test_a_pattern_of_environment_files_is_read_in_order_without_hidden_ones(
    host: Host, pattern: str, verdict: str
) -> None:
    for name, text in {
        "10-a.env": "JAVA_OPTS=-Xmx1g\n",
        "20-b.env": f"JAVA_OPTS={FLAG}\n",
        ".30-c.env": "JAVA_OPTS=\n",
    }.items():
        host.write(f"/etc/ci/{name}", text)
    host.write(
        f"{ETC}/jenkins-ci.service",
        f"[Service]\nEnvironmentFile={pattern}\nExecStart=/usr/bin/java $JAVA_OPTS -jar /srv/jenkins.war\n",
    )
    assert host.verdict() == verdict


def test_a_carriage_return_behind_a_backslash_in_quotes_of_an_environment_file() -> None:
    """systemd 247 to 257 keep both (parse_env_file_internal): only a line feed goes with its backslash."""
    found = dict(parse_environment_file('A="x \\\r\ny \\\nz"\nB=x\\\ry\n', "/f"))
    assert {name: variable.value.text for name, variable in found.items()} == {"A": "x \\\r\ny z", "B": "xy"}


# -- other names of a unit ----------------------------------------------------------------------------


def named(host: Host, link: str, target: str) -> None:
    """A link among units."""
    place = host.root / link.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)


@pytest.mark.parametrize(
    ("place", "target"),
    [
        (f"{ETC}/cm.service", "cm.service"),
        (f"{ETC}/cm.service", f"{ETC}/cm.service"),
        (f"{USR}/cm.service", f"{USR}/cm.service"),
        (f"{USR}/cm.service", "../../../usr/lib/systemd/system/cm.service"),
    ],
)
def test_a_link_to_a_unit_is_another_name_of_it(host: Host, place: str, target: str) -> None:
    host.write(place, "[Service]\nEnvironment=A=1\nExecStart=/usr/bin/java -jar /opt/jenkins.war\n")
    named(host, f"{ETC}/jenkins.service", target)
    host.write(f"{ETC}/jenkins.service.d/a.conf", f"[Service]\nEnvironment=JAVA_TOOL_OPTIONS={FLAG}\n")
    host.write(f"{ETC}/cm.service.d/b.conf", "[Service]\nEnvironment=A=2\n")
    host.write("/etc/init.d/jenkins", "#!/bin/sh\nexec java -jar /opt/jenkins.war\n", 0o755)  # has a unit
    found = _discovery.discover(host.files)[0]
    assert [(one.service, outcome.verdict) for one, outcome in found] == [("cm.service", "disabled")]
    assert environment(host, "jenkins.service") == environment(host, "cm.service")
    assert environment(host, "cm.service")["A"] == "2"
    assert UnitFiles(host.files).fragment("jenkins.service") == place


def test_a_link_to_a_unit_of_another_place_is_a_unit_of_its_own(host: Host) -> None:
    host.write("/opt/ci/cm.service", "[Service]\nExecStart=/usr/bin/java -jar /opt/jenkins.war\n")
    named(host, f"{ETC}/jenkins.service", "/opt/ci/cm.service")
    assert [one.service for one, _outcome in _discovery.discover(host.files)[0]] == ["jenkins.service"]


@pytest.mark.parametrize("target", ["cm.service", f"{ETC}/cm.service", "../system/cm.service"])
def test_a_link_to_a_unit_that_is_itself_a_link_is_another_name_of_that(host: Host, target: str) -> None:
    host.write("/opt/ci/cm-1.service", "[Service]\nExecStart=/usr/bin/java -jar /opt/jenkins.war\n")
    named(host, f"{ETC}/cm.service", "/opt/ci/cm-1.service")
    named(host, f"{ETC}/jenkins.service", target)
    named(host, f"{ETC}/other.service", "jenkins.service")
    host.write(f"{ETC}/jenkins.service.d/a.conf", f"[Service]\nEnvironment=JAVA_TOOL_OPTIONS={FLAG}\n")
    assert UnitFiles(host.files).aliases == {"jenkins.service": "cm.service", "other.service": "cm.service"}
    found = _discovery.discover(host.files)[0]
    assert [(one.service, outcome.verdict) for one, outcome in found] == [("cm.service", "disabled")]


def test_units_that_name_each_other_are_no_other_names(host: Host) -> None:
    named(host, f"{ETC}/a.service", "b.service")
    named(host, f"{ETC}/b.service", "a.service")
    named(host, f"{ETC}/c.service", "c.service")
    assert UnitFiles(host.files).aliases == {}


def test_a_name_that_is_hidden_is_no_other_name(host: Host) -> None:
    for name in ("cm", "jenkins"):
        host.write(f"{USR if name == 'cm' else ETC}/{name}.service", "[Service]\nExecStart=/usr/bin/java -jar /a.war\n")
    named(host, f"{USR}/jenkins.service", "cm.service")  # the one in /etc counts
    assert UnitFiles(host.files).aliases == {}

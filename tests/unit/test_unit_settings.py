"""What each setting of a unit makes of it: user, folder, commands, variables, what else it sees, and what systemd refuses."""

from __future__ import annotations

import pytest
from hostroot import FLAG, Host
from wherever import wherever

from ansible_collections.cbops.telemetry.plugins.module_utils import launch
from ansible_collections.cbops.telemetry.plugins.module_utils.text._value import Unresolvable

ETC, RUN, USR = "/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system"
PASSWD = "root:x:0:0::/root:/bin/sh\nci:x:9:9::/srv/ci:/bin/sh\n"


def loaded(host: Host, lines: str, *drop_ins: str, name: str = "x.service"):  # type: ignore[no-untyped-def]
    """The unit of these lines of its section Service, with drop-ins."""
    host.write(f"{ETC}/{name}", f"[Service]\n{lines}\n")
    for number, drop_in in enumerate(drop_ins):
        host.write(f"{ETC}/{name}.d/{number}.conf", f"[Service]\n{drop_in}\n")
    unit = wherever(launch, "UnitFiles")(host.files).load(name)
    assert unit is not None
    return unit


def variables(unit) -> dict[str, str]:  # type: ignore[no-untyped-def]
    return {name: variable.value.text for name, variable in unit.environment.items()}


def commands(found) -> list[list[str]]:  # type: ignore[no-untyped-def]
    return [[word.text for word in command] for command in found]


@pytest.mark.parametrize(
    ("lines", "user"),
    [
        ("User=ci", "ci"),
        ("User = \t ci \t ", "ci"),
        ("User=ci\nUser=other", "other"),
        ("User=ci\nUser=", ""),
        ("User=%p", "x"),
        ("Group=ci", ""),
        ("[Unit]\nUser=ci", ""),
        ("ExecStart=/bin/a", ""),
    ],
)
def test_user(host: Host, lines: str, user: str) -> None:
    assert loaded(host, lines).user == user


def test_a_user_s_home_is_where_it_starts_only_with_user(host: Host) -> None:
    host.write("/etc/passwd", PASSWD)
    (host.root / "srv/ci").mkdir(parents=True)
    assert loaded(host, "User=ci\nWorkingDirectory=~").folder == "/srv/ci"
    assert loaded(host, "WorkingDirectory=~").folder is None
    assert loaded(host, "User=nobody-there\nWorkingDirectory=~").folder is None


@pytest.mark.parametrize(
    ("lines", "folder"),
    [
        ("", "/"),
        ("WorkingDirectory=/srv", "/srv"),
        ("WorkingDirectory=-/srv", "/srv"),
        ("WorkingDirectory=-/none", None),
        ("WorkingDirectory=/srv\nWorkingDirectory=", "/"),
        ("WorkingDirectory=/srv/link", "/opt"),
        ("WorkingDirectory=/%p", "/x"),
        ("WorkingDirectory=/srv\nWorkingDirectory=-relative", "/srv"),
        ("WorkingDirectory=/%m", None),
    ],
)
def test_folder(host: Host, lines: str, folder: str | None) -> None:
    (host.root / "srv").mkdir()
    (host.root / "opt").mkdir()
    (host.root / "x").mkdir()
    (host.root / "srv/link").symlink_to("/opt")
    unit = loaded(host, "ExecStart=/bin/a\n" + lines)
    assert unit.folder == folder
    assert not unit.refused


@pytest.mark.parametrize("path", ["relative", "/a/../b", "a/b"])
def test_a_folder_that_is_no_path_refuses_a_unit_or_ends_a_drop_in(host: Host, path: str) -> None:
    unit = loaded(host, f"ExecStart=/bin/a\nWorkingDirectory={path}")
    assert unit.refused and "no absolute path" in unit.doubt[0] and unit.doubt[1] == f"{ETC}/x.service"
    unit = loaded(host, "ExecStart=/bin/a", f"Environment=A=1\nWorkingDirectory={path}\nEnvironment=B=2")
    assert not unit.refused and unit.doubt is None
    assert variables(unit) == {"A": "1"}


@pytest.mark.parametrize("setting", ["RootDirectory", "RootImage"])
def test_a_root_that_is_no_path(host: Host, setting: str) -> None:
    for path in ("relative", "/a/../b"):
        unit = loaded(host, f"ExecStart=/bin/a\n{setting}={path}")
        assert unit.refused and f"{setting}= is no absolute path" in unit.doubt[0], path
        assert unit.doubt[1] == f"{ETC}/x.service"
    unit = loaded(host, "ExecStart=/bin/a", f"{setting}=relative\nEnvironment=B=2")
    assert not unit.refused and variables(unit) == {}
    assert loaded(host, f"ExecStart=/bin/a\n{setting}=").doubt is None


def test_a_root_of_an_image_or_with_commands_from_outside_is_doubt(host: Host) -> None:
    (host.root / "srv/root").mkdir(parents=True)
    unit = loaded(host, "ExecStart=/bin/a\nRootImage=/srv/image.raw")
    assert "RootImage=/srv/image.raw" in unit.doubt[0] and not unit.refused
    for more in ("ExecStartPre=/bin/b", "ExecStart=\nExecStart=+/bin/a", "ExecStart=\nExecStart=-+/bin/a"):
        unit = loaded(host, f"ExecStart=/bin/a\nRootDirectory=/srv/root\n{more}")
        assert "RootDirectory=/srv/root" in unit.doubt[0], more
    assert loaded(host, "ExecStart=/bin/a\nRootDirectory=/srv/root\nExecStop=+/bin/b").doubt is None
    assert loaded(host, "ExecStart=/bin/a\nRootImage=/\nExecStartPre=/bin/b").doubt is None


@pytest.mark.parametrize(
    ("lines", "overlays"),
    [
        ("TemporaryFileSystem=/opt:ro /srv/", [("/opt", "TemporaryFileSystem="), ("/srv", "TemporaryFileSystem=")]),
        ("MountImages=/a.raw:/opt", [("/opt", "MountImages=")]),
        ("MountImages=-/a.raw:/opt:x", [("/opt", "MountImages=")]),
        ("MountImages=/a.raw", []),
        ("ExtensionImages=/a.raw", [("/", "ExtensionImages=")]),
        ("ExtensionDirectories=/a", [("/", "ExtensionDirectories=")]),
        ("TemporaryFileSystem=/opt\nTemporaryFileSystem=", []),
        ("TemporaryFileSystem=/opt\nMountImages=/a:/b\nTemporaryFileSystem=", [("/b", "MountImages=")]),
        ("PrivateTmp=yes", []),
    ],
)
def test_overlays(host: Host, lines: str, overlays: list[tuple[str, str]]) -> None:
    assert list(loaded(host, "ExecStart=/bin/a\n" + lines).overlays) == overlays


@pytest.mark.parametrize("setting", ["BindPaths", "BindReadOnlyPaths"])
def test_binds_show_other_files(host: Host, setting: str) -> None:
    host.write("/srv/conf/file", "x")
    unit = loaded(host, f"ExecStart=/bin/a\n{setting}=/srv/conf:/etc/conf")
    assert "/etc/conf" in str(unit.mounts) and "/srv/conf" in str(unit.mounts)
    assert loaded(host, f"ExecStart=/bin/a\n{setting}=/srv/conf:/etc/conf\n{setting}=").mounts == ()


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("ExecStart=/bin/a b 'c d'", [["/bin/a", "b", "c d"]]),
        ("ExecStart=@/bin/a called b", [["/bin/a", "b"]]),
        ("ExecStart=-@+!/bin/a called b", [["/bin/a", "b"]]),
        ("ExecStart=:/bin/a $B ${C}", [["/bin/a", "$$B", "$${C}"]]),
        ("Type=oneshot\nExecStart=/bin/a ; /bin/b c", [["/bin/a"], ["/bin/b", "c"]]),
        ("ExecStart=/bin/a \\; b ';'", [["/bin/a", ";", "b", ";"]]),
        ("ExecStart=/bin/a ;", [["/bin/a"]]),
        ("ExecStart=/bin/a\nExecStart=\nExecStart=/bin/b", [["/bin/b"]]),
        ("ExecStart=/bin/%p %%n", [["/bin/x", "%n"]]),
        ("ExecStart=java -jar", [["java", "-jar"]]),
        ("Type=oneshot\nExecStart=-../a\nExecStart=/bin/b", [["/bin/b"]]),
        ("Type=oneshot\nExecStart=-a/b c ; /bin/b", [["/bin/b"]]),
    ],
)
def test_commands(host: Host, lines: str, expected: list[list[str]]) -> None:
    unit = loaded(host, lines)
    assert commands(unit.exec_start) == expected
    assert unit.doubt is None


@pytest.mark.parametrize("setting", ["ExecStartPre", "ExecCondition"])
def test_commands_before(host: Host, setting: str) -> None:
    assert commands(loaded(host, f"ExecStart=/bin/a\n{setting}=/bin/b c").before) == [["/bin/b", "c"]]
    assert loaded(host, f"ExecStart=/bin/a\n{setting}=/bin/b\n{setting}=").before == ()
    assert loaded(host, "ExecStart=/bin/a\nExecStartPost=/bin/b\nExecReload=/bin/c").before == ()


@pytest.mark.parametrize("command", ["a/b", "./a", "..", ".", "/bin/", "'/bin/a"])
@pytest.mark.parametrize(
    "setting", ["ExecStart", "ExecStartPre", "ExecCondition", "ExecStartPost", "ExecReload", "ExecStop", "ExecStopPost"]
)
def test_a_command_that_is_none_refuses_the_unit(host: Host, setting: str, command: str) -> None:
    unit = loaded(host, f"ExecStart=/bin/a\n{setting}={command}")
    assert unit.refused
    assert unit.doubt[0].startswith(f"systemd refuses the unit: {setting}= has ")


def test_of_a_drop_in_with_a_command_that_is_none_nothing_more_is_read(host: Host) -> None:
    unit = loaded(host, "ExecStart=/bin/a", "Environment=A=1\nExecStop=a/b\nEnvironment=B=2", "Environment=C=3")
    assert not unit.refused and unit.doubt is None
    assert variables(unit) == {"A": "1", "C": "3"}


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("User=ci", "no ExecStart="),
        ("Type=simple\nExecStop=/bin/a", "no ExecStart="),
        ("ExecStop=/bin/a", None),
        ("Type=oneshot\nExecStop=/bin/a", None),
        ("Type=oneshot", "no ExecStart="),
        ("BusName=a.b\nExecStop=/bin/a", "no ExecStart="),
        ("Type=oneshot\n[Unit]\nSuccessAction=reboot", None),
        ("Type=oneshot\n[Unit]\nSuccessAction=none", "no ExecStart="),
        ("ExecStart=/bin/a\nExecStart=/bin/b", "2 commands in ExecStart="),
        ("Type=oneshot\nExecStart=/bin/a\nExecStart=/bin/b", None),
        ("Type=oneshot\nExecStart=/bin/a\nRestart=always", "Restart=always is not allowed"),
        ("Type=oneshot\nExecStart=/bin/a\nRestart=on-success", "Restart=on-success is not allowed"),
        ("Type=oneshot\nExecStart=/bin/a\nRestart=on-failure", None),
        ("ExecStart=/bin/a\nRestart=always", None),
        ("Type=dbus\nExecStart=/bin/a", "has no BusName="),
        ("Type=dbus\nBusName=a.b\nExecStart=/bin/a", None),
        ("BusName=a.b\nExecStart=/bin/a", None),
        ("Type=oneshot\nType=nonsense\nExecStart=/bin/a\nExecStart=/bin/b", None),  # passed over
        ("Type=oneshot\nType=\nExecStart=/bin/a\nExecStart=/bin/b", "2 commands"),
    ],
)
def test_what_systemd_refuses_by_settings_together(host: Host, lines: str, reason: str | None) -> None:
    unit = loaded(host, lines)
    assert unit.refused is (reason is not None)
    assert unit.doubt is None if reason is None else reason in unit.doubt[0]


@pytest.mark.parametrize("kind", "simple exec forking dbus notify notify-reload idle".split())
def test_every_type_counts(host: Host, kind: str) -> None:
    """Of all but oneshot a second command is refused."""
    unit = loaded(host, f"Type=oneshot\nType={kind}\nBusName=a.b\nExecStart=/bin/a\nExecStart=/bin/b")
    assert unit.refused and "2 commands" in unit.doubt[0]


def test_a_refusal_names_the_last_drop_in(host: Host) -> None:
    unit = loaded(host, "ExecStart=/bin/a", "ExecStart=/bin/b", "Environment=A=1")
    assert unit.doubt[1] == f"{ETC}/x.service.d/1.conf"


def test_variables_passed_on_are_weakest_and_not_known(host: Host) -> None:
    unit = loaded(host, "ExecStart=/bin/a\nPassEnvironment=A B\nEnvironment=A=1")
    assert variables(unit) == {"A": "1", "B": ""}
    assert "PassEnvironment=B" in unit.environment["B"].value.unknown(True)
    assert variables(loaded(host, "ExecStart=/bin/a\nPassEnvironment=A\nPassEnvironment=")) == {}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("EnvironmentFile=/etc/a\nEnvironmentFile=-/etc/none", {"A": "file", "B": "2"}),
        ("EnvironmentFile=/etc/a\nEnvironmentFile=", {"A": "1"}),
        ("EnvironmentFile=/etc/a\nEnvironmentFile=/etc/b", {"A": "later", "B": "2"}),
        ("EnvironmentFile=etc/a", {"A": "1"}),
        ("EnvironmentFile=/etc/[ab]", {"A": "later", "B": "2"}),
        ("EnvironmentFile=/etc/a\nUnsetEnvironment=B A=file", {}),
        ("EnvironmentFile=/etc/a\nUnsetEnvironment=A=1", {"A": "file", "B": "2"}),
    ],
)
def test_files_of_variables(host: Host, lines: str, expected: dict[str, str]) -> None:
    host.write("/etc/a", "A=file\nB=2\n")
    host.write("/etc/b", "A=later\n")
    unit = loaded(host, "ExecStart=/bin/a\nEnvironment=A=1\n" + lines)
    assert variables(unit) == expected
    assert unit.doubt is None


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("/etc/none", "its EnvironmentFile is missing"),
        ("/run/x/env", "made anew before it starts"),
        ("/etc/link", "a link to what is made anew"),
        ("/etc/latin", "no UTF-8"),
    ],
)
def test_files_of_variables_that_are_doubt(host: Host, entry: str, reason: str) -> None:
    host.write("/run/x/env", "A=1\n")
    host.write("/etc/latin", "A=\xe9\n")
    (host.root / "etc/link").symlink_to("/run/x/env")
    unit = loaded(host, f"ExecStart=/bin/a\nEnvironmentFile={entry}")
    assert unit.doubt and reason in unit.doubt[0], unit.doubt
    assert unit.doubt[1] == entry


def test_an_optional_file_that_is_no_utf_8_is_passed_over(host: Host) -> None:
    host.write("/etc/latin", "A=\xe9\n")
    host.write("/etc/b", "B=2\n")
    unit = loaded(host, "ExecStart=/bin/a\nEnvironmentFile=-/etc/latin\nEnvironmentFile=/etc/b")
    assert unit.doubt is None and variables(unit) == {"B": "2"}


def test_pam_sets_variables_only_where_its_service_is_known(host: Host) -> None:
    assert "no /etc/pam.d/ci" in loaded(host, "ExecStart=/bin/a\nPAMName=ci").doubt[0]
    host.write("/etc/passwd", PASSWD)
    host.write("/etc/pam.d/ci", "session required pam_env.so envfile=/etc/ci.env\n")
    host.write("/etc/ci.env", "A=pam\n")
    assert variables(loaded(host, "ExecStart=/bin/a\nUser=ci\nEnvironment=A=1\nPAMName=ci")) == {"A": "pam"}
    assert "without User=" in loaded(host, "ExecStart=/bin/a\nPAMName=ci").doubt[0]
    assert loaded(host, "ExecStart=/bin/a\nPAMName=ci\nPAMName=").doubt is None


@pytest.mark.parametrize(
    ("letter", "text"),
    [
        *{"n": "a-b@c-d.service", "N": "a-b@c-d", "p": "a-b", "i": "c-d", "j": "b", "I": "c/d", "P": "a/b"}.items(),
        *{"J": "b", "t": "/run", "S": "/var/lib", "C": "/var/cache", "L": "/var/log", "E": "/etc"}.items(),
        *{"T": "/tmp", "V": "/var/tmp", "u": "root", "U": "0", "h": "/root", "%": "%", "H": "host1"}.items(),
    ],
)
def test_specifiers(host: Host, letter: str, text: str) -> None:
    host.write("/etc/hostname", "# name\n\nhost1\n")
    host.write("/usr/lib/systemd/libsystemd-shared-252.so", "")
    host.write(f"{ETC}/a-b@.service", f"[Service]\nExecStart=/bin/a\nEnvironment=A=x%{letter}y\n")
    unit = wherever(launch, "UnitFiles")(host.files).load("a-b@c-d.service")
    assert unit is not None and variables(unit) == {"A": f"x{text}y"}


@pytest.mark.parametrize("letter", "abBcdDfgGlmMoqrRsvwWAyYH")
def test_specifiers_that_are_not_known_here(host: Host, letter: str) -> None:
    unit = loaded(host, f"ExecStart=/bin/a\nEnvironment=A=x%{letter}y")
    assert any(run.unknown and f"%{letter}" in run.unknown for run in unit.environment["A"].value)


@pytest.mark.parametrize("letter", "uUh")
def test_specifiers_of_an_old_systemd(host: Host, letter: str) -> None:
    host.write("/lib/systemd/systemd", "")
    unit = loaded(host, f"ExecStart=/bin/a\nEnvironment=A=%{letter}")
    assert f"the specifier %{letter} of an old systemd" in str(unit.environment["A"].value.unknown(True))


def test_specifiers_that_there_are_not(host: Host) -> None:
    unit = loaded(host, "ExecStart=/bin/a\nEnvironment=A=%z B=1\nEnvironment=C=%-\nEnvironment=D=1%")
    assert variables(unit) == {"B": "1", "C": "%-", "D": "1%"}
    assert loaded(host, "ExecStart=/bin/a %z").refused


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (r"\a\b\f\n\r\t\v\\\"\'\s", "\a\b\f\n\r\t\v\\\"' "),
        (r"\x41\101\u00e9\U0001F600", "AA\xc3\xa9\xf0\x9f\x98\x80"),
        (r"\xff", "\xff"),
    ],
)
def test_escapes(host: Host, value: str, text: str) -> None:
    assert variables(loaded(host, f'ExecStart=/bin/a\nEnvironment="A={value}"')) == {"A": text}


@pytest.mark.parametrize("value", [r"\x00", r"\000", r"\ud800", r"\udfff", r"\U00110000", r"\q", r"\x4", "\\"])
def test_escapes_that_systemd_rejects_end_the_line(host: Host, value: str) -> None:
    assert variables(loaded(host, f'ExecStart=/bin/a\nEnvironment=A=1 "B={value}" C=3')) == {"A": "1"}


def test_lines_are_joined_and_comments_left_out(host: Host) -> None:
    text = "ExecStart=/bin/a\n# c\n ; c\nEnvironment=A=1 \\\n  # between\n; between\n  B=2 \\\n\nEnvironment=C=3"
    assert variables(loaded(host, text)) == {"A": "1", "B": "2", "C": "3"}


def test_only_its_own_section_counts(host: Host) -> None:
    host.write(
        f"{ETC}/x.service",
        "\xef\xbb\xbf[Unit]\nSourcePath=/etc/init.d/x\nEnvironment=A=1\n[Service]\nExecStart=/bin/a\nSourcePath=/y\n"
        "[Install]\nEnvironment=B=2\nUser=ci\n",
    )
    unit = wherever(launch, "UnitFiles")(host.files).load("x.service")
    assert unit is not None and unit.source == "/etc/init.d/x" and unit.user == "" and variables(unit) == {}


def test_a_unit_that_is_no_utf_8_is_not_read_on(host: Host) -> None:
    host.write(f"{ETC}/x.service", "[Service]\nExecStart=/bin/a\nUser=\xe9\n")
    with pytest.raises(Unresolvable, match="no UTF-8") as found:
        wherever(launch, "UnitFiles")(host.files).load("x.service")
    assert (found.value.path, found.value.line) == (f"{ETC}/x.service", 3)


def test_limits_of_a_unit(host: Host) -> None:
    host.write(f"{ETC}/x.service", "[Service]\nUser=" + "x" * (1 << 20))
    with pytest.raises(Unresolvable, match="a line of more than 1048576 bytes"):
        wherever(launch, "UnitFiles")(host.files).load("x.service")
    host.write(f"{ETC}/x.service", "[Service]\n" + "A=1\n" * 50_002)
    with pytest.raises(Unresolvable, match="more than 50000 settings"):
        wherever(launch, "UnitFiles")(host.files).load("x.service")


def test_the_stronger_folder_s_unit_and_drop_in_count(host: Host) -> None:
    for place, user in ((USR, "usr"), (RUN, "run"), (ETC, "etc")):
        host.write(f"{place}/x.service", f"[Service]\nUser={user}\nExecStart=/bin/a\n")
        host.write(f"{place}/x.service.d/a.conf", f"[Service]\nEnvironment=A={user}\n")
        host.write(f"{place}/service.d/b.conf", f"[Service]\nEnvironment=B={user}\n")
        host.write(f"{place}/x.service.d/c.txt", "[Service]\nEnvironment=C=1\n")
        unit = wherever(launch, "UnitFiles")(host.files).load("x.service")
        assert unit is not None and unit.user == user and variables(unit) == {"A": user, "B": user}
        assert unit.fragment == f"{place}/x.service"
        assert unit.drop_ins == (f"{place}/x.service.d/a.conf", f"{place}/service.d/b.conf")


def test_folders_of_drop_ins_by_the_parts_of_a_name(host: Host) -> None:
    host.write(f"{ETC}/a-b@.service", "[Service]\nExecStart=/bin/a\n")
    folders = ["a-b@c.service.d", "a-b@.service.d", "a-@c.service.d", "a-@.service.d", "service.d"]
    for number, folder in enumerate(folders):
        host.write(f"{ETC}/{folder}/{number}.conf", f"[Service]\nEnvironment=A{number}=1\n")
    for folder in ("a.service.d", "b@c.service.d", "a-b.service.d", "@c.service.d"):
        host.write(f"{ETC}/{folder}/no.conf", "[Service]\nEnvironment=NO=1\n")
    unit = wherever(launch, "UnitFiles")(host.files).load("a-b@c.service")
    assert unit is not None
    assert set(variables(unit)) == {f"A{number}" for number in range(len(folders))}


def test_a_masked_unit_and_a_masked_drop_in(host: Host) -> None:
    host.write(f"{ETC}/y.service", "[Service]\nUser=ci\nExecStart=/bin/a\n")
    host.write(f"{USR}/y.service.d/a.conf", "[Service]\nUser=other\n")
    (host.root / "etc/systemd/system/y.service.d").mkdir()
    (host.root / "etc/systemd/system/y.service.d/a.conf").symlink_to("/dev/null")
    (host.root / "etc/systemd/system/x.service").symlink_to("/dev/null")
    units = wherever(launch, "UnitFiles")(host.files)
    masked, unit = units.load("x.service"), units.load("y.service")
    assert masked is not None and masked.masked and masked.user == "" and masked.fragment == f"{ETC}/x.service"
    assert unit is not None and not unit.masked and unit.user == "ci" and unit.drop_ins == ()
    assert units.load("z.service") is None


def test_names_and_instances(host: Host) -> None:
    host.write(f"{ETC}/a@.service", "[Service]\nExecStart=/bin/a\n")
    host.write(f"{ETC}/b.timer", "[Unit]\nWants=a@eight.service\n")
    host.write(f"{ETC}/multi-user.target.wants/a@one.service", "")
    host.write(f"{ETC}/x.target.requires/a@two.service", "")
    host.write(f"{ETC}/x.target.wants/b.timer", "")
    host.write(
        f"{ETC}/c.target", "[Unit]\nWants=a@three.service  a@%i.service\n# a@four.service\nAfter=a@five.service\n"
    )
    host.write(
        f"{ETC}/d.service", "[Unit]\n Requires=a@six.service xa@no.service\nBefore=a@no.service\n;a@no.service\n"
    )
    host.write(f"{ETC}/e.mount", "[Unit]\nWants=a@no.service\n")
    host.write(f"{USR}/f.socket", "[Unit]\nWants=a@seven.service\nExecStop=a@no.service\n")
    units = wherever(launch, "UnitFiles")(host.files)
    assert units.names() == ["a@.service", "a@one.service", "a@two.service", "d.service"]
    assert units.wanted_instances("a@.service") == [f"a@{name}.service" for name in ("eight", "seven", "six", "three")]


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ("/bin/a $A", ["/bin/a", "1", "2 3"]),
        ("/bin/a x$A", ["/bin/a", "x$A"]),
        ("/bin/a x${A}y", ["/bin/a", "x1 '2 3'y"]),
        ("/bin/a $NONE ${NONE} b", ["/bin/a", "", "b"]),
        ("/bin/a $$A $${A}", ["/bin/a", "$A", "${A}"]),
        ("/bin/$A ${A}", ["/bin/$A", "1 '2 3'"]),
        ("$A b", ["$A", "b"]),
        ("/bin/a '$A b'", ["/bin/a", "$A b"]),
    ],
)
def test_variables_in_commands(host: Host, argv: str, expected: list[str]) -> None:
    unit = loaded(host, f"Environment=\"A=1 '2 3'\"\nExecStart={argv}")
    words = wherever(launch, "substitute")(unit.exec_start[-1], unit.environment)
    assert [word.text for word in words] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# c \\\n A=no\nB=1", {"B": "1"}),
        ("; c\nA=1", {"A": "1"}),
        (" A = 1 ", {"A": "1"}),
        ("A=1\rB=2", {"A": "1", "B": "2"}),
        ("A=\nB=", {"A": "", "B": ""}),
        ("A='a b'\"c d\" e", {"A": "a bc de"}),
        ("A=a b  \t\n", {"A": "a b"}),
        ("A=a\\ \n", {"A": "a "}),
        ("A=a\\\nb\n", {"A": "ab"}),
        ('A="\\"\\\\\\`\\$\\n\\\nx"', {"A": '"\\`$\\nx'}),
        ("A='\\n'", {"A": "\\n"}),
        ("no\nA=1", {"A": "1"}),
        ("A=1\n1B=2\nC-D=3", {"A": "1"}),
        ("A='open", {"A": "open"}),
        ('A="open', {"A": "open"}),
        ("A=a\\", {"A": "a"}),
        ("A", {}),
        ("export A=1", {}),
    ],
)
def test_text_of_a_file_of_variables(text: str, expected: dict[str, str]) -> None:
    found = wherever(launch, "parse_environment_file")(text, "/e")
    assert {name: variable.value.text for name, variable in found} == expected
    for name, variable in found:
        assert variable.path == "/e" and variable.reader == "EnvironmentFile"
        assert text[variable.position :].startswith(name)
        for run in variable.value:
            assert text[run.position :].startswith(run.text)


def test_default_environment_of_the_manager(host: Host) -> None:
    host.write("/usr/lib/systemd/system.conf", "[Manager]\nDefaultEnvironment=A=no\n")
    host.write(
        "/etc/systemd/system.conf",
        "[Manager]\nDefaultEnvironment=A=1 B=2\n[X]\nDefaultEnvironment=C=no\nShowStatus=D=1\n",
    )
    host.write("/etc/systemd/system.conf.d/b.conf", "[Manager]\nDefaultEnvironment=B=3 E=5\n")
    host.write("/usr/lib/systemd/system.conf.d/b.conf", "[Manager]\nDefaultEnvironment=B=no\n")
    host.write("/usr/lib/systemd/system.conf.d/c.txt", "[Manager]\nDefaultEnvironment=F=no\n")
    default = wherever(launch, "default_environment")
    assert {name: one.value.text for name, one in default(host.files).items()} == {"A": "1", "B": "3", "E": "5"}
    host.write("/run/systemd/system.conf.d/z.conf", "[Manager]\nDefaultEnvironment=\nDefaultEnvironment=G=%%\n")
    assert {name: one.value.text for name, one in default(host.files).items()} == {"G": "%"}
    (host.root / "etc/systemd/system.conf.d/z.conf").symlink_to("/dev/null")
    assert set(default(host.files)) == {"A", "B", "E"}


def test_what_a_reboot_takes_from_the_manager_is_not_known(host: Host) -> None:
    host.write("/etc/systemd/system.conf", "[Manager]\nDefaultEnvironment=A=1 B=2\n")
    variable = next(iter(wherever(launch, "parse_environment_file")("X=1", "/e")))[1]
    manager = dict.fromkeys(("A", "B", "X", "PATH", "LANG", "LC_ALL", "HOME", "USER", "TERM"), variable)
    found = wherever(launch, "lasting")(manager, host.files)
    assert sorted(name for name, one in found.items() if one.value.unknown(True)) == ["B", "X"]
    assert set(found) == set(manager)


def test_generators_of_the_manager_s_environment(host: Host) -> None:
    place = "systemd/system-environment-generators"
    for folder in ("/usr/lib", "/usr/local/lib", "/etc", "/run"):
        host.write(f"{folder}/{place}/10-a", "#!/bin/sh\n", 0o755)
    host.write(f"/usr/lib/{place}/snapd-env-generator", "", 0o755)
    host.write(f"/usr/lib/{place}/20-b", "", 0o755)
    (host.root / f"etc/{place}/20-b").symlink_to("/dev/null")
    assert wherever(launch, "environment_generators")(host.files) == [f"/run/{place}/10-a"]


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        ("/bin/cat /etc/env", None),
        ("/usr/bin/chmod 600 /etc/env", None),
        ("/bin/cp /x /etc/env", "may write /etc/env"),
        ("/bin/sh -c 'echo A=1 > /etc/env'", "may write /etc/env"),
        ("/bin/sh -c 'echo A=1 >>  \"$D/env\"'", "may write /etc/env"),
        ("/bin/echo A > /etc/environment", None),
        ("/bin/systemctl set-environment A=1", "changes the environment of the service manager"),
        ("/opt/own/make-env", "starts /opt/own/make-env, which may write its EnvironmentFile"),
        ("/opt/own/script", None),
        ("/opt/own/writes", "may write /etc/env"),
        ("/bin/true", None),
    ],
)
def test_what_is_started_before_may_write_what_is_read(host: Host, before: str, reason: str | None) -> None:
    host.write("/etc/env", "A=1\n")
    host.write("/opt/own/make-env", "\x7fELF", 0o755)
    host.write("/opt/own/script", "#!/bin/bash\ntrue\n", 0o755)
    host.write("/opt/own/writes", "#!/bin/sh\necho B=1 >/etc/env\n", 0o755)
    unit = loaded(host, f"ExecStart=/bin/a\nEnvironmentFile=/etc/env\nExecStartPre={before}")
    said = wherever(launch, "written_before")(unit, ["/etc/env"], host.files)
    assert said is None if reason is None else reason in said


@pytest.mark.parametrize("word", ["@/etc/options", "-XX:VMOptionsFile=/etc/options"])
@pytest.mark.parametrize(
    "line", ["ExecStart=/usr/bin/java %s", "Environment=JDK_JAVA_OPTIONS=%s\nExecStart=/usr/bin/java"]
)
def test_what_is_started_before_may_write_a_file_of_options(host: Host, word: str, line: str) -> None:
    host.write("/etc/options", f"{FLAG}\n")
    start = f"[Service]\n{line % word} -jar /opt/jenkins.war\n"
    host.write(f"{ETC}/jenkins.service", start)
    assert host.verdict() == "disabled"
    host.write(f"{ETC}/jenkins.service", f"{start}ExecStartPre=/bin/sh -c 'echo -Da > /etc/options'\n")
    assert "may write /etc/options" in (host.only()[1].reason or "")
    host.write("/run/options", f"{FLAG}\n")
    host.write(f"{ETC}/jenkins.service", start.replace("/etc/options", "/run/options"))
    assert "the JVM reads /run/options, which is made anew before it starts" in (host.only()[1].reason or "")


@pytest.mark.parametrize(
    ("lines", "verdict"),
    [
        ('Environment="JAVA_OPTS={flag}%v"\nExecStart=/usr/bin/java $JAVA_OPTS -jar /opt/jenkins.war', "unresolvable"),
        ('Environment="JAVA_TOOL_OPTIONS={flag}%v"\nExecStart=/usr/bin/java -jar /opt/jenkins.war', "unresolvable"),
        # Beside it, it is one word that is no option.
        ('Environment="JAVA_TOOL_OPTIONS={flag} -Da=%v"\nExecStart=/usr/bin/java -jar /opt/jenkins.war', "disabled"),
    ],
)
def test_a_specifier_that_is_not_known_counts_where_it_touches_the_flag(host: Host, lines: str, verdict: str) -> None:
    host.write("/opt/jenkins.war", "PK")
    host.write(f"{ETC}/jenkins.service", f"[Service]\n{lines.replace('{flag}', FLAG)}\n")
    assert host.only()[1].verdict == verdict

"""A service that sees other files than the host: they are read, and edited, where they really are."""

from __future__ import annotations

from pathlib import Path

import pytest
from hostroot import FLAG, Host

from ansible_collections.cbops.telemetry.plugins.module_utils._answer import state
from ansible_collections.cbops.telemetry.plugins.module_utils.launch import _outcome

UNIT = "/etc/systemd/system/cloudbees-cm.service"
ROOT = "/srv/root"
SCRIPT = (
    "#!/bin/bash\n. /etc/default/ci\nexport JENKINS_HOME=/var/lib/ci\n"
    "exec java $JAVA_OPTS -jar /opt/ci/cloudbees-core-cm.war\n"
)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A root of a service below the host's, each with files of the same names: the flag is in the service's alone."""
    host = Host(tmp_path / "host")
    for root, options in (("", "-Xmx1g"), (ROOT, f"-Xmx2g {FLAG}")):
        host.write(f"{root}/opt/ci/start.sh", SCRIPT, 0o755)
        host.write(f"{root}/opt/ci/cloudbees-core-cm.war", "PK")
        host.write(f"{root}/etc/default/ci", f'JAVA_OPTS="{options}"\n')
        host.write(
            f"{root}/var/lib/ci/config.xml",
            "<hudson><noUsageStatistics>true</noUsageStatistics></hudson>" if root else "<hudson/>",
        )
    return host


def _unit(host: Host, text: str, start: str = "/opt/ci/start.sh") -> tuple[str, str]:
    host.write(UNIT, f"[Service]\nExecStart={start}\n{text}")
    _definition, outcome = host.only()
    return outcome.verdict, outcome.reason or ""


@pytest.mark.parametrize(
    "text",
    [
        f"RootDirectory={ROOT}\n",
        "RootDirectory=/srv/./root\n",
        "RootDirectory=/srv/linked\n",
        f"BindReadOnlyPaths={ROOT}/etc/default:/etc/default\n",
        f"BindPaths={ROOT}/etc:/etc\n",
        f"BindPaths={ROOT}/etc/default/ci:/etc/default/ci:norbind\n",
        f"BindPaths=-{ROOT}/etc:/etc -/nothing:/opt\n",
        f"BindPaths={ROOT}/etc:/etc\nBindReadOnlyPaths={ROOT}/etc:/etc\n",
        f"RootDirectory=/\nBindPaths=/srv\nRootDirectory={ROOT}\n",
    ],
)
def test_what_the_service_sees_is_read(host: Host, text: str) -> None:
    (host.root / "srv/linked").symlink_to("root")
    (host.root / "srv/cm").mkdir()
    assert _unit(host, text) == ("disabled", "")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("RootDirectory=/srv/missing\n", "RootDirectory=/srv/missing: it is not there"),
        ("RootDirectory=srv\n", "systemd refuses the unit: RootDirectory= is no absolute path without .."),
        ("RootDirectory=/srv/../srv/root\n", "systemd refuses the unit: RootDirectory= is no absolute path without .."),
        (
            "WorkingDirectory=/srv/../opt\n",
            "systemd refuses the unit: WorkingDirectory= is no absolute path without ..",
        ),
        (f"RootDirectory={ROOT}\nExecStartPre=/opt/ci/prepare\n", "which files its commands see that run before"),
        ("RootImage=/srv/root.raw\n", "RootImage=/srv/root.raw: the service sees other files than the host's"),
        ("RootDirectory=/srv/%m\n", "the specifier %m"),
        ("BindPaths=/nothing:/opt/ci\n", "BindPaths= shows the service other files"),
        ("TemporaryFileSystem=/etc/default\n", "TemporaryFileSystem= shows the service other files"),
        # What systemd 247 and 252 start nothing of, and 257 does; and of two for one place systemd drops one.
        (f"RootDirectory=/\nBindPaths={ROOT}/etc\n", "RootDirectory=/ beside BindPaths="),
        (f"BindPaths=-/nothing:/etc/default {ROOT}/etc/default:/etc/default\n", "BindPaths= shows the service other"),
    ],
)
def test_what_it_sees_and_is_not_known_has_a_reason(host: Host, text: str, reason: str) -> None:
    verdict, said = _unit(host, text)
    assert verdict == "unresolvable"
    assert reason in said


def test_a_root_that_others_may_swap_is_not_known(host: Host) -> None:
    (host.root / "srv").chmod(0o777)
    assert "others than root may change /srv" in _unit(host, f"RootDirectory={ROOT}\n")[1]


def test_a_bound_folder_that_others_may_swap_counts_where_launch_files_may_lie(host: Host) -> None:
    host.write("/home/ci/etc/ci", f'JAVA_OPTS="{FLAG}"\n')
    (host.root / "home/ci").chmod(0o777)
    assert _unit(host, "BindPaths=/home/ci/etc:/etc/default\n")[0] == "unresolvable"
    assert _unit(host, "BindPaths=/home/ci/etc:/data/other\n")[0] == "enabled"


def test_links_are_followed_below_the_root(host: Host) -> None:
    (host.root / "srv/root/etc/default/ci").rename(host.root / "srv/root/etc/options")
    (host.root / "srv/root/etc/default/ci").symlink_to("/etc/options")
    host.write("/etc/options", "JAVA_OPTS=-Da=b\n")
    assert _unit(host, f"RootDirectory={ROOT}\n") == ("disabled", "")
    assert host.declare("enabled") == [f"{ROOT}/etc/options"]


def test_the_service_manager_reads_an_environment_file_of_the_host(host: Host) -> None:
    host.write("/etc/ci.env", f"JAVA_TOOL_OPTIONS={FLAG.replace('true', 'false')}\n")
    host.write(f"{ROOT}/etc/ci.env", "JAVA_TOOL_OPTIONS=-Xmx9g\n")
    host.write(UNIT, f"[Service]\nRootDirectory={ROOT}\nEnvironmentFile=/etc/ci.env\nExecStart=/opt/ci/start.sh\n")
    _definition, outcome = host.only()
    assert [(one.path, one.value) for one in outcome.mentions] == [
        ("/etc/ci.env", "false"),
        (f"{ROOT}/etc/default/ci", "true"),
    ]


@pytest.mark.parametrize("text", [f"RootDirectory={ROOT}\n", f"BindPaths={ROOT}/etc/default:/etc/default\n"])
def test_the_file_is_edited_where_it_really_is(host: Host, text: str) -> None:
    before = host.read("/etc/default/ci")
    assert _unit(host, text)[0] == "disabled"
    assert host.declare("enabled") == [f"{ROOT}/etc/default/ci"]
    assert FLAG not in host.read(f"{ROOT}/etc/default/ci") and host.read("/etc/default/ci") == before
    assert host.verdict() == "enabled"
    assert host.declare("disabled") == [f"{ROOT}/etc/default/ci"]
    assert host.verdict() == "disabled" and host.read("/etc/default/ci") == before
    assert host.declare("disabled") == []


def test_a_package_s_file_in_the_root_is_not_edited(host: Host) -> None:
    host.write(f"{ROOT}/opt/ci/start.sh", f"#!/bin/bash\n. /usr/share/ci/options\n{SCRIPT.split(chr(10), 2)[2]}", 0o755)
    host.write(f"{ROOT}/usr/share/ci/options", "JAVA_OPTS=-Xmx1g\n")
    assert _unit(host, f"RootDirectory={ROOT}\n")[0] == "enabled"
    assert not any("/usr/" in path for path in host.declare("disabled"))
    assert host.verdict() == "disabled"


def test_home_and_settings_are_those_that_the_service_sees(host: Host) -> None:
    host.write(UNIT, f"[Service]\nRootDirectory={ROOT}\nExecStart=/opt/ci/start.sh\n")
    [row] = state(str(host.root), (), None, "never")["installations"]
    assert row["home"] == f"{ROOT}/var/lib/ci"
    assert row["settings"]["no_usage_statistics"] is True
    assert [(one["file"], one["live"]) for one in row["declarations"]] == [(f"{ROOT}/etc/default/ci", True)]


def test_the_working_directory_is_in_the_root(host: Host) -> None:
    host.write(f"{ROOT}/opt/ci/setenv.sh", f"JAVA_OPTS={FLAG}\n")
    host.write(f"{ROOT}/opt/ci/start.sh", "#!/bin/sh\n. ./setenv.sh\nexec java $JAVA_OPTS -jar cloudbees-core-cm.war\n")
    assert _unit(host, f"RootDirectory={ROOT}\nWorkingDirectory=/opt/ci\n") == ("disabled", "")
    assert host.only()[1].programs == ("/opt/ci/cloudbees-core-cm.war",)


def test_an_edit_of_a_host_file_counts_where_the_service_sees_it(host: Host) -> None:
    _unit(host, f"BindReadOnlyPaths={ROOT}/etc/default:/etc/default\n")
    definition, before = host.only()
    changed = host.files.with_candidates({f"{ROOT}/etc/default/ci": "JAVA_OPTS=-Xmx1g\n"})
    assert (before.verdict, _outcome.outcome(definition, changed).verdict) == ("disabled", "enabled")

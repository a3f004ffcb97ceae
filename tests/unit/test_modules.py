"""The modules as Ansible runs them: options, check mode, refusals, and no secret in any answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible.module_utils import basic
from hostroot import FLAG, Host
from schemas import validate

from ansible_collections.cbops.telemetry.plugins.modules import telemetry_backup, telemetry_flag, telemetry_info
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect import _gate as gate

SECRETS = ("s3cr3t-of-the-keystore", "s3cr3t-option")
PASSWORD = "-Djavax.net.ssl.keyStorePassword=s3cr3t-option"
LAYOUTS: dict[str, tuple[Callable[[Host], None], str]] = {
    "deb": (lambda host: host.deb(f'JAVA_ARGS="{PASSWORD} -Xmx1g"\n'), "/etc/default/cloudbees-core-cm"),
    "rpm": (lambda host: host.rpm(f'JENKINS_JAVA_OPTIONS="{PASSWORD}"\n'), "/etc/sysconfig/cloudbees-core-cm"),
    "rpm, array": (lambda host: host.rpm(f'JENKINS_JAVA_OPTIONS=("{PASSWORD}")\n'), "/etc/sysconfig/cloudbees-core-cm"),
    "systemd": (
        lambda host: host.oss(f'[Service]\nEnvironment="JAVA_OPTS={PASSWORD}"\n'),
        "/etc/systemd/system/jenkins.service.d/10-admin.conf",
    ),
    "script": (
        lambda host: host.script(f"#!/bin/sh\nexec java {PASSWORD} -jar /opt/jenkins.war\n"),
        "/opt/cloudbees/cm/start.sh",
    ),
    "deb, not resolvable": (
        lambda host: host.deb(f'JAVA_ARGS="{PASSWORD}"\nJENKINS_WAR="$(words /x) $JENKINS_WAR"\n'),
        "/etc/default/cloudbees-core-cm",
    ),
    "deb, broken": (lambda host: host.deb(f'JAVA_ARGS="{PASSWORD}\n'), "/etc/default/cloudbees-core-cm"),
}


def call(
    capsys: pytest.CaptureFixture[str], main: Callable[[], None], check: bool = False, **options: Any
) -> dict[str, Any]:
    """Run a module's main() with these options; what it answered."""
    arguments = {**options, "_ansible_check_mode": check, "_ansible_diff": True}
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit):
        # As ansible.module_utils.testing does it, which cores before 2.19 have not.
        patch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode())
        patch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        main()
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert not any(secret in json.dumps({k: v for k, v in answer.items() if k != "invocation"}) for secret in SECRETS)
    return answer


def sha256(content: str) -> str:
    """The checksum of a file's content."""
    return hashlib.sha256(content.encode()).hexdigest()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_declaring(host: Host, capsys: pytest.CaptureFixture[str], layout: str) -> None:
    prepare, path = LAYOUTS[layout]
    prepare(host)
    before = host.read(path)
    root = str(host.root)
    resolvable = layout not in ("deb, not resolvable", "deb, broken")

    info = call(capsys, telemetry_info.main, root=root)
    validate(info["state"])
    assert info["changed"] is False

    foreseen = call(capsys, telemetry_flag.main, check=True, root=root, state="disabled")
    assert host.read(path) == before
    assert (foreseen["changed"], bool(foreseen.get("failed"))) == (resolvable, not resolvable)

    done = call(capsys, telemetry_flag.main, root=root, state="disabled")
    validate(done["state"])
    if not resolvable:
        assert done["failed"]
        assert done["refused"]
        assert host.read(path) == before
        assert done["backup_files"] == []
        assert done["files"] == foreseen["files"] == []
        return
    assert done["changed"]
    assert [item["after_header"] for item in done["diff"]] == [path]
    assert all(FLAG in item["after"] for item in done["diff"])
    assert done["diff"] == foreseen["diff"]
    assert done["state"]["installations"][0]["on_disk"] == "disabled"
    kept = host.read(done["backup_files"][0].removeprefix(root))
    assert kept == before
    edit = {"path": path, "before": sha256(before), "after": sha256(host.read(path)), "backup": None}
    assert foreseen["files"] == [edit]
    assert done["files"] == [{**edit, "backup": done["backup_files"][0]}]

    again = call(capsys, telemetry_flag.main, root=root, state="disabled")
    assert not again["changed"]
    assert again["diff"] == []

    undone = call(capsys, telemetry_flag.main, root=root, state="enabled", backup=False)
    assert undone["changed"]
    assert undone["backup_files"] == []
    assert host.read(path) == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"state": "off"}, "value of state must be one of"),
        ({}, "missing required arguments: state"),
        ({"state": "disabled", "root": "relative"}, "absolute path"),
        ({"state": "disabled", "launch_scripts": ["start.sh"]}, "start.sh: an absolute path is needed"),
        ({"state": "disabled", "name": ["nothing"]}, "not installed here: nothing"),
    ],
)
def test_wrong_options_of_the_flag(
    host: Host, capsys: pytest.CaptureFixture[str], options: dict[str, Any], said: str
) -> None:
    host.deb("")
    before = host.read("/etc/default/cloudbees-core-cm")
    answer = call(capsys, telemetry_flag.main, **{"root": str(host.root), **options})
    assert answer["failed"]
    assert said in answer["msg"]
    assert host.read("/etc/default/cloudbees-core-cm") == before


def test_limited_to_a_name(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    host.deb("")
    host.oss()
    done = call(capsys, telemetry_flag.main, root=str(host.root), state="disabled", name=["jenkins"])
    assert {item["name"]: item["on_disk"] for item in done["state"]["installations"]} == {
        "cloudbees-core-cm": "enabled",
        "jenkins": "disabled",
    }


def test_a_file_that_comes_and_goes(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    """A drop-in of our own has no checksum before it is there, and none after it went."""
    host.oss()
    path = "/etc/systemd/system/jenkins.service.d/zzz-cbops-telemetry.conf"
    foreseen = call(capsys, telemetry_flag.main, check=True, root=str(host.root), state="disabled")["files"]
    assert [(edit["path"], edit["before"]) for edit in foreseen] == [(path, None)]
    assert call(capsys, telemetry_flag.main, root=str(host.root), state="disabled")["files"] == foreseen
    assert sha256(host.read(path)) == foreseen[0]["after"]
    gone = call(capsys, telemetry_flag.main, root=str(host.root), state="enabled")["files"]
    assert [(edit["path"], edit["before"], edit["after"]) for edit in gone] == [(path, foreseen[0]["after"], None)]


def test_two_services_with_one_launch_file_are_one_edit(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    host.script("#!/bin/sh\nexec java -jar /opt/jenkins.war\n")
    path = "/opt/cloudbees/cm/start.sh"
    host.write("/etc/systemd/system/another.service", f"[Service]\nExecStart={path}\n")
    before = sha256(host.read(path))
    foreseen = call(capsys, telemetry_flag.main, check=True, root=str(host.root), state="disabled")["files"]
    done = call(capsys, telemetry_flag.main, root=str(host.root), state="disabled")["files"]
    assert [(edit["path"], edit["before"], edit["after"]) for edit in done] == [(path, before, sha256(host.read(path)))]
    assert [{**edit, "backup": None} for edit in done] == foreseen
    assert host.read(path).count(FLAG) == 1


def test_one_refusal_does_not_stop_the_others(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    host.deb('JENKINS_WAR="$(options /etc/x) $JENKINS_WAR"\n')
    host.oss()
    done = call(capsys, telemetry_flag.main, root=str(host.root), state="disabled")
    assert done["failed"]
    assert done["changed"]
    assert len(done["refused"]) == 1
    assert "cloudbees-core-cm" in done["msg"]
    assert next(item for item in done["state"]["installations"] if item["name"] == "jenkins")["on_disk"] == "disabled"


def test_backups_are_listed_and_restored(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    host.deb(f'JAVA_ARGS="{PASSWORD}"\n')
    path = str(host.root / "etc/default/cloudbees-core-cm")
    before = host.read("/etc/default/cloudbees-core-cm")
    assert call(capsys, telemetry_backup.main, root=str(host.root), path=path)["backups"] == []
    nothing = call(capsys, telemetry_backup.main, root=str(host.root), path=path, restore=True)
    assert nothing["failed"]
    call(capsys, telemetry_flag.main, root=str(host.root), state="disabled")
    disabled = host.read("/etc/default/cloudbees-core-cm")
    listed = call(capsys, telemetry_backup.main, root=str(host.root), path=path)
    assert (listed["changed"], len(listed["backups"])) == (False, 1)
    foreseen = call(capsys, telemetry_backup.main, check=True, root=str(host.root), path=path, restore=True)
    assert foreseen["changed"]
    assert host.read("/etc/default/cloudbees-core-cm") == disabled
    done = call(capsys, telemetry_backup.main, root=str(host.root), path=path, restore=True)
    assert (done["changed"], done["restored"]) == (True, listed["backups"][0]["path"])
    assert host.read("/etc/default/cloudbees-core-cm") == before
    again = call(capsys, telemetry_backup.main, root=str(host.root), path=path, restore=True, backup=done["restored"])
    assert not again["changed"]
    back = call(capsys, telemetry_backup.main, root=str(host.root), path=path, restore=True, backup=done["kept"])
    assert back["changed"]
    assert host.read("/etc/default/cloudbees-core-cm") == disabled
    wrong = call(capsys, telemetry_backup.main, root=str(host.root), path=path, restore=True, backup="/etc/shadow")
    assert wrong["failed"]
    assert call(capsys, telemetry_backup.main, root=str(host.root), path=path, backup="x")["failed"]


def test_undoing_a_run_by_the_module(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    prepare, path = LAYOUTS["deb"]
    prepare(host)
    before = host.read(path)
    root = str(host.root)
    edited = call(capsys, telemetry_flag.main, root=root, state="disabled", run="R1")
    assert edited["changed"]
    for check in (True, False):
        done = call(capsys, telemetry_backup.main, check=check, root=root, undo=True, of_run="R1", run="U")
        [one] = done["undone"]
        assert (done["changed"], one["path"], one["changed"], one["reason"]) == (True, path, True, None)
        assert (one["before"], one["after"]) == (edited["files"][0]["after"], edited["files"][0]["before"])
        assert FLAG in done["diff"][0]["before"] and done["diff"][0]["after"] == ""
        assert (host.read(path) == before) is not check
        assert gate.admitted("telemetry_backup", {key: value for key, value in done.items() if key != "invocation"})
    assert call(capsys, telemetry_backup.main, root=root, undo=True, of_run="R1")["changed"] is False
    assert call(capsys, telemetry_backup.main, root=root, undo=True, path=path, of_run="R1")["failed"]
    assert call(capsys, telemetry_backup.main, root=root, undo=True, path=path)["failed"]

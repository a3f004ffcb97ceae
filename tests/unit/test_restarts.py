"""When a restart has succeeded, what is said of one that has not, and what of a journal is shown."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Sequence
from typing import Any

import pytest
from actions import given
from hostroot import FLAG

from ansible_collections.cbops.telemetry.plugins.action.telemetry_restart import ActionModule
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._carrier import registered
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart import _restarting
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart._journal import (
    LENGTH,
    LINES,
    command,
    filtered,
    last_lines,
    without_secrets,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart._restarting import Due
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart._supervision import (
    Service,
    Unit,
    ended,
    number,
    words,
)

UNIT = "cm.service"
RUNNING = {
    "ActiveState": "active",
    "SubState": "running",
    "Result": "success",
    "MainPID": "812",
    "NRestarts": "0",
    "ExecMainStatus": "0",
}


@pytest.mark.parametrize(
    ("change", "counted", "said"),
    [
        ({}, 0, None),
        ({"ActiveState": "activating", "SubState": "start"}, 0, None),
        ({"NRestarts": "3"}, 3, None),
        ({"NRestarts": "1"}, 0, "started it again 1 time, because it ended: it is active (running)"),
        (
            {
                "NRestarts": "4",
                "ActiveState": "activating",
                "SubState": "auto-restart",
                "Result": "exit-code",
                "ExecMainStatus": "1",
            },
            2,
            "again 2 times, because it ended: it is activating (auto-restart, exit-code, exit status 1)",
        ),
        (
            {"ActiveState": "failed", "SubState": "failed", "Result": "start-limit-hit"},
            0,
            "it is failed (failed, start-limit-hit)",
        ),
        ({"ActiveState": "inactive", "SubState": "dead"}, 0, "it is inactive (dead)"),
        ({"NRestarts": ""}, 0, None),
        ({"NRestarts": "-5"}, 0, None),
    ],
)
def test_what_the_service_manager_says_of_a_service_that_ended(
    change: dict[str, str], counted: int, said: str | None
) -> None:
    found = ended({**RUNNING, **change}, counted)
    assert found is None if said is None else said in str(found)


def test_a_host_says_no_more_than_a_few_words_of_a_state() -> None:
    said = words({"ActiveState": "x\n##vso[" + "y" * 999, "SubState": "\x1b[2J"})
    assert len(said) <= 120 and "\n" not in said and "\x1b" not in said and "##vso[" not in said
    assert words({}) == "unknown"
    assert number({"MainPID": "9" * 99}, "MainPID") == 0


SECRETS = [
    "-Djavax.net.ssl.keyStorePassword=S3CR3T",
    "Unrecognized option: -Dx.y='S3CR3T S3CR3T'",
    "password: S3CR3T",
    'JENKINS_HTTPS_KEYSTORE_PASSWORD="S3CR3T and S3CR3T"',
    "url=jdbc:postgresql://jo:S3CR3T@db/x",
    '"token": "S3CR3T"',
    "Authorization: Basic S3CR3T",
    "X-Api-Key: S3CR3T",
    "MASTER_GRANT_ID=S3CR3T",
    "-DMASTER_GRANT_ID=S3CR3T",
    "the password is S3CR3T",
    "--argumentsRealm.passwd.jo=S3CR3T",
    "Cookie: a=S3CR3T; b=S3CR3T",
    "--prefix -Da=S3CR3T",
    "client_secret S3CR3T",
]


@pytest.mark.parametrize("line", SECRETS)
def test_what_may_be_secret_is_cut_from_a_journal(line: str) -> None:
    assert "S3CR3T" not in without_secrets(line)
    assert "S3CR3T" not in without_secrets("given S3CR3T", ["S3CR3T"])


def test_it_is_cut_on_the_host_already() -> None:
    """At -vvv Ansible prints what a command there wrote."""
    text = "\n".join([*SECRETS, "\udcff " + SECRETS[0], "x" * 3000 + SECRETS[0], "Address already in use"])
    done = subprocess.run(["sh", "-c", filtered(shlex.quote)], input=os.fsencode(text), capture_output=True, check=True)
    assert b"S3CR3T" not in done.stdout and done.stderr == b""
    assert len(done.stdout.splitlines()) == len(text.splitlines()) and b"Address already in use" in done.stdout
    assert "--unit='x y.service'" in command("x y.service", shlex.quote)


@pytest.mark.parametrize(
    "secret",
    [
        "11a2b3c4d5e6f708192a3b4c5d6e7f8091",
        "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ",
        "ghp_0123456789abcdefghijABCDEFGHIJ012345",
    ],
)
def test_what_looks_like_a_key_is_cut(secret: str) -> None:
    assert secret not in without_secrets(f"could not use {secret} today")


@pytest.mark.parametrize(
    "line",
    [
        FLAG,
        "Error: Could not find or load main class executable.Main",
        "java.net.BindException: Address already in use",
        "Unrecognized VM option 'NoSuchOption'",
        "jenkins.service: Main process exited, code=exited, status=1/FAILURE",
        "\tat org.eclipse.jetty.server.ServerConnector.openAcceptChannel(ServerConnector.java:344)",
        "Error: Unable to access jarfile /usr/share/java/jenkins.war",
        "Invalid maximum heap size: -Xmx999999999999g",
        "There is insufficient memory for the Java Runtime Environment to continue.",
    ],
)
def test_what_helps_is_left(line: str) -> None:
    assert without_secrets(line) == line


def test_a_journal_is_short_and_visible() -> None:
    text = "".join(f"line {number}\n" for number in range(99)) + "\x1b[2J##vso[x]\n\n" + "z" * 5000 + "\nagain\nagain\n"
    lines = last_lines(text)
    assert len(lines) == LINES and lines[-1] == "again" and lines.count("again") == 1
    assert all(len(line) <= LENGTH and line.isprintable() for line in lines)
    assert not any("##vso[" in line for line in lines)
    assert last_lines("") == []


class Scene(ActionModule):
    """A restart on a host of which all answers are given: the state of the unit and of the JVM, look after look."""

    def __init__(self, units: Sequence[dict[str, str]], jvms: Sequence[tuple[int, str] | None], **options: Any) -> None:
        super().__init__(**given())
        self.units, self.jvms = list(units), list(jvms)
        self.before = {**RUNNING, "MainPID": "1"}
        self.restarts = 0
        self.recorded: list[dict[str, Any]] = []
        self.edited: dict[str, str] = {}  # path: what comes of putting it back
        self._arguments = {"timeout": 60, "settle": 6, "state": "disabled", "url": None, **options}
        self._variables: dict[str, Any] = {}

    def entry(self, pid: int | None, value: str = "disabled") -> dict[str, Any]:
        """The installation with this JVM."""
        return {
            "name": "cm",
            "service": UNIT,
            "on_disk": "disabled",
            "next_start": "disabled",
            "running": value if pid else "not_running",
            "launch": {"file": "/etc/default/cm"},
            "declarations": [],
            "processes": [{"pid": pid, "started": "2026-01-01T00:00:00Z"}] if pid else [],
        }

    def _seen(self, service: Service) -> dict[str, str] | None:
        if not self.restarts:
            return self.before
        return {**RUNNING, **(self.units.pop(0) if len(self.units) > 1 else self.units[0])}

    def _state(self) -> dict[str, Any]:
        jvm = self.jvms.pop(0) if len(self.jvms) > 1 else self.jvms[0]
        return {"installations": [self.entry(*jvm) if jvm else self.entry(None)]}

    def _restart(self, service: Service) -> str | None:
        self.restarts += 1
        return None

    def _journal(self, service: Service) -> str:
        return "journal"

    def _record(self, changes: Sequence[Any]) -> None:
        self.recorded.extend(changes)

    def _module(self, module: str, **arguments: Any) -> dict[str, Any]:
        return {}

    def _command(self, line: str, seconds: float = 0) -> dict[str, Any]:
        return {}

    def _backup(self, **arguments: Any) -> dict[str, Any]:
        if "path" not in arguments:
            return {"edited": list(self.edited)}
        came = self.edited.get(arguments["path"], "")
        if came.startswith("doubt"):
            return registered("telemetry_backup", {"changed": True, "backups": [], "doubts": [came]})
        return {"failed": True, "msg": came} if came else {"changed": arguments["path"] in self.edited}

    def outcome(self) -> str | None:
        """What is wrong after the restart."""
        return self._restart_and_wait(self.due(), None, "disabled")[0]

    def rolled_back(self) -> dict[str, Any]:
        """What comes of a failure."""
        return self._roll_back(self.due(), None, "it failed", {"installations": [self.entry(2)]})

    def due(self) -> Due:
        """The service, as it was before."""
        return Due(Unit(UNIT, UNIT), (self.entry(1, "enabled"),))


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time passes where somebody sleeps."""
    now = [0.0]
    monkeypatch.setattr(_restarting.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(_restarting.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    assert time.monotonic() == 0.0


UP = {"MainPID": "7"}


@pytest.mark.parametrize(
    ("units", "jvms", "said"),
    [
        ([UP], [(7, "disabled")], None),
        ([{"ActiveState": "activating"}, UP], [None, (7, "disabled")], None),
        ([UP], [None], "cm: no new JVM runs with telemetry disabled after the restart (waited 60 seconds)"),
        ([UP], [(1, "disabled")], "no new JVM runs"),
        ([UP], [(7, "enabled")], "no new JVM runs with telemetry disabled"),
        (
            [{"ActiveState": "failed", "SubState": "failed", "Result": "exit-code"}],
            [None],
            "cm: no new JVM runs with telemetry disabled after the restart (cm.service: it is failed (failed, exit-code))",
        ),
        (
            [{"ActiveState": "failed"}],
            [(7, "disabled")],
            "does not stay up after the restart (cm.service: it is failed",
        ),
        ([{"NRestarts": "1"}], [(7, "disabled")], "started it again 1 time"),
        (
            [UP, UP, {"ActiveState": "failed"}],
            [(7, "disabled"), None],
            "cm.service came up and did not stay up for 6 seconds: within 5 seconds it is failed",
        ),
        ([UP, {**UP, "ActiveState": "activating", "SubState": "auto-restart"}], [(7, "disabled")], "auto-restart"),
        ([UP, {"MainPID": "8"}], [(7, "disabled")], "its main process is another one"),
        ([UP, {**UP, "NRestarts": "1"}], [(7, "disabled")], "started it again"),
        ([UP], [(7, "disabled"), (8, "disabled")], "other processes run now, or none"),
        ([UP], [(7, "disabled"), None], "other processes run now, or none"),
        ([{"ActiveState": ""}], [(7, "disabled")], "does not stay up after the restart (waited 60 seconds)"),
        ([{**UP, "MainPID": "0"}], [(7, "disabled")], None),
    ],
)
def test_a_restart_has_succeeded_when_the_service_stays_up(
    units: list[dict[str, str]], jvms: list[tuple[int, str] | None], said: str | None
) -> None:
    found = Scene(units, jvms).outcome()
    assert found is None if said is None else said in str(found), found


def test_a_service_that_was_in_a_crash_loop_counts_from_where_it_stood() -> None:
    scene = Scene([{"NRestarts": "9"}], [(7, "disabled")])
    scene.before = {**RUNNING, "NRestarts": "9", "ActiveState": "activating"}
    assert scene.outcome() is None


def test_what_was_put_back_and_may_not_last_is_said() -> None:
    """It is back, so the service is restarted with it."""
    scene = Scene([UP], [(3, "enabled")])
    scene.edited = {"/etc/default/cm": "doubt: it was written, but whether that outlasts a power cut is not certain"}
    found = scene.rolled_back()
    assert found["rolled_back"] == ["/etc/default/cm"] and scene.restarts
    assert found["msg"].endswith("; doubt: it was written, but whether that outlasts a power cut is not certain")


def test_what_this_run_edited_is_put_back_and_the_service_is_seen_to_be_up() -> None:
    scene = Scene([UP], [(3, "enabled")])
    scene.edited = {"/etc/default/cm": "", "/opt/start.sh": ""}
    done = scene.rolled_back()
    assert done["rolled_back"] == ["/etc/default/cm", "/opt/start.sh"]
    assert "it runs again as before (telemetry enabled), and has stayed up for 6 seconds" in done["msg"]
    assert [line["kind"] for line in scene.recorded] == ["roll_back", "roll_back", "restart"]
    assert scene.recorded[-1]["failure"] is None
    assert scene.recorded[-1]["gates"] == ["a new JVM runs", "its service is active", "it has stayed so for 6 seconds"]


@pytest.mark.parametrize(
    ("units", "jvms"),
    [
        ([{"ActiveState": "failed"}], [None]),
        ([UP], [(2, "disabled")]),
        ([UP, {"ActiveState": "failed"}], [(3, "enabled")]),
    ],
    ids=["failed", "the broken one runs on", "up, then failed"],
)
def test_it_runs_again_is_not_said_of_what_does_not(
    units: list[dict[str, str]], jvms: list[tuple[int, str] | None]
) -> None:
    scene = Scene(units, jvms)
    scene.edited = {"/etc/default/cm": ""}
    done = scene.rolled_back()
    assert "it does not run either" in done["msg"] and "runs again" not in done["msg"]
    assert ("DOWN: cm.service is failed" in done["msg"]) == (units[-1] != UP), done["msg"]


def test_where_nothing_is_put_back_it_says_why() -> None:
    scene = Scene([UP], [(3, "enabled")])
    assert "neither this run nor one since the old JVM started edited" in scene.rolled_back()["msg"]
    scene._variables = {"__telemetry_edited": True}
    assert "this run kept no backup of what it edited" in scene.rolled_back()["msg"]
    scene.edited = {"/etc/default/cm": "somebody has changed it"}
    done = scene.rolled_back()
    assert "/etc/default/cm could not be rolled back: somebody has changed it" in done["msg"]
    assert "NOT AS WANTED: cm.service is active (running) at this moment" in done["msg"] and "rolled_back" not in done
    assert scene.restarts == 0, "nothing was put back, so another start would be the same"

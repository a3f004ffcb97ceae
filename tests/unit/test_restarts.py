"""When a restart has succeeded, what is said of one that has not, and what of a journal is shown."""

from __future__ import annotations

import pytest
from hostroot import FLAG

from ansible_collections.cbops.telemetry.plugins.action.telemetry_restart import ended, number, shown, words
from ansible_collections.cbops.telemetry.plugins.plugin_utils._journal import LENGTH, LINES, last_lines, without_secrets

RUNNING = {"ActiveState": "active", "SubState": "running", "Result": "success", "MainPID": "812", "NRestarts": "0",
           "ExecMainStatus": "0"}


def test_properties_come_in_the_order_of_the_services() -> None:
    text = "ActiveState=active\nMainPID=1\n\nActiveState=failed\nMainPID=0\n"
    assert shown(text, ["a.service", "b.service", "c.service"]) == {
        "a.service": {"ActiveState": "active", "MainPID": "1"}, "b.service": {"ActiveState": "failed", "MainPID": "0"},
        "c.service": {}}
    assert shown("", ["a.service"]) == {"a.service": {}}


@pytest.mark.parametrize(("change", "counted", "said"), [
    ({}, 0, None),
    ({"ActiveState": "activating", "SubState": "start"}, 0, None),
    ({"NRestarts": "3"}, 3, None),
    ({"NRestarts": "1"}, 0, "started it again 1 time, because it ended: it is active (running)"),
    ({"NRestarts": "4", "ActiveState": "activating", "SubState": "auto-restart", "Result": "exit-code",
      "ExecMainStatus": "1"}, 2,
     "again 2 times, because it ended: it is activating (auto-restart, exit-code, exit status 1)"),
    ({"ActiveState": "failed", "SubState": "failed", "Result": "start-limit-hit"}, 0,
     "it is failed (failed, start-limit-hit)"),
    ({"ActiveState": "inactive", "SubState": "dead"}, 0, "it is inactive (dead)"),
    ({"NRestarts": ""}, 0, None),
    ({"NRestarts": "-5"}, 0, None),
])
def test_what_the_service_manager_says_of_a_service_that_ended(
        change: dict[str, str], counted: int, said: str | None) -> None:
    found = ended({**RUNNING, **change}, counted)
    assert found is None if said is None else said in str(found)


def test_a_host_says_no_more_than_a_few_words_of_a_state() -> None:
    said = words({"ActiveState": "x\n##vso[" + "y" * 999, "SubState": "\x1b[2J"})
    assert len(said) <= 120 and "\n" not in said and "\x1b" not in said and "##vso[" not in said
    assert words({}) == "unknown"
    assert number({"MainPID": "9" * 99}, "MainPID") == 0


@pytest.mark.parametrize("line", [
    "-Djavax.net.ssl.keyStorePassword=S3CR3T", "Unrecognized option: -Dx.y='S3CR3T S3CR3T'", "password: S3CR3T",
    "JENKINS_HTTPS_KEYSTORE_PASSWORD=\"S3CR3T and S3CR3T\"", "url=jdbc:postgresql://jo:S3CR3T@db/x",
    '"token": "S3CR3T"',
    "Authorization: Basic S3CR3T", "X-Api-Key: S3CR3T", "MASTER_GRANT_ID=S3CR3T", "-DMASTER_GRANT_ID=S3CR3T",
    "the password is S3CR3T", "--argumentsRealm.passwd.jo=S3CR3T", "Cookie: a=S3CR3T; b=S3CR3T", "--prefix -Da=S3CR3T",
    "client_secret S3CR3T", "given S3CR3T",
])
def test_what_may_be_secret_is_cut_from_a_journal(line: str) -> None:
    assert "S3CR3T" not in without_secrets(line, ["S3CR3T"] if line.startswith("given") else [])


@pytest.mark.parametrize("secret", [
    "11a2b3c4d5e6f708192a3b4c5d6e7f8091", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ",
    "ghp_0123456789abcdefghijABCDEFGHIJ012345"])
def test_what_looks_like_a_key_is_cut(secret: str) -> None:
    assert secret not in without_secrets(f"could not use {secret} today")


@pytest.mark.parametrize("line", [
    FLAG, "Error: Could not find or load main class executable.Main", "java.net.BindException: Address already in use",
    "Unrecognized VM option 'NoSuchOption'", "jenkins.service: Main process exited, code=exited, status=1/FAILURE",
    "\tat org.eclipse.jetty.server.ServerConnector.openAcceptChannel(ServerConnector.java:344)",
    "Error: Unable to access jarfile /usr/share/java/jenkins.war", "Invalid maximum heap size: -Xmx999999999999g",
    "There is insufficient memory for the Java Runtime Environment to continue.",
])
def test_what_helps_is_left(line: str) -> None:
    assert without_secrets(line) == line


def test_a_journal_is_short_and_visible() -> None:
    text = "".join(f"line {number}\n" for number in range(99)) + "\x1b[2J##vso[x]\n\n" + "z" * 5000 + "\nagain\nagain\n"
    lines = last_lines(text)
    assert len(lines) == LINES and lines[-1] == "again" and lines.count("again") == 1
    assert all(len(line) <= LENGTH and line.isprintable() for line in lines)
    assert not any("##vso[" in line for line in lines)
    assert last_lines("") == []

"""A variable of the environment as a switch: judged on the three clocks, put in and taken out as the flag is."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hostroot import DEB_HEAD, FLAG, Host
from test_switch_edits import LAYOUTS, answered, files

from ansible_collections.cbops.telemetry.plugins.module_utils import _answer as answer
from ansible_collections.cbops.telemetry.plugins.module_utils.edit._backups import Store
from ansible_collections.cbops.telemetry.plugins.module_utils.edit._variables import MARK
from ansible_collections.cbops.telemetry.plugins.module_utils.java._jvm import CONTRARY, Switch, is_variable
from ansible_collections.cbops.telemetry.plugins.module_utils.survey import _document
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report import _manual

NAME = "HZ_PHONE_HOME_ENABLED"
OWN = "ACME_SEND_STATISTICS"
DEFAULT = "/etc/default/cloudbees-core-cm"
DROP_IN = "/etc/systemd/system/jenkins.service.d/zzz-cbops-telemetry.conf"
START = "/opt/cloudbees/cm/start.sh"
WAR = "/usr/share/java/jenkins.war"


def asked(state: str, name: str = NAME, off: str = "false") -> dict[str, str]:
    """As telemetry_flag takes it."""
    return {"name": name, "off_value": off, "variable": "", "kind": "environment", "state": state}


def clocks(host: Host, name: str = NAME, off: str = "false") -> dict[str, Any]:
    """What an audit says of it, and of the flag and Hazelcast beside it."""
    own = [{"name": name, "off_value": off, "kind": "environment"}]
    (entry,) = answer.state(str(host.root), senders={"switches": own, "threads": False})["installations"]
    (found,) = [one for one in entry["switches"] if one.get("kind") == "environment"]
    return dict(found, flag=entry["on_disk"])


def on_disk(host: Host, name: str = NAME, off: str = "false") -> str:
    return str(clocks(host, name, off)["on_disk"])


def script(host: Host, *lines: str) -> None:
    """A launch script below a unit."""
    host.script("\n".join(["#!/bin/sh", *lines, f"exec java -Xmx1g -jar {WAR}"]) + "\n")
    host.write(WAR, "PK")


@pytest.fixture(params=LAYOUTS)
def laid_out(request: pytest.FixtureRequest, host: Host) -> Host:
    """A host of each layout."""
    LAYOUTS[request.param](host)
    host.write("/usr/share/cloudbees-core-cm/cloudbees-core-cm.war", "PK")
    host.write(WAR, "PK")
    return host


def test_in_and_out_again_byte_for_byte(laid_out: Host) -> None:
    host = laid_out
    before = files(host)
    assert on_disk(host) == "enabled"
    checked = answered(host, "enabled", [asked("disabled")], check=True)
    assert files(host) == before and checked["changed"] and not checked["refused"]
    done = answered(host, "enabled", [asked("disabled")])
    assert not done["refused"] and on_disk(host) == "disabled"
    assert checked["files"] == [{**one, "backup": None} for one in done["files"]] and len(done["files"]) == 1
    assert f"{NAME}=false" in done["diff"][0]["after"] and "Xmx1g" not in str(done["diff"])
    assert not answered(host, "enabled", [asked("disabled")])["changed"]
    assert not answered(host, "enabled", [asked("enabled")])["refused"]
    assert files(host) == before and on_disk(host) == "enabled"


def test_with_the_flag_and_a_property_and_each_alone(laid_out: Host) -> None:
    host = laid_out
    before = files(host)
    core = {"name": "hudson.model.UsageStatistics.disabled", "off_value": "true", "variable": "", "state": "disabled"}
    done = answered(host, "disabled", [core, asked("disabled")])
    assert not done["refused"], done["msg"]
    assert (clocks(host)["flag"], on_disk(host)) == ("disabled", "disabled")
    assert not answered(host, "enabled", [{**core, "state": "enabled"}, asked("disabled")])["refused"]
    assert (clocks(host)["flag"], on_disk(host)) == ("enabled", "disabled"), "the flag alone went"
    assert not answered(host, "disabled", [asked("disabled")])["refused"]
    assert not answered(host, "disabled", [asked("enabled")])["refused"]
    assert (clocks(host)["flag"], on_disk(host)) == ("disabled", "enabled"), "the variable alone went"
    assert not answered(host, "enabled", [asked("enabled")])["refused"]
    assert files(host) == before


def test_a_run_is_undone(laid_out: Host) -> None:
    host = laid_out
    before = files(host)
    run = "20261127T120000Z-0123abcd"
    assert not answered(host, "disabled", [asked("disabled"), asked("disabled", OWN, "0")], run=run)["refused"]
    assert on_disk(host) == on_disk(host, OWN, "0") == "disabled"
    undone = Store(str(host.root)).undo(run)
    assert undone and all(one.reason is None for one in undone), undone
    assert files(host) == before


#: What stands in a launch file, what it comes to, and what becomes of it in both directions.
VALUES: dict[str, tuple[str, str, str, str]] = {
    "right": ("export HZ_PHONE_HOME_ENABLED=false", "disabled", "", "gone"),
    "quoted": ("export HZ_PHONE_HOME_ENABLED='false'", "disabled", "", "gone"),
    "exported later": ("HZ_PHONE_HOME_ENABLED=false; export HZ_PHONE_HOME_ENABLED", "disabled", "", "true; "),
    "the other": ('export HZ_PHONE_HOME_ENABLED="true"', "enabled", '="false"', ""),
    "another case": ("export HZ_PHONE_HOME_ENABLED=FALSE", "unresolvable", "=false", "=true"),
    "no word": ("export HZ_PHONE_HOME_ENABLED=", "unresolvable", "=false", "=true"),
    "not exported": ("HZ_PHONE_HOME_ENABLED=false", "enabled", "export HZ_PHONE_HOME_ENABLED", ""),
    "a longer name": ("export HZ_PHONE_HOME_ENABLED_X=false", "enabled", f"false  {MARK}", ""),
    "an option of that name": ("JAVA_OPTS=-DHZ_PHONE_HOME_ENABLED=false", "enabled", f"false  {MARK}", ""),
    "a comment": ("# export HZ_PHONE_HOME_ENABLED=false", "enabled", f"false  {MARK}", ""),
    "twice": (
        "export HZ_PHONE_HOME_ENABLED=false\nexport HZ_PHONE_HOME_ENABLED=true",
        "enabled",
        "=false\nexport HZ_PHONE_HOME_ENABLED=false",
        "",
    ),
    "unset after": ("export HZ_PHONE_HOME_ENABLED=false\nunset HZ_PHONE_HOME_ENABLED", "enabled", f"false  {MARK}", ""),
    "one of several": ("export A=1 HZ_PHONE_HOME_ENABLED=false B=2", "disabled", "", "export A=1 B=2\n"),
}


@pytest.mark.parametrize("case", VALUES)
@pytest.mark.parametrize("state", ["disabled", "enabled"])
def test_a_value_that_stands_there(host: Host, case: str, state: str) -> None:
    line, now, off, on = VALUES[case]
    script(host, line)
    assert on_disk(host) == now
    before = host.read(START)
    done = answered(host, "enabled", [asked(state)])
    assert not done["refused"], done["msg"]
    assert on_disk(host) == state
    wanted = off if state == "disabled" else on
    assert done["changed"] is bool(wanted)
    assert "HZ_PHONE" not in host.read(START) if wanted == "gone" else wanted in host.read(START)
    assert wanted or host.read(START) == before
    assert real(host) == {"disabled": "false", "enabled": real(host)}[state] and (
        state == "disabled" or real(host) != "false"
    )


def real(host: Host, shell: str = "/bin/sh") -> str:
    """What a real shell hands on to a real process, which stands in for java."""
    tools = host.root / "tools"
    tools.mkdir(exist_ok=True)
    (tools / "java").write_text(f'#!/bin/sh\nprintf %s "${{{NAME}-unset}}"\n')
    (tools / "java").chmod(0o755)
    text = (host.root / START.lstrip("/")).read_text()
    environment = {"PATH": f"{tools}:{os.environ['PATH']}"}
    done = subprocess.run([shell, "-c", text], env=environment, check=True, capture_output=True, text=True)
    return done.stdout


@pytest.mark.parametrize("shell", ["/bin/dash", "/bin/bash"])
@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["set -eu"],
        ["if true; then", "  : nothing", "fi"],
        ["cat <<END", "java -jar no.war", "END"],
        ["java -version \\", "  -jar"],
    ],
    ids=["plain", "strict", "branch", "here", "continued"],
)
def test_a_real_shell_hands_it_on(host: Host, shell: str, lines: list[str]) -> None:
    if not Path(shell).exists():
        pytest.skip(f"no {shell}")
    script(host, *lines)
    before = host.read(START)
    assert not answered(host, "enabled", [asked("disabled")])["refused"]
    assert real(host, shell).endswith("false")
    assert not answered(host, "enabled", [asked("enabled")])["refused"]
    assert host.read(START) == before and real(host, shell).endswith("unset")


UNIT = """[Service]
EnvironmentFile=-/etc/sysconfig/cm
Environment=A=1
ExecStart=/usr/bin/java -Xmx1g -jar /usr/share/java/jenkins.war
"""


@pytest.mark.parametrize(
    ("lines", "now", "off", "on"),
    [
        ("A=2", "enabled", "", ""),
        ("HZ_PHONE_HOME_ENABLED=true\nB=2", "enabled", "HZ_PHONE_HOME_ENABLED=false\nB=2", ""),
        ("HZ_PHONE_HOME_ENABLED='false'\nB=2\n", "disabled", "", "B=2\n"),
        ("  HZ_PHONE_HOME_ENABLED = false\nB=2", "disabled", "", "B=2"),
        ("HZ_PHONE_HOME_ENABLED = 'true'\n", "enabled", "HZ_PHONE_HOME_ENABLED = 'false'\n", ""),
        (
            'HZ_PHONE_HOME_ENABLED="tr"ue\n',
            "enabled",
            'HZ_PHONE_HOME_ENABLED="tr"ue\nHZ_PHONE_HOME_ENABLED=false\n',
            "",
        ),
        ("export HZ_PHONE_HOME_ENABLED=false\n", "enabled", "", ""),
        ("B=2\nHZ_PHONE_HOME_ENABLED=false", "disabled", "", "B=2"),
    ],
)
def test_a_file_of_the_environment(host: Host, lines: str, now: str, off: str, on: str) -> None:
    host.write(WAR, "PK")
    host.write("/etc/systemd/system/cm.service", UNIT)
    host.write("/etc/sysconfig/cm", lines)
    assert on_disk(host) == now
    before = files(host)
    assert not answered(host, "enabled", [asked("disabled")])["refused"]
    assert on_disk(host) == "disabled" and (not off or host.read("/etc/sysconfig/cm") == off)
    assert "export" not in host.read("/etc/sysconfig/cm").replace("export HZ_PHONE_HOME_ENABLED=false\n", "")
    assert not answered(host, "enabled", [asked("enabled")])["refused"]
    assert on_disk(host) == "enabled" and (not on or host.read("/etc/sysconfig/cm") == on)
    assert now != "enabled" or off or files(host) == before


@pytest.mark.parametrize(
    "text", ['Environment="A=1" HZ_PHONE_HOME_ENABLED=false "B=2 3"', 'Environment="HZ_PHONE_HOME_ENABLED=false"']
)
def test_a_packages_unit_is_overridden_and_the_administrators_is_edited(host: Host, text: str) -> None:
    host.oss()
    unit = host.read("/usr/lib/systemd/system/jenkins.service")
    host.write("/usr/lib/systemd/system/jenkins.service", unit.replace("[Service]\n", f"[Service]\n{text}\n"))
    before = files(host)
    assert on_disk(host) == "disabled"
    assert not answered(host, "enabled", [asked("enabled")])["refused"]
    assert on_disk(host) == "enabled" and f'Environment="{NAME}=true"' in host.read(DROP_IN)
    assert not answered(host, "enabled", [asked("disabled")])["refused"]
    assert on_disk(host) == "disabled" and f"{NAME}=true" not in host.read(DROP_IN)
    host.write("/usr/lib/systemd/system/jenkins.service", unit)
    (host.root / DROP_IN.lstrip("/")).unlink()
    host.write("/etc/systemd/system/jenkins.service.d/10.conf", f"[Service]\n{text}\n")
    assert before and on_disk(host) == "disabled"
    assert not answered(host, "enabled", [asked("enabled")])["refused"]
    assert NAME not in host.read("/etc/systemd/system/jenkins.service.d/10.conf") and on_disk(host) == "enabled"
    assert ("B=2 3" in text) == ("B=2 3" in host.read("/etc/systemd/system/jenkins.service.d/10.conf"))


def test_our_drop_in_keeps_the_variable_where_the_flag_goes(host: Host) -> None:
    host.oss()
    assert not answered(host, "disabled", [asked("disabled")])["refused"]
    assert FLAG in host.read(DROP_IN) and f'Environment="{NAME}=false"' in host.read(DROP_IN)
    assert not answered(host, "enabled", [])["refused"]
    assert FLAG not in host.read(DROP_IN) and on_disk(host) == "disabled"


def test_a_login_starts_from_nothing(host: Host) -> None:
    """``su -l`` of the DEB hands on no variable: an export there would be no proof of anything."""
    host.deb('JAVA_ARGS="-Xmx1g"\nexport HZ_PHONE_HOME_ENABLED=false\n')
    host.write("/usr/share/cloudbees-core-cm/cloudbees-core-cm.war", "PK")
    found = clocks(host)
    assert found["on_disk"] == "enabled"
    (dead,) = found["declarations"]
    assert (dead["file"], dead["live"]) == (DEFAULT, False) and "not handed on to the JVM" in dead["reason"]
    assert not answered(host, "enabled", [asked("disabled")])["refused"] and on_disk(host) == "disabled"
    assert f'JAVA="env {NAME}=false $JAVA"' in host.read(DEFAULT)
    profile = "/etc/profile"
    host.deb('JAVA_ARGS="-Xmx1g"\n')
    host.write(profile, f"export {NAME}=false\n")
    assert on_disk(host) == "disabled", "a login shell reads it"
    refused = answered(host, "enabled", [asked("enabled")])
    assert on_disk(host) == "enabled" or refused["refused"]
    assert host.read(profile) == f"export {NAME}=false\n", "a file of the whole machine"


def test_a_variable_that_something_else_uses_is_no_place(host: Host) -> None:
    host.deb('JAVA_ARGS="-Xmx1g"\n')
    host.write("/usr/share/cloudbees-core-cm/cloudbees-core-cm.war", "PK")
    text = host.read("/etc/init.d/cloudbees-core-cm")
    host.write("/etc/init.d/cloudbees-core-cm", text + '\n# killproc "$JAVA"\n', 0o755)
    before = files(host)
    refused = answered(host, "enabled", [asked("disabled")])
    assert refused["failed"] and files(host) == before
    script = "/etc/init.d/cloudbees-core-cm"
    assert f"by hand, in {script}, before the word java of its command: env {NAME}=false" in refused["msg"]
    assert _manual.entry_of(refused["msg"])


@pytest.mark.parametrize(("off", "value", "state"), [
    ("1", "1", "disabled"), ("1", "0", "enabled"), ("1", "true", "unresolvable"), ("no", "no", "disabled"),
    ("no", "NO", "unresolvable"), ("off", "on", "enabled"), ("0", "00", "unresolvable"), ("true", "true ", "unresolvable"),
])  # fmt: skip
def test_one_of_your_own(host: Host, off: str, value: str, state: str) -> None:
    host.oss(f'[Service]\nEnvironment="{OWN}={value}"\n')
    assert on_disk(host, OWN, off) == state
    for wanted in ("disabled", "enabled"):
        done = answered(host, "enabled", [asked(wanted, OWN, off)])
        if value.lower() not in CONTRARY:
            assert "is none of true, false, 1, 0, yes, no, on, off, so nothing is edited" in done["msg"]
            assert on_disk(host, OWN, off) == state and _manual.entry_of(done["msg"])
            continue
        assert not done["refused"], done["msg"]
        assert on_disk(host, OWN, off) == wanted


@pytest.mark.parametrize("name", ["PATH", "LD_PRELOAD", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JAVA_OPTS", "A B", "A=B", "",
                                  "1A", "JENKINS_HOME", "BASH_ENV", "CASC_JENKINS_CONFIG", "A" * 101, "Ä", "A\n", "A.B",
                                  "DB_PASSWORD", "AWS_SECRET_ACCESS_KEY", "github_token", "MY_CREDENTIALS"])  # fmt: skip
def test_what_is_no_switch(host: Host, name: str) -> None:
    host.oss()
    assert not is_variable(name)
    refused = answered(host, "enabled", [asked("disabled", name)])
    assert refused["failed"] and "switches: " in refused["msg"] and "no name of a variable" in refused["msg"]


def test_a_property_and_a_variable_of_one_name_are_two(host: Host) -> None:
    host.oss()
    both = [{**asked("disabled"), "kind": "property"}, asked("disabled")]
    assert not answered(host, "enabled", both)["refused"]
    text = host.read(DROP_IN)
    assert f"-D{NAME}=false" in text and f'"{NAME}=false"' in text
    refused = answered(host, "enabled", [asked("disabled"), asked("enabled")])
    assert refused["failed"] and "stands there twice" in refused["msg"]


def test_who_starts_it_may_set_it(host: Host) -> None:
    """Of a script that somebody starts by hand only what it sets itself is known."""
    host.write("/opt/ci/run.sh", f"#!/bin/sh\nexec java -jar {WAR}\n", 0o755)
    host.write(WAR, "PK")

    def state() -> tuple[str, str | None]:
        wanted = {"switches": [{"name": NAME, "off_value": "false", "kind": "environment"}], "threads": False}
        (entry,) = answer.state(str(host.root), ["/opt/ci/run.sh"], senders=wanted)["installations"]
        (found,) = [one for one in entry["switches"] if one.get("kind")]
        return found["on_disk"], found["on_disk_detail"].get("reason")

    assert state() == ("unresolvable", f"whoever starts it may have set {NAME}")
    host.write("/opt/ci/run.sh", f"#!/bin/sh\n{NAME}=false java -jar {WAR}\n", 0o755)
    assert state() == ("disabled", None)


@pytest.mark.parametrize("secret", ["hunter2", "hunte", "s3cr3t-token", '"hunter2 x"', "'hunter2'"])
@pytest.mark.parametrize("state", ["disabled", "enabled"])
def test_a_value_that_may_be_a_secret_is_neither_shown_nor_lost(host: Host, secret: str, state: str) -> None:
    script(host, f"export {NAME}={secret}")
    before = files(host)
    found = clocks(host)
    assert found["on_disk"] == "unresolvable" and [one["value"] for one in found["declarations"]] == ["(other)"]
    done = answered(host, "enabled", [asked(state)])
    assert done["failed"] and files(host) == before
    assert f"{NAME} has a value in {START} that is none of true, false" in done["msg"]
    assert f"by hand: set {NAME} to {'false' if state == 'disabled' else 'true'} in {START}:2" in done["msg"]
    assert not re.search("hunt|s3cr", str(done) + str(found))


def test_a_secret_beside_it_is_in_no_diff(host: Host) -> None:
    """A mention that does not count is left, and is not shown."""
    script(host, f"{NAME}=hunte true", f"export {NAME}=TRUE")
    done = answered(host, "enabled", [asked("disabled")])
    assert not done["refused"] and "hunt" not in str(done)
    assert f"{NAME}=TRUE ..." in done["diff"][0]["before"] and f"{NAME}=false ..." in done["diff"][0]["after"]


@pytest.mark.parametrize(
    ("value", "told"), [("hunter2", "(other)"), ("1", "1"), ("FALSE", "FALSE"), ("", ""), ("maybe", "(other)")]
)
def test_what_runs_shows_no_secret(value: str, told: str) -> None:
    assert Switch(NAME, "false", "", True).shown(value) == told
    assert Switch("a.b").shown("hunter2") == "hunter2", "of an option any short word is shown"


@pytest.mark.parametrize(
    "line",
    [
        "if true; then export MY_SWITCH=1; fi",
        "[ -e /bin/sh ] && export MY_SWITCH=1",
        "ulimit -n 4; export MY_SWITCH=1",
        "umask 022; declare -x MY_SWITCH=1",
        "umask 022; export \\\n  MY_SWITCH=1",
        "export \\\n  MY_SWITCH=1",
        "true &&\nexport MY_SWITCH=1",
        "export A=1 \\\n  MY_SWITCH=1",
    ],
)
def test_no_bare_export_stays_behind(host: Host, line: str) -> None:
    """It would print the whole environment at each start."""
    host.script(f"#!/bin/bash\n{line}\nexec java -Xmx1g -jar {WAR}\n")
    host.write(WAR, "PK")
    before = host.read(START)
    assert on_disk(host, "MY_SWITCH", "1") == "disabled"
    done = answered(host, "enabled", [asked("enabled", "MY_SWITCH", "1")])
    assert not done["refused"], done["msg"]
    assert on_disk(host, "MY_SWITCH", "1") == "enabled"
    assert host.read(START) == before.replace("MY_SWITCH=1", "MY_SWITCH=0")


def test_a_line_of_which_only_the_end_is_ours_keeps_the_rest(host: Host) -> None:
    script(host, f"umask 027; export {NAME}=false  {MARK}")
    done = answered(host, "enabled", [asked("enabled")])
    assert not done["refused"] and on_disk(host) == "enabled"
    assert f"umask 027; export {NAME}=true  {MARK}\n" in host.read(START)


@pytest.mark.parametrize("line", ["LimitNOFILE=99999", "[Unit]\nAfter=x.service\n[Service]"])
@pytest.mark.parametrize("flag", [False, True])
def test_what_an_administrator_put_into_our_drop_in_stays(host: Host, line: str, flag: bool) -> None:
    host.oss()
    state = "disabled" if flag else "enabled"
    assert not answered(host, state, [asked("disabled")] * (not flag))["refused"]
    text = host.read(DROP_IN)
    host.write(DROP_IN, text.replace("[Service]\n", f"[Service]\n{line}\n"))
    done = answered(host, "enabled", [asked("enabled")] * (not flag))
    assert not done["refused"], done["msg"]
    assert line in host.read(DROP_IN)
    assert (clocks(host)["flag"], on_disk(host)) == ("enabled", "enabled")


def test_a_reload_is_owed_for_any_other_value_of_one_that_is_policy() -> None:
    def unit(value: str | None) -> Any:
        variables = {} if value is None else {OWN: SimpleNamespace(value=SimpleNamespace(text=value))}
        return SimpleNamespace(environment=variables)

    def owed(now: str | None, loaded: str | None, *policy: str) -> bool:
        entry: Any = SimpleNamespace(
            definition=SimpleNamespace(unit=unit(now)), loaded=SimpleNamespace(unit=unit(loaded))
        )
        return _document._is_switched(entry, frozenset(policy))

    for values in [("true", "TRUE"), ("1", ""), ("1", "s3cr3t"), ("1", None), (None, "x")]:
        assert owed(*values, OWN)
    assert not owed("1", "s3cr3t", NAME) and not owed("1", "1", OWN) and owed("1", "0")


def test_what_starts_and_cannot_be_resolved_is_not_said_to_be_read_by_nothing(host: Host) -> None:
    host.script(f"#!/bin/sh\nexport {NAME}=false\nif then\nexec java -jar {WAR}\n")
    host.write(WAR, "PK")
    found = clocks(host)
    reasons = [one["reason"] for one in found["declarations"]]
    assert found["on_disk"] == "unresolvable" and len(reasons) == 1
    assert reasons[0].startswith("whether it is read is not known: ")


def test_what_a_unit_takes_away_is_written_by_hand(host: Host) -> None:
    host.write(WAR, "PK")
    host.write("/etc/systemd/system/cm.service", UNIT + f"UnsetEnvironment={NAME}\n")
    before = files(host)
    refused = answered(host, "enabled", [asked("disabled")])
    assert refused["failed"] and files(host) == before
    place = "/etc/systemd/system/cm.service"
    assert f"by hand, in {place}, before the word java of its command: env {NAME}=false" in refused["msg"]


@pytest.mark.parametrize("start", ["env -i java", "sudo -u jenkins java"])
def test_what_does_not_arrive_is_not_written(host: Host, start: str) -> None:
    host.script(f"#!/bin/sh\nexec {start} -Xmx1g -jar {WAR}\n")
    host.write(WAR, "PK")
    before = files(host)
    refused = answered(host, "enabled", [asked("disabled")])
    assert refused["failed"] and files(host) == before
    assert f"by hand, in {START}, before the word java of its command: env {NAME}=false" in refused["msg"]
    assert _manual.entry_of(refused["msg"])


def test_every_value_has_a_contrary() -> None:
    for off, on in CONTRARY.items():
        one = Switch(OWN, off, "", True)
        assert CONTRARY[on] == off and re.fullmatch("[a-z0-9]{1,8}", off)
        assert [one.state(value) for value in (off, on, None, "", off + " ")] == [
            "disabled", "enabled", "enabled", "unknown", "unknown",
        ]  # fmt: skip
    assert DEB_HEAD

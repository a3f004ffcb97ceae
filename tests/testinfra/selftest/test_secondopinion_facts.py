"""The suite's own way from a gatherer's answer and an inventory to a verdict, on answers made up here."""

from __future__ import annotations

import datetime
import itertools
import subprocess

import pytest
from secondopinion import backends, facts, inventory, policy
from secondopinion.jvmtext import ABSENT, OPTION, TRUE, UNKNOWN
from secondopinion.node import Node, writers

ON = OPTION + "=true"
SECRET = "kein-Wort-davon"
UNIT = """\
@unit cloudbees-cm.service
@properties
|Id=cloudbees-cm.service
|LoadState=loaded
|ActiveState=active
|SubState=running
|User=cloudbees
|FragmentPath=/etc/systemd/system/cloudbees-cm.service
|DropInPaths=
|NeedDaemonReload=no
|ExecStart={{ path=/opt/cm/start.sh ; argv[]=/opt/cm/start.sh ; ignore_errors=no ; start_time=[n/a] }}
@dropin /etc/systemd/system/cloudbees-cm.service.d/x.conf
@journal
|cm[1]: Picked up _JAVA_OPTIONS: -Dx={secret}
|cm[1]: opened with {secret}
"""
SCRIPT = """\
@file /opt/cm/start.sh
@stat 0 0 755 root root
@folder 0 0 755 root root
@text
|#!/bin/sh
|PASSWORD={secret}
|exec java {flag} -Djavax.net.ssl.keyStorePassword={secret} -jar /opt/cm/cloudbees-core-cm.war
"""
PROCESS = """\
@process 42
@cgroup
|0::/system.slice/cloudbees-cm.service
@cmdline
|java
|{flag}
|-jar
|/opt/cm/cloudbees-core-cm.war
@environ
"""


class Host:
    """Answers like a host does: the look first, then the files that were asked for."""

    def __init__(self, look: str, files: str = "") -> None:
        self.answers = [look, files]
        self.asked = 0

    def __call__(self, script: bytes) -> bytes:
        self.asked += 1
        wanted = self.answers.pop(0)
        return f"Welcome!\n@begin\n@uid 0\n{wanted}@end\n".encode("latin-1")


def look(flag: str, running: str) -> str:
    return PROCESS.format(flag=running) + UNIT.format(secret=SECRET) + SCRIPT.format(flag=flag, secret=SECRET)


def test_a_host_is_read_with_one_question():
    host = Host(look(ON, ON))
    found = facts.gather(host, False, [])
    # Only the unit's own file was not among the answer: it is asked for to find the deciding file.
    assert host.asked <= 2
    assert [one.flag for one in found.installations] == [TRUE]
    assert [(one.service, one.flag) for one in found.processes] == [("cloudbees-cm.service", TRUE)]
    assert found.installations[0].file == "/opt/cm/start.sh"
    assert found.installations[0].account == "cloudbees"


def test_file_and_process_are_told_apart():
    found = facts.gather(Host(look(ON, "-Xmx1g")), False, [])
    assert found.installations[0].flag == TRUE
    assert found.processes[0].flag == ABSENT


def test_no_secret_leaves_the_reading():
    found = facts.gather(Host(look("-Xmx1g", "-Xmx1g")), False, [])
    assert found.installations[0].journal
    assert SECRET not in "\n".join(found.installations[0].journal)
    assert SECRET not in repr(found)
    assert all(one.text == "" for one in found.files.values())


def test_a_drop_in_that_is_not_loaded_is_seen():
    found = facts.gather(Host(look(ON, ON)), False, [])
    assert "x.conf is not loaded" in found.installations[0].reload_owed


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("Environment", "JENKINS_HOME=/srv/a", True),
        ("User", "jenkins", True),
        ("ExecStart", "{ path=/opt/cloudbees/run ; argv[]=/opt/cloudbees/run }", True),
        ("Environment", "JENKINS_URL=https://jenkins.example", False),
        ("ExecStart", "{ path=/usr/bin/java ; argv[]=java -jar /opt/jenkins-agent.jar }", False),
        ("User", "ci", False),
    ],
)
def test_a_unit_that_speaks_of_the_product(key, value, named):
    assert facts.is_named("ci.service", {"properties": {key: [value]}}) is named


def test_a_stopped_start_of_which_the_war_is_not_known_is_unknown_where_it_speaks_of_the_product():
    unit = UNIT.format(secret=SECRET).replace("cloudbees-cm", "ci").replace("User=cloudbees", "User=%s")
    script = SCRIPT.format(flag=ON, secret=SECRET).replace("/opt/cm/cloudbees-core-cm.war", '"$(wget -qO- x)"')
    for user, flags in (("jenkins", [UNKNOWN]), ("sonar", [])):
        answer = unit % user + "@maybe\n" + script
        found = facts.gather(Host(answer), False, [])
        assert [one.flag for one in found.installations] == flags


def test_a_jvm_is_its_starters_by_its_war():
    run = "@starter /etc/sv/ci/run\n@file /etc/sv/ci/run\n@stat 0 0 755 root root\n@text\n|#!/bin/sh\n|exec java -jar "
    process = PROCESS.format(flag=ON).replace("/system.slice/cloudbees-cm.service", "/system.slice/runit.service")
    for war, homeless in (("/opt/cm/cloudbees-core-cm.war", False), ("/opt/other/cloudbees-core-cm.war", True)):
        found = facts.gather(Host(f"{process}{run}{war}\n"), False, [])
        assert [one.homeless for one in found.processes] == [homeless]


def test_an_agent_is_not_a_product():
    agent = UNIT.format(secret=SECRET).replace("cloudbees-cm", "jenkins-agent")
    script = SCRIPT.format(flag="-X", secret=SECRET).replace("cloudbees-core-cm.war", "agent.jar")
    assert facts.gather(Host(agent + script), False, []).installations == []


def test_a_text_cannot_forge_a_record():
    found = facts.records(b"@begin\n@uid 0\n@file /x\n@text\n|@uid 1\n@end\n")
    assert [key for key, _unused, _unused in found] == ["begin", "uid", "file", "text", "end"]


def test_answers_that_break_off_or_are_not_roots_are_refused():
    with pytest.raises(facts.Broken):
        facts.records(b"Last login: today\n")
    with pytest.raises(facts.Broken):
        facts.records(b"@begin\n@uid 0\n@file /x\n")
    with pytest.raises(facts.Denied):
        facts.records(b"@begin\n@uid 1000\n@end\n")


@pytest.mark.parametrize(
    ("line", "hidden"),
    [
        ("run with -Djavax.net.ssl.keyStorePassword=abc -jar x", "abc"),
        ("JENKINS_HTTPS_KEYSTORE_PASSWORD=abc", "abc"),
        ('JENKINS_X="a bc"', "bc"),
        ("password: abc", "abc"),
        ("--httpsKeyStorePassword='a abc'", "abc"),
        ("via http://jo:abc@proxy/", "abc"),
        ("Picked up JAVA_TOOL_OPTIONS: abc", "abc"),
    ],
)
def test_a_journal_line_loses_its_values(line, hidden):
    assert hidden not in facts.redact(line, [])


@pytest.mark.parametrize(
    ("rc", "message", "expected"),
    [
        (0, "", "connected"),
        (1, "bash: connect: Connection refused", "refused"),
        (124, "", "timeout"),
        (1, "bash: x: Name or service not known", "no_such_name"),
        (1, "bash: x: Temporary failure in name resolution", "resolver_failed"),
        (1, "bash: connect: No route to host", "blocked"),
        (1, "bash: connect: Network is unreachable", "unreachable"),
        (1, "?", "failed"),
    ],
)
def test_what_came_of_a_connection(rc, message, expected):
    assert facts.outcome("bash", rc, message) == expected


TODAY = datetime.date(2026, 6, 1)
WAIVER = {"until": "2026-06-01", "reason": "vendor case", "approved_by": "jo"}


def test_the_policy():
    assert policy.read({"telemetry_desired": "enabled"}).connectivity == "required"
    assert policy.read({"telemetry_desired": "disabled"}).connectivity == "ignored"
    assert policy.read({}).problems
    assert policy.read({"telemetry_desired": False}).problems
    assert policy.read({}, default_desired="disabled").desired == "disabled"
    assert policy.read({"telemetry_desired": "disabled", "telemetry_launch_scripts": "x"}).problems
    scripts = ["/a/b start", "/a\\ b/c", "/a/b"]
    named = policy.read({"telemetry_desired": "disabled", "telemetry_launch_scripts": scripts})
    assert named.launch_scripts == ["/a/b", "/a b/c"] and not named.problems


@pytest.mark.parametrize(
    ("waiver", "valid"),
    [
        (WAIVER, True),
        ({**WAIVER, "until": datetime.date(2026, 6, 2)}, True),
        ({**WAIVER, "until": "2026-05-31"}, False),
        ({**WAIVER, "until": "soon"}, False),
        ({**WAIVER, "reason": ""}, False),
        ("2026-06-01", False),
    ],
)
def test_a_waiver_counts_until_its_day(waiver, valid):
    found = policy.read({"telemetry_desired": "disabled", "telemetry_waiver": waiver}, today=TODAY)
    assert bool(found.waiver) is valid
    assert bool(found.remarks) is not valid


def test_a_waived_problem_is_expected_and_an_unwaived_one_fails():
    asked = policy.read({"telemetry_desired": "disabled", "telemetry_waiver": WAIVER}, today=TODAY)
    node = Node(inventory.Target("h"), asked, "paramiko")
    with pytest.raises(pytest.xfail.Exception, match="vendor case"):
        node.verdict(["sends"], [], [])
    asked.waiver = ""
    with pytest.raises(pytest.fail.Exception, match="sends"):
        node.verdict(["sends"], [], [])
    node.verdict([], [], [])


def test_an_unreachable_host_fails_once_and_then_skips():
    asked = policy.read({"telemetry_desired": "disabled"})
    node = Node(inventory.Target("h", "", "no such connection"), asked, "paramiko")
    with pytest.raises(pytest.fail.Exception, match="unreachable"):
        node.look()
    with pytest.raises(pytest.skip.Exception):
        node.look()


def test_who_may_write():
    def of(mode: str, user: str = "root", group: str = "root") -> list[str]:
        return writers(facts.stat_of("/x", f"0 0 {mode} {user} {group}"), {"root"}, {"root"}, "/x")

    assert of("640", group="cloudbees") == []
    assert of("755") == []
    assert of("660", group="cloudbees")
    assert of("646")
    assert of("644", user="cloudbees")
    assert of("1777") == []


def test_the_gatherer_runs_in_any_posix_shell_and_executes_nothing_it_reads(tmp_path):
    """As an unprivileged user it says so; as root it answers. Either way the answer is whole."""
    trap = tmp_path / "start script.sh"
    trap.write_text(f"touch {tmp_path}/executed\n@end\nexec java $(touch {tmp_path}/executed) {ON} -jar x.war\n")
    target = inventory.Target("localhost", "local", become=False)
    remote, head = backends.command(target)
    script = facts.script("files", False, [str(trap)])
    done = subprocess.run(["/bin/sh", "-c", remote], input=head + script, capture_output=True, check=False, timeout=60)
    assert done.stdout.startswith(b"@begin\n@uid ")
    assert done.stdout.endswith(b"@end\n")
    assert not (tmp_path / "executed").exists()


def test_a_password_is_never_in_what_is_run():
    target = inventory.Target("h", become_password="abc", password="def")
    remote, head = backends.command(target)
    assert "abc" not in remote and b"abc" in head
    assert "abc" not in repr(target) and "def" not in repr(target)


def test_what_a_password_prompt_leaves_is_not_run(tmp_path):
    """sudo may or may not have read the password: what is left of it is thrown away, not executed."""
    target = inventory.Target("h", become=False, become_password="touch " + str(tmp_path / "ran"))
    remote, head = backends.command(target)
    done = subprocess.run(["/bin/sh", "-c", remote], input=head + b"echo started\n", capture_output=True, check=False)
    assert done.stdout == b"started\n"
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(("value", "truth"), [("no", False), ("False", False), (True, True), ("yes", True), (0, False)])
def test_an_ini_no_is_no(value, truth):
    assert inventory.flag(value) is truth


def test_the_inventory_is_rendered_and_read(tmp_path):
    pytest.importorskip("ansible")
    path = tmp_path / "hosts.ini"
    path.write_text(
        "[all:vars]\nwant=disabled\ntelemetry_desired={{ want }}\n"
        "ansible_ssh_common_args=-F cfg -o ControlMaster=auto -J hop\n"
        "[ci]\na ansible_host='{{ inventory_hostname }}.example' ansible_port=2222 ansible_become=no ansible_user=jo\n"
        "b ansible_connection=local\nc ansible_connection=winrm\nd telemetry_desired='{{ nowhere }}'\n"
        "e ansible_become_method=su\n"
    )
    found = {one.name: one for one in inventory.targets([str(path)], "", [])}
    a = found["a"]
    assert (a.address, a.port, a.user, a.become) == ("a.example", 2222, "jo", False)
    assert a.variables["telemetry_desired"] == "disabled"
    assert a.ssh_args[:2] == ["-F", "cfg"] and "-J" in a.ssh_args
    assert found["b"].kind == "local"
    assert "winrm" in found["c"].problem
    assert "telemetry_desired" in found["d"].problem
    assert "sudo" in found["e"].problem
    assert [one.name for one in inventory.targets([str(path)], "a,b", [])] == ["a", "b"]
    with pytest.raises(inventory.InventoryError):
        inventory.targets([str(path)], "nobody", [])
    with pytest.raises(inventory.InventoryError):
        inventory.targets([str(tmp_path / "none.yml")], "", [])


def test_who_is_asked_is_said_in_the_inventory(tmp_path):
    pytest.importorskip("ansible")
    made = itertools.count()

    def names(group: str, hosts: str, pattern: str = "") -> list[str]:
        place = tmp_path / f"{next(made)}"  # Ansible remembers what it has read of one
        (place / "group_vars").mkdir(parents=True)
        (place / "hosts").write_text("[ci]\na\nb\n[lab]\nc\n")
        (place / f"group_vars/{group}.yml").write_text(f"telemetry_hosts: {hosts}\n")
        return [one.name for one in inventory.targets([str(place)], pattern, [])]

    assert names("all", "ci") == ["a", "b"]
    assert names("all", "'all:!ci'") == ["c"]
    assert names("all", "ci", "b:c") == ["b"]  # as --limit: it narrows
    assert names("lab", "ci") == ["a", "b", "c"]  # of one group it has no effect
    with pytest.raises(inventory.InventoryError, match="telemetry_hosts"):
        names("all", "ci", "lab")


def test_ssh_configuration_as_paramiko_gets_it(tmp_path):
    (tmp_path / "more").write_text("Host cm\n  User jo\n")
    config = tmp_path / "config"
    config.write_text(f"Include {tmp_path}/more\nHost cm\n  HostName 10.0.0.9\n  Port 2200\n")
    target = inventory.Target(
        "cm", address="cm", ssh_args=["-F", str(config), "-o", "StrictHostKeyChecking=no", "-J", "hop"]
    )
    settings, _unused = backends.ssh_settings(target)
    assert (settings["hostname"], settings["port"], settings["user"]) == ("10.0.0.9", "2200", "jo")
    assert (settings["stricthostkeychecking"], settings["proxyjump"]) == ("no", "hop")
    target.ssh_args = ["-F", str(tmp_path / "missing")]
    with pytest.raises(facts.Unreachable):
        backends.ssh_settings(target)


def test_the_suite_shares_no_code_with_the_collection():
    folder = facts.SCRIPT.parent
    for path in [*folder.glob("*.py"), *folder.parent.glob("*.py")]:
        text = path.read_text(encoding="utf-8")
        assert "ansible_collections" not in text, path
        assert "import " + "plugins" not in text and "from " + "plugins" not in text, path

"""Whoever may log in can neither hide a controller nor invent one, nor hold anybody up; nor does a launcher hide it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from attacker import USER, Site
from fleethand import FLAG, Done

WAR = "/usr/share/java/jenkins.war"
#: Names that speak to logs, terminals, pages, tables, comments.
NASTY = [
    r"$'/x/</script><img src=x onerror=alert(1)>jenkins.war'",
    r"$'/x/\e]0;owned\a\e[2J\e[1;1Hjenkins.war'",
    r"$'/x/jenkins\n## All hosts compliant\n@everyone cloudbees.war'",
    r"'=HYPERLINK(\"x\",\"x\")/cloudbees.war'",
    r"'{{ lookup(\"pipe\",\"id\") }}jenkins.war'",
    r"$'/x/\u202egnp.jenkins.war'",
    r"$'/x\n##vso[task.prependpath]/tmp/evil\n::error::forged\n/jenkins.war'",
    r"$'/x/\xff\xc3\x28jenkins.war'",
]


def audit(site: Site, *hosts: str, desired: str = "enabled", **variables: Any) -> Done:
    """Audit some hosts; as the fleet is new, telemetry is on everywhere."""
    return site.play(
        "audit",
        inventory=site.inventory(
            {host: {} for host in hosts}, telemetry_desired=desired, telemetry_connectivity="ignored", **variables
        ),
    )


def state(done: Done, host: str) -> dict[str, Any]:
    """The state document of a host."""
    return next(item for item in done.report["hosts"] if item["host"] == host)["state"]


def rows(done: Done, host: str) -> dict[str, dict[str, Any]]:
    """The installations of a host by name."""
    return {entry["name"]: entry for entry in state(done, host)["installations"]}


def start(site: Site, host: str, command: str, user: str = USER) -> None:
    """A process in the background, outside of any unit; given time to come up."""
    site.shell(host, f"runuser -u {user} -- bash -c {quoted(f'cd; {command} </dev/null >/dev/null 2>&1 & sleep 2')}")


def quoted(script: str) -> str:
    """A word of a shell."""
    return "'" + script.replace("'", "'\\''") + "'"


@pytest.fixture
def attacked(site: Site) -> Iterator[Site]:
    """Nothing of the attack is left afterwards."""
    yield site
    with ThreadPoolExecutor() as pool:
        list(
            pool.map(
                lambda host: site.shell(
                    host,
                    f"""pkill -KILL -u {USER}
            ls /etc/systemd/system/hidden*.service >/dev/null 2>&1 || exit 0
            systemctl stop 'hidden*.service'; rm -rf /etc/systemd/system/hidden*.service /opt/hidden* /etc/hidden*
            systemctl daemon-reload; systemctl reset-failed""",
                    check=False,
                ),
                site.hosts,
            )
        )


@pytest.fixture(scope="module")
def off(site: Site) -> str:
    """A host on which telemetry is off, so that nothing but the attack stands against its compliance."""
    done = site.play("enforce", "-e", "telemetry_restart=now", inventory=site.inventory({"oss": {}}))
    assert done.verdicts() == {"oss": "compliant"}, done.output
    return "oss"


def serve(
    site: Site, host: str, command: str, before: str = "", home: str = "JENKINS_HOME", name: str = "hidden"
) -> None:
    """A service of the administrator's, whose program tells nothing of what it runs; it begins to start."""
    site.shell(
        host,
        f"mkdir -p /opt/{name} /etc/{name} /var/lib/{name}; {before}\n"
        f"printf '[Service]\nEnvironment={home}=/var/lib/{name}\nSuccessExitStatus=143\n"
        f"ExecStart=%s\n' {quoted(command)} >/etc/systemd/system/{name}.service\n"
        f"systemctl daemon-reload; systemctl start {name}",
    )


# -- nobody invents a controller, or stops anything ---------------------------------------------------


def test_what_calls_itself_java_is_nothing(attacked: Site) -> None:
    """Whatever its name, it is no row and no warning, and plan and enforce do as without it."""
    host = "deb"
    before = state(audit(attacked, host), host)
    attacked.give(host, "pause")
    for name in NASTY:
        attacked.as_user(host, f"(exec -a java ./pause -jar {name}) </dev/null >/dev/null 2>&1 &")
    attacked.as_user(
        host,
        r"""mkdir -p t/webapps; : >"$(printf 't/webapps/jenkins\377.war')"; cp pause java
        (exec -a java ./pause -Dcatalina.base=$HOME/t org.apache.catalina.startup.Bootstrap start) \
            </dev/null >/dev/null 2>&1 &
        ./java -jar /x/jenkins.war </dev/null >/dev/null 2>&1 &""",
    )
    done = audit(attacked, host)
    assert done.verdicts() == {host: "compliant"}, done.output
    assert state(done, host) == before
    planned = attacked.play("plan", inventory=attacked.inventory({host: {}}))
    assert planned.code == 0, planned.output
    enforced = attacked.play("enforce", "-e", "telemetry_restart=now", inventory=attacked.inventory({host: {}}))
    assert (enforced.code, enforced.verdicts()) == (0, {host: "compliant"}), enforced.output
    assert list(rows(enforced, host)) == ["cloudbees-core-cm"]


def test_a_stray_is_unknown_and_stops_nothing(attacked: Site) -> None:
    """A true JVM on a true war in a login: seen, named with its user, and the others are enforced and restarted."""
    host = "oss"
    attacked.as_user(
        host,
        f"cp {WAR} jenkins.war; mkdir -p h; "
        "echo '<proxy><name>proxy.evil</name><port>1</port></proxy>' >h/proxy.xml; "
        "echo '<a><noUsageStatistics>true</noUsageStatistics></a>' >h/config.xml",
    )
    start(
        attacked,
        host,
        "JENKINS_HOME=$HOME/h exec java -Xmx32m -Dhttps.proxyHost=proxy.evil -jar ~/jenkins.war --httpPort=9191",
    )
    done = attacked.play("plan", inventory=attacked.inventory({host: {}}))
    assert (done.code, "it could not be planned" in done.output) == (0, False), done.output
    done = attacked.play(
        "enforce",
        "-e",
        "telemetry_restart=now",
        "-e",
        "telemetry_connectivity=required",
        "-e",
        "telemetry_probe_via=configured",
        inventory=attacked.inventory({host: {}}),
    )
    ours, stray = (rows(done, host)[name] for name in ("jenkins", f"/home/{USER}/jenkins.war"))
    assert (ours["on_disk"], ours["running"]) == ("disabled", "disabled"), done.output
    assert done.verdicts() == {host: "unknown"}, "not compliant, and no violation"
    pid = stray["processes"][0]["pid"]
    assert f"process {pid} of {USER} runs /home/{USER}/jenkins.war with telemetry enabled" in done.reasons(host)
    assert done.recap[host]["rescued"] == 0, "nothing went wrong on the way to the report"
    assert {value for name, value in stray["settings"].items() if name != "details"} == {"unknown"}
    assert "proxy.evil" not in str(state(done, host)["connectivity"]), "no way out of a stray is probed"
    reload = attacked.shell(
        host,
        "busctl get-property org.freedesktop.systemd1 /org/freedesktop/systemd1/unit/"
        "jenkins_2eservice org.freedesktop.systemd1.Unit NeedDaemonReload DropInPaths",
    )
    assert "b false" in reload and "zzz-cbops-telemetry.conf" in reload, "what was edited was reloaded"
    assert stray["processes"][0]["proof"] != "attach", "nobody waits for it"


def test_the_installations_own_war_in_a_login_is_a_stray_too(attacked: Site) -> None:
    """Its unit names no user, so the war alone must not do: she could make it look disabled, or owing a restart."""
    host = "deb"
    war = attacked.facts[host]["war"]
    audit(attacked, host)
    start(attacked, host, f"exec java {FLAG} -Xmx32m -jar {war} --httpPort=9191")
    found = rows(audit(attacked, host), host)
    assert len(found["cloudbees-core-cm"]["processes"]) == 1
    assert found["cloudbees-core-cm"]["running"] != "mixed"
    assert found[war]["running"] == "unknown"


def test_a_crowd_of_lookalikes_crowds_nobody_out(attacked: Site) -> None:
    """They have a file of that name mapped and the war open: as many as she likes, they are few rows and few notes."""
    host = "script"
    program = attacked.give(host, "lookalike")
    attacked.as_user(
        host,
        f"""head -c 8192 /dev/zero >libjvm.so; cp {attacked.facts[host]["war"]} jenkins.war
        for i in $(seq 120); do (LIBRARY=libjvm.so HELD=jenkins.war exec -a java {program} \
        -jar /x/$(head -c 4000 /dev/zero | tr '\\0' y)$i/jenkins.war) </dev/null >/dev/null 2>&1 & done""",
    )
    done = audit(attacked, host)
    document = state(done, host)
    ours = rows(done, host)["cloudbees-cm"]
    assert [process["proof"] for process in ours["processes"]] == ["attach"]
    assert (ours["on_disk"], ours["running"]) == ("enabled", "enabled")
    assert done.verdicts() == {host: "unknown"}
    assert len(document["installations"]) <= 9
    assert len(document["warnings"]) <= 3
    assert len(str(document)) < 60_000


# -- nobody hides one -------------------------------------------------------------------------------

UNPACK = "python3 -c \"import zipfile; zipfile.ZipFile('{war}').extractall('{opt}/app')\""
#: How -> its command, what is done before. What {opt} and {etc} hold is its own.
HIDDEN = {
    "argument-file": (
        "/usr/bin/java @{etc}/java.args",
        "printf -- '-Xmx32m\\n-jar\\n{opt}/cloudbees-core-cm.war\\n--httpPort={port}' "
        ">{etc}/java.args; cp {war} {opt}/cloudbees-core-cm.war",
    ),
    "argument-file-renamed": (
        "/usr/bin/java @{etc}/java.args",
        "printf -- '-Xmx32m\\n-jar\\n{opt}/app.bin\\n--httpPort={port}' >{etc}/java.args; cp {war} {opt}/app.bin",
    ),
    "renamed": ("/usr/bin/java -Xmx32m -jar {opt}/app.bin --httpPort={port}", "cp {war} {opt}/app.bin"),
    "named-as-an-agent": ("/usr/bin/java -Xmx32m -jar {opt}/agent.jar --httpPort={port}", "cp {war} {opt}/agent.jar"),
    "class-path": (
        "/usr/bin/java -Xmx32m -cp {opt}/app.bin executable.Main --httpPort={port}",
        "cp {war} {opt}/app.bin",
    ),
    "unpacked": ("/usr/bin/java -Xmx32m -cp {opt}/app executable.Main --httpPort={port}", UNPACK),
    "folder": (
        "/usr/bin/java -Xmx32m -jar {opt}/a.d/b.d/data --httpPort={port}",
        "mkdir -p {opt}/a.d/b.d; cp {war} {opt}/a.d/b.d/data",
    ),
    "launcher-renamed": (
        "{bin}/ourd -Xmx32m -jar {opt}/app.bin --httpPort={port}",
        "cp {war} {opt}/app.bin; cp {bin}/java {bin}/ourd",
    ),
    "named-otherwise": (
        "/bin/bash -c 'exec -a postgres java -Xmx32m -jar {opt}/app.bin --httpPort={port}'",
        "cp {war} {opt}/app.bin",
    ),
    "deleted": ("/usr/bin/java -Xmx32m -jar {opt}/app.bin --httpPort={port}", "cp {war} {opt}/app.bin"),
}


#: What no start that is written down tells; the others are known by their war's manifest.
UNRESOLVABLE = {"launcher-renamed", "deleted"}


@pytest.mark.parametrize("half", [0, 1])  # five JVMs at a time
def test_a_controller_that_does_not_look_like_one_is_seen(attacked: Site, off: str, half: int) -> None:
    host = off
    java = attacked.shell(host, "dirname $(readlink -f /usr/bin/java)").strip()
    chosen = list(HIDDEN)[half::2]
    for port, how in enumerate(chosen, 9300):
        name = f"hidden-{how}"
        places = {"war": WAR, "bin": java, "port": port, "opt": f"/opt/{name}", "etc": f"/etc/{name}"}
        command, before = (text.format(**places) for text in HIDDEN[how])
        serve(attacked, host, command, before, name=name)
    attacked.shell(
        host,
        f"sleep 3; rm -f /opt/hidden-deleted/app.bin; "
        f"systemctl is-active {' '.join(f'hidden-{how}' for how in chosen)}",
    )
    for on_disk in ("enabled", "disabled"):
        done = audit(attacked, host, desired="disabled")
        assert done.verdicts() == {
            host: "violation" if on_disk == "enabled" or UNRESOLVABLE & {*chosen} else "restart_pending"
        }, done.output
        for how in chosen:
            found = rows(done, host)[f"hidden-{how}"]
            assert found["service"] == f"hidden-{how}.service"
            assert found["on_disk"] == ("unresolvable" if how in UNRESOLVABLE else on_disk), (how, done.output)
            assert (found["running"], [process["proof"] for process in found["processes"]]) == (
                "enabled",
                ["attach"],
            ), (how, done.output)
            assert f"hidden-{how}: " in done.reasons(host)
        attacked.shell(
            host,
            f"sed -i 's/-Xmx32m/& {FLAG}/' /etc/systemd/system/hidden-*.service; "
            f"sed -i '1i {FLAG}' /etc/hidden-*/java.args; systemctl daemon-reload",
        )


MANY = """(echo '#!/bin/sh'; cat app.bin) >b.bin
exec python3 -c '
import os, zipfile
for number in range(600):
    name = "a%d.jar" % number
    with zipfile.ZipFile(name, "w") as archive:
        archive.writestr("x", "y")
    os.set_inheritable(os.open(name, os.O_RDONLY), True)
os.execvp("java", ["java", "-Xmx32m", "-jar", "b.bin", "--httpPort=9191"])'
"""
#: What she starts in a folder of its own, and what is in the reason then.
ORDINARY = {
    "environment-of-a-build": (
        "JENKINS_NODE_COOKIE=x exec java -Xmx32m -jar jenkins.war --httpPort=9190",
        "in the environment of a build",
    ),
    "in-memory": (
        "cp app.bin /dev/shm/app.bin; exec java -Xmx32m -jar /dev/shm/app.bin --httpPort=9192",
        "runs /dev/shm/app.bin",
    ),
    "named-as-an-agent": ("exec java -Xmx32m -cp app.bin:c hudson.remoting.Mine", "app.bin"),
    "first-thread-ended": ("LEADERLESS=1 LIBRARY=libjvm.so HELD=app.bin exec -a java ./lookalike", "app.bin"),
    "endless-command-line": (
        "exec java -Xmx32m -jar app.bin --httpPort=9193 $(for i in $(seq 12); do "
        "head -c 100000 /dev/zero | tr '\\0' y; echo; done)",
        "was not looked at",
    ),
    "many-archives": (MANY, "was not looked at"),
}
MINE = """package hudson.remoting;
public class Mine {
    public static void main(String[] none) throws Exception {
        Thread.sleep(Long.MAX_VALUE);
    }
}
"""


def test_an_ordinary_user_cannot_hide_a_controller(attacked: Site, off: str, tmp_path: Path) -> None:
    """A host that is compliant but for each of these is unknown, by a row of its own, and nothing is stopped."""
    host = off
    (tmp_path / "Mine.java").write_text(MINE)
    subprocess.run(["javac", "--release", "8", "-Xlint:-options", "-d", tmp_path, tmp_path / "Mine.java"], check=True)
    attacked.give(host, "lookalike")
    for how, (command, _said) in ORDINARY.items():
        attacked.put(
            host,
            f"/home/{USER}/{how}/c/hudson/remoting/Mine.class",
            (tmp_path / "hudson/remoting/Mine.class").read_bytes(),
        )
        attacked.put(host, f"/home/{USER}/{how}/go.sh", f"cd ~/{how}; echo $$ >pid\n{command}".encode())
    attacked.shell(
        host,
        f"""for how in {" ".join(ORDINARY)}; do cd /home/{USER}/$how
        head -c 8192 /dev/zero >libjvm.so; cp {WAR} app.bin; cp {WAR} jenkins.war; cp ../lookalike .
        chown -R {USER}: .; runuser -u {USER} -- bash go.sh </dev/null >/dev/null 2>&1 & done; sleep 4""",
    )
    try:
        done = audit(attacked, host, desired="disabled")
        pids = {how: attacked.shell(host, f"cat /home/{USER}/{how}/pid").strip() for how in ORDINARY}
    finally:
        attacked.stop_pretending(host)
        attacked.shell(host, f"rm -rf /dev/shm/app.bin /home/{USER}/*")
    assert done.verdicts() == {host: "unknown"}, done.output
    for how, (_command, said) in ORDINARY.items():
        mine = [line for line in done.reasons(host).splitlines() if f"process {pids[how]} of {USER} " in line]
        assert mine and said in mine[0], (how, done.reasons(host))
    assert rows(done, host)["jenkins"]["running"] == "disabled"


def test_a_host_without_an_installation_is_not_without_a_verdict(attacked: Site) -> None:
    """A JVM is seen, and no unit starts it."""
    host = "oss"
    attacked.shell(
        host,
        f"systemctl disable --now jenkins 2>/dev/null; mkdir -p /opt/hidden /root/units; cp {WAR} "
        "/opt/hidden/app.bin; mv /lib/systemd/system/jenkins.service /etc/init.d/jenkins /root/units; "
        "systemctl daemon-reload",
        check=False,
    )
    try:
        start(attacked, host, "exec java -Xmx32m -jar /opt/hidden/app.bin --httpPort=9292", user="daemon")
        done = audit(attacked, host)
    finally:
        attacked.shell(
            host,
            "pkill -KILL -u daemon; mv /root/units/jenkins.service /lib/systemd/system; "
            "mv /root/units/jenkins /etc/init.d; systemctl daemon-reload; "
            "systemctl enable --now jenkins; sleep 2",
            check=False,
        )
    assert done.verdicts() == {host: "unknown"}, done.output


def test_a_unit_that_runs_and_shows_no_jvm_is_unknown(attacked: Site) -> None:
    """Its launcher waits, or what it runs is not to be told from outside: that is not 'not running'."""
    host = "script"
    file = attacked.facts[host]["launch_file"]
    attacked.shell(
        host, f"cp -p {file} /root/kept; sed -i '2i sleep 1000' {file}; systemctl restart cloudbees-cm; sleep 1"
    )
    try:
        done = audit(attacked, host)
        entry = rows(done, host)["cloudbees-cm"]
        assert (entry["on_disk"], entry["running"], entry["processes"]) == ("enabled", "unknown", [])
        assert "none of them is seen to be a JVM" in done.reasons(host)
        assert done.verdicts() == {host: "unknown"}
        attacked.shell(host, "systemctl stop cloudbees-cm")
        done = audit(attacked, host)
        assert (rows(done, host)["cloudbees-cm"]["running"], done.verdicts()) == ("not_running", {host: "compliant"})
    finally:
        attacked.shell(host, f"cp -p /root/kept {file}; systemctl restart cloudbees-cm; sleep 2")


def test_an_agent_beside_its_controller_is_no_controller(attacked: Site) -> None:
    """Nor is a plugin's test, or whatever else has a plugin open."""
    host = "oss"
    attacked.shell(
        host,
        r"""mkdir -p /opt/hidden; cat >/opt/hidden/make.py <<'E'
import zipfile
with zipfile.ZipFile("/opt/hidden/git.jpi", "w") as plugin:
    plugin.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\nShort-Name: git\nJenkins-Version: 2.400\n")
    war = zipfile.ZipFile("/usr/share/java/jenkins.war")
    for name in war.namelist():
        if name.endswith(".class"):
            plugin.writestr(name, war.read(name))
E
python3 /opt/hidden/make.py""",
    )
    serve(attacked, host, "/usr/bin/java -Xmx32m -cp /opt/hidden/git.jpi executable.Main --httpPort=9292", home="X")
    attacked.shell(host, "sleep 3; systemctl is-active hidden")
    done = audit(attacked, host)
    assert list(rows(done, host)) == ["jenkins"], done.output

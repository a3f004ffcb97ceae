"""Every sender of an installation, and the switches beside the flag: both polarities, all layers, all three clocks."""

from __future__ import annotations

import os
import subprocess
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hostroot import FLAG, Host
from jvms import Jvms, Running, jvms
from schemas import validate

from ansible_collections.cbops.telemetry.plugins.module_utils import _answer as answer
from ansible_collections.cbops.telemetry.plugins.module_utils.edit._candidates import describe
from ansible_collections.cbops.telemetry.plugins.module_utils.host._files import HostFiles
from ansible_collections.cbops.telemetry.plugins.module_utils.java._jvm import Switch
from ansible_collections.cbops.telemetry.plugins.module_utils.running import _facts, _proc
from ansible_collections.cbops.telemetry.plugins.module_utils.running import _processes as processes
from ansible_collections.cbops.telemetry.plugins.module_utils.running._threads import count
from ansible_collections.cbops.telemetry.plugins.module_utils.senders import _senders as senders
from ansible_collections.cbops.telemetry.plugins.module_utils.senders import _table as table
from ansible_collections.cbops.telemetry.plugins.module_utils.survey._document import document_of
from ansible_collections.cbops.telemetry.plugins.module_utils.survey._survey import survey

CORE, HAZELCAST = table.USAGE_STATISTICS.name, table.HAZELCAST.name
OWN = Switch("com.example.phone.home", "false")
HOME = "/var/lib/jenkins"
UNIT_LINE = '[Service]\nEnvironment="JAVA_OPTS=%s"\n'


def looked(host: Host, threads: bool = False) -> dict[str, Any]:
    """The one installation, with senders and switches."""
    own = [{"name": OWN.name, "off_value": OWN.off}]
    document = answer.state(str(host.root), senders={"switches": own, "threads": threads})
    validate(document)
    (entry,) = document["installations"]
    return entry


def running(host: Host, *jvms: _proc.Process) -> dict[str, Any]:
    """The same where it is known what runs: these, which have each property in its other polarity, or nothing."""
    found = survey(HostFiles(str(host.root)))
    (entry,) = found.entries
    state = jvms[0].state if jvms else "not_running"
    found = found._replace(entries=[entry._replace(processes=jvms, running=state, running_reason=None)])
    document = document_of(found)
    senders.add(found, document, senders.asked({}))
    validate(document)
    return dict(document["installations"][0])


def started(
    ago: float = 0.0, home: str = "/var/lib/jenkins", value: str = "false", source: str = "command line"
) -> _proc.Process:
    """A JVM that was started so many seconds ago, with this value of all other properties."""
    own = _proc.Setting(value, "disabled" if value == "false" else "enabled", source, "jcmd", None)
    settings = (_proc.Setting(None, "enabled", None, "jcmd", None), own)
    facts = (
        4711,
        "2026-01-01T00:00:00Z",
        "/usr/share/java/jenkins.war",
        home,
        "/x",
        None,
        "enabled",
        None,
        "jcmd",
        None,
    )
    return _proc.Process(*facts, start=time.time() - ago, switches=settings)


def switch(entry: dict[str, Any], name: str) -> dict[str, Any]:
    """One of its switches."""
    (found,) = [one for one in entry["switches"] if one["name"] == name]
    return found


def sender(entry: dict[str, Any], name: str) -> dict[str, Any]:
    """One of its senders."""
    (found,) = [one for one in entry["senders"] if one["name"] == name]
    return found


@pytest.mark.parametrize(
    ("off", "value", "state"),
    [
        ("true", "true", "disabled"),
        ("true", "TRUE", "disabled"),
        ("true", None, "enabled"),
        ("true", "", "enabled"),
        ("true", "false", "enabled"),
        ("true", "1", "enabled"),
        ("true", "true ", "enabled"),
        ("false", "false", "disabled"),
        ("false", "False", "disabled"),
        ("false", None, "enabled"),
        ("false", "true", "enabled"),
        ("false", "", "unknown"),
        ("false", "no", "unknown"),
        ("false", "0", "unknown"),
        ("false", " false", "unknown"),
    ],
)
def test_what_a_value_is_in_both_polarities(off: str, value: str | None, state: str) -> None:
    assert Switch("a.b", off).state(value) == state


#: Layers of options by unit and argument file, and what the next start has of core's, Hazelcast's and our own property.
LAYERS = {
    "nothing": ("", "enabled enabled enabled"),
    "off": (f"-D{CORE}=true -D{HAZELCAST}=false -D{OWN.name}=false", "disabled disabled disabled"),
    "the other polarity": (f"-D{CORE}=false -D{HAZELCAST}=true -D{OWN.name}=true", "enabled enabled enabled"),
    "last wins": (f"-D{CORE}=true -D{HAZELCAST}=false -D{CORE}=false -D{HAZELCAST}=true", "enabled enabled enabled"),
    "last wins, off": (f"-D{HAZELCAST}=true -D{HAZELCAST}=FALSE", "enabled disabled enabled"),
    "neither": (f"-D{HAZELCAST}=no -D{OWN.name}", "enabled unresolvable unresolvable"),
    "argument file": ("@/etc/jenkins.args", "disabled disabled enabled"),
    "longer name": (f"-D{CORE}x=true -D{HAZELCAST}.x=false", "enabled enabled enabled"),
}


@pytest.mark.parametrize("case", LAYERS)
def test_on_disk(host: Host, case: str) -> None:
    options, states = LAYERS[case]
    host.write("/etc/jenkins.args", f"-D{CORE}=true\n'-D{HAZELCAST}=false'\n")
    host.oss(UNIT_LINE % options)
    entry = looked(host)
    assert " ".join(one["on_disk"] for one in entry["switches"]) == states
    assert entry["on_disk"] == "enabled", "nothing but the flag is the flag"


@pytest.mark.parametrize(
    ("variable", "wins"), [("JAVA_TOOL_OPTIONS", False), ("JDK_JAVA_OPTIONS", False), ("_JAVA_OPTIONS", True)]
)
@pytest.mark.parametrize("line", ["", f"-D{CORE}=false -D{HAZELCAST}=true"], ids=["alone", "against"])
def test_layers_of_the_environment(host: Host, variable: str, wins: bool, line: str) -> None:
    host.oss(UNIT_LINE % line, f'[Service]\nEnvironment="{variable}=-D{CORE}=true -D{HAZELCAST}=false"\n')
    found = looked(host)["switches"]
    wanted = "disabled" if wins or not line else "enabled"
    assert [one["on_disk"] for one in found] == [wanted, wanted, "enabled"]
    live = [item for item in found[0]["declarations"] if item["live"]]
    assert len(live) == 1 and live[0]["value"] == ("true" if wanted == "disabled" else "false")


def test_the_flag_is_judged_as_before_and_its_word_is_no_other_switch(host: Host) -> None:
    host.oss(UNIT_LINE % FLAG)
    entry = looked(host)
    assert entry["on_disk"] == "disabled" and [one["on_disk"] for one in entry["switches"]] == ["enabled"] * 3
    plain = answer.state(str(host.root))["installations"][0]
    assert {key: entry[key] for key in plain} == plain and set(entry) - set(plain) == {"switches", "senders"}


@pytest.mark.parametrize(
    ("value", "state"), [("false", "disabled"), ("False", "enabled"), ("true", "enabled"), ("", "enabled")]
)
def test_the_variable_of_hazelcast_counts_beside_its_property(host: Host, value: str, state: str) -> None:
    host.oss(f'[Service]\nEnvironment="HZ_PHONE_HOME_ENABLED={value}"\n')
    assert switch(looked(host), HAZELCAST)["on_disk"] == state


def test_what_cannot_be_resolved_is_so_for_every_switch(host: Host) -> None:
    host.oss("[Service]\nExecStart=\nExecStart=/usr/bin/nothing\n")
    host.write("/usr/bin/nothing", "#!/bin/sh\nexec java $(curl x) -jar /usr/share/java/jenkins.war\n", 0o755)
    for one in looked(host)["switches"]:
        assert one["on_disk"] == "unresolvable" and one["on_disk_detail"]["reason"]


def test_a_dead_mention_of_another_property_is_named(host: Host) -> None:
    host.deb(f'JAVA_ARGS="-Xmx1g"\n#JAVA_ARGS="-D{CORE}=true"\nJENKINS_JAVA_OPTIONS="-D{CORE}=true"\n')
    host.write("/usr/share/cloudbees-core-cm/cloudbees-core-cm.war", "PK")
    found = switch(looked(host), CORE)
    assert found["on_disk"] == "enabled"
    assert [item["live"] for item in found["declarations"]] == [False, False]
    assert all(item["reason"] for item in found["declarations"])


def test_a_longer_name_is_no_mention(host: Host) -> None:
    host.deb(f'JAVA_ARGS="-Xmx1g"\n#JAVA_ARGS="-D{CORE}-more=true -D{CORE}.more=true -D{CORE}x=true"\n')
    host.write("/usr/share/cloudbees-core-cm/cloudbees-core-cm.war", "PK")
    assert switch(looked(host), CORE)["declarations"] == []
    told = describe("/x", None, f"-D{CORE}-more=true\n-D{CORE}.more=true -D{CORE}\n-D{CORE}=true9", f"-D{CORE}=true")
    assert told["after"] == f"line 2: ... -D{CORE} ...\nline 3: ... -D{CORE}=true ...\n"


# -- senders ----------------------------------------------------------------------------------------


def plugin(host: Host, name: str, version: str = "1.2") -> None:
    """An archive of a plugin."""
    path = host.root / f"{HOME[1:]}/plugins/{name}.jpi"
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", f"Plugin-Version: {version}\n")


def home(host: Host, config: str = "") -> Host:
    """A home with plugins and this in config.xml."""
    host.oss()
    (host.root / f"{HOME[1:]}/plugins").mkdir(parents=True, exist_ok=True)
    host.write(f"{HOME}/config.xml", f"<hudson>{config}</hudson>")
    return host


def test_every_sender_has_a_row_and_nothing_is_off_without_proof(host: Host) -> None:
    host.oss()
    found = looked(host)["senders"]
    assert [one["name"] for one in found] == list(table.BY_NAME)
    assert {one["state"] for one in found} <= {"on", "unknown"} and all(one["proof"] for one in found)


def test_plugins_that_send(host: Host) -> None:
    home(host)
    states = {one["name"]: one["state"] for one in looked(host)["senders"]}
    assert [name for name, state in states.items() if state == "absent"] == [
        *("analytics_plugin", "license_tracker", "unify", "platform_insights", "health_advisor")
    ]
    for name in [name for one in table.TABLE for name in one.plugins if not name.endswith("-oc")]:
        plugin(host, name)
    plugin(host, "cloudbees-cbp-unify-integration-oc", "3.4")
    found = {one["name"]: one for one in looked(host)["senders"]}
    assert [found[name]["state"] for name in ("license_tracker", "unify", "platform_insights")] == ["unknown"] * 3
    assert found["license_tracker"]["version"] == "1.2" and found["license_tracker"]["covered"] is None
    assert found["analytics_plugin"]["state"] == "on" and found["analytics_plugin"]["covered"] is True
    assert found["health_advisor"]["state"] == "off" and found["health_advisor"]["covered"] is False


def test_a_plugin_that_is_disabled_beside_its_archive_sends_nothing_after_a_start(host: Host) -> None:
    plugin(home(host), "cloudbees-platform-insights")
    marker = host.write(f"{HOME}/plugins/cloudbees-platform-insights.jpi.disabled", "")
    assert sender(looked(host), "platform_insights")["state"] == "unknown", "processes of an image are not seen"
    assert sender(running(host), "platform_insights")["state"] == "off"
    assert sender(running(host, started(-60)), "platform_insights")["state"] == "off"
    assert sender(running(host, started(-60), started(60)), "platform_insights")["state"] == "unknown"
    twin = host.root / f"{HOME[1:]}/plugins/insights.hpi"
    with zipfile.ZipFile(twin, "w") as made:
        made.writestr("META-INF/MANIFEST.MF", "Short-Name: cloudbees-platform-insights\n")
    found = sender(running(host), "platform_insights")
    assert (found["state"], "insights.hpi is it by its manifest" in found["proof"]) == ("unknown", True)
    twin.unlink()
    host.write(f"{HOME}/plugins/dev.hpl", "Manifest-Version: 1.0\nShort-Name: cloudbees-platform-insights\n")
    found = sender(running(host), "platform_insights")
    assert (found["state"], "dev.hpl: a plugin linked for development" in found["proof"]) == ("unknown", True)
    (host.root / f"{HOME[1:]}/plugins/dev.hpl").unlink()
    os.utime(marker, (1, 1))
    assert sender(running(host, started(60)), "platform_insights")["state"] == "unknown", "its owner sets that time"
    other = sender(running(host, started(-60, "/srv/other")), "platform_insights")
    assert other["state"] == "unknown" and "another home" in other["proof"]
    plugin(host, "cloudbees-cbp-unify-integration")
    plugin(host, "cloudbees-cbp-unify-integration-oc")
    host.write(f"{HOME}/plugins/cloudbees-cbp-unify-integration.jpi.disabled", "")
    assert sender(looked(host), "unify")["state"] == "unknown", "the other one is there"


@pytest.mark.parametrize(
    ("options", "config", "state"),
    [
        (f"-D{CORE}=true", "", "unknown"),  # the processes of an image are not looked at
        ("", "<noUsageStatistics>true</noUsageStatistics>", "off"),
        ("", "<noUsageStatistics>false</noUsageStatistics>", "on"),
        ("", "", "on"),
        ("", "<noUsageStatistics>perhaps</noUsageStatistics>", "unknown"),
        ("", "<noUsageStatistics>TRUE</noUsageStatistics>", "off"),
        ("", "<noUsageStatistics>\n    true\n  </noUsageStatistics>", "unknown"),  # false to XStream
        ("@/nowhere", "", "unknown"),
        ("@/nowhere", "<noUsageStatistics>true</noUsageStatistics>", "unknown"),
        (FLAG, "", "on"),
    ],
)
def test_core_is_off_by_its_property_or_its_own_opt_out(host: Host, options: str, config: str, state: str) -> None:
    home(host, config)
    host.oss(UNIT_LINE % options)
    for name in ("core_usage_statistics", "core_telemetry"):
        found = sender(looked(host), name)
        assert found["state"] == state and found["presence"] == "present" and found["covered"] is False


CASC = {
    "nothing": ("", "", "off"),
    "file": ("jenkins.yaml", "", "unknown"),
    "files": ("casc_configs/x.yaml", "", "unknown"),
    "bundle": ("core-casc-bundle/bundle.yaml", "", "unknown"),
    "bundle by its option": ("", 'Environment="JAVA_OPTS=-Dcore.casc.config.bundle=/etc/bundle"', "unknown"),
    "file by its option": ("", 'Environment="JAVA_OPTS=-Dcasc.jenkins.config=/etc/casc.yaml"', "unknown"),
    "file by the environment": ("", 'Environment="CASC_JENKINS_CONFIG=https://u:S3CR3T@a/casc.yaml"', "unknown"),
    "option in the environment": ("", 'Environment="JAVA_TOOL_OPTIONS=-Dcasc.jenkins.config=a.yaml"', "unknown"),
}


@pytest.mark.parametrize("case", CASC)
@pytest.mark.parametrize("terms", [None, "<a><acceptToS>false</acceptToS></a>"], ids=["no terms", "terms"])
def test_configuration_as_code_may_turn_senders_on_again(host: Host, case: str, terms: str | None) -> None:
    file, line, state = CASC[case]
    plugin(home(host, "<noUsageStatistics>true</noUsageStatistics>"), "cloudbees-jenkins-advisor")
    if terms is not None:
        host.write(f"{HOME}/com.cloudbees.jenkins.plugins.advisor.AdvisorGlobalConfiguration.xml", terms)
    host.oss(f"[Service]\n{line}\n")
    if file:
        host.write(f"{HOME}/{file}", "jenkins:\n")
    found = looked(host)
    for name in ("core_usage_statistics", "core_telemetry", "health_advisor"):
        one = sender(found, name)
        assert (one["state"], "next start" in one["proof"]) == (state, state == "unknown") and "S3CR3T" not in str(one)


def test_what_runs_with_another_home_or_other_plugins_is_not_known_from_this_home(host: Host) -> None:
    plugin(home(host, "<noUsageStatistics>true</noUsageStatistics>"), "cloudbees-jenkins-advisor")
    names = ("license_tracker", "core_telemetry", "health_advisor")

    def states(*jvms: _proc.Process) -> list[str]:
        found = running(host, *jvms)
        return [sender(found, name)["state"] for name in names]

    assert states() == states(started(-60)) == states(started(-60, HOME + "/")) == ["absent", "off", "off"]
    (host.root / "srv").mkdir()
    (host.root / "srv/jenkins").symlink_to("../var/lib/jenkins")
    assert states(started(-60, "/srv/jenkins")) == ["absent", "off", "off"]
    assert states(started(-60), started(-60, "/srv/other")) == ["unknown"] * 3
    assert states(started(-60, "")) == ["unknown"] * 3
    assert states(started(60)) == ["unknown", "off", "off"], "the folder of plugins is younger"
    proof = sender(running(host, started(60)), "license_tracker")["proof"]
    assert "plugins was changed after the start of what runs" in proof


def test_absent_is_what_no_archive_and_no_war_has(host: Host) -> None:
    home(host)
    plugins = host.root / f"{HOME[1:]}/plugins"
    war = host.root / "usr/share/java/jenkins.war"

    def state(name: str = "license_tracker") -> tuple[str, str]:
        found = sender(running(host, started(-60)), name)
        return found["state"], found["proof"]

    def archive(path: Path, files: dict[str, str]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w") as made:
            for name, text in files.items():
                made.writestr(name, text)

    archive(
        plugins / "other.jpi",
        {"META-INF/MANIFEST.MF": "Short-Name: other\nExtension-Name: cloudbees-license-tracker\n"},
    )
    archive(war, {"WEB-INF/plugins/my-cloudbees-license-tracker.hpi": "", "plugins/cloudbees-license-tracker.hpi": ""})
    assert state()[0] == "absent"
    for text in ("Short-Name: cloudbees-license-tracker", "Extension-Name: cloudbees-license-tracker"):
        archive(plugins / "cloudbees-license-tracker-1.2.hpi", {"META-INF/MANIFEST.MF": text + "\n"})
        assert (state()[0], "by its manifest" in state()[1]) == ("unknown", True)
        assert state("unify")[0] == "absent", "that archive is no other one"
    (plugins / "cloudbees-license-tracker-1.2.hpi").unlink()
    (plugins / "broken.jpi").write_bytes(b"PK")
    assert (state()[0], "which plugin this is" in state()[1]) == ("unknown", True)
    (plugins / "broken.jpi").rename(plugins / "linked.hpl")
    assert (state()[0], "linked for development" in state()[1]) == ("unknown", True)
    (plugins / "linked.hpl").unlink()
    for folder in ("plugins", "detached-plugins"):
        archive(war, {f"WEB-INF/{folder}/cloudbees-license-tracker.hpi": ""})
        assert (state()[0], "brings it" in state()[1]) == ("unknown", True)
        assert state("unify")[0] == "absent"
    war.unlink()
    assert (state()[0], "which war is started" in state()[1]) == ("unknown", True)
    archive(war / "WEB-INF/plugins/cloudbees-license-tracker.jpi", {"x": ""})
    found = senders._brought(HostFiles(str(host.root)), "/usr/share/java/jenkins.war")
    assert set(found) == {"cloudbees-license-tracker"}, "unpacked"


def test_hazelcast_is_off_by_its_variable_alone(host: Host) -> None:
    home(host)

    def state(*jvms: _proc.Process) -> str:
        return str(sender(running(host, *jvms), "hazelcast_phone_home")["state"])

    host.oss(UNIT_LINE % f"-D{HAZELCAST}=false")
    assert state() == state(started()) == "unknown", "what the product sets goes before the property"
    host.oss('[Service]\nEnvironment="HZ_PHONE_HOME_ENABLED=false"\n')
    assert state() == state(started(source="HZ_PHONE_HOME_ENABLED")) == "off"
    assert state(started()) == "unknown"
    proof = sender(running(host), "hazelcast_phone_home")["proof"]
    assert proof.startswith("HZ_PHONE_HOME_ENABLED=false of the environment counts in the files")
    host.oss(UNIT_LINE % f"-D{HAZELCAST}=false", '[Service]\nEnvironment="HZ_PHONE_HOME_ENABLED=false"\n')
    assert state() == "off"


def test_hazelcast_is_seen_by_its_jar_and_never_on_by_default(host: Host) -> None:
    home(host)
    found = sender(looked(host), "hazelcast_phone_home")
    assert (found["presence"], found["state"]) == ("unknown", "unknown")
    host.write(f"{HOME}/plugins/cloudbees-ha/WEB-INF/lib/hazelcast-5.3.6.jar", "PK")
    found = sender(looked(host), "hazelcast_phone_home")
    assert (found["presence"], found["version"], found["state"]) == ("present", "5.3.6", "unknown")
    host.oss(UNIT_LINE % f"-D{HAZELCAST}=false")
    assert sender(looked(host), "hazelcast_phone_home")["state"] == "unknown", "processes of an image are not seen"
    host.oss(UNIT_LINE % f"-D{HAZELCAST}=true")
    assert sender(looked(host), "hazelcast_phone_home")["state"] == "unknown"


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("<acceptToS>true</acceptToS>", "on"),
        ("<acceptToS>false</acceptToS>", "off"),
        ("", "unknown"),
        ("<acceptToS>true</acceptToS><acceptToS>false</acceptToS>", "unknown"),
        ("<x>", "unknown"),
    ],
)
def test_the_health_advisor(host: Host, text: str, state: str) -> None:
    plugin(home(host), "cloudbees-jenkins-advisor")
    name = "com.cloudbees.jenkins.plugins.advisor.AdvisorGlobalConfiguration"
    host.write(f"{HOME}/{name}.xml", f"<?xml version='1.1' encoding='UTF-8'?>\n<{name}>{text}</{name}>")
    assert sender(looked(host), "health_advisor")["state"] == state


def test_hostile_homes_say_unknown(host: Host, tmp_path: Path) -> None:
    plugin(home(host), "cloudbees-jenkins-advisor")
    name = f"{HOME}/com.cloudbees.jenkins.plugins.advisor.AdvisorGlobalConfiguration.xml"
    os.mkfifo(host.root / name[1:])
    assert sender(looked(host), "health_advisor")["state"] == "unknown"
    (host.root / name[1:]).unlink()
    host.write(name, '<!DOCTYPE a [<!ENTITY b "c">]><a><acceptToS>false</acceptToS></a>')
    assert sender(looked(host), "health_advisor")["state"] == "unknown"
    host.write("/etc/secret.xml", "<a><acceptToS>false</acceptToS></a>")
    (host.root / name[1:]).unlink()
    (host.root / name[1:]).symlink_to(host.root / "etc/secret.xml")
    assert sender(looked(host), "health_advisor")["state"] in ("unknown", "off")
    plugins = host.root / f"{HOME[1:]}/plugins"
    for number in range(2001):
        (plugins / f"p{number}").mkdir()
    assert sender(looked(host), "hazelcast_phone_home")["presence"] == "unknown"


@pytest.mark.parametrize("on_disk", ["disabled", "enabled", "unresolvable"])
@pytest.mark.parametrize("next_start", ["disabled", "enabled", "unresolvable"])
@pytest.mark.parametrize("running", ["disabled", "enabled", "mixed", "not_running", "unknown"])
def test_off_is_only_what_every_clock_proves(on_disk: str, next_start: str, running: str) -> None:
    clocks = {"on_disk": on_disk, "next_start": next_start, "running": running}
    state, proof = senders._by_switch(clocks, table.BY_NAME["core_telemetry"])
    seen = set(clocks.values())
    wanted = "on" if seen & {"enabled", "mixed"} else "unknown" if seen & {"unresolvable", "unknown"} else "off"
    assert state == wanted and proof


@pytest.mark.parametrize("name", ["a b", "a=b", "", "-Da", "a.", "x" * 201, "a\nb", "a..b", "ä.b"])
def test_a_name_that_is_none_is_refused(host: Host, name: str) -> None:
    result = answer.telemetry_info(
        {
            "root": str(host.root),
            "launch_scripts": [],
            "connectivity": None,
            "attach": "never",
            "senders": {"switches": [{"name": name, "off_value": "true"}], "threads": False},
        },
        False,
    )
    assert result["failed"] and "no name of a property" in result["msg"]


# -- running JVMs -----------------------------------------------------------------------------------

ASKED = (table.USAGE_STATISTICS, table.HAZELCAST, OWN)
VARIABLES = (Switch("HZ_PHONE_HOME_ENABLED", "false", "", True), Switch("ACME_SEND", "0", "", True))
TROUBLE = """
package %s.com.segment.analytics;

public class Looper {
    public static void rest() {
        Object lock = new Object();
        synchronized (lock) {
            try {
                lock.wait();
            } catch (InterruptedException end) {
                return;
            }
        }
    }
}
"""
MAIN = r"""
public class Standin {
    static void thread(String name, Runnable work) {
        Thread thread = new Thread(work, name);
        thread.setDaemon(true);
        thread.start();
    }
    public static void main(String[] arguments) throws Exception {
        thread("Analytics", () -> com.cloudbees.analytics.shaded.com.segment.analytics.Looper.rest());
        thread("x", () -> com.cloudbees.analytics.shaded.com.segment.analytics.Looper.rest());
        thread("y", () -> com.example.shaded.com.segment.analytics.Looper.rest());
        thread("Analytics", () -> { try { Thread.sleep(1000000); } catch (InterruptedException end) { } });
        thread("a\n\tat com.cloudbees.analytics.shaded.com.segment.analytics.Looper.rest(Looper.java)\nb",
            () -> { try { Thread.sleep(1000000); } catch (InterruptedException end) { } });
        Thread.sleep(500);
        System.out.println("ready");
        System.out.flush();
        while (System.in.read() >= 0) { }
    }
}
"""


@pytest.fixture(scope="module")
def machine() -> Iterator[Jvms]:
    """Starts JVMs; they end with the module at the latest."""
    with jvms() as started:
        yield started


def examined(
    running: Running, attach: str = "auto", threads: bool = False, switches: tuple[Switch, ...] = ASKED
) -> _proc.Process:
    """A process and its switches."""
    seen = processes.look(running.pid)
    assert seen is not None
    return _facts.examine(seen, attach=attach, switches=switches, threads=threads)


@pytest.mark.parametrize("attach", ["auto", "never"])
@pytest.mark.parametrize(
    ("options", "environment", "states"),
    [
        ([], {}, "enabled enabled enabled"),
        ([f"-D{CORE}=TRUE", f"-D{HAZELCAST}=false", f"-D{OWN.name}=false"], {}, "disabled disabled disabled"),
        ([f"-D{CORE}=true", f"-D{CORE}=false", f"-D{HAZELCAST}=true"], {}, "enabled enabled enabled"),
        ([f"-D{HAZELCAST}=no"], {}, "enabled unknown enabled"),
        ([f"-D{HAZELCAST}=true"], {"HZ_PHONE_HOME_ENABLED": "false"}, "enabled disabled enabled"),
        ([], {"HZ_PHONE_HOME_ENABLED": "FALSE"}, "enabled enabled enabled"),
        ([], {"JAVA_TOOL_OPTIONS": f"-D{CORE}=true -D{OWN.name}=false"}, "disabled enabled disabled"),
        ([f"-D{CORE}=true"], {"_JAVA_OPTIONS": f"-D{CORE}=false"}, "enabled enabled enabled"),
        ([], {"JDK_JAVA_OPTIONS": f"-D{HAZELCAST}=false"}, "enabled disabled enabled"),
        (["@ARGS"], {}, "disabled disabled enabled"),
    ],
)
def test_what_a_jvm_runs_with(
    machine: Jvms, attach: str, options: list[str], environment: dict[str, str], states: str
) -> None:
    (machine.folder / "args").write_text(f"-D{CORE}=true -D{HAZELCAST}=false\n")
    options = [word.replace("@ARGS", f"@{machine.folder}/args") for word in options]
    jvm = examined(machine.start(*options, environment=environment, war=True), attach)
    assert " ".join(one.state for one in jvm.switches) == states
    assert jvm.state == "enabled"
    proofs = {one.proof for one in jvm.switches if one.state != "unknown"}
    assert proofs <= ({"cmdline+environ"} if attach == "never" else {"jcmd", "attach"})


@pytest.mark.parametrize("attach", ["auto", "never"])
@pytest.mark.parametrize(
    ("environment", "states"),
    [
        ({}, "enabled enabled"),
        ({"HZ_PHONE_HOME_ENABLED": "false", "ACME_SEND": "0"}, "disabled disabled"),
        ({"HZ_PHONE_HOME_ENABLED": "true", "ACME_SEND": "1"}, "enabled enabled"),
        ({"HZ_PHONE_HOME_ENABLED": "FALSE", "ACME_SEND": "false"}, "unknown unknown"),
        ({"HZ_PHONE_HOME_ENABLED": "", "XACME_SEND": "0"}, "unknown enabled"),
        ({"JAVA_TOOL_OPTIONS": "-DHZ_PHONE_HOME_ENABLED=false -DACME_SEND=0"}, "enabled enabled"),
    ],
)
def test_which_variables_a_jvm_was_started_with(
    machine: Jvms, attach: str, environment: dict[str, str], states: str
) -> None:
    jvm = examined(machine.start(environment=environment, war=True), attach, switches=VARIABLES)
    assert " ".join(one.state for one in jvm.switches) == states
    for one, switch in zip(jvm.switches, VARIABLES, strict=True):
        assert one.source == (switch.name if switch.name in environment and one.state != "unknown" else None)
        assert one.proof == (None if one.state == "unknown" else "cmdline+environ")
        assert (one.reason is not None) == (one.state == "unknown")


def test_a_variable_is_known_where_the_options_are_not(machine: Jvms) -> None:
    path = machine.folder / "gone"
    path.write_text("-Xmx64m\n")
    running = machine.start(f"@{path}", environment={"HZ_PHONE_HOME_ENABLED": "false"}, war=True)
    path.unlink()
    jvm = examined(running, "never", switches=(*ASKED, *VARIABLES))
    assert [one.state for one in jvm.switches] == ["unknown"] * 3 + ["disabled", "enabled"]


def test_what_is_set_inside_a_jvm_counts(machine: Jvms) -> None:
    running = machine.start(f"-D{CORE}=true", war=True)
    running.set(CORE, "false")
    running.set(HAZELCAST, "false")
    jvm = examined(running)
    assert [one.state for one in jvm.switches] == ["enabled", "disabled", "enabled"]
    assert jvm.switches[1].source == "set inside the JVM"


def test_threads_in_the_client_of_the_analytics_plugin(machine: Jvms) -> None:
    folder = machine.folder / "threads"
    for package in ("com.cloudbees.analytics.shaded", "com.example.shaded"):
        path = folder / package.replace(".", "/") / "com/segment/analytics/Looper.java"
        path.parent.mkdir(parents=True)
        path.write_text(TROUBLE % package)
    (folder / "Standin.java").write_text(MAIN)
    subprocess.run(["javac", *map(str, folder.rglob("*.java"))], check=True)
    with zipfile.ZipFile(folder / "jenkins.war", "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\nMain-Class: Standin\n")
        for path in folder.rglob("*.class"):
            archive.write(path, str(path.relative_to(folder)))
    folder.chmod(0o755)
    running = machine.run([machine.java, "-jar", str(folder / "jenkins.war")])
    jvm = examined(running, threads=True)
    assert list(jvm.threads) == [2, 1] and jvm.uncounted is None
    assert not examined(running).threads
    quiet = examined(machine.start(war=True), threads=True)
    assert list(quiet.threads) == [0, 0]
    unasked = examined(running, "never", threads=True)
    assert not unasked.threads and unasked.uncounted


def test_threads_are_counted_by_frames_below_a_state() -> None:
    dump = (Path(__file__).parent / "segment-threads.txt").read_bytes()
    assert count(dump) == [1, 1]
    assert count(b"") == [0, 0]
    assert count(b'"x" #1 daemon\n   java.lang.Thread.State: RUNNABLE\n\tat ' + b"a." * 500000 + b"(x)\n") == [0, 0]

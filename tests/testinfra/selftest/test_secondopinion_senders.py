"""The suite's own reading of toggle, switches and events, and what it makes of a report."""

from __future__ import annotations

import io
import os
import shutil
import struct
import subprocess
import zipfile

import pytest
from secondopinion import classfiles, compare, facts, homes, inventory, jvmtext, policy, test_telemetry
from secondopinion.facts import ABSENT, FALSE, TRUE, UNKNOWN, Facts, File, Process
from secondopinion.homes import Told, Untold
from secondopinion.node import Node

HOME = "/h"
TREE = "unclassified:\n  usageStatisticsCloudBees:\n    usageStatisticsCollected: %s\n"


def a_file(path: str, text: str, state: str = "text") -> dict[str, File]:
    return {path: File(path, state, "", text)}


def home(*rows: str, files: dict[str, File] | None = None, starts: str = "", brought: bool = False) -> homes.Home:
    wanted: set[str] = set()
    known = {**a_file(f"home:{HOME}", "\n".join(["listed", *rows, ""])), **(files or {})}
    for _round in range(3):
        wanted.clear()
        out = homes.read(HOME, starts, brought, known, wanted)
        known.update({path: File(path) for path in wanted})
    assert not wanted
    return out


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("true", True),
        ("'false'", False),
        ('"No"', False),
        ("ON", True),
        ("0", False),
        ("!!bool false", False),
        ("${X}", UNKNOWN),
        ("maybe", UNKNOWN),
        ("!x false", UNKNOWN),
        ("[false]", UNKNOWN),
        ("false\n    UsageStatisticsCollected: true", UNKNOWN),
        ("false\n  USAGESTATISTICSCLOUDBEES: {}", UNKNOWN),
        ("false\n---\na: b", UNKNOWN),
        ("\t x", UNKNOWN),
    ],
)
def test_a_declared_value(scalar, value):
    path = f"{HOME}/jenkins.yaml"
    files = {**a_file(f"casc:{path}", path + "\n"), **a_file(path, TREE % scalar)}
    found = home(files=files).declared
    assert found.value == value
    assert found.place == ("" if value == UNKNOWN else f"{path}:3")


def bundle(folder: str, listed: str, **texts: str) -> dict[str, File]:
    names = ["bundle.yaml", *(f"{name}.yaml" for name in texts)]
    out = a_file(f"casc:{folder}", "\n".join(f"{folder}/{name}" for name in names) + "\n")
    out.update(a_file(f"{folder}/bundle.yaml", listed))
    for name, text in texts.items():
        out.update(a_file(f"{folder}/{name}.yaml", text))
    return out


def test_where_configuration_as_code_lies():
    promoted = bundle(f"{HOME}/core-casc-bundle", "jcasc: [a.yaml]", a=TREE % "true", b=TREE % "false")
    assert home(files=promoted).declared.value is True, "what a bundle does not list does not count"
    named = bundle("/etc/casc", "jcasc:\n  - a.yaml\n", a=TREE % "no")
    start = '#-Dcore.casc.config.bundle=/old\nJAVA_ARGS="-Dcore.casc.config.bundle=/etc/casc"'
    both = {**promoted, **named}
    assert home(files=both, starts=start).declared == Told(False, "", "/etc/casc/a.yaml:3")
    for odd in (
        "-Dcore.casc.config.bundle=$X",
        start + "\n-Dcore.casc.config.bundle=/b",
        "CASC_JENKINS_CONFIG=https://x",
    ):
        assert home(files=both, starts=odd).declared.value == UNKNOWN, odd
    assert home(files=bundle(f"{HOME}/core-casc-bundle", "parent: x\njcasc: []")).declared.value == UNKNOWN
    assert home(files=bundle(f"{HOME}/core-casc-bundle", "jcasc: [../../etc/x.yaml]")).declared.value == UNKNOWN
    assert home(files=promoted, brought=True).declared.value == UNKNOWN
    two = {**a_file("casc:/c", "/c/a.yaml\n/c/.b.yaml\n/c/d.txt\n"), **a_file("/c/a.yaml", TREE % "yes")}
    two.update(a_file("/c/.b.yaml", TREE % "no"))
    assert home(files=two, starts="CASC_JENKINS_CONFIG=/c").declared.value is True
    other = {**two, **promoted, **a_file("/c/a.yaml", TREE % "no")}
    assert home(files=other, starts="CASC_JENKINS_CONFIG=/c").declared.value == UNKNOWN, "they contradict each other"
    assert home().declared.value is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("<x><usageStatisticsCollected>false</usageStatisticsCollected></x>", False),
        ("<x><usageStatisticsCollected> true </usageStatisticsCollected></x>", True),
        ("<x><!-- <usageStatisticsCollected>true</usageStatisticsCollected> --></x>", UNKNOWN),
        ("<x><usageStatisticsCollected>1</usageStatisticsCollected></x>", UNKNOWN),
        ("<!DOCTYPE x><x><usageStatisticsCollected>false</usageStatisticsCollected></x>", UNKNOWN),
        ("<usageStatisticsCollected>true</usageStatisticsCollected><usageStatisticsCollected>false"
         "</usageStatisticsCollected>", UNKNOWN),
        ("\0\xff", UNKNOWN),
    ],
)  # fmt: skip
def test_on_disk(text, value):
    path = f"{HOME}/a.b.UsageStatisticsCloudBees.xml"
    assert home(f"toggle {path}", files=a_file(path, text)).on_disk.value == value
    assert home(f"toggle {path}", f"toggle {path}2", files=a_file(path, text)).on_disk.value == UNKNOWN
    assert home().on_disk.value == UNKNOWN
    assert home(f"toggle {path}", files=a_file(path, "", "unreadable")).on_disk.value == UNKNOWN


def test_of_core_and_of_plugins():
    config = f"{HOME}/config.xml"
    found = home("plugin a.jpi", "plugin a.jpi.disabled", "plugin b", "plugin c.jpi.bak",
                 files=a_file(config, "<hudson><noUsageStatistics>true</noUsageStatistics></hudson>"))  # fmt: skip
    assert found.core_off is True and found.plugins == {"a": True, "b": False}
    assert home().core_off is None and home().declared.value is None
    assert home(files=a_file(config, "", "unreadable")).core_off == UNKNOWN


def test_a_switch_of_the_other_polarity():
    with jvmtext.looking_for("a.b", "false"):
        for word, expected in (
            ("-Da.b=FALSE", TRUE),
            ("-Da.b=true", FALSE),
            ("-Da.b", UNKNOWN),
            ("-Da.bc=false", ABSENT),
        ):
            assert jvmtext.in_effect([word], {})[0] == expected, word
        assert jvmtext.in_effect(["-Da.b=false"], {"_JAVA_OPTIONS": "-Da.b=true"})[0] == FALSE
    assert jvmtext.in_effect([jvmtext.OPTION + "=true"], {})[0] == TRUE


def test_the_policy_of_toggle_and_switches():
    named = {
        "core_telemetry": "disabled",
        "core_usage_statistics": "disabled",
        "a.b": {"desired": "enabled", "off_value": "false"},
    }
    found = policy.read({"telemetry_desired": "disabled", "telemetry_toggle": "enabled", "telemetry_switches": named})
    assert [(one.name, one.off, one.desired) for one in found.switches] == [
        ("hudson.model.UsageStatistics.disabled", "true", "disabled"),
        ("a.b", "false", "enabled"),
    ]
    assert found.toggle == "enabled" and not found.problems
    for wrong in (
        {"a.b": "disabled"},
        {"a b": {"desired": "disabled", "off_value": "true"}},
        ["x"],
        {"core_telemetry": 1},
    ):
        assert policy.read({"telemetry_desired": "disabled", "telemetry_switches": wrong}).problems, wrong
    assert policy.read({"telemetry_desired": "disabled", "telemetry_toggle": True}).problems


def test_a_variable_of_the_environment():
    named = {
        "hazelcast_phone_home": {"desired": "disabled", "kind": "environment"},
        "ACME_SEND": {"desired": "enabled", "kind": "environment", "off_value": "0"},
    }
    found = policy.read({"telemetry_desired": "disabled", "telemetry_switches": named})
    assert [(one.option, one.desired) for one in found.switches] == [
        ("HZ_PHONE_HOME_ENABLED=false", "disabled"),
        ("ACME_SEND=0", "enabled"),
    ]
    assert not found.problems
    one = found.switches[0]
    assert [one.is_off(value) for value in ("false", "true", None, "FALSE", "")] == [True, False, False, None, None]
    for wrong in ({"A B": named["ACME_SEND"]}, {"ACME_SEND": {"desired": "disabled", "kind": "environment"}}):
        assert policy.read({"telemetry_desired": "disabled", "telemetry_switches": wrong}).problems, wrong
    process = Process("7", environment={"ACME_SEND": "0"})
    told = {"name": "ACME_SEND", "off_value": "0", "kind": "environment", "on_disk": "disabled"}
    for state, count in (("disabled", 0), ("enabled", 1), ("unknown", 0)):
        entry = {"name": "cm", "switches": [{**told, "processes": [{"pid": 7, "state": state}]}]}
        assert len(compare.contradictions(entry, home(), Facts(processes=[process]), False)) == count


def a_class(annotated: str, constant: str, attribute: bytes = b"RuntimeInvisibleAnnotations") -> bytes:
    """A class with one constant that has an annotation, as javac lays it out."""
    texts = [b"demo/A", b"java/lang/Object", b"EVENT", b"Ljava/lang/String;", b"ConstantValue", constant.encode(), attribute,
             f"Lcom/cloudbees/analytics/messages/{annotated};".encode(), b"summary", b"text"]  # fmt: skip
    pool = b"".join(b"\x01" + struct.pack(">H", len(text)) + text for text in texts)  # 1 to 10
    pool += b"\x07\x00\x01" + b"\x07\x00\x02" + b"\x08\x00\x06" + b"\x05" + bytes(8)  # 11, 12, 13, 14 and 15
    value = struct.pack(">HIH", 5, 2, 13)
    body = struct.pack(">HHHHcH", 1, 8, 1, 9, b"s", 10)
    field = struct.pack(">HHHH", 0x18, 3, 4, 2) + value + struct.pack(">HI", 7, len(body)) + body
    head = struct.pack(">IHHH", 0xCAFEBABE, 0, 55, 16) + pool
    return head + struct.pack(">HHHHH", 0x21, 11, 12, 0, 1) + field + bytes(4)


def archive(**entries: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in entries.items():
            out.writestr(name.replace("_", "."), data)
    return made.getvalue()


def test_events_of_a_plugin():
    assert classfiles.in_class(a_class("AnalyticsEvent", "an event")) == {("event", "an event")}
    assert classfiles.in_class(a_class("AnalyticsProperty", "p", b"RuntimeVisibleAnnotations")) == {("property", "p")}
    assert classfiles.in_class(a_class("Other", "p")) == set()
    data = archive(
        lib_jar=archive(A_class=a_class("AnalyticsEvent", "deep")), A_class=a_class("AnalyticsProperty", "flat")
    )
    assert classfiles.in_archive(data) == ({("event", "deep"), ("property", "flat")}, True)
    assert classfiles.in_archive(archive(A_class=a_class("AnalyticsEvent", "x")[:-20]))[1] is False
    for broken in (b"PK", b"", data[: len(data) // 2]):
        assert classfiles.in_archive(broken) == (set(), False)


@pytest.mark.parametrize("cut", range(10, 240, 7))
def test_a_class_that_breaks_off_is_none(cut):
    whole = a_class("AnalyticsEvent", "an event")
    with pytest.raises((classfiles.NoClass, UnicodeDecodeError)):
        classfiles.in_class(whole[: min(cut, len(whole) - 5)])


def test_what_both_claim_to_know():
    seen = homes.Home(
        HOME, Told(True), Told(UNKNOWN), None, {"cloudbees-analytics": False, "cloudbees-license-tracker": False}, True
    )
    seen.events = {("event", "here")}
    process = Process("7", flag=TRUE)
    found = Facts(switches={"a.b": Facts(processes=[process])})
    entry = {
        "name": "cm",
        "toggle": {"declared": {"collected": None}, "on_disk": {"collected": False}},
        "settings": {"no_usage_statistics": "unknown"},
        "senders": [
            {"name": "analytics_plugin", "presence": "present", "state": "on"},
            {"name": "license_tracker", "presence": "present", "state": "off"},
            {"name": "unify", "presence": "unknown", "state": "unknown"},
        ],
        "switches": [{"name": "a.b", "on_disk": "enabled", "processes": [{"pid": 7, "state": "enabled"}, {"pid": 8, "state": "x"}]}],
        "events": {"plugins": [{"events": [
            {"kind": "event", "name": "there", "mark": "seen", "file": "/h/plugins/a.jpi!A.class"},
            {"kind": "event", "name": "in the war", "mark": "seen", "file": "/x.war!A.class"},
            {"kind": "candidate", "name": "perhaps", "mark": "candidate"},
        ]}]},
    }  # fmt: skip
    assert compare.contradictions(entry, seen, found, with_events=True) == [
        "the toggle, declared: the report says nothing, and here it is true",
        "license_tracker: the report says off, and its plugin is there and not disabled",
        "a.b, process 7: the report says false, and here it is true",
        "the report does not have this event: 'here'",
        "no plugin here names this event, and the report has it: 'there'",
    ]
    seen.unread = ["/h/plugins/broken.jpi"]
    assert len(compare.contradictions(entry, seen, found, with_events=True)) == 3, "where not all was read"


def judged(installations: list | None, *paths: str, waiver: str = "", product: bool = True) -> None:
    """A report with these installations, against a host with these homes."""
    state = None if installations is None else {"installations": installations}
    asked = policy.read({"telemetry_desired": "disabled"})
    asked.waiver = waiver
    node = Node(inventory.Target("h"), asked, "paramiko", {"state": state})
    node._facts = Facts(processes=[Process("7")] if product else [], homes={path: homes.Home(path) for path in paths})
    test_telemetry.test_what_the_audit_says_is_what_is_seen_here(node)


@pytest.mark.parametrize(
    ("installations", "paths", "word"),
    [
        ([], ["/h"], "/h: the report knows of no installation there"),
        ([], [], "no installation on this host, and here is one"),
        ([{"home": None}], ["/h", "/i"], "/i: the report knows"),
        ([{"home": "/i"}], ["/h"], "/h: the report knows"),
        ([{"home": "/i"}, {}], ["/h", "/i", "/j"], "/j: the report knows"),
        ([{"home": "/h"}, {"home": "/i", "service": "cm.service"}], ["/h"], "/i: the report has an installation there"),
    ],
)
def test_what_an_audit_has_missed(installations, paths, word):
    for waiver in ("", "waived until 2026-12-24"):  # nobody has waived that a tool is wrong
        with pytest.raises(pytest.fail.Exception, match=word):
            judged(installations, *paths, waiver=waiver)


def test_what_an_audit_does_not_say_is_no_contradiction():
    judged(None, "/h")
    judged([{"home": None}], "/h")
    judged([{"home": "/h/"}], "/h")
    judged([], product=False)


def test_a_host_that_is_not_in_the_report_fails_whatever_its_waiver():
    asked = policy.read({"telemetry_desired": "disabled"})
    asked.waiver = "waived until 2026-12-24"
    node = Node(inventory.Target("h"), asked, "paramiko", {})
    node._facts = Facts()
    with pytest.raises(pytest.fail.Exception, match="not in the report"):
        test_telemetry.test_what_the_audit_says_is_what_is_seen_here(node)


def test_of_a_start_that_names_its_bundle_nowhere():
    """A JVM has the option, and no file does: nobody knows from where."""
    text = "@file home:/h\n@stat 0 0 755 root root\n@text\n|listed\n@file casc:/h/core-casc-bundle\n@missing\n"
    with pytest.raises(Untold):
        homes.of_option("-Dcore.casc.config.bundle=$unseen", "-Dcore.casc.config.bundle")
    raw = {"pid": "1", "cmdline": ["java", "-Dcore.casc.config.bundle=", "-DJENKINS_HOME=/h", "-jar", "/x/jenkins.war"]}
    one = facts.one_process(raw)
    assert one.casc and one.home == "/h"
    found = Facts(installations=[facts.Installation("cm.service", service=True)], processes=[one])
    one.service = "cm.service"
    known: dict[str, File] = {}
    facts.collect_files(facts.records(f"@begin\n@uid 0\n{text}@end\n".encode()), known)
    assert facts.homes_of(found, known, set())["/h"].declared.value == UNKNOWN


def gathered(*wanted: str) -> dict[str, File]:
    """What the gatherer sends of these, run here as a function of its own."""
    functions = facts.SCRIPT.read_text(encoding="utf-8").split("\nsay begin\n")[0]
    calls = "".join(f"\nfile '{one}'" for one in wanted)
    done = subprocess.run(
        ["sh", "-s"], input=(functions + calls).encode(), capture_output=True, check=False, timeout=60
    )
    known: dict[str, File] = {}
    facts.collect_files(facts.records(b"@begin\n@uid 0\n" + done.stdout + b"@end\n"), known)
    return known


@pytest.mark.parametrize(
    ("plant", "value"),
    [
        (lambda path: path.write_text(TREE % "true"), True),
        (lambda path: path.write_text(TREE % "true" * 3), UNKNOWN),
        (lambda path: path.write_text("a: 1\n"), None),
        (lambda path: path.write_bytes(b"\xff\xfe" + (TREE % "true").encode("utf-16-le")), UNKNOWN),
        (lambda path: path.write_text('"unclassified":\n  "usageStatisticsClou\\x64Bees": {usageStatisticsCollected: on}'), True),
        (lambda path: path.write_text("x: &a {usageStatisticsCloudBees: {usageStatisticsCollected: true}}\nunclassified: *a\n"), True),
        (lambda path: path.write_text("x: &a {b: 1}\nunclassified: {<<: *a}\n"), UNKNOWN),
        (lambda path: path.write_text(TREE % "true" + "# " + "x" * (600 << 10)), UNKNOWN),
        (os.mkfifo, UNKNOWN),
        (lambda path: path.symlink_to("/etc/passwd"), None),
        (lambda path: path.with_name("out.yaml").symlink_to(path.parents[2] / "outside.yaml"), UNKNOWN),
        (lambda path: [path.with_name(f"{number}.yaml").touch() for number in range(501)], UNKNOWN),
        (lambda path: path.with_name("a\nb.yaml").write_text(TREE % "true"), UNKNOWN),
    ],
)  # fmt: skip
def test_what_may_lie_in_a_folder(tmp_path, plant, value):
    """By the gatherer itself: nothing hangs, and what cannot be told is never taken for nothing said."""
    folder = tmp_path / "etc/casc"
    folder.mkdir(parents=True)
    (tmp_path / "outside.yaml").write_text(TREE % "true")
    plant(folder / "jenkins.yaml")
    files = gathered(f"casc:{folder}")
    assert home(files=files, starts=f"CASC_JENKINS_CONFIG={folder}").declared.value == value


@pytest.mark.parametrize("shown", [0, 1, 2, 500])
def test_a_folder_that_could_not_be_listed_is_not_empty(tmp_path, monkeypatch, shown):
    """As on a share that root may not read, or one that takes too long: what was not seen may set the toggle."""
    folder = tmp_path / "h/core-casc-bundle"
    folder.mkdir(parents=True)
    (folder / "bundle.yaml").write_text("jcasc: [a.yaml]")
    (folder / "a.yaml").write_text(TREE % "true")

    def declared():
        place, known = str(folder.parent), gathered(f"home:{folder.parent}")
        return homes.read(place, "", False, known, set()).declared.value

    assert declared() is True
    find = tmp_path / "find"  # a stand-in for what fails
    find.write_text(f'#!/bin/sh\n{shutil.which("find")} "$@" | head -n {shown}\nexit 1\n')
    find.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert declared() == UNKNOWN


def test_a_home_by_the_gatherer(tmp_path):
    place = tmp_path / "h"
    (place / "plugins").mkdir(parents=True)
    (place / "plugins/cloudbees-analytics.jpi").write_bytes(archive(A_class=a_class("AnalyticsEvent", "an event")))
    (place / "plugins/link.jpi").symlink_to("/etc/passwd")
    (place / "x.UsageStatisticsCloudBees.xml").write_text(
        "<x><usageStatisticsCollected>true</usageStatisticsCollected></x>"
    )
    (place / "jenkins.yaml").write_text(TREE % "false")
    known = gathered(f"home:{place}")
    found = homes.read(str(place), "", False, known, set())
    assert (found.on_disk.value, found.declared.value, found.core_off) == (True, False, None)
    assert found.listed and set(found.plugins) == {"cloudbees-analytics", "link"}
    (place / "x.UsageStatisticsCloudBees.xml").unlink()
    (place / "x.UsageStatisticsCloudBees.xml").symlink_to("/etc/hostname")
    assert homes.read(str(place), "", False, gathered(f"home:{place}"), set()).on_disk.value == UNKNOWN


def test_a_bundle_that_only_a_dead_variable_names():
    """What runs was not told of it: the file has it where nobody reads it, or is newer; nobody knows what comes of it."""
    process = facts.one_process({"pid": "1", "cmdline": ["java", "-DJENKINS_HOME=/h", "-jar", "/x/jenkins.war"]})
    process.service = "cm.service"
    one = facts.Installation("cm.service", service=True, files=["/etc/default/cm"])
    known = {**a_file("/etc/default/cm", "DEAD=-Dcore.casc.config.bundle=/etc/casc\n"), **a_file("home:/h", "listed\n")}
    known.update(bundle("/etc/casc", "jcasc: [a.yaml]", a=TREE % "no"))
    found = Facts(installations=[one], processes=[process])
    assert facts.homes_of(found, known, set())["/h"].declared.value == UNKNOWN
    process.casc = True
    assert (
        facts.homes_of(found, {**known, **a_file("casc:/h/jenkins.yaml", "", "missing")}, set())["/h"].declared.value
        is False
    )

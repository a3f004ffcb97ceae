"""CloudBees' own checkbox: what bundles declare, what lies on disk, and what comes of both and the JVM."""

from __future__ import annotations

import contextlib
import ctypes
import datetime
import errno
import io
import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hostroot import Host
from schemas import validate

from ansible_collections.cbops.telemetry.plugins.module_utils._answer import state
from ansible_collections.cbops.telemetry.plugins.module_utils.host import _files as of_files
from ansible_collections.cbops.telemetry.plugins.module_utils.host._file_systems import Silent
from ansible_collections.cbops.telemetry.plugins.module_utils.java import _toggle as toggle
from ansible_collections.cbops.telemetry.plugins.module_utils.rules import _findings as rules
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence import _drift as drift
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy import _assessment, _posture
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report import _html, _model, _remedy

HOME = "/var/lib/cm"
BUNDLE = HOME + "/core-casc-bundle"
SECRET = "-----BEGIN RSA PRIVATE KEY-----S3CR3T"
TODAY = datetime.date(2026, 11, 27)


def casc(value: str, more: str = "") -> str:
    """Configuration as code that sets the checkbox, with a secret in it."""
    return (
        f"jenkins:\n  noUsageStatistics: true\n  key: '{SECRET}'\nunclassified:\n"
        f"  usageStatisticsCloudBees:\n    usageStatisticsCollected: {value}\n{more}"
    )


def bundle(host: Host, value: str, folder: str = BUNDLE, head: str = "") -> None:
    """A bundle that sets the checkbox."""
    host.write(folder + "/bundle.yaml", f'apiVersion: "1"\nid: "b"\nversion: "1"\n{head}jcasc:\n  - "jenkins.yaml"\n')
    host.write(folder + "/jenkins.yaml", casc(value))


def declared(host: Host, **told: Any) -> dict[str, Any]:
    """What is declared, by the options that are told."""
    found = toggle.declared(host.files, HOME, toggle.Casc(**told))
    assert "S3CR3T" not in json.dumps(found)
    return found


@pytest.mark.parametrize(
    ("value", "collected"),
    [
        ("true", True),
        ("false", False),
        ("'false'", False),
        ('"true"', True),
        ("False", False),
        ("NO", False),
        ("'on'", True),
        ("y", True),
        ("0", False),
        ("1", True),
        ("false # not now", False),
        ("\n      false", False),
        ("", "unknown"),
        ("~", "unknown"),
        ("maybe", "unknown"),
        ("' false'", "unknown"),
        ("0.0", "unknown"),
        ("${TELEMETRY}", "unknown"),
        ("'${TELEMETRY:-false}'", "unknown"),
        ("*x", "unknown"),
        ("&x false", "unknown"),
        ("!!bool false", "unknown"),
        ("[false]", "unknown"),
        ("{a: false}", "unknown"),
        ("|\n      false", "unknown"),
        ("fal\n      se", "unknown"),
        ("\tfalse", "unknown"),
    ],
)
def test_scalars_are_what_configuration_as_code_makes_of_their_text(host: Host, value: str, collected: Any) -> None:
    bundle(host, value)
    found = declared(host)
    assert found["collected"] == collected
    if collected == "unknown":
        assert found["reason"].startswith(BUNDLE)
    else:
        assert (found["file"], found["line"]) == (BUNDLE + "/jenkins.yaml", 7 if "\n" in value else 6)


@pytest.mark.parametrize(
    ("text", "collected"),
    [
        ("unclassified: {usageStatisticsCloudBees: {usageStatisticsCollected: false}}\n", False),
        ("UNCLASSIFIED:\n  usagestatisticscloudbees:\n    UsageStatisticsCollected: false\n", False),
        ('"unclassified":\n  "usage\\x53tatisticsCloudBees":\n    usageStatisticsCollected: false\n', False),
        ("jenkins:\n  noUsageStatistics: true\n", None),
        ("unclassified:\n  usageStatisticsCloudBees:\n    disabledJenkinsUsageStatistics: true\n", None),
        ("# unclassified: {usageStatisticsCloudBees: {usageStatisticsCollected: false}}\n", None),
        (
            "jenkins:\n  systemMessage: |\n    unclassified:\n      usageStatisticsCloudBees: {usageStatisticsCollected: false}\n",
            None,
        ),
        ("jenkins:\n  unclassified:\n    usageStatisticsCloudBees: {usageStatisticsCollected: false}\n", None),
        ("", None),
        ("x: &a {usageStatisticsCloudBees: {usageStatisticsCollected: false}}\nunclassified: *a\n", "unknown"),
        ("unclassified:\n  <<: {usageStatisticsCloudBees: {usageStatisticsCollected: false}}\n", "unknown"),
        (casc("false") + "---\n" + casc("true"), "unknown"),
        (casc("false") + casc("true"), "unknown"),
        (casc("false", "    usageStatisticsCollected: true\n"), "unknown"),
        (casc("false", "    UsageStatisticsCollected: true\n"), "unknown"),
        (casc("false", "  bad\n"), "unknown"),
        (casc("false", "x: 'usageStatisticsCloudBees\n"), "unknown"),
        ("\xff\xfeu\0usageStatisticsCloudBees", "unknown"),
        (casc("false").replace("\n", "\r\n"), False),
        ("\xef\xbb\xbf" + casc("false"), False),
    ],
)
def test_shapes(host: Host, text: str, collected: Any) -> None:
    bundle(host, "true")
    host.write(BUNDLE + "/jenkins.yaml", text)
    assert declared(host)["collected"] == collected


ON = ":\n    usageStatisticsCollected: true\n"
KEY = '"\\x75sageStatisticsCloudBees"'


@pytest.mark.parametrize(
    ("text", "collected"),
    [
        (f"unclassified:\n  ? {KEY}\n  {ON}", "unknown"),
        (f"unclassified:\n  ?\t{KEY}\n  {ON}", "unknown"),
        (f"\xef\xbb\xbf? unclassified\n: ? {KEY}\n  {ON}", "unknown"),
        ('unclassified:\n  ? "usageStatistics\\\n    CloudBees"\n  ' + ON, "unknown"),
        (f"unclassified: {{? {KEY}\n : {{usageStatisticsCollected: true}}}}\n", "unknown"),
        (f"unclassified: {{?{KEY}\n : {{usageStatisticsCollected: true}}}}\n", "unknown"),
        (f"unclassified: {{ # c\n  ?{KEY}\n : {{usageStatisticsCollected: true}}}}\n", "unknown"),
        (f"unclassified:\n  {KEY}\t" + ON, "unknown"),
        (f"x: &k {KEY}\nunclassified:\n  *k " + ON, "unknown"),
        (f'{{"x":&k {KEY},\n unclassified: {{*k : {{usageStatisticsCollected: true}}}}}}', "unknown"),
        ("unclassified:\n  u\u017fageStat\u0131st\u0130csCloudBees".encode().decode("latin-1") + ON, True),
        ('unclassified:\n  "u\\u017fageStat\\u0131st\\u0130csCloudBees"' + ON, True),
        ("uncla\u017f\u017fified:\n  usageStatisticsCloudBees".encode().decode("latin-1") + ON, True),
        (casc("true").encode("utf-16-le").decode("latin-1"), None),  # without a mark it is no text to anybody
        ("\xff\xfe" + casc("true").encode("utf-16-le").decode("latin-1"), "unknown"),
        ("\xfe\xff" + casc("true").encode("utf-16-be").decode("latin-1"), "unknown"),
        ('script: |\n  foo && echo "a\\n" ? 1 : 2 >&1\n', None),
    ],
)
def test_a_key_may_look_like_another_one(host: Host, text: str, collected: Any) -> None:
    host.write(HOME + "/jenkins.yaml", text)
    assert declared(host)["collected"] == collected


@pytest.mark.parametrize(
    "text",
    [
        '"' + "\\" * 200_000,
        " ?" * 200_000 + '"\\',
        "&a " * 200_000 + '"\\',
        ", " * 200_000 + '"\\',
        "- ?" * 200_000 + '"\\',
    ]
    + ["[ " + "\n" * 200_000 + '"\\', "?" * 200_000 + '"\\', '"\\' * 2000 + "x" * 200],
)
def test_to_look_for_keys_costs_little(text: str) -> None:
    toggle.may_name_it(text, "/x.yaml")  # and ends


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EACCES])
@pytest.mark.parametrize("folder", ["/etc/casc", "/etc/casc/deep", "/etc/casc/x.yaml"])
def test_a_folder_that_cannot_be_listed_is_not_empty(
    host: Host, number: int, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.write("/etc/casc/a.yaml", casc("false"))
    host.write("/etc/casc/deep/a.yaml", casc("false"))
    host.write("/etc/casc/x.yaml/a.yaml", casc("false"))
    assert declared(host, configs=("/etc/casc",))["collected"] is False
    names_in = of_files.names_in

    def broken(place: str) -> list[str]:
        if os.path.realpath(place) == str(host.root) + folder:
            raise OSError(number, os.strerror(number), place)
        return names_in(place)

    monkeypatch.setattr(of_files, "names_in", broken)
    found = declared(host, configs=("/etc/casc",))
    assert (found["collected"], found.get("reason")) == ("unknown", f"{folder}: {os.strerror(number)}")


@pytest.mark.parametrize("name", ["linked", "linked.yaml"])
def test_a_linked_folder_is_not_gone_into(host: Host, name: str) -> None:
    host.write("/srv/more/a.yaml", casc("false"))
    host.write("/etc/casc/a.yaml", "jenkins: {}\n")
    (host.root / "etc/casc/gone").symlink_to("nowhere")
    os.mkfifo(host.root / "etc/casc/fifo")
    assert declared(host, configs=("/etc/casc",))["collected"] is None
    (host.root / "etc/casc" / name).symlink_to("/srv/more")
    found = declared(host, configs=("/etc/casc",))
    assert (found["collected"], "a link to a folder" in found["reason"]) == ("unknown", True)


@pytest.mark.parametrize("by", ["option", "product"])
def test_a_service_with_other_files_has_other_configuration(host: Host, by: str) -> None:
    for place, value in (("/etc/b.yaml", "false"), ("/srv/bound/b.yaml", "true"), ("/etc/a.yaml", "false")):
        host.write(place, casc(value))
    host.write("/srv/bound/a.yaml", "jenkins: {}\n")
    host.write("/srv/cm.war", "PK")
    host.write(HOME + "/config.xml", "<hudson/>")
    listed = "/casc/a.yaml, /casc/b.yaml"
    if by == "product":
        host.write(
            HOME + "/io.jenkins.plugins.casc.CasCGlobalConfig.xml",
            f"<x><configurationPath>{listed}</configurationPath></x>",
        )
    option = f"'-Dcasc.jenkins.config={listed}'" if by == "option" else ""
    host.script(f"#!/bin/sh\nexport JENKINS_HOME={HOME}\nexec java {option} -jar /srv/cm.war\n")
    host.write("/casc/a.yaml", "jenkins: {}\n")
    host.write("/casc/b.yaml", casc("false"))
    host.write("/etc/systemd/system/cloudbees-cm.service.d/x.conf", "[Service]\nBindPaths=/srv/bound:/casc\n")
    (found,) = state(str(host.root))["installations"]
    assert found["toggle"]["declared"] == {"collected": True, "file": "/srv/bound/b.yaml", "line": 6}


def archive(*names: str, comment: bytes = b"") -> str:
    """A zip with these entries."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name in ("META-INF/MANIFEST.MF", *names):
            archive.writestr(name, "Jenkins-Version: 2.555.1\n")
        archive.comment = comment
    return made.getvalue().decode("latin-1")


@pytest.mark.parametrize(
    ("names", "collected"),
    [
        (["WEB-INF/web.xml", "WEB-INF/classes/jenkins.yaml", "jenkins.yaml"], False),
        (["WEB-INF/jenkins.yaml"], "unknown"),
        (["WEB-INF/jenkins.yaml.d/a.yaml"], "unknown"),
    ],
)
@pytest.mark.parametrize("kind", ["war", "folder", "unpacked in the home"])
def test_a_war_may_bring_configuration(host: Host, kind: str, names: list[str], collected: Any) -> None:
    host.write(HOME + "/jenkins.yaml", casc("false"))
    host.write("/srv/cm.war", archive(*(names if kind == "war" else [])))
    place = {"folder": "/srv/cm", "unpacked in the home": HOME + "/war"}.get(kind, "/srv/x")
    for name in ["WEB-INF/web.xml", *names]:
        host.write(f"{place}/{name}", "x")
    wars = ["/srv/cm"] if kind == "folder" else ["/srv/cm.war"]
    found = toggle.declared(host.files, HOME, toggle.Casc(), wars)
    assert found["collected"] == collected
    assert collected is False or "the war brings configuration as code" in found["reason"]
    if kind == "folder":
        return
    host.script(f"#!/bin/sh\nexport JENKINS_HOME={HOME}\nexec java -jar /srv/cm.war\n")
    assert [one["toggle"]["declared"] for one in state(str(host.root))["installations"]] == [found]


def test_a_war_that_is_not_read_may_bring_it_too(host: Host) -> None:
    host.write(HOME + "/jenkins.yaml", casc("false"))
    for war, text, collected in (
        ("/srv/gone.war", "", False),
        ("/srv/none.war", "PK", False),
        ("/srv/large.war", archive(comment=b"PK\x06\x07"), "unknown"),
        ("/srv/loop.war", None, "unknown"),
        ("cm.war", "", "unknown"),
    ):
        if text is None:
            (host.root / war[1:]).symlink_to(war)
        elif text:
            host.write(war, text)
        found = toggle.declared(host.files, HOME, toggle.Casc(), [war])
        assert (found["collected"], bool(found.get("reason"))) == (collected, collected == "unknown"), war


def test_a_war_on_a_file_system_that_does_not_answer_is_not_opened(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.write(HOME + "/jenkins.yaml", casc("false"))
    host.write("/dead/cm.war", archive())
    files = host.files

    def silent(path: str) -> bool:
        raise Silent("does not answer", path)

    monkeypatch.setattr(files, "exists", silent)
    monkeypatch.setattr(files, "open", lambda path: pytest.fail(path))
    found = toggle.declared(files, HOME, toggle.Casc(), ["/dead/cm.war"])
    assert (found["collected"], "does not answer" in found["reason"]) == ("unknown", True)


def test_where_it_may_lie(host: Host) -> None:
    host.write(HOME + "/config.xml", "<hudson/>")
    assert declared(host) == {"collected": None, "reason": "it has no configuration as code"}
    host.write(HOME + "/jenkins.yaml", casc("true"))
    assert declared(host)["file"] == HOME + "/jenkins.yaml"
    host.write(
        HOME + "/io.jenkins.plugins.casc.CasCGlobalConfig.xml",
        "<x><configurationPath>/etc/casc</configurationPath></x>",
    )
    host.write("/etc/casc/deep/a.yml", casc("false"))
    host.write("/etc/casc/b.YAML", "jenkins: {}\n")
    host.write("/etc/casc/.hidden.yaml", casc("true"))
    host.write("/etc/casc/readme.txt", casc("true"))
    (host.root / "etc/casc/other.yaml").mkdir()
    assert declared(host)["file"] == "/etc/casc/deep/a.yml"
    assert declared(host, configs=("/etc/casc/b.YAML",))["collected"] is None
    assert declared(host, configs=("/etc/casc/b.YAML", " " + HOME + "/jenkins.yaml"))["collected"] is True
    assert declared(host, configs=("/etc/casc", HOME + "/jenkins.yaml"))["collected"] == "unknown", "they differ"
    for wrong in (
        "https://git/x.yaml",
        "file:/x.yaml",
        "casc.yaml",
        "/etc/gone",
        "/etc/casc/readme.txt",
        "/etc/casc/.hidden.yaml",
    ):
        assert declared(host, configs=(wrong,))["collected"] == "unknown"
    assert declared(host, reason="why")["reason"] == "why"


def test_bundles(host: Host) -> None:
    bundle(host, "true")
    bundle(host, "false", "/srv/bundle")
    assert declared(host)["collected"] is True
    assert declared(host, bundle="/srv/bundle/")["collected"] is False
    host.write("/srv/link.yaml", "url: https://oc\n")
    found = declared(host, bundle="/srv/link.yaml")
    assert (found["collected"], "operations center" in found["reason"]) == (True, True)
    for wrong in ("srv/bundle", "/srv/gone", "/srv/bundle.zip", "/usr/bin/java"):
        host.write("/srv/bundle.zip", "PK")
        assert declared(host, bundle=wrong)["collected"] == "unknown"
    host.write("/srv/bundle/bundle.yaml", "jcasc:\n- conf\nparent: base\n")
    host.write("/srv/bundle/conf/a.yaml", "jenkins: {}\n")
    assert "parent" in declared(host, bundle="/srv/bundle")["reason"]
    host.write("/srv/bundle/conf/b.yaml", casc("false"))
    assert declared(host, bundle="/srv/bundle")["collected"] is False
    for other in ("JCasC: [conf]\n", "jcasc: [conf]\nParent: base\n"):
        host.write("/srv/bundle/bundle.yaml", other)
        assert "in other letters" in declared(host, bundle="/srv/bundle")["reason"]
    for listed in ("[../x.yaml]", "[/etc/x.yaml]", "['*.yaml']", "{a: b}", "[[x]]", "*x", "['${X}.yaml']"):
        host.write("/srv/bundle/bundle.yaml", f"jcasc: {listed}\n")
        assert declared(host, bundle="/srv/bundle")["collected"] == "unknown", listed


def test_what_a_user_can_plant_costs_little_and_says_nothing(host: Host, tmp_path: Path) -> None:
    bundle(host, "false")
    real = host.root / BUNDLE[1:] / "jenkins.yaml"
    secret = tmp_path / "shadow"
    secret.write_text(f"root:{SECRET}:usageStatisticsCloudBees\n")
    for plant in (
        lambda: os.mkfifo(real),
        lambda: real.symlink_to("jenkins.yaml"),
        lambda: real.symlink_to("/etc/../../../../../../" + str(secret)),
        lambda: real.write_bytes(b"usageStatisticsCloudBees: " + b"[" * (5 << 20)),
        lambda: real.write_bytes(b"usageStatisticsCloudBees: [" + b"a, " * (1 << 18)),
        lambda: real.write_text(f"usageStatisticsCloudBees: '{SECRET}\n"),
        lambda: real.mkdir() or [(real / f"{number}.yaml").touch() for number in range(3000)],
    ):
        if real.is_dir() and not real.is_symlink():
            break
        real.unlink()
        plant()
        assert declared(host)["collected"] == "unknown"


def test_on_disk(host: Host) -> None:
    def found() -> dict[str, Any]:
        return toggle.on_disk(host.files, HOME)

    host.write(HOME + "/config.xml", "<hudson><noUsageStatistics>true</noUsageStatistics></hudson>")
    assert found()["collected"] == "unknown", "core's says nothing of CloudBees'"
    name = HOME + "/com.example.UsageStatisticsCloudBees.xml"
    host.write(name, "<?xml version='1.1'?>\n<x><usageStatisticsCollected>false</usageStatisticsCollected></x>")
    assert found() == {"collected": False, "file": name, "mark": "inferred name"}
    field = "<usageStatisticsCollected>%s</usageStatisticsCollected>"
    odd = [
        f"<x>{field % value}</x>"
        for value in ("no", " false", "\n  true\n", "true<!-- --> ", "fal<b/>se", "<b>true</b>")
    ]
    for text in ("<x/>", "<x", "<!DOCTYPE x><x/>", *odd):
        host.write(name, text)
        assert found()["collected"] == "unknown"
    host.write(name, "<x><usageStatisticsCollected>true</usageStatisticsCollected></x>")
    host.write(HOME + "/org.example.UsageStatisticsCloudBees.xml", "<x/>")
    assert "2 files match" in found()["reason"]


@pytest.mark.parametrize(
    ("options", "variables", "expected"),
    [
        ("-Dcore.casc.config.bundle=/srv/bundle", "", False),
        ("-Dcasc.jenkins.config=/srv/bundle/jenkins.yaml", "", False),
        ("", "CASC_JENKINS_CONFIG=/srv/bundle/jenkins.yaml", False),
        ("-Dcasc.jenkins.config=/srv/on.yaml", "CASC_JENKINS_CONFIG=/srv/bundle/jenkins.yaml", True),
        ("-Dcasc.jenkins.config=/srv/bundle -Dcasc.jenkins.config=/srv/on.yaml", "", True),
        ("@/srv/options", "", False),
        ("-Dcasc.jenkins.config=$(hostname).yaml", "", "unknown"),
        ("", "_JAVA_OPTIONS=-Dcasc.jenkins.config=/srv/on.yaml", True),
        ("", "", None),
    ],
)
def test_the_options_of_the_next_start_say_where(host: Host, options: str, variables: str, expected: Any) -> None:
    bundle(host, "false", "/srv/bundle")
    host.write("/srv/on.yaml", casc("true"))
    host.write("/srv/options", "-Dcore.casc.config.bundle=/srv/bundle\n")
    host.write("/srv/cm.war", "PK")
    host.write(HOME + "/config.xml", "<hudson/>")
    export = f"export '{variables}'\n" if variables else ""
    host.script(f"#!/bin/sh\nexport JENKINS_HOME={HOME}\n{export}exec java {options} -jar /srv/cm.war\n")
    document = state(str(host.root))
    validate(json.loads(json.dumps(document)))
    (found,) = document["installations"]
    assert found["toggle"]["declared"]["collected"] == expected, found["toggle"]
    assert "S3CR3T" not in json.dumps(document)


# -- what comes of it --------------------------------------------------------------------------------------------------


def entry(jvm: str, **places: Any) -> Any:
    """An installation with that flag everywhere, and what its places say."""
    known = {"file": "/x", "line": 3}
    return {
        "name": "cm",
        "product": "controller",
        "packaging": "deb",
        "service": "cm.service",
        "declarations": [],
        "on_disk": jvm,
        "next_start": jvm,
        "running": jvm,
        "settings": {"no_usage_statistics": True, "details": {}},
        "toggle": {
            name: {"collected": value, **(known if isinstance(value, bool) else {"reason": "why " + name})}
            for name, value in {"declared": None, "on_disk": "unknown", **places}.items()
        },
    }


ROWS = {
    1: (entry("enabled", on_disk=True), "CloudBees' telemetry is sent", "violation", []),
    2: (
        entry("enabled", on_disk=False),
        "off by the toggle only, not by the launch flag",
        "compliant",
        ["toggle off and JVM on"],
    ),
    4: (entry("disabled", on_disk=True), "off by the JVM; the toggle is on", "violation", ["toggle on and JVM off"]),
    5: (entry("disabled", served=True), "off by the JVM; the toggle is on", "violation", ["toggle on and JVM off"]),
    6: (entry("enabled"), "it is sent as far as is known", "unknown", []),
    7: (entry("disabled", served=False), "off twice", "compliant", []),
    8: (
        entry("enabled", declared=True, served=False),
        "off by the toggle only",
        "violation",
        ["the next start or reload turns it on", "toggle off and JVM on"],
    ),
    9: (entry("enabled", on_disk="unknown"), "it is sent as far as is known", "unknown", []),
    10: (entry("enabled", declared=False), "off by the toggle only", "unknown", ["toggle off and JVM on"]),
    11: (entry("enabled", declared=False, served=True), "is sent", "restart_pending", ["turns it off"]),
    12: (entry("enabled", declared="unknown", served=False), "off by the toggle", "unknown", ["JVM on"]),
    13: (entry("disabled", served=False, on_disk=True), "off twice", "violation", ["off in the product"]),
    14: (
        entry("disabled", declared=False, served=False, on_disk=True),
        "off twice",
        "compliant",
        ["declared", "off in"],
    ),
    15: (entry("disabled", served="unknown", declared=False), "off by the JVM; the toggle is not known", "unknown", []),
    16: (entry("disabled", served="unknown", on_disk=False), "the toggle is not known", "unknown", []),
    17: (entry("enabled", served="unknown", on_disk=False), "it is sent as far as is known", "unknown", []),
    18: (
        entry("enabled", served="unknown", declared=False, on_disk=False),
        "it is sent as far as is known",
        "unknown",
        [],
    ),
    19: (entry("disabled", served="unknown", on_disk=True), "the toggle is on", "violation", ["toggle on and JVM off"]),
    20: (
        entry("disabled", served="unknown", declared=True, on_disk=False),
        "the toggle is not known",
        "violation",
        ["the next start or reload turns it on"],
    ),
}


@pytest.mark.parametrize("number", ROWS)
def test_the_truth_table(number: int) -> None:
    found, words, verdict, rows = ROWS[number]
    assert words in rules.sending(found)
    (finding,) = rules.of_toggle(found, "disabled")
    assert (finding.verdict, bool(finding.sentence)) == (verdict, verdict != "compliant"), finding
    disagreements = rules.disagreements(found)
    assert len(disagreements) == len(rows), disagreements
    assert all(any(row in one for one in disagreements) for row in rows)
    assert rules.of_toggle(found, "unmanaged") == []


def test_it_is_the_other_way_round_where_it_is_wanted() -> None:
    mirrored = {True: False, False: True}
    for found, _words, verdict, _rows in ROWS.values():
        places = {name: place["collected"] for name, place in found["toggle"].items()}
        other = entry(
            "enabled",
            **{
                name: mirrored.get(value, value) if isinstance(value, bool) else value for name, value in places.items()
            },
        )
        assert [one.verdict for one in rules.of_toggle(other, "enabled")] == [verdict]


@pytest.mark.parametrize("number", ROWS)
def test_without_a_policy_the_verdict_is_as_ever_and_with_one_all_readers_agree(number: int) -> None:
    found, words, wanted, rows = ROWS[number]
    document: Any = {"installations": [found], "connectivity": [], "warnings": []}
    bare = {**document, "installations": [{key: value for key, value in found.items() if key != "toggle"}]}
    unmanaged = _assessment.policy_of({"telemetry_desired": "disabled"})
    assert _assessment.assess(document, unmanaged, TODAY) == _assessment.assess(bare, unmanaged, TODAY)
    assert "toggle" not in unmanaged.document()
    alone = _assessment.policy_of({"telemetry_desired": "unmanaged", "telemetry_toggle": "disabled"})
    judged = _assessment.judge(alone, document, None, TODAY)
    assert judged.verdict == wanted
    evidence: Any = {
        "host": "h",
        "policy": alone.document(),
        "state": document,
        "error": None,
        "warnings": judged.warnings,
        "verdict": judged.verdict,
        "reasons": judged.reasons,
        "posture": _posture.posture(document),
    }
    assert _assessment.rejudge(evidence, TODAY) == judged
    host = _model.Host(evidence)
    assert any("Usage Statistics" in step.words for step in _remedy.steps(host, "hosts.yml")) is (wanted != "compliant")
    assert {step.where for step in _remedy.steps(host, "hosts.yml")} <= {"control node", "host"}
    shown = _html.row(host, "hosts.yml")["installations"][0]
    assert [line[0] for line in shown["toggle"]] == [name.replace("_", " ") for name in found["toggle"]]
    if any(isinstance(place["collected"], bool) for place in found["toggle"].values()):
        assert words in evidence["posture"]
        assert all(row in evidence["posture"] for row in rows)
        assert words in shown["sending"]


def test_what_belongs_to_no_installation_is_not_known_here_either() -> None:
    found = {**entry("disabled", declared="unknown"), "stray": True}
    policy = _assessment.policy_of({"telemetry_desired": "unmanaged", "telemetry_toggle": "disabled"})
    document: Any = {"installations": [found], "connectivity": []}
    assert _assessment.judge(policy, document, None, TODAY).verdict == "unknown"


@contextlib.contextmanager
def bound_by_modes() -> Iterator[None]:
    """Nobody reads here what the mode of a file does not allow, root neither."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, rights = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert libc.capget(header, rights) == 0
    before = rights[0]
    rights[0] &= ~0b110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    assert libc.capset(header, rights) == 0
    try:
        yield
    finally:
        rights[0] = before
        assert libc.capset(header, rights) == 0


def test_a_folder_that_may_not_be_read_is_not_taken_for_empty(host: Host) -> None:
    host.write(HOME + "/config.xml", "<hudson/>")
    host.write("/etc/casc/a.yaml", casc("true"))
    (host.root / "etc/casc").chmod(0)
    try:
        with bound_by_modes():
            assert declared(host, configs=("/etc/casc",))["collected"] == "unknown"
    finally:
        (host.root / "etc/casc").chmod(0o755)


@pytest.mark.parametrize("folder", ["/etc/casc", HOME + "/casc"])
def test_what_else_lies_in_a_folder_is_passed_over(host: Host, folder: str) -> None:
    host.write(folder + "/a.yaml", casc("false"))
    host.write(folder + "/b/c.txt", "x")
    os.mkfifo(host.root / folder[1:] / "fifo")
    found = declared(host, configs=(folder,))
    assert found["collected"] is False or "fifo" in found["reason"]
    (host.root / folder[1:] / "d.yaml").symlink_to("gone.yaml")
    assert declared(host, configs=(folder,))["collected"] == "unknown"


def test_posture_is_as_ever_where_nothing_was_seen() -> None:
    found = entry("disabled", declared="unknown")
    document: Any = {"installations": [found], "connectivity": []}
    said = _posture.posture(document)
    del found["toggle"]
    assert said == _posture.posture(document)


@pytest.mark.parametrize(
    ("after", "paths", "expected"),
    [
        ({"declared": False}, None, None),
        ({"declared": True}, None, "corrective"),
        ({"declared": True}, {"/x"}, None),
        ({"declared": True}, {"/y"}, "corrective"),
        ({"declared": "unknown"}, None, None),
        ({"declared": True, "served": True}, {"/x"}, None),
        ({"declared": False, "served": True}, {"/x"}, "corrective"),
    ],
)
def test_drift(after: dict[str, Any], paths: set[str] | None, expected: str | None) -> None:
    policy = {"desired": "disabled", "connectivity": "ignored", "waiver": None}

    def evidence(**places: Any) -> dict[str, Any]:
        return {"policy": policy, "state": {"host": {}, "installations": [entry("disabled", **places)]}}

    acts = [] if paths is None else [drift.Act(frozenset(paths))]
    before = {"declared": False, **({"served": False} if "served" in after else {})}
    assert drift.drift_of(evidence(**before), evidence(**after), acts) == expected
    assert (
        drift.drift_of(evidence(**before), {**evidence(**before), "policy": {**policy, "toggle": "disabled"}})
        == "intended"
    )

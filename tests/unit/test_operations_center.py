"""Who belongs to whom, as a host's files tell it: the controllers on an operations center's disk, and launch files."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hostroot import FLAG, Host
from schemas import validate

from ansible_collections.cbops.telemetry.plugins.module_utils._answer import state
from ansible_collections.cbops.telemetry.plugins.module_utils.host._files import HostFiles, readable
from ansible_collections.cbops.telemetry.plugins.module_utils.java import _operations_center as center
from ansible_collections.cbops.telemetry.plugins.module_utils.java._jvm import Layer

MODEL = "com.cloudbees.opscenter.server.model."
HOME = "/var/lib/oc"


def item(kind: str = "ClientMaster", inner: str = "") -> str:
    """An item's config.xml, as the product writes one."""
    return (
        "<?xml version='1.1' encoding='UTF-8'?>\n"
        f'<{MODEL}{kind} plugin="operations-center-server@0"><description>S3CR3T</description>'
        f"<grantId>S3CR3T</grantId>{inner}</{MODEL}{kind}>\n"
    )


FOLDER = "<?xml version='1.1' encoding='UTF-8'?>\n<com.cloudbees.hudson.plugins.folder.Folder plugin='x@1'/>"


def read(host: Host, until: float | None = None) -> dict[str, Any]:
    """What is read of the disk of an operations center."""
    found = center.controllers_of(
        HostFiles(str(host.root)), "operations_center", HOME, time.monotonic() + 60 if until is None else until
    )
    assert "S3CR3T" not in json.dumps(found)
    return found


def test_controllers_in_folders(host: Host) -> None:
    host.write(
        f"{HOME}/jobs/alpha/config.xml",
        item("ManagedMaster", "<endpoint>https://u:S3CR3T@alpha.example/a/?token=S3CR3T</endpoint>"),
    )
    host.write(f"{HOME}/jobs/team/config.xml", FOLDER)
    host.write(
        f"{HOME}/jobs/team/jobs/beta/config.xml",
        item(
            "ClientMaster", "<encodedName>beta</encodedName><approved>false</approved><id>7</id><state>PENDING</state>"
        ),
    )
    host.write(f"{HOME}/jobs/team/jobs/deep/jobs/gamma/config.xml", item("ConnectedMaster"))
    host.write(f"{HOME}/jobs/job/config.xml", "<project/>")
    host.write(f"{HOME}/jobs/readme.txt", "no item")
    host.write(
        f"{HOME}/jenkins.model.JenkinsLocationConfiguration.xml",
        "<x.JenkinsLocationConfiguration><jenkinsUrl>https://oc.example/cjoc/</jenkinsUrl></x.JenkinsLocationConfiguration>",
    )
    found = read(host)
    assert found["controllers_detail"] == {"state": "seen", "file": f"{HOME}/jobs", "url": "https://oc.example/cjoc/"}
    assert found["controllers"] == [
        {"name": "alpha", "kind": "managed", "endpoint": "https://alpha.example/a/"},
        {
            "name": "team/beta",
            "kind": "client",
            "endpoint": None,
            "encoded_name": "beta",
            "state": "PENDING",
            "index": "7",
            "approved": False,
        },
        {"name": "team/deep/gamma", "kind": "connected", "endpoint": None},
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('<!DOCTYPE x [<!ENTITY a "b">]>' + item().split("\n", 1)[1], "document type"),
        ('<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "&b;&b;"><!ENTITY b "&c;&c;">]><l>&a;</l>', "document type"),
        ("no xml", "not well-formed"),
        ("", "not well-formed"),
        (item("ClientMaster", "<a>" + "x" * center.LIMIT_ITEM + "</a>"), "larger than"),
        (item()[:-30], "not well-formed"),
        ("<?xml version='1.1' encoding='x-nobody'?><a/>", "not well-formed"),
    ],
)
def test_what_cannot_be_read_is_said(host: Host, content: str, reason: str) -> None:
    host.write(f"{HOME}/jobs/a/config.xml", content)
    host.write(f"{HOME}/jobs/b/config.xml", item())
    found = read(host)
    assert [one["name"] for one in found["controllers"]] == ["b"]
    assert found["controllers_detail"]["state"] == "incomplete"
    assert reason in found["controllers_detail"]["reason"]


def test_a_large_job_is_none_of_ours(host: Host) -> None:
    host.write(f"{HOME}/jobs/a/config.xml", "<project><a>" + "x" * (center.LIMIT_ITEM + 10) + "</a></project>")
    assert read(host) == {"controllers": [], "controllers_detail": {"state": "seen", "file": f"{HOME}/jobs"}}


def test_links_and_what_is_no_file(host: Host, tmp_path: Path) -> None:
    host.write("/etc/secret/config.xml", item())
    host.write(f"{HOME}/jobs/b/config.xml", item())
    jobs = host.root / HOME.lstrip("/") / "jobs"
    (jobs / "a").symlink_to("/etc/secret")
    (jobs / "c").mkdir()
    (jobs / "c/config.xml").symlink_to("/etc/secret/config.xml")
    (jobs / "d").mkdir()
    os.mkfifo(jobs / "d/config.xml")
    (jobs / "e").mkdir()
    (jobs / "e/jobs").symlink_to("..")
    found = read(host)
    assert [one["name"] for one in found["controllers"]] == ["b"]
    reason = found["controllers_detail"]["reason"]
    for place in ("jobs/a:", "jobs/c/config.xml:", "jobs/d/config.xml:", "jobs/e/jobs:"):
        assert place in reason
    (host.root / "var/lib/oc/jobs").rename(tmp_path / "jobs")
    jobs.symlink_to(tmp_path / "jobs")
    assert read(host)["controllers_detail"]["state"] == "unknown"


@pytest.mark.parametrize(
    ("limit", "value", "words"),
    [
        ("LIMIT_ITEMS", 5, "cut off: 5 items were looked at"),
        ("LIMIT_CONTROLLERS", 5, "cut off: 5 controllers were found"),
        ("LIMIT_BYTES", 600, "cut off: 600 bytes were read"),
    ],
)
def test_limits(host: Host, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, words: str) -> None:
    for number in range(9):
        host.write(f"{HOME}/jobs/c{number}/config.xml", item())
    assert len(read(host)["controllers"]) == 9
    monkeypatch.setattr(center, limit, value)
    found = read(host)
    assert 0 < len(found["controllers"]) < 9
    assert found["controllers_detail"]["state"] == "incomplete"
    assert words in found["controllers_detail"]["reason"]
    late = read(host, 0.0)
    assert late["controllers_detail"] == {
        "state": "unknown",
        "file": f"{HOME}/jobs",
        "reason": "cut off: the time was used up",
    }


def test_depth(host: Host) -> None:
    host.write(f"{HOME}/jobs/x" + "/jobs/x" * center.LIMIT_DEPTH + "/config.xml", item())
    found = read(host)
    assert not found["controllers"]
    assert f"more than {center.LIMIT_DEPTH} folders in folders" in found["controllers_detail"]["reason"]


def test_no_jobs_is_no_fleet_without_controllers(host: Host) -> None:
    host.write(f"{HOME}/config.xml", "<hudson/>")
    assert read(host)["controllers_detail"]["state"] == "unknown"
    (host.root / "var/lib/oc/jobs").mkdir()
    assert read(host)["controllers_detail"]["state"] == "seen"


def test_who_is_an_operations_center(host: Host) -> None:
    host.write(f"{HOME}/jobs/a/config.xml", item())
    files = HostFiles(str(host.root))
    assert center.controllers_of(files, "controller", HOME, 1e12) == {}
    host.write(f"{HOME}/plugins/operations-center-server.jpi", "PK")
    assert center.controllers_of(HostFiles(str(host.root)), "controller", HOME, 1e12)["controllers"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://beta.example:8080/", "https://beta.example:8080/"),
        ("HTTPS://Beta.example", "https://Beta.example"),
        ("https://user:S3CR3T@beta.example/x?y=S3CR3T#z", "https://beta.example/x"),
        ("https://user:S3C/R3T@beta.example/", None),
        ("https://user:1/S3CR3T@beta.example/", None),
        ("https://user@S3CR3T@beta.example/", None),
        ("https://[::1]:8080/", "https://[::1]:8080/"),
        ("https://beta.example/;jsessionid=S3CR3T", "https://beta.example/"),
        ("https://beta.example/{{ S3CR3T }}", None),
        ("file:///etc/shadow", None),
        ("https://", None),
        ("", None),
        ("https://beta.example/\n", None),
    ],
)
def test_addresses_that_are_shown(text: str, shown: str | None) -> None:
    assert center.address(text) == shown


MEMBER = (
    "-DMASTER_INDEX=3 -DMASTER_OPERATIONSCENTER_ENDPOINT=https://u:S3CR3T@oc.example/?q=S3CR3T -DMASTER_NAME=beta "
    "-DMASTER_ENDPOINT=https://beta.example/ -DMASTER_GRANT_ID=S3CR3T"
)


def test_a_launch_file_names_the_operations_center(host: Host) -> None:
    host.rpm(f'JENKINS_JAVA_OPTIONS="{FLAG} {MEMBER}"\n')
    document = json.loads(json.dumps(state(str(host.root))))
    validate(document)
    assert document["installations"][0]["member_of"] == {
        "operations_center": "https://oc.example/",
        "name": "beta",
        "endpoint": "https://beta.example/",
        "index": "3",
        "source": "next_start",
    }
    assert "S3CR3T" not in json.dumps(document)


def test_a_launch_file_that_names_none(host: Host) -> None:
    host.rpm(f'JENKINS_JAVA_OPTIONS="{FLAG} -DMASTER_GRANT_ID=S3CR3T"\n')
    assert "member_of" not in state(str(host.root))["installations"][0]


@pytest.mark.parametrize(
    "word",
    [
        "-DMASTER_NAME=alpha -DMASTER_GRANT_ID=S3CR3T",
        "-DMASTER_NAME=alpha\t--token S3CR3T",
        "-DMASTER_NAME=-DMASTER_GRANT_ID=S3CR3T",
        "-DMASTER_NAME=alpha,MASTER_GRANT_ID:S3CR3T",
        "-DMASTER_NAME=master_grant_id S3CR3T",
        "-DMASTER_INDEX=3 -DMASTER_GRANT_ID=S3CR3T",
        "-DMASTER_ENDPOINT=https://beta.example/ -DMASTER_GRANT_ID=S3CR3T",
        "-DMASTER_ENDPOINT=https://beta.example/-DMASTER_GRANT_ID%3DS3CR3T",
        "-DMASTER_OPERATIONSCENTER_ENDPOINT=https://oc/ -DMASTER_GRANT_ID=S3CR3T",
    ],
)
def test_a_word_that_holds_several_options_is_not_shown(host: Host, word: str) -> None:
    host.rpm(f'JENKINS_JAVA_OPTIONS=( "-Xmx1g" "{word}" )\n')
    document = state(str(host.root))
    validate(document)
    assert "S3CR3T" not in json.dumps(document)
    name, _equals, value = word[2:].partition("=")
    running = center.member_of([], [{name: value}])
    assert running is not None and "S3CR3T" not in json.dumps(running)
    assert running["reason"] == f"{name}: no value of a form that is shown"


def test_an_item_has_no_name_that_holds_options(host: Host) -> None:
    inner = "<encodedName>alpha -DMASTER_GRANT_ID=S3CR3T</encodedName>"
    host.write("/var/lib/oc/jobs/alpha/config.xml", item(inner=inner))
    assert "S3CR3T" not in json.dumps(read(host))


def ways(*texts: str) -> list[tuple[Layer, ...]]:
    return [
        (Layer("options", tuple(text.split(" "))), Layer("program", ("x.war", "-DMASTER_NAME=no"))) for text in texts
    ]


@pytest.mark.parametrize(
    ("planned", "running", "expected"),
    [
        (ways("-Xmx1g"), [], None),
        (ways("-Xmx1g"), [{}], None),
        (ways("-DMASTER_NAME=a -DMASTER_NAME=b"), [], {"name": "b", "source": "next_start"}),
        (
            ways("-DMASTER_NAME=a", "-DMASTER_NAME=b"),
            [],
            {"name": "a", "source": "next_start", "reason": "it is not the same in every way to start it"},
        ),
        (
            ways("-DMASTER_NAME=a", "-Xmx1g"),
            [],
            {"name": "a", "source": "next_start", "reason": "it is not the same in every way to start it"},
        ),
        ([], [{"MASTER_NAME": "r"}], {"name": "r", "source": "running"}),
        (
            ways("-DMASTER_NAME=a"),
            [{"MASTER_NAME": "r"}],
            {"name": "a", "source": "next_start", "reason": "the running JVM was started with another name or address"},
        ),
        (ways("@/etc/options"), [], {"source": "next_start", "reason": "not all of its options are known"}),
        (ways("?from a command"), [{}], None),
        (
            ways("-DMASTER_ENDPOINT=https://a@b@c/ -DMASTER_INDEX=x"),
            [],
            {"source": "next_start", "reason": "MASTER_ENDPOINT, MASTER_INDEX: no value of a form that is shown"},
        ),
    ],
)
def test_member_of(planned: Any, running: Any, expected: dict[str, str] | None) -> None:
    nothing = dict.fromkeys(["operations_center", "name", "endpoint", "index"])
    assert center.member_of(planned, running) == (None if expected is None else {**nothing, **expected})


def test_an_operations_center_in_a_state_document(host: Host) -> None:
    host.script("#!/bin/sh\nexport JENKINS_HOME=/var/lib/oc\nexec java -jar /opt/cloudbees-core-oc.war\n")
    host.write(f"{HOME}/jobs/béta/config.xml", item("ClientMaster", "<encodedName>b\xc3\xa9ta</encodedName>"))
    document = json.loads(json.dumps(readable(state(str(host.root)))))
    validate(document)
    entry = document["installations"][0]
    assert entry["product"] == "operations_center"
    assert [one["name"] for one in entry["controllers"]] == ["béta"]
    assert entry["controllers"][0]["encoded_name"] == "béta"
    assert entry["controllers_detail"]["state"] == "seen"

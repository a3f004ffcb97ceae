"""Settings below JENKINS_HOME: what is there, what is absent, what is broken or hostile."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostroot import Host
from schemas import validate

from ansible_collections.cbops.telemetry.plugins.module_utils._answer import state
from ansible_collections.cbops.telemetry.plugins.module_utils.java._jenkins_home import (
    LIMIT_MANIFEST,
    manifest_of,
    settings,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import second_senders

HOME = "/var/lib/jenkins"
PLUGINS = HOME + "/plugins"
HEAD = "<?xml version='1.1' encoding='UTF-8'?>\n"


def archive(manifest: str, method: int = zipfile.ZIP_DEFLATED) -> str:
    """A jar with this manifest, as Latin-1 text."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as jar:
        jar.writestr("META-INF/MANIFEST.MF", manifest)
    return buffer.getvalue().decode("latin-1")


def jar(version: str) -> str:
    return archive(f"Manifest-Version: 1.0\r\nPlugin-Version: {version}\r\n\r\n")


def read(host: Host) -> dict[str, Any]:
    return settings(host.files, HOME, ("/war",))


def test_manifest_lines_are_joined_and_only_the_main_section_counts() -> None:
    data = b"Plugin-Version: 1.\r\n 896\r\n\r\nName: x\r\nPlugin-Version: 2\r\n"
    assert manifest_of(data)["plugin-version"] == "1.896"


def test_absent_is_not_unknown(host: Host) -> None:
    nothing = read(host)
    assert {nothing[key] for key in nothing if key != "details"} == {"unknown"}
    assert all(detail["reason"] for detail in nothing["details"].values())
    (host.root / PLUGINS[1:]).mkdir(parents=True)
    found = read(host)
    assert found["analytics_plugin"] is None and found["details"]["analytics_plugin"]["state"] == "absent"
    assert found["proxy"] is None
    assert found["no_usage_statistics"] == "unknown"
    assert settings(host.files, None, ())["analytics_plugin"] == "unknown"


def test_jpi_wins_and_only_its_own_marker_disables(host: Host) -> None:
    path = PLUGINS + "/cloudbees-license-tracker"
    host.write(path + ".hpi", jar("1.0"))
    host.write(path + ".jpi", jar("1.2"))
    host.write(path + ".hpi.disabled", "")
    host.write(path + ".jpi.pinned", "")
    host.write(path + "/META-INF/MANIFEST.MF", "Plugin-Version: 1.1\n")
    found = read(host)
    detail = found["details"]["license_tracker_plugin"]
    assert (found["license_tracker_plugin"], detail["state"], detail["pinned"]) == ("1.2", "enabled", True)
    assert "hpi is ignored" in detail["reason"] and "1.1 was unpacked" in detail["reason"]
    host.write(path + ".jpi.disabled", "")
    assert read(host)["details"]["license_tracker_plugin"]["state"] == "disabled"


@pytest.mark.parametrize(
    "change",
    [
        lambda whole: "#!/bin/sh\nexec java -jar $0\n" + whole,
        lambda whole: whole[:-2] + "\5\0PK\5\6.",
        lambda whole: archive("Plugin-Version: 1.896\n", zipfile.ZIP_STORED),
    ],
    ids=["a program in front", "a comment that looks like its end", "stored"],
)
def test_archives_as_java_reads_them(host: Host, change: Callable[[str], str]) -> None:
    host.write(PLUGINS + "/cloudbees-analytics.jpi", change(jar("1.896")))
    assert read(host)["analytics_plugin"] == "1.896"


def test_a_manifest_that_is_not_what_the_archive_says_is_unknown(host: Host) -> None:
    whole = archive("Plugin-Version: 1.896\n", zipfile.ZIP_STORED)
    for broken in (
        whole.replace("1.896", "1.897"),
        whole.replace("META-INF/M", "META-INF/N"),
        whole.replace("PK\3\4", "PK\3\5"),
        whole.replace("PK\1\2", "PK\1\3"),
        whole[:-1],
    ):
        host.write(PLUGINS + "/cloudbees-analytics.jpi", broken)
        assert read(host)["analytics_plugin"] == "unknown"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "PK",
        "root:s3cr3t:1:2",
        jar("s3cr3t$x"),
        archive("Plugin-Version: s3cr3t", zipfile.ZIP_LZMA),
        archive("a" * (LIMIT_MANIFEST + 1)),
        archive("Name: x\n"),
        jar("1.0")[:-22] + "PK\5\6" + "\0" * 8 + "\xff\xff\xff\x7f" + "\0" * 6,
    ],
)
def test_broken_archives_are_unknown(host: Host, content: str) -> None:
    host.write(PLUGINS + "/cloudbees-analytics.jpi", content)
    found = read(host)
    assert found["analytics_plugin"] == "unknown" and found["details"]["analytics_plugin"]["reason"]
    assert "s3cr3t" not in str(found)


def test_a_fifo_or_a_link_to_a_secret_gives_nothing(host: Host) -> None:
    folder = host.root / PLUGINS[1:]
    folder.mkdir(parents=True)
    os.mkfifo(folder / "cloudbees-analytics.jpi")
    host.write("/etc/shadow", "root:s3cr3t:1\n")
    for path in (
        folder / "cloudbees-license-tracker.jpi",
        Path(f"{host.root}{HOME}/config.xml"),
        Path(f"{host.root}{HOME}/proxy.xml"),
    ):
        path.symlink_to("/etc/shadow")
    found = read(host)
    assert {found[key] for key in found if key != "details"} == {"unknown"}
    assert "s3cr3t" not in str(found)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give links away")
def test_a_link_of_the_services_shows_what_the_service_may_see(host: Host) -> None:
    host.root.chmod(0o755)
    host.write("/root/config.xml", HEAD + "<hudson><noUsageStatistics>true</noUsageStatistics></hudson>", 0o600)
    host.write("/root/proxy.xml", HEAD + "<proxy><name>s3cr3t.example</name><port>3128</port></proxy>", 0o600)
    host.write("/root/x.jpi", jar("1.77"), 0o600)
    host.write("/usr/share/x.jpi", jar("1.896"))
    links = {
        "config.xml": "/root/config.xml",
        "proxy.xml": "../../../root/proxy.xml",
        "plugins/cloudbees-license-tracker.jpi": "/root/x.jpi",
        "plugins/cloudbees-analytics.jpi": "/usr/share/x.jpi",
    }
    (host.root / PLUGINS[1:]).mkdir(parents=True)
    for name, target in links.items():
        (host.root / HOME[1:] / name).symlink_to(target)
    found = read(host)  # root's own links
    assert (found["no_usage_statistics"], found["license_tracker_plugin"], found["proxy"]["host"]) == (
        True,
        "1.77",
        "s3cr3t.example",
    )
    for name in links:
        os.lchown(host.root / HOME[1:] / name, 1234, 1234)
    found = read(host)
    assert [found[key] for key in ("no_usage_statistics", "license_tracker_plugin", "proxy", "analytics_plugin")] == [
        "unknown",
        "unknown",
        "unknown",
        "1.896",
    ]
    assert "Permission denied" in found["details"]["proxy"]["reason"]
    assert "s3cr3t" not in str(found) and "1.77" not in str(found)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("<hudson><noUsageStatistics>true</noUsageStatistics></hudson>", True),
        ("<hudson><noUsageStatistics>false</noUsageStatistics></hudson>", False),
        ("<hudson/>", None),
        ("<hudson><!--<noUsageStatistics>true</noUsageStatistics>--></hudson>", None),
        ("<hudson><x><![CDATA[<noUsageStatistics>true</noUsageStatistics>]]></x></hudson>", None),
        ("<hudson><x><noUsageStatistics>true</noUsageStatistics></x></hudson>", None),
        ("<hudson><noUsageStatistics>maybe</noUsageStatistics></hudson>", "unknown"),
        ("<hudson><noUsageStatistics>true</noUsageStatistics>", "unknown"),
        ("<hudson><x>\xe9</x></hudson>", "unknown"),
        (
            "<!DOCTYPE h [<!ENTITY a 'true'><!ENTITY b '&a;&a;'>]><h><noUsageStatistics>&a;</noUsageStatistics></h>",
            "unknown",
        ),
        ("<!DOCTYPE h [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><h>&a;</h>", "unknown"),
    ],
)
def test_usage_statistics(host: Host, body: str, expected: object) -> None:
    host.write(HOME + "/config.xml", HEAD + body)
    assert read(host)["no_usage_statistics"] is expected or expected == "unknown" == read(host)["no_usage_statistics"]


def test_configuration_as_code_is_named(host: Host) -> None:
    host.write(HOME + "/config.xml", HEAD + "<hudson/>")
    host.write(HOME + "/jenkins.yaml", "jenkins: {noUsageStatistics: true}\n")
    found = read(host)
    assert found["no_usage_statistics"] is None
    assert "jenkins.yaml" in found["details"]["no_usage_statistics"]["reason"]


def test_proxy_without_its_user_and_password(host: Host) -> None:
    host.write(
        HOME + "/proxy.xml",
        HEAD + "<proxy><name>proxy.example</name><port>3128</port><userName>bob</userName>"
        "<noProxyHost>*.a.example\nb</noProxyHost><secretPassword>{s3cr3t}</secretPassword></proxy>",
    )
    found = read(host)
    assert found["proxy"] == {
        "host": "proxy.example",
        "port": 3128,
        "no_proxy": ["*.a.example", "b"],
        "authenticated": True,
    }
    assert "bob" not in str(found) and "s3cr3t" not in str(found)


def test_product_version(host: Host) -> None:
    host.write("/war", archive("Implementation-Version: 2.1\nJenkins-Version: 2.426.3.3\n"))
    host.write(HOME + "/config.xml", HEAD + "<hudson><version>2.400</version></hudson>")
    found = read(host)
    assert found["product_version"] == "2.426.3.3" and "2.400" in found["details"]["product_version"]["reason"]


def test_the_second_sender_is_named(host: Host) -> None:
    host.oss()
    host.write(PLUGINS + "/cloudbees-license-tracker.jpi", jar("1.2"))
    document = state(str(host.root))
    validate(document)
    assert "version 1.2) is installed (enabled)" in second_senders(document["installations"])[0]
    (host.root / PLUGINS[1:] / "cloudbees-license-tracker.jpi").unlink()
    assert second_senders(state(str(host.root))["installations"]) == []
    (host.root / PLUGINS[1:]).rmdir()
    assert "is not known" in second_senders(state(str(host.root))["installations"])[0]

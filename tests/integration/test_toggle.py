"""CloudBees' own checkbox on a host of the fleet: declared in a bundle, on disk, served by the stand-in; and no secret anywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fleethand import Done, Fleet

HOST = "trixie-cm-deb"
HOSTS = (HOST,)
HOME = "/var/lib/cloudbees-core-cm"
CLASS = "com.cloudbees.standin.UsageStatisticsCloudBees"
TOKEN = "11fleet-S3CR3T-4713"  # noqa: S105
#: What the stand-in's export holds, the bundle's secret, and the token.
SECRETS = (TOKEN, "PLANTED", "PRIVATE KEY", "S3CR3T")
BUNDLE = (
    "jenkins:\n  noUsageStatistics: true\n  key: S3CR3T\nunclassified:\n"
    "  usageStatisticsCloudBees:\n    usageStatisticsCollected: {0}\n"
)


def is_told(fleet: Fleet, declared: str, served: str, on_disk: str) -> None:
    """The three places say so from now on."""
    disk = f"<?xml version='1.1'?><x><usageStatisticsCollected>{on_disk}</usageStatisticsCollected></x>"
    script = f"""set -e
mkdir -p {HOME}/core-casc-bundle
printf '%s' 'jcasc: [jenkins.yaml]' >{HOME}/core-casc-bundle/bundle.yaml
printf '%s' '{BUNDLE.format(declared)}' >{HOME}/core-casc-bundle/jenkins.yaml
printf '%s' '{served}' >{HOME}/standin-toggle
printf '%s' 'jo:{TOKEN}' >{HOME}/standin-token
cat >{HOME}/{CLASS}.xml <<'END'
{disk}
END
chown -R --reference={HOME} {HOME}
"""
    fleet.shell(HOST, script)


def audited(fleet: Fleet, **variables: Any) -> tuple[Done, dict[str, Any]]:
    """An audit at the highest verbosity, and the toggle in its evidence; no secret is in anything that it left."""
    inventory = fleet.inventory(
        {
            HOST: {
                "telemetry_toggle": "disabled",
                "telemetry_toggle_served": True,
                "telemetry_url": f"http://{fleet.facts[HOST]['address']}:8080/",
                "telemetry_user": "jo",
                "telemetry_token": TOKEN,
                "telemetry_allow_http": True,
                **variables,
            }
        }
    )
    temporary = fleet.folder / f"tmp-{fleet._runs}"
    temporary.mkdir()
    done = fleet.play(
        "audit",
        "-vvvv",
        inventory=inventory,
        environment={"TMPDIR": str(temporary), "ANSIBLE_LOCAL_TEMP": str(temporary), "ANSIBLE_KEEP_REMOTE_FILES": "0"},
    )
    left = [path for path in fleet.folder.rglob("*") if path.is_file() and inventory not in path.parents]
    for text in (done.output, *(path.read_text(errors="replace") for path in left if "inventory-" not in str(path))):
        assert not [secret for secret in SECRETS if secret in text]
    assert fleet.shell(HOST, f"test -e {HOME}/standin-form-was-posted && echo posted", check=False) == ""
    assert done.report, done.output
    (entry,) = done.report["hosts"][0]["state"]["installations"]
    assert json.loads(next((fleet.folder / f"reports-{fleet._runs}" / "evidence").glob("*.json")).read_text())
    return done, entry["toggle"]


def test_three_places_and_what_comes_of_them(fleet: Fleet) -> None:
    is_told(fleet, declared="true", served="false", on_disk="false")
    done, found = audited(fleet, telemetry_desired="unmanaged")
    assert [found[name]["collected"] for name in ("declared", "served", "on_disk")] == [True, False, False]
    assert (found["declared"]["file"], found["declared"]["line"]) == (f"{HOME}/core-casc-bundle/jenkins.yaml", 6)
    assert (found["served"]["mark"], found["on_disk"]["mark"]) == ("export", "seen name")
    assert done.verdicts() == {HOST: "violation"}
    assert "the next start or reload turns it on" in done.reasons(HOST)
    assert "off by the toggle only" in done.report["hosts"][0]["posture"]

    is_told(fleet, declared="'false'", served="false", on_disk="false")
    done, found = audited(fleet, telemetry_desired="unmanaged")
    assert done.verdicts() == {HOST: "compliant"}

    is_told(fleet, declared="'false'", served="true", on_disk="true")
    done, found = audited(fleet, telemetry_desired="unmanaged")
    assert done.verdicts() == {HOST: "restart_pending"}

    done, found = audited(fleet, telemetry_desired="unmanaged", telemetry_token="wrong", telemetry_toggle="unmanaged")  # noqa: S106
    assert done.verdicts() == {HOST: "not_applicable"}
    assert "valid API token" in found["served"]["reason"]


def test_without_the_policy_nothing_is_asked_and_the_verdict_is_of_the_flag_alone(fleet: Fleet) -> None:
    is_told(fleet, declared="false", served="false", on_disk="false")
    done, found = audited(fleet, telemetry_toggle="unmanaged", telemetry_toggle_served=False)
    assert "served" not in found
    assert done.verdicts() == {HOST: "violation"}
    assert "toggle" not in done.reasons(HOST)


def test_what_the_bundle_of_the_launch_options_says_counts(fleet: Fleet, tmp_path: Path) -> None:
    is_told(fleet, declared="true", served="false", on_disk="false")
    fleet.shell(
        HOST,
        "mkdir -p /etc/casc && printf 'jcasc: [jenkins.yaml]' >/etc/casc/bundle.yaml && "
        f"printf '%s' '{BUNDLE.format('no')}' >/etc/casc/jenkins.yaml && cp /etc/default/cloudbees-core-cm /root/default && "
        "sed -i 's,^JAVA_ARGS=\",&-Dcore.casc.config.bundle=/etc/casc ,' /etc/default/cloudbees-core-cm",
    )
    try:
        _done, found = audited(fleet)
    finally:
        fleet.shell(HOST, "cp /root/default /etc/default/cloudbees-core-cm; rm -r /etc/casc")
    place = {"file": "/etc/casc/jenkins.yaml", "line": 6}
    assert found["declared"] == {"collected": False, **place, "pending": True}, "its JVM was started before"

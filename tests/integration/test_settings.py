"""What JENKINS_HOME tells of a running product: plugins that send, usage statistics, versions."""

from __future__ import annotations

from typing import Any

from fleethand import Fleet

BOTH_CARRIERS = True
HOST = "trixie-cm-deb"
HOSTS = (HOST,)
HOME = "/var/lib/cloudbees-core-cm"


def settings(fleet: Fleet) -> tuple[dict[str, Any], str, str]:
    """Settings of the host's product, its verdict and reasons."""
    audit = fleet.play("audit", inventory=fleet.inventory({HOST: {}}))
    (entry,) = audit.report["hosts"][0]["state"]["installations"]
    return entry["settings"], audit.verdicts()[HOST], audit.reasons(HOST)


def test_what_the_product_laid_out_itself(fleet: Fleet) -> None:
    found, verdict, reasons = settings(fleet)
    assert found["analytics_plugin"] == "1.28"
    assert found["license_tracker_plugin"] is None
    assert found["product_version"] == "2.426.3"
    assert verdict == "violation"
    assert "license-tracker" not in reasons


def test_a_second_sender_is_named_and_changes_no_verdict(fleet: Fleet) -> None:
    script = (
        "import zipfile; z = zipfile.ZipFile('%s/plugins/cloudbees-license-tracker.jpi', 'w'); "
        "z.writestr('META-INF/MANIFEST.MF', 'Manifest-Version: 1.0\\nPlugin-Version: 2.1\\n'); z.close()"
    ) % HOME
    fleet.shell(
        HOST,
        f'python3 -c "{script}"; touch {HOME}/plugins/cloudbees-analytics.jpi.disabled; '
        f"sed -i 's,</hudson>,<noUsageStatistics>true</noUsageStatistics></hudson>,' {HOME}/config.xml",
    )
    try:
        done = fleet.play("enforce", "-e", "telemetry_restart=now", inventory=fleet.inventory({HOST: {}}))
        assert done.verdicts() == {HOST: "compliant"}, done.output
        found, verdict, reasons = settings(fleet)
    finally:
        fleet.shell(HOST, f"rm -f {HOME}/plugins/cloudbees-license-tracker.jpi {HOME}/plugins/*.disabled")
        fleet.play(
            "enforce",
            "-e",
            "telemetry_restart=now",
            "-e",
            "telemetry_desired=enabled",
            inventory=fleet.inventory({HOST: {}}),
        )
    assert found["license_tracker_plugin"] == "2.1"
    assert found["details"]["analytics_plugin"]["state"] == "disabled"
    assert found["no_usage_statistics"] is True
    assert verdict == "compliant"
    assert "cloudbees-license-tracker (version 2.1) is installed (enabled)" in reasons
    assert "Segment" in reasons


def test_plugins_that_cannot_be_read_are_unknown(fleet: Fleet) -> None:
    fleet.shell(HOST, f"mv {HOME}/plugins {HOME}/away; touch {HOME}/plugins")
    try:
        found, _verdict, reasons = settings(fleet)
    finally:
        fleet.shell(HOST, f"rm {HOME}/plugins; mv {HOME}/away {HOME}/plugins")
    assert found["analytics_plugin"] == "unknown"
    assert found["details"]["analytics_plugin"]["reason"]
    assert "license-tracker" in reasons


def test_a_home_without_plugins_has_none(fleet: Fleet) -> None:
    fleet.shell(HOST, f"mv {HOME}/plugins {HOME}/away")
    try:
        found, _verdict, _reasons = settings(fleet)
    finally:
        fleet.shell(HOST, f"mv {HOME}/away {HOME}/plugins")
    assert found["analytics_plugin"] is None

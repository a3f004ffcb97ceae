"""Every sender of a booted controller, and other properties as policy, on the three clocks of a JVM that runs."""

from __future__ import annotations

from typing import Any

from fleethand import Fleet

BOTH_CARRIERS = True
HOST = "trixie-cm-deb"
HOSTS = (HOST,)
FILE = "/etc/default/cloudbees-core-cm"
CORE, HAZELCAST = "hudson.model.UsageStatistics.disabled", "hazelcast.phone.home.enabled"
ASKED = {
    "telemetry_desired": "enabled",
    "telemetry_connectivity": "ignored",
    "telemetry_switches": {"core_telemetry": "disabled", "hazelcast_phone_home": "disabled"},
    "telemetry_threads": True,
}


def audited(fleet: Fleet) -> tuple[dict[str, Any], str, str]:
    """The installation, the verdict and the reasons."""
    audit = fleet.play("audit", inventory=fleet.inventory({HOST: ASKED}))
    (entry,) = audit.report["hosts"][0]["state"]["installations"]
    return entry, audit.verdicts()[HOST], audit.reasons(HOST)


def clocks(entry: dict[str, Any]) -> dict[str, tuple[str, str, str]]:
    """The clocks of each switch."""
    return {one["name"]: (one["on_disk"], one["next_start"], one["running"]) for one in entry["switches"]}


def test_other_properties_are_policy_by_the_same_clocks(fleet: Fleet) -> None:
    before = fleet.shell(HOST, f"cat {FILE}")
    try:
        entry, verdict, reasons = audited(fleet)
        assert clocks(entry) == {CORE: ("enabled",) * 3, HAZELCAST: ("enabled",) * 3}
        assert verdict == "violation" and f"-D{CORE}=true is not in" in reasons and f"-D{HAZELCAST}=false is" in reasons
        senders = {one["name"]: one for one in entry["senders"]}
        assert senders["analytics_plugin"]["state"] == senders["core_telemetry"]["state"] == "on"
        assert senders["analytics_plugin"]["version"] == "1.28"
        assert "the flag does not cover:" in reasons
        (threads,) = entry["segment_threads"]
        assert threads["analytics_plugin"] == 0 and threads["others"] == 0, "the stand-in has no such client"

        fleet.shell(HOST, f"""printf '%s\\n' 'JAVA_ARGS="$JAVA_ARGS -D{CORE}=true -D{HAZELCAST}=false"' >> {FILE}""")
        entry, verdict, reasons = audited(fleet)
        assert clocks(entry) == {
            CORE: ("disabled", "disabled", "enabled"),
            HAZELCAST: ("disabled", "disabled", "enabled"),
        }
        assert verdict == "restart_pending", reasons
        assert entry["on_disk"] == "enabled"

        fleet.shell(HOST, "systemctl restart cloudbees-core-cm")
        entry, verdict, reasons = audited(fleet)
        assert clocks(entry) == {CORE: ("disabled",) * 3, HAZELCAST: ("disabled",) * 3}
        assert verdict == "compliant", reasons
        assert {one["state"] for one in entry["senders"] if one["name"].startswith("core_")} == {"off"}
        assert "core's telemetry" not in reasons
        senders = {one["name"]: one for one in entry["senders"]}
        assert senders["license_tracker"]["state"] == "absent", senders["license_tracker"]["proof"]
        assert senders["hazelcast_phone_home"]["state"] == "unknown", "the property proves nothing"
    finally:
        fleet.shell(HOST, f"cat > {FILE} <<'END'\n{before}END\nsystemctl restart cloudbees-core-cm")

"""Every sender of a booted controller, and other properties as policy, on the three clocks of a JVM that runs."""

from __future__ import annotations

from typing import Any

from fleethand import Fleet

BOTH_CARRIERS = True
HOST = "trixie-cm-deb"
#: A login in front of java, a file that is sourced, a unit of the product's own, a Tomcat, a script.
LAYOUTS = (HOST, "trixie-oc-rpm", "bookworm-oss", "bookworm-tomcat", "trixie-script")
HOSTS = LAYOUTS
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


#: All launch files that may be edited, and who owns them.
WRITTEN = """for file in $(find /etc/default /etc/sysconfig /etc/systemd/system /opt -type f \\( -path '/etc/default/*' \\
    -o -path '/etc/sysconfig/*' -o -name '*.conf' -o -name '*.service' -o -name '*.sh' \\) 2>/dev/null | sort)
do stat -c '%n %U %a' "$file"; sha256sum <"$file"; done"""


def test_a_variable_of_the_environment_is_enforced_and_taken_out_again(fleet: Fleet) -> None:
    def played(name: str, desired: str, *arguments: str) -> Any:
        wanted = {
            "telemetry_desired": "enabled",
            "telemetry_connectivity": "ignored",
            "telemetry_restart": "now",
            "telemetry_switches": {
                "hazelcast_phone_home": {"desired": desired, "kind": "environment"},
                "ACME_SEND_STATISTICS": {"desired": desired, "kind": "environment", "off_value": "0"},
            },
        }
        return fleet.play(name, *arguments, inventory=fleet.inventory(dict.fromkeys(LAYOUTS, wanted)))

    def states(report: Any) -> dict[str, set[tuple[str, str, str, str]]]:
        return {
            host["host"]: {
                (one["name"], one["on_disk"], one["next_start"], one["running"])
                for one in host["state"]["installations"][0]["switches"]
                if one.get("kind") == "environment"
            }
            for host in report["hosts"]
        }

    def all_are(state: str) -> set[tuple[str, str, str, str]]:
        return {(name, state, state, state) for name in ("HZ_PHONE_HOME_ENABLED", "ACME_SEND_STATISTICS")}

    before = {host: fleet.shell(host, WRITTEN) for host in LAYOUTS}
    audit = played("audit", "disabled")
    assert set(audit.verdicts().values()) == {"violation"}
    assert states(audit.report) == dict.fromkeys(LAYOUTS, all_are("enabled"))
    try:
        checked = played("enforce", "disabled", "--check", "--diff")
        assert {host: fleet.shell(host, WRITTEN) for host in LAYOUTS} == before
        assert "HZ_PHONE_HOME_ENABLED=false" in checked.output
        done = played("enforce", "disabled")
        assert set(done.verdicts().values()) == {"compliant"}, done.output
        audit = played("audit", "disabled")
        assert states(audit.report) == dict.fromkeys(LAYOUTS, all_are("disabled"))
        for host in audit.report["hosts"]:
            (entry,) = host["state"]["installations"]
            (found,) = [one for one in entry["senders"] if one["name"] == "hazelcast_phone_home"]
            assert found["state"] == "off", found["proof"]
            (jvm,) = entry["processes"]
            told = fleet.shell(
                host["host"], f"tr '\\0' '\\n' </proc/{jvm['pid']}/environ | grep -c '^HZ_PHONE_HOME_ENABLED=false$'"
            )
            assert told.strip() == "1"
        again = played("enforce", "disabled")
        assert not any(again.changed().values()), again.output
    finally:
        back = played("enforce", "enabled")
    assert set(back.verdicts().values()) == {"compliant"}, back.output
    assert states(back.report) == dict.fromkeys(LAYOUTS, all_are("enabled"))
    assert {host: fleet.shell(host, WRITTEN) for host in LAYOUTS} == before

"""Toggle and flag disagree on six hosts in six ways: audit names each, enforce brings them to the policy, or says why not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fleethand import FLAG, Done, Fleet

from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._bundle import with_toggle

CLASS = "com.cloudbees.standin.UsageStatisticsCloudBees"
TOKEN = "11fleet-S3CR3T-4714"  # noqa: S105
#: What is wrong on each, and what the audit says of it.
ON_BY_FILE = "bullseye-cm-rpm"  # the toggle is on, by the product's own file; the flag is set
OFF_WITHOUT_FLAG = "bookworm-cm-deb"  # the toggle is off; the flag is not set
ON_BY_ROOTS_BUNDLE = "trixie-cm-deb"  # declared on in a folder of root's, and off on disk; the flag is set
NOT_RESTARTED = "bookworm-oss"  # declared off since the start of a JVM that has it on; the flag is not set
ON_BY_OWN_CODE = "trixie-script"  # declared on in the home, and on on disk; the flag is set
ON_BY_CENTER = "trixie-oc-rpm"  # declared on by the promoted copy of a bundle, off on disk; the flag is not set
PROPERTY = "hudson.model.UsageStatistics.disabled"
HOSTS = (ON_BY_FILE, OFF_WITHOUT_FLAG, ON_BY_ROOTS_BUNDLE, NOT_RESTARTED, ON_BY_OWN_CODE, ON_BY_CENTER)
SAID = {
    ON_BY_FILE: ["off by the JVM; the toggle is on", "CloudBees' toggle is on on disk ("],
    OFF_WITHOUT_FLAG: ["off by the toggle only, not by the launch flag", "the flag is not in JAVA_ARGS"],
    ON_BY_ROOTS_BUNDLE: ["on declared (/etc/casc/jenkins.yaml:6), off on disk", "the next start or reload turns it on"],
    NOT_RESTARTED: ["CloudBees' telemetry is sent", "CloudBees' toggle is off declared (", "and still on on disk ("],
    ON_BY_OWN_CODE: ["off by the JVM; the toggle is on", "it is so declared ("],
    ON_BY_CENTER: ["core-casc-bundle/jenkins.yaml:6", "the next start or reload turns it on"],
}


def xml(value: str) -> str:
    return f"<?xml version='1.1' encoding='UTF-8'?>\n<{CLASS}>\n  <usageStatisticsCollected>{value}</usageStatisticsCollected>\n</{CLASS}>"


def casc(value: str) -> str:
    return (
        "jenkins:\n  noUsageStatistics: true  # another sender\n  key: S3CR3T\nunclassified:\n"
        f"  usageStatisticsCloudBees:\n    usageStatisticsCollected: {value}\n"
    )


def lies(fleet: Fleet, host: str, files: dict[str, str], script: str = ":") -> None:
    """Files of the service's user lie in the home of a host."""
    home = fleet.facts[host]["home"]
    for name, text in {**files, "standin-token": f"jo:{TOKEN}"}.items():
        fleet.shell(
            host,
            f"mkdir -p {home}/{Path(name).parent} && cat >{home}/{name} <<'END'\n{text}\nEND\n"
            f"chown -R --reference={home} {home}/{Path(name).parts[0]}",
        )
    fleet.shell(host, script)


def served(fleet: Fleet, host: str) -> str:
    """What the product has in its memory, by its export."""
    where = f"http://{fleet.facts[host]['address']}:{fleet.facts[host]['port']}/core-casc-export"
    done = fleet.inside("curl", "-sf", "-u", f"jo:{TOKEN}", where)
    return next(line for line in done.stdout.splitlines() if "usageStatisticsCollected" in line).split()[-1]


def jvms(fleet: Fleet) -> dict[str, str]:
    return {host: fleet.shell(host, "pgrep -x java").strip() for host in HOSTS}


def played(fleet: Fleet, name: str, *hosts: str, **variables: Any) -> Done:
    wanted = {"telemetry_toggle": "disabled", "telemetry_restart": "now", **variables}
    done = fleet.play(name, inventory=fleet.inventory({host: {} for host in hosts or HOSTS}, **wanted))
    assert "S3CR3T" not in done.output and "S3CR3T" not in json.dumps(done.report)
    return done


def laid_out(fleet: Fleet) -> None:
    lies(fleet, ON_BY_FILE, {f"{CLASS}.xml": xml("true")})
    lies(fleet, ON_BY_OWN_CODE, {f"{CLASS}.xml": xml("true"), "jenkins.yaml": casc("'yes'")})
    with_flag = (ON_BY_FILE, ON_BY_ROOTS_BUNDLE, ON_BY_OWN_CODE)
    done = played(fleet, "enforce", *with_flag, telemetry_toggle="unmanaged")
    assert set(done.verdicts().values()) == {"compliant"}, done.output
    lies(fleet, OFF_WITHOUT_FLAG, {f"{CLASS}.xml": xml("false")}, "systemctl restart cloudbees-core-cm")
    lies(
        fleet,
        ON_BY_ROOTS_BUNDLE,
        {f"{CLASS}.xml": xml("false")},
        "systemctl restart cloudbees-core-cm && mkdir -p /etc/casc && printf 'jcasc: [jenkins.yaml]' >/etc/casc/bundle.yaml && "
        f"printf '%s' '{casc('on')}' >/etc/casc/jenkins.yaml && chmod 640 /etc/casc/jenkins.yaml && "
        "chgrp cloudbees-core-cm /etc/casc/jenkins.yaml && "
        "sed -i 's,^JAVA_ARGS=\",&-Dcore.casc.config.bundle=/etc/casc ,' /etc/default/cloudbees-core-cm",
    )
    lies(fleet, NOT_RESTARTED, {f"{CLASS}.xml": xml("true"), "jenkins.yaml": casc("no")})
    bundle = {"core-casc-bundle/bundle.yaml": "jcasc: [jenkins.yaml]", "core-casc-bundle/jenkins.yaml": casc("true")}
    lies(fleet, ON_BY_CENTER, {f"{CLASS}.xml": xml("false"), **bundle})


def test_six_ways(fleet: Fleet) -> None:
    laid_out(fleet)
    done = played(fleet, "audit")
    assert not [host for host, verdict in done.verdicts().items() if verdict == "compliant"], done.verdicts()
    for host, words in SAID.items():
        one = next(one for one in done.report["hosts"] if one["host"] == host)
        text = done.reasons(host) + one["posture"]
        assert not [word for word in words if word not in text], (host, text)

    before, launch = jvms(fleet), fleet.launch_files(*HOSTS)
    done = played(fleet, "plan")
    plan = {entry["host"]: entry for entry in json.loads((done.reports / "plan.json").read_text())["hosts"]}
    turned = {host: [one["path"] for one in plan[host]["edits"] if "toggle set" in one["summary"]] for host in HOSTS}
    home = fleet.facts[ON_BY_FILE]["home"]
    assert turned == {
        ON_BY_FILE: [f"{home}/{CLASS}.xml"],
        OFF_WITHOUT_FLAG: [],
        ON_BY_ROOTS_BUNDLE: ["/etc/casc/jenkins.yaml"],
        NOT_RESTARTED: [],
        ON_BY_OWN_CODE: [f"{fleet.facts[ON_BY_OWN_CODE]['home']}/jenkins.yaml"],
        ON_BY_CENTER: [],
    }
    restarts = {host: len(plan[host]["restarts"]) for host in HOSTS}
    assert restarts == dict.fromkeys(HOSTS, 1), "whether a JVM was started with the bundle as it was nobody can tell"
    assert any("operations center" in reason for reason in plan[ON_BY_CENTER]["reasons"])
    assert jvms(fleet) == before and fleet.launch_files(*HOSTS) == launch, "a plan changes nothing"

    done = played(fleet, "enforce")
    others = [host for host in HOSTS if host != ON_BY_CENTER]
    assert {done.verdicts()[host] for host in others} == {"compliant"}, done.output
    assert done.verdicts()[ON_BY_CENTER] == "violation"
    said = done.reasons(ON_BY_CENTER)
    assert "CloudBees' toggle is not set here" in said and "operations center" in said and "with_toggle" in said
    assert {host: served(fleet, host) for host in others} == dict.fromkeys(others, "false"), (
        "the product itself says so"
    )
    after = jvms(fleet)
    assert not [host for host in HOSTS if after[host] == before[host]]
    kept = fleet.shell(ON_BY_ROOTS_BUNDLE, "stat -c '%a %U:%G' /etc/casc/jenkins.yaml; cat /etc/casc/jenkins.yaml")
    assert kept == "640 root:cloudbees-core-cm\n" + casc("false")
    own = fleet.facts[ON_BY_OWN_CODE]
    kept = fleet.shell(ON_BY_OWN_CODE, f"stat -c %U {own['home']}/jenkins.yaml; cat {own['home']}/jenkins.yaml")
    assert kept == f"{own['user']}\n{casc('false')}\n"

    done = played(fleet, "enforce")
    assert jvms(fleet) == after, "nothing is restarted again for what no restart mends"
    assert {done.verdicts()[host] for host in others} == {"compliant"}

    # What the reason says: the bundle is set where it is made, and given again.
    bundle = with_toggle(casc("true"), "disabled")
    lies(fleet, ON_BY_CENTER, {"core-casc-bundle/jenkins.yaml": bundle}, "systemctl restart cloudbees-core-oc")
    done = played(fleet, "audit")
    assert set(done.verdicts().values()) == {"compliant"}, done.output
    assert {served(fleet, host) for host in HOSTS} == {"false"}


def test_another_property_alone_owes_the_restart(fleet: Fleet) -> None:
    """On a host that is right by its flag."""
    one = {"telemetry_toggle": "unmanaged", "telemetry_switches": {"core_telemetry": "disabled"}}
    assert played(fleet, "enforce", ON_BY_FILE, telemetry_toggle="unmanaged").verdicts() == {ON_BY_FILE: "compliant"}
    before = jvms(fleet)[ON_BY_FILE]

    done = played(fleet, "enforce", ON_BY_FILE, **one, telemetry_restart="never")
    assert done.verdicts() == {ON_BY_FILE: "restart_pending"} and jvms(fleet)[ON_BY_FILE] == before

    done = played(fleet, "plan", ON_BY_FILE, **one)
    (entry,) = json.loads((done.reports / "plan.json").read_text())["hosts"]
    assert (entry["edits"], entry["restarts"]) == ([], ["cloudbees-core-cm.service"])
    assert jvms(fleet)[ON_BY_FILE] == before

    done = played(fleet, "enforce", ON_BY_FILE, **one)
    assert done.verdicts() == {ON_BY_FILE: "compliant"}, done.output
    after = jvms(fleet)[ON_BY_FILE]
    assert after != before
    arguments = fleet.shell(ON_BY_FILE, f"tr '\\0' '\\n' </proc/{after}/cmdline").splitlines()
    assert f"-D{PROPERTY}=true" in arguments and FLAG in arguments

    assert played(fleet, "enforce", ON_BY_FILE, **one).verdicts() == {ON_BY_FILE: "compliant"}
    assert jvms(fleet)[ON_BY_FILE] == after


def test_the_toggle_alone_by_the_ordinary_module_and_undone(fleet: Fleet, tmp_path: Path) -> None:
    """Shown before, pending until the restart, and put back as it was."""
    path = f"{fleet.facts[ON_BY_FILE]['home']}/{CLASS}.xml"
    lies(fleet, ON_BY_FILE, {f"{CLASS}.xml": xml("true")}, "systemctl restart cloudbees-core-cm")
    alone = {"telemetry_desired": "unmanaged", "telemetry_toggle": "disabled", "telemetry_carrier": "module"}

    def play(name: str, *arguments: str, **more: Any) -> Done:
        inventory = fleet.inventory({ON_BY_FILE: {}}, **alone, **more)
        done = fleet.play(name, "-e", f"telemetry_reports_dir={tmp_path}", *arguments, inventory=inventory)
        assert "S3CR3T" not in done.output
        done.report = json.loads((tmp_path / "audit.json").read_text())
        return done

    def lying() -> str:
        return fleet.shell(ON_BY_FILE, f"stat -c '%a %u:%g' {path}; sha256sum <{path}; tail -2 {path}")

    before, jvm = lying(), jvms(fleet)[ON_BY_FILE]
    launch = fleet.launch_files(ON_BY_FILE)
    done = play("enforce", "--check", "--diff", "-vvvv")
    assert "line 3: usageStatisticsCollected: false" in done.output and lying() == before

    done = play("enforce")
    assert done.verdicts() == {ON_BY_FILE: "restart_pending"}, done.output
    assert "edited after the start of its JVM" in done.reasons(ON_BY_FILE)
    assert served(fleet, ON_BY_FILE) == "true" and "Collected>false<" in lying(), "it has it in its memory"
    record = [json.loads(line) for line in max((tmp_path / "changes").glob("*.jsonl")).read_text().splitlines()]
    (edit,) = [line for line in record if line["kind"] == "edit"]
    assert (edit["file"], edit["state"]) == (path, None)

    done = play("enforce", telemetry_restart="now")
    assert done.verdicts() == {ON_BY_FILE: "compliant"}, done.output
    assert served(fleet, ON_BY_FILE) == "false" and jvms(fleet)[ON_BY_FILE] != jvm

    done = play("undo", "-e", f"run={edit['run']}")
    assert lying() == before, done.output
    assert done.verdicts() == {ON_BY_FILE: "violation"}
    assert fleet.launch_files(ON_BY_FILE) == launch, "the flag was no policy"

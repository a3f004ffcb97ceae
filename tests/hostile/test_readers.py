"""Files that would take for ever to read cost their own installation an answer, and nobody else."""

from __future__ import annotations

from typing import Any

from attacker import Site

FLAG = "-Dcom.cloudbees.analytics.gatherer.Sender.disabled=true"
START = "exec java $JAVA_OPTS -jar /opt/app/cloudbees-core-cm.war\n"
#: Launch script -> its text. Each took minutes, gigabytes or the whole audit.
SCRIPTS = {
    "doubles": "JAVA_OPTS=x\n" + 'JAVA_OPTS="$JAVA_OPTS$JAVA_OPTS"\n' * 60,
    "doubles-long": f"JAVA_OPTS={'x' * 400000}\n" + 'JAVA_OPTS="$JAVA_OPTS$JAVA_OPTS"\n' * 13,
    "repetitions": f"JAVA_OPTS=\n[[ {'a' * 3000} =~ a*a*a*b ]] && JAVA_OPTS={FLAG}\n",
    "choices": f"JAVA_OPTS=\n[[ {'a' * 60} =~ {'a?' * 60}{'a' * 60}b ]] && JAVA_OPTS={FLAG}\n",
    "branches": "JAVA_OPTS=\nif coin; then :; " + "elif coin; then :; " * 5000 + "else JAVA_OPTS=-Da=b; fi\n",
    "parentheses": "JAVA_OPTS=\n" + "X=$((echo '(('); )\n" * 20000,
    "includes-itself": 'X=\'eval "$X"\'\neval "$X"\n',
    "nested": "X=" + "${a:-" * 100000 + "\n",
}
#: The same of scripts that can be followed: 300 mentions that are dead, and a number of 400 digits.
READABLE = {
    "mentions": "JAVA_OPTS=-Xmx1g\n" + f"OTHER='{FLAG}'\n" * 300 + f"# {FLAG}\n" * 5000,
    "factors": f"JAVA_OPTS={FLAG}\nX=$((7{'*7' * 500}))\n",
}
TOMCAT_UNIT = """[Service]
ExecStart=/usr/bin/java -Dcatalina.base=/opt/tomcat org.apache.catalina.startup.Bootstrap start
"""
BASE = "/opt/hostile"


def _installations(report: dict[str, Any], host: str) -> dict[str, dict[str, Any]]:
    found = next(item for item in report["hosts"] if item["host"] == host)
    return {item["name"]: item for item in found["state"]["installations"]}


def test_launch_scripts_that_cost_too_much_are_unresolvable_and_nothing_else_is(site: Site) -> None:
    for name, text in {**SCRIPTS, **READABLE}.items():
        site.put("script", f"{BASE}/{name}", f"#!/bin/bash\n{text}{START}".encode(), 0o755)
    inventory = site.inventory(
        {"script": {"telemetry_launch_scripts": [f"{BASE}/{name}" for name in {**SCRIPTS, **READABLE}]}, "oss": {}},
        telemetry_attach="never",
    )
    done = site.play("audit", inventory=inventory)
    site.shell("script", f"rm -r {BASE}")
    assert done.verdicts()["oss"] == "violation", done.output
    found = _installations(done.report, "script")
    assert {name: found[f"{BASE}/{name}"]["on_disk"] for name in SCRIPTS} == dict.fromkeys(SCRIPTS, "unresolvable")
    assert found[f"{BASE}/mentions"]["on_disk"] == "enabled"
    assert found[f"{BASE}/factors"]["on_disk"] == "disabled"


def test_a_tomcat_with_endless_contexts_is_audited(site: Site) -> None:
    site.put("oss", "/opt/tomcat/conf/server.xml", b"<Context " * 400000)
    site.put("oss", "/opt/tomcat/webapps/jenkins.war", b"PK")
    many = b"".join(b"<Context docBase='%d'/>" % number for number in range(100000))
    site.put("oss", "/opt/tomcat-many/conf/server.xml", many)
    for name in ("tomcat", "tomcat-many"):
        unit = TOMCAT_UNIT.replace("/opt/tomcat", f"/opt/{name}")
        site.put("oss", f"/etc/systemd/system/{name}.service", unit.encode())
    try:
        done = site.play("audit", inventory=site.inventory({"oss": {}, "deb": {}}, telemetry_attach="never"))
    finally:
        site.shell("oss", "rm -r /opt/tomcat /opt/tomcat-many /etc/systemd/system/tomcat*.service")
    assert done.verdicts()["deb"] == "violation", done.output
    found = _installations(done.report, "oss")
    assert found["jenkins"]["on_disk"] == "enabled"
    assert found["tomcat"]["on_disk"] == "enabled"
    assert found["tomcat-many"]["on_disk"] == "unresolvable"


def test_the_exceptions_of_a_proxy_do_not_hold_the_probe_up(site: Site) -> None:
    home = "/var/lib/jenkins"
    proxy = f"<proxy><name>127.0.0.1</name><port>9</port><noProxyHost>{'*' * 250}z</noProxyHost></proxy>"
    site.put("oss", f"{home}/proxy.xml", proxy.encode(), owner="jenkins")
    try:
        done = site.play(
            "audit", inventory=site.inventory({"oss": {}}, telemetry_attach="never", telemetry_connectivity="required")
        )
    finally:
        site.shell("oss", f"rm {home}/proxy.xml")
    answers = next(item for item in done.report["hosts"] if item["host"] == "oss")["state"]["connectivity"]
    assert len(answers) == 2, done.output


def test_a_unit_that_cannot_be_read_is_unresolvable_and_no_other(site: Site) -> None:
    drop_in = "/etc/systemd/system/jenkins.service.d/zz.conf"
    site.put("oss", drop_in, b"[Service]\nEnvironment=A=" + b"a" * (5 << 20))
    site.put("oss", f"{BASE}/plain", f"#!/bin/bash\nJAVA_OPTS={FLAG}\n{START}".encode(), 0o755)
    try:
        done = site.play(
            "audit",
            inventory=site.inventory(
                {"oss": {"telemetry_launch_scripts": [f"{BASE}/plain"]}}, telemetry_attach="never"
            ),
        )
    finally:
        site.shell("oss", f"rm -r {drop_in} {BASE}")
    found = _installations(done.report, "oss")
    assert (found["jenkins"]["on_disk"], found[f"{BASE}/plain"]["on_disk"]) == ("unresolvable", "disabled"), done.output

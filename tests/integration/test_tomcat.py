"""A war in Debian's Tomcat: what the engine makes of the real catalina.sh, against the JVM that it starts."""

from __future__ import annotations

import pytest
from fleethand import FLAG, Fleet

BOTH_CARRIERS = True
HOST = "bookworm-tomcat"
HOSTS = (HOST,)
SETENV = "/var/lib/tomcat10/bin/setenv.sh"
DEFAULT = "/etc/default/tomcat10"
OFF = FLAG.replace("=true", "=false")

# So many starts in a row are more than systemd allows; and the shell becomes the JVM a little later.
RESTART = (
    "systemctl reset-failed tomcat10; systemctl restart tomcat10; systemctl reset-failed tomcat10; "
    "for n in $(seq 100); do pgrep -f startup.Bootstrap >/dev/null && break; sleep 0.1; done"
)

SCENES = {
    "the package's own files": (f"rm {SETENV}", "enabled"),
    "catalina options": (f"echo 'CATALINA_OPTS=\"$CATALINA_OPTS {FLAG}\"' >>{SETENV}", "disabled"),
    "the later wins": (f"echo 'JAVA_OPTS=\"{OFF}\"; CATALINA_OPTS={FLAG}' >{SETENV}", "disabled"),
    "quotes for eval": (f'echo "CATALINA_OPTS=\'-Da=\\"b {FLAG}\\"\'" >{SETENV}', "enabled"),
    "the package's defaults": (f"rm {SETENV}; sed -i 's/^JAVA_OPTS=\"/&{FLAG} /' {DEFAULT}", "disabled"),
    "a dead variable": (f"echo 'JENKINS_JAVA_OPTIONS={FLAG}' >>{DEFAULT}", "enabled"),
    "an environment that beats it": (f"echo 'export _JAVA_OPTIONS={OFF} CATALINA_OPTS={FLAG}' >{SETENV}", "enabled"),
}


@pytest.fixture
def scene(fleet: Fleet) -> object:
    """Files to change; they come back as they were."""
    fleet.shell(HOST, f"cp -p {SETENV} /root/setenv; cp -p {DEFAULT} /root/default")
    yield
    fleet.shell(HOST, f"cp -p /root/setenv {SETENV}; cp -p /root/default {DEFAULT}; {RESTART}")


@pytest.mark.usefixtures("scene")
@pytest.mark.parametrize(("change", "verdict"), SCENES.values(), ids=SCENES)
def test_the_engine_and_the_jvm_agree(fleet: Fleet, change: str, verdict: str) -> None:
    fleet.shell(HOST, f"{change}\n{RESTART}")
    audit = fleet.play("audit", inventory=fleet.inventory({HOST: {}}))
    (installation,) = audit.report["hosts"][0]["state"]["installations"]
    assert installation["running"] == verdict, installation
    assert installation["on_disk"] == installation["next_start"] == verdict, installation
    assert installation["packaging"] == "tomcat"
    enforced = fleet.play("enforce", "-e", "telemetry_restart=now", inventory=fleet.inventory({HOST: {}}))
    assert enforced.verdicts() == {HOST: "compliant"}, enforced.output

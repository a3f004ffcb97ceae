"""What `su` brings along on a real host: PAM's environment and the login shell's profiles, against the JVM itself."""

from __future__ import annotations

import pytest
from fleethand import FLAG, Fleet

BOTH_CARRIERS = True
HOSTS = ["bullseye-oc-deb", "bookworm-cm-deb", "trixie-cm-deb"]
SCENES = {
    "PAM's environment file": ("/etc/environment", f"_JAVA_OPTIONS='{FLAG}'", "disabled"),
    "a profile": ("/etc/profile.d/java.sh", f"export JAVA_TOOL_OPTIONS={FLAG}", "disabled"),
    "the account's own profile": ("$HOME/.profile", f"export _JAVA_OPTIONS={FLAG}", "disabled"),
    "a variable that stays in the profile": ("/etc/profile.d/java.sh", f"_JAVA_OPTIONS={FLAG}", "enabled"),
}


@pytest.mark.parametrize(("file", "text", "verdict"), SCENES.values(), ids=SCENES)
def test_the_engine_and_the_jvm_agree(fleet: Fleet, file: str, text: str, verdict: str) -> None:
    services = {host: fleet.facts[host]["service"] for host in HOSTS}
    homes = {host: f"HOME={fleet.facts[host]['home']}" for host in HOSTS}
    for host, service in services.items():
        fleet.shell(
            host,
            f'{homes[host]}; cp -p "{file}" /root/kept 2>/dev/null || rm -f /root/kept\n'
            f'cat >"{file}" <<"END"\n{text}\nEND\nsystemctl restart {service}',
        )
    try:
        audit = fleet.play("audit", inventory=fleet.inventory({host: {} for host in HOSTS}))
    finally:
        for host, service in services.items():
            fleet.shell(
                host,
                f'{homes[host]}; if [ -e /root/kept ]; then cp -p /root/kept "{file}"; '
                f'else rm -f "{file}"; fi; systemctl restart {service}',
            )
    for item in audit.report["hosts"]:
        (installation,) = item["state"]["installations"]
        clocks = [installation[clock] for clock in ("on_disk", "next_start", "running")]
        assert clocks == [verdict] * 3, (item["host"], installation)

"""What the tests of restarts do with the fleet: builds on a stand-in, its JVM, telemetry on again afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fleethand import FLAG, Fleet

HOST = "bookworm-cm-deb"
SERVICE = "cloudbees-core-cm"
HOME = "/var/lib/cloudbees-core-cm"
TOKEN = "11fleet-Token-4712"  # noqa: S105
SCRIPTS = ["bullseye-script", "trixie-script"]
SCRIPT = "/opt/cloudbees/cm/start.sh"
# A pattern that does not find the shell that looks for it.
IS_ON = "pgrep -x java >/dev/null && ! {{ pgrep -f '{0}' || grep -rqs -e '{0}' {1}; }} >/dev/null && echo on".format(
    f"[-]{FLAG[1:]}", "/etc/default /etc/init.d /etc/systemd/system"
)


def inventory(fleet: Fleet, **variables: Any) -> Path:
    """The host, to be restarted when it is idle."""
    fleet.shell(HOST, f"printf 'jo:{TOKEN}' >{HOME}/standin-token")
    return fleet.inventory(
        {
            HOST: {
                "telemetry_restart": "when_idle",
                "telemetry_url": f"http://{fleet.facts[HOST]['address']}:8080/",
                "telemetry_user": "jo",
                "telemetry_token": TOKEN,
                "telemetry_allow_http": True,
                **variables,
            }
        }
    )


def builds(fleet: Fleet, *lines: str) -> None:
    """What runs on the controller from now on."""
    fleet.shell(
        HOST,
        f"rm -f {HOME}/standin-builds"
        if not lines
        else f"printf '%s\\n' {' '.join(repr(line) for line in lines)} >{HOME}/standin-builds",
    )


def asked(fleet: Fleet) -> dict[str, Any]:
    """What the controller says of itself."""
    done = fleet.inside("curl", "-sf", "-u", f"jo:{TOKEN}", f"http://{fleet.facts[HOST]['address']}:8080/api/json")
    return json.loads(done.stdout)


def pid(fleet: Fleet, host: str = HOST) -> str:
    """Its JVM."""
    return fleet.shell(host, "pgrep -x java", check=False).strip()


def on_again(fleet: Fleet) -> Iterator[None]:
    """Telemetry on, nothing built, whatever a test before this one did."""
    builds(fleet)
    yield
    builds(fleet)
    if fleet.shell(HOST, IS_ON, check=False) == "on\n":
        return  # nothing of a run is left
    fleet.play(
        "enforce",
        "-e",
        "telemetry_restart=now",
        "-e",
        "telemetry_desired=enabled",
        inventory=fleet.inventory({HOST: {}}),
    )

"""The inventory plugin against the stand-in operations center of a host, over TLS: who is there, and who asks without leave."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fleethand import Fleet

ROOT = Path(__file__).resolve().parents[2]
HOST = "trixie-oc-rpm"
HOSTS = (HOST,)
HOME = "/var/lib/cloudbees-core-oc"
STORE = "/root/standin.p12"
TOKEN = "11fleet-S3CR3T-0815"  # noqa: S105
MODEL = "com.cloudbees.opscenter.server.model."


def _controller(name: str, kind: str = "Client", **more: Any) -> dict[str, Any]:
    """A controller as the API lists it."""
    found = {
        "_class": f"{MODEL}{kind}Master",
        "fullName": name,
        "endpoint": f"https://{name.rpartition('/')[2]}.example/",
    }
    return {**found, "url": f"https://oc/job/{name}/", "online": True, "state": "CONNECTED", "approved": True, **more}


JOBS = {
    "_class": "hudson.model.Hudson",
    "jobs": [
        _controller("payroll"),
        {
            "_class": "com.cloudbees.hudson.plugins.folder.Folder",
            "fullName": "teams",
            "jobs": [
                _controller("teams/mobile", "Managed"),
                _controller("teams/old", online=False, state="DISCONNECTED", approved=False),
            ],
        },
    ],
}


@pytest.fixture(name="center", scope="module")
def _center(fleet: Fleet) -> Any:
    """The operations center with a certificate and controllers: its address, and the certificate's file."""
    address = fleet.facts[HOST]["address"]
    settings = "/etc/sysconfig/cloudbees-core-oc"
    fleet.shell(
        HOST,
        f"""set -e
rm -f {STORE}
keytool -genkeypair -alias oc -keyalg EC -dname CN=oc -ext SAN=ip:{address} -validity 2 -storetype PKCS12 \\
    -keystore {STORE} -storepass changeit 2>/dev/null
keytool -exportcert -rfc -alias oc -keystore {STORE} -storepass changeit >/root/standin.pem 2>/dev/null
cp {STORE} {HOME}/standin.p12
printf '%s' 'jo:{TOKEN}' >{HOME}/standin-token
cat >{HOME}/standin-jobs <<'END'
{json.dumps(JOBS)}
END
chown --reference={HOME} {HOME}/standin*
cp {settings} /root/settings
printf 'JENKINS_ARGS="$JENKINS_ARGS --httpsPort=8444 --httpsKeyStore={HOME}/standin.p12"\\n' >>{settings}
systemctl restart cloudbees-core-oc
python3 - <<'END'
import ssl, sys, time, urllib.error, urllib.request
for turn in range(300):
    try:
        urllib.request.urlopen("https://{address}:8444/login", context=ssl._create_unverified_context(), timeout=5)
        sys.exit()
    except urllib.error.URLError:
        time.sleep(0.2)
sys.exit("it does not start")
END
""",
    )
    certificate = fleet.folder / "oc.pem"
    certificate.write_text(fleet.shell(HOST, "cat /root/standin.pem") + "\n")
    yield f"https://{address}:8444/", certificate
    fleet.shell(HOST, f"cp /root/settings {settings}; rm -f {HOME}/standin*; systemctl restart cloudbees-core-oc")


def listed(fleet: Fleet, url: str, token: str, *words: str, **options: Any) -> tuple[int, str]:
    """Exit code and output of ``ansible-inventory`` with a file of the plugin."""
    folder = Path(fleet.folder)
    source = folder / "operations_center.yml"
    told = {"plugin": "cbops.telemetry.operations_center", "url": url, "user": "jo", "ca_file": None, **options}
    source.write_text(json.dumps({key: value for key, value in told.items() if value is not None}))
    done = fleet.inside(
        str(ROOT / ".venv/bin/ansible-inventory"),
        "-i",
        str(source),
        *words,
        environment={
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build/collections"),
            "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1",
            "CBOPS_OPERATIONS_CENTER_TOKEN": token,
            "LC_ALL": "C.UTF-8",
        },
    )
    assert TOKEN not in done.stdout + done.stderr
    return done.returncode, done.stdout + done.stderr * bool(done.returncode)


def test_graph_of_the_operations_center(fleet: Fleet, center: tuple[str, Path]) -> None:
    url, certificate = center
    code, text = listed(fleet, url, TOKEN, "--graph", ca_file=str(certificate))
    assert code == 0, text
    for name in ("payroll", "mobile", "old"):
        assert f"--{name}.example" in text
    code, text = listed(fleet, url, TOKEN, "--list", ca_file=str(certificate))
    values = json.loads(text)["_meta"]["hostvars"]
    assert set(values) == {"payroll.example", "mobile.example", "old.example", fleet.facts[HOST]["address"]}
    assert [host for host, one in values.items() if one.get("controller_approved") is False] == ["old.example"]


@pytest.mark.parametrize("wrong", ["token", "certificate", "http"])
def test_who_may_not_ask_gets_no_inventory(fleet: Fleet, center: tuple[str, Path], wrong: str) -> None:
    url, certificate = center
    address = fleet.facts[HOST]["address"]
    code, text = listed(
        fleet,
        f"http://{address}:8888/" if wrong == "http" else url,
        "wrong" if wrong == "token" else TOKEN,
        "--graph",
        ca_file=None if wrong == "certificate" else str(certificate),
    )
    assert code != 0 and "payroll.example" not in text
    assert {"token": "answers 403", "certificate": "certificate", "http": "allow_http"}[wrong] in text, text

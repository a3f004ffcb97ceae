"""What the product's export and the launch file hold (private key, grant id, credentials) and the token: searched for in all that
a run leaves behind, here and on the host, and in the memory of the run when its work is done."""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fleethand import BIN, Fleet

HOST = "trixie-cm-deb"
HOSTS = (HOST,)
HOME = "/var/lib/cloudbees-core-cm"
FILE = "/etc/default/cloudbees-core-cm"
TOKEN = "11fleet-T0K3N-4713"  # noqa: S105
#: In the stand-in's export, in the bundle on the host, in the launch file.
EXPORTED = (b"PLANTED", b"PRIVATE KEY")
BUNDLE, GRANT = b"bundle-S3CR3T-4711", b"grant-S3CR3T-4712"
#: What holds the run where its memory can be looked at: the audit's work is done, and the main process lives on.
HOLD = """
- ansible.builtin.import_playbook: cbops.telemetry.audit
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.copy: {content: "", dest: "{{ here }}/waits"}
    - ansible.builtin.wait_for: {path: "{{ here }}/go", timeout: 120, sleep: 1}
"""


@pytest.fixture(name="planted", scope="module")
def _planted(fleet: Fleet) -> Iterator[None]:
    """All of it is there."""
    before = fleet.shell(HOST, f"cat {FILE}")
    fleet.shell(
        HOST,
        f"""set -e
mkdir -p {HOME}/core-casc-bundle
printf '%s' 'jcasc: [jenkins.yaml]' >{HOME}/core-casc-bundle/bundle.yaml
printf '%s' 'jenkins:
  key: {BUNDLE.decode()}
unclassified:
  usageStatisticsCloudBees: {{usageStatisticsCollected: false}}
' >{HOME}/core-casc-bundle/jenkins.yaml
printf '%s' 'jo:{TOKEN}' >{HOME}/standin-token
printf '%s' false >{HOME}/standin-toggle
chown -R --reference={HOME} {HOME}
printf '%s\\n' 'JAVA_ARGS="$JAVA_ARGS -DMASTER_GRANT_ID={GRANT.decode()}"' >>{FILE}
systemctl restart cloudbees-core-cm
""",
    )
    yield
    fleet.shell(HOST, f"cat >{FILE} <<'END'\n{before}END\nsystemctl restart cloudbees-core-cm")


def memory(mark: str) -> dict[int, bytes]:
    """What the processes of a run hold: all that is mapped and can be written, as a core would have it."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended
            if mark.encode() in (place / "cmdline").read_bytes():
                found[int(place.name)] = b"".join(_regions(place))
    return found


def _regions(place: Path) -> Iterator[bytes]:
    with (place / "mem").open("rb", 0) as stream:
        for row in (place / "maps").read_text().splitlines():
            match = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", row)
            if match:
                start, end = (int(one, 16) for one in match.groups())
                with contextlib.suppress(OSError):  # a page of the kernel's
                    stream.seek(start)
                    yield stream.read(end - start)


def run(fleet: Fleet, folder: Path, carrier: str) -> tuple[str, dict[int, bytes]]:
    """An audit that asks for all, at the highest verbosity, with all that Ansible can leave behind; and its memory."""
    inventory = fleet.inventory(
        {
            HOST: {
                "telemetry_desired": "unmanaged",
                "telemetry_toggle": "disabled",
                "telemetry_toggle_served": True,
                "telemetry_events": "served",
                "telemetry_senders": True,
                "telemetry_threads": True,
                "telemetry_carrier": carrier,
                "telemetry_url": f"http://{fleet.facts[HOST]['address']}:8080/",
                "telemetry_user": "jo",
                "telemetry_token": "{{ lookup('ansible.builtin.env', 'OC_TOKEN') }}",
                "telemetry_allow_http": True,
            }
        }
    )
    (folder / "hold.yml").write_text(HOLD)
    for name in ("tmp", "cache", "retry"):
        (folder / name).mkdir()
    told: list[str] = []
    environment = {
        "OC_TOKEN": TOKEN,
        "TMPDIR": str(folder / "tmp"),
        "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
        "ANSIBLE_LOG_PATH": str(folder / "log"),
        "ANSIBLE_CACHE_PLUGIN": "ansible.builtin.jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(folder / "cache"),
        "ANSIBLE_RETRY_FILES_ENABLED": "1",
        "ANSIBLE_RETRY_FILES_SAVE_PATH": str(folder / "retry"),
        "ANSIBLE_KEEP_REMOTE_FILES": str(int(carrier == "module")),
    }

    def play() -> None:
        done = fleet.inside(
            str(BIN / "ansible-playbook"),
            str(folder / "hold.yml"),
            "-i",
            str(inventory),
            "-vvvv",
            "-e",
            f"telemetry_reports_dir={folder}/reports",
            "-e",
            f"here={folder}",
            environment=environment,
        )
        told.append(done.stdout + done.stderr)

    thread = threading.Thread(target=play)
    thread.start()
    try:
        deadline = time.monotonic() + 120
        while not (folder / "waits").exists() and thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.1)
        held = memory(f"here={folder}")
    finally:
        (folder / "go").touch()
        thread.join(180)
    return told[0], held


@pytest.mark.parametrize("carrier", ["pipe", "module"])
def test_nothing_of_it_is_left_anywhere(fleet: Fleet, planted: None, tmp_path: Path, carrier: str) -> None:
    fleet.shell(HOST, "touch /run/began; sleep 1.1")
    output, held = run(fleet, tmp_path, carrier)
    report = tmp_path / "reports/audit.json"
    assert report.exists(), output
    (entry,) = json.loads(report.read_text())["hosts"][0]["state"]["installations"]
    assert entry["toggle"]["served"] == {"collected": False, "mark": "export"}, "the export was read"
    assert entry["events"]["served"]["mark"] == "seen"
    assert "-DMASTER_GRANT_ID" not in output
    everything = (*EXPORTED, BUNDLE, GRANT)

    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"log", "audit.json"} <= {path.name for path in left}
    texts = {"the output": output.encode(), **{str(path): path.read_bytes() for path in left}}
    for where, text in texts.items():
        assert not [secret for secret in (*everything, TOKEN.encode()) if secret in text], where

    # The main process lives, and workers of it that hold; the one that read the export has ended.
    assert held and all(len(data) > 1 << 20 for data in held.values())
    assert any(HOST.encode() in data for data in held.values()), "it is the memory of the run"
    for pid, data in held.items():
        # Programs have words for kinds of keys; the key itself has the mark of what was planted.
        assert not [secret for secret in (b"PLANTED", BUNDLE, GRANT) if secret in data], pid

    places = "/tmp /var/tmp /dev/shm /run /root /home /var/log /var/lib/systemd/coredump /var/crash"
    words = "|".join(one.decode() for one in (*everything, TOKEN.encode()))
    found = fleet.shell(
        HOST,
        f"find {places} -xdev -type f -newer /run/began -exec grep -lE '{words}' {{}} + 2>/dev/null; "
        f"journalctl --no-pager --since=-10min 2>/dev/null | grep -E '{words}' | grep -v 'java\\[' | head -n 3",
        check=False,
    )
    assert found == "", found
    assert not [name for name in os.listdir(tmp_path) if name.startswith("core")]

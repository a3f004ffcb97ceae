"""Restarts that drain, wait for their window, and roll back: on real services, with a stand-in's Jenkins endpoints."""

from __future__ import annotations

import contextlib
import http.server
import os
import signal
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fleethand import BIN, CHECKOUT, FLAG, FLEET, Fleet
from restarthand import HOME, HOST, SCRIPT, SCRIPTS, SERVICE, TOKEN, asked, builds, inventory, on_again, pid

from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart._controller import Controller, ControllerError

HOSTS = (HOST, *SCRIPTS)


def family(top: int) -> list[int]:
    """A process and all below it (Ansible's workers have sessions of their own)."""
    found = [top]
    for number in found:
        children = Path(f"/proc/{number}/task/{number}/children").read_text().split()
        found += [int(child) for child in children]
    return found


@pytest.fixture(autouse=True)
def enabled(fleet: Fleet) -> Iterator[None]:
    """Each test begins with telemetry on."""
    yield from on_again(fleet)


def test_busy_beyond_the_deadline_is_deferred(fleet: Fleet) -> None:
    builds(fleet, "pipeline payments#12 600", "freestyle docs#3 600")
    before = pid(fleet)
    done = fleet.play("enforce", "-vvv", inventory=inventory(fleet, telemetry_idle_timeout=4))
    assert done.code == 0, done.output
    assert done.verdicts() == {HOST: "restart_pending"}
    assert "still busy after 4 seconds: docs#3, payments#12" in done.reasons(HOST)
    assert pid(fleet) == before, "nothing was restarted"
    assert asked(fleet)["quietingDown"] is False, "builds are started again"
    assert TOKEN not in done.output


def test_it_waits_until_the_last_build_has_ended(fleet: Fleet) -> None:
    builds(fleet, "pipeline payments#12 12")
    before, began = pid(fleet), time.time()
    with subprocess.Popen(
        [
            FLEET,
            "exec",
            "test",
            "--",
            "sh",
            "-c",
            f"for n in $(seq 100); do curl -s -u jo:{TOKEN} http://{fleet.facts[HOST]['address']}:8080/api/json;"
            " echo; sleep 0.2; done",
        ],
        stdout=subprocess.PIPE,
        text=True,
    ) as watch:
        done = fleet.play("enforce", inventory=inventory(fleet))
        watch.terminate()
        seen = watch.communicate()[0]
    assert done.verdicts() == {HOST: "compliant"}, done.output
    assert time.time() - began > 12 or pid(fleet) != before
    assert pid(fleet) != before
    assert '"quietingDown":true' in seen, "it was quieted down meanwhile"
    assert "Restart to apply the telemetry policy" in seen, "and said why"
    started = int(fleet.shell(HOST, "stat -c %Y /proc/$(pgrep -x java)"))
    assert started >= int(fleet.shell(HOST, f"stat -c %Y {HOME}/standin-builds")) + 12, "no build was cut off"


def test_a_controller_with_a_certificate_of_its_own_authority(tmp_path: Path) -> None:
    """Without the authority's file nothing is sent to it, the token least of all."""
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-keyout",
            tmp_path / "key",
            "-out",
            tmp_path / "pem",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
        ],
        check=True,
        capture_output=True,
    )
    heard: list[str] = []

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.headers.get("Authorization", ""))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"authenticated": true}')

        def log_message(self, *_arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pem", tmp_path / "key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"https://localhost:{server.server_address[1]}"
        with pytest.raises(ControllerError, match="certificate"):
            Controller(url, "jo", TOKEN).quiet()
        assert heard == []
        assert Controller(url, "jo", TOKEN, str(tmp_path / "pem")).is_ready()
        assert len(heard) == 1
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_wrong_token_restarts_nothing(fleet: Fleet) -> None:
    before = pid(fleet)
    done = fleet.play("enforce", inventory=inventory(fleet, telemetry_token="no-such-token"))  # noqa: S106
    assert "not restarted" in done.reasons(HOST)
    assert "answers 403" in done.reasons(HOST)
    assert pid(fleet) == before
    assert "no-such-token" not in done.output


def test_outside_of_the_window_it_is_deferred(fleet: Fleet) -> None:
    before = pid(fleet)
    window = {"zone": "Asia/Tokyo", "allow": ["Mon-Sun 00:00-24:00"], "deny": ["2020-01-01..2099-12-31"]}
    done = fleet.play(
        "enforce", "-e", "telemetry_restart=now", inventory=inventory(fleet, telemetry_restart_window=window)
    )
    assert done.verdicts() == {HOST: "restart_pending"}
    assert "outside of the maintenance window" in done.reasons(HOST)
    assert pid(fleet) == before


def test_a_window_that_cannot_be_read_stops_the_host(fleet: Fleet) -> None:
    launch = f"sha256sum </etc/default/{SERVICE}"
    before = pid(fleet), fleet.shell(HOST, launch)
    done = fleet.play("enforce", inventory=inventory(fleet, telemetry_restart_window={"zone": "Bärlin"}))
    assert done.code == 2
    assert done.verdicts() == {HOST: "unknown"}, "no other verdict without a policy"
    assert (pid(fleet), fleet.shell(HOST, launch)) == before
    assert "telemetry_restart_window: zone is" in done.output
    assert "IANA name" in done.output


def test_a_controller_that_does_not_become_ready_is_rolled_back(fleet: Fleet) -> None:
    """The JVM runs with the right value, but shows the "please wait" page for ever: that is no success."""
    launch = f"sha256sum </etc/default/{SERVICE}"
    original = fleet.shell(HOST, launch)
    fleet.shell(HOST, f"touch {HOME}/standin-never-ready")
    try:
        done = fleet.play("enforce", inventory=inventory(fleet, telemetry_restart="now", telemetry_restart_timeout=6))
    finally:
        fleet.shell(HOST, f"rm {HOME}/standin-never-ready")
    assert done.code == 2
    assert "does not become ready" in done.reasons(HOST)
    assert f"Rolled back /etc/default/{SERVICE}" in done.reasons(HOST)
    assert fleet.shell(HOST, launch) == original


def test_a_launch_file_that_breaks_the_jvm_is_rolled_back_and_the_next_batch_left_alone(
    fleet: Fleet, tmp_path: Path
) -> None:
    template = tmp_path / "start.sh.j2"
    template.write_text(
        "#!/bin/sh\ncd /opt/cloudbees/cm || exit 1\nexport JENKINS_HOME=/var/lib/cloudbees-cm\n"
        "exec java {{ '-Xmx32m -XX:NoSuchOption' | cbops.telemetry.with_flag(telemetry_desired) }} "
        "-jar /opt/cloudbees/cm/cloudbees-core-cm.war --httpPort=8080\n"
    )
    states = "sha256sum " + SCRIPT + "; stat -c '%a %u:%g' " + SCRIPT
    before = {host: fleet.shell(host, states) for host in SCRIPTS}
    pids = {host: pid(fleet, host) for host in SCRIPTS}
    done = fleet.play(
        "enforce",
        "-e",
        "telemetry_restart=now",
        "-e",
        "telemetry_restart_timeout=20",
        "-e",
        "telemetry_restart_serial=1",
        inventory=fleet.inventory(
            {host: {"telemetry_launch_templates": [{"src": str(template), "dest": SCRIPT}]} for host in SCRIPTS}
        ),
    )
    assert done.code == 2, done.output
    first, second = SCRIPTS
    assert f"Rolled back {SCRIPT} and restarted: it runs again as before" in done.reasons(first), done.reasons(first)
    assert "1 restart failed in this run" in done.reasons(second)
    assert {host: fleet.shell(host, states) for host in SCRIPTS} == before, "every byte, mode and owner as before"
    assert pid(fleet, first) not in ("", pids[first])
    assert pid(fleet, second) == pids[second], "the next batch was left alone"
    assert all(fleet.wait_for_events(time.time()).values()), "all run, and send as before"


@contextlib.contextmanager
def draining(fleet: Fleet) -> Iterator["subprocess.Popen[bytes]"]:
    """An enforce, in a session of its own, that has come as far as waiting for builds; left when it has ended."""
    arguments = [
        FLEET,
        "exec",
        "test",
        "--",
        str(BIN / "ansible-playbook"),
        "cbops.telemetry.enforce",
        "-i",
        str(inventory(fleet)),
        "-e",
        f"telemetry_reports_dir={fleet.folder}/draining",
    ]
    with subprocess.Popen(
        arguments,
        cwd=CHECKOUT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    ) as run:
        deadline = time.monotonic() + 120
        while not asked(fleet)["quietingDown"]:
            assert time.monotonic() < deadline, "it never came as far as draining"
            time.sleep(0.3)
        yield run


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_ended_while_it_drains_starts_builds_again(fleet: Fleet, number: signal.Signals) -> None:
    """Ctrl-C, as a terminal sends it to all that runs in it, and what a pipeline's runner sends."""
    builds(fleet, "freestyle docs#3 600")
    before = pid(fleet)
    with draining(fleet) as run:
        assert "[cbops.telemetry 20" in asked(fleet)["quietDownReason"], "it says whose it is"
        os.killpg(run.pid, number)
    deadline = time.monotonic() + 120
    while asked(fleet)["quietingDown"] and time.monotonic() < deadline:
        time.sleep(0.3)
    assert asked(fleet)["quietingDown"] is False
    assert pid(fleet) == before, "nothing was restarted"


def test_what_a_killed_run_left_quiet_is_taken_back_and_what_others_did_is_not(fleet: Fleet) -> None:
    builds(fleet, "freestyle docs#3 600")
    quiet = [
        *("curl", "-sf", "-X", "POST", "-u", f"jo:{TOKEN}"),
        f"http://{fleet.facts[HOST]['address']}:8080/quietDown?reason=",
    ]
    for reason, is_left in (("upgrade+at+noon", True), ("x+%5Bcbops.telemetry+R0%5D", False)):
        variables = inventory(fleet, telemetry_idle_timeout=2)
        fleet.inside(*quiet[:-1], quiet[-1] + reason)
        assert asked(fleet)["quietingDown"] is True
        done = fleet.play("enforce", inventory=variables)
        assert done.verdicts() == {HOST: "restart_pending"}, done.output
        assert asked(fleet)["quietingDown"] is is_left, reason
        said = "somebody else had quieted it down, and it stays so" if is_left else "builds are started again"
        assert said in done.reasons(HOST)


def test_what_was_replaced_while_it_drained_is_not_started(fleet: Fleet) -> None:
    """The rule is asked again after a long drain, and its quiet-down taken back."""
    war = f"/usr/share/{SERVICE}/{SERVICE}.war"
    builds(fleet, "pipeline payments#12 600")
    before, variables = pid(fleet), inventory(fleet)
    try:
        with ThreadPoolExecutor(1) as pool:
            run = pool.submit(fleet.play, "enforce", inventory=variables)
            deadline = time.monotonic() + 120
            while not asked(fleet)["quietingDown"]:
                assert time.monotonic() < deadline and not run.done(), "it never came as far as draining"
                time.sleep(0.3)
            fleet.shell(HOST, f"cp -p {war} {war}.new; mv {war}.new {war}; touch -d 2020-01-01 {war}")
            time.sleep(6)  # then the drain was a long one, whatever else this machine does
            builds(fleet)
            done = run.result()
        assert done.verdicts() == {HOST: "restart_pending"}, done.output
        assert "its war was replaced after its start (telemetry_restart_allow: [war] allows it)" in done.reasons(HOST)
        assert pid(fleet) == before
        assert asked(fleet)["quietingDown"] is False
    finally:
        fleet.shell(HOST, f"systemctl restart {SERVICE}")


def test_a_run_that_is_killed_while_it_drains_is_healed_by_the_next(fleet: Fleet) -> None:
    builds(fleet, "freestyle docs#3 600")
    with draining(fleet) as run:
        for number in family(run.pid):
            os.kill(number, signal.SIGKILL)
    assert FLAG in fleet.shell(HOST, f"cat /etc/default/{SERVICE}"), "edited, not restarted"
    builds(fleet)
    done = fleet.play("enforce", inventory=inventory(fleet))
    assert done.verdicts() == {HOST: "compliant"}, done.output
    assert asked(fleet)["quietingDown"] is False

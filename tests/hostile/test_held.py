"""What held when hosts attacked, and must go on holding, on the fleet (the rest: tests/unit/test_held.py)."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import secrets
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import schemas
from attacker import PROFILE, Site
from fleethand import BIN, CHECKOUT, FLEET, Done, place

CONFIG = f"-F {place(PROFILE)}/ssh_config"
#: A connection that was there before would have the shell that was there before.
FRESH = {"ansible_ssh_common_args": f"{CONFIG} -o ControlPath=none"}
SWEEPS = ("never", "auto")


def audit(site: Site, hosts: dict[str, dict[str, Any]], *arguments: str, **variables: Any) -> Done:
    """An audit of some hosts, each over a connection of its own."""
    return site.play("audit", *arguments, inventory=site.inventory(hosts, **{**FRESH, **variables}))


# -- noise ------------------------------------------------------------------------------------------


@pytest.fixture
def noisy(site: Site) -> Iterator[None]:
    """A profile that talks before and after, with answers of its own, and a sudo that lectures each time."""
    lie = '{"changed": false, "state": {"installations": []}}'
    noise = "\n".join(
        f"echo '{line}'; echo '{line}' >&2"
        for line in (
            "Welcome!",
            "{",
            lie,
            f"<cbops {'0' * 32} {lie} {'0' * 32} cbops>",
            f"\n<cbops {lie} cbops>",
            "sudo: a tty?",
        )
    )
    site.shell("deb", "usermod -s /bin/bash ansible; echo 'Defaults lecture=always' >/etc/sudoers.d/lecture")
    site.put(
        "deb", "/home/ansible/.bashrc", f"noise() {{\n{noise}\n}}\nnoise\ntrap noise EXIT\n".encode(), owner="ansible"
    )
    yield
    site.shell("deb", "usermod -s /bin/sh ansible; rm -f /home/ansible/.bashrc /etc/sudoers.d/lecture")


@pytest.mark.parametrize("sweep", SWEEPS)
def test_noise_around_the_answer(site: Site, noisy: None, sweep: str) -> None:
    done = audit(site, {"deb": {}}, telemetry_sweep=sweep)
    assert done.verdicts() == {"deb": "violation"}, done.output


@pytest.mark.parametrize("sweep", SWEEPS)
def test_a_host_that_repeats_what_it_was_sent(site: Site, sweep: str) -> None:
    """Neither once nor twice is it an answer: the marks do not stand in it."""
    site.put("deb", "/opt/echo", b"#!/bin/sh\ncat\n", 0o755)
    site.put("deb", "/opt/echo-twice", b"#!/bin/sh\nall=$(mktemp); cat >$all; cat $all $all; exit 0\n", 0o755)
    for program in ("/opt/echo", "/opt/echo-twice"):
        done = audit(
            site,
            {"deb": {}, "oss": {"ansible_python_interpreter": None}},
            telemetry_sweep=sweep,
            ansible_python_interpreter=program,
        )
        assert done.verdicts()["deb"] == "unknown", done.output
        assert "without an answer" in done.reasons("deb")


# -- the Python of a host ----------------------------------------------------------------------------


@pytest.mark.parametrize("become", [True, False])
def test_no_module_of_the_hosts_own_is_imported(site: Site, become: bool) -> None:
    """From the working folder, PYTHONPATH, the user's packages, what the machine's packages run at the start."""
    evil = b"open('/tmp/held-ran', 'a').write(__name__ + '\\n')\n"
    site.shell("oss", "usermod -s /bin/bash ansible; rm -f /tmp/held-ran")
    version = site.shell("oss", "python3 -c 'import sys; print(\"%d.%d\" % sys.version_info[:2])'").strip()
    for name in ("json", "zlib", "re", "os", "typing", "collections", "usercustomize"):
        for folder in (
            "/home/ansible",
            "/home/ansible/evil",
            f"/home/ansible/.local/lib/python{version}/site-packages",
        ):
            site.put("oss", f"{folder}/{name}.py", evil, owner="ansible")
    site.put(
        "oss",
        "/usr/lib/python3/dist-packages/held.pth",
        b'import sys; exec("' + evil.strip().replace(b"__name__ + '\\n'", b"'held.pth'") + b'")\n',
    )
    site.put(
        "oss",
        "/home/ansible/.bashrc",
        b"export PYTHONPATH=~/evil PYTHONSTARTUP=~/evil/re.py PYTHONINSPECT=1 PYTHONHOME=/home/ansible\n",
        owner="ansible",
    )
    try:
        done = audit(site, {"oss": {}}, ansible_become=become)
        ran = site.shell("oss", "cat /tmp/held-ran 2>/dev/null || true")
    finally:
        site.shell(
            "oss",
            "usermod -s /bin/sh ansible; rm -rf /home/ansible/*.py /home/ansible/evil "
            "/home/ansible/.local "
            "/home/ansible/.bashrc /usr/lib/python3/dist-packages/held.pth /tmp/held-ran",
        )
    assert not become or done.verdicts() == {"oss": "violation"}, done.output
    assert ran == ""


# -- secrets ----------------------------------------------------------------------------------------


class Watch:
    """Looks at the command lines and environments of all processes that begin, here and on the hosts."""

    def __init__(self, words: list[bytes]) -> None:
        self._words = words
        self._before = {name for name in os.listdir("/proc") if name.isdigit()}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.found: set[str] = set()
        self.seen: set[str] = set()

    def _look(self) -> None:
        while not self._over.is_set():
            for name in {name for name in os.listdir("/proc") if name.isdigit()} - self._before:
                for file in ("cmdline", "environ"):
                    try:
                        text = Path("/proc", name, file).read_bytes()
                    except OSError:
                        continue
                    self.seen.add(text[:200].decode("ascii", "replace"))
                    if any(word in text for word in self._words):
                        self.found.add(f"{file}: {text.decode('utf-8', 'replace')}")
            time.sleep(0.002)  # the audit wants its share of the machine

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()


def test_no_secret_in_processes_output_and_reports(site: Site) -> None:
    """The passwords of login and sudo, and what a launch file and a JVM keep, at the highest verbosity."""
    word = secrets.token_hex(8)
    password, planted, token = f"held-password-{word}", f"held-planted-{word}", f"held-token-{word}"
    facts = site.facts["rpm"]
    site.put("rpm", "/root/held-word", f"keyholder:{password}\n".encode(), 0o600)
    site.shell(
        "rpm",
        "useradd -m -s /bin/sh keyholder; chpasswd </root/held-word; rm /root/held-word; "
        "printf 'keyholder ALL=(ALL) ALL\\n' >/etc/sudoers.d/keyholder; "
        "sed -i '1i Match User keyholder\\n PasswordAuthentication yes\\nMatch all' "
        "/etc/ssh/sshd_config; systemctl reload ssh",
    )
    launch = site.shell("rpm", f"cat {facts['launch_file']}")
    more = f'{facts["variable"]}="${facts["variable"]} -Djavax.net.ssl.keyStorePassword={planted}"\n# {planted}\n'
    site.put("rpm", facts["launch_file"], (launch + more).encode())
    site.shell("rpm", f"systemctl restart {facts['service']}")
    login = {
        "ansible_user": "keyholder",
        "ansible_password": password,
        "ansible_become_password": password,
        "ansible_ssh_common_args": f"{CONFIG} -o ControlPath=none -o User=keyholder -o IdentityFile=none",
        # Nobody listens there: the restart fails, and the failure is told of.
        "telemetry_url": f"http://{facts['address']}:1",
        "telemetry_user": "jo",
        "telemetry_token": token,
        "telemetry_allow_http": True,
    }
    output = []
    try:
        with Watch([password.encode(), planted.encode(), token.encode()]) as watch:
            for name, *arguments in (
                ("plan",),
                ("audit", "-e", "telemetry_sweep=auto"),
                ("enforce", "-e", "telemetry_restart=when_idle"),
                ("audit", "-e", "telemetry_sweep=never"),
            ):
                done = site.play(name, "-vvvvv", "--diff", *arguments, inventory=site.inventory({"rpm": login}))
                output.append(done.output)
    finally:
        site.put("rpm", facts["launch_file"], launch.encode())
        site.shell(
            "rpm",
            f"systemctl restart {facts['service']}; userdel -r keyholder; rm /etc/sudoers.d/keyholder; "
            "sed -i 1,3d /etc/ssh/sshd_config; systemctl reload ssh",
            check=False,
        )
    for words in ("ansible-playbook", "sudo", "-I\0-S\0-c"):  # here, and on the host
        assert any(words in text for text in watch.seen), words
    assert not watch.found, watch.found
    assert all("rpm" in text for text in output)
    assert "failed=0" in output[-1]
    assert "does not answer" in output[2], "the restart was tried, with the token"
    files = {
        str(path): path.read_text(errors="replace")
        for folder in site.folder.glob("reports-*")
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert files
    for where, text in {**files, **{f"output {number}": text for number, text in enumerate(output)}}.items():
        for secret in (password, planted, token):
            assert secret not in text, where


# -- names ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sweep", SWEEPS)
def test_names_of_hosts_are_no_paths(site: Site, tmp_path: Path, sweep: str) -> None:
    names = ["../../held-out", "a/../../../held-out", "held/out", "%2e%2e%2fheld-out", "..held"]
    reports = tmp_path / "one/two/reports"
    for play in ("audit", "plan"):
        inventory = site.inventory({name: {"ansible_host": "deb"} for name in names}, telemetry_sweep=sweep)
        done = site.inside(
            str(BIN / "ansible-playbook"),
            f"cbops.telemetry.{play}",
            "-i",
            str(inventory),
            "-e",
            f"telemetry_reports_dir={reports}",
            environment={"ANSIBLE_NOCOLOR": "1"},
        )
        assert "held-out" in done.stdout, done.stdout + done.stderr
    found = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert all(path.is_relative_to(reports) for path in found)
    evidence = [path for path in found if "evidence" in path.parts]
    assert len(evidence) == len(names)
    assert {path.parent for path in evidence} == {reports / "evidence"}
    report = json.loads((reports / "audit.json").read_text())
    assert {item["host"]: item["verdict"] for item in report["hosts"]} == dict.fromkeys(names, "violation")


HOSTILE_NAME = "x\n## ok\n</pre><script>alert(1)</script>\x1b[2J\u202e @octocat [x](//evil.example) =1+1"


def test_names_that_speak(site: Site) -> None:
    """A real JVM of an ordinary user on a war with such a name, and such values in a launch file: all files hold."""
    folder = "/home/alice/t"
    site.shell("oss", f"install -d -o alice {folder}; install -m 644 {site.facts['oss']['war']} {folder}/war")
    script = (
        "import os, sys\nname = " + ascii(HOSTILE_NAME.replace("/", "|") + "jenkins.war") + "\n"
        f'os.symlink("{folder}/war", "{folder}/" + name)\n'
        f'os.chdir("{folder}")\nnull = os.open(os.devnull, os.O_RDWR)\n'
        "for number in range(3):\n    os.dup2(null, number)\n"
        'os.execvp("java", ["java", "-Xmx64m", "-Dcom.cloudbees.analytics.gatherer.Sender.disabled=" + name,\n'
        f'    "-jar", "{folder}/" + name, "--httpPort=18080", "--webroot={folder}/webroot"])\n'
    )
    site.put("oss", f"{folder}/run.py", script.encode("ascii"), owner="alice")
    site.shell("oss", f"systemd-run -q --unit=speaker --uid=alice -E JENKINS_HOME={folder} python3 {folder}/run.py")
    drop = (
        '[Service]\nEnvironment="JAVA_OPTS=-Djava.awt.headless=true -Dcom.cloudbees.analytics.gatherer.Sender.'
        'disabled=</script><img/src=x> -Dx==HYPERLINK(1)"\n'
    )
    site.put("oss", "/etc/systemd/system/jenkins.service.d/zz-<script>@octocat.conf", drop.encode())
    site.shell(
        "oss",
        "systemctl daemon-reload; for i in $(seq 100); do "
        "pgrep -u alice java >/dev/null && exit; sleep 0.1; done; exit 1",
    )
    try:
        done = site.play(
            "audit",
            "-e",
            '{"telemetry_report_formats": ["html", "junit", "sarif", "openmetrics", "csv", "markdown", "json"]}',
        )
    finally:
        site.shell(
            "oss",
            "systemctl stop speaker; rm -rf /etc/systemd/system/jenkins.service.d; "
            f"systemctl daemon-reload; rm -rf {folder}",
        )
    assert done.verdicts()["deb"] == "violation", done.output
    reports = max(site.folder.glob("reports-*"), key=lambda path: path.stat().st_mtime)
    text = {path.name.partition(".")[2]: path.read_text(encoding="utf-8") for path in reports.glob("audit.*")}
    assert "octocat" in text["json"]
    assert text["html"].count("<script") == text["html"].count("</script>") == 2
    assert "<img" not in text["html"]
    assert len(list(ElementTree.fromstring(text["junit.xml"]).iter("testcase"))) == len(site.hosts)  # noqa: S314
    assert len(json.loads(text["sarif"])["runs"]) == 1
    rows = list(csv.reader(io.StringIO(text["csv"])))
    assert {len(row) for row in rows} == {len(rows[0])}
    assert {row[0] for row in rows[1:]} == set(site.hosts)
    outside = re.sub(r"<code>.*?</code>|<pre>.*?</pre>", "", text["md"], flags=re.DOTALL)
    assert "octocat" not in outside
    assert "evil.example" not in outside
    for name in ("json", "junit.xml", "sarif", "csv", "md", "prom"):
        assert not set("\x1b\u202e") & set(text[name]), name


# -- an audit that is killed --------------------------------------------------------------------------


def mine(mark: str) -> list[int]:
    """All processes with this mark in their environment: a worker of Ansible has a session of its own."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                if mark.encode() in Path("/proc", name, "environ").read_bytes():
                    found.append(int(name))
            except OSError:
                continue
    return found


MOMENTS: dict[str, Callable[[Path, int], bool]] = {
    "it begins": lambda reports, hosts: any((reports / "runs").glob("*")),
    "the first evidence": lambda reports, hosts: len(list((reports / "evidence").glob("*.json"))) >= 1,
    "half of it": lambda reports, hosts: len(list((reports / "evidence").glob("*.json"))) >= hosts // 2,
    "all of it": lambda reports, hosts: len(list((reports / "evidence").glob("*.json"))) >= hosts,
    "the report": lambda reports, hosts: any(reports.glob("audit.*")) or any((reports / "manifests").glob("*")),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_audit_leaves_whole_evidence_or_none(site: Site, tmp_path: Path, moment: str) -> None:
    hosts = {f"{host}-{number}": {"ansible_host": host} for number in range(3) for host in site.hosts}
    reports = tmp_path / "reports"
    inventory = site.inventory(hosts, ansible_ssh_common_args=CONFIG)
    command = [
        str(BIN / "ansible-playbook"),
        "cbops.telemetry.audit",
        "-i",
        str(inventory),
        "-e",
        f"telemetry_reports_dir={reports}",
    ]
    mark = f"HELD_RUN={secrets.token_hex(8)}"
    process = subprocess.Popen(
        [FLEET, "exec", PROFILE, "--", *command],
        cwd=CHECKOUT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **dict([mark.split("=")])},
    )
    try:
        while not MOMENTS[moment](reports, len(hosts)) and process.poll() is None:
            time.sleep(0.001)
        assert process.poll() is None, "it was too quick"
    finally:
        while left := mine(mark):
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            process.poll()
            time.sleep(0.01)
        process.wait()
    assert process.returncode == -signal.SIGKILL
    for path in (reports / "evidence").glob("*.json"):
        document = json.loads(path.read_text(encoding="utf-8"))
        schemas.validate(document)
        assert document["verdict"] == "violation"
    for path in reports.glob("audit.json"):
        schemas.validate(json.loads(path.read_text(encoding="utf-8")))
    done = site.inside(*command)
    assert done.returncode == 2, done.stdout + done.stderr
    report = json.loads((reports / "audit.json").read_text())
    assert {item["host"]: item["verdict"] for item in report["hosts"]} == dict.fromkeys(hosts, "violation")

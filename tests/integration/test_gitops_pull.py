"""A controller that enforces itself from Git: a real Git server over ssh, real signatures, a real timer."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fleethand import BIN, CHECKOUT, FLAG, FLEET

HOST = "cm1"
LAUNCH = "/etc/default/cloudbees-core-cm"
LIB = "/var/lib/cbops-telemetry"
METRICS = "/var/lib/node-exporter"
UNIT = "cbops-telemetry-pull.service"
REPOSITORY = "/srv/git/policy.git"
AS_GIT = f"runuser -u git -- git -C {REPOSITORY}"


def run(*command: str, data: bytes = b"", check: bool = True, **more: Any) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, input=data, capture_output=True, check=False, timeout=600, **more)
    result = subprocess.CompletedProcess(command, done.returncode, done.stdout.decode(), done.stderr.decode())
    assert not check or done.returncode == 0, result
    return result


class Site:
    """The host that pulls, the server with the policy, and the checkout in which it is written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkout = folder / "policy"
        for name in ("deploy", "trusted", "stranger"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name))
        self.address = self.shell("git", "hostname -I").split()[0]
        self.shell("git", f"""
            git init --quiet --bare --initial-branch=main {REPOSITORY}
            mkdir -p /srv/git/.ssh
            printf '%s\\n' "restrict,command=\\"git-upload-pack '{REPOSITORY}'\\" $(cat)" >/srv/git/.ssh/authorized_keys
            chown -R git: /srv/git; chmod 700 /srv/git/.ssh; chmod 600 /srv/git/.ssh/authorized_keys
            """, self.text("deploy.pub").encode())
        run("git", "init", "--quiet", "--initial-branch=main", str(self.checkout))

    def text(self, name: str) -> str:
        return (self.folder / name).read_text()

    def shell(self, host: str, script: str, data: bytes = b"", check: bool = True) -> str:
        return run(FLEET, "shell", "gitops", host, "--", "sh", "-euc", script, data=data, check=check).stdout

    def code(self, host: str, script: str) -> int:
        return run(FLEET, "shell", "gitops", host, "--", "sh", "-c", script, check=False).returncode

    # -- the policy ---------------------------------------------------------------------------------

    def git(self, *arguments: str) -> str:
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
        return run("git", "-C", str(self.checkout), "-c", "user.name=Jo Doe", "-c", "user.email=jo@example.com", "-c",
                   "gpg.format=ssh", *arguments, env=environment).stdout.strip()

    def commit(self, desired: str, signer: str | None) -> str:
        """A policy for the host, committed and published; its commit."""
        variables = {"telemetry_desired": desired, "telemetry_restart": "now"}
        inventory = self.checkout / "inventory"
        inventory.mkdir(exist_ok=True)
        (inventory / "hosts.yml").write_text(json.dumps(
            {"all": {"vars": variables, "hosts": {HOST: {"ansible_host": "192.0.2.1"}, "another": {}}}}))
        self.git("add", ".")
        signing = ["-c", f"user.signingkey={self.folder / signer}", "commit", "-S"] if signer else ["commit"]
        self.git(*signing, "--quiet", "--allow-empty", "-m", f"{desired} by {signer}")
        return self.publish("main")

    def publish(self, what: str) -> str:
        bundle = self.folder / "bundle"
        self.git("branch", "--force", "published", what)
        self.git("bundle", "create", "--quiet", str(bundle), "published")
        self.shell("git", f"cat >/srv/bundle; {AS_GIT} fetch --quiet --force /srv/bundle published:main",
                   bundle.read_bytes())
        return self.git("rev-parse", what)

    # -- the host -----------------------------------------------------------------------------------

    def role(self, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
        key = self.shell("git", "cat /etc/ssh/ssh_host_ed25519_key.pub").split()[:2]
        variables = {
            "gitops_pull_repository": f"ssh://git@{self.address}{REPOSITORY}",
            "gitops_pull_deploy_key": self.text("deploy"),
            "gitops_pull_known_hosts": f"{self.address} {' '.join(key)}",
            "gitops_pull_allowed_signers": f"jo@example.com {self.text('trusted.pub')}",
            "gitops_pull_textfile_dir": METRICS,
            "gitops_pull_packages": [],  # the fleet's hosts have them, and no mirror
            **more}
        inventory = {"all": {"hosts": {HOST: {}}, "vars": {
            "ansible_ssh_common_args": f"-F {CHECKOUT}/.fleet/gitops/ssh_config", "ansible_become": True,
            "ansible_python_interpreter": "auto_silent", **variables}}}
        (self.folder / "inventory.json").write_text(json.dumps(inventory))
        (self.folder / "play.json").write_text(json.dumps([
            {"hosts": "all", "gather_facts": True, "roles": ["cbops.telemetry.gitops_pull"]}]))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        return run(FLEET, "exec", "gitops", "--", str(BIN / "ansible-playbook"), "-i",
                   str(self.folder / "inventory.json"), str(self.folder / "play.json"), *arguments, check=False,
                   cwd=CHECKOUT, env={**environment, "ANSIBLE_NOCOLOR": "1"})

    def pull(self) -> tuple[int, str]:
        """One run of the service: the program's exit code and what the journal says of it."""
        self.code(HOST, f"systemctl start {UNIT}")
        journal = self.shell(HOST, f"journalctl --sync; journalctl -o cat "
                                   f"_SYSTEMD_INVOCATION_ID=$(systemctl show -P InvocationID {UNIT})")
        code = self.shell(HOST, f"systemctl show -P ExecMainStatus {UNIT}")
        return int(code), journal

    def launch(self) -> str:
        return self.shell(HOST, f"cat {LAUNCH}")

    def metrics(self) -> dict[str, str]:
        """The samples of both files, by name and labels."""
        text = self.shell(HOST, f"cat {METRICS}/*.prom")
        return dict(line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A fleet with a Git server."""
    for arguments in (["check"], ["up", "gitops", "--fresh"]):
        done = run(FLEET, *arguments, check=False)
        if done.returncode:
            pytest.exit(f"the embedded fleet is needed for these tests: {(done.stderr or done.stdout).strip()}", 3)
    made = Site(tmp_path_factory.mktemp("site"))
    made.shell(HOST, f"mkdir -p {METRICS}")
    yield made
    run(FLEET, "down", "gitops", check=False)


def test_a_host_keeps_to_its_policy_by_itself(site: Site) -> None:
    """One story from start to end, because every step stands on the one before."""
    check = site.role("--check", "--diff")
    assert check.returncode == 0, check.stdout + check.stderr
    assert site.code(HOST, f"test -e {LIB}") == 1, "check mode changes nothing"

    first = site.role("-vvv", "--diff")
    assert first.returncode == 0, first.stdout + first.stderr
    secret = site.text("deploy").splitlines()[2]
    assert secret not in first.stdout + check.stdout, "the deploy key is nobody's to read"
    again = site.role()
    assert re.search(r"changed=0 ", again.stdout), again.stdout
    assert site.shell(HOST, "systemctl is-active cbops-telemetry-pull.timer").strip() == "active"
    assert site.shell(HOST, "stat -c '%a %U' /etc/cbops-telemetry/deploy_key").strip() == "600 root"

    # Nothing is there yet; then a signed policy arrives.
    code, journal = site.pull()
    assert code == 3, journal
    untouched = site.launch()
    assert FLAG not in untouched
    off = site.commit("disabled", "trusted")
    code, journal = site.pull()
    assert code == 0, journal
    assert FLAG in site.launch()
    evidence = json.loads(site.shell(HOST, f"cat {LIB}/reports/evidence/{HOST}.json"))
    assert evidence["verdict"] == "compliant", evidence["reasons"]
    assert evidence["state"]["installations"][0]["running"] == "disabled"
    assert site.shell(HOST, f"ls {LIB}/reports/evidence").split() == [f"{HOST}.json"], "this host alone"
    metrics = site.metrics()
    assert metrics["cbops_telemetry_pull_exit_code"] == "0"
    assert metrics[f'cbops_telemetry_pull_commit_info{{commit="{off}"}}'] == "1"
    assert metrics['cbops_telemetry_hosts{verdict="compliant"}'] == "1"

    # Commits that nobody who is trusted has signed apply nothing; the last good one stays in force.
    disabled = site.launch()
    for signer in (None, "stranger"):
        refused = site.commit("enabled", signer)
        code, journal = site.pull()
        assert code == 1, journal
        assert f"commit {refused} is refused" in journal
        assert f"the last good commit {off} stays in force" in journal
        assert site.launch() == disabled
        assert site.metrics()["cbops_telemetry_pull_exit_code"] == "1"
        assert site.shell(HOST, f"systemctl is-failed {UNIT} || true").strip() == "failed"

    # A policy change arrives.
    on = site.commit("enabled", "trusted")
    code, journal = site.pull()
    assert code == 0, journal
    assert site.launch() == untouched, "`enabled` gives back every byte"

    # An older policy does not come back by itself.
    site.publish(off)
    code, journal = site.pull()
    assert code == 1, journal
    assert "does not follow" in journal and on in journal
    assert site.launch() == untouched
    site.git("commit", "--quiet", "--allow-empty", "-m", "x")  # unsigned, on top of everything
    again_off = site.commit("disabled", "trusted")
    assert site.pull()[0] == 0
    assert FLAG in site.launch()

    # A manual edit is put back at the next run, also where the server is away.
    for away in (False, True):
        site.shell(HOST, f"sed -i 's/{FLAG}//' {LAUNCH}")
        assert FLAG not in site.launch()
        if away:
            run(FLEET, "power", "gitops", "git", "off")
        try:
            code, journal = site.pull()
        finally:
            if away:
                run(FLEET, "power", "gitops", "git", "on")
        assert code == (1 if away else 0), journal
        assert FLAG in site.launch()
    assert f"the last good commit {again_off} stays in force" in journal

    # Whom we do not trust any more has no commit in force.
    site.shell(HOST, "cp -p /etc/cbops-telemetry/allowed_signers /root/kept; "
                     "echo 'jo@example.com ssh-ed25519 AAAA' >/etc/cbops-telemetry/allowed_signers; "
                     f"sed -i 's/{FLAG}//' {LAUNCH}")
    code, journal = site.pull()
    assert code == 3, journal
    assert FLAG not in site.launch()
    site.shell(HOST, "mv /root/kept /etc/cbops-telemetry/allowed_signers")

    # Two runs never overlap.
    code = site.code(HOST, f"flock {LIB}/lock python3 -I /usr/local/libexec/telemetry-pull")
    assert code == 75
    assert site.pull()[0] == 0

    # The deploy key can only read.
    pushed = site.shell(HOST, f"""
        cd $(mktemp -d); git init --quiet .; git -c user.name=x -c user.email=x@example.com commit -q --allow-empty -m x
        etc=/etc/cbops-telemetry
        GIT_SSH_COMMAND="ssh -F none -i $etc/deploy_key -o UserKnownHostsFile=$etc/known_hosts" \\
            git push --force ssh://git@{site.address}{REPOSITORY} HEAD:main 2>&1 && echo PUSHED || echo REFUSED""")
    assert pushed.rstrip().endswith("REFUSED"), pushed
    assert site.shell("git", f"{AS_GIT} rev-parse main").strip() == again_off

    # A script in the inventory is data that cannot be read, and is not run.
    script = site.checkout / "inventory/evil.sh"
    script.write_text("#!/bin/sh\ntouch /root/was-run\necho '{}'\n")
    script.chmod(0o755)
    site.commit("disabled", "trusted")
    site.pull()
    assert site.code(HOST, "test -e /root/was-run") == 1
    script.unlink()

    absent = site.role(gitops_pull_state="absent")
    assert absent.returncode == 0, absent.stdout + absent.stderr
    left = site.shell(HOST, f"ls -d /etc/cbops-telemetry {LIB} /usr/local/share/cbops-telemetry {METRICS}/*.prom "
                            "/usr/local/libexec/telemetry-pull /etc/systemd/system/cbops-telemetry-pull.* 2>/dev/null "
                            "|| true")
    assert left == ""
    assert re.search(r"changed=0 ", site.role(gitops_pull_state="absent").stdout), "a second time changes nothing"

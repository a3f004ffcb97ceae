"""A host that enforces itself, the Git server with its policy, and the checkout in which that policy is written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fleethand import BIN, CHECKOUT, FLEET, place, shell_in, up

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


class PolicySite:
    """The host that pulls, the server with the policy, and the checkout in which it is written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkout = folder / "policy"
        for name in ("deploy", "trusted", "stranger"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name))
        self.address = self.shell("git", "hostname -I").split()[0]
        self.shell(
            "git",
            f"""
            git init --quiet --bare --initial-branch=main {REPOSITORY}
            mkdir -p /srv/git/.ssh
            printf '%s\\n' "restrict,command=\\"git-upload-pack '{REPOSITORY}'\\" $(cat)" >/srv/git/.ssh/authorized_keys
            chown -R git: /srv/git; chmod 700 /srv/git/.ssh; chmod 600 /srv/git/.ssh/authorized_keys
            """,
            self.text("deploy.pub").encode(),
        )
        run("git", "init", "--quiet", "--initial-branch=main", str(self.checkout))

    def text(self, name: str) -> str:
        return (self.folder / name).read_text()

    def shell(self, host: str, script: str, data: bytes = b"", check: bool = True) -> str:
        return run(*shell_in("gitops", host, "sh", "-euc", script), data=data, check=check).stdout

    def code(self, host: str, script: str) -> int:
        return run(*shell_in("gitops", host, "sh", "-c", script), check=False).returncode

    # -- the policy ---------------------------------------------------------------------------------

    def git(self, *arguments: str, when: str = "now") -> str:
        date = run("date", "--iso-8601=seconds", "--date", when).stdout.strip()
        environment = {
            **os.environ,
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_DATE": date,
            "GIT_COMMITTER_DATE": date,
        }
        return run(
            "git",
            "-C",
            str(self.checkout),
            "-c",
            "user.name=Jo Doe",
            "-c",
            "user.email=jo@example.com",
            "-c",
            "gpg.format=ssh",
            *arguments,
            env=environment,
        ).stdout.strip()

    def commit(
        self,
        desired: str,
        signer: str | None,
        branch: str = "main",
        when: str = "now",
        files: dict[str, str] | None = None,
        **variables: object,
    ) -> str:
        """A policy for the host with these files beside it, committed (for a branch, at a time) and published."""
        inventory = self.checkout / "inventory"
        shutil.rmtree(inventory, ignore_errors=True)
        hosts = json.dumps(
            {
                "all": {
                    "vars": {"telemetry_desired": desired, "telemetry_restart": "now", **variables},
                    "hosts": {HOST: {"ansible_host": "192.0.2.1"}, "another": {}},
                }
            }
        )
        for name, text in {"hosts.yml": hosts, **(files or {})}.items():
            path = inventory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            path.chmod(0o755 if text.startswith("#!") else 0o644)
        self.git("add", ".")
        signing = ["-c", f"user.signingkey={self.folder / signer}", "commit", "-S"] if signer else ["commit"]
        message = [f"{desired} by {signer}", *([f"Telemetry-Branch: {branch}"] if branch else [])]
        self.git(*signing, "--quiet", "--allow-empty", *(word for part in message for word in ("-m", part)), when=when)
        return self.publish("main")

    def publish(self, what: str) -> str:
        bundle = self.folder / "bundle"
        self.git("branch", "--force", "published", what)
        self.git("bundle", "create", "--quiet", str(bundle), "published")
        self.shell(
            "git", f"cat >/srv/bundle; {AS_GIT} fetch --quiet --force /srv/bundle published:main", bundle.read_bytes()
        )
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
            **more,
        }
        inventory = {
            "all": {
                "hosts": {HOST: {}},
                "vars": {
                    "ansible_ssh_common_args": f"-F {place('gitops')}/ssh_config",
                    "ansible_become": True,
                    "ansible_python_interpreter": "auto_silent",
                    **variables,
                },
            }
        }
        (self.folder / "inventory.json").write_text(json.dumps(inventory))
        (self.folder / "play.json").write_text(
            json.dumps([{"hosts": "all", "gather_facts": True, "roles": ["cbops.telemetry.gitops_pull"]}])
        )
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        return run(
            FLEET,
            "exec",
            "gitops",
            "--",
            str(BIN / "ansible-playbook"),
            "-i",
            str(self.folder / "inventory.json"),
            str(self.folder / "play.json"),
            *arguments,
            check=False,
            cwd=CHECKOUT,
            env={**environment, "ANSIBLE_NOCOLOR": "1"},
        )

    def pull(self) -> tuple[int, str]:
        """One run of the service: the program's exit code and what the journal says of it."""
        self.code(HOST, f"systemctl start {UNIT}")
        journal = self.shell(
            HOST,
            f"journalctl --sync; journalctl -o cat _SYSTEMD_INVOCATION_ID=$(systemctl show -P InvocationID {UNIT})",
        )
        code = self.shell(HOST, f"systemctl show -P ExecMainStatus {UNIT}")
        return int(code), journal

    def launch(self) -> str:
        return self.shell(HOST, f"cat {LAUNCH}")

    def metrics(self) -> dict[str, str]:
        """The samples of both files, by name and labels."""
        text = self.shell(HOST, f"cat {METRICS}/*.prom")
        return dict(line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))


def policy_site(folder: Path) -> Iterator[PolicySite]:
    """A fleet with a Git server, while it is used."""
    with up("gitops"):
        made = PolicySite(folder)
        made.shell(HOST, f"mkdir -p {METRICS}")
        yield made

"""A controller that enforces itself from Git: a real Git server over ssh, real signatures, a real timer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from fleethand import FLAG, FLEET
from policyhand import AS_GIT, HOST, LAUNCH, LIB, METRICS, REPOSITORY, UNIT, PolicySite, policy_site, run

#: Puts a git before the host's own that says it is Debian 11's.
OLD_GIT = "cd /usr/local/bin; printf '#!/bin/sh\\necho git version 2.30.2\\n' >git; chmod 755 git"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PolicySite]:
    """A fleet with a Git server."""
    yield from policy_site(tmp_path_factory.mktemp("site"))


def test_a_host_keeps_to_its_policy_by_itself(site: PolicySite) -> None:
    """One story from start to end, because every step stands on the one before."""
    check = site.role("--check", "--diff")
    assert check.returncode == 0, check.stdout + check.stderr
    assert site.code(HOST, f"test -e {LIB}") == 1, "check mode changes nothing"

    # Without what is needed nothing is put there, and what is missing is said.
    site.shell(HOST, OLD_GIT)
    lacking = site.role(gitops_pull_ansible_playbook="/opt/ansible/bin/ansible-playbook")
    assert lacking.returncode == 2, lacking.stdout
    for sentence in (
        "git 2.34 or newer is needed",
        "git is 2.30",
        "ansible-core 2.16 or newer is needed",
        "/opt/ansible/bin/ansible-playbook cannot be run",
    ):
        assert sentence in lacking.stdout, lacking.stdout
    assert site.code(HOST, "ls /usr/local/libexec/telemetry-pull /etc/cbops-telemetry") != 0, "nothing is left there"
    site.shell(HOST, "rm /usr/local/bin/git")

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

    # A git that has become too old is said, before anything is done.
    site.shell(HOST, OLD_GIT)
    code, journal = site.pull()
    assert code == 3 and "git 2.34 or newer is needed" in journal, journal
    site.shell(HOST, "rm /usr/local/bin/git")

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
    site.shell(
        HOST,
        "cp -p /etc/cbops-telemetry/allowed_signers /root/kept; "
        "echo 'jo@example.com ssh-ed25519 AAAA' >/etc/cbops-telemetry/allowed_signers; "
        f"sed -i 's/{FLAG}//' {LAUNCH}",
    )
    code, journal = site.pull()
    assert code == 3, journal
    assert FLAG not in site.launch()
    site.shell(HOST, "mv /root/kept /etc/cbops-telemetry/allowed_signers")

    # Two runs never overlap.
    code = site.code(HOST, f"flock {LIB}/lock python3 -I /usr/local/libexec/telemetry-pull")
    assert code == 75
    assert site.pull()[0] == 0

    # The deploy key can only read.
    pushed = site.shell(
        HOST,
        f"""
        cd $(mktemp -d); git init --quiet .; git -c user.name=x -c user.email=x@example.com commit -q --allow-empty -m x
        etc=/etc/cbops-telemetry
        GIT_SSH_COMMAND="ssh -F none -i $etc/deploy_key -o UserKnownHostsFile=$etc/known_hosts" \\
            git push --force ssh://git@{site.address}{REPOSITORY} HEAD:main 2>&1 && echo PUSHED || echo REFUSED""",
    )
    assert pushed.rstrip().endswith("REFUSED"), pushed
    assert site.shell("git", f"{AS_GIT} rev-parse main").strip() == again_off

    # A script in the inventory is data that cannot be read, and is not run.
    refused = site.commit("disabled", "trusted", files={"evil.sh": "#!/bin/sh\ntouch /root/was-run\necho '{}'\n"})
    code, journal = site.pull()
    assert code == 1 and f"the inventory of commit {refused} is refused" in journal, journal
    assert site.code(HOST, "test -e /root/was-run") == 1

    absent = site.role(gitops_pull_state="absent")
    assert absent.returncode == 0, absent.stdout + absent.stderr
    left = site.shell(
        HOST,
        f"ls -d /etc/cbops-telemetry {LIB} /usr/local/share/cbops-telemetry {METRICS}/*.prom "
        "/usr/local/libexec/telemetry-pull /etc/systemd/system/cbops-telemetry-pull.* 2>/dev/null "
        "|| true",
    )
    assert left.split() == [LIB] and site.shell(HOST, f"ls -A {LIB}").split() == ["backups"], "those of launch files"
    assert re.search(r"changed=0 ", site.role(gitops_pull_state="absent").stdout), "a second time changes nothing"

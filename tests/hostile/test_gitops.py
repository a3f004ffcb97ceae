"""Who owns the Git server, a signing key that has ended, the metrics folder or a branch does not own the host."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fleethand import FLAG
from policyhand import HOST, LAUNCH, LIB, METRICS, PolicySite, policy_site, run

ETC = "/etc/cbops-telemetry"
WAS_RUN = "/root/was-run"
PIPE = "{{ lookup('pipe', 'touch " + WAS_RUN + "') }}"


@pytest.fixture(scope="module")
def pull(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PolicySite]:
    """A host on which a signed policy is in force: telemetry off."""
    for made in policy_site(tmp_path_factory.mktemp("pull")):
        done = made.role()
        assert done.returncode == 0, done.stdout + done.stderr
        made.shell(HOST, "systemctl stop cbops-telemetry-pull.timer")
        made.commit("disabled", "trusted")
        code, journal = made.pull()
        assert code == 0, journal
        yield made


def in_force(pull: PolicySite) -> str:
    return pull.shell(HOST, f"cat {LIB}/applied").strip()


def refused(pull: PolicySite, why: str) -> None:
    """The newest commit is not taken: the last good one is enforced again, and service, journal and metric say so."""
    good = in_force(pull)
    pull.shell(HOST, f"sed -i 's/{FLAG}//' {LAUNCH}")
    code, journal = pull.pull()
    assert code == 1, journal
    assert why in journal
    assert f"the last good commit {good} stays in force" in journal
    assert FLAG in pull.launch(), "drift is mended nevertheless"
    assert in_force(pull) == good
    metrics = pull.metrics()
    assert metrics["cbops_telemetry_pull_exit_code"] == "1"
    assert metrics[f'cbops_telemetry_pull_commit_info{{commit="{good}"}}'] == "1"
    assert pull.code(HOST, f"test -e {WAS_RUN}") == 1


def taken(pull: PolicySite, commit: str, code: int = 0) -> str:
    found, journal = pull.pull()
    assert found == code, journal
    assert in_force(pull) == commit
    return journal


def test_unsigned_foreign_and_rolled_back_commits_apply_nothing(pull: PolicySite) -> None:
    good = in_force(pull)
    for signer in (None, "stranger"):
        pull.commit("enabled", signer)
        refused(pull, "it is not signed by anybody")
    newer = pull.commit("disabled", "trusted")
    taken(pull, newer)
    pull.publish(good)
    refused(pull, f"it does not follow {newer}")
    pull.publish("main")


def test_a_signed_commit_of_another_branch(pull: PolicySite) -> None:
    """A server shows it as the newest of ours; it even stands on the last good one."""
    for branch in ("", "staging", "main2", "Main", "main\n\nMerge branch 'staging'"):
        pull.commit("enabled", "trusted", branch=branch)
        refused(pull, "its message does not end with 'Telemetry-Branch: main'")
    taken(pull, pull.commit("disabled", "trusted"))


def test_a_key_that_has_ended(pull: PolicySite) -> None:
    """What it signed and what was in force stays so; nothing new comes into force by it, whatever date it bears."""
    signers = pull.shell(HOST, f"cat {ETC}/allowed_signers")

    def trust(option: str) -> None:
        pull.shell(
            HOST,
            f"cat >{ETC}/allowed_signers",
            f"{signers}old@example.com {option} {pull.text('stranger.pub')}".encode(),
        )

    trust('namespaces="git"')
    kept = pull.commit("disabled", "stranger", when="3 days ago")
    taken(pull, kept)
    ended = run("date", "--date", "yesterday", "+%Y%m%d").stdout.strip()
    trust(f'namespaces="git",valid-before="{ended}"')
    assert "stays in force" not in taken(pull, kept), "what was in force before the end"
    for when in ("3 days ago", "now", "2 days"):
        pull.commit("enabled", "stranger", when=when)
        refused(pull, "is refused: " + ("today the key" if when == "3 days ago" else "it is not signed"))
    pull.shell(HOST, f"cat >{ETC}/allowed_signers", signers.encode())
    pull.commit("enabled", "trusted", when="2 days")
    code, journal = pull.pull()
    assert code == 3 and "dated in the future" in journal, "and nobody trusts the last one any more"
    taken(pull, pull.commit("disabled", "trusted"))


@pytest.mark.parametrize(
    ("why", "policy"),
    [
        ("not data, or cannot be read", {"files": {"hosts.yml": "all: {hosts: [cm1"}}),
        (
            "not data, or cannot be read",
            {"telemetry_waiver": {"until": "2026-12-31", "reason": PIPE, "approved_by": "x"}},
        ),
        ("not data, or cannot be read", {"files": {"group_vars/all/deep.yml": f'telemetry_probe_via: ["{PIPE}"]'}}),
        ("not data, or cannot be read", {"files": {"more": f'cm1 telemetry_desired="{PIPE}"'}}),
        ("not data, or cannot be read", {"ansible_python_interpreter": WAS_RUN}),
        (
            "not data, or cannot be read",
            {"telemetry_launch_templates": [{"src": "/etc/shadow", "dest": "/tmp/shadow"}]},
        ),
        ("not data, or cannot be read", {"files": {"evil.sh": f"#!/bin/sh\ntouch {WAS_RUN}\necho '{{}}'\n"}}),
        ("its policy of this host is not valid", {"telemetry_restart": "perhaps"}),
        ("its policy of this host is not valid", {"telemetry_backup": "perhaps"}),
        ("its policy of this host is not valid", {"files": {"hosts.yml": "all: {hosts: {another: }}"}}),
    ],
    ids=["no-yaml", "value", "list", "ini", "interpreter", "templates", "script", "policy", "type", "host"],
)
def test_a_signed_commit_with_an_inventory_that_is_no_good(
    pull: PolicySite, why: str, policy: dict[str, object]
) -> None:
    """It runs nothing, and it does not stop what was in force."""
    pull.commit("enabled", "trusted", **policy)  # type: ignore[arg-type]
    refused(pull, why)


def test_a_link_in_the_repository_leads_nowhere(pull: PolicySite) -> None:
    pull.commit("disabled", "trusted")
    (pull.checkout / "inventory/group_vars").symlink_to("/etc")
    pull.git("add", ".")
    pull.git(
        "-c",
        f"user.signingkey={pull.folder / 'trusted'}",
        "commit",
        "-S",
        "--quiet",
        "-m",
        "link",
        "-m",
        "Telemetry-Branch: main",
    )
    pull.publish("main")
    refused(pull, "not data, or cannot be read")
    (pull.checkout / "inventory/group_vars").unlink()


def test_a_server_that_serves_the_last_commit_for_ever(pull: PolicySite) -> None:
    """Its age is a metric, and beyond the limit the service fails, while the policy is still enforced."""
    commit = pull.commit("disabled", "trusted", when="3 days ago")
    taken(pull, commit)
    assert pull.metrics()["cbops_telemetry_pull_commit_timestamp_seconds"] == pull.git("log", "-1", "--format=%ct")
    settings = json.loads(pull.shell(HOST, f"cat {ETC}/pull.json"))
    for limit, code in ((4, 0), (2, 4)):
        pull.shell(HOST, f"cat >{ETC}/pull.json", json.dumps({**settings, "max_commit_age": limit}).encode())
        pull.shell(HOST, f"sed -i 's/{FLAG}//' {LAUNCH}")
        journal = taken(pull, commit, code)
        assert ("older than 2 days" in journal) == bool(code)
        assert FLAG in pull.launch()
        assert pull.metrics()["cbops_telemetry_pull_exit_code"] == str(code)
    pull.shell(HOST, f"cat >{ETC}/pull.json", json.dumps(settings).encode())


def test_the_owner_of_the_metrics_folder_gets_no_file_of_roots(pull: PolicySite, programs: Path) -> None:
    """The owner swaps root's file for a link while it is written; such a folder is not written at all."""
    pull.shell(
        HOST,
        f"id exporter 2>/dev/null || useradd exporter; rm -rf {METRICS}/*; chown exporter {METRICS}; "
        "install -m 600 /etc/hostname /root/secret",
    )
    pull.shell(HOST, "cat >/usr/bin/race; chmod 755 /usr/bin/race", (programs / "textfile-race").read_bytes())
    pull.shell(HOST, f"systemd-run --quiet --unit race --uid exporter /usr/bin/race {METRICS} /root/secret")
    try:
        code, journal = pull.pull()
        assert code == 4, journal
        assert f"no metrics: {METRICS} is not root's alone to write" in journal
        assert FLAG in pull.launch()
        assert pull.shell(HOST, "stat -c '%a %U' /root/secret").strip() == "600 root"
        assert pull.shell(HOST, f"ls -A {METRICS}") == ""
        assert json.loads(pull.shell(HOST, f"cat {LIB}/last-run.json"))["code"] == 4
    finally:
        pull.shell(HOST, f"systemctl stop race; chown root {METRICS}")
    assert pull.pull()[0] == 0
    assert pull.shell(HOST, f"stat -c '%a %U' {METRICS}/cbops_telemetry_pull.prom").strip() == "644 root"


WRITE = """
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
import sys
spec = spec_from_loader("pull", SourceFileLoader("pull", "/usr/local/libexec/telemetry-pull"))
pull = module_from_spec(spec)
spec.loader.exec_module(pull)
try:
    pull.publish(sys.argv[1], "x.prom", "x")
except pull.Problem as problem:
    sys.exit(str(problem))
"""


@pytest.mark.parametrize(
    ("make", "why"),
    [
        ("install -d -m 755 /srv/m", None),
        ("install -d -m 775 -g exporter /srv/m", "not root's alone"),
        ("install -d -m 1777 /srv/m", "not root's alone"),
        ("install -d -m 755 -o exporter /srv/a; install -d -m 755 /srv/a/b; F=/srv/a/b", "not root's alone"),
        ("install -d -m 755 /srv/a; install -d -m 755 /srv/a/b; ln -s /srv/a /srv/l; F=/srv/l/b", "is a link"),
        ("install -d -m 755 /srv/a; ln -s a /srv/m", "is a link"),
        (
            "install -d -m 755 /srv/m; setfacl -m u:exporter:rwx /srv/m 2>/dev/null || chmod 777 /srv/m",
            "not root's alone",
        ),
        ("install -d -m 755 /srv/a; F=/srv/a/../a", "not root's alone"),
        ("echo >/srv/m", "cannot be opened"),
        ("install -d -m 755 /srv/m; ln -s /root/secret /srv/m/x.prom", None),
    ],
    ids=["good", "group", "sticky", "parent", "link-above", "link", "acl", "dots", "file", "link-inside"],
)
def test_which_folders_are_written(pull: PolicySite, make: str, why: str | None) -> None:
    pull.shell(HOST, "rm -rf /srv/m /srv/a /srv/l; id exporter || useradd exporter; echo kept >/root/secret")
    done = pull.shell(
        HOST,
        f"F=/srv/m; {make}; cat >/root/write.py; python3 -I /root/write.py $F 2>&1; stat -c '%a %U %F' $F/x.prom",
        WRITE.encode(),
        check=False,
    )
    if why is None:
        assert done == "644 root regular file\n"
    else:
        assert why in done
        assert pull.code(HOST, "ls /srv/m/x.prom /srv/a/x.prom /srv/a/b/x.prom") != 0
    assert pull.shell(HOST, "cat /root/secret") == "kept\n"

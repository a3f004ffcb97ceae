"""The ansible.cfg beside a user's inventory, which make uses instead of the checkout's."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent.parent


def seen(inventory: str, cwd: Path, **environment: str) -> dict[str, str]:
    """Ansible's variables of the environment, as a command sees them."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    done = subprocess.run(
        ["sh", CHECKOUT / "scripts/with-config", inventory, "env"],
        capture_output=True,
        text=True,
        check=True,
        cwd=cwd,
        env={**kept, **environment},
        timeout=60,
    )
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if line.startswith("ANSIBLE_"))


@pytest.mark.parametrize(
    ("config", "inventory"),
    [
        ("inventory/ansible.cfg", "inventory"),
        ("inventory/ansible.cfg", "inventory/hosts.yml"),
        ("ansible.cfg", "inventory"),
        ("ansible.cfg", "inventory/"),
    ],
)
def test_it_is_found_beside_or_above(tmp_path: Path, config: str, inventory: str) -> None:
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory/hosts.yml").write_text("all:\n")
    (tmp_path / config).write_text("[defaults]\ncollections_path = mine:/srv/theirs\n")
    found = seen(inventory, tmp_path)
    assert found["ANSIBLE_CONFIG"] == str(tmp_path / config)
    ours, mine, theirs = found["ANSIBLE_COLLECTIONS_PATH"].split(":")
    assert ours == f"{CHECKOUT}/.build/collections"
    assert (mine, theirs) == (str((tmp_path / config).parent / "mine"), "/srv/theirs")


@pytest.mark.parametrize(
    ("place", "mode", "owner"),
    [(".", 0o1777, 0), ("ansible.cfg", 0o646, 0), ("ansible.cfg", 0o644, 4321), (".", 0o755, 4321)],
)
def test_one_that_others_could_put_there_is_passed_over(tmp_path: Path, place: str, mode: int, owner: int) -> None:
    """It names programs: /tmp/ansible.cfg is another user's, and must not be run for an inventory in /tmp/mine."""
    if os.geteuid() != 0 and owner:
        pytest.skip("only root can give a file to another user")
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory/hosts").write_text("a\n")
    (tmp_path / "ansible.cfg").write_text("[defaults]\n")
    (tmp_path / place).chmod(mode)
    if owner:
        os.chown(tmp_path / place, owner, owner)
    assert seen("inventory", tmp_path) == {}


def test_without_one_nothing_is_changed(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("a\n")
    assert seen("hosts", tmp_path) == {}
    assert seen("localhost,", tmp_path) == {}
    assert seen(str(CHECKOUT / "inventory.example"), CHECKOUT) == {}


def test_the_users_own_choice_counts(tmp_path: Path) -> None:
    for name in ("ansible.cfg", "other.cfg"):
        (tmp_path / name).write_text("[defaults]\n")
    found = seen("hosts", tmp_path, ANSIBLE_CONFIG=str(tmp_path / "other.cfg"), ANSIBLE_COLLECTIONS_PATH="/srv/c")
    assert found["ANSIBLE_CONFIG"] == str(tmp_path / "other.cfg")
    assert found["ANSIBLE_COLLECTIONS_PATH"] == f"{CHECKOUT}/.build/collections:/srv/c"


def test_make_uses_it(tmp_path: Path) -> None:
    """A setting of the user's that decides: without it the variable could not be decrypted."""
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory/ansible.cfg").write_text("[defaults]\nvault_password_file = word\n")
    (tmp_path / "inventory/word").write_text("open sesame\n")
    secret = subprocess.run(
        [
            CHECKOUT / ".venv/bin/ansible-vault",
            "encrypt_string",
            "--vault-password-file",
            tmp_path / "inventory/word",
            "disabled",
        ],
        capture_output=True,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
    ).stdout
    (tmp_path / "inventory/hosts.yml").write_text(
        "all:\n  hosts:\n    a:\n      ansible_connection: local\n      telemetry_desired: "
        + "\n".join([secret.splitlines()[0], *(f"        {line.strip()}" for line in secret.splitlines()[1:])])
        + "\n"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "MAKE", "MFLAGS"))}
    done = subprocess.run(
        [
            "make",
            "--no-print-directory",
            "report",
            f"INVENTORY={tmp_path}/inventory/hosts.yml",
            f"ARGS=-e telemetry_reports_dir={tmp_path}",
        ],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=kept,
        stdin=subprocess.DEVNULL,
    )
    assert "encrypted variables cannot be read" not in done.stdout
    assert "a     -" in done.stdout, done.stdout + done.stderr
    (tmp_path / "inventory/ansible.cfg").unlink()
    bare = subprocess.run(
        [
            CHECKOUT / ".venv/bin/ansible-playbook",
            "cbops.telemetry.report",
            "-i",
            tmp_path / "inventory/hosts.yml",
            "-e",
            f"telemetry_reports_dir={tmp_path}",
        ],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=kept,
        stdin=subprocess.DEVNULL,
    )
    assert bare.returncode == 2
    assert f"encrypted variables cannot be read: a: telemetry_desired ({tmp_path}/inventory/hosts.yml:" in bare.stdout

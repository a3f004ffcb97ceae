"""Tokens of operations centers in Ansible Vault: as one string, or a whole file; in the inventory plugin and the playbooks.

At -vvvv nothing that is printed, cached or written has them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from operationscenter import TOKEN, USER, controller, serving
from plantedfleet import controller_state, evidence
from schemas import validate

CHECKOUT = Path(__file__).parent.parent.parent
BIN = Path(sys.executable).parent
PASSWORD = "the vault's own"  # noqa: S105
FLEET = [controller("alpha", endpoint="https://alpha.example/"), controller("a", endpoint="https://a.example/")]


def run(folder: Path, program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """A program of Ansible, with the password of the vault and at -vvvv; no token in what it prints."""
    done = subprocess.run(
        [str(BIN / program), *map(str, arguments), "-vvvv", "--vault-password-file", str(folder / "password")],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        timeout=120,
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".build/collections"),
            "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
            "ANSIBLE_INVENTORY_ENABLED": "cbops.telemetry.operations_center,yaml",
            "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
        },
    )
    assert TOKEN not in done.stdout + done.stderr
    return done


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the password of a vault."""
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    return tmp_path


def encrypted(folder: Path) -> str:
    """The token as `ansible-vault encrypt_string` writes it into YAML."""
    done = subprocess.run(
        [str(BIN / "ansible-vault"), "encrypt_string", "--vault-password-file", str(folder / "password"), TOKEN],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, "ANSIBLE_LOCAL_TEMP": str(folder / "tmp")},
    )
    return done.stdout[done.stdout.index("!vault") :]


def encrypt(folder: Path, path: Path) -> None:
    """Encrypt a whole file."""
    subprocess.run(
        [str(BIN / "ansible-vault"), "encrypt", "--vault-password-file", str(folder / "password"), str(path)],
        capture_output=True,
        check=True,
        timeout=60,
        env={**os.environ, "ANSIBLE_LOCAL_TEMP": str(folder / "tmp")},
    )
    assert path.read_text().startswith("$ANSIBLE_VAULT;")


def with_token(text: str, token: str) -> str:
    """YAML in which each TOKEN is that value, as deep as it stands."""
    lines = []
    for line in text.splitlines():
        before, found, _after = line.partition("TOKEN")
        if found:
            deep = " " * (len(line) - len(line.lstrip(" -")) + 2)
            line = before + token.strip().replace("\n", "\n" + deep).replace(deep + "          ", deep)
        lines.append(line)
    return "\n".join(lines) + "\n"


def sources(kind: str, url: str) -> dict[str, Any]:
    """An inventory source whose token stands at the top, or with its operations center."""
    base: dict[str, Any] = {
        "plugin": "cbops.telemetry.operations_center",
        "allow_http": True,
        "cache": True,
        "cache_plugin": "ansible.builtin.jsonfile",
        "cache_connection": "cache",
    }
    if kind == "of one":
        return {**base, "operations_centers": [{"url": url, "user": USER, "token": "TOKEN"}]}
    return {**base, "user": USER, "token": "TOKEN", "operations_centers": [{"url": url}]}


@pytest.mark.parametrize("whole", [False, True], ids=["a string", "the whole file"])
@pytest.mark.parametrize("kind", ["of all", "of one"])
def test_the_inventory_takes_a_token_from_the_vault(place: Path, kind: str, whole: bool) -> None:
    source = place / "x.operations_center.yml"
    with serving(*FLEET) as center:
        text = yaml.safe_dump(sources(kind, center.url), sort_keys=False)
        source.write_text(with_token(text, TOKEN if whole else encrypted(place)))
        if whole:
            encrypt(place, source)
        for asked in (1, 1):  # the second time from the cache
            done = run(place, "ansible-inventory", "-i", source, "--list")
            assert done.returncode == 0, done.stdout + done.stderr
            assert '"alpha.example"' in done.stdout
            assert len(center.asked) == asked
    kept = "".join(path.read_text() for path in (place / "cache").iterdir())
    assert "alpha.example" in kept
    assert TOKEN not in kept
    assert "ANSIBLE_VAULT" not in kept


def test_without_the_password_there_is_no_inventory(place: Path) -> None:
    source = place / "x.operations_center.yml"
    with serving(*FLEET) as center:
        source.write_text(with_token(yaml.safe_dump(sources("of all", center.url)), encrypted(place)))
        (place / "password").write_text("another\n")
        done = run(place, "ansible-inventory", "-i", source, "--list")
        assert done.returncode != 0
        assert not center.asked, "nobody is asked with what could not be read"


@pytest.mark.parametrize("whole", [False, True], ids=["a string", "a whole file of variables"])
@pytest.mark.parametrize("playbook", ["ledger", "report"])
def test_the_playbooks_take_a_token_from_the_vault(place: Path, playbook: str, whole: bool) -> None:
    (place / "root").mkdir()
    (place / "reports/evidence").mkdir(parents=True)
    found = evidence("a.example", controller_state(place / "root"))
    (place / "reports/evidence/a.example.json").write_text(json.dumps(found.document))
    (place / "inventory/group_vars/all").mkdir(parents=True)
    (place / "inventory/hosts.yml").write_text("all: {hosts: {a.example: {}}}\n")
    with serving(*FLEET) as center:
        centers = [{"url": center.url, "user": USER, "token": "TOKEN", "allow_http": True}]
        variables = {
            "telemetry_operations_centers": centers,
            "telemetry_max_age": "never",
            "telemetry_fail_on": ["violation"],
        }
        plain = place / "inventory/group_vars/all/telemetry.yml"
        if whole:
            secret = plain.with_name("vault.yml")
            secret.write_text(f"vault_oc_token: {TOKEN}\n")
            encrypt(place, secret)
            plain.write_text(with_token(yaml.safe_dump(variables), '"{{ vault_oc_token }}"'))
        else:
            plain.write_text(with_token(yaml.safe_dump(variables, sort_keys=False), encrypted(place)))
        done = run(
            place,
            "ansible-playbook",
            f"cbops.telemetry.{playbook}",
            "-i",
            place / "inventory",
            "-e",
            f"telemetry_reports_dir={place / 'reports'}",
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "coverage: 50 % (1 of 2 controllers audited" in done.stdout
        assert center.asked
    document = json.loads((place / f"reports/{playbook}.json").read_text())
    validate(document)
    for path in place.rglob("*"):
        if path.is_file() and path.name != "password":
            assert TOKEN not in path.read_text(errors="replace"), path

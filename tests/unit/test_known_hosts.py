"""Known hosts read by us against ssh-keygen, which finds hosts in such files as ssh does."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest

from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._known_hosts import (
    CHANGED,
    KNOWN,
    REVOKED,
    UNKNOWN,
    KnownHosts,
    name_of,
)

NAMES = ("cm1.example.com", "10.1.2.3", "fe80::1", "CM2.example.com", "cm2.example.org")
FIELDS = (
    "cm1.example.com",
    "*.example.com",
    "*.example.com,!cm1.example.com",
    "10.1.2.?",
    "10.1.2.3,cm1.example.com",
    "[cm1.example.com]:2222",
    "[*.example.com]:2222",
    "fe80::1",
    "cm2.*",
    "CM1.EXAMPLE.COM",
    "!cm1.example.com",
    "[cm1.example.com]:22",
    "cm?.example.com,!cm2*",
)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    """Kind and text of two public keys."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("a", "b"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    return [(folder / f"{name}.pub").read_text().split()[:2] for name in ("a", "b")]


def finds(path: Path, name: str) -> bool:
    """Whether ssh-keygen finds a name."""
    return subprocess.run(["ssh-keygen", "-F", name, "-f", path], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("hashed", [False, True])
def test_the_same_names_as_ssh_keygen(tmp_path: Path, keys: list[list[str]], hashed: bool) -> None:
    found = 0
    for number, field in enumerate(FIELDS):
        path = tmp_path / str(number)
        path.write_text(f"# a comment\n\n{field} {' '.join(keys[0])} somebody@somewhere\n")
        if hashed:
            # It hashes what it can, and leaves patterns as they are.
            subprocess.run(["ssh-keygen", "-q", "-H", "-f", path], check=False, capture_output=True)
            assert "|1|" in path.read_text() or set(field) & set("*?!")
        known = KnownHosts([str(path)])
        for name in NAMES:
            for port in (22, 2222):
                expected = finds(path, name_of(name, port))
                assert bool(known.of(name_of(name, port))) == expected, (field, name, port)
                key = base64.b64decode(keys[0][1])
                assert known.judge(name_of(name, port), key) == (KNOWN if expected else UNKNOWN)
                found += expected
    assert found > 10


def test_changed_and_revoked(tmp_path: Path, keys: list[list[str]]) -> None:
    (kind, first), (_kind, second) = keys
    path = tmp_path / "known"
    path.write_text(
        f"cm1 {kind} {first}\ncm2 {kind} {first}\n@revoked cm2 {kind} {first}\n"
        f"@cert-authority * {kind} {second}\nbroken {kind} %%%\nshort\n"
    )
    known = KnownHosts([str(tmp_path / "missing"), str(path)])
    a, b = base64.b64decode(first), base64.b64decode(second)
    assert known.judge("cm1", a) == KNOWN
    assert known.judge("cm1", b) == CHANGED
    assert known.judge("cm2", a) == REVOKED
    assert known.judge("cm3", b) == UNKNOWN  # an authority's key is no host's key
    assert known.judge("broken", a) == UNKNOWN
    assert known.kinds == {kind}


def test_names_with_a_marker(tmp_path: Path, keys: list[list[str]]) -> None:
    """An authority, a revoked key, and a line that we cannot read all the same; plain, by pattern, hashed."""
    (kind, first), (_kind, second) = keys
    path = tmp_path / "known"
    path.write_text(f"cm5 {kind} {first}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", path], check=True, capture_output=True)
    hashed = path.read_text().split()[0]
    path.write_text(
        f"@cert-authority *.a,!cm2.a {kind} {second}\n@revoked cm3 {kind} {first}\n@revoked cm4 {kind} %%\n"
        f"@revoked {hashed} {kind} {second}\ncm1 {kind} {first} of\fcm6 {kind} {second}\n"
    )
    known = KnownHosts([str(path)])
    assert [name for name in ("cm1.a", "cm2.a", "cm3", "cm4", "cm5", "cm1", "[cm3]:2222") if known.has_marks(name)] == [
        "cm1.a",
        "cm3",
        "cm4",
        "cm5",
    ]
    assert known.judge("cm6", base64.b64decode(second)) == UNKNOWN  # a comment, for ssh

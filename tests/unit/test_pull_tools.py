"""What a host that pulls its policy needs: git, OpenSSH and ansible-core, each there and new enough, or said."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).parent.parent.parent
PROGRAM = CHECKOUT / "roles/gitops_pull/files/telemetry-pull"
ANSIBLE = Path(sys.executable).with_name("ansible-playbook")
#: What each says that is just new enough.
ENOUGH = {
    "git": "git version 2.34.1",
    "ssh": "OpenSSH_8.2p1 Ubuntu-4, OpenSSL 1.1.1f",
    "ansible": "ansible-playbook [core 2.16.0]",
}


def lacking(folder: Path, **tools: str | None) -> tuple[int, list[str]]:
    """Exit code and sentences of the check, on a host whose tools say this; None: it is not there."""
    for name, text in {**ENOUGH, **tools}.items():
        if text is not None:
            program = folder / name
            program.write_text(f"#!/bin/sh\n{text if text.startswith('exit') else f'echo {text!r} >&2'}\n")
            program.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-I", PROGRAM, "--check", folder / "ansible"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": str(folder)},
    )
    return done.returncode, done.stderr.splitlines()


def test_what_this_machine_has_will_do() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-", "--check", ANSIBLE],
        input=PROGRAM.read_text(),
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_just_new_enough(tmp_path: Path) -> None:
    assert lacking(tmp_path) == (0, [])


@pytest.mark.parametrize(("tool", "says", "sentence"), [
    ("git", "git version 2.30.2", "git 2.34 or newer is needed to verify signatures of ssh keys: git is 2.30"),
    ("git", "git version 1.99.0", "git is 1.99"),
    ("git", None, "git 2.34 or newer is needed to verify signatures of ssh keys: git cannot be run: No such file"),
    ("ssh", "OpenSSH_8.0p1, OpenSSL", "OpenSSH 8.2 or newer is needed to find whose signature it is: ssh is 8.0"),
    ("ssh", "Dropbear v2022.83", "ssh -V does not say its version (exit code 0)"),
    ("ansible", "ansible-playbook 2.9.27", "ansible-core 2.16 or newer is needed to run cbops.telemetry"),
    ("ansible", "ansible-playbook [core 2.14.18]", "/ansible is 2.14"),
    ("ansible", "exit 127", "/ansible --version does not say its version (exit code 127)"),
    ("ansible", None, "/ansible cannot be run: No such file or directory"),
])  # fmt: skip
def test_what_is_missing_or_too_old_is_said(tmp_path: Path, tool: str, says: str | None, sentence: str) -> None:
    code, sentences = lacking(tmp_path, **{tool: says})
    assert code == 3 and len(sentences) == 1
    assert sentence in sentences[0]


def test_everything_is_said_at_once(tmp_path: Path) -> None:
    code, sentences = lacking(tmp_path, git=None, ssh=None, ansible=None)
    assert code == 3
    assert [sentence.split()[0] for sentence in sentences] == ["git", "OpenSSH", "ansible-core"]


def test_the_oldest_core_is_the_collections() -> None:
    asked = yaml.safe_load((CHECKOUT / "meta/runtime.yml").read_text())["requires_ansible"]
    oldest = re.search(r'"ansible-core".*\((\d+), (\d+)\)', PROGRAM.read_text())
    assert oldest and asked == f">={oldest[1]}.{oldest[2]}.0"

"""Writes where there is no room, on a read-only or immutable file, on a mount point: refused with what to do."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest


@pytest.mark.parametrize("scene", ["disk full", "read-only", "immutable", "mount point", "backups elsewhere"])
def test_a_place_that_cannot_be_written(scene: str, tmp_path: Path, runs: Counter[str]) -> None:
    folder = tmp_path / "etc"
    folder.mkdir(mode=0o755)
    done = subprocess.run(
        [
            "unshare",
            "--mount",
            "--propagation",
            "private",
            sys.executable,
            "-I",
            "-S",
            "-B",
            "-c",
            "import sys; sys.path.insert(0, sys.argv.pop(1)); import places; places.main()",
            str(Path(__file__).parent),
            scene,
            str(folder),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("run\n") > 0
    runs[scene] += done.stdout.count("run\n")

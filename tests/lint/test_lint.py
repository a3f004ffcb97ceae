"""Every static check (`make lint`), beside the other tests rather than before them."""

from __future__ import annotations

import subprocess
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]


def test_every_static_check_is_content() -> None:
    done = subprocess.run(
        ["sh", "scripts/lint"],
        cwd=CHECKOUT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout

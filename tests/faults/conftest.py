"""What the fault tests need, said clearly where it is missing; and the count of their runs at the end."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator

import pytest

RUNS: Counter[str] = Counter()


@pytest.fixture(autouse=True, scope="session")
def _able() -> None:
    missing = [name for name in ("strace", "unshare", "mount", "chattr", "mkfs.ext4") if not shutil.which(name)]
    if os.geteuid() != 0:
        pytest.fail("the fault tests need root: they mount, give files away and trace")
    if missing:
        pytest.fail(f"the fault tests need {', '.join(missing)} (packages strace, util-linux, mount, e2fsprogs)")


@pytest.fixture
def runs() -> Counter[str]:
    """Runs by kind of fault."""
    return RUNS


@pytest.hookimpl(hookwrapper=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """Say how many writes were disturbed."""
    yield
    if RUNS:
        total = sum(count for kind, count in RUNS.items() if not kind.startswith("("))
        kinds = ", ".join(f"{kind}: {count}" for kind, count in RUNS.items())
        terminalreporter.write_line(f"disturbed writes: {total} ({kinds})")

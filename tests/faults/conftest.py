"""What the fault tests need, said clearly where it is missing; and the count of their runs at the end."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from typing import Any

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


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker hands its count to the process that prints the summary."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["disturbed writes"] = dict(RUNS)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """The count of a worker that has ended."""
    RUNS.update(getattr(node, "workeroutput", {}).get("disturbed writes", {}))


@pytest.hookimpl(hookwrapper=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """Say how many writes were disturbed."""
    yield
    if RUNS:
        total = sum(count for kind, count in RUNS.items() if not kind.startswith("("))
        kinds = ", ".join(f"{kind}: {count}" for kind, count in RUNS.items())
        terminalreporter.write_line(f"disturbed writes: {total} ({kinds})")

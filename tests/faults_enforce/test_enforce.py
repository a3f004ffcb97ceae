"""Some thirty disturbed runs of a real enforce, each healed by the next run. `make test-faults-enforce` makes more."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .cases import Case, Round
from .rounds import play, warm_up
from .stage import FLEET, PROFILE, Site

#: Each part of enforce and each fault is among them.
EACH_ITS_OWN = Round(
    0,
    "disabled",
    "disabled",
    "",
    (
        Case("bookworm-cm-deb", "edit", "rename", 1, "worker", 0),
        Case("trixie-cm-deb", "settle", "ask", 3, "power", 0),
        Case("bullseye-cm-rpm", "edit", "backup", 2, "disk: launch file", 0),
        Case("bookworm-cm-rpm-array", "edit", "write", 1, "admin", 0),
        Case("bookworm-oss", "reload", "reload", 1, "ssh", 0),
        Case("trixie-oss", "edit", "lock", 1, "disk: backups", 0),
        Case("bullseye-script", "quiet-down", "quiet.done", 1, "ssh", 0),
        Case("trixie-script", "restart", "restart", 1, "python", 0),
    ),
)
SECOND_RUN = Round(
    2,
    "disabled",
    "disabled",
    "second run",
    tuple(
        Case(host, "edit", step, 1, "second run", 0)
        for host, step in (
            ("bookworm-cm-deb", "lock"),
            ("trixie-cm-deb", "backup"),
            ("bullseye-cm-rpm", "write"),
            ("bookworm-cm-rpm-array", "rename"),
            ("bookworm-oss", "replaced"),
            ("trixie-oss", "ask"),
            ("bullseye-script", "rename"),
            ("trixie-script", "write"),
        )
    ),
)

ROLL_BACK = Round(
    1,
    "enabled",
    "enabled",
    "control node",
    (
        Case("bookworm-cm-deb", "restart", "restart", 1, "control node", 0),
        Case("trixie-cm-deb", "quiet-down", "ask", 2, "control node", 0),
        Case("bullseye-cm-rpm", "restart", "restart.done", 1, "control node", 0),
        Case("bookworm-cm-rpm-array", "settle", "show", 2, "control node", 0),
        Case("bookworm-oss", "roll-back", "journal", 1, "control node", 0),
        Case("trixie-oss", "roll-back", "restart", 2, "control node", 0),
        Case("bullseye-script", "roll-back", "back.replaced", 1, "control node", 0),
        Case("trixie-script", "roll-back", "back.backup", 1, "control node", 0),
    ),
)
UNDONE = Round(
    3,
    "enabled",
    "disabled",
    "control node",
    tuple(
        Case(host, part, step, 1, "control node", 0)
        for host, part, step in (
            ("bookworm-cm-deb", "quiet-down", "quiet.done"),
            ("trixie-cm-deb", "quiet-down", "builds"),
            ("bullseye-cm-rpm", "restart", "show"),
            ("bookworm-cm-rpm-array", "quiet-down", "quiet"),
            ("bookworm-oss", "quiet-down", "quiet.done"),
            ("trixie-oss", "restart", "restart.done"),
            ("bullseye-script", "quiet-down", "builds"),
            ("trixie-script", "settle", "ready"),
        )
    ),
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The fleet, new, its hosts known with either value."""
    for arguments in (["check"], ["up", PROFILE, "--fresh"]):
        done = subprocess.run([FLEET, *arguments], capture_output=True, text=True, timeout=900, check=False)
        if done.returncode:
            pytest.fail(f"the embedded fleet is needed for these tests: {(done.stderr or done.stdout).strip()}")
    found = Site(Path(tmp_path_factory.mktemp("faults")))
    try:
        with found.entered():
            warm_up(found)
            yield found
    finally:
        subprocess.run([FLEET, "down", PROFILE], check=True, capture_output=True, timeout=120)


@pytest.mark.parametrize(
    "round_",
    [EACH_ITS_OWN, ROLL_BACK, SECOND_RUN, UNDONE],
    ids=["each host its own", "roll-backs", "two runs at once", "undone"],
)
def test_the_next_run_heals_what_a_disturbed_one_has_left(site: Site, round_: Round) -> None:
    outcomes = list(play(site, round_))
    wrong = [f"{outcome}" for outcome in outcomes if outcome.problems]
    assert not wrong, "\n".join(wrong)
    assert [outcome.host for outcome in outcomes if not outcome.was_reached] == [], "each is held at its step"

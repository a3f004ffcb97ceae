"""The restarts of a run in growing stages, counted themselves and not by the hosts of a batch."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

import pytest

from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart._stages import NoPlace, Stages, ends_of


@pytest.mark.parametrize(
    ("count", "serial", "ends"),
    [
        (10, [1, 2, 5, "20%"], [1, 3, 8, 10]),
        (1, [1, 2, 5, "20%"], [1]),
        (6, ["50%"], [3, 6]),
        (5, [], []),
        (4, [0], [4]),
        (100, [1, 2, 5, "20%"], [1, 3, 8, 28, 48, 68, 88, 100]),
    ],
)
def test_stages_are_as_large_as_the_batches_of_the_play(count: int, serial: list[object], ends: list[int]) -> None:
    assert ends_of(count, serial) == ends


def work(folder: Path, name: int, used: bool, log: Path) -> None:
    """One host."""
    with Stages([1, 3, 6], folder).place(str(name), 30, lambda _seconds: time.sleep(0.01)) as place:
        with open(log, "a", encoding="utf-8") as stream:
            stream.write(f"+ {name}\n")
        if used:
            place.use()
        time.sleep(0.05)
        with open(log, "a", encoding="utf-8") as stream:
            stream.write(f"- {name}\n")


def test_the_first_restart_is_alone_wherever_its_host_stands(tmp_path: Path) -> None:
    """Six hosts at once, as in a later batch."""
    log = tmp_path / "log"
    context = multiprocessing.get_context("fork")
    running = [context.Process(target=work, args=(tmp_path, name, True, log)) for name in range(6)]
    for process in running:
        process.start()
    for process in running:
        process.join(60)
    lines = log.read_text().splitlines()
    assert len(lines) == 12
    assert lines[0][2:] == lines[1][2:], "the first one, until its end"
    assert all(line.startswith(("+", "-")) for line in lines)
    second = lines[2:6]
    assert {line[2:] for line in second} == {line[2:] for line in second if line[0] == "-"}, "then two, until theirs"


def test_a_restart_that_was_put_off_is_not_the_canary(tmp_path: Path) -> None:
    stages = Stages([1, 3], tmp_path)
    with stages.place("busy", 0):
        pass
    with stages.place("canary", 0) as place:
        place.use()
        with pytest.raises(NoPlace, match=r"have not ended \(canary\)"), stages.place("next", 0, lambda _seconds: None):
            pass
    with stages.place("next", 0), stages.place("another", 0):
        pass


def test_more_restarts_than_hosts_wait_for_nobody(tmp_path: Path) -> None:
    stages = Stages([1], tmp_path)
    for name in ("one", "two", "three"):
        with stages.place(name, 0) as place:
            place.use()

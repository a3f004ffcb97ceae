"""What a host remembers of restarts that did not come to a good end, by a real shell."""

from __future__ import annotations

import shlex
import stat
import subprocess
from pathlib import Path

import pytest

from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart import _unfinished as unfinished

RUN = "20261126T230000Z-00112233"


def shell(line: str) -> str:
    return subprocess.run(["sh", "-c", line], check=True, capture_output=True, text=True).stdout


def test_the_first_run_is_noted_until_the_unit_is_up(tmp_path: Path) -> None:
    folder = str(tmp_path / "restarts")
    assert unfinished.units_of(shell(unfinished.listing(folder))) == {}
    for run in (RUN, "20261127T000000Z-44556677"):
        said = shell(unfinished.begun("echo restarted", r"cb@a\x2db.service", run, shlex.quote, None, folder))
        assert said == "restarted\n"
    assert stat.S_IMODE(Path(folder).stat().st_mode) == 0o700
    assert unfinished.units_of(shell(unfinished.listing(folder))) == {r"cb@a\x2db.service": unfinished.Left(RUN)}
    shell(unfinished.over(r"cb@a\x2db.service", shlex.quote, folder))
    assert unfinished.units_of(shell(unfinished.listing(folder))) == {}


@pytest.mark.parametrize(
    ("forgiving", "restart", "left"),
    [
        ("kill -9 $$", "echo restarted", unfinished.Left(RUN, True)),
        (":", "kill -9 $$", unfinished.Left(RUN, True)),
        (":", "false", unfinished.Left(RUN)),
        (":", "true", unfinished.Left(RUN)),
    ],
)
def test_what_is_forgiven_and_not_started_was_stopped_by_nobody(
    tmp_path: Path, forgiving: str, restart: str, left: unfinished.Left
) -> None:
    folder = str(tmp_path / "restarts")
    line = unfinished.begun(restart, "a.service", RUN, shlex.quote, forgiving, folder)
    done = subprocess.run(["sh", "-c", line], check=False, capture_output=True, text=True)
    assert (done.returncode == 0) == (restart == "true"), done
    assert unfinished.units_of(shell(unfinished.listing(folder))) == {"a.service": left}
    shell(unfinished.over("a.service", shlex.quote, folder))
    assert [str(path) for path in tmp_path.rglob("*.service")] == []


def test_a_restart_is_made_where_nothing_can_be_noted() -> None:
    line = unfinished.begun("echo restarted", "a.service", RUN, shlex.quote, None, "/proc/restarts")
    assert shell(line) == "restarted\n"


def test_a_name_that_leads_out_of_the_folder_is_not_noted(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("kept")
    name, folder = "../kept", str(tmp_path / "restarts")
    for forgiving in (None, "echo forgiven"):
        said = shell(unfinished.begun("echo restarted", name, RUN, shlex.quote, forgiving, folder))
        assert said == ("forgiven\n" if forgiving else "") + "restarted\n"
    shell(unfinished.over(name, shlex.quote, folder))
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_what_a_host_prints_beside_it_counts_for_nothing() -> None:
    text = f"*!\n../../etc/passwd!{RUN}\na.service!{RUN}\nb.service!; reboot\nc.service\n!{RUN}\nd.service!{RUN}!!\n"
    assert unfinished.units_of(text) == {"a.service": unfinished.Left(RUN)}

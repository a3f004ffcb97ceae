"""What is promised of versions is what was run, and setting up says what is in its way."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.matrix.__main__ import CORES

CHECKOUT = Path(__file__).parent.parent.parent
PAGE = CHECKOUT / "docs/support.md"
ROW = re.compile(r"^\| (2\.\d+\.\S+) \| (3\.\d+)\.\d+ \|(.*)\| \d+ \|$", re.MULTILINE)


def test_every_core_in_the_table_is_promised_and_passed_every_step() -> None:
    rows = ROW.findall(PAGE.read_text())
    assert [".".join(core.split(".")[:2]) for core, _python, _cells in rows] in (list(CORES), []), "make matrix"
    for core, python, cells in rows:
        assert set(cells.split()) == {"passed", "|"}, (core, python)


def test_what_make_matrix_runs_is_what_is_promised() -> None:
    oldest, newest = list(CORES)[0], list(CORES)[-1]
    assert list(CORES) == [f"2.{minor}" for minor in range(int(oldest[2:]), int(newest[2:]) + 1)], "none is left out"
    runtime = yaml.safe_load((CHECKOUT / "meta/runtime.yml").read_text())
    assert runtime["requires_ansible"] == f">={oldest}.0"
    role = yaml.safe_load((CHECKOUT / "roles/telemetry/meta/main.yml").read_text())
    assert role["galaxy_info"]["min_ansible_version"] == oldest
    assert f"ansible-core {oldest} to {newest}" in (CHECKOUT / "README.md").read_text()


#: In place of Python: makes a .venv whose pip installs nothing and is set as the real one would be.
PYTHON = """#!/bin/sh
case "$*" in
"-m venv .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
"-m pip install"*) exit ${PIP_FAILS:-0} ;;
"-m pip config list") echo ":env:.no-index='1'"; echo "global.constraint='/etc/xdg/pip/c.txt'"
                      echo "global.index-url='https://user:secret@index.example.org/simple'"
                      echo "global.timeout='9'" ;;
esac
"""


@pytest.mark.parametrize(
    ("fails", "words"),
    [
        ("1", "pip could not install what requirements/dev.txt pins"),
        ("0", "elsewhere than into .venv"),  # target, prefix, user: pip itself says that all is well
    ],
)
def test_pip_settings_that_are_in_the_way_are_named(tmp_path: Path, fails: str, words: str) -> None:
    for name in ("scripts/bootstrap", "requirements/dev.txt"):
        (tmp_path / name).parent.mkdir()
        shutil.copy(CHECKOUT / name, tmp_path / name)
    (tmp_path / "python").write_text(PYTHON)
    (tmp_path / "python").chmod(0o755)
    done = subprocess.run(
        ["sh", tmp_path / "scripts/bootstrap"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHON": str(tmp_path / "python"), "PIP_FAILS": fails},
    )
    assert done.returncode == 1
    assert words in done.stderr
    assert "use no-index by PIP_NO_INDEX: " in done.stderr
    assert "use constraint by pip.conf (global): " in done.stderr
    assert "use index-url by pip.conf (global): " in done.stderr
    assert "secret" not in done.stderr and "timeout" not in done.stderr
    assert not (tmp_path / ".venv/installed.txt").exists()

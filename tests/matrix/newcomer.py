"""A newcomer's first commands, as README gives them, in a Debian that has nothing but git and make."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from tests.matrix import roots
from tests.matrix.roots import CHECKOUT, machine
from tests.matrix.session import BUILD, Failed, expect

#: What is run, its exit code (make's own is 2 where an audit finds a violation), and the seconds that it may take.
STEPS = {"audit": (2, 1800), "test-unit": (0, 3600), "test": (0, 4 * 3600)}


def run(release: str, whole: bool) -> dict[str, str]:
    """Clone what is committed and run README's commands in there; what came of each, by its name."""
    root = roots.copied(release, roots.BARE, BUILD / "bare" / release)
    log = BUILD / f"bare-{release}.log"
    log.unlink(missing_ok=True)
    # A fleet is named by the path of its checkout: this one is nobody else's.
    place, steps = f"/root/matrix-{release}/telemetry", {}
    try:
        machine.run(["git", "clone", "--quiet", "--no-hardlinks", CHECKOUT, f"{root}{place}"], timeout=300)
        for name, (wanted, seconds) in STEPS.items():
            if name == ("test-unit" if whole else "test"):  # the one is a part of the other
                continue
            try:
                expect("exit code", _make(root, place, log, name, seconds), wanted)
                if name == "audit":
                    _judged(Path(f"{root}{place}"))
                steps[name] = "passed"
            except (Failed, subprocess.SubprocessError) as error:
                steps[name] = f"failed: {error}"
                machine.say(f"matrix: bare {release}: make {name}: {error} (see {log})")
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return steps


def _make(root: Path, place: str, log: Path, name: str, seconds: int) -> int:
    """Run a target; its exit code. What it started ends with it."""
    line = roots.command(root, ["sh", "-c", 'make "$1"; code=$?; make down; exit $code', "sh", name], folder=place)
    with open(log, "a", encoding="utf-8") as output:
        return subprocess.run(
            line, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, timeout=seconds, check=False
        ).returncode


def _judged(checkout: Path) -> None:
    """Every host of the demo has the verdict that its history earns."""
    try:
        found = json.loads((checkout / "reports/audit.json").read_text())["hosts"]
    except FileNotFoundError:
        raise Failed("there is no report") from None
    wanted = {**dict.fromkeys(("oc1", "cm1", "cm3", "oss1", "script1"), "violation"), "cm2": "restart_pending"}
    expect("verdicts", {item["host"]: item["verdict"] for item in found}, wanted)

"""`python -m tests.mutation [N] [SEED]`: N mutants of each room (40), drawn by the seed (0); how many the unit tests kill.

`--room edit,walk` takes some rooms, `--jobs 2` so many mutants at a time, `--json FILE` writes what was found. Survivors
that were judged (`survivors.yml`) are printed with why they are left; others are the list of what to write tests for.
What is open, as time on the clock ran out, is neither killed nor survives. The exit status is 1 where a room is below the
bar, or more than a tenth of it is open. Nothing of the checkout is changed: the tests run in a copy of it, in
.build/mutation, and with namespaces of their own, where the rest of the machine cannot be written (root, as it must
mount): a mutant of what writes files may write anywhere.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import yaml

from .mutants import mutants_of, sample
from .rooms import ROOMS, fast_tests, files_of
from .runner import Result, Run
from .score import BAR, score_of

CHECKOUT = Path(__file__).resolve().parent.parent.parent
BUILT = CHECKOUT / ".build/mutation"
COPY = BUILT / "checkout"


def _copied() -> None:
    """A copy of what is committed or lies there to be, with its collection path."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=CHECKOUT,
        capture_output=True,
        check=True,
    ).stdout
    names = {name for name in os.fsdecode(listed).split("\0") if name and (CHECKOUT / name).exists()}
    COPY.mkdir(parents=True, exist_ok=True)
    for path in sorted(COPY.rglob("*"), reverse=True):
        name = str(path.relative_to(COPY))
        if path.is_file() and name not in names and "__pycache__" not in name:
            path.unlink()
    for name in names:
        source, target = CHECKOUT / name, COPY / name
        if source.is_symlink() or not source.is_file():
            continue
        if target.exists() and target.read_bytes() == source.read_bytes():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
    collections = COPY / ".build/collections/ansible_collections/cbops"
    collections.mkdir(parents=True, exist_ok=True)
    if not (collections / "telemetry").is_symlink():
        (collections / "telemetry").symlink_to(COPY)
    if not (COPY / ".venv").is_symlink():
        (COPY / ".venv").symlink_to(CHECKOUT / ".venv")


def _alone(arguments: list[str]) -> int:
    """Run this again with namespaces of its own."""
    if os.geteuid():
        print("mutants may write anywhere, so they get a file system of their own: run as root", file=sys.stderr)
        return 2
    _copied()
    unshared = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"]
    return subprocess.run(
        [*unshared, sys.executable, "-m", "tests.mutation", "--inside", *arguments], cwd=CHECKOUT, check=False
    ).returncode


def _fenced() -> None:
    """Nothing but BUILT can be written, /run and /tmp are new: for this process and all below it."""
    BUILT.joinpath("tmp").mkdir(exist_ok=True)

    def mount(*arguments: str | Path) -> None:
        subprocess.run(["mount", *arguments], check=True)

    mount("--bind", BUILT, BUILT)
    points = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for point in dict.fromkeys(points):
        inside = point == str(BUILT) or point.split("/")[1] in ("proc", "sys", "dev")
        if not inside and Path(point).is_dir():
            mount("-o", "remount,bind,ro", point)
    for point in ("/run", "/var/lib"):
        mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", point)
    os.environ["TMPDIR"] = str(BUILT / "tmp")
    os.environ["HOME"] = str(BUILT / "tmp")


def main() -> int:
    """Run from the shell; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("number", nargs="?", type=int, default=40)
    parser.add_argument("seed", nargs="?", type=int, default=0)
    parser.add_argument("--room", default=",".join(ROOMS))
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--tests", help="parts of names of test files: only those, such as systemd,cases")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--inside", action="store_true")
    options = parser.parse_args()
    if not options.inside:
        return _alone(sys.argv[1:])
    _fenced()
    os.chdir(COPY)
    sys.path.insert(0, str(COPY))
    return _measured(options)


def _measured(options: argparse.Namespace) -> int:
    began = time.monotonic()
    rooms = files_of(COPY)
    wanted = [room for room in rooms if room in options.room.split(",")]
    room_of = {file: room for room in rooms for file in rooms[room]}
    drawn = []
    for room in wanted:
        of_room = [one for file in rooms[room] for one in mutants_of(file, (COPY / file).read_text(encoding="utf-8"))]
        drawn += sample(of_room, options.number, options.seed)
    judged = yaml.safe_load((COPY / "tests/mutation/survivors.yml").read_text(encoding="utf-8"))
    results: list[Result] = []
    # Children write their results here: the two runs have processes of their own.
    found = BUILT / "results.jsonl"
    found.write_text("")

    def said(result: Result) -> None:
        if result.open:
            print(f"  open: {result.mutant.name} ({result.open})", flush=True)
        elif not result.killed_by:
            print(f"  survives: {result.mutant.name} ({result.tests} tests)", flush=True)
        with found.open("a", encoding="utf-8") as stream:
            kept = {"killed_by": result.killed_by, "tests": result.tests, "open": result.open}
            stream.write(json.dumps({"name": result.mutant.name, **kept}) + "\n")

    scratch = BUILT / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    tests = [
        name for name in fast_tests(COPY) if not options.tests or any(one in name for one in options.tests.split(","))
    ]
    every = sorted({file for files in rooms.values() for file in files})
    Run(every, tests, drawn, scratch, BUILT / "runs.pickle", options.jobs).results(said)
    by_name = {one.name: one for one in drawn}
    for line in found.read_text(encoding="utf-8").splitlines():
        one = json.loads(line)
        results.append(Result(by_name[one["name"]], one["killed_by"], one["tests"], one["open"]))
    below = _printed(wanted, room_of, results, {one["mutant"].partition(" | ")[2]: one["why"] for one in judged})
    if options.json:
        shutil.copyfile(found, BUILT / options.json.name)
    print(f"{len(results)} mutants, seed {options.seed}, {time.monotonic() - began:.0f} s")
    return 1 if below else 0


def _printed(rooms: list[str], room_of: dict[str, str], results: list[Result], judged: dict[str, str]) -> list[str]:
    """Print the survivors and the score of each room; the rooms below the bar."""
    below = []

    def why_left(one: Result) -> str:
        return judged.get(one.mutant.name.partition(" | ")[2], "")  # wherever its function lies by now

    for one in results:
        if one.open:
            print(f"open: {one.mutant.name}\n   {one.open}")
        elif not one.killed_by:
            why = why_left(one)
            note = (
                f"   left: {why}" if why else f"   {one.tests} tests run it" if one.tests else "   no fast test runs it"
            )
            print(f"survives: {one.mutant.name}\n{note}")
    print(f"{'room':10} {'killed':>6} {'survived':>8} {'equal':>6} {'open':>5}  killed of those killed and survived")
    for room in rooms:
        score = score_of(
            (one.killed_by, bool(one.open), why_left(one)) for one in results if room_of[one.mutant.file] == room
        )
        print(
            f"{room:10} {score.killed:6} {score.survived:8} {score.equal:6} {score.open:5}  {score.percent:.0f}% (bar: {BAR}%)"
        )
        if score.below:
            below.append(room)
    return below


if __name__ == "__main__":
    sys.exit(main())

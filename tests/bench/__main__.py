"""``python -m tests.bench run|table|profile|hop|scale``, see ``make bench``; ``exec`` runs a command beside the fleet."""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from pathlib import Path

from tests.bench import loopback, measure
from tests.bench.contenders import BY_NAME, VENV
from tests.bench.loopback import CHECKOUT

import machine  # isort: skip  # of tests/fleet, which loopback puts on the path

sys.path.insert(0, str(CHECKOUT / ".build/collections"))

PINS = CHECKOUT / "requirements/bench.txt"
PAGE = CHECKOUT / "docs/benchmarks.md"
MARKS = ("<!-- figures -->\n", "<!-- end of figures -->\n")


def tools() -> None:
    """The virtual environment of what is compared with; made again when the pins changed."""
    note = VENV / "installed.txt"
    if note.is_file() and note.read_bytes() == PINS.read_bytes():
        return
    machine.run([sys.executable, "-m", "venv", "--clear", VENV], timeout=120)
    machine.run(
        [VENV / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", PINS],
        timeout=900,
    )
    note.write_bytes(PINS.read_bytes())


def words(text: str) -> list[str]:
    """A list of names between commas."""
    return [one for one in text.split(",") if one]


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    commands = parser.add_subparsers(dest="action", required=True)
    for name in ("run", "run-inside"):
        run = commands.add_parser(name)
        run.add_argument("--hosts", default="", help="numbers of hosts, with commas")
        run.add_argument("--only", default="", help=f"of {', '.join(BY_NAME)}")
        run.add_argument("--rounds", type=int, default=5)
        run.add_argument("--kinds", default="", help="of cold, warm, holes5")
    table = commands.add_parser("table")
    table.add_argument("--write", action="store_true", help=f"into {PAGE.relative_to(CHECKOUT)}")
    for name in ("profile", "profile-inside"):
        profile = commands.add_parser(name)
        profile.add_argument("--hosts", type=int, default=100)
        profile.add_argument("--only", default="pipe,sweep")
    for name in ("exec", "exec-inside"):
        run = commands.add_parser(name)
        run.add_argument("--hosts", type=int, default=32)
        run.add_argument("command", nargs="+")
    for name in ("hop", "hop-inside"):
        hop = commands.add_parser(name)
        hop.add_argument("--hosts", type=int, default=100)
        hop.add_argument("--runs", type=int, default=50)
    for name in ("scale", "scale-inside"):
        scaled = commands.add_parser(name)
        scaled.add_argument("--only", default="sweep,pipe")
        scaled.add_argument("--hosts", default="", help="numbers of hosts, with commas; without it those of the page")
        scaled.add_argument("--latencies", default="0.05", help="seconds, with commas; for 200 hosts")
    commands.add_parser("scale-table")
    arguments = parser.parse_args()
    unknown = [one for one in words(getattr(arguments, "only", "")) if one not in BY_NAME]
    if unknown:
        parser.error(f"no contender {unknown[0]!r}, there are: {', '.join(BY_NAME)}")
    return arguments


def enclosed(action: str) -> int:
    """The same command line again, in namespaces; and away with what they used."""
    measure.RESULTS.mkdir(parents=True, exist_ok=True)
    if not action.startswith("hop"):  # it compares ours with ours
        tools()
    with machine.lock(loopback.PLACE.with_suffix(".lock"), timeout=5, what="another benchmark of this checkout"):
        try:
            return loopback.enclose("tests.bench", [action, *sys.argv[2:]])
        finally:
            measure.Cgroups().remove()
            if loopback.PLACE.is_dir():
                loopback.PLACE.rmdir()


def put(page: Path, text: str) -> None:
    """The figures into the page, between its marks."""
    before, first, rest = page.read_text(encoding="utf-8").partition(MARKS[0])
    _old, last, after = rest.partition(MARKS[1])
    if not first or not last:
        raise SystemExit(f"{page} has no marks for the figures")
    page.write_text(before + first + "\n" + text + "\n" + last + after, encoding="utf-8")


def main() -> int:
    """Do what is asked for."""
    arguments = parse()
    if arguments.action == "table":
        text = measure.table(measure.load())
        put(PAGE, text) if arguments.write else print(text, end="")
        return 0
    if arguments.action == "scale-table":
        from tests.bench import scale

        scale.PAGE.write_text(scale.written(scale.PAGE.read_text(encoding="utf-8"), scale.tables()), encoding="utf-8")
        return 0
    if not arguments.action.endswith("-inside"):
        status = enclosed(arguments.action + "-inside")
        if arguments.action == "run":
            print(measure.table(measure.load()), end="")
        return status
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if arguments.action == "exec-inside":
        return measure.execute(arguments.hosts, arguments.command)
    if arguments.action == "scale-inside":
        from tests.bench import scale

        return (
            1
            if scale.run_inside(
                words(arguments.only),
                [int(one) for one in words(arguments.hosts)],
                [float(one) for one in words(arguments.latencies)],
            )
            else 0
        )
    if arguments.action == "hop-inside":
        from tests.bench import hop

        return 1 if hop.run_inside(arguments.hosts, arguments.runs) else 0
    if arguments.action == "profile-inside":
        from tests.bench import profile

        return profile.run_inside(arguments.hosts, words(arguments.only))
    failed = measure.run_inside(
        [int(one) for one in words(arguments.hosts)], words(arguments.only), arguments.rounds, words(arguments.kinds)
    )
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except machine.FleetError as error:
        print(f"bench: {error}", file=sys.stderr)
        sys.exit(1)
    except subprocess.CalledProcessError as error:
        print(f"bench: {error}", file=sys.stderr)
        sys.exit(1)

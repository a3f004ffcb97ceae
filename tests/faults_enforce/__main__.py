"""``python -m tests.faults_enforce [RUNS [SEED]]``: so many disturbed runs; 1 where one was not healed.

Results are lines of JSON in .build/faults-enforce-SEED.jsonl; a run that was ended goes on where it was. ``--write``
plays none, and puts the table of what is there into docs/differential.md.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from .cases import FAULTS, PARTS, drawn
from .rounds import as_line, play, warm_up
from .stage import CHECKOUT, FLEET, PROFILE, Site

PAGE = CHECKOUT / "docs/differential.md"
BEGIN, END = "<!-- made by python -m tests.faults_enforce --write -->", "<!-- end -->"
#: New fleets, each after a round that could not be judged, before the whole is given up.
MOST_TROUBLES = 5


def table(lines: list[dict[str, Any]]) -> str:
    """Disturbed runs by fault and by part of enforce, as Markdown; those that came to their step alone count."""
    reached = [line for line in lines if line["was_reached"]]
    missed = sum(not line["was_reached"] and "host" in line for line in lines)
    unjudged = sum("host" not in line for line in lines)
    counts = Counter((line["fault"], line["part"]) for line in reached)
    rows = [f"| fault | {' | '.join(PARTS)} | all |", "|---" * (len(PARTS) + 2) + "|"]
    for fault, words in FAULTS.items():
        row = [counts[fault, part] for part in PARTS]
        rows.append(f"| {fault}: {words} | {' | '.join(map(str, row))} | {sum(row)} |")
    row = [sum(counts[fault, part] for fault in FAULTS) for part in PARTS]
    rows.append(f"| all | {' | '.join(map(str, row))} | {sum(row)} |")
    undone = sum(line.get("then", line["desired"]) != line["desired"] for line in reached)
    failed = [line for line in lines if line["problems"] and "host" in line]
    new = sum(line["left"] == "new" for line in reached)
    down = sum(not line["was_up"] for line in reached)
    return "\n".join(
        [
            *rows,
            "",
            f"{len(reached)} disturbed runs; {missed} more were drawn, and the run ended without "
            f"their step. A disturbed run left the old launch file {len(reached) - new} times, the new one {new} times; "
            f"without a JVM: {down}. The next run was to bring back what was before {undone} times. Not healed by the next "
            f"run: {len(failed)}." + (f" Rounds that could not be judged: {unjudged}." if unjudged else ""),
        ]
    )


def play_on(path: Path, lines: list[dict[str, Any]], runs: int, seed: int) -> None:
    """Play rounds on a new fleet until there are so many runs; each is in the file once it is over."""
    subprocess.run([FLEET, "up", PROFILE, "--fresh"], check=True)
    site = Site(Path(tempfile.mkdtemp(prefix="cbops-faults-")))
    kinds = {name: host.kind for name, host in site.hosts.items()}
    number = max((line["round"] for line in lines), default=-1) + 1
    now = "enabled"  # that is how the fleet is left by the warm-up
    try:
        with site.entered(), path.open("a") as file:
            warm_up(site)
            while sum(line["was_reached"] for line in lines) < runs:
                began, round_, error = time.monotonic(), drawn(seed, number, kinds, now), None
                try:
                    new = [as_line(outcome) for outcome in play(site, round_)]
                except Exception as problem:
                    error = problem
                    new = [{"round": number, "was_reached": False, "problems": [f"not judged: {problem!r}"]}]
                file.write("".join(json.dumps(line) + "\n" for line in new))
                file.flush()
                lines += new
                print(
                    f"round {number} ({round_.fault or 'each its own'}): {sum(line['was_reached'] for line in new)} "
                    f"of {len(round_.cases)}, {time.monotonic() - began:.0f} s",
                    flush=True,
                )
                for line in new:
                    if line["problems"]:
                        print(f"  {line}", flush=True)
                if error is not None:
                    raise error
                number, now = number + 1, round_.then
    finally:
        shutil.rmtree(site.folder, ignore_errors=True)


def main() -> int:
    """Play, and print the table."""
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    runs, seed = [int(word) for word in words] + [500, 0][len(words) :]
    path = CHECKOUT / ".build" / f"faults-enforce-{seed}.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    if "--write" not in sys.argv:
        try:
            for attempt in range(MOST_TROUBLES + 1):
                try:
                    play_on(path, lines, runs, seed)
                    break
                except Exception as problem:  # with a new fleet the others can be played
                    print(f"a new fleet, because of {problem!r}", flush=True)
                    if attempt == MOST_TROUBLES:
                        raise
        except KeyboardInterrupt:
            print("stopped; the same command goes on from here", flush=True)
        finally:
            subprocess.run([FLEET, "down", PROFILE], check=True)
    print(table(lines))
    if "--write" in sys.argv:
        before, rest = PAGE.read_text().split(BEGIN)
        PAGE.write_text(before + BEGIN + "\n" + table(lines) + "\n" + END + rest.split(END)[1])
    return 1 if any(line["problems"] for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())

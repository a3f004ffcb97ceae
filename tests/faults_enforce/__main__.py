"""``python -m tests.faults_enforce [RUNS [SEED]]``: so many disturbed runs; 1 where one was not healed.

Results are lines of JSON in .build/faults-enforce-SEED.jsonl; a run that was ended goes on where it was. ``--table``
prints the table of what is there, for docs/differential.md.
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


def table(lines: list[dict[str, Any]]) -> str:
    """Disturbed runs by fault and by part of enforce, as Markdown; those that came to their step alone count."""
    reached = [line for line in lines if line["was_reached"]]
    counts = Counter((line["fault"], line["part"]) for line in reached)
    rows = [f"| fault | {' | '.join(PARTS)} | all |", "|---" * (len(PARTS) + 2) + "|"]
    for fault, words in FAULTS.items():
        row = [counts[fault, part] for part in PARTS]
        rows.append(f"| {fault}: {words} | {' | '.join(map(str, row))} | {sum(row)} |")
    row = [sum(counts[fault, part] for fault in FAULTS) for part in PARTS]
    rows.append(f"| all | {' | '.join(map(str, row))} | {sum(row)} |")
    failed = [line for line in reached if line["problems"]]
    new = sum(line["left"] == "new" for line in reached)
    down = sum(not line["was_up"] for line in reached)
    return "\n".join([
        *rows, "", f"{len(reached)} disturbed runs; {len(lines) - len(reached)} more were drawn and ended before their "
        f"step. The disturbed run left the old launch file {len(reached) - new} times and the new one {new} times, and "
        f"no JVM {down} times. Not healed by the next run: {len(failed)}."])


def numbers(path: Path, lines: list[dict[str, Any]], runs: int, seed: int) -> None:
    """Play rounds until there are so many runs."""
    site = Site(Path(tempfile.mkdtemp(prefix="cbops-faults-")))
    kinds = {name: host.kind for name, host in site.hosts.items()}
    try:
        with site.entered(), path.open("a") as file:
            warm_up(site)
            number = max((line["round"] for line in lines), default=-1) + 1
            number += number % 2  # the first one disables: that is how the fleet is left now
            while sum(line["was_reached"] for line in lines) < runs:
                began = time.monotonic()
                round_ = drawn(seed, number, kinds)
                new = [as_line(outcome) for outcome in play(site, round_)]
                file.write("".join(json.dumps(line) + "\n" for line in new))
                file.flush()
                lines += new
                reached = sum(line["was_reached"] for line in new)
                print(f"round {number} ({round_.fault or 'each its own'}): {reached} of {len(new)}, "
                      f"{time.monotonic() - began:.0f} s", flush=True)
                for line in new:
                    if line["problems"]:
                        print(f"  {line}", flush=True)
                number += 1
    finally:
        shutil.rmtree(site.folder, ignore_errors=True)


def main() -> int:
    """Play, and print the table."""
    words = [word for word in sys.argv[1:] if word != "--table"]
    runs, seed = [int(word) for word in words] + [500, 0][len(words):]
    path = CHECKOUT / ".build" / f"faults-enforce-{seed}.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    if "--table" not in sys.argv:
        subprocess.run([FLEET, "up", PROFILE, "--fresh"], check=True)
        try:
            numbers(path, lines, runs, seed)
        finally:
            subprocess.run([FLEET, "down", PROFILE], check=True)
    print(table(lines))
    return 1 if any(line["problems"] for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())

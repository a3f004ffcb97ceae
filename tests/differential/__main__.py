"""``python -m tests.differential [CASES [FIRST]]``: a long run, its table, and an exit status for disagreements."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".build" / "collections"))

from tests.differential.run import describe, processes, run  # noqa: E402


def main() -> int:
    """Run so many cases (2000) from a number on (0)."""
    numbers = [int(argument) for argument in sys.argv[1:]] + [2000, 0][len(sys.argv) - 1 :]
    report = run(numbers[0], numbers[1], processes())
    print(report.table())
    if report.disagreements:
        print(describe(report))
    return 1 if report.disagreements else 0


if __name__ == "__main__":
    sys.exit(main())

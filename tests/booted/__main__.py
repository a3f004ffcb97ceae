"""``python -m tests.booted [CASES [SEED]]``: the collected cases and so many made ones; 1 where one disagrees."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".build" / "collections"))

from tests.booted.cases import collected  # noqa: E402
from tests.booted.grammar import sample  # noqa: E402
from tests.booted.hosts import fleet, run  # noqa: E402
from tests.booted.judge import report  # noqa: E402


def main() -> int:
    """Run the cases, on all hosts at the same time."""
    numbers = [int(argument) for argument in sys.argv[1:]] + [1000, 0][len(sys.argv) - 1 :]
    todo = [*collected(), *map(sample, range(numbers[1], numbers[1] + numbers[0]))]
    with fleet():
        found = report(run(todo))
    print(found.table())
    print(found.describe())
    return 1 if found.disagreements else 0


if __name__ == "__main__":
    sys.exit(main())

"""The rooms whose mutants are made, by patterns of file names: a room that gets another file gets its mutants too."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

_HOST = "plugins/module_utils"
#: Patterns of each room's files, below the checkout; what begins with "!" is taken out again.
ROOMS: dict[str, tuple[str, ...]] = {
    "rules": (f"{_HOST}/rules/*.py",),
    "filing": ("plugins/plugin_utils/connect/_filing*.py",),
    "jvm": (f"{_HOST}/java/_jvm*.py",),
    "edit": (f"{_HOST}/edit/*.py", "!*/_writing*.py", "!*/_backups*.py"),
    "writing": (f"{_HOST}/edit/_writing*.py",),
    "systemd": tuple(
        f"{_HOST}/launch/_{name}*.py" for name in ("systemd", "unit", "environment", "commands", "specifiers")
    ),
    "walk": (f"{_HOST}/shell/_walk*.py", f"{_HOST}/shell/_flow*.py"),
}


def files_of(checkout: Path) -> dict[str, list[str]]:
    """Each room's files. Raises :class:`ValueError` for a room that has none."""
    found: dict[str, list[str]] = {}
    for room, patterns in ROOMS.items():
        wanted = [pattern for pattern in patterns if not pattern.startswith("!")]
        unwanted = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
        found[room] = sorted(
            name
            for pattern in wanted
            for path in checkout.glob(pattern)
            if path.stat().st_size
            and not any(fnmatch(name := str(path.relative_to(checkout)), pattern) for pattern in unwanted)
            and (name := str(path.relative_to(checkout)))
        )
        if not found[room]:
            raise ValueError(f"the room {room} has no file at {', '.join(wanted)}")
    return found


#: What a unit test names that runs one of the rooms in its own process.
_RUNS = re.compile(
    r"hostroot|answerbook|_filing|module_utils\.(?:rules|java|edit|launch|shell|survey)|module_utils import"
)
#: Unit tests that start programs, wait, or take seconds: they are none of the fast ones.
_NOT_FAST = frozenset(
    f"tests/unit/test_{name}.py"
    for name in (
        "attach carrier evidence failures held limits modules other_changes packing processes prove restarts routes "
        "runner schema settings worst_cases"
    ).split()
)


def fast_tests(checkout: Path) -> list[str]:
    """The files of the fast tests of the rooms."""
    found = {str(path.relative_to(checkout)): path for path in sorted(checkout.glob("tests/unit/test_*.py"))}
    return [
        name for name, path in found.items() if name not in _NOT_FAST and _RUNS.search(path.read_text(encoding="utf-8"))
    ]

"""What a case is, and the collected ones: launch configurations that people have (``tests/unit/cases``)."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

COLLECTED = Path(__file__).resolve().parents[1] / "unit" / "cases"
#: What Red Hat's and other distributions bring and Debian does not, cut down to what matters.
TOOLS = ("/etc/init.d/functions", "/usr/bin/daemon", "/usr/sbin/daemonize")


@dataclass
class Case:
    """Files over a plain host, and what starts a controller from them."""

    name: str
    unit: str | None  # or a script that somebody starts by hand
    script: str | None = None
    arguments: list[str] = field(default_factory=list)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)  # path -> {text, mode} (Latin-1) or {link}
    manager: list[str] = field(default_factory=list)  # told to the service manager (systemctl set-environment)
    twice: bool = True  # whether the same edit is asked for once more
    kinds: set[str] = field(default_factory=set)  # what it is made of
    unknown: str | None = None  # why no static reader can know
    may_stop: str | None = None  # why the launcher may end before the JVM, as a static reader cannot know

    def document(self) -> dict[str, Any]:
        """As the reader is given it."""
        return {
            name: getattr(self, name) for name in ("name", "unit", "script", "arguments", "files", "manager", "twice")
        }

    def put(self, path: str, text: str, mode: int = 0o644) -> None:
        """One more file."""
        self.files[path] = {"text": text, "mode": mode}


def furniture() -> dict[str, Any]:
    """What every host gets: the users of the cases and the tools."""
    common = COLLECTED / "common"
    users = (common / "etc/passwd").read_text(encoding="ascii").splitlines()[1:]
    tools = {
        path: [(common / path[1:]).read_text(encoding="latin-1"), 0o644 if path.endswith("functions") else 0o755]
        for path in TOOLS
    }
    return {"users": users, "tools": tools, "options": options()}


def options() -> dict[str, Any]:
    """The options of ``telemetry_flag`` with their defaults."""
    from ansible_collections.cbops.telemetry.plugins.modules.telemetry_flag import ARGUMENTS  # where its path is known

    return {name: option.get("default") for name, option in ARGUMENTS.items()}


def collected() -> list[Case]:
    """The collected cases that something starts."""
    found = []
    with open(COLLECTED / "cases.tsv", encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE):
            program, *arguments = row["unit or script"].split()
            by_hand = program.startswith("/")
            case = Case(
                row["name"], None if by_hand else program, program if by_hand else None, arguments, kinds={"collected"}
            )
            folder = COLLECTED / row["name"]
            for path in sorted(folder.rglob("*")):
                if path.is_file() and path.name != "java":  # the host has one wherever they look for it
                    # One byte a character: not even line ends may change on the way.
                    case.put(
                        "/" + str(path.relative_to(folder)),
                        path.read_bytes().decode("latin-1"),
                        0o755 if path.stat().st_mode & 0o100 else 0o644,
                    )
            found.append(case)
    return found

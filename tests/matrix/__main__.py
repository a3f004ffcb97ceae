"""``make matrix``: each ansible-core that is promised, on the embedded fleet, and a newcomer's commands in bare roots.

Not nox: half of the sessions run by the Python of another root file system, all of them in the fleet's network, and
their table is what they are for; nox would loop over them and know of nothing else.
"""

from __future__ import annotations

import argparse
import datetime
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.matrix import newcomer, roots, session, units
from tests.matrix.roots import CHECKOUT, machine
from tests.matrix.session import BUILD, FLEET

#: Core -> the Debian release whose Python runs it, or that Python's version (see roots.place): from the oldest that a
#: core runs on to the newest that can be had; and the pin where the newest release of it is none yet.
CORES = {
    "2.16": "3.10",
    "2.17": "3.12",
    "2.18": "3.13",
    "2.19": "bookworm",
    "2.20": "trixie",
    "2.21": "trixie",
    "2.22": "forky",
}
UNRELEASED = {"2.22": "2.22.0rc1"}
#: Cores whose own ansible-test looks at the collection, beside the one of `make lint`: the newest whose requirements
#: are all packages of the index (2.22.0rc1's pylint wants a commit of dill's).
SANITY = ("2.21",)
BARE = ("bookworm", "trixie")
PAGE = CHECKOUT / "docs/support.md"
RESULTS = BUILD / "results.json"


def code() -> str:
    """A name for what is packed: the same code has the same one."""
    done = machine.run(["git", "-C", CHECKOUT, "ls-tree", "-r", "HEAD", "--", "plugins", "roles", "playbooks", "meta"])
    return machine.digest(done.stdout)


def results() -> dict[str, Any]:
    """What was run of this code so far."""
    try:
        known = json.loads(RESULTS.read_text())
    except (OSError, ValueError):
        known = {}
    found: dict[str, Any] = {"code": code(), "cores": {}, "newcomers": {}, "sanity": {}, "units": {}}
    return found | known if known.get("code") == code() else found


def artifact() -> Path:
    """What `make build` makes, in a folder without anything else."""
    folder = BUILD / "artifact"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    machine.run(["sh", CHECKOUT / "scripts/build", folder], timeout=120)
    (made,) = folder.glob("*.tar.gz")
    return made


def table(found: dict[str, Any]) -> str:
    """The results as Markdown."""
    steps = [step.__name__ for step in session.STEPS]
    lines = [f"| ansible-core | Python | {' | '.join(steps)} | seconds |", "|---" * (len(steps) + 3) + "|"]
    for core in sorted(found["cores"], key=lambda name: [int(part) for part in name.split(".")]):
        row = found["cores"][core]
        cells = [row["steps"].get(step, "not run").partition(":")[0] for step in steps]
        lines.append(f"| {row['core']} | {row['python']} | {' | '.join(cells)} | {row['seconds']} |")
    if found["newcomers"]:
        names = list(newcomer.STEPS)
        lines += [
            "",
            f"| bare Debian | {' | '.join(f'`make {name}`' for name in names)} |",
            "|---" * (len(names) + 1) + "|",
        ]
        for release, row in sorted(found["newcomers"].items()):
            unseen = {"test-unit": "in `make test`"} if "test" in row else {}
            cells = [row.get(name, unseen.get(name, "not run")).partition(":")[0] for name in names]
            lines.append(f"| {release} | {' | '.join(cells)} |")
    if found["sanity"]:
        lines += ["", "| `ansible-test sanity` of | Python | | seconds |", "|---|---|---|---|"]
        for _core, row in sorted(found["sanity"].items()):
            lines.append(
                f"| ansible-core {row['core']} | {row['python']} | "
                f"{row['steps'].get('sanity', 'not run').partition(':')[0]} | {row['seconds']} |"
            )
    if found["units"]:
        lines += ["", "| unit tests on | Python | | | seconds |", "|---|---|---|---|---|"]
        for _core, row in sorted(found["units"].items()):
            lines.append(
                f"| ansible-core {row['core']} | {row['python']} | "
                f"{row['steps'].get('unit', 'not run').partition(':')[0]} | {row['tests']} | {row['seconds']} |"
            )
    return "\n".join(lines)


def main() -> int:
    """Run what was asked for and write the page."""
    everything = [
        *CORES,
        *(f"sanity-{core}" for core in SANITY),
        *(f"unit-{core}" for core in CORES),
        *(f"bare-{release}" for release in BARE),
    ]
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=__doc__)
    parser.add_argument("--only", default="", help=f"of {','.join(everything)}")
    parser.add_argument("--whole", default="", help="anything: a newcomer's `make test` is run to its end too")
    arguments = parser.parse_args()
    wanted = [name for name in arguments.only.split(",") if name] or everything
    if unknown := set(wanted) - set(everything):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(everything)}")
    machine.check()
    machine.install_tools()
    BUILD.mkdir(parents=True, exist_ok=True)
    packed = artifact()
    failures, as_new = 0, False
    others: dict[str, tuple[Path | None, str]] = {}
    for name in wanted:
        found = results()
        machine.say(f"matrix: {name}")
        kind, _, rest = name.rpartition("-")
        core = UNRELEASED.get(rest, rest)
        if kind == "bare":
            steps = found["newcomers"][rest] = newcomer.run(rest, bool(arguments.whole))
        elif kind == "unit":
            row = found["units"][rest] = units.run(core, CORES[rest])
            steps = row["steps"]
        else:
            where = CORES[rest]
            if where not in others:
                others[where] = roots.place(where, BUILD / "roots" / where)
            made = session.Session(core, packed, *others[where], folder=BUILD / "sessions" / name)
            if kind == "sanity":
                row = found["sanity"][rest] = session.run(made, (session.Session.install, session.Session.sanity))
                steps = row["steps"]
            else:
                # A session that passes leaves the hosts as it found them.
                subprocess.run([FLEET, "up", "test", *([] if as_new else ["--fresh"])], check=True, timeout=900)
                row = found["cores"][rest] = session.run(made)
                steps = row["steps"]
                as_new = set(steps.values()) == {"passed"}
        failures += sum(text != "passed" for text in steps.values())
        found["day"] = datetime.date.today().isoformat()
        RESULTS.write_text(json.dumps(found, indent=1))
    text = re.sub(
        r"(<!-- matrix -->\n).*(<!-- end of matrix -->\n)",
        lambda marks: f"{marks[1]}\nRun on {found['day']}.\n\n{table(found)}\n\n{marks[2]}",
        PAGE.read_text(),
        flags=re.DOTALL,
    )
    PAGE.write_text(text)
    machine.say(f"matrix: {failures} steps failed, {PAGE.relative_to(CHECKOUT)} is written")
    return 1 if failures else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except machine.FleetError as problem:
        sys.exit(f"matrix: {problem}")

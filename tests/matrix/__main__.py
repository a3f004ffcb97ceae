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

from tests.matrix import newcomer, roots, session
from tests.matrix.roots import CHECKOUT, machine
from tests.matrix.session import BUILD, FLEET

#: Core -> the Debian release whose Python runs it, and the pin where the newest release of it is none yet.
CORES = {
    "2.16": "bookworm",
    "2.17": "bookworm",
    "2.18": "bookworm",
    "2.19": "bookworm",
    "2.20": "trixie",
    "2.21": "trixie",
    "2.22": "trixie",
}
UNRELEASED = {"2.22": "2.22.0rc1"}
#: Cores whose own ansible-test looks at the collection, beside the one of `make lint`: the newest whose requirements
#: are all packages of the index (2.22.0rc1's pylint wants a commit of dill's).
SANITY = ("2.21",)
PYTHON = {"bookworm": (3, 11), "trixie": (3, 13)}
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
    found: dict[str, Any] = {"code": code(), "cores": {}, "newcomers": {}, "sanity": {}}
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
            cells = [row.get(name, "not run").partition(":")[0] for name in names]
            lines.append(f"| {release} | {' | '.join(cells)} |")
    if found["sanity"]:
        lines += ["", "| `ansible-test sanity` of | Python | | seconds |", "|---|---|---|---|"]
        for _core, row in sorted(found["sanity"].items()):
            lines.append(
                f"| ansible-core {row['core']} | {row['python']} | "
                f"{row['steps'].get('sanity', 'not run').partition(':')[0]} | {row['seconds']} |"
            )
    return "\n".join(lines)


def main() -> int:
    """Run what was asked for and write the page."""
    everything = [*CORES, *(f"sanity-{core}" for core in SANITY), *(f"bare-{release}" for release in PYTHON)]
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
    others: dict[str, Path] = {}
    for name in wanted:
        found = results()
        machine.say(f"matrix: {name}")
        core = name.removeprefix("sanity-")
        if core in CORES:
            release = CORES[core]
            if sys.version_info[:2] != PYTHON[release] and release not in others:
                others[release] = roots.copied(release, roots.CONTROL, BUILD / "roots" / release)
            made = session.Session(
                UNRELEASED.get(core, core), packed, others.get(release), folder=BUILD / "sessions" / name
            )
            if core != name:
                row = found["sanity"][core] = session.run(made, (session.Session.install, session.Session.sanity))
                steps = row["steps"]
            else:
                # A session that passes leaves the hosts as it found them.
                subprocess.run([FLEET, "up", "test", *([] if as_new else ["--fresh"])], check=True, timeout=900)
                row = found["cores"][core] = session.run(made)
                steps = row["steps"]
                as_new = set(steps.values()) == {"passed"}
        else:
            steps = newcomer.run(name.partition("-")[2], bool(arguments.whole))
            found["newcomers"][name.partition("-")[2]] = steps
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

"""Coverage-guided fuzzing of the parsers: ``python -m tests.differential.fuzz [SECONDS]`` (needs atheris, see README).

Starts from the kept corpus and from generated launch files, runs for so long, and adds the short ones of the inputs that
reached something new to ``corpus.json``. An input that crashes or hangs is printed and ends the run with an error.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CORPUS = Path(__file__).parent / "corpus.json"
LONGEST = 700  # bytes of an input
HANG = 60  # seconds
KEPT_BYTES = 200_000  # of the corpus


def corpus() -> list[str]:
    """The kept inputs, Latin-1 text."""
    return list(json.loads(CORPUS.read_text(encoding="utf-8"))) if CORPUS.exists() else []


def child(arguments: list[str]) -> None:
    """Fuzz in this process; libFuzzer ends it."""
    import atheris

    with atheris.instrument_imports(include=["ansible_collections.cbops.telemetry.plugins.module_utils"]):
        from tests.differential.test_parsers import read_it_every_way

    atheris.Setup([sys.argv[0], *arguments], lambda data: read_it_every_way(data.decode("latin-1")))
    atheris.Fuzz()


def libfuzzer(*arguments: str) -> subprocess.CompletedProcess[str]:
    """This module in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "tests.differential.fuzz", "--child", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )


def main(seconds: int) -> int:
    """Fuzz, then keep what reached something new, the shortest first."""
    from tests.differential.grammar import sample

    with tempfile.TemporaryDirectory() as place:
        seeds, found = Path(place, "seeds"), Path(place, "found")
        seeds.mkdir()
        found.mkdir()
        texts = corpus() + [sample(number).text for number in range(300)]
        for number, text in enumerate(texts):
            (seeds / str(number)).write_bytes(text.encode("latin-1")[:LONGEST])
        done = libfuzzer(
            str(found),
            str(seeds),
            f"-max_total_time={seconds}",
            f"-max_len={LONGEST}",
            f"-timeout={HANG}",
            "-print_final_stats=1",
            f"-artifact_prefix={place}/",
        )
        print(done.stdout[-6000:])
        executions = re.search(r"number_of_executed_units: (\d+)", done.stdout)
        print(
            f"{executions.group(1) if executions else '?'} executions, "
            f"{len(list(found.iterdir()))} inputs that reached something new"
        )
        if done.returncode:
            return 1
        inputs = {path.read_bytes() for path in found.iterdir()} | {text.encode("latin-1") for text in corpus()}
        kept = sorted(inputs, key=lambda data: (len(data), data))
        size = 0
        chosen = []
        for data in kept:
            size += len(data)
            if size > KEPT_BYTES:
                break
            chosen.append(data.decode("latin-1"))
        CORPUS.write_text(json.dumps(chosen, indent=0, ensure_ascii=True) + "\n", encoding="utf-8")
        print(f"{len(chosen)} of {len(kept)} inputs kept in {CORPUS.name}")
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / ".build" / "collections"))
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2:])
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3600))

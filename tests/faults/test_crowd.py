"""Many at a time: writers that all get their edit in, writers that are killed, a reader that never sees half a file."""

from __future__ import annotations

import os
import random
import re
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from . import writer
from .writer import NEW, OLD, files, store

HEAD = "# one line for each edit\n"
WRITERS = 8
EDITS = 25

# Adds lines "<writer> <number>", one edit each, on whatever is there; says "ok <line>" once it is written.
ONE_WRITER = """
import sys
sys.path.insert(0, sys.argv[1])
from writer import files, store
path, writer, first, last = sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
for number in range(first, last):
    line = "%s %d\\n" % (writer, number)
    while True:
        with open(path) as stream:
            content = stream.read()
        try:
            files.replace(path, content, content + line, store(path) if number % 5 == 0 else None)
        except files.Refused as error:
            assert "meanwhile" in str(error) and "nothing was changed" in str(error), error
            print("refused", flush=True)
            continue
        print("ok " + line, end="", flush=True)
        break
"""


def start(path: Path, name: int, first: int = 0, last: int = EDITS) -> subprocess.Popen[str]:
    """A writer process."""
    return subprocess.Popen(
        [
            sys.executable,
            "-I",
            "-S",
            "-B",
            "-c",
            ONE_WRITER,
            str(Path(writer.__file__).parent),
            str(path),
            str(name),
            str(first),
            str(last),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The file that all write."""
    path = tmp_path / "etc/file"
    path.parent.mkdir()
    path.write_text(HEAD)
    os.chown(path, 1234, 4321)
    path.chmod(0o640)
    return path


def whole_lines(path: Path) -> list[str]:
    """The lines, every one complete; owner and mode are the file's own."""
    text = path.read_text()
    assert re.fullmatch(HEAD + r"(?:\d+ \d+\n)*", text), text[-200:]
    status = path.stat()
    owner = (1234, 4321, 0o640) if path.name == "file" else (0, 0, 0o600)
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == owner
    return text.splitlines()[1:]


def test_no_edit_of_many_writers_is_lost(file: Path, runs: Counter[str]) -> None:
    writers = [start(file, name) for name in range(WRITERS)]
    seen: list[str] = []
    while any(one.poll() is None for one in writers):
        lines = whole_lines(file)
        assert lines[: len(seen)] == seen, "an edit that was there is gone"
        seen = lines
        time.sleep(0.002)
    said = [one.communicate() for one in writers]
    assert [one.returncode for one in writers] == [0] * WRITERS, said
    lines = whole_lines(file)
    assert sorted(lines) == sorted(f"{name} {number}" for name in range(WRITERS) for number in range(EDITS))
    for backup in store(str(file)).list(str(file)):
        assert whole_lines(Path(backup.path)) == lines[: len(whole_lines(Path(backup.path)))]
    assert not [name for name in os.listdir(file.parent) if name.endswith(files.TEMPORARY_SUFFIX)]
    runs["concurrent edits"] += WRITERS * EDITS
    runs["(refused and made again)"] += sum(out.count("refused\n") for out, _err in said)


def test_writers_killed_at_random_lose_nothing_that_was_said_to_be_done(file: Path, runs: Counter[str]) -> None:
    chance = random.Random(3)
    done: list[str] = []
    running: dict[int, tuple[subprocess.Popen[str], float]] = {}
    number = 0
    deadline = time.monotonic() + 12
    while time.monotonic() < deadline or running:
        for name in range(WRITERS):
            if name not in running and time.monotonic() < deadline:
                # One of three at any moment, the others some time after their first edit, however slow the machine is.
                early = time.monotonic() + chance.uniform(0.05, 0.6) if chance.random() < 0.3 else float("inf")
                running[name] = (start(file, name, number, number + 1000), early)
                number += 1000
            if name in running and running[name][1] == float("inf"):
                one = running[name][0]
                if select.select([one.stdout], [], [], 0)[0]:
                    running[name] = (one, time.monotonic() + chance.uniform(0, 0.4))
            if name in running and time.monotonic() > running[name][1]:
                one = running.pop(name)[0]
                one.send_signal(signal.SIGKILL)
                out, err = one.communicate()
                assert one.returncode == -signal.SIGKILL, err
                done += re.findall(r"^ok (.*)\n", out, re.M)
                runs["writers killed at a random moment"] += 1
                lines = whole_lines(file)
                assert len(set(lines)) == len(lines)
        time.sleep(0.005)
    missing = set(done) - set(whole_lines(file))
    assert not missing
    assert len(done) > 50
    for backup in store(str(file)).list(str(file)):
        whole_lines(Path(backup.path))
    with open(file) as stream:
        content = stream.read()
    files.replace(str(file), content, content + "0 0\n")
    assert not [name for name in os.listdir(file.parent) if name.endswith(files.TEMPORARY_SUFFIX)]


def test_a_reader_never_sees_part_of_a_file(file: Path, runs: Counter[str]) -> None:
    contents = [OLD, NEW * 40]
    code = """
import sys
sys.path.insert(0, sys.argv[1])
from writer import NEW, OLD, files, store
contents = [OLD, NEW * 40]
for number in range(500):
    files.replace(sys.argv[2], contents[number % 2], contents[(number + 1) % 2],
                  store(sys.argv[2]) if number % 10 == 0 else None)
"""
    file.write_bytes(contents[0].encode("latin-1"))
    wanted = [content.encode("latin-1") for content in contents]
    one = subprocess.Popen(
        [sys.executable, "-I", "-S", "-B", "-c", code, str(Path(writer.__file__).parent), str(file)],
        stderr=subprocess.PIPE,
        text=True,
    )
    reads = Counter[int]()
    while one.poll() is None:
        with open(file, "rb") as stream:
            reads[wanted.index(stream.read())] += 1
            status = os.fstat(stream.fileno())
        assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (1234, 4321, 0o640)
    assert one.returncode == 0, one.communicate()
    assert min(reads[0], reads[1]) > 10
    runs["replaces under a reader"] += 500
    runs["(reads, all of a whole file)"] += sum(reads.values())

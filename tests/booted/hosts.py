"""The fleet's plain hosts: the reader and the product are put there, and are given cases."""

from __future__ import annotations

import base64
import io
import json
import queue
import select
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .cases import Case, furniture

ROOT = Path(__file__).resolve().parents[2]
FLEET = str(ROOT / "tests/fleet/fleet")
HOSTS = ("bookworm", "trixie", "bullseye")
FOLDER = "/run/booted"  # on the host
SECONDS = 1800  # for one case, on a machine that has much else to do


class Failed(Exception):
    """The fleet or the reader on a host did not do its part."""


@contextmanager
def fleet() -> Iterator[None]:
    """The plain hosts are up, and gone afterwards."""
    for words in (("check",), ("up", "booted", "--fresh")):
        done = subprocess.run([FLEET, *words], capture_output=True, text=True, timeout=900, check=False)
        if done.returncode:
            raise Failed(f"the embedded fleet is needed: {(done.stderr or done.stdout).strip()}")
    try:
        yield
    finally:
        subprocess.run([FLEET, "down", "booted"], capture_output=True, timeout=300, check=True)


class Reader:
    """The booted reader on one host."""

    def __init__(self, host: str) -> None:
        self.host = host
        inside = [FLEET, "shell", "booted", host, "--"]
        subprocess.run(
            [*inside, "sh", "-c", f"rm -rf {FOLDER}; mkdir -p {FOLDER}/cbops; tar -C {FOLDER} -xf -"],
            input=_archive(),
            capture_output=True,
            timeout=60,
            check=True,
        )
        self._process = subprocess.Popen(
            [*inside, "python3", "-I", f"{FOLDER}/reader.py", FOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._tell(furniture())

    def _tell(self, document: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(document).encode("ascii") + b"\n")
        self._process.stdin.flush()

    def run(self, case: Case) -> dict[str, Any]:
        """What the reader found out about a case."""
        self._tell(case.document())
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], SECONDS)[0]:
            raise Failed(f"nothing came of {case.name} on {self.host} within {SECONDS} s")
        line = self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise Failed(f"the reader on {self.host} ended at {case.name}")
        found = json.loads(base64.b64decode(line))
        assert found["name"] == case.name
        return found  # type: ignore[no-any-return]

    def close(self) -> None:
        """No more cases."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _archive() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.add(Path(__file__).with_name("reader.py"), "reader.py")
        archive.add(
            ROOT / "plugins/module_utils",
            "cbops",
            filter=lambda one: None if one.name.endswith("/__pycache__") else one,
        )
    return stream.getvalue()


def run(cases: Sequence[Case]) -> Iterator[tuple[str, Case, dict[str, Any]]]:
    """What came of cases, as it comes. Hosts take turns, always in the same way, and work at the same time."""
    hosts = HOSTS[: len(cases)]
    answers: queue.Queue[tuple[str, Case, dict[str, Any]] | None] = queue.Queue()

    def work(host: str) -> None:
        try:
            reader = Reader(host)
            try:
                for case in cases[hosts.index(host) :: len(hosts)]:
                    answers.put((host, case, reader.run(case)))
            finally:
                reader.close()
        finally:
            answers.put(None)

    with ThreadPoolExecutor(len(hosts)) as pool:
        workers = [pool.submit(work, host) for host in hosts]
        for _ in hosts:
            yield from iter(answers.get, None)
        for worker in workers:
            worker.result()

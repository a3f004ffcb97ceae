"""Runs mutants in forked children of one Python that has collected the tests: nothing of the checkout is changed.

How: the tests are collected once, in a copy of the checkout. Each test file is run once with a trace, in a child, and
leaves which test runs which line of the rooms. For each mutant a child gets the changed code in the place of the old
(a function's ``__code__``, so that whoever has imported the function has it), and runs the tests that run its line, the
quickest first, until one fails; before them what has killed this mutant, or one of its function, the last time. A
table of a module's own (``_NAME = ...``) is made again in the module that is there, with those made of it, and gets the
tests that run a line which names one of them. What else is no function's (defaults of arguments, what other modules
import) is imported anew by a child that has not imported the collection yet, and costs some seconds.

Bounds: each test has CPU and a mutant has memory and time by what its tests take without it; one that passes a bound is
killed, by that word. A trap: what tests start as a program of its own (the modules that are sent to a host) has no
mutant in it.
"""

from __future__ import annotations

import ast
import ctypes
import dataclasses
import difflib
import hashlib
import importlib.abc
import importlib.machinery
import importlib.util
import itertools
import json
import mmap
import os
import pickle
import resource
import select
import shutil
import signal
import sys
import threading
import time
import types
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from .mutants import Mutant, tree_of

PACKAGE = "ansible_collections.cbops.telemetry."
#: A test that takes more CPU than this, in seconds, traced, is none of the fast ones.
FAST = 3.0
#: Of the fast tests of a mutant, the quickest are run, up to so much CPU in all, traced: what survives is run by all.
BUDGET = 30.0
MEMORY = 3 << 30
#: A function is followed in one test until so many calls in a row run nothing new; what only a later one runs is not
#: known to be run.
CALLS = 8
#: So many tests of a file are traced in one child.
AT_ONCE = 20


@dataclasses.dataclass
class Traced:
    """What a run of a test without any mutant has shown."""

    seconds: float
    passed: bool
    #: Lines of the rooms' files that it ran.
    lines: dict[str, frozenset[int]]


@dataclasses.dataclass
class Result:
    """What became of a mutant."""

    mutant: Mutant
    #: The test that failed, or the bound that was passed; empty: it survives.
    killed_by: str
    tests: int


def module_of(file: str) -> str:
    """The module's name of a file of the collection."""
    return PACKAGE + file.removesuffix(".py").replace("/", ".")


def digest(paths: Iterable[Path]) -> str:
    """One checksum of files, whatever their times."""
    found = hashlib.sha256()
    for path in sorted(paths):
        found.update(str(path).encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()


# -- children ---------------------------------------------------------------------------------------


class Children:
    """Runs functions in forked children, some at a time; each may write one text, and has a bound of time."""

    def __init__(self, jobs: int, scratch: Path) -> None:
        self._jobs = jobs
        self._scratch = scratch
        self._running: dict[int, tuple[int, float, Callable[[str], None], Path]] = {}
        self._count = 0

    def start(self, work: Callable[[Path], str], seconds: float, done: Callable[[str], None]) -> None:
        """Begin one as soon as there is a place; ``done`` gets its text, or ``time`` or ``died``."""
        while len(self._running) >= self._jobs:
            self._collect()
        self._count += 1
        folder = self._scratch / f"child{self._count}"
        folder.mkdir(parents=True)
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            os.setpgid(0, 0)
            os.close(reading)
            status = 1
            try:
                quiet = os.open(os.devnull, os.O_RDWR)
                for descriptor in (0, 1, 2):
                    os.dup2(quiet, descriptor)
                text = work(folder).encode(errors="backslashreplace")
                while text:
                    text = text[os.write(writing, text) :]
                status = 0
            finally:
                os._exit(status)
        os.close(writing)
        self._running[reading] = (pid, time.monotonic() + seconds, done, folder)

    def wait(self) -> None:
        """Until all have ended."""
        while self._running:
            self._collect()

    def _collect(self) -> None:
        ready, _, _ = select.select(list(self._running), [], [], 0.2)
        now = time.monotonic()
        for reading, (pid, deadline, done, folder) in list(self._running.items()):
            text = ""
            if reading in ready:
                with open(reading, "rb") as stream:  # it writes when it is done, and ends
                    text = stream.read().decode() or "died"
            elif now > deadline:
                os.close(reading)
                text = "time"
            else:
                continue
            del self._running[reading]
            try:
                os.killpg(pid, signal.SIGKILL)
            except OSError:
                pass
            os.waitpid(pid, 0)
            shutil.rmtree(folder, ignore_errors=True)
            done(text)


# -- which test runs which line -----------------------------------------------------------------------


class Tracer:
    """Marks lines that are run, in memory that forked processes share: what a test forks counts as the test."""

    def __init__(self, files: dict[str, int]) -> None:
        self._offsets: dict[str, int] = {}
        self._files: dict[str, tuple[int, int]] = {}
        size = 0
        for file, lines in files.items():
            self._files[file] = (size, lines + 2)
            size += lines + 2
        self._map = mmap.mmap(-1, size)
        self._size = size
        self._by_code: dict[str, int | None] = {}
        self._calls: dict[int, int] = {}
        self._elsewhere: dict[int, int] = {}

    def _offset(self, filename: str) -> int | None:
        if filename not in self._by_code:
            path = os.path.realpath(filename)
            self._by_code[filename] = next(
                (offset for file, (offset, _lines) in self._files.items() if path.endswith("/" + file)), None
            )
        return self._by_code[filename]

    def _call(self, frame: types.FrameType, event: str, _arg: object) -> Any:
        code = frame.f_code
        key = id(code)  # a code's own hash goes over all that is in it
        calls = self._calls.get(key, 0)
        if calls >= CALLS:
            return None
        offset = self._offset(code.co_filename)
        if offset is None:
            self._elsewhere[key] = CALLS
            self._calls[key] = CALLS
            return None
        self._calls[key] = calls + 1
        marks = self._map

        def line(frame: types.FrameType, event: str, _arg: object) -> Any:
            place = offset + (frame.f_lineno or 0)
            if not marks[place]:
                marks[place] = 1
                self._calls[key] = 0
            return line

        return line(frame, event, None)

    def start(self) -> None:
        """From now on, with nothing marked."""
        self._map[:] = b"\0" * self._size
        self._calls = dict(self._elsewhere)
        threading.settrace(self._call)
        sys.settrace(self._call)

    def stop(self) -> dict[str, list[int]]:
        """No more; the lines of each file."""
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]
        found = {}
        for file, (offset, lines) in self._files.items():
            marks = self._map[offset : offset + lines]
            run = [number for number in range(lines) if marks[number]]
            if run:
                found[file] = run
        return found


def moved(file: str, old: Sequence[str], new: Sequence[str], traced: Iterable[Traced]) -> None:
    """Put the lines of a file that was changed where they are now; what is new counts as run with what is beside it."""
    places: dict[int, list[int]] = {}
    for tag, first, last, begin, end in difflib.SequenceMatcher(None, old, new, False).get_opcodes():
        if tag == "equal":
            for offset in range(last - first):
                places.setdefault(first + offset + 1, []).append(begin + offset + 1)
        else:
            for line in range(max(1, first), last + 2):
                places.setdefault(line, []).extend(range(begin + 1, end + 1))
    for one in traced:
        if file in one.lines:
            one.lines[file] = frozenset(place for line in one.lines[file] for place in places.get(line, []))


# -- tests ------------------------------------------------------------------------------------------


def _own_run() -> None:
    """A /run of this child's own: tests have fixed names there, and so has the lock."""
    libc = ctypes.CDLL(None, use_errno=True)
    new_mounts = 0x00020000
    if libc.unshare(new_mounts) or libc.mount(b"tmpfs", b"/run", b"tmpfs", 0, b"mode=0755"):
        raise OSError(ctypes.get_errno(), "no /run of its own")


def _own_folder(config: pytest.Config, folder: Path) -> None:
    """Temporary folders of this child's own: it ends with them."""
    _own_run()
    factory = config._tmp_path_factory  # type: ignore[attr-defined]
    factory._basetemp = folder
    os.environ["TMPDIR"] = str(folder)


def _passes(item: pytest.Item, following: pytest.Item | None) -> bool:
    reports = runtestprotocol(item, log=False, nextitem=following)
    return not any(report.failed for report in reports)


def _cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _traced(items: Sequence[pytest.Item], tracer: Tracer, folder: Path) -> str:
    """A child's work: run tests of one file with a trace."""
    _own_folder(items[0].config, folder)
    found = {}
    for number, item in enumerate(items):
        following = items[number + 1] if number + 1 < len(items) else None
        before = _cpu()
        tracer.start()
        try:
            passed = _passes(item, following)
        finally:
            lines = tracer.stop()
        found[item.nodeid] = [_cpu() - before, passed, lines]
    return json.dumps(found)


def _killer(items: Sequence[pytest.Item], folder: Path, seconds: dict[str, float]) -> str:
    """A child's work: the first test that fails, or ``-``. Each is given ``seconds`` of CPU, and some more."""
    _own_folder(items[0].config, folder)
    for number, item in enumerate(items):
        _bound(seconds[item.nodeid])
        if not _passes(item, items[number + 1] if number + 1 < len(items) else None):
            return item.nodeid
    return "-"


# -- a mutant in the place of the code ----------------------------------------------------------------


def _codes(code: types.CodeType) -> dict[str, types.CodeType]:
    found = {}
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found[constant.co_qualname] = constant
            if "<locals>" not in constant.co_qualname:
                found.update(_codes(constant))
    return found


def _function(module: types.ModuleType, name: str) -> types.FunctionType | None:
    """The function of a name such as ``Class.method``, without what wraps it; None where that is not plain."""
    found: Any = module
    for part in name.split("."):
        found = vars(found).get(part)
        if found is None:
            return None
    if isinstance(found, property):
        found = found.fget
    found = getattr(found, "__func__", found)
    while hasattr(found, "__wrapped__"):
        if hasattr(found, "cache_clear"):
            found.cache_clear()
        found = found.__wrapped__
    return found if isinstance(found, types.FunctionType) else None


def exchange(mutant: Mutant, source: str, path: str) -> bool:
    """Put a mutant's code into the function that is there; False where it has to be imported anew."""
    if not mutant.function:
        return False
    module = sys.modules[module_of(mutant.file)]
    function = _function(module, mutant.function)
    made = _codes(compile(tree_of(source, mutant.index), path, "exec", dont_inherit=True)).get(mutant.function)
    if function is None or made is None or made.co_freevars != function.__code__.co_freevars:
        return False
    function.__code__ = made
    return True


def _named(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def _named_at_import(node: ast.stmt) -> set[str]:
    """What a statement names while its module is imported: not what the bodies of functions do."""
    if isinstance(node, ast.FunctionDef):
        return set().union(*map(_named, (node.args, *node.decorator_list)))
    if isinstance(node, ast.ClassDef):
        return set().union(*map(_named, (*node.bases, *node.decorator_list)), *map(_named_at_import, node.body))
    return _named(node)


@dataclasses.dataclass
class Tables:
    """What a mutant outside of functions changes: names of its module alone, and the lines that use them."""

    #: Numbers of the statements to be run again, in their order.
    statements: list[int]
    names: set[str]
    lines: frozenset[int]


def tables_of(mutant: Mutant, source: str) -> Tables | None:
    """The tables that a mutant changes; None where more depends on it than its module's functions."""
    body = ast.parse(source).body
    found = Tables([], set(), frozenset())
    for number, node in enumerate(body):
        own = node.lineno <= mutant.lines[0] <= (node.end_lineno or 0)
        if not own and not found.names & _named_at_import(node):
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        target = targets[0] if len(targets) == 1 and isinstance(node, (ast.Assign, ast.AnnAssign)) else None
        if not isinstance(target, ast.Name) or not target.id.startswith("_"):
            return None
        found.statements.append(number)
        found.names.add(target.id)
    inside = (one for node in body if isinstance(node, (ast.FunctionDef, ast.ClassDef)) for one in ast.walk(node))
    found.lines = frozenset(one.lineno for one in inside if isinstance(one, ast.Name) and one.id in found.names)
    return found if found.lines else None


def shared(file: str, names: Iterable[str]) -> bool:
    """Whether another module of the collection has imported one of these from a file's module."""
    own = sys.modules[module_of(file)]
    others = [module for name, module in list(sys.modules.items()) if name.startswith(PACKAGE) and module is not own]
    return any(vars(one).get(name, own) is vars(own)[name] for one in others for name in names)


def exchange_tables(mutant: Mutant, tables: Tables, source: str, path: str) -> None:
    """Make tables again, as a mutant has them, in their module and in the tests that have imported them."""
    there = vars(sys.modules[module_of(mutant.file)])
    old = {name: there[name] for name in tables.names}
    body = tree_of(source, mutant.index).body
    for number in tables.statements:
        exec(compile(ast.Module([body[number]], []), path, "exec", dont_inherit=True), there)  # noqa: S102
    for module in list(sys.modules.values()):
        for name, value in old.items():
            if getattr(module, "__dict__", {}).get(name, there) is value:
                setattr(module, name, there[name])


class _Finder(importlib.abc.MetaPathFinder):
    """Imports one module as a mutant of it."""

    def __init__(self, name: str, path: str, tree: ast.Module) -> None:
        class Loader(importlib.machinery.SourceFileLoader):
            def get_code(self, _fullname: str) -> types.CodeType:
                return compile(tree, path, "exec", dont_inherit=True)

        self._name = name
        self._path = path
        self._loader = Loader(name, path)

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> Any:
        """The mutant's, for its module alone."""
        if fullname == self._name:
            return importlib.util.spec_from_file_location(fullname, self._path, loader=self._loader)
        return None


# -- the two runs -------------------------------------------------------------------------------------


class Run:
    """A run over mutants in a copy of the checkout, which is the current folder."""

    def __init__(
        self,
        files: Sequence[str],
        tests: Sequence[str],
        mutants: Sequence[Mutant],
        scratch: Path,
        kept: Path,
        jobs: int,
    ) -> None:
        self._files = list(files)
        self._tests = list(tests)
        self._sources = {file: Path(file).read_text(encoding="utf-8") for file in files}
        self._mutants = list(mutants)
        self._scratch = scratch
        self._kept = kept
        self._jobs = jobs
        self._map: dict[str, Traced] = {}
        self._killers: dict[str, str] = {}

    def results(self, said: Callable[[Result], None]) -> None:
        """Run all mutants; ``said`` is called with each result. Forks: what this process imports does not grow."""
        killers = self._kept.with_name("killers.json")  # hints where to begin, nothing more
        self._killers = json.loads(killers.read_text(encoding="utf-8")) if killers.exists() else {}

        def noted(result: Result, tell: Callable[[Result], None] = said) -> None:
            if "::" in result.killed_by:
                self._killers[result.mutant.name] = result.killed_by
                killers.write_text(json.dumps(self._killers), encoding="utf-8")
            tell(result)

        said = noted
        late = self._in_a_child(lambda: self._collected(said))
        if late:
            traced = pickle.loads(self._kept.read_bytes())["map"]
            self._map = {name: one for name, one in traced.items() if name.split("::")[0] in self._tests}
            self._anew([self._mutants[number] for number in late], said)

    def _in_a_child(self, work: Callable[[], list[int]]) -> list[int]:
        """Work in a child that may print and import; its list."""
        reading, writing = os.pipe()
        sys.stdout.flush()
        pid = os.fork()
        if not pid:
            os.close(reading)
            try:
                os.write(writing, json.dumps(work()).encode())
                sys.stdout.flush()
                os._exit(0)
            except BaseException:
                import traceback

                traceback.print_exc()
                os._exit(1)
        os.close(writing)
        with open(reading, "rb") as stream:
            text = stream.read()
        if os.waitpid(pid, 0)[1]:
            raise SystemExit("the run over collected tests failed")
        return json.loads(text)  # type: ignore[no-any-return]

    def _collected(self, said: Callable[[Result], None]) -> list[int]:
        """Collect the tests, trace them, run what can be exchanged; numbers of the mutants that cannot."""
        late: list[int] = []
        owner = self

        class Loop:
            def pytest_runtestloop(self, session: pytest.Session) -> bool:
                import gc

                gc.collect()
                gc.freeze()
                owner._trace(session.items)
                late.extend(owner._exchanged(session.items, said))
                return True

        status = pytest.main([*_OPTIONS, *self._tests], plugins=[Loop()])
        if status not in (0, 5):
            raise SystemExit(f"pytest ended with {status}")
        return late

    # What is known of a test file lasts while it is not changed; lines of the rooms move with their text.
    def _trace(self, items: Sequence[pytest.Item]) -> None:
        known: dict[str, Any] = {"sources": self._sources, "digests": {}, "map": {}}
        if self._kept.exists():
            known = pickle.loads(self._kept.read_bytes())
            for file in set(self._sources) | set(known["sources"]):
                old, new = known["sources"].get(file, ""), self._sources.get(file, "")
                if old != new:
                    moved(file, old.split("\n"), new.split("\n"), known["map"].values())
            known["sources"] = self._sources
        by_file: dict[str, list[pytest.Item]] = {}
        for item in items:
            by_file.setdefault(item.nodeid.split("::")[0], []).append(item)
        children = Children(self._jobs, self._scratch / "traced")
        tracer_files = {file: source.count("\n") + 2 for file, source in self._sources.items()}
        for file, of_file in by_file.items():
            now = digest([Path(file)])
            if known["digests"].get(file) == now:
                continue
            for nodeid in [name for name in known["map"] if name.split("::")[0] == file]:
                del known["map"][nodeid]
            left = {"parts": len(range(0, len(of_file), AT_ONCE))}
            for first in range(0, len(of_file), AT_ONCE):
                part = of_file[first : first + AT_ONCE]

                def done(text: str, file: str = file, now: str = now, left: dict[str, int] = left) -> None:
                    if text in ("time", "died"):
                        print(f"  {file}: {text}, so some of its tests are not used", flush=True)
                        return
                    for nodeid, (seconds, passed, lines) in json.loads(text).items():
                        known["map"][nodeid] = Traced(seconds, passed, {f: frozenset(n) for f, n in lines.items()})
                    left["parts"] -= 1
                    if not left["parts"]:
                        known["digests"][file] = now
                    self._kept.with_suffix(".new").write_bytes(pickle.dumps(known))
                    os.replace(self._kept.with_suffix(".new"), self._kept)  # a run that is ended goes on from here
                    seconds = sum(found[0] for found in json.loads(text).values())
                    print(f"  {file}: {len(json.loads(text))} tests, {seconds:.0f} s", flush=True)

                children.start(
                    lambda folder, part=part: _traced(part, Tracer(tracer_files), folder),  # type: ignore[misc]
                    1200,
                    done,
                )
        children.wait()
        there = {item.nodeid for item in items}
        self._map = {name: one for name, one in known["map"].items() if name in there}
        failing = sorted(nodeid for nodeid, one in self._map.items() if not one.passed)
        slow = [nodeid for nodeid, one in self._map.items() if one.seconds > FAST]
        print(
            f"  {len(self._map)} tests, of which {len(slow)} are not fast and {len(failing)} fail here without any "
            f"mutant: {', '.join(failing[:5]) or 'none'}",
            flush=True,
        )

    def _tests_of(self, mutant: Mutant, lines: Iterable[int] | None) -> list[str]:
        """The fast tests that run these lines, or anything of a mutant's file: what killed the like first, then the
        quickest."""
        wanted = None if lines is None else frozenset(lines)
        place = mutant.name.split(" | ")[:2]
        hints = [test for name, test in self._killers.items() if name.split(" | ")[:2] == place]
        last = self._killers.get(mutant.name)
        found = [
            (nodeid != last, nodeid not in hints, one.seconds, nodeid)
            for nodeid, one in self._map.items()
            if one.passed
            and one.seconds <= FAST
            and (mutant.file in one.lines if wanted is None else wanted & one.lines.get(mutant.file, frozenset()))
        ]
        found.sort()
        spent = itertools.accumulate(one[2] for one in found)
        return [one[-1] for one, seconds in zip(found, spent, strict=True) if seconds <= BUDGET]

    def _seconds(self, tests: Sequence[str]) -> dict[str, float]:
        return {nodeid: self._map[nodeid].seconds for nodeid in tests}

    def _exchanged(self, items: Sequence[pytest.Item], said: Callable[[Result], None]) -> list[int]:
        by_name = {item.nodeid: item for item in items}
        children = Children(self._jobs, self._scratch / "mutants")
        late: list[int] = []
        for number, mutant in enumerate(self._mutants):
            source, path = self._sources[mutant.file], str(Path(mutant.file).resolve())
            tables = None if mutant.function else tables_of(mutant, source)
            if not mutant.function and (tables is None or shared(mutant.file, tables.names)):
                late.append(number)
                continue
            tests = self._tests_of(mutant, tables.lines if tables else mutant.lines)
            if not tests:
                said(Result(mutant, "", 0))
                continue
            chosen = [by_name[nodeid] for nodeid in tests]
            seconds = self._seconds(tests)

            def work(
                folder: Path,
                mutant: Mutant = mutant,
                tables: Tables | None = tables,
                chosen: list[pytest.Item] = chosen,
                seconds: dict[str, float] = seconds,
                source: str = source,
                path: str = path,
            ) -> str:
                if tables:
                    exchange_tables(mutant, tables, source, path)
                elif not exchange(mutant, source, path):
                    return "anew"
                return _killer(chosen, folder, seconds)

            def done(text: str, number: int = number, mutant: Mutant = mutant, tests: list[str] = tests) -> None:
                if text == "anew":
                    late.append(number)
                else:
                    said(Result(mutant, "" if text == "-" else text, len(tests)))

            children.start(work, 60 + 10 * sum(seconds.values()), done)
        children.wait()
        return late

    def _anew(self, mutants: Sequence[Mutant], said: Callable[[Result], None]) -> None:
        children = Children(self._jobs, self._scratch / "anew")
        for mutant in mutants:
            tests = self._tests_of(mutant, mutant.lines if mutant.function else None)
            if not tests:
                said(Result(mutant, "", 0))
                continue
            seconds = self._seconds(tests)

            def work(
                folder: Path, mutant: Mutant = mutant, tests: list[str] = tests, seconds: dict[str, float] = seconds
            ) -> str:
                path = str(Path(mutant.file).resolve())
                tree = tree_of(self._sources[mutant.file], mutant.index)
                sys.meta_path.insert(0, _Finder(module_of(mutant.file), path, tree))
                _bound(60)
                order = {nodeid: number for number, nodeid in enumerate(tests)}
                found = ["-"]

                class Loop:
                    def pytest_runtestloop(self, session: pytest.Session) -> bool:
                        items = sorted(
                            (item for item in session.items if item.nodeid in order), key=lambda one: order[one.nodeid]
                        )
                        found[0] = _killer(items, folder, seconds) if items else "imported"
                        return True

                status = pytest.main([*_OPTIONS, *sorted({one.split("::")[0] for one in tests})], plugins=[Loop()])
                return found[0] if status == 0 else "import"

            def done(text: str, mutant: Mutant = mutant, tests: list[str] = tests) -> None:
                said(Result(mutant, "" if text == "-" else text, len(tests)))

            children.start(work, 180 + 10 * sum(seconds.values()), done)
        children.wait()


_OPTIONS = [
    "-q",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:xdist",
    "--hypothesis-seed=0",
    "-o",
    "addopts=--import-mode=importlib",
]


def _bound(seconds: float) -> None:
    """From now on so much CPU, four times over and some more, and memory, for this process and what it forks."""
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time() + 4 * seconds) + 10, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

"""Runs mutants in forked children of one Python that has collected the tests: nothing of the checkout is changed.

How: the tests are collected once, in a copy of the checkout. Each test file is run once with marks (:mod:`.marks`), in a
child, and leaves which test runs which line of the rooms. For each mutant a child gets the changed code in the place of the old
(a function's ``__code__``, so that whoever has imported the function has it), and runs the tests that run its line, the
quickest first, until one fails; before them what has killed this mutant, or one of its function, the last time. A
table of a module's own (``_NAME = ...``) is made again in the module that is there, with those made of it, and gets the
tests that run a line which names one of them. What else is no function's (defaults of arguments, what other modules
import) is imported anew by a child that has not imported the collection yet, and costs some seconds.

Bounds: each test has CPU by what it takes without the mutant, and memory. One that passes its CPU is killed, by that
word: it does not end. The clock kills nothing, as on a busy machine it would kill whatever is tried: a mutant whose tests
wait for ever, and a test that fails as the time ran out that it gives others, leave it open. A trap: what tests start as a program of its own (the modules that are sent to a host) has no
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
import os
import pickle
import resource
import select
import shutil
import signal
import sys
import time
import types
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from .marks import Marks
from .mutants import Mutant, tree_of

PACKAGE = "ansible_collections.cbops.telemetry."
#: A test that takes more CPU than this, in seconds, with marks, is none of the fast ones.
FAST = 3.0
#: Of the fast tests of a mutant, the quickest are run, up to so much CPU in all, with marks: what survives is run by all.
BUDGET = 30.0
MEMORY = 3 << 30
#: Processes that use no CPU for so many seconds wait for what does not come; others have this so many times.
IDLE = 60
LONGEST = 30
#: So many tests of a file are run with marks in one child.
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
    #: The test that failed, or the bound that was passed; empty: it survives, or is open.
    killed_by: str
    tests: int
    #: Why it is not known whether a test would fail.
    open: str = ""


#: How a child says that it is open, before why.
_OPEN = "open: "


def result_of(mutant: Mutant, text: str, tests: int) -> Result:
    """What a child's text says of a mutant."""
    if text.startswith(_OPEN):
        return Result(mutant, "", tests, text.removeprefix(_OPEN))
    return Result(mutant, "" if text == "-" else text, tests)


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
    """Runs functions in forked children, some at a time; each may write one text, and ends when it waits for ever."""

    def __init__(self, jobs: int, scratch: Path, idle: float = IDLE) -> None:
        self._jobs = jobs
        self._idle = idle
        self._scratch = scratch
        self._running: dict[int, _Child] = {}
        self._count = 0

    def start(self, work: Callable[[Path], str], done: Callable[[str], None]) -> None:
        """Begin one as soon as there is a place; ``done`` gets its text, or how it ended without one."""
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
        self._running[reading] = _Child(pid, time.monotonic() + self._idle, done, folder)

    def wait(self) -> None:
        """Until all have ended."""
        while self._running:
            self._collect()

    def _collect(self) -> None:
        ready, _, _ = select.select(list(self._running), [], [], 0.2)
        now = time.monotonic()
        for reading, child in list(self._running.items()):
            text = ""
            if reading in ready:
                with open(reading, "rb") as stream:  # it writes when it is done, and ends
                    text = stream.read().decode()
            elif now > child.deadline:
                # What it has started may keep the pipe open.
                ended = bool(os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT))
                works = not ended and child.works()
                if works and child.looks < LONGEST:
                    child.deadline = now + self._idle
                    continue
                os.close(reading)
                if not ended:
                    text = f"{_OPEN}{'it takes too long' if works else 'it waits'}"
            else:
                continue
            del self._running[reading]
            if not text:
                os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # as it ends by itself
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except OSError:
                pass
            status = os.waitpid(child.pid, 0)[1]
            shutil.rmtree(child.folder, ignore_errors=True)
            child.done(text or end_of(status))


@dataclasses.dataclass
class _Child:
    pid: int
    deadline: float
    done: Callable[[str], None]
    folder: Path
    #: CPU of its processes when it was last looked at, and how often that was.
    used: int = 0
    looks: int = 0

    def works(self) -> bool:
        """Whether they have used any since."""
        before, self.used = self.used, group_cpu(self.pid)
        self.looks += 1
        return self.used > before


def group_cpu(group: int) -> int:
    """CPU of the processes of a group and of those they have waited for, in ticks."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group:
            ticks += sum(map(int, fields[11:15]))
    return ticks


def end_of(status: int) -> str:
    """How a child ended that has said nothing, of what it was waited for."""
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if number == signal.SIGXCPU:
        return "cpu"
    return f"{_OPEN}it was ended by another" if number in (signal.SIGKILL, signal.SIGTERM) else "died"


# -- which test runs which line -----------------------------------------------------------------------


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


#: What a test fails by when the clock ran out that it has for others, which says nothing on a busy machine.
_CLOCK = ("TimeoutExpired", "DeadlineExceeded", "TimeoutError", "FlakyFailure")


def by_the_clock(message: str) -> bool:
    """Whether a test failed as time on the clock ran out, by the message of what it raised."""
    return message.partition(":")[0].rpartition(".")[2].strip() in _CLOCK


def _verdict(item: pytest.Item, following: pytest.Item | None) -> str:
    """``passed``, ``failed``, or ``clock``."""
    failed = [report for report in runtestprotocol(item, log=False, nextitem=following) if report.failed]
    if not failed:
        return "passed"
    crashes = [getattr(report.longrepr, "reprcrash", None) for report in failed]
    clock = all(crash is not None and by_the_clock(crash.message) for crash in crashes)
    return "clock" if clock else "failed"


def _cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _traced(items: Sequence[pytest.Item], marks: Marks, folder: Path) -> str:
    """A child's work: run tests of one file with marks."""
    _own_folder(items[0].config, folder)
    marks.begin()
    found = {}
    for number, item in enumerate(items):
        following = items[number + 1] if number + 1 < len(items) else None
        before = _cpu()
        marks.clear()
        passed = _verdict(item, following) == "passed"
        found[item.nodeid] = [_cpu() - before, passed, marks.lines()]
    return json.dumps(found)


def _killer(items: Sequence[pytest.Item], folder: Path, seconds: dict[str, float]) -> str:
    """A child's work: the first test that fails, or ``-``. Each is given ``seconds`` of CPU, and some more."""
    _own_folder(items[0].config, folder)
    found = "-"
    for number, item in enumerate(items):
        _bound(seconds[item.nodeid])
        verdict = _verdict(item, items[number + 1] if number + 1 < len(items) else None)
        if verdict == "failed":
            return item.nodeid
        if verdict == "clock":  # another may tell
            found = f"{_OPEN}the clock ran out in {item.nodeid}"
    return found


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
        known = self._known()
        stale = [file for file in self._tests if known["digests"].get(file) != digest([Path(file)])]
        if stale:
            sources = {module_of(file): (file, str(Path(file).resolve()), text) for file, text in self._sources.items()}

            def marked() -> list[int]:
                marks = Marks(sources)
                sys.meta_path.insert(0, marks)
                self._collected(stale, lambda items: self._trace(items, known, marks))
                return []

            self._in_a_child(marked)
            known = self._known()
        self._map = {name: one for name, one in known["map"].items() if name.split("::")[0] in self._tests}
        failing = sorted(nodeid for nodeid, one in self._map.items() if not one.passed)
        slow = [nodeid for nodeid, one in self._map.items() if one.seconds > FAST]
        print(
            f"  {len(self._map)} tests, of which {len(slow)} are not fast and {len(failing)} fail here without any "
            f"mutant: {', '.join(failing[:5]) or 'none'}",
            flush=True,
        )
        late: list[int] = []

        def exchanged() -> list[int]:
            self._collected(self._tests, lambda items: late.extend(self._exchanged(items, said)))
            return late

        late = self._in_a_child(exchanged)
        if late:
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

    def _collected(self, tests: Sequence[str], work: Callable[[list[pytest.Item]], None]) -> None:
        """Collect tests, and work on them."""

        class Loop:
            def pytest_runtestloop(self, session: pytest.Session) -> bool:
                import gc

                gc.collect()
                gc.freeze()
                work(session.items)
                return True

        status = pytest.main([*_OPTIONS, *tests], plugins=[Loop()])
        if status not in (0, 5):
            raise SystemExit(f"pytest ended with {status}")

    # What is known of a test file lasts while it is not changed; lines of the rooms move with their text.
    def _known(self) -> dict[str, Any]:
        """What is kept of earlier runs, with the lines where they are now."""
        if not self._kept.exists():
            return {"sources": self._sources, "digests": {}, "map": {}}
        known: dict[str, Any] = pickle.loads(self._kept.read_bytes())
        for file in set(self._sources) | set(known["sources"]):
            old, new = known["sources"].get(file, ""), self._sources.get(file, "")
            if old != new:
                moved(file, old.split("\n"), new.split("\n"), known["map"].values())
        known["sources"] = self._sources
        return known

    def _trace(self, items: Sequence[pytest.Item], known: dict[str, Any], marks: Marks) -> None:
        """Run tests with marks, and keep which of them runs which line."""
        by_file: dict[str, list[pytest.Item]] = {}
        for item in items:
            by_file.setdefault(item.nodeid.split("::")[0], []).append(item)
        children = Children(self._jobs, self._scratch / "traced")
        for file, of_file in by_file.items():
            now = digest([Path(file)])
            for nodeid in [name for name in known["map"] if name.split("::")[0] == file]:
                del known["map"][nodeid]
            left = {"parts": len(range(0, len(of_file), AT_ONCE))}
            for first in range(0, len(of_file), AT_ONCE):
                part = of_file[first : first + AT_ONCE]

                def done(text: str, file: str = file, now: str = now, left: dict[str, int] = left) -> None:
                    if not text.startswith("{"):
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
                    lambda folder, part=part: _traced(part, marks, folder),  # type: ignore[misc]
                    done,
                )
        children.wait()

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
        self._map = {name: one for name, one in self._map.items() if name in by_name}
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
                    said(result_of(mutant, text, len(tests)))

            children.start(work, done)
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
                said(result_of(mutant, text, len(tests)))

            children.start(work, done)
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

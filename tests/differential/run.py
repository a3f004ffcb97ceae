"""Runs many cases, in several processes, and counts: disagreements, what is unresolvable by construct, refused edits."""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Iterable

from .compare import WANTED, Result, check
from .grammar import Case, sample
from .real import Machine

CHUNK = 50
_ANSWERED = ("disabled", "enabled")


@dataclass
class Count:
    """What came of the cases of one kind."""

    cases: int = 0
    answered: int = 0
    unresolvable: int = 0

    @property
    def share(self) -> float:
        """Unresolvable of a hundred cases in which the shell starts JVMs that agree."""
        return 100 * self.unresolvable / max(1, self.answered + self.unresolvable)

    def add(self, verdict: str) -> None:
        """One more case."""
        self.cases += 1
        self.answered += verdict in _ANSWERED
        self.unresolvable += verdict == "unresolvable"


@dataclass
class Report:
    """Sums over all cases."""

    known: Count = field(default_factory=Count)
    unknown: dict[str, Count] = field(default_factory=dict)  # why no static reader can know -> count
    constructs: dict[str, Count] = field(default_factory=dict)  # of the known cases
    verdicts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    disagreements: list[tuple[Case, str, str]] = field(default_factory=list)
    planned: int = 0
    edits: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    def add(self, case: Case, result: Result) -> None:
        """One more case."""
        self.verdicts[result.verdict] += 1
        self.disagreements += [(case, kind, details) for kind, details in result.disagreements]
        for reason in case.unknown:
            self.unknown.setdefault(reason, Count()).add(result.verdict)
        if not case.unknown:
            self.known.add(result.verdict)
            for construct in (*case.constructs, f"shell: {case.shell}", f"launcher: {case.launcher}"):
                self.constructs.setdefault(construct, Count()).add(result.verdict)
            if result.verdict == "unresolvable":
                self.reasons[result.reason.partition(" (/")[0]] += 1
        self.planned += result.planned
        self.refused.update(result.refused)

    def table(self) -> str:
        """For people and for the docs (Markdown)."""
        total = sum(self.verdicts.values())
        refused = ", ".join(f"{self.refused[wanted]} to {wanted}" for wanted in WANTED)
        lines = [
            f"{total} different cases, {len(self.disagreements)} disagreements",
            "verdicts: " + ", ".join(f"{count} {verdict}" for verdict, count in self.verdicts.most_common()),
            f"edits planned: {self.planned}, refused: {sum(self.refused.values())} "
            f"({100 * sum(self.refused.values()) / max(1, self.planned):.1f} %: {refused})",
            "",
            "| construct | cases | resolved | unresolvable | share |",
            "|---|---:|---:|---:|---:|",
            _row("**all that a static reader can know**", self.known),
        ]
        lines += [_row(name, count) for name, count in sorted(self.constructs.items())]
        lines += [_row(f"*not known before the start: {name}*", count) for name, count in sorted(self.unknown.items())]
        lines += ["", "why unresolvable (of what a static reader can know):"]
        lines += [f"{count:6} {reason}" for reason, count in self.reasons.most_common()]
        return "\n".join(lines)


def _row(name: str, count: Count) -> str:
    return f"| {name} | {count.cases} | {count.answered} | {count.unresolvable} | {count.share:.1f} % |"


def _chunk(seeds: range) -> list[tuple[Case, Result]]:
    machine = Machine()
    try:
        return [(case, _checked(machine, case)) for case in map(sample, seeds)]
    finally:
        machine.close()


def _checked(machine: Machine, case: Case) -> Result:
    try:
        return check(machine, case)
    except Exception as error:  # a crash is a disagreement, and the other cases go on
        return Result("crash", "", (("crash", f"{type(error).__name__}: {error}"),), 0, ())


def run(count: int, first: int = 0, processes: int = 1) -> Report:
    """Check so many cases, beginning with one; the same numbers give the same cases."""
    chunks = [range(start, min(start + CHUNK, first + count)) for start in range(first, first + count, CHUNK)]
    report = Report()
    seen: set[tuple[str, str, str, bool]] = set()

    def collect(found: Iterable[list[tuple[Case, Result]]]) -> None:
        for pairs in found:
            for case, result in pairs:
                key = (case.launcher, case.shell, case.text, case.open)
                if key not in seen:
                    seen.add(key)
                    report.add(case, result)

    if processes == 1:
        collect(map(_chunk, chunks))
    else:
        with multiprocessing.Pool(processes) as pool:
            collect(pool.imap(_chunk, chunks))
    return report


def shorten(case: Case, kind: str) -> Case:
    """The case without the lines that its disagreement does not need."""
    machine = Machine()
    try:
        lines = case.text.splitlines(keepends=True)
        size = len(lines)
        while size:
            start = 0
            while start < len(lines):
                shorter = replace(case, text="".join(lines[:start] + lines[start + size :]))
                if kind in [found for found, _details in _checked(machine, shorter).disagreements]:
                    lines[start : start + size] = []
                else:
                    start += 1
            size //= 2
        return replace(case, text="".join(lines))
    finally:
        machine.close()


def describe(report: Report, limit: int = 10) -> str:
    """The first disagreements, made short."""
    parts = []
    for case, kind, details in report.disagreements[:limit]:
        short = shorten(case, kind)
        parts.append(f"== {kind} ({case.launcher}, {case.shell})\n{short.text!r}\n{details}")
    return "\n".join(parts)


def processes() -> int:
    """How many processes a long run takes."""
    return max(1, os.cpu_count() or 1)

"""What the product said of a case against what the JVM got: agreements, unknowns, refusals, disagreements."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.differential.real import PROPERTY, Start

from .cases import Case

ANSWERED = ("disabled", "enabled")
LAYERS = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS")
#: Of the environment what is another at every start, or says of which one.
_VOLATILE = re.compile(
    r"(INVOCATION_ID|JOURNAL_STREAM|SYSTEMD_EXEC_PID|MANAGERPID|MAINPID|PPID|_|OLDPWD|SHLVL"
    r"|MEMORY_PRESSURE_\w+|SYSTEMD_\w*STREAM\w*)="
)
_FLAG = re.compile(rf"""\s*["']?-D{re.escape(PROPERTY)}(=[^\s"']*)?["']?(?=[\s\\"']|$)""")


@dataclass
class Judged:
    """One case."""

    verdict: str  # disabled, enabled; unknown; "not started": nothing is claimed and nothing starts; "may stop"
    reason: str | None = None
    edited: str = "-"  # yes, refused, -
    refused: str | None = None
    disagreements: list[tuple[str, str]] = field(default_factory=list)


def starts(step: Mapping[str, Any] | None) -> list[Start]:
    """The JVMs of a start that run a controller."""
    found = []
    for one in (step or {}).get("starts", []):
        variables = dict(item.partition("=")[::2] for item in one["environment"])
        start = Start(tuple(one["arguments"]), {name: variables[name] for name in LAYERS if name in variables})
        if start.program.endswith(".war") and "-jar" in start.arguments:
            found.append(start)
    return found


def bare(step: Mapping[str, Any]) -> Counter[tuple[tuple[str, ...], tuple[str, ...]]]:
    """All arguments and all variables of the JVMs of a start, without the flag and what only holds it."""
    found: Counter[tuple[tuple[str, ...], tuple[str, ...]]] = Counter()
    for one in step["starts"]:
        words = tuple(
            word for word in one["arguments"] if word != f"-D{PROPERTY}" and not word.startswith(f"-D{PROPERTY}=")
        )
        variables = (_without_flag(item) for item in one["environment"] if not _VOLATILE.match(item))
        found[words, tuple(sorted(item for item in variables if item.partition("=")[::2] != (item[:-1], "")))] += 1
    return found


def _without_flag(variable: str) -> str:
    name, _, value = variable.partition("=")
    return (
        f"{name}={' '.join(_FLAG.sub(' ', value).split())}"
        if PROPERTY in value
        else (f"{name}={' '.join(value.split())}")
    )


def judge(case: Case, found: Mapping[str, Any]) -> Judged:
    """Everything that was promised and is not so is a disagreement."""
    if "crash" in found:
        return Judged("unknown", "crash", disagreements=[("crash", found["crash"])])
    result = Judged("unknown")
    first = found["foreseen"]
    for step in ("foreseen", "edit", "again", "undo"):
        if found.get(step, {}).get("crash") or (found.get(step, {}).get("failed") and not found[step]["refused"]):
            result.disagreements.append(("crash", f"{step}: {found[step]['crash'] or found[step]['msg']}"))
    for step in ("before", "after", "last"):
        if step in found and not found[step]["ended"]:
            result.disagreements.append(("start", f"{step}: it did not end in time"))
    real = starts(found["before"])
    rows = _rows(case, first["installations"])
    _compare(case, result, first, rows, real)
    if found["touched by check mode"]:
        result.disagreements.append(("check mode writes", str(found["touched by check mode"])))
    _edits(case, result, found, rows, real)
    return result


def _rows(case: Case, installations: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [row for row in installations if case.unit is None or row["service"] == case.unit]


def _compare(
    case: Case, result: Judged, first: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], real: Sequence[Start]
) -> None:
    others = [row["name"] for row in first["installations"] if row not in rows]
    if others or len(rows) > 1:
        result.disagreements.append(("rows", f"more installations than there are: {others or rows}"))
        return
    if not rows:
        result.reason = "not found"
        stem = (case.unit or case.script or "").split("@")[0].removesuffix(".service")
        if real and not any(stem in warning for warning in first["warnings"]):
            result.disagreements.append(("found", f"nothing is said of it, and it starts {real}"))
        return
    [row] = rows
    verdict, later = row["on_disk"], row["next_start"]
    reason = row["on_disk_detail"].get("reason")
    result.verdict, result.reason = (verdict if verdict in ANSWERED else "unknown"), reason
    for clock, said in (("on disk", verdict), ("next start", later)):
        if said not in ANSWERED:
            continue
        if not real:
            if case.may_stop is None:
                result.disagreements.append(("start", f"{clock}: {said}, but no JVM starts on a war"))
            result.verdict = "may stop"
        elif any(start.verdict != said for start in real):
            result.disagreements.append(("verdict", f"{clock}: {said}, but {[start.arguments for start in real]}"))
    if verdict not in ANSWERED:
        result.verdict = "unknown" if real else "not started"
        if real and reason and "systemd refuses" in reason:
            result.disagreements.append(("refusal", f"{reason}; but it starts {real}"))


def _edits(
    case: Case, result: Judged, found: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], real: Sequence[Start]
) -> None:
    edit, wanted = found["edit"], found["wanted"]
    result.refused = "; ".join(edit["refused"] or []) or None

    def wrong(kind: str, details: object) -> None:
        result.disagreements.append((f"{wanted}: {kind}", f"{details}\nedited: {found['edited']}"))

    if not found["edited"]:
        if edit["changed"]:
            wrong("claims", "it says that it changed something")
        if rows and not edit["refused"] and rows[0]["on_disk"] != wanted:
            wrong("claims", "nothing changed, and nothing was refused")
        result.edited = "refused" if edit["refused"] else "-"
        return
    result.edited = "yes"
    if edit["refused"] or not edit["changed"]:
        wrong("claims", f"files are others, and it says {edit['msg']}")
    if wanted == "disabled" and [file["path"] for file in found["foreseen"]["files"]] != [
        file["path"] for file in edit["files"]
    ]:
        wrong("check mode", f"it foresaw {found['foreseen']['files']}")
    _started(found, wanted, "after", wrong)
    if "again" in found and (found["again"]["changed"] or found["touched again"]):
        wrong("second run", f"it changes {found['touched again']}: {found['again']['msg']}")
    undo = found["undo"]
    if not found["undone"]:
        # Whoever had the flag may have it in a file that is not ours to edit.
        if undo["changed"] or not undo["refused"]:
            wrong("undo", f"nothing changed: {undo['msg']}")
    else:
        _started(found, "enabled" if wanted == "disabled" else "disabled", "last", wrong)
        lost = [path for path in {**found["edited"], **found["undone"]} if path not in found["as before"]]
        if lost and wanted == "disabled" and not _mentions(case):
            wrong("old bytes", f"after enabling {lost} are not as they were: {found['undone']}")


def _started(found: Mapping[str, Any], wanted: str, step: str, wrong: Any) -> None:
    before, after = starts(found["before"]), starts(found[step])
    if len(before) != len(after):
        wrong(step, f"{len(before)} JVMs before, {len(after)} now: {found[step]}")
    elif any(start.verdict != wanted for start in after):
        wrong(step, f"not {wanted}: {[start.arguments for start in after]}")
    elif bare(found["before"]) != bare(found[step]):
        was, now = bare(found["before"]), bare(found[step])
        wrong(
            step,
            f"more than the flag is another:\nwas {list((was - now).elements())}\nnow {list((now - was).elements())}",
        )


def _mentions(case: Case) -> bool:
    return any(PROPERTY in what.get("text", "") for what in case.files.values())


@dataclass
class Report:
    """Sums over all cases."""

    cases: Counter[str] = field(default_factory=Counter)  # by host
    kinds: dict[str, Counter[str]] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    disagreements: list[tuple[str, Case, str, str]] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, host: str, case: Case, found: Mapping[str, Any]) -> Judged:
        """One more case."""
        judged = judge(case, found)
        self.cases[host] += 1
        self.seconds += found.get("seconds", 0)
        for kind in (
            "all",
            "a static reader can know" if case.unknown is None else f"cannot know: {case.unknown}",
            *case.kinds,
        ):
            count = self.kinds.setdefault(kind, Counter())
            count["cases"] += 1
            count[judged.verdict] += 1
            count["edit " + judged.edited] += 1
        if judged.verdict == "unknown":
            self.reasons[_general(judged.reason)] += 1
        if judged.refused:
            self.refusals[_general(judged.refused)] += 1
        self.disagreements += [(host, case, kind, details) for kind, details in judged.disagreements]
        return judged

    def share(self, kind: str = "a static reader can know") -> float:
        """Unknown of a hundred cases of a kind in which a JVM starts."""
        count = self.kinds.get(kind, Counter())
        return 100 * count["unknown"] / max(1, count["unknown"] + count["disabled"] + count["enabled"])

    def refused(self, kind: str = "a static reader can know") -> float:
        """Refused of a hundred edits."""
        count = self.kinds.get(kind, Counter())
        return 100 * count["edit refused"] / max(1, count["edit refused"] + count["edit yes"])

    def table(self) -> str:
        """For people and for the docs (Markdown)."""
        total = sum(self.cases.values())
        lines = [
            f"{total} cases ({', '.join(f'{count} on {host}' for host, count in self.cases.items())}), "
            f"{len(self.disagreements)} disagreements; {self.seconds / max(1, total):.1f} s a case",
            "",
            "| kind | cases | enabled | disabled | unknown | no JVM starts | may stop | edited | refused |",
            "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
        ]
        lines += [
            f"| {kind} | "
            + " | ".join(
                str(count[name])
                for name in (
                    "cases",
                    "enabled",
                    "disabled",
                    "unknown",
                    "not started",
                    "may stop",
                    "edit yes",
                    "edit refused",
                )
            )
            + " |"
            for kind, count in sorted(self.kinds.items(), key=lambda item: (item[0] != "all", item[0]))
        ]
        lines += ["", "why unknown:"] + [f"{count:6} {reason}" for reason, count in self.reasons.most_common(15)]
        lines += ["", "why refused:"] + [f"{count:6} {reason}" for reason, count in self.refusals.most_common(15)]
        return "\n".join(lines)

    def describe(self, limit: int = 8) -> str:
        """The first disagreements with their files."""
        return "\n".join(
            f"== {kind} on {host}: {case.name}\n{_files(case)}\n{details}"
            for host, case, kind, details in self.disagreements[:limit]
        )


def _files(case: Case) -> str:
    started = case.unit or " ".join([case.script or "", *case.arguments])
    return "\n".join(
        [
            f"starts {started}; told to the manager: {case.manager}",
            *(
                f"--- {path} {what.get('mode', 0):o}\n{what.get('text', what.get('link'))}"
                for path, what in case.files.items()
            ),
        ]
    )


def _general(reason: str | None) -> str:
    return re.sub(r"/[\w@./-]+|\d+|\$\w+", "…", reason or "none given")[:160]


def report(results: Iterable[tuple[str, Case, Mapping[str, Any]]]) -> Report:
    """Judge all of them."""
    found = Report()
    for host, case, steps in results:
        found.add(host, case, steps)
    return found

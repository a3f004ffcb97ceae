"""Holds the engine's answer for one case against the real shell's, before and after the edits it plans."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Dict, NamedTuple

from ansible_collections.cbops.telemetry.plugins.module_utils.edit._candidates import MARK, plan
from ansible_collections.cbops.telemetry.plugins.module_utils.edit._writing import Refused
from ansible_collections.cbops.telemetry.plugins.module_utils.host._files import HostFiles
from ansible_collections.cbops.telemetry.plugins.module_utils.launch import _definition, _live
from ansible_collections.cbops.telemetry.plugins.module_utils.launch import _outcome as of_outcome
from ansible_collections.cbops.telemetry.plugins.module_utils.text._characters import Value

from .grammar import SCRIPT, Case
from .real import PROPERTY, Machine, Start, is_valid, vague

_FLAG = "-D" + PROPERTY + "=true"
#: From what a script may be started by hand.
ENVIRONMENTS: tuple[dict[str, str], ...] = ({}, {"JAVA_OPTS": _FLAG}, {"OFF": _FLAG, "JAVA_OPTS": "-Xmx1g"})
WANTED = ("disabled", "enabled")
_STRICT = re.compile(r"(?:^#!.*|\bset) -[a-z]*[eu]", re.MULTILINE)
_MENTION = re.compile("-D" + re.escape(PROPERTY) + r"(?:=[A-Za-z0-9]*)?")


class Result(NamedTuple):
    """What came of one case."""

    verdict: str  # the engine's, or why it rightly has none: no JVM starts, a broken file, JVMs that differ
    reason: str  # why unresolvable
    disagreements: tuple[tuple[str, str], ...]  # (kind, details)
    planned: int  # edits asked for
    refused: tuple[str, ...]  # the wanted states that were refused


Texts = Dict[str, str]  # path -> content: the launch file, and the launcher where that is another


def _outcome(program: str, case: Case) -> tuple[_definition.Definition, HostFiles, of_outcome.Outcome]:
    definition = _definition.Definition(
        "app",
        "app",
        (Value.of(program), Value.of(case.argument)),
        {},
        not case.open,
        folder=None if case.open else program.rpartition("/")[0] + "/work",
    )
    files = HostFiles("/")
    return definition, files, of_outcome.outcome(definition, files)


def _plan(program: str, case: Case, wanted: str) -> dict[str, str]:
    """The texts that the engine would write. Raises Refused."""
    definition, files, now = _outcome(program, case)
    planned = plan(definition, files, now, _live.live_of(definition, files, now), wanted)
    return {path: new or "" for path, (_old, new) in planned.files.items()}


def _real(machine: Machine, program: str, case: Case) -> list[Start]:
    starts: list[Start] = []
    for environment in ENVIRONMENTS if case.open else ENVIRONMENTS[:1]:
        for heads in (True, False) if "coin" in case.text else (True,):
            starts += machine.start(program, case.argument, heads, environment)
    return [start for start in starts if "-jar" in start.arguments and start.program.endswith(".war")]


def _vectors(starts: list[Start]) -> set[object]:
    return {start.vector for start in starts}


def _is_known(vectors: tuple[object, ...]) -> bool:
    return all(
        word and word[0] not in "?~"
        for vector in vectors
        for _layer, words in vector  # type: ignore
        for word in words
    )


def agree(machine: Machine, shell: str, text: str) -> None:
    """That the engine and the real shell tell the same of a script, and the engine knows all of it."""
    case = Case(SCRIPT, shell, f"#!/bin/{shell}\n{text}")
    machine.write({machine.config: machine.fill(case.text)})
    outcome = _outcome(machine.config, case)[2]
    starts = _real(machine, machine.config, case)
    assert starts, "the row shows nothing"
    assert outcome.reason is None and _is_known(outcome.vectors), (outcome.reason, outcome.vectors)
    found = _compare("walk", outcome, starts, case)
    assert not found, found


def check(machine: Machine, case: Case, edits: bool = True) -> Result:
    """Compare one case."""
    original = {machine.config: machine.fill(case.text)}
    if case.launcher_text:
        original[machine.launcher] = machine.fill(case.launcher_text)
    program = machine.launcher if case.launcher_text else machine.config
    machine.write(original)
    before = _outcome(program, case)[2]
    starts = _real(machine, program, case)
    if before.verdict == of_outcome.UNRESOLVABLE:
        if not starts:
            return Result("no start", before.reason or "", (), 0, ())
        verdict = before.verdict if is_valid(case.shell, machine.config) else "broken"
        if len({start.verdict for start in starts}) > 1 and not case.unknown:
            verdict = "mixed"
        return Result(verdict, before.reason or "", (), 0, ())
    found = _compare("before", before, starts, case)
    if found and found[0][0] == "before: start" and (case.launcher == "strict" or _STRICT.search(case.text)):
        return Result(
            "may stop", "set -e or -u: a static reader takes commands that it does not know for good", (), 0, ()
        )
    if found or not edits:
        return Result(before.verdict, "", tuple(found), 0, ())
    refused = []
    for wanted in WANTED:
        machine.write(original)
        try:
            changed = _plan(program, case, wanted)
        except Refused:
            refused.append(wanted)
            continue
        beside = {path: Path(path).read_bytes().decode("latin-1") for path in changed}
        found += _check_edit(machine, case, program, {**beside, **original}, changed, wanted, starts)
        for path in set(changed) - set(original):  # beside the script: the next case finds it as it was
            machine.write({path: beside[path]})
        if (
            wanted == "disabled"
            and not found
            and set(changed) <= set(original)
            and PROPERTY not in "".join(original.values())
        ):
            found += _check_undo(program, case, original, changed)
    return Result(before.verdict, "", tuple(found), len(WANTED), tuple(refused))


def _compare(stage: str, outcome: of_outcome.Outcome, starts: list[Start], case: Case) -> list[tuple[str, str]]:
    found = []
    if not starts and not case.unknown and outcome.walk is not None and outcome.walk.ways == 1:
        found.append((f"{stage}: start", f"engine says {outcome.verdict}, the shell starts no JVM"))
    for start in starts:
        if start.verdict != outcome.verdict:
            found.append((f"{stage}: verdict", f"engine says {outcome.verdict}, the JVM got {start.arguments}"))
            break
    if starts and not found and _is_known(outcome.vectors) and "command substitution" not in case.unknown:
        ours = {vague(vector) for vector in outcome.vectors if (vector[-1][1] or ("",))[0].endswith(".war")}
        theirs = _vectors(starts)
        one_way = outcome.walk is not None and outcome.walk.ways == 1
        if not theirs <= ours or (not case.unknown and one_way and ours != theirs):
            found.append((f"{stage}: vector", f"engine: {sorted(ours)}\nshell:  {sorted(theirs)}"))
    return found


def _check_edit(
    machine: Machine, case: Case, program: str, original: Texts, changed: Texts, wanted: str, starts: list[Start]
) -> list[tuple[str, str]]:
    found = []
    machine.write(changed)
    difference = "\n".join(_difference(original[path], changed[path]) for path in changed)
    if not all(explains(original[path], text) for path, text in changed.items()):
        found.append((f"{wanted}: bytes", difference))
    if changed:
        now = _real(machine, program, case)
        # Sorted: what runs in the background is not always as quick.
        if sorted(start.vector for start in now) != sorted(start.vector for start in starts):
            found.append(
                (
                    f"{wanted}: vector",
                    f"{difference}\nbefore: {[start.vector for start in starts]}\n"
                    f"after:  {[start.vector for start in now]}",
                )
            )
        elif any(start.verdict != wanted for start in now):
            found.append((f"{wanted}: verdict", f"{difference}\n{[start.arguments for start in now]}"))
    try:
        if _plan(program, case, wanted):
            found.append((f"{wanted}: not idempotent", difference))
    except Refused as error:
        found.append((f"{wanted}: not idempotent", f"{error}\n{difference}"))
    return found


def _check_undo(program: str, case: Case, original: Texts, changed: Texts) -> list[tuple[str, str]]:
    try:
        undone = {**changed, **_plan(program, case, "enabled")}
    except Refused as error:
        undone = changed
        found = str(error)
    else:
        found = ""
    return [
        ("undo", f"{found}\n{_difference(original[path], undone[path])}")
        for path in changed
        if undone[path] != original[path]
    ]


def _difference(old: str, new: str) -> str:
    start = next((index for index, pair in enumerate(zip(old, new)) if pair[0] != pair[1]), min(len(old), len(new)))
    end = 0
    while end < min(len(old), len(new)) - start and old[len(old) - 1 - end] == new[len(new) - 1 - end]:
        end += 1
    return f"at {start}: {old[start : len(old) - end]!r} became {new[start : len(new) - end]!r}"


#: A mention with what may come and go with it: a blank, quotes that hold nothing else.
_PLACE = re.compile(r"""((?:\\?\ )?)((?:\$?["']\ ?)?)(?:%s)(["']?)""" % _MENTION.pattern)


def explains(old: str, new: str) -> bool:
    """True where the new text is the old one with mentions of the flag put in, taken out or changed, no more."""
    own_line = re.compile(
        rf"\r?\n[A-Za-z_]+(?:\+=\({re.escape(_FLAG)}\)|=\"\$[A-Za-z_]+ {re.escape(_FLAG)}\")  "
        rf"{re.escape(MARK)}(?=\r?\n|\Z)"
    )

    def bare(text: str) -> str:
        # A line break in front, so that a line of our own can be the first.
        return own_line.sub("", "\n" + text)

    def comes_from(shorter: str, longer: str) -> bool:
        pattern, end = [], 0
        for place in _PLACE.finditer(longer):
            pattern.append(re.escape(longer[end : place.start()]))
            pattern += [f"{re.escape(character)}?" for character in place.group(1) + place.group(2)]
            pattern.append(f"(?:{_MENTION.pattern})?")
            pattern += [f"{re.escape(character)}?" for character in place.group(3)]
            end = place.end()
        return re.fullmatch("".join(pattern) + re.escape(longer[end:]) + r"[\r\n]*", shorter) is not None

    return comes_from(bare(new), bare(old)) or comes_from(bare(old), bare(new))

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a run is one slice of several, each of which has a part of the inventory; and which slices are missing.

AWX gives a slice its part of the inventory without a word: no variable has its number. Where the workflow job of a job
has the name of its own template, that template is sliced. Private to this collection. Runs on the control node.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.cbops.telemetry.plugins.plugin_utils._showing import named
from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible

#: More slices than anybody starts: what says so is a mistake, or a manifest that somebody has made up.
MOST_SLICES = 1000
LONGEST_JOB = 200  # characters
_TEXT = re.compile(r"([0-9]{1,4}) *(?:/|of) *([0-9]{1,4})")
_FORM = "it is such as 2/4, or has number, of and job; false where the run is no slice"


class Slice(NamedTuple):
    """One slice, as far as anybody says."""

    number: int | None = None
    of: int | None = None
    job: str | None = None  # what all slices of one round have in common

    def words(self) -> str:
        """As people read it: ``slice 2 of 4``."""
        text = f"one of {self.of} slices" if self.of else "a slice"
        if self.number:
            text = f"slice {self.number} of {self.of}"
        return text + (f" ({self.job})" if self.job else "")

    def note(self) -> str:
        """What a report on it says of itself."""
        text = (
            f"this is {self.words()}: it is about the hosts of that slice alone. Coverage, and which hosts have "
            "vanished, the report on all slices tells"
        )
        if self.of is None:
            text += (
                ". Nobody says that, but the job is part of a workflow job with the name of its own template, as AWX "
                "starts slices: say telemetry_slice: {of: 4} in the template, or false where it is not sliced"
            )
        return text


class Round(NamedTuple):
    """A run of a slice that has ended, by its manifest."""

    run_id: str
    slice: Slice
    started: str
    finished: str
    hosts: frozenset[str]


def _count(value: Any) -> int | None:
    if value is None:
        return None
    text = str(value).strip()
    if isinstance(value, bool) or not re.fullmatch("[0-9]{1,4}", text) or not 1 <= int(text) <= MOST_SLICES:
        raise ValueError(f"{visible(text)!r} is no number of slices, from 1 to {MOST_SLICES}; {_FORM}")
    return int(text)


def _job(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int)) or len(str(value)) > LONGEST_JOB:
        raise ValueError(f"job is no text of at most {LONGEST_JOB} characters; {_FORM}")
    return visible(str(value))


def _awx(variables: Mapping[str, Any], name: str) -> Any:
    """One of the variables that AWX gives every job, by its name of today or of Tower."""
    return variables.get(f"awx_{name}", variables.get(f"tower_{name}"))


def slice_of(given: Any, variables: Mapping[str, Any]) -> Slice | None:
    """The slice that a run is, by what it was told (``telemetry_slice``) and AWX's extra variables.

    None where it is none. Raises ValueError.
    """
    workflow = _awx(variables, "workflow_job_id")
    job = None if workflow is None else _job(f"AWX workflow job {workflow}")
    if given is None or given == "":
        name = _awx(variables, "workflow_job_name")
        return Slice(job=job) if job and name is not None and name == _awx(variables, "job_template_name") else None
    if isinstance(given, bool) or (isinstance(given, str) and given.strip().lower() in ("false", "no")):
        if given is True:
            raise ValueError(f"true says not which; {_FORM}")
        return None
    if isinstance(given, str):
        found = _TEXT.fullmatch(given.strip())
        if found is None:
            raise ValueError(f"{visible(given)!r} is no slice; {_FORM}")
        given = {"number": found[1], "of": found[2]}
    if not isinstance(given, Mapping) or not set(given) <= {"number", "of", "job"}:
        raise ValueError(f"it is no slice; {_FORM}")
    number, of = _count(given.get("number")), _count(given.get("of"))
    if of is None or (number or 0) > of:
        raise ValueError(f"number is not one of all slices (of); {_FORM}")
    return None if of == 1 else Slice(number, of, _job(given.get("job")) or job)


def _is_count(value: object) -> bool:
    """Whether it is a whole number, or none is given; to Python a boolean is one."""
    return value is None or (isinstance(value, int) and not isinstance(value, bool))


def slice_in(document: Mapping[str, Any]) -> Slice | None:
    """The slice that a manifest says its run was; None where it was none. Raises ValueError where it says nonsense."""
    given = document.get("slice")
    if given is None:
        return None
    if not isinstance(given, dict):
        raise ValueError("the slice it was is not sound")
    number, of = given.get("number"), given.get("of")
    if not all(_is_count(one) for one in (number, of)) or (number is not None and of is None):
        raise ValueError("the slice it was is not sound")
    job = given.get("job")
    if job is not None and not isinstance(job, str):
        raise ValueError("the slice it was is not sound")
    if of is not None and not 1 <= (1 if number is None else number) <= of <= MOST_SLICES:
        raise ValueError("the slice it was is not sound")
    return Slice(number, of, _job(job))


def summary(rounds: Iterable[Round], since: str | None) -> dict[str, Any] | None:
    """Which slices of the last round have left a manifest; None where none has since then.

    A round is what has the same ``job``, and what ran after its first slice without one, as what is started again does.
    Where nobody gives it a job it is all that has ended since then.
    """
    runs = {one.run_id: one for one in rounds if since is None or one.finished >= since}
    if not runs:
        return None
    last = max(runs.values(), key=lambda one: one.finished).slice
    if last.job is None:  # what was started again, perhaps, of a round that has one
        newest = max((one for one in runs.values() if one.slice.job), key=lambda one: one.finished, default=None)
        last = last if newest is None or newest.slice.of != last.of else newest.slice
    began = min((one.started for one in runs.values() if one.slice.job == last.job), default="")
    own = [
        one.slice.job == last.job or (one.slice.job is None and one.slice.of == last.of and one.started >= began)
        for one in runs.values()
    ]
    found = [one for one, is_own in zip(runs.values(), own) if is_own and one.slice.of == last.of]
    numbers = sorted({one.slice.number for one in found if one.slice.number})
    alone = _apart(
        [one.hosts for one in found if one.slice.number], [one.hosts for one in found if not one.slice.number]
    )
    count = len(numbers) + alone
    return {
        "of": last.of,
        "job": last.job,
        "ended": count,
        "numbers": numbers,
        # By number only where each has one.
        "missing": [one for one in range(1, last.of + 1) if one not in numbers] if last.of and not alone else None,
        "since": since,
    }


def _apart(numbered: Sequence[frozenset[str]], others: Sequence[frozenset[str]]) -> int:
    """How many slices the others are: one that was started again has hosts in common with the run before.

    So it is no other slice, also where it has lost its number.
    """
    above: dict[str, str] = {}

    def top(host: str) -> str:
        while above.setdefault(host, host) != host:
            above[host] = host = above[above[host]]
        return host

    for group in [*numbered, *others]:
        for host in group:
            above[top(host)] = top(next(iter(group)))
    known = {top(host) for group in numbered for host in group}
    return len({top(host) for group in others for host in group} - known) + sum(not group for group in others)


def told(found: Mapping[str, Any]) -> str:
    """A note on the slices that a report is made of (of `summary`); empty where none is missing."""
    round_ = f" of {found['job']}" if found["job"] else f" since {found['since']}" if found["since"] else ""
    if found["of"] is None:
        return (
            f"{found['ended']} slices{round_} have left a manifest; how many there were nobody says "
            "(telemetry_slice: {of: 4} in the template)"
        )
    if found["ended"] >= found["of"]:
        return ""
    if found["missing"] is None:
        return (
            f"{found['of'] - found['ended']} of {found['of']} slices{round_} have left no manifest; which of them, "
            "nobody says: their hosts are here by older evidence, or by none"
        )
    missing = found["missing"]
    which, has, their = ("slice", "has", "its") if len(missing) == 1 else ("slices", "have", "their")
    return (
        f"{which} {named(list(map(str, missing)))} of {found['of']}{round_} {has} left no manifest: {their} hosts are "
        "here by older evidence, or by none"
    )

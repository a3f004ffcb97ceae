# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every format shows: the hosts of a fleet with verdict, clocks and age of their evidence, the totals, the trend.

Pure functions; nothing here reads a file or the clock. Private to this collection. Runs on the control node.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, cast

from ansible_collections.cbops.telemetry.plugins.module_utils.rules import _findings as rules
from ansible_collections.cbops.telemetry.plugins.plugin_utils._showing import named
from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._age import Aged, aged, clock_off, verdict_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import totals_by_machine, unmet
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._documents import (
    Answer,
    Evidence,
    Installation,
    WaiverDocument,
    answers_of,
    installations_of,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._posture import has_toggle
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._slice import Slice
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._switches import words_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._verdicts import (
    BROKEN,
    FAIL_ON,
    IDLE,
    PENDING,
    TABLE,
    UNSEEN,
    VERDICTS,
    in_camps,
)

#: What each verdict means, in a few words, for legends and rules.
MEANINGS = {one.name: one.meaning for one in TABLE}

#: The cells of the fleet matrix, in the order in which they are shown.
CLOCKS = rules.CLOCKS


def moment(text: str | None) -> datetime.datetime | None:
    """A moment of ISO 8601 in UTC; None where there is none or it is not one."""
    try:
        # Python 3.10 wants three or six digits behind the point.
        whole = re.sub(r"(\.\d{1,6})\d*", lambda digits: digits[1].ljust(7, "0"), text or "")
        parsed = datetime.datetime.fromisoformat(whole.replace("Z", "+00:00"))
    except (ValueError, AttributeError):
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=datetime.timezone.utc)


class Run(NamedTuple):
    """One point of the trend."""

    at: str
    totals: Mapping[str, int]


class Head(NamedTuple):
    """A manifest that no other follows: the end of a chain, which is worth keeping elsewhere."""

    run_id: str
    sequence: int
    sha256: str
    signed: bool = False  # whether a signature lies beside it, good or not

    def words(self) -> str:
        """As a run and verification print it."""
        return f"{visible(self.run_id)}, sequence {self.sequence or None}, SHA-256 {self.sha256}"


class Cell(NamedTuple):
    """One cell of the fleet matrix: its words, and how they stand to the policy ("ok", "bad", "open" or "")."""

    text: str
    mark: str


@dataclass(frozen=True)
class Host:
    """One host of the report: its evidence document, and what stands beside it in manifests."""

    document: Evidence
    collected_at: str | None = None
    age: float | None = None  # seconds; None also where collected_at is in the future, so that a clock was wrong
    drift: str | None = None
    machine: str | None = None  # the same for two names of one machine
    sha256: str | None = None  # of its evidence file; None where nothing was filed
    is_as_filed: bool = True  # whether the run that tells collected_at speaks of this very document
    host_clock: str | None = None  # what its own clock said at collected_at, where that is far from it
    aged: Aged | None = None  # what its age has made of it
    was: str | None = None  # the verdict that it had before
    waiver_ended: bool = False  # whether its waiver ended after it was collected, so that it was waived then
    events_changed: Sequence[str] = ()  # events that are new or gone since the evidence before

    @property
    def host(self) -> str:
        """Its name in the inventory."""
        return str(self.document["host"])

    @property
    def verdict(self) -> str:
        """One of VERDICTS."""
        return str(self.document["verdict"])

    @property
    def counts_as(self) -> tuple[str, ...]:
        """All that telemetry_fail_on may name it by: what was wrong when it was seen is not better by its age."""
        then = "waived" if self.waiver_ended else None
        return tuple(dict.fromkeys(filter(None, (self.verdict, self.was, self.aged and self.aged.into, then))))

    @property
    def reasons(self) -> Sequence[str]:
        """Why, for the person who must act."""
        return self.document["reasons"]

    @property
    def warnings(self) -> Sequence[str]:
        """What is no reason for a verdict and still worth a look."""
        state = self.document.get("state")
        return [*self.document["warnings"], *((state.get("warnings") or ()) if state else ())]

    @property
    def installations(self) -> Sequence[Installation]:
        """The installations of its state."""
        return installations_of(self.document)

    @property
    def answers(self) -> Sequence[Answer]:
        """The probe's answers, one a path."""
        return answers_of(self.document)

    @property
    def policy(self) -> Mapping[str, Any]:
        """The policy it was held against; empty where it is not known."""
        return self.document.get("policy") or {}

    @functools.cached_property
    def findings(self) -> list[rules.Finding]:
        """What was found out about it, held against its policy; empty where the policy or the state is not known."""
        return self.found()

    def found(self) -> list[rules.Finding]:
        """The same, not kept: what asks once for each of a fleet does not hold them all."""
        state, policy = self.document.get("state"), self.policy
        return (
            []
            if state is None or not policy
            else [
                one
                for group in rules.of_host(
                    state,
                    policy["desired"],
                    policy["connectivity"],
                    policy.get("expect") or "",
                    policy.get("toggle") or "unmanaged",
                    [
                        {**one, "words": words_of(one["name"], one.get("kind", ""))}
                        for one in policy.get("switches") or ()
                    ],
                )
                for one in group
            ]
        )

    @property
    def waiver(self) -> WaiverDocument | None:
        """Its waiver, valid or not."""
        return self.policy.get("waiver")

    @property
    def products(self) -> str:
        """Its products, each once."""
        return ", ".join(dict.fromkeys(entry["product"] for entry in self.installations))


def by_age(host: Host, at: str, limit: float | None) -> Host:
    """A host with the verdict that the age of its evidence leaves it at a moment, and what its clock leaves it."""
    by_its_clock = by_clock(host)
    present = moment(at)
    if by_its_clock is not host or present is None:
        return by_its_clock
    return _by(host, aged(moment(host.collected_at), present, limit, host.is_as_filed))


def by_clock(host: Host) -> Host:
    """A host with the verdict that its own clock leaves it, where that was far from the control node's."""
    theirs, collected = moment(host.host_clock), moment(host.collected_at)
    return _by(host, clock_off(theirs, collected) if theirs is not None and collected is not None else None)


def _by(host: Host, what: Aged | None) -> Host:
    if what is None:
        return host
    verdict = verdict_of(host.verdict, what)
    document = cast(Evidence, {**host.document, "verdict": verdict, "reasons": [what.reason, *host.reasons]})
    if verdict == host.verdict:  # it is what must be done, and comes first
        document["reasons"] = [*host.reasons, what.reason]
    return replace(host, document=document, aged=what, was=host.verdict)


def by_waiver(host: Host, at: str) -> Host:
    """A host with the verdict that its waiver leaves it on the day of a moment: none outlives its last day."""
    if host.verdict != "waived" or host.waiver is None:
        return host
    until, present = host.waiver["until"], moment(at)
    end = moment(until)
    if present is None or (end is not None and present.date() <= end.date()):
        return host
    reason = f"the waiver ran out on {until}, after this was collected"
    document = cast(Evidence, {**host.document, "verdict": "waiver_expired", "reasons": [reason, *host.reasons]})
    return replace(host, document=document, waiver_ended=True)


def falls_short(host: Host, fail_on: Sequence[str]) -> bool:
    """Whether a host does not meet its policy, or nobody knows, by its evidence, its age, and telemetry_fail_on."""
    return unmet(host.document, fail_on) or not set(host.counts_as).isdisjoint(fail_on)


class Changes(NamedTuple):
    """What changed, when, and by which run."""

    runs: Sequence[Mapping[str, Any]] = ()  # newest first, each with who ran it and its ``changes``


@dataclass(frozen=True)
class Report:
    """All that a format shows."""

    generated_at: str
    hosts: Sequence[Host]
    trend: Sequence[Run] = ()
    last_run: str | None = None
    fail_on: Sequence[str] = FAIL_ON
    inventory: str = "INVENTORY"
    notes: Sequence[str] = ()
    changes: Changes = Changes()
    vanished: Sequence[str] = ()  # hosts of the last run of the whole inventory that are not here
    max_age: float | None = None  # seconds that evidence may be old
    heads: Sequence[Head] = ()
    coverage: Mapping[str, Any] | None = None  # see _ledger; none of a part of the inventory
    sign: Callable[[bytes], str] | None = None  # what signs for this run, as ssh-keygen does
    slice: Slice | None = None  # the one of several that it is about alone
    slices: Mapping[str, Any] | None = None  # those that it is made of; see _slice
    totals: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Count the verdicts."""
        self.totals.update(totals_by_machine((host.verdict, host.machine) for host in self.hosts))

    def machines(self) -> list[list[str]]:
        """Names for one and the same machine."""
        names: dict[str, list[str]] = {}
        for host in self.hosts:
            if host.machine is not None:
                names.setdefault(host.machine, []).append(host.host)
        return [found for found in names.values() if len(found) > 1]

    def worst_first(self) -> list[Host]:
        """The hosts by verdict, then by name with its numbers as numbers."""
        rank = {verdict: number for number, verdict in enumerate(VERDICTS)}
        return sorted(self.hosts, key=lambda host: (rank[host.verdict], natural(host.host)))


def counts_until(host: Host, limit: float | None) -> datetime.datetime | None:
    """Until when evidence has its verdict: its age and the waiver that it goes by end it; None where neither does.

    None too where it does not count now.
    """
    then = moment(host.collected_at)
    if then is None or host.aged is not None or host.sha256 is None or not host.is_as_filed:
        return None
    ends = []
    with contextlib.suppress(OverflowError):
        ends += [then + datetime.timedelta(seconds=limit)] if limit is not None else []
    if host.verdict == "waived" and host.waiver is not None:
        ends += [last for last in [moment(f"{host.waiver['until']}T23:59:59Z")] if last is not None]
    return min(ends, default=None)


def coverage_words(coverage: Mapping[str, Any]) -> str:
    """Coverage in one line, with its numerator and denominator."""
    centers = coverage["operations_centers"]
    if coverage["percent"] is None:
        counted = f"{coverage['audited']} audited of at least {coverage['known']} known; " if coverage["known"] else ""
        return f"coverage: unknown ({counted}{coverage['reasons'][0]})"
    text = f"coverage: {coverage['percent']:g} % ({coverage['audited']} of {coverage['known']} controllers audited"
    return f"{text}, {centers['audited']} of {centers['known']} operations centers)"


def natural(text: str) -> list[tuple[int, int, str]]:
    """A key that sorts cm2 before cm10."""
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in re.split(r"(\d+)", text)]


def age_words(seconds: float | None) -> str:
    """An age as one reads it: ``45 s``, ``3 h``, ``12 days``; ``never`` where there is no evidence."""
    if seconds is None:
        return "never"
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= (2 if unit == "days" else 1) * size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def age_of(host: Host) -> str:
    """The age of a host's evidence, as one reads it."""
    return "unknown" if host.age is None and host.collected_at else age_words(host.age)


def noun(hosts: Sequence[Host], count: int) -> str:
    """What the hosts are called: controllers where every one is known to be that and nothing else."""
    word = "controller" if hosts and all(host.products == "controller" for host in hosts) else "host"
    return word if count == 1 else f"{word}s"


def headline(report: Report) -> str:
    """The report in one sentence, which says so where it is about a slice of the fleet alone."""
    text = _headline(report)
    if report.slice is None:
        return text
    which = report.slice.words()
    return f"{which[0].upper()}{which[1:]}: {text[0].lower()}{text[1:]}"


def _headline(report: Report) -> str:
    totals, count = report.totals, sum(report.totals.values())
    if not count:
        return "There are no hosts to report on"
    broken, unseen, pending, idle = (
        sum(totals[verdict] for verdict in in_camps(camp)) for camp in (BROKEN, UNSEEN, PENDING, IDLE)
    )
    things = noun(report.hosts, count)
    if broken:
        text = f"{broken} of {count} {things} violate{'s' if broken == 1 else ''} the policy"
    elif unseen == count:
        text = f"None of {count} {things} could be judged"
    elif unseen + pending:
        text = f"No violation was seen on {count} {things}"
    elif totals["waived"]:
        return f"{count} {things}: the policy is met, or waived on {totals['waived']}"
    elif idle:
        return f"The policy applies to {count - idle or 'none'} of {count} {things}" + (
            ", all of which meet it" if idle < count else ""
        )
    else:
        return f"All {count} {things} meet the policy" if count > 1 else f"The {things} meets the policy"
    more = [
        f"{totals[verdict]} {'waiting for a restart' if verdict in in_camps(PENDING) else verdict}"
        for verdict in in_camps(PENDING, UNSEEN)
        if totals[verdict]
    ]
    return text + (f"; {', '.join(more)}" if more else "")


_DRIFTS = {"corrective": "changed on the host", "intended": "changed with the policy"}


def drifts(report: Report) -> str:
    """How many hosts differ from the evidence before, and by whose doing; empty where none does."""
    counts = Counter(host.drift for host in report.hosts if host.drift)
    words = [f"{count} {_DRIFTS.get(drift, drift)} ({drift})" for drift, count in sorted(counts.items())]
    return f"Since the evidence before: {', '.join(words)}" if words else ""


def event_news(report: Report) -> str:
    """On how many hosts events are new or gone; empty where on none."""
    found = [host for host in report.hosts if host.events_changed]
    if not found:
        return ""
    names = named([host.host for host in found])
    return f"Events that plugins name are new or gone on {len(found)} {noun(report.hosts, len(found))}: {names}"


# -- the fleet matrix -------------------------------------------------------------------------------


def _mark(host: Host, about: str) -> str:
    """How bad it is what was found out about something; empty where the policy has nothing to say of it."""
    found = [one for one in host.findings if one.about == about]
    if not found:
        return ""
    level = rules.worst_level(found)
    # What was right when it was seen is not green any more.
    return "" if host.aged is not None and level == rules.OK else level


def clock(host: Host, name: str) -> Cell:
    """What a clock shows on a host, over its installations."""
    entries: Sequence[Mapping[str, Any]] = host.installations
    return Cell(", ".join(dict.fromkeys(entry[name] for entry in entries)), _mark(host, name))


def toggle(host: Host) -> Cell:
    """What CloudBees' own checkbox is, over its installations; where that is only declared, or not known, so said."""
    words = [toggle_word(entry) for entry in host.installations if entry.get("toggle")]
    if host.policy.get("toggle") not in rules.KNOWN and not any(has_toggle(entry) for entry in host.installations):
        words = []  # nobody wants to know, and nothing was seen
    return Cell(", ".join(dict.fromkeys(words)), _mark(host, rules.TOGGLE))


def toggle_word(entry: Mapping[str, Any]) -> str:
    """The same of an installation, as a format shows it in a cell."""
    word = rules.toggle_of(entry)
    return word if word == "unknown" or rules.toggle_now(entry) else f"{word} (declared)"


def path_words(answer: Answer) -> str:
    """A path of the probe and its outcome."""
    via = answer["via"]
    return str(answer["outcome"]) + ("" if via == "direct" else f" via {via}")


def connectivity(host: Host) -> Cell:
    """What the probe saw, over its paths."""
    policy = host.policy.get("connectivity")
    if host.answers:
        return Cell(", ".join(path_words(answer) for answer in host.answers), _mark(host, rules.CONNECTIVITY))
    if policy in (None, "ignored"):
        return Cell(policy or "", "")
    # Of a host without a state nothing was found out, that neither.
    return Cell("not probed", rules.OPEN if host.document.get("state") is None else _mark(host, rules.CONNECTIVITY))


def waiver(host: Host) -> Cell:
    """Whether a waiver stands, and until when."""
    if host.waiver is None:
        return Cell("", "")
    until = host.waiver["until"]
    return Cell(f"ended {until}", "bad") if host.verdict == "waiver_expired" else Cell(f"until {until}", "open")


def place(detail: Mapping[str, Any] | None) -> str:
    """``file:line``, ``file`` or nothing."""
    if not detail or not detail.get("file"):
        return ""
    return f"{detail['file']}:{detail['line']}" if detail.get("line") else str(detail["file"])


class Place(NamedTuple):
    """A place in a file of a host."""

    file: str
    line: int | None
    installation: str


def places(host: Host) -> list[Place]:
    """Where the person who must act will look: the line that decides, else the live launch file; one each."""
    found = []
    for entry in host.installations:
        detail: Mapping[str, Any] = entry.get("on_disk_detail") or {}
        launch: Mapping[str, Any] = entry.get("launch") or {}
        if detail.get("file"):
            found.append(Place(detail["file"], detail.get("line"), entry["name"]))
        elif launch.get("file"):
            found.append(Place(launch["file"], None, entry["name"]))
    return found


def clusters(hosts: Iterable[Host]) -> dict[tuple[str, str], list[Host]]:
    """The hosts of each (via, outcome): one proxy that fails is one cluster."""
    found: dict[tuple[str, str], list[Host]] = {}
    for host in hosts:
        for key in dict.fromkeys((answer["via"], answer["outcome"]) for answer in host.answers):
            found.setdefault(key, []).append(host)
    return found

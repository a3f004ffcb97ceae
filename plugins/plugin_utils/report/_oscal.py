# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as OSCAL assessment results: a finding a policy rule, an observation a host, a risk a waiver.

Which control of a catalog telemetry belongs to, whoever assesses knows; so targets are objectives of our own. UUIDs are
made of what they name: the same report has the same ones. Private to this collection; runs on the control node.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.cbops.telemetry.plugins.module_utils.rules import _findings as rules
from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._reading import path_of, written
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._verdicts import SETTLED
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._model import (
    MEANINGS,
    Host,
    Report,
    counts_until,
    headline,
)

VERSION = "1.1.3"
NAMESPACE = "https://github.com/cbops/telemetry/ns/oscal"
_ROOT = uuid.uuid5(uuid.NAMESPACE_URL, NAMESPACE)
#: The rule that no finding of a host is about: that the host as a whole meets its policy, and that this is known.
POLICY = "policy"
_RULES = {
    POLICY: "Every host meets its policy, and that is known",
    "on_disk": "The launch files set telemetry as the policy wants it",
    "next_start": "The next start of each installation has telemetry as the policy wants it",
    "running": "Each running JVM has telemetry as the policy wants it",
    "connectivity": "The telemetry endpoint is reached, or blocked, as the policy wants it",
    "host": "What is installed on a host is known",
}


def _id(*parts: object) -> str:
    return str(uuid.uuid5(_ROOT, written([str(part) for part in parts])))


def _line(text: object) -> str:
    """Text in one line, never empty, with no blank at its ends, as OSCAL's strings are."""
    return " ".join(visible(str(text)).split()) or "-"


def _prop(name: str, value: object) -> dict[str, str]:
    return {"name": name, "ns": NAMESPACE, "value": _line(value)}


def _when(host: Host, report: Report) -> str:
    return host.collected_at or report.generated_at


def _observation(host: Host, report: Report) -> dict[str, Any]:
    collected = _when(host, report)
    props = [_prop("verdict", host.verdict)]
    if host.was:
        props.append(_prop("verdict-when-collected", host.was))
    if host.drift:
        props.append(_prop("drift", host.drift))
    if host.collected_at is None:
        props.append(_prop("collected", "unknown"))
    found: dict[str, Any] = {
        "uuid": _id("observation", host.host, host.sha256, collected),
        "title": _line(host.host),
        "description": _line("; ".join([f"{host.verdict}: {MEANINGS[host.verdict]}", *host.reasons])),
        "props": props,
        "methods": ["TEST"] if host.document.get("state") is not None else ["UNKNOWN"],
        "types": ["control-objective"],
        "subjects": [{"subject-uuid": _id("host", host.host), "type": "inventory-item", "title": _line(host.host)}],
        "collected": collected,
    }
    if host.sha256 is not None:
        name = f"evidence/{path_of(Path(), host.host).name}"
        found["relevant-evidence"] = [{"href": name, "description": f"The evidence of the host, SHA-256 {host.sha256}"}]
    expires = counts_until(host, report.max_age)
    if expires is not None:
        found["expires"] = expires.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return found


def _risk(host: Host, report: Report) -> dict[str, Any]:
    """The waiver of a host that does not meet its policy, or did not when the waiver ran out."""
    waiver: dict[str, Any] = dict(host.waiver or {})  # only such hosts are given
    stands = host.verdict == "waived" or host.was == "waived"
    props = [_prop("approved-by", waiver["approved_by"])]
    if waiver.get("ticket"):
        props.append(_prop("ticket", waiver["ticket"]))
    return {
        "uuid": _id("risk", host.host, waiver["until"], waiver["reason"]),
        "title": _line(f"{host.host} differs from the policy"),
        "description": _line(waiver["reason"]),
        "statement": _line(
            f"{host.host} does not meet its policy; {waiver['approved_by']} has allowed that until {waiver['until']}"
        ),
        "props": props,
        "status": "deviation-approved" if stands else "open",
        "deadline": f"{waiver['until']}T23:59:59Z",
        "related-observations": [{"observation-uuid": _id("observation", host.host, host.sha256, _when(host, report))}],
    }


#: The level of what was found on a host, by what it is about. Hosts that are alike have the same one.
_Levels = Mapping[str, str]


def _levels(hosts: Iterable[Host]) -> list[_Levels]:
    """The levels of each host, in their order."""
    known: dict[tuple[tuple[str, str], ...], _Levels] = {}
    found = []
    for host in hosts:
        by: dict[str, list[rules.Finding]] = {}
        for one in host.found():
            by.setdefault(one.about, []).append(one)
        key = tuple((about, rules.worst_level(each)) for about, each in sorted(by.items()))
        found.append(known.setdefault(key, dict(key)))
    return found


def _met(host: Host, rule: str, levels: _Levels) -> bool | None:
    """Whether a rule is known to be met on a host; None where it does not concern it."""
    if rule == POLICY:
        return host.verdict in SETTLED
    if rule not in levels:
        return False if _may_concern(host, rule) else None
    return host.aged is None and levels[rule] == rules.OK


def _may_concern(host: Host, rule: str) -> bool:
    """Whether a rule concerns a host that nobody has seen, as far as is known: by its policy, where that is known."""
    policy = host.policy
    if not policy or host.document.get("state") is not None:
        return not policy
    wanted = policy["desired"] in rules.KNOWN
    return {
        rules.HOST: True,
        rules.TOGGLE: policy.get("toggle") in rules.KNOWN,
        rules.SWITCHES: wanted and bool(policy.get("switches")),
        rules.CONNECTIVITY: wanted and policy["connectivity"] != "ignored",
    }.get(rule, wanted)


class _Lazy(NamedTuple):
    """A list of a document whose items are made when they are written."""

    items: Callable[[], Iterable[Any]]


def _finding(rule: str, report: Report, risks: Sequence[Host], levels: Sequence[_Levels]) -> dict[str, Any]:
    def concerned() -> Iterator[tuple[Host, bool]]:
        for host, found in zip(report.hosts, levels):
            met = _met(host, rule, found)
            if met is not None:
                yield host, met

    names = {host.host for host in risks}
    count = good = 0
    excused = []
    for host, met in concerned():
        count, good = count + 1, good + met
        if host.host in names:
            excused.append(host)
    title = _RULES.get(rule, f"What is found of {rule} is as the policy wants it")
    found: dict[str, Any] = {
        "uuid": _id("finding", rule, report.generated_at),
        "title": title,
        "description": f"{good} of {count} hosts that it concerns are known to meet it",
        "target": {
            "type": "objective-id",
            "target-id": f"cbops-telemetry_{rule}",
            "title": title,
            "status": {"state": "satisfied" if count and good == count else "not-satisfied"},
        },
    }
    if count:
        found["related-observations"] = _Lazy(
            lambda: (
                {"observation-uuid": _id("observation", host.host, host.sha256, _when(host, report))}
                for host, _met in concerned()
            )
        )
    if excused:
        order = {host.host: number for number, host in enumerate(risks)}
        excused.sort(key=lambda host: order[host.host])
        found["related-risks"] = _Lazy(lambda: ({"risk-uuid": _risk(host, report)["uuid"]} for host in excused))
    return found


def _is_lazy(value: Any) -> bool:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return isinstance(value, _Lazy) or any(map(_is_lazy, inside))


def _written(value: Any, depth: int = 0) -> Iterator[str]:
    """A document as `written` writes it with an indent of 1, piece by piece."""
    if isinstance(value, _Lazy):
        yield from _enclosed("[]", ((None, item) for item in value.items()), depth)
    elif not _is_lazy(value):
        # In JSON no string has a line end.
        yield written(value, indent=1).replace("\n", "\n" + " " * depth)
    else:
        of_dict = isinstance(value, dict)
        yield from _enclosed(
            "{}" if of_dict else "[]", value.items() if of_dict else ((None, one) for one in value), depth
        )


def _enclosed(brackets: str, items: Iterable[tuple[str | None, Any]], depth: int) -> Iterator[str]:
    empty = True
    for name, item in items:
        yield (brackets[0] if empty else ",") + "\n" + " " * (depth + 1)
        empty = False
        if name is not None:
            yield f"{written(name)}: "
        yield from _written(item, depth + 1)
    yield brackets if empty else "\n" + " " * depth + brackets[1]


def render(report: Report) -> str:
    """The report as one text."""
    return "".join(pieces(report))


def pieces(report: Report) -> Iterator[str]:
    """The report as one document, piece by piece: what there is of each host is made when it is written."""
    levels = _levels(report.hosts)
    about = [POLICY, *sorted(set().union(*levels))]
    risks = [
        host
        for host in report.hosts
        if host.waiver is not None and {"waived", "waiver_expired"} & {host.verdict, host.was}
    ]
    known = sorted(host.collected_at for host in report.hosts if host.collected_at and host.age is not None)
    plan = _id("plan")
    result: dict[str, Any] = {
        "uuid": _id("result", report.generated_at, *(head.sha256 for head in report.heads)),
        "title": "Audit of CloudBees CI telemetry",
        "description": _line(headline(report)),
        "start": known[0] if known else report.generated_at,
        "end": report.generated_at,
        "props": [_prop(f"hosts-{verdict}", count) for verdict, count in report.totals.items()]
        + ([_prop("slice", report.slice.words())] if report.slice else [])
        + [_prop("chain-head", head.words()) for head in report.heads],
        "reviewed-controls": {"control-selections": [{"include-all": {}}]},
        "findings": [_finding(rule, report, risks, levels) for rule in about],
    }
    if report.hosts:
        result["local-definitions"] = {
            "inventory-items": _Lazy(
                lambda: ({"uuid": _id("host", host.host), "description": _line(host.host)} for host in report.hosts)
            )
        }
        result["observations"] = _Lazy(lambda: (_observation(host, report) for host in report.worst_first()))
    if risks:
        result["risks"] = _Lazy(lambda: (_risk(host, report) for host in risks))
    document = {
        "assessment-results": {
            "uuid": _id("report", report.generated_at, *(head.sha256 for head in report.heads)),
            "metadata": {
                "title": "Audit of CloudBees CI telemetry",
                "last-modified": report.generated_at,
                "version": report.generated_at,
                "oscal-version": VERSION,
            },
            "import-ap": {"href": f"#{plan}"},
            "results": [result],
            "back-matter": {
                "resources": [
                    {
                        "uuid": plan,
                        "title": "The policy that hosts were held against",
                        "description": "The Ansible inventory: manifests name its commit, evidence has each policy.",
                    }
                ]
            },
        }
    }
    yield from _written(document)
    yield "\n"

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as one self-contained HTML page that opens offline. Private to this collection; runs on the control node.

``report.html.j2``, ``report.css`` and ``report.js`` lie beside this file. The page's Content-Security-Policy lets
nothing run but that script, by its hash, and lets nothing be fetched.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import jinja2

from ansible_collections.cbops.telemetry.plugins.module_utils.outcomes._outcomes import meets
from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy import _senders as senders
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._documents import Installation
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._posture import has_toggle, toggle_words
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._verdicts import (
    EXCUSED,
    IDLE,
    MET,
    TABLE,
    VERDICTS,
    in_camps,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._manual import ENTRIES, PAGE
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._model import (
    CLOCKS,
    MEANINGS,
    Host,
    Report,
    Run,
    age_words,
    clock,
    clusters,
    connectivity,
    coverage_words,
    drifts,
    event_news,
    headline,
    moment,
    place,
    toggle,
    waiver,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._record import words
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._remedy import steps

#: The drawings that stand for verdicts beside their words: paths of SVG in a square of 16, drawn with a pen of 2.
SYMBOLS = {one.name: one.drawing for one in TABLE}


def colours() -> str:
    """The style of the verdicts, each with its own colour, on light ground, on dark and on paper."""
    light, dark = (" ".join(f"--{one.name}: {getattr(one, ground)};" for one in TABLE) for ground in ("light", "dark"))
    return (
        f":root {{ {light} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n"
        f"@media print {{ :root {{ {light} }} }}\n"
        + "".join(f".v-{one.name} {{ --own: var(--{one.name}); }}\n" for one in TABLE)
    )


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def data(value: Any) -> str:
    """A value as JSON that cannot end the script element it stands in."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return re.sub("[<>&\u2028\u2029]|[\ud800-\udfff]", lambda match: f"\\u{ord(match[0]):04x}", text)


def _installation(entry: Any) -> dict[str, Any]:
    launch = entry.get("launch") or {}
    details = {name: entry.get(f"{name}_detail") or {} for name in CLOCKS}
    return {
        **{key: entry.get(key) for key in ("name", "product", "packaging", "service", *CLOCKS)},
        "launch": " ".join(filter(None, [launch.get("variable"), launch.get("file") and f"in {launch['file']}"])),
        "places": [place(details[name]) for name in CLOCKS],
        "why": [details[name].get("reason") or "" for name in CLOCKS],
        "proof": ", ".join(
            f"process {process['pid']} by {process.get('proof') or 'nothing'}"
            for process in entry.get("processes") or ()
        ),
        "senders": senders.rows(entry),
        "switches": senders.switches(entry),
        "threads": senders.threads_of(entry),
        "declarations": [
            [place(item), item.get("variable"), item["value"], item["live"], item.get("reason") or ""]
            for item in entry.get("declarations") or ()
        ],
        "toggle": [
            [name.replace("_", " "), _words(one["collected"]), place(one), one.get("mark", ""), one.get("reason", "")]
            for name, one in (entry.get("toggle") or {}).items()
        ],
        "sending": toggle_words(cast(Installation, entry)) if has_toggle(cast(Installation, entry)) else "",
    }


def _words(collected: Any) -> str:
    return {True: "on", False: "off", None: "not set"}.get(collected, "unknown")


class Plugins:
    """The plugins of a fleet that name events, each once: hosts are alike, and a page with them all would be large."""

    def __init__(self) -> None:
        self.rows: list[Any] = []
        self._known: dict[str, int] = {}

    def number(self, one: Mapping[str, Any]) -> int:
        """Where a plugin stands among the rows."""
        kept = [
            one["plugin"],
            one["version"],
            one.get("note") or one.get("reason") or "",
            [
                [event["name"], event["kind"], event["mark"], event.get("summary") or event.get("reason") or ""]
                for event in one["events"]
            ],
        ]
        return self._placed(kept)

    def listed(self, found: Mapping[str, Any]) -> int:
        """The same of what a product itself lists."""
        rows = [[one["name"], "event", found["mark"], one.get("summary") or ""] for one in found["events"]]
        return self._placed(["the product's own list", "", found.get("reason") or "", rows])

    def _placed(self, kept: list[Any]) -> int:
        key = json.dumps(kept)
        if key not in self._known:
            self._known[key] = len(self.rows)
            self.rows.append(kept)
        return self._known[key]


def _events(events: Mapping[str, Any], plugins: Plugins) -> dict[str, Any]:
    """The events of an installation: its plugins by their numbers."""
    return {
        "mark": events["mark"],
        "reason": events.get("reason") or "",
        "plugins": [plugins.number(one) for one in events["plugins"]],
        "unread": [f"{one['file']}: {one['reason']}" for one in events["unread"][:50]],
        "more": max(0, len(events["unread"]) - 50),
        "served": plugins.listed(events["served"]) if "served" in events else None,
    }


def row(host: Host, inventory: str, plugins: Plugins | None = None) -> dict[str, Any]:
    """A host as the page's script takes it; ``plugins`` are those that other hosts have too."""
    plugins = plugins or Plugins()
    cells = [*(clock(host, name) for name in CLOCKS), toggle(host), connectivity(host), waiver(host)]
    return {
        "host": host.host,
        "verdict": host.verdict,
        "product": host.products,
        "cells": cells,
        "age": host.age,
        "at": host.collected_at,
        "drift": host.drift,
        "was": host.was,
        "posture": host.document.get("posture"),
        "reasons": host.reasons,
        "warnings": host.warnings,
        "policy": host.policy,
        "installations": [
            {**_installation(entry), **({"events": _events(entry["events"], plugins)} if entry.get("events") else {})}
            for entry in host.installations
        ],
        "eventsChanged": host.events_changed,
        "answers": [
            {key: answer.get(key) for key in ("target", "via", "outcome", "message", "findings")}
            for answer in host.answers
        ],
        "mend": steps(host, inventory),
    }


def changed(report: Report) -> dict[str, Any]:
    """What changed, as the page's script wants it: the runs, and lines of run, host, time and words."""
    runs = [
        {
            "run": run["run"],
            "by": " on ".join(filter(None, (run["operator"], run["control_node"]))),
            "commit": f"{run['commit'][:12]}{' (changed since)' if run['dirty'] else ''}" if run["commit"] else "",
            "undoes": run["undoes"],
        }
        for run in report.changes.runs
    ]
    return {
        "runs": runs,
        "lines": [
            [number, change["host"], change["at"], *words(change)]
            for number, run in enumerate(report.changes.runs)
            for change in run["changes"]
        ],
    }


def trend(runs: Sequence[Run]) -> dict[str, Any]:
    """The trend as one small drawing a verdict: places in a field of 300 × 40, by time and by count."""
    times = [when.timestamp() for run in runs if (when := moment(run.at))]
    first, last = (times[0], times[-1]) if times else (0, 0)
    span = (last - first) or 1
    drawings = []
    for verdict in VERDICTS:
        counts = [run.totals.get(verdict, 0) for run in runs]
        if not any(counts):
            continue
        spots = [
            f"{4 + 292 * (at - first) / span:.1f} {36 - 32 * count / max(counts):.1f}"
            for at, count in zip(times, counts)
        ]
        drawings.append(
            {
                "verdict": verdict,
                "line": "M" + "L".join(spots),
                "end": spots[-1],
                "least": min(counts),
                "most": max(counts),
                "was": counts[0],
                "now": counts[-1],
            }
        )
    return {
        "drawings": drawings,
        "from": runs[0].at[:10] if runs else "",
        "to": runs[-1].at[:10] if runs else "",
        "runs": [{"at": run.at[:16].replace("T", " "), "totals": run.totals} for run in reversed(runs)],
    }


def paths(hosts: Sequence[Host]) -> dict[str, Any]:
    """The connectivity map: a line a path, a column an outcome, a disc for the hosts of both."""
    found = clusters(hosts)
    largest = max(map(len, found.values()), default=1)
    outcomes = sorted({outcome for _via, outcome in found}, key=lambda outcome: (outcome == "connected", outcome))
    lines = []
    failures = Counter(
        via for (via, outcome), members in found.items() for _member in members if not meets(outcome, "reachable")
    )
    for via in sorted({via for via, _outcome in found}, key=lambda via: (-failures[via], via)):
        counts = {outcome: len(found.get((via, outcome), ())) for outcome in outcomes}
        lines.append(
            {
                "via": via,
                "failed": failures[via],
                "all": failures[via] == sum(counts.values()),
                "cells": [
                    {
                        "outcome": outcome,
                        "count": count,
                        "reached": meets(outcome, "reachable"),
                        "radius": round(7 + 15 * (count / largest) ** 0.5, 1),
                    }
                    for outcome, count in counts.items()
                ],
            }
        )
    return {"outcomes": outcomes, "lines": lines, "unprobed": sum(not host.answers for host in hosts)}


def render(report: Report) -> str:
    """The report as one text."""
    return "".join(pieces(report))


def pieces(report: Report) -> Iterator[str]:
    """The report as a page, piece by piece. Its script needs no network and no other file."""
    folder = Path(__file__).parent
    style, script = ((folder / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    style = colours() + style
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["visible"] = visible
    template = environment.from_string((folder / "report.html.j2").read_text(encoding="utf-8"))
    when, last = moment(report.generated_at), moment(report.last_run)
    here = secrets.token_hex(16)  # which nothing that is shown can hold
    before, _here, after = template.render(
        headline=headline(report),
        drifts=drifts(report),
        event_news=event_news(report),
        coverage="C" + coverage_words(report.coverage)[1:] if report.coverage else "",
        report=report,
        meanings=MEANINGS,
        symbols=SYMBOLS,
        trend=trend(report.trend),
        paths=paths(report.hosts),
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
        made=report.generated_at[:16].replace("T", " "),
        last=age_words((when - last).total_seconds()) if when and last else None,
        data=here,
    ).partition(here)
    yield before
    yield data(
        {
            "verdicts": MEANINGS,
            "settled": in_camps(MET, EXCUSED, IDLE),
            "made": report.generated_at,
            "limit": report.max_age,
            "changes": changed(report),
            "manual": {"page": PAGE, "entries": ENTRIES},
            "hosts": [],
        }
    )[: -len("]}")]
    plugins = Plugins()
    for number, host in enumerate(report.worst_first()):
        yield ("," if number else "") + data(row(host, report.inventory, plugins))
    yield '],"plugins":' + data(plugins.rows) + "}" + after + "\n"

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as JSON (docs/schema/report-1.json). Private to this collection; runs on the control node."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible_json
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._reading import written
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._model import Host, Report, headline
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._remedy import steps

REPORT_SCHEMA = "cbops.telemetry/report/1"


def entry(host: Host, inventory: str) -> dict[str, Any]:
    """A host as the report shows it."""
    document = {key: value for key, value in host.document.items() if key != "schema"}
    return {
        **document,
        "collected_at": host.collected_at,
        "age_seconds": host.age,
        "drift": host.drift,
        **({"aged": host.aged.into, "was": host.was} if host.aged else {}),
        **({"events_changed": list(host.events_changed)} if host.events_changed else {}),
        "mend": [step._asdict() for step in steps(host, inventory)],
    }


def _line(value: Any) -> str:
    return visible_json(written(value, sort_keys=True))


def _run(run: Mapping[str, Any]) -> str:
    """A run and what it changed, one line a change."""
    head = _line({key: value for key, value in run.items() if key != "changes"})
    changes = ",\n".join("      " + _line(change) for change in run["changes"])
    return f'\n    {head[:-1]}, "changes": [\n{changes}\n    ]}}'


def render(report: Report) -> str:
    """The report as one text."""
    return "".join(pieces(report))


def pieces(report: Report) -> Iterator[str]:
    """The report with one line a host, so that it is quick to write and a diff names the hosts; piece by piece."""
    head = {
        "schema": REPORT_SCHEMA,
        "generated_at": report.generated_at,
        "last_run": report.last_run,
        "max_age_seconds": report.max_age,
        "headline": headline(report),
        "totals": report.totals,
        **({"coverage": report.coverage} if report.coverage else {}),
        **({"slice": report.slice._asdict()} if report.slice else {}),
        **({"slices": report.slices} if report.slices else {}),
        "notes": list(report.notes),
        "heads": [head._asdict() for head in report.heads],
        "vanished": list(report.vanished),
        "machines": report.machines(),
        "trend": [run._asdict() for run in report.trend],
    }
    lines = [f"  {written(key)}: {_line(value)},\n" for key, value in head.items()]
    lines.append(
        '  "changes": ['
        + ",".join(_run(run) for run in report.changes.runs)
        + ("\n  " if report.changes.runs else "")
        + "],\n"
    )
    yield "{\n" + "".join(lines) + '  "hosts": ['
    for number, host in enumerate(report.hosts):
        yield (",\n    " if number else "\n    ") + _line(entry(host, report.inventory))
    yield ("\n  " if report.hosts else "") + "]\n}\n"

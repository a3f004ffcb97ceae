# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as Markdown for a comment of a pull request. Private to this collection; runs on the control node."""

from __future__ import annotations

import html

from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import markdown_cell, visible
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._verdicts import (
    IDLE,
    MET,
    SETTLED,
    TABLE,
    in_camps,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._model import (
    CLOCKS,
    Host,
    Report,
    age_of,
    clock,
    connectivity,
    coverage_words,
    drifts,
    event_news,
    headline,
    toggle,
    waiver,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._remedy import steps

#: The longest comment that GitHub takes, in characters.
LIMIT = 65536
SYMBOLS = {one.name: one.symbol for one in TABLE}


def _row(host: Host) -> str:
    clocks = (clock(host, name).text for name in CLOCKS)
    texts = [host.host, *clocks, toggle(host).text, connectivity(host).text, waiver(host).text]
    cells = [f"{SYMBOLS[host.verdict]} {host.verdict}", *map(markdown_cell, texts), age_of(host)]
    return f"| {' | '.join(cells)} |\n"


def _detail(host: Host, inventory: str) -> str:
    drift = f", {host.drift} drift" if host.drift else ""
    lines = [f"{host.host}: {host.verdict}{drift}", *(f"  {reason}" for reason in host.reasons)]
    lines += [f"  warning: {text}" for text in host.warnings]
    lines += [f"  events: {text}" for text in host.events_changed]
    for step in steps(host, inventory):
        lines += [f"  {step.words} ({step.where}):", f"    $ {step.command}"] if step.command else [f"  {step.words}"]
    return "".join(f"{html.escape(visible(line))}\n" for line in lines)


def _news(report: Report, most: int = 30) -> list[str]:
    """The first sentences on events, a line each."""
    said = [f"{host.host}: {text}" for host in report.worst_first() for text in host.events_changed]
    lines = [f"{html.escape(visible(text))}\n" for text in said[:most]]
    return lines if len(said) <= most else [*lines, f"and {len(said) - most} more\n"]


def render(report: Report) -> str:
    """The report: headline, totals, a table of what is open, worst first, details folded; at most LIMIT characters."""
    head = [f"## Telemetry: {headline(report)}\n", "\n", "| verdict | hosts |\n", "|---|---|\n"]
    head += [f"| {SYMBOLS[verdict]} {verdict} | {count} |\n" for verdict, count in report.totals.items()]
    if report.coverage:
        head.append(f"\n{markdown_cell(coverage_words(report.coverage))}\n")
    if drifts(report):
        head.append(f"\n{drifts(report)}.\n")
    if event_news(report):
        head += [f"\n{html.escape(visible(event_news(report)))}.\n", "\n<pre>\n", *_news(report), "</pre>\n"]
    shown = [host for host in report.worst_first() if host.verdict not in in_camps(MET, IDLE)]
    open_hosts = [host for host in shown if host.verdict not in SETTLED]
    left = LIMIT - sum(map(len, head)) - 1200  # what stands around tables and notes
    rows: list[str] = []
    for host in shown:
        row = _row(host)
        if len(row) > left - LIMIT // 2:  # the other half is for the details
            break
        left -= len(row)
        rows.append(row)
    details: list[str] = []
    for host in open_hosts:
        text = _detail(host, report.inventory)
        if len(text) > left:
            continue
        left -= len(text)
        details.append(text)
    lines = head
    if shown:
        lines += [
            "\n",
            "| verdict | host | on_disk | next_start | running | toggle | connectivity | waiver | evidence |\n",
            "|---|---|---|---|---|---|---|---|---|\n",
            *rows,
        ]
    if len(rows) < len(shown):
        lines.append(f"\n{len(shown) - len(rows)} more hosts that are not compliant are left out of this table.\n")
    if details:
        lines += [
            "\n<details><summary>Reasons and what mends them</summary>\n\n<pre>\n",
            *details,
            "</pre>\n\n</details>\n",
        ]
    if len(details) < len(open_hosts):
        lines.append(
            f"\nThe reasons of {len(open_hosts) - len(details)} more hosts are left out; "
            "the JSON and HTML reports have them all.\n"
        )
    lines.append(f"\nMade {report.generated_at}; newest evidence from {report.last_run or 'never'}.\n")
    return "".join(lines)

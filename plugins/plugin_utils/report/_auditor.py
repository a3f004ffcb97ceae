# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report for an auditor, to be printed: scope, coverage, proofs, exceptions, what cannot be proven, signatures.

A page without a script, whose hosts are all there. Private to this collection; runs on the control node.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import jinja2

from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._age import words_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._model import (
    MEANINGS,
    Host,
    Report,
    counts_until,
    coverage_words,
    headline,
    moment,
    place,
)

_STYLE = """
html { font: 10pt/1.4 system-ui, "Liberation Sans", sans-serif; color: #000; background: #fff; }
body { margin: 0 auto; max-width: 1200px; padding: 16px; }
h1 { font-size: 18pt; } h2 { font-size: 12pt; break-after: avoid; margin: 18pt 0 4pt; }
table { border-collapse: collapse; width: 100%; } thead { display: table-header-group; }
th, td { border-bottom: 1px solid #999; padding: 2px 6px; text-align: left; vertical-align: top; }
th, td { overflow-wrap: anywhere; }
#hosts { font-size: 7.5pt; } tr { break-inside: avoid; } .why td { color: #333; padding-left: 24px; }
code { font-family: monospace; overflow-wrap: anywhere; } .sign { margin-top: 40pt; }
@page { size: A4 landscape; margin: 12mm; }
"""


def _until(host: Host, report: Report) -> str:
    """Until when the evidence of a host counts."""
    if host.aged is not None or host.sha256 is None:
        return "does not count"
    if moment(host.collected_at) is None or not host.is_as_filed:
        return "not known"
    end = counts_until(host, report.max_age)
    return f"{end:%Y-%m-%d %H:%M}" if end is not None else "no limit"


def _row(host: Host, report: Report) -> dict[str, Any]:
    entries: list[dict[str, Any]] = [dict(entry) for entry in host.installations]
    proofs = [
        f"{entry['name']}: {entry['running']}"
        + "".join(f", process {one['pid']} by {one.get('proof') or 'nothing'}" for one in entry.get("processes") or ())
        for entry in entries
    ]
    policy = host.policy
    return {
        "name": host.host,
        "verdict": host.verdict,
        "was": host.was if host.was != host.verdict else None,
        "wanted": f"telemetry {policy['desired']}, connectivity {policy['connectivity']}" if policy else "not known",
        "disk": "; ".join(
            " at ".join(filter(None, (f"{entry['name']}: {entry['on_disk']}", place(entry.get("on_disk_detail")))))
            for entry in entries
        ),
        "next": "; ".join(f"{entry['name']}: {entry['next_start']}" for entry in entries),
        "running": "; ".join(proofs),
        "reasons": "; ".join(host.reasons),
        "sha256": host.sha256 or "none",
        "collected": (host.collected_at or "not known")[:16].replace("T", " "),
        "until": _until(host, report),
    }


def render(report: Report) -> str:
    """The page as one text."""
    return "".join(pieces(report))


def _exceptions(hosts: Iterable[Host]) -> Iterator[dict[str, Any]]:
    for host in hosts:
        if host.waiver is not None:
            keys = ("reason", "approved_by", "ticket", "until")
            yield {"name": host.host, "verdict": host.verdict, **{key: host.waiver.get(key) or "–" for key in keys}}


def pieces(report: Report) -> Iterator[str]:
    """The page, piece by piece: each host's row is made when it is written."""
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["visible"] = visible
    template = environment.from_string((Path(__file__).parent / "auditor.html.j2").read_text(encoding="utf-8"))
    hosts = report.worst_first()
    style_hash = "'sha256-" + base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode() + "'"
    found = template.generate(
        report=report,
        headline=headline(report),
        made=report.generated_at[:16].replace("T", " "),
        limit=words_of(report.max_age) if report.max_age is not None else None,
        meanings=MEANINGS,
        coverage=coverage_words(report.coverage).capitalize()
        if report.coverage
        else "How many controllers there are besides these is not known here: it is a part of the inventory, or no "
        "operations center told of any.",
        count=len(hosts),
        hosts=(_row(host, report) for host in hosts),
        exceptions=_exceptions(hosts) if any(host.waiver is not None for host in hosts) else None,
        style=_STYLE,
        style_hash=style_hash,
    )
    for text in found:
        yield text.encode("utf-8", "backslashreplace").decode()
    yield "\n"

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as CSV (RFC 4180), one line an installation. Private to this collection; runs on the control node."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._model import (
    Host,
    Report,
    connectivity,
    place,
    toggle_word,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._remedy import steps

COLUMNS = (
    "host",
    "verdict",
    "installation",
    "product",
    "packaging",
    "service",
    "on_disk",
    "on_disk_at",
    "next_start",
    "running",
    "proof",
    "connectivity",
    "desired",
    "waiver_until",
    "collected_at",
    "age_seconds",
    "drift",
    "reasons",
    "mend",
    "toggle",
    "toggle_declared",
    "toggle_on_disk",
    "toggle_served",
    "senders_on",
    "senders_unknown",
)


def safe(text: object) -> str:
    """A cell that no spreadsheet takes for a formula: such a one gets an apostrophe in front."""
    shown = visible("" if text is None else str(text))
    return f"'{shown}" if re.match(r"[\s']*[=+\-@\uff0b\uff0d\uff1d\uff20]", shown) else shown


def _rows(host: Host, report: Report) -> list[list[object]]:
    paths = connectivity(host).text
    behind = [
        paths,
        host.policy.get("desired"),
        host.waiver["until"] if host.waiver else None,
        host.collected_at,
        None if host.age is None else f"{host.age:g}" if host.age < 1 else int(host.age),
        host.drift,
        " | ".join(host.reasons),
        " && ".join(
            step.command for step in steps(host, report.inventory) if step.command and step.where == "control node"
        ),
    ]
    found: list[list[object]] = []
    entries: Sequence[Mapping[str, Any]] = host.installations or [{}]
    for entry in entries:
        proofs = dict.fromkeys(process["proof"] for process in entry.get("processes") or () if process.get("proof"))
        found.append(
            [
                host.host,
                host.verdict,
                *(entry.get(key) for key in ("name", "product", "packaging", "service", "on_disk")),
                place(entry.get("on_disk_detail")),
                entry.get("next_start"),
                entry.get("running"),
                ", ".join(proofs),
                *behind,
                *_toggle(entry),
                *(
                    " ".join(one["name"] for one in entry.get("senders") or () if one["state"] == state)
                    for state in ("on", "unknown")
                ),
            ]
        )
    return found


def _toggle(entry: Mapping[str, Any]) -> list[object]:
    places: Mapping[str, Any] = entry.get("toggle") or {}
    found: list[object] = [toggle_word(entry) if places else ""]
    for name in ("declared", "on_disk", "served"):
        said = places[name]["collected"] if name in places else ""
        found.append("on" if said is True else "off" if said is False else "not set" if said is None else said)
    return found


def render(report: Report) -> str:
    """The report with the hosts worst first."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for host in report.worst_first():
        writer.writerows([safe(cell) for cell in row] for row in _rows(host, report))
    return text.getvalue()

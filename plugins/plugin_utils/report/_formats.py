# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The formats of the report with their file extensions. Private to this collection. Runs on the control node."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ansible_collections.cbops.telemetry.plugins.plugin_utils.report import (
    _csv,
    _html,
    _json,
    _junit,
    _markdown,
    _openmetrics,
    _sarif,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._model import Report

FORMATS: dict[str, tuple[str, Callable[[Report], str]]] = {
    "json": (".json", _json.render),
    "html": (".html", _html.render),
    "junit": (".junit.xml", _junit.render),
    "sarif": (".sarif", _sarif.render),
    "openmetrics": (".prom", _openmetrics.render),
    "csv": (".csv", _csv.render),
    "markdown": (".md", _markdown.render),
}


#: Those that are as long as the evidence is: of 100,000 hosts, one text of each would be more than the hosts are.
_PIECES: dict[str, Callable[[Report], Iterable[str]]] = {"json": _json.pieces, "html": _html.pieces}


def pieces(name: str, report: Report) -> Iterable[str]:
    """The same as `render`, for whoever writes it to a file."""
    return _PIECES[name](report) if name in _PIECES else [render(name, report)]


def render(name: str, report: Report) -> str:
    """The report in one of FORMATS."""
    return FORMATS[name][1](report)

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The formats of the report with their file extensions. Private to this collection. Runs on the control node."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterable
from typing import Any

from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._model import Report

_PACKAGE = "ansible_collections.cbops.telemetry.plugins.plugin_utils.report"


def _renderer(name: str) -> Any:
    """The file of a format, loaded where it is wanted: Ansible compiles what it loads anew in every run."""
    return importlib.import_module(f"{_PACKAGE}._{name}")


def _rendered(name: str, report: Report) -> str:
    return str(_renderer(name).render(report))


FORMATS: dict[str, tuple[str, Callable[[Report], str]]] = {
    name: (ending, functools.partial(_rendered, name))
    for name, ending in (
        ("json", ".json"),
        ("html", ".html"),
        ("junit", ".junit.xml"),
        ("sarif", ".sarif"),
        ("openmetrics", ".prom"),
        ("csv", ".csv"),
        ("markdown", ".md"),
        ("intoto", ".intoto.jsonl"),
        ("oscal", ".oscal.json"),
        ("auditor", ".auditor.html"),
    )
}


#: Those that are as long as the evidence is: of 100,000 hosts, one text of each would be more than the hosts are.
_PIECES = frozenset({"json", "html", "intoto", "oscal", "auditor"})


def pieces(name: str, report: Report) -> Iterable[str]:
    """The same as `render`, for whoever writes it to a file."""
    found: Iterable[str] = _renderer(name).pieces(report) if name in _PIECES else [render(name, report)]
    return found


def render(name: str, report: Report) -> str:
    """The report in one of FORMATS."""
    return FORMATS[name][1](report)

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as metrics for node_exporter's textfile collector, in OpenMetrics text. Private to this collection.

Gauges alone: the collector knows the older text format, which has neither info nor stateset. Runs on the control node.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._model import Report, clusters, moment

_PREFIX = "cbops_telemetry_"

_COLLECTED = "When the newest evidence of a host was collected; 0 where that is in the future, so not known."


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
    return f'"{escaped}"'


def _sample(name: str, labels: Mapping[str, str], value: float) -> str:
    inside = ",".join(f"{key}={_quoted(text)}" for key, text in labels.items())
    number = str(int(value)) if value == int(value) else f"{value:.3f}"
    return f"{_PREFIX}{name}{{{inside}}} {number}" if inside else f"{_PREFIX}{name} {number}"


def _family(name: str, words: str, samples: Iterable[tuple[Mapping[str, str], float]]) -> list[str]:
    lines = [_sample(name, labels, value) for labels, value in samples]
    return [f"# HELP {_PREFIX}{name} {words}", f"# TYPE {_PREFIX}{name} gauge", *lines] if lines else []


def _stamp(text: str | None) -> float:
    when = moment(text)
    return when.timestamp() if when else 0


def _coverage(report: Report) -> list[str]:
    """Controllers that are known and those of them that were audited; a ratio only where it is known who is there."""
    if not report.coverage:
        return []
    found = report.coverage
    ratio = found["percent"]
    return [
        *_family(
            "controllers",
            "Controllers that operations centers have, and how many of them were audited.",
            [({"state": state}, found[state]) for state in ("known", "audited")],
        ),
        *_family(
            "coverage_ratio",
            "The audited part of the known controllers; absent where it is not known who is there.",
            [] if ratio is None else [({}, round(ratio / 100, 4))],
        ),
    ]


def render(report: Report) -> str:
    """The report as gauges; no sample carries a time of its own, which the collector would refuse."""
    hosts = report.hosts
    # Where two paths are written alike they are one series: of two the collector would refuse the whole file.
    paths: Counter[tuple[str, str]] = Counter()
    for (via, outcome), members in sorted(clusters(hosts).items()):
        paths[visible(via), visible(outcome)] += len(members)
    last: list[tuple[dict[str, str], float]] = (
        [({}, _stamp(report.last_run))] if report.last_run or any(host.collected_at for host in hosts) else []
    )
    lines = [
        *_family(
            "hosts", "Hosts by verdict.", (({"verdict": verdict}, count) for verdict, count in report.totals.items())
        ),
        *_family(
            "host_info",
            "One a host, always 1: its verdict, product and desired state.",
            (
                (
                    {
                        "host": host.host,
                        "verdict": host.verdict,
                        "product": host.products,
                        "desired": str(host.policy.get("desired") or ""),
                    },
                    1,
                )
                for host in hosts
            ),
        ),
        # What would make an alert on old evidence wait until a wrong clock was right.
        *_family(
            "host_evidence_timestamp_seconds",
            _COLLECTED,
            (
                ({"host": host.host}, 0 if host.age is None else _stamp(host.collected_at))
                for host in hosts
                if host.collected_at
            ),
        ),
        *_family(
            "waiver_until_timestamp_seconds",
            "When the last day of a host's waiver begins (UTC).",
            (
                ({"host": host.host}, _stamp(host.waiver["until"]))
                for host in hosts
                if host.waiver and moment(host.waiver["until"])
            ),
        ),
        *_family(
            "connectivity_hosts",
            "Hosts by path to the telemetry endpoint and outcome of the probe.",
            (({"via": via, "outcome": outcome}, count) for (via, outcome), count in paths.items()),
        ),
        *_family(
            "max_age_seconds",
            "How old evidence may be (telemetry_max_age), until a host's verdict is stale.",
            [({}, report.max_age)] if report.max_age is not None else [],
        ),
        *_family(
            "chain_head",
            "The sequence of each manifest that no other follows.",
            [({"run_id": visible(head.run_id), "sha256": head.sha256}, head.sequence) for head in report.heads],
        ),
        *_coverage(report),
        *_family(
            "slice_info",
            "Always 1, and there where these are the hosts of one slice of several alone.",
            [({key: str(value or "") for key, value in report.slice._asdict().items()}, 1)] if report.slice else [],
        ),
        *_family("last_run_timestamp_seconds", "When the newest evidence of the fleet was collected.", last),
        *_family("report_timestamp_seconds", "When this report was made.", [({}, _stamp(report.generated_at))]),
        "# EOF",
    ]
    return "\n".join(lines) + "\n"

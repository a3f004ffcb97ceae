# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as JUnit XML: one test case a host. Private to this collection; runs on the control node."""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape, quoteattr

from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._verdicts import BY_NAME, EXCUSED, IDLE, UNSEEN
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._model import Host, Report, age_of, coverage_words
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._remedy import steps


def outcome(verdict: str, fail_on: object) -> str:
    """The element that a verdict becomes: what was not seen is an error, what was seen and fails is a failure."""
    if isinstance(fail_on, (list, tuple)) and verdict in fail_on:
        return "error" if BY_NAME[verdict].camp == UNSEEN else "failure"
    if verdict == "unreachable":
        return "error"
    return "skipped" if BY_NAME[verdict].camp in (EXCUSED, IDLE) else ""


def element_of(host: Host, fail_on: object) -> str:
    """The element of a host: old evidence fails by what its verdict was, too."""
    found = {outcome(verdict, fail_on) for verdict in host.counts_as if isinstance(fail_on, list | tuple)}
    shown = outcome(host.verdict, fail_on)
    return shown if shown in ("failure", "error") or found.isdisjoint(("failure", "error")) else "error"


def _case(host: Host, report: Report) -> str:
    reasons = [visible(reason) for reason in host.reasons]
    mend = [
        f"{step.words} ({step.where}): {step.command}" if step.command else step.words
        for step in steps(host, report.inventory)
    ]
    said = "\n".join(
        [
            f"verdict: {host.verdict}",
            f"evidence: {age_of(host)} old"
            if host.age is not None
            else f"evidence: its age is not known ({host.collected_at})"
            if host.collected_at
            else "evidence: none",
            *reasons,
            *(f"warning: {visible(text)}" for text in host.warnings),
            *map(visible, mend),
        ]
    )
    element = element_of(host, report.fail_on)
    body = ""
    if element:
        message = quoteattr(f"{host.verdict}: {reasons[0] if reasons else host.verdict}")
        text = "" if element == "skipped" else escape("\n".join([*reasons, *map(visible, mend)]))
        body = f'<{element} type="{host.verdict}" message={message}>{text}</{element}>'
    return (
        f'    <testcase classname="cbops.telemetry" name={quoteattr(visible(host.host))} time="0">{body}'
        f"<system-out>{escape(said)}</system-out></testcase>\n"
    )


def render(report: Report) -> str:
    """The report with the hosts worst first."""
    counts: Mapping[str, int] = {
        element: sum(element_of(host, report.fail_on) == element for host in report.hosts)
        for element in ("failure", "error", "skipped")
    }
    numbers = f'tests="{len(report.hosts)}" failures="{counts["failure"]}" errors="{counts["error"]}"'
    stamp = report.generated_at.split(".")[0].rstrip("Z")
    properties = "".join(
        f'      <property name="{verdict}" value="{count}"/>\n' for verdict, count in report.totals.items()
    )
    if report.slice:
        properties += f'      <property name="slice" value={quoteattr(report.slice.words())}/>\n'
    if report.coverage:
        figures = {"coverage": coverage_words(report.coverage).partition(": ")[2]}
        figures.update({f"coverage_{key}": str(report.coverage[key]) for key in ("audited", "known")})
        properties += "".join(
            f'      <property name="{name}" value={quoteattr(visible(text))}/>\n' for name, text in figures.items()
        )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<testsuites name="cbops.telemetry" {numbers} time="0">\n'
        f'  <testsuite name="cbops.telemetry" {numbers} skipped="{counts["skipped"]}" timestamp="{stamp}" '
        'time="0">\n'
        f"    <properties>\n{properties}    </properties>\n"
        + "".join(_case(host, report) for host in report.worst_first())
        + "  </testsuite>\n</testsuites>\n"
    )

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as SARIF 2.1.0: one result for each host on which something is open, waived ones suppressed.

Private to this collection; runs on the control node.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
import urllib.parse
from typing import Any

from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible, visible_json
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._reading import written
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._verdicts import TABLE
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._manual import PAGE
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._model import MEANINGS, Host, Place, Report, places
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._remedy import steps

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
HOME = "https://github.com/cbops/telemetry"

#: The rules, one a verdict on which something is open: SARIF's level, and what to do.
RULES = {one.name: (one.sarif, one.remedy) for one in TABLE if one.sarif}


def _rule(verdict: str) -> dict[str, Any]:
    level, help_text = RULES[verdict]
    return {
        "id": verdict,
        "name": "Telemetry" + "".join(part.capitalize() for part in verdict.split("_")),
        "shortDescription": {"text": f"Telemetry: {MEANINGS[verdict]}"},
        "fullDescription": {"text": f"The audit's verdict on a host is {verdict}: {MEANINGS[verdict]}."},
        "help": {"text": help_text.replace("`", ""), "markdown": help_text},
        "helpUri": f"{PAGE}#verdict-{verdict}",
        "defaultConfiguration": {"level": level},
    }


def _location(host: Host) -> list[dict[str, Any]]:
    """Where to look, as HOST/path below the base FLEET; a host of which no file is known stands for itself."""
    found = []
    for file, line, installation in places(host) or [Place("", None, "")]:
        # Without ``..``, by which a file of one host would stand for one of another.
        parts = [host.host, *filter(None, posixpath.normpath(f"/{file}").split("/"))]
        uri = "/".join(urllib.parse.quote(part.encode("utf-8", "surrogatepass"), safe="") for part in parts)
        physical: dict[str, Any] = {"artifactLocation": {"uri": uri, "uriBaseId": "FLEET"}}
        if line:
            physical["region"] = {"startLine": line}
        name = f"{host.host}/{installation}" if installation else host.host
        found.append(
            {
                "physicalLocation": physical,
                "logicalLocations": [
                    {"name": installation or host.host, "fullyQualifiedName": name, "kind": "resource"}
                ],
            }
        )
    return found


def _plain(text: str) -> str:
    """Text of one line for a message, in which ``[text](target)`` would be a link (SARIF 2.1.0, 3.11.6)."""
    return re.sub(r"[\\\[\]]", r"\\\g<0>", visible(text))


def _result(host: Host, number: int, inventory: str) -> dict[str, Any]:
    reasons = list(host.reasons) or [MEANINGS[host.verdict]]
    commands = [step.command for step in steps(host, inventory) if step.command]
    result: dict[str, Any] = {
        "ruleId": host.verdict,
        "ruleIndex": number,
        "level": RULES[host.verdict][0],
        "message": {"text": f"{_plain(host.host)}: " + "\n".join(map(_plain, reasons))},
        "locations": _location(host),
        "partialFingerprints": {
            "hostVerdict/v1": hashlib.sha256(
                f"{host.host}\0{host.verdict}".encode("utf-8", "surrogatepass")
            ).hexdigest()[:32]
        },
        "properties": {
            "host": host.host,
            "verdict": host.verdict,
            "collectedAt": host.collected_at,
            "ageSeconds": host.age,
            "mend": commands,
        },
    }
    if host.verdict == "waived" and host.waiver is not None:
        waiver = host.waiver
        ticket = f", {waiver['ticket']}" if waiver.get("ticket") else ""
        result["suppressions"] = [
            {
                "kind": "external",
                "status": "accepted",
                "justification": f"{waiver['reason']} (approved by {waiver['approved_by']}, until {waiver['until']}"
                f"{ticket})",
                "properties": dict(waiver),
            }
        ]
    return result


def render(report: Report) -> str:
    """The report with one line a result; the totals of all verdicts stand in the run's properties."""
    order = list(RULES)
    results = [
        _result(host, order.index(host.verdict), report.inventory)
        for host in report.worst_first()
        if host.verdict in RULES
    ]
    head = {
        "tool": {
            "driver": {
                "name": "cbops.telemetry",
                "informationUri": HOME,
                "rules": [_rule(verdict) for verdict in order],
            }
        },
        "originalUriBaseIds": {"FLEET": {"description": {"text": "The files of the managed hosts, as HOST/path"}}},
        "invocations": [{"executionSuccessful": True, "endTimeUtc": report.generated_at}],
        "columnKind": "utf16CodeUnits",
        "properties": {
            "totals": report.totals,
            **({"coverage": report.coverage} if report.coverage else {}),
            **({"slice": report.slice._asdict()} if report.slice else {}),
        },
    }
    text, *lines_of = (visible_json(written(part)) for part in (head, *results))
    lines = ",\n".join(lines_of)
    return f'{{"$schema": "{SCHEMA}", "version": "2.1.0", "runs": [\n{text[:-1]}, "results": [\n{lines}\n]}}\n]}}\n'

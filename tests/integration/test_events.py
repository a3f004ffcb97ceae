"""Events on the fleet: an upgraded plugin adds one, and the next report shows it."""

from __future__ import annotations

import base64
import difflib
import json
from pathlib import Path
from typing import Any

from fleethand import Fleet
from plugin_archives import JAVAC, NAMES, compiled, entries_of, plugin

HOST = "bookworm-cm-deb"
HOSTS = (HOST,)
PLUGINS = "/var/lib/cloudbees-core-cm/plugins"
MORE = """package demo;
import com.cloudbees.analytics.gatherer.Gathering;
import com.cloudbees.analytics.messages.*;
public class More implements Gathering {
    @AnalyticsEvent(summary = "New in this version.") static final String EVENT = Prefix.EVENT + "more";
}
"""


def put(fleet: Fleet, name: str, data: bytes) -> None:
    """A plugin as the service's user has it."""
    text = base64.b64encode(data).decode()
    fleet.shell(HOST, f"echo {text} | base64 -d >{PLUGINS}/{name}; chown cloudbees-core-cm: {PLUGINS}/{name}")


def changed_rows(before: str, after: str) -> tuple[list[str], list[str]]:
    """What a diff adds and what it takes, row by row; without the commas of a row that is not the last any more."""
    found = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    return tuple([row[2:].strip() for row in found if row.startswith(f"{sign} ")] for sign in "+-")  # type: ignore[return-value]


def test_an_upgrade_adds_an_event(fleet: Fleet, tmp_path: Path) -> None:
    """Without telemetry_events nothing of it is read; with it the report names what the upgrade brought, once."""
    fleet.shell(HOST, f"install -d -o cloudbees-core-cm -g cloudbees-core-cm {PLUGINS}")
    versions = {
        "1.0": entries_of(compiled(tmp_path / "old", JAVAC[0], "CLASS")),
        "1.1": entries_of(compiled(tmp_path / "new", JAVAC[0], "CLASS", more={"demo/More.java": MORE})),
    }
    put(fleet, "demo.jpi", plugin("demo", "1.0", versions["1.0"]))
    quiet = fleet.play("audit", inventory=fleet.inventory({HOST: {}}))
    assert "events" not in quiet.report["hosts"][0]["state"]["installations"][0]

    inventory, reports = fleet.inventory({HOST: {}}, telemetry_events="disk"), tmp_path / "reports"

    def audited() -> tuple[dict[str, Any], str]:
        """The host in the report of an audit that files where the one before did, and what was shown."""
        formats = '{"telemetry_report_formats": ["json", "html", "markdown"]}'
        done = fleet.play("audit", "-e", f"telemetry_reports_dir={reports}", "-e", formats, inventory=inventory)
        return json.loads((reports / "audit.json").read_text())["hosts"][0], done.output

    first, _shown = audited()
    found = first["state"]["installations"][0]["events"]
    assert found["mark"] == "seen" and found["unread"] == []
    [row] = [one for one in found["plugins"] if one["plugin"] == "demo"]
    assert {event["name"] for event in row["events"]} == NAMES | {None} and row["version"] == "1.0"
    assert "events_changed" not in first, "before, nobody had asked"

    before = (reports / "evidence" / f"{HOST}.json").read_text()
    put(fleet, "demo.jpi", plugin("demo", "1.1", versions["1.1"]))
    second, shown = audited()
    # In the evidence it is a few lines of `git diff`: sorted, so that all other events stay where they are.
    after = (reports / "evidence" / f"{HOST}.json").read_text()
    more, less = changed_rows(before, after)
    assert '"name": "example event: more",' in more and '"version": "1.1"' in more and '"version": "1.0"' in less
    assert not [row for row in less if row.startswith(('"name"', '"kind"', '"field"', '"summary"'))], less
    for said in ((reports / "audit.html").read_text(), (reports / "audit.md").read_text()):
        assert "an event is new: example event: more (of demo 1.1)" in said
    told = "cloudbees-core-cm: an event is new: example event: more (of demo 1.1)"
    assert second["events_changed"] == [told] and second["drift"] == "corrective"
    assert told in shown
    third, shown = audited()
    assert "events_changed" not in third and told not in shown

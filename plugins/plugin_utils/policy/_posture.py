# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The posture of a host: what its setting, its running JVMs and the network say together, in one sentence.

No verdict: it knows of no policy. Private to this collection. Runs on the control node.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.cbops.telemetry.plugins.module_utils.rules._findings import disagreements, egress_of, sending
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._documents import Installation, State
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._senders import beside

#: What the files say, what runs, and what the probe saw, in words of this page.
SETTINGS = ("off", "on", "mixed", "unknown")
RUNNING = ("off", "on", "mixed", "stopped", "unknown")
EGRESS = ("open", "proxy_only", "blocked", "unclear", "not_probed")

_STATES = {
    ("off", "off"): "Telemetry is off in the files and in what runs",
    ("off", "on"): "Telemetry is off in the files, but still on in what runs until it is restarted",
    ("off", "mixed"): "Telemetry is off in the files, but still on in some of what runs until it is restarted",
    ("off", "stopped"): "Telemetry is off in the files and nothing runs",
    ("off", "unknown"): "Telemetry is off in the files, but what runs could not be seen",
    ("on", "off"): "Telemetry is on in the files and comes on at the next restart, though it is off in what runs",
    ("on", "on"): "Telemetry is on in the files and in what runs",
    ("on", "mixed"): "Telemetry is on in the files and in some of what runs",
    ("on", "stopped"): "Telemetry is on in the files and nothing runs",
    ("on", "unknown"): "Telemetry is on in the files, but what runs could not be seen",
    ("mixed", "off"): "The installations of this host disagree in their files, though telemetry is off in what runs",
    ("mixed", "on"): "The installations of this host disagree in their files, and telemetry is on in what runs",
    ("mixed", "mixed"): "The installations of this host disagree, in their files and in what runs",
    ("mixed", "stopped"): "The installations of this host disagree in their files and nothing runs",
    ("mixed", "unknown"): "The installations of this host disagree in their files, and what runs could not be seen",
    ("unknown", "off"): "Telemetry is off in what runs, but what the files say could not be resolved",
    ("unknown", "on"): "Telemetry is on in what runs, and what the files say could not be resolved",
    ("unknown", "mixed"): "Telemetry is on in some of what runs, and what the files say could not be resolved",
    ("unknown", "stopped"): "Nothing runs, and what the files say could not be resolved",
    ("unknown", "unknown"): "Neither what the files say nor what runs could be seen",
}

#: By whether telemetry is on anywhere (on), off everywhere that was seen (off), or not known.
_NETWORK = {
    ("off", "open"): "the endpoint is open to it all the same, so the flag alone holds events back",
    ("off", "proxy_only"): "a proxy would get through to the endpoint all the same",
    ("off", "blocked"): "the endpoint is blocked as well",
    ("off", "unclear"): "whether the endpoint is open to it is not clear",
    ("off", "not_probed"): "the endpoint was not probed",
    ("on", "open"): "the endpoint is open to it",
    ("on", "proxy_only"): "only a proxy gets through to the endpoint, of which nobody knows whether the plugin uses it",
    ("on", "blocked"): "the endpoint is blocked, so events have no way out that was seen",
    ("on", "unclear"): "whether the endpoint is open to it is not clear",
    ("on", "not_probed"): "the endpoint was not probed",
    ("unknown", "open"): "the endpoint is open to it",
    ("unknown", "proxy_only"): "a proxy gets through to the endpoint",
    ("unknown", "blocked"): "the endpoint is blocked",
    ("unknown", "unclear"): "whether the endpoint is open to it is not clear",
    ("unknown", "not_probed"): "the endpoint was not probed",
}

_SECOND = "a second sender, cloudbees-license-tracker, is installed, of which nobody knows whether the flag covers it"


def sentence(setting: str, running: str, egress: str, second_sender: bool = False) -> str:
    """The sentence for one combination. ``second_sender`` says that another plugin was seen that may send."""
    seen = {setting, running}
    effect = "on" if seen & {"on", "mixed"} else "unknown" if "unknown" in seen else "off"
    parts = [_STATES[setting, running], _NETWORK[effect, egress], *([_SECOND] if second_sender else [])]
    return "; ".join(parts) + "."


def _one(values: Sequence[str], words: Mapping[str, str]) -> str:
    """One word for several installations: what is not known outweighs what disagrees."""
    found = {words.get(value, "unknown") for value in values}
    if len(found) == 1:
        return found.pop()
    return "unknown" if "unknown" in found else "mixed"


def setting_of(installations: Sequence[Installation]) -> str:
    """One of :data:`SETTINGS`."""
    return _one([entry["on_disk"] for entry in installations], {"disabled": "off", "enabled": "on"})


def running_of(installations: Sequence[Installation]) -> str:
    """One of :data:`RUNNING`; a stopped one beside others does not count."""
    values: list[str] = [entry["running"] for entry in installations]
    alive = [value for value in values if value != "not_running"] or values
    return _one(alive, {"disabled": "off", "enabled": "on", "mixed": "mixed", "not_running": "stopped"})


def second_sender_of(installations: Sequence[Installation]) -> bool:
    """True where cloudbees-license-tracker was seen."""
    details: list[Mapping[str, Any]] = [
        ((entry.get("settings") or {}).get("details") or {}).get("license_tracker_plugin") or {}
        for entry in installations
    ]
    return any(detail.get("state") in ("seen", "enabled") for detail in details)


def has_toggle(entry: Installation) -> bool:
    """True where a place of CloudBees' own checkbox was seen to say something."""
    places: Mapping[str, Any] = entry.get("toggle") or {}
    return any(isinstance(place["collected"], bool) for place in places.values())


def toggle_words(entry: Installation) -> str:
    """What CloudBees' own checkbox and the JVM of an installation come to, and where their places disagree."""
    return f"{entry['name']}: {'; '.join([sending(entry), *disagreements(entry)])}."


def posture(state: State) -> str | None:
    """The sentence for a state document; None where no product is installed."""
    installations = state.get("installations") or []
    if not installations:
        return None
    said = sentence(
        setting_of(installations),
        running_of(installations),
        egress_of(state.get("connectivity") or []),
        second_sender_of(installations),
    )
    toggles = [toggle_words(entry) for entry in installations if has_toggle(entry)]
    return " ".join([said, *toggles, *filter(None, map(beside, installations))])


def page() -> str:
    """The table of docs/posture.md: every combination without a second sender."""
    lines = ["| files | running | endpoint | sentence |", "|---|---|---|---|"]
    lines += [
        f"| {setting} | {running} | {egress} | {sentence(setting, running, egress)} |"
        for setting in SETTINGS
        for running in RUNNING
        for egress in EGRESS
    ]
    return "\n".join(lines) + "\n"

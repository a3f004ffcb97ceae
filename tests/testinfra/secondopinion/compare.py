"""What an audit's report says of an installation, against what was read here. Only what both claim to know counts."""

from __future__ import annotations

from .facts import TRUE, UNKNOWN, Facts, Process
from .homes import SENDERS, Home
from .policy import NAMED, Switch

HAZELCAST = NAMED["hazelcast_phone_home"][0]
#: An audit's words for a clock, as far as they are a claim.
CLOCKS = {"disabled": True, "enabled": False}


def running(found: Facts, switch: Switch) -> list[Process]:
    """What runs, with what a variable of its environment turns off as well."""
    if switch.name == HAZELCAST:
        for one in found.processes:
            if one.variable == "false":
                one.flag = TRUE
    return found.processes


def contradictions(entry: dict, home: Home, found: Facts, with_events: bool) -> list[str]:
    """Sentences, one for each."""
    out = []

    def hold(what: str, told, seen) -> None:
        if "unknown" not in (told, seen) and told != seen:
            out.append(f"{what}: the report says {_word(told)}, and here it is {_word(seen)}")

    toggle = entry.get("toggle") or {}
    for name, seen in (("declared", home.declared), ("on_disk", home.on_disk)):
        if name in toggle:
            hold(f"the toggle, {name.replace('_', ' ')}", toggle[name].get("collected"), seen.value)
    settings = entry.get("settings") or {}
    if "no_usage_statistics" in settings:
        hold("noUsageStatistics", settings["no_usage_statistics"], home.core_off)
    for one in entry.get("senders") or []:
        plugins = SENDERS.get(one["name"])
        if plugins and home.listed:
            there = any(name in home.plugins for name in plugins)
            hold(f"the plugin of {one['name']}", one["presence"], "present" if there else "absent")
            if there and one["state"] == "off" and one["name"] in ("license_tracker", "unify", "platform_insights"):
                if not all(home.plugins[name] for name in plugins if name in home.plugins):
                    out.append(f"{one['name']}: the report says off, and its plugin is there and not disabled")
    for one in entry.get("switches") or []:
        if one.get("kind") == "environment":
            _variable(one, found, hold)
            continue
        other = found.switches.get(one["name"])
        if other is not None:
            _switch(entry, one, other, hold)
    if with_events and "events" in entry and not home.unread:
        _events(entry["events"], home, out)
    return out


def _switch(entry: dict, told: dict, found: Facts, hold) -> None:
    """The next start by name of the service; what runs, by process."""
    for one in found.installations:
        if one.name.removesuffix(".service") == entry.get("name") and one.flag != UNKNOWN and told["name"] != HAZELCAST:
            hold(f"{told['name']}, next start", CLOCKS.get(told["on_disk"], "unknown"), one.flag == TRUE)
    seen = {int(one.pid): one.flag for one in found.processes if one.flag != UNKNOWN}
    for jvm in told.get("processes") or []:
        if jvm["pid"] in seen and told["name"] != HAZELCAST:
            hold(f"{told['name']}, process {jvm['pid']}", CLOCKS.get(jvm["state"], "unknown"), seen[jvm["pid"]] == TRUE)


def _variable(told: dict, found: Facts, hold) -> None:
    """What runs, by process: the environment of a next start is not read here."""
    switch = Switch(told["name"], told["off_value"], environment=True)
    seen = {
        int(one.pid): switch.is_off(one.environment.get(switch.name))
        for one in found.processes
        if one.environment is not None
    }
    for jvm in told.get("processes") or []:
        if seen.get(jvm["pid"]) is not None:
            hold(f"{told['name']}, process {jvm['pid']}", CLOCKS.get(jvm["state"], "unknown"), seen[jvm["pid"]])


def _events(told: dict, home: Home, out: list[str]) -> None:
    folder = f"{home.path}/plugins/"
    claimed = {
        (event["kind"], event["name"])
        for plugin in told.get("plugins") or []
        for event in plugin.get("events") or []
        if event.get("mark") == "seen"
        and event.get("name") is not None
        and (event.get("file") or plugin.get("file") or folder).startswith(folder)
    }
    for kind, name in sorted(home.events - claimed):
        out.append(f"the report does not have this {kind}: {name[:100]!r}")
    for kind, name in sorted(claimed - home.events):
        out.append(f"no plugin here names this {kind}, and the report has it: {name[:100]!r}")


def _word(value) -> str:
    return {True: "true", False: "false", None: "nothing"}.get(value, str(value))

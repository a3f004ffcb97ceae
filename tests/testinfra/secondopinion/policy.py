"""What the inventory asks of a host, and how a test says that it is not so: telemetry_desired, telemetry_toggle,
telemetry_switches, telemetry_connectivity, telemetry_waiver, telemetry_launch_scripts."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass, field

DESIRED = ("disabled", "enabled", "unmanaged")
CONNECTIVITY = ("required", "forbidden", "ignored")
#: Switches that have a name: the property, and the value with which nothing is sent.
NAMED = {
    "core_usage_statistics": ("hudson.model.UsageStatistics.disabled", "true"),
    "core_telemetry": ("hudson.model.UsageStatistics.disabled", "true"),
    "hazelcast_phone_home": ("hazelcast.phone.home.enabled", "false"),
}


#: The variable of the environment by which one of them is turned off as well.
VARIABLES = {"hazelcast_phone_home": "HZ_PHONE_HOME_ENABLED"}
#: What a variable may say, each with the contrary.
WORDS = {"true": "false", "1": "0", "yes": "no", "on": "off"}
WORDS.update({contrary: word for word, contrary in WORDS.items()})


@dataclass(frozen=True)
class Switch:
    """A property, or a variable of the environment, that is policy like the flag."""

    name: str
    off: str
    desired: str = "disabled"
    environment: bool = False

    @property
    def option(self) -> str:
        return f"{'' if self.environment else '-D'}{self.name}={self.off}"

    def is_off(self, value: str | None) -> bool | None:
        """What the value of a variable means; None where nobody knows."""
        if value == self.off:
            return True
        return False if value in (None, WORDS[self.off]) else None


@dataclass
class Policy:
    desired: str = ""
    connectivity: str = "ignored"
    toggle: str = "unmanaged"
    switches: list = field(default_factory=list)
    events: bool = False
    launch_scripts: list = field(default_factory=list)
    waiver: str = ""  # the sentence to show while a waiver is valid
    remarks: list = field(default_factory=list)  # a waiver that does not count, and why
    problems: list = field(default_factory=list)  # policy that cannot be understood


def read(variables: dict, today: datetime.date | None = None, default_desired: str | None = None) -> Policy:
    policy = Policy()
    desired = variables.get("telemetry_desired", default_desired)
    if desired in DESIRED:
        policy.desired = str(desired)
    elif desired is None:
        policy.problems.append(
            "the inventory sets no telemetry_desired for this host: set it to disabled, enabled or unmanaged"
            " (or give --telemetry-desired)"
        )
    else:
        policy.problems.append("telemetry_desired must be disabled, enabled or unmanaged")
    connectivity = variables.get("telemetry_connectivity") or ("required" if desired == "enabled" else "ignored")
    if connectivity in CONNECTIVITY:
        policy.connectivity = str(connectivity)
    else:
        policy.problems.append("telemetry_connectivity must be required, forbidden or ignored")
    toggle = variables.get("telemetry_toggle") or "unmanaged"
    if toggle in DESIRED:
        policy.toggle = str(toggle)
    else:
        policy.problems.append("telemetry_toggle must be disabled, enabled or unmanaged")
    policy.events = variables.get("telemetry_events") in ("disk", "served")
    _switches(policy, variables.get("telemetry_switches") or {})
    scripts = variables.get("telemetry_launch_scripts") or []
    if isinstance(scripts, (list, tuple)) and all(isinstance(one, str) and one.startswith("/") for one in scripts):
        # Behind a path stand the arguments that the script is started with; every branch of it is read here anyway.
        paths = [re.split(r"(?<!\\)\s+", one)[0].replace("\\", "") for one in scripts]
        policy.launch_scripts = list(dict.fromkeys(paths))
    else:
        policy.problems.append("telemetry_launch_scripts must be a list of absolute paths")
    _waiver(policy, variables.get("telemetry_waiver"), today or datetime.datetime.now(datetime.timezone.utc).date())
    return policy


def _switches(policy: Policy, wanted) -> None:
    if not isinstance(wanted, dict):
        policy.problems.append("telemetry_switches must be a mapping of names")
        return
    for key, value in wanted.items():
        told = value if isinstance(value, dict) else {"desired": value}
        if told.get("kind") == "environment" or key in VARIABLES.values():
            _variable(policy, str(key), told)
            continue
        name, off = NAMED.get(key, (str(key), told.get("off_value")))
        if told.get("desired") not in DESIRED or str(off).lower() not in ("true", "false"):
            policy.problems.append(f"telemetry_switches: {key} needs desired, and off_value where it is your own")
        elif not re.fullmatch(r"[A-Za-z_$][\w$.-]*", name):
            policy.problems.append("telemetry_switches: one of them is no name of a property")
        elif told["desired"] != "unmanaged" and policy.desired != "unmanaged":
            policy.switches.append(Switch(name, str(off).lower(), told["desired"]))
    policy.switches = list(dict.fromkeys(policy.switches))


def _variable(policy: Policy, key: str, told: dict) -> None:
    name, off = VARIABLES.get(key, key), str(told.get("off_value", "false" if key in VARIABLES else ""))
    off = "false" if name in VARIABLES.values() else off
    if told.get("desired") not in DESIRED or off not in WORDS or not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
        policy.problems.append(f"telemetry_switches: {key} needs the name of a variable, desired and off_value")
    elif told["desired"] != "unmanaged" and policy.desired != "unmanaged":
        policy.switches.append(Switch(name, off, told["desired"], True))


def _waiver(policy: Policy, waiver, today: datetime.date) -> None:
    if not waiver:
        return
    if not isinstance(waiver, dict):
        policy.remarks.append("telemetry_waiver is not a mapping of until, reason and approved_by: it does not count")
        return
    missing = [key for key in ("until", "reason", "approved_by") if not waiver.get(key)]
    if missing:
        policy.remarks.append(f"telemetry_waiver has no {', '.join(missing)}: it does not count")
        return
    try:
        until = datetime.date.fromisoformat(str(waiver["until"])[:10])
    except ValueError:
        policy.remarks.append("telemetry_waiver.until is not a date (YYYY-MM-DD): it does not count")
        return
    if until < today:
        policy.remarks.append(f"the waiver ended on {until}: renew it or comply")
        return
    policy.waiver = f"waived until {until}: {waiver['reason']} (approved by {waiver['approved_by']})"

"""What the inventory asks of a host, and how a test says that it is not so: telemetry_desired,
telemetry_connectivity, telemetry_waiver, telemetry_launch_scripts."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass, field

DESIRED = ("disabled", "enabled", "unmanaged")
CONNECTIVITY = ("required", "forbidden", "ignored")


@dataclass
class Policy:
    desired: str = ""
    connectivity: str = "ignored"
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
    scripts = variables.get("telemetry_launch_scripts") or []
    if isinstance(scripts, (list, tuple)) and all(isinstance(one, str) and one.startswith("/") for one in scripts):
        # Behind a path stand the arguments that the script is started with; every branch of it is read here anyway.
        paths = [re.split(r"(?<!\\)\s+", one)[0].replace("\\", "") for one in scripts]
        policy.launch_scripts = list(dict.fromkeys(paths))
    else:
        policy.problems.append("telemetry_launch_scripts must be a list of absolute paths")
    _waiver(policy, variables.get("telemetry_waiver"), today or datetime.datetime.now(datetime.timezone.utc).date())
    return policy


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

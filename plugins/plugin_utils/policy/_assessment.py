# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policy against state: checks the ``telemetry_*`` variables of a host and gives its verdict.

Private to this collection. Runs on the control node.
"""

from __future__ import annotations

import datetime
import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.cbops.telemetry.plugins.module_utils.probe._spec import CONFIGURED, DIRECT
from ansible_collections.cbops.telemetry.plugins.module_utils.rules import _findings as rules
from ansible_collections.cbops.telemetry.plugins.plugin_utils._showing import cut
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy import _senders as senders
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._access import access_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._age import MAX_AGE, max_age_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._documents import (
    Evidence,
    Installation,
    PolicyDocument,
    State,
    WaiverDocument,
    installations_of,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._other_changes import KINDS
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._switches import (
    Switch,
    from_documents,
    switches_of,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._verdicts import (
    DOWN,
    IDLE,
    MET,
    VERDICTS,
    in_camps,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._window import window_of

DESIRED = ("disabled", "enabled", "unmanaged")
CONNECTIVITY = ("required", "forbidden", "ignored")
RESTART = ("never", "when_idle", "now")
ATTACH = ("auto", "never")
EVENTS = ("never", "disk", "served")
EXPECT = ("", "present")
TOGGLE = ("unmanaged", "disabled", "enabled")

#: Every variable that users may set; anything else that begins with ``telemetry_`` is a mistake.
VARIABLES = (
    "telemetry_desired",
    "telemetry_connectivity",
    "telemetry_toggle",
    "telemetry_toggle_served",
    "telemetry_waiver",
    "telemetry_waiver_max_days",
    "telemetry_waiver_warn_days",
    "telemetry_restart",
    "telemetry_launch_scripts",
    "telemetry_launch_templates",
    "telemetry_attach",
    "telemetry_switches",
    "telemetry_senders",
    "telemetry_threads",
    "telemetry_events",
    "telemetry_expect",
    "telemetry_carrier",
    "telemetry_host_limit",
    "telemetry_sweep",
    "telemetry_sweep_connections",
    "telemetry_sweep_per_place",
    "telemetry_sweep_limit",
    "telemetry_endpoint",
    "telemetry_probe_timeout",
    "telemetry_probe_via",
    "telemetry_probe_http",
    "telemetry_probe_count",
    "telemetry_probe_endpoints",
    "telemetry_prove_timeout",
    "telemetry_public_authorities",
    "telemetry_backup",
    "telemetry_backup_count",
    "telemetry_backup_days",
    "telemetry_daemon_reload",
    "telemetry_restart_timeout",
    "telemetry_settle",
    "telemetry_restart_group",
    "telemetry_restart_serial",
    "telemetry_restart_window",
    "telemetry_restart_allow",
    "telemetry_max_failures",
    "telemetry_idle_timeout",
    "telemetry_url",
    "telemetry_user",
    "telemetry_token",
    "telemetry_ca_file",
    "telemetry_allow_http",
    "telemetry_controllers",
    "telemetry_plan",
    "telemetry_undo_run",
    "telemetry_reports_dir",
    "telemetry_report_name",
    "telemetry_report_formats",
    "telemetry_report_history",
    "telemetry_evidence_dirs",
    "telemetry_newer_than",
    "telemetry_max_age",
    "telemetry_fail_on",
    "telemetry_fail_hosts",
    "telemetry_signing_key",
    "telemetry_set_stats",
    "telemetry_hosts",
    "telemetry_operations_centers",
    "telemetry_min_coverage",
    "telemetry_installations",
    "telemetry_slice",
)

#: Variables that are yes or no, and those that are whole numbers, from the least to the most. `-e` and INI inventories
#: give them as text, which the playbooks and their conditions take as it is meant.
SWITCHES = (
    "telemetry_toggle_served",
    "telemetry_allow_http",
    "telemetry_backup",
    "telemetry_daemon_reload",
    "telemetry_probe_http",
    "telemetry_set_stats",
    "telemetry_fail_hosts",
    "telemetry_senders",
    "telemetry_threads",
)
NUMBERS = {
    "telemetry_max_failures": (0, 99999, "restarts"),
    "telemetry_backup_count": (0, 99999, "backups"),
    "telemetry_backup_days": (0, 99999, "days"),
    "telemetry_restart_timeout": (1, 86400, "seconds"),
    "telemetry_settle": (0, 86400, "seconds"),
    "telemetry_idle_timeout": (0, 99999, "seconds"),
    "telemetry_probe_count": (1, 100, "connections"),
    "telemetry_sweep_connections": (1, 1000, "connections"),
    "telemetry_sweep_per_place": (1, 1000, "connections"),
    "telemetry_prove_timeout": (5, 60, "seconds"),
}
#: Those that need not be whole: from what on, up to what, and in words.
SECONDS = {
    "telemetry_sweep_limit": (1, 3600, "from 1 to 3600"),
    "telemetry_probe_timeout": (5e-324, 60, "more than 0 and at most 60"),
}

#: Variables that are text. A number is taken for one, as Ansible takes it.
TEXTS = (
    "telemetry_url",
    "telemetry_user",
    "telemetry_token",
    "telemetry_ca_file",
    "telemetry_restart_group",
    "telemetry_plan",
    "telemetry_public_authorities",
)
CARRIER = ("auto", "pipe", "module")
SWEEP = ("auto", "never")

#: How many days from today a waiver may reach, and how many before its end it is warned of.
WAIVER_MAX_DAYS = 365
WAIVER_WARN_DAYS = 14


#: Seconds in which a host that is asked alone must have answered: more than it takes for an edit (see host/_limits).
HOST_LIMIT = 150
LONGEST_HOST_LIMIT = 3600


def totals_of(verdicts: Iterable[str]) -> dict[str, int]:
    """How often each verdict stands there, all of them named."""
    totals = dict.fromkeys(VERDICTS, 0)
    for verdict in verdicts:
        totals[verdict] += 1
    return totals


def totals_by_machine(found: Iterable[tuple[str, str | None]]) -> dict[str, int]:
    """How many machines have each verdict, of (verdict, machine): of two names for one machine the worse counts."""
    worst_of: dict[str, str] = {}
    alone = []
    for verdict, machine in found:
        if machine is None:
            alone.append(verdict)
        else:
            worst_of[machine] = min(verdict, worst_of.get(machine, verdict), key=VERDICTS.index)
    return totals_of([*alone, *worst_of.values()])


#: Where what a host's facts would set is kept among its settings; no variable has this name.
FROM_FACTS = "from facts"
#: Where it is kept why a variable of ours has no value.
UNRESOLVED = "unresolved"


class PolicyError(ValueError):
    """The policy of a host is not valid; the message names the variable and what it may be."""


@dataclass(frozen=True)
class Waiver:
    """A dated permission to differ from the policy."""

    until: datetime.date
    reason: str
    approved_by: str
    ticket: str | None = None

    def expired(self, today: datetime.date) -> bool:
        """True from the day after ``until``."""
        return today > self.until

    def document(self) -> WaiverDocument:
        """The waiver as evidence shows it."""
        return {
            "until": self.until.isoformat(),
            "reason": self.reason,
            "approved_by": self.approved_by,
            "ticket": self.ticket,
        }

    def words(self) -> str:
        """Why, by whom, and where that is written, for a reason."""
        ticket = f", {self.ticket}" if self.ticket else ""
        return f"{self.reason} (approved by {self.approved_by}{ticket})"


@dataclass(frozen=True)
class Policy:
    """What the inventory wants of a host."""

    desired: str
    connectivity: str
    restart: str
    waiver: Waiver | None
    launch_scripts: tuple[str, ...]
    waiver_warn_days: int = WAIVER_WARN_DAYS
    expect: str = ""  # "present": a host on which nothing is found is not known, rather than not concerned
    toggle: str = "unmanaged"  # how CloudBees' own checkbox is to be
    switches: tuple[Switch, ...] = ()  # what else of a JVM is policy, beside the flag

    @property
    def judged(self) -> bool:
        """Whether it wants anything of a host."""
        return self.desired != "unmanaged" or self.toggle != "unmanaged"

    def enforced(self, today: datetime.date) -> bool:
        """True where the policy is to be brought about: it wants something, and no valid waiver stands against it."""
        return self.judged and (self.waiver is None or self.waiver.expired(today))

    def edits(self) -> dict[str, Any]:
        """What telemetry_flag is told: the flag, the other properties and the toggle, as far as they are policy."""
        switches = [one.edit() for one in self.switches] if self.desired != "unmanaged" else []
        return {
            "state": self.desired,
            **({"switches": switches} if switches else {}),
            **({"toggle": self.toggle} if self.toggle != "unmanaged" else {}),
        }

    def document(self) -> PolicyDocument:
        """The policy as evidence shows it."""
        document: dict[str, Any] = {
            "desired": self.desired,
            "connectivity": self.connectivity,
            "restart": self.restart,
            "waiver": None if self.waiver is None else self.waiver.document(),
        }
        if self.expect:
            document["expect"] = self.expect
        if self.toggle != "unmanaged":
            document["toggle"] = self.toggle
        if self.switches:
            document["switches"] = [one.document() for one in self.switches]
        return cast(PolicyDocument, document)

    @classmethod
    def from_document(cls, document: Mapping[str, Any], waiver_warn_days: int = WAIVER_WARN_DAYS) -> Policy:
        """The policy that evidence shows, without what it does not. Raises :class:`PolicyError`."""
        try:
            return cls(
                _choice(document, "desired", DESIRED, ""),
                _choice(document, "connectivity", CONNECTIVITY, ""),
                _choice(document, "restart", RESTART, ""),
                _waiver(document["waiver"]),
                (),
                waiver_warn_days,
                _choice(document, "expect", EXPECT, ""),
                _choice(document, "toggle", TOGGLE, "unmanaged"),
                from_documents(document.get("switches") or ()),
            )
        except KeyError as error:
            raise PolicyError(f"it has no {error}") from error
        except ValueError as error:
            raise PolicyError(str(error)) from error


def _choice(variables: Mapping[str, Any], name: str, choices: Sequence[str], default: str) -> str:
    value = variables.get(name, default)
    if value not in choices:
        raise PolicyError(f"{name} is {value!r}; it may be {', '.join(choices)}")
    return str(value)


def _days(variables: Mapping[str, Any], name: str, default: int) -> int:
    value = variables.get(name, default)
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,5}", str(value)):
        raise PolicyError(f"{name} is {value!r}; it must be a number of days, 0 or more")
    return int(value)


def _switches(variables: Mapping[str, Any]) -> tuple[Switch, ...]:
    try:
        return switches_of(variables.get("telemetry_switches"))
    except ValueError as error:
        raise PolicyError(f"telemetry_switches: {error}") from error


def _check_types(variables: Mapping[str, Any]) -> None:
    """Each switch is one, numbers and ages are in bounds, before anything is touched. Raises :class:`PolicyError`."""
    for name in SWITCHES:
        try:
            boolean(variables.get(name, True))
        except TypeError as error:
            raise PolicyError(f"{name} is {variables[name]!r}; it must be true or false") from error
    for name, (least, most, what) in NUMBERS.items():
        value = variables.get(name, least)
        if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,5}", str(value)) or not least <= int(value) <= most:
            raise PolicyError(f"{name} is {value!r}; it must be a number of {what}, from {least} to {most}")
    try:
        max_age_of(variables.get("telemetry_max_age", MAX_AGE))
    except ValueError as error:
        raise PolicyError(f"telemetry_max_age: {error}") from error
    for name, (low, high, words) in SECONDS.items():
        value = variables.get(name)
        try:
            good = value in (None, "") or (not isinstance(value, bool) and low <= float(value) <= high)
        except (TypeError, ValueError, OverflowError):
            good = False
        if not good:
            raise PolicyError(f"{name} is {value!r}; it must be a number of seconds, {words}")
    for name in TEXTS:
        value = variables.get(name)
        if value is True or isinstance(value, Mapping | list | tuple):  # false is none
            raise PolicyError(f"{name} must be text")  # without the value, which may be a secret
    _check_shapes(variables)


def _check_shapes(variables: Mapping[str, Any]) -> None:
    """What is a list or has members of its own has them. Raises :class:`PolicyError`."""
    _choice(variables, "telemetry_carrier", CARRIER, "auto")
    _choice(variables, "telemetry_sweep", SWEEP, "auto")
    allow = variables.get("telemetry_restart_allow") or []
    kinds = allow.split(",") if isinstance(allow, str) else allow
    if not isinstance(kinds, Sequence) or not {str(kind).strip() for kind in kinds} <= {*KINDS}:
        raise PolicyError(f"telemetry_restart_allow is {_brief(allow)}; it is a list, and may have {', '.join(KINDS)}")
    if not _is_list_of_text(variables.get("telemetry_installations") or []):
        raise PolicyError("telemetry_installations must be a list of names")
    _check_probe(variables)
    endpoint = variables.get("telemetry_endpoint") or {}
    if not isinstance(endpoint, Mapping) or (endpoint and not {*endpoint} & {"host", "port"}):
        raise PolicyError(f"telemetry_endpoint is {_brief(endpoint)}; it has a host and a port")
    templates = variables.get("telemetry_launch_templates") or []
    if isinstance(templates, str) or not isinstance(templates, Sequence):
        raise PolicyError("telemetry_launch_templates must be a list of templates, each with src and dest")
    for place, one in enumerate(templates, 1):
        if not isinstance(one, Mapping) or not one.get("src") or not str(one.get("dest")).startswith("/"):
            # Without values, which may be secrets.
            has = f" (it has {_brief([*one])})" if isinstance(one, Mapping) else ""
            raise PolicyError(
                f"telemetry_launch_templates: number {place} has no src, or no absolute path as its dest{has}"
            )


def _check_probe(variables: Mapping[str, Any]) -> None:
    """What is probed, and on which ways, as the probe itself checks it. Raises :class:`PolicyError`."""
    for name, option in (("telemetry_probe_via", "via"), ("telemetry_probe_endpoints", "endpoints")):
        value = variables.get(name)
        if option == "via" and isinstance(value, str):
            value = value.split(",")  # as Ansible does; endpoints are put behind another in a list
        if value is None or value == [DIRECT, CONFIGURED]:
            continue
        if not _is_list_of_text(value):
            raise PolicyError(f"{name} must be a list of texts")
        from ansible_collections.cbops.telemetry.plugins.module_utils.probe._options import check  # all of a probe

        try:
            check({option: value})
        except ValueError as error:
            raise PolicyError(f"{name}: {error}") from error


def _brief(value: Any) -> str:
    """As it is shown; a list of thousands would be the whole message."""
    return cut(repr(value), 100)


def _is_list_of_text(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)


def host_limit(variables: Mapping[str, Any]) -> int:
    """Seconds in which a host must have answered. Raises :class:`PolicyError`."""
    value = variables.get("telemetry_host_limit", HOST_LIMIT)
    if (
        isinstance(value, bool)
        or not re.fullmatch(r"[0-9]{1,5}", str(value))
        or not 1 <= int(value) <= LONGEST_HOST_LIMIT
    ):
        raise PolicyError(
            f"telemetry_host_limit is {value!r}; it must be a number of seconds, from 1 to {LONGEST_HOST_LIMIT}"
        )
    return int(value)


def _waiver(value: Any) -> Waiver | None:
    if value in (None, "", {}):
        return None
    if not isinstance(value, Mapping):
        raise PolicyError("telemetry_waiver must have 'until', 'reason' and 'approved_by'")
    missing = [key for key in ("until", "reason", "approved_by") if not str(value.get(key) or "").strip()]
    if missing:
        raise PolicyError(f"telemetry_waiver lacks {', '.join(missing)}")
    unknown = sorted(set(value) - {"until", "reason", "approved_by", "ticket"})
    if unknown:
        raise PolicyError(f"telemetry_waiver has no key {', '.join(map(str, unknown))}")
    ticket = value.get("ticket")
    return Waiver(
        _day(value["until"]),
        str(value["reason"]),
        str(value["approved_by"]),
        None if ticket in (None, "") else str(ticket),
    )


def _day(value: Any) -> datetime.date:
    """A day as YAML reads it, or as text; not a moment, whose day would depend on a time zone."""
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return value
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", str(value)):
            return datetime.date.fromisoformat(str(value))
    except ValueError:
        pass  # such as 2026-02-30
    raise PolicyError(f"telemetry_waiver.until is {str(value)!r}; it must be a day such as 2026-12-31")


def waiver_of(variables: Mapping[str, Any], today: datetime.date | None = None) -> Waiver | None:
    """The waiver of a host by its variables; with ``today`` it may not reach too far.

    Raises :class:`PolicyError`.
    """
    longest = _days(variables, "telemetry_waiver_max_days", WAIVER_MAX_DAYS)
    waiver = _waiver(variables.get("telemetry_waiver"))
    if waiver is not None and today is not None and (waiver.until - today).days > longest:
        raise PolicyError(
            f"telemetry_waiver.until is {waiver.until}, {(waiver.until - today).days} days from "
            f"{today}; telemetry_waiver_max_days allows {longest}"
        )
    return waiver


def policy_of(variables: Mapping[str, Any], today: datetime.date | None = None) -> Policy:
    """The policy of a host by its variables; with ``today`` its waiver may not reach too far.

    Raises :class:`PolicyError`.
    """
    if variables.get(UNRESOLVED):
        raise PolicyError("; ".join(f"{name} cannot be resolved: {why}" for name, why in variables[UNRESOLVED].items()))
    if variables.get(FROM_FACTS):
        raise PolicyError(
            f"{', '.join(variables[FROM_FACTS])}: this is set by facts of the host itself, and policy "
            "comes from the inventory alone; find out which module returned it (inject_facts_as_vars = "
            "false in ansible.cfg keeps facts from being variables)"
        )
    for name in variables:
        if re.match(r"telemetry_", str(name)) and name not in VARIABLES:
            prefix = len("telemetry_")  # which all share: without it the likeness counts
            near = difflib.get_close_matches(str(name)[prefix:], [known[prefix:] for known in VARIABLES], 1)
            hint = f"; did you mean telemetry_{near[0]}?" if near else f"; known are {', '.join(VARIABLES)}"
            raise PolicyError(f"unknown variable {name}{hint}")
    if variables.get("telemetry_desired") in (None, ""):
        raise PolicyError(f"telemetry_desired is not set; it may be {', '.join(DESIRED)}")
    desired = _choice(variables, "telemetry_desired", DESIRED, "")
    connectivity = variables.get("telemetry_connectivity") or ("required" if desired == "enabled" else "ignored")
    if connectivity not in CONNECTIVITY:
        raise PolicyError(f"telemetry_connectivity is {connectivity!r}; it may be {', '.join(CONNECTIVITY)}")
    scripts = variables.get("telemetry_launch_scripts") or []
    if isinstance(scripts, str) or not isinstance(scripts, Sequence):
        raise PolicyError("telemetry_launch_scripts must be a list of paths")
    for path in scripts:
        if not str(path).startswith("/"):
            raise PolicyError(f"telemetry_launch_scripts: {path!r} is no absolute path")
    _check_types(variables)
    restart = _choice(variables, "telemetry_restart", RESTART, "never")
    if variables.get("telemetry_controllers"):
        try:
            access_of(variables["telemetry_controllers"])
        except ValueError as error:
            raise PolicyError(f"telemetry_controllers: {error}") from error
    if restart == "when_idle" and not variables.get("telemetry_url") and not variables.get("telemetry_controllers"):
        raise PolicyError(
            "telemetry_restart is when_idle, so telemetry_url must name the controller (with "
            "telemetry_user and telemetry_token), or telemetry_controllers each of a host's services"
        )
    if variables.get("telemetry_restart_window"):
        try:
            window_of(variables["telemetry_restart_window"])
        except ValueError as error:
            raise PolicyError(f"telemetry_restart_window: {error}") from error
    _choice(variables, "telemetry_attach", ATTACH, "auto")
    _choice(variables, "telemetry_events", EVENTS, "never")
    host_limit(variables)
    expect = _choice(variables, "telemetry_expect", EXPECT, "")
    return Policy(
        desired,
        str(connectivity),
        restart,
        waiver_of(variables, today),
        tuple(str(path) for path in scripts),
        _days(variables, "telemetry_waiver_warn_days", WAIVER_WARN_DAYS),
        expect,
        _choice(variables, "telemetry_toggle", TOGGLE, "unmanaged"),
        _switches(variables),
    )


@dataclass
class Assessment:
    """A verdict and the reasons for it, worded for the person who must act; warnings change no verdict."""

    verdict: str
    reasons: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def worst(assessments: Sequence[Assessment]) -> Assessment:
    """The worst verdict of several, with all reasons that speak for it first."""
    if not assessments:
        return Assessment("not_applicable")
    ordered = sorted(assessments, key=lambda item: VERDICTS.index(item.verdict))
    return Assessment(
        ordered[0].verdict,
        [reason for item in ordered for reason in item.reasons],
        [warning for item in ordered for warning in item.warnings],
    )


def _assessed(found: Sequence[rules.Finding]) -> Assessment:
    """The verdict of findings about one thing."""
    return worst([Assessment(one.verdict, [one.sentence] if one.sentence else []) for one in found])


def assess_installation(entry: Installation, desired: str) -> Assessment:
    """Verdict of one installation of the state document: the three clocks against the policy."""
    return _assessed(rules.of_installation(entry, desired))


def second_senders(installations: Sequence[Installation]) -> list[str]:
    """Notes on the plugin that also sends, of which nobody knows whether the flag covers it; no verdict."""
    notes = []
    for entry in installations:
        settings: Mapping[str, Any] = entry.get("settings") or {}
        version = settings.get("license_tracker_plugin", "unknown")
        detail = settings.get("details", {}).get("license_tracker_plugin", {})
        if detail.get("state") in ("enabled", "disabled"):
            notes.append(
                f"{entry['name']}: note: cloudbees-license-tracker (version {version}) is installed "
                f"({detail['state']}): it also reports through Segment, and whether the flag covers it is "
                "not known"
            )
        elif version == "unknown":
            notes.append(
                f"{entry['name']}: note: whether cloudbees-license-tracker, which also reports through "
                f"Segment, is installed is not known: {detail.get('reason') or 'it was not looked for'}"
            )
    return notes


def down_of(entry: Installation) -> str | None:
    """Why a controller is down, in words; None for one that runs, or that somebody has stopped."""
    unit: Mapping[str, Any] = entry.get("unit_state") or {}
    result = f" ({unit['result']})" if unit.get("result") not in (None, "", "success") else ""
    if unit.get("active") == "failed":
        return f"its unit has failed{result}"
    if unit.get("restarting"):
        return f"its unit ends again and again, and is started anew each time{result}"
    return None


def downs(document: Evidence) -> list[str]:
    """What is down on a host, by its evidence: a sentence for each installation."""
    return _downs(installations_of(document))


def _downs(installations: Sequence[Installation]) -> list[str]:
    return [f"{entry['name']}: it is down: {down_of(entry)}" for entry in installations if down_of(entry)]


def unmet(document: Evidence, fail_on: Sequence[str]) -> bool:
    """Whether a host does not meet its policy, or nobody knows, by its evidence and what telemetry_fail_on names.

    What went wrong when it was enforced counts always: nobody can say what the host is like now.
    """
    return (
        document["verdict"] in fail_on
        or bool(document.get("error") and document.get("state"))
        or (DOWN in fail_on and bool(downs(document)))
    )


def assess(state: State, policy: Policy, today: datetime.date) -> Assessment:
    """The verdict of a host: its state document against its policy."""
    result = worst(
        [
            _assessed(group)
            for group in rules.of_host(
                state,
                policy.desired,
                policy.connectivity,
                policy.expect,
                policy.toggle,
                [one._asdict() for one in policy.switches],
            )
        ]
    )
    if not policy.judged:
        return result
    installations = state.get("installations") or []
    result.reasons += [f"{said.replace(': it is', ': note: it is', 1)}" for said in _downs(installations)]
    if policy.desired == "disabled":
        result.reasons += second_senders([entry for entry in installations if "senders" not in entry])
    result.reasons += senders.notes(installations)
    return with_waiver(result, policy, today)


def with_waiver(result: Assessment, policy: Policy, today: datetime.date) -> Assessment:
    """Apply a waiver: it covers what was seen or could not be seen, never a host that did not answer."""
    waiver = policy.waiver
    if waiver is None:
        return result
    if rules.LEVELS.get(result.verdict) not in (rules.BAD, rules.OPEN):
        more = (
            [
                f"the waiver until {waiver.until} is not needed any more: the host is compliant without it: "
                f"{waiver.words()}"
            ]
            if result.verdict == "compliant"
            else []
        )
        return Assessment(result.verdict, result.reasons, [*result.warnings, *more])
    if waiver.expired(today):
        return Assessment(
            "waiver_expired",
            [f"the waiver ran out on {waiver.until}: {waiver.words()}", *result.reasons],
            result.warnings,
        )
    soon = (waiver.until - today).days <= policy.waiver_warn_days
    # Without the number of days that are left: evidence that says the same must look the same tomorrow.
    more = [f"the waiver runs out on {waiver.until}, within {policy.waiver_warn_days} days"] if soon else []
    return Assessment(
        "waived", [f"waived until {waiver.until}: {waiver.words()}", *result.reasons], [*result.warnings, *more]
    )


def judge(
    policy: Policy, state: State | None, error: str | None, today: datetime.date, answered: bool = True
) -> Assessment:
    """The verdict of a host by all that evidence holds: the one evaluator of audit, enforce, replay and verification.

    ``state`` is None where it could not be read, for the reason ``error``; with a state, ``error`` is what went wrong
    when it was enforced. ``answered`` is False for a host that was unreachable.
    """
    if not answered:
        return Assessment("unreachable", [f"the host did not answer: {error}"])
    if not policy.judged:
        return _assessed(rules.of_host({}, policy.desired, policy.connectivity)[0])
    if state is None:
        return with_waiver(Assessment("unknown", [f"its state could not be read: {error}"]), policy, today)
    result = assess(state, policy, today)
    if error:
        # What this run broke (a service that did not come back) must not pass as compliant.
        verdict = "unknown" if result.verdict in in_camps(MET, IDLE) else result.verdict
        return Assessment(verdict, [f"it could not be enforced: {error}", *result.reasons], result.warnings)
    return result


def rejudge(evidence: Evidence, today: datetime.date, waiver_warn_days: int = WAIVER_WARN_DAYS) -> Assessment:
    """The verdict that the same evidence has on another day. Raises :class:`PolicyError` for a policy that is none."""
    if evidence["policy"] is None:
        return Assessment("unknown", list(evidence["reasons"]))
    policy = Policy.from_document(evidence["policy"], waiver_warn_days)
    return judge(policy, evidence["state"], evidence["error"], today, evidence["verdict"] != "unreachable")

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a host's answer to its verdict and its evidence, in one step for every way in which a host is asked.

Private to this collection. Runs on the control node.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.utils.display import Display

from ansible_collections.cbops.telemetry.plugins.module_utils.rules import _findings as rules
from ansible_collections.cbops.telemetry.plugins.plugin_utils._failures import explained, failure_of, words_of_ssh
from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._changes import file_changes
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._evidence import (
    document_of,
    file_evidence,
    said,
    settled,
    writable,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._reading import path_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._run import artifacts, reports_folder, today
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import (
    FROM_FACTS,
    TEXTS,
    UNRESOLVED,
    Assessment,
    Policy,
    PolicyError,
    judge,
    policy_of,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._wished import alone, wants_any

#: Where the endpoint of the probe and its options come from; what is not set is left to the module.
#: Options of a probe, and the variables that they come from.
_PROBE = {
    "timeout": "telemetry_probe_timeout",
    "via": "telemetry_probe_via",
    "http": "telemetry_probe_http",
    "count": "telemetry_probe_count",
    "public_authorities": "telemetry_public_authorities",
}

#: The policy's variables, and what the role remembers.
_OURS = re.compile(r"_{0,2}telemetry_")


@dataclass(frozen=True)
class Circumstances:
    """What this run knows of a host beside its answer."""

    error: str = ""  # what went wrong earlier in the run
    note: str = ""  # why an owed restart was put off
    edited: bool = False  # whether this run edited something there
    toggle: str = ""  # why this run has not set CloudBees' own checkbox, and what to do


def circumstances_of(variables: Mapping[str, Any]) -> Circumstances:
    """What the role remembers of a host that it acted on in this run; templates would cost more than the audit."""
    restarted = variables.get("__telemetry_restarted") or {}
    policy = variables.get("__telemetry_policy") or {}
    return Circumstances(
        visible(str(variables.get("__telemetry_error") or "")),
        visible(str(restarted.get("deferred") or policy.get("stopped") or "")),
        bool(variables.get("__telemetry_edited")),
        visible(str(variables.get("__telemetry_toggle_refused") or "")),
    )


def settings_of(variables: Mapping[str, Any], template: Callable[[Any], Any]) -> dict[str, Any]:
    """A host's variables of ours, templated: of its hundreds of others that would be most of the work.

    What has no value is named under UNRESOLVED: of such a host nothing can be said but that.
    Those that facts of the host set are left out, and all that are among its facts are named under FROM_FACTS: any
    module may return facts, and they count for more than the inventory.
    """
    facts, effective = among_facts(variables)
    settings: dict[str, Any] = {}
    unresolved: dict[str, str] = {}
    for name, value in variables.items():
        if str(name).startswith("telemetry_") and name not in effective:
            try:
                settings[name] = templated(value, template)
            except AnsibleError as error:
                unresolved[name] = visible(" ".join(str(error).split()))[:300]
    if unresolved:
        settings[UNRESOLVED] = unresolved
    return {**settings, FROM_FACTS: [visible(name)[:100] for name in facts]} if facts else settings


def among_facts(variables: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Names of variables of ours among the facts of a host, and those of them whose value comes from there."""
    facts = variables.get("ansible_facts")
    if not isinstance(facts, Mapping):
        return [], []
    found = sorted(str(name) for name in facts if _OURS.match(str(name)))
    injected = getattr(C, "INJECT_FACTS_AS_VARS", False)
    return found, [name for name in found if injected and name in variables and variables[name] == facts[name]]


def refuse_facts(variables: Mapping[str, Any]) -> None:
    """For what is done once for all hosts, in the name of one. Raises AnsibleActionFail where its facts decide."""
    names = among_facts(variables)[1]
    if names:
        raise AnsibleActionFail(
            f"facts of the host {variables['inventory_hostname']} would set "
            f"{visible(', '.join(names))[:500]} for all hosts; set inject_facts_as_vars = false in "
            "ansible.cfg, and look at that host"
        )


def templated(value: Any, template: Callable[[Any], Any]) -> Any:
    """A variable's value; what cannot be a template is not treated as one, which would cost time."""
    if "{" not in value if isinstance(value, str) else value is None or isinstance(value, bool | int | float):
        return value
    return template(value)


def reports_of(variables: Mapping[str, Any], template: Callable[[Any], Any]) -> Path | None:
    """Where what was done to a host is filed: with its evidence.

    None where nobody names a folder and there is no evidence, or where the host's own facts would say it.
    """
    if "telemetry_reports_dir" in among_facts(variables)[1]:
        return None
    folder = templated(variables.get("telemetry_reports_dir"), template)
    reports = reports_folder(folder if isinstance(folder, str) else None)
    # The role has the variable, empty where the inventory says nothing. A playbook of somebody's own may file nothing.
    wanted = "telemetry_reports_dir" in variables or artifacts() is not None
    return reports if wanted or path_of(reports / "evidence", variables["inventory_hostname"]).is_file() else None


def record(
    variables: Mapping[str, Any],
    template: Callable[[Any], Any],
    changes: Sequence[Mapping[str, Any]],
    undoes: str | None = None,
) -> None:
    """File a host's changes where its evidence goes."""
    reports = reports_of(variables, template) if changes else None
    if reports is not None:
        record_in(reports, variables["inventory_hostname"], changes, undoes)


def record_in(reports: Path, host: str, changes: Sequence[Mapping[str, Any]], undoes: str | None = None) -> None:
    """File a host's changes in a folder. They were made, so a disk that is full is a warning."""
    try:
        file_changes(reports, host, changes, undoes=undoes)
    except (OSError, ValueError) as error:
        Display().warning(
            f"{host}: what was changed there is not in the record of this "
            f"run, so it may count as drift: {visible(str(error))}"
        )


def question(variables: Mapping[str, Any]) -> dict[str, Any]:
    """The options of telemetry_info for a host, by its policy variables. Raises PolicyError."""
    policy = policy_of(variables, today())
    scripts = [*policy.launch_scripts, *(one["dest"] for one in variables.get("telemetry_launch_templates") or [])]
    options: dict[str, Any] = {
        "launch_scripts": list(dict.fromkeys(scripts)),
        "attach": variables.get("telemetry_attach") or "auto",
    }
    threads = boolean(variables.get("telemetry_threads", False))
    if policy.switches or threads or boolean(variables.get("telemetry_senders", False)):
        options["senders"] = {"switches": [one.asked() for one in policy.switches], "threads": threads}
    if variables.get("telemetry_events", "never") != "never":
        options["events"] = "disk"
    if policy.connectivity != "ignored":
        options["connectivity"] = probe_of(variables)
    return options


def probe_of(variables: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a probe of the endpoint from a host, by its variables."""
    endpoint = variables.get("telemetry_endpoint") or {}
    return {
        **{key: endpoint[key] for key in ("host", "port") if endpoint.get(key)},
        **{
            key: value
            for key, name in _PROBE.items()
            if (value := variables.get(name)) not in (None, "") and not (value is False and name in TEXTS)
        },
    }


def problem_of(answer: Mapping[str, Any]) -> str:
    """Why there is no state, for the person who mends it."""
    message = str(answer.get("msg") or "")
    if message.strip() and (answer.get("unreachable") or failure_of(words_of_ssh(message))):
        return explained(words_of_ssh(message))
    return words_of_ssh(said(answer))


def with_products(state: Mapping[str, Any], variables: Mapping[str, Any]) -> Mapping[str, Any]:
    """A host's state with what its products say, where the inventory wants that; never with what it says for them."""
    if not wants_any(variables):
        return alone(state)
    from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._events import with_events
    from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._served import with_served

    return with_events(with_served(state, variables), variables)


def file_answer(
    host: str,
    variables: Mapping[str, Any],
    answer: Mapping[str, Any],
    reports: Path,
    circumstances: Circumstances = Circumstances(),
) -> dict[str, Any]:
    """Judge what a host answered, and file the evidence; what an action returns of it.

    ``answer`` is what telemetry_info returned, also where it failed or the host was unreachable. Raises OSError.
    """
    state = answer.get("state")
    if isinstance(state, Mapping) and not answer.get("unreachable"):
        state = with_products(state, variables)
    kept = settled(state) if isinstance(state, Mapping) and not answer.get("unreachable") else None
    error = problem_of(answer) if kept is None else circumstances.error or None
    policy: Policy | None = None
    try:
        policy = policy_of(variables, today())
    except PolicyError as problem:
        verdict = Assessment("unknown", [f"its policy is not valid: {problem}"])
    else:
        verdict = judge(policy, kept, error, today(), not answer.get("unreachable"))
        if circumstances.note and rules.LEVELS.get(verdict.verdict) == rules.BAD:
            verdict.reasons.append(circumstances.note)
        if circumstances.toggle and rules.LEVELS.get(verdict.verdict) in (rules.BAD, rules.OPEN):
            verdict.reasons.append(circumstances.toggle)
    measured = state.get("connectivity", []) if kept is not None and isinstance(state, Mapping) else []
    whole = document_of(host, policy, kept, error, verdict)
    document = writable(whole, measured)
    about: Mapping[str, Any] = state.get("host", {}) if kept is not None and isinstance(state, Mapping) else {}
    path, drift = file_evidence(
        reports,
        document,
        measured if document is whole else [],
        circumstances.edited,
        machine=about.get("machine"),
        host_time=about.get("time"),
    )
    return {
        "changed": False,
        "verdict": document["verdict"],
        "reasons": document["reasons"],
        "drift": drift,
        "evidence": str(path),
    }

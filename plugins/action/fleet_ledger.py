# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reconciles who is known with who was audited: shows it, writes it, fails where coverage is less than is wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail

from ansible_collections.cbops.telemetry.plugins.plugin_utils._showing import in_a_sentence, show
from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._action import (
    OPERATIONS_CENTERS,
    REPORTS_DIR,
    SLICE,
    LocalAction,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._evidence import write_text
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._reading import written
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._run import reports_folder
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._age import MAX_AGE, max_age_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._asking import asked
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report import _ledger as ledger
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._model import coverage_words
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._sources import read_evidence

LIMIT_SHOWN = 40  # of each kind


class ActionModule(LocalAction):
    """Action behind M(cbops.telemetry.fleet_ledger)."""

    FOR_ALL_HOSTS = True
    ARGUMENTS = {
        "hosts": {"type": "list", "elements": "str"},
        "evidence_dirs": {"type": "list", "elements": "path"},
        "reports_dir": REPORTS_DIR,
        "operations_centers": OPERATIONS_CENTERS,
        "expected": {"type": "dict"},
        "min_coverage": {"type": "float"},
        "max_age": {"type": "str", "default": MAX_AGE},
        "slice": SLICE,
        "name": {"type": "str", "default": "ledger"},
        "fail": {"type": "bool", "default": True},
    }

    def act(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Ask, read, reconcile, write, show, judge."""
        wanted = arguments["min_coverage"]
        if wanted is not None and not 0 <= wanted <= 100:
            raise AnsibleActionFail("min_coverage (telemetry_min_coverage) must be a percentage from 0 to 100")
        hosts = arguments["hosts"] if arguments["hosts"] is not None else variables["groups"]["all"]
        folder = reports_folder(arguments["reports_dir"])
        folders = [Path(one) for one in arguments["evidence_dirs"] or [folder / "evidence"]]
        try:
            answers = asked(arguments["operations_centers"])
        except ValueError as error:
            raise AnsibleActionFail(f"operations_centers (telemetry_operations_centers): {error}") from error
        try:
            max_age = max_age_of(arguments["max_age"])
        except ValueError as error:
            raise AnsibleActionFail(f"max_age (telemetry_max_age): {error}") from error
        found = read_evidence(folders, list(dict.fromkeys(hosts)), None, max_age=max_age)
        names = ledger.names_of(self._task.get_variable_manager()._inventory.hosts, hosts)
        given = arguments["expected"]
        if given is None:
            given = _said_in_inventory(variables["hostvars"], hosts)
        result = ledger.reconcile(found.hosts, answers, names, _expected(given))
        slice_ = self.slice(arguments["slice"])
        limit = self.limit(variables, slice_, hosts)
        if limit is not None:
            result = ledger.of_a_part(result, limit)
        path = folder / f"{arguments['name']}.json"
        try:
            write_text(path, written(result.document(found.at), indent=2) + "\n")
        except OSError as error:
            raise AnsibleActionFail(f"the ledger cannot be written: {error}") from error
        lines = [*told(result), f"ledger: {path}"]
        show("\n" + "\n".join(map(visible, lines)) + "\n")
        # Of slices the ledger on all has the gate.
        unmet = "" if slice_ is not None else ledger.shortfall(result.summary(), wanted)
        answer: dict[str, Any] = {
            "changed": False,
            "path": str(path),
            "coverage": result.coverage,
            "ghosts": [one["name"] for one in result.ghosts],
            "strangers": [f"{one['host']}/{one['installation']}" for one in result.strangers],
            "renamed": [one["names"] for one in result.renamed],
            "unexpected": [one["host"] for one in result.unexpected],
            "unmet": visible(unmet),
        }
        if unmet and arguments["fail"]:
            answer.update(failed=True, msg=answer["unmet"])
        return in_a_sentence(answer, "path")


def _said_in_inventory(hostvars: Any, hosts: Sequence[str]) -> dict[str, Any]:
    """telemetry_installations of the hosts that have it; only of those variables are resolved, which takes its time."""
    return {
        host: hostvars[host]["telemetry_installations"]
        for host in hosts
        if host in hostvars and "telemetry_installations" in (hostvars.raw_get(host) or {})
    }


def _expected(given: Mapping[str, Any]) -> dict[str, list[str]]:
    """The installations that hosts are to have. Raises AnsibleError where that is no list of names."""
    found = {}
    for host, names in given.items():
        if not isinstance(names, Sequence) or isinstance(names, str) or not all(isinstance(one, str) for one in names):
            raise AnsibleActionFail(
                f"expected (telemetry_installations) of {visible(str(host))} must be a list of names"
            )
        found[str(host)] = list(names)
    return found


def told(result: ledger.Ledger) -> list[str]:
    """The ledger for people: what is not as it should be, and how far that is known."""
    lines = []
    parts: list[tuple[str, list[str]]] = [
        (
            "known, and not audited",
            [f"{one['name']} ({one['operations_center']}): {one['reason']}" for one in result.ghosts]
            + [f"{one['name']}, an operations center: {one['not_audited']}" for one in result.ghost_centers],
        ),
        (
            "audited, and unknown to any operations center",
            [f"{one['host']}/{one['installation']}: {one['reason']}" for one in result.strangers],
        ),
        (
            "audited, and where it belongs is not known",
            [f"{one['host']}/{one['installation']}: {one['reason']}" for one in result.unplaced],
        ),
        ("two names for one", [f"{' and '.join(one['names'])}: {one['by']}" for one in result.renamed]),
        (
            "not what the inventory expects",
            [
                f"{one['host']}: "
                + "; ".join(
                    f"{word} {', '.join(one[key])}"
                    for key, word in (("unexpected", "runs"), ("missing", "lacks"))
                    if one[key]
                )
                for one in result.unexpected
            ],
        ),
    ]
    for title, found in parts:
        if found:
            lines += [f"{title} ({len(found)}):", *(f"    - {one}" for one in found[:LIMIT_SHOWN])]
            lines += [f"    - and {len(found) - LIMIT_SHOWN} more"] * (len(found) > LIMIT_SHOWN)
    lines += [f"note: {reason}" for reason in result.coverage["reasons"]]
    return [*lines, coverage_words(result.coverage)]

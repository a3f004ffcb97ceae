# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Merges the evidence of a fleet into one report in many formats, shows a table, fails where policy is not met."""

from __future__ import annotations

import functools
import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail

from ansible_collections.cbops.telemetry.plugins.plugin_utils._showing import (
    cut,
    first,
    for_programs,
    in_a_sentence,
    most_rows,
    named,
    show,
    under_runner,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._action import (
    OPERATIONS_CENTERS,
    REPORTS_DIR,
    SLICE,
    LocalAction,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._evidence import (
    missing,
    read_journal,
    table,
    write_text,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._provenance import git_commit
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._run import RUN_ID, reports_folder
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._age import MAX_AGE, max_age_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import downs, totals_by_machine
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._scope import selects_itself
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._slice import Slice, told
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._slice import summary as slices_told
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._verdicts import FAIL_ON, GATES
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report import _formats
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report import _ledger as ledger
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._manifest import (
    SignatureError,
    heads_of,
    manifest_of,
    sign,
    write_manifest,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._manual import PAGE
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._model import (
    Head,
    Host,
    Report,
    Run,
    coverage_words,
    falls_short,
    natural,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._sources import (
    folders_of,
    history,
    oldest,
    read_evidence,
    since,
)

LONG_LIST = 60  # characters
MANY = 10  # hosts that fail, more than which would be a wall of text
LIMIT_REASONS = 10  # of one host in the sentence on it; the report has them all


def inventory_words(sources: Any) -> str:
    """The inventory as a command names it, relative where it lies below the working directory.

    INVENTORY stands for one that is not known, or is a long list of hosts.
    """
    given = [sources] if isinstance(sources, str) else list(sources or [])
    words = []
    for source in map(str, given):
        if "," in source and len(source) > LONG_LIST:
            return "INVENTORY"
        relative = os.path.relpath(source) if os.path.isabs(source) else source
        words.append(shlex.quote(source if relative.startswith("..") else relative))
    return " -i ".join(words) or "INVENTORY"


def _not_in_this_run(host: Host) -> Host:
    """What stands in for a host of which this run has filed nothing."""
    when = f"; the last is from {host.collected_at}" if host.collected_at else ""
    return Host(missing(host.host, f"no evidence was filed for it in this run{when}"), host.collected_at, host.age)


def _gone(vanished: list[str], when: dict[str, str], inventory: set[str]) -> list[str]:
    """What is said of hosts that were there the last time: nobody looks at them any more."""
    notes = []
    for names, why in (
        ([name for name in vanished if name not in inventory], "not in the inventory any more"),
        ([name for name in vanished if name in inventory], "outside of telemetry_hosts now"),
    ):
        if names:
            last = max(when[name] for name in names)
            notes.append(
                f"vanished since the last run of the whole inventory ({last}): {named(names)}: {why}, so "
                "nobody looks at them (the next such run does not say so again)"
            )
    return notes


def sentence(host: Host) -> str:
    """A host's verdict and why, in one line."""
    said = [visible(reason) for reason in host.reasons]
    if len(said) > LIMIT_REASONS:
        said[LIMIT_REASONS:] = [f"and {len(said) - LIMIT_REASONS} more reasons"]
    return cut(f"{host.verdict}: {'; '.join(said)}") if said else host.verdict


def name_again(path: Path, lacking: Sequence[str]) -> Path | None:
    """The file that ``--limit @FILE`` takes for these hosts; None, and no file, where there are none to name.

    Nor is there one where a host's name would choose other hosts. Raises OSError.
    """
    if lacking and all(map(selects_itself, lacking)):
        write_text(path, "".join(f"{host}\n" for host in lacking))
        return path
    path.unlink(missing_ok=True)
    return None


def hold(held: Iterable[str], playing: Iterable[str]) -> list[str]:
    """For which hosts a play is to be started that fails on those that are ``held``; none where that cannot be.

    One that is not held comes along: Ansible ends a run in which every host of a play has failed, and what follows in a
    playbook of the user's own is for the others. ``playing`` are the hosts that Ansible has not given up.
    """
    names = list(held)
    if not names or not all(map(selects_itself, names)):
        return []
    along = next((name for name in playing if name not in held and selects_itself(name)), "localhost")
    return list(dict.fromkeys([*names, along]))


def held_of(said: Mapping[str, str], all_of_it: str, wanted: bool | None) -> dict[str, str]:
    """The hosts that are to fail, each with what it fails with.

    Where nobody says whether each is to fail itself, many do not: people have read of them in the table, and what
    follows it would be a wall of the same. Then the worst one fails for all. Where a program takes each result by
    itself they all fail.
    """
    if wanted is None and len(said) > MANY and not (for_programs() or under_runner()):
        return {next(filter(selects_itself, said), next(iter(said))): all_of_it}
    return dict(said) if wanted is not False else {}


class ActionModule(LocalAction):
    """Action behind M(cbops.telemetry.fleet_report)."""

    FOR_ALL_HOSTS = True
    ARGUMENTS = {
        "hosts": {"type": "list", "elements": "str"},
        "evidence_dirs": {"type": "list", "elements": "path"},
        "formats": {"type": "list", "elements": "str", "choices": list(_formats.FORMATS), "default": ["json"]},
        "reports_dir": REPORTS_DIR,
        "history": {"type": "path"},
        "newer_than": {"type": "str"},
        "max_age": {"type": "str", "default": MAX_AGE},
        "operations_centers": OPERATIONS_CENTERS,
        "min_coverage": {"type": "float"},
        "slice": SLICE,
        "this_run": {"type": "bool", "default": False},
        "signing_key": {"type": "str"},
        "fail_on": {"type": "list", "elements": "str", "choices": list(GATES), "default": list(FAIL_ON)},
        "name": {"type": "str", "default": "audit"},
        "fail": {"type": "bool", "default": True},
        "fail_hosts": {"type": "bool"},
        "set_stats": {"type": "bool", "default": True},
    }

    _slice: Slice | None
    _limit: str | None

    def act(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Collect, write, show, judge."""
        self._slice = self.slice(arguments["slice"])
        hosts = arguments["hosts"] if arguments["hosts"] is not None else variables["groups"]["all"]
        self._limit = self.limit(variables, self._slice, hosts)
        report, lacking = self._report(arguments, variables, hosts)
        folder = reports_folder(arguments["reports_dir"])
        paths = {
            name: str(folder / f"{arguments['name']}{_formats.FORMATS[name][0]}")
            for name in dict.fromkeys(arguments["formats"])
        }
        filed, unsigned = None, None
        try:
            if arguments["this_run"]:
                # Before the reports, which name it.
                try:
                    filed = self._file(folder, report, arguments, variables)
                except SignatureError as error:
                    unsigned = error
                    why = f"the manifest is not signed, so this run has left none: {error}"
                    report = replace(report, notes=[*report.notes, why])
            key = None if unsigned else arguments["signing_key"]
            report = replace(
                report, heads=self._heads(folder, arguments), sign=functools.partial(sign, key=key) if key else None
            )
            for name, path in paths.items():
                write_text(Path(path), _formats.pieces(name, report))
            retry = None if arguments["this_run"] else name_again(folder / f"{arguments['name']}.retry", lacking)
        except SignatureError as error:
            raise AnsibleActionFail(f"the attestation is not signed: {error}") from error
        except OSError as error:
            raise AnsibleActionFail(f"the report cannot be written: {error}") from error
        if unsigned is not None:
            raise AnsibleActionFail(f"the manifest is not signed: {unsigned}") from unsigned
        shown = table(
            [host.document for host in report.worst_first()],
            {host.host: host.drift for host in report.hosts},
            report.totals,
            most_rows(),
        )
        notes = [f"{host.host}: {said}" for host in report.worst_first() for said in downs(host.document)]
        notes += [f"{host.host}: {said}" for host in report.worst_first() for said in host.events_changed]
        if lacking and not arguments["this_run"]:
            again = f"; an audit of those alone: --limit @{shlex.quote(str(retry))}" if retry else ""
            notes.insert(0, f"no evidence that counts, of {len(lacking)} hosts: {named(lacking)}{again}")
        lines = [
            shown,
            "",
            *first((f"note: {visible(note)}" for note in [*report.notes, *notes]), most_rows(), "notes"),
            *([visible(coverage_words(report.coverage))] if report.coverage else []),
            *(f"report: {visible(path)}" for path in paths.values()),
            *(f"head: {head.words()}" for head in (report.heads if filed else ())),
        ]
        bad = [host for host in report.worst_first() if falls_short(host, arguments["fail_on"])]
        if bad:
            lines.append(f"what each reason means, and what to do: {PAGE}")
        show("\n" + "\n".join(lines) + "\n")
        result: dict[str, Any] = {
            "changed": False,
            "report": next(iter(paths.values()), None),
            "reports": paths,
            "totals": report.totals,
            "notes": list(report.notes),
            "coverage": report.coverage,
            "unmet": "",
            "unmet_hosts": {host.host: sentence(host) for host in bad},
            "hold": [],
            "held": {},
            "missing": list(lacking),
            "retry": str(retry) if retry else None,
            "table": shown.splitlines(),
        }
        if arguments["set_stats"]:
            result["ansible_stats"] = {
                "per_host": False,
                "aggregate": False,
                "data": {
                    "telemetry": {"totals": report.totals, "reports": paths, "manifest": str(filed) if filed else None}
                },
            }
        if bad:
            result["unmet"] = (
                f"policy is not met, or not proven, on {len(bad)} of {len(report.hosts)} hosts: "
                f"{visible(named([host.host for host in bad]))}"
            )
        if "vanished" in arguments["fail_on"] and report.vanished:
            # No host that is here is at fault, so this machine speaks for those that are not.
            gone = f"{len(report.vanished)} hosts have vanished: {visible(named(list(report.vanished)))}"
            result["unmet"] = "; ".join(filter(None, [result["unmet"], gone]))
            result["unmet_hosts"]["localhost"] = "; ".join(filter(None, [result["unmet_hosts"].get("localhost"), gone]))
        short = ledger.shortfall(report.coverage, arguments["min_coverage"]) if report.coverage else ""
        if short:
            result["unmet"] = "; ".join(filter(None, [result["unmet"], visible(short)]))
            said = result["unmet_hosts"].get("localhost")
            result["unmet_hosts"]["localhost"] = "; ".join(filter(None, [said, visible(short)]))
        result["held"] = held_of(result["unmet_hosts"], result["unmet"], arguments["fail_hosts"])
        result["hold"] = hold(result["held"], variables.get("ansible_play_hosts") or [])
        inventory = self._task.get_variable_manager()._inventory
        if "localhost" in result["held"] and not inventory.get_hosts("localhost", ignore_restrictions=True):
            result["hold"] = []  # no play has it where --limit does not name it: then the first host fails for all
        if result["unmet"] and arguments["fail"]:
            result.update(failed=True, msg=result["unmet"])
        return in_a_sentence(result, "report", "totals", "ansible_stats")

    def _file(self, folder: Path, report: Report, arguments: dict[str, Any], variables: dict[str, Any]) -> Path:
        """Write the manifest of this run."""
        commit = git_commit(variables.get("ansible_inventory_sources") or [])
        manifest = manifest_of(
            [host.document for host in report.hosts], read_journal(folder, RUN_ID), commit, self._limit, self._slice
        )
        return write_manifest(folder, manifest, arguments["signing_key"])

    def _heads(self, folder: Path, arguments: dict[str, Any]) -> list[Head]:
        """The ends of the chains that the report goes by."""
        named = [Path(one) for one in arguments["evidence_dirs"] or [folder / "evidence"]]
        found: dict[tuple[str, int, str], Head] = {}
        for evidence in (evidence for one in named for evidence in folders_of(one)):
            for head in heads_of(evidence.parent):  # copies of a folder have the same
                if head[:3] not in found or head.signed:
                    found[head[:3]] = head
        return list(found.values())

    def _report(
        self, arguments: dict[str, Any], variables: dict[str, Any], hosts: Sequence[str]
    ) -> tuple[Report, Sequence[str]]:
        """All that the formats show, and the hosts of which there is no evidence that counts."""
        reports = reports_folder(arguments["reports_dir"])
        folders = [Path(folder) for folder in arguments["evidence_dirs"] or [reports / "evidence"]]
        try:
            max_age = max_age_of(arguments["max_age"])
        except ValueError as error:
            raise AnsibleActionFail(f"max_age (telemetry_max_age): {error}") from error
        filed = read_journal(reports, RUN_ID) if arguments["this_run"] else None
        try:
            found = read_evidence(
                folders, list(dict.fromkeys(hosts)), arguments["newer_than"], max_age=max_age, filed=filed
            )
        except ValueError as error:
            raise AnsibleActionFail(f"newer_than (telemetry_newer_than): {error}") from error
        generated_at = found.at
        if filed is not None:
            found = found._replace(
                hosts=[host if host.host in filed else _not_in_this_run(host) for host in found.hosts]
            )
        notes = list(found.notes)
        if found.strangers and not arguments["this_run"]:
            notes.append(
                f"evidence of hosts that were not asked for is left out ({len(found.strangers)}): "
                f"{named(found.strangers)}"
            )
        vanished = sorted(set(found.whole) - set(hosts), key=natural) if self._limit is None else []
        slices = None
        if self._slice is not None:
            notes.append(self._slice.note())
        elif not arguments["this_run"]:
            slices = slices_told(found.slices, since(arguments["newer_than"], found.at) or oldest(found.at, max_age))
            notes += filter(None, [told(slices)] if slices else [])
        if self._limit is not None and self._slice is None and arguments["min_coverage"] is not None:
            notes.append(
                "telemetry_min_coverage is not looked at: this is a part of the inventory, which has no coverage"
            )
        notes += _gone(vanished, found.whole, set(variables["groups"]["all"]))
        notes += [
            f"{named(names, ' and ')} are one machine: the same machine-id, boot and process namespace; it counts "
            "once, by the worse verdict"
            for names in Report(generated_at, found.hosts).machines()
        ]
        run = Run(generated_at, totals_by_machine((host.verdict, host.machine) for host in found.hosts))
        trend = list(found.trend)
        if arguments["this_run"] or not trend or trend[-1].totals != run.totals:
            trend.append(run)  # no manifest yet; else hosts without evidence, or runs of a part of the fleet
        if arguments["history"]:
            try:
                trend = history(Path(arguments["history"]), run)
            except (OSError, ValueError) as error:
                raise AnsibleActionFail(f"the history cannot be kept: {error}") from error
        return Report(
            generated_at,
            found.hosts,
            trend,
            found.last_run,
            tuple(arguments["fail_on"]),
            inventory_words(variables.get("ansible_inventory_sources")),
            notes,
            found.changes,
            vanished,
            max_age,
            coverage=self._coverage(arguments, found.hosts),
            slice=self._slice,
            slices=slices,
        ), found.missing

    def _coverage(self, arguments: dict[str, Any], hosts: Sequence[Host]) -> dict[str, Any] | None:
        """How much of what is known was audited; None for a part of the inventory, of which that says nothing."""
        if self._limit is not None:
            return None
        answers = {}
        if arguments["operations_centers"]:  # else no client is needed
            from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._asking import asked

            try:
                answers = asked(arguments["operations_centers"])
            except ValueError as error:
                raise AnsibleActionFail(f"operations_centers (telemetry_operations_centers): {error}") from error
        known = self._task.get_variable_manager()._inventory.hosts
        found = ledger.reconcile(hosts, answers, ledger.names_of(known, [host.host for host in hosts]))
        return found.summary()

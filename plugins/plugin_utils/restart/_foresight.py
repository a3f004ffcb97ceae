# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a sweep asks hosts for a plan or for enforce, and what becomes of their answers: who is done, and who is left.

Private to this collection. Runs on the control node. A host is asked what telemetry_flag would do, or told to do it,
and its answer has the state that an audit reads. So a host that owes nothing is judged by that one answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Protocol

from ansible.module_utils.common.validation import check_type_list
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.utils.display import Display

from ansible_collections.cbops.telemetry.plugins.plugin_utils._failures import was_there
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._carrier import Errand, Known, one_line
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._filing import Circumstances, problem_of, question
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._sweep import Unserved
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._changes import attempt, edits_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._evidence import said
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._run import RUN_ID, today
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import Policy, PolicyError, policy_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart._plan import broken, entry_of, idle

FLAG = "cbops.telemetry.telemetry_flag"
INFO = "cbops.telemetry.telemetry_info"
#: What telemetry_flag can be asked for as telemetry_info can.
_ALIKE = ("launch_scripts", "attach", "connectivity")


class Tally(Protocol):
    """What came of the hosts so far."""

    def leave(self, host: str, reason: str) -> None:
        """A host is for the ordinary way."""

    def file(self, known: Known, answer: dict[str, Any]) -> None:
        """A host is judged."""

    def plan(self, entry: dict[str, Any]) -> None:
        """A host is planned."""

    def edit(self, known: Known, changes: list[dict[str, Any]], files: list[str]) -> None:
        """Something was done to a host, or may have been."""


class Planning:
    """For a plan: what enforce would do to each host."""

    acts: ClassVar[bool] = False
    judges: ClassVar[bool] = True

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def errand(self, host: str, settings: Mapping[str, Any], _circumstances: Circumstances) -> Errand | None:
        """What a host is asked; None where that is known without. Raises Unserved."""
        try:
            policy = policy_of(settings, today())
        except PolicyError as error:
            self._tally.plan(broken(host, f"its policy is not valid: {error}"))
            return None
        if not policy.enforced(today()):
            self._tally.plan(idle(host, policy, today()))
            return None
        _alone(settings)
        asked = question(settings)
        where = {name: asked[name] for name in ("launch_scripts", "attach")}
        return Errand.of(FLAG, {**policy.edits(), **where}, True)

    def answered(self, known: Known, answer: dict[str, Any]) -> Known | None:
        """Plan the host."""
        if answer.get("unreachable"):
            entry = broken(known.host, said({"msg": problem_of(answer)}))
        elif answer.get("failed") or "files" not in answer:
            entry = broken(known.host, said(answer))
        else:
            entry = _entry(known.host, known.settings, answer)
        self._tally.plan(entry)
        return None


class Enforcing:
    """For enforce: hosts that owe nothing are judged, and where nothing is restarted the others are edited."""

    acts: ClassVar[bool] = True
    judges: ClassVar[bool] = True

    def __init__(self, tally: Tally, dry: bool) -> None:
        """With ``dry`` nothing is edited: somebody wants to see what would be."""
        self._tally, self._dry = tally, dry

    def errand(self, host: str, settings: Mapping[str, Any], circumstances: Circumstances) -> Errand | None:
        """What a host is asked, or told to do. Raises Unserved, PolicyError."""
        policy = policy_of(settings, today())
        if circumstances.error:
            raise Unserved("something went wrong there earlier in this run")
        asked = question(settings)
        if not policy.enforced(today()):
            return Errand.of(INFO, asked, False)
        _alone(settings)
        if settings.get("telemetry_plan"):
            raise Unserved("it is held to a plan")
        if policy.restart == "when_idle":
            raise Unserved("telemetry_restart is when_idle: its controllers are asked, too")
        kept = {
            name: settings[f"telemetry_{name}"]
            for name in ("backup", "backup_count", "backup_days")
            if settings.get(f"telemetry_{name}") is not None
        }
        also = {name: asked[name] for name in _ALIKE if name in asked}
        only_looks = self._dry or policy.restart != "never"
        return Errand.of(FLAG, {**policy.edits(), "run": RUN_ID, **kept, **also}, only_looks)

    def answered(self, known: Known, answer: dict[str, Any]) -> Known | None:
        """Judge the host, or leave it; what is asked next, where something was edited there."""
        if known.errand.function == "telemetry_info":
            self._tally.file(known, answer)
        elif known.errand.edits:
            return self._told(known, answer)
        elif _is_no_answer(answer):
            self._tally.file(known, answer)
        elif debt := _debt(known, answer):
            self._tally.leave(known.host, debt)
        else:
            return self._right(known, answer)
        return None

    def _right(self, known: Known, answer: dict[str, Any]) -> Known | None:
        """The host owes nothing: judge it, by its answer where that has all that an audit asks for."""
        asked = question(known.settings)
        if {*asked} <= {*_ALIKE}:
            self._tally.file(known, {"changed": False, "state": answer["state"]})
            return None
        return replace(known, errand=Errand.of(INFO, asked, False))

    def _told(self, known: Known, answer: dict[str, Any]) -> Known | None:
        """The host was told to edit what it owes. What came of it is recorded before anything else."""
        policy = policy_of(known.settings, today())
        desired, toggle = policy.desired, policy.toggle
        files = [str(edit["path"]) for edit in answer.get("files", [])]
        if _is_no_answer(answer):
            if answer.get("unreachable") and not was_there(str(answer.get("msg") or "")):
                self._tally.file(known, answer)
            else:
                self._tally.edit(known, [attempt(one_line(said(answer)), desired, toggle=toggle)], [])
                self._tally.leave(known.host, "nobody knows how far its edit came")
            return None
        if "files" not in answer:
            self._tally.edit(known, [attempt(said(answer), desired, toggle=toggle)], [])
            self._tally.leave(known.host, "what was edited is not known")
            return None
        if answer.get("failed"):  # what is refused the ordinary way says and records
            self._tally.edit(known, edits_of({"files": answer["files"]}, desired, toggle), files)
            self._tally.leave(known.host, "it was not edited, or not all of it")
            return None
        self._tally.edit(known, edits_of({**answer, "toggle_refused": []}, desired, toggle), files)
        if answer.get("toggle_refused"):  # that, too, the ordinary way says and records
            self._tally.leave(known.host, "its toggle is not set")
            return None
        for note in answer.get("notes", []):
            Display().warning(f"{known.host}: {one_line(note)[:500]}")
        if answer["reload_required"] and boolean(known.settings.get("telemetry_daemon_reload", True)):
            self._tally.leave(known.host, "it owes a daemon-reload")
        elif answer["changed"]:
            audit = Errand.of(INFO, question(known.settings), False)
            return replace(known, errand=audit, circumstances=replace(known.circumstances, edited=True))
        else:
            return self._right(known, answer)
        return None


def _alone(settings: Mapping[str, Any]) -> None:
    """Raises Unserved where a host needs Ansible's own machinery."""
    if settings.get("telemetry_launch_templates"):
        raise Unserved("it has launch scripts from templates")


def _allowed(settings: Mapping[str, Any]) -> list[str]:
    return [str(kind) for kind in check_type_list(settings.get("telemetry_restart_allow") or [])]


def _is_no_answer(answer: Mapping[str, Any]) -> bool:
    """Whether the host did not come to the end of an answer; see fleet_sweep."""
    return bool(answer.get("unreachable") or answer.get("late"))


def _entry(host: str, settings: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    """What enforce would do to a host, by what it said in check mode."""
    reload = boolean(settings.get("telemetry_daemon_reload", True))
    return entry_of(host, policy_of(settings, today()), today(), answer, [], reload, _allowed(settings))


def _debt(known: Known, answer: Mapping[str, Any]) -> str | None:
    """Why enforce has something to do on a host, by what it said in check mode; None where it has not."""
    if answer.get("failed"):
        return "what it owes is not known"
    policy: Policy = policy_of(known.settings, today())
    entry = _entry(known.host, known.settings, answer)
    if entry["edits"] or answer["notes"]:
        return "it owes an edit"
    if entry["reload"]:
        return "it owes a daemon-reload"
    if answer.get("toggle_refused"):
        return "its toggle is not set"
    down = any(found["running"] == "not_running" for found in answer["state"]["installations"])
    # What is down may have been left so by a run that was killed.
    if policy.restart != "never" and (entry["restarts"] or entry["restarts_owed"] or down):
        return "it owes a restart"
    return None

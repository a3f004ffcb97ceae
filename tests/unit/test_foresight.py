"""Who is done by a sweep for plan or enforce, who is left to tasks of its own, and what is recorded meanwhile."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from answerbook import load

from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._carrier import ARGUMENTS, Errand, Known
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._filing import Circumstances
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._sweep import Unserved
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import PolicyError
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart import _foresight as foresight

FILE = "/etc/default/cloudbees-core-cm"
EDIT = {"path": FILE, "before": "a" * 64, "after": "b" * 64, "backup": "/var/lib/cbops-telemetry/backups/x"}
DIFF = {"before_header": FILE, "after_header": FILE, "before": "", "after": "line 8: ... -D=true ...\n"}


class Tally:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.left: dict[str, str] = {}
        self.filed: dict[str, dict[str, Any]] = {}
        self.entries: dict[str, dict[str, Any]] = {}
        self.edits: list[tuple[str, list[str], list[str]]] = []

    def leave(self, host: str, reason: str) -> None:
        self.left[host] = reason

    def file(self, known: Known, answer: dict[str, Any]) -> None:
        self.filed[known.host] = answer

    def plan(self, entry: dict[str, Any]) -> None:
        self.entries[entry["host"]] = entry

    def edit(self, known: Known, changes: list[dict[str, Any]], files: list[str]) -> None:
        self.edits.append((known.host, [one["kind"] for one in changes], files))


def answer(**more: Any) -> dict[str, Any]:
    """What telemetry_flag says of a real host whose telemetry is on, and is to be."""
    state = copy.deepcopy(load("fresh-bookworm-cm-deb", "answer")["state"])
    return {
        "changed": bool(more.get("files")),
        "restart_required": [],
        "reload_required": False,
        "backup_files": [],
        "files": [],
        "notes": [],
        "refused": [],
        "state": state,
        "diff": [],
        **more,
    }


OWES = {"files": [EDIT], "diff": [DIFF]}


def enforced(given: dict[str, Any], dry: bool = False, **variables: Any) -> tuple[Tally, Known | None]:
    """A host asked by enforce, and its answer taken."""
    settings = {"telemetry_desired": "enabled", "telemetry_connectivity": "ignored", **variables}
    tally = Tally()
    purpose = foresight.Enforcing(tally, dry)
    errand = purpose.errand("cm1", settings, Circumstances())
    assert errand is not None and errand.problem is None
    return tally, purpose.answered(Known("cm1", settings, Circumstances(), errand), given)


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"telemetry_plan": "plan.json"}, "it is held to a plan"),
        ({"telemetry_launch_templates": [{"src": "a", "dest": "/b"}]}, "it has launch scripts from templates"),
        ({"telemetry_restart": "when_idle", "telemetry_url": "https://cm1/"}, "telemetry_restart is when_idle"),
    ],
)
def test_who_needs_tasks_of_its_own_is_not_asked(variables: dict[str, Any], reason: str) -> None:
    with pytest.raises(Unserved, match=reason):
        foresight.Enforcing(Tally(), False).errand(
            "cm1", {"telemetry_desired": "disabled", **variables}, Circumstances()
        )


def test_what_went_wrong_earlier_and_what_is_no_policy() -> None:
    purpose = foresight.Enforcing(Tally(), False)
    with pytest.raises(Unserved, match="earlier in this run"):
        purpose.errand("cm1", {"telemetry_desired": "disabled"}, Circumstances("no"))
    for wrong in ({"telemetry_desired": "off"}, {"telemetry_restart_allow": ["everything"]}):
        with pytest.raises(PolicyError):
            purpose.errand("cm1", {"telemetry_desired": "disabled", **wrong}, Circumstances())


@pytest.mark.parametrize(
    ("dry", "variables", "edits"),
    [
        (False, {}, True),
        (True, {}, False),  # somebody wants to see what would be edited
        (False, {"telemetry_restart": "now"}, False),  # edited with its restart, batch by batch
        (False, {"telemetry_restart": "never", "telemetry_backup": "false", "telemetry_backup_count": "3"}, True),
    ],
)
def test_who_is_told_to_edit_and_who_only_asked(dry: bool, variables: dict[str, Any], edits: bool) -> None:
    errand = foresight.Enforcing(Tally(), dry).errand(
        "cm1", {"telemetry_desired": "disabled", **variables}, Circumstances()
    )
    assert errand is not None
    assert (errand.function, errand.edits) == ("telemetry_flag", edits)
    assert errand.params["backup"] is ("telemetry_backup" not in variables)
    assert errand.params["run"]


@pytest.mark.parametrize("desired", ["unmanaged", "disabled"])
def test_who_is_not_enforced_is_audited(desired: str) -> None:
    waiver = {"until": "2199-12-31", "reason": "case 12345", "approved_by": "Jo Doe"}
    settings = {"telemetry_desired": desired, "telemetry_waiver": waiver, "telemetry_waiver_max_days": 99999}
    tally = Tally()
    purpose = foresight.Enforcing(tally, False)
    errand = purpose.errand("cm1", settings, Circumstances())
    assert errand is not None and (errand.function, errand.edits) == ("telemetry_info", False)
    assert purpose.answered(Known("cm1", settings, Circumstances(), errand), {"state": {}}) is None
    assert tally.filed == {"cm1": {"state": {}}}


@pytest.mark.parametrize("restart", ["never", "now"])
@pytest.mark.parametrize("dry", [False, True])
def test_who_owes_nothing_is_judged_by_that_answer(restart: str, dry: bool) -> None:
    given = answer()
    tally, following = enforced(given, dry, telemetry_restart=restart)
    assert following is None and not tally.left
    assert tally.filed == {"cm1": {"changed": False, "state": given["state"]}}
    assert all(not kinds for _host, kinds, _files in tally.edits)


def test_who_is_to_be_asked_for_more_than_the_flag_is_audited_too() -> None:
    """Of what only telemetry_info tells."""
    given = answer()
    tally, following = enforced(given, telemetry_senders=True)
    assert following is not None and following.errand.function == "telemetry_info" and not tally.filed
    assert following.errand.params["senders"] is not None and not following.circumstances.edited
    assert {"launch_scripts", "attach", "connectivity"} <= {*ARGUMENTS["telemetry_flag"]} & {
        *ARGUMENTS["telemetry_info"]
    }


def down(given: dict[str, Any]) -> dict[str, Any]:
    """The same, and the service is not running."""
    given["state"]["installations"][0]["running"] = "not_running"
    return given


def without_flag_in(given: dict[str, Any], clock: str) -> dict[str, Any]:
    """The same, and a clock says otherwise."""
    given["state"]["installations"][0][clock] = "disabled"
    return given


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (answer(**OWES), "it owes an edit"),
        (answer(notes=["what a run that was killed had left would be removed beside /a"]), "it owes an edit"),
        (answer(reload_required=True), "it owes a daemon-reload"),
        (without_flag_in(answer(), "running"), "it owes a restart"),
        (down(answer()), "it owes a restart"),  # perhaps left so by a run that was killed
        ({"failed": True, "msg": "sudo there refuses"}, "what it owes is not known"),
        (answer(failed=True, msg="refused", refused=["it is not known"]), "what it owes is not known"),
    ],
)
def test_who_owes_something_is_left(given: dict[str, Any], reason: str) -> None:
    tally, following = enforced(given, telemetry_restart="now")
    assert following is None and tally.left == {"cm1": reason}
    assert not tally.filed and not tally.edits


def test_a_reload_that_is_not_wanted_is_no_debt() -> None:
    tally, _following = enforced(answer(reload_required=True), telemetry_restart="now", telemetry_daemon_reload="false")
    assert not tally.left and "cm1" in tally.filed


def test_who_was_edited_is_audited_then() -> None:
    tally, following = enforced(answer(**OWES))
    assert tally.edits == [("cm1", ["edit"], [FILE])]
    assert not tally.left and not tally.filed
    assert following is not None and following.circumstances.edited
    assert (following.errand.function, following.errand.edits) == ("telemetry_info", False)
    state = {"state": {"seen": "again"}}
    assert foresight.Enforcing(tally, False).answered(following, state) is None
    assert tally.filed == {"cm1": state}


def test_who_was_edited_and_owes_a_reload_is_left_with_its_record() -> None:
    tally, following = enforced(answer(**OWES, reload_required=True))
    assert following is None and tally.left == {"cm1": "it owes a daemon-reload"}
    assert tally.edits == [("cm1", ["edit"], [FILE])] and not tally.filed


@pytest.mark.parametrize(
    ("given", "kinds", "left"),
    [
        ({"unreachable": True, "msg": "ssh: connect to host a port 22: Connection refused"}, None, False),
        ({"unreachable": True, "msg": "client_loop: send disconnect: Broken pipe"}, ["attempt"], True),
        ({"unreachable": True, "msg": "words that nobody knows"}, ["attempt"], True),
        (
            {
                "unreachable": True,
                "msg": "Read from remote host 10.0.0.5: Connection timed out\r\nclient_loop: send disconnect: Broken pipe",
            },
            ["attempt"],
            True,
        ),
        ({"unreachable": True, "msg": "client_loop: send disconnect: Network is unreachable"}, ["attempt"], True),
        ({"failed": True, "late": True, "msg": "it did not answer within 150 seconds"}, ["attempt"], True),
        ({"failed": True, "msg": "the program on the host ended without an answer"}, ["attempt"], True),
        (answer(failed=True, msg="refused", refused=["it is refused"]), [], True),
        (answer(failed=True, msg="refused", refused=["one is refused"], **OWES), ["edit"], True),
    ],
)
def test_an_edit_of_which_not_all_is_known(given: dict[str, Any], kinds: list[str] | None, left: bool) -> None:
    """Nothing is done that is not recorded, and who may have been edited is looked at again."""
    tally, following = enforced(given)
    assert following is None
    assert [kinds for _host, kinds, _files in tally.edits] == ([] if kinds is None else [kinds])
    assert (bool(tally.left), bool(tally.filed)) == (left, not left)


@pytest.mark.parametrize(
    "given",
    [
        {"unreachable": True, "msg": "ssh: connect to host a port 22: Connection refused"},
        {"failed": True, "late": True, "msg": "it did not answer within 60 seconds (telemetry_sweep_limit)"},
    ],
)
def test_who_does_not_answer_is_judged_so_and_not_asked_again(given: dict[str, Any]) -> None:
    tally, following = enforced(given, telemetry_restart="now")
    assert following is None and not tally.left and tally.filed == {"cm1": given}


def planned(given: dict[str, Any] | None, **variables: Any) -> Tally:
    """A host asked for a plan."""
    settings = {"telemetry_desired": "enabled", **variables}
    tally = Tally()
    purpose = foresight.Planning(tally)
    errand = purpose.errand("cm1", settings, Circumstances())
    assert (errand is None) is (given is None)
    if errand is not None and given is not None:
        assert not errand.edits and errand.params["connectivity"] is None
        known = Known("cm1", settings, Circumstances(), errand)
        assert purpose.answered(known, given) is None
    return tally


def test_a_plan() -> None:
    entry = planned(answer(**OWES)).entries["cm1"]
    assert [edit["path"] for edit in entry["edits"]] == [FILE] and entry["error"] is None
    assert planned(None, telemetry_desired="unmanaged").entries["cm1"]["enforced"] is False
    assert "telemetry_desired" in planned(None, telemetry_desired="off").entries["cm1"]["error"]
    assert planned({"failed": True, "msg": "it is refused"}).entries["cm1"]["error"] == "it is refused"
    dead = planned({"unreachable": True, "msg": "ssh: connect to host a port 22: Connection refused"})
    assert "Connection refused" in dead.entries["cm1"]["error"]


def test_an_errand_that_edits_is_known_by_that() -> None:
    flag = {"state": "disabled"}
    assert Errand.of(foresight.FLAG, flag, False).edits and not Errand.of(foresight.FLAG, flag, True).edits
    assert not Errand.of(foresight.INFO, {}, False).edits
    known = Known("cm1", {}, Circumstances(), Errand.of(foresight.INFO, {}, False))
    assert replace(known, host="cm2").errand is known.errand

"""The plan: batches as Ansible forms them, entries, comparing a host with its entry, the document and its Markdown."""

from __future__ import annotations

import copy
import datetime
import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from ansible import context
from ansible.executor.playbook_executor import PlaybookExecutor
from ansible.inventory.manager import InventoryManager
from ansible.module_utils.common.collections import ImmutableDict
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play import Play
from ansible.vars.manager import VariableManager
from schemas import validate

from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import Policy, policy_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart import _plan

TODAY = datetime.date(2026, 11, 23)
OLD, NEW, OTHER = "a" * 64, "b" * 64, "c" * 64
FILE = "/etc/default/cloudbees-core-cm"
DROP_IN = "/etc/systemd/system/jenkins.service.d/zzz-cbops-telemetry.conf"
CHECKOUT = Path(__file__).parent.parent.parent


def policy(**variables: Any) -> Policy:
    """A policy that wants telemetry off, and these variables."""
    return policy_of({"telemetry_desired": "disabled", **variables})


def answer(
    path: str | None = FILE,
    running: str = "enabled",
    next_start: str = "enabled",
    service: str | None = "cm",
    reload_required: bool = False,
) -> dict[str, Any]:
    """What telemetry_flag says in check mode of a host with one installation and an edit of ``path``."""
    installation = {
        "name": "cloudbees-core-cm",
        "service": service,
        "on_disk": next_start,
        "next_start": next_start,
        "running": running,
        "on_disk_detail": {},
        "next_start_detail": {},
        "running_detail": {},
        "launch": {"file": FILE, "variable": "JAVA_ARGS"},
        "declarations": [],
    }
    edits = [] if path is None else [{"path": path, "before": OLD, "after": NEW, "backup": None}]
    return {
        "files": edits,
        "reload_required": reload_required,
        "state": {"installations": [installation]},
        "diff": [{"before_header": edit["path"], "before": "", "after": "line 8: ... -D=true ...\n"} for edit in edits],
    }


def entry(restart: str = "now", daemon_reload: bool = True, rendered: Any = (), **more: Any) -> dict[str, Any]:
    """The entry of such a host."""
    return _plan.entry_of("cm1", policy(telemetry_restart=restart), TODAY, answer(**more), rendered, daemon_reload)


# -- batches ----------------------------------------------------------------------------------------


@pytest.fixture
def executor() -> Iterator[PlaybookExecutor]:
    """Ansible's own, on a hundred hosts."""
    before, context.CLIARGS = context.CLIARGS, ImmutableDict(listhosts=True, syntax=False)
    loader = DataLoader()
    inventory = InventoryManager(loader, sources=["".join(f"host-{number}," for number in range(100))])
    yield PlaybookExecutor([], inventory, VariableManager(loader, inventory), loader, {})
    context.CLIARGS = before


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 11, 100])
@pytest.mark.parametrize(
    "serial",
    [
        1,
        3,
        0,
        -1,
        "2",
        "20%",
        "0%",
        "100%",
        "1%",
        [1, 2, 5, "20%"],
        [2, "50%"],
        ["10%", 0],
        [],
        list(_plan.DEFAULT_SERIAL),
    ],
)
def test_batches_are_those_of_ansible(executor: PlaybookExecutor, count: int, serial: Any) -> None:
    hosts = [f"host-{number}" for number in range(count)] or ["all", "!all"]
    serials = serial if isinstance(serial, list) else [serial]
    play = Play.load(
        {"hosts": ":".join(hosts), "serial": serials, "gather_facts": False},
        variable_manager=executor._variable_manager,
        loader=executor._loader,
    )
    expected = [number for number, batch in enumerate(executor._get_serialized_batches(play), 1) for _host in batch]
    assert len(expected) == count
    assert _plan.batches(count, serial) == expected


@pytest.mark.parametrize("serial", ["many", "x%", None, [1, "1,3"], {}])
def test_a_serial_that_is_none(serial: Any) -> None:
    with pytest.raises(ValueError, match="telemetry_restart_serial"):
        _plan.batches(5, serial)


def test_the_default_is_that_of_the_restart_play() -> None:
    plays = yaml.safe_load((CHECKOUT / "playbooks/enforce.yml").read_text())
    serial = next(play["serial"] for play in plays if "serial" in play)
    assert f"default({list(_plan.DEFAULT_SERIAL)})" in serial


# -- entries ----------------------------------------------------------------------------------------


def test_an_entry_says_what_enforce_would_do() -> None:
    assert entry() == {
        "host": "cm1",
        "desired": "disabled",
        "enforced": True,
        "reload": False,
        "restarts": ["cm"],
        "restarts_owed": [],
        "other_changes": [],
        "error": None,
        "edits": [{"path": FILE, "before": OLD, "after": NEW, "summary": "flag put in (line 8)"}],
        "reasons": [f"cloudbees-core-cm: the flag is not in JAVA_ARGS in {FILE}; run enforce"],
    }


@pytest.mark.parametrize(
    ("options", "restarts", "owed"),
    [
        ({"restart": "never"}, [], ["cm"]),
        ({"running": "disabled"}, [], []),
        ({"running": "not_running"}, [], []),
        ({"running": "unknown"}, [], []),
        ({"running": "mixed"}, ["cm"], []),
        ({"service": None}, [], ["cloudbees-core-cm"]),
        ({"path": None, "next_start": "disabled"}, ["cm"], []),
        ({"path": DROP_IN}, ["cm"], []),
        ({"path": DROP_IN, "daemon_reload": False}, [], ["cm"]),
        ({"next_start": "unresolvable"}, [], ["cm"]),
        ({"next_start": "unresolvable", "reload_required": True}, ["cm"], []),
    ],
)
def test_restarts_and_what_stays_owed(options: dict[str, Any], restarts: list[str], owed: list[str]) -> None:
    found = entry(**options)
    assert (found["restarts"], found["restarts_owed"]) == (restarts, owed)


def brought(kind: str, allow: list[str]) -> dict[str, Any]:
    """The entry of a host whose restart would bring something else."""
    said = answer()
    said["state"]["installations"][0].update(
        restart_brings=[{"kind": kind, "what": "it is | another one"}], processes=[]
    )
    return _plan.entry_of("cm1", policy(telemetry_restart="now"), TODAY, said, (), True, allow)


@pytest.mark.parametrize(
    ("kind", "allow", "refused"),
    [
        ("war", [], True),
        ("war", ["war"], False),
        ("launch", [], False),
        ("unknown", [], False),
        ("broken", ["war", "java", "unit", "plugins"], True),
    ],
)
def test_a_restart_that_would_start_something_else(kind: str, allow: list[str], refused: bool) -> None:
    found = brought(kind, allow)
    assert (found["restarts"], found["restarts_owed"]) == (([], ["cm"]) if refused else (["cm"], []))
    assert found["other_changes"] == [
        {"service": "cm", "kind": kind, "what": "it is | another one", "refused": refused}
    ]
    document = _plan.document_of([found], [1])
    validate(document)
    for text in (_plan.words(document), html.unescape(_plan.markdown(document)).replace("\\|", "|")):
        assert "it is | another one" in text
        assert ("(refused)" in text) is refused


def test_a_restart_that_would_start_something_that_was_not_planned() -> None:
    planned = entry()
    assert _plan.differences(planned, brought("war", ["war"])) == [
        "a restart of cm would start something else that was not planned: it is | another one"
    ]
    assert _plan.differences(brought("war", ["war"]), brought("war", ["war"])) == []
    assert _plan.differences(planned, brought("war", [])) == [], "it is not made"
    assert _plan.differences(planned, brought("launch", [])) == [], "its content is compared"
    del planned["other_changes"]
    assert _plan.differences(planned, entry()) == [], "a plan of an earlier version"
    assert _plan.differences(brought("war", []), brought("war", ["war"])) == [
        "a restart of cm is needed that was not planned"
    ]


@pytest.mark.parametrize(
    ("options", "reload"),
    [
        ({}, False),
        ({"path": DROP_IN}, True),
        ({"path": DROP_IN, "daemon_reload": False}, False),
        ({"path": None, "reload_required": True}, True),
        ({"path": "/etc/systemd/system/cm.service"}, True),
        ({"path": "/etc/systemd/cm.env"}, False),
    ],
)
def test_a_reload_where_a_unit_is_edited_or_owes_it(options: dict[str, Any], reload: bool) -> None:
    assert entry(**options)["reload"] is reload


def test_a_drop_in_that_is_only_given_to_root_needs_no_reload() -> None:
    said = answer(path=DROP_IN)
    said["files"][0]["after"] = OLD
    found = _plan.entry_of("cm1", policy(telemetry_restart="now"), TODAY, said, (), True)
    assert (found["edits"][0]["summary"], found["reload"]) == ("given to root", False)


def test_a_rendered_file_takes_the_place_of_its_edit() -> None:
    rendered = [{"path": FILE, "before": OLD, "after": OTHER, "summary": "rendered from x.j2"}]
    assert entry(rendered=rendered)["edits"] == rendered


@pytest.mark.parametrize(
    ("before", "after", "old", "new", "words"),
    [
        (OLD, NEW, "", "line 8: ... -D=true ...\n", "flag put in (line 8)"),
        (OLD, NEW, "line 8: ... -D=true ...\n", "", "flag taken out (line 8)"),
        (OLD, NEW, "line 8: ... -D=false ...\n", "line 8: ... -D=true ...\n", "flag put in (line 8)"),
        (None, NEW, "", "line 4: ... -D=true ...\n", "new file (line 4)"),
        (OLD, None, "line 4: ... -D=true ...\n", "", "removed"),
    ],
)
def test_summary(before: str | None, after: str | None, old: str, new: str, words: str) -> None:
    assert _plan.summary({"before": before, "after": after}, {"before": old, "after": new}) == words


def test_hosts_that_enforce_leaves_alone() -> None:
    waiver = {"until": "2199-12-31", "reason": "case 1", "approved_by": "Jo Doe"}
    waived = _plan.idle("cm1", policy(telemetry_waiver=waiver), TODAY)
    assert (waived["enforced"], waived["edits"]) == (False, [])
    assert waived["reasons"] == ["waived until 2199-12-31: case 1 (approved by Jo Doe)"]
    unmanaged = _plan.idle("cm1", policy_of({"telemetry_desired": "unmanaged", "telemetry_waiver": waiver}), TODAY)
    assert unmanaged["reasons"] == ["telemetry_desired is unmanaged"]


# -- holding a host to its entry --------------------------------------------------------------------


def changed(**values: Any) -> dict[str, Any]:
    """The entry with other values."""
    return {**copy.deepcopy(entry()), **values}


def edit(**values: Any) -> list[dict[str, Any]]:
    """Its edit with other values."""
    return [{**entry()["edits"][0], **values}]


@pytest.mark.parametrize(
    "now",
    [
        entry(),
        entry(path=None, next_start="disabled"),
        entry(path=None, next_start="disabled", running="disabled"),
        changed(edits=edit(summary="other words")),
        changed(restarts=[], restarts_owed=["cm"]),
    ],
)
def test_as_planned_or_partly_done_already(now: dict[str, Any]) -> None:
    assert _plan.differences(entry(), now) == []


@pytest.mark.parametrize(
    ("planned", "now", "said"),
    [
        (
            entry(),
            changed(edits=edit(before=OTHER)),
            f"{FILE}: it was changed since .*{OLD[:12]} in the plan, c{{12}} now",
        ),
        (entry(), changed(edits=edit(before=None)), "no file now"),
        (entry(), changed(edits=edit(after=OTHER)), f"{FILE}: another content would be written"),
        (entry(), changed(edits=edit(path="/etc/x")), "/etc/x: an edit is needed that was not planned"),
        (entry(), changed(desired="enabled"), "telemetry_desired is enabled, planned was disabled"),
        (changed(restarts=[]), entry(), "a restart of cm is needed that was not planned"),
        (entry(), changed(reload=True), "a daemon-reload is needed that was not planned"),
        (_plan.broken("cm1", "it is off"), entry(), "could not be planned: it is off"),
        (entry(), _plan.broken("cm1", "no become"), "what would be done now is not known: no become"),
        (
            _plan.idle(
                "cm1", policy(telemetry_waiver={"until": "2026-11-23", "reason": "x", "approved_by": "y"}), TODAY
            ),
            entry(),
            f"{FILE}: an edit is needed that was not planned",
        ),
    ],
)
def test_what_no_longer_matches_is_named(planned: dict[str, Any], now: dict[str, Any], said: str) -> None:
    assert re.search(said, "; ".join(_plan.differences(planned, now)))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read"),
        ("{", "is no JSON"),
        ("[]", "is no plan"),
        ('{"schema": "x"}', "is no plan"),
        ('{"schema": "cbops.telemetry/plan/1", "hosts": 5}', "is no plan"),
        ('{"schema": "cbops.telemetry/plan/1", "hosts": ["cm2", {}]}', "the host is not in the plan"),
        (json.dumps(_plan.document_of([entry()], 1)), "the host is not in the plan"),
    ],
)
def test_a_file_that_is_no_plan_of_the_host(tmp_path: Path, content: str | None, said: str) -> None:
    path = tmp_path / "plan.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(_plan.PlanError, match=said):
        _plan.read_entry(path, "cm2")


@pytest.mark.parametrize(
    "damage",
    [{"edits": 5}, {"edits": [{}]}, {"edits": [{"path": FILE}]}, {"edits": edit(before=5)}, {"restarts": None}],
)
def test_a_damaged_entry_matches_nothing(damage: dict[str, Any]) -> None:
    with pytest.raises(_plan.PlanError, match="damaged"):
        _plan.differences(changed(**damage), entry())
    with pytest.raises(_plan.PlanError, match="damaged"):
        _plan.differences({"host": "cm1"}, entry())


# -- the document -----------------------------------------------------------------------------------


def test_the_document_is_as_its_schema_says_and_reads_back(tmp_path: Path) -> None:
    idle = _plan.idle("cm2", policy_of({"telemetry_desired": "unmanaged"}), TODAY)
    document = json.loads(json.dumps(_plan.document_of([entry(), idle, _plan.broken("cm3", "it is off")], "50%")))
    validate(document)
    assert [item["batch"] for item in document["hosts"]] == [1, 2, 3]
    (tmp_path / "plan.json").write_text(json.dumps(document))
    assert _plan.differences(_plan.read_entry(tmp_path / "plan.json", "cm1"), entry()) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("batch", 0),
        ("batch", None),
        ("desired", "off"),
        ("error", "why"),
        ("restarts", "cm"),
        ("content", "x"),
        ("edits", [{"path": FILE, "before": "x", "after": NEW, "summary": ""}]),
        ("edits", [{"path": FILE, "before": OLD, "after": NEW, "summary": "", "content": "-Dpassword=x"}]),
    ],
)
def test_damaged_plans_are_refused_by_the_schema(key: str, value: Any) -> None:
    document = _plan.document_of([entry()], 1)
    document["hosts"][0][key] = value
    with pytest.raises(jsonschema.ValidationError):
        validate(document)


def test_the_markdown_shows_what_is_to_be_done_and_what_is_wrong() -> None:
    idle = _plan.idle("quiet", policy_of({"telemetry_desired": "unmanaged"}), TODAY)
    owed = entry(path=None, next_start="disabled", restart="never")
    bad = _plan.broken("cm|3", "<b>no</b> `answer`\nat all")
    text = _plan.markdown(_plan.document_of([entry(), idle, owed, bad], 2))
    lines = text.splitlines()
    assert lines[2] == "4 hosts: 1 edits, 1 restarts; nothing to do on 2, cannot be planned: 1"
    read = [re.sub(r"</?code>", "", html.unescape(line)) for line in lines]
    assert read[6] == f"| 1 | cm1 | disabled | {FILE}: flag put in (line 8) | - | cm | - |"
    assert read[7] == "| 2 | cm1 | disabled | - | - | - | a restart is owed: cm |"
    assert read[8] == "| 2 | cm|3 | unknown | - | - | - | cannot be planned: <b>no</b> `answer`\\u000aat all |"
    assert not re.search(r"[@`]|<b>|cm\|3", text)
    assert "quiet" not in text

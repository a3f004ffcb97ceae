"""Undo on the control node: which restarts it leads to, and what it says where the host keeps no backup."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.cbops.telemetry.plugins.action.telemetry_undo import _RUN, missing, states_of, untold
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report import _manual


def entry(on_disk: str, next_start: str, running: str, service: str | None = "cm.service") -> dict[str, Any]:
    """What the state says of an installation."""
    return {"name": "cm", "service": service, "on_disk": on_disk, "next_start": next_start, "running": running}


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([entry("enabled", "enabled", "disabled")], ["enabled"]),
        ([entry("enabled", "enabled", "enabled")], []),
        ([entry("enabled", "enabled", "mixed"), entry("disabled", "disabled", "enabled")], ["disabled", "enabled"]),
        ([entry("enabled", "enabled", "not_running")], []),
        ([entry("enabled", "enabled", "unknown")], []),
        ([entry("enabled", "disabled", "disabled")], []),  # a reload is owed: a restart would not bring it
        ([entry("unresolvable", "unresolvable", "disabled")], []),
        ([entry("enabled", "enabled", "disabled", None)], []),
    ],
)
def test_what_is_restarted_to_what_its_next_start_gives(entries: list[dict[str, Any]], expected: list[str]) -> None:
    assert states_of({"installations": entries}) == expected


def test_files_of_the_record_without_a_backup_are_named() -> None:
    undone = [{"path": "/etc/default/cm"}]
    assert missing(["/etc/default/cm"], undone, "R") == missing([], [], "R") == []
    [told] = missing(["/etc/default/cm", "/etc/x"], undone, "R")
    assert told.startswith("/etc/x: run R edited it by its record, and this host keeps no backup by that run")


def test_that_a_checkbox_put_back_restarts_nothing_is_said() -> None:
    toggle = {"declared": {"collected": None, "reason": "x"}, "on_disk": {"collected": True, "file": "/h/x.xml"}}
    runs, stopped = ({**entry("disabled", "disabled", now), "toggle": toggle} for now in ("disabled", "not_running"))
    undone = [{"path": "/h/x.xml", "changed": True}]
    [told] = untold({"installations": [runs, stopped, entry("disabled", "disabled", "disabled")]}, undone)
    assert told.startswith("cm: CloudBees' toggle is as it was in /h/x.xml, and an undo restarts nothing for it")
    assert _manual.entry_of(told) == "toggle-not-as-wanted"
    assert untold({"installations": [runs]}, [{"path": "/h/x.xml", "changed": False}]) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "../20261231T235959Z-0123abcd",
        "20261231T235959Z-0123abcd\n",
        "20261231T235959Z-0123ABCD",
        "٢٠261231T235959Z-0123abcd",
    ],
)
def test_what_is_no_run(text: str) -> None:
    assert _RUN.fullmatch("20261231T235959Z-0123abcd") and not _RUN.fullmatch(text)

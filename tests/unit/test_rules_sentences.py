"""What a person reads of each finding, and what is owed by it: every sentence of the rules once."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.cbops.telemetry.plugins.module_utils.rules import _findings as rules

LAUNCH = {"file": "/etc/default/cm", "variable": "JAVA_ARGS"}


def entry(on_disk: str, next_start: str, running: str, **more: Any) -> dict[str, Any]:
    """An installation of the state document."""
    return {
        "name": "cm",
        "service": "cm.service",
        "on_disk": on_disk,
        "next_start": next_start,
        "running": running,
        **more,
    }


def told(found: list[rules.Finding]) -> list[tuple[str, str, str, tuple[str, ...]]]:
    assert all(one.subject == "cm" for one in found)
    return [(one.about, one.verdict, one.sentence, one.debts) for one in found]


def one(about: str, verdict: str, sentence: str = "", *debts: str) -> tuple[str, str, str, tuple[str, ...]]:
    return about, verdict, f"cm: {sentence}" if sentence else "", debts


PENDING = "the files are right, but the running JVM has telemetry enabled; a restart of cm.service is owed"


@pytest.mark.parametrize(
    ("clocks", "expected"),
    [
        (
            ("disabled", "disabled", "disabled"),
            [one("on_disk", "compliant"), one("next_start", "compliant"), one("running", "compliant")],
        ),
        (
            ("disabled", "disabled", "enabled"),
            [
                one("on_disk", "compliant"),
                one("next_start", "compliant"),
                one("running", "restart_pending", PENDING, "restart"),
            ],
        ),
        (
            ("disabled", "disabled", "mixed"),
            [
                one("on_disk", "compliant"),
                one("next_start", "compliant"),
                one("running", "restart_pending", PENDING.replace("enabled", "mixed"), "restart"),
            ],
        ),
        (
            ("disabled", "disabled", "not_running"),
            [
                one("on_disk", "compliant"),
                one("next_start", "compliant"),
                one("running", "compliant", "not running; its next start has telemetry disabled"),
            ],
        ),
        (
            ("disabled", "disabled", "unknown"),
            [
                one("on_disk", "compliant"),
                one("next_start", "compliant"),
                one("running", "unknown", "the running value is not known: no reason was given"),
            ],
        ),
        (
            ("disabled", "enabled", "enabled"),
            [
                one("on_disk", "compliant"),
                one(
                    "next_start",
                    "restart_pending",
                    "the files are right, but systemctl daemon-reload and then a restart of cm.service are owed",
                    "reload",
                ),
                one("running", "restart_pending", "", "restart"),
            ],
        ),
        (
            ("disabled", "enabled", "not_running"),
            [
                one("on_disk", "compliant"),
                one(
                    "next_start",
                    "restart_pending",
                    "the files are right, but systemctl daemon-reload is owed; it is not running",
                    "reload",
                ),
                one("running", "compliant"),
            ],
        ),
        (
            ("disabled", "enabled", "unknown"),
            [
                one("on_disk", "compliant"),
                one(
                    "next_start",
                    "restart_pending",
                    "the files are right, but systemctl daemon-reload is owed; whether a restart is, is not known: no "
                    "reason was given",
                    "reload",
                ),
                one("running", "unknown"),
            ],
        ),
        (
            ("disabled", "enabled", "disabled"),
            [
                one("on_disk", "compliant"),
                one(
                    "next_start",
                    "violation",
                    "the next start would run with telemetry enabled: the service manager has an older unit loaded; run "
                    "systemctl daemon-reload",
                    "reload",
                ),
                one("running", "compliant"),
            ],
        ),
        (
            ("disabled", "unknown", "enabled"),
            [
                one("on_disk", "compliant"),
                one("next_start", "unknown", "what is loaded for its next start is not known: no reason was given"),
                one("running", "unknown", "", "restart"),
            ],
        ),
        (
            ("enabled", "enabled", "enabled"),
            [
                one("on_disk", "violation", "the flag is not in JAVA_ARGS in /etc/default/cm; run enforce", "edit"),
                one("next_start", "violation"),
                one("running", "violation"),
            ],
        ),
        (
            ("enabled", "disabled", "not_running"),
            [
                one("on_disk", "violation", "the flag is not in JAVA_ARGS in /etc/default/cm; run enforce", "edit"),
                one("next_start", "compliant"),
                one("running", "compliant"),
            ],
        ),
        (
            ("unresolvable", "enabled", "enabled"),
            [
                one("on_disk", "unknown", "what the next start would do cannot be resolved: no reason was given"),
                one("next_start", "unknown"),
                one("running", "violation", "the running JVM has telemetry enabled"),
            ],
        ),
        (
            ("unresolvable", "unknown", "unknown"),
            [
                one("on_disk", "unknown", "what the next start would do cannot be resolved: no reason was given"),
                one("next_start", "unknown"),
                one("running", "unknown"),
            ],
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_the_three_clocks(clocks: tuple[str, str, str], expected: list[Any]) -> None:
    assert told(rules.of_installation(entry(*clocks, launch=LAUNCH), "disabled")) == expected


@pytest.mark.parametrize(
    ("more", "desired", "sentence"),
    [
        ({}, "disabled", "the flag is not in its launch configuration; run enforce"),
        ({"launch": {"file": "/etc/x"}}, "disabled", "the flag is not in /etc/x; run enforce"),
        (
            {"on_disk_detail": {"file": "/etc/x", "line": 3}},
            "disabled",
            "/etc/x:3 sets the flag to another value than true; run enforce",
        ),
        (
            {
                "launch": LAUNCH,
                "on_disk_detail": {"file": "/etc/x"},
                "declarations": [
                    {"live": True, "value": "true", "file": "/no", "line": 1},
                    {"live": False, "value": "false", "file": "/no", "line": 1},
                    {"live": False, "value": "TRUE", "file": "/etc/y", "line": 4, "reason": "it is not read"},
                    {"live": False, "value": "true", "file": "/etc/z", "line": 5},
                ],
            },
            "disabled",
            "the flag in /etc/y:4 has no effect (it is not read); run enforce to put it into JAVA_ARGS in /etc/default/cm",
        ),
        (
            {"declarations": [{"live": False, "value": "true", "file": "/etc/y", "line": 4, "reason": "r"}]},
            "disabled",
            "the flag in /etc/y:4 has no effect (r); run enforce to put it into the live launch file",
        ),
        ({}, "enabled", "its launch configuration turns telemetry off; run enforce"),
        ({"on_disk_detail": {"file": "/x", "line": 2}}, "enabled", "/x:2 turns telemetry off; run enforce"),
    ],
)
def test_what_is_wrong_in_the_files(more: dict[str, Any], desired: str, sentence: str) -> None:
    other = "enabled" if desired == "disabled" else "disabled"
    assert told(rules.of_installation(entry(other, other, other, **more), desired))[0] == one(
        "on_disk", "violation", sentence, "edit"
    )


@pytest.mark.parametrize("clock", rules.CLOCKS)
def test_the_reason_of_a_clock_is_its_own(clock: str) -> None:
    clocks = {"on_disk": "disabled", "next_start": "disabled", "running": "disabled", clock: "unknown"}
    detail = {f"{clock}_detail": {"file": "/x", "line": 7, "reason": "because"}}
    found = rules.of_installation(entry(*clocks.values(), **detail), "disabled")
    assert [one.sentence.endswith(": /x:7, because") for one in found] == [name == clock for name in rules.CLOCKS]


def test_a_place() -> None:
    assert rules.where({}) == rules.where({"line": 3}) == ""
    assert rules.where({"file": "/x"}) == "/x" and rules.where({"file": "/x", "line": 3}) == "/x:3"


@pytest.mark.parametrize(
    ("clocks", "owed"),
    [
        (("disabled", "disabled", "disabled"), ()),
        (("disabled", "disabled", "enabled"), ("restart",)),
        (("disabled", "disabled", "mixed"), ("restart",)),
        (("disabled", "disabled", "unknown"), ()),
        (("disabled", "disabled", "not_running"), ()),
        (("disabled", "enabled", "enabled"), ("reload", "restart")),
        (("disabled", "unknown", "enabled"), ("restart",)),
        (("enabled", "disabled", "enabled"), ("edit",)),
        (("unresolvable", "enabled", "enabled"), ()),
    ],
)
def test_what_is_owed(clocks: tuple[str, str, str], owed: tuple[str, ...]) -> None:
    assert rules.owed_by(entry(*clocks), "disabled") == owed
    later = ("restart",) if clocks[2] in ("enabled", "mixed") else ()
    assert rules.owed_after_edit(entry(*clocks), "disabled") == later
    assert rules.restart_helps(entry(*clocks), "disabled") is (owed == ("restart",) and clocks[1] == "disabled")


def answer(outcome: str, target: str = "a:443", **more: Any) -> dict[str, Any]:
    """An answer of the probe."""
    return {"target": target, "outcome": outcome, "message": f"it was {outcome}", **more}


@pytest.mark.parametrize(
    ("wanted", "answers", "expected"),
    [
        ("required", [answer("connected")], [("compliant", "", ())]),
        (
            "required",
            [answer("refused")],
            [("violation", "connectivity is required, but a:443: it was refused", ("probe",))],
        ),
        ("required", [answer("unknown")], [("unknown", "a:443: it was unknown", ())]),
        (
            "required",
            [answer("connected", via="p:3128"), answer("refused"), answer("unknown")],
            [
                (
                    "unknown",
                    "connectivity is required, and only a:443 through the proxy p:3128 gets through; which of the paths "
                    "the plugin takes is not known",
                    (),
                ),
                ("compliant", "", ()),
                ("unknown", "a:443: it was refused", ("probe",)),
                ("unknown", "a:443: it was unknown", ()),
            ],
        ),
        (
            "required",
            [answer("refused"), answer("unknown")],
            [("unknown", "a:443: it was refused", ("probe",)), ("unknown", "a:443: it was unknown", ())],
        ),
        ("forbidden", [answer("refused")], [("compliant", "", ())]),
        (
            "forbidden",
            [answer("connected"), answer("unknown"), answer("refused")],
            [
                ("violation", "connectivity is forbidden, but a:443: it was connected", ("probe",)),
                ("unknown", "", ()),
                ("compliant", "", ()),
            ],
        ),
        (
            "forbidden",
            [answer("unknown"), answer("refused")],
            [
                (
                    "unknown",
                    "connectivity is forbidden, and whether this path is blocked is not known: a:443: it was unknown",
                    (),
                ),
                ("compliant", "", ()),
            ],
        ),
    ],
)
def test_the_paths_to_an_endpoint(wanted: str, answers: list[dict[str, Any]], expected: list[Any]) -> None:
    found = rules.of_endpoint(answers, wanted)
    assert [(one.verdict, one.sentence, one.debts) for one in found] == expected
    assert all((one.about, one.subject) == ("connectivity", "a:443") for one in found)


def test_findings_of_the_probe_are_together_by_endpoint() -> None:
    answers = [answer("connected"), answer("connected", "b:443"), answer("refused")]
    found = rules.of_connectivity(answers, "required")
    assert [[one.subject for one in group] for group in found] == [["a:443"] * 3, ["b:443"]]
    assert rules.of_connectivity(answers, "ignored") == []
    ((nothing,),) = rules.of_connectivity([], "forbidden")
    assert nothing == rules.Finding("connectivity", "", "unknown", "the endpoint was not probed from this node")


@pytest.mark.parametrize(
    ("answers", "egress"),
    [
        ([], "not_probed"),
        ([answer("connected")], "open"),
        ([answer("connected", via="p:1"), answer("refused")], "proxy_only"),
        ([answer("connected", via="p:1"), answer("connected", via="direct")], "open"),
        ([answer("refused"), answer("timeout")], "blocked"),
        ([answer("refused"), answer("unknown")], "unclear"),
    ],
)
def test_where_a_sender_would_get_through(answers: list[dict[str, Any]], egress: str) -> None:
    assert rules.egress_of(answers) == egress


def test_a_host() -> None:
    state = {"installations": [entry("disabled", "disabled", "disabled")], "connectivity": [answer("connected")]}
    assert [[one.about for one in group] for group in rules.of_host(state, "disabled", "required")] == [
        ["on_disk", "next_start", "running"],
        ["connectivity"],
    ]
    assert len(rules.of_host(state, "disabled", "ignored")) == 1
    ((left,),) = rules.of_host(state, "unmanaged", "required")
    assert left == rules.Finding("host", "", "not_applicable", "telemetry_desired is unmanaged")
    nothing = "no operations center or controller was found on this host"
    ((none,),) = rules.of_host({"looked_at": ["units", "wars"]}, "disabled", "required")
    assert none == rules.Finding("host", "", "not_applicable", f"{nothing}; looked at: units, wars")
    ((bare,),) = rules.of_host({}, "disabled", "required")
    assert bare.sentence == nothing
    ((expected,),) = rules.of_host({"looked_at": ["units"]}, "disabled", "required", "present")
    assert (expected.about, expected.verdict) == ("host", "unknown")
    assert expected.sentence.startswith(f"{nothing}, and telemetry_expect is present: ")
    assert expected.sentence.endswith("the inventory is wrong; looked at: units")


def test_levels_and_debts_of_findings() -> None:
    found = [rules.Finding("running", "a", verdict) for verdict in rules.LEVELS]
    assert [one.level for one in found] == ["bad", "bad", "open", "ok", "ok"]
    assert rules.worst_level(found) == "bad" and rules.worst_level(found[2:]) == "open"
    assert rules.worst_level(found[3:]) == "ok" and rules.worst_level([]) == "ok"
    owing = [
        rules.Finding("running", "a", "unknown", "", debts) for debts in (("probe", "restart"), ("edit", "restart"))
    ]
    assert rules.debts_of(owing) == ["edit", "restart", "probe"]
    assert rules.debts_of([rules.Finding("running", "a", "unknown", "", ("reload",))]) == ["reload"]

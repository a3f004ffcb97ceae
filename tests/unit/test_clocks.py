"""Every combination of the three clocks and the policy has the verdict that docs/clocks.md gives it."""

from __future__ import annotations

import datetime
import itertools
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cbops.telemetry.plugins.module_utils.outcomes._outcomes import BLOCKED_OUTCOMES, OUTCOMES
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import (
    VERDICTS,
    Assessment,
    Policy,
    PolicyError,
    Waiver,
    assess,
    assess_installation,
    downs,
    judge,
    policy_of,
    rejudge,
    waiver_of,
    with_waiver,
    worst,
)

PAGE = Path(__file__).parent.parent.parent / "docs/clocks.md"
ROWS = [
    [cell.strip() for cell in line.strip("|\n").split("|")][:4]
    for line in PAGE.read_text().splitlines()
    if line.startswith("|")
][2:]
ON_DISK = ("disabled", "enabled", "unresolvable")
RUNNING = ("disabled", "enabled", "mixed", "not_running", "unknown")
TODAY = datetime.date(2026, 11, 23)


def entry(on_disk: str, next_start: str, running: str) -> dict[str, Any]:
    """An installation of the state document."""
    return {
        "name": "cm",
        "service": "cm.service",
        "launch": {"file": "/etc/default/cm", "variable": "JAVA_ARGS"},
        "declarations": [],
        "on_disk": on_disk,
        "on_disk_detail": {},
        "next_start": next_start,
        "next_start_detail": {},
        "running": running,
        "running_detail": {},
    }


def by_the_page(desired: str, *clocks: str) -> str:
    """The verdict that the table gives."""
    names = {"disabled": "other", "enabled": "other", desired: "wanted"}
    seen = [names.get(clock, clock) for clock in clocks]
    for *cells, verdict in ROWS:
        if all(cell in ("any", clock) for cell, clock in zip(cells, seen, strict=True)):
            return verdict
    raise AssertionError(f"no row fits {seen}")


@pytest.mark.parametrize("desired", ["disabled", "enabled"])
@pytest.mark.parametrize("clocks", list(itertools.product(ON_DISK, ON_DISK, RUNNING)), ids="-".join)
def test_clocks(desired: str, clocks: tuple[str, str, str]) -> None:
    result = assess_installation(entry(*clocks), desired)
    assert result.verdict == by_the_page(desired, *clocks)
    assert result.reasons or (result.verdict == "compliant" and clocks[2] == desired)


def policy(**variables: Any) -> Policy:
    """A policy by its variables."""
    return policy_of({f"telemetry_{name}": value for name, value in {"desired": "disabled", **variables}.items()})


def test_unmanaged_and_empty_hosts_have_no_verdict() -> None:
    state = {"installations": [entry("enabled", "enabled", "enabled")]}
    assert assess(state, policy(desired="unmanaged"), TODAY).verdict == "not_applicable"
    assert assess({"installations": []}, policy(), TODAY).verdict == "not_applicable"


def test_where_a_product_is_expected_nothing_found_is_unknown() -> None:
    state = {"installations": [], "looked_at": ["95 services of systemd", "cron (2)"]}
    result = assess(state, policy(expect="present"), TODAY)
    assert result.verdict == "unknown" and "looked at: 95 services of systemd, cron (2)" in result.reasons[0]
    assert "looked at: 95" in assess(state, policy(), TODAY).reasons[0]
    again = Policy.from_document(policy(expect="present").document())
    assert assess(state, again, TODAY).verdict == "unknown"
    assert "expect" not in policy().document()  # evidence of before looks the same
    assert policy(expect="").expect == ""


@pytest.mark.parametrize(
    ("unit", "down"),
    [
        ({"active": "failed", "sub": "failed", "result": "start-limit-hit", "restarting": False}, "start-limit-hit"),
        ({"active": "activating", "sub": "auto-restart", "result": "exit-code", "restarting": True}, "again and again"),
        ({"active": "inactive", "sub": "dead", "result": "success", "restarting": False}, None),
        ({"active": "active", "sub": "running", "result": "success", "restarting": False}, None),
        (None, None),
    ],
)
def test_what_is_down_is_a_note_and_no_verdict(unit: dict[str, Any] | None, down: str | None) -> None:
    found = {**entry("disabled", "disabled", "not_running"), "unit_state": unit}
    result = assess({"installations": [found]}, policy(), TODAY)
    assert result.verdict == "compliant"
    notes = [reason for reason in result.reasons if "note: it is down" in reason]
    assert [down in note for note in notes] == ([True] if down else [])
    assert len(downs({"state": {"installations": [found]}})) == len(notes)


def test_the_worst_counts() -> None:
    for first, second in itertools.combinations(VERDICTS, 2):
        assert worst([Assessment(second, ["b"]), Assessment(first, ["a"])]) == Assessment(first, ["a", "b"])


def by_network(answers: list[dict[str, Any]], connectivity: str) -> Assessment:
    """The verdict of a host that is right in all but what the probe says."""
    right = {**entry("disabled", "disabled", "disabled"), "senders": []}
    state: Any = {"installations": [right], "connectivity": answers}
    return assess(state, policy(connectivity=connectivity), TODAY)


@pytest.mark.parametrize(
    ("wanted", "outcome", "verdict"),
    [
        ("required", "connected", "compliant"),
        ("required", "refused", "violation"),
        ("required", "timeout", "violation"),
        ("required", "tls_untrusted", "violation"),
        ("required", "unknown", "unknown"),
        ("forbidden", "connected", "violation"),
        ("forbidden", "refused", "compliant"),
        ("forbidden", "timeout", "compliant"),
        ("forbidden", "tls_untrusted", "unknown"),
        ("forbidden", "unknown", "unknown"),
        ("ignored", "refused", "compliant"),
    ],
)
def test_connectivity(wanted: str, outcome: str, verdict: str) -> None:
    answer = {"outcome": outcome, "target": "api.segment.io:443", "message": "said so"}
    assert by_network([answer], wanted).verdict == verdict


@pytest.mark.parametrize(
    ("wanted", "direct", "proxied", "verdict"),
    [
        ("required", "connected", "connected", "compliant"),
        ("required", "timeout", "connected", "unknown"),  # nobody knows which of them the plugin takes
        ("required", "connected", "proxy_denied", "unknown"),
        ("required", "timeout", "proxy_denied", "violation"),
        ("required", "timeout", "unknown", "unknown"),
        ("forbidden", "timeout", "connected", "violation"),
        ("forbidden", "timeout", "proxy_denied", "compliant"),
        ("forbidden", "timeout", "proxy_auth_required", "unknown"),  # the controller may have the password
        ("ignored", "timeout", "connected", "compliant"),
    ],
)
def test_several_paths(wanted: str, direct: str, proxied: str, verdict: str) -> None:
    answers = [
        {"outcome": direct, "target": "api.segment.io:443", "via": "direct", "message": "said so"},
        {"outcome": proxied, "target": "api.segment.io:443", "via": "proxy:3128", "message": "said so"},
    ]
    for order in (answers, answers[::-1]):
        result = by_network(order, wanted)
        assert result.verdict == verdict
        assert bool(result.reasons) == (verdict != "compliant")


@pytest.mark.parametrize(
    ("wanted", "outcome", "java", "verdict"),
    [
        ("required", "connected", False, "violation"),
        ("required", "connected", True, "compliant"),
        ("required", "connected", None, "compliant"),
        ("required", "tls_untrusted", True, "violation"),
        ("forbidden", "tls_untrusted", True, "violation"),
        ("forbidden", "tls_untrusted", False, "unknown"),
    ],
)
def test_the_jvms_own_trust_counts(wanted: str, outcome: str, java: bool | None, verdict: str) -> None:
    answer = {
        "outcome": outcome,
        "target": "api.segment.io:443",
        "message": "said so",
        "java": [{"store": "/cacerts", "trusted": java, "reason": None}],
    }
    assert by_network([answer], wanted).verdict == verdict


@pytest.mark.parametrize("wanted", ["required", "forbidden"])
def test_a_path_that_comes_and_goes_is_neither_open_nor_closed(wanted: str) -> None:
    answer = {
        "outcome": "timeout",
        "target": "api.segment.io:443",
        "message": "said so",
        "samples": {"outcomes": {"timeout": 1, "connected": 9}},
    }
    assert by_network([answer], wanted).verdict == "violation"


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_connectivity_of_every_outcome(outcome: str) -> None:
    """Alone on the direct path: nothing is proven by an outcome that is in neither camp."""
    answer = {"outcome": outcome, "target": "api.segment.io:443", "message": "said so"}
    forbidden = {True: "compliant", False: "unknown"}[outcome in BLOCKED_OUTCOMES]
    assert by_network([answer], "forbidden").verdict == ("violation" if outcome == "connected" else forbidden)
    required = {"connected": "compliant", "unknown": "unknown"}.get(outcome, "violation")
    assert by_network([answer], "required").verdict == required


def test_a_probe_that_was_not_made_is_unknown() -> None:
    assert by_network([], "required").verdict == "unknown"


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize(("until", "covered"), [("2026-11-23", "waived"), ("2026-11-22", "waiver_expired")])
def test_waiver(verdict: str, until: str, covered: str) -> None:
    mine = policy(waiver={"until": until, "reason": "case 1", "approved_by": "Jo"})
    result = with_waiver(Assessment(verdict, ["why"]), mine, TODAY)
    if verdict in ("violation", "restart_pending", "unknown"):
        assert result.verdict == covered
        assert "case 1 (approved by Jo)" in result.reasons[0]
        assert result.reasons[-1] == "why"
    else:
        assert result.verdict == verdict


@pytest.mark.parametrize(
    ("verdict", "until", "warned"),
    [
        ("violation", "2026-12-07", "runs out on 2026-12-07, within 14 days"),
        ("violation", "2026-12-08", None),
        ("violation", "2026-11-23", "runs out on 2026-11-23"),
        ("violation", "2026-11-22", None),
        ("compliant", "2026-12-08", "not needed any more"),
        ("compliant", "2026-01-01", "not needed any more"),
        ("unreachable", "2026-12-01", None),
        ("not_applicable", "2026-12-01", None),
    ],
)
def test_warnings_of_waivers(verdict: str, until: str, warned: str | None) -> None:
    mine = policy(waiver={"until": until, "reason": "case 1", "approved_by": "Jo"})
    warnings = with_waiver(Assessment(verdict, ["why"]), mine, TODAY).warnings
    assert len(warnings) == (warned is not None)
    assert not warned or warned in warnings[0]


@pytest.mark.parametrize(
    ("until", "longest", "valid"),
    [
        ("2027-11-23", None, True),
        ("2027-11-24", None, False),
        ("2026-11-30", 7, True),
        ("2026-12-01", 7, False),
        ("2020-01-01", 0, True),
        ("2026-11-23", 0, True),
        ("2026-11-24", "0", False),
    ],
)
def test_a_waiver_reaches_so_far_and_no_further(until: str, longest: Any, valid: bool) -> None:
    variables = {"telemetry_waiver": {"until": until, "reason": "x", "approved_by": "y"}}
    if longest is not None:
        variables["telemetry_waiver_max_days"] = longest
    assert waiver_of(variables) is not None, "without a day there is nothing to count from"
    if valid:
        assert waiver_of(variables, TODAY) is not None
        return
    with pytest.raises(PolicyError, match="telemetry_waiver_max_days allows"):
        policy_of({"telemetry_desired": "disabled", **variables}, TODAY)


@pytest.mark.parametrize(
    "seen",
    [
        {"installations": [entry("enabled", "enabled", "enabled")]},
        {"installations": [entry("disabled", "disabled", "disabled")]},
        {"installations": []},
        None,
    ],
)
@pytest.mark.parametrize("error", [None, "it broke"])
@pytest.mark.parametrize(
    "variables", [{}, {"desired": "unmanaged"}, {"waiver": {"until": "2026-11-30", "reason": "x", "approved_by": "y"}}]
)
@pytest.mark.parametrize("answered", [True, False])
def test_evidence_judged_again_has_its_verdict(
    seen: Any, error: str | None, variables: dict[str, Any], answered: bool
) -> None:
    """Verification and replay come to what the audit said, from what the evidence holds alone."""
    mine, seen = policy(**variables), seen if answered else None
    error = error if seen is not None else "it did not answer"
    for day in (TODAY, TODAY + datetime.timedelta(days=30)):
        result = judge(mine, seen, error, day, answered)
        again = rejudge(
            {
                "policy": mine.document(),
                "state": seen,
                "error": error,
                "verdict": judge(mine, seen, error, TODAY, answered).verdict,
                "reasons": [],
            },
            day,
        )
        assert again == result
    if answered and seen and seen["installations"] and error and not variables and result.verdict != "violation":
        assert result.verdict == "unknown", "what was not enforced is not compliant"


def test_policy_is_enforced_unless_waived_or_unmanaged() -> None:
    waiver = {"until": "2026-11-23", "reason": "x", "approved_by": "y"}
    assert policy().enforced(TODAY)
    assert not policy(desired="unmanaged").enforced(TODAY)
    assert not policy(waiver=waiver).enforced(TODAY)
    assert policy(waiver=waiver).enforced(TODAY + datetime.timedelta(days=1))
    assert policy(waiver={**waiver, "until": datetime.date(2026, 1, 1), "ticket": 4711}).waiver == Waiver(
        datetime.date(2026, 1, 1), "x", "y", "4711"
    )


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"telemetry_desired": "off"}, "telemetry_desired is 'off'"),
        ({}, "telemetry_desired is not set"),
        ({"telemetry_desired": "disabled", "telemetry_desird": "x"}, "did you mean telemetry_desired"),
        ({"telemetry_desired": "disabled", "telemetry_zzz": 1}, "known are"),
        ({"telemetry_desired": "disabled", "telemetry_max_failures": "few"}, "telemetry_max_failures is 'few'"),
        ({"telemetry_desired": "disabled", "telemetry_backup": "perhaps"}, "telemetry_backup is 'perhaps'; it must be"),
        (
            {"telemetry_desired": "disabled", "telemetry_daemon_reload": []},
            "telemetry_daemon_reload is .*true or false",
        ),
        (
            {"telemetry_desired": "disabled", "telemetry_restart_allow": ["waar"]},
            r"telemetry_restart_allow is \['waar'\]; it is a list, and may have war, java, unit, plugins",
        ),
        (
            {"telemetry_desired": "disabled", "telemetry_restart_allow": {"war": 1, "x": 2}},
            "telemetry_restart_allow is ",
        ),
        ({"telemetry_desired": "disabled", "telemetry_carrier": "pip"}, "telemetry_carrier is 'pip'; it may be auto,"),
        ({"telemetry_desired": "disabled", "telemetry_token": ["x"]}, "telemetry_token must be text$"),
        ({"telemetry_desired": "disabled", "telemetry_url": {"a": "x"}}, "telemetry_url must be text$"),
        ({"telemetry_desired": "disabled", "telemetry_endpoint": "h:1"}, "telemetry_endpoint is 'h:1'; it has a host"),
        ({"telemetry_desired": "disabled", "telemetry_endpoint": {"hots": "h"}}, "it has a host and a port"),
        ({"telemetry_desired": "disabled", "telemetry_launch_templates": "a"}, "must be a list of templates"),
        (
            {"telemetry_desired": "disabled", "telemetry_launch_templates": ["a"]},
            "number 1 has no src, or no absolute p",
        ),
        (
            {
                "telemetry_desired": "disabled",
                "telemetry_launch_templates": [{"src": "a", "dest": "/b"}, {"src": "", "vars": {"pw": "S3CR3T"}}],
            },
            r"number 2 has no src, or no absolute path as its dest \(it has \['src', 'vars'\]\)$",
        ),
        (
            {"telemetry_desired": "disabled", "telemetry_restart_allow": ["x" * 9999]},
            "telemetry_restart_allow is [^;]{90,100}; it is a list",
        ),
        (
            {"telemetry_desired": "disabled", "telemetry_endpoint": {"x" * 9999: 1}},
            "telemetry_endpoint is [^;]{90,100}; it has a host",
        ),
        ({"telemetry_desired": "disabled", "telemetry_url": True}, "telemetry_url must be text$"),
        (
            {"telemetry_desired": "disabled", "telemetry_launch_templates": [{"src": "a", "dest": "b"}]},
            "has no src, or",
        ),
        (
            {"telemetry_desired": "disabled", "telemetry_sweep": False},
            "telemetry_sweep is False; it may be auto, never",
        ),
        ({"telemetry_desired": "disabled", "telemetry_sweep": ["auto"]}, "telemetry_sweep is "),
        (
            {"telemetry_desired": "disabled", "telemetry_sweep_limit": "x"},
            "telemetry_sweep_limit is 'x'; it must be a number of seconds, from 1 to 3600",
        ),
        ({"telemetry_desired": "disabled", "telemetry_sweep_limit": 0.5}, "telemetry_sweep_limit is 0.5; it must be"),
        ({"telemetry_desired": "disabled", "telemetry_sweep_limit": [60]}, "telemetry_sweep_limit is .*; it must be"),
        ({"telemetry_desired": "disabled", "telemetry_sweep_limit": True}, "telemetry_sweep_limit is True; it must be"),
        (
            {"telemetry_desired": "disabled", "telemetry_probe_timeout": float("nan")},
            "telemetry_probe_timeout is nan; it must be a number of seconds, more than 0 and at most 60",
        ),
        (
            {"telemetry_desired": "disabled", "telemetry_probe_timeout": "0"},
            "telemetry_probe_timeout is '0'; it must be",
        ),
        (
            {"telemetry_desired": "disabled", "telemetry_probe_timeout": {"s": 1}},
            "telemetry_probe_timeout is .*; it must be",
        ),
        ({"telemetry_desired": "disabled", "telemetry_probe_timeout": 10**400}, "telemetry_probe_timeout is 1000"),
        (
            {"telemetry_desired": "disabled", "telemetry_prove_timeout": "4"},
            "telemetry_prove_timeout is '4'; it must be a number of seconds, from 5 to 60",
        ),
        ({"telemetry_desired": "disabled", "telemetry_prove_timeout": [20]}, "telemetry_prove_timeout is "),
        (
            {"telemetry_desired": "disabled", "telemetry_probe_via": {"direct": 1}},
            "telemetry_probe_via must be a list of texts",
        ),
        ({"telemetry_desired": "disabled", "telemetry_probe_via": [1]}, "telemetry_probe_via must be a list of texts"),
        ({"telemetry_desired": "disabled", "telemetry_probe_via": []}, "telemetry_probe_via: via must not be empty"),
        (
            {"telemetry_desired": "disabled", "telemetry_probe_via": "direct, proxy"},
            "telemetry_probe_via: via: ' proxy' is neither direct nor configured",
        ),
        (
            {"telemetry_desired": "disabled", "telemetry_probe_endpoints": "a:443"},
            "telemetry_probe_endpoints must be a list of texts",
        ),
        (
            {"telemetry_desired": "disabled", "telemetry_probe_endpoints": [{"host": "a"}]},
            "telemetry_probe_endpoints must be a list of texts",
        ),
        (
            {"telemetry_desired": "disabled", "telemetry_probe_endpoints": ["a:x"]},
            "telemetry_probe_endpoints: 'a:x' is no endpoint",
        ),
        (
            {"telemetry_desired": "disabled", "telemetry_installations": "cm"},
            "telemetry_installations must be a list of names",
        ),
        (
            {"telemetry_desired": "disabled", "telemetry_installations": {"cm": 1}},
            "telemetry_installations must be a list of names",
        ),
        (
            {"telemetry_desired": "disabled", "telemetry_installations": [1]},
            "telemetry_installations must be a list of names",
        ),
        (
            {"telemetry_desired": "disabled", "telemetry_settle": "1.5"},
            "telemetry_settle is '1.5'; it must be a number of",
        ),
        ({"telemetry_desired": "disabled", "telemetry_restart_timeout": 0}, "telemetry_restart_timeout is 0"),
        ({"telemetry_desired": "disabled", "telemetry_probe_count": True}, "telemetry_probe_count is True"),
        ({"telemetry_desired": "disabled", "telemetry_restart": "when_idle"}, "telemetry_url must name the controller"),
        (
            {"telemetry_desired": "disabled", "telemetry_controllers": {"cm": {"token": "x"}}},
            "telemetry_controllers: cm must have a url",
        ),
        (
            {"telemetry_desired": "disabled", "telemetry_restart_window": {"zone": "X"}},
            "telemetry_restart_window: zone",
        ),
        ({"telemetry_desired": "disabled", "telemetry_restart": "later"}, "it may be never, when_idle, now"),
        ({"telemetry_desired": "disabled", "telemetry_launch_scripts": "/a"}, "must be a list"),
        ({"telemetry_desired": "disabled", "telemetry_launch_scripts": ["a"]}, "no absolute path"),
        ({"telemetry_desired": "disabled", "telemetry_waiver": "yes"}, "must have"),
        ({"telemetry_desired": "disabled", "telemetry_waiver": {"until": "x"}}, "lacks reason, approved_by"),
        (
            {
                "telemetry_desired": "disabled",
                "telemetry_waiver": {"until": "2026-02-30", "reason": "x", "approved_by": "y"},
            },
            "must be a day",
        ),
        (
            {
                "telemetry_desired": "disabled",
                "telemetry_waiver": {"until": "2026-02-03", "reason": "x", "approved_by": "y", "who": "z"},
            },
            "no key who",
        ),
        (
            {
                "telemetry_desired": "disabled",
                "telemetry_waiver": {"until": "20260203", "reason": "x", "approved_by": "y"},
            },
            "must be a day",
        ),
        (
            {
                "telemetry_desired": "disabled",
                "telemetry_waiver": {"until": datetime.datetime(2026, 2, 3), "reason": "x", "approved_by": "y"},
            },
            "must be a day",
        ),
        (
            {
                "telemetry_desired": "disabled",
                "telemetry_waiver": {"until": "2026-02-03", "reason": "  ", "approved_by": "y"},
            },
            "lacks reason",
        ),
        ({"telemetry_desired": "disabled", "telemetry_waiver_max_days": "long"}, "telemetry_waiver_max_days is 'long'"),
        ({"telemetry_desired": "disabled", "telemetry_waiver_warn_days": -1}, "telemetry_waiver_warn_days is -1"),
    ],
)
def test_policy_that_is_not_valid(variables: dict[str, Any], said: str) -> None:
    with pytest.raises(PolicyError, match=said):
        policy_of(variables)


@pytest.mark.parametrize(
    "variables",
    [
        {"telemetry_sweep": "never", "telemetry_sweep_limit": "90", "telemetry_probe_timeout": "2.5"},
        {"telemetry_sweep_limit": 1.5, "telemetry_probe_timeout": 60, "telemetry_prove_timeout": "30"},
        {"telemetry_probe_via": "direct,configured", "telemetry_probe_endpoints": []},
        {"telemetry_probe_via": ["http://proxy.example.com:3128"], "telemetry_probe_endpoints": ["a:443", "[::1]:8"]},
        {"telemetry_probe_via": None, "telemetry_probe_timeout": None, "telemetry_sweep_limit": None},
        {"telemetry_installations": ["cloudbees-core-cm"]},
        {"telemetry_installations": [], "telemetry_probe_endpoints": None},
    ],
)
def test_policy_that_is_valid(variables: dict[str, Any]) -> None:
    assert policy_of({"telemetry_desired": "disabled", **variables}).desired == "disabled"


def test_switches_and_numbers_may_be_text() -> None:
    assert (
        policy_of(
            {
                "telemetry_desired": "disabled",
                "telemetry_backup": "no",
                "telemetry_daemon_reload": "0",
                "telemetry_settle": "0",
                "telemetry_probe_count": "3",
            }
        )
        == policy()
    )


def test_connectivity_is_required_where_telemetry_is_on() -> None:
    assert policy(desired="enabled").connectivity == "required"
    assert policy().connectivity == "ignored"
    assert policy(connectivity="forbidden").connectivity == "forbidden"

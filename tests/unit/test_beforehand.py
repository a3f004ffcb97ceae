"""What a run needs at its end is looked at before the first host is asked or edited, by the playbooks themselves."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from test_fleet_report import NO_WAY, failed, play, started

from ansible_collections.cbops.telemetry.plugins.action.fleet_report import ActionModule
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect import _beforehand
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._beforehand import (
    REPORTING,
    not_as_it_must_be,
    not_writable,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._fleet import Fleet
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._evidence import UNFINISHED
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._asking import asked
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report import _manual
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._formats import FORMATS

WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "a format": ({"telemetry_report_formats": "json,xml"}, "telemetry_report_formats must be", "report-not-possible"),
    "a verdict": ({"telemetry_fail_on": ["violatoin"]}, "telemetry_fail_on must be", "report-not-possible"),
    "a template": ({"telemetry_report_name": "{{ nothing }}"}, "telemetry_report_name cannot", "report-not-possible"),
    "a slice": ({"telemetry_slice": "4/2"}, "telemetry_slice", "report-not-possible"),
    "a center": ({"telemetry_operations_centers": [{"user": "x"}]}, "missing required", "report-not-possible"),
    "a key": ({"telemetry_signing_key": "/nonexistent/key"}, "/nonexistent/key cannot sign", "not-filed"),
    "a center that is none": (
        {"telemetry_operations_centers": [{"url": "oc.example.com"}]},
        "telemetry_operations_centers: it is no address",
        "report-not-possible",
    ),
    "a folder": ({"telemetry_reports_dir": "/proc/nowhere"}, "/proc/nowhere: No such file", "not-filed"),
    "a file": ({"telemetry_reports_dir": "/etc/passwd"}, "/etc/passwd: it is no folder", "not-filed"),
}


@pytest.mark.parametrize(("variables", "words", "entry"), WRONG.values(), ids=WRONG)
def test_nothing_is_edited_of_which_nothing_could_be_filed(
    tmp_path: Path, variables: dict[str, Any], words: str, entry: str
) -> None:
    done = play(tmp_path, ["a", "b"], playbook="cbops.telemetry.enforce", telemetry_desired="disabled", **variables)
    (said,) = failed(done).values()
    assert done.returncode == 2 and said.startswith("no host was touched, because "), done.stdout + done.stderr
    assert words in said
    assert _manual.entry_of(said) == entry
    assert "Sweep" not in done.stdout and not (tmp_path / "evidence").exists()


def test_a_group_does_not_say_which_hosts_are_looked_at(tmp_path: Path) -> None:
    """It would have no effect, and the others would be edited, too."""
    (tmp_path / "host_vars").mkdir()
    (tmp_path / "host_vars/b.yml").write_text("telemetry_hosts: b\n")
    done = play(tmp_path, ["a", "b"], playbook="cbops.telemetry.enforce", telemetry_desired="disabled")
    (said,) = failed(done).values()
    assert said.startswith("no host was touched: telemetry_hosts has no effect where it is set for b: ")
    assert _manual.entry_of(said) == "no-effect-there"
    # What -e says counts for every host.
    done = play(tmp_path, ["a", "b"], playbook="cbops.telemetry.check_policy", telemetry_hosts="b")
    assert "has no effect" not in done.stdout and "b  " in done.stdout.partition("PLAY RECAP")[2]


def test_what_a_report_takes_is_looked_at_alike() -> None:
    """Each has the type and the values that fleet_report takes."""
    options = ActionModule.ARGUMENTS
    for name, spec in REPORTING.items():
        option = options[name.removeprefix("telemetry_").removeprefix("report_")]
        for key in ("type", "elements", "choices", "options"):
            assert name == "telemetry_report_formats" or spec.get(key) == option.get(key), (name, key)
    assert not_as_it_must_be({"telemetry_report_formats": ",".join(FORMATS)}, FORMATS) is None
    secret = not_as_it_must_be({"telemetry_operations_centers": [{"token": "S3CRET", "uri": "x"}]}, FORMATS)
    assert secret is not None and "S3CRET" not in secret


def test_a_folder_is_left_as_it_was(tmp_path: Path) -> None:
    reports = tmp_path / "new/reports"
    assert not_writable(reports) is None
    assert list(tmp_path.iterdir()) == []
    reports.mkdir(parents=True)
    assert not_writable(reports) is None
    assert list(reports.iterdir()) == []
    (tmp_path / "link").symlink_to("nowhere")
    assert not_writable(tmp_path / "link") == f"{tmp_path}/link: it is a link that leads to no folder"


@pytest.mark.parametrize("name", ["evidence", "baselines", "runs", "changes", "manifests"])
def test_where_evidence_goes_is_looked_at(tmp_path: Path, name: str) -> None:
    """A link that leads nowhere is there, too. Who makes a report alone does not write there."""
    (tmp_path / name).symlink_to("nowhere")
    assert not_writable(tmp_path) == f"{tmp_path}/{name}: it is a link that leads to no folder"
    assert not_writable(tmp_path, is_filed=False) is None
    (tmp_path / name).unlink()
    (tmp_path / name).write_text("")
    assert not_writable(tmp_path) == f"{tmp_path}/{name}: it is no folder"


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_the_lock_is_looked_at(tmp_path: Path, kind: str) -> None:
    lock = tmp_path / "runs/.lock"
    lock.parent.mkdir()
    if kind == "link":
        lock.symlink_to("other")
    elif kind == "folder":
        lock.mkdir()
    else:
        os.mkfifo(lock)
    assert str(not_writable(tmp_path)).startswith(f"{lock}: ")
    assert not_writable(tmp_path, is_filed=False) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="it goes on as somebody else")
def test_what_others_may_not_write(tmp_path: Path) -> None:
    """As the user of a run whose folder another one has begun."""
    reports = Path(tempfile.mkdtemp(dir="/tmp"))
    reports.chmod(0o777)

    def seen() -> str | None:
        os.seteuid(65534)
        try:
            return not_writable(reports)
        finally:
            os.seteuid(0)

    try:
        for name in ("evidence", "baselines", "runs", "changes", "manifests"):
            (reports / name).mkdir(mode=0o755)
            assert seen() == f"{reports}/{name}: Permission denied"
            (reports / name).chmod(0o777)
        assert seen() is None
        lock = reports / "runs/.lock"
        lock.touch(mode=0o640)
        assert seen() == f"{lock}: Permission denied"
    finally:
        shutil.rmtree(reports)


def test_what_is_left_of_a_look_is_known_for_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a file system has no nameless files, it has a name for a moment."""
    names: list[str] = []

    def look(*arguments: Any, **options: Any) -> Any:
        stream = tempfile.NamedTemporaryFile(*arguments, **options)  # noqa: SIM115
        names.append(Path(stream.name).name)
        return stream

    monkeypatch.setattr(_beforehand.tempfile, "TemporaryFile", look)
    assert not_writable(tmp_path) is None
    assert names and all(name.startswith(".") and name.endswith(UNFINISHED) for name in names)


@pytest.mark.parametrize(
    ("urls", "words"),
    [
        (["https://u:pw@oc.example.com"], "an address has a user in it; name user and token"),
        (["oc.example.com"], "it is no address of http or https"),
        (["https://[x"], "it is no address"),
        (["https://oc.example.com/", "https://oc.example.com"], "https://oc.example.com is named twice"),
    ],
)
def test_addresses_of_operations_centers(urls: list[str], words: str) -> None:
    centers = [{"url": url} for url in urls]
    assert not_as_it_must_be({"telemetry_operations_centers": centers}, FORMATS) == (
        f"telemetry_operations_centers: {words}"
    )
    with pytest.raises(ValueError, match=words.replace(".", r"\.")):
        asked(centers)  # before it asks any


@pytest.mark.parametrize("playbook", ["report", "ledger"])
def test_what_files_no_evidence_needs_nothing_of_that(tmp_path: Path, playbook: str) -> None:
    for name in ("evidence", "runs", "manifests"):
        (tmp_path / name).symlink_to("nowhere")
    variables: dict[str, Any] = {"telemetry_signing_key": "/nonexistent/key"}
    if playbook == "ledger":
        variables |= {"telemetry_report_formats": "xml", "telemetry_fail_on": "x", "telemetry_report_name": ["x"]}
    done = play(tmp_path, ["a"], playbook=f"cbops.telemetry.{playbook}", **variables)
    assert "no host was touched" not in done.stdout, done.stdout + done.stderr
    assert (tmp_path / f"{playbook}.json").exists()


def test_what_a_report_or_a_ledger_needs(tmp_path: Path) -> None:
    said = []
    for playbook, variables in (
        ("report", {"telemetry_signing_key": "/nonexistent/key", "telemetry_report_formats": "json,intoto"}),
        ("report", {"telemetry_reports_dir": "/etc/passwd"}),
        ("ledger", {"telemetry_reports_dir": "/etc/passwd"}),
        ("ledger", {"telemetry_min_coverage": "most"}),
    ):
        done = play(tmp_path, ["a"], playbook=f"cbops.telemetry.{playbook}", **variables)
        (one,) = failed(done).values()
        said.append((one.partition(": ")[0].removeprefix("no host was touched, because "), _manual.entry_of(one)))
    assert said == [
        ("the attestation could not be signed", "not-filed"),
        ("the report cannot be written", "not-filed"),
        ("the ledger cannot be written", "not-filed"),
        ("no ledger could be made", "report-not-possible"),
    ]


@pytest.mark.parametrize("arguments", [[], ["--check"]])
def test_a_refused_run_leaves_nothing(tmp_path: Path, arguments: list[str]) -> None:
    variables = {"telemetry_signing_key": "/nonexistent/key", "telemetry_reports_dir": str(tmp_path / "new/reports")}
    done = play(tmp_path, ["a"], *arguments, playbook="cbops.telemetry.audit", **variables)
    (said,) = failed(done).values()
    assert "the manifest could not be signed" in said and not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("everybody", "groups", "localhost", "imported"),
    [("all", None, "a", None), (None, "all", None, None), (None, "a", None, "a"), (None, "a", "a", None)],
)
def test_what_says_which_hosts_are_looked_at_may_be_set_beside(
    tmp_path: Path, everybody: str | None, groups: str | None, localhost: str | None, imported: str | None
) -> None:
    for path, value in (("group_vars/all", everybody), ("group_vars/cbs", groups), ("host_vars/localhost", localhost)):
        if value:
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / f"{path}.yml").write_text(f"telemetry_hosts: {value}\n")
    inventory = tmp_path / "hosts.ini"
    inventory.write_text(f"[cbs]\na {NO_WAY}\nb {NO_WAY}\n")
    own = tmp_path / "own.yml"
    own.write_text(
        "- import_playbook: cbops.telemetry.check_policy\n"
        + (f"  vars: {{telemetry_hosts: {imported}}}\n" if imported else "")
    )
    done = started(inventory, str(own), json.dumps({"telemetry_desired": "unmanaged"}))
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("\nb  " in done.stdout.partition("PLAY RECAP")[2]) is ("a" not in (localhost, imported))


@pytest.mark.parametrize("name", ["telemetry_reports_dir", "telemetry_signing_key"])
def test_where_and_by_which_key_is_one_for_the_fleet(name: str) -> None:
    fleet = Fleet()
    fleet.take("a", {name: "x"}, lambda value: value)
    fleet.take("b", {name: "x"}, lambda value: value)
    assert fleet.problem() is None
    fleet.take("c", {name: "y"}, lambda value: value)
    assert f"{name}: x (a), y (c)" in str(fleet.problem())
    none = Fleet()
    none.take("a", {name: ""}, lambda value: value)
    none.take("b", {}, lambda value: value)
    assert none.problem() is None

"""What a run needs at its end is looked at before the first host is asked or edited, by the playbooks themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_fleet_report import failed, play

from ansible_collections.cbops.telemetry.plugins.action.fleet_report import ActionModule
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._beforehand import (
    REPORTING,
    not_as_it_must_be,
    not_writable,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report import _manual
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._formats import FORMATS

WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "a format": ({"telemetry_report_formats": "json,xml"}, "telemetry_report_formats must be", "report-not-possible"),
    "a verdict": ({"telemetry_fail_on": ["violatoin"]}, "telemetry_fail_on must be", "report-not-possible"),
    "a template": ({"telemetry_report_name": "{{ nothing }}"}, "telemetry_report_name cannot", "report-not-possible"),
    "a slice": ({"telemetry_slice": "4/2"}, "telemetry_slice", "report-not-possible"),
    "a center": ({"telemetry_operations_centers": [{"user": "x"}]}, "missing required", "report-not-possible"),
    "a key": ({"telemetry_signing_key": "/nonexistent/key"}, "/nonexistent/key cannot sign", "not-filed"),
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
    assert list(reports.iterdir()) == []
    (reports / "runs").symlink_to("nowhere")
    assert not_writable(reports) is None  # as long as nothing is there; who files says it
    (reports / "evidence").write_text("")
    assert not_writable(reports) == f"{reports}/evidence: it is no folder"
    (tmp_path / "link").symlink_to("nowhere")
    assert not_writable(tmp_path / "link") == f"{tmp_path}/link: it is a link that leads to no folder"

"""A declaration as a whole, on a host with two controllers: what is reported, what is kept, what is put back."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from hostroot import FLAG, Host

from ansible_collections.cbops.telemetry.plugins.module_utils.edit import _declare, _writing
from ansible_collections.cbops.telemetry.plugins.module_utils.edit._backups import Store
from ansible_collections.cbops.telemetry.plugins.module_utils.edit._declare import _merged, declare
from ansible_collections.cbops.telemetry.plugins.module_utils.edit._writing import Refused
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report import _manual

UNIT = "/etc/systemd/system/%s.service"
TEXT = (
    '[Service]\nExecStart=/usr/bin/java $JAVA_OPTS -jar /usr/share/java/jenkins.war\nEnvironment="JAVA_OPTS=-Xmx1g%s"\n'
)
A, B = UNIT % "jenkins-a", UNIT % "jenkins-b"


@pytest.fixture
def two(tmp_path: Path) -> Host:
    """Two units that start the same war, each with options of its own."""
    host = Host(Path(os.path.realpath(tmp_path)) / "host")
    host.write("/usr/share/java/jenkins.war", "PK")
    host.write(A, TEXT % "")
    host.write(B, TEXT % "")
    return host


def declared(host: Host, wanted: str = "disabled", **more: Any) -> Any:
    return declare(wanted, str(host.root), attach="never", **more)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode("latin-1")).hexdigest()


def test_what_is_done_is_reported_file_by_file(two: Host) -> None:
    done = declared(two)
    assert done.changed and done.refused == [] and done.notes == []
    assert two.read(A) == two.read(B) == TEXT % f" {FLAG}"
    assert [edit["path"] for edit in done.files] == [A, B]
    for edit in done.files:
        assert (edit["before"], edit["after"]) == (digest(TEXT % ""), digest(TEXT % f" {FLAG}"))
        assert edit["backup"] in done.backups
    assert len(done.backups) == 2
    assert all((two.root / "var/lib/cbops-telemetry") in Path(str(copy)).parents for copy in done.backups)
    assert sorted(Path(str(copy)).read_text() for copy in done.backups) == [TEXT % ""] * 2
    assert [diff["before_header"] for diff in done.diffs] == [A, B]
    assert [diff["after"] for diff in done.diffs] == [f"line 3: ... {FLAG} ...\n"] * 2
    assert [one["on_disk"] for one in done.document["installations"]] == ["disabled", "disabled"]
    assert done.restart_required == [] and done.reload_required is False  # nothing runs below another root
    again = declared(two)
    assert (again.changed, again.files, again.backups, again.diffs) == (False, [], [], [])


def test_only_the_named_ones_are_edited(two: Host) -> None:
    done = declared(two, names=["jenkins-b"])
    assert [edit["path"] for edit in done.files] == [B]
    assert two.read(A) == TEXT % ""
    with pytest.raises(Refused, match=r"not installed here: x \(installed: jenkins-a, jenkins-b\)"):
        declared(two, names=["jenkins-a", "x"])
    with pytest.raises(Refused, match=r"not installed here: y, x \(installed: jenkins-a, jenkins-b\)"):
        declared(two, names=["y", "jenkins-a", "x"])
    assert two.read(A) == TEXT % ""


def test_on_a_host_without_any_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"not installed here: x \(installed: nothing\)"):
        declared(Host(tmp_path), names=["x"])


def test_check_mode_says_the_same_and_writes_nothing(two: Host) -> None:
    before = sorted(str(path) for path in two.root.rglob("*"))
    foreseen = declared(two, check=True)
    assert sorted(str(path) for path in two.root.rglob("*")) == before
    assert two.read(A) == TEXT % ""
    done = declared(two)
    assert foreseen.changed and foreseen.backups == []
    assert [{**edit, "backup": None} for edit in foreseen.files] == [{**edit, "backup": None} for edit in done.files]
    assert foreseen.diffs == done.diffs


@pytest.mark.parametrize("run", ["", "20261127T120000Z-0123abcd"])
def test_the_run_is_on_record_where_it_has_a_name(two: Host, run: str) -> None:
    declared(two, **({"run": run} if run else {}))
    (kept,) = Store(str(two.root)).records(str(two.root) + A)
    assert [edit["run"] for edit in kept.edits] == [run]


def test_without_backups_none_is_kept(two: Host) -> None:
    done = declared(two, backup=False)
    assert done.changed and done.backups == [] and [edit["backup"] for edit in done.files] == [None, None]
    assert not (two.root / "var/lib/cbops-telemetry").exists()


def test_a_file_of_both_is_edited_once(two: Host) -> None:
    shared = TEXT.replace('Environment="JAVA_OPTS=-Xmx1g%s"', "EnvironmentFile=/etc/default/both")
    two.write(A, shared)
    two.write(B, shared)
    two.write("/etc/default/both", "JAVA_OPTS=-Xmx1g\n")
    done = declared(two)
    assert [edit["path"] for edit in done.files] == ["/etc/default/both"]
    assert two.read("/etc/default/both") == f"JAVA_OPTS=-Xmx1g {FLAG}\n"
    assert not declared(two).changed
    back = declared(two, "enabled")
    assert two.read("/etc/default/both") == "JAVA_OPTS=-Xmx1g\n"
    assert [(edit["before"], edit["after"]) for edit in back.files] == [
        (done.files[0]["after"], done.files[0]["before"])
    ]


def test_one_that_cannot_be_edited_does_not_hold_the_other_up(two: Host) -> None:
    two.write(A, TEXT % "" + "EnvironmentFile=/etc/none\n")
    done = declared(two)
    assert [edit["path"] for edit in done.files] == [B]
    assert len(done.refused) == 1
    assert done.refused[0].startswith("jenkins-a: its launch configuration cannot be resolved, so nothing is edited: ")
    assert FLAG in done.refused[0]  # what to write by hand


def test_where_a_write_fails_the_other_files_of_the_edit_are_put_back(
    two: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.rename

    def fails(old: Any, new: Any, **more: Any) -> None:
        if os.fspath(new) == "jenkins-b.service":
            raise OSError(28, "full", new)
        rename(old, new, **more)

    monkeypatch.setattr(os, "rename", fails)
    done = declared(two)
    assert two.read(B) == TEXT % "" and two.read(A) == TEXT % f" {FLAG}"
    assert len(done.refused) == 1 and "the disk is full" in done.refused[0] and B in done.refused[0]
    assert [edit["path"] for edit in done.files] == [A]


def test_an_edit_that_does_not_count_afterwards_is_put_back(two: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody makes a drop-in while the file is written: the old bytes come back, and so does the time."""
    stamp = 1_700_000_000_000_000_000
    os.utime(two.root / A[1:], ns=(stamp, stamp))
    rename = os.rename

    def disturbed(old: Any, new: Any, **more: Any) -> None:
        rename(old, new, **more)
        if os.fspath(new) == "jenkins-a.service":
            two.write(f"{A}.d/z.conf", '[Service]\nEnvironment="JAVA_OPTS=-Xmx1g"\n')

    monkeypatch.setattr(os, "rename", disturbed)
    done = declared(two)
    assert two.read(A) == TEXT % "" and (two.root / A[1:]).stat().st_mtime_ns == stamp
    assert [edit["path"] for edit in done.files] == [B]
    (refused,) = done.refused
    assert "the next start would be enabled" in refused and "the old bytes are back" in refused
    assert len(done.backups) == 1 and all(os.path.exists(copy) for copy in done.backups)


def test_an_edit_that_spoils_another_installation_is_put_back(two: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = os.rename

    def disturbed(old: Any, new: Any, **more: Any) -> None:
        rename(old, new, **more)
        if os.fspath(new) == "jenkins-b.service":
            two.write(f"{A}.d/z.conf", '[Service]\nEnvironment="JAVA_OPTS=-Xmx9g"\n')

    monkeypatch.setattr(os, "rename", disturbed)
    done = declared(two)
    assert two.read(A) == two.read(B) == TEXT % ""
    assert not done.changed and done.files == [] and done.backups == [] and done.diffs == []
    assert done.refused[-1].startswith(
        "jenkins-a: after the edit it or another installation would get more than the flag"
    )


def test_a_folder_that_was_made_for_a_drop_in_goes_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(Path(os.path.realpath(tmp_path)) / "host")
    host.write("/usr/share/java/jenkins.war", "PK")
    host.write("/usr/lib/systemd/system/jenkins.service", TEXT % "")
    (host.root / "etc/systemd/system").mkdir(parents=True)
    done = declared(host)
    own = "/etc/systemd/system/jenkins.service.d/zzz-cbops-telemetry.conf"
    assert [(edit["path"], edit["before"]) for edit in done.files] == [(own, None)]
    assert declared(host, "enabled").files[0]["after"] is None
    (host.root / own[1:]).parent.rmdir()
    sync = os.fsync
    seen: list[int] = []

    def disturbed(descriptor: int) -> None:
        sync(descriptor)
        if not seen:
            seen.append(descriptor)
            host.write("/etc/systemd/system/service.d/zzzz.conf", '[Service]\nEnvironment="JAVA_OPTS=-Xmx9g"\n')
            host.write("/usr/lib/systemd/system/jenkins.service", TEXT % " -Dchanged=1")

    monkeypatch.setattr(os, "fsync", disturbed)
    done = declared(host)
    assert done.refused and not (host.root / own[1:]).exists()
    assert not (host.root / own[1:]).parent.exists()


def failing_for(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """A disk that reports an error when the folder of these files is to outlast a power cut."""
    real = _writing.sync_folder

    def sync(place: Any) -> None:
        if place.name in names:
            raise OSError(errno.EIO, "bad disk")
        real(place)

    monkeypatch.setattr(_writing, "sync_folder", sync)


def test_what_was_written_is_said_where_it_may_not_last(two: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    failing_for(monkeypatch, "jenkins-a.service")
    done = declared(two)
    assert two.read(A) == two.read(B) == TEXT % f" {FLAG}"
    assert done.changed and [edit["path"] for edit in done.files] == [A, B] and len(done.backups) == 2
    assert [diff["before_header"] for diff in done.diffs] == [A, B]
    (said,) = done.refused
    assert "jenkins-a.service: it was written (backup: " in said and said.endswith("is not certain: bad disk")
    assert _manual.entry_of(said) == "edit-not-kept"
    assert declared(two).refused == [] and not declared(two).changed


def test_what_was_put_back_is_back_also_where_that_may_not_last(two: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """It must not be said that it could not be put back."""
    failing_for(monkeypatch, "jenkins-a.service", "jenkins-b.service")
    monkeypatch.setattr(_declare, "_wrong", lambda *_given: "jenkins-a")
    done = declared(two)
    assert two.read(A) == two.read(B) == TEXT % ""
    assert not done.changed and done.files == [] and done.backups == []
    assert done.refused[0].endswith("the old bytes are back")
    assert len(done.refused) == 5, "each write and each return is in doubt"


@pytest.mark.parametrize("of_all", [False, True], ids=["of one", "of all together"])
def test_what_could_not_be_put_back_is_said_and_is_on_record(
    two: Host, monkeypatch: pytest.MonkeyPatch, of_all: bool
) -> None:
    real = _declare.replace

    def replace(path: str, expected: Any, content: Any, *more: Any) -> Any:
        if path.endswith("jenkins-a.service") and expected == TEXT % f" {FLAG}":
            raise Refused(f"{path}: no")
        return real(path, expected, content, *more)

    monkeypatch.setattr(_declare, "replace", replace)
    if of_all:
        monkeypatch.setattr(_declare, "_wrong", lambda *_given: "jenkins-a")
    else:
        monkeypatch.setattr(_declare._live, "same_vectors", lambda *_given: False)
    done = declared(two)
    assert (two.read(A), two.read(B)) == (TEXT % f" {FLAG}", TEXT % "")
    assert done.changed and [diff["before_header"] for diff in done.diffs] == [A]
    (edit,) = done.files
    assert (edit["path"], edit["before"], edit["after"]) == (A, digest(TEXT % ""), digest(TEXT % f" {FLAG}"))
    assert done.backups == [edit["backup"]] and Path(str(edit["backup"])).read_text() == TEXT % ""
    assert "the old bytes could not be put back: " in done.refused[0]


def test_what_ended_between_the_edits_of_two_properties_is_not_in_the_state(two: Host) -> None:
    done = declared(two, check=True)
    ((gone, stays), clock) = done.document["installations"], {"name": "x"}
    more = done._replace(document={**done.document, "installations": [{**stays, "switches": [clock]}]})
    assert [one["name"] for one in (gone, stays)] == ["jenkins-a", "jenkins-b"]
    (left,) = _merged(done, more, False).document["installations"]
    assert (left["name"], left["switches"]) == ("jenkins-b", [clock])
    both = _merged(done, more, True).document["installations"]
    assert [(one["name"], one["switches"]) for one in both] == [("jenkins-a", []), ("jenkins-b", [clock])]


def test_backups_that_were_read_are_named_and_others_not(two: Host) -> None:
    """Of those that lie beside launch files: what each start has read had undone what was changed."""
    two.write(A, "[Service]\nExecStart=/opt/start.sh\n")
    text = 'for f in /etc/env.d/*; do . "$f"; done\nexec java $JAVA_OPTS -jar /usr/share/java/jenkins.war\n'
    two.write("/opt/start.sh", f"#!/bin/sh\n{text}", 0o755)
    two.write(B, TEXT.replace('Environment="JAVA_OPTS=-Xmx1g%s"', "EnvironmentFile=/etc/default/b"))
    two.write("/etc/default/b", "JAVA_OPTS=-Xmx1g\n")
    read = [f"/etc/env.d/{name}.20260101T000000Z.cbops~" for name in "xy"]
    for path in [*read, "/etc/default/b.20260101T000000Z.cbops~"]:
        two.write(path, "JAVA_OPTS=-Xmx2g\n")
    notes = declared(two, check=True).notes
    assert notes[0].startswith("3 backups of an earlier version would be moved to ")
    assert notes[1].endswith(f"and so undid what was changed in it: {read[0]}, {read[1]}")


@pytest.mark.parametrize("check", [True, False])
def test_without_a_place_for_backups_nothing_is_edited(two: Host, check: bool) -> None:
    two.write("/var/lib/cbops-telemetry", "no folder\n")
    done = declared(two, check=check)
    assert not done.changed and done.files == [] and len(done.refused) == 2
    assert two.read(A) == two.read(B) == TEXT % ""
    assert declared(two, check=check, backup=False).changed


def test_no_more_backups_are_kept_than_are_wanted(two: Host) -> None:
    for wanted in ("disabled", "enabled", "disabled", "enabled"):
        assert declared(two, wanted, count=1, names=["jenkins-a"]).changed
    assert len(Store(str(two.root)).records(str(two.root) + A)) == 1

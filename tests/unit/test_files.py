"""The view of a host's files, and writing them: what is kept, what is refused, what is backed up and restored."""

from __future__ import annotations

import base64
import errno
import fcntl
import hashlib
import io
import json
import os
import re
import stat
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cbops.telemetry.plugins.module_utils.edit import _writing as files
from ansible_collections.cbops.telemetry.plugins.module_utils.edit._backups import Store, folder_name
from ansible_collections.cbops.telemetry.plugins.module_utils.edit._writing import Refused
from ansible_collections.cbops.telemetry.plugins.module_utils.host import _files as files_module
from ansible_collections.cbops.telemetry.plugins.module_utils.host._files import (
    OWN_DROP_IN,
    HostFiles,
    Reader,
    open_regular,
    readable,
    text_of_open,
)

OLD = 'JAVA_ARGS="-Xmx1g"\r\n# caf\xe9 \xff\x00\n'
NEW = OLD.replace("1g", "2g")
OWN = f"/run/cbops-telemetry-unit-{os.getpid()}"  # two runs at a time must not meet
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder that is nobody else's, on a way without links."""
    place = Path(os.path.realpath(tmp_path)) / "etc"
    place.mkdir(mode=0o755)
    return place


@pytest.fixture
def file(place: Path) -> Path:
    """A launch file."""
    path = place / "cloudbees-core-cm"
    path.write_bytes(OLD.encode("latin-1"))
    path.chmod(0o640)
    return path


def text(path: Path) -> str:
    """The bytes of a file as Latin-1 text."""
    return path.read_bytes().decode("latin-1")


def mode(path: Path | str) -> int:
    """Permission bits."""
    return stat.S_IMODE(os.lstat(path).st_mode)


def store(path: Path | str, run: str = "", **more: int) -> Store:
    """Where backups of a file are kept: in the file system that it is in."""
    path = str(path)
    return Store(OWN if path.startswith(OWN) else path.partition("/etc")[0], run, **more)


def recorded(copy: str | None) -> dict[str, Any]:
    """What lies beside a backup."""
    record: dict[str, Any] = json.loads(Path(f"{copy}.json").read_text())
    return record


def only(place: Path) -> list[str]:
    """Names in a folder."""
    return sorted(os.listdir(place))


# -- replacing --------------------------------------------------------------------------------------


def test_bytes_and_mode_are_kept_and_nothing_is_left_beside(file: Path, place: Path) -> None:
    assert files.replace(str(file), OLD, NEW) is None
    assert text(file) == NEW
    assert mode(file) == 0o640
    assert only(place) == [file.name]


@pytest.mark.parametrize("bits", [0o600, 0o644, 0o755, 0o4755, 0o2750, 0o1644, 0o000])
def test_the_mode_does_not_depend_on_the_umask(file: Path, bits: int) -> None:
    if os.geteuid() and not bits & 0o400:
        pytest.skip("unreadable for its owner")
    file.chmod(bits)
    before = os.umask(0o777)
    try:
        kept = files.replace(str(file), OLD, NEW, store(file))
        created = file.with_name("new")
        files.replace(str(created), None, NEW)
        files.make_folder(str(file.with_name("folder")))
    finally:
        os.umask(before)
    assert kept is not None
    assert (mode(file), mode(kept), mode(f"{kept}.json"), mode(os.path.dirname(kept))) == (bits, 0o600, 0o600, 0o700)
    assert recorded(kept)["mode"] == f"{bits:04o}"
    assert mode(created) == 0o644
    assert mode(file.with_name("folder")) == 0o755


@as_root
def test_owner_attributes_and_capabilities_are_kept_by_file_and_backup(file: Path) -> None:
    attributes = {
        "user.note": b"by hand",
        "trusted.note": b"\0\xff",
        "security.capability": bytes.fromhex("0100000200040000000000000000000000000000"),
    }
    os.chown(file, 1234, 4321)
    os.chmod(file, 0o4750)
    for name, value in attributes.items():
        os.setxattr(file, name, value)
    kept = files.replace(str(file), OLD, NEW, store(file))
    assert (os.stat(str(kept)).st_uid, mode(str(kept))) == (0, 0o600), "the copy itself is root's alone"
    assert not set(attributes) & set(os.listxattr(str(kept)))
    record = recorded(kept)
    assert (record["uid"], record["gid"], record["mode"]) == (1234, 4321, "4750")
    for again in (False, True):
        if again:
            file.unlink()
            store(file).restore(str(file))
        assert (file.stat().st_uid, file.stat().st_gid, mode(file)) == (1234, 4321, 0o4750)
        assert {name: os.getxattr(file, name) for name in os.listxattr(file) if name in attributes} == attributes


ACL = bytes.fromhex("0200000001000600ffffffff02000400d204000004000400ffffffff10000600ffffffff20000000ffffffff")


def test_an_access_list_is_kept_and_that_of_the_folder_is_not_taken(file: Path, place: Path) -> None:
    try:
        os.setxattr(file, "system.posix_acl_access", ACL)
    except OSError as error:
        pytest.skip(f"the file system has no access lists: {error}")
    plain = place / "plain"
    plain.write_text("a")
    plain.chmod(0o640)
    os.setxattr(place, "system.posix_acl_default", ACL)
    kept = files.replace(str(file), OLD, NEW, store(file))
    assert os.getxattr(file, "system.posix_acl_access") == ACL
    assert base64.b64decode(recorded(kept)["attributes"]["system.posix_acl_access"]) == ACL
    files.replace(str(plain), "a", "b")
    assert "system.posix_acl_access" not in os.listxattr(plain)
    assert mode(plain) == 0o640


def test_an_attribute_that_cannot_be_kept_is_a_refusal(
    file: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.setxattr(file, "user.label", b"launch_t")

    def refuse(*_arguments: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "setxattr", refuse)
    with pytest.raises(Refused, match=r"attribute user\.label cannot be kept"):
        files.replace(str(file), OLD, NEW, store(file))
    assert text(file) == OLD
    assert only(place) == [file.name]


def test_a_label_that_is_right_already_is_not_written(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.setxattr(file, "user.label", b"launch_t")
    real = files._attributes
    monkeypatch.setattr(files, "_attributes", lambda descriptor: {**real(descriptor), "user.label": b"launch_t"})
    monkeypatch.setattr(os, "setxattr", lambda *_arguments: pytest.fail("written"))
    files.replace(str(file), OLD, NEW)


def test_a_changed_file_is_not_touched(file: Path, place: Path) -> None:
    with pytest.raises(Refused, match="somebody else changed it meanwhile"):
        files.replace(str(file), OLD + "\n", NEW, store(file))
    assert text(file) == OLD
    assert only(place) == [file.name]


@pytest.mark.parametrize("content", [NEW, None], ids=["replace", "remove"])
def test_a_change_at_the_last_moment_is_not_overwritten(
    file: Path, place: Path, content: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Store.keep

    def meddle(*arguments: object) -> str | None:
        with open(file, "ab") as stream:
            stream.write(b"# by hand\n")
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Store, "keep", meddle)
    with pytest.raises(Refused, match="somebody else changed it meanwhile"):
        files.replace(str(file), OLD, content, store(file))
    assert text(file) == OLD + "# by hand\n"
    assert only(place) == [file.name]


def test_a_vanished_file_is_not_made_again(file: Path, place: Path) -> None:
    file.unlink()
    with pytest.raises(Refused, match="vanished"):
        files.replace(str(file), OLD, NEW, store(file))
    assert only(place) == []


def test_a_missing_folder_is_named(place: Path) -> None:
    with pytest.raises(Refused, match=r"the folder .*/etc/a does not exist"):
        files.replace(str(place / "a/b"), None, NEW)


def test_a_new_file_is_never_put_over_another(file: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Refused, match="somebody else made it meanwhile"):
        files.replace(str(file), None, NEW)
    file.unlink()
    real = files._write_whole

    def meddle(descriptor: int, content: bytes) -> None:
        real(descriptor, content)
        file.write_text("theirs")

    monkeypatch.setattr(files, "_write_whole", meddle)
    with pytest.raises(Refused, match="somebody else made it meanwhile"):
        files.replace(str(file), None, NEW)
    assert file.read_text() == "theirs"
    assert only(place) == [file.name]


def test_a_new_file_where_renaming_cannot_be_made_safe(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ctypes

    def without(*_arguments: object, **_more: object) -> object:
        raise OSError("no such library")

    monkeypatch.setattr(ctypes, "CDLL", without)
    path = place / "new"
    files.replace(str(path), None, NEW)
    with pytest.raises(Refused, match="somebody else made it meanwhile"):
        files.replace(str(path), None, OLD)
    assert text(path) == NEW
    assert os.stat(path).st_nlink == 1
    assert only(place) == ["new"]


def test_a_new_file_is_roots_alone_whatever_its_folder_passes_on(place: Path) -> None:
    try:
        os.setxattr(place, "system.posix_acl_default", ACL)
    except OSError:
        pass  # a file system without access lists
    if os.geteuid() == 0:
        os.chown(place, 0, 4321)
    place.chmod(0o2755)
    folder = place / "jenkins.service.d"
    files.make_folder(str(folder))
    new = folder / OWN_DROP_IN
    files.replace(str(new), None, NEW)
    assert mode(new) == 0o644
    for status in (new.stat(), folder.stat()):
        assert status.st_uid == os.geteuid()
        assert not status.st_mode & 0o022
        assert os.geteuid() or status.st_gid == 0
    assert "system.posix_acl_access" not in os.listxattr(new)


def test_removing_leaves_the_backup_alone(file: Path, place: Path) -> None:
    kept = files.replace(str(file), OLD, None, store(file))
    assert kept is not None
    assert only(place) == []
    assert text(Path(kept)) == OLD
    assert recorded(kept)["mode"] == "0640"


@pytest.mark.parametrize(
    "make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/null", path)], ids=["pipe", "folder", "device"]
)
def test_only_regular_files_are_replaced(place: Path, make: Callable[[Path], None]) -> None:
    path = place / "odd"
    make(path)
    with pytest.raises(Refused):
        files.replace(str(path), "", NEW, store(path))
    assert only(place) == ["odd"]


def test_hard_links_are_refused(file: Path, place: Path) -> None:
    os.link(file, place / "other")
    with pytest.raises(Refused, match=r"2 names \(hard links\)"):
        files.replace(str(file), OLD, NEW, store(file))
    assert os.path.samefile(file, place / "other")
    assert only(place) == [file.name, "other"]


@pytest.mark.parametrize("path", ["etc/default/x", "", "/etc/\0x"])
def test_a_path_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(Refused, match="not an absolute path"):
        files.replace(path, None, NEW)


def test_names_as_long_as_they_may_be(place: Path) -> None:
    path = place / ("\xe9" * 110 + "x" * 10 + ".conf")
    files.replace(str(path), None, OLD)
    files.replace(str(path), OLD, NEW)
    assert text(path) == NEW


def test_what_a_killed_run_left_is_removed_and_nothing_else(file: Path, place: Path) -> None:
    stale = place / files._temporary(file.name)
    stale.write_text("half")
    os.link(stale, place / "alias")
    others = [files._temporary("cloudbees-core-cmx"), f".{file.name}.cbops-new~", f"{file.name}.cbops-new~"]
    for name in others:
        (place / name).write_text("")
    files.replace(str(file), OLD, NEW)
    assert only(place) == sorted([file.name, "alias", *others])


def test_temporary_names_are_nobodys_configuration() -> None:
    for name in (files._temporary("10-admin.conf"), files._temporary("jenkins.service")):
        assert name.endswith("~")
        assert not re.fullmatch(r"[a-zA-Z0-9_-]+", name)  # run-parts
        assert not name.endswith((".conf", ".service", ".sh"))


# -- links ------------------------------------------------------------------------------------------


def test_a_link_that_is_all_ours_leads_to_its_target_and_stays(file: Path, place: Path) -> None:
    link = place / "link"
    link.symlink_to("cloudbees-core-cm")
    trusted = all(not os.stat(folder).st_mode & 0o022 for folder in file.parents)
    if not trusted:
        with pytest.raises(Refused, match="others than root may write"):
            files.replace(str(link), OLD, NEW)
        return
    files.replace(str(link), OLD, NEW)
    assert os.readlink(link) == "cloudbees-core-cm"
    assert text(file) == NEW


@pytest.fixture
def own() -> Path:
    """A folder of root's below folders of root's, all the way."""
    if os.geteuid():
        pytest.skip("only root has folders that are root's all the way")
    base = Path(OWN)
    subprocess.run(["rm", "-rf", str(base)], check=True)
    base.mkdir(mode=0o755)
    (base / "etc").mkdir(mode=0o755)
    (base / "etc/file").write_bytes(OLD.encode("latin-1"))
    return base


@pytest.fixture(autouse=True)
def _clean_own() -> object:
    yield
    if os.geteuid() == 0 and os.path.lexists(OWN):
        subprocess.run(["rm", "-rf", OWN], check=True)


LINKS: dict[str, tuple[Callable[[Path], object], str | None]] = {
    "root's, relative": (lambda own: (own / "link").symlink_to("etc/file"), None),
    "root's, absolute": (lambda own: (own / "link").symlink_to(own / "etc/file"), None),
    "two in a row": (
        lambda own: ((own / "link").symlink_to("etc/second"), (own / "etc/second").symlink_to("file")),
        None,
    ),
    "up and down": (lambda own: (own / "link").symlink_to("etc/../etc/./file"), None),
    "somebody else's link": (
        lambda own: ((own / "link").symlink_to("etc/file"), os.lchown(own / "link", 1234, 1234)),
        "does not belong to root",
    ),
    "target folder of somebody else": (
        lambda own: ((own / "link").symlink_to("etc/file"), os.chown(own / "etc", 1234, 0)),
        "may write .*/etc",
    ),
    "target folder for the group": (
        lambda own: ((own / "link").symlink_to("etc/file"), os.chmod(own / "etc", 0o775)),
        "may write .*/etc",
    ),
    "link in a sticky folder": (
        lambda own: (os.chmod(own, 0o1777), (own / "link").symlink_to("etc/file")),
        "may write",
    ),
    "link to a folder on the way": (
        lambda own: (
            (own / "link.d").symlink_to("etc"),
            (own / "link").symlink_to("link.d/file"),
            os.lchown(own / "link.d", 1234, 1234),
        ),
        "does not belong to root",
    ),
    "in a ring": (lambda own: (own / "link").symlink_to("link"), "too many symbolic links"),
    "dangling": (lambda own: (own / "link").symlink_to("etc/none/file"), "the folder .* does not exist"),
    "through a file": (lambda own: (own / "link").symlink_to("etc/file/x"), "is not a folder"),
}


@pytest.mark.parametrize(("make", "reason"), LINKS.values(), ids=LINKS)
def test_links_are_followed_only_where_nobody_else_can_point_them(
    own: Path, make: Callable[[Path], object], reason: str | None
) -> None:
    make(own)
    before = os.readlink(own / "link")
    if reason is None:
        with files.walked_to(str(own / "link")) as place:
            assert place.path == str(own / "etc/file")
        files.replace(str(own / "link"), OLD, NEW, store(own / "link"))
        assert text(own / "etc/file") == NEW
    else:
        with pytest.raises(Refused, match=reason):
            files.replace(str(own / "link"), OLD, NEW, store(own / "link"))
        assert text(own / "etc/file") == OLD
        assert only(own / "etc") == ["file"]
    assert os.readlink(own / "link") == before


def test_without_a_link_a_folder_of_the_services_user_is_no_hindrance(own: Path) -> None:
    os.chown(own / "etc", 1234, 1234)
    os.chown(own / "etc/file", 1234, 1234)
    files.replace(str(own / "etc/file"), OLD, NEW, store(own / "etc/file"))
    assert text(own / "etc/file") == NEW


def test_a_folder_swapped_for_a_link_does_not_lead_the_write_elsewhere(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = own / "victim"
    victim.mkdir()
    (victim / "file").write_bytes(OLD.encode("latin-1"))
    real = files.Lock.__enter__

    def swap(lock: files.Lock) -> files.Lock:
        (own / "etc").rename(own / "moved")
        (own / "etc").symlink_to("victim")
        return real(lock)

    monkeypatch.setattr(files.Lock, "__enter__", swap)
    files.replace(str(own / "etc/file"), OLD, NEW)
    assert text(victim / "file") == OLD
    assert text(own / "moved/file") == NEW


def test_a_file_swapped_for_a_link_is_refused(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    victim = own / "victim"
    victim.write_bytes(OLD.encode("latin-1"))
    real = files.Lock.__enter__

    def swap(lock: files.Lock) -> files.Lock:
        (own / "etc/file").unlink()
        (own / "etc/file").symlink_to("../victim")
        return real(lock)

    monkeypatch.setattr(files.Lock, "__enter__", swap)
    with pytest.raises(Refused, match="became a symbolic link"):
        files.replace(str(own / "etc/file"), OLD, NEW)
    assert text(victim) == OLD


# -- what PID 1 reads -------------------------------------------------------------------------------


@pytest.fixture
def unit(own: Path) -> Path:
    """A folder for drop-ins of an image that is root's."""
    unit = own / "etc/systemd/system/jenkins.service.d"
    unit.mkdir(mode=0o755, parents=True)
    return unit


LOOSE: dict[str, Callable[[Path], object]] = {
    "the folder is somebody's": lambda unit: os.chown(unit, 1234, 1234),
    "the folder is for a group": lambda unit: (os.chown(unit, 0, 1234), os.chmod(unit, 0o775)),
    "the folder is for everybody": lambda unit: os.chmod(unit, 0o1777),
    "an access list": lambda unit: os.setxattr(
        unit,
        "system.posix_acl_access",
        bytes.fromhex("0200000001000700ffffffff02000700d204000004000500ffffffff10000700ffffffff20000500ffffffff"),
    ),
    "a folder above is somebody's": lambda unit: os.chown(unit.parent, 1234, 0),
    "a folder far above is somebody's": lambda unit: os.chown(unit.parents[2], 1234, 0),
}


@pytest.mark.parametrize("there", [False, True], ids=["new", "edited"])
@pytest.mark.parametrize("loosen", LOOSE.values(), ids=LOOSE)
def test_nothing_that_pid_1_obeys_is_written_where_others_could_change_it(
    unit: Path, loosen: Callable[[Path], object], there: bool
) -> None:
    drop_in = unit / OWN_DROP_IN
    if there:
        drop_in.write_text("old")
    loosen(unit)
    for deed in (
        lambda: files.check_write(str(drop_in)),
        lambda: files.replace(str(drop_in), "old" if there else None, NEW, store(drop_in)),
    ):
        with pytest.raises(Refused, match="PID 1 does as root what such a file says, and its folder .* is not root's"):
            deed()
    assert only(unit) == ([OWN_DROP_IN] if there else [])
    if there:
        files.replace(str(drop_in), "old", None)  # to take it away opens nothing
        assert only(unit) == []


def test_no_folder_is_made_for_pid_1_where_others_could_change_it(unit: Path) -> None:
    os.chown(unit.parent, 1234, 0)
    folder = unit.parent / "other.service.d"
    for deed in (lambda: files.make_folder(str(folder)), lambda: files.check_write(str(folder / OWN_DROP_IN))):
        with pytest.raises(Refused, match="is not root's alone"):
            deed()
    assert not folder.exists()


def test_who_owns_what_lies_above_an_image_does_not_matter_to_its_pid_1(unit: Path, own: Path) -> None:
    os.chown(own, 1234, 1234)
    image = own / "image"
    image.mkdir(mode=0o755)
    (own / "etc").rename(image / "etc")
    drop_in = image / "etc/systemd/system/jenkins.service.d" / OWN_DROP_IN
    files.replace(str(drop_in), None, NEW)
    assert text(drop_in) == NEW
    os.chown(image, 1234, 1234)
    with pytest.raises(Refused, match="is not root's alone"):
        files.replace(str(drop_in), NEW, OLD)


@pytest.mark.parametrize(("bits", "after"), [(0o640, 0o644), (0o666, 0o644), (0o4755, 0o644)])
def test_our_drop_in_never_keeps_an_owner_who_is_not_root(
    unit: Path, bits: int, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop_in = unit / OWN_DROP_IN
    drop_in.write_text("old")
    os.chown(drop_in, 1234, 4321)
    drop_in.chmod(bits)
    held = os.open(drop_in, os.O_WRONLY)  # its owner has it open
    owners = []
    real = os.fchown
    monkeypatch.setattr(os, "fchown", lambda file, *whose: owners.append(whose) or real(file, *whose))
    assert files.replace(str(drop_in), "old", NEW) is None
    os.write(held, b"[Service]\nExecStartPre=+/bin/true\n")
    os.close(held)
    assert (drop_in.stat().st_uid, drop_in.stat().st_gid, mode(drop_in)) == (0, 0, after)
    assert set(owners) == {(0, 0)}, "for a moment it was somebody else's, who may have opened it"
    assert text(drop_in) == NEW


KEPT: dict[str, Callable[[str], str | None]] = {
    "saved": lambda path: store(path).save(path),
    "edited": lambda path: files.replace(path, "theirs", NEW, store(path)),
    "removed": lambda path: files.replace(path, "theirs", None, store(path)),
    "put back": lambda path: store(path).restore(path).backup,
    "moved": lambda path: store(path).take_in(beside(Path(path), "theirs")),
}


def beside(path: Path, content: str, stamp: str = "20260101T000000Z") -> str:
    """A backup as earlier versions left them, with the owner and mode of its file."""
    copy = path.with_name(f"{path.name}.{stamp}.cbops~")
    copy.write_text(content)
    os.chown(copy, path.stat().st_uid, path.stat().st_gid)
    copy.chmod(mode(path))
    return str(copy)


@pytest.mark.parametrize("keep", KEPT.values(), ids=KEPT)
def test_a_backup_says_who_could_have_written_it_and_does_not_come_back_as_roots(
    unit: Path, keep: Callable[[str], str | None]
) -> None:
    """What somebody put into a drop-in of ours is not made root's by keeping it and putting it back."""
    drop_in = unit / OWN_DROP_IN
    if keep is KEPT["put back"]:
        drop_in.write_text("root's")
        files.replace(str(drop_in), "root's", "theirs", store(drop_in))
    drop_in.write_text("theirs")
    os.chown(drop_in, 1234, 4321)
    drop_in.chmod(0o664)
    kept = Path(str(keep(str(drop_in))))
    record = recorded(str(kept))
    assert (text(kept), record["uid"], record["gid"], record["mode"]) == ("theirs", 1234, 4321, "0664")
    assert (kept.stat().st_uid, mode(kept)) == (0, 0o600)
    if drop_in.exists():
        os.chown(drop_in, 0, 0)
        drop_in.chmod(0o644)
        drop_in.write_text("of root's now")
    before = drop_in.read_text() if drop_in.exists() else None
    kept_in = store(drop_in)
    for deed in (
        lambda: kept_in.restore(str(drop_in), kept.name),
        lambda: kept_in.restore(str(drop_in), str(kept), check=True),
    ):
        with pytest.raises(Refused, match=r"its backup .* is not root's alone \(uid 1234, gid 4321, mode 0664\)"):
            deed()
    assert (drop_in.read_text() if drop_in.exists() else None) == before


def test_our_drop_in_that_root_has_closed_to_others_stays_so(unit: Path) -> None:
    drop_in = unit / OWN_DROP_IN
    drop_in.write_text("old")
    drop_in.chmod(0o600)
    files.replace(str(drop_in), "old", NEW)
    assert mode(drop_in) == 0o600


OBEYED = [
    "etc/systemd/system/jenkins.service.d/override.conf",
    "etc/systemd/system/jenkins.service",
    "etc/systemd/system.control/jenkins.service.d/x.conf",
    "etc/systemd/system.conf",
    "run/systemd/system/j.service",
    "usr/lib/systemd/system/j.service",
    "usr/local/lib/systemd/system/j.service",
    "lib/systemd/system/j.service",
    "etc/init.d/jenkins",
    "etc/rc.d/init.d/jenkins",
    "etc/rc3.d/S99jenkins",
    "etc/rc.local",
]


@pytest.fixture(params=[*OBEYED, "a link", "a folder that is a link", "dots"])
def obeyed(own: Path, request: pytest.FixtureRequest) -> Path:
    """A file of root's that PID 1 or root obeys because of its place."""
    path = own / (request.param if "/" in request.param else OBEYED[0])
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    path.write_text("old")
    if request.param == "a link":
        path.rename(own / "etc/target")
        path.symlink_to(own / "etc/target")
    elif request.param == "a folder that is a link":
        path.parent.rename(own / "etc/folder")
        path.parent.symlink_to(own / "etc/folder")
    elif request.param == "dots":
        (own / "etc/other").mkdir()
        return own / "etc/other/../systemd/./system/jenkins.service.d/override.conf"
    return path


def _loosened(path: Path, how: str) -> str:
    if how == "somebody's":
        os.chown(path, 1234, 4321)
    else:
        path.chmod({"the group's": 0o664, "everybody's": 0o666}[how])
    return "old"


@pytest.mark.parametrize("how", ["somebody's", "the group's", "everybody's"])
def test_what_pid_1_obeys_and_others_can_change_is_not_edited(obeyed: Path, how: str) -> None:
    assert files.replace(str(obeyed), "old", "new") is None
    files.check_write(str(obeyed))
    obeyed.write_text(_loosened(obeyed, how))
    for deed in (
        lambda: files.check_write(str(obeyed)),
        lambda: files.replace(str(obeyed), "old", "new", store(obeyed)),
    ):
        with pytest.raises(Refused, match=r"others than root can change it \(uid .*chown root:root, chmod go-w"):
            deed()
    assert obeyed.read_text() == "old"
    assert not [name for name in only(Path(os.path.realpath(obeyed)).parent) if name.endswith("~")]


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("how", ["somebody's", "the group's", "everybody's"])
def test_no_backup_of_others_is_put_back_for_what_pid_1_obeys(obeyed: Path, how: str, there: bool) -> None:
    real = Path(os.path.realpath(obeyed))
    _loosened(obeyed, how)
    kept = store(obeyed, "R")
    assert kept.save(str(obeyed))
    if not there:
        real.unlink()
    else:
        os.chown(real, 0, 0)
        real.chmod(0o644)
        real.write_text("now")
    for deed in (
        lambda: kept.restore(str(obeyed)),
        lambda: kept.restore(str(obeyed), check=True),
        lambda: kept.roll_back(str(obeyed), run="R"),
        lambda: kept.roll_back(str(obeyed), since="2025-01-01T00:00:00Z"),
    ):
        with pytest.raises(Refused, match=r"its backup .* is not root's alone"):
            deed()
    assert real.exists() == there and (not there or real.read_text() == "now")


def test_a_backup_of_root_is_put_back_for_what_pid_1_obeys(obeyed: Path) -> None:
    obeyed.chmod(0o640)
    assert files.replace(str(obeyed), "old", "new", store(obeyed))
    obeyed.chmod(0o644)
    assert store(obeyed).restore(str(obeyed)).changed
    assert (obeyed.read_text(), obeyed.stat().st_uid, mode(os.path.realpath(obeyed))) == ("old", 0, 0o640)


def test_a_backup_that_others_may_have_put_beside_a_file_is_not_put_back(own: Path) -> None:
    """In a sticky folder, or one for a group, others can make a name though the file is not theirs."""
    file = own / "etc/file"
    (own / "etc").chmod(0o1777)
    copy = Path(beside(file, "forged"))
    os.chown(copy, 1234, 1234)
    assert store(file).take_in(str(copy))
    with pytest.raises(Refused, match="it may be forged"):
        store(file).restore(str(file))
    assert text(file) == OLD
    os.chown(file, 1234, 1234)
    assert store(file).restore(str(file)).changed, "it was theirs before"


@pytest.mark.parametrize("target", ["../other", "/dev/null", "nowhere"])
def test_a_link_in_the_place_of_our_drop_in_is_not_followed(unit: Path, target: str) -> None:
    drop_in = unit / OWN_DROP_IN
    (unit.parent / "other").write_text("old")
    drop_in.symlink_to(target)
    for deed in (
        lambda: files.check_write(str(drop_in)),
        lambda: files.replace(str(drop_in), "old", NEW),
        lambda: files.replace(str(drop_in), None, NEW),
    ):
        with pytest.raises(Refused, match="a symbolic link stands where"):
            deed()
    assert (unit.parent / "other").read_text() == "old"


# -- folders and the lock ---------------------------------------------------------------------------


def test_a_folder_is_made_once(place: Path) -> None:
    folder = place / "jenkins.service.d"
    files.make_folder(str(folder))
    folder.chmod(0o750)
    files.make_folder(str(folder))
    assert mode(folder) == 0o750
    with pytest.raises(Refused, match="does not exist"):
        files.make_folder(str(place / "a/b"))
    (place / "file").write_text("")
    with pytest.raises(Refused, match="not a folder"):
        files.make_folder(str(place / "file"))


def test_a_run_waits_for_another_and_gives_up_in_the_end(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with files.Lock(str(file)):
        waiting = threading.Thread(target=files.replace, args=(str(file), OLD, NEW))
        waiting.start()
        time.sleep(0.1)
        assert text(file) == OLD
        monkeypatch.setattr(files, "LOCK_SECONDS", 0)
        with pytest.raises(Refused, match="another run"):
            files.replace(str(file), OLD, NEW)
        monkeypatch.setattr(files, "LOCK_SECONDS", 20)
    waiting.join()
    assert text(file) == NEW


def test_without_a_place_for_the_lock_the_folder_is_locked(
    file: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "LOCK_FILE", "/nonexistent/lock")
    monkeypatch.setattr(files, "LOCK_SECONDS", 0)
    folder = os.open(place, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        with pytest.raises(Refused, match="another run"):
            files.replace(str(file), OLD, NEW)
    finally:
        os.close(folder)
    files.replace(str(file), OLD, NEW)


def test_where_locking_is_not_supported_it_says_so(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_arguments: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with pytest.raises(Refused, match="cannot lock"):
        files.replace(str(file), OLD, NEW)
    assert text(file) == OLD


def test_an_error_after_the_write_does_not_say_that_nothing_changed(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_place: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(files, "sync_folder", broken)
    with pytest.raises(Refused, match="it was written") as caught:
        files.replace(str(file), OLD, NEW)
    assert "nothing was changed" not in str(caught.value)
    assert text(file) == NEW


def test_what_was_put_back_is_said_where_it_may_not_last(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is back, so nobody may take it for a file that was left as it is."""
    files.replace(str(file), OLD, NEW, store(file, "R1"))
    real = files.sync_folder

    def broken(place: files.Place) -> None:
        if place.path == str(file):
            raise OSError(errno.EIO, "Input/output error")
        real(place)

    monkeypatch.setattr(files, "sync_folder", broken)
    (undone,) = store(file, "R2").undo("R1")
    assert text(file) == OLD
    assert undone.changed and undone.after == OLD.encode("latin-1") and undone.source
    assert undone.reason is not None and undone.reason.endswith("is not certain: Input/output error")
    again = store(file, "R3")
    assert again.restore(str(file), undone.backup).changed and text(file) == NEW
    assert len(again.doubts) == 1 and "it was written" in again.doubts[0]


# -- backups ----------------------------------------------------------------------------------------


def test_backups_are_listed_and_restored(file: Path, place: Path) -> None:
    kept = store(file, "R1")
    assert kept.list(str(file)) == []
    first = files.replace(str(file), OLD, NEW, kept)
    file.chmod(0o600)
    second = files.replace(str(file), NEW, "third", store(file, "R2"))
    listed = kept.list(str(file))
    assert [backup.path for backup in listed] == [second, first]
    assert [(backup.mode, backup.run) for backup in listed] == [("0600", "R2"), ("0640", "R1")]
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", listed[0].made)
    assert (listed[1].size, listed[1].sha256) == (len(OLD), hashlib.sha256(OLD.encode("latin-1")).hexdigest())
    assert only(place) == [file.name], "nothing beside it"

    assert kept.restore(str(file), first, check=True).changed
    assert text(file) == "third"
    done = kept.restore(str(file), os.path.basename(str(first)))
    assert (done.changed, done.source) == (True, first)
    assert text(file) == OLD
    assert mode(file) == 0o640
    assert text(Path(str(done.backup))) == "third"
    assert kept.restore(str(file), first) == (False, first, None)

    file.unlink()
    assert kept.restore(str(file)) == (True, done.backup, None)
    assert text(file) == "third"
    assert mode(file) == 0o600
    kept.restore(str(file), second, keep=False)
    assert text(file) == NEW
    assert len(kept.list(str(file))) == 3


def test_a_record_says_whose_a_file_was_and_which_runs_edited_it(file: Path) -> None:
    record = recorded(files.replace(str(file), OLD, NEW, store(file, "R1")))
    assert record["schema"] == "cbops.telemetry/backup/1"
    assert record["path"] == "/etc/" + file.name, "as seen from the root that was edited"
    assert record["sha256"] == hashlib.sha256(OLD.encode("latin-1")).hexdigest()
    [edit] = record["edits"]
    assert (edit["run"], edit["after"]) == ("R1", hashlib.sha256(NEW.encode("latin-1")).hexdigest())
    assert store(file).edited_by("R1") == ["/etc/" + file.name]
    assert store(file).edited_by("R2") == []


@pytest.mark.parametrize("deed", [None, "third"], ids=["removed", "edited again"])
def test_a_run_is_rolled_back_to_what_it_replaced_first(file: Path, deed: str | None) -> None:
    """Also where it edited twice, where another run did before, and where a clock was set back."""
    files.replace(str(file), OLD, NEW, store(file, "R0"))
    for old, new in ((NEW, "second"), ("second", deed)):
        files.replace(str(file), old, new, store(file, "R1"))
    assert store(file).roll_back(str(file), run="none") == (False, None, None)
    assert store(file).roll_back(str(file), run="R1", check=True).changed
    done = store(file, "R1").roll_back(str(file), run="R1")
    assert done.changed and text(file) == NEW
    assert store(file, "R1").roll_back(str(file), run="R1") == (False, None, None), "once is enough"
    assert store(file).roll_back(str(file), since="2025-01-01T00:00:00Z").changed
    assert text(file) == OLD


def test_the_clock_does_not_say_which_backup_is_the_first(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stamps = iter(["20300101T000000Z", "20200101T000000Z", "20200101T000000Z"])
    real = time.strftime
    monkeypatch.setattr(
        time, "strftime", lambda form, *more: next(stamps) if form == "%Y%m%dT%H%M%SZ" else real(form, *more)
    )
    files.replace(str(file), OLD, NEW, store(file, "R1"))
    files.replace(str(file), NEW, "third", store(file, "R1"))
    store(file).roll_back(str(file), run="R1")
    assert text(file) == OLD


def test_what_somebody_changed_after_a_run_is_not_rolled_back(file: Path) -> None:
    kept = files.replace(str(file), OLD, NEW, store(file, "R1"))
    file.write_text("an admin's")
    with pytest.raises(Refused, match="somebody has changed it after run R1") as caught:
        store(file).roll_back(str(file), run="R1")
    assert str(kept) in str(caught.value)
    assert text(file) == "an admin's"


def test_a_run_that_was_killed_before_the_change_it_recorded_is_rolled_back(file: Path) -> None:
    files.replace(str(file), OLD, NEW, store(file, "R1"))
    with files.walked_to(str(file)) as at, files.opened(at, at.name) as now:
        store(file, "R1").keep(at.path, now, b"never written")
    assert store(file).roll_back(str(file), run="R1").changed
    assert text(file) == OLD


def test_a_file_that_a_run_made_goes_again(file: Path, place: Path) -> None:
    files.replace(str(place / "new"), None, NEW, store(file, "R1"))
    assert store(file).list(str(place / "new")) == [], "there is nothing to put back"
    assert store(file).roll_back(str(place / "new"), run="R1").changed
    assert only(place) == [file.name]


def undone(file: Path, run: str, by: str = "U", check: bool = False) -> list[tuple[str, bool, str]]:
    """What came of each file of a run that is undone: its name, whether it was put back, why not."""
    return [(one.path.rpartition("/")[2], one.changed, one.reason or "") for one in store(file, by).undo(run, check)]


def test_undoing_a_run_brings_back_every_byte_and_whose_it_was(file: Path, place: Path) -> None:
    """Of what it edited twice, made and removed; a second time nothing is left to do; and it can be undone itself."""
    file.chmod(0o640)
    gone = place / "gone"
    gone.write_text("was there")
    files.replace(str(file), OLD, NEW, store(file, "R1"))
    files.replace(str(file), NEW, "third", store(file, "R1"))
    files.replace(str(place / "made"), None, NEW, store(file, "R1"))
    files.replace(str(gone), "was there", None, store(file, "R1"))
    foreseen = undone(file, "R1", check=True)
    assert text(file) == "third" and only(place) == sorted([file.name, "made"])
    assert undone(file, "R1") == foreseen == [(name, True, "") for name in (file.name, "gone", "made")]
    assert (text(file), mode(file), only(place)) == (OLD, 0o640, sorted([file.name, "gone"]))
    assert undone(file, "R1") == [(name, False, "") for name in (file.name, "gone", "made")]
    assert undone(file, "U") == [(name, True, "") for name in (file.name, "gone", "made")]
    assert text(file) == "third" and only(place) == sorted([file.name, "made"])
    assert undone(file, "none") == []


def test_who_stands_in_the_way_of_undoing_a_run_is_named(file: Path) -> None:
    files.replace(str(file), OLD, NEW, store(file, "R1"))
    files.replace(str(file), NEW, "third", store(file, "R2"))
    [(_name, changed, reason)] = undone(file, "R1")
    assert not changed and "run R2 has edited it since" in reason and "undo that one first" in reason
    file.write_text("an admin's")
    [(_name, changed, reason)] = undone(file, "R1")
    assert not changed and "run R2 has edited it since" in reason and "somebody else after that" in reason
    [(_name, changed, reason)] = undone(file, "R2")
    assert not changed and "somebody else has changed it since" in reason and "R2" in reason
    assert text(file) == "an admin's"
    file.write_text("third")
    assert undone(file, "R2")[0][1] and undone(file, "R1", "U2")[0][1], "once that one is undone"
    assert text(file) == OLD


def test_a_file_that_a_run_made_and_somebody_has_changed_since_stays(file: Path, place: Path) -> None:
    files.replace(str(place / "made"), None, NEW, store(file, "R1"))
    (place / "made").write_text("an admin's")
    [(_name, changed, reason)] = undone(file, "R1")
    assert not changed and "what it was before run R1 is no file" in reason
    assert text(place / "made") == "an admin's"
    (place / "made").unlink()
    assert undone(file, "R1") == [("made", False, "")], "it is as before that run"


def test_who_changed_the_mode_of_a_file_since_stands_in_the_way_too(file: Path) -> None:
    """Of a file that was made wider or narrower, what it was before is nobody's wish any more."""
    file.chmod(0o644)
    files.replace(str(file), OLD, NEW, store(file, "R1"))
    file.chmod(0o600)
    [(_name, changed, reason)] = undone(file, "R1")
    assert not changed and "somebody else has changed its owner, mode or attributes since" in reason
    assert (text(file), mode(file)) == (NEW, 0o600)
    file.chmod(0o644)
    assert undone(file, "R1")[0][1] and text(file) == OLD


def test_of_a_template_nobody_knows_what_the_run_left(file: Path) -> None:
    kept = store(file, "R1").save(str(file))
    file.write_text("rendered")
    [(_name, changed, reason)] = undone(file, "R1")
    assert not changed and "is not recorded" in reason and str(kept) in reason


def test_what_somebody_else_edits_is_saved_before(file: Path) -> None:
    """As a template is rendered: what it will be is not known."""
    kept = store(file, "R1").save(str(file))
    assert store(file, "R2").save(str(file)) == kept, "one is enough for one state"
    file.write_text("rendered")
    for run in ("R1", "R2"):
        assert store(file).roll_back(str(file), run=run, check=True).changed
    store(file).roll_back(str(file), run="R2")
    assert text(file) == OLD


def test_backups_go_by_number_and_age_and_some_always_stay(file: Path) -> None:
    content = OLD
    for number in range(6):
        files.replace(str(file), content, str(number), store(file, f"R{number}"))
        content = str(number)
    store(file, "R1", count=2).prune()
    assert [backup.run for backup in store(file).list(str(file))] == ["R5", "R4", "R1"]
    folder = Path(store(file).list(str(file))[0].path).parent
    for path in list(folder.iterdir()):
        path.rename(folder / re.sub(r"^20\d{6}", "20200101", path.name))
    store(file, days=0).prune()
    assert len(store(file).list(str(file))) == 3
    store(file, days=365).prune()
    assert [backup.run for backup in store(file).list(str(file))] == ["R5"]
    assert len(list(folder.iterdir())) == 2


SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "a link": (lambda lib: (lib / "cbops-telemetry").symlink_to(lib / "elsewhere"), "a symbolic link"),
    "a link further down": (
        lambda lib: (
            (lib / "cbops-telemetry").mkdir(0o755) or (lib / "cbops-telemetry/backups").symlink_to("../elsewhere")
        ),
        "a symbolic link",
    ),
    "a file": (lambda lib: (lib / "cbops-telemetry").write_text(""), "no folder"),
    "everybody's": (
        lambda lib: (lib / "cbops-telemetry").mkdir() or (lib / "cbops-telemetry").chmod(0o777),
        "not root's alone",
    ),
    "above, everybody's": (lambda lib: lib.chmod(0o1777), "not root's alone"),
    "far above, the group's": (lambda lib: lib.parent.chmod(0o775), "not root's alone"),
}
if os.geteuid() == 0:
    SPOILT["somebody's"] = (
        lambda lib: (lib / "cbops-telemetry").mkdir() or os.chown(lib / "cbops-telemetry", 1234, 0),
        "not root's alone",
    )


@pytest.mark.parametrize("how", SPOILT)
def test_where_backups_cannot_be_kept_safely_nothing_is_edited(file: Path, place: Path, how: str) -> None:
    lib = place.parent / "var/lib"
    (lib / "elsewhere").mkdir(parents=True, mode=0o755)
    spoil, words = SPOILT[how]
    spoil(lib)
    for deed in (
        lambda: store(file).check(make=False),
        lambda: store(file).check(),
        lambda: files.replace(str(file), OLD, NEW, store(file)),
        lambda: files.replace(str(place / "new"), None, NEW, store(file)),
        lambda: store(file).take_in(beside(file, "x")),
    ):
        with pytest.raises(Refused, match=words) as caught:
            deed()
        assert "nothing was changed" in str(caught.value)
    assert text(file) == OLD and sorted(only(place)) == [file.name, f"{file.name}.20260101T000000Z.cbops~"]
    assert not only(lib / "elsewhere")
    assert files.replace(str(file), OLD, NEW) is None, "who wants no backup needs no place for it"


def test_a_place_that_others_may_read_is_closed_to_them(file: Path, place: Path) -> None:
    folder = place.parent / "var/lib/cbops-telemetry/backups"
    folder.mkdir(parents=True, mode=0o755)
    store(file).check()
    assert mode(folder) == 0o700


def test_a_copy_that_is_damaged_is_not_put_back(file: Path) -> None:
    kept = files.replace(str(file), OLD, NEW, store(file))
    Path(str(kept)).write_text("damaged")
    with pytest.raises(Refused, match="another SHA-256"):
        store(file).restore(str(file))
    Path(f"{kept}.json").write_text("{")
    assert store(file).list(str(file)) == []
    assert text(file) == NEW


@pytest.mark.parametrize("name", ["a b%/c", "/x", "...", "\xe9", "x" * 300, "%2F", "etc/" * 60 + "y"])
def test_every_file_has_a_folder_of_its_own(name: str) -> None:
    path = "/" + name
    folder = folder_name(path)
    assert re.fullmatch(r"[A-Za-z0-9._@:+%-]{1,200}", folder)
    assert folder not in (folder_name(path + "z"), folder_name("/a" + path))


def test_copies_of_earlier_versions_are_taken_in_once(file: Path, place: Path) -> None:
    first, second = beside(file, "old", "20260101T000000Z"), beside(file, "older", "20250101T000000Z")
    nested = beside(Path(first), "nested", "20260102T000000Z")
    kept = store(file)
    assert kept.take_in(first, check=True) and os.path.exists(first)
    done = [kept.take_in(path) for path in (nested, first, second)]
    assert [text(Path(str(path))) for path in done] == ["nested", "old", "older"]
    assert only(place) == [file.name]
    assert [backup.made[:10] for backup in kept.list(str(file))] == ["2026-01-01", "2025-01-01"]
    assert kept.take_in(first) is None
    assert kept.take_in(beside(file, "old")) == done[1], "a run that was killed before it removed the old one"
    assert kept.take_in(beside(file, "another in that second")) == f"{done[1]}-1"
    assert kept.restore(str(file), done[2]).changed
    assert text(file) == "older"
    with pytest.raises(Refused, match="not the name of a backup"):
        kept.take_in(str(file))


@as_root
def test_a_restored_file_has_its_owner_and_attributes_again(file: Path) -> None:
    os.chown(file, 1234, 4321)
    os.setxattr(file, "user.note", b"x")
    files.replace(str(file), OLD, NEW, store(file))
    os.chown(file, 0, 0)
    os.removexattr(file, "user.note")
    assert store(file).restore(str(file)).changed
    assert (file.stat().st_uid, file.stat().st_gid, os.getxattr(file, "user.note")) == (1234, 4321, b"x")


def test_one_backup_is_enough_for_one_state(file: Path) -> None:
    first = files.replace(str(file), OLD, NEW, store(file))
    files.replace(str(file), NEW, OLD)
    assert files.replace(str(file), OLD, NEW, store(file)) == first
    assert len(store(file).list(str(file))) == 1


def test_backups_in_one_second_are_told_apart(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.strftime
    monkeypatch.setattr(
        time, "strftime", lambda form, *more: "20260101T000000Z" if form == "%Y%m%dT%H%M%SZ" else real(form, *more)
    )
    content = OLD
    made = []
    for number in range(12):
        made.append(files.replace(str(file), content, str(number), store(file)))
        content = str(number)
    assert [backup.path for backup in store(file).list(str(file))] == made[::-1]


def test_only_a_backup_of_that_file_is_restored(file: Path, place: Path) -> None:
    with pytest.raises(Refused, match="no backup"):
        store(file).restore(str(file))
    kept = str(files.replace(str(file), OLD, NEW, store(file)))
    other = place / "other"
    other.write_text("a")
    strange = str(files.replace(str(other), "a", "b", store(other)))
    for name in (strange, "/etc/passwd", "../etc/passwd", file.name, f"/elsewhere/{os.path.basename(kept)}", ""):
        with pytest.raises(Refused, match="is not a backup of it"):
            store(file).restore(str(file), name)
    os.unlink(kept)
    os.symlink(other, kept)
    with pytest.raises(Refused):
        store(file).restore(str(file), kept)
    assert text(file) == NEW


# -- the view ---------------------------------------------------------------------------------------


def test_links_never_lead_out_of_the_root(tmp_path: Path) -> None:
    root = tmp_path / "image"
    (root / "etc").mkdir(parents=True)
    (tmp_path / "secret").write_text("of the machine")
    (root / "secret").write_text("of the image")
    view = HostFiles(str(root))
    for number, target in enumerate(["/secret", "../secret", "../../../secret", "../etc/../../secret"]):
        (root / f"etc/{number}").symlink_to(target)
        assert view.canonical(f"/etc/{number}") == "/secret"
        assert view.read(f"/etc/{number}") == "of the image"
    (root / "folder").symlink_to("/etc")
    (root / "away").symlink_to(tmp_path)
    assert view.canonical("/folder/../secret") == "/secret"
    assert view.canonical("/../../secret") == "/secret"
    assert view.glob("/folder/[0-2]") == ["/folder/0", "/folder/1", "/folder/2"]
    assert view.glob("/away/*") == []
    assert not view.exists("/away/secret")
    assert view.test("h", "/folder/0") is True
    assert view.test("h", "/away/image") is False
    (root / "ring").symlink_to("ring")
    assert not view.exists("/ring")


def test_a_path_means_the_same_however_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "real/deep").mkdir(parents=True)
    (tmp_path / "real/deep/file").write_text("x")
    (tmp_path / "real/other").symlink_to("deep/file")
    (tmp_path / "link").symlink_to("/real/deep")
    view = HostFiles(str(tmp_path))
    for path in ("/real/deep/file", "/link/file", "/link/../other", "//link/./file", "/link/file/", "/../link/file"):
        assert view.canonical(path) == "/real/deep/file", path
        assert view.canonical(path) == "/real/deep/file", f"{path}, asked again"
    assert [view.canonical(path) for path in ("/link", "/link/..", "/", "/none/file", "/link/none")] == [
        "/real/deep",
        "/real",
        "/",
        "/none/file",
        "/real/deep/none",
    ]


def test_an_image_without_devices_still_has_masked_units(tmp_path: Path) -> None:
    (tmp_path / "unit").symlink_to("/dev/null")
    (tmp_path / "empty").write_text("")
    (tmp_path / "full").write_text("x")
    view = HostFiles(str(tmp_path))
    assert [view.is_masked(f"/{name}") for name in ("unit", "empty", "full", "none")] == [True, True, False, False]
    assert view.exists("/unit")


def test_candidates_stand_in_for_files_that_are_not_written(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/a.conf").write_text("old")
    (tmp_path / "etc/b.conf").write_text("b")
    view = HostFiles(str(tmp_path))
    assert view.read("/etc/a.conf") == "old"
    candidate = view.with_candidates({"/etc/a.conf": "new", "/etc/b.conf": None, "/etc/c.conf": ""})
    assert candidate.read("/etc/a.conf") == "new"
    assert candidate.list("/etc") == ["a.conf", "c.conf"]
    assert candidate.glob("/etc/*.conf") == ["/etc/a.conf", "/etc/c.conf"]
    assert candidate.is_masked("/etc/c.conf")
    assert not candidate.exists("/etc/b.conf")
    with pytest.raises(FileNotFoundError):
        candidate.read("/etc/b.conf")
    assert view.read("/etc/a.conf") == "old"
    assert candidate.with_candidates({"/etc/b.conf": "back"}).read("/etc/a.conf") == "new"
    deep = view.with_candidates({"/etc/x.d/y/z.conf": ""})  # a folder that comes with its first file
    assert (deep.list("/etc"), deep.list("/etc/x.d"), deep.list("/etc/x.d/y")) == (
        ["a.conf", "b.conf", "x.d"],
        ["y"],
        ["z.conf"],
    )


def test_odd_files_are_no_trap_for_the_audit(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with open(tmp_path / "huge", "wb") as stream:
        stream.truncate(files.LIMIT_SIZE + 1)
    view = HostFiles(str(tmp_path))
    for name in ("pipe", "huge", "none"):
        with pytest.raises(OSError):
            view.read(f"/{name}")
    assert view.head("/pipe") == b""


def test_looking_at_what_is_no_file_does_not_open_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    # A writer waits until somebody opens the pipe for reading.
    writer = subprocess.Popen(["sh", "-c", 'exec 3> "$0"', str(tmp_path / "pipe")])
    try:
        view = HostFiles(str(tmp_path))
        for _ in range(20):
            for name in ("/pipe", "/link"):
                with pytest.raises(OSError, match="not a regular file"):
                    view.read(name)
                with pytest.raises(OSError, match="not a regular file"):
                    view.open_below("/", name)
                assert view.head(name) == b""
            time.sleep(0.01)
        assert writer.poll() is None
    finally:
        writer.kill()
        writer.wait()


@pytest.mark.parametrize("path", ["/proc/version", "/proc/self/mounts", "/sys/kernel/notes", "/dev/ptmx", "/dev/null"])
def test_files_of_the_kernel_are_not_read(tmp_path: Path, path: str) -> None:
    if not os.path.exists(path):
        pytest.skip("not on this machine")
    with pytest.raises(OSError, match=r"of the kernel's|not a regular file"):
        HostFiles().read(path)
    (tmp_path / "link").symlink_to(path)
    for deed in (
        lambda: HostFiles().read(str(tmp_path / "link")),
        lambda: HostFiles().open_below(str(tmp_path), "link"),
        lambda: open_regular(path),
    ):
        with pytest.raises(OSError, match=r"of the kernel's|not a regular file"):
            deed()


def test_without_proc_nothing_is_opened_and_it_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x")
    assert HostFiles(str(tmp_path)).read("/file") == "x"  # its file system is known now
    real = os.open

    def without(path: object, flags: int, *more: int, dir_fd: int | None = None) -> int:
        if str(path).startswith("/proc/"):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return real(path, flags, *more, dir_fd=dir_fd)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", without)
    with pytest.raises(OSError, match="/proc is not mounted") as caught:
        HostFiles(str(tmp_path)).read("/file")
    assert caught.value.filename == "/file" or caught.value.filename == str(tmp_path / "file")


@pytest.mark.parametrize(
    ("options", "read"),
    [("rw", True), ("rw,user_id=0,allow_other", True), ("rw,user_id=1000,group_id=1000", False), ("user_id=1", False)],
)
def test_a_file_system_that_a_user_mounted_in_a_home_is_not_read(
    monkeypatch: pytest.MonkeyPatch, options: str, read: bool
) -> None:
    """Users have programs of theirs answer as file systems (FUSE); root mounts plugins on volumes of their own."""
    table = f"90 1 0:1 / /home rw - ext4 /dev/x rw\n99 90 0:2 / /home/plugins rw - fuse.x x {options}\n"
    monkeypatch.setattr(files_module, "open", lambda *_path, **_how: io.StringIO(table), raising=False)
    monkeypatch.setattr(files_module, "_mount", lambda _descriptor: "99")
    if read:
        files_module._check_mount(0, "90", False)
    else:
        with pytest.raises(OSError, match="root is not known to have mounted"):
            files_module._check_mount(0, "90", False)
    with pytest.raises(OSError, match="a link that is not root's"):
        files_module._check_mount(0, "90", True)
    files_module._check_mount(0, "99", True)  # the home's own


SOMEBODY = 1234


@pytest.fixture
def theirs(own: Path) -> Path:
    """A folder of somebody's, beside one that is root's alone, in an image that everybody may enter."""
    theirs = own / "home"
    theirs.mkdir(mode=0o755)
    os.chown(theirs, SOMEBODY, SOMEBODY)
    (own / "secret").mkdir(mode=0o700)
    for path, bits in (("secret/file", 0o644), ("closed", 0o600), ("group", 0o640), ("known", 0o644)):
        (own / path).write_text("content")
        (own / path).chmod(bits)
    os.chown(own / "group", 0, SOMEBODY)
    return theirs


@pytest.mark.parametrize(
    ("target", "readable"),
    [
        ("/closed", False),
        ("../closed", False),
        ("/secret/file", False),
        ("/known", True),
        ("/group", True),
        ("/home/../secret/file", False),
        ("chain", False),
        ("/none", None),
    ],
)
def test_a_link_is_followed_with_the_rights_of_whoever_made_it(
    theirs: Path, own: Path, target: str, readable: bool | None
) -> None:
    (theirs / "chain").symlink_to("/closed")  # root's, in somebody's folder
    (theirs / "link").symlink_to(target)
    (theirs / "folder").symlink_to("/secret")
    view = HostFiles(str(own))
    assert readable is None or view.read("/home/link") == "content", "a link of root's own"
    assert view.read("/home/folder/file") == "content"
    assert view.list("/home/folder") == ["file"]
    for name in ("link", "folder"):
        os.lchown(theirs / name, SOMEBODY, SOMEBODY)
    view = HostFiles(str(own))
    identity = os.geteuid(), os.getegid(), os.getgroups()
    for read in (lambda: view.read("/home/link"), lambda: text_of_open(*view.open_below("/home", "link"), "link")):
        if readable:
            assert read() == "content"
        else:
            with pytest.raises(FileNotFoundError if readable is None else PermissionError):
                read()
        assert (os.geteuid(), os.getegid(), os.getgroups()) == identity
    with pytest.raises(PermissionError):
        view.read("/home/folder/file")
    assert view.list("/home/folder") == []
    with pytest.raises(PermissionError):
        view.list_below("/home", "folder")


def test_a_view_of_somebodys_reads_what_that_user_may(theirs: Path, own: Path) -> None:
    (theirs / "link").symlink_to("/closed")  # root's
    view = HostFiles(str(own), Reader(SOMEBODY, [9999, SOMEBODY]))
    assert [view.read(path) for path in ("/known", "/group")] == ["content"] * 2
    assert view.with_candidates({"/x": ""}).read("/known") == "content"
    for path in ("/closed", "/secret/file", "/home/link"):
        for one in (view, view.with_candidates({"/x": ""})):
            with pytest.raises(PermissionError):
                one.read(path)
    assert os.geteuid() == 0


def test_a_folder_swapped_while_it_is_read_does_not_lead_elsewhere(
    theirs: Path, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (theirs / "d").mkdir()
    (theirs / "d/file").write_text("theirs")
    real = HostFiles._is_roots

    def swap(view: HostFiles, folder: str) -> bool:
        result = real(view, folder)
        if folder == "/home/d":
            (theirs / "d").rename(theirs / "moved")
            (theirs / "d").symlink_to("/secret")
            os.lchown(theirs / "d", SOMEBODY, SOMEBODY)
        return result

    monkeypatch.setattr(HostFiles, "_is_roots", swap)
    with pytest.raises(PermissionError):
        HostFiles(str(own)).read("/home/d/file")


def test_a_hard_link_to_a_file_of_others_is_not_read(theirs: Path, own: Path) -> None:
    os.link(own / "closed", theirs / "file")
    with pytest.raises(OSError, match="several names"):
        HostFiles(str(own)).read("/home/file")
    with pytest.raises(OSError, match="several names"):
        HostFiles(str(own)).open_below("/home", "file")
    os.chown(own / "closed", SOMEBODY, SOMEBODY)
    assert HostFiles(str(own)).read("/home/file") == "content"


@pytest.mark.parametrize(
    ("owner", "bits"), [(0, 0o775), (0, 0o757), (0, 0o1777), (SOMEBODY, 0o775), (SOMEBODY, 0o1777)]
)
def test_a_hard_link_is_not_read_where_others_could_have_made_it(
    own: Path, theirs: Path, owner: int, bits: int
) -> None:
    """Folder and file are one user's, root's too, and others may write the folder."""
    os.chown(own / "closed", owner, owner)
    os.link(own / "closed", theirs / "file")
    os.chown(theirs, owner, SOMEBODY)
    theirs.chmod(0o755)
    assert HostFiles(str(own)).read("/home/file") == "content"
    theirs.chmod(bits)
    with pytest.raises(OSError, match="several names"):
        HostFiles(str(own)).read("/home/file")
    with pytest.raises(OSError, match="several names"):
        HostFiles(str(own)).open_below("/home", "file")
    os.unlink(own / "closed")
    assert HostFiles(str(own)).read("/home/file") == "content"


def test_a_home_has_its_files_on_its_own_file_system(own: Path, theirs: Path) -> None:
    """Another one counts where root has mounted it or linked to it; not where somebody else has."""
    (theirs / "mine").write_text("x")
    (theirs / "mounted").mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=755", "tmpfs", str(theirs / "mounted")]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        (theirs / "mounted/file").write_text("there")
        (theirs / "roots").symlink_to("mounted/file")
        (theirs / "link").symlink_to("mounted/file")
        os.lchown(theirs / "link", SOMEBODY, SOMEBODY)
        view = HostFiles(str(own))
        for name, content in (("mine", "x"), ("mounted/file", "there"), ("roots", "there")):
            assert text_of_open(*view.open_below("/home", name), name) == content
        with pytest.raises(OSError, match="not root's leads to another file system"):
            view.open_below("/home", "link")
        real = files_module._mount
        try:  # as where the kernel lists no such mount
            files_module._mount = lambda descriptor: None
            with pytest.raises(OSError, match="root is not known to have mounted"):
                view.open_below("/home", "mounted/file")
        finally:
            files_module._mount = real
    finally:
        subprocess.run(["umount", str(theirs / "mounted")], check=True)


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("/d/*", ["/d/a", "/d/b", "/d/dangling"]),
        ("/d/.*", ["/d/.hidden"]),
        ("/d/[!a]", ["/d/b"]),
        ("/d/[^a]", ["/d/b"]),
        ("/*/a", ["/d/a"]),
        ("/d/?", ["/d/a", "/d/b"]),
        ("/d/c", []),
        ("/x/*", []),
    ],
)
def test_patterns_match_as_glob_does(tmp_path: Path, pattern: str, found: list[str]) -> None:
    (tmp_path / "d").mkdir()
    for name in ("a", "b", ".hidden"):
        (tmp_path / "d" / name).write_text("")
    (tmp_path / "d/dangling").symlink_to("nowhere")
    assert HostFiles(str(tmp_path)).glob(pattern) == found


@pytest.mark.parametrize("name", [b"t\xc3\xa4st", b"\xff\xfe", b"a\xc3\xa4\xff", b"plain", "日本".encode()])
def test_a_name_is_found_however_it_is_written(tmp_path: Path, name: bytes) -> None:
    """Names from folders, links and launch files are the same text: one character a byte."""
    folder = os.fsencode(tmp_path) + b"/" + name
    os.mkdir(folder)
    with open(folder + b"/file", "wb") as stream:
        stream.write(name)
    os.symlink(name + b"/file", os.fsencode(tmp_path) + b"/link")
    view = HostFiles(str(tmp_path))
    text = name.decode("latin-1")
    assert view.list("/") == sorted([text, "link"])
    assert view.read(f"/{text}/file") == text
    assert view.canonical("/link") == f"/{text}/file"
    assert view.read("/link") == text
    assert view.list(f"/{text}") == ["file"]
    assert view.test("f", f"/{text}/file")
    assert view.list_below(f"/{text}", "") == ["file"]
    json.dumps(readable([text]), ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("text", "shown"),
    [("t\xc3\xa4st", "täst"), ("\xff", "\\xff"), ("a\udcff", "a\\udcff"), ("日本", "日本"), ("plain", "plain")],
)
def test_what_people_are_shown_of_a_name(text: str, shown: str) -> None:
    assert readable({"a": [text, 1, None]}) == {"a": [shown, 1, None]}

"""Replacing a file, at the edges: who may look meanwhile, what a file system cannot do, what an error says."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cbops.telemetry.plugins.module_utils.edit import _writing as writing
from ansible_collections.cbops.telemetry.plugins.module_utils.edit._writing import Keeper, Refused

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder on a way without links."""
    found = Path(os.path.realpath(tmp_path)) / "etc"
    found.mkdir(mode=0o755)
    return found


@pytest.fixture
def open_umask() -> Any:
    """Whoever started us wants everybody to write."""
    before = os.umask(0)
    yield
    os.umask(before)


class Notes(Keeper):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.said: list[tuple[Any, ...]] = []

    def keep(self, path: str, now: Any, after: bytes | None) -> str | None:
        self.said.append(("keep", path, now and now.content, after))
        return "/copy"

    def forget(self, path: str) -> None:
        self.said.append(("forget", path))


def test_nobody_else_can_read_a_file_before_it_has_its_owner_and_mode(
    folder: Path, open_umask: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    write = os.write

    def looked(descriptor: int, content: bytes) -> int:
        seen.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        return write(descriptor, content)

    monkeypatch.setattr(os, "write", looked)
    (folder / "f").write_text("old")
    (folder / "f").chmod(0o666)
    writing.replace(str(folder / "f"), "old", "new")
    writing.replace(str(folder / "g"), None, "made")
    assert seen == [0o600, 0o600]
    assert stat.S_IMODE((folder / "f").stat().st_mode) == 0o666
    assert stat.S_IMODE((folder / "g").stat().st_mode) == 0o644


@as_root
def test_the_lock_is_nobody_else_s(folder: Path, open_umask: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "LOCK_FILE", str(folder / "lock"))
    (folder / "f").write_text("old")
    writing.replace(str(folder / "f"), "old", "new")
    assert stat.S_IMODE((folder / "lock").stat().st_mode) == 0o600
    (folder / "lock").unlink()
    (folder / "lock").symlink_to(folder / "f")
    writing.replace(str(folder / "f"), "new", "newer")  # a link there is not followed: the folder is locked
    assert (folder / "f").read_text() == "newer"


def test_the_lock_is_held_while_a_file_is_written_and_free_afterwards(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "LOCK_FILE", str(folder / "lock"))
    place = folder / "lock" if os.geteuid() == 0 else folder
    held: list[bool] = []

    def can_lock() -> bool:
        descriptor = os.open(place, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(descriptor)
        return True

    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (held.append(not can_lock()), fsync(descriptor))[1])
    (folder / "f").write_text("old")
    writing.replace(str(folder / "f"), "old", "new")
    assert held and all(held)
    assert can_lock()


def test_whoever_waits_too_long_for_the_lock_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "LOCK_FILE", str(folder / "lock"))
    monkeypatch.setattr(writing, "LOCK_SECONDS", 0)
    (folder / "f").write_text("old")
    before = len(os.listdir("/proc/self/fd"))
    with writing.Lock(str(folder / "f")), pytest.raises(Refused, match="another run has been editing files for 0 "):
        with writing.Lock(str(folder / "f")):
            pass
    assert len(os.listdir("/proc/self/fd")) == before


@as_root
def test_a_folder_that_is_made_is_root_s_whatever_its_parent_passes_on(folder: Path, open_umask: None) -> None:
    os.chown(folder, 0, 1234)
    folder.chmod(0o2755)
    assert writing.make_folder(str(folder / "x.d")) is True
    status = (folder / "x.d").stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode) & 0o777) == (0, 0, 0o755)
    assert os.umask(0) == 0
    assert writing.make_folder(str(folder / "x.d")) is False
    (folder / "file").write_text("")
    with pytest.raises(Refused, match=r"file: not a folder"):
        writing.make_folder(str(folder / "file"))
    with pytest.raises(Refused, match=r"the folder .*/none does not exist"):
        writing.make_folder(str(folder / "none/x.d"))


def test_a_folder_that_somebody_makes_meanwhile_is_not_ours(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mkdir = os.mkdir

    def quicker(path: Any, *rest: Any, **more: Any) -> None:
        mkdir(path, *rest, **more)
        mkdir(path, *rest, **more)

    monkeypatch.setattr(os, "mkdir", quicker)
    umask = os.umask(0o027)
    try:
        assert writing.make_folder(str(folder / "x.d")) is False
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(umask)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EROFS, "read-only"),
        (errno.ENOSPC, "full"),
        (errno.EDQUOT, "quota"),
        (errno.EPERM, "immutable"),
        (errno.EACCES, "become"),
        (errno.ENOENT, "vanished"),
        (errno.ELOOP, "symbolic link"),
        (errno.EBUSY, "mount point"),
        (errno.EIO, "dmesg"),
        (errno.EXDEV, os.strerror(errno.EXDEV)),
    ],
)
def test_an_error_says_what_to_do(number: int, words: str) -> None:
    said = writing.explain("/etc/f", OSError(number, os.strerror(number)))
    assert said.startswith("/etc/f: ") and words in said and said.endswith("(nothing was changed)")
    assert "odd" in writing.explain("/etc/f", OSError("odd"))


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_a_file_system_without_folders_to_sync_is_no_failure(
    folder: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def synced(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", synced)
    (folder / "f").write_text("old")
    writing.replace(str(folder / "f"), "old", "new")
    assert (folder / "f").read_text() == "new"


def test_what_may_not_outlast_a_power_cut_is_said_with_its_backup(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def synced(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, "bad disk")

    monkeypatch.setattr(os, "fsync", synced)
    (folder / "f").write_text("old")
    with pytest.raises(Refused, match=r"it was written \(backup: /copy\), but .* not certain: bad disk"):
        writing.replace(str(folder / "f"), "old", "new", Notes())
    with pytest.raises(Refused, match=r"it was written, but .* not certain: bad disk"):
        writing.replace(str(folder / "g"), None, "new")
    assert (folder / "f").read_text() == (folder / "g").read_text() == "new"


def test_both_times_of_a_file_come_back_with_its_bytes(folder: Path) -> None:
    path = folder / "f"
    path.write_text("old")
    path.chmod(0o600)
    os.utime(path, ns=(1_000_000_007, 2_000_000_011))
    status = path.stat()
    writing.replace(str(path), "old", "new")
    assert path.stat().st_mtime_ns != status.st_mtime_ns
    writing.replace(str(path), "new", "old", None, status)
    assert (path.stat().st_atime_ns, path.stat().st_mtime_ns) == (1_000_000_007, 2_000_000_011)
    writing.replace(str(path), "old", "old")  # the same bytes keep their time
    assert path.stat().st_mtime_ns == 2_000_000_011
    path.unlink()
    writing.replace(str(path), None, "old", None, status)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_mtime_ns == 2_000_000_011


def test_a_file_may_be_as_large_as_the_limit_and_no_larger(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "LIMIT_SIZE", 10)
    path = folder / "f"
    path.write_text("x" * 10)
    writing.replace(str(path), "x" * 10, "y" * 11)
    with pytest.raises(Refused, match=r"larger than 10 bytes"):
        writing.replace(str(path), "y" * 11, "z")
    assert path.read_text() == "y" * 11


def test_the_keeper_hears_of_each_change_and_of_one_that_did_not_happen(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes, path = Notes(), folder / "f"
    assert writing.replace(str(path), None, "new", notes) is None
    assert writing.replace(str(path), "new", "newer", notes) == "/copy"
    assert writing.replace(str(path), "newer", None, notes) == "/copy"
    assert not path.exists()
    assert notes.said == [
        ("keep", str(path), None, b"new"),
        ("keep", str(path), b"new", b"newer"),
        ("keep", str(path), b"newer", None),
    ]

    def fails(*_arguments: Any, **_more: Any) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "write", fails)
    path.touch()
    for expected, content in ((None, "new"), ("", "x")):
        target = folder / "g" if expected is None else path
        notes = Notes()
        with pytest.raises(Refused, match="the disk is full"):
            writing.replace(str(target), expected, content, notes)
        assert [entry[0] for entry in notes.said] == ["keep", "forget"]
        assert notes.said[1] == ("forget", str(target))
    assert sorted(name for name in os.listdir(folder) if "cbops" in name) == []


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EINVAL, errno.EPERM])
def test_where_a_kernel_cannot_rename_to_a_free_name_a_link_does(
    folder: Path, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ctypes

    class Library:
        @staticmethod
        def renameat2(*_arguments: Any) -> int:
            return -1

    monkeypatch.setattr(ctypes, "CDLL", lambda *_arguments, **_more: Library)
    monkeypatch.setattr(ctypes, "get_errno", lambda: code)
    writing.replace(str(folder / "f"), None, "new")
    assert (folder / "f").read_text() == "new"
    assert sorted(os.listdir(folder)) == ["f"]


def test_what_a_killed_run_left_has_sixteen_digits_and_the_same_stem() -> None:
    good = ".f.0123456789abcdef.cbops-new~"
    others = [
        "f.0123456789abcdef.cbops-new~",
        ".f.0123456789abcde.cbops-new~",
        ".f.0123456789abcdef0.cbops-new~",
        ".f.0123456789abcdeg.cbops-new~",
        ".g.0123456789abcdef.cbops-new~",
        good + "x",
        "x" + good,
    ]
    assert writing.left_beside("f", [*others, good]) == [good]
    long = "\u00e9" * 150  # 300 bytes, of which 200 are kept
    assert writing.left_beside(long, [f".{long[:100]}.0123456789abcdef.cbops-new~"])


def walked(path: str) -> tuple[str, os.stat_result | None]:
    """Where a path leads, and what is there."""
    with writing.walked_to(path) as place:
        return place.path, place.status


@pytest.mark.parametrize("path", ["relative", "", "/a\0b"])
def test_only_absolute_paths_are_walked(path: str) -> None:
    with pytest.raises(Refused, match="not an absolute path"):
        walked(path)


def test_the_way_to_a_path(folder: Path) -> None:
    (folder / "f").write_text("x")
    (folder / "x").mkdir()
    assert walked(f"{folder}/./x/../f")[0] == f"{folder}/f"
    assert walked(f"{folder}/none") == (f"{folder}/none", None)
    assert walked("/")[0] == "/" and walked("/..")[0] == "/"
    found = walked(str(folder / "f"))[1]
    assert found is not None and found.st_ino == (folder / "f").stat().st_ino
    with pytest.raises(Refused, match=r"f is not a folder"):
        walked(str(folder / "f/x"))
    with pytest.raises(Refused, match=r"the folder .*/none does not exist"):
        walked(str(folder / "none/x"))


def test_no_folder_stays_open(folder: Path) -> None:
    (folder / "f").write_text("x")
    before = sorted(os.listdir("/proc/self/fd"))
    walked(str(folder / "f"))
    walked(f"{folder}/../etc/f")
    for path in (folder / "f/x", folder / "none/x"):
        with pytest.raises(Refused):
            walked(str(path))
    writing.replace(str(folder / "f"), "x", "y")
    with pytest.raises(Refused):
        writing.replace(str(folder / "f"), "x", "y")
    (folder / "g").hardlink_to(folder / "f")
    with pytest.raises(Refused, match="2 names"):
        writing.replace(str(folder / "f"), "y", "z")
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_an_error_on_the_way_is_a_refusal_before_anything_is_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_arguments: Any, **_more: Any) -> int:
        raise PermissionError(errno.EACCES, "no")

    monkeypatch.setattr(os, "open", fails)
    with pytest.raises(Refused, match="run with become"):
        writing.check_write(str(folder / "f"))


def test_an_empty_file_can_be_made(folder: Path) -> None:
    writing.replace(str(folder / "f"), None, "")
    assert (folder / "f").read_bytes() == b""


def test_an_error_without_a_keeper_is_a_refusal_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_arguments: Any, **_more: Any) -> None:
        raise OSError(errno.ENOSPC, "full")

    (folder / "f").write_text("old")
    monkeypatch.setattr(os, "write", fails)
    with pytest.raises(Refused, match="the disk is full"):
        writing.replace(str(folder / "f"), "old", "new")
    with pytest.raises(Refused, match="the disk is full"):
        writing.replace(str(folder / "g"), None, "new")
    assert sorted(os.listdir(folder)) == ["f"]


@pytest.mark.parametrize("number", [errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_without_attributes(folder: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_arguments: Any, **_more: Any) -> list[str]:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "listxattr", fails)
    (folder / "f").write_text("old")
    writing.replace(str(folder / "f"), "old", "new")
    writing.replace(str(folder / "g"), None, "new")
    assert (folder / "f").read_text() == (folder / "g").read_text() == "new"


def test_attributes_that_cannot_be_read_are_a_refusal(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_arguments: Any, **_more: Any) -> list[str]:
        raise OSError(errno.EIO, "bad")

    monkeypatch.setattr(os, "listxattr", fails)
    (folder / "f").write_text("old")
    with pytest.raises(Refused, match="the disk reports an error"):
        writing.replace(str(folder / "f"), "old", "new")
    assert (folder / "f").read_text() == "old"


def test_links_of_ours_with_dots_lead_on_and_nothing_stays_open(folder: Path) -> None:
    (folder / "f").write_text("old")
    (folder / "x").mkdir()
    (folder / "x/absolute").symlink_to(f"{folder}/./f")
    (folder / "x/relative").symlink_to("./../x/.././f")
    before = sorted(os.listdir("/proc/self/fd"))
    if os.geteuid() == 0 and any(part.stat().st_mode & 0o022 for part in folder.parents):
        with pytest.raises(Refused, match="a symbolic link is on its way and others than root may write"):
            walked(str(folder / "x/absolute"))
    else:
        for name in ("absolute", "relative"):
            assert walked(str(folder / "x" / name))[0] == str(folder / "f")
    assert sorted(os.listdir("/proc/self/fd")) == before


@pytest.fixture
def roots() -> Any:
    """A folder of root's on a way that is root's alone."""
    if os.geteuid():
        pytest.skip("only root has folders that are root's all the way")
    base = Path(f"/run/cbops-telemetry-edges-{os.getpid()}")
    subprocess.run(["rm", "-rf", str(base)], check=True)
    (base / "etc/systemd/system").mkdir(parents=True)
    for folder in (base, base / "etc", base / "etc/systemd", base / "etc/systemd/system"):
        folder.chmod(0o755)
    yield base
    subprocess.run(["rm", "-rf", str(base)], check=True)


def test_links_of_root_lead_to_their_target_and_nothing_stays_open(roots: Path) -> None:
    (roots / "f").write_text("old")
    (roots / "x").mkdir(mode=0o755)
    (roots / "x/absolute").symlink_to(f"{roots}/./f")
    (roots / "x/relative").symlink_to("./../x/.././f")
    before = sorted(os.listdir("/proc/self/fd"))
    for name in ("absolute", "relative"):
        assert walked(str(roots / "x" / name))[0] == str(roots / "f")
    assert walked(f"{roots}/x/..")[0] == str(roots)
    assert sorted(os.listdir("/proc/self/fd")) == before
    links = [roots / f"l{number}" for number in range(60)]
    for link, target in zip(links, [*links[1:], roots / "f"]):
        link.symlink_to(target)
    assert walked(str(links[-writing.LIMIT_LINKS]))[0] == str(roots / "f")
    with pytest.raises(Refused, match="too many symbolic links"):
        walked(str(links[-writing.LIMIT_LINKS - 1]))


def test_a_unit_that_others_can_change_may_still_be_removed(roots: Path) -> None:
    unit = roots / "etc/systemd/system/x.service"
    unit.write_text("old")
    unit.chmod(0o666)
    with pytest.raises(Refused, match="others than root can change it"):
        writing.check_write(str(unit))
    with pytest.raises(Refused, match="others than root can change it"):
        writing.replace(str(unit), "old", "new")
    writing.replace(str(unit), "old", None)
    assert not unit.exists()


def test_a_unit_in_a_folder_of_others_is_refused_before_it_is_written(roots: Path) -> None:
    folder = roots / "etc/systemd/system/x.service.d"
    writing.check_write(str(folder / "a.conf"))  # neither is there yet
    folder.mkdir(mode=0o755)
    writing.check_write(str(folder / "a.conf"))
    folder.chmod(0o777)
    with pytest.raises(Refused, match=r"its folder .*/x\.service\.d is not root's alone"):
        writing.check_write(str(folder / "a.conf"))
    folder.rmdir()
    (roots / "etc/systemd/system").chmod(0o777)
    with pytest.raises(Refused, match=r"its folder .*/system is not root's alone"):
        writing.check_write(str(folder / "a.conf"))
    assert not folder.exists()


def test_a_sticky_folder_on_the_way_keeps_what_is_root_s(roots: Path) -> None:
    """Nobody can put another folder in the place of root's there; in the last one everybody can make files."""
    roots.chmod(0o1777)
    unit = roots / "etc/systemd/system/x.service"
    unit.write_text("old")
    writing.replace(str(unit), "old", "new")
    roots.chmod(0o777)
    with pytest.raises(Refused, match="is not root's alone"):
        writing.check_write(str(unit))

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replacing a file of the managed host without losing anything: locked, backed up (see edit/_backups), in one step.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only. Everything here works relative
to an open folder that was reached without following a link that is not checked: a folder that is swapped under our
hands cannot lead the write elsewhere. The only files that are made anew are drop-ins, and what they say PID 1 does as
root: so they are root's, in folders of root's, whoever owns the launch file. What PID 1 or root obeys because of its
place is edited and put back only where it, and its backup, are root's alone: root vouches for nobody else's words.
"""

import binascii
import errno
import fcntl
import os
import re
import stat
import time
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Tuple

from ..host._files import (
    LIMIT_LINKS,
    LIMIT_SIZE,
    OWN_DROP_INS,
    image_of_obeyed,
    names_in,
    native,
    only_roots,
    open_regular,
    owner_and_mode,
    too_many,
    way_to,
)

LOCK_SECONDS = 20
LOCK_FILE = "/run/cbops-telemetry.lock"
TEMPORARY_SUFFIX = ".cbops-new~"


class Refused(Exception):
    """A write that is not made; the message says why and what to do."""


class Keeper:
    """Keeps what a file was before it is changed; _backups has the one that there is."""

    def keep(self, path: str, now: Optional["Opened"], after: Optional[bytes]) -> Optional[str]:
        """Record a change that is about to be made to the file at ``path`` (without links), and keep what is there now.

        ``now`` is the open file (None: there is none), ``after`` what it will hold (None: it will be gone). Returns the
        path of the copy. Raises :class:`Refused`, OSError: then the change is not made.
        """
        raise NotImplementedError

    def forget(self, path: str) -> None:
        """Take the last record of a file back: the change did not happen, or is undone."""
        raise NotImplementedError


class Place:
    """A file's folder, held open, its name there, and its path without links."""

    def __init__(self, folders: List[int], names: List[str], status: Optional[os.stat_result], walk: "_Walked") -> None:
        self._folders = folders
        self.walk = walk
        self.folder = folders[-1]
        self.name = names[-1] if names else "."
        self.path = "/" + "/".join(names)
        self.status = status

    def __enter__(self) -> "Place":
        return self

    def __exit__(self, *_error: object) -> None:
        _close(self._folders)


def _close(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        try:
            os.close(descriptor)
        except OSError:
            pass  # what had to reach the disk was synced before


class _Walked:
    """What was met on the way to a file."""

    def __init__(self) -> None:
        self.links = 0
        self.is_link = False  # the path itself, not a folder on its way
        self.is_obeyed = False  # by PID 1 or root, by a name that it has on the way: a link's or its own
        self.untrusted: Optional[str] = None  # the first folder in which others may make links (so also /tmp)
        self.open_to_others: List[Tuple[str, os.stat_result]] = []  # folders in which others may put another thing


def walked_to(path: str) -> Place:  # noqa: C901 -- one walk: each step checks what the next one trusts
    """Walk to a path, one open folder after the other. Raises :class:`Refused`, OSError.

    As root, a link is followed only where it and every folder on its way belong to root and nobody else
    may write them: else the owner of the link decides which file root overwrites. A file in a folder of
    the service's own user is edited only where no link is on the way.
    """
    if not path.startswith("/") or "\0" in path:
        raise Refused("%r: not an absolute path" % path)
    parts = [part for part in path.split("/") if part not in ("", ".")]
    folders = [os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)]
    names: List[str] = []
    walk = _Walked()
    try:
        while parts:
            part = parts.pop(0)
            if part == "..":
                if names:
                    names.pop()
                    os.close(folders.pop())
                continue
            folder = os.fstat(folders[-1])
            if not only_roots(folder):
                walk.untrusted = walk.untrusted or "/" + "/".join(names)
                walk.open_to_others.append(("/" + "/".join(names), folder))
            here = "/" + "/".join(names + [part])
            walk.is_obeyed = walk.is_obeyed or image_of_obeyed(here) is not None
            try:
                descriptor = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folders[-1])
            except FileNotFoundError:
                if parts:
                    raise Refused("%s: the folder %s does not exist" % (path, here))
                _refuse_link(path, walk)
                return Place(folders, names + [part], None, walk)
            status = os.fstat(descriptor)
            if stat.S_ISLNK(status.st_mode):
                try:
                    # Read from the open link: its owner and its target belong together.
                    target = os.readlink("", dir_fd=descriptor)
                finally:
                    os.close(descriptor)
                walk.links += 1
                walk.is_link = walk.is_link or not parts
                if walk.links > LIMIT_LINKS:
                    raise Refused("%s: too many symbolic links" % path)
                if status.st_uid not in (0, os.geteuid()):
                    raise Refused(
                        "%s: the symbolic link %s does not belong to root; edit its target yourself, or "
                        "name the target" % (path, here)
                    )
                if target.startswith("/"):
                    _close(folders[1:])
                    del folders[1:], names[:]
                parts = [item for item in target.split("/") if item not in ("", ".")] + parts
            elif parts:
                is_sticky = folder.st_mode & stat.S_ISVTX and folder.st_uid == 0 and not only_roots(folder)
                if is_sticky and status.st_uid in (0, os.geteuid()):
                    del walk.open_to_others[-1:]  # nobody else can put another folder in the place of this one
                folders.append(descriptor)
                names.append(part)
                if not stat.S_ISDIR(status.st_mode):
                    raise Refused("%s: %s is not a folder" % (path, here))
            else:
                os.close(descriptor)
                _refuse_link(path, walk)
                return Place(folders, names + [part], status, walk)
        _refuse_link(path, walk)
        return Place(folders, names, os.fstat(folders[-1]), walk)  # "/", or a path that ends in ".."
    except BaseException:
        _close(folders)
        raise


def _refuse_link(path: str, walk: _Walked) -> None:
    if walk.links and walk.untrusted:
        raise Refused(
            "%s: a symbolic link is on its way and others than root may write %s; name the target "
            "instead of the link" % (path, walk.untrusted)
        )


def refuse_unless_roots(path: str, place: Place) -> None:
    """Nobody but root may be able to change, or to put something else in the place of, what PID 1 obeys."""
    image = image_of_obeyed(path)  # what lies above an image is none of its PID 1's
    for folder, status in place.walk.open_to_others:
        if not image or not (image + "/").startswith(folder.rstrip("/") + "/") or folder == image:
            raise Refused(
                "%s: PID 1 does as root what such a file says, and its folder %s is not root's alone (%s); "
                "give it to root (chown root:root, chmod go-w) and run again (nothing was changed)"
                % (path, folder, owner_and_mode(status))
            )


def _refuse_what_others_wrote(path: str, place: Place, status: os.stat_result) -> None:
    """An edit of what PID 1 obeys keeps the rest of it: root would vouch for what it has not read."""
    if is_obeyed(path, place) and not is_own(path) and not only_roots(status):
        raise Refused(
            "%s: PID 1 or root does what it says, and others than root can change it (%s); look at it, give "
            "it to root (chown root:root, chmod go-w) and run again (nothing was changed)"
            % (path, owner_and_mode(status))
        )


def is_obeyed(path: str, place: Place) -> bool:
    """Whether PID 1 or root does what a file says, because of its place."""
    return place.walk.is_obeyed or is_own(path)


def check_write(path: str) -> None:
    """Raise :class:`Refused` where a file would be refused because of its folder, or of what it is now.

    Neither need be there yet.
    """
    folder = os.path.dirname(path)
    try:
        with walked_to(folder) as place:
            if place.status is None:
                refuse_unless_roots(path, place)
                return
        with walked_to(path) as place:
            if place.status is None or is_obeyed(path, place):
                refuse_unless_roots(path, place)
            refuse_own_link(path, place)
            if place.status is not None:
                with opened(place, place.name) as now:
                    _refuse_what_others_wrote(path, place, now.status)
                    owner_for(place, now.status)
    except OSError as error:
        raise Refused(explain(path, error))


def is_own(path: str) -> bool:
    """Whether a file is a drop-in of this collection, by its name."""
    return os.path.basename(path) in OWN_DROP_INS


def refuse_own_link(path: str, place: Place) -> None:
    """Our own file is never written through a link."""
    if is_own(path) and place.walk.is_link:
        raise Refused(
            "%s: a symbolic link stands where this collection puts a file of its own; remove it and run "
            "again (nothing was changed)" % path
        )


_HINTS = {
    errno.EROFS: "the file system is read-only; remount it, or change the image it comes from",
    errno.ENOSPC: "the disk is full; make room and run again",
    errno.EDQUOT: "the quota is used up; make room and run again",
    errno.EPERM: "not permitted; is the file or its folder immutable (lsattr shows 'i' or 'a')?",
    errno.EACCES: "permission denied; run with become",
    errno.ENOENT: "it vanished while it was being edited; run again",
    errno.ELOOP: "it became a symbolic link while it was being edited; run again",
    errno.EBUSY: "it is in use as a mount point (a file bound into a container?); edit it where it comes from",
    errno.EIO: "the disk reports an error (see dmesg)",
}


def explain(path: str, error: OSError) -> str:
    """An error of a write, in words for the person who must act."""
    return "%s: %s (nothing was changed)" % (path, _HINTS.get(error.errno or 0, error.strerror or str(error)))


class Lock:
    """An advisory lock, so that two runs do not edit one file at a time.

    Root locks a file in /run that nobody else can open: a lock on the folder could be held by any user who
    may read it, is not to be had in every folder (unreadable ones, some network file systems) and the file
    itself is replaced, and with it any lock on it. Others lock the folder.
    """

    def __init__(self, path: str) -> None:
        self.folder = os.path.dirname(path) or "/"
        self._descriptor = -1

    def _open(self) -> int:
        if os.geteuid() == 0:
            try:
                return os.open(LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            except OSError:
                pass  # an image without /run, or one that is read-only
        try:
            return os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except PermissionError:
            raise Refused(
                "%s: the folder cannot be read, so it cannot be locked (nothing was changed); run with "
                "become" % self.folder
            )

    def __enter__(self) -> "Lock":
        self._descriptor = self._open()
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return self
            except (BlockingIOError, InterruptedError):
                if time.monotonic() > deadline:
                    _close([self._descriptor])
                    raise Refused(
                        "%s: another run has been editing files for %d seconds (nothing was changed); try "
                        "again later" % (self.folder, LOCK_SECONDS)
                    )
                time.sleep(0.02)
            except OSError as error:
                _close([self._descriptor])
                raise Refused(
                    "%s: its file system cannot lock (%s), and two runs at a time could lose an edit "
                    "(nothing was changed)" % (self.folder, error.strerror)
                )

    def __exit__(self, *_error: object) -> None:
        _close([self._descriptor])


#: Attributes that are made from a file's bytes; those of the old bytes would condemn the new ones.
_NOT_COPIED = ("security.ima", "security.evm")
_ACL = "system.posix_acl_access"


def _attributes(descriptor: int) -> Dict[str, bytes]:
    """Extended attributes: SELinux context, ACLs, capabilities."""
    try:
        names = os.listxattr(descriptor)
    except OSError as error:
        if error.errno in (errno.ENOTSUP, errno.ENOSYS):
            return {}
        raise
    return {name: os.getxattr(descriptor, name) for name in names if name not in _NOT_COPIED}


class Dress(NamedTuple):
    """Whose a file is, and who may do what with it."""

    st_uid: int
    st_gid: int
    st_mode: int
    attributes: Dict[str, bytes]  # extended ones: SELinux context, ACLs, capabilities


def dress_of(descriptor: int) -> Dress:
    """That of an open file. Raises OSError."""
    status = os.fstat(descriptor)
    return Dress(status.st_uid, status.st_gid, status.st_mode, _attributes(descriptor))


def put_on(path: str, dress: Dress, descriptor: int) -> None:
    """Owner, mode and attributes of the file that was there. What PID 1 reads is root's from the beginning: whoever has
    opened it once can write it for ever."""
    if is_own(path):
        _make_roots(descriptor, stat.S_IMODE(dress.st_mode) & 0o644 if only_roots(dress) else 0o644)
    else:
        _copy_attributes(path, dress, descriptor)


def _copy_attributes(path: str, dress: Dress, descriptor: int) -> None:
    """Owner, group, extended attributes, then mode, onto an open file that is written already.

    In this order and after the bytes: a change of owner takes set-user-ID bits and capabilities away, a
    write takes capabilities, and the mode must agree with the ACL.
    """
    now = os.fstat(descriptor)
    if (dress.st_uid, dress.st_gid) != (now.st_uid, now.st_gid):
        try:
            os.fchown(descriptor, dress.st_uid, dress.st_gid)
        except PermissionError:
            raise Refused("%s: its owner cannot be kept (nothing was changed); run with become" % path)
    have = _attributes(descriptor)
    if _ACL in have and _ACL not in dress.attributes:
        os.removexattr(descriptor, _ACL)  # the folder gives it to new files
    for name, value in dress.attributes.items():
        if have.get(name) == value:
            continue  # a label that is right already need not be written, and often may not
        try:
            os.setxattr(descriptor, name, value)
        except OSError as error:
            raise Refused(
                "%s: its attribute %s cannot be kept: %s (nothing was changed)" % (path, name, error.strerror)
            )
    os.fchmod(descriptor, stat.S_IMODE(dress.st_mode))


def _stem(name: str) -> str:
    # A name that is nearly as long as a name may be must leave room.
    return os.fsdecode(os.fsencode(name)[:200])


def _temporary(name: str) -> str:
    # The leading dot and the "~" at the end: globs, run-parts, systemd and friends pass such files over.
    return ".%s.%s%s" % (_stem(name), binascii.hexlify(os.urandom(8)).decode("ascii"), TEMPORARY_SUFFIX)


def left_beside(name: str, names: Iterable[str]) -> List[str]:
    """What a run that was killed has left beside a file of this name: from the names in its folder."""
    ours = re.compile(r"\.%s\.[0-9a-f]{16}%s\Z" % (re.escape(_stem(name)), re.escape(TEMPORARY_SUFFIX)))
    return [other for other in names if ours.match(other)]


def clear(path: str) -> None:
    """Remove what a run that was killed left beside a file. Raises :class:`Refused`, OSError."""
    with walked_to(path) as place, Lock(place.path):
        clean(place)


def clean(place: Place) -> None:
    """Remove what a run that was killed left beside the file. Only under the lock: nobody is at work then."""
    try:
        names = names_beside(place)
    except OSError:
        return  # the next run cleans up
    for name in left_beside(place.name, names):
        unlink_quietly(place.folder, name)


def names_beside(place: Place) -> List[str]:
    """Names in the folder of a file. Raises OSError, also where there are too many."""
    folder = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=place.folder)
    try:
        names = [native(name) for name in names_in(way_to(folder))]
    finally:
        _close([folder])
    if too_many(names):
        raise OSError(errno.E2BIG, too_many(names), place.path)
    return names


def _write_whole(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def sync_folder(place: Place) -> None:
    """Make the names in a folder outlast a power cut. Raises OSError."""
    descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=place.folder)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # such file systems have nothing to sync
            raise
    finally:
        _close([descriptor])


def _rename_to_free_name(folder: int, old: str, new: str) -> None:
    """Rename in one step, never over a file that came meanwhile. Raises FileExistsError."""
    try:
        import ctypes

        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (ImportError, OSError, AttributeError):
        code = errno.ENOSYS
    else:
        no_replace = 1
        if rename(folder, os.fsencode(old), folder, os.fsencode(new), no_replace) == 0:
            return
        code = ctypes.get_errno()
    if code not in (errno.ENOSYS, errno.EINVAL, errno.EPERM):
        raise OSError(code, os.strerror(code), new)
    # An older libc, a file system or a sandbox that does not know it.
    os.link(old, new, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    unlink_quietly(folder, old)


#: The product's own settings: what lies under such a name in a folder of a service is written as the service writes it.
_SETTINGS = (".xml", ".yaml", ".yml")


class Rights:
    """The rights of a file's owner while it is written, or (None) our own."""

    def __init__(self, owner: Optional[Tuple[int, int]]) -> None:
        self._owner = owner
        self._before: Optional[Tuple[int, List[int]]] = None

    def __enter__(self) -> "Rights":
        if self._owner is not None:
            before = os.getegid(), os.getgroups()
            try:
                os.setgroups([self._owner[1]])
            except PermissionError:  # a user namespace may deny it
                raise Refused(
                    "the rights of its owner cannot be taken: we may not set groups here (nothing was changed)"
                )
            self._before = before
            try:
                os.setegid(self._owner[1])
                os.seteuid(self._owner[0])
            except BaseException:
                self.__exit__()
                raise
        return self

    def __exit__(self, *_error: object) -> None:
        if self._before is not None:
            os.seteuid(0)
            os.setegid(self._before[0])
            os.setgroups(self._before[1])


def owner_for(place: Place, owner: Any) -> Optional[Tuple[int, int]]:
    """With whose rights the product's settings are written: root writes nothing of them where others may write.

    Raises :class:`Refused` for what root has put where others may replace it: root would have to write it.
    """
    if not place.name.lower().endswith(_SETTINGS) or os.geteuid() != 0:
        return None
    folder = os.fstat(place.folder)
    if not place.walk.open_to_others and only_roots(folder):
        return None
    if owner.st_uid == 0:
        raise Refused(
            "%s: it belongs to root, and others than root may write the folders on its way (nothing was changed); give "
            "it to its service's user, or the folders to root" % place.path
        )
    return owner.st_uid, owner.st_gid


def put(
    place: Place,
    name: str,
    content: bytes,
    dress: Callable[[int], None],
    unchanged: Optional[os.stat_result],
    owner: Optional[Tuple[int, int]] = None,
) -> None:
    """Write ``content`` beside the file, ``dress`` it (owner, mode), then give it its name in one step.

    With ``unchanged`` it takes the place of the file with that status, else the name must be free. All of it is done
    with the rights of ``owner`` (user, group), where there is one.
    """
    with Rights(owner):
        _put(place, name, content, dress, unchanged)


def _put(
    place: Place, name: str, content: bytes, dress: Callable[[int], None], unchanged: Optional[os.stat_result]
) -> None:
    temporary = _temporary(place.name)
    # Until it has its owner and mode, nobody else can read it.
    descriptor = os.open(
        temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=place.folder
    )
    try:
        try:
            _write_whole(descriptor, content)
            dress(descriptor)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if unchanged is None:
            _rename_to_free_name(place.folder, temporary, name)
        else:
            check_unchanged(place, unchanged)
            os.rename(temporary, name, src_dir_fd=place.folder, dst_dir_fd=place.folder)
    except BaseException:
        unlink_quietly(place.folder, temporary)
        raise


def unlink_quietly(folder: int, name: str) -> None:
    """Remove a file of ours, if that can be."""
    try:
        os.unlink(name, dir_fd=folder)
    except OSError:
        pass  # the next run cleans up


def check_unchanged(place: Place, status: os.stat_result) -> None:
    """The last look before the file is replaced or removed, for those who do not know of the lock."""
    now = os.stat(place.name, dir_fd=place.folder, follow_symlinks=False)
    for key in ("st_dev", "st_ino", "st_size", "st_mtime_ns", "st_ctime_ns"):
        if getattr(now, key) != getattr(status, key):
            raise changed_meanwhile(place.path)


def changed_meanwhile(path: str) -> Refused:
    """Somebody who does not know of the lock was quicker."""
    return Refused("%s: somebody else changed it meanwhile (nothing was changed); run again" % path)


def settle(path: str, place: Place, kept: Optional[str], doubts: Optional[List[str]] = None) -> None:
    """Make what was done outlast a power cut; it is done, so an error must not say otherwise.

    It is added to ``doubts``, where there are any to keep, by whoever says what was written; else it is raised.
    """
    try:
        sync_folder(place)
    except OSError as error:
        doubt = "%s: it was written%s, but whether that outlasts a power cut is not certain: %s" % (
            path,
            " (backup: %s)" % kept if kept else "",
            error.strerror,
        )
        if doubts is None:
            raise Refused(doubt)
        doubts.append(doubt)


class Opened:
    """An open regular file that has one name, with its bytes and status. Raises :class:`Refused`, OSError."""

    def __init__(self, descriptor: int, status: os.stat_result, content: bytes) -> None:
        self.descriptor = descriptor
        self.status = status
        self.content = content

    def __enter__(self) -> "Opened":
        return self

    def __exit__(self, *_error: object) -> None:
        _close([self.descriptor])


def opened(place: Place, name: str) -> Opened:
    """A file of an open folder, read whole. Raises :class:`Refused`, OSError."""
    descriptor, status = open_regular(name, os.O_NOFOLLOW, place.folder)
    try:
        if status.st_nlink > 1:
            raise Refused(
                "%s: it has %d names (hard links), and replacing it would part them; edit it yourself"
                % (os.path.join(os.path.dirname(place.path), name), status.st_nlink)
            )
        content = b""
        while len(content) <= LIMIT_SIZE:
            block = os.read(descriptor, min(1 << 16, LIMIT_SIZE + 1 - len(content)))
            if not block:
                return Opened(descriptor, status, content)
            content += block
        raise Refused("%s: larger than %d bytes" % (place.path, LIMIT_SIZE))
    except BaseException:
        _close([descriptor])
        raise


def replace(
    path: str,
    expected: Optional[str],
    content: Optional[str],
    keeper: Optional[Keeper] = None,
    was: Optional[os.stat_result] = None,
    doubts: Optional[List[str]] = None,
) -> Optional[str]:
    """Replace, create or remove a file in one step, so that at any moment the old or the new one is there.

    ``expected`` is what the file must still hold (None: it must not exist), ``content`` what it shall hold
    (None: it is removed), both Latin-1. A new file is root's, 0644. ``was`` is the status of a file whose bytes come
    back. ``keeper`` records the change, and keeps a copy of what was there: its path is returned. ``doubts``: see
    :func:`settle`. Raises :class:`Refused`.
    """

    def dated(descriptor: int) -> None:
        if was is not None:
            os.utime(descriptor, ns=(was.st_atime_ns, was.st_mtime_ns))

    def fresh(descriptor: int) -> None:
        _make_roots(descriptor, 0o644 if was is None else stat.S_IMODE(was.st_mode) & 0o644)
        dated(descriptor)

    def dressed(descriptor: int) -> None:
        put_on(path, dress, descriptor)
        if new == now.content:  # rolling back, and the service manager, go by the time of the content
            os.utime(descriptor, ns=(now.status.st_atime_ns, now.status.st_mtime_ns))
        dated(descriptor)

    new = None if content is None else content.encode("latin-1")
    try:
        with walked_to(path) as place, Lock(place.path):
            refuse_own_link(path, place)
            if new is not None and (expected is None or is_obeyed(path, place)):
                refuse_unless_roots(path, place)
            clean(place)
            if expected is None:
                create(path, place, new or b"", fresh, keeper, None, doubts)
                return None
            with opened(place, place.name) as now:
                if now.content != expected.encode("latin-1"):
                    raise changed_meanwhile(path)
                if new is not None:
                    _refuse_what_others_wrote(path, place, now.status)
                dress = dress_of(now.descriptor)  # with our own rights, which see all of it
                kept = exchange(place, now, new, dressed, keeper)
            settle(path, place, kept, doubts)
            return kept
    except OSError as error:
        raise Refused(explain(path, error))


def _make_roots(descriptor: int, mode: int = 0o644) -> None:
    """Give an open file to root, with this mode and no access list (the folder gives one to new files)."""
    if os.geteuid() == 0:
        os.fchown(descriptor, 0, 0)
    if _ACL in _attributes(descriptor):
        os.removexattr(descriptor, _ACL)
    os.fchmod(descriptor, mode)


def create(
    path: str,
    place: Place,
    content: bytes,
    dress: Callable[[int], None],
    keeper: Optional[Keeper] = None,
    owner: Optional[Tuple[int, int]] = None,
    doubts: Optional[List[str]] = None,
) -> None:
    """Make a file that is not there yet, with the rights of its ``owner``. Raises :class:`Refused`, OSError."""
    if keeper is not None:
        keeper.keep(place.path, None, content)
    try:
        put(place, place.name, content, dress, None, owner)
    except BaseException as error:
        if keeper is not None:
            keeper.forget(place.path)
        if isinstance(error, FileExistsError):
            raise Refused("%s: somebody else made it meanwhile (nothing was changed); run again" % path)
        raise
    settle(path, place, None, doubts)


def exchange(
    place: Place, now: Opened, content: Optional[bytes], dress: Callable[[int], None], keeper: Optional[Keeper]
) -> Optional[str]:
    """Put other content (None: nothing) in the place of the file; returns the path of its copy, if one is kept.

    Raises :class:`Refused`, OSError.
    """
    kept = keeper.keep(place.path, now, content) if keeper is not None else None
    try:
        if content is None:
            check_unchanged(place, now.status)
            os.unlink(place.name, dir_fd=place.folder)
        else:
            put(place, place.name, content, dress, now.status, owner_for(place, now.status))
    except BaseException:
        if keeper is not None:
            keeper.forget(place.path)
        raise
    return kept


def make_folder(path: str) -> bool:
    """Make a folder of root's, 0755, where it is missing (one level): whether it was. Raises :class:`Refused`."""
    try:
        with walked_to(path) as place:
            if place.status is None:
                refuse_unless_roots(path, place)
                umask = os.umask(0o022)  # not chmod afterwards: a crash between the two would leave it closed
                try:
                    os.mkdir(place.name, 0o755, dir_fd=place.folder)
                except FileExistsError:
                    return False
                else:
                    if os.geteuid() == 0:  # its parent may pass on a group
                        os.chown(place.name, 0, 0, dir_fd=place.folder, follow_symlinks=False)
                finally:
                    os.umask(umask)
                sync_folder(place)
                return True
            if not stat.S_ISDIR(place.status.st_mode):
                raise Refused("%s: not a folder" % path)
            return False
    except OSError as error:
        raise Refused(explain(path, error))

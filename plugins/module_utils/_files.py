# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the managed host: a read-only view below a root, and replacing a file without losing anything.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import errno
import fcntl
import glob
import os
import re
import stat
import tempfile
import time
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

LIMIT_SIZE = 4 << 20
LIMIT_LINKS = 20
LOCK_SECONDS = 20
BACKUP_SUFFIX = ".cbops~"


class Refused(Exception):
    """A write that is not made; the message says why and what to do."""


def _open_regular(path: str, flags: int = 0) -> Tuple[int, os.stat_result]:
    """Open a regular file for reading. Raises OSError for anything else."""
    # O_NONBLOCK: a named pipe must not hold the audit up.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | flags)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", path)
    return descriptor, status


class HostFiles:
    """Files as a process on the host sees them; ``root`` is where its file system is mounted.

    Symbolic links are resolved below ``root``, so an image never leads to the files of the machine that
    inspects it. ``candidate`` content stands in for a file that is not written yet (None: the file is gone).
    Text is Latin-1, one character a byte.
    """

    def __init__(self, root: str = "/") -> None:
        self.root = root.rstrip("/") or "/"
        self._content: Dict[str, str] = {}
        self._candidates: Dict[str, Optional[str]] = {}
        self.trees: Dict[Tuple[str, str, str], Any] = {}  # parsed shell files, see _shell

    def with_candidates(self, candidates: Dict[str, Optional[str]]) -> "HostFiles":
        """The same view with other content in some files."""
        view = HostFiles(self.root)
        view._content = self._content
        view.trees = self.trees
        view._candidates = dict(self._candidates)
        view._candidates.update(candidates)
        return view

    def resolve(self, path: str) -> str:
        """Path on this machine, every link on the way resolved below the root. Raises OSError."""
        return self._join(self.canonical(path))

    def _join(self, path: str) -> str:
        return path if self.root == "/" else self.root + path

    def canonical(self, path: str) -> str:
        """The path without links, as seen from the root."""
        parts = [part for part in path.split("/") if part not in ("", ".")]
        done: List[str] = []
        links = 0
        while parts:
            part = parts.pop(0)
            if part == "..":
                done = done[:-1]
                continue
            here = "/" + "/".join(done + [part])
            try:
                target = os.readlink(self._join(here))
            except OSError:
                done.append(part)
                continue
            links += 1
            if links > LIMIT_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            if target.startswith("/"):
                done = []
            parts = [item for item in target.split("/") if item not in ("", ".")] + parts
        return "/" + "/".join(done)

    def read(self, path: str) -> str:
        """A regular file's bytes as Latin-1 text; raises OSError (also for a file over the limit)."""
        if path in self._candidates:
            candidate = self._candidates[path]
            if candidate is None:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
            return candidate
        if path not in self._content:
            descriptor, status = _open_regular(self.resolve(path))
            with os.fdopen(descriptor, "rb") as stream:
                if status.st_size > LIMIT_SIZE:
                    raise OSError(errno.EFBIG, "larger than %d bytes" % LIMIT_SIZE, path)
                self._content[path] = stream.read(LIMIT_SIZE + 1).decode("latin-1")
        return self._content[path]

    def head(self, path: str, count: int = 2) -> bytes:
        """The first bytes of a regular file, empty where it cannot be read."""
        if self._candidates.get(path) is not None:
            return (self._candidates[path] or "").encode("latin-1")[:count]
        try:
            descriptor, _status = _open_regular(self.resolve(path))
        except OSError:
            return b""
        with os.fdopen(descriptor, "rb") as stream:
            return stream.read(count)

    def exists(self, path: str) -> bool:
        """True where something is there (a dangling link counts as nothing)."""
        if path in self._candidates:
            return self._candidates[path] is not None
        try:
            os.stat(self.resolve(path))
        except OSError:
            return False
        return True

    def is_masked(self, path: str) -> bool:
        """True for a unit file or drop-in that is a link to /dev/null, or empty."""
        if self._candidates.get(path) is not None:
            return not self._candidates[path]
        try:
            status = os.stat(self.resolve(path))
        except OSError:
            return False
        return self.canonical(path) == "/dev/null" or (stat.S_ISREG(status.st_mode) and status.st_size == 0)

    def list(self, path: str) -> List[str]:
        """Names in a folder, sorted; empty where there is none."""
        try:
            names = set(os.listdir(self.resolve(path)))
        except OSError:
            names = set()
        for candidate, content in self._candidates.items():
            folder, _slash, name = candidate.rpartition("/")
            if folder == path:
                names.discard(name)
                if content is not None:
                    names.add(name)
        return sorted(names)

    def glob(self, path: str) -> List[str]:
        """Paths that match a pattern, as seen from the root."""
        if not re.search(r"[*?\[]", path):
            return [path] if self.exists(path) else []
        prefix = "" if self.root == "/" else self.root
        return sorted(found[len(prefix):] for found in glob.glob(glob.escape(prefix) + path))

    def test(self, operator: str, path: str) -> Optional[bool]:
        """What ``[ -operator path ]`` says for the service, or None where that cannot be known."""
        if not path.startswith("/"):
            return None if path else False
        try:
            status = os.lstat(self._join(path)) if operator in "hL" else os.stat(self.resolve(path))
        except FileNotFoundError:
            return False
        except OSError:
            return None
        if operator in "hL":
            return stat.S_ISLNK(status.st_mode)
        if operator in "erw":
            return True
        if operator == "x":
            return stat.S_ISDIR(status.st_mode) or bool(status.st_mode & 0o111)
        if operator == "f":
            return stat.S_ISREG(status.st_mode)
        if operator == "d":
            return stat.S_ISDIR(status.st_mode)
        if operator == "s":
            return status.st_size > 0
        return None

    def dialect(self, program: str) -> str:
        """``dash`` or ``bash``: which shell a program's name or path stands for on this host."""
        name = program.rsplit("/", 1)[-1]
        if name == "sh":
            try:
                name = self.canonical("/bin/sh").rsplit("/", 1)[-1]
            except OSError:
                name = "bash"
        return "dash" if name in ("dash", "ash", "busybox") else "bash"


# -- writing ----------------------------------------------------------------------------------------


class Target(NamedTuple):
    """Where a file really is, after links, and what it is now."""

    path: str
    status: Optional[os.stat_result]  # None: it does not exist yet


def _trusted(status: os.stat_result) -> bool:
    # Root's own and writable for nobody else. A sticky folder (/tmp) lets others make links in it.
    return status.st_uid == 0 and not status.st_mode & 0o022


def safe_target(path: str) -> Target:
    """Resolve a path for writing. Raises :class:`Refused` where a link could be somebody else's.

    As root, a link is followed only where it and every folder on its way belong to root and nobody else
    may write them: else the owner of the link decides which file root overwrites. The folders of the file
    itself must not be replaceable either; a file in a folder of the service's own user is edited only
    where no link is on the way.
    """
    parts = [part for part in path.split("/") if part]
    done = "/"
    links = 0
    linked = False
    untrusted: Optional[str] = None
    while parts:
        part = parts.pop(0)
        if part == ".":
            continue
        if part == "..":
            done = os.path.dirname(done)
            continue
        folder = os.stat(done)
        if not _trusted(folder):
            untrusted = untrusted or done
        here = os.path.join(done, part)
        try:
            status = os.lstat(here)
        except FileNotFoundError:
            if parts:
                raise Refused("%s: the folder %s does not exist" % (path, here))
            return Target(here, None)
        if stat.S_ISLNK(status.st_mode):
            links += 1
            linked = True
            if links > LIMIT_LINKS:
                raise Refused("%s: too many symbolic links" % path)
            if status.st_uid != 0:
                raise Refused("%s: the symbolic link %s does not belong to root; edit its target yourself, or "
                              "name the target" % (path, here))
            target = os.readlink(here)
            if target.startswith("/"):
                done = "/"
            parts = [item for item in target.split("/") if item] + parts
        else:
            done = here
    if linked and untrusted:
        raise Refused("%s: a symbolic link is on its way and others than root may write %s; name the target "
                      "instead of the link" % (path, untrusted))
    return Target(done, os.lstat(done))


def _explain(path: str, error: OSError) -> str:
    hints = {
        errno.EROFS: "the file system is read-only; remount it, or change the image it comes from",
        errno.ENOSPC: "the disk is full; make room and run again",
        errno.EDQUOT: "the quota is used up; make room and run again",
        errno.EPERM: "not permitted; is the file immutable (lsattr shows 'i')?",
        errno.EACCES: "permission denied; run with become",
        errno.ENOENT: "it vanished while it was being edited; run again",
    }
    return "%s: %s (nothing was changed)" % (path, hints.get(error.errno or 0, error.strerror or str(error)))


class Lock:
    """An advisory lock on a file's folder, so that two runs do not edit one file at a time.

    The folder is locked because the file itself is replaced, and with it any lock on it.
    """

    def __init__(self, path: str) -> None:
        self.folder = os.path.dirname(path) or "/"
        self._descriptor = -1

    def __enter__(self) -> "Lock":
        self._descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return self
            except (BlockingIOError, InterruptedError):
                if time.monotonic() > deadline:
                    os.close(self._descriptor)
                    raise Refused("%s: another run has been editing files there for %d seconds; try again later"
                                  % (self.folder, LOCK_SECONDS))
                time.sleep(0.05)

    def __exit__(self, *_error: object) -> None:
        os.close(self._descriptor)


def _copy_attributes(descriptor: int, source: str, status: os.stat_result) -> None:
    """Owner, group, extended attributes (SELinux context, ACLs), then mode, onto an open file."""
    os.fchown(descriptor, status.st_uid, status.st_gid)
    try:
        names = os.listxattr(source)
    except OSError:
        names = []
    for name in names:
        value = os.getxattr(source, name)
        try:
            os.setxattr(descriptor, name, value)
        except OSError as error:
            # A label that is already right need not be written; anything else would be lost.
            try:
                same = os.getxattr(descriptor, name) == value
            except OSError:
                same = False
            if not same:
                raise Refused("%s: its attribute %s cannot be kept: %s" % (source, name, error.strerror))
    os.fchmod(descriptor, stat.S_IMODE(status.st_mode))


def _beside(target: str, prefix: str) -> Tuple[int, str]:
    # The name ends in "~": run-parts, systemd and friends pass such files over should a crash leave one.
    return tempfile.mkstemp(prefix="." + prefix, suffix=".cbops-new~", dir=os.path.dirname(target))


def _write_whole(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view):]
    os.fsync(descriptor)


def _sync_folder(path: str) -> None:
    descriptor = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _put(target: str, content: bytes, attributes_of: str, status: os.stat_result, final: str) -> None:
    """Write ``content`` beside ``target`` with the attributes of another file, then rename it to ``final``."""
    descriptor, temporary = _beside(target, os.path.basename(target))
    try:
        try:
            _copy_attributes(descriptor, attributes_of, status)
            _write_whole(descriptor, content)
        finally:
            os.close(descriptor)
        os.rename(temporary, final)
    except BaseException:
        try:
            os.unlink(temporary)
        except OSError:
            pass
        raise
    _sync_folder(final)


def replace(path: str, expected: Optional[str], content: Optional[str], backup: bool,
            model: Optional[str] = None) -> Optional[str]:
    """Replace, create or remove a file in one step, so that at any moment the old or the new one is there.

    ``expected`` is what the file must still hold (None: it must not exist), ``content`` what it shall hold
    (None: it is removed), both Latin-1. A new file takes owner and mode of ``model``, if given, else
    root and 0644. Returns the path of the backup, if one was made. Raises :class:`Refused`.
    """
    try:
        target = safe_target(path)
        with Lock(target.path):
            return _replace_locked(path, target.path, expected, content, backup, model)
    except OSError as error:
        raise Refused(_explain(path, error))


def _replace_locked(path: str, target: str, expected: Optional[str], content: Optional[str], backup: bool,
                    model: Optional[str]) -> Optional[str]:
    if expected is None:
        if os.path.lexists(target):
            raise Refused("%s: somebody else made it meanwhile (nothing was changed); run again" % path)
        status = os.stat(model) if model else os.stat("/")
        descriptor, temporary = _beside(target, os.path.basename(target))
        try:
            try:
                os.fchmod(descriptor, stat.S_IMODE(status.st_mode) if model else 0o644)
                if model:
                    os.fchown(descriptor, status.st_uid, status.st_gid)
                _write_whole(descriptor, (content or "").encode("latin-1"))
            finally:
                os.close(descriptor)
            os.link(temporary, target)  # unlike rename, never over a file that came meanwhile
        finally:
            os.unlink(temporary)
        _sync_folder(target)
        return None
    descriptor, status = _open_regular(target, os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb") as stream:
        current = stream.read(LIMIT_SIZE + 1)
    if status.st_nlink > 1:
        raise Refused("%s: it has %d names (hard links), and replacing it would part them; edit it yourself"
                      % (path, status.st_nlink))
    if current != expected.encode("latin-1"):
        raise Refused("%s: somebody else changed it meanwhile (nothing was changed); run again" % path)
    kept: Optional[str] = None
    if backup:
        kept = "%s.%s%s" % (target, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()), BACKUP_SUFFIX)
        count = 0
        while os.path.lexists(kept):
            count += 1
            kept = "%s.%s-%d%s" % (target, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()), count, BACKUP_SUFFIX)
        _put(target, current, target, status, kept)
    if content is None:
        os.unlink(target)
        _sync_folder(target)
    else:
        _put(target, content.encode("latin-1"), target, status, target)
    return kept


def make_folder(path: str) -> None:
    """Make a folder of root's, 0755, where it is missing (one level). Raises :class:`Refused`."""
    try:
        parent = safe_target(os.path.dirname(path))
        here = os.path.join(parent.path, os.path.basename(path))
        try:
            os.mkdir(here, 0o755)
        except FileExistsError:
            if not stat.S_ISDIR(os.lstat(here).st_mode):
                raise Refused("%s: not a folder" % path)
            return
        os.chmod(here, 0o755)
    except OSError as error:
        raise Refused(_explain(path, error))

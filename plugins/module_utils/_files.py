# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the managed host: a read-only view below a root.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import errno
import os
import re
import stat
from typing import Any, Dict, FrozenSet, List, Optional, Tuple

LIMIT_SIZE = 4 << 20
LIMIT_LINKS = 20
LIMIT_FOUND = 1000  # paths that a pattern stands for
LIMIT_KEPT = 64 << 20  # bytes of files that are kept in memory together
_NULL = "/dev/null"


def open_regular(path: str, flags: int = 0, folder: Optional[int] = None) -> Tuple[int, os.stat_result]:
    """Open a regular file (of an open folder) for reading. Raises OSError for anything else."""
    # O_NONBLOCK: a named pipe must not hold the audit up.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | flags, dir_fd=folder)
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
        self._kept = [0]  # bytes of it
        self._links: Dict[str, Optional[str]] = {}
        self._folders: Dict[str, str] = {"": "/"}
        self._names: Dict[str, FrozenSet[str]] = {}
        self._candidates: Dict[str, Optional[str]] = {}
        self.trees: Dict[Tuple[str, str, str], Any] = {}  # parsed shell files, see _shell
        self.work = [0]  # what following launch files has cost so far, see _shell_words

    def with_candidates(self, candidates: Dict[str, Optional[str]]) -> "HostFiles":
        """The same view with other content in some files."""
        view = HostFiles(self.root)
        view._content = self._content
        view._kept = self._kept
        view._links = self._links
        view._folders = self._folders
        view._names = self._names
        view.trees = dict(self.trees)  # what is parsed of candidates goes with them
        view.work = self.work
        view._candidates = dict(self._candidates)
        view._candidates.update(candidates)
        return view

    def resolve(self, path: str) -> str:
        """Path on this machine, every link on the way resolved below the root. Raises OSError."""
        return self._join(self.canonical(path))

    def _join(self, path: str) -> str:
        return path if self.root == "/" else self.root + path

    def canonical(self, path: str) -> str:
        """The path without links, as seen from the root. Raises OSError."""
        folder, _slash, name = path.rpartition("/")
        if name in ("", ".", "..") or not path.startswith("/"):
            return self._canonical(path)
        # A survey comes by the same folders thousands of times.
        if folder not in self._folders:
            self._folders[folder] = self._canonical(folder)
        place = self._folders[folder].rstrip("/") + "/" + name
        return place if self._link(place) is None else self._canonical(path)

    def _canonical(self, path: str) -> str:
        parts = [part for part in path.split("/") if part not in ("", ".")]
        done: List[str] = []
        links = 0
        while parts:
            part = parts.pop(0)
            if part == "..":
                done = done[:-1]
                continue
            here = "/" + "/".join(done + [part])
            target = self._link(here)
            if target is None:
                done.append(part)
                continue
            links += 1
            if links > LIMIT_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            if target.startswith("/"):
                done = []
            parts = [item for item in target.split("/") if item not in ("", ".")] + parts
        return "/" + "/".join(done)

    def _link(self, path: str) -> Optional[str]:
        """Where a link leads; None for anything else. Asked once: a survey comes by a folder thousands of times."""
        if path not in self._links:
            try:
                self._links[path] = os.readlink(self._join(path))
            except OSError:
                self._links[path] = None
        return self._links[path]

    def read(self, path: str) -> str:
        """A regular file's bytes as Latin-1 text; raises OSError (also for a file over the limit)."""
        if path in self._candidates:
            candidate = self._candidates[path]
            if candidate is None:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
            return candidate
        if path not in self._content:
            descriptor, status = open_regular(self.resolve(path))
            with os.fdopen(descriptor, "rb") as stream:
                if status.st_size > LIMIT_SIZE:
                    raise OSError(errno.EFBIG, "larger than %d bytes" % LIMIT_SIZE, path)
                content = stream.read(LIMIT_SIZE + 1).decode("latin-1")
            self._kept[0] += len(content)
            if self._kept[0] > LIMIT_KEPT:
                self._content.clear()
                self._kept[0] = len(content)
            self._content[path] = content
        return self._content[path]

    def head(self, path: str, count: int = 2) -> bytes:
        """The first bytes of a regular file, empty where it cannot be read."""
        if self._candidates.get(path) is not None:
            return (self._candidates[path] or "").encode("latin-1")[:count]
        try:
            descriptor, _status = open_regular(self.resolve(path))
        except OSError:
            return b""
        with os.fdopen(descriptor, "rb") as stream:
            return stream.read(count)

    def exists(self, path: str) -> bool:
        """True where something is there (a dangling link counts as nothing)."""
        if path in self._candidates:
            return self._candidates[path] is not None
        try:
            canonical = self.canonical(path)
            if canonical != _NULL:  # an image need not have devices
                os.stat(self._join(canonical))
        except OSError:
            return False
        return True

    def is_masked(self, path: str) -> bool:
        """True for a unit file or drop-in that is a link to /dev/null, or empty."""
        if path in self._candidates:
            return self._candidates[path] == ""
        try:
            canonical = self.canonical(path)
            if canonical == _NULL:
                return True
            status = os.stat(self._join(canonical))
        except OSError:
            return False
        return stat.S_ISREG(status.st_mode) and status.st_size == 0

    def list(self, path: str) -> List[str]:
        """Names in a folder, sorted; empty where there is none."""
        if path not in self._names:
            try:
                self._names[path] = frozenset(os.listdir(self.resolve(path)))
            except OSError:
                self._names[path] = frozenset()
        names = set(self._names[path])
        for candidate, content in self._candidates.items():
            folder, _slash, name = candidate.rpartition("/")
            if folder == path:
                names.discard(name)
                if content is not None:
                    names.add(name)
            elif content is not None and folder.startswith(path + "/"):
                names.add(folder[len(path) + 1:].partition("/")[0])  # a file makes its folders
        return sorted(names)

    def glob(self, path: str) -> List[str]:
        """Paths that match a pattern, as seen from the root and never outside it, sorted. Raises OSError."""
        found = ["/"]
        for part in [part for part in path.split("/") if part]:
            stems = [stem.rstrip("/") + "/" for stem in found]
            if not re.search(r"[*?\[]", part):
                found = [stem + part for stem in stems]
                continue
            from ._shell_patterns import Pattern  # only units with such a path need it
            from ._shell_syntax import Run

            matches = Pattern([Run(part)]).match
            found = [stem + name for stem in stems for name in self.list(stem.rstrip("/") or "/")
                     if matches(name) and (part.startswith(".") or not name.startswith("."))]
            if len(found) > LIMIT_FOUND:
                raise OSError(errno.E2BIG, "stands for more than %d files" % LIMIT_FOUND, path)
        return sorted(name for name in found if self._is_listed(name))

    def _is_listed(self, path: str) -> bool:
        # As glob(3): a dangling link is there.
        folder, _slash, name = path.rpartition("/")
        return self.exists(path) or name in self.list(folder or "/")

    def test(self, operator: str, path: str) -> Optional[bool]:
        """What ``[ -operator path ]`` says for the service, or None where that cannot be known."""
        if not path.startswith("/"):
            return None if path else False
        try:
            if operator in "hL":
                folder, _slash, name = path.rstrip("/").rpartition("/")
                status = os.lstat(self._join(self.canonical(folder)).rstrip("/") + "/" + name)
            else:
                status = os.stat(self.resolve(path))
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

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files as a service sees them that has a root of its own (``RootDirectory=``), or other files in some places.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import errno
import os
import stat
from typing import Dict, List, Optional, Sequence, Tuple

from ..host._files import HostFiles, _open_step_by_step, names_in, open_regular, way_to
from ..text._value import Unresolvable

#: Where a service sees a folder of the host, and which one: ("/", "/srv/root"), ("/opt/ci", "/data/ci").
Mounts = Tuple[Tuple[str, str], ...]


class SeenFiles(HostFiles):
    """The host's files by the names that a service has for them; :meth:`origin` gives the host's own."""

    def __init__(self, host: HostFiles, mounts: Mounts) -> None:
        super().__init__(host.root, host._reader)
        self.host = host
        self._mounts = sorted(mounts, key=lambda one: -len(one[0]))
        self._memory = host.views.setdefault(mounts, self._memory)
        self.unread, self.work, self.variables = host.unread, host.work, host.variables
        for path, content in host._candidates.items():
            for place, source in self._mounts:
                inside = _moved(path, source, place)
                if inside is not None and self._outer(inside) == path:
                    self._candidates[inside] = content

    def _outer(self, path: str) -> str:
        for place, source in self._mounts:
            outer = _moved(path, place, source)
            if outer is not None:
                return outer
        return path

    def origin(self, path: str) -> str:
        """The host's name of a file, without links. Raises OSError."""
        return self._outer(self.canonical(path))

    def _join(self, path: str) -> str:
        return self.host._join(self._outer(path))

    def _is_roots(self, folder: str) -> bool:
        outer = self._outer(folder or "/")
        return self.host._is_roots("" if outer == "/" else outer)

    def open(self, path: str) -> Tuple[int, os.stat_result]:
        """As of the host; what a link leads to is looked for where the service sees it."""
        if self._reader is None and self.canonical(path) == path and self._is_roots(path.rpartition("/")[0]):
            return open_regular(self._join(path), os.O_NOFOLLOW)
        return self._opened(path, stat.S_IFREG)

    def _listed(self, home: Optional[str], path: str) -> List[str]:
        descriptor, _status = self._opened(path, stat.S_IFDIR)
        try:
            return names_in(way_to(descriptor))
        finally:
            os.close(descriptor)

    def _opened(self, path: str, kind: int) -> Tuple[int, os.stat_result]:
        if len(self._mounts) == 1 and self._mounts[0][0] == "/":
            return _open_step_by_step(self._join("/"), None, path, kind, self._reader)
        outer = self._outer("/" + "/".join(part for part in path.split("/") if part not in ("", ".")))
        descriptor, status = _open_step_by_step(self.root, None, outer, kind, self._reader)
        meant = os.stat(self._join(self.canonical(path)))
        if (meant.st_dev, meant.st_ino) != (status.st_dev, status.st_ino):
            os.close(descriptor)
            raise OSError(errno.EXDEV, "a link leads out of what the service sees there", path)
        return descriptor, status

    def read(self, path: str) -> str:
        """As of the host."""
        return super().read(self._without_links(path))

    def exists(self, path: str) -> bool:
        """As of the host."""
        return super().exists(self._without_links(path))

    def head(self, path: str, count: int = 2) -> bytes:
        """As of the host."""
        return super().head(self._without_links(path), count)

    def _is_candidate(self, path: str) -> bool:
        return super()._is_candidate(self._without_links(path))

    def _without_links(self, path: str) -> str:
        # What is not written yet is known by the name without links.
        if not self._candidates:
            return path
        try:
            return self.canonical(path)
        except OSError:
            return path


def _moved(path: str, place: str, other: str) -> Optional[str]:
    """A path below one place as it is below another one; None where it is not below it."""
    if place != "/" and path != place and not path.startswith(place + "/"):
        return None
    rest = path if place == "/" else path[len(place) :]
    return (other.rstrip("/") + rest).rstrip("/") or "/"


def seen(files: HostFiles, mounts: Mounts) -> HostFiles:
    """The files of the host as a service with these mounts sees them."""
    if not mounts:
        return files
    files.service_roots.update(source for place, source in mounts if place == "/")
    return SeenFiles(files, mounts)


def mounts_of(root: str, binds: Sequence[str], files: HostFiles) -> Tuple[Mounts, List[str]]:
    """What ``RootDirectory=`` and the words ``SOURCE[:PLACE[:OPTIONS]]`` of ``BindPaths=`` and its like show a service.

    Beside it the places where that is not known: nothing is there now, or others than root may swap it. Raises
    Unresolvable where it cannot be known at all.
    """
    mounts: List[Tuple[str, str]] = []
    places: List[str] = []
    if root.strip("/"):
        mounts.append(("/", _source(root, "RootDirectory=" + root, files)))
    elif root and binds:  # 247 and 252: Too many levels of symbolic links; 257 does
        raise Unresolvable("RootDirectory=/ beside BindPaths=: an older systemd starts nothing then")
    first: Dict[str, str] = {}
    for word in binds:
        fields = word.lstrip("-").split(":")
        place = fields[1] if len(fields) > 1 and fields[1] else fields[0]
        if not fields[0].startswith("/") or not place.startswith("/") or "\\" in word:
            raise Unresolvable("BindPaths=%s: what the service sees there is not known" % word)
        if first.setdefault(place.rstrip("/"), fields[0]) != fields[0]:
            places.append(place)  # which of two for the same place counts is systemd's own order
            continue
        if not files.exists(fields[0]):
            places.extend([] if word.startswith("-") else [place])
            continue
        if fields[0].rstrip("/") == place.rstrip("/") and not root.strip("/"):
            continue
        try:
            source = _source(fields[0], "BindPaths=" + word, files)
            place = seen(files, tuple(mounts)).canonical(place)
        except (Unresolvable, OSError):
            places.append(place)
            continue
        mounts = [one for one in mounts if not place == one[0]] + [(place, source)]
    return tuple(mounts), places


def _source(path: str, setting: str, files: HostFiles) -> str:
    """A folder that a service is shown, without links; whoever may swap it decides what the service sees."""
    try:
        source = files.canonical(path)
    except OSError:
        source = ""
    if not source or not files.exists(source):
        raise Unresolvable("%s: it is not there" % setting)
    weak = files.weak_spot(source.rpartition("/")[0] or "/")
    if weak is not None:
        raise Unresolvable("%s: others than root may change %s" % (setting, weak[0]))
    return source

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at file systems that may never answer (a server that is gone, FUSE): each look in a child, for a short time.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only. A file system that did not
answer once is not asked again. The machine's own disks are looked at directly: a child costs a millisecond.
"""

import errno
import re
import time
from typing import Any, Callable, Dict, List, Optional, Set

from . import _limits as limits

#: Kinds that the kernel serves from this machine.
_LOCAL = frozenset(
    "bcachefs bpf btrfs cgroup cgroup2 configfs debugfs devpts devtmpfs efivarfs erofs exfat ext2 ext3 ext4 f2fs "
    "fusectl hugetlbfs iso9660 jfs mqueue nsfs overlay proc pstore ramfs reiserfs rootfs securityfs selinuxfs squashfs "
    "sysfs tmpfs tracefs udf vfat xfs zfs".split()
)


class Silent(OSError):
    """A file system does not answer: what lies there is not known, and must not pass for absent."""

    def __init__(self, reason: str, path: str) -> None:
        super().__init__(errno.ETIMEDOUT, reason, path)
        self.reason, self.path = reason, path


class _State:
    mounts: Optional[Dict[str, Optional[str]]] = None  # by place the kind that may hang; see _mounts
    silent: Set[str] = set()
    wasted = 0.0


def _mounts(table: str = "/proc/self/mountinfo") -> Dict[str, Optional[str]]:
    """What is mounted where: the kind where it may hang, else None. Empty where nothing can hang."""
    found: Dict[str, Optional[str]] = {}
    try:
        with open(table, encoding="utf-8", errors="surrogateescape") as stream:
            for line in stream:
                fields, _dash, rest = line.partition(" - ")
                place = fields.split(" ", 5)[4]
                if "\\" in place:
                    place = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), place)
                kind = rest.split(" ")[0]
                # Python itself has just been read from some of them.
                found[place] = None if kind in _LOCAL or place in ("/", "/etc", "/usr") else kind
    except OSError:
        pass
    return found if any(found.values()) else {}


def _place_of(path: str, mounts: Dict[str, Optional[str]]) -> Optional[str]:
    """Where the file system of a path (without links) is mounted, if it may hang."""
    while mounts and path:
        if path in mounts:
            return path if mounts[path] else None
        path = path.rpartition("/")[0]
    return None


def hangs(pid: int, path: str, work: Callable[[], Any]) -> bool:
    """Whether ``work``, which looks at a path as a process sees it, would not end here."""
    from ._child import Late, bounded

    if _place_of(path, _mounts("/proc/%d/mountinfo" % pid)) is None:
        return False
    try:
        bounded(lambda: _tried(lambda: bool(work())), limits.LOOK, 0)
    except Late:
        return True
    return False


def anywhere(work: Callable[[], Any]) -> Any:
    """What ``work`` (anything that JSON knows) returns, which may follow links to any file system. Raises Silent."""
    from ._child import Late, bounded

    if not _mounts():
        return work()
    try:
        return bounded(work, limits.LOOK, 0)
    except Late:
        raise Silent("a file system that a link leads to does not answer", "/")


def look(path: str, work: Callable[[], Any]) -> Any:
    """What ``work`` returns (anything that JSON knows), which looks at a path without links. Raises OSError."""
    bounded = limits.Budget.bounded  # whoever waits for this process gives it up
    if bounded and not _State.silent:
        return work()
    if _State.mounts is None:
        _State.mounts = _mounts()
    place = _place_of(path, _State.mounts)
    if place is None or (bounded and place not in _State.silent):
        return work()
    return _asked(place, path, work)


def may_hang(path: str) -> bool:
    """Whether a path (without links) is on a file system that may not answer."""
    if _State.mounts is None:
        _State.mounts = _mounts()
    return _place_of(path, _State.mounts) is not None


def _asked(place: str, path: str, work: Callable[[], Any]) -> Any:
    from ._child import Late, bounded  # only where there is something to be careful with

    if place not in _State.silent and _State.wasted >= limits.LOOKS:
        raise Silent("the file system at %s was not asked: others do not answer" % place, path)
    if place not in _State.silent:
        began = time.monotonic()
        try:
            number, problem, result = bounded(lambda: _tried(work), limits.LOOK, 0)
        except Late:
            _State.silent.add(place)
            _State.wasted += time.monotonic() - began
        else:
            if number:
                raise OSError(number, problem, path)
            return result
    raise Silent("the file system at %s does not answer" % place, path)


def _tried(work: Callable[[], Any]) -> List[Any]:
    try:
        return [0, "", work()]
    except OSError as error:
        return [error.errno or errno.EIO, error.strerror, None]

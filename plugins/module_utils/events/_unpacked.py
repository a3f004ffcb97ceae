# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in an archive and in the archives in it, entry by entry, within limits; each that is not read is named.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only. As Java does it, the directory
at the archive's end says what is there.
"""

import io
import struct
import time
import zlib
from typing import IO, Callable, Iterator, NamedTuple, Tuple

from ..host import _limits as limits
from ..java._archive import Broken, TooLarge, directory, wide_entry

#: Bytes of a class (real ones have some hundred thousand at most), and of an archive in an archive.
LIMIT_CLASS = 4 << 20
LIMIT_NESTED = 128 << 20
#: Bytes that are unpacked of one plugin, with all that is in it.
LIMIT_UNPACKED = 1 << 30
#: An archive in an archive: a plugin in a war, a library in that plugin, and one in that.
DEEPEST = 4
#: Seconds of CPU that are kept for the answer.
_RESERVE = 5
_MANIFEST = "META-INF/MANIFEST.MF"
_ENTRY = struct.Struct("<4s4xHH4xIIIHHH8xI")
_LOCAL = struct.Struct("<4s22xHH")
_LARGE = 0xFFFFFFFF
_STORED, _DEFLATED, _ENCRYPTED = 0, 8, 1


class Refused(Exception):
    """Something is not read; the message says why."""


class Over(Refused):
    """And so is all that would be read after it."""


class Entry(NamedTuple):
    """An entry of an archive's directory."""

    name: str  # one character a byte
    flags: int
    method: int
    checksum: int
    packed: int
    whole: int
    position: int


class Clock:
    """When reading ends: by the clock, and before this process has used up its CPU, so that what was read is told."""

    def __init__(self, until: float) -> None:
        self.until = until  # on the monotonic clock
        self.cpu = time.process_time() + limits.CPU - _RESERVE

    def is_over(self) -> bool:
        """Whether nothing more is read."""
        return time.monotonic() > self.until or time.process_time() > self.cpu


class Reading:
    """What the reading of one plugin has cost, and what of it was not read."""

    def __init__(self, clock: Clock, report: Callable[[str, str], None]) -> None:
        self.clock = clock
        self.left = LIMIT_UNPACKED
        self.refused = report  # takes a path and a reason
        self.classes = 0

    def take(self, count: int) -> None:
        """So many bytes are unpacked. Raises :class:`Over` where that is too much, or too late."""
        self.left -= count
        if self.left < 0:
            raise Over("unpacked it has more than %d bytes" % LIMIT_UNPACKED)
        if self.clock.is_over():
            raise Over("the time for reading archives was used up")


class Archive:
    """An archive that is open. Raises :class:`Refused` and OSError where it cannot be read."""

    def __init__(self, stream: IO[bytes], size: int) -> None:
        self.stream = stream
        try:
            self.before, data = directory(stream, size)
            self.entries = list(_entries(data))
        except (Broken, TooLarge) as error:
            raise Refused(str(error))

    def content(self, entry: Entry, limit: int, take: Callable[[int], None]) -> bytes:
        """The bytes of an entry. Raises :class:`Refused`, OSError."""
        take(0)
        if entry.flags & _ENCRYPTED:
            raise Refused("it is encrypted, which Java does not read either")
        if entry.method not in (_STORED, _DEFLATED):
            raise Refused("it is compressed in a way that Java does not read")
        if entry.packed > limit or _LARGE > entry.whole > limit:
            raise Refused("it is larger than %d bytes" % limit)
        self.stream.seek(self.before + entry.position)
        head = self.stream.read(_LOCAL.size)
        if len(head) < _LOCAL.size or head[:4] != b"PK\3\4":
            raise Refused("it is not where the directory says")
        _mark, name, extra = _LOCAL.unpack(head)
        self.stream.seek(name + extra, 1)
        data = self.stream.read(entry.packed)
        if entry.method == _DEFLATED:
            try:
                data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, limit + 1)
            except zlib.error:
                raise Refused("it cannot be unpacked")
        take(len(data))
        if len(data) > limit:
            raise Refused("it is larger than %d bytes" % limit)
        if zlib.crc32(data) != entry.checksum:
            raise Refused("its checksum is another one")
        return data

    def manifest(self) -> bytes:
        """The manifest, empty where none can be read."""
        for entry in self.entries:
            if entry.name == _MANIFEST:
                try:
                    return self.content(entry, 256 << 10, lambda _count: None)
                except (Refused, OSError):
                    break
        return b""


def _entries(data: bytes) -> Iterator[Entry]:
    """The entries of a directory that was found whole. Raises Broken."""
    at = 0
    while at < len(data):
        _mark, flags, method, checksum, packed, whole, name, extra, comment, position = _ENTRY.unpack_from(data, at)
        at += _ENTRY.size
        if _LARGE in (packed, position):
            packed, position = wide_entry(data[at + name : at + name + extra], packed, whole, position)
        yield Entry(data[at : at + name].decode("latin-1"), flags, method, checksum, packed, whole, position)
        at += name + extra + comment


def classes(
    archive: Archive, path: str, reading: Reading, wanted: Callable[[str], bool] = lambda _name: True, depth: int = 1
) -> Iterator[Tuple[str, bytes]]:
    """The path and bytes of each class in an archive, and in the archives in it; only entries that are ``wanted``."""
    for entry in archive.entries:
        is_class, name = entry.name.endswith(".class"), path + "!" + entry.name
        if not wanted(entry.name) or not (is_class or entry.name.endswith(".jar")):
            continue
        try:
            if is_class:
                data = archive.content(entry, LIMIT_CLASS, reading.take)
                reading.classes += 1
                yield name, data
                continue
            inner = nested(archive, entry, reading, depth)
        except Refused as error:
            reading.refused(name, str(error))
            if isinstance(error, Over):
                return  # that is what the reason says
            continue
        except OSError as error:
            reading.refused(name, error.strerror or "it cannot be read")
            continue
        yield from classes(inner, name, reading, lambda _name: True, depth + 1)


def nested(archive: Archive, entry: Entry, reading: Reading, depth: int) -> Archive:
    """An archive in an archive. Raises :class:`Refused`, OSError."""
    if depth >= DEEPEST:
        raise Refused("it is an archive in more than %d archives, which is not read" % (DEEPEST - 1))
    data = archive.content(entry, LIMIT_NESTED, reading.take)
    return Archive(io.BytesIO(data), len(data))

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a file is a whole zip archive, as Java would find it: an upgrade that was copied by half is none.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only. What is read is bounded: the
end of the file, its directory, and the places where some of the entries begin.
"""

import struct
from typing import IO, List, Optional, Tuple

LIMIT_DIRECTORY = 8 << 20  # a product's war has some 100 KiB
#: Entries that are looked at where they begin, evenly over the file: holes are what a copy leaves that broke off.
SAMPLE = 64
#: Places that may be the end of the directory: a comment can hold the mark.
_LIMIT_ENDS = 16
#: The records of a zip (PKWARE's APPNOTE.TXT, 4.3): end, its 64-bit form and where that is, an entry of the directory,
#: what stands in front of an entry.
_END = struct.Struct("<4s6xHIIH")
_LOCATOR = struct.Struct("<4s4xQ4x")
_END_64 = struct.Struct("<4s28xQQQ")
_ENTRY = struct.Struct("<4s16xIIHHH8xI")
_LOCAL = struct.Struct("<4s22xHH")
_TAIL = _END.size + 0xFFFF
_LARGE = 0xFFFFFFFF


class TooLarge(Exception):
    """It is not known whether the archive is whole; the message says why."""


class Broken(Exception):
    """It is not whole; the message says what is wrong."""


def flaw(stream: IO[bytes], size: int) -> Optional[str]:
    """What an archive of ``size`` bytes lacks to be whole; None where nothing does.

    Raises :class:`TooLarge`, OSError.
    """
    try:
        directory(stream, size)
    except Broken as error:
        return str(error)
    return None


def directory(stream: IO[bytes], size: int) -> Tuple[int, bytes]:
    """What lies in front of an archive that is whole and counts in no position, and its directory.

    Raises :class:`Broken`, :class:`TooLarge`, OSError.
    """
    if not size:
        raise Broken("it is empty")
    stream.seek(max(0, size - _TAIL))
    tail = stream.read(_TAIL)
    first: Optional[Broken] = None
    at = len(tail)
    for _number in range(_LIMIT_ENDS):
        at = tail.rfind(b"PK\x05\x06", 0, at + 3 if at < len(tail) else at)
        if at < 0:
            break
        try:
            return _checked(stream, tail, at, size)
        except Broken as error:
            first = first or error
    raise first or Broken("it has no end: it is cut, or no archive")


def _checked(stream: IO[bytes], tail: bytes, at: int, size: int) -> Tuple[int, bytes]:
    """The same of the archive that ends at ``at`` of the file's tail."""
    if at + _END.size > len(tail):
        raise Broken("its end is cut")
    _mark, count, length, offset, comment = _END.unpack_from(tail, at)
    if at + _END.size + comment > len(tail):
        raise Broken("its end is cut")
    end = size - len(tail) + at
    end, count, length, offset = _wide(stream, end, count, length, offset)
    if length > end:
        raise Broken("its directory is larger than the file")
    if length > LIMIT_DIRECTORY:
        raise TooLarge("its directory is larger than %d bytes" % LIMIT_DIRECTORY)
    start = end - length
    before = start - offset  # a program in front of the archive counts in no position
    if before < 0:
        raise Broken("its directory is not where it must be: bytes are missing")
    stream.seek(start)
    data = stream.read(length)
    entries = _entries(data, length)
    if not entries or len(entries) & 0xFFFF != count & 0xFFFF:
        raise Broken("it holds nothing" if not entries and not count else "its directory is not whole")
    entries.sort()
    last = len(entries) - 1
    for index in sorted({last * number // (SAMPLE - 1) for number in range(SAMPLE)}):
        position, packed = entries[index]
        stream.seek(before + position)
        head = stream.read(_LOCAL.size)
        if len(head) < _LOCAL.size or head[:4] != b"PK\x03\x04":
            raise Broken("entries are not where its directory says: it is written over by half, or has holes")
        _mark, name, extra = _LOCAL.unpack(head)
        if before + position + _LOCAL.size + name + extra + packed > start:
            raise Broken("an entry does not end before its directory")
    return before, data


def _wide(stream: IO[bytes], end: int, count: int, length: int, offset: int) -> Tuple[int, int, int, int]:
    """Where the directory ends, its count, length and offset: those of the 64-bit record, where that counts."""
    is_needed = count == 0xFFFF or _LARGE in (length, offset)
    if end >= _LOCATOR.size:
        stream.seek(end - _LOCATOR.size)
        mark, position = _LOCATOR.unpack(stream.read(_LOCATOR.size))
        if mark == b"PK\x06\x07":
            # Something in front of the archive counts in no position; then it is right before its locator.
            for place in (position, end - _LOCATOR.size - _END_64.size):
                if not 0 <= place <= end - _LOCATOR.size - _END_64.size:
                    continue
                stream.seek(place)
                found = stream.read(_END_64.size)
                if len(found) == _END_64.size and found[:4] == b"PK\x06\x06":
                    _mark, entries, wide_length, wide_offset = _END_64.unpack(found)
                    # As Java does it: where both say something else, the older record counts.
                    if (
                        length in (wide_length, _LARGE)
                        and offset in (wide_offset, _LARGE)
                        and count in (entries, 0xFFFF)
                    ):
                        return place, entries, wide_length, wide_offset
    if is_needed and _LARGE in (length, offset):
        raise Broken("its 64-bit end is missing")
    return end, count, length, offset


def _entries(directory: bytes, length: int) -> List[Tuple[int, int]]:
    """Position and packed size of each entry. Raises :class:`Broken`."""
    found = []
    at = 0
    if len(directory) < length:
        raise Broken("its directory is cut")
    while at < length:
        if at + _ENTRY.size > length or directory[at : at + 4] != b"PK\x01\x02":
            raise Broken("its directory is not whole")
        _mark, packed, whole, name, extra, comment, position = _ENTRY.unpack_from(directory, at)
        at += _ENTRY.size
        if _LARGE in (packed, position):
            packed, position = wide_entry(directory[at + name : at + name + extra], packed, whole, position)
        found.append((position, packed))
        at += name + extra + comment
    if at != length:
        raise Broken("its directory is not whole")
    return found


def wide_entry(extra: bytes, packed: int, whole: int, position: int) -> Tuple[int, int]:
    """Packed size and position of an entry that has them in its 64-bit field. Raises :class:`Broken`."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            wide = [
                struct.unpack_from("<Q", extra, place)[0]
                for place in range(at + 4, min(at + 4 + length, len(extra)) - 7, 8)
            ]
            try:
                if whole == _LARGE:
                    wide.pop(0)
                return (wide.pop(0) if packed == _LARGE else packed), (wide.pop(0) if position == _LARGE else position)
            except IndexError:
                break
        at += 4 + length
    raise Broken("an entry of its directory is not whole")

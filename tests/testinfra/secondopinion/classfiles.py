"""Which events the plugins of a home name: annotated constants in class files, read as bytes. Nothing is loaded."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

PACKAGE = b"com/cloudbees/analytics/messages/"
KINDS = {"AnalyticsEvent": "event", "AnalyticsProperty": "property"}
#: Bytes behind the tag of each constant of a pool; of a text there are as many as it says.
SIZES = {3: 4, 4: 4, 5: 8, 6: 8, 7: 2, 8: 2, 9: 4, 10: 4, 11: 4, 12: 4, 15: 3, 16: 2, 17: 4, 18: 4, 19: 2, 20: 2}
MOST = 1 << 28


class NoClass(Exception):
    """It is not what it seems."""


class Bytes:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.data):
            raise NoClass
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "big")


def text_of(data: bytes) -> str:
    """Java's own kind of UTF-8: NUL in two bytes, and what is beyond 16 bits as two halves."""
    halves = data.replace(b"\xc0\x80", b"\0").decode("utf-8", "surrogatepass")
    return halves.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def in_class(data: bytes) -> set[tuple[str, str]]:
    """(kind, name) of each annotated constant whose name is known to the compiler. Raises NoClass."""
    stream = Bytes(data)
    if stream.number(4) != 0xCAFEBABE:
        raise NoClass
    stream.take(4)
    pool: dict[int, tuple[int, bytes]] = {}
    index, count = 1, stream.number(2)
    while index < count:
        tag = stream.number(1)
        if tag != 1 and tag not in SIZES:
            raise NoClass
        pool[index] = tag, stream.take(stream.number(2) if tag == 1 else SIZES[tag])
        index += 2 if tag in (5, 6) else 1
    stream.take(6)
    stream.take(2 * stream.number(2))
    found = set()
    for _field in range(stream.number(2)):
        stream.take(6)
        name, kinds = None, set()
        for _attribute in range(stream.number(2)):
            what = pool.get(stream.number(2), (0, b""))[1]
            body = Bytes(stream.take(stream.number(4)))
            if what == b"ConstantValue":
                tag, reference = pool.get(body.number(2), (0, b""))
                if tag == 8:
                    name = text_of(pool.get(int.from_bytes(reference, "big"), (0, b""))[1])
            elif what in (b"RuntimeVisibleAnnotations", b"RuntimeInvisibleAnnotations"):
                for _annotation in range(body.number(2)):
                    kinds.add(annotation(body, pool))
        found |= {(KINDS[kind], name) for kind in kinds if kind in KINDS and name is not None}
    return found


def annotation(body: Bytes, pool: dict, depth: int = 0) -> str:
    kind = pool.get(body.number(2), (0, b""))[1]
    for _pair in range(body.number(2)):
        body.take(2)
        skip(body, pool, depth + 1)
    short = kind[1 + len(PACKAGE) : -1] if kind.startswith(b"L" + PACKAGE) else b""
    return short.decode("ascii", "replace")


def skip(body: Bytes, pool: dict, depth: int) -> None:
    """One value of an annotation."""
    if depth > 20:
        raise NoClass
    tag = body.take(1)
    if tag == b"@":
        annotation(body, pool, depth)
    elif tag == b"[":
        for _value in range(body.number(2)):
            skip(body, pool, depth + 1)
    else:
        body.take(4 if tag == b"e" else 2)


def in_archive(data: bytes, depth: int = 0, left: list[int] | None = None) -> tuple[set[tuple[str, str]], bool]:
    """The events of an archive and of those in it, and whether all of it was read."""
    left = [MOST] if left is None else left
    found: set[tuple[str, str]] = set()
    whole = True
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for entry in archive.infolist():
                name = entry.filename
                if not name.endswith((".class", ".jar")) or name.endswith(".jar") and depth == 3:
                    continue
                if entry.file_size > left[0] or entry.flag_bits & 1:
                    whole = False
                    continue
                inside = archive.read(entry)
                left[0] -= len(inside)
                if name.endswith(".jar"):
                    more, all_of_it = in_archive(inside, depth + 1, left)
                    found, whole = found | more, whole and all_of_it
                elif PACKAGE in inside:
                    found |= in_class(inside)
    except (zipfile.BadZipFile, zlib.error, NoClass, OSError, ValueError, NotImplementedError, struct.error, EOFError):
        whole = False
    return found, whole

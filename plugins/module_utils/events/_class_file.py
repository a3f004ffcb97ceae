# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A class file as far as events need it: whose child it is, its fields, their constants and annotations.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only. Nothing of a class is run or
verified. Each step takes bytes of the file, so that counts which lie cost no more than the file is long; what is wrong
raises :class:`NotAClass` and nothing else.
"""

import struct
from typing import Any, Dict, List, NamedTuple, Tuple

STATIC, FINAL = 0x0008, 0x0010
STRING = "Ljava/lang/String;"
#: Element values within element values; javac writes two.
DEEPEST = 16
#: Bytes of a constant by its tag (JVMS 4.4), beside the tag; of Utf8 those before its text.
_SIZES = {1: 2, 3: 4, 4: 4, 5: 8, 6: 8, 7: 2, 8: 2, 9: 4, 10: 4, 11: 4, 12: 4, 15: 3, 16: 2, 17: 4, 18: 4, 19: 2, 20: 2}
_UTF8, _LONG, _DOUBLE, _CLASS, _STRING = 1, 5, 6, 7, 8
_VISIBLE = {b"RuntimeVisibleAnnotations": True, b"RuntimeInvisibleAnnotations": False}
_MAGIC = b"\xca\xfe\xba\xbe"


class NotAClass(Exception):
    """It is no whole class file; the message says what is wrong, and holds nothing of it."""


class Annotation(NamedTuple):
    """One that is on a field, or within one that is."""

    kind: str  # its type's descriptor
    visible: bool  # at run time: its retention is RUNTIME, otherwise CLASS
    values: Dict[str, List[str]]  # the texts of each element that is a text, or an array of them


class Field(NamedTuple):
    """A field. Its constant is None where it has none that is a text."""

    name: str
    is_text: bool  # a static final String
    has_constant: bool
    constant: Any
    annotations: List[Annotation]


class ClassFile(NamedTuple):
    """Names as they stand in the file, with slashes."""

    name: str
    above: List[str]  # superclass and interfaces
    fields: List[Field]


def text_of(data: bytes) -> str:
    """A text of a class file (modified UTF-8, JVMS 4.4.7). Half a pair, and bytes that are none, are written out."""
    data = data.replace(b"\xc0\x80", b"\0")
    try:
        text = data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        text = data.decode("utf-8", "backslashreplace")
    # Beyond 16 bits a character is a pair of halves, each of them encoded.
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return whole.encode("utf-8", "backslashreplace").decode("utf-8")


class _Reader:
    """Takes numbers from the front of bytes, and never more than there are."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data = data
        self.at = at

    def skip(self, count: int) -> int:
        """Where it was."""
        at = self.at
        if count > len(self.data) - at:
            raise NotAClass("it is cut")
        self.at = at + count
        return at

    def byte(self) -> int:
        """One byte."""
        return self.data[self.skip(1)]

    def short(self) -> int:
        """Two bytes."""
        at = self.skip(2)
        return self.data[at] << 8 | self.data[at + 1]

    def long(self) -> int:
        """Four bytes."""
        return int(struct.unpack_from(">I", self.data, self.skip(4))[0])


class _Pool:
    """The constants: where each one is; texts are decoded when they are asked for."""

    def __init__(self, reader: _Reader) -> None:
        self.data = reader.data
        self.places: Dict[int, Tuple[int, int]] = {}  # tag, and where what follows it begins
        self.texts: Dict[int, str] = {}  # decoded once: an array may name one long text 65,535 times
        count, number = reader.short(), 1
        while number < count:
            tag = reader.byte()
            if tag not in _SIZES:
                raise NotAClass("it has a constant of an unknown kind")
            at = reader.skip(_SIZES[tag])
            self.places[number] = tag, at
            if tag == _UTF8:
                reader.skip(self._short(at))
            number += 2 if tag in (_LONG, _DOUBLE) else 1  # which take two places (JVMS 4.4.5)

    def _short(self, at: int) -> int:
        return self.data[at] << 8 | self.data[at + 1]

    def _place(self, number: int, tag: int) -> int:
        found, at = self.places.get(number, (0, 0))
        if found != tag:
            raise NotAClass("a constant is not what it must be")
        return at

    def text(self, number: int) -> str:
        """A Utf8 constant."""
        if number not in self.texts:
            self.texts[number] = text_of(self.bytes_of(number))
        return self.texts[number]

    def named(self, number: int, tag: int = _CLASS) -> str:
        """What a Class or String constant names."""
        return self.text(self._short(self._place(number, tag)))

    def is_string(self, number: int) -> bool:
        """Whether a constant is a String."""
        return self.places.get(number, (0, 0))[0] == _STRING

    def bytes_of(self, number: int) -> bytes:
        """A Utf8 constant as it is."""
        at = self._place(number, _UTF8)
        return self.data[at + 2 : at + 2 + self._short(at)]


def parse(data: bytes, with_fields: bool = True) -> ClassFile:
    """A class file. Raises :class:`NotAClass`."""
    if data[:4] != _MAGIC:
        raise NotAClass("it does not begin as a class file")
    reader = _Reader(data, 8)
    pool = _Pool(reader)
    reader.skip(2)
    name, parent = pool.named(reader.short()), reader.short()
    above = [pool.named(parent)] if parent else []
    above += [pool.named(reader.short()) for _number in range(reader.short())]
    if not with_fields:
        return ClassFile(name, above, [])
    return ClassFile(name, above, [_field(reader, pool) for _number in range(reader.short())])


def _field(reader: _Reader, pool: _Pool) -> Field:
    flags, name, descriptor = reader.short(), pool.text(reader.short()), pool.bytes_of(reader.short())
    annotations: List[Annotation] = []
    constant, has_constant = None, False
    for _number in range(reader.short()):
        kind, length = pool.bytes_of(reader.short()), reader.long()
        start = reader.skip(length)
        if kind == b"ConstantValue":
            number = _Reader(reader.data[start : start + length]).short()
            has_constant = True
            constant = pool.named(number, _STRING) if pool.is_string(number) else None
        elif kind in _VISIBLE:
            inside = _Reader(reader.data[start : start + length])  # beyond its end nothing in it reads
            for _one in range(inside.short()):
                _annotation(inside, pool, _VISIBLE[kind], annotations, 0)
    is_text = descriptor == STRING.encode() and flags & (STATIC | FINAL) == STATIC | FINAL
    return Field(name, is_text, has_constant, constant, annotations)


def _annotation(reader: _Reader, pool: _Pool, visible: bool, found: List[Annotation], depth: int) -> None:
    kind = pool.text(reader.short())
    values: Dict[str, List[str]] = {}
    found.append(Annotation(kind, visible, values))
    for _number in range(reader.short()):
        name = pool.text(reader.short())
        values[name] = []
        _value(reader, pool, visible, values[name], found, depth + 1)


def _value(reader: _Reader, pool: _Pool, visible: bool, texts: List[str], found: List[Annotation], depth: int) -> None:
    """One element's value (JVMS 4.7.16.1): texts are kept, annotations in it go to those that were found."""
    if depth > DEEPEST:
        raise NotAClass("its annotations are nested too deeply")
    tag = reader.byte()
    if tag == 0x73:  # s
        texts.append(pool.text(reader.short()))
    elif tag in b"BCDFIJSZc":
        reader.skip(2)
    elif tag == 0x65:  # e
        reader.skip(4)
    elif tag == 0x40:  # @
        _annotation(reader, pool, visible, found, depth)
    elif tag == 0x5B:  # [
        for _number in range(reader.short()):
            _value(reader, pool, visible, texts, found, depth + 1)
    else:
        raise NotAClass("an annotation has a value of an unknown kind")

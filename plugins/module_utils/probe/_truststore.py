# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates: the few fields that are shown, the stores of a JVM, and which authorities are public ones.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import base64
import binascii
import itertools
import os
import re
import struct
import time
from typing import Iterator, List, NamedTuple, Optional, Set, Tuple

from ..host._files import HostFiles, bytewise

#: Where distributions keep the list of public authorities that they ship, apart from what an administrator adds.
PUBLIC = (
    "/usr/share/ca-certificates/mozilla",  # Debian, Ubuntu
    "/usr/share/pki/ca-trust-source/ca-bundle.trust.p11-kit",  # RHEL, Fedora
    "/usr/share/pki/trust/ca-certificates-mozilla.trust.p11-kit",  # SUSE
)
LIMIT = 16 << 20  # bytes of a store, or of all files of a folder; a JDK's store has some 200 KiB
LIMIT_FILES = 2000  # of a folder of authorities
LIMIT_CERTIFICATES = 5000  # of a store; OpenSSL takes longer for each the more there are
LIMIT_ELEMENTS = 100000  # of one DER structure

_PEM = re.compile(rb"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----([^-]+)-----END ")
_DATA = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"  # PKCS #7 data
_CERT_BAG = b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x03"
_X509 = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x16\x01"
# Oracle's attribute on certificates that a JVM shall trust; those without it are only kept in the store
# (OpenJDK, PKCS12KeyStore.java).
_TRUSTED_KEY_USAGE = b"\x60\x86\x48\x01\x86\xf9\x66\xad\xca\x7b\x01\x01"

_ATTRIBUTES = {
    b"\x55\x04\x03": "CN",
    b"\x55\x04\x06": "C",
    b"\x55\x04\x07": "L",
    b"\x55\x04\x08": "ST",
    b"\x55\x04\x0a": "O",
    b"\x55\x04\x0b": "OU",
    b"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19": "DC",
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01": "emailAddress",
}


class _Element(NamedTuple):
    """One element of DER: its tag, where its content begins and where it ends."""

    tag: int
    begin: int
    end: int

    def of(self, data: bytes) -> bytes:
        """Its content."""
        return data[self.begin : self.end]


class Unreadable(Exception):
    """A store cannot be used; the message says why, without its content."""


class Certificate(NamedTuple):
    """What is shown of a certificate, and what tells an authority from others."""

    issuer: Optional[str]  # most specific part first
    subject: Optional[str]
    not_after: Optional[str]  # UTC, ISO 8601
    identity: bytes  # name and key: they stay when an authority renews its certificate


UNKNOWN = Certificate(None, None, None, b"")


# -- DER --------------------------------------------------------------------------------------------


def _element(data: bytes, at: int, limit: Optional[int] = None) -> _Element:
    """One DER element: its tag, where its content begins and where it ends (``limit`` at most). Raises ValueError."""
    try:
        tag, size, at = data[at], data[at + 1], at + 2
        if size & 0x80:
            count = size & 0x7F
            size, at = int.from_bytes(data[at : at + count], "big"), at + count
    except IndexError:
        raise ValueError("truncated DER")
    if at + size > (len(data) if limit is None else limit):
        raise ValueError("truncated DER")
    return _Element(tag, at, at + size)


def _elements(data: bytes, begin: int, end: int) -> List[_Element]:
    found = []
    while begin < end:
        element = _element(data, begin, end)
        found.append(element)
        begin = element.end
        if len(found) > LIMIT_ELEMENTS:
            raise ValueError("too many elements")
    return found


def _inside(data: bytes, begin: int, end: int, count: int) -> List[_Element]:
    """The elements of a structure that has at least ``count`` of them. Raises ValueError."""
    found = _elements(data, begin, end)
    if len(found) < count:
        raise ValueError("an element is missing")
    return found


def _name(der: bytes, element: _Element) -> Optional[str]:
    parts = []
    for _tag, begin, end in _elements(der, element.begin, element.end):
        for _tag, first, last in _elements(der, begin, end):
            oid, value, *_more = _inside(der, first, last, 2)
            kind = _ATTRIBUTES.get(oid.of(der), "OID")
            text = value.of(der).decode("utf-16-be" if value.tag == 0x1E else "utf-8", "replace")
            parts.append(kind + "=" + "".join(c if c.isprintable() else "?" for c in text).replace(",", "\\,"))
    return ", ".join(reversed(parts)) or None


def certificate(der: bytes) -> Certificate:
    """The fields of an X.509 certificate. Raises ValueError."""
    _tag, begin, end = _element(der, 0)
    _tag, begin, end = _element(der, begin)
    first, *_more = fields = _inside(der, begin, end, 6)
    if first.tag == 0xA0:  # the version, which may be absent
        fields = _inside(der, first.end, end, 6)
    _serial, _algorithm, issuer, validity, subject, key, *_more = fields
    _not_before, not_after, *_more = _inside(der, validity.begin, validity.end, 2)
    digits = not_after.of(der).decode("ascii")
    if not_after.tag == 0x17:  # UTCTime has two digits for the year
        digits = ("19" if digits[:2] >= "50" else "20") + digits
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.strptime(digits, "%Y%m%d%H%M%SZ"))
    return Certificate(_name(der, issuer), _name(der, subject), until, subject.of(der) + b"\0" + key.of(der))


# -- stores -----------------------------------------------------------------------------------------


def _read(path: str) -> bytes:
    try:
        descriptor, _status = HostFiles().open(bytewise(path))
        with os.fdopen(descriptor, "rb") as stream:
            data = stream.read(LIMIT + 1)
    except OSError as error:
        raise Unreadable("%s: %s" % (path, error.strerror))
    if len(data) > LIMIT:
        raise Unreadable("%s: larger than %d bytes" % (path, LIMIT))
    return data


def pem(data: bytes) -> List[bytes]:
    """The certificates (DER) of a text with PEM blocks; what follows a trusted certificate is left out."""
    found = []
    for match in _PEM.finditer(data):
        try:
            der = base64.b64decode(match.group(1))
            found.append(der[: _element(der, 0).end])
        except (ValueError, binascii.Error):
            continue
    return found


def _jks(data: bytes) -> List[bytes]:
    """Trusted certificates of a JKS (or JCEKS) store: OpenJDK, JavaKeyStore.java, engineLoad."""
    version, count = struct.unpack(">II", data[4:12])
    at = 12

    def take(form: str) -> bytes:
        nonlocal at
        width = struct.calcsize(form)
        (size,) = struct.unpack(form, data[at : at + width])
        begin, at = at + width, at + width + size
        if at > len(data):
            raise ValueError("truncated")
        return data[begin:at]

    found = []
    for _entry in range(count):
        (tag,) = struct.unpack(">I", data[at : at + 4])
        at += 4
        take(">H")  # alias
        at += 8  # date
        chain = 1
        if tag == 1:  # a private key and its chain
            take(">I")
            (chain,) = struct.unpack(">I", data[at : at + 4])
            at += 4
        elif tag != 2:
            raise ValueError("an entry of another kind")
        for _certificate in range(chain):
            if version == 2:
                take(">H")  # its type
            der = take(">I")
            if tag == 2:
                found.append(der)
    return found


def _pkcs12(data: bytes) -> List[bytes]:
    """Trusted certificates of a PKCS #12 store without encryption, as JDK 18 and later ship theirs (RFC 7292)."""
    _tag, begin, end = _element(data, 0)
    _version, safe, *_more = _inside(data, begin, end, 2)
    encrypted = False
    found: List[bytes] = []
    for info in _contents(data, safe):
        kind = _element(data, info.begin, info.end)
        if kind.of(data) != _DATA:
            encrypted = True
            continue
        for _tag, first, last in _contents(data, info):
            found += _bag(data, first, last)
    if encrypted and not found:
        raise Unreadable("its certificates are encrypted, which is not read")
    return found


def _contents(data: bytes, info: _Element) -> List[_Element]:
    """The elements of the sequence in the data of a ContentInfo."""
    kind, explicit, *_more = _inside(data, info.begin, info.end, 2)
    if kind.of(data) != _DATA:
        raise ValueError("no plain data")
    octets = _element(data, explicit.begin, explicit.end)
    sequence = _element(data, octets.begin, octets.end)
    return _elements(data, sequence.begin, sequence.end)


def _bag(data: bytes, begin: int, end: int) -> List[bytes]:
    kind, value, *attributes = _inside(data, begin, end, 2)
    if kind.of(data) != _CERT_BAG or not any(
        _TRUSTED_KEY_USAGE in data[first:last] for _tag, first, last in attributes
    ):
        return []
    bag = _element(data, value.begin, value.end)
    kind, explicit, *_more = _inside(data, bag.begin, bag.end, 2)
    if kind.of(data) != _X509:
        return []
    return [_element(data, explicit.begin, explicit.end).of(data)]


def java(path: str) -> List[bytes]:
    """The certificates (DER) that a JVM trusts by a store. Raises :class:`Unreadable`.

    Its password is not needed: it guards the store against changes, not against reading.
    """
    data = _read(path)
    try:
        if data[:4] in (b"\xfe\xed\xfe\xed", b"\xce\xce\xce\xce"):
            found = _jks(data)
        elif data[:1] == b"\x30":
            found = _pkcs12(data)
        else:
            raise Unreadable("it is neither JKS nor PKCS12")
    except Unreadable as error:
        raise Unreadable("%s: %s" % (path, error))
    except (ValueError, struct.error, IndexError):
        raise Unreadable("%s: a broken store" % path)
    if not found:
        raise Unreadable("%s: no trusted certificate is in it" % path)
    if len(found) > LIMIT_CERTIFICATES:
        raise Unreadable("%s: more than %d trusted certificates are in it" % (path, LIMIT_CERTIFICATES))
    return found


def java_store(home: str) -> str:
    """The store that a JVM takes by itself (JSSE Reference Guide), by the folder of its Java; see ``java.home``."""
    for folder in (home, home + "/jre"):
        for name in ("jssecacerts", "cacerts"):
            path = "%s/lib/security/%s" % (folder, name)
            if os.path.exists(path):
                return path
    return home + "/lib/security/cacerts"


# -- public authorities -----------------------------------------------------------------------------


def _bundles(path: str) -> Iterator[bytes]:
    if not os.path.isdir(path):
        yield _read(path)
        return
    with os.scandir(path) as entries:
        names = [entry.name for entry in itertools.islice(entries, LIMIT_FILES + 1)]
    if len(names) > LIMIT_FILES:  # without the others, a public authority would pass for a private one
        raise Unreadable("%s: more than %d names are in it" % (path, LIMIT_FILES))
    size = 0
    for name in sorted(names):
        if name.endswith((".crt", ".pem", ".cer")):
            data = _read(path + "/" + name)
            size += len(data)
            if size > LIMIT:
                raise Unreadable("%s: its files are larger than %d bytes" % (path, LIMIT))
            yield data


def authorities(path: str) -> List[bytes]:
    """The certificates (DER) of a file, or of the files of a folder. Raises :class:`Unreadable`."""
    try:
        found = list(itertools.islice((der for data in _bundles(path) for der in pem(data)), LIMIT_CERTIFICATES + 1))
    except OSError as error:
        raise Unreadable("%s: %s" % (path, error.strerror))
    if not found:
        raise Unreadable("%s: no certificate is in it" % path)
    if len(found) > LIMIT_CERTIFICATES:
        raise Unreadable("%s: more than %d certificates are in it" % (path, LIMIT_CERTIFICATES))
    return found


def reference(path: Optional[str] = None) -> Tuple[str, List[bytes]]:
    """The list of public authorities, ``path`` or the distribution's own: where it is, and its certificates.

    Raises :class:`Unreadable` where this host has none.
    """
    where = path or next((one for one in PUBLIC if os.path.exists(one)), None)
    if where is None:
        raise Unreadable("this host has no list of public authorities (%s)" % ", ".join(PUBLIC))
    return where, authorities(where)


def identities(certificates: List[bytes]) -> Set[bytes]:
    """Name and key of each certificate; those that cannot be read are left out."""
    found = set()
    for der in certificates:
        try:
            found.add(certificate(der).identity)
        except ValueError:
            continue
    return found

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JENKINS_HOME: plugins that send, core's usage statistics, the product's version, the proxy.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.

The files belong to the service's user, who may put anything there, also links to files of others (administrators
link plugins, so links are followed, with the rights of whoever made them): only regular files are opened, on the home's
own file system or where root has led, sizes are bounded, and nothing of their content leaves but values of a narrow
form.
"""

import os
import re
import struct
import time
import zlib
from typing import IO, Any, Callable, Dict, List, Optional, Sequence, Set, Tuple

from ..host import _limits as limits
from ..host._file_systems import Silent
from ..host._files import HostFiles, text_of_open

PLUGINS = (("analytics_plugin", "cloudbees-analytics"), ("license_tracker_plugin", "cloudbees-license-tracker"))
UNKNOWN = "unknown"
#: The question of a view that a war's manifest is the answer to (:mod:`_war`).
MANIFEST = "manifest"
LIMIT_MANIFEST = 256 << 10
LIMIT_NO_PROXY = 200  # hosts without the proxy
LIMIT_DIRECTORY = 8 << 20  # of a zip's central directory; a product's war has some 100 KiB
_TAIL = 22 + 0xFFFF  # end of central directory, with the longest comment
_MANIFEST = "META-INF/MANIFEST.MF"
#: What stands beside the attributes of an archive's manifest for whether it brings configuration as code, as an archive
#: is opened once. In a war that is a file, or with ".d" a folder, that is taken before all else.
CONFIGURED = "brings configuration as code"
BROUGHT = b"WEB-INF/jenkins.yaml"
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z._+-]{0,63}\Z")
_HOST = re.compile(r"[0-9A-Za-z._:\[\]-]{1,253}\Z")
_NO_PROXY = re.compile(r"[0-9A-Za-z.*_:\[\]-]{1,253}\Z")
_XML_11 = re.compile(r"\A(<\?xml\s+version\s*=\s*['\"]1\.)1(?=['\"])")
_BROKEN_ZIP = (zlib.error, ValueError, struct.error)
#: What ends a zip, an entry of its central directory, what stands in front of an entry (PKWARE's APPNOTE.TXT, 4.3).
_END = struct.Struct("<12xII2x")
_ENTRY = struct.Struct("<4s4xHH4xIIIHHH8xI")
_LOCAL = struct.Struct("<4s22xHH")
_STORED, _DEFLATED = 0, 8


class Unreadable(Exception):
    """A setting cannot be read; the message says why, without any content of the file."""


Found = Tuple[Any, Dict[str, Any]]  # a value, and what is to be said about it


def _why(error: OSError) -> str:
    return error.strerror or "cannot be read"


# -- manifests --------------------------------------------------------------------------------------


def manifest_of(data: bytes) -> Dict[str, str]:
    """Main section of a manifest, names in lower case; continuation lines are joined."""
    text = data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    attributes: Dict[str, str] = {}
    for line in text.split("\n\n", 1)[0].replace("\n ", "").split("\n"):
        name, colon, value = line.partition(":")
        if colon:
            attributes.setdefault(name.strip().lower(), value.strip())
    return attributes


def _zip_directory(stream: IO[bytes], size: int) -> Tuple[bytes, int, int]:
    """The directory of an archive, its place, and that by the archive's own word. Raises Unreadable, ValueError."""
    stream.seek(max(0, size - _TAIL))
    tail = stream.read(_TAIL)
    if b"PK\x06\x07" in tail:
        raise Unreadable("a zip64 archive, which is not read")
    ends = [match.start() for match in re.finditer(b"PK\x05\x06", tail) if match.start() + _END.size <= len(tail)]
    if not ends:
        raise ValueError("no archive")
    length, offset = _END.unpack_from(tail, ends[-1])
    if length > LIMIT_DIRECTORY:
        raise Unreadable("its zip directory is larger than %d bytes" % LIMIT_DIRECTORY)
    start = size - len(tail) + ends[-1] - length
    stream.seek(start)
    return stream.read(length), start, offset


def _zip_manifest(stream: IO[bytes], size: int) -> bytes:
    return _manifest_in(stream, *_zip_directory(stream, size))


def _manifest_in(stream: IO[bytes], directory: bytes, start: int, offset: int) -> bytes:
    flags, method, checksum, packed, whole, position = _entry(directory, _MANIFEST.encode())
    if method not in (_STORED, _DEFLATED):  # all that Java reads
        raise Unreadable("its manifest is compressed in a way that Java does not read")
    if max(packed, whole) > LIMIT_MANIFEST:
        raise Unreadable("its manifest is larger than %d bytes" % LIMIT_MANIFEST)
    stream.seek(start - offset + position)  # a program in front of the archive counts in no position
    signature, name, extra = _LOCAL.unpack(stream.read(_LOCAL.size))
    stream.seek(name + extra, os.SEEK_CUR)
    data = stream.read(packed)
    if method == _DEFLATED:
        data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, LIMIT_MANIFEST)
    if signature != b"PK\x03\x04" or flags & 1 or len(data) != whole or zlib.crc32(data) != checksum:
        raise ValueError("broken or encrypted")
    return data


def _entry(directory: bytes, wanted: bytes) -> Tuple[int, int, int, int, int, int]:
    """Flags, method, checksum, packed and whole size, position of an entry; the last of a name counts. ValueError."""
    found = None
    at = 0
    while at < len(directory):
        signature, flags, method, checksum, packed, whole, name, extra, comment, position = _ENTRY.unpack_from(
            directory, at
        )
        if signature != b"PK\x01\x02":
            raise ValueError("no directory")
        if directory[at + _ENTRY.size : at + _ENTRY.size + name] == wanted:
            found = flags, method, checksum, packed, whole, position
        at += _ENTRY.size + name + extra + comment
    if found is None:
        raise ValueError("not in the archive")
    return found


def manifest_at(open_file: Callable[[str], Tuple[int, os.stat_result]], path: str) -> Dict[str, str]:
    """The manifest of an archive, or of a folder; an archive's has CONFIGURED beside it. Raises Unreadable."""
    folder = False
    try:
        try:
            descriptor, status = open_file(path)
        except IsADirectoryError:
            folder = True
            descriptor, status = open_file(path + "/" + _MANIFEST)
        with os.fdopen(descriptor, "rb") as stream:
            if not folder:
                directory = _zip_directory(stream, status.st_size)
                found = manifest_of(_manifest_in(stream, *directory))
                return dict(found, **{CONFIGURED: str(BROUGHT in directory[0])}) if found else found
            data = stream.read(LIMIT_MANIFEST + 1)
    except OSError as error:
        raise Unreadable("%s: %s" % (path, _why(error)))
    except Unreadable as error:
        raise Unreadable("%s: %s" % (path, error))
    except _BROKEN_ZIP:
        raise Unreadable("%s: a broken archive, or one without a manifest" % path)
    if len(data) > LIMIT_MANIFEST:
        raise Unreadable("%s: its manifest is larger than %d bytes" % (path, LIMIT_MANIFEST))
    return manifest_of(data)


def _version(manifest: Dict[str, str], path: str, names: Sequence[str]) -> str:
    value = next((manifest[name] for name in names if name in manifest), "")
    # Old plugins are built as "1.2 (private-...)" on a developer's machine.
    value = value.split(" ")[0]
    if not _VERSION.match(value):
        raise Unreadable("%s: its manifest has no valid %s" % (path, " or ".join(names)))
    return value


# -- plugins ----------------------------------------------------------------------------------------


def _is_listed(files: HostFiles, home: str) -> bool:
    try:
        return bool(files.list_below(home, ""))  # an empty one is what is left where a volume is not mounted
    except OSError:
        return False


def plugin(files: HostFiles, home: str, name: str) -> Found:
    """Version of a plugin (None: seen to be absent), and whether it is enabled.

    Of several archives the product takes linked ones first, then .jpi, then .hpi (core's InitStrategy.java,
    listPluginArchives); what it unpacks and loads at its next start is the archive's content, and the marker
    that disables it is the archive's own name with ``.disabled`` (ClassicPluginStrategy.java, createPluginWrapper).
    """
    folder = home + "/plugins"
    try:
        names = set(files.list_below(home, "plugins"))
    except FileNotFoundError as error:
        if not _is_listed(files, home):
            raise Unreadable("%s: %s" % (folder, _why(error)))
        return None, {"state": "absent", "file": folder, "reason": "the home has no plugins: there is no such folder"}
    except OSError as error:
        raise Unreadable("%s: %s" % (folder, _why(error)))
    archives = [name + suffix for suffix in (".jpl", ".hpl", ".jpi", ".hpi") if name + suffix in names]
    if not archives and name in names:
        raise Unreadable("%s/%s is unpacked without its archive: a running JVM may have it loaded" % (folder, name))
    if not archives:
        return None, {"state": "absent", "file": folder, "reason": "no %s.jpi or .hpi is there" % name}
    archive = archives[0]

    def opened(path: str) -> Tuple[int, os.stat_result]:
        return files.open_below(home, path[len(home) :])

    def of_plugin(name: str) -> str:
        path = folder + "/" + name
        return _version(manifest_at(opened, path), path, ("plugin-version", "implementation-version"))

    detail: Dict[str, Any] = {
        "state": "disabled" if archive + ".disabled" in names else "enabled",
        "pinned": archive + ".pinned" in names,
        "file": folder + "/" + archive,
    }
    try:
        if archive.endswith("pl"):
            raise Unreadable("%s/%s: a plugin linked for development, which is not read" % (folder, archive))
        version = of_plugin(archive)
    except Unreadable as error:
        return UNKNOWN, dict(detail, reason=str(error))
    notes = ["%s is ignored beside %s" % (other, archive) for other in archives[1:]]
    if name in names:
        try:
            unpacked = of_plugin(name)
            if unpacked != version:
                notes.append("version %s was unpacked at an earlier start" % unpacked)
        except Unreadable:
            notes.append("what was unpacked at an earlier start cannot be read")
    return version, dict(detail, reason="; ".join(notes)) if notes else detail


# -- XML --------------------------------------------------------------------------------------------


def children(text: str, root: Callable[[str], None] = lambda _name: None, whole: bool = True) -> Dict[str, Set[str]]:
    """Texts of the root's child elements that have no elements in them, by name. Raises ValueError.

    Jenkins writes XML 1.1 headers (core's XmlFile.java), which expat refuses. A document type is refused: without
    it there are no entities. ``root`` gets the root's name, and may raise; of a text that is not ``whole`` the rest
    is missing.
    """
    from xml.parsers import expat  # a child reads the settings, and few hosts have any

    found: Dict[str, Set[str]] = {}
    names: List[str] = []
    parts: List[str] = []
    inner: List[str] = []
    parser = expat.ParserCreate()

    def start(name: str, _attributes: Dict[str, str]) -> None:
        names.append(name)
        if len(names) == 1:
            root(name)
        if len(names) == 2:
            del parts[:], inner[:]
        inner.append(name)

    def end(name: str) -> None:
        if len(names) == 2:
            text = "".join(parts)
            word = text.strip()
            if word.lower() in ("true", "false") and (text != word or len(inner) > 1):
                word = "\0" + text  # neither: to XStream a true with blanks around it is false
            found.setdefault(name, set()).add(word)
        names.pop()

    def characters(data: str) -> None:
        if len(names) == 2:
            parts.append(data)

    def doctype(*_declaration: Any) -> None:
        raise ValueError("it has a document type, which is not read")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(_XML_11.sub(r"\g<1>0", text).encode("latin-1"), whole)
    except (expat.ExpatError, LookupError):
        raise ValueError("it is not well-formed XML")
    return found


def _children(files: HostFiles, home: str, name: str) -> Dict[str, Set[str]]:
    path = home + "/" + name
    try:
        text: Dict[str, Set[str]] = files.once(
            "settings", path, lambda: children(text_of_open(*files.open_below(home, name), path))
        )
        return text
    except OSError as error:
        raise Unreadable("%s: %s" % (path, _why(error)))
    except ValueError as error:
        raise Unreadable("%s: %s" % (path, error))


def casc_in(files: HostFiles, home: str) -> List[str]:
    """Names in a home under which configuration as code lies there."""
    names = ("jenkins.yaml", "jenkins.yml", "casc_configs", "core-casc-bundle")
    return [name for name in names if files.exists(home + "/" + name)]


def no_usage_statistics(files: HostFiles, home: str) -> Found:
    """Core's own opt-out in config.xml: True or False, None where it is not there (then core sends)."""
    path = home + "/config.xml"
    values = {value.lower() for value in _children(files, home, "config.xml").get("noUsageStatistics", set())}
    # Configuration as code sets it at every start; what it says is not read, so it is only named.
    code = casc_in(files, home)
    note = "; %s is there and may set it at the next start" % ", ".join(code) if code else ""
    if not values:
        return None, {"state": "absent", "file": path, "reason": "not set: core sends usage statistics" + note}
    if values not in ({"true"}, {"false"}):
        raise Unreadable("%s: noUsageStatistics is neither true nor false" % path)
    detail = {"state": "seen", "file": path}
    return values == {"true"}, dict(detail, reason=note[2:]) if note else detail


def proxy(files: HostFiles, home: str) -> Found:
    """Proxy of proxy.xml, never its user or password; None where there is no such file."""
    path = home + "/proxy.xml"
    try:
        is_there = "proxy.xml" in files.list_below(home, "")
    except OSError as error:
        raise Unreadable("%s: %s" % (home, _why(error)))
    if not is_there:
        return None, {"state": "absent", "file": path, "reason": "there is no proxy.xml"}
    found = _children(files, home, "proxy.xml")
    host, port = "".join(found.get("name", set())), "".join(found.get("port", set()))
    # Separators as in core's ProxyConfiguration.java, getNoProxyHostPatterns.
    without = [item for value in found.get("noProxyHost", set()) for item in re.split(r"[ \t\n,|]+", value) if item]
    if len(without) > LIMIT_NO_PROXY:
        raise Unreadable("%s: its noProxyHost has more than %d entries" % (path, LIMIT_NO_PROXY))
    if not _HOST.match(host) or not re.match(r"[0-9]{1,5}\Z", port) or not all(map(_NO_PROXY.match, without)):
        raise Unreadable("%s: its name, port or noProxyHost is not valid" % path)
    return (
        {"host": host, "port": int(port), "no_proxy": without, "authenticated": any(found.get("userName", ()))},
        {"state": "seen", "file": path},
    )


def product_version(files: HostFiles, home: Optional[str], wars: Sequence[str]) -> Found:
    """Version of the war that the next start uses."""
    if len(wars) != 1:
        raise Unreadable("it is not known which war is started")
    manifest = files.known(MANIFEST, wars[0]) or manifest_at(files.open, wars[0])
    version = _version(manifest, wars[0], ("jenkins-version", "implementation-version"))
    detail = {"state": "seen", "file": wars[0]}
    try:
        last = "".join(_children(files, home, "config.xml").get("version", set())) if home else ""
    except Unreadable:
        last = ""
    if _VERSION.match(last) and last != version:
        detail["reason"] = "config.xml was last written by version %s" % last
    return version, detail


# -- document ---------------------------------------------------------------------------------------


def settings(files: HostFiles, home: Optional[str], wars: Sequence[str]) -> Dict[str, Any]:
    """``settings`` of the state document: a value each (None: seen to be absent), and ``details`` with reasons."""
    readers = [(key, lambda at, name=name: plugin(files, at, name)) for key, name in PLUGINS]  # type: List[Any]
    readers += [
        ("no_usage_statistics", lambda at: no_usage_statistics(files, at)),
        ("proxy", lambda at: proxy(files, at)),
    ]
    document: Dict[str, Any] = {}
    details: Dict[str, Any] = {}
    for key, read in readers + [("product_version", None)]:
        try:
            if read is None:
                document[key], details[key] = product_version(files, home, wars)
            elif home is None or not home.startswith("/"):
                raise Unreadable("its JENKINS_HOME is not known")
            else:
                document[key], details[key] = read(home.rstrip("/"))
        except Unreadable as error:
            document[key], details[key] = UNKNOWN, {"state": UNKNOWN, "reason": str(error)}
    document["details"] = details
    return document


class _Time:
    """What homes that are dead have taken: one must not cost its time once for each installation."""

    wasted = 0.0


def unknown_settings(reason: str) -> Dict[str, Any]:
    """The settings of which nothing is known."""
    keys = [key for key, _name in PLUGINS] + ["no_usage_statistics", "proxy", "product_version"]
    document = dict.fromkeys(keys, UNKNOWN)  # type: Dict[str, Any]
    document["details"] = {key: {"state": UNKNOWN, "reason": reason} for key in keys}
    return document


def settings_in_time(
    files: HostFiles,
    home: Optional[str],
    wars: Sequence[str],
    more: Optional[Callable[[str, float], Dict[str, Any]]] = None,
) -> Dict[str, Any]:
    """The same; what lies in a home that does not answer in time, or takes too much, is ``unknown``.

    What ``more`` reads of the home comes as ``more``, which is none of the settings; it is told when it must have
    ended, on the monotonic clock.
    """
    limits.phase("reading the settings of the product")
    silent = _silence(files, wars)
    found = _bounded(files, home, [] if silent else wars, more)
    document = (
        unknown_settings("%s could not be read: %s" % (home or "its war", found)) if isinstance(found, str) else found
    )  # type: Dict[str, Any]
    if silent:  # that says nothing of the home
        document["product_version"] = UNKNOWN
        document["details"]["product_version"] = {"state": UNKNOWN, "reason": "its war could not be read: " + silent}
    elif isinstance(found, str) and home:  # the war may lie elsewhere
        without = _bounded(files, None, wars)
        if not isinstance(without, str):
            document["product_version"] = without["product_version"]
            document["details"]["product_version"] = without["details"]["product_version"]
    return document


def _silence(files: HostFiles, paths: Sequence[str]) -> Optional[str]:
    """Why nothing can be told of one of these; None where each can be looked at."""
    try:
        for path in paths:
            if path.startswith("/"):
                files.exists(path)  # what is known to be dead costs no more time, and leaves no process behind
    except Silent as error:
        return error.reason
    return None


def _bounded(
    files: HostFiles,
    home: Optional[str],
    wars: Sequence[str],
    more: Optional[Callable[[str, float], Dict[str, Any]]] = None,
) -> Any:
    """The settings; why there are none, as text."""

    def work(until: float) -> Dict[str, Any]:
        document = settings(files, home, wars)
        if more is not None and home is not None and home.startswith("/"):
            document["more"] = more(home.rstrip("/"), until)
        return document

    return in_time(files, [path for path in [home] + list(wars) if path], work)


def in_time(files: HostFiles, paths: Sequence[str], work: Callable[[float], Any]) -> Any:
    """What some work in a home comes to, told when it must be done; why it came to nothing, as text."""
    from ..host._child import Late, bounded

    silent = _silence(files, paths)
    if silent:
        return silent
    seconds = min(limits.HOME, limits.HOMES - _Time.wasted)
    if seconds <= 0:
        return "the time for all homes of this host was used up"
    began = time.monotonic()
    try:
        return bounded(lambda: work(began + seconds - 1), seconds, 0)
    except Late as error:
        _Time.wasted += time.monotonic() - began
        return str(error)

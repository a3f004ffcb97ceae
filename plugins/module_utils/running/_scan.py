# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which processes are JVMs, and which of those hold a Jenkins war: by what is mapped and open, not by what they say.

A process is a JVM where the library of one is mapped. Anybody can call himself java; and a JVM need not: a launcher of
somebody's own may have loaded it. Of a JVM, its options are followed to the war, else its open files are looked at.
Files that a process names may be on a server that is gone, and /proc itself can hang, so all of this runs in a child
(:mod:`host._children`). Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import os
import re
import stat
import struct
import zlib
from typing import IO, Dict, List, NamedTuple, Optional, Sequence, Set

from ..host._files import HostFiles, bytewise, names_in, too_many
from ..java._jenkins_home import _BROKEN_ZIP, LIMIT_MANIFEST, Unreadable, _zip_manifest, manifest_of
from ..java._jvm import MAINS, command_line, launcher_words
from ..java._tomcat import base_of, starts, wars
from ..java._war import is_product
from ..text._value import Unresolvable
from ._proc import arguments, files_of, folder_of, only_roots, read_file, read_for, reader_of, stat_of

#: HotSpot's and its relatives' library (OpenJ9 has one of that name beside its own), and that of the ``java`` launcher.
_LIBRARY = re.compile(rb"/lib(jvm|j9vm[0-9]*|jli)\.so(?: \(deleted\))?$", re.MULTILINE)
#: Bytes of a process's list of mapped files. A controller with thousands of threads needs some 100 KiB; a database, or
#: whoever wants to be none, as much as the kernel allows: 65,530 lines.
_LIMIT_MAPS = 64 << 20
_PART = 1 << 18
_OVERLAP = 4096 + 100  # no line is longer
#: Of open files, those that are archives without their manifest in front, and unpacked folders.
_LIMIT_SEARCHED = 512
_LIMIT_FOLDERS = 4096
_HEAD = 16 << 10

_WAR = re.compile(r"(?:cloudbees|jenkins)[^/]*\.war\Z", re.IGNORECASE)
_MANIFEST = "META-INF/MANIFEST.MF"
_UNPACKED = "/WEB-INF/"
_DELETED = " (deleted)"
_JAVA = re.compile(rb"(?:[^\0]*/)?java\0")
_THREADS = 4
#: What stands in front of an entry of an archive, up to its name (PKWARE's APPNOTE.TXT, 4.3.7).
_LOCAL = struct.Struct("<4s4xH8xI4xHH")
_END = 22  # bytes of what ends an archive without a comment


class Sighted(NamedTuple):
    """A JVM, whatever it runs."""

    ticks: int  # its start, in clock ticks since boot
    parent: int
    launcher: bool  # started by the java launcher, so its arguments are java's
    sure: bool  # False: it calls itself java, and what it has mapped is not for us to see


# -- who is a JVM -----------------------------------------------------------------------------------


def sighted(proc: str, pid: int) -> Optional[Sighted]:
    """A process where it is a JVM. Raises OSError where that cannot be known."""
    own = "%s/%d" % (proc, pid)
    try:
        name, fields = stat_of(read_file(own + "/stat"))
        own = folder_of(pid, proc, fields)
        # A map is dear to read, and what has neither a JVM's threads (never fewer than eight) nor its name is none.
        if int(fields[17]) < _THREADS and name != b"java" and not _JAVA.match(read_file(own + "/cmdline")):
            return None
        ticks, parent = int(fields[19]), int(fields[1])
    except (OSError, IndexError, ValueError):
        return None  # it ended
    try:
        found = _libraries(own + "/maps")
    except PermissionError:
        return Sighted(ticks, parent, True, False) if _JAVA.match(read_file(own + "/cmdline")) else None
    except (FileNotFoundError, ProcessLookupError):
        return None
    if found & {b"jvm", b"j9vm"}:
        return Sighted(ticks, parent, b"jli" in found or _exe(own).endswith("/java"), True)
    return Sighted(ticks, parent, True, True) if name == b"java" and _is_roots_java(own) else None


def _libraries(path: str) -> Set[bytes]:
    """Which of the libraries a process has mapped. Raises OSError, also where its list is too long to tell."""
    found = set()
    kept = b""
    size = 0
    with open(path, "rb") as stream:
        while size < _LIMIT_MAPS:
            part = stream.read(_PART)
            size += len(part)
            for match in _LIBRARY.finditer(kept + part):
                found.add(match.group(1).rstrip(b"0123456789"))
            if not part or {b"jvm", b"jli"} <= found:
                return found
            kept = part[-_OVERLAP:]
    if found & {b"jvm", b"j9vm"}:
        return found
    raise OSError("too much is mapped")


def _is_roots_java(own: str) -> bool:
    """True for a program of that name which only root can have put there: it has not loaded its library yet."""
    path = _exe(own)
    if not path.endswith("/java") or not only_roots(path):
        return False
    try:
        theirs, ours = os.stat(own + "/exe"), os.stat(path)  # with mounts of its own, it may be another one
    except OSError:
        return False
    return (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino)


def _exe(own: str) -> str:
    try:
        path = os.readlink(own + "/exe")
    except OSError:
        return ""
    return path[: -len(_DELETED)] if path.endswith(_DELETED) else path


# -- what it runs -----------------------------------------------------------------------------------


def war_of(proc: str, pid: int, launcher: bool) -> Optional[str]:
    """The Jenkins or CloudBees war (or unpacked folder) that a JVM runs, None where it runs something else.

    Raises OSError where what it has open cannot be looked at.
    """
    own = folder_of(pid, proc)
    files = files_of(own)
    try:
        argv = arguments(own)
    except (FileNotFoundError, ProcessLookupError):
        return None  # it ended
    if not launcher:
        return _held(own, files, [])
    try:
        theirs = files_of(own, reader_of(pid, proc))  # whoever started it chose the names
        words = launcher_words(argv, lambda path: read_for(own, theirs, path))
    except (Unresolvable, OSError):
        words = argv[1:]  # what it holds open tells more than what cannot be read
    line = command_line(words)
    main = "" if line.main is None else words[line.main]
    if line.jar and _WAR.search(main):
        return main if main.startswith("/") else bytewise(os.readlink(own + "/cwd")).rstrip("/") + "/" + main
    if line.main is not None and starts(words[line.main :]):
        base = base_of([words[index] for index in line.options])
        # Its own root is not for everybody to see; where it is no container, ours is the same.
        host = HostFiles("/")
        try:
            served = () if files.is_refused("/") and host.exists(base) else wars(files, base)
            served = served or wars(host, base)
        except Unresolvable as error:  # it is not known what it serves: that it does is assumed
            return error.path
        if served:
            return served[0]
    held = _held(own, files, [main] if line.jar else _class_path(words))
    if held is None and main in MAINS and b"JENKINS_HOME=" in read_file(own + "/environ"):
        return main
    return held


def _class_path(words: Sequence[str]) -> List[str]:
    found = [words[index + 1] for index, word in enumerate(words[:-1]) if word in ("-cp", "-classpath", "--class-path")]
    return found[-1].split(":") if found else []


def _held(own: str, files: HostFiles, places: Sequence[str]) -> Optional[str]:
    """The product among what a process has open, and among the unpacked folders that this and ``places`` lead to."""
    opened = _open_files(own)
    searched = [_LIMIT_SEARCHED]
    for target in sorted(opened, key=lambda name: not name.endswith(".war")):
        try:
            if _is_product(_manifest(opened[target], searched)):
                return bytewise(target)
        except OSError:
            continue  # closed meanwhile, or nothing for us to see
    folders = [bytewise(target.partition(_UNPACKED)[0]) for target in opened if _UNPACKED in target]
    folders.extend(places)
    folders = list(dict.fromkeys(folders))
    for folder in folders[:_LIMIT_FOLDERS]:
        text = read_for(own, files, folder + "/" + _MANIFEST)
        if text is not None and _is_product(text.encode("latin-1")):
            return folder
    if not searched[0] or len(folders) > _LIMIT_FOLDERS:
        raise OSError("it has too many archives or folders open")
    return None


def _open_files(own: str) -> Dict[str, str]:
    """Names of what a process has open, each with a way to it. Raises OSError where there is too much of it."""
    try:
        numbers = sorted(names_in(own + "/fd"), key=int)
    except PermissionError:
        return {}  # only for root; then names must do
    except (FileNotFoundError, ProcessLookupError):
        return {}  # it ended
    if too_many(numbers):
        raise OSError("it has too many files open")
    found: Dict[str, str] = {}
    for number in numbers:
        try:
            target = os.readlink("%s/fd/%s" % (own, number))
        except OSError:
            continue  # closed meanwhile
        if target.startswith("/"):
            name = target[: -len(_DELETED)] if target.endswith(_DELETED) else target
            found.setdefault(name, "%s/fd/%s" % (own, number))
    return found


def _manifest(path: str, searched: List[int]) -> bytes:
    """The manifest of an open archive, empty where it is none. Raises OSError."""
    # To open a device, or a pipe, can already do something: so nothing is opened before it is known what it is.
    handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_size < _END or status.st_dev in _of_the_kernel():
            return b""
        descriptor = os.open("/proc/self/fd/%d" % handle, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    finally:
        os.close(handle)
    with os.fdopen(descriptor, "rb") as stream:
        head = stream.read(_HEAD)
        found = _first_manifest(head)
        if found is None and searched[0] and _may_be_an_archive(stream, head, status.st_size):
            # It need not stand first, and there may be a program in front of the archive.
            searched[0] -= 1
            try:
                found = _zip_manifest(stream, status.st_size)
            except (Unreadable, *_BROKEN_ZIP):
                pass
    return found or b""


def _of_the_kernel() -> Set[int]:
    """Devices whose files are the kernel's: not by name, for whoever has mounts of his own chooses where they are."""
    return {os.stat(path).st_dev for path in ("/proc", "/sys") if os.path.isdir(path)}


def _may_be_an_archive(stream: IO[bytes], head: bytes, size: int) -> bool:
    """False for what is surely none: what a JVM has open are mostly data of its own."""
    stream.seek(max(0, size - _END))
    return head.startswith((b"PK\x03\x04", b"#!")) or stream.read(_END).startswith(b"PK\x05\x06")


def _first_manifest(head: bytes) -> Optional[bytes]:
    """The manifest where an archive begins with it, as what the usual tools make does: dear reading is spared."""
    at = 0
    while at + _LOCAL.size <= len(head):
        signature, method, packed, name, extra = _LOCAL.unpack_from(head, at)
        content = at + _LOCAL.size + name + extra
        found = head[at + _LOCAL.size : at + _LOCAL.size + name]
        if signature != b"PK\x03\x04":
            return None
        if found == _MANIFEST.encode():
            try:
                return (
                    zlib.decompressobj(-zlib.MAX_WBITS).decompress(head[content:], LIMIT_MANIFEST)
                    if method
                    else head[content : content + packed]
                )
            except zlib.error:
                return None
        if not found.endswith(b"/"):
            return None
        at = content + packed
    return None


def _is_product(manifest: bytes) -> bool:
    """True for the war's; its plugins name the version that they need, in the same attribute."""
    attributes = manifest_of(manifest) if b"jenkins-version" in manifest.lower() else {}
    return is_product(attributes)

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and folders of a reports folder, in which others may have put anything; and JSON without its extensions.

Private to this collection. Runs on the control node.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import math
import os
import re
import stat
import urllib.parse
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any, NoReturn

#: Bytes of one file that are read: the manifest of 100,000 hosts has 30 million.
LARGEST = 128 << 20
#: Levels of a document. Ours have about ten; with thousands whoever writes it again runs out of stack.
DEEPEST = 64

#: Bytes of a file's name without its ending: no file system that is in use takes more than 255.
_LONGEST = 255 - len(".json")
_CUT_ESCAPE = re.compile(r"%.?\Z")

# All of a valid document but its brackets.
_FILLING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[^"\[\]{}]+')
_LEVELS = {"[": 1, "{": 1, "]": -1, "}": -1}


def opened(path: Path, flags: int = os.O_RDONLY, mode: int = 0o666) -> int:
    """A descriptor of a regular file that is no link; nothing else is waited for. Raises OSError."""
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY, mode)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return descriptor


def content(path: Path, last: int = LARGEST) -> bytes:
    """The bytes of a regular file that is no link, or its ``last`` ones. Raises OSError."""
    with os.fdopen(opened(path), "rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        if last == LARGEST and size > LARGEST:
            raise OSError(errno.EFBIG, f"it has more than {LARGEST} bytes", str(path))
        stream.seek(max(0, size - last))
        return stream.read(last)


def path_of(folder: Path, host: str) -> Path:
    """The evidence file of a host; what a file name must not hold is escaped as in a URL.

    Of a name that is too long for one its beginning is there, and a checksum behind a "=", which is never left so.
    """
    name = urllib.parse.quote(host, safe="@:+,")
    if len(name) > _LONGEST:
        ending = "=" + hashlib.sha256(host.encode()).hexdigest()
        name = _CUT_ESCAPE.sub("", name[: _LONGEST - len(ending)]) + ending
    return folder / (name + ".json")


def host_of(name: str) -> str:
    """The host that an evidence file of this name is of; of one that was too long, what its file is called."""
    return urllib.parse.unquote(name.removesuffix(".json"))


def make_folder(folder: Path) -> None:
    """A folder to write in. Raises OSError where somebody else has laid a link there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        reason = "it is a link that leads to no folder" if folder.is_symlink() else "it is no folder"
        raise NotADirectoryError(errno.ENOTDIR, reason, str(folder)) from error
    status = folder.lstat()
    if stat.S_ISLNK(status.st_mode) and status.st_uid not in (0, os.geteuid()):
        raise OSError(errno.EPERM, "it is a link of somebody else's", str(folder))


@contextlib.contextmanager
def locked(reports: Path) -> Iterator[None]:
    """One writer at a time: what a file holds and what the last journal says of it must not part."""
    folder = reports / "runs"
    make_folder(folder)
    # Not for others: whoever can open it can keep it locked.
    descriptor = opened(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o660)
    try:
        status = os.fstat(descriptor)
        if status.st_uid == os.geteuid() and status.st_mode & 0o007:
            os.fchmod(descriptor, stat.S_IMODE(status.st_mode) & ~0o007)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def append(path: Path, text: str, lasting: bool = False) -> None:
    """Add lines in one write, so that no reader and no other writer comes between. Raises OSError."""
    descriptor = opened(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            text = "\n" + text  # whoever wrote there was killed in the middle of a line
        data = text.encode()
        if os.write(descriptor, data) != len(data):
            os.ftruncate(descriptor, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        if lasting:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def why(error: Exception) -> str:
    """Why a file cannot be read, in a few words and without its content."""
    if isinstance(error, OSError):
        return "it is a link" if error.errno == errno.ELOOP else str(error.strerror or error)
    return f"{type(error).__name__}: {error}"


def parsed(data: bytes | str) -> Any:
    """A JSON document that can be written again: finite numbers, few levels, text in strings. Raises ValueError."""
    text = data.decode("utf-8") if isinstance(data, bytes) else data
    try:
        document = json.loads(text, parse_constant=_no_number, parse_float=_finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if max(accumulate(_LEVELS[bracket] for bracket in _FILLING.sub("", text)), default=0) > DEEPEST:
        raise ValueError("it is nested too deeply")
    if "\\u" in text:
        json.dumps(document, ensure_ascii=False).encode()  # half of a pair of surrogates is no text
    return document


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is no number")
    return number


def written(document: Any, **layout: Any) -> str:
    """A document as strict JSON. Raises ValueError for what JSON cannot hold."""
    try:
        text = json.dumps(document, ensure_ascii=False, allow_nan=False, **layout)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    text.encode()
    return text

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and folders of a reports folder, in which others may have put anything; and JSON without its extensions.

Private to this collection. Runs on the control node.
"""

from __future__ import annotations

import errno
import json
import math
import os
import re
import stat
from itertools import accumulate
from pathlib import Path
from typing import Any, NoReturn

#: Bytes of one file that are read: the manifest of 100,000 hosts has 30 million.
LARGEST = 128 << 20
#: Levels of a document. Ours have about ten; with thousands whoever writes it again runs out of stack.
DEEPEST = 64

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

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Threads of a JVM that are in a client of Segment's, counted in its own thread dump. Evidence, and never a verdict.

Only where somebody asks for it. Private to this collection. Runs on the managed host: Python 3.6+, standard library
only.
"""

import re
from typing import List

REQUEST = b"1\0threaddump\0\0\0\0"  # of the attach protocol: version, command, three arguments
#: A thread begins with its name; what it does stands below its state. A name may have any characters, line ends too, so
#: what stands between them is none of its frames.
_HEAD = re.compile(rb'".*" #\d+[ \[]')
_STATE = b"   java.lang.Thread.State: "
#: A frame of Segment's client, whoever brings it: a plugin has moved it into a package of its own.
_FRAME = re.compile(rb"\tat ((?:[\w$]+\.)*?)(?:shaded\.)?com\.segment\.analytics\.")
_LONGEST = 1000
ANALYTICS = b"com.cloudbees.analytics."


def count(dump: bytes) -> List[int]:
    """How many threads have a frame of Segment's client: of the analytics plugin's own, and of others'."""
    found = [0, 0]
    mine = others = inside = False

    def end() -> None:
        found[0] += mine
        found[1] += others and not mine

    for line in dump.split(b"\n"):
        if _HEAD.match(line):
            end()
            mine = others = inside = False
        elif line.startswith(_STATE):
            inside = True
        elif not line.strip():
            inside = False
        elif inside:
            frame = _FRAME.match(line[:_LONGEST])
            if frame is not None:
                mine, others = mine or frame.group(1) == ANALYTICS, others or frame.group(1) != ANALYTICS
    end()
    return found

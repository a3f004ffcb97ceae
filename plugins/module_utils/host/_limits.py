# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the program on a host may use: time, memory, bytes; and what is left of it. The reasons: docs/architecture.md.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import time
from typing import Any, Callable, Optional

#: Seconds for an answer, and for what follows the first write of an edit: less than any wait of the control node.
SECONDS = 50.0
#: Of these, the seconds that are kept for putting together what is known; before them nothing new is waited for.
RESERVE = 10.0
#: Seconds of CPU for each process of ours.
CPU = 40
#: Bytes of address space; more where endpoints are probed, because every thread reserves some.
MEMORY = 1 << 30
MEMORY_OF_PROBES = 4 << 30
#: Bytes of an answer, and characters of one string in it.
ANSWER = 4 << 20
STRING = 4096
#: Seconds for one look at a file system that may be dead, and for all of these looks that were in vain.
LOOK = 3.0
LOOKS = 9.0
#: Seconds for the settings of one JENKINS_HOME, and of all.
HOME = 5.0
HOMES = 12.0
#: Names in one folder: a home with its leftovers has some thousands, and whoever owns a folder can make millions.
NAMES = 50000
#: Seconds for a question to the service manager. Where it does not answer one, it is asked no other.
MANAGER = 10.0


class Budget:
    """What is left to the process that does the work, and whom it tells how far it is."""

    until: Optional[float] = None  # on the monotonic clock; None: nobody holds us to a limit
    tell: Optional[Callable[[Any], None]] = None
    bounded = False  # a process that may hang: nobody waits for it longer than for what it does


def begin(tell: Callable[[Any], None], seconds: float) -> None:
    """From now on, this process has so much time."""
    Budget.tell, Budget.until = tell, time.monotonic() + seconds - RESERVE


def left() -> float:
    """Seconds in which something new may be waited for."""
    return float("inf") if Budget.until is None else Budget.until - time.monotonic()


def phase(what: str) -> None:
    """Say what is done from now on, for the case that it never ends."""
    if Budget.tell is not None:
        Budget.tell({"phase": what})


def more(seconds: float) -> None:
    """Something that the task itself asks for begins, which takes so much longer."""
    if Budget.until is not None and Budget.tell is not None:
        Budget.until += seconds
        Budget.tell({"more": seconds})


def write() -> None:
    """The first write is near: from now on there is the whole time again, and nobody's going away ends us."""
    if Budget.until is not None and Budget.tell is not None:
        Budget.until = time.monotonic() + SECONDS - RESERVE
        Budget.tell({"phase": "editing", "writes": True})


def clipped(value: Any) -> Any:
    """A document without strings that are too long; what is missing is named in them."""
    if isinstance(value, str):
        cut = len(value) - STRING
        return value if cut <= 0 else "%s [%d characters more]" % (value[:STRING], cut)
    if isinstance(value, dict):
        return {key: clipped(one) for key, one in value.items()}
    return [clipped(one) for one in value] if isinstance(value, (list, tuple)) else value

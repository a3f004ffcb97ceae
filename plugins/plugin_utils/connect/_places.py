# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where ssh would connect to, so that two names of one machine are told however their addresses are written.

Asked only where a machine has not said itself which it is. Private to this collection. Runs on the control node.
"""

from __future__ import annotations

import queue
import socket
import subprocess
import threading
import time
from collections.abc import Mapping
from typing import NamedTuple

#: Seconds for all of them; what is not known by then is as it is written.
PATIENCE = 15.0
_AT_ONCE = 16


class Place(NamedTuple):
    """What an inventory says of where a host is."""

    text: str  # address and port, or "here"
    words: tuple[str, ...] | None = None  # the arguments with which ssh is called, its target last; None without ssh


def reached(places: Mapping[str, Place], seconds: float = PATIENCE) -> dict[str, set[str]]:
    """By host all that its machine may be known by: as it is written, and each address that ssh would connect to."""
    found = {place: {place.text} for place in places.values()}
    todo: queue.SimpleQueue[Place] = queue.SimpleQueue()
    for place in found:
        if place.words is not None:
            todo.put(place)
    until = time.monotonic() + seconds

    def work() -> None:
        while (left := until - time.monotonic()) > 0:
            try:
                place = todo.get_nowait()
            except queue.Empty:
                return
            found[place] = {place.text, *_marks(place.words or (), left)}

    # A resolver may hang for longer than anybody waits here.
    threads = [threading.Thread(target=work, daemon=True) for _number in range(min(_AT_ONCE, todo.qsize()))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(until - time.monotonic(), 0))
    return {host: found[place] for host, place in places.items()}


def _marks(words: tuple[str, ...], seconds: float) -> set[str]:
    try:
        done = subprocess.run(
            ["ssh", "-G", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=seconds,
            start_new_session=True,
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return set()
    settings = dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
    name, port = settings.get("hostname"), settings.get("port")
    if done.returncode or not name or not port:
        return set()
    ways = [settings.get(key, "none") for key in ("proxyjump", "proxycommand")]
    if ways != ["none", "none"]:  # the name is looked up there, and may be another machine's here
        return {f"{name} {port} by {' '.join(ways)}".lower()}
    try:
        return {f"{each[4][0]} {port}" for each in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        return {f"{name} {port}".lower()}

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts on the way to others (jump hosts): one connection to each of them, which all hosts behind it share.

Private to this collection. Runs on the control node. Without, ssh logs in to a jump host once for each host behind
it, and sshd hangs up on some of so many (MaxStartups). What leads where is asked of ssh (``ssh -G``), and each
connection is ssh's own: its master, behind a socket in a folder of ours. Where that does not come about, ssh goes its
own way.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shlex
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._sweep import kill

#: Seconds between two looks whether a master listens, and after which it does not come about.
_PERIOD = 0.02
_PATIENCE = 60.0
#: Seconds that a master may take to end.
_END = 5.0

#: A master that ends when its standard input does, so that it cannot outlive us.
_MASTER = (
    'exec 3<&0; "$@" </dev/null >/dev/null 2>&1 3<&- & m=$!; '
    '{ read -r _; kill "$m"; } <&3 >/dev/null 2>&1 & exec 3<&-; wait "$m"'
)
_PROXY = re.compile(rb"proxy(jump|command)", re.IGNORECASE)
_READ = re.compile(r"^debug1: Reading configuration data (.+?)\r?$", re.MULTILINE)
#: What makes a ProxyCommand more than one command with its arguments, or different for each host.
_SHELL = set("|;&<>$`%")


@dataclass
class _Hop:
    """A host on the way: the socket of its master, once that was tried."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    tried: bool = False
    socket: str | None = None
    process: asyncio.subprocess.Process | None = None


class Ways:
    """The ways to all hosts of a run. Entered and left, which ends what it started."""

    def __init__(self) -> None:
        self._folder: str | None = None
        self._hops: dict[tuple[str, ...], _Hop] = {}
        self._straight: dict[tuple[str, ...], bool] = {}
        self._asking = asyncio.Lock()
        self._started = 0

    async def __aenter__(self) -> Ways:
        return self

    async def __aexit__(self, *_error: object) -> None:
        for hop in self._hops.values():
            if hop.process is not None and hop.process.stdin is not None:
                hop.process.stdin.close()
                try:
                    await asyncio.wait_for(hop.process.wait(), _END)
                except asyncio.TimeoutError:
                    kill(hop.process.pid)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    async def to(self, words: Sequence[str], host: str) -> list[str]:
        """The options of an ssh command line (its program first, ``host`` not among them), by way of what is shared."""
        if await self._is_straight(words, host):
            return list(words)
        settings = await self._settings(words, host)
        via = await self._via(settings, words)
        if via is None:
            return list(words)
        return [words[0], "-o", f"ProxyCommand={via}", *_without_jump(words[1:])]

    async def _is_straight(self, words: Sequence[str], host: str) -> bool:
        """Whether nothing says that there could be a host on the way, whichever the host is."""
        key = tuple(word for word in words if not word.startswith("ControlPath="))
        async with self._asking:  # many hosts have the same question at the same time
            if key not in self._straight:
                given = any(word.startswith("-J") or _PROXY.search(os.fsencode(word)) for word in words)
                _said, told = ("", "") if given else await _run([words[0], "-v", "-G", *words[1:], host])
                files = _READ.findall(told)
                self._straight[key] = not given and bool(files or "debug1" in told) and not any(map(_speaks, files))
        return self._straight[key]

    @staticmethod
    async def _settings(words: Sequence[str], host: str) -> Mapping[str, str]:
        """What ssh would do for a host."""
        said, _told = await _run([words[0], "-G", *words[1:], host])
        return dict(line.split(" ", 1) for line in said.splitlines() if " " in line)

    async def _via(self, settings: Mapping[str, str], words: Sequence[str]) -> str | None:
        """The ProxyCommand that goes by what is shared; None where ssh goes its own way."""
        jump, command = (_set(settings, name) for name in ("proxyjump", "proxycommand"))
        via = None
        if jump:
            for hop in jump.split(","):  # each is reached through the one before it
                found = re.fullmatch(r"(?:ssh://)?(?:(.+)@)?\[?(.+?)\]?(?::(\d+))?/?", hop)
                if not found:
                    return None
                user, name, port = found.groups()
                line = [
                    words[0],
                    *_config_file(words),
                    *(("-l", user) if user else ()),
                    *(("-p", port) if port else ()),
                ]
                if via is not None:
                    line += ["-o", f"ProxyCommand={via}"]
                via = await self._shared((*line, name), settings)
                if via is None:
                    return None
            return via
        line = _forwarding(command)
        return await self._shared(tuple(line), settings) if line else None

    async def _shared(self, line: tuple[str, ...], settings: Mapping[str, str]) -> str | None:
        """The command that forwards by the master of a hop, which is started now where it is not yet there.

        ``settings`` of the host that asks first: it has no more time for the hop than for itself.
        """
        hop = self._hops.setdefault(line, _Hop())
        async with hop.lock:
            if not hop.tried:
                hop.tried = True
                hop.socket = await self._start(hop, line, _set(settings, "connecttimeout"))
        if hop.socket is None:
            return None
        # With all that leads to the hop: should its master end, this becomes a connection of its own.
        words = [line[0], "-S", hop.socket, "-o", "ControlMaster=no", *line[1:-1]]
        return f"{shlex.join(word.replace('%', '%%') for word in words)} -W [%h]:%p {shlex.quote(line[-1])}"

    async def _start(self, hop: _Hop, line: tuple[str, ...], timeout: str) -> str | None:
        """Start a hop's master; its socket, None where there is none."""
        if self._folder is None:
            self._folder = tempfile.mkdtemp(prefix="cbops-")
        self._started += 1
        path = os.path.join(self._folder, str(self._started))
        own = ["-S", path, "-o", "ControlMaster=yes", "-o", "ControlPersist=no", "-o", "BatchMode=yes", "-N"]
        own += ["-o", f"ConnectTimeout={timeout}"] if timeout else []
        hop.process = process = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            _MASTER,
            "sh",
            line[0],
            *own,
            *line[1:],
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        until = time.monotonic() + _PATIENCE
        while process.returncode is None and time.monotonic() < until:
            if os.path.exists(path):
                return path
            await asyncio.sleep(_PERIOD)
        return None


async def _run(words: Sequence[str]) -> tuple[str, str]:
    """What a command says, on both of its streams; nothing where it cannot be started."""
    try:
        process = await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except OSError:
        return "", ""
    try:
        said, told = await asyncio.wait_for(process.communicate(), _PATIENCE)
    except BaseException:
        with contextlib.suppress(OSError):
            process.kill()
        raise
    return said.decode("utf-8", "replace"), told.decode("utf-8", "replace")


def _speaks(path: str) -> bool:
    """Whether a configuration has a word about proxies; so it does where we cannot read it."""
    try:
        return _PROXY.search(Path(path).read_bytes()) is not None
    except OSError:
        return True


def _set(settings: Mapping[str, str], name: str) -> str:
    value = settings.get(name, "none")
    return "" if value == "none" else value


def _config_file(words: Sequence[str]) -> tuple[str, ...]:
    """The ``-F`` among the arguments of ssh: the only one that a jump inherits (ssh(1), -J)."""
    for number, word in enumerate(words):
        if word.startswith("-F"):
            return (word,) if len(word) > 2 else tuple(words[number : number + 2])
    return ()


def _without_jump(words: Sequence[str]) -> list[str]:
    """The arguments of ssh but ``-J``, which it does not take beside a ProxyCommand."""
    kept: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word == "-J":
            skip = True
        elif not word.startswith("-J"):
            kept.append(word)
    return kept


def _forwarding(command: str) -> list[str]:
    """The words of a ProxyCommand that is ``ssh -W %h:%p``, without that; none where it is anything else."""
    with contextlib.suppress(ValueError):
        words = shlex.split(command)
        for target in ("%h:%p", "[%h]:%p"):
            for number, word in enumerate(words[:-1]):
                if Path(words[0]).name == "ssh" and word == "-W" and words[number + 1] == target:
                    words[number : number + 2] = []
                    alone = {"-q", "-T", "-N", "--", "exec"}
                    return [] if set(" ".join(words)) & _SHELL else [one for one in words if one not in alone]
    return []

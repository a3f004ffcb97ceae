# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many hosts asked from one process: for each of them one ssh, one command and one answer.

Private to this collection. Runs on the control node. It is the ssh that Ansible would start, so what it trusts is
trusted and what it refuses is refused. A host that is slow at anything gives its place to the next one and is waited
for beside it, up to one limit; so hosts that never answer cost their limit once, together.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import signal
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import cast

from ansible_collections.cbops.telemetry.plugins.plugin_utils._failures import failure_of, was_there
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._deadline import LARGEST, TOO_LARGE, descendants

#: Seconds after which a host gives its place to the next one, and how many may be waited for like that.
PATIENCE = 2.0
SLOW = 512
#: How ssh ends where it is ssh that failed.
OF_SSH = 255
#: How often a server is asked again that hangs up before it has said who it is: sshd does so at random where many come
#: at once (MaxStartups). Seconds before the first time; then twice as many.
DROPPED = 4
PAUSE = 0.5
_CHUNK = 1 << 16

#: What ssh says where the other side hung up before its banner.
_BEFORE_THE_BANNER = re.compile(
    r"(kex|ssh)_exchange_identification: (connection closed|read: connection reset)"
    r"|banner exchange: connection to .*: (connection reset|broken pipe)",
    re.IGNORECASE,
)


class Unserved(Exception):
    """The host cannot be asked here; the ordinary way can. The message says why."""


class Unsettled(Unserved):
    """The same, of a host that may have been asked already."""


class Unreachable(Exception):
    """The host cannot be connected to; the message is ssh's own."""


class Late(Exception):
    """The host does not answer: what is there is unknown. It is not asked again in another way."""


class TooLarge(Exception):
    """The host's answer has no end. It is not asked for again in another way."""


@dataclass(frozen=True)
class Escalation:
    """What become waits for: its prompt and the answer to it, where it asks, and its word that it succeeded."""

    prompt: bytes
    password: str
    success: bytes


@dataclass(frozen=True)
class Line:
    """A command line of this machine, and what it is started with."""

    words: Sequence[str | bytes]
    environment: dict[str, str] | None = None
    #: A descriptor that it reads a password from, and the one to write it to.
    password: tuple[int, int, bytes] | None = None
    #: Called when it has ended.
    end: Callable[[], None] = lambda: None

    def close(self) -> None:
        """Let go of what was made for it, where it is not started."""
        for descriptor in (self.password or ())[:2]:
            os.close(descriptor)
        self.end()


@dataclass(frozen=True)
class Question:
    """A host, how to start what asks it, and what that reads."""

    host: str
    #: Makes the command line, anew for each attempt. Raises Unserved.
    line: Callable[[], Awaitable[Line]]
    program: bytes
    escalation: Escalation | None = None
    #: Whether its command is ssh, so that an exit status of 255 is ssh's.
    remote: bool = True
    #: Where it connects to: not more than so many hosts of the same place are asked at the same time.
    place: str = ""
    #: Failures (their kinds) for which Ansible's own plugin has words or questions of its own.
    left: frozenset[str] = frozenset()
    #: How often the user wants an attempt to be repeated in which ssh failed.
    retries: int = 0
    #: Whether something is done there: then it is not asked again where its connection may have been there.
    once: bool = False
    #: Seconds in which it must have answered, where that are not the pool's.
    limit: float | None = None


@dataclass(frozen=True)
class Answer:
    """How the command ended, and what it said."""

    status: int
    stdout: str
    stderr: str


Outcome = Answer | Unreachable | Late | TooLarge | Unserved


class Talk:
    """One command that runs: what it said so far, and what it is to read."""

    def __init__(self, process: asyncio.subprocess.Process, question: Question) -> None:
        self._process, self._question = process, question
        self.stdout, self.stderr = bytearray(), bytearray()
        self._more = asyncio.Event()
        self._open = 2

    async def run(self) -> Answer:
        """The answer. Raises TooLarge, Unserved."""
        process = self._process
        streams = cast("list[asyncio.StreamReader]", [process.stdout, process.stderr])
        readers = asyncio.gather(*map(self._read, streams, [self.stdout, self.stderr]))
        try:
            await self._feed()
            await readers
        finally:
            readers.cancel()
        status = await process.wait()
        return Answer(status, self.stdout.decode("utf-8", "replace"), self.stderr.decode("utf-8", "replace"))

    async def _read(self, stream: asyncio.StreamReader, said: bytearray) -> None:
        try:
            while chunk := await stream.read(_CHUNK):
                said += chunk
                self._more.set()
                if len(said) > LARGEST:
                    raise TooLarge(TOO_LARGE)
        finally:
            self._open -= 1
            self._more.set()

    async def _feed(self) -> None:
        """Give the command what it reads: the password where it is asked for, then the program."""
        stdin, escalation = cast(asyncio.StreamWriter, self._process.stdin), self._question.escalation
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it ended: its words and its status say why
            if escalation is not None and escalation.prompt and not await self._escalated(stdin, escalation):
                return
            stdin.write(self._question.program)
            await stdin.drain()
        stdin.close()

    async def _escalated(self, stdin: asyncio.StreamWriter, escalation: Escalation) -> bool:
        """Answer the prompt of become and wait until it succeeded; False where the command ended. Raises Unserved."""
        answered = 0
        while escalation.success not in self.stdout:
            prompts = self.stdout.count(escalation.prompt) + self.stderr.count(escalation.prompt)
            if prompts > 1:
                raise Unserved("become did not succeed")  # whose fault that was Ansible's own plugins know how to say
            if prompts > answered:
                answered = prompts
                stdin.write(escalation.password.encode() + b"\n")
                await stdin.drain()
            elif not self._open:
                return False
            self._more.clear()
            await self._more.wait()
        return True


@dataclass
class Session:
    """What runs for one host, so that it can be ended from outside when its time is over."""

    deadline: float
    process: asyncio.subprocess.Process | None = None
    #: Whether there was ever one.
    begun: bool = False

    def left(self) -> float:
        """Seconds that are left; never nothing."""
        return max(self.deadline - time.monotonic(), 0.001)

    def end(self) -> None:
        """End what runs, with all that it has started."""
        process, self.process = self.process, None
        if process is not None and process.returncode is None:
            kill(process.pid)


def kill(group: int) -> None:
    """End a process that leads a group, and what it has started (a session of its own, too)."""
    for process in descendants(group):
        with contextlib.suppress(OSError):
            os.kill(process, signal.SIGKILL)
    with contextlib.suppress(OSError):
        os.killpg(group, signal.SIGKILL)


async def _ask(question: Question, session: Session) -> Answer:
    """The answer of one host. Raises Unreachable, TooLarge, Unserved."""
    dropped = cut = failed = 0
    while True:
        answer = await _attempt(question, session)
        if answer.status != OF_SSH or not question.remote:
            return answer
        failure = failure_of(answer.stderr)
        kind = failure.kind if failure is not None else ""
        again = not (question.once and was_there(answer.stderr))
        if kind == "broken" and not cut and again:
            cut, pause = 1, 0.0
        elif _BEFORE_THE_BANNER.search(answer.stderr) and dropped < DROPPED and again:
            dropped, pause = dropped + 1, PAUSE * 2**dropped * (0.5 + random.random())
        elif failed < question.retries and again:
            failed, pause = failed + 1, min(2**failed - 1, 30)
        elif kind in question.left and failure is not None and again:
            raise Unserved(failure.sentence)
        else:
            raise Unreachable(answer.stderr)
        await asyncio.sleep(pause)


async def _attempt(question: Question, session: Session) -> Answer:
    """One attempt to ask a host."""
    line = await question.line()
    read, write, password = line.password or (-1, -1, b"")
    try:
        try:
            session.process = process = await asyncio.create_subprocess_exec(
                *line.words,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=line.environment,
                pass_fds=(read,) if line.password else (),
                # Without a terminal, which ssh would ask for what it does not know; and a group to end.
                start_new_session=True,
            )
            session.begun = True
        except OSError as error:
            raise Unserved(f"{os.fsdecode(line.words[0])} cannot be started: {error.strerror}") from error
        finally:
            if line.password:
                os.close(read)
                with contextlib.suppress(BrokenPipeError):
                    os.write(write, password + b"\n")
                os.close(write)
        try:
            return await Talk(process, question).run()
        finally:
            session.end()
            process._transport.close()  # type: ignore[attr-defined]  # else what nobody has read would be waited for
            await process.wait()
    finally:
        line.end()


@dataclass
class Pool:
    """Hosts that are asked at the same time.

    ``connections`` at a time, each for ``limit`` seconds at most, and ``per_place`` at a time of one place.
    """

    connections: int
    limit: float
    per_place: int
    _slow: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(SLOW))
    _places: dict[str, asyncio.Semaphore] = field(default_factory=dict)

    async def ask(
        self, questions: Iterable[Callable[[], Question | None]], file: Callable[[Question, Outcome], Question | None]
    ) -> None:
        """Ask all of them.

        A question is made when its turn comes (None: there is nothing to ask), and its outcome filed as it arrives,
        which may lead to the next question to the same host; all in this thread.
        """
        turns = asyncio.Semaphore(self.connections)
        running: set[asyncio.Task[None]] = set()
        try:
            for make in questions:
                await turns.acquire()
                question = make()
                if question is None:
                    turns.release()
                    continue
                running.add(task := asyncio.create_task(self._one(question, turns, file)))
                for task in [task for task in running if task.done()]:
                    running.remove(task)
                    task.result()
            for task in running:
                await task
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _one(
        self, question: Question, turns: asyncio.Semaphore, file: Callable[[Question, Outcome], Question | None]
    ) -> None:
        """Ask one host what there is to ask; the first question has its turn already."""
        following = file(question, await self._outcome(question, turns))
        while following is not None:
            await turns.acquire()
            following = file(following, await self._outcome(following, turns))

    async def _outcome(self, question: Question, turns: asyncio.Semaphore) -> Outcome:
        """What came of a question; its turn is over as soon as the host answered, or is slow."""
        limit = question.limit or self.limit
        place = self._places.setdefault(question.place, asyncio.Semaphore(self.per_place))
        if question.place and place.locked():  # it waits beside the others
            turns.release()
            await place.acquire()
            await turns.acquire()
        elif question.place:
            await place.acquire()
        try:
            session = Session(time.monotonic() + limit)
            work = asyncio.create_task(_ask(question, session))
            try:
                await asyncio.wait({work}, timeout=min(PATIENCE, limit))
                if work.done():
                    turns.release()
                else:
                    async with self._slow:
                        turns.release()
                        await asyncio.wait({work}, timeout=session.left())
            finally:
                session.end()
                late = not work.done()
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
        finally:
            if question.place:
                place.release()
        if late:
            variable = "telemetry_sweep_limit" if question.limit is None else "telemetry_host_limit"
            return Late(f"it did not answer within {limit:g} seconds ({variable})")
        if isinstance(problem := work.exception(), Unreachable | TooLarge | Unserved):
            return problem
        if problem is not None:  # whatever it is, it is one host's; the ordinary way has words for it
            kind = Unsettled if session.begun else Unserved
            return kind(f"it could not be asked: {problem or type(problem).__name__}")
        return work.result()

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many hosts asked from one process: one SSH connection, one command and one answer each, by paramiko.

Private to this collection. Runs on the control node. A host that is slow at anything gives its place to the next one
and is waited for beside it, up to one limit; so hosts that never answer cost their limit once, together.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._deadline import LARGEST, TOO_LARGE
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._known_hosts import (
    KNOWN,
    UNKNOWN,
    KnownHosts,
    name_of,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._openssh import Login, Unserved

try:
    import paramiko
    from paramiko.pkey import PublicBlob
except ImportError as error:
    MISSING: str | None = f"paramiko cannot be imported on the control node: {error}"
else:
    MISSING = None

#: Seconds after which a host gives its place to the next one, and how many may be waited for like that.
PATIENCE = 2.0
SLOW = 512

# A failed connection is an answer here; paramiko's threads would write each of them into a log as well.
logging.getLogger("paramiko").addHandler(logging.NullHandler())
logging.getLogger("paramiko").propagate = False


class Unreachable(Exception):
    """The host cannot be connected to; the message is ssh's own."""


class Late(Exception):
    """The host let us in and does not answer: what is there is unknown. It is not asked again in another way."""


class TooLarge(Exception):
    """The host's answer has no end. It is not asked for again in another way."""


@dataclass(frozen=True)
class Escalation:
    """What become waits for: its prompt and the answer to it, where it asks, and its word that it succeeded."""

    prompt: bytes
    password: str
    success: bytes


@dataclass(frozen=True)
class Question:
    """A host, how to log in (asked in the host's own thread), the command and what it reads."""

    host: str
    login: Callable[[], Login]
    password: str | None
    command: str
    program: bytes
    escalation: Escalation | None = None


@dataclass(frozen=True)
class Answer:
    """How the command ended, and what it said."""

    status: int
    stdout: str
    stderr: str


Outcome = Answer | Unreachable | Late | TooLarge | Unserved


class Keys:
    """Private keys and known hosts, each file read once for all hosts. Used by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._private: dict[str, paramiko.PKey | None] = {}
        self._known: dict[tuple[str, ...], KnownHosts] = {}

    def private(self, path: str) -> paramiko.PKey | None:
        """The key of a file; None where there is none that can be used without a passphrase."""
        with self._lock:
            if path not in self._private:
                try:
                    self._private[path] = paramiko.PKey.from_path(path)
                except Exception:  # paramiko and cryptography raise a dozen kinds for a file that is no key
                    self._private[path] = None
            return self._private[path]

    def known(self, paths: tuple[str, ...]) -> KnownHosts:
        """The known hosts of some files."""
        with self._lock:
            if paths not in self._known:
                self._known[paths] = KnownHosts(paths)
            return self._known[paths]

    def offered(self, login: Login, agent: paramiko.Agent | None) -> Iterator[paramiko.PKey]:
        """The keys to log in with, in the order of ssh: the agent's that are named, files, the agent's others."""
        files = [(path, self.private(path)) for path in login.identities]
        named = {key.asbytes() for _path, key in files if key is not None}
        named |= {blob for blob in (_public(path) for path in login.identities) if blob}
        held = list(agent.get_keys()) if agent is not None else []
        yield from (key for key in held if key.asbytes() in named)
        in_agent = {key.asbytes() for key in held}
        yield from (key for _path, key in files if key is not None and key.asbytes() not in in_agent)
        if not login.identities_only:
            yield from (key for key in held if key.asbytes() not in named)


def _public(path: str) -> bytes | None:
    """The public half beside a private key, by which an agent's key is found."""
    with contextlib.suppress(OSError, IndexError, ValueError):
        with open(path + ".pub", encoding="utf-8") as stream:
            return PublicBlob.from_string(stream.read()).key_blob
    return None


@dataclass
class Session:
    """What is open for one host, so that it can be closed from outside when its time is over."""

    deadline: float
    things: list[Any] = field(default_factory=list)
    over: bool = False
    asked: bool = False  # whether the host let us in and runs our command
    shared: bool = False  # whether it goes over a connection that is for others, too

    def left(self) -> float:
        """Seconds that are left; never nothing, which would mean for ever to some."""
        return max(self.deadline - time.monotonic(), 0.001)

    def keep(self, thing: Any) -> Any:
        """Remember something to be closed: the line first, then what goes over it."""
        self.things.append(thing)
        if self.over:
            self.close()
        return thing

    def close(self) -> None:
        """Close all of it, from any thread."""
        self.over = True
        if self.things:
            # paramiko's thread wakes up at once; else it would be waited for.
            with contextlib.suppress(Exception):
                self.things[0].shutdown(socket.SHUT_RDWR)
        for thing in reversed(self.things):
            with contextlib.suppress(Exception):
                thing.close()


@dataclass
class Hop:
    """A host on the way: its connection, or why there is none. Tried once for all hosts behind it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    transport: paramiko.Transport | None = None
    problem: Exception | None = None


class Talk:
    """One host after the other asked the same way, in as many threads as there are hosts in the works."""

    def __init__(self) -> None:
        self._keys = Keys()
        self._lock = threading.Lock()
        self._hops: dict[Login, Hop] = {}

    def ask(self, question: Question, session: Session) -> Answer:
        """The answer; the session stays open. Raises Unreachable, Unserved."""
        try:
            login = question.login()
            transport = self._connect(login, question.password, session, session.keep)
            return self._run(transport, question, session)
        except (Unreachable, TooLarge, Unserved):
            raise
        except Exception as error:  # whatever it is, it is one host's; ssh may come further, or have better words
            raise Unserved(f"the connection ended: {error or type(error).__name__}") from error

    def close(self) -> None:
        """Close the connections to hosts on the way."""
        for hop in self._hops.values():
            if hop.transport is not None:
                hop.transport.close()

    def _connect(
        self, login: Login, password: str | None, session: Session, keep: Callable[[Any], Any]
    ) -> paramiko.Transport:
        """A connection that is logged in."""
        stream = keep(self._through(login.via, login, session) if login.via else dial(login, session.left()))
        transport: paramiko.Transport = keep(paramiko.Transport(stream))
        known = self._keys.known(login.known_hosts)
        options = transport.get_security_options()
        options.kex = _allowed("key exchange", login.kex, options.kex)
        options.ciphers = _allowed("cipher", login.ciphers, options.ciphers)
        options.digests = _allowed("MAC", login.macs, options.digests)
        name = login.alias or name_of(login.hostname, login.port)
        kinds = {line.kind for line in known.of(name)} or known.kinds if login.strict else set()
        # Kinds that are known come first, as ssh does it: a host has one key of each kind.
        options.key_types = sorted(
            _allowed("host key", login.host_keys, options.key_types), key=lambda kind: _family(kind) not in kinds
        )
        transport.auth_timeout = session.left()
        self._greet(transport, login, session)
        key = transport.get_remote_server_key()
        judged = known.judge(name, key.asbytes())
        if judged != KNOWN and (login.strict or judged != UNKNOWN):
            raise Unserved(f"its host key is {judged}")
        if _is_short(key, login):
            raise Unserved("its host key is shorter than RequiredRSASize")
        if known.has_marks(name):
            raise Unserved("known_hosts has an authority or a revoked key for its name")
        self._log_in(transport, login, password)
        return transport

    @staticmethod
    def _greet(transport: paramiko.Transport, login: Login, session: Session) -> None:
        """Exchange versions and keys. A server that says nothing has ConnectTimeout for it, as ssh gives it."""
        transport.banner_timeout = min(login.connect_timeout or session.left(), session.left())
        until = time.monotonic() + transport.banner_timeout
        try:
            transport.start_client(timeout=session.left())
        except paramiko.SSHException as error:
            if login.via or "banner" not in str(error) or time.monotonic() < until or session.over:
                raise
            raise Unreachable("Connection timed out during banner exchange") from error

    def _log_in(self, transport: paramiko.Transport, login: Login, password: str | None) -> None:
        """Log in with keys, then with the password, as ssh does. Raises Unserved."""
        if "publickey" in login.methods:
            agent = paramiko.Agent() if login.agent and login.agent == os.environ.get("SSH_AUTH_SOCK") else None
            try:
                transport.disabled_algorithms = {
                    "pubkeys": [kind for kind in transport.preferred_pubkeys if kind not in login.signatures]
                }
                for key in self._keys.offered(login, agent):
                    if _is_short(key, login) or key.get_name() not in {_family(kind) for kind in login.signatures}:
                        continue
                    with contextlib.suppress(paramiko.AuthenticationException):
                        if not transport.auth_publickey(login.user, key):
                            return
            finally:
                if agent is not None:
                    agent.close()
        if password and {"password", "keyboard-interactive"} & set(login.methods):
            with contextlib.suppress(paramiko.AuthenticationException):
                if not transport.auth_password(login.user, password):
                    return
        raise Unserved("no key and no password that we can use was taken")

    def _through(self, via: Login, login: Login, session: Session) -> paramiko.Channel:
        """A way to a host through the one before it; that connection is shared by all hosts behind."""
        session.shared = True
        with self._lock:
            hop = self._hops.setdefault(via, Hop())
        with hop.lock:
            if hop.transport is None and hop.problem is None:
                try:
                    hop.transport = self._connect(via, None, session, lambda thing: thing)
                except (Unreachable, Unserved, paramiko.SSHException, OSError, EOFError) as error:
                    hop.problem = error
            if hop.transport is None:
                raise Unserved(f"the host on the way there: {hop.problem}")
        try:
            return hop.transport.open_channel(
                "direct-tcpip",
                (login.hostname, login.port),
                ("127.0.0.1", 0),
                timeout=min(session.left(), login.connect_timeout or session.left()),
            )
        except paramiko.ChannelException as error:
            raise Unserved(f"the host on the way cannot reach it: {error.text}") from error

    def _run(self, transport: paramiko.Transport, question: Question, session: Session) -> Answer:
        """Run the command, and give it what it reads."""
        channel = session.keep(transport.open_session(timeout=session.left()))
        channel.settimeout(session.left())
        escalation = question.escalation
        asks = escalation is not None and bool(escalation.prompt)
        channel.set_combine_stderr(asks)
        channel.exec_command(question.command)
        session.asked = True
        if escalation is not None and asks:
            _escalate(channel, escalation)
            channel.set_combine_stderr(False)
        channel.sendall(question.program)
        channel.shutdown_write()
        stdout = _all(channel.recv)
        stderr = _all(channel.recv_stderr)
        status = channel.recv_exit_status()
        if escalation is not None and not asks and escalation.success not in stdout:
            raise Unserved("become did not succeed")
        return Answer(status, stdout.decode("utf-8", "replace"), stderr.decode("utf-8", "replace"))


def _is_short(key: paramiko.PKey, login: Login) -> bool:
    """Whether an RSA key, the host's or ours, is one that ssh would not use."""
    return key.get_name() == "ssh-rsa" and key.get_bits() < login.rsa_bits


def _family(kind: str) -> str:
    """The kind of key that a signature algorithm uses."""
    return "ssh-rsa" if kind.startswith("rsa-sha2") else kind


def _allowed(what: str, wanted: Iterable[str], can: Iterable[str]) -> list[str]:
    """What ssh would use, in its order, and paramiko can. Raises Unserved where there is nothing."""
    both = [name for name in wanted if name in set(can)]
    if not both:
        raise Unserved(f"ssh is set to a {what} that paramiko does not have")
    return both


def dial(login: Login, seconds: float) -> socket.socket:
    """A connection to a host's SSH port; each address is tried for ConnectTimeout, as ssh does. Raises Unreachable."""
    family = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}.get(login.address_family, socket.AF_UNSPEC)
    try:
        found = socket.getaddrinfo(login.hostname, login.port, family, socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise Unreachable(f"ssh: Could not resolve hostname {login.hostname}: {error.strerror}") from error
    until = time.monotonic() + seconds
    problem: OSError = OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
    for family, kind, protocol, _name, address in found:
        line = socket.socket(family, kind, protocol)
        line.settimeout(max(min(login.connect_timeout or seconds, until - time.monotonic()), 0.001))
        try:
            line.connect(address)
        except OSError as error:
            problem = error
            line.close()
        else:
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            line.settimeout(None)
            return line
    number = errno.ETIMEDOUT if isinstance(problem, TimeoutError) else problem.errno or errno.EIO
    raise Unreachable(f"ssh: connect to host {login.hostname} port {login.port}: {os.strerror(number)}")


def _escalate(channel: paramiko.Channel, escalation: Escalation) -> None:
    """Answer the prompt of become, and wait until it succeeded. Raises Unserved."""
    said, answered = b"", 0
    while escalation.success not in said:
        chunk = channel.recv(4096)
        said += chunk
        prompts = said.count(escalation.prompt)
        if not chunk or prompts > 1 or len(said) > LARGEST:
            raise Unserved("become did not succeed")
        if prompts > answered:
            answered = prompts
            channel.sendall(escalation.password.encode() + b"\n")


def _all(receive: Callable[[int], bytes]) -> bytes:
    """Everything until the end."""
    parts, size = [], 0
    while chunk := receive(65536):
        parts.append(chunk)
        size += len(chunk)
        if size > LARGEST:
            raise TooLarge(TOO_LARGE)
    return b"".join(parts)


async def sweep(
    questions: Iterable[Callable[[], Question | None]],
    connections: int,
    limit: float,
    file: Callable[[Question, Outcome], None],
) -> None:
    """Ask all of them, ``connections`` at a time and each for ``limit`` seconds at most.

    A question is made when its turn comes (None: there is nothing to ask), and its outcome filed as it arrives; both in
    this thread.
    """
    places, slow = asyncio.Semaphore(connections), asyncio.Semaphore(SLOW)
    talk = Talk()
    running = set()
    try:
        for make in questions:
            await places.acquire()
            question = make()
            if question is None:
                places.release()
                continue
            running.add(task := asyncio.create_task(_one(talk, question, limit, places, slow, file)))
            for task in [task for task in running if task.done()]:
                running.remove(task)
                task.result()
        for task in running:
            await task
    finally:
        talk.close()


async def _one(
    talk: Talk,
    question: Question,
    limit: float,
    places: asyncio.Semaphore,
    slow: asyncio.Semaphore,
    file: Callable[[Question, Outcome], None],
) -> None:
    """Ask one host; its place is free again as soon as it answered, or is slow."""
    session = Session(time.monotonic() + limit)
    work = _in_thread(lambda: talk.ask(question, session), session.close)
    await asyncio.wait({work}, timeout=min(PATIENCE, limit))
    if work.done():
        places.release()
    else:
        async with slow:
            places.release()
            await asyncio.wait({work}, timeout=session.left())
    outcome: Outcome
    if not work.done():
        session.close()
        told = f"it did not answer within {limit:g} seconds (telemetry_sweep_limit)"
        # What goes over a shared connection may be lost with that: ssh makes one of its own.
        outcome = Late(told) if session.asked else Unserved(told) if session.shared else Unreachable(told)
    elif isinstance(problem := work.exception(), Unreachable | TooLarge | Unserved):
        outcome = problem
    else:
        outcome = work.result()
    file(question, outcome)


def _in_thread(work: Callable[[], Any], afterwards: Callable[[], None]) -> asyncio.Future[Any]:
    """Work in a thread of its own, which the end of this process does not wait for (a name server may take long).

    What comes afterwards is not waited for either.
    """
    loop = asyncio.get_running_loop()
    future = loop.create_future()

    def settle(result: Any, problem: Exception | None) -> None:
        if problem is not None:
            future.set_exception(problem)
        else:
            future.set_result(result)

    def call() -> None:
        result, problem = None, None
        try:
            result = work()
        except Exception as error:  # raised where it is waited for
            problem = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, result, problem)
        afterwards()

    threading.Thread(target=call, daemon=True).start()
    return future

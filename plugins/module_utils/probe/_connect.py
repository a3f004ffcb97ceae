# Copyright (c) The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks a name up and connects to its addresses, before a deadline, and says what came of it.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import errno
import os
import selectors
import socket
import threading
import time
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

# RFC 8305, section 5: the recommended delay between two connection attempts.
_STAGGER = 0.25
# Once one address is connected, each other one gets this long for its own result, so that a dead
# address costs a second and not the whole timeout.
_GRACE = 1.0
#: Addresses of one name. Whoever answers for it chooses them, and each is connected to.
LIMIT_ADDRESSES = 64
_LIMIT_SETTINGS = 64 << 10  # characters of resolv.conf; the C library takes three name servers of it
_NAME_SERVERS = 3

_SockAddr = Tuple[Any, ...]


class Candidate(NamedTuple):
    """An address of a name, as the socket module has it."""

    family: int
    sockaddr: _SockAddr

    @property
    def address(self) -> str:
        """The address alone."""
        address, *_port_and_more = self.sockaddr
        return str(address)


def _candidates(infos: Sequence[Any]) -> List[Candidate]:
    """Those in an answer of getaddrinfo."""
    return [Candidate(int(family), sockaddr) for family, _kind, _protocol, _name, sockaddr in infos]


class Finding(Exception):
    """The end of the probe: an outcome, what was seen, and what the reader should check."""

    def __init__(self, outcome: str, seen: str, check: str = "") -> None:
        self.outcome = outcome
        self.message = f"{seen}: check {check}." if check else seen
        super().__init__(self.message)


class Local(Finding):
    """The probe ended on this machine itself."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(
            "unknown",
            f"{what}, for a reason on this machine ({reason}), which says nothing of the network",
            "the configuration of the machine first",
        )


class Late(Exception):
    """The deadline came before the peer's next byte."""


# --- DNS ---------------------------------------------------------------------------------------------------


def numeric(name: str, port: int) -> Optional[List[Candidate]]:
    """The address that `name` is already written as, without asking anybody; else None."""
    if not name or "\0" in name or not name.isprintable() or " " in name:
        raise Finding("unknown", f"{name!r} is not a host name", "the host that is to be probed")
    try:
        infos = socket.getaddrinfo(wire(name), port, 0, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)
    except socket.gaierror:
        return None
    return _candidates(infos)


def wire(name: str) -> bytes:
    try:
        # Given a str, getaddrinfo loads the IDNA codec: milliseconds, and an import in the resolver's thread.
        return name.encode("ascii")
    except UnicodeEncodeError:
        try:
            return name.encode("idna")
        except UnicodeError:
            raise Finding("unknown", f"{name!r} is not a host name", "the host that is to be probed")


def _lookup(name: str, port: int) -> List[Candidate]:
    """What the machine's own resolver says: hosts file, DNS or whatever NSS asks, as the JVM gets it too."""
    infos = socket.getaddrinfo(wire(name), port, 0, socket.SOCK_STREAM)
    return _candidates(infos)


def resolve(name: str, port: int, deadline: float, timeout: float) -> List[Candidate]:
    # getaddrinfo cannot be interrupted, not even by a signal. So it runs in a thread that is left behind at
    # the deadline; as a daemon thread it does not hold up the end of the process, as a pool's thread would.
    answer: List[Any] = []
    done = threading.Event()

    def run() -> None:
        try:
            answer.append(_lookup(name, port))
        except Exception as error:  # noqa: BLE001  handed over to the thread that waits
            answer.append(error)
        done.set()

    try:
        threading.Thread(target=run, name="resolver", daemon=True).start()
    except RuntimeError as error:
        raise Local(f"{name} was not looked up", str(error))
    done.wait(max(0.0, deadline - time.monotonic()))
    result = answer.pop() if answer else None

    if isinstance(result, list):
        if result:
            return _few(name, result)
        result = socket.gaierror(socket.EAI_NONAME, "no address")
    if result is not None and not isinstance(result, socket.gaierror):
        raise Local(f"{name} could not be looked up", reason_of(result))

    # Before the network is blamed: could this machine ask anybody at all?
    problem = _resolver_problem()
    if problem is not None:
        raise Local(f"{name} could not be looked up", problem)
    if result is None:
        raise Finding(
            "dns_timeout",
            f"No answer to the DNS lookup of {name} within {timeout:g} s",
            "that this machine's name servers are up and that port 53 (UDP and TCP) to them is open",
        )
    if result.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)):
        raise Finding(
            "dns_nxdomain",
            f"DNS knows no address for {name} ({result.strerror})",
            "that this machine's name servers resolve public names, and that no DNS filter removes this one",
        )
    if result.errno == socket.EAI_AGAIN:
        raise Finding(
            "dns_timeout",
            f"The DNS lookup of {name} got no usable answer ({result.strerror})",
            "that this machine's name servers answer, reach their forwarders and do not fail (SERVFAIL)",
        )
    raise Local(f"{name} could not be looked up", reason_of(result))


def _few(name: str, candidates: List[Candidate]) -> List[Candidate]:
    """Each address once. Raises Finding where there are more than are connected to."""
    unique = list(dict.fromkeys(candidates))
    if len(unique) > LIMIT_ADDRESSES:
        raise Finding(
            "unknown",
            f"{name} has {len(unique)} addresses, and no name with more than {LIMIT_ADDRESSES} is probed",
            "who answers for this name in DNS",
        )
    return unique


def _resolver_problem(path: str = "/etc/resolv.conf") -> Optional[str]:
    """Why no name server can be asked from here, or None when at least one can."""
    servers: List[str] = []
    try:
        with open(path, errors="replace") as stream:
            for line in stream.read(_LIMIT_SETTINGS).split("\n"):
                keyword, server, *_more = [*line.split(), "", ""]
                if keyword == "nameserver" and server and len(servers) < _NAME_SERVERS:
                    servers.append(server)
    except FileNotFoundError:
        pass
    except OSError as error:
        return f"{path} cannot be read: {reason_of(error)}"
    # Without a server the C library asks the one on this machine.
    problems = [_server_problem(server) for server in servers or ["127.0.0.1"]]
    if None in problems:
        return None
    return "; ".join(([] if servers else [f"{path} names no name server"]) + [p for p in problems if p is not None])


def _server_problem(server: str) -> Optional[str]:
    try:
        infos = socket.getaddrinfo(server, 53, 0, socket.SOCK_DGRAM, 0, socket.AI_NUMERICHOST)
        one, *_more = _candidates(infos)
        with socket.socket(one.family, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.connect(one.sockaddr)  # UDP: sends nothing, but fails where there is no route
            if _is_sink(one.address):
                # Of this machine's own ports the kernel says at once that nobody listens.
                sock.send(b"")
                sock.recv(1)
    except BlockingIOError:
        return None
    except OSError as error:
        return f"name server {server}: {reason_of(error)}"
    return None


def _is_sink(address: str) -> bool:
    """An address that leads nowhere or back to this machine, as DNS filters hand out."""
    address, _mark, _zone = address.lower().partition("%")
    if address.startswith("::ffff:"):
        address = address[len("::ffff:") :]
    return address in ("::", "::1") or address.startswith(("0.", "127."))


def _is_own_name(name: str) -> bool:
    """Names that may rightly lead to this machine: localhost, unqualified names, its own."""
    name = name.rstrip(".").lower()
    own = socket.gethostname().lower()
    return "." not in name or name.endswith((".localhost", ".localdomain")) or name == own


def without_sinks(entry: Dict[str, Any], name: str, candidates: List[Candidate]) -> List[Candidate]:
    if _is_own_name(name):
        return candidates
    sinks = [c for c in candidates if _is_sink(c.address)]
    real = [c for c in candidates if c not in sinks]
    for sink in sinks:
        entry["addresses"].append(
            {"address": sink.address, "family": _family(sink.family), "outcome": "dns_sinkholed", "tcp_ms": None}
        )
    if not real:
        entry["address"] = next(sink.address for sink in sinks)
        addresses = ", ".join(sink.address for sink in sinks)
        raise Finding(
            "dns_sinkholed",
            f"{name} resolves to {addresses}, which leads nowhere",
            "the DNS filter (sinkhole) and this machine's /etc/hosts for that name",
        )
    return real


def interleave(candidates: List[Candidate]) -> List[Candidate]:
    """RFC 8305, section 4: families in turn, beginning with the one the resolver prefers; no duplicates."""
    unique = list(dict.fromkeys(candidates))
    preferred = next((c.family for c in unique), None)
    first = [c for c in unique if c.family == preferred]
    other = [c for c in unique if c.family != preferred]
    ordered: List[Candidate] = []
    while first or other:
        ordered.extend(first[:1] + other[:1])
        first, other = first[1:], other[1:]
    return ordered


# --- TCP ---------------------------------------------------------------------------------------------------


class Attempt:
    """One connection attempt to one address."""

    def __init__(self, candidate: Candidate) -> None:
        self.candidate = candidate
        self.address = candidate.address
        self.sock: Optional[socket.socket] = None
        self.started = 0.0
        self.outcome: Optional[str] = None
        self.reason = ""
        self.tcp_ms: Optional[float] = None

    def start(self) -> bool:
        """Begin to connect; False when the attempt is over at once."""
        self.started = time.monotonic()
        try:
            self.sock = socket.socket(self.candidate.family, socket.SOCK_STREAM)
            self.sock.setblocking(False)
            code = self.sock.connect_ex(self.candidate.sockaddr)
        except OSError as error:
            code = error.errno or errno.EINVAL
        if code == errno.EINPROGRESS:
            return True
        # What connect() itself refuses, apart from an answer over the loopback, is this machine's doing: no
        # route, no permission, no such family. The same codes said later come from the network, by ICMP.
        self.finish(code, local=code not in (0, errno.ECONNREFUSED, errno.ECONNRESET))
        return False

    def conclude(self) -> None:
        """The kernel has the attempt's result."""
        if self.sock is not None:
            self.finish(self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), local=False)

    def finish(self, code: int, local: bool) -> None:
        if code == 0 and self._talks_to_itself():
            code = errno.ECONNREFUSED
        self.tcp_ms = milliseconds(self.started)
        if code == 0:
            self.outcome = "connected"
            return
        self.outcome = "unknown" if local else by_errno(code)
        self.reason = os.strerror(code)
        if self.outcome in ("unknown", "timeout"):
            self.tcp_ms = None  # nobody answered
        self.close()

    def _talks_to_itself(self) -> bool:
        """A connection to a free local port can, by chance, meet itself: nobody listens there."""
        try:
            return self.sock is not None and self.sock.getsockname() == self.sock.getpeername()
        except OSError:  # already gone again, as whoever uses it will find out
            return False

    def close(self) -> None:
        if self.sock is not None:
            self.sock.close()
            self.sock = None

    def as_dict(self) -> Dict[str, Any]:
        return {
            "address": self.address,
            "family": _family(self.candidate.family),
            "outcome": self.outcome,
            "tcp_ms": self.tcp_ms,
        }


class Race:
    """Happy Eyeballs: addresses are tried a moment apart, the first that connects is used (RFC 8305).

    The others are followed to their own result while the handshake goes on, all in one selector.
    """

    def __init__(self, candidates: List[Candidate], deadline: float) -> None:
        self.deadline = deadline
        self.attempts = [Attempt(candidate) for candidate in candidates]
        self.queue = list(self.attempts)
        self.in_flight: List[Attempt] = []
        self.winner: Optional[Attempt] = None
        self.selector = selectors.DefaultSelector()
        self.next_start = 0.0
        # However many addresses there are, the last one has half of the time left to answer.
        self.stagger = min(_STAGGER, max(0.0, deadline - time.monotonic()) / (2 * max(1, len(self.attempts))))

    def connect(self) -> Optional[Attempt]:
        while self.winner is None and (self.queue or self.in_flight) and time.monotonic() < self.deadline:
            self._turn(self.deadline)
        return self.winner

    def wait(self, sock: socket.socket, events: int) -> bool:
        """Wait for the connection in use, minding the other attempts; False at the deadline."""
        self.selector.register(sock, events, None)
        try:
            while time.monotonic() < self.deadline:
                if self._turn(self.deadline):
                    return True
            return False
        finally:
            self.selector.unregister(sock)

    def settle_the_rest(self) -> None:
        while self.queue or self.in_flight:
            until = self.deadline
            if not self.queue:
                until = min(until, max(attempt.started for attempt in self.in_flight) + _GRACE)
            if time.monotonic() >= until:
                break
            self._turn(until)

    def close(self) -> None:
        self.selector.close()
        for attempt in self.attempts:
            if attempt.outcome is None:
                attempt.outcome, attempt.reason = (
                    ("timeout", "no answer") if attempt.started else ("unknown", "not tried")
                )
            attempt.close()

    def _turn(self, until: float) -> bool:
        """One step: start what is due, take what is ready. True when the connection in use is ready."""
        while self.queue and (self.winner is not None or not self.in_flight or time.monotonic() >= self.next_start):
            attempt = self.queue.pop(0)
            if attempt.start() and attempt.sock is not None:
                self.in_flight.append(attempt)
                self.selector.register(attempt.sock, selectors.EVENT_WRITE, attempt)
                self.next_start = time.monotonic() + self.stagger
            elif attempt.outcome == "connected":
                self._connected(attempt)
        if self.winner is None and not self.in_flight:
            return False
        if self.queue:
            until = min(until, self.next_start)

        ready = False
        concluded: List[Attempt] = []
        for key, _events in self.selector.select(max(0.0, until - time.monotonic())):
            if key.data is None:
                ready = True
            else:
                concluded.append(key.data)
        for attempt in sorted(concluded, key=self.attempts.index):
            self.in_flight.remove(attempt)
            if attempt.sock is not None:
                self.selector.unregister(attempt.sock)
            attempt.conclude()
            if attempt.outcome == "connected":
                self._connected(attempt)
            else:
                self.next_start = 0.0  # RFC 8305: a failure lets the next one start at once
        return ready

    def _connected(self, attempt: Attempt) -> None:
        if self.winner is None:
            self.winner = attempt
        else:
            attempt.close()


def by_errno(code: int) -> str:
    if code == errno.ECONNREFUSED:
        return "refused"
    if code in (errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE):
        return "reset"
    if code == errno.ETIMEDOUT:
        return "timeout"
    if code in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN, errno.ENOPROTOOPT):
        return "unreachable"
    return "unknown"


def no_connection(entry: Dict[str, Any], attempts: List[Attempt], name: str, port: int, timeout: float) -> Finding:
    """The one finding for addresses that all failed: the answer that tells most about the path decides."""
    for attempt in attempts:
        if attempt.outcome is None and attempt.started:
            attempt.outcome, attempt.reason = "timeout", "no answer"
    for outcome in ("refused", "reset", "unreachable", "timeout"):
        same = [attempt for attempt in attempts if attempt.outcome == outcome]
        if same:
            break
    else:
        same, outcome = attempts, "unknown"
    told = next(iter(same))
    entry["address"] = told.address
    addresses = ", ".join(attempt.address for attempt in same)
    place = f"{name} ({addresses}) port {port}"
    if outcome == "refused":
        seen = f"{place} refused the connection"
        check = f"for a firewall that rejects outbound TCP {port}, and whether anything listens there"
    elif outcome == "reset":
        seen = f"{place} reset the connection"
        check = f"for a firewall or proxy that cuts outbound TCP {port}"
    elif outcome == "unreachable":
        seen = f"The network says that {place} cannot be reached ({told.reason})"
        check = "the route and the rules of the gateways on it"
    elif outcome == "timeout":
        seen = f"No answer from {place} within {timeout:g} s"
        check = f"for a firewall that drops outbound TCP {port}, and the route"
    else:
        return Local(f"{place} was not reached", ", ".join(sorted({attempt.reason for attempt in same})))
    return Finding(outcome, seen, check)


# --- The connection in use ---------------------------------------------------------------------------------


class Line:
    """The connection in use: bytes to and from the peer, until the deadline."""

    def __init__(self, race: "Race", attempt: "Attempt") -> None:
        if attempt.sock is None:
            raise OSError(errno.ENOTCONN, "not connected")
        self.sock = attempt.sock
        self.race = race
        self.kept = b""  # read too far

    def send(self, data: bytes) -> None:
        """Raises Late and OSError."""
        while data:
            if not self.race.wait(self.sock, selectors.EVENT_WRITE):
                raise Late()
            try:
                data = data[self.sock.send(data) :]
            except BlockingIOError:
                continue

    def receive(self) -> bytes:
        """The next bytes, empty at the end. Raises Late and OSError."""
        data, self.kept = self.kept, b""
        while not data:
            if not self.race.wait(self.sock, selectors.EVENT_READ):
                raise Late()
            try:
                return self.sock.recv(65536)
            except BlockingIOError:
                continue
        return data

    def send_at_once(self, data: bytes) -> None:
        """Send what fits without waiting, and nothing after it."""
        try:
            self.sock.send(data)
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass


# --- Words -------------------------------------------------------------------------------------------------


def milliseconds(started: float) -> float:
    """Milliseconds since; never 0, which would read as "not reached"."""
    return max(0.001, round((time.monotonic() - started) * 1000, 3))


def _family(family: int) -> str:
    return "IPv6" if family == socket.AF_INET6 else "IPv4"


def printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)


def words_of(reason: str) -> str:
    return reason.lower().replace("_", " ")


def reason_of(error: BaseException) -> str:
    return printable(getattr(error, "strerror", None) or str(error) or type(error).__name__)

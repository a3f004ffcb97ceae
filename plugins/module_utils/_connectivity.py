# Copyright (c) The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Can this machine reach an endpoint? DNS, TCP and TLS, each timed, all under one hard deadline.

Runs on the managed host: standard library only, Python 3.6 and up, no Ansible. Private to the collection.
"""

import errno
import math
import os
import selectors
import socket
import ssl
import threading
import time
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

# Every answer a probe can give. "unknown" is a failure of this machine that says nothing of the network.
OUTCOMES: Tuple[str, ...] = (
    "connected",
    "dns_nxdomain",
    "dns_timeout",
    "dns_sinkholed",
    "refused",
    "reset",
    "timeout",
    "unreachable",
    "proxy_unreachable",
    "proxy_denied",
    "proxy_auth_required",
    "tls_alert",
    "tls_untrusted",
    "tls_name_mismatch",
    "tls_expired",
    "tls_intercepted",
    "http_error",
    "peer_silent",
    "unknown",
)

# What proves that nothing got through. The tls_* outcomes are in neither camp: somebody answered, and a JVM
# with another trust store or other protocol versions may well get on with the same peer.
BLOCKED_OUTCOMES: Tuple[str, ...] = (
    "dns_nxdomain",
    "dns_timeout",
    "dns_sinkholed",
    "refused",
    "reset",
    "timeout",
    "unreachable",
    "proxy_unreachable",
    "proxy_denied",
    "proxy_auth_required",
    "peer_silent",
)
REACHABLE_OUTCOMES: Tuple[str, ...] = ("connected",)

EXPECTATIONS: Tuple[str, ...] = ("reachable", "blocked", "any")

# RFC 8305, section 5: the recommended delay between two connection attempts.
_STAGGER = 0.25
# Once one address is connected, each other one gets this long for its own result, so that a dead
# address costs a second and not the whole timeout.
_GRACE = 1.0

# As `nc -v` names them. getservbyport() would ask NSS, which may mean a directory server that hangs.
_SERVICES = {80: "http", 443: "https"}

_SockAddr = Tuple[Any, ...]
_Candidate = Tuple[int, _SockAddr]


class _Finding(Exception):
    """The end of the probe: an outcome, what was seen, and what the reader should check."""

    def __init__(self, outcome: str, seen: str, check: str = "") -> None:
        self.outcome = outcome
        self.message = f"{seen}: check {check}." if check else seen
        super().__init__(self.message)


class _Local(_Finding):
    """The probe ended on this machine itself."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(
            "unknown",
            f"{what}, for a reason on this machine ({reason}), which says nothing of the network",
            "the configuration of the machine first",
        )


class _Certificate(NamedTuple):
    issuer: Optional[str]
    not_after: Optional[str]


def meets(outcome: str, expect: str) -> bool:
    """Whether an outcome is what was expected; "unknown" meets nothing but "any"."""
    if expect == "reachable":
        return outcome in REACHABLE_OUTCOMES
    if expect == "blocked":
        return outcome in BLOCKED_OUTCOMES
    return True


def probe(
    host: str, port: int = 443, timeout: float = 5.0, tls: bool = True, cafile: Optional[str] = None
) -> Dict[str, Any]:
    """Probe one endpoint on the direct path; one entry of the state document's `connectivity`.

    `timeout` bounds everything together. `cafile` replaces the machine's own trust store. Each phase has the
    milliseconds spent in it, whether or not it succeeded, and None where it was not reached.
    """
    if not 0 < port < 65536:
        raise ValueError(f"port must be between 1 and 65535, not {port}")
    if timeout <= 0 or math.isnan(timeout):
        raise ValueError(f"timeout must be greater than 0, not {timeout}")
    deadline = time.monotonic() + timeout
    name = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    entry: Dict[str, Any] = {
        "target": f"[{name}]:{port}" if ":" in name else f"{name}:{port}",
        "via": "direct",
        "outcome": "unknown",
        "address": None,
        "addresses": [],
        "phases_ms": {"dns": None, "tcp": None, "proxy_connect": None, "tls": None, "http": None},
        "tls": None,
        "message": "",
    }
    try:
        _direct(entry, name, port, deadline, timeout, tls, cafile)
    except _Finding as finding:
        entry["outcome"] = finding.outcome
        entry["message"] = finding.message
    except OSError as error:
        # What a peer or the network can cause is dealt with where it arises; this is the machine's own.
        entry["outcome"] = "unknown"
        entry["message"] = _Local(f"{name} port {port} could not be probed", _reason(error)).message
    return entry


def _direct(
    entry: Dict[str, Any],
    name: str,
    port: int,
    deadline: float,
    timeout: float,
    tls: bool,
    cafile: Optional[str],
) -> None:
    phases = entry["phases_ms"]
    # Loading the trust store takes milliseconds that belong to no phase of the network.
    context = _context(cafile) if tls else None

    candidates = _numeric(name, port)
    if candidates is None:
        started = time.monotonic()
        try:
            candidates = _resolve(name, port, deadline, timeout)
        finally:
            phases["dns"] = _ms(started)
        candidates = _without_sinks(entry, name, candidates)

    race = _Race(_interleave(candidates), deadline)
    try:
        started = time.monotonic()
        winner = race.connect()
        phases["tcp"] = _ms(started)
        if winner is None or winner.sock is None:
            raise _no_connection(entry, race.dials, name, port, timeout)
        entry["address"] = winner.address
        if context is not None:
            started = time.monotonic()
            try:
                _handshake(entry, race, winner.sock, context, name, port, deadline, timeout)
            finally:
                phases["tls"] = _ms(started)
        race.settle_the_rest()
    finally:
        race.close()
        entry["addresses"] = [dial.as_dict() for dial in race.dials] + entry["addresses"]

    service = _SERVICES.get(port, "*")
    text = f"Connection to {name} port {port} [tcp/{service}] succeeded! "
    text += f"Connected to {name} ({entry['address']}) port {port}"
    if entry["tls"]:
        text += f", {entry['tls']['version']}, certificate issued by {entry['tls']['issuer']}"
    raise _Finding("connected", text)


# --- DNS ---------------------------------------------------------------------------------------------------


def _numeric(name: str, port: int) -> Optional[List[_Candidate]]:
    """The address that `name` is already written as, without asking anybody; else None."""
    if not name or "\0" in name or not name.isprintable() or " " in name:
        raise _Finding("unknown", f"{name!r} is not a host name", "the host that is to be probed")
    try:
        infos = socket.getaddrinfo(_wire(name), port, 0, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)
    except socket.gaierror:
        return None
    return [(int(info[0]), info[4]) for info in infos]


def _wire(name: str) -> bytes:
    try:
        # Given a str, getaddrinfo loads the IDNA codec: milliseconds, and an import in the resolver's thread.
        return name.encode("ascii")
    except UnicodeEncodeError:
        try:
            return name.encode("idna")
        except UnicodeError:
            raise _Finding("unknown", f"{name!r} is not a host name", "the host that is to be probed")


def _lookup(name: str, port: int) -> List[_Candidate]:
    """What the machine's own resolver says: hosts file, DNS or whatever NSS asks, as the JVM gets it too."""
    infos = socket.getaddrinfo(_wire(name), port, 0, socket.SOCK_STREAM)
    return [(int(info[0]), info[4]) for info in infos]


def _resolve(name: str, port: int, deadline: float, timeout: float) -> List[_Candidate]:
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
        raise _Local(f"{name} was not looked up", str(error))
    done.wait(max(0.0, deadline - time.monotonic()))
    result = answer[0] if answer else None

    if isinstance(result, list):
        if result:
            return result
        result = socket.gaierror(socket.EAI_NONAME, "no address")
    if result is not None and not isinstance(result, socket.gaierror):
        raise _Local(f"{name} could not be looked up", _reason(result))

    # Before the network is blamed: could this machine ask anybody at all?
    problem = _resolver_problem()
    if problem is not None:
        raise _Local(f"{name} could not be looked up", problem)
    if result is None:
        raise _Finding(
            "dns_timeout",
            f"No answer to the DNS lookup of {name} within {timeout:g} s",
            "that this machine's name servers are up and that port 53 (UDP and TCP) to them is open",
        )
    if result.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)):
        raise _Finding(
            "dns_nxdomain",
            f"DNS knows no address for {name} ({result.strerror})",
            "that this machine's name servers resolve public names, and that no DNS filter removes this one",
        )
    if result.errno == socket.EAI_AGAIN:
        raise _Finding(
            "dns_timeout",
            f"The DNS lookup of {name} got no usable answer ({result.strerror})",
            "that this machine's name servers answer, reach their forwarders and do not fail (SERVFAIL)",
        )
    raise _Local(f"{name} could not be looked up", _reason(result))


def _resolver_problem(path: str = "/etc/resolv.conf") -> Optional[str]:
    """Why no name server can be asked from here, or None when at least one can."""
    servers: List[str] = []
    try:
        with open(path, errors="replace") as stream:
            for line in stream:
                words = line.split()
                if len(words) > 1 and words[0] == "nameserver":
                    servers.append(words[1])
    except FileNotFoundError:
        pass
    except OSError as error:
        return f"{path} cannot be read: {_reason(error)}"
    # Without a server the C library asks the one on this machine.
    problems = [_server_problem(server) for server in servers or ["127.0.0.1"]]
    if None in problems:
        return None
    return "; ".join(([] if servers else [f"{path} names no name server"]) + [p for p in problems if p is not None])


def _server_problem(server: str) -> Optional[str]:
    try:
        info = socket.getaddrinfo(server, 53, 0, socket.SOCK_DGRAM, 0, socket.AI_NUMERICHOST)[0]
        with socket.socket(info[0], info[1], info[2]) as sock:
            sock.setblocking(False)
            sock.connect(info[4])  # UDP: sends nothing, but fails where there is no route
            if _is_sink(str(info[4][0])):
                # Of this machine's own ports the kernel says at once that nobody listens.
                sock.send(b"")
                sock.recv(1)
    except BlockingIOError:
        return None
    except OSError as error:
        return f"name server {server}: {_reason(error)}"
    return None


def _is_sink(address: str) -> bool:
    """An address that leads nowhere or back to this machine, as DNS filters hand out."""
    address = address.lower().split("%")[0]
    if address.startswith("::ffff:"):
        address = address[len("::ffff:") :]
    return address in ("::", "::1") or address.startswith(("0.", "127."))


def _is_own_name(name: str) -> bool:
    """Names that may rightly lead to this machine: localhost, unqualified names, its own."""
    name = name.rstrip(".").lower()
    own = socket.gethostname().lower()
    return "." not in name or name.endswith((".localhost", ".localdomain")) or name == own


def _without_sinks(entry: Dict[str, Any], name: str, candidates: List[_Candidate]) -> List[_Candidate]:
    if _is_own_name(name):
        return candidates
    sinks = [c for c in candidates if _is_sink(str(c[1][0]))]
    real = [c for c in candidates if c not in sinks]
    for family, sockaddr in sinks:
        entry["addresses"].append(
            {
                "address": str(sockaddr[0]),
                "family": _family(family),
                "outcome": "dns_sinkholed",
                "tcp_ms": None,
            }
        )
    if not real:
        entry["address"] = str(sinks[0][1][0])
        addresses = ", ".join(str(sockaddr[0]) for _family, sockaddr in sinks)
        raise _Finding(
            "dns_sinkholed",
            f"{name} resolves to {addresses}, which leads nowhere",
            "the DNS filter (sinkhole) and this machine's /etc/hosts for that name",
        )
    return real


def _interleave(candidates: List[_Candidate]) -> List[_Candidate]:
    """RFC 8305, section 4: families in turn, beginning with the one the resolver prefers; no duplicates."""
    unique: List[_Candidate] = []
    for candidate in candidates:
        if candidate not in unique:
            unique.append(candidate)
    first = [c for c in unique if c[0] == unique[0][0]]
    other = [c for c in unique if c[0] != unique[0][0]]
    ordered: List[_Candidate] = []
    while first or other:
        ordered.extend(first[:1] + other[:1])
        first, other = first[1:], other[1:]
    return ordered


# --- TCP ---------------------------------------------------------------------------------------------------


class _Dial:
    """One connection attempt to one address."""

    def __init__(self, candidate: _Candidate) -> None:
        self.family, self.sockaddr = candidate
        self.address = str(self.sockaddr[0])
        self.sock: Optional[socket.socket] = None
        self.started = 0.0
        self.outcome: Optional[str] = None
        self.reason = ""
        self.tcp_ms: Optional[float] = None

    def start(self) -> bool:
        """Begin to connect; False when the attempt is over at once."""
        self.started = time.monotonic()
        try:
            self.sock = socket.socket(self.family, socket.SOCK_STREAM)
            self.sock.setblocking(False)
            code = self.sock.connect_ex(self.sockaddr)
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
        self.tcp_ms = _ms(self.started)
        if code == 0:
            self.outcome = "connected"
            return
        self.outcome = "unknown" if local else _by_errno(code)
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
            "family": _family(self.family),
            "outcome": self.outcome,
            "tcp_ms": self.tcp_ms,
        }


class _Race:
    """Happy Eyeballs: addresses are tried a moment apart, the first that connects is used (RFC 8305).

    The others are followed to their own result while the handshake goes on, all in one selector.
    """

    def __init__(self, candidates: List[_Candidate], deadline: float) -> None:
        self.deadline = deadline
        self.dials = [_Dial(candidate) for candidate in candidates]
        self.queue = list(self.dials)
        self.in_flight: List[_Dial] = []
        self.winner: Optional[_Dial] = None
        self.selector = selectors.DefaultSelector()
        self.next_start = 0.0
        # However many addresses there are, the last one has half of the time left to answer.
        self.stagger = min(_STAGGER, max(0.0, deadline - time.monotonic()) / (2 * max(1, len(self.dials))))

    def connect(self) -> Optional[_Dial]:
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
                until = min(until, max(dial.started for dial in self.in_flight) + _GRACE)
            if time.monotonic() >= until:
                break
            self._turn(until)

    def close(self) -> None:
        self.selector.close()
        for dial in self.dials:
            if dial.outcome is None:
                dial.outcome, dial.reason = ("timeout", "no answer") if dial.started else ("unknown", "not tried")
            dial.close()

    def _turn(self, until: float) -> bool:
        """One step: start what is due, take what is ready. True when the connection in use is ready."""
        while self.queue and (self.winner is not None or not self.in_flight or time.monotonic() >= self.next_start):
            dial = self.queue.pop(0)
            if dial.start() and dial.sock is not None:
                self.in_flight.append(dial)
                self.selector.register(dial.sock, selectors.EVENT_WRITE, dial)
                self.next_start = time.monotonic() + self.stagger
            elif dial.outcome == "connected":
                self._connected(dial)
        if self.winner is None and not self.in_flight:
            return False
        if self.queue:
            until = min(until, self.next_start)

        ready = False
        concluded: List[_Dial] = []
        for key, _events in self.selector.select(max(0.0, until - time.monotonic())):
            if key.data is None:
                ready = True
            else:
                concluded.append(key.data)
        for dial in sorted(concluded, key=self.dials.index):
            self.in_flight.remove(dial)
            if dial.sock is not None:
                self.selector.unregister(dial.sock)
            dial.conclude()
            if dial.outcome == "connected":
                self._connected(dial)
            else:
                self.next_start = 0.0  # RFC 8305: a failure lets the next one start at once
        return ready

    def _connected(self, dial: _Dial) -> None:
        if self.winner is None:
            self.winner = dial
        else:
            dial.close()


def _by_errno(code: int) -> str:
    if code == errno.ECONNREFUSED:
        return "refused"
    if code in (errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE):
        return "reset"
    if code == errno.ETIMEDOUT:
        return "timeout"
    if code in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN, errno.ENOPROTOOPT):
        return "unreachable"
    return "unknown"


def _no_connection(entry: Dict[str, Any], dials: List[_Dial], name: str, port: int, timeout: float) -> _Finding:
    """The one finding for addresses that all failed: the answer that tells most about the path decides."""
    for dial in dials:
        if dial.outcome is None and dial.started:
            dial.outcome, dial.reason = "timeout", "no answer"
    for outcome in ("refused", "reset", "unreachable", "timeout"):
        same = [dial for dial in dials if dial.outcome == outcome]
        if same:
            break
    else:
        same, outcome = dials, "unknown"
    entry["address"] = same[0].address
    addresses = ", ".join(dial.address for dial in same)
    place = f"{name} ({addresses}) port {port}"
    if outcome == "refused":
        seen = f"{place} refused the connection"
        check = f"for a firewall that rejects outbound TCP {port}, and whether anything listens there"
    elif outcome == "reset":
        seen = f"{place} reset the connection"
        check = f"for a firewall or proxy that cuts outbound TCP {port}"
    elif outcome == "unreachable":
        seen = f"The network says that {place} cannot be reached ({same[0].reason})"
        check = "the route and the rules of the gateways on it"
    elif outcome == "timeout":
        seen = f"No answer from {place} within {timeout:g} s"
        check = f"for a firewall that drops outbound TCP {port}, and the route"
    else:
        return _Local(f"{place} was not reached", ", ".join(sorted({dial.reason for dial in same})))
    return _Finding(outcome, seen, check)


# --- TLS ---------------------------------------------------------------------------------------------------


def _context(cafile: Optional[str]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=cafile)
    except (OSError, ValueError) as error:  # SSLError is an OSError
        raise _Local(f"TLS cannot be set up with {cafile or 'the trust store'}", _reason(error))
    # Python 3.13 is stricter with authorities than curl and Java are; a probe must judge as they do.
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    return context


def _has_authorities(context: ssl.SSLContext) -> bool:
    """Whether there is any authority to trust; those in a directory are read only when they are needed."""
    if context.cert_store_stats()["x509"]:
        return True
    capath = ssl.get_default_verify_paths().capath
    try:
        return bool(capath and os.listdir(capath))
    except OSError:
        return False


class _Overheard:
    """The certificate the peer presents, also when it is then refused.

    There are three ways to it. A second handshake without verification may meet another server behind the
    same address, doubles the traffic, and completes a session with a peer that was just refused. One
    handshake without verification makes this file judge chains and names itself, with a standard library
    that has no means for it. So the one handshake is OpenSSL's own, fully verified, and the certificate is
    only overheard: by get_unverified_chain (3.13 and up), else from the handshake message (3.8 and up, a
    private hook, used if it is there). Neither has a say in the verdict. On older Python the issuer of a
    refused certificate stays unknown.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self._message: Optional[bytes] = None
        self._tls13 = False
        if not hasattr(ssl.SSLObject, "get_unverified_chain") and hasattr(context, "_msg_callback"):
            context._msg_callback = self._hear

    def _hear(self, _conn: Any, direction: str, version: int, content: int, kind: Any, data: bytes) -> None:
        if direction == "read" and content == 22 and kind == 11:  # handshake, certificate
            self._message, self._tls13 = data, version >= 0x0304

    def certificate(self, tls: ssl.SSLObject) -> _Certificate:
        try:
            leaf = tls.getpeercert(True)  # the handshake is complete
        except ValueError:
            leaf = None
        try:
            get_chain = getattr(tls, "get_unverified_chain", None)
            if not leaf and get_chain:
                leaf = (get_chain() or [None])[0]
            if not leaf and self._message:
                # type, length; 1.3 only: request context; length of the list; length of the first entry
                at = 4 + (1 + self._message[4] if self._tls13 else 0) + 3
                size = int.from_bytes(self._message[at : at + 3], "big")
                leaf = self._message[at + 3 : at + 3 + size]
            if leaf:
                return _read_certificate(leaf)
        except (IndexError, ValueError, ssl.SSLError):
            pass  # what cannot be read is left unknown; the verdict does not rest on it
        return _Certificate(None, None)


def _handshake(
    entry: Dict[str, Any],
    race: _Race,
    sock: socket.socket,
    context: ssl.SSLContext,
    name: str,
    port: int,
    deadline: float,
    timeout: float,
) -> None:
    """A verified TLS handshake and a clean goodbye: not one byte of application data is sent."""
    place = f"{name} ({entry['address']}) port {port}"
    overheard = _Overheard(context)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    # In memory rather than on the socket: so it is seen whether the peer said anything, and what came first.
    try:
        tls = context.wrap_bio(incoming, outgoing, server_hostname=name.rstrip(".").split("%")[0])
    except ValueError as error:
        raise _Local(f"{name} cannot be asked for in TLS", _reason(error))
    started = time.monotonic()
    heard = b""  # how the peer began
    unsent = b""
    try:
        while True:
            try:
                tls.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                done = False
            unsent += outgoing.read()
            while unsent:
                if not race.wait(sock, selectors.EVENT_WRITE):
                    raise _silence(place, heard, time.monotonic() - started, timeout)
                try:
                    unsent = unsent[sock.send(unsent) :]
                except BlockingIOError:
                    continue
            if done:
                break
            if not race.wait(sock, selectors.EVENT_READ):
                raise _silence(place, heard, time.monotonic() - started, timeout)
            try:
                data = sock.recv(65536)
            except BlockingIOError:
                continue
            if not data:
                raise _Finding(
                    "reset",
                    f"{place} closed the connection during the TLS handshake",
                    "for a firewall or proxy that filters by server name (SNI)",
                )
            heard = (heard + data)[:5] if len(heard) < 5 else heard
            incoming.write(data)
    except (ssl.SSLError, ssl.CertificateError) as error:
        raise _tls_failure(entry, error, overheard.certificate(tls), tls.version(), context, place, heard)
    except OSError as error:
        outcome = _by_errno(error.errno or 0)
        if outcome == "unknown":
            raise
        raise _Finding(
            outcome,
            f"The connection to {place} broke during the TLS handshake ({_reason(error)})",
            "for a firewall or proxy that filters by server name (SNI) or cuts TLS",
        )
    finally:
        _say_goodbye(sock, tls, outgoing)
    certificate = overheard.certificate(tls)
    entry["tls"] = {
        "version": tls.version(),
        "issuer": certificate.issuer,
        "not_after": certificate.not_after,
        "trusted": True,
    }


def _say_goodbye(sock: socket.socket, tls: ssl.SSLObject, outgoing: ssl.MemoryBIO) -> None:
    """Send the alert of a refusal or the close of a success, so that the peer's log shows why."""
    try:
        if not outgoing.pending:
            tls.unwrap()
    except (OSError, ValueError):
        pass
    try:
        sock.send(outgoing.read())
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def _silence(place: str, heard: bytes, waited: float, timeout: float) -> _Finding:
    # A peer that had no time left after a slow DNS or TCP phase is not to be called silent.
    if not heard and waited >= min(1.0, timeout / 2):
        return _Finding(
            "peer_silent",
            f"{place} accepts the connection but says nothing, no byte of a TLS handshake in {waited:.1f} s",
            "for a firewall or proxy that takes connections and then drops TLS",
        )
    return _Finding(
        "timeout",
        f"The TLS handshake with {place} was not finished after {waited:.1f} s, at the end of {timeout:g} s",
        "for packet loss, a too small MTU on the path, and an inspecting firewall",
    )


def _tls_failure(
    entry: Dict[str, Any],
    error: Exception,
    certificate: _Certificate,
    version: Optional[str],
    context: ssl.SSLContext,
    place: str,
    heard: bytes,
) -> _Finding:
    reason = getattr(error, "reason", None) or ""
    # Python 3.6 raises a plain ValueError for a wrong name, and of all other faults of a certificate it says
    # only that verification failed.
    wrong_name = isinstance(error, ssl.CertificateError) and not isinstance(error, ssl.SSLError)
    if wrong_name or reason == "CERTIFICATE_VERIFY_FAILED":
        code = getattr(error, "verify_code", None)
        detail = getattr(error, "verify_message", "") or "this Python cannot tell untrusted from expired"
        tls: Dict[str, Any] = {
            "version": version,
            "issuer": certificate.issuer,
            "not_after": certificate.not_after,
            "trusted": False,
        }
        entry["tls"] = tls
        issuer = certificate.issuer or "an issuer this Python cannot tell"
        until = f" (valid until {certificate.not_after})" if certificate.not_after else ""
        if wrong_name or code in (62, 64):  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
            return _Finding(
                "tls_name_mismatch",
                f"{place} presents a certificate for another name, issued by {issuer}",
                "who really answers there (DNS, a proxy, a block page)",
            )
        if code == 10:  # X509_V_ERR_CERT_HAS_EXPIRED
            return _Finding(
                "tls_expired",
                f"{place} presents a certificate issued by {issuer} that has expired{until}",
                "this machine's clock, then who answers there",
            )
        if code == 9:  # X509_V_ERR_CERT_NOT_YET_VALID
            return _Finding(
                "tls_expired",
                f"{place} presents a certificate that is not valid yet, issued by {issuer}",
                "this machine's clock, then who answers there",
            )
        if not _has_authorities(context):
            tls["trusted"] = None
            return _Local(
                f"The certificate of {place}, issued by {issuer}, could not be judged",
                "no certificate authorities are installed (package ca-certificates)",
            )
        return _Finding(
            "tls_untrusted",
            f"{place} presents a certificate that this machine does not trust ({detail}), issued by {issuer}",
            "for TLS inspection, and whether its authority belongs in this machine's trust store",
        )
    if isinstance(error, ssl.SSLEOFError):
        return _Finding(
            "reset",
            f"{place} closed the connection during the TLS handshake",
            "for a firewall or proxy that filters by server name (SNI)",
        )
    if heard[:5] == b"HTTP/":
        seen = "answered in plain HTTP, not TLS"
    elif heard and heard[0] not in (20, 21, 22, 23):  # the record types of TLS
        seen = "answered with something that is not TLS"
    elif heard[:1] == b"\x15" or "ALERT" in reason or reason.startswith(("TLSV1_", "TLSV13_")):
        seen = f"refused the TLS handshake with an alert ({_words(reason) or _reason(error)})"
    else:
        seen = f"could not agree on TLS with this machine ({_words(reason) or _reason(error)})"
    return _Finding(
        "tls_alert",
        f"{place} {seen}",
        "for a firewall or proxy that filters by server name (SNI) or by TLS version",
    )


# --- X.509: the issuer and the end date, nothing else -------------------------------------------------------

_ATTRIBUTES = {
    b"\x55\x04\x03": "CN",
    b"\x55\x04\x06": "C",
    b"\x55\x04\x07": "L",
    b"\x55\x04\x08": "ST",
    b"\x55\x04\x0a": "O",
    b"\x55\x04\x0b": "OU",
    b"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19": "DC",
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01": "emailAddress",
}


def _element(data: bytes, at: int) -> Tuple[int, int, int]:
    """One DER element: its tag, where its content begins and where it ends."""
    tag, size, at = data[at], data[at + 1], at + 2
    if size & 0x80:
        count = size & 0x7F
        size, at = int.from_bytes(data[at : at + count], "big"), at + count
    if at + size > len(data):
        raise ValueError("truncated DER")
    return tag, at, at + size


def _elements(data: bytes, begin: int, end: int) -> List[Tuple[int, int, int]]:
    found = []
    while begin < end:
        found.append(_element(data, begin))
        begin = found[-1][2]
    return found


def _read_certificate(der: bytes) -> _Certificate:
    """Issuer (most specific part first) and end date; only shown, never the ground of a verdict."""
    _tag, begin, end = _element(der, 0)
    _tag, begin, end = _element(der, begin)
    fields = _elements(der, begin, end)
    if fields[0][0] == 0xA0:  # the version, which may be absent
        fields = fields[1:]
    parts = []
    for _tag, begin, end in _elements(der, fields[2][1], fields[2][2]):
        for _tag, first, last in _elements(der, begin, end):
            oid, value = _elements(der, first, last)[:2]
            kind = _ATTRIBUTES.get(der[oid[1] : oid[2]], "OID")
            text = der[value[1] : value[2]].decode("utf-16-be" if value[0] == 0x1E else "utf-8", "replace")
            parts.append(kind + "=" + _printable(text).replace(",", "\\,"))
    tag, begin, end = _elements(der, fields[3][1], fields[3][2])[1]
    digits = der[begin:end].decode("ascii")
    if tag == 0x17:  # UTCTime has two digits for the year
        digits = ("19" if digits[:2] >= "50" else "20") + digits
    stamp = time.strptime(digits, "%Y%m%d%H%M%SZ")
    return _Certificate(", ".join(reversed(parts)) or None, time.strftime("%Y-%m-%dT%H:%M:%SZ", stamp))


# --- Words -------------------------------------------------------------------------------------------------


def _ms(started: float) -> float:
    """Milliseconds since; never 0, which would read as "not reached"."""
    return max(0.001, round((time.monotonic() - started) * 1000, 3))


def _family(family: int) -> str:
    return "IPv6" if family == socket.AF_INET6 else "IPv4"


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)


def _words(reason: str) -> str:
    return reason.lower().replace("_", " ")


def _reason(error: BaseException) -> str:
    return _printable(getattr(error, "strerror", None) or str(error) or type(error).__name__)

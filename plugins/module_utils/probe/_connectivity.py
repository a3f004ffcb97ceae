# Copyright (c) The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Can this machine reach an endpoint? DNS, TCP, proxy, TLS and HTTP, each timed, all under one hard deadline.

Runs on the managed host: standard library only, Python 3.6 and up, no Ansible. Private to the collection.
"""

import math
import re
import ssl
import threading
import time
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from . import _truststore as truststore
from ._connect import (
    Attempt,
    Candidate,
    Finding,
    Late,
    Line,
    Local,
    Race,
    by_errno,
    interleave,
    milliseconds,
    no_connection,
    numeric,
    printable,
    reason_of,
    resolve,
    wire,
    without_sinks,
)
from ._tls import Secure, Trust, context_of, handshake

# Every wait has the deadline for its end. What hangs longer than this behind it is this machine itself (a trust
# store on a server that is gone), and is left behind.
_SLACK = 0.5
# A head of an HTTP answer that is longer, with those of the answers before it, is none; most servers stop at 8 KiB.
_LIMIT_HEAD = 64 << 10
_HEAD_END = re.compile(rb"\n\r?\n")
_STATUS = re.compile(r"[1-9][0-9]{2}\Z")
# Paths and endpoints that are probed at the same time, each in a thread of its own.
_LIMIT_AT_ONCE = 64

# As `nc -v` names them. getservbyport() would ask NSS, which may mean a directory server that hangs.
_SERVICES = {80: "http", 443: "https"}


class Options(NamedTuple):
    """How an endpoint is probed."""

    timeout: float = 5.0  # seconds for everything together
    tls: bool = True
    http: bool = False  # ask for the head of / as well
    cafile: Optional[str] = None  # instead of the machine's own trust store
    public_authorities: Optional[str] = None  # instead of the distribution's own list
    private_authority: bool = False  # whether one that is no public one may be at the end of the chain
    java_stores: Tuple[str, ...] = ()  # trust stores of JVMs that judge the peer too


class Endpoint(NamedTuple):
    """Where somebody listens, or should."""

    host: str
    port: int

    @property
    def bare(self) -> str:
        """Its host without the brackets of an IPv6 address."""
        return _bare(self.host)

    def __str__(self) -> str:
        return _joined(self.bare, self.port)


class Route(NamedTuple):
    """An endpoint, and the proxy on the way to it; None where there is none."""

    target: Endpoint
    proxy: Optional[Endpoint] = None


def endpoint(text: str) -> Endpoint:
    """Host and port of "host", "host:port", "[address]:port" or a bare IPv6 address. Raises ValueError."""
    host, port = text, "443"
    if text.startswith("["):
        host, _bracket, rest = text[1:].partition("]")
        if rest:
            port = rest[1:] if rest.startswith(":") else "?"
    elif text.count(":") == 1:
        host, _colon, port = text.partition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError("%r is no endpoint, such as api.segment.io:443 or [2001:db8::1]:443" % text)
    return Endpoint(host, int(port))


def probe_all(routes: Sequence[Route], options: Options, count: int = 1, interval: float = 1.0) -> List[Dict[str, Any]]:
    """Probe endpoints, each on its way, all at the same time.

    One answer for each. With ``count`` each is probed so often, ``interval`` seconds apart, each time with the
    whole timeout. Raises ValueError.
    """
    if len(routes) > _LIMIT_AT_ONCE:
        raise ValueError("%d endpoints and paths are more than %d" % (len(routes), _LIMIT_AT_ONCE))
    if len(routes) == 1:
        return [_sampled(route, options, count, interval) for route in routes]
    found: Dict[int, Any] = {}

    def run(index: int) -> None:
        try:
            found[index] = _sampled(routes[index], options, count, interval)
        except Exception as error:  # noqa: BLE001  handed over to the caller
            found[index] = error

    threads = [threading.Thread(target=run, args=(index,), daemon=True) for index in range(len(routes))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()  # it ends by itself: a probe has its deadline
    for index in range(len(routes)):
        if isinstance(found[index], Exception):
            raise found[index]
    return [found[index] for index in range(len(routes))]


def _sampled(route: Route, options: Options, count: int, interval: float) -> Dict[str, Any]:
    answers = []
    for number in range(count):
        if number:
            time.sleep(interval)
        answers.append(probe(route.target.host, route.target.port, options, route.proxy))
    return answers.pop() if count == 1 else summary(answers)


def summary(answers: Sequence[Dict[str, Any]]) -> Dict[str, Any]:
    """One answer for several of the same path: the most frequent failure, or the last success where none failed."""
    outcomes: Dict[str, int] = {}
    for answer in answers:
        outcomes[answer["outcome"]] = outcomes.get(answer["outcome"], 0) + 1
    connected = outcomes.get("connected", 0)
    failures = sorted((outcome for outcome in outcomes if outcome != "connected"), key=lambda one: -outcomes[one])
    decisive = next(iter(failures), "connected")
    chosen = next(answer for answer in reversed(answers) if answer["outcome"] == decisive)
    times = sorted(
        sum(ms for ms in answer["phases_ms"].values() if ms is not None)
        for answer in answers
        if answer["outcome"] == "connected"
    )
    result = dict(chosen)
    result["samples"] = {
        "count": len(answers),
        "connected": connected,
        "loss_percent": round(100.0 * (len(answers) - connected) / len(answers), 1),
        "p50_ms": round(times[(len(times) - 1) // 2], 3) if times else None,
        "max_ms": round(max(times), 3) if times else None,
        "outcomes": outcomes,
    }
    if failures:
        said = ", ".join("%d %s" % (outcomes[one], one) for one in failures)
        result["message"] = "%d of %d attempts failed (%s). %s" % (
            len(answers) - connected,
            len(answers),
            said,
            chosen["message"],
        )
    return result


def probe(host: str, port: int, options: Options, proxy: Optional[Endpoint] = None) -> Dict[str, Any]:
    """Probe one endpoint on one path; one entry of the state document's `connectivity`.

    Each phase has the milliseconds spent in it, whether or not it succeeded, and None where it was not reached.
    Raises ValueError for a port or a timeout that is none.
    """
    for number in (port, proxy.port if proxy else port):
        if not 0 < number < 65536:
            raise ValueError(f"port must be between 1 and 65535, not {number}")
    timeout = options.timeout
    if timeout <= 0 or math.isnan(timeout):
        raise ValueError(f"timeout must be greater than 0, not {timeout}")
    path = _Path(_bare(host), port, proxy, options, time.monotonic() + timeout)
    entry = _entry(path)
    failures: List[Exception] = []
    done = threading.Event()

    def run() -> None:
        try:
            _probe(entry, path)
        except Finding as finding:
            entry["outcome"] = finding.outcome
            entry["message"] = " ".join([finding.message] + [said + "." for said in entry["findings"]])
        except OSError as error:
            # What a peer or the network can cause is dealt with where it arises; this is the machine's own.
            entry["outcome"] = "unknown"
            entry["message"] = Local(f"{path.name} port {port} could not be probed", reason_of(error)).message
        except Exception as error:  # noqa: BLE001  handed over to the caller
            failures.append(error)
        done.set()

    try:
        # No signal: not every host leaves the alarm to us, and none interrupts a read from a dead file server.
        threading.Thread(target=run, name="probe", daemon=True).start()
    except RuntimeError as error:
        entry["message"] = Local(f"{path.name} port {port} was not probed", str(error)).message
        return entry
    if not done.wait(max(0.0, path.deadline + _SLACK - time.monotonic())):
        entry = _entry(path)  # the thread may still write into the other
        entry["message"] = Local(
            f"{path.name} port {port} could not be probed within {timeout:g} s", "it was busy, or a file did not come"
        ).message
    for failure in failures:
        raise failure
    return entry


class _Path(NamedTuple):
    """An endpoint and the way to it."""

    name: str
    port: int
    proxy: Optional[Endpoint]
    options: Options
    deadline: float

    @property
    def place(self) -> str:
        """The endpoint in messages."""
        through = "" if self.proxy is None else f" through the proxy {self.proxy}"
        return f"{self.name} port {self.port}{through}"


def _place(entry: Dict[str, Any], path: _Path) -> str:
    return path.place if path.proxy else f"{path.name} ({entry['address']}) port {path.port}"


def _bare(host: str) -> str:
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def _joined(name: str, port: int) -> str:
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"


def _entry(path: _Path) -> Dict[str, Any]:
    return {
        "target": _joined(path.name, path.port),
        "via": "direct" if path.proxy is None else str(path.proxy),
        "configured_by": [],
        "outcome": "unknown",
        "address": None,
        "addresses": [],
        "phases_ms": {"dns": None, "tcp": None, "proxy_connect": None, "tls": None, "http": None},
        "tls": None,
        "java": [],
        "http": None,
        "samples": None,
        "findings": [],
        "message": "",
    }


def _probe(entry: Dict[str, Any], path: _Path) -> None:
    options = path.options
    # Loading the trust store takes milliseconds that belong to no phase of the network.
    trust = Trust(context_of(options.cafile)) if options.tls else None
    first = path.proxy or Endpoint(path.name, path.port)
    name, port = first.bare, first.port
    try:
        candidates = _candidates(entry, path, name, port)
        race = Race(interleave(candidates), path.deadline)
        try:
            winner = _connect(entry, race, path, name, port)
        except BaseException:
            _close(entry, race)
            raise
    except Finding as finding:
        if path.proxy is None or finding.outcome == "unknown":
            raise
        raise Finding("proxy_unreachable", f"The proxy {first} was not reached: {finding.message}")
    line = Line(race, winner)
    secure: Optional[Secure] = None
    try:
        if path.proxy is not None:
            _through_proxy(entry, line, path)
        if trust is not None:
            secure = handshake(entry, line, trust, path.name, _place(entry, path), options.timeout)
        if options.http:
            _head(entry, secure or line, path)
        race.settle_the_rest()
    except Finding as finding:
        if finding.outcome == "tls_untrusted":
            _ask_java(entry, path, winner.candidate)
        raise
    finally:
        if secure is not None:
            secure.say_goodbye()
        _close(entry, race)
    if secure is not None:
        _judge_authority(entry, path, secure, winner.candidate)
        _ask_java(entry, path, winner.candidate, secure)
    raise Finding("connected", _success(entry, path))


def _success(entry: Dict[str, Any], path: _Path) -> str:
    service = _SERVICES.get(path.port, "*")
    text = f"Connection to {path.name} port {path.port} [tcp/{service}] succeeded! "
    if path.proxy is None:
        text += f"Connected to {path.name} ({entry['address']}) port {path.port}"
    else:
        text += f"Connected to {path.place} ({entry['address']})"
    if entry["tls"]:
        text += f", {entry['tls']['version']}, certificate issued by {entry['tls']['issuer']}"
    if entry["http"]:
        text += f", HEAD / answered with {entry['http']['status']}"
    return text + "."


def _candidates(entry: Dict[str, Any], path: _Path, name: str, port: int) -> List[Candidate]:
    candidates = numeric(name, port)
    if candidates is not None:
        return candidates
    started = time.monotonic()
    try:
        candidates = resolve(name, port, path.deadline, path.options.timeout)
    finally:
        entry["phases_ms"]["dns"] = milliseconds(started)
    # A proxy may well run on this machine.
    return candidates if path.proxy is not None else without_sinks(entry, name, candidates)


def _connect(entry: Dict[str, Any], race: "Race", path: _Path, name: str, port: int) -> "Attempt":
    started = time.monotonic()
    winner = race.connect()
    entry["phases_ms"]["tcp"] = milliseconds(started)
    if winner is None or winner.sock is None:
        raise no_connection(entry, race.attempts, name, port, path.options.timeout)
    entry["address"] = winner.address
    return winner


def _close(entry: Dict[str, Any], race: "Race") -> None:
    race.close()
    entry["addresses"] = [attempt.as_dict() for attempt in race.attempts] + entry["addresses"]


# --- Proxy and HTTP ----------------------------------------------------------------------------------------


class _NoHttp(Exception):
    """The peer's answer is no HTTP; holds how it began."""

    def __init__(self, begun: bytes) -> None:
        super().__init__(begun)
        self.begun = begun


class _Status(NamedTuple):
    """How an answer of HTTP begins."""

    code: int
    reason: str


def _ask(channel: Any, request: str, rest: bool = False) -> _Status:
    """Send a request without a body; status and reason of the answer. Raises _NoHttp, Late (what came) and OSError.

    With `rest`, what follows the head is kept for the next reader.
    """
    channel.send(request.encode("ascii"))
    data = bytearray()
    left = _LIMIT_HEAD
    while True:
        searched = 0
        while True:
            found = _HEAD_END.search(data, searched)
            if found is not None:
                break
            if len(data) > left or (data and not data.startswith(b"HTTP/"[: len(data)])):
                raise _NoHttp(bytes(data))
            searched = max(0, len(data) - 2)  # it may come byte by byte
            try:
                more = channel.receive()
            except Late:
                raise Late(bytes(data))
            if not more:
                raise _NoHttp(bytes(data))
            data += more
        head = bytes(data[: found.end()])
        line, _end, _fields = head.decode("latin-1").partition("\n")
        version, code, reason, *_none = [*line.split(None, 2), "", "", ""]
        if not version.startswith("HTTP/") or not _STATUS.match(code) or len(head) > left:
            raise _NoHttp(head)
        left -= len(head)
        del data[: len(head)]
        status = int(code)
        if status >= 200:  # before it there may be others, such as 103 Early Hints
            if rest:
                channel.kept = bytes(data)
            return _Status(status, printable(reason.strip())[:100])


def _through_proxy(entry: Dict[str, Any], line: Line, path: _Path) -> None:
    """Ask the proxy for a tunnel (RFC 9110, CONNECT), without a password."""
    proxy = str(path.proxy or "")
    target = _joined(wire(path.name).decode("ascii"), path.port)
    started = time.monotonic()
    try:
        status, reason = _ask(line, f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n", rest=True)
    except Late:
        raise Finding(
            "timeout",
            f"The proxy {proxy} took the request for {target} and did not answer within {path.options.timeout:g} s",
            "whether the proxy reaches that host (DNS and firewall on the proxy), and whether it works at all",
        )
    except _NoHttp as error:
        if not error.begun:
            raise Finding(
                "reset",
                f"The proxy {proxy} closed the connection when it was asked for {target}",
                "the rules and the log of the proxy, and that this port is an HTTP proxy's",
            )
        raise Finding(
            "proxy_unreachable",
            f"What answers at {proxy} is no HTTP proxy",
            "host and port in the controller's proxy settings",
        )
    except OSError as error:
        outcome = by_errno(error.errno or 0)
        if outcome == "unknown":
            raise
        raise Finding(
            outcome,
            f"The connection to the proxy {proxy} broke when it was asked for {target} ({reason_of(error)})",
            "the rules and the log of the proxy",
        )
    finally:
        entry["phases_ms"]["proxy_connect"] = milliseconds(started)
    said = f"{status} {reason}".strip()
    if 200 <= status < 300:
        return
    if status == 407:
        raise Finding(
            "proxy_auth_required",
            f"The proxy {proxy} wants a password for {target} ({said}), which the probe does not send",
            "that the controller's proxy settings hold a valid user and password",
        )
    if status in (500, 502, 503, 504):
        raise Finding(
            "unreachable",
            f"The proxy {proxy} answers, but cannot reach {target} itself ({said})",
            "DNS and firewall on the proxy",
        )
    raise Finding(
        "proxy_denied",
        f"The proxy {proxy} refuses {target} ({said})",
        "the access rules of the proxy for this machine and that host",
    )


def host_header(name: str, port: int, tls: bool) -> str:
    """The endpoint as the Host header names it (RFC 9110, section 7.2)."""
    if port != (443 if tls else 80):
        return _joined(name, port)
    return f"[{name}]" if ":" in name else name


def _head(entry: Dict[str, Any], channel: Any, path: _Path) -> None:
    host = host_header(wire(path.name).decode("ascii"), path.port, path.options.tls)
    started = time.monotonic()
    try:
        status, reason = _ask(
            channel,
            f"HEAD / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: cbops.telemetry\r\n"
            "Accept: */*\r\nConnection: close\r\n\r\n",
        )
    except Late as late:
        waited = time.monotonic() - started
        silent = late.args in ((), (b"",)) and waited >= min(1.0, path.options.timeout / 2)
        raise Finding(
            "peer_silent" if silent else "timeout",
            f"{path.place} takes a HEAD request and does not answer it within {path.options.timeout:g} s",
            "for a firewall or proxy that lets connections through and drops requests",
        )
    except _NoHttp:
        raise Finding(
            "http_error",
            f"{path.place} answers a HEAD request with something that is no HTTP",
            "who really answers there",
        )
    except (ssl.SSLError, OSError) as error:
        raise Finding(
            "http_error",
            f"The connection to {path.place} broke after a HEAD request ({reason_of(error)})",
            "for a firewall or proxy that inspects requests",
        )
    finally:
        entry["phases_ms"]["http"] = milliseconds(started)
    entry["http"] = {"status": status}
    if status >= 500:
        raise Finding(
            "http_error",
            f"{path.place} answers a HEAD request with an error ({f'{status} {reason}'.strip()})",
            "the state of the service, and for a proxy that answers in its place",
        )


# --- Who signed it -----------------------------------------------------------------------------------------


class _Judged(NamedTuple):
    """Whether a certificate holds before some authorities; None: not known, and why."""

    trusted: Optional[bool]
    reason: Optional[str] = None


def _judge_authority(entry: Dict[str, Any], path: _Path, secure: Secure, candidate: Candidate) -> None:
    """Tell a public authority from a private one, which means that somebody looks into the connection."""
    options = path.options
    if options.private_authority or (options.cafile and not options.public_authorities):
        return  # who names the authorities to trust knows whose they are
    anchor = secure.anchor()
    try:
        # With this machine's own authorities in the same store, only the list that the distribution ships tells.
        where, public = truststore.reference(options.public_authorities)
        found = truststore.certificate(anchor) if anchor is not None else truststore.UNKNOWN
    except truststore.Unreadable as error:
        entry["findings"].append(f"Whether its authority is a public one is not known: {error}")
        return
    except ValueError:
        found = truststore.UNKNOWN
    entry["tls"]["anchor"] = found.subject
    if found.identity and found.identity in truststore.identities(public):
        entry["tls"]["authority"] = "public"
        return
    # An older Python cannot say where the chain ends, and a store may hold an authority that a public one signed.
    judged = _judged_by(path, candidate, public)
    if judged.trusted is None:
        entry["findings"].append(f"Whether its authority is a public one is not known: {judged.reason}")
        return
    entry["tls"]["authority"] = "public" if judged.trusted else "private"
    if not judged.trusted:
        _ask_java(entry, path, candidate, secure)
        raise Finding(
            "tls_intercepted",
            f"{path.place} presents a certificate that this machine trusts, issued by {entry['tls']['issuer']}, but "
            f"its authority ({found.subject or 'unknown'}) is not among the public ones in {where}: somebody "
            "inspects the connection",
            "for TLS inspection on the way, and exempt this host from it",
        )


def _ask_java(entry: Dict[str, Any], path: _Path, candidate: Candidate, secure: Optional[Secure] = None) -> None:
    """Judge the peer with the trust stores of JVMs too, as far as authorities go."""
    anchor = secure.anchor() if secure is not None else None
    for store in path.options.java_stores:
        try:
            authorities = truststore.java(store)
        except truststore.Unreadable as error:
            judged = _Judged(None, str(error))
        else:
            known = anchor is not None and anchor in authorities
            judged = _Judged(True) if known else _judged_by(path, candidate, authorities)
        entry["java"].append({"store": store, "trusted": judged.trusted, "reason": judged.reason})
        ours = entry["tls"]["trusted"]
        if judged.trusted is not None and ours is not None and judged.trusted != ours:
            entry["findings"].append(
                f"This machine trusts the certificate, but a JVM with {store} does not"
                if ours
                else f"This machine does not trust the certificate, but a JVM with {store} does"
            )


def _judged_by(path: _Path, candidate: Candidate, authorities: Sequence[bytes]) -> _Judged:
    """Whether the peer's certificate holds before other authorities, by one more handshake; None: why not known."""
    try:
        trust = Trust(context_of(None, authorities))
        scratch = _entry(path)
        race = Race([candidate], path.deadline)
        try:
            line = Line(race, _connect(scratch, race, path, path.name, path.port))
            if path.proxy is not None:
                _through_proxy(scratch, line, path)
            handshake(scratch, line, trust, path.name, path.place, path.options.timeout).say_goodbye()
        finally:
            race.close()
    except Finding as finding:
        return _Judged(False) if finding.outcome == "tls_untrusted" else _Judged(None, finding.message)
    except OSError as error:
        return _Judged(None, reason_of(error))
    return _Judged(True)

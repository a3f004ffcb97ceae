"""The probe against real sockets and real TLS servers on the loopback: unprivileged, no network."""

import datetime
import errno
import ipaddress
import os
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.cbops.telemetry.plugins.module_utils.outcomes import _outcomes as outcomes
from ansible_collections.cbops.telemetry.plugins.module_utils.probe import _connect
from ansible_collections.cbops.telemetry.plugins.module_utils.probe import _connectivity as connectivity
from ansible_collections.cbops.telemetry.plugins.module_utils.probe import _tls as tls
from ansible_collections.cbops.telemetry.plugins.module_utils.probe import _truststore as truststore

ENDPOINT, ROUTE = connectivity.Endpoint, connectivity.Route


def probe(host, port=443, timeout=5.0, tls=True, cafile=None, proxy=None, **more):
    return connectivity.probe(
        host, port, connectivity.Options(timeout, tls, cafile=cafile, **more), proxy and ENDPOINT(*proxy)
    )


# Long enough for a slow machine, short enough to tell a hang.
HANG_GUARD = 30.0
PHASES = {"dns", "tcp", "proxy_connect", "tls", "http"}
ENTRY = {
    "target",
    "via",
    "configured_by",
    "outcome",
    "address",
    "addresses",
    "phases_ms",
    "tls",
    "java",
    "http",
    "samples",
    "findings",
    "message",
}


# --- What the probe meets ----------------------------------------------------------------------------------


class Authority:
    """A certificate authority of its own, in memory; `cafile` is what a machine that trusts it has."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name(
            [
                x509.NameAttribute(NameOID.COUNTRY_NAME, "CH"),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Tests, Ltd"),
                x509.NameAttribute(NameOID.COMMON_NAME, name),
            ]
        )
        certificate = self._build(self.name, self.key, days=(-400, 400), ca=True, names=[])
        self.cafile = str(folder / f"{name}.pem")
        Path(self.cafile).write_bytes(certificate)

    def _build(self, subject, key, days, ca, names):
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(days=days[0]))
            .not_valid_after(now + datetime.timedelta(days=days[1]))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def server_context(self, names=("localhost", "127.0.0.1", "::1"), days=(-1, 30)) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = []
        for name in names:
            try:
                alternatives.append(x509.IPAddress(ipaddress.ip_address(name)))
            except ValueError:
                alternatives.append(x509.DNSName(name))
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a server")])
        pem = self._build(subject, key, days, ca=False, names=alternatives)
        pem += key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path = self.folder / f"server-{x509.random_serial_number()}.pem"
        path.write_bytes(pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(str(path))
        return context


class Server:
    """Listens on a loopback port and does `behaviour(connection)` with every connection."""

    def __init__(self, behaviour, family=socket.AF_INET, port=0) -> None:
        self.behaviour = behaviour
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", port))
        self.listener.listen(8)
        self.port = self.listener.getsockname()[1]
        self.closing = threading.Event()
        self.connections = 0
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        while True:
            try:
                connection, _peer = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            connection.settimeout(HANG_GUARD)
            try:
                self.behaviour(connection)
            except OSError:
                pass
            finally:
                connection.close()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_exc) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(HANG_GUARD)
        assert not self.thread.is_alive()


class TlsServer(Server):
    """Completes a handshake, then keeps every byte of application data that arrives."""

    def __init__(self, context: ssl.SSLContext, **kwargs) -> None:
        super().__init__(self._talk, **kwargs)
        self.context = context
        self.handshakes = 0
        self.application_data = b""
        self.clean_ends = 0

    def _talk(self, connection: socket.socket) -> None:
        with self.context.wrap_socket(connection, server_side=True, suppress_ragged_eofs=False) as tls:
            self.handshakes += 1
            while True:
                data = tls.recv(65536)
                if not data:
                    self.clean_ends += 1
                    return
                self.application_data += data


class BlackHole:
    """A listener whose backlog is full: further connection attempts get no answer at all."""

    def __init__(self, family=socket.AF_INET, port=0) -> None:
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", port))
        self.listener.listen(0)
        self.port = self.listener.getsockname()[1]
        self.fillers = []

    def __enter__(self):
        for _ in range(8):
            filler = socket.socket(self.listener.family, socket.SOCK_STREAM)
            filler.settimeout(1.0)
            self.fillers.append(filler)
            try:
                filler.connect(self.listener.getsockname())
            except TimeoutError:
                return self
        pytest.skip("this kernel accepts more connections than the backlog holds")

    def __exit__(self, *_exc) -> None:
        for filler in self.fillers:
            filler.close()
        self.listener.close()


def read_hello(connection: socket.socket) -> None:
    connection.recv(65536)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
        return True
    except OSError:
        return False


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"), "Trusted CA")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("stranger"), "Strange CA")


@pytest.fixture
def resolver(monkeypatch):
    """Sets what the machine's resolver does, on a machine that has one."""

    def use(answer) -> None:
        def lookup(_name, port):
            result = answer() if callable(answer) else answer
            if isinstance(result, Exception):
                raise result
            return [
                _connect.Candidate(socket.AF_INET6, (address, port, 0, 0))
                if ":" in address
                else _connect.Candidate(socket.AF_INET, (address, port))
                for address in result
            ]

        monkeypatch.setattr(_connect, "_lookup", lookup)

    monkeypatch.setattr(_connect, "_resolver_problem", lambda: None)
    return use


def check(entry, outcome, reached=()):
    """What holds for every entry, whatever its outcome."""
    assert entry["outcome"] == outcome, entry
    assert outcome in outcomes.OUTCOMES
    assert set(entry) == ENTRY
    assert entry["via"] == "direct"
    assert set(entry["phases_ms"]) == PHASES
    assert {phase for phase, ms in entry["phases_ms"].items() if ms is not None} == set(reached)
    assert all(ms is None or ms > 0 for ms in entry["phases_ms"].values())
    for address in entry["addresses"]:
        assert set(address) == {"address", "family", "outcome", "tcp_ms"}
        assert address["outcome"] in outcomes.OUTCOMES
        assert address["tcp_ms"] is None or address["tcp_ms"] > 0
    if outcome != "connected":
        assert "succeeded" not in entry["message"]
        assert ": check " in entry["message"] and entry["message"].endswith(".")
    return entry


# --- Success -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_connected_without_one_byte_of_application_data(authority, version):
    context = authority.server_context()
    context.minimum_version = context.maximum_version = version
    with TlsServer(context) as server:
        entry = check(probe("127.0.0.1", server.port, HANG_GUARD, cafile=authority.cafile), "connected", ("tcp", "tls"))
    assert (server.handshakes, server.application_data, server.clean_ends) == (1, b"", 1)
    assert entry["target"] == f"127.0.0.1:{server.port}"
    assert entry["address"] == "127.0.0.1"
    assert [a["outcome"] for a in entry["addresses"]] == ["connected"]
    assert entry["tls"]["version"] == version.name.replace("_", ".")
    assert entry["tls"]["issuer"] == "CN=Trusted CA, O=Tests\\, Ltd, C=CH"
    assert entry["tls"]["trusted"] is True
    datetime.datetime.strptime(entry["tls"]["not_after"], "%Y-%m-%dT%H:%M:%SZ")


def test_a_name_is_resolved_and_asked_for(authority, resolver):
    resolver(["127.0.0.1"])
    context = authority.server_context(["localhost"])
    asked = []
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    with TlsServer(context) as server:
        entry = probe("localhost.", server.port, HANG_GUARD, cafile=authority.cafile)
    check(entry, "connected", ("dns", "tcp", "tls"))
    assert asked == ["localhost"]


def test_success_is_worded_as_nc_and_curl_do(monkeypatch, resolver):
    resolver(["127.0.0.1"])
    with Server(read_hello) as server:
        monkeypatch.setitem(connectivity._SERVICES, server.port, "https")
        entry = check(probe("localhost", server.port, HANG_GUARD, tls=False), "connected", ("dns", "tcp"))
    assert f"Connection to localhost port {server.port} [tcp/https] succeeded!" in entry["message"]
    assert f"Connected to localhost (127.0.0.1) port {server.port}" in entry["message"]
    assert entry["tls"] is None


# --- DNS ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "dns_nxdomain"),
        (socket.gaierror(socket.EAI_NODATA, "No address associated with hostname"), "dns_nxdomain"),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), "dns_timeout"),
        (socket.gaierror(socket.EAI_FAIL, "Non-recoverable failure"), "unknown"),
        (OSError(errno.EMFILE, "Too many open files"), "unknown"),
    ],
)
def test_what_the_resolver_answers(resolver, error, outcome):
    resolver(error)
    entry = check(probe("api.example.com", timeout=HANG_GUARD), outcome, ("dns",))
    assert error.strerror in entry["message"]
    assert entry["addresses"] == []
    assert entry["address"] is None


def test_hanging_resolver(resolver):
    released = threading.Event()
    resolver(lambda: released.wait(HANG_GUARD * 2) and [])
    started = time.monotonic()
    check(probe("api.example.com", timeout=0.3), "dns_timeout", ("dns",))
    assert time.monotonic() - started < HANG_GUARD
    released.set()


def test_a_process_with_an_abandoned_resolver_ends():
    program = (
        "import sys, time\n"
        "from ansible_collections.cbops.telemetry.plugins.module_utils.probe import _connect as d\n"
        "from ansible_collections.cbops.telemetry.plugins.module_utils.probe import _connectivity as c\n"
        "d._lookup = lambda name, port: time.sleep(1000)\n"
        "d._resolver_problem = lambda: None\n"
        "print(c.probe('api.example.com', 443, c.Options(0.2))['outcome'])\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=HANG_GUARD,
        check=True,
    )
    assert (ended.stdout, ended.stderr) == ("dns_timeout\n", "")


@pytest.mark.parametrize("error", [socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), None])
def test_no_usable_resolver_says_nothing_of_the_network(resolver, monkeypatch, error):
    resolver(error if error else lambda: time.sleep(HANG_GUARD))
    monkeypatch.setattr(_connect, "_resolver_problem", lambda: "nobody to ask")
    entry = check(probe("api.example.com", timeout=0.3), "unknown", ("dns",))
    assert "nobody to ask" in entry["message"]


def test_resolver_problem(tmp_path, monkeypatch):
    path = tmp_path / "resolv.conf"
    monkeypatch.setattr(_connect, "_server_problem", lambda server: None if server == "10.0.0.2" else f"{server}: no")
    assert "names no name server" in _connect._resolver_problem(str(path))
    path.write_text("# nameserver 10.0.0.2\nsearch example.com\n")
    assert "127.0.0.1: no" in _connect._resolver_problem(str(path))
    path.write_text("nameserver 10.0.0.1\n")
    assert _connect._resolver_problem(str(path)) == "10.0.0.1: no"
    path.write_text("nameserver 10.0.0.1\nnameserver 10.0.0.2\n")
    assert _connect._resolver_problem(str(path)) is None
    assert "cannot be read" in _connect._resolver_problem(str(tmp_path))


def test_a_local_name_server_that_does_not_run():
    # 127.0.0.9 rather than .1: a machine may well have a resolver of its own on the latter
    assert "refused" in _connect._server_problem("127.0.0.9")


@pytest.mark.parametrize("sink", ["0.0.0.0", "127.0.0.1", "::", "::1", "::ffff:127.0.0.1"])
def test_sinkholed(resolver, sink):
    resolver([sink])
    entry = check(probe("api.example.com", timeout=HANG_GUARD), "dns_sinkholed", ("dns",))
    assert entry["address"] == sink
    assert entry["addresses"][0]["outcome"] == "dns_sinkholed"
    assert sink in entry["message"]


def test_a_sink_beside_a_real_address_is_listed_and_not_used(resolver, monkeypatch):
    monkeypatch.setattr(_connect, "_is_sink", lambda address: address == "::")
    resolver(["::", "127.0.0.1"])
    with Server(read_hello) as server:
        entry = check(probe("api.example.com", server.port, HANG_GUARD, tls=False), "connected", ("dns", "tcp"))
    assert {a["address"]: a["outcome"] for a in entry["addresses"]} == {"127.0.0.1": "connected", "::": "dns_sinkholed"}


@pytest.mark.parametrize("name", ["localhost", "db.localhost", socket.gethostname()])
def test_names_that_may_lead_here_are_not_sinkholed(resolver, name):
    resolver(["127.0.0.1"])
    with Server(read_hello) as server:
        check(probe(name, server.port, HANG_GUARD, tls=False), "connected", ("dns", "tcp"))


@pytest.mark.parametrize("name", ["", "two words", "nul\0byte", "tab\tbed", "a" * 70 + "ä.example.com"])
def test_no_host_name_at_all(name):
    check(probe(name, timeout=HANG_GUARD), "unknown")


def test_a_mistake_of_the_caller_is_an_error():
    with pytest.raises(ValueError, match="port"):
        probe("localhost", port=0)
    with pytest.raises(ValueError, match="timeout"):
        probe("localhost", timeout=0)


# --- TCP ---------------------------------------------------------------------------------------------------


def test_refused():
    entry = check(probe("127.0.0.1", free_port(), HANG_GUARD), "refused", ("tcp",))
    assert entry["addresses"][0]["tcp_ms"] > 0
    assert entry["address"] == "127.0.0.1"


def test_timeout():
    with BlackHole() as hole:
        started = time.monotonic()
        entry = check(probe("127.0.0.1", hole.port, 1.5), "timeout", ("tcp",))
        assert time.monotonic() - started < HANG_GUARD
    assert entry["addresses"] == [{"address": "127.0.0.1", "family": "IPv4", "outcome": "timeout", "tcp_ms": None}]


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on the loopback")
def test_a_dead_ipv6_address_does_not_hide_a_live_ipv4_one(authority, resolver):
    resolver(["::1", "127.0.0.1"])
    with BlackHole(socket.AF_INET6) as hole, TlsServer(authority.server_context(), port=hole.port) as server:
        entry = probe("localhost", server.port, HANG_GUARD, cafile=authority.cafile)
    check(entry, "connected", ("dns", "tcp", "tls"))
    assert entry["address"] == "127.0.0.1"
    assert [(a["family"], a["outcome"]) for a in entry["addresses"]] == [("IPv6", "timeout"), ("IPv4", "connected")]


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on the loopback")
def test_ipv6_literal(authority):
    with TlsServer(authority.server_context(), family=socket.AF_INET6) as server:
        for host in ("::1", "[::1]"):
            entry = probe(host, server.port, HANG_GUARD, cafile=authority.cafile)
            check(entry, "connected", ("tcp", "tls"))
            assert entry["target"] == f"[::1]:{server.port}"


def test_every_address_has_its_own_result(resolver):
    resolver(["127.0.0.2", "127.0.0.1", "127.0.0.3", "127.0.0.1"])
    with Server(read_hello) as server:
        entry = check(probe("localhost", server.port, HANG_GUARD, tls=False), "connected", ("dns", "tcp"))
    assert {a["address"]: a["outcome"] for a in entry["addresses"]} == {
        "127.0.0.1": "connected",
        "127.0.0.2": "refused",
        "127.0.0.3": "refused",
    }
    assert len(entry["addresses"]) == 3


def test_families_take_turns():
    v4 = [_connect.Candidate(socket.AF_INET, (f"192.0.2.{n}", 443)) for n in (1, 2, 3)]
    v6 = [_connect.Candidate(socket.AF_INET6, ("2001:db8::1", 443, 0, 0))]
    assert _connect.interleave(v6 + v4) == [v6[0], v4[0], v4[1], v4[2]]
    assert _connect.interleave(v4 + v6) == [v4[0], v6[0], v4[1], v4[2]]


@pytest.mark.parametrize("code", [errno.ENETUNREACH, errno.EACCES, errno.EPERM, errno.EADDRNOTAVAIL])
def test_what_connect_itself_refuses_says_nothing_of_the_network(monkeypatch, code):
    monkeypatch.setattr(socket.socket, "connect_ex", lambda _self, _address: code)
    entry = check(probe("192.0.2.1", timeout=HANG_GUARD), "unknown", ("tcp",))
    assert os.strerror(code) in entry["message"]


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (errno.EHOSTUNREACH, "unreachable"),
        (errno.ENETUNREACH, "unreachable"),
        (errno.ECONNRESET, "reset"),
        (errno.ETIMEDOUT, "timeout"),
    ],
)
def test_what_the_network_says_by_icmp(monkeypatch, code, outcome):
    monkeypatch.setattr(socket.socket, "getsockopt", lambda *_args: code)
    check(probe("127.0.0.1", free_port(), HANG_GUARD), outcome, ("tcp",))


# --- TLS ---------------------------------------------------------------------------------------------------


def test_peer_silent():
    def say_nothing(connection):
        while connection.recv(65536):
            pass

    with Server(say_nothing) as server:
        started = time.monotonic()
        entry = check(probe("127.0.0.1", server.port, 0.5), "peer_silent", ("tcp", "tls"))
        assert time.monotonic() - started < HANG_GUARD
    assert entry["tls"] is None
    assert entry["addresses"][0]["outcome"] == "connected"


def test_a_handshake_that_drips_is_cut_off():
    def drip(connection):
        connection.recv(65536)
        connection.sendall(b"\x16\x03\x03\x40\x00")  # a record of 16 KiB, byte by byte
        while True:
            connection.sendall(b"\x02")
            time.sleep(0.05)

    with Server(drip) as server:
        started = time.monotonic()
        check(probe("127.0.0.1", server.port, 0.5), "timeout", ("tcp", "tls"))
        assert time.monotonic() - started < HANG_GUARD


def test_reset_in_the_handshake():
    def hang_up(connection):
        read_hello(connection)
        reset(connection)

    with Server(hang_up) as server:
        check(probe("127.0.0.1", server.port, HANG_GUARD), "reset", ("tcp", "tls"))


def test_closed_in_the_handshake():
    with Server(read_hello) as server:
        entry = check(probe("127.0.0.1", server.port, HANG_GUARD), "reset", ("tcp", "tls"))
    assert "closed the connection" in entry["message"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "plain HTTP"),
        (b"220 mail.example.com ESMTP\r\n", "not TLS"),
        (b"\x15\x03\x03\x00\x02\x02\x28", "alert"),  # fatal, handshake_failure
        (b"\x15\x03\x03\x00\x02\x02\x70", "alert"),  # fatal, unrecognized_name
    ],
)
def test_not_tls_or_an_alert(answer, words):
    def say(connection):
        read_hello(connection)
        connection.sendall(answer)
        read_hello(connection)

    with Server(say) as server:
        entry = check(probe("127.0.0.1", server.port, HANG_GUARD), "tls_alert", ("tcp", "tls"))
    assert words in entry["message"]


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1:DeprecationWarning")
def test_no_common_version(authority):
    context = authority.server_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with TlsServer(context) as server:
        entry = probe("127.0.0.1", server.port, HANG_GUARD, cafile=authority.cafile)
    check(entry, "tls_alert", ("tcp", "tls"))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_refused_certificate_is_named(authority, stranger, version):
    cases = [
        (stranger, {}, "tls_untrusted"),
        (authority, {"names": ["elsewhere.example.com"]}, "tls_name_mismatch"),
        (authority, {"days": (-30, -1)}, "tls_expired"),
        (authority, {"days": (1, 30)}, "tls_expired"),
    ]
    for issuer, faults, outcome in cases:
        context = issuer.server_context(**faults)
        context.minimum_version = context.maximum_version = version
        with TlsServer(context) as server:
            entry = probe("127.0.0.1", server.port, HANG_GUARD, cafile=authority.cafile)
        check(entry, outcome, ("tcp", "tls"))
        name = "Strange CA" if issuer is stranger else "Trusted CA"
        assert entry["tls"]["issuer"] == f"CN={name}, O=Tests\\, Ltd, C=CH"
        assert entry["tls"]["not_after"]
        assert entry["tls"]["trusted"] is False
        assert entry["tls"]["version"] is None  # agreed on, but never used
        assert name in entry["message"]
        # One handshake, and nothing after it, whatever was wrong.
        assert (server.connections, server.application_data) == (1, b"")


def test_a_wrong_name_is_told_from_a_right_one(authority, resolver):
    resolver(["127.0.0.1"])
    with TlsServer(authority.server_context(["127.0.0.1"])) as server:
        entry = probe("localhost", server.port, HANG_GUARD, cafile=authority.cafile)
    check(entry, "tls_name_mismatch", ("dns", "tcp", "tls"))


def test_a_machine_without_authorities_cannot_judge(authority, monkeypatch, tmp_path):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    with TlsServer(authority.server_context()) as server:
        entry = check(probe("127.0.0.1", server.port, HANG_GUARD), "unknown", ("tcp", "tls"))
    assert entry["tls"]["trusted"] is None
    assert "ca-certificates" in entry["message"]


def test_the_machines_own_trust_store_is_used(authority, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", authority.cafile)
    with TlsServer(authority.server_context()) as server:
        entry = probe("127.0.0.1", server.port, HANG_GUARD, public_authorities=authority.cafile)
    check(entry, "connected", ("tcp", "tls"))
    assert (entry["tls"]["authority"], entry["findings"]) == ("public", [])
    assert entry["tls"]["anchor"] in (None, "CN=Trusted CA, O=Tests\\, Ltd, C=CH")


def test_a_trust_store_that_is_not_there(tmp_path):
    entry = probe("127.0.0.1", 443, HANG_GUARD, cafile=str(tmp_path / "missing.pem"))
    check(entry, "unknown")


@pytest.mark.parametrize("junk", [b"", b"\x30", b"\x30\x82\xff\xff", b"\x30\x03\x30\x01\x02", bytes(range(64))])
def test_a_certificate_that_cannot_be_read_decides_nothing(junk):
    class Tls:
        def getpeercert(self, _binary):
            return junk

    overheard = tls.Trust(ssl.create_default_context())
    assert overheard.certificate(Tls()) == truststore.UNKNOWN


# --- Authorities and the trust of a JVM ---------------------------------------------------------------------


def test_a_private_authority_that_the_machine_trusts_is_interception(authority, stranger, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", authority.cafile)
    with TlsServer(authority.server_context()) as server:
        entry = check(
            probe("127.0.0.1", server.port, HANG_GUARD, public_authorities=stranger.cafile),
            "tls_intercepted",
            ("tcp", "tls"),
        )
        assert (entry["tls"]["trusted"], entry["tls"]["authority"]) == (True, "private")
        assert stranger.cafile in entry["message"]
        assert not outcomes.meets(entry["outcome"], "reachable")
        expected = probe(
            "127.0.0.1", server.port, HANG_GUARD, public_authorities=stranger.cafile, private_authority=True
        )
    assert (expected["outcome"], expected["tls"]["authority"]) == ("connected", "unknown")


@pytest.mark.parametrize("kept", [True, False])
def test_without_the_verified_chain_a_second_handshake_tells(authority, stranger, monkeypatch, kept):
    """Python before 3.10 does not give the chain away."""
    if not kept:
        monkeypatch.setattr(tls.Secure, "anchor", lambda _self: None)
    monkeypatch.setenv("SSL_CERT_FILE", authority.cafile)
    with TlsServer(authority.server_context()) as server:
        public = probe("127.0.0.1", server.port, HANG_GUARD, public_authorities=authority.cafile)
        private = probe("127.0.0.1", server.port, HANG_GUARD, public_authorities=stranger.cafile)
    assert (public["outcome"], public["tls"]["authority"]) == ("connected", "public")
    assert (private["outcome"], private["tls"]["authority"]) == ("tls_intercepted", "private")
    assert server.connections == (3 if kept else 4)  # nobody is accused without a second look


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_without_a_list_of_public_authorities_nobody_is_accused(authority, monkeypatch, tmp_path, content):
    monkeypatch.setenv("SSL_CERT_FILE", authority.cafile)
    listed = tmp_path / "public.pem"
    if content is not None:
        listed.write_text(content)
    with TlsServer(authority.server_context()) as server:
        entry = probe("127.0.0.1", server.port, HANG_GUARD, public_authorities=str(listed))
    assert (entry["outcome"], entry["tls"]["authority"]) == ("connected", "unknown")
    assert "is not known" in entry["findings"][0]
    assert entry["findings"][0] in entry["message"]


def java_store(folder: Path, certificate: str, form: str) -> str:
    """A trust store as the JDK's own keytool makes it."""
    if shutil.which("keytool") is None:
        pytest.fail("a JRE is needed for this test; `make tools` installs one")
    path = folder / f"{Path(certificate).stem.replace(' ', '')}.{form}"
    options = {
        "JKS": [],
        "PKCS12": ["-J-Dkeystore.pkcs12.certProtectionAlgorithm=NONE", "-J-Dkeystore.pkcs12.macAlgorithm=NONE"],
        "encrypted": [],
    }[form]
    subprocess.run(
        [
            "keytool",
            *options,
            "-importcert",
            "-noprompt",
            "-alias",
            "one",
            "-file",
            certificate,
            "-keystore",
            str(path),
            "-storetype",
            "JKS" if form == "JKS" else "PKCS12",
            "-storepass",
            "changeit",
        ],
        check=True,
        capture_output=True,
    )
    return str(path)


@pytest.mark.parametrize("form", ["JKS", "PKCS12"])
def test_a_jvms_trust_is_told_from_the_machines(authority, stranger, tmp_path, form):
    ours, theirs = java_store(tmp_path, authority.cafile, form), java_store(tmp_path, stranger.cafile, form)
    with TlsServer(authority.server_context()) as server:
        entry = probe("127.0.0.1", server.port, HANG_GUARD, cafile=authority.cafile, java_stores=(ours, theirs))
        assert entry["outcome"] == "connected"
        assert [(one["store"], one["trusted"], one["reason"]) for one in entry["java"]] == [
            (ours, True, None),
            (theirs, False, None),
        ]
        assert entry["findings"] == [f"This machine trusts the certificate, but a JVM with {theirs} does not"]
        assert entry["findings"][0] in entry["message"]
    with TlsServer(authority.server_context()) as server:
        entry = probe("127.0.0.1", server.port, HANG_GUARD, cafile=stranger.cafile, java_stores=(ours, theirs))
        assert entry["outcome"] == "tls_untrusted"
        assert [one["trusted"] for one in entry["java"]] == [True, False]
        assert entry["findings"] == [f"This machine does not trust the certificate, but a JVM with {ours} does"]
        assert server.application_data == b""


@pytest.mark.parametrize("kind", ["encrypted", "missing", "broken", "folder", "empty"])
def test_a_store_that_cannot_be_read_decides_nothing(authority, tmp_path, kind):
    store = str(tmp_path / kind)
    if kind == "encrypted":
        store = java_store(tmp_path, authority.cafile, kind)
    elif kind == "broken":
        Path(store).write_bytes(b"\xfe\xed\xfe\xed\0\0\0\2\0\0\0\1\0\0\0\2\0\xff")
    elif kind == "folder":
        Path(store).mkdir()
    elif kind == "empty":
        Path(store).write_bytes(b"\xfe\xed\xfe\xed\0\0\0\2\0\0\0\0")
    with TlsServer(authority.server_context()) as server:
        entry = probe("127.0.0.1", server.port, HANG_GUARD, cafile=authority.cafile, java_stores=(store,))
    assert entry["outcome"] == "connected"
    assert entry["java"][0]["trusted"] is None
    assert store in entry["java"][0]["reason"]
    assert entry["findings"] == []


# --- HTTP --------------------------------------------------------------------------------------------------


class WebServer(TlsServer):
    """Answers every request with the same bytes."""

    def __init__(self, context, answer: bytes, **kwargs) -> None:
        super().__init__(context, **kwargs)
        self.answer = answer

    def _talk(self, connection: socket.socket) -> None:
        with self.context.wrap_socket(connection, server_side=True) as secure:
            self.application_data += secure.recv(65536)
            if self.answer == b"silence":
                secure.recv(65536)
            secure.sendall(self.answer)
            if self.answer == b"HTTP/1.1 2":
                secure.recv(65536)


@pytest.mark.parametrize(
    "answer, outcome, status",
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", "connected", 200),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 404 Not Found\r\n\r\n", "connected", 404),
        (b"HTTP/1.0 405 \r\nServer: x\n\n", "connected", 405),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "http_error", 503),
        (b"220 mail.example.com ESMTP\r\n", "http_error", None),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "http_error", None),
        (b"HTTP/1.1 200", "http_error", None),
        (b"", "http_error", None),
    ],
)
def test_head(authority, answer, outcome, status):
    with WebServer(authority.server_context(), answer) as server:
        entry = check(
            probe("127.0.0.1", server.port, HANG_GUARD, cafile=authority.cafile, http=True),
            outcome,
            ("tcp", "tls", "http"),
        )
    assert server.application_data.startswith(b"HEAD / HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{server.port}\r\n".encode() in server.application_data
    assert entry["http"] == ({"status": status} if status else None)


def test_head_without_an_answer(authority):
    with WebServer(authority.server_context(), b"silence") as server:
        entry = check(
            probe("127.0.0.1", server.port, 2, cafile=authority.cafile, http=True),
            "peer_silent",
            ("tcp", "tls", "http"),
        )
    assert "HEAD" in entry["message"]
    with WebServer(authority.server_context(), b"HTTP/1.1 2") as server:  # that is not silent
        check(probe("127.0.0.1", server.port, 2, cafile=authority.cafile, http=True), "timeout", ("tcp", "tls", "http"))


@pytest.mark.parametrize(
    "name, port, tls_on, header",
    [
        ("api.segment.io", 443, True, b"Host: api.segment.io\r\n"),
        ("api.segment.io", 8443, True, b"Host: api.segment.io:8443\r\n"),
        ("api.segment.io", 80, False, b"Host: api.segment.io\r\n"),
        ("api.segment.io", 443, False, b"Host: api.segment.io:443\r\n"),
        ("2001:db8::1", 443, True, b"Host: [2001:db8::1]\r\n"),
        ("2001:db8::1", 8443, True, b"Host: [2001:db8::1]:8443\r\n"),
    ],
)
def test_the_name_in_a_request(name, port, tls_on, header):
    assert connectivity.host_header(name, port, tls_on).encode() == header[6:-2]


# --- Proxies -----------------------------------------------------------------------------------------------


class Proxy(Server):
    """A proxy that answers CONNECT with `head`, and carries bytes to `target` where it says yes."""

    def __init__(self, head: bytes, target: int = 0) -> None:
        super().__init__(self._talk)
        self.head, self.target, self.requests = head, target, []

    def _talk(self, connection: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            data = connection.recv(65536)
            if not data:
                return
            request += data
        self.requests.append(request)
        if self.head == b"silence":
            connection.recv(1)
            return
        connection.sendall(self.head)
        if not self.target:
            return
        with socket.create_connection(("127.0.0.1", self.target), HANG_GUARD) as upstream:
            back = threading.Thread(target=self._carry, args=(upstream, connection), daemon=True)
            back.start()
            self._carry(connection, upstream)
            back.join(HANG_GUARD)

    @staticmethod
    def _carry(source: socket.socket, sink: socket.socket) -> None:
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def test_through_a_proxy_the_endpoints_own_certificate_counts(authority):
    context = authority.server_context(["api.segment.io"])
    with TlsServer(context) as server, Proxy(b"HTTP/1.1 200 Connection established\r\n\r\n", server.port) as proxy:
        entry = probe("api.segment.io", 443, HANG_GUARD, cafile=authority.cafile, proxy=("127.0.0.1", proxy.port))
        wrong = probe("other.example.com", 443, HANG_GUARD, cafile=authority.cafile, proxy=("127.0.0.1", proxy.port))
    assert entry["outcome"] == "connected", entry
    assert entry["via"] == f"127.0.0.1:{proxy.port}"
    assert {phase for phase, ms in entry["phases_ms"].items() if ms is not None} == {"tcp", "proxy_connect", "tls"}
    assert proxy.requests[0] == b"CONNECT api.segment.io:443 HTTP/1.1\r\nHost: api.segment.io:443\r\n\r\n"
    assert "Connection to api.segment.io port 443 [tcp/https] succeeded!" in entry["message"]
    assert f"through the proxy 127.0.0.1:{proxy.port}" in entry["message"]
    assert (wrong["outcome"], server.application_data) == ("tls_name_mismatch", b"")


@pytest.mark.parametrize(
    "head, outcome",
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "proxy_auth_required"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "proxy_denied"),
        (b"HTTP/1.1 405 Method Not Allowed\r\n\r\n", "proxy_denied"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "unreachable"),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "unreachable"),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", "proxy_unreachable"),
        (b"", "reset"),
        (b"silence", "timeout"),
    ],
)
def test_what_a_proxy_answers(head, outcome):
    timeout = 1 if head == b"silence" else HANG_GUARD
    with Proxy(head) as proxy:
        entry = probe("api.segment.io", 443, timeout, proxy=("127.0.0.1", proxy.port))
    assert entry["outcome"] == outcome, entry
    assert f"127.0.0.1:{proxy.port}" in entry["message"] and "succeeded" not in entry["message"]
    assert entry["phases_ms"]["proxy_connect"] is not None and entry["phases_ms"]["tls"] is None


def test_a_proxy_that_is_not_there(resolver):
    entry = probe("api.segment.io", 443, HANG_GUARD, proxy=("127.0.0.1", free_port()))
    assert entry["outcome"] == "proxy_unreachable" and "refused" in entry["message"]
    resolver(socket.gaierror(socket.EAI_NONAME, "Name or service not known"))
    entry = probe("api.segment.io", 443, HANG_GUARD, proxy=("proxy.example.com", 3128))
    assert entry["outcome"] == "proxy_unreachable" and "DNS knows no address for proxy.example.com" in entry["message"]
    with BlackHole() as hole:
        entry = probe("api.segment.io", 443, 0.5, proxy=("127.0.0.1", hole.port))
    assert entry["outcome"] == "proxy_unreachable" and "No answer" in entry["message"]


def test_a_local_failure_on_the_way_to_a_proxy_stays_unknown(resolver, monkeypatch):
    resolver(socket.gaierror(socket.EAI_AGAIN, "Temporary failure"))
    monkeypatch.setattr(_connect, "_resolver_problem", lambda: "nobody to ask")
    assert probe("api.segment.io", 443, HANG_GUARD, proxy=("proxy.example.com", 3128))["outcome"] == "unknown"


# --- Several at once ---------------------------------------------------------------------------------------


def test_paths_and_endpoints_are_probed_at_the_same_time(authority):
    options = connectivity.Options(2.0, cafile=authority.cafile)
    with TlsServer(authority.server_context()) as server, BlackHole() as hole:
        pairs = [ROUTE(ENDPOINT("127.0.0.1", hole.port))] * 5 + [ROUTE(ENDPOINT("127.0.0.1", server.port))]
        started = time.monotonic()
        entries = connectivity.probe_all(pairs, options)
    assert [entry["outcome"] for entry in entries] == ["timeout"] * 5 + ["connected"]
    assert time.monotonic() - started < 5 * 2.0
    with pytest.raises(ValueError, match="more than"):
        connectivity.probe_all(pairs * 20, options)


def test_samples_of_a_path_that_comes_and_goes(authority):
    turn = iter(range(100))

    class Flapping(TlsServer):
        def _talk(self, connection: socket.socket) -> None:
            if next(turn) % 3 == 2:
                reset(connection)
            else:
                super()._talk(connection)

    with Flapping(authority.server_context()) as server:
        entry = connectivity.probe_all(
            [ROUTE(ENDPOINT("127.0.0.1", server.port))], connectivity.Options(HANG_GUARD, cafile=authority.cafile), 6, 0
        )[0]
    assert entry["outcome"] == "reset"
    assert entry["samples"]["outcomes"] == {"connected": 4, "reset": 2}
    assert (entry["samples"]["count"], entry["samples"]["connected"], entry["samples"]["loss_percent"]) == (6, 4, 33.3)
    assert 0 < entry["samples"]["p50_ms"] <= entry["samples"]["max_ms"]
    assert entry["message"].startswith("2 of 6 attempts failed (2 reset).")
    # Half a wall is no wall, and half a way is no way.
    assert not outcomes.answers_meet([entry], "blocked")
    assert not outcomes.answers_meet([entry], "reachable")
    assert outcomes.answers_meet([entry], "any")


def test_a_machine_that_hangs_is_left_behind(monkeypatch):
    """A trust store on a file server that is gone: nothing interrupts reading it."""
    released = threading.Event()
    monkeypatch.setattr(connectivity, "context_of", lambda _cafile: released.wait(HANG_GUARD))
    entry = check(probe("127.0.0.1", 443, 0.3), "unknown")
    assert "within 0.3 s" in entry["message"]
    released.set()


@pytest.mark.parametrize(
    "text, expected",
    [
        ("api.segment.io", ("api.segment.io", 443)),
        ("api.segment.io:8443", ("api.segment.io", 8443)),
        ("192.0.2.1:1", ("192.0.2.1", 1)),
        ("[2001:db8::1]:8443", ("2001:db8::1", 8443)),
        ("[2001:db8::1]", ("2001:db8::1", 443)),
        ("2001:db8::1", ("2001:db8::1", 443)),
    ],
)
def test_endpoints(text, expected):
    assert connectivity.endpoint(text) == expected


@pytest.mark.parametrize("text", ["", ":443", "a:", "a:0", "a:65536", "a:b", "[::1]443", "[]:443"])
def test_no_endpoint(text):
    with pytest.raises(ValueError, match="no endpoint"):
        connectivity.endpoint(text)


# --- Expectations ------------------------------------------------------------------------------------------


def test_expectations():
    assert set(outcomes.BLOCKED_OUTCOMES) < set(outcomes.OUTCOMES)
    assert len(set(outcomes.OUTCOMES)) == len(outcomes.OUTCOMES) == 19
    for outcome in outcomes.OUTCOMES:
        assert outcomes.meets(outcome, "any")
        assert outcomes.meets(outcome, "reachable") == (outcome == "connected")
        assert not (outcomes.meets(outcome, "reachable") and outcomes.meets(outcome, "blocked"))
    assert outcomes.meets("refused", "blocked")
    # A local failure proves nothing, and a peer that answered was not blocked.
    for outcome in ("unknown", "tls_untrusted", "tls_intercepted", "tls_alert", "http_error", "proxy_auth_required"):
        assert not outcomes.meets(outcome, "blocked")
    assert not outcomes.answers_meet([], "reachable") and not outcomes.answers_meet([], "blocked")

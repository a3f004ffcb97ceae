"""The probe against real sockets and real TLS servers on the loopback: unprivileged, no network."""

import datetime
import errno
import ipaddress
import os
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

from ansible_collections.cbops.telemetry.plugins.module_utils import _connectivity as connectivity
from ansible_collections.cbops.telemetry.plugins.module_utils import _dial as dial
from ansible_collections.cbops.telemetry.plugins.module_utils import _tls as tls
from ansible_collections.cbops.telemetry.plugins.module_utils import _truststore as truststore



def probe(host, port=443, timeout=5.0, tls=True, cafile=None, proxy=None, **more):
    return connectivity.probe(host, port, connectivity.Options(timeout, tls, cafile=cafile, **more), proxy)


# Long enough for a slow machine, short enough to tell a hang.
HANG_GUARD = 30.0
PHASES = {"dns", "tcp", "proxy_connect", "tls", "http"}
ENTRY = {"target", "via", "configured_by", "outcome", "address", "addresses", "phases_ms", "tls", "java", "http",
         "samples", "findings", "message"}


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
            filler.settimeout(0.3)
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
                (socket.AF_INET6, (address, port, 0, 0)) if ":" in address else (socket.AF_INET, (address, port))
                for address in result
            ]

        monkeypatch.setattr(dial, "_lookup", lookup)

    monkeypatch.setattr(dial, "_resolver_problem", lambda: None)
    return use


def check(entry, outcome, reached=()):
    """What holds for every entry, whatever its outcome."""
    assert entry["outcome"] == outcome, entry
    assert outcome in connectivity.OUTCOMES
    assert set(entry) == ENTRY
    assert entry["via"] == "direct"
    assert set(entry["phases_ms"]) == PHASES
    assert {phase for phase, ms in entry["phases_ms"].items() if ms is not None} == set(reached)
    assert all(ms is None or ms > 0 for ms in entry["phases_ms"].values())
    for address in entry["addresses"]:
        assert set(address) == {"address", "family", "outcome", "tcp_ms"}
        assert address["outcome"] in connectivity.OUTCOMES
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
        "from ansible_collections.cbops.telemetry.plugins.module_utils import _connectivity as c, _dial as d\n"
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
    monkeypatch.setattr(dial, "_resolver_problem", lambda: "nobody to ask")
    entry = check(probe("api.example.com", timeout=0.3), "unknown", ("dns",))
    assert "nobody to ask" in entry["message"]


def test_resolver_problem(tmp_path, monkeypatch):
    path = tmp_path / "resolv.conf"
    monkeypatch.setattr(
        dial, "_server_problem", lambda server: None if server == "10.0.0.2" else f"{server}: no"
    )
    assert "names no name server" in dial._resolver_problem(str(path))
    path.write_text("# nameserver 10.0.0.2\nsearch example.com\n")
    assert "127.0.0.1: no" in dial._resolver_problem(str(path))
    path.write_text("nameserver 10.0.0.1\n")
    assert dial._resolver_problem(str(path)) == "10.0.0.1: no"
    path.write_text("nameserver 10.0.0.1\nnameserver 10.0.0.2\n")
    assert dial._resolver_problem(str(path)) is None
    assert "cannot be read" in dial._resolver_problem(str(tmp_path))


def test_a_local_name_server_that_does_not_run():
    # 127.0.0.9 rather than .1: a machine may well have a resolver of its own on the latter
    assert "refused" in dial._server_problem("127.0.0.9")


@pytest.mark.parametrize("sink", ["0.0.0.0", "127.0.0.1", "::", "::1", "::ffff:127.0.0.1"])
def test_sinkholed(resolver, sink):
    resolver([sink])
    entry = check(probe("api.example.com", timeout=HANG_GUARD), "dns_sinkholed", ("dns",))
    assert entry["address"] == sink
    assert entry["addresses"][0]["outcome"] == "dns_sinkholed"
    assert sink in entry["message"]


def test_a_sink_beside_a_real_address_is_listed_and_not_used(resolver, monkeypatch):
    monkeypatch.setattr(dial, "_is_sink", lambda address: address == "::")
    resolver(["::", "127.0.0.1"])
    with Server(read_hello) as server:
        entry = check(probe("api.example.com", server.port, HANG_GUARD, tls=False), "connected", ("dns", "tcp"))
    assert {a["address"]: a["outcome"] for a in entry["addresses"]} == {
        "127.0.0.1": "connected",
        "::": "dns_sinkholed",
    }


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
        entry = check(probe("127.0.0.1", hole.port, 0.5), "timeout", ("tcp",))
        assert time.monotonic() - started < HANG_GUARD
    assert entry["addresses"] == [{"address": "127.0.0.1", "family": "IPv4", "outcome": "timeout", "tcp_ms": None}]


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on the loopback")
def test_a_dead_ipv6_address_does_not_hide_a_live_ipv4_one(authority, resolver):
    resolver(["::1", "127.0.0.1"])
    with BlackHole(socket.AF_INET6) as hole, TlsServer(authority.server_context(), port=hole.port) as server:
        entry = probe("localhost", server.port, HANG_GUARD, cafile=authority.cafile)
    check(entry, "connected", ("dns", "tcp", "tls"))
    assert entry["address"] == "127.0.0.1"
    assert [(a["family"], a["outcome"]) for a in entry["addresses"]] == [
        ("IPv6", "timeout"),
        ("IPv4", "connected"),
    ]


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
    v4 = [(socket.AF_INET, (f"192.0.2.{n}", 443)) for n in (1, 2, 3)]
    v6 = [(socket.AF_INET6, ("2001:db8::1", 443, 0, 0))]
    assert dial.interleave(v6 + v4) == [v6[0], v4[0], v4[1], v4[2]]
    assert dial.interleave(v4 + v6) == [v4[0], v6[0], v4[1], v4[2]]


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


# --- Expectations ------------------------------------------------------------------------------------------


def test_expectations():
    assert set(connectivity.BLOCKED_OUTCOMES) < set(connectivity.OUTCOMES)
    assert len(set(connectivity.OUTCOMES)) == len(connectivity.OUTCOMES) == 19
    for outcome in connectivity.OUTCOMES:
        assert connectivity.meets(outcome, "any")
        assert connectivity.meets(outcome, "reachable") == (outcome == "connected")
        assert not (connectivity.meets(outcome, "reachable") and connectivity.meets(outcome, "blocked"))
    assert connectivity.meets("refused", "blocked")
    # A local failure proves nothing, and a peer that answered was not blocked.
    for outcome in ("unknown", "tls_untrusted", "tls_intercepted", "tls_alert", "http_error"):
        assert not connectivity.meets(outcome, "blocked")

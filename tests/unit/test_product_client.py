"""The product's HTTP interface asked by a client that tells reasons apart, follows nothing and keeps secrets; real servers."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import os
import resource
import secrets
import signal
import ssl
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._access import Access
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product import _client as client
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._asking import asked as centers_asked
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._client import Client, ClientError
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._events import served as of_events
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._events import with_events
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._served import ask as of_toggle
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._served import with_served
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart._controller import Controller, ControllerError

TOKEN = "11bb-secret-token"  # noqa: S105
Say = Callable[[BaseHTTPRequestHandler], None]


class Server(ThreadingHTTPServer):
    """Says what it is told to say, and remembers who asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.say: Say = lambda handler: answer(handler, 200, "{}")
        self.seen: list[tuple[str, str, str | None]] = []
        self.ended = threading.Event()
        self.scheme = "http"

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """Every path alike."""

    server: Server

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """As told."""
        self.server.seen.append((self.command, self.path, self.headers.get("Authorization")))
        self.server.say(self)

    do_POST = do_GET  # noqa: N815


def answer(handler: BaseHTTPRequestHandler, status: int, text: str | bytes = "", **headers: str) -> None:
    """Send an answer."""
    body = text if isinstance(text, bytes) else text.encode()
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@pytest.fixture
def server() -> Iterator[Server]:
    """One that speaks HTTP."""
    yield from serving(Server())


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[tuple[Server, Path]]:
    """One that speaks HTTPS, and the certificate that it is signed by: its own."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(certificate)]
        + ["-days", "2", "-subj", "/CN=oc.example.com", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True,
        capture_output=True,
    )
    made = Server()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    made.socket = context.wrap_socket(made.socket, server_side=True)
    made.scheme = "https"
    for one in serving(made):
        yield one, certificate


def serving(made: Server) -> Iterator[Server]:
    """It serves until it is closed."""
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.ended.set()
    made.shutdown()
    thread.join()
    made.server_close()


def failed(ask: Callable[[], object]) -> ClientError:
    """Why there was no answer; no secret is in it, nor in what led to it."""
    with pytest.raises(ClientError) as caught:
        ask()
    error: BaseException | None = caught.value
    while error is not None:
        assert TOKEN not in f"{error!r} {error}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return caught.value


def test_a_user_s_token_goes_along_and_json_comes_back(server: Server) -> None:
    server.say = lambda handler: answer(handler, 200, '{"a": 1}', X_Jenkins="2.555")
    assert Client(server.url + "/", "jo", TOKEN, None, True).json("/api/json?tree=a") == {"a": 1}
    wanted = "Basic " + base64.b64encode(f"jo:{TOKEN}".encode()).decode()
    assert server.seen == [("GET", "/api/json?tree=a", wanted)]
    assert Client(server.url).ask("/x", "POST").headers["x-jenkins"] == "2.555"
    assert server.seen[1] == ("POST", "/x", None)


def test_what_the_url_itself_says_of_a_user_is_used_and_not_shown(server: Server) -> None:
    server.say = lambda handler: answer(handler, 500)
    one = Client(server.url.replace("//", f"//jo:{TOKEN}@"), allow_http=True)
    assert one.url == server.url
    assert failed(lambda: one.get("/x")).kind == client.STATUS
    assert server.seen[0][2] == "Basic " + base64.b64encode(f"jo:{TOKEN}".encode()).decode()


@pytest.mark.parametrize(
    "target", ["/login?from=%2F", "http://idp.example.com/saml2?token=5", "//evil.example.com/", ""]
)
def test_a_redirect_is_an_answer_and_no_credentials_go_there(server: Server, target: str) -> None:
    server.say = lambda handler: answer(handler, 302, "", Location=target)
    error = failed(lambda: Client(server.url, "jo", TOKEN, None, True).json("/manage/configure"))
    assert error.kind == (client.SIGN_IN if "login" in target or "saml" in target else client.STATUS)
    assert "token=5" not in str(error)
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("user", "status", "text", "headers", "kind", "words"),
    [
        ("jo", 401, "", {}, client.SIGN_IN, "valid API token and the permission Overall/Read"),
        ("", 401, "", {}, client.SIGN_IN, "valid API token"),
        ("jo", 403, "", {}, client.FORBIDDEN, "lacks the permission Overall/Read"),
        ("", 403, "", {}, client.SIGN_IN, "telemetry_user"),
        ("jo", 404, "", {}, client.ABSENT, "no such page"),
        ("jo", 503, "Please wait while Jenkins is getting ready to work", {}, client.STARTING, "is starting"),
        ("jo", 503, "<title>Starting Jenkins</title>", {}, client.STARTING, "is starting"),
        ("jo", 503, "no healthy upstream", {}, client.STATUS, "answers 503"),
        ("jo", 500, "", {}, client.STATUS, "answers 500"),
        ("jo", 200, "<!DOCTYPE html><html>", {}, client.CONTENT, "an HTML page and no JSON"),
        ("jo", 200, "{", {}, client.CONTENT, "answers no JSON"),
        ("jo", 200, "[" * 100_000, {}, client.CONTENT, "answers no JSON"),
        ("jo", 200, "[]", {}, client.CONTENT, "something else"),
        ("jo", 200, "{" + " " * 5_000_000, {}, client.TOO_LARGE, "more than 4194304 bytes"),
    ],
)
def test_every_reason_has_its_kind(
    server: Server, user: str, status: int, text: str, headers: dict[str, str], kind: str, words: str
) -> None:
    server.say = lambda handler: answer(handler, status, text, **headers)
    error = failed(
        lambda: Client(server.url, user, TOKEN if user else "", None, True).json("/x?y=z", need="Overall/Read")
    )
    assert error.kind == kind
    assert words in str(error)
    assert "y=z" not in str(error)


def test_the_permission_that_the_product_names_is_said_and_nothing_else(server: Server) -> None:
    one = Client(server.url, "jo", TOKEN, None, True)
    server.say = lambda handler: answer(handler, 403, "", X_Required_Permission="hudson.model.Hudson.Administer")
    assert "lacks the permission hudson.model.Hudson.Administer" in str(failed(lambda: one.get("/x")))
    server.say = lambda handler: answer(handler, 403, "", X_Required_Permission="##[error] <b>")
    assert str(failed(lambda: one.get("/x"))).endswith("lacks a permission")


def _echo(handler: BaseHTTPRequestHandler, form: str) -> str:
    """What a peer was sent, in a form in which it may come back."""
    basic = str(handler.headers["Authorization"]).partition(" ")[2]
    plain = base64.b64decode(basic).decode()
    return {
        "token": TOKEN,
        "basic": basic,
        "both": plain,
        "quoted": urllib.parse.quote(plain, safe=""),
        "references": "".join(f"&#x{ord(char):x};" for char in TOKEN),
        "escapes": "".join(f"\\u{ord(char):04X}" for char in TOKEN),
        "escaped slashes": basic.replace("/", "\\/"),
        "quoted throughout": "".join(f"%{ord(char):02x}" for char in TOKEN),
    }[form]


ECHOES: dict[str, Callable[[BaseHTTPRequestHandler, str], object]] = {
    "status line": lambda handler, said: handler.wfile.write(f"HTTP/{said} 200 OK\r\n\r\n".encode()),
    "no status line": lambda handler, said: handler.wfile.write(f"{said}\r\n\r\n".encode()),
    "reason": lambda handler, said: handler.wfile.write(f"HTTP/1.1 500 {said}\r\n\r\n{said}".encode()),
    "redirect": lambda handler, said: answer(handler, 302, said, Location=f"http://x.example.com/a/{said}/b"),
    "redirect by name": lambda handler, said: answer(handler, 302, said, Location=f"http://{said}.example.com/"),
    "login": lambda handler, said: answer(handler, 302, said, Location=f"/login/{said}?from={said}"),
    "permission": lambda handler, said: answer(handler, 403, said, X_Required_Permission=said),
    "chunk": lambda handler, said: handler.wfile.write(
        f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{said}\r\n".encode()
    ),
    "page": lambda handler, said: answer(handler, 200, ECHOED.format(said), Content_Type="text/html"),
    "export": lambda handler, said: answer(handler, 200, f"unclassified: {{usageStatisticsCloudBees: '{said}'}}"),
    "json": lambda handler, said: answer(handler, 200, f'{{"a\\u0022\\\\": "{said}"}}'),
    "packed": lambda handler, said: answer(
        handler, 200, gzip.compress(ECHOED.format(said).encode()), Content_Encoding="gzip"
    ),
}
#: The page of the checkbox, its help and the list behind that in one.
ECHOED = """<input type="checkbox" name="_.usageStatisticsCollected" checked><label>CloudBees {0}</label>
<a helpURL="/descriptor/{0}.UsageStatisticsCloudBees/help/usageStatisticsCollected"></a><a href="/list?{0}">x</a>
<table><tr><th>Name</th><th>Description</th></tr><tr><td>event {0}</td><td>of {0}</td></tr></table>"""


@pytest.mark.parametrize(
    "form", ["token", "basic", "both", "quoted", "references", "escapes", "escaped slashes", "quoted throughout"]
)
@pytest.mark.parametrize("way", ECHOES)
def test_what_a_peer_says_back_of_a_token_is_in_no_result(
    server: Server, capfd: pytest.CaptureFixture[str], way: str, form: str
) -> None:
    server.say = lambda handler: ECHOES[way](handler, _echo(handler, form))
    basic = base64.b64encode(f"jo:{TOKEN}".encode()).decode()
    one = Client(server.url, "jo", TOKEN, None, True)
    said: list[str] = []
    for ask in (lambda: one.ask("/x", timeout=5), lambda: one.get("/x", timeout=5), lambda: one.json("/x", timeout=5)):
        try:
            said.append(repr(ask()))
        except ClientError as error:
            said.append(repr(error))
    access = Access(server.url, "jo", TOKEN, "", True)
    said += [repr(of_toggle(access, True)), repr(of_events(access)), *capfd.readouterr()]
    for text in said:
        assert TOKEN not in text and basic not in text and basic.rstrip("=") not in text, text
    assert {one[2] for one in server.seen} == {"Basic " + basic}


def test_a_page_that_is_led_to_is_named_without_the_token(server: Server) -> None:
    """The help of the checkbox may link to anything on the same address, the token in its path or for its name."""
    said = "".join(f"&#{ord(char)};" for char in TOKEN)
    for link in (f"/a/{said}/b", "/a/" + "".join(f"%{ord(char):x}" for char in TOKEN), f"http://{said}/"):
        for status in (200, 500):

            def say(handler: BaseHTTPRequestHandler, link: str = link, status: int = status) -> None:
                page = ECHOED.format("x").replace("/list?x", link)
                answer(handler, 200 if "/a/" not in handler.path else status, page, Content_Type="text/html")

            server.say = say
            found = repr(of_events(Access(server.url, "jo", TOKEN, "", True)))
            assert TOKEN not in urllib.parse.unquote(found) and "…" in found, found


def test_json_is_what_it_says(server: Server) -> None:
    said = r'{"a\\u0041\u0041\"\u0022": "\\/\/\u005c\u005Cn\u00e9\u007f\ud83d\ude00"}'
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32-le"):
        server.say = lambda handler, encoding=encoding: answer(handler, 200, said.encode(encoding))
        assert Client(server.url, "jo", TOKEN, None, True).json("/x") == json.loads(said)


@pytest.mark.parametrize("token", ["tok\ud800", "tok\udc80", "\udfff" * 9], ids=["half", "byte", "many"])
def test_half_a_character_in_a_token_asks_and_is_said(server: Server, token: str) -> None:
    """YAML's escapes make it; the toggle was silently not asked, and the events ended what asked for them."""
    server.say = lambda handler: answer(handler, 401)
    entry = {"name": "cm", "service": "cm.service", "toggle": {"declared": {}, "on_disk": {}}, "events": {}}
    variables = {
        "telemetry_toggle_served": True,
        "telemetry_events": "served",
        "telemetry_allow_http": True,
        "telemetry_url": server.url,
        "telemetry_user": "jo",
        "telemetry_token": token,
    }
    state = {"installations": [entry]}
    one = with_served(state, variables)["installations"][0]["toggle"]["served"]
    other = with_events(state, variables)["installations"][0]["events"]["served"]
    for found in (one, other):
        assert "unknown" in found.values() and "answer" in found["reason"], found
        assert token not in found["reason"]


def test_an_older_core_has_its_export_elsewhere(server: Server) -> None:
    def say(handler: BaseHTTPRequestHandler) -> None:
        found = (handler.command, handler.path) == ("POST", "/configuration-as-code/export")
        text = "unclassified: {usageStatisticsCloudBees: {usageStatisticsCollected: false}}"
        answer(handler, 200 if found else 404, text if found else "")

    server.say = say
    assert of_toggle(Access(server.url, "jo", TOKEN, "", True)) == ({"collected": False, "mark": "export"}, "")


def test_a_short_password_does_not_blank_answers(server: Server) -> None:
    server.say = lambda handler: answer(handler, 200, '{"a": "abc"}')
    assert Client(server.url, "jo", "a", None, True).json("/x") == {"a": "abc"}


def test_a_peer_that_drips_or_is_silent_is_left_behind(server: Server) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        with contextlib.suppress(OSError):
            while not server.ended.wait(0.05):
                handler.wfile.write(b"x")

    server.say = drip
    assert failed(lambda: Client(server.url).get("/x", timeout=0.3)).kind == client.LATE
    server.say = lambda _handler: (server.ended.wait(20), None)[1]
    assert failed(lambda: Client(server.url).get("/x", timeout=0.3)).kind == client.UNREACHABLE


@pytest.mark.parametrize(
    "say",
    [
        lambda handler: handler.wfile.write(b"no HTTP at all\r\n\r\n"),
        lambda handler: handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"),
        lambda handler: handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n"),
        lambda handler: handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n"),
        lambda handler: handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nno gzip"),
        lambda handler: None,
    ],
)
def test_what_is_no_answer_is_said_and_raises_nothing_else(server: Server, say: Say) -> None:
    server.say = say
    assert failed(lambda: Client(server.url, "jo", TOKEN, None, True).json("/x")).kind in (
        client.UNREACHABLE,
        client.CONTENT,
    )


@pytest.mark.parametrize(
    ("status", "kind"), [(401, client.SIGN_IN), (403, client.FORBIDDEN), (404, client.ABSENT), (500, client.STATUS)]
)
@pytest.mark.parametrize(
    "body",
    [
        b"Transfer-Encoding: chunked\r\n\r\nzz\x1b[31mEVIL\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"Content-Length: 99\r\n\r\nabc",
        b"Content-Length: -1\r\n\r\n",
        b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
    ],
    ids=["no chunk", "a cut chunk", "cut", "a negative length", "no gzip"],
)
def test_a_status_counts_also_where_what_it_comes_with_is_broken(
    server: Server, capfd: pytest.CaptureFixture[str], status: int, kind: str, body: bytes
) -> None:
    server.say = lambda handler: handler.wfile.write(b"HTTP/1.1 %d Said\r\nConnection: close\r\n" % status + body)
    error = failed(lambda: Client(server.url, "jo", TOKEN, None, True).get("/x", timeout=5))
    assert error.kind == kind and f"/x answers {status}" in str(error)
    assert capfd.readouterr() == ("", "")


PACKED = gzip.compress(b"{}" * 100, mtime=0)


@pytest.mark.parametrize(
    "body", [PACKED[:-12], PACKED[:10] + b"\xff" * 20, PACKED[:5]], ids=["cut", "damaged", "cut in its head"]
)
def test_what_cannot_be_unpacked_is_no_answer(server: Server, capfd: pytest.CaptureFixture[str], body: bytes) -> None:
    server.say = lambda handler: answer(handler, 200, body, Content_Encoding="gzip")
    error = failed(lambda: Client(server.url, "jo", TOKEN, None, True).json("/x", timeout=5))
    assert error.kind in (client.CONTENT, client.UNREACHABLE)
    assert "does not come to the end" not in str(error)
    assert capfd.readouterr() == ("", "")


def test_nobody_there() -> None:
    assert failed(lambda: Client("http://127.0.0.1:9", "jo", TOKEN, None, True).get("/x")).kind == client.UNREACHABLE


@pytest.mark.parametrize(
    "url",
    [
        "",
        "file:///etc/passwd",
        "ftp://a/",
        "https://",
        f"https://a/?t={TOKEN}",
        f"h://jo:{TOKEN}@a/",
        "http://a b/",
        "x",
    ],
)
def test_what_is_no_address_is_asked_nothing_and_not_shown(url: str) -> None:
    assert failed(lambda: Client(url, "jo", TOKEN).get("/x")).kind == client.ADDRESS


def test_a_certificate_is_taken_from_the_file_that_is_named_and_else_not(secured: tuple[Server, Path]) -> None:
    server, certificate = secured
    assert Client(server.url, "jo", TOKEN, str(certificate)).json("/x") == {}
    error = failed(lambda: Client(server.url, "jo", TOKEN, None, True).json("/x"))
    assert error.kind == client.CERTIFICATE
    assert "telemetry_ca_file" in str(error)
    assert len(server.seen) == 1, "no credentials went to the one that is not trusted"
    assert failed(lambda: Client(server.url, ca_file=str(certificate) + ".gone").json("/x")).kind in (
        client.UNREACHABLE,
        client.CERTIFICATE,
    )


@pytest.mark.parametrize(
    ("url", "token", "is_refused"),
    [
        ("http://cm.example.invalid/", TOKEN, True),
        (f"http://jo:{TOKEN}@cm.example.invalid/", "", True),
        (f"http://:{TOKEN}@cm.example.invalid/", "", True),
        ("http://localhost@cm.example.invalid/", TOKEN, True),
        ("http://127.0.0.1:9/", TOKEN, True),
        ("http://localhost:9/", TOKEN, True),
        ("http://[::1]:9/", TOKEN, True),
        ("http://127.0.0.1:9/", "", False),
        ("https://127.0.0.1:9/", TOKEN, False),
    ],
)
def test_where_a_token_could_be_read_on_the_way(url: str, token: str, is_refused: bool) -> None:
    """On this machine, too: others may listen on a port of it."""
    error = failed(lambda: Client(url, "jo" if token else "", token).get("/x"))
    assert ("has no TLS" in str(error)) is is_refused and TOKEN not in str(error)
    assert error.kind == (client.ADDRESS if is_refused else client.UNREACHABLE)
    allowed = failed(lambda: Client(url, "jo" if token else "", token, None, True).get("/x", timeout=1))
    assert "has no TLS" not in str(allowed)


def test_every_door_knows_it(server: Server) -> None:
    """Whoever asks with a token is told the same, and each has its way to allow it."""
    url = server.url
    entry = {"name": "cm", "service": "cm.service", "toggle": {"declared": {}, "on_disk": {}}, "events": {}}
    state = {"installations": [entry]}
    variables = {"telemetry_toggle_served": True, "telemetry_events": "served"}
    named = {"url": url, "user": "jo", "token": TOKEN}
    by_name = {**variables, "telemetry_controllers": {"cm": named}}
    by_url = {**variables, **{f"telemetry_{name}": value for name, value in named.items()}}
    for asked in (by_name, by_url):
        one = with_served(state, asked)["installations"][0]["toggle"]["served"]["reason"]
        other = with_events(state, asked)["installations"][0]["events"]["served"]["reason"]
        assert "has no TLS" in one and "has no TLS" in other
    with pytest.raises(ControllerError, match="has no TLS"):
        Controller(url, "jo", TOKEN).quiet()
    assert "has no TLS" in str(centers_asked([named])[url])
    assert server.seen == []

    by_name["telemetry_controllers"] = {"cm": {**named, "allow_http": "yes"}}
    for allowed in (by_name, {**by_url, "telemetry_allow_http": "yes"}):
        before = len(server.seen)
        with_served(state, allowed)
        with_events(state, allowed)
        assert len(server.seen) > before + 1
    for odd in (
        {**by_url, "telemetry_allow_http": "perhaps"},
        {**by_name, "telemetry_controllers": {"cm": {**named, "allow_http": 7}}},
    ):
        before = len(server.seen)
        with_served(state, odd)
        with_events(state, odd)
        assert len(server.seen) == before, "a policy that is not valid asks nobody"


#: Asks, forgets what it was told, and ends as after a fault of the interpreter.
FAULT = """
import os, resource, sys
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product import _client
os.chdir(sys.argv[1])
resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
if sys.argv[3] == "open":
    _client._leave_no_core = lambda: None
client = _client.Client(sys.argv[2], "jo", os.environ["OC_TOKEN"], None, True)
assert "export" in client.get("/x").text
print("asked", flush=True)
os.abort()
"""


@pytest.mark.parametrize("way", ["open", "shut"])
def test_no_core_holds_an_export(server: Server, tmp_path: Path, way: str) -> None:
    """Without what shuts it a core is written, and both are in it: Python promises no wiped memory."""
    if not Path("/proc/sys/kernel/core_pattern").read_text().startswith("core"):
        pytest.skip("cores of this machine go elsewhere")
    if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        pytest.skip("no core may be written here")
    word = secrets.token_hex(8)
    server.say = lambda handler: answer(handler, 200, f"the export: planted-{word}\n" * 50)
    done = subprocess.run(
        [sys.executable, "-c", FAULT, str(tmp_path), server.url, way],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "OC_TOKEN": TOKEN, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout == "asked\n" and done.returncode == -signal.SIGABRT, done.stderr
    cores = list(tmp_path.iterdir())
    if way == "shut":
        assert cores == []
    else:
        (core,) = cores
        data = core.read_bytes()
        assert f"planted-{word}".encode() in data and TOKEN.encode() in data
        core.unlink()


def test_nobody_else_looks_into_its_memory(server: Server) -> None:
    """Not dumpable (PR_GET_DUMPABLE), so that its memory is root's alone to read, and a core of it is nobody's."""
    server.say = lambda handler: answer(handler, 200, "the export")
    script = FAULT.replace(
        "os.abort()",
        "import ctypes; print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), resource.getrlimit(resource.RLIMIT_CORE)[0])",
    )
    for way, told in (("open", "1 "), ("shut", "0 1")):
        done = subprocess.run(
            [sys.executable, "-c", script, "/", server.url, way],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            env={**os.environ, "OC_TOKEN": TOKEN, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert done.stdout.splitlines()[1].startswith(told)

"""The worst case of every reader: four times the input takes about four times the work, or there is a limit.

Whoever may write one of these files, or answers from the network, chooses its content. So each reader is either linear
in what it reads (CPU time at two sizes, each the least of several runs), or has a budget after which its answer is
"unresolvable" with the reason (steps are counted). The budgets are small here, so that the tests are quick.
"""

from __future__ import annotations

import functools
import gc
import io
import json
import socket
import ssl
import struct
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hostroot import FLAG, Host

from ansible_collections.cbops.telemetry.plugins.module_utils.edit import _candidates
from ansible_collections.cbops.telemetry.plugins.module_utils.edit._writing import Refused
from ansible_collections.cbops.telemetry.plugins.module_utils.host import _file_systems
from ansible_collections.cbops.telemetry.plugins.module_utils.host._files import HostFiles
from ansible_collections.cbops.telemetry.plugins.module_utils.java import _jenkins_home, _proxy_settings
from ansible_collections.cbops.telemetry.plugins.module_utils.java import _jvm as jvm
from ansible_collections.cbops.telemetry.plugins.module_utils.java import _tomcat as tomcat
from ansible_collections.cbops.telemetry.plugins.module_utils.launch import (
    _declarations,
    _definition,
    _discovery,
    _environment,
    _live,
    _outcome,
    _unit,
    _unit_syntax,
)
from ansible_collections.cbops.telemetry.plugins.module_utils.launch import _service_manager as service_manager
from ansible_collections.cbops.telemetry.plugins.module_utils.probe import _connect, _proxies
from ansible_collections.cbops.telemetry.plugins.module_utils.probe import _connectivity as connectivity
from ansible_collections.cbops.telemetry.plugins.module_utils.probe import _tls as tls
from ansible_collections.cbops.telemetry.plugins.module_utils.probe import _truststore as truststore
from ansible_collections.cbops.telemetry.plugins.module_utils.running import _attach as attach
from ansible_collections.cbops.telemetry.plugins.module_utils.running import _proc
from ansible_collections.cbops.telemetry.plugins.module_utils.running import _scan as scan
from ansible_collections.cbops.telemetry.plugins.module_utils.shell import _login as login
from ansible_collections.cbops.telemetry.plugins.module_utils.shell import _parser as syntax
from ansible_collections.cbops.telemetry.plugins.module_utils.shell import _words
from ansible_collections.cbops.telemetry.plugins.module_utils.shell._arithmetic import value_of
from ansible_collections.cbops.telemetry.plugins.module_utils.shell._cursor import ShellSyntaxError
from ansible_collections.cbops.telemetry.plugins.module_utils.text import _value
from ansible_collections.cbops.telemetry.plugins.plugin_utils import _text as text_utils
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect import _carrier as carrier
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect import _gate as gate
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence import _reading as reading
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy import _inventory as inventory
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart._controller import Controller

RATIO = 4 * 2.5  # generous: what is quadratic takes sixteen times as long
LEAST = 0.005  # seconds; below it a clock measures itself
WAR = "/opt/cloudbees-core-cm.war"
Reader = Callable[[str], Any]


def _followed(launcher: str, more: dict[str, str | None]) -> _outcome.Outcome:
    """A launch script as an audit and an edit read it: verdict, live file, all mentions, a plan."""
    files = HostFiles("/nonexistent").with_candidates({"/etc/init.d/jenkins": launcher, **more})
    definition = _definition.init_definition("jenkins")
    outcome = _outcome.outcome(definition, files)
    live = _live.live_of(definition, files, outcome)
    _declarations.declarations(definition, outcome, live, files)
    for wanted in (_outcome.DISABLED, _outcome.ENABLED):
        try:
            _candidates.plan(definition, files, outcome, live, wanted)
        except Refused:
            pass
    return outcome


def launch_file(text: str) -> _outcome.Outcome:
    """As a launch file that its launcher sources."""
    return _followed(f"#!/bin/bash\n. /etc/x\nexec java $JAVA_ARGS $JAVA_OPTS -jar {WAR}\n", {"/etc/x": text})


def launch_script(text: str) -> _outcome.Outcome:
    """As the launch script itself."""
    return _followed(f"#!/bin/bash\n{text}\nexec java $JAVA_OPTS -jar {WAR}\n", {})


def text_of_a_file(text: str) -> _outcome.Outcome:
    """As a file whose text a launch script puts into words."""
    printed = "grep -v '^#' /etc/y | sed -e 's/a#.*$//' -e '/b#c/d' | tr '\\n' ' ' | xargs"
    return _followed(
        f"#!/bin/bash\nJAVA_OPTS=$({printed})\nfor o in $(cut -d= -f2 /etc/y); do X=$o; done\n"
        f"exec java $JAVA_OPTS -jar {WAR}\n",
        {"/etc/y": text},
    )


def parsed(text: str) -> None:
    for dialect in (syntax.BASH, syntax.DASH):
        try:
            syntax.parse(_value.Text(text, "/etc/x"), dialect)
        except ShellSyntaxError:
            pass


def unit_file(text: str) -> None:
    """As a unit with all that follows from it."""
    files = HostFiles("/nonexistent").with_candidates({"/etc/systemd/system/jenkins.service": text})
    try:
        unit = _unit.build(
            "jenkins.service",
            "/etc/systemd/system/jenkins.service",
            (),
            _unit_syntax.parse_unit(text, "/etc/systemd/system/jenkins.service"),
            files,
        )
    except _value.Unresolvable:
        return
    definition = _definition.definition_of(unit)
    outcome = _outcome.outcome(definition, files)
    _declarations.declarations(definition, outcome, _live.live_of(definition, files, outcome), files)


def environment_file(text: str) -> None:
    try:
        _environment.parse_environment_file(text, "/etc/x")
    except _value.Unresolvable:
        pass


def tomcat_configuration(text: str) -> None:
    try:
        tomcat.wars(HostFiles("/nonexistent").with_candidates({"/opt/t/conf/server.xml": text}), "/opt/t")
    except _value.Unresolvable:
        pass


def pam(text: str) -> None:
    files = HostFiles("/nonexistent").with_candidates(
        {"/etc/pam.d/su": "session required pam_env.so\n", "/etc/environment": text}
    )
    login.pam_environment(files, "su")


def pam_configuration(text: str) -> None:
    try:
        login.pam_environment(HostFiles("/nonexistent").with_candidates({"/etc/pam.d/su": text}), "su")
    except _value.Unresolvable:
        pass


def xml(text: str) -> None:
    try:
        _jenkins_home.children(text)
    except ValueError:
        pass


def manifest(text: str) -> None:
    _jenkins_home.manifest_of(text.encode("latin-1"))
    scan._is_product(text.encode("latin-1"))
    scan._first_manifest(text.encode("latin-1"))


def init_script(text: str) -> None:
    """As an init script, a crontab and the script that a unit starts: what tells whether it is of interest."""
    files = HostFiles("/nonexistent").with_candidates(
        {
            "/etc/init.d/x": f"#!/bin/sh\n{text}",
            "/var/spool/cron/crontabs/alice": text,
            "/start": f"#!/bin/sh\n{text}",
            "/etc/systemd/system/y.service": "[Service]\nExecStart=/start\n",
        }
    )
    _discovery.discover(files)


def proxy_exception(text: str) -> None:
    for rule in ("jenkins", "java", "environment"):
        _proxies.exception_for(_proxies.Route("p", 1, "x", rule, (text,)), "a" * len(text))


def proxy_exceptions(text: str) -> None:
    """As the exceptions in a JVM's options and in its environment."""
    options = ["-Dhttps.proxyHost=p", f"-Dhttp.nonProxyHosts={text}"]
    by_options = _proxies.of_properties(_proxy_settings.properties(options), "x")
    by_environment = _proxies.of_environment(
        _proxy_settings.variables({"https_proxy": "http://p:1", "no_proxy": text}), "x"
    )
    _proxies.paths(by_options.routes + by_environment.routes, "api.segment.io")


def proxy_address(text: str) -> None:
    _proxies.of_environment(_proxy_settings.variables({"https_proxy": text}), "x")
    _proxies.of_properties({"https.proxyHost": text, "javax.net.ssl.trustStore": "/" + text}, "x")
    _proxies.of_environment({"https_proxy": text}, "x")


def proxies(text: str) -> None:
    """As many places that all name the same proxy."""
    network = _proxies.joined(
        [_proxies.Network((_proxies.Route("p", 1, place, "java"),), (place,), None) for place in text.split()]
    )
    _proxies.paths(network.routes, "api.segment.io")


class Peer:
    """A connection on which the bytes of a text arrive, one by one or all at once."""

    kept = b""

    def __init__(self, data: bytes, size: int) -> None:
        self._parts = [data[at : at + size] for at in range(0, len(data), size)][::-1]

    def send(self, data: bytes) -> None:
        """Nobody listens."""

    send_at_once = send

    def receive(self) -> bytes:
        """The next bytes."""
        return self._parts.pop() if self._parts else b""


def http_answer(text: str) -> None:
    """As what a proxy or endpoint answers."""
    for size in (1, 1 << 16):
        try:
            connectivity._ask(Peer(text.encode("latin-1"), size), "HEAD", rest=True)
        except connectivity._NoHttp:
            pass


def addresses(text: str) -> None:
    """As many addresses of one name, in DNS."""
    found = [
        _connect.Candidate(socket.AF_INET, (f"192.0.2.{number}", port))
        for port in range(len(text) >> 8)
        for number in range(256)
    ]
    try:
        _connect.interleave(_connect._few("api.segment.io", [*found, *found]))
    except _connect.Finding:
        pass


def name_servers(text: str) -> None:
    with tempfile.NamedTemporaryFile("w", encoding="latin-1") as file:
        file.write(text)
        file.flush()
        _connect._resolver_problem(file.name)


@functools.cache
def _server() -> tuple[Path, str]:
    """A folder with a key, and a certificate that nobody trusts."""
    folder = Path(tempfile.mkdtemp())
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-keyout",
            folder / "key",
            "-out",
            folder / "leaf",
            "-subj",
            "/CN=x",
            "-days",
            "2",
        ],
        check=True,
        capture_output=True,
    )
    return folder, (folder / "leaf").read_text()


def tls_chain(text: str) -> None:
    """As long a chain of certificates, byte by byte, to the end of a handshake that does not trust it."""
    folder, leaf = _server()
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (folder / "chain").write_text(leaf * (1 + len(text) // len(ssl.PEM_cert_to_DER_cert(leaf))))
    server_side.load_cert_chain(folder / "chain", folder / "key")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_side.wrap_bio(incoming, outgoing, server_side=True)

    class Server(Peer):
        def __init__(self) -> None:
            self._parts = []

        def send(self, data: bytes) -> None:
            incoming.write(data)
            try:
                server.do_handshake()
            except ssl.SSLError:
                pass
            answer = outgoing.read()
            self._parts[:0] = [answer[at : at + 1] for at in range(len(answer))][::-1]

    entry = connectivity._entry(connectivity._Path("x", 443, None, connectivity.Options(), 0.0))
    with pytest.raises(_connect.Finding) as caught:
        tls.handshake(entry, Server(), tls.Trust(tls.context_of(None)), "x", "x", 5.0)  # type: ignore[arg-type]
    assert caught.value.outcome == "tls_untrusted"
    assert entry["tls"]["issuer"] == "CN=x"


def certificate(text: str) -> None:
    """As all parts of a certificate's name, and as its fields."""

    def der(tag: int, content: bytes) -> bytes:
        return bytes([tag]) + b"\x84" + len(content).to_bytes(4, "big") + content

    part = der(0x31, der(0x30, b"\x06\x03\x55\x04\x03" + der(0x1E, b"\0,")))
    data = text.encode("latin-1")
    name = der(
        0x30,
        part * (len(data) // (3 * len(part)))
        + der(0x31, der(0x30, b"\x06\x03\x55\x04\x03" + der(0x0C, data[: len(data) // 3]))),
    )
    validity = der(0x30, b"\x17\x0d300101000000Z" * 2)
    truststore.certificate(der(0x30, der(0x30, b"\x02\x01\x01\x30\0" + name + validity + name + b"\x30\0")))
    for content in (b"\x05\0" * (len(data) // 2), b"\x30\x84" * (len(data) // 2)):
        try:
            truststore.certificate(der(0x30, der(0x30, content)))
        except ValueError:
            pass


def pem(text: str) -> None:
    truststore.identities(truststore.pem(text.encode("latin-1")))


@functools.cache
def _authority() -> bytes:
    return ssl.PEM_cert_to_DER_cert(_server()[1])


def authorities(text: str) -> None:
    """As so many authorities of a JVM's store, each with a name of its own, before OpenSSL."""
    der = _authority()
    at = der.rindex(b"\x55\x04\x03", 0, der.index(b"\x30\x59\x30\x13")) + 5  # in the subject
    tls.context_of(
        None,
        [
            der[:at] + bytes([0x21 + number // 90 % 90]) + der[at + 1 : -3] + number.to_bytes(3, "big")
            for number in range(min(len(text), truststore.LIMIT_CERTIFICATES))
        ],
    )


def properties(text: str) -> None:
    """As what a JVM says of itself."""
    attach.parse_properties(text.encode("latin-1"))


def process(text: str) -> None:
    """As what /proc shows of a process whose owner chose it."""
    with tempfile.TemporaryDirectory() as proc:
        own = Path(proc, "1")
        own.mkdir()
        for name in ("stat", "status", "cgroup", "maps", "cmdline", "environ", "mountinfo"):
            (own / name).write_bytes(text.encode("latin-1"))
        (own / "stat").write_bytes(b"1 (" + text.encode("latin-1") + b") S" + b" 9" * 40)
        for read in (
            lambda: scan.sighted(proc, 1),
            lambda: _proc.cgroup_of(1, proc),
            lambda: _proc.status(1, proc),
            lambda: scan._libraries(str(own / "maps")),
            lambda: _file_systems._mounts(str(own / "mountinfo")),
            lambda: _proc.arguments(str(own)),
        ):
            try:
                read()
            except (OSError, ValueError, IndexError):
                pass


# -- on the control node ------------------------------------------------------------------------------


def answer(text: str) -> None:
    """As what a host answers: within its marks, and around them."""
    try:
        gate.admitted("telemetry_info", gate.read(text))
    except gate.NotAdmitted:
        pass
    carrier.answer_of(text, "<cbops 1", "1 cbops>")
    carrier.last_line(text)
    carrier.one_line(text)
    carrier._NO_TTY.search(text)


def shown(text: str) -> None:
    """As a string of an answer, in each way in which it is shown."""
    text_utils.visible(text)
    text_utils.visible_json(json.dumps(text, ensure_ascii=False))
    text_utils.markdown_cell(text)


def filed(text: str) -> None:
    """As a file in a folder of reports."""
    try:
        reading.parsed(text)
    except ValueError:
        pass


def builds(text: str) -> None:
    """As what a controller's web interface says of its builds."""
    controller = Controller("https://controller.example.com")
    controller._ask = lambda *_question, **_how: (200, text)  # type: ignore[method-assign]
    for ask in (controller.builds, controller.quiet, controller.is_ready):
        try:
            ask()
        except Exception as error:  # noqa: BLE001  its own error, of whatever it says
            assert type(error).__name__ == "ControllerError"


def merge_request(text: str) -> None:
    """As an inventory that nobody has looked at yet."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("hosts.yml", "hosts.ini"):
            Path(folder, name).write_text(text, encoding="latin-1")
            try:
                inventory.take(name, folder)
            except inventory.InventoryError:
                pass


def java_store(text: str) -> None:
    try:
        truststore._pkcs12(text.encode("latin-1"))
    except (ValueError, truststore.Unreadable):
        pass


def jks(text: str) -> None:
    try:
        truststore._jks(text.encode("latin-1"))
    except (ValueError, struct.error):
        pass


def option_files(text: str) -> None:
    """As an ``@file`` among a JVM's options, and as the options themselves."""
    for words in (["@/f"], text.split()):
        try:
            jvm.expand_files(words, lambda _path: text)
        except _value.Unresolvable:
            pass
    jvm.decide([("x", jvm.split_environment(text)), ("y", jvm.split_argfile(text))])


def _long_der(count: int) -> str:
    """Elements that each claim all that follows as their own."""

    def length(size: int) -> bytes:
        return b"\x84" + size.to_bytes(4, "big")

    data = b"\x06\x09" + truststore._DATA
    number = count // 23
    body = b"".join(
        b"\x30\x15" + data + b"\xa0\x08\x04\x06\x30" + length(23 * (number - one - 1)) for one in range(number)
    )
    inner = b"\x30" + length(len(body)) + body
    octets = b"\x04" + length(len(inner)) + inner
    safe = data + b"\xa0" + length(len(octets)) + octets
    return (b"\x30" + length(len(safe) + 9) + b"\x02\x01\x03" + b"\x30" + length(len(safe)) + safe).decode("latin-1")


def _times(piece: str, end: str = "", start: str = "") -> Callable[[int], str]:
    return lambda size: start + piece * (size // len(piece)) + end


#: Name -> reader, its input of about a size, and the size at which it takes some milliseconds.
CASES: dict[str, tuple[Reader, Callable[[int], str], int]] = {
    # Tomcat
    "open tags": (tomcat_configuration, _times("<Context "), 20000),
    "open tags, one end": (tomcat_configuration, _times("<Context ", ">"), 20000),
    "open comments": (tomcat_configuration, _times("<!--"), 200000),
    "open attributes": (tomcat_configuration, _times("<Context docBase='x\" "), 20000),
    "blanks in tags": (tomcat_configuration, _times(" ", start="<Context docBase"), 20000),
    "applications": (
        tomcat_configuration,
        lambda size: "".join(f"<Context docBase='{number}'/>" for number in range(size // 22)),
        5000,
    ),
    # the shell's parser
    "a plain line": (parsed, _times("a"), 200000),
    "plain words": (parsed, _times("a "), 4000),
    "commands": (parsed, _times("a;"), 4000),
    "open arithmetic": (parsed, _times("$((echo '(('); )\n"), 10000),
    "open arithmetic commands": (parsed, _times("((echo '(('); )\n"), 10000),
    "open quotes": (parsed, _times("'\""), 20000),
    "joined lines": (parsed, _times("a\\\n"), 10000),
    "a joined name": (parsed, _times("\\\na", start="$a"), 200000),
    "a name": (parsed, _times("a", start="$"), 200000),
    "here-documents": (parsed, _times("<<a "), 4000),
    "a here-document of joined lines": (parsed, _times("x\\\n", start=": <<a\n"), 20000),
    "comments": (parsed, _times("#\n"), 20000),
    "backticks": (parsed, _times("`a`"), 4000),
    "substitutions in substitutions": (parsed, _times("$("), 20000),
    "expansions in expansions": (parsed, _times("${a:-"), 20000),
    "functions of functions": (parsed, _times("f()"), 20000),
    "open brackets": (parsed, _times("a["), 20000),
    "array elements": (parsed, _times("a[1]=1 "), 8000),
    "escapes": (parsed, _times("\\x41", "'", "$'"), 8000),
    "cases": (parsed, _times("a|", "a) ;; esac", "case x in "), 6000),
    # what is printed of files
    "lines of a file": (text_of_a_file, _times("-Da=b\n"), 4000),
    "quotes in a file": (text_of_a_file, _times("'a'\"b\"\\c"), 4000),
    "places in a line": (text_of_a_file, _times("a=b#"), 4000),
    "words before java": (launch_script, _times("a ", f"java -jar {WAR}", start="nice "), 1000),
    "options before java": (launch_script, _times("-a ", f"java -jar {WAR}", start="nice "), 1000),
    "choices in braces": (launch_script, _times("-Da=b,", "}", "set -- {"), 20000),
    "decisions": (launch_script, _times("if [ -x /a ]; then java; else true; fi\n"), 8000),
    # what the shell makes of words
    "a long assignment by the environment": (
        launch_file,
        lambda size: f"export JAVA_TOOL_OPTIONS='{'-Da=b ' * (size // 6)}'",
        6000,
    ),
    "mentions in the environment": (
        launch_file,
        lambda size: f"export JAVA_TOOL_OPTIONS='{(FLAG + ' ') * (size // 60)}'",
        6000,
    ),
    "mentions that count": (launch_file, lambda size: f"JAVA_OPTS='{(FLAG + ' ') * (size // 60)}'", 6000),
    "mentions that are dead": (launch_file, _times(f"Y='{FLAG}'\n"), 6000),
    "mentions in one line": (launch_file, lambda size: f"Y='{(FLAG + ' ') * (size // 60)}'", 12000),
    "mentions in comments": (launch_file, _times(f"# {FLAG}\n"), 12000),
    "open braces": (launch_file, lambda size: "echo {" + "," * size, 20000),
    "many braces": (launch_file, _times("{a", start="echo "), 4000),
    "separators": (launch_file, lambda size: f"X='{' ' * size}'\nIFS=' :'\nset -- $X", 20000),
    "unknown words": (launch_file, _times("echo $(x) $Y\n"), 1500),
    "a replacement": (launch_file, lambda size: f"X={'a' * size}\nX=${{X//a/$X}}\nX=${{X//a/$X}}", 4000),
    "names": (launch_file, lambda size: "".join(f"V{number}=1\n" for number in range(size // 7)), 2000),
    # patterns
    "stars": (launch_file, lambda size: f"X={'a' * size}\ncase $X in {'*a' * (size // 2)}b) Y=1;; esac", 1000),
    "stars at the end": (launch_file, lambda size: f"X={'a' * size}\nY=${{X%{'*a' * (size // 2)}b}}", 1000),
    "open sets": (launch_file, lambda size: f"case x in {'[' * size}) Y=1;; esac", 1000),
    "sets": (launch_file, lambda size: f"case {'a' * (size // 3)} in {'[a]' * (size // 3)}) Y=1;; esac", 1000),
    "repetitions": (launch_file, lambda size: f"X={'a' * size}\n[[ $X =~ a*a*a*b ]] && Y=1", 1000),
    "choices": (launch_file, lambda size: f"[[ {'a' * size} =~ {'a?' * size}{'a' * size} ]] && Y=1", 200),
    "alternatives": (launch_file, lambda size: f"[[ {'a' * size} =~ {'(a|a)' * size}b ]] && Y=1", 200),
    "patterns in a case": (launch_file, lambda size: f"case y in {'x|' * (size // 2)}x) Y=1;; esac", 2000),
    # commands
    "conditions in a row": (launch_file, _times("coin && "), 2000),
    "tests joined": (launch_file, lambda size: f"[[ a {'&& a ' * (size // 5)}]]", 5000),
    "tests negated": (launch_file, lambda size: f"[ {'! ' * (size // 2)}a ]", 4000),
    "arguments of one test": (launch_file, lambda size: f"[ a {'-a a ' * (size // 5)}]", 4000),
    "programs with an environment": (launch_file, _times("env ", start="x "), 1500),
    "lines of a here-document": (launch_file, lambda size: "mapfile -t X <<E\n" + "a\n" * (size // 2) + "E\n", 2000),
    "words of a read line": (launch_file, lambda size: f"IFS=': ' read -ra X <<E\n{'a:' * (size // 2)}b\nE\n", 50000),
    "replaced separators": (launch_file, lambda size: f"X='{'a;' * (size // 2)}'\nY=${{X//;/ }}\n", 2000),
    "a read line": (launch_file, lambda size: f"read -r X Y <<E\na c{' ' * size}b\nE\n", 50000),
    "places for an option": (launch_script, _times("echo -jar x\n"), 2000),
    "places for an option in one line": (launch_script, lambda size: "echo" + " " * size + "-jar x", 20000),
    "false branches": (
        launch_file,
        lambda size: "if false; then :; " + "elif false; then :; " * (size // 20) + "fi",
        4000,
    ),
    "subshells": (launch_file, _times("(X=1)\n"), 2000),
    "evals": (launch_file, _times("eval 'X=1'\n"), 1500),
    "sources": (launch_file, lambda size: f"for i in {'x ' * (size // 2)}; do . /etc/y; done", 1000),
    "a factor more": (launch_file, lambda size: f"X=$((1{'*7' * (size // 2)}))", 4000),
    "JVMs": (launch_script, lambda size: f"java -jar {WAR}\n" * (size // 40), 2000),
    # arithmetic
    "factors": (value_of, _times("7*", "7"), 4000),
    "parentheses": (value_of, _times("("), 20000),
    "signs": (value_of, _times("-"), 20000),
    "digits": (value_of, _times("1"), 200000),
    # systemd
    "a long setting": (unit_file, lambda size: "[Service]\nEnvironment=A=" + "a" * size, 200000),
    "escaped characters": (unit_file, _times("\\x41", start="[Service]\nEnvironment=A="), 8000),
    "settings": (unit_file, _times("a=b\n", start="[Service]\n"), 8000),
    "joined settings": (unit_file, _times("a\\\n", start="[Service]\nEnvironment=A="), 8000),
    "quotes": (unit_file, _times("'a b' ", start="[Service]\nEnvironment="), 8000),
    "specifiers": (unit_file, _times("%%", start="[Service]\nEnvironment=A="), 8000),
    "removed variables": (unit_file, _times("UnsetEnvironment=A\n", start="[Service]\n"), 20000),
    "dollars": (unit_file, _times("$$", start=f"[Service]\nExecStart=/usr/bin/java -jar {WAR} x"), 8000),
    "a variable often": (
        unit_file,
        lambda size: (
            f"[Service]\nEnvironment=A={'a ' * (size // 2)}\nExecStart=/usr/bin/java "
            + "${A}" * (size // 4)
            + " $A" * (size // 4)
            + f" -jar {WAR}"
        ),
        1000,
    ),
    "mentions in a unit": (
        unit_file,
        _times(f"Environment=X={FLAG}\n", start=f"[Service]\nExecStart=java -jar {WAR}\n"),
        20000,
    ),
    "a long variable": (environment_file, _times("a", start="A="), 100000),
    "a variable in pieces": (environment_file, _times("\\a", start="A="), 20000),
    "many variables": (environment_file, _times("A=\n"), 10000),
    "open values": (environment_file, _times("A='\n"), 10000),
    # what is asked and what logs in
    "an open answer": (service_manager._tokens, _times("\\a", start='"'), 50000),
    "words of an answer": (service_manager._tokens, _times('"a" '), 10000),
    "a line without a name": (pam, _times("a"), 20000),
    "a line of names": (pam, _times("a=b "), 20000),
    "sessions": (pam_configuration, _times("session a pam_x.so "), 20000),
    "includes of itself": (pam_configuration, _times("@include su\n"), 2000),
    # what is looked through for a launcher
    "containers": (init_script, _times("docker "), 20000),
    "containers and a war": (init_script, _times("docker ", "\\n/x/jenkins.war"), 20000),
    "a long word": (init_script, _times("a", start="/x/jenkins.war"), 20000),
    "agents": (init_script, _times("-slav", start="/x/jenkins.war "), 20000),
    "words of a crontab": (init_script, _times("/a "), 20000),
    "slashes": (init_script, _times("/", start="java -jar "), 20000),
    "words with a war": (init_script, _times("-jar  $ jenkins.war\n"), 20000),
    # the home
    "a manifest": (manifest, _times("a: b\n ", "jenkins-version: 1"), 100000),
    "a manifest of line ends": (manifest, _times("\r\n", "jenkins-version: 1"), 100000),
    "folders before a manifest": (manifest, _times("PK\3\4" + "\0" * 22 + "\1\0\0\0/"), 20000),
    "open elements": (xml, _times("<a>"), 30000),
    "attributes": (xml, lambda size: "<a " + "".join(f"a{number}='' " for number in range(size // 8)) + "/>", 30000),
    "references": (xml, _times("&lt;", "</b></a>", "<a><b>"), 30000),
    "exceptions of the proxy": (proxy_exception, _times("*a", "b"), 20000),
    "separators of exceptions": (proxy_exceptions, _times("|,"), 20000),
    "many exceptions": (proxy_exceptions, _times("*.a|b,"), 20000),
    "a long exception": (proxy_exceptions, _times("*"), 100000),
    "a proxy's address": (proxy_address, _times("[:"), 20000),
    "a proxy's address with numbers": (proxy_address, _times("1", start="a:"), 100000),
    "a proxy's address with signs": (proxy_address, _times("@://"), 20000),
    "places of one proxy": (proxies, lambda size: " ".join(map(str, range(size // 6))), 20000),
    # the network
    "a head without an end": (http_answer, _times("a", start="HTTP/1.1 200 OK\r\n"), 15000),
    "a head of line ends": (http_answer, _times("\r", start="HTTP/1.1 200 OK"), 15000),
    "a head that ends": (http_answer, _times("a: b\r\n", "\r\n", "HTTP/1.1 200 OK\r\n"), 15000),
    "answers before the answer": (http_answer, _times("HTTP/1.1 100 a\n\n"), 15000),
    "a long reason": (http_answer, _times(" ", "\n\n", "HTTP/1.1 200 a"), 15000),
    "addresses of a name": (addresses, _times("a"), 20000),
    "name servers": (name_servers, _times("nameserver 127.0.0.9\n"), 15000),
    "a line of name servers": (name_servers, _times("a "), 15000),
    "a chain of certificates": (tls_chain, _times("a"), 10000),
    "a certificate": (certificate, _times("a,"), 20000),
    "certificates": (pem, _times("-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n"), 50000),
    "open certificates": (pem, _times("-----BEGIN CERTIFICATE-----a"), 50000),
    "a certificate without an end": (pem, _times("a", start="-----BEGIN CERTIFICATE-----"), 500000),
    "dashes": (pem, _times("-"), 500000),
    "authorities": (authorities, _times("a"), 500),
    # processes
    "properties": (properties, _times("a=b\n"), 50000),
    "a long property": (properties, _times("a"), 200000),
    "an escaped property": (properties, _times("\\a"), 200000),
    "lines of /proc": (process, _times("0::/a\n"), 50000),
    "one line of /proc": (process, _times("a"), 200000),
    "parentheses in a process's name": (process, _times(") S 1 "), 50000),
    "libraries": (process, _times("/libjvm.so"), 200000),
    "mounts": (process, _times("1 1 0:1 / /a\\040b rw - fuse.x x rw,user_id=1000\n"), 50000),
    # options and trust
    "option words": (option_files, _times("-a "), 10000),
    "an option": (option_files, _times("a"), 20000),
    "option files": (option_files, _times("@/f "), 2000),
    "quoted options": (option_files, _times("\\\\", start='"'), 20000),
    "overlapping elements": (java_store, _long_der, 20000),
    "elements": (java_store, lambda size: "\x30\x84\x7f\x00\x00\x00" + "\x05\x00" * (size // 2), 20000),
    # the control node
    "lists in lists": (answer, _times("["), 20000),
    "members": (answer, lambda size: "{" + ",".join(f'"{number}":1' for number in range(size // 8)) + "}", 8000),
    "a long string": (answer, _times("\x1b", '"', '"'), 100000),
    "lines": (answer, _times("a\n"), 100000),
    "a long line": (answer, _times(" a"), 100000),
    "marks": (answer, _times("<cbops 1"), 100000),
    "words of a runner": (shown, _times("##"), 20000),
    "words of a runner, open": (shown, _times("a", start="##"), 100000),
    "markup": (shown, _times("<\x1b"), 20000),
    "a document": (filed, _times('{"a":[', '"'), 20000),
    "a document of quotes": (filed, _times('\\"', '"]', '["'), 50000),
    "a document of lists": (filed, _times("[],", "1]", "["), 50000),
    "builds": (
        builds,
        lambda size: json.dumps(
            {
                "computer": [
                    {
                        "executors": [
                            {"currentExecutable": {"url": f"{number}", "fullDisplayName": "a"}}
                            for number in range(size // 60)
                        ]
                    }
                ]
            }
        ),
        50000,
    ),
    "builds in builds": (builds, _times('{"computer":['), 20000),
    "a range of hosts": (merge_request, _times("["), 4000),
    "ranges of hosts": (merge_request, _times("[:"), 4000),
    "a number of many parts": (merge_request, _times(":1", start="all: {vars: {telemetry_x: 1", end="}}"), 10000),
    "a fraction of many parts": (merge_request, _times(":1", start="all: {vars: {telemetry_x: 1", end=".5}}"), 2000),
    "digits of a number": (merge_request, _times("1", start="all: {vars: {telemetry_x: ", end="}}"), 20000),
    "mappings in mappings": (merge_request, _times("{a: "), 2000),
    "hosts": (
        merge_request,
        lambda size: "all: {hosts: {" + ",".join(f"h{number}: " for number in range(size // 8)) + "}}",
        4000,
    ),
    "entries": (
        jks,
        lambda size: "\xfe\xed\xfe\xed\0\0\0\2\xff\xff\xff\xff" + ("\0\0\0\2" + "\0" * 16) * (size // 20),
        20000,
    ),
}


#: What costs more than its length by its nature: launch files that exhaust the budget, whatever their size.
EXHAUSTING = {
    "a value that doubles": "X=x\n" + 'X="$X$X"\n' * 60,
    "a long value that doubles": f"X={'x' * 100000}\n" + 'X="$X$X"\n' * 40,
    "values that double beside each other": "X=x\n"
    + 'X="$X$X"\n' * 13
    + "".join(f'Y{number}="$X"\n' for number in range(60)),
    "a value that grows": 'X="$X -a"\n' * 2000,
    "an array that grows": "X+=(a)\n" * 2000,
    "array elements one by one": "X=()\n" + "X[${#X[@]}]=a\n" * 2000,
    "arguments that grow": 'set -- "$@" a\n' * 2000,
    "branches": "if coin; then :; " + "elif coin; then :; " * 2000 + "else X=1; fi",
    "functions that call twice": "f0() { :; }\n"
    + "".join(f"f{number}() {{ f{number - 1}; f{number - 1}; }}\n" for number in range(1, 19))
    + "if coin; then f18; fi",
    "shells of shells": "x " + "sh " * 3000,
    "users of users": "x " + "sudo " * 3000,
    "reading line by line": "while read -r X; do :; done <<E\n" + "a\n" * 3000 + "E\n",
    "an eval of itself": 'X=\'eval "$X"' + " " * 10000 + '\'\neval "$X"',
    "an endless loop": "X=" + "a" * 60000 + '\nwhile :; do Y="$X"; done',
    "a replacement": f"X={'a' * 1000}\nX=${{X//a/$X}}\nfor i in 1 2 3 4 5 6 7 8 9; do set -- ${{X//a/b}}; done",
    "stars": f"X={'a' * 4000}\nfor i in {'x ' * 100}; do case $X in {'*a' * 2000}b) ;; esac; done",
}
BUDGET = 60000


@pytest.fixture(autouse=True)
def _small_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_words, "LIMIT_WORK", BUDGET)
    for module in (_live, _candidates):
        monkeypatch.setattr(module, "LIMIT_TRYING", BUDGET)
    monkeypatch.setattr(jvm, "_LIMIT_EXPANDED", 1 << 18)


@pytest.fixture(scope="module", autouse=True)
def _what_is_there_is_no_garbage() -> Iterator[None]:
    """The collector does not look through all that other tests have left, which costs more than the work."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def _seconds(work: Callable[[], Any]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


@pytest.mark.parametrize("name", CASES)
def test_four_times_the_input_is_about_four_times_the_work(name: str) -> None:
    read, made, size = CASES[name]
    small, large = made(size), made(4 * size)
    before = min(_seconds(lambda: read(small)) for _run in range(3))
    after = []
    while len(after) < 3:  # the shortest of three counts: where the first is short enough, it is known
        after.append(_seconds(lambda: read(large)))
        if after[-1] < RATIO * max(before, LEAST):
            return
    raise AssertionError(f"{before:.4f} s, then {min(after):.4f} s")


@pytest.mark.parametrize("name", EXHAUSTING)
def test_what_costs_more_ends_with_a_reason(name: str) -> None:
    files = HostFiles("/nonexistent").with_candidates(
        {"/etc/x": EXHAUSTING[name], "/start": f"#!/bin/bash\n. /etc/x\nexec java $X -jar {WAR}\n"}
    )
    outcome = _outcome.outcome(_definition.script_definition("/start"), files)
    assert outcome.verdict == _outcome.UNRESOLVABLE
    assert any(part in (outcome.reason or "") for part in ("too long", "too deeply")), outcome.reason
    assert files.work[0] < 2 * BUDGET


def test_dead_mentions_cost_no_walk_each_and_are_counted() -> None:
    work = []
    for count in (50, 5000):
        files = HostFiles("/nonexistent").with_candidates(
            {"/etc/x": f"Y='{FLAG}'\n" * count, "/etc/init.d/jenkins": f"#!/bin/bash\n. /etc/x\nexec java -jar {WAR}\n"}
        )
        definition = _definition.init_definition("jenkins")
        outcome = _outcome.outcome(definition, files)
        before = files.work[0]
        found = _declarations.declarations(definition, outcome, None, files)
        work.append(files.work[0] - before)
    assert work == [0, 0]
    assert len(found) == _declarations.LIMIT_LISTED + 1
    assert [item.line for item in found][-2:] == [200, 201] and "4800 mentions more" in (found[-1].reason or "")


def test_finding_the_live_file_ends_with_its_budget() -> None:
    launcher = "#!/bin/bash\n" + "".join(f"V{number}=a\necho $V{number}\n" for number in range(100))
    launcher += f"java -jar {WAR}\n"
    files = HostFiles("/nonexistent").with_candidates(
        {"/etc/x": launcher, "/etc/init.d/jenkins": "#!/bin/bash\n. /etc/x  # starts java\n"}
    )
    definition = _definition.init_definition("jenkins")
    outcome = _outcome.outcome(definition, files)
    before = files.work[0]
    assert _live.live_of(definition, files, outcome) is None
    assert BUDGET <= files.work[0] - before < 3 * BUDGET


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2147483647*2147483647*5", 4611685996952551429),  # as bash 5 and dash calculate it
        ("7*" * 500 + "1", 7**500 % (1 << 64)),
        ("-" * 3 + "1", -1),
        ("(1+2)*3==9", 1),
        ("0x10+1", 17),
        ("010", None),
        ("1_0", None),
        ("1//2", None),
        ("True", None),
        ("1<2<3", None),
        ("", None),
        ("(" * 1000 + "1" + ")" * 1000, None),
    ],
)
def test_arithmetic_runs_over_as_in_the_shells(expression: str, value: int | None) -> None:
    wrapped = value - (1 << 64) if value is not None and value >= 1 << 63 else value
    assert value_of(expression) == wrapped


def test_what_latin_1_takes_for_digits_are_none() -> None:
    for text in (
        "shift \xb2",
        "X[\xb9]=1",
        "break \xb3",
        "exit \xb2",
        "[ \xb2 -eq 1 ]",
        "X=abc; echo ${X:99999999999999999999}",
        "shift " + "9" * 5000,
        "[ " + "9" * 5000 + " -gt 1 ]",
        "echo ${" + "9" * 5000 + "}",
    ):
        assert launch_file(text).verdict in (_outcome.ENABLED, _outcome.UNRESOLVABLE), text


def test_lines_are_counted_alike_in_long_texts() -> None:
    text = "ab\n" * 100000
    positions = (0, 2, 3, 1 << 16, (1 << 16) + 1, len(text) - 1, len(text))
    assert [_value.line_of(text, position) for position in positions] == [
        text.count("\n", 0, position) + 1 for position in positions
    ]


def test_a_tomcat_that_cannot_be_looked_through_is_an_installation(host: Host) -> None:
    host.write("/opt/t/conf/server.xml", "".join(f"<Context docBase='{number}'/>" for number in range(6000)))
    host.write(
        "/etc/systemd/system/t.service",
        "[Service]\nExecStart=/usr/bin/java -Dcatalina.base=/opt/t org.apache.catalina.startup.Bootstrap start\n",
    )
    ((definition, outcome),), _warnings = _discovery.discover(host.files)
    assert (definition.name, outcome.verdict, outcome.programs) == ("t", "unresolvable", ("/opt/t/webapps",))


@pytest.mark.parametrize(
    ("unit", "reason"),
    [
        ("Environment=A=" + "a" * (1 << 20), "does not read a line of more than"),
        ("a=b\n" * 60000, "more than 50000 settings"),
        ("Environment=A=" + "a" * (5 << 20), "cannot be read"),
        ("EnvironmentFile=/many/*", "more than 1000 files"),
    ],
)
def test_a_unit_that_is_too_much_is_unresolvable_and_no_other(host: Host, unit: str, reason: str) -> None:
    for number in range(1100 if "/many" in unit else 0):
        host.write(f"/many/{number}", "")
    host.write("/etc/systemd/system/jenkins.service", f"[Service]\nExecStart=/usr/bin/java -jar {WAR}\n")
    host.write("/etc/systemd/system/jenkins.service.d/a.conf", f"[Service]\n{unit}\n")
    host.write("/etc/systemd/system/app.service", f"[Service]\nExecStart=/usr/bin/java -jar {WAR}\n")
    found, _warnings = _discovery.discover(host.files)
    outcomes = {definition.name: outcome for definition, outcome in found}
    assert outcomes["app"].verdict == _outcome.ENABLED
    assert outcomes["jenkins"].verdict == _outcome.UNRESOLVABLE and reason in (outcomes["jenkins"].reason or "")


def test_ten_thousand_units_are_read_in_the_time_of_ten_thousand(host: Host) -> None:
    def survey(count: int) -> float:
        folder = host.root / f"{count}"
        (folder / "etc/systemd/system").mkdir(parents=True)
        for number in range(count):
            (folder / f"etc/systemd/system/{'a-' * 20}{number}.service").write_text("[Service]\nExecStart=/bin/true\n")
        return min(_seconds(lambda: _discovery.discover(HostFiles(str(folder)))) for _run in range(3))

    assert survey(800) < RATIO * survey(200)


def test_names_in_a_folder_are_listed_in_one_pass(tmp_path: Path) -> None:
    def seconds(count: int) -> float:
        folder = tmp_path / f"{count}"
        folder.mkdir()
        for number in range(count):
            (folder / f"{number}").touch()

        def listed() -> None:
            files = HostFiles(str(tmp_path))
            assert len(files.list(f"/{count}")) == len(files.list_below("/", f"{count}")) == count

        return min(_seconds(listed) for _run in range(3))

    assert seconds(8000) < RATIO * max(LEAST, seconds(2000))


def test_a_name_with_too_many_addresses_is_not_probed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever answers for it in DNS would else choose whom all hosts connect to."""
    tried: list[Any] = []
    monkeypatch.setattr(_connect.Attempt, "start", lambda self: tried.append(self.address) or self.finish(111, False))
    for count, outcome in ((_connect.LIMIT_ADDRESSES, "refused"), (_connect.LIMIT_ADDRESSES + 1, "unknown")):
        found = [_connect.Candidate(socket.AF_INET, (f"192.0.2.{number}", 443)) for number in range(count)]
        monkeypatch.setattr(_connect, "_lookup", lambda _name, _port, found=found: found * 2)
        entry = connectivity.probe("api.segment.io", 443, connectivity.Options())
        assert entry["outcome"] == outcome
        assert len(tried) == _connect.LIMIT_ADDRESSES, "and none of the others"
    assert "has 65 addresses" in entry["message"]


def test_an_answer_with_a_status_that_is_none_is_no_http() -> None:
    for status in ("\xb2\xb2\xb2", "99", "1000", "-20", "0x1"):
        with pytest.raises(connectivity._NoHttp):
            connectivity._ask(Peer(f"HTTP/1.1 {status} OK\r\n\r\n".encode("latin-1"), 9), "HEAD")


def test_answers_before_the_answer_have_an_end() -> None:
    text = "HTTP/1.1 103 Early Hints\r\n\r\n" * 10 + "HTTP/1.1 200 OK\n\nrest"
    peer = Peer(text.encode("latin-1"), 7)
    assert connectivity._ask(peer, "HEAD", rest=True) == (200, "OK")
    assert b"rest".startswith(peer.kept)
    with pytest.raises(connectivity._NoHttp):
        connectivity._ask(Peer(b"HTTP/1.1 100 a\n\n" * 10000, 1000), "HEAD")


def test_a_folder_with_too_many_authorities_is_not_read_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the rest, a public authority would pass for a private one."""
    for number in range(5):
        (tmp_path / f"{number}.crt").write_text(_server()[1])
    assert len(truststore.authorities(str(tmp_path))) == 5
    for name, value in (("LIMIT_FILES", 4), ("LIMIT_CERTIFICATES", 4), ("LIMIT", 1500)):
        with monkeypatch.context() as patched:
            patched.setattr(truststore, name, value)
            with pytest.raises(truststore.Unreadable, match="more than 4|larger than 1500"):
                truststore.authorities(str(tmp_path))


def test_an_archive_of_many_entries_is_read_in_one_pass(host: Host) -> None:
    def seconds(count: int) -> float:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for number in range(count):
                archive.writestr(f"{number}", "")
            archive.writestr("META-INF/MANIFEST.MF", "Jenkins-Version: 2.1\n")
        host.write(f"/{count}.war", buffer.getvalue().decode("latin-1"))
        return min(
            _seconds(lambda: _jenkins_home.product_version(host.files, None, [f"/{count}.war"])) for _run in range(3)
        )

    assert seconds(8000) < RATIO * max(LEAST, seconds(2000))

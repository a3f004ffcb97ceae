"""What held when hosts attacked, and must go on holding: parts that need no fleet (the others: tests/hostile)."""

from __future__ import annotations

import copy
import csv
import io
import json
import os
import random
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import fleetmaker
import jsonschema
import pytest
import schemas
from jvms import Jvms, Running, jvms, needs_root
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from ansible_collections.cbops.telemetry.plugins.module_utils.running import _attach as attach
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect import _carrier as carrier
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._evidence import path_of, write_text
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report import _formats
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report import _model as model
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._sources import read_evidence

#: For processes of their own that import the collection.
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent / ".build/collections")}

# -- marks around the answer ------------------------------------------------------------------------


def errand() -> carrier.Errand:
    """An errand without a host."""
    return carrier.Errand.of("cbops.telemetry.telemetry_info", {}, False)


def test_marks_are_128_bits_that_no_other_call_has() -> None:
    errands = [errand() for _number in range(50)]
    marks = [mark for one in errands for mark in (one.begin, one.end)]
    assert len(set(marks)) == 100
    for mark in marks:
        assert re.fullmatch(r"<cbops [0-9a-f]{32} | [0-9a-f]{32} cbops>", mark)
    # Chance, not a counter: every digit of theirs is any of sixteen.
    columns = zip(*("".join(re.findall(r"[0-9a-f]{32}", mark)) for mark in marks))
    assert all(len(set(column)) > 8 for column in columns)


def test_no_noise_is_an_answer() -> None:
    """Profiles and lectures, an answer of an earlier call, marks that are guessed or that came with what was sent."""
    one, earlier = errand(), errand()
    true, lie = json.dumps({"changed": False, "n": 1}), json.dumps({"changed": False, "n": 2})
    real = f"\n{one.begin}{true}{one.end}\n"
    noises = [
        "Welcome!\n",
        lie,
        f"{earlier.begin}{lie}{earlier.end}",
        f"{one.begin[:-2]}{lie}{one.end[2:]}",
        f"<cbops {'0' * 32} {lie} {'0' * 32} cbops>",
        f"{one.end}{lie}{one.begin}",
        one.begin,
        "\0\x1b[2J",
    ]
    for noise in noises:
        assert carrier.answer_of(noise, one.begin, one.end) is None
        assert carrier.answer_of(f"{noise}{real}{noise.replace(one.begin, '')}", one.begin, one.end) == true
    assert carrier.answer_of(real * 2, one.begin, one.end) == true
    # What a host that repeats what it was sent has in hand: neither mark stands in it as it is.
    assert one.begin.encode() not in one.program
    assert one.end.encode() not in one.program


# -- a JVM that answers the attach protocol as it likes ----------------------------------------------

#: Opens its socket when it is asked to, and then behaves; says how much of it was taken.
LIAR = r"""
import mmap, os, signal, socket, sys, time
behaviour, library = sys.argv[1:]
asked = []
signal.signal(signal.SIGQUIT, lambda *_: asked.append(1))
file = open(library, "rb")
mapped = mmap.mmap(file.fileno(), 4096, prot=mmap.PROT_READ)
print("ready", flush=True)
while not asked:
    time.sleep(0.01)
name = "/tmp/.java_pid%d" % os.getpid()
listener = socket.socket(socket.AF_UNIX)
listener.bind(name)
listener.listen()
link, _ = listener.accept()
count = 0
link.recv(100)
try:
    if behaviour == "silent":
        while link.recv(100):
            pass
    elif behaviour == "deaf":
        time.sleep(60)
    elif behaviour == "flooding":
        while True:
            count += link.send(b"0\n" + b"x" * 65536)
    elif behaviour == "dripping":
        while True:
            count += link.send(b"0")
            time.sleep(0.05)
    elif behaviour == "exiting":
        link.send(b"0\njava.vm.name=x\ncom.cloud")
        os._exit(0)
    elif behaviour == "refusing":
        link.send(b"101\n")
    elif behaviour == "no properties":
        link.send(b"0\nFLAG=true\n")
    elif behaviour == "long":
        link.send(b"0\njava.vm.name=x\nFLAG=" + b"true" * 9999)
except OSError:
    pass
link.close()
listener.close()
os.unlink(name)
print(count, flush=True)
sys.stdin.readline()
""".replace("FLAG", fleetmaker.FLAG)


@pytest.fixture(scope="module")
def machine() -> Iterator[Jvms]:
    """Where real and false JVMs start."""
    with jvms() as found:
        yield found


def asked(process: Running, seconds: float) -> attach.Answer:
    """The answer; asking leaves no file in /tmp, no open descriptor and no child."""

    def things() -> tuple[int, str]:
        return len(os.listdir("/proc/self/fd")), Path("/proc/self/task", str(os.getpid()), "children").read_text()

    before = things()
    answer = attach.ask(process.pid, attach.started(process.pid), [], seconds)
    assert things() == before
    assert not os.path.lexists(f"/tmp/.attach_pid{process.pid}")
    return answer


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("silent", "did not answer in time"),
        ("deaf", "did not answer in time"),
        ("flooding", "too long"),
        ("dripping", "did not answer in time"),
        ("exiting", "ended while it was asked"),
        ("refusing", "answered with an error"),
        ("no properties", "no Java properties"),
    ],
)
def test_a_false_jvm_costs_its_time_and_no_more(
    machine: Jvms, behaviour: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attach, "_jcmd_of", lambda target: None)
    process = machine.run([sys.executable, "-S", "-c", LIAR, behaviour, machine.library])
    answer = asked(process, 1)
    assert (answer.proof, answer.value, answer.silent) == (None, None, True)
    assert reason in (answer.reason or "")
    if behaviour in ("flooding", "dripping"):
        taken = int(process.ended().split()[-1])
        # What was taken, and what lies in the socket's buffers.
        assert 0 < taken < {"flooding": 16 << 20, "dripping": 200}[behaviour]
    elif behaviour == "deaf":
        process.process.kill()


@pytest.mark.parametrize(
    ("flags", "lives"), [((0x400000, 0x400040), True), ((0x400004, 0x400040), True), ((0x400004, 0x40010C), False)]
)
def test_what_is_ending_does_not_live(tmp_path: Path, flags: tuple[int, int], lives: bool) -> None:
    """Its socket is closed before it is gone: what came through it may be half an answer."""
    for place, flag in (("7", flags[0]), ("7/task/7", flags[0]), ("7/task/8", flags[1])):
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        (tmp_path / place / "stat").write_text(f"7 (a ) b) S 1 7 7 0 -1 {flag} {' '.join(['0'] * 12)} 4711 1 1\n")
    assert attach._lives(7, 4711, str(tmp_path)) is lives
    assert not attach._lives(7, 4712, str(tmp_path))


def test_a_process_lives_on_where_its_first_thread_has_ended() -> None:
    code = (
        "import ctypes, threading, time\nthreading.Thread(target=time.sleep, args=(300,), daemon=True).start()\n"
        "print(flush=True)\nctypes.CDLL(None).pthread_exit(None)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        try:
            child.stdout.readline()
            until = time.monotonic() + 60
            while attach.status(child.pid)["State"][:1] != "Z":
                assert time.monotonic() < until, "its first thread does not end"
                time.sleep(0.01)
            assert attach._lives(child.pid, attach.started(child.pid))
        finally:
            child.kill()


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exec yes", "its answer is too long"),
        ("exec sleep 60", "it did not answer in time"),
        ("while :; do echo; sleep 0.05; done", "it did not answer in time"),
        ("exit 1", "jcmd had no answer from it"),
        ("echo x=y", "its answer holds no Java properties"),
        ("exec >&-; exec sleep 60", "jcmd had no answer from it in time"),
    ],
)
def test_what_a_false_jvm_makes_of_jcmd_costs_its_time_and_no_more(
    machine: Jvms, script: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """jcmd prints what the JVM answers, as long as it answers."""
    jcmd = tmp_path / "jcmd"
    jcmd.write_text(f"#!/bin/sh\n{script}\n")
    jcmd.chmod(0o755)
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o055)
    monkeypatch.setattr(attach, "_jcmd_of", lambda target: str(jcmd))
    process = machine.run([sys.executable, "-S", "-c", LIAR, "refusing", machine.library])
    answer = asked(process, 2)
    assert (answer.proof, answer.value, answer.silent) == (None, None, True)
    assert (answer.reason or "").startswith(f"{reason}; ")
    assert not [path for path in Path("/proc").glob("[0-9]*/cmdline") if str(jcmd).encode() in _bytes(path)]
    process.process.kill()


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_a_false_jvm_cannot_say_much(machine: Jvms, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value is cut."""
    monkeypatch.setattr(attach, "_jcmd_of", lambda target: None)
    process = machine.run([sys.executable, "-S", "-c", LIAR, "long", machine.library])
    assert len(asked(process, 5).value or "") == 1024
    process.ended()


# -- bombs -----------------------------------------------------------------------------------------

#: Reads a home with little memory; a bomb that goes off is a MemoryError.
READER = """
import json, resource, sys
from ansible_collections.cbops.telemetry.plugins.module_utils.host._files import HostFiles
from ansible_collections.cbops.telemetry.plugins.module_utils.java._jenkins_home import settings
resource.setrlimit(resource.RLIMIT_AS, (200 << 20, 200 << 20))
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
print(json.dumps(settings(HostFiles("/"), sys.argv[1], [sys.argv[2]])))
"""
LAUGHS = (
    "<!DOCTYPE h [<!ENTITY a '"
    + "ha" * 50
    + "'>"
    + "".join(f"<!ENTITY {chr(letter + 1)} '{f'&{chr(letter)};' * 10}'>" for letter in range(ord("a"), ord("j")))
    + "]>"
)
FLAT = f"<!DOCTYPE h [<!ENTITY a '{'x' * 100000}'>]>"
XML = {
    "laughs": f"{LAUGHS}<h><noUsageStatistics>&j;</noUsageStatistics></h>",
    "flat": f"{FLAT}<h><noUsageStatistics>{'&a;' * 20000}</noUsageStatistics></h>",
    "outside": "<!DOCTYPE h [<!ENTITY a SYSTEM 'file:///etc/hostname'>]><h><noUsageStatistics>&a;</noUsageStatistics></h>",
    "deep": "<h>" + "<a>" * 200000,
    "attributes": "<h><a " + " ".join(f"a{number}='x'" for number in range(50000)) + "/><x>",
}


def read_bounded(home: Path, war: Path) -> dict[str, Any]:
    """The settings of a home, as a process with little memory and time reads them."""
    done = subprocess.run(
        [sys.executable, "-c", READER, str(home), str(war)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=ENVIRONMENT,
    )
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@pytest.mark.parametrize("kind", XML)
def test_an_xml_bomb_does_not_go_off(tmp_path: Path, kind: str) -> None:
    for name in ("config.xml", "proxy.xml"):
        (tmp_path / name).write_text(XML[kind])
    found = read_bounded(tmp_path, tmp_path / "x.war")
    for key in ("no_usage_statistics", "proxy"):
        assert found[key] == "unknown"
        expected = "document type" if "DOCTYPE" in XML[kind] else "not well-formed"
        assert expected in found["details"][key]["reason"]


def bomb(path: Path, declared: int | None = None, entries: int = 0) -> None:
    """An archive whose manifest unpacks to 300 megabytes, whatever it says; or with very many entries."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(entries):
            archive.writestr(f"{number:060000}", b"")
        with archive.open("META-INF/MANIFEST.MF", "w", force_zip64=False) as stream:
            stream.write(b"Implementation-Version: 1\nX: ")
            for _block in range(0 if entries else 300):
                stream.write(b"x" * (1 << 20))
    if declared is not None:
        data = bytearray(path.read_bytes())
        place = data.rindex(b"PK\1\2")
        data[place + 24 : place + 28] = declared.to_bytes(4, "little")
        path.write_bytes(data)


def test_a_zip_bomb_does_not_go_off(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    plain, liar, crowd = (
        tmp_path / name
        for name in ("plain.war", "plugins/cloudbees-analytics.jpi", "plugins/cloudbees-license-tracker.jpi")
    )
    bomb(plain)
    bomb(liar, declared=1000)
    # The packed size is that of the whole: cut to what is still read.
    data = bytearray(liar.read_bytes())
    place = data.rindex(b"PK\1\2")
    data[place + 20 : place + 24] = (200 << 10).to_bytes(4, "little")
    liar.write_bytes(data)
    bomb(crowd, entries=150)
    found = read_bounded(tmp_path, plain)
    for key, reason in (
        ("product_version", "manifest is larger"),
        ("analytics_plugin", ""),
        ("license_tracker_plugin", "directory is larger"),
    ):
        assert found[key] == "unknown", key
        assert reason in found["details"][key]["reason"]


# -- races against the writing of launch files --------------------------------------------------------

#: As the launch file's owner, who may write its folder too: a file, then a link to what is root's; and the same for
#: whatever the writer puts beside it.
SWAPPER = """
import os, sys, time
etc, victim, rounds = sys.argv[1], sys.argv[2], 0
os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
name, spare = etc + "/launch", etc + "/spare"
def steal(entry):
    os.symlink(victim, spare)
    try:
        os.rename(spare, entry)
    except OSError:
        os.unlink(spare)
def beside():
    for entry in os.listdir(etc):
        if entry not in ("launch", "spare"):
            steal(etc + "/" + entry)
print("ready", flush=True)
while True:
    rounds += 1
    with open(spare, "w") as stream:
        stream.write("OPTS=1\\n")
    os.rename(spare, name)
    for _time in range(rounds % 10):
        time.sleep(0.0005)
        beside()
    steal(name)
    beside()
"""
WRITER = """
import json, os, sys
from ansible_collections.cbops.telemetry.plugins.module_utils.edit import _writing as writing
path, counts = sys.argv[1], {"written": 0, "refused": 0}
for number in range(100000):
    if counts["written"] >= 50 and counts["refused"] >= 1000:
        break
    try:
        writing.replace(path, "OPTS=1\\n", "OPTS=1\\n")
        counts["written"] += 1
    except (writing.Refused, OSError):
        counts["refused"] += 1
print(json.dumps(counts))
"""


@needs_root
def test_a_race_against_the_writing_of_a_launch_file() -> None:
    """Many rounds, each with its own chance; the victim keeps its bytes, owner, mode, links and inode."""
    base = Path("/run/cbops-telemetry-held")
    subprocess.run(["rm", "-rf", base], check=True)
    try:
        (base / "etc").mkdir(parents=True)
        victim = base / "victim"
        victim.write_text("OPTS=1\n")  # what the writer expects to find: only who looks at the file itself refuses it
        victim.chmod(0o600)
        before = victim.stat()
        (base / "etc/launch").write_text("OPTS=1\n")
        os.chown(base / "etc", 65534, 65534)
        os.chown(base / "etc/launch", 65534, 65534)
        with subprocess.Popen(
            [sys.executable, "-S", "-c", SWAPPER, base / "etc", victim], stdout=subprocess.PIPE, text=True
        ) as swapper:
            try:
                assert swapper.stdout is not None
                assert swapper.stdout.readline() == "ready\n"
                done = subprocess.run(
                    [sys.executable, "-c", WRITER, base / "etc/launch"],
                    text=True,
                    capture_output=True,
                    timeout=300,
                    check=False,
                    env=ENVIRONMENT,
                )
            finally:
                swapper.kill()
        assert done.returncode == 0, done.stderr
        counts = json.loads(done.stdout)
        assert counts["written"] >= 50 and counts["refused"] >= 1000, counts  # it was a race
        after = victim.stat()
        assert victim.read_text() == "OPTS=1\n"
        for field in ("st_ino", "st_uid", "st_gid", "st_mode", "st_nlink", "st_mtime_ns"):
            assert getattr(after, field) == getattr(before, field), field
        assert sorted(path.name for path in base.iterdir()) == ["etc", "victim"]
    finally:
        subprocess.run(["rm", "-rf", base], check=True)


# -- texts in files --------------------------------------------------------------------------------

TEXTS = (
    *fleetmaker.HOSTILE,
    "\x1b]0;owned\x07\x1b[2J\x1b[1;1H\x9b31m\x7f\x08",
    "a\r\n::error::forged\n##vso[task.prependpath]/tmp/evil\n6 hosts: 6 compliant\r",
    "x\n## All hosts compliant\n</pre></details>\n\n[click](https://evil.example) @everyone ![p](https://evil.example/p)",
    "\u202egnp.\u2066\u200f\u2028\u2029\u200b\ufeff\u061c",
    "]]><!ENTITY x><!-- --><![CDATA[ ?> <?xml",
    "\x00\x01\x02\ufffe\uffff",
    "x\u202ey",
    "x\\u202ey",
    "'; DROP TABLE x; -- $(id) `id` ${x} %s {0} {% raw %}",
    "+cmd|' /C calc'!A0",
    "-2+3",
    "\t=1+1",
    "\r@SUM(1)",
    "\uff1d1",
    ',"=1+1"\n=2',
    "[text](https://evil.example) [x](1) \\[a\\](2) https://evil.example www.evil.example me@evil.example",
    '# HELP evil 1\n# EOF\nevil_metric{a="b"} 1\n\\"} 1',
    "../../../etc/passwd",
    "javascript:alert(1)",
    "//evil.example/x",
    "%2e%2e%2f\\..\\",
    "A" * 5000,
)


def leaves(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The ways to all texts of a document."""
    if isinstance(value, str):
        yield way
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*way, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from leaves(item, (*way, number))


def put(document: Any, way: tuple[Any, ...], text: str) -> None:
    """Another text at a place."""
    for key in way[:-1]:
        document = document[key]
    document[way[-1]] = text


def valid(document: dict[str, Any]) -> bool:
    """Whether a document is as its schema says."""
    try:
        schemas.validate(document)
    except jsonschema.ValidationError:
        return False
    return True


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> model.Report:
    """A fleet in whose evidence every text that a host may choose is hostile; one host a text and a verdict."""
    folder = tmp_path_factory.mktemp("report") / "evidence"
    folder.mkdir()
    names = []
    for kind in ("violation", "unknown", "restart_pending"):
        model_document = fleetmaker.evidence("cm1", random.Random(3), kind)
        model_document["state"]["connectivity"] = [fleetmaker.answer("direct", "timeout")]
        ways = [way for way in leaves(model_document) if way[0] in ("state", "reasons", "warnings", "error")]
        free = []
        for way in ways:
            tried = copy.deepcopy(model_document)
            put(tried, way, TEXTS[0])
            if valid(tried):
                free.append(way)
        assert len(free) >= 15, free
        for number, text in enumerate(TEXTS):
            document = copy.deepcopy(model_document)
            for way in free:
                put(document, way, text)
            document["warnings"] = [text, f"cm1: {text}"]
            document["reasons"] = [text, f"{text}: is not known"]
            document["host"] = f"{kind}-{number}"
            names.append(document["host"])
            path_of(folder, document["host"]).write_text(json.dumps(document), encoding="ascii")
    found = read_evidence([folder], names, None, fleetmaker.AT)
    assert not found.notes
    assert {host.verdict for host in found.hosts} == {"violation", "unknown", "restart_pending"}
    return model.Report(fleetmaker.AT, found.hosts, notes=list(TEXTS))


@pytest.fixture(scope="module")
def written(report: model.Report, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The report's files by format, as they lie on disk."""
    folder = tmp_path_factory.mktemp("written")
    texts = {}
    for name in _formats.FORMATS:
        write_text(folder / name, _formats.render(name, report))
        texts[name] = (folder / name).read_text(encoding="utf-8", errors="strict")
    return texts


#: What no file shows as it is, but for the line ends of its own: controls, escapes, directions, what is no character.
UNSEEN = re.compile(
    "[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff\ufffe\uffff]"
)


@pytest.mark.parametrize("name", ["html", "junit", "markdown", "openmetrics", "csv", "sarif"])
def test_no_file_has_what_a_reader_does_not_see(written: dict[str, str], name: str) -> None:
    text = written[name]
    if name == "html":  # the data is for the script, which makes it visible
        text = re.sub(r'(<script type="application/json" id="data">).*?(</script>)', r"\1\2", text, flags=re.DOTALL)
    found = UNSEEN.search(text)
    assert found is None, (found, text[max(found.start() - 60, 0) : found.end() + 20])


class Page(HTMLParser):
    """The elements and attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        self.tags.append((tag, dict(attrs)))


def test_html(report: model.Report, written: dict[str, str]) -> None:
    page = Page(written["html"])
    plain = Page(_formats.render("html", model.Report(fleetmaker.AT, report.hosts[:1], notes=["x"])))
    # No kind of element and no attribute that a page about a friendly host would not have.
    friendly = {(tag, name) for tag, attributes in plain.tags for name in ("", *attributes)}
    kinds = {(tag, name) for tag, attributes in page.tags for name in ("", *attributes)}
    assert {tag for tag, _name in kinds} - {tag for tag, _name in friendly} <= {"li", "ul", "section", "h2", "p"}
    assert not [name for _tag, name in kinds if name.startswith("on") or name in ("style", "srcdoc", "formaction")]
    assert [tag for tag, _attributes in page.tags].count("script") == 2
    policy = next(
        attributes["content"]
        for tag, attributes in page.tags
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert all(
        re.fullmatch(r"#.*|data:,", attributes["href"] or "")
        for tag, attributes in page.tags
        if tag in ("a", "link") and "href" in attributes
    )
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', written["html"], re.DOTALL)
    assert data and not set(data[1]) & set("<>&\u2028\u2029")
    assert {item["host"] for item in json.loads(data[1])["hosts"]} == {host.host for host in report.hosts}


def test_json(report: model.Report, written: dict[str, str]) -> None:
    document = json.loads(written["json"])
    assert [item["host"] for item in document["hosts"]] == [host.host for host in report.hosts]
    assert all(len(written["json"].splitlines()) >= number for number in (len(report.hosts),))


def test_junit(report: model.Report, written: dict[str, str]) -> None:
    root = ElementTree.fromstring(written["junit"])  # noqa: S314
    cases = list(root.iter("testcase"))
    assert [case.get("name") for case in cases] == [host.host for host in report.worst_first()] or {
        case.get("name") for case in cases
    } == {host.host for host in report.hosts}
    assert {element.tag for element in root.iter()} <= {
        "testsuites",
        "testsuite",
        "properties",
        "property",
        "testcase",
        "failure",
        "error",
        "skipped",
        "system-out",
    }


def test_sarif(report: model.Report, written: dict[str, str]) -> None:
    run = json.loads(written["sarif"])["runs"][0]
    assert {result["properties"]["host"] for result in run["results"]} == {host.host for host in report.hosts}
    for result in run["results"]:
        # A viewer makes links of [text](target) in a plain message, too (SARIF 2.1.0, 3.11.6).
        message = re.sub(r"\\[\\\[\]]", "", result["message"]["text"])
        assert not set("[]\\") & set(message), message[:200]
        for location in result["locations"]:
            uri = location["physicalLocation"]["artifactLocation"]["uri"]
            assert re.fullmatch(r"[a-z]+_?[a-z]*-\d+(/[A-Za-z0-9._~-]*(%[0-9A-F]{2}[A-Za-z0-9._~-]*)*)*", uri), uri
            assert ".." not in uri.split("/"), uri


def test_openmetrics(report: model.Report, written: dict[str, str]) -> None:
    families = {family.name: family for family in text_string_to_metric_families(written["openmetrics"])}
    assert all(name.startswith("cbops_telemetry_") for name in families)
    assert written["openmetrics"].count("# EOF") == 1 or written["openmetrics"].endswith("\n# EOF\n")
    assert {sample.labels["host"] for sample in families["cbops_telemetry_host_info"].samples} == {
        host.host for host in report.hosts
    }


def test_csv(report: model.Report, written: dict[str, str]) -> None:
    rows = list(csv.reader(io.StringIO(written["csv"])))
    assert len({len(row) for row in rows}) == 1
    assert len(written["csv"].splitlines()) == len(rows)
    assert {row[0] for row in rows[1:]} == {host.host for host in report.hosts}
    for cell in (cell for row in rows for cell in row):
        assert not re.match(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]", cell), cell


def test_markdown(written: dict[str, str]) -> None:
    text = written["markdown"]
    inside = re.compile(r"<code>.*?</code>|<pre>.*?</pre>", re.DOTALL)
    outside = inside.sub("", text)
    assert set(re.findall(r"</?(\w+)", outside)) == {"details", "summary"}
    assert not re.search(r"@|https?:|www\.|\]\(|!\[|evil|forged", outside)
    assert len(re.findall(r"^#", outside, re.MULTILINE)) == 1
    for part in inside.findall(text):
        content = re.sub(r"^<(?:code|pre)>|</(?:code|pre)>$", "", part)
        assert not set("<>") & set(content), content[:200]
    # Who is named in a comment is told of it, wherever the name stands; only pre and code are left alone.
    assert text.count("<pre>") == text.count("</pre>") == 1


def test_half_a_character_is_damage(tmp_path: Path) -> None:
    """JSON can say it, but no file in UTF-8 can hold it and no script can make an address of it."""
    document = fleetmaker.evidence("cm1", random.Random(3), "violation")
    document["state"]["connectivity"] = [fleetmaker.answer("\udcff", "timeout")]
    path_of(tmp_path, "cm1").write_text(json.dumps(document), encoding="ascii")
    found = read_evidence([tmp_path], ["cm1"], None, fleetmaker.AT)
    assert found.hosts[0].verdict == "unknown"
    assert "damaged" in found.hosts[0].reasons[0]


# -- names that are paths ----------------------------------------------------------------------------


def test_no_name_of_a_host_is_a_way_out_of_a_folder(tmp_path: Path) -> None:
    names = [
        "../../x",
        "/etc/passwd",
        "a/../../b",
        "..",
        ".",
        "",
        "a\0b",
        "~root",
        "-rf",
        "x" * 300,
        "a\nb",
        "..%2f..",
        "c:\\x",
        *TEXTS[:9],
    ]
    paths = [path_of(tmp_path, name) for name in names]
    assert len({str(path).lower() for path in paths}) == len(names), "two hosts have one file"
    for path in paths:
        assert path.parent == tmp_path
        assert path.name not in ("", ".", "..")
        assert "/" not in path.name and "\0" not in path.name

"""The events that plugins say they send: every name is found or what hides it is named, whoever made the archives."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostroot import Host
from plugin_archives import JAVAC, NAMES, RETENTIONS, compiled, entries_of, jar, manifest, plugin
from schemas import validate

from ansible_collections.cbops.telemetry.plugins.module_utils import _answer
from ansible_collections.cbops.telemetry.plugins.module_utils.events import _gathering, _plugins, _unpacked
from ansible_collections.cbops.telemetry.plugins.module_utils.host._files import HostFiles, readable
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect import _gate as gate

if not JAVAC:
    pytest.skip("no JDK on this machine (scripts/tools installs one)", allow_module_level=True)

HOME = "/var/lib/cloudbees-core-cm"
WAR = "/usr/share/cloudbees-core-cm/cloudbees-core-cm.war"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, bytes]]:
    """The classes of a plugin, compiled once for each retention and JDK."""
    known: dict[Any, dict[str, bytes]] = {}

    def make(retention: str, javac: Path = JAVAC[0]) -> dict[str, bytes]:
        if (retention, javac) not in known:
            folder = tmp_path_factory.mktemp("compiled")
            known[retention, javac] = entries_of(compiled(folder, javac, retention))
        return known[retention, javac]

    return make


@pytest.fixture
def put(host: Host) -> Callable[[str, bytes], Path]:
    """Puts a file into the folder of plugins."""
    (host.root / HOME.lstrip("/") / "plugins").mkdir(parents=True)

    def put(name: str, data: bytes) -> Path:
        path = host.root / HOME.lstrip("/") / "plugins" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    return put


def events(host: Host, *wars: str) -> dict[str, Any]:
    """What is found, as an answer has it: it passes the gate as it is."""
    found = readable(_plugins.Events(HostFiles(str(host.root)), 60.0).of(HOME, wars))
    row = {
        "name": "x",
        "product": "controller",
        "product_version": "unknown",
        "home": HOME,
        "carried": [],
        "events": found,
    }
    answer = {"changed": False, "notes": [], "installations": [row]}
    passed = gate.admitted("analytics_events_info", gate.read(json.dumps(answer)))
    result: dict[str, Any] = passed["installations"][0]["events"]
    return result


def names(found: dict[str, Any], mark: str = "seen") -> set[str]:
    return {event["name"] for one in found["plugins"] for event in one["events"] if event["mark"] == mark}


@pytest.mark.parametrize("javac", JAVAC, ids=str)
@pytest.mark.parametrize("retention", RETENTIONS)
def test_every_name_is_found(host: Host, put: Any, made: Any, retention: str, javac: Path) -> None:
    put("demo.jpi", plugin("demo", "1.2", made(retention, javac)))
    found = events(host)
    [row] = found["plugins"]
    assert (row["plugin"], row["version"], row["file"]) == ("demo", "1.2", f"{HOME}/plugins/demo.jpi")
    assert found["unread"] == []
    by_field = {event["field"]: event for event in row["events"]}
    if retention == "SOURCE":
        assert names(found, "candidate") == NAMES | {"an own constant"} and names(found) == set()
        assert found["mark"] == row["mark"] == "candidate"
        assert by_field["demo.Child.EVENT"]["kind"] == "candidate", "it gathers by what it extends"
        return
    assert found["mark"] == row["mark"] == "seen" and names(found) == NAMES
    late = by_field["demo.Validated.LATE"]
    assert (late["name"], late["mark"], late["summary"]) == (None, "unknown", "Computed name.")
    assert "no constant" in late["reason"]
    assert by_field["demo.Validated.CODE"] == {
        "kind": "property",
        "name": "example_validation_code",
        "mark": "seen",
        "field": "demo.Validated.CODE",
        "file": f"{HOME}/plugins/demo.jpi!WEB-INF/lib/demo.jar!demo/Validated.class",
        "retention": retention,
        "summary": "Validation code.",
        "events": ["example event: bundle validated"],
    }
    assert by_field["demo.Child.EVENT"]["summary"] == "Über 😀 und \\u0000."
    assert "secret-like" not in json.dumps(found), "constants of others stay where they are"


def test_one_annotation_is_kept_and_the_other_is_not(host: Host, put: Any, tmp_path: Path) -> None:
    more = {
        "com/cloudbees/analytics/messages/AnalyticsProperty.java": """package com.cloudbees.analytics.messages;
import java.lang.annotation.*;
@Retention(RetentionPolicy.SOURCE) public @interface AnalyticsProperty { String[] event(); String summary() default
""; } """
    }
    put("demo.hpi", plugin("demo", "1", entries_of(compiled(tmp_path, JAVAC[0], "CLASS", more=more))))
    found = events(host)
    assert names(found) == {"example event: bundle validated", "example event: grüße"}
    assert names(found, "candidate") >= {"example_validation_code", "example_both"}


def test_constants_that_are_written_within_what_gathers_are_candidates(host: Host, put: Any, tmp_path: Path) -> None:
    more = {
        "demo/Outer.java": """package demo;
public class Outer implements com.cloudbees.analytics.gatherer.Gathering {
    interface Names { String FIRST = "example event: within"; }
    enum Kind { ONE; static class Deep { static final String SECOND = "example event: deeper"; } }
}
""",
        "demo/Outer$Like.java": """package demo;
class Other$Like { static final String THIRD = "of somebody else"; }
""",
    }
    put("demo.jpi", plugin("demo", "1", entries_of(compiled(tmp_path, JAVAC[0], "SOURCE", more=more))))
    assert names(events(host), "candidate") == NAMES | {
        "an own constant",
        "example event: within",
        "example event: deeper",
    }


def test_where_nothing_is_left_it_is_unknown(host: Host, put: Any, tmp_path: Path) -> None:
    """Kept in sources alone, on a class that does not gather."""
    more = {
        "demo/Validated.java": """package demo;
import com.cloudbees.analytics.messages.*;
public class Validated {
    @AnalyticsEvent static final String EVENT = Prefix.EVENT + "bundle validated";
    com.cloudbees.analytics.gatherer.Gathering held;
}
""",
        "demo/Child.java": "",
    }
    put("demo.jpi", plugin("demo", "1", entries_of(compiled(tmp_path, JAVAC[0], "SOURCE", more=more))))
    put(
        "other.jpi",
        jar({"META-INF/MANIFEST.MF": manifest("other", "2"), "WEB-INF/classes/X.class": b"\xca\xfe\xba\xbe"}),
    )
    found = events(host)
    [row] = found["plugins"]
    assert (row["plugin"], row["mark"], row["events"]) == ("demo", "unknown", [])
    assert "name com.cloudbees.analytics" in row["reason"]
    assert found["mark"] == "unknown" and found["reason"].startswith("of 2 archives with 4 classes that were read: ")


def test_a_home_without_anything_of_it(host: Host, put: Any) -> None:
    put("git.jpi", jar({"META-INF/MANIFEST.MF": manifest("git", "5"), "a.txt": b""}))
    found = events(host)
    assert (found["mark"], found["plugins"], found["unread"]) == ("unknown", [], [])
    assert found["reason"].endswith("no class names com.cloudbees.analytics")
    (host.root / HOME.lstrip("/") / "plugins/git.jpi").unlink()
    (host.root / HOME.lstrip("/") / "plugins").rmdir()
    assert events(host)["unread"] == [{"file": f"{HOME}/plugins", "reason": "No such file or directory"}]


def test_wherever_classes_may_lie(host: Host, put: Any, made: Any) -> None:
    """At the root, in WEB-INF/classes, for other Javas, in META-INF, in a library of a library; stored and packed."""
    one = made("CLASS")
    places = {
        "root": one,
        "classes": {f"WEB-INF/classes/{name}": data for name, data in one.items()},
        "versions": {f"META-INF/versions/17/{name}": data for name, data in one.items()},
        "in-a-library": {"WEB-INF/lib/a.jar": jar({"META-INF/versions/9/b.jar": jar(one)})},
        "in-meta-inf": {"META-INF/lib/a.jar": jar(one, zipfile.ZIP_STORED)},
    }
    for name, entries in places.items():
        for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            full = f"{name}-{method}"
            put(f"{full}.jpi", jar({"META-INF/MANIFEST.MF": manifest(full, "1"), **entries}, method))
    found = events(host)
    assert found["unread"] == []
    assert len(found["plugins"]) == 2 * len(places)
    for row in found["plugins"]:
        assert {event["name"] for event in row["events"]} == NAMES | {None}, row["plugin"]


def test_the_same_class_for_several_javas_is_said_once(host: Host, put: Any, made: Any) -> None:
    one = made("RUNTIME")
    many = {
        f"{place}{name}": data
        for place in ("", "META-INF/versions/9/", "META-INF/versions/21/")
        for name, data in one.items()
    }
    put("demo.jpi", plugin("demo", "1", many))
    [row] = events(host)["plugins"]
    assert len(row["events"]) == len(NAMES) + 1


def test_what_lies_unpacked(host: Host, put: Any, made: Any) -> None:
    """Alone, of another version than its archive, where the archive cannot be read; not again where it is the same."""
    one = made("CLASS")
    for name, version in (("alone", "1"), ("older", "1"), ("same", "2"), ("broken", "1")):
        put(f"{name}/META-INF/MANIFEST.MF", manifest(name, version))
        put(f"{name}/WEB-INF/lib/{name}.jar", jar(one))
        put(f"{name}/help/index.html", b"<p>")
    put("classes/WEB-INF/classes/demo/Validated.class", one["demo/Validated.class"])
    put("classes/META-INF/MANIFEST.MF", manifest("classes", "3"))
    for name in ("older", "same"):
        put(f"{name}.jpi", plugin(name, "2", one))
    put("broken.jpi", b"PK\3\4 and no more")
    put("README", b"no plugin")
    put("leftover.bak", plugin("leftover", "1", one))
    put("empty/x.txt", b"")
    found = events(host)
    rows = [(row["plugin"], row["version"], row.get("note", "")) for row in found["plugins"]]
    assert rows == [
        ("alone", "1", ""),
        ("broken", "1", ""),
        ("classes", "3", ""),
        ("older", "1", "unpacked at an earlier start; its archive has version 2"),
        ("older", "2", ""),
        ("same", "2", ""),
    ]
    assert all(row["mark"] == "seen" for row in found["plugins"])
    assert [one["file"] for one in found["unread"]] == [f"{HOME}/plugins/broken.jpi"]


def test_what_could_not_be_read_as_a_whole_hides_nothing(host: Host, put: Any, made: Any) -> None:
    """Of the same version, but its archive is damaged: what lies unpacked is read, and what the war brings, too."""
    one = made("CLASS")
    broken = jar({"META-INF/MANIFEST.MF": manifest("demo", "1"), "WEB-INF/lib/demo.jar": b"PK"})
    put("demo.jpi", broken)
    put("demo/META-INF/MANIFEST.MF", manifest("demo", "1"))
    put("demo/WEB-INF/lib/demo.jar", jar(one))
    war = host.root / WAR.lstrip("/")
    war.parent.mkdir(parents=True)
    war.write_bytes(jar({"WEB-INF/plugins/demo.hpi": plugin("demo", "1", one)}))
    found = events(host, WAR)
    assert [one["file"].rpartition("/plugins/")[2] for one in found["plugins"]] == ["demo"], (
        "the folder was read as a whole"
    )
    (host.root / HOME.lstrip("/") / "plugins/demo/WEB-INF/lib/demo.jar").write_bytes(b"PK")
    found = events(host, WAR)
    assert [one["file"].rpartition("!")[2] for one in found["plugins"]] == ["WEB-INF/plugins/demo.hpi"]


def test_of_two_archives_and_of_one_that_is_disabled_it_is_said(host: Host, put: Any, made: Any) -> None:
    put("demo.jpi", plugin("demo", "2", made("CLASS")))
    put("demo.hpi", plugin("demo", "1", made("CLASS")))
    put("off.jpi", plugin("off", "1", made("CLASS")))
    put("off.jpi.disabled", b"")
    put("linked.jpl", b"/home/developer/plugin")
    found = events(host)
    assert {(row["plugin"], row["version"]): row.get("note") for row in found["plugins"]} == {
        ("demo", "1"): "the product ignores it beside demo.jpi",
        ("demo", "2"): None,
        ("off", "1"): "the plugin is disabled",
    }
    [linked] = found["unread"]
    assert linked["file"].endswith("linked.jpl") and "development" in linked["reason"]


@pytest.mark.parametrize("unpacked", [False, True])
def test_the_plugins_that_a_war_brings(host: Host, put: Any, made: Any, unpacked: bool) -> None:
    one = made("CLASS")
    bundled = {
        "META-INF/MANIFEST.MF": b"Manifest-Version: 1.0\nJenkins-Version: 2.504\n\n",
        "WEB-INF/plugins/demo.hpi": plugin("demo", "1", one),
        "WEB-INF/plugins/newer.hpi": plugin("newer", "2", one),
        "WEB-INF/detached-plugins/detached.hpi": plugin("detached", "1", one),
        "WEB-INF/lib/core.jar": jar({"x/Core.class": b"\xca\xfe\xba\xbe"}),
    }
    war = host.root / WAR.lstrip("/")
    war.parent.mkdir(parents=True)
    if unpacked:
        for name, data in bundled.items():
            (war / name).parent.mkdir(parents=True, exist_ok=True)
            (war / name).write_bytes(data)
    else:
        war.write_bytes(jar(bundled))
    put("demo.jpi", plugin("demo", "1", one))
    put("newer.jpi", plugin("newer", "1", one))
    found = events(host, WAR)
    assert found["unread"] == []
    brought = "the war brings it, and it is not in the home in this version"
    assert {(row["plugin"], row["version"]): row.get("note") for row in found["plugins"]} == {
        ("demo", "1"): None,
        ("detached", "1"): brought,
        ("newer", "1"): None,
        ("newer", "2"): brought,
    }
    assert all({event["name"] for event in row["events"]} == NAMES | {None} for row in found["plugins"])


# -- archives that are made to hide something, or to cost much --------------------------------------


def encrypted(data: bytes) -> bytes:
    """Every entry says that it is encrypted, in its own header and in the directory."""
    changed = bytearray(data)
    for mark, place in ((b"PK\1\2", 8), (b"PK\3\4", 6)):
        at = changed.find(mark)
        while at >= 0:
            changed[at + place] |= 1
            at = changed.find(mark, at + 4)
    return bytes(changed)


def method(data: bytes, number: int) -> bytes:
    changed = bytearray(data)
    at = changed.find(b"PK\1\2")
    while at >= 0:
        struct.pack_into("<H", changed, at + 10, number)
        at = changed.find(b"PK\1\2", at + 4)
    return bytes(changed)


def damaged(data: bytes) -> bytes:
    """The content of the first entry is another one."""
    at = data.find(b"\xca\xfe\xba\xbe")
    return data[: at + 100] + bytes([data[at + 100] ^ 1]) + data[at + 101 :]


HIDING: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "encrypted": (encrypted, "it is encrypted, which Java does not read either"),
    "packed in a way of its own": (lambda data: method(data, 12), "it is compressed in a way that Java does not read"),
    "damaged": (damaged, "its checksum is another one"),
    "cut": (lambda data: data[:-30], "it has no end: it is cut, or no archive"),
    "empty": (lambda _data: b"", "it is empty"),
    "no archive": (lambda _data: b"\0" * 1000, "it has no end: it is cut, or no archive"),
}


@pytest.mark.parametrize("case", HIDING)
def test_what_is_not_read_is_named(host: Host, put: Any, made: Any, case: str) -> None:
    """And all else is read."""
    hide, said = HIDING[case]
    put("bad.jpi", hide(jar({f"WEB-INF/classes/{name}": data for name, data in made("CLASS").items()}, 0)))
    put("good.jpi", plugin("good", "1", made("CLASS")))
    found = events(host)
    assert names(found) == NAMES
    assert found["unread"] and all("/bad.jpi" in one["file"] for one in found["unread"])
    assert {one["reason"] for one in found["unread"]} == {said}


@pytest.mark.parametrize("case", sorted(set(HIDING) - {"empty"}))
def test_what_is_not_read_within_an_archive_is_named(host: Host, put: Any, made: Any, case: str) -> None:
    hide, said = HIDING[case]
    inner = hide(jar(made("CLASS"), 0))
    put("bad.jpi", jar({"WEB-INF/lib/bad.jar": inner, "WEB-INF/lib/good.jar": jar(made("CLASS"))}))
    found = events(host)
    assert names(found) == NAMES
    assert {one["file"].split("!")[1] for one in found["unread"]} == {"WEB-INF/lib/bad.jar"}
    assert {one["reason"] for one in found["unread"]} == {said}


def test_a_zip64_archive_is_read(host: Host, put: Any, made: Any) -> None:
    """65,536 entries: what counts stands in the record of 64 bits."""
    path = put("wide.jpi", b"")
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(65600):
            archive.writestr(zipfile.ZipInfo(f"help/{number}.html"), b"")
        for name, data in made("CLASS").items():
            archive.writestr(name, data)
    found = events(host)
    assert names(found) == NAMES and found["unread"] == []


def test_bombs_cost_no_more_than_their_limits(host: Host, put: Any, made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A class, a library and a plugin that unpack to more than is taken; others are read all the same."""
    monkeypatch.setattr(_unpacked, "LIMIT_NESTED", 1 << 20)
    monkeypatch.setattr(_unpacked, "LIMIT_UNPACKED", 9 << 20)
    large = b"\0" * ((4 << 20) + 1)
    put("a-class.jpi", jar({"A.class": large, **made("CLASS")}))
    put(
        "b-library.jpi",
        jar({"WEB-INF/lib/large.jar": jar({"x": large}, 0), "WEB-INF/lib/good.jar": jar(made("CLASS"))}),
    )
    put("c-many.jpi", jar({f"{number}.class": b"\0" * (4 << 20) for number in range(20)}))
    put("z-good.jpi", plugin("z-good", "1", made("CLASS")))
    found = events(host)
    assert {row["plugin"]: row["mark"] for row in found["plugins"]} == {
        "a-class": "seen",
        "b-library": "seen",
        "z-good": "seen",
    }
    assert {(one["file"].rpartition("/")[2], one["reason"]) for one in found["unread"]} == {
        ("a-class.jpi!A.class", f"it is larger than {4 << 20} bytes"),
        ("large.jar", f"it is larger than {1 << 20} bytes"),
        ("c-many.jpi!2.class", f"unpacked it has more than {9 << 20} bytes"),
    }


def test_a_size_that_lies(host: Host, put: Any, made: Any) -> None:
    """The directory says a few bytes; what comes out is cut off at the limit all the same."""
    data = bytearray(jar({"A.class": b"\0" * (8 << 20), **made("CLASS")}))
    at = data.find(b"PK\1\2")
    struct.pack_into("<I", data, at + 24, 10)
    put("lie.jpi", bytes(data))
    found = events(host)
    assert names(found) == NAMES
    assert [one["reason"] for one in found["unread"]] == [f"it is larger than {4 << 20} bytes"]


def test_archives_in_archives_have_an_end(host: Host, put: Any, made: Any) -> None:
    data = jar(made("CLASS"))
    for _number in range(6):
        data = jar({"next.jar": data})
    put("deep.jpi", data)
    found = events(host)
    assert found["plugins"] == []
    [one] = found["unread"]
    assert one["reason"].startswith("it is an archive in more than 3 archives")


def test_when_the_time_is_used_up_the_rest_is_named(host: Host, put: Any, made: Any) -> None:
    for name in ("a", "b"):
        put(f"{name}.jpi", plugin(name, "1", made("CLASS")))
    scan = _plugins.Scan(HostFiles(str(host.root)), HOME, [], time.monotonic() - 1, _plugins.Room())
    found = scan.run()
    assert found["plugins"] == [] and found["mark"] == "unknown"
    assert [one["file"][len(HOME) :].partition("!")[0] for one in found["unread"]] == [
        "/plugins/a.jpi",
        "/plugins/b.jpi",
    ]
    assert {one["reason"] for one in found["unread"]} == {"the time for reading archives was used up"}


def late(scan: _plugins.Scan, looks: int) -> Any:
    """What is found where the time is over after so many looks at the clock."""
    left = [looks]

    def is_over() -> bool:
        left[0] -= 1
        return left[0] < 0

    scan.clock.is_over = is_over  # type: ignore[method-assign]
    return scan.run()


def test_at_whatever_moment_the_time_is_over_what_is_not_read_is_named(host: Host, put: Any, tmp_path: Path) -> None:
    """Also of the second reading, for what is below a class that gathers: what the first one found is kept."""
    files = {
        "demo/A.java": """package demo;
public class A implements com.cloudbees.analytics.gatherer.Gathering { public static final String X = "event-a"; }
""",
        "demo/B.java": """package demo;
public class B extends A { public static final String Y = "event-b"; }
""",
        "demo/C.java": """package demo;
public class C implements com.cloudbees.analytics.gatherer.Gathering { public static final String Z = "event-c"; }
""",
        "com/cloudbees/analytics/gatherer/Gathering.java": """package com.cloudbees.analytics.gatherer;
public interface Gathering { }
""",
    }
    for name, text in files.items():
        path = tmp_path / "s" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    sources = [str(path) for path in (tmp_path / "s").rglob("*.java")]
    subprocess.run([JAVAC[0], "-d", str(tmp_path / "c"), *sources], check=True, timeout=120)
    entries = {f"demo/{name}.class": (tmp_path / f"c/demo/{name}.class").read_bytes() for name in "ABC"}

    def within(first: str) -> dict[str, bytes]:
        one = jar({f"demo/{name}.class": entries[f"demo/{name}.class"] for name in first})
        return {"WEB-INF/lib/a.jar": one, "WEB-INF/lib/b.jar": jar({"demo/C.class": entries["demo/C.class"]})}

    a, b, c = "event-a", "event-b", "event-c"
    for name, archive, every in (
        ("flat", entries, {a, b, c}),
        ("within", within("AB"), {a, b, c}),
        ("not-at-first", within("B"), {c}),
    ):
        path = put(f"{name}.jpi", jar({"META-INF/MANIFEST.MF": manifest(name, "1"), **archive}))
        seen, latest, before = set(), 0, frozenset[str]()
        for looks in range(40):
            scan = _plugins.Scan(HostFiles(str(host.root)), HOME, [], time.monotonic() + 600, _plugins.Room())
            found = late(scan, looks)
            is_whole = not found["unread"]
            events_seen = frozenset(event["name"] for one in found["plugins"] for event in one["events"])
            assert is_whole == all(one.whole for one in scan.plugins)
            assert events_seen == every or not is_whole, (name, looks)
            assert {one["reason"] for one in found["unread"]} <= {"the time for reading archives was used up"}
            assert len({one["file"] for one in found["unread"]}) == len(found["unread"]) <= 3, "each once"
            latest = looks if not is_whole else latest
            assert events_seen >= before, "what was found in less time is found in more"
            seen.add(events_seen)
            before = events_seen
        assert len(seen) > 1 and 0 < latest < 39
        path.unlink()


def test_more_events_than_an_answer_holds(host: Host, put: Any, made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody's plugin with very many cannot push the answer over its limits; that some are left out is said."""
    monkeypatch.setattr(_plugins, "LIMIT_ROWS", 7)
    monkeypatch.setattr(_plugins, "LIMIT_UNREAD", 2)
    for number in range(4):
        put(f"p{number}.jpi", plugin(f"p{number}", "1", made("CLASS")))
    found = events(host)
    assert sum(len(row["events"]) for row in found["plugins"]) == 7
    assert found["unread"] == [
        {"file": HOME, "reason": "1 more files in it were not read"},
        {"file": f"{HOME}/plugins/p1.jpi", "reason": "3 events of it are more than an answer holds"},
        {"file": f"{HOME}/plugins/p2.jpi", "reason": "5 events of it are more than an answer holds"},
    ]


def test_a_class_that_is_none_is_named(host: Host, put: Any, made: Any) -> None:
    one = made("CLASS")
    bad = one["demo/Validated.class"][:-1].replace(b"RuntimeInvisible", b"RuntimeInvisible")[:700]
    put("bad.jpi", jar({"demo/Validated.class": bad, "demo/Child.class": one["demo/Child.class"]}))
    found = events(host)
    assert found["unread"] == [{"file": f"{HOME}/plugins/bad.jpi!demo/Validated.class", "reason": "it is cut"}]
    assert names(found) == {"example event: grüße"}


def test_names_that_do_something_to_a_terminal(host: Host, put: Any, made: Any) -> None:
    one = made("CLASS")["demo/Validated.class"]
    put("odd.jpi", jar({"demo/\x1b[31m\n##[add]\u202e.class": one, "META-INF/MANIFEST.MF": manifest("../../x", "1 2")}))
    put("\x1b]0;x.jpi", jar({"demo/Validated.class": one}))
    text = json.dumps(events(host), ensure_ascii=False)
    assert "\x1b" not in text and "\u202e" not in text and "##[" not in text and "../../x" not in text
    assert text.count("example event: bundle validated") >= 2


def test_what_a_service_user_plants_is_not_opened(host: Host, put: Any, tmp_path: Path) -> None:
    os.mkfifo(put("x", b"").with_name("fifo.jpi"))
    put("x", b"").with_name("away.jpi").symlink_to("/etc/shadow")
    put("x", b"").with_name("loop.jpi").symlink_to("loop.jpi")
    put("x", b"").with_name("dangling").symlink_to("nowhere")
    (put("round/META-INF/MANIFEST.MF", manifest("round", "1")).parent / "again").symlink_to("..")
    found = events(host)
    said = {one["file"].rpartition("/")[2]: one["reason"] for one in found["unread"]}
    assert said["fifo.jpi"] == "not a regular file"
    assert said["away.jpi"] == "No such file or directory", "below the root of the image"
    assert said["loop.jpi"].startswith("Too many levels")
    assert any("more names or folders" in reason for reason in said.values())


def test_no_home_and_a_dead_child(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    found = _plugins.Events(HostFiles(str(host.root)), 60.0)
    assert found.of(None, []) == _plugins.unknown("its JENKINS_HOME is not known")
    monkeypatch.setattr(_plugins.Scan, "run", lambda _self: 1 / 0)
    assert found.of("/home", [])["reason"] == "its plugins could not be read: ZeroDivisionError"
    found.seconds = 0
    assert found.of("/other", [])["reason"] == "the time for reading archives was used up"


# -- in the answers of the modules ------------------------------------------------------------------


def test_the_answers_of_both_modules(host: Host, put: Any, made: Any) -> None:
    host.deb('JAVA_ARGS="-Xmx1g"\n')
    put("demo.jpi", plugin("demo", "1", made("CLASS")))
    options: dict[str, Any] = {"root": str(host.root), "launch_scripts": []}
    said = json.dumps(_answer.analytics_events_info(dict(options), False))
    answer = gate.admitted("analytics_events_info", gate.read(said))
    [one] = answer["installations"]
    assert (one["name"], one["home"]) == ("cloudbees-core-cm", HOME) and names(one["events"]) == NAMES
    assert one["carried"] == [
        "the instance's id (not read)",
        "the product: controller",
        "its version: unknown",
        "the licensed organisation (not read)",
    ]
    state = gate.tidied(readable(_answer.state(str(host.root), with_events=True)))
    validate(state)
    assert state["installations"][0]["events"] == one["events"]
    info = {**options, "connectivity": None, "attach": "never"}
    assert "events" not in _answer.telemetry_info(info, False)["state"]["installations"][0]
    asked = _answer.telemetry_info({**info, "events": "disk"}, False)["state"]["installations"][0]
    assert asked["events"]["mark"] == "seen"
    assert _answer.analytics_events_info({**options, "root": "x"}, False)["failed"]


def described(texts: list[bytes]) -> bytes:
    """A class with one annotation, whose description is these texts."""
    pool: list[bytes] = []

    def utf(text: bytes) -> int:
        pool.append(b"\x01" + struct.pack(">H", len(text)) + text)
        return len(pool)

    name = utf(b"com/x")
    pool.append(b"\x07" + struct.pack(">H", name))
    this, field, kind = len(pool), utf(b"F"), utf(b"Ljava/lang/String;")
    names = (b"RuntimeVisibleAnnotations", b"Lcom/cloudbees/analytics/messages/AnalyticsEvent;", b"summary")
    attribute, annotation, summary = (utf(one) for one in names)
    known = {text: utf(text) for text in dict.fromkeys(texts)}
    values = b"".join(b"s" + struct.pack(">H", known[text]) for text in texts)
    data = struct.pack(">HHHH", 1, annotation, 1, summary) + b"[" + struct.pack(">H", len(texts)) + values
    fields = struct.pack(">HHHHHHI", 1, 0x18, field, kind, 1, attribute, len(data)) + data
    head = b"\xca\xfe\xba\xbe\0\0\0\x34" + struct.pack(">H", len(pool) + 1) + b"".join(pool)
    return head + struct.pack(">HHHH", 0, this, 0, 0) + fields


@pytest.mark.parametrize(
    "texts",
    [[], ["a"], ["a" * 600], ["a" * 599, ""], ["a" * 300, "b" * 300], ["b" * 700, "c"], ["", ""] * 400, ["é"] * 700],
)
def test_a_description_of_several_texts(texts: list[str]) -> None:
    found = _gathering.found_in(lambda: [("x", described([text.encode() for text in texts]))])
    whole = " ".join(texts)
    wanted = whole if len(whole) <= 600 else f"{whole[:600]} [{len(whole) - 600} characters more]"
    assert readable(found.rows[0]).get("summary", "") == wanted


def test_a_description_costs_no_more_than_is_kept_of_it() -> None:
    """Sixty thousand bytes, named two thousand times."""
    data = described([b"a" * 60000] * 2000)
    tracemalloc.start()
    try:
        found = _gathering.found_in(lambda: [("x", data)])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.rows[0]["summary"] == "a" * 600 + f" [{2000 * 60000 + 1999 - 600} characters more]"
    assert peak < 10 << 20

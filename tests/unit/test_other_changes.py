"""What a restart would start beside the flag: whole archives, what a host tells, and whether it is refused."""

from __future__ import annotations

import io
import os
import re
import struct
import time
import types
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jvms import jvms
from test_processes import JVM
from test_processes import owner as owner_of

from ansible_collections.cbops.telemetry.plugins.module_utils.edit import _backups, _writing
from ansible_collections.cbops.telemetry.plugins.module_utils.host import _records
from ansible_collections.cbops.telemetry.plugins.module_utils.host._files import OWN_DROP_INS, HostFiles
from ansible_collections.cbops.telemetry.plugins.module_utils.java import _archive
from ansible_collections.cbops.telemetry.plugins.module_utils.launch import _outcome
from ansible_collections.cbops.telemetry.plugins.module_utils.running import _facts, _processes
from ansible_collections.cbops.telemetry.plugins.module_utils.survey import _brought, _survey
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect import _gate
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy import _other_changes
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._other_changes import (
    changes_of,
    may_restart,
    words,
)

# -- archives ---------------------------------------------------------------------------------------


def packed(count: int = 30, comment: bytes = b"", size: int = 200, method: int = zipfile.ZIP_STORED) -> bytes:
    """An archive of so many entries, each with its own content."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for number in range(count):
            archive.writestr(f"WEB-INF/lib/{number}.jar", bytes([number % 251]) * size)
        archive.comment = comment
    return stream.getvalue()


def wide(archive: bytes) -> bytes:
    """The same archive with a 64-bit end, and nothing in the older one."""
    at = archive.rindex(b"PK\x05\x06")
    count, length, offset = struct.unpack_from("<HII", archive, at + 10)
    record = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, length, offset)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, at, 1)
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return archive[:at] + record + locator + end


def flaw(data: bytes) -> str | None:
    return _archive.flaw(io.BytesIO(data), len(data))


WHOLE = packed()


@pytest.mark.parametrize(
    "data",
    [
        WHOLE,
        packed(1),
        packed(method=zipfile.ZIP_DEFLATED),
        packed(comment=b"of the maker"),
        packed(comment=b"PK\x05\x06" * 9),
        b'#!/bin/sh\nexec java -jar "$0"\n' + WHOLE,
        wide(WHOLE),
        b"#!x\n" + wide(WHOLE),
        WHOLE + b"what somebody added",
    ],
    ids=[
        "plain",
        "one entry",
        "deflated",
        "comment",
        "marks in the comment",
        "a program in front",
        "64-bit",
        "64-bit behind a program",
        "more behind it",
    ],
)
def test_a_whole_archive(data: bytes) -> None:
    assert flaw(data) is None


@pytest.mark.parametrize(
    "data", [WHOLE, wide(WHOLE), packed(comment=b"of the maker")], ids=["plain", "64-bit", "comment"]
)
def test_cut_anywhere_it_is_none(data: bytes) -> None:
    """A copy that broke off."""
    assert [size for size in range(len(data)) if flaw(data[:size]) is None] == []


def _holes(data: bytes) -> bytes:
    return data[:1000] + bytes(3000) + data[4000:]


def _half_of_another(data: bytes) -> bytes:
    """As ``rsync --inplace`` leaves it: the new one's beginning, the old one's end."""
    return (b"new" + packed(40, size=300))[: len(data) // 2] + data[len(data) // 2 :]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda _data: b"", "it is empty"),
        (lambda _data: packed(0), "it holds nothing"),
        (lambda _data: b"<html>404 Not Found</html>" * 99, "it has no end: it is cut, or no archive"),
        (lambda data: bytes(len(data)), "it has no end: it is cut, or no archive"),
        (lambda data: data[: len(data) // 2], "it has no end: it is cut, or no archive"),
        (lambda data: data[:-1], "its end is cut"),
        (lambda data: data[len(data) // 2 :], "bytes are missing"),
        (_holes, "written over by half, or has holes"),
        (_half_of_another, "written over by half, or has holes"),
        (lambda data: data[:-22] + b"x" + data[-22:], "its directory is not whole"),
        (lambda data: data.replace(b"PK\x01\x02", b"PK\x01\x00", 1), "its directory is not whole"),
        (lambda data: data[:-12] + struct.pack("<H", 31) + data[-10:], "its directory is not whole"),
        (lambda data: data[:-10] + struct.pack("<I", 1 << 30) + data[-6:], "its directory is larger than the file"),
        (
            lambda data: (
                data[: data.rindex(b"PK\x01\x02") + 20]
                + struct.pack("<I", 1 << 20)
                + data[data.rindex(b"PK\x01\x02") + 24 :]
            ),
            "an entry does not end before its directory",
        ),
        (lambda data: wide(data).replace(b"PK\x06\x06", b"PK\x06\x00"), "its 64-bit end is missing"),
    ],
)
def test_what_is_no_whole_archive(damage: Callable[[bytes], bytes], said: str) -> None:
    assert said in (flaw(damage(WHOLE)) or "")


def test_what_is_read_of_an_archive_is_bounded(tmp_path: Path) -> None:
    """Of a large directory it is not known, and of many entries some are looked at."""
    size = (20 << 20) + 22
    with pytest.raises(_archive.TooLarge), (tmp_path / "x").open("w+b") as stream:
        stream.truncate(size - 22)
        stream.seek(0, os.SEEK_END)
        stream.write(struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 9, 9, 9 << 20, 0, 0))
        _archive.flaw(stream, size)

    class Counting(io.BytesIO):
        total = 0

        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(size)
            Counting.total += len(data)
            return data

    data = packed(3000, size=5000)
    assert _archive.flaw(Counting(data), len(data)) is None
    assert Counting.total < 400_000 < len(data)


# -- what a host tells ------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for files, with records of edits of its own."""
    monkeypatch.setattr(_records, "ABOVE", str(tmp_path / "var/lib"))
    return tmp_path


def age(*paths: Path) -> None:
    """Make a start that is later than all that is there. The kernel's own time of a file cannot be set."""
    for path in paths:
        os.utime(path, (1, 1))


# Later than any file of a test, however late in a run it is made.
STARTED = time.time() + 10 * 365 * 86400.0
LONG_AGO = 1.0


def entry(
    place: Path,
    started: float = LONG_AGO,
    *,
    drop_ins: tuple[Path, ...] = (),
    loaded: tuple[Path, ...] | None = None,
    need_reload: bool = False,
    live: Path | None = None,
    before: Any = (),
    fragment: str | None = None,
) -> Any:
    """An installation whose JVM has run since, with these drop-ins on disk, and loaded."""
    owner = owner_of("a")
    unit = owner.loaded.unit if owner.loaded else None
    assert unit is not None and owner.loaded is not None
    on_disk = unit._replace(fragment=fragment, drop_ins=tuple(map(str, drop_ins)), before=before)
    in_memory = unit._replace(fragment=fragment, drop_ins=tuple(map(str, drop_ins if loaded is None else loaded)))
    place_of = types.SimpleNamespace(path=str(live)) if live else None
    return _survey.Entry(
        owner.definition._replace(unit=on_disk),
        owner.on_disk._replace(verdict="disabled"),
        place_of,
        owner.on_disk,
        owner.loaded._replace(unit=in_memory, need_reload=need_reload),
        (JVM._replace(start=started),),
        "enabled",
        None,
    )


def told(found: Any, place: Path, wars: tuple[str, ...] = (), home: Path | None = None) -> list[tuple[str, str]]:
    """Kind and words, paths from the folder of the test."""
    items = _brought.brought(found, HostFiles("/"), str(home) if home else None, wars)
    return [(item["kind"], item["what"].replace(str(place), "")) for item in items]


def test_nothing_runs_and_nothing_has_changed(place: Path) -> None:
    file = place / "x.conf"
    file.write_text("")
    assert told(entry(place, STARTED, drop_ins=(file,)), place) == []
    assert told(entry(place, drop_ins=(file,))._replace(processes=()), place) == []
    assert told(entry(place, drop_ins=(file,))._replace(stray=True), place) == []
    contained = JVM._replace(start=LONG_AGO, container=True)
    assert told(entry(place, drop_ins=(file,))._replace(processes=(contained,)), place) == []


def test_unit_files_of_others(place: Path) -> None:
    """Ours, by its name, is none of others; times that a package brought along do not count alone."""
    ours, theirs, gone = (place / name for name in ("zzz-cbops-telemetry.conf", "10.conf", "20.conf"))
    for file in (ours, theirs):
        file.write_text("")
        age(file)
    assert told(entry(place, drop_ins=(ours, theirs), loaded=(ours, theirs, gone), need_reload=True), place) == [
        ("unit", "/10.conf was changed by somebody else after the JVM's start"),
        ("unit", "/20.conf was removed after the JVM's start, and a daemon-reload is owed"),
    ]
    assert told(entry(place, drop_ins=(ours,), loaded=(), need_reload=True), place) == []
    removed = tuple(place / "sub" / name for name in OWN_DROP_INS)
    assert told(entry(place, drop_ins=(), loaded=removed, need_reload=True), place) == []


def test_a_file_of_two_names_is_told_once(place: Path) -> None:
    """As /lib and /usr/lib are the same folder."""
    (place / "usr").mkdir()
    (place / "usr/x.conf").write_text("")
    (place / "lib").symlink_to("usr")
    both = (place / "usr/x.conf", place / "lib/x.conf")
    assert len(told(entry(place, drop_ins=both[:1], loaded=both[1:]), place)) == 1


def test_a_reload_that_is_owed_for_nothing_that_is_seen(place: Path) -> None:
    file = place / "x.conf"
    file.write_text("")
    assert told(entry(place, STARTED, drop_ins=(file,), need_reload=True), place) == [
        ("unknown", "a daemon-reload is owed, and for what is not known")
    ]


def test_units_that_each_reload_makes_anew(place: Path) -> None:
    assert told(entry(place, fragment="/run/systemd/generator.late/a.service"), place) == []


def record(place: Path, file: Path, *after: str | None) -> None:
    """What our edits of a file recorded, the newest last."""
    folder = place / "var/lib/cbops-telemetry/backups" / _records.folder_name(str(file))
    folder.mkdir(parents=True, exist_ok=True)
    for number, one in enumerate(after):
        kept = _backups._Kept("", str(file), None, 0, None, [{"run": "r", "at": "x", "after": one}], False)
        (folder / f"2026010{number + 1}T000000Z.json").write_bytes(_backups._written(kept))


@pytest.mark.parametrize(
    ("after", "is_told"),
    [
        ((_records.digest(b"now"),), False),
        ((_records.digest(b"then"),), True),
        ((None,), True),
        (("",), False),
        ((_records.digest(b"then"), _records.digest(b"now")), False),
        ((_records.digest(b"now"), _records.digest(b"then")), True),
        ((), True),
    ],
)
def test_what_our_records_say_we_edited_is_no_others(place: Path, after: tuple[str | None, ...], is_told: bool) -> None:
    file = place / "10.conf"
    file.write_text("now")
    record(place, file, *after)
    assert bool(told(entry(place, drop_ins=(file,)), place)) is is_told


def test_damaged_records_and_copies_that_lay_beside_the_file_say_nothing(place: Path) -> None:
    file = place / "10.conf"
    file.write_text("now")
    record(place, file, _records.digest(b"now"))
    folder = place / "var/lib/cbops-telemetry/backups" / _records.folder_name(str(file))
    texts = ("{", "[]", '{"schema": "x"}', '{"schema": "cbops.telemetry/backup/1", "edits": []}')
    for number, text in enumerate(texts):
        (folder / f"2027010{number + 1}T000000Z.json").write_text(text)
    (folder / "20280101T000000Z").write_text("a copy")
    assert told(entry(place, drop_ins=(file,)), place) == []


def test_the_store_s_own_records_are_read(hostroot_folder: Path) -> None:
    files = HostFiles(str(hostroot_folder))
    file = hostroot_folder / "etc/default/cm"
    store = _backups.Store(str(hostroot_folder), "run")
    _writing.replace(str(file), "old", "new", store)
    assert _records.is_ours(files, "/etc/default/cm")
    file.write_text("by hand")
    assert not _records.is_ours(HostFiles(str(hostroot_folder)), "/etc/default/cm")


@pytest.fixture
def hostroot_folder(tmp_path: Path) -> Path:
    """An image with one launch file."""
    for name in ("etc/default", "var/lib"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "etc/default/cm").write_text("old")
    return tmp_path


def test_a_launch_file_of_others(place: Path) -> None:
    file = place / "cm"
    file.write_text("JAVA_ARGS=-Xmx9g")
    assert told(entry(place, live=file), place) == [
        ("launch", "/cm was changed by somebody else after the JVM's start")
    ]
    record(place, file, _records.digest(file.read_bytes()))
    assert told(entry(place, live=file), place) == []


def test_the_war_of_the_next_start(place: Path) -> None:
    war = place / "cm.war"
    assert told(entry(place, STARTED), place, (str(war),)) == [("broken", "/cm.war is not there")]
    assert told(entry(place, STARTED, before=(("x",),)), place, (str(war),)) == [
        ("unknown", "whether /cm.war will be there is not known: it is not there now")
    ]
    war.write_bytes(WHOLE[:5000])
    assert told(entry(place, STARTED), place, (str(war),)) == [
        ("broken", "/cm.war is no whole zip archive: it has no end: it is cut, or no archive")
    ]
    war.write_bytes(WHOLE)
    assert told(entry(place, STARTED), place, (str(war), "relative.war")) == []
    war.unlink()
    war.mkdir()
    assert told(entry(place, STARTED), place, (str(war),)) == [], "one that is unpacked"
    found = entry(place, STARTED)
    found = found._replace(on_disk=found.on_disk._replace(verdict=_outcome.UNRESOLVABLE))
    assert told(found, place, (str(place / "nowhere.war"),)) == [], "nobody knows that it is the one"


def plugin(home: Path, name: str, unpacked: int | None, packed_at: int = 1_600_000_000) -> Path:
    """An archive, and the folder that it was unpacked to when its time was ``unpacked``."""
    archive = home / "plugins" / f"{name}.jpi"
    archive.parent.mkdir(parents=True, exist_ok=True)
    archive.write_bytes(b"")
    os.utime(archive, (packed_at, packed_at))
    if unpacked is not None:
        (home / "plugins" / name).mkdir()
        stamp = home / "plugins" / name / ".timestamp2"
        stamp.write_text("")
        os.utime(stamp, (unpacked, unpacked))
    return archive


def test_plugins_that_are_pending(place: Path) -> None:
    same = 1_600_000_000
    plugin(place, "git", same + 9)
    plugin(place, "mailer", same)
    plugin(place, "cvs", None)
    plugin(place, "off", same)
    (place / "plugins/off.jpi.disabled").write_text("")
    (place / "plugins/old.jpi.tmp").write_text("")
    (place / "plugins/old.bak").write_text("")
    plugin(place, "x\nERROR", same + 9)
    assert told(entry(place), place, home=place) == [
        ("plugins", "plugins are pending: cvs (new), git (another archive), off (switched off) and 1 more")
    ]
    assert told(entry(place, STARTED), place, home=place) == [
        ("plugins", "plugins are pending: git (another archive), (a name that is not shown) (another archive)")
    ], "what has not changed since is loaded, or was not when it started"


def test_of_a_second_java_may_tell_no_part(place: Path) -> None:
    os.utime(plugin(place, "git", 1_600_000_000), (1_600_000_000.7, 1_600_000_000.7))
    assert told(entry(place), place, home=place) == []


def test_plugins_that_are_unpacked_elsewhere_are_not_known(place: Path) -> None:
    plugin(place, "git", None)
    assert told(entry(place), place, home=place) == []
    assert told(entry(place), place, home=place / "nowhere") == []


def test_plugins_that_cannot_be_read(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin(place, "git", None)
    monkeypatch.setattr(_brought, "_LIMIT_PLUGINS", 0)
    assert told(entry(place), place, home=place) == [
        ("unknown", "whether plugins are pending is not known: there are more than 0 plugins")
    ]


def test_another_java_is_not_hidden_by_another_war(place: Path) -> None:
    others = (("java", "its java is another"), ("war", "its war is another"))
    found = entry(place, STARTED)._replace(processes=(JVM._replace(start=STARTED, others=others),))
    assert told(found, place) == list(others)


@pytest.mark.parametrize(
    ("kind", "said"),
    [("link", [("java", "it runs the Java of /old, the next start that of /new")]), ("same", []), ("script", [])],
)
def test_the_java_of_the_next_start(place: Path, kind: str, said: list[tuple[str, str]]) -> None:
    """A link of update-alternatives leads to another one; of what a script starts nothing is known."""
    for name in ("old", "new"):
        (place / name / "bin").mkdir(parents=True)
        (place / name / "bin/java").write_bytes(b"#!/bin/sh" if kind == "script" else b"\x7fELF")
    (place / "java").symlink_to(place / ("old" if kind == "same" else "new") / "bin/java")
    walk = types.SimpleNamespace(
        paths=[[types.SimpleNamespace(java=str(place / "java"))]], sourced=[], followed=[], texts=[]
    )
    found = entry(place, STARTED)
    jvm = JVM._replace(start=STARTED, network=({}, {}, str(place / "old")))
    found = found._replace(processes=(jvm,), on_disk=found.on_disk._replace(walk=walk))
    assert told(found, place) == said


def test_a_running_jvm_tells_what_was_replaced() -> None:
    with jvms() as machine:
        jvm = machine.start(war=True)
        seen = _processes.look(jvm.pid)
        assert seen is not None
        assert _facts.examine(seen, attach="never").others == ()
        machine.war.unlink()
        assert _facts.examine(seen, attach="never").others == (("war", "its war was removed after its start"),)


def test_what_a_host_tells_passes_the_gate() -> None:
    document = _gate._document("urn:cbops.telemetry:state:1")
    check = _gate._compiled(document["$defs"]["installation"]["properties"]["restart_brings"], document)
    check([{"kind": "war", "what": "x"}], "")
    for wrong in ([], [{"kind": "flag", "what": "x"}], [{"kind": "war"}], [{"kind": "war", "what": "x", "y": 1}]):
        with pytest.raises(_gate.NotAdmitted):
            check(wrong, "")


# -- the rule ---------------------------------------------------------------------------------------


def due(*kinds: str, service: str = "cm.service", name: str = "cm") -> dict[str, Any]:
    """An installation that owes a restart, which would bring these."""
    items = [{"kind": kind, "what": f"the {kind}"} for kind in kinds]
    return {
        "name": name,
        "service": service,
        "processes": [{"pid": 1, "started": LONG_AGO}],
        **({"restart_brings": items} if items else {}),
    }


@pytest.mark.parametrize(
    ("kinds", "allowed", "refused"),
    [
        ((), (), False),
        (("launch", "unknown"), (), False),
        (("war",), (), True),
        (("war",), ("war",), False),
        (("war",), ("java", "unit", "plugins"), True),
        (("java",), (), True),
        (("java",), ("java",), False),
        (("unit",), (), True),
        (("unit",), ("unit",), False),
        (("plugins",), (), True),
        (("plugins",), ("plugins",), False),
        (("war", "java"), ("war",), True),
        (("war", "java"), ("java", "war"), False),
        (("broken",), _other_changes.KINDS, True),
        (("war", "broken"), _other_changes.KINDS, True),
    ],
)
def test_what_is_refused(kinds: tuple[str, ...], allowed: tuple[str, ...], refused: bool) -> None:
    may, why = may_restart([due(*kinds)], allowed)
    assert (may == [], bool(why)) == (refused, refused)
    assert any(change["refused"] for change in changes_of(due(*kinds), allowed)) is refused


def test_a_refusal_says_what_and_how() -> None:
    assert may_restart([due("unit", "war", "java", "launch")], ["java"])[1] == [
        "cm.service is not restarted, because that would start something else, too: the unit; the war "
        "(telemetry_restart_allow: [war, unit] allows it)"
    ]
    assert may_restart([due("war", "broken")], [])[1] == [
        "cm.service is not restarted, because it would not come up again: the war; the broken"
    ]


def test_a_service_is_restarted_as_a_whole_and_the_others_are_restarted() -> None:
    one, other, third = due("war"), due(name="second"), due(service="x.service", name="x")
    assert may_restart([one, other, third], []) == ([third], [may_restart([one], [])[1][0]])


def test_what_was_seen_before_the_reload_counts_for_the_same_processes() -> None:
    now, later = due(), {**due(), "processes": [{"pid": 2, "started": LONG_AGO}]}
    earlier = {"installations": [due("unit", "war")]}
    assert may_restart([now], [], earlier)[0] == []
    assert "the unit (" in may_restart([now], [], earlier)[1][0], "a war is as it is now"
    assert may_restart([later], [], earlier) == ([later], [])
    assert len(changes_of(due("unit"), [], earlier)) == 1


def test_every_kind_of_the_schema_has_words_for_the_plan() -> None:
    document = _gate._document("urn:cbops.telemetry:state:1")
    kinds = document["$defs"]["installation"]["properties"]["restart_brings"]["items"]["properties"]["kind"]["enum"]
    for kind in kinds:
        (change,) = changes_of(due(kind), [])
        assert re.search(f"cm.service.*the {kind}", words(change))
        assert words(change).endswith(" (refused)") is (kind in (*_other_changes.KINDS, "broken"))


def test_the_choices_are_the_same_everywhere() -> None:
    checkout = Path(_gate.SCHEMAS).parent.parent
    choices = f"choices: [{', '.join(_other_changes.KINDS)}]"
    for path in (
        "roles/telemetry/meta/argument_specs.yml",
        "plugins/modules/telemetry_plan.py",
        "plugins/modules/telemetry_restart.py",
    ):
        assert choices in (checkout / path).read_text(), path

"""Class files as javac makes them, and as somebody makes them who wants the reader to fail."""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from plugin_archives import JAVAC, compiled, entries_of

from ansible_collections.cbops.telemetry.plugins.module_utils.events import _class_file as class_file
from ansible_collections.cbops.telemetry.plugins.module_utils.events._class_file import NotAClass, parse

if not JAVAC:
    pytest.skip("no JDK on this machine (scripts/tools installs one)", allow_module_level=True)


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return entries_of(compiled(tmp_path_factory.mktemp("classes"), JAVAC[-1], "RUNTIME", "17"))


def test_what_a_class_says(classes: dict[str, bytes]) -> None:
    one = parse(classes["demo/Validated.class"])
    assert (one.name, one.above) == (
        "demo/Validated",
        ["java/lang/Object", "com/cloudbees/analytics/gatherer/Gathering"],
    )
    fields = {field.name: field for field in one.fields}
    assert fields["EVENT"].constant == "example event: bundle validated" and fields["EVENT"].is_text
    assert [tuple(each) for each in fields["CODE"].annotations] == [
        (
            "Lcom/cloudbees/analytics/messages/AnalyticsProperty;",
            True,
            {"event": ["example event: bundle validated"], "summary": ["Validation code."]},
        )
    ]
    assert fields["BOTH"].annotations[0].values == {
        "event": ["example event: bundle validated", "example event: other"]
    }
    assert (fields["LATE"].has_constant, fields["LATE"].constant) == (False, None)
    assert (fields["WIDE"].has_constant, fields["WIDE"].constant, fields["WIDE"].is_text) == (True, None, False)
    assert not fields["field"].is_text


def test_texts_that_are_no_utf_8(classes: dict[str, bytes]) -> None:
    """The JVM's own spelling: NUL in two bytes, what is beyond 16 bits in two times three."""
    fields = {field.name: field for field in parse(classes["demo/Child.class"]).fields}
    assert fields["EVENT"].annotations[0].values == {"summary": ["Über 😀 und \0."]}
    assert class_file.text_of(b"a\xed\xa0\xbd") == "a\\ud83d", "half a pair"
    assert class_file.text_of(b"a\xff\xc0") == "a\\xff\\xc0"
    assert class_file.text_of(b"") == ""


@pytest.mark.parametrize("javac", JAVAC, ids=str)
def test_every_class_of_a_jdk_is_read(javac: Path, tmp_path: Path) -> None:
    """What a compiler makes of lambdas, records, switches on patterns, modules: constants of all kinds."""
    release = subprocess.run([javac, "-version"], capture_output=True, text=True, check=True).stdout.split()[1]
    source = """
import java.lang.annotation.*;
public class Many {
    enum Kind { ONE, TWO }
    @Retention(RetentionPolicy.RUNTIME) @interface Inner { String text() default "x"; int[] numbers() default {}; }
    @Retention(RetentionPolicy.CLASS) @interface Outer {
        Inner inner(); Inner[] more(); Kind kind(); Class<?> type(); long wide(); String[] texts(); char letter();
    }
    @Outer(inner = @Inner(text = "i"), more = {@Inner, @Inner(numbers = {1, 2})}, kind = Kind.TWO, type = int[].class,
        wide = 5L, texts = {"a", "b"}, letter = 'c')
    @Deprecated
    static final String FIELD = "v";
    record Point(int x, double y) { }
    sealed interface Shape permits Round { }
    static final class Round implements Shape { }
    static String text(Point point) { return "point " + point; }
}
"""
    (tmp_path / "Many.java").write_text(source)
    (tmp_path / "module-info.java").write_text("module many { }\n")
    subprocess.run(
        [javac, "-d", tmp_path / "out", tmp_path / "Many.java", tmp_path / "module-info.java"], check=True, timeout=120
    )
    found = {name: parse(data) for name, data in entries_of(tmp_path / "out").items()}
    assert int(release.split(".")[0]) >= 17 and len(found) >= 8
    [field] = found["Many.class"].fields
    outer = field.annotations[0] if field.annotations[0].kind == "LMany$Outer;" else field.annotations[-4]
    assert outer.values["texts"] == ["a", "b"] and outer.values["wide"] == []
    kinds = [annotation.kind for annotation in field.annotations]
    assert kinds.count("LMany$Inner;") == 3 and "Ljava/lang/Deprecated;" in kinds
    assert {annotation.kind: annotation.visible for annotation in field.annotations} == {
        "LMany$Outer;": False,
        "LMany$Inner;": False,
        "Ljava/lang/Deprecated;": True,
    }
    assert found["module-info.class"].above == []


def test_every_class_of_the_jdk_s_own_tools(tmp_path: Path) -> None:
    """Thousands of real ones."""
    jmod = JAVAC[0].parent.parent / "jmods/java.base.jmod"
    tool = shutil.which("jmod", path=str(JAVAC[0].parent))
    if tool is None or not jmod.is_file():
        pytest.skip("this JDK has no jmods")
    subprocess.run([tool, "extract", "--dir", tmp_path, jmod], check=True, timeout=300)
    names = [parse(data).name for data in entries_of(tmp_path / "classes").values()]
    assert len(names) > 5000 and "java/lang/String" in names


def test_what_is_cut_is_no_class(classes: dict[str, bytes]) -> None:
    """At any byte before the end of its fields, and never something else than our own error."""
    data = classes["demo/Validated.class"]
    whole = parse(data)
    refused = 0
    for length in range(len(data)):
        try:
            assert parse(data[:length]) == whole  # all fields were there: methods are not read
        except NotAClass:
            refused += 1
    assert refused > len(data) / 2


def test_bytes_that_are_flipped(classes: dict[str, bytes]) -> None:
    draw = random.Random(22)
    refused = 0
    for data in (classes["demo/Validated.class"], classes["demo/Child.class"]):
        for _round in range(6000):
            damaged = bytearray(data)
            for _flip in range(draw.randint(1, 4)):
                damaged[draw.randrange(len(damaged))] = draw.choice((0, 1, 0x7F, 0x80, 0xFF, draw.randrange(256)))
            try:
                parse(bytes(damaged))
                parse(bytes(damaged), with_fields=False)
            except NotAClass as error:
                refused += 1
                assert str(error).startswith(("it ", "a ", "an ", "its "))
    assert refused > 1000


def test_bytes_that_are_no_class_at_all() -> None:
    draw = random.Random(23)
    for _round in range(2000):
        data = b"\xca\xfe\xba\xbe" + draw.randbytes(draw.randint(0, 300))
        with pytest.raises(NotAClass):
            parse(data)
    for data in (b"", b"PK\3\4", b"\xca\xfe\xba\xbe", b"\xca\xfe\xba"):
        with pytest.raises(NotAClass):
            parse(data)


def utf8(text: bytes) -> bytes:
    return struct.pack(">BH", 1, len(text)) + text


def built(pool: list[bytes], fields: bytes, count: int | None = None, tail: bytes = b"") -> bytes:
    """A class file of these constants (1: its name) and fields."""
    constants = [utf8(b"X"), struct.pack(">BH", 7, 1), utf8(b"Ljava/lang/String;"), *pool]
    return b"".join(
        [
            b"\xca\xfe\xba\xbe\0\0\0\x37",
            struct.pack(">H", len(constants) + 1 if count is None else count),
            *constants,
            struct.pack(">HHHH", 0x21, 2, 0, 0),
            fields,
            tail,
        ]
    )


def field(attributes: bytes) -> bytes:
    return struct.pack(">HHHH", 1, 0x18, 1, 3) + attributes


def attribute(data: bytes, name: int = 4) -> bytes:
    return struct.pack(">HHI", 1, name, len(data)) + data


NESTED = utf8(b"RuntimeVisibleAnnotations")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (built([], struct.pack(">H", 65535)), "it is cut"),
        (built([], b"", count=65535), "it has a constant of an unknown kind"),
        (built([], field(struct.pack(">H", 65535))), "it is cut"),
        (built([NESTED], field(struct.pack(">HHI", 1, 4, 0xFFFFFFFF))), "it is cut"),
        (built([NESTED], field(attribute(b"\xff\xff"))), "it is cut"),
        # an annotation whose value is an annotation, and so on; arrays in arrays
        (built([NESTED], field(attribute(b"\0\1" + b"\0\1\0\1\0\1@" * 5000))), "its annotations are nested too deeply"),
        (built([NESTED], field(attribute(b"\0\1\0\1\0\1\0\1" + b"[\0\1" * 5000))), "its annotations are nested too deeply"),
        (built([NESTED], field(attribute(b"\0\1\0\1\0\1\0\1?"))), "an annotation has a value of an unknown kind"),
        # what names itself: a Class whose name is itself, a String that is no Utf8
        (built([struct.pack(">BH", 7, 4)], b"").replace(b"\0\x21\0\2", b"\0\x21\0\4"), "a constant is not what it must be"),
        (built([utf8(b"ConstantValue"), struct.pack(">BH", 8, 5)], field(attribute(b"\0\5"))), "a constant is not what it must be"),
        (built([utf8(b"ConstantValue")], field(attribute(b""))), "it is cut"),
        (built([struct.pack(">B", 2)], b""), "it has a constant of an unknown kind"),
        # a long as the last constant: there is no place for its second half
        (built([struct.pack(">Bq", 5, 1)], b"\0\0"), None),
        # the second place of a long is no constant
        (built([struct.pack(">Bq", 5, 1)], struct.pack(">HHHH", 1, 0, 5, 3)), "a constant is not what it must be"),
    ],
)  # fmt: skip
def test_counts_that_lie_and_circles(data: bytes, said: str | None) -> None:
    if said is None:
        assert parse(data).fields == []
        return
    with pytest.raises(NotAClass, match=f"^{said}$"):
        parse(data)


def test_a_long_text_that_is_named_often_is_held_once() -> None:
    """65,535 times 64 KiB would be 4 GiB."""
    text = utf8(b"y" * 65535)
    pairs = b"\0\1\0\1[\xff\xff" + b"s\0\5" * 65535
    [found] = parse(built([NESTED, text], field(attribute(b"\0\1\0\1" + pairs)))).fields
    [values] = found.annotations[0].values.values()
    assert len(values) == 65535 and len({id(value) for value in values}) == 1

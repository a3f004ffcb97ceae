"""JVM options at their edges: what takes a word with it, how files of options are split, how much of them is read."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.cbops.telemetry.plugins.module_utils.java import _jvm as jvm
from ansible_collections.cbops.telemetry.plugins.module_utils.text._value import Unresolvable

FLAG = "-Dcom.cloudbees.analytics.gatherer.Sender.disabled"


def of(files: dict[str, str]) -> Callable[[str], str | None]:
    """A reader of these files."""
    return files.get


@pytest.mark.parametrize(
    "option",
    """-cp -classpath --class-path -p --module-path --upgrade-module-path --add-modules --enable-native-access
    --limit-modules --add-exports --add-opens --add-reads --patch-module -d --describe-module --source""".split(),
)
def test_an_option_that_takes_a_word(option: str) -> None:
    line = jvm.command_line([option, f"{FLAG}=true", "-Da=1", "x.Main", "-Db=2"])
    assert line == jvm.CommandLine((2,), 3, False)


@pytest.mark.parametrize("option", ["-m", "--module"])
def test_a_module_ends_the_options(option: str) -> None:
    assert jvm.command_line(["-Da=1", option, "m/x.Main", "-Db=2"]) == jvm.CommandLine((0,), 2, False)
    assert jvm.command_line(["-jar", option]) == jvm.CommandLine((), None, False)


def test_nothing_is_started_without_a_name() -> None:
    assert jvm.command_line(["-jar", "-Da=1"]) == jvm.CommandLine((1,), None, True)
    assert jvm.command_line(["-Da=1", "-cp"]) == jvm.CommandLine((0,), None, False)


def test_names_of_the_layers_and_mains() -> None:
    """As java(1), Jenkins' own classes and HotSpot have them."""
    assert jvm.ENVIRONMENT == ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS")
    assert jvm.MAINS == {"executable.Main", "winstone.Launcher", "Main"}
    assert f"{FLAG}=true" == jvm.FLAG


def test_what_is_a_mention() -> None:
    assert jvm.is_mention(FLAG) and jvm.is_mention(f"{FLAG}=x")
    assert not jvm.is_mention(f"{FLAG}d=true") and not jvm.is_mention(FLAG[2:])
    assert jvm.mention_value(FLAG) == ""
    assert jvm.mention_value(f"{FLAG}=a=b") == "a=b"
    with pytest.raises(ValueError, match="not about the property"):
        jvm.mention_value(f"{FLAG}d=true")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("true", "true"),
        ("", ""),
        ("A1b2C3d4", "A1b2C3d4"),
        ("A1b2C3d4e", "(other)"),
        ("a b", "(other)"),
        ("a\n", "(other)"),
        ("Zz09", "Zz09"),
        ("t-x", "(other)"),
    ],
)
def test_a_value_that_could_be_something_else_is_not_shown(value: str, shown: str) -> None:
    assert jvm.shown(value) == shown


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("a\nb\rc\vd\fe\tf g", list("abcdefg")),
        ("'a \"b' c", ['a "b', "c"]),
        ("a'b c'd", ["ab cd"]),
        ("a 'b", ["a", "b"]),
        ("\"\" ''", ["", ""]),
    ],
)
def test_words_of_a_variable(value: str, words: list[str]) -> None:
    assert jvm.split_environment(value) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a\nb\rc\fd\te f", list("abcdef")),
        ("a#b #c\nd", ["a#b", "d"]),
        ("#a\r#b\nc", ["c"]),
        ("# to the end", []),
        ("\"a'b\" 'c\"d'", ["a'b", 'c"d']),
        ('a"b c"d', ["ab cd"]),
        ('"a\\n\\r\\t\\f\\\\\\x" b', ["a\n\r\t\f\\x", "b"]),
        ("a\\n", ["a\\n"]),  # outside of quotes a backslash is one
        ('"a\nb" c', ["a", "b c"]),  # the end of a line ends the word, so the next quote opens one
        ('"a\rb"', ["a", "b"]),
        ('x"a\nb c"\nd', ["xa", "b", "c", "d"]),
        ('"a\\\n \t\r\n\f b" c', ["ab", "c"]),
        ('"a\\\rb"', ["ab"]),
        ('"a\\', ["a\\"]),
        ("''", [""]),
        ('"" a', ["", "a"]),
    ],
)
def test_words_of_an_argument_file(text: str, words: list[str]) -> None:
    assert jvm.split_argfile(text) == words


def test_a_line_that_ends_in_a_quote_as_a_real_launcher_has_it(tmp_path: Path) -> None:
    java = shutil.which("java")
    if java is None:
        pytest.skip("no java on this machine; the table above has what one said")
    (tmp_path / "f").write_text(f'"-Da=1\n{FLAG}=true"\n-Dc=3')
    done = subprocess.run(
        [java, "@f", "-XshowSettings:properties", "-version"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert re.search(r"disabled = *true$", done.stderr, re.M), done.stderr
    assert jvm.split_argfile((tmp_path / "f").read_text()) == ["-Da=1", f"{FLAG}=true", "-Dc=3"]


@pytest.mark.parametrize(
    ("release", "older"),
    [
        ('JAVA_VERSION="1.8.0_402"\n', True),
        ("X=1\nJAVA_VERSION=1.7\n", True),
        ('JAVA_VERSION="11.0.2"\n', False),
        ('XJAVA_VERSION="1.8"\n', False),
        ("", False),
    ],
)
def test_java_8_has_no_variable_of_the_launcher(release: str, older: bool) -> None:
    assert jvm.is_older_than_9(release) is older


def test_files_of_options_stand_in_the_place_of_their_word() -> None:
    read = of({"f": "-Da=1 -Db=2", "v": "-Dc='x y'"})
    words = ["-Dq=0", "@f", "-XX:VMOptionsFile=v", "@@f", "-Dz=9"]
    assert jvm.expand_files(words, read) == [
        ("-Dq=0", 0),
        ("-Da=1", 1),
        ("-Db=2", 1),
        ("-Dc=x y", 2),
        ("@f", 3),
        ("-Dz=9", 4),
    ]
    assert jvm.expand_files(["@f", "@@f"], read, False) == [("@f", 0), ("@@f", 1)]
    assert jvm.expand_files(["@", "-XX:VMOptionsFile="], read) == [("@", 0), ("-XX:VMOptionsFile=", 1)]


def test_argument_files_can_be_turned_off_from_a_word_on() -> None:
    read = of({"f": "-Da=1", "v": "-Dc=3"})
    words = ["@f", "--disable-@files", "@f", "-XX:VMOptionsFile=v"]
    assert [word for word, _index in jvm.expand_files(words, read)] == ["-Da=1", "--disable-@files", "@f", "-Dc=3"]


def test_nesting_is_argument_file_then_vm_options() -> None:
    read = of({"f": "-XX:VMOptionsFile=v @g", "v": "-Da=1", "g": "-Db=2"})
    assert jvm.expand_all(["@f"], read, True) == ["-Da=1", "@g"]
    assert jvm.expand_all(["@f", "-XX:VMOptionsFile=v"], read, False) == ["@f", "-Da=1"]


def test_how_much_is_read_of_files_of_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """A megabyte of one, four of all: more is no option file."""
    assert (jvm._LIMIT_ARGFILE, jvm._LIMIT_EXPANDED) == (1 << 20, 4 << 20)
    monkeypatch.setattr(jvm, "_LIMIT_ARGFILE", 10)
    monkeypatch.setattr(jvm, "_LIMIT_EXPANDED", 40)
    whole = {"f": "x" * 10}
    assert jvm.expand_files(["@f"] * 4, of(whole)) == [("x" * 10, index) for index in range(4)]
    with pytest.raises(Unresolvable, match=r"more than 40 bytes"):
        jvm.expand_files(["@f"] * 4 + ["@g"], of({**whole, "g": "y"}))
    with pytest.raises(Unresolvable, match="from f, which cannot be read here"):
        jvm.expand_files(["@f"], of({"f": "x" * 11}))
    with pytest.raises(Unresolvable, match="from v, which cannot be read here"):
        jvm.expand_files(["-XX:VMOptionsFile=v"], of({}))


def test_the_last_mention_of_the_strongest_layer_counts() -> None:
    layers = [("weak", [f"{FLAG}=a", "-Dx=1", f"{FLAG}=b"]), ("none", ["-Dy=2"]), ("strong", ["-Dz=3", FLAG])]
    mentions, winner = jvm.decide(layers)
    assert mentions == [jvm.Mention("weak", 0, "a"), jvm.Mention("weak", 2, "b"), jvm.Mention("strong", 1, "")]
    assert winner == jvm.Mention("strong", 1, "")
    assert jvm.decide([("x", ["-Dx=1"])]) == ([], None)


def test_words_behind_the_program_are_its_own() -> None:
    read = of({"f": f"{FLAG}=true", "args": "-Dfile=1"})
    words = jvm.launcher_words(["java", "@f", "-jar", "x.war", "@args", "-XX:VMOptionsFile=args"], read)
    assert words == [f"{FLAG}=true", "-jar", "x.war", "@args", "-XX:VMOptionsFile=args"]
    assert jvm.launcher_words(["java", "@f"], read) == [f"{FLAG}=true"]


def test_layers_of_a_process_in_their_order() -> None:
    environment = {"JAVA_TOOL_OPTIONS": "-Da=1 @f", "JDK_JAVA_OPTIONS": "-Db=2 @f", "_JAVA_OPTIONS": "-Dc=3 @f"}
    found = jvm.process_layers(["java", "-Dd=4", "-jar", "x.war", "-De=5"], environment, of({"f": "-Df=6"}))
    assert [(layer.name, list(layer.words)) for layer in found] == [
        ("JAVA_TOOL_OPTIONS", ["-Da=1", "@f"]),
        ("JDK_JAVA_OPTIONS", ["-Db=2", "-Df=6"]),
        ("command line", ["-Dd=4"]),
        ("_JAVA_OPTIONS", ["-Dc=3", "@f"]),
    ]
    _mentions, winner = jvm.decide(jvm.process_layers(["java", FLAG, "x.Main"], {}, of({})))
    assert winner is not None and (winner.value, winner.layer) == ("", "command line")
    assert jvm.decide(jvm.process_layers(["java", "x.Main", FLAG], {}, of({})))[1] is None


@pytest.mark.parametrize(
    ("program", "java"),
    [("java", True), ("/usr/bin/java", True), ("javac", False), ("xjava", False), ("/opt/java/x", False)],
)
def test_the_name_of_a_launcher(program: str, java: bool) -> None:
    assert jvm.is_java(program) is java


def test_a_module_is_the_word_behind_its_option() -> None:
    assert jvm.command_line(["-m", "a/b"]).main == 1
    assert jvm.command_line(["-m"]).main is None

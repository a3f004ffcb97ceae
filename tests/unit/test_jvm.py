"""JVM options: what counts, what is true, in which order the layers apply; compared with a real JVM where one is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hostroot import FLAG

from ansible_collections.cbops.telemetry.plugins.module_utils.java import _jvm as jvm
from ansible_collections.cbops.telemetry.plugins.module_utils.text import _value

PROPERTY = jvm.PROPERTY


def nothing(path: str) -> str | None:
    """No argument file can be read."""
    return None


@pytest.mark.parametrize(
    ("value", "boolean"),
    [
        ("true", True),
        ("TRUE", True),
        ("True", True),
        ("false", False),
        ("1", False),
        ("yes", False),
        ("", False),
        (" true", False),
        ("true ", False),
        ("true\r", False),
        (None, False),
    ],
)
def test_get_boolean(value: str | None, boolean: bool) -> None:
    assert jvm.get_boolean(value) is boolean


@pytest.mark.parametrize(
    ("words", "options", "main", "jar"),
    [
        (["-Da=1", "-jar", "x.war", "-Db=2"], (0,), 2, True),
        (["-jar", "-Da=1", "-Db=2", "x.war", "--httpPort=1"], (1, 2), 3, True),
        (["-cp", "-Da=1", "Main", "-Db=2"], (), 2, False),
        (["-Da=1"], (0,), None, False),
        (["-m", "a/b", "-Da=1"], (), 1, False),
        (["@x", "-jar", "y.war"], (0,), 2, True),
    ],
)
def test_command_line(words: list[str], options: tuple[int, ...], main: int | None, jar: bool) -> None:
    assert jvm.command_line(words) == jvm.CommandLine(options, main, jar)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", []),
        (" -Da=1\t-Db=2\n", ["-Da=1", "-Db=2"]),
        ("-Da='1 2' \"-Db=3 4\"", ["-Da=1 2", "-Db=3 4"]),
        ("-Da=\\x", ["-Da=\\x"]),
        ("''", [""]),
    ],
)
def test_split_environment(value: str, words: list[str]) -> None:
    assert jvm.split_environment(value) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("-Da=1 # -Db=2\n-Dc=3", ["-Da=1", "-Dc=3"]),
        ('-Da="1 \\\n   2"', ["-Da=1 2"]),
        ("'-Da=1 2'", ["-Da=1 2"]),
        ('"-Da=\\t"', ["-Da=\t"]),
    ],
)
def test_split_argfile(text: str, words: list[str]) -> None:
    assert jvm.split_argfile(text) == words


def test_an_argument_file_that_cannot_be_read_is_no_guess() -> None:
    with pytest.raises(_value.Unresolvable, match="which cannot be read"):
        jvm.process_layers(["java", "@/opt/x", "-jar", "y.war"], {}, nothing)


OFF, ON = FLAG, FLAG.replace("=true", "=false")
CASES = [
    ([], {}, None),
    ([OFF], {}, "true"),
    ([OFF, ON], {}, "false"),
    ([ON, OFF], {}, "true"),
    ([OFF.replace("=true", "")], {}, ""),
    ([OFF], {"JAVA_TOOL_OPTIONS": ON}, "true"),
    ([], {"JAVA_TOOL_OPTIONS": OFF}, "true"),
    ([], {"JAVA_TOOL_OPTIONS": OFF, "JDK_JAVA_OPTIONS": ON}, "false"),
    ([OFF], {"JDK_JAVA_OPTIONS": ON}, "true"),
    ([OFF], {"_JAVA_OPTIONS": ON}, "false"),
    ([], {"_JAVA_OPTIONS": f"-Da='b c' {OFF}"}, "true"),
    (["@FILE"], {}, "true"),
    (["@FILE", ON], {}, "false"),
    (["-XX:VMOptionsFile=FILE"], {}, "true"),
    (["@NESTED"], {}, "true"),
    ([], {"JDK_JAVA_OPTIONS": "@FILE"}, "true"),
    ([], {"JDK_JAVA_OPTIONS": "-XX:VMOptionsFile=FILE"}, "true"),
    ([ON], {"JAVA_TOOL_OPTIONS": "-XX:VMOptionsFile=FILE"}, "false"),
    ([ON], {"_JAVA_OPTIONS": "-XX:VMOptionsFile=FILE"}, "true"),
]
FILES = {"FILE": f"-Da=b\n{OFF}\n", "NESTED": "-XX:VMOptionsFile=FILE"}


@pytest.mark.parametrize(("options", "environment", "value"), CASES)
def test_layers(options: list[str], environment: dict[str, str], value: str | None) -> None:
    argv = ["java", *options, "-jar", "x.war", "@FILE", ON]
    _mentions, winner = jvm.decide(jvm.process_layers(argv, environment, FILES.get))
    assert (winner and winner.value) == value


@pytest.mark.parametrize(("options", "environment", "value"), CASES)
def test_layers_as_a_real_jvm_has_them(
    tmp_path: Path, options: list[str], environment: dict[str, str], value: str | None
) -> None:
    java = shutil.which("java")
    if java is None:
        pytest.skip("no java on this machine; the embedded fleet's JVMs are the other proof")
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [java, *options, "-XshowSettings:properties", "-version"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], **environment},
    )
    match = re.search(rf"^\s*{re.escape(PROPERTY)} =[ ]?(.*)$", done.stderr, re.MULTILINE)
    assert (match.group(1).strip() if match else None) == value

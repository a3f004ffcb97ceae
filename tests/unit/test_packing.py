"""Sources made small are kept beside what Python compiled, and never trusted where they are not whole."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect import _packing as packing
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._carrier import FOLDER

SOURCE = '"""Doc."""\n\nimport os  # why\n\n\ndef f(a: int) -> str:\n    return os.sep * a\n'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where results are kept."""
    monkeypatch.setattr(packing, "_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    return tmp_path / "cache"


def test_a_result_is_made_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = packing.stripped(SOURCE)
    assert first == packing._made(SOURCE)
    assert len(list(folder.iterdir())) == 1
    monkeypatch.setattr(packing, "_made", lambda source: pytest.fail("made again"))
    assert packing.stripped(SOURCE) == first
    with pytest.raises(pytest.fail.Exception):
        packing.stripped(SOURCE + "\n")


@pytest.mark.parametrize("content", [b"", b"import os\n", b"\xff\xfe"], ids=["empty", "cut off", "no text"])
def test_a_result_that_is_not_whole_is_made_again(folder: Path, content: bytes) -> None:
    packing.stripped(SOURCE)
    (kept,) = folder.iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(content)
    assert packing.stripped(SOURCE) == packing._made(SOURCE)
    assert kept.read_bytes() == whole


def test_where_nothing_can_be_kept_it_is_made_each_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.write_text("no folder")
    assert packing.stripped(SOURCE) == packing._made(SOURCE)
    folder.unlink()
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    assert packing.stripped(SOURCE) == packing._made(SOURCE)
    assert not folder.exists(), "Python keeps nothing, so nothing is kept"


def test_old_results_do_not_fill_the_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "_KEPT", 3)
    for number in range(10):
        packing.stripped(f"{SOURCE}{number}\n")
    assert len(list(folder.iterdir())) <= 3


def test_lines_and_program_stay_the_same() -> None:
    source = (
        "def one(given,\n"
        "        other=(1,\n"
        "               2)):\n"
        "    '''It says what it is for.'''\n"
        "    text = '''a\n"
        "    b'''\n"
        "    if given and \\\n"
        "            other:  # why\n"
        "        return [\n"
        "            text,\n"
        "            given]\n"
        "    return {}\n"
    )
    made = packing.stripped(source)
    without = ast.parse(source)
    del without.body[0].body[0]  # type: ignore[attr-defined]
    assert ast.dump(ast.parse(made)) == ast.dump(without)
    assert made.count("\n") == source.count("\n")
    assert made.splitlines()[6:] == [
        " if given and \\",
        "            other:",
        "  return [",
        "text,",
        "given]",
        " return {}",
    ]


def test_aliases_and_variables_of_types_are_nothing() -> None:
    source = "from typing import List, TypeVar\n\nWords = List[str]\nResult = TypeVar('Result')\nhere = list('ab')\n"
    found: dict[str, object] = {}
    exec(packing.stripped(source), found)  # noqa: S102 -- what a host would run
    assert [found[name] for name in ("Words", "Result", "here")] == [None, None, ["a", "b"]]
    assert "List" not in found and "TypeVar" not in found


def test_few_blanks_stand_beside_operators_and_none_is_missing_elsewhere() -> None:
    source = (
        "def f(a = 1, * b):\n"
        "    if a and not b or 'x ' in b:\n"
        "        return a [1 : -1], 1 . real, {'k' : lambda : - a}, 0x1 if a else b\n"
        "    x = 'a  b' 'c' % a if a \\\n"
        "        else  b\n"
    )
    made = packing.stripped(source)
    assert ast.dump(ast.parse(made)) == ast.dump(ast.parse(source))
    assert made.splitlines()[:3] == [
        "def f(a=1,*b):",
        " if a and not b or 'x ' in b:",
        "  return a[1 :-1],1 .real,{'k':lambda :-a},0x1 if a else b",
    ]


def test_what_is_kept_is_whole_or_is_made_anew(folder: Path) -> None:
    made: list[int] = []

    def make() -> bytes:
        made.append(1)
        return b"\x00made\xff"

    assert [packing.kept("packed", source, make) for source in ("a", "a", "b", "a")] == [b"\x00made\xff"] * 4
    assert len(made) == 2
    for number, path in enumerate(sorted(folder.glob("packed-*"))):
        path.write_bytes(path.read_bytes()[:-1] if number else b"")
    assert packing.kept("packed", "a", make) == packing.kept("packed", "b", make) == b"\x00made\xff"
    assert len(made) == 4, "nothing that is not whole is taken"


def test_expressions_of_modules_and_classes_are_put_off_and_nothing_else() -> None:
    source = (
        "import re\n"
        "A=re.compile('é')\n"
        "B=[re.compile('b')]\n"
        "def f(x=re.compile('x')):\n"
        " c=re.compile('c');return c.match(x.pattern)\n"
        "class D:\n"
        " E=re.compile(\n"
        "'e',\n"
        "re.I)\n"
    )
    made = packing.put_off(source)
    assert made == source.replace("A=re.compile", "A=late").replace("E=re.compile", "E=late")


def test_an_expression_that_is_put_off_is_the_expression() -> None:
    shim: dict[str, Any] = {}
    exec((FOLDER / "_shim.py").read_text("utf-8"), shim)  # noqa: S102 -- what a host runs first
    late, plain = shim["Late"]("(a)|(b)", re.IGNORECASE), re.compile("(a)|(b)", re.IGNORECASE)
    assert vars(late) == {"words": ("(a)|(b)", re.IGNORECASE)}, "nothing is compiled"
    assert late.match("B").groups() == plain.match("B").groups()  # type: ignore[union-attr]
    assert (late.sub("-", "abc"), late.pattern, late.groups) == ("--c", plain.pattern, plain.groups)
    assert late.match is late.match, "it is asked once"
    with pytest.raises(AttributeError):
        late.nothing  # noqa: B018
    with pytest.raises(re.error):
        shim["Late"]("(").match("")

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


OFTEN_AND_SELDOM = """\
FACTOR=2
def often():
 return seldom_called(20)
def seldom_called(given,*,more=1,
 ending="(\\n"):

 return [given*FACTOR+more,ending]
class A:
 size=3
 def __init__(self):
  self.kept=[]
 def walk(self,depth=0):
  if depth<self.size:
   yield depth
   yield from self.walk(depth+1)
 def fails(self):

  raise KeyError("first",
  self.size)
 def own(self):return super().__init__()
 @property
 def told(self):return self.size
 def later(self,words=[]):return words
 def hidden(self):return self.__size
def last():return "\\\\"
"""
WAITING = ["seldom_called", "A.__init__", "A.walk", "A.fails", "last"]


def loaded(source: str) -> tuple[dict[str, Any], list[str]]:
    """A module as the shim loads it on a host, and what is compiled one by one, as it is compiled."""
    shim: dict[str, Any] = {}
    exec((FOLDER / "_shim.py").read_text("utf-8"), shim)  # noqa: S102 -- what a host runs first
    compiled: list[str] = []

    def counted(text: str, *options: Any, **more: Any) -> Any:
        compiled.append(text.strip())
        return compile(text, *options, **more)

    shim["compile"] = counted
    module = type(re)("cbops_telemetry.host._files")
    shim["Importer"]({"host._files": source}).exec_module(module)
    return vars(module), compiled


def test_a_function_that_is_seldom_called_is_compiled_when_it_is_called() -> None:
    made = packing.put_off(OFTEN_AND_SELDOM, [*WAITING, "A.own", "A.told", "A.later", "A.hidden", "nothing"])
    assert made.count(packing.MARK) == 2 * len(WAITING), "what depends on its class, or on when it is made, is left"
    assert made.replace(packing.MARK, "") == OFTEN_AND_SELDOM
    names, compiled = loaded(made)
    assert len(compiled) == 1 and "FACTOR+more" not in compiled[0] and "KeyError" not in compiled[0]
    kept = names["seldom_called"]
    assert [names["often"](), names["seldom_called"](1, more=0), kept(2)] == [[41, "(\n"], [2, "(\n"], [5, "(\n"]]
    assert len(compiled) == 2, "once"
    one = names["A"]()
    assert (one.kept, list(one.walk()), names["last"]()) == ([], [0, 1, 2], "\\")
    assert len(compiled) == 5
    plain: dict[str, Any] = {}
    exec(compile(OFTEN_AND_SELDOM, "host/_files.py", "exec", dont_inherit=True), plain)  # noqa: S102
    assert kept.__code__ == plain["seldom_called"].__code__, "it is the function now, on the same lines"
    assert kept.__kwdefaults__ == {"more": 1, "ending": "(\n"}
    assert one.walk.__func__.__defaults__ == (0,)
    with pytest.raises(TypeError, match="_made"):
        kept(1, _made=2)


@pytest.mark.parametrize("seldom", [(), WAITING])
def test_the_line_of_a_failure_is_right(seldom: list[str]) -> None:
    names, _compiled = loaded(packing.put_off(OFTEN_AND_SELDOM, seldom))
    with pytest.raises(KeyError) as raised:
        names["A"]().fails()
    place = raised.traceback[-1]
    assert (place.frame.code.raw.co_filename, place.lineno + 1, place.name) == ("host/_files.py", 18, "fails")


def test_of_what_is_not_sent_the_lines_are_left() -> None:
    made = packing.put_off(OFTEN_AND_SELDOM, WAITING, ["seldom_called"])
    assert "def seldom_called" not in made and "def often" in made
    assert made.count("\n") == OFTEN_AND_SELDOM.count("\n")
    assert made.count(packing.MARK) == 2 * (len(WAITING) - 1)

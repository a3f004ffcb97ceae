"""The edges of an edit, on texts alone: where a line comes in or goes, what a person is told, what is summed up."""

from __future__ import annotations

import calendar
import hashlib
from types import SimpleNamespace as Made
from typing import Any

import pytest

from ansible_collections.cbops.telemetry.plugins.module_utils.edit import _candidates, _checkbox, _declare, _variables
from ansible_collections.cbops.telemetry.plugins.module_utils.edit._checkbox import FIELD
from ansible_collections.cbops.telemetry.plugins.module_utils.java._jvm import Switch
from ansible_collections.cbops.telemetry.plugins.module_utils.text._characters import Run

T = Switch("T", "false", environment=True)
OURS = "  # cbops.telemetry: a switch of the policy"


def made(**parts: Any) -> Any:
    """A stand-in with what the code under test looks at, and nothing else."""
    return Made(**parts)


def files_of(**texts: str) -> Any:
    """Files by name; what begins with "usr" belongs to a package."""
    there = {f"/{name.replace('_', '/')}": text for name, text in texts.items()}
    return made(
        read=there.__getitem__, exists=there.__contains__, may_be_edited=lambda path: not path.startswith("/usr")
    )


#: A text in which `^` stands where a line may come.
LINES = [
    ("^", ""),
    ("^java -jar x", ""),
    ("#!/bin/sh", ""),
    ("#!/bin/sh\n^", ""),
    ("#!/bin/sh\n^java -jar x\n", ""),
    ("#!/bin/sh\n^a\n^java -jar x\nb\n^java -jar y\n", ""),
    ("^a\n^java \\\n -Da \\\n -jar x\n", ""),
    ("^a \\\n -jar x\n", ""),
    ("^# -jarred\n^x '-jar'\n", ""),
]


@pytest.mark.parametrize("text", [text for text, _none in LINES])
def test_where_a_line_may_come_into_a_script(text: str) -> None:
    content, wanted = "", []
    for part in text.split("^"):
        wanted.append(len(content) + len(part))
        content += part
    assert _variables._lines_before(content) == wanted[:-1]


def test_no_more_than_twenty_places_are_tried() -> None:
    assert len(_variables._lines_before("java -jar x\n" * 20)) == 20
    assert len(_variables._lines_before("java -jar x\n" * 21)) == 20


#: Assignments of T=false, what is left without: each way that is tried, in its order.
WITHOUT: dict[str, list[str]] = {
    "T=false": [""],
    "T=false\n": [""],
    "a\nT=false\nb\n": ["a\nb\n"],
    "a\nT=false": ["a"],
    "a\r\nT=false": ["a"],
    "a\r\nT=false\r\nb\r\n": ["a\r\nb\r\n"],
    '  T="false"  \nb': ["b"],
    "T='false'\nb": ["b"],
    "T=\"false'\nb": [],
    "export T=false;\nb": ["b"],
    "declare -x T=false\nb": ["b"],
    "typeset -x  T=false\nb": ["b"],
    "T = false\nb": ["b"],
    f"export T=false{OURS}\nb": ["b", "b"],
    f"export T=false{OURS}x\nb": [],
    f'J="env T=false $J"{OURS}\nb': ["b", f'J="env $J"{OURS}\nb'],
    f'J="env T=false $K"{OURS}\nb': [f'J="env $K"{OURS}\nb'],
    'Environment="T=false"\nb': ["b"],
    "Environment=T=false\nb": ["b"],
    "Environment=A=b T=false\nb": ["Environment=A=b\nb"],
    'Environment="T=false" A=b\nb': ["Environment=A=b\nb"],
    "Environment=A=b T=false C=d\nb": ["Environment=A=b C=d\nb"],
    "T=false java -jar x\n": ["java -jar x\n"],
    "T=false\tjava -jar x\n": ["java -jar x\n"],
    "export A=b T=false\n": ["export A=b\n"],
    "export T=false A=b\n": ["export A=b\n"],
    "a && T=false\n": [],
    "a &&\nT=false\nb\n": [],
    "a || T=false b\n": ["a || b\n"],
    "if ! T=false\n": [],
    "a \\\nT=false\n": [],
    "A_T=false\n": [],
    "$T=false\n": [],
    "x-T=false\n": [],
    "T=false # T=false\nb": ["# T=false\nb"],
}


@pytest.mark.parametrize("content", WITHOUT)
def test_how_an_assignment_is_taken_out(content: str) -> None:
    at = content.index("false")
    mention = made(path="/x", value="false", position=at, length=5)
    found = _variables._without(
        made(switch=T, unit=None), files_of(x=content), made(mentions=[mention]), lambda _text: False
    )
    assert [one["/x"] for one in found] == WITHOUT[content]


def test_our_drop_in_goes_as_a_whole() -> None:
    path = "/etc/systemd/system/u.service.d/zzz-cbops-telemetry.conf"
    files = made(read=lambda _path: "[Service]\nEnvironment=T=false\n", may_be_edited=lambda _path: True)
    mentions = [made(path=path, value="false", position=24, length=5)]
    for ours, ways in ((True, [None, "[Service]\n"]), (False, ["[Service]\n"])):
        unit = made(name="u.service")
        found = _variables._without(
            made(switch=T, unit=unit), files, made(mentions=mentions), lambda _text, ours=ours: ours
        )
        assert [one[path] for one in found] == ways
    other = _variables._without(
        made(switch=T, unit=made(name="v.service")), files, made(mentions=mentions), lambda _text: True
    )
    assert [one[path] for one in other] == ["[Service]\n"]


def test_only_what_stands_there_whole_is_an_assignment() -> None:
    def at(content: str, value: str = "false", **more: Any) -> Any:
        mention = {"path": "/x", "value": value, "position": content.index("f"), "length": 5, **more}
        return _variables._assigned_at(made(switch=T), files_of(x=content, usr=content), made(**mention))

    assert at("T=false") == (0, 2) and at("a T='false'") == (2, 5)
    assert at("T=faLse") is None and at("T=xfalse") is None and at("X=false") is None
    assert at("T=false", length=0) is None and at("T=false", path=None) is None and at("T=false", path="/usr") is None


def told(**more: Any) -> str:
    parts = {"mentions": [], "walk": None, "programs": (), **more.pop("before", {})}
    files = more.pop("files", files_of(etc_f="a\nb\nT=x\n"))
    definition = made(name="n", switch=T, unit=more.pop("unit", None))
    given = {"live": None, "desired": "disabled", "tried": False, **more}
    return _variables.by_hand(definition, files, made(**parts), given["live"], given["desired"], given["tried"])


UNIT: Any = made(name="u.service", fragment="/etc/u.service", environment={})
WALK = {"walk": made(followed=["/opt/a", "/opt/b"], sourced=["/etc/f"])}
NONE = {"walk": made(followed=[], sourced=[])}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "by hand: set T=false in the environment of what starts n"),
        ({"desired": "enabled"}, "by hand: set T=true in the environment of what starts n"),
        ({"unit": UNIT}, 'by hand, in a drop-in of the unit (systemctl edit u.service): Environment="T=false"'),
        ({"tried": True}, "by hand, in n, before the word java of its command: env T=false"),
        ({"tried": True, "unit": UNIT}, "by hand, in /etc/u.service, before the word java of its command: env T=false"),
        ({"tried": True, "unit": UNIT, "before": WALK}, "by hand, in /opt/b, before the word java of its command: "),
        ({"before": WALK}, "by hand, in /etc/f, before it starts java: export T=false"),
        ({"before": NONE, "unit": UNIT}, "by hand, in a drop-in of the unit"),
        (
            {"before": NONE, "live": made(reader="EnvironmentFile", path="/etc/f")},
            "by hand, as the last line of /etc/f: T=false",
        ),
        ({"before": NONE, "live": made(reader="shell", path="/etc/none")}, "by hand: set T=false in the environment"),
        (
            {"before": {"mentions": [made(path="/etc/f", position=6, length=1)]}},
            "by hand: set T to false in /etc/f:3, or behind it",
        ),
        (
            {"before": {"mentions": [made(path="/etc/f", position=6, length=0)]}, "unit": UNIT},
            "by hand, in a drop-in of the unit",
        ),
        ({"before": {"mentions": [made(path=None, position=0, length=1)]}}, "by hand: set T=false in the environment"),
    ],
)
def test_what_a_person_is_told_of_a_variable(given: dict[str, Any], words: str) -> None:
    assert told(**given).startswith(words)


def places(unit: Any = None, live: Any = None, **walk: Any) -> list[tuple[str, str]]:
    files = files_of(etc_f="", etc_n="", opt_a="", opt_b="", usr_s="", etc_e="")
    before = made(walk=made(**{"followed": [], "sourced": [], **walk}), programs=("/opt/n.war",))
    return list(_variables._places(made(name="m", switch=T, unit=unit), files, before, live))


def test_where_a_variable_may_be_set_in_which_order() -> None:
    assert places(sourced=["/etc/f", "/etc/n", "/usr/s", "/etc/none"]) == [("/etc/n", "shell"), ("/etc/f", "shell")]
    assert places(sourced=["/etc/f", "/etc/e"]) == [("/etc/e", "shell"), ("/etc/f", "shell")]
    assert places(followed=["/opt/a", "/opt/b"]) == [("/opt/b", "script"), ("/opt/a", "script")]
    assert places(followed=["/opt/a"], unit=UNIT) == []
    live = made(reader="command line", path="/opt/a")
    assert places(followed=["/opt/a", "/opt/b"], unit=UNIT, live=live) == [("/opt/a", "script")]
    assert places(followed=["/opt/b"], unit=UNIT, live=live) == []
    assert places(live=made(reader="shell", path="/etc/f"), sourced=["/etc/f"]) == [("/etc/f", "shell")]
    known = {"T": made(reader="EnvironmentFile", path="/etc/e")}
    unit = made(fragment="/x", environment=known)
    assert places(unit=unit, live=made(reader="shell", path="/etc/f"))[0] == ("/etc/e", "EnvironmentFile")
    assert places(unit=made(fragment="/x", environment={"T": made(reader="Environment", path="/etc/e")})) == []


@pytest.mark.parametrize(
    ("texts", "line"),
    [
        ({"etc_f": "JAVA=/usr/bin/java\n", "opt_a": "$JAVA -jar x"}, "JAVA"),
        ({"etc_f": 'export J="java"\n', "opt_a": "${J} -jar x"}, "J"),
        ({"etc_f": "JAVA=/usr/bin/java\n", "opt_a": "$JAVA -jar x; $JAVA stop"}, None),
        ({"etc_f": "JAVA=/usr/bin/java\n", "opt_a": "$JAVA_HOME"}, None),
        ({"etc_f": "JAVA=/usr/bin/javac -x\n", "opt_a": "$JAVA"}, None),
        ({"usr_s": "JAVA=/usr/bin/java\n", "opt_a": "$JAVA -jar x"}, None),
        ({"etc_f": f'JAVA=java\nJAVA="env S=1 $JAVA"{OURS}\n', "opt_a": "$JAVA -jar x"}, "JAVA"),
    ],
)
def test_the_program_env_in_the_variable_that_names_java(texts: dict[str, str], line: str | None) -> None:
    walk = made(followed=["/opt/a"], sourced=["/etc/f", "/usr/s"])
    found = list(_variables._before_java(made(switch=T), files_of(**texts), made(walk=walk), "false"))
    added = f'{line}="env T=false ${line}"{OURS}\n'
    assert found == ([{"/etc/f": texts["etc_f"] + added}] if line else [])


@pytest.mark.parametrize(
    ("content", "run", "end"),
    [
        ("ab c", Run("ab", "/x", 0), 2),
        ("\\x41b", Run("A", "/x", 0), 4),
        ("\\101b", Run("A", "/x", 0), 4),
        ("\\u0041b", Run("A", "/x", 0), 6),
        ("\\U00000041b", Run("A", "/x", 0), 10),
        ("\\tb", Run("\t", "/x", 0), 2),
        ("%nb", Run("host", "/x", 1), 2),
        ("%nb", Run("", "/x", 0, unknown="?"), 1),
    ],
)
def test_where_a_run_of_a_unit_ends(content: str, run: Run, end: int) -> None:
    assert _candidates._end_in_unit(run, content) == end


def test_a_diff_of_a_variable_shows_only_the_words_of_a_switch() -> None:
    text = "A=1\nT=false\nt=TRUE\nT=secret\nXT=false\n$T=true\nT=trueish T=true)\n"
    shown = _candidates.describe("/x", text, None, "T=false")["before"]
    assert shown.split("\n")[:-1] == [
        "line 2: ... T=false ...",
        "line 3: ... t=TRUE ...",
        "line 4: ... T= ...",
        "line 6: ... T=true ...",
        "line 7: ... T= ...",
        "line 7: ... T=true ...",
    ]
    text = "-Da.b=x1\n-Da.bc=true\n-Da.b-c\n-Da.b\n"
    shown = _candidates.describe("/x", None, text, "-Da.b=true")["after"]
    assert shown == "line 1: ... -Da.b=x ...\nline 4: ... -Da.b ...\n"


def test_what_our_drop_in_says_of_another_option() -> None:
    text = _candidates.drop_in_text("A", "-Da=b", None, "-Da=b")
    assert "it only adds -Da.\n" in text
    assert "it only leaves -Da out.\n" in _candidates.drop_in_text("A", "-Dc", None, "-Da=b")


# -- what is summed up --------------------------------------------------------------------------------


def entry(name: str = "a", verdict: str = "disabled", **more: Any) -> Any:
    parts = {"stray": False, "service": f"{name}.service", "vectors": (), "next": verdict, "running": verdict, **more}
    return made(
        definition=made(name=name, service=parts["service"]),
        on_disk=made(verdict=verdict, vectors=parts["vectors"]),
        next_start=made(verdict=parts["next"]),
        running=parts["running"],
        stray=parts["stray"],
    )


def survey(*entries: Any) -> Any:
    return made(entries=entries)


def test_whether_all_is_so() -> None:
    a, b = entry(), entry("b", "enabled")
    is_so = _declare._is_so
    assert is_so(survey(a), "disabled", []) and not is_so(survey(a, b), "disabled", [])
    assert is_so(survey(a, b), "disabled", ["a"]) and not is_so(survey(a, b), "disabled", ["b"])
    assert is_so(survey(a, entry("b", "enabled", stray=True)), "disabled", [])
    assert not is_so(survey(a, entry("b", "enabled", stray=True)), "disabled", ["b"])


def test_who_owes_a_restart() -> None:
    def owing(*entries: Any, names: Any = ()) -> list[str]:
        return _declare._owing(survey(*entries), "disabled", names)

    late = {"running": "enabled"}
    assert owing(entry(), entry("b", **late)) == ["b.service"]
    assert owing(entry("b", service=None, **late)) == []
    assert owing(entry("a", **late), entry("b", **late), names=["b"]) == ["b.service"]
    assert owing(entry("a", "enabled", **late)) == []


@pytest.mark.parametrize(
    ("before", "after", "done", "wrong"),
    [
        ([entry()], [entry("a", "enabled")], [], None),
        ([entry()], [entry()], ["a"], None),
        ([entry()], [], ["a"], "a"),
        ([entry(), entry("b")], [entry()], ["a"], None),  # it ended meanwhile
        ([entry()], [entry("a", "enabled")], ["a"], "a"),
        ([entry(stray=True)], [entry("a", "enabled")], ["a"], None),
        ([entry(), entry("b", "enabled")], [entry(), entry("b", "unresolvable")], ["a"], None),
        ([entry(), entry("b", vectors=(1,))], [entry(), entry("b", vectors=(1,))], ["a"], None),
        ([entry(), entry("b", vectors=(1,))], [entry(), entry("b", vectors=(2,))], ["a"], "b"),
        ([entry("a", vectors=(1,))], [entry("a", vectors=(2,))], ["a"], "a"),
    ],
)
def test_what_all_edits_together_left_wrong(
    monkeypatch: pytest.MonkeyPatch, before: list[Any], after: list[Any], done: list[str], wrong: str | None
) -> None:
    monkeypatch.setattr(_declare._live, "same_vectors", lambda one, other: one.vectors == other.vectors)
    found = _declare._wrong(survey(*before), survey(*after), "disabled", {name: [] for name in done})
    assert found == wrong


@pytest.mark.parametrize(
    ("count", "check", "said"),
    [
        (0, True, []),
        (1, True, ["what a run that was killed had left would be removed beside /0"]),
        (5, True, ["what a run that was killed had left would be removed beside /0, /1, /2, /3, /4"]),
        (6, True, ["what a run that was killed had left would be removed beside /0, /1, /2, /3, /4 and more"]),
        (1, False, ["what a run that was killed had left was removed beside /0"]),
    ],
)
def test_what_a_killed_run_has_left_is_named(
    monkeypatch: pytest.MonkeyPatch, count: int, check: bool, said: list[str]
) -> None:
    cleared: list[str] = []
    monkeypatch.setattr(_declare, "_disturbed", lambda *_given: [f"/{number}" for number in range(count)])
    monkeypatch.setattr(_declare, "_real", lambda _files, path: f"/real{path}")
    monkeypatch.setattr(_declare, "clear", cleared.append)
    monkeypatch.setattr(_declare.limits, "write", lambda: None)
    assert _declare._cleared(made(), (), check) == said
    assert cleared == ([] if check else ["/real/0"])


def test_a_moment_of_a_record() -> None:
    assert _checkbox._moment("2026-01-02T03:04:05Z") == calendar.timegm((2026, 1, 2, 3, 4, 5, 0, 0, 0))
    assert _checkbox._moment("2026-01-02") == _checkbox._moment("") == 0


def test_a_checksum_is_of_the_bytes() -> None:
    assert _declare.checksum(None) is None
    assert _declare.checksum("\xe4") == hashlib.sha256(b"\xe4").hexdigest()


BOX = f"<{FIELD}>true</{FIELD}>"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"<a>\n {BOX}\n</a>", None),
        (f"<?xml version='1.1' encoding='UTF-8'?>\n<a><b>{BOX}</b>{BOX}</a>", None),
        (f"<a><{FIELD} class='x'> false </{FIELD}></a>", None),
        (f"<a><b>{BOX}</b></a>", "it has no"),
        ("<a></a>", "it has no"),
        (f"<a>{BOX}{BOX}</a>", "or several"),
        (f"<a>{BOX}", "not well-formed"),
        (f"<!DOCTYPE a><a>{BOX}</a>", "document type"),
        (f"<a><{FIELD}>yes</{FIELD}></a>", "not written as the product"),
        (f"<a><{FIELD}>true<b/></{FIELD}></a>", "not written as the product"),
    ],
)
def test_where_the_checkbox_is_written(text: str, why: str | None) -> None:
    if why is not None:
        with pytest.raises(ValueError, match=why):
            _checkbox._value_in(text)
        return
    begin, end = _checkbox._value_in(text)
    assert text[begin:end] in ("true", "false") and text[end:].lstrip().startswith(f"</{FIELD}>")
    assert "<b>" not in text or begin > text.index("</b>")

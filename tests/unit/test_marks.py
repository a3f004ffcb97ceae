"""Ways through a launch file that begin the same: what they share is walked once, and each comes to what it came to alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hostroot import Host
from test_reading import LAYOUTS, info

from ansible_collections.cbops.telemetry.plugins.module_utils.host._files import HostFiles
from ansible_collections.cbops.telemetry.plugins.module_utils.launch import _outcome
from ansible_collections.cbops.telemetry.plugins.module_utils.shell import _session
from ansible_collections.cbops.telemetry.plugins.module_utils.shell._flow import Flow
from ansible_collections.cbops.telemetry.plugins.module_utils.shell._session import Launch, Mark, Oracle, Session
from ansible_collections.cbops.telemetry.plugins.module_utils.shell._state import State, Variable
from ansible_collections.cbops.telemetry.plugins.module_utils.shell._walk import Shell, walk
from ansible_collections.cbops.telemetry.plugins.module_utils.text._characters import Value
from ansible_collections.cbops.telemetry.plugins.module_utils.text._value import Text

#: Things that a way may change, between choices; each is ended by what shows it.
SCRIPTS = {
    "variables": "A=-Da\nexport B=$A\ncoin && A=-Db\nB=$A$B\ncoin && B=-Dc\nreadonly A\ncoin && java $A $B -jar /x.war",
    "an array": "A=(-Da)\ncoin && A+=(-Db)\nA+=(-Dc)\ncoin && A=(-Dd)\n:\ncoin || java ${A[@]} -jar /x.war",
    "arguments": "set -- -Da -Db\ncoin && shift\nset -- -Dc $@\ncoin && shift\n:\ncoin || java $@ -jar /x.war",
    "a function": "f() { A=$1; coin && A=-Db; B=$A$1; coin || return 1; A=$B; }\n:\nf -Da\nf -Dc\njava $A $B -jar /x.war",
    "local variables": "A=-Da\nf() { local A=-Db; coin && A=-Dc; :; coin && java $A -jar /x.war; }\nf\n:\njava $A -jar /x.war",
    "functions in functions": "f() { :; g -Da; coin && g $1; java $A -jar /x.war; }\ng() { :; A=$A$1; coin && A=$A-; }\n:\nf -Db\nf -Dc",
    "a subshell": "A=-Da\n( A=-Db; coin && A=-Dc; java $A -jar /x.war; coin && A=-Dd; java $A -jar /y.war )\ncoin\njava $A -jar /z.war",
    "traps": "trap 'java $A -jar /x.war' EXIT\nA=-Da\ncoin && trap - EXIT\nA=-Db\ncoin && A=-Dc\n( coin && : )\ncoin && exit",
    "options": "set -e\n:\ncoin && set +e\n:\ncoin && set -a\nJAVA_TOOL_OPTIONS=-Da\nfalse || :\nfalse\ncoin && :\njava -jar /x.war",
    "folders": "cd /opt\ncoin && { cd /etc; A=-Da; }\n:\ncoin && { cd -; B=-Db; }\n:\ncoin && java $A $B -jar x.war\njava -jar y.war",
    "files": ". /etc/default/x\n:\n/opt/s.sh $A\n:\ntouch /etc/default/y\ncoin && java -jar /x.war",
    "a loop": "for A in -Da -Db; do\n:\ncoin && java $A -jar /x.war\n:\ndone\ncoin\njava $A -jar /y.war",
    "lines that are read": "while read A B; do\n:\ncoin && java $A -jar /x.war\n: | { coin && java $B -jar /y.war; :; }\n:\ndone < /opt/in\njava $A -jar /z.war",
    "what is heard": "f() { echo -Da; : ; echo -Db; }\ncoin && B=-Dc\nA=$(f)\n:\ncoin && A=$A$(f)\n:\njava $A $B -jar /x.war",
    "strings": "A=-Da\nsh -c 'A=-Db\ncoin && A=-Dc\n:\njava $A -jar /x.war\n:\ncoin && java -jar /y.war'\neval 'coin && A=-Dd\n:\ncoin && A=$A$A'\njava $A -jar /z.war",
    "branches": 'case "$UNKNOWN" in a) A=-Da\n:\ncoin && A=-Db ;; b) A=-Dc ;; esac\n:\nif coin; then A=$A$A\n:\ncoin && B=-De\nfi\njava $A $B -jar /x.war',
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A host with what the scripts name."""
    host = Host(tmp_path_factory.mktemp("host"))
    host.write("/etc/default/x", 'A="$A -Dx"\ncoin && A="$A -Dy"\nB=1\ncoin && return 0\nB=2\n')
    host.write("/opt/s.sh", '#!/bin/bash\nC="$C $1"\ncoin && shift\n:\njava $C $A "$@" -jar /s.war\n', 0o755)
    host.write("/opt/in", "-Da b\n-Dc d\n")
    return str(host.root)


def plain(value: Any) -> Any:
    """What can be compared, of all that a way holds."""
    if isinstance(value, Value):
        return [(run.text, run.path, run.position, run.quoted, run.unknown) for run in value]
    if isinstance(value, (State, Launch, Variable)):
        names = value._fields if isinstance(value, Variable) else type(value).__slots__
        return {name: plain(getattr(value, name)) for name in names if name != "functions"}
    if isinstance(value, dict):
        return [(key, plain(one)) for key, one in value.items()]
    return [plain(one) for one in value] if isinstance(value, (list, tuple)) else value


def ways(text: str, root: str) -> tuple[list[Any], int]:
    """All that each way comes to, and the work of all."""
    shells: list[Shell] = []

    def start(oracle: Oracle) -> Shell:
        session = Session(HostFiles(root), oracle)
        shells.append(Shell(session, environment={"HOME": Value.of("/root")}, folder="/"))
        return shells[-1]

    found = walk(start, lambda shell: shell.execute(Text(text + "\n", "/opt/main")))
    each = [
        (
            plain([getattr(shell.session, name) for name in ("found", "sourced", "followed", "texts", "names")]),
            (plain(shell.state), shell.status, shell.oracle.taken, shell.oracle.steps, sorted(shell.oracle.touched)),
        )
        for shell in shells
    ]
    return [found.ways, found.end, found.names, plain(found.paths), each], shells[-1].oracle.work


@pytest.mark.parametrize("text", SCRIPTS.values(), ids=SCRIPTS)
def test_a_way_that_goes_on_from_a_mark_comes_to_the_same(
    root: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, work = ways(text, root)
    monkeypatch.setattr(_session, "LIMIT_MARKING", 0)
    alone, more = ways(text, root)
    assert alone[0] > 2 and alone[3], "the row shows nothing"
    assert work < more, "no way went on from a mark"
    assert shared == alone


@pytest.mark.parametrize("layout", LAYOUTS[:2], ids=lambda layout: str(layout.__name__))
def test_an_audit_follows_a_launcher_twice_and_walks_what_ways_share_once(
    tmp_path: Path, layout: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is, and with a word more, which tells the live variable. Of each following, most is what ways share."""
    host = Host(tmp_path)
    host.write("/etc/passwd", "root:x:0:0::/root:/bin/bash\ncloudbees-core-cm:x:9:9::/var/lib/cm:/bin/bash\n")
    layout(host)
    walked, steps, run = [0], [0], Flow.run
    followings: list[int] = []

    def counted(shell: Flow, node: Any) -> Any:
        walked[0] += 1
        return run(shell, node)

    def followed(start: Any, program: Any) -> Any:
        def noted(shell: Shell) -> None:
            try:
                program(shell)
            finally:
                steps[0] += shell.oracle.steps

        found = walk(start, noted)
        followings.append(found.ways)
        return found

    monkeypatch.setattr(Flow, "run", counted)
    monkeypatch.setattr(_outcome, "walk", followed)
    assert info(host)["on_disk"] == "enabled"
    assert len(followings) == 2 and min(followings) > 8
    assert steps[0] > 1000 and walked[0] < steps[0] / 2


def test_a_way_that_is_the_only_one_has_no_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_session, "copied", None)  # it would be an error
    found, _work = ways("A=-Da\n:\njava $A -jar /x.war", "/")
    assert found[0] == 1


@pytest.mark.parametrize("kind", [Oracle, Session])
def test_each_attribute_of_a_way_is_marked_or_stays(kind: type) -> None:
    """The work is done, the files are the host's, and what is ahead is another way's own."""
    oracle = Oracle([])
    thing = oracle if kind is Oracle else Session(HostFiles("/"), oracle)
    stay = {"work", "marks", "reached", "_prefix"} if kind is Oracle else {"files", "oracle", "user"}
    marked = set(_session._OF_ORACLE if kind is Oracle else _session._OF_SESSION)
    assert marked.isdisjoint(stay)
    assert marked | stay == set(vars(thing) if kind is Oracle else Session.__slots__)


def test_what_is_marked_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may write a launch file chooses how many variables it has, and how many ways there are."""
    marks: list[Mark] = []
    made = Mark.__init__

    def noted(mark: Mark, *arguments: Any) -> None:
        made(mark, *arguments)
        marks.append(mark)

    monkeypatch.setattr(Mark, "__init__", noted)
    many = "\n".join("V%d=-Dv" % number for number in range(300))
    ways(many + "\n" + "f() { :; }\nf\n" * 150 + "coin && :\n:\ncoin && java -jar /x.war", "/")
    assert 10 < len(marks) and max(mark.size for mark in marks) < _session.LIMIT_MARKED + 400

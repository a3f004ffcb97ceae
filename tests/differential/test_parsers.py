"""Fuzz tests of the parsers: whatever the bytes, an answer or a documented exception, and that soon.

``CBOPS_FUZZ=100000`` makes it a long run.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.cbops.telemetry.plugins.module_utils.edit._candidates import plan
from ansible_collections.cbops.telemetry.plugins.module_utils.edit._writing import Refused
from ansible_collections.cbops.telemetry.plugins.module_utils.host._files import HostFiles
from ansible_collections.cbops.telemetry.plugins.module_utils.java import _jvm as jvm
from ansible_collections.cbops.telemetry.plugins.module_utils.launch import (
    _declarations,
    _definition,
    _environment,
    _live,
    _outcome,
    _unit_syntax,
)
from ansible_collections.cbops.telemetry.plugins.module_utils.shell import _parser as syntax
from ansible_collections.cbops.telemetry.plugins.module_utils.shell._cursor import ShellSyntaxError
from ansible_collections.cbops.telemetry.plugins.module_utils.text import _value

from .fuzz import corpus
from .grammar import FLAG, WAR, sample

SECONDS = 60
SETTINGS = settings(
    max_examples=int(os.environ.get("CBOPS_FUZZ", "250")),
    derandomize="CBOPS_FUZZ" not in os.environ,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
VERDICTS = {_outcome.DISABLED, _outcome.ENABLED, _outcome.UNRESOLVABLE}
#: What the shells' grammars turn on.
PIECES = [
    "$(",
    ")",
    "${",
    "}",
    "((",
    "))",
    "`",
    '"',
    "'",
    "\\",
    "\n",
    "\r\n",
    "<<E\n",
    "<<<",
    "E\n",
    "#",
    ";;",
    ";",
    "&",
    "|",
    "$'",
    "[[ ",
    " ]]",
    "if ",
    " then ",
    " fi ",
    "case ",
    " in ",
    " esac ",
    "for ",
    " do ",
    " done ",
    "f() ",
    "{ ",
    "X=(",
    "X[",
    "]=",
    "+=",
    "eval ",
    "exec ",
    "set -- ",
    "\0",
    "\xff",
    "\xef\xbb\xbf",
    "IFS=",
    "read ",
    "shift 9 ",
    "local ",
    "${X%%",
    "${X:-",
    "${X//",
    "java -jar x.war ",
    "$JAVA_OPTS ",
    FLAG + " ",
    "unset ",
    "while ",
    "=~ (",
]


class Hang(BaseException):
    """The parser took too long; no handler for ordinary exceptions stops it."""


@contextmanager
def soon() -> Iterator[None]:
    """Raises :class:`Hang` after some time."""

    def ring(_number: int, _frame: Any) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def read_it_every_way(text: str) -> None:
    """As a launch file, a launch script, a unit, an environment file and options; edits are planned too."""
    for dialect in (syntax.BASH, syntax.DASH):
        try:
            syntax.parse(_value.Text(text, "/etc/x"), dialect)
        except ShellSyntaxError as error:
            assert 0 <= error.position <= len(text)
    for launcher in (
        f'#!/bin/bash\n. /etc/x\nsu app -c "java $JAVA_OPTS -jar {WAR}"\n',
        f"#!/bin/dash\n. /etc/x\neval exec java $JAVA_OPTS -jar {WAR}\n",
        f"#!/bin/bash\n{text}\njava $JAVA_OPTS -jar {WAR}\n",
    ):
        files = HostFiles("/nonexistent").with_candidates({"/etc/x": text, "/opt/start": launcher})
        definition = _definition.script_definition("/opt/start")
        outcome = _outcome.outcome(definition, files)
        assert outcome.verdict in VERDICTS
        live = _live.live_of(definition, files, outcome)
        _declarations.declarations(definition, outcome, live, files)
        try:
            plan(definition, files, outcome, live, _outcome.DISABLED)
        except Refused:
            pass
    _unit_syntax.parse_unit(text, "/etc/x")
    list(_environment.parse_environment_file(text, "/etc/x"))
    jvm.split_argfile(text)
    jvm.split_environment(text)


def test_the_kept_corpus() -> None:
    """Inputs that reached something new when fuzz.py ran, or that broke something once."""
    texts = corpus()
    assert texts, "corpus.json is there and holds inputs"
    for text in texts:
        with soon():
            read_it_every_way(text)


@SETTINGS
@given(st.binary(max_size=200))
def test_arbitrary_bytes(data: bytes) -> None:
    with soon():
        read_it_every_way(data.decode("latin-1"))


@SETTINGS
@given(st.lists(st.sampled_from(PIECES), max_size=40))
def test_pieces_of_shell_text(pieces: list[str]) -> None:
    with soon():
        read_it_every_way("".join(pieces))


@SETTINGS
@given(
    st.integers(0, 1 << 30),
    st.lists(
        st.tuples(st.integers(0, 400), st.integers(0, 12), st.sampled_from(["", *PIECES])), min_size=1, max_size=4
    ),
)
def test_mutated_launch_files(seed: int, changes: list[tuple[int, int, str]]) -> None:
    text = sample(seed).text
    for position, length, piece in changes:
        text = text[:position] + piece + text[position + length :]
    with soon():
        read_it_every_way(text)


HEAVY = {
    "substitutions in substitutions": "$(" * 5000,
    "expansions in expansions": "X=" + "${a:-" * 5000,
    "open arithmetic": "((" * 5000,
    "open arithmetic expansions": "X=" + "$((" * 5000,
    "backticks": "`" * 5001,
    "braces": "{ " * 5000,
    "conditions": "if " * 5000,
    "here-documents on one line": ": " + "<<a " * 2000 + "\n" + "x\n" * 2000,
    "here-document of joined lines": ": <<a\n" + "x\\\n" * 50000,
    "joined lines": "X=a\\\n" * 20000,
    "a value that doubles": "X=x\n" + "X=$X$X\n" * 60,
    "fields that double": "set -- a\n" + 'set -- "$@" "$@"\n' * 40,
    "an endless loop": "while :; do :; done",
    "endless recursion": "f() { f; }\nf",
    "recursion that branches": "f() { f; f; }\nf",
    "an eval of itself": 'X=\'eval "$X"\'\neval "$X"',
    "loops in loops": "for a in 1 2 3 4 5 6 7 8 9; do " * 8 + ":" + "; done" * 8,
    "many ways": "if coin; then X=1; fi\n" * 60,
    "a costly pattern": "X=" + "a" * 3000 + "\nX=${X%" + "*a" * 30 + "b}",
    "a costly regular expression": "X=" + "a" * 3000 + "\n[[ $X =~ (a+)+b ]] && Y=1\n[[ $X =~ a*a*a*a*a*a*b ]] && Y=1",
    "a long line": 'JAVA_OPTS="' + "-Da=b " * 20000 + '"',
    "many lines": 'JAVA_OPTS="$JAVA_OPTS -Da=b"\n' * 2000,
    "sources itself": ". /etc/x",
    "a regular expression of choices": f"[[ {'a' * 60} =~ {'a?' * 60}{'a' * 60} ]] && Y=1",
    "few repetitions of much": f"[[ {'a' * 4000} =~ a*a*a*b ]] && Y=1",
    "arithmetic that is none": "X=$((echo '(('); )\n" * 40000,
    "factors": f"X=$((7{'*7' * 100000}))",
    "functions of functions": "f()" * 5000,
    "dead mentions": f"Y='{FLAG}'\n" * 20000,
    "users of users": "x " + "sudo " * 20000,
    "a line of commas in braces": "echo {" + "," * 500000,
    "lines of a here-document": "mapfile -t X <<E\n" + "a\n" * 100000 + "E\n",
    "blanks to be read": f"read -r X Y <<E\na{' ' * 500000}b\nE\n",
}


@pytest.mark.parametrize("text", HEAVY.values(), ids=HEAVY)
def test_heavy_files_come_to_an_end(text: str) -> None:
    with soon():
        read_it_every_way(text)

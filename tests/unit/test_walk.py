"""What a walk through a launch script decides: rows that bash and dash judge, and those that no shell could.

Most rows came from mutants of the walk that no other test saw (docs/mutation.md).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostroot import FLAG, Host

from ansible_collections.cbops.telemetry.plugins.module_utils.shell import _walk
from tests.differential import compare
from tests.differential.grammar import SCRIPT, Case
from tests.differential.real import Machine, vague

BOTH, BASH, DASH = ("bash", "dash"), ("bash",), ("dash",)
JAVA = "java $O -jar /opt/app/x.war"
#: Who judges, what is decided, the text in front of ``java $O``; ``coin`` succeeds or fails.
ROWS: list[tuple[tuple[str, ...], str, str]] = [
    (BASH, "a redirection that cannot be made is a failure", "if echo x 2>&1\r\nthen O=-Da; else O=-Db; fi"),
    (BOTH, "a test joined with one that is not known", 'X=$(coin && echo y)\n[ -n a -a -n "$X" ] && O=-Da'),
    (BOTH, "a test joined with one that does not matter", 'X=$(coin && echo y)\n[ -n a -o -n "$X" ] && O=-Da'),
    (BOTH, "exec of a JVM in a branch", f"O=-Da\nif coin; then exec {JAVA}; fi\nO=-Db"),
    (BOTH, "exec of something else in a branch", "O=-Da\nif coin; then O=-Dc; exec true; fi\nO=-Db"),
    (BOTH, "a break behind what is not known", "for i in -Da -Db; do O=$i; coin && break; done"),
    (BOTH, "a continue behind what is not known", "for i in -Da; do O=-Db; coin && continue; O=$i; done"),
    (BOTH, "a return behind what is not known", "f() { coin && return; O=-Da; }\nf"),
    (DASH, "what stands before a special builtin stays", "O=-Da set -f"),
    (BASH, "what stands before a special builtin goes", "O=-Da set -f"),
    (BOTH, "a function in a function", "f() { g -Da; }\ng() { O=$1; }\nf -Db"),
    (BOTH, "a shell that is given no command", "sh -c\nO=-Da"),
    (
        BASH,
        "what BASH_ENV names is read",
        'export BASH_ENV=@HERE@/conf.d/10.sh\nbash -c "java \\$OFF -jar /opt/app/x.war"',
    ),
    (BOTH, "env takes a variable out", "export _JAVA_OPTIONS=-Da\nenv --unset=_JAVA_OPTIONS " + JAVA),
    (BOTH, "env takes another variable out", "export _JAVA_OPTIONS=-Da\nenv --unset=JAVA_OPTIONS " + JAVA),
    (BOTH, "su with a shell in one word", "su --shell=/bin/dash app -c 'O=-Da eval :; java $O -jar /opt/app/x.war'"),
    (BOTH, "su with a shell in two words", "su --shell /bin/bash app -c 'O=-Da eval :; java $O -jar /opt/app/x.war'"),
    (BOTH, "echo succeeds", "/bin/echo x >/dev/null && O=-Da || O=-Db"),
]


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """A folder to start scripts in."""
    if not (shutil.which("bash") and shutil.which("dash")):
        pytest.skip("needs bash and dash")
    machine = Machine()
    yield machine
    machine.close()


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host without anything."""
    return Host(tmp_path / "host")


@pytest.mark.parametrize(
    ("shell", "text"),
    [pytest.param(shell, text, id=f"{what}-{shell}") for shells, what, text in ROWS for shell in shells],
)
def test_what_the_shells_do(machine: Machine, shell: str, text: str) -> None:
    """The engine has each start that the shell makes, whichever way the coin falls, and no other."""
    case = Case(SCRIPT, shell, f"#!/bin/{shell}\n{text}\n{JAVA}\n")
    machine.write({machine.config: machine.fill(case.text)})
    outcome = compare._outcome(machine.config, case)[2]
    starts = compare._real(machine, machine.config, case)
    assert outcome.reason is None and outcome.walk is not None
    assert starts and {vague(vector) for vector in outcome.vectors} == {start.vector for start in starts}


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (
            "if coin; then exec true; else exec false; fi\njava -jar /opt/jenkins.war",
            "unresolvable",
        ),  # it never comes to that
        (
            "shopt -s nullglob\njava -Dhost=$(hostname)-* %F -jar /opt/jenkins.war",
            "unresolvable",
        ),  # it may stand for nothing
        ("java -Dhost=$(hostname)-* %F -jar /opt/jenkins.war", "disabled"),
    ],
)
def test_what_is_not_known_before_the_start(host: Host, text: str, verdict: str) -> None:
    host.script(f"#!/bin/bash\n{text}\n".replace("%F", FLAG))
    assert host.verdict() == verdict


@pytest.mark.parametrize("shell", ["sh", "bash", "dash", "ksh", "ash"])
def test_the_shells_that_are_followed(host: Host, shell: str) -> None:
    host.script(f"#!/bin/{shell}\nO={FLAG}\njava $O -jar /opt/jenkins.war\n")
    assert host.verdict() == "disabled"


def test_a_function_that_calls_itself_without_end(host: Host) -> None:
    host.script("#!/bin/sh\nf() { f; }\nf\njava -jar /opt/jenkins.war\n")
    assert "functions call each other too deeply" in (host.only()[1].reason or "")


def test_the_steps_of_all_ways_are_counted_together(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.script("#!/bin/sh\n" + "coin && O=$O-Da\n" * 4 + "java $O -jar /opt/jenkins.war\n")
    assert host.verdict() == "enabled"
    monkeypatch.setattr(_walk, "LIMIT_TOTAL", 60)
    assert host.only()[1].reason == "the launch script is too long to follow every way"


@pytest.mark.parametrize(
    "starter",
    [
        "",
        *"authbind chpst chrt dumb-init env exec ionice nice nohup numactl runuser s6-setuidgid setsid setuidgid".split(),
        *"softlimit stdbuf su sudo taskset time timeout tini".split(),
    ],
)
def test_what_starts_a_jvm_in_the_same_folder(host: Host, starter: str) -> None:
    host.write("/opt/ci/jenkins.war", "PK")
    host.script(f"#!/bin/bash\ncd /opt/ci\n{starter} java -jar jenkins.war\n")
    assert host.only()[1].programs == ("/opt/ci/jenkins.war",)

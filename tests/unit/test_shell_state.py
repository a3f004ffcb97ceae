"""What a shell process has for itself: what a subshell changes does not come back, what it was given it sees.

Each row is walked by the engine and run by bash and dash, with a stand-in for ``java`` that notes what it is given: the
two must tell the same. Beside them each attribute of ``State`` is held to it by name, so that a new one is, too.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.cbops.telemetry.plugins.module_utils.host._files import HostFiles
from ansible_collections.cbops.telemetry.plugins.module_utils.shell._nodes import Simple
from ansible_collections.cbops.telemetry.plugins.module_utils.shell._session import Oracle, Session
from ansible_collections.cbops.telemetry.plugins.module_utils.shell._state import State, Variable
from ansible_collections.cbops.telemetry.plugins.module_utils.shell._walk import Shell
from ansible_collections.cbops.telemetry.plugins.module_utils.text._characters import Value
from ansible_collections.cbops.telemetry.plugins.module_utils.text._value import Text
from tests.differential import compare
from tests.differential.grammar import SCRIPT, Case
from tests.differential.real import Machine

JAVA = "java %s -jar /opt/app/x.war"
PLACES = {
    "subshell": "( %s )",
    "first of a pipeline": "{ %s\n} | cat",
    "last of a pipeline": "echo | { %s\n}",
    "in the background": "{ %s\n} &\nwait",
    "command substitution": "X=$( %s )",
}
_BOTH, _BASH, _DASH = ("bash", "dash"), ("bash",), ("dash",)
#: Thing: the shells, what stands before, what changes it, what shows it.
THINGS: dict[str, tuple[tuple[str, ...], str, str, str]] = {
    "a variable": (_BOTH, "V=-Da", "V=-Db", JAVA % "$V"),
    "a variable that is unset": (_BOTH, "V=-Da", "unset V", JAVA % "$V"),
    "an array": (_BASH, "V=(-Da -Db)", "V+=(-Dc)", JAVA % '"${V[@]}"'),
    "an exported variable": (
        _BOTH,
        "export JAVA_TOOL_OPTIONS=-Da",
        "JAVA_TOOL_OPTIONS=-Db; export JAVA_TOOL_OPTIONS",
        JAVA % "",
    ),
    "that a variable is exported": (_BOTH, "JAVA_TOOL_OPTIONS=-Da", "export JAVA_TOOL_OPTIONS", JAVA % ""),
    "a mark for export": (_BOTH, "", "export JAVA_TOOL_OPTIONS", "JAVA_TOOL_OPTIONS=-Da\n" + JAVA % ""),
    "a mark that nothing may assign": (_BOTH, "V=-Da", "readonly V", "V=-Db\n" + JAVA % "$V"),
    "a function": (_BOTH, "f() { %s; }" % (JAVA % "-Da"), "f() { %s; }" % (JAVA % "-Db"), "f"),
    "a function that is unset": (_BOTH, "f() { %s; }" % (JAVA % "-Da"), "unset -f f", "f"),
    "an alias": (_DASH, "", "alias java=true", JAVA % "-Da"),
    "set -a": (_BOTH, "", "set -a", "JAVA_TOOL_OPTIONS=-Da\n" + JAVA % ""),
    "set +a": (_BOTH, "set -a", "set +a", "JAVA_TOOL_OPTIONS=-Da\n" + JAVA % ""),
    "set -e": (_BOTH, "", "set -e", "false\n" + JAVA % "-Da"),
    "set +e": (_BOTH, "set -e\n" + JAVA % "-Db", "set +e", "false\n" + JAVA % "-Da"),
    "set -u": (_BOTH, "", "set -u", "V=$NOT_SET\n" + JAVA % "-Da"),
    "set -f": (_BOTH, "", "set -f", JAVA % "" + " @HERE@/conf.d/*.sh"),
    "set +f": (_BOTH, "set -f", "set +f", JAVA % "" + " @HERE@/conf.d/*.sh"),
    "shopt -s nullglob": (_BASH, "", "shopt -s nullglob", JAVA % "" + " @HERE@/none.d/*.sh"),
    "a trap that is set back": (_BOTH, "trap '%s' EXIT" % (JAVA % "-Da"), "trap - EXIT", ":"),
    "positional parameters": (_BOTH, "set -- -Da -Db", "set -- -Dc", JAVA % '"$@"'),
    "shift": (_BOTH, "set -- -Da -Db", "shift", JAVA % '"$@"'),
    "the working folder": (_BOTH, "cd @HERE@", "cd /", JAVA % '"-Df=$PWD"'),
    "the folder before": (
        _BOTH,
        "cd @HERE@/sub; cd @HERE@",
        "cd /; cd /usr",
        "cd - >/dev/null\n" + JAVA % '"-Df=$PWD"',
    ),
    "that something runs in the background": (_BOTH, "", ": &", JAVA % '"-Db=$!"'),
    "what a local variable hides": (_BOTH, "W=-Da", ":", "f() { ( local W=-Db ); W=-Dc; }\nf\n" + JAVA % "$W"),
    "what a file is called that is sourced": (_BASH, ". @HERE@/told.sh", "cd @HERE@; . ./told.sh", "told"),
}
ROWS = [
    pytest.param(shell, f"{before}\n{PLACES[place] % change}\n{shows}\n", id=f"{thing}-{place}-{shell}")
    for thing, (shells, before, change, shows) in THINGS.items()
    for place in PLACES
    for shell in shells
    if not (place == "in the background" and "-Db=$!" in shows)
]
#: What is set outside is there inside, and what is done at the end of a process inside is done then.
SEEN = {
    "a variable": "V=-Da\n( %s )" % (JAVA % "$V"),
    "an exported variable": "export JAVA_TOOL_OPTIONS=-Da\n( %s ) | cat" % (JAVA % ""),
    "a mark for export": "export JAVA_TOOL_OPTIONS\n( JAVA_TOOL_OPTIONS=-Da; %s )" % (JAVA % ""),
    "a function": "f() { %s; }\n( f )\necho | f\nf &\nwait" % (JAVA % "-Da"),
    "a function in a substitution": "f() { echo -Da; }\n" + JAVA % "$(f)",
    "set -a": "set -a\n( JAVA_TOOL_OPTIONS=-Da; %s )" % (JAVA % ""),
    "set -e": "set -e\n( false; %s ) || :\n( false; %s )\n%s" % (JAVA % "-Da", JAVA % "-Db", JAVA % "-Dc"),
    "set -u": "set -u\n( V=$NOT_SET; %s )\n%s" % (JAVA % "-Da", JAVA % "-Db"),
    "set -f": "set -f\n( %s @HERE@/conf.d/*.sh )" % (JAVA % ""),
    "positional parameters": "set -- -Da -Db\n( shift; %s )" % (JAVA % '"$@"'),
    "positional parameters in a substitution": "set -- -Da -Db\n" + JAVA % '$(shift; echo "$@")',
    "the working folder": "cd @HERE@\n( cd sub; %s )\n%s" % (JAVA % '"-Df=$PWD"', JAVA % '"-Df=$PWD"'),
    "the working folder in a substitution": "cd @HERE@/sub\n" + JAVA % '"-Df=$(cd ..; pwd)" "-Dg=$PWD"',
    "the folder before": "cd @HERE@/sub; cd /\n( cd - >/dev/null; %s )" % (JAVA % '"-Df=$PWD"'),
    "no trap": "trap '%s' EXIT\n( : )\nX=$(:)\n: | :" % (JAVA % "-Da"),
    "a trap of its own": "( trap '%s' EXIT; %s )\n%s" % (JAVA % "-Da", JAVA % "-Db", JAVA % "-Dc"),
    "a trap of its own in a pipeline": "{ trap '%s' 0; } | cat" % (JAVA % "-Da"),
    "a trap that calls a function": "end() { %s; }\ntrap end EXIT\n( exit )\nexit 1" % (JAVA % "-Da"),
    "a trap under set -e": "set -e\ntrap '%s' EXIT\nfalse\n%s" % (JAVA % "-Da", JAVA % "-Db"),
    "a trap that exec leaves behind": "trap '%s' EXIT\nexec %s" % (JAVA % "-Da", JAVA % "-Db"),
    "a trap that is replaced": "trap '%s' EXIT\ntrap '%s' EXIT" % (JAVA % "-Da", JAVA % "-Db"),
    "a trap that is ignored": "trap '%s' EXIT\ntrap '' EXIT\n%s" % (JAVA % "-Da", JAVA % "-Db"),
    "a trap by number that is set back": "trap '%s' 0\ntrap - 0\n%s" % (JAVA % "-Da", JAVA % "-Db"),
    "an exit": "( exit; %s )\n%s" % (JAVA % "-Da", JAVA % "-Db"),
    "a local variable": "f() { local V=-Da; ( V=-Db; %s ); %s; }\nf" % (JAVA % "$V", JAVA % "$V"),
}


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """A folder to start scripts in."""
    if not (shutil.which("bash") and shutil.which("dash")):
        pytest.skip("needs bash and dash")
    machine = Machine()
    machine.write({str(machine.folder / "told.sh"): "told() { %s; }\n" % (JAVA % '"-Dw=$BASH_SOURCE"')})
    yield machine
    machine.close()


@pytest.mark.parametrize(("shell", "text"), ROWS)
def test_what_a_subshell_changes_stays_there(machine: Machine, shell: str, text: str) -> None:
    compare.agree(machine, shell, text)


@pytest.mark.parametrize("shell", _BOTH)
@pytest.mark.parametrize("text", SEEN.values(), ids=SEEN)
def test_what_a_subshell_is_given_it_has(machine: Machine, shell: str, text: str) -> None:
    compare.agree(machine, shell, text + "\n")


def filled() -> State:
    """A state with something in each attribute."""
    state = State({"V": Value.of("-Da")}, [Value.of("-Db")], "/here")
    node = Simple(Text("", None), 0)
    contents: dict[str, Any] = {
        "marked_exported": {"M"},
        "read_only": {"R"},
        "scopes": [{"V": None}],
        "functions": {"f": node},
        "aliases": {"a"},
        "traps": {"EXIT": Value.of(":")},
        "all_exported": True,
        "stops_on_failure": True,
        "stops_on_unset": True,
        "globs": False,
        "null_globs": True,
        "folder_before": "/before",
        "called": {"/x": "./x"},
        "background": True,
    }
    for name, content in contents.items():
        setattr(state, name, content)
    return state


def shown(value: Any) -> Any:
    """A value that can be compared."""
    if isinstance(value, Variable):
        return (shown(value.value), shown(value.array), value.exported)
    if isinstance(value, dict):
        return {key: shown(one) for key, one in value.items()}
    if isinstance(value, list):
        return [shown(one) for one in value]
    return value.text if isinstance(value, Value) else set(value) if isinstance(value, set) else value


@pytest.mark.parametrize("name", State.__slots__)
def test_each_attribute_is_copied_for_a_subshell_and_its_change_does_not_come_back(name: str) -> None:
    plain, state = State({}, (), None), filled()
    assert shown(getattr(state, name)) != shown(getattr(plain, name)), "the row shows nothing"
    shell = Shell(Session(HostFiles("/"), Oracle([])))
    shell.state = state
    before = shown(getattr(state, name))

    def inside() -> None:
        value = getattr(shell.state, name)
        assert shown(value) == ({} if name == "traps" else before)
        if name == "variables":
            value["V"] = value["V"]._replace(exported=False)
        if name == "scopes":
            value[-1]["W"] = None
        if isinstance(value, (dict, list, set)):
            value.clear()
        setattr(shell.state, name, getattr(plain, name))

    shell._separately(inside)
    assert shell.state is state
    assert shown(getattr(state, name)) == before


def test_what_all_share_lies_in_the_session() -> None:
    shell = Shell(Session(HostFiles("/"), Oracle([])))
    shell._separately(lambda: shell.session.found.append(None))  # type: ignore[func-returns-value, arg-type]
    assert shell.session.found == [None]
    assert set(vars(shell)).isdisjoint(State.__slots__) and set(vars(shell)).isdisjoint({"found", "sourced", "texts"})


def test_the_reply_of_a_select_is_not_known(machine: Machine) -> None:
    case = Case(SCRIPT, "bash", f"#!/bin/bash\nselect V in -Da -Db; do break; done\n{JAVA % '$V'}\n")
    machine.write({machine.config: case.text})
    outcome = compare._outcome(machine.config, case)[2]
    assert "$V is chosen while it starts" in (outcome.reason or ""), outcome

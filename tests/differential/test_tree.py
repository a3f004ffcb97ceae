"""Our parser's tree beside shfmt's: commands, words, assignments, redirections and expansions with their places.

Where one of the two takes a text for the shell's and the other does not, the shell itself judges (``bash -n``,
``dash -n``). Where the trees differ the reason stands in ``KNOWN``; whatever has none fails.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_shell_tree import ROWS

from . import shfmt
from .grammar import sample

CASES = Path(__file__).parents[1] / "unit/cases"
COUNT = int(os.environ.get("CBOPS_DIFFERENTIAL", "600")) // 3
#: That of Debian 13 does no more.
OLD = "shfmt begins a comment behind $NAME, the shells only at the beginning of a word"
#: What shfmt makes something else of than the shells do, and why: a pattern that such a text has.
KNOWN = {
    r"<<-?(\w+)\b(?:.*\n)+?.*\\\n\t*\1\n": "a line that a backslash joins to the one before ends no here-document, but shfmt's",
    r"\$\w+#": OLD,
    r"\$\w+\\\n(?!\w)": "for shfmt the end of a joined line belongs to the $NAME before it",
    r"^coproc\b": "'coproc' is a command by its name here: no launcher has one, and what it starts is seen",
}
#: What we do not read although the shell does, and why.
UNREAD = {
    r"\$'[^']*\\[uUc]": "escapes of characters beyond a byte are not supported",
    r"\0": "a file with a NUL byte is no script: bash passes it over, dash may not",
    r"\bfor [0-9]": "bash says that it is no name only where it runs it",
    r"=\([^)]*\)\w": "what bash makes of characters behind an array no launcher asks for",
    r">&[a-z]": "dash says that it is no descriptor only where it runs it",
}

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("shfmt", "bash", "dash"))), reason="needs shfmt, bash and dash (scripts/tools)"
)


def plain(text: str) -> str:
    """As many bytes, without what shfmt reads as nothing (a carriage return) or not at all (what is not UTF-8)."""
    return "".join("R" if char == "\r" else "x" if char > "\x7f" else char for char in text)


def is_valid(text: str, dialect: str) -> bool:
    """What the shell says of it; bash says of some texts only what it passes over (``-n`` reads all of them)."""
    done = subprocess.run([dialect, "-n"], input=text.encode("latin-1"), capture_output=True, check=False, timeout=60)
    return done.returncode == 0


def reason(text: str, reasons: dict[str, str]) -> str | None:
    return next((why for pattern, why in reasons.items() if re.search(pattern, text, re.MULTILINE)), None)


def unexplained(text: str, dialect: str) -> str | None:
    """What is wrong with our tree of a text, if anything is."""
    text = plain(text)
    ours, theirs = shfmt.ours(text, dialect), shfmt.theirs(text, dialect)
    if isinstance(ours, str) or isinstance(theirs, str):
        read = not isinstance(ours, str)
        if read == (not isinstance(theirs, str)) or read == is_valid(text, dialect):
            return None
        return None if not read and reason(text, UNREAD) else f"read: {read}; ours: {ours}; shfmt: {theirs}\n{text!r}"
    if ours == theirs or reason(text, KNOWN):
        return None
    return f"ours alone: {[one for one in ours if one not in theirs]}\nshfmt's: {[one for one in theirs if one not in ours]}\n{text!r}"


def collected() -> Iterator[str]:
    """The shell texts of the collected launch configurations: whatever is no unit and no table."""
    for path in sorted(CASES.rglob("*")):
        if path.is_file() and path.suffix not in (".service", ".conf", ".tsv", ".xml", ".war", ".jar"):
            text = path.read_bytes().decode("latin-1")
            if "\0" not in text:
                yield text


def test_shfmt_sees_the_same_tree_in_generated_launch_files() -> None:
    cases = [sample(number) for number in range(COUNT)]
    texts = {(text, case.shell) for case in cases for text in (case.text, case.launcher_text) if text}
    wrong = [one for one in (unexplained(*pair) for pair in sorted(texts)) if one]
    assert not wrong, f"{len(wrong)} of {len(texts)}\n" + "\n".join(wrong[:5])


def test_shfmt_sees_the_same_tree_in_collected_launch_files() -> None:
    texts = set(collected())
    assert len(texts) > 50
    wrong = [one for text in sorted(texts) for shell in ("bash", "dash") if (one := unexplained(text, shell))]
    assert not wrong, "\n".join(wrong[:5])


def test_shfmt_and_the_shells_agree_with_the_table_of_trees() -> None:
    wrong = []
    for dialect, text, tree in ROWS:
        valid = is_valid(text, dialect)
        if tree.startswith("error") == valid and not (valid and reason(text, UNREAD)):
            wrong.append(f"{dialect} says valid: {valid}; {text!r}: {tree}")
        wrong += filter(None, [unexplained(text, dialect)])
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("reasons", [KNOWN, UNREAD], ids=["known", "unread"])
def test_each_reason_is_still_one(reasons: dict[str, str]) -> None:
    """A reason that no row of the table needs any more goes."""
    needed: set[str | None] = {OLD}
    for dialect, text, _tree in ROWS:
        ours, theirs = shfmt.ours(text, dialect), shfmt.theirs(text, dialect)
        if ours != theirs and (reasons is KNOWN) == (not isinstance(ours, str)):
            needed.add(reason(text, reasons))
        elif isinstance(ours, str) and is_valid(text, dialect):
            needed.add(reason(text, reasons))
    assert needed >= set(reasons.values())


@pytest.mark.parametrize("text", ["a; b", "$(a b)", "a=1 b >f", "a && b | c", "`a b`", "case a in b) c;; esac"])
def test_a_place_that_is_off_by_one_is_noticed(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison can fail: each fact of ours, moved by one byte, is a disagreement."""
    facts = shfmt.ours(text, "bash")
    assert isinstance(facts, list) and facts == shfmt.theirs(text, "bash")
    for fact in facts:
        moved = [one for one in facts if one != fact] + [
            (fact[0], *(at + 1 if isinstance(at, int) else at for at in fact[1:]))
        ]
        monkeypatch.setattr(shfmt, "ours", lambda _text, _dialect, moved=moved: moved)
        assert unexplained(text, "bash") is not None

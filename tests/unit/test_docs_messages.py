"""docs/messages.md has an entry for each verdict, outcome, reason and error of the code, and for nothing else."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.cbops.telemetry.plugins.plugin_utils import _manual
from ansible_collections.cbops.telemetry.plugins.plugin_utils._failures import FAILURES

CHECKOUT = Path(__file__).parent.parent.parent
MANUAL = (CHECKOUT / "docs/messages.md").read_text(encoding="utf-8")

#: Exceptions whose words always come behind those of an entry, and that entry.
BEHIND = {
    "ControllerError": "controller-not-asked",
    "Finding": None,  # a probe's: its outcome is its entry
    "InventoryError": "inventory-refused",
    "Late": "host-limit",
    "Local": None,  # the outcome unknown
    "NotAdmitted": "answer-not-taken",
    "NotImplementedError": None,  # a mistake of ours
    "PolicyError": "policy-not-valid",
    "ShellSyntaxError": "shell-syntax",
    "SignatureError": "evidence-not-verified",
    "SystemExit": "old-python",
    "Unreachable": None,  # in the words of ssh, which the failures know
    "Unserved": None,  # the host is asked the ordinary way, and no verdict says so
    "_Broken": "setting-not-read",
    "TooLarge": "setting-not-read",
    "ValueError": None,  # said by whoever catches it, behind words of its own
}
#: Calls that make a reason of their words.
MAKE_REASONS = {"unresolvable", "unknown", "error", "Unresolvable", "unresolved", "_unknown", "_unknown_row",
                "_unresolvable", "Assessment", "Debt"}
#: What members and parameters with a reason are called.
REASONS = {"reason", "msg", "error"}


def template(node: ast.AST) -> str | None:
    """The text of an expression, with what is put in left as {} or %s; None where it is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = template(node.left), template(node.right)
        return None if left is None and right is None else (left or "{}") + (right or "{}")
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return template(node.left)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        return template(node.func.value)
    return None


def texts(node: ast.AST) -> Iterator[str]:
    """All texts of at least three words in an expression."""
    text = template(node)
    if text is not None:
        if len(text.split()) >= 3:
            yield text
        return
    for child in ast.iter_child_nodes(node):
        yield from texts(child)


def named(node: ast.AST) -> str:
    """The last word of what is called."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


@functools.cache
def trees() -> dict[str, ast.Module]:
    """Every file of the plugins that can say something, by its path: not the documentation, not the table itself."""
    return {str(path): ast.parse(path.read_text(encoding="utf-8"))
            for path in sorted((CHECKOUT / "plugins").rglob("*.py"))
            if path.parts[-2] not in ("modules", "doc_fragments") and path.name != "_manual.py"}


@functools.cache
def sentences() -> list[tuple[str, str, str]]:
    """Place, exception (or nothing) and text of each sentence that is raised or given as a reason."""
    found = {}
    for path, tree in trees().items():
        for node in ast.walk(tree):
            raised = ""
            parts: list[ast.AST] = []
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                raised, parts = named(node.exc.func), list(node.exc.args)
            elif isinstance(node, ast.Call):
                parts = [*(node.args if named(node.func) in MAKE_REASONS else ()),
                         *(keyword.value for keyword in node.keywords if keyword.arg in REASONS)]
            elif isinstance(node, ast.Dict):
                parts = [value for key, value in zip(node.keys, node.values, strict=True)
                         if isinstance(key, ast.Constant) and key.value in REASONS]
            if raised == "error":
                raised = "ShellSyntaxError"
            for part in parts:
                for text in texts(part):
                    found.setdefault((path, text), (f"{Path(path).name}:{node.lineno}", raised, text))
    return sorted(found.values())


def listed(name: str) -> tuple[str, ...]:
    """A list of words by its name in the code, wherever it stands."""
    for tree in trees().values():
        for node in tree.body:
            target = node.target if isinstance(node, ast.AnnAssign) else \
                node.targets[0] if isinstance(node, ast.Assign) else None
            if isinstance(target, ast.Name) and target.id == name and isinstance(node.value, ast.Tuple):  # type: ignore[union-attr]
                return tuple(ast.literal_eval(node.value))  # type: ignore[union-attr]
    raise LookupError(name)


def entries() -> dict[str, str]:
    """The entries of the manual by their anchors, as GitHub makes them, with their text."""
    found = {}
    for heading, text in re.findall(r"^### (.+)\n((?:(?!#{1,3} ).*\n?)*)", MANUAL, re.M):
        anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        assert anchor not in found, f"{heading} is there twice"
        found[anchor] = text
    return found


def known() -> set[str]:
    """The anchors of all that the code can give."""
    return {*(f"verdict-{verdict}" for verdict in listed("VERDICTS")),
            *(f"outcome-{outcome}" for outcome in listed("OUTCOMES")),
            *(entry.name for entry in _manual.ENTRIES)}


def test_the_page_is_where_galaxy_yml_says() -> None:
    repository = _manual.PAGE.removesuffix("/blob/main/docs/messages.md")
    assert f"\nrepository: {repository}\n" in (CHECKOUT / "galaxy.yml").read_text()


def test_each_thing_that_the_code_can_give_has_an_entry() -> None:
    assert sorted(known() - entries().keys()) == []


def test_no_entry_is_of_a_thing_that_the_code_does_not_give() -> None:
    exits = {anchor for anchor in entries() if anchor.startswith("exit-")}
    assert sorted(entries().keys() - known() - exits) == []


def test_each_sentence_of_the_code_has_an_entry() -> None:
    """A new reason is put into plugins/plugin_utils/_manual.py, under its entry or a new one."""
    found = sentences()
    assert len(found) > 400, "they are not found any more"
    without = [f"{place}: {text}" for place, raised, text in found
               if raised not in BEHIND and _manual.entry_of(text) is None]
    assert without == []


def test_each_entry_is_of_a_sentence_of_the_code() -> None:
    """One whose words are nowhere any more goes."""
    there = set()
    nodes = (node for tree in trees().values() for node in ast.walk(tree))
    for text in {text for node in nodes if (text := template(node)) and text.count(" ") > 1}:
        there |= {entry.name for entry in _manual.ENTRIES if re.search(entry.words, text)}
    assert sorted({entry.name for entry in _manual.ENTRIES} - there) == []
    assert {name for name in BEHIND.values() if name} <= {entry.name for entry in _manual.ENTRIES}


def test_each_exception_that_stands_behind_other_words_is_raised() -> None:
    assert sorted(BEHIND.keys() - {raised for _place, raised, _text in sentences()}) == []


def test_the_page_of_the_probe_says_what_each_outcome_satisfies() -> None:
    rows = re.findall(r"^\| (`reachable`|`blocked`|neither) \| (.+) \|$",
                      (CHECKOUT / "docs/probe.md").read_text(encoding="utf-8"), re.M)
    said = {word.strip("`"): set(re.findall(r"messages\.md#outcome-(\w+)", cell)) for word, cell in rows}
    reachable, blocked = set(listed("REACHABLE_OUTCOMES")), set(listed("BLOCKED_OUTCOMES"))
    assert said == {"reachable": reachable, "blocked": blocked,
                    "neither": set(listed("OUTCOMES")) - reachable - blocked}


def test_failures_are_told_as_in_the_code() -> None:
    for failure in FAILURES:
        assert " ".join(entries()[f"failure-{failure.kind}"].split()).startswith(
            f"{failure.sentence[0].upper()}{failure.sentence[1:]}: {failure.mend}."), failure.kind

"""docs/messages.md has an entry for each verdict, outcome, reason and error of the code, and for nothing else."""

from __future__ import annotations

import ast
import functools
import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.cbops.telemetry.plugins.plugin_utils._failures import FAILURES
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report import _manual

CHECKOUT = Path(__file__).parent.parent.parent
MANUAL = (CHECKOUT / "docs/messages.md").read_text(encoding="utf-8")

#: Exceptions whose words always come behind those of an entry, and that entry.
BEHIND = {
    "AddressError": "operations-center-not-asked",
    "ControllerError": "controller-not-asked",
    "Finding": None,  # a probe's: its outcome is its entry
    "InventoryError": "inventory-refused",
    "Late": "host-limit",
    "Local": None,  # the outcome unknown
    "NotOnPage": "toggle-not-known",
    "NotSet": None,  # a filter's
    "NotAdmitted": "answer-not-taken",
    "NotImplementedError": None,  # a mistake of ours
    "PolicyError": "policy-not-valid",
    "ShellSyntaxError": "shell-syntax",
    "SignatureError": "evidence-not-verified",
    "SystemExit": "old-python",
    "Unserved": None,  # the host is asked the ordinary way, and no verdict says so
    "Broken": "setting-not-read",
    "Unsure": "toggle-not-known",
    "Untold": "toggle-not-known",
    "unsure": "toggle-not-known",
    "TooLarge": "setting-not-read",
    "ValueError": None,  # said by whoever catches it, behind words of its own
}
#: Calls that make a reason of their words.
MAKE_REASONS = {
    "unresolvable",
    "unknown",
    "error",
    "Unresolvable",
    "unresolved",
    "_unknown",
    "_unknown_row",
    "_unresolvable",
    "Assessment",
    "Debt",
}
#: Reasons of real hosts, and the entries that people should land at.
RECORDED = {
    "cloudbees-core-oc: the flag is not in JAVA_ARGS in /etc/default/cloudbees-core-oc; run enforce": "flag-not-as-wanted",
    "cm: the flag in /etc/default/cm:44 has no effect (the launcher reads JAVA_ARGS); run enforce to put it into "
    "JAVA_ARGS in /etc/default/cm": "flag-without-effect",
    "jenkins: the files are right, but systemctl daemon-reload and then a restart of jenkins.service are owed": "reload-owed",
    "cm: the files are right, but the running JVM has telemetry enabled; a restart of cm.service is owed": "restart-owed",
    "cm: what the next start would do cannot be resolved: /etc/init.d/cm:32, it sources /etc/sysconfig/cm, which "
    "cannot be read: Permission denied": "sourced-file",
    "cm: what the next start would do cannot be resolved: the branch 'if [ -e /x ]' (/srv/run.sh:3) is not known,"
    " because '[ -e /x ]' is not known": "condition",
    "cm: the running value is not known: process 158: its environment cannot be read (Permission denied); run "
    "with become": "process-not-read",
    "cm: the running value is not known: process 138: the JVM was asked: it is stopped, so it cannot answer (its "
    "command line and environment say disabled)": "jvm-silent",
    "its state could not be read: no Python was found there (/bin/sh: 1: /nowhere/python3: not found); install "
    "Python 3, or set ansible_python_interpreter to where it is": "failure-no_python",
    "the host did not answer: no answer came from its address (ssh: connect to host 192.0.2.13 port 22: "
    "Connection timed out); look whether it is up, at firewalls, and at ansible_host": "failure-timeout",
    "its state could not be read: its answer was not taken: it is nested too deeply": "answer-not-taken",
    "its policy is not valid: unknown variable telemetry_desird; did you mean telemetry_desired?": "policy-not-valid",
    "connectivity is required, but api.segment.io:443: api.segment.io resolves to 0.0.0.0, which leads nowhere: "
    "check the DNS filter (sinkhole) and this machine's /etc/hosts for that name.": "connectivity-blocked",
    "api.segment.io:443: api.segment.io (192.0.2.2) port 443 was not reached, for a reason on this machine "
    "(Network is unreachable), which says nothing of the network: check the configuration of the machine first.": "path",
    "it could not be enforced: cm: no new JVM runs with telemetry disabled after the restart (waited 300 seconds)": "restart-failed",
}
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
    return {
        str(path): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted((CHECKOUT / "plugins").rglob("*.py"))
        if path.parts[-2] not in ("modules", "doc_fragments") and path.name != "_manual.py"
    }


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
                parts = [
                    *(node.args if named(node.func) in MAKE_REASONS else ()),
                    *(keyword.value for keyword in node.keywords if keyword.arg in REASONS),
                ]
            elif isinstance(node, ast.Dict):
                parts = [
                    value
                    for key, value in zip(node.keys, node.values, strict=True)
                    if isinstance(key, ast.Constant) and key.value in REASONS
                ]
            if raised == "error":
                raised = "ShellSyntaxError"
            for part in parts:
                for text in texts(part):
                    found.setdefault((path, text), (f"{Path(path).name}:{node.lineno}", raised, text))
    return sorted(found.values())


def listed(name: str) -> tuple[str, ...]:
    """A list of words by its name in the code, wherever it stands."""
    for path, tree in trees().items():
        for node in tree.body:
            targets = (
                node.targets
                if isinstance(node, ast.Assign)
                else [node.target]
                if isinstance(node, ast.AnnAssign)
                else []
            )
            if name in map(named, targets):
                inside = Path(path).relative_to(CHECKOUT).with_suffix("")
                module = importlib.import_module(".".join(("ansible_collections.cbops.telemetry", *inside.parts)))
                return tuple(getattr(module, name))
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
    return {
        *(f"verdict-{verdict}" for verdict in listed("VERDICTS")),
        *(f"outcome-{outcome}" for outcome in listed("OUTCOMES")),
        *(entry.name for entry in _manual.ENTRIES),
    }


def test_the_page_is_where_galaxy_yml_says() -> None:
    repository = _manual.PAGE.removesuffix("/blob/main/docs/messages.md")
    assert f"\nrepository: {repository}\n" in (CHECKOUT / "galaxy.yml").read_text()


def test_each_thing_that_the_code_can_give_has_an_entry() -> None:
    assert sorted(known() - entries().keys()) == []


def test_no_entry_is_of_a_thing_that_the_code_does_not_give() -> None:
    exits = {anchor for anchor in entries() if anchor.startswith("exit-")}
    assert sorted(entries().keys() - known() - exits) == []


def test_each_sentence_of_the_code_has_an_entry() -> None:
    """A new reason is put into plugins/plugin_utils/report/_manual.py, under its entry or a new one."""
    found = sentences()
    assert len(found) > 400, "they are not found any more"
    without = [
        f"{place}: {text}" for place, raised, text in found if raised not in BEHIND and _manual.entry_of(text) is None
    ]
    assert without == []


def test_each_reason_of_recorded_evidence_has_an_entry() -> None:
    """Sentences as they come from real hosts, whole: other than the code's, these have names and places in them."""
    recorded = [
        *RECORDED,
        *(
            reason
            for path in (CHECKOUT / "tests/unit/answers").glob("*/expected.json")
            for reason in json.loads(path.read_text(encoding="utf-8"))["evidence"]["reasons"]
        ),
    ]
    assert [reason for reason in recorded if _manual.entry_of(reason) is None] == []
    assert {_manual.entry_of(reason) for reason in RECORDED} == set(RECORDED.values())


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


def test_failures_are_told_as_in_the_code() -> None:
    for failure in FAILURES:
        assert " ".join(entries()[f"failure-{failure.kind}"].split()).startswith(
            f"{failure.sentence[0].upper()}{failure.sentence[1:]}: {failure.mend}."
        ), failure.kind

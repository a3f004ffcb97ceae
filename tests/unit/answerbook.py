"""Recorded answers of hosts (tests/unit/answers): what each leads to, and how to add one.

    .venv/bin/python tests/unit/answerbook.py NAME ANSWER.json VARIABLES.json

makes the folder NAME with what the code says today; look at its expected.json before you believe it.
"""

from __future__ import annotations

import datetime
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).parent.parent.parent
FOLDER = Path(__file__).parent / "answers"
#: The day on which all of them were given.
DAY = datetime.date(2026, 11, 27)


def load(case: str, name: str) -> dict[str, Any]:
    """The answer, the variables or what is expected of a case."""
    document: dict[str, Any] = json.loads((FOLDER / case / f"{name}.json").read_text("utf-8"))
    return document


def cases() -> list[str]:
    """All cases by their names."""
    return sorted(path.name for path in FOLDER.iterdir() if path.is_dir())


def asked(variables: dict[str, Any]) -> Any:
    """What telemetry_info is asked with these variables, or what is wrong with them."""
    from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect import _filing
    from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import PolicyError

    try:
        return _filing.question(variables)
    except PolicyError as error:
        return {"error": str(error)}


def filed(case: str, reports: Path) -> dict[str, Any]:
    """File the answer of a case; what the file holds."""
    from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect import _filing

    variables = load(case, "variables")
    result = _filing.file_answer(case, variables, load(case, "answer"), reports, _filing.circumstances_of(variables))
    document: dict[str, Any] = json.loads(Path(result["evidence"]).read_text("utf-8"))
    assert result["changed"] is False
    assert (result["verdict"], result["reasons"]) == (document["verdict"], document["reasons"])
    return document


def expected_of(case: str, reports: Path) -> dict[str, Any]:
    """What is written down of a case: the question, and the evidence without the state, which the answer holds."""
    evidence = filed(case, reports)
    return {
        "question": asked(load(case, "variables")),
        "has_state": evidence.pop("state") is not None,
        "evidence": evidence,
    }


def add(name: str, answer: Path, variables: Path) -> None:
    """Make a case of an answer (what telemetry_info returned) and the variables of its host."""
    given = json.loads(answer.read_text("utf-8"))
    given.pop("invocation", None)
    (FOLDER / name).mkdir()
    (FOLDER / name / "answer.json").write_text(as_text(given), "utf-8")
    shutil.copyfile(variables, FOLDER / name / "variables.json")
    write_expected(name)


def write_expected(case: str) -> None:
    """Write down what the code says of a case."""
    with tempfile.TemporaryDirectory() as reports:
        (FOLDER / case / "expected.json").write_text(as_text(expected_of(case, Path(reports))), "utf-8")


def as_text(document: Any) -> str:
    """A document as a case keeps it."""
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.path.insert(0, str(CHECKOUT / ".build/collections"))
    from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect import _filing as filing

    filing.today = lambda: DAY  # type: ignore[assignment]
    add(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))

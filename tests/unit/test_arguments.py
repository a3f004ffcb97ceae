"""What actions and modules take is what their documentation says, in both directions, and each action has one base."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.cbops.telemetry.plugins import action, modules
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect import _carrier as carrier
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._action import Action
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy import _verdicts

CHECKOUT = Path(__file__).parents[2]
PREFIX = "ansible_collections.cbops.telemetry.plugins"
MODULES = sorted(path.stem for path in Path(modules.__path__[0]).glob("[!_]*.py"))
ACTIONS = sorted(path.stem for path in Path(action.__path__[0]).glob("[!_]*.py"))
#: What an option says of itself, and what it means where it says nothing.
COLUMNS = {
    "type": "str",
    "elements": None,
    "required": False,
    "choices": None,
    "default": None,
    "aliases": [],
    "no_log": None,  # which is no matter of the documentation
}


def documented(name: str) -> dict[str, Any]:
    """The options of a module with those of its fragments."""
    text = importlib.import_module(f"{PREFIX}.modules.{name}").DOCUMENTATION
    document: dict[str, Any] = yaml.safe_load(text)
    options = dict(document.get("options") or {})
    for fragment in document["extends_documentation_fragment"]:
        collection, _dot, rest = fragment.rpartition(".telemetry.")
        assert collection == "cbops"
        file, _dot, part = rest.partition(".")
        found = importlib.import_module(f"{PREFIX}.doc_fragments.{file}").ModuleDocFragment
        more = yaml.safe_load(getattr(found, (part or "documentation").upper()))["options"]
        assert not set(more) & set(options), f"{fragment} says what {name} says"
        options.update(more)
    return options


def plain(options: dict[str, Any], children: str) -> dict[str, Any]:
    """Options as rows of the columns, those below an option too, by their whole names."""
    rows = {}
    for name, option in options.items():
        row = {column: option.get(column, default) for column, default in COLUMNS.items() if column != "no_log"}
        row["choices"] = list(row["choices"]) if row["choices"] else None
        row["aliases"] = list(row["aliases"])
        row["default"] = list(row["default"]) if isinstance(row["default"], tuple) else row["default"]
        rows[name] = row
        for below, value in plain(option.get(children) or {}, children).items():
            rows[f"{name}.{below}"] = value
    return rows


def taken(name: str) -> dict[str, Any]:
    """The options that the code takes."""
    return dict(importlib.import_module(f"{PREFIX}.action.{name}").ActionModule.ARGUMENTS)


def test_each_action_has_a_module_of_its_name_and_each_module_an_action() -> None:
    assert MODULES == ACTIONS and len(ACTIONS) >= 21


@pytest.mark.parametrize("name", ACTIONS)
def test_options_are_what_the_documentation_says(name: str) -> None:
    says, takes = plain(documented(name), "suboptions"), plain(taken(name), "options")
    if name == "telemetry_restart":  # the documentation says of a mapping what it holds; what checks it is _window
        says = {option: row for option, row in says.items() if not option.startswith("window.")}
    assert sorted(says) == sorted(takes)
    assert {option: row for option, row in says.items() if row != takes[option]} == {}


@pytest.mark.parametrize("name", ACTIONS)
def test_secrets_are_not_shown_by_ansible(name: str) -> None:
    """An option whose name is like a secret's says whether it is one."""
    for option, given in taken(name).items():
        if re.search(r"token|passw|secret", option):
            assert given.get("no_log") is True, option


@pytest.mark.parametrize("name", sorted({*carrier.ARGUMENTS, "telemetry_backup"}))
def test_a_module_that_runs_on_the_host_takes_what_its_action_takes(name: str) -> None:
    module = importlib.import_module(f"{PREFIX}.modules.{name}")
    assert taken(name) == module.ARGUMENTS
    assert "AnsibleModule(" in inspect.getsource(module.main) and "argument_spec=ARGUMENTS" in inspect.getsource(
        module.main
    )
    assert carrier.ARGUMENTS.get(name, module.ARGUMENTS) is module.ARGUMENTS


@pytest.mark.parametrize("name", ACTIONS)
def test_each_action_is_the_base_s(name: str) -> None:
    """It checks options, and says in whose name it acts, in one place."""
    found = importlib.import_module(f"{PREFIX}.action.{name}").ActionModule
    assert issubclass(found, Action)
    assert found.run is Action.run, "what all do is done once"
    assert found.act is not Action.act
    source = (CHECKOUT / f"plugins/action/{name}.py").read_text()
    assert "validate_argument_spec" not in source and "ActionBase" not in source


def test_what_each_option_of_many_actions_means_is_written_once() -> None:
    """Fragments: an option that is the same in several modules is documented in one place.

    Not launch_scripts: it makes a module one of the action group, and stands where that is seen.
    """
    seen: dict[str, list[str]] = {}
    for name in MODULES:
        own = yaml.safe_load(importlib.import_module(f"{PREFIX}.modules.{name}").DOCUMENTATION).get("options") or {}
        own.pop("launch_scripts", None)
        for option, said in own.items():
            seen.setdefault(f"{option}: {yaml.safe_dump(said)}", []).append(name)
    assert {option: names for option, names in seen.items() if len(names) > 1} == {}


# -- words that stand in one place ----------------------------------------------------------------------


def test_the_name_of_each_schema_is_written_once_in_the_code() -> None:
    places: dict[str, list[str]] = {}
    for path in sorted((CHECKOUT / "plugins").rglob("*.py")):
        if path.parent.name in ("modules", "doc_fragments"):
            continue
        for name in re.findall(r"(?<!Literal\[)\"(cbops\.telemetry/[a-z_-]+/\d+)\"", path.read_text()):  # no type
            places.setdefault(name, []).append(path.name)
    assert len(places) >= 8
    assert {name: files for name, files in places.items() if len(files) > 1} == {}


def test_what_makes_a_run_fail_is_written_once_in_the_code() -> None:
    """Documentation and defaults of the role repeat it, where YAML must; tests hold those to the table."""
    gates, fail_on = list(_verdicts.GATES), list(_verdicts.FAIL_ON)
    for name in ("fleet_report", "replay_evidence"):
        assert (taken(name)["fail_on"]["choices"], taken(name)["fail_on"]["default"]) == (gates, fail_on)
    listing = re.compile(r"""violation["']?,\s*["']?waiver_expired["']?,""")
    files = sorted(
        str(path.relative_to(CHECKOUT / "plugins"))
        for path in (CHECKOUT / "plugins").rglob("*.py")
        if listing.search(path.read_text())
    )
    assert files == ["doc_fragments/_attributes.py", "modules/fleet_report.py"], "the second in an example"

"""The objects for AWX and AAP in examples/aap: fields that infra.aap_configuration reads, names that exist, order."""

from __future__ import annotations

import json
import re
import zoneinfo
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import policy_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._formats import FORMATS

CHECKOUT = Path(__file__).parent.parent.parent
AAP = CHECKOUT / "examples/aap"
PROJECT = AAP / "project"
RUN = "20261231T235959Z-0123abcd"
SCHEMA = json.loads(Path(__file__).with_name("aap.schema.json").read_text())


class Loader(yaml.SafeLoader):
    """YAML as Ansible takes it: a string with !unsafe is not a template."""


Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))
OBJECTS: dict[str, list[dict[str, Any]]] = yaml.load((AAP / "controller.yml").read_text(), Loader)  # noqa: S506


def named(kind: str) -> dict[str, dict[str, Any]]:
    found = {one["name"]: one for one in OBJECTS[f"controller_{kind}"]}
    assert len(found) == len(OBJECTS[f"controller_{kind}"]), "a name is there twice"
    return found


def test_every_field_is_one_that_the_roles_read() -> None:
    jsonschema.validate(OBJECTS, SCHEMA, cls=jsonschema.Draft202012Validator)
    for damage in (
        {"controller_templates": [{**OBJECTS["controller_templates"][0], "ask_limit": True}]},
        {"controller_templates": [{**OBJECTS["controller_templates"][0], "forks": "16"}]},
        {"controller_job_templates": []},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**OBJECTS, **damage}, SCHEMA, cls=jsonschema.Draft202012Validator)


def references() -> Iterator[tuple[str, str]]:
    """Every name that an object has of another one, with what kind that is."""
    kinds = {
        "execution_environment": "execution_environments",
        "default_environment": "execution_environments",
        "project": "projects",
        "source_project": "projects",
        "inventory": "inventories",
    }
    for one in (entry for entries in OBJECTS.values() for entry in entries):
        yield from ((kinds[field], one[field]) for field in kinds.keys() & one.keys())
        for field in ("notification_templates_error", "notification_templates_approvals"):
            yield from (("notifications", name) for name in one.get(field, []))
    for workflow in OBJECTS["controller_workflows"]:
        for node in workflow["simplified_workflow_nodes"]:
            if "unified_job_template" in node:
                yield "templates", node["unified_job_template"]
    yield from (("workflows", one["unified_job_template"]) for one in OBJECTS["controller_schedules"])


def test_every_name_is_one_of_this_file() -> None:
    wrong = [(kind, name) for kind, name in references() if name not in named(kind)]
    assert not wrong
    assert {kind for kind, _name in references()} == {key.removeprefix("controller_") for key in OBJECTS} - {
        "inventory_sources",
        "schedules",
    }, "everything else is used by something"


def test_the_project_has_the_playbooks_in_the_form_that_awx_lists() -> None:
    for path in PROJECT.glob("*.yml"):
        (imported,) = yaml.safe_load(path.read_text())
        assert re.search(r"^\s*-?\s*ansible\.builtin\.import_playbook:", path.read_text(), re.M)
        assert imported["ansible.builtin.import_playbook"] == f"cbops.telemetry.{path.stem}"
        assert (CHECKOUT / "playbooks" / path.name).is_file()
    assert {one["playbook"] for one in OBJECTS["controller_templates"]} <= {path.name for path in PROJECT.glob("*.yml")}


def test_what_jobs_are_told_is_policy_and_valid() -> None:
    for one in OBJECTS["controller_templates"]:
        variables = dict(one.get("extra_vars", {}))
        for question in one.get("survey_spec", {}).get("spec", []):
            answers = question.get("default", "").splitlines()
            variables[question["variable"]] = answers if question["type"] == "multiselect" else RUN
            assert set(answers) <= set(question.get("choices", []))
            if question["variable"] == "run":
                assert question["min"] == question["max"] == len(RUN)
            else:
                assert question["choices"] == list(FORMATS)
        if one["playbook"] == "undo.yml":
            assert variables.pop("run")
        policy_of({"telemetry_desired": "disabled", **variables})  # raises where one is unknown or not valid


def test_what_is_enforced_is_what_was_approved() -> None:
    """The plan of this run of the workflow; evidence of all jobs lies together."""
    jobs = {one["playbook"]: one["extra_vars"] for one in OBJECTS["controller_templates"]}
    assert jobs["enforce.yml"]["telemetry_plan"] == f"{jobs['plan.yml']['telemetry_reports_dir']}/plan.json"
    assert "awx_workflow_job_id" in jobs["enforce.yml"]["telemetry_plan"]
    assert {jobs[name]["telemetry_reports_dir"] for name in ("audit.yml", "enforce.yml", "undo.yml", "report.yml")} == {
        "/evidence/reports"
    }


def test_nothing_is_enforced_without_an_approval() -> None:
    nodes = {node["identifier"]: node for node in named("workflows")["Telemetry change"]["simplified_workflow_nodes"]}
    kinds, way, node = ("success_nodes", "failure_nodes", "always_nodes"), [], nodes["plan"]
    while node:
        way.append((node["identifier"], *(kind for kind in kinds if kind in node)))
        following = [name for kind in kinds for name in node.get(kind, [])]
        node = nodes[following[0]] if following else {}
        assert len(following) <= 1
    assert way == [
        ("plan", "always_nodes"),
        ("approval", "success_nodes"),
        ("enforce", "always_nodes"),
        ("audit", "always_nodes"),
        ("report",),
    ]
    assert "approval_node" in nodes["approval"]
    enforcing = [
        workflow["name"]
        for workflow in OBJECTS["controller_workflows"]
        if "Telemetry enforce" in str(workflow["simplified_workflow_nodes"])
    ]
    assert enforcing == ["Telemetry change"]


def test_the_schedule_s_zone_exists() -> None:
    for one in OBJECTS["controller_schedules"]:
        assert zoneinfo.ZoneInfo(re.findall(r"TZID=([^:]+)", one["rrule"])[0])

"""The roles as users meet them: every entry point and variable is specified, explained once and checked."""

from __future__ import annotations

import datetime
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import ansible.template
import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader

from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._filing import probe_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import TEXTS, VARIABLES, policy_of

CHECKOUT = Path(__file__).parent.parent.parent
ROLES = ("telemetry", "gitops_pull")
#: What begins as a variable does, and is none.
TAGS = {
    "telemetry_ledger",
    "telemetry_audit",
    "telemetry_enforce",
    "telemetry_plan",
    "telemetry_probe",
    "telemetry_prove",
    "telemetry_report",
    "telemetry_restart",
    "telemetry_undo",
}
#: A run's own, which no inventory says.
RUNS = {"telemetry_undo_run"}


def load(path: str) -> Any:
    """What a YAML file of the checkout has in it."""
    return yaml.safe_load((CHECKOUT / path).read_text())


def specs(role: str = "telemetry") -> dict[str, dict[str, Any]]:
    """Options by entry point."""
    found = load(f"roles/{role}/meta/argument_specs.yml")["argument_specs"]
    return {name: entry["options"] for name, entry in found.items()}


def errors(options: dict[str, Any], variables: dict[str, Any]) -> list[str]:
    """What Ansible has against variables where it holds them against options."""
    given = {name: value for name, value in variables.items() if name in options}
    found: list[str] = ArgumentSpecValidator(options).validate(given).error_messages
    return found


@pytest.mark.parametrize("role", ROLES)
def test_every_file_of_tasks_is_an_entry_point_with_a_spec(role: str) -> None:
    """A file whose name begins with an underscore is the role's own."""
    files = {path.stem for path in (CHECKOUT / "roles" / role / "tasks").glob("*.yml")}
    assert {name for name in files if not name.startswith("_")} == set(specs(role))


@pytest.mark.parametrize("role", ROLES)
def test_a_spec_is_text_that_ansible_does_not_render(role: str) -> None:
    """But for defaults: it renders descriptions, too, and what they name need not be there."""
    text = (CHECKOUT / "roles" / role / "meta/argument_specs.yml").read_text()
    assert re.findall(r"^(?! +default: ).*\{[{%#].*$", text, re.MULTILINE) == []


@pytest.mark.parametrize("role", ROLES)
def test_defaults_are_what_the_specs_say(role: str) -> None:
    said: dict[str, Any] = {}
    for options in specs(role).values():
        said |= {name: option["default"] for name, option in options.items() if "default" in option}
    endpoint = said.get("telemetry_endpoint", specs(role)["main"].get("telemetry_endpoint"))
    if endpoint:  # a dictionary has the defaults of its keys
        said["telemetry_endpoint"] = {key: one["default"] for key, one in endpoint["options"].items()}
    assert load(f"roles/{role}/defaults/main.yml") == said


def test_main_explains_every_variable_and_the_others_repeat_a_few() -> None:
    entries = specs()
    main = entries.pop("main")
    assert set(main) == set(VARIABLES) - RUNS
    for name, options in entries.items():
        assert len(options) <= 5, f"{name}: what it only reads like others stands in main"
        for variable, option in options.items():
            assert variable in RUNS or option == main[variable], f"{name}: {variable}"
    assert set().union(*entries.values()) >= RUNS


def test_whatever_is_read_is_a_variable_that_users_may_set() -> None:
    modules = {path.stem for path in (CHECKOUT / "plugins/modules").glob("*.py")}
    read = set()
    for folder in ("playbooks", "plugins", "roles"):
        for path in (CHECKOUT / folder).rglob("*"):
            if path.suffix in (".yml", ".py", ".j2"):
                read |= set(re.findall(r"\btelemetry_[a-z_]*[a-z]\b", path.read_text()))
    assert read - modules - TAGS <= set(VARIABLES)
    assert set(VARIABLES) <= read


def test_the_example_inventory_explains_every_variable() -> None:
    """With valid values, also in what is commented out; where there is a default, mostly that."""
    text = (CHECKOUT / "inventory.example/group_vars/cloudbees.yml").read_text()
    lines = [re.sub(r"^# (?=telemetry_\w+:|  )", "", line) for line in text.splitlines()]
    shown = yaml.safe_load("\n".join(line for line in lines if not re.match(r"  (never|now|when_idle)  ", line)))
    assert set(VARIABLES) <= set(shown)
    options = {**specs()["main"], **specs()["undo"]}
    assert errors(options, shown) == []
    policy_of({name: value for name, value in shown.items() if name in VARIABLES})
    different = {name for name, value in load("roles/telemetry/defaults/main.yml").items() if shown[name] != value}
    # Where the default is nothing, an example says more.
    assert {name for name in different if options[name]["default"]} == set()


@pytest.mark.parametrize(
    "variables",
    [
        {
            "telemetry_backup": "false",
            "telemetry_daemon_reload": "no",
            "telemetry_probe_http": "1",
            "telemetry_set_stats": "off",
        },
        {
            "telemetry_backup_count": "5",
            "telemetry_settle": "0",
            "telemetry_host_limit": "60",
            "telemetry_waiver_max_days": "30",
        },
        {"telemetry_waiver": None, "telemetry_restart_window": None, "telemetry_url": None},
        {
            "telemetry_waiver": "",
            "telemetry_restart_window": "",
            "telemetry_connectivity": "",
            "telemetry_expect": "",
            "telemetry_url": "",
        },
        {"telemetry_waiver": {}, "telemetry_restart_window": {}, "telemetry_controllers": {}},
        {"telemetry_waiver": {"until": "2026-12-31", "reason": 4711, "approved_by": "Jo", "ticket": None}},
        {"telemetry_restart_window": {"zone": "UTC", "allow": ["Mon-Fri 22:00-04:00"]}},
        {
            "telemetry_restart": "when_idle",
            "telemetry_controllers": {"cm-a.service": {"url": "https://cm.example.org/"}},
        },
    ],
)
def test_the_spec_takes_what_a_policy_may_have(variables: dict[str, Any]) -> None:
    """As `-e` and INI inventories give it, too."""
    policy = {"telemetry_desired": "disabled", **variables}
    policy_of(policy)
    for name, options in specs().items():
        assert name == "undo" or errors(options, policy) == []


def test_playbooks_name_entry_points() -> None:
    """With a suffix no spec would be found; and theirs is another check, by which each host gets its own verdict."""
    named = set()
    for path in sorted((CHECKOUT / "playbooks").glob("*.yml")):
        for found in re.findall(r"name: cbops\.telemetry\.telemetry\n +tasks_from: (\S+)\n +(.*)", path.read_text()):
            named.add(found[0])
            assert found[1].startswith("rolespec_validate: false  #"), path
        assert ".yml" not in re.findall(r"tasks_from: .*", path.read_text())
    assert named == set(specs()) - {"main"}


def test_an_action_group_is_for_an_option_that_all_of_its_modules_take() -> None:
    group = load("meta/runtime.yml")["action_groups"]["telemetry"]
    members = []
    for path in sorted((CHECKOUT / "plugins/modules").glob("*.py")):
        documentation = yaml.safe_load(path.read_text().split('DOCUMENTATION = r"""')[1].split('"""')[0])
        if "cbops.telemetry._attributes.actiongroup_telemetry" in documentation["extends_documentation_fragment"]:
            members.append(path.stem)
            assert "launch_scripts" in documentation["options"], path
    assert group == members


#: An entry point, what is wrong, and what is said of it.
WRONG = [
    ("main", {"telemetry_attach": "sometimes"}, "telemetry_attach must be one of: auto, never, got: sometimes"),
    ("audit", {"telemetry_desired": "off"}, "telemetry_desired must be one of: disabled, enabled, unmanaged, got: off"),
    ("sweep", {"telemetry_sweep": "now"}, "telemetry_sweep must be one of: auto, never, got: now"),
    ("plan", {"telemetry_desired": ""}, "telemetry_desired must be one of: disabled, enabled, unmanaged, got:"),
    ("enforce", {"telemetry_backup": "perhaps"}, "'telemetry_backup' is of type"),
    ("restart", {"telemetry_restart": "soon"}, "telemetry_restart must be one of: never, when_idle, now, got: soon"),
    ("undo", {}, "missing required arguments: telemetry_undo_run"),
    ("probe", {"telemetry_endpoint": {"port": "https"}}, "'port' is of type"),
    ("prove", {"telemetry_prove_timeout": "long"}, "'telemetry_prove_timeout' is of type"),
]


def test_a_real_run_refuses_what_is_wrong_and_takes_defaults_for_the_group(tmp_path: Path) -> None:
    """Of every entry point by its name; and what module_defaults says for the action group reaches its modules."""
    assert {entry for entry, _wrong, _said in WRONG} == set(specs())
    root = tmp_path / "root"
    (root / "srv").mkdir(parents=True)
    (root / "srv/run.sh").write_text("#!/bin/sh\nexec java -jar /srv/jenkins.war\n")
    (root / "srv/run.sh").chmod(0o755)
    tasks: list[dict[str, Any]] = [
        {
            "block": [
                {
                    "ansible.builtin.include_role": {"name": "cbops.telemetry.telemetry", "tasks_from": entry},
                    "vars": {"telemetry_desired": "disabled", **wrong},
                },
                {"ansible.builtin.fail": {"msg": f"{entry} took it"}},
            ],
            "rescue": [
                {"ansible.builtin.assert": {"that": "said in ansible_failed_result.msg"}, "vars": {"said": said}}
            ],
        }
        for entry, wrong, said in WRONG
    ]
    tasks += [
        {"cbops.telemetry.telemetry_info": {"root": str(root)}, "register": "info"},
        {
            "cbops.telemetry.telemetry_flag": {"root": str(root), "state": "disabled"},
            "check_mode": True,
            "register": "flag",
        },
        {
            "ansible.builtin.assert": {
                "that": ["info.state.installations[0].name == '/srv/run.sh'", "flag.files[0].path == '/srv/run.sh'"]
            }
        },
    ]
    (tmp_path / "own.yml").write_text(
        json.dumps(
            [
                {
                    "hosts": "all",
                    "gather_facts": False,
                    "tasks": tasks,
                    "module_defaults": {"group/cbops.telemetry.telemetry": {"launch_scripts": ["/srv/run.sh"]}},
                }
            ]
        )
    )
    (tmp_path / "ansible.cfg").touch()
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "ansible-playbook"),
            "-i",
            "localhost,",
            "-c",
            "local",
            str(tmp_path / "own.yml"),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=300,
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".build/collections"),
        },
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"rescued={len(WRONG)} " in done.stdout
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize("role", ROLES)
def test_examples_of_a_readme_are_valid(role: str) -> None:
    """They are run by the integration tests, but for those that install what pulls from a server of the user's."""
    text = (CHECKOUT / "roles" / role / "README.md").read_text()
    for example in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL):
        (play,) = yaml.safe_load(example)
        variables = dict(play.get("vars", {}))
        for part in [*play.get("roles", []), *play.get("tasks", [])]:
            variables |= part.get("vars", {})
        assert errors(specs(role)["main"], {"telemetry_desired": "disabled", **variables}) == []
        assert set(variables) <= set().union(*specs(role).values())
    table = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", text, re.MULTILINE)
    assert role == "gitops_pull" or {name for row in table for name in re.findall(r"\w+", row)} == set(specs(role))


def test_the_readme_of_gitops_pull_has_what_is_needed() -> None:
    role = CHECKOUT / "roles/gitops_pull"
    needed = re.findall(r"- (gitops_pull_\w+) \| default", (role / "tasks/_preflight.yml").read_text())
    example = yaml.safe_load((role / "README.md").read_text().split("```yaml\n")[1].split("```")[0])
    assert needed
    assert set(needed) == set(example[0]["roles"][0]["vars"])


def test_a_text_that_is_false_is_none() -> None:
    """And nowhere the word False."""
    variables: dict[str, Any] = {**load("roles/telemetry/defaults/main.yml"), **dict.fromkeys(TEXTS, False)}
    policy_of({"telemetry_desired": "disabled", **dict.fromkeys(TEXTS, False)}, datetime.date(2026, 1, 1))
    (restart,) = (
        task["cbops.telemetry.telemetry_restart"]
        for task in load("roles/telemetry/tasks/restart.yml")[1]["block"]
        if "cbops.telemetry.telemetry_restart" in task
    )
    held = load("roles/telemetry/tasks/enforce.yml")[1]["block"][0]["when"]

    trusted = getattr(ansible.template, "trust_as_template", str)  # before ansible-core 2.19 all are

    def seen(text: str) -> Any:
        return ansible.template.Templar(loader=DataLoader(), variables={**variables, "omit": "OMITTED"}).template(
            trusted(text)
        )

    assert {name: seen(restart[name]) for name in ("url", "user", "token", "ca_file", "group")} == {
        **dict.fromkeys(("url", "user", "token", "ca_file"), "OMITTED"),
        "group": "",
    }
    assert str(seen("{{ " + held + " }}")) == "False"
    assert "public_authorities" not in probe_of(variables)
    assert probe_of({"telemetry_probe_http": False}) == {"http": False}

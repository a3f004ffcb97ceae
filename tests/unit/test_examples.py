"""The pipelines in examples/: valid by their services' schemas, and made of the steps that are tested on the fleet."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from tests.matrix.__main__ import CORES

CHECKOUT = Path(__file__).parent.parent.parent
EXAMPLES = CHECKOUT / "examples"
BIN = Path(sys.executable).parent
GITHUB, GITLAB = EXAMPLES / "github-actions/telemetry.yml", EXAMPLES / "gitlab-ci/.gitlab-ci.yml"
JENKINS = EXAMPLES / "jenkins/Jenkinsfile"
STEPS = ["setup", "check", "plan", "enforce", "audit"]


def run(*command: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, **more)


@pytest.mark.parametrize(("schema", "path"), [("vendor.github-workflows", GITHUB), ("vendor.gitlab-ci", GITLAB)])
def test_the_services_own_schemas(schema: str, path: Path, tmp_path: Path) -> None:
    checker = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema]
    done = run(*checker, str(path))
    assert done.returncode == 0, done.stdout
    damaged = tmp_path / path.name
    damaged.write_text(path.read_text().replace("  rules:", "  rulez: 1\n  rules:").replace("runs-on:", "runs_on:"))
    assert run(*checker, str(damaged)).returncode == 1, "the schema sees a mistake"


def test_actions_are_pinned_by_commit() -> None:
    """Whoever may move a tag of an action would run in this workflow, with its key."""
    used = re.findall(r"\buses: *(\S+)(.*)", GITHUB.read_text())
    assert used
    for action, comment in used:
        assert re.fullmatch(r"[\w.-]+(/[\w.-]+)+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" +# v\d+\.\d+\.\d+", comment), f"{action}: which release is it?"


def test_the_cores_in_examples_are_supported() -> None:
    """Each is one of those that the matrix runs, and no other can come of its bounds."""
    asked = {
        str(path.relative_to(EXAMPLES)): re.findall(r"ansible-core([^'\"\s]*)", path.read_text())
        for path in EXAMPLES.rglob("*")
        if path.is_file()
    }
    bounds = {name: [text for text in found if text[:1] in tuple("<>=~!")] for name, found in asked.items()}
    assert {name for name, found in bounds.items() if found} == {"telemetry.sh", "execution-environment.yml"}
    for name, found in bounds.items():
        for text in found:
            allowed = [core for core in (f"2.{minor}" for minor in range(40)) if f"{core}.99" in SpecifierSet(text)]
            assert len(allowed) == 1 and allowed[0] in CORES, f"{name}: ansible-core{text}"


@pytest.mark.parametrize("path", [GITHUB, GITLAB, JENKINS], ids=lambda path: path.name)
def test_every_pipeline_is_made_of_the_tested_steps(path: Path) -> None:
    text = path.read_text()
    assert sorted(set(re.findall(r"sh ci/telemetry\.sh (\w+)", text))) == sorted(STEPS)
    assert "ansible-playbook" not in text, "what they run stands in telemetry.sh, which is tested"
    assert "StrictHostKeyChecking" not in text


def test_what_a_pull_request_may_do() -> None:
    workflow = yaml.safe_load(GITHUB.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    plan = workflow["jobs"]["plan"]
    assert "fork" in plan["if"] or "head.repo.full_name == github.repository" in plan["if"]
    assert "enforce" not in str(plan["steps"])
    for name, job in workflow["jobs"].items():
        # What a branch may rewrite has neither a key nor a machine that reaches the hosts.
        untrusted = "'pull_request'" in job["if"]
        assert untrusted == (name == "check")
        assert untrusted == ("environment" not in job) == (job["runs-on"] == "ubuntu-latest")
        assert not untrusted or "secrets." not in str(job)
        checkouts = [step["with"] for step in job["steps"] if step.get("uses", "").startswith("actions/checkout")]
        assert all(one["persist-credentials"] is False for one in checkouts)
        # The first is what is run; what was proposed lies apart from it, and is named as an inventory alone.
        for one in checkouts:
            assert ("head" in one.get("ref", "")) == ("path" in one)
        for step in job["steps"]:
            assert "proposed" not in str(step.get("run", "")) + str(step.get("working-directory", ""))
    assert "pull_request_target" in plan["if"] and "base.ref == 'main'" in plan["if"], "the file is main's"
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            assert not re.search(r"\$\{\{\s*github\.event\.(?!pull_request\.number)", str(step.get("run", "")))
    pipeline = yaml.safe_load(GITLAB.read_text())
    assert "enforce" not in str(pipeline["plan"]["script"])
    for name in ("plan", "enforce", "audit"):
        assert "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH" in pipeline[name]["rules"][0]["if"], "the file is main's"
        assert pipeline[name]["environment"]
    assert "SSH_KEY" not in str(pipeline["check"]) + str(pipeline["default"])
    assert {name for name, job in pipeline.items() if "merge_request_event" in str(job)} == {"check"}
    assert "SSH_KEY" in str(pipeline[".fleet"])
    jenkins = JENKINS.read_text()
    assert "changeRequest()" not in jenkins and "BRANCH_NAME" not in jenkins, "no multibranch pipeline"
    assert re.search(r"stage\('Plan'\) \{\s+when \{\s+beforeInput true[^}]*\}\s+\}\s+input \{", jenkins)
    assert pipeline["enforce"]["resource_group"]


def test_the_jenkinsfile_has_the_structure_of_a_declarative_pipeline() -> None:
    """Its braces match and its sections are those that Jenkins knows; without Jenkins nothing more can be said."""
    text = re.sub(r"'(?:[^'\\]|\\.)*'", "''", re.sub(r"^//.*$", "", JENKINS.read_text(), flags=re.MULTILINE))
    sections: list[list[str]] = [[]]
    word = ""
    for piece in re.findall(r"[{}]|[^{}]+", text):
        if piece == "{":
            sections[-1].append(word)
            sections.append([])
        elif piece == "}":
            assert len(sections) > 1
            sections.pop()
        word = re.sub(r"\(.*\)\s*$", "", piece.strip().split("\n")[-1].strip()).strip() if piece not in "{}" else ""
    assert sections == [["pipeline"]], "every brace is closed"
    names = set(re.findall(r"^ {4}(\w+) \{", text, re.MULTILINE))
    assert names == {"agent", "parameters", "options", "triggers", "environment", "stages", "post"}


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_scripts_are_shell(shell: str) -> None:
    for path in (EXAMPLES / "telemetry.sh", CHECKOUT / "scripts/check-policy", CHECKOUT / "scripts/audit"):
        done = run(shell, "-n", str(path))
        assert done.returncode == 0, done.stderr
    assert run(shell, str(EXAMPLES / "telemetry.sh"), "destroy").returncode == 64


def test_the_documentation_has_the_lines_that_give_exit_codes() -> None:
    """For those who have the collection alone; what they do the integration tests try by scripts/audit."""
    script = (CHECKOUT / "scripts/audit").read_text()
    (shown,) = re.findall(
        r"^```sh\n(set -u\n.*?)^```$", (CHECKOUT / "docs/evidence.md").read_text(), re.MULTILINE | re.DOTALL
    )
    assert shown == re.sub(r"\A(#.*\n)+", "", script)


POLICIES = [
    ("all: {hosts: {cm1: {telemetry_desired: disabled}}}", None),
    ("all: {hosts: {cm1: {telemetry_desired: perhaps}}}", "telemetry_desired is 'perhaps'"),
    ("all: {hosts: {cm1: {telemetry_desired: disabled, telemetry_desred: x}}}", "did you mean telemetry_desired"),
    (
        "all: {hosts: {cm1: {telemetry_desired: disabled, telemetry_waiver: {until: '2026-02-30', reason: a, "
        "approved_by: b}}}}",
        "must be a day",
    ),
    ("all: {hosts: {}}", "no hosts"),
    ("all: {hosts: {cm1: {telemetry_desired: disabled, telemetry_backup: perhaps}}}", "it must be true or false"),
    ("all: {hosts: {cm1: {telemetry_desired: \"{{ lookup('pipe', 'touch was-run') }}\"}}}", "is a template"),
    ("all: {hosts: {cm1: {telemetry_desired: disabled, ansible_python_interpreter: ./evil}}}", "may not be './evil'"),
]
#: Where a branch may have put programs beside its policy, in the hope that somebody's Ansible runs them.
PLANTED = (
    "plugins/evil.py",
    "vars_plugins/evil.py",
    "inventory_plugins/evil.py",
    "callback_plugins/evil.py",
    "action_plugins/telemetry_assess.py",
    "library/evil.py",
    "filter_plugins/evil.py",
    "yaml.py",
    "ansible.py",
    "collections/ansible_collections/cbops/telemetry/plugins/action/telemetry_assess.py",
    "sitecustomize.py",
    "inventory/vars_plugins/evil.py",
)
CONFIGURATION = """[defaults]
callback_plugins = plugins
callbacks_enabled = evil
vars_plugins = plugins
inventory_plugins = plugins
filter_plugins = plugins
[inventory]
enable_plugins = script, evil, yaml
"""


@pytest.fixture(scope="module")
def hook(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, str]]:
    """The example's configuration, naming a repository that is as this checkout is now, and an environment.

    New files are in it once they are added. pre-commit clones it once for all its users, as on any machine.
    """
    folder = tmp_path_factory.mktemp("hook")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "PRE_COMMIT_HOME": str(folder / "cache"),
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_AUTHOR_NAME": "x",
        "GIT_AUTHOR_EMAIL": "x@example.com",
        "GIT_COMMITTER_NAME": "x",
        "GIT_COMMITTER_EMAIL": "x@example.com",
    }

    def git(*words: str, place: Path = folder / "repository") -> str:
        done = run("git", "-C", str(place), *words, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    (folder / "repository").mkdir()
    for name in git("ls-files", "-z", place=CHECKOUT).split("\0"):
        there, copy = CHECKOUT / name, folder / "repository" / name
        if there.is_symlink() or there.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(there, copy, follow_symlinks=False)
    git("init", "-q")
    git("add", "--force", ".")
    git("commit", "-q", "-m", "as it is now")
    example = yaml.safe_load((EXAMPLES / "pre-commit/.pre-commit-config.yaml").read_text())
    assert example["repos"][0]["hooks"][0]["id"] == "telemetry-policy"
    example["repos"][0].update(repo=str(folder / "repository"), rev=git("rev-parse", "HEAD").strip())
    return yaml.safe_dump(example), environment


@pytest.mark.parametrize(("policy", "problem"), POLICIES)
def test_the_pre_commit_hook(
    tmp_path: Path, policy: str, problem: str | None, hook: tuple[str, dict[str, str]]
) -> None:
    """With pre-commit itself, in a repository of a policy, by the example's configuration."""
    configuration, environment = hook
    repository = tmp_path / "policy"
    (repository / "inventory").mkdir(parents=True)
    (repository / "inventory/hosts.yml").write_text(policy)
    (repository / ".pre-commit-config.yaml").write_text(configuration)
    run("git", "-C", str(repository), "init", "-q", env=environment)
    run("git", "-C", str(repository), "add", ".", env=environment)
    done = run(str(BIN / "pre-commit"), "run", "--all-files", "--verbose", cwd=repository, env=environment)
    assert done.returncode == (1 if problem else 0), done.stdout + done.stderr
    assert "telemetry policy" in done.stdout
    if problem:
        assert problem in " ".join(done.stdout.split()), done.stdout


@pytest.mark.parametrize("how", ["check-policy", "telemetry.sh"])
def test_a_check_runs_nothing_of_the_branch(tmp_path: Path, how: str) -> None:
    """Whatever lies in the folder that it is started in; telemetry.sh is started beside it, with main's."""
    program = f"#!/usr/bin/env python3\nopen({str(tmp_path / 'was-run')!r}, 'w').close()\n"
    branch = tmp_path / "main/proposed"
    for name, text in {
        **dict.fromkeys(PLANTED, program),
        "ansible.cfg": CONFIGURATION,
        "inventory/hosts.yml": POLICIES[0][0],
    }.items():
        path = branch / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755 if text is program else 0o644)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
        "PATH": f"{BIN}:{os.environ['PATH']}",
    }
    if how == "check-policy":
        command, folder = [str(CHECKOUT / "scripts/check-policy")], branch
    else:
        command, folder = ["sh", str(EXAMPLES / "telemetry.sh"), "check"], branch.parent
        environment.update(
            TELEMETRY_INVENTORY="proposed/inventory", ANSIBLE_COLLECTIONS_PATH=str(CHECKOUT / ".build/collections")
        )
    done = run(*command, cwd=folder, env=environment)
    assert done.returncode != 0 and "is made of YAML and INI" in " ".join((done.stdout + done.stderr).split())
    shutil.rmtree(branch / "inventory/vars_plugins")
    done = run(*command, cwd=folder, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    for value in ("{{ lookup('pipe', '%s') }}", "{{ cycler.__init__.__globals__.os.system('%s') }}"):
        (branch / "inventory/hosts.yml").write_text(
            json.dumps(
                {
                    "all": {
                        "hosts": {
                            "cm1": {
                                "telemetry_desired": "disabled",
                                "telemetry_waiver": {"reason": value % f"touch {tmp_path}/was-run"},
                            }
                        }
                    }
                }
            )
        )
        for word in command[-1:] if how == "check-policy" else ("check", "plan"):
            done = run(*command[:-1], word, cwd=folder, env=environment)
            assert done.returncode != 0 and "is a template" in " ".join((done.stdout + done.stderr).split())
    assert not (tmp_path / "was-run").exists()

"""The pipelines in examples/: valid by their services' schemas, and made of the steps that are tested on the fleet."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

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
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            assert re.search(r"@v\d+$", step.get("uses", "x@v1")), "pinned"
            assert not re.search(r"\$\{\{\s*github\.event\.(?!pull_request\.number)", str(step.get("run", "")))
    pipeline = yaml.safe_load(GITLAB.read_text())
    assert "enforce" not in str(pipeline["plan"]["script"])
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
    assert names == {"agent", "options", "triggers", "stages", "post"}


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_scripts_are_shell(shell: str) -> None:
    for path in (EXAMPLES / "telemetry.sh", CHECKOUT / "scripts/check-policy", CHECKOUT / "scripts/audit"):
        done = run(shell, "-n", str(path))
        assert done.returncode == 0, done.stderr
    assert run(shell, str(EXAMPLES / "telemetry.sh"), "destroy").returncode == 64


POLICIES = [
    ("all: {hosts: {cm1: {telemetry_desired: disabled}}}", None),
    ("all: {hosts: {cm1: {telemetry_desired: perhaps}}}", "telemetry_desired is 'perhaps'"),
    ("all: {hosts: {cm1: {telemetry_desired: disabled, telemetry_desred: x}}}", "did you mean telemetry_desired"),
    ("all: {hosts: {cm1: {telemetry_desired: disabled, telemetry_waiver: {until: '2026-02-30', reason: a, "
     "approved_by: b}}}}", "must be a day"),
    ("all: {hosts: {}}", "no hosts"),
]


@pytest.mark.parametrize(("policy", "problem"), POLICIES)
def test_the_pre_commit_hook(tmp_path: Path, policy: str, problem: str | None) -> None:
    """With pre-commit itself, as a repository of a policy would run it; with new files only once they are added."""
    environment = {**{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
                   "PATH": f"{BIN}:{os.environ['PATH']}", "PRE_COMMIT_HOME": str(tmp_path / "cache"),
                   "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_AUTHOR_NAME": "x", "GIT_AUTHOR_EMAIL": "x@example.com",
                   "GIT_COMMITTER_NAME": "x", "GIT_COMMITTER_EMAIL": "x@example.com"}
    repository = tmp_path / "policy"
    (repository / "inventory").mkdir(parents=True)
    (repository / "inventory/hosts.yml").write_text(policy)
    example = yaml.safe_load((EXAMPLES / "pre-commit/.pre-commit-config.yaml").read_text())
    assert example["repos"][0]["hooks"][0]["id"] == "telemetry-policy"
    run("git", "-C", str(repository), "init", "-q", env=environment)
    run("git", "-C", str(repository), "add", ".", env=environment)
    done = run(str(BIN / "pre-commit"), "try-repo", str(CHECKOUT), "telemetry-policy", "--all-files", "--verbose",
               cwd=repository, env=environment)
    assert done.returncode == (1 if problem else 0), done.stdout + done.stderr
    if problem:
        assert problem in " ".join(done.stdout.split()), done.stdout

"""The artifact: what is packed, whoever packs it, and what Ansible Galaxy's importer demands of it."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

CHECKOUT = Path(__file__).parent.parent.parent
GALAXY = Path(sys.executable).with_name("ansible-galaxy")
ABOUT = yaml.safe_load((CHECKOUT / "galaxy.yml").read_text())
#: Folders of which everything that is committed is for users.
FOR_USERS = ("docs", "examples", "inventory.example", "meta", "playbooks", "plugins", "roles", "tests/testinfra")
READMES = sorted(path.relative_to(CHECKOUT) for path in [CHECKOUT / "README.md", *CHECKOUT.glob("roles/*/README.md")])
PAGES = sorted(
    path.relative_to(CHECKOUT)
    for path in [
        *CHECKOUT.glob("docs/*.md"),
        *CHECKOUT.glob("docs/decisions/*.md"),
        CHECKOUT / "tests/testinfra/README.md",
    ]
)
#: What lies about in a checkout that somebody works with, in any folder of it.
LITTER = (
    ".env",
    ".vault_pass",
    "vault_pass.txt",
    "id_ed25519",
    "signing.key",
    "host.pem",
    "hosts",
    "hosts.ini",
    "allowed_signers",
    "audit.retry",
    "notes.orig",
    ".audit.yml.swp",
    "dump.json",
    "ansible.cfg",
    "host_vars/cm1.yml",
    "group_vars/all/vault.yml",
    "inventory/hosts.yml",
    ".venv/bin/activate",
    "venv/pyvenv.cfg",
    "__pycache__/x.cpython-311.pyc",
    "reports/evidence/cm1.json",
    ".ansible/tmp/x",
    ".build/x.tar.gz",
)


def built(tree: Path, folder: Path) -> Path:
    """The artifact of a tree, made as its users do."""
    done = subprocess.run(
        [GALAXY, "collection", "build", "--output-path", folder, tree],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.tar.gz"))


def packed(artifact: Path) -> dict[str, str | None]:
    """The files of an artifact (folders, too) with their checksums."""
    with tarfile.open(artifact) as archive:
        files = json.load(archive.extractfile("FILES.json"))["files"]  # type: ignore[arg-type]
        assert {member.name.rstrip("/") for member in archive if member.isfile()} == {
            "MANIFEST.json",
            "FILES.json",
            *(entry["name"] for entry in files if entry["ftype"] == "file"),
        }
    return {entry["name"]: entry["chksum_sha256"] for entry in files}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is committed, with all that a checkout collects beside it."""
    tree = tmp_path_factory.mktemp("checkout")
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=CHECKOUT, capture_output=True, check=True).stdout
    subprocess.run(["tar", "-xf", "-", "-C", tree], input=archive, check=True)
    for folder in [tree, *(path for path in sorted(tree.rglob("*")) if path.is_dir())]:
        for name in LITTER:
            path = folder / name
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("secret")
    (tree / "docs/linked.md").symlink_to("/etc/passwd")
    return tree


@pytest.fixture(scope="module")
def artifact(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `ansible-galaxy collection build` packs in such a checkout."""
    return built(tree, tmp_path_factory.mktemp("by-hand"))


def test_both_ways_pack_the_same(artifact: Path, tmp_path: Path) -> None:
    """`make build` takes what is committed; a build in a checkout with litter takes no more."""
    subprocess.run(["sh", CHECKOUT / "scripts/build", tmp_path], check=True, capture_output=True, timeout=300)
    assert packed(artifact) == packed(next(tmp_path.glob("*.tar.gz")))


def test_nothing_that_lies_about_goes_in(artifact: Path) -> None:
    with tarfile.open(artifact) as archive:
        for member in archive:
            assert member.isfile() or member.isdir(), f"{member.name} is a link"
            if member.isfile():
                assert archive.extractfile(member).read() != b"secret", member.name  # type: ignore[union-attr]
    assert not [name for name in packed(artifact) if re.search(r"\.(retry|pyc|key|pem)$|(^|/)\.?venv(/|$)", name)]


def test_all_that_is_for_users_goes_in(artifact: Path) -> None:
    """A new kind of file has to be named in galaxy.yml."""
    listed = subprocess.run(
        ["git", "ls-tree", "-r", "--name-only", "HEAD", *FOR_USERS],
        cwd=CHECKOUT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\n")
    of_the_site = {name for name in listed if name.startswith("docs/docsite/")}  # how `make docs` makes it
    assert sorted(set(filter(None, listed)) - of_the_site - packed(artifact).keys()) == []
    assert of_the_site and not of_the_site & packed(artifact).keys()
    assert {"CHANGELOG.rst", "LICENSE", "README.md"} <= packed(artifact).keys()
    outside = {name.split("/")[0] for name in packed(artifact)} - {name.split("/")[0] for name in FOR_USERS}
    assert outside <= {".", "CHANGELOG.rst", "LICENSE", "README.md", "tests"}


def test_the_fields_that_galaxy_demands() -> None:
    """By the rules of galaxy-importer: a field that it refuses would be found at the upload only."""
    for field in ("namespace", "name"):
        assert re.fullmatch(r"(?!.*__)[a-z][0-9a-z_]{1,38}", ABOUT[field])
    assert re.fullmatch(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?", ABOUT["version"])
    assert 1 <= len(ABOUT["tags"]) <= 20
    assert all(re.fullmatch(r"[a-z0-9]{1,64}", tag) for tag in ABOUT["tags"])
    assert set(ABOUT["tags"]) & {
        "application",
        "cloud",
        "database",
        "infrastructure",
        "linux",
        "monitoring",
        "networking",
        "security",
        "storage",
        "tools",
        "windows",
    }, "one that Galaxy sorts by"
    assert ABOUT["license"] == ["GPL-3.0-or-later"]
    assert ABOUT["authors"] and all(0 < len(author) <= 64 for author in ABOUT["authors"])
    for field in ("repository", "documentation", "homepage", "issues"):
        assert ABOUT[field].startswith("https://") and len(ABOUT[field]) <= 2000
    assert ABOUT["description"] and ABOUT["readme"] == "README.md"
    requires = yaml.safe_load((CHECKOUT / "meta/runtime.yml").read_text())["requires_ansible"]
    assert str(SpecifierSet(requires)) and len(requires) <= 255


def test_the_version_has_release_notes(artifact: Path) -> None:
    assert f"\nv{ABOUT['version']}\n=" in (CHECKOUT / "CHANGELOG.rst").read_text()
    assert f"cbops-telemetry-{ABOUT['version']}.tar.gz" == artifact.name


def test_each_role_has_a_readme_and_pages_have_a_size_that_galaxy_takes(artifact: Path) -> None:
    names = packed(artifact)
    roles = {name.split("/")[1] for name in names if name.startswith("roles/") and name.count("/") > 1}
    assert roles and all(f"roles/{role}/README.md" in names for role in roles)
    for path in (*READMES, *PAGES):
        assert (CHECKOUT / path).stat().st_size <= 512 * 1024
    assert artifact.stat().st_size < 20_000_000


def test_an_execution_environment_has_what_is_imported_where_ansible_runs(artifact: Path) -> None:
    asked = yaml.safe_load((CHECKOUT / "meta/execution-environment.yml").read_text())["dependencies"]
    assert set(asked.values()) <= packed(artifact).keys()
    packages = {
        re.split("[<>=]", line)[0]
        for line in (CHECKOUT / asked["python"]).read_text().split("\n")
        if line and not line.startswith("#")
    }
    imported = set()
    for folder in ("action", "callback", "filter", "plugin_utils"):
        for path in (CHECKOUT / "plugins" / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    imported |= {name.name.split(".")[0] for name in node.names}
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    imported.add(str(node.module).split(".")[0])
    of_core = {"ansible", "ansible_collections", "jinja2", "yaml"}
    assert imported - sys.stdlib_module_names - of_core <= packages
    assert "zoneinfo" not in imported or "tzdata" in packages
    example = (CHECKOUT / "examples/execution-environment.yml").read_text()
    assert set(re.findall(r"cbops-telemetry-[0-9a-z.]+\.tar\.gz", example)) == {artifact.name}


def anchors(page: str) -> set[str]:
    """The names of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ +(.+?) *$", re.sub(r"^```.*?^```", "", page, flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(path: Path) -> list[str]:
    """Where a page's links lead: [text](link), and [text][name] with a line of its own, [name]: link."""
    text = re.sub(r"^```.*?^```|`[^`\n]*`", "", (CHECKOUT / path).read_text(), flags=re.M | re.S)
    defined = dict(re.findall(r"^\[([^\]]+)\]: (\S+)$", text, re.M))
    return re.findall(r"\]\(([^)\s]+)\)", text) + [defined[name] for name in re.findall(r"\]\[([^\]]+)\]", text)]


def missing(path: Path, anchor: str) -> str | None:
    """Why a link to a path of the checkout leads nowhere."""
    if not (CHECKOUT / path).exists():
        return f"there is no {path}"
    if anchor and anchor not in anchors((CHECKOUT / path).read_text()):
        return f"{path} has no #{anchor}"
    return None


@pytest.mark.parametrize("path", READMES, ids=str)
def test_links_of_a_readme_work_on_galaxy(path: Path) -> None:
    """Galaxy shows a readme at an address of its own, so a relative link leads nowhere there."""
    ours = f"{ABOUT['repository']}/"
    for link in links(path):
        assert link.startswith("https://"), f"{link} is not absolute"
        if link.startswith(ours):
            found = re.fullmatch(r"(?:blob|tree)/main/([^#]+)(?:#(.*))?", link.removeprefix(ours))
            assert found, link
            assert missing(Path(found[1]), found[2] or "") is None


@pytest.mark.parametrize("path", PAGES, ids=str)
def test_links_of_a_page_lead_to_what_is_packed(path: Path, artifact: Path) -> None:
    names = packed(artifact)
    for link in links(path):
        if link.startswith("https://"):
            continue
        target, _, anchor = link.partition("#")
        file = Path(target and (path.parent / target)) if target else path
        assert missing(file, anchor) is None
        assert str(file) in names or str((CHECKOUT / file).resolve().relative_to(CHECKOUT)) in names, link

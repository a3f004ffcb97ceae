"""The documentation site: links that lead nowhere are found, and its pages hold together."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

CHECKOUT = Path(__file__).parent.parent.parent
REPOSITORY = "https://github.com/cbops/telemetry"


def read(page: str) -> str:
    return (CHECKOUT / page).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def pages() -> ModuleType:
    """scripts/docs_pages.py, which is a program and no package."""
    found = importlib.util.spec_from_file_location("docs_pages", CHECKOUT / "scripts/docs_pages.py")
    assert found and found.loader
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("source", "link", "there"),
    [
        ("docs/howto.md", "evidence.md#waivers", "evidence.md#waivers"),
        ("docs/howto.md", "#undo-a-run", "#undo-a-run"),
        ("docs/docsite/index.md", "../howto.md", "howto.md"),
        ("docs/tutorial.md", "../tests/testinfra/README.md", "testinfra.md"),
        ("docs/howto.md", "schema/plan-1.json", "schema/plan-1.json"),
        ("docs/howto.md", "ansible.cfg", f"{REPOSITORY}/blob/main/docs/ansible.cfg"),
        ("docs/awx.md", "../examples/aap", f"{REPOSITORY}/tree/main/examples/aap"),
        ("roles/telemetry/README.md", f"{REPOSITORY}/blob/main/docs/howto.md#undo-a-run", "howto.md#undo-a-run"),
        ("docs/howto.md", "https://docs.ansible.com/", "https://docs.ansible.com/"),
    ],
)
def test_a_link_of_the_checkout_becomes_one_of_the_site(pages: ModuleType, source: str, link: str, there: str) -> None:
    places = {**pages.pages(), **pages.carried()}
    assert (
        pages.staged(source, f"see [it]({link}), `[code]({link})`\n\n[name]: {link}\n", places)
        == f"see [it]({there}), `[code]({link})`\n\n[name]: {there}\n"
    )


def test_a_link_to_no_file_ends_the_build(pages: ModuleType) -> None:
    with pytest.raises(ValueError, match=r"docs/howto.md: there is no nothing\.md"):
        pages.staged("docs/howto.md", "[it](nothing.md)", pages.pages())


def test_every_link_of_what_was_built_is_followed(pages: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "there.html").write_text('<h1 id="top">T</h1>')
    good = (
        '<a href="there.html#top">',
        '<a href="#here">',
        '<a href="https://docs.ansible.com/x">',
        '<img src="there.html">',
    )
    bad = {
        "gone.html": "no file",
        "there.html#gone": "no such anchor",
        "#gone": "no such anchor",
        "https://no host/": "names no host",
        "ftp://a.example/": "neither https nor http",
    }
    (tmp_path / "a.html").write_text('<p id="here">' + "".join(good) + "".join(f'<a href="{link}">' for link in bad))
    wrong = pages.check(tmp_path)
    assert len(wrong) == len(bad)
    assert all(
        line.startswith(f"a.html: {link}: ") and words in line
        for line, (link, words) in zip(wrong, bad.items(), strict=True)
    )
    assert pages.check(tmp_path / "nothing")


def test_readme_and_tutorial_name_what_make_has() -> None:
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.M))
    for page in ("README.md", "docs/tutorial.md", "docs/howto.md"):
        assert set(re.findall(r"(?:^|`)make ([a-z-]+)", read(page), re.M)) <= targets, page


def test_readme_begins_with_commands_of_an_installed_collection() -> None:
    commands = re.findall(
        r"^(make|ansible-galaxy collection install|ansible-playbook cbops\.telemetry\.\w+)\b", read("README.md"), re.M
    )
    assert commands[:2] == ["ansible-galaxy collection install", "ansible-playbook cbops.telemetry.audit"]
    assert commands.index("make") > len([name for name in commands if name.startswith("ansible-playbook")])
    named = {name.rpartition(".")[2] for name in commands if name.startswith("ansible-playbook")}
    assert named <= {path.stem for path in (CHECKOUT / "playbooks").glob("*.yml")}


def test_the_page_of_unknowns_has_each_reason_of_the_manual() -> None:
    sections = re.split(r"^## ", read("docs/messages.md"), flags=re.M)
    reasons = [
        name
        for section in sections
        if section.startswith("Reasons of unknown: ")
        for name in re.findall(r"^### (.+)$", section, re.M)
    ]
    assert len(reasons) > 40
    linked = re.findall(r"\(messages\.md#([\w-]+)\)", read("docs/unknown.md"))
    assert sorted(set(reasons) - set(linked)) == []

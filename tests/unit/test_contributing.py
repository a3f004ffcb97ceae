"""CONTRIBUTING, SECURITY, the records of decisions and the changelog name what there is, and lead there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

CHECKOUT = Path(__file__).parent.parent.parent
RECORDS = sorted((CHECKOUT / "docs/decisions").glob("*.md"))
PAGES = [CHECKOUT / "CONTRIBUTING.md", CHECKOUT / "SECURITY.md", CHECKOUT / "docs/mutation.md", *RECORDS]
TARGETS = set(re.findall(r"^([a-z-]+):", (CHECKOUT / "Makefile").read_text(), re.M))
#: Targets that work for a fleet or an installation, and test nothing.
NO_SESSIONS = set(
    "help setup demo doctor audit audit-as-of verify-evidence plan enforce undo probe prove report verify tools build "
    "probe-compare bench-table bench-profile bench-scale bench-report down clean-fleet clean".split()
)


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def anchors(page: str) -> set[str]:
    """The names of a page's headings, as a forge makes them."""
    headings = re.findall(r"^#+ +(.+?) *$", re.sub(r"^```.*?^```", "", page, flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_each_command_of_contributing_can_be_made_and_each_session_is_named() -> None:
    named = set(re.findall(r"`make ([a-z-]+)", read(CHECKOUT / "CONTRIBUTING.md")))
    assert sorted(named - TARGETS) == []
    assert sorted(TARGETS - NO_SESSIONS - named) == []


def test_make_help_lists_each_session() -> None:
    """`make tools` is what others need first."""
    explained = set(re.findall(r"^([a-z-]+):.*## \S", read(CHECKOUT / "Makefile"), re.M))
    assert sorted(TARGETS - explained - {"tools"}) == []


def test_paths_of_contributing_are_there() -> None:
    text = re.sub(r"^```.*?^```", "", read(CHECKOUT / "CONTRIBUTING.md"), flags=re.M | re.S)
    paths = re.findall(r"`((?:tests|plugins|docs|changelogs|inventory\.example|scripts)(?:/[\w./-]+)?)`", text)
    assert len(paths) > 20
    assert [path for path in paths if not (CHECKOUT / path).exists()] == []


def test_each_room_of_tests_is_in_the_map() -> None:
    rooms = {path.parent.name for path in (CHECKOUT / "tests").glob("*/*.py")} - {"fleet"}
    named = set(re.findall(r"^\| `tests/(\w+)", read(CHECKOUT / "CONTRIBUTING.md"), re.M))
    assert sorted(rooms - named) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```|`[^`\n]*`", "", read(page), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(read(file)), target


def test_records_have_numbers_without_a_gap_and_three_parts_and_are_listed() -> None:
    overview = read(CHECKOUT / "docs/architecture.md")
    site = read(CHECKOUT / "docs/docsite/index.md")
    assert [path.name[:5] for path in RECORDS] == [f"{number:04d}-" for number in range(1, len(RECORDS) + 1)]
    for number, path in enumerate(RECORDS, 1):
        text = read(path)
        assert text.startswith(f"# {number}. ")
        assert re.findall(r"^## (.+)$", text, re.M) == ["Context", "Decision", "Consequence"]
        assert all(part.strip() for part in re.split(r"^## .+$", text, flags=re.M)), path.name
        assert f"[{text.split(chr(10))[0].split('. ', 1)[1]}](decisions/{path.name})" in overview
        assert re.search(rf"^{path.stem}$", site, re.M)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_no_quotes_of_a_word_processor(page: Path) -> None:
    assert not re.search("[\u2018\u2019\u201c\u201d\u201e]", read(page))


# -- the changelog ------------------------------------------------------------------------------------


def changes() -> Any:
    """The releases of the changelog, each with its changes."""
    return yaml.safe_load(read(CHECKOUT / "changelogs/changelog.yaml"))["releases"]


def test_every_module_plugin_and_role_is_in_the_changelog_or_newer_than_it() -> None:
    listed: set[str] = set()
    for release in changes().values():
        for kind in ("modules", "plugins", "objects"):
            entries = release.get(kind) or []
            groups = entries.values() if isinstance(entries, dict) else [entries]
            listed |= {entry["name"] for group in groups for entry in group}
    there = {
        path.stem
        for folder in ("modules", "filter", "callback")
        for path in (CHECKOUT / "plugins" / folder).glob("[a-z]*.py")
        if _version_added(path) in changes()
    }
    there |= {path.name for path in (CHECKOUT / "roles").iterdir() if path.is_dir()}
    assert {"fleet_sweep", "with_flag", "telemetry_undo"} <= there
    assert sorted(there ^ listed) == []


def _version_added(path: Path) -> str | None:
    found = re.search(r"^ *version_added: ['\"]?([\d.]+)", read(path), re.M)
    return found[1] if found else None


def test_the_changelog_is_made_of_its_entries() -> None:
    """`make lint` makes it anew and compares; here is what somebody who edits it by hand would break first."""
    made = " ".join(read(CHECKOUT / "CHANGELOG.rst").split())
    for version, release in changes().items():
        assert f" v{version} ==" in made
        for section, entries in release["changes"].items():
            for entry in [entries] if section == "release_summary" else entries:
                assert " ".join(entry.split()) in made, entry


def test_fragments_have_sections_that_there_are() -> None:
    config = yaml.safe_load(read(CHECKOUT / "changelogs/config.yaml"))
    sections = {name for name, _title in config["sections"]} | {"release_summary", "trivial"}
    for path in (CHECKOUT / "changelogs/fragments").glob("*.y*ml"):
        fragment = yaml.safe_load(read(path))
        assert set(fragment) <= sections, path.name
        assert all(isinstance(line, str) for lines in fragment.values() for line in lines), path.name

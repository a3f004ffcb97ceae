"""The pages of the documentation site: where each lies in the checkout, and where in the site; and whether links hold.

`python scripts/docs_pages.py stage FOLDER` lays the pages out as Sphinx reads them; `... check FOLDER` follows every
link of the HTML that it made. External links are checked for their form only: nothing here asks the network.
"""

from __future__ import annotations

import re
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

CHECKOUT = Path(__file__).resolve().parent.parent
#: Pages beside docs/*.md, docs/decisions/*.md and docs/docsite/*.md, and their place in the site.
BESIDE = {
    "CHANGELOG.rst": "changelog.rst",
    "roles/gitops_pull/README.md": "role_gitops_pull.md",
    "roles/telemetry/README.md": "role_telemetry.md",
    "tests/testinfra/README.md": "testinfra.md",
}
#: Files that pages show or offer, by their path below docs/.
CARRIED = ("*.png", "schema/*.json")


def repository() -> str:
    """The address at which the repository's files are read, by galaxy.yml."""
    found = re.search(r"^repository: (\S+)$", (CHECKOUT / "galaxy.yml").read_text(), re.M)
    assert found, "galaxy.yml names no repository"
    return found[1]


def pages() -> dict[str, str]:
    """Each page's path in the checkout, and its place in the site."""
    found = {
        str(path.relative_to(CHECKOUT)): path.name
        for folder in ("docs", "docs/decisions", "docs/docsite")
        for path in sorted((CHECKOUT / folder).glob("*.md"))
    }
    return {**found, **BESIDE}


def carried() -> dict[str, str]:
    """As :func:`pages`, of files that are no pages."""
    found = [path for kind in CARRIED for path in sorted((CHECKOUT / "docs").glob(kind))]
    return {str(path.relative_to(CHECKOUT)): str(path.relative_to(CHECKOUT / "docs")) for path in found}


def _outside_code(text: str) -> list[tuple[bool, str]]:
    """The text in pieces, each with whether it is code."""
    pieces = re.split(r"(^```.*?^```|`[^`\n]*`)", text, flags=re.M | re.S)
    return [(number % 2 == 1, piece) for number, piece in enumerate(pieces)]


def staged(source: str, text: str, places: dict[str, str]) -> str:
    """A page's text with its links as they lead in the site. Raises :class:`ValueError` for one that leads nowhere."""
    ours = f"{repository()}/"

    def link(target: str) -> str:
        path, _, anchor = target.partition("#")
        suffix = f"#{anchor}" if anchor else ""
        if target.startswith(ours):
            named = re.fullmatch(r"(?:blob|tree)/main/(.+)", path.removeprefix(ours))
            if named is None or named[1].rstrip("/") not in places:
                return target
            file = named[1].rstrip("/")
        elif not path or ":" in path:
            return target
        else:
            file = str((CHECKOUT / source).parent.joinpath(path).resolve().relative_to(CHECKOUT))
        if file in places:
            return places[file] + suffix
        if not (CHECKOUT / file).exists():
            raise ValueError(f"{source}: there is no {target}")
        kind = "tree" if (CHECKOUT / file).is_dir() else "blob"
        return f"{ours}{kind}/main/{file}{suffix}"

    made = []
    for code, piece in _outside_code(text):
        if not code:
            piece = re.sub(r"(\]\()([^)\s]+)(\))", lambda found: found[1] + link(found[2]) + found[3], piece)
            piece = re.sub(r"^(\[[^\]]+\]: )(\S+)$", lambda found: found[1] + link(found[2]), piece, flags=re.M)
        made.append(piece)
    return "".join(made)


def stage(folder: Path) -> None:
    """Lay out all pages and files in a folder."""
    places = {**pages(), **carried()}
    for source, place in places.items():
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.endswith(".md"):
            target.write_text(staged(source, (CHECKOUT / source).read_text(encoding="utf-8"), places), encoding="utf-8")
        else:
            shutil.copyfile(CHECKOUT / source, target)


class _Page(HTMLParser):
    """The anchors that a page has, and where it leads."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            elif name in ("href", "src") and value is not None:
                self.links.append(value)


def problem_of(link: str) -> str | None:
    """Why an external link is none, by its form."""
    try:
        parts = urlsplit(link)
    except ValueError as error:
        return str(error)
    if parts.scheme == "mailto":
        return None
    if parts.scheme not in ("https", "http"):
        return "it is neither https nor http"
    if not re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+(:\d+)?", parts.netloc):
        return "it names no host"
    return "it has a blank" if re.search(r"\s", link) else None


def check(folder: Path) -> list[str]:
    """What is wrong with the links of a site that was built."""
    read: dict[Path, _Page] = {}
    for path in sorted(folder.rglob("*.html")):
        read[path] = _Page()
        read[path].feed(path.read_text(encoding="utf-8"))
    wrong = []
    for path, page in read.items():
        for link in page.links:
            if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:|//", link):
                reason = problem_of(link)
            else:
                name, _, anchor = link.partition("#")
                target = (path.parent / unquote(name.split("?")[0])).resolve() if name else path
                if not target.is_file():
                    reason = "it leads to no file"
                elif anchor and target in read and unquote(anchor) not in read[target].anchors:
                    reason = "that page has no such anchor"
                else:
                    reason = None
            if reason:
                wrong.append(f"{path.relative_to(folder)}: {link}: {reason}")
    return wrong if read else [f"{folder} has no pages"]


def main(what: str, folder: Path) -> int:
    """Run from the shell; the exit status."""
    if what == "stage":
        stage(folder)
        return 0
    wrong = check(folder.resolve())
    print("\n".join(wrong), file=sys.stderr, end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))

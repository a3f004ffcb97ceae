# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page behind *see details*, read without knowing its markup: tables, definitions, lists, headings with text.

Private to this collection. Runs on the control node. Pure, and bounded: what is not found is unknown, with the reason,
and nothing that a page says is more than text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import NamedTuple

from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._page import (
    CLOUDBEES,
    CORE,
    NotOnPage,
    checkbox_of,
    feed,
    without_comments,
)

LIMIT_EVENTS = 1500
LIMIT_NAME = 300
LIMIT_SUMMARY = 600
_NAMES = re.compile(r"\b(?:event|property|name)\b", re.IGNORECASE)
_SUMMARIES = re.compile(r"\b(?:description|summary|details?|when|purpose|meaning)\b", re.IGNORECASE)
_HELP = re.compile(
    r"/descriptor(?:ByName)?/([A-Za-z_$][A-Za-z0-9_.$]{0,199})/help/usageStatisticsCollected(?=[\"'/?#\s>])"
)
_HEADINGS = ("h2", "h3", "h4", "h5", "h6")
_HIDDEN = ("script", "style", "template", "noscript", "textarea", "head", "header", "footer", "nav")


class Served(NamedTuple):
    """An event as a page lists it."""

    name: str
    summary: str


class _Links(HTMLParser):
    """The first link of a help text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.first: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A link that leads somewhere."""
        if tag == "a" and self.first is None:
            self.first = next((value for name, value in attrs if name == "href" and value), None)


class _Page(HTMLParser):
    """What a page has of each form in which events may be listed."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[list[tuple[bool, list[str]]]] = []  # rows: whether of headings, and their cells
        self.defined: list[list[str]] = []
        self.items: list[list[str]] = []
        self.headed: list[list[str]] = []
        self._into: tuple[list[str], int] | None = None
        self._hidden: list[str] = []
        self._code: tuple[list[str], int] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A row, a cell, a term, an item or a heading begins."""
        if tag in _HIDDEN:
            self._hidden = [*self._hidden[-20:], tag]
        elif tag == "table":
            self.tables.append([])
        elif tag == "tr" and self.tables:
            self.tables[-1].append((True, []))
            self._into = None
        elif tag in ("td", "th") and self.tables and self.tables[-1]:
            heading, cells = self.tables[-1][-1]
            self.tables[-1][-1] = (heading and tag == "th", cells)
            self._begin(cells)
        elif tag in ("dt", "li", *_HEADINGS):
            rows = {"dt": self.defined, "li": self.items}.get(tag, self.headed)
            rows.append([])
            self._begin(rows[-1])
        elif tag == "dd" and self.defined or tag == "p" and self.headed and self._into is None:
            self._begin((self.defined if tag == "dd" else self.headed)[-1])
        elif tag in ("code", "b", "strong") and self.items and self._into and self._into[0] is self.items[-1]:
            self._code = self._into if not self._into[0][self._into[1]].strip() else None
        elif tag in ("br", "div", "p"):
            self._add(" ")

    def handle_endtag(self, tag: str) -> None:
        """What began ends."""
        if tag in self._hidden:
            self._hidden.reverse()
            self._hidden.remove(tag)
            self._hidden.reverse()
        elif tag in ("code", "b", "strong") and self._code is not None:
            self._code = None
            self._begin(self.items[-1])
        elif tag == "p" and self.items and self._into and self._into[0] is self.items[-1]:
            self._add(" ")  # an item goes on
        elif tag in ("td", "th", "dt", "dd", "li", "p", "table", "tr", *_HEADINGS):
            self._into = None

    def handle_data(self, data: str) -> None:
        """Text, where it belongs to something."""
        if not self._hidden:
            self._add(data)

    def _begin(self, cells: list[str]) -> None:
        cells.append("")
        self._into = cells, len(cells) - 1

    def _add(self, text: str) -> None:
        if self._into is not None:
            cells, at = self._into
            if len(cells[at]) < 4 * LIMIT_SUMMARY:
                cells[at] += text


def help_of(text: str) -> str:
    """The class whose help is CloudBees' checkbox's, on the page of the checkboxes. Raises :class:`NotOnPage`.

    That of the checkbox itself; where none is found that has a help button, the only one there may be of the name.
    """
    try:
        cls = checkbox_of(text).cls
    except NotOnPage:
        cls = ""
    if cls:
        return cls
    found: set[str] = {name for name in _HELP.findall(without_comments(text)) if name != CORE}
    if len(found) > 1:
        raise NotOnPage(f"the page with the checkboxes has {len(found)} help buttons that may be CloudBees' checkbox's")
    if not any(name.endswith(CLOUDBEES) for name in found):
        raise NotOnPage("the page with the checkboxes has no help button of it")
    return found.pop()


def first_link(text: str) -> str:
    """Where the first link of a help text leads. Raises :class:`NotOnPage`."""
    reader = _Links()
    feed(reader, text)
    if reader.first is None:
        raise NotOnPage("the help of CloudBees' checkbox has no link")
    return reader.first.strip()


def events_of(text: str) -> list[Served]:
    """The events that a page lists, sorted, each once. Raises :class:`NotOnPage`."""
    if re.search(r"type=['\"]?password", text, re.IGNORECASE):
        raise NotOnPage("the page behind the link looks like a login page")
    page = _Page()
    feed(page, text)
    forms = (
        [row for table in page.tables for row in _rows(table)],
        _pairs(page.defined),
        _pairs([item for item in page.items if len(item) > 1]),
        _pairs([head for head in page.headed if len(head) > 1]),
    )
    found = next((rows for rows in map(list, forms) if rows), [])
    if not found:
        raise NotOnPage("the page behind the link has no table, definitions or list of events: its markup is another")
    if len(set(found)) > LIMIT_EVENTS:
        raise NotOnPage(f"the page behind the link lists more than {LIMIT_EVENTS} events")
    return sorted(set(found))


def _rows(table: list[tuple[bool, list[str]]]) -> Iterator[Served]:
    """The rows of a table below its headings, by what these say; the first two columns where they say nothing."""
    heads = next((cells for heading, cells in table if heading), [])
    name = next((at for at, cell in enumerate(heads) if _NAMES.search(cell)), 0)
    summary = next((at for at, cell in enumerate(heads) if at != name and _SUMMARIES.search(cell)), name + 1)
    for heading, cells in table:
        if not heading and len(cells) > name and _plain(cells[name]):
            yield _served(cells[name], cells[summary] if len(cells) > summary else "")


def _pairs(rows: list[list[str]]) -> Iterator[Served]:
    return (_served(row[0], " ".join(row[1:])) for row in rows if _plain(row[0]))


def _plain(text: str) -> str:
    return " ".join(text.split())


def _served(name: str, summary: str) -> Served:
    return Served(_cut(_plain(name), LIMIT_NAME), _cut(_plain(summary).lstrip(":-–— "), LIMIT_SUMMARY))


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]} [{len(text) - limit} characters more]"

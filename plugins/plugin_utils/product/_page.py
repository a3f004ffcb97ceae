# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CloudBees' checkbox on the page Manage Jenkins, System: picked by its label and its class, never by its name alone.

Private to this collection. Runs on the control node. The form is read and never posted. Markup by jenkinsci/jenkins
(core/src/main/resources/lib/form); what is not found is unknown, with the reason.
"""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser
from typing import NamedTuple

FIELD = "usageStatisticsCollected"
#: How the class of CloudBees' descriptor ends, and core's class.
CLOUDBEES = "UsageStatisticsCloudBees"
CORE = "hudson.model.UsageStatistics"
_HELP = re.compile(rf"/descriptor(?:ByName)?/([A-Za-z_$][A-Za-z0-9_.$]{{0,199}})/help/{FIELD}(?:[/?#]|\Z)")
_CLASS = re.compile(r"[A-Za-z_$][A-Za-z0-9_.$]{0,199}\Z")
_COMMENT = re.compile(r"<!--(?:-?>|.*?(?:--!?>|\Z))", re.DOTALL)
#: A tag is no longer: html.parser takes time by the square of one that does not end.
_LONG_TAG = re.compile(r"<[A-Za-z/!?][^>]{8000}")
_CHUNK = 16 << 10
_SECONDS = 10.0
_LABEL = 500
_MOST = 50


class NotOnPage(Exception):
    """The page does not tell; the message says why, without any of its content."""


class Checkbox(NamedTuple):
    """CloudBees' checkbox, as a page shows it."""

    checked: bool
    #: The descriptor's class, as its help button names it; empty where it has none.
    cls: str


class _Found:
    """A checkbox of that name, with what stands beside it."""

    def __init__(self, section: str, element: str, checked: bool, negated: bool) -> None:
        self.section = section
        self.element = element
        self.checked = checked
        self.negated = negated
        self.preceded = False  # by a label of no element's: those of this page may stand before what they are of
        self.label = ""
        self.cls = ""

    @property
    def is_cloudbees(self) -> bool:
        """By its label, or by how its class ends, which nobody outside of CloudBees knows for sure."""
        kind = self.cls.rpartition(".")[2] or self.section.rpartition("-")[2]
        return kind.endswith(CLOUDBEES) or bool(re.search(r"\bCloudBees\b", self.label))

    @property
    def is_core(self) -> bool:
        """By its class, its section or its label."""
        return CORE in (self.cls, self.section.replace("-", ".")) or "Jenkins project" in self.label


class _Label:
    """A label, and whose it is: what it names, what is in it, or what stands before it."""

    def __init__(self, element: str | None, box: _Found | None, near: _Found | None) -> None:
        self.element = element
        self.box = box
        self.near = near
        self.text = ""


class _Reader(HTMLParser):
    """The checkboxes of the toggle's name, in their order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[_Found] = []
        self._sections: list[str] = []
        self._label: _Label | None = None
        self._early: list[_Label] = []  # labels of elements that did not come yet
        self._near: _Found | None = None
        self._preceding = False
        self._raw = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A section, a checkbox, a label or a help button begins."""
        found = {name: value or "" for name, value in reversed(attrs)}  # of several the first counts
        if tag in ("textarea", "template", "noscript"):
            self._raw += 1
        elif self._raw:
            return
        elif tag == "div":
            self._section(found)
        elif tag == "input":
            if found.get("type", "").lower() == "checkbox" and found.get("name", "").rpartition(".")[2] == FIELD:
                self._checkbox(found)
            self._preceding = False
        elif tag == "label":
            self._label_ends()
            named = [one for one in self.found if one.element and one.element == found.get("for")]
            near = self._near if self._near and not self._near.label and "for" not in found else None
            self._label = _Label(found.get("for"), named[-1] if named else None, near)
        else:
            self._help(found.get("helpurl") or found.get("data-help-url") or "")

    def _checkbox(self, found: dict[str, str]) -> None:
        section = self._sections[-1] if self._sections else ""
        negated = "negative" in found.get("class", "").split()
        box = _Found(section, found.get("id", ""), "checked" in found, negated)
        box.preceded = self._preceding
        box.label = next((one.text for one in reversed(self._early) if one.element and one.element == box.element), "")
        if self._label is not None and self._label.element is None and self._label.box is None:
            self._label.box, self._label.near = box, None
        self._near = box
        self.found = [*self.found[-_MOST:], box]

    def _label_ends(self) -> None:
        label, self._label = self._label, None
        if label is None:
            return
        box = label.box or label.near
        if box is not None and not (box is label.near and box.preceded):
            box.label = (box.label + label.text)[:_LABEL]
        elif label.element is None:
            self._preceding = True
        else:
            self._early = [*self._early[-_MOST:], label]

    def _section(self, found: dict[str, str]) -> None:
        """Of descriptors alone: rows of optional blocks begin and end with the same classes, and have no name."""
        classes = found.get("class", "").split()
        if "row-set-start" in classes and found.get("name"):
            self._sections = [*self._sections[-_MOST:], found["name"]]
            self._near = None  # what follows stands beside no checkbox of the section before
            self._preceding = False
        elif "row-set-end" in classes and self._sections:
            self._sections.pop()

    def _help(self, url: str) -> None:
        match = _HELP.search(url)
        if match and self._near and not self._near.cls:
            self._near.cls = match[1]

    def handle_endtag(self, tag: str) -> None:
        """A label ends, or what has no elements in it."""
        if tag in ("textarea", "template", "noscript"):
            self._raw = max(0, self._raw - 1)
        elif tag == "label":
            self._label_ends()

    def handle_data(self, data: str) -> None:
        """The text of a label."""
        if self._label is not None and not self._raw:
            self._label.text = (self._label.text + data)[:_LABEL]

    def close(self) -> None:
        """The end of the page, and of a label that has none."""
        super().close()
        self._label_ends()


def without_comments(text: str) -> str:
    """A page without its comments, as browsers see where one ends."""
    return _COMMENT.sub("", text)


def feed(reader: HTMLParser, text: str) -> None:
    """Give a page to its reader, as far as it can be read in time. Raises :class:`NotOnPage`."""
    text = without_comments(text)
    if _LONG_TAG.search(text):
        raise NotOnPage("the page has a tag of more than 8,000 characters, which is not read")
    until = time.monotonic() + _SECONDS
    try:
        for at in range(0, len(text), _CHUNK):
            reader.feed(text[at : at + _CHUNK])
            if time.monotonic() > until:
                raise NotOnPage("the page takes too long to be read")
        reader.close()
    except (AssertionError, ValueError, RecursionError) as error:  # of odd markup, in some versions of Python
        raise NotOnPage("the page is no HTML that can be read") from error


def checkbox_of(text: str) -> Checkbox:
    """CloudBees' checkbox on a page. Raises :class:`NotOnPage`."""
    if FIELD not in text:
        if re.search(r"type=['\"]?password", text, re.IGNORECASE):
            raise NotOnPage("the page has no checkbox of that name: it looks like a login page")
        raise NotOnPage("the page has no checkbox of that name: another product, or one without that plugin")
    reader = _Reader()
    feed(reader, text)
    if len(reader.found) > _MOST:
        raise NotOnPage(f"the page has more than {_MOST} checkboxes of that name")
    mine = [one for one in reader.found if one.is_cloudbees]
    if len(mine) > 1:
        raise NotOnPage(f"the page has {len(mine)} checkboxes that are CloudBees'")
    if not mine:
        raise NotOnPage("the page has no checkbox that is CloudBees', by its label or its class")
    (one,) = mine
    if one.is_core:
        raise NotOnPage("the page has a checkbox that is CloudBees' and core's, by its label and its class")
    if one.negated:  # hudson-behavior.js turns it round
        raise NotOnPage("its checkbox is a negated one, which is not read")
    is_its = not one.section or one.section == one.cls.replace(".", "-")  # the help button of another may stand there
    return Checkbox(one.checked, one.cls if is_its and _CLASS.match(one.cls) else "")

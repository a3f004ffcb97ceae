# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the classes of a plugin to the events that they say they send.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only. Annotations are read whether
they are kept for run time or not; where a class has none and gathers, its constants are candidates. See docs/events.md.
"""

from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Set, Tuple

from ._class_file import ClassFile, Field, NotAClass, parse

EVENT, PROPERTY = "event", "property"
SEEN, CANDIDATE, UNKNOWN = "seen", "candidate", "unknown"
_KINDS = {
    "Lcom/cloudbees/analytics/messages/AnalyticsEvent;": EVENT,
    "Lcom/cloudbees/analytics/messages/AnalyticsProperty;": PROPERTY,
}
GATHERING = "com/cloudbees/analytics/gatherer/Gathering"
#: Whatever has to do with events names this in its constants.
_MENTION = b"com/cloudbees/analytics/"
#: Characters of a name and of a description, and events that a property may name.
LIMIT_NAME = 300
LIMIT_SUMMARY = 600
LIMIT_EVENTS = 20


class Found(NamedTuple):
    """What a plugin's classes say."""

    rows: List[Dict[str, Any]]
    mentions: bool  # whether any class names what events are made with
    refused: List[Tuple[str, str]]  # classes that are none, and why


def bytewise(text: str, limit: int, more: int = 0) -> str:
    """A text as the rest of a document has it, one character a byte; what is too long is cut, and says so."""
    more += len(text) - limit
    cut = text if more <= 0 else "%s [%d characters more]" % (text[:limit], more)
    return cut.encode("utf-8", "backslashreplace").decode("latin-1")


def found_in(source: Callable[[], Iterable[Tuple[str, bytes]]]) -> Found:
    """What the classes of a plugin say; ``source`` gives path and bytes of each, every time it is called anew."""
    annotated: List[Dict[str, Any]] = []
    gatherers: List[Tuple[str, ClassFile]] = []
    refused: List[Tuple[str, str]] = []
    mentions = False
    for path, data in source():
        if _MENTION not in data:
            continue
        mentions = True
        try:
            one = parse(data)
        except NotAClass as error:
            refused.append((path, str(error)))
            continue
        annotated.extend(_annotated(one, path))
        if GATHERING in one.above:
            gatherers.append((path, one))
    both = len({row["kind"] for row in annotated}) == 2
    if gatherers:
        gatherers = _with_children(source, gatherers, not both)
    rows = annotated + _candidates(gatherers, annotated, both)
    return Found(_distinct(rows), mentions, refused)


def _with_children(
    source: Callable[[], Iterable[Tuple[str, bytes]]], direct: List[Tuple[str, ClassFile]], within: bool
) -> List[Tuple[str, ClassFile]]:
    """Those that gather, and all that are below them, or written ``within`` them, in the same plugin."""
    every: List[Tuple[str, ClassFile]] = []
    below: Dict[str, List[int]] = {}
    for path, data in source():
        try:
            one = parse(data)
        except NotAClass:
            continue  # it mentions nothing of events, or was named already
        for name in one.above + ([one.name.rpartition("$")[0]] if within else []):
            below.setdefault(name, []).append(len(every))
        every.append((path, one._replace(fields=[field for field in one.fields if _is_constant(field)])))
    names = [GATHERING]
    done: Set[str] = set()
    found: Set[int] = set()
    while names:
        name = names.pop()
        if name in done:  # a class may be its own parent in a file that nobody could load
            continue
        done.add(name)
        for number in below.get(name, []):
            found.add(number)
            names.append(every[number][1].name)
    rows = [every[number] for number in sorted(found)]
    again = {path for path, _one in rows}
    return rows + [one for one in direct if one[0] not in again]  # time may be over, the second time


def _is_constant(field: Field) -> bool:
    return field.is_text and field.constant is not None


def _place(one: ClassFile, field: Field) -> str:
    return bytewise("%s.%s" % (one.name.replace("/", "."), field.name), LIMIT_NAME)


def _joined(texts: List[str]) -> str:
    """Texts in one, no more of it than is kept: a class may name one long text as often as it likes."""
    head = " ".join(text[:LIMIT_SUMMARY] for text in texts[: LIMIT_SUMMARY + 1])[:LIMIT_SUMMARY]
    return bytewise(head, LIMIT_SUMMARY, sum(map(len, texts)) + max(0, len(texts) - 1) - len(head))


def _annotated(one: ClassFile, path: str) -> List[Dict[str, Any]]:
    """A row for each annotation of ours on a field."""
    rows = []
    for field in one.fields:
        for annotation in field.annotations:
            if annotation.kind not in _KINDS:
                continue
            row: Dict[str, Any] = {
                "kind": _KINDS[annotation.kind],
                "name": None,
                "mark": SEEN,
                "field": _place(one, field),
                "file": path,
                "retention": "RUNTIME" if annotation.visible else "CLASS",
            }
            if field.constant is not None:
                row["name"] = bytewise(field.constant, LIMIT_NAME)
            else:
                row["mark"] = UNKNOWN
                row["reason"] = (
                    "its constant is no text"
                    if field.has_constant
                    else "its name is made when the class is loaded: it is no constant"
                )
            summary = _joined(annotation.values.get("summary", []))
            if summary:
                row["summary"] = summary
            if row["kind"] == PROPERTY:
                events = annotation.values.get("event", [])
                row["events"] = [bytewise(name, LIMIT_NAME) for name in events[:LIMIT_EVENTS]]
                if len(events) > LIMIT_EVENTS:
                    row["events"].append("[%d more]" % (len(events) - LIMIT_EVENTS))
            rows.append(row)
    return rows


def _candidates(
    gatherers: List[Tuple[str, ClassFile]], annotated: List[Dict[str, Any]], both: bool
) -> List[Dict[str, Any]]:
    """The constants of classes that gather and of which no annotation is left.

    Where only one of the two annotations was seen in a plugin (``both`` is false), the other may be of those that the
    compiler drops: then what has none in a class with annotations is a candidate, too.
    """
    fields = {(row["file"], row["field"]) for row in annotated}
    files = {row["file"] for row in annotated}
    rows = []
    for path, one in gatherers:
        for field in one.fields:
            place = _place(one, field)
            if not _is_constant(field) or (path, place) in fields or (both and path in files):
                continue
            rows.append(
                {
                    "kind": CANDIDATE,
                    "name": bytewise(field.constant, LIMIT_NAME),
                    "mark": CANDIDATE,
                    "field": place,
                    "file": path,
                }
            )
    return rows


def _distinct(rows: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """Each once, in an order of its own: classes for other Javas (META-INF/versions) say the same again."""
    found: Dict[Any, Dict[str, Any]] = {}
    for row in rows:
        key = (row["name"] is None, row["name"] or "", row["kind"], row["field"], row["mark"])
        more = (row.get("summary", ""), tuple(row.get("events", ())), row.get("retention", ""))
        found.setdefault(key + more, row)
    return [found[key] for key in sorted(found)]

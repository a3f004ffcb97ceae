# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CloudBees' own checkbox set on a host: one scalar of the file that decides it; all else byte for byte.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only. What is declared as code
decides, else the file in the home that the product reads at its start. The files are the service's user's: how they are
written see edit/_writing, what is refused docs/decisions/0021-toggle-on-a-host.md.
"""

import calendar
import os
import re
import time
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ..host import _limits as limits
from ..host._files import HostFiles, native
from ..host._records import is_ours
from ..java import _toggle
from ..java._jenkins_home import _XML_11, Unreadable, children, in_time
from ..java._toggle import FIELD, PROMOTED
from ..launch._casc import casc_of
from ..rules._findings import RESTART, of_toggle
from ..survey._document import wars_of
from ..survey._survey import Entry
from ._backups import Store
from ._declare import Declared, checksum
from ._writing import Lock, Refused, check_write, replace, walked_to

WORDS = {True: "true", False: "false"}
#: How it is set where a file of the host does not decide.
_GIT = "set it where the bundle is made (the filter with_toggle does that to the file in Git), and reload it"
_CLICK = (
    'set it in Manage Jenkins, System, Usage Statistics ("Help make CloudBees ... better by sending telemetry and '
    'metrics ..."), and save'
)
#: An edit of the product's own file that so many starts in so many days have not kept is not made again.
TURNED_TIMES, TURNED_DAYS = 2, 30
_VALUE = re.compile(r"(<%s(?:\s[^<>]*)?>\s*)(true|false)(\s*)\Z" % FIELD)


class _Step(NamedTuple):
    """A file that is to be edited, and the one word of it."""

    path: str  # as the state names it
    real: str  # without links to its home
    old: str
    new: str
    line: int
    was: str
    now: str


class NotSet(Exception):
    """The checkbox stays as it is; the message says why, and what to do.

    ``left`` are edits that were made all the same and could not be taken back.
    """

    def __init__(self, message: str, left: Sequence[_Step] = ()) -> None:
        super().__init__(message)
        self.left = left


def set_all(
    desired: str, done: Declared, root: str, check: bool, names: Sequence[str], *kept: Any
) -> Tuple[Declared, List[str]]:
    """The checkbox of every installation as it is wanted, after launch files were edited; and what was refused.

    ``kept`` are run, count and days of the backups: there is always one, because its record is how an audit knows that
    a JVM was started before the edit.
    """
    store = Store(root, *kept)
    refused: List[str] = []
    names = done.found.named(names)
    found = view = done.found.files if check else done.found.files.anew()
    for entry, installation in zip(done.found.entries, done.document["installations"]):
        if entry.stray or (names and installation["name"] not in names):
            continue
        copies: Dict[str, Optional[str]] = {}
        try:
            steps = _steps(entry, installation, view, desired == "enabled", store)
            if not steps:  # also where it was set for another installation, with the same file
                installation["toggle"] = installation["toggle"] if view is found else _looked(entry, installation, view)
                continue
            store.check(make=not check)
            if check:
                for step in steps:
                    check_write(step.real)
            else:
                writes = _written(steps, store, copies)
                view = view.anew()
                now = _looked(entry, installation, view)
                _prove(now, writes, store, desired == "enabled")
                installation["toggle"] = now
        except NotSet as error:
            refused.append("%s: CloudBees' toggle is not set here: %s" % (installation["name"], error))
            if error.left:
                done = _with(done, error.left, {step.path: copies[step.path] for step in error.left})
                view = view.anew()
                installation["toggle"] = _looked(entry, installation, view)
        except (Refused, Unreadable) as error:
            refused.append("%s: CloudBees' toggle is not set here: %s; or %s" % (installation["name"], error, _CLICK))
        except OSError as error:
            refused.append(
                "%s: CloudBees' toggle is not set here: %s: %s" % (installation["name"], error.filename, error.strerror)
            )
        else:
            done = _with(done, steps, copies)
    late = [
        entry.definition.service
        for entry, installation in zip(done.found.entries, done.document["installations"])
        if entry.definition.service
        and (not names or installation["name"] in names)
        and any(RESTART in one.debts for one in of_toggle(installation, desired))
    ]
    done = done._replace(restart_required=list(dict.fromkeys(done.restart_required + late)))
    if done.backups and not check:
        store.prune()
    return done, refused + store.doubts


def _with(done: Declared, steps: Sequence[_Step], copies: Dict[str, Optional[str]]) -> Declared:
    edited = [
        {
            "path": step.path,
            "before": checksum(step.old),
            "after": checksum(step.new),
            "backup": copies.get(step.path),
            "flag": False,
            "toggle": True,
        }
        for step in steps
        if step.path not in [one["path"] for one in done.files]
    ]
    diffs = [describe(step) for step in steps]
    return done._replace(
        changed=True,
        diffs=done.diffs + [one for one in diffs if one not in done.diffs],
        backups=done.backups + [copy for copy in copies.values() if copy],
        files=done.files + edited,
    )


def describe(step: _Step) -> Dict[str, str]:
    """A diff that shows the line of the checkbox and nothing else of the file (a bundle has secrets)."""
    words = ["line %d: %s: %s\n" % (step.line, FIELD, word) for word in (step.was, step.now)]
    return {"before_header": step.path, "after_header": step.path, "before": words[0], "after": words[1]}


# -- what is to be written ----------------------------------------------------------------------------


def _steps(entry: Entry, installation: Dict[str, Any], files: HostFiles, desired: bool, store: Store) -> List[_Step]:
    """What is to be edited, none where nothing is. Raises NotSet, Refused, Unreadable, OSError."""
    told, disk = installation["toggle"]["declared"], installation["toggle"]["on_disk"]
    home = (installation["home"] or "").rstrip("/")
    if told["collected"] == "unknown":
        raise NotSet("what is declared is not known (%s), and decides at the next start; %s" % (told["reason"], _GIT))
    if told["collected"] is desired:
        return []  # it sets the rest at the next start
    if told["collected"] is not None:
        steps = [_of_code(files, home, path, desired) for path in _declaring(entry, home, files)]
        return [step for step in steps if step.old != step.new]
    if disk["collected"] == "unknown":
        raise NotSet("%s; %s" % (disk["reason"], _CLICK))
    if disk["collected"] is desired:
        return []
    step = _of_home(files, home, disk["file"], desired)
    if step.old == step.new:
        return []
    if entry.processes:
        _check_lasts(step, files, store, min(jvm.start for jvm in entry.processes))
    return [step]


def _check_lasts(step: _Step, files: HostFiles, store: Store, since: float) -> None:
    """Raises NotSet where starts turn the edit back: each run would edit and restart, for nothing. Raises OSError."""
    if is_ours(files, step.path):
        return  # undone, or the policy was another
    begin, after = time.time() - TURNED_DAYS * 86400, checksum(step.new)
    edits = [edit["at"] for kept in store.records(step.real) for edit in kept.edits if edit["after"] == after]
    edits = sorted(at for at in edits if begin < _moment(at) < since)
    if len(edits) >= TURNED_TIMES:
        raise NotSet(
            "%s: it was set %d times in %d days, last at %s, and turned back, also by or after the start that came "
            "then; look for what does that, as a script in init.groovy.d; %s"
            % (step.path, len(edits), TURNED_DAYS, edits[-1], _CLICK)
        )


def _moment(at: str) -> float:
    """A time of a record in seconds since 1970, 0 where it is none."""
    try:
        return calendar.timegm(time.strptime(at, "%Y-%m-%dT%H:%M:%SZ"))
    except ValueError:
        return 0


def _declaring(entry: Entry, home: str, files: HostFiles) -> List[str]:
    """The files that declare it. Raises NotSet."""

    def work(_until: float) -> List[Any]:
        try:
            sources = _toggle.sources_of(
                files, home, casc_of(entry.definition, entry.on_disk, files), wars_of(entry, files)
            )[0]
        except Unreadable as error:
            return [str(error)]
        return [[path for _value, path, _line in sources.found]]

    found = in_time(files, [home], work)
    if isinstance(found, str) or isinstance(found[0], str):
        raise NotSet("%s; %s" % (found if isinstance(found, str) else found[0], _GIT))
    paths = list(dict.fromkeys(found[0]))
    for path in paths:
        if path.startswith("%s/%s/" % (home, PROMOTED)):
            raise NotSet(
                "%s declares it, which is the copy of a bundle that an operations center or a checkout gives; %s"
                % (path, _GIT)
            )
    return paths


def _of_code(files: HostFiles, home: str, path: str, desired: bool) -> _Step:
    """Raises NotSet, Refused, Unreadable, OSError."""
    if not files.may_be_edited(path):
        raise NotSet("%s declares it, which an upgrade replaces or others read; %s" % (path, _GIT))
    real = _real(files, home, path)
    folder = os.path.dirname(real)
    while True:
        if os.path.lexists(folder.rstrip("/") + "/.git"):
            raise NotSet("%s declares it, and %s is a checkout, which the next one replaces; %s" % (path, folder, _GIT))
        if folder in ("/", "", files.root):
            break
        folder = os.path.dirname(folder)
    text = _text(files, home, path)
    node = _toggle.place_of(text, path)
    old = text[node.start : node.end] if node is not None and node.kind == "scalar" else ""
    if not old.strip() or "\n" in old or "${" in old:
        raise NotSet("%s: its value is no plain word; %s" % (path, _GIT))
    line = text.count("\n", 0, node.start) + 1
    new = text[: node.start] + WORDS[desired] + text[node.end :]
    if _toggle.declared_in(new, path) != (desired, line):
        raise NotSet("%s: it would not be read as it is wanted; %s" % (path, _GIT))
    return _Step(path, real, text, new, line, old, WORDS[desired])


def _of_home(files: HostFiles, home: str, path: str, desired: bool) -> _Step:
    """Raises NotSet, Refused, OSError."""
    text = _text(files, home, path)
    try:
        begin, end = _value_in(text)
        new = text[:begin] + WORDS[desired] + text[end:]
        was, then = children(text), children(new)
        if then.pop(FIELD, None) != {WORDS[desired]} or was.pop(FIELD, None) is None or was != then:
            raise ValueError("it would not be read as it is wanted")
    except ValueError as error:
        raise NotSet("%s: %s; %s" % (path, error, _CLICK))
    line = text.count("\n", 0, begin) + 1
    return _Step(path, _real(files, home, path), text, new, line, text[begin:end], WORDS[desired])


def _value_in(text: str) -> Tuple[int, int]:
    """Where the value of the checkbox stands in the product's XML. Raises ValueError."""
    from xml.parsers import expat

    data = _XML_11.sub(r"\g<1>0", text)
    parser = expat.ParserCreate()
    depth = [0]
    begins: List[int] = []
    ends: List[int] = []

    def start(name: str, _attributes: Dict[str, str]) -> None:
        depth[0] += 1
        if depth[0] == 2 and name == FIELD:
            begins.append(parser.CurrentByteIndex)

    def end(name: str) -> None:
        if depth[0] == 2 and name == FIELD:
            ends.append(parser.CurrentByteIndex)
        depth[0] -= 1

    def doctype(*_declaration: Any) -> None:
        raise ValueError("it has a document type, which is not read")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(data.encode("latin-1"), True)
    except (expat.ExpatError, LookupError):
        raise ValueError("it is not well-formed XML")
    if len(begins) != 1 or len(ends) != 1:
        raise ValueError("it has no %s, or several" % FIELD)
    match = _VALUE.match(text[begins[0] : ends[0]])
    if match is None:
        raise ValueError("its %s is not written as the product writes it" % FIELD)
    return begins[0] + match.start(2), begins[0] + match.end(2)


def _text(files: HostFiles, home: str, path: str) -> str:
    """As the audit has read it. Raises OSError."""
    sources = _toggle._Sources(files, home)
    return sources.text(path)


def _real(files: HostFiles, home: str, path: str) -> str:
    """Where a file is on this machine. Links are followed only to the home, and only root's. Raises Refused."""
    if files.root != "/":
        folder, name = os.path.split(path)
        return files.resolve(folder) + "/" + name
    if not path.startswith(home + "/"):
        return native(path)
    with walked_to(native(home)) as place:
        return place.path.rstrip("/") + native(path[len(home) :])


# -- writing ------------------------------------------------------------------------------------------


def _written(
    steps: Sequence[_Step], store: Store, copies: Dict[str, Optional[str]]
) -> List[Tuple[_Step, os.stat_result]]:
    """The edits, with what the files were; their ``copies``, by path. All are made, or none. Raises NotSet, Refused."""
    writes: List[Tuple[_Step, os.stat_result]] = []
    limits.write()
    for step in steps:
        try:
            status = os.lstat(step.real)
            copies[step.path] = replace(step.real, step.old, step.new, store, None, store.doubts)
        except (Refused, OSError) as error:
            left, failed = _put_back(writes, store)
            if left:
                raise NotSet("%s; %s; %s" % (_plain(error), failed, _CLICK), left)
            raise
        writes.append((step, status))
    return writes


def _plain(error: Exception) -> str:
    """The words of an error where something else was changed."""
    return str(error).replace(" (nothing was changed)", "")


def _put_back(writes: Sequence[Tuple[_Step, os.stat_result]], store: Store) -> Tuple[List[_Step], str]:
    """The old bytes and times back, and the records away: the edits where that could not be, and what to say."""
    left: List[_Step] = []
    failed: List[str] = []
    for step, status in reversed(writes):
        try:
            replace(step.real, step.new, step.old, None, status, store.doubts)
            with Lock(step.real):
                store.forget(step.real)
        except (Refused, OSError) as error:
            left.append(step)
            failed.append(_plain(error))
    return left, (
        "and the old bytes could not be put back: " + "; ".join(failed) if failed else "the old bytes are back"
    )


def _looked(entry: Entry, installation: Dict[str, Any], files: HostFiles) -> Dict[str, Any]:
    """The checkbox as it is now on disk."""
    home = installation["home"].rstrip("/")
    since = min((jvm.start for jvm in entry.processes), default=None)

    def work(_until: float) -> Dict[str, Any]:
        casc, wars = casc_of(entry.definition, entry.on_disk, files), wars_of(entry, files)
        return _toggle.toggle(files, home, casc, wars, since, installation["home_share"] is not None)

    found = in_time(files, [home], work)
    return _toggle.unknown_toggle(found) if isinstance(found, str) else found


def _prove(found: Dict[str, Any], writes: Sequence[Tuple[_Step, os.stat_result]], store: Store, desired: bool) -> None:
    """Raises NotSet where it is not as it was wanted; then the old bytes are back."""
    place = "declared" if found["declared"]["collected"] is not None else "on_disk"
    if found[place]["collected"] is not desired:
        left, words = _put_back(writes, store)
        raise NotSet(
            "after the edit it was not so (%s); %s; %s" % (found[place].get("reason", "another"), words, _CLICK), left
        )

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Declares the state of telemetry: edits the launch files of a host's installations, and says what is still owed.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import hashlib
import os
from typing import Any, Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

from ..host import _limits as limits
from ..host._files import OWN_DROP_INS, HostFiles, bytewise, native, only_roots, owner_and_mode
from ..java._jvm import TELEMETRY, Switch
from ..launch import _declarations, _live, _outcome
from ..launch._ownership import own_drop_ins
from ..launch.starters._containers import ADVICE, DECIDES
from ..rules._findings import KNOWN, RESTART, owed
from ..survey._document import document_of
from ..survey._survey import Entry, Survey, _summary, survey
from ..text._value import Unresolvable
from ._backups import COUNT, DAYS, Store, legacy_in
from ._candidates import (
    Plan,
    describe,
    describe_mended,
    describe_moved,
    evaluate,
    own_drop_ins_of,
    plan,
    reload_definition,
    why_not_ours,
)
from ._writing import Lock, Refused, check_write, clear, left_beside, make_folder, replace

#: Backups of earlier versions that one run moves away; the next one goes on.
LIMIT_MOVED = 200
#: How often a plan is made anew because somebody else has edited.
_LOOKS = 3


class _NotKept(Refused):
    """An edit that was taken back; ``left`` is what of it could not be, the last of a file first."""

    def __init__(self, message: str, left: Sequence["_Write"]) -> None:
        super().__init__(message)
        self.left = left


class Declared(NamedTuple):
    """What ``declare`` did, or would do."""

    changed: bool
    diffs: List[Dict[str, str]]
    backups: List[str]
    refused: List[str]
    document: Dict[str, Any]
    restart_required: List[str]
    reload_required: bool
    files: List[Dict[str, Any]]
    notes: List[str]
    found: Survey  # of which the document is
    view: HostFiles  # the files as they are then, or would be


def checksum(content: Optional[str]) -> Optional[str]:
    """SHA-256 of a file's content (Latin-1 text, as it was read), None for no file."""
    return None if content is None else hashlib.sha256(content.encode("latin-1")).hexdigest()


def declare(  # noqa: C901 -- the order of an edit, step by step
    desired: str,
    root: str = "/",
    launch_scripts: Sequence[str] = (),
    names: Sequence[str] = (),
    backup: bool = True,
    check: bool = False,
    attach: str = "auto",
    run: str = "",
    count: int = COUNT,
    days: int = DAYS,
    switch: Switch = TELEMETRY,
    over: Optional[HostFiles] = None,
    clocks: Optional[Callable[[Entry, Switch, int, HostFiles], Dict[str, Any]]] = None,
    among: Sequence[Switch] = (),
) -> Declared:
    """Make the next start of every installation (or of the named ones) run with telemetry ``desired``.

    ``switch`` is another property that is to be so; ``over`` what an edit before this one would have made of the files;
    ``clocks`` describes the switch for the state document; ``among`` are all that the same request is about.

    What cannot be edited safely is refused with its reason, and stays as it is byte for byte; the others
    are edited. ``run`` is recorded with each backup; of those of a file, ``count`` are kept for ``days``. Raises
    :class:`Refused` where a name is not installed here.
    """
    store = Store(root, run, count, days)
    last: List[Survey] = []  # as the state document has it
    asked = tuple(among) or (switch,)

    def looked(files: HostFiles) -> Survey:
        if switch is TELEMETRY:
            last[:] = [survey(files, launch_scripts, attach, among)]
            return last[0]
        last[:] = [survey(files, launch_scripts, attach, asked)]
        return _held_against(last[0], switch, asked.index(switch))

    before = looked(over or HostFiles(root))
    names = before.named(names)
    _check_names(before, names)
    files = before.files  # the present reading: each write begins the next one
    diffs: List[Dict[str, str]] = []
    backups: List[str] = []
    refused: List[str] = []
    edited: Dict[str, Dict[str, Optional[str]]] = {}
    changed = others = False
    held: Set[str] = set()
    done: Dict[str, List[_Write]] = {}
    for path in own_drop_ins(files):
        unit = os.path.basename(os.path.dirname(path))[: -len(".d")]
        if names and unit not in [
            entry.definition.service for entry in before.entries if entry.definition.name in names
        ]:
            continue
        try:
            diff = _give_to_root(files, path, unit, check, store.doubts)
        except Refused as error:
            held.add(path)
            refused.append(str(error))
            continue
        if diff is not None:
            changed = True
            diffs.append(diff)
            content = checksum(files.read(path))
            edited[path] = {"path": path, "before": content, "after": content, "backup": None}
    if changed and not check:
        files = files.anew()
    moved, notes = _taken_in(store, before, files, names, refused, check)
    for path, to, content in moved:
        changed = True
        diffs.append(describe_moved(path, to))
        edited[path] = {"path": path, "before": content, "after": None, "backup": to}
    if moved and check:
        files = files.with_candidates({path: None for path, _to, _content in moved})
    elif moved:
        before = looked(files.anew())  # they may have been read, so other options may count now
        files = before.files
    for entry in before.entries:
        if names and entry.definition.name not in names:
            continue
        if entry.definition.service is not None and held & set(own_drop_ins_of(entry.definition.service)):
            continue
        if entry.stray and not names:
            continue  # nobody asked for it: whoever may log in could start one, and stop this
        try:
            definition = entry.definition
            files, on_disk, planned, was_edited = _planned(entry, files, desired, backup, bool(edited), check)
            others = others or was_edited
            if planned.files and backup:
                store.check(make=not check)
            if check:
                for path, (_old, new) in planned.files.items():
                    if new is not None:
                        check_write(_real(files, path))
                    files = files.with_candidates({path: new})
            elif planned.files:
                writes = _written(files, planned, store, backup)
                files = files.anew()
                reached = evaluate(definition, files)
                if reached.verdict != desired or not _live.same_vectors(on_disk, reached):
                    raise _undone(
                        definition.name,
                        store,
                        writes,
                        "the next start would be %s%s"
                        % (reached.verdict, " (%s)" % reached.reason if reached.reason else "")
                        if reached.verdict != desired
                        else "more than the flag would be another",
                    )
                done[definition.name] = writes
            for path, (old, new) in planned.files.items():
                kept = [write.backup for write in done.get(definition.name, ()) if write.path == path and write.backup]
                backups.extend(kept)
                # Two installations can share a file: then it is one edit, from the first content to the last.
                edit = edited.setdefault(
                    path, {"path": path, "before": checksum(old), "backup": kept[0] if kept else None}
                )
                edit["after"] = checksum(new)
                diffs.append(describe(path, old, new, switch.option))
                changed = True
        except Refused as error:
            refused.append(str(error))
            files = files if check else files.anew()  # what was written was put back
            for write in error.left if isinstance(error, _NotKept) else ():
                if write.path not in edited or edited[write.path]["after"] != checksum(write.new):
                    backups.extend(filter(None, [write.backup]))
                    edit = {"path": write.path, "before": checksum(write.old), "backup": write.backup}
                    edited.setdefault(write.path, edit)["after"] = checksum(write.new)
                    diffs.append(describe(write.path, write.old, write.new, switch.option))
                    changed = True
        except OSError as error:
            refused.append("%s: %s" % (error.filename or entry.definition.name, error.strerror))
            files = files if check else files.anew()
    if check or not (changed or others):
        after = before
    else:
        after = looked(files if changed else files.anew())
    wrong = _wrong(before, after, desired, done)
    if wrong is not None:
        # What was right for one installation is not for another: a file that both read.
        back = _undone(
            wrong,
            store,
            [write for writes in done.values() for write in writes],
            "it or another installation would get more than the flag, or not the flag",
        )
        refused.append(str(back))
        written = {write.path for writes in done.values() for write in writes} - {write.path for write in back.left}
        diffs = [diff for diff in diffs if diff["before_header"] not in written]
        backups = [backup for backup in backups if os.path.lexists(native(backup))]
        for write in reversed(back.left):
            edited[write.path]["after"] = checksum(write.new)
        edited = {path: edit for path, edit in edited.items() if path not in written}
        changed = bool(edited)
        after = looked(files.anew())
    if backups and not check:
        store.prune()
    document = document_of(last[0])
    if clocks is not None and switch is not TELEMETRY:
        for entry, installation in zip(last[0].entries, document["installations"]):
            installation["switches"] = [clocks(entry, switch, asked.index(switch), last[0].files)]
    return Declared(
        changed,
        diffs,
        backups,
        refused + store.doubts,
        document,
        _owing(after, desired, names),
        before.files.root == "/" and any(one["daemon_reload_owed"] for one in document["installations"]),
        list(edited.values()),
        notes,
        last[0],
        files,
    )


def _check_names(found: Survey, names: Sequence[str]) -> None:
    """Raises :class:`Refused` where one is not installed here."""
    unknown = [name for name in names if name not in [entry.definition.name for entry in found.entries]]
    if unknown:
        raise Refused(
            "not installed here: %s (installed: %s)"
            % (", ".join(unknown), ", ".join(entry.definition.name for entry in found.entries) or "nothing")
        )


def _held_against(found: Survey, switch: Switch, number: int) -> Survey:
    """A survey with another switch in the place of the flag, which is the one of this ``number`` in it."""
    entries = []
    for entry in found.entries:
        running = entry.running
        if entry.processes and not (entry.stray and running == "unknown"):
            told = [(jvm, jvm.switches[number]) for jvm in entry.processes]
            jvms = [jvm._replace(state=one.state, reason=one.reason) for jvm, one in told]
            running = _summary(jvms)[0]
        entries.append(
            entry._replace(
                definition=entry.definition._replace(switch=switch),
                on_disk=_outcome.judged_again(entry.on_disk, switch, found.files),
                next_start=_outcome.judged_again(entry.next_start, switch, found.files),
                running=running,
            )
        )
    return found._replace(entries=entries)


def declare_all(desired: str, switches: Sequence[Tuple[Switch, str]], root: str, check: bool, *given: Any) -> Declared:
    """The flag, and then each other switch on top of it; ``given`` are the rest of what :func:`declare` takes."""
    launch_scripts, names, backup, attach, run, count, days, clocks = given
    if desired not in KNOWN:  # the flag is no policy
        found = survey(HostFiles(root), launch_scripts, attach)
        _check_names(found, found.named(names))
        return Declared(False, [], [], [], document_of(found), [], False, [], [], found, found.files)
    among = tuple(dict.fromkeys(switch for switch, _state in switches))
    done = declare(
        desired, root, launch_scripts, names, backup, check, attach, run, count, days, TELEMETRY, None, None, among
    )
    named = done.found.named(names)
    for switch, state in switches:
        found = _held_against(done.found, switch, among.index(switch))
        if clocks is not None and _is_so(found, state, named):  # the reading that there is tells it
            for entry, installation in zip(done.found.entries, done.document["installations"]):
                told = clocks(entry, switch, among.index(switch), done.found.files)
                installation["switches"] = installation.get("switches", []) + [told]
            owing = _owing(found, state, named)
            done = done._replace(restart_required=list(dict.fromkeys(done.restart_required + owing)))
            continue
        over = done.view if check else None
        try:
            more = declare(
                state, root, launch_scripts, names, backup, check, attach, run, count, days, switch, over, clocks, among
            )
        except (Refused, OSError, ValueError) as error:  # what was written before is said all the same
            done = done._replace(refused=done.refused + ["%s: %s" % (switch.key, error)])
            continue
        done = _merged(done, more, check)
    return done


def _is_so(found: Survey, desired: str, names: Sequence[str]) -> bool:
    """Whether the files of all that may be edited say already what is wanted of a switch."""
    return all(
        entry.on_disk.verdict == desired
        for entry in found.entries
        if (entry.definition.name in names if names else not entry.stray)
    )


def _merged(done: Declared, more: Declared, check: bool) -> Declared:
    """Two edits as one: of a file that both change from what it was to what it is."""
    files = {one["path"]: dict(one) for one in done.files}
    for one in more.files:
        known = files.setdefault(one["path"], dict(one, flag=False))
        known["after"] = one["after"]
        known["backup"] = known["backup"] or one["backup"]
    diffs = {one["before_header"]: dict(one) for one in done.diffs}
    for diff in more.diffs:
        known = diffs.setdefault(diff["before_header"], diff)
        if known is not diff:
            known.update(
                before=known["before"] + diff["before"],
                after=known["after"] + diff["after"],
                after_header=diff["after_header"],
            )
    document = done.document if check else more.document
    clocks = {one["name"]: [] for one in document["installations"]}  # type: Dict[str, List[Any]]
    for one in done.document["installations"] + more.document["installations"]:
        if one["name"] in clocks:
            clocks[one["name"]] += one.get("switches", [])
    for one in document["installations"]:
        one["switches"] = clocks[one["name"]]
    return Declared(
        done.changed or more.changed,
        list(diffs.values()),
        done.backups + more.backups,
        done.refused + more.refused,
        document,
        list(dict.fromkeys(done.restart_required + more.restart_required)),
        done.reload_required or more.reload_required,
        list(files.values()),
        done.notes + more.notes,
        done.found if check else more.found,
        more.view,
    )


def _planned(
    entry: Entry, files: HostFiles, desired: str, backup: bool, edited: bool, check: bool
) -> Tuple[HostFiles, _outcome.Outcome, Plan, bool]:
    """The reading that counts, what the next start gives by it, what to write, and whether somebody edited meanwhile.

    Another run may have written since the survey: its edit would be made once more. So all is read anew before anything
    is written, and where that gives another outcome it is what counts; from there on, the write itself finds out.
    """
    definition, on_disk, live = entry.definition, entry.on_disk, entry.live
    if on_disk.reason is not None and DECIDES in on_disk.reason:
        raise Refused("%s: %s, so nothing is edited; by hand: %s" % (definition.name, DECIDES, ADVICE))
    for turn in range(_LOOKS):
        if edited or turn or on_disk.verdict == _outcome.UNRESOLVABLE:
            # What was edited for another installation may start this one; and the files may tell more than the survey,
            # which knows of what they do not tell.
            on_disk = evaluate(entry.definition, files)
            try:
                definition = reload_definition(entry.definition, files)
            except Unresolvable:
                pass  # as the outcome says
            live = _live.live_of(definition, files, on_disk)
        refused: Optional[Exception] = None
        planned = Plan({}, on_disk)
        try:
            planned = plan(definition, files, on_disk, live, desired, backup)
        except (Refused, OSError) as error:
            refused = error
        now = files.anew()
        if check or not (planned.files or refused) or _is_same(on_disk, evaluate(entry.definition, now)):
            if refused is not None:
                raise refused
            return files, on_disk, planned, not _is_same(entry.on_disk, on_disk)
        files = now
    raise Refused(
        "%s: somebody else edits its launch files at this moment (nothing was changed); run again"
        % entry.definition.name
    )


def _is_same(one: _outcome.Outcome, other: _outcome.Outcome) -> bool:
    return (one.verdict, one.mentions) == (other.verdict, other.mentions) and one.vectors == other.vectors


def _taken_in(
    store: Store, found: Survey, files: HostFiles, names: Sequence[str], refused: List[str], check: bool
) -> Tuple[List[Tuple[str, str, Optional[str]]], List[str]]:
    """Backups that lie beside launch files moved away: path, new path and SHA-256 of each; and what to say of it."""
    folders: Set[str] = set()
    read: Set[str] = set()
    ours: Set[str] = set()  # what a run may have edited
    for entry in found.entries:
        if not entry.stray and (not names or entry.definition.name in names):
            paths = _declarations.related_files(entry.definition, entry.on_disk, files)
            folders.update(os.path.dirname(path) for path in paths if files.may_be_edited(path + "x"))
            read.update(paths)
            ours.update(filter(files.may_be_edited, paths))
            if entry.definition.service is not None:
                ours.update(own_drop_ins_of(entry.definition.service))
    moved: List[Tuple[str, str, Optional[str]]] = []
    were_read: List[str] = []
    stale = list(legacy_in(files, folders))
    for path in stale[:LIMIT_MOVED]:
        try:
            content = checksum(files.read(path))
            if not check:
                limits.write()
            store.check(make=not check)
            to = store.take_in(_real(files, path), check)
        except FileNotFoundError:
            continue  # another run has moved it
        except (Refused, OSError) as error:
            refused.append("%s: this backup of an earlier version cannot be moved away: %s" % (path, error))
            continue
        if to is not None:
            moved.append((path, bytewise(to), content))
            were_read += [path] if path in read else []
    notes: List[str] = []
    if moved:
        verb = "would be" if check else "were" if len(moved) > 1 else "was"
        notes.append(
            "%d backup%s of an earlier version %s moved to %s: %s%s"
            % (
                len(moved),
                "s" * (len(moved) > 1),
                verb,
                store.place,
                ", ".join(path for path, _to, _content in moved[:5]),
                " and more" if len(moved) > 5 else "",
            )
        )
    if were_read:
        notes.append(
            "read at each start, after the file that they were copied from, and so undid what was changed in "
            "it: %s" % ", ".join(were_read[:5])
        )
    notes += _cleared(files, ours, check)
    if len(stale) > LIMIT_MOVED:
        notes.append("%d more backups of an earlier version are left for the next run" % (len(stale) - LIMIT_MOVED))
    return moved, notes


def _cleared(files: HostFiles, paths: Iterable[str], check: bool) -> List[str]:
    """What a run that was killed has left beside these files removed, and what to say of it."""
    cleared: List[str] = []
    for path in _disturbed(files, paths):
        try:
            if not check:
                limits.write()
                clear(_real(files, path))
            cleared.append(path)
        except (Refused, OSError):
            pass  # it counts nowhere, and the next run tries again
    return [
        "what a run that was killed had left %s removed beside %s%s"
        % ("would be" if check else "was", ", ".join(cleared[:5]), " and more" if len(cleared) > 5 else "")
    ] * bool(cleared)


def _disturbed(files: HostFiles, paths: Iterable[str]) -> Iterator[str]:
    """Those of these files beside which a run that was killed has left something.

    Not whatever such a name in a folder stands for: others may write there, and lead us elsewhere by a link.
    """
    for path in sorted(paths):
        folder, _slash, name = path.rpartition("/")
        try:
            names = files.list(folder)
        except OSError:
            continue
        if left_beside(native(name), map(native, names)):
            yield path


def _give_to_root(files: HostFiles, path: str, unit: str, check: bool, doubts: List[str]) -> Optional[Dict[str, str]]:
    """Give a drop-in of ours to root where it is not root's alone, and say so; None where it is.

    It becomes another file with the same bytes: who has the old one open can go on writing to that alone.
    """
    real = _real(files, path)
    try:
        status = os.lstat(real)
    except FileNotFoundError:
        return None  # another run has taken it away since the survey
    if files.weak_spot(path) is None or only_roots(status):  # a folder that is not root's is not ours to mend
        return None
    was = "others than root could write it (%s), and PID 1 does as root what it says" % owner_and_mode(status)
    try:
        reason = why_not_ours(files, unit, path)
        content = files.read(path)
    except (Unresolvable, OSError) as error:
        reason = str(error)
    if reason is not None:
        raise Refused(
            "%s: %s; it is not made root's as it is, because %s (nothing was changed); look at it, and "
            "remove it" % (path, was, reason)
        )
    if check:
        check_write(real)
    else:
        limits.write()
        replace(real, content, content, None, None, doubts)
    return describe_mended(path, owner_and_mode(status), "uid 0, gid 0, mode 0644")


def _real(files: HostFiles, path: str) -> str:
    """Where a file is on this machine. Below another root the links of the image count, not those of this machine."""
    if files.root == "/":
        return native(path)
    folder, name = os.path.split(path)
    # A link in the place of our own file is refused, not followed.
    return files.resolve(folder) + "/" + name if name in OWN_DROP_INS else files.resolve(path)


class _Write(NamedTuple):
    """One file that was written, and what brings the old one back."""

    path: str
    real: str
    old: Optional[str]
    new: Optional[str]
    status: Optional[os.stat_result]
    backup: Optional[str]
    folder: Optional[str]  # that was made for it


def _written(files: HostFiles, planned: Plan, store: Store, backup: bool) -> List[_Write]:
    """Write what is planned, all of it or nothing. Raises :class:`Refused`, OSError."""
    writes: List[_Write] = []
    limits.write()
    try:
        for path, (old, new) in planned.files.items():
            real = _real(files, path)
            status = os.stat(real) if old is not None else None
            folder = os.path.dirname(real)
            made = folder if old is None and make_folder(folder) else None
            kept = replace(real, old, new, store if backup else None, None, store.doubts)
            writes.append(_Write(path, real, old, new, status, bytewise(kept) if kept else None, made))
    except (Refused, OSError) as error:
        if writes:
            raise _undone(str(error), store, writes, "the other files of this edit stay as they were")
        raise
    return writes


def _undone(name: str, store: Store, writes: Sequence[_Write], reason: str) -> _NotKept:
    """Put the old bytes back, with owner, mode and times as before, and take our new backups away; says so."""
    failed: List[str] = []
    left: List[_Write] = []
    for write in reversed(writes):
        try:
            replace(write.real, write.new, write.old, None, write.status, store.doubts)
        except (Refused, OSError) as error:
            left.append(write)
            failed.append(str(error))
            continue
        try:
            with Lock(write.real):
                store.forget(write.real)
            if write.folder is not None:
                os.rmdir(write.folder)
        except (Refused, OSError) as error:
            failed.append(str(error))
    told = "the old bytes are back" if not left else "and the old bytes could not be put back"
    return _NotKept(
        "%s: after the edit %s; %s" % (name, reason, ": ".join([told] + ["; ".join(failed)] * bool(failed))), left
    )


def _wrong(before: Survey, after: Survey, desired: str, done: Dict[str, List[_Write]]) -> Optional[str]:
    """The installation that the edits of all together left with another verdict, or with more changed than the flag."""
    now = {entry.definition.name: entry.on_disk for entry in after.entries}
    for entry in before.entries if done else ():
        name, was = entry.definition.name, entry.on_disk
        reached = now.get(name)
        if entry.stray or (reached is None and name not in done):
            continue  # it ended meanwhile
        if (
            reached is None
            or (name in done and reached.verdict != desired)
            or (was.vectors and not _live.same_vectors(was, reached))
        ):
            return name
    return None


def _owing(result: Survey, desired: str, names: Sequence[str]) -> List[str]:
    """Services whose files are right and whose running JVM is known to have another value."""
    return [
        entry.definition.service
        for entry in result.entries
        if entry.definition.service
        and (not names or entry.definition.name in names)
        and RESTART in owed(entry.on_disk.verdict, entry.next_start.verdict, entry.running, desired)
    ]

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What files were before they were edited: kept where no launcher looks, with who may have it back, and put back.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only. A folder is root's alone, so
nobody else can forge a copy; beside each lies a small record (RECORD) of the file's owner, mode, attributes, SHA-256,
and of the runs that edited it. A record without a copy says that there was no file. Copies that an earlier version put
beside the files are known by their name (LEGACY) and taken in: a folder whose every file is read would read them too.
"""

import base64
import calendar
import errno
import hashlib
import json
import os
import re
import stat
import time
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple

from ..host._files import BACKUP_SUFFIX, HostFiles, native, only_roots, owner_and_mode
from ..host._records import ABOVE, FOLDERS, RECORD, digest, folder_name
from ..host._records import JSON as _JSON
from ..host._records import NAME as _NAME
from ..host._records import order as _order
from ._writing import (
    TEMPORARY_SUFFIX,
    Dress,
    Keeper,
    Lock,
    Opened,
    Place,
    Refused,
    check_unchanged,
    clean,
    create,
    dress_of,
    exchange,
    explain,
    is_obeyed,
    make_folder,
    names_beside,
    opened,
    owner_for,
    put,
    put_on,
    refuse_own_link,
    refuse_unless_roots,
    settle,
    sync_folder,
    unlink_quietly,
    walked_to,
)

#: Nothing is to be loaded in the middle of a write, where it may fail; :func:`digest` loads it where it is used.
_LOADED = (hashlib,)
#: What is kept of each file: so many copies, for so many days; the newest stays.
COUNT = 10
DAYS = 365
LIMIT_NAMES = 1000  # copies in one second
LIMIT_EDITS = 50  # runs that a record names
LIMIT_FOLDERS = 10000  # that are looked through for what is too old
_ISO = "%Y-%m-%dT%H:%M:%SZ"
_STAMP = "%Y%m%dT%H%M%SZ"
_START_MARGIN = 1  # second: a process's start is counted in ticks since a boot that is known by the second
_CONTEXT = "security.selinux"
#: The name of a copy that an earlier version put beside a file.
LEGACY = re.compile(r"(?P<name>.+)\.(?P<stamp>\d{8}T\d{6}Z)(?:-\d{1,4})?%s\Z" % re.escape(BACKUP_SUFFIX), re.DOTALL)


class Backup(NamedTuple):
    """A copy of a file, and what the file was like then."""

    path: str
    made: str  # when, as 2026-11-23T08:00:00Z
    size: int
    mode: str  # octal, as 0640
    uid: int
    gid: int
    sha256: str
    run: str  # the last one that edited the file as it is here; empty where that is not known


class Restored(NamedTuple):
    """What was put back, or would be."""

    changed: bool
    source: Optional[str]  # the copy that was put back; None where none was
    backup: Optional[str]  # of what was there before


class Undone(NamedTuple):
    """What came of one file where a run is undone."""

    path: str
    changed: bool  # it was put back, or would be
    before: Optional[bytes]  # what was there; None: there was no file, or it could not be read
    after: Optional[bytes]  # what is there now; None: no file
    source: Optional[str]  # the copy that was put back
    backup: Optional[str]  # of what was there before
    reason: Optional[str]  # why it was left as it is, or what is not certain; None where it is as before that run


class _Kept(NamedTuple):
    """One record, as it lies in its folder."""

    name: str
    path: str  # of the file that it is a record of
    sha256: Optional[str]  # None: there was no file
    size: int
    dress: Optional[Dress]
    edits: List[Dict[str, Any]]  # run, at, after (SHA-256, None: removed, "": not known)
    is_moved: bool  # it lay beside the file once, where others than root may have put it

    @property
    def made(self) -> str:
        """When the file was like this."""
        return time.strftime(_ISO, time.strptime(self.name[:16], _STAMP))


class Store(Keeper):
    """The backups of one file system, and what one run does with them.

    ``root`` is where it is mounted, ``run`` the name of the run, which is recorded.
    """

    def __init__(self, root: str = "/", run: str = "", count: int = COUNT, days: int = DAYS) -> None:
        self.root = os.path.realpath(native(root)).rstrip("/") if root != "/" else ""
        self.run = run
        self.count = count
        self.days = days
        self._place: Optional[str] = None
        self._made: List[Tuple[str, str, Optional[bytes]]] = []  # real path, record, what the record was
        self.doubts: List[str] = []  # of what was written, whether it outlasts a power cut

    # -- the place --------------------------------------------------------------------------------

    @property
    def place(self) -> str:
        """Where the backups are, on this machine."""
        if self._place is None:
            try:
                above = HostFiles(self.root or "/").resolve(ABOVE)
            except OSError:
                above = self.root + ABOVE
            self._place = "/".join((above,) + FOLDERS)
        return self._place

    def origin(self, real: str) -> str:
        """A path on this machine as it is seen from the root."""
        return real[len(self.root) :] if self.root and real.startswith(self.root + "/") else real

    def folder_of(self, real: str) -> str:
        """Where the backups of a file are, or will be."""
        return "%s/%s" % (self.place, folder_name(self.origin(real)))

    def check(self, make: bool = True) -> None:
        """Raise :class:`Refused` where backups cannot be had there; ``make`` the place where it is missing."""
        try:
            with self._entered(self.place, make) as place:
                missing = place.name != "."
                status = os.fstat(place.folder)
                if not os.access("/proc/self/fd/%d" % place.folder, os.W_OK):
                    os.statvfs("/proc/self/fd/%d" % place.folder)
                    raise Refused(
                        "%s: %s (nothing was changed)"
                        % (
                            place.path,
                            "the file system is read-only, or not "
                            "yours to write; backups must be kept there: run with become, or remount it",
                        )
                    )
                if not missing and status.st_mode & 0o077:
                    os.chmod("/proc/self/fd/%d" % place.folder, 0o700)
        except Refused as error:
            raise Refused(_no_place(str(error)))
        except OSError as error:
            raise Refused(_no_place(explain(self.place, error)))

    def _entered(self, path: str, make: bool) -> Place:
        """A folder of the store, open, as the place of a file "." in it.

        Where it is missing and not to be made: the place of the first folder that is missing. The folders on the way
        are root's alone, and those of the store no links. Raises :class:`Refused`, OSError.
        """
        above, own = self.place.rsplit("/", len(FOLDERS))[0], path[len(self.place) :]
        names = list(FOLDERS) + ([own[1:]] if own else [])
        if make:
            for level in (os.path.dirname(above), above):
                make_folder(level)
        while above:
            try:
                os.lstat(above)
                break
            except FileNotFoundError:  # in an image alone
                above, _slash, missing = above.rpartition("/")
                names.insert(0, missing)
        else:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.place)
        folders: List[int] = []
        with walked_to(above) as at:
            walk = at.walk
            flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            folders.append(os.open(at.name, flags, dir_fd=at.folder))
        try:
            here = above
            for folder, status in walk.open_to_others + [(above, os.fstat(folders[0]))]:
                if not only_roots(status) and (not self.root or (folder + "/").startswith(self.root + "/")):
                    raise Refused(_not_roots(folder, status))
            for name in names:
                try:
                    held = self._stepped(folders[-1], here, name, make)
                except FileNotFoundError:
                    if make:
                        raise
                    return Place(folders, (here + "/" + name)[1:].split("/"), None, walk)
                here += "/" + name
                folders.append(held)
            return Place(folders, (here + "/.")[1:].split("/"), os.fstat(folders[-1]), walk)
        except BaseException:
            for one in folders:
                os.close(one)
            raise

    @staticmethod
    def _stepped(folder: int, above: str, name: str, make: bool) -> int:
        """An open folder of the store, made where it is missing. Raises :class:`Refused`, OSError."""
        flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            held = os.open(name, flags, dir_fd=folder)
        except FileNotFoundError:
            if not make:
                raise
            umask = os.umask(0o077)
            try:
                os.mkdir(name, 0o700, dir_fd=folder)
            except FileExistsError:
                pass
            finally:
                os.umask(umask)
            held = os.open(name, flags, dir_fd=folder)
            descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        status = os.fstat(held)
        if not stat.S_ISDIR(status.st_mode) or not only_roots(status):
            os.close(held)
            raise Refused(_not_roots("%s/%s" % (above, name), status))
        return held

    def _records_at(self, place: Place) -> List[_Kept]:
        """The records of an open folder, oldest first; what is damaged is none. Raises OSError for what is not read."""
        found = []
        for name in names_beside(place):
            if name.endswith(_JSON) and _NAME.match(name[: -len(_JSON)]):
                try:
                    with opened(place, name) as record:
                        found.append(_read(name[: -len(_JSON)], record.content))
                except (Refused, FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
                    continue
        return sorted(found, key=lambda kept: _order(kept.name))

    def _newest(self, place: Place) -> Optional[_Kept]:
        names = sorted((name for name in set(self._stems(place)) if _NAME.match(name)), key=_order)
        try:
            if not names:
                return None
            with opened(place, names[-1] + _JSON) as record:
                return _read(names[-1], record.content)
        except (Refused, FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
            return None  # then there will be a newer one

    def records(self, real: str) -> List[_Kept]:
        """What is recorded of a file, oldest first. Raises :class:`Refused`, OSError."""
        with self._entered(self.folder_of(real), False) as place:
            return self._records_at(place) if place.name == "." else []

    # -- keeping ----------------------------------------------------------------------------------

    def keep(self, path: str, now: Optional[Opened], after: Optional[bytes]) -> Optional[str]:
        """As :class:`Keeper` says. A file that is as its newest copy needs no other."""
        return self._kept(path, now, None if after is None else digest(after))

    def _kept(self, path: str, now: Optional[Opened], after: Optional[str]) -> Optional[str]:
        edit = {"run": self.run, "at": time.strftime(_ISO, time.gmtime()), "after": after}
        try:
            with self._entered(self.folder_of(path), True) as place:
                self._tidy(place)
                newest = self._newest(place)
                dress = dress_of(now.descriptor) if now is not None else None
                sha256 = digest(now.content) if now is not None else None
                if newest is not None and (newest.sha256, newest.dress) == (sha256, dress) and not newest.is_moved:
                    with opened(place, newest.name + _JSON) as record:
                        before: Optional[bytes] = record.content
                        edits = (newest.edits + [edit])[-LIMIT_EDITS:]
                        at = Place([place.folder], [newest.name + _JSON], None, place.walk)
                        put(at, newest.name + _JSON, _written(newest._replace(edits=edits)), _private, record.status)
                    name = newest.name
                else:
                    before = None
                    kept = _Kept(
                        "", self.origin(path), sha256, len(now.content) if now is not None else 0, dress, [edit], False
                    )
                    name = self._put_in(
                        place, kept, now.content if now is not None else None, time.strftime(_STAMP, time.gmtime())
                    )
                sync_folder(place)
                self._made.append((path, name, before))
                return "%s/%s" % (self.folder_of(path), name) if now is not None else None
        except Refused as error:
            raise Refused(_no_place(str(error)))
        except OSError as error:
            raise Refused(_no_place(explain(self.folder_of(path), error)))

    def _put_in(self, place: Place, kept: _Kept, content: Optional[bytes], stamp: str) -> str:
        """Write a copy, then its record: without one, a copy is no backup. Returns its name.

        A clock that was set back must not change the order.
        """
        names = [match for match in (_NAME.match(name) for name in self._stems(place)) if match]
        newest = max((match.group(1) for match in names), default=stamp)
        stamp = stamp if kept.is_moved else max(stamp, newest)
        numbers = [int(match.group(2) or 0) for match in names if match.group(1) == stamp]
        number = max(numbers) + 1 if numbers else 0
        if number > LIMIT_NAMES:
            raise Refused("%s: too many backups are made at a time (nothing was changed)" % kept.path)
        name = "%s-%d" % (stamp, number) if number else stamp
        at = Place([place.folder], [name], None, place.walk)
        if content is not None:
            put(at, name, content, _private, None)
        try:
            put(at, name + _JSON, _written(kept._replace(name=name)), _private, None)
        except BaseException:
            if content is not None:
                unlink_quietly(place.folder, name)
            raise
        return name

    @staticmethod
    def _stems(place: Place) -> List[str]:
        return [name[: -len(_JSON)] if name.endswith(_JSON) else name for name in names_beside(place)]

    @staticmethod
    def _tidy(place: Place) -> None:
        """Remove what a run that was killed left: temporary files, copies without a record. Only under the lock."""
        names = set(names_beside(place))
        for name in names:
            if name.endswith(TEMPORARY_SUFFIX) or (_NAME.match(name) and name + _JSON not in names):
                unlink_quietly(place.folder, name)

    def forget(self, path: str) -> None:
        """As :class:`Keeper` says; an error leaves a record of a change that did not happen, which does no harm."""
        for index in reversed(range(len(self._made))):
            real, name, before = self._made[index]
            if real == path:
                del self._made[index]
                try:
                    with self._entered(self.folder_of(path), False) as place:
                        if before is None:
                            unlink_quietly(place.folder, name + _JSON)
                            unlink_quietly(place.folder, name)
                            os.rmdir(self.folder_of(path))
                        else:
                            with opened(place, name + _JSON) as record:
                                at = Place([place.folder], [name + _JSON], None, place.walk)
                                put(at, name + _JSON, before, _private, record.status)
                except (OSError, Refused):
                    pass
                return

    def prune(self) -> None:
        """Remove what is more than ``count``, or older than ``days``; 0 is no limit. What this run made stays.

        So does the newest of each file. An error leaves them for the next run.
        """
        oldest = time.strftime(_STAMP, time.gmtime(time.time() - self.days * 86400)) if self.days else ""
        try:
            with self._entered(self.place, False) as place, Lock(place.path):
                if place.name != ".":
                    return
                for folder in sorted(names_beside(place))[:LIMIT_FOLDERS]:
                    with self._entered("%s/%s" % (self.place, folder), False) as inner:
                        records = self._records_at(inner)
                        for index, kept in enumerate(records[:-1]):
                            if not (self.count and index < len(records) - self.count or kept.name < oldest) or (
                                self.run and any(edit["run"] == self.run for edit in kept.edits)
                            ):
                                continue
                            unlink_quietly(inner.folder, kept.name + _JSON)  # first: a copy alone is no backup
                            unlink_quietly(inner.folder, kept.name)
        except (OSError, Refused):
            pass

    # -- copies beside files, of earlier versions ---------------------------------------------------

    def take_in(self, path: str, check: bool = False) -> Optional[str]:
        """Move a copy that lies beside its file to where it belongs; returns its new path, None where it is gone.

        Raises :class:`Refused`.
        """
        match = LEGACY.match(os.path.basename(path))
        if match is None:
            raise Refused("%s: not the name of a backup" % path)
        try:
            with walked_to(path) as old:
                real = os.path.join(os.path.dirname(old.path), match.group("name"))
                folder = self.folder_of(real)
                if check:
                    return "%s/%s" % (folder, match.group("stamp"))
                with Lock(old.path), opened(old, old.name) as copy, self._entered(folder, True) as place:
                    self._tidy(place)
                    sha256 = digest(copy.content)
                    there = [
                        kept.name
                        for kept in self._records_at(place)
                        if kept.is_moved and kept.name.startswith(match.group("stamp")) and kept.sha256 == sha256
                    ]
                    kept = _Kept("", self.origin(real), sha256, len(copy.content), dress_of(copy.descriptor), [], True)
                    name = there[0] if there else self._put_in(place, kept, copy.content, match.group("stamp"))
                    sync_folder(place)
                    check_unchanged(old, copy.status)
                    os.unlink(old.name, dir_fd=old.folder)
                    try:
                        sync_folder(old)
                    except OSError:
                        pass  # a power cut may bring it back, and the next run moves it again
                    return "%s/%s" % (folder, name)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Refused(explain(path, error))

    # -- putting back -----------------------------------------------------------------------------

    def list(self, path: str) -> List[Backup]:
        """The backups of a file, newest first; the file itself may be gone. Raises :class:`Refused`."""
        try:
            with walked_to(path) as place:
                folder = self.folder_of(place.path)
                return [
                    Backup(
                        "%s/%s" % (folder, kept.name),
                        kept.made,
                        kept.size,
                        "%04o" % stat.S_IMODE(kept.dress.st_mode),
                        kept.dress.st_uid,
                        kept.dress.st_gid,
                        kept.sha256,
                        str(kept.edits[-1]["run"]) if kept.edits else "",
                    )
                    for kept in reversed(self.records(place.path))
                    if kept.dress is not None and kept.sha256
                ]
        except (OSError, ValueError) as error:
            raise Refused("%s: its backups cannot be listed: %s" % (path, getattr(error, "strerror", "") or error))

    def edited_by(self, run: str) -> List[str]:
        """The files that a run has edited, as seen from the root. Raises :class:`Refused`."""
        found: Dict[str, None] = {}
        try:
            with self._entered(self.place, False) as place:
                for folder in sorted(names_beside(place))[:LIMIT_FOLDERS] if place.name == "." else []:
                    with self._entered("%s/%s" % (self.place, folder), False) as inner:
                        found.update(
                            {
                                kept.path: None
                                for kept in self._records_at(inner)
                                if any(edit["run"] == run for edit in kept.edits)
                            }
                        )
        except OSError as error:
            raise Refused("%s: the backups cannot be listed: %s" % (self.place, error.strerror))
        return list(found)

    def restore(self, path: str, backup: Optional[str] = None, keep: bool = True, check: bool = False) -> Restored:
        """Put a backup of a file back, with owner, mode and attributes, in one step.

        ``backup`` is the path or the name of one of its backups, None for the newest. What is there now is
        backed up first if ``keep``. Nothing changes where the file is like its backup, or with ``check``.
        Raises :class:`Refused`.
        """
        try:
            with walked_to(path) as place, Lock(place.path):
                records = [kept for kept in self.records(place.path) if kept.sha256 is not None]
                if not records:
                    raise Refused("%s: there is no backup of it" % path)
                chosen = records[-1]
                if backup is not None:
                    folder, name = os.path.split(backup)
                    known = {kept.name: kept for kept in records}
                    if name not in known or folder not in ("", self.folder_of(place.path)):
                        raise Refused(
                            "%s: %s is not a backup of it (there are: %s)"
                            % (path, backup, ", ".join(sorted(known, reverse=True)))
                        )
                    chosen = known[name]
                return self._back(path, place, chosen, keep, check)
        except OSError as error:
            raise Refused(explain(path, error))

    def roll_back(
        self, path: str, run: Optional[str] = None, since: Optional[str] = None, check: bool = False
    ) -> Restored:
        """Bring a file back to how it was before a run edited it first, or at a moment (UTC, ISO 8601, seconds).

        Nothing is done where no edit is recorded, or where the file is like that already. What nobody has recorded
        is not undone. Raises :class:`Refused`.
        """
        try:
            moment = calendar.timegm(time.strptime(since, _ISO)) + _START_MARGIN if since else 0
        except ValueError:
            raise Refused("%r is no moment such as 2026-12-31T23:59:59Z" % since)
        try:
            with walked_to(path) as place, Lock(place.path):
                found = [
                    (kept, edit)
                    for kept in self.records(place.path)
                    for edit in kept.edits
                    if (edit["run"] == run if run else calendar.timegm(time.strptime(edit["at"], _ISO)) > moment)
                ]
                if not found:
                    return Restored(False, None, None)
                first, after = found[0][0], found[-1][1]["after"]
                now = _digest_at(place)
                if now == first.sha256:
                    return Restored(False, None, None)
                # A run that was killed may have recorded a change that it did not come to make.
                known = [kept.sha256 for kept, _edit in found] + [edit["after"] for _kept, edit in found]
                if after != "" and now not in known:
                    raise Refused(
                        "%s: somebody has changed it after %s, so it is left as it is (nothing was changed); "
                        "what it was before is in %s"
                        % (
                            path,
                            "run %s" % run if run else "it was edited here",
                            "%s/%s" % (self.folder_of(place.path), first.name),
                        )
                    )
                return self._back(path, place, first, True, check)
        except OSError as error:
            raise Refused(explain(path, error))

    def undo(self, run: str, check: bool = False) -> List[Undone]:
        """Bring each file that a run has edited back to what it was before, where it still is as that run left it.

        A file that the run made is removed, one that it removed is made again. Where somebody else has changed it since
        it stays, with the reason. Raises :class:`Refused` where it is not known what the run has edited.
        """
        return [self._undone(path, self.root + path, run, check) for path in self.edited_by(run)]

    def _undone(self, shown: str, path: str, run: str, check: bool) -> Undone:
        now: Optional[bytes] = None
        try:
            with walked_to(path) as place, Lock(place.path):
                every = [(kept, edit) for kept in self.records(place.path) for edit in kept.edits]
                own = [index for index, (_kept, edit) in enumerate(every) if edit["run"] == run]
                if not own:
                    return Undone(shown, False, None, None, None, None, "its record is not there any more")
                first = every[own[0]][0]
                now, dress = _seen_at(place)
                there = None if now is None else digest(now)
                if there == first.sha256:
                    return Undone(shown, False, now, now, None, None, None)
                # A run that was killed may have recorded a change that it did not come to make.
                left = [every[index][1]["after"] for index in own] + [every[index][0].sha256 for index in own]
                if there not in left:
                    raise Refused(
                        "%s%s; what it was before run %s is %s (nothing was changed)"
                        % (
                            shown,
                            self._in_the_way(every[own[-1] + 1 :], there, every[own[-1]][1]["after"]),
                            run,
                            "in %s/%s" % (self.folder_of(place.path), first.name) if first.sha256 else "no file",
                        )
                    )
                last = every[own[-1]][0].dress
                if dress is not None and last is not None and dress != last:
                    raise Refused(
                        "%s: somebody else has changed its owner, mode or attributes since (they were: %s); "
                        "what it was before run %s is %s (nothing was changed)"
                        % (
                            shown,
                            owner_and_mode(last),
                            run,
                            "in %s/%s" % (self.folder_of(place.path), first.name) if first.sha256 else "no file",
                        )
                    )
                after = None if first.sha256 is None else self._content(place.path, first)
                known = len(self.doubts)
                done = self._back(path, place, first, True, check)
                doubt = "; ".join(self.doubts[known:]) or None
                return Undone(shown, done.changed, now, after, done.source, done.backup, doubt)
        except Refused as error:
            return Undone(shown, False, now, now, None, None, str(error))
        except OSError as error:
            return Undone(shown, False, now, now, None, None, explain(path, error))

    @staticmethod
    def _in_the_way(later: List[Tuple[_Kept, Dict[str, Any]]], there: Optional[str], left: Optional[str]) -> str:
        """Who has changed a file since a run, by its later edits; the words follow its path."""
        if later and later[-1][1]["after"] in (there, ""):
            return ": run %s has edited it since (%s); undo that one first" % (later[-1][1]["run"], later[-1][1]["at"])
        if later:
            return ": run %s has edited it since (%s), and somebody else after that" % (
                later[-1][1]["run"],
                later[-1][1]["at"],
            )
        if left == "":
            return ": what that run left there is not recorded, as where it rendered a template of yours"
        return ": somebody else has %s it since" % ("removed" if there is None else "changed")

    def _back(self, path: str, place: Place, kept: _Kept, keep: bool, check: bool) -> Restored:
        """Bring a file to what a record says. Raises :class:`Refused`, OSError."""
        refuse_own_link(path, place)
        if not check:
            clean(place)
        there = _digest_at(place) is not None
        if kept.sha256 is None or kept.dress is None:
            if not check and there:
                with opened(place, place.name) as now:
                    copy = exchange(place, now, None, lambda _to: None, self if keep else None)
                settle(path, place, copy, self.doubts)
                return Restored(True, None, copy)
            return Restored(there, None, None)
        source = "%s/%s" % (self.folder_of(place.path), kept.name)
        dress = kept.dress
        content = self._content(place.path, kept)
        if is_obeyed(path, place):
            refuse_unless_roots(path, place)
            if not only_roots(dress):
                raise Refused(
                    "%s: its backup %s is not root's alone (%s): others could have changed what "
                    "PID 1 does as root (nothing was changed); look at it, and put it back by hand"
                    % (path, source, owner_and_mode(dress))
                )
        elif kept.is_moved:
            _refuse_forged(path, place, source, dress)
        if not there:
            if not check:
                owner = owner_for(place, dress)
                keeper = self if keep else None
                create(path, place, content, lambda to: put_on(path, dress, to), keeper, owner, self.doubts)
            return Restored(True, source, None)
        with opened(place, place.name) as now:
            same = now.content == content and dress_of(now.descriptor) == dress
            if check or same:
                return Restored(not same, source, None)
            copy = exchange(place, now, content, lambda to: put_on(path, dress, to), self if keep else None)
        settle(path, place, copy, self.doubts)
        return Restored(True, source, copy)

    def _content(self, real: str, kept: _Kept) -> bytes:
        with self._entered(self.folder_of(real), False) as place, opened(place, kept.name) as copy:
            if digest(copy.content) != kept.sha256:
                raise Refused(
                    "%s: its backup %s is damaged: it has another SHA-256 than recorded (nothing was changed)"
                    % (real, kept.name)
                )
            return copy.content

    def save(self, path: str, check: bool = False) -> Optional[str]:
        """Keep a copy of a file that something else will edit. Returns its path, None for nothing to keep.

        Raises :class:`Refused`.
        """
        try:
            with walked_to(path) as place, Lock(place.path):
                if _digest_at(place) is None:
                    if not check:
                        self._kept(place.path, None, "")
                    return None
                with opened(place, place.name) as now:
                    if not check:
                        return self._kept(place.path, now, "")
                    self.check(make=False)
                    records = self.records(place.path)
                    same = records and records[-1].sha256 == digest(now.content)
                    return "%s/%s" % (self.folder_of(place.path), records[-1].name) if same else None
        except OSError as error:
            raise Refused(explain(path, error))


def _no_place(message: str) -> str:
    return message if message.startswith("no backup") else "no backup can be kept: %s" % message


def _not_roots(path: str, status: os.stat_result) -> str:
    what = (
        "a symbolic link"
        if stat.S_ISLNK(status.st_mode)
        else "no folder"
        if not stat.S_ISDIR(status.st_mode)
        else "not root's alone (%s)" % owner_and_mode(status)
    )
    return (
        "%s is %s, and backups are kept where nobody but root can write (nothing was changed); remove it, or give "
        "it to root (chown root:root, chmod go-w)" % (path, what)
    )


def _private(descriptor: int) -> None:
    os.fchmod(descriptor, 0o600)


def _digest_at(place: Place) -> Optional[str]:
    """SHA-256 of what is there, None for nothing. Raises :class:`Refused`, OSError."""
    try:
        with opened(place, place.name) as now:
            return digest(now.content)
    except FileNotFoundError:
        return None


def _refuse_forged(path: str, place: Place, source: str, dress: Dress) -> None:
    """Where others may put a copy beside a file that is not theirs, theirs is not put back."""
    folder = os.fstat(place.folder)
    owner = (place.status or folder).st_uid
    if not only_roots(folder) and dress.st_uid not in (0, os.geteuid(), owner):
        raise Refused(
            "%s: its backup %s lay beside it and belonged neither to root nor to the owner of the file (%s), "
            "and others than root may write the folder: it may be forged (nothing was changed); look at it, "
            "and put it back by hand" % (path, source, owner_and_mode(dress))
        )


def _seen_at(place: Place) -> Tuple[Optional[bytes], Optional[Dress]]:
    """What is there and whose it is, None for nothing. Raises :class:`Refused`, OSError."""
    try:
        with opened(place, place.name) as now:
            return now.content, dress_of(now.descriptor)
    except FileNotFoundError:
        return None, None


def _written(kept: _Kept) -> bytes:
    """A record as it is on disk."""
    dress = kept.dress
    context = dress.attributes.get(_CONTEXT) if dress is not None else None
    document: Dict[str, Any] = {
        "schema": RECORD,
        "path": kept.path,
        "sha256": kept.sha256,
        "size": kept.size,
        "edits": kept.edits,
        "was_beside": kept.is_moved,
    }
    if dress is not None:
        document.update(
            uid=dress.st_uid,
            gid=dress.st_gid,
            mode="%04o" % stat.S_IMODE(dress.st_mode),
            kind=dress.st_mode,
            context=context.decode("latin-1").rstrip("\0") if context is not None else None,
            attributes={
                name: base64.b64encode(value).decode("ascii") for name, value in sorted(dress.attributes.items())
            },
        )
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode("ascii")


def _read(name: str, content: bytes) -> _Kept:
    """A record from disk. Raises ValueError, KeyError, TypeError, AttributeError where it is none."""
    document = json.loads(content.decode("ascii"))
    if document["schema"] != RECORD:
        raise ValueError("no record")
    dress = None
    if document["sha256"] is not None:
        dress = Dress(
            int(document["uid"]),
            int(document["gid"]),
            int(document["kind"]),
            {key: base64.b64decode(value) for key, value in document["attributes"].items()},
        )
    edits = [{"run": str(edit["run"]), "at": str(edit["at"]), "after": edit["after"]} for edit in document["edits"]]
    return _Kept(
        name,
        str(document["path"]),
        document["sha256"],
        int(document["size"]),
        dress,
        edits,
        bool(document["was_beside"]),
    )


def kept_at(files: HostFiles, path: str) -> List[str]:
    """The files that keeping a copy of a file makes, as seen from the root; by the second. Raises OSError."""
    folder = "/".join((files.canonical(ABOVE),) + FOLDERS + (folder_name(native(files.canonical(path))),))
    name = "%s/%s" % (folder, time.strftime(_STAMP, time.gmtime()))
    return [name, name + _JSON]


def legacy_in(files: HostFiles, folders: Iterable[str]) -> Iterator[str]:
    """Copies of earlier versions in these folders, as seen from the root."""
    for folder in sorted(set(folders)):
        try:
            names = sorted(files.list(folder))
        except OSError:
            continue
        for name in names:
            if LEGACY.match(name):
                yield "%s/%s" % (folder.rstrip("/"), name)

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the managed host: a read-only view below a root.

What somebody else than root may have put there is opened like something that bites: looked at before it is opened, and
a link followed with the rights of whoever made it. Private to this collection. Runs on the managed host: Python 3.6+,
standard library only.
"""

import errno
import itertools
import os
import re
import stat
from functools import partial
from typing import Any, Callable, Dict, FrozenSet, List, NamedTuple, Optional, Set, Sized, Tuple

from . import _limits as limits
from ._file_systems import Silent, look

#: Where units and drop-ins of the administrator are: they may be edited in place; the rest belongs to packages.
ADMIN_PATH = "/etc/systemd/system/"
#: Name of the drop-in that this collection writes for a unit. The last one counts: after "override.conf", the name that
#: "systemctl edit" gives.
OWN_DROP_IN = "zzz-cbops-telemetry.conf"
#: Its former name, which sorts before "override.conf": enforcing moves it.
FORMER_DROP_IN = "90-cbops-telemetry.conf"
OWN_DROP_INS = (OWN_DROP_IN, FORMER_DROP_IN)
#: How the name ended of a backup that an earlier version put beside the file. It is no launch file, whoever reads it.
BACKUP_SUFFIX = ".cbops~"
_PACKAGES = "usr|bin|sbin|lib|lib32|lib64|libx32|boot|dev|proc|run|sys|var/run"
_OF_LOGINS = "bash_profile|bash_login|bashrc|profile|zprofile|zshenv|zshrc|cshrc|login|kshrc|pam_environment"
_OF_THE_MACHINE = (
    "environment|locale|i18n|profile|bash|bashrc|zsh|zshenv|zshrc|csh|ksh|mkshrc|inputrc|security|pam|login|skel|rc|init"
    "|inittab|lsb|lsb-base-logging|os-release|java|jvm|alternatives|passwd|group|shadow|sudo|sudoers|hosts|host|hostname"
    "|resolv|nsswitch|fstab|sysctl|ld|modprobe|modules|udev|dbus-1|shells|default|sysconfig"
)
_OF_OTHERS = (  # in /etc/default, /etc/sysconfig and /etc/conf.d
    "locale|i18n|language|keyboard|console|console-setup|clock|hwclock|useradd|login|su|networking|networks?|init|rcS|halt"
    "|network-scripts|grub2?|kernel|selinux|authconfig|nss|java|java-common|jre|jdk|jvm|ulimit|limits|proxy|sysstat"
    "|crond?|sshd?|r?syslog|docker|environment|bootloader|windowmanager|mail|security|suseconfig|shadow|profile|functions"
    "|ntpd?|chronyd?|nfs|nfs-common|iptables|firewalld"
)
#: Files that an edit never touches. What packages bring goes at the next upgrade, what lies below /run at the next
#: boot, and what others than one installation read is theirs too: logins, PAM, each shell, each service.
_NOT_TO_EDIT = re.compile(
    r"/(?:%s)/|.*/\.(?:%s)\Z|.*\.cbops~\Z|/etc/(?:default|sysconfig|conf\.d)/(?:%s)(?:[./].*)?\Z"
    r"|/etc/(?!default/|sysconfig/|rc\.local\Z|rc\.d/rc\.local\Z)(?:rc[0-9S]|%s)(?:[./].*)?\Z|/etc/systemd/(?!system/(?!service\.d/))"
    % (_PACKAGES, _OF_LOGINS, _OF_OTHERS, _OF_THE_MACHINE),
    re.DOTALL,
)
#: What lies there is gone with a reboot, and made anew by whoever wants it.
PASSING = re.compile(r"/+(?:(?:var/+)?(?:run|tmp)|dev/+shm)/")
#: Folders of which PID 1 obeys, or root runs, every file; before them the root of an image.
_OBEYED = re.compile(
    r"(.*?)/(?:(?:etc|run|(?:usr/(?:local/)?)?lib)/systemd"
    r"|etc/(?:init\.d|rc\.d|rc[0-6S]\.d|rc\.local))/",
    re.DOTALL,
)
LIMIT_SIZE = 4 << 20
LIMIT_LINKS = 20
LIMIT_FOUND = 1000  # paths that a pattern stands for
LIMIT_KEPT = 64 << 20  # bytes of files that are kept in memory together
LIMIT_MADE = 1 << 20  # characters of texts of which is kept what was made of them
LIMIT_ANSWERS = 100000  # what was asked of paths
_HEAD = 128  # bytes by which a file is told
#: Programs and archives, by their first bytes: nobody reads them for text.
BINARIES = ("\x7fELF", "PK\3\4", "\x1f\x8b")
_NULL = "/dev/null"


def native(path: str) -> str:
    """A path of ours, one character a byte, as Python's own functions want it; the reverse of :func:`bytewise`."""
    try:
        return os.fsdecode(path.encode("latin-1"))
    except UnicodeEncodeError:
        return path


def bytewise(name: str) -> str:
    """A name that Python's own functions gave, one character a byte, as launch files are read. Cannot fail."""
    return os.fsencode(name).decode("latin-1")


def readable(value: Any) -> Any:
    """What people are shown of a document whose text has one character a byte: UTF-8 where it is. Cannot fail."""
    if isinstance(value, dict):
        return {key: readable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [readable(item) for item in value]
    if not isinstance(value, str):
        return value
    try:
        return value.encode("latin-1").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        return value.encode("utf-8", "backslashreplace").decode("utf-8")


_stores: Dict[int, bool] = {}  # by device: whether it is a file system that keeps files


def open_regular(path: str, flags: int = 0, folder: Optional[int] = None) -> Tuple[int, os.stat_result]:
    """Open a regular file (of an open folder) for reading. Raises OSError for anything else."""
    held = os.open(path, os.O_PATH | os.O_CLOEXEC | flags, dir_fd=folder)
    try:
        return _reopened(held, path)
    finally:
        os.close(held)


def _reopened(held: int, path: str, kind: int = stat.S_IFREG) -> Tuple[int, os.stat_result]:
    """A file that is held by O_PATH, opened for reading where it is of this kind.

    To open a device does something already: a watchdog starts, a terminal is made. And what is read of a file of
    the kernel's may be gone for those whom it was for (/proc/kmsg).
    """
    status = os.fstat(held)
    if stat.S_IFMT(status.st_mode) != kind:
        number = {stat.S_IFLNK: errno.ELOOP, stat.S_IFDIR: errno.EISDIR}.get(stat.S_IFMT(status.st_mode), errno.EINVAL)
        if kind == stat.S_IFDIR:
            number = errno.ENOTDIR
        raise OSError(number, "not a regular file" if number == errno.EINVAL else os.strerror(number), path)
    name = "/proc/self/fd/%d" % held
    try:
        if status.st_dev not in _stores:
            _stores[status.st_dev] = os.statvfs(name).f_blocks > 0 or status.st_dev == os.stat("/").st_dev
        if not _stores[status.st_dev]:
            raise OSError(errno.EINVAL, "a file of the kernel's, which is not read")
        descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        raise OSError(errno.ENOSYS, "/proc is not mounted, and without it nothing can be opened safely", path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, path)
    opened = os.fstat(descriptor)
    if (opened.st_dev, opened.st_ino) != (status.st_dev, status.st_ino):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "/proc leads to another file", path)
    return descriptor, opened


def only_roots(status: Any) -> bool:
    """Whether nobody but root (or we ourselves) may write a file or folder, by what os.stat or a record says of it.

    Access lists show in the group's bits.
    """
    return status.st_uid in (0, os.geteuid()) and not status.st_mode & 0o022


def owner_and_mode(status: Any) -> str:
    """In words for people: whose a file is, by numbers, because its names may be those of an image."""
    return "uid %d, gid %d, mode %04o" % (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode))


def image_of_obeyed(path: str) -> Optional[str]:
    """For what PID 1 or root obeys because of its place: the root of its image ("": this machine); else None."""
    match = _OBEYED.match(path + "/")
    return match.group(1) if match is not None else None


class Reader(NamedTuple):
    """A user as the kernel knows one, by numbers; the first of the groups is the user's own."""

    user: int
    groups: List[int]


class _Rights:
    """The rights of whoever made a link, while it is followed: root reads nothing for a user that the user cannot."""

    def __init__(self) -> None:
        self._before: Optional[Tuple[int, List[int]]] = None

    def __enter__(self) -> "_Rights":
        return self

    def of(self, reader: "Reader") -> None:
        """Take them on. The first link counts: the others are where its owner has led."""
        if reader.user == 0 or os.geteuid() != 0:
            return
        self._before = os.getegid(), os.getgroups()
        os.setgroups(reader.groups)
        os.setegid(reader.groups[0])
        os.seteuid(reader.user)

    @property
    def taken(self) -> bool:
        """Whether somebody else's link was followed."""
        return self._before is not None

    def __exit__(self, *_error: object) -> None:
        if self._before is not None:
            os.seteuid(0)
            os.setegid(self._before[0])
            os.setgroups(self._before[1])


def _open_step_by_step(
    root: str, home: Optional[str], path: str, kind: int, reader: Optional[Reader] = None
) -> Tuple[int, os.stat_result]:
    """Open ``path`` (below the folder ``home``), one open folder after the other: none can be swapped meanwhile.

    Links stay below ``root`` and are followed with the rights of whoever made them, all with those of ``reader`` where
    there is one. The files of a home lie on its own
    file system, unless root has mounted or linked another one there.
    """
    folders = [os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)]
    try:
        with _Rights() as rights:
            if reader is not None:
                rights.of(reader)
            _walk(folders, _parts(home or ""), rights)
            here = (os.fstat(folders[-1]).st_dev, _mount(folders[-1])) if home is not None else None
            _walk(folders, _parts(path), rights)
            _check_names(folders)
            descriptor, status = _reopened(folders[-1], path, kind)
        if here is not None and status.st_dev != here[0]:
            try:
                _check_mount(descriptor, here[1], rights.taken)
            except OSError:
                os.close(descriptor)
                raise
        return descriptor, status
    except OSError as error:
        raise OSError(error.errno, error.strerror, path)
    finally:
        for folder in folders:
            os.close(folder)


def _walk(folders: List[int], parts: List[str], rights: _Rights) -> None:
    """Hold what a path leads to, and each folder on its way from the first of ``folders``. Raises OSError."""
    links = 0
    while parts:
        part = parts.pop(0)
        if part == "..":
            if len(folders) > 1:
                os.close(folders.pop())
            continue
        held = os.open(native(part), os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folders[-1])
        folders.append(held)
        status = os.fstat(held)
        if not stat.S_ISLNK(status.st_mode):
            continue
        target = bytewise(os.readlink("", dir_fd=held))
        os.close(folders.pop())
        links += 1
        if links > LIMIT_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        rights.of(Reader(status.st_uid, [status.st_gid]))
        if target.startswith("/"):
            while len(folders) > 1:
                os.close(folders.pop())
        parts = _parts(target) + parts


def _check_names(folders: List[int]) -> None:
    """Raise OSError where whoever may write a folder could have put somebody else's file into it by a hard link."""
    status = os.fstat(folders[-1])
    if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
        folder = os.fstat(folders[-2])
        if not only_roots(folder) and (folder.st_uid != status.st_uid or folder.st_mode & 0o022):
            raise OSError(
                errno.EPERM, "it has several names (hard links), and others than its owner may write its folder"
            )


def _mount(descriptor: int) -> Optional[str]:
    """The number of the mount on which an open file is; None where the kernel does not say."""
    with open("/proc/self/fdinfo/%d" % descriptor) as stream:
        return next((line.split()[1] for line in stream if line.startswith("mnt_id:")), None)


def _check_mount(descriptor: int, home: Optional[str], by_others: bool) -> None:
    """Raise OSError where a file is not on the mount of its home and root has not led there.

    (A file's device may differ from its folder's on one mount: overlays, subvolumes.)
    """
    mount = _mount(descriptor)
    if mount is not None and mount == home:
        return
    if by_others:
        raise OSError(errno.EXDEV, "a link that is not root's leads to another file system")
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as stream:
        options = [line.split()[-1] for line in stream if line.split()[0] == mount]
    # Users mount programs of theirs as file systems (FUSE).
    if not options or re.search(r"(?:^|,)user_id=[1-9]", options[0]):
        raise OSError(
            errno.EXDEV, "it is on another file system than its home, and root is not known to have mounted that"
        )


def text_of_open(descriptor: int, status: os.stat_result, path: str) -> str:
    """The bytes of an open file as Latin-1 text; it is closed. Raises OSError, also for a file over the limit."""
    with os.fdopen(descriptor, "rb") as stream:
        if status.st_size > LIMIT_SIZE:
            raise OSError(errno.EFBIG, "larger than %d bytes" % LIMIT_SIZE, path)
        return stream.read(LIMIT_SIZE + 1).decode("latin-1")


def names_in(place: str) -> List[str]:
    """Names in a folder as Python's functions know it; of one with too many as many as show that."""
    with os.scandir(place) as entries:
        return [bytewise(entry.name) for entry in itertools.islice(entries, limits.NAMES + 1)]


def way_to(descriptor: int) -> str:
    """A name of an open folder, for what takes its number in Python 3.7 and later only."""
    return "/proc/self/fd/%d" % descriptor


def too_many(names: Sized) -> str:
    """Why names are not looked through; empty where they are."""
    return "the folder has more than %d names" % limits.NAMES if len(names) > limits.NAMES else ""


def _parts(path: str) -> List[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


class _Problem(NamedTuple):
    """Why there is no answer, as it was said the first time; an error itself would hold on to what was under way."""

    number: int
    reason: str
    path: Optional[str]


class _Memory:
    """What one reading has found, so that each path is asked for once: also what is not there, or cannot be read.

    Where it is full, what was asked is forgotten and asked anew. A file that has become another one meanwhile is an
    error then: two states of it must not be told as one.
    """

    def __init__(self) -> None:
        self.content: Dict[str, str] = {}
        self.size = 0  # of it, in bytes
        self.let_go: Dict[str, int] = {}  # of content that is not kept any more, by what it can be told
        self.too_large: Set[str] = set()
        self.answers: Dict[Tuple[str, str], Any] = {}
        self.links: Dict[str, Optional[str]] = {}
        self.folders: Dict[str, str] = {"": "/"}
        self.made: Dict[Tuple[str, Optional[str], str], Any] = {}
        self.made_of = [0]  # characters

    def once(self, question: str, path: str, work: Callable[[], Any]) -> Any:
        """What ``work`` returns, or raises as OSError, the first time that this is asked of a path. Raises Silent."""
        key = question, path
        if key not in self.answers:
            if len(self.answers) >= LIMIT_ANSWERS:
                self.answers.clear()
            try:
                self.answers[key] = work()
            except Silent:
                raise
            except OSError as error:
                self.answers[key] = _Problem(error.errno or errno.EIO, error.strerror or str(error), error.filename)
        answer = self.answers[key]
        if isinstance(answer, _Problem):
            raise OSError(*answer)
        return answer

    def keep(self, path: str, content: str) -> None:
        """Remember the content of a file. Raises OSError where it was another one before."""
        if self.content.get(path, content) != content or self.let_go.get(path, hash(content)) != hash(content):
            raise OSError(errno.ESTALE, "it was changed while this host was read", path)
        self.size += 0 if path in self.content else len(content)
        if self.size > LIMIT_KEPT:
            self.let_go.update((name, hash(text)) for name, text in self.content.items())
            self.content.clear()
            self.size = len(content)
        self.content[path] = content


class HostFiles:
    """Files as a process on the host sees them; ``root`` is where its file system is mounted.

    Symbolic links are resolved below ``root``, so an image never leads to the files of the machine that
    inspects it. Files are opened with the rights of ``reader``, if given. ``candidate`` content stands in
    for a file that is not written yet (None: the file is gone). Text is Latin-1, one character a byte.
    Everything but ``test`` raises :class:`Silent` for what lies on a file system that does not answer, and for a folder
    with more names than are looked through.

    A view is one reading: what is asked twice has the same answer, so that all that is said of a host fits together.
    :meth:`anew` begins the next one.
    """

    def __init__(self, root: str = "/", reader: Optional[Reader] = None) -> None:
        self.root = root.rstrip("/") or "/"
        self._reader = reader
        self._memory = _Memory()
        self._candidates: Dict[str, Optional[str]] = {}
        self.host = self  # whose names the places of what is read have
        self.views: Dict[Any, _Memory] = {}  # of services that have other mounts, see launch/_service_files
        self.service_roots: Set[str] = set()  # roots of services: what belongs to packages in them is not edited either
        self.unread: Dict[str, str] = {}  # profiles on file systems that do not answer, and why; see shell/_login
        self.work = [0]  # what following launch files has cost so far, see shell/_words
        self.variables: FrozenSet[str] = frozenset()  # of the environment, that somebody asks for; see shell/_login

    def anew(self) -> "HostFiles":
        """Another reading of the same files: after a write, and to see whether somebody else has written meanwhile.

        Nothing that was read is taken over, only what was made of texts: of the same text the same is made.
        """
        view = HostFiles(self.root, self._reader)
        view._memory.made, view._memory.made_of = self._memory.made, self._memory.made_of
        view.variables = self.variables
        return view

    def with_candidates(self, candidates: Dict[str, Optional[str]]) -> "HostFiles":
        """The same view with other content in some files."""
        view = HostFiles(self.root, self._reader)
        view._memory = self._memory
        view.views = self.views
        view.service_roots = self.service_roots
        view.unread = self.unread
        view.work = self.work
        view.variables = self.variables
        view._candidates = dict(self._candidates)
        view._candidates.update(candidates)
        return view

    def once(self, question: str, path: str, work: Callable[[], Any]) -> Any:
        """What ``work`` makes of a file (or its OSError) the first time it is asked; of a candidate, each time."""
        return work() if self._is_candidate(path) else self._memory.once(question, path, work)

    def known(self, question: str, path: str) -> Any:
        """What :meth:`once` has remembered; None where it was not asked, or there was an error."""
        answer = self._memory.answers.get((question, path))
        return None if isinstance(answer, _Problem) else answer

    def _is_candidate(self, path: str) -> bool:
        return path in self._candidates

    def made(self, kind: str, path: Optional[str], text: str, make: Callable[[], Any]) -> Any:
        """What ``make`` makes of a text that stands in a file, made once. Nobody may change it."""
        memory = self.host._memory
        key = kind, path, text
        if key not in memory.made:
            made = make()
            memory.made_of[0] += len(text)
            if memory.made_of[0] > LIMIT_MADE:
                memory.made.clear()
                memory.made_of[0] = len(text)
            memory.made[key] = made
        return memory.made[key]

    def _look(self, place: str, work: Callable[[], Any]) -> Any:
        # Whoever names an image says where to look.
        return look(place, work) if self.root == "/" else work()

    def asked(self, path: str, work: Callable[[], Any]) -> Any:
        """What ``work`` (anything that JSON knows) makes of a path; OSError, Silent where nothing answers there."""
        return self._look(self.resolve(path), work)

    def _status(self, place: str, follow: bool = True) -> os.stat_result:
        def asked() -> os.stat_result:
            return os.stat_result(self._look(place, lambda: list(os.stat(place, follow_symlinks=follow))))

        status: os.stat_result = self._memory.once("status" if follow else "own status", place, asked)
        return status

    def resolve(self, path: str) -> str:
        """Path on this machine as Python's functions want it, links resolved below the root. Raises OSError."""
        return self._join(self.canonical(path))

    def _join(self, path: str) -> str:
        return native(path) if self.root == "/" else self.root + native(path)

    def canonical(self, path: str) -> str:
        """The path without links, as seen from the root. Raises OSError."""
        folder, _slash, name = path.rpartition("/")
        if name in ("", ".", "..") or not path.startswith("/"):
            return self._canonical(path)
        # A survey comes by the same folders thousands of times.
        folders = self._memory.folders
        if folder not in folders:
            folders[folder] = self._canonical(folder)
        place = folders[folder].rstrip("/") + "/" + name
        return place if self._link(place) is None else self._canonical(path)

    def may_be_edited(self, path: str) -> bool:
        """Whether a file is an installation's own: none of a package, none that others read. Links are followed."""
        try:
            names = ["/" + "/".join(_parts(path)), self.canonical(path)]
        except OSError:
            return False
        names += [name[len(root) :] for name in names for root in self.service_roots if name.startswith(root + "/")]
        return not any(map(_NOT_TO_EDIT.match, names))

    def origin(self, path: str) -> str:
        """The host's name of a file; another one only where a service sees other files."""
        return path

    def _canonical(self, path: str) -> str:
        parts = _parts(path)
        done: List[str] = []
        links = 0
        while parts:
            part = parts.pop(0)
            if part == "..":
                done = done[:-1]
                continue
            here = "/" + "/".join(done + [part])
            target = self._link(here)
            if target is None:
                done.append(part)
                continue
            links += 1
            if links > LIMIT_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            if target.startswith("/"):
                done = []
            parts = _parts(target) + parts
        return "/" + "/".join(done)

    def _link(self, path: str) -> Optional[str]:
        """Where a link leads; None for anything else. Asked once: a survey comes by a folder thousands of times."""
        links = self._memory.links
        if path not in links:
            place = self._join(path)
            try:
                links[path] = bytewise(self._look(place, lambda: os.readlink(place)))
            except Silent:
                raise
            except OSError:
                links[path] = None
        return links[path]

    def target(self, path: str) -> Optional[str]:
        """Where a link leads, as it says; None for what is no link. Raises OSError."""
        folder, _slash, name = path.rpartition("/")
        return self._link(self.canonical(folder).rstrip("/") + "/" + name) if name else None

    def open(self, path: str) -> Tuple[int, os.stat_result]:
        """Open a regular file; a link that is not root's is followed with the rights of whoever made it. OSError."""
        folder, _slash, name = path.rpartition("/")
        if self._reader is None and path == "/" + "/".join(_parts(path)) and self._is_roots(folder):
            place = self.canonical(folder).rstrip("/") + "/" + name
            if self._link(place) is None:
                return open_regular(self._join(place), os.O_NOFOLLOW)
        return _open_step_by_step(self.root, None, path, stat.S_IFREG, self._reader)

    def _entries(self, path: str) -> List[str]:
        if self.canonical(path) == path:
            return names_in(self._join(path))
        return self._listed(None, path)

    def open_below(self, home: str, path: str) -> Tuple[int, os.stat_result]:
        """Open a regular file of a home: of a folder that is not root's. Raises OSError."""
        return _open_step_by_step(self.root, home, path, stat.S_IFREG)

    def list_below(self, home: str, path: str) -> List[str]:
        """Names in a folder of a home. Raises OSError, also where there are too many."""
        names: List[str] = self._memory.once("names below " + home, path, lambda: self._listed(home, path))
        if too_many(names):
            raise OSError(errno.E2BIG, too_many(names), path)
        return names

    def _listed(self, home: Optional[str], path: str) -> List[str]:
        descriptor, _status = _open_step_by_step(self.root, home, path, stat.S_IFDIR)
        try:
            return names_in(way_to(descriptor))
        finally:
            os.close(descriptor)

    def folder_below(self, home: str, path: str) -> os.stat_result:
        """What is known of a folder of a home itself. Raises OSError."""
        descriptor, status = _open_step_by_step(self.root, home, path, stat.S_IFDIR)
        os.close(descriptor)
        return status

    def _is_roots(self, folder: str) -> bool:
        """Whether a folder, and each above it below the root, is root's; a link if it leads to such a folder, too."""
        above = ""
        for name in [""] + _parts(folder):  # a loop: anybody may name a folder of as many parts as he likes
            path = above + "/" + name if name else ""
            work = partial(self._is_roots_own, above, name)
            if name == ".." or not self._memory.once("is root's", path, work):
                return False
            above = path
        return True

    def _is_roots_own(self, above: str, name: str) -> bool:
        """The same of one folder, where all above it are root's."""
        try:
            place = self.canonical(above).rstrip("/") + "/" + name
            target, status = self._link(place), os.lstat(self._join(place))
            if target is not None:
                self.canonical(above + "/" + name)  # links in a circle are an error
        except OSError:
            return False
        if target is None:
            return only_roots(status)
        if status.st_uid not in (0, os.geteuid()):
            return False
        return self._is_roots(target if target.startswith("/") else above + "/" + target)

    def weak_spot(self, path: str, nobodys: FrozenSet[int] = frozenset()) -> Optional[Tuple[str, os.stat_result]]:
        """The first folder, link or file on the way to a path that others than root may change; None for none.

        The groups ``nobodys`` have no members who are not root.
        """
        root = 0 if self.root == "/" else os.geteuid()  # whoever makes an image is its root to be
        parts, done, links = _parts(path), [], 0  # type: List[str], List[str], int
        while parts and links <= LIMIT_LINKS:
            part = parts.pop(0)
            if part == "..":
                done = done[:-1]
                continue
            here = "/" + "/".join(done + [part])
            try:
                target = self._link(here)
                status = self._status(self._join(here), False)
            except OSError:
                return None  # it is not there, or its file system does not answer
            sticky = parts and status.st_uid == 0 and status.st_mode & stat.S_ISVTX
            open_to = 0o002 if status.st_gid in nobodys and not self._has_access_list(here) else 0o022
            if status.st_uid not in (0, root) or (target is None and status.st_mode & open_to and not sticky):
                return here, status
            if target is None:
                done.append(part)
                continue
            links += 1
            done = [] if target.startswith("/") else done
            parts = _parts(target) + parts
        return None

    def _has_access_list(self, path: str) -> bool:
        try:
            return "system.posix_acl_access" in os.listxattr(self._join(path), follow_symlinks=False)
        except OSError:
            return False  # a file system without them

    def read(self, path: str) -> str:
        """A regular file's bytes as Latin-1 text; raises OSError (also for a file over the limit)."""
        if path in self._candidates:
            candidate = self._candidates[path]
            if candidate is None:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
            return candidate
        memory = self._memory
        if path not in memory.content:
            self._first(path)
        if path not in memory.content:  # it is a program, or was let go
            if path in memory.too_large:
                raise OSError(errno.EFBIG, "larger than %d bytes" % LIMIT_SIZE, path)
            memory.keep(path, self._look(self.resolve(path), lambda: text_of_open(*self.open(path), path)))
        return memory.content[path]

    def _first(self, path: str) -> str:
        """The first bytes of a regular file. It is opened once, so what may be text is read whole. Raises OSError."""

        def taken() -> List[Any]:
            descriptor, status = self.open(path)
            with os.fdopen(descriptor, "rb") as stream:
                first = stream.read(_HEAD).decode("latin-1")
                if first.startswith(BINARIES) or status.st_size > LIMIT_SIZE:
                    return [first, None, status.st_size > LIMIT_SIZE]
                return [first, first + stream.read(LIMIT_SIZE + 1 - len(first)).decode("latin-1"), False]

        def asked() -> str:
            first, content, too_large = self._look(self.resolve(path), taken)
            if content is not None:
                self._memory.keep(path, content)
            if too_large:
                self._memory.too_large.add(path)
            return str(first)

        return str(self._memory.once("first bytes", path, asked))

    def head(self, path: str, count: int = 2) -> bytes:
        """The first bytes of a regular file (128 at most), empty where it cannot be read."""
        if self._candidates.get(path) is not None:
            return (self._candidates[path] or "").encode("latin-1")[:count]
        try:
            return self._first(path).encode("latin-1")[:count]
        except Silent:
            raise
        except OSError:
            return b""

    def exists(self, path: str) -> bool:
        """True where something is there (a dangling link counts as nothing)."""
        if path in self._candidates:
            return self._candidates[path] is not None
        try:
            canonical = self.canonical(path)
            if canonical != _NULL:  # an image need not have devices
                self._status(self._join(canonical))
        except Silent:
            raise
        except OSError:
            return False
        return True

    def is_masked(self, path: str) -> bool:
        """True for a unit file or drop-in that is a link to /dev/null, or empty."""
        if path in self._candidates:
            return self._candidates[path] == ""
        try:
            canonical = self.canonical(path)
            if canonical == _NULL:
                return True
            status = self._status(self._join(canonical))
        except Silent:
            raise
        except OSError:
            return False
        return stat.S_ISREG(status.st_mode) and status.st_size == 0

    def list(self, path: str) -> List[str]:
        """Names in a folder, sorted; empty where there is none."""
        try:
            found = self.asked_names(path)
        except Silent:
            raise
        except OSError:
            found = []
        if not self._candidates:
            return found
        names = set(found)
        for candidate, content in self._candidates.items():
            folder, _slash, name = candidate.rpartition("/")
            if folder == path:
                names.discard(name)
                if content is not None:
                    names.add(name)
            elif content is not None and folder.startswith(path + "/"):
                names.add(folder[len(path) + 1 :].partition("/")[0])  # a file makes its folders
        return sorted(names)

    def asked_names(self, path: str) -> List[str]:
        """Names in a folder that is there, sorted. Raises OSError where it cannot be listed."""
        found = self._there(path)
        if too_many(found):
            raise Silent(too_many(found), path)
        return list(found)

    def _there(self, path: str) -> List[str]:
        def asked() -> List[str]:
            return sorted(self._look(self.resolve(path), lambda: self._entries(path)))

        names: List[str] = self._memory.once("names", path, asked)
        return names

    def is_refused(self, path: str) -> bool:
        """Whether whoever asks may not look into a file or folder, so that nothing is known of what is in it."""
        try:
            if self.test("d", path):
                self._there(path)
            else:
                self._first(path)
        except PermissionError:
            return True
        except Silent:
            raise
        except (OSError, ValueError):
            pass
        return False

    def glob(self, path: str) -> List[str]:
        """Paths that match a pattern, as seen from the root and never outside it, sorted. Raises OSError."""
        found = ["/"]
        for part in [part for part in path.split("/") if part]:
            stems = [stem.rstrip("/") + "/" for stem in found]
            if not re.search(r"[*?\[]", part):
                found = [stem + part for stem in stems]
                continue
            from ..text._characters import Value
            from ..text._pattern import Pattern  # only units with such a path need it

            matches = Pattern(Value.of(part)).match
            found, seen = [], 0
            for stem in stems:
                names = self.list(stem.rstrip("/") or "/")
                seen += len(names)
                if seen > limits.NAMES:
                    raise OSError(errno.E2BIG, "leads to more than %d names" % limits.NAMES, path)
                found += [
                    stem + name
                    for name in names
                    if matches(name) and (part.startswith(".") or not name.startswith("."))
                ]
                if len(found) > LIMIT_FOUND:
                    raise OSError(errno.E2BIG, "stands for more than %d files" % LIMIT_FOUND, path)
        return sorted(name for name in found if self._is_listed(name))

    def _is_listed(self, path: str) -> bool:
        # As glob(3): a dangling link is there.
        folder, _slash, name = path.rpartition("/")
        return self.exists(path) or name in self.list(folder or "/")

    def test(self, operator: str, path: str) -> Optional[bool]:
        """What ``[ -operator path ]`` says for the service, or None where that cannot be known."""
        if not path.startswith("/"):
            return None if path else False
        try:
            if operator in "hL":
                folder, _slash, name = path.rstrip("/").rpartition("/")
                status = self._status(self._join(self.canonical(folder).rstrip("/") + "/" + name), False)
            else:
                status = self._status(self.resolve(path))
        except FileNotFoundError:
            return False
        except OSError:
            return None
        if operator in "hL":
            return stat.S_ISLNK(status.st_mode)
        if operator in "erw":
            return True
        if operator == "x":
            return stat.S_ISDIR(status.st_mode) or bool(status.st_mode & 0o111)
        if operator == "f":
            return stat.S_ISREG(status.st_mode)
        if operator == "d":
            return stat.S_ISDIR(status.st_mode)
        if operator == "s":
            return status.st_size > 0
        return None

    def dialect(self, program: str) -> str:
        """``dash`` or ``bash``: which shell a program's name or path stands for on this host."""
        name = program.rsplit("/", 1)[-1]
        if name == "sh":
            try:
                name = self.canonical("/bin/sh").rsplit("/", 1)[-1]
            except OSError:
                name = "bash"
        return "dash" if name in ("dash", "ash", "busybox") else "bash"

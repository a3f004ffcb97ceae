# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service as its unit and drop-ins define it, put together of their settings.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import re
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from ..host._files import HostFiles
from ..text._characters import EMPTY, Value
from ..text._value import Unresolvable, line_of
from ._commands import commands_of
from ._environment import Variable, assignment_of, passed_on, read_environment_files, session, unset
from ._service_files import Mounts, mounts_of, seen
from ._specifiers import Specifiers
from ._unit_syntax import NOT_UTF8, Setting, split_words


class Unit(NamedTuple):
    """A service as the files, or the service manager, define it."""

    name: str
    fragment: Optional[str]
    source: Optional[str]  # the init script that a generated unit stands for
    drop_ins: Tuple[str, ...]
    environment: Dict[str, Variable]
    exec_start: Tuple[Tuple[Value, ...], ...]  # program and arguments, variables not yet put in
    user: str
    masked: bool = False
    environment_files: Tuple[str, ...] = ()
    before: Tuple[Tuple[Value, ...], ...] = ()  # commands that are run before
    doubt: Optional[Tuple[str, Optional[str]]] = None  # why it cannot be told what starts, and the file that says so
    overlays: Tuple[Tuple[str, str], ...] = ()  # where the service sees other files than the host has, and by what
    folder: Optional[str] = None  # where it is started; None: not known
    mounts: Mounts = ()  # what of the host it sees, and where
    refused: bool = False  # the doubt is that systemd does not start it at all
    unread: Optional[Tuple[str, str, int]] = None  # what seems to belong to its command, and where it stands


class Loaded(NamedTuple):
    """What the service manager has loaded for a unit, and its state."""

    unit: Unit
    load_state: str
    active_state: str
    control_group: str
    need_reload: bool
    sub_state: str = ""
    result: str = ""  # of its last run: success, exit-code, start-limit-hit, …
    restarting: bool = False  # it ends again and again, and the service manager starts it anew


def build(name: str, fragment: str, drop_ins: Tuple[str, ...], settings: Sequence[Setting], files: HostFiles) -> Unit:  # noqa: C901 -- one branch a setting
    """Put the settings of a service together."""
    environment: Dict[str, Variable] = {}
    environment_files: List[str] = []
    taken: List[str] = []
    exec_start: List[Tuple[Value, ...]] = []
    before: List[Tuple[Value, ...]] = []
    passed: Dict[str, Variable] = {}
    doubt: Optional[Tuple[str, Optional[str]]] = None
    refused: Optional[Tuple[str, Optional[str]]] = None
    stopped: Optional[str] = None
    last: Dict[str, str] = {}
    pam: Optional[Setting] = None
    roots: Dict[str, str] = {}
    overlays: List[Tuple[str, str]] = []
    user = ""
    folder = EMPTY
    binds: List[str] = []
    above = False  # a command that need not be in the root
    mounts: Mounts = ()
    source: Optional[str] = None
    specifiers = Specifiers(name, files)
    after: Optional[str] = None  # whose ExecStart= was the setting before
    unread: List[Setting] = []
    for setting in settings:
        text = setting.value.text
        if setting.key == NOT_UTF8:
            raise Unresolvable(
                "systemd does not read on at a line that is no UTF-8",
                setting.path,
                line_of(files.read(setting.path), setting.position),
            )
        if setting.section == "Unit" and setting.key == "SourcePath":
            source = text
        # Of a drop-in with such an error systemd reads no more.
        if setting.section == "Unit" and setting.key == "SuccessAction":
            last[setting.key] = "" if text == "none" else text
        if setting.section != "Service" or setting.path == stopped:
            continue
        if not _KEY.match(setting.key):
            unread.extend([setting] if after == setting.path else [])
            continue
        after = setting.path if setting.key == "ExecStart" else None
        if setting.key == "Environment":
            if not text:
                environment = {}
            for word in split_words(setting.value):
                expanded = specifiers.put_in(word)
                pair = assignment_of(expanded) if expanded is not None else None
                if pair is not None and expanded is not None:
                    first = next((run for run in expanded if run.path), None)
                    environment[pair[0]] = Variable(
                        pair[1], setting.path, first.position if first else setting.position, "Environment"
                    )
        elif setting.key == "EnvironmentFile":
            if not text:
                environment_files = []
            entry = specifiers.text(setting.value) or ""
            if entry.startswith(("/", "-/")):  # else systemd passes the line over
                environment_files.append(entry)
        elif setting.key == "UnsetEnvironment":
            words = [specifiers.put_in(word) for word in split_words(setting.value)]
            taken.extend(word.text for word in words if word is not None)
            if not text:
                taken = []
        elif setting.key in _EXEC:
            commands, reason = commands_of(setting.value, specifiers)
            above = above or setting.key == "ExecStart" and re.match(r"[@\-:!|]*\+", text) is not None
            if setting.key == "ExecStart":
                exec_start = exec_start + commands if text else []
                unread = unread if text else []
            elif setting.key in ("ExecStartPre", "ExecCondition"):
                before = before + commands if text else []
            elif setting.key == "ExecStop":
                last[setting.key] = text
            if reason and setting.path == fragment:
                refused = refused or ("systemd refuses the unit: %s= has %s" % (setting.key, reason), fragment)
            elif reason:
                stopped = setting.path
        elif setting.key in ("BusName", "Restart") or setting.key == "Type" and (text in _TYPES or not text):
            last[setting.key] = text
        elif setting.key == "WorkingDirectory":
            expanded = specifiers.put_in(setting.value)
            path = (expanded or EMPTY).text
            optional = text.startswith("-")
            whole = path.lstrip("-").startswith("/") and path[:2] != "--" and not _leads_up(path)
            if not text or text in ("~", "-~") or whole:
                folder = expanded or EMPTY
            elif expanded is not None and expanded.unknown(True):
                folder = expanded
            elif not optional and setting.path == fragment:
                refused = refused or (
                    "systemd refuses the unit: WorkingDirectory= is no absolute path without ..",
                    fragment,
                )
            elif not optional:
                stopped = setting.path
        elif setting.key in ROOTS:
            path = specifiers.text(setting.value) or ""
            roots[setting.key] = path
            if text and (not path.startswith("/") or _leads_up(path)):
                roots[setting.key] = ""
                if setting.path == fragment:
                    refused = refused or (
                        "systemd refuses the unit: %s= is no absolute path without .." % setting.key,
                        fragment,
                    )
                else:
                    stopped = setting.path
        elif setting.key in BINDS:
            words = [specifiers.put_in(word) for word in split_words(setting.value)]
            binds = binds + ["?" if word is None or word.unknown(True) else word.text for word in words] if text else []
        elif setting.key in _OVERLAYS:
            overlays = [one for one in overlays if text or one[1] != setting.key + "="]
            overlays.extend(
                overlaid(setting.key, (specifiers.put_in(word) or EMPTY).text) for word in split_words(setting.value)
            )
        elif setting.key == "PAMName":
            pam = setting if text else None
        elif setting.key == "PassEnvironment":
            for word in split_words(setting.value):
                passed[word.text] = passed_on(word.text, setting.path, setting.position)
            passed = passed if text else {}
        elif setting.key == "User":
            user = specifiers.text(setting.value) or ""
    together = _refused(len(exec_start), last)
    if together:
        refused = refused or ("systemd refuses the unit: " + together, drop_ins[-1] if drop_ins else fragment)
    try:
        mounts, places = mounts_in(roots, binds, bool(before) or above, files)
        overlays.extend(places)
    except Unresolvable as error:
        doubt = (error.reason, fragment)
    overlays = [one for one in overlays if one[0]]
    environment = dict(passed, **environment)
    try:
        environment.update(read_environment_files(environment_files, files))
        if pam is not None:
            environment.update(session(specifiers.text(pam.value) or "", user, files))
    except Unresolvable as error:
        doubt = doubt or (error.reason, error.path)
    unset(environment, taken)
    return Unit(
        name,
        fragment,
        source,
        drop_ins,
        environment,
        tuple(exec_start),
        user,
        False,
        tuple(environment_files),
        tuple(before),
        refused or doubt,
        tuple(overlays),
        working_folder(folder.text, user, files, mounts) if folder.unknown(True) is None else None,
        mounts,
        refused is not None,
        _broken_off(exec_start, unread),
    )


_KEY = re.compile(r"[A-Za-z][\w-]*\Z")


def _broken_off(commands: Sequence[Tuple[Value, ...]], unread: Sequence[Setting]) -> Optional[Tuple[str, str, int]]:
    """What systemd passes over behind a command that ends too early: a blank line, or a blank behind a backslash."""
    text = "\n".join(setting.key + " " + setting.value.text for setting in unread)
    words = [word.text for word in commands[-1]] if commands else []
    if not words or any(re.search(r"\.[jw]ar\b", word) for word in words):
        return None
    is_java = words[0].rpartition("/")[2] == "java"
    if not re.search(r"(?<!\S)-jar\b|catalina\.startup\." + (r"|\.war\b" if is_java else ""), text):
        return None
    return text, unread[0].path, unread[0].position


def _leads_up(path: str) -> bool:
    """Whether systemd takes a path for not normalized (path_simplify_and_warn)."""
    return ".." in path.split("/")


def working_folder(path: str, user: str, files: HostFiles, mounts: Mounts = ()) -> Optional[str]:
    """Where a service is started, links resolved as ``pwd`` of a new shell does; None where that is not known.

    ``path`` is WorkingDirectory=, "-" first: the folder may be missing (what then comes of it is not known here,
    because systemd may make it itself).
    """
    optional = path.startswith("-")
    path = path[1:] if optional else path
    if path == "~":
        from ..shell._login import account

        path = account(files, user).get("HOME", "") if user else ""
        if not path:
            return None
    files = seen(files, mounts)
    try:
        if optional and not files.exists(path):
            return None
        return files.canonical(path or "/")
    except OSError:
        return None


#: Settings that give the service a root of its own, and those that show it folders of the host elsewhere.
ROOTS = ("RootDirectory", "RootImage")
BINDS = ("BindPaths", "BindReadOnlyPaths")
_OVERLAYS = frozenset(["TemporaryFileSystem", "MountImages", "ExtensionImages", "ExtensionDirectories"])


def mounts_in(
    roots: Dict[str, str], binds: Sequence[str], elsewhere: bool, files: HostFiles
) -> Tuple[Mounts, List[Tuple[str, str]]]:
    """What a service sees by such settings, and overlays of which the content is not known.

    Raises Unresolvable where none of it is known.
    ``elsewhere``: it has commands that may run with the host's root all the same (ExecStartPre=, "+").
    """
    image = roots.get("RootImage", "")
    if image.strip("/"):
        raise Unresolvable("RootImage=%s: the service sees other files than the host's, and they are not read" % image)
    root = roots.get("RootDirectory", "")
    mounts, places = mounts_of(root, binds, files)
    if root.strip("/") and elsewhere:
        raise Unresolvable(
            "RootDirectory=%s: which files its commands see that run before, or with '+', is not known" % root
        )
    return mounts, [("/" + place.strip("/"), "BindPaths=") for place in places]


def overlaid(setting: str, word: str) -> Tuple[str, str]:
    """Where a word of such a setting puts other files; an empty place where they are the same."""
    parts = re.split(r"(?<!\\):", word.lstrip("-+"))
    if setting.startswith("Extension"):
        place = "/"
    else:
        place = parts[0] if setting == "TemporaryFileSystem" else parts[1] if len(parts) > 1 else ""
    return ("/" + place.strip("/") if place else ""), setting + "="


#: Commands that only look at a file that they name, or change whose it is.
_LOOKS = frozenset(
    ["[", "cat", "chmod", "chown", "echo", "grep", "logger", "ls", "mkdir", "setfacl", "stat", "test", "true"]
)


def written_before(unit: Unit, paths: Sequence[str], files: HostFiles) -> Optional[str]:
    """Why one of these files may be another one when the unit has started: a command before may write it."""
    targets = [path for path in dict.fromkeys(paths) if path.startswith("/")]
    for command in unit.before:
        words = [word.text for word in command]
        text = " ".join(words)
        names_it = any(target in text for target in targets)
        for word in words:
            if word.startswith("/") and files.head(word) == b"#!":
                try:
                    text += "\n" + files.read(word)
                except OSError:
                    return "ExecStartPre= starts %s, which cannot be read" % word
        if "set-environment" in text:
            return "ExecStartPre= changes the environment of the service manager"
        for target in targets:
            folder, _slash, name = target.rpartition("/")
            place = folder if re.search(r"[*?\[]", name) else target
            only_looks = words[0].rsplit("/", 1)[-1] in _LOOKS
            into = re.search(
                r">\|?\s*[\"']?(?:%s/|\./|[^\s\"'>]*\$[^\s\"'>]*/)?%s(?![\w.-])" % (re.escape(folder), re.escape(name)),
                text,
            )
            if into or (place in text and not only_looks):
                return "ExecStartPre= may write %s before it is read" % target
        if unit.environment_files and not names_it and _is_foreign(words[0], files):
            return "ExecStartPre= starts %s, which may write its EnvironmentFile" % words[0]
    return None


def _is_foreign(program: str, files: HostFiles) -> bool:
    """Whether a program is none of the distribution's, and no script of a shell that can be read."""
    if re.match(r"(?:/usr)?/s?bin/", program) or "/" not in program:
        return False
    head = files.head(program, 64).decode("latin-1").split("\n")[0]
    return re.match(r"#!.*\b(?:sh|bash|dash|ksh)\b", head) is None


_TYPES = frozenset(["simple", "exec", "forking", "oneshot", "dbus", "notify", "notify-reload", "idle"])
_EXEC = frozenset(
    ["ExecStart", "ExecStartPre", "ExecCondition", "ExecStartPost", "ExecReload", "ExecStop", "ExecStopPost"]
)


def _refused(commands: int, last: Dict[str, str]) -> Optional[str]:
    """Why systemd refuses a service by its settings together (``service_verify``)."""
    kind = last.get("Type") or ("dbus" if last.get("BusName") else "simple" if commands else "oneshot")
    if not commands and (kind != "oneshot" or not (last.get("ExecStop") or last.get("SuccessAction"))):
        return "it has no ExecStart="
    if kind != "oneshot" and commands > 1:
        return "it has %d commands in ExecStart=, and is not of Type=oneshot" % commands
    if kind == "oneshot" and last.get("Restart") in ("always", "on-success"):
        return "Restart=%s is not allowed for Type=oneshot" % last["Restart"]
    return "it is of Type=dbus and has no BusName=" if kind == "dbus" and not last.get("BusName") else None

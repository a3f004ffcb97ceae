# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What logging in adds to the environment where a launch script changes the user: PAM's part and the profiles.

On Debian ``su`` opens a session with pam_env, so a ``_JAVA_OPTIONS`` in ``/etc/environment`` reaches the JVM of an
init script; a login shell (``su -l``) reads ``/etc/profile`` too. Private to this collection. Runs on the managed
host: Python 3.6+, standard library only.
"""

import re
from typing import Dict, Iterable, Iterator, List, Pattern, Sequence

from ..host._file_systems import Silent
from ..host._files import HostFiles
from ..java._jvm import ENVIRONMENT
from ..text._characters import EMPTY, Run, Value
from ..text._value import Unresolvable
from ._parser import BASH

ENVIRONMENT_FILE = "/etc/environment"
PROFILE = "/etc/profile"
_ACCOUNTS = "/etc/passwd"
#: Of the user's own the first that is there counts (bash(1), INVOCATION; dash(1)).
_OWN_PROFILES = {BASH: (".bash_profile", ".bash_login", ".profile")}
_SESSION = re.compile(r"-?session\s+(?:\[[^\]]*\]|\S+)\s+(\S+)\s*(.*)")
_SESSION_OR_AUTH = re.compile(_SESSION.pattern.replace("session", "(?:session|auth)"))
_INCLUDE = re.compile(r"(?:@include|-?session\s+(?:include|substack))\s+(\S+)")
_INCLUDE_OF_BOTH = re.compile(_INCLUDE.pattern.replace("session", "(?:session|auth)"))
_PAM_ENV_CONF = "/etc/security/pam_env.conf"
_MADE = re.compile(r"^[ \t]*([A-Za-z_][A-Za-z0-9_]*)[ \t]+(?:DEFAULT|OVERRIDE)=", re.MULTILINE)
_ASSIGNMENT = re.compile(r"^[ \t]*(?:export )?([A-Za-z0-9_]+)=([^\n#]*)", re.MULTILINE)
#: What a profile sources by a name that stands there.
_SOURCES = re.compile(r"(?:^|[\s;&|])(?:\.|source)[ \t]+[\"']?((?:~|\$\{?HOME\}?)?[\"']?/[\w./-]+)", re.MULTILINE)
_LIMIT_DEPTH = 10
_LIMIT_FILES = 50
_LIMIT_SOURCED = 200


def pam_environment(files: HostFiles, program: str, unasked: bool = False) -> Dict[str, Value]:
    """Variables that the PAM session of ``su``, ``runuser`` or ``sudo`` sets, over those that are there.

    With ``unasked`` nobody is authenticated (``PAMName=`` of a unit), and the modules for that set variables too.
    Raises Unresolvable where its configuration includes too many files.
    Source: Linux-PAM, pam_env(8) and ``_parse_env_file``. What pam_env.conf sets is not known: its values are made of
    other variables, and its stock file sets none.
    """
    found: Dict[str, Value] = {}
    for path in _environment_files(files, program, 0, [0], unasked):
        for match in _MADE.finditer(_text(files, _PAM_ENV_CONF)):
            reason = "%s sets $%s" % (_PAM_ENV_CONF, match.group(1))
            found[match.group(1)] = Value((Run("", files.origin(_PAM_ENV_CONF), match.start(1), False, reason),))
        for match in _ASSIGNMENT.finditer(_text(files, path)):
            found[match.group(1)] = _value(match.group(2), files.origin(path), match.start(2))
    return found


def _text(files: HostFiles, path: str) -> str:
    try:
        return files.read(path)
    except OSError:
        return ""


def _environment_files(files: HostFiles, service: str, depth: int, count: List[int], unasked: bool) -> Iterator[str]:
    count[0] += 1
    if count[0] > _LIMIT_FILES:
        raise Unresolvable("its PAM configuration includes more than %d files" % _LIMIT_FILES, "/etc/pam.d/" + service)
    try:
        lines: List[str] = files.read("/etc/pam.d/" + service).replace("\\\n", " ").split("\n")
    except OSError:
        return
    for line in lines if depth < _LIMIT_DEPTH else []:
        line = line.strip()
        include = (_INCLUDE_OF_BOTH if unasked else _INCLUDE).match(line)
        if include:
            yield from _environment_files(files, include.group(1), depth + 1, count, unasked)
        session = (_SESSION_OR_AUTH if unasked else _SESSION).match(line)
        if session is None or session.group(1).rsplit("/", 1)[-1] != "pam_env.so":
            continue
        options = session.group(2).split("#")[0].split()
        if "readenv=0" not in options:
            named = [option.partition("=")[2] for option in options if option.startswith("envfile=")]
            yield named[-1] if named else ENVIRONMENT_FILE


def _value(text: str, path: str, position: int) -> Value:
    # A quote at the start goes, and with it one at the end; nothing is escaped.
    if text[:1] in ("'", '"'):
        text, position = text[1:], position + 1
        if text[-1:] in ("'", '"'):
            text = text[:-1]
    return Value.of(text, path, position) if text else EMPTY


def account(files: HostFiles, user: str) -> Dict[str, str]:
    """What systemd and login tell a user's processes of the user (by name or number), if there is one."""
    for fields in accounts(files):
        if user in (fields[0], fields[2]):
            return {"HOME": fields[5].rstrip("/") or "/", "USER": fields[0], "LOGNAME": fields[0], "SHELL": fields[6]}
    return {}


def accounts(files: HostFiles) -> List[List[str]]:
    """The lines of /etc/passwd, each of seven fields or more; none where it cannot be read."""
    text = _text(files, _ACCOUNTS)

    def make() -> List[List[str]]:
        return [fields for fields in (line.split(":") for line in text.split("\n")) if len(fields) > 6]

    found: List[List[str]] = files.made("accounts", _ACCOUNTS, text, make)
    return found


def profiles(files: HostFiles, dialect: str, words: Sequence[str]) -> List[str]:
    """Profiles that ``su -l`` reads, where one of them may set JVM options; else none are worth a walk.

    ``words`` are those of the ``su`` command, the user's name among them.
    """
    accounts = [account(files, word) for word in words[1:] if not word.startswith("-")]
    home = next((one["HOME"] for one in accounts if one), "")
    return login_files(files, dialect, home, naming(files, ENVIRONMENT))


def naming(files: HostFiles, names: Iterable[str]) -> Pattern[str]:
    """What a text has in it that may set one of these variables, or one that somebody asks for."""
    return re.compile(r"\b(?:%s)\b" % "|".join(sorted({re.escape(name) for name in names} | files.variables)))


def login_files(files: HostFiles, dialect: str, home: str, sets: Pattern[str]) -> List[str]:
    """What a login shell reads, where the text of one of the files has a name of interest; else none.

    Raises Unresolvable where ``/etc/profile``, which reads the others, is not there.
    """
    paths = [PROFILE]
    if home:
        own = ["%s/%s" % (home.rstrip("/"), name) for name in _OWN_PROFILES.get(dialect, (".profile",))]
        try:
            paths.extend([path for path in own if files.exists(path)][:1])
        except Silent as error:  # a home that is dead must not cost the launch files, which are elsewhere
            files.unread[error.path] = error.reason
    folder = PROFILE + ".d"
    texts = paths + ["%s/%s" % (folder, name) for name in files.list(folder) if name.endswith(".sh")]
    for path in texts:  # which grows
        for name in _SOURCES.findall(_text(files, path)):
            named = re.sub(r"\A(?:~|\$\{?HOME\}?)[\"']?", lambda _match: home.rstrip("/"), name)
            if named not in texts and len(texts) < _LIMIT_SOURCED:
                texts.append(named)
    telling = [path for path in texts if sets.search(_text(files, path))]
    if telling and telling[0].startswith(folder) and not files.exists(PROFILE):
        raise Unresolvable("a login shell reads it, as /etc/profile says, and that is not there", telling[0])
    return [path for path in paths if files.exists(path)] if telling else []

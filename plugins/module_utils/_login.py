# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What logging in adds to the environment where a launch script changes the user: PAM's part and the profiles.

On Debian ``su`` opens a session with pam_env, so a ``_JAVA_OPTIONS`` in ``/etc/environment`` reaches the JVM of an
init script; a login shell (``su -l``) reads ``/etc/profile`` too. Private to this collection. Runs on the managed
host: Python 3.6+, standard library only.
"""

import re
from typing import Dict, Iterator, List, Sequence

from ._files import HostFiles
from ._jvm import ENVIRONMENT, Unresolvable
from ._patience import Silent
from ._shell_syntax import BASH, Run, Value

ENVIRONMENT_FILE = "/etc/environment"
PROFILE = "/etc/profile"
#: Of the user's own the first that is there counts (bash(1), INVOCATION; dash(1)).
_OWN_PROFILES = {BASH: (".bash_profile", ".bash_login", ".profile")}
_SETS_OPTIONS = re.compile(r"\b(?:%s)\b" % "|".join(ENVIRONMENT))
_SESSION = re.compile(r"-?session\s+(?:\[[^\]]*\]|\S+)\s+(\S+)\s*(.*)")
_INCLUDE = re.compile(r"(?:@include|-?session\s+(?:include|substack))\s+(\S+)")
_ASSIGNMENT = re.compile(r"^[ \t]*(?:export )?([A-Za-z0-9_]+)=([^\n#]*)", re.MULTILINE)
_LIMIT_DEPTH = 10
_LIMIT_FILES = 50


def pam_environment(files: HostFiles, program: str) -> Dict[str, Value]:
    """Variables that the PAM session of ``su``, ``runuser`` or ``sudo`` sets, over those that are there.

    Raises Unresolvable where its configuration includes too many files.
    Source: Linux-PAM, pam_env(8) and ``_parse_env_file``. pam_env.conf is not read: its values are made of
    other variables, and its stock file sets none.
    """
    found: Dict[str, Value] = {}
    for path in _environment_files(files, program, 0, [0]):
        try:
            content = files.read(path)
        except OSError:
            continue
        for match in _ASSIGNMENT.finditer(content):
            found[match.group(1)] = _value(match.group(2), path, match.start(2))
    return found


def _environment_files(files: HostFiles, service: str, depth: int, count: List[int]) -> Iterator[str]:
    count[0] += 1
    if count[0] > _LIMIT_FILES:
        raise Unresolvable("its PAM configuration includes more than %d files" % _LIMIT_FILES, "/etc/pam.d/" + service)
    try:
        lines: List[str] = files.read("/etc/pam.d/" + service).replace("\\\n", " ").split("\n")
    except OSError:
        return
    for line in lines if depth < _LIMIT_DEPTH else []:
        line = line.strip()
        include = _INCLUDE.match(line)
        if include:
            yield from _environment_files(files, include.group(1), depth + 1, count)
        session = _SESSION.match(line)
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
    return [Run(text, path, position)] if text else []


def profiles(files: HostFiles, dialect: str, words: Sequence[str]) -> List[str]:
    """Profiles that a login shell reads, where one of them may set JVM options; else none are worth a walk.

    ``words`` are those of the ``su`` command, the user's name among them.
    """
    paths = [PROFILE]
    home = _home(files, words)
    if home:
        own = ["%s/%s" % (home, name) for name in _OWN_PROFILES.get(dialect, (".profile",))]
        try:
            paths.extend([path for path in own if files.exists(path)][:1])
        except Silent as error:  # a home that is dead must not cost the launch files, which are elsewhere
            files.unread[error.path] = error.reason
    folder = PROFILE + ".d"
    texts = paths + ["%s/%s" % (folder, name) for name in files.list(folder) if name.endswith(".sh")]
    return [path for path in paths if files.exists(path)] if any(_sets_options(files, path) for path in texts) else []


def _sets_options(files: HostFiles, path: str) -> bool:
    try:
        return _SETS_OPTIONS.search(files.read(path)) is not None
    except OSError:
        return False


def _home(files: HostFiles, words: Sequence[str]) -> str:
    try:
        accounts = [line.split(":") for line in files.read("/etc/passwd").split("\n")]
    except OSError:
        return ""
    homes = {fields[0]: fields[5].rstrip("/") for fields in accounts if len(fields) > 5}
    return next((homes[word] for word in words[1:] if word in homes), "")

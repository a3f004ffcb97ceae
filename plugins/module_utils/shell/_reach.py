# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a program's text may lead to, at a glance: whether following it can come to a JVM at all.

A host has a hundred services of which one is of interest, and to follow a script is dear. So the texts that a command
may come to (scripts that it names, at any depth) are searched for the words without which no JVM is started. Every file
that may be one of them is looked at, whether it is reached or not; where a name is made of what is not known here, that
is said. Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import re
from typing import Dict, Iterator, List, NamedTuple, Optional, Set

from ..host._file_systems import Silent
from ..host._files import BINARIES, HostFiles

#: What a text that starts a JVM or a Tomcat has in it.
TELLS = re.compile(r"java|-jar\b|\.war\b|_WAR\b|catalina", re.IGNORECASE)
LIMIT_DEPTH = 12
LIMIT_FILES = 200  # that one command may come to
LIMIT_TEXT = 1 << 20
LIMIT_SOURCED = 1 << 17  # of what is no program by its first line
_ABSOLUTE = re.compile(r"(?<![\w.$}~*?\]/-])/[\w./@+:%,-]*[\w]")
#: A name made of a variable, or of where the script lies or works.
_COMPOSED = re.compile(
    r"\$\{?([A-Za-z_]\w*|[0-9])[^\s/\"';|&(){}]{0,40}\}?[\"']?((?:/[\w.@+-]+)+)"
    r"|(\$\([^()\n]*\)|`[^`\n]*`)[\"']?((?:/[\w.@+-]+)+)"
    r"|(?<![\w./$}\"'-])(\.{1,2})((?:/[\w.@+-]+)+)"
)
_ENTERED = re.compile(r"\bcd[ \t]+[\"']?(/[\w./@+-]+)")
_ASSIGNED = re.compile(r"(?:^|[\s;])([A-Za-z_]\w*)=[\"']?([^\s\"';&|]*)", re.MULTILINE)
#: Scripts that are named by a pattern, or by the folder of all of them; those of each day start nothing lasting.
_PATTERN = re.compile(r"\bfor[ \t]+\w+[ \t]+in[ \t]+[\"']?(/[\w./@+:%,-]*\*[\w.*-]*)")
_ALL_OF = re.compile(r"\brun-parts\b[^\n;&|/]{0,99}(/(?!etc/cron\.)[\w./-]+)")
_LIMIT_PATTERN = 50
_PYTHON = re.compile(r"#![^\n]*python")
_IMPORTS = re.compile(r"^[ \t]*(?:import[ \t]+([\w.]+)|from[ \t]+([\w.]+)[ \t]+import)", re.MULTILINE)
#: What packages bring names what they bring.
_PACKAGED = re.compile(r"/(?:usr/(?!local/)|bin/|sbin/|lib/)")
COMMENT = re.compile(r"^[ \t]*#.*$", re.MULTILINE)
_ENDS = re.compile(r"\.(?:pid|lock|log|sock|socket|tmp|out|err)\Z")
#: What holds no scripts; libraries of init scripts start no JVM, see shell/_builtins.
_PASSED_OVER = re.compile(
    r"/(?:proc|sys|dev|run|tmp)(?:/|\Z)"
    r"|/var/(?:run|lock|log|cache|mail|backups|lib/(?:apt|dpkg|systemd))(?:/|\Z)"
    r"|.*\.(?:jsonl?|xml|html?|css|csv|db|pem|crt|key|gz|log|pid|sock|so|py[co]|jar|war|class)\Z"
    r"|(?:/usr)?/lib/lsb/init-functions\Z|(?:/usr)?/lib/init/[a-z-]+\.sh\Z"
    r"|/etc/(?:rc\.d/)?init\.d/functions\Z|/etc/rc\.status\Z"
)


class Reached(NamedTuple):
    """What a text may come to."""

    tells: bool  # of a JVM, or of the product
    open: bool  # some of it has a name that is not known here
    texts: List[str]
    silent: Optional[Silent] = None  # some of it lies on a file system that does not answer


def reached(files: HostFiles, text: str, path: Optional[str] = None, directory: Optional[str] = None) -> Reached:  # noqa: C901 -- one branch a kind of node
    """What a text (that of the script ``path``, run in ``directory``) may come to."""
    texts: List[str] = []
    assigned: Dict[str, Set[str]] = {}
    seen: Set[str] = set()
    entered: List[str] = []  # where it works from some point on
    is_open = False
    silent: Optional[Silent] = None
    waiting = [(text, path, 0)]
    left: List[re.Match] = []  # type: ignore[type-arg]
    packaged: List[bool] = []  # for each of them: it stands in what a package brings, which starts no other's programs
    while waiting:
        now, place, depth = waiting.pop()
        texts.append(now)
        if depth >= LIMIT_DEPTH or len(seen) >= LIMIT_FILES:
            is_open = True
            continue
        now = COMMENT.sub("", now[:LIMIT_TEXT])
        for match in _ASSIGNED.finditer(now):
            assigned.setdefault(match.group(1), set()).add(match.group(2))
        names = _ABSOLUTE.findall(now)
        entered.extend(_ENTERED.findall(now))
        for match in _COMPOSED.finditer(now):
            folders = [place.rpartition("/")[0] if place else "", directory or ""] + entered
            rest = match.group(2) or match.group(4) or match.group(6)
            if _ENDS.search(rest):
                continue
            if match.group(1):
                left.append(match)
                packaged.append(place is not None and _PACKAGED.match(place) is not None)
                folders = []
            elif match.group(3) and not re.search(r"dirname|pwd|readlink|realpath", match.group(3)):
                is_open = is_open or place is None or not _PACKAGED.match(place)
            up = "/.." if match.group(5) == ".." else ""
            names.extend(folder + up + rest for folder in folders if folder)
            names.extend(_parent(folder) + rest for folder in folders if folder and match.group(3))
        own = place is None or not _PACKAGED.match(place)
        patterns = _PATTERN.findall(now) + [folder.rstrip("/") + "/*" for folder in _ALL_OF.findall(now)]
        for pattern in patterns if own else []:
            try:
                names.extend(files.glob(pattern)[:_LIMIT_PATTERN] if not _PASSED_OVER.match(pattern) else ())
            except Silent as error:
                is_open, silent = True, silent or error
            except OSError:
                is_open = True
        if place and (place.endswith(".py") or _PYTHON.match(texts[-1])):
            names.extend(
                "%s/%s.py" % (place.rpartition("/")[0], (first or second).replace(".", "/"))
                for first, second in _IMPORTS.findall(now)
            )
        for match in left:
            for value in assigned.get(match.group(1), ()):
                names.extend(_made(value, match.group(2), place, directory))
        for name in dict.fromkeys(names):
            if name not in seen and not _PASSED_OVER.match(name):
                seen.add(name)
                try:
                    content = script(files, name)
                except Silent as error:  # following it will tell whether it matters
                    is_open, silent = True, silent or error
                    continue
                if content is not None:
                    waiting.append((content, name, depth + 1))
    for match, theirs in zip(left, packaged):
        values = assigned.get(match.group(1), set())
        is_open = is_open or (not theirs and (not values or any("$" in value or "`" in value for value in values)))
    return Reached(any(TELLS.search(COMMENT.sub("", one)) for one in texts), is_open, texts, silent)


def _parent(folder: str) -> str:
    return folder.rpartition("/")[0]


def _made(value: str, rest: str, place: Optional[str], directory: Optional[str]) -> Iterator[str]:
    """What ``$VARIABLE/rest`` may be, with this value; what of it is a command is taken for where the script lies."""
    if value.startswith("/") and "$" not in value:
        yield value.rstrip("/") + rest
    elif re.match(r"\$\(|`|\.", value):
        for folder in filter(None, [place.rpartition("/")[0] if place else "", directory]):
            yield folder + rest
            yield _parent(folder) + rest


def script(files: HostFiles, path: str) -> Optional[str]:
    """The text of a file that a shell or another interpreter may run or source; None for programs and what is none."""
    return files.read(path) if files.once("may be a script", path, lambda: _may_be_script(files, path)) else None


def _may_be_script(files: HostFiles, path: str) -> bool:
    head = files.head(path, 4).decode("latin-1")
    if not head or head.startswith(BINARIES):
        return False
    try:
        text = files.read(path)
    except Silent:
        raise
    except OSError:
        return False
    return len(text) <= (LIMIT_TEXT if head.startswith("#!") else LIMIT_SOURCED) and "\0" not in text[:4096]


def reaches_jvm(files: HostFiles, text: str, path: Optional[str], directory: Optional[str] = None) -> bool:
    """Whether following a script can come to a JVM, as far as names tell."""
    if re.search(r"java|jar|war\b|catalina", text, re.IGNORECASE):
        return True
    found = reached(files, text, path, directory)
    return found.tells or found.open

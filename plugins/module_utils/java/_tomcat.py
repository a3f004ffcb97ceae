# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Jenkins or CloudBees wars a Tomcat serves: its command line names none, its folders do.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import re
from typing import Iterator, List, Sequence, Tuple

from ..host._file_systems import Silent
from ..host._files import HostFiles
from ..text._value import Unresolvable
from ._war import is_ours

#: The class that catalina.sh starts (Apache Tomcat, bin/catalina.sh).
BOOTSTRAP = "org.apache.catalina.startup.Bootstrap"
_BASE = "-Dcatalina.base="
_NOT_A_START = frozenset(["stop", "configtest", "version"])
_TOKEN = re.compile(r"<Context\b|>|\sdocBase\s*=\s*([\"'])")
LIMIT_FILES = 1000  # configuration files of one Tomcat
LIMIT_FOLDERS = 5000  # engines and hosts: names in their folders
LIMIT_SIZE = 16 << 20  # bytes of them together
LIMIT_APPLICATIONS = 5000  # that one Tomcat may serve


def starts(words: Sequence[str]) -> bool:
    """True where the words from the main class on start a server (they may also stop one)."""
    return bool(words) and words[0] == BOOTSTRAP and (len(words) == 1 or words[-1] not in _NOT_A_START)


def base_of(options: Sequence[str]) -> str:
    """``catalina.base`` among a JVM's options (the last one counts), an empty string where none is given."""
    found = [option[len(_BASE) :] for option in options if option.startswith(_BASE)]
    return found[-1] if found else ""


def wars(files: HostFiles, base: str) -> Tuple[str, ...]:
    """Paths of the Jenkins and CloudBees wars (or folders) that a Tomcat with this ``catalina.base`` serves.

    Raises Unresolvable, with the folder of its applications, where there are too many to look at, and where none is
    seen and something may not be looked into.
    """
    if not base.startswith("/"):
        return ()
    webapps, configuration = base.rstrip("/") + "/webapps", base.rstrip("/") + "/conf"
    names = files.list(webapps)
    unpacked = {name[: -len(".war")] for name in names if name.endswith(".war")}
    found = [
        "%s/%s" % (webapps, name)
        for name in names
        if name not in unpacked  # what Tomcat unpacked is the war beside it
        and (name.endswith(".war") or "." not in name)
    ]
    found = list(dict.fromkeys(found + _contexts(files, configuration, webapps)))
    if len(found) > LIMIT_APPLICATIONS:
        raise Unresolvable("its Tomcat has more than %d applications" % LIMIT_APPLICATIONS, webapps)
    ours = tuple(path for path in found if _is_ours(files, path))
    if not ours and any(map(files.is_refused, [webapps, configuration, configuration + "/server.xml"] + found)):
        raise Unresolvable("what its Tomcat serves may not be looked into; run with become", webapps)
    return ours


def _contexts(files: HostFiles, configuration: str, webapps: str) -> List[str]:
    """``docBase`` of the contexts in server.xml and in <Engine>/<Host>/*.xml."""
    texts = ["%s/server.xml" % configuration]
    looked = 0
    for engine in files.list(configuration):
        looked += 1
        for host in files.list("%s/%s" % (configuration, engine)):
            looked += 1
            if looked > LIMIT_FOLDERS:
                raise Unresolvable("its Tomcat has more than %d folders of configuration" % LIMIT_FOLDERS, webapps)
            folder = "%s/%s/%s" % (configuration, engine, host)
            texts.extend("%s/%s" % (folder, name) for name in files.list(folder) if name.endswith(".xml"))
            if len(texts) > LIMIT_FILES:
                raise Unresolvable("its Tomcat has more than %d configuration files" % LIMIT_FILES, webapps)
    found: List[str] = []
    size = 0
    for path in texts:
        try:
            content = _without_comments(files.read(path))
        except Silent:
            raise
        except OSError:
            continue
        size += len(content)
        if size > LIMIT_SIZE:
            raise Unresolvable("its Tomcat's configuration has more than %d bytes" % LIMIT_SIZE, webapps)
        found.extend(base if base.startswith("/") else "%s/%s" % (webapps, base) for base in _document_bases(content))
    return found


def _without_comments(text: str) -> str:
    parts: List[str] = []
    at = 0
    while True:
        begin = text.find("<!--", at)
        end = text.find("-->", begin + len("<!--")) if begin >= 0 else -1
        if end < 0:
            return "".join(parts) + text[at:]
        parts.append(text[at:begin])
        at = end + len("-->")


def _document_bases(text: str) -> Iterator[str]:
    """``docBase`` of each ``<Context …>``."""
    inside = False
    match = _TOKEN.search(text)
    while match is not None:
        at = match.end()
        quote = match.group(1)
        if quote is None:
            inside = match.group(0) != ">"
        elif inside:
            end = text.find(quote, at)
            if end >= 0:
                yield text[at:end]
                at, inside = end + 1, False
        match = _TOKEN.search(text, at)


def _is_ours(files: HostFiles, path: str) -> bool:
    # Tomcat unpacks a war into a folder of its name, whatever that is (ROOT.war).
    return is_ours(files, path) or (path.endswith(".war") and is_ours(files, path[: -len(".war")]))

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Jenkins or CloudBees wars a Tomcat serves: its command line names none, its folders do.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import re
from typing import List, Sequence, Tuple

from ._files import HostFiles
from ._patience import Silent

#: The class that catalina.sh starts (Apache Tomcat, bin/catalina.sh).
BOOTSTRAP = "org.apache.catalina.startup.Bootstrap"
_BASE = "-Dcatalina.base="
_NOT_A_START = frozenset(["stop", "configtest", "version"])
_OURS = re.compile(r"cloudbees|jenkins", re.IGNORECASE)
#: How the application's folder that Tomcat unpacks tells what it is, whatever its name (ROOT.war).
_MANIFEST = re.compile(r"^Jenkins-Version:", re.MULTILINE)
_DOCUMENT_BASE = re.compile(r"<Context\b[^>]*?\sdocBase\s*=\s*([\"'])(.*?)\1", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


def starts(words: Sequence[str]) -> bool:
    """True where the words from the main class on start a server (they may also stop one)."""
    return bool(words) and words[0] == BOOTSTRAP and (len(words) == 1 or words[-1] not in _NOT_A_START)


def base_of(options: Sequence[str]) -> str:
    """``catalina.base`` among a JVM's options (the last one counts), an empty string where none is given."""
    found = [option[len(_BASE):] for option in options if option.startswith(_BASE)]
    return found[-1] if found else ""


def wars(files: HostFiles, base: str) -> Tuple[str, ...]:
    """Paths of the Jenkins and CloudBees wars (or folders) that a Tomcat with this ``catalina.base`` serves."""
    if not base.startswith("/"):
        return ()
    webapps = base.rstrip("/") + "/webapps"
    names = files.list(webapps)
    found = ["%s/%s" % (webapps, name) for name in names
             if name + ".war" not in names  # what Tomcat unpacked is the war beside it
             and (name.endswith(".war") or "." not in name)]
    found.extend(_contexts(files, base.rstrip("/") + "/conf", webapps))
    return tuple(dict.fromkeys(path for path in found if _is_ours(files, path)))


def _contexts(files: HostFiles, configuration: str, webapps: str) -> List[str]:
    """``docBase`` of the contexts in server.xml and in <Engine>/<Host>/*.xml."""
    texts = ["%s/server.xml" % configuration]
    for engine in files.list(configuration):
        for host in files.list("%s/%s" % (configuration, engine)):
            folder = "%s/%s/%s" % (configuration, engine, host)
            texts.extend("%s/%s" % (folder, name) for name in files.list(folder) if name.endswith(".xml"))
    found = []
    for path in texts:
        try:
            content = _COMMENT.sub("", files.read(path))
        except Silent:
            raise
        except OSError:
            continue
        for match in _DOCUMENT_BASE.finditer(content):
            found.append(match.group(2) if match.group(2).startswith("/") else "%s/%s" % (webapps, match.group(2)))
    return found


def _is_ours(files: HostFiles, path: str) -> bool:
    if _OURS.search(path.rsplit("/", 1)[-1]):
        return True
    unpacked = path[:-len(".war")] if path.endswith(".war") else path
    try:
        return _MANIFEST.search(files.read(unpacked + "/META-INF/MANIFEST.MF")) is not None
    except Silent:
        raise
    except OSError:
        return False

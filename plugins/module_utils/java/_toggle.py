# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CloudBees' own checkbox: what bundles and configuration as code declare, and what lies in the JENKINS_HOME.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only. The files are the service's
user's, and opened as :mod:`_jenkins_home` does; a bundle may hold secrets, so nothing of it leaves but one boolean.
Core's own ``noUsageStatistics`` is another sender's, and is not read here.
"""

import os
import re
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ..host._files import LIMIT_SIZE, HostFiles, native, text_of_open
from ._jenkins_home import BROUGHT, CONFIGURED, MANIFEST, UNKNOWN, Unreadable, _children, _why, _zip_directory

BUNDLE = "core.casc.config.bundle"
CONFIG = "casc.jenkins.config"
VARIABLE = "CASC_JENKINS_CONFIG"
#: Where the checkbox stands in configuration as code; its names count in any case (BaseConfigurator.removeIgnoreCase).
KEYS = ("unclassified", "usageStatisticsCloudBees", "usageStatisticsCollected")
FIELD = KEYS[-1]
#: What the conversion of configuration as code makes a boolean of (commons-beanutils' BooleanConverter), in any case.
TRUE, FALSE = ("true", "yes", "y", "on", "1"), ("false", "no", "n", "off", "0")
SUFFIX = "UsageStatisticsCloudBees.xml"
INFERRED = "inferred name"
PROMOTED = "core-casc-bundle"
_WEB, _FILE = BROUGHT.decode().split("/")
CLOCK_SECONDS = 2  # see running/_facts, which is below this
LIMIT_FILES = 300
LIMIT_NAMES = 2000
LIMIT_READ = 16 << 20  # characters of all
LIMIT_PARSED = 384 << 10  # characters of those in which the checkbox is named
_YAML = re.compile(r"(?:.*\.(?:yml|yaml|YAML|YML))\Z", re.S)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
#: A key that may be another one than it looks like; where keys stand whose colon is elsewhere: behind a question mark,
#: or behind the alias of an anchor.
_ESCAPED_KEY = re.compile(r'"[^"\n\\]*\\[^"\n]*"[ \t]*:')
_ODD_KEY = re.compile(r'(?m)^(?:\xef\xbb\xbf)?[ ?:-]*\?["\'&!\s]|[{\[,]\s*\?|(?:^|[\s,:\[{])&[^\s&]')
#: What is an s or an i to Java where case does not count (String.equalsIgnoreCase), as bytes of UTF-8.
_ODD_LETTERS = (("\xc5\xbf", "s"), ("\xc4\xb1", "i"), ("\xc4\xb0", "i"))


class Untold(Unreadable):
    """The toggle is not known; the message says why, without any content of a file."""


class Casc(NamedTuple):
    """Where the options of the next start say that configuration as code lies; else the ``reason`` why not."""

    bundle: Optional[str] = None
    configs: Optional[Tuple[str, ...]] = None
    reason: str = ""
    #: The host's name of what the service calls so. Raises OSError.
    place: Callable[[str], str] = str


class _Sources:
    """Files of configuration as code, as they are read; what is found in them. Raises Unreadable beyond its limits."""

    def __init__(self, files: HostFiles, home: str) -> None:
        self.files = files
        self.home = home
        self.size = self.parsed = self.count = self.names = 0
        self.found: List[Tuple[bool, str, int]] = []
        self.times: Dict[str, float] = {}  # when a file was changed last

    def text(self, path: str) -> str:
        """Raises OSError."""
        below = path[len(self.home) :] if path.startswith(self.home + "/") else None
        opened = self.files.open(path) if below is None else self.files.open_below(self.home, below)
        self.times[path] = opened[1].st_mtime
        text = text_of_open(*opened, path)
        self.size += len(text)
        self.count += 1
        if len(text) > LIMIT_SIZE or self.size > LIMIT_READ or self.count > LIMIT_FILES:
            raise Untold("%s: more than is read of configuration as code" % path)
        return text

    def list(self, path: str) -> List[str]:
        """Names in a folder, sorted. Raises OSError."""
        inside = path == self.home or path.startswith(self.home + "/")
        found = (
            self.files.list_below(self.home, path[len(self.home) :].lstrip("/"))
            if inside
            else self.files.asked_names(path)
        )
        self.names += len(found)
        if self.names > LIMIT_NAMES:
            raise Untold("%s: more names than are looked at for configuration as code" % path)
        return sorted(found)

    def take(self, path: str, depth: int = 0) -> None:
        """What a file says, or all files of a folder. Raises Unreadable."""
        try:
            try:
                text = self.text(path)
            except IsADirectoryError:
                if depth > 8:
                    raise Untold("%s: folders in folders" % path)
                if depth and self.files.target(path) is not None:
                    raise Untold("%s: a link to a folder, which configuration as code does not go into" % path)
                for name in self.list(path):
                    if not name.startswith("."):
                        self._of_folder(path + "/" + name, depth)
                return
        except OSError as error:
            raise Untold("%s: %s" % (path, _why(error)))
        if not _YAML.match(path):
            raise Untold("%s: it is not called .yaml or .yml, so it is not read by everybody" % path)
        self.take_text(text, path)

    def _of_folder(self, path: str, depth: int) -> None:
        if not _YAML.match(path):
            try:
                if not self.list(path):
                    return
            except (NotADirectoryError, FileNotFoundError):  # a file of another kind, or a link to nothing
                return
            except OSError as error:
                raise Untold("%s: %s" % (path, _why(error)))
        self.take(path, depth + 1)

    def take_text(self, text: str, path: str) -> None:
        found = None
        if may_name_it(text, path):
            self.parsed += len(text)
            if self.parsed > LIMIT_PARSED:
                raise Untold("%s: it is larger than is read for the toggle" % path)
            found = declared_in(text, path)
        if found is not None:
            self.found.append((found[0], path, found[1]))

    def take_bundle(self, folder: str) -> None:
        """The files that a bundle's description lists. Raises Unreadable."""
        path = folder + "/bundle.yaml"
        try:
            text = self.text(path)
        except OSError as error:
            raise Untold("%s: %s" % (path, _why(error)))
        from . import _yaml

        try:
            tree = _yaml.Reader(text).document()
            listed, parent = [_member(tree, name, path) for name in ("jcasc", "parent")]
            if sum(key.value in ("jcasc", "parent") for key, _value in (tree and tree.value or ())) != sum(
                one is not None for one in (listed, parent)
            ):
                raise Untold("%s: jcasc or parent in other letters, which is not read" % path)
            if listed is None:
                names: List[Any] = []
            elif listed.kind == _yaml.LIST:
                names = [one.value if one.kind == _yaml.SCALAR else None for one in listed.value]
            else:
                names = [listed.value if listed.kind == _yaml.SCALAR else None]
        except _yaml.Unsure as error:
            raise Untold("%s: %s" % (path, error))
        for name in names:
            parts = (name or "").split("/")
            if not name or name.startswith("/") or ".." in parts or "$" in name or "*" in name or "\\" in name:
                raise Untold("%s: what it lists as jcasc is not read" % path)
            self.take(folder + "/" + "/".join(part for part in parts if part not in ("", ".")))
        if parent is not None and not self.found:
            raise Untold("%s: it has a parent, which may set it and is not here" % path)


def _folded(text: str) -> str:
    """A text as it is compared where case does not count."""
    for odd, plain in _ODD_LETTERS:
        text = text.replace(odd, plain)
    return text.lower()


def may_name_it(text: str, path: str) -> bool:
    """Whether the checkbox may be named in a text, in whatever way a key is written. Raises Unreadable."""
    if text.startswith(("\xff\xfe", "\xfe\xff")):
        raise Untold("%s: it is not UTF-8" % path)
    if KEYS[1].lower() in _folded(text) or _ESCAPED_KEY.search(text):
        return True
    return '"' in text and "\\" in text and _ODD_KEY.search(text) is not None


def _member(tree: Any, name: str, path: str) -> Any:
    """The value of a key in a mapping; None where it is not there. Raises Unreadable, also where that is not known."""
    if tree is None or tree.value is None:
        return None
    if tree.kind != "map":
        raise Untold("%s: %s where a mapping should be" % (path, tree.value if tree.kind == "odd" else "no mapping"))
    found = []
    for key, value in tree.value:
        if key.kind != "scalar" or key.value == "<<":
            raise Untold("%s: a key that is merged, or is no plain one" % path)
        if _folded(key.value or "") == name.lower():
            found.append(value)
    if len(found) > 1:
        raise Untold("%s: %s stands there twice" % (path, name))
    return found[0] if found else None


def place_of(text: str, path: str) -> Any:
    """The node of the checkbox's value in a text of configuration as code, or None. Raises Unreadable."""
    from . import _yaml  # few hosts have any

    try:
        node = _yaml.Reader(text).document()
    except _yaml.Unsure as error:
        raise Untold("%s: %s" % (path, error))
    for key in KEYS:
        node = _member(node, key, path)
        if node is None:
            return None
    return node


def declared_in(text: str, path: str) -> Optional[Tuple[bool, int]]:
    """What a text of configuration as code declares, and its line; None where it does not. Raises Unreadable."""
    node = place_of(text, path)
    if node is None:
        return None
    line = text.count("\n", 0, node.start) + 1
    if node.kind == "odd":
        raise Untold("%s:%d: its value is %s, which is not followed" % (path, line, node.value))
    value = node.value if node.kind == "scalar" else None
    if value is not None and "${" in value:
        raise Untold("%s:%d: its value is a variable" % (path, line))
    for known, words in ((True, TRUE), (False, FALSE)):
        if value is not None and value.lower() in words:
            return known, line
    raise Untold("%s:%d: its value is no boolean" % (path, line))


def _check_war(files: HostFiles, war: str) -> None:
    """Raises Unreadable where a war, or a folder that it was unpacked to, brings configuration as code."""
    if not war.startswith("/"):
        raise Untold("it is not known which war is started")
    told = (files.known(MANIFEST, war) or {}).get(CONFIGURED)  # it was opened already
    try:
        brings = _looked_into(files, war) if told is None else told == str(True)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # it is not there, or no archive: nothing starts
        return
    except OSError as error:
        raise Untold("%s: whether it brings configuration as code is not known: %s" % (war, _why(error)))
    except Unreadable as error:
        raise Untold("%s: whether it brings configuration as code is not known: %s" % (war, error))
    if brings:
        raise Untold("%s: the war brings configuration as code, which is not read" % war)


def _looked_into(files: HostFiles, war: str) -> bool:
    files.exists(war)  # raises Silent, where to open it would wait for ever
    try:
        descriptor, status = files.open(war)
    except IsADirectoryError:
        return bool(_brought(files.asked_names(war + "/" + _WEB)))
    with os.fdopen(descriptor, "rb") as stream:
        return BROUGHT in _zip_directory(stream, status.st_size)[0]


def _check_wars(files: HostFiles, home: str, wars: Sequence[str]) -> None:
    """The same of all, and of what was unpacked of them in the home."""
    for war in wars:
        _check_war(files, war)
    try:
        names = files.list_below(home, "war/" + _WEB)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise Untold("%s/war/%s: %s" % (home, _WEB, _why(error)))
    if _brought(names):
        raise Untold("%s/war: the war brings configuration as code, which is not read" % home)


def _brought(names: Sequence[str]) -> List[str]:
    return [name for name in names if name in (_FILE, _FILE + ".d")]


def sources_of(files: HostFiles, home: str, casc: Casc, wars: Sequence[str] = ()) -> Tuple[_Sources, str, bool]:
    """The configuration as code of the next start, read; a note; whether there is any. Raises Unreadable."""
    sources = _Sources(files, home)
    if casc.reason:
        raise Untold(casc.reason)
    _check_wars(files, home, wars)
    note = _take_bundle(sources, casc.bundle, home + "/" + PROMOTED)
    configs = _configs(sources, casc)
    for place in configs:
        if _URL.match(place):
            raise Untold("a URL of %s is not read" % CONFIG)
        if not place.startswith("/"):
            raise Untold("a path of %s is not absolute" % CONFIG)
        if any(part.startswith(".") for part in place.split("/")):  # what is hidden is passed over, and only then
            raise Untold("a path of %s has a part that begins with a dot" % CONFIG)
        sources.take(place.rstrip("/") or "/")
    values = {value for value, _path, _line in sources.found}
    if len(values) > 1:
        raise Untold("%s declare it differently" % " and ".join("%s:%d" % one[1:] for one in sources.found[:2]))
    return sources, note, bool(sources.count or casc.bundle or configs)


def declared(
    files: HostFiles, home: str, casc: Casc, wars: Sequence[str] = (), since: Optional[float] = None
) -> Dict[str, Any]:
    """What the configuration as code of the next start sets; ``since`` is when the oldest JVM was started."""
    try:
        sources, note, some = sources_of(files, home, casc, wars)
    except Unreadable as error:
        return {"collected": UNKNOWN, "reason": str(error)}
    if not sources.found:
        why = "no file of its configuration as code sets it" if some else "it has no configuration as code"
        return {"collected": None, "reason": why}
    value, path, line = sources.found[0]
    found = {"collected": value, "file": path, "line": line}  # type: Dict[str, Any]
    if since is not None:
        paths = {one[1] for one in sources.found}
        edits = [_edited(files, one, since) for one in paths]  # root's record counts, not a time that a user can set
        if "pending" in edits or any(_is_between(sources.times.get(one, 0), since) for one in paths):
            found["pending"] = True
        if "pending" in edits:
            found["ours"] = True
        elif "elsewhere" in edits:
            found["elsewhere"] = True
    return dict(found, reason=note) if note else found


def _edited(files: HostFiles, path: str, since: float) -> Optional[str]:
    """What our record says of a file that is as we have left it: ``pending`` where no JVM has it, ``elsewhere`` where
    that is not known, because the clock was put back; None also where records are not for us to see."""
    from ..host._records import edited_at

    try:
        at = edited_at(files, path) or 0
    except OSError:
        return None
    return "pending" if _is_between(at, since) else "elsewhere" if at > since + CLOCK_SECONDS else None


def _take_bundle(sources: _Sources, bundle: Optional[str], promoted: str) -> str:
    """What a bundle says, and a note. Raises Unreadable."""
    if bundle is None:
        try:
            if "bundle.yaml" in sources.list(promoted):
                sources.take_bundle(promoted)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise Untold("%s: %s" % (promoted, _why(error)))
        return ""
    if not bundle.startswith("/"):
        raise Untold("the path of -D%s is not absolute" % BUNDLE)
    try:
        sources.text(bundle)
    except IsADirectoryError:
        sources.take_bundle(bundle.rstrip("/"))
        return ""
    except OSError as error:
        raise Untold("%s: %s" % (bundle, _why(error)))
    if not _YAML.match(bundle):
        raise Untold("%s: a bundle in one file, which is not read" % bundle)
    # A file is a link to the operations center, which lays the bundle into the home.
    sources.take_bundle(promoted)
    return "as the operations center gave it last; it may give another one at the next start"


def _configs(sources: _Sources, casc: Casc) -> List[str]:
    """Where the configuration of the plugin configuration-as-code lies. Raises Unreadable."""
    told = casc.configs
    if told is not None and any(map(str.strip, told)):
        return [place.strip() for place in told if place.strip()]
    try:
        names = sources.list(sources.home)
    except OSError as error:
        raise Untold("%s: %s" % (sources.home, _why(error)))
    if "io.jenkins.plugins.casc.CasCGlobalConfig.xml" in names:
        said = _children(sources.files, sources.home, "io.jenkins.plugins.casc.CasCGlobalConfig.xml")
        paths = [path for path in said.get("configurationPath", ()) if path]
        if paths:
            try:
                return [casc.place(place.strip()) for place in paths[0].split(",")]
            except OSError:
                raise Untold("a file of its configuration as code has no name on the host")
    return [sources.home + "/jenkins.yaml"] if told is None and "jenkins.yaml" in names else []


def on_disk(files: HostFiles, home: str, since: Optional[float] = None, shared: bool = False) -> Dict[str, Any]:
    """What the file of the checkbox's descriptor says; its name is inferred from core's rule, and marked so.

    The product writes it whenever somebody saves; only what this collection has put there after the start of the oldest
    JVM (``since``) no JVM has read. What was done to a home that is ``shared`` by hosts another one may have on record.
    """
    try:
        names = [name for name in files.list_below(home, "") if name.endswith(SUFFIX)]
    except OSError as error:
        return {"collected": UNKNOWN, "reason": "%s: %s" % (home, _why(error))}
    if not names:
        return {"collected": UNKNOWN, "reason": "%s: no *%s is there, whose name is inferred" % (home, SUFFIX)}
    if len(names) > 1:
        return {"collected": UNKNOWN, "reason": "%s: %d files match *%s" % (home, len(names), SUFFIX)}
    path = home + "/" + names[0]
    try:
        values = _children(files, home, names[0]).get(FIELD, set())
        if values not in ({"true"}, {"false"}):
            raise Untold("%s: %s" % (path, "%s is neither true nor false" % FIELD if values else "it has no " + FIELD))
    except Unreadable as error:
        return {"collected": UNKNOWN, "reason": str(error)}
    found = {"collected": values == {"true"}, "file": path, "mark": INFERRED}  # type: Dict[str, Any]
    if since is not None:
        found.update(_since(files, path, since, shared))
    return found


def _since(files: HostFiles, path: str, since: float, shared: bool) -> Dict[str, bool]:
    """What is known of who has written a file after a start: we, or perhaps somebody on another host."""
    from ..host._records import edited_at

    try:
        at = edited_at(files, path) or 0
        if _is_between(at, since):
            return {"pending": True}
        if at > since + CLOCK_SECONDS:  # the clock was put back: the JVM may be older
            return {"elsewhere": True}
    except OSError:
        shared = True  # the records are not for us to see
    try:
        late = shared and _is_between(os.stat(native(files.resolve(path))).st_mtime, since)
    except OSError:
        late = True
    return {"elsewhere": True} if late else {}


def _is_between(moment: float, since: float) -> bool:
    """Whether something was after a start and before now: what a clock that was put back has left in the future is not,
    because no restart would ever come after it."""
    return since + CLOCK_SECONDS < moment <= time.time() + CLOCK_SECONDS


def toggle(
    files: HostFiles, home: str, casc: Casc, wars: Sequence[str], since: Optional[float] = None, shared: bool = False
) -> Dict[str, Any]:
    """``toggle`` of an installation of the state document."""
    return {"declared": declared(files, home, casc, wars, since), "on_disk": on_disk(files, home, since, shared)}


def unknown_toggle(reason: str) -> Dict[str, Any]:
    """The toggle of which nothing is known."""
    return {key: {"collected": UNKNOWN, "reason": reason} for key in ("declared", "on_disk")}

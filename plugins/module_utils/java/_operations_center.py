# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who belongs to whom: the operations center that a controller's options name, and the controllers on the disk of one.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only. The items of an operations
center are files of the service's user: no link below ``jobs`` is followed, all is bounded, and what leaves are values
of a narrow form. Grants, keys, user names and passwords never do.
"""

import errno
import os
import re
import time
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from ..host._files import HostFiles
from ._jenkins_home import UNKNOWN, Unreadable, _children, _why, children

#: Properties by which a client controller is told where it belongs. Its MASTER_GRANT_ID is a secret, and is not read.
MEMBER = (
    ("MASTER_OPERATIONSCENTER_ENDPOINT", "operations_center"),
    ("MASTER_NAME", "name"),
    ("MASTER_ENDPOINT", "endpoint"),
    ("MASTER_INDEX", "index"),
)
CENTER = "operations_center"
LIMIT_ITEMS = 5000  # whose config.xml is opened
LIMIT_CONTROLLERS = 1000
LIMIT_DEPTH = 10  # folders in folders
LIMIT_ITEM = 256 << 10  # bytes of one config.xml
LIMIT_BYTES = 32 << 20  # of all
_LIMIT_SAID = 5
_PLUGIN = re.compile(r"operations-center-server\.[jh]p[il]\Z")
_MODEL = "com.cloudbees.opscenter.server.model."
_KINDS = {
    _MODEL + "ClientMaster": "client",
    _MODEL + "ManagedMaster": "managed",
    _MODEL + "ConnectedMaster": "connected",
}
#: One word may hold several options, where somebody has put them in quotes together: that is no name.
_NAME = re.compile(r"(?!.*(?:[\s\"'\\,;]-|=|MASTER_GRANT))[^\x00-\x1f\x7f]{1,255}\Z", re.IGNORECASE)
_STATE = re.compile(r"[A-Z][A-Z_]{0,31}\Z")
_INDEX = re.compile(r"[0-9]{1,9}\Z")
_URL = re.compile(
    r"(https?://)(?:[^/?#@\s]*@)?((?:[0-9A-Za-z_.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?"
    r"(?:/[0-9A-Za-z._~%/-]{0,400})?)(?:[?#;][^@]*)?\Z",
    re.IGNORECASE,
)
#: Members of an item: ours, the element's, which values. Endpoint, approval and state are inferred names.
_MEMBERS = (("encoded_name", "encodedName", _NAME), ("state", "state", _STATE), ("index", "id", _INDEX))


def address(text: str) -> Optional[str]:
    """A URL without user name, password, query and fragment; None for what is none that may be shown."""
    match = _URL.match(text)
    return match.group(1).lower() + match.group(2) if match else None


def _named(words: Sequence[str]) -> Dict[str, str]:
    found: Dict[str, str] = {}
    for word in words:
        name, equals, value = word[2:].partition("=")
        if equals and word.startswith("-DMASTER_"):
            found.update((key, value) for known, key in MEMBER if name == known)
    return found


def _shown(found: Mapping[str, str]) -> Dict[str, Any]:
    """What of the properties may be shown, and which of them may not, as a reason."""
    document: Dict[str, Any] = {}
    odd = []
    for known, key in MEMBER:
        text = found.get(key)
        value: Optional[str] = None
        if text is not None:
            if key == "name":
                value = text if _NAME.match(text) else None
            elif key == "index":
                value = text if _INDEX.match(text) else None
            else:
                value = None if "MASTER_GRANT" in text.upper() else address(text)
            if value is None:
                odd.append(known)
        document[key] = value
    if odd:
        document["reason"] = "%s: no value of a form that is shown" % ", ".join(odd)
    return document


def properties(words: Sequence[str]) -> Dict[str, str]:
    """The properties of :data:`MEMBER` among option words; the last one wins."""
    found = _named(words)
    return {name: found[key] for name, key in MEMBER if key in found}


def member_of(vectors: Sequence[Sequence[Any]], running: Sequence[Mapping[str, str]]) -> Optional[Dict[str, Any]]:
    """Which operations center options name: those of the next start, and of JVMs that run; None where they name none.

    ``vectors`` are those of an outcome, one a way; ``running`` are properties of JVMs.
    """
    ways = [[word for layer in way if layer.name != "program" for word in layer.words] for way in vectors]
    planned = [found for found in map(_named, ways) if found]
    live = [found for found in ({key: one[name] for name, key in MEMBER if name in one} for one in running) if found]
    for source, found in (("next_start", planned), ("running", live)):
        if not found:
            continue
        document = dict(_shown(found[0]), source=source)
        notes = [document["reason"]] if "reason" in document else []
        if any(one != found[0] for one in found) or source == "next_start" and len(found) < len(ways):
            notes.append("it is not the same in every way to start it")
        if source == "next_start" and live and _shown(live[0]) != _shown(found[0]):
            notes.append("the running JVM was started with another name or address")
        if notes:
            document["reason"] = "; ".join(notes)
        return document
    if any(word.startswith(("?", "@", "-XX:VMOptionsFile=")) for way in ways for word in way) and not running:
        nothing = dict.fromkeys([key for _name, key in MEMBER])  # type: Dict[str, Any]
        return dict(nothing, source="next_start", reason="not all of its options are known")
    return None


# -- the disk of an operations center ---------------------------------------------------------------


class _NotOurs(Exception):
    """The root is no controller's."""


def _item(data: bytes, whole: bool) -> Optional[Dict[str, Any]]:
    """The controller that an item's config.xml is; None for other items. Raises ValueError."""
    kinds: List[str] = []

    def root(name: str) -> None:
        if name not in _KINDS:
            raise _NotOurs
        kinds.append(_KINDS[name])

    try:
        found = children(data.decode("latin-1"), root, whole)
    except _NotOurs:
        return None
    if not kinds:
        raise ValueError("it has no element")
    if not whole:
        raise ValueError("it is larger than %d bytes" % LIMIT_ITEM)

    def one(*names: str) -> str:
        texts = [text for name in names for text in found.get(name, ()) if text]
        return texts[0].encode("utf-8", "replace").decode("latin-1") if len(set(texts)) == 1 else ""

    document: Dict[str, Any] = {"kind": kinds[0], "endpoint": address(one("endpoint", "localEndpoint"))}
    for key, name, form in _MEMBERS:
        if form.match(one(name)):
            document[key] = one(name)
    if one("approved") in ("true", "false"):
        document["approved"] = one("approved") == "true"
    return document


class _Walk:
    """A walk over the items of an operations center, with what it has used up and what it could not read."""

    def __init__(self, files: HostFiles, home: str, until: float) -> None:
        self.files, self.home, self.until = files, home, until
        self.found: List[Dict[str, Any]] = []
        self.unread: List[str] = []
        self.items = self.size = 0

    def full(self) -> Optional[str]:
        """The limit that is reached."""
        for used, limit, words in (
            (self.items, LIMIT_ITEMS, "%d items were looked at"),
            (len(self.found), LIMIT_CONTROLLERS, "%d controllers were found"),
            (self.size, LIMIT_BYTES, "%d bytes were read"),
        ):
            if used >= limit:
                return words % limit
        return "the time was used up" if time.monotonic() > self.until else None

    def folder(self, path: str, names: Tuple[str, ...]) -> Optional[str]:
        """Read the items in one; returns the limit that ended it."""
        try:
            children = sorted(self.files.list_below(self.home, path))
        except OSError as error:
            if names and error.errno in (errno.ENOENT, errno.ENOTDIR):
                return None  # no folder, but a job or a controller
            self.unread.append("%s: %s" % (path, _why(error)))
            return None
        for child in children:
            reason = self.full()
            if reason:
                return reason
            reason = self.item("%s/%s" % (path, child), names + (child,))
            if reason:
                return reason
        return None

    def item(self, path: str, names: Tuple[str, ...]) -> Optional[str]:
        for place in (path, path + "/config.xml", path + "/jobs"):
            if self.files.target(self.home + "/" + place) is not None:
                self.unread.append("%s: a link, which is not followed" % place)
                return None
        self.items += 1
        document = None
        try:
            descriptor, _status = self.files.open_below(self.home, path + "/config.xml")
            with os.fdopen(descriptor, "rb") as stream:
                data = stream.read(LIMIT_ITEM + 1)
            self.size += len(data)
            document = _item(data[:LIMIT_ITEM], len(data) <= LIMIT_ITEM)
        except OSError as error:
            if error.errno == errno.ENOTDIR:
                return None  # a file beside the items
            if error.errno != errno.ENOENT:  # without one the product has no such item
                self.unread.append("%s/config.xml: %s" % (path, _why(error)))
        except ValueError as error:
            self.unread.append("%s/config.xml: %s" % (path, error))
        if document is not None:
            self.found.append(dict(document, name="/".join(names)))
            return None
        if len(names) >= LIMIT_DEPTH:
            if self.files.exists(self.home + "/" + path + "/jobs"):
                self.unread.append("%s: more than %d folders in folders" % (path, LIMIT_DEPTH))
            return None
        return self.folder(path + "/jobs", names)


def controllers_of(files: HostFiles, product: Optional[str], home: str, until: float) -> Dict[str, Any]:
    """Members of an installation about its controllers; none where it is no operations center.

    It is one by its product, or by the plugin that makes it one. ``until`` is on the monotonic clock.
    """
    try:
        is_one = product == CENTER or any(map(_PLUGIN.match, files.list_below(home, "plugins")))
    except OSError:
        is_one = False
    return controllers(files, home, until) if is_one else {}


def unknown_controllers(product: Optional[str], settings: Mapping[str, Any]) -> Dict[str, Any]:
    """The same where its home could not be read, as its settings say."""
    if product != CENTER:
        return {}
    reason = settings["details"]["proxy"].get("reason") or "its JENKINS_HOME could not be read"
    return {"controllers": [], "controllers_detail": {"state": UNKNOWN, "reason": reason}}


def controllers(files: HostFiles, home: str, until: float) -> Dict[str, Any]:
    """The controllers that an operations center has as items, and how far that is known."""
    walk = _Walk(files, home, until)
    detail: Dict[str, Any] = {"state": "seen", "file": home + "/jobs"}
    if walk.files.target(home + "/jobs") is not None:
        detail.update(state=UNKNOWN, reason="jobs is a link, which is not followed")
        return {"controllers": [], "controllers_detail": detail}
    ended = walk.folder("jobs", ())
    try:
        place = "jenkins.model.JenkinsLocationConfiguration.xml"
        url = address("".join(_children(files, home, place).get("jenkinsUrl", ())))
    except Unreadable:
        url = None
    if url:
        detail["url"] = url
    reasons = walk.unread[:_LIMIT_SAID]
    if len(walk.unread) > _LIMIT_SAID:
        reasons.append("and %d more could not be read" % (len(walk.unread) - _LIMIT_SAID))
    if ended:
        reasons.insert(0, "cut off: %s" % ended)
    if reasons:
        whole = not walk.items and not walk.found
        detail.update(state=UNKNOWN if whole else "incomplete", reason="; ".join(reasons))
    return {"controllers": walk.found, "controllers_detail": detail}

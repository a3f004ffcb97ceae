# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An operations center as a list of controllers: asked by its API, within limits, and nothing of it is believed.

Private to this collection. Runs on the control node. What a server says becomes values of a narrow form: an address
that is none stays behind with the reason, a folder is asked by its name below the address that the user gave, never by
an address of the server's. A list that may be part of one is an error, not a fleet without controllers.
"""

from __future__ import annotations

import json
import re
import time
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._addresses import (
    LONGEST,
    AddressError,
    address,
    machine,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._client import CONTENT, Client, ClientError

MODEL = "com.cloudbees.opscenter.server.model."
KINDS = {f"{MODEL}{name}Master": name.lower() for name in ("Client", "Managed", "Connected")}
#: Folders in folders that one question asks for; what lies deeper is asked for folder by folder.
LEVELS = 6
LIMIT_BYTES = 32 << 20
LIMIT_QUESTIONS = 200
LIMIT_SECONDS = 300.0  # for all questions to one
LIMIT_CONTROLLERS = 5000
LIMIT_ITEMS = 50_000
LIMIT_DEPTH = 30
_FIELDS = "url,online,state,endpoint,approved,fullName"
_STATE = re.compile(r"[A-Za-z][A-Za-z_]{0,31}\Z")
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z._+-]{0,63}\Z")


class Item(NamedTuple):
    """A controller as its operations center has it."""

    name: str  # its folders and name, with slashes
    kind: str  # client, managed, connected, or other: a controller of a kind that is not known
    endpoint: str | None  # its own address; None before it was connected, or where it is none
    online: bool | None
    state: str | None
    approved: bool | None
    refused: str | None = None  # why what the server gave for its address is none
    version: str | None = None

    @property
    def folder(self) -> str:
        """Its folders with slashes; empty for what lies in none."""
        return self.name.rpartition("/")[0]


class Center(NamedTuple):
    """What an operations center says of itself."""

    url: str
    version: str | None
    items: Sequence[Item]


def read(client: Client, url: str) -> Center:
    """The controllers of an operations center. Raises :class:`ClientError`, also where there may be more of them."""
    walk = _Walk(client)
    walk.folder(())
    if not walk.items:
        raise ClientError(
            CONTENT,
            f"{client.url} lists no controllers: it is no operations center, or the user may not see them "
            "(Overall/Read and Job/Read)",
        )
    return Center(address(url), walk.version, tuple(sorted(walk.items.values(), key=lambda item: item.name)))


def _tree(levels: int) -> str:
    return f"jobs[{_FIELDS},{_tree(levels - 1)}]" if levels else "jobs[url]"


class _Walk:
    def __init__(self, client: Client) -> None:
        self.client = client
        self.items: dict[str, Item] = {}
        self.version: str | None = None
        self._questions = self._seen = 0

    def folder(self, names: tuple[str, ...]) -> None:
        """Ask for what lies in a folder, and below it."""
        waiting = [names]
        asked = {names}
        until = time.monotonic() + LIMIT_SECONDS
        while waiting:
            at = waiting.pop()
            self._questions += 1
            if self._questions > LIMIT_QUESTIONS:
                raise self._too_much(f"{LIMIT_QUESTIONS} folders deep in others")
            if time.monotonic() > until:
                raise self._too_much(f"it says in {LIMIT_SECONDS:g} seconds")
            for deeper in self._take(self._ask(at).get("jobs"), at, 0):
                if deeper not in asked:
                    asked.add(deeper)
                    waiting.append(deeper)

    def _ask(self, names: tuple[str, ...]) -> Mapping[str, Any]:
        place = "".join(f"/job/{urllib.parse.quote(name, safe='')}" for name in names)
        path = f"{place}/api/json?depth=1&tree={_tree(LEVELS)}"
        answer = self.client.get(path, limit=LIMIT_BYTES, need="Overall/Read")
        version = answer.headers.get("x-jenkins", "")
        self.version = self.version or (version if _VERSION.match(version) else None)
        document = self.client.parsed(path, answer)
        if not isinstance(document.get("jobs"), list):
            raise ClientError(CONTENT, f"{self.client.url} answers with something else than was asked for")
        return document

    def _too_much(self, what: str) -> ClientError:
        return ClientError(CONTENT, f"{self.client.url} has more than {what}, and all of them are not read")

    def _take(self, jobs: Any, above: tuple[str, ...], level: int) -> Iterator[tuple[str, ...]]:
        """Keep the controllers of a list; gives the folders of which more must be asked for."""
        for job in jobs if isinstance(jobs, list) else ():
            self._seen += 1
            if self._seen > LIMIT_ITEMS:
                raise self._too_much(f"{LIMIT_ITEMS} items")
            if not isinstance(job, Mapping):
                raise ClientError(CONTENT, f"{self.client.url} answers with something else than was asked for")
            names = _names(job)
            if names is None or len(names) > LIMIT_DEPTH:
                raise ClientError(
                    CONTENT, f"{self.client.url} has an item in {'/'.join(above) or 'its root'} of an odd name"
                )
            kind = str(job.get("_class") or "")
            if kind in KINDS or (kind.startswith(MODEL) and kind.endswith(("Master", "Controller"))):
                self._keep(_item("/".join(names), KINDS.get(kind, "other"), job))
                continue
            inner = job.get("jobs")
            if isinstance(inner, list) and inner:
                if level + 1 >= LEVELS:
                    yield names
                else:
                    yield from self._take(inner, names, level + 1)

    def _keep(self, item: Item) -> None:
        self.items[item.name] = item
        if len(self.items) > LIMIT_CONTROLLERS:
            raise self._too_much(f"{LIMIT_CONTROLLERS} controllers")


def _names(job: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The folders and the name of an item; by its URL where it does not say its full name."""
    full = job.get("fullName")
    if isinstance(full, str) and full:
        names = full.split("/")
    else:
        url = job.get("url")
        path = url.partition("?")[0] if isinstance(url, str) and len(url) < 4 * LONGEST else ""
        names = [urllib.parse.unquote(name) for name in re.findall(r"/job/([^/]+)", path)]
    if not names or len("/".join(names)) > LONGEST:
        return None
    if any(not name or name in (".", "..") or "/" in name or not name.isprintable() for name in names):
        return None
    return tuple(visible(name) for name in names)


def _item(name: str, kind: str, job: Mapping[str, Any]) -> Item:
    endpoint = refused = None
    if job.get("endpoint"):
        try:
            endpoint = address(job["endpoint"])
            machine(endpoint)
        except AddressError as error:
            endpoint, refused = None, str(error)
    state = job.get("state")
    return Item(
        name,
        kind,
        endpoint,
        job["online"] if isinstance(job.get("online"), bool) else None,
        state if isinstance(state, str) and _STATE.match(state) else None,
        job["approved"] if isinstance(job.get("approved"), bool) else None,
        refused,
    )


# -- what is kept of one ----------------------------------------------------------------------------


def document_of(center: Center) -> dict[str, Any]:
    """A center as JSON: for a cache, or for a report that is made elsewhere."""
    return {"url": center.url, "version": center.version, "items": [item._asdict() for item in center.items]}


def center_of(document: Any) -> Center:
    """The same back; a file may have been in anybody's hands. Raises ValueError."""
    try:
        items = []
        for entry in document["items"]:
            names = _names({"fullName": entry["name"]})
            if names is None or entry["kind"] not in (*KINDS.values(), "other"):
                raise ValueError("an item of an odd name or kind")
            refused, version = entry.get("refused"), entry.get("version")
            item = _item("/".join(names), entry["kind"], entry)
            items.append(
                item._replace(
                    refused=item.refused or (visible(refused)[:200] if isinstance(refused, str) else None),
                    version=version if isinstance(version, str) and _VERSION.match(version) else None,
                )
            )
        version = document["version"]
        whole = version if isinstance(version, str) and _VERSION.match(version) else None
        return Center(address(document["url"]), whole, tuple(items))
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise ValueError("it is no list of controllers") from error


def version_of(client: Client) -> str | None:
    """The version that whoever answers says it is, whatever it answers; None where nobody does."""
    try:
        found = client.ask("/whoAmI/api/json?tree=authenticated", timeout=5, limit=1 << 16).headers.get("x-jenkins", "")
    except ClientError:
        return None
    return found if _VERSION.match(found) else None

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The events that a product itself lists: the help of CloudBees' checkbox, the link in it, the page behind that.

Private to this collection. Runs on the control node. The link is the server's word: it is followed on the address that
the inventory names and nowhere else, because the token goes with it.
"""

from __future__ import annotations

import contextlib
import urllib.parse
from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._access import Access
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._client import Client, ClientError
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._events_page import events_of, first_link, help_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._page import NotOnPage
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._served import (
    NO_URL,
    PAGE,
    PAGE_BYTES,
    SECONDS,
    asked,
    ways_of,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._wished import wants_events, without_events

#: Characters of lists that may stand in the evidence of a host a second time: it says itself how many services it has.
REPEATED = 1 << 20
_SAFE = "/%:@!$&'()*+,;=~-._?"
_PORTS = {"http": 80, "https": 443}


def served(access: Access) -> dict[str, Any]:
    """What a product lists: ``mark`` seen and its ``events``, or unknown and the reason. Never raises."""
    product = Client(*access)
    path, need = PAGE
    try:
        name = help_of(asked(product, path, "GET", PAGE_BYTES, need).text)
        at = f"/descriptor/{name}/help/usageStatisticsCollected"
        link = first_link(product.get(at, timeout=SECONDS, limit=PAGE_BYTES).text)
        place = path_of(access.url, at, link)
        events = events_of(_listed(product, access.url, place))
    except (ClientError, NotOnPage) as error:
        return {"mark": "unknown", "reason": visible(product.redacted(str(error)))[:1000], "events": []}
    return {
        "mark": "seen",
        "page": visible(product.shown(place))[:300],
        "events": [
            {name: visible(product.redacted(text)) for name, text in one._asdict().items() if text} for one in events
        ],
    }


def _listed(product: Client, url: str, place: str) -> str:
    """The page at a place; Stapler leads from a page that has others below it to itself with a slash at its end.

    Raises :class:`NotOnPage`, ClientError.
    """
    answer = product.ask(place, timeout=SECONDS, limit=PAGE_BYTES)
    path, mark, query = place.partition("?")
    if 300 <= answer.status < 400:
        with contextlib.suppress(NotOnPage):
            if path_of(url, place, answer.headers.get("location", "")) == f"{path}/{mark}{query}":
                return product.get(f"{path}/{mark}{query}", timeout=SECONDS, limit=PAGE_BYTES).text
    if answer.status == 200:
        return answer.text
    raise product.failure(place, answer)


def with_events(state: Mapping[str, Any], variables: Mapping[str, Any]) -> Mapping[str, Any]:
    """The state with what the products list, where the inventory wants that; each is asked for itself, and once.

    What a host says in their name is taken out in any case.
    """
    entries = [without_events(entry) for entry in state.get("installations") or []]
    if wants_events(variables):
        try:
            way = ways_of(entries, variables)
        except (TypeError, ValueError):
            pass  # the policy is not valid, which is said by whoever judges it
        else:
            known: dict[Access, _Known] = {}  # a host may name a service as often as it likes
            left = [REPEATED]
            entries = [_asked(entry, way(entry), known, left) for entry in entries]
    return {**state, "installations": entries}


class _Known(NamedTuple):
    """What a product has said, how large that is, and for which installation it was asked."""

    said: dict[str, Any]
    size: int
    name: str


def _asked(
    entry: Mapping[str, Any], access: Access | None, known: dict[Access, _Known], left: list[int]
) -> Mapping[str, Any]:
    events = entry.get("events")
    if entry.get("stray") or not isinstance(events, Mapping):
        return entry
    if access is None:
        return {**entry, "events": {**events, "served": {"mark": "unknown", "reason": NO_URL, "events": []}}}
    one = known.get(access)
    if one is None:
        said = served(access)
        size = sum(len(event["name"]) + len(event.get("summary", "")) + 50 for event in said["events"])
        known[access] = _Known(said, size, str(entry["name"]))
        return {**entry, "events": {**events, "served": said}}
    left[0] -= one.size
    if left[0] < 0:
        reason = f"the same controller lists them for {visible(one.name)[:100]}"
        return {**entry, "events": {**events, "served": {"mark": "unknown", "reason": reason, "events": []}}}
    return {**entry, "events": {**events, "served": one.said}}


def path_of(url: str, at: str, link: str) -> str:
    """The path below a product's address to which a link on its page ``at`` leads. Raises :class:`NotOnPage`."""
    base = url.rstrip("/")
    try:
        home = urllib.parse.urlsplit(base)
        target = urllib.parse.urlsplit(urllib.parse.urljoin(base + at, link))
        same = _origin(home) == _origin(target)
    except ValueError:
        raise NotOnPage("the first link of the help is no address") from None
    if not same:
        other = visible(f"{target.scheme}: {target.hostname}")[:200]
        raise NotOnPage(
            f"the first link of the help leads to another address ({other}), which is not asked: a token goes to the "
            "address that the inventory names alone"
        )
    if not target.path.startswith(home.path + "/") or ".." in urllib.parse.unquote(target.path):
        raise NotOnPage("the first link of the help leads out of the product, and is not followed")
    path, query = (urllib.parse.quote(text, safe=_SAFE) for text in (target.path[len(home.path) :], target.query))
    return f"{path}?{query}" if query else path


def _origin(parts: urllib.parse.SplitResult) -> tuple[str, str, int | None]:
    return parts.scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(parts.scheme)

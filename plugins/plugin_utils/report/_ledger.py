# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is there: what operations centers say by API and on disk, and launch files, reconciled with what was audited.

Pure functions; nothing here reads a file, a server or the clock. Private to this collection. Runs on the control node.
A controller counts as audited where an installation in evidence is it, and each match says by what; a match that could
be another's is none. Where an operations center that is named anywhere was not read whole, the number of controllers is
a lower bound, and coverage is unknown: never a percentage of what happened to be seen.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ansible_collections.cbops.telemetry.plugins.plugin_utils._showing import named
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._documents import Installation, State
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product import _addresses as addresses
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._model import Host, coverage_words, natural

if TYPE_CHECKING:  # it brings a client along, which a report without any server does not need
    from ansible_collections.cbops.telemetry.plugins.plugin_utils.product import _operations_center as product

LEDGER_SCHEMA = "cbops.telemetry/ledger/1"
API, DISK, LAUNCH = "api", "disk", "launch file"
#: What launch files leave open of a controller, and not of where it belongs.
_ITS_OWN = re.compile(r"MASTER_(?:NAME|ENDPOINT|INDEX)(?:, MASTER_(?:NAME|ENDPOINT|INDEX))*: no value of a form[^;]*")


@dataclass(eq=False)
class Seen:
    """An installation that was audited."""

    host: str
    installation: Installation
    names: frozenset[str]  # of its host, in lower case
    machine: str | None
    center: Center | None = None  # the operations center that its launch files name, or that it is
    entries: list[Known] = field(default_factory=list)

    @property
    def label(self) -> str:
        """Host and installation."""
        return f"{self.host}/{self.installation['name']}"

    @property
    def member(self) -> Mapping[str, Any]:
        """What its launch files say of where it belongs."""
        return self.installation.get("member_of") or {}

    @property
    def endpoint(self) -> str | None:
        """Its own address, by its launch files."""
        return canonical(self.member.get("endpoint"))

    @property
    def unclear(self) -> str | None:
        """Why it may name an operations center that is not known: it has several ways to start, or an odd value."""
        reason = self.member.get("reason")
        if not reason or (_ITS_OWN.fullmatch(reason) and (self.entries or self.center or self.member.get("name"))):
            return None
        return str(reason)


@dataclass(eq=False)
class Center:
    """An operations center, and how far it is known which controllers it has."""

    url: str | None
    places: set[str] = field(default_factory=set)  # all its addresses, as they are compared
    read_by: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    seen: Seen | None = None
    entries: dict[str, Known] = field(default_factory=dict)
    named_by: str | None = None  # the label of what names it by an address that is none

    @property
    def label(self) -> str:
        """Its address, or where it lies."""
        if self.url or self.seen:
            return self.url or (self.seen.label if self.seen else "")
        return f"the operations center of {self.named_by}" if self.named_by else "an operations center"

    @property
    def why(self) -> str | None:
        """What of it was not read, and why."""
        if self.reasons or self.read_by:
            return "; ".join(self.reasons) or None
        odd = "" if self.url or not self.named_by else " by an odd address"
        return f"launch files name it{odd}, and it was neither asked nor audited"


@dataclass(eq=False)
class Known:
    """A controller that an operations center has."""

    center: Center
    name: str
    kind: str
    endpoint: str | None = None
    index: str | None = None
    encoded: str | None = None
    approved: bool | None = None
    sources: list[str] = field(default_factory=list)
    matches: dict[str, tuple[Seen, str]] = field(default_factory=dict)  # by the label of what matches, and by what

    @property
    def last(self) -> str:
        """Its name without folders."""
        return self.name.rpartition("/")[2]

    def is_called(self, name: str) -> bool:
        """Whether this is one of its names."""
        return name in (self.name, self.last, self.encoded)


def canonical(text: Any) -> str | None:
    """An address in its one form; None for what is none."""
    try:
        return addresses.address(text) if text else None
    except addresses.AddressError:
        return None


def _place(text: str | None) -> str | None:
    return addresses.same_place(text) if text else None


def _machine(text: str | None) -> str | None:
    try:
        return addresses.machine(text) if text else None
    except addresses.AddressError:
        return None


def _shared_place(text: str | None) -> str | None:
    """Where an address is, if it is the same place for everybody; None for one that means another on each network.

    Whoever sets up nothing has ``http://localhost:8080/`` or the machine's short name as the address.
    """
    machine = _machine(text)
    if machine is None or not ("." in machine or ":" in machine) or machine.endswith((".local", ".localdomain")):
        return None
    return _place(text)


def is_seen(host: Host) -> bool:
    """Whether its evidence shows it as it is now: it answered, and that was not too long ago."""
    return host.document.get("state") is not None and host.verdict not in ("unreachable", "stale") and host.aged is None


def names_of(known: Mapping[str, Any], hosts: Sequence[str]) -> dict[str, list[str]]:
    """The addresses of hosts that the inventory has as text; ``known`` are its hosts."""
    found = {}
    for host in hosts:
        address = known[host].vars.get("ansible_host") if host in known else None
        if isinstance(address, str) and "{" not in address:
            found[host] = [address]
    return found


# -- what was seen ----------------------------------------------------------------------------------


def seen_in(hosts: Iterable[Host], names: Mapping[str, Sequence[str]]) -> list[Seen]:
    """All installations in evidence that shows a host as it is; ``names`` are more names of hosts."""
    return [one for host in hosts if is_seen(host) for one in _of_host(host, names)]


def _of_host(host: Host, names: Mapping[str, Sequence[str]]) -> list[Seen]:
    """The installations of a host, by the last evidence that has any."""
    state: State | None = host.document.get("state")
    if state is None:
        return []
    texts = [host.host, *names.get(host.host, ()), (state.get("host") or {}).get("node") or ""]
    known = frozenset(text.lower().rstrip(".") for text in texts if text)
    return [Seen(host.host, entry, known, host.machine) for entry in host.installations]


def _is_center(entry: Installation) -> bool:
    return entry["product"] == "operations_center" or "controllers" in entry


def _detail(seen: Seen) -> Mapping[str, Any]:
    return seen.installation.get("controllers_detail") or {}


def _is_controller(entry: Installation) -> bool:
    """Whether it may be a controller of CloudBees'; a Jenkins without their sender belongs to nobody."""
    if entry["product"] != "jenkins":
        return True
    plugin = (entry.get("settings") or {}).get("analytics_plugin")
    return "member_of" in entry or plugin not in (None, "", "unknown")


# -- the ledgers of operations centers --------------------------------------------------------------


class _Centers:
    """Operations centers, each once, by whatever named it."""

    def __init__(self) -> None:
        self.all: list[Center] = []

    def at(self, url: str | None) -> Center:
        """The one of an address."""
        place = _place(url)
        for center in self.all:
            if place is not None and place in center.places:
                return center
        center = Center(url, {place} if place else set())
        self.all.append(center)
        return center

    def named(self, text: Any, by: Seen) -> Center | None:
        """The one that a text names; two that name it by the same odd text mean the same one.

        By ``localhost`` each host means one of its own, unless it was asked by that address.
        """
        if not text:
            return None
        url = canonical(text)
        if url and (_machine(url) or any(_place(url) in center.places for center in self.all)):
            return self.at(url)
        place = f"odd: {_place(url)} on {by.host}" if url else f"odd: {str(text).strip().rstrip('/')}"
        for center in self.all:
            if place in center.places:
                return center
        center = Center(None, {place}, named_by=by.label)
        self.all.append(center)
        return center

    def _on(self, seen: Seen, alone: bool) -> Center:
        """The one that lies on a host; ``alone``: its host has no other one."""
        center = self.named(_detail(seen).get("url"), seen) or self.at(None)
        # Others name it by an address of its host: another port, another scheme, a name behind a proxy.
        for one in [one for one in self.all if one is not center and one.seen is None and alone]:
            if _machine(one.url) in seen.names:
                self._join(center, one)
        return center

    def of_old(self, seen: Seen, alone: bool, verdict: str) -> None:
        """One that was audited once, and not lately: that it is there is known, and what it has is not."""
        center = self._on(seen, alone)
        center.named_by = center.named_by or seen.label
        if center.seen is None and not center.read_by:
            center.reasons.append(f"the disk of {seen.label}: its evidence does not show it as it is ({verdict})")

    def of_disk(self, seen: Seen, alone: bool) -> None:
        """One that was audited, with what lies on its disk; ``alone``: its host has no other one."""
        detail = _detail(seen)
        center = self._on(seen, alone)
        center.seen = center.seen or seen
        seen.center = center
        state = detail.get("state")
        if state == "seen":
            center.read_by.append(f"the disk of {seen.label}")
        else:
            reason = detail.get("reason") or "its evidence is of an earlier version"
            center.reasons.append(f"the disk of {seen.label}: {reason}")
        for entry in seen.installation.get("controllers") or []:
            _enter(
                center,
                Known(
                    center,
                    entry["name"],
                    entry["kind"],
                    canonical(entry["endpoint"]),
                    entry.get("index"),
                    entry.get("encoded_name"),
                    entry.get("approved"),
                    [DISK],
                ),
            )

    def _join(self, center: Center, other: Center) -> None:
        center.url = center.url or other.url
        center.places |= other.places
        center.read_by += other.read_by
        center.reasons += other.reasons
        for known in other.entries.values():
            known.center = center
            _enter(center, known)
        self.all.remove(other)

    def of_api(self, answer: product.Center | str, url: str) -> None:
        """One that was asked; the reason where it did not answer."""
        center = self.at(canonical(url))
        if isinstance(answer, str):
            center.reasons.append(answer)
            return
        center.read_by.append("its API")
        for item in answer.items:
            known = Known(center, item.name, item.kind, item.endpoint, approved=item.approved, sources=[API])
            _enter(center, known)


def _enter(center: Center, new: Known) -> None:
    """Put a controller into its operations center; what two ledgers say of one is one."""
    old = center.entries.get(new.name)
    if old is None:
        center.entries[new.name] = new
        return
    for key in ("endpoint", "index", "encoded", "approved"):
        if getattr(old, key) is None:
            setattr(old, key, getattr(new, key))
    old.sources += [one for one in new.sources if one not in old.sources]


# -- matching ---------------------------------------------------------------------------------------


def _match(known: Known, seen: Seen, why: str) -> None:
    if known not in seen.entries:
        seen.entries.append(known)
        known.matches[seen.label] = (seen, why)


def _by_launch_file(entries: Sequence[Known], seen: Sequence[Seen]) -> None:
    """What the launch files of a controller say of itself: its address, its number and name there."""
    by_place: dict[str | None, list[Known]] = {}
    for known in entries:
        by_place.setdefault(_place(known.endpoint), []).append(known)
    for one in seen:
        same = by_place.get(_place(one.endpoint), []) if _machine(one.endpoint) else []
        if not _shared_place(one.endpoint):
            # Other networks have the name too: it tells what is there only where one operations center has it once.
            same = [known for known in same if one.center in (None, known.center)]
            same = same if len(same) == 1 else []
        for known in same:
            _match(known, one, f"its endpoint {one.endpoint}")
        if one.entries or one.center is None:
            continue
        there = list(one.center.entries.values())
        index, name = one.member.get("index"), one.member.get("name")
        found = [known for known in there if index and known.index == index]
        why = f"its number {index} at {one.center.label}"
        if len(found) != 1:
            found = [known for known in there if name and known.is_called(name)]
            why = f"its name {name} at {one.center.label}"
        # An endpoint that says otherwise is another controller's.
        if len(found) == 1 and (
            not (one.endpoint and found[0].endpoint) or _place(one.endpoint) == _place(found[0].endpoint)
        ):
            _match(found[0], one, why)


def _by_another(entries: Sequence[Known]) -> None:
    """What has the address of one that was audited is that one, by whatever name another operations center has it.

    Not where an operations center has the address twice: which of them is which, nobody can tell.
    """
    by_place: dict[str, list[Known]] = {}
    for known in entries:
        if place := _shared_place(known.endpoint):
            by_place.setdefault(place, []).append(known)
    for same in by_place.values():
        other = next((known for known in same if known.matches), None)
        if other is None or len({id(known.center) for known in same}) < len(same):
            continue
        for known in [known for known in same if not known.matches]:
            for seen, _why in list(other.matches.values()):
                _match(
                    known, seen, f"its endpoint {known.endpoint}, which {other.name} at {other.center.label} has too"
                )


def _words(text: str | None) -> set[str]:
    return set(filter(None, re.split(r"[/_.@\s]+", (text or "").lower())))


def _by_host(entries: Sequence[Known], seen: Sequence[Seen]) -> None:
    """What lies on the host that an endpoint names: one of each, or by the name in its home or installation."""
    on: dict[str, list[Seen]] = {}
    for one in seen:
        for name in () if one.entries or one.member.get("endpoint") else one.names:
            on.setdefault(name, []).append(one)
    at: dict[str, list[Known]] = {}
    for known in entries:
        host = None if known.matches else _machine(known.endpoint)
        if host is not None:
            at.setdefault(host, []).append(known)
    for host, rivals in at.items():
        here = on.get(host, [])
        if len(here) == 1 and len(rivals) == 1 and not here[0].entries:
            _match(rivals[0], here[0], f"the host of its endpoint, {host}, which has no other")
            continue
        for known in rivals:
            _by_words(known, host, [one for one in here if not one.entries])


def _by_words(known: Known, host: str, here: Sequence[Seen]) -> None:
    """Which of several on its host it is, by its name in theirs or in their homes."""
    for what in ("installation", "home"):
        found = [
            one
            for one in here
            if known.last.lower()
            in _words(one.installation["name"] if what == "installation" else one.installation.get("home"))
        ]
        if len(found) == 1:
            _match(known, found[0], f"the host of its endpoint, {host}, and its {what}")
            return


def _by_name(entries: Sequence[Known], seen: Sequence[Seen]) -> None:
    """Where neither side has an address: a host that is called as the controller is, each the only one of that name."""
    names = Counter(known.last.lower() for known in entries)
    called: dict[str, list[Seen]] = {}
    for one in seen:
        for name in () if one.entries or one.member else {text.partition(".")[0] for text in one.names}:
            called.setdefault(name, []).append(one)
    for known in entries:
        name = known.last.lower()
        found = called.get(name, [])
        if not known.matches and not known.endpoint and names[name] == 1 and len(found) == 1:
            _match(known, found[0], f"the name of its host, {found[0].host}, and nothing says otherwise")


# -- the result -------------------------------------------------------------------------------------


@dataclass
class Ledger:
    """All ledgers, reconciled. Each list is ready to be written."""

    controllers: list[dict[str, Any]]
    operations_centers: list[dict[str, Any]]
    strangers: list[dict[str, Any]]
    unplaced: list[dict[str, Any]]
    renamed: list[dict[str, Any]]
    unexpected: list[dict[str, Any]]
    coverage: dict[str, Any]

    @property
    def ghosts(self) -> list[dict[str, Any]]:
        """Controllers that are known and were not audited."""
        return [one for one in self.controllers if not one["audited"]]

    @property
    def ghost_centers(self) -> list[dict[str, Any]]:
        """Operations centers that are known and were not audited."""
        return [one for one in self.operations_centers if not one["audited"]]

    def summary(self) -> dict[str, Any]:
        """What a report shows of it (docs/schema/report-1.json)."""
        return {
            **self.coverage,
            "ghosts": [f"{one['name']} ({one['operations_center']})" for one in self.ghosts],
            "ghost_centers": [one["name"] for one in self.ghost_centers],
            "strangers": [f"{one['host']}/{one['installation']}" for one in self.strangers],
            "renamed": [one["names"] for one in self.renamed],
        }

    def document(self, at: str) -> dict[str, Any]:
        """As it is written (docs/schema/ledger-1.json)."""
        return {
            "schema": LEDGER_SCHEMA,
            "generated_at": at,
            "coverage": self.coverage,
            "operations_centers": self.operations_centers,
            "controllers": self.controllers,
            "strangers": self.strangers,
            "unplaced": self.unplaced,
            "renamed": self.renamed,
            "unexpected": self.unexpected,
        }


def reconcile(
    hosts: Sequence[Host],
    answers: Mapping[str, product.Center | str] | None = None,
    names: Mapping[str, Sequence[str]] | None = None,
    expected: Mapping[str, Sequence[str]] | None = None,
) -> Ledger:
    """The ledgers and the evidence, as one.

    ``answers`` are those of operations centers by their addresses (a reason where one did not answer), ``names`` more
    names of hosts, such as their addresses, ``expected`` the installations that a host is to have.
    """
    names = names or {}
    everywhere = {host.host: host for host in hosts}
    audited = seen_in(hosts, names)
    centers = _Centers()
    for asked, answer in (answers or {}).items():
        centers.of_api(answer, asked)
    # What was audited once counts no more, and still names operations centers.
    old = [one for host in hosts if not is_seen(host) for one in _of_host(host, names)]
    own, others = _sorted_out(audited)
    old_own, old_others = _sorted_out(old)
    for one in (*others, *old_others):
        centers.named(one.member.get("operations_center"), one)
    alone = Counter(one.host for one in (*own, *old_own))
    # Those that say their address first: what is left is known by its host.
    for one in sorted(own, key=lambda one: not _detail(one).get("url")):
        centers.of_disk(one, alone[one.host] == 1)
    for one in sorted(old_own, key=lambda one: not _detail(one).get("url")):
        centers.of_old(one, alone[one.host] == 1, everywhere[one.host].verdict)
    for one in (*others, *old_others):
        one.center = centers.named(one.member.get("operations_center"), one)
    entries = [known for center in centers.all for known in center.entries.values()]
    _by_launch_file(entries, others)
    _by_host(entries, others)
    _by_name(entries, others)
    _by_another(entries)
    by_name = {name: host for host in hosts for name in (host.host.lower(), *map(str.lower, names.get(host.host, ())))}
    strangers, unplaced = _strangers(others, centers.all)
    return Ledger(
        sorted((_of_known(known, by_name) for known in entries), key=_order),
        sorted((_of_center(center, by_name) for center in centers.all), key=lambda one: str(one["url"])),
        strangers,
        unplaced,
        _renamed(entries, others),
        _unexpected(audited, everywhere, expected or {}),
        _coverage(entries, centers.all, unplaced, [one for one in (*others, *old_others) if one.unclear]),
    )


def _sorted_out(seen: Sequence[Seen]) -> tuple[list[Seen], list[Seen]]:
    """Operations centers, and controllers."""
    return (
        [one for one in seen if _is_center(one.installation)],
        [one for one in seen if not _is_center(one.installation) and _is_controller(one.installation)],
    )


def _order(one: Mapping[str, Any]) -> Any:
    return natural(one["name"]), str(one["operations_center"])


def _of_known(known: Known, by_name: Mapping[str, Host]) -> dict[str, Any]:
    return {
        "name": known.name,
        "operations_center": known.center.label,
        "kind": known.kind,
        "endpoint": known.endpoint,
        "approved": known.approved,
        "sources": known.sources,
        "audited": bool(known.matches),
        "matches": [
            {"host": seen.host, "installation": seen.installation["name"], "by": why}
            for seen, why in known.matches.values()
        ],
        "reason": None if known.matches else _why_not(known.endpoint, by_name),
    }


def _why_not(address: str | None, by_name: Mapping[str, Host]) -> str:
    """Why nobody has audited what has this address, and what to do."""
    machine = _machine(address)
    if machine is None:
        return "it has no address of its own, and nothing that was audited names it"
    host = by_name.get(machine)
    if host is None:
        return f"{machine} is not in the inventory"
    if not is_seen(host):
        return f"{host.host} is in the inventory, and its verdict is {host.verdict}: nobody has looked"
    if not host.installations:
        return f"{host.host} was audited, and no installation was found there"
    return f"{host.host} was audited, and none of its installations is known to be this one"


def _of_center(center: Center, by_name: Mapping[str, Host]) -> dict[str, Any]:
    return {
        "url": center.url,
        "name": center.label,
        "controllers": len(center.entries),
        "read_by": center.read_by,
        "audited": center.seen is not None,
        "host": center.seen.host if center.seen else None,
        "installation": center.seen.installation["name"] if center.seen else None,
        "reason": center.why,
        "not_audited": None if center.seen else _why_not(center.url, by_name),
    }


def _strangers(others: Sequence[Seen], centers: Sequence[Center]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Controllers that no operations center has, and those of which that cannot be told."""
    strangers, unplaced = [], []
    unread = [center.label for center in centers if not center.read_by]
    for one in others:
        if one.entries:
            continue
        document = {
            "host": one.host,
            "installation": one.installation["name"],
            "name": one.member.get("name"),
            "endpoint": one.endpoint,
            "operations_center": one.center.label if one.center else None,
        }
        if one.center is not None and not one.center.read_by:
            unplaced.append({**document, "reason": f"its launch files name {one.center.label}, which was not read"})
        elif one.unclear:
            unplaced.append({**document, "reason": f"where it belongs is not known: {one.unclear}"})
        elif one.center is not None:
            strangers.append(
                {**document, "reason": f"its launch files name {one.center.label}, which does not have it"}
            )
        elif centers and not unread:
            strangers.append({**document, "reason": "no operations center has it, and its launch files name none"})
        else:
            why = f"{len(unread)} of {len(centers)} operations centers were not read" if centers else "none was read"
            unplaced.append({**document, "reason": f"its launch files name no operations center, and {why}"})
    return strangers, unplaced


def _renamed(entries: Sequence[Known], others: Sequence[Seen]) -> list[dict[str, Any]]:
    """Two names for one: at operations centers, in launch files, in the inventory."""
    found: list[dict[str, Any]] = []
    for one in others:
        names = {
            f"{known.name} at {known.center.label}": why
            for known in one.entries
            for why in [known.matches[one.label][1]]
        }
        called = one.member.get("name")
        if called and one.entries and not any(known.is_called(called) for known in one.entries):
            names[f"{called} in its launch files"] = next(iter(names.values()))
        if len(names) > 1:
            found.append(
                _two(
                    list(names),
                    one.host,
                    one.installation["name"],
                    f"all of them are {one.label}, by {next(iter(names.values()))}",
                )
            )
    by_place: dict[str, list[Known]] = {}
    for known in entries:
        if len({seen.machine or seen.label for seen, _why in known.matches.values()}) > 1:
            found.append(
                _two(
                    list(known.matches),
                    None,
                    None,
                    f"each of them says that it is {known.name} at {known.center.label}, a copy perhaps",
                )
            )
        place = _shared_place(known.endpoint)
        if place and not known.matches:
            by_place.setdefault(place, []).append(known)
        if known.encoded and known.encoded not in (known.last, known.name) and known.center.seen is not None:
            found.append(_two([known.name, known.encoded], None, None, f"the item of {known.center.label} has both"))
    for same in by_place.values():
        if len(same) > 1:
            texts = [f"{known.name} at {known.center.label}" for known in same]
            found.append(_two(texts, None, None, f"they have the endpoint {same[0].endpoint}"))
    machines: dict[str, list[Seen]] = {}
    for one in others:
        if one.machine:
            machines.setdefault(one.machine, []).append(one)
    for group in machines.values():
        hosts = list(dict.fromkeys(one.host for one in group))
        if len(hosts) > 1:
            found.append(_two(hosts, None, None, "the same machine-id, boot and process namespace"))
    return found


def _two(names: Sequence[str], host: str | None, installation: str | None, why: str) -> dict[str, Any]:
    return {"names": list(names), "host": host, "installation": installation, "by": why}


def _unexpected(
    audited: Sequence[Seen], hosts: Mapping[str, Host], expected: Mapping[str, Sequence[str]]
) -> list[dict[str, Any]]:
    """Hosts that run what the inventory does not expect, or not what it does."""
    found = []
    names: dict[str, list[str]] = {}
    for one in audited:
        names.setdefault(one.host, []).append(one.installation["name"])
    for host, wanted in expected.items():
        here = names.get(host, [])
        more = [name for name in here if name not in wanted]
        if host in hosts and not is_seen(hosts[host]):
            continue  # of one that was not seen that is no finding of its own
        less = [name for name in wanted if name not in here]
        if more or less:
            found.append({"host": host, "expected": list(wanted), "unexpected": more, "missing": less})
    return found


def _distinct(entries: Iterable[Known]) -> int:
    """How many controllers these are at least: of a place, so many as the operations center with the most has there."""
    at: dict[str, Counter[int]] = {}
    for number, one in enumerate(entries):
        at.setdefault(_shared_place(one.endpoint) or f"{number}", Counter())[id(one.center)] += 1
    return sum(max(centers.values()) for centers in at.values())


def _coverage(
    entries: Sequence[Known], centers: Sequence[Center], unplaced: Sequence[Mapping[str, Any]], unclear: Sequence[Seen]
) -> dict[str, Any]:
    """How many of the controllers that are known were audited; a percentage only where it is known who is there.

    One that several operations centers have, by whatever names, is one. What one of them has are as many as it has.
    """
    audited = _distinct(one for one in entries if one.matches)
    known = audited + _distinct(one for one in entries if not one.matches)
    reasons = [f"{center.label} was not read: {center.why}" for center in centers if not center.read_by]
    reasons += [
        f"{center.label}: {'; '.join(center.reasons)}" for center in centers if center.read_by and center.reasons
    ]
    if unclear:
        reasons.append(
            f"which operations centers the launch files name of {named([one.label for one in unclear])} is not known: "
            f"{unclear[0].unclear}"
        )
    if not centers:
        reasons = ["no operations center was asked, and none was audited"]
    elif not known:
        reasons.append("no operations center has a controller")
    whole = all(center.read_by for center in centers) and not unplaced and not unclear
    return {
        "audited": audited,
        "known": known,
        "percent": math.floor(10000 * audited / known) / 100 if known and whole else None,
        "operations_centers": {"audited": sum(center.seen is not None for center in centers), "known": len(centers)},
        "reasons": reasons,
    }


def of_a_part(found: Ledger, part: str) -> Ledger:
    """A ledger of hosts that are a part of the inventory: who of the others was audited, nobody looked at here.

    So there are no ghosts among the controllers, and how many are audited of all is not known.
    """
    reason = f"the ledger is of a part of the inventory ({part}): who was audited besides, that of all of it tells"
    return replace(
        found,
        controllers=[one for one in found.controllers if one["audited"]],
        operations_centers=[one for one in found.operations_centers if one["audited"]],
        unplaced=[],
        coverage={**found.coverage, "percent": None, "reasons": [reason, *found.coverage["reasons"]]},
    )


def shortfall(coverage: Mapping[str, Any], wanted: float | None) -> str:
    """Why coverage (of a summary) is not what the policy wants; empty where it is, or where nothing is wanted."""
    if wanted is None:
        return ""
    if coverage["percent"] is None or not coverage["percent"] >= wanted:  # what is no number is not met either
        return f"{coverage_words(coverage)}; telemetry_min_coverage is {wanted:g} %"
    missing = coverage["ghost_centers"]
    return f"{len(missing)} operations centers were not audited: {', '.join(missing[:10])}" if missing else ""

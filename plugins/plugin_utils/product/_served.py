# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the product itself says of CloudBees' checkbox, asked from the control node where the inventory allows that.

Private to this collection. An export holds a licence key and credentials: it is read in memory, one boolean is kept,
and no text of it is in any message.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.cbops.telemetry.plugins.module_utils.java import _jenkins_home, _toggle
from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._access import Access, access_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product import _client as client
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._client import Client, ClientError
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._page import NotOnPage, checkbox_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._wished import (
    INFERRED,
    wants_toggle,
    without_toggle,
)

SECONDS = 10
EXPORT_BYTES = 8 << 20
EXPORT_PARSED = 2 << 20  # of a document in which the checkbox may be named
PAGE_BYTES = 4 << 20
#: Exports, with the permission that each takes; the page takes the least.
EXPORTS = (
    ("/core-casc-export/jenkins.yaml", "GET", "CloudBees CasC Permissions/Administer"),
    ("/core-casc-export", "GET", "CloudBees CasC Permissions/Administer"),
    ("/manage/configuration-as-code/export", "POST", "Overall/SystemRead"),
)
PAGE = ("/manage/configure", "Overall/SystemRead")
#: Where older cores have what is below /manage today.
_MANAGE = "/manage"
#: Where one question shows that another would have the same answer.
_HOPELESS = (client.ADDRESS, client.UNREACHABLE, client.CERTIFICATE, client.LATE, client.STARTING)


def exported(text: str) -> bool | None:
    """What an export says; None where it does not. Raises Unreadable, without any text of it."""
    values = set()
    for document in re.split(r"(?m)^---(?:[ \t][^\n]*)?$", text.replace("\r\n", "\n")):
        document = document.encode("utf-8", "replace").decode("latin-1")
        if _toggle.may_name_it(document, "the export"):
            if len(document) > EXPORT_PARSED:
                raise _toggle.Untold("the export is larger than is read for the toggle")
            found = _toggle.declared_in(document, "the export")
            values |= {found[0]} if found else set()
    if len(values) > 1:
        raise _toggle.Untold("the export says both")
    return values.pop() if values else None


def ask(access: Access, with_class: bool = False) -> tuple[dict[str, Any], str]:
    """What a product says of its toggle, and the class of the checkbox's descriptor where its page was read.

    ``with_class`` asks for the page also where an export has said it.
    """
    product = Client(*access)
    reasons: list[str] = []
    value: bool | None = None
    try:
        value = _by_export(product, reasons)
        if value is not None and not with_class:
            return {"collected": value, "mark": "export"}, ""
        path, need = PAGE
        box = checkbox_of(asked(product, path, "GET", PAGE_BYTES, need).text)
    except (ClientError, NotOnPage) as error:
        reasons.append(str(error))
        if value is not None:
            return {"collected": value, "mark": "export"}, ""
        reason = product.redacted("; ".join(dict.fromkeys(reasons)))
        return {"collected": "unknown", "reason": visible(reason)[:1500]}, ""
    cls = product.redacted(box.cls)
    if value is not None and value is not box.checked:
        return {"collected": "unknown", "reason": "its export and its page do not say the same"}, cls
    return {"collected": box.checked, "mark": "page" if value is None else "export"}, cls


def asked(product: Client, path: str, method: str, limit: int, need: str) -> client.Answer:
    """An answer, also where an older core has it. Raises ClientError."""
    try:
        return product.get(path, method, SECONDS, limit, need)
    except ClientError as error:
        if error.kind != client.ABSENT or not path.startswith(_MANAGE):
            raise
        try:
            return product.get(path.removeprefix(_MANAGE), method, SECONDS, limit, need)
        except ClientError as other:
            raise (error if other.kind == client.ABSENT else other) from None


def _by_export(product: Client, reasons: list[str]) -> bool | None:
    """What the first export that says it says. Raises ClientError where asking on is of no use."""
    for path, method, need in EXPORTS:
        try:
            answer = asked(product, path, method, EXPORT_BYTES, need)
        except ClientError as error:
            if error.kind in _HOPELESS:
                raise
            reasons.append(str(error))
            continue
        try:
            value = exported(answer.text)
        except _jenkins_home.Unreadable as error:
            reasons.append(f"{product.url}{path}: {error}")
            continue
        if value is not None:
            return value
        reasons.append(f"{product.url}{path}: the export does not say it")
    return None


def with_served(state: Any, variables: Mapping[str, Any]) -> Any:
    """The state with what the products serve, where the inventory wants that; each is asked for itself, and once.

    What a host says in their name is taken out in any case.
    """
    if not isinstance(state, Mapping):
        return state
    entries = [without_toggle(entry) for entry in state.get("installations") or []]
    try:
        way = ways_of(entries, variables) if wants_toggle(variables) else None
    except (TypeError, ValueError):
        way = None  # the policy is not valid, which is said by whoever judges it
    if way is not None:
        known: _Known = {}
        entries = [_asked(entry, way(entry), known) for entry in entries]
    return {**state, "installations": entries}


def ways_of(
    entries: Sequence[Mapping[str, Any]], variables: Mapping[str, Any]
) -> Callable[[Mapping[str, Any]], Access | None]:
    """How the installations of a host are reached, by the host's variables; None where that is not known.

    Raises TypeError, ValueError.
    """
    named = access_of(variables.get("telemetry_controllers") or {})
    mine = [entry for entry in entries if not entry.get("stray")]
    url = str(variables.get("telemetry_url") or "")
    user, token, ca_file = (str(variables.get(f"telemetry_{name}") or "") for name in ("user", "token", "ca_file"))
    allow_http = bool(boolean(variables.get("telemetry_allow_http") or False))
    alone = Access(url, user, token, os.path.expanduser(ca_file), allow_http) if url and len(mine) == 1 else None
    return lambda entry: next((named[name] for name in _names(entry) if name in named), alone)


#: Why an installation is not asked.
NO_URL = "its URL is not known: telemetry_url is for a host with one installation, telemetry_controllers for more"


#: What was said already, with and without the class: a host may name a service as often as it likes.
_Known = dict[tuple[Access, bool], tuple[dict[str, Any], str]]


def _asked(entry: Mapping[str, Any], access: Access | None, known: _Known) -> Mapping[str, Any]:
    toggle = entry.get("toggle")
    if entry.get("stray") or not isinstance(toggle, Mapping):
        return entry
    if access is None:
        return {**entry, "toggle": {**toggle, "served": {"collected": "unknown", "reason": NO_URL}}}
    disk = toggle["on_disk"]
    is_inferred = disk.get("mark") == INFERRED and "file" in disk
    if (access, is_inferred) not in known:
        known[access, is_inferred] = ask(access, is_inferred)
    served, cls = known[access, is_inferred]
    if cls and is_inferred:
        disk = _named(disk, cls)
    return {**entry, "toggle": {**toggle, "on_disk": disk, "served": served}}


def _named(disk: Mapping[str, Any], cls: str) -> Mapping[str, Any]:
    """What lies on disk, where the page names the class: its file is called so, or the one that was read is another."""
    name = str(disk["file"]).rpartition("/")[2]
    if name == f"{cls}.xml":
        return {**disk, "mark": "seen name"}
    return {"collected": "unknown", "file": disk["file"], "reason": f"the page names {cls}, and this file is not its"}


def _names(entry: Mapping[str, Any]) -> Sequence[str]:
    name = str(entry["name"])
    return [str(entry.get("service") or ""), name, f"{name}.service"]

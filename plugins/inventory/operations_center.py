# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controllers of operations centers as an inventory: who is there comes from those who know."""

from __future__ import annotations

DOCUMENTATION = r"""
name: operations_center
short_description: Controllers of CloudBees CI operations centers
version_added: 0.2.0
author:
  - The cbops.telemetry maintainers (@cbops)
description:
  - Asks operations centers which controllers they have, in all folders, and makes a host of each machine that a
    controller's own address names. Controllers that are offline or not approved are kept, and marked.
  - A controller that has no address yet, or one that an inventory must not be led to (this machine, no name of a
    machine), becomes a host whose name ends in C(.invalid), which nobody can reach, in the group
    C(controllers_without_address).
  - An operations center that cannot be asked, or of which only a part can be seen, is an error of this inventory, never
    an inventory without controllers. Ansible goes on without an inventory that has an error, with a warning;
    C(ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED) makes it stop, and the playbooks of this collection do so anyway.
  - The file's name ends in C(operations_center.yml), C(operations_centers.yml), or the same with C(.yaml).
extends_documentation_fragment:
  - constructed
  - inventory_cache
options:
  plugin:
    description: The name of this plugin.
    type: str
    required: true
    choices: [cbops.telemetry.operations_center]
  url:
    description: Address of the operations center, for a file that names only one.
    type: str
  user:
    description: User with C(Overall/Read) and C(Job/Read) there. Without one it is asked as anonymous.
    type: str
    env:
      - name: CBOPS_OPERATIONS_CENTER_USER
  token:
    description:
      - The user's API token. A value of Ansible Vault, a template such as a lookup of your secret store, or the
        environment; never a text in the file. It is in no variable, cache or address.
    type: str
    env:
      - name: CBOPS_OPERATIONS_CENTER_TOKEN
  ca_file:
    description: Certificates of the authorities that sign the operations center's, in PEM, instead of the machine's.
    type: path
  validate_certs:
    description:
      - There is no way to pass by the certificate, because whoever answered would get the token. C(false) is an error
        that says so; name the certificate itself as O(ca_file).
    type: bool
    default: true
  allow_http:
    description:
      - Send a token to an address of C(http://), where whoever listens can read it. Without, such an address is an
        error where there is a token, also one of this machine.
    type: bool
    default: false
  operations_centers:
    description:
      - Several operations centers. What one does not name is taken from the options above.
    type: list
    elements: dict
    default: []
    suboptions:
      url:
        description: Its address.
        type: str
        required: true
      user:
        description: Its user.
        type: str
      token:
        description: The user's API token.
        type: str
      ca_file:
        description: Certificates of its authorities.
        type: path
      allow_http:
        description: Send this token to an address of C(http://).
        type: bool
  ask_versions:
    description:
      - Ask each controller that is online for its version, at its own address, without any user or token. The addresses
        come from the operations center, so that it decides whom this machine asks.
      - One minute is for all controllers of an operations center; who is not asked by then has no version.
    type: bool
    default: false
"""

EXAMPLES = r"""
# controllers.operations_center.yml, one operations center
plugin: cbops.telemetry.operations_center
url: https://oc.example.com/
user: auditor
token: "{{ lookup('ansible.builtin.env', 'OC_TOKEN') }}"
ca_file: /etc/pki/tls/certs/company.pem
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: ~/.cache/ansible/controllers
cache_timeout: 3600

---
# Several, with groups
plugin: cbops.telemetry.operations_center
user: auditor
token: !vault |
  $ANSIBLE_VAULT;1.1;AES256
  6638...
operations_centers:
  - url: https://oc-emea.example.com/
  - url: https://oc-us.example.com/cjoc/
    user: auditor-us
    token: "{{ lookup('ansible.builtin.env', 'OC_US_TOKEN') }}"
strict: true
keyed_groups:
  - key: controller_kind
    prefix: kind
  - key: controller_folder
    prefix: folder
    default_value: none  # where a controller is in no folder; without this strict makes it an error
groups:
  to_approve: controller_approved is false
compose:
  ansible_user: "'auditor'"
"""

import hashlib
import re
import time
import urllib.parse
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from ansible import constants as C
from ansible.errors import AnsibleParserError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.release import __version__ as core_version
from ansible.utils.unsafe_proxy import wrap_var

from ansible_collections.cbops.telemetry.plugins.plugin_utils.product import _addresses as addresses
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product import _operations_center as product
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._client import Client, ClientError

SUFFIXES = tuple(f"operations_center{s}.{ending}" for s in ("", "s") for ending in ("yml", "yaml"))
CONTROLLERS = "controllers"
CENTERS = "operations_centers"
NOWHERE = "controllers_without_address"
_ENTRY = ("url", "user", "token", "ca_file")
_ASKED_AT_ONCE = 16
_SECONDS_FOR_VERSIONS = 60.0
#: Where controllers of one machine differ.
SEVERAL = "several"


class Source(NamedTuple):
    """An operations center that is to be asked."""

    url: str
    user: str
    token: str
    ca_file: str | None
    allow_http: bool


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """See DOCUMENTATION."""

    NAME = "cbops.telemetry.operations_center"

    def verify_file(self, path: str) -> bool:
        """Whether a file is for this plugin, by its name."""
        return bool(super().verify_file(path)) and path.endswith(SUFFIXES)

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Ask all operations centers, then make hosts of all: what is wrong with one is an error of the file."""
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        self.load_cache_plugin()
        centers = [self._center(source, path, cache) for source in self._sources()]
        for name in (CONTROLLERS, CENTERS):
            self.inventory.add_group(name)
        taken: dict[str, list[dict[str, Any]]] = {}
        for center in centers:
            for item in center.items:
                taken.setdefault(self._name(item, center), []).append(_variables(item, center))
        for name, here in taken.items():
            groups = [CONTROLLERS] + [NOWHERE] * name.endswith(".invalid")
            self._add(name, groups, _joined(here), self.get_option("strict"))
        for center in centers:
            self._add_center(center)

    # -- what is configured -------------------------------------------------------------------------

    def _text(self, value: Any) -> str:
        if value is None:
            return ""
        if isinstance(value, str) and self.templar.is_template(value):
            value = self.templar.template(value)
        return str(value)

    def _sources(self) -> list[Source]:
        if not self.get_option("validate_certs"):
            raise AnsibleParserError(
                "validate_certs: the certificate is always looked at, because whoever answers gets the token; name the "
                "certificate or its authority's as ca_file"
            )
        given = list(self.get_option("operations_centers") or [])
        if self.get_option("url"):
            given.insert(0, {"url": self.get_option("url")})
        if not given:
            raise AnsibleParserError("no operations center is named: url, or operations_centers")
        found = []
        for number, entry in enumerate(given, 1):
            if not isinstance(entry, Mapping) or not entry.get("url") or set(entry) - {*_ENTRY, "allow_http"}:
                raise AnsibleParserError(
                    f"operations_centers, entry {number}: it takes {', '.join(_ENTRY)}, allow_http, and url must be"
                    " there"
                )
            texts = {name: self._text(entry.get(name) or self.get_option(name)) for name in _ENTRY}
            try:
                url = addresses.address(texts["url"])
            except addresses.AddressError as error:
                raise AnsibleParserError(f"operations_centers, entry {number}: the url is not valid: {error}") from None
            if "@" in urllib.parse.urlsplit(texts["url"]).netloc:
                raise AnsibleParserError(
                    f"operations_centers, entry {number}: the url has a user in it; name user and token"
                )
            if texts["token"] and not texts["user"]:
                raise AnsibleParserError(f"operations_centers, entry {number}: a token needs its user")
            try:
                allow_http = bool(boolean(entry.get("allow_http", self.get_option("allow_http"))))
            except TypeError:
                raise AnsibleParserError(
                    f"operations_centers, entry {number}: allow_http must be true or false"
                ) from None
            if texts["token"] and url.startswith("http:") and not allow_http:
                raise AnsibleParserError(
                    f"{url} has no TLS, so that whoever listens could read the token; name https://, or allow_http"
                )
            found.append(Source(url, texts["user"], texts["token"], texts["ca_file"] or None, allow_http))
        if len({source.url for source in found}) < len(found):
            raise AnsibleParserError("an operations center is named twice")
        return found

    # -- asking -------------------------------------------------------------------------------------

    def _center(self, source: Source, path: str, cache: bool) -> product.Center:
        caching = bool(self.get_option("cache"))
        # By whom it was asked counts: another user sees other controllers. The token does not stand in it.
        who = hashlib.sha256(f"{source.url}\0{source.user}\0{self.get_option('ask_versions')}".encode()).hexdigest()[
            :16
        ]
        key = f"{self.get_cache_key(path)}_{who}"
        if caching and cache:
            try:
                kept = product.center_of(self._cache[key])
                if kept.url == source.url and kept.items:
                    return kept
            except (KeyError, ValueError):
                pass
        try:
            client = Client(source.url, source.user, source.token, source.ca_file, source.allow_http)
            center = product.read(client, source.url)
        except ClientError as error:
            raise AnsibleParserError(
                f"the operations center {source.url} did not say which controllers it has: {_ours(str(error))}"
            ) from None
        if self.get_option("ask_versions"):
            center = _with_versions(center, source.ca_file)
        if caching:
            self._cache[key] = product.document_of(center)
        return center

    # -- hosts --------------------------------------------------------------------------------------

    def _name(self, item: product.Item, center: product.Center) -> str:
        if item.endpoint is not None:
            name = addresses.machine(item.endpoint)
            if name not in C.LOCALHOST and name not in (*self.inventory.groups, "all", "ungrouped"):
                return name
        return _nowhere(item.name, center.url)

    def _add(self, name: str, groups: Sequence[str], variables: Mapping[str, Any], strict: bool) -> None:
        for group in groups:
            self.inventory.add_group(group)
            self.inventory.add_host(name, group=group)
        shown = {key: _data(value) for key, value in variables.items()}
        for key, value in shown.items():
            self.inventory.set_variable(name, key, value)
        self._set_composite_vars(self.get_option("compose"), shown, name, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), shown, name, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), shown, name, strict=strict)

    def _add_center(self, center: product.Center) -> None:
        try:
            name = addresses.machine(center.url)
        except addresses.AddressError:
            return  # it is this machine, as in a tunnel: how it is reached, the user says
        here = self.inventory.hosts.get(name)
        variables = {"operations_center_url": center.url, "operations_center_version": center.version}
        if here is not None:  # a controller beside it, and its variables stay
            self.inventory.add_host(name, group=CENTERS)
            for key, value in variables.items():
                self.inventory.set_variable(name, key, _data(value))
        else:
            # What is said of controllers it need not have.
            self._add(name, [CENTERS], variables, strict=False)


def _data(value: Any) -> Any:
    """A value that Ansible never takes for a template: since 2.19 what a plugin gives is none by itself."""
    return wrap_var(value) if tuple(map(int, core_version.split(".")[:2])) < (2, 19) else value


def _ours(text: str) -> str:
    """What the client says, with the names of this plugin's options."""
    for theirs in ("ca_file", "user", "token"):
        text = text.replace(f"telemetry_{theirs}", theirs)
    return text


def _variables(item: product.Item, center: product.Center) -> dict[str, Any]:
    return {
        "controller_name": item.name.rpartition("/")[2],
        "controller_folder": item.folder,
        "controller_kind": item.kind,
        "controller_endpoint": item.endpoint,
        "controller_endpoint_refused": item.refused,
        "controller_online": item.online,
        "controller_approved": item.approved,
        "controller_state": item.state,
        "controller_version": item.version,
        "controller_operations_center": center.url,
    }


def _joined(here: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The variables of a machine: those of its controller, and where it has several, what they have in common."""
    first = here[0]
    same = {key: value if all(one[key] == value for one in here) else SEVERAL for key, value in first.items()}
    return {**same, "controllers_here": [{key[11:]: value for key, value in one.items()} for one in here]}


def _nowhere(name: str, url: str) -> str:
    """A name for a controller without an address, which no resolver has an answer for (RFC 2606)."""
    host = urllib.parse.urlsplit(url).hostname or ""
    labels = []
    for part in [*reversed(name.split("/")), *("" if ":" in host else host).split(".")]:
        label = re.sub(r"[^0-9a-z-]+", "-", part.lower()).strip("-")[:40]
        labels.append(label or "x")
    mark = hashlib.sha256(f"{url}\0{name}".encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{'.'.join(labels)[:180].strip('.-')}.{mark}.invalid"


def _with_versions(center: product.Center, ca_file: str | None) -> product.Center:
    until = time.monotonic() + _SECONDS_FOR_VERSIONS

    def asked(item: product.Item) -> product.Item:
        if not item.endpoint or not item.online or time.monotonic() >= until:
            return item
        return item._replace(version=product.version_of(Client(item.endpoint, ca_file=ca_file)))

    with ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:
        return center._replace(items=tuple(pool.map(asked, center.items)))

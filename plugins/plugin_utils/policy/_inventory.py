# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An inventory as data: what it may hold where nobody has answered for it yet, and a copy that holds nothing else.

Ansible itself takes an inventory for a program: it runs scripts, loads plugins, renders templates and follows
connection variables to whatever they name. So Ansible is given the copy alone, in which every file is JSON that was
made of values that were looked at here.

Private to this collection. Runs on the control node, or on a host that enforces itself.
"""

from __future__ import annotations

import datetime
import json
import math
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from ansible.errors import AnsibleError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.inventory.ini import InventoryModule

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

#: Variables of ours that belong to whoever runs the playbook, and why they are no policy.
KEPT = {
    "telemetry_launch_templates": "a template is a program",
    "telemetry_token": "a secret has no place in it",
    "telemetry_controllers": "it holds secrets, and says where they are sent",
    "telemetry_allow_http": "it sends a secret where others can read it",
    "telemetry_operations_centers": "it holds secrets, and says where they are sent",
    "telemetry_min_coverage": "it would decide whether its own check fails",
    "telemetry_slice": "it would decide whether its own check looks for what is missing",
    "telemetry_fail_on": "it would decide whether its own check fails",
    "telemetry_max_age": "it would decide how old the evidence may be that its own check passes",
    **dict.fromkeys(
        (
            "telemetry_ca_file",
            "telemetry_plan",
            "telemetry_reports_dir",
            "telemetry_report_name",
            "telemetry_evidence_dirs",
            "telemetry_signing_key",
            "telemetry_public_authorities",
            "telemetry_report_history",
        ),
        "it names a file that is read or written with the rights of whoever runs this",
    ),
}

#: What an inventory may say of a connection, and in which form; all else of Ansible's can name a program.
_CONNECTION = {
    "ansible_host": r"[A-Za-z0-9][A-Za-z0-9_.:%-]*",
    "ansible_port": r"[0-9]{1,5}",
    "ansible_user": r"[A-Za-z0-9_][A-Za-z0-9_.-]*",
    "ansible_become": r"(?i:true|false|yes|no)",
    "ansible_connection": r"(ansible\.builtin\.)?ssh",
    "ansible_python_interpreter": r"auto(_legacy)?(_silent)?|/usr/bin/python3(\.[0-9]+)?|/usr/libexec/platform-python",
    "ansible_group_priority": r"[0-9]{1,6}",
}
_FORMS = {**_CONNECTION, "telemetry_url": r"https?://[][A-Za-z0-9._:/~-]+"}
_VARIABLE = r"telemetry_[A-Za-z0-9_]+"
_KEY = r"[A-Za-z][A-Za-z0-9_]*"
# A name becomes a word of ssh's command line and the name of a file; a range is spread out by Ansible.
_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
_RANGE = r"\[(?:[0-9]{1,4}:[0-9]{1,4}(?::[0-9]{1,3})?|[A-Za-z]:[A-Za-z])\]"
_HOSTS = rf"{_NAME}|(?:{_NAME})?{_RANGE}[A-Za-z0-9_.-]*"
_TEMPLATE = re.compile(r"\{[{%#]|\A\s*#jinja2:")
_SELF = ("localhost", "127.0.0.1")

_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_LONGEST_NUMBER = 64
_MAX_BYTES = 16 << 20
_MAX_VALUES = 1_000_000
_MAX_DEPTH = 20
_MAX_LINE = 32768  # of an INI file: Ansible's reader takes the square of it
_MAX_NESTED = 100  # collections in a document: groups in groups have two each, and values in them
_YAML = (".yml", ".yaml", ".json")
#: Endings of files beside an inventory that Ansible does not read either.
_OTHER = (".md", ".txt", ".rst")


class InventoryError(ValueError):
    """The inventory is not data alone, or cannot be read; the message names file and reason."""


def take(source: str, top: str = ".") -> dict[str, Any]:
    """The files of the copy, by their names; ``source`` is a file or folder, and below ``top`` no link is followed.

    Raises :class:`InventoryError`.
    """
    return _Reading(Path(top), source).files()


def write(files: Mapping[str, Any], folder: Path) -> None:
    """Write the copy into a folder that is not there yet. Raises OSError."""
    folder.mkdir(mode=0o700)
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.write_text(json.dumps(data, allow_nan=False) + "\n", encoding="ascii")


def _shown(text: object) -> str:
    """Somebody else's text in a message of ours: in one line and without anything that a terminal obeys."""
    return ascii(str(text)[:80])


class _Reading:
    """Reads one inventory; counts, so that no file can make more of itself than it is."""

    def __init__(self, top: Path, source: str) -> None:
        self.source = top / source
        self.base = self.source
        self.bytes = self.values = 0
        at = top
        # A path that is absolute stands for itself; of the other the repository decides what its parts are.
        for part in [source] if os.path.isabs(source) else Path(source).parts:
            at = at / part
            if part == ".." or at.is_symlink():
                raise InventoryError(f"{_shown(at)} is a link, or leads out of the folder it is to be in")

    def files(self) -> dict[str, Any]:
        """Everything, by its name in the copy."""
        kind = self._kind(self.source)
        found: dict[str, Any] = {}
        if kind == "file":
            self.base = self.source.parent
            found["0.json"] = self._hosts(self.source)
        elif kind == "folder":
            # Numbers keep the order in which Ansible reads them.
            for number, path in enumerate(self._sources(), 1):
                found[f"{number:04}.json"] = self._hosts(path)
        if not found:
            raise InventoryError(f"there is no inventory at {_shown(self.source)}")
        for folder in ("group_vars", "host_vars"):
            for name, data in self._variable_files(self.base / folder):
                found[f"{folder}/{name}.json"] = data
        return found

    # -- files --------------------------------------------------------------------------------------

    def _kind(self, path: Path) -> str | None:
        """file, folder, None where there is nothing. Refuses links and everything else."""
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise InventoryError(f"{_shown(path)}: {_shown(error)}") from error
        if stat.S_ISREG(mode):
            return "file"
        if stat.S_ISDIR(mode):
            return "folder"
        raise InventoryError(f"{_shown(path)} is a link or no regular file")

    def _listed(self, folder: Path) -> list[Path]:
        try:
            names = sorted(os.listdir(folder))
        except OSError as error:
            raise InventoryError(f"{_shown(folder)}: {_shown(error)}") from error
        return [folder / name for name in names if not name.startswith(".") and not name.endswith(_OTHER)]

    def _sources(self) -> Iterator[Path]:
        for path in self._listed(self.source):
            if path.name in ("group_vars", "host_vars"):
                continue
            if self._kind(path) != "file" or path.suffix not in (*_YAML, ".ini", "") or path.name.endswith("~"):
                raise InventoryError(
                    f"{_shown(path)}: an inventory is made of YAML and INI files, group_vars and host_vars"
                )
            yield path

    def _text(self, path: Path) -> str:
        """The text of a file."""
        if self._kind(path) != "file":
            raise InventoryError(f"{_shown(path)} is no file")
        try:
            with path.open("rb") as source:
                data = source.read(_MAX_BYTES + 1)
            self.bytes += len(data)
            if self.bytes > _MAX_BYTES:
                raise InventoryError(f"the inventory is larger than {_MAX_BYTES >> 20} MiB")
            return data.decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InventoryError(f"{_shown(path)} cannot be read: {_shown(error)}") from error

    def _yaml(self, path: Path, text: str) -> Any:
        """A document of plain values. What a tag or an alias stands for is Ansible's or grows, so there are none."""
        try:
            depth = 0
            for event in yaml.parse(text, Loader=_Loader):
                depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
                if depth > _MAX_NESTED:  # libyaml takes the longer for each word the deeper it is
                    raise InventoryError(f"{_shown(path)}, line {event.start_mark.line + 1}: nested too deeply")
                if isinstance(event, yaml.AliasEvent):
                    raise InventoryError(f"{_shown(path)}, line {event.start_mark.line + 1}: no alias is taken")
                if getattr(event, "tag", None) is not None:
                    raise InventoryError(
                        f"{_shown(path)}, line {event.start_mark.line + 1}: no tag is taken: {_shown(event.tag)}"
                    )
            nodes = [yaml.compose(text, Loader=_Loader)]
            while nodes:
                node = nodes.pop()
                if isinstance(node, yaml.MappingNode):
                    keys = [key.value for key, _value in node.value if isinstance(key, yaml.ScalarNode)]
                    # The last one would count, and the first one would be read in a review.
                    if len(keys) != len(set(keys)):
                        raise InventoryError(f"{_shown(path)}, line {node.start_mark.line + 1}: a key is there twice")
                    nodes += [part for pair in node.value for part in pair]
                elif isinstance(node, yaml.SequenceNode):
                    nodes += node.value
                elif (
                    isinstance(node, yaml.ScalarNode) and node.tag in _NUMBERS and len(node.value) > _LONGEST_NUMBER
                ):  # 1:1:1:… is one, and dear to read
                    raise InventoryError(f"{_shown(path)}, line {node.start_mark.line + 1}: the number is too long")
            return yaml.load(text, Loader=_Loader)  # noqa: S506 (the loader is the safe one)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            if isinstance(error, InventoryError):
                raise
            mark = getattr(error, "problem_mark", None)
            where = f", line {mark.line + 1}" if mark else ""
            said = getattr(error, "problem", None) or type(error).__name__
            raise InventoryError(f"{_shown(path)}{where} is no YAML: {_shown(said)}") from error

    # -- hosts and groups ---------------------------------------------------------------------------

    def _hosts(self, path: Path) -> dict[str, Any]:
        """One file with hosts and groups, in the structure of a YAML inventory."""
        text = self._text(path)
        data = None
        if path.suffix in _YAML:
            data = self._yaml(path, text)
        elif path.suffix == "":
            try:
                data = self._yaml(path, text)
            except InventoryError:
                pass  # most INI is no YAML
        if not isinstance(data, dict) and path.suffix not in _YAML:
            data = self._ini(path, text)
        groups = self._mapping(path, data, "an inventory")
        return {self._name(path, name, _NAME): self._group(path, group, 0) for name, group in groups.items()}

    def _ini(self, path: Path, text: str) -> dict[str, Any]:
        """An INI inventory, by Ansible's own reader, which evaluates literals and runs nothing."""
        for line in text.splitlines():
            if len(line) > _MAX_LINE:
                raise InventoryError(f"{_shown(path)}: a line has more than {_MAX_LINE} characters")
            word = (line.split() or [""])[0]
            ranges = any(":" in part.partition("[")[2] for part in word.split("]")[:-1])
            if not line.startswith("[") and ranges and not re.fullmatch(_HOSTS, word):
                raise InventoryError(f"{_shown(path)}: {_shown(word)} is no range of hosts")
        inventory = InventoryData()
        try:
            InventoryModule().parse(inventory, DataLoader(), str(path), cache=False)
        except (AnsibleError, ValueError, RecursionError, MemoryError) as error:
            raise InventoryError(f"{_shown(path)} is no INI inventory: {_shown(error)}") from error
        data: dict[str, Any] = {}
        for name, group in inventory.groups.items():
            data[name] = {
                "vars": dict(group.vars),
                "hosts": {host.name: {} for host in group.hosts},
                "children": {child.name: {} for child in group.child_groups},
            }
        data["ungrouped"]["hosts"] = {}
        data["all"]["hosts"] = {
            name: {key: value for key, value in host.vars.items() if key not in ("inventory_file", "inventory_dir")}
            for name, host in inventory.hosts.items()
        }
        return data

    def _group(self, path: Path, group: Any, depth: int) -> dict[str, Any]:
        if depth > _MAX_DEPTH:
            raise InventoryError(f"{_shown(path)}: groups in groups, too deep")
        given = self._mapping(path, group, "a group")
        for key in given:
            if key not in ("hosts", "children", "vars"):
                raise InventoryError(f"{_shown(path)}: a group has hosts, children and vars, not {_shown(key)}")
        return {
            "hosts": {
                self._name(path, name, _HOSTS): self._variables(path, variables)
                for name, variables in self._mapping(path, given.get("hosts"), "hosts").items()
            },
            "children": {
                self._name(path, name, _NAME): self._group(path, child, depth + 1)
                for name, child in self._mapping(path, given.get("children"), "children").items()
            },
            "vars": self._variables(path, given.get("vars")),
        }

    def _name(self, path: Path, name: Any, form: str) -> str:
        if not isinstance(name, str) or not re.fullmatch(form, name) or name in _SELF:
            raise InventoryError(f"{_shown(path)}: {_shown(name)} is no name that a host or group may have here")
        return name

    # -- variables ----------------------------------------------------------------------------------

    def _variable_files(self, folder: Path) -> Iterator[tuple[str, Any]]:
        """What group_vars or host_vars holds: for each name one file, or a folder of files."""
        kind = self._kind(folder)
        if kind is None:
            return
        if kind != "folder":
            raise InventoryError(f"{_shown(folder)} is no folder")
        seen: set[str] = set()
        for path in self._listed(folder):
            whole = self._kind(path) == "folder"
            name = path.stem if not whole and path.suffix in _YAML else path.name
            name = self._name(path, name, _NAME)
            if name in seen:
                raise InventoryError(f"{_shown(path)}: {_shown(name)} has another file; say it in one")
            seen.add(name)
            data: dict[str, Any] = {}
            for part in self._listed(path) if whole else [path]:
                data.update(self._variables(part, self._yaml(part, self._text(part))))
            yield name, data

    def _variables(self, path: Path, data: Any) -> dict[str, Any]:
        """Variables by their names, each of which is known to be harmless."""
        return {
            self._variable(path, name, value): self._value(path, value, 0)
            for name, value in self._mapping(path, data, "variables").items()
        }

    def _variable(self, path: Path, name: Any, value: Any) -> str:
        if isinstance(name, str) and name in _FORMS:
            if isinstance(value, str | int) and re.fullmatch(_FORMS[name], str(value)):
                return name
            raise InventoryError(f"{_shown(path)}: {name} may not be {_shown(value)} in an inventory that is data")
        if isinstance(name, str) and re.fullmatch(_VARIABLE, name):
            if name in KEPT:
                raise InventoryError(
                    f"{_shown(path)}: {name} is not taken from an inventory that is data: {KEPT[name]}"
                )
            return name
        raise InventoryError(
            f"{_shown(path)}: {_shown(name)} is not taken from an inventory that is data: it may set "
            f"policy (telemetry_*) and {', '.join(_CONNECTION)}"
        )

    def _value(self, path: Path, value: Any, depth: int) -> Any:
        """A value of plain JSON, in which there is no template."""
        self.values += 1
        if depth > _MAX_DEPTH or self.values > _MAX_VALUES:
            raise InventoryError(f"{_shown(path)}: too many values, or too deep")
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            if _TEMPLATE.search(value):
                raise InventoryError(f"{_shown(path)}: {_shown(value)} is a template, and an inventory is data here")
            return str(value)
        if isinstance(value, int):
            return int(value)
        if isinstance(value, float) and math.isfinite(value):
            return float(value)
        if isinstance(value, datetime.date):
            return value.isoformat()
        if isinstance(value, list):
            return [self._value(path, one, depth + 1) for one in value]
        if isinstance(value, dict):
            for key in value:
                if not isinstance(key, str) or not re.fullmatch(_KEY, key):
                    raise InventoryError(f"{_shown(path)}: {_shown(key)} is no key")
            return {str(key): self._value(path, one, depth + 1) for key, one in value.items()}
        raise InventoryError(f"{_shown(path)}: {_shown(value)} is no plain value")

    def _mapping(self, path: Path, data: Any, what: str) -> dict[Any, Any]:
        if data is None:
            return {}
        if not isinstance(data, dict):
            raise InventoryError(f"{_shown(path)}: {what} must be a mapping")
        return data

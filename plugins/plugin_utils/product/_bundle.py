# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CloudBees' checkbox set in a text of configuration as code: one scalar, or one key more; all else byte for byte.

Private to this collection. Runs on the control node. What would have to be guessed is refused, with the lines to write;
and what was made is read again, by the reader of the toggle and by PyYAML, before it is given back.
"""

from __future__ import annotations

from typing import Any

import yaml  # type: ignore[import-untyped]

from ansible_collections.cbops.telemetry.plugins.module_utils.java import _toggle, _yaml
from ansible_collections.cbops.telemetry.plugins.module_utils.java._jenkins_home import Unreadable

WORDS = {"disabled": "false", "enabled": "true"}
STEP = 2


class NotSet(Exception):
    """The text stays as it is; the message says why, and which lines to write."""


def lines(wanted: str) -> str:
    """The lines that set the checkbox, for whoever must write them."""
    return f"{_toggle.KEYS[0]}:\n  {_toggle.KEYS[1]}:\n    {_toggle.KEYS[2]}: {WORDS[wanted]}\n"


def with_toggle(text: str, wanted: str, name: str = "the text") -> str:
    """The text with the checkbox as it is wanted: ``disabled`` or ``enabled``. Raises :class:`NotSet`."""
    latin = text.encode("utf-8", "surrogateescape").decode("latin-1")
    try:
        if _toggle.declared_in(latin, name) == (wanted == "enabled", _line(latin, name)):
            return text
    except Unreadable:
        pass  # it may be that the value alone is none
    try:
        made = _made(latin, WORDS[wanted], name)
        found = _toggle.declared_in(made, name)
        result = made.encode("latin-1").decode("utf-8", "surrogateescape")
        is_all = _others(text) == _others(result)
    except (Unreadable, _yaml.Unsure) as error:
        raise NotSet(f"{error}; write it by hand: {lines(wanted)!r}") from None
    if found is None or found[0] is not (wanted == "enabled") or not is_all:
        raise NotSet(f"{name}: nothing but the checkbox may change; write it by hand: {lines(wanted)!r}")
    return result


def _line(text: str, name: str) -> int:
    found = _toggle.declared_in(text, name)
    return found[1] if found else 0


def _made(text: str, word: str, name: str) -> str:
    """The text with another value, or with one key more. Raises Unreadable, Unsure."""
    ends = "\r\n" if "\r\n" in text else "\n"
    node = _yaml.Reader(text).document()
    if node is None or node.kind != _yaml.MAP:
        if node is not None or "---" in text or "..." in text:
            raise _toggle.Untold(f"{name}: it is no mapping")
        begin = text + ("" if not text or text.endswith("\n") else ends)
        return begin + _added(_toggle.KEYS, 0, word, ends)
    key: _yaml.Node | None = None
    for number, wanted in enumerate(_toggle.KEYS):
        if node.kind == _yaml.SCALAR and node.value is None:
            return _below_null(text, key, node, _toggle.KEYS[number:], word, ends, name)
        _toggle._member(node, wanted, name)  # raises where it is not sure
        pair = next((one for one in node.value if (one[0].value or "").lower() == wanted.lower()), None)
        if pair is None:
            return _in_mapping(text, key, node, _toggle.KEYS[number:], word, ends)
        parent, (key, node) = node, pair
    return _another_value(text, parent, node, word, name)


def _added(keys: Any, column: int, word: str, ends: str) -> str:
    parts = [f"{' ' * (column + STEP * number)}{key}:" for number, key in enumerate(keys)]
    return ends.join(parts) + f" {word}{ends}"


def _another_value(text: str, parent: _yaml.Node, node: _yaml.Node, word: str, name: str) -> str:
    if node.kind != _yaml.SCALAR:
        raise _toggle.Untold(f"{name}: its value is no scalar")
    if node.value is None:
        if parent.column < 0:
            raise _toggle.Untold(f"{name}: it has no value")
        return f"{text[: node.start]} {word}{text[node.start :]}"
    old = text[node.start : node.end]
    if "${" in old or "\n" in old or node.value == "\n" or not old:
        raise _toggle.Untold(f"{name}: its value is a variable, or one of several lines")
    return text[: node.start] + word + text[node.end :]


def _below_null(text: str, key: _yaml.Node | None, node: _yaml.Node, keys: Any, word: str, ends: str, name: str) -> str:
    """Below a key without a value, in the lines that follow."""
    before = "" if key is None else text[: key.start].removeprefix("\xef\xbb\xbf").rpartition("\n")[2]  # latin-1's BOM
    if key is None or before.strip(" "):
        raise _toggle.Untold(f"{name}: a key without a value, in brackets")
    return _after_line(text, node.start, _added(keys, len(before) + STEP, word, ends), ends)


def _in_mapping(text: str, key: _yaml.Node | None, node: _yaml.Node, keys: Any, word: str, ends: str) -> str:
    """A key more in a mapping: first in one that is below a key, so that comments stay where they are; else last."""
    if node.column < 0:
        inner = f"{keys[-1]}: {word}"
        for one in reversed(keys[:-1]):
            inner = f"{one}: {{{inner}}}"
        return text[: node.start + 1] + inner + (", " if node.value else "") + text[node.start + 1 :]
    added = _added(keys, node.column, word, ends)
    if key is not None:
        return _after_line(text, key.end, added, ends)
    end = node.end if node.end < len(text) else len(text)
    head = text[:end]
    return head + ("" if head.endswith("\n") else ends) + added + text[end:]


def _after_line(text: str, position: int, added: str, ends: str) -> str:
    end = text.find("\n", position)
    return f"{text}{ends}{added}" if end < 0 else text[: end + 1] + added + text[end + 1 :]


def _others(text: str) -> Any:
    """All that a text says beside the checkbox, as PyYAML reads it. Raises Untold where PyYAML cannot."""
    try:
        node = yaml.compose(text, yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise _toggle.Untold("it is no YAML that PyYAML reads") from error
    return _shape(node, _toggle.KEYS)


def _shape(node: yaml.Node | None, left: Any = (), seen: tuple[int, ...] = ()) -> Any:
    """A tree to compare, without what stands at the path ``left``, and without mappings that hold nothing else."""
    if node is None or id(node) in seen:
        return None
    seen = (*seen, id(node))
    if isinstance(node, yaml.SequenceNode):
        return ["list", *(_shape(one, (), seen) for one in node.value)]
    if not isinstance(node, yaml.MappingNode):
        return None if left and node.value == "" else (node.tag, node.value)
    pairs = []
    for key, value in node.value:
        is_ours = bool(left) and str(key.value).lower() == left[0].lower()
        inner = None if is_ours and len(left) == 1 else _shape(value, left[1:] if is_ours else (), seen)
        if not (is_ours and inner is None):
            pairs.append((_shape(key, (), seen), inner))
    return None if left and not pairs else ["map", *pairs]

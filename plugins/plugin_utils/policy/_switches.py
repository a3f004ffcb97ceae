# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""telemetry_switches: which properties of a JVM are policy beside the flag, and what is wanted of each.

Private to this collection. Runs on the control node.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.cbops.telemetry.plugins.module_utils.java._jvm import PROPERTY, is_name
from ansible_collections.cbops.telemetry.plugins.module_utils.senders._table import SWITCHES, TABLE
from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible

DESIRED = ("disabled", "enabled", "unmanaged")
OFF = ("true", "false")
MOST = 20
_KEYS = ("desired", "off_value")
#: Every sender that has a switch of the table, by name; two may have the same one.
_OF_SENDERS = {one.name: one.switch for one in TABLE if one.switch is not None and one.switch.name != PROPERTY}


class Switch(NamedTuple):
    """A property that is policy."""

    name: str
    desired: str
    off_value: str  # the value with which nothing is sent
    words: str  # what sends, as in sentences
    variable: str = ""  # of the environment, that does the same

    def document(self) -> dict[str, str]:
        """As evidence shows it, and as a host is asked for it."""
        return {"name": self.name, "desired": self.desired, "off_value": self.off_value}

    def edit(self) -> dict[str, str]:
        """As telemetry_flag takes it."""
        return {"name": self.name, "state": self.desired, "off_value": self.off_value, "variable": self.variable}


def words_of(name: str) -> str:
    """What a property turns on or off, as in sentences."""
    senders = [one.words for one in TABLE if one.switch is not None and one.switch.name == name]
    return " and ".join(senders) or f"what {name} governs"


def switches_of(value: Any) -> tuple[Switch, ...]:
    """The switches of ``telemetry_switches``, in the order of their properties. Raises ValueError."""
    if value in (None, "", {}, []):
        return ()
    if not isinstance(value, Mapping):
        raise ValueError(
            "it must be a mapping, such as {hazelcast_phone_home: disabled, com.example.phone.home: "
            "{desired: disabled, off_value: 'false'}}"
        )
    if len(value) > MOST:
        raise ValueError(f"it may have {MOST} properties, and has {len(value)}")
    found: dict[str, Switch] = {}
    for key, wanted in value.items():
        one = _one(str(key), wanted)
        other = found.get(one.name)
        if other is not None and other.desired != one.desired:
            raise ValueError(f"{one.name} is to be {other.desired} and {one.desired}: two of its keys are the same")
        found[one.name] = one
    return tuple(found[name] for name in sorted(found) if found[name].desired != "unmanaged")


def _one(key: str, wanted: Any) -> Switch:
    shown = visible(key)[:200]
    fields = wanted if isinstance(wanted, Mapping) else {"desired": wanted}
    unknown = sorted(visible(str(name))[:40] for name in fields if name not in _KEYS)
    if unknown:
        raise ValueError(f"{shown} may have {', '.join(_KEYS)}, and not {', '.join(unknown)}")
    desired = fields.get("desired")
    if desired not in DESIRED:
        raise ValueError(f"{shown} is {visible(str(desired))[:40]!r}; it may be {', '.join(DESIRED)}")
    off = fields.get("off_value")
    off = str(off).lower() if isinstance(off, bool) else off
    if key in ("analytics_plugin", PROPERTY):
        raise ValueError(f"{shown} is the flag, of which telemetry_desired says what is wanted")
    known = _OF_SENDERS.get(key) or next((one for one in SWITCHES.values() if one.name == key), None)
    if known is None and key in {one.name for one in TABLE}:
        raise ValueError(f"{shown} has no property that turns it off (docs/senders.md)")
    if known is None and not is_name(key):
        raise ValueError(
            f"{shown} is neither a sender that has a switch ({', '.join(_OF_SENDERS)}) nor the name of a property"
        )
    if known is None and off not in OFF:
        raise ValueError(
            f"{shown} must say with which value nothing is sent, as in {{desired: disabled, off_value: 'true'}}"
        )
    if known is not None and off not in (None, known.off):
        raise ValueError(f"{shown} sends nothing where it is {known.off}, not {visible(str(off))[:40]!r}")
    name = known.name if known is not None else key
    return Switch(
        name,
        str(desired),
        known.off if known is not None else str(off),
        words_of(name),
        known.variable if known is not None else "",
    )


def from_documents(found: Iterable[Mapping[str, Any]]) -> tuple[Switch, ...]:
    """The switches that evidence shows. Raises ValueError."""
    return switches_of({one["name"]: {"desired": one["desired"], "off_value": one["off_value"]} for one in found})

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""telemetry_switches: which properties and variables of a JVM are policy beside the flag, and what is wanted of each.

Private to this collection. Runs on the control node.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.cbops.telemetry.plugins.module_utils.java._jvm import CONTRARY, PROPERTY, is_name, is_variable
from ansible_collections.cbops.telemetry.plugins.module_utils.senders._table import BY_NAME, SWITCHES, TABLE
from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible

DESIRED = ("disabled", "enabled", "unmanaged")
OFF = ("true", "false")
MOST = 20
KINDS = ("property", "environment")
_KEYS = ("desired", "off_value", "kind")
#: Every sender that has a switch of the table, by name; two may have the same one.
_OF_SENDERS = {one.name: one.switch for one in TABLE if one.switch is not None and one.switch.name != PROPERTY}
#: Those that a variable of the environment turns off as well. It must be the very word ``false``.
_WITH_VARIABLE = {name: switch.variable for name, switch in _OF_SENDERS.items() if switch.variable}
_OFF_OF_VARIABLE = "false"


class Switch(NamedTuple):
    """A property, or a variable of the environment, that is policy."""

    name: str
    desired: str
    off_value: str  # the value with which nothing is sent
    words: str  # what sends, as in sentences
    variable: str = ""  # of the environment, that does the same
    kind: str = ""  # "environment" where it is a variable itself

    def asked(self) -> dict[str, str]:
        """As a host is asked for it."""
        return {"name": self.name, "off_value": self.off_value, **({"kind": self.kind} if self.kind else {})}

    def document(self) -> dict[str, str]:
        """As evidence shows it."""
        return {**self.asked(), "desired": self.desired}

    def edit(self) -> dict[str, str]:
        """As telemetry_flag takes it."""
        return {**self.asked(), "state": self.desired, "variable": self.variable}


def words_of(name: str, kind: str = "") -> str:
    """What a property or a variable turns on or off, as in sentences."""
    senders = [
        one.words
        for one in TABLE
        if one.switch is not None and (one.switch.variable if kind else one.switch.name) == name
    ]
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
    return _together(_one(str(key), wanted) for key, wanted in value.items())


def _together(switches: Iterable[Switch]) -> tuple[Switch, ...]:
    """Each once, properties and variables by name. Raises ValueError where two of them contradict each other."""
    found: dict[tuple[str, str], Switch] = {}
    for one in switches:
        other = found.get((one.name, one.kind))
        if other is not None and other.desired != one.desired:
            raise ValueError(f"{one.name} is to be {other.desired} and {one.desired}: two of its keys are the same")
        found[one.name, one.kind] = one
    wanted = {key: one for key, one in found.items() if one.desired != "unmanaged"}
    for one in wanted.values():
        variable = wanted.get((one.variable, "environment"))
        if one.desired == "enabled" and variable is not None and variable.desired == "disabled":
            raise ValueError(f"{one.name} cannot be enabled where {variable.name} is disabled: that turns it off, too")
    return tuple(wanted[key] for key in sorted(wanted))


def _one(key: str, wanted: Any) -> Switch:
    shown = visible(key)[:200]
    fields = wanted if isinstance(wanted, Mapping) else {"desired": wanted}
    unknown = sorted(visible(str(name))[:40] for name in fields if name not in _KEYS)
    if unknown:
        raise ValueError(f"{shown} may have {', '.join(_KEYS)}, and not {', '.join(unknown)}")
    desired = fields.get("desired")
    if desired not in DESIRED:
        raise ValueError(f"{shown} is {visible(str(desired))[:40]!r}; it may be {', '.join(DESIRED)}")
    kind = fields.get("kind", "environment" if key in _WITH_VARIABLE.values() else "property")
    if kind not in KINDS:
        raise ValueError(f"{shown} is of the kind {visible(str(kind))[:40]!r}; it may be {', '.join(KINDS)}")
    if key in ("analytics_plugin", PROPERTY):
        raise ValueError(f"{shown} is the flag, of which telemetry_desired says what is wanted")
    made = _variable if kind == "environment" else _property
    return made(key, shown, str(desired), fields.get("off_value"))


def _variable(key: str, shown: str, desired: str, off: Any) -> Switch:
    """A variable of the environment: the table's, by its sender or by its name, or one of the user's own."""
    name = _WITH_VARIABLE.get(key, key)
    if key in BY_NAME and key not in _WITH_VARIABLE:
        raise ValueError(f"{shown} has no variable of the environment that turns it off (docs/senders.md)")
    if not is_variable(name):
        raise ValueError(
            f"{shown} is neither a sender that has a variable ({', '.join(_WITH_VARIABLE)}) nor the name of a variable "
            "of the environment that could be a switch"
        )
    known = name in _WITH_VARIABLE.values()
    if isinstance(off, bool) and not known:  # YAML takes no and off for false, and the very word counts
        raise ValueError(f"{shown} must have its off_value in quotes, as in off_value: 'false'")
    off = str(off).lower() if isinstance(off, bool) else str(off) if isinstance(off, int) else off
    if known and off not in (None, _OFF_OF_VARIABLE):
        raise ValueError(f"{shown} sends nothing where it is {_OFF_OF_VARIABLE}, not {visible(str(off))[:40]!r}")
    if not known and off not in tuple(CONTRARY):
        raise ValueError(
            f"{shown} must say with which value nothing is sent ({', '.join(CONTRARY)}), as in "
            "{desired: disabled, kind: environment, off_value: 'false'}"
        )
    return Switch(
        name, desired, _OFF_OF_VARIABLE if known else str(off), words_of(name, "environment"), "", "environment"
    )


def _property(key: str, shown: str, desired: str, off: Any) -> Switch:
    """A property: the table's, by its sender or by its name, or one of the user's own."""
    off = str(off).lower() if isinstance(off, bool) else off
    known = _OF_SENDERS.get(key) or next((one for one in SWITCHES.values() if one.name == key), None)
    if known is None and key in BY_NAME:
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
        desired,
        known.off if known is not None else str(off),
        words_of(name),
        known.variable if known is not None else "",
    )


def from_documents(found: Iterable[Mapping[str, Any]]) -> tuple[Switch, ...]:
    """The switches that evidence shows. Raises ValueError."""
    keys = ("desired", "off_value", "kind")
    return _together(
        _one(one["name"], {"kind": "property", **{key: one[key] for key in keys if key in one}}) for one in found
    )

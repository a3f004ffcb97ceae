# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a report takes of its first host, and judges all of them by: so that no host decides it, it must be one value.

Private to this collection. Runs on the control node.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleError
from ansible.template import Templar

from ansible_collections.cbops.telemetry.plugins.plugin_utils._showing import cut, named
from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._filing import among_facts, templated
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._age import MAX_AGE, max_age_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._verdicts import FAIL_ON

#: With what counts where a host has none.
OF_THE_FLEET: Mapping[str, Any] = {
    "telemetry_max_age": MAX_AGE,
    "telemetry_fail_on": list(FAIL_ON),
    "telemetry_min_coverage": None,
    "telemetry_newer_than": None,
    "telemetry_reports_dir": None,
    "telemetry_signing_key": None,
}


class Fleet:
    """The values that hosts have of what counts for all of them."""

    def __init__(self, names: Iterable[str] = tuple(OF_THE_FLEET)) -> None:
        #: Of each variable what it means, with the first host that has it so and how that says it.
        self._found: dict[str, dict[Any, tuple[str, Any]]] = {name: {} for name in names}
        self._unresolved: list[str] = []

    def take(self, host: str, variables: Mapping[str, Any], template: Callable[[Any], Any]) -> None:
        """Look at a host's. What its facts would set is no policy; what is done for all by such a host refuses them."""
        by_facts = among_facts(variables)[1]
        for name, found in self._found.items():
            if name in by_facts:
                continue
            try:
                value = templated(variables.get(name), template)
                found.setdefault(_meant(name, OF_THE_FLEET[name] if value is None else value), (host, value))
            except AnsibleError as error:  # of what is in a list perhaps only once one looks there
                self._unresolved.append(f"{host}: {name}: {' '.join(str(error).split())}")

    def problem(self, lead: str = "") -> str | None:
        """Why it is not one value, after these words; None where it is."""
        if self._unresolved:
            hosts = named(list(map(visible, self._unresolved)))
            return f"{lead}what counts for the whole fleet cannot be resolved: {hosts}"
        several = [
            f"{name}: " + ", ".join(f"{'none' if value is None else value} ({host})" for host, value in found.values())
            for name, found in self._found.items()
            if len(found) > 1
        ]
        if not several:
            return None
        return (
            f"{lead}what counts for the whole fleet is not the same for all of its hosts: "
            f"{cut(visible('; '.join(several)), 400)}; set it once, in group_vars/all or with -e"
        )

    def value(self, name: str) -> Any:
        """What they have; None where they have none."""
        return next((value for _host, value in self._found[name].values()), None)


def template_of(loader: Any, variables: Mapping[str, Any], hostvars: Any) -> Callable[[Any], Any]:
    """Templates what a host's variables hold, once there is something to template."""

    def template(value: Any) -> Any:
        return Templar(loader=loader, variables={**variables, "hostvars": hostvars}).template(value)

    return template


def _meant(name: str, value: Any) -> Any:
    """A value as it is compared: what means the same is the same. What is not valid is like itself alone."""
    with contextlib.suppress(ValueError, OverflowError):
        if name == "telemetry_max_age":
            return "age", max_age_of(value)
        if name == "telemetry_min_coverage" and isinstance(value, str | int | float):
            return "number", float(value)
    if name in ("telemetry_reports_dir", "telemetry_signing_key"):
        return "path", str(value or "")
    if name == "telemetry_newer_than":
        return "time", "".join(str(value or "").split())
    if name == "telemetry_fail_on" and isinstance(value, str | list | tuple):
        words = value.split(",") if isinstance(value, str) else value
        return "words", tuple(sorted({str(one).strip() for one in words}))
    return "odd", str(value)

# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a sweep asks hosts for the playbook ``probe``, and how a person is shown what they saw.

Private to this collection. Runs on the control node.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

from ansible_collections.cbops.telemetry.plugins.module_utils.outcomes._outcomes import REACHABLE_OUTCOMES
from ansible_collections.cbops.telemetry.plugins.module_utils.probe._spec import SPEC
from ansible_collections.cbops.telemetry.plugins.plugin_utils import _showing as showing
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._carrier import Errand, Known, one_line
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._filing import Circumstances, probe_of, problem_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._sweep import Unserved
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import UNRESOLVED

MODULE = "cbops.telemetry.connectivity_probe"
#: What is kept of each probe, as connectivity_probe returns it.
_KEPT = ("target", "via", "outcome", "message")


class Tally(Protocol):
    """What came of the hosts so far."""

    def probe(self, host: str, seen: list[dict[str, str]]) -> None:
        """A host has looked."""

    def miss(self, host: str, problem: str) -> None:
        """A host has not looked, and that is all that can be said."""


class Probing:
    """For the playbook ``probe``: what each host sees of the endpoint, whatever its policy says."""

    acts: ClassVar[bool] = False
    judges: ClassVar[bool] = False

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def errand(self, host: str, settings: Mapping[str, Any], _circumstances: Circumstances) -> Errand | None:
        """What a host is asked. Raises Unserved."""
        if settings.get(UNRESOLVED):
            raise Unserved("its variables cannot be resolved")
        more = settings.get("telemetry_probe_endpoints") or []
        if not isinstance(settings.get("telemetry_endpoint") or {}, Mapping) or not isinstance(more, list):
            raise Unserved("its options are not valid")
        options = probe_of(settings)
        if more:
            first = [options.pop(key, SPEC[key]["default"]) for key in ("host", "port")]
            options["endpoints"] = [f"{first[0]}:{first[1]}", *more]
        return Errand.of(MODULE, options, False)

    def answered(self, known: Known, answer: dict[str, Any]) -> Known | None:
        """Keep what it saw."""
        if answer.get("unreachable") or answer.get("failed") or not answer.get("probes"):
            self._tally.miss(known.host, problem_of(answer))
        else:
            seen = [{key: one_line(str(probe[key])) for key in _KEPT} for probe in answer["probes"]]
            self._tally.probe(known.host, seen)
        return None


def shown(probes: Mapping[str, list[dict[str, str]]], missed: Mapping[str, str], most: int | None) -> list[str]:
    """The lines that a person reads: first what did not answer or was not reached, then the rest, then how many."""
    every = [(probe["outcome"] in REACHABLE_OUTCOMES, host, probe) for host, seen in probes.items() for probe in seen]
    lines = [f"{host}: not probed: {problem}" for host, problem in missed.items()]
    lines += [
        f"{host}: {probe['target']}, {probe['via']}: {probe['outcome']}: {probe['message']}"
        for _reached, host, probe in sorted(every, key=lambda item: item[0])
    ]
    counts = Counter(probe["outcome"] for _reached, _host, probe in every)
    total = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
    last = f"{len(probes)} hosts: {total or 'nothing was probed'}"
    if missed:
        last += f"; {len(missed)} not probed"
    return [*showing.first(lines, most, "lines"), "", last]

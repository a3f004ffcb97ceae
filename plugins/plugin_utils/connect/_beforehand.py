# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run needs at its end, looked at before its beginning: else hosts are edited of which nothing can be filed.

Private to this collection. Runs on the control node.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.cbops.telemetry.plugins.plugin_utils._showing import cut
from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._action import OPERATIONS_CENTERS
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._filing import templated
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._evidence import UNFINISHED
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._reading import make_folder, opened, why
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._verdicts import GATES

#: Variables that a report takes of its first host, with what they may be.
REPORTING: Mapping[str, Mapping[str, Any]] = {
    "telemetry_report_name": {"type": "str"},
    "telemetry_report_formats": {},  # which there are, the caller knows
    "telemetry_fail_on": {"type": "list", "elements": "str", "choices": list(GATES)},
    "telemetry_fail_hosts": {"type": "bool"},
    "telemetry_set_stats": {"type": "bool"},
    "telemetry_min_coverage": {"type": "float"},
    "telemetry_operations_centers": {**OPERATIONS_CENTERS, "no_log": False},
    "telemetry_signing_key": {"type": "str"},
}
#: Those of them that a ledger takes.
OF_LEDGERS = ("telemetry_min_coverage", "telemetry_operations_centers")
#: Where a run writes, below the reports folder.
_FOLDERS = ("evidence", "baselines", "runs", "changes", "manifests")
#: As much as is written to see that there is space.
_BLOCK = 1 << 16


def values_of(names: Iterable[str], variables: Mapping[str, Any], template: Callable[[Any], Any]) -> dict[str, Any]:
    """The variables that have a value. Raises ValueError, which names the variable."""
    found = {}
    for name in names:
        try:
            value = _decrypted(templated(variables.get(name), template))
        except AnsibleError as error:
            raise ValueError(f"{name} cannot be resolved: {' '.join(str(error).split())}") from error
        if value is not None:
            found[name] = value
    return found


def _decrypted(value: Any) -> Any:
    """A value whose encrypted texts are texts: up to core 2.18 they are of a kind of their own, which is none."""
    if isinstance(value, list):
        return [_decrypted(one) for one in value]
    if isinstance(value, Mapping):
        return {key: _decrypted(one) for key, one in value.items()}
    return str(value) if type(value).__name__ == "AnsibleVaultEncryptedUnicode" else value


def not_as_it_must_be(values: Mapping[str, Any], formats: Iterable[str]) -> str | None:
    """Why a report could not be made with these values; None where it could."""
    spec = {**REPORTING, "telemetry_report_formats": {"type": "list", "elements": "str", "choices": list(formats)}}
    checked = ArgumentSpecValidator({name: spec[name] for name in values}).validate(dict(values))
    wrong = list(checked.error_messages)
    centers = checked.validated_parameters.get("telemetry_operations_centers")
    if centers and not wrong:
        from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._addresses import of_centers

        try:
            of_centers(centers)
        except ValueError as error:
            wrong = [f"telemetry_operations_centers: {error}"]
    return cut(visible("; ".join(wrong)), 400) if wrong else None


def not_writable(reports: Path, is_filed: bool = True) -> str | None:
    """Why nothing could be written in a reports folder, or filed there; None where it can be. Leaves nothing."""
    lock = reports / "runs/.lock"
    path = reports
    try:
        for path in (reports, *(filter(os.path.lexists, (reports / name for name in _FOLDERS if is_filed)))):
            _try(path)
        if is_filed and os.path.lexists(lock):
            path = lock
            os.close(opened(lock, os.O_RDWR))
    except OSError as error:
        return visible(f"{path}: {why(error)}")
    return None


def _try(folder: Path) -> None:
    """Write in a folder, or in the one in which it would be made. Raises OSError."""
    if os.path.lexists(folder):
        make_folder(folder)  # it may be a link, or no folder
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    with tempfile.TemporaryFile(prefix=".", suffix=UNFINISHED, dir=folder) as stream:
        stream.write(bytes(_BLOCK))

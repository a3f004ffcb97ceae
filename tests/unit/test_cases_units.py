"""Launch files of all kinds in ``cases_units``, each with what must come out: seen with a booted systemd, bash and dash."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ansible_collections.cbops.telemetry.plugins.module_utils import _installations as installations
from ansible_collections.cbops.telemetry.plugins.module_utils._edit import Refused, plan
from ansible_collections.cbops.telemetry.plugins.module_utils._files import HostFiles

CASES = Path(__file__).parent / "cases_units"


def lay(name: str, root: Path) -> HostFiles:
    """A case over what every host has."""
    for link, target in {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib"}.items():
        (root / link).symlink_to(target)
    for folder in ("common", name):
        shutil.copytree(CASES / folder, root, dirs_exist_ok=True)
    (root / "usr/bin/sh").symlink_to("dash")
    return HostFiles(str(root))


def refuses(definition: installations.Definition, outcome: installations.Outcome, files: HostFiles) -> bool:
    """Whether every edit is refused."""
    live = installations.live_of(definition, files, outcome)
    for wanted in ("disabled", "enabled"):
        try:
            plan(definition, files, outcome, live, wanted)
        except Refused:
            continue
        return False
    return True


@pytest.mark.parametrize("name", [
    "deb2022_as_plain_sh", "own_environment_file_specifier", "own_env_dir_glob", "rpm_stock", "rpm_kb_csp_daemonize",
    "unit_percent_specifiers",
])
def test_enabled(name: str, tmp_path: Path) -> None:
    found, _warnings = installations.discover(lay(name, tmp_path))
    assert [(outcome.verdict, outcome.reason) for _definition, outcome in found] == [("enabled", None)]

"""Two workers share the whole run: a room that has a fleet or the machine's disks for itself stays on one of them."""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

#: Rooms whose tests each stand alone: any worker takes any of their files.
SCATTERED = ("tests/unit/", "tests/testinfra/", "tests/browser/")
#: Files of a room that have another profile of the fleet than the rest of it.
PROFILES = {
    "tests/integration/test_found.py": "odd",
    "tests/integration/test_services.py": "odd",
    "tests/integration/test_gitops_pull.py": "gitops",
    "tests/hostile/test_gitops.py": "gitops",
}


class Rooms(LoadScopeScheduling):
    """Hands out rooms, and with them what else uses the same profile, as the command line names them; then the rest."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.split("::", 1)[0]
        return path if path.startswith(SCATTERED) else PROFILES.get(path, "/".join(path.split("/")[:2]))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Rooms:
    """What `-n 2` uses, whatever `--dist` says: any other order would boot a fleet under another worker's tests."""
    return Rooms(config, log)

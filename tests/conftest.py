"""Two workers share the whole run: a room that has a fleet or the machine's disks for itself stays on one of them."""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

#: Rooms whose tests each stand alone: any worker takes any of their files.
SCATTERED = ("tests/unit/", "tests/testinfra/")


class Rooms(LoadScopeScheduling):
    """Hands out rooms, the largest first, then the files of the rest."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.split("::", 1)[0]
        return path if path.startswith(SCATTERED) else "/".join(path.split("/")[:2])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Rooms:
    """What `-n 2` uses, whatever `--dist` says: any other order would boot a fleet under another worker's tests."""
    return Rooms(config, log)

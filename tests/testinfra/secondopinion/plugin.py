"""What the suite adds to pytest wherever it is installed: its options, its markers, and an order for pytest-xdist.
Everything else is its own folder's (conftest.py), so that tests of other suites are left alone."""

from __future__ import annotations

import re

import pytest

from .policy import DESIRED


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("telemetry", "telemetry, a second opinion")
    group.addoption(
        "--telemetry-desired", choices=DESIRED, help="policy for hosts whose inventory sets no telemetry_desired"
    )
    group.addoption(
        "--telemetry-report",
        metavar="FILE",
        help="an audit's JSON: what it says of toggle, senders and events is compared",
    )
    group.addoption("--telemetry-forks", type=int, default=8, help="hosts that are asked at the same time (8)")
    group.addoption(
        "--telemetry-vault-password-file",
        action="append",
        default=[],
        help="[label@]file for vaulted variables, beside what ansible.cfg names",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "xdist_group(name): tests of one host stay on one worker")
    config.addinivalue_line("markers", "telemetry: asks a host of the fleet")


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log):
    """--dist loadgroup: one host, one worker. xdist 3.8 loses its groups under pytest 9.2 (pytest-xdist#1386), as it
    writes them into a part of the node id that is not read any more; here the host's name in it is the group."""
    if config.getvalue("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadGroupScheduling

    class PerHost(LoadGroupScheduling):
        def _split_scope(self, nodeid: str) -> str:
            found = re.search(r"test_telemetry\.py::.*\[(.*)\]", nodeid)
            return found.group(1) if found else super()._split_scope(nodeid)

    return PerHost(config, log)

"""Hosts and policy for the testinfra suite: read from the inventory, each host gathered once, in parallel.
Every test takes the fixture `node`; `pytest tests/testinfra --ansible-inventory=PATH` runs the suite."""

from __future__ import annotations

import concurrent.futures
import logging
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from secondopinion import backends, inventory, policy
from secondopinion.inventory import InventoryError, Target
from secondopinion.node import Node

# The suite's own tests need no fleet and are no part of a fleet's verdict: run them by their path.
collect_ignore = ["selftest"]

SCHEMES = ("paramiko", "ssh", "local")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("telemetry")
    group.addoption(
        "--telemetry-desired",
        choices=policy.DESIRED,
        help="policy for hosts whose inventory sets no telemetry_desired",
    )
    group.addoption("--telemetry-forks", type=int, default=8, help="hosts that are asked at the same time (8)")
    group.addoption(
        "--vault-password-file",
        action="append",
        default=[],
        help="[label@]file for vaulted variables, beside what ansible.cfg names",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "xdist_group(name): tests of one host stay on one worker")
    config.addinivalue_line("markers", "telemetry: asks a host of the fleet")
    # Its warnings go with exceptions that are reported anyway.
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)


def _targets(config: pytest.Config) -> list[Target]:
    pattern = config.getoption("hosts")
    source = config.getoption("ansible_inventory")
    if source:
        out = inventory.targets(
            [source], (pattern or "").replace("ansible://", ""), config.getoption("vault_password_file")
        )
    elif pattern:
        out = [_from_spec(spec) for spec in pattern.split(",") if spec]
    else:
        raise InventoryError("no hosts: give --ansible-inventory=PATH, or --hosts=HOST,… with --telemetry-desired")
    for one in out:
        if config.getoption("ssh_config"):
            one.ssh_args = ["-F", config.getoption("ssh_config"), *one.ssh_args]
        if config.getoption("ssh_identity_file") and not one.key_file:
            one.key_file = config.getoption("ssh_identity_file")
        if config.getoption("sudo"):
            one.become = True
    return out


def _from_spec(spec: str) -> Target:
    scheme, sep, rest = spec.partition("://")
    if sep and scheme not in SCHEMES:
        raise InventoryError(f"--hosts={spec}: this suite connects by {', '.join(SCHEMES)}")
    if scheme == "local" or spec == "localhost":
        return Target("localhost", "local")
    found = backends.Paramiko.parse_hostspec(rest if sep else spec)
    if found.password:
        raise InventoryError("a password has no place on a command line: put it into the inventory, vaulted")
    return Target(found.name, address=found.name, port=int(found.port) if found.port else None, user=found.user or "")


def _nodes(config: pytest.Config) -> list[Node]:
    found = getattr(config, "_telemetry_nodes", None)
    if found is None:
        scheme = (config.getoption("hosts") or "").partition("://")
        backend = config.getoption("connection") or (scheme[0] if scheme[1] and scheme[0] in SCHEMES else "paramiko")
        if backend not in SCHEMES:
            raise InventoryError(f"--connection={backend}: this suite connects by {', '.join(SCHEMES)}")
        found = []
        for target in _targets(config):
            if backend == "local":
                target.kind = "local"
            asked = policy.read(target.variables, default_desired=config.getoption("telemetry_desired"))
            found.append(Node(target, asked, backend))
        config._telemetry_nodes = found
    return found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "node" not in metafunc.fixturenames:
        return
    try:
        nodes = _nodes(metafunc.config)
    except InventoryError as problem:
        metafunc.parametrize("node", [str(problem)], ids=["no host"], indirect=True)
        return
    marks = [pytest.mark.telemetry]
    metafunc.parametrize(
        "node",
        [pytest.param(one, id=one.name, marks=[*marks, pytest.mark.xdist_group(one.name)]) for one in nodes],
        indirect=True,
        scope="session",
    )


@pytest.hookimpl(optionalhook=True)
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


def pytest_collection_finish(session: pytest.Session) -> None:
    """Asks all hosts at once. A worker of xdist asks its own, one by one, when their turn comes."""
    config = session.config
    if config.getoption("collectonly") or hasattr(config, "workerinput"):
        return
    wanted = {}
    for item in session.items:
        one = getattr(item, "callspec", None) and item.callspec.params.get("node")
        if isinstance(one, Node):
            wanted[id(one)] = one
    if wanted:
        with concurrent.futures.ThreadPoolExecutor(max(1, config.getoption("telemetry_forks"))) as pool:
            list(pool.map(Node.gather, wanted.values()))


@pytest.fixture(scope="session")
def node(request: pytest.FixtureRequest) -> Node:
    """One host: its policy, and what was seen on it."""
    if isinstance(request.param, str):
        pytest.fail(request.param, pytrace=False)
    return request.param

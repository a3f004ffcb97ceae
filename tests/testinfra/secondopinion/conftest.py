"""Hosts and policy for the tests of this folder: each host gathered once, in parallel. Every test takes `node`."""

from __future__ import annotations

import concurrent.futures
import json
import logging
from pathlib import Path

import pytest

from . import hosts, policy
from .inventory import InventoryError
from .node import Node


def _nodes(config: pytest.Config) -> list[Node]:
    found = getattr(config, "_telemetry_nodes", None)
    if found is None:
        # Where the plugin was found too late for its options, as above its folder without pip, their defaults count.
        desired = config.getoption("telemetry_desired", None)
        audited = _audited(config.getoption("telemetry_report", None))
        found = [
            Node(
                target,
                policy.read(target.variables, default_desired=desired),
                backend,
                None if audited is None else audited.get(target.name, {}),
            )
            for target, backend in hosts.targets(_asked(config))
        ]
        config._telemetry_nodes = found
    return found


def _audited(path: str | None) -> dict[str, dict] | None:
    """The hosts of an audit's report. Raises InventoryError."""
    if not path:
        return None
    try:
        hosts_of_it = json.loads(Path(path).read_text(encoding="utf-8"))["hosts"]
        return {str(one["host"]): one for one in hosts_of_it}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise InventoryError(f"--telemetry-report: {path} is no report of an audit in JSON") from None


def _asked(config: pytest.Config) -> hosts.Asked:
    if not hasattr(config.option, "ansible_inventory"):
        raise InventoryError("pytest-testinfra is not there, whose --hosts and --ansible-inventory say who is asked")
    return hosts.Asked(
        hosts=config.getoption("hosts") or "",
        connection=config.getoption("connection") or "",
        inventory=config.getoption("ansible_inventory") or "",
        vault_files=config.getoption("telemetry_vault_password_file", []),
        ssh_config=config.getoption("ssh_config") or "",
        ssh_extra_args=config.getoption("ssh_extra_args") or "",
        ssh_identity_file=config.getoption("ssh_identity_file") or "",
        sudo=config.getoption("sudo"),
        sudo_user=config.getoption("sudo_user") or "",
        force_ansible=config.getoption("force_ansible"),
    )


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
        # paramiko's warnings go with exceptions that are reported anyway.
        logging.getLogger("paramiko").setLevel(logging.CRITICAL)
        with concurrent.futures.ThreadPoolExecutor(max(1, config.getoption("telemetry_forks", 8))) as pool:
            list(pool.map(Node.gather, wanted.values()))


@pytest.fixture(scope="session")
def node(request: pytest.FixtureRequest) -> Node:
    """One host: its policy, and what was seen on it."""
    if isinstance(request.param, str):
        pytest.fail(request.param, pytrace=False)
    return request.param

"""Imports go one way, on hosts and on the control node: from a package to those below it, also where they come late."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect import _carrier as carrier

HOST = carrier.FOLDER
CONTROL = HOST.with_name("plugin_utils")
PREFIX = "ansible_collections.cbops.telemetry.plugins."
#: What each package may import beside itself; "" is what lies in no package.
BELOW: dict[Path, dict[str, set[str]]] = {
    HOST: {package: {*carrier.EVERYWHERE[:number]} for number, package in enumerate(carrier.EVERYWHERE)},
    CONTROL: {
        "": set(),
        "policy": {""},
        "evidence": {"", "policy"},
        "report": {"", "policy", "evidence", "product"},
        "connect": {"", "policy", "evidence", "product"},
        "product": {"", "policy"},
        "restart": {"", "policy", "evidence", "connect", "product"},
    },
}
for request in (carrier.PROBE, carrier.EDIT, carrier.PROVE, carrier.EVENTS, carrier.SENDERS):
    for number, package in enumerate(request):
        BELOW[HOST].setdefault(package, {*carrier.EVERYWHERE} - {""}).update(request[:number])
    BELOW[HOST][""].update(request)
FILES = [path for folder in BELOW for path in sorted(folder.rglob("*.py")) if path.name != "__init__.py"]


def imported(path: Path, source: str) -> Iterator[Path]:
    """The files beside it, or in packages beside its own, that a source imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.ImportFrom):
            continue
        if node.level:
            place = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
        elif (node.module or "").startswith(PREFIX + top_of(path).name):
            place = top_of(path).parent.joinpath(*(node.module or "")[len(PREFIX) :].split("."))
        else:
            continue
        if place.with_suffix(".py").is_file():
            yield place.with_suffix(".py")
        else:
            yield from (place / f"{name.name}.py" for name in node.names)


def top_of(path: Path) -> Path:
    """module_utils or plugin_utils."""
    return HOST if HOST in path.parents else CONTROL


def package_of(path: Path) -> str:
    """The package of a file, of which folders in it are a part; "" for what lies in none."""
    return "" if path.parent in BELOW else path.relative_to(top_of(path)).parts[0]


def wrong(path: Path, source: str) -> list[str]:
    """The imports of a source that do not go down."""
    package, below = package_of(path), BELOW[top_of(path)]
    return [
        str(one)
        for one in imported(path, source)
        if not one.is_file() or top_of(one) != top_of(path) or package_of(one) not in below[package] | {package}
    ]


@pytest.mark.parametrize("top", BELOW, ids=lambda top: top.name)
def test_every_package_has_its_place_and_is_a_package(top: Path) -> None:
    """What has none would be sent to no host. Without __init__.py a module of Ansible's would not find it."""
    assert {package_of(path) for path in FILES if top_of(path) == top} == set(BELOW[top])
    for package in set(BELOW[top]) - {""}:
        assert (top / package / "__init__.py").is_file()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HOST.parent)))
def test_imports_go_down(path: Path) -> None:
    assert wrong(path, path.read_text()) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        *[
            (HOST / "shell/_words.py", source)
            for source in (
                "from ..launch import _live",
                "from ..launch._live import Live",
                "def late():\n    from ..probe import _tls\n",
                "from .. import _answer",
                "from . import _gone",
            )
        ],
        *[
            (CONTROL / "evidence/_run.py", f"from {PREFIX}plugin_utils.{source}")
            for source in ("restart import _plan", "report._model import Report")
        ],
    ],
)
def test_an_import_that_goes_up_or_nowhere_is_seen(path: Path, source: str) -> None:
    assert len(wrong(path, source)) == 1


def test_there_is_no_circle() -> None:
    graph = {path: set(imported(path, path.read_text())) for path in FILES}
    assert sum(map(len, graph.values())) > 300
    list(TopologicalSorter(graph).static_order())
    with pytest.raises(CycleError):
        list(TopologicalSorter({**graph, HOST / "running/_proc.py": {HOST / "running/_processes.py"}}).static_order())

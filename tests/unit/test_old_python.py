"""What runs on a managed host runs on Python 3.6 with the standard library alone."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent.parent / "plugins/module_utils"
FILES = sorted(FOLDER.rglob("*.py"))
NEWER = {"dataclasses", "contextvars", "zoneinfo", "tomllib", "graphlib", "importlib.resources"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_syntax_and_imports(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 6))
    for node in ast.walk(tree):
        assert not isinstance(node, ast.NamedExpr), f"line {node.lineno}: := is Python 3.8"
        if isinstance(node, ast.arguments):
            assert not node.posonlyargs, "positional-only parameters are Python 3.8"
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                continue  # a file beside it
            names = [node.module or ""]
        else:
            continue
        for name in names:
            assert name != "__future__", "an import from the future ends Python 3.6"
            assert name.split(".")[0] in sys.stdlib_module_names, f"line {node.lineno}: {name}"
            assert name not in NEWER, f"line {node.lineno}: {name} is newer than Python 3.6"


def test_no_name_of_the_standard_library_is_newer() -> None:
    """Vermin knows since when each function, option and constant is there."""
    guarded = ["os.pidfd_open", "signal.pidfd_send_signal"]  # used only where os has it
    done = subprocess.run(
        [
            Path(sys.executable).with_name("vermin"),
            "--no-tips",
            "--target=3.6-",
            "--violations",
            *[word for name in guarded for word in ("--exclude", name)],
            *FILES,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def interpreters() -> list[str]:
    """Older Pythons that are on this machine, whatever put them there."""
    found = [shutil.which(f"python3.{minor}") for minor in range(6, 14)]
    found += [str(path) for path in Path.home().glob(".pyenv/versions/3.*/bin/python3")]
    return sorted({path for path in found if path and "shims" not in path})


@pytest.mark.parametrize("python", interpreters() or [sys.executable])
def test_every_file_can_be_imported_and_the_state_read(python: str, tmp_path: Path) -> None:
    program = (
        "import importlib, json, sys; sys.path.insert(0, sys.argv[1]); sys.dont_write_bytecode = True\n"
        "package = 'ansible_collections.cbops.telemetry.plugins.module_utils.'\n"
        "for name in sys.argv[3:]: importlib.import_module(package + name)\n"
        "print(json.dumps(importlib.import_module(package + '_answer').state(sys.argv[2])))"
    )
    root = Path(__file__).parent.parent.parent / ".build/collections"
    names = [".".join(path.relative_to(FOLDER).with_suffix("").parts) for path in FILES if path.stem != "__init__"]
    done = subprocess.run(
        [python, "-I", "-c", program, str(root), str(tmp_path), *names], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert '"installations": []' in done.stdout

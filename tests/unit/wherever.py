"""Finds a function or class of a package by its name, in whichever of its files it lies: files are split and joined."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType
from typing import Any


def wherever(package: ModuleType, name: str) -> Any:
    """What has that name in a package, where it is made and not where it is imported."""
    for file in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{file.name}")
        found = vars(module).get(name)
        if found is not None and getattr(found, "__module__", module.__name__) == module.__name__:
            return found
    raise LookupError(f"nothing in {package.__name__} is called {name}")

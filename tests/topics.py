"""Finds the modules in which each part of the program lists its own calls, so that one list serves the tests of all."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType


def topics(package: str, beginning: str) -> list[ModuleType]:
    """Every module `package.<beginning>_<topic>`, by name: topics("tests.access", "calls") gives calls_books, …"""
    found = importlib.import_module(package)
    names = sorted(each.name for each in pkgutil.iter_modules(found.__path__))
    return [
        importlib.import_module(f"{package}.{name}") for name in names if name.startswith(f"{beginning}_")
    ]

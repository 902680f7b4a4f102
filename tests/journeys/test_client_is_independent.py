"""The second client shares nothing with the product: its imports are read and compared with what it may use."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PRODUCT = {"app", "sync", "migrations"}
CLIENT = {"httpx", "cryptography"} | set(sys.stdlib_module_names)
RUNS_CODE = {"import_module", "__import__", "exec", "eval", "run_module", "run_path", "find_spec"}


def imported(source: str) -> set[str]:
    """The packages a source imports at any depth; a sibling is `.`, a way around imports is the call's name."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add("." * node.level or str(node.module).partition(".")[0])
        elif isinstance(node, (ast.Name, ast.Attribute)):
            name = node.id if isinstance(node, ast.Name) else node.attr
            found |= {name} & RUNS_CODE
    return found


def names(pattern: str) -> list[str]:
    return sorted(path.name for path in HERE.glob(pattern))


@pytest.mark.parametrize(
    "name", ["acts.py", "client.py", "signatures.py", "rows.py", "nodes.py", "families.py"]
)
def test_the_client_uses_only_the_standard_library_httpx_and_cryptography(name: str) -> None:
    assert imported((HERE / name).read_text(encoding="utf-8")) <= CLIENT | {"."}


@pytest.mark.parametrize("name", names("*.py"))
def test_no_file_of_the_journeys_imports_the_product(name: str) -> None:
    allowed = CLIENT | {".", "pytest"} | ({"tests"} if name == "conftest.py" else set())
    assert imported((HERE / name).read_text(encoding="utf-8")) <= allowed


@pytest.mark.parametrize(
    "planted",
    [
        "import sync.merge",
        "from app import main",
        "def late():\n    from app.ledger import accept",
        "import importlib\nimportlib.import_module('app')",
        "from .. import conftest",
        "__import__('sync')",
    ],
)
def test_an_import_of_the_product_would_be_seen(planted: str) -> None:
    assert not imported(planted) <= CLIENT | {".", "pytest"}


def test_the_folder_holds_no_module_this_test_has_not_read() -> None:
    assert [path for path in HERE.rglob("*.py") if path.parent != HERE] == []
    assert names("[!t]*.py") == [
        "__init__.py",
        "acts.py",
        "client.py",
        "conftest.py",
        "families.py",
        "nodes.py",
        "rows.py",
        "signatures.py",
    ]

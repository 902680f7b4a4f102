"""Writes docs/settings.md and docs/problems.md from what the code declares: `make docs`. The test compares them."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path
from typing import Any

import app
from app.errors import CATALOGUE
from app.settings import Settings

DOCS = Path(__file__).parent.parent / "docs"
TYPES = {"Path": "path", "str": "text", "float": "number", "int": "whole number", "bool": "true or false"}


def settings() -> str:
    """Every variable a server reads, with its type, default and meaning, as Markdown."""
    rows = [
        (
            f"`MBOKA_{name.upper()}`",
            TYPES.get(getattr(field.annotation, "__name__", ""), str(field.annotation)),
            "required" if field.is_required() else _default(field.default),
            field.description or "",
        )
        for name, field in Settings.model_fields.items()
    ]
    return _page(
        "Settings",
        introduction="A variable of the environment wins over the node's `mboka.json`, which wins over the default.",
        table=[("Variable", "Type", "Default", "Meaning"), *rows],
    )


def problems() -> str:
    """Every problem a server can answer with, by code, as Markdown (the table in French, as people read it)."""
    for module in pkgutil.walk_packages(app.__path__, "app."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    rows = [
        (f"`{kind.code}`", str(kind.status), kind.title, kind.advice)
        for kind in sorted(CATALOGUE.values(), key=lambda kind: kind.code)
    ]
    return _page(
        "Problems",
        introduction="Answers of type `application/problem+json` (RFC 9457); only the `code` is stable.",
        table=[("Code", "HTTP", "Titre", "Que faire"), *rows],
    )


def main(arguments: list[str]) -> int:
    """Write both pages; with `--check` write nothing and return 1 when one is out of date."""
    stale = {
        name: page
        for name, page in (("settings", settings()), ("problems", problems()))
        if _written(name) != page
    }
    if "--check" in arguments:
        print(*(f"docs/{name}.md is out of date: run `make docs`" for name in stale), sep="\n")
        return bool(stale)
    DOCS.mkdir(exist_ok=True)
    for name, page in stale.items():
        (DOCS / f"{name}.md").write_text(page, encoding="utf-8")
    return 0


def _written(name: str) -> str:
    page = DOCS / f"{name}.md"
    return page.read_text(encoding="utf-8") if page.exists() else ""


def _default(value: Any) -> str:
    return "empty" if value == "" else f"`{value}`"


def _page(title: str, *, introduction: str, table: list[tuple[str, ...]]) -> str:
    head, *rows = table
    lines = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in (head, *rows)]
    lines.insert(1, "|" + "---|" * len(head))
    return "\n".join([f"# {title}", introduction, "Written by `make docs`; do not edit.", "", *lines, ""])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

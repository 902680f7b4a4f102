"""What every operator's command begins and ends with: a node's folder opened, an answer printed, a refusal told."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from app.database import Database
from app.node import Node
from app.settings import CONFIGURATION, Settings, load
from app.upgrading import check_schema

out = Console()
err = Console(stderr=True)

Data = Annotated[Path, typer.Option("--data", help="Dossier du nœud.", file_okay=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Réponse en JSON, pour un programme.")]


def leave(message: str) -> NoReturn:
    """End the command with code 1 and this French sentence."""
    err.print(message, style="bold red", markup=False, highlight=False, soft_wrap=True)
    raise SystemExit(1)


def print_json(value: Any) -> None:
    """One line of JSON on the standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")


def settings_of(data: Path) -> Settings:
    """The settings of the node in `data`; leaves where there is none."""
    if not (data / CONFIGURATION).exists():
        leave(f"Aucun nœud dans {data} : lancez d'abord « mboka init --data {data} --kind commune ».")
    return load(data)


@contextmanager
def opened_database(settings: Settings) -> Iterator[Database]:
    """The node's database at this program's schema. Raises app.upgrading.SchemaDiffers."""
    database = Database(settings.url)
    try:
        check_schema(database, settings.data)
        yield database
    finally:
        database.close()


@contextmanager
def opened(data: Path) -> Iterator[Node]:
    """The node in `data`, opened for work."""
    settings = settings_of(data)
    with opened_database(settings) as database:
        yield Node.open(settings, database=database)

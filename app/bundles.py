"""`mboka bundle`: batches to the province and receipts back on a USB key, in encrypted files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from app.ledger import carrying
from app.ledger.node import at_work
from app.ledger.standing import status
from app.opening import Data, leave, opened, out
from app.progress import Progress
from sync.answers import SyncError, counted
from sync.carrying import files_of

bundle_cli = typer.Typer(
    no_args_is_help=True, help="Lots et reçus portés sur une clé USB, dans des fichiers chiffrés."
)
File = Annotated[Path, typer.Argument(metavar="FICHIER", help="Fichier, ou nom commun de FICHIER.1, .2 …")]


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except SyncError as error:
        leave(f"{error} [{error.code}]")
    except OSError as error:
        leave(f"Fichier inaccessible : {error.filename} ({error.strerror}).")


@bundle_cli.command("import")
def import_command(
    file: File,
    data: Data,
    answer: Annotated[Path | None, typer.Option(help="Écrire ici les reçus, pour celui qui porte.")] = None,
) -> None:
    """Prendre un fichier de lots (d'une tablette, d'une commune) ou de reçus (de la province)."""
    with opened(data) as node, at_work(node.database, data), _told():
        whole = carrying.Taken()
        for each in files_of(file):
            with Progress(f"Lecture de {each.name}", None, unit="enregistrements") as progress:
                taken = carrying.take_file(node.door, each, told=progress.at_of)
            whole.batches += taken.batches
            whole.receipts += taken.receipts
            whole.refused += taken.refused
            whole.answers += taken.answers
            whole.carrier = whole.carrier or taken.carrier
        written = list(carrying.answer(node.door, whole, file=answer)) if answer else []
    receipts = counted(whole.receipts, "reçu apporté", many="reçus apportés")
    out.print(f"{counted(whole.batches, 'lot pris', many='lots pris')}, {receipts}.", soft_wrap=True)
    for path in written:
        out.print(f"Reçus écrits : {path}", soft_wrap=True, highlight=False)
    if whole.refused:
        leave(f"{counted(whole.refused, 'enregistrement refusé', many='enregistrements refusés')}.")


@bundle_cli.command("export")
def export_command(file: File, data: Data) -> None:
    """Écrire pour la province tous les lots dont elle n'a pas encore donné reçu."""
    with opened(data) as node, _told():
        with node.database.read() as connection:
            total = status(connection, node.door, schema=None)["unsettled_batches"]
        done, written = 0, []
        with Progress("Écriture pour la province", total, unit="lots") as progress:
            for path, batches in carrying.export(node.door, file):
                done += batches
                written.append(path)
                progress.at(done)
    out.print(f"{counted(done, 'lot écrit', many='lots écrits')}.", soft_wrap=True)
    for path in written:
        out.print(f"À porter : {path}", soft_wrap=True, highlight=False)
